"""Settings: write-only secrets, encryption at rest, checks, warnings, credentials, neutralisation."""

import os
from unittest.mock import patch

from cryptography.fernet import Fernet

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged

from ..models import secret_box
from .common import API_KEY, ApiCase
from .neutralized import neutralize


def keys(*values):
    """Configure the keys for encryption at rest."""
    return patch.dict(os.environ, {"SERVIPAY_SECRET_KEYS": ",".join(values)})


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestCompany(ApiCase):
    def stored(self):
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT servipay_api_key_sealed FROM res_company WHERE id = %s", [self.company.id]
        )
        return self.env.cr.fetchone()[0]

    # ------------------------------------------------------------------
    # Secrets
    # ------------------------------------------------------------------

    def test_key_is_write_only(self):
        self.assertFalse(self.company.servipay_api_key)
        self.assertTrue(self.company.servipay_api_key_set)
        self.assertEqual(self.company._paypercloud_get_credentials().api_key, API_KEY)
        settings = self.env["res.config.settings"].create({"company_id": self.company.id})
        self.assertFalse(settings.servipay_api_key)
        settings.execute()
        self.assertEqual(
            self.company._paypercloud_get_credentials().api_key, API_KEY, "saving does not clear it"
        )
        self.env["res.config.settings"].create(
            {"company_id": self.company.id, "servipay_api_key": " new-key-123 "}
        ).execute()
        self.assertEqual(self.company._paypercloud_get_credentials().api_key, "new-key-123")
        self.env["res.config.settings"].create({"company_id": self.company.id}).action_servipay_remove_key()
        self.assertFalse(self.company.servipay_api_key_set)

    def test_sealed_column_is_unreadable_even_for_administrators(self):
        admin = self._user("servipay_admin", "base.group_system")
        fields_seen = self.company.with_user(admin).fields_get()
        self.assertNotIn("servipay_api_key_sealed", fields_seen)
        self.assertIn("servipay_api_key", fields_seen)
        self.assertFalse(self.company.with_user(admin).read(["servipay_api_key"])[0]["servipay_api_key"])

    def test_plain_without_keys(self):
        self.company.servipay_api_key = "plain-secret"
        self.assertEqual(self.stored(), "plain-secret")

    def test_sealed_with_a_key(self):
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        with keys(old):
            self.company.servipay_api_key = "sealed-secret"
            self.assertTrue(self.stored().startswith("fernet:v1:"))
            self.assertNotIn("sealed-secret", self.stored())
            self.assertEqual(self.company._paypercloud_get_credentials().api_key, "sealed-secret")
        with keys(new, old):
            before = self.stored()
            self.env["res.config.settings"].create({"company_id": self.company.id}).action_servipay_seal()
            self.assertNotEqual(self.stored(), before)
        with keys(new):
            self.assertEqual(self.company._paypercloud_get_credentials().api_key, "sealed-secret")
        for wrong in (keys(old), keys()):
            with wrong, self.assertRaises(UserError) as caught:
                self.company._paypercloud_get_credentials()
            self.assertIn("secret_keys", str(caught.exception))
        with keys("no fernet key"), self.assertRaises(UserError):
            self.company.servipay_api_key = "x-secret"

    def test_what_was_typed_does_not_come_back(self):
        """The web client reads what it has saved in the same call."""
        [saved] = self.company.web_save({"servipay_api_key": "typed-key-123"}, {"servipay_api_key": {}})
        self.assertFalse(saved["servipay_api_key"])
        self.assertEqual(self.company._paypercloud_get_credentials().api_key, "typed-key-123")

    def test_all_companies_are_sealed(self):
        """Also one without a key of its own: its terminals and providers may have secrets."""
        self.company.servipay_api_key_sealed = False
        seen = []
        companies = type(self.company)
        with patch.object(companies, "_servipay_seal_again", lambda asked: seen.extend(asked.ids)):
            self.env["res.config.settings"].create({"company_id": self.company.id}).action_servipay_seal()
        self.assertIn(self.company.id, seen)

    def test_keys_from_the_configuration_file(self):
        key = Fernet.generate_key().decode()
        path = os.path.join(self.env["ir.attachment"]._filestore() or "/tmp", "..", "servipay-test.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[options]\n[servipay]\nsecret_keys = {key}\n")
        self.addCleanup(os.unlink, path)
        with patch.object(secret_box, "config_path", lambda: path):
            box = self.env["servipay.secret.box"]
            self.assertTrue(box._has_keys())
            self.assertTrue(box._seal("abc").startswith("fernet:v1:"))
            self.assertEqual(box._unseal(box._seal("abc")), "abc")
            self.assertTrue(Form(self.env["res.config.settings"]).servipay_sealed)
        self.assertFalse(Form(self.env["res.config.settings"]).servipay_sealed)

    def test_a_lost_key_fails_closed(self):
        """Without a readable key nothing is sent, and that is certain."""
        with keys(Fernet.generate_key().decode()):
            self.company.servipay_api_key = "sealed-secret"
        operation = self.purchase()
        self.assertEqual((operation.state, operation.reason), ("failed", "configuration"))
        self.assertFalse(self.simulator.requests)

    # ------------------------------------------------------------------
    # Checks and warnings
    # ------------------------------------------------------------------

    def test_values_are_checked(self):
        for values in (
            {"servipay_base_url": "http://api.example.com", "servipay_allow_private": False},
            {"servipay_base_url": "https://user:pw@api.example.com"},
            {"servipay_base_url": "no url"},
            {"servipay_timeout": 0},
            {"servipay_timeout": 111},
            {"servipay_log_days": -1},
            {"servipay_ca_bundle": "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----"},
            {"servipay_ca_bundle": "no certificate"},
        ):
            with self.subTest(values), self.assertRaises(ValidationError), self.cr.savepoint():
                self.company.write(values)

    def test_warnings(self):
        def codes():
            return [warning.code for warning in self.company._servipay_warnings()]

        self.assertEqual(codes(), ["unverified"])
        self.company.servipay_environment = "production"
        self.assertEqual(codes(), ["production", "unverified"])
        self.company.servipay_verify_ssl = False
        self.env.ref("paypercloud_servipay.profile_default").verified = True
        self.assertEqual(codes(), ["production", "ssl_off"])

    def test_what_is_not_declared_a_demonstration_is_production(self):
        company = self.env["res.company"].create({"name": "New"})
        self.assertEqual(company.servipay_environment, "production")
        self.assertTrue(company.servipay_verify_ssl)
        self.assertFalse(company.servipay_allow_private)

    # ------------------------------------------------------------------
    # Connection test
    # ------------------------------------------------------------------

    def connection(self):
        settings = self.env["res.config.settings"].create({"company_id": self.company.id})
        params = settings.action_servipay_test_connection()["params"]
        return params["type"], params["message"]

    def test_connection(self):
        self.assertEqual(self.connection()[0], "success")
        self.company.servipay_api_key = "a-wrong-key-for-sure"
        kind, message = self.connection()
        self.assertEqual(kind, "danger")
        self.assertIn("refuses the key", message)
        self.company.servipay_api_key = API_KEY
        self.simulator.fault("last_reconciliation", "html_502", times=3)
        kind, message = self.connection()
        self.assertEqual(kind, "warning")
        self.assertIn("Last reconciliation", message)
        self.simulator.clear_faults()
        self.simulator.fault("last_reconciliation", "close_after", times=3)
        self.assertEqual(self.connection()[0], "danger")
        self.assertFalse(self.simulator.charges)

    def test_another_server_is_no_success(self):
        """A proxy or another API: a server answers, but nobody has read the key. Odoo: tests/e2e."""
        url = self.company.servipay_base_url
        self.company.servipay_base_url = f"{url}/wrong/path"  # JSON, "not found" for whatever is asked
        self.assertIn("not as this API would", self.connection()[1])
        for fault in ("html_502", "redirect_other", "garbage_body"):
            with self.subTest(fault):
                self.company.servipay_base_url = url
                self.simulator.clear_faults()
                self.simulator.fault("operations_list", fault, times=3)
                kind, message = self.connection()
                self.assertEqual(kind, "danger")
                self.assertIn("not as this API would", message)

    # ------------------------------------------------------------------
    # Credentials and neutralisation
    # ------------------------------------------------------------------

    def test_one_method_overrides_the_credentials(self):
        """What paypercloud_servipay_pos will do: another key for one operation, through one method."""
        original = type(self.company)._paypercloud_get_credentials

        def override(company, record=None):
            credentials = original(company, record)
            if record and record._name == "servipay.operation":
                return type(credentials)("a-key-of-the-till", "POS1", "T2")
            return credentials

        with patch.object(type(self.company), "_paypercloud_get_credentials", override):
            operation = self.purchase()
        self.assertEqual((operation.state, operation.reason), ("failed", "authentication"))

    def test_neutralize(self):
        pending = self.purchase()
        neutralize(self)
        self.assertFalse(self.company.servipay_api_key_set)
        self.assertFalse(self.company.servipay_base_url)
        self.assertEqual(self.company.servipay_environment, "demo")
        self.assertFalse(pending.next_inquiry_at)
