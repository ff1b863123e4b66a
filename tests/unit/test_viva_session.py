"""What became of the money. Each table is a list of ways in which a session could be misread."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viva import events, post, receipt, session, verdict, words
from viva.errors import ProtocolError
from viva.request import ACTIONS, Request
from viva.session import Reading, Session, classify_session, judge
from viva.verdict import Asked, Mismatch, Verdict, compare, conclude

ID = "8a94263e-397a-4fed-801b-81c0fb1fb3d7"
OURS = Asked("sale", ID, "16008507", "POS-1", 1234, "978")
PAID = {
    **{"sessionId": ID, "terminalId": "16008507", "cashRegisterId": "POS-1", "amount": 1234},
    **{"currencyCode": "978", "success": True, "eventId": 0, "transactionEventId": 0},
    **{"transactionTypeId": 5, "abortOperation": False, "abortSuccess": False, "tipAmount": 0},
    **{"preauth": False, "message": "Transaction successful"},
}
TYPES = {"sale": 5, "preauth": 1, "capture": 0, "refund": 4, "unreferenced_refund": 4}
FINAL = ("approved", "declined", "cancelled", "failed")


def told(**changes):
    """The document of a payment that went well, other values (...: no such member)."""
    return {name: value for name, value in {**PAID, **changes}.items() if value is not ...}


def refusal(number, **changes):
    return told(**{"success": False, "eventId": number, "message": "No", **changes})


def raw(document):
    return json.dumps(document).encode()


def outcome(document):
    found = classify_session(200, raw(document))
    return found.state, found.reason


def verdict_of(document, asked=OURS):
    return conclude(asked, 200, raw(document))


def differences(asked=OURS, **changes):
    return compare(asked, session.read(told(**changes)))


# -- the state of a session


def test_paid():
    found = classify_session(200, raw(PAID), {"x-viva-correlationid": "23-1"})
    assert (found.state, found.reason, found.may_change) == ("approved", "", False)
    assert found.session.id == ID and found.answer.correlation == "23-1"
    assert outcome(told(eventId=..., transactionEventId=None, abortSuccess=...)) == ("approved", "")
    assert outcome(told(abortOperation=True)) == ("approved", ""), "the card was faster than the abort"
    assert outcome(told(transactionEventId=10000)) == ("approved", "")
    assert outcome(told(transactionEventId="10051")) == ("approved", ""), (
        "it cannot be read, and does not decide"
    )


@pytest.mark.parametrize(
    "changes",
    [{"eventId": number} for number in (1000, 1006, 1016, 1100, 4000, 4711, -1)]
    + [{"transactionEventId": 10051}, {"transactionEventId": 10005}, {"abortSuccess": True}],
    ids=repr,
)
def test_a_success_that_denies_itself(changes):
    assert outcome(told(**changes)) == ("unknown", "contradiction")


@pytest.mark.parametrize(
    "changes",
    [{"success": value} for value in ("true", 1, 0, [], {}, "yes")]
    + [{"eventId": value} for value in ("0", True, 0.5, [], 10**9, "x")]
    + [{"abortSuccess": value} for value in ("false", 0, [], 1)],
    ids=repr,
)
@pytest.mark.parametrize("success", [True, False])
def test_results_that_cannot_be_read(changes, success):
    assert outcome(told(**{"success": success, **changes})) == ("unknown", "result_unclear")


@pytest.mark.parametrize(
    "document", [{}, {"detail": "being processed"}, told(success=None), told(success=...)]
)
def test_without_result_it_is_not_final(document):
    assert outcome(document) == ("pending", "no_result")


def test_success_must_be_a_boolean_but_may_be_an_empty_text():
    assert outcome(told(success="")) == ("pending", "no_result")


@pytest.mark.parametrize(
    ("status", "body", "fresh", "state", "reason"),
    [
        *((202, b"", False, "pending", "processing"), (202, raw(PAID), False, "pending", "processing")),
        *((404, b"", False, "unknown", "session_not_found"), (404, b"", True, "pending", "not_yet_found")),
        *((404, b"{}", "yes", "unknown", "session_not_found"), (404, b"<html>", True, None, "service_error")),
        *((404, b"Not here", False, None, "service_error"), (200, b"", True, None, "empty_answer")),
        *((200, b" ", False, None, "empty_answer"), (200, b"<html>", False, None, "unreadable")),
        *((200, b"[]", False, None, "unreadable"), (200, b"true", False, None, "unreadable")),
        *((200, raw([PAID]), False, None, "unreadable"), (200, raw(PAID)[:-1], False, None, "unreadable")),
        *((201, raw(PAID), False, None, "service_error"), (204, b"", False, None, "service_error")),
        *((302, raw(PAID), False, None, "service_error"), (400, b"", False, None, "request_refused")),
        *((401, raw(PAID), False, None, "access_refused"), (403, raw(PAID), False, None, "access_denied")),
        *((429, b"", False, None, "service_busy"), (503, raw(PAID), False, None, "service_busy")),
        *((500, raw(PAID), False, None, "service_error"), (504, b"", False, None, "service_error")),
        *((None, raw(PAID), False, None, "no_answer"), ("200", raw(PAID), False, None, "no_answer")),
    ],
)
def test_answers_without_result(status, body, fresh, state, reason):
    found = classify_session(status, body, fresh=fresh)
    assert (found.state, found.reason, found.session, found.may_change) == (state, reason, None, False)
    assert replace(conclude(OURS, status, body, fresh=fresh), detail="") == Verdict(state, reason)


def test_words_of_an_answer_without_result():
    found = conclude(OURS, 401, raw({"detail": "Could not validate credentials"}))
    assert found.detail == "Could not validate credentials"


def test_every_verdict_has_the_name_that_support_asks_for():
    for status, document in ((401, {}), (200, PAID), (200, refusal(1006)), (200, told(amount=1))):
        assert conclude(OURS, status, raw(document), {"X-Viva-CorrelationId": "23-1"}).correlation == "23-1"
        assert conclude(OURS, status, raw(document)).correlation == ""


# -- why it was not paid

CASES = {
    "cancelled": {1000: "customer_cancelled", 1016: "aborted"},
    "declined": {
        **{1004: "terminal_declined", 1006: "refused", 1007: "card_declined", 1008: "not_reversible"},
        **{1009: "reversal_amount", 1010: "card_invalid", 1011: "no_transaction", 1012: "no_transaction"},
        **{1017: "capture_amount", 1019: "other_card", 1020: "funds", 1021: "not_reversible"},
        **{1047: "merchant_invalid", 1048: "refused", 1049: "transaction_invalid", 1050: "no_action"},
        **{1051: "enter_again", 1052: "format", 1053: "no_credit_account", 1054: "lost", 1055: "stolen"},
        **{1056: "account_closed", 1057: "funds", 1058: "no_current_account", 1059: "no_savings_account"},
        **{1060: "expired", 1061: "pin", 1062: "not_for_holder", 1063: "not_at_terminal", 1064: "limit"},
        **{1065: "restricted", 1066: "pin_tries", 1067: "blocked", 1068: "pin", 1069: "cryptogram"},
        **{1070: "bank_unavailable", 1071: "law", 1072: "bank_malfunction", 1101: "parent_unknown"},
        **dict.fromkeys((1301, 1302, 1303), "insert_card"),
    },
    "failed": {
        **{1001: "terminal_app_busy", 1002: "stored_first", 1003: "card_timeout", 1013: "isv_parameters"},
        **{1014: "refunds_disabled", 1018: "merchant_unknown", 1074: "fiscal_amount"},
        **{1075: "fiscal_signature", 1076: "fiscal_signature", 1077: "fiscal_details"},
        **{1079: "fiscal_expired", 1080: "fiscal", 1081: "fiscal_disabled", 1082: "fiscal_only"},
        **{1083: "fiscal_missing", 1099: "transaction_error", 1100: "terminal_busy"},
        **{1102: "session_expired", 2000: "location_off", 3000: "terminal_offline", 5000: "no_moto"},
        **{5001: "no_instalments", 5002: "no_preauth", 5003: "no_qr", 5004: "no_cancel", 5005: "no_tip"},
        **{5006: "no_sale", 6000: "parameters", 6102: "isv_role", 6201: "store_forward"},
        **dict.fromkeys(range(7001, 7006), "store_forward"),
    },
    "unknown": {
        **{1110: "broker_error", 3001: "terminal_link", 3002: "terminal_silent", 3099: "terminal_trouble"},
        4000: "network",
    },
}
ALL = [(number, state, slug) for state, slugs in CASES.items() for number, slug in slugs.items()]


def test_table_is_whole():
    assert {number for number, _state, _slug in ALL} == set(events.EVENTS) - {0}
    assert {event.kind for event in events.EVENTS.values()} == set(events.CLASSES)


@pytest.mark.parametrize(("number", "state", "slug"), ALL)
def test_refusals(number, state, slug):
    assert outcome(refusal(number)) == (state, slug)
    found = verdict_of(refusal(number))
    assert (found.state, found.reason, found.detail, found.mismatches) == (state, slug, "No", ())


def test_zero_is_success_and_1000_is_not():
    assert outcome(refusal(0)) == ("unknown", "contradiction")
    assert outcome(refusal(0, abortSuccess=True)) == ("unknown", "contradiction")
    assert events.event(0) == events.Event("", "success")


@pytest.mark.parametrize("number", [1, 999, 1005, 1073, 1078, 1103, 2001, 7000, 7006, -1006, 99999])
def test_numbers_that_nobody_explains_are_no_certainty(number):
    assert outcome(refusal(number)) == ("unknown", "other_event")
    assert outcome(refusal(number, abortSuccess=True)) == ("cancelled", "aborted")
    assert events.event(number) is None


@pytest.mark.parametrize("number", [None, ..., ""])
def test_refusals_without_number(number):
    assert outcome(refusal(number)) == ("unknown", "no_event")
    assert outcome(refusal(number, abortSuccess=True)) == ("cancelled", "aborted")
    assert outcome(refusal(number, abortOperation=True)) == ("unknown", "no_event"), "a wish is no success"


def test_an_abort_does_not_make_a_doubt_certain():
    assert outcome(refusal(4000, abortSuccess=True)) == ("unknown", "network")
    assert outcome(refusal(1006, abortSuccess=True)) == ("declined", "refused")
    assert outcome(refusal(1016, abortSuccess=True)) == ("cancelled", "aborted")


@pytest.mark.parametrize(
    ("code", "slug"),
    [(10051, "funds"), (10054, "expired"), (10057, "not_for_holder"), (10061, "limit"), (10005, "refused")]
    + [(10000, ""), (10099, ""), (10020, ""), (9999, ""), (10100, ""), (51, ""), ("10051", ""), (None, "")]
    + [(True, ""), (10051.0, "")],
)
def test_the_banks_own_code(code, slug):
    assert events.iso_reason(code) == slug
    for number in (1004, 1006, 1007, 1048):
        vague = CASES["declined"][number]
        assert outcome(refusal(number, transactionEventId=code)) == ("declined", slug or vague)
    # what is said already is not said otherwise
    assert outcome(refusal(1010, transactionEventId=code)) == ("declined", "card_invalid")
    assert outcome(refusal(1003, transactionEventId=code)) == ("failed", "card_timeout")


def test_iso_codes():
    assert (
        events.iso_code(10051) == "51" and events.iso_code(10005) == "05" and events.iso_code(10000) == "00"
    )
    assert events.iso_code(10099) == "99" and events.iso_code(10100) == events.iso_code(9999) == ""
    assert all(re.fullmatch(r"[0-9]{2}", code) for code in events.ISO)
    approvals = {"00", "08", "10", "11", "16", "85"}
    assert approvals.isdisjoint(events.ISO)


@pytest.mark.parametrize(
    ("number", "again"),
    [(1006, True), (1000, True), (1003, True), (1016, True), (1099, True), (3000, True), (1008, True)]
    + [(1100, False), (1001, False), (6000, False), (1014, False), (4000, False)],
)
def test_some_that_failed_were_paid_after_all(number, again):
    assert classify_session(200, raw(refusal(number))).may_change is again
    assert verdict_of(refusal(number)).may_change is again
    assert Reading("cancelled", "aborted", Session(abort_done=True)).may_change is True


def test_judge_wants_a_session():
    for other in (None, {}, PAID):
        with pytest.raises(ProtocolError) as caught:
            judge(other)
        assert caught.value.code == "type"


# -- reading


def test_all_members():
    document = told(
        **{
            "terminalId": 16008507,
            "amount": 1300,
            "tipAmount": 66,
            "surchargeAmount": 5,
            "currencyCode": 978,
        },
        **{"merchantReference": "ref\n/7", "transactionTypeId": 6, "abortOperation": True, "aid": "A01"},
        **{"transactionId": "9e30", "authorizationId": 123456, "retrievalReferenceNumber": 123456789012},
        **{"referenceNumber": "000456", "orderCode": "4304", "shortOrderCode": 4304117763},
        **{"applicationLabel": "VISA", "cardType": "Debit", "bankId": "NET_VISA", "tid": 16008507},
        **{
            "panEntryMode": "07",
            "verificationMethod": "NO CVM",
            "transactionDateTime": "2024-01-01T10:00:00Z",
        },
        **{
            "primaryAccountNumberMasked": "414746XXXXXX0133",
            "installments": 3,
            "message": "4111111111111111",
        },
    )
    assert session.read(document) == Session(
        **{"id": ID, "terminal": "16008507", "register": "POS-1", "amount": 1300, "tip": 66, "surcharge": 5},
        **{"currency": "978", "reference": "ref /7", "success": True, "event": 0, "transaction_event": 0},
        **{"type_id": 6, "preauth": False, "abort_wished": True, "abort_done": False, "transaction": "9e30"},
        **{"authorization_code": "123456", "rrn": "123456789012", "stan": "000456", "order_code": "4304"},
        **{"short_order_code": "4304117763", "brand": "VISA", "card_type": "Debit", "bank": "NET_VISA"},
        **{"aid": "A01", "tid": "16008507", "entry_mode": "07", "verification": "NO CVM"},
        **{"time": "2024-01-01T10:00:00Z", "masked_pan": "414746******0133", "instalments": 3},
        **{"message": "************1111", "doubtful": ()},
    )


def test_a_whole_card_number_does_not_leave():
    found = session.read(told(primaryAccountNumberMasked="4111111111111111", message="4111 1111 1111 1111"))
    assert found.masked_pan == "" and "4111" not in found.message.replace(" 1111", "")
    assert "41111111" not in repr(found).replace(" ", "")


def test_zero_is_no_order_code():
    assert session.read(told(orderCode="0", shortOrderCode=0)).order_code == ""
    assert session.read(told(orderCode="0123")).order_code == "0123"


@pytest.mark.parametrize("other", [b"", b"[]", "5", None, 5, [], b"<html>"])
def test_no_session(other):
    with pytest.raises(ProtocolError) as caught:
        session.read(other)
    assert caught.value.code == "unreadable"


def test_session_in_bytes_and_text():
    assert session.read(raw(PAID)) == session.read(json.dumps(PAID)) == session.read(PAID)


DOUBTFUL = [
    *(("sessionId", []), ("terminalId", {}), ("cashRegisterId", 1.5), ("amount", "1234"), ("amount", True)),
    *(("tipAmount", "0"), ("surchargeAmount", []), ("currencyCode", "EUR"), ("transactionTypeId", "5")),
    *(("preauth", "false"), ("amount", 10**15), ("terminalId", "x" * 101)),
]


@pytest.mark.parametrize(("name", "value"), DOUBTFUL)
def test_what_decides_and_cannot_be_read(name, value):
    assert session.read(told(**{name: value})).doubtful == (name,)
    found = verdict_of(told(**{name: value}))
    assert (found.state, found.reason) == ("unknown", "mismatch")
    assert [one.got for one in found.mismatches] == ["?"]


def test_what_is_absent_is_not_doubtful():
    assert session.read({}).doubtful == session.read(dict.fromkeys(PAID)).doubtful == ()


# -- compare


def test_same():
    assert differences() == ()
    assert differences(terminalId=16008507, currencyCode=978, amount=Decimal("1234.0")) == ()
    assert differences(terminalId="016008507") == (), "leading zeros are lost in a number"
    assert differences(terminalId=..., cashRegisterId=..., transactionTypeId=..., tipAmount=...) == ()
    assert differences(merchantReference="other") == ()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"sessionId": "other-session"}, Mismatch("session", ID, "other-session")),
        ({"sessionId": ID.upper()}, Mismatch("session", ID, ID.upper())),
        ({"sessionId": ...}, Mismatch("session", ID, "")),
        ({"terminalId": "16008508"}, Mismatch("terminal", "16008507", "16008508")),
        ({"terminalId": "1600850"}, Mismatch("terminal", "16008507", "1600850")),
        ({"cashRegisterId": "POS-2"}, Mismatch("register", "POS-1", "POS-2")),
        ({"cashRegisterId": "0POS-1"}, Mismatch("register", "POS-1", "0POS-1")),
        ({"currencyCode": "840"}, Mismatch("currency", "978", "840")),
        ({"currencyCode": ...}, Mismatch("currency", "978", "")),
        ({"amount": 1233}, Mismatch("amount", 1234, 1233)),
        ({"amount": 1235}, Mismatch("amount", 1234, 1235)),
        ({"amount": -1234}, Mismatch("amount", 1234, -1234)),
        ({"amount": 0}, Mismatch("amount", 1234, 0)),
        ({"amount": ...}, Mismatch("amount", 1234, "")),
        ({"transactionTypeId": 4}, Mismatch("action", "sale", "refund")),
        ({"transactionTypeId": 7}, Mismatch("action", "sale", "refund")),
        ({"transactionTypeId": 1}, Mismatch("action", "sale", "preauth")),
        ({"transactionTypeId": 0}, Mismatch("action", "sale", "capture")),
        ({"transactionTypeId": ..., "preauth": True}, Mismatch("action", "sale", "preauth")),
    ],
)
def test_difference(changes, found):
    assert differences(**changes) == (found,)
    concluded = verdict_of(told(**changes))
    assert (concluded.state, concluded.reason, concluded.mismatches) == ("unknown", "mismatch", (found,))
    assert concluded.session is not None and concluded.may_change is False


def test_all_differences():
    changes = {"sessionId": "x", "terminalId": "1", "cashRegisterId": "x", "currencyCode": "840", "amount": 9}
    found = differences(**changes, transactionTypeId=4)
    assert [one.field for one in found] == ["session", "terminal", "register", "action", "currency", "amount"]


@pytest.mark.parametrize(
    ("amount", "tip", "surcharge", "same"),
    [
        *((1234, 100, 0, True), (1334, 100, 0, True), (1335, 100, 0, False), (1134, 100, 0, False)),
        *((1284, 0, 50, True), (1384, 100, 50, True), (1334, 100, 50, True), (1385, 100, 50, False)),
        *((1134, -100, 0, False), (1184, 0, -50, False), (1334, None, None, False), (1234, None, None, True)),
        (1284, None, 50, True),
    ],
)
def test_a_tip_explains_what_is_more(amount, tip, surcharge, same):
    changes = {"amount": amount, "tipAmount": tip, "surchargeAmount": surcharge}
    assert (differences(**changes) == ()) is same
    for action in ("preauth", "capture", "refund", "unreferenced_refund"):
        asked = replace(OURS, action=action)
        found = differences(asked, **changes, transactionTypeId=TYPES[action])
        assert (found == ()) is (amount == 1234), "nobody gives a tip there"


# the public table of types (protocols/viva.md, 1.5), as it stands there
SALES = {5, 6, 20, 23, 27, 48, 52, 58, 60}
REFUNDS = {4, 7, 11, 13, 17, 18, 21, 24, 26, 28, 30, 35, 37, 39, 41, 45, 49, 51, 53, 55, 57, 59, 61, 63, 65}
REFUNDS |= {67, 71, 75, 79}
RESERVATIONS = {1, 80}


@pytest.mark.parametrize("action", ACTIONS)
def test_types(action):
    families = {"sale": SALES, "preauth": RESERVATIONS, "capture": {0}}
    family = families.get(action, REFUNDS)
    asked = replace(OURS, action=action)
    for type_id in (*range(-1, 120), 999, 999999999):
        found = differences(asked, transactionTypeId=type_id)
        assert (found == ()) is (type_id in family), type_id
    assert differences(asked, transactionTypeId=...) == ()


@pytest.mark.parametrize(
    ("type_id", "told"),
    [(79, "refund"), (18, "refund"), (80, "preauth"), (0, "capture"), (99, "99"), (-1, "-1")],
)
def test_a_success_of_another_kind_is_no_sale(type_id, told):
    """27 kinds of refund passed as a sale; what is in no family is unclear."""
    found = verdict_of({**PAID, "transactionTypeId": type_id})
    assert (found.state, found.reason) == ("unknown", "mismatch")
    assert found.mismatches == (Mismatch("action", "sale", told),)
    assert verdict_of(refusal(1006, transactionTypeId=type_id)).state == "declined", "nothing was paid at all"


def test_preauth_is_a_hint_where_no_type_is_told():
    assert differences(preauth=True) == (), "the type says it was paid"
    asked = replace(OURS, action="preauth")
    assert differences(asked, preauth=True, transactionTypeId=...) == ()
    assert differences(asked, preauth=False, transactionTypeId=...) == ()


@pytest.mark.parametrize("action", ["refund", "unreferenced_refund"])
def test_a_refund_may_be_told_below_zero(action):
    asked = replace(OURS, action=action)
    assert differences(asked, amount=-1234, transactionTypeId=4) == ()
    assert differences(asked, amount=1234, transactionTypeId=7) == ()
    assert differences(asked, amount=-1233, transactionTypeId=4) == (Mismatch("amount", 1234, -1233),)


def test_where_nothing_was_paid_little_is_compared():
    changes = {"amount": 0, "currencyCode": None, "transactionTypeId": 4, "tipAmount": 5}
    assert verdict_of(refusal(1006, **changes)) == replace(
        verdict_of(refusal(1006)), session=session.read(refusal(1006, **changes))
    )
    assert verdict_of(refusal(1006, sessionId=...)).state == "declined"


@pytest.mark.parametrize(
    "changes",
    [
        {"sessionId": "other"},
        {"terminalId": "1"},
        {"cashRegisterId": "x"},
        {"terminalId": []},
        {"sessionId": {}},
    ],
    ids=repr,
)
def test_refusals_about_something_else_refuse_nothing(changes):
    """Another system of the merchant had the same idea for a name: it is not our payment that failed."""
    for number in (1006, 1000, 1100, 4000):
        found = verdict_of(refusal(number, **changes))
        assert (found.state, found.reason, len(found.mismatches)) == ("unknown", "mismatch", 1)


def test_not_final_about_something_else_is_no_news():
    found = verdict_of(told(success=None, terminalId="1"))
    assert (found.state, found.reason) == (None, "mismatch")
    assert verdict_of(told(success=None, amount=1, currencyCode="840")).state == "pending"


def test_a_contradiction_is_compared_too():
    assert verdict_of(told(eventId=1006)).reason == "contradiction"
    assert verdict_of(told(eventId=1006, amount=1)).reason == "mismatch"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *(({"action": "void"}, "action"), ({"action": None}, "action"), ({"session": "x"}, "session")),
        *(({"terminal": ""}, "asked"), ({"terminal": 5}, "asked"), ({"register": ""}, "asked")),
        *(({"register": None}, "asked"), ({"amount": 0}, "amount"), ({"amount": Decimal(1)}, "amount")),
        *(({"currency": "EUR"}, "currency"), ({"action": []}, "action")),
    ],
)
def test_questions_that_are_none(change, code):
    for call in (lambda asked: compare(asked, Session()), lambda asked: conclude(asked, 200, b"{}")):
        with pytest.raises(ProtocolError) as caught:
            call(replace(OURS, **change))
        assert (caught.value.code, caught.value.field) == (code, next(iter(change)))


def test_nothing_to_compare():
    for call in (
        lambda: compare(None, Session()),
        lambda: compare(OURS, PAID),
        lambda: conclude(PAID, 200, b""),
    ):
        with pytest.raises(ProtocolError):
            call()


def test_asked_of_a_request():
    asked = Request("sale", ID, "16008507", "POS-1", 1234, "978", f"{ID}/7")
    assert verdict.asked_of(asked) == OURS
    with pytest.raises(ProtocolError):
        verdict.asked_of(replace(asked, amount=0))
    with pytest.raises(ProtocolError):
        verdict.asked_of(OURS)


# -- whatever is answered

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
MEMBERS = st.sampled_from([member for member, _reader in session._MEMBERS.values()])
NUMBERS = st.sampled_from([*events.EVENTS, 1234, 10051, "", True])


@settings(max_examples=200)
@given(st.dictionaries(MEMBERS, ANYTHING | NUMBERS, max_size=6))
def test_any_session_gives_a_verdict(changes):
    document = {**PAID, **changes}
    found = verdict_of(document)
    assert found.state in (*FINAL, "pending", "unknown", None)
    assert (found.reason == "") is (found.state == "approved")
    assert not found.reason or words.sentence(found.reason, found.detail)
    receipt.values(found.session or Session())
    if found.state == "approved":
        assert document["success"] is True and document["eventId"] in (0, None, "") and found.mismatches == ()
        assert document["sessionId"] == ID and document["currencyCode"] in ("978", 978)
        assert abs(document["amount"] - 1234) in {0, *(document.get(name) or 0 for name in TIPS)} | {
            (document.get("tipAmount") or 0) + (document.get("surchargeAmount") or 0)
        }
    if found.state in ("declined", "failed", "cancelled"):
        assert document["success"] is False


TIPS = ("tipAmount", "surchargeAmount")


@given(st.integers() | st.none(), st.binary() | st.text() | ANYTHING.map(json.dumps), st.booleans())
def test_any_answer_gives_a_reading(status, body, fresh):
    for number in (status, 200, 404):
        found = classify_session(number, body, fresh=fresh)
        assert found.state != "approved" and found.reason in words.SENTENCES
        assert conclude(OURS, number, body, fresh=fresh).state in ("pending", "unknown", None)


# -- the sessions of a day


def test_a_day():
    rows = [PAID, refusal(1006), {}, "x", None, [PAID]]
    found = session.read_day(200, {}, raw(rows))
    assert [one.success for one in found.sessions] == [True, False, None]
    assert (found.unreadable, found.reason) == (3, "")
    assert session.read_day(200, {}, b"[]") == session.Day()


def test_a_flood_of_sessions():
    found = session.read_day(200, {}, raw([{}] * (session.MAX_SESSIONS + 2)))
    assert (len(found.sessions), found.unreadable) == (session.MAX_SESSIONS, 2)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        *((200, b"{}", "unreadable"), (200, b"", "unreadable"), (200, b"<html>", "unreadable")),
        *((401, b"[]", "access_refused"), (503, b"[]", "service_busy"), (404, b"[]", "service_error")),
        *((None, b"[]", "no_answer"), (202, raw([PAID]), "service_error")),
    ],
)
def test_no_day(status, body, reason):
    assert session.read_day(status, {}, body) == session.Day(reason=reason)


# -- receipt


def test_values_of_a_refusal():
    kept = receipt.values(
        session.read(refusal(1006, transactionEventId=10051, bankId="NET_VISA", tipAmount=5))
    )
    assert (kept["decline_code"], kept["decline_message"]) == ("51", "No")
    assert (kept["approved_minor"], kept["tip_minor"], kept["card_brand"]) == (None, None, "VISA")
    assert receipt.values(session.read(refusal(1003)))["decline_code"] == "1003"
    assert receipt.values(session.read(refusal(None)))["decline_code"] == ""
    assert receipt.values(Session())["decline_message"] == receipt.values(Session())["decline_code"] == ""


def test_values_of_a_success():
    document = told(amount=-1234, tipAmount=34, surchargeAmount=6, panEntryMode="99", applicationLabel="Visa")
    kept = receipt.values(session.read(document))
    assert (kept["approved_minor"], kept["tip_minor"], kept["surcharge_minor"]) == (1234, 34, 6)
    assert (kept["entry_mode"], kept["card_brand"], kept["decline_message"]) == ("99", "Visa", "")
    assert [receipt.ENTRY_MODES[code] for code in ("05", "07", "01", "90")] == [
        *("contact", "contactless", "manual", "magstripe"),
    ]


def test_values_of_nothing():
    with pytest.raises(ProtocolError) as caught:
        receipt.values(PAID)
    assert caught.value.code == "type"


# -- words


def slugs_of_the_room():
    """Every slug that the room's code can give, as far as its tables and source tell."""
    found = {event.slug for event in events.EVENTS.values()} | set(events.ISO.values())
    found |= {reason for _state, reason in post._ABORT.values()} | set(post._REFUSED.values())
    source = "".join(path.read_text() for path in Path(session.__file__).parent.glob("*.py"))
    source = source.replace(Path(words.__file__).read_text(), "")
    literals = set(re.findall(r'"([a-z_]+)"', source))
    return (found | (literals & set(words.SENTENCES))) - {""}


