import base64

from odoo import _, fields, models
from odoo.exceptions import UserError

from ..models.access import check_manager


class ServipayProfileImport(models.TransientModel):
    _name = "servipay.profile.import"
    _description = "Import an API profile"

    file = fields.Binary("Profile (JSON)", required=True, attachment=False)
    filename = fields.Char()

    def action_import(self):
        """Create a profile from the file and open it."""
        self.ensure_one()
        check_manager(self)
        try:
            text = base64.b64decode(self.file).decode("utf-8-sig")
        except ValueError as error:
            raise UserError(_("This is not a JSON file: %s", error)) from error
        profile = self.env["servipay.api.profile"]._import(text)
        return {
            "type": "ir.actions.act_window",
            "res_model": "servipay.api.profile",
            "res_id": profile.id,
            "views": [(False, "form")],
        }
