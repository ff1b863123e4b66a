from odoo import _, fields, models
from odoo.exceptions import UserError


class ServipayOperationResolve(models.TransientModel):
    _name = "servipay.operation.resolve"
    _description = "Settle an uncertain operation"

    operation_id = fields.Many2one("servipay.operation", required=True, ondelete="cascade")
    explanation = fields.Text(related="operation_id.explanation")
    outcome = fields.Selection(
        [("approved", "It was paid"), ("failed", "It was not paid")],
        required=True,
        string="What became of the money?",
    )
    reason = fields.Char(
        "How do you know?", required=True, help="Stored with your name, and shown to accountants."
    )

    def action_confirm(self):
        """Settle the operation by the manager's word."""
        self.ensure_one()
        self.operation_id._check_group("paypercloud_servipay.group_manager")
        if not (self.reason or "").strip():
            raise UserError(_("Say how you know: the accountant will ask."))
        self.operation_id.sudo()._resolve(self.outcome, self.reason.strip())
        return {"type": "ir.actions.act_window_close"}
