"""Which state may follow which, and when to ask again. Source: architecture.md, 3.1.

`approved` is never downgraded: it becomes `reversed`, and only because the provider reported it; or `failed`,
and only because the provider contradicted its own approval and a named person says so.
What is uncertain becomes `unknown`, never `failed`.
"""

import math

from .errors import ProtocolError, shown

STATES = (
    "draft",
    "sent",
    "pending",
    "cancelling",
    "approved",
    "declined",
    "cancelled",
    "failed",
    "unknown",
    "reversed",
)
FINAL = frozenset({"approved", "declined", "cancelled", "failed", "reversed"})
IN_FLIGHT = frozenset({"sent", "pending", "cancelling"})
UNSETTLED = IN_FLIGHT | {"unknown"}

_OUTCOMES = frozenset({"approved", "declined", "cancelled", "failed", "unknown"})
_BY_PROVIDER = {
    "draft": frozenset({"sent", "cancelled", "failed"}),
    "sent": _OUTCOMES | {"pending"},
    "pending": _OUTCOMES | {"cancelling"},
    "cancelling": _OUTCOMES | {"pending"},
    "unknown": frozenset({"approved", "declined", "cancelled", "failed", "reversed"}),
    "approved": frozenset({"reversed"}),
}
_BY_PERSON = {
    "draft": frozenset({"cancelled"}),
    "unknown": frozenset({"approved", "declined", "cancelled", "failed"}),
}
# A hosted page lets a customer try again: a signed message about a later attempt overrules a refusal.
_BY_ATTEMPT = dict.fromkeys(
    ("declined", "cancelled", "failed"), frozenset({"approved", "pending", "unknown"})
)
# What the provider contradicted later: the model flags it, a named person decides.
_CONTRADICTED = {
    **dict.fromkeys(("declined", "cancelled", "failed", "reversed"), frozenset({"approved"})),
    "approved": frozenset({"failed"}),
}

# A card dialogue takes 5 to 30 s: often at first so that the cashier does not wait for us, then
# slower so that a customer who looks for a card does not cost a request every two seconds.
FAST_INQUIRIES = 15
DEFAULT_POLL = {"first": 2, "slow": 5}
# Nobody knows what happened: a dropped connection is back within a minute, a terminal after its
# restart within a quarter of an hour, a provider's fault within hours. Then four times a day, so that
# an answer that comes after days is still found and no provider is burdened meanwhile.
UNKNOWN_DELAYS = (10, 30, 60, 120, 300, 900, 1800, 3600)
UNKNOWN_DELAY_LAST = 6 * 3600


def allowed(old, new, by="provider", contradicted=False):
    """Whether an operation may go from state `old` to `new` (str); False for anything not listed.

    by            "provider": what the provider, or our own exchange with it, shows; "attempt": what its
                  signed message tells about a later attempt of the same customer; "person": a decision
    contradicted  True when the provider reported the contrary of what had been recorded; it lets a person,
                  and only a person, set declined/cancelled/failed/reversed to approved and approved to failed
    The same state again is no change and not allowed: the caller leaves the record alone.
    """
    if not isinstance(old, str) or not isinstance(new, str):
        return False
    if by in ("provider", "attempt"):
        more = _BY_ATTEMPT.get(old, ()) if by == "attempt" else ()
        return new in _BY_PROVIDER.get(old, ()) or new in more
    if by != "person":
        return False
    if contradicted is True and old in _CONTRADICTED:
        return new in _CONTRADICTED[old]
    return new in _BY_PERSON.get(old, ())


def next_inquiry(attempt, state, poll=None, quiet=0):
    """Seconds (int, at least 1) to wait before the next inquiry about an operation in `state`.

    attempt  number of that inquiry (int; 1 is the first one in this state, less counts as 1)
    poll     the profile's {"first", "slow"} in seconds for what is in flight; the deadline is the caller's
    quiet    seconds in which asking could disturb (a customer at the terminal): not before they are over
    ProtocolError code "settled" when there is nothing to ask about, "attempt" for no number.
    """
    if not isinstance(attempt, int) or isinstance(attempt, bool):
        raise ProtocolError("The number of inquiries is a whole number.", "attempt", "attempt")
    if state not in STATES or state not in UNSETTLED:
        raise ProtocolError(f"Nothing is to be asked in state {shown(state)}.", "state", "settled")
    if state != "unknown":
        seconds = _seconds(poll, "first" if attempt <= FAST_INQUIRIES else "slow")
    elif attempt <= len(UNKNOWN_DELAYS):
        seconds = UNKNOWN_DELAYS[max(attempt, 1) - 1]
    else:
        seconds = UNKNOWN_DELAY_LAST
    return max(seconds, math.ceil(quiet))


def _seconds(poll, name):
    value = (poll if isinstance(poll, dict) else {}).get(name)
    number = isinstance(value, int) and not isinstance(value, bool)
    return max(1, value if number else DEFAULT_POLL[name])
