"""DirectLink: what is asked, what an answer means, and XML that does nothing to whoever reads it."""

import base64
from dataclasses import replace
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogone import check, direct, lists, page, words, xmltext
from ogone.direct import Account, Authentication, Charge, DirectAnswer, Movement
from ogone.errors import ProtocolError
from ogone.signature import sign
from ogone.verdict import Asked

KEY = "Mysecretsig1875!?"
ACCOUNT = Account("MyPSPID", "api-user", "s3cret & é", KEY)
CHARGE = Charge("S00042-1", "ODOO-ALIAS-1", Decimal("15.00"), "EUR")
REFUND = Movement("RFD", Decimal("5.00"), "EUR", payid="32100123")
PLACES = page.Addresses(*["https://x/a"] * 4)
BROWSER = Authentication("text/html", "Mozilla/5.0", PLACES, "fr_BE", "POPUP", (("BROWSERLANGUAGE", "fr"),))


def refused(code, call, *arguments):
    with pytest.raises(ProtocolError) as caught:
        call(*arguments)
    assert caught.value.code == code
    assert KEY not in str(caught.value) and "s3cret" not in str(caught.value)


def xml(inside="", **values):
    attributes = "".join(f' {name}="{value}"' for name, value in values.items())
    return f'<?xml version="1.0"?><ncresponse{attributes}>{inside}</ncresponse>'.encode()


def reply(**values):
    """An answer about CHARGE that says yes, but for what is changed."""
    base = {"orderID": "S00042-1", "PAYID": "3041400", "NCSTATUS": "0", "NCERROR": "0", "NCERRORPLUS": "!"}
    more = {"ACCEPTANCE": "test123", "STATUS": "9", "amount": "15", "currency": "EUR", "BRAND": "VISA"}
    return xml(**{name: value for name, value in {**base, **more, **values}.items() if value is not None})


# -- requests


def test_charge():
    pairs = direct.charge(ACCOUNT, replace(CHARGE, customer=page.Customer(name="Zoé"), description="Invoice"))
    found = dict(pairs)
    assert pairs[-1] == ("SHASIGN", sign(pairs[:-1], KEY)) and all(found.values())
    assert {name: found[name] for name in ("PSPID", "USERID", "PSWD", "ORDERID", "AMOUNT", "CURRENCY")} == {
        **{"PSPID": "MyPSPID", "USERID": "api-user", "PSWD": "s3cret & é", "ORDERID": "S00042-1"},
        **{"AMOUNT": "1500", "CURRENCY": "EUR"},
    }
    assert (found["ALIAS"], found["OPERATION"], found["ECI"], found["RTIMEOUT"]) == (
        "ODOO-ALIAS-1",
        "SAL",
        "9",
        "30",
    )
    assert (found["CN"], found["COM"]) == ("Zoé", "Invoice")
    assert not {"COF_INITIATOR", "FLAG3D", "REMOTE_ADDR"} & set(found)
    assert dict(parse_qsl(direct.body(pairs).decode("ascii"), strict_parsing=True)) == found


def test_charge_of_somebody_who_is_there():
    values = {
        "address": "2001:db8::1",
        "timeout": 90,
        "operation": "RES",
        "eci": "7",
        "authentication": BROWSER,
    }
    more = {"initiator": "CIT", "schedule": "UNSCHED", "sequence": "FIRST"}
    found = dict(direct.charge(ACCOUNT, replace(CHARGE, **values, **more)))
    expected = {
        **{"REMOTE_ADDR": "2001:db8::1", "RTIMEOUT": "90", "OPERATION": "RES", "ECI": "7", "FLAG3D": "Y"},
        **{
            "WIN3DS": "POPUP",
            "HTTP_ACCEPT": "text/html",
            "HTTP_USER_AGENT": "Mozilla/5.0",
            "LANGUAGE": "fr_FR",
        },
        **{"ACCEPTURL": "https://x/a", "DECLINEURL": "https://x/a", "EXCEPTIONURL": "https://x/a"},
        **{
            "BROWSERLANGUAGE": "fr",
            "COF_INITIATOR": "CIT",
            "COF_SCHEDULE": "UNSCHED",
            "COF_TRANSACTION": "FIRST",
        },
    }
    assert expected.items() <= found.items()
    names = [name for name in found if name != "SHASIGN"]
    assert all(lists.is_signed(name, "in") for name in names)
    # no pair among them whose order is disputed
    assert sorted(names, key=lists.sort_key) == sorted(names)


