from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged

from odoo.addons.paypercloud_servipay.compat import SERIES

THEIRS = {
    "fr_caisse_ap_ip_address": "varchar",
    "fr_caisse_ap_ip_port": "integer",
    "fr_caisse_ap_ip_mode": "varchar",
    "fr_caisse_ap_ip_fast_payment": "boolean",
}


@tagged("post_install", "-at_install")
class TestTakeover(TransactionCase):
    """OCA's module, of which only the columns and values are there: made with SQL, gone with the test."""

    def setUp(self):
        super().setUp()
        self.methods = self.env["pos.payment.method"]
        self.settings = self.env["res.config.settings"].create({})

    def add_columns(self, names=tuple(THEIRS)):
        """Make what the other module's fields leave in the database."""
        for name in names:
            self.env.cr.execute(
                f"ALTER TABLE pos_payment_method ADD COLUMN IF NOT EXISTS {name} {THEIRS[name]}"
            )

    def make(self, name, terminal="fr-caisse_ap_ip", **theirs):
        """Return a method as the other module would have left it."""
        journal = self.env["account.journal"].create({"name": name, "code": name[:5], "type": "bank"})
        method = self.methods.create({"name": name, "journal_id": journal.id})
        method.flush_recordset()
        values = {"use_payment_terminal": terminal, **theirs}
        for column, value in values.items():
            self.env.cr.execute(
                f"UPDATE pos_payment_method SET {column} = %s WHERE id = %s", [value, method.id]
            )
        method.invalidate_recordset()
        return method

    def take(self):
        """Press the button and return (type, message)."""
        told = self.settings.action_caisse_ap_takeover()["params"]
        self.env.invalidate_all()
        return told["type"], told["message"]

    def test_without_the_columns(self):
        """Nothing is offered and nothing happens where the other module never was."""
        if not self.methods._caisse_ap_takeover_possible():
            self.assertFalse(self.settings.caisse_ap_takeover_possible)
            self.assertEqual(self.take(), ("success", "0 payment methods were taken over."))

    def test_taken_over(self):
        """Address, port, mode and terminal come along; journal and others' methods stay; again is nothing."""
        self.add_columns()
        card = self.make(
            "Carte",
            fr_caisse_ap_ip_address=" TPE-1.Shop.local. ",
            fr_caisse_ap_ip_port=9999,
            fr_caisse_ap_ip_mode="card",
            fr_caisse_ap_ip_fast_payment=False,
        )
        check = self.make("Cheque", fr_caisse_ap_ip_address="192.168.1.50", fr_caisse_ap_ip_mode="check")
        ancv = self.make("ANCV", fr_caisse_ap_ip_address="192.168.1.51", fr_caisse_ap_ip_mode="ancv")
        off = self.make("Off", terminal=None, fr_caisse_ap_ip_address="192.168.1.52")
        journals = (card + check + ancv).mapped("journal_id")
        fields = {"company_id": {}, "caisse_ap_takeover_possible": {}}
        # as the web client opens the form
        shown = self.env["res.config.settings"].onchange({}, [], fields)["value"]
        self.assertTrue(shown["caisse_ap_takeover_possible"])
        self.assertEqual(self.take(), ("success", "3 payment methods were taken over."))
        self.assertEqual(set((card + check + ancv).mapped("use_payment_terminal")), {"caisse_ap_ip"})
        if SERIES >= 18:
            self.assertEqual(set((card + check + ancv).mapped("payment_method_type")), {"terminal"})
        self.assertEqual(
            (card.caisse_ap_host, card.caisse_ap_port, card.caisse_ap_mode, card.servipay_fast_payment),
            ("tpe-1.shop.local", 9999, "card", False),
        )
        self.assertEqual(
            (check.caisse_ap_host, check.caisse_ap_port, check.caisse_ap_mode, check.servipay_fast_payment),
            ("192.168.1.50", 8888, "check", True),
        )
        self.assertEqual(ancv.caisse_ap_mode, "ancv")
        self.assertEqual((card + check + ancv).mapped("journal_id"), journals)
        self.assertFalse(off.use_payment_terminal)
        self.assertFalse(off.caisse_ap_host)
        self.assertEqual(self.take(), ("success", "0 payment methods were taken over."))

    def test_what_cannot_be_taken_over(self):
        """One bad method does not stop the others, and each says why."""
        self.add_columns()
        good = self.make("Good", fr_caisse_ap_ip_address="10.0.0.5")
        wrong = {
            "No address": {"fr_caisse_ap_ip_address": None},
            "With port": {"fr_caisse_ap_ip_address": "10.0.0.6:8888"},
            "Local": {"fr_caisse_ap_ip_address": "127.0.0.1"},
            "Port": {"fr_caisse_ap_ip_address": "10.0.0.7", "fr_caisse_ap_ip_port": 0},
            "Mode": {"fr_caisse_ap_ip_address": "10.0.0.8", "fr_caisse_ap_ip_mode": "coupon"},
        }
        left = [self.make(name, **values) for name, values in wrong.items()]
        kind, message = self.take()
        self.assertEqual(kind, "warning")
        self.assertIn("1 payment methods were taken over.", message)
        for method in left:
            self.assertIn(f"“{method.name}” was not: ", message)
            self.assertFalse(method.caisse_ap_host)
        self.assertIn("coupon", message)
        self.assertEqual(good.use_payment_terminal, "caisse_ap_ip")

    def test_an_older_release(self):
        """A release without some of the columns is taken over all the same."""
        self.add_columns(["fr_caisse_ap_ip_address"])
        self.env.cr.execute(
            "ALTER TABLE pos_payment_method DROP COLUMN IF EXISTS fr_caisse_ap_ip_port,"
            " DROP COLUMN IF EXISTS fr_caisse_ap_ip_mode"
        )
        method = self.make("Old", fr_caisse_ap_ip_address="10.0.0.5")
        self.assertEqual(self.take()[0], "success")
        self.assertEqual((method.caisse_ap_port, method.caisse_ap_mode), (8888, "card"))

    def test_archived_and_other_company(self):
        """All of them, wherever they are."""
        self.add_columns()
        company = self.env["res.company"].create({"name": "Other shop"})
        archived = self.make("Gone", fr_caisse_ap_ip_address="10.0.0.5")
        other = self.make("There", fr_caisse_ap_ip_address="10.0.0.6", company_id=company.id)
        archived.active = False
        self.take()
        self.assertEqual({archived.use_payment_terminal, other.use_payment_terminal}, {"caisse_ap_ip"})

    def test_only_administrators(self):
        """A manager of the point of sale may not."""
        user = new_test_user(self.env, "ap_manager", groups="base.group_user,point_of_sale.group_pos_manager")
        with self.assertRaises(AccessError):
            self.methods.with_user(user)._caisse_ap_takeover()
