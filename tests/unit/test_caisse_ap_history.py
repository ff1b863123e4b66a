"""Whose transaction was the terminal's last? Each case is a way to take somebody else's money for ours."""

import dataclasses
import sys
from pathlib import Path

import pytest

if str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip") not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"))

from caisse_ap.answer import read
from caisse_ap.conclude import attribute_duplicate
from caisse_ap.history import Past, known, ours_was_last
from caisse_ap.request import debit

OURS = Past(sent=100, state="unknown", deadline=295, amount=200, currency="EUR", reference="P-2")
BEFORE = Past(
    sent=50,
    state="approved",
    deadline=245,
    settled=60,
    amount=200,
    currency="EUR",
    authorisation="184116",
    reference="P-1",
)
NOW = 300


def was_last(*others, now=NOW, **changes):
    return ours_was_last(dataclasses.replace(OURS, **changes), others, now)


def before(**changes):
    return dataclasses.replace(BEFORE, **changes)


def test_nothing_else():
    assert was_last()
    assert was_last(BEFORE)


def test_our_time_must_be_over():
    assert not was_last(now=294)
    assert was_last(now=295)
    assert not was_last(deadline=None)


@pytest.mark.parametrize("state", ["approved", "declined", "failed", "unknown"])
@pytest.mark.parametrize("sent", [100, 101])
def test_a_later_one(state, sent):
    assert not was_last(before(sent=sent, settled=110, state=state))


@pytest.mark.parametrize("state", ["sent", "pending", "cancelling", "unknown"])
def test_an_earlier_one_is_open(state):
    """Its customer may have paid at the terminal after ours was sent."""
    assert not was_last(before(state=state, settled=None, authorisation=""))


@pytest.mark.parametrize("state", ["approved", "declined", "cancelled", "failed", "reversed"])
def test_an_earlier_one_ended_after_ours_was_begun(state):
    assert not was_last(before(state=state, settled=100))
    assert not was_last(before(state=state, settled=250))
    assert not was_last(before(state=state, settled=None))
    assert was_last(before(state=state, settled=99))


@pytest.mark.parametrize("state", ["approved", "failed"])
def test_a_person_said_what_became_of_an_earlier_one(state):
    """No authorisation is known of it: the terminal's would look new, and pay for ours."""
    assert not was_last(before(state=state, by_person=True, authorisation=""))
    assert not was_last(before(state=state, by_person=True)), "nor if one was seen with an older answer"


def test_an_earlier_one_without_authorisation():
    """A cheque, an offline card, an answer that was cut: of the same amount it could be taken for ours."""
    assert not was_last(before(authorisation=""))
    assert not was_last(before(authorisation="", state="reversed"))
    assert was_last(before(authorisation="", amount=201))
    assert was_last(before(authorisation="", currency="USD"))
    assert was_last(before(authorisation="", state="declined"))


def test_what_is_before_a_known_payment_does_not_matter():
    older = before(sent=10, settled=20, authorisation="", by_person=True)
    assert was_last(older, BEFORE)
    assert was_last(BEFORE, older)
    assert not was_last(older, before(state="declined"))
    assert not was_last(older, before(authorisation="", amount=5))


def test_known():
    others = [BEFORE, before(sent=10, settled=20, authorisation="", reference="")]
    assert known(OURS, others, NOW) == {
        "last_authorisations": ("184116",),
        "other_references": ("P-1",),
        "ours_was_last": True,
        "refused_before": False,
    }


def test_the_money_of_the_one_before():
    """A is unknown, its customer still at the terminal; B of the same amount ends unknown; A pays."""
    earlier = before(state="unknown", settled=None, authorisation="")
    fields = {"CZ": "0301", "CB": "200", "CD": "3", "CE": "978", "AC": "999999", "AE": "10"}
    answer = read(fields.items())
    request = debit(200, "EUR", private="P-2")
    assert attribute_duplicate(request, answer, **known(OURS, [earlier], NOW)).state == "unknown"
    assert attribute_duplicate(request, answer, **known(OURS, [BEFORE], NOW)).state == "approved"


def test_refused_before():
    """A terminal that never got ours tells of the refusal before it."""
    refused = dataclasses.replace(BEFORE, state="declined", authorisation="")
    assert [known(OURS, others, NOW)["refused_before"] for others in ([], [BEFORE], [refused])] == [
        False,
        False,
        True,
    ]
