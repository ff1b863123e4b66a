"""Taking over the payment methods of another module, for the addons of terminals that have a predecessor.

That module may be installed, or its code may be gone while its columns are still in the database: so its
columns are read with SQL, by their names, and nothing of it is needed."""

from odoo import _, api, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, sql


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    @api.model
    def _servipay_theirs(self, columns, terminal):
        """Return [(method id, {column: value})] of the methods whose terminal is another module's.

        :param columns: its columns; those that its release does not have are left out
        """
        columns = [name for name in columns if sql.column_exists(self.env.cr, self._table, name)]
        if not columns:
            return []
        self.env.flush_all()
        names = SQL(", ").join(SQL.identifier(name) for name in columns)
        query = "SELECT id, %s FROM pos_payment_method WHERE use_payment_terminal = %s ORDER BY id"
        self.env.cr.execute(SQL(query, names, terminal))
        return [(row[0], dict(zip(columns, row[1:], strict=True))) for row in self.env.cr.fetchall()]

    @api.model
    def _servipay_take_over(self, theirs, values_of):
        """Make methods ours, in all companies; again it finds nothing to do.

        Journal, accounts and past payments stay with the method. Returns (methods, [(method, why not)]).

        :param theirs: what ``_servipay_theirs`` returns
        :param values_of: function of {column: value} -> values to write; a UserError of it says why not
        """
        if not self.env.user.has_group("base.group_system"):
            raise AccessError(_("Only an administrator may take over another module's settings."))
        taken, left = self.browse(), []
        for number, columns in theirs:
            method = self.sudo().browse(number)
            try:
                with self.env.cr.savepoint():
                    method.write(values_of(columns))
                    method.flush_recordset()
            except UserError as error:  # a ValidationError is one
                left.append((method, str(error)))
            else:
                taken |= method
        return taken, left


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    def _servipay_taken_over(self, taken, left):
        """Return the notification that says which methods were taken over, and which not and why."""
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
