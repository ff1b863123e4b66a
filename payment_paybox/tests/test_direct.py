"""PPPS: refund, capture, cancel; and what happens when nobody knows what happened."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PayboxCase

FLOW = "odoo.addons.paypercloud_servipay.models.servipay_payment_flow"
CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"


@tagged("post_install", "-at_install", "payment_paybox")
class TestDirect(PayboxCase):
    def setUp(self):
        super().setUp()
        self.bill = self.invoice()
        self.tx = self.paid(self.bill)
        self.assertEqual(self.tx.state, "done")
        self.simulator.remit()

    def refund(self, amount=None):
        """Refund as the accountant's wizard does; returns the child transaction."""
        before = self.tx.child_transaction_ids
        self.tx.action_refund(amount_to_refund=amount)
        self.env.invalidate_all()
        return self.tx.child_transaction_ids - before

    def kinds(self):
        """Return the TYPE of each question that PPPS was asked."""
        return [question["TYPE"] for question in self.simulator.requests]

    def inquire(self, child, later=timedelta(0)):
        """Let the job ask about a movement in doubt."""
        operation = self.operation(child, movement=True)
        values = {"next_inquiry_at": fields.Datetime.now() - timedelta(minutes=1)}
        if later:
            values["sent_at"] = operation.sent_at - later
        operation.write(values)
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.env.invalidate_all()
        return operation

    def test_half_of_it(self):
        child = self.refund(60)
        operation = self.operation(child, movement=True)
        self.assertEqual((child.state, child.amount, operation.state), ("done", -60, "approved"))
        self.assertEqual(self.simulator.refunded(self.tx.reference), 6000)
        self.assertEqual(operation.original_id, self.operation(self.tx))
        self.assertEqual(self.kinds(), ["00014"])
        self.assertNotEqual(operation.external_ref, self.operation(self.tx).external_ref)
        payment = self.env["account.payment"].search([("payment_transaction_id", "=", child.id)])
        self.assertEqual((payment.payment_type, payment.amount), ("outbound", 60))
        self.assertIn("Refund accepted", self.chatter(self.bill))
        self.assertEqual(self.operation(self.tx).refundable_amount, 60)
        self.assertEqual((self.operation(self.tx).moved_amount, operation.moved_amount), (120, -60))

    def test_two_halves_and_no_third(self):
        self.refund(60)
        self.refund(60)
        child = self.refund(60)
        self.assertEqual(child.state, "error")
        self.assertEqual(self.simulator.refunded(self.tx.reference), 12000)
        self.assertEqual(self.kinds(), ["00014", "00014"])

    def test_all_of_it_is_refunded_once_remitted(self):
        child = self.refund()
        self.assertEqual((child.state, self.kinds()), ("done", ["00017", "00014"]))
        self.assertEqual(self.simulator.refunded(self.tx.reference), 12000)

    def test_all_of_it_is_cancelled_before(self):
        self.simulator.charges[0].remitted = False
        child = self.refund()
        self.assertEqual((child.state, self.kinds()), ("done", ["00017", "00005"]))
        self.assertEqual(self.simulator.charges[0].state, "cancelled")

    def test_moved_outside_odoo(self):
        self.simulator.charges[0].refunds.append({"amount": 12000, "transaction": 1})
        child = self.refund()
        self.assertEqual((child.state, self.kinds()), ("error", ["00017"]))
        self.assertIn("outside Odoo", child.state_message)

    def test_lost_answer_is_settled_by_inquiry_and_never_repeated(self):
        self.simulator.charges[0].remitted = False
        self.simulator.set(direct=None)
        self.lose_answer_of("00005")
        child = self.refund()
        self.assertEqual(child.state, "pending")
        self.assertEqual(self.operation(child, movement=True).state, "unknown")
        operation = self.inquire(child)
        self.assertEqual((operation.state, child.state), ("approved", "done"))
        self.assertEqual(self.kinds().count("00005"), 1)
        self.assertNotIn("00014", self.kinds())

    def lose_answer_of(self, kind):
        """Let the simulator carry out the next request of a kind without answering."""
        original = self.simulator.direct

        def direct(body):
            answer = original(body)
            return None if f"TYPE={kind}".encode() in body else answer

        self.simulator.direct = direct
        self.addCleanup(lambda: self.simulator.__dict__.pop("direct", None))

    def test_lost_request_is_never_called_failed_by_itself(self):
        """What an inquiry shows after a refund is not established: a person says that it was not made."""
        self.lose_request_of("00014")
        child = self.refund()
        self.assertEqual(child.state, "pending")
        for later in (timedelta(0), timedelta(hours=2)):
            operation = self.inquire(child, later=later)
            self.assertEqual((operation.state, child.state), ("unknown", "pending"))
        operation._resolve("failed", "not in the back office")
        self.assertEqual((operation.state, child.state), ("failed", "error"))
        self.assertEqual(self.kinds().count("00014"), 0)
        self.simulator.__dict__.pop("direct")
        self.assertEqual(self.refund().state, "done")

    def lose_request_of(self, kind):
        """Let the next request of a kind get lost."""
        original = self.simulator.direct
        self.simulator.direct = lambda body: None if f"TYPE={kind}".encode() in body else original(body)
        self.addCleanup(lambda: self.simulator.__dict__.pop("direct", None))

    def test_lost_answer_of_a_part_waits_for_a_person(self):
        self.lose_answer_of("00014")
        child = self.refund(60)
        operation = self.inquire(child, later=timedelta(hours=2))
        self.assertEqual((operation.state, child.state), ("unknown", "pending"))
        self.assertTrue(operation.activity_ids)
        # what may have been given back counts as given back
        self.simulator.__dict__.pop("direct")
        self.assertEqual(self.refund(120).state, "error")
        operation._resolve("approved", "seen in the back office")
        self.assertEqual(child.state, "done")
        self.assertEqual(self.simulator.refunded(self.tx.reference), 6000)

    def test_process_that_died_before_sending(self):
        with patch(f"{FLOW}.send_movement"):
            child = self.refund(60)
            other = self.refund(10)
        other._servipay_open_movement("refund")
        self.env["servipay.operation"].sudo()._paybox_cron_pending()
        self.assertEqual((child.state, other.state), ("draft", "draft"))
        self.env.cr.execute(
            "UPDATE payment_transaction SET create_date = create_date - interval '1 hour' WHERE id IN %s",
            [(child.id, other.id)],
        )
        self.env.invalidate_all()
        self.env["servipay.operation"].sudo()._paybox_cron_pending()
        self.assertEqual((child.state, other.state), ("error", "error"))
        self.assertEqual(self.operation(other, movement=True).state, "cancelled")
        self.assertFalse(self.simulator.requests)
        self.assertEqual(self.refund(120).state, "done")

    def test_uncertain_answers(self):
        for fault in ("garbage", "98_after", "other_amount"):
            self.simulator.set(direct=fault)
            child = self.refund(10)
            self.assertEqual(
                (child.state, self.operation(child, movement=True).state), ("pending", "unknown"), fault
            )

    def test_refused(self):
        self.simulator.charges.clear()
        child = self.refund(10)
        self.assertEqual((child.state, self.operation(child, movement=True).state), ("error", "declined"))
        self.assertEqual(self.operation(child, movement=True).reason, "ppps_not_found")

    def test_first_host_is_gone(self):
        self.provider.paybox_direct_host = "http://127.0.0.1:1"
        with mute_logger(CLIENT):
            child = self.refund(10)
        self.assertEqual((child.state, self.operation(child, movement=True).state), ("error", "failed"))
        self.assertEqual(self.operation(child, movement=True).reason, "not_sent")

    def test_password_instead_of_hmac(self):
        self.provider.paybox_direct_auth = "password"
        self.assertEqual(self.refund(10).state, "done")

    def test_requests_are_logged_without_secrets(self):
        child = self.refund(10)
        logs = self.env["servipay.api.log"].search(
            [("operation_id", "=", self.operation(child, movement=True).id)]
        )
        self.assertEqual(logs.mapped("endpoint"), ["PPPS refund"])
        self.assertIn("NUMAPPEL", logs.request_body)
        self.assertNotIn("HMAC=" + "0", logs.request_body)
        self.assertRegex(logs.request_body, r"HMAC=\*\*\*")

    def test_credit_note_is_reconciled_with_the_refund(self):
        wizard = self.env["account.move.reversal"].with_context(
            active_model="account.move", active_ids=self.bill.ids
        )
        values = {"reason": "half", "journal_id": self.bill.journal_id.id}
        action = wizard.create(values).reverse_moves()
        note = self.env["account.move"].browse(action["res_id"])
        note.invoice_line_ids.price_unit = 60
        note.action_post()
        child = self.refund(60)
        self.assertEqual(
            (child.state, note.amount_residual, note.payment_state in ("paid", "in_payment")),
            ("done", 0, True),
        )

    def test_payment_by_paypal_is_given_back(self):
        """What is no card is refused without its acquirer, which the signed message names."""
        self.simulator.set(means="PAYPAL")
        self.tx = self.paid(self.invoice())
        self.simulator.remit()
        operation = self.operation(self.refund(50), movement=True)
        self.assertEqual((operation.state, operation.amount), ("approved", 50))

    def test_inquiry_on_demand_about_a_payment(self):
        operation = self.operation(self.tx)
        operation.with_user(self.accountant).action_refresh()
        self.assertEqual((operation.state, operation.contradicted), ("approved", False))
        self.assertEqual(self.kinds(), ["00017", "00011"])

    def test_pending_payment_is_settled_by_inquiry(self):
        transaction = self.paid(self.invoice(), "pending")
        visit = [
            one for one in self.simulator.visits.values() if one.fields["PBX_CMD"] == transaction.reference
        ][-1]
        self.simulator._charge(visit, visit.last["transaction"])  # paid, and the notification is lost
        operation = self.operation(transaction)
        operation.next_inquiry_at = fields.Datetime.now() - timedelta(minutes=1)
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.env.invalidate_all()
        self.assertEqual((operation.state, transaction.state), ("approved", "done"))


