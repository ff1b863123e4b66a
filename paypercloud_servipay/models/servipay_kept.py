"""What payments hang on outlives them: the terminal that is asked, the keys it is asked with, the company.

While it is not known whether money moved, nothing that the question needs may go away. What has a history
stays for good, so that a payment can still be looked up, refunded and explained years later.
"""

from odoo import _, api, models
from odoo.exceptions import UserError

from ..api import states


class ServipayKept(models.AbstractModel):
    """In front of a model that operations lead to: they are asked before one of it goes away."""

    _name = "servipay.kept"
    _description = "Record that payments hang on"

    def _servipay_hanging(self):
        """Return the domain of all operations that hang on these records; each model has its own."""
        raise NotImplementedError

    @api.model
    def _servipay_lasting(self):
        """Return the fields that may not change while an operation is not settled."""
        return ()

    def _servipay_loses(self, vals):
        """Tell whether writing ``vals`` here takes away what an open operation needs."""
        self.ensure_one()
        archived = "active" in self._fields and self["active"] and not vals.get("active", True)
        return archived or any(
            name in vals and self._fields[name].convert_to_write(self[name], self) != (vals[name] or False)
            for name in self._servipay_lasting()
        )

    def write(self, vals):
        """Refuse what would leave an operation without the way to ask about it."""
        for record in self.sudo():
            if record._servipay_loses(vals):
                record._servipay_check_settled(record._servipay_needing())
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_with_operations(self):
        for record in self.sudo():
            record._servipay_check_settled(record._servipay_hanging())
            found = self.env["servipay.operation"].sudo().search(record._servipay_hanging(), limit=1)
            if found:
                raise UserError(
                    _(
                        "“%(name)s” cannot be deleted: payments were made with it, such as %(operation)s, "
                        "and would lose what they are looked up and given back by. Archive or disable it "
                        "instead.",
                        name=record.display_name,
                        operation=found.name,
                    )
                )

    def _servipay_needing(self):
        """Return the domain of the operations that need this record as it is now."""
        return self._servipay_hanging()

    def _servipay_check_settled(self, hanging):
        """UserError that names an operation of a domain of which it is not known what became."""
        domain = [*hanging, ("state", "in", tuple(states.UNSETTLED))]
        found = self.env["servipay.operation"].sudo().search(domain, limit=1)
        if found:
            raise UserError(
                _(
                    "“%(name)s” is still needed: payment %(operation)s is “%(state)s”, and without it nobody "
                    "could ask any more whether money moved. Nothing was changed. Wait until the payment is "
                    "settled, or decide about it in PayperCloud / Servipay > Operations, then try again.",
                    name=self.display_name,
                    operation=found._summary(),
                    state=found._state_label(found.state),
                )
            )


class ServipayTerminal(models.Model):
    _name = "servipay.terminal"
    _inherit = ["servipay.kept", "servipay.terminal"]

    def _servipay_hanging(self):
        return [("terminal_id", "in", self.ids)]

    @api.model
    def _servipay_lasting(self):
        return (*super()._servipay_lasting(), "company_id", "provider")


class ResCompany(models.Model):
    _name = "res.company"
    _inherit = ["servipay.kept", "res.company"]

    def _servipay_hanging(self):
        return [("company_id", "in", self.ids)]


class ServipayApiProfile(models.Model):
    _name = "servipay.api.profile"
    _inherit = ["servipay.kept", "servipay.api.profile"]

    def _servipay_hanging(self):
        companies = self.env["res.company"].sudo().search([("active", "in", (True, False))])
        users = companies.filtered(lambda company: company._servipay_profile(required=False) in self)
        return [("provider", "=", "paypercloud"), ("company_id", "in", users.ids)]


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.ondelete(at_uninstall=False)
    def _unlink_except_with_operations(self):
        """Whoever of the shop took a payment, or decided about one, stays nameable."""
        own = self.sudo().filtered(lambda user: user._is_internal())
        domain = ["|", ("user_id", "in", own.ids), ("resolved_by_id", "in", self.ids)]
        found = self.env["servipay.operation"].sudo().search(domain, limit=1)
        if found:
            user = found.resolved_by_id & self or found.user_id
            raise UserError(
                _(
                    "%(user)s cannot be deleted: payments such as %(operation)s say who started them or "
                    "decided about them. Archive the user instead.",
                    user=user.name,
                    operation=found.name,
                )
            )
