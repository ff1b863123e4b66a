import json
import uuid
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import servipay_notification, servipay_operation
from .common import OPERATION, VivaCase
from .simulator import EVENTS

PAID, REVERSED, FAILED, SESSION_PAID, SESSION_FAILED = EVENTS


@tagged("post_install", "-at_install")
class TestAfterwards(VivaCase):
    """“Final” is not quite final: automatic reversals, late successes, and what the portal did."""

    # -- reversals

    def reversed_soon(self, **options):
        """Return a payment that is approved and reversed by itself at Viva.com."""
        self.viva.script("approved", reversal=2, **options)
        operation = self.pay()
        self.assertEqual(operation.state, "approved")
        self.viva.advance(seconds=3)
        self.assertEqual(self.viva.taken() - self.viva.returned(), 0)
        return operation

    def test_reversed(self):
        """A card that was pulled out: reversed, and a manager is told."""
        operation = self.reversed_soon()
        self.push_all(REVERSED)
        self.assertEqual((operation.state, operation.reason), ("reversed", "vv_reversed"))
        activities, chatter = self.told(operation)
        self.assertTrue(activities)
        self.assertIn("gave the payment back", chatter)
        self.assertEqual((operation.refundable_amount, operation.moved_amount), (0, 0))
        self.assertEqual(self.inbox().state, "processed")

    def test_reversed_and_what_comes_later(self):
        """Other messages in any order, and a look by hand: it stays reversed, nobody is alarmed twice."""
        operation = self.reversed_soon()
        self.push_all(REVERSED)
        for body in [*self.messages(), *self.messages()[::-1]]:
            self.push(body)
        operation.action_refresh()
        self.assertEqual((operation.state, operation.contradicted), ("reversed", False))
        self.assertEqual(len(self.told(operation)[0]), 1)

    def test_session_tells_the_reversal(self):
        """Where the session changes to failed: first a contradiction, then explained by the message."""
        operation = self.reversed_soon(reversal_shows="failed")
        with mute_logger(OPERATION):
            operation._inquire(also_settled=True)
        self.assertTrue(operation.contradicted)
        self.push_all(REVERSED)
        self.assertEqual((operation.state, operation.contradicted), ("reversed", False))
        self.assertTrue(self.told(operation)[0])

    def test_reversed_before_it_was_known_to_be_paid(self):
        """The message of the reversal overtakes the till: read first, then taken back."""
        self.viva.script("approved", reversal=0)
        operation = self.pay(ask=False)
        self.assertFalse(operation.external_ref)
        self.push_all(REVERSED)
        self.assertEqual(operation.state, "reversed", operation.explanation)
        self.assertTrue(self.told(operation)[0])

    def test_reversed_while_reads_fail(self):
        """The session cannot be read when the message comes: it is heard again once the session was read."""
        self.viva.script("approved", reversal=0)
        operation = self.pay(ask=False)
        self.viva.fault("session", "http_500")
        with self.quiet():
            self.push_all(REVERSED)
        self.assertEqual((operation.state, self.inbox().state), ("pending", "failed"))
        self.viva.clear_faults()
        operation._inquire()
        self.assertEqual((operation.state, self.inbox().state), ("reversed", "processed"))

    def test_reversal_without_our_reference(self):
        """It names its parent only: found by the payment's own transaction."""
        operation = self.reversed_soon()
        message = json.loads(self.messages(REVERSED)[0])
        del message["EventData"]["MerchantTrns"]
        self.assertEqual(self.push(message).status_code, 200)
        self.assertEqual(operation.state, "reversed")

    def test_reversal_of_somebody_else(self):
        """Of a payment of the web shop: nothing stored, nothing changed."""
        operation = self.reversed_soon()
        message = json.loads(self.messages(REVERSED)[0])
        message["EventData"].update(ParentId=str(uuid.uuid4()), MerchantTrns="Order 17")
        self.push(message)
        self.assertEqual((operation.state, len(self.inbox())), ("approved", 0))

    def test_own_refund_is_no_reversal(self):
        """1797 of what was refunded here: the payment stays, the message only has the refund read."""
        for amount in (12.34, 5):
            with self.subTest(amount=amount):
                self.viva.mailer.clear()
                paid, order = self.paid_order()
                refund = self.give_back(order, amount, ask=False)
                self.assertEqual(refund.state, "pending")
                self.push_all(REVERSED)
                self.assertEqual((paid.state, refund.state), ("approved", "approved"))
                self.push_all(REVERSED)
                self.assertEqual(paid.state, "approved")
                self.assertFalse(self.told(paid)[0])

    def test_own_refund_without_our_reference(self):
        """It comes before the refund is known to be made: not taken for a reversal, then or later."""
        paid, order = self.paid_order()
        refund = self.give_back(order, 12.34, ask=False)
        message = json.loads(self.messages(REVERSED)[0])
        del message["EventData"]["MerchantTrns"]
        self.push(message)
        self.assertEqual((paid.state, self.inbox().operation_id), ("approved", paid))
        refund._inquire()
        self.assertEqual((refund.state, paid.state), ("approved", "approved"))

    def test_reversal_while_a_refund_is_under_way(self):
        """It waits until the refund has ended; when that was refused, the payment was reversed by itself."""
        paid, order = self.paid_order()
        self.viva.set(refund_seconds=5)
        refund = self.give_back(order, 12.34)
        self.assertEqual(refund.state, "pending")
        self.push(self.reversal(paid, TransactionId=self.give_back_by_itself(paid)))
        self.assertEqual((paid.state, self.inbox().state), ("approved", "received"))
        self.viva.advance(seconds=6)
        refund._inquire()
        self.assertIn(refund.state, ("declined", "failed"), refund.explanation)
        self.assertEqual(paid.state, "reversed")

    def give_back_by_itself(self, paid):
        """Let Viva.com reverse a payment without a message; returns the id of that transaction."""
        books, session = self.viva.floor.books, self.viva.sessions[paid.viva_session]
        with self.viva.clock.lock:
            made = books.record(session, 0, kind="reversal", type_id=7, parent_id=paid.external_ref)
            books.book(session, made, "reversal")
        return made.id

    def test_a_made_up_reversal_moves_nothing_and_is_told(self):
        """Whoever knows the address can write one: Viva.com is asked, and says no."""
        paid, _order = self.paid_order()
        self.push(self.reversal(paid))
        self.assertEqual((paid.state, paid.moved_amount), ("approved", 12.34))
        self.assertEqual(self.inbox().state, "processed")
        activities, chatter = self.told(paid)
        self.assertEqual(len(activities), 1)
        self.assertIn("does not confirm", chatter)

    def test_reversal_of_another_amount_or_payment_is_not_confirmed(self):
        """Viva.com knows of a reversal, but not of this one."""
        for data in ({"Amount": -99}, {"ParentId": None}):
            with self.subTest(data=data):
                paid, _order = self.paid_order()
                other, _order = self.paid_order()
                self.push(self.reversal(paid, TransactionId=self.give_back_by_itself(other), **data))
                self.assertEqual(paid.state, "approved")

    def test_reversal_waits_for_viva_to_answer(self):
        """While it cannot be asked, nothing moves and the message stays; the job asks again."""
        operation = self.reversed_soon()
        self.viva.fault("transactions", "http_500", times=None)
        with self.quiet():
            self.push_all(REVERSED)
        [message] = self.inbox()
        self.assertEqual((operation.state, message.state), ("approved", "failed"))
        self.viva.clear_faults()
        message.next_attempt_at = "2000-01-01"
        self.env["servipay.notification"]._cron_apply()
        self.assertEqual((operation.state, message.state), ("reversed", "processed"))

    def test_a_flood_of_made_up_messages_fills_neither_inbox_nor_chatter(self):
        self.patch(servipay_notification, "MOST_MESSAGES", 6)
        self.patch(servipay_operation, "TOLD_AT_MOST", 3)
        paid, _order = self.paid_order()
        with mute_logger(servipay_notification.__name__, servipay_operation.__name__):
            for _number in range(9):
                self.assertEqual(self.push(self.reversal(paid)).status_code, 200)
        self.assertEqual(len(self.inbox()), 6)
        self.assertEqual(self.told(paid)[1].count("does not confirm"), 3)

    def reversal(self, paid, **data):
        """Return a 1797 about a payment, as Viva.com writes it."""
        told = {
            "MerchantTrns": f"{paid.viva_session}/7",
            "TransactionId": str(uuid.uuid4()),
            "ParentId": paid.external_ref,
            "TerminalId": int(paid.terminal_id.pid),
            "Amount": -paid.amount,
            "CurrencyCode": self.viva.sessions[paid.viva_session].currency,
            "StatusId": "F",
            **data,
        }
        return {"EventTypeId": REVERSED, "MessageId": str(uuid.uuid4()), "EventData": told}

    def test_given_back_in_the_portal(self):
        """A part of it: the payment stays, and people are told what differs."""
        paid, _order = self.paid_order()
        self.push(self.reversal(paid, Amount=-5))
        self.assertEqual(paid.state, "approved")
        activities, chatter = self.told(paid)
        self.assertTrue(activities)
        self.assertIn("differs from the payment", chatter)
        self.assertIn("5", chatter)

    # -- late successes

    def test_late_success(self):
        """Refused, then paid after all in the same session: flagged, and a person decides."""
        self.viva.script("declined", flip=60)
        operation = self.pay()
        self.assertEqual(operation.state, "declined")
        self.viva.advance(seconds=61)
        with mute_logger(OPERATION):
            self.push_all(PAID)
        self.assertEqual(
            (operation.state, operation.contradicted, operation.contradiction), ("declined", True, "approved")
        )
        self.assertTrue(self.told(operation)[0])
        self.assertEqual(operation.external_ref, self.viva.sessions[operation.viva_session].transaction.id)
        operation._resolve("approved", "seen in the portal")
        self.assertEqual((operation.state, operation.contradicted), ("approved", False))

    def test_late_success_without_webhook(self):
        """The job reads refused sessions once more."""
        self.viva.script("declined", flip=60)
        operation = self.pay()
        self.viva.advance(seconds=61)
        with mute_logger(OPERATION):
            self.look_again(operation, minutes=3)
        self.assertEqual((operation.state, operation.contradicted), ("declined", True))

    def look_again(self, operation, **ago):
        """Run the job when the operation was settled a while ago."""
        operation.write({"settled_at": fields.Datetime.now() - timedelta(**ago)})
        self.env.flush_all()
        self.env["servipay.operation"]._viva_cron_look_again()
        operation.invalidate_recordset()

    def test_looked_at_once(self):
        """Once, not every few minutes; neither too early nor hours later; nothing that cannot change."""
        self.viva.script("declined")
        operation = self.pay()
        reads = self.viva.count_requests("session")
        self.look_again(operation, minutes=1)
        self.assertEqual(self.viva.count_requests("session"), reads)
        for _run in range(3):
            self.look_again(operation, minutes=5)
        self.assertEqual((self.viva.count_requests("session"), operation.state), (reads + 1, "declined"))
        late, paid = self.pay_refused(), self.pay()
        self.look_again(late, hours=2)
        self.look_again(paid, minutes=5)
        self.assertEqual(paid.viva_may_change, False)

    def pay_refused(self):
        """Return a payment that was refused."""
        self.viva.script("declined")
        return self.pay()

    def test_one_that_cannot_be_read_stops_no_other(self):
        """The job goes on with the next one."""
        first, second = self.pay_refused(), self.pay_refused()
        then = fields.Datetime.now() - timedelta(minutes=5)
        (first + second).write({"settled_at": then})
        first.write({"pos_payment_method_id": False})
        self.viva.fault("session", "http_500", times=None)
        with self.quiet("odoo.addons.pos_viva_wallet.models.servipay_operation"):
            self.look_again(second, minutes=4)
        self.assertFalse(second.viva_may_change)

    def test_second_transaction(self):
        """Refused in the session, but another transaction of the same request was paid: flagged."""
        self.viva.script("declined", flip=60, flip_as="second")
        operation = self.pay()
        self.viva.advance(seconds=61)
        self.assertEqual(self.viva.count_charges(), 1)
        with mute_logger(OPERATION):
            self.push_all(PAID)
        self.assertEqual(
            (operation.state, operation.contradicted, operation.contradiction), ("declined", True, "approved")
        )
        self.assertTrue(self.told(operation)[0])

    def test_paid_twice(self):
        """Paid in the session, and another transaction of the same request: people are told of it."""
        operation = self.pay()
        message = json.loads(self.messages(PAID)[0])
        message["MessageId"] = str(uuid.uuid4())
        message["EventData"]["TransactionId"] = other = str(uuid.uuid4())
        self.push(message)
        self.assertEqual((operation.state, operation.contradicted), ("approved", False))
        activities, chatter = self.told(operation)
        self.assertTrue(activities)
        self.assertIn(other, chatter)

    def test_its_own_message_alarms_nobody(self):
        """1796 and 1802 of the payment itself, before and after the till knew."""
        operation = self.pay()
        self.push_all(PAID, SESSION_PAID)
        self.assertFalse(self.told(operation)[0])
        self.assertFalse(operation.contradicted)

    def test_late_failure(self):
        """Paid, then a message says failed: the session is read and still says paid."""
        operation = self.pay()
        message = json.loads(self.messages(PAID)[0])
        message.update(EventTypeId=FAILED, MessageId=str(uuid.uuid4()))
        message["EventData"]["StatusId"] = "E"
        self.push(message)
        self.assertEqual((operation.state, operation.contradicted), ("approved", False))
