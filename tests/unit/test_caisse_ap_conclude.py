"""What became of the money. Each table is a list of ways in which it could be misread."""

import contextlib
import dataclasses
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip") not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"))

from caisse_ap import codes
from caisse_ap.answer import read
from caisse_ap.compare import Mismatch, lacking, may_follow, mismatches
from caisse_ap.conclude import DOUBTS, STATES, Verdict, attribute_duplicate, conclude
from caisse_ap.errors import ProtocolError
from caisse_ap.frame import pairs_of
from caisse_ap.request import (
    Request,
    build,
    credit,
    debit,
    duplicate,
    duplicate_of,
    identification,
    reversal,
)

OURS = debit(1234, "EUR", private="P-1", reference="REF-1")
PAID = {"CZ": "0301", "CA": "01", "CB": "1234", "CD": "0", "CE": "978", "AE": "10"}
CODES = {"debit": "0", "credit": "1", "reversal": "2"}


def said(more=(), **changes):
    """The answer of a payment that went well, other values (None: no such tag), further pairs."""
    fields = {**PAID, **changes}
    return read([(tag, value) for tag, value in fields.items() if value is not None] + list(more))


def verdict(request=OURS, **changes):
    return conclude(request, said(**changes))


def differences(request=OURS, **changes):
    return mismatches(request, said(**changes))


# -- compare


def test_same():
    assert differences() == ()
    assert differences(CA="1", CB="000000001234") == (), "padded or not, it is the same"
    assert differences(CZ="0320", CJ="330538600404", CF="other", CH="other") == (), "no echo, a hint"
    assert mismatches(debit(1234, "EUR", till="1"), said()) == ()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"CA": "02"}, Mismatch("till", "01", "02")),
        ({"CA": "10"}, Mismatch("till", "01", "10")),
        ({"CD": "1"}, Mismatch("action", "debit", "credit")),
        ({"CD": "9"}, Mismatch("action", "debit", "9")),
        ({"CE": "840"}, Mismatch("currency", "EUR", "USD")),
        ({"CE": "000"}, Mismatch("currency", "EUR", "000")),
        ({"CB": "1235"}, Mismatch("amount", 1234, 1235)),
        ({"CB": "00"}, Mismatch("amount", 1234, 0)),
        ({"CB": ""}, Mismatch("amount", 1234, "")),
        ({"CB": None}, Mismatch("amount", 1234, "")),
    ],
)
def test_difference(changes, found):
    assert differences(**changes) == (found,)
    assert verdict(**changes) == Verdict("unknown", "mismatch", mismatches=(found,))


def test_all_differences():
    found = differences(CA="2", CB="9999", CD="2", CE="756")
    assert [one.field for one in found] == ["till", "action", "currency", "amount"]


def test_less_is_a_partial_approval():
    assert differences(CB="1233") == ()


def test_what_is_left_out_differs_from_nothing():
    assert differences(CA=None) == ()
    assert differences(AE="01", CA=None, CB=None, CD=None, CE=None) == (), "nothing moved"
    assert mismatches(identification(), said(CD=None)) == ()


REQUESTS_FOR_MONEY = [debit(1234, "EUR"), credit(1234, "EUR"), reversal(1234, "EUR")]
TOLD = [("CB", "amount", 1234), ("CD", "action", None), ("CE", "currency", "EUR")]


@pytest.mark.parametrize("request_", REQUESTS_FOR_MONEY)
@pytest.mark.parametrize(("tag", "field", "asked"), TOLD)
@pytest.mark.parametrize("nothing", [None, ""])
def test_money_that_moved_is_told_whole(request_, tag, field, asked, nothing):
    """An answer that was cut behind its status proves nothing, whatever the action."""
    changes = {"CD": CODES[request_.action], tag: nothing}
    found = (Mismatch(field, asked or request_.action, ""),)
    assert differences(request_, **changes) == found
    assert conclude(request_, said(**changes)) == Verdict("unknown", "mismatch", mismatches=found)


@pytest.mark.parametrize("request_", REQUESTS_FOR_MONEY[1:])
def test_other_amount_of_a_credit(request_):
    code = CODES[request_.action]
    assert conclude(request_, said(CD=code)) == Verdict("approved")
    assert differences(request_, CD=code, CB="1235") == (Mismatch("amount", 1234, 1235),)
    assert conclude(request_, said(CD=code, CB="garbage")).state == "unknown"


