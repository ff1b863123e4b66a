"""Requests, amounts, currencies and tables: what must not be sent is not built."""

import ast
import dataclasses
import sys
from pathlib import Path

import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip") not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"))

from caisse_ap import codes, money
from caisse_ap.errors import ProtocolError
from caisse_ap.frame import decode, encode
from caisse_ap.request import (
    Request,
    build,
    check,
    credit,
    debit,
    duplicate,
    duplicate_of,
    identification,
    reversal,
)

ROOM = Path(codes.__file__).parent


def refusal(request):
    with pytest.raises(ProtocolError) as caught:
        build(request)
    return caught.value.field, caught.value.code


# -- what is sent


def test_debit():
    assert build(debit(5, "EUR")) == [
        ("CZ", "0300"),
        ("CJ", "012345678901"),
        ("CA", "01"),
        ("CB", "05"),
        ("CD", "0"),
        ("CE", "978"),
    ]


def test_everything():
    request = debit(
        10**12 - 1,
        "XPF",
        till="7",
        version="0320",
        identifier="323540032810",
        application="00C",
        private="p" * 32,
        receipts="120",
        reference="r" * 99,
        force_online=True,
        email="a@b.fr",
        phone="+33606060606",
        extra=[("BA", "0"), ("OD", "order")],
    )
    assert build(request)[2:] == [
        ("CA", "7"),
        ("CB", "999999999999"),
        ("CD", "0"),
        ("CE", "953"),
        ("CC", "00C"),
        ("CK", "120"),
        ("BB", "1"),
        ("CF", "p" * 32),
        ("CH", "r" * 99),
        ("BH", "+33606060606"),
        ("BI", "a@b.fr"),
        ("BA", "0"),
        ("OD", "order"),
    ]


@pytest.mark.parametrize(("make", "code"), [(debit, "0"), (credit, "1"), (reversal, "2")])
def test_money_actions(make, code):
    fields = dict(build(make(1234, "EUR", force_online=False)))
    assert (fields["CD"], fields["CB"], fields["CE"], fields["BB"]) == (code, "1234", "978", "0")


def test_duplicate():
    assert [tag for tag, _ in build(duplicate())] == ["CZ", "CJ", "CA", "CD"]
    fields = dict(build(duplicate(receipts="100")))
    assert (fields["CD"], fields["CK"]) == ("3", "100")


def test_duplicate_of_says_nothing_of_our_payment():
    """Terminals give back what they are asked, and the echo would pass for their memory of our payment."""
    ours = debit(
        1234,
        "EUR",
        till="02",
        version="0320",
        identifier="1" * 12,
        private="P-1",
        reference="R",
        email="a@b.fr",
    )
    asked = duplicate_of(ours, receipts="100")
    assert asked == duplicate(till="02", version="0320", identifier="1" * 12, receipts="100")
    assert {"CB", "CE", "CF", "CH", "BI"}.isdisjoint(dict(build(asked)))


def test_identification():
    assert encode(build(identification(till="02"))) == b"CZ0040300CJ012012345678901CA00202CD001I"


# -- what is refused

MONEY = debit(1234, "EUR")
BAD = {
    "action": ["", "pay", "0", "telecollection", "print", None, 0, ("debit",), ["debit"]],
    "till": ["", "001", "x1", "\u0661", 1, None],
    "version": ["", "300", "03000", "3.20"],
    "identifier": ["", "1" * 11, "1" * 13, "1" * 11 + " "],
    "amount": [None, 0, -1, 10**12, 12.0, "12", True],
    "currency": ["", "978", "eur", "XYZ", "EURO", None, 978],
    "application": ["C", "00c", "0000", "00 ", None],
    "private": ["p" * 33, "\u00e9", "a\nb", None, 12],
    "receipts": ["1", "12", "130", "220", "122", "1200", None],
    "reference": ["r" * 100, "\u20ac", "\t"],
    "force_online": ["", "1", 1, 0, 1.0],
    "email": ["a@b.f", "nobody", "a@b@c.fr", "a b@c.fr", "a@" + "b" * 255, "\u00e9@abc.fr", None],
    "phone": ["0606060", "0" * 21, "06 06 06 06", "+" + "0" * 20, "phone123", None],
}


