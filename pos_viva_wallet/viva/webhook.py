"""Webhooks: what Viva.com pushes. They are not signed, so they prove nothing: they say what to look at.

An event leads back to one of our sessions, which is then read with our own token. What leads nowhere is
ignored and still answered with 200, or it comes back every hour for a day.
Source: protocols/viva.md, 2.3 and 2.4; 3.5 (13 to 19) for what goes wrong.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType

from . import jsontext, money, references, session
from .errors import ProtocolError
from .text import clean, identifier, masked_pan

# EventTypeId -> kind; every other one (fees, transfers, orders, accounts) is "ignorable"
KINDS = MappingProxyType(
    {1796: "payment", 1797: "reversal", 1798: "failed", 1802: "session_ok", 1803: "session_failed"}
)
_SESSIONS = frozenset({"session_ok", "session_failed"})
MAX_BYTES = 65536  # an honest one has about three thousand
# read, and needed by nobody who reads a message again
_UNUSED = frozenset({"reference", "masked_pan"})
# they differ from one delivery of a message to the next
_PER_DELIVERY = ("Delay", "RetryCount", "RetryDelayInSeconds")


@dataclass(frozen=True)
class Event:
    """One message. Texts are "" and numbers None when not told.

    kind         payment, reversal, failed, session_ok, session_failed, ignorable
    type_id      EventTypeId (int)
    key          the same for each delivery of a message: by its MessageId, else by its content
    session      id of a session of ours as it claims, "" when it leads to none
    pos_session  id (int) of Odoo's POS session in the reference
    reference    MerchantTrns, of whatever form
    transaction, parent   Viva.com's ids; parent: what was reversed
    terminal     str, also when it was told as a number
    merchant, order_code
    amount, tip  int minor units, None when not told or not to be read
    currency     ISO 4217 number of three digits
    status       StatusId: F finished, E error, ...
    success      bool, event_id: int, of sessions only
    masked_pan   with at most ten visible digits, else ""
    created, correlation   Created (UTC), CorrelationId
    retries      RetryCount (int)
    doubtful     names of members that were told and cannot be read
    """

    kind: str
    type_id: int | None
    key: str
    session: str = ""
    pos_session: int | None = None
    reference: str = ""
    transaction: str = ""
    parent: str = ""
    terminal: str = ""
    merchant: str = ""
    order_code: str = ""
    amount: int | None = None
    tip: int | None = None
    currency: str = ""
    status: str = ""
    success: bool | None = None
    event_id: int | None = None
    masked_pan: str = ""
    created: str = ""
    correlation: str = ""
    retries: int = 0
    doubtful: tuple = ()

    @property
    def is_foreign(self):
        """Whether it leads to no session: a web shop's payment, or one that was typed on the terminal."""
        return not self.session


def dump(event):
    """An Event as JSON (str), to be kept: what was read of the message, and nothing else of it.

    A real message carries the customer's name, e-mail address and telephone number, and the card's token.
    """
    kept = {name: value for name, value in asdict(event).items() if name not in _UNUSED}
    return json.dumps({name: value for name, value in kept.items() if value not in (None, "", ())})


def load(text):
    """The Event that `dump` has written (str); ProtocolError code "unreadable" for anything else."""
    document = jsontext.loads(text)
    names = {field.name for field in fields(Event)}
    if not isinstance(document, dict) or not {"kind", "key"} <= set(document) <= names:
        raise ProtocolError("This is no event.", code="unreadable")
    document.setdefault("type_id", None)
    if "doubtful" in document:
        document["doubtful"] = tuple(document["doubtful"])
    return Event(**document)


