"""The state machine, compared with a table written out by hand from architecture.md 3.1."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import states
from api.errors import ProtocolError

PROVIDER = {
    "draft sent",
    "draft cancelled",
    "draft failed",
    "sent pending",
    "sent approved",
    "sent declined",
    "sent cancelled",
    "sent failed",
    "sent unknown",
    "pending cancelling",
    "pending approved",
    "pending declined",
    "pending cancelled",
    "pending failed",
    "pending unknown",
    "cancelling pending",
    "cancelling approved",
    "cancelling declined",
    "cancelling cancelled",
    "cancelling failed",
    "cancelling unknown",
    "unknown approved",
    "unknown declined",
    "unknown cancelled",
    "unknown failed",
    "unknown reversed",
    "approved reversed",
}
PERSON = {"draft cancelled", "unknown approved", "unknown declined", "unknown cancelled", "unknown failed"}
CONTRADICTED = PERSON | {
    *("declined approved", "cancelled approved", "failed approved", "reversed approved"),
    "approved failed",
}


@pytest.mark.parametrize(
    "by, contradicted, table",
    [
        ("provider", False, PROVIDER),
        ("provider", True, PROVIDER),
        ("person", False, PERSON),
        ("person", True, CONTRADICTED),
        ("nobody", True, set()),
        (None, False, set()),
    ],
)
def test_every_pair(by, contradicted, table):
    pairs = itertools.product(states.STATES, repeat=2)
    got = {f"{old} {new}" for old, new in pairs if states.allowed(old, new, by, contradicted)}
    assert got == table


def test_the_default_is_the_provider():
    assert states.allowed("approved", "reversed")
    assert not states.allowed("declined", "approved")


@pytest.mark.parametrize("contradicted", [1, "yes", None, []])
def test_contradicted_is_true_or_nothing(contradicted):
    assert not states.allowed("failed", "approved", "person", contradicted)


def test_sets():
    assert states.IN_FLIGHT == {"sent", "pending", "cancelling"}
    assert states.UNSETTLED == {"sent", "pending", "cancelling", "unknown"}
    assert states.FINAL == {"approved", "declined", "cancelled", "failed", "reversed"}
    assert set(states.STATES) == states.FINAL | states.UNSETTLED | {"draft"}
    assert len(states.STATES) == 10


@pytest.mark.parametrize("old", states.STATES)
@pytest.mark.parametrize("new", states.STATES)
def test_a_later_attempt_overrules_a_refusal_and_nothing_else(old, new):
    refused, news = ("declined", "cancelled", "failed"), ("approved", "pending", "unknown")
    more = old in refused and new in news
    assert states.allowed(old, new, by="attempt") is (more or states.allowed(old, new))
    assert not more or not states.allowed(old, new)


@pytest.mark.parametrize("state", sorted(states.IN_FLIGHT))
def test_in_flight_is_asked_often_then_slower(state):
    assert [states.next_inquiry(n, state) for n in range(1, 18)] == [2] * 15 + [5, 5]
    assert states.next_inquiry(10**9, state) == 5
    assert states.next_inquiry(0, state) == states.next_inquiry(-3, state) == 2


def test_unknown_is_asked_with_back_off():
    expected = [10, 30, 60, 120, 300, 900, 1800, 3600, 21600, 21600]
    assert [states.next_inquiry(n, "unknown") for n in range(1, 11)] == expected
    assert states.next_inquiry(0, "unknown") == states.next_inquiry(-5, "unknown") == 10
    assert states.next_inquiry(10**9, "unknown") == 21600


def test_no_inquiry_while_asking_could_disturb():
    assert states.next_inquiry(1, "pending", quiet=180) == 180
    assert states.next_inquiry(1, "unknown", quiet=170.2) == 171
    assert [states.next_inquiry(n, "unknown", quiet=-5) for n in (1, 2)] == [10, 30]
    assert states.next_inquiry(1, "unknown", quiet=3) == 10


@pytest.mark.parametrize(
    "poll, fast, slow",
    [
        ({"first": 1, "slow": 7}, 1, 7),
        ({"first": 0, "slow": -4}, 1, 1),
        ({"first": "2", "slow": None}, 2, 5),
        ({"first": True}, 2, 5),
        ([], 2, 5),
    ],
)
def test_the_profile_sets_the_pace(poll, fast, slow):
    assert states.next_inquiry(15, "pending", poll) == fast
    assert states.next_inquiry(16, "pending", poll) == slow


@pytest.mark.parametrize("state", ["draft", *sorted(states.FINAL), "", None, [], {}])
def test_nothing_to_ask(state):
    with pytest.raises(ProtocolError) as caught:
        states.next_inquiry(1, state)
    assert caught.value.code == "settled"


@pytest.mark.parametrize("attempt", [None, "1", 1.0, True, []])
def test_attempt_is_a_number(attempt):
    with pytest.raises(ProtocolError):
        states.next_inquiry(attempt, "pending")


JUNK = st.one_of(
    st.sampled_from(states.STATES), st.none(), st.integers(), st.text(), st.lists(st.text()), st.booleans()
)


@given(JUNK, JUNK, JUNK, JUNK)
def test_anything(old, new, by, contradicted):
    assert states.allowed(old, new, by, contradicted) in (True, False)
    try:
        assert states.next_inquiry(new, old, {"first": by}) >= 1
    except ProtocolError:
        return