@pytest.mark.parametrize(("operation", "kind"), direct.OPERATIONS.items())
def test_movement(operation, kind):
    moved = replace(REFUND, operation=operation)
    pairs = direct.movement(ACCOUNT, moved)
    assert [name for name, _value in pairs] == "PSPID USERID PSWD PAYID AMOUNT OPERATION SHASIGN".split()
    assert pairs[3:6] == [("PAYID", "32100123"), ("AMOUNT", "500"), ("OPERATION", operation)]
    assert pairs[-1][1] == sign(pairs[:-1], KEY)
    asked = direct.asked(moved, Decimal(15))
    assert asked == Asked(kind, "", "32100123", "", Decimal("5.00"), "EUR", Decimal(15))
    by_order = dict(direct.movement(ACCOUNT, replace(moved, payid="", order="S1")))
    assert by_order["ORDERID"] == "S1" and "PAYID" not in by_order


def test_query():
    pairs = direct.query(ACCOUNT, payid="32100123", payidsub="2")
    assert pairs[3:5] == [("PAYID", "32100123"), ("PAYIDSUB", "2")]
    # PAYIDSUB is in no list: it is sent and not signed
    assert pairs[-1][1] == sign([pair for pair in pairs[:-1] if pair[0] != "PAYIDSUB"], KEY)
    assert dict(direct.query(ACCOUNT, order="S1"))["ORDERID"] == "S1"


def test_asked_of_a_charge():
    assert direct.asked(CHARGE) == Asked("purchase", "S00042-1", "", "", Decimal("15.00"), "EUR")
    assert direct.asked(replace(CHARGE, operation="RES")).kind == "authorisation"
    refused("kind", direct.asked, replace(CHARGE, operation="X"))
    refused("kind", direct.asked, replace(REFUND, operation=["RFD"]))
    refused("kind", direct.asked, replace(CHARGE, operation=None))
    refused("type", direct.asked, None)
    refused("amount", direct.asked, CHARGE, 15)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"order": "a b"}, "order"),
        ({"alias": "a b"}, "alias"),
        ({"alias": "4111111111111111"}, "alias"),
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": 15.0}, "amount"),
        ({"currency": "eur"}, "currency"),
        ({"operation": "RFD"}, "choice"),
        ({"eci": "5"}, "choice"),
        ({"address": "x" * 46}, "text"),
        ({"address": "é"}, "text"),
        ({"address": 5}, "text"),
        ({"timeout": 29}, "timeout"),
        ({"timeout": 91}, "timeout"),
        ({"timeout": 30.0}, "timeout"),
        ({"customer": None}, "type"),
        ({"initiator": "X"}, "choice"),
        ({"schedule": "X"}, "choice"),
        ({"sequence": "X"}, "choice"),
        ({"authentication": "Y"}, "type"),
        ({"authentication": replace(BROWSER, addresses=None)}, "type"),
        ({"authentication": replace(BROWSER, window="X")}, "choice"),
        ({"authentication": replace(BROWSER, details=None)}, "type"),
        ({"authentication": replace(BROWSER, details=(("CARDNO", "x"),))}, "type"),
        ({"authentication": replace(BROWSER, details=(("BROWSER1", "x"),))}, "type"),
        ({"authentication": replace(BROWSER, details=((5, "x"),))}, "type"),
        ({"authentication": replace(BROWSER, details=("BROWSERLANGUAGE",))}, "type"),
        ({"authentication": replace(BROWSER, details=(("BROWSERLANGUAGE",),))}, "type"),
        ({"authentication": replace(BROWSER, details=(("BROWSERLANGUAGE", "x"),) * 2)}, "type"),
        ({"authentication": replace(BROWSER, details=(("BROWSERLANGUAGE", "é"),))}, "text"),
    ],
)
def test_charges_that_are_none(change, code):
    refused(code, direct.charge, ACCOUNT, replace(CHARGE, **change))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"operation": "RES"}, "choice"),
        ({"operation": None}, "choice"),
        ({"amount": Decimal("0.001")}, "decimals"),
        ({"payid": "x"}, "payid"),
        ({"payid": 5}, "payid"),
        ({"payid": ""}, "order"),
        ({"currency": ""}, "currency"),
    ],
)
def test_movements_that_are_none(change, code):
    refused(code, direct.movement, ACCOUNT, replace(REFUND, **change))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"pspid": ""}, "pspid"),
        ({"userid": ""}, "credentials"),
        ({"password": ""}, "credentials"),
        ({"password": None}, "credentials"),
        ({"password": "s3cret\n"}, "credentials"),
        ({"password": "s3cret" * 20}, "credentials"),
        ({"passphrase": ""}, "passphrase"),
        ({"algorithm": "md5"}, "algorithm"),
    ],
)
def test_accounts_that_are_none(change, code):
    refused(code, direct.query, replace(ACCOUNT, **change), "1")
    refused("type", direct.query, None, "1")
    refused("payid", direct.query, ACCOUNT, "1", "", "x")


