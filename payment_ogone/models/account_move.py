from odoo.addons.paypercloud_servipay.models.servipay_payment_books import PaidOnTime


class AccountMove(PaidOnTime):
    _inherit = "account.move"
