"""Who may read what: secrets nobody, operations the accountant, and no other company's."""

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import PayboxCase
from .simulator import KEY, PASSWORD

SEALED = ("paybox_key_sealed", "paybox_key_test_sealed", "paybox_password_sealed")


@tagged("post_install", "-at_install", "payment_paybox")
class TestAccess(PayboxCase):
    def test_secrets_come_back_to_nobody(self):
        admin = new_test_user(self.env, "paybox_admin", groups="base.group_system")
        provider = self.provider.with_user(admin)
        values = provider.read(["paybox_key", "paybox_key_test", "paybox_password"])[0]
        self.assertFalse(values["paybox_key"] or values["paybox_key_test"] or values["paybox_password"])
        for name in SEALED:
            with self.assertRaises(AccessError):
                provider.read([name])
        self.assertFalse(set(SEALED) & set(provider.fields_get()))
        text = str(provider.read())
        self.assertNotIn(KEY, text)
        self.assertNotIn(PASSWORD, text)

    def test_only_system_writes_them(self):
        for group in ("account.group_account_manager", "paypercloud_servipay.group_manager"):
            user = new_test_user(self.env, f"paybox {group}", groups=group)
            with self.assertRaises(AccessError):
                self.provider.with_user(user).write({"paybox_key": KEY})

    def test_accountant_reads_operations_and_alerts(self):
        transaction = self.paid(self.invoice(), amount=200)
        operation = self.operation(transaction).with_user(self.accountant).with_company(self.company)
        self.assertEqual(operation.state, "approved")
        self.assertEqual(operation.account_payment_id, transaction.payment_id)
        self.assertEqual(self.alerts().with_user(self.accountant).mapped("kind"), ["not_reconciled"])
        action = operation.action_open_journal_items()
        self.assertEqual(self.env["account.move.line"].search_count(action["domain"]), 2)
        for method in ("action_open_account_payment", "action_open_invoices"):
            self.assertTrue(getattr(operation, method)()["res_id"])
        with self.assertRaises(AccessError):
            operation.write({"reference": "x"})

    def test_who_may_refund(self):
        """Odoo's own button is for whoever invoices, as ever; reading operations is not enough."""
        transaction = self.paid(self.invoice())
        self.simulator.remit()
        before = len(self.simulator.charges)
        for group in ("paypercloud_servipay.group_user", "base.group_user", "base.group_portal"):
            user = new_test_user(
                self.env,
                f"refunder {group}",
                groups=group,
                company_id=self.company.id,
                company_ids=[(6, 0, self.company.ids)],
            )
            with self.assertRaises(AccessError, msg=group):
                transaction.with_user(user).action_refund(amount_to_refund=1)
            with self.assertRaises(AccessError, msg=group):
                self.operation(transaction).with_user(user).action_refund()
        self.assertEqual(len(self.simulator.charges), before)
        transaction.with_user(self.accountant).action_refund(amount_to_refund=60)
        refund = self.env["servipay.operation"].search([("kind", "=", "refund")], limit=1)
        self.assertEqual((refund.state, refund.amount), ("approved", 60))
        self.assertEqual(refund.user_id, self.accountant, "its name stays with it")

    def test_other_companies_see_nothing(self):
        self.paid(self.invoice(), amount=200)
        company = self.env["res.company"].create({"name": "Other shop"})
        stranger = new_test_user(
            self.env,
            "paybox_stranger",
            groups="paypercloud_servipay.group_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        for model in ("servipay.operation", "servipay.alert", "servipay.notification"):
            found = self.env[model].with_user(stranger).search([("company_id", "=", self.company.id)])
            self.assertFalse(found, model)

    def test_no_secret_in_the_log(self):
        self.provider.action_paybox_check()
        for log in self.env["servipay.api.log"].search([("provider", "=", "paybox")]):
            text = f"{log.url}{log.request_body}{log.request_headers}{log.response_body}"
            self.assertNotIn(KEY, text)
            self.assertNotIn(PASSWORD, text)
