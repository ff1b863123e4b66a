"""Refunds, captures and voids: pending first, final when the platform says so, never sent twice."""

from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.compat import SERIES

from .common import OgoneCase

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"


class DirectCase(OgoneCase):
    def setUp(self):
        super().setUp()
        self.bill = self.invoice()
        self.tx = self.transaction(self.bill)

    def child(self):
        """Return the newest child transaction."""
        return self.tx.child_transaction_ids.sorted("id")[-1:]

    def movement(self):
        """Return the newest refund, capture or void."""
        tx = self.child() or self.tx
        return tx._servipay_operation(movement=True)

    def refund(self, amount=None):
        """Refund from Odoo; the child transaction."""
        self.tx.action_refund(amount_to_refund=amount)
        self.env.invalidate_all()
        return self.child()

    def capture(self, amount=None):
        """Capture from Odoo."""
        if SERIES >= 19:
            self.tx._capture(amount_to_capture=amount)
        else:
            self.tx._send_capture_request(amount_to_capture=amount)
        self.env.invalidate_all()

    def settle(self, status=None):
        """Let the platform carry out what is waiting, and tell of it."""
        self.simulator.settle(self.tx.reference, payidsub=self.movement().ogone_payidsub, status=status)
        self.assertEqual(self.tell().status_code, 200)

    def inquire(self, later=timedelta(0)):
        """Ask about the newest movement, as if so much time had passed."""
        operation = self.movement()
        operation.sent_at = fields.Datetime.now() - later
        self.env.flush_all()
        operation._inquire()
        self.env.invalidate_all()
        return operation


@tagged("post_install", "-at_install", "payment_ogone")
class TestTakenBefore(DirectCase):
    """Case D4: what Odoo's own addon took can be given back; its number stands in the transaction."""

    def setUp(self):
        super().setUp()
        self.attempt(self.tx)
        self.env.cr.execute(
            "UPDATE servipay_operation SET res_id = NULL WHERE id = %s", [self.operation(self.tx).id]
        )
        self.env.invalidate_all()
        self.assertFalse(self.operation(self.tx))

    def test_is_given_back(self):
        told = self.chatter(self.bill).count("Online payment accepted")
        child = self.refund(100)
        self.assertEqual((self.movement().state, child.state), ("pending", "draft"))
        self.settle()
        self.assertEqual((child.state, self.tx.state), ("done", "done"))
        self.assertEqual(self.simulator.refunded(self.tx.reference), 10000)
        operation = self.operation(self.tx)
        self.assertEqual((operation.reason, operation.refundable_amount), ("adopted", 20))
        self.assertEqual(self.refund(30).state, "error")
        self.assertEqual(self.chatter(self.bill).count("Online payment accepted"), told)

    def test_what_was_given_back_before_counts(self):
        self.tx._create_child_transaction(60, is_refund=True).write({"state": "done"})
        self.assertEqual(self.refund(70).state, "error")
        self.assertEqual(self.simulator.count_requests("maintenance"), 0)
        self.assertEqual(self.operation(self.tx).refundable_amount, 60)

    def test_what_was_not_taken_is_not(self):
        self.tx.provider_reference = False
        self.assertEqual(self.refund(10).state, "error")
        self.assertFalse(self.operation(self.tx))