def test_secrets_do_not_show():
    assert KEY not in repr(ACCOUNT) and "s3cret" not in repr(ACCOUNT)


@pytest.mark.parametrize("fields", [None, [("a",)], [("a", 1)], [(1, "a")], 5, [("a", "\ud800")]])
def test_bodies_that_are_none(fields):
    refused("value", direct.body, fields)


# -- reading


def test_all_that_is_read():
    html = base64.b64encode("<form>é</form>".encode()).decode()
    data = xml(
        f"<HTML_ANSWER>{html[:8]}\n{html[8:]}</HTML_ANSWER>",
        **{"orderID": "S1", "PAYID": "3041400", "PAYIDSUB": "1", "NCERROR": "50001113", "STATUS": "46"},
        **{"NCERRORPLUS": "card 4111111111111111 is bad", "ACCEPTANCE": "test123", "amount": "15.00"},
        **{"currency": "EUR", "PM": "CreditCard", "BRAND": "VISA", "ALIAS": "A-1", "ECI": "7"},
        **{"CARDNO": "XXXXXXXXXXXX1111"},
    )
    assert direct.read(data) == DirectAnswer(
        **{"order": "S1", "payid": "3041400", "payidsub": "1", "status": "46", "error": "50001113"},
        **{"message": "card XXXXXXXXXXXX1111 is bad", "acceptance": "test123", "amount": Decimal("15.00")},
        **{"currency": "EUR", "method": "CreditCard", "brand": "VISA", "alias": "A-1", "eci": "7"},
        **{"card_tail": "1111", "html": "<form>é</form>"},
    )
    assert "form" not in repr(direct.read(data))


def test_letter_case_order_and_absence():
    found = direct.read(b'<NCRESPONSE status="5" payid="0" NCError="0" NCERRORPLUS="!" Amount=""/>')
    assert found == DirectAnswer(status="5")
    assert direct.read(xml(amount="1,5")).unreadable and direct.read(xml(amount="1,5")).amount is None
    # our aliases may hold twelve digits in a row, and a token must come back as it is
    assert direct.read(xml(ALIAS="ODOO-ALIAS-1234567890123456")).alias == "ODOO-ALIAS-1234567890123456"
    assert direct.read(xml(orderID="x" * 300)).order == "x" * 100


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        (' encoding="iso-8859-1"', "latin-1"),
        (' encoding="ISO-8859-1"', "utf-8"),
        (' encoding="utf-8"', "utf-8"),
        (' encoding="utf-8"', "latin-1"),  # says one and sends the other
        (" encoding='windows-1252'", "cp1252"),
        ("", "utf-8"),
        ("", "latin-1"),
    ],
)
def test_encodings(declared, encoding):
    data = f'\n<?xml version="1.0"{declared}?>\n<ncresponse STATUS="2" NCERRORPLUS="refusé"/>'.encode(
        encoding
    )
    expected = "refusÃ©" if "8859" in declared and encoding == "utf-8" else "refusé"
    assert direct.read(data).message == expected
    if encoding == "utf-8":
        assert direct.read(b"\xef\xbb\xbf" + data).status == "2"


