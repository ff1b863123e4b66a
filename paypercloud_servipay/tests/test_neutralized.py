"""A neutralized copy of a database: no key, no address, and nothing that speaks with a provider."""

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import SQL

from .common import ApiCase, settings_for
from .neutralized import neutralize

# what holds a key or leads to a terminal, in all addons of the suite that are installed
ENDINGS = (
    *("_sealed", "_host", "_base_url", "_direct_url", "_token", "_verification_key", "_public_keys"),
    *("_terminal_pid", "_terminal_id"),
)


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestNeutralized(ApiCase):
    def columns(self):
        """Yield (table, column) of every key and address that the suite's addons store."""
        for model in self.env.values():
            if model._abstract or not model._auto or model._transient:
                continue
            for name, field in model._fields.items():
                ours = name.startswith(("servipay_", "viva_wallet_", "caisse_ap_", "paybox_", "ogone_"))
                text = field.store and field.type in ("char", "text")
                if ours and text and name.endswith(ENDINGS):
                    yield model._table, name

    def test_no_key_and_no_address_is_left(self):
        """Whatever an addon of the suite stores of the kind, its script must know it."""
        columns = sorted(set(self.columns()))
        self.assertIn(("res_company", "servipay_api_key_sealed"), columns)
        self.assertIn(("res_company", "servipay_base_url"), columns)
        self.env.flush_all()
        for place in columns:
            self.env.cr.execute(SQL("UPDATE %s SET %s = 'left'", *map(SQL.identifier, place)))
        neutralize(self)
        left = []
        for table, column in columns:
            names = SQL.identifier(table), SQL.identifier(column)
            self.env.cr.execute(SQL("SELECT 1 FROM %s WHERE %s IS NOT NULL LIMIT 1", *names))
            left += [(table, column)] * self.env.cr.rowcount
        self.assertFalse(left)
        self.env.cr.execute("SELECT pid FROM servipay_terminal WHERE pid NOT LIKE 'neutralized-%'")
        self.assertFalse(self.env.cr.fetchall())

    def test_nothing_is_sent_asked_or_cancelled(self):
        """Even with all keys and addresses back in place: the mark of the copy alone decides."""
        pending, draft = self.purchase(), self.operations._open(self.values())
        neutralize(self)
        self.assertFalse(pending.next_inquiry_at)
        self.company.write(settings_for(self.simulator))
        self.terminal.pid = "T1"
        asked, logs = len(self.simulator.requests), len(self.logs(pending))
        draft._start()
        self.assertEqual((draft.state, draft.reason), ("failed", "neutralized"))
        self.assertIn("neutralized copy", draft.explanation)
        self.assertIn("No money was moved", draft.explanation)
        pending._inquire()
        pending._cancel()
        self.assertEqual(pending.state, "pending", "silence is no outcome")
        self.assertEqual((len(self.simulator.requests), len(self.logs(pending))), (asked, logs))
        with self.assertRaisesRegex(UserError, "neutralized copy"):
            self.operations._check_neutralized()

    def test_the_scripts_alone_are_enough(self):
        """The second lock, where somebody took Odoo's mark away."""
        neutralize(self, flag=False)
        asked = len(self.simulator.requests)
        operation = self.purchase()
        self.assertEqual((operation.state, operation.reason), ("failed", "configuration"))
        self.assertEqual(len(self.simulator.requests), asked)
