"""The invoice: paid, partly paid, paid meanwhile, cancelled meanwhile; and who is told."""

from dataclasses import replace
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.compat import SERIES
from odoo.addons.paypercloud_servipay.models.servipay_payment_documents import Document

from .common import PayboxCase

BOOKS = "odoo.addons.paypercloud_servipay.models.servipay_payment_books"


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

    def test_order_is_not_paid_twice_by_what_was_rounded(self):
        self.currency.rounding = 0.001
        tx = self.transaction(self.invoice())
        # any record with a history stands for the order
        order = Document(self.customer, self.currency, total=200.765, rest=-0.005, cancelled=False)
        for rest, kinds in ((-0.005, []), (-1e-12, []), (-0.01, ["already_paid"])):
            documents = [replace(order, rest=rest)]
            with patch.object(type(tx), "_servipay_documents", lambda _tx, found=documents: found):
                tx._servipay_check_orders()
            self.assertEqual(self.alerts().mapped("kind"), kinds)

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

    def broken(self, error, model="account.payment", method="action_post"):
        """Let a method fail as another addon's code might."""
        return patch.object(type(self.env[model]), method, side_effect=error)

    def test_booking_that_fails_is_told_once_and_tried_again(self):
        """Whatever stands in the way: our own code, another addon's, or the database."""
        for error, text in (
            (UserError("locked"), "locked"),
            (ValueError("of another addon"), "ValueError: of another addon"),
        ):
            invoice = self.invoice()
            transaction = self.transaction(invoice)
            self.simulator.attempt(self.visit(transaction), "ok")
            with self.broken(error), mute_logger(BOOKS):
                self.tell()
                self.env["payment.transaction"]._servipay_cron_unbooked()
            self.assertEqual((transaction.state, transaction.is_post_processed), ("done", False))
            self.assertFalse(self.payments(transaction))
            alert = self.alerts().filtered(lambda one, invoice=invoice: one.res_id == invoice.id)
            self.assertEqual((alert.kind, alert.detail), ("not_booked", text))
            transaction._servipay_post_process()  # Odoo's own job, later
            self.assertEqual((len(self.payments(transaction)), invoice.amount_residual), (1, 0))

    def test_booking_that_fails_in_code_above_ours_is_told(self):
        """A quotation's confirmation without a PDF renderer: raised before our own part is reached."""
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        self.simulator.attempt(self.visit(transaction), "ok")
        method = "_post_process" if SERIES >= 18 else "_finalize_post_processing"
        with self.broken(UserError("no renderer"), transaction._name, method), mute_logger(BOOKS):
            self.tell()
        self.assertEqual((transaction.state, transaction.is_post_processed), ("done", False))
        alert = self.alerts()
        self.assertEqual((alert.kind, alert.detail), ("not_booked", "no renderer"))
        self.assertEqual(invoice.activity_ids.user_id, self.accountant)

    def test_booking_goes_on_beyond_four_days_and_is_told_again(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        self.simulator.attempt(self.visit(transaction), "ok")
        with self.broken(UserError("locked")), mute_logger(BOOKS):
            self.tell()
            for days, count in ((2, 2), (9, 3)):
                self.age(transaction, days)
                self.env["servipay.operation"]._paybox_cron_pending()
                self.assertEqual(len(self.alerts("not_booked")), count)
                self.env["servipay.operation"]._paybox_cron_pending()  # not before its pause is over
                self.assertEqual(len(self.alerts("not_booked")), count)
        self.age(transaction, 40)
        self.env["servipay.operation"]._paybox_cron_pending()
        self.assertEqual((len(self.payments(transaction)), invoice.amount_residual), (1, 0))
        self.assertTrue(transaction.is_post_processed)

    def age(self, transaction, days):
        """Let a payment have been made some days ago, with no try planned."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE payment_transaction SET servipay_book_again_at = NULL,"
            " last_state_change = now() AT TIME ZONE 'UTC' - %s * interval '1 day' WHERE id = %s",
            [days, transaction.id],
        )
        self.env.invalidate_all()

    def test_what_the_job_finds_has_an_operation_of_ours(self):
        """Payments of the time before the suite may have been booked by hand."""
        transaction = self.transaction(self.invoice())
        transaction._set_done()
        self.age(transaction, 2)
        self.env["payment.transaction"]._servipay_cron_unbooked()
        self.assertFalse(transaction.is_post_processed)

    def test_booked_at_once_where_jobs_run_too(self):
        """Who comes back a second later must not be offered to pay again."""
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        self.simulator.attempt(self.visit(transaction), "ok")
        self.have_jobs(1)
        self.tell()
        self.assertEqual((transaction.state, transaction.is_post_processed), ("done", True))
        self.assertEqual(invoice.amount_residual, 0)
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
