"""Requests: exactly what leaves, and everything that must never leave."""

import base64
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import presets
from api.errors import ProtocolError
from api.request import Credentials, Request, build

WHO = Credentials("s3cret-key", "POS-1", "TPE-9")
PAY = {
    "amount": Decimal("12.30"),
    "digits": 2,
    "currency": "EUR",
    "reference": "R/1",
    "idempotency_key": "k-1",
}
OPERATION = {
    **PAY,
    "operation_id": "op/1",
    "original_operation_id": "op-0",
    "period": "daily",
    "date": "2026-01-31",
}


def make(key="purchase", values=PAY, who=WHO, preset="default", user_agent="", **changes):
    return build({**presets.load(preset), **changes}, key, values, who, user_agent)


def body(request):
    return json.loads(request.body)


def refused(code, **arguments):
    with pytest.raises(ProtocolError) as caught:
        make(**arguments)
    assert caught.value.code == code
    assert "s3cret" not in str(caught.value) + repr(caught.value.params)
    return caught.value


def test_purchase():
    request = make(user_agent="Odoo/19.0 paypercloud_servipay/1.0.0")
    assert (request.method, request.path, request.query) == ("POST", "/api/v2/operations/purchase", [])
    assert body(request) == {
        "posId": "POS-1",
        "pid": "TPE-9",
        "amount": 1230,
        "currency": "EUR",
        "reference": "R/1",
        "idempotencyKey": "k-1",
    }
    assert request.headers == {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": "Odoo/19.0 paypercloud_servipay/1.0.0",
        "Idempotency-Key": "k-1",
        "Authorization": "Bearer s3cret-key",
    }
    assert request.retry == "not_sent" and isinstance(request.body, bytes)


@pytest.mark.parametrize(
    "preset, key, call",
    [
        ("default", "refund", "POST /api/v2/operations/refund"),
        ("default", "void", "POST /api/v2/operations/void"),
        ("default", "reconciliation", "POST /api/v2/operations/reconciliation"),
        ("default", "operation_status", "GET /api/v2/operations/op%2F1/status"),
        ("default", "operation_result", "GET /api/v2/operations/op%2F1/result"),
        ("default", "operation_cancel", "POST /api/v2/operations/op%2F1/cancel"),
        ("default", "operations_list", "GET /api/v2/operations"),
        ("default", "last_reconciliation", "GET /api/v2/reconciliations/last"),
        ("flat_rpc", "operation_status", "POST /api/v2/operation-status"),
        ("flat_rpc", "last_reconciliation", "POST /api/v2/last-reconciliation"),
        ("path_scoped", "purchase", "POST /api/v2/pos/POS-1/terminals/TPE-9/operations/purchase"),
        ("path_scoped", "operations_list", "GET /api/v2/pos/POS-1/terminals/TPE-9/operations"),
    ],
)
def test_calls(preset, key, call):
    request = make(key, OPERATION, preset=preset)
    assert f"{request.method} {request.path}" == call
    assert (request.body is None) == (request.method == "GET")
    assert ("Content-Type" in request.headers) == (request.method != "GET")
    # a key on a read would make a cache of it
    assert ("Idempotency-Key" in request.headers) == (request.method != "GET")


def test_query_pairs_in_order_and_dropped_when_empty():
    request = make("operations_list", {"period": "weekly"})
    assert request.query == [("pos_pid", "POS-1"), ("tpe_pid", "TPE-9"), ("period", "weekly")]


def test_amount_in_a_query_is_text():
    document = presets.load("default")
    document["endpoints"]["purchase"]["query"] = {"a": "{amount}"}
    assert build(document, "purchase", PAY, WHO).query == [("a", "1230")]


def test_flat_preset():
    assert body(make("operation_result", OPERATION, preset="flat_rpc")) == {
        "pos_pid": "POS-1",
        "tpe_pid": "TPE-9",
        "operation_id": "op/1",
    }