def parse_webhook(payload, decimals=None):
    """The Event in a message: bytes or str as received, or a dict of parsed JSON.

    decimals  of the currency (int), for a message about major units that does not state its currency
    ProtocolError code "unreadable" for what is no JSON object, longer than MAX_BYTES, too deep, or has
    numbers without end; every object is some Event.
    """
    envelope = _object(payload)
    type_id = envelope.get("EventTypeId")
    type_id = type_id if type(type_id) is int and 0 <= type_id < 10**9 else None
    data = envelope.get("EventData")
    kind = KINDS.get(type_id, "ignorable") if isinstance(data, dict) else "ignorable"
    head = {
        "kind": kind,
        "type_id": type_id,
        "key": _key(envelope, type_id),
        "created": clean(envelope.get("Created"), 40),
        "correlation": identifier(envelope.get("CorrelationId")),
        "retries": _count(envelope.get("RetryCount")),
    }
    if kind == "ignorable":
        return Event(**head)
    return Event(**head, **(_of_session(data) if kind in _SESSIONS else _of_transaction(data, decimals)))


def _object(payload):
    if isinstance(payload, dict):
        return jsontext.exact(payload)
    if isinstance(payload, (bytes, bytearray, str)) and len(payload) <= MAX_BYTES:
        document = jsontext.loads(payload)
        if isinstance(document, dict):
            return document
    raise ProtocolError("A message is one JSON object.", code="unreadable")


def _key(envelope, type_id):
    """With the type: a message of one type must not stand in the way of another one's."""
    message = identifier(envelope.get("MessageId"), 64)
    if message:
        return f"{type_id or 0}:{message}"
    lasting = {name: value for name, value in envelope.items() if name not in _PER_DELIVERY}
    text = json.dumps(lasting, sort_keys=True, default=str)
    return f"{type_id or 0}:sha256-{hashlib.sha256(text.encode('ascii')).hexdigest()}"


def _count(value):
    return value if type(value) is int and 0 <= value < 10**6 else 0


def _of_session(data):
    """1802 and 1803: a session, with names in Pascal case. Minor units, and the session's own id."""
    found = session.read({name[:1].lower() + name[1:]: value for name, value in data.items()})
    return {
        "session": found.id,
        "pos_session": None,
        "reference": found.reference,
        "transaction": found.transaction,
        "terminal": found.terminal,
        "merchant": identifier(data.get("MerchantId")),
        "order_code": found.order_code,
        "amount": found.amount,
        "tip": found.tip,
        "currency": found.currency,
        "success": found.success,
        "event_id": found.event,
        "masked_pan": found.masked_pan,
        "doubtful": found.doubtful,
    }


def _of_transaction(data, decimals):
    """1796 to 1798: a transaction. Major units, numbers for ids; only our reference leads to a session."""
    told = data.get("MerchantTrns")
    ours = references.parse(told)
    currency = money.read_currency(data.get("CurrencyCode"))
    digits = _decimals(data.get("CurrencyCode"), currency, decimals)
    amounts = {"amount": _minor(data.get("Amount"), digits), "tip": _minor(data.get("TipAmount"), digits)}
    lost = [name for name in ("Amount", "TipAmount") if _is_lost(data.get(name), digits)]
    if currency == "" and data.get("CurrencyCode") not in (None, ""):
        lost.append("CurrencyCode")
    return {
        **amounts,
        "session": ours.session if ours else "",
        "pos_session": ours.pos_session if ours else None,
        "reference": references.shown(told),
        "transaction": identifier(data.get("TransactionId")),
        "parent": identifier(data.get("ParentId")),
        "terminal": identifier(data.get("TerminalId")),
        "merchant": identifier(data.get("MerchantId")),
        "order_code": identifier(data.get("OrderCode")),
        "currency": currency,
        "status": clean(data.get("StatusId"), 10),
        "masked_pan": masked_pan(data.get("CardNumber")),
        "doubtful": tuple(lost),
    }


def _decimals(told, currency, decimals):
    """Decimals to read major units with; None when nobody knows them."""
    if currency:
        return money.digits(currency)
    known = type(decimals) is int and 0 <= decimals <= 4
    return decimals if known and told in (None, "") else None


def _minor(value, digits):
    return None if digits is None else money.minor_of_major(value, digits)


def _is_lost(value, digits):
    return value is not None and _minor(value, digits) is None
