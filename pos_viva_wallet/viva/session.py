"""Sessions: what became of a request on the terminal, as the one source that is believed.

Source: protocols/viva.md, 1.5, 1.6, 2.1 and 2.2.
"""

from dataclasses import dataclass, field

from . import answer, events, jsontext, money
from .answer import Answer
from .errors import ProtocolError
from .text import clean, identifier, masked_pan, said

MAX_SESSIONS = 5000


@dataclass(frozen=True)
class Session:
    """One session. Texts are "" and numbers None when not told.

    id, terminal, register   as asked; terminal also when it is told as a number
    amount, tip, surcharge   int minor units; the amount holds the tip
    currency                 ISO 4217 number of three digits
    reference                merchantReference
    success                  True, False, None: not told
    event, transaction_event eventId and transactionEventId (int): events.event, events.iso_code
    type_id                  5 sale, 4 refund, 7 void, 1 pre-authorisation, 0 capture: all of them in verdict
    preauth, abort_wished, abort_done   bool or None
    transaction              Viva.com's id of the transaction
    authorization_code, rrn, stan, order_code, short_order_code, brand, card_type, bank, aid, tid
    entry_mode               panEntryMode ("07"); see receipt.ENTRY_MODES
    verification, time       verificationMethod, transactionDateTime (ISO 8601 with its offset)
    masked_pan               with at most ten visible digits, else ""
    instalments              int
    message                  what Viva.com says, long numbers hidden
    doubtful                 names of JSON members that decide about money and cannot be read
    """

    id: str = ""
    terminal: str = ""
    register: str = ""
    amount: int | None = None
    tip: int | None = None
    surcharge: int | None = None
    currency: str = ""
    reference: str = ""
    success: bool | None = None
    event: int | None = None
    transaction_event: int | None = None
    type_id: int | None = None
    preauth: bool | None = None
    abort_wished: bool | None = None
    abort_done: bool | None = None
    transaction: str = ""
    authorization_code: str = ""
    rrn: str = ""
    stan: str = ""
    order_code: str = ""
    short_order_code: str = ""
    brand: str = ""
    card_type: str = ""
    bank: str = ""
    aid: str = ""
    tid: str = ""
    entry_mode: str = ""
    verification: str = ""
    time: str = ""
    masked_pan: str = ""
    instalments: int | None = None
    message: str = ""
    doubtful: tuple = ()


@dataclass(frozen=True)
class Reading:
    """What reading a session gives.

    state    pending, approved, declined, cancelled, failed, unknown; None: nothing was learned
    reason   slug, a key of words.SENTENCES; "" for a plain success
    session  Session, None when there was none to read
    answer   answer.Answer
    """

    state: str | None
    reason: str
    session: Session | None = None
    answer: Answer = field(default=Answer(), repr=False)

    @property
    def may_change(self):
        """Whether a session that ended without payment is worth another look: some were paid after all."""
        event = events.event(self.session.event) if self.session else None
        return self.state in ("declined", "cancelled", "failed") and (event is None or event.may_change)


@dataclass(frozen=True)
class Day:
    """The sessions of one day. unreadable: how many more there were; reason: slug, "" when it was read."""

    sessions: tuple = ()
    unreadable: int = 0
    reason: str = ""


def _whole(value):
    return value if type(value) is int and abs(value) < 10**9 else None


def _flag(value):
    return value if isinstance(value, bool) else None


def _order_code(value):
    return identifier(value).strip("0") and identifier(value)  # "0" is written for none


def _label(value):
    return clean(value, 60)


# member of Session -> (member of the JSON, how it is read)
_MEMBERS = {
    "id": ("sessionId", identifier),
    "terminal": ("terminalId", identifier),
    "register": ("cashRegisterId", identifier),
    "amount": ("amount", money.read_minor),
    "tip": ("tipAmount", money.read_minor),
    "surcharge": ("surchargeAmount", money.read_minor),
    "currency": ("currencyCode", money.read_currency),
    "reference": ("merchantReference", lambda value: clean(value, 200)),
    "success": ("success", _flag),
    "event": ("eventId", _whole),
    "transaction_event": ("transactionEventId", _whole),
    "type_id": ("transactionTypeId", _whole),
    "preauth": ("preauth", _flag),
    "abort_wished": ("abortOperation", _flag),
    "abort_done": ("abortSuccess", _flag),
    "transaction": ("transactionId", identifier),
    "authorization_code": ("authorizationId", identifier),
    "rrn": ("retrievalReferenceNumber", identifier),
    "stan": ("referenceNumber", identifier),
    "order_code": ("orderCode", _order_code),
    "short_order_code": ("shortOrderCode", _order_code),
    "brand": ("applicationLabel", _label),
    "card_type": ("cardType", _label),
    "bank": ("bankId", _label),
    "aid": ("aid", identifier),
    "tid": ("tid", identifier),
    "entry_mode": ("panEntryMode", identifier),
    "verification": ("verificationMethod", _label),
    "time": ("transactionDateTime", _label),
    "masked_pan": ("primaryAccountNumberMasked", masked_pan),
    "instalments": ("installments", _whole),
    "message": ("message", said),
}
# What decides: to have it in a form that cannot be read is not the same as not to have it.
_DECISIVE = (
    "id terminal register amount tip surcharge currency success event type_id preauth abort_done".split()
)