def test_refusal_in_elements():
    data = (
        b"<ncresponse><FORMAT_CHECK><FORMAT_CHECK_ERROR><ERROR/><NCERROR>50001111</NCERROR>"
        b"<STATUS>9</STATUS><NCERROR>0</NCERROR></FORMAT_CHECK_ERROR></FORMAT_CHECK></ncresponse>"
    )
    # what became of money is read where it belongs, and nowhere else
    assert direct.read(data) == DirectAnswer(error="50001111")
    assert direct.read(xml("<NCERROR>1</NCERROR><NCERRORPLUS/>", NCERROR="2")).error == "2"


@pytest.mark.parametrize("content", ["", "%%%", "AAA", "é"])
def test_page_that_is_none(content):
    assert direct.read(xml(f"<HTML_ANSWER>{content}</HTML_ANSWER>")).html == ""


def test_page_in_the_old_encoding():
    data = base64.b64encode("<p>é".encode("latin-1")).decode()
    assert direct.read(xml(f"<!-- x --><?y z?><HTML_ANSWER><![CDATA[{data}]]></HTML_ANSWER>")).html == "<p>é"


LAUGHS = b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">]>'
OUTSIDE = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
HOSTILE = [
    LAUGHS + b'<ncresponse STATUS="9" orderID="&c;"/>',
    OUTSIDE + b'<ncresponse STATUS="9"><NCERROR>&x;</NCERROR></ncresponse>',
    b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><ncresponse STATUS="9"/>',
    b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE r+AD4APA-ncresponse/+AD4-',
    b'<?xml version="1.0" encoding="utf-16"?><ncresponse STATUS="9"/>',
    '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r><ncresponse STATUS="9"/>'.encode("utf-16"),
    b'<?xml version="1.0" encoding="utf-7"' + b" " * 300 + b'?><ncresponse STATUS="9"/>',
    b'<ncresponse STATUS="9">&x;</ncresponse>',
    b'<ncresponse STATUS="9"/>' + b" " * xmltext.MAX_BYTES,
    b"<a>" * 100000,
]
NONSENSE = [
    b"",
    b"   ",
    b"<",
    b"OK",
    b"<ncresponse",
    b"<ncresponse/><ncresponse/>",
    b'<ncresponse STATUS="9" STATUS="2"/>',
    b'<ncresponse STATUS="9" status="2"/>',
    b"<other STATUS='9'/>",
    b"<x><ncresponse STATUS='9'/></x>",
    b"<ncresponse STATUS='9'>\x00</ncresponse>",
    b"<!-- ncresponse -->",
    None,
    '<ncresponse STATUS="9"/>',
    5,
]
PAGES = [
    b"<html><body>Maintenance</body></html>",
    b"<!DOCTYPE html><html><p>Maintenance<br></html>",
    b"\r\n<HTML><HEAD><TITLE>Object moved</TITLE>",
]


@pytest.mark.parametrize("data", HOSTILE + NONSENSE)
def test_answers_that_are_none(data):
    refused("answer", direct.read, data)
    verdict = direct.conclude(direct.asked(CHARGE), 200, data)
    assert (verdict.state, verdict.reason, verdict.answer) == ("unknown", "unreadable", None)


@pytest.mark.parametrize("data", PAGES)
def test_web_pages_are_no_answer(data):
    refused("html", direct.read, data)
    assert direct.conclude(direct.asked(CHARGE), 200, data).reason == "web_page"
    assert direct.conclude_query(direct.asked(CHARGE), 200, data).state is None


def test_namespaces_do_not_matter():
    data = b'<n:ncresponse xmlns:n="urn:x" n:STATUS="9"/>'
    assert direct.read(data).status == "9"


# -- conclusions


