"""Tokens, keys, devices, and the forms of answers: what is read, what is refused, what is hidden."""

import base64
import json
from dataclasses import is_dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viva import (
    access,
    answer,
    devices,
    hosts,
    jsontext,
    post,
    request,
    session,
    text,
    verdict,
    verification,
    webhook,
)
from viva.access import SCOPE, Access, Token
from viva.errors import ProtocolError
from viva.hosts import Call

SECRET = "eyJhbGciOi.JIUzI1NiJ9.s3cret"
GIVEN = {"access_token": SECRET, "token_type": "Bearer", "expires_in": 3600, "scope": SCOPE}
KEY = "B3248222FDCD7885AEAFE51CC1B5607F"


def refused(code, call, *arguments):
    with pytest.raises(ProtocolError) as caught:
        call(*arguments)
    assert caught.value.code == code
    assert "s3cret" not in str(caught.value)


def raw(value):
    return json.dumps(value).encode()


def asked_token(**changes):
    told = {**GIVEN, **changes}
    return access.read_token(200, {}, raw({name: value for name, value in told.items() if value is not None}))


# -- tokens


def test_basic():
    value = access.basic("client.apps.vivapayments.com", "s3cret:+/=")
    assert value.startswith("Basic ")
    assert base64.b64decode(value[6:]) == b"client.apps.vivapayments.com:s3cret:+/="


@pytest.mark.parametrize("part", ["", "é", "a\n", "x" * 201, None, 5, b"x", "\ud800"])
def test_credentials_that_are_none(part):
    refused("name", access.basic, part, "s3cret")
    refused("secret", access.basic, "name", part)


def test_colon_in_the_name():
    refused("name", access.basic, "a:b", "s3cret")


def test_shortest_and_longest_credentials():
    assert access.basic("x" * 200, "y" * 200)
    assert access.basic("x", "y") == "Basic eDp5"


def test_form():
    call = access.token_call()
    assert (call.verb, call.role, call.path, call.access) == ("POST", "accounts", "/connect/token", "client")
    assert access.form_body(call) == b"grant_type=client_credentials" and call.body is None
    refused("form", access.form_body, Call("GET", "www", "/", "merchant"))
    refused("form", access.form_body, None)


def test_token():
    found = asked_token()
    assert found == Access(Token(SECRET, 3600, (SCOPE,)))
    assert found.token.opens_terminals is True
    assert access.bearer(found.token) == f"Bearer {SECRET}"
    assert "s3cret" not in repr(found) and "s3cret" not in repr(found.token) and "s3cret" not in str(found)
    assert asked_token(token_type="bearer").token is not None, "letter case does not matter (RFC 6749)"


def test_scopes():
    assert asked_token(scope=f"other {SCOPE}").reason == ""
    missing = asked_token(scope="urn:viva:payments:core:api:redirectcheckout")
    assert (missing.reason, missing.wrong) == ("no_terminal_scope", False)
    assert missing.token.opens_terminals is False
    for scope in (None, "", 5, [], {}):
        found = asked_token(scope=scope)
        assert (found.reason, found.token.opens_terminals, found.token.scopes) == ("", None, ())
    assert asked_token(scope=[SCOPE, 5]).token.scopes == (SCOPE,)
    # a longer name is another scope
    assert asked_token(scope=SCOPE + ":x").token.opens_terminals is False


@pytest.mark.parametrize(("seconds", "usable"), [(3600, 3540), (120, 60), (100, 50), (1, 0), (119, 59)])
def test_a_token_is_not_used_to_its_end(seconds, usable):
    assert asked_token(expires_in=seconds).token.usable_for == usable


@pytest.mark.parametrize(
    "changes",
    [
        *({"access_token": value} for value in (None, "", 5, "a b", "a\nb", "é", "x" * 8193)),
        *({"token_type": value} for value in (None, "", "MAC", 5)),
        *({"expires_in": value} for value in (None, 0, -1, "3600", 3600.5, True, 30 * 24 * 3600 + 1)),
    ],
    ids=repr,
)
def test_tokens_that_are_none(changes):
    assert asked_token(**changes) == Access(None, "token_unreadable")


