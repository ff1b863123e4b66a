"""Answers: what the terminal said, without what nobody may keep.

A card number leaves this room with its first six and last four digits at most. Expiry dates, and the phone
numbers and addresses that customers typed, do not leave it at all.
Source: protocols/caisse_ap.md, 1 to 3.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

from . import card, codes, money
from .errors import ProtocolError
from .frame import decode, pairs_of
from .slip import text_of

EXTENDED = 29  # characters of an AF with what CB2A says
# Two different values of one of these leave it open what was paid. AE is not here: it has its own word.
_DECISIVE = ("CA", "CB", "CD", "CE", "AF")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_RECEIPT_CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+"
)  # a NUL cannot be stored, ESC drives printers
_KINDS = {"0": "customer", "1": "merchant", "2": "both"}


@dataclass(frozen=True)
class Reason:
    """AF: why.

    code       its first two characters
    slug       as codes.REASONS says, "other" for an unknown code
    reading    one of codes.READINGS
    cb2a_code  field 39 of the acquirer's answer, "" when not told; so are the next three
    text       field 44-BC, or whatever follows the code in an AF that is not of the extended form
    df70, ff50 fields 55 and 58
    raw        AF as received, card numbers masked
    """

    code: str
    slug: str
    reading: str
    cb2a_code: str = ""
    text: str = ""
    df70: str = ""
    ff50: str = ""
    raw: str = ""


@dataclass(frozen=True)
class Receipt:
    """A slip.

    kind    customer, merchant, both, or "" when not told
    format  text or html; html comes from the terminal and is not to be trusted
    text    str, card numbers masked
    plain   the same for people: html without its marks
    """

    kind: str
    format: str
    text: str = field(repr=False)
    plain: str = field(default="", repr=False)


@dataclass(frozen=True)
class Answer:
    """What the terminal said. Texts are "" when not told.

    version, identifier   CZ and CJ: the terminal's own, never an echo
    till                  CA as received: "1" and "01" are the same till
    action, action_code   slug of codes.ACTIONS ("" when unknown), and CD as received
    status                performed, not_performed, accepted; unreadable: none, unknown, or two that differ
    amount                int minor units, None when not told or no number
    currency, currency_number   three letters ("" when unknown), and CE as received
    application, read_mode      CC and CI as received: codes.APPLICATIONS, codes.READ_MODES
    masked_pan            AA, first six and last four characters at most
    authorization_code    AC
    reason                Reason, or None without AF
    contract, reference, private, aid, serial           CG, CH, CF, AI, AQ
    cheque_cmc7, cheque_fnci, cheque_guarantee          AD, AG, AH
    receipts              tuple of Receipt in the order received
    unknown               tags that codes.TAGS does not know, each once
    doubtful              tags among CA CB CD CE AF with two different values, and CB when it is no number
    """

    version: str = ""
    identifier: str = ""
    till: str = ""
    action: str = ""
    action_code: str = ""
    status: str = "unreadable"
    amount: int | None = None
    currency: str = ""
    currency_number: str = ""
    application: str = ""
    read_mode: str = ""
    masked_pan: str = ""
    authorization_code: str = ""
    reason: Reason | None = None
    contract: str = ""
    reference: str = ""
    private: str = ""
    aid: str = ""
    cheque_cmc7: str = field(default="", repr=False)
    cheque_fnci: str = ""
    cheque_guarantee: str = ""
    serial: str = ""
    receipts: tuple = ()
    unknown: tuple = ()
    doubtful: tuple = ()

    def slip(self, kind):
        """The slip (str) for the "customer" or the "merchant", "" when there is none.

        Without one of its own, one for both, then one that does not say whose it is: the terminal was told
        not to print, so a slip that is dropped here is lost.
        """
        for wanted in (kind, "both", ""):
            texts = [receipt.plain for receipt in self.receipts if receipt.kind == wanted and receipt.plain]
            if texts:
                return "\n\n".join(dict.fromkeys(texts))
        return ""


_TEXTS = {
    "version": "CZ",
    "identifier": "CJ",
    "till": "CA",
    "action_code": "CD",
    "currency_number": "CE",
    "application": "CC",
    "read_mode": "CI",
    "authorization_code": "AC",
    "contract": "CG",
    "reference": "CH",
    "private": "CF",
    "aid": "AI",
    "cheque_cmc7": "AD",
    "cheque_fnci": "AG",
    "cheque_guarantee": "AH",
    "serial": "AQ",
}


def read(fields):
    """The Answer that `fields`, an iterable of (tag, value) pairs of str, tell.

    Of a repeated tag the first value counts, except for AE: two that differ say nothing. ProtocolError code
    "fields" when they are no pairs of strings; nothing that a terminal says raises.
    """
    pairs = pairs_of(fields)
    numbers = card.numbers_in(pairs)
    masked_pan = card.mask_pan(next((value for tag, value in pairs if tag == "AA"), ""))
    pairs = [(tag, card.hide_numbers(value, numbers)) for tag, value in pairs if tag != "AA"]
    values = {}
    for tag, value in pairs:
        values.setdefault(tag, []).append(value)
    first = {tag: _plain(found[0]) for tag, found in values.items()}
    texts = {name: first.get(tag, "") for name, tag in _TEXTS.items()}
    return Answer(
        **texts,
        action=codes.ACTIONS.get(texts["action_code"], ""),
        status=_status(values.get("AE", ())),
        amount=money.read_amount(first.get("CB", "")),
        currency=_currency(texts["currency_number"]),
        masked_pan=masked_pan,
        reason=_reason(values["AF"][0]) if "AF" in values else None,
        receipts=tuple(_receipts(pairs, numbers)),
        unknown=tuple(tag for tag in values if tag not in codes.TAGS),
        doubtful=_doubtful(values, first),
    )


def _plain(text):
    return _CONTROLS.sub("", text).strip()


def _status(values):
    if len(set(values)) != 1:
        return "unreadable"
    return codes.STATUSES.get(values[0], "unreadable")


def _currency(number):
    try:
        return money.currency_alpha(number)
    except ProtocolError:
        return ""


def _doubtful(values, first):
    doubtful = [tag for tag in _DECISIVE if len(set(values.get(tag, ()))) > 1]
    if first.get("CB") and money.read_amount(first["CB"]) is None and "CB" not in doubtful:
        doubtful.append("CB")
    return tuple(doubtful)


def _reason(raw):
    """The parts of AF stand at fixed places, blank when unknown: it must not be stripped before it is cut."""
    raw = card.hide_cards(_CONTROLS.sub(" ", raw))
    code, rest = raw[:2], raw[2:]
    slug, reading = codes.REASONS.get(code, codes.OTHER_REASON)
    if len(raw) < EXTENDED:
        return Reason(code, slug, reading, text=rest.strip(), raw=raw)
    return Reason(
        code,
        slug,
        reading,
        cb2a_code=rest[:2].strip(),
        text=rest[2:23].strip(),
        df70=rest[23:25].strip(),
        ff50=rest[25:27].strip(),
        raw=raw,
    )


def _receipts(pairs, numbers):
    """Every AK, in a ZT or not. What it is, the CK before it says: in its ZT, else in the frame."""
    outer = ""
    for tag, value in pairs:
        if tag == "CK":
            outer = value
        nested = _nested(value) if tag == "ZT" else [(tag, value)]
        handling = outer
        for inner_tag, inner_value in nested:
            if inner_tag == "CK":
                handling = inner_value
            if inner_tag == "AK":
                yield from _receipt(handling, inner_value, numbers)


def _nested(value):
    try:
        return decode(value.encode("latin-1"))
    except (ProtocolError, UnicodeEncodeError):
        return []


def _receipt(handling, value, numbers):
    """No receipt when it cannot be read: that is no reason to lose the answer."""
    try:
        # terminals break the lines of base64 as they like
        content = base64.b64decode("".join(value.split()), validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return
    text = _clean(content, numbers)
    if not text.strip():
        return
    kind = _KINDS.get(handling[1:2], "")
    if handling[2:3] == "1":
        # cleaned again: marks within a number, or a character written as a reference, hid it until now
        yield Receipt(kind, "html", text, _clean(text_of(text), numbers))
    else:
        yield Receipt(kind, "text", text, text)


def _clean(text, numbers):
    return card.hide_cards(card.hide_numbers(_RECEIPT_CONTROLS.sub("", text), numbers))
