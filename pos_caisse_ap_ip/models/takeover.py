"""Taking over the payment methods of OCA's module `l10n_fr_pos_caisse_ap_ip`.

That module may be installed, or its code may be gone while its columns are still in the database: so its
columns are read with SQL, by their names, and nothing of it is needed.
Source: protocols/caisse_ap.md, 5 (fields on pos.payment.method).
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, sql

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
        """Make the other module's payment methods ours, in all companies; again it finds nothing to do.

        Journal, accounts and past payments stay with the method. Returns (methods, [(method, why not)]).
        """
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(_("Only an administrator may take over another module's settings."))
        taken, left = self.browse(), []
        for method_id, values in self._caisse_ap_theirs():
            method = self.sudo().browse(method_id)
            try:
                with self.env.cr.savepoint():
                    method.write(self._caisse_ap_taken_values(values))
                    method.flush_recordset()
            except UserError as error:  # a ValidationError is one
                left.append((method, str(error)))
            else:
                taken |= method
        return taken, left

    def _caisse_ap_theirs(self):
        """Return [(method id, {their column: value})]."""
        if not self._caisse_ap_takeover_possible():
            return []
        self.env.flush_all()
        columns = [name for name in COLUMNS if sql.column_exists(self.env.cr, self._table, name)]
        names = SQL(", ").join(SQL.identifier(name) for name in columns)
        self.env.cr.execute(
            SQL(
                "SELECT id, %s FROM pos_payment_method WHERE use_payment_terminal = %s ORDER BY id",
                names,
                THEIR_TERMINAL,
            )
        )
        rows = self.env.cr.fetchall()
        return [(row[0], dict(zip(columns, row[1:], strict=True))) for row in rows]

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
        taken, left = self.env["pos.payment.method"]._caisse_ap_takeover()
        told = [_("%(count)s payment methods were taken over.", count=len(taken))]
        for method, why in left:
            told.append(_("“%(name)s” was not: %(why)s", name=method.name, why=why))
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning" if left else "success",
                "message": "\n".join(told),
                "sticky": bool(left),
            },
        }