@tagged("post_install", "-at_install", "payment_ogone")
class TestRefund(DirectCase):
    def setUp(self):
        super().setUp()
        self.attempt(self.tx)
        self.order = self.simulator.order(self.tx.reference)

    def test_half_is_pending_then_refunded(self):
        child = self.refund(60)
        self.assertEqual((self.movement().state, child.state), ("pending", "draft"))
        self.settle()
        self.assertEqual((self.movement().state, child.state), ("approved", "done"))
        self.assertEqual(self.simulator.refunded(self.tx.reference), 6000)
        self.assertEqual(self.tx.state, "done")
        self.assertEqual(self.movement().external_ref, f"{self.order.payid}/1")

    def test_two_halves_are_told_apart(self):
        first, second = self.refund(60), self.refund(60)
        self.simulator.settle(self.tx.reference, payidsub="2")
        self.tell()  # this account does not report PAYIDSUB
        self.assertEqual((first.state, second.state), ("draft", "draft"))
        self.env["servipay.operation"]._cron_settle()
        self.env.invalidate_all()
        self.assertEqual((first.state, second.state), ("draft", "done"))
        self.assertEqual(self.refund(10).state, "error", "nothing is left")
        self.assertEqual(self.simulator.count_requests("maintenance"), 2)
        self.assertFalse(self.alerts())

    def test_two_halves_are_told_apart_by_the_message(self):
        self.simulator.configure(fields="full")
        first, second = self.refund(60), self.refund(60)
        self.simulator.settle(self.tx.reference, payidsub="2")
        self.tell()
        self.assertEqual((first.state, second.state), ("draft", "done"))

    def test_refused_by_the_acquirer_later(self):
        child = self.refund()
        self.settle("83")
        self.assertEqual((self.movement().state, child.state), ("declined", "error"))
        self.assertEqual(self.tx.state, "done")

    def test_declined_by_the_acquirer_is_no_refused_refund(self):
        """STATUS 84: the money goes back. "No money was moved" would make the merchant pay a second time."""
        child = self.refund()
        self.settle("84")
        operation = self.movement()
        self.assertEqual((operation.state, operation.reason), ("unknown", "og_acquirer_declined"))
        self.assertEqual((child.state, self.tx.state), ("pending", "done"))
        self.assertIn("goes back", operation.explanation)
        self.assertNotIn("No money was moved", operation.explanation)
        self.assertTrue(operation.activity_ids, "a person looks")
        self.assertFalse(self.operation(self.tx).refundable_amount, "nor is it given back again meanwhile")
        operation._resolve("approved", "seen in the back office")
        self.env.invalidate_all()
        self.assertEqual(child.state, "done")

    def check_declined_by_the_acquirer_after_the_refund(self):
        """What neither proves nor denies a refund that was made is told."""
        self.refund(60)
        self.settle()
        self.settle("84")
        self.assertEqual((self.movement().state, self.movement().contradicted), ("approved", False))
        self.assertEqual(self.alerts().mapped("kind"), ["moved_outside"])
        self.assertIn("STATUS 84", self.alerts().detail)

    def test_declined_by_the_acquirer_after_the_refund(self):
        self.check_declined_by_the_acquirer_after_the_refund()

    def test_declined_by_the_acquirer_after_the_refund_that_it_names(self):
        self.simulator.configure(fields="full")
        self.check_declined_by_the_acquirer_after_the_refund()

    def test_lost_answer_is_settled_by_inquiry_and_never_repeated(self):
        self.simulator.fault("maintenance", "drop_after")
        with mute_logger(CLIENT):
            child = self.refund()
        self.assertEqual((self.movement().state, child.state), ("unknown", "pending"))
        operation = self.inquire()
        self.assertEqual(operation.state, "pending" if operation.state == "pending" else "unknown")
        self.simulator.settle(self.tx.reference)
        operation = self.inquire()
        self.assertEqual((operation.state, child.state), ("approved", "done"))
        self.assertEqual(self.simulator.count_requests("maintenance"), 1)
        self.assertEqual(self.simulator.refunded(self.tx.reference), 12000)

    def test_lost_answer_is_settled_by_the_message(self):
        self.simulator.fault("maintenance", "drop_after")
        with mute_logger(CLIENT):
            child = self.refund(60)
        self.simulator.settle(self.tx.reference)
        self.tell()
        self.assertEqual((self.movement().state, child.state), ("approved", "done"))

    def test_an_hour_by_the_clock_alone_proves_nothing(self):
        """A clock that jumps ahead makes a request look old that is still on its way.

        Found by the fault matrix: clock jump, cancel."""
        self.simulator.fault("maintenance", "drop_before")
        with mute_logger(CLIENT):
            child = self.refund()
        for _question in range(3):
            operation = self.inquire(later=timedelta(hours=26))
            self.assertEqual((operation.state, child.state), ("unknown", "pending"))
        operation.denied_at -= timedelta(minutes=11)
        self.env.flush_all()
        operation = self.inquire(later=timedelta(hours=26))
        self.assertEqual((operation.state, operation.reason, child.state), ("failed", "og_not_done", "error"))
        self.assertEqual(self.simulator.count_requests("maintenance"), 1)

    def test_uncertain_answers_are_unknown(self):
        for fault in ("html", "server_error", "garbage", "blank_status"):
            self.simulator.fault("maintenance", fault)
            child = self.refund(1)
            self.assertEqual((self.movement().state, child.state), ("unknown", "pending"), fault)

    def test_not_sent_is_failed(self):
        self.provider.ogone_base_url = "http://127.0.0.1:1"
        with mute_logger(CLIENT):
            child = self.refund(10)
        self.assertEqual(
            (self.movement().state, self.movement().reason, child.state), ("failed", "not_sent", "error")
        )

    def test_wrong_password_moves_nothing(self):
        self.provider.ogone_password = "wrong-password"
        child = self.refund(10)
        self.assertEqual((self.movement().state, child.state), ("failed", "error"))
        self.assertEqual(self.simulator.refunded(self.tx.reference), 0)
        self.assertIn("API user", child.state_message)

    def test_refund_outside_odoo_is_told(self):
        self.simulator.maintain(self.tx.reference, "RFD", 1000)
        self.simulator.settle(self.tx.reference)
        self.tell()
        self.assertEqual(self.alerts().mapped("kind"), ["moved_outside"])
        self.assertEqual(self.tx.state, "done")

    def test_requests_are_logged_without_secrets(self):
        self.refund(10)
        log = self.env["servipay.api.log"].search([("operation_id", "=", self.movement().id)])
        self.assertEqual(log.mapped("endpoint"), ["DirectLink maintenance"])
        self.assertIn("PAYID", log.request_body)
        for secret in ("ogone_password", "ogone_shakey_in", "ogone_shakey_in_directlink"):
            self.assertNotIn(self.provider._servipay_secret(secret), log.request_body)

    def test_credit_note_is_reconciled_with_the_refund(self):
        wizard = self.env["account.move.reversal"].with_context(
            active_model="account.move", active_ids=self.bill.ids
        )
        values = {"reason": "half", "journal_id": self.bill.journal_id.id}
        action = wizard.create(values).reverse_moves()
        note = self.env["account.move"].browse(action["res_id"])
        note.invoice_line_ids.price_unit = 60
        note.action_post()
        self.refund(60)
        self.settle()
        self.assertIn(note.payment_state, ("paid", "in_payment"))


