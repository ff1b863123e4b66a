from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .common import VivaCase
from .simulator import TERMINALS


@tagged("post_install", "-at_install")
class TestAbort(VivaCase):
    """Cancel is a wish: what counts is how the session ends."""

    def waiting(self):
        """Return a payment that waits for a card."""
        self.viva.script("wait")
        operation = self.pay()
        self.assertEqual(operation.state, "pending", operation.explanation)
        return operation

    def cancel(self, operation):
        """Press Cancel at the till and return the snapshot."""
        self.till()._servipay_cancel(operation.idempotency_key)
        return self.till()._servipay_state([operation.idempotency_key])[0]

    def test_accepted(self):
        """Aborted by the register that began it, and only then called cancelled."""
        operation = self.waiting()
        snapshot = self.cancel(operation)
        self.assertEqual((snapshot["state"], operation.reason), ("cancelled", "vv_aborted"))
        [entry] = [entry for entry in self.viva.requests if entry["endpoint"] == "abort"]
        self.assertEqual(entry["query"], {"cashRegisterId": operation.viva_register})
        self.assertFalse(self.viva.charges)

    def test_another_cashier(self):
        """Whoever presses Cancel, it is the register of the payment."""
        operation = self.waiting()
        self.till(self.pos_manager)._servipay_cancel(operation.idempotency_key)
        operation.invalidate_recordset()
        self.assertEqual(operation.state, "cancelled")

    def test_slow(self):
        """The wish was taken: cancelling, until the session says how it ended."""
        self.viva.set(abort_seconds=3)
        operation = self.waiting()
        self.assertEqual(self.cancel(operation)["state"], "cancelling")
        self.viva.advance(seconds=4)
        operation._inquire()
        self.assertEqual(operation.state, "cancelled")

    def test_too_late(self):
        """The card was faster: approved, and charged once."""
        self.viva.set(abort="lose")
        operation = self.waiting()
        self.cancel(operation)
        if operation.state == "cancelling":
            operation._inquire()
        self.assertEqual((operation.state, self.viva.count_charges()), ("approved", 1))

    def test_ended_before(self):
        """The session has ended already, whatever the abort is answered: its end counts."""
        for status in (409, 404, 200):
            with self.subTest(status=status):
                self.viva.set(finished_abort=status)
                operation = self.waiting()
                self.viva.present(TERMINALS[0])
                self.assertEqual(self.cancel(operation)["state"], "approved")
        self.assertEqual(self.viva.count_charges(), 3)

    def test_refused(self):
        """Another register may not abort: the payment goes on, and the till says so; a card still pays."""
        operation = self.waiting()
        operation.write({"viva_register": "somebody-else"})
        snapshot = self.cancel(operation)
        self.assertEqual((snapshot["state"], operation.reason), ("pending", "cancel_refused"))
        operation._inquire()
        self.assertEqual(operation.state, "pending")

    def test_wish_without_answer(self):
        """The wish is lost or its answer is: the payment goes on, and may be cancelled again."""
        for fault in ("close_after", "close_before", "http_500", "http_503"):
            with self.subTest(fault=fault), self.quiet():
                operation = self.waiting()
                self.viva.fault("abort", fault, times=1)
                state = self.cancel(operation)["state"]
                self.assertIn(state, ("pending", "cancelling", "cancelled"))
                if state == "pending":
                    self.cancel(operation)
                if operation.state == "cancelling":
                    operation._inquire()
                self.assertEqual(operation.state, "cancelled", operation.explanation)

    def test_without_effect(self):
        """A QR code on the screen hears no abort: its customer pays, and it is paid."""
        self.viva.script("wait", qr=True)
        operation = self.pay()
        self.assertEqual(self.cancel(operation)["state"], "cancelling")
        self.viva.present(TERMINALS[0])
        operation._inquire()
        self.assertEqual((operation.state, self.viva.count_charges()), ("approved", 1))

    def test_asleep(self):
        """A terminal that sleeps says nothing for ever: unknown at our own deadline, and told to people."""
        self.viva.terminal(TERMINALS[0], "asleep")
        operation = self.pay()
        self.assertEqual(operation.state, "pending")
        left = (operation.deadline_at - fields.Datetime.now()).total_seconds()
        self.assertTrue(80 < left <= 90, left)
        operation._inquire()
        self.assertEqual((operation.state, self.viva.count_requests("abort")), ("pending", 0))
        self.overdue(operation)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "overdue"))
        self.assertEqual(self.viva.count_requests("abort"), 1)
        self.assertTrue(self.told(operation)[0])
        # hours later it is known at Viva.com
        session = self.viva.sessions[operation.viva_session]
        session.state = "shown"
        self.viva.floor.finish(session, 1016)
        operation._inquire()
        self.assertEqual(operation.state, "cancelled")
        self.assertFalse(self.told(operation)[0])

    def test_woken_in_time_and_paid(self):
        """Aborted at the deadline in vain: the customer has paid, and that is found."""
        self.viva.set(abort="ignore")
        operation = self.waiting()
        self.overdue(operation)
        operation._inquire()
        self.assertEqual(operation.state, "unknown")
        self.viva.present(TERMINALS[0])
        operation._inquire()
        self.assertEqual((operation.state, self.viva.count_charges()), ("approved", 1))

    def test_aborted_at_the_deadline(self):
        """A terminal that still waits is told to stop: nobody pays later for an order that is gone."""
        operation = self.waiting()
        self.overdue(operation)
        operation._inquire()
        self.assertEqual(operation.state, "cancelled", operation.explanation)
        self.assertFalse(self.viva.present(TERMINALS[0]))

    def test_doubt_has_the_same_deadline(self):
        """Also what never got an answer is aborted when its time is over."""
        self.viva.script("wait")
        self.viva.fault("sale", "close_after", times=1)
        self.viva.fault("sale", "waf_403")
        with self.quiet():
            operation = self.pay(ask=False)
        self.assertEqual(operation.state, "unknown")
        self.assertLess(operation.deadline_at, fields.Datetime.now() + timedelta(seconds=91))
        self.overdue(operation)
        operation._inquire()
        self.assertEqual(operation.state, "cancelled", operation.explanation)

    def test_wished_before_the_request_left(self):
        """Cancelled while it was on its way: it follows the answer."""
        self.viva.script("wait")

        def cancel():
            operation = self.env["servipay.operation"].search([("state", "=", "sent")])
            self.till()._servipay_cancel(operation.idempotency_key)

        self.while_sending(cancel)
        operation = self.pay(ask=False)
        self.assertEqual(operation.state, "cancelled", operation.explanation)

    def test_rhythm(self):
        """A cashier does not wait for the next look, and Viva.com is not asked in a loop."""
        operation = self.waiting()
        wait = operation._pulse()[1]
        self.assertLessEqual(wait, 2)
        operation.write({"inquiry_count": 30})
        self.env.flush_all()
        before = fields.Datetime.now()
        operation._inquire()
        self.assertGreaterEqual(operation.next_inquiry_at - before, timedelta(seconds=4))
        self.assertLessEqual(operation._pulse()[1], 4)
