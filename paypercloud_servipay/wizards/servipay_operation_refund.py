import uuid

from odoo import api, fields, models


class ServipayOperationRefund(models.TransientModel):
    """Give back a payment, whole or in part. One dialog is one intent: its key is made when it opens."""

    _name = "servipay.operation.refund"
    _description = "Refund or void a payment"

    operation_id = fields.Many2one("servipay.operation", required=True, ondelete="cascade")
    void = fields.Boolean("Void the whole payment")
    currency_id = fields.Many2one(related="operation_id.currency_id")
    refundable_amount = fields.Monetary(related="operation_id.refundable_amount")
    amount = fields.Monetary(
        "Amount to refund",
        compute="_compute_amount",
        precompute=True,
        store=True,
        readonly=False,
        required=True,
    )
    idempotency_key = fields.Char(default=lambda self: str(uuid.uuid4()), required=True, readonly=True)

    @api.depends("operation_id")
    def _compute_amount(self):
        for dialog in self:
            dialog.amount = dialog.operation_id.refundable_amount

    def action_confirm(self):
        """Start the refund or void and open it. Pressed twice, it is one refund."""
        self.ensure_one()
        original = self.operation_id
        original._check_group("paypercloud_servipay.group_manager")
        # of a void not what is left: that is nothing when the button is pressed again
        amount = original._settled_amount() if self.void else self.amount
        operation = original.sudo()._give_back(self.idempotency_key, amount, void=self.void)
        return {
            "type": "ir.actions.act_window",
            "res_model": "servipay.operation",
            "res_id": operation.id,
            "views": [(False, "form")],
        }
