"""One HTTP request, built from a profile and values; nothing is sent here.

Source: protocols/paypercloud.md, 4 to 6; architecture.md, money rules 2 and 3.
"""

import base64
import json
from dataclasses import dataclass, field
from decimal import Decimal

from . import amounts, checks, profile, templates
from .errors import ProtocolError, shown


@dataclass(frozen=True)
class Credentials:
    """Who asks. For the scheme "basic" the key is "user:password" or a user alone. It is never printed."""

    api_key: str = field(repr=False)
    pos_id: str = ""
    terminal_pid: str = ""


@dataclass(frozen=True)
class Request:
    """What a transport sends to its base URL.

    path    str, with the profile's base path, percent-encoded
    query   list of (name, value) str pairs, not yet encoded
    body    bytes of JSON, or None
    retry   "always": may be repeated even when it may have arrived; "not_sent": only when it provably did
            not; "never": the caller has another address to try
    Headers and body are not printed: the first holds the key, the second a customer's reference.
    """

    method: str
    path: str
    query: list
    headers: dict = field(repr=False)
    body: bytes | None = field(repr=False)
    retry: str = "not_sent"


def build(document, key, values, credentials, user_agent=""):
    """The Request of the endpoint `key` (str) of a profile (JSON-like).

    values       {variable: value}; "amount" is a Decimal of major units and needs "digits" (int, decimals of
                 the currency); "currency" is an ISO 4217 code; both are written as the profile says. An
                 empty pos_id or terminal_pid is taken from the credentials.
    credentials  Credentials
    ProtocolError, and nothing is sent: an invalid profile, a missing or unusable value, no key, and a
    purchase or refund that would carry neither reference nor idempotency key: nothing could find it again.
    """
    checked = profile.normalise(document)
    chosen = profile.endpoint(checked, key)
    if not isinstance(credentials, Credentials):
        raise ProtocolError("The credentials are missing.", "api_key", "credentials")
    known = _values(checked, key, values, credentials)
    body = _body(chosen, known)
    used = {name for name in profile.endpoint_variables(checked, key) if name in known}
    headers = _headers(checked, credentials, user_agent, has_body=body is not None)
    if checked["idempotency_header"] and chosen["method"] != "GET" and "idempotency_key" in known:
        name = checked["idempotency_header"]
        headers[name] = _header("idempotency_key", templates.plain_text(known["idempotency_key"]))
        used.add("idempotency_key")
    if key in ("purchase", "refund") and not used & {"reference", "idempotency_key"}:
        sentence = "Without a reference or an idempotency key nothing could find this operation again."
        raise ProtocolError(sentence, "reference", "unfindable")
    return Request(
        method=chosen["method"],
        path=checked["base_path"] + templates.render_path(chosen["path"], known),
        query=[(name, templates.plain_text(value)) for name, value in _query(chosen, known)],
        headers=headers,
        body=body,
        retry=_retry(checked, chosen, key, used),
    )


def _retry(checked, chosen, key, used):
    """A read is always safe to repeat; what moves money only where the provider promises to know the key."""
    if chosen["method"] == "GET" or chosen["retry_safe"]:
        return "always"
    honoured = checked["honours_idempotency"] and "idempotency_key" in used
    return "always" if honoured and key in profile.START_KEYS else "not_sent"


# -- values


def _values(checked, key, values, credentials):
    """The values that are not empty, in the formats of the profile."""
    if not isinstance(values, dict):
        raise ProtocolError("The values are given by name.", code="value")
    known = {"pos_id": credentials.pos_id, "terminal_pid": credentials.terminal_pid}
    for name, value in values.items():
        if name not in templates.VARIABLES and name != "digits":
            name = shown(name)
            raise ProtocolError(f"{name} is not a variable.", name, "unknown_variable", {"name": name})
        if value is not None and value != "":
            known[name] = value
    digits = known.pop("digits", None)
    if "amount" in known:
        known["amount"] = _amount(known["amount"], digits, checked["amount_format"], key)
    if "currency" in known:
        known["currency"] = _currency(known["currency"], checked["currency_format"])
    usable = {name: templates.checked_value(name, value) for name, value in known.items()}
    return {name: value for name, value in usable.items() if value is not None}


def _amount(amount, digits, fmt, key):
    if not isinstance(amount, Decimal):
        raise ProtocolError("The amount is a Decimal of major units.", "amount", "amount")
    encoded = amounts.encode(amount, digits, fmt)
    if key in profile.START_KEYS and not amount:
        raise ProtocolError("The amount must be more than zero.", "amount", "amount")
    return encoded


def _currency(code, fmt):
    if fmt == "none":
        return None
    return amounts.currency_numeric(code) if fmt == "numeric" else amounts.currency_alpha(code)


def _query(chosen, known):
    return templates.render(chosen["query"], known).items()


def _body(chosen, known):
    """Bytes of compact ASCII JSON, or None. A Decimal can only stand in the template itself (JSON text)."""
    if chosen["body"] is None:
        return None
    rendered = templates.render(chosen["body"], known)
    return json.dumps(rendered, separators=(",", ":"), allow_nan=False, default=float).encode("ascii")


# -- headers


def _headers(checked, credentials, user_agent, has_body):
    """Static headers may replace Accept, Content-Type and User-Agent; authentication always stands."""
    headers = {"Accept": "application/json"}
    if has_body:
        headers["Content-Type"] = "application/json"
    if user_agent:
        headers["User-Agent"] = _header("user_agent", user_agent)
    for name, value in checked["headers"].items():
        headers = {known: text for known, text in headers.items() if known.lower() != name.lower()}
        headers[name] = value
    name = checked["auth"]["header"]
    headers = {known: text for known, text in headers.items() if known.lower() != name.lower()}
    return {**headers, name: _authentication(checked["auth"]["scheme"], credentials.api_key)}


def _authentication(scheme, api_key):
    key = _header("api_key", api_key)
    if scheme == "bearer":
        return f"Bearer {key}"
    if scheme == "basic":
        pair = key if ":" in key else f"{key}:"
        return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")
    return key


def _header(name, value):
    """`value` when it may stand in a header; the error does not repeat it: it may be the key."""
    if not checks.is_header_value(value):
        raise ProtocolError(
            f"{name} is empty or cannot stand in a header.", name, "header_value", {"name": name}
        )
    return value
