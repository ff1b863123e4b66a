"""The transport: DirectLink over HTTP. No cursor; may be used from any thread."""

from dataclasses import dataclass, field

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.request import Request
from odoo.addons.paypercloud_servipay.models.http_client import ApiError

from ..ogone import direct
from ..ogone.errors import ProtocolError

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
READ_SECONDS = 45  # the platform may take 30 for its bank


@dataclass(frozen=True)
class Reply:
    """What became of a request: status and body, or the Finding that stands for their absence."""

    status: int = 0
    body: bytes = b""
    failure: Finding | None = None
    latency: float | None = None


@dataclass
class OgoneClient:
    """Speak with one platform for one merchant.

    :param account: ``direct.Account``; platform: ``platform.Platform``
    :param http: function (base address, seconds) -> ``HttpClient``
    """

    account: object = field(repr=False)
    platform: object
    http: object = field(repr=False)

    def ask(self, endpoint, make):
        """Send a request to an endpoint of ``platform.ENDPOINTS`` and return a ``Reply``; never raises.

        :param make: function of the account -> fields of the request
        """
        try:
            body = direct.body(make(self.account))
        except ProtocolError as error:
            return Reply(failure=Finding("failed", "configuration", str(error)))
        path = self.platform.address(endpoint).removeprefix(self.platform.base)
        try:
            response = self.http(self.platform.base, READ_SECONDS).send(
                Request("POST", path, [], FORM, body, "never"), f"DirectLink {endpoint}"
            )
        except ApiError as error:
            state, reason = ("unknown", "no_answer") if error.sent else ("failed", "not_sent")
            return Reply(failure=Finding(state, reason, str(error)))
        return Reply(response.status, response.body, latency=response.duration)
