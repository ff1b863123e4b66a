"""What whoever sells may not write, although Odoo lets him write points of sale and sessions.

Who is told of payments, where they go and who decides about them would be no rule, if a cashier's console
could change it; nor would what a closing came to be evidence."""

from odoo import SUPERUSER_ID, _, models
from odoo.exceptions import AccessError, UserError

from .till_person import is_manager

OURS = "servipay_"
# of Odoo: who counts as whom at a till, and which tills act for each other
ROLES_HANG_ON = frozenset(
    {
        *("module_pos_hr", "basic_employee_ids", "advanced_employee_ids", "minimal_employee_ids"),
        "trusted_config_ids",
    }
)


def _may_set(env):
    return env.uid == SUPERUSER_ID or is_manager(env.user) or env.user.has_group("base.group_system")


class PosConfig(models.Model):
    _inherit = "pos.config"

    def write(self, vals):
        """Leave to managers what payments and their rights hang on."""
        ours = not self.env.su and any(name.startswith(OURS) for name in vals)
        # pos_hr writes employees as superuser, whoever asks
        if (ours or ROLES_HANG_ON & vals.keys()) and not _may_set(self.env):
            raise AccessError(
                _(
                    "Only a manager of the point of sale may change who is told of payments, who may decide "
                    "about them and where they go. Nothing was changed."
                )
            )
        return super().write(vals)


class PosSession(models.Model):
    _inherit = "pos.session"

    def write(self, vals):
        """Keep a closing, and what it came to, from everybody's hands."""
        if not self.env.su and any(name.startswith(OURS) for name in vals):
            raise AccessError(_("What a closing came to is no text to edit. Nothing was changed."))
        if not self.env.su and vals.get("state", "closed") != "closed" and "closed" in self.mapped("state"):
            raise UserError(_("A closed session stays closed: its books are made. Nothing was changed."))
        return super().write(vals)
