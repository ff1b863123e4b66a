"""What is asked: requests, addresses, names and amounts, and everything that must not leave."""

import base64
import json
import re
from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viva import money, paths, references, request
from viva.errors import ProtocolError
from viva.hosts import DEMO, PRODUCTION, ROLES, Call, Site, site
from viva.request import Request, build

SALE = Request(
    "sale", "3f0c1c1e-aaaa-4bbb-8ccc-1234567890ab", "16000010", "POS-1/Viva", 1170, "978", "3f0c1c1e-1/7"
)
PREAUTH = replace(SALE, action="preauth")
REFUND = replace(SALE, action="refund", parent="8a94263e-397a-4fed-801b-81c0fb1fb3d7")
CAPTURE = replace(REFUND, action="capture")
UNREFERENCED = replace(SALE, action="unreferenced_refund")


def refused(code, call, *arguments, field=None):
    with pytest.raises(ProtocolError) as caught:
        call(*arguments)
    assert caught.value.code == code
    assert field is None or caught.value.field == field
    assert caught.value.message == str(caught.value)


# -- requests

COMMON = {
    **{"sessionId": SALE.session, "terminalId": "16000010", "cashRegisterId": "POS-1/Viva", "amount": 1170},
    **{"currencyCode": "978", "merchantReference": "3f0c1c1e-1/7"},
}
PAYMENT = {"maxInstalments": 0, "tipAmount": 0}


@pytest.mark.parametrize(
    ("asked", "path", "more"),
    [
        (SALE, "sale", {"preauth": False, **PAYMENT}),
        (PREAUTH, "sale", {"preauth": True, **PAYMENT}),
        (REFUND, "refund", {"parentSessionId": REFUND.parent}),
        (CAPTURE, "preauth-completion", {"parentSessionId": REFUND.parent}),
        (UNREFERENCED, "unreferenced-refund", {}),
    ],
    ids=lambda value: getattr(value, "action", None),
)
def test_bodies(asked, path, more):
    call = build(asked)
    assert call == Call("POST", "api", f"/ecr/v1/transactions:{path}", "bearer", {**COMMON, **more})
    assert build(asked) == call, "a repetition says the same"
    assert site(True).address(call) == f"https://demo-api.vivapayments.com/ecr/v1/transactions:{path}"
    assert json.loads(json.dumps(call.body)) == call.body


def test_all_options():
    asked = replace(
        SALE,
        tip=170,
        customer_text="Ordre n° 7 €",
        instalments=3,
        first_method="IRIS",
        show_result=False,
        show_receipt=True,
        skip_surcharge=True,
        callback="viva.app://done?x=1",
        application=("Odoo", "19.0", "Servipay"),
        fiscal=(("aadeProviderId", "999"), ("aadeProviderSignature", "c2ln")),
    )
    body = build(asked).body
    platform = json.loads(base64.b64decode(body.pop("saleToAcquirerData")))["applicationInfo"]
    assert platform == {"externalPlatform": {"name": "Odoo", "version": "19.0", "integrator": "Servipay"}}
    assert body == {
        **COMMON,
        **{"preauth": False, "maxInstalments": 3, "tipAmount": 170, "customerTrns": "Ordre n° 7 €"},
        **{"paymentMethod": "IRIS", "showTransactionResult": False, "showReceipt": True},
        **{"skipSurcharge": True, "interappCallback": "viva.app://done?x=1", "aadeProviderId": "999"},
        "aadeProviderSignature": "c2ln",
    }
    shown = build(replace(REFUND, show_result=True, show_receipt=False, customer_text="x", callback="finish"))
    assert set(shown.body) - set(build(REFUND).body) == {
        *("showTransactionResult", "showReceipt", "customerTrns", "interappCallback"),
    }
    assert shown.body["showReceipt"] is False


NO_AMOUNTS = [0, -1, 10**12, True, 11.7, 1170.0, Decimal(1170), Decimal("11.70"), "1170", None, Fraction(5)]


