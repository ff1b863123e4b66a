"""Amounts: exact in both directions, in every format, whatever the ambient decimal context is."""

import decimal
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import amounts, jsontext
from api.errors import ProtocolError

MINOR = st.integers(0, amounts.MAX_MINOR)
DIGITS = st.integers(0, amounts.MAX_DIGITS)
FORMAT = st.sampled_from(amounts.FORMATS)


@pytest.mark.parametrize(
    "amount, digits, minor",
    [
        (Decimal("12.34"), 2, 1234),
        (Decimal("12.340"), 2, 1234),
        (Decimal("1E+3"), 2, 100000),
        (Decimal("-0.00"), 2, 0),
        ("12.34", 2, 1234),
        ("1234", 0, 1234),
        (7, 3, 7000),
        (1.1, 2, 110),
        (0.29, 2, 29),  # int(0.29 * 100) is 28
        (4.35, 2, 435),
        (1e3, 0, 1000),
        ("0", 4, 0),
        (Decimal("0E-99"), 2, 0),
        ("9999999999999.99", 2, amounts.MAX_MINOR),
    ],
)
def test_to_minor(amount, digits, minor):
    result = amounts.to_minor(amount, digits)
    assert result == minor and type(result) is int


@pytest.mark.parametrize(
    "amount, digits",
    [
        *[
            (text, 2)
            for text in (
                "12,34",
                "1_000",
                " 12",
                "12 ",
                "+12",
                "-12",
                "1e3",
                "",
                ".5",
                "5.",
                "١٢",
                "NaN",
                "0x10",
            )
        ],
        ("12.345", 2),
        ("0.5", 0),
        (0.1 + 0.2, 2),
        (Decimal("1.00000000000000000000000000000000001"), 2),
        (Decimal("-0.01"), 2),
        (-1, 2),
        (Decimal("NaN"), 2),
        (Decimal("sNaN"), 2),
        (Decimal("Infinity"), 2),
        (float("nan"), 2),
        (float("inf"), 2),
        (1e300, 2),
        (Decimal("1E+999999999"), 2),
        (Decimal("1E-999999999"), 2),
        ("10000000000000.00", 2),
        (amounts.MAX_MINOR + 1, 0),
        (10**5000, 0),
        (Decimal("1" * 5000), 0),
        (Decimal("0." + "1" * 5000), 0),
        (True, 2),
        (None, 2),
        ([], 2),
        ({}, 2),
        (b"12", 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_to_minor_refuses(amount, digits):
    with pytest.raises(ProtocolError) as caught:
        amounts.to_minor(amount, digits)
    assert (caught.value.field, caught.value.code) == ("amount", "amount")
    assert not any(name in str(caught.value) for name in ("Decimal", "float", "int ", "NoneType"))


def test_amount_that_is_refused_is_told_in_figures():
    for amount in (Decimal("3.333"), 3.333, "3.333"):
        with pytest.raises(ProtocolError, match="^The amount 3.333 has a fraction of a minor unit.$"):
            amounts.to_minor(amount, 2)


@pytest.mark.parametrize("digits", [-1, 5, True, None, "2", 2.0])
def test_digits_are_checked(digits):
    for call in (
        lambda: amounts.to_minor("1", digits),
        lambda: amounts.from_minor(1, digits),
        lambda: amounts.decode(1, digits, "minor_int"),
    ):
        with pytest.raises(ProtocolError) as caught:
            call()
        assert caught.value.code == "digits"


@pytest.mark.parametrize("minor", [-1, amounts.MAX_MINOR + 1, True, None, "1", 1.0])
def test_from_minor_refuses(minor):
    with pytest.raises(ProtocolError):
        amounts.from_minor(minor, 2)


def test_from_minor_has_the_digits_of_its_currency():
    assert [str(amounts.from_minor(1230, digits)) for digits in (0, 2, 3, 4)] == [
        "1230",
        "12.30",
        "1.230",
        "0.1230",
    ]
    assert str(amounts.from_minor(0, 2)) == "0.00"


@pytest.mark.parametrize(
    "fmt, digits, value",
    [
        ("minor_int", 2, 1230),
        ("minor_str", 2, "1230"),
        ("decimal_num", 2, 12.3),
        ("decimal_num", 0, 1230),
        ("decimal_str", 2, "12.30"),
        ("decimal_str", 0, "1230"),
        ("decimal_str", 3, "1.230"),
    ],
)
def test_encode(fmt, digits, value):
    encoded = amounts.encode(amounts.from_minor(1230, digits), digits, fmt)
    assert encoded == value and type(encoded) is type(value)


@pytest.mark.parametrize("fmt", ["minor", "", None, [], 1])
def test_unknown_format(fmt):
    for call in (lambda: amounts.encode(Decimal(1), 2, fmt), lambda: amounts.decode(1, 2, fmt)):
        with pytest.raises(ProtocolError) as caught:
            call()
        assert caught.value.field == "amount_format"


def test_encode_refuses_what_the_currency_cannot_hold():
    with pytest.raises(ProtocolError):
        amounts.encode(Decimal("1.005"), 2, "decimal_str")


@pytest.mark.parametrize(
    "value, fmt, expected",
    [
        (1234, "minor_int", "12.34"),
        ("1234", "minor_int", "12.34"),
        (1234, "minor_str", "12.34"),
        ("0007", "minor_str", "0.07"),
        (Decimal("12.3"), "decimal_num", "12.30"),
        (12, "decimal_num", "12.00"),
        ("12.34", "decimal_num", "12.34"),
        ("12", "decimal_str", "12.00"),
        (Decimal("12.34"), "decimal_str", "12.34"),
    ],
)
def test_decode(value, fmt, expected):
    assert str(amounts.decode(value, 2, fmt)) == expected


@pytest.mark.parametrize("fmt", amounts.FORMATS)
@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        "",
        "abc",
        "12,34",
        "-5",
        -5,
        [],
        {},
        Decimal("NaN"),
        10**20,
        "1" * 21,
        "1e2",
        "12 EUR",
    ],
)
def test_decode_refuses_junk(value, fmt):
    with pytest.raises(ProtocolError):
        amounts.decode(value, 2, fmt)


@pytest.mark.parametrize("value", [Decimal("12.34"), Decimal("12.0"), 12.0, "12.00"])
def test_decode_minor_refuses_a_fraction_even_of_zero(value):
    """12.0 of a profile in minor units is more likely twelve euros than twelve cents."""
    for fmt in ("minor_int", "minor_str"):
        with pytest.raises(ProtocolError):
            amounts.decode(value, 2, fmt)


def test_decode_decimal_refuses_a_fraction_of_a_minor_unit():
    with pytest.raises(ProtocolError):
        amounts.decode("12.345", 2, "decimal_str")


@given(MINOR, DIGITS, FORMAT)
def test_round_trip_through_json(minor, digits, fmt):
    amount = amounts.from_minor(minor, digits)
    assert amounts.to_minor(amount, digits) == minor
    wire = jsontext.loads(json.dumps(amounts.encode(amount, digits, fmt)))
    if fmt == "decimal_num" and isinstance(wire, Decimal) and "E" in str(wire):
        return  # json wrote an exponent, which Decimal reads exactly
    assert amounts.decode(wire, digits, fmt) == amount


@given(MINOR, DIGITS, FORMAT)
def test_round_trip_in_a_narrow_context(minor, digits, fmt):
    with decimal.localcontext() as context:
        context.prec = 3
        amount = amounts.from_minor(minor, digits)
        assert amounts.decode(amounts.encode(amount, digits, fmt), digits, fmt) == amount


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.binary(),
    st.lists(st.integers()),
)