@tagged("post_install", "-at_install", "payment_paybox")
class TestCapture(PayboxCase):
    def setUp(self):
        super().setUp()
        self.provider.capture_manually = True
        self.bill = self.invoice()
        self.tx = self.paid(self.bill)
        self.assertEqual(self.tx.state, "authorized")

    def test_capture(self):
        self.tx.action_capture()
        self.env.invalidate_all()
        self.assertEqual(self.simulator.charges[0].state, "captured")
        self.assertEqual(self.tx.state, "done")
        self.assertEqual(self.bill.amount_residual, 0)
        self.assertEqual(len(self.env["account.payment"].search([("partner_id", "=", self.customer.id)])), 1)

    def test_captured_then_refunded(self):
        self.tx.action_capture()
        self.env.invalidate_all()
        self.simulator.remit()
        payment = self.env["account.payment"].search([("partner_id", "=", self.customer.id)])
        payment.payment_transaction_id.sudo().action_refund(amount_to_refund=60)
        self.env.invalidate_all()
        self.assertEqual(self.simulator.refunded(self.tx.reference), 6000)

    def test_void(self):
        self.tx.action_void()
        self.env.invalidate_all()
        self.assertEqual(self.simulator.charges[0].state, "cancelled")
        self.assertEqual(self.tx.state, "cancel")
        self.assertEqual(self.operation(self.tx).state, "reversed")
        self.assertEqual(self.bill.amount_residual, 120)

    def test_capture_refused_leaves_the_authorisation(self):
        self.simulator.charges[0].state = "cancelled"
        self.tx.action_capture()
        self.env.invalidate_all()
        self.assertEqual(self.tx.state, "authorized")
        self.simulator.charges[0].state = "authorised"
        self.tx.action_capture()
        self.env.invalidate_all()
        self.assertEqual(self.tx.state, "done")

    def test_an_hour_by_the_clock_alone_proves_nothing(self):
        """A clock that jumps ahead makes a request look old that is still on its way (fault matrix)."""
        original = self.simulator.direct
        self.simulator.direct = lambda body: None if b"TYPE=00005" in body else original(body)
        self.addCleanup(lambda: self.simulator.__dict__.pop("direct", None))
        self.tx.action_void()
        void = self.operation(self.tx).child_ids
        void.sent_at -= timedelta(hours=26)
        self.env.flush_all()
        for state in ("unknown", "unknown", "unknown", "failed"):
            void._inquire()
            if void.denied_at:
                void.denied_at -= timedelta(minutes=11)
                self.env.flush_all()
            self.env.invalidate_all()
            self.assertEqual(void.state, state, void.explanation)
        self.assertEqual(self.simulator.charges[0].state, "authorised")
