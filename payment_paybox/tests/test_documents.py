"""What a payment is for: captures and refunds follow the invoices of the payment that they come from."""

from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.compat import SERIES

from .common import PayboxCase


@tagged("post_install", "-at_install", "payment_paybox")
class TestDocuments(PayboxCase):
    def authorised(self, invoice, **values):
        """Return a payment of an invoice that is only reserved."""
        self.provider.capture_manually = True
        transaction = self.paid(invoice, **values)
        self.assertEqual(transaction.state, "authorized")
        return transaction

    def capture(self, transaction):
        """Capture all of it, as the accountant's button does; the transaction that took the money."""
        transaction._capture() if SERIES >= 19 else transaction._send_capture_request()
        self.env.flush_all()
        self.env.invalidate_all()
        return transaction.child_transaction_ids or transaction

    def payment(self, transaction):
        """Return the payment of a transaction."""
        return self.env["account.payment"].search([("payment_transaction_id", "=", transaction.id)])

    def paid_by_transfer(self, invoice):
        """Pay an invoice another way."""
        context = {"active_model": "account.move", "active_ids": invoice.ids}
        self.env["account.payment.register"].with_context(**context).create({})._create_payments()
        self.assertEqual(invoice.amount_residual, 0)

    def credit(self, invoice, amount):
        """Return a posted credit note of an invoice."""
        note = invoice._reverse_moves([{"invoice_date": "2026-01-20"}])
        note.invoice_line_ids.price_unit = amount
        note.action_post()
        return note

    # -- manual capture

    def test_captured_invoice_that_was_paid_meanwhile(self):
        invoice = self.invoice()
        transaction = self.authorised(invoice)
        self.paid_by_transfer(invoice)
        self.capture(transaction)
        alert = self.alerts()
        self.assertEqual((alert.kind, alert.res_id), ("already_paid", invoice.id))

    def test_captured_invoice_that_was_cancelled_meanwhile(self):
        invoice = self.invoice()
        transaction = self.authorised(invoice)
        invoice.button_draft()
        invoice.button_cancel()
        capture = self.capture(transaction)
        self.assertEqual(self.payment(capture).amount, 120)
        alert = self.alerts()
        self.assertEqual((alert.kind, alert.res_id), ("document_cancelled", invoice.id))
        self.assertEqual(transaction.invoice_ids, invoice)

    def test_captured_invoice_with_an_account_of_its_own(self):
        invoice = self.invoice(post=False)
        account = self.company_data["default_account_receivable"].copy()
        invoice.line_ids.filtered(lambda line: line.display_type == "payment_term").account_id = account
        invoice.action_post()
        self.capture(self.authorised(invoice))
        self.assertEqual(invoice.amount_residual, 0)
        self.assertFalse(self.alerts())

    def test_refund_of_a_capture_closes_the_credit_note_and_stands_in_the_history(self):
        invoice = self.invoice()
        capture = self.capture(self.authorised(invoice))
        self.assertEqual(invoice.amount_residual, 0)
        note = self.credit(invoice, 120)
        self.simulator.remit()
        capture.action_refund()
        self.env.invalidate_all()
        refund = self.env["payment.transaction"].search([("operation", "=", "refund")], limit=1)
        self.assertEqual((refund.state, note.amount_residual), ("done", 0))
        self.assertIn("Refund accepted", self.chatter(invoice))
        self.assertEqual(self.operation(refund, movement=True).invoice_ids, invoice)

    # -- the day of the payment

    def discounted(self):
        """Return an invoice of 200.00 that costs 196.00 until the day before yesterday."""
        term = self.env["account.payment.term"].create(
            {
                "name": "2 % within 10 days",
                "early_discount": True,
                "discount_days": 10,
                "discount_percentage": 2,
                "line_ids": [(0, 0, {"value": "percent", "value_amount": 100, "nb_days": 30})],
            }
        )
        day = fields.Date.today() - timedelta(days=12)
        return self.invoice(200, invoice_payment_term_id=term.id, invoice_date=day)

    def let_it_be_old(self, transaction, days=3):
        """Let the payment page of a transaction have been opened some days ago."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE servipay_operation SET sent_at = sent_at - %s * interval '1 day' WHERE id = %s",
            [days, self.operation(transaction).id],
        )
        self.env.invalidate_all()

    def test_discount_and_date_are_those_of_the_payment_not_of_the_booking(self):
        """Paid in the last hour of the last day; the message comes days later."""
        invoice = self.discounted()
        transaction = self.transaction(invoice, amount=196)
        visit = self.visit(transaction)
        self.let_it_be_old(transaction)
        self.simulator.attempt(visit, "ok")
        self.tell()
        self.assertEqual((transaction.state, invoice.amount_residual), ("done", 0))
        self.assertEqual(self.payment(transaction).date, fields.Date.today() - timedelta(days=3))
        self.assertFalse(self.alerts())

    def test_discount_is_gone_for_who_pays_too_late(self):
        invoice = self.discounted()
        self.paid(invoice, amount=196)
        self.assertEqual(invoice.amount_residual, 4)

    def test_discount_of_what_was_reserved_in_time(self):
        invoice = self.discounted()
        transaction = self.authorised(invoice, amount=196)
        self.let_it_be_old(transaction)
        capture = self.capture(transaction)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self.payment(capture).amount, 196)

    def test_payment_of_a_day_that_is_closed_is_booked_all_the_same(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        visit = self.visit(transaction)
        self.let_it_be_old(transaction)
        self.company.fiscalyear_lock_date = fields.Date.today() - timedelta(days=1)
        self.simulator.attempt(visit, "ok")
        self.tell()
        self.assertEqual((transaction.is_post_processed, invoice.amount_residual), (True, 0))

    # -- refunds

    def test_refund_pays_the_credit_note_of_its_amount(self):
        invoice = self.invoice(100)
        transaction = self.paid(invoice)
        large, small = self.credit(invoice, 30), self.credit(invoice, 10)
        self.simulator.remit()
        transaction.action_refund(amount_to_refund=10)
        self.env.invalidate_all()
        self.assertEqual((large.amount_residual, small.amount_residual), (30, 0))

    # -- what is only reserved

    def test_reservation_that_nobody_captures_is_told(self):
        invoice = self.invoice()
        transaction = self.authorised(invoice)
        operation = self.operation(transaction)
        for days, kinds in ((4, []), (6, ["capture_soon"]), (9, ["authorisation_gone", "capture_soon"])):
            operation.settled_at = fields.Datetime.now() - timedelta(days=days)
            for _hour in range(2):
                self.env["servipay.operation"]._paybox_cron_pending()
            self.assertEqual(sorted(self.alerts().mapped("kind")), kinds)

    def test_reservation_that_was_captured_is_not_told(self):
        transaction = self.authorised(self.invoice())
        self.capture(transaction)
        self.operation(transaction).settled_at = fields.Datetime.now() - timedelta(days=9)
        self.env["servipay.operation"]._paybox_cron_pending()
        self.assertFalse(self.alerts())

    # -- what cannot be bounded by the customer's patience

    def test_sixty_refusals_are_a_handful_of_lines_in_the_history(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        before = len(invoice.message_ids)
        for _attempt in range(60):
            self.simulator.attempt(self.visit(transaction), "51")
            self.tell()
        self.assertLess(len(invoice.message_ids) - before, 15)
        self.assertIn("(50)", self.chatter(invoice))

    def test_sixty_second_payments_are_one_activity(self):
        invoice = self.invoice()
        transaction = self.paid(invoice)
        for _payment in range(60):
            self.simulator.charges.clear()
            self.simulator.attempt(self.visit(transaction), "ok")
            self.tell()
        alert = self.alerts()
        self.assertEqual((alert.kind, alert.count), ("paid_twice", 60))
        self.assertEqual(len(invoice.activity_ids), 1)
