"""What an answer says about an operation, read so that doubt stays doubt.

Nothing here turns an uncertain outcome into "failed" or "approved": an unknown word is pending, an
unreadable answer to a start is unknown, a refusal that contradicts itself is unknown.
Source: protocols/paypercloud.md, 3 (lessons), 4 and 5; architecture.md, 3.1 and 4.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from . import amounts, fields, jsontext, paths, profile
from .errors import ProtocolError

MAX_ROWS = 2000
MAX_TOTALS = 500
# Refused before anything was done. Not here, on purpose: 402, 408, 409, 425, 429 and everything else.
_REFUSED = frozenset({400, 401, 403, 404, 405, 406, 410, 413, 415, 422})
_REFUSAL_STATES = frozenset({"declined", "cancelled", "failed"})
_CLASSES = {
    **dict.fromkeys((401, 403), "authentication"),
    **dict.fromkeys((404, 410), "not_found"),
    **dict.fromkeys((400, 402, 406, 413, 415, 422), "validation"),
    **dict.fromkeys((301, 302, 303, 307, 308, 405), "configuration"),
}
REASONS = (
    "no_operation_id",  # accepted, but only our reference can find it again
    "status_missing",
    "unknown_word",
    "status_conflict",  # two places, two meanings
    "status_uncertain",  # the provider itself does not know: timeout, offline, error
    "flag_denied",  # the word says approved, the flag says no
    "flag_unclear",
    "flag_contradicts",  # the word says refused, the flag says approved
    "amount_missing",
    "amount_unreadable",
    "void_ambiguous",
    "http_pending",
    "http_uncertain",
    "refused_repeat",
    "refusal_contradicted",
    "undecodable",
    "rows_missing",
    "rows_unreadable",
    "rows_truncated",
    "totals_unreadable",
)
_NEEDS_AMOUNT = frozenset({"purchase", "refund"})


@dataclass(frozen=True)
class Outcome:
    """What was learned.

    state          a state of states.STATES, or None: nothing was learned about the money
    raw_state      the provider's own status word(s), at most 64 characters
    error_class    None, or configuration authentication not_found busy validation remote undecodable
    error_code, error_message   the provider's own, card numbers masked
    reason         "" or one of REASONS: why the state is what it is (a user interface translates it)
    fields         {field: value} as fields.extract describes
    rows           operations of a list: fields plus "type", "state", "raw_state", "reason"
    totals         as fields.total describes
    document       the parsed JSON as received, not masked: mask it before it is stored; None when undecodable
    """

    state: str | None = None
    raw_state: str = ""
    error_class: str | None = None
    error_code: str = ""
    error_message: str = ""
    reason: str = ""
    fields: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)
    totals: list = field(default_factory=list)
    document: object = field(default=None, repr=False)


@dataclass(frozen=True)
class Asked:
    """What our own record says was asked; empty members are not compared.

    amount in major units (finite Decimal or None); partial_approval as the profile says.
    """

    amount: Decimal | None = None
    currency: str = ""
    terminal_pid: str = ""
    pos_id: str = ""
    reference: str = ""
    operation_id: str = ""
    original_operation_id: str = ""
    partial_approval: bool = False

    def __post_init__(self):
        if self.amount is not None and not (isinstance(self.amount, Decimal) and self.amount.is_finite()):
            raise ProtocolError("The amount is a Decimal of major units.", "amount", "amount")


@dataclass(frozen=True)
class Mismatch:
    """One difference: `field`, what was asked and what the answer states (Decimal for amounts, else str)."""

    field: str
    asked: object
    got: object


@dataclass(frozen=True)
class _Answer:
    """An answer with everything that is needed to read it."""

    checked: dict
    key: str
    http_status: int
    document: object
    is_empty: bool
    digits: int
    started: str
    repeated: bool

    @property
    def endpoint(self):
        """The endpoint (dict) that was called."""
        return self.checked["endpoints"][self.key]

    @property
    def response(self):
        """The paths (dict) of its answer."""
        return self.endpoint["response"]

    @property
    def succeeded(self):
        """Whether the HTTP code is one of its success codes."""
        return self.http_status in self.endpoint["success_codes"]


def read(document, key, http_status, body, digits=2, started="purchase", repeated=False):
    """The Outcome of an HTTP answer.

    document     the profile (JSON-like); key: the endpoint that was called; http_status: int; body: bytes
    digits       decimals of the currency
    started      the START endpoint that began the operation which a status or result is about: only a
                 purchase or refund must state an amount, and "voided" means another thing for a void
    repeated     True when an earlier try of the same request may have arrived: a refusal of the repetition
                 (409 "already in progress" above all) then says nothing about the first one
    ProtocolError only for an invalid profile, an endpoint it does not have, or impossible digits: whatever
    http_status and body are, there is an Outcome.
    """
    checked = profile.normalise(document)
    profile.endpoint(checked, key)
    amounts.from_minor(0, digits)
    status = http_status if isinstance(http_status, int) else 0
    started = key if key in profile.START_KEYS else started
    answer = _Answer(checked, key, status, _parse(body), _is_blank(body), digits, started, bool(repeated))
    if key in profile.START_KEYS:
        return _outcome(answer, *_start(answer))
    if key in profile.INQUIRY_KEYS:
        return _outcome(answer, *_inquiry(answer))
    return _outcome(answer, *(_cancel(answer) if key == "operation_cancel" else _plain(answer)))


def compare(asked, outcome):
    """[Mismatch] between an Asked and what an Outcome states; what the answer does not state is not compared.

    A tip on top is no difference (got = asked + tip); less than asked is none only with partial_approval.
    """
    if not isinstance(asked, Asked) or not isinstance(outcome, Outcome):
        raise ProtocolError("An Asked is compared with an Outcome.", code="type")
    result = []
    for name in ("operation_id", "terminal_pid", "pos_id", "reference", "original_operation_id", "currency"):
        wanted, got = getattr(asked, name), outcome.fields.get(name)
        if wanted and got and str(wanted).strip() != got:
            result.append(Mismatch(name, wanted, got))
    got = outcome.fields.get("amount")
    if asked.amount is not None and got is not None and not _same_amount(asked, got, outcome.fields):
        result.append(Mismatch("amount", asked.amount, got))
    return result


# -- reading rules: each returns (state, error_class, reason)


def _start(answer):
    """A success only says that the request was accepted; a refusal is the only certain failure."""
    if answer.succeeded:
        return _accepted(answer)
    if not _is_refusal(answer):
        return "unknown", _error_class(answer), "http_uncertain"
    if answer.repeated:
        return "unknown", _error_class(answer), "refused_repeat"
    if "approved" in _mapped(answer.checked, _words(answer.document, answer.response)):
        return "unknown", _error_class(answer), "refusal_contradicted"
    return "failed", _error_class(answer), ""


def _is_refusal(answer):
    """Whether a start was refused. What the answer names (the operation in the way) is not ours then."""
    codes = _REFUSED.union(answer.checked["busy_http_codes"])
    return answer.key in profile.START_KEYS and answer.http_status in codes


def _accepted(answer):
    if answer.document is None:
        return "unknown", "undecodable", "undecodable"
    state, reason = "pending", ""
    if answer.checked["sync_response"]:
        state, reason = _verdict(answer, final=True)
    has_id = "operation_id" in _fields(answer, answer.document, answer.response)
    return state, None, reason or ("" if has_id or state != "pending" else "no_operation_id")


def _inquiry(answer):
    if answer.http_status in answer.checked["pending_http_codes"]:
        return "pending", None, "http_pending"
    state, error_class, reason = _plain(answer)
    if error_class:
        return state, error_class, reason
    # a status has to state no amount where a result follows it
    final = answer.key == "operation_result" or "operation_result" not in answer.checked["endpoints"]
    state, reason = _verdict(answer, final=final)
    return state, None, reason


def _cancel(answer):
    """A cancel is a wish: success means that it was heard, whatever the word says, and nothing else."""
    state, error_class, reason = _plain(answer)
    if answer.succeeded and (not error_class or answer.is_empty):
        return "cancelling", None, ""
    return state, error_class, reason


def _plain(answer):
    """An answer that says nothing about the money by itself."""
    if not answer.succeeded:
        return None, _error_class(answer), ""
    if answer.document is None:
        return None, "undecodable", "undecodable"
    if answer.key == "operations_list" and _list_at(answer, "rows") is None:
        return None, "undecodable", "rows_missing"
    return None, None, ""


def _verdict(answer, final):
    """(state, reason) of an answer about one operation; a `final` approval has to state its amount."""
    needed = final and answer.checked["require_amount"] and answer.started in _NEEDS_AMOUNT
    values = _fields(answer, answer.document, answer.response)
    return _conclude(answer.checked, answer.document, answer.response, values, answer.started, needed)


def _conclude(checked, node, response, values, started, amount_needed):
    """(state, reason) by the status words, the approval flags and the amount of one operation."""
    words = _words(node, response)
    state, reason = _by_words(checked, words)
    flag = fields.flag(node, response.get("approved_flag", []))
    if state == "approved":
        return _approved(flag, fields.amount_problem(node, response, values), amount_needed)
    if state in _REFUSAL_STATES and flag == "true":
        return "unknown", "flag_contradicts"
    if started == "void" and (state == "reversed" or "voided" in map(profile.status_key, words)):
        # done, or "the original is voided already"? Only a map that says so can tell
        return "unknown", "void_ambiguous"
    return state, reason


def _approved(flag, problem, amount_needed):
    """An approval stands only when nothing in the same answer speaks against it."""
    if flag not in ("true", "absent"):
        return "unknown", "flag_denied" if flag == "false" else "flag_unclear"
    if problem == "amount_unreadable" or (problem and amount_needed):
        return "unknown", problem
    return "approved", ""


def _by_words(checked, found):
    """(state, reason). An envelope's "ok" may stand beside the payment's own word: all places must agree."""
    states = _mapped(checked, found)
    if not found:
        return "pending", "status_missing"
    if len(states) > 1:
        return "pending", "status_conflict"
    state = states.pop()
    if state is None:
        return "pending", "unknown_word"
    return state, "status_uncertain" if state == "unknown" else ""


def _error_class(answer):
    if answer.http_status in answer.checked["busy_http_codes"]:
        return "busy"
    return _CLASSES.get(answer.http_status, "remote")


# -- assembling


def _outcome(answer, state, error_class, reason):
    code, message = _error_texts(answer) if reason or error_class or state in _REFUSAL_STATES else ("", "")
    rows, rows_reason = _rows(answer) if answer.succeeded else ([], "")
    totals, totals_reason = _totals(answer) if answer.succeeded else ([], "")
    return Outcome(
        state=state,
        raw_state=fields.text("|".join(_words(answer.document, answer.response)), 64),
        error_class=error_class,
        error_code=code,
        error_message=message,
        reason=reason or rows_reason or totals_reason,
        fields={} if _is_refusal(answer) else _fields(answer, answer.document, answer.response),
        rows=rows,
        totals=totals,
        document=answer.document,
    )


def _rows(answer):
    nodes = _list_at(answer, "rows") or []
    rows = [_row(answer, node) for node in nodes[:MAX_ROWS] if isinstance(node, dict)]
    if len(nodes) > MAX_ROWS:
        return rows, "rows_truncated"
    return rows, "" if len(rows) == len(nodes) else "rows_unreadable"


def _row(answer, node):
    mapping = answer.response.get("row", {})
    values = _fields(answer, node, mapping)
    started = "void" if profile.status_key(values.get("type", "")) == "void" else ""
    state, reason = _conclude(answer.checked, node, mapping, values, started, amount_needed=False)
    raw = fields.text("|".join(_words(node, mapping)), 64)
    return {**values, "state": state, "raw_state": raw, "reason": reason}


def _totals(answer):
    nodes = _list_at(answer, "totals") or []
    mapping = answer.response.get("total", {})
    read_nodes = [node for node in nodes[:MAX_TOTALS] if isinstance(node, dict)]
    totals = [fields.total(node, mapping, answer.checked, answer.digits) for node in read_nodes]
    complete = len(totals) == len(nodes) and all("amount" in total for total in totals)
    return totals, "" if complete else "totals_unreadable"


def _list_at(answer, name):
    """The first list at the paths of `name`, or None: an object there is no list of operations."""
    found = paths.found(answer.document, answer.response.get(name, []))
    return next((value for value in found if isinstance(value, list)), None)


def _error_texts(answer):
    code = _first_text(answer, "error_code_paths", 64)
    return code, _first_text(answer, "error_message_paths", 500)


def _first_text(answer, name, limit):
    found = fields.scalars(answer.document, answer.checked[name])
    return next((text for text in (fields.free_text(value, limit) for value in found) if text), "")


def _fields(answer, node, mapping):
    return fields.extract(node, mapping, answer.checked, answer.digits)


def _words(node, response):
    return fields.words(node, response.get("status", []))


def _mapped(checked, found):
    return {checked["status_map"].get(profile.status_key(word)) for word in found}


def _parse(body):
    """The parsed object or list, or None: a bare text or number is no answer of such an API."""
    try:
        document = jsontext.loads(body)
    except ProtocolError:
        return None
    return document if isinstance(document, (dict, list)) else None


def _is_blank(body):
    return isinstance(body, (bytes, bytearray)) and not body.strip()


def _same_amount(asked, got, stated):
    tip = stated.get("tip_amount") or Decimal(0)
    if got in (asked.amount, asked.amount + tip):
        return True
    return asked.partial_approval is True and 0 < got < asked.amount
