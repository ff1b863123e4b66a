from urllib.parse import urljoin

from odoo import SUPERUSER_ID, http
from odoo.http import request

from odoo.addons.payment.controllers.post_processing import PaymentPostProcessing
from odoo.addons.paypercloud_servipay.api.server_log import hide_query

RETURN = "/payment/ogone/return"
IDENTIFY = "/payment/ogone/identify"
SHOWN = "servipay_ogone_identified"  # of the session: the operation whose page the customer was led to
# what the bank's page brings with it runs apart from Odoo: it sees none of its cookies and pages
APART = [
    ("Content-Security-Policy", "sandbox allow-forms allow-scripts allow-top-navigation"),
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
]
# what merchants have entered at the platform in the years of Odoo's own addon
LEGACY = [
    *(
        f"/payment/ogone{test}/{end}"
        for test in ("", "/test")
        for end in "accept decline exception cancel".split()
    ),
    *(f"/payment/ogone/validate/{end}" for end in ("accept", "decline", "exception")),
]
hide_query(RETURN, *LEGACY)  # a whole signed message is in it
MAX_BYTES = 16384


class OgoneController(http.Controller):
    """Verify, store, answer. What a message means is decided in the models."""

    # suite-check: ok the platform calls it; what is not signed by it changes nothing
    @http.route(
        [RETURN, *LEGACY],
        type="http",
        auth="public",
        methods=["GET", "POST"],
        csrf=False,
        save_session=False,
        readonly=False,
        servipay_raw_body=True,
    )
    def ogone_return(self, **_ignored):
        """Take a message: of the browser that comes back (GET), or of the platform itself (GET or POST)."""
        if request.httprequest.method == "POST":
            return self._notified(request.httprequest.get_data(cache=True))
        return self._came_back(request.httprequest.query_string)

    def _notified(self, raw):
        """Acknowledge at once, apply afterwards.

        The answer to an online request is shown to the customer instead of our pages: an empty one leaves the
        customer where the form says."""
        notification = self._receive(raw, at_once=False)
        if notification is None:
            return request.make_response("", [("Content-Type", "text/plain")], status=403)
        notification._apply_soon()
        return request.make_response("", [("Content-Type", "text/plain")])

    def _came_back(self, raw):
        """Apply what the browser brings, and lead it on by an absolute address.

        This may be the platform, which passes the redirection on. Without parameters nothing is learned: an
        account without SHA-OUT passphrase sends none."""
        notification = self._receive(raw) if raw else None
        if raw and notification is None:
            # an error for the platform, which tells the merchant; a sentence for a customer
            return request.render("payment_ogone.not_verified", status=403)
        if notification:
            notification._apply_once()
        # not of the stored message: this request began before it was there, and does not see it
        base = self._inbox()._ogone_base_url(raw)
        return request.redirect(urljoin(base, "/payment/status"), local=False)

    def _inbox(self):
        # nobody is logged in: what the platform reports is written by the system, not in a visitor's name
        return request.env(user=SUPERUSER_ID, su=True)["servipay.notification"]

    def _receive(self, raw, at_once=True):
        """Return the stored message of this request, None when the platform did not sign it."""
        if len(raw) > MAX_BYTES:
            return None
        return self._inbox()._ogone_receive(raw, request.httprequest, at_once)


class OgoneStatus(PaymentPostProcessing):
    """A saved card was charged, and the bank wants to see its holder first: the customer is led there."""

    @http.route()
    def display_status(self, **kwargs):
        """Lead the customer to the bank first, once."""
        operation = self._ogone_waiting()
        if operation and request.session.get(SHOWN) != operation.id:
            return request.redirect(IDENTIFY)
        return super().display_status(**kwargs)

    @http.route(IDENTIFY, type="http", auth="public", website=True, sitemap=False)
    def ogone_identify(self, **_ignored):
        """Show the bank's page to the customer whose payment it is, and nobody else."""
        operation = self._ogone_waiting()
        if not operation:
            return request.redirect("/payment/status")
        request.session[SHOWN] = operation.id
        return request.make_response(operation.ogone_identification, APART)

    def _ogone_waiting(self):
        """Return the operation of this session's payment that waits for its customer (empty: none does)."""
        number = request.session.get(self.MONITORED_TX_ID_KEY)
        transaction = request.env["payment.transaction"].sudo().browse(number or ()).exists()
        operation = transaction._servipay_operation() if transaction.provider_code == "ogone" else None
        return operation if operation and operation._ogone_is_identifying() else None
