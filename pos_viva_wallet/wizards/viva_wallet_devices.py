from odoo import fields, models


class VivaWalletDevices(models.TransientModel):
    _name = "viva.wallet.devices"
    _description = "Terminals of a Viva.com merchant"

    method_id = fields.Many2one("pos.payment.method", required=True, readonly=True)
    line_ids = fields.One2many("viva.wallet.device", "wizard_id", readonly=True)


class VivaWalletDevice(models.TransientModel):
    _name = "viva.wallet.device"
    _description = "Terminal of a Viva.com merchant"

    wizard_id = fields.Many2one("viva.wallet.devices", required=True, ondelete="cascade")
    terminal = fields.Char("Terminal ID", readonly=True)
    status = fields.Char(readonly=True)
    source = fields.Char("Payment source", readonly=True)

    def action_use(self):
        """Let the payment method drive this terminal."""
        self.ensure_one()
        self.wizard_id.method_id.viva_wallet_terminal_id = self.terminal
        return {"type": "ir.actions.act_window_close"}
