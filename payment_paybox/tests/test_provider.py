"""The configuration: checked on save in clear sentences, and tried out with a button."""

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PayboxCase
from .simulator import KEY, make_key

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"


@tagged("post_install", "-at_install", "payment_paybox")
class TestProvider(PayboxCase):
    def refused(self, text, **values):
        """Assert that values are refused with a sentence."""
        with self.assertRaisesRegex(ValidationError, text), self.cr.savepoint():
            self.provider.write(values)

    def test_values_are_checked(self):
        self.refused("seven digits", paybox_site="123")
        self.refused("two or three digits", paybox_rank="1")
        self.refused("one to nine digits", paybox_identifier="x")
        self.refused("hexadecimal", paybox_key="hello")
        self.refused("hexadecimal", paybox_key_test="ABC")
        self.refused("ten characters", paybox_password="12345678901")
        self.refused("RSA keys", paybox_public_keys="-----BEGIN NOTHING-----")
        self.refused("e-mail", paybox_email="nobody")
        self.refused("7 days", paybox_capture_days=8)
        self.refused("60 to 86400", paybox_page_seconds=5)
        self.refused("banks grant none", paybox_exemption_ceiling=50)
        self.refused("one day", servipay_pending_days=0)
        self.refused("name:port", paybox_host="a b")
        self.refused("https://name", servipay_allow_private=False)  # the simulator speaks plain http

    def test_no_key_no_payment(self):
        provider = self.provider.copy({"company_id": self.company.id})
        provider.write(
            {
                "paybox_brand": "paybox",
                "paybox_site": "1999888",
                "paybox_rank": "32",
                "paybox_identifier": "2",
            }
        )
        with self.assertRaisesRegex(ValidationError, "HMAC key"), self.cr.savepoint():
            provider.state = "test"
        with self.assertRaisesRegex(ValidationError, "HMAC key"), self.cr.savepoint():
            provider.write({"state": "enabled", "paybox_key_test": KEY})
        provider.write({"state": "test", "paybox_key_test": KEY.lower()})
        self.assertEqual(provider._paybox_merchant().key, KEY)

    def test_copy_holds_no_credentials(self):
        copy = self.provider.copy()
        self.assertFalse(
            copy.paybox_site or copy.paybox_key_set or copy.paybox_key_test_set or copy.paybox_password_set
        )

    def test_test_state_uses_the_test_platform(self):
        self.provider.paybox_brand = "paybox"
        self.assertEqual(self.provider._paybox_platform().pages, ("https://preprod-tpeweb.paybox.com",))
        self.provider.state = "enabled"
        self.assertEqual(len(self.provider._paybox_platform().pages), 2)

    def test_key_of_the_simulator_is_refused_in_production(self):
        """Its private half stands in this repository: everybody could book payments that nobody made."""
        for word in ("first", "second", "stranger"):
            pem = make_key(word).pem
            self.provider.write({"state": "test", "paybox_public_keys": pem})
            self.assertIn(pem.encode().strip(), self.provider._paybox_public_keys())
            with self.assertRaisesRegex(ValidationError, "simulator"), self.cr.savepoint():
                self.provider.state = "enabled"
        self.provider.write({"state": "enabled", "paybox_public_keys": self.simulator.keys["good"].pem})
        with self.assertRaisesRegex(ValidationError, "simulator"), self.cr.savepoint():
            self.provider.paybox_public_keys = pem

    def test_key_of_the_simulator_that_was_left_behind_signs_nothing(self):
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE payment_provider SET paybox_public_keys = %s, state = 'enabled' WHERE id = %s",
            [make_key("first").pem, self.provider.id],
        )
        self.env.invalidate_all()
        self.assertEqual(len(self.provider._paybox_public_keys()), 1, "the platform's own")

    def test_check_configuration(self):
        self.env["ir.config_parameter"].sudo().set_param("web.base.url", "https://shop.example.com")
        result = self.provider.action_paybox_check()["params"]
        self.assertEqual(result["type"], "success", result["message"])
        self.assertIn("accepts the signed form", result["message"])
        self.assertIn("lets this merchant in", result["message"])
        self.assertFalse(self.simulator.charges)

    def test_somebody_elses_server_does_not_accept_the_form(self):
        """A host that answers everything with its own page: Odoo's, say, or a log-in."""
        self.simulator.set(available={"main": "<html>Log in</html>", "backup": "KO"})
        message = self.provider.action_paybox_check()["params"]["message"]
        self.assertIn("does not answer that it takes payments", message)
        self.assertNotIn("the signed form", message)

    def test_check_says_what_is_wrong(self):
        self.simulator.set(available={"main": "KO", "backup": "OK"})
        self.provider.write({"paybox_key_test": "00" * 64})
        result = self.provider.action_paybox_check()["params"]
        self.assertEqual(result["type"], "danger")
        self.assertIn("does not answer that it takes payments", result["message"])
        self.assertIn("refuses the form", result["message"])
        self.assertIn("00006", result["message"])
        self.assertEqual(len(result["message"].splitlines()), len(self.provider._paybox_client().check()))
        with self.assertRaises(UserError):
            self.provider.with_user(self.accountant).action_paybox_check()

    def test_check_of_our_own_address(self):
        """The platform calls few ports; another host calls whatever it likes."""
        self.assertEqual(self.provider._paybox_check_routes(), [])
        self.provider.paybox_brand = "paybox"
        ((kind, text),) = self.provider._paybox_check_routes()  # the test server's own port
        self.assertEqual((kind, "80, 443" in text), ("warning", True))
        parameters = self.env["ir.config_parameter"].sudo()
        parameters.set_param("web.base.url", "https://shop.example.com")
        ((kind, text),) = self.provider._paybox_check_routes()  # it changes with who logs in
        self.assertEqual((kind, "web.base.url.freeze" in text), ("warning", True))
        parameters.set_param("web.base.url.freeze", "True")
        self.assertEqual(self.provider._paybox_check_routes(), [])

    def test_check_of_a_platform_that_is_not_there(self):
        self.provider.write(
            {"paybox_host": "http://127.0.0.1:1", "paybox_backup_host": False, "paybox_direct_host": False}
        )
        with mute_logger(CLIENT):
            result = self.provider.action_paybox_check()["params"]
            found = self.provider._paybox_client()._check_direct()
            self.provider.paybox_confirm = False
            without = self.provider._paybox_client()._check_direct()
        self.assertEqual(result["type"], "danger")
        self.assertIn("does not answer that it takes payments", result["message"])
        self.assertEqual((found[0], without[0]), ("danger", "warning"), "without PPPS nothing is confirmed")

    def test_neutralized(self):
        self.check_neutralized()

    def test_secrets_are_sealed_again(self):
        self.company._servipay_seal_again()
        self.assertEqual(self.provider._paybox_merchant().key, KEY)
