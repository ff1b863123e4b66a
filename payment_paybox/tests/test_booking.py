"""The invoice: paid, partly paid, paid meanwhile, cancelled meanwhile; and who is told."""

from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PayboxCase


@tagged("post_install", "-at_install", "payment_paybox")
class TestBooking(PayboxCase):
    def payments(self, transaction):
        """Return the payments of a transaction."""
        return self.env["account.payment"].search([("payment_transaction_id", "=", transaction.id)])

    def test_paid_and_reconciled_with_its_invoice(self):
        invoice = self.invoice()
        transaction = self.paid(invoice)
        payment = self.payments(transaction)
        self.assertEqual(len(payment), 1)
        self.assertEqual(
            (payment.amount, payment.journal_id), (120, self.company_data["default_journal_bank"])
        )
        self.assertIn(invoice.payment_state, ("paid", "in_payment"))
        self.assertEqual(invoice.amount_residual, 0)
        partials = invoice.line_ids.matched_credit_ids
        self.assertEqual(partials.credit_move_id.move_id, payment.move_id)
        self.assertTrue(transaction.is_post_processed)
        self.assertFalse(self.alerts())
        operation = self.operation(transaction)
        self.assertEqual(operation.account_payment_id, payment)
        self.assertEqual(operation.invoice_ids, invoice)
        self.assertEqual(operation.account_move_line_ids, payment.move_id.line_ids)

    def test_part_of_an_invoice(self):
        invoice = self.invoice()
        self.paid(invoice, amount=50)
        self.assertEqual((invoice.payment_state, invoice.amount_residual), ("partial", 70))
        self.paid(invoice, amount=70)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertFalse(self.alerts())

    def test_paid_meanwhile(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        visit = self.visit(transaction)
        wizard = self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=invoice.ids
        )
        wizard.create({})._create_payments()
        self.assertEqual(invoice.amount_residual, 0)
        self.simulator.attempt(visit, "ok")
        self.tell()
        self.assertEqual((transaction.state, len(self.payments(transaction))), ("done", 1))
        alert = self.alerts()
        self.assertEqual(
            (alert.kind, alert.res_model, alert.res_id), ("already_paid", "account.move", invoice.id)
        )
        self.assertEqual(invoice.activity_ids.user_id, self.accountant)

    def test_cancelled_meanwhile(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        visit = self.visit(transaction)
        invoice.button_draft()
        invoice.button_cancel()
        self.simulator.attempt(visit, "ok")
        self.tell()
        self.assertEqual((transaction.state, len(self.payments(transaction))), ("done", 1))
        self.assertTrue(transaction.is_post_processed)
        self.assertEqual(transaction.invoice_ids, invoice)
        self.assertEqual(self.alerts().mapped("kind"), ["document_cancelled"])

    def test_more_than_is_open(self):
        invoice = self.invoice()
        self.paid(invoice, amount=200)
        self.assertEqual(invoice.amount_residual, 0)
        alert = self.alerts()
        self.assertEqual(alert.kind, "not_reconciled")
        self.assertIn("80.00", alert.explanation.replace("\xa0", " "))

    def test_booking_that_fails_is_told_once_and_tried_again(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        self.simulator.attempt(self.visit(transaction), "ok")
        broken = patch.object(
            type(self.env["account.payment"]), "action_post", side_effect=UserError("locked")
        )
        with broken, mute_logger("odoo.addons.paypercloud_servipay.models.servipay_payment_flow"):
            self.tell()
            transaction._servipay_post_process()
        self.assertEqual((transaction.state, transaction.is_post_processed), ("done", False))
        self.assertFalse(self.payments(transaction))
        alert = self.alerts()
        self.assertEqual((alert.kind, alert.detail), ("not_reconciled", "locked"))
        transaction._servipay_post_process()  # Odoo's own job, later
        self.assertEqual((len(self.payments(transaction)), invoice.amount_residual), (1, 0))

    def test_jobs_book_where_there_are_jobs(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        self.simulator.attempt(self.visit(transaction), "ok")
        self.have_jobs(1)
        self.tell()
        self.assertEqual((transaction.state, transaction.is_post_processed), ("done", False))
        job = self.env.ref("payment.cron_post_process_payment_tx")
        self.assertTrue(self.env["ir.cron.trigger"].sudo().search_count([("cron_id", "=", job.id)]))

    def test_without_invoice(self):
        transaction = self.transaction(amount=15)
        self.simulator.attempt(self.visit(transaction), "ok")
        self.tell()
        self.assertEqual((transaction.state, len(self.payments(transaction))), ("done", 1))
        self.assertFalse(self.alerts())

    def test_two_people_are_told_each_once(self):
        self.provider.servipay_alert_emails = "boss@example.com, nonsense"
        invoice = self.invoice()
        self.paid(invoice, amount=200)
        for address in ("accountant@example.com", "boss@example.com"):
            self.assertEqual(len(self.mails(address)), 1, address)

    def test_template_that_was_deleted_stops_nothing(self):
        self.env.ref("paypercloud_servipay.mail_template_alert").unlink()
        invoice = self.invoice()
        self.paid(invoice, amount=200)
        self.assertEqual(len(self.alerts()), 1)
        self.assertTrue(invoice.activity_ids)
