"""DirectLink: charges of an alias, captures, voids, refunds and inquiries, and what their answers mean.

Source: protocols/ogone.md, 5. A request that may have arrived is in doubt until an answer or an inquiry says
otherwise: the answer is not signed, and comes over TLS from the address that was asked.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlencode

from . import codes, lists, page, text, xmltext
from .errors import ProtocolError
from .money import check_currency, hundredths, read_amount, shown
from .status import WITHOUT_RESULT, gives_back, meaning
from .verdict import Asked, Verdict, check_asked, compare, judge

# operation -> kind of operation; the first of a pair leaves the rest open, the second one closes it
OPERATIONS = {
    **{"SAL": "capture", "SAS": "capture", "DEL": "void", "DES": "void", "RFD": "refund", "RFS": "refund"},
    "REN": "authorisation",
}
CHARGES = {"SAL": "purchase", "RES": "authorisation"}
RECURRING = "9"  # ECI of a payment with an alias
ECIS = ("1", "2", "3", "4", "7", "9")
TIMEOUTS = (30, 90)  # seconds that the platform may take (RTIMEOUT)
_PAYID = re.compile(r"[0-9]{1,20}", re.ASCII)
_ANSWER = {
    **{"order": "ORDERID", "payid": "PAYID", "payidsub": "PAYIDSUB", "status": "STATUS", "error": "NCERROR"},
    **{"currency": "CURRENCY", "method": "PM", "brand": "BRAND", "alias": "ALIAS", "eci": "ECI"},
    "acceptance": "ACCEPTANCE",
}


@dataclass(frozen=True)
class Account:
    """Who asks. userid and password of the API user; passphrase: SHA-IN of "DirectLink and Batch"."""

    pspid: str
    userid: str
    password: str = field(repr=False)
    passphrase: str = field(repr=False)
    algorithm: str = "sha512"


@dataclass(frozen=True)
class Authentication:
    """What 3-D Secure needs to know of the customer's browser, for an answer with STATUS 46.

    accept, user_agent  its headers; addresses: page.Addresses that it comes back to; window: of page.WINDOWS
    details  tuple of (name, value) among BROWSER*, as the browser itself tells them
    """

    accept: str
    user_agent: str
    addresses: page.Addresses
    language: str = page.DEFAULT_LANGUAGE
    window: str = "MAINW"
    details: tuple = ()


@dataclass(frozen=True)
class Charge:
    """A new order paid with an alias. amount: Decimal of major units; operation: "SAL" or "RES".

    address  IP address of the customer, "" when nobody is there; timeout: seconds, TIMEOUTS
    initiator, schedule, sequence  COF_INITIATOR, COF_SCHEDULE, COF_TRANSACTION; their values are not
             documented with certainty, so they are only sent when they are given
    """

    order: str
    alias: str
    amount: Decimal
    currency: str
    operation: str = "SAL"
    description: str = ""
    eci: str = RECURRING
    address: str = ""
    timeout: int = 30
    customer: page.Customer = page.Customer()
    authentication: Authentication | None = None
    initiator: str = ""
    schedule: str = ""
    sequence: str = ""


@dataclass(frozen=True)
class Movement:
    """A capture, void, refund or renewal of a payment. payid: of the payment, or order when it is not known.

    operation  one of OPERATIONS; amount: Decimal of major units; currency: of the payment, it is not sent
    """

    operation: str
    amount: Decimal
    currency: str
    payid: str = ""
    order: str = ""


@dataclass(frozen=True)
class DirectAnswer:
    """What the platform answers. Texts are "" when absent; amount: Decimal of major units, None when absent.

    error    NCERROR, "" when there is none; message: NCERRORPLUS, card numbers hidden
    card_tail  last four digits; html: the page for the customer's browser (STATUS 46)
    unreadable  an amount was there and is no number
    """

    order: str = ""
    payid: str = ""
    payidsub: str = ""
    status: str = ""
    error: str = ""
    message: str = ""
    acceptance: str = ""
    amount: Decimal | None = None
    unreadable: bool = False
    currency: str = ""
    method: str = ""
    brand: str = ""
    alias: str = ""
    eci: str = ""
    card_tail: str = ""
    html: str = field(default="", repr=False)


# -- requests


def charge(account, order):
    """Ordered (name, value) pairs of a Charge for the "order" endpoint, SHASIGN last; ProtocolError."""
    _check(order, Charge)
    one_of = page.one_of
    return _request(
        account,
        ("ORDERID", page.check_order(order.order)),
        ("AMOUNT", str(hundredths(order.amount, order.currency))),
        ("CURRENCY", check_currency(order.currency)),
        ("ALIAS", page.check_alias(order.alias)),
        ("OPERATION", one_of("operation", order.operation, tuple(CHARGES))),
        ("ECI", one_of("eci", order.eci, ECIS)),
        ("COM", page.cut("COM", order.description)),
        *page.customer_fields(order.customer),
        ("REMOTE_ADDR", _plain("address", order.address, 45)),
        ("RTIMEOUT", _seconds(order.timeout)),
        ("COF_INITIATOR", one_of("initiator", order.initiator, ("", "CIT", "MIT"))),
        ("COF_SCHEDULE", one_of("schedule", order.schedule, ("", "SCHED", "UNSCHED"))),
        ("COF_TRANSACTION", one_of("sequence", order.sequence, ("", "FIRST", "SUBSEQ"))),
        *_authentication_fields(order.authentication),
    )


def movement(account, moved):
    """Ordered (name, value) pairs of a Movement for the "maintenance" endpoint; ProtocolError."""
    _check(moved, Movement)
    return _request(
        account,
        *_reference(moved.payid, moved.order),
        ("AMOUNT", str(hundredths(moved.amount, moved.currency))),
        ("OPERATION", page.one_of("operation", moved.operation, tuple(OPERATIONS))),
    )


def query(account, payid="", order="", payidsub=""):
    """Ordered (name, value) pairs for the "query" endpoint; ProtocolError.

    payid, or order when it is not known; payidsub: number of a movement, else the order's last state is told.
    Not to be asked systematically: at most every 30 seconds, and only where an answer is missing.
    """
    sub = [("PAYIDSUB", _number("payidsub", payidsub))] if payidsub else []
    return _request(account, *_reference(payid, order), *sub)


def body(fields):
    """Form body (bytes) of (name, value) pairs of str, for the _utf8 pages; ProtocolError code "value"."""
    try:
        pairs = [(name, value) for name, value in fields]
        good = all(isinstance(part, str) for pair in pairs for part in pair)
        data = urlencode(pairs, errors="strict").encode("ascii") if good else b""
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ProtocolError("The form is a list of (name, value).", code="value")
    return data


def asked(request, total=None):
    """The verdict.Asked of a Charge or Movement; total: the whole payment's amount (Decimal), when known."""
    if isinstance(request, Charge):
        kind = CHARGES.get(request.operation) if isinstance(request.operation, str) else None
        found = Asked(kind, request.order, amount=request.amount, currency=request.currency, total=total)
    else:
        _check(request, Movement)
        kind = OPERATIONS.get(request.operation) if isinstance(request.operation, str) else None
        found = Asked(kind, request.order, request.payid, "", request.amount, request.currency, total)
    return check_asked(found)


