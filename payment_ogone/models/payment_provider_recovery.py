from odoo import _, fields, models
from odoo.exceptions import UserError


class PaymentProvider(models.Model):
    """The way back from Worldline's provider, to which Odoo's own upgrade moves an Ogone account."""

    _inherit = "payment.provider"

    ogone_recoverable = fields.Boolean(compute="_compute_ogone_recoverable", compute_sudo=True)

    def _compute_ogone_recoverable(self):
        for provider in self:
            provider.ogone_recoverable = bool(provider._ogone_recovery_sources())

    def _ogone_recovery_sources(self):
        """Return Worldline's providers (sudo) of the same company that hold a PSPID.

        Empty for other providers than Ogone's, and where Odoo's addon ``payment_worldline`` is not installed:
        this addon does not depend on it.
        """
        providers = self.env["payment.provider"].sudo()
        if self.code != "ogone" or "worldline_pspid" not in self._fields:
            return providers
        domain = [("code", "=", "worldline"), ("company_id", "=", self.company_id.id)]
        return providers.search(domain, order="id").filtered("worldline_pspid")

    def action_ogone_recover(self):
        """Open the dialog that copies the account."""
        self.ensure_one()
        if not self.env.user.has_group("base.group_system"):
            raise UserError(_("Only administrators may recover an account."))
        return {
            "type": "ir.actions.act_window",
            "name": _("Recover the account from Worldline"),
            "res_model": "payment.ogone.recovery",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_provider_id": self.id},
        }
