"""Requests: what is asked of a terminal, checked before a byte leaves.

Source: protocols/viva.md, 1.2, 1.3 and 1.6.
"""

import base64
import json
import re
from dataclasses import dataclass

from . import money, paths
from .errors import ProtocolError
from .hosts import Call
from .references import MAX_REFERENCE, check_session

ACTIONS = tuple(paths.ACTIONS)
CARD_SECONDS = 60  # a session that is not paid by then expires; a session that was never delivered does not
MAX_INSTALMENTS = 36
# what a terminal may show first
METHODS = tuple("CardPresent MOTO QrDefault QrPayconic AliPay Paypal Klarna IRIS BLIK".split())
# what a fiscal provider (Greece) adds; it is composed and signed elsewhere
FISCAL = frozenset({"aadeProviderId", "aadeProviderSignatureData", "aadeProviderSignature"})
_CALLBACK = r"|finish|[a-z][a-z0-9+.-]{1,30}://[!-~]{1,200}"
_REFERENCED = frozenset({"refund", "capture"})
_PAYMENTS = frozenset({"sale", "preauth"})


@dataclass(frozen=True)
class Request:
    """One request to a terminal. Nothing is checked before `build` or `check`.

    action         one of ACTIONS
    session        its id, see references.check_session; new for each attempt
    terminal       Viva.com's id of the terminal, at most 40 letters, digits and "-"
    register       who begins it, at most 100 printable characters. Only the same one may abort it: keep it
    amount         int minor units; of a sale with a tip: the total, tip included
    currency       ISO 4217 number of three digits
    reference      merchantReference, see references.compose; it comes back in webhooks
    parent         session id of the sale to refund, or of the pre-authorisation to capture; else ""
    tip            int minor units, for a sale only
    customer_text  seen by the customer, at most MAX_REFERENCE characters; "" none
    instalments    int, 0 for none; Greece only
    first_method   one of METHODS that the terminal shows first; "" says nothing. For a sale only
    show_result, show_receipt, skip_surcharge   True, False, or None to leave it to Viva.com
    callback       "finish" puts the terminal's app into the background, or an address to open; "" none
    application    (name, version, integrator) of the software that asks, () to be silent
    fiscal         tuple of (name, value) pairs among FISCAL
    """

    action: str
    session: str
    terminal: str
    register: str
    amount: int
    currency: str
    reference: str
    parent: str = ""
    tip: int = 0
    customer_text: str = ""
    instalments: int = 0
    first_method: str = ""
    show_result: bool | None = None
    show_receipt: bool | None = None
    skip_surcharge: bool | None = None
    callback: str = ""
    application: tuple = ()
    fiscal: tuple = ()


# -- terminals


def build(request):
    """The Call of a Request; ProtocolError when it must not be sent.

    Its body has the same values each time: what may have arrived is repeated with the same session id, and
    the answer tells whether it had.
    """
    check(request)
    body = {
        "sessionId": request.session,
        "terminalId": request.terminal,
        "cashRegisterId": request.register,
        "amount": request.amount,
        "currencyCode": request.currency,
        "merchantReference": request.reference,
        "parentSessionId": request.parent,
        "customerTrns": request.customer_text,
        "showTransactionResult": request.show_result,
        "showReceipt": request.show_receipt,
        "interappCallback": request.callback,
        **dict(request.fiscal),
        **_payment(request),
    }
    said = {name: value for name, value in body.items() if value is not None and value != ""}
    return Call("POST", "api", paths.transactions(request.action), "bearer", said)


def _payment(request):
    if request.action not in _PAYMENTS:
        return {}
    return {
        "preauth": request.action == "preauth",
        "maxInstalments": request.instalments,
        "tipAmount": request.tip,
        "paymentMethod": request.first_method,
        "skipSurcharge": request.skip_surcharge,
        "saleToAcquirerData": _acquirer_data(request.application),
    }


def _acquirer_data(application):
    if not application:
        return ""
    platform = dict(zip(("name", "version", "integrator"), application, strict=True))
    text = json.dumps({"applicationInfo": {"externalPlatform": platform}}, separators=(",", ":"))
    return base64.b64encode(text.encode("ascii")).decode("ascii")


def abort(session_id, register):
    """The Call that asks to abort a session (str). `register`: the one that began it, as it was stored.

    It is a wish: the session is read until it is final, and a card that was faster has paid.
    """
    _printable("register", register, 1, 100)
    return Call("DELETE", "api", paths.abort(check_session(session_id), register), "bearer")


# -- reads