def test_extremes_of_a_token():
    assert asked_token(expires_in=30 * 24 * 3600).token.expires_in == 2592000
    assert asked_token(access_token="x" * 8192).token is not None
    assert asked_token(access_token="x").token is not None


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"5", None, 5])
def test_answers_without_a_token(body):
    assert access.read_token(200, {}, body) == Access(None, "token_unreadable")


@pytest.mark.parametrize(
    ("status", "body", "reason", "wrong"),
    [
        (400, {"error": "invalid_client"}, "credentials", True),
        (400, {"error": "unauthorized_client"}, "credentials", True),
        (401, {}, "credentials", True),
        (400, {"error": "invalid_scope"}, "token_refused", True),
        (400, [], "token_refused", True),
        (400, {"error": ["invalid_client"]}, "token_refused", True),
        (403, {"error": "invalid_client"}, "access_blocked", False),
        (429, {}, "token_unavailable", False),
        (500, {"error": "invalid_client"}, "token_unavailable", False),
        (503, {}, "token_unavailable", False),
        (301, {}, "token_unavailable", False),
        (201, GIVEN, "token_unavailable", False),
        (None, {}, "token_unavailable", False),
        ("200", GIVEN, "token_unavailable", False),
        (True, GIVEN, "token_unavailable", False),
    ],
)
def test_refusals_of_a_token(status, body, reason, wrong):
    found = access.read_token(status, {}, raw(body))
    assert (found.token, found.reason, found.wrong) == (None, reason, wrong)


def test_words_of_a_refusal():
    told = {"error": "invalid_client", "error_description": "Unknown client"}
    assert access.read_token(400, {}, raw(told)).detail == "Unknown client"
    assert access.read_token(400, {}, raw({"error": "invalid_client"})).detail == "invalid_client"
    assert access.read_token(403, {}, raw({"error": "waf"})).detail == "waf"


@pytest.mark.parametrize("token", [None, SECRET, Token("", 1), Token("a\nb", 1), Token(5, 1)])
def test_no_bearer(token):
    refused("token", access.bearer, token)


# -- the webhook's key


def test_webhook_key():
    found = verification.read_webhook_key(200, {}, raw({"Key": KEY}))
    assert (found.key, found.reason, found.wrong) == (KEY, "", False)
    assert KEY not in repr(found)
    assert json.loads(verification.verification_body(KEY)) == {"Key": KEY}


@pytest.mark.parametrize(
    ("status", "body", "reason", "wrong"),
    [
        (401, b"", "merchant_credentials", True),
        (403, b"", "merchant_credentials", True),
        (403, b"<html>Request blocked</html>", "access_blocked", False),
        (404, raw({"Key": KEY}), "service_error", False),
        (500, b"", "service_error", False),
        (None, b"", "no_answer", False),
        (200, b"", "unreadable", False),
        (200, raw([KEY]), "unreadable", False),
        (200, raw({"key": KEY}), "unreadable", False),
        (200, raw({"Key": None}), "unreadable", False),
        (200, raw({"Key": "short"}), "unreadable", False),
        (200, raw({"Key": "a b c d e f"}), "unreadable", False),
        (200, raw({"Key": "x" * 201}), "unreadable", False),
    ],
)
def test_no_webhook_key(status, body, reason, wrong):
    found = verification.read_webhook_key(status, {}, body)
    assert (found.key, found.reason, found.wrong) == ("", reason, wrong)


@pytest.mark.parametrize("key", ["", None, False, "short", "x" * 201, "a b c d e", KEY + "\n"])
def test_nothing_is_answered_without_a_key(key):
    refused("key", verification.verification_body, key)


# -- devices


