from odoo import SUPERUSER_ID, http
from odoo.http import request

from odoo.addons.paypercloud_servipay.api.server_log import hide_query

from ..viva.errors import ProtocolError
from ..viva.verification import verification_body
from ..viva.webhook import MAX_BYTES

# the address that merchants have pasted at Viva.com since Odoo's own addon
NOTIFICATION = "/pos_viva_wallet/notification"
hide_query(NOTIFICATION)  # whoever knows the address' token may say that something was paid
JSON = [("Content-Type", "application/json")]


class VivaController(http.Controller):
    """Verify the address, store, answer. What a message means is decided in the models."""

    # suite-check: ok Viva.com calls it; whoever does not know the address' secret part changes nothing
    @http.route(
        NOTIFICATION,
        type="http",
        auth="none",
        methods=["GET", "POST"],
        csrf=False,
        save_session=False,
        readonly=False,
        servipay_raw_body=True,
    )
    def viva_notification(self, **_ignored):
        """Prove whose address this is (GET), or take a message (POST)."""
        method = self._method()
        if not method:
            return request.make_response("", status=403)
        if request.httprequest.method != "POST":
            return self._verified(method)
        raw = self._body()
        if raw is None:
            return request.make_response("", status=413)
        inbox = request.env(user=SUPERUSER_ID, su=True)["servipay.notification"]
        notification = inbox._viva_receive(method, raw, request.httprequest)
        if notification:
            notification._apply_soon()
        # whatever it is about: another answer brings it back every hour for a day
        return request.make_response("{}", JSON)

    def _body(self):
        """Return the bytes as received, None for more than an honest message has: they are not read."""
        told = request.httprequest.content_length
        if told is not None and told > MAX_BYTES:
            return None
        raw = request.httprequest.get_data(cache=True)
        return raw if len(raw) <= MAX_BYTES else None

    def _verified(self, method):
        try:
            body = verification_body(method._viva_verification_key())
        except ProtocolError:
            return request.make_response("", status=503)
        return request.make_response(body, JSON)

    def _method(self):
        """Return the payment method whose secret address was called (empty: nobody's)."""
        asked = request.httprequest.args
        methods = request.env(user=SUPERUSER_ID, su=True)["pos.payment.method"]
        return methods._viva_of_address(asked.get("company_id", ""), asked.get("token", ""))