@pytest.mark.parametrize(
    ("field", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_bad_attribute(field, value):
    assert refusal(dataclasses.replace(MONEY, **{field: value})) == (field, field)


def test_good_attributes_at_their_limits():
    for options in (
        {"phone": "0" * 8},
        {"phone": "0" * 20},
        {"email": "a@b.fr"},
        {"email": "a@" + "b" * 254},
        {"receipts": "000"},
        {"receipts": "121"},
        {"amount": 1},
        {"till": "99"},
    ):
        assert build(dataclasses.replace(MONEY, **options))


@pytest.mark.parametrize(
    "tag", ["BF", "AE", "AA", "ZT", "CB", "CF", "CK", "BI", "CZ", "bf", "B", "BAA", "", "\u00c9A"]
)
def test_extra_tag_refused(tag):
    assert refusal(debit(1, "EUR", extra=((tag, "1"),))) == ("extra", "extra_tag")


def test_extra_refused():
    assert refusal(debit(1, "EUR", extra=(("BA", "1"),))) == ("extra", "extra_tag"), "no result would come"
    assert refusal(debit(1, "EUR", extra=(("OD", "1"), ("OD", "2")))) == ("extra", "extra_tag")
    assert refusal(debit(1, "EUR", extra=(("OD", ""),))) == ("extra", "extra_value")
    assert refusal(debit(1, "EUR", extra=(("OD", "x" * 901),))) == ("extra", "extra_value")
    assert refusal(debit(1, "EUR", extra=(("XX", "\n"),))) == ("extra", "extra_value")
    assert refusal(debit(1, "EUR", extra=(("XX", "x" * 1000),))) == ("extra", "extra_value")
    assert refusal(debit(1, "EUR", extra="BF")) == ("", "fields")
    assert refusal(debit(1, "EUR", extra=None)) == ("", "fields")
    assert build(debit(1, "EUR", extra=(("XX", "x" * 999),)))


@pytest.mark.parametrize("action", ["duplicate", "identification"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("private", "P-1"),
        ("reference", "R"),
        ("application", "00C"),
        ("force_online", False),
        ("email", "a@b.fr"),
        ("phone", "0606060606"),
        ("amount", 1),
        ("currency", "EUR"),
    ],
)
def test_only_money_has_options(action, name, value):
    assert refusal(Request(action, **{name: value})) == (name, "not_for_action")


def test_identification_has_no_slip():
    assert refusal(identification(receipts="100")) == ("receipts", "not_for_action")


@pytest.mark.parametrize("thing", [None, {}, "debit", Request])
def test_only_requests(thing):
    with pytest.raises(ProtocolError):
        build(thing)


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), st.binary(max_size=4),
    st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=3),
)  # fmt: skip
NAMES = [field.name for field in dataclasses.fields(Request)]


@settings(max_examples=300)
@given(st.sampled_from(sorted(codes.SENDABLE)), st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=4))
def test_build_raises_nothing_else(action, given_values):
    request = dataclasses.replace(Request(action, amount=1, currency="EUR"), **given_values)
    try:
        fields = build(request)
    except ProtocolError:
        return
    assert fields[0][0] == "CZ" and "BF" not in dict(fields)
    assert decode(encode(fields)) == fields
    assert all(codes.fits(tag, value) for tag, value in fields)


@given(st.integers(1, 10**12 - 1), st.sampled_from(["EUR", "XPF", "CHF", "BHD"]))
def test_amount_comes_back(amount, currency):
    fields = dict(build(debit(amount, currency)))
    assert money.read_amount(fields["CB"]) == amount
    assert money.currency_alpha(fields["CE"]) == currency
    assert 2 <= len(fields["CB"]) <= 12


def test_check_answers_nothing():
    assert check(MONEY) is None


