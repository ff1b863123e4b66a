"""STATUS, all pairs of it, and NCERROR: doubt stays doubt, and a success stays one."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ogone import codes, status, words
from ogone.errors import ProtocolError
from ogone.status import KINDS, TABLE, may_replace, meaning, next_state, state_of

NCERROR = json.loads((Path(__file__).parent / "data" / "ogone_ncerror.json").read_text())["codes"]
P, A, D, C, U, R, N = "pending", "approved", "declined", "cancelled", "unknown", "reversed", None

# code: purchase, authorisation, capture, void, refund (protocols/ogone.md, 4)
EXPECTED = {
    "0": (N, N, N, N, N),
    "1": (C, C, N, N, N),
    "2": (D, D, N, N, N),
    **dict.fromkeys(["4", "40", "41", "46", "50", "51", "55", "56", "59"], (P, P, N, N, N)),
    "5": (P, A, N, N, N),
    "52": (U, U, N, N, N),
    "57": (D, D, N, N, N),
    **dict.fromkeys(["6", "64", "7", "74", "75"], (C, C, N, A, N)),
    **dict.fromkeys(["61", "71"], (N, N, N, P, N)),
    **dict.fromkeys(["62", "72"], (N, N, N, U, N)),
    **dict.fromkeys(["63", "73"], (N, N, N, D, N)),
    **dict.fromkeys(["8", "85"], (N, N, N, N, A)),
    "81": (N, N, N, N, P),
    "82": (N, N, N, N, U),
    **dict.fromkeys(["83", "94"], (N, N, N, N, D)),
    "84": (N, N, N, N, U),
    "88": (N, N, N, N, N),
    **dict.fromkeys(["9", "95"], (A, A, A, N, N)),
    "91": (P, P, P, N, N),
    "92": (U, U, U, N, N),
    "93": (D, D, D, N, N),
    "96": (N, N, N, N, D),
    **dict.fromkeys(["97", "98", "99"], (P, P, P, P, P)),
}
AUTHORISED = {"5", "61", "63"}
CAPTURED = {"9", "95", "8", "85", "81", "82", "83", "84", "94", "96"}


def test_the_whole_table():
    assert set(TABLE) == set(EXPECTED)
    for code, states in EXPECTED.items():
        assert tuple(state_of(code, kind) for kind in KINDS) == states, code
        found = meaning(code)
        assert (found.authorised, found.captured) == (code in AUTHORISED, code in CAPTURED), code
        assert words.sentence(found.slug)
    with pytest.raises(TypeError):
        TABLE["9"] = None


def test_final_ones_are_those_the_platform_leaves_alone():
    final = {code for code, found in TABLE.items() if found.final}
    assert final == set("1 2 5 57 6 64 63 7 74 75 73 8 85 83 84 94 96 9 95 93".split())


def test_authorised_is_not_paid():
    assert state_of("5", "purchase") == "pending"
    assert state_of("5", "purchase", "CreditCard") == "pending"
    assert state_of("5", "purchase", " twint ") == "approved"
    assert state_of("5", "capture", "TWINT") is None
    assert state_of("2", "purchase", "TWINT") == "declined"
    assert not status.is_paid_when_authorised(None)
    assert state_of("41", "purchase", "Belfius Direct Net") == "pending"


def test_processing_is_paid_only_where_the_merchant_says_so():
    assert state_of("91", "purchase", paid_at_91=True) == "approved"
    assert state_of("91", "purchase", paid_at_91="yes") == "pending"
    assert state_of("91", "capture", paid_at_91=True) == "pending"
    assert state_of("92", "purchase", paid_at_91=True) == "unknown"


@pytest.mark.parametrize("code", ["3", "10", "77", "999", "9x", "-9", "٩", "９", "x" * 500, None, 9])
def test_unknown_status_proves_nothing(code):
    for kind in KINDS:
        assert state_of(code, kind) == "unknown"
    found = meaning(code)
    assert (found.slug, found.authorised, found.captured, found.final) == (
        "other_status",
        False,
        False,
        False,
    )
    assert len(found.code) <= 10


def test_spelling_of_a_status():
    assert meaning(" 9 ") is TABLE["9"] and meaning("09") is TABLE["9"] and meaning("00") is TABLE["0"]
    assert meaning("").slug == "no_status" and meaning("  ") == meaning("")
    assert {state_of("", kind) for kind in KINDS} == {None}


@pytest.mark.parametrize("kind", ["", "debit", None, [], 5])
def test_kinds_that_are_none(kind):
    for call in (lambda: state_of("9", kind), lambda: next_state("pending", kind, "approved")):
        with pytest.raises(ProtocolError) as caught:
            call()
        assert caught.value.code == "kind"


# -- which one may follow which


REFUSALS = {"1", "2", "57", "93"}


def goes_back(old, new):
    """Whether a payment's life would go back: only what was refused starts again."""
    before, after = meaning(old), meaning(new)
    if old == new or new in ("0", "88"):
        return True
    if old in REFUSALS:
        return False
    if new in {"1", "2", "57"} and before.stage > 1:
        return True
    if (old, new) in {("9", "93"), ("95", "93")}:
        return False  # a bank refuses what it took
    # once money was taken, only its cancellation or refund is news; once it was reserved, only what follows
    return after.stage < (4 if before.captured else 2 if before.authorised else 0)