ASKED = direct.asked(CHARGE)


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({}, "approved", ""),
        ({"amount": "15.00"}, "approved", ""),
        (
            {"amount": None, "currency": None, "BRAND": None, "ACCEPTANCE": None, "NCSTATUS": None},
            "approved",
            "",
        ),
        ({"STATUS": "5"}, "pending", "authorised"),
        ({"STATUS": "91"}, "pending", "processing"),
        ({"STATUS": "51"}, "pending", "authorisation_waiting"),
        ({"STATUS": "46"}, "pending", "identification"),
        ({"STATUS": "52", "NCERROR": "20001001"}, "unknown", "uncertain"),
        ({"STATUS": "92"}, "unknown", "payment_uncertain"),
        ({"STATUS": "2", "NCERROR": "30001012"}, "declined", "blocked"),
        ({"STATUS": "2", "NCERROR": "30511001", "amount": "0", "currency": ""}, "declined", "funds"),
        ({"STATUS": "2", "NCERROR": "10001001"}, "unknown", "no_connection"),
        ({"STATUS": "0", "NCERROR": "50001111", "orderID": "", "PAYID": "0"}, "failed", "data"),
        ({"STATUS": "", "NCERROR": "50001111", "orderID": "", "PAYID": ""}, "failed", "data"),
        ({"STATUS": "0", "NCERROR": "50001087"}, "declined", "soft_decline"),
        ({"STATUS": "0", "NCERROR": "50001113"}, "unknown", "already_processed"),
        ({"STATUS": "0", "NCERROR": "50001133"}, "unknown", "twice"),
        ({"STATUS": "0", "NCERROR": "50001119"}, "failed", "credentials"),
        ({"STATUS": "0", "NCERROR": "50001009"}, "unknown", "technical"),
        ({"STATUS": "0", "NCERROR": "40001001"}, "unknown", "technical"),
        ({"STATUS": "0", "NCERROR": "30681001"}, "unknown", "unavailable"),
        ({"STATUS": "0"}, "unknown", "incomplete"),
        ({"STATUS": ""}, "unknown", "no_status"),
        ({"STATUS": None}, "unknown", "no_status"),
        ({"STATUS": "88"}, "unknown", "query_failed"),
        ({"STATUS": "8"}, "unknown", "refunded"),
        ({"STATUS": "77"}, "unknown", "other_status"),
        ({"NCERROR": "50001111"}, "unknown", "contradiction"),
        ({"orderID": "S00043"}, "unknown", "mismatch"),
        ({"orderID": None}, "unknown", "mismatch"),
        ({"amount": "15.01"}, "unknown", "mismatch"),
        ({"amount": "x"}, "unknown", "mismatch"),
        ({"currency": "USD"}, "unknown", "mismatch"),
        ({"STATUS": "46", "orderID": None}, "unknown", "mismatch"),
        ({"STATUS": "2", "orderID": "S00043"}, "unknown", "mismatch"),
    ],
)
def test_conclusions_about_a_charge(change, state, reason):
    verdict = direct.conclude(ASKED, 200, reply(**change))
    assert (verdict.state, verdict.reason) == (state, reason)
    assert bool(verdict.mismatches) is (reason == "mismatch")
    assert verdict.nothing_booked is (state in ("declined", "failed"))
    assert verdict.answer is not None
    if reason:
        assert words.sentence(reason)


@pytest.mark.parametrize("http", [500, 502, 503, 404, 302, 401, 0, None, "200", True, 201])
def test_http_errors_are_in_doubt(http):
    verdict = direct.conclude(ASKED, http, reply())
    assert (verdict.state, verdict.reason, verdict.nothing_booked) == ("unknown", "http", False)
    assert direct.conclude_query(ASKED, http, reply()).state is None
    assert words.sentence(verdict.reason)


def moved(status="81", **values):
    base = {"orderID": "S00042-1", "PAYID": "32100123", "PAYIDSUB": "1", "NCERROR": "0", "NCERRORPLUS": "!"}
    more = {"ACCEPTANCE": "", "STATUS": status, "amount": "5", "currency": "EUR"}
    return xml(**{name: value for name, value in {**base, **more, **values}.items() if value is not None})