def read_session(session_id):
    """The Call that reads one session (str); ProtocolError code "session"."""
    return Call("GET", "api", paths.session(check_session(session_id)), "bearer")


def read_day(day):
    """The Call that reads all sessions of one UTC day ("2026-05-31"); ProtocolError code "day"."""
    return Call("GET", "api", paths.day(day), "bearer")


def search_devices(source="", live=False):
    """The Call that lists the merchant's terminals.

    source  code of a payment source of theirs, "" for all; live: True for those that take payments only
    """
    if source:
        _printable("source", source, 1, 20)
    body = {"sourceCode": source, "statusId": 1 if live is True else ""}
    body = {name: value for name, value in body.items() if value != ""}
    return Call("POST", "api", paths.DEVICES, "bearer", body)


def webhook_key():
    """The Call that reads the key by which our address proves to be ours."""
    return Call("GET", "www", paths.WEBHOOK_KEY, "merchant")


# -- checks


def check(request):
    """Refuse a request that must not be sent. None; ProtocolError names the attribute and says the code."""
    if not isinstance(request, Request):
        raise ProtocolError("A request is a Request.", code="type")
    paths.transactions(request.action)
    check_session(request.session)
    _matches("terminal", request.terminal, r"[0-9A-Za-z-]{1,40}", "at most 40 letters and digits")
    _printable("register", request.register, 1, 100)
    _printable("reference", request.reference, 1, MAX_REFERENCE)
    money.check_amount(request.amount)
    money.check_currency(request.currency)
    _check_parent(request)
    _check_payment(request)
    _check_options(request)


def _check_parent(request):
    if request.action in _REFERENCED:
        check_session(request.parent, "parent")
        if request.parent == request.session:
            raise ProtocolError("A refund is a session of its own.", "parent", "parent")
    elif request.parent != "":
        raise _not_for_action("parent", request)


def _check_payment(request):
    """A tip, instalments and what is shown first belong to a payment; a reservation has no tip yet."""
    money.check_amount(request.tip, 0, "tip")
    if request.tip and (request.action != "sale" or request.tip >= request.amount):
        raise ProtocolError("The tip is a part of the amount of a sale.", "tip", "tip")
    if type(request.instalments) is not int or not 0 <= request.instalments <= MAX_INSTALMENTS:
        raise ProtocolError(f"There are 0 to {MAX_INSTALMENTS} instalments.", "instalments", "instalments")
    if not isinstance(request.first_method, str) or request.first_method not in ("", *METHODS):
        raise ProtocolError(f"first_method is one of {', '.join(METHODS)}.", "first_method", "first_method")
    if request.action in _PAYMENTS:
        return
    for name in ("instalments", "first_method", "skip_surcharge", "application"):
        if getattr(request, name):
            raise _not_for_action(name, request)


def _check_options(request):
    for name in ("show_result", "show_receipt", "skip_surcharge"):
        if not isinstance(getattr(request, name), bool | None):
            raise ProtocolError(f"{name} is True, False or None.", name, name)
    _printable("customer_text", request.customer_text, 0, MAX_REFERENCE)
    _matches("callback", request.callback, _CALLBACK, '"finish" or an address')
    _check_application(request.application)
    _check_fiscal(request.fiscal)


def _check_application(application):
    if not isinstance(application, tuple) or len(application) not in (0, 3):
        raise ProtocolError("The application has a name, a version and an integrator.", "application", "type")
    for part in application:
        _matches("application", part, r"[ -~]{1,60}", "plain text")


def _check_fiscal(fiscal):
    pairs = fiscal if isinstance(fiscal, tuple) else (None,)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise ProtocolError("fiscal is a tuple of (name, value).", "fiscal", "type")
    names = [name for name, _value in pairs]
    if not all(isinstance(name, str) and name in FISCAL for name in names) or len(set(names)) != len(names):
        raise ProtocolError(f"fiscal holds each of {', '.join(sorted(FISCAL))} once.", "fiscal", "fiscal")
    for _name, value in pairs:
        _matches("fiscal", value, r"[ -~]{1,2000}", "plain text")


def _matches(name, value, pattern, said):
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise ProtocolError(f"{name} is {said}.", name, name)


def _printable(name, value, shortest, longest):
    good = isinstance(value, str) and shortest <= len(value) <= longest and value.isprintable()
    # a register or reference of blanks only would be an empty one to the server
    if not good or (shortest and value != value.strip()):
        raise ProtocolError(f"{name} has {shortest} to {longest} printable characters.", name, name)


def _not_for_action(name, request):
    return ProtocolError(f"{name} is not sent with {request.action}.", name, "not_for_action")
