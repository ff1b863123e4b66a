from odoo import models

from .servipay_operation import NOT_MOVED


class PosOrder(models.Model):
    """How much an order may give back, and how much of an order was given back, by whatever means.

    Amounts are above zero, in major units of the order's currency. Everything that may have been given back
    counts, until the contrary is certain."""

    _inherit = "pos.order"

    def _servipay_sold_orders(self):
        """Return the recorded orders whose lines these ones give back."""
        sold = self.lines.refunded_orderline_id.order_id
        return sold.filtered(lambda order: order.state not in ("draft", "cancel"))

    def _servipay_refund_left(self, original):
        """Return how much this saved refund order may still give back: the least of what bounds it.

        :param original: payment whose card takes it, bounded by what comes back of its orders (may be empty)
        """
        sold = self._servipay_sold_orders()
        in_cash = self._servipay_given_otherwise()
        refunds = self._servipay_refunds()
        here = in_cash + sum(op._pos_given_amount() for op in refunds)
        lines = self.lines.filtered("refunded_orderline_id")
        rounding = self.currency_id.rounding * len(lines)  # of taxes per line against taxes per order
        bounds = [
            -self.amount_total - here,
            self._servipay_returned(sold) + rounding - here,
            sum(order._servipay_left(self) for order in sold) - in_cash,
        ]
        if original:
            paid = original.pos_payment_ids.pos_order_id
            same = refunds.filtered(lambda op: op.original_id.pos_payment_ids.pos_order_id & paid)
            given = sum(op._pos_given_amount() for op in same)
            bounds.append(self._servipay_returned(paid) + rounding - given)
        return max(0, min(bounds))

    def _servipay_lock_refund(self):
        """Lock the orders that this one gives back, so that of two refunds of them one sees the other.

        A refund changes nothing of them: without the write, who waited for the lock would still see what was
        before it (REPEATABLE READ); now it collides and is tried again.
        """
        numbers = self._servipay_sold_orders().ids
        for number in sorted(numbers):
            self.env.cr.execute("SELECT id FROM pos_order WHERE id = %s FOR UPDATE", [number])
            self.env.cr.execute("UPDATE pos_order SET write_date = write_date WHERE id = %s", [number])

    def _servipay_left(self, refund):
        """Return what is left of this recorded order for a refund order, whose own cash is not looked at."""
        paid = sum(self.payment_ids.mapped("amount"))
        others = self.lines.refund_orderline_ids.order_id - refund
        others = others.filtered(lambda order: order.state not in ("draft", "cancel"))
        in_cash = sum(min(o._servipay_given_otherwise(), o._servipay_returned(self)) for o in others)
        by_card = sum(op._pos_given_of(self) for op in self._servipay_given_back())
        reversed_ones = self.payment_ids.servipay_operation_id.filtered(
            lambda op: (
                op.state == "reversed" and not op.child_ids.filtered(lambda child: child._pos_may_give())
            )
        )
        taken_back = sum(op._settled_amount() for op in reversed_ones)
        return max(paid - in_cash - by_card - taken_back, 0)

    def _servipay_given_back(self):
        """Return the refunds and voids that gave back, or may have, what this order was paid with."""
        paid = self.payment_ids.servipay_operation_id
        domain = [
            ("kind", "in", ("refund", "void")),
            ("state", "not in", NOT_MOVED),
            "|",
            ("original_id", "in", paid.ids),
            ("pos_refunded_order_ids", "in", self.ids),
        ]
        return self.env["servipay.operation"].search(domain)

    def _servipay_refunds(self):
        """Return the refunds that were made, or may have been, for this refund order."""
        domain = [
            ("kind", "=", "refund"),
            ("state", "not in", NOT_MOVED),
            "|",
            ("pos_refund_order_id", "=", self.id),
            ("pos_payment_ids.pos_order_id", "=", self.id),
        ]
        return self.env["servipay.operation"].search(domain)

    def _servipay_given_otherwise(self):
        """Return what this refund order gives back without an operation: cash, other terminals, by hand.

        A line of one of our terminals in a draft is only waiting.
        """
        draft = self.state == "draft"
        payments = self.payment_ids.filtered(
            lambda payment: (
                payment.amount < 0
                and not payment.servipay_operation_id._pos_may_give()
                and not (draft and payment.payment_method_id.servipay_provider)
            )
        )
        return -sum(payments.mapped("amount"))

    def _servipay_returned(self, sold):
        """Return what the lines of this refund order that give back others' lines are worth."""
        lines = self.lines.filtered(lambda line: line.qty < 0 and line.refunded_orderline_id.order_id in sold)
        # a till of 19.0 sends the worth of what comes back without a minus, earlier ones with one
        return sum(abs(line.price_subtotal_incl) for line in lines)