def read(document):
    """The Session in a dict of parsed JSON (jsontext), or in bytes or str of JSON.

    ProtocolError code "unreadable" when it is no object; a member of the wrong type is not told, and stands
    in `doubtful` when it decides about money.
    """
    if isinstance(document, (bytes, bytearray, str)):
        document = jsontext.loads(document)
    if not isinstance(document, dict):
        raise ProtocolError("A session is an object.", code="unreadable")
    values = {name: reader(document.get(member)) for name, (member, reader) in _MEMBERS.items()}
    doubtful = [_MEMBERS[name][0] for name in _DECISIVE if _is_lost(document, name, values[name])]
    return Session(**values, doubtful=tuple(doubtful))


def _is_lost(document, name, value):
    told = document.get(_MEMBERS[name][0])
    return told is not None and told != "" and (value is None or value == "")


def classify_session(http_status, body, headers=None, fresh=False):
    """The Reading of an answer (int, bytes, mapping of str) to `request.read_session`. Never raises.

    fresh  True within seconds of the POST: a session may not be found yet then. Later, one that is not found
           is unknown: its POST may have been lost, or come late.
    It says what the session says; whether it is the one that was asked for, verdict.conclude compares.
    """
    found = answer.read(http_status, headers, body)
    if found.status == 200:
        return _told(found)
    if found.status == 202:
        return Reading("pending", "processing", None, found)
    if found.status == 404 and found.form in ("empty", "json"):
        young = fresh is True
        return Reading(
            "pending" if young else "unknown", "not_yet_found" if young else "session_not_found", None, found
        )
    return Reading(None, _reason(found.status), None, found)


def _reason(status):
    """Slug of why nothing was learned."""
    if status in (429, 503):
        return "service_busy"
    known = {0: "no_answer", 400: "request_refused", 401: "access_refused", 403: "access_denied"}
    return known.get(status, "service_error")


def _told(found):
    if not isinstance(found.document, dict):
        # an empty 200 answers a POST; here it is a fault, and nothing was paid by it
        return Reading(None, "empty_answer" if found.form == "empty" else "unreadable", None, found)
    session = read(found.document)
    return Reading(*judge(session), session, found)


def judge(session):
    """(state, reason) that a Session (of an answer with 200, or of a webhook) tells; ProtocolError "type"."""
    if not isinstance(session, Session):
        raise ProtocolError("This is no Session.", "session", "type")
    if not {"success", "eventId", "abortSuccess"}.isdisjoint(session.doubtful):
        return "unknown", "result_unclear"
    if session.success is None:
        return "pending", "no_result"
    return _success(session) if session.success else _refusal(session)


def _success(session):
    """A success stands only when nothing in the same session speaks against it."""
    refused = session.event not in (None, 0) or events.iso_reason(session.transaction_event)
    if refused or session.abort_done:
        return "unknown", "contradiction"
    return "approved", ""


def _refusal(session):
    event = events.event(session.event)
    if event is None and session.abort_done:
        return "cancelled", "aborted"
    if event is None:
        return "unknown", "no_event" if session.event is None else "other_event"
    if event.kind == "success":
        return "unknown", "contradiction"
    if event.slug in events.VAGUE:
        return event.state, events.iso_reason(session.transaction_event) or event.slug
    return event.state, event.slug


def read_day(http_status, headers, body):
    """The Day in an answer (int, mapping of str, bytes) to `request.read_day`. Never raises.

    Whether it holds sessions that are not final yet is not documented: they have no `success` then.
    """
    found = answer.read(http_status, headers, body)
    if found.status != 200:
        return Day(reason=_reason(found.status))
    if not isinstance(found.document, list):
        return Day(reason="unreadable")
    rows = found.document[:MAX_SESSIONS]
    sessions = tuple(read(row) for row in rows if isinstance(row, dict))
    return Day(sessions, len(found.document) - len(sessions))