def test_a_reversal_is_whole():
    """Part of it would leave the rest with us while the payment is called reversed."""
    ours = reversal(1234, "EUR")
    assert conclude(ours, said(CD="2", CB="1233")).mismatches == (Mismatch("amount", 1234, 1233),)
    assert conclude(ours, said(CD="2", CB="1000", AE="01", AF="07")) == Verdict("failed", "not_completed")
    assert conclude(credit(1234, "EUR"), said(CD="1", CB="1233")) == Verdict("approved", partial=True)


@pytest.mark.parametrize("amount", [None, "", "0", "12", "garbage"])
def test_amount_of_a_failure(amount):
    """Ingenico leaves it out when the red button was pressed."""
    assert differences(AE="01", CB=amount) == ()
    assert verdict(AE="01", AF="11", CB=amount) == Verdict("cancelled", "operator_abandon")


def test_amount_of_a_failure_that_is_not_ours():
    assert verdict(AE="01", AF="04", CB="99999").reason == "mismatch"


def test_nothing_to_compare():
    assert mismatches(identification(), said(CD="I", CB="99", CE="840")) == ()
    assert mismatches(duplicate(), said(CD="0", CE="840")) == ()
    assert mismatches(duplicate(), said(CA="02")) == (Mismatch("till", "01", "02"),)


@pytest.mark.parametrize("function", [mismatches, conclude, attribute_duplicate])
@pytest.mark.parametrize("request_", [None, Request("debit"), debit("1", "EUR"), debit(1, "")])
def test_no_request(function, request_):
    with pytest.raises(ProtocolError):
        function(request_, said())


# -- conclude


def test_approved():
    assert verdict() == Verdict("approved", "", False, ())
    assert verdict(CB="0001234", AC=None) == Verdict("approved")
    assert verdict(CB="1233") == Verdict("approved", partial=True)
    assert conclude(identification(), said(CD="I", CB=None, CE=None)) == Verdict("approved")


@pytest.mark.parametrize("code", ["09", "12", "04", "00"])
def test_an_identification_that_was_answered(code):
    """akretion's emulator says 10 and 09 at once: there is no money that one could deny of the other."""
    told = {"CD": "I", "CB": None, "CE": None, "AF": code}
    assert conclude(identification(), said(**told)) == Verdict("approved")
    slug = codes.REASONS[code].slug
    assert conclude(identification(), said(**told, AE="01")).reason == slug


@pytest.mark.parametrize(
    ("code", "state", "reason"),
    [
        ("00", "failed", "unknown"),
        ("02", "failed", "call_bank"),
        ("04", "declined", "refused"),
        ("05", "declined", "forbidden"),
        ("06", "cancelled", "cardholder_abandon"),
        ("07", "failed", "not_completed"),
        ("08", "failed", "input_timeout"),
        ("09", "failed", "bad_format"),
        ("10", "failed", "bad_application"),
        ("11", "cancelled", "operator_abandon"),
        ("12", "failed", "unsupported_action"),
        ("13", "failed", "unsupported_currency"),
        ("99", "failed", "other"),
        ("", "failed", "other"),
        (None, "failed", ""),
        ("0414" + "8HOLDER INVALID".ljust(25), "declined", "refused"),
    ],
)
def test_not_performed(code, state, reason):
    assert verdict(AE="01", AF=code) == Verdict(state, reason)
    assert verdict(AE="01", AF=code, AC="123456") == Verdict(state, reason), "AC may come with a refusal"


@pytest.mark.parametrize("code", ["01", "03"])
def test_not_performed_and_authorised(code):
    assert verdict(AE="01", AF=code) == Verdict("unknown", "contradiction")


@pytest.mark.parametrize("code", ["00", "01", "03", "99", "xx", ""])
def test_performed_with_a_harmless_reason(code):
    assert verdict(AF=code) == Verdict("approved")


@pytest.mark.parametrize(
    "code", ["02", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "04REFUS"]
)
def test_performed_and_refused(code):
    assert verdict(AF=code) == Verdict("unknown", "contradiction")


@pytest.mark.parametrize(
    ("status", "reason"),
    [("11", "accepted"), (None, "no_status"), ("", "no_status"), ("1", "no_status"), ("02", "no_status")],
)
@pytest.mark.parametrize("code", [None, "01", "04", "11"])
def test_no_status_no_result(status, reason, code):
    assert verdict(AE=status, AF=code) == Verdict("unknown", reason)


