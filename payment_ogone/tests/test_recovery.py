"""The way back from Worldline's provider, to which Odoo's own upgrade moved an Ogone account.

What needs Odoo's payment_worldline is skipped where it is not installed; tests/takeover installs it."""

from unittest import SkipTest

from odoo import Command
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged

LOGGER = "odoo.addons.payment_ogone.wizards.payment_ogone_recovery"
PASSWORD, IN, DIRECTLINK, OUT = "Old-secret-1", "In-passphrase-01", "Direct-passphrase", "Out-passphrase-1"
KEYS = {"shakey_in": IN, "shakey_out": OUT}


class RecoveryCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env["res.company"].create({"name": "Recovered shop"})
        cls.env.user.company_ids += cls.company
        cls.env = cls.env(context={**cls.env.context, "allowed_company_ids": cls.company.ids})
        providers = cls.env["payment.provider"]
        own = [("company_id", "=", cls.company.id)]
        # 19.0 makes one for each company
        cls.provider = providers.search([("code", "=", "ogone"), *own]) or providers.browse(
            cls.env.ref("payment_ogone.payment_provider_ogone").copy({"company_id": cls.company.id}).id
        )
        cls.admin = cls.user("ogone_recoverer", "base.group_system")

    @classmethod
    def user(cls, login, groups):
        """Return a user of the company."""
        of = {"company_id": cls.company.id, "company_ids": [Command.set(cls.company.ids)]}
        return new_test_user(cls.env, login, groups=groups, **of)

    def dialog(self, **values):
        """Return the dialog as the button of the form opens it, filled in by an administrator."""
        action = self.provider.with_user(self.admin).action_ogone_recover()
        dialogs = self.env[action["res_model"]].with_user(self.admin).with_context(**action["context"])
        return dialogs.create(values)

    def refused(self, part, dialog, error=UserError):
        """Assert that a dialog is refused with a sentence."""
        with self.assertRaises(error) as caught, self.cr.savepoint():
            dialog.action_recover()
        self.assertIn(part, str(caught.exception))


@tagged("post_install", "-at_install", "payment_ogone")
class TestNothingToRecover(RecoveryCase):
    def setUp(self):
        super().setUp()
        if "worldline_pspid" in self.env["payment.provider"]._fields:
            self.env["payment.provider"].search([("code", "=", "worldline")]).worldline_pspid = False

    def test_the_button_is_hidden(self):
        self.assertFalse(self.provider.ogone_recoverable)
        arch = self.env["payment.provider"].get_view(view_type="form")["arch"]
        self.assertIn('invisible="not ogone_recoverable"', arch)

    def test_it_says_so(self):
        self.refused("nothing to recover", self.dialog(**KEYS))
        self.assertFalse(self.provider.ogone_pspid)

    def test_administrators_only(self):
        user = self.user("ogone_other", "paypercloud_servipay.group_manager")
        with self.assertRaises(UserError):
            self.provider.with_user(user).action_ogone_recover()
        with self.assertRaises(AccessError):
            self.env["payment.ogone.recovery"].with_user(user).create({"provider_id": self.provider.id})