@given(JUNK, JUNK, JUNK)
def test_anything_gives_a_value_or_a_protocol_error(value, digits, fmt):
    for call in (
        lambda: amounts.to_minor(value, digits),
        lambda: amounts.to_minor(value, 2),
        lambda: amounts.from_minor(value, digits),
        lambda: amounts.encode(value, 2, "decimal_num"),
        lambda: amounts.decode(value, 2, "minor_int"),
        lambda: amounts.decode(value, 2, "decimal_str"),
        lambda: amounts.decode(value, digits, fmt),
        lambda: amounts.currency_alpha(value),
        lambda: amounts.currency_numeric(value),
    ):
        try:
            call()
        except ProtocolError:
            continue


@pytest.mark.parametrize("code", ["EUR", "eur", "978", 978])
def test_currency(code):
    assert amounts.currency_alpha(code) == "EUR"
    assert amounts.currency_numeric(code) == "978"


def test_currency_numbers_keep_their_zeros():
    assert amounts.currency_numeric("ALL") == "008"
    assert amounts.currency_alpha(8) == "ALL"


@pytest.mark.parametrize(
    "code", ["EU", "EURO", "€", "", "97", "ZZZ", "000", 0, -978, 1000, True, None, [], "ＥＵＲ", "٩٧٨"]
)
def test_no_currency(code):
    for call in (amounts.currency_alpha, amounts.currency_numeric):
        with pytest.raises(ProtocolError) as caught:
            call(code)
        assert caught.value.code == "currency"


@pytest.mark.parametrize(
    ("alpha", "digits"),
    [
        ("EUR", 2),
        ("CHF", 2),
        ("MGA", 2),
        ("XPF", 0),
        ("JPY", 0),
        ("BHD", 3),
        ("TND", 3),
        ("UYW", 4),
        (392, 0),
    ],
)
def test_decimals_are_those_of_iso_4217(alpha, digits):
    """Whatever the books round to."""
    assert amounts.decimals(alpha) == digits


def test_decimals_of_no_currency():
    with pytest.raises(ProtocolError) as caught:
        amounts.decimals("ZZZ")
    assert caught.value.code == "currency"