@pytest.mark.parametrize(
    ("status", "more"),
    [
        ("10", ("AE", "01")),
        ("01", ("AE", "10")),
        ("10", ("CB", "1000")),
        ("10", ("CE", "840")),
        ("10", ("CA", "02")),
        ("01", ("CD", "1")),
        ("01", ("AF", "01")),
    ],
)
def test_two_values_are_none(status, more):
    answer = said([("AF", "04"), more] if more[0] == "AF" else [more], AE=status)
    assert conclude(OURS, answer).state == "unknown"


@pytest.mark.parametrize("status", ["10", "01", "11", None])
def test_an_inquiry_is_not_concluded_from(status):
    """Read as the answer to a payment, the stranger before us would have paid for us."""
    answer = said(CD="3", AE=status)
    assert conclude(duplicate_of(OURS), answer) == Verdict("unknown", "inquiry")


def test_refusal_about_something_else_is_no_refusal():
    for changes in ({"CA": "02"}, {"CD": "1"}, {"CE": "840"}):
        assert verdict(AE="01", AF="04", **changes).reason == "mismatch"


# -- attribute_duplicate


def attribute(ours_was_last=True, last=(), others=(), request=OURS, **changes):
    answer = said(**{"CD": "3", "AC": "184117", **changes})
    return attribute_duplicate(request, answer, last, ours_was_last=ours_was_last, other_references=others)


APPROVED = Verdict("approved")
UNSURE = Verdict("unknown", "not_attributable")
ANOTHER = Verdict("unknown", "other_transaction")


def test_last_and_all_agrees():
    assert attribute() == APPROVED
    assert attribute(CD="0") == attribute(CA="1", CB="0001234") == APPROVED
    assert attribute(CF="1010000000") == APPROVED, "Ingenico returns a value of its own"
    assert attribute(last=["", "000000", "184118"]) == APPROVED


def test_ours_was_last_is_never_assumed():
    answer = said(CD="3", AC="184117")
    assert attribute_duplicate(OURS, answer) == UNSURE
    assert attribute_duplicate(OURS, said(CD="3", AE="01", AF="07")) == UNSURE
    assert attribute(ours_was_last=False) == UNSURE


@pytest.mark.parametrize("changes", [{"AC": None}, {"AC": ""}, {"CB": "1233"}, {"AC": " ", "CB": "01234"}])
def test_last_is_not_enough(changes):
    assert attribute(**changes) == UNSURE


@pytest.mark.parametrize(
    "returned", [{"CF": "P-1"}, {"CH": "REF-1"}, {"CF": "P-1 "}, {"CF": "x", "CH": "REF-1"}]
)
def test_our_reference_came_back(returned):
    for was_last in (True, False):
        assert attribute(was_last, **returned) == APPROVED
        assert attribute(was_last, AC=None, **returned) == APPROVED
        assert attribute(was_last, CB="1000", **returned) == Verdict("approved", partial=True)


def test_no_reference_of_ours_equals_no_reference_of_theirs():
    bare = debit(1234, "EUR")
    assert attribute(False, request=bare, CF="", CH="") == UNSURE
    assert attribute(False, request=bare, CF="P-1") == UNSURE
    assert attribute(False, request=debit(1234, "EUR", private=" "), CF=" ") == UNSURE


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ({"last": ["184117"]}, {}),
        ({"last": ["1", "184117 "]}, {}),
        ({"last": ["0184117"]}, {}),
        ({"last": ["a00395"]}, {"AC": "A00395"}),
        ({"last": ["184117"]}, {"CF": "P-1"}),
        ({"others": ["P-0"]}, {"CF": "P-0"}),
        ({"others": [" P-0"]}, {"CH": "P-0"}),
        ({"others": ["P-0"]}, {"CF": "P-0", "AE": "01", "AF": "04"}),
    ],
)
def test_another_transaction(arguments, changes):
    assert attribute(**arguments, **changes) == ANOTHER


def test_other_references_say_nothing_when_empty():
    assert attribute(others=["", " "], CF=None) == APPROVED


