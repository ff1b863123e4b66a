from odoo import _, api, fields, models
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
    gives_back = fields.Boolean(compute="_compute_asked")
    has_amount = fields.Boolean(compute="_compute_asked")
    currency_id = fields.Many2one(related="operation_id.currency_id")
    asked = fields.Monetary(related="operation_id.amount", string="Asked")
    answered = fields.Monetary(related="operation_id.answered_amount")
    amount = fields.Monetary(
        "How much?",
        compute="_compute_amount",
        store=True,
        readonly=False,
        help="What was really moved. What the provider states stands here, else all that was asked.",
    )
    reason = fields.Char(
        "How do you know?", required=True, help="Stored with your name, and shown to accountants."
    )

    @api.depends("operation_id")
    def _compute_asked(self):
        for dialog in self:
            operation = dialog.operation_id.sudo()
            dialog.has_amount = operation.kind not in ("void", "reconciliation")
            dialog.gives_back = operation.kind in ("refund", "void")

    @api.depends("operation_id")
    def _compute_amount(self):
        for dialog in self:
            operation = dialog.operation_id.sudo()
            dialog.amount = operation.answered_amount or operation.amount

    def action_confirm(self):
        """Settle the operation by the manager's word."""
        self.ensure_one()
        self.operation_id._check_group("paypercloud_servipay.group_manager")
        if not (self.reason or "").strip():
            raise UserError(_("Say how you know: the accountant will ask."))
        amount = self.amount if self.has_amount else None
        self.operation_id.sudo()._resolve(self.outcome, self.reason.strip(), amount)
        return {"type": "ir.actions.act_window_close"}
