"""Paths of the endpoints. What comes from outside is percent-quoted, so that it stays one part of its path.

Source: protocols/viva.md, 1.2 and 1.9; 3.5 (2, 23) for what happens otherwise.
"""

import re
from types import MappingProxyType
from urllib.parse import quote

from .errors import ProtocolError

TOKEN = "/connect/token"
DEVICES = "/ecr/v1/devices:search"
SESSIONS = "/ecr/v1/sessions"
WEBHOOK_KEY = "/api/messages/config/token"
# action -> what stands behind "transactions:"
ACTIONS = MappingProxyType(
    {
        "sale": "sale",
        "preauth": "sale",
        "capture": "preauth-completion",
        "refund": "refund",
        "unreferenced_refund": "unreferenced-refund",
    }
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
MAX_PART = 300


def transactions(action):
    """Path that starts one of ACTIONS; ProtocolError code "action"."""
    if not isinstance(action, str) or action not in ACTIONS:
        raise ProtocolError(f"The action is one of {', '.join(ACTIONS)}.", "action", "action")
    return f"/ecr/v1/transactions:{ACTIONS[action]}"


def session(session_id):
    """Path of one session (str); ProtocolError code "path"."""
    return f"{SESSIONS}/{quoted(session_id)}"


def abort(session_id, register):
    """Path and query by which the register that began a session (both str) aborts it; ProtocolError."""
    return f"{session(session_id)}?cashRegisterId={quoted(register)}"


def day(date):
    """Path and query of the sessions of one UTC day ("2026-05-31"); ProtocolError code "day"."""
    if not isinstance(date, str) or not _DAY.fullmatch(date):
        raise ProtocolError("A day is written as YYYY-MM-DD.", "day", "day")
    return f"{SESSIONS}?date={date}"


def transaction(transaction_id):
    """Path of a transaction in the Payment API, whose credentials are others; ProtocolError code "path"."""
    return f"/checkout/v2/transactions/{quoted(transaction_id)}"


def payment(transaction_id):
    """Path of a transaction in the older Payment API, by merchant id and API key; ProtocolError "path"."""
    return f"/api/transactions/{quoted(transaction_id)}"


def receipt(transaction_id):
    """Path of Viva.com's own receipt page for a customer; ProtocolError code "path"."""
    return f"/web/receipt?tid={quoted(transaction_id)}"


def quoted(value):
    """`value` (str) as one part of a path or one value of a query; ProtocolError code "path"."""
    # "." and ".." need no quoting, and mean another place
    if isinstance(value, str) and 0 < len(value) <= MAX_PART and value.strip(".") and value.isprintable():
        return quote(value, safe="")
    raise ProtocolError("This cannot be part of an address.", code="path")
