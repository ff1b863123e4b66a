"""A number of the platform pays one thing, once it is confirmed; and the numbers of our questions."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.compat import SERIES

from .common import PayboxCase


@tagged("post_install", "-at_install", "payment_paybox")
class TestNumbers(PayboxCase):
    def forge(self, visit, transaction, call=None, **said):
        """Let whoever can have any text signed report a payment; the response."""
        call = call or visit.call
        values = {"Mt": "12000", "Ref": visit.fields["PBX_CMD"], "Auto": "XXXXXX", "Erreur": "00000", **said}
        values.update(Appel=call, Trans=transaction)
        text = "&".join(f"{name}={value}" for name, value in values.items())
        return self.send(self.simulator._signed(visit, text, text))

    def settle(self, transaction, days=0):
        """Let the job ask about a payment."""
        operation = self.operation(transaction)
        operation.next_inquiry_at = fields.Datetime.now() - timedelta(minutes=1)
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.env.invalidate_all()
        return operation

    # -- whoever can have a text signed

    def test_numbers_that_were_only_claimed_are_free(self):
        """Forty made-up payments of nothing, with the numbers that will be given next."""
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        visit = self.visit(transaction)
        self.simulator.attempt(self.visit(self.transaction(self.invoice())), "ok")
        last = self.simulator.charges[-1].transaction
        for number in range(last + 1, last + 41):
            self.forge(visit, number, call=visit.call - 1, Ref="NOBODY")
        with patch.object(self.simulator, "next_number", lambda: last + 7):
            self.simulator.attempt(visit, "ok")
        self.tell()
        self.assertEqual((transaction.state, invoice.amount_residual), ("done", 0))

    def test_true_payment_wins_over_a_claim_of_both_its_numbers(self):
        """Presented first for a page of the forger's own, with another amount."""
        invoice, other = self.invoice(), self.transaction(self.invoice())
        transaction = self.transaction(invoice)
        visit, foreign = self.visit(transaction), self.visit(other)
        self.simulator.attempt(visit, "ok")
        charge = self.simulator.charges[-1]
        self.forge(foreign, charge.transaction, call=charge.call, Mt="100")
        self.assertEqual(self.operation(other).reason, "mismatch")
        self.tell(0)
        self.assertEqual((transaction.state, invoice.amount_residual), ("done", 0))

    def test_small_payment_does_not_pay_a_large_invoice(self):
        """Who paid 1.00 presents its numbers for 120.00 before the true message is there."""
        small, large = self.transaction(self.invoice(1)), self.transaction(self.invoice())
        visit, foreign = self.visit(small), self.visit(large)
        self.simulator.attempt(visit, "ok")
        charge = self.simulator.charges[-1]
        self.simulator.set(direct="garbage")  # nobody can be asked meanwhile
        self.tell()
        self.assertEqual(self.operation(small).reason, "unasked")
        self.forge(foreign, charge.transaction, call=charge.call)
        self.settle(large)
        self.assertNotEqual(large.state, "done")
        self.settle(small)
        self.assertEqual(small.state, "done")
        self.settle(large)
        self.assertNotEqual(large.state, "done")

    def test_message_that_waits_in_the_inbox_claims_its_number(self):
        """The platform has told of 1.00 and that is not applied yet: the number pays no 120.00 meanwhile."""
        small, large = self.transaction(self.invoice(1)), self.transaction(self.invoice())
        visit, foreign = self.visit(small), self.visit(large)
        self.simulator.attempt(visit, "ok")
        charge = self.simulator.charges[-1]
        with patch.object(self.env.registry["servipay.notification"], "_apply_soon", lambda _self: None):
            self.tell()
        self.forge(foreign, charge.transaction, call=charge.call)
        self.assertEqual((self.operation(large).reason, large.state), ("unconfirmed", "pending"))

    def test_number_of_a_payment_whose_message_is_on_its_way(self):
        """Nothing here tells that 1.00 was paid by these numbers: the platform has to, by our reference."""
        small, large = self.transaction(self.invoice(1)), self.transaction(self.invoice())
        visit, foreign = self.visit(small), self.visit(large)
        self.simulator.attempt(visit, "ok")
        charge = self.simulator.charges[-1]
        self.forge(foreign, charge.transaction, call=charge.call)
        self.assertEqual((self.operation(large).reason, large.state), ("unconfirmed", "pending"))
        self.assertIn("00018", self.operation(large).detail)
        self.tell()
        self.settle(small)
        self.settle(large)
        self.assertEqual((small.state, large.state), ("done", "pending"))

    def test_page_that_was_paid_twice(self):
        """In two windows: the platform names one of two payments; it is booked, and people are told."""
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        first, second = self.visit(transaction), self.visit(transaction)
        self.simulator.attempt(first, "ok")
        self.simulator._charge(second, self.simulator.next_number())
        one, other = self.simulator.charges
        self.tell()
        operation = self.operation(transaction)
        self.assertEqual((operation.state, transaction.state), ("approved", "done"))
        self.assertEqual(int(operation.external_ref), other.transaction)
        self.assertEqual(transaction.provider_reference, operation.external_ref)
        alert = self.alerts("paid_twice")
        self.assertIn(str(one.transaction), alert.detail)
        self.tell()
        self.assertEqual((self.alerts(), invoice.amount_residual), (alert, 0))

    def test_number_of_a_capture_pays_nothing_else(self):
        """It is no payment's number and no less used for that, where reference and amount cannot be asked."""
        self.simulator.set(existence=False)
        self.provider.capture_manually = True
        reserved, other = self.transaction(self.invoice()), self.transaction(self.invoice())
        foreign = self.visit(other)
        self.simulator.attempt(self.visit(reserved), "ok")
        self.tell()
        paid = self.operation(reserved)
        reserved._capture() if SERIES >= 19 else reserved._send_capture_request()
        self.env.flush_all()
        self.env.invalidate_all()
        capture = paid.child_ids
        self.assertEqual((capture.kind, capture.state), ("capture", "approved"))
        self.assertNotEqual(capture.external_ref, paid.external_ref)
        # PPPS writes it with zeros, and the page would without
        number = capture.external_ref.lstrip("0")
        self.assertNotEqual(number, capture.external_ref)
        self.forge(foreign, number, call=self.simulator.charges[-1].call)
        self.assertEqual(self.operation(other).reason, "mismatch")
        self.settle(other)
        self.assertNotEqual(other.state, "done")

    def test_unreachable_for_the_second_question_is_asked_again(self):
        """The inquiry by numbers is answered, the one by reference is not: nothing is decided."""
        transaction = self.transaction(self.invoice())
        self.simulator.attempt(self.visit(transaction), "ok")
        with patch.object(self.simulator, "_exists", lambda _asked: ("00098", {})):
            self.tell()
        self.assertEqual((self.operation(transaction).reason, transaction.state), ("unasked", "pending"))
        self.settle(transaction)
        self.assertEqual(transaction.state, "done")

    def test_where_existence_cannot_be_asked_a_person_decides(self):
        small, large = self.transaction(self.invoice(1)), self.transaction(self.invoice())
        visit, foreign = self.visit(small), self.visit(large)
        self.simulator.attempt(visit, "ok")
        charge = self.simulator.charges[-1]
        self.simulator.set(direct="garbage")
        self.tell()
        self.simulator.set(existence=False)
        self.forge(foreign, charge.transaction, call=charge.call)
        for transaction in (small, large, large, small):
            self.settle(transaction)
        self.assertEqual({small.state, large.state}, {"pending"})
        self.assertEqual(set(self.alerts().mapped("kind")), {"unconfirmed"})

    def test_what_an_inquiry_says_of_the_amount_counts(self):
        """Some contracts may answer with amount and reference: what is there is compared."""
        self.simulator.set(inquiry_tells=True)
        outside = self.transaction(amount=1)
        self.simulator.attempt(self.visit(outside), "ok")  # never told: as if another shop had taken it
        charge = self.simulator.charges[-1]
        large = self.transaction(self.invoice())
        self.forge(self.visit(large), charge.transaction, call=charge.call)
        self.assertEqual((self.operation(large).reason, large.state), ("unconfirmed", "pending"))

    def test_payment_made_elsewhere_before_the_page_was_opened_pays_nothing(self):
        """Numbers only grow: what another shop of the contract took before is no payment of this page."""
        outside = self.transaction(amount=1)
        self.simulator.attempt(self.visit(outside), "ok")  # never told
        charge = self.simulator.charges[-1]
        self.assertEqual(self.paid(self.invoice()).state, "done")  # a later number is known
        bill = self.invoice()
        large = self.transaction(bill)
        page = self.visit(large)
        # it was opened after the payment, which this test has made in the same instant
        self.env.cr.execute(
            "UPDATE servipay_operation SET create_date = create_date + interval '1 hour' WHERE id = %s",
            [self.operation(large).id],
        )
        self.env.invalidate_all()
        self.forge(page, charge.transaction, call=charge.call)
        self.assertEqual((self.operation(large).reason, large.state), ("unconfirmed", "pending"))
        self.assertIn("before this page was opened", self.operation(large).detail)
        self.assertEqual(bill.amount_residual, 120)

    def test_payment_said_to_be_pending_needs_its_amount(self):
        """A message about a payment that waits states no authorisation, and an inquiry no amount."""
        outside = self.transaction(amount=1)
        self.simulator.attempt(self.visit(outside), "ok")  # never told
        charge = self.simulator.charges[-1]
        bill = self.invoice()
        large = self.transaction(bill)
        self.forge(self.visit(large), charge.transaction, call=charge.call, Erreur="99999")
        self.settle(large)
        self.assertEqual((large.state, bill.amount_residual), ("pending", 120))

    def test_payment_said_to_be_pending_that_the_platform_does_not_know(self):
        """Case E-b: a made-up one blocked the invoice for thirty days, told after three."""
        bill = self.invoice()
        transaction = self.transaction(bill)
        visit = self.visit(transaction)
        self.forge(visit, 999999, Erreur="99999")
        operation = self.settle(transaction)
        self.assertEqual(
            (operation.state, operation.reason, operation.denied_count), ("pending", "pb_waiting", 1)
        )
        operation.denied_at -= timedelta(minutes=11)
        operation = self.settle(transaction)
        self.assertEqual((operation.state, operation.reason), ("unknown", "unconfirmed"))
        self.assertTrue(operation.activity_ids)
        operation._resolve("failed", "the platform knows nothing of it")
        self.env.invalidate_all()
        self.assertEqual(transaction.state, "error")

    def test_two_companies_on_one_contract(self):
        """Numbers are the contract's, not the company's."""
        other = self.env["res.company"].create({"name": "Other company"})
        provider = self._make_provider(other)
        mine = self.transaction(amount=1, provider_id=provider.id)
        self.assertEqual(mine.company_id, other)
        self.simulator.attempt(self.visit(mine), "ok")
        with patch.object(type(mine), "_servipay_book_soon"):  # it has no accounts
            self.tell()
        self.assertEqual(mine.state, "done")
        charge = self.simulator.charges[-1]
        invoice = self.invoice()
        large = self.transaction(invoice)
        self.forge(self.visit(large), charge.transaction, call=charge.call)
        self.assertEqual((self.operation(large).reason, large.state), ("mismatch", "pending"))
        self.assertEqual(invoice.amount_residual, 120)

    # -- references

    def test_reference_that_looks_like_anothers_is_not_believed(self):
        """The second customer's browser chooses the reference that the first one's payment will have."""
        victim = self.transaction(self.invoice(), reference="FAC 2026 8562")
        visit = self.visit(victim)
        reference = visit.fields["PBX_CMD"]
        self.assertTrue(reference.startswith(f"TX-{victim.id}-"))
        bill = self.invoice()
        other = self.transaction(bill, reference=reference)
        self.assertNotEqual(self.visit(other).fields["PBX_CMD"], reference)
        self.simulator.attempt(visit, "ok")
        self.tell()
        self.assertEqual((victim.state, other.state, bill.amount_residual), ("done", "draft", 120))

    # -- numbers of questions

    def test_used_number_of_a_question_is_no_doubt(self):
        """Another database of the contract has asked under that number: asked once more, with a new one."""
        transaction = self.paid(self.invoice())
        self.simulator.remit()
        self.simulator.set(direct="used")
        transaction.action_refund(amount_to_refund=60)
        self.env.invalidate_all()
        child = transaction.child_transaction_ids
        self.assertEqual((child.state, self.simulator.refunded(transaction.reference)), ("done", 6000))
        numbers = [question["NUMQUESTION"] for question in self.simulator.requests]
        self.assertEqual(len(set(numbers)), 2)