def _check(request, kind):
    if not isinstance(request, kind):
        raise ProtocolError(f"This is no {kind.__name__}.", "request", "type")


def _request(account, *fields):
    _check(account, Account)
    head = [
        ("PSPID", page.check_pspid(account.pspid)),
        ("USERID", _secret("userid", account.userid)),
        ("PSWD", _secret("password", account.password)),
    ]
    return page.signed([*head, *fields], account.passphrase, account.algorithm)


def _secret(name, value):
    if not isinstance(value, str) or not 1 <= len(value) <= 100 or not value.isprintable():
        raise ProtocolError("The name and the password of the API user are needed.", name, "credentials")
    return value


def _reference(payid, order):
    if payid:
        return [("PAYID", _number("payid", payid))]
    return [("ORDERID", page.check_order(order))]


def _number(name, value):
    if not isinstance(value, str) or not _PAYID.fullmatch(value):
        raise ProtocolError("The platform's number of the payment is not known.", name, "payid")
    return value


def _seconds(seconds):
    if type(seconds) is not int or not TIMEOUTS[0] <= seconds <= TIMEOUTS[1]:
        raise ProtocolError("The platform takes 30 to 90 seconds.", "timeout", "timeout")
    return str(seconds)


def _plain(name, value, limit):
    if value and (not isinstance(value, str) or len(value) > limit or not re.fullmatch(r"[ -~]*", value)):
        raise ProtocolError("This is a short plain text.", name, "text")
    return value


def _authentication_fields(known):
    if known is None:
        return []
    _check(known, Authentication)
    _check(known.addresses, page.Addresses)
    places = known.addresses
    return [
        ("FLAG3D", "Y"),
        ("WIN3DS", page.one_of("window", known.window, page.WINDOWS)),
        # a header that is too long would block the payment, and its beginning says enough
        ("HTTP_ACCEPT", text.clean(known.accept, 200)),
        ("HTTP_USER_AGENT", text.clean(known.user_agent, 200)),
        ("ACCEPTURL", page.url("accepted", places.accepted)),
        ("DECLINEURL", page.url("declined", places.declined)),
        ("EXCEPTIONURL", page.url("uncertain", places.uncertain)),
        ("LANGUAGE", page.language(known.language)),
        *_browser(known.details),
    ]


def _browser(details):
    if not isinstance(details, (tuple, list)) or not all(_is_detail(one) for one in details):
        raise ProtocolError("What the browser tells are pairs of BROWSER names.", "details", "type")
    if len({name for name, _value in details}) != len(details):
        raise ProtocolError("What the browser tells stands there twice.", "details", "type")
    return [(name, _plain("details", value, 200)) for name, value in details]


def _is_detail(pair):
    if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
        return False
    return pair[0].startswith("BROWSER") and pair[0] in lists.SHA_IN


# -- answers


