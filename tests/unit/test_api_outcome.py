"""Reading answers: doubt stays doubt. Each table is a list of ways in which money could be misread."""

import json
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api import fields, jsontext, outcome, presets, profile, states
from api.errors import ProtocolError
from api.outcome import Asked, Mismatch, Outcome, compare

HTML = b"<html><body>502 Bad Gateway, payment approved</body></html>"
DEFAULT = presets.load("default")
SYNC = {**DEFAULT, "sync_response": True}
START = sorted(profile.START_KEYS)
INQUIRY = sorted(profile.INQUIRY_KEYS)
APPROVED = {"operationId": "op-1", "status": "approved", "approved": True, "amount": 1234, "currency": "EUR"}


def read(key, http_status, body, document=DEFAULT, **arguments):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return outcome.read(document, key, http_status, body, **arguments)


def summary(key, http_status, body, document=DEFAULT, **arguments):
    result = read(key, http_status, body, document, **arguments)
    return result.state, result.error_class, result.reason


# -- start: a success is only "accepted"


@pytest.mark.parametrize("key", START)
@pytest.mark.parametrize("code", [200, 201, 202])
@pytest.mark.parametrize(
    "word",
    ["accepted", "approved", "declined", "failed", "cancelled", "timeout", "reversed", "zz", None, 7, {}],
)
def test_start_success_is_pending_whatever_the_word(key, code, word):
    assert summary(key, code, {"operationId": "op-1", "status": word}) == ("pending", None, "")


@pytest.mark.parametrize("key", START)
def test_start_without_operation_id_says_so(key):
    assert summary(key, 202, {"status": "accepted"}) == ("pending", None, "no_operation_id")
    assert summary(key, 202, {"operationId": "x" * 129}) == ("pending", None, "no_operation_id")
    assert summary(key, 202, {"operationId": None, "id": {}}) == ("pending", None, "no_operation_id")
    assert summary(key, 202, []) == ("pending", None, "no_operation_id")


UNDECODABLE = [
    b"",
    b" \r\n",
    HTML,
    b"{",
    b"OK",
    b'"approved"',
    b"5",
    b"null",
    b"true",
    b"\xff\xfe",
    b"[" * 10_000,
]


@pytest.mark.parametrize("key", START)
@pytest.mark.parametrize("document", [DEFAULT, SYNC], ids=["default", "sync"])
@pytest.mark.parametrize("body", UNDECODABLE, ids=lambda body: repr(body)[:15])
def test_start_success_that_cannot_be_read_is_unknown(key, document, body):
    result = read(key, 200, body, document)
    assert (result.state, result.error_class, result.reason) == ("unknown", "undecodable", "undecodable")
    assert result.document is None and result.fields == {}


REFUSED = {
    400: "validation",
    401: "authentication",
    403: "authentication",
    404: "not_found",
    405: "configuration",
    406: "validation",
    410: "not_found",
    413: "validation",
    415: "validation",
    422: "validation",
    409: "busy",
    423: "busy",
    429: "busy",
}


@pytest.mark.parametrize("key", START)
@pytest.mark.parametrize(
    "body", [{}, {"status": "error"}, {"status": "pending"}, {"status": "declined"}, HTML, b""]
)
def test_start_every_status_code(key, body):
    """Only what was refused before anything was done is failed; every other code leaves the outcome open."""
    every = [-1, 0, *range(100, 200), *range(203, 600), 999]
    for code in every if (key, body) == ("purchase", {}) else [*REFUSED, 203, 302, 402, 408, 425, 500, 503]:
        result = read(key, code, body)
        expected = ("failed", REFUSED[code]) if code in REFUSED else ("unknown", result.error_class)
        assert (result.state, result.error_class) == expected, code
        assert result.error_class is not None
        assert result.reason == ("" if code in REFUSED else "http_uncertain")


@pytest.mark.parametrize(
    "code, error_class",
    [(302, "configuration"), (307, "configuration"), (304, "remote"), (204, "remote"), (402, "validation")]
    + [(code, "remote") for code in (408, 425, 500, 502, 503, 504, 599, 0)],
)
def test_start_uncertain_classes(code, error_class):
    assert summary("purchase", code, {}) == ("unknown", error_class, "http_uncertain")


@pytest.mark.parametrize("code", [None, "400", "409", 400.0, [400], {}])
def test_start_with_a_status_that_is_no_number_is_unknown(code):
    assert read("purchase", code, {}).state == "unknown"


