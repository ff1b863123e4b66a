"""Whoever works at a till with a browser's console: who is told, and what is kept, is not his to change."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .books_case import BooksCase


@tagged("post_install", "-at_install")
class TestFraud(BooksCase):
    def setUp(self):
        super().setUp()
        self.config.servipay_user_ids = self.pos_manager

    def mine(self, record):
        """Return a record as the cashier has it."""
        return record.with_user(self.cashier)

    # ------------------------------------------------------------------
    # Settings that rights hang on
    # ------------------------------------------------------------------

    def test_cashier_does_not_choose_who_is_told(self):
        """Odoo lets whoever sells write the point of sale."""
        wanted = {
            "servipay_user_ids": [(6, 0, self.cashier.ids)],
            "servipay_terminal_pid": "T9",
            "servipay_pos_id": "elsewhere",
            "trusted_config_ids": [(4, self.other_config.id)],
        }
        for name, value in wanted.items():
            with self.subTest(name), self.assertRaises(AccessError):
                self.mine(self.config).write({name: value})
        self.assertEqual(self.config.servipay_user_ids, self.pos_manager)
        self.config.with_user(self.pos_manager).servipay_terminal_pid = "T2"
        self.mine(self.config).name = "Corner"

    def test_cashier_does_not_change_what_a_closing_came_to(self):
        self.paid(41)
        self.mine(self.session).close_session_from_ui()
        for vals in (
            {"servipay_difference": 0},
            {"servipay_closing_text": False},
            {"servipay_moved": 0, "servipay_recorded": 0},
        ):
            with self.subTest(vals), self.assertRaises(AccessError):
                self.mine(self.session).write(vals)
        self.assertEqual(self.session.servipay_difference, 41)

    # ------------------------------------------------------------------
    # Orders that hide a payment
    # ------------------------------------------------------------------

    def test_line_of_nothing_does_not_hide_what_a_card_paid(self):
        operation = self.paid(50)
        with self.refused("took .*50.00"):
            self.save(50, self.card(operation, 0), self.cash_line(50))
        self.assertFalse(operation.pos_payment_ids)

    def test_recorded_order_goes_on_recording_its_card(self):
        """17.0 and 18.0 let a console write the state of an order."""
        order = self.save(10, self.card(self.paid(10)))
        for state in ("draft", "cancel"):
            with self.subTest(state), self.assertRaises(UserError):
                self.mine(order).write({"state": state})
        self.assertEqual(order.state, "paid")

    def test_payment_does_not_hide_in_a_closed_session(self):
        """Its closing was looked at, and its entry is posted: nobody would look there again."""
        old = self.save(41, self.cash_line(41))
        self.mine(self.session).write({"state": "closed"})
        closed, session = self.session, self.open_till(self.config)
        operation = self.settled(self.start(41, till=self.till(session=session)))
        operation = self.operation(operation["key"])
        line = {**self.card(operation), "pos_order_id": old.id}
        with self.refused("is closed"):
            self.mine(self.env["pos.payment"]).create(line)
        order = self.save(41, self.card(operation), session=session)
        with self.refused("is closed"):
            self.mine(order).session_id = closed
        with self.refused("stays closed"):
            self.mine(closed).write({"state": "opened"})

    def test_refund_on_a_card_is_bounded_by_what_that_card_paid_for(self):
        """Goods that somebody paid in cash do not come back on another customer's card."""
        friend, stranger = self.make_order(self.paid(50)), self.make_cash_order(50)
        refund = self.make_refund(friend, stranger, amount=60)  # 30 of each
        with self.refused("cannot be given back"):
            self.start(-40, id=refund.id)
        self.assertEqual(self.refunded(30, refund).state, "approved")

    def test_odd_payloads_move_no_payment(self):
        """Commands of a console in the order that a till sends."""
        paid = self.save(10, self.card(self.paid(10)))
        other = self.save(10, self.cash_line(10))
        [payment] = paid.payment_ids
        for commands in ([(4, payment.id)], [(1, payment.id, {"pos_order_id": other.id})]):
            with self.subTest(commands), self.refused("were taken on the terminal"):
                self.mine(other).write({"payment_ids": commands})
        with self.assertRaises(UserError):
            self.mine(paid).write({"payment_ids": [(2, payment.id)]})
        self.assertEqual((payment.exists().pos_order_id, payment.amount), (paid, 10))

    def test_card_money_given_out_in_cash_is_told(self):
        """The card pays more than the order, and the rest leaves the drawer: counting shows nothing."""
        operation = self.paid(18.5)
        order = self.save(5, self.card(operation), self.cash_line(-13.5))
        self.assertEqual(order.state, "paid")
        [alert] = self.alerts("cash_back")
        self.assertEqual((alert.amount, alert.user_ids), (13.5, self.pos_manager))
        self.assertIn(operation.name, alert.detail)

    def test_tip_given_out_in_cash_is_told(self):
        operation = self.paid(18.5)
        operation.write({"approved_amount": 20, "tip_amount": 1.5})
        self.save(18.5, self.card(operation), self.cash_line(-1.5))
        self.assertEqual(self.alerts("cash_back").amount, 1.5)

    def test_change_of_cash_is_told_to_nobody(self):
        self.save(18.5, self.card(self.paid(10)), self.cash_line(20), self.cash_line(-11.5))
        self.assertFalse(self.alerts("cash_back"))

    # ------------------------------------------------------------------
    # Decisions
    # ------------------------------------------------------------------

    def test_another_amount_of_a_recorded_payment_is_told(self):
        """Decided, recorded, contradicted, and decided again: the order records what was said first."""
        operation = self.unknown(50)
        operation._resolve("approved", "slip")
        order = self.save(50, self.card(operation))
        operation.write({"contradicted": True, "answered_amount": 30})
        self.env.flush_all()
        operation._resolve("approved", "the provider is right", 30)
        [alert] = self.alerts("not_backed")
        self.assertEqual((alert.reference, alert.amount), (order.pos_reference or order.name, 50))

    def test_void_is_decided_without_an_amount(self):
        """A part of a void would leave a rest to be given back once more."""
        operation = self.paid(10)
        self.simulator.fault("void", "close_after", times=1)
        self.till()._servipay_void(operation.idempotency_key)
        void = operation.child_ids
        self.assertEqual(void.state, "unknown")
        self.till(self.pos_manager)._servipay_resolve(void.idempotency_key, "approved", "slip", 3)
        self.assertEqual((void._settled_amount(), operation.state), (10, "reversed"))

    def test_contradicted_payment_is_told_like_a_difference(self):
        operation = self.unknown(18.5)
        operation._resolve("failed", "no slip")
        with mute_logger("odoo.addons.paypercloud_servipay.models.servipay_operation_decision"):
            operation._inquire()
        self.assertTrue(operation.contradicted, operation.explanation)
        [alert] = self.alerts("contradicted")
        self.assertEqual((alert.amount, alert.user_ids, alert.res_id), (18.5, self.pos_manager, operation.id))
