from odoo import _, api, fields, models
from odoo.http import request as http_request
from odoo.tools import format_amount

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.compat import SERIES
from odoo.addons.paypercloud_servipay.models.actions import open_form

from .books import books

_logger = get_logger(__name__)

# Only code of this file holds it, so no context that a browser sends can stand for it.
_BY_SERVER = object()
# what a payment records of its operation
RECORDED = frozenset({"amount", "payment_method_id", "pos_order_id", "servipay_key"})


def _is_guest():
    """Tell whether this request is of somebody who does not sell: self-ordering runs it as a cashier."""
    user = http_request and http_request.env.user  # empty where a route asks for nobody (XML-RPC)
    return bool(user) and not user.has_group("point_of_sale.group_pos_user")


class PosPayment(models.Model):
    _name = "pos.payment"
    _inherit = ["servipay.export", "pos.payment"]

    servipay_key = fields.Char(
        "Operation key",
        copy=False,
        help="Idempotency key of the terminal operation that paid this line; made by the till.",
    )
    servipay_operation_id = fields.Many2one(
        "servipay.operation",
        "Terminal operation",
        readonly=True,
        copy=False,
        index="btree_not_null",
        ondelete="set null",
    )

    def init(self):
        """One payment per operation, whatever Python believes."""
        super().init()
        query = """
            SELECT array_agg(DISTINCT servipay_operation_id) FROM pos_payment one
            WHERE EXISTS (SELECT FROM pos_payment other WHERE other.id > one.id
                          AND other.servipay_operation_id = one.servipay_operation_id)
        """
        self.env.cr.execute(query)
        [twice] = self.env.cr.fetchone()
        if twice:
            _logger.error("these operations paid several orders: mend it, then update the addon: %s", twice)
            return
        self.env.cr.execute(
            "CREATE UNIQUE INDEX IF NOT EXISTS pos_payment_one_per_operation"
            " ON pos_payment (servipay_operation_id) WHERE servipay_operation_id IS NOT NULL"
        )

    @api.model_create_multi
    def create(self, vals_list):
        """Link each payment with its operation, whose facts count, not the browser's."""
        with books(self.env) as kept:
            payments = super().create([self._without_operation(vals) for vals in vals_list])
            kept.note_payments(payments.sudo())
            for payment in payments.filtered("servipay_key"):
                payment._write_linked()
                kept.linked.add(payment.id)
        return payments

    def write(self, vals):
        """Link again when the till paid the line with another attempt."""
        if self.env.context.get("servipay_link") is _BY_SERVER:
            return super().write(vals)
        if not RECORDED & vals.keys():
            return super().write(self._without_operation(vals))
        with books(self.env) as kept:
            kept.note_payments(self.sudo())
            result = super().write(self._without_operation(vals))
            kept.note_payments(self.sudo())  # they may be another order's now
            if vals.get("servipay_key"):
                for payment in self:
                    payment._write_linked()
                kept.linked.update(self.ids)
        return result

    def unlink(self):
        """Record that the payments go: what a terminal took must not go with them."""
        with books(self.env) as kept:
            kept.note_payments(self.sudo())
            return super().unlink()

    @api.model
    def _without_operation(self, vals):
        # the till sends every column; which operation paid is never its word, nor is a key a guest's: the bus
        # says keys to whoever has a table's QR code
        never = {"servipay_operation_id"} | ({"servipay_key"} if _is_guest() else set())
        return {name: value for name, value in vals.items() if name not in never}

    def _write_linked(self):
        operation = self._servipay_believable(self._servipay_find())
        values = {"servipay_operation_id": operation.id, **self._servipay_facts(operation)}
        self.sudo().with_context(servipay_link=_BY_SERVER).write(values)

    def _servipay_find(self):
        domain = [
            ("company_id", "=", self.company_id.id),
            ("idempotency_key", "=", self.servipay_key),
            ("pos_payment_method_id", "=", self.payment_method_id.id),
            ("pos_config_id", "in", self.session_id._servipay_configs().ids),
        ]
        return self.env["servipay.operation"].sudo().search(domain, limit=1)

    def _servipay_believable(self, operation):
        """Return the operation, or none when it took nothing or has paid another line."""
        if operation.state in ("declined", "cancelled", "failed") or operation.pos_payment_ids - self:
            _logger.warning(
                "payment %s bears the key of %s, which cannot have paid it", self.id, operation.name
            )
            return operation.browse()
        return operation

    def _servipay_is_ours(self):
        """Tell whether a terminal of ours has to have taken what this payment records."""
        self.ensure_one()
        return bool(self.payment_method_id.servipay_provider)

    def _servipay_taken(self):
        """Return what terminals moved for this payment: signed, in major units; 0 without an approval."""
        self.ensure_one()
        return self.servipay_operation_id.moved_amount

    def _servipay_refuse(self):
        """Return why this payment cannot be recorded: what the terminal took, and what to do."""
        self.ensure_one()
        operation = self.servipay_operation_id or self._servipay_meant()
        facts = {
            "amount": format_amount(self.env, self.amount, self.currency_id),
            "order": self.pos_order_id.pos_reference or self.pos_order_id.name,
            "method": self.payment_method_id.name,
            "name": operation.name or "",
        }
        elsewhere = (operation.pos_payment_ids - self).pos_order_id
        if elsewhere:
            facts["elsewhere"] = elsewhere[0].pos_reference or elsewhere[0].name
            return _(
                "Order %(order)s cannot be saved: its payment of %(amount)s (%(name)s) has paid order "
                "%(elsewhere)s already. The terminal took it once. Take this order's money in another way.",
                **facts,
            )
        if operation.state in states.UNSETTLED:
            return _(
                "Order %(order)s cannot be saved as paid: nobody knows yet whether the terminal takes "
                "%(amount)s (%(name)s). Wait, ask the terminal, or call a manager. Do not take the money "
                "again.",
                **facts,
            )
        if operation.state == "approved":
            taken = format_amount(self.env, operation._pos_signed_amount(), operation.currency_id)
            return _(
                "Order %(order)s cannot be saved: it records %(amount)s with %(method)s, but the terminal "
                "took %(taken)s (%(name)s). Correct the payment and take the rest in another way.",
                taken=taken,
                **facts,
            )
        return _(
            "Order %(order)s cannot be saved: it records %(amount)s with %(method)s, but the terminal took "
            "nothing for it. Take the payment on the terminal, or choose another payment method.",
            **facts,
        )

    def _servipay_meant(self):
        """Return the operation whose key this payment bears, whoever's it is (may be empty)."""
        operations = self.env["servipay.operation"].sudo()
        domain = [("company_id", "=", self.company_id.id), ("idempotency_key", "=", self.servipay_key)]
        return operations.search(domain) if self.servipay_key else operations

    @api.model
    def _servipay_facts(self, operation):
        """Return the values of this record's own columns that the operation knows (18.0 has more of them)."""
        if operation.state != "approved":
            return {}
        number = operation.masked_pan or ""
        facts = {
            "transaction_id": operation.external_ref or operation.authorization_code,
            "card_type": operation.card_brand,
            "card_brand": operation.card_brand,
            "card_no": number[-4:],
            "payment_ref_no": operation.rrn or operation.name,
            "payment_method_authcode": operation.authorization_code,
        }
        return {name: value for name, value in facts.items() if value and name in self._fields}

    def action_servipay_operation(self):
        """Open the operation that paid this line."""
        self.ensure_one()
        return open_form(self.servipay_operation_id)

    if SERIES < 18:

        def _export_for_ui(self, payment):
            return {**super()._export_for_ui(payment), "servipay_key": payment.servipay_key}


if SERIES < 18:

    class PosOrder(models.Model):
        _inherit = "pos.order"

        def _payment_fields(self, order, ui_paymentline):
            values = super()._payment_fields(order, ui_paymentline)
            values["servipay_key"] = ui_paymentline.get("servipay_key")
            return values