@tagged("post_install", "-at_install", "payment_ogone")
class TestRecovery(RecoveryCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        providers = cls.env["payment.provider"]
        if "worldline_pspid" not in providers._fields:
            raise SkipTest("Odoo's payment_worldline is not installed here; see tests/takeover.")
        cls.source = providers.search([("code", "=", "worldline"), ("company_id", "=", cls.company.id)])
        if not cls.source:
            first = providers.search([("code", "=", "worldline")], limit=1)
            cls.source = providers.browse(first.copy({"company_id": cls.company.id}).id)
        # as the upgrade leaves it
        cls.source.write(
            {
                "worldline_pspid": "oldshop",
                "worldline_api_key": "olduser",
                "worldline_api_secret": PASSWORD,
                "state": "disabled",
            }
        )
        cls.customer = cls.env["res.partner"].create({"name": "Jeanne Valier"})
        cls.method = cls.env.ref("payment.payment_method_card")
        cls.cards = cls.card("ODOO-ALIAS-1") + cls.card("ODOO-ALIAS-2")
        cls.other = cls.card("0c7f2b1a-of-worldline")

    @classmethod
    def card(cls, reference):
        """Return a saved card of the Worldline provider."""
        return cls.env["payment.token"].create(
            {
                "provider_id": cls.source.id,
                "payment_method_id": cls.method.id,
                "partner_id": cls.customer.id,
                "payment_details": "1111",
                "provider_ref": reference,
            }
        )

    def secrets(self):
        """Return the secrets of the Ogone provider in clear."""
        return {name: self.provider._servipay_secret(name) for name in self.provider._servipay_secrets()}

    def message(self, dialog):
        """Press the button; the sentence shown."""
        return dialog.action_recover()["params"]["message"]

    def test_the_form_shows_what_was_found(self):
        self.assertTrue(self.provider.ogone_recoverable)
        action = self.provider.with_user(self.admin).action_ogone_recover()
        dialogs = self.env[action["res_model"]].with_user(self.admin).with_context(**action["context"])
        with Form(dialogs) as form:
            self.assertEqual((form.pspid, form.userid), ("oldshop", "olduser"))
            self.assertEqual((form.token_count, form.other_token_count), (2, 1))
            self.assertTrue(form.password_found)
            form.shakey_in, form.shakey_out = IN, OUT
        form.record.action_recover()
        self.assertEqual(self.provider.ogone_pspid, "oldshop")

    def test_the_account_is_copied_and_stays_disabled(self):
        dialog = self.dialog(**KEYS, shakey_in_directlink=DIRECTLINK, hash_function="sha256")
        text = self.message(dialog)
        self.assertIn("oldshop", text)
        self.assertIn("Test connection", text)
        self.assertEqual((self.provider.ogone_pspid, self.provider.ogone_userid), ("oldshop", "olduser"))
        self.assertEqual((self.provider.ogone_hash_function, self.provider.state), ("sha256", "disabled"))
        self.assertEqual(
            self.secrets(),
            {
                "ogone_password": PASSWORD,
                "ogone_shakey_in": IN,
                "ogone_shakey_in_directlink": DIRECTLINK,
                "ogone_shakey_out": OUT,
            },
        )
        self.assertEqual(self.source.worldline_pspid, "oldshop")
        self.assertFalse(self.cards.filtered(lambda card: card.provider_id != self.source))
        self.provider.state = "enabled"

    def test_no_secret_is_shown_or_logged_or_kept(self):
        provider = self.provider.with_user(self.admin)
        with self.assertLogs("odoo", "DEBUG") as caught:
            # each is read by the call that it was written in, as the web client does
            dialog = self.dialog(**KEYS, move_tokens=True)
            shown = str(dialog.read()) + str(dialog.action_recover()) + str(provider.read())
        for secret in (PASSWORD, IN, OUT):
            self.assertNotIn(secret, shown)
            self.assertNotIn(secret, "".join(line for line in caught.output if "sql_db" not in line))
        self.assertTrue(any(LOGGER in line for line in caught.output))
        self.assertFalse(any(dialog.sudo()[f"{name}_sealed"] for name in KEYS))

    def test_sealed_fields_cannot_be_read(self):
        with self.assertRaises(AccessError):
            self.dialog(**KEYS).read(["shakey_in_sealed"])

    def test_keys_are_needed(self):
        self.refused("SHA Key IN and SHA Key OUT", self.dialog(shakey_in=IN))
        self.assertFalse(self.provider.ogone_pspid)

    def test_twice_is_once(self):
        dialog = self.dialog(**KEYS, move_tokens=True)
        self.message(dialog)
        before = (self.secrets(), self.cards.provider_id)
        self.assertIn("no saved card", self.message(dialog))
        self.assertIn("no saved card", self.message(self.dialog(move_tokens=True)))
        self.assertEqual((self.secrets(), self.cards.provider_id), before)

    def test_saved_cards_of_ogone_are_moved(self):
        self.assertIn("Saved cards moved: 2.", self.message(self.dialog(**KEYS, move_tokens=True)))
        self.assertEqual(self.cards.provider_id, self.provider)
        self.assertEqual(self.cards.company_id, self.company)
        self.assertEqual(self.other.provider_id, self.source)
        self.assertTrue(all(self.cards.mapped("active")))
        self.provider.state = "enabled"
        self.assertTrue(all(self.cards.mapped("active")))
        found = self.cards._get_available_tokens(self.provider.ids, self.customer.id)
        self.assertEqual(found, self.cards.sorted("id", reverse=True))

    def test_other_cards_when_they_are_asked_for(self):
        self.message(self.dialog(**KEYS, move_tokens=True, all_tokens=True))
        self.assertEqual((self.cards + self.other).provider_id, self.provider)

    def test_archived_cards_stay_archived(self):
        self.cards[0].active = False
        self.assertIn("2, of which 1 were archived", self.message(self.dialog(**KEYS, move_tokens=True)))
        self.assertFalse(self.cards[0].active)

    def test_the_way_on(self):
        """What CONFIGURE says: attached to Worldline's provider while it is enabled, cards survive."""
        self.message(self.dialog(**KEYS, move_tokens=True))
        self.provider.state = "enabled"
        hooks = {"worldline_webhook_key": "key", "worldline_webhook_secret": "secret"}
        self.source.write({**hooks, "payment_method_ids": [Command.link(self.method.id)]})
        self.source.state = "enabled"
        self.env["payment.token"].search([("provider_id", "=", self.provider.id)]).provider_id = self.source
        self.provider.state = "disabled"
        self.assertTrue(all(self.cards.mapped("active")))
        self.assertEqual(self.cards.provider_id, self.source)

    def test_a_provider_in_use_keeps_its_account(self):
        self.provider.write(
            {
                "ogone_pspid": "newshop",
                "ogone_userid": "newuser",
                "ogone_password": "New-secret-1",
                "ogone_shakey_in": "New-in-passphrase",
                "ogone_shakey_out": "New-out-passphrase",
                "state": "enabled",
            }
        )
        before = self.secrets()
        self.refused("in use", self.dialog(**KEYS))
        self.message(self.dialog(**KEYS, move_tokens=True))
        self.assertEqual((self.secrets(), self.provider.ogone_pspid), (before, "newshop"))
        self.assertEqual(self.cards.provider_id, self.provider)
        self.assertTrue(all(self.cards.mapped("active")))

    def test_what_is_missing_replaces_nothing(self):
        self.provider.write({"ogone_userid": "kept", "ogone_password": "Kept-secret-1"})
        self.source.write({"worldline_api_key": False, "worldline_api_secret": False})
        self.assertIn("enter them", self.message(self.dialog(**KEYS)))
        self.assertEqual(self.provider.ogone_userid, "kept")
        self.assertEqual(self.secrets()["ogone_password"], "Kept-secret-1")

    def test_a_pspid_that_is_none_is_refused_whole(self):
        self.source.worldline_pspid = "no pspid!"
        self.refused("PSPID", self.dialog(**KEYS, move_tokens=True), ValidationError)
        self.assertFalse(self.secrets()["ogone_shakey_in"])
        self.assertEqual(self.cards.provider_id, self.source)

    def test_not_from_another_company(self):
        other = self.source.copy({"company_id": self.env.ref("base.main_company").id})
        other.worldline_pspid = "othershop"
        self.refused("nothing to recover", self.dialog(**KEYS, source_id=other.id))
        self.source.worldline_pspid = False
        self.assertFalse(self.provider.ogone_recoverable)

    def test_only_into_an_ogone_provider(self):
        self.refused("nothing to recover", self.dialog(**KEYS, provider_id=self.source.id))
