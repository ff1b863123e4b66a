from odoo import _, api, fields, models
from odoo.exceptions import AccessError


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    servipay_environment = fields.Selection(related="company_id.servipay_environment", readonly=False)
    servipay_base_url = fields.Char(related="company_id.servipay_base_url", readonly=False)
    servipay_pos_id = fields.Char(related="company_id.servipay_pos_id", readonly=False)
    servipay_api_key = fields.Char(
        related="company_id.servipay_api_key", readonly=False, groups="base.group_system"
    )
    servipay_api_key_set = fields.Boolean(related="company_id.servipay_api_key_set")
    servipay_terminal_pid = fields.Char(related="company_id.servipay_terminal_pid", readonly=False)
    servipay_timeout = fields.Integer(related="company_id.servipay_timeout", readonly=False)
    servipay_verify_ssl = fields.Boolean(related="company_id.servipay_verify_ssl", readonly=False)
    servipay_ca_bundle = fields.Text(related="company_id.servipay_ca_bundle", readonly=False)
    servipay_log_bodies = fields.Boolean(related="company_id.servipay_log_bodies", readonly=False)
    servipay_log_days = fields.Integer(related="company_id.servipay_log_days", readonly=False)
    servipay_allow_private = fields.Boolean(related="company_id.servipay_allow_private", readonly=False)
    servipay_profile_id = fields.Many2one(related="company_id.servipay_profile_id", readonly=False)
    servipay_responsible_id = fields.Many2one(
        related="company_id.servipay_responsible_id",
        readonly=False,
        domain="[('share', '=', False), ('company_ids', 'in', company_id)]",
    )
    servipay_warnings = fields.Text(compute="_compute_servipay_warnings")
    servipay_sealed = fields.Boolean(compute="_compute_servipay_sealed")

    @api.depends(
        "servipay_environment", "servipay_verify_ssl", "servipay_profile_id", "servipay_profile_id.verified"
    )
    def _compute_servipay_warnings(self):
        for settings in self:
            warnings = settings.company_id._servipay_warnings()
            settings.servipay_warnings = "\n".join(warning.text for warning in warnings)

    def _compute_servipay_sealed(self):
        self.servipay_sealed = self.env["servipay.secret.box"]._has_keys()

    def action_servipay_test_connection(self):
        """Ask the API for the last reconciliation (it moves nothing) and say what came back."""
        self.ensure_one()
        return self.company_id._servipay_test_connection()

    def action_servipay_remove_key(self):
        """Forget the stored API key of the company."""
        self.ensure_one()
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(_("Only an administrator may remove the key."))
        self.company_id.sudo().servipay_api_key_sealed = False
        return {"type": "ir.actions.client", "tag": "reload"}

    def action_servipay_seal(self):
        """Encrypt the stored secrets of all companies with the first key of the configuration file."""
        # each company: one without a key of its own may have terminals and providers with theirs
        companies = self.env["res.company"].sudo().search([])  # pylint: disable=no-search-all
        companies._servipay_seal_again()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"type": "success", "message": _("Stored secrets are encrypted with the current key.")},
        }
