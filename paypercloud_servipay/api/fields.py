"""The values of an answer, found by a profile's paths and made plain: stripped, bounded, masked, exact.

Source: protocols/paypercloud.md, 4 (result fields to normalise).
"""

from decimal import Decimal

from . import amounts, paths
from .card_numbers import OVERLAP, mask_pan
from .errors import ProtocolError

MAX_TEXT = 128
_LONG = {"merchant_receipt": 8192, "customer_receipt": 8192, "decline_message": 500}
_FREE_TEXT = frozenset({"merchant_receipt", "customer_receipt", "decline_message"})
_AMOUNTS = ("amount", "tip_amount")
_TRUE = frozenset({"true", "1", "yes", "y", "ok", "approved", "success"})
_FALSE = frozenset({"false", "0", "no", "n", "ko", "nok", "declined", "failure", ""})


def scalars(node, places):
    """[str | int | Decimal | bool] at `places` (list of paths); objects, lists and null are left out."""
    return [value for value in paths.found(node, places) if not isinstance(value, (dict, list, type(None)))]


def words(node, places):
    """[str] of the status words at `places`: stripped, else as written; no cleaning may make a known word."""
    return [word for word in (_word(value) for value in scalars(node, places)) if word]


def flag(node, places):
    """Of the approval flags at `places`: "absent", "false" (any is), "true" (all are) or "unclear"."""
    values = paths.found(node, places)
    if not values:
        return "absent"
    known = [_word(value).lower() if isinstance(value, (str, int, Decimal)) else None for value in values]
    if any(word in _FALSE for word in known):
        return "false"
    return "true" if all(word in _TRUE for word in known) else "unclear"


def extract(node, mapping, checked, digits):
    """{field: value} of what `node` (JSON-like) states, by `mapping` ({field: [paths]}).

    checked  a normalised profile; digits: decimals of the currency
    What is absent has no key. Amounts are Decimal (an unreadable one has no key, see `amount_problem`), a
    currency that cannot be read keeps its raw text so that a comparison shows it, "approved_flag" is a
    bool, the rest str. Status words are `words`.
    """
    result = {}
    for name, places in mapping.items():
        if name in ("status", "approved_flag", "rows", "row", "totals", "total"):
            continue
        value = _value(name, scalars(node, places), checked, digits)
        if value not in (None, ""):
            result[name] = value
    state = flag(node, mapping.get("approved_flag", []))
    return {**result, "approved_flag": state == "true"} if state in ("true", "false") else result


def amount_problem(node, mapping, values):
    """ "" when the amount was read into `values`, else "amount_unreadable" or "amount_missing"."""
    if "amount" in values:
        return ""
    stated = [value for value in paths.found(node, mapping.get("amount", [])) if value is not None]
    return "amount_unreadable" if stated else "amount_missing"


def total(node, mapping, checked, digits):
    """One total of a reconciliation: {"type","brand","currency": str,"count": int,"amount": Decimal}.

    The amount may be negative (refunds). A key that is absent or unreadable is left out, never zero.
    """
    result = {}
    for name, places in mapping.items():
        found = scalars(node, places)
        if name == "count":
            value = next((item for item in found if _is_count(item)), None)
        elif name == "amount":
            value = _signed(found, checked, digits)
        else:
            value = _value(name, found, checked, digits)
        if value not in (None, ""):
            result[name] = value
    return result


def text(value, limit=MAX_TEXT):
    """`value` (scalar) as clean text of at most `limit` characters, a cut marked by "…"; "" for a bool.

    What cannot be printed or stored (NUL, control characters, lone surrogates) becomes U+FFFD instead of
    vanishing: two different identifiers must not become equal.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return ""
    raw = str(value).strip()
    raw = raw.replace("\r\n", "\n")
    clean = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in raw)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def free_text(value, limit):
    """Like `text`, with card numbers masked: for what people or receipts say."""
    # a little more is masked than is kept: a number across the cut would not be one any more
    masked = mask_pan(text(value, limit + OVERLAP))
    return masked if len(masked) <= limit else masked[: limit - 1] + "…"


def card(value):
    """A card number, masked again whatever the provider did: the first 6 and the last 4 digits at most."""
    masked = mask_pan(text(value))
    digits = [index for index, char in enumerate(masked) if char.isdigit()]
    hidden = set(digits[6:-4]) if len(digits) > 10 else ()
    return "".join("*" if index in hidden else char for index, char in enumerate(masked))


def _value(name, found, checked, digits):
    if name in _AMOUNTS:
        return _amount(found, checked, digits)
    if name == "operation_id":
        # a cut identifier would ask about something else: rather none
        return next((item for item in map(text, found) if item and not item.endswith("…")), None)
    raw = next((item for item in found if text(item)), None)
    if name == "currency":
        return _currency(raw)
    if name == "masked_pan":
        return card(raw)
    if name in _FREE_TEXT:
        return free_text(raw, _LONG[name])
    return text(raw)


def _amount(found, checked, digits):
    """The first stated amount, or None when it cannot be read: no other path is a second chance for money."""
    try:
        return amounts.decode(found[0], digits, checked["amount_format"]) if found else None
    except ProtocolError:
        return None


def _signed(found, checked, digits):
    value = found[0] if found else None
    if isinstance(value, str) and value.startswith("-"):
        value, sign = value[1:], -1
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool) and value < 0:
        value, sign = -value, -1
    else:
        sign = 1
    read = _amount([value], checked, digits)
    return None if read is None else sign * read


def _currency(raw):
    try:
        return amounts.currency_alpha(raw.strip() if isinstance(raw, str) else raw)
    except ProtocolError:
        return text(raw)


def _word(value):
    return ("true" if value else "false") if isinstance(value, bool) else str(value).strip()


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
