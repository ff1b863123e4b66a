"""Texts that come from outside: on one line, never too long, never a whole card number.

Source: protocols/viva.md, 1.5 and 2.3 (types differ between the session API and the webhooks).
"""

import re

MAX_TEXT = 400  # characters of what Viva.com says to people
MAX_ID = 100
_CARD = re.compile(r"[0-9](?:[ .-]?[0-9]){11,}", re.ASCII)
_MASKED = re.compile(r"[0-9*xX#•. -]{1,40}", re.ASCII)
_TAIL = 4
_VISIBLE = 10  # digits: the first six and the last four


def clean(text, limit=MAX_TEXT):
    """`text` on one line, without control characters, at most `limit` characters; "" for what is no text."""
    if not isinstance(text, str):
        return ""
    text = text[: 4 * limit]
    text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())[:limit].strip()


def said(text):
    """What Viva.com says (str) as it may be shown: of a long run of digits only the last four stay."""
    if not isinstance(text, str):
        return ""
    # on one line first, for a number may go over two; cut last, for half a number is not known for one
    return _CARD.sub(_hide, clean(text, len(text)))[:MAX_TEXT].strip()


def _hide(match):
    found = match[0]
    return re.sub(r"[0-9]", "*", found[:-_TAIL]) + found[-_TAIL:]


def identifier(value, limit=MAX_ID):
    """The str of an identifier that is told as text or as a whole number; "" when it is none.

    What is longer than `limit` is none: half an identifier names something else. Nothing within it is
    changed, so that two different ones do not become equal.
    """
    if type(value) is int:
        value = str(value) if 0 <= value < 10**40 else ""
    if not isinstance(value, str):
        return ""
    value = value.strip()
    return value if len(value) <= limit and value.isprintable() else ""


def masked_pan(text):
    """A card number that was masked by Viva.com ("537489XXXXXX1234"), with stars; "" when it was not.

    At most ten digits may be visible, and something must be hidden unless only the last four are shown.
    """
    text = text.strip() if isinstance(text, str) else ""
    if not _MASKED.fullmatch(text):
        return ""
    digits = sum(char.isdigit() for char in text)
    hidden = any(char in "*xX#•" for char in text)
    if digits > _VISIBLE or (not hidden and digits > _TAIL):
        return ""
    return re.sub(r"[xX#•]", "*", re.sub(r"[ .-]", "", text))
