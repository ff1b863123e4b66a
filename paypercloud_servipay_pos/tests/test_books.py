import uuid

from psycopg2 import IntegrityError

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .books_case import LOGGER, BooksCase


@tagged("post_install", "-at_install")
class TestRecorded(BooksCase):
    """What a till saves as paid: terminals took it."""

    def test_order_paid_by_card_is_recorded(self):
        operation = self.paid(18.5)
        order = self.save(18.5, self.card(operation))
        self.assertEqual((order.state, order.amount_paid), ("paid", 18.5))
        self.assertEqual(order.payment_ids.servipay_operation_id, operation)
        self.assertEqual((operation.pos_recorded_amount, operation.pos_difference), (18.5, 0))
        self.assertIn(order.name, operation.pos_recorded_in)

    def test_payment_without_operation_is_refused(self):
        """Who types "paid by card" has to have been paid by card."""
        line = {"amount": 52, "payment_method_id": self.method.id}
        with self.refused("took nothing"):
            self.save(52, line)
        with self.refused("took nothing"):
            self.save(52, {**line, "servipay_key": uuid.uuid4().hex})

    def test_payment_of_another_amount_is_refused(self):
        """Neither more, nor less, nor with another sign than the terminal took."""
        operation = self.paid(1)
        for amount in (63, 0.5, -1):
            with self.subTest(amount=amount), self.refused("took .*1.00"):
                self.save(amount, self.card(operation, amount))
        self.assertFalse(operation.pos_payment_ids)

    def test_payment_of_a_declined_operation_is_refused(self):
        self.simulator.script("declined")
        operation = self.operation(self.settled(self.start(7))["key"])
        with self.refused("took nothing"), mute_logger(LOGGER):
            self.save(7, self.card(operation, 7))

    def test_payment_that_is_not_settled_is_refused(self):
        """An order is not paid by what may still be declined, nor by what nobody knows."""
        for operation in (self.unknown(7), self.at_work(8)):
            with self.subTest(state=operation.state), self.refused("nobody knows yet"):
                self.save(operation.amount, self.card(operation, operation.amount))

    def test_one_operation_pays_one_order(self):
        operation = self.paid(10)
        first = self.save(10, self.card(operation))
        with self.refused("has paid order"), mute_logger(LOGGER):
            self.save(10, self.card(operation))
        self.assertEqual(operation.pos_payment_ids.pos_order_id, first)

    def test_database_refuses_a_second_payment_of_an_operation(self):
        """Whatever Python believes, and whoever saves at the same moment."""
        payment = self.save(10, self.card(self.paid(10))).payment_ids
        other = self.save(5, self.cash_line(5)).payment_ids
        with self.assertRaises(IntegrityError), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.env.cr.execute(
                "UPDATE pos_payment SET servipay_operation_id = %s WHERE id = %s",
                [payment.servipay_operation_id.id, other.id],
            )

    def test_method_of_another_terminal_is_refused(self):
        """An operation pays with its own method."""
        operation = self.paid(10)
        with self.refused("took nothing|cannot be saved"):
            self.save(10, self.card(operation, method=self.second_method))

    def test_sentence_names_what_the_terminal_took(self):
        operation = self.paid(1)
        with self.assertRaises(UserError) as caught:
            self.save(63, self.card(operation, 63))
        for part in (operation.name, "63.00", "1.00", self.method.name):
            self.assertIn(part, str(caught.exception))

    # ------------------------------------------------------------------
    # What an honest till does
    # ------------------------------------------------------------------

    def test_same_order_again_changes_nothing(self):
        """A till whose answer was lost sends the order again."""
        operation, uid = self.paid(10), str(uuid.uuid4())
        order = self.save(10, self.card(operation), uid=uid)
        self.save(10, self.card(operation), uid=uid)
        self.assertEqual(operation.pos_payment_ids.pos_order_id, order)
        self.assertFalse(self.alerts())

    def test_partly_approved_and_the_rest_in_cash(self):
        operation = self.paid(18.5)
        operation.approved_amount = 10
        order = self.save(18.5, self.card(operation), self.cash_line(8.5))
        self.assertEqual((order.state, operation.pos_difference), ("paid", 0))

    def test_refused_card_and_then_cash(self):
        """A line of nothing that a refused attempt left behind harms nobody."""
        self.simulator.script("declined")
        declined = self.operation(self.settled(self.start(9))["key"])
        with mute_logger(LOGGER):
            order = self.save(9, self.card(declined, 0), self.cash_line(9))
        self.assertEqual(order.state, "paid")

    def test_refund_order(self):
        operation = self.paid(10)
        sold = self.save(10, self.card(operation))
        draft = self.save(-6, draft=True, sold=sold.lines)
        snapshot = self.settled(self.start(-6, id=draft.id, refunded_line_ids=sold.lines.ids))
        refund = self.operation(snapshot["key"])
        order = self.save(-6, self.card(refund), order=draft, sold=sold.lines)
        self.assertEqual((order.state, refund.pos_recorded_amount), ("paid", -6))
        self.assertFalse(refund.pos_difference)

    def test_decision_of_a_manager_pays(self):
        operation = self.unknown(7)
        self.till(self.pos_manager)._servipay_resolve(operation.idempotency_key, "approved", "slip seen")
        self.assertEqual(self.save(7, self.card(operation)).state, "paid")

    def test_order_that_another_trusted_till_takes_over(self):
        self.config.trusted_config_ids = self.other_config
        operation = self.paid(10)
        order = self.save(10, self.card(operation), session=self.other_session)
        self.assertEqual(order.payment_ids.servipay_operation_id, operation)
        self.assertFalse(operation.pos_difference)

    def test_order_of_a_closed_session_is_recorded_in_the_next(self):
        """A till that was offline saves what it sold when it is online again."""
        operation = self.paid(10)
        self.close()
        self.assertEqual(self.alerts("closing_differs").reference, self.session.name)
        session = self.open_till(self.config)
        order = self.save(10, self.card(operation), session=session)
        self.assertEqual((order.session_id, order.state), (session, "paid"))
        self.assertFalse(operation.pos_difference)

    def test_payment_given_back_before_the_order_arrived_is_recorded_and_told(self):
        """The order is a fact: people are told that its money is gone again."""
        operation = self.paid(10)
        self.till()._servipay_void(operation.idempotency_key)
        operation.child_ids.filtered(lambda child: child.state == "pending")._inquire()
        self.assertEqual(operation.state, "reversed")
        order = self.save(10, self.card(operation))
        self.assertEqual(order.state, "paid")
        [alert] = self.alerts("not_backed")
        self.assertEqual((alert.amount, alert.reference), (10, order.pos_reference or order.name))

    def close(self, session=None):
        session = session or self.session
        session = session.with_user(self.pos_manager)
        session.action_pos_session_closing_control()
        if session.state != "closed":
            session.action_pos_session_close()
        self.assertEqual(session.state, "closed")


