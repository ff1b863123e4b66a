"""What an answer means for an operation: STATUS and NCERROR together, compared with what was asked.

Source: protocols/ogone.md, 4, 5.5 and 5.6; architecture.md, 3.1 and 4.
"""

from dataclasses import dataclass
from decimal import Decimal

from . import codes, status
from .errors import ProtocolError
from .money import check_currency, shown

# data errors (5...) behind which a bank or a rule stands: a refusal of the payment, not of the request
_BY_BANK = frozenset({"soft_decline", "authentication", "fraud_rules", "limit", "expired", "security_code"})


@dataclass(frozen=True)
class Asked:
    """What our own record says was asked; empty members are not compared.

    kind      one of status.KINDS
    order     ORDERID; payid: PAYID of the payment; payidsub: number of the movement, when it is known
    amount    Decimal of major units; currency: "EUR"
    total     Decimal: the whole payment's amount, which some answers about a part of it state
    """

    kind: str
    order: str = ""
    payid: str = ""
    payidsub: str = ""
    amount: Decimal | None = None
    currency: str = ""
    total: Decimal | None = None


@dataclass(frozen=True)
class Verdict:
    """What was learned about an operation.

    state       pending, approved, declined, cancelled, failed, unknown; None: nothing, leave it as it is
    reason      slug, a key of words.SENTENCES; "" for a plain success
    mismatches  tuple of (name, asked, answered), texts; any of them bars an approval
    answer      what was read (direct.DirectAnswer or feedback.Feedback), None when nothing could be
    """

    state: str | None
    reason: str = ""
    mismatches: tuple = ()
    answer: object = None

    @property
    def nothing_booked(self):
        """Whether it is proved that this request (or attempt) moved no money."""
        return self.state in ("declined", "cancelled", "failed")


def check_asked(asked):
    """Return `asked` when it is an Asked whose members can be compared; ProtocolError names the member."""
    if not isinstance(asked, Asked):
        raise ProtocolError("What was asked is an Asked.", "asked", "asked")
    status.check_kind(asked.kind)
    for name in ("order", "payid", "payidsub", "currency"):
        if not isinstance(getattr(asked, name), str):
            raise ProtocolError("This is a text.", name, "asked")
    for name in ("amount", "total"):
        value = getattr(asked, name)
        if value is not None and not _is_amount(value):
            raise ProtocolError("The amount is a Decimal of major units.", name, "amount")
    if asked.currency:
        check_currency(asked.currency)
    return asked


def compare(asked, answer):
    """Tuple of (name, asked, answered), texts, where an answer is about something else than was asked.

    answer  has order, payid, amount and currency; what it leaves out differs from nothing: accounts choose
            which fields are reported. ProtocolError when one of the two cannot be compared.
    """
    check_asked(asked)
    _check_answer(answer)
    pairs = [
        ("ORDERID", asked.order, answer.order),
        ("PAYID", asked.payid, answer.payid),
        ("CURRENCY", asked.currency, answer.currency),
    ]
    found = [pair for pair in pairs if pair[1] and pair[2] and pair[1] != pair[2]]
    if asked.amount is not None and answer.amount is not None:
        if answer.amount not in (asked.amount, asked.total):
            found.append(("AMOUNT", shown(asked.amount), shown(answer.amount)))
    return tuple(found)


def _check_answer(answer):
    texts = [getattr(answer, name, None) for name in ("order", "payid", "currency")]
    amount = getattr(answer, "amount", "")
    if not all(isinstance(text, str) for text in texts) or not (amount is None or _is_amount(amount)):
        raise ProtocolError("An answer has an order, a PAYID, an amount and a currency.", "answer", "answer")


def _is_amount(value):
    return isinstance(value, Decimal) and value.is_finite()


def judge(asked, code, error, method="", paid_at_91=False):
    """(state, reason) that a STATUS (`code`) and an NCERROR (`error`), both str, give to what was asked.

    None as the state when they say nothing about this kind of operation. ProtocolError as check_asked.
    """
    check_asked(asked)
    meaning, why = status.meaning(code), codes.reason(error)
    if meaning.code in status.WITHOUT_RESULT:
        return _without_status(meaning, error, why)
    state = status.state_of(code, asked.kind, method, paid_at_91)
    if state == "approved":
        # a success that reports an error is none
        return ("unknown", "contradiction") if why else ("approved", "")
    if state in ("declined", "cancelled"):
        return ("unknown", why) if codes.doubts(error) else (state, why or meaning.slug)
    return state, (why if state == "unknown" and why else meaning.slug)


def _without_status(meaning, error, why):
    """Without a result, only the error tells whether anything was done."""
    if not why or meaning.code == "88":
        return None, why or meaning.slug
    if not codes.refuses(error):
        return "unknown", why
    # the bank or a rule said no; or the request was not even looked at
    return ("failed" if error.strip()[0] == "5" and why not in _BY_BANK else "declined"), why
