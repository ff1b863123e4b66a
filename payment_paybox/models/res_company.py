from odoo import models

from .payment_provider import SECRETS


class ResCompany(models.Model):
    _inherit = "res.company"

    def _servipay_seal_again(self):
        """Encrypt the providers' secrets too with the first key of the configuration file."""
        result = super()._servipay_seal_again()
        box = self.env["servipay.secret.box"]
        providers = self.env["payment.provider"].sudo().search([("company_id", "in", self.ids)])
        for name in SECRETS:
            for provider in providers.filtered(f"{name}_sealed"):
                provider[f"{name}_sealed"] = box._seal(box._unseal(provider[f"{name}_sealed"]))
        return result