# -- money


@pytest.mark.parametrize(
    ("alpha", "number"), [("EUR", "978"), ("XPF", "953"), ("USD", "840"), ("ALL", "008")]
)
def test_currency(alpha, number):
    assert money.currency_number(alpha) == number
    assert money.currency_alpha(number) == alpha


def test_every_currency_comes_back():
    for currency in pycountry.currencies:
        assert money.currency_alpha(money.currency_number(currency.alpha_3)) == currency.alpha_3


@pytest.mark.parametrize(
    "value", ["", "EU", "eur", "EUR\n", "ZZZ", "000", "97", None, 978, b"EUR", "\u0669\u0667\u0668"]
)
def test_no_currency(value):
    for function in (money.currency_number, money.currency_alpha):
        with pytest.raises(ProtocolError) as caught:
            function(value)
        assert (caught.value.field, caught.value.code) == ("currency", "currency")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("5", 5),
        ("05", 5),
        ("0001234", 1234),
        ("000000001234", 1234),
        ("00", 0),
        ("", None),
        ("1" * 13, None),
        ("12.34", None),
        ("-5", None),
        ("1_0", None),
        (" 5", None),
        ("5\n", None),
        ("\u00b2", None),
        ("\u0665", None),
    ],
)
def test_read_amount(text, amount):
    assert money.read_amount(text) == amount


# -- tables


def test_tables():
    """As the notes have them; the slugs are names that others store, so each stands for one thing."""
    assert sorted(codes.REASONS) == [f"{number:02d}" for number in range(14)]
    assert {one.reading for one in (*codes.REASONS.values(), codes.OTHER_REASON)} <= set(codes.READINGS)
    assert len({one.slug for one in codes.REASONS.values()}) == 14
    slugs = [one.slug for one in codes.APPLICATIONS.values()]
    assert len(slugs) == len(set(slugs)) == 37
    assert len(codes.ACTION_CODES) == len(codes.ACTIONS)
    assert set(codes.ACTIONS.values()) >= codes.SENDABLE
    assert codes.STATUSES == {"10": "performed", "01": "not_performed", "11": "accepted"}
    readings = {code: one.reading for code, one in codes.REASONS.items()}
    assert [code for code in readings if readings[code] == "declined"] == ["04", "05"]
    assert [code for code in readings if readings[code] == "cancelled"] == ["06", "11"]
    assert [code for code in readings if readings[code] == "approved"] == ["01", "03"]


def test_tables_cannot_be_changed():
    with pytest.raises(TypeError):
        codes.ACTIONS["0"] = "credit"


def test_applications():
    assert codes.application_slug("00B") == "card_contactless"
    assert codes.application_slug("00E") == "conecs_contact", "two sources differ: the vendors count"
    assert codes.application_name("00E") == "CONECS"
    assert codes.application_slug("10E") == "conecs_contactless", "leading figures count"
    assert codes.application_slug("0E") == codes.application_name("E") == ""


def test_fits():
    assert codes.fits("CE", "978") and not codes.fits("CE", "97") and not codes.fits("CE", "EUR")
    assert codes.fits("AK", "a\nb") and codes.fits("QQ", "anything")


# -- the room itself


def test_the_room_imports_nothing_else():
    """Standard library without sockets, clocks and translation, and pycountry."""
    allowed = {"base64", "binascii", "dataclasses", "decimal", "html.parser", "pycountry", "re", "types"}
    allowed |= {"typing"}
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= allowed, path
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or node.module in allowed, path


@pytest.mark.parametrize(("alpha", "amount"), [("XPF", "1500"), ("TND", "1234"), ("EUR", "1234")])
def test_amounts_go_out_and_come_back(alpha, amount):
    """CB and CE of a request, and of the terminal's answer to it."""
    fields = dict(build(debit(int(amount), alpha)))
    assert fields["CB"] == amount
    assert money.read_amount(fields["CB"]) == int(amount)
    assert money.currency_alpha(fields["CE"]) == alpha
