from dataclasses import replace

from odoo import models


class ResCompany(models.Model):
    _inherit = "res.company"

    def _paypercloud_get_credentials(self, record=None):
        """Let the point of sale, then the payment method, override the company's credentials."""
        credentials = super()._paypercloud_get_credentials(record)
        if record is None or "pos_payment_method_id" not in record._fields:
            return credentials
        for holder in (record.pos_config_id, record.pos_payment_method_id):
            if holder:
                own = holder._servipay_credentials()
                parts = {name: value for name, value in vars(own).items() if value}
                credentials = replace(credentials, **parts)
        return credentials