@pytest.mark.parametrize("amount", NO_AMOUNTS)
@pytest.mark.parametrize("asked", [SALE, PREAUTH, REFUND, CAPTURE, UNREFERENCED], ids=lambda one: one.action)
def test_amounts_that_are_none(asked, amount):
    refused("amount", build, replace(asked, amount=amount), field="amount")


def test_smallest_and_largest_amount():
    assert build(replace(SALE, amount=1)).body["amount"] == 1
    assert build(replace(SALE, amount=10**12 - 1)).body["amount"] == 10**12 - 1


@pytest.mark.parametrize("tip", [-1, True, 1.0, Decimal(1), "1", None])
def test_tips_that_are_none(tip):
    refused("amount", build, replace(SALE, tip=tip), field="tip")


def test_a_tip_is_a_part_of_a_sale():
    assert build(replace(SALE, tip=1169)).body["tipAmount"] == 1169
    refused("tip", build, replace(SALE, tip=1170))
    for other in (PREAUTH, REFUND, CAPTURE, UNREFERENCED):
        refused("tip", build, replace(other, tip=1))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action": "void"}, "action"),
        ({"action": None}, "action"),
        ({"action": ["sale"]}, "action"),
        ({"session": ""}, "session"),
        ({"session": "a/b-12345678"}, "session"),
        ({"terminal": ""}, "terminal"),
        ({"terminal": 16000010}, "terminal"),
        ({"terminal": "16 000"}, "terminal"),
        ({"terminal": "1" * 41}, "terminal"),
        ({"terminal": "16000010\n"}, "terminal"),
        ({"register": ""}, "register"),
        ({"register": " "}, "register"),
        ({"register": "POS "}, "register"),
        ({"register": "x" * 101}, "register"),
        ({"register": "a\nb"}, "register"),
        ({"register": "\ud800"}, "register"),
        ({"register": None}, "register"),
        ({"reference": ""}, "reference"),
        ({"reference": "x" * 201}, "reference"),
        ({"currency": "EUR"}, "currency"),
        ({"currency": 978}, "currency"),
        ({"currency": "000"}, "currency"),
        ({"parent": REFUND.parent}, "not_for_action"),
        ({"parent": None}, "not_for_action"),
        ({"customer_text": "x" * 201}, "customer_text"),
        ({"customer_text": "a\x00"}, "customer_text"),
        ({"customer_text": None}, "customer_text"),
        ({"instalments": -1}, "instalments"),
        ({"instalments": 37}, "instalments"),
        ({"instalments": True}, "instalments"),
        ({"first_method": "Cash"}, "first_method"),
        ({"first_method": None}, "first_method"),
        ({"show_result": 1}, "show_result"),
        ({"show_receipt": "yes"}, "show_receipt"),
        ({"skip_surcharge": 0}, "skip_surcharge"),
        ({"callback": "done"}, "callback"),
        ({"callback": "javascript:x"}, "callback"),
        ({"callback": "app://a b"}, "callback"),
        ({"callback": None}, "callback"),
        ({"application": ["Odoo", "1", "x"]}, "type"),
        ({"application": ("Odoo",)}, "type"),
        ({"application": ("Odoo", "1", "")}, "application"),
        ({"application": ("Odoo", "1", "é")}, "application"),
        ({"application": ("Odoo", 1, "x")}, "application"),
        ({"fiscal": {"aadeProviderId": "999"}}, "type"),
        ({"fiscal": (("aadeProviderId",),)}, "type"),
        ({"fiscal": ("ab",)}, "type"),
        ({"fiscal": (("amount", "1"),)}, "fiscal"),
        ({"fiscal": ((5, "1"),)}, "fiscal"),
        ({"fiscal": ((["aadeProviderId"], "1"),)}, "fiscal"),
        ({"fiscal": (("aadeProviderId", "1"),) * 2}, "fiscal"),
        ({"fiscal": (("aadeProviderId", ""),)}, "fiscal"),
        ({"fiscal": (("aadeProviderId", 999),)}, "fiscal"),
    ],
)
def test_requests_that_are_none(change, code):
    refused(code, build, replace(SALE, **change), field=next(iter(change)))


