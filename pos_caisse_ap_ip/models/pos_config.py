import re

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError


class PosConfig(models.Model):
    _inherit = "pos.config"

    caisse_ap_till = fields.Char(
        "Caisse-AP till number", default="01", help="Two digits that the terminal knows this till by (CA)."
    )

    @api.constrains("caisse_ap_till")
    def _check_caisse_ap_till(self):
        for config in self.filtered("caisse_ap_till"):
            if not re.fullmatch(r"[0-9]{2}", config.caisse_ap_till):
                raise ValidationError(_("The Caisse-AP till number has two digits."))


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    pos_caisse_ap_till = fields.Char(related="pos_config_id.caisse_ap_till", readonly=False)
