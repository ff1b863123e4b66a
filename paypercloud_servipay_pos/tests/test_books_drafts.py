import uuid

from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.compat import SERIES

from .books_case import BooksCase


@tagged("post_install", "-at_install")
class TestDrafts(BooksCase):
    """An order that is not paid yet, while cards are at work for it."""

    def draft(self, total, *lines, operation=None, **values):
        """Save a draft and tie an operation to it, as the till that started it did."""
        order = self.save(total, *lines, draft=True, **values)
        if operation:
            operation.pos_order_uid = order[self.uid_field]
        return order

    def test_what_waits_for_a_card_is_not_paid(self):
        """Nor does it make Odoo call the order paid when the guest pays the rest by telephone."""
        operation = self.at_work(900.01)
        order = self.draft(937.01, self.card(operation, 900.01), operation=operation)
        self.assertEqual((order.state, order.amount_paid), ("draft", 0))
        order.add_payment({"pos_order_id": order.id, "amount": 37, "payment_method_id": self.cash.id})
        self.assertEqual(order.amount_paid, 37)
        self.assertFalse(order._is_pos_order_paid())
        self.assertEqual(order._servipay_in_flight(), 900.01, "nor may it be paid a second time meanwhile")

    def test_telephone_may_not_pay_what_a_card_is_at_work_for(self):
        """Odoo's addon for payments by telephone asks one method how much is left."""
        registered = type(self.env["pos.order"])
        if not hasattr(
            registered, "get_amount_unpaid"
        ):  # that addon is not installed: its method as it is there
            registered.get_amount_unpaid = lambda order: order.amount_total - order.amount_paid
            self.addCleanup(lambda: delattr(registered, "get_amount_unpaid"))
            self.env["pos.order"]._register_hook()
        operation = self.at_work(900.01)
        order = self.draft(937.01, self.card(operation, 900.01), operation=operation)
        self.assertEqual(order.get_amount_unpaid(), 37)
        operation._cancel()
        operation._inquire()
        self.assertEqual((operation.state, order.get_amount_unpaid()), ("cancelled", 937.01))

    def test_draft_counts_the_card_once_it_is_approved(self):
        operation = self.operation(self.start(10)["key"])
        order = self.draft(18.5, self.card(operation, 10), operation=operation)
        self.assertFalse(order.amount_paid)
        operation._inquire()
        self.assertEqual((operation.state, order.amount_paid), ("approved", 10))

    def test_order_paid_another_way_drops_the_waiting_card(self):
        """The guest paid all of it by telephone: what the card does then is told, not recorded."""
        operation = self.at_work(10)
        order = self.draft(10, self.card(operation, 10), operation=operation)
        order.add_payment({"pos_order_id": order.id, "amount": 10, "payment_method_id": self.cash.id})
        self.assertTrue(order._is_pos_order_paid())
        order._process_saved_order(False)
        self.assertEqual((order.state, order.amount_paid), ("paid", 10))
        self.assertEqual(order.payment_ids.payment_method_id, self.cash)

    def test_draft_keeps_the_approved_payment_a_stale_till_does_not_know(self):
        """Another device that opened the table before the card may save it, and loses nothing."""
        operation = self.paid(10)
        order = self.draft(18.5, self.card(operation), operation=operation)
        if SERIES < 18:
            self.save(20.5, draft=True, order=order)
            self.assertEqual(order.payment_ids.servipay_operation_id, operation)
        else:
            with self.refused("were taken on the terminal"):
                order.payment_ids.unlink()

    def test_amount_of_an_approved_payment_in_a_draft_is_the_terminals(self):
        operation = self.paid(10)
        order = self.draft(18.5, self.card(operation, 18.5), operation=operation)
        self.assertEqual((order.payment_ids.amount, order.amount_paid), (10, 10))

    def test_order_stands_still_while_its_card_is_at_work(self):
        operation = self.at_work(18.5)
        order = self.draft(18.5, self.card(operation, 18.5), operation=operation)
        for name, call in self.discards(order).items():
            with self.subTest(name), self.refused("cannot be (cancelled|changed)"):
                call()
        self.assertEqual((order.exists().state, order.amount_total), ("draft", 18.5))

    def test_order_stands_still_when_its_card_has_paid(self):
        """Also when the till has not saved the payment yet."""
        operation = self.paid(10)
        order = self.draft(18.5, operation=operation)
        calls = self.discards(order)
        self.save(12, draft=True, order=order)  # as long as the card paid no more than that
        for name, call in calls.items():
            with self.subTest(name), self.refused("cannot be (cancelled|changed)"):
                call()

    def discards(self, order):
        """Return {name: call} of what would take the goods away from beneath the payment."""
        cashier = order.with_user(self.cashier)
        return {
            "cancel": cashier.action_pos_order_cancel,
            "remove": lambda: cashier.remove_from_ui(order.ids),
            "delete": lambda: (order.payment_ids.unlink(), order.unlink()),
            "empty": lambda: order.lines.unlink(),
            "lower": lambda: self.save(5, *self.lines_of(order), draft=True, order=order),
            "cheaper": lambda: order.lines.write({"price_unit": 1, "price_subtotal_incl": 1}),
            "merge": lambda: order.lines.write({"order_id": self.draft(1).id}),
            "negative line": lambda: order.lines.copy({"order_id": order.id, "price_subtotal_incl": -15}),
        }

    def lines_of(self, order):
        return [
            {
                "amount": payment.amount,
                "payment_method_id": payment.payment_method_id.id,
                "servipay_key": payment.servipay_key,
            }
            for payment in order.payment_ids
        ]

    def test_order_stays_with_its_customer_while_a_card_is_at_work(self):
        """A customer may be named, and not be changed."""
        operation = self.at_work(18.5)
        order = self.draft(18.5, self.card(operation, 18.5), operation=operation)
        one, other = (self.env["res.partner"].create({"name": name}) for name in ("One", "Other"))
        order.partner_id = one
        with self.refused("cannot be changed"):
            order.partner_id = other

    def test_order_may_grow_while_its_card_is_at_work(self):
        operation = self.at_work(18.5)
        order = self.draft(18.5, self.card(operation, 18.5), operation=operation)
        self.save(20.5, *self.lines_of(order), draft=True, order=order)
        self.assertEqual(order.amount_total, 20.5)

    def test_order_of_an_unknown_payment_may_be_given_up(self):
        """A shop is never blocked for days: it is noted, and told when the money turns out to be taken."""
        operation = self.unknown(18.5)
        order = self.draft(18.5, self.card(operation, 18.5), operation=operation)
        order.with_user(self.cashier).action_pos_order_cancel()
        self.assertEqual(order.state, "cancel")
        self.assertIn("given up", operation.message_ids[0].body)

    def test_order_of_a_refused_or_refunded_payment_may_be_cancelled(self):
        self.simulator.script("declined")
        operation = self.operation(self.settled(self.start(7))["key"])
        self.draft(7, operation=operation).action_pos_order_cancel()
        operation = self.paid(10)
        order = self.draft(10, self.card(operation), operation=operation)
        operation._give_back(uuid.uuid4().hex, 10)
        operation.child_ids._inquire()
        self.assertEqual(operation.child_ids.state, "approved", operation.child_ids.explanation)
        order.action_pos_order_cancel()
        self.assertEqual(order.state, "cancel")

    def test_order_that_is_not_ours_is_left_alone(self):
        order = self.draft(18.5, self.cash_line(5))
        self.assertEqual(order.amount_paid, 5)
        self.save(3, self.cash_line(5), draft=True, order=order)
        order.with_user(self.cashier).remove_from_ui(order.ids)
        self.assertFalse(order.exists())
