"""What a person decides: with an amount, not the end of the questions, and for whatever moves money."""

from datetime import timedelta
from decimal import Decimal

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from ..api.finding import Finding
from ..api.outcome import Mismatch
from .common import ApiCase

LOG = "odoo.addons.paypercloud_servipay"


class DecisionCase(ApiCase):
    def ended(self, *finding, amount=900.05, **values):
        """Return an operation that was sent and ended with this Finding."""
        operation = self.operations._open(self.values(amount=amount, **values))
        operation._claim()
        operation._apply(Finding(*finding[:2], values=finding[2] if len(finding) > 2 else {}), "send")
        self.env.flush_all()
        return operation

    def other_amount(self, got="450.02", asked="900.05"):
        """Return an operation whose answer states another amount than was asked."""
        operation = self.operations._open(self.values(amount=float(asked)))
        operation._claim()
        operation._apply(Finding("approved", mismatches=(Mismatch("amount", asked, got),)), "send")
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        return operation

    def resolve(self, operation, *decision):
        """Decide, in a transaction that sees what the test did."""
        self.env.flush_all()
        operation._resolve(*decision)

    def contradicts(self, operation, *finding, **more):
        """Apply an answer that contradicts what is settled."""
        with self.assertLogs(LOG, "WARNING"):
            operation._apply(Finding(*finding, **more))
        self.assertTrue(operation.contradicted)


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestAmount(DecisionCase):
    def test_decided_amount_is_what_was_moved(self):
        operation = self.other_amount()
        self.assertEqual(operation.answered_amount, 450.02)
        self.resolve(operation, "approved", "slip 17", 450.02)
        self.assertEqual((operation.state, operation.moved_amount), ("approved", 450.02))
        self.assertEqual(operation.refundable_amount, 450.02)
        self.assertIn("450.02", operation.explanation)
        self.assertIn("450.02", str(operation.message_ids.mapped("body")))

    def test_dialog_is_filled_with_what_was_answered(self):
        operation = self.other_amount()
        dialog = self.env["servipay.operation.resolve"].with_user(self.manager)
        dialog = dialog.create({"operation_id": operation.id, "outcome": "approved", "reason": "slip"})
        self.assertEqual((round(dialog.amount, 2), round(dialog.asked, 2)), (450.02, 900.05))
        self.env.flush_all()
        dialog.action_confirm()
        self.assertEqual(operation.moved_amount, 450.02)

    def test_all_of_it_is_not_assumed_against_an_answer(self):
        operation = self.other_amount()
        with self.assertRaises(UserError):
            self.resolve(operation, "approved", "slip 17")
        self.assertEqual(operation.state, "unknown")
        self.resolve(operation, "failed", "red button")
        self.assertFalse(operation.moved_amount)

    def test_amount_is_bounded_by_asked_and_answered(self):
        for got, amount, fine in (
            ("450.02", 900.05, True),
            ("450.02", 900.06, False),
            ("999.00", 999.0, True),
            ("999.00", 999.01, False),
            ("450.02", 0, False),
            ("450.02", -1, False),
            ("450.02", 0.001, False),
            ("450.02", float("nan"), False),
            ("450.02", float("inf"), False),
        ):
            operation = self.other_amount(got)
            with self.subTest(got=got, amount=amount):
                if fine:
                    self.resolve(operation, "approved", "slip", amount)
                    self.assertEqual(operation.moved_amount, amount)
                    continue
                with self.assertRaises(UserError):
                    self.resolve(operation, "approved", "slip", amount)
                self.assertEqual(operation.state, "unknown")

    def test_amount_of_another_transaction_is_no_answer(self):
        operation = self.operations._open(self.values())
        operation._claim()
        differs = (Mismatch("amount", "12.34", "5.00"), Mismatch("reference", "A", "B"))
        operation._apply(Finding("approved", mismatches=differs), "send")
        self.assertFalse(operation.answered_amount)
        self.resolve(operation, "approved", "slip 17")
        self.assertEqual(operation.moved_amount, 12.34)

    def test_part_of_a_refund_leaves_the_rest_refundable(self):
        paid = self.paid(amount=100)
        refund = self.ended("unknown", "no_answer", kind="refund", original_id=paid.id, amount=60)
        self.resolve(refund, "approved", "slip", 30)
        self.assertEqual((refund.moved_amount, paid.refundable_amount), (-30, 70))


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestAsking(DecisionCase):
    def lost(self, amount=900.10):
        """Return the operation of a payment that was charged, but whose answer was lost."""
        self.simulator.fault("purchase", "close_after", times=1)
        operation = self.purchase(amount=amount)
        self.assertEqual((operation.state, operation.inquiry_count), ("unknown", 0))
        return operation

    def test_not_paid_of_a_charged_payment_is_contradicted_by_the_next_inquiry(self):
        """Case A10: decided before the first inquiry, and never asked about again."""
        operation = self.lost(900.00)
        self.resolve(operation, "failed", "the customer says so")
        self.assertEqual((operation.state, operation.decided), ("failed", True))
        self.assertTrue(operation.next_inquiry_at)
        self.assertIn("keeps asking", operation.explanation)
        operation.next_inquiry_at = fields.Datetime.now()
        self.env.flush_all()
        with self.assertLogs(LOG, "WARNING"):
            self.operations._cron_settle()
        self.assertEqual(
            (operation.state, operation.contradicted, operation.contradiction), ("failed", True, "approved")
        )
        self.assertTrue(operation.activity_ids)
        self.assertFalse(operation.next_inquiry_at, "a person has to look now")
        self.resolve(operation, "approved", "it stands in the portal")
        self.assertEqual(operation.moved_amount, 900)
        self.assertFalse(operation.decided, "what the provider says needs no confirmation")
        self.assertEqual(self.simulator.count_charges(), 1)

    def test_refresh_asks_about_a_decision(self):
        operation = self.lost(900.00)
        self.resolve(operation, "approved", "slip")
        operation.with_user(self.reader).action_refresh()
        self.assertFalse(operation.decided)
        self.assertTrue(operation.authorization_code, "the facts are filled in")
        self.assertIn("confirms", str(operation.message_ids.mapped("body")))
        self.assertFalse(operation.next_inquiry_at)

    def test_paid_of_a_declined_payment_is_contradicted(self):
        operation = self.ended("unknown", "no_answer")
        self.resolve(operation, "approved", "slip")
        self.contradicts(operation, "declined")
        self.assertEqual(operation.state, "approved")
        self.resolve(operation, "failed", "it was another slip")
        self.assertEqual((operation.state, operation.moved_amount), ("failed", 0))

    def test_any_refusal_confirms_that_it_was_not_paid(self):
        for state in ("declined", "cancelled", "failed"):
            operation = self.ended("unknown", "no_answer")
            self.resolve(operation, "failed", "red button")
            operation._apply(Finding(state, values={"decline_code": "51"}))
            self.assertEqual((operation.state, operation.contradicted), ("failed", False))
            self.assertFalse(operation.decided)
            self.assertEqual(operation.decline_code, "51")

    def test_no_news_goes_on_with_growing_pauses_for_seven_days(self):
        operation = self.ended("unknown", "no_answer")
        self.resolve(operation, "failed", "red button")
        waits = []
        for finding in (Finding(None), Finding("unknown", "no_answer"), Finding("pending")) * 3:
            operation.next_inquiry_at = fields.Datetime.now()
            self.assertTrue(operation._claim_inquiry())
            operation._apply(finding)
            self.assertEqual((operation.state, operation.reason), ("failed", "person"))
            self.assertTrue(operation.decided)
            seconds = (operation.next_inquiry_at - fields.Datetime.now()).total_seconds()
            waits.append(round(seconds, -1))  # stored in whole seconds
        self.assertEqual(waits, sorted(waits))
        operation.sent_at = fields.Datetime.now() - timedelta(days=8)
        operation._claim_inquiry()
        self.assertFalse(operation.next_inquiry_at)
        self.assertIn("not confirmed", operation.explanation)

    def test_amount_that_was_decided_is_confirmed_or_contradicted(self):
        for amount, fine in ((450.02, True), (900.05, False)):
            operation = self.other_amount()
            self.resolve(operation, "approved", "slip", amount)
            differs = (Mismatch("amount", "900.05", "450.02"),)
            finding = Finding("approved", values={"authorization_code": "A1"}, mismatches=differs)
            if fine:
                operation._apply(finding)
                self.assertEqual((operation.decided, operation.authorization_code), (False, "A1"))
            else:
                self.contradicts(operation, "approved", mismatches=differs)
                self.resolve(operation, "approved", "looked again", 450.02)
            self.assertEqual(operation.moved_amount, 450.02)
            self.assertFalse(operation.contradicted)

    def test_answer_never_changes_the_amount_that_a_person_stated(self):
        operation = self.ended("unknown", "no_answer")
        self.resolve(operation, "approved", "slip", 450.02)
        self.contradicts(operation, "approved", values={"approved_amount": Decimal("900.05")})
        self.assertEqual((operation.moved_amount, round(operation.answered_amount, 2)), (450.02, 900.05))
        self.assertIn("450.02 / 900.05", operation.explanation)

    def test_who_overrules_the_provider_is_not_told_again(self):
        operation = self.ended("declined")
        self.contradicts(operation, "approved")
        self.resolve(operation, "failed", "the portal shows nothing")
        self.assertEqual((operation.state, operation.contradicted), ("declined", False))
        messages = operation.message_ids
        operation._apply(Finding("approved"))
        self.assertFalse(operation.contradicted)
        self.assertEqual(operation.message_ids, messages)

    def test_decision_holds_no_terminal(self):
        operation = self.ended("unknown", "no_answer", terminal_id=self.terminal.id)
        self.resolve(operation, "failed", "red button")
        self.assertFalse(self.terminal.holder_id)
        self.assertEqual(self.ended("approved", "", terminal_id=self.terminal.id).state, "approved")


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestGivenBack(DecisionCase):
    def test_refund_that_was_rejected_later_can_be_made_again(self):
        """Case D3: an approved refund that the bank rejects counts no more once a person says so."""
        paid = self.paid(amount=100)
        refund = self.ended("approved", "", kind="refund", original_id=paid.id, amount=60)
        self.assertEqual(paid.refundable_amount, 40)
        with self.assertLogs(LOG, "WARNING"), self.assertRaises(UserError):
            self.resolve(refund, "failed", "nobody has contradicted it")
        self.contradicts(refund, "declined")
        self.assertTrue(refund.activity_ids)
        self.resolve(refund, "failed", "the bank rejected it")
        self.assertEqual((refund.state, refund.moved_amount), ("failed", 0))
        self.assertEqual(paid.refundable_amount, 100)
        self.assertFalse(refund.activity_ids)
        self.assertIn("not given back", str(refund.message_ids.mapped("body")))

    def test_void_that_was_undone_lets_the_payment_stand(self):
        paid = self.paid(amount=100)
        void = self.ended("approved", "", kind="void", original_id=paid.id, amount=100)
        self.assertEqual(paid.state, "reversed")
        self.contradicts(void, "declined")
        self.resolve(void, "failed", "the terminal's journal shows the payment")
        self.assertEqual((paid.state, paid.contradicted, paid.refundable_amount), ("approved", False, 100))
        self.assertIn(void.name, paid.explanation)

    def test_reversal_that_is_contradicted_can_be_decided_both_ways(self):
        for outcome, state in (("approved", "approved"), ("failed", "reversed")):
            paid = self.paid(amount=100)
            paid._apply(Finding("reversed"))
            self.contradicts(paid, "approved")
            self.resolve(paid, outcome, "looked")
            self.assertEqual((paid.state, paid.contradicted), (state, False))

    def test_capture_that_was_rejected_leaves_the_rest_to_capture(self):
        reserved = self.ended("approved", "", kind="authorisation", amount=100)
        capture = self.ended("approved", "", kind="capture", original_id=reserved.id, amount=100)
        self.contradicts(capture, "declined")
        self.resolve(capture, "failed", "rejected")
        self.assertEqual(reserved.refundable_amount, 100)
