from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from .servipay_operation import NOT_MOVED


class AtTill(str):
    """Name of the employee at a till; code makes it, so no context that a browser sends can stand for it."""


class ServipayOperation(models.Model):
    """What a till's refund or void is bounded by, and the trail that it leaves."""

    _inherit = "servipay.operation"

    pos_employee_name = fields.Char("Employee", readonly=True, copy=False)
    pos_decided_by = fields.Char("Decided by the employee", readonly=True, copy=False)
    pos_refund_order_id = fields.Many2one(
        "pos.order",
        "Refund order",
        readonly=True,
        copy=False,
        index="btree_not_null",
        groups="point_of_sale.group_pos_user",
    )

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """Leave a trail of each void that a till makes, in the transaction that opens it."""
        operations = super().create(vals_list)
        for operation in operations.filtered(lambda op: op.kind == "void" and op.channel == "pos"):
            operation._pos_tell_void()
        return operations

    def write(self, vals):
        """Compare the cards once it is known which one got the money."""
        result = super().write(vals)
        if "masked_pan" in vals or vals.get("state") == "approved":
            for operation in self.filtered(lambda op: op.pos_config_id and op.original_id):
                operation._pos_compare_card()
        return result

    # ------------------------------------------------------------------
    # Business: bounds
    # ------------------------------------------------------------------

    def _check_refundable(self, values):
        """Look again at a till's refund or void, under locks, in the transaction that opens it."""
        super()._check_refundable(values)
        if values.get("channel") != "pos":
            return
        if values.get("kind") == "void":
            self.browse(values.get("original_id"))._pos_check_unrecorded(lock=True)
        if values.get("pos_refund_order_id"):
            order = self.env["pos.order"].browse(values["pos_refund_order_id"]).exists()
            original = self.browse(values.get("original_id") or ())
            self._pos_check_refund_order(order, values["amount"], original)

    def _pos_check_refund_order(self, order, amount, original):
        if not order or order.state != "draft":
            raise UserError(_("This order is already recorded. Nothing was sent."))
        order._servipay_lock_refund()
        order.invalidate_recordset()
        left = order._servipay_refund_left(original)
        if order.currency_id.compare_amounts(amount, left) > 0:
            raise UserError(
                _(
                    "%(wanted)s cannot be given back: of what was paid and comes back here %(left)s are "
                    "left, after refunds and cash that were given back already. Nothing was sent.",
                    wanted=format_amount(self.env, amount, order.currency_id),
                    left=format_amount(self.env, left, order.currency_id),
                )
            )

    def _pos_check_unrecorded(self, lock=False):
        """Refuse what takes a payment back beneath an order that carries it.

        :param lock: wait for who is just recording it, and see it
        """
        payments = self.sudo().pos_payment_ids
        if lock and payments:
            orders = tuple(payments.pos_order_id.ids)
            self.env.cr.execute("SELECT id FROM pos_order WHERE id IN %s FOR UPDATE", [orders])
        recorded = self._pos_recorded_orders()
        if recorded:
            raise UserError(
                _(
                    "The order %s already carries this payment: taken back here, it would stay paid. Nothing "
                    "was sent; refund the order instead.",
                    recorded[0].pos_reference or recorded[0].name,
                )
            )

    def _pos_recorded_orders(self):
        """Return the recorded orders that carry this payment."""
        orders = self.sudo().pos_payment_ids.pos_order_id
        return orders.filtered(lambda order: order.state not in ("draft", "cancel"))

    def _pos_may_give(self):
        """Return whether this refund or void gave money back, or may have (False of no record)."""
        return bool(self) and self.state not in NOT_MOVED

    def _pos_given_amount(self):
        """Return what this refund or void gave back, or may have, above zero."""
        return self._settled_amount() if self.state == "approved" else self.amount

    def _pos_given_of(self, order):
        """Return how much of it is an order's: of the payment that it refers to, else as its lines say."""
        given, several = self._pos_given_amount(), len(self.pos_refunded_order_ids) > 1
        if self.original_id:
            return given if self.original_id in order.payment_ids.servipay_operation_id else 0
        lines = several and self.pos_refund_order_id._servipay_returned(order)
        return min(given, lines or given)

    def _pos_paid_with(self, orders, method):
        """Return the approved payments, on this method's provider, of orders."""
        return orders.payment_ids.servipay_operation_id.filtered(
            lambda operation: (
                operation.provider == method.servipay_provider
                and operation.kind == "purchase"
                and operation.state == "approved"
                and operation.company_id == method.company_id
            )
        )

    def _pos_card(self):
        """Return brand and last four digits, as far as they are known."""
        four = _four(self.masked_pan)
        return " ".join(filter(None, (self.card_brand, four and f"•••• {four}")))

    def _pos_card_text(self):
        """Return a payment as a cashier knows it: its card, what it paid and what is left."""
        return _(
            "%(card)s: %(paid)s paid, %(left)s left",
            card=self._pos_card() or self.name,
            paid=format_amount(self.env, self._settled_amount(), self.currency_id),
            left=format_amount(self.env, self.refundable_amount, self.currency_id),
        )

    # ------------------------------------------------------------------
    # Business: the trail
    # ------------------------------------------------------------------

    def _give_back_values(self):
        """Keep who stood at the till."""
        name = self.env.context.get("servipay_at_till")
        values = super()._give_back_values()
        return {**values, "pos_employee_name": str(name)} if isinstance(name, AtTill) else values

    def _pos_tell_void(self):
        """Tell on the payment, and to the shop's people, that a till takes it back."""
        payment = self.original_id
        detail = _(
            "%(void)s, by %(who)s at %(till)s",
            void=self.name,
            who=self._pos_user(),
            till=self.pos_config_id.name or "?",
        )
        for operation in (payment, self):
            operation._for_chatter().message_post(
                body=_("Taken back at the till before an order was recorded: %s", detail)
            )
        payment._pos_alert("till_void", str(self.id), detail)

    def _tell_contradiction(self):
        """Tell the shop's people by e-mail too: an activity is seen by who looks."""
        result = super()._tell_contradiction()
        if self.pos_config_id:
            labels = self._state_label(self.state), self._state_label(self.contradiction)
            detail = self.detail if self.reason == "mismatch" else " / ".join(labels)
            self._pos_alert("contradicted", f"{self.id}:{self.revision}", detail, reference=self._about())
        return result

    def _pos_note_decision(self, name):
        """Keep which employee decided at a till: the user is the one who is logged in there."""
        self.write({"pos_decided_by": name})
        self._for_chatter().message_post(body=_("Decided at the till by %s, with a PIN.", name))

    def _pos_compare_card(self):
        """Tell when money went back to another card than the one that paid."""
        given, paid = _four(self.masked_pan), _four(self.original_id.masked_pan)
        if self.state != "approved" or not given or not paid or given == paid:
            return
        detail = _("paid with %(paid)s, given back to %(given)s", paid=paid, given=given)
        if self._pos_alert("other_card", str(self.id), detail):
            self._for_chatter().message_post(body=_("Another card: %s", detail))

    def _pos_alert(self, kind, key, detail, amount=None, reference=None):
        """Tell the shop's people once of this operation; returns the alert, empty when it was told before."""
        return self.pos_config_id._servipay_alert(
            kind,
            key,
            self,
            provider=self.provider,
            reference=reference or self.name,
            amount=self.amount if amount is None else amount,
            currency_id=self.currency_id.id,
            detail=detail,
        )


def _four(number):
    """Return the last digits of a masked number, "" of none: how the rest is masked differs."""
    return "".join(char for char in number or "" if char.isdigit())[-4:]
