from odoo import _, api, fields, models
from odoo.exceptions import AccessError

from odoo.addons.paypercloud_servipay.api.request import Credentials
from odoo.addons.paypercloud_servipay.models.servipay_secrets import is_set, sealed, secret


class ServipayPosCredentials(models.AbstractModel):
    """What a payment method or a point of sale may say about PayperCloud instead of the company."""

    _name = "servipay.pos.credentials"
    _inherit = "servipay.secrets"
    _description = "PayperCloud credentials of a point of sale"

    servipay_api_key = secret(
        "POS-specific API Key", help="Overrides the global API key. It can be replaced, never read."
    )
    servipay_api_key_sealed = sealed()
    servipay_api_key_set = is_set("POS-specific API Key is set")
    servipay_pos_id = fields.Char("POS ID (posId / pos_pid)", help="Overrides the global POS identifier.")
    servipay_terminal_pid = fields.Char(
        "Terminal PID (pid / tpe_pid)", help="Overrides the global default terminal."
    )

    @api.model
    def _servipay_secrets(self):
        return (*super()._servipay_secrets(), "servipay_api_key")

    def action_servipay_forget_key(self):
        """Go back to the global API key."""
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(_("Only administrators may change API keys."))
        self.sudo().servipay_api_key_sealed = False

    def _servipay_credentials(self):
        """Return ``Credentials`` whose parts are empty where this record says nothing."""
        record = self.sudo()
        return Credentials(
            api_key=self._servipay_secret("servipay_api_key"),
            pos_id=record.servipay_pos_id or "",
            terminal_pid=record.servipay_terminal_pid or "",
        )