def test_no_pair_goes_back():
    for old, new in itertools.product(EXPECTED, EXPECTED):
        allowed = may_replace(old, new)
        assert not (allowed and goes_back(old, new)), (old, new)
        assert allowed or old not in REFUSALS or goes_back(old, new), (old, new)
        if allowed and may_replace(new, old):
            # both ways only between equals, and around refusals
            assert meaning(old).stage == meaning(new).stage or REFUSALS & {old, new}, (old, new)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("91", "9", True),
        ("9", "91", False),
        ("9", "5", False),
        ("5", "9", True),
        ("5", "91", True),
        ("91", "5", False),
        ("5", "6", True),
        ("6", "5", False),
        ("61", "6", True),
        ("6", "61", False),
        ("7", "9", False),
        ("9", "7", True),
        ("9", "8", True),
        ("8", "9", False),
        ("8", "81", True),
        ("81", "8", True),
        ("2", "9", True),
        ("2", "46", True),
        ("1", "2", True),
        ("9", "2", False),
        ("9", "1", False),
        ("9", "93", True),
        ("95", "93", True),
        ("93", "2", True),
        ("8", "93", False),
        ("7", "93", False),
        ("6", "93", False),
        ("5", "93", True),
        ("91", "93", True),
        ("92", "93", True),
        ("97", "93", True),
        ("61", "93", False),
        ("93", "9", True),
        ("5", "2", False),
        ("91", "2", False),
        ("51", "5", True),
        ("51", "2", True),
        ("41", "9", True),
        ("92", "91", True),
        ("5", "46", False),
        ("", "0", False),
        ("", "9", True),
        ("0", "46", True),
        ("77", "9", True),
        ("9", "77", False),
        ("46", "77", True),
        ("46", "", False),
    ],
)
def test_pairs(old, new, expected):
    assert may_replace(old, new) is expected


ALL_STATES = ["draft", "sent", "pending", "cancelling", A, D, C, "failed", U, R]


