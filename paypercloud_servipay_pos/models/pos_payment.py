from odoo import api, fields, models

from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.compat import SERIES
from odoo.addons.paypercloud_servipay.models.actions import open_form

_logger = get_logger(__name__)

# Only code of this file holds it, so no context that a browser sends can stand for it.
_BY_SERVER = object()


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

    @api.model_create_multi
    def create(self, vals_list):
        """Link each payment with its operation, whose facts count, not the browser's."""
        payments = super().create([self._without_operation(vals) for vals in vals_list])
        for payment in payments.filtered("servipay_key"):
            payment._write_linked()
        return payments

    def write(self, vals):
        """Link again when the till paid the line with another attempt."""
        if self.env.context.get("servipay_link") is _BY_SERVER:
            return super().write(vals)
        result = super().write(self._without_operation(vals))
        if vals.get("servipay_key"):
            for payment in self:
                payment._write_linked()
        return result

    @api.model
    def _without_operation(self, vals):
        # the till sends every column; which operation paid is never its word
        return {name: value for name, value in vals.items() if name != "servipay_operation_id"}

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
