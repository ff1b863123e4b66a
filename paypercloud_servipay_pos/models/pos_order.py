from odoo import fields, models

from odoo.addons.paypercloud_servipay.models.actions import open_operations


class PosOrder(models.Model):
    _inherit = "pos.order"

    # with groups: 18.0 and 19.0 read every field of an order at each synchronisation of a till
    servipay_operation_count = fields.Integer(
        compute="_compute_servipay_operation_count",
        compute_sudo=True,
        groups="paypercloud_servipay.group_user",
    )

    def _compute_servipay_operation_count(self):
        for order in self:
            order.servipay_operation_count = len(order._servipay_operations())

    def _servipay_operations(self):
        """Return the operations that were made for these orders, also those that paid nothing."""
        uids = [uid for uid in self.mapped(self._servipay_uid_field()) if uid]
        domain = [
            "|",
            ("pos_payment_ids.pos_order_id", "in", self.ids),
            "&",
            ("company_id", "in", self.company_id.ids),
            ("pos_order_uid", "in", uids),
        ]
        return self.env["servipay.operation"].search(domain)

    def _servipay_uid_field(self):
        """Return the field that holds what the till calls an order by: 17.0 keeps its number only."""
        return "uuid" if "uuid" in self._fields else "pos_reference"

    def action_servipay_operations(self):
        """Open the terminal operations of this order."""
        return open_operations(self.env, [("id", "in", self.sudo()._servipay_operations().ids)])
