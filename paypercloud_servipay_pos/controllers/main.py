from odoo import http
from odoo.http import request as http_request

from odoo.addons.paypercloud_servipay.compat import JSONRPC

# A path below /websocket reaches the evented process where there is one: dialogues then hold no HTTP worker.
ROUTE = "/websocket/servipay/pos"


class ServipayPos(http.Controller):
    # who may do what: models/till_rights.py; a parameter that is not sent is None, refused there in words
    # cashier: {"employee_id", "pin"} where the people at the till are employees (pos_hr)

    # the session is not saved: the request's connection is given back before it waits for its turn
    @http.route(f"{ROUTE}/start", type=JSONRPC, auth="user", methods=["POST"], save_session=False)
    def start(  # pylint: disable=too-many-arguments
        self,
        session_id=None,
        method_id=None,
        key=None,
        amount=None,
        order=None,
        original_key=None,
        cashier=None,
    ):
        """Start (or find again) the operation with this key; answers its snapshot at once."""
        till = self._till(session_id)
        return till._servipay_start(method_id, key, amount, order, original_key, cashier)

    @http.route(f"{ROUTE}/cancel", type=JSONRPC, auth="user", methods=["POST"])
    def cancel(self, session_id=None, key=None, request=None, cashier=None):
        """Wish for a cancellation; the outcome comes later."""
        return self._till(session_id)._servipay_cancel(key, request, cashier)

    @http.route(f"{ROUTE}/void", type=JSONRPC, auth="user", methods=["POST"])
    def void(self, session_id=None, key=None, cashier=None):
        """Take back an approved payment that no order has recorded yet; the outcome comes later."""
        return self._till(session_id)._servipay_void(key, cashier)

    @http.route(f"{ROUTE}/inquire", type=JSONRPC, auth="user", methods=["POST"])
    def inquire(self, session_id=None, key=None, cashier=None):
        """Ask the terminal what became of an operation; the news come later."""
        return self._till(session_id)._servipay_inquire(key, cashier)

    @http.route(f"{ROUTE}/resolve", type=JSONRPC, auth="user", methods=["POST"])
    def resolve(self, session_id=None, key=None, outcome=None, reason=None, amount=None, cashier=None):
        """Settle an unknown operation by a manager's word."""
        return self._till(session_id)._servipay_resolve(key, outcome, reason, amount, cashier)

    def _till(self, session_id):
        return http_request.env["pos.session"]._servipay_till(session_id)
