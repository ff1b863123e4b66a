"""An addon that is uninstalled leaves its payments behind: who paid what, when, and with which number.

A provider's addon adds its value to ``servipay.operation.provider`` with ``ondelete={value: leave(value)}``.
While it is not known what became of a payment its addon cannot go: nobody could ask any more.
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..api import states
from ..api.finding import Finding

GONE = "gone"
SELECTION = "selection__servipay_operation__provider__"  # how Odoo names the records of its values


def leave(value):
    """Return what Odoo calls for the operations of a provider whose addon goes."""
    return lambda operations: operations.sudo()._let_provider_go(value)


class ServipayOperation(models.Model):
    _inherit = "servipay.operation"

    provider = fields.Selection(selection_add=[(GONE, "Removed addon")], ondelete={GONE: "cascade"})
    provider_gone = fields.Char(
        "Was", readonly=True, copy=False, help="The provider whose addon was uninstalled since."
    )

    def _let_provider_go(self, value):
        """Keep what a provider's addon has recorded, under the provider's name.

        With SQL: what was agreed cannot be changed otherwise, and the addon's code may be half gone."""
        names = dict(self._fields["provider"]._description_selection(self.env))
        name = names.get(value, value)
        self.env.flush_all()
        self.env.cr.execute(
            """
            UPDATE servipay_operation
               SET provider = %(gone)s, provider_gone = %(name)s, next_inquiry_at = NULL
             WHERE provider = %(value)s;
            -- another addon's terminal may have had the same identifier
            UPDATE servipay_terminal
               SET provider = %(gone)s, active = false, pid = pid || ' (' || %(name)s || ')'
             WHERE provider = %(value)s;
            """,
            {"gone": GONE, "name": name, "value": value},
        )
        self.env.invalidate_all()

    # ------------------------------------------------------------------
    # Before an addon goes
    # ------------------------------------------------------------------

    @api.model
    def _check_uninstall(self, names):
        """UserError when one of these addons (technical names) is needed to learn what became of money."""
        found = self.sudo().search(
            [("state", "in", tuple(states.UNSETTLED)), *self._lost_with(names)], limit=1
        )
        if found:
            raise UserError(
                _(
                    "Payment %(operation)s is “%(state)s”, and only this addon can ask whether money moved. "
                    "Nothing was uninstalled. Wait until the payment is settled, or decide about it in "
                    "PayperCloud / Servipay > Operations, then uninstall again.",
                    operation=found._summary(),
                    state=found._state_label(found.state),
                )
            )

    @api.model
    def _lost_with(self, names):
        """Return the domain of the operations that nobody could ask about without these addons."""
        return [("provider", "in", self._providers_of(names))]

    @api.model
    def _providers_of(self, names):
        """Return the values of ``provider`` that these addons brought."""
        records = (
            self.env["ir.model.data"]
            .sudo()
            .search(
                [
                    ("model", "=", "ir.model.fields.selection"),
                    ("module", "in", list(names)),
                    ("name", "=like", f"{SELECTION}%"),
                ]
            )
        )
        return [name.removeprefix(SELECTION) for name in records.mapped("name")]

    # ------------------------------------------------------------------
    # What can still be done: to read
    # ------------------------------------------------------------------

    def _gone_plan(self, step):
        sentence = _("The addon of %s was uninstalled: install it again to speak with this provider.")
        return Finding("failed" if step == "send" else None, "configuration", sentence % self.provider_gone)

    def _gone_can_ask_settled(self):
        return False

    def _compute_can(self):
        result = super()._compute_can()
        self.filtered(lambda one: one.provider == GONE).update({"can_refund": False, "can_void": False})
        return result


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_uninstall(self):
        """Ask first whether a payment still needs one of the addons that would go."""
        names = (self | self.downstream_dependencies()).mapped("name")
        self.env["servipay.operation"]._check_uninstall(names)
        return super().button_uninstall()