@pytest.mark.parametrize(
    "change",
    [{"register": "x"}, {"register": "x" * 100}, {"reference": "x" * 200}, {"instalments": 36}]
    + [{"customer_text": "x" * 200}, {"customer_text": " "}, {"terminal": "1" * 40}],
)
def test_edges(change):
    assert next(iter(change.values())) in build(replace(SALE, **change)).body.values()
    assert request.search_devices("x" * 20).body == {"sourceCode": "x" * 20}
    assert request.abort(SALE.session, "x").path.endswith("?cashRegisterId=x")


@pytest.mark.parametrize("other", [None, {}, "sale"])
def test_no_request(other):
    refused("type", build, other)


@pytest.mark.parametrize("asked", [REFUND, CAPTURE], ids=lambda one: one.action)
def test_what_a_refund_needs_and_does_not_have(asked):
    refused("session", build, replace(asked, parent=""), field="parent")
    refused("session", build, replace(asked, parent=None), field="parent")
    refused("parent", build, replace(asked, parent=asked.session))
    values = {
        "instalments": 2,
        "first_method": "IRIS",
        "skip_surcharge": True,
        "application": ("a", "b", "c"),
    }
    for name, value in values.items():
        refused("not_for_action", build, replace(asked, **{name: value}), field=name)
        assert build(replace(SALE, **{name: value}))


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.tuples(st.text())


@given(st.dictionaries(st.sampled_from([field.name for field in fields(Request)]), VALUES, max_size=4))
def test_any_request_is_built_or_refused(changes):
    try:
        call = build(replace(REFUND, **changes))
    except ProtocolError:
        return
    assert json.dumps(call.body, allow_nan=False)
    assert type(call.body["amount"]) is int and call.body["amount"] > 0


# -- other calls


def test_abort():
    call = request.abort(SALE.session, "Café & Co #1/2?x=é")
    assert (call.verb, call.role, call.access, call.body, call.form) == ("DELETE", "api", "bearer", None, ())
    parts = urlsplit(site(False).address(call))
    assert (parts.netloc, parts.path) == ("api.vivapayments.com", f"/ecr/v1/sessions/{SALE.session}")
    assert parse_qsl(parts.query, strict_parsing=True) == [("cashRegisterId", "Café & Co #1/2?x=é")]
    assert parts.fragment == ""
    refused("session", request.abort, "../..", "x")
    refused("register", request.abort, SALE.session, "")


def test_reads():
    core = "00007-001-0001 - c9a31bfb-b517-4e65-a1ee-b00a1d86731b"
    call = request.read_session(core)
    assert call == Call("GET", "api", "/ecr/v1/sessions/" + core.replace(" ", "%20"), "bearer")
    refused("session", request.read_session, "..")
    assert request.read_day("2026-05-31").path == "/ecr/v1/sessions?date=2026-05-31"
    assert request.read_day("2026-05-31").verb == "GET"
    for day in ("2026-5-31", "today", "2026-05-31&x=1", "2026-05-31\n", None, "٢٠٢٦-٠٥-٣١"):
        refused("day", request.read_day, day)


def test_device_search():
    call = request.search_devices()
    assert call == Call("POST", "api", "/ecr/v1/devices:search", "bearer", {})
    assert request.search_devices("1234", live=True).body == {"sourceCode": "1234", "statusId": 1}
    assert request.search_devices(live="yes").body == {}
    refused("source", request.search_devices, "x" * 21)


def test_webhook_key():
    call = Call("GET", "www", "/api/messages/config/token", "merchant")
    assert request.webhook_key() == call
    assert site(False).address(call) == "https://www.vivapayments.com/api/messages/config/token"


# -- hosts and paths