def test_an_empty_body_is_still_a_body():
    request = make("operation_cancel", OPERATION, preset="path_scoped")
    assert request.body == b"{}" and request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "fmt, digits, amount, expected",
    [
        ("minor_int", 2, "12.30", 1230),
        ("minor_int", 0, "1230", 1230),
        ("minor_int", 3, "1.230", 1230),
        ("minor_str", 2, "12.30", "1230"),
        ("decimal_num", 2, "12.30", 12.3),
        ("decimal_str", 2, "12.3", "12.30"),
    ],
)
def test_amount_formats(fmt, digits, amount, expected):
    request = make(values={**PAY, "amount": Decimal(amount), "digits": digits}, amount_format=fmt)
    assert body(request)["amount"] == expected and type(body(request)["amount"]) is type(expected)


@pytest.mark.parametrize("fmt, expected", [("alpha", "EUR"), ("numeric", "978"), ("none", None)])
def test_currency_formats(fmt, expected):
    assert body(make(currency_format=fmt)).get("currency") == expected


def test_values_win_over_credentials_unless_empty():
    assert body(make(values={**PAY, "terminal_pid": "TPE-2", "pos_id": ""}))["pid"] == "TPE-2"
    assert body(make(values={**PAY, "terminal_pid": None}))["pid"] == "TPE-9"


@pytest.mark.parametrize(
    "auth, name, value",
    [
        ({"scheme": "bearer", "header": "Authorization"}, "Authorization", "Bearer s3cret-key"),
        ({"scheme": "header", "header": "X-Api-Key"}, "X-Api-Key", "s3cret-key"),
        ({"scheme": "basic"}, "Authorization", "Basic " + base64.b64encode(b"s3cret-key:").decode()),
    ],
)
def test_authentication(auth, name, value):
    headers = make(auth=auth).headers
    assert headers[name] == value
    assert sum("s3cret" in text or text.startswith("Basic") for text in headers.values()) == 1


def test_basic_with_a_password():
    request = make(who=Credentials("user:pass", "P", "T"), auth={"scheme": "basic"})
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"user:pass").decode()


def test_static_headers_replace_whatever_the_letter_case():
    headers = make(headers={"accept": "application/vnd.x+json", "X-Tenant": "t"}, user_agent="me").headers
    assert headers["accept"] == "application/vnd.x+json" and headers["X-Tenant"] == "t"
    assert "Accept" not in headers and headers["User-Agent"] == "me"


def test_authentication_stands_against_every_other_header():
    headers = make(auth={"scheme": "header", "header": "accept"}).headers
    assert headers["accept"] == "s3cret-key" and "Accept" not in headers


@pytest.mark.parametrize(
    "preset, key, changes, values, retry",
    [
        ("default", "purchase", {}, PAY, "not_sent"),
        ("default", "purchase", {"honours_idempotency": True}, PAY, "always"),
        ("default", "void", {"honours_idempotency": True}, OPERATION, "always"),
        ("default", "purchase", {"honours_idempotency": True}, {**PAY, "idempotency_key": ""}, "not_sent"),
        ("default", "purchase", {"honours_idempotency": True, "idempotency_header": ""}, PAY, "always"),
        ("default", "operation_cancel", {"honours_idempotency": True}, OPERATION, "not_sent"),
        ("default", "operation_status", {}, OPERATION, "always"),
        ("default", "operations_list", {}, OPERATION, "always"),
        ("flat_rpc", "operation_status", {}, OPERATION, "always"),
        ("flat_rpc", "operation_cancel", {}, OPERATION, "not_sent"),
        ("flat_rpc", "purchase", {}, PAY, "not_sent"),
    ],
)
def test_retry(preset, key, changes, values, retry):
    assert make(key, values, preset=preset, **changes).retry == retry


def test_a_key_that_is_not_sent_does_not_make_a_repetition_safe():
    document = {**presets.load("default"), "honours_idempotency": True, "idempotency_header": ""}
    del document["endpoints"]["purchase"]["body"]["idempotencyKey"]
    assert build(document, "purchase", PAY, WHO).retry == "not_sent"


@pytest.mark.parametrize("key", ["purchase", "refund"])
def test_unfindable(key):
    document = presets.load("default")
    document["endpoints"][key]["body"]["reference"] = "{reference?}"
    values = {name: PAY[name] for name in ("amount", "digits", "currency")}
    with pytest.raises(ProtocolError) as caught:
        build(document, key, values, WHO)
    assert caught.value.code == "unfindable"
    assert build(document, key, {**values, "idempotency_key": "k"}, WHO)
    assert build(document, key, {**values, "reference": "r"}, WHO)


