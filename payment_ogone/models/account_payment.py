from odoo.addons.paypercloud_servipay.models.charged_payment import ChargedPayment


class AccountPayment(ChargedPayment):
    _inherit = "account.payment"
