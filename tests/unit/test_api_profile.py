"""Profiles: every error is found and names its place; nothing that may pass can make doubt certain."""

import contextlib
import copy
import json
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import presets, profile
from api.errors import ProtocolError

ABSENT = object()


def document(**changes):
    """The default preset with values set at dotted places ("__" between keys); ABSENT deletes."""
    result = presets.load("default")
    for place, value in changes.items():
        put(result, place.split("__"), value)
    return result


def put(node, keys, value):
    for key in keys[:-1]:
        node = node[key]
    if value is ABSENT:
        del node[keys[-1]]
    else:
        node[keys[-1]] = value


def errors(**changes):
    return [(error.field, error.code) for error in profile.validate(document(**changes))]


MINIMAL = {
    "format": profile.FORMAT,
    "endpoints": {
        "purchase": {
            "method": "POST",
            "path": "/pay",
            "body": {"amount": "{amount}"},
            "response": {"operation_id": ["id"]},
        },
        "operation_status": {
            "method": "GET",
            "path": "/{operation_id}",
            "response": {"status": ["s"], "amount": ["a"]},
        },
    },
}


def test_nine_endpoints_in_the_published_order():
    assert profile.ENDPOINT_KEYS == (
        "purchase",
        "refund",
        "void",
        "reconciliation",
        "operation_status",
        "operation_result",
        "operation_cancel",
        "operations_list",
        "last_reconciliation",
    )
    assert profile.START_KEYS == {"purchase", "refund", "void", "reconciliation"}


def test_moves_money():
    assert {key for key in profile.ENDPOINT_KEYS if profile.moves_money(key)} == profile.START_KEYS
    assert not profile.moves_money([]) and not profile.moves_money(None)


@pytest.mark.parametrize(
    "word", "timeout timed_out Expired unreachable OFFLINE error terminal-error unknown".split()
)
def test_words_of_doubt_are_unknown(word):
    assert profile.DEFAULT_STATUS_MAP[profile.status_key(word)] == "unknown"


@pytest.mark.parametrize(
    "word, state",
    [
        ("accepted", "pending"),
        ("in_progress", "pending"),
        ("waiting_for_card", "pending"),
        ("Approved", "approved"),
        ("not_authorized", "declined"),
        ("user cancelled", "cancelled"),
        ("voided", "cancelled"),
        ("ko", "failed"),
        ("reversed", "reversed"),
    ],
)
def test_default_words(word, state):
    assert profile.DEFAULT_STATUS_MAP[profile.status_key(word)] == state


def test_a_minimal_profile_gets_every_default():
    assert profile.validate(MINIMAL) == []
    before = copy.deepcopy(MINIMAL)
    result = profile.normalise(MINIMAL)
    assert MINIMAL == before
    assert list(result["endpoints"]) == ["purchase", "operation_status"]
    assert result["endpoints"]["purchase"]["success_codes"] == [200, 201, 202]
    assert result["endpoints"]["operation_status"] == {
        "name": "Operation status",
        "method": "GET",
        "path": "/{operation_id}",
        "query": {},
        "body": None,
        "success_codes": [200],
        "response": {"status": ["s"], "amount": ["a"]},
        "retry_safe": False,
        "help": "",
    }
    for key, value in profile.DEFAULTS.items():
        assert result[key] == value
    assert result["require_amount"] is True and result["honours_idempotency"] is False


def test_normalise_shares_nothing_with_the_defaults():
    profile.normalise(MINIMAL)["status_map"]["timeout"] = "approved"
    profile.normalise(MINIMAL)["poll"]["first"] = 0
    profile.normalise(MINIMAL)["endpoints"]["purchase"]["success_codes"].append(500)
    profile.normalise(MINIMAL)["pending_http_codes"].append(500)
    profile.normalise(MINIMAL)["endpoints"]["purchase"]["response"]["operation_id"].append("x")
    again = profile.normalise(MINIMAL)
    assert again["pending_http_codes"] == [202, 404]
    assert again["endpoints"]["purchase"]["response"] == {"operation_id": ["id"]}
    assert again["status_map"]["timeout"] == "unknown" and again["poll"]["first"] == 2
    assert again["endpoints"]["purchase"]["success_codes"] == [200, 201, 202]


