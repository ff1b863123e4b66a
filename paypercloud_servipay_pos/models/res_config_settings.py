from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    pos_servipay_terminal_pid = fields.Char(related="pos_config_id.servipay_terminal_pid", readonly=False)
    pos_servipay_pos_id = fields.Char(related="pos_config_id.servipay_pos_id", readonly=False)
    pos_servipay_api_key = fields.Char(
        related="pos_config_id.servipay_api_key", readonly=False, groups="base.group_system"
    )
    pos_servipay_api_key_set = fields.Boolean(related="pos_config_id.servipay_api_key_set")
    pos_servipay_reconcile = fields.Boolean(related="pos_config_id.servipay_reconcile", readonly=False)
    pos_servipay_user_ids = fields.Many2many(related="pos_config_id.servipay_user_ids", readonly=False)