def test_busy_codes_are_the_profiles():
    assert summary("purchase", 409, {}, {**DEFAULT, "busy_http_codes": []})[0] == "unknown"
    assert summary("purchase", 402, {}, {**DEFAULT, "busy_http_codes": [402]}) == ("failed", "busy", "")
    assert summary("purchase", 422, {}, {**DEFAULT, "busy_http_codes": [422]}) == ("failed", "busy", "")


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_the_refusal_of_a_repetition_says_nothing_about_the_first_try(code):
    state = summary("purchase", code, {}, repeated=True)
    assert state == ("unknown", REFUSED[code], "refused_repeat")


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_a_refusal_that_says_approved_is_no_failure(code):
    assert summary("purchase", code, {"status": "approved"}) == (
        "unknown",
        REFUSED[code],
        "refusal_contradicted",
    )


def test_a_refusal_names_the_operation_in_the_way_not_ours():
    body = {
        "operationId": "other",
        "reference": "other",
        "error": {"code": "busy", "message": "Terminal busy"},
    }
    result = read("purchase", 409, body)
    assert result.fields == {} and (result.error_code, result.error_message) == ("busy", "Terminal busy")
    assert read("purchase", 500, body).fields["operation_id"] == "other"


def test_pending_codes_do_not_concern_a_start():
    assert summary("purchase", 404, {}) == ("failed", "not_found", "")


# -- status and result


WORDS = [
    ("approved", "approved"),
    ("APPROVED", "approved"),
    (" Succeeded ", "approved"),
    ("declined", "declined"),
    ("NOT_AUTHORIZED", "declined"),
    ("cancelled", "cancelled"),
    ("user-cancelled", "cancelled"),
    ("voided", "cancelled"),
    ("failed", "failed"),
    ("reversed", "reversed"),
    ("accepted", "pending"),
    ("In Progress", "pending"),
    ("timeout", "unknown"),
    ("timed_out", "unknown"),
    ("expired", "unknown"),
    ("offline", "unknown"),
    ("unreachable", "unknown"),
    ("error", "unknown"),
    ("TERMINAL_ERROR", "unknown"),
]


@pytest.mark.parametrize("key", INQUIRY)
@pytest.mark.parametrize("word, state", WORDS)
def test_words(key, word, state):
    result = read(key, 200, {"operationId": "op-1", "status": word, "amount": 1234})
    assert (result.state, result.error_class) == (state, None)
    assert result.reason == ("status_uncertain" if state == "unknown" else "")
    assert result.raw_state == word.strip()


@pytest.mark.parametrize("key", INQUIRY)
@pytest.mark.parametrize(
    "word",
    [
        "zz_unheard_of",
        "not approved",
        "approved?",
        "approved.",
        "approved\u0000",
        "approved\u200b",
        "app\u0000roved",
        "approved\tdeclined",
        "unapproved",
        "approvedwithsignature",
        "declined!",
        "0",
        0,
        1,
        1.5,
        True,
        False,
        "x" * 5000,
    ],
    ids=repr,
)
def test_an_unknown_word_is_pending_never_approved_never_failed(key, word):
    result = read(key, 200, {**APPROVED, "status": word})
    assert (result.state, result.reason) == ("pending", "unknown_word")
    assert 0 < len(result.raw_state) <= 64


@pytest.mark.parametrize("key", INQUIRY)
@pytest.mark.parametrize("word", [None, "", "  ", {}, {"status": "approved"}, ["approved"]], ids=repr)
def test_a_missing_word_is_pending_even_when_the_flag_is_true(key, word):
    assert summary(key, 200, {**APPROVED, "status": word}) == ("pending", None, "status_missing")


@pytest.mark.parametrize("key", INQUIRY)
@pytest.mark.parametrize(
    "body",
    [
        {"status": "ok", "data": {"status": "declined"}},
        {"status": "success", "data": {"status": "pending"}},
        {"status": "ok", "data": {"state": "zz"}},
        {"status": "approved", "state": "failed"},
        {"status": "failed", "data": {"status": "approved"}},
    ],
)
def test_an_envelopes_word_does_not_speak_for_the_payment(key, body):
    result = read(key, 200, {**body, "amount": 1234})
    assert (result.state, result.reason) == ("pending", "status_conflict")
    assert "|" in result.raw_state


def test_two_words_with_one_meaning_agree():
    assert (
        read("operation_result", 200, {**APPROVED, "state": "ok", "data": {"status": "paid"}}).state
        == "approved"
    )


