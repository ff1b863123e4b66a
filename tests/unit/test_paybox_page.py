"""The form that leaves: every rule of the platform, and XML that is valid whatever stands in a record."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from paybox import buyer, money, page, platform
from paybox.buyer import Buyer, address_lines, billing, country_number, plain, shopping_cart
from paybox.errors import ProtocolError
from paybox.page import Addresses, Merchant, Options, Payment, form
from paybox.signature import sign_request

KEY = json.loads((Path(__file__).parent / "data" / "paybox.json").read_text())["test_hmac_key"]
MERCHANT = Merchant("1999888", "32", "110647233", KEY)
ADDRESSES = Addresses(
    *(f"https://odoo.example.com/payment/paybox/{name}" for name in ("a", "b", "c", "d", "e"))
)


def payment(**values):
    return Payment(
        **{
            "amount": 12000,
            "currency": "EUR",
            "reference": "INV/2026/00042-1",
            "email": "claire@example.com",
            "time": "2026-11-21T10:15:30+01:00",
            **values,
        }
    )


def fields(options=None, **values):
    return dict(form(MERCHANT, payment(**values), ADDRESSES, options))


def refused(code, **change):
    with pytest.raises(ProtocolError) as caught:
        form(
            change.get("merchant", MERCHANT),
            change.get("payment", payment()),
            change.get("addresses", ADDRESSES),
            change.get("options"),
        )
    assert caught.value.code == code


def test_form_is_signed_in_its_order_and_names_all_that_is_mandatory():
    pairs = form(MERCHANT, payment(), ADDRESSES)
    names = [name for name, _value in pairs]
    assert names[-1] == "PBX_HMAC" and len(set(names)) == len(names)
    assert dict(pairs)["PBX_HMAC"] == sign_request(pairs[:-1], KEY)
    mandatory = "SITE RANG IDENTIFIANT TOTAL DEVISE CMD PORTEUR RETOUR HASH TIME SHOPPINGCART BILLING".split()
    assert {f"PBX_{name}" for name in mandatory} <= set(names)
    assert dict(pairs)["PBX_RETOUR"].endswith(";Sign:K")
    assert dict(pairs)["PBX_RUF1"] == "GET"
    assert "PBX_SOURCE" not in names and "PBX_DIFF" not in names and "PBX_AUTOSEULE" not in names


@pytest.mark.parametrize(
    ("amount", "currency", "total", "number"),
    [
        (1999, "EUR", "1999", "978"),
        (25, "EUR", "025", "978"),
        (1, "EUR", "001", "978"),
        (500, "JPY", "500", "392"),
        (12345, "TND", "12345", "788"),
        (9999999999, "USD", "9999999999", "840"),
    ],
)
def test_amounts(amount, currency, total, number):
    found = fields(amount=amount, currency=currency)
    assert (found["PBX_TOTAL"], found["PBX_DEVISE"]) == (total, number)


@pytest.mark.parametrize("amount", [0, -1, 10**10, 12.5, True, "12", None])
def test_amounts_that_are_none(amount):
    refused("amount", payment=payment(amount=amount))


@pytest.mark.parametrize("currency", ["", "EURO", "eur", "ZZZ", "978", None, "ＥＵＲ"])
def test_currencies_that_are_none(currency):
    refused("currency", payment=payment(currency=currency))


def test_read_amount():
    assert [money.read_amount(text) for text in ("12000", "025", "0")] == [12000, 25, 0]
    assert [money.read_amount(text) for text in ("", "-1", "1.0", "1_0", " 1", "١", "1" * 11, None)] == [
        None
    ] * 8


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("site", ["1999888"], ["199988", "19998888", "199988A", "", None, "１９９９８８８"]),
        ("rank", ["32", "001"], ["3", "0001", "AB", "", None]),
        ("identifier", ["2", "110647233"], ["1234567890", "x", "", None]),
        (
            "reference",
            ["INV/2026/00042-1", "S00042_1.a", "x" * 250],
            ["", "a b", "é", "a+b", "a&b", "x" * 251, None],
        ),
        (
            "email",
            ["a@b.fr", "claire.d+x@example.com"],
            ["ab.fr", "a@b", "a@.", "a b@c.fr", "é@b.fr", "a@b.f\n", "x" * 120 + "@b.fr", None],
        ),
        ("time", ["2026-11-21T10:15:30+01:00", "2026-11-21T10:15:30Z"], ["2026-11-21 10:15:30", "", None]),
    ],
)
def test_formats(name, good, bad):
    for value in good:
        assert page.check(name, value) == value
    for value in bad:
        with pytest.raises(ProtocolError) as caught:
            page.check(name, value)
        assert caught.value.code == caught.value.field == name


def test_is_reference_and_is_email():
    assert (
        page.is_reference("S00042-1")
        and not page.is_reference("Facture n° 3")
        and not page.is_reference(None)
    )
    assert page.is_email("a@b.fr") and not page.is_email("") and not page.is_email(None)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/payment",
        "ftp://x/",
        "https://",
        "https://x/" + "a" * 150,
        "https://x/?a=1",
        "https://x/#a",
        "https://x/é",
        "https://[x/",
        None,
        "https://x/a b",
    ],
)
def test_addresses_that_are_none(address):
    refused("url", addresses=Addresses(*[*(["https://x/a"] * 4), address]))
    refused("url", addresses=Addresses(address, *(["https://x/a"] * 4)))


def test_options():
    assert fields(Options(capture="manual"))["PBX_AUTOSEULE"] == "O"
    assert fields(Options(capture="deferred", days=3))["PBX_DIFF"] == "03"
    assert fields(Options(responsive=True))["PBX_SOURCE"] == "RWD"
    assert fields(Options(authentication="02"))["PBX_SOUHAITAUTHENT"] == "02"
    assert fields(Options(language="GBR"))["PBX_LANGUE"] == "GBR"
    assert fields(Options(seconds=60))["PBX_DISPLAY"] == "060"
    assert len(fields(Options(algorithm="SHA256"))["PBX_HMAC"]) == 64


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (Options(capture="tomorrow"), "capture"),
        (Options(capture="deferred"), "days"),
        (Options(capture="deferred", days=8), "days"),
        (Options(capture="deferred", days=True), "days"),
        (Options(language="FR"), "language"),
        (Options(authentication="05"), "authentication"),
        (Options(algorithm="MD5"), "algorithm"),
        (Options(seconds=59), "seconds"),
        (Options(seconds=60.0), "seconds"),
    ],
)
def test_options_that_are_none(options, code):
    refused(code, options=options)


def test_bad_key_is_never_repeated():
    with pytest.raises(ProtocolError) as caught:
        form(Merchant("1999888", "32", "2", "SECRETKEYX"), payment(), ADDRESSES)
    assert caught.value.code == "key" and "SECRET" not in str(caught.value)
    assert "SECRET" not in repr(Merchant("1999888", "32", "2", "SECRETKEYX"))


# -- who pays


LIMITS = {"FirstName": 22, "LastName": 22, "Address1": 50, "Address2": 50, "ZipCode": 10, "City": 50}
ORDER = [
    "FirstName",
    "LastName",
    "Address1",
    "Address2",
    "ZipCode",
    "City",
    "CountryCode",
    "CountryCodeMobilePhone",
    "MobilePhone",
]


def parsed(text):
    root = etree.fromstring(text.encode("ascii"))
    assert root.tag == "Billing" and [child.tag for child in root] == ["Address"]
    return {element.tag: element.text for element in root[0]}, [element.tag for element in root[0]]


def test_billing_of_a_person():
    claire = Buyer(
        "Hélène-Zoé",
        "Œuvrard & Ñandú",
        "3 place Bellecour\nbât. <B>",
        "étage 2",
        "69002",
        "Lyon",
        ("FR",),
        "33",
        "612345678",
    )
    values, _order = parsed(billing(claire))
    assert values == {
        "FirstName": "Helene-Zoe",
        "LastName": "Oeuvrard Nandu",
        "Address1": "3 place Bellecour bat B",
        "Address2": "etage 2",
        "ZipCode": "69002",
        "City": "Lyon",
        "CountryCode": "250",
        "CountryCodeMobilePhone": "+33",
        "MobilePhone": "612345678",
    }


def test_billing_of_a_company_and_of_nobody():
    values, _order = parsed(
        billing(Buyer(last_name="ACME SARL", street2="BP 3", countries=("XX", None, "be")))
    )
    assert (values["FirstName"], values["LastName"]) == ("ACME SARL", "ACME SARL")
    assert (values["Address1"], values["CountryCode"]) == ("BP 3", "056")
    assert "Address2" not in values and "MobilePhone" not in values
    values, _order = parsed(billing(Buyer()))
    assert values["Address1"] == values["City"] == values["LastName"] == "Unknown"
    assert (values["ZipCode"], values["CountryCode"]) == ("00000", "250")


ANY = st.text(max_size=80) | st.none()


@settings(max_examples=300, deadline=None)
@given(ANY, ANY, ANY, ANY, ANY, ANY, st.lists(ANY, max_size=3), ANY, ANY | st.from_regex("[0-9]{3,16}"))
def test_billing_is_always_valid(first, last, street, street2, zip_code, city, countries, code, phone):
    text = billing(Buyer(first, last, street, street2, zip_code, city, tuple(countries), code, phone))
    assert "\n" not in text and "\r" not in text
    values, order = parsed(text)
    assert order == [name for name in ORDER if name in values]
    assert all(values.values()) and {"FirstName", "LastName", "Address1", "ZipCode", "City"} <= set(values)
    assert all(len(values[name]) <= limit for name, limit in LIMITS.items() if name in values)
    others = {"FirstName": "/'-", "LastName": "/'-", "CountryCodeMobilePhone": "+"}
    for name, value in values.items():
        assert re.fullmatch(rf"[A-Za-z0-9 {others.get(name, '')}]+", value, re.ASCII)
        assert "  " not in value and value == value.strip()
    assert re.fullmatch(r"\d{3}", values["CountryCode"]) and values["CountryCode"] != "000"
    if "MobilePhone" in values:
        assert re.fullmatch(r"\d{4,15}", values["MobilePhone"], re.ASCII)
        assert re.fullmatch(r"\+\d{1,3}", values["CountryCodeMobilePhone"], re.ASCII)


@pytest.mark.parametrize(
    ("code", "number", "there"),
    [
        ("33", "612345678", True),
        ("39", "0669821234", True),
        ("49", "15112345678", True),  # more than ten digits are sent whole
        ("", "", False),
        ("+33", "612345678", False),
        ("033", "612345678", False),
        ("33", "06 12 34 56 78", False),
        ("33", "1" * 16, False),
        (None, None, False),
        ("٣٣", "612345678", False),
    ],
)
def test_phones(code, number, there):
    values, _order = parsed(billing(Buyer(calling_code=code, phone=number)))
    assert (values.get("CountryCodeMobilePhone"), values.get("MobilePhone")) == (
        (f"+{code}", number) if there else (None, None)
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Guðrún Sigurðardóttir", "Gudrun Sigurdardottir"),
        ("Yıldız Çağlar", "Yildiz Caglar"),
        ("山田太郎", "ShanTianTaiLang"),
        ("Мария Щербакова", "Mariya Shcherbakova"),
        ("Νίκος", "Nikos"),
        ("Łukasz Groß", "Lukasz Gross"),
        ("d’Angelo", "d'Angelo"),
        ("Jean‑Pierre", "Jean-Pierre"),
        ("Пьеса", "Pesa"),
        ('Dupont & Fils (SARL) ; "Les Prés" <#@+=!:>', "Dupont Fils SARL Les Pres"),
        ("🎄 Noël ★", "Noel"),
        ("Ａｂｃ １２", "Abc 12"),
        ("- / '", ""),
        ('&<>"();:#@+=!', ""),
    ],
)
def test_names_of_all_alphabets(name, found):
    assert plain(name, 60, buyer.IN_NAMES) == found
    values, _order = parsed(billing(Buyer(last_name=name)))
    assert values["FirstName"] == values["LastName"] == (found[:22].strip() or "Unknown")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dupont &amp; Fils", "Dupont amp Fils"),
        ("12, rue de l'Église (bat. B)", "12 rue de l Eglise bat B"),
        ('Zone n°3 ; "Les Prés"', "Zone n 3 Les Pres"),
        ("Saint-Étienne", "Saint Etienne"),
        ("№ 5 bis/ter", "No 5 bis ter"),
    ],
)
def test_addresses_have_letters_digits_and_single_spaces(text, found):
    assert plain(text, 60) == found
    assert parsed(billing(Buyer(city=text)))[0]["City"] == found


LONG = "Résidence des Tilleuls argentés, 12 bis avenue du Général de Gaulle prolongée"


@pytest.mark.parametrize(
    ("street", "street2", "lines"),
    [
        ("3 place Bellecour Bât. B", "Bât. B", ("3 place Bellecour", "Bat B")),
        ("3 place Bellecour", "Bât. B", ("3 place Bellecour", "Bat B")),
        ("3 place Bellecour", "3 PLACE Bellecour", ("3 PLACE Bellecour", "")),
        ("3 place Bellecour", "3", ("3 place Bellecour", "3")),
        ("", "BP 3", ("BP 3", "")),
        ("( )", "BP 3", ("BP 3", "")),
        (
            LONG,
            "",
            ("Residence des Tilleuls argentes 12 bis avenue du", "General de Gaulle prolongee"),
        ),
        (
            f"{LONG} Bât. B",
            "Bât. B",
            ("Residence des Tilleuls argentes 12 bis avenue du", "General de Gaulle prolongee Bat B"),
        ),
        ("x" * 60, "y", ("x" * 50, "x" * 10 + " y")),
        ("a" * 50 + " b", "", ("a" * 50, "b")),
        ("a", "b " * 50, ("a", ("b " * 25).strip())),
        ("", "", ("", "")),
        (None, None, ("", "")),
    ],
)
def test_address_goes_on_in_the_second_line_and_repeats_nothing(street, street2, lines):
    assert address_lines(street, street2) == lines


def test_countries_and_plain():
    assert country_number(("FR",)) == "250" and country_number(("xk", "FR", "BE")) == "250"
    assert country_number((1, "F", "")) == buyer.DEFAULT_COUNTRY
    assert plain("  a\tb\r\nc  ", 5) == "a b c" and plain("abcdef ", 3) == "abc" and plain(5, 3) == ""
    assert plain("INV/2026/1.a_b", 20, "._/-") == "INV/2026/1.a_b"


@pytest.mark.parametrize(
    ("quantity", "number"), [(1, 1), (99, 99), (0, 1), (-3, 1), (250, 99), (None, 1), (2.5, 1)]
)
def test_shopping_cart(quantity, number):
    root = etree.fromstring(shopping_cart(quantity).encode())
    assert root.findtext("total/totalQuantity") == str(number)


# -- where it is


def test_platforms():
    test = platform.platform("paybox", True)
    assert test.pages == ("https://preprod-tpeweb.paybox.com",)
    live = platform.platform("etransactions", False)
    assert live.pages == ("https://tpeweb.e-transactions.fr", "https://tpeweb1.e-transactions.fr")
    assert live.direct == ("https://ppps.e-transactions.fr", "https://ppps1.e-transactions.fr")
    own = platform.platform(
        "custom", False, "pay.example.com", "http://127.0.0.1:9/", "direct.example.com:444"
    )
    assert own.pages == ("https://pay.example.com", "http://127.0.0.1:9")
    assert own.direct == ("https://direct.example.com:444",)
    assert platform.platform("custom", True, "pay.example.com").direct == ("https://pay.example.com",)


@pytest.mark.parametrize(
    "values",
    [
        ("other", True),
        ("custom", True),
        ("custom", False, "a b"),
        ("custom", True, "ftp://x"),
        ("custom", True, "x:99999"),
        ("custom", True, "x/y"),
        ("custom", True, 5),
    ],
)
def test_platforms_that_are_none(values):
    with pytest.raises(ProtocolError):
        platform.platform(*values)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (b'<div id="server_status" style="text-align:center;">OK</div>', True),
        (b"<html><DIV id='server_status'> OK </DIV>", True),
        (b"<p id=server_status>OK</p>", True),
        (b'<div id="server_status">KO</div>', False),
        (b'<div id="server_status">OKAY</div>', False),
        (b"OK", False),
        (b"", False),
        (None, False),
    ],
)
def test_availability(text, good):
    assert platform.is_available(text) is good


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://x/", True),
        ("http://x/a", True),
        ("https://x:8443/", False),
        ("http://x:8085/", True),
        ("https://", False),
        ("ftp://x/", False),
        ("https://x:99999/", False),
        (None, False),
        ("x", False),
    ],
)
def test_ports_that_the_platform_calls(address, good):
    assert platform.can_be_notified(address) is good
