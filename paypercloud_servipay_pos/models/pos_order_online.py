from odoo import models

REST = "get_amount_unpaid"  # of pos_online_payment: what a customer's telephone may pay


class PosOrder(models.Model):
    _inherit = "pos.order"

    def _register_hook(self):
        """Leave out of what a telephone may pay what a card is at work for, where Odoo lets telephones pay.

        Odoo's addon for it loads after this one, calls nobody and is no dependency: its method is wrapped."""
        super()._register_hook()
        theirs = getattr(type(self), REST, None)
        if not theirs or hasattr(theirs, "servipay"):
            return

        def get_amount_unpaid(order):
            rest = theirs(order)
            return order.currency_id.round(max(rest - order._servipay_in_flight(), 0)) if rest > 0 else rest

        get_amount_unpaid.servipay = True
        setattr(type(self), REST, get_amount_unpaid)

    def _servipay_in_flight(self):
        """Return what cards may be paying of this draft at this moment, or have paid and not recorded yet."""
        self.ensure_one()
        order = self.sudo()
        standing = order._servipay_standing(order.id, order._servipay_before())
        counted = (order.payment_ids - order._servipay_waiting()).servipay_operation_id
        return sum(operation._pos_asked() for operation in standing - counted)
