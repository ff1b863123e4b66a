"""Texts on their way to the platform and back: never too long, never a card number, never a line break.

Source: protocols/ogone.md, 1.3 (a value that is too long blocks the payment).
"""

import re

MAX_TEXT = 400  # characters of what the platform says
_CARD = re.compile(r"[0-9](?:[ .-]?[0-9]){11,}", re.ASCII)
_TAIL = re.compile(r"[0-9Xx*•. -]{0,60}?([0-9]{4})", re.ASCII)


def clean(text, limit):
    """`text` on one line, without control characters, at most `limit` characters; "" for what is no text.

    Counted as the platform may count, a character beyond the first 65536 as two: never one too many.
    """
    if not isinstance(text, str) or type(limit) is not int or limit < 0:
        return ""
    text = text[: 10 * limit]
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text.encode("utf-16-le", "ignore")[: 2 * limit].decode("utf-16-le", "ignore").strip()


def hide_cards(text):
    """`text` with all but the last four digits of what may be a card number replaced by X."""
    return _CARD.sub(_hide, text) if isinstance(text, str) else ""


def _hide(match):
    found = match[0]
    return re.sub(r"[0-9]", "X", found[:-4]) + found[-4:]


def said(text):
    """What the platform says (str), as it may be shown and stored."""
    return clean(hide_cards(text), MAX_TEXT)


def card_tail(text):
    """The last four digits of a masked card number ("XXXXXXXXXXXX1111"), "" when it shows none."""
    found = _TAIL.fullmatch(text.strip()) if isinstance(text, str) else None
    return found[1] if found else ""
