"""What STATUS says about each kind of operation, and which one may follow which.

Source: protocols/ogone.md, 4. Doubt stays doubt: a status that stands nowhere is unknown, and neither paid
nor failed.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType

from .errors import ProtocolError

KINDS = ("purchase", "authorisation", "capture", "void", "refund")
PAYMENTS = frozenset({"purchase", "authorisation"})
# these report "authorised" only, although the money is theirs to give: no capture follows
PAID_WHEN_AUTHORISED = frozenset({"twint"})
_STATUS = re.compile(r"[0-9]{1,2}", re.ASCII)


@dataclass(frozen=True)
class Meaning:
    """One STATUS.

    code        as the platform writes it; slug: for sentences
    purchase, authorisation, capture, void, refund   state of such an operation that has none yet (str:
                pending, approved, declined, cancelled, unknown), None when the status says nothing about it
    authorised  the money is reserved, and not taken; captured: it was taken
    final       the platform does not change it by itself
    stage       how far a payment has come: 0 nothing known, 1 begun or refused, 2 authorised, 3 a capture or
                cancellation is under way, 4 captured or cancelled, 5 deleted or refunded
    """

    code: str
    slug: str
    purchase: str | None = None
    authorisation: str | None = None
    capture: str | None = None
    void: str | None = None
    refund: str | None = None
    authorised: bool = False
    captured: bool = False
    final: bool = False
    stage: int = 1


def _payment(code, slug, state, **more):
    return Meaning(code, slug, state, state, **more)


_WAITING = {
    **{"4": "stored", "40": "waiting_outside", "41": "waiting_customer", "46": "identification"},
    **{"50": "waiting_outside", "51": "authorisation_waiting", "55": "standby", "56": "scheduled"},
    "59": "manual",
}
_ALL = (
    Meaning("0", "incomplete", stage=0),
    _payment("1", "cancelled", "cancelled", final=True),
    _payment("2", "refused", "declined", final=True),
    *(_payment(code, slug, "pending") for code, slug in _WAITING.items()),
    Meaning("5", "authorised", "pending", "approved", authorised=True, final=True, stage=2),
    _payment("52", "authorisation_uncertain", "unknown"),
    _payment("57", "scheduled_refused", "declined", final=True),
    *(_payment(code, "voided", "cancelled", void="approved", final=True, stage=4) for code in ("6", "64")),
    Meaning("61", "void_waiting", void="pending", authorised=True, stage=3),
    Meaning("62", "void_uncertain", void="unknown", stage=3),
    Meaning("63", "void_refused", void="declined", authorised=True, final=True, stage=3),
    *(
        _payment(code, "deleted", "cancelled", void="approved", final=True, stage=5)
        for code in ("7", "74", "75")
    ),
    Meaning("71", "deletion_waiting", void="pending", stage=4),
    Meaning("72", "deletion_uncertain", void="unknown", stage=4),
    Meaning("73", "deletion_refused", void="declined", final=True, stage=4),
    *(
        Meaning(code, "refunded", refund="approved", captured=True, final=True, stage=5)
        for code in ("8", "85")
    ),
    Meaning("81", "refund_waiting", refund="pending", captured=True, stage=5),
    Meaning("82", "refund_uncertain", refund="unknown", captured=True, stage=5),
    *(
        Meaning(code, "refund_refused", refund="declined", captured=True, final=True, stage=5)
        for code in ("83", "94")
    ),
    # "declined by the acquirer, will be debited" in every published list, and "refund" in the vendor's own
    # module: in none is a refund refused
    Meaning("84", "acquirer_declined", refund="unknown", captured=True, final=True, stage=5),
    Meaning("96", "refund_reversed", refund="declined", captured=True, final=True, stage=5),
    Meaning("88", "query_failed", stage=0),
    *(
        _payment(code, "paid", "approved", capture="approved", captured=True, final=True, stage=4)
        for code in ("9", "95")
    ),
    _payment("91", "processing", "pending", capture="pending", stage=3),
    _payment("92", "payment_uncertain", "unknown", capture="unknown", stage=3),
    _payment("93", "payment_refused", "declined", capture="declined", final=True, stage=3),
    *(
        _payment(code, "processing", "pending", capture="pending", void="pending", refund="pending", stage=3)
        for code in ("97", "98", "99")
    ),
)
TABLE = MappingProxyType({meaning.code: meaning for meaning in _ALL})
# nothing that can be relied on: what NCERROR says counts then
WITHOUT_RESULT = frozenset({"0", "", "88"})
_REFUSALS = frozenset({"1", "2", "57", "93"})
_UNDOES = MappingProxyType(
    {
        **dict.fromkeys(PAYMENTS, frozenset({"6", "64", "7", "74", "75"})),
        "capture": frozenset({"93"}),
        "refund": frozenset({"94", "96"}),
    }
)


def meaning(status):
    """The Meaning of a STATUS (str); one that stands nowhere, or is empty, proves nothing.

    Its states are "unknown" for every kind, except that "" (no STATUS at all) says nothing: None.
    """
    text = status.strip() if isinstance(status, str) else "?"
    if _STATUS.fullmatch(text):
        text = text.lstrip("0") or "0"
    if text in TABLE:
        return TABLE[text]
    if not text:
        return Meaning("", "no_status", stage=0)
    return Meaning(text[:10], "other_status", *(["unknown"] * len(KINDS)))


def state_of(status, kind, method="", paid_at_91=False):
    """What a STATUS (str) says of an operation: a state (str), or None when it says nothing about it.

    Whether the operation may take it, `next_state` says: a success, for example, is never cancelled.
    kind        one of KINDS; an authorisation is what was asked for with OPERATION=RES
    method      PM as the platform names it: some are paid when they are authorised
    paid_at_91  the merchant takes "being processed" (91) for paid, at its own risk
    ProtocolError code "kind".
    """
    check_kind(kind)
    found = meaning(status)
    if kind == "purchase" and found.code == "5" and is_paid_when_authorised(method):
        return "approved"
    if kind == "purchase" and found.code == "91" and paid_at_91 is True:
        return "approved"
    return getattr(found, kind)


def is_paid_when_authorised(method):
    """Whether a PM (str) reports "authorised" (5) where others report "paid" (9)."""
    return isinstance(method, str) and method.strip().lower() in PAID_WHEN_AUTHORISED


def gives_back(status):
    """Whether a STATUS (str) says that a payment's money goes back, whatever became of a refund of it."""
    return meaning(status).slug == "acquirer_declined"


