"""Taking over the payment methods of OCA's module `l10n_fr_pos_caisse_ap_ip`.

Source: protocols/caisse_ap.md, 5 (fields on pos.payment.method).
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import sql

from .pos_payment_method import APPLICATIONS, TERMINAL

THEIR_TERMINAL = "fr-caisse_ap_ip"
THEIR_ADDRESS = "fr_caisse_ap_ip_address"
# their column -> our field; not every release of that module has all of them
COLUMNS = {
    THEIR_ADDRESS: "caisse_ap_host",
    "fr_caisse_ap_ip_port": "caisse_ap_port",
    "fr_caisse_ap_ip_mode": "caisse_ap_mode",
    "fr_caisse_ap_ip_fast_payment": "servipay_fast_payment",
}


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    @api.model
    def _caisse_ap_takeover_possible(self):
        """Tell whether the other module's columns are in this database."""
        return sql.column_exists(self.env.cr, self._table, THEIR_ADDRESS)

    @api.model
    def _caisse_ap_takeover(self):
        """Make the other module's payment methods ours; see ``_servipay_take_over``."""
        return self._servipay_take_over(self._caisse_ap_theirs(), self._caisse_ap_taken_values)

    def _caisse_ap_theirs(self):
        return self._servipay_theirs(COLUMNS, THEIR_TERMINAL) if self._caisse_ap_takeover_possible() else []

    def _caisse_ap_taken_values(self, theirs):
        """Return our field values for their row; what they did not enter keeps our default."""
        values = {COLUMNS[name]: value for name, value in theirs.items() if value is not None}
        mode = values.get("caisse_ap_mode") or "card"
        if mode not in APPLICATIONS:
            raise UserError(_("This addon has no payment mode “%s”.", mode))
        kind = {"payment_method_type": "terminal"} if "payment_method_type" in self._fields else {}
        return {**values, **kind, "caisse_ap_mode": mode, "use_payment_terminal": TERMINAL}


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    caisse_ap_takeover_possible = fields.Boolean(compute="_compute_caisse_ap_takeover_possible")

    # 17.0 and 18.0 compute nothing for a form that depends on nothing
    @api.depends("company_id")
    def _compute_caisse_ap_takeover_possible(self):
        possible = self.env["pos.payment.method"]._caisse_ap_takeover_possible()
        for settings in self:
            settings.caisse_ap_takeover_possible = possible

    def action_caisse_ap_takeover(self):
        """Take over the other module's payment methods and say which, and which not and why."""
        return self._servipay_taken_over(*self.env["pos.payment.method"]._caisse_ap_takeover())