@pytest.mark.parametrize("key", INQUIRY)
@pytest.mark.parametrize(
    "flag, state, reason",
    [
        (True, "approved", ""),
        (1, "approved", ""),
        ("true", "approved", ""),
        ("YES", "approved", ""),
        (False, "unknown", "flag_denied"),
        ("false", "unknown", "flag_denied"),
        ("False", "unknown", "flag_denied"),
        (0, "unknown", "flag_denied"),
        ("0", "unknown", "flag_denied"),
        ("no", "unknown", "flag_denied"),
        ("", "unknown", "flag_denied"),
        ("declined", "unknown", "flag_denied"),
        (None, "unknown", "flag_unclear"),
        ("maybe", "unknown", "flag_unclear"),
        (2, "unknown", "flag_unclear"),
        (0.0, "unknown", "flag_unclear"),
        ([], "unknown", "flag_unclear"),
        ({}, "unknown", "flag_unclear"),
    ],
    ids=repr,
)
def test_an_approval_needs_every_flag(key, flag, state, reason):
    assert summary(key, 200, {**APPROVED, "approved": flag}) == (state, None, reason)
    nested = {**APPROVED, "approved": True, "data": {"success": flag}}
    assert summary(key, 200, nested) == (state, None, reason)


def test_an_approval_without_any_flag_stands():
    body = {name: value for name, value in APPROVED.items() if name != "approved"}
    assert read("operation_result", 200, body).state == "approved"


@pytest.mark.parametrize("key", INQUIRY)
@pytest.mark.parametrize("word", ["declined", "cancelled", "failed"])
def test_a_refusal_with_a_true_flag_is_unknown(key, word):
    assert summary(key, 200, {**APPROVED, "status": word}) == ("unknown", None, "flag_contradicts")
    assert summary(key, 200, {**APPROVED, "status": word, "approved": None})[0] == word
    assert summary(key, 200, {**APPROVED, "status": word, "approved": False})[0] == word


UNREADABLE = [
    "12,34",
    "12.34",
    12.34,
    12.0,
    "12 EUR",
    "",
    "-5",
    -5,
    True,
    10**20,
    "NaN",
    {},
    {"value": 1234},
    [1234],
]


@pytest.mark.parametrize("amount", UNREADABLE, ids=repr)
def test_an_amount_that_cannot_be_read_bars_the_approval(amount):
    body = {**APPROVED, "amount": amount}
    for document in (DEFAULT, {**DEFAULT, "require_amount": False}):
        for key in INQUIRY:
            assert summary(key, 200, body, document) == ("unknown", None, "amount_unreadable")
    assert "amount" not in read("operation_result", 200, body).fields


def test_an_unreadable_amount_does_not_fall_back_on_another_path():
    body = {**APPROVED, "approvedAmount": "12,34", "amount": 1234}
    assert summary("operation_result", 200, body) == ("unknown", None, "amount_unreadable")


@pytest.mark.parametrize("absent", [{}, {"amount": None}])
def test_a_result_must_state_the_amount(absent):
    body = {"operationId": "op-1", "status": "approved", "approved": True, **absent}
    assert summary("operation_result", 200, body) == ("unknown", None, "amount_missing")
    assert summary("operation_result", 200, body, started="refund") == ("unknown", None, "amount_missing")
    assert summary("operation_status", 200, body) == ("approved", None, "")
    assert summary("operation_result", 200, body, {**DEFAULT, "require_amount": False}) == (
        "approved",
        None,
        "",
    )
    for started in ("void", "reconciliation"):
        assert summary("operation_result", 200, body, started=started) == ("approved", None, "")


@pytest.mark.parametrize("word", ["declined", "failed", "cancelled", "pending", "reversed"])
def test_only_an_approval_needs_an_amount(word):
    assert summary("operation_result", 200, {"status": word, "amount": "12,34"}) == (word, None, "")


def test_the_approved_amount_comes_before_the_asked_one():
    body = {**APPROVED, "approvedAmount": 600}
    assert read("operation_result", 200, body).fields["amount"] == Decimal("6.00")


@pytest.mark.parametrize("word", ["voided", "VOIDED", "reversed", "refunded"])
def test_voided_is_ambiguous_for_a_void(word):
    """ "Cancelled: nothing was done" would make a cashier give the money back a second time."""
    for key in INQUIRY:
        assert summary(key, 200, {"status": word}, started="void") == ("unknown", None, "void_ambiguous")
    mapped = {**DEFAULT, "status_map": {"voided": "pending"}}
    assert summary("operation_status", 200, {"status": "voided"}, mapped, started="void")[0] == "unknown"
    assert summary("operation_status", 200, {"status": "cancelled"}, started="void")[0] == "cancelled"


