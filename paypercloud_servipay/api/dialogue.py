"""How an operation is sent, inquired and cancelled on a REST terminal API: generators without any IO.

Each generator yields a :class:`Call`, is sent a :class:`Reply` and returns a ``Finding``. What is uncertain
stays uncertain here: only the provider's own words make an operation approved, declined, cancelled or failed.
Source: protocols/paypercloud.md, 3 to 5.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal

from . import outcome as outcomes
from .finding import Finding

# answer field -> field of the operation; what is missing here is compared or ignored
FACTS = {
    "operation_id": "external_ref",
    "amount": "approved_amount",
    **{
        name: name
        for name in (
            *("tip_amount", "authorization_code", "card_brand", "masked_pan", "entry_mode", "rrn", "stan"),
            *("merchant_id", "aid", "transaction_datetime", "merchant_receipt", "customer_receipt"),
            *("decline_code", "decline_message", "batch", "period_start", "period_end"),
        )
    },
}
INQUIRIES = ("operation_status", "operation_result")
REFUSALS = ("declined", "cancelled", "failed")
# reasons of an answer that settles nothing which a person should read all the same
WORTH_SAYING = (
    *("status_missing", "unknown_word", "status_conflict", "status_uncertain", "void_ambiguous"),
    *("flag_denied", "flag_unclear", "flag_contradicts", "amount_unreadable"),
)


@dataclass(frozen=True)
class Intent:
    """What an operation asks for.

    ``amount`` in major units (None for a reconciliation), ``sent_on`` YYYY-MM-DD (UTC);
    ``or_on`` the other days on which it was sent where the provider may count its days.
    """

    kind: str
    reference: str
    idempotency_key: str
    amount: Decimal | None = None
    digits: int = 2
    currency: str = ""
    terminal_pid: str = ""
    pos_id: str = ""
    external_ref: str = ""
    original_ref: str = ""
    sent_on: str = ""
    or_on: tuple = ()


@dataclass(frozen=True)
class Call:
    """A request to make: an endpoint key of the profile and the variables besides the credentials."""

    endpoint: str
    values: dict = field(default_factory=dict)
    started: str = "purchase"  # the kind of operation that a status or result is about


@dataclass(frozen=True)
class Reply:
    """What came back: an ``outcome.Outcome``, or why there is none.

    ``error_class`` is one of configuration, not_sent, outcome_unknown, undecodable; ``sent`` says whether a
    byte left."""

    outcome: object = None
    error_class: str = ""
    sent: bool = True
    text: str = ""
    latency: float | None = None


def send(document, intent):
    """Start the operation: Call of its kind, then a Finding."""
    reply = yield Call(intent.kind, _start_values(intent))
    if reply.outcome is None:
        return _lost(reply)
    result = reply.outcome
    found = _finding(result.state or "unknown", reply, result.reason or result.error_class)
    return _compared(document, intent, found, reply)


def inquire(document, intent):
    """Ask what became of the operation: by its id, or by our reference when the id never reached us."""
    if not intent.external_ref:
        return (yield from _look_up(document, intent))
    values = {"operation_id": intent.external_ref}
    asked = [key for key in INQUIRIES if key in document.get("endpoints", ())]
    if len(asked) == 1:
        return (yield from _ask_only(document, intent, Call(asked[0], values, intent.kind)))
    status = yield Call("operation_status", values, intent.kind)
    if status.outcome is None or status.outcome.state in (None, "pending", "unknown"):
        return _compared(document, intent, _no_verdict(status), status)
    result = yield Call("operation_result", values, intent.kind)
    return _compared(document, intent, _weigh(status, result), status, result)


def _ask_only(document, intent, call):
    """Inquire with a profile that has only one of the two endpoints: its word decides, as a result's does."""
    reply = yield call
    state, reason = (reply.outcome.state, reply.outcome.reason) if reply.outcome is not None else (None, "")
    open_end = state in (None, "pending") or (state, reason) == ("unknown", "status_uncertain")
    found = _no_verdict(reply) if open_end else _finding(state, reply, reason)
    return _compared(document, intent, found, reply)


def cancel(document, intent):
    """Wish for a cancellation, then ask what became of the operation.

    A cancelled operation may still end approved.
    """
    reply = yield Call("operation_cancel", {"operation_id": intent.external_ref})
    refused = reply.outcome is not None and reply.outcome.error_class in ("validation", "busy", "not_found")
    verdict = yield from inquire(document, intent)
    if refused and verdict.state in (None, "pending"):
        detail = reply.outcome.error_message
        return replace(verdict, state=None, reason="cancel_refused", detail=detail, latency=reply.latency)
    return verdict


# -- reading replies


def _start_values(intent):
    values = {"reference": intent.reference, "idempotency_key": intent.idempotency_key}
    if intent.amount is not None:
        values.update(amount=intent.amount, currency=intent.currency, digits=intent.digits)
    if intent.original_ref:
        values["original_operation_id"] = intent.original_ref
    return values


