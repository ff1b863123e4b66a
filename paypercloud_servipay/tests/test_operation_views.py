"""What the lists and analyses of operations add up: money that moved, with its sign, and nothing else."""

from lxml import etree

from odoo.tests import tagged

from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestOperationViews(ApiCase):
    def arch(self, kind):
        view = self.env.ref(f"paypercloud_servipay.servipay_operation_view_{kind}")
        return etree.fromstring(self.env["servipay.operation"].get_view(view.id)["arch"])

    def test_sum_is_the_money_that_moved(self):
        paid = self.paid(amount=24.5)
        refund = self.purchase(kind="refund", original_id=paid.id, amount=12.25)
        refund._inquire()
        self.simulator.script("declined")
        self.purchase(amount=100)._inquire()
        found = self.operations.search([("company_id", "=", self.company.id)])
        self.assertEqual(sorted(found.mapped("state")), ["approved", "approved", "declined"])
        self.assertAlmostEqual(sum(found.mapped("moved_amount")), 12.25)
        (total,) = self.operations._read_group([("id", "in", found.ids)], [], ["moved_amount:sum"])
        self.assertAlmostEqual(total[0], 12.25)

    def test_views_add_up_nothing_else(self):
        summed = self.arch("list").xpath("//field[@sum]/@name")  # other addons may add sums of their own
        self.assertIn("moved_amount", summed)
        self.assertFalse({"amount", "approved_amount"} & set(summed))
        for kind in ("pivot", "graph"):
            measures = self.arch(kind).xpath("//field[@type='measure']/@name")
            self.assertEqual(measures[:1], ["moved_amount"], kind)
            hidden = self.arch(kind).xpath("//field[@invisible]/@name")
            self.assertLessEqual({"amount", "approved_amount"}, set(hidden), kind)

    def test_counters_are_no_measures(self):
        described = self.operations.fields_get(["inquiry_count", "moved_amount"])
        keys = ("aggregator", "group_operator")
        self.assertFalse(any(described["inquiry_count"].get(key) for key in keys))
        self.assertTrue(any(described["moved_amount"].get(key) for key in keys))