def test_hosts():
    assert set(DEMO) == set(PRODUCTION) == set(ROLES)
    assert set(DEMO.values()).isdisjoint(PRODUCTION.values())
    assert site(True) == Site(**DEMO, test=True)
    # only True is the demo: a typing error must not send a customer's payment there
    assert site(False) == site("demo") == site(None) == Site(**PRODUCTION, test=False)
    assert all(address.startswith("https://") and address.count("/") == 2 for address in PRODUCTION.values())


def test_simulator_plays_all_three():
    one = site(True, " http://127.0.0.1:8890/ ", insecure=True)
    assert one == Site(*["http://127.0.0.1:8890"] * 3, test=True)
    assert site(False, "https://viva.example").api == "https://viva.example"
    assert site(False, "https://viva.example:65535").www == "https://viva.example:65535"
    refused("host", site, False, "https://viva.example:65536")
    refused("https", site, True, "http://127.0.0.1:8890")
    refused("https", site, True, "HTTP://127.0.0.1:8890", "yes")
    for base in ("127.0.0.1", "ftp://x", "https://", "https://x:99999", "https://a/b", "https://a@b", 5):
        refused("host", site, True, base, field="base")


def test_addresses():
    refused("role", site(True).address, Call("GET", "test", "/", "bearer"))
    refused("role", site(True).address, "/")
    assert site(True).receipt("a b") == "https://demo.vivapayments.com/web/receipt?tid=a%20b"
    assert paths.transaction("9e30&x") == "/checkout/v2/transactions/9e30%26x"


@pytest.mark.parametrize("value", ["", ".", "..", "...", "a\n", "\x00", "\ud800", None, 5, b"x", "x" * 301])
def test_parts_that_are_none(value):
    for build_path in (paths.session, paths.transaction, paths.receipt):
        refused("path", build_path, value)
    refused("path", paths.abort, "x", value)


def test_longest_part():
    assert paths.session("x" * 300) == "/ecr/v1/sessions/" + "x" * 300


@given(st.text(min_size=1, max_size=300))
def test_a_part_stays_one_part(value):
    try:
        path = paths.abort(value, value)
    except ProtocolError:
        return
    assert path.isascii()
    head, tail = path.split("?")
    assert unquote(head.removeprefix("/ecr/v1/sessions/")) == value
    assert re.fullmatch(r"[A-Za-z0-9_.~%-]+", head.removeprefix("/ecr/v1/sessions/"))
    assert parse_qsl(tail, keep_blank_values=True) == [("cashRegisterId", value)]


# -- names

REAL = ["PP3272741-39bbea4cfc", "JzzoyGeg46", "16304888_11369", "4bdebe62-c211-4ca0-a994-b2fbea2061c5"]


@pytest.mark.parametrize("name", [*REAL, "a" * 8, "a" * 100, "00007-001-0001 - c9a31bfb-b517-4e65-a1ee"])
def test_session_ids(name):
    assert references.check_session(name) == name
    for number in (1, 12, 10**10 - 1):
        assert references.parse(references.compose(name, number)) == references.Reference(name, number)


@pytest.mark.parametrize(
    "name",
    ["", "a" * 7, "a" * 101, "12345678/", " 12345678", "12345678 ", "1234\n5678", "12345678\n", "12345é78"]
    + ["..........", "-12345678", None, 12345678, b"12345678", "1234?5678", "1234%5678"],
)
def test_session_ids_that_are_none(name):
    refused("session", references.check_session, name, field="session")
    refused("session", references.compose, name, 1)


@pytest.mark.parametrize("number", [0, -1, True, "7", 7.0, None, 10**10])
def test_pos_sessions_that_are_none(number):
    refused("pos_session", references.compose, REAL[0], number)


