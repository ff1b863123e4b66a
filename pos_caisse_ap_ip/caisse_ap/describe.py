"""Frames as one line of text, for logs.

Source: protocols/caisse_ap.md, 2 and 7.1.
"""

from . import card
from .frame import pairs_of

_HIDDEN = frozenset({"AB", "AM", "AN", "BH", "BI"})  # expiry; customers' phone numbers and addresses
_LONG = frozenset({"AK", "ZT"})  # slips
_MASKED = frozenset({"AA", "AD"})  # card; cheque line, which holds an account number
_WIDEST = 60


def shown(fields):
    """`fields`, an iterable of (tag, value) pairs of str, as one line (str) that may be logged.

    "CZ=0300 AA=497010******1234 AB=*** ZT=<374>". ProtocolError code "fields" when they are no such pairs.
    """
    pairs = pairs_of(fields)
    numbers = card.numbers_in(pairs)
    return " ".join(f"{_line(tag)}={_value(tag, value, numbers)}" for tag, value in pairs)


def _value(tag, value, numbers):
    if tag in _HIDDEN:
        return "***"
    if tag in _LONG:
        return f"<{len(value)}>"
    if tag in _MASKED:
        return card.mask_pan(value)
    # hidden before it is cut: half a card number would not be known for one
    return _line(card.hide_cards(card.hide_numbers(value, numbers)))


def _line(text):
    """`text` without line feeds and other things that forge log lines, and not too long."""
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 3] + "..."
