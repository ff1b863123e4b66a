import os
from unittest.mock import patch

from cryptography.fernet import Fernet

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from ..models.pos_payment_method import SECRETS
from .common import VivaCase
from .simulator import CLIENT_SECRET, MERCHANT_ID, TERMINALS, WEBHOOK_KEY


@tagged("post_install", "-at_install")
class TestSettings(VivaCase):
    """Setting a terminal up, and finding out what is wrong with it."""

    def message(self, action):
        """Return (type, message) of a notification."""
        return action["params"]["type"], action["params"]["message"]

    # -- credentials

    def test_both_pairs_right(self):
        kind, text = self.message(self.vw.action_viva_credentials())
        self.assertEqual((kind, text.count("right.")), ("success", 2))
        self.assertEqual(self.vw.sudo().viva_wallet_webhook_verification_key, WEBHOOK_KEY)

    def test_the_key_is_not_in_the_log(self):
        self.vw.action_viva_credentials()
        logs = self.env["servipay.api.log"].search([("provider", "=", "viva")])
        self.assertIn("Viva webhook key", logs.mapped("endpoint"))
        self.assertNotIn(WEBHOOK_KEY, str(logs.mapped("response_body")))

    def test_which_pair_is_wrong(self):
        """It says which, and why; no traceback for whatever a server in between answers."""
        self.vw.viva_wallet_api_key = "wrong"
        kind, text = self.message(self.vw.action_viva_credentials())
        self.assertEqual(kind, "danger")
        self.assertRegex(text, r"secret: right\.\n.*API key: .*merchant ID or the API key")
        self.vw.write(
            {"viva_wallet_api_key": self.viva.account.api_key, "viva_wallet_client_secret": "wrong"}
        )
        _kind, text = self.message(self.vw.action_viva_credentials())
        self.assertRegex(text, r"secret: .*client ID or the client secret.*\n.*API key: right")

    def test_strange_answers(self):
        for endpoint in ("token", "key"):
            for fault in ("http_500", "html_200", "garbage_body", "close_before", "waf_403", "array"):
                with self.subTest(endpoint=endpoint, fault=fault), self.quiet():
                    self.viva.clear_faults()
                    self.viva.fault(endpoint, fault)
                    kind, text = self.message(self.vw.action_viva_credentials())
                    self.assertEqual((kind, text.count("right.")), ("danger", 1), text)

    def test_credentials_of_something_else(self):
        """Those of the web shop get a token that opens no terminal: said here, not at the till."""
        self.viva.set(scope="urn:viva:payments:core:api:redirectcheckout")
        kind, text = self.message(self.vw.action_viva_credentials())
        self.assertEqual(kind, "danger")
        self.assertIn("POS APIs credentials", text)

    def test_without_the_merchants_pair(self):
        """Payments work without it, webhooks do not: said in words."""
        self.vw.viva_wallet_merchant_id = False
        kind, text = self.message(self.vw.action_viva_credentials())
        self.assertEqual(kind, "danger")
        self.assertIn("not complete", text)
        self.assertEqual(self.pay().state, "approved")

    def test_what_is_needed(self):
        """Without client ID, secret or terminal a method cannot be saved."""
        for name in ("viva_wallet_client_id", "viva_wallet_client_secret", "viva_wallet_terminal_id"):
            with self.subTest(name=name), self.assertRaises(ValidationError):
                self.make_viva(f"Without {name}", **{name: False})
        with self.assertRaises(ValidationError):
            self.vw.viva_wallet_terminal_id = False
        self.vw.viva_wallet_client_secret = False  # an empty field keeps what is there
        self.assertEqual(self.vw._servipay_secret("viva_wallet_client_secret"), CLIENT_SECRET)

    def test_simulator_only_in_test_mode(self):
        """No address but Viva.com's takes real money."""
        with self.assertRaises(ValidationError):
            self.vw.viva_wallet_test_mode = False
        for address in ("ftp://x", "http://user@host", "127.0.0.1:80", "http://host/path"):
            with self.assertRaises(ValidationError):
                self.vw.sudo().viva_wallet_base_url = address
        self.vw.sudo().viva_wallet_base_url = False
        self.assertIn("demo-api.vivapayments.com", self.vw._viva_site().api)
        self.vw.viva_wallet_test_mode = False
        self.assertEqual(self.vw._viva_site().api, "https://api.vivapayments.com")

    def test_seconds(self):
        for seconds in (59, 601, 0):
            with self.assertRaises(ValidationError):
                self.vw.viva_wallet_seconds = seconds

    # -- terminals

    def test_find_terminals(self):
        """The merchant's terminals, and one of them chosen."""
        self.viva.terminal(TERMINALS[1], status_id=7)
        action = self.vw.with_user(self.pos_manager).action_viva_find()
        wizard = self.env[action["res_model"]].with_user(self.pos_manager).browse(action["res_id"])
        found = {line.terminal: line.status for line in wizard.line_ids}
        self.assertEqual(found, {TERMINALS[0]: "live", TERMINALS[1]: "locked"})
        wizard.line_ids.filtered(lambda line: line.terminal == TERMINALS[1]).action_use()
        self.assertEqual(self.vw.viva_wallet_terminal_id, TERMINALS[1])

    def test_no_list(self):
        """Without the list there is a sentence."""
        self.vw.viva_wallet_client_secret = "wrong"
        with self.assertRaisesRegex(UserError, "client ID or the client secret"):
            self.vw.action_viva_find()
        self.vw.viva_wallet_client_secret = CLIENT_SECRET
        for fault in ("http_500", "html_200", "close_before", "truncated_json"):
            with self.subTest(fault=fault), self.quiet():
                self.viva.clear_faults()
                self.viva.fault("devices", fault)
                with self.assertRaises(UserError):
                    self.vw.action_viva_find()

    def test_terminal(self):
        """Live, not live, unknown, unreachable; and its health is kept."""
        self.assertEqual(self.message(self.vw.action_viva_test())[0], "success")
        terminal = self.vw._viva_pos_terminal()
        self.assertTrue(terminal.last_contact_at)
        self.viva.terminal(TERMINALS[0], status_id=0)
        kind, text = self.message(self.vw.action_viva_test())
        self.assertEqual(kind, "warning")
        self.assertIn("warehouse", text)
        self.vw.viva_wallet_terminal_id = "77777777"
        kind, text = self.message(self.vw.action_viva_test())
        self.assertEqual(kind, "danger")
        self.assertIn(TERMINALS[0], text)
        self.vw.viva_wallet_terminal_id = TERMINALS[0]
        self.viva.fault("devices", "http_500")
        with self.quiet():
            self.assertEqual(self.message(self.vw.action_viva_test())[0], "danger")
        self.assertTrue(terminal.last_error)
        self.assertFalse(self.viva.count_requests("sale"))

    # -- addresses

    def test_many_methods(self):
        """Address and secrets are per method: lists, exports and writes of several work."""
        both = self.vw + self.other_vw
        rows = both.read(["viva_wallet_webhook_endpoint", "viva_wallet_client_secret_set"])
        self.assertEqual(len({row["viva_wallet_webhook_endpoint"] for row in rows}), 2)
        both.write({"viva_wallet_merchant_id": MERCHANT_ID, "viva_wallet_seconds": 120})
        self.assertEqual(both.mapped("viva_wallet_seconds"), [120, 120])
        self.assertFalse(self.method.sudo().viva_wallet_webhook_endpoint)

    def test_address(self):
        """Route and parameters as Odoo's own addon had them; the token is ours."""
        token = self.vw.sudo().viva_wallet_webhook_token
        self.assertGreaterEqual(len(token), 32)
        self.assertEqual(
            self.address(), f"/pos_viva_wallet/notification?company_id={self.company.id}&token={token}"
        )
        self.vw.write({"viva_wallet_merchant_id": "other"})
        self.assertEqual(self.vw.sudo().viva_wallet_webhook_token, token)

    def test_copied(self):
        """A copy has an address of its own and no key; until it is typed nothing can be done with it."""
        copied = self.vw.copy()
        self.assertFalse(copied.viva_wallet_client_secret_set or copied.viva_wallet_api_key_set)
        tokens = (self.vw + copied).sudo().mapped("viva_wallet_webhook_token")
        self.assertEqual(len(set(tokens)), 2)
        with self.assertRaises(ValidationError):
            copied.viva_wallet_terminal_id = TERMINALS[1]
        secrets = {name: self.vw._servipay_secret(name) for name in SECRETS}
        copied.sudo().write({"viva_wallet_terminal_id": TERMINALS[1], **secrets})
        copied.sudo().viva_wallet_base_url = self.viva.url
        kind, text = self.message(copied.action_viva_credentials())
        self.assertEqual(kind, "success", text)
        self.assertEqual(self.method.copy().use_payment_terminal, "paypercloud")

    # -- secrets at rest

    def test_encrypted(self):
        """With a key in the configuration the stored secrets are encrypted, an archived method's too."""
        self.env.cr.execute("UPDATE pos_payment_method SET active = false WHERE id = %s", [self.other_vw.id])
        self.env.invalidate_all()
        self.company.servipay_api_key_sealed = False  # one that has no other secrets
        with patch.dict(os.environ, {"SERVIPAY_SECRET_KEYS": Fernet.generate_key().decode()}):
            self.env["res.config.settings"].create({}).action_servipay_seal()
            self.env.flush_all()
            for method in (self.vw + self.other_vw).sudo():
                self.env.cr.execute(
                    "SELECT viva_wallet_client_secret_sealed, viva_wallet_api_key_sealed "
                    "FROM pos_payment_method WHERE id = %s",
                    [method.id],
                )
                for stored in self.env.cr.fetchone():
                    self.assertTrue(stored.startswith("fernet:"))
            self.assertEqual(self.pay().state, "approved")

    def test_neutralized(self):
        """A copy of the database cannot move money, nor hear of the original's."""
        former = self.make_viva("Another terminal today", TERMINALS[1])
        former.use_payment_terminal = "paypercloud"
        self.check_neutralized(self.vw, self.viva.count_requests)
        self.assertFalse(former.viva_wallet_client_secret_set or former.viva_wallet_api_key_set)
        own = self.vw.sudo()
        self.assertTrue(own.viva_wallet_test_mode)
        self.assertFalse(own.viva_wallet_client_secret_set or own.viva_wallet_api_key_set)
        self.assertFalse(own.viva_wallet_webhook_token or own.viva_wallet_webhook_endpoint)

    def test_labels_are_not_those_of_odoos_own_addon(self):
        """Side by side with pos_viva_com an import or a filter would show each of them twice."""
        theirs = {"Merchant ID", "API Key", "Client ID", "Client secret", "Terminal ID", "Test mode"}
        ours = [field.string for name, field in self.vw._fields.items() if name.startswith("viva_wallet_")]
        self.assertFalse(theirs & set(ours))
        self.assertEqual(len(ours), len(set(ours)))

    def test_no_test_code_for_tills(self):
        """No file of this addon is in a till's bundle: the till's side is the layer's."""
        for name in ("point_of_sale._assets_pos", "point_of_sale.assets_prod", "web.assets_backend"):
            paths = self.env["ir.asset"]._get_asset_paths(name, {})
            self.assertFalse([path for path in paths if "pos_viva_wallet" in str(path)])

    def test_corrected_while_a_session_is_open(self):
        """A wrong secret is corrected while the shop is open; the kind of terminal is not changed then."""
        self.vw.write({"viva_wallet_client_secret": "new", "viva_wallet_terminal_id": TERMINALS[1]})
        with self.assertRaises(UserError):
            self.vw.write({"use_payment_terminal": "paypercloud"})

    def test_no_other_merchant_while_a_payment_is_open(self):
        """Nobody could be asked about it any more; a new secret of the same merchant is fine."""
        self.viva.script("wait")
        operation = self.pay()
        self.assertEqual(operation.state, "pending")
        changes = {
            "viva_wallet_merchant_id": "another",
            "viva_wallet_client_id": "another",
            "viva_wallet_test_mode": False,
            "viva_wallet_base_url": False,
        }
        for name, value in changes.items():
            with self.subTest(name), self.assertRaises(UserError) as refused:
                self.vw.write({name: value})
            self.assertIn("not known yet: 1", refused.exception.args[0])
        self.vw.write({name: self.vw.sudo()[name] for name in changes})
        self.vw.write({"viva_wallet_client_secret": CLIENT_SECRET, "viva_wallet_api_key": "new"})
        self.other_vw.write({"viva_wallet_merchant_id": "another"})
        operation._move("unknown")
        operation._move("failed", by="person")
        self.vw.write({"viva_wallet_merchant_id": "another"})

    def test_others_may_not(self):
        """Buttons are for those who may use them, whatever is called."""
        with self.assertRaises(AccessError):
            self.vw.with_user(self.pos_manager).action_viva_credentials()
        for action in ("action_viva_find", "action_viva_credentials", "action_viva_test"):
            with self.subTest(action=action), self.assertRaises(AccessError):
                getattr(self.vw.with_user(self.cashier), action)()
        stranger = self.make_user(
            "viva_stranger",
            "point_of_sale.group_pos_manager",
            self.env["res.company"].create({"name": "Next door"}),
        )
        with self.assertRaises(AccessError):
            self.vw.with_user(stranger).action_viva_find()
        self.assertEqual(self.viva.count_requests(), 0)