def test_devices_as_they_come():
    rows = [
        {"terminalId": 16000010, "statusId": 1, "sourceCode": None},
        {"terminalId": "16000011", "statusId": 9},
        {"terminalId": "16000012", "statusId": True},
        {"terminalId": "16000011", "statusId": 7},
        *({"terminalId": ""}, {"statusId": 1}, "x", None, {"terminalId": ["1"]}),
    ]
    found = devices.read_devices(200, {}, raw(rows))
    assert [(one.terminal, one.status, one.is_live) for one in found.devices] == [
        *(("16000010", "live", True), ("16000011", "locked", False)),
        ("16000012", "", False),
    ]
    assert (found.reason, found.unreadable) == ("", 6)
    assert found.devices[0].merchant == "", "told to ISV credentials only"
    assert devices.read_devices(200, {}, b"[]") == devices.Devices()


def test_statuses():
    rows = [{"terminalId": number + 1, "statusId": number} for number in range(8)]
    assert [one.status for one in devices.read_devices(200, {}, raw(rows)).devices] == [
        *("warehouse", "live", "ready_to_ship", "in_stock", "key_injection", "lost", "broken", "locked"),
    ]


def test_a_flood_of_devices():
    rows = [{"terminalId": number} for number in range(1, devices.MAX_DEVICES + 3)]
    found = devices.read_devices(200, {}, raw(rows))
    assert (len(found.devices), found.unreadable) == (devices.MAX_DEVICES, 2)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        *((401, b"", "access_refused"), (403, b"", "access_denied"), (429, b"", "service_busy")),
        *((503, b"", "service_busy"), (500, b"", "service_error"), (None, b"", "no_answer")),
        *((200, b"", "unreadable"), (200, b"{}", "unreadable"), (200, b"<html>", "unreadable")),
        (404, raw([{"terminalId": "1"}]), "service_error"),
    ],
)
def test_no_devices(status, body, reason):
    found = devices.read_devices(status, {}, body)
    assert (found.devices, found.reason) == ((), reason)


def test_words_about_no_devices():
    assert devices.read_devices(401, {}, raw({"detail": "Could not validate"})).detail == "Could not validate"


# -- answers


class Headers(dict):
    """Headers in other letter case, as an HTTP client has them."""


@pytest.mark.parametrize(
    ("headers", "event", "correlation"),
    [
        ({"X-Viva-EventId": "1201", "X-Viva-CorrelationId": "23-112-DAE"}, 1201, "23-112-DAE"),
        ({"x-viva-eventid": " 1201 ", "x-viva-correlationid": "23"}, 1201, "23"),
        (Headers({"X-VIVA-EVENTID": "0"}), 0, ""),
        ({"X-Viva-EventId": "12x"}, None, ""),
        ({"X-Viva-EventId": "1234567"}, None, ""),
        ({"X-Viva-EventId": "١٢٠١"}, None, ""),
        ({"X-Viva-EventId": "-1"}, None, ""),
        ({"X-Viva-EventId": 1201}, None, ""),
        ({"X-Viva-EventId": "1201", "x-viva-eventid": "1204"}, None, ""),
        ({"x-viva-correlationid": "a\nb"}, None, ""),
        ({"x-viva-correlationid": "x" * 101}, None, ""),
        ({5: "x"}, None, ""),
        (None, None, ""),
        ([("X-Viva-EventId", "1201")], None, ""),
        (dict, None, ""),
    ],
)
def test_headers(headers, event, correlation):
    found = answer.read(200, headers, b"")
    assert (found.event, found.correlation) == (event, correlation)


@pytest.mark.parametrize(
    ("body", "form", "document"),
    [
        *((b"", "empty", None), (None, "empty", None), (b" \r\n", "empty", None), ("", "empty", None)),
        *((b"{}", "json", {}), ("[1]", "json", [1]), (bytearray(b"5"), "json", 5), (b"null", "json", None)),
        *((bytearray(b" "), "empty", None), (bytearray(b"<html>"), "html", None), (b"<html>", "html", None)),
        *((" \n<!DOCTYPE", "html", None), (b"\xff", "other", None)),
        *((b"OK", "other", None), (5, "other", None), ({}, "other", None), (b'{"a":1,"a":2}', "other", None)),
    ],
)
def test_bodies(body, form, document):
    found = answer.read(200, {}, body)
    assert (found.form, found.document) == (form, document)


