"""Strict JSON: every ambiguity that Python's parser would let through is refused."""

from decimal import Decimal

import pytest

from api import jsontext
from api.errors import ProtocolError, shown


@pytest.mark.parametrize(
    "data, expected",
    [
        (b'{"a": 12.10}', {"a": Decimal("12.10")}),
        (b'{"a": 1e2}', {"a": Decimal("1e2")}),
        (b"[1, true, null]", [1, True, None]),
        ('{"é": "ü"}'.encode(), {"é": "ü"}),
        (b"\xef\xbb\xbf{}", {}),
        ('{"a": 1}', {"a": 1}),
        (bytearray(b"[]"), []),
    ],
)
def test_reads(data, expected):
    assert jsontext.loads(data) == expected
    assert repr(jsontext.loads(data)) == repr(expected)  # 12.10 keeps its zero, 1 is no True


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"<html>502</html>",
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b'{"amount": -Infinity}',
        b'{"amount": 1, "amount": 2}',
        b'{"a": {"status": "declined", "status": "approved"}}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xff"}',
        b'{"a": 1e9999999999999999999}',
        b"[" * 100_000,
        b"[" * 66 + b"]" * 66,
        b'{"a":' * 66 + b"1" + b"}" * 66,
        b"[" + b"9" * 101 + b"]",
        b"[0." + b"9" * 101 + b"]",
        b" " * (jsontext.MAX_BYTES + 1),
        None,
        12,
        ["{}"],
        "\ud800",
    ],
    ids=lambda data: repr(data)[:40],
)
def test_refuses(data):
    with pytest.raises(ProtocolError) as caught:
        jsontext.loads(data)
    assert caught.value.code == "undecodable"


def test_size_is_bounded_in_bytes():
    assert jsontext.loads('"éé"', limit=6) == "éé"
    with pytest.raises(ProtocolError):
        jsontext.loads('"éé"', limit=5)


def test_the_deepest_document_is_still_read():
    assert jsontext.loads(b"[" * 64 + b"]" * 64)
    with pytest.raises(ProtocolError):
        jsontext.loads(b"[" * 65 + b"]" * 65)


def test_error_carries_place_code_and_params():
    error = ProtocolError("Wrong.", "amount", "range", {"low": 1})
    moved = error.at("endpoints.purchase")
    assert (str(moved), moved.field, moved.code) == ("Wrong.", "endpoints.purchase.amount", "range")
    assert moved.params == {"low": 1}
    assert ProtocolError("Wrong.").at("headers").field == "headers"
    assert error.at("").field == "amount"
    assert (ProtocolError("Wrong.").field, ProtocolError("Wrong.").code, ProtocolError("Wrong.").params) == (
        "",
        "invalid",
        {},
    )


@pytest.mark.parametrize(
    "value, expected",
    [
        ("abc", "abc"),
        ("a\nb", "a?b"),
        ("é", "\\xe9"),
        ("x" * 99, "x" * 57 + "..."),
        (12, "12"),
        (-3.5, "-3.5"),
        (Decimal("3.333"), "3.333"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0E-7"), "0.0000000"),
        (0.1 + 0.2, "(a number)"),
        (4111111111111111, "(a number)"),
        (10**40, "(a number)"),
        (Decimal("1E+999999"), "(a number)"),
        (Decimal("1E-999999"), "(a number)"),
        (Decimal("NaN"), "(a number)"),
        (float("inf"), "(a number)"),
        (True, "true"),
        (None, "null"),
        ({"a": 1}, "{...}"),
        ([1], "[...]"),
        (b"x", "(no text)"),
    ],
)
def test_shown(value, expected):
    assert shown(value) == expected