def read(data):
    """The DirectAnswer in an answer's body (bytes); ProtocolError codes "html" (a web page), "answer"."""
    values = xmltext.read(data)
    words = {member: text.clean(values.get(name, ""), 100) for member, name in _ANSWER.items()}
    written = values.get("AMOUNT", "").strip()
    message = text.said(values.get("NCERRORPLUS", ""))
    words["payid"] = words["payid"].strip("0") and words["payid"]  # "0" is written for none
    return DirectAnswer(
        **{**words, "error": words["error"] if codes.is_error(words["error"]) else ""},
        message="" if message == "!" else message,
        amount=read_amount(written),
        unreadable=bool(written) and read_amount(written) is None,
        card_tail=text.card_tail(values.get("CARDNO", "")),
        html=_html(values.get("HTML_ANSWER", "")),
    )


def _html(encoded):
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def conclude(question, http_status, data, repeated=False):
    """The Verdict of the answer to a Charge or Movement. Never None as the state: a request was sent.

    question     verdict.Asked, see `asked`
    http_status  int; data: bytes of the body
    repeated     True when an earlier request like this one may have arrived: that this one is refused says
                 nothing about it ("already processed", "not in a correct status")
    A time-out has no answer: the caller calls it unknown. ProtocolError when `question` cannot be compared.
    """
    check_asked(question)
    answer, problem = _answer(http_status, data)
    if answer is None:
        return Verdict("unknown", problem)
    state, reason = judge(question, answer.status, answer.error, answer.method)
    found = _differences(question, answer, state)
    if found:
        return Verdict("unknown", "mismatch", found, answer)
    if state is None:
        return Verdict("unknown", reason, (), answer)
    verdict = Verdict(state, reason, (), answer)
    # a bank's refusal (2) of a repeated order is about it; everything else may be about the repetition only
    if repeated is True and verdict.nothing_booked and answer.status != "2":
        return Verdict("unknown", "refused_repeat", (), answer)
    return verdict


def conclude_query(question, http_status, data, sole=False, long_ago=False, paid_at_91=False):
    """The Verdict of an inquiry about a payment or movement in doubt.

    question  verdict.Asked; with payidsub when the movement's number is known
    sole      True when nothing else moved this payment, so that its last state is that of this movement
    long_ago  True when the request cannot be on its way any more
    paid_at_91  as in status.state_of
    None as the state: no news. ProtocolError when `question` cannot be compared.
    """
    check_asked(question)
    answer, problem = _answer(http_status, data)
    if answer is None:
        return Verdict(None, problem)
    if meaning(answer.status).code in WITHOUT_RESULT:
        return _without_state(question, answer, long_ago)
    state, reason = judge(question, answer.status, answer.error, answer.method, paid_at_91)
    found = _differences(question, answer, state)
    if found:
        return Verdict(None, "mismatch", found, answer)
    if question.kind not in ("purchase", "authorisation"):
        return _of_movement(question, answer, state, reason, sole is True, long_ago is True)
    return Verdict(state, reason, (), answer)


def _without_state(question, answer, long_ago):
    # an error here is one of the inquiry, and says nothing about what it asks for
    reason = codes.reason(answer.error) or _SILENT[meaning(answer.status).code]
    payment = question.kind in ("purchase", "authorisation")
    if reason == "not_found" and payment and long_ago is True and not question.payid:
        return Verdict("failed", "not_found", (), answer)
    return Verdict(None, reason, (), answer)


def _of_movement(question, answer, state, reason, sole, long_ago):
    same = bool(question.payidsub) and question.payidsub == answer.payidsub
    if question.payidsub and answer.payidsub and not same:
        return Verdict(None, "other_movement", (), answer)
    if not same and not sole:
        return Verdict(None, "not_attributable", (), answer)
    if state == "unknown" and not same and not gives_back(answer.status):
        return Verdict(None, reason, (), answer)
    untouched = answer.status in _UNTOUCHED.get(question.kind, ())
    if untouched and sole and long_ago and not answer.error:
        return Verdict("failed", "not_done", (), answer)
    return Verdict(state, reason if state else "no_news", (), answer)


_SILENT = {"0": "incomplete", "": "query_failed", "88": "query_failed"}
# the state of a payment that nothing was done to
_UNTOUCHED = {"capture": ("5",), "void": ("5", "9", "95"), "refund": ("9", "95")}


def _answer(http_status, data):
    """(DirectAnswer, "") or (None, slug of why there is none)."""
    if http_status != 200:
        return None, "http"
    try:
        return read(data), ""
    except ProtocolError as error:
        return None, "web_page" if error.code == "html" else "unreadable"


def _differences(question, answer, state):
    """compare(), and what a success has to state: which payment it is about."""
    found = compare(question, answer)
    if state in ("declined", "cancelled", "failed"):
        # nothing was moved, however much it was about
        return tuple(one for one in found if one[0] in ("ORDERID", "PAYID"))
    if answer.unreadable:
        found += (("AMOUNT", shown(question.amount), "?"),)
    named = (question.order and answer.order) or (question.payid and answer.payid)
    if state is not None and state != "unknown" and not named:
        missing = ("ORDERID", question.order, answer.order)
        found += (missing if question.order else ("PAYID", question.payid, answer.payid),)
    return found
