from odoo import _, api, models
from odoo.exceptions import AccessError


class ServipayApiShared(models.AbstractModel):
    """A profile, or a part of one, that companies may share.

    What it says decides what an answer means, and so whether another company counts as paid."""

    _name = "servipay.api.shared"
    _description = "What companies share about an API"

    @api.model_create_multi
    def create(self, vals_list):
        """Refuse parts of a profile that others use."""
        records = super().create(vals_list)
        records._check_used_by_others()
        return records

    def write(self, vals):
        """Refuse changes of what others use."""
        self._check_used_by_others()
        result = super().write(vals)
        self._check_used_by_others()  # it may have been given to them
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used_by_others(self):
        self._check_used_by_others()

    def _check_used_by_others(self):
        """AccessError when companies that the user does not work in use these without a company."""
        shared = self.sudo()._shared_profiles().filtered(lambda profile: not profile.company_id)
        if self.env.su or not shared or self.env.user.has_group("base.group_system"):
            return
        domain = [("servipay_base_url", "!=", False), ("id", "not in", self.env.user.company_ids.ids)]
        others = self.env["res.company"].sudo().search(domain)
        if any(company._servipay_profile(required=False) in shared for company in others):
            raise AccessError(
                _(
                    "Companies in which you do not work use this API profile too. Import a copy of it for "
                    "your company, or ask an administrator."
                )
            )

    def _shared_profiles(self):
        """Return the profiles that these records belong to."""
        return self.profile_id
