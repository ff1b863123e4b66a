from odoo import _, api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import NO_ACCESS

from odoo.addons.paypercloud_servipay.api.request import Credentials


class ServipayPosCredentials(models.AbstractModel):
    """What a payment method or a point of sale may say about PayperCloud instead of the company."""

    _name = "servipay.pos.credentials"
    _description = "PayperCloud credentials of a point of sale"

    servipay_api_key = fields.Char(
        "POS-specific API Key",
        compute="_compute_servipay_api_key",
        inverse="_inverse_servipay_api_key",
        groups="base.group_system",
        help="Overrides the global API key. It can be replaced, never read.",
    )
    # unreadable by RPC for everybody, administrators included
    servipay_api_key_sealed = fields.Char(groups=NO_ACCESS, copy=False)
    servipay_api_key_set = fields.Boolean(
        "POS-specific API Key is set", compute="_compute_servipay_api_key_set", compute_sudo=True
    )
    servipay_pos_id = fields.Char("POS ID (posId / pos_pid)", help="Overrides the global POS identifier.")
    servipay_terminal_pid = fields.Char(
        "Terminal PID (pid / tpe_pid)", help="Overrides the global default terminal."
    )

    def _compute_servipay_api_key(self):
        # write only: a secret never goes back to a browser
        self.servipay_api_key = False

    def _inverse_servipay_api_key(self):
        box = self.env["servipay.secret.box"]
        for record in self:
            if record.servipay_api_key:
                record.sudo().servipay_api_key_sealed = box._seal(record.servipay_api_key.strip())

    @api.depends("servipay_api_key_sealed")
    def _compute_servipay_api_key_set(self):
        for record in self:
            record.servipay_api_key_set = bool(record.servipay_api_key_sealed)

    def action_servipay_forget_key(self):
        """Go back to the global API key."""
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(_("Only administrators may change API keys."))
        self.sudo().servipay_api_key_sealed = False

    def _servipay_credentials(self):
        """Return ``Credentials`` whose parts are empty where this record says nothing."""
        record = self.sudo()
        return Credentials(
            api_key=self.env["servipay.secret.box"]._unseal(record.servipay_api_key_sealed),
            pos_id=record.servipay_pos_id or "",
            terminal_pid=record.servipay_terminal_pid or "",
        )