@pytest.mark.parametrize(
    ("status", "accepted"), [(199, False), (200, True), (299, True), (300, False), (0, False)]
)
def test_accepted(status, accepted):
    assert answer.read(status, {}, b"").accepted is accepted
    assert answer.read(str(status), {}, b"").accepted is False


def test_detail():
    def detail(document):
        return answer.read(400, {}, raw(document)).detail

    assert detail({"detail": "No", "Message": "Other"}) == "No"
    assert detail({"detail": None, "message": "No"}) == "No"
    assert detail({"detail": {"a": 1}}) == detail([]) == detail({"error": 5}) == ""
    assert detail({"Message": "card 4111111111111111 is bad"}) == "card ************1111 is bad"
    assert len(detail({"detail": "x" * 9999})) == text.MAX_TEXT


def test_problems():
    rows = [
        {"type": "missing", "loc": ["body", "terminalId"], "msg": "Field required", "input": {"x": "s3cret"}},
        {"type": "int_type", "loc": ["body", "isvDetails", 0, "amount"], "msg": "not an integer"},
        *({}, "x", {"type": 5, "loc": "body", "msg": None}, {"loc": ["body", None, ["x"], "a\nb"]}),
    ]
    found = answer.read(400, {}, raw({"detail": rows}))
    assert found.problems == (
        answer.Problem("terminalId", "missing", "Field required"),
        answer.Problem("isvDetails.0.amount", "int_type", "not an integer"),
        *(answer.Problem("", "", ""),) * 2,
        answer.Problem("a b", "", ""),
    )
    assert found.detail.startswith("terminalId: Field required; isvDetails.0.amount: not an integer")
    assert "s3cret" not in repr(found)
    assert len(answer.read(400, {}, raw({"detail": [{}] * 99})).problems) == answer.MAX_PROBLEMS


def test_document_does_not_show():
    assert "s3cret" not in repr(answer.read(200, {}, raw({"access_token": "s3cret"})))


# -- JSON


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": 42.10}', {"a": Decimal("42.10")}),
        (b"\xef\xbb\xbf[1, true, null]", [1, True, None]),
        (b"[" * 32 + b"]" * 32, None),
        (b"9" * 40, int("9" * 40)),
        (b"1e2", Decimal("1e2")),
    ],
    ids=range(5),
)
def test_json(data, expected):
    found = jsontext.loads(data)
    assert expected is None or repr(found) == repr(expected)


NO_JSON = [
    *(
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b'{"a":1,"a":1}',
        b"\xff",
        b"9" * 41,
        b"0." + b"1" * 40,
    ),
    *(b"[" * 33 + b"]" * 33, b"[" * 100000, b'{"a":' * 33 + b"1" + b"}" * 33, b"1e9999999999999999999"),
    *(b" " * (jsontext.MAX_BYTES + 1), None, 5, ["{}"], "\ud800", '"\ud800"'),
]


@pytest.mark.parametrize("data", NO_JSON, ids=lambda data: repr(data)[:20])
def test_no_json(data):
    refused("unreadable", jsontext.loads, data)


def test_largest_json():
    assert jsontext.loads(b"1" + b" " * (jsontext.MAX_BYTES - 1)) == 1
    refused("unreadable", jsontext.loads, b"1" + b" " * jsontext.MAX_BYTES)


@given(st.binary() | st.text())
def test_any_bytes_are_json_or_refused(data):
    try:
        jsontext.loads(data)
    except ProtocolError as error:
        assert error.code == "unreadable"


def test_parsed_by_somebody_else():
    told = {"a": [1, 42.1, Decimal("1.50"), True, None, "x", {}]}
    found = jsontext.exact(told)
    assert repr(found) == "{'a': [1, Decimal('42.1'), Decimal('1.50'), True, None, 'x', {}]}"
    assert jsontext.exact(10**40 - 1) == 10**40 - 1
    assert jsontext.exact(Decimal("1." + "1" * 39)) == Decimal("1." + "1" * 39)


