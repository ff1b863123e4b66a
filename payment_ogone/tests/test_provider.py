"""The configuration: checked on save in clear sentences, tried out with a button; core's columns."""

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.models.servipay_secrets import ServipaySecrets

from ..models.payment_provider import SECRETS
from .common import PASSWORD, SHA_IN, SHA_IN_DIRECTLINK, OgoneCase

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"


@tagged("post_install", "-at_install", "payment_ogone")
class TestProvider(OgoneCase):
    def refused(self, part, **values):
        """Assert that values are refused with a sentence."""
        with self.assertRaises(ValidationError) as caught, self.cr.savepoint():
            self.provider.write(values)
        self.assertIn(part, str(caught.exception))

    def check(self):
        """Press "Test connection"; (type, message)."""
        result = self.provider.action_ogone_check()["params"]
        return result["type"], result["message"]

    def test_values_are_checked(self):
        self.refused("PSPID", ogone_pspid="my shop!")
        self.refused("https://host", ogone_base_url="not a host/")
        self.refused("signed parameters", ogone_extra_names="A-B C&D")
        self.refused("one day", servipay_pending_days=0)
        self.refused("#RRGGBB", ogone_background="url(x)")
        self.refused("#RRGGBB", ogone_logo="http://")

    def test_http_only_where_it_is_allowed(self):
        self.refused("https://host", servipay_allow_private=False)

    def test_keys_are_needed_before_it_is_used(self):
        other = self.provider.copy()
        with self.assertRaises(ValidationError):
            other.write({"ogone_pspid": "x", "ogone_userid": "x", "state": "test"})

    def test_platforms(self):
        self.provider.ogone_brand = "ogone"
        self.assertEqual(self.provider._ogone_platform().base, "https://ogone.test.v-psp.com")
        own = dict.fromkeys(SECRETS, "Nobody-else-2026!")
        self.provider.write({**own, "state": "enabled"})
        self.assertEqual(
            self.provider._ogone_platform().address("page"),
            "https://secure.ogone.com/ncol/prod/orderstandard_utf8.asp",
        )

    def test_passphrases_of_the_simulator_are_refused_in_production(self):
        """They stand in this repository: everybody could report payments that nobody made."""
        own = dict.fromkeys(SECRETS, "Nobody-else-2026!")
        with self.assertRaisesRegex(ValidationError, "simulator"), self.cr.savepoint():
            self.provider.state = "enabled"
        for name in ("ogone_shakey_in", "ogone_shakey_in_directlink", "ogone_shakey_out"):
            values = {**own, name: self._provider_values()[name], "state": "enabled"}
            with self.assertRaisesRegex(ValidationError, "simulator"), self.cr.savepoint():
                self.provider.write(values)
        self.provider.write({**own, "state": "enabled"})
        with self.assertRaisesRegex(ValidationError, "simulator"), self.cr.savepoint():
            self.provider.ogone_shakey_out = self._provider_values()["ogone_shakey_out"]

    def test_connection(self):
        self.env["ir.config_parameter"].sudo().set_param("web.base.url", "https://shop.example.com")
        kind, text = self.check()
        self.assertEqual(kind, "success", text)
        self.assertFalse(self.simulator.orders)

    def test_connection_tells_which_credential_is_wrong(self):
        for values, part in (
            ({"ogone_pspid": "nobody"}, "PSPID"),
            ({"ogone_password": "wrong-one"}, "API User ID or password"),
            ({"ogone_shakey_in_directlink": "wrong-passphrase"}, "SHA-IN"),
        ):
            right = {"ogone_pspid": "servipay", "ogone_password": PASSWORD}
            self.provider.write({**right, "ogone_shakey_in_directlink": SHA_IN_DIRECTLINK, **values})
            kind, text = self.check()
            self.assertEqual(kind, "danger", text)
            self.assertIn(part, text)
        with self.assertRaises(UserError):
            self.provider.with_user(self.accountant).action_ogone_check()

    def test_connection_to_nothing(self):
        self.provider.ogone_base_url = "http://127.0.0.1:1"
        with mute_logger(CLIENT):
            kind, text = self.check()
        self.assertEqual(kind, "danger")
        self.assertIn("could not be asked", text)

    def test_one_passphrase_in_both_boxes(self):
        self.provider.sudo().ogone_shakey_in_directlink_sealed = False
        self.assertEqual(self.provider._ogone_account().passphrase, SHA_IN)

    def test_neutralized(self):
        self.check_neutralized()

    def test_secrets_are_sealed_again(self):
        self.assertTrue(issubclass(type(self.provider), ServipaySecrets))
        self.company._servipay_seal_again()
        self.assertEqual(self.provider._servipay_secret("ogone_password"), PASSWORD)