def _lost(reply):
    """A start without an answer: only what provably did not leave is a failure."""
    if not reply.sent:
        reason = "configuration" if reply.error_class == "configuration" else "not_sent"
        return Finding("failed", reason, reply.text)
    reason = "undecodable" if reply.error_class == "undecodable" else "no_answer"
    return Finding("unknown", reason, reply.text)


def _no_verdict(reply):
    """An inquiry that settles nothing: still running, a lost answer, an error of the provider."""
    if reply.outcome is None:
        return Finding(None, detail=reply.text)
    result = reply.outcome
    reason = result.reason if result.reason in WORTH_SAYING else ""
    state = result.state if result.state == "pending" else None
    detail = result.raw_state if reason else result.error_message
    facts = {
        name: value for name, value in _facts(result).items() if name not in ("approved_amount", "tip_amount")
    }
    return Finding(state, reason, detail, facts, latency=reply.latency)


def _weigh(status, result):
    """Status and result together:

    an approval needs both, a refusal needs one that the other does not contradict.
    """
    verdict = status.outcome.state
    answer = result.outcome.state if result.outcome is not None else None
    reason = result.outcome.reason if result.outcome is not None else ""
    if verdict == "reversed":
        return _finding("reversed", status)
    if reason == "status_conflict":
        return _finding("unknown", result, reason, status)
    if verdict == "approved":
        if answer == "approved":
            return _finding("approved", result, reason, status)
        if answer in (*REFUSALS, "reversed"):
            return _finding("unknown", result, "contradictory", status)
        if answer == "unknown":
            return _finding("unknown", result, reason, status)
        return _no_verdict(result)  # a result may lag behind its status
    if answer in ("approved", "reversed", "unknown"):
        return _finding("unknown", result, reason or "contradictory", status)
    return _finding(verdict, result if answer in REFUSALS else status, raw=status)


def _look_up(document, intent):
    """Find the operation by our reference in the provider's lists; not being listed proves nothing."""
    detail, latency = "", None
    days = dict.fromkeys((intent.sent_on, *intent.or_on))
    for day, period in ((day, period) for day in days for period in ("daily", "weekly")):
        reply = yield Call("operations_list", {"period": period, "date": day})
        latency = reply.latency
        if reply.outcome is None or reply.outcome.error_class:
            detail = reply.text or (reply.outcome.error_message if reply.outcome else "")
            continue
        found = {
            row.get("operation_id") for row in reply.outcome.rows if row.get("reference") == intent.reference
        }
        if len(found) > 1 or None in found or (found and reply.outcome.reason):
            # two charges for one intent, one that cannot be asked about, or a list that hides a second one
            return Finding(None, "ambiguous", ", ".join(sorted(filter(None, found))), latency=reply.latency)
        if found:
            known = replace(intent, external_ref=found.pop())
            verdict = yield from inquire(document, known)
            return replace(verdict, values={**verdict.values, "external_ref": known.external_ref})
    return Finding(None, detail=detail, latency=latency)


def _compared(document, intent, found, *replies):
    """``found``, unless an answer states something else than what was asked: then it is about something else.

    An approval keeps its state and carries the mismatches, which bar it; a refusal of something else settles
    nothing."""
    asked = outcomes.Asked(
        amount=intent.amount,
        currency=intent.currency,
        terminal_pid=intent.terminal_pid,
        pos_id=intent.pos_id,
        reference=intent.reference,
        operation_id=intent.external_ref,
        original_operation_id=intent.original_ref,
        partial_approval=bool(document.get("partial_approval")),
    )
    answers = [reply.outcome for reply in replies if reply.outcome is not None]
    different = tuple(dict.fromkeys(item for answer in answers for item in outcomes.compare(asked, answer)))
    if intent.external_ref and "external_ref" in found.values:
        found = replace(found, values={**found.values, "external_ref": intent.external_ref})
    elif different:
        # the number of something else must not become ours: our reference finds the right one
        kept = {name: value for name, value in found.values.items() if name != "external_ref"}
        found = replace(found, values=kept)
    if not different or found.state not in ("approved", "reversed", *REFUSALS):
        return found
    if found.state == "approved":
        return replace(found, mismatches=different)
    return replace(found, state="unknown", reason="mismatch", mismatches=different)


def _finding(state, reply, reason="", raw=None):
    result = reply.outcome
    values = _facts(result)
    if state != "approved":
        # what a start or a refusal echoes was asked, not paid
        values = {
            name: value for name, value in values.items() if name not in ("approved_amount", "tip_amount")
        }
    word = (raw.outcome if raw else result).raw_state
    if word:
        values["raw_state"] = word
    if state in REFUSALS and result.error_code:
        values.setdefault("decline_code", result.error_code)
    detail = result.error_message or values.get("decline_message", "")
    return Finding(state, reason or "", detail, values, latency=reply.latency)


def _facts(result):
    facts = {FACTS[name]: value for name, value in result.fields.items() if name in FACTS}
    if result.raw_state:
        facts["raw_state"] = result.raw_state
    if result.totals:
        facts["totals"] = result.totals
    return facts