@pytest.mark.parametrize("key", INQUIRY)
@pytest.mark.parametrize(
    "body", [{}, HTML, b"", {"status": "approved", "amount": 1234}, {"status": "failed"}]
)
def test_pending_codes(key, body):
    for code in (202, 404):
        assert summary(key, code, body) == ("pending", None, "http_pending")
    assert summary(key, 404, body, {**DEFAULT, "pending_http_codes": [202]}) == (None, "not_found", "")
    assert summary(key, 200, body, {**DEFAULT, "pending_http_codes": [200]})[0] == "pending"


@pytest.mark.parametrize("key", [*INQUIRY, "operations_list", "last_reconciliation", "operation_cancel"])
@pytest.mark.parametrize(
    "body", [{"status": "approved"}, {"status": "failed"}, {"operations": []}, HTML, b""]
)
def test_an_error_teaches_nothing(key, body):
    success = DEFAULT["endpoints"][key]["success_codes"]
    pending = [202, 404] if key in INQUIRY else []
    every = (
        [0, *range(100, 600), 999]
        if (key, body) == ("operation_status", HTML)
        else [201, 302, 400, 408, 422, 500]
    )
    for code in every:
        if code not in success and code not in pending:
            result = read(key, code, body)
            assert result.state is None and result.error_class, code
            assert result.rows == [] and result.totals == []
    assert read(key, 503, body).error_class == "remote"
    assert read(key, 401, body).error_class == "authentication"
    assert read(key, 409, body).error_class == "busy"


@pytest.mark.parametrize("key", [*INQUIRY, "operations_list", "last_reconciliation"])
@pytest.mark.parametrize("body", UNDECODABLE, ids=lambda body: repr(body)[:15])
def test_an_unreadable_answer_teaches_nothing(key, body):
    assert summary(key, 200, body) == (None, "undecodable", "undecodable")


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "declined", "status": "approved", "amount": 1234}',
        b'{"status": "approved", "amount": 1, "amount": 1234}',
        b'{"status": "approved", "amount": NaN}',
        b'{"status": "approved", "amount": 1e9999999999999999999}',
        json.dumps(APPROVED).encode("utf-16"),
        json.dumps({**APPROVED, "x": "x" * jsontext.MAX_BYTES}).encode(),
    ],
    ids=lambda body: repr(body)[:40],
)
def test_ambiguous_json_is_undecodable(body):
    assert summary("operation_result", 200, body) == (None, "undecodable", "undecodable")


def test_a_byte_order_mark_is_no_reason_to_lose_an_approval():
    assert read("operation_result", 200, b"\xef\xbb\xbf" + json.dumps(APPROVED).encode()).state == "approved"
    assert read("purchase", 202, b"\xef\xbb\xbf" + b'{"operationId": "a"}').fields == {"operation_id": "a"}


# -- synchronous answers


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, ("approved", None, "")),
        ({"status": "declined", "approved": False}, ("declined", None, "")),
        ({"status": "failed", "approved": None}, ("failed", None, "")),
        ({"status": "timeout"}, ("unknown", None, "status_uncertain")),
        ({"status": "accepted"}, ("pending", None, "")),
        ({"status": "accepted", "operationId": ""}, ("pending", None, "no_operation_id")),
        ({"status": "zz", "operationId": ""}, ("pending", None, "unknown_word")),
        ({"status": None}, ("pending", None, "status_missing")),
        ({"approved": "false"}, ("unknown", None, "flag_denied")),
        ({"amount": None}, ("unknown", None, "amount_missing")),
        ({"amount": "12,34"}, ("unknown", None, "amount_unreadable")),
    ],
)
def test_sync_response_is_read_as_a_result(changes, expected):
    assert summary("purchase", 200, {**APPROVED, **changes}, SYNC) == expected


def test_sync_void_and_reconciliation_need_no_amount():
    body = {"operationId": "op-1", "status": "approved"}
    assert summary("void", 200, body, SYNC) == ("approved", None, "")
    assert summary("reconciliation", 200, body, SYNC, started="purchase") == ("approved", None, "")
    assert summary("refund", 200, body, SYNC, started="void") == ("unknown", None, "amount_missing")


def test_sync_response_changes_nothing_about_codes():
    assert summary("purchase", 500, APPROVED, SYNC)[0] == "unknown"
    assert summary("purchase", 400, {}, SYNC) == ("failed", "validation", "")


# -- cancel


@pytest.mark.parametrize("code", [200, 202, 204])
@pytest.mark.parametrize(
    "body", [b"", b"\n", {}, {"status": "cancelled"}, {"status": "approved"}, {"status": "failed"}]
)
def test_a_cancel_is_a_wish(code, body):
    assert summary("operation_cancel", code, body) == ("cancelling", None, "")


