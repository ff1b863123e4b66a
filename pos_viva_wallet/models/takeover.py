"""Taking over the payment methods of 19.0's own `pos_viva_com`, where they may be used side by side.

Its columns are read with SQL, by their names: a database that was upgraded has them without its code.
Source: protocols/viva.md, 4.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, sql

from .pos_payment_method import TERMINAL, _told

THEIR_TERMINAL = "viva_com"
# their column -> our field
COLUMNS = {
    f"viva_com_{name}": f"viva_wallet_{name}"
    for name in ("merchant_id", "api_key", "client_id", "client_secret", "terminal_id", "test_mode")
}


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    @api.model
    def _viva_takeover_possible(self):
        """Tell whether the other addon's columns are in this database."""
        return all(sql.column_exists(self.env.cr, self._table, name) for name in COLUMNS)

    @api.model
    def _viva_takeover(self):
        """Make the other addon's payment methods ours, in all companies; again it finds nothing to do.

        Journal, accounts and past payments stay with the method. Returns (methods, [(method, why not)])."""
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(_("Only an administrator may take over another module's settings."))
        taken, left = self.browse(), []
        for number, values in self._viva_theirs():
            method = self.sudo().browse(number)
            try:
                with self.env.cr.savepoint():
                    method.write({**values, "use_payment_terminal": TERMINAL})
                    method.flush_recordset()
            except UserError as error:  # a ValidationError is one
                left.append((method, str(error)))
            else:
                taken |= method
        return taken, left

    def _viva_theirs(self):
        """Return [(method id, {our field: value})]."""
        if not self._viva_takeover_possible():
            return []
        self.env.flush_all()
        names = SQL(", ").join(SQL.identifier(name) for name in COLUMNS)
        query = "SELECT id, %s FROM pos_payment_method WHERE use_payment_terminal = %s ORDER BY id"
        self.env.cr.execute(SQL(query, names, THEIR_TERMINAL))
        rows = self.env.cr.fetchall()
        return [
            (number, {name: value or False for name, value in pairs if _told_of(name, value)})
            for number, *values in rows
            for pairs in [zip(COLUMNS.values(), values, strict=True)]
        ]


def _told_of(name, value):
    """Tell whether a value is to be taken over: “production” is one, an empty text is none."""
    return bool(value) or name.endswith("test_mode")


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    viva_takeover_possible = fields.Boolean(compute="_compute_viva_takeover_possible")

    def _compute_viva_takeover_possible(self):
        possible = self.env["pos.payment.method"]._viva_takeover_possible()
        for settings in self:
            settings.viva_takeover_possible = possible

    def action_viva_takeover(self):
        """Take over the other addon's payment methods and say which, and which not and why."""
        taken, left = self.env["pos.payment.method"]._viva_takeover()
        told = [_("%(count)s payment methods were taken over.", count=len(taken))]
        for method, why in left:
            told.append(_("“%(name)s” was not: %(why)s", name=method.name, why=why))
        return _told("warning" if left else "success", "\n".join(told))
