"""The key by which our webhook address proves to be the merchant's: fetched once, told to whoever asks.

It is no secret between the two of us: anybody who calls the address is told it. So it is not to be the token
in that address, as it is in Odoo's own addon. Source: protocols/viva.md, 2.4; 3.5 (19).
"""

import json
import re
from dataclasses import dataclass, field

from . import answer
from .errors import ProtocolError

_KEY = re.compile(r"[!-~]{8,200}", re.ASCII)


@dataclass(frozen=True)
class WebhookKey:
    """key: str, "" without one; reason: slug, "" when there is one; detail: what Viva.com says.

    wrong  True when the merchant id or the API key is not taken
    """

    key: str = field(default="", repr=False)
    reason: str = ""
    wrong: bool = False
    detail: str = ""


def read_webhook_key(http_status, headers, body):
    """The WebhookKey in an answer (int, mapping of str, bytes) to `request.webhook_key`. Never raises."""
    found = answer.read(http_status, headers, body)
    if found.status == 403 and found.form == "html":  # a firewall's page says nothing about credentials
        return WebhookKey("", "access_blocked", False)
    if found.status in (401, 403):
        return WebhookKey("", "merchant_credentials", True, found.detail)
    if found.status != 200:
        return WebhookKey("", "service_error" if found.status else "no_answer", False, found.detail)
    key = found.document.get("Key") if isinstance(found.document, dict) else None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return WebhookKey("", "unreadable")
    return WebhookKey(key)


def verification_body(key):
    """Body (bytes, JSON) that our address answers to Viva.com's GET; ProtocolError code "key"."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ProtocolError("There is no verification key yet.", "key", "key")
    return json.dumps({"Key": key}).encode("ascii")
