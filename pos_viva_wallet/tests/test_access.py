from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import VivaCase

SECRETS = (
    "viva_wallet_api_key",
    "viva_wallet_api_key_sealed",
    "viva_wallet_client_secret",
    "viva_wallet_client_secret_sealed",
    "viva_wallet_webhook_token",
    "viva_wallet_webhook_legacy_token",
    "viva_wallet_webhook_verification_key",
    "viva_wallet_webhook_endpoint",
)


@tagged("post_install", "-at_install")
class TestAccess(VivaCase):
    """Who may see and do what."""

    def people(self):
        """Return those who work with payments and administer nothing."""
        accountant = self.make_user(
            "viva_accountant", "account.group_account_manager,point_of_sale.group_pos_user"
        )
        payments = self.make_user(
            "viva_payments", "paypercloud_servipay.group_manager,point_of_sale.group_pos_manager"
        )
        return self.cashier, self.pos_manager, accountant, payments

    def test_nobody_reads_a_secret(self):
        """No cashier, manager or accountant, in no way that reads."""
        for user in self.people():
            method = self.vw.with_user(user)
            with self.subTest(user=user.login):
                self.assertFalse(set(SECRETS) & method.fields_get().keys())
                for name in SECRETS:
                    with self.assertRaises(AccessError):
                        method.read([name])
                    with self.assertRaises(AccessError):
                        method.search_read([("id", "=", method.id)], [name])
                    if method._fields[name].store:  # nor guess it, letter by letter
                        with self.assertRaises(AccessError):
                            method.search([(name, "=like", "a%")])
                    with self.assertRaises(UserError):  # no export at all, or not of this
                        method.export_data([name])
                self.assert_no_secret(method.read())

    def assert_no_secret(self, data):
        own = self.vw.sudo()
        secrets = [own.viva_wallet_webhook_token, *self.viva.account.secrets()]
        secrets += [self.viva.account.client_secret, self.viva.account.api_key]
        for secret in secrets:
            self.assertNotIn(secret, str(data))

    def test_administrators_cannot_read_them_either(self):
        """They can be replaced, never read."""
        method = self.vw.with_user(self.env.ref("base.user_admin"))
        self.assertFalse(method.viva_wallet_client_secret or method.viva_wallet_api_key)
        with self.assertRaises(AccessError):
            method.read(["viva_wallet_client_secret_sealed"])
        self.assertTrue(method.viva_wallet_client_secret_set)

    def test_nothing_of_it_reaches_a_till(self):
        """What a till loads has no field of this addon."""
        rows = self.loaded_by_till()
        mine = [row for row in rows if row["id"] == self.vw.id]
        self.assertEqual((len(mine), mine[0]["servipay_provider"]), (1, "viva"))
        self.assertFalse([name for name in mine[0] if name.startswith("viva_")])
        self.assert_no_secret(rows)

    def loaded_by_till(self):
        """Return the payment methods as a till gets them."""
        session = self.session.with_user(self.cashier)
        if hasattr(session, "load_data"):
            data = session.load_data(["pos.config", "pos.payment.method"])["pos.payment.method"]
            return data["data"] if isinstance(data, dict) else data
        return session.load_pos_data()["pos.payment.method"]

    def test_snapshots_tell_no_secret(self):
        operation = self.pay()
        self.assert_no_secret(self.till()._servipay_state([operation.idempotency_key]))

    def test_a_cashier_writes_nothing(self):
        """Neither methods nor operations; and starts nothing at another company's till."""
        operation = self.pay()
        for record, values in (
            (self.vw, {"viva_wallet_terminal_id": "1"}),
            (self.vw, {"viva_wallet_test_mode": True}),
            (operation, {"viva_session": "x"}),
        ):
            with self.assertRaises(AccessError):
                record.with_user(self.cashier).write(values)
        stranger = self.make_user(
            "viva_stranger", "point_of_sale.group_pos_user", self.env["res.company"].create({"name": "Other"})
        )
        with self.assertRaises(AccessError):
            self.till(stranger)

    def test_manager_does_not_redirect_money(self):
        """Only administrators choose another server, or see an address that changes something."""
        with self.assertRaises(AccessError):
            self.vw.with_user(self.pos_manager).write({"viva_wallet_base_url": "http://127.0.0.1:1"})
        with self.assertRaises(AccessError):
            self.vw.with_user(self.pos_manager).write({"viva_wallet_client_secret": "other"})

    def test_jobs_and_hooks_are_private(self):
        """What a browser may call by name moves no money by itself."""
        for name in dir(type(self.vw)):
            if "viva" in name and callable(getattr(type(self.vw), name, None)):
                self.assertTrue(name.startswith(("_", "action_viva_")), name)
