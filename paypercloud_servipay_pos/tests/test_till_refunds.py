from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import TillCase


@tagged("post_install", "-at_install")
class TestTillRefunds(TillCase):
    def refused(self, amount, refund, error=UserError, **how):
        """Check that a refund is refused and that nothing was sent; returns what it said."""
        before = len(self.simulator.charges)
        with self.assertRaises(error) as caught:
            self.start(-amount, id=refund.id if refund else False, **how)
        self.assertEqual(len(self.simulator.charges), before)
        return str(caught.exception)

    # ------------------------------------------------------------------
    # The order
    # ------------------------------------------------------------------

    def test_refund_wants_a_saved_order(self):
        """Not one that is unknown, recorded, of another company, or that gives back nothing sold."""
        sold = self.make_order(self.paid(10))
        self.refused(5, None, refunded_line_ids=sold.lines.ids)
        recorded = self.make_refund(sold)
        recorded.state = "paid"
        self.refused(5, recorded)
        empty = self.make_refund(sold)
        empty.lines.refunded_orderline_id = False
        self.refused(5, empty)
        unpaid = self.make_refund(self.make_refund(sold))
        self.refused(5, unpaid)

    def test_saved_order_is_found_by_its_key(self):
        """A till that does not know the server's id yet names the order as it calls it."""
        refund = self.make_refund(self.make_order(self.paid(10)))
        uid = refund[refund._servipay_uid_field()]
        if not uid:
            uid = refund.pos_reference = "Order 00001-001-0001"
        snapshot = self.start(-4, uid=uid)
        self.assertEqual(self.operation(snapshot["key"]).pos_refund_order_id, refund)

    def test_direction_is_the_orders(self):
        """An amount without a minus in an order that gives money back, and the other way round."""
        sold = self.make_order(self.paid(10))
        refund = self.make_refund(sold)
        with self.assertRaisesRegex(UserError, "gives money back"):
            self.start(10, id=refund.id)
        exchange = self.make_refund(sold, amount_total=3)
        self.refused(3, exchange)
        self.assertEqual(len(self.simulator.charges), 1)
        self.assertEqual(self.start(3, id=exchange.id)["amount"], 3)

    def test_refund_is_bounded_by_its_order(self):
        """An order that gives 4.00 back gives no more than that, in however many pieces and ways."""
        refund = self.make_refund(self.make_order(self.paid(10)), amount=4)
        self.refused(4.01, refund)
        self.assertEqual(self.refunded(3, refund).state, "approved")
        self.refused(1.01, refund)
        self.pay_cash(refund, -0.5)
        self.refused(0.51, refund)
        self.refunded(0.5, refund)

    # ------------------------------------------------------------------
    # What is left of what was sold
    # ------------------------------------------------------------------

    def test_refund_is_referenced_and_bounded(self):
        """A refund finds the original payment by the order's lines, and cannot exceed what is left of it."""
        operation = self.paid(10)
        sold = self.make_order(operation)
        first = self.refunded(6, self.make_refund(sold, amount=6))
        self.assertEqual((first.state, first.original_id), ("approved", operation))
        again = self.make_refund(sold)
        self.refused(4.01, again)
        self.refunded(4, again)
        self.refused(0.01, self.make_refund(sold))

    def test_cash_that_was_given_back_counts(self):
        """Given back in cash, then on the terminal: refused, with a payment to refer to and without."""
        for sold, who in (
            (self.make_order(self.paid(10)), self.cashier),
            (self.make_cash_order(10), self.pos_manager),
        ):
            with self.subTest(who=who.name):
                in_cash = self.make_refund(sold)
                self.pay_cash(in_cash, -7)
                in_cash.state = "paid"
                again = self.make_refund(sold)
                self.refused(3.01, again, till=self.till(who))
                self.start(-3, id=again.id, till=self.till(who))

    def test_back_office_refund_and_void_count(self):
        """What the back office gave back is gone, also for a manager who refers to no payment."""
        refunded, voided = self.paid(10), self.paid(10)
        orders = self.make_order(refunded), self.make_order(voided)
        refunded._give_back("back-office-refund-1", 10)._inquire()
        voided._give_back("back-office-void-1-2", 10, void=True)._inquire()
        self.assertEqual((refunded.refundable_amount, voided.state), (0, "reversed"))
        for order in orders:
            with self.subTest(order=order):
                self.refused(1, self.make_refund(order), till=self.till(self.pos_manager))

    def test_unreferenced_refunds_are_bounded_together(self):
        """What was paid in cash a manager may give back on the terminal, but not twice."""
        sold, manager = self.make_cash_order(10), self.till(self.pos_manager)
        self.refunded(6, self.make_refund(sold), till=manager)
        self.refused(4.01, self.make_refund(sold), till=manager)
        self.refunded(4, self.make_refund(sold), till=manager)

    def test_lines_changed_after_a_refund_free_nothing(self):
        """The operation keeps which orders it gave back, whatever the saved order says later."""
        sold, other = self.make_cash_order(10), self.make_cash_order(3)
        manager, refund = self.till(self.pos_manager), self.make_refund(sold)
        self.refunded(10, refund, till=manager)
        refund.lines.refunded_orderline_id = other.lines
        self.refused(1, self.make_refund(sold), till=manager)

    def test_unreferenced_refund_is_for_managers(self):
        """Without a payment of this method only a manager may, and he too only for a saved order."""
        sold = self.make_cash_order(10)
        self.refused(5, self.make_refund(sold), AccessError)
        self.refused(5, None, till=self.till(self.pos_manager))
        self.assertTrue(self.start(-5, till=self.till(self.pos_manager), id=self.make_refund(sold).id)["key"])

    # ------------------------------------------------------------------
    # Which card
    # ------------------------------------------------------------------

    def sold_by_cards(self, *amounts):
        """Return (order, operations) of one order that several cards paid."""
        operations = [self.paid(amount) for amount in amounts]
        order = self.make_order(operations[0])
        for operation in operations[1:]:
            order.add_payment(
                {
                    "pos_order_id": order.id,
                    "amount": operation.amount,
                    "payment_method_id": operation.pos_payment_method_id.id,
                    "servipay_key": operation.idempotency_key,
                }
            )
        order.write({"amount_total": sum(amounts)})
        order.lines.write({"price_unit": sum(amounts), "price_subtotal_incl": sum(amounts)})
        return order, operations

    def test_card_whose_rest_fits(self):
        """Paid by 50 and 20: 20 go back to the card that paid 20."""
        order, (fifty, twenty) = self.sold_by_cards(50, 20)
        refund = self.make_refund(order)
        self.assertEqual(self.refunded(20, refund).original_id, twenty)
        self.assertEqual(self.refunded(50, refund).original_id, fifty)

    def test_card_is_asked_for(self):
        """When several can take the amount and none fits, the cashier chooses."""
        order, (fifty, twenty) = self.sold_by_cards(50, 20)
        refund = self.make_refund(order)
        said = self.refused(15, refund)
        self.assertIn("50.00", said)
        self.assertIn("20.00", said)
        choices = self.choices(15, refund)
        self.assertEqual([choice["rest"] for choice in choices], [20, 50])
        chosen = self.refunded(15, refund, original_key=choices[1]["key"])
        self.assertEqual(chosen.original_id, fifty)
        self.refused(36, refund, original_key=fifty.idempotency_key)
        self.refused(15, refund, original_key=self.paid(99).idempotency_key)
        self.assertEqual([choice["key"] for choice in self.choices(20, refund)][0], twenty.idempotency_key)

    def choices(self, amount, refund):
        """Ask as the till does."""
        methods = self.env["pos.payment.method"].with_user(self.cashier)
        return methods.servipay_refund_choices(self.session.id, self.method.id, -amount, {"id": refund.id})

    def test_more_than_one_card_can_take(self):
        """Two sales in one refund order: told what goes to which card."""
        ten, twenty = self.paid(10), self.paid(20)
        refund = self.make_refund(self.make_order(ten), self.make_order(twenty))
        said = self.refused(30, refund)
        self.assertIn("10.00", said)
        self.assertIn("20.00", said)
        self.assertEqual(self.refunded(20, refund).original_id, twenty)
        self.assertEqual(self.refunded(10, refund).original_id, ten)
        self.refused(0.01, refund)

    def test_another_card_is_told(self):
        """Money that goes back to another card than the one that paid is told to the shop's people."""
        operation = self.paid(10)
        sold, operation.masked_pan = self.make_order(operation), False
        refund = self.refunded(4, self.make_refund(sold))
        self.assertFalse(self.env["servipay.alert"].search([("kind", "=", "other_card")]), "nobody knows")
        operation.masked_pan = "************1111"
        refund.masked_pan = "411111******1111"
        self.assertFalse(self.env["servipay.alert"].search([("kind", "=", "other_card")]), "the same card")
        refund.masked_pan = "541333******4242"
        refund.masked_pan = "************4242"
        [alert] = self.env["servipay.alert"].search([("kind", "=", "other_card")])
        self.assertIn("1111", alert.explanation)