NOT_PARSED = [
    *({5: 1}, {"a": (1,)}, {"a": b"x"}, float("nan"), float("inf"), Decimal("NaN"), 10**40, {1, 2}, object()),
    Decimal("1." + "1" * 40),
]


@pytest.mark.parametrize("told", NOT_PARSED, ids=lambda told: repr(told)[:20])
def test_what_json_does_not_have(told):
    refused("unreadable", jsontext.exact, told)


def test_depth_of_what_is_parsed():
    deep = []
    for _level in range(31):
        deep = [deep]
    assert jsontext.exact(deep) == deep
    refused("unreadable", jsontext.exact, [deep])
    endless = []
    endless.append(endless)
    refused("unreadable", jsontext.exact, endless)
    endless.append(endless)
    refused("unreadable", jsontext.exact, endless)


# -- what all have in common


def test_nothing_that_was_read_can_be_changed():
    modules = [access, answer, devices, hosts, post, request, session, verdict, verification, webhook]
    kinds = {kind for module in modules for kind in vars(module).values() if is_dataclass(kind)}
    assert len(kinds) == 18 and all(kind.__dataclass_params__.frozen for kind in kinds)


def test_answers_do_not_show():
    """They hold what was received, card numbers and all."""
    body = raw({"detail": "s3cret"})
    for found in (
        post.classify_post(400, {}, body),
        post.classify_abort(400, {}, body),
        session.classify_session(400, body),
    ):
        assert found.answer.detail == "s3cret" and "s3cret" not in repr(found)


# -- texts


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("537489******1234", "537489******1234"),
        ("414746XXXXXX0133", "414746******0133"),
        ("4147 46xx xxxx 0133", "414746******0133"),
        ("**** **** **** 0133", "************0133"),
        ("1234", "1234"),
        ("", ""),
        ("12345", ""),
        ("4111111111111111", ""),
        ("41111111111", ""),
        ("4111111111", ""),
        ("41474612345*", ""),
        ("41111*11111*11111", ""),
        ("4111-1111-1111-1111", ""),
        ("4147461******0133", ""),
        ("414746******0133=2512", ""),
        ("٤١٤٧٤٦******٠١٣٣", ""),
        ("VISA 0133", ""),
        ("*" * 41, ""),
        (None, ""),
        (4111111111111111, ""),
    ],
)
def test_masked_pan(told, expected):
    assert text.masked_pan(told) == expected


@given(st.text("0123456789*xX#• .-", max_size=45))
def test_a_card_number_never_shows(told):
    assert sum(char.isdigit() for char in text.masked_pan(told)) <= 10


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("card 4111 1111 1111 1111!", "card **** **** **** 1111!"),
        ("4111\n1111 \t 1111\x001111", "**** **** **** 1111"),
        (" " * 1590 + "4111111111111111", "************1111"),
        ("x" * 390 + " 4111111111111111", "x" * 390 + " *********"),
        ("order 12345678901", "order 12345678901"),
        ("order 123456789012", "order ********9012"),
        (" a\n\tb\x00c ", "a b c"),
        (None, ""),
        (5, ""),
    ],
)
def test_said(told, expected):
    assert text.said(told) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        *(
            ("abc", "abc"),
            (" abc ", "abc"),
            (16000010, "16000010"),
            (0, "0"),
            (-1, ""),
            (True, ""),
            (1.5, ""),
        ),
        *((None, ""), ("x" * 100, "x" * 100), ("x" * 101, ""), ("a\nb", ""), ("\ud800", ""), ([], "")),
        *((10**40, ""), ("a\x00", "")),
    ],
)
def test_identifier(told, expected):
    assert text.identifier(told) == expected


@given(st.text(), st.integers(0, 50))
def test_clean(told, limit):
    found = text.clean(told, limit)
    assert len(found) <= limit and found == found.strip() and found.isprintable()
    assert "\ud800" not in found
    assert found.encode("utf-8") is not None


def test_clean_keeps_what_is_plain():
    assert text.clean("Café  n°1", 100) == "Café n°1"
    assert text.clean("abcdef", 3) == "abc" and text.clean(None, 3) == text.clean(5, 3) == ""
