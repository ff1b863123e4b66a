"""ORDERID: what the platform calls a payment. At most 40 characters of a safe alphabet, and never twice.

Source: protocols/ogone.md, 1.1, 1.3 and 9.
"""

import re

from .errors import ProtocolError
from .text import clean

LIMIT = 40
_SAFE = re.compile(r"[A-Za-z0-9_/-]{1,40}", re.ASCII)
# ours: the number of a record, and of an attempt after the first
_OWN = re.compile(r"TX-([1-9][0-9]{0,17})(?:_([1-9][0-9]{0,3}))?(?:-[A-Za-z0-9_/-]*)?", re.ASCII)
MAX_NUMBER = 10**18 - 1
MAX_ATTEMPT = 9999


def is_order(text):
    """Whether a text may be an ORDERID as it is: 1 to 40 letters, digits and _ / -."""
    return isinstance(text, str) and bool(_SAFE.fullmatch(text))


def order_of(reference, number, attempt=0):
    """ORDERID (str) of a payment: its reference where that is safe, else "TX-<number>-<what is safe of it>".

    reference  unique text; number: int from 1, unique among the payments (a record's id)
    attempt    int; from 1 on another ORDERID of the same payment, for what must not be taken for a repetition
    Two payments never get the same one: a reference that looks like ours is rewritten as well. ProtocolError
    codes "number", "attempt".
    """
    if type(number) is not int or not 1 <= number <= MAX_NUMBER:
        raise ProtocolError("The number of the payment is a whole number from 1.", "number", "number")
    if type(attempt) is not int or not 0 <= attempt <= MAX_ATTEMPT:
        raise ProtocolError("The attempt is a whole number from 0.", "attempt", "attempt")
    if is_order(reference) and not attempt and not reference.upper().startswith("TX-"):
        return reference
    safe = re.sub(r"[^A-Za-z0-9_/-]+", "-", clean(reference, 120)).strip("-")
    own = f"TX-{number}_{attempt}" if attempt else f"TX-{number}"
    return f"{own}-{safe}"[:LIMIT].rstrip("-")


def number_of(order):
    """The number (int) in an ORDERID that `order_of` made, None when it is a reference."""
    found = _OWN.fullmatch(order) if isinstance(order, str) else None
    return int(found[1]) if found else None
