"""Terminals, companies and people outlive the payments that hang on them."""

from odoo.exceptions import UserError
from odoo.tests import new_test_user, tagged

from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestKept(ApiCase):
    def check_kept(self, record, operation):
        """Assert that a record can neither be deleted nor archived; the sentence names the payment."""
        for change in (record.unlink, lambda: record.write({"active": False})):
            with self.assertRaisesRegex(UserError, operation.name), self.env.cr.savepoint():
                change()
        self.assertTrue(record.exists() and record.active)

    def test_profile_that_payments_are_asked_with_stays(self):
        """Without it no question could be made: nor while one is open, nor for a refund years later."""
        profile = self.company._servipay_profile()
        other = profile.copy()
        for operation in (self.purchase(), self.paid()):
            with self.assertRaises(UserError, msg=operation.state):
                profile.unlink()
        other.unlink()

    def test_terminal(self):
        """It can be archived when nothing is open; its history stays for good."""
        operation = self.purchase(terminal_id=self.terminal.id)
        self.assertEqual(operation.state, "pending")
        self.check_kept(self.terminal, operation)
        with self.assertRaisesRegex(UserError, operation.name):
            self.terminal.company_id = self.env["res.company"].create({"name": "Another"})
        self.terminal.note = "whatever else may be written"
        operation._inquire()
        self.assertEqual(operation.state, "approved")
        self.terminal.active = False
        with self.assertRaisesRegex(UserError, "Archive or disable it instead"), self.env.cr.savepoint():
            self.terminal.unlink()
        self.assertEqual(operation.terminal_id, self.terminal)
        unused = self.terminal.create({"name": "Unused", "company_id": self.company.id, "pid": "T9"})
        unused.unlink()
        self.assertFalse(unused.exists())

    def test_company(self):
        operation = self.purchase()
        self.check_kept(self.company, operation)
        operation._inquire()
        with self.assertRaisesRegex(UserError, operation.name), self.env.cr.savepoint():
            self.company.unlink()

    def test_people(self):
        """Who took a payment or decided about one stays nameable; a customer may go."""
        seller = new_test_user(self.env, "servipay_seller", groups="base.group_user")
        customer = new_test_user(self.env, "servipay_customer", groups="base.group_portal")
        operation = self.purchase(user_id=seller.id)
        bought = self.operations._open(self.values(user_id=customer.id))
        with self.assertRaisesRegex(UserError, "Archive the user instead"), self.env.cr.savepoint():
            seller.unlink()
        seller.active = False
        self.assertEqual(operation.user_id, seller)
        customer.unlink()
        self.assertTrue(bought.exists())
