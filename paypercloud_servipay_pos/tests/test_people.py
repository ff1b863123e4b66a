"""Who of a shop is told about a payment that somebody has to look at."""

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import TillCase


@tagged("post_install", "-at_install", "paypercloud_servipay_pos")
class TestPeople(TillCase):
    def unknown(self):
        """Return the operation of a payment whose answer was lost."""
        self.simulator.fault("purchase", "close_after", times=1)
        snapshot = self.start(60, name="Order 0012")
        self.assertEqual(snapshot["state"], "unknown")
        return self.operation(snapshot["key"])

    def test_shops_managers_are_told_and_no_administrator(self):
        stranger = self.env["res.company"].create({"name": "Another shop"})
        other = self.make_user("servipay_other", "base.group_user,point_of_sale.group_pos_manager", stranger)
        told = self.unknown().activity_ids
        self.assertIn(self.pos_manager, told.user_id)
        self.assertNotIn(other, told.user_id)
        self.assertFalse(told.user_id.filtered(lambda user: user.has_group("base.group_system")))

    def test_notified_users_are_told_and_nobody_else(self):
        accountant = self.make_user("servipay_told", "paypercloud_servipay.group_user")
        gone = self.make_user("servipay_gone", "point_of_sale.group_pos_manager")
        gone.active = False
        self.config.servipay_user_ids = accountant | gone
        operation = self.unknown()
        self.assertEqual(operation.activity_ids.user_id, accountant)
        self.assertIn("60.00", operation.activity_ids.summary)
        self.assertIn("Order 0012", operation.activity_ids.summary)

    def test_companys_person_is_the_last_resort(self):
        self.company.servipay_responsible_id = person = self.make_user(
            "servipay_person", "paypercloud_servipay.group_manager"
        )
        users = self.env["res.users"].search([("company_ids", "in", self.company.id)])
        users.filtered(lambda user: user.has_group("point_of_sale.group_pos_manager")).active = False
        self.assertEqual(self.unknown().activity_ids.user_id, person)

    def test_whoever_is_told_may_read_it(self):
        operation = self.unknown()
        self.assertTrue(operation.with_user(self.pos_manager).read(["name", "explanation", "terminal_id"]))


@tagged("post_install", "-at_install", "paypercloud_servipay_pos")
class TestDecision(TillCase):
    def test_manager_decides_how_much_was_paid(self):
        """Case A9: 900.05 asked, 450.02 taken; "paid" booked 900.05."""
        snapshot = self.settled(self.start(900.05))
        key = snapshot["key"]
        self.assertEqual((snapshot["state"], snapshot["answered"]), ("unknown", 450.02))
        manager = self.till(self.pos_manager)
        for amount in (None, 900.06):
            with self.assertRaises(UserError):
                manager._servipay_resolve(key, "approved", "slip", amount)
        answer = manager._servipay_resolve(key, "approved", "slip", 450.02)
        self.assertEqual((answer["state"], answer["paid"], answer["open"]), ("approved", 450.02, False))
        self.assertEqual(self.operation(key).moved_amount, 450.02)

    def test_till_is_told_when_the_provider_says_the_contrary(self):
        """Case A10: "not paid" of a charged payment, before anybody asked."""
        self.simulator.fault("purchase", "close_after", times=1)
        key = self.start(60)["key"]
        answer = self.till(self.pos_manager)._servipay_resolve(key, "failed", "the customer says so")
        self.assertEqual((answer["state"], answer["open"]), ("failed", False))
        operation = self.operation(key)
        with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"):
            operation._inquire()
        answer = self.till()._servipay_state([key])[0]
        self.assertEqual((answer["open"], answer["contradicted"]), (True, True))
        self.assertIn(self.pos_manager, operation.activity_ids.user_id)
