import uuid

from odoo.exceptions import AccessError
from odoo.tests import Form, tagged

from odoo.addons.paypercloud_servipay_pos.models.books import differences

from .books_case import BooksCase


@tagged("post_install", "-at_install")
class TestTold(BooksCase):
    """Who hears of what differs."""

    def setUp(self):
        super().setUp()
        self.config.servipay_user_ids = self.pos_manager

    def close(self, session=None):
        """Close a session as the till does."""
        session = session or self.session
        return session.with_user(self.cashier).close_session_from_ui()

    def job(self, minutes=20):
        """Let the job run, as if everything so far were that old."""
        self.env.cr.execute(
            "UPDATE servipay_operation SET create_date = create_date - make_interval(mins => %s),"
            " settled_at = settled_at - make_interval(mins => %s)",
            [minutes, minutes],
        )
        self.env.invalidate_all()
        self.env["servipay.operation"]._cron_pos_books()

    def test_closing_waits_for_a_card_at_work(self):
        """Whatever way it is closed; the sentence says who pays and where."""
        operation = self.at_work(18.5)
        answer = self.close()
        self.assertFalse(answer["successful"])
        for part in (operation.name, "18.50", self.cashier.name, operation.terminal_id.display_name):
            self.assertIn(part, answer["message"])
        manager = self.session.with_user(self.pos_manager)
        for call in (
            manager.action_pos_session_closing_control,
            manager.action_pos_session_close,
            lambda: self.session.with_user(self.cashier).write({"state": "closed"}),
        ):
            with self.refused("a card is at work"):
                call()
        self.assertEqual(self.session.state, "opened")

    def test_overdue_payment_does_not_block_the_closing(self):
        """It becomes unknown, which people are told."""
        operation = self.at_work(18.5)
        self.env.cr.execute("UPDATE servipay_operation SET deadline_at = now() - interval '1 minute'")
        self.env.invalidate_all()
        self.assertTrue(self.close()["successful"])
        self.assertEqual((operation.state, self.session.state), ("unknown", "closed"))
        self.assertIn(operation.name, self.session.servipay_closing_text)
        self.assertTrue(self.alerts("closing_differs"))

    def test_closing_keeps_and_tells_what_differs(self):
        self.save(10, self.card(self.paid(10)))
        orphan = self.paid(41)
        self.assertTrue(self.close()["successful"])
        session = self.session
        amounts = session.servipay_moved, session.servipay_recorded, session.servipay_difference
        self.assertEqual(amounts, (51, 10, 41))
        self.assertIn(orphan.name, session.servipay_closing_text)
        self.assertIn("41.00", session.message_ids.filtered(lambda m: "Terminals moved" in m.body).body)
        [alert] = self.alerts("closing_differs")
        self.assertEqual((alert.amount, alert.user_ids), (41, self.pos_manager))
        self.assertEqual(session.activity_ids.user_id, self.pos_manager)

    def test_closing_by_rpc_is_told_too(self):
        """A cashier may write the state from a browser's console."""
        self.paid(41)
        self.session.with_user(self.cashier).write({"state": "closed"})
        self.assertEqual((self.session.servipay_difference, self.alerts().kind), (41, "closing_differs"))

    def test_closing_without_difference_tells_nobody(self):
        self.save(10, self.card(self.paid(10)))
        self.close()
        self.assertEqual((self.session.servipay_moved, self.session.servipay_difference), (10, 0))
        self.assertFalse(self.session.servipay_closing_text)
        self.assertFalse(self.alerts())

    def test_paid_after_the_closing_is_told_at_once(self):
        """A decision of a manager, or an answer that came late: taken, and in no order."""
        operation = self.unknown(18.5)
        self.close()
        operation._resolve("approved", "seen on the slip")
        [alert] = self.alerts("no_order")
        self.assertEqual((alert.amount, alert.user_ids), (18.5, self.pos_manager))
        self.assertEqual(operation.activity_ids.user_id, self.pos_manager)

    def test_payment_that_vanishes_under_a_paid_order_is_told_at_once(self):
        """A void in the back office, or a reversal that the provider reports."""
        operation = self.paid(10)
        order = self.save(10, self.card(operation))
        operation._give_back(uuid.uuid4().hex, 10, void=True)
        operation.child_ids._inquire()
        self.assertEqual(operation.state, "reversed")
        [alert] = self.alerts("not_backed")
        self.assertEqual((alert.amount, alert.reference), (10, order.pos_reference))

    def test_refund_of_the_back_office_is_told_at_once(self):
        """Money went back, and no order shows it."""
        operation = self.paid(10)
        self.save(10, self.card(operation))
        operation._give_back(uuid.uuid4().hex, 4)
        operation.child_ids._inquire()
        [alert] = self.alerts("no_order")
        self.assertEqual(alert.amount, -4)
        self.assertEqual(operation.child_ids.pos_difference, -4)

    def test_job_tells_what_no_order_records(self):
        """Once, after the minutes that a till may need, to the people of the shop."""
        operation = self.paid(41)
        self.job(minutes=5)
        self.assertFalse(self.alerts())
        self.job(minutes=15)
        self.job()
        [alert] = self.alerts()
        self.assertEqual((alert.kind, alert.amount, alert.user_ids), ("no_order", 41, self.pos_manager))
        self.assertEqual(alert.res_id, operation.id)

    def test_order_that_comes_after_the_alert_ends_its_activity(self):
        """A till that was offline for long: the alert stays in the list, and is nobody's task any more."""
        operation = self.paid(41)
        self.job()
        self.assertTrue(operation.activity_ids)
        self.save(41, self.card(operation))
        self.assertFalse(operation.activity_ids)

    def test_minutes_of_the_job_are_a_setting(self):
        self.env["ir.config_parameter"].set_param("paypercloud_servipay_pos.minutes_without_order", "120")
        self.paid(41)
        self.job(minutes=60)
        self.assertFalse(self.alerts())

    def test_job_tells_what_no_terminal_took(self):
        """Whatever way it came into the database."""
        self.paid(1)
        order = self.save(52, self.cash_line(52))
        self.env.cr.execute(
            "UPDATE pos_payment SET payment_method_id = %s WHERE id = %s",
            [self.method.id, order.payment_ids.id],
        )
        self.env.invalidate_all()
        self.job(minutes=5)
        [alert] = self.alerts()
        self.assertEqual((alert.kind, alert.amount), ("not_backed", 52))

    def test_job_leaves_an_open_table_alone(self):
        """A part of a table is paid: Odoo knows, and its till shows it."""
        self.save(18.5, self.card(self.paid(10)), draft=True)
        self.job(minutes=60)
        self.assertFalse(self.alerts())
        self.job(minutes=60 * 24)
        self.assertTrue(self.alerts("no_order"))

    def test_payment_and_its_refund_outside_of_orders_are_even(self):
        """The customer has his money back: nothing differs."""
        operation = self.paid(10)
        operation._give_back(uuid.uuid4().hex, 10)
        operation.child_ids._inquire()
        both = operation | operation.child_ids
        self.assertEqual(both.mapped("state"), ["approved"] * 2)
        self.assertFalse(differences(both, self.env["pos.payment"]))
        self.assertTrue(both.pos_dealt_with_id, "nor is it an accountant's task")

    # ------------------------------------------------------------------
    # The next till, and the accountant
    # ------------------------------------------------------------------

    def test_till_is_silent_about_what_was_dealt_with(self):
        operation = self.paid(41)
        self.assertTrue(self.till()._servipay_open())
        with self.assertRaises(AccessError):
            operation.with_user(self.cashier).action_pos_dealt_with()
        operation.with_user(self.pos_manager).action_pos_dealt_with()  # who was told of it
        self.assertEqual(operation.pos_dealt_with_id, self.pos_manager)
        self.assertFalse(self.till()._servipay_open())

    def test_next_session_is_told_what_the_last_one_left_behind(self):
        """At once, until somebody has dealt with it."""
        operation = self.paid(41)
        self.close()
        session = self.open_till(self.config)
        told = self.till(session=session)._servipay_open()
        self.assertEqual([one["key"] for one in told], [operation.idempotency_key])
        self.assertIn("41.00", told[0]["orphan"])
        self.assertFalse(self.till(session=self.other_session)._servipay_open())
        operation.action_pos_dealt_with()
        self.assertFalse(self.till(session=session)._servipay_open())
        self.assertFalse(operation.activity_ids)

    def test_accountant_finds_what_is_in_no_order(self):
        """With "Payments: read" and Invoicing only."""
        orphan, payment = self.paid(41), self.paid(10)
        order = self.save(10, self.card(payment))
        accountant = self.make_user(
            "servipay_reader", "account.group_account_invoice,paypercloud_servipay.group_user"
        )
        operations = self.env["servipay.operation"].with_user(accountant)
        action = self.env.ref("paypercloud_servipay.servipay_operation_view_search")
        view = operations.get_view(action.id, "search")["arch"]
        for name in ("in_no_order", "recorded_differs", "yesterday"):
            self.assertIn(f'name="{name}"', view)
        taken = [("pos_difference", "!=", 0), ("pos_recorded_amount", "=", 0)]
        self.assertEqual(operations.search(taken), orphan)
        self.assertIn(order.name, operations.browse(payment.id).pos_recorded_in)
        columns = ["pos_order_name", "pos_session_id", "pos_recorded_amount", "pos_recorded_in"]
        self.assertTrue(operations.search([]).read(columns))
        with Form(operations.browse(payment.id)) as form:
            self.assertEqual(form.pos_recorded_amount, 10)

    def test_job_looks_back_a_week(self):
        """What is older was told, or is from before this addon."""
        self.paid(41)
        self.job(minutes=8 * 24 * 60)
        self.assertFalse(self.alerts())