UNDONE = {
    **dict.fromkeys(("purchase", "authorisation"), {"6", "64", "7", "74", "75"}),
    "capture": {"93"},
    "refund": {"94", "96"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", ALL_STATES)
def test_next_state_over_all_statuses(kind, state):
    for code in [*EXPECTED, "77", ""]:
        new = state_of(code, kind)
        after = next_state(state, kind, new, code)
        if state == R or new in (None, state):
            assert after is None
        elif state == A:
            assert after == (R if code in UNDONE.get(kind, ()) else None)
        elif state in (D, C, "failed"):
            again = kind in status.PAYMENTS and new in (P, U)
            assert after == (new if new == A or again else None)
        elif state == U:
            assert after == (None if new == P else new)
        else:
            assert after == new


def test_a_success_wins_whatever_comes_in_whatever_order():
    for codes_seen in itertools.permutations(["2", "46", "9", "1", "91", "52", "93", "0", "57"], 3):
        state = "pending"
        for code in codes_seen:
            state = next_state(state, "purchase", state_of(code, "purchase"), code) or state
        assert (state == A) is ("9" in codes_seen), codes_seen


def test_what_undoes_a_success_is_said_by_status_alone():
    assert next_state(A, "purchase", C, "7") == R and next_state(A, "authorisation", C, "6") == R
    assert next_state(A, "purchase", C, "1") is None and next_state(A, "purchase", C) is None
    assert next_state(A, "refund", D, "94") == R and next_state(A, "refund", D, "83") is None
    assert next_state(A, "capture", D, "93") == R and next_state(A, "void", D, "63") is None
    assert next_state(A, "purchase", D, "93") is None, "a page's refusal may be of another attempt"


def test_declined_by_the_acquirer_is_no_refusal_of_a_refund():
    """No published list says so: "payment declined by the acquirer (will be debited)"."""
    assert meaning("84").slug == "acquirer_declined" and meaning("83").slug == "refund_refused"
    assert next_state("pending", "refund", U, "84") == U and next_state(A, "refund", U, "84") is None
    assert "goes back" in words.sentence("acquirer_declined")
    assert [code for code in EXPECTED if status.gives_back(code)] == ["84"]
    assert not status.gives_back(None) and not status.gives_back("")


def test_next_state_of_anything():
    assert next_state(None, "refund", A) is None and next_state("pending", "refund", 5) is None
    assert next_state(A, "refund", D, None) is None


# -- NCERROR


def test_every_known_code_has_a_reason_of_its_own():
    assert len(NCERROR) == len(set(NCERROR)) == 434
    grouped = [code for text in codes._GROUPS.values() for code in codes._codes(text)]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= set(NCERROR)
    # all but the long tail of direct debits is grouped by hand
    assert {code for code in NCERROR if code not in grouped and code[0] != "6"} == set()
    for code in NCERROR:
        assert codes.reason(code) not in ("", "other")


@pytest.mark.parametrize(
    ("code", "slug", "refuses", "doubts"),
    [
        ("", "", False, False),
        ("0", "", False, False),
        (" 0 ", "", False, False),
        ("10001001", "no_connection", False, True),
        ("20001001", "uncertain", False, True),
        ("20001006", "uncertain", False, True),
        ("20002001", "unverified", False, True),
        ("30051001", "refused", True, False),
        ("30511001", "funds", True, False),
        ("30331001", "expired", True, False),
        ("30541001", "expired", True, False),
        ("30141001", "card_number", True, False),
        ("30411001", "lost_or_stolen", True, False),
        ("30431001", "lost_or_stolen", True, False),
        ("30591001", "fraud", True, False),
        ("30571001", "card_not_allowed", True, False),
        ("30611001", "limit", True, False),
        ("30001154", "fraud_rules", True, False),
        ("30911001", "unavailable", False, False),
        ("30941001", "twice", False, False),
        ("40001134", "authentication", True, False),
        ("40001137", "authentication_unavailable", True, False),
        ("40001136", "browser", True, False),
        ("40001001", "technical", False, False),
        ("50001111", "data", True, False),
        ("50001113", "already_processed", False, False),
        ("50001116", "address_refused", True, False),
        ("50001118", "merchant", True, False),
        ("50001119", "credentials", True, False),
        ("50001121", "decimals", True, False),
        ("50001123", "brand_not_active", True, False),
        ("50001126", "more_than_authorised", True, False),
        ("50001127", "wrong_status", True, False),
        ("50001129", "more_than_paid", True, False),
        ("50001130", "not_found", True, False),
        ("50001131", "not_found", True, False),
        ("50001133", "twice", False, False),
        ("50001184", "signature", True, False),
        ("50001005", "expired", True, False),
        ("50001087", "soft_decline", True, False),
        ("50001046", "not_allowed", True, False),
        ("50001015", "currency", True, False),
        ("50001216", "alias", True, False),
        ("60000012", "mandate", False, False),
        ("60001150", "direct_debit", False, False),
        ("60009999", "direct_debit", False, False),
        ("30999999", "refused", False, False),
        ("10009999", "no_connection", False, True),
        ("50009999", "other", False, False),
        ("1234", "other", False, False),
        ("x", "other", False, False),
        ("1" * 50, "other", False, False),
        (None, "other", False, False),
        (5, "other", False, False),
    ],
)
def test_codes(code, slug, refuses, doubts):
    assert codes.reason(code) == slug
    assert (codes.refuses(code), codes.doubts(code)) == (refuses, doubts)
    assert codes.is_error(code) is (slug != "")


@given(st.text(max_size=12) | st.from_regex(r"\A[1-6][0-9]{7}\Z"))
def test_any_code_has_a_sentence(code):
    slug = codes.reason(code)
    assert not slug or slug in words.SENTENCES
    assert not (codes.refuses(code) and codes.doubts(code))
    assert len(words.explain(code)) == 3


def test_every_slug_has_a_sentence_and_an_advice():
    assert set(codes.slugs()) <= set(words.SENTENCES)
    assert set(codes.slugs()) == set(words._ADVICE_OF)
    assert set(words._ADVICE_OF.values()) <= set(words.ADVICE)
    for text in (*words.SENTENCES.values(), *words.MONEY.values(), *words.ADVICE.values()):
        assert text[0].isupper() and text.endswith(".") and "  " not in text and len(text) < 130
    assert len(set(words.SENTENCES.values())) == len(words.SENTENCES)
    for slug in (None, "nothing", []):
        with pytest.raises(ProtocolError):
            words.sentence(slug)


def test_explanations():
    happened, money, advice = words.explain("30511001")
    assert (happened, money) == ("There are not enough funds.", "No money was moved.")
    assert advice == words.ADVICE["other_means"]
    assert words.explain("50001113")[1:] == (words.MONEY["not_known"], words.ADVICE["look_up"])
    # the bank's line broke, and STATUS says that it was refused
    assert words.explain("30911001", booked=False)[1:] == (words.MONEY["not_taken"], words.ADVICE["later"])
    assert words.explain("30511001", booked=True)[1] == words.MONEY["not_known"]
    assert words.explain("0") == words.explain("") == ("", "", "")
    assert words.explain("50009999") == (
        words.SENTENCES["other"],
        words.MONEY["not_known"],
        words.ADVICE["look_up"],
    )
