from odoo import api, fields, models

from odoo.addons.paypercloud_servipay.compat import SERIES

if SERIES < 19:
    from odoo.osv.expression import OR


class PosConfig(models.Model):
    """What a tip is sold as that a customer added on the terminal."""

    _inherit = "pos.config"

    servipay_tip_product_id = fields.Many2one(
        "product.product",
        "Product of tips given on a terminal",
        compute="_compute_servipay_tip_product_id",
        compute_sudo=True,
        help="The tip product of the point of sale, else the one that Odoo comes with: what a terminal took "
        "as a tip is always sold, so that the orders hold what the terminal took.",
    )

    @api.depends("tip_product_id")
    def _compute_servipay_tip_product_id(self):
        usual = self.env.ref("point_of_sale.product_product_tip", raise_if_not_found=False)
        for config in self:
            company = usual and usual.sudo().company_id
            theirs = usual and usual.active and company in (company.browse(), config.company_id)
            config.servipay_tip_product_id = config.tip_product_id or (theirs and usual)

    if SERIES < 19:

        def _get_available_product_domain(self):
            """Load the product of tips too, as 19.0 does."""
            domain = super()._get_available_product_domain()
            return OR([domain, [("id", "=", self.servipay_tip_product_id.id)]])
