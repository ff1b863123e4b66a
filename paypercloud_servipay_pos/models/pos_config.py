from odoo import fields, models

MANAGERS = "point_of_sale.group_pos_manager"


class PosConfig(models.Model):
    _name = "pos.config"
    _inherit = ["pos.config", "servipay.pos.credentials"]

    servipay_reconcile = fields.Boolean(
        "Reconcile PayperCloud terminals at closing",
        help="Closes the batch of the terminals that a session used, once the session is closed. The totals "
        "stand on the operation.",
    )
    servipay_user_ids = fields.Many2many(
        "res.users",
        "servipay_pos_notified_rel",
        string="Notified users",
        domain=[("share", "=", False)],
        help="Who is told about payments of this point of sale that a person has to look at. Empty: the "
        "managers of the point of sale.",
    )

    def _servipay_notified_users(self):
        """Return the users who are told about payments of this point of sale (may be empty).

        Those it names; else the company's managers of the point of sale, without administrators where there
        is anybody else: the shop is to be told; else the company's person for payments.
        """
        self.ensure_one()
        named = self.sudo().servipay_user_ids.filtered("active")
        if named:
            return named
        domain = [("share", "=", False), ("company_ids", "in", self.company_id.id)]
        users = self.env["res.users"].sudo().search(domain, order="id")
        managers = users.filtered(lambda user: user.has_group(MANAGERS))
        shop = managers.filtered(lambda user: not user.has_group("base.group_system"))
        return shop or managers or self.company_id._servipay_manager()

    def _servipay_alert(self, kind, key, document, **values):
        """Tell the people of this point of sale once per kind and key; returns the alert, empty when told.

        :param document: record that the alert is about; values: as of ``servipay.alert._raise_once``
        """
        self.ensure_one()
        return self.env["servipay.alert"]._raise_once(
            f"{kind}:{key}",
            kind,
            self.company_id,
            self._servipay_notified_users(),
            document=document,
            **values,
        )
