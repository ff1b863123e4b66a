from odoo import _, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from .till_input import as_dict, as_list, is_key, record_ids, text


class PosSession(models.Model):
    """What a till may give back, and of which payment."""

    _inherit = "pos.session"

    # ------------------------------------------------------------------
    # Business: the order
    # ------------------------------------------------------------------

    def _servipay_saved_order(self, order, kind):
        """Return the ``pos.order`` that the till saved (may be empty), wherever a refund is thought of.

        An ordinary sale is not looked for: it is saved when it is paid.
        """
        orders = self.env["pos.order"].sudo()
        numbers, uid = record_ids([order.get("id")]), text(order.get("uid"))
        if kind != "refund" and not numbers and not as_list(order.get("refunded_line_ids")):
            return orders
        domain = [("company_id", "=", self.sudo().company_id.id)]
        domain += [("config_id", "in", self._servipay_configs().ids)]
        if numbers:
            return orders.search([*domain, ("id", "in", numbers)])
        return orders.search([*domain, (orders._servipay_uid_field(), "=", uid)], limit=1) if uid else orders

    def _servipay_check_direction(self, kind, order):
        """Refuse an amount whose sign is not the order's: a minus that was not typed takes money again."""
        if not order:
            return
        sign = self.currency_id.compare_amounts(order.amount_total, 0)
        if kind == "purchase" and sign < 0:
            raise UserError(
                _(
                    "This order gives money back: an amount without a minus would be taken from the customer "
                    "again. Nothing was sent; type the amount with a minus."
                )
            )
        if kind == "refund" and sign >= 0:
            raise UserError(_("This order does not give money back. Nothing was sent."))

    # ------------------------------------------------------------------
    # Business: the payment that is given back
    # ------------------------------------------------------------------

    def _servipay_refund_values(self, method, amount, order, original_key=None, cashier=None):
        """Return the values of a refund's operation that say what it gives back.

        :param order: the saved refund order
        :param original_key: of the payment whose card the cashier chose
        """
        original = self._servipay_original(method, amount, order, original_key)
        if not original:
            self._servipay_admit("refund_unreferenced", cashier, order=order)
        return {
            "original_id": original.id,
            "pos_refund_order_id": order.id,
            "pos_refunded_order_ids": [(6, 0, order._servipay_sold_orders().ids)],
        }

    def _servipay_original(self, method, amount, order, original_key=None):
        """Return the payment that a refund gives back; empty where nothing of it was paid with the method."""
        left = self._servipay_rests(method, order)
        able = left.filtered(lambda op: self.currency_id.compare_amounts(amount, op.refundable_amount) <= 0)
        if original_key:
            chosen = able.filtered(lambda op: op.idempotency_key == original_key)
            if not chosen:
                raise UserError(_("The chosen card cannot take this amount. Nothing was sent."))
            return chosen
        exact = able.filtered(lambda op: not self.currency_id.compare_amounts(amount, op.refundable_amount))
        if exact or len(able) == 1:
            return (exact or able)[0]
        if left:
            raise UserError(self._servipay_choose_text(amount, able, left))
        return left

    def _servipay_choose_text(self, amount, able, left):
        """Return why an amount cannot go back as it is: the cards named, and what to do."""
        cards = "; ".join(operation._pos_card_text() for operation in able or left)
        wanted = format_amount(self.env, amount, self.currency_id)
        if able:
            return _(
                "%(wanted)s can go back to more than one card: choose one of %(cards)s. Nothing was sent.",
                wanted=wanted,
                cards=cards,
            )
        return _(
            "%(wanted)s cannot go back in one piece: %(cards)s. Nothing was sent. Give back to each card "
            "what is left of it, one after the other; type each amount with a minus.",
            wanted=wanted,
            cards=cards,
        )

    def _servipay_rests(self, method, order):
        """Return the payments of what an order gives back of which something is left for this method."""
        paid = self.env["servipay.operation"].sudo()._pos_paid_with(order._servipay_sold_orders(), method)
        return paid.filtered(lambda op: not self.currency_id.is_zero(op.refundable_amount))

    def _servipay_choices(self, method_id, amount, order):
        """Return [{"key", "text", "rest"}] of the payments whose card can take an amount, exact fit first.

        :param amount: in major units, its sign does not matter
        """
        self._servipay_admit("choices")
        method, amount = self._servipay_method(method_id), self._servipay_amount(amount)
        saved = self._servipay_saved_order(as_dict(order), "refund")
        if not saved:
            return []
        left = self._servipay_rests(method, saved).filtered(
            lambda op: self.currency_id.compare_amounts(amount, op.refundable_amount) <= 0
        )
        return [
            {"key": op.idempotency_key, "text": op._pos_card_text(), "rest": op.refundable_amount}
            for op in left.sorted("refundable_amount")
            if is_key(op.idempotency_key)
        ]
