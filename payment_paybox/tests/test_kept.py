"""A provider outlives its payments, and a copy of it is nobody's but the new company's."""

from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import PayboxCase


@tagged("post_install", "-at_install", "payment_paybox")
class TestKept(PayboxCase):
    def opened(self):
        """Return the pending operation of a page that a customer is on."""
        transaction = self.transaction(self.invoice())
        self.form(transaction)
        operation = self.operation(transaction)
        self.assertEqual(operation.state, "pending")
        return operation

    def refused(self, operation, **values):
        """Assert that values are refused with a sentence that names the payment."""
        with self.assertRaisesRegex(UserError, operation.name), self.cr.savepoint():
            self.provider.write(values)

    def test_merchant_and_environment_of_an_open_payment(self):
        """The test platform would not know the payment that a customer is making now."""
        self.provider.state = "enabled"
        operation = self.opened()
        self.refused(operation, state="test")
        self.refused(operation, paybox_site="1999887")
        self.provider.write({"paybox_site": self.provider.paybox_site, "paybox_email": "other@example.com"})

    def test_going_live_waits_for_a_payment_at_the_test_platform(self):
        """The platform would know nothing of it, or know its number as somebody else's."""
        operation = self.opened()
        self.refused(operation, state="enabled")

    def test_no_other_account_is_asked_about_a_payment(self):
        """Disabled, the provider speaks for its live side: the test platform's payment is nobody's there."""
        operation = self.opened()
        self.provider.state = "disabled"
        before = len(self.simulator.requests)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("pending", "other_merchant"))
        self.assertEqual(len(self.simulator.requests), before)
        self.assertIn("test:1999888", operation._explain())
        self.provider.state = "test"  # the way back to asking is open
        self.assertTrue(callable(operation._plan("inquire")) or operation._plan("inquire").reason == "")

    def test_no_other_account_gives_a_payment_back(self):
        """A number of the test platform may be somebody else's payment at the real one."""
        transaction = self.paid(self.invoice())
        self.provider.state = "enabled"
        before = len(self.simulator.requests)
        transaction.action_refund(amount_to_refund=120)
        self.env.invalidate_all()
        refund = transaction.child_transaction_ids
        operation = self.operation(refund, movement=True)
        self.assertEqual((operation.state, operation.reason), ("failed", "other_merchant"))
        self.assertEqual((refund.state, len(self.simulator.requests)), ("error", before))

    def test_disabling_tells_what_is_open(self):
        """It is the way to stop payments at once: it is not refused."""
        operation = self.opened()
        draft = self.provider.new(origin=self.provider)
        draft.state = "disabled"
        warning = draft._onchange_servipay_state()["warning"]
        self.assertIn(operation.name, warning["message"])
        self.provider.state = "disabled"

    def test_deletion(self):
        operation = self.opened()
        with self.assertRaisesRegex(UserError, operation.name), self.cr.savepoint():
            operation._document().unlink()
        copy = self.provider.copy({"company_id": self.company.id})
        self.assertTrue(copy.unlink(), "what was never used may go")
        self.env["ir.model.data"].search([("model", "=", "payment.provider")]).unlink()
        with self.assertRaisesRegex(UserError, operation.name), self.cr.savepoint():
            self.provider.unlink()

    def test_new_company_tells_its_own_people(self):
        """Odoo copies providers into each new company: the first one's people are not told of its money."""
        company = self.env["res.company"].create({"name": "Another shop"})
        own = new_test_user(
            self.env,
            "another_responsible",
            groups="paypercloud_servipay.group_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        company.servipay_responsible_id = own
        self.provider.servipay_alert_emails = "first@example.com"
        copy = self.provider.copy({"company_id": company.id})
        self.assertFalse(copy.servipay_alert_user_ids or copy.servipay_alert_emails)
        copy.servipay_alert_user_ids = self.accountant  # somebody chose a person who may not read it
        alert = copy.sudo()._servipay_alert("a key", company, kind="paid_twice", reference="R", detail="1.00")
        self.assertEqual(alert.user_ids, own)
