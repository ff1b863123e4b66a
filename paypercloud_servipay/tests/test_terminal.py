"""Terminals: found at their first use, tested without moving anything, healthy or not."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestTerminal(ApiCase):
    def test_stored_at_first_use(self):
        terminals = self.env["servipay.terminal"]
        typed = terminals._find_or_new(self.company, "paypercloud", "T2")
        self.assertFalse(terminals.search([("pid", "=", "T2")]))
        number = typed._stored_id()
        found = terminals._find_or_new(self.company, "paypercloud", "T2")
        self.assertEqual((found.id, found._stored_id()), (number, number))
        self.assertEqual((found.name, found.pid, found.company_id), ("T2", "T2", self.company))
        self.assertEqual(terminals._find_or_new(self.company, "paypercloud", "T1"), self.terminal)
        self.assertIs(terminals._find_or_new(self.company, "paypercloud", "")._stored_id(), False)

    def test_stored_at_first_successful_test(self):
        """An address that was only tried, in vain, is no terminal."""
        terminals = self.env["servipay.terminal"]

        def test():
            return terminals._find_or_new(self.company, "paypercloud", "T2").action_test()["params"]["type"]

        self.simulator.stop()
        try:
            self.assertEqual(test(), "danger")
        finally:
            self.simulator.start()
        self.assertFalse(terminals.search([("pid", "=", "T2")]))
        self.assertEqual(test(), "success")
        self.assertTrue(terminals.search([("pid", "=", "T2")]).last_contact_at)

    def test_button(self):
        action = self.terminal.with_user(self.manager).action_test()
        self.assertEqual(action["params"]["type"], "success")
        self.assertTrue(self.terminal.last_contact_at)
        logs = self.env["servipay.api.log"].search([("terminal_id", "=", self.terminal.id)])
        self.assertTrue(logs)
        self.assertTrue(all("T1" in log.url for log in logs))
        self.assertFalse(self.simulator.charges)
        with self.assertRaises(AccessError):
            self.terminal.with_user(self.reader).action_test()

    def test_button_says_what_is_wrong(self):
        self.terminal.pid = "T9"
        self.assertNotEqual(self.terminal.action_test()["params"]["type"], "danger")
        self.simulator.stop()
        try:
            params = self.terminal.action_test()["params"]
        finally:
            self.simulator.start()
        self.assertEqual(params["type"], "danger")
        self.assertIn("could not be reached", params["message"])
        self.assertTrue(self.terminal.last_error)
        self.company.servipay_base_url = False
        with self.assertRaises(UserError):
            self.terminal.action_test()

    def test_health(self):
        for outcome in ("approved", "declined", "approved", "failed"):
            self.simulator.script(outcome)
            self.purchase(terminal_id=self.terminal.id)._inquire()
        self.env.flush_all()
        self.terminal.invalidate_recordset()
        self.assertEqual(self.terminal.operation_count, 4)
        self.assertAlmostEqual(self.terminal.success_rate, 0.75)
        self.assertFalse(self.terminal.holder_id)
