from odoo import fields, models


class ServipayOperationRefund(models.TransientModel):
    _inherit = "servipay.operation.refund"

    pos_recorded_in = fields.Char(related="operation_id.pos_recorded_in")