FOREIGN = [
    *("", "some-reference", "4/11929730/1K Live Emisys", "4/11929730", "S00042", "INV/2026/00012"),
    *("[PP3300767-4e4dc74928]614/12007007/QZ", "PP3272741-39bbea4cfc/", "PP3272741-39bbea4cfc/0"),
    *("PP3272741-39bbea4cfc/07", "PP3272741-39bbea4cfc/7 ", "/7", "PP3272741-39bbea4cfc/12345678901"),
    *(
        "PP3272741-39bbea4cfc/٧",
        "PP3272741/39bbea4cfc/7",
        None,
        7,
        b"PP3272741-39bbea4cfc/7",
        ["x"],
        "\ud800/7",
    ),
]


@pytest.mark.parametrize("reference", FOREIGN, ids=repr)
def test_references_of_others(reference):
    assert references.parse(reference) is None


@given(st.text() | st.binary() | st.integers() | st.none())
def test_any_reference_is_ours_or_foreign(reference):
    found = references.parse(reference)
    assert found is None or references.compose(*found) == reference
    assert len(references.shown(reference)) <= references.MAX_REFERENCE


# -- money


@pytest.mark.parametrize(("number", "expected"), [("978", 2), ("392", 0), ("048", 3), ("990", 4), ("348", 2)])
def test_digits(number, expected):
    assert money.digits(number) == expected


@pytest.mark.parametrize("number", ["EUR", "97", "9780", 978, None, "٩٧٨", "001", "978\n"])
def test_currencies_that_are_none(number):
    refused("currency", money.digits, number)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("978", "978"),
        (978, "978"),
        (36, "036"),
        ("036", "036"),
        ("36", ""),
        (-978, ""),
        (1978, ""),
        (True, ""),
    ]
    + [("EUR", ""), (None, ""), (978.0, ""), ([], "")],
)
def test_currency_as_told(told, expected):
    assert money.read_currency(told) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (200, 200),
        (0, 0),
        (-900, -900),
        (Decimal("200.0"), 200),
        (Decimal("2E+2"), 200),
        (Decimal("2.5"), None),
    ]
    + [(True, None), ("200", None), (None, None), (2.0, None), (10**12 - 1, 10**12 - 1), (10**12, None)]
    + [(-(10**12), None), (Decimal("1e999999"), None), (Decimal("NaN"), None), (Decimal(10) ** 12, None)],
)
def test_minor_units_of_sessions(told, expected):
    assert money.read_minor(told) == expected


@pytest.mark.parametrize(
    ("told", "decimals", "expected"),
    [(Decimal("42.0"), 2, 4200), (10, 2, 1000), (Decimal("0.29"), 2, 29), (Decimal("1.005"), 2, None)]
    + [(Decimal("1.005"), 3, 1005), (500, 0, 500), (Decimal("500.0"), 0, 500), (Decimal("500.5"), 0, None)]
    + [(Decimal("-9"), 2, -900), (-9, 2, -900), (0, 2, 0), (Decimal("0.00"), 2, 0), ("10", 2, None)]
    + [(10.0, 2, None), (True, 2, None), (None, 2, None), (Decimal("1e41"), 2, None), (10**12, 2, None)]
    + [(Decimal("1e-41"), 2, None), (Decimal("Infinity"), 2, None), (Decimal("9999999999.99"), 2, 10**12 - 1)]
    + [(Decimal("10000000000"), 2, None), (Decimal("1." + "0" * 40), 2, None)]
    + [(Decimal("1." + "0" * 39), 2, 100), (Decimal("1.0e1"), 2, 1000), (Decimal("0e-40"), 2, 0)]
    + [(Decimal("0e-41"), 2, None), (Decimal("0e40"), 2, 0), (Decimal("0e41"), 2, None), (10**50, 2, None)],
)
def test_minor_units_of_webhooks(told, decimals, expected):
    assert money.minor_of_major(told, decimals) == expected


@given(st.integers(-(10**12) + 1, 10**12 - 1), st.integers(0, 4))
def test_major_units_come_back(minor, decimals):
    digits = tuple(map(int, str(abs(minor))))
    assert money.minor_of_major(Decimal((minor < 0, digits, -decimals)), decimals) == minor