def test_a_cancel_that_cannot_be_read_or_was_refused_teaches_nothing():
    assert summary("operation_cancel", 200, HTML) == (None, "undecodable", "undecodable")
    assert summary("operation_cancel", 404, {}) == (None, "not_found", "")
    assert summary("operation_cancel", 500, b"") == (None, "remote", "")
    assert summary("operation_cancel", 500, {"status": "cancelled"}) == (None, "remote", "")


# -- lists


ROW = {
    "operationId": "op-1",
    "type": "purchase",
    "status": "approved",
    "reference": "R1",
    "amount": 1234,
    "currency": "EUR",
    "pid": "TPE",
    "posId": "POS",
    "createdAt": "2026-01-31T10:00:00Z",
}


def test_rows():
    result = read("operations_list", 200, {"operations": [ROW]})
    assert (result.state, result.error_class, result.reason) == (None, None, "")
    assert result.rows == [
        {
            "operation_id": "op-1",
            "type": "purchase",
            "state": "approved",
            "raw_state": "approved",
            "reason": "",
            "reference": "R1",
            "amount": Decimal("12.34"),
            "currency": "EUR",
            "terminal_pid": "TPE",
            "pos_id": "POS",
            "transaction_datetime": "2026-01-31T10:00:00Z",
        }
    ]


@pytest.mark.parametrize(
    "wrap", [lambda rows: {"items": rows}, lambda rows: {"data": {"operations": rows}}, list]
)
def test_rows_under_other_names_and_at_the_root(wrap):
    assert len(read("operations_list", 200, wrap([ROW])).rows) == 1


def test_two_rows_with_one_reference_are_both_kept():
    rows = read("operations_list", 200, {"operations": [ROW, {**ROW, "operationId": "op-2"}, ROW]}).rows
    assert [row["operation_id"] for row in rows] == ["op-1", "op-2", "op-1"]


@pytest.mark.parametrize(
    "changes, state, reason",
    [
        ({"status": "zz"}, "pending", "unknown_word"),
        ({"status": None}, "pending", "status_missing"),
        ({"status": "timeout"}, "unknown", "status_uncertain"),
        ({"approved": "false"}, "unknown", "flag_denied"),
        ({"amount": "12,34"}, "unknown", "amount_unreadable"),
        ({"amount": None}, "approved", ""),
        ({"status": "voided"}, "cancelled", ""),
        ({"status": "voided", "type": "VOID"}, "unknown", "void_ambiguous"),
        ({"status": "declined", "approved": True}, "unknown", "flag_contradicts"),
    ],
)
def test_a_row_is_read_by_the_same_rules(changes, state, reason):
    (row,) = read("operations_list", 200, {"operations": [{**ROW, **changes}]}).rows
    assert (row["state"], row["reason"]) == (state, reason)


@pytest.mark.parametrize(
    "body", [{}, {"operations": None}, {"operations": {}}, {"error": "x"}, {"operations": "none"}]
)
def test_a_list_that_is_not_there_is_not_an_empty_list(body):
    assert summary("operations_list", 200, body) == (None, "undecodable", "rows_missing")


def test_an_empty_list_is_empty():
    assert summary("operations_list", 200, {"operations": []}) == (None, None, "")


def test_a_list_that_was_not_read_in_full_says_so():
    result = read("operations_list", 200, {"operations": [ROW, None, "x", []]})
    assert len(result.rows) == 1 and result.reason == "rows_unreadable"
    result = read("operations_list", 200, {"operations": [{}] * (outcome.MAX_ROWS + 1)})
    assert len(result.rows) == outcome.MAX_ROWS and result.reason == "rows_truncated"
    assert read("operations_list", 200, {"operations": [{}] * outcome.MAX_ROWS}).reason == ""


# -- reconciliation


def test_totals():
    body = {
        "operationId": "rec-1",
        "status": "completed",
        "batch": "042",
        "periodStart": "2026-01-31T00:00:00Z",
        "periodEnd": "2026-01-31T23:59:59Z",
        "totals": [
            {"type": "purchase", "brand": "VISA", "currency": "978", "count": 3, "amount": 4500},
            {"type": "refund", "brand": "VISA", "currency": "EUR", "count": 1, "amount": -500},
            {"type": "refund", "brand": "CB", "currency": "EUR", "count": 1, "amount": "-500"},
        ],
    }
    result = read("operation_result", 200, body, started="reconciliation")
    assert (result.state, result.reason) == ("approved", "")
    assert result.fields["batch"] == "042" and result.fields["period_end"].startswith("2026")
    assert result.totals[0] == {
        "type": "purchase",
        "brand": "VISA",
        "currency": "EUR",
        "count": 3,
        "amount": Decimal("45.00"),
    }
    assert [total["amount"] for total in result.totals] == [
        Decimal("45.00"),
        Decimal("-5.00"),
        Decimal("-5.00"),
    ]
    assert read("last_reconciliation", 200, body).state is None
    assert read("last_reconciliation", 200, body).totals == result.totals


