from odoo import api, models

from . import SERIES


class ResGroups(models.Model):
    _inherit = "res.groups"

    @api.model
    def _servipay_file_under(self, group_ids, category_id):
        """Show our groups under one heading of the user form: 17.0 and 18.0 by category, 19.0 by privilege.

        Called by the data file, at installation and at each update.
        """
        category = self.env["ir.module.category"].browse(category_id)
        groups = self.browse(group_ids)
        if SERIES < 19:
            groups.category_id = category
            return
        privileges = self.env["res.groups.privilege"]
        privilege = privileges.search([("category_id", "=", category.id)], limit=1)
        groups.privilege_id = privilege or privileges.create(
            {"name": category.name, "category_id": category.id}
        )