@pytest.mark.parametrize(
    ("operation", "status", "change", "state", "reason"),
    [
        ("RFD", "81", {}, "pending", "refund_waiting"),
        ("RFS", "8", {}, "approved", ""),
        ("RFD", "82", {}, "unknown", "refund_uncertain"),
        ("RFD", "83", {}, "declined", "refund_refused"),
        ("RFD", "84", {}, "unknown", "acquirer_declined"),
        ("RFD", "96", {}, "declined", "refund_reversed"),
        ("SAL", "91", {}, "pending", "processing"),
        ("SAS", "9", {}, "approved", ""),
        ("SAS", "93", {"NCERROR": "30051001"}, "declined", "refused"),
        ("DES", "61", {}, "pending", "void_waiting"),
        ("DES", "6", {}, "approved", ""),
        ("DEL", "7", {}, "approved", ""),
        ("DES", "63", {}, "declined", "void_refused"),
        ("REN", "5", {}, "approved", ""),
        ("RFD", "9", {}, "unknown", "paid"),
        ("DES", "5", {}, "unknown", "authorised"),
        ("RFD", "0", {"NCERROR": "50001129"}, "failed", "more_than_paid"),
        ("SAS", "0", {"NCERROR": "50001126"}, "failed", "more_than_authorised"),
        ("RFD", "0", {"NCERROR": "50001127", "NCERRORPLUS": "status (91)"}, "failed", "wrong_status"),
        ("RFD", "0", {"NCERROR": "50001130", "PAYID": "0", "orderID": ""}, "failed", "not_found"),
        ("RFD", "81", {"orderID": None}, "pending", "refund_waiting"),
        ("RFD", "81", {"PAYID": None}, "unknown", "mismatch"),
        ("RFD", "81", {"PAYID": "7"}, "unknown", "mismatch"),
        ("RFD", "81", {"amount": "15"}, "pending", "refund_waiting"),
        ("RFD", "81", {"amount": "6"}, "unknown", "mismatch"),
        ("RFD", "81", {"amount": None}, "pending", "refund_waiting"),
    ],
)
def test_conclusions_about_a_movement(operation, status, change, state, reason):
    asked = direct.asked(replace(REFUND, operation=operation), Decimal(15))
    verdict = direct.conclude(asked, 200, moved(status, **change))
    assert (verdict.state, verdict.reason) == (state, reason)
    # a request that may have arrived before: its refusal says nothing about the first one
    again = direct.conclude(asked, 200, moved(status, **change), repeated=True)
    assert again.state == ("unknown" if verdict.nothing_booked else state)


def test_repeated_charge():
    refusal = reply(STATUS="2", NCERROR="30051001")
    assert direct.conclude(ASKED, 200, refusal, repeated=True).state == "declined"
    error = reply(STATUS="0", NCERROR="50001111")
    again = direct.conclude(ASKED, 200, error, repeated=True)
    assert (again.state, again.reason) == ("unknown", "refused_repeat") and words.sentence(again.reason)
    assert direct.conclude(ASKED, 200, reply(), repeated=True).state == "approved"


def test_what_cannot_be_compared():
    for call in (direct.conclude, direct.conclude_query):
        refused("asked", call, None, 200, reply())


# -- inquiries


