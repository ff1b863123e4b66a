"""The records of a point of sale that operations hang on; see ``servipay.kept``."""

from odoo import api, models


class PosPaymentMethod(models.Model):
    _name = "pos.payment.method"
    _inherit = ["servipay.kept", "pos.payment.method"]

    def _servipay_hanging(self):
        return [("pos_payment_method_id", "in", self.ids)]

    @api.model
    def _servipay_lasting(self):
        return (*super()._servipay_lasting(), "use_payment_terminal", "company_id")


class PosConfig(models.Model):
    _name = "pos.config"
    _inherit = ["servipay.kept", "pos.config"]

    def _servipay_hanging(self):
        return [("pos_config_id", "in", self.ids)]


class PosSession(models.Model):
    _name = "pos.session"
    _inherit = ["servipay.kept", "pos.session"]

    def _servipay_hanging(self):
        return [("pos_session_id", "in", self.ids)]
