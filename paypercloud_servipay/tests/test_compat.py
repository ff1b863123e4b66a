"""What compat translates on 17.0 must be there on all series."""

from odoo.tests import TransactionCase, tagged

from ..compat import SERIES


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestCompat(TransactionCase):
    def test_views(self):
        listed = self.env.ref("paypercloud_servipay.servipay_operation_view_list")
        self.assertEqual(listed.type, "tree" if SERIES < 18 else "list")
        action = self.env.ref("paypercloud_servipay.servipay_operation_action")
        self.assertEqual(action.view_mode.split(",")[0], listed.type)
        form = self.env["servipay.operation"].get_view(view_type="form")["arch"]
        self.assertIn("oe_chatter" if SERIES < 18 else "<chatter", form)

    def test_every_view_of_ours_renders(self):
        data = self.env["ir.model.data"].search(
            [("module", "=", "paypercloud_servipay"), ("model", "=", "ir.ui.view")]
        )
        views = self.env["ir.ui.view"].browse(data.mapped("res_id"))
        self.assertGreater(len(views), 20)
        for view in views.filtered("model"):
            self.env[view.model].get_view(view.id, view.type)

    def test_scheduled_jobs_keep_running(self):
        for name in ("cron_settle", "cron_notifications"):
            cron = self.env.ref(f"paypercloud_servipay.{name}")
            self.assertTrue(cron.active)
            if SERIES < 18:
                self.assertEqual(cron.numbercall, -1)
            cron.method_direct_trigger()

    def test_groups_stand_under_our_heading(self):
        manager = self.env.ref("paypercloud_servipay.group_manager")
        category = self.env.ref("paypercloud_servipay.module_category")
        heading = manager.privilege_id.category_id if SERIES >= 19 else manager.category_id
        self.assertEqual(heading, category)
        self.assertIn(manager, self.env.ref("base.group_system").implied_ids)

    def test_constraints_are_in_the_database(self):
        self.env.cr.execute(
            "SELECT conname FROM pg_constraint WHERE conname LIKE 'servipay_terminal_pid_once'"
        )
        self.assertTrue(self.env.cr.fetchone())
        self.env.cr.execute(
            "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'servipay_operation_one_%'"
        )
        self.assertEqual(len(self.env.cr.fetchall()), 2)
