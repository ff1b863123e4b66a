"""Taking over the payment methods of 19.0's own `pos_viva_com`, where they may be used side by side.

Its columns are read with SQL, by their names: a database that was upgraded has them without its code.
Source: protocols/viva.md, 4.
"""

from odoo import api, fields, models
from odoo.tools import SQL, sql

from .pos_payment_method import TERMINAL

THEIR_TERMINAL = "viva_com"
# their column -> our field
COLUMNS = {
    f"viva_com_{name}": f"viva_wallet_{name}"
    for name in ("merchant_id", "api_key", "client_id", "client_secret", "terminal_id", "test_mode")
}

READABLE = ("viva_com_api_key", "viva_com_client_secret", "viva_com_bearer_token")


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    @api.model
    def _viva_takeover_possible(self):
        """Tell whether the other addon's columns are in this database."""
        return all(sql.column_exists(self.env.cr, self._table, name) for name in COLUMNS)

    @api.model
    def _viva_takeover(self):
        """Make the other addon's payment methods ours; see ``_servipay_take_over``.

        What was readable there for every cashier is emptied: the secrets are sealed here."""
        taken, left = self._servipay_take_over(self._viva_theirs(), _ours)
        if taken:
            self._viva_empty_theirs(taken)
        return taken, left

    def _viva_theirs(self):
        return self._servipay_theirs(COLUMNS, THEIR_TERMINAL) if self._viva_takeover_possible() else []

    def _viva_empty_theirs(self, taken):
        readable = [name for name in READABLE if sql.column_exists(self.env.cr, self._table, name)]
        emptied = SQL(", ").join(SQL("%s = NULL", SQL.identifier(name)) for name in readable)
        query = "UPDATE pos_payment_method SET %s WHERE id = ANY(%s)"
        self.env.cr.execute(SQL(query, emptied, taken.ids))
        self.invalidate_model()


def _ours(columns):
    """Return the values of one of their rows; “production” is one, an empty text is none."""
    told = {name: value for name, value in columns.items() if value or name.endswith("test_mode")}
    ours = {COLUMNS[name]: value or False for name, value in told.items()}
    return {**ours, "use_payment_terminal": TERMINAL}


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    viva_takeover_possible = fields.Boolean(compute="_compute_viva_takeover_possible")

    # 17.0 and 18.0 compute nothing for a form that depends on nothing
    @api.depends("company_id")
    def _compute_viva_takeover_possible(self):
        possible = self.env["pos.payment.method"]._viva_takeover_possible()
        for settings in self:
            settings.viva_takeover_possible = possible

    def action_viva_takeover(self):
        """Take over the other addon's payment methods and say which, and which not and why."""
        return self._servipay_taken_over(*self.env["pos.payment.method"]._viva_takeover())