def check_kind(kind):
    """Return `kind` when it is one of KINDS; ProtocolError code "kind"."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise ProtocolError(f"The kind is one of {', '.join(KINDS)}.", "kind", "kind")
    return kind


def may_replace(old, new):
    """Whether a STATUS (str) that comes after another one about the same payment is news.

    Messages overtake each other, come late and come twice: what is further on in a payment's life is never
    replaced by what is further back. Only a refusal is: the customer tries again on the same page.
    The caller made sure that both are about the same PAYID, or that `old` is a refusal.
    """
    before, after = meaning(old), meaning(new)
    if after.stage == 0 or before.code == after.code:
        return False
    if before.code in _REFUSALS:
        return True
    if after.code == "93":
        begun = before.stage <= 3 and before.slug not in ("void_waiting", "void_uncertain", "void_refused")
        return begun or before.slug == "paid"  # a direct debit is refused after it was paid
    if after.code in _REFUSALS:
        return before.stage <= 1  # the page's refusal of an attempt that was not authorised
    return after.stage >= before.stage


def next_state(state, kind, new, code=""):
    """The state that an operation has after a message or answer, None when it stays as it is. Pure, total.

    state  what it has (str); kind: one of KINDS
    new    what is reported about this very operation: `state_of`, or the state of a Verdict; None: nothing
    code   the STATUS (str) that says so
    A success is never downgraded. It becomes "reversed", and only when STATUS says that what was authorised
    or paid was cancelled or deleted, that a capture was refused later, or that a refund was rejected later or
    undone. Not when a page reports a refusal or that somebody gave up: that is another attempt.
    ProtocolError code "kind".
    """
    check_kind(kind)
    if not isinstance(state, str) or not isinstance(new, str) or new == state or state == "reversed":
        return None
    if state == "approved":
        return "reversed" if meaning(code).code in _UNDOES.get(kind, ()) else None
    if state in ("declined", "cancelled", "failed"):
        again = kind in PAYMENTS and new in ("pending", "unknown")
        return new if again or new == "approved" else None
    return None if state == "unknown" and new == "pending" else new