@pytest.mark.parametrize(
    "total",
    [{"count": 1}, {"amount": "12,34"}, {"amount": True}, {"amount": "--5"}, "x", None, {"amount": {}}],
)
def test_a_total_that_cannot_be_read_is_told_and_never_zero(total):
    result = read("last_reconciliation", 200, {"totals": [{"amount": 1}, total]})
    assert result.reason == "totals_unreadable"
    assert all(item.get("amount", 1) for item in result.totals)


@pytest.mark.parametrize("count", [True, -1, "3", 1.5, None, 10**9])
def test_a_count_is_a_whole_number(count):
    assert (
        "count" not in read("last_reconciliation", 200, {"totals": [{"amount": 1, "count": count}]}).totals[0]
    )


def test_totals_are_bounded():
    result = read("last_reconciliation", 200, {"totals": [{"amount": 1}] * 501})
    assert len(result.totals) == 500 and result.reason == "totals_unreadable"


# -- fields


RESULT = {
    **APPROVED,
    "reference": " R1 ",
    "posId": "POS",
    "pid": 42,
    "tipAmount": 100,
    "authorizationCode": "A1",
    "cardBrand": "VISA",
    "maskedPan": "4111111111111111",
    "entryMode": "contactless",
    "rrn": "123456789012",
    "stan": "000123",
    "merchantId": "M",
    "aid": "A0000000031010",
    "transactionDate": "2026-01-31T10:00:00Z",
    "merchantReceipt": "LINE 1\r\nCARD 4111111111111111\n",
    "customerReceipt": "x" * 9000,
    "declineCode": None,
    "declineMessage": "",
    "futureField": {"anything": [1]},
}


def snake(name):
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


@pytest.mark.parametrize(
    "document, body",
    [
        (DEFAULT, RESULT),
        (DEFAULT, {"data": RESULT}),
        (presets.load("flat_rpc"), {snake(name): value for name, value in RESULT.items()}),
        (presets.load("path_scoped"), {"data": {snake(name): value for name, value in RESULT.items()}}),
    ],
    ids=["camel", "nested", "snake", "nested snake"],
)
def test_fields(document, body):
    result = read("operation_result", 200, body, document)
    assert result.state == "approved"
    stated = dict(result.fields)
    receipts = stated.pop("merchant_receipt"), stated.pop("customer_receipt")
    card = stated.pop("masked_pan")
    assert stated == {
        "operation_id": "op-1",
        "reference": "R1",
        "approved_flag": True,
        "amount": Decimal("12.34"),
        "tip_amount": Decimal("1.00"),
        "currency": "EUR",
        "terminal_pid": "42",
        "pos_id": "POS",
        "authorization_code": "A1",
        "card_brand": "VISA",
        "entry_mode": "contactless",
        "rrn": "123456789012",
        "stan": "000123",
        "merchant_id": "M",
        "aid": "A0000000031010",
        "transaction_datetime": "2026-01-31T10:00:00Z",
    }
    assert card.startswith("411111") and card.endswith("1111") and "4111111111111111" not in card
    assert receipts[0].startswith("LINE 1\nCARD 411111") and "4111111111111111" not in receipts[0]
    assert len(receipts[1]) == 8192 and receipts[1].endswith("…")


def test_digits_of_the_currency():
    for digits, amount in ((0, "1234"), (2, "12.34"), (3, "1.234")):
        assert str(read("operation_result", 200, APPROVED, digits=digits).fields["amount"]) == amount


@pytest.mark.parametrize(
    "value, expected",
    [
        ("4111 1111 1111 1111", "1111"),
        ("4111111111111112", "1112"),  # Luhn is wrong: masked all the same in this field
        ("************1111", "1111"),
        ("411111******1111", "1111"),
        ("1111", "1111"),
        ("12345678901234567890", "7890"),
    ],
)
def test_a_card_number_is_masked_again(value, expected):
    card = read("operation_result", 200, {**APPROVED, "maskedPan": value}).fields["masked_pan"]
    assert card.endswith(expected) and sum(char.isdigit() for char in card) <= 10


