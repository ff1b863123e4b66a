"""No secret is readable by anybody; what a customer may not do."""

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from ..models.payment_provider import SECRETS
from .common import OgoneCase


@tagged("post_install", "-at_install", "payment_ogone")
class TestAccess(OgoneCase):
    def test_secrets_are_never_read(self):
        values = [self.provider._servipay_secret(name) for name in SECRETS]
        self.assertTrue(all(values))
        company = {"company_id": self.company.id, "company_ids": [(6, 0, self.company.ids)]}
        user = new_test_user(self.env, "ogone_admin", groups="base.group_system", **company)
        admin = self.provider.with_user(user)
        texts = str(admin.read())
        for value in values:
            self.assertNotIn(value, texts)
        for name in SECRETS:
            with self.assertRaises(AccessError):
                admin.read([f"{name}_sealed"])
            with self.assertRaises(AccessError):
                self.provider.with_user(self.accountant).read([name])

    def test_what_was_typed_does_not_come_back(self):
        company = {"company_id": self.company.id, "company_ids": [(6, 0, self.company.ids)]}
        user = new_test_user(self.env, "ogone_admin", groups="base.group_system", **company)
        admin = self.provider.with_user(user)
        admin.write({name: f"typed-{name}" for name in SECRETS})
        # the web client reads in the call that it saves in
        self.assertNotIn("typed-", str(admin.read(list(SECRETS))))
        self.assertEqual(self.provider._servipay_secret("ogone_password"), "typed-ogone_password")

    def test_accountant_sees_operations(self):
        tx = self.transaction(self.invoice())
        operation = self.attempt(tx).with_user(self.accountant)
        self.assertEqual(operation.invoice_ids, tx.invoice_ids)
        self.assertEqual(operation.account_payment_id, tx.payment_id)