@pytest.mark.parametrize(
    "changes",
    [
        {"CA": "02"},
        {"CB": "1235"},
        {"CE": "840"},
        {"CD": "1"},
        {"CD": "I"},
        {"CD": "1", "AE": "01", "AF": "04"},
    ],
)
@pytest.mark.parametrize("reference", [None, "P-1"])
def test_it_differs(changes, reference):
    result = attribute(CF=reference, **changes)
    assert (result.state, result.reason, len(result.mismatches)) == ("unknown", "mismatch", 1)


@pytest.mark.parametrize("changes", [{"CB": None}, {"CB": "00"}, {"CE": None}, {"CD": None}, {"CB": ""}])
@pytest.mark.parametrize("reference", [None, "P-1"])
def test_what_is_not_told_is_no_other_transaction(changes, reference):
    assert attribute(CF=reference, **changes) == UNSURE
    assert attribute(last=["184117"], CF=reference, **changes) == ANOTHER, "its number says whose it is"


def test_an_answer_that_repeats_the_question_proves_nothing():
    """PayXpert's terminals take CZ, CJ, CA, CB, CD and CE from the question; AC is the one paid before."""
    question = dict(build(duplicate_of(OURS)))
    echo = {tag: value for tag, value in question.items() if tag in ("CZ", "CJ", "CA", "CB", "CD", "CE")}
    paid = read([*echo.items(), ("AC", "184117"), ("AE", "10")])
    assert attribute_duplicate(OURS, paid, ["184116"], ours_was_last=True) == UNSURE


def test_refusal_without_a_reason_may_be_a_busy_terminal():
    assert attribute(AE="01", AF=None) == Verdict("unknown", "inquiry_refused")


@pytest.mark.parametrize("code", ["02", "04", "05", "06", "07", "08", "11", "99"])
def test_last_did_not_succeed(code):
    slug = codes.REASONS.get(code, codes.OTHER_REASON).slug
    assert attribute(AE="01", AF=code) == Verdict("failed", slug)
    assert attribute(False, AE="01", AF=code) == UNSURE


@pytest.mark.parametrize("code", ["00", "09", "10", "12", "13"])
def test_a_terminal_that_did_not_look_says_nothing(code):
    """AF=12 is a terminal that does not know CD=3; busy ones say 00 or 10. Ours may well be paid."""
    assert attribute(AE="01", AF=code) == Verdict("unknown", "inquiry_refused")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"AE": "11"}, "accepted"),
        ({"AE": None}, "no_status"),
        ({"AE": "99"}, "no_status"),
        ({"AF": "04"}, "contradiction"),
        ({"AE": "01", "AF": "01"}, "contradiction"),
    ],
)
def test_doubt_stays_doubt(changes, reason):
    assert attribute(CF="P-1", **changes) == Verdict("unknown", reason)


@pytest.mark.parametrize("request_", [duplicate(), identification()])
def test_only_money_can_be_asked_after(request_):
    assert attribute_duplicate(request_, said(), ours_was_last=True) == Verdict("unknown", "not_asked")


def test_a_credit_without_its_amount():
    ours = credit(1234, "EUR", private="P-1")
    assert attribute(request=ours, CB=None, CF="P-1") == UNSURE
    assert attribute(request=ours, CF="P-1") == APPROVED


# -- what may still come of an answer


WHOLE = [*PAID.items(), ("AC", "184117")]


@pytest.mark.parametrize(
    ("request_", "fields", "missing"),
    [
        (OURS, WHOLE, ()),
        (OURS, [("CZ", "0301"), ("CJ", "1"), ("AE", "10")], ("CD", "CA", "CB", "CE")),
        (OURS, PAID.items(), ()),
        (OURS, [("CZ", "0301")], ("AE", "CD")),
        (OURS, [("AE", "11"), ("CD", "0")], ()),
        (OURS, [("AE", "01"), ("CD", "0")], ("CA", "CE", "AF")),
        (OURS, [("AE", "01"), ("AF", "11"), ("CA", "01"), ("CD", "0"), ("CE", "978")], ()),
        (credit(1234, "EUR"), [("AE", "10"), *WHOLE[1:]], ()),
        (duplicate_of(OURS), [("AE", "10"), ("CD", "3"), ("CA", "01")], ("CB", "CE", "AC")),
        (duplicate_of(OURS), [*PAID.items(), ("CC", "00C")], ()),
        (identification(), [("CZ", "0301"), ("CD", "I"), ("AE", "10")], ()),
        (identification(), [("AE", "10")], ("CD",)),
    ],
)
def test_lacking(request_, fields, missing):
    assert lacking(request_, list(fields)) == missing


