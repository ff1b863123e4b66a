import importlib.util
import os

from odoo.exceptions import AccessError
from odoo.modules.module import get_module_path
from odoo.tests import tagged

from ..models.takeover import COLUMNS
from .common import VivaCase
from .simulator import API_KEY, CLIENT_ID, CLIENT_SECRET, MERCHANT_ID, TERMINALS, WEBHOOK_KEY


def migration():
    """Return the migration script as a module."""
    path = os.path.join(get_module_path("pos_viva_wallet"), "migrations", "3.0.0", "post-seal-secrets.py")
    spec = importlib.util.spec_from_file_location("post_seal_secrets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@tagged("post_install", "-at_install")
class TestTakeover(VivaCase):
    """Databases of Odoo's own addons keep their credentials, addresses and history."""

    # -- 17.0 and 18.0: the same names, plain columns

    def make_core(self):
        """Let a method be as Odoo's own addon of the same name leaves it; returns it."""
        method = self.make_viva("Of core")
        self.env.flush_all()
        self.env.cr.execute(
            """
            ALTER TABLE pos_payment_method
                ADD COLUMN IF NOT EXISTS viva_wallet_api_key varchar,
                ADD COLUMN IF NOT EXISTS viva_wallet_client_secret varchar,
                ADD COLUMN IF NOT EXISTS viva_wallet_bearer_token varchar,
                ADD COLUMN IF NOT EXISTS viva_wallet_latest_response jsonb;
            UPDATE pos_payment_method
               SET viva_wallet_api_key = %s, viva_wallet_client_secret = %s,
                   viva_wallet_bearer_token = 'bearer', viva_wallet_latest_response = '{"a": 1}',
                   viva_wallet_webhook_verification_key = %s, viva_wallet_webhook_token = NULL,
                   viva_wallet_api_key_sealed = NULL, viva_wallet_client_secret_sealed = NULL
             WHERE id = %s
            """,
            [API_KEY, CLIENT_SECRET, WEBHOOK_KEY, method.id],
        )
        self.env.invalidate_all()
        return method

    def test_migration(self):
        """Secrets are sealed, readable columns emptied, payments and the pasted address work on."""
        method = self.make_core()
        self.assertFalse(method.viva_wallet_client_secret_set)
        migration().migrate(self.env.cr, "18.0.1.0")
        self.env.invalidate_all()
        self.env.cr.execute(
            "SELECT viva_wallet_api_key, viva_wallet_client_secret, viva_wallet_bearer_token, "
            "viva_wallet_latest_response FROM pos_payment_method WHERE id = %s",
            [method.id],
        )
        self.assertEqual(self.env.cr.fetchone(), (None, None, None, None))
        self.assertEqual(method._servipay_secret("viva_wallet_client_secret"), CLIENT_SECRET)
        self.assertEqual(method._servipay_secret("viva_wallet_api_key"), API_KEY)
        self.assertTrue(method.sudo().viva_wallet_webhook_token)
        kind = method.action_viva_credentials()["params"]["type"]
        self.assertEqual(kind, "success")
        address = f"/pos_viva_wallet/notification?company_id={self.company.id}&token={WEBHOOK_KEY}"
        self.assertEqual(self.url_open(address).json(), {"Key": WEBHOOK_KEY})

    def test_migration_again(self):
        """A second time nothing is lost."""
        method = self.make_core()
        for _number in range(2):
            migration().migrate(self.env.cr, "18.0.1.0")
        self.env.invalidate_all()
        self.assertEqual(method._servipay_secret("viva_wallet_client_secret"), CLIENT_SECRET)
        self.assertEqual(method.sudo().viva_wallet_webhook_legacy_token, WEBHOOK_KEY)

    def test_migration_of_our_own(self):
        """A database that never was core's is left alone."""
        self.assertFalse(set(migration().SECRETS) & migration().found(self.env.cr))
        migration().migrate(self.env.cr, "19.0.1.0")
        self.assertFalse(self.vw.sudo().viva_wallet_webhook_legacy_token)

    def test_names_that_merchants_and_databases_know(self):
        """Fields, selection value, view and route of Odoo's own addon."""
        names = "merchant_id api_key client_id client_secret terminal_id test_mode webhook_endpoint"
        names += " webhook_verification_key"
        self.assertFalse({f"viva_wallet_{name}" for name in names.split()} - set(self.vw._fields))
        self.assertIn(("viva_wallet", "Viva Wallet"), self.vw._get_payment_terminal_selection())
        view = self.env.ref("pos_viva_wallet.pos_payment_method_view_form_inherit_pos_viva_wallet")
        self.assertEqual(view.model, "pos.payment.method")

    # -- 19.0: another name, side by side

    def make_theirs(self, **values):
        """Return the id of a method of 19.0's own addon."""
        method = self.make_method("Theirs", use_payment_terminal=False, servipay_terminal_pid=False)
        self.env.flush_all()
        types = {"test_mode": "boolean"}
        for name in COLUMNS:
            kind = types.get(name.removeprefix("viva_com_"), "varchar")
            self.env.cr.execute(f"ALTER TABLE pos_payment_method ADD COLUMN IF NOT EXISTS {name} {kind}")
        theirs = {
            "viva_com_merchant_id": MERCHANT_ID,
            "viva_com_api_key": API_KEY,
            "viva_com_client_id": CLIENT_ID,
            "viva_com_client_secret": CLIENT_SECRET,
            "viva_com_terminal_id": TERMINALS[0],
            "viva_com_test_mode": True,
            **values,
        }
        columns = ", ".join(f"{name} = %s" for name in theirs)
        self.env.cr.execute(
            f"UPDATE pos_payment_method SET use_payment_terminal = 'viva_com', {columns} WHERE id = %s",
            [*theirs.values(), method.id],
        )
        self.env.invalidate_all()
        return method.id

    def test_takeover(self):
        """Credentials, terminal and mode; journal and company stay; again it finds nothing."""
        number = self.make_theirs()
        self.assertTrue(self.env["res.config.settings"].create({}).viva_takeover_possible)
        told = self.env["res.config.settings"].create({}).action_viva_takeover()["params"]
        self.assertEqual(told["type"], "success", told["message"])
        method = self.env["pos.payment.method"].browse(number)
        self.assertEqual((method.use_payment_terminal, method.servipay_provider), ("viva_wallet", "viva"))
        self.assertTrue(method.viva_wallet_test_mode and method.journal_id)
        method.sudo().viva_wallet_base_url = self.viva.url
        self.assertEqual(method.action_viva_credentials()["params"]["type"], "success")
        taken, left = self.env["pos.payment.method"]._viva_takeover()
        self.assertFalse(taken or left)
        # what every cashier could read there is gone
        query = "SELECT viva_com_api_key, viva_com_client_secret FROM pos_payment_method WHERE id = %s"
        self.env.cr.execute(query, [number])
        self.assertEqual(self.env.cr.fetchone(), (None, None))

    def test_production_stays_production(self):
        """“Not in test mode” is a value too."""
        number = self.make_theirs(viva_com_test_mode=False)
        method = self.env["pos.payment.method"].browse(number)
        self.env.cr.execute(
            "UPDATE pos_payment_method SET viva_wallet_test_mode = true WHERE id = %s", [number]
        )
        self.env.invalidate_all()
        self.env["pos.payment.method"]._viva_takeover()
        self.assertFalse(method.viva_wallet_test_mode)

    def test_what_cannot_be_taken_over(self):
        """It is named with the reason; the others are taken all the same."""
        incomplete, complete = self.make_theirs(viva_com_client_secret=None), self.make_theirs()
        taken, left = self.env["pos.payment.method"]._viva_takeover()
        self.assertEqual(taken.ids, [complete])
        [(method, why)] = left
        self.assertEqual(method.id, incomplete)
        self.assertIn("client secret", why)

    def test_only_administrators(self):
        with self.assertRaises(AccessError):
            self.env["pos.payment.method"].with_user(self.pos_manager)._viva_takeover()

    def test_nothing_to_take_over(self):
        """Without the other addon's columns there is no button."""
        if self.env["pos.payment.method"]._viva_takeover_possible():
            self.skipTest("pos_viva_com is installed")
        self.assertFalse(self.env["res.config.settings"].create({}).viva_takeover_possible)
        self.assertEqual(self.env["pos.payment.method"]._viva_theirs(), [])