@tagged("post_install", "-at_install")
class TestEdited(BooksCase):
    """What is done to a payment afterwards."""

    def setUp(self):
        super().setUp()
        self.taken = self.paid(18.5)
        self.order = self.save(18.5, self.card(self.taken))
        self.payment = self.order.payment_ids

    def test_approved_payment_cannot_be_swapped_for_cash(self):
        """The form of "Edit Payment" of 19.0 writes these commands."""
        cash = {"payment_method_id": self.cash.id, "amount": 18.5}
        for commands in (
            [Command.delete(self.payment.id), Command.create(cash)],
            [Command.update(self.payment.id, {"payment_method_id": self.cash.id})],
        ):
            with self.subTest(commands=commands), self.refused("were taken on the terminal"):
                self.order.with_user(self.pos_manager).write({"payment_ids": commands})
        self.assertEqual(self.taken.pos_payment_ids, self.payment)

    def test_approved_payment_cannot_get_another_amount(self):
        with self.refused("cannot be saved"):
            self.payment.amount = 25
        with self.refused("cannot be saved"):
            self.order.write(
                {
                    "payment_ids": [
                        Command.update(self.payment.id, {"amount": 25}),
                        Command.create({"payment_method_id": self.cash.id, "amount": -6.5}),
                    ]
                }
            )

    def test_approved_payment_cannot_be_deleted_or_moved(self):
        other = self.save(18.5, self.cash_line(18.5))
        with self.refused("were taken on the terminal"):
            self.payment.unlink()
        with self.refused("were taken on the terminal"):
            self.payment.pos_order_id = other

    def test_approved_payment_cannot_get_the_key_of_another(self):
        other = self.paid(18.5)
        with self.refused("were taken on the terminal"):
            self.payment.servipay_key = other.idempotency_key

    def test_cash_cannot_become_a_card_without_operation(self):
        """Whoever keeps the cash needs a card payment that nobody made."""
        order = self.save(2, self.cash_line(2))
        with self.refused("took nothing"):
            order.payment_ids.payment_method_id = self.method
        with self.refused("took nothing"):
            order.write(
                {
                    "payment_ids": [
                        Command.delete(order.payment_ids.id),
                        Command.create({"payment_method_id": self.method.id, "amount": 2}),
                    ]
                }
            )

    def test_facts_of_the_card_may_be_corrected(self):
        """What is no money may be changed, also by the job that learns it later."""
        self.payment.transaction_id = "1234"
        self.order.write({"payment_ids": [Command.update(self.payment.id, {"card_type": "VISA"})]})
        self.assertEqual(self.payment.card_type, "VISA")
