"""What is recorded about a terminal, as far as it tells one transaction from the others.

CD=3 speaks of the terminal's last transaction, whoever started it. Whether that can only have been ours is
decided here, from the operations before and after ours. Times are anything that can be compared.
Source: protocols/caisse_ap.md, 4 (result after a dropped link); architecture.md, money rule 6.
"""

from dataclasses import dataclass

SETTLED = frozenset({"approved", "declined", "cancelled", "failed", "reversed"})
MOVED = frozenset({"approved", "reversed"})


@dataclass(frozen=True)
class Past:
    """One operation that was sent to the terminal.

    sent, deadline, settled   times; settled is None while it is not; deadline is None when not known
    state          of the operation, in the words of architecture.md, 3.1
    by_person      a person said what became of it, not the terminal
    amount         int minor units: what was approved, else what was asked
    currency       ISO 4217 code of three letters
    authorisation  AC, "" when none is known
    reference      what was sent as CF, "" for none
    """

    sent: object
    state: str
    deadline: object = None
    settled: object = None
    by_person: bool = False
    amount: int = 0
    currency: str = ""
    authorisation: str = ""
    reference: str = ""


def known(ours, others, now):
    """What `conclude.attribute_duplicate` must know of a terminal, as a dict of its keyword arguments.

    `others` are the other operations of the terminal (Past, any order); the most recent ones are enough.
    """
    return {
        "last_authorisations": tuple(other.authorisation for other in others if other.authorisation),
        "other_references": tuple(other.reference for other in others if other.reference),
        "ours_was_last": ours_was_last(ours, others, now),
        "refused_before": refused_before(ours, others),
    }


def refused_before(ours, others):
    """Whether the last operation before ours took no money, as far as is known.

    A terminal that never got ours still tells of that one: its refusal would pass for ours.
    """
    before = [other for other in others if other.sent <= ours.sent]
    return bool(before) and max(before, key=lambda other: other.sent).state not in MOVED


def ours_was_last(ours, others, now):
    """Whether the terminal's last transaction can only be ours, or one whose authorisation is recorded.

    Not before our time is over: until then the customer may still stand at the terminal. Not when another
    operation was begun after ours, or may have ended after ours was begun: its money would pass for ours.
    """
    if ours.deadline is None or ours.deadline > now:
        return False
    if any(_may_have_ended_after(other, ours) for other in others):
        return False
    return not _hides_a_payment(ours, others)


def _may_have_ended_after(other, ours):
    """An open one may still be paid at any time; an end within the same instant may be a later one."""
    if other.state not in SETTLED or other.sent >= ours.sent:
        return True
    return other.settled is None or other.settled >= ours.sent


def _hides_a_payment(ours, others):
    """Whether the last transaction before ours may have an authorisation that we could take for a new one.

    Looked at from ours back to the last payment whose authorisation is recorded: what is before that one was
    not the terminal's last any more. A person's word brings no authorisation, whatever it says.
    """
    for other in sorted(others, key=lambda other: other.sent, reverse=True):
        if other.by_person:
            return True
        if other.state not in MOVED:
            continue  # the terminal said that nothing was taken
        if other.authorisation:
            return False
        if (other.amount, other.currency) == (ours.amount, ours.currency):
            return True
    return False