def test_normalise_fills_inner_objects_and_words():
    result = profile.normalise(
        {**MINIMAL, "poll": {"slow": 9}, "auth": {"scheme": "basic"}, "status_map": {"All-Good ": "approved"}}
    )
    assert result["poll"] == {"first": 2, "slow": 9, "deadline": 180}
    assert result["auth"] == {"scheme": "basic", "header": "Authorization"}
    assert result["status_map"] == {"allgood": "approved"}


def test_normalise_is_idempotent():
    once = profile.normalise(document())
    assert profile.normalise(once) == once


def test_normalise_puts_endpoints_in_order():
    shuffled = document()
    shuffled["endpoints"] = dict(reversed(shuffled["endpoints"].items()))
    assert tuple(profile.normalise(shuffled)["endpoints"]) == profile.ENDPOINT_KEYS


def test_normalise_raises_the_first_error():
    with pytest.raises(ProtocolError) as caught:
        profile.normalise(document(base_path="v2", amount_format="euros"))
    assert caught.value.field == "base_path"


@pytest.mark.parametrize(
    "changes, expected",
    [
        # top level
        ({"format": "servipay-api-profile/2"}, [("format", "format")]),
        ({"format": ABSENT}, [("format", "missing")]),
        ({"endpoints": ABSENT}, [("endpoints", "missing")]),
        ({"endpoints": {}}, [("endpoints", "empty")]),
        ({"endpoints": []}, [("endpoints", "type")]),
        ({"surprise": 1}, [("surprise", "unknown_key")]),
        ({"name": 5}, [("name", "type")]),
        ({"name": "x" * 101}, [("name", "too_long")]),
        ({"note": "a\x00b"}, [("note", "control_character")]),
        ({"note": "a\nb"}, []),
        ({"verified_with_vendor": 1}, [("verified_with_vendor", "type")]),
        ({"sync_response": "yes"}, [("sync_response", "type")]),
        ({"amount_format": "euros"}, [("amount_format", "choice")]),
        ({"amount_format": []}, [("amount_format", "choice")]),
        ({"currency_format": None}, [("currency_format", "choice")]),
        # base path
        ({"base_path": ""}, []),
        ({"base_path": "/v2/"}, [("base_path", "base_path")]),
        ({"base_path": "/{pos_id}"}, [("base_path", "base_path")]),
        ({"base_path": "v2"}, [("base_path", "path_start")]),
        ({"base_path": None}, [("base_path", "type")]),
        ({"base_path": "/a/../b"}, [("base_path", "path_segment")]),
        # authentication and headers
        ({"auth": {"scheme": "digest"}}, [("auth.scheme", "choice")]),
        ({"auth": {"header": "X Key"}}, [("auth.header", "header_name")]),
        ({"auth": {"header": "Host"}}, [("auth.header", "header_barred")]),
        ({"auth": {"user": "x"}}, [("auth.user", "unknown_key")]),
        ({"auth": "bearer"}, [("auth", "type")]),
        ({"headers": {"X-A": "b c"}}, []),
        ({"headers": {"Bad Name": "x"}}, [("headers.Bad Name", "header_name")]),
        ({"headers": {"X-A": "a\r\nHost: evil"}}, [("headers.X-A", "header_value")]),
        ({"headers": {"X-A": "a\n"}}, [("headers.X-A", "header_value")]),
        ({"headers": {"X-A": " a"}}, [("headers.X-A", "header_value")]),
        ({"headers": {"X-A": "é"}}, [("headers.X-A", "header_value")]),
        ({"headers": {"X-A": ""}}, [("headers.X-A", "header_value")]),
        ({"headers": {"X-A": 5}}, [("headers.X-A", "header_value")]),
        ({"headers": {"X-A": "x" * 501}}, [("headers.X-A", "header_value")]),
        ({"headers": {f"X-{n}": "x" for n in range(21)}}, [("headers", "type")]),
        ({"headers": []}, [("headers", "type")]),
        ({"headers": {"x-a": "1", "X-A": "2"}}, [("headers.X-A", "header_twice")]),
        ({"headers": {"idempotency-key": "1"}}, [("headers.idempotency-key", "header_twice")]),
        ({"auth": {"header": "Idempotency-Key"}}, [("auth.header", "header_twice")]),
        ({"auth": {"header": "X-Key"}, "headers": {"x-key": "1"}}, [("headers.x-key", "header_twice")]),
        ({"idempotency_header": "Bad:Name"}, [("idempotency_header", "header_name")]),
        ({"idempotency_header": "Content-Length"}, [("idempotency_header", "header_barred")]),
        ({"idempotency_header": None}, [("idempotency_header", "header_name")]),
        # codes
        ({"pending_http_codes": [99]}, [("pending_http_codes.0", "status_code")]),
        ({"pending_http_codes": [202, 600]}, [("pending_http_codes.1", "status_code")]),
        ({"pending_http_codes": [True]}, [("pending_http_codes.0", "status_code")]),
        ({"pending_http_codes": "202"}, [("pending_http_codes", "type")]),
        ({"pending_http_codes": [100, 599]}, []),
        ({"pending_http_codes": [202] * 41}, [("pending_http_codes", "type")]),
        ({"busy_http_codes": [503]}, [("busy_http_codes.0", "status_code")]),
        (
            {"busy_http_codes": [408, 425]},
            [("busy_http_codes.0", "status_code"), ("busy_http_codes.1", "status_code")],
        ),
        ({"busy_http_codes": [200]}, [("busy_http_codes.0", "status_code")]),
        # poll
        ({"poll": {"first": 0}}, [("poll.first", "range")]),
        ({"poll": {"first": 61, "slow": 61}}, [("poll.first", "range")]),
        ({"poll": {"first": 60, "slow": 60}}, []),
        ({"poll": {"first": 5, "slow": 4}}, [("poll.slow", "range")]),
        ({"poll": {"first": 6}}, [("poll.slow", "range")]),
        ({"poll": {"slow": 1}}, [("poll.slow", "range")]),
        ({"poll": {"deadline": 9}}, [("poll.deadline", "range")]),
        ({"poll": {"deadline": 3601}}, [("poll.deadline", "range")]),
        ({"poll": {"deadline": 10}}, []),
        ({"poll": {"first": 2.5}}, [("poll.first", "type")]),
        ({"poll": {"first": True}}, [("poll.first", "type")]),
        ({"poll": {"first": "2"}}, [("poll.first", "type")]),
        ({"poll": 5}, [("poll", "type")]),
        # words
        ({"status_map": {"x": "timeout"}}, [("status_map.x", "choice")]),
        ({"status_map": {"x": None}}, [("status_map.x", "choice")]),
        ({"status_map": {"x": "sent"}}, [("status_map.x", "choice")]),
        ({"status_map": {"- _": "pending"}}, [("status_map.- _", "empty")]),
        ({"status_map": {" ": "pending"}}, [("status_map. ", "empty"), ("status_map. ", "empty")]),
        ({"status_map": {"x" * 65: "pending"}}, [("status_map." + "x" * 57 + "...", "too_long")]),
        ({"status_map": {"A_B": "approved", "ab": "declined"}}, [("status_map.ab", "ambiguous")]),
        ({"status_map": {"A_B": "declined", "ab": "declined"}}, []),
        ({"status_map": {"accepted": "approved", "0": "approved", "processed": "approved"}}, []),
        ({"status_map": []}, [("status_map", "type")]),
        ({"status_map": {str(n): "pending" for n in range(201)}}, [("status_map", "type")]),
        # error paths
        ({"error_message_paths": ["a..b"]}, [("error_message_paths.0", "path")]),
        ({"error_code_paths": "code"}, [("error_code_paths", "type")]),
        ({"error_code_paths": ["a"] * 21}, [("error_code_paths", "type")]),
        ({"error_code_paths": [5]}, [("error_code_paths.0", "path")]),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_top_level(changes, expected):
    assert errors(**changes) == expected


@pytest.mark.parametrize(
    "word",
    "timeout TIMED_OUT expired unreachable offline error terminal-error failed failure declined refused"
    " rejected denied cancelled canceled aborted voided reversed refunded busy pending processing unknown"
    " not_ok false no null approved_timeout payment-failed".split(),
)
def test_no_word_of_doubt_or_refusal_may_mean_approved(word):
    assert errors(status_map={word: "approved"}) == [(f"status_map.{word}", "never_approved")]
    assert errors(status_map={word: "pending"}) == []


PURCHASE = "endpoints.purchase"


@pytest.mark.parametrize(
    "changes, expected",
    [
        # shape
        ({"endpoints__purchase": None}, [(PURCHASE, "type")]),
        ({"endpoints__pay": {}}, [("endpoints.pay", "unknown_key")]),
        ({"endpoints__purchase__method": ABSENT}, [(f"{PURCHASE}.method", "missing")]),
        ({"endpoints__purchase__method": "post"}, [(f"{PURCHASE}.method", "choice")]),
        ({"endpoints__purchase__method": "PATCH"}, [(f"{PURCHASE}.method", "choice")]),
        ({"endpoints__purchase__surprise": 1}, [(f"{PURCHASE}.surprise", "unknown_key")]),
        ({"endpoints__purchase__retry_safe": "no"}, [(f"{PURCHASE}.retry_safe", "type")]),
        ({"endpoints__purchase__help": "x" * 2001}, [(f"{PURCHASE}.help", "too_long")]),
        ({"endpoints__purchase__name": None}, [(f"{PURCHASE}.name", "type")]),
        # paths
        ({"endpoints__purchase__path": ABSENT}, [(f"{PURCHASE}.path", "missing")]),
        ({"endpoints__purchase__path": "operations"}, [(f"{PURCHASE}.path", "path_start")]),
        ({"endpoints__purchase__path": ""}, [(f"{PURCHASE}.path", "path_start")]),
        ({"endpoints__purchase__path": "/a?b"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "/a#b"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "/a\r\nb"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "/a b"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "/é"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "/%2e%2e/x"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "/a\\b"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "/{pos_id?}/b"}, [(f"{PURCHASE}.path", "path_character")]),
        ({"endpoints__purchase__path": "//evil"}, [(f"{PURCHASE}.path", "path_segment")]),
        ({"endpoints__purchase__path": "/a//b"}, [(f"{PURCHASE}.path", "path_segment")]),
        ({"endpoints__purchase__path": "/a/../b"}, [(f"{PURCHASE}.path", "path_segment")]),
        ({"endpoints__purchase__path": "/a/./b"}, [(f"{PURCHASE}.path", "path_segment")]),
        ({"endpoints__purchase__path": "/a/."}, [(f"{PURCHASE}.path", "path_segment")]),
        ({"endpoints__purchase__path": "/a/v1.2/"}, []),
        ({"endpoints__purchase__path": "/{secret}"}, [(f"{PURCHASE}.path", "unknown_variable")]),
        ({"endpoints__purchase__path": "/{pos_id"}, [(f"{PURCHASE}.path", "placeholder")]),
        ({"endpoints__purchase__path": "/" + "a" * 300}, [(f"{PURCHASE}.path", "type")]),
        # templates
        ({"endpoints__purchase__query": {"a": "{zz}"}}, [(f"{PURCHASE}.query.a", "unknown_variable")]),
        ({"endpoints__purchase__query": {"a": 5}}, [(f"{PURCHASE}.query.a", "type")]),
        ({"endpoints__purchase__query": {"": "x"}}, [(f"{PURCHASE}.query.", "empty")]),
        ({"endpoints__purchase__query": []}, [(f"{PURCHASE}.query", "type")]),
        ({"endpoints__purchase__body__amount": "{amount"}, [(f"{PURCHASE}.body.amount", "placeholder")]),
        (
            {"endpoints__purchase__body__deep": {"x": ["{zz}"]}},
            [(f"{PURCHASE}.body.deep.x.0", "unknown_variable")],
        ),
        ({"endpoints__purchase__body": "{amount}"}, [(f"{PURCHASE}.body", "type")]),
        ({"endpoints__purchase__body": ["{amount}"]}, [(f"{PURCHASE}.body", "type")]),
        # required variables
        ({"endpoints__purchase__body__amount": "5"}, [(PURCHASE, "missing_variable")]),
        ({"endpoints__purchase__body__amount": "{amount?}"}, [(PURCHASE, "missing_variable")]),
        ({"endpoints__purchase__body": None}, [(PURCHASE, "missing_variable")]),
        ({"endpoints__purchase__body__amount": "5", "endpoints__purchase__query": {"a": "{amount}"}}, []),
        ({"endpoints__operation_status__path": "/s"}, [("endpoints.operation_status", "missing_variable")]),
        ({"endpoints__operation_result__path": "/s"}, [("endpoints.operation_result", "missing_variable")]),
        ({"endpoints__operation_cancel__path": "/s"}, [("endpoints.operation_cancel", "missing_variable")]),
        ({"endpoints__void__body__originalOperationId": ABSENT}, [("endpoints.void", "missing_variable")]),
        # methods
        (
            {"endpoints__purchase__method": "GET"},
            [(f"{PURCHASE}.body", "get_body"), (f"{PURCHASE}.method", "money_get")],
        ),
        ({"endpoints__operation_status__body": {}}, [("endpoints.operation_status.body", "get_body")]),
        ({"endpoints__operation_status__method": "POST", "endpoints__operation_status__body": {}}, []),
        ({"endpoints__operation_status__retry_safe": True}, []),
        ({"endpoints__refund__method": "PUT"}, []),
        # codes
        ({"endpoints__purchase__success_codes": []}, [(f"{PURCHASE}.success_codes", "empty")]),
        ({"endpoints__purchase__success_codes": [500]}, [(f"{PURCHASE}.success_codes.0", "status_code")]),
        ({"endpoints__purchase__success_codes": [302]}, [(f"{PURCHASE}.success_codes.0", "status_code")]),
        ({"endpoints__purchase__success_codes": ["200"]}, [(f"{PURCHASE}.success_codes.0", "status_code")]),
        # answers
        (
            {"endpoints__purchase__response__operation_id": ABSENT},
            [(f"{PURCHASE}.response.operation_id", "missing")],
        ),
        (
            {"endpoints__purchase__response__operation_id": []},
            [(f"{PURCHASE}.response.operation_id", "missing")],
        ),
        ({"endpoints__purchase__response__colour": ["c"]}, [(f"{PURCHASE}.response.colour", "unknown_key")]),
        ({"endpoints__purchase__response__rrn": ["a..b"]}, [(f"{PURCHASE}.response.rrn.0", "path")]),
        ({"endpoints__purchase__response__rrn": "rrn"}, [(f"{PURCHASE}.response.rrn", "type")]),
        ({"endpoints__purchase__response": []}, [(f"{PURCHASE}.response", "type")]),
        (
            {"endpoints__operation_status__response__status": ABSENT},
            [("endpoints.operation_status.response.status", "missing")],
        ),
        (
            {"endpoints__operation_result__response__status": []},
            [("endpoints.operation_result.response.status", "missing")],
        ),
        (
            {"endpoints__operations_list__response__rows": []},
            [("endpoints.operations_list.response.rows", "missing")],
        ),
        (
            {"endpoints__operations_list__response__row__rows": ["x"]},
            [("endpoints.operations_list.response.row.rows", "unknown_key")],
        ),
        (
            {"endpoints__operation_result__response__total__rate": ["x"]},
            [("endpoints.operation_result.response.total.rate", "unknown_key")],
        ),
        (
            {"sync_response": True, "endpoints__purchase__response__status": ABSENT},
            [(f"{PURCHASE}.response.status", "missing")],
        ),
        ({"sync_response": True, "endpoints__purchase__response__operation_id": ABSENT}, []),
        # an approval that could never state its amount
        (
            {"endpoints__operation_result__response__amount": ABSENT},
            [("endpoints.operation_result.response.amount", "amount_place")],
        ),
        ({"endpoints__operation_result__response__amount": ABSENT, "require_amount": False}, []),
        # fewer endpoints
        ({"endpoints__operation_status": ABSENT}, []),
        (
            {"endpoints__operation_status": ABSENT, "endpoints__operation_result": ABSENT},
            [("endpoints", "no_inquiry")],
        ),
        (
            {
                "endpoints__operation_status": ABSENT,
                "endpoints__operation_result": ABSENT,
                "sync_response": True,
            },
            [],
        ),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_endpoints(changes, expected):
    assert errors(**changes) == expected


@pytest.mark.parametrize(
    "name", "Authorization host CONTENT-LENGTH Cookie Transfer-Encoding Connection".split()
)
def test_barred_static_headers(name):
    code = "header_twice" if name == "Authorization" else None
    expected = [(f"headers.{name}", "header_barred")] + ([(f"headers.{name}", code)] if code else [])
    assert errors(headers={name: "x"}) == expected


@pytest.mark.parametrize("key", sorted(profile.START_KEYS))
def test_what_moves_money_is_never_repeated_by_itself(key):
    place = f"endpoints.{key}"
    changes = {f"endpoints__{key}__retry_safe": True}
    assert errors(**changes) == [(f"{place}.retry_safe", "money_retry")]
    changes = {f"endpoints__{key}__method": "GET", f"endpoints__{key}__body": None}
    assert (f"{place}.method", "money_get") in errors(**changes)


@pytest.mark.parametrize("key", ["purchase", "refund"])
def test_what_nothing_could_find_again_is_refused(key):
    changes = {
        "idempotency_header": "",
        f"endpoints__{key}__body__reference": ABSENT,
        f"endpoints__{key}__body__idempotencyKey": ABSENT,
    }
    assert errors(**changes) == [(f"endpoints.{key}", "unfindable")]
    assert errors(**{**changes, "idempotency_header": "X-Key"}) == []
    assert errors(**{**changes, "idempotency_header": ABSENT}) == []
    assert errors(**{**changes, f"endpoints__{key}__query": {"r": "{reference?}"}}) == []
    assert errors(**{**changes, f"endpoints__{key}__body__reference": "{reference}"}) == []


def test_no_currency_and_a_required_currency():
    changes = {"currency_format": "none", "endpoints__purchase__body__currency": "{currency}"}
    assert errors(**changes) == [(PURCHASE, "currency_none")]


def test_all_errors_at_once_with_sentences_and_params():
    found = profile.validate(document(base_path="x", poll={"first": 0}, endpoints__purchase__path="y"))
    assert [error.field for error in found] == ["base_path", "poll.first", "endpoints.purchase.path"]
    assert found[1].params == {"low": 1, "high": 60} and str(found[1]) == "Must be between 1 and 60."


@pytest.mark.parametrize("junk", [None, [], "x", 5, True, {}, Decimal(1)])
def test_junk_is_no_profile(junk):
    assert profile.validate(junk)
    with pytest.raises(ProtocolError):
        profile.normalise(junk)


def test_endpoint_variables():
    scoped = presets.load("path_scoped")
    assert profile.endpoint_variables(scoped, "operations_list") == {
        "pos_id": False,
        "terminal_pid": False,
        "period": True,
        "date": True,
    }
    assert list(profile.endpoint_variables(document(), "refund")) == [
        "pos_id",
        "terminal_pid",
        "amount",
        "currency",
        "reference",
        "idempotency_key",
        "original_operation_id",
    ]
    mixed = document(endpoints__purchase__query={"r": "{reference?}"})
    assert profile.endpoint_variables(mixed, "purchase")["reference"] is False
    mixed = document(
        endpoints__purchase__body__reference="{reference?}", endpoints__purchase__query={"r": "{reference}"}
    )
    assert profile.endpoint_variables(mixed, "purchase")["reference"] is False


@pytest.mark.parametrize(
    "where, key",
    [
        (document(), "zz"),
        (document(), None),
        (document(), []),
        ({}, "purchase"),
        (None, "purchase"),
        ({"endpoints": 5}, "x"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_no_such_endpoint(where, key):
    with pytest.raises(ProtocolError) as caught:
        profile.endpoint_variables(where, key)
    assert caught.value.code == "missing"


def test_endpoint_variables_name_the_place_of_a_bad_template():
    with pytest.raises(ProtocolError) as caught:
        profile.endpoint_variables(document(endpoints__purchase__body__amount="{zz}"), "purchase")
    assert caught.value.field == "endpoints.purchase.body.amount"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 700)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["/a", "{amount}", "{operation_id}", "GET", "approved", "basic", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["first", "slow", "scheme", "status", "rows", "a", "method", "path"]), inner
        )
    ),
    max_leaves=8,
)


def every_place(node, place=()):
    yield place
    for key, child in (
        node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    ):
        yield from every_place(child, (*place, key))


PLACES = [place for place in every_place(document()) if place]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PLACES), JSON, st.sampled_from(PLACES), JSON)
def test_any_change_is_accepted_or_refused(place, value, other, another):
    changed = document()
    put(changed, place, value)
    with contextlib.suppress(TypeError, KeyError, IndexError):  # the first change took the second place away
        put(changed, other, another)
    found = profile.validate(changed)
    assert all(type(error) is ProtocolError and str(error) and error.code for error in found)
    try:
        json.dumps(profile.normalise(changed))
        assert not found
    except ProtocolError:
        assert found


@given(JSON)
def test_any_document(junk):
    assert isinstance(profile.validate(junk), list)


def test_a_very_deep_document():
    deep = []
    for _ in range(sys.getrecursionlimit() // 2):
        deep = [deep]
    assert errors(endpoints__purchase__body__x=deep) == [
        (f"{PURCHASE}.body.x" + ".0" * 8, "too_deep"),
    ]
    assert profile.validate(deep)