@tagged("post_install", "-at_install", "payment_ogone")
class TestReserved(DirectCase):
    def setUp(self):
        super().setUp()
        self.provider.capture_manually = True
        self.attempt(self.tx)

    def test_reserved(self):
        self.assertEqual((self.operation(self.tx).kind, self.tx.state), ("authorisation", "authorized"))
        self.assertEqual(self.bill.amount_residual, 120)

    def test_captured(self):
        self.capture()
        self.assertEqual(self.movement().state, "pending")
        self.assertEqual(self.tx.state, "authorized")
        self.settle()
        self.assertEqual((self.movement().state, self.tx.state), ("approved", "done"))
        self.assertEqual(self.simulator.captured(self.tx.reference), 12000)
        self.assertEqual(self.bill.amount_residual, 0)

    def test_a_part_is_captured(self):
        self.capture(50)
        self.settle()
        self.assertEqual(self.child().state, "done")
        self.assertEqual(self.simulator.captured(self.tx.reference), 5000)
        self.assertEqual(self.bill.amount_residual, 70)

    def test_parts_in_any_order_until_nothing_is_left(self):
        """The first part, however large, leaves the rest reserved."""
        if SERIES < 18:
            return  # core captures the whole amount only
        for first in (61, 100):
            with self.subTest(first=first):
                self.tx = self.transaction(self.invoice())
                self.attempt(self.tx)
                for amount in (first, 120 - first):
                    self.capture(amount)
                    self.settle()
                    self.assertEqual(self.movement().state, "approved", amount)
                self.assertEqual(self.simulator.captured(self.tx.reference), 12000)

    def test_rest_is_voided_after_a_part_was_captured(self):
        self.capture(50)
        self.settle()
        if SERIES >= 19:
            self.tx._void(amount_to_void=70)
        else:
            self.tx._send_void_request(amount_to_void=70)
        self.env.invalidate_all()
        self.assertEqual(self.movement().state, "pending", self.movement().explanation)
        self.settle()
        self.assertEqual((self.movement().state, self.child().state), ("approved", "cancel"))
        self.assertEqual(self.tx.state, "done")
        books = self.simulator.captured(self.tx.reference), self.simulator.voided(self.tx.reference)
        self.assertEqual(books, (5000, 7000))
        self.assertEqual(self.bill.amount_residual, 70)

    def test_void(self):
        if SERIES >= 19:
            self.tx._void()
        else:
            self.tx._send_void_request()
        self.env.invalidate_all()
        self.assertEqual(self.movement().state, "pending")
        self.settle()
        self.assertEqual((self.movement().state, self.tx.state), ("approved", "cancel"))
        self.assertEqual(self.simulator.voided(self.tx.reference), 12000)
        self.assertNotIn("uncertain", self.chatter(self.bill))

    def test_refused_capture_leaves_it_reserved(self):
        self.capture()
        self.settle("93")
        self.assertEqual((self.movement().state, self.tx.state), ("declined", "authorized"))
