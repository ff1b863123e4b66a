"""Telephone numbers as people write them: the first usable one, in its own country, whole or not at all."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.phones import first_phone

NONE = ("", "")


@pytest.mark.parametrize(
    ("text", "regions", "found"),
    [
        ("06 12 34 56 78", ("FR",), ("33", "612345678")),
        ("06.12.34.56.78", ("fr",), ("33", "612345678")),
        ("+33 (0)6 12 34 56 78", (), ("33", "612345678")),
        ("0033612345678", ("BE",), ("33", "612345678")),
        ("0033612345678", ("JP",), ("33", "612345678")),
        ("0470/12.34.56", ("BE",), ("32", "470123456")),
        ("+352 621 123 456", (), ("352", "621123456")),
        ("+1 212 555 0100", (), ("1", "2125550100")),
        ("+ 44 20 7946 0958", ("FR",), ("44", "2079460958")),
        ("(+33) 6 12 34 56 78", ("DE",), ("33", "612345678")),
        ("０３－１２３４－５６７８", ("JP",), ("81", "312345678")),
        ("٠٦ ١٢ ٣٤ ٥٦ ٧٨", ("MA",), ("212", "612345678")),
        ("+34 (0)91 123 45 67", (), ("34", "911234567")),
        ("", ("FR",), NONE),
        ("+", (), NONE),
        ("12", ("FR",), NONE),
        ("+33 612 345 678 901", (), NONE),
        ("ask reception", ("FR",), NONE),
        (None, ("FR",), NONE),
    ],
)
def test_one_number(text, regions, found):
    assert first_phone([(text, regions)]) == found


@pytest.mark.parametrize(
    "text",
    [
        "06 12 34 56 78 / 01 23 45 67 89",
        "06 12 34 56 78/01 23 45 67 89",
        "06 12 34 56 78, 01 23 45 67 89",
        "06 12 34 56 78; 01 23 45 67 89",
        "06 12 34 56 78\n01 23 45 67 89",
        "06 12 34 56 78 ou 01 23 45 67 89",
        "06 12 34 56 78 - 01 23 45 67 89",
        "06-12-34-56-78 - 01-23-45-67-89",
        "+33612345678+33123456789",
        "06 12 34 56 78   01 23 45 67 89",
        "06 12 34 56 78 01 23 45 67 89",
        "06 12  34 56 78",
        "0033 (0) 6 12 34 56 78",
        "33(0)612345678",
        "(+33)(0)6 12 34 56 78",
        "06 12 34 56 78 poste 12",
        "06 12 34 56 78 ext. 12",
        "06 12 34 56 78 #12",
        "06 12 34 56 78 (bureau)",
        "06 12 34 56 78 / 79",
        "06,12,34,56,78",
        "Portable : 06\u00a012\u00a034\u00a056\u00a078",
        "12 / 06 12 34 56 78",
        "33 6 12 34 56 78",
        "33612345678",
    ],
)
def test_first_number_of_several_and_what_stands_behind(text):
    assert first_phone([(text, ("FR",))]) == ("33", "612345678")


def test_stroke_or_dash_inside_one_number():
    assert first_phone([("0211 / 1234567", ("DE",))]) == ("49", "2111234567")
    assert first_phone([("(212) 555 - 0100", ("US",))]) == ("1", "2125550100")
    assert first_phone([("0211 1234567 / 0211 7654321", ("DE",))]) == ("49", "2111234567")


@pytest.mark.parametrize(
    ("text", "region", "found"),
    [
        ("03-1234-5678", "JP", ("81", "312345678")),
        ("601 123 456", "CZ", ("420", "601123456")),
        ("+39 06 6982 1234", "FR", ("39", "0669821234")),
        ("06 6982 1234", "IT", ("39", "0669821234")),
        # more than ten national digits
        ("0151 12345678", "DE", ("49", "15112345678")),
        ("(11) 98765-4321", "BR", ("55", "11987654321")),
        ("138 0013 8000", "CN", ("86", "13800138000")),
        ("0690 12 34 56", "GP", ("590", "690123456")),
    ],
)
def test_numbers_of_the_own_country(text, region, found):
    assert first_phone([(text, (region,))]) == found


def test_calling_code_is_never_another_country_s():
    assert first_phone([("601 123 456", ("XX",))]) == NONE
    assert first_phone([("01 42 00 00 00", ("CZ", "FR"))]) == NONE  # FR only where 33 is written
    assert first_phone([("33 1 42 00 00 00", ("CZ", "FR"))]) == ("33", "142000000")


def test_next_candidate_when_the_first_is_none():
    candidates = [("ask", ("CZ",)), (False, ("CZ",)), ("12", ("CZ",)), ("01 42 00 00 00", ("FR",))]
    assert first_phone(candidates) == ("33", "142000000")


def test_number_that_no_plan_has_yet_counts_where_its_country_is_written():
    assert first_phone([("+225 33 00 00 00 00", ())]) == ("225", "3300000000")
    assert first_phone([("33 00 00 00 00", ("CI",))]) == NONE
    assert first_phone([("00 00 00 00 00", ("FR",))]) == NONE


@given(st.lists(st.tuples(st.text(max_size=60) | st.none(), st.tuples(st.sampled_from(["FR", "IT", "x"])))))
def test_any_text(candidates):
    code, number = first_phone(candidates)
    assert (code, number) == NONE or (
        re.fullmatch("[1-9][0-9]{0,2}", code) and re.fullmatch("[0-9]{2,15}", number)
    )


@given(st.text("0123456789+/-., ()ouext", max_size=40), st.sampled_from(["FR", "DE", "US", "LU"]))
def test_digits_are_never_made_up(text, region):
    _code, number = first_phone([(text, (region,))])
    assert number in re.sub("[^0-9]", "", text)
