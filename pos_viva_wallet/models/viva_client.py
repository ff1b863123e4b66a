"""The transport: Viva.com over HTTP. No cursor; may be used from any thread.

Bearer tokens are kept in this process alone: no cashier's request writes one, and none is in the database.
Source: protocols/viva.md, 1.1, 1.7 and 1.8.
"""

import json
import threading
import time
from dataclasses import dataclass, field

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.request import Request
from odoo.addons.paypercloud_servipay.models.http_client import ApiError

from ..viva import access, post
from ..viva.errors import ProtocolError

POST_SECONDS = 10  # it only queues; what takes longer is repeated with the same session id
READ_SECONDS = 8
# seconds before what may have arrived is repeated with the same session id; a busy server needs more
PAUSES = (0.5, 2, 4)
_tokens = {}  # (accounts host, client id, secret) -> (Token, time.monotonic() at which it is given up)
_lock = threading.Lock()


@dataclass(frozen=True)
class Reply:
    """What became of a call: status, headers and body, or the Finding that stands for their absence."""

    status: int = 0
    headers: dict = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    failure: Finding | None = None
    latency: float | None = None

    @property
    def why(self):
        """Slug of ``words.SENTENCES`` (or of this addon's own) for a failure, "" without one."""
        if not self.failure:
            return ""
        own = self.failure.reason.startswith("vv_")
        return self.failure.reason.removeprefix("vv_") if own else "no_answer"


@dataclass
class VivaClient:
    """Speak with Viva.com for one merchant.

    :param site: ``hosts.Site``
    :param client: (client id, client secret) of the terminal API; merchant: (merchant id, API key)
    :param http: function (base address, seconds) -> ``HttpClient``
    """

    site: object
    client: tuple = field(repr=False)
    merchant: tuple = field(repr=False)
    http: object = field(repr=False)

    # -- what moves money

    def start(self, call, label):
        """POST what begins something, and return (``post.Posted`` or None, Reply); never raises.

        A request that may have arrived is repeated, the same bytes with the same session id: Viva.com then
        says that it knows it, and nothing is begun twice. Without Posted, the Reply has the failure.
        """
        reply = self.ask(call, label, POST_SECONDS)
        posted = _posted(reply)
        for pause in PAUSES:
            if not _in_doubt(posted, reply):
                break
            time.sleep(pause)
            again = self.ask(call, label, POST_SECONDS)
            if not again.failure:  # else the doubt that was there stays
                posted, reply = _posted(again, repeated=True), again
        return posted, reply

    # -- any call

    def ask(self, call, label, seconds=None):
        """Make a ``hosts.Call`` and return its Reply; never raises.

        A token that is not taken any more is replaced once: nothing was begun by that request.
        """
        for fresh in (False, True):
            header, failure = self._authorization(call, fresh)
            if failure:
                return Reply(failure=failure)
            reply = self._send(call, header, label, seconds or READ_SECONDS)
            if reply.status != 401 or call.access != "bearer":
                return reply
        return reply

    def token(self, fresh=False):
        """Return an ``access.Access``: this process' own while it is good, or a ``fresh`` one."""
        key = (self.site.accounts, *self.client)
        with _lock:
            token, end = _tokens.get(key, (None, 0))
        if token and not fresh and time.monotonic() < end:
            return access.Access(token)
        call = access.token_call()
        try:
            header = access.basic(*self.client)
        except ProtocolError:
            return access.Access(None, "credentials_incomplete", True)
        reply = self._send(call, header, "token", READ_SECONDS)
        if reply.failure:
            return access.Access(None, "token_unavailable", False, reply.failure.detail)
        given = access.read_token(reply.status, reply.headers, reply.body)
        with _lock:
            _tokens.pop(key, None)
            if given.token:
                _tokens[key] = given.token, time.monotonic() + given.token.usable_for
        return given

    def _authorization(self, call, fresh):
        """Return (header, None) or (None, Finding): without access nothing is sent."""
        try:
            if call.access == "merchant":
                return access.basic(*self.merchant), None
        except ProtocolError:
            return None, Finding("failed", "vv_credentials_incomplete")
        given = self.token(fresh)
        if given.token:
            return access.bearer(given.token), None
        return None, Finding("failed", f"vv_{given.reason}", given.detail)

    def _send(self, call, header, label, seconds):
        headers = {"Authorization": header, "Accept": "application/json"}
        body = None
        if call.form:
            body, headers["Content-Type"] = access.form_body(call), "application/x-www-form-urlencoded"
        elif call.body is not None:
            body, headers["Content-Type"] = json.dumps(call.body).encode(), "application/json"
        base = getattr(self.site, call.role)
        retry = "always" if call.verb == "GET" else "not_sent"
        try:
            answer = self.http(base, seconds).send(
                Request(call.verb, call.path, [], headers, body, retry), f"Viva {label}"
            )
        except ApiError as error:
            state, reason = ("unknown", "no_answer") if error.sent else ("failed", "not_sent")
            return Reply(failure=Finding(state, reason, str(error)))
        return Reply(answer.status, answer.headers, answer.body, latency=answer.duration)


def _posted(reply, repeated=False):
    return None if reply.failure else post.classify_post(reply.status, reply.headers, reply.body, repeated)


def _in_doubt(posted, reply):
    """Tell whether the request may have arrived, and nobody said so."""
    if posted is None:
        return reply.failure.state == "unknown"
    return posted.kind in ("busy", "uncertain")
