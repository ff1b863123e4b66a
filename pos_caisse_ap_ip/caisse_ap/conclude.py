"""What became of the money. Doubt stays doubt: "failed" is said only when nothing can have been taken.

Source: protocols/caisse_ap.md, 3 and 4; architecture.md, 3.1 and 4.
"""

from dataclasses import dataclass

from . import codes
from .compare import Mismatch, mismatches
from .request import check

STATES = ("approved", "declined", "cancelled", "failed", "unknown")
# Verdict.reason of an unknown; a refusal has the slug of its AF instead ("" without AF)
DOUBTS = (
    "no_status",  # no AE, one that nobody knows, or two that differ
    "accepted",  # AE=11: the terminal took the request, and did not say how it ended
    "mismatch",  # the answer speaks of something else
    "contradiction",  # a tag has two values, or AE and AF exclude each other
    "inquiry",  # an answer to CD=3, which only attribute_duplicate can read
    "not_asked",  # there is no money in what was asked
    "inquiry_refused",  # the terminal did not look: busy, or it does not know CD=3
    "other_transaction",  # the last transaction is another one
    "not_attributable",  # it may be ours or not
)
_STATE_OF_READING = {"declined": "declined", "cancelled": "cancelled"}
# Refusals that a performed operation cannot have. Not 00: "unknown" beside a success denies nothing.
_EXCLUDES_SUCCESS = frozenset(codes.REASONS) - {"00", "01", "03"}
# The terminal refuses to answer CD=3 (or is busy, 00), so it says nothing of the transaction before.
_NOT_SERVED = frozenset({"00", "09", "10", "12", "13"})
_UNTOLD = ("", 0)  # a terminal that repeats a question without an amount may write 0


@dataclass(frozen=True)
class Verdict:
    """The outcome of one operation.

    state       one of STATES
    reason      "" for approved, one of DOUBTS for unknown, else the slug of the answer's AF ("" without AF)
    partial     less was approved than was asked; the amount is in the answer
    mismatches  tuple of compare.Mismatch; never empty when the reason is "mismatch"
    """

    state: str
    reason: str = ""
    partial: bool = False
    mismatches: tuple = ()


def conclude(request, answer):
    """The Verdict on `request` (Request) that `answer` (Answer) to it allows.

    An identification that was answered is "approved". ProtocolError when the request could not be sent.
    """
    found = mismatches(request, answer)
    doubt = _doubt(request, answer, found)
    if doubt:
        return Verdict("unknown", doubt, mismatches=found)
    if answer.status == "performed":
        return Verdict("approved", partial=_is_partial(request, answer))
    if answer.reason is None:
        return Verdict("failed")
    return Verdict(_STATE_OF_READING.get(answer.reason.reading, "failed"), answer.reason.slug)


def _doubt(request, answer, found):
    """The first of DOUBTS that holds, "" when the answer can be believed."""
    if request.action == "duplicate":
        return "inquiry"
    if answer.status == "unreadable":
        return "no_status"
    if answer.status == "accepted":
        return "accepted"
    if found:
        return "mismatch"
    # nothing is paid by an identification: whatever the terminal says, it is there
    denies = request.action in codes.MONEY_ACTIONS and _contradicts_itself(answer)
    return "contradiction" if denies else ""


def _contradicts_itself(answer):
    """Whether one part of the answer denies another. An amount does not matter when nothing was done."""
    performed = answer.status == "performed"
    if set(answer.doubtful) - (set() if performed else {"CB"}):
        return True
    if answer.reason is None:
        return False
    if performed:
        return answer.reason.code in _EXCLUDES_SUCCESS
    return answer.reason.reading == "approved"


def _is_partial(request, answer):
    return request.amount is not None and answer.amount is not None and answer.amount < request.amount


def attribute_duplicate(
    request,
    answer,
    last_authorisations=(),
    *,
    ours_was_last=False,
    other_references=(),
    refused_before=False,
    echoes=False,
):
    """The Verdict on OUR `request` (debit, credit, reversal) that `answer` to a CD=3 request allows.

    CD=3 tells of the terminal's last transaction, whoever started it. `answer` must come from a request that
    said nothing of ours (request.duplicate_of): some terminals take CB, CD and CE from the question, and the
    echo would pass for their memory. What such an answer leaves out then is no other transaction: it is not
    told whose money it was.

    last_authorisations  AC (str) of other operations recorded on this terminal
    ours_was_last        the caller knows of nothing that was started on the terminal after ours, no
                         telecollection, and that ours can no longer be waiting for a card
    other_references     CF and CH (str) of our other payments
    refused_before       the one before ours took no money: a refusal without our reference may be its own
    echoes               this terminal has given back our references: what comes without one is not ours

    "approved" when our reference came back, or when ours was last and amount, currency and a new AC agree.
    "failed" only when ours was last and the terminal says that its last transaction did not succeed.
    ProtocolError when the request could not have been sent.
    """
    check(request)
    if request.action not in codes.MONEY_ACTIONS:
        return Verdict("unknown", "not_asked")
    found = mismatches(request, answer)
    # an inquiry is answered as CD=3, or as what it repeats; anything else is another transaction
    found = tuple(one for one in found if one != Mismatch("action", request.action, "duplicate"))
    differs = tuple(one for one in found if one.got not in _UNTOLD)
    doubt = _doubt(request, answer, differs)
    if doubt:
        return Verdict("unknown", doubt, mismatches=differs)
    if _is_another(answer, last_authorisations, other_references):
        return Verdict("unknown", "other_transaction")
    if found:
        return Verdict("unknown", "not_attributable")
    if answer.status == "performed":
        return _repeated_success(request, answer, ours_was_last and not echoes)
    ours = _bears_our_reference(request, answer)
    return _repeated_failure(answer, ours_was_last and (ours or not refused_before))


def _is_another(answer, last_authorisations, other_references):
    code = _bare_code(answer.authorization_code)
    if code and code in {_bare_code(other) for other in last_authorisations}:
        return True
    known = {reference.strip() for reference in other_references} - {""}
    return not known.isdisjoint((answer.private, answer.reference))


def same_code(code, other):
    """Whether two AC are one, padded or not."""
    return _bare_code(code) == _bare_code(other)


def _bare_code(code):
    """AC without what terminals pad it with. To take two for one only makes us doubt, never pay."""
    return code.strip().lstrip("0").upper()


def _repeated_success(request, answer, ours_was_last):
    """Without our reference the terminal may speak of a stranger's payment of the same amount.

    So a new AC is needed then (an offline payment has none) and the whole amount: less could be a partial
    approval of ours, or anybody's payment. That amount and currency are told was seen to by `mismatches`.
    """
    if _bears_our_reference(request, answer):
        return Verdict("approved", partial=_is_partial(request, answer))
    agrees = answer.amount == request.amount and answer.authorization_code
    if ours_was_last and agrees:
        return Verdict("approved")
    return Verdict("unknown", "not_attributable")


def _bears_our_reference(request, answer):
    ours = [(request.private, answer.private), (request.reference, answer.reference)]
    return any(asked.strip() and asked.strip() == got for asked, got in ours)


def _repeated_failure(answer, ours_was_last):
    # without a reason it may as well be "busy" (Source: caisse_ap.md, 3.1): that says nothing about ours
    if answer.reason is None or answer.reason.code in _NOT_SERVED:
        return Verdict("unknown", "inquiry_refused")
    if not ours_was_last:
        return Verdict("unknown", "not_attributable")
    return Verdict("failed", answer.reason.slug)