@pytest.mark.parametrize(
    "raw, clean",
    [
        ("a\u0000b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("a\u202eb", "a\ufffdb"),
        ("  a  ", "a"),
        ("a\tb\nc", "a\tb\nc"),
        (12, "12"),
        (Decimal("1.50"), "1.50"),
        (True, ""),
        (None, ""),
        ({}, ""),
        ("x" * 128, "x" * 128),
        ("x" * 129, "x" * 127 + "…"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_text(raw, clean):
    assert fields.text(raw) == clean
    clean.encode("utf-8")


def test_a_currency_that_cannot_be_read_is_kept_for_the_comparison():
    assert read("operation_result", 200, {**APPROVED, "currency": "EURO"}).fields["currency"] == "EURO"
    assert read("operation_result", 200, {**APPROVED, "currency": 978}).fields["currency"] == "EUR"
    assert read("operation_result", 200, {**APPROVED, "currency": " eur "}).fields["currency"] == "EUR"


@pytest.mark.parametrize("flag, expected", [(True, True), ("no", False), ("maybe", None), (None, None)])
def test_approved_flag_is_a_bool_or_absent(flag, expected):
    assert (
        read("operation_result", 200, {**APPROVED, "approved": flag}).fields.get("approved_flag") is expected
    )


# -- errors


@pytest.mark.parametrize(
    "body, code, message",
    [
        ({"error": {"code": "E1", "message": "No"}}, "E1", "No"),
        ({"errors": [{"code": 7, "message": "No"}]}, "7", "No"),
        ({"error": "No"}, "", "No"),
        ({"errorCode": "E2", "userMessage": "No"}, "E2", "No"),
        ({"type": "about:blank", "title": "Bad", "detail": "No"}, "about:blank", "No"),
        ({"error": {"message": "  ", "description": "No"}}, "", "No"),
        ({"message": "card 4111111111111111"}, "", "card 411111"),
        ({"message": "x" * 600}, "", "x" * 499 + "…"),
        ([], "", ""),
        (HTML, "", ""),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_error_texts(body, code, message):
    result = read("operation_status", 500, body)
    assert result.error_code == code and result.error_message.startswith(message)
    assert "4111111111111111" not in result.error_message and len(result.error_message) <= 500


def test_an_approval_carries_no_error():
    result = read("operation_result", 200, {**APPROVED, "message": "Approved", "code": "00"})
    assert (result.error_code, result.error_message) == ("", "")
    result = read("operation_result", 200, {"status": "failed", "message": "No paper"})
    assert result.error_message == "No paper"


def test_the_document_is_not_printed():
    assert "4111" not in repr(read("operation_result", 200, {"secret": "4111111111111111"}))


# -- compare


ASKED = Asked(
    amount=Decimal("12.34"),
    currency="EUR",
    terminal_pid="TPE",
    pos_id="POS",
    reference="R1",
    operation_id="op-1",
    original_operation_id="op-0",
)
GOT = {
    "amount": Decimal("12.34"),
    "currency": "EUR",
    "terminal_pid": "TPE",
    "pos_id": "POS",
    "reference": "R1",
    "operation_id": "op-1",
    "original_operation_id": "op-0",
}


def differences(asked=ASKED, **stated):
    return [(m.field, m.asked, m.got) for m in compare(asked, Outcome("approved", fields={**GOT, **stated}))]


def test_no_difference():
    assert differences() == []
    assert compare(ASKED, Outcome("approved")) == []
    assert compare(Asked(), Outcome("approved", fields=GOT)) == []
    assert compare(Asked(currency=None, reference=None), Outcome("approved", fields=GOT)) == []


@pytest.mark.parametrize(
    "name, got",
    [
        ("operation_id", "op-2"),
        ("operation_id", "op-1\ufffd"),
        ("terminal_pid", "TPE2"),
        ("pos_id", "pos"),
        ("reference", "R2"),
        ("original_operation_id", "op-9"),
        ("currency", "USD"),
        ("currency", "EURO"),
        ("amount", Decimal("12.33")),
        ("amount", Decimal("12.35")),
        ("amount", Decimal("1234")),
        ("amount", Decimal("0")),
    ],
)
def test_each_difference(name, got):
    assert differences(**{name: got}) == [(name, getattr(ASKED, name), got)]
    assert compare(ASKED, Outcome("approved", fields={name: got})) == [
        Mismatch(name, getattr(ASKED, name), got)
    ]


@pytest.mark.parametrize(
    "got, tip, same",
    [
        ("12.34", "1.00", True),  # stated without the tip
        ("13.34", "1.00", True),  # stated with it
        ("13.35", "1.00", False),
        ("11.34", "1.00", False),
        ("13.34", None, False),
        ("13.34", "0.00", False),
    ],
)
def test_tip(got, tip, same):
    stated = {"amount": Decimal(got), **({"tip_amount": Decimal(tip)} if tip else {})}
    assert (differences(**stated) == []) is same


@pytest.mark.parametrize(
    "got, same", [("12.33", True), ("0.01", True), ("0", False), ("12.35", False), ("12.34", True)]
)
def test_partial_approval(got, same):
    asked = Asked(amount=Decimal("12.34"), partial_approval=True)
    assert (compare(asked, Outcome("approved", fields={"amount": Decimal(got)})) == []) is same


def test_the_result_of_another_operation_is_a_difference():
    result = read("operation_result", 200, {**APPROVED, "operationId": "op-2"})
    assert [m.field for m in compare(Asked(amount=Decimal("12.34"), operation_id="op-1"), result)] == [
        "operation_id"
    ]


@pytest.mark.parametrize("amount", [12.34, "12.34", 1234, Decimal("NaN"), Decimal("Infinity")])
def test_asked_is_a_finite_decimal(amount):
    with pytest.raises(ProtocolError):
        Asked(amount=amount)


@pytest.mark.parametrize("asked, got", [(None, Outcome()), (ASKED, None), ({}, {}), (ASKED, {"fields": {}})])
def test_compare_takes_its_own_types(asked, got):
    with pytest.raises(ProtocolError):
        compare(asked, got)


# -- the profile and the arguments


def test_an_invalid_profile_or_argument_is_a_protocol_error():
    for arguments in (
        ({**DEFAULT, "status_map": {"timeout": "approved"}}, "operation_status", 200, b"{}"),
        (None, "purchase", 200, b"{}"),
        (DEFAULT, "zz", 200, b"{}"),
        (DEFAULT, None, 200, b"{}"),
        (DEFAULT, "purchase", 200, b"{}", 9),
        (DEFAULT, "purchase", 200, b"{}", None),
    ):
        with pytest.raises(ProtocolError):
            outcome.read(*arguments)


# -- anything at all


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["approved", "declined", "failed", "pending", "timeout", "op-1", "EUR"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "status",
                    "state",
                    "data",
                    "approved",
                    "success",
                    "amount",
                    "operationId",
                    "id",
                    "error",
                    "message",
                    "totals",
                ]
                + ["operations", "currency", "maskedPan", "tipAmount", "code", "count", "type"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)
CODES = (
    st.sampled_from([200, 201, 202, 204, 302, 400, 401, 404, 408, 409, 422, 500, 503])
    | st.integers()
    | st.none()
)
BODY = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.none()
    | st.text(max_size=9)
)
KEYS = st.sampled_from(profile.ENDPOINT_KEYS)
NORMAL = profile.normalise(DEFAULT)


@settings(max_examples=300, deadline=None)
@given(KEYS, CODES, BODY, st.booleans(), st.booleans(), st.sampled_from(["purchase", "void", "", None, 5]))
@example("operation_result", 200, json.dumps(APPROVED).encode(), False, False, "purchase")
@example("purchase", 400, b"{}", False, False, "purchase")
def test_any_answer(key, code, body, sync, repeated, started):
    """Whatever comes: an Outcome, approved and failed only where the rules allow them."""
    result = outcome.read(
        {**NORMAL, "sync_response": sync}, key, code, body, started=started, repeated=repeated
    )
    assert result.state is None or result.state in states.STATES
    assert result.reason == "" or result.reason in outcome.REASONS
    if result.state == "approved":
        assert result.error_class is None and code in (200, 201, 202)
        assert key in profile.INQUIRY_KEYS or (sync and key in profile.START_KEYS)
        assert profile.DEFAULT_STATUS_MAP[profile.status_key(result.raw_state.split("|")[0])] == "approved"
        assert result.fields.get("approved_flag") is not False
        if key == "operation_result" and started == "purchase":
            assert result.fields["amount"] >= 0
    if result.state == "failed" and key in profile.START_KEYS and not sync:
        assert code in REFUSED and not repeated
    if key in profile.START_KEYS:
        assert result.state is not None
    compare(ASKED, result)
    for values in (result.fields, *result.rows):
        json.dumps({name: str(value) for name, value in values.items()}).encode("utf-8")
        assert all(len(value) <= 8192 for value in values.values() if isinstance(value, str))


@settings(max_examples=100, deadline=None)
@given(JSON, KEYS, CODES, BODY)
def test_any_profile(junk, key, code, body):
    with pytest.raises(ProtocolError):
        outcome.read(junk, key, code, body)
