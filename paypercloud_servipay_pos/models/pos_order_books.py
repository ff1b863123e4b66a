from odoo import _, api, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.compat import SERIES

from .books import Before, books, differences
from .servipay_operation import LINES

OUTSIDE = ("draft", "cancel")  # an order in one of these states records nothing
# what changes what an order is worth, whose it is, or whether it records its payments
WATCHED = frozenset(
    {"state", "lines", "payment_ids", "amount_total", "amount_paid", "partner_id", "session_id"}
)
WORTH = frozenset({"order_id", "qty", "price_unit", "discount", "price_subtotal_incl"})  # of a line


class PosOrder(models.Model):
    """Whatever saves an order: its terminal payments are what terminals took, before and afterwards."""

    _inherit = "pos.order"

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """Look at the books of new orders once all of their lines and payments are there."""
        with books(self.env) as kept:
            orders = super().create(vals_list)
            kept.note_new(orders)
            return orders

    def write(self, vals):
        """Look at the books when what they depend on changes."""
        if not WATCHED & vals.keys():
            return super().write(vals)
        with books(self.env) as kept:
            kept.note_orders(self.sudo())
            return super().write(vals)

    def unlink(self):
        """Refuse to delete an order with what its card paid."""
        with books(self.env) as kept:
            kept.note_orders(self.sudo())
            kept.note_payments(self.sudo().payment_ids)
            return super().unlink()

    # ------------------------------------------------------------------
    # Business: calls of the till and of core, whose steps are one change
    # ------------------------------------------------------------------

    if SERIES < 18:

        @api.model
        def create_from_ui(self, orders, draft=False):
            """Check what a till saves when all of it is saved."""
            with books(self.env):
                return super().create_from_ui(orders, draft)

    else:

        @api.model
        def sync_from_ui(self, orders):
            """Check what a till saves when all of it is saved."""
            with books(self.env):
                return super().sync_from_ui(orders)

    @api.model
    def remove_from_ui(self, server_ids):
        """Check once for all of its steps."""
        with books(self.env):
            return super().remove_from_ui(server_ids)

    def _process_saved_order(self, draft):
        """Check once for all of its steps."""
        with books(self.env):
            return super()._process_saved_order(draft)

    def _process_payment_lines(self, pos_order, order, pos_session, draft):
        """Count of a draft's payments only what was taken."""
        if SERIES < 18 and draft:
            pos_order["statement_ids"] += order._servipay_left_out(pos_order["statement_ids"])
        result = super()._process_payment_lines(pos_order, order, pos_session, draft)
        if draft:
            order._servipay_count_paid()
        return result

    def action_pos_order_paid(self):
        """Drop what waited for a card when the order was paid without it."""
        self._servipay_drop_surplus()
        return super().action_pos_order_paid()

    # ------------------------------------------------------------------
    # Business: what is paid
    # ------------------------------------------------------------------

    def _servipay_waiting(self):
        """Return the payments that stand for money which no terminal has taken."""
        return self.payment_ids.filtered(
            lambda payment: payment._servipay_is_ours() and payment.servipay_operation_id.state != "approved"
        )

    def _servipay_count_paid(self):
        """Let ``amount_paid`` of drafts be what was paid: a card that is at work has paid nothing yet.

        A draft's line of an approved payment says what was taken, whatever a till still believes."""
        for order in self.sudo().filtered(lambda order: order.state == "draft"):
            ours = order.payment_ids.filtered(lambda payment: payment._servipay_is_ours())
            for payment in ours - order._servipay_waiting():
                if order.currency_id.compare_amounts(payment.amount, payment._servipay_taken()):
                    payment.amount = payment._servipay_taken()
            paid = sum((order.payment_ids - order._servipay_waiting()).mapped("amount"))
            if ours and order.currency_id.compare_amounts(order.amount_paid, paid):
                order.amount_paid = paid

    def _servipay_drop_surplus(self):
        """Delete what waits for a card in orders that were paid in full without it.

        Such an order is paid by a customer's telephone, while a browser still holds the card's line."""
        for order in self.sudo().filtered(lambda order: order.state == "draft"):
            waiting = order._servipay_waiting().filtered("amount")
            paid = sum((order.payment_ids - waiting).mapped("amount"))
            if waiting and not order.currency_id.compare_amounts(order.amount_paid, paid):
                waiting.unlink()

    def _servipay_left_out(self, lines):
        """Return the approved payments of a draft that a till's lines do not have, as lines of a till.

        17.0 makes all payments anew from what a till sends, which may have opened the order before that."""
        sent = {line[2].get("servipay_key") for line in lines}
        payments = self.sudo().payment_ids.filtered(
            lambda payment: (
                payment.servipay_operation_id.state == "approved" and payment.servipay_key not in sent
            )
        )
        return [
            (
                *(0, 0),
                {
                    "amount": payment.amount,
                    "name": payment.payment_date,
                    "payment_method_id": payment.payment_method_id.id,
                    "servipay_key": payment.servipay_key,
                },
            )
            for payment in payments
        ]

    def _servipay_worth(self):
        """Return what an order comes to, by its lines or by what its till says, whichever is less."""
        self.ensure_one()
        lines = sum(self.lines.mapped("price_subtotal_incl"))
        return self._get_rounded_amount(min(lines, self.amount_total, key=abs))

    def _servipay_before(self):
        """Return the order as it is now, as ``Before``; its worth only while it may change."""
        self.ensure_one()
        draft = self.state == "draft"
        worth, uid = (self._servipay_worth(), self[self._servipay_uid_field()]) if draft else (0.0, False)
        return Before(
            *(self.state, self.partner_id.id, worth, uid, self.company_id.id, self.name),
            self.session_id.id,
        )

    # ------------------------------------------------------------------
    # Business: the books
    # ------------------------------------------------------------------

    def _servipay_recorded(self):
        """Return the payments that these orders record of terminals; lines of nothing taken are none."""
        orders = self.filtered(lambda order: order.state not in OUTSIDE)
        return orders.payment_ids.filtered(
            lambda payment: (
                payment._servipay_is_ours()
                and not payment.currency_id.is_zero(payment.amount or payment._servipay_taken())
            )
        )

    @api.model
    def _servipay_check_books(self, kept):
        """Check what one call did; runs at its end, as superuser.

        :param kept: ``Books`` of what was there before
        :raise UserError: with what the terminal took; nothing of the call is saved then
        """
        touched = self.browse([*kept.orders, *kept.changed]).exists()
        self._servipay_check_kept(kept)
        for order in touched.filtered(lambda order: order.state not in OUTSIDE):
            before = kept.orders.get(order.id)
            if order.id in kept.changed or (before and before.state in (None, *OUTSIDE)):
                order._servipay_check_recorded()
        touched._servipay_check_closed(kept)
        for order in touched.filtered(lambda order: order.state in OUTSIDE and order.id in kept.orders):
            if kept.orders[order.id].state not in (None, *OUTSIDE):
                order._servipay_check_undone()
        touched._servipay_count_paid()
        self._servipay_check_still(kept)

    def _servipay_check_kept(self, kept):
        """Refuse that a payment disappears whose money a terminal took."""
        for operation_id, order_id in kept.payments.values():
            operation = self.env["servipay.operation"].browse(operation_id)
            order = self.browse(order_id).exists()
            payments = operation.pos_payment_ids
            if not payments and not operation._pos_still_stands():
                continue  # it was given back
            moved_away = order and order not in payments.pos_order_id and order.state not in OUTSIDE
            if not payments or moved_away:
                raise UserError(operation._pos_refuse_loss(order))
            for payment in payments:
                self._servipay_check_same(payment, operation)

    def _servipay_check_same(self, payment, operation):
        """Refuse another method than the operation's and, in what is validated, another amount."""
        if payment.payment_method_id != operation.pos_payment_method_id:
            raise UserError(operation._pos_refuse_loss(payment.pos_order_id))
        differs = payment.currency_id.compare_amounts(payment.amount, operation.moved_amount)
        if differs and payment.pos_order_id.state not in OUTSIDE:
            raise UserError(payment._servipay_refuse())

    def _servipay_check_recorded(self):
        """Refuse what this order records and no terminal took.

        What was taken, and given back before the order arrived, is recorded and told: the order is a fact."""
        recorded = self._servipay_recorded()
        for difference in differences(self.env["servipay.operation"], recorded):
            operation, payment = difference.operation, difference.payment
            given_back = operation.state == "reversed" and not payment.currency_id.compare_amounts(
                operation._pos_signed_amount(), payment.amount
            )
            if not given_back:
                raise UserError(payment._servipay_refuse())
            self.env["servipay.operation"]._pos_alert_difference(difference)
        recorded.servipay_operation_id._pos_found_its_order()
        self._servipay_tell_cash_back(recorded)

    def _servipay_check_closed(self, kept):
        """Refuse that a terminal payment gets into a session whose closing was looked at already."""
        for order in self.filtered(lambda order: order.session_id.state == "closed"):
            recorded, before = order._servipay_recorded(), kept.orders.get(order.id)
            moved = before and before.session_id != order.session_id.id
            if recorded.filtered(lambda payment, moved=moved: moved or payment.id in kept.linked):
                raise UserError(
                    _(
                        "Session %(session)s is closed, and its books are made: order %(order)s cannot be "
                        "recorded there with a terminal's payment. Nothing was saved. Record it in the "
                        "session that is open.",
                        session=order.session_id.name,
                        order=order.pos_reference or order.name,
                    )
                )

    def _servipay_check_undone(self):
        """Refuse that a recorded order records nothing any more while its card's money is there."""
        for operation in self.payment_ids.servipay_operation_id.filtered("moved_amount"):
            if operation._pos_still_stands():
                raise UserError(operation._pos_refuse_loss(self))

    def _servipay_tell_cash_back(self, recorded):
        """Tell the shop when what a card paid too much leaves the drawer: counting shows nothing.

        Who charges more than the goods come to, or keeps a tip, takes it out like this."""
        more = sum(recorded.mapped("amount")) - max(self.amount_total, 0)
        cash = self.payment_ids.filtered("payment_method_id.is_cash_count")
        more = min(more, -sum(cash.mapped("amount")))
        if self.currency_id.compare_amounts(more, 0) <= 0:
            return
        operations = recorded.servipay_operation_id
        who = operations[:1].pos_employee_name or self.user_id.name
        detail = ", ".join(filter(None, (*operations.mapped("name"), self.config_id.name, who)))
        name = self.pos_reference or self.name
        operations[:1]._pos_alert("cash_back", str(self.id), detail, amount=more, reference=name)

    def _servipay_check_still(self, kept):
        """Refuse to cancel, delete, lower or hand over what a card pays for at this moment."""
        for order_id, before in kept.orders.items():
            order = self.browse(order_id).exists()
            gone = not order or order.state == "cancel"
            if before.state != "draft" or not (gone or order.state == "draft"):
                continue
            handed = not gone and before.partner_id and before.partner_id != order.partner_id.id
            worth = 0.0 if gone else order._servipay_worth()
            if gone or handed or abs(worth) < abs(before.worth):
                standing = self._servipay_standing(order_id, before)
                standing._pos_stand_still(before, gone, handed, worth)

    def _servipay_standing(self, order_id, before):
        """Return the operations that may have taken money for an order which records nothing yet.

        :param before: ``Before`` of the order, which may be deleted meanwhile
        """
        uid = ("pos_order_uid", "in", [before.uid] if before.uid else [])
        operations = self.env["servipay.operation"].search(
            [
                ("company_id", "=", before.company_id),
                ("kind", "in", LINES),
                ("state", "in", ("approved", *states.UNSETTLED)),
                *("|", uid, ("pos_payment_ids.pos_order_id", "=", order_id)),
            ]
        )
        return operations.filtered(lambda operation: operation._pos_still_stands())


class PosOrderLine(models.Model):
    _inherit = "pos.order.line"

    @api.model_create_multi
    def create(self, vals_list):
        """Look at what the order is worth afterwards."""
        with books(self.env) as kept:
            ids = [vals["order_id"] for vals in vals_list if vals.get("order_id")]
            kept.note_orders(self.env["pos.order"].sudo().browse(ids).exists())
            return super().create(vals_list)

    def write(self, vals):
        """Look at what the order is worth afterwards."""
        if not WORTH & vals.keys():
            return super().write(vals)
        with books(self.env) as kept:
            kept.note_orders(self.sudo().order_id)
            return super().write(vals)

    def unlink(self):
        """Look at what the order is worth afterwards."""
        with books(self.env) as kept:
            kept.note_orders(self.sudo().order_id)
            return super().unlink()
