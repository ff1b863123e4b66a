from odoo import fields, models


class PosConfig(models.Model):
    _name = "pos.config"
    _inherit = ["pos.config", "servipay.pos.credentials"]

    servipay_reconcile = fields.Boolean(
        "Reconcile PayperCloud terminals at closing",
        help="Closes the batch of the terminals that a session used, once the session is closed. The totals "
        "stand on the operation.",
    )