@pytest.mark.parametrize(
    ("change", "long_ago", "state", "reason"),
    [
        ({}, False, "approved", ""),
        ({"STATUS": "5"}, False, "pending", "authorised"),
        ({"STATUS": "2", "NCERROR": "30051001"}, False, "declined", "refused"),
        ({"STATUS": "1"}, False, "cancelled", "cancelled"),
        ({"STATUS": "0"}, True, None, "incomplete"),
        ({"STATUS": ""}, True, None, "query_failed"),
        ({"STATUS": "88"}, True, None, "query_failed"),
        ({"STATUS": "88", "NCERROR": "50001119"}, True, None, "credentials"),
        ({"STATUS": "88", "NCERROR": "50001130", "orderID": "", "PAYID": "0"}, False, None, "not_found"),
        ({"STATUS": "88", "NCERROR": "50001130", "orderID": "", "PAYID": "0"}, True, "failed", "not_found"),
        ({"STATUS": "0", "NCERROR": "50001130"}, True, "failed", "not_found"),
        ({"STATUS": "00", "NCERROR": "50001119"}, True, None, "credentials"),
        ({"STATUS": "8"}, True, None, "refunded"),
        ({"STATUS": "77"}, True, "unknown", "other_status"),
        ({"orderID": "S00043"}, True, None, "mismatch"),
        ({"orderID": "S00043", "STATUS": "2"}, True, None, "mismatch"),
        ({"amount": "1"}, True, None, "mismatch"),
        ({"orderID": None}, True, None, "mismatch"),
        ({"orderID": None, "STATUS": "2"}, True, "declined", "refused"),
    ],
)
def test_inquiry_about_a_payment(change, long_ago, state, reason):
    verdict = direct.conclude_query(ASKED, 200, reply(**change), long_ago=long_ago)
    assert (verdict.state, verdict.reason) == (state, reason)
    if reason:
        assert words.sentence(reason)


def test_inquiry_options():
    assert direct.conclude_query(ASKED, 200, reply(STATUS="91"), paid_at_91=True).state == "approved"
    failing = moved("9", NCERROR="50001111")
    assert direct.conclude_query(direct.asked(REFUND), 200, failing, sole=True, long_ago=True).state is None
    known = replace(ASKED, payid="3041400")
    lost = reply(STATUS="88", NCERROR="50001130")
    # the platform gave us its number: that it does not find it now proves nothing
    assert direct.conclude_query(known, 200, lost, long_ago=True).state is None
    refund = replace(direct.asked(REFUND), payid="")
    assert direct.conclude_query(refund, 200, lost, sole=True, long_ago=True).state is None


@pytest.mark.parametrize(
    ("operation", "status", "payidsub", "sole", "long_ago", "state", "reason"),
    [
        ("RFD", "8", "1", False, False, "approved", ""),
        ("RFD", "81", "1", False, False, "pending", "refund_waiting"),
        ("RFD", "83", "1", False, False, "declined", "refund_refused"),
        ("RFD", "84", "1", False, False, "unknown", "acquirer_declined"),
        ("RFD", "84", "", True, False, "unknown", "acquirer_declined"),
        ("RFD", "84", "", False, True, None, "not_attributable"),
        ("RFD", "82", "1", False, False, "unknown", "refund_uncertain"),
        ("RFD", "77", "1", False, False, "unknown", "other_status"),
        ("RFD", "8", "2", False, False, None, "other_movement"),
        ("RFD", "8", "2", True, True, None, "other_movement"),
        ("RFD", "8", "", False, False, None, "not_attributable"),
        ("RFD", "8", "", True, False, "approved", ""),
        ("RFD", "82", "", True, False, None, "refund_uncertain"),
        ("RFD", "9", "", True, False, None, "no_news"),
        ("RFD", "9", "", True, True, "failed", "not_done"),
        ("RFD", "9", "", False, True, None, "not_attributable"),
        ("RFD", "9", "1", False, True, None, "no_news"),
        ("RFD", "91", "", True, True, None, "no_news"),
        ("SAS", "9", "", True, False, "approved", ""),
        ("SAS", "91", "", True, False, "pending", "processing"),
        ("SAS", "5", "", True, True, "failed", "not_done"),
        ("SAS", "5", "", True, False, None, "no_news"),
        ("SAS", "6", "", True, True, None, "no_news"),
        ("DES", "6", "", True, False, "approved", ""),
        ("DES", "5", "", True, True, "failed", "not_done"),
        ("DES", "9", "", True, True, "failed", "not_done"),
        ("DES", "91", "", True, True, None, "no_news"),
    ],
)
def test_inquiry_about_a_movement(operation, status, payidsub, sole, long_ago, state, reason):
    asked = replace(direct.asked(replace(REFUND, operation=operation)), payidsub=payidsub)
    verdict = direct.conclude_query(asked, 200, moved(status), sole, long_ago)
    assert (verdict.state, verdict.reason) == (state, reason)
    if reason:
        assert words.sentence(reason)


