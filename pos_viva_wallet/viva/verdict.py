"""What an answer means for an operation of ours: the session, compared with what was asked.

Source: protocols/viva.md, 1.3, 1.5, 2.2 and 2.3; architecture.md, 3.1 and 4.
"""

from dataclasses import dataclass

from . import money
from .errors import ProtocolError
from .references import check_session
from .request import ACTIONS, check
from .session import Session, classify_session
from .webhook import Event

# transactionTypeId, in families: payments, refunds and voids, and what is neither. A number that stands in
# none is unclear, so it is never what was asked: a new kind of refund would pass for a sale.
_TYPES = {
    "sale": {5, 6, 20, 23, 27, 48, 52, 58, 60},
    "refund": {
        *(4, 7, 11, 13, 17, 18, 21, 24, 26, 28, 30, 35, 37, 39, 41, 45, 49, 51, 53, 55, 57, 59, 61, 63, 65),
        *(67, 71, 75, 79),
    },
    "preauth": {1, 80},
    "capture": {0},
}
_FAMILY = {**{name: name for name in _TYPES}, "unreferenced_refund": "refund"}
_REFUSALS = frozenset({"declined", "cancelled", "failed"})


@dataclass(frozen=True)
class Asked:
    """What our own record says was asked.

    action    one of request.ACTIONS
    session   id of the session; terminal, register: as in the Request
    amount    int minor units; currency: ISO 4217 number of three digits
    """

    action: str
    session: str
    terminal: str
    register: str
    amount: int
    currency: str


@dataclass(frozen=True)
class Mismatch:
    """One difference.

    field       session, terminal, register, action, currency, amount
    asked, got  str; int minor units for amounts; "" when not told
    """

    field: str
    asked: object
    got: object


@dataclass(frozen=True)
class Verdict:
    """What was learned about an operation.

    state       pending, approved, declined, cancelled, failed, unknown, reversed; None: nothing, leave it
    reason      slug, a key of words.SENTENCES; "" for a plain success
    mismatches  tuple of Mismatch; any of them bars an approval
    session     session.Session, None when there was none to read
    detail      what Viva.com says, "" for nothing
    may_change  whether a session that ended without payment is worth another look later
    correlation  Viva.com's name for the answer, which its support asks for; "" when not told
    """

    state: str | None
    reason: str = ""
    mismatches: tuple = ()
    session: Session | None = None
    detail: str = ""
    may_change: bool = False
    correlation: str = ""


def asked_of(request):
    """The Asked of a Request; ProtocolError when it could not have been sent."""
    check(request)
    return Asked(
        request.action, request.session, request.terminal, request.register, request.amount, request.currency
    )


def check_asked(asked):
    """Return `asked` when it is an Asked that can be compared; ProtocolError names the member."""
    if not isinstance(asked, Asked):
        raise ProtocolError("What was asked is an Asked.", "asked", "asked")
    if not isinstance(asked.action, str) or asked.action not in ACTIONS:
        raise ProtocolError(f"The action is one of {', '.join(ACTIONS)}.", "action", "action")
    check_session(asked.session)
    for name in ("terminal", "register"):
        if not isinstance(getattr(asked, name), str) or not getattr(asked, name):
            raise ProtocolError("This is a text.", name, "asked")
    money.check_amount(asked.amount)
    money.check_currency(asked.currency)
    return asked


def conclude(asked, http_status, body, headers=None, fresh=False):
    """The Verdict of an answer to `request.read_session` about an operation.

    asked  Asked; the others as in session.classify_session
    ProtocolError when `asked` cannot be compared; nothing that is answered raises.
    """
    check_asked(asked)
    reading = classify_session(http_status, body, headers, fresh)
    session, state, told = reading.session, reading.state, reading.answer
    if session is None:
        return Verdict(state, reading.reason, detail=told.detail, correlation=told.correlation)
    found, may_change = compare(asked, session), reading.may_change
    if not found:
        return Verdict(state, reading.reason, (), session, session.message, may_change, told.correlation)
    # somebody else's session that is not final is no news; a final one is still no result of ours
    state = None if state == "pending" else "unknown"
    return Verdict(state, "mismatch", found, session, session.message, correlation=told.correlation)