@pytest.mark.parametrize(
    "values, code",
    [
        ({**PAY, "amount": 12.3}, "amount"),
        ({**PAY, "amount": "12.30"}, "amount"),
        ({**PAY, "amount": 1230}, "amount"),
        ({**PAY, "amount": Decimal("12.305")}, "amount"),
        ({**PAY, "amount": Decimal("-1")}, "amount"),
        ({**PAY, "amount": Decimal("0.00")}, "amount"),
        ({**PAY, "amount": Decimal("NaN")}, "amount"),
        ({**PAY, "amount": None}, "missing_variable"),
        ({**PAY, "digits": None}, "digits"),
        ({**PAY, "digits": "2"}, "digits"),
        ({**PAY, "currency": "EURO"}, "currency"),
        ({**PAY, "reference": ""}, "missing_variable"),
        ({**PAY, "reference": {"a": 1}}, "value"),
        ({**PAY, "reference": True}, "value"),
        ({**PAY, "reference": "a\r\nb"}, "value"),
        ({**PAY, "idempotency_key": "é"}, "header_value"),
        ({**PAY, "idempotency_key": " k"}, "header_value"),
        ({**PAY, "surprise": "x"}, "unknown_variable"),
        ({**PAY, "api_key": "x"}, "unknown_variable"),
        ({**PAY, 5: "x"}, "unknown_variable"),
        (None, "value"),
        ([], "value"),
    ],
    ids=repr,
)
def test_values_that_are_refused(values, code):
    refused(code, values=values)


@pytest.mark.parametrize(
    "who, code",
    [
        (None, "credentials"),
        ({"api_key": "s3cret-key"}, "credentials"),
        (Credentials("", "P", "T"), "header_value"),
        (Credentials(None, "P", "T"), "header_value"),
        (Credentials("s3cret key\r\nX: y", "P", "T"), "header_value"),
        (Credentials("s3cret é", "P", "T"), "header_value"),
        (Credentials("s3cret", "", "T"), "missing_variable"),
        (Credentials("s3cret", ["P"], "T"), "value"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_credentials_that_are_refused(who, code):
    refused(code, who=who)


@pytest.mark.parametrize("agent", ["a\r\nb", "é", "x" * 501, 5, ["x"]])
def test_user_agent_is_checked(agent):
    refused("header_value", user_agent=agent)


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_an_operation_id_that_would_change_the_path(value):
    with pytest.raises(ProtocolError):
        make("operation_status", {**OPERATION, "operation_id": value})


def test_invalid_profile_and_absent_endpoint():
    refused("path_start", base_path="x")
    refused("missing", key="nothing")
    refused("missing", key=None)
    document = presets.load("default")
    del document["endpoints"]["void"]
    with pytest.raises(ProtocolError):
        build(document, "void", OPERATION, WHO)


def test_a_number_of_the_template_that_was_read_exactly():
    document = presets.load("default")
    document["endpoints"]["purchase"]["body"]["version"] = Decimal("1.5")
    assert body(build(document, "purchase", PAY, WHO))["version"] == 1.5


def test_the_key_is_never_printed():
    for text in (repr(WHO), str(WHO), f"{make()}", repr(make())):
        assert "s3cret" not in text and "POS-1" in text or "Request" in text and "s3cret" not in text
    assert "R/1" not in repr(make())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*OPERATION, "pos_id", "terminal_pid", "zz"])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(presets.preset_names()),
    st.sampled_from(list(presets.load("default")["endpoints"])) | JSON,
    st.dictionaries(NAMES, JSON, max_size=3),
    st.builds(Credentials, JSON | st.just("k"), JSON | st.just("p"), JSON | st.just("t")) | JSON,
    st.just("") | JSON,
)
def test_anything_gives_a_request_or_a_protocol_error(preset, key, values, who, agent):
    try:
        request = build(presets.load(preset), key, {**OPERATION, **values}, who, agent)
    except ProtocolError:
        return
    assert isinstance(request, Request) and request.path.startswith("/api/v2/") and request.path.isascii()
    assert all(
        isinstance(text, str) and "\n" not in text and "\r" not in text for text in request.headers.values()
    )
    assert request.body is None or isinstance(json.loads(request.body), dict)
