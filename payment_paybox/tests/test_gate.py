"""Which payments may begin: nothing is taken twice, nothing by a provider that is not offered."""

from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import PayboxCase


@tagged("post_install", "-at_install", "payment_paybox")
class TestGate(PayboxCase):
    def refused(self, transaction, words):
        """Assert that a payment does not begin."""
        with self.assertRaises(UserError) as caught, self.env.cr.savepoint():
            self.form(transaction)
        self.assertIn(words, str(caught.exception))
        self.assertFalse(self.operation(transaction))

    def as_customer(self, transaction):
        """Return a transaction as the portal's customer makes it."""
        user = self.env["res.users"].search([("login", "=", "gate_portal")])
        user = user or new_test_user(self.env, "gate_portal", groups="base.group_portal")
        return transaction.with_user(user).sudo()

    # -- documents

    def test_stale_tab_does_not_pay_a_paid_invoice(self):
        invoice = self.invoice()
        stale = self.transaction(invoice)
        self.paid(invoice)
        self.refused(stale, "already paid")

    def test_second_page_is_refused_while_the_first_is_being_confirmed(self):
        invoice = self.invoice()
        first = self.transaction(invoice)
        self.simulator.set(direct="garbage")
        self.simulator.attempt(self.visit(first), "ok")
        second = self.transaction(invoice)
        self.form(second)  # the first is only a page that is open
        self.tell()
        self.assertEqual(self.operation(first).reason, "unasked")
        third = self.transaction(invoice)
        self.refused(third, self.operation(first).name)
        self.refused(self.as_customer(third), "Please do not pay a second time")

    def test_second_page_is_refused_while_the_first_is_unknown(self):
        invoice = self.invoice()
        first = self.transaction(invoice)
        self.form(first)
        self.operation(first)._move("unknown", reason="no_answer")
        self.refused(self.transaction(invoice), "Resolve")
        self.operation(first)._resolve("failed", "not in the back office")
        self.form(self.transaction(invoice))

    def test_what_is_left_beside_a_doubt_can_be_paid(self):
        invoice = self.invoice()
        first = self.transaction(invoice, amount=50)
        self.form(first)
        self.operation(first)._move("unknown", reason="no_answer")
        self.form(self.transaction(invoice, amount=70))
        self.refused(self.transaction(invoice, amount=71), "could take it twice")

    def test_reserved_is_as_good_as_paid(self):
        self.provider.capture_manually = True
        invoice = self.invoice()
        self.paid(invoice)
        self.refused(self.transaction(invoice), "under way or not booked")

    def test_refused_payment_is_followed_by_another(self):
        invoice = self.invoice()
        first = self.transaction(invoice)
        self.simulator.attempt(self.visit(first), "51")
        self.tell()
        self.assertEqual(first.state, "error")
        self.form(self.transaction(invoice))

    def test_cancelled_invoice_is_not_paid(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        invoice.button_draft()
        invoice.button_cancel()
        self.refused(transaction, "cancelled")

    # -- providers and amounts

    def test_provider_that_is_not_published_pays_nothing(self):
        """A test account beside the real one, chosen with the browser's tools."""
        self.provider.is_published = False
        transaction = self.transaction(self.invoice())
        self.refused(self.as_customer(transaction), "not offered")
        self.form(transaction)  # who works here tries it so

    def test_who_keeps_no_books_tries_no_provider(self):
        """A cashier may have an invoice's link, and a test card."""
        self.provider.is_published = False
        transaction = self.transaction(self.invoice())
        cashier = new_test_user(self.env, "gate_cashier", groups="base.group_user")
        self.refused(transaction.with_user(cashier).sudo(), "not offered")
        keeper = new_test_user(self.env, "gate_books", groups="base.group_user,account.group_account_invoice")
        self.form(transaction.with_user(keeper).sudo())

    def test_disabled_provider_pays_nothing(self):
        transaction = self.transaction(self.invoice())
        self.provider.state = "disabled"
        self.refused(transaction, "not offered")

    def test_provider_of_another_company_pays_nothing(self):
        other = self._make_provider(self.env["res.company"].create({"name": "Other company"}))
        self.refused(self.transaction(self.invoice(), provider_id=other.id), "not offered")

    def test_only_an_amount_above_zero(self):
        for amount in (-5, 0):
            self.refused(self.transaction(self.invoice(), amount=amount), "above zero")
