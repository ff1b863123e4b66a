"""What the answer to a request means before the terminal has done anything: taken, refused, or in doubt.

Nothing here says that money moved or did not move on a terminal: that, the session tells. The one certainty
is that a request which was refused has begun nothing.
Source: protocols/viva.md, 1.4, 1.6, 1.7 and 1.8; architecture.md, 4.
"""

from dataclasses import dataclass, field

from . import answer
from .answer import Answer

KINDS = ("queued", "known", "refused", "access", "busy", "uncertain", "refused_repeat")
# X-Viva-EventId: another number space than a session's eventId
_DUPLICATE = frozenset({1201, 1202, 1212})
_PARENT = {1203: "parent_not_found", 1213: "parent_not_found", 1204: "parent_unfinished"}
_ABORTING = frozenset({1208})
_ACCESS = {401: "access_refused", 403: "access_denied"}
_REFUSED = {
    **dict.fromkeys((400, 422), "invalid_request"),
    **{404: "not_served", 405: "not_served", 410: "not_served"},
    **dict.fromkeys((406, 413, 415), "request_refused"),
}
_BUSY = frozenset({429, 503})


@dataclass(frozen=True)
class Posted:
    """What became of a POST that starts something.

    state   pending, failed or unknown; see architecture.md, 3.1
    kind    one of KINDS: queued (200 says no more), known (it had arrived before), refused, access (the token
            is not taken: nothing was begun), busy, uncertain, refused_repeat
    reason  slug, a key of words.SENTENCES
    answer  answer.Answer, with the words and the correlation id
    """

    state: str
    kind: str
    reason: str
    answer: Answer = field(repr=False)

    @property
    def repeatable(self):
        """Whether the same body, with the same session id, may be sent again: never with a new id."""
        return self.kind in ("access", "busy", "uncertain")


def classify_post(http_status, headers, body, repeated=False):
    """The Posted of an answer (int, mapping of str, bytes) to a Request. Never raises.

    repeated  True when an earlier sending of this session id may have arrived: that the repetition is refused
              says nothing about it then
    A time-out has no answer: the caller calls it unknown, and reads the session or repeats with the same id.
    """
    found = answer.read(http_status, headers, body)
    state, kind, reason = _post(found)
    if state == "failed" and repeated is True:
        return Posted("unknown", "refused_repeat", "refused_repeat", found)
    return Posted(state, kind, reason, found)


def _post(found):
    """(state, kind, reason) of a first sending."""
    if found.accepted:
        # a web page with 200 comes from a proxy, and Viva.com may have seen nothing
        read = found.form in ("empty", "json")
        return ("pending", "queued", "queued") if read else ("unknown", "uncertain", "unreadable")
    if found.status in _ACCESS:
        return "failed", "access", _ACCESS[found.status]
    if found.status in (400, 404, 409, 422) and found.event in _PARENT:
        return "failed", "refused", _PARENT[found.event]
    if found.status == 409 or (found.status in (400, 422) and found.event in _DUPLICATE):
        return "pending", "known", "already_known" if found.event in _DUPLICATE else "conflict"
    if found.status in _REFUSED:
        return "failed", "refused", _REFUSED[found.status]
    if found.status in _BUSY:
        return "unknown", "busy", "service_busy"
    return "unknown", "uncertain", "service_error" if found.status else "no_answer"


@dataclass(frozen=True)
class Aborted:
    """What became of the wish to abort. Whatever it is, the session is read on until it is final.

    state   "cancelling" when the wish was heard, None when nothing was learned; never a final state
    reason  slug, a key of words.SENTENCES
    answer  answer.Answer
    """

    state: str | None
    reason: str
    answer: Answer = field(repr=False)

    @property
    def repeatable(self):
        """Whether the wish may be sent again: it was not heard, and not refused either."""
        return self.reason in ("access_refused", "service_busy", "service_error", "no_answer")


_ABORT = {
    401: (None, "access_refused"),
    403: (None, "other_register"),
    404: (None, "abort_not_found"),
    # not documented: a session that is final already may answer so too
    409: ("cancelling", "abort_started"),
    **dict.fromkeys(_BUSY, (None, "service_busy")),
}


def classify_abort(http_status, headers, body):
    """The Aborted of an answer (int, mapping of str, bytes) to `request.abort`. Never raises.

    A terminal that shows a QR code, or never got the session, does not hear an abort that was accepted.
    """
    found = answer.read(http_status, headers, body)
    if found.accepted and found.form in ("empty", "json"):
        state, reason = "cancelling", "abort_accepted"
    elif found.event in _ABORTING:
        state, reason = _ABORT[409]
    else:
        state, reason = _ABORT.get(found.status, (None, "service_error" if found.status else "no_answer"))
    return Aborted(state, reason, found)
