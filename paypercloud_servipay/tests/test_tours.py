"""One browser tour, so that an integrator's own test run covers the tester's screen."""

from odoo.tests import tagged

from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay", "servipay_tour")
class TestTours(ApiCase):
    def test_api_tester(self):
        url = "/web#action=paypercloud_servipay.servipay_api_tester_action"
        self.start_tour(url, "servipay_api_tester", login="servipay_manager")
        operation = self.operations.search([("company_id", "=", self.company.id), ("channel", "=", "tester")])
        self.assertEqual(operation.mapped("amount"), [12.5])
        self.assertEqual(self.simulator.count_charges(), 1)
