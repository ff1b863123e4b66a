"""Requests: what the till wants, checked before a byte leaves.

Source: protocols/caisse_ap.md, 1, 2 and 4.
"""

import re
from dataclasses import dataclass

from . import codes, money
from .errors import ProtocolError
from .frame import LONGEST, pairs_of

MAX_PRIVATE = 32  # the dictionary says 99, HiPay's terminals give back 32
_OWN_TAGS = frozenset("CZ CJ CA CB CC CD CE CF CH CK BB BH BI".split())
# BF makes newer Ingenico software fail. BA=1 asks for an answer without a result. The terminal's own elements
# and constructed ones have no business in a payment.
_BARRED_TAGS = re.compile(r"A[A-Z]|Z[A-Z]|BF", re.ASCII)


@dataclass(frozen=True)
class Request:
    """One request. Nothing is checked before `build` or `check`.

    action         debit, credit, reversal, duplicate or identification (codes.SENDABLE)
    till           CA, 1 or 2 digits
    version        CZ, 4 digits
    identifier     CJ, 12 digits or letters; the default is a dummy that terminals accept
    amount         CB, int minor units; None where the action needs none
    currency       ISO 4217 code of three letters; "" where the action needs none
    application    CC to force, 3 characters; "" lets the terminal choose
    private        CF, our reference, at most 32 printable ASCII characters, new for each attempt; "" none
    receipts       CK, such as "120": wanted, both of them, as text; "" says nothing about receipts
    reference      CH, at most 99 printable ASCII characters; "" none
    force_online   BB: True, False, or None to leave it out
    email, phone   BI, BH: where the terminal sends a digital receipt; "" none
    extra          further (tag, value) pairs that a family of terminals wants, sent last
    """

    action: str
    till: str = "01"
    version: str = "0300"
    identifier: str = "012345678901"
    amount: int | None = None
    currency: str = ""
    application: str = ""
    private: str = ""
    receipts: str = ""
    reference: str = ""
    force_online: bool | None = None
    email: str = ""
    phone: str = ""
    extra: tuple = ()


def debit(amount, currency, **options):
    """Request that takes `amount` (int minor units) of `currency` (three letters)."""
    return Request("debit", amount=amount, currency=currency, **options)


def credit(amount, currency, **options):
    """Request that gives money back to a card that is presented; no debit is named in it."""
    return Request("credit", amount=amount, currency=currency, **options)


def reversal(amount, currency, **options):
    """Request that undoes a completed debit. It does not stop a payment that is going on: nothing does."""
    return Request("reversal", amount=amount, currency=currency, **options)


def duplicate(**options):
    """Request for what the terminal's last transaction was; it says nothing of any payment, see `check`."""
    return Request("duplicate", **options)


def duplicate_of(request, receipts=""):
    """The duplicate request by which to ask what became of `request`: the same till, and nothing of the
    payment, see `check`.
    """
    return Request(
        "duplicate",
        till=request.till,
        version=request.version,
        identifier=request.identifier,
        receipts=receipts,
    )


def identification(**options):
    """Request that asks the terminal who it is: no money, no slip, the safe test of a connection."""
    return Request("identification", **options)


def build(request):
    """The fields of `request` as a list of (tag, value), CZ first; ProtocolError when it must not be sent.

    Amounts below 10 are padded to two digits. BF is never sent.
    """
    check(request)
    online = {None: "", True: "1", False: "0"}[request.force_online]
    fields = [
        ("CZ", request.version),
        ("CJ", request.identifier),
        ("CA", request.till),
        ("CB", money.amount_text(request.amount) if request.amount is not None else ""),
        ("CD", codes.ACTION_CODES[request.action]),
        ("CE", money.currency_number(request.currency) if request.currency else ""),
        ("CC", request.application),
        ("CK", request.receipts),
        ("BB", online),
        ("CF", request.private),
        ("CH", request.reference),
        ("BH", request.phone),
        ("BI", request.email),
    ]
    return [(tag, value) for tag, value in fields if value] + pairs_of(request.extra)


def check(request):
    """Refuse a request that must not be sent. None; ProtocolError names the attribute and says the code.

    A duplicate carries no CB, CE, CF or CH: terminals give back what they are sent (PayXpert's take amount
    and currency of the answer from the question), and our own echo would then look like the terminal's memory
    of our payment (see `conclude.attribute_duplicate`). Nor can it be taken for a payment without an amount.
    """
    if not isinstance(request, Request):
        raise ProtocolError("A request is a Request.", code="type")
    _choice(request, "action", codes.SENDABLE)
    _text(request, "till", r"[0-9]{1,2}", "one or two digits")
    _text(request, "version", r"[0-9]{4}", "four digits")
    _text(request, "identifier", r"[0-9A-Za-z]{12}", "twelve digits or letters")
    _check_money(request)
    _check_options(request)
    _check_extra(request.extra)
    if request.action in ("identification", "duplicate"):
        _check_bare(request)


def _check_money(request):
    needed = request.action in codes.MONEY_ACTIONS
    if needed or request.amount is not None:
        money.check_amount(request.amount)
    if needed or request.currency != "":
        money.currency_number(request.currency)


def _check_options(request):
    _text(request, "application", r"[0-9A-Z]{3}|", "three digits or upper-case letters")
    _text(
        request, "private", r"[ -~]{0,%d}" % MAX_PRIVATE, f"at most {MAX_PRIVATE} printable ASCII characters"
    )
    _text(request, "receipts", r"[01][012][01]|", "three digits such as 120")
    _text(request, "reference", r"[ -~]{0,99}", "at most 99 printable ASCII characters")
    if not isinstance(request.force_online, bool | None):
        raise ProtocolError("force_online is True, False or None.", "force_online", "force_online")
    _text(request, "phone", r"(?=.{8,20}\Z)\+?[0-9]+|", "8 to 20 digits")
    _text(request, "email", r"(?=.{6,256}\Z)[!-?A-~]+@[!-?A-~]+|", "an address of 6 to 256 characters")


def _check_bare(request):
    """An identification moves no money, and neither it nor a duplicate speaks of a payment."""
    barred = ["amount", "currency", "application", "private", "reference", "force_online", "email", "phone"]
    if request.action == "identification":
        barred += ["receipts"]
    for name in barred:
        if getattr(request, name) not in ("", None):
            raise ProtocolError(f"{name} is not sent with {request.action}.", name, "not_for_action")


def _check_extra(extra):
    seen = set()
    for tag, value in pairs_of(extra):
        barred = _BARRED_TAGS.fullmatch(tag) or tag in _OWN_TAGS or tag in seen
        if barred or not re.fullmatch(r"[A-Z]{2}", tag) or (tag, value) == ("BA", "1"):
            raise ProtocolError("extra holds a tag that may not be sent there.", "extra", "extra_tag")
        if not re.fullmatch(r"[ -~]{1,%d}" % LONGEST, value) or not codes.fits(tag, value):
            raise ProtocolError(f"The value of {tag} in extra cannot be sent.", "extra", "extra_value")
        seen.add(tag)


def _choice(request, name, allowed):
    value = getattr(request, name)
    if not isinstance(value, str) or value not in allowed:
        raise ProtocolError(f"{name} is one of {', '.join(sorted(allowed))}.", name, name)


def _text(request, name, pattern, said):
    value = getattr(request, name)
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise ProtocolError(f"{name} is {said}.", name, name)
