from odoo import SUPERUSER_ID, http
from odoo.http import request

from odoo.addons.paypercloud_servipay.api.server_log import hide_query

RETURN = "/payment/paybox/return"
NOTIFICATION = "/payment/paybox/ipn"
hide_query(RETURN, NOTIFICATION)  # a whole signed message is in it
MAX_QUERY = 8192  # bytes; an honest one has some hundred


class PayboxController(http.Controller):
    """Verify, store, answer. What a message means is decided in the models."""

    # suite-check: ok the platform calls it; what is not signed by it changes nothing
    @http.route(
        NOTIFICATION,
        type="http",
        auth="none",
        methods=["GET"],
        csrf=False,
        save_session=False,
        readonly=False,  # what is stored must be found by whoever asks next, not later on a replica
    )
    def paybox_notification(self, **_ignored):
        """Store what the platform reports, acknowledge it at once, apply it afterwards."""
        notification = self._receive(at_once=False)
        if notification is None:
            # the platform sends the merchant a mail about this: that is how a changed key is noticed
            return request.make_response("signature", status=403)
        notification._apply_soon()
        return request.make_response("OK", [("Content-Type", "text/plain")])

    @http.route(RETURN, type="http", auth="public", methods=["GET"], save_session=True)
    def paybox_return(self, **_ignored):
        """The customer is back. The same signed facts as in the notification, which may be late."""
        notification = self._receive()
        if notification is not None:
            notification._apply_once()
        return request.redirect("/payment/status")

    def _receive(self, at_once=True):
        """Return the stored message of this request, None when the platform did not sign it."""
        query = request.httprequest.query_string
        if len(query) > MAX_QUERY:
            return None
        # nobody is logged in: what the platform reports is written by the system, not in a visitor's name
        inbox = request.env(user=SUPERUSER_ID, su=True)["servipay.notification"]
        return inbox._paybox_receive(query.decode("latin-1"), request.httprequest, at_once)