# -- test of the configuration


@pytest.mark.parametrize(
    ("status", "error", "works", "correct", "reason"),
    [
        ("88", "50001130", True, "", "not_found"),
        ("0", "50001131", True, "", "not_found"),
        ("9", "0", True, "", ""),
        ("0", "0", True, "", ""),
        ("", "50001118", False, "pspid", "merchant"),
        ("", "50001119", False, "password", "credentials"),
        ("0", "50001116", False, "ip", "address_refused"),
        ("0", "50001184", False, "passphrase", "signature"),
        ("0", "50001115", False, "host", "not_secure"),
        ("0", "50001046", False, "contract", "not_allowed"),
        ("0", "50001003", False, "contract", "contract"),
        ("0", "50001111", None, "", "data"),
        ("88", "0", None, "", "query_failed"),
        ("", "", None, "", "query_failed"),
        ("0", "99999999", None, "", "other"),
    ],
)
def test_check(status, error, works, correct, reason):
    found = check.meaning(200, xml(STATUS=status, NCERROR=error))
    assert (found.works, found.correct, found.reason) == (works, correct, reason)
    assert found.answer is not None and (not reason or words.sentence(reason))


def test_check_without_an_answer():
    assert check.meaning(200, PAGES[0]) == check.Check(False, "host", "web_page")
    assert check.meaning(200, b"OK") == check.Check(False, "host", "unreadable")
    assert check.meaning(404, b"") == check.Check(False, "host", "http")
    assert check.meaning(503, b"") == check.meaning(None, None) == check.Check(None, "", "http")


def test_check_asks_about_an_order_that_nobody_has():
    found = dict(check.question(ACCOUNT, 1764160000))
    assert found["ORDERID"] == "TX-1764160000_1-servipay-check" and "PAYID" not in found
    refused("number", check.question, ACCOUNT, 0)


# -- properties

ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        "orderID PAYID PAYIDSUB NCERROR STATUS amount currency CARDNO ALIAS NCERRORPLUS PM".split()
    ),
    st.text(
        st.characters(codec="utf-8", exclude_characters='<&"', exclude_categories=("C", "Z")), max_size=12
    ),
)
ANY_BYTES = (
    st.binary(max_size=200)
    | st.binary(max_size=60).map(lambda tail: b'<ncresponse STATUS="9"' + tail)
    | st.binary(max_size=60).map(
        lambda middle: b'<?xml version="1.0"?><ncresponse>' + middle + b"</ncresponse>"
    )
    | ATTRIBUTES.map(lambda values: xml(**values))
    | st.sampled_from(HOSTILE + NONSENSE + PAGES)
)
QUESTIONS = st.sampled_from([ASKED, direct.asked(REFUND), direct.asked(replace(REFUND, operation="SAS"))])


@settings(max_examples=500, deadline=None)
@given(QUESTIONS, ANY_BYTES, st.sampled_from([200, 200, 500, None]), st.booleans(), st.booleans())
def test_any_answer_gives_a_verdict(question, data, http, one, two):
    verdict = direct.conclude(question, http, data, one)
    assert verdict.state in ("pending", "approved", "declined", "cancelled", "failed", "unknown")
    assert verdict.reason in words.SENTENCES or (verdict.state, verdict.reason) == ("approved", "")
    inquired = direct.conclude_query(question, http, data, one, two)
    assert inquired.reason in words.SENTENCES or (inquired.state, inquired.reason) == ("approved", "")
    assert check.meaning(http, data).works in (True, False, None)
    try:
        found = direct.read(data)
    except ProtocolError:
        assert verdict.state == "unknown" and inquired.state is None
        return
    assert not any(len(value) > 400 for value in vars(found).values() if isinstance(value, str))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["", "0", "88", "2", "9", "5", "91", "77"]), st.from_regex(r"\A[1-6][0-9]{7}\Z"))
def test_no_error_is_ever_an_approval(status, error):
    verdict = direct.conclude(ASKED, 200, reply(STATUS=status, NCERROR=error))
    assert verdict.state != "approved"
