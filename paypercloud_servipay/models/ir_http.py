from odoo import models
from odoo.http import request

MOST = 64 * 1024  # bytes


class IrHttp(models.AbstractModel):
    """Keeps the bytes of a form for routes that say ``servipay_raw_body=True``: a signature covers them.

    Odoo reads a form into parameters before it calls the controller, and what was read is gone."""

    _inherit = "ir.http"

    @classmethod
    def _pre_dispatch(cls, rule, args):
        small = (request.httprequest.content_length or 0) <= MOST
        if small and rule.endpoint.routing.get("servipay_raw_body"):
            request.httprequest.get_data(cache=True, parse_form_data=False)
        return super()._pre_dispatch(rule, args)