CHEQUE = debit(5, "EUR", application="00C")


@pytest.mark.parametrize(
    ("request_", "fields", "missing"),
    [
        (OURS, WHOLE, ()),
        (OURS, PAID.items(), ("AC",)),
        (duplicate_of(OURS), PAID.items(), ()),
        (CHEQUE, PAID.items(), ()),
        (OURS, [*PAID.items(), ("CC", "00C")], ()),
        (OURS, [("AE", "01"), ("CD", "0")], ()),
        (OURS, [("AE", "11"), ("CD", "0")], ()),
        (identification(), [("AE", "10")], ()),
        (debit(5, "EUR", receipts="100"), WHOLE, ("ZT",)),
        (debit(5, "EUR", receipts="100"), [*WHOLE, ("ZT", "x")], ()),
        (debit(5, "EUR", receipts="120"), WHOLE, ("ZT",)),
        (debit(5, "EUR", receipts="120"), [*WHOLE, ("ZT", "x")], ("ZT",)),
        (debit(5, "EUR", receipts="120"), [*WHOLE, ("ZT", "x"), ("AK", "x")], ()),
        (debit(5, "EUR", receipts="000"), WHOLE, ()),
        (debit(5, "EUR", receipts="120"), [("AE", "01"), ("CD", "0")], ()),
    ],
)
def test_may_follow(request_, fields, missing):
    """A cheque has no authorisation; an offline payment has none either, and does not say that it is one."""
    assert may_follow(request_, list(fields)) == missing


# -- whatever comes

VALUES = {
    "AE": ["10", "01", "11", "??"],
    "AF": [*codes.REASONS, "99"],
    "CA": ["01", "1", "02"],
    "CB": ["1234", "1233", "1235", "00", "", "x"],
    "CD": ["0", "1", "3", "9"],
    "CE": ["978", "840", "000"],
    "CF": ["P-1", "P-0", "z"],
    "AC": ["1", "2", ""],
}
PAIRS = st.sampled_from([(tag, value) for tag, values in VALUES.items() for value in values])
ANSWERS = st.lists(
    st.one_of(PAIRS, st.tuples(st.sampled_from(sorted(VALUES)), st.text(max_size=5))), max_size=12
)
REQUESTS = st.sampled_from(
    [OURS, credit(1234, "EUR"), reversal(1234, "EUR", private="P-0"), identification(), duplicate_of(OURS)]
)


@settings(max_examples=500)
@given(REQUESTS, ANSWERS, st.booleans())
def test_money_is_never_misread(request, fields, was_last):
    """The rules that hold for any answer, stated without the code under test."""
    answer, statuses = read(fields), {value for tag, value in pairs_of(fields) if tag == "AE"}
    for result in (
        conclude(request, answer),
        attribute_duplicate(request, answer, ["2"], ours_was_last=was_last),
    ):
        assert result.state in STATES
        assert (result.state == "unknown") == (result.reason in DOUBTS)
        assert bool(result.mismatches) <= (result.state == "unknown")
        if result.state == "approved":
            assert statuses == {"10"}
            if request.amount is not None:
                assert 0 < answer.amount <= request.amount and answer.action_code and answer.currency_number
            assert result.partial == (request.amount is not None and (answer.amount or 1234) < 1234)
        elif result.state != "unknown":
            assert statuses == {"01"} and not result.partial


@given(
    st.sampled_from([field.name for field in dataclasses.fields(Request)]),
    st.one_of(st.text(), st.integers()),
)
def test_nothing_but_protocol_error(name, value):
    request = dataclasses.replace(OURS, **{name: value})
    for function in (conclude, mismatches, attribute_duplicate):
        with contextlib.suppress(ProtocolError):
            function(request, said())


def test_a_refusal_that_may_be_of_the_one_before_does_not_end_ours():
    """The terminal never got ours: it tells of the refusal before it, unless it gives our reference back."""
    for returned, found in (({}, UNSURE), ({"CF": "P-1"}, Verdict("failed", "not_completed"))):
        answer = said(**{"CD": "3", "AC": None, "AE": "01", "AF": "07", **returned})
        assert attribute_duplicate(OURS, answer, ours_was_last=True, refused_before=True) == found
        assert attribute_duplicate(OURS, answer, ours_was_last=True).state == "failed"