def test_every_slug_has_a_sentence_and_every_sentence_a_slug():
    assert slugs_of_the_room() == set(words.SENTENCES)
    assert all(re.fullmatch(r"[a-z_]+", slug) for slug in words.SENTENCES)


def test_sentences_are_sentences():
    for text in (*words.SENTENCES.values(), *words.MONEY.values(), *words.ADVICE.values()):
        assert text[0].isupper() and text.endswith(".") and len(text) < 100
        assert text.replace(" ({detail})", "").count("{") == 0
    assert len(set(words.SENTENCES.values())) == len(words.SENTENCES)


def test_advice_is_given_once_and_about_what_exists():
    listed = [slug for slugs in words._ADVISED.values() for slug in slugs.split()]
    assert len(set(listed)) == len(listed) and set(listed) <= set(words.SENTENCES)
    assert set(words._ADVISED) <= set(words.ADVICE)
    refused = {event.slug for event in events.EVENTS.values() if event.state not in ("approved", "unknown")}
    assert (refused | set(events.ISO.values())) <= set(listed), "whoever is refused is told what to do"


def test_sentence():
    assert words.sentence("funds") == "There are not enough funds."
    assert words.sentence("mismatch", "amount: 1 / 2").endswith("(amount: 1 / 2).")
    assert words.sentence("mismatch") == words.sentence("mismatch", None) == words.sentence("mismatch", 5)
    assert words.sentence("mismatch") == "The answer is about something else than was asked."
    assert words.sentence("mismatch", "{detail}{0}").endswith("({detail}{0}).")
    for slug in ("", "x", None, ["funds"]):
        with pytest.raises(ProtocolError) as caught:
            words.sentence(slug)
        assert caught.value.code == "slug"


@pytest.mark.parametrize(
    ("slug", "state", "money", "advice"),
    [
        ("funds", "declined", "not_moved", "other_means"),
        ("customer_cancelled", "cancelled", "not_moved", "again"),
        ("terminal_busy", "failed", "not_moved", "later"),
        ("funds", "unknown", "not_known", "look_up"),
        ("network", "unknown", "not_known", "look_up"),
        ("processing", "pending", "", "wait"),
        ("abort_accepted", "cancelling", "", "wait"),
        ("mismatch", "pending", "", "wait"),
        ("funds", "cancelling", "", "wait"),
        ("service_busy", None, "", "wait"),
        ("access_denied", None, "", "configuration"),
        ("reversed", "reversed", "", ""),
        ("unreadable", None, "", ""),
    ],
)
def test_explain(slug, state, money, advice):
    expected = (words.sentence(slug), words.MONEY.get(money, ""), words.ADVICE.get(advice, ""))
    assert words.explain(slug, state) == expected


def test_an_approval_is_not_explained_away():
    with pytest.raises(ProtocolError):
        words.explain("", "approved")