def compare(asked, session):
    """The differences between an Asked and a Session that forbid to believe it, as a tuple of Mismatch.

    What a session leaves out differs from nothing, except that a success has to state which session, how much
    and in which currency: an answer that was cut proves nothing. Where nothing was paid only the session, the
    terminal and the register are compared. ProtocolError when one of the two cannot be compared.
    """
    check_asked(asked)
    if not isinstance(session, Session):
        raise ProtocolError("This is no Session.", "session", "type")
    # twice the same id in two systems of a merchant: then it is the other one's session
    found = [
        _differs("session", asked.session, session.id, session),
        _differs("terminal", asked.terminal, session.terminal, session),
        _differs("register", asked.register, session.register, session),
    ]
    if session.success:
        found += [_action(asked, session), _currency(asked, session), _amount(asked, session)]
    return tuple(mismatch for mismatch in found if mismatch)


_JSON_NAMES = {"session": "sessionId", "terminal": "terminalId", "register": "cashRegisterId"}


def _differs(name, wanted, got, session):
    if _JSON_NAMES[name] in session.doubtful:
        return Mismatch(name, wanted, "?")
    missing = name == "session" and session.success and not got
    if missing or (got and _bare(name, wanted) != _bare(name, got)):
        return Mismatch(name, wanted, got)
    return None


def _bare(name, value):
    """A terminal that is told as a number has lost its leading zeros."""
    value = value.strip()
    return value.lstrip("0") if name == "terminal" and value.isdigit() else value


def _action(asked, session):
    """A reservation is no payment, and a refund is none either; nor is what nobody knows."""
    family = _FAMILY[asked.action]
    told = "" if session.type_id is None else str(session.type_id)
    told = next((name for name, types in _TYPES.items() if session.type_id in types), told)
    if session.preauth and family == "sale" and not told:
        told = "preauth"
    if "transactionTypeId" in session.doubtful or "preauth" in session.doubtful:
        told = "?"
    return Mismatch("action", asked.action, told) if told not in ("", family) else None


def _currency(asked, session):
    got = "?" if "currencyCode" in session.doubtful else session.currency
    return None if got == asked.currency else Mismatch("currency", asked.currency, got)


def _amount(asked, session):
    """More than was asked is explained by a tip or surcharge that the session states; less never is.

    A refund may be told below zero.
    """
    doubtful = not {"amount", "tipAmount", "surchargeAmount"}.isdisjoint(session.doubtful)
    if session.amount is None or doubtful:
        return Mismatch("amount", asked.amount, "?" if doubtful else "")
    extras = {0}
    if asked.action == "sale":
        tip, surcharge = max(session.tip or 0, 0), max(session.surcharge or 0, 0)
        extras |= {tip, surcharge, tip + surcharge}
    got = abs(session.amount) if _FAMILY[asked.action] == "refund" else session.amount
    return None if got - asked.amount in extras else Mismatch("amount", asked.amount, session.amount)


def conclude_reversal(asked, transaction, event, own_refunds=(), refund_open=False):
    """The Verdict that a webhook about a reversal (webhook.Event) gives to a payment that was approved.

    transaction  Viva.com's id (str) of the payment; own_refunds: those of our refunds of it that are known
    refund_open  True while a refund of it is under way, whose id is not known yet
    "reversed" when it was undone as a whole and not by us: a card that was pulled out too early (2.2). No
    webhook is signed: whoever calls has seen to it that this one came to the secret address.
    ProtocolError when `asked` or the event cannot be compared.
    """
    check_asked(asked)
    if not isinstance(event, Event):
        raise ProtocolError("This is no Event.", "event", "type")
    if event.kind != "reversal" or not transaction or event.parent != transaction:
        return Verdict(None, "other_transaction")
    ours = event.transaction and event.transaction in tuple(own_refunds)
    if ours or (event.session and event.session != asked.session):
        return Verdict(None, "own_refund")
    if refund_open is True:
        return Verdict(None, "reversal_unclear")
    found = _reversal_differences(asked, event)
    if found:
        return Verdict(None, "reversal_partial", found)
    return Verdict("reversed", "reversed")


def _reversal_differences(asked, event):
    found = []
    if event.terminal and _bare("terminal", event.terminal) != _bare("terminal", asked.terminal):
        found.append(Mismatch("terminal", asked.terminal, event.terminal))
    if event.currency != asked.currency:
        found.append(Mismatch("currency", asked.currency, event.currency))
    amount = None if event.amount is None else abs(event.amount)
    # with the tip it may be more
    if amount is None or amount < asked.amount:
        found.append(Mismatch("amount", asked.amount, "" if amount is None else amount))
    return tuple(found)
