# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The Ogone simulator over real sockets: what a shop and its customers see, what its books say."""

import base64
import contextlib
import hashlib
import html
import http.server
import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as etree
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import requests

FILE = pathlib.Path(__file__).parents[2] / "payment_ogone" / "tests" / "simulator.py"
# by path: the package's own __init__ imports Odoo
_spec = importlib.util.spec_from_file_location("ogone_simulator", FILE)
simulator = importlib.util.module_from_spec(_spec)
sys.modules["ogone_simulator"] = simulator
_spec.loader.exec_module(simulator)

NUMBER = "S00042-1"
VISA, SECURE, REFUSED = "4111111111111111", "4000000000000002", "4000000000000010"
UNCERTAIN, EXPIRES = "4000000000000028", "4000000000000036"
DOCUMENTATION = "Mysecretsig1875!?"
FEEDBACK = "&currency=EUR&NCERROR=0&orderID=12&PAYID=32100123&PM=CreditCard&STATUS=9"
ORDER = "AMOUNT=1500&CURRENCY=EUR&ORDERID=1234&PSPID=MyPSPID"
LONG = (
    "D1CFE8833A297D0922E908B2B44934B09EE966EF1584DC0D696304E07BB58BA7"
    "1973C2383C831D878D8A243BB7D7DFFFBE53CEE21955CDFEF44FE82E551F859D"
)
ODOO = (
    "AAVADDRESS=NO&amount=1111.11&CARDNO=XXXXXXXXXXXX1111&CN=Dummy Customer Name&currency=USD&"
    "IP=101.00.111.22&NCERROR=0&orderID=Test Transaction&PAYID=01234567899&PM=CreditCard&STATUS=9&"
    "TRXDATE=01/31/22"
)
VECTORS = [  # (algorithm, direction, values, digest): official guides, see protocols/vectors/ogone.json
    (
        "sha1",
        "IN",
        "amount=1500&currency=EUR&orderID=1234&PSPID=MyPSPID&operation=RES",
        "EB52902BCC4B50DC1250E5A7C1068ECF97751256",
    ),
    (
        "sha256",
        "IN",
        f"{ORDER}&LANGUAGE=en_US&COM=",
        "E019359BAA3456AE5A986B6AABD22CF1B3E09438739E97F17A7F61DF5A11B30F",
    ),
    ("sha512", "IN", f"{ORDER}&LANGUAGE=en_US", LONG),
    (
        "sha1",
        "IN",
        f"{ORDER}&CARDNO=4111111111111111&OPERATION=RES",
        "2B459D4D3AF0C678695AE77EE5BF0C83CA6F0AD8",
    ),
    (
        "sha1",
        "OUT",
        f"ACCEPTANCE=1234&amount=15&BRAND=VISA&CARDNO=XXXXXXXXXXXX1111{FEEDBACK}",
        "209113288F93A9AB8E474EA78D899AFDBB874355",
    ),
    (
        "sha256",
        "OUT",
        f"ACCEPTANCE=1234&amount=15&BRAND=VISA&CARDNO=xxxxxxxxxxxx1111{FEEDBACK}&unknownparam=some value",
        "FD15F9371F2B42E3CAEC53BF2576AC89AAEBF53FD8FBA8F0B2EA13EAA823189D",
    ),
    (
        "sha1",
        "OUT",
        ODOO,
        "2CE444D2260D914EA7E56450B7B28F189238553B",
    ),
    ("sha1", "OUT", "PayId=123456&CURRENCY=EUR&NCERROR=0&BRAND=", "236FC768128A1104F949912E67ADFD4F2ED54341"),
]


def digest(values, passphrase, algorithm="sha512", charset="utf-8", names=None):
    """SHASIGN of {name: value}, alphabetical: written apart from the simulator's."""
    upper = {name.upper(): value for name, value in values.items() if value}
    chosen = sorted(name for name in upper if names is None or name in names)
    text = "".join(f"{name}={upper[name]}{passphrase}" for name in chosen)
    return hashlib.new(algorithm, text.encode(charset)).hexdigest().upper()


def form(orderid=NUMBER, sign=simulator.SHA_IN, charset="utf-8", algorithm="sha512", **values):
    """Fields of a signed form; a value of None leaves one out."""
    addresses = {f"{name}URL": f"http://shop.example/{name.lower()}" for name in ("ACCEPT", "DECLINE")}
    addresses.update(
        {f"{name}URL": f"http://shop.example/{name.lower()}?a=b" for name in ("EXCEPTION", "CANCEL")}
    )
    known = {
        "PSPID": simulator.PSPID,
        "ORDERID": orderid,
        "AMOUNT": "12000",
        "CURRENCY": "EUR",
        "LANGUAGE": "fr_FR",
        "OPERATION": "SAL",
        "CN": "Hélène",
        **addresses,
        **values,
    }
    known = {name: value for name, value in known.items() if value is not None}
    return (
        [*known.items(), ("SHASIGN", digest(known, sign, algorithm, charset))]
        if sign
        else list(known.items())
    )


class Waiting(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class Shop:
    """Where the feedback goes: keeps what comes, answers what the test says."""

    def __init__(self):
        self.calls, self.answers, self.delay, self.lock = [], [], 0, threading.Lock()
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_arguments):
                pass

            def do_POST(self):
                parts, length = urlsplit(self.path), int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length).decode() or parts.query
                with shop.lock:
                    shop.calls.append((self.command, parts.path, raw))
                    answer = shop.answers.pop(0) if shop.answers else (200, "")
                time.sleep(shop.delay)
                with contextlib.suppress(OSError):
                    self.send_response(answer[0])
                    if answer[0] == 302:
                        self.send_header("Location", answer[1])
                    self.end_headers()
                    self.wfile.write(b"" if answer[0] == 302 else answer[1].encode())

            do_GET = do_POST

        self.server = Waiting(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def told(self, charset="utf-8"):
        """The parameters of all calls."""
        return [dict(parse_qsl(raw, True, encoding=charset)) for _method, _path, raw in self.calls]

    def statuses(self):
        return [told["STATUS"] for told in self.told()]


@pytest.fixture
def sim():
    with simulator.Simulator() as running:
        yield running


@pytest.fixture
def shop(sim):
    opened = Shop()
    sim.configure(accepted_url=f"{opened.url}/ok", declined_url=f"{opened.url}/no")
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def pay(sim, choice="ok", orderid=NUMBER, values=None, **how):
    """A customer's whole way; returns where the browser goes."""
    return sim.attempt(sim.open(form(orderid, **(values or {}))), choice, **how)


def ask(sim, endpoint, page="", sign=simulator.SHA_IN_DIRECTLINK, timeout=5, raw=False, **values):
    """A DirectLink request; {attribute: value} of the answer."""
    known = {"PSPID": simulator.PSPID, "USERID": simulator.USERID, "PSWD": simulator.PASSWORD, **values}
    known = {name: str(value) for name, value in known.items() if value is not None}
    if sign:
        known["SHASIGN"] = digest(
            known, sign, names=None if "PAYIDSUB" not in known else set(known) - {"PAYIDSUB"}
        )
    address = f"{sim.url}/ncol/test/{page or endpoint + 'direct_utf8.asp'}"
    answer = requests.post(address, data=known, timeout=timeout)
    return answer if raw else dict(etree.fromstring(answer.content).attrib)


def order(sim, orderid=NUMBER, **values):
    """orderdirect with a card number, a sale."""
    means = {} if "ALIAS" in values else {"CARDNO": VISA, "ED": "1239"}
    asked = {"ORDERID": orderid, "AMOUNT": 12000, "CURRENCY": "EUR", "OPERATION": "SAL", **means, **values}
    return ask(sim, "order", **asked)


def maintain(sim, operation, amount=None, payid=None, **values):
    return ask(
        sim,
        "maintenance",
        OPERATION=operation,
        AMOUNT=amount,
        PAYID=payid or sim.order(NUMBER).payid,
        **values,
    )


def query(sim, **values):
    return ask(sim, "query", **(values or {"ORDERID": NUMBER}))


def verified(pairs, passphrase=simulator.SHA_OUT, charset="utf-8"):
    """Whether the SHASIGN of received {name: value} fits."""
    upper = {name.upper(): value for name, value in pairs.items()}
    names = set(simulator.PUBLISHED_OUT)
    return upper.get("SHASIGN") == digest(upper, passphrase, charset=charset, names=names)


def returned(target, charset="utf-8"):
    return dict(parse_qsl(urlsplit(target).query, True, encoding=charset))


def stored_alias(sim, card=VISA, alias="ODOO-ALIAS-1", **values):
    """An alias that a customer made on the page."""
    values = {"ALIAS": alias, "ALIASUSAGE": "Keep my card", **values}
    visit = sim.open(form(f"A-{alias}", **values))
    if sim.attempt(visit, "ok", card=card, consent=True) is None:
        sim.identify(visit)
    return alias


# --- signatures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("algorithm", "direction", "values", "expected"), VECTORS)
def test_published_vectors(algorithm, direction, values, expected):
    signer = {"IN": simulator.IN, "OUT": simulator.OUT}[direction]
    words = {"2CE444D2": "dummy", "236FC768": "passphrase"}
    passphrase = words.get(expected[:8], DOCUMENTATION)
    assert signer.sign(parse_qsl(values, True), passphrase, algorithm) == expected


def test_vector_of_old_accounts():
    values = (
        "ACCEPTANCE=test123&AMOUNT=19.08&BRAND=VISA&CARDNO=XXXXXXXXXXXX1111&CN=Marlon&CURRENCY=EUR&ED=0113&"
        "NCERROR=0&ORDERID=2101947639&PAYID=10673859&PM=CreditCard&STATUS=5&TRXDATE=07/05/11"
    )
    signature = simulator.sign_legacy(parse_qsl(values), "passphrase-set-in-ogone-interface", "sha1")
    assert signature == "66BF34D8B3EF2136E0C267BDBC1F708B8D75A8AA"


def test_order_of_the_published_lists():
    assert (len(simulator.PUBLISHED_IN), len(simulator.PUBLISHED_OUT)) == (378, 65)
    pairs = [("SCORING", "1"), ("SCO_CATEGORY", "G"), ("NCERRORPLUS", "!"), ("status", "0")]
    assert simulator.OUT.text(pairs, "p") == "SCO_CATEGORY=GpSCORING=1pSTATUS=0p"
    assert simulator.OUT.text(pairs, "p", "ascii") == "SCORING=1pSCO_CATEGORY=GpSTATUS=0p"
    names = [(f"itemname{number}", "x") for number in (10, 2, 1)] + [("ITEMID", "y"), ("PAYIDSUB", "z")]
    assert simulator.IN.text(names, "p") == "ITEMNAME1=xpITEMNAME2=xpITEMNAME10=xp"


# --- the form -------------------------------------------------------------------------------------


def post(sim, fields, page="test/orderstandard_utf8.asp", charset="utf-8", **options):
    body = urlencode(fields, encoding=charset)
    headers = {"Content-Type": "application/x-www-form-urlencoded", **options.pop("headers", {})}
    options = {"allow_redirects": False, **options}
    return requests.post(f"{sim.url}/ncol/{page}", body, headers=headers, timeout=5, **options)


@pytest.mark.parametrize("page", ["test/orderstandard_utf8.asp", "prod/ORDERSTANDARD_UTF8.asp"])
def test_a_good_form_leads_to_the_page(sim, page):
    fields = [(name.lower(), value) for name, value in form(COM="Été 中")]  # names in any letter case
    answer = post(sim, fields, page)
    assert answer.status_code == 302 and not sim.errors
    assert re.fullmatch(re.escape(sim.url) + "/payment/hostedpage/[0-9a-f]{32}", answer.headers["Location"])
    assert answer.headers["Set-Cookie"].startswith("sessionTest" if "test" in page else "sessionProd")
    assert requests.get(sim.url + "/ncol/test/orderstandard_utf8.asp", dict(form("G")), timeout=5).ok
    assert [order.environment for order in sim.orders] == [page[:4], "test"]


def test_latin_page(sim):
    answer = post(sim, form(charset="iso-8859-1"), "test/orderstandard.asp", "iso-8859-1")
    assert answer.status_code == 302 and sim.orders[0].cn == "Hélène"
    assert post(sim, form("B"), "test/orderstandard.asp", "iso-8859-1").status_code == 200
    assert post(sim, form("C", charset="iso-8859-1"), charset="utf-8").status_code == 200
    assert [line["text"] for line in sim.errors] == ["unknown order/1/s"] * 2


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_other_algorithms(sim, algorithm):
    assert post(sim, form()).status_code == 302
    sim.configure(algorithm=algorithm)
    assert post(sim, form("B")).status_code == 200
    assert post(sim, form("C", algorithm=algorithm)).status_code == 302
    sim.configure(sha_in="")
    assert post(sim, form("D", sign="")).status_code == 302


BAD_FORMS = [
    ({"sign": "another"}, "unknown order/1/s"),
    ({"sign": ""}, "unknown order/0/s"),
    ({"sign": simulator.SHA_IN_DIRECTLINK}, "unknown order/1/s"),
    ({"PSPID": "nobody"}, "PSPID not found or not active"),
    ({"PSPID": None}, "no pspid"),
    ({"ORDERID": None}, "no orderid"),
    ({"AMOUNT": None}, "no amount"),
    ({"CURRENCY": None}, "no currency"),
    ({"LANGUAGE": None}, "no language"),
    ({"ORDERID": "x" * 41}, "ORDERID too long"),
    ({"ORDERID": "é"}, "ORDERID has characters"),
    ({"COM": "x" * 101}, "COM too long"),
    ({"CN": "é" * 36}, "CN too long"),
    ({"EMAIL": "x" * 51}, "EMAIL too long"),
    ({"OWNERADDRESS": "x" * 36}, "OWNERADDRESS too long"),
    ({"OWNERZIP": "x" * 11}, "OWNERZIP too long"),
    ({"OWNERTOWN": "x" * 41}, "OWNERTOWN too long"),
    ({"OWNERCTY": "FRA"}, "OWNERCTY too long"),
    ({"OWNERTELNO": "1" * 21}, "OWNERTELNO too long"),
    ({"ACCEPTURL": "http://shop.example/" + "x" * 181}, "ACCEPTURL too long"),
    ({"ACCEPTURL": "/payment"}, "ACCEPTURL is not an absolute address"),
    ({"AMOUNT": "120.00"}, "amount too long or not numeric"),
    ({"AMOUNT": "1" * 16}, "amount too long or not numeric"),
    ({"AMOUNT": "0"}, "amount is zero"),
    ({"CURRENCY": "EURO"}, "not a valid currency"),
    ({"CURRENCY": "BRL"}, "The currency is not accepted by the merchant"),
    ({"CURRENCY": "JPY", "AMOUNT": "150050"}, "too many decimals"),
    ({"LANGUAGE": "da_DK"}, "not a valid language"),
    ({"OPERATION": "RFD"}, "operation RFD"),
    ({"PM": "belfius"}, "ERROR, PAYMENT METHOD NOT FOUND FOR: belfius"),
    ({"PM": "BCMC"}, "ERROR, PAYMENT METHOD NOT FOUND FOR: BCMC"),
    ({"PM": "CreditCard", "BRAND": "iDEAL"}, "ERROR, PAYMENT METHOD NOT FOUND FOR: CreditCard/iDEAL"),
    ({"ALIAS": "A"}, "no aliasusage"),
    ({"ALIAS": "a/b", "ALIASUSAGE": "x"}, "ALIAS has characters"),
    ({"ALIAS": "a" * 51, "ALIASUSAGE": "x"}, "ALIAS too long"),
    ({"amount": "12000"}, "AMOUNT twice"),
]


@pytest.mark.parametrize(("changes", "text"), BAD_FORMS)
def test_forms_it_refuses(sim, changes, text):
    answer = post(sim, form(**changes))
    assert answer.status_code == 200 and "Location" not in answer.headers
    assert text not in answer.text and ("Une erreur" in answer.text or "An error" in answer.text)
    (line,) = requests.get(f"{sim.url}/_simulator/errors", timeout=5).json()
    assert line["text"].startswith(text) and not sim.orders
    with pytest.raises(simulator.Refused):
        sim.open(form(**changes))


def test_what_is_allowed(sim):
    for number, values in enumerate(
        (
            {"ORDERID": "2024/OF-5HEBWV/84" + "x" * 23, "TITLE": "é" * 190, "COM": "x" * 100},
            {"CURRENCY": "JPY", "AMOUNT": "150000"},
            {"CURRENCY": "TND", "AMOUNT": "12345"},
            {"PM": "creditcard", "BRAND": "BCMC", "USERID": "somebody"},
            {"PM": "Bank transfer DE", "EMAIL": "", "UNKNOWN": "not signed"},
            {"OPERATION": None, "PARAMPLUS": "a=b&c=d", "ITEMNAME2": "x", "ITEMNAME10": "y"},
        )
    ):
        orderid = values.get("ORDERID", f"N{number}")
        unsigned = {name: value for name, value in values.items() if name != "UNKNOWN"}
        fields = form(orderid, **{name: value for name, value in unsigned.items() if name != "ORDERID"})
        if number == 5:  # running numbers in natural order: not the alphabet's
            fields = [pair for pair in fields if pair[0] not in ("SHASIGN", "ITEMNAME10")]
        assert (post(sim, fields).status_code == 302) is (number != 5), sim.errors
        if number == 5:
            fields += [("ITEMNAME10", "y")]
            fields += [("SHASIGN", simulator.IN.sign(fields, simulator.SHA_IN))]
            assert post(sim, fields).status_code == 302
    assert sim.orders[-1].operation == "RES"  # the account's


def test_referrer_and_content_type(sim):
    sim.configure(referrers=["http://shop.example"])
    assert post(sim, form(), headers={"Referer": "http://shop.example/cart"}).status_code == 302
    assert post(sim, form(), headers={"Referer": "http://evil.example/"}).status_code == 200
    assert post(sim, form()).status_code == 200
    assert [line["text"] for line in sim.errors] == ["unknown order/1/r", "unknown order/0/r"]
    assert post(sim, form(), headers={"Content-Type": "text/plain"}).status_code == 200
    assert sim.errors[-1]["text"] == "no pspid"


def test_the_journal_hides_secrets(sim):
    order(sim, CVC="123", COM="card 4111", CN="4111111111111111")
    post(sim, form())
    text = requests.get(f"{sim.url}/_simulator/requests", timeout=5).text
    for secret in (VISA, simulator.PASSWORD, '"123"'):
        assert secret not in text
    entries = json.loads(text)
    assert [entry["endpoint"] for entry in entries] == ["order", "page"]
    assert entries[0]["parameters"]["CARDNO"] == "************1111"
    assert entries[0]["answer"]["STATUS"] == "9" and sim.count_requests("order", NUMBER) == 1
    assert VISA not in requests.get(f"{sim.url}/_simulator/books", timeout=5).text


# --- the customer ---------------------------------------------------------------------------------


class Browser:
    """Clicks through the pages, as a person would; follows only where the simulator leads."""

    def __init__(self, sim):
        self.sim, self.session, self.left = sim, requests.Session(), None

    def take(self, answer):
        while answer.status_code == 302 and answer.headers["Location"].startswith(self.sim.url):
            answer = self.session.get(answer.headers["Location"], timeout=5, allow_redirects=False)
        self.left = answer.headers.get("Location")
        self.page = html.unescape(answer.text)
        return self

    def arrive(self, *fields, **values):
        return self.take(post(self.sim, fields or form(**values), allow_redirects=False))

    def click(self, action, **values):
        path = re.search(r'action="([^"]+)"', self.page)[1]
        found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.page))
        address = path if path.startswith("http") else self.sim.url + path
        data = {**found, **({"action": action} if action else {}), **values}
        return self.take(self.session.post(address, data, timeout=5, allow_redirects=False))

    def options(self):
        return re.findall(r'<option value="([^"]+)"', self.page)


def test_the_page_of_a_person(sim):
    browser = Browser(sim).arrive(COM="Buffet <b>été</b>", AMOUNT="123456")
    for text in ("Paiement", NUMBER, "1234,56 EUR", "Buffet <b>été</b>", "Valider le paiement", "Hélène"):
        assert text in browser.page
    assert "<script" not in browser.page and set(simulator.CARDS) < set(browser.options())
    assert "&lt;b&gt;" in requests.get(_page_of(sim), timeout=5).text
    browser = Browser(sim).arrive(orderid="E", LANGUAGE="nl_NL", CURRENCY="JPY", AMOUNT="150000", TITLE="<i>")
    assert "&lt;i&gt;" in requests.get(_page_of(sim), timeout=5).text
    assert "Confirm payment" in browser.page and "1500 JPY" in browser.page
    assert requests.get(f"{sim.url}/payment/hostedpage/{'0' * 32}", timeout=5).status_code == 404


def _page_of(sim):
    return f"{sim.url}/payment/hostedpage/{list(sim.checkout.visits)[-1]}"


def test_refused_twice_then_paid(sim):
    browser = Browser(sim).arrive()
    browser.click("pay", choice="30511001", card=VISA)
    assert "Essais restants : 2" in browser.page and "30511001" in browser.page and browser.left is None
    assert sim.order(NUMBER).status == "2" and sim.count_charges() == 0
    browser.click("pay", card=REFUSED)
    assert "Essais restants : 1" in browser.page
    browser.click("pay", card=VISA, choice="ok", cn="Jean Œuf")
    assert browser.left.startswith("http://shop.example/accept?")
    told = returned(browser.left)
    assert verified(told) and (told["STATUS"], told["NCERROR"], told["CN"]) == ("9", "0", "Jean Œuf")
    assert (told["orderID"], told["amount"], told["currency"]) == (NUMBER, "120", "EUR")
    assert (told["CARDNO"], told["BRAND"], told["PM"]) == ("XXXXXXXXXXXX1111", "VISA", "CreditCard")
    assert re.fullmatch(r"\d{7,10}", told["PAYID"]) and re.fullmatch(r"\d\d/\d\d/\d\d", told["TRXDATE"])
    assert (sim.count_charges(NUMBER), sim.captured(NUMBER)) == (1, 12000)
    assert browser.take(requests.get(_page_of(sim), timeout=5, allow_redirects=False)).left  # reload: once
    assert sim.count_charges() == 1


def test_refused_then_cancelled(sim):
    visit = sim.open(form())
    sim.attempt(visit, "30051001")
    told = returned(sim.attempt(visit, "cancel"))
    assert (told["STATUS"], told["CARDNO"], told["PM"], told["NCERROR"]) == ("1", "", "", "")
    assert sim.identify(visit) == sim.attempt(visit, "ok") and not sim.count_charges()
    assert sim.identify(sim.open(form("B"))) is None and not sim.count_charges()


def test_refused_too_often(sim):
    visit = sim.open(form())
    assert [sim.attempt(visit, "30051001") for _attempt in range(2)] == [None, None]
    target = sim.attempt(visit, "30591001")
    assert target.startswith("http://shop.example/decline?") and verified(returned(target))
    assert (returned(target)["STATUS"], returned(target)["NCERROR"]) == ("2", "30591001")
    assert sim.attempt(visit, "ok") == target and not sim.count_charges()


@pytest.mark.parametrize(
    ("choice", "place", "status"),
    [
        ("cancel", "cancel", "1"),
        ("52", "exception", "52"),
        ("92", "exception", "92"),
        ("51", "accept", "51"),
        ("91", "accept", "91"),
        ("41", "accept", "41"),
        ("93", "decline", "93"),
    ],
)
def test_other_ends(sim, choice, place, status):
    target = pay(sim, choice)
    assert target.startswith(f"http://shop.example/{place}?") and returned(target)["STATUS"] == status
    assert verified({name: value for name, value in returned(target).items() if name != "a"})
    assert ("a=b&" in target) is (place in ("cancel", "exception"))
    assert sim.count_charges() == (status == "91") and sim.captured() == 0


def test_addresses_that_are_missing(sim):
    assert pay(sim, "cancel", "A", {"CANCELURL": None}).startswith("http://shop.example/decline?")
    assert pay(sim, "52", "B", {"EXCEPTIONURL": None}).startswith("http://shop.example/accept?")
    browser = Browser(sim).arrive(orderid="C", ACCEPTURL=None).click("pay", card=VISA)
    assert browser.left is None and "Fin du paiement" in browser.page


def test_walking_away_and_coming_back(sim):
    browser = Browser(sim).arrive().click("abandon")
    assert browser.left is None and "quitté" in browser.page and not sim.notifications
    assert query(sim)["STATUS"] == "0"
    browser.take(requests.get(_page_of(sim), timeout=5)).click("pay", card=VISA)
    assert browser.left and sim.count_charges() == 1


def test_reserved_or_sold(sim):
    assert returned(pay(sim, orderid="A", values={"OPERATION": "RES"}))["STATUS"] == "5"
    assert returned(pay(sim, orderid="B", values={"OPERATION": "PAU"}))["STATUS"] == "5"
    sim.set(sale="91")
    assert returned(pay(sim, orderid="C"))["STATUS"] == "91"
    assert sim.order("A").sums()["reserved"] == 12000 and sim.captured() == 0 and sim.count_charges() == 3
    sim.advance(hours=1)
    assert (sim.order("C").status, sim.captured()) == ("9", 12000)


def test_other_means_of_payment(sim):
    told = returned(pay(sim, orderid="A", card="PM:iDEAL"))
    assert (told["PM"], told["BRAND"], told["CARDNO"], told["STATUS"]) == ("iDEAL", "iDEAL", "", "9")
    assert returned(pay(sim, orderid="B", card="PM:Bank transfer"))["STATUS"] == "41"
    assert returned(pay(sim, orderid="C", card="PM:TWINT"))["STATUS"] == "5" and sim.captured("C") == 12000
    told = returned(pay(sim, orderid="D", card="67030000000000003"))
    assert (told["PM"], told["BRAND"]) == ("CreditCard", "Bancontact/Mister Cash")
    assert returned(pay(sim, orderid="E", card="374111111111111"))["BRAND"] == "American Express"
    assert returned(pay(sim, orderid="F", card=UNCERTAIN))["STATUS"] == "92"
    assert Browser(sim).arrive(orderid="G", PM="TWINT").options()[0] == "PM:TWINT"
    options = Browser(sim).arrive(orderid="H", PM="CreditCard", BRAND="MasterCard").options()
    assert options[0] == "5399999999999999" and VISA not in options


def test_secure_card_on_the_page(sim):
    browser = Browser(sim).arrive().click("pay", card=SECURE)
    assert "Identification" in browser.page and sim.order(NUMBER).status == "46"
    browser.click("fail")
    assert "40001134" in browser.page and not sim.count_charges()
    browser.click("pay", card=SECURE).click("confirm")
    assert returned(browser.left)["STATUS"] == "9" and sim.count_charges() == 1


def test_a_number_is_paid_once(sim):
    first, second, third = (sim.open(form()) for _window in range(3))
    assert first.order is second.order
    assert sim.attempt(first, "ok") and sim.attempt(second, "ok") is None
    assert sim.attempt(third, "cancel") is None and third.ncerror == "50001113"
    with pytest.raises(simulator.Refused) as caught:
        sim.open(form())
    assert caught.value.ncerror == "50001113" and sim.count_charges() == 1
    assert len(sim.notifications) == 1 and sim.order(NUMBER).status == "9"
    assert post(sim, form()).status_code == 200
    assert post(sim, form(), "prod/orderstandard_utf8.asp").status_code == 302  # another environment


def test_reuse_of_a_number(sim):
    pay(sim, "cancel")
    first = sim.order(NUMBER).payid
    visit = sim.open(form())
    assert visit.order.payid != first
    sim.set(reuse="never")
    sim.attempt(visit, "cancel")
    with pytest.raises(simulator.Refused):
        sim.open(form())
    sim.set(reuse="open")
    assert sim.attempt(sim.open(form()), "ok") and sim.count_charges(NUMBER) == 1


def test_two_windows_of_a_refused_number(sim):
    first = sim.open(form())
    sim.attempt(first, "30051001")
    second = sim.open(form())
    assert second.order is not first.order
    sim.attempt(second, "ok")
    assert sim.attempt(first, "ok") is None and sim.count_charges(NUMBER) == 1


def test_two_windows_at_the_same_moment(sim):
    first, second = (sim.open(form()) for _window in range(2))
    assert sim.checkout._end(first, "9", "0")  # both have passed the first check
    assert sim.checkout._end(second, "1", "") is None and sim.order(NUMBER).status == "9"
    assert sim.checkout._end(first, "9", "0") and len(sim.notifications) == 1


def test_many_clicks_at_once(sim):
    visits = [sim.open(form()) for _window in range(8)]
    threads = [threading.Thread(target=sim.attempt, args=(visit, "ok")) for visit in visits * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sim.count_charges(NUMBER) == 1 and len(sim.notifications) == 1


# --- aliases --------------------------------------------------------------------------------------


def test_alias_needs_consent(sim):
    values = {"ALIAS": "A1", "ALIASUSAGE": "Garder ma <carte>"}
    browser = Browser(sim).arrive(**values)
    assert "Garder ma <carte>" in browser.page and 'name="consent"' in browser.page
    assert "ALIAS" not in returned(browser.click("pay", card=VISA).left) and not sim.aliases
    told = returned(Browser(sim).arrive(orderid="B", **values).click("pay", card=VISA, consent="1").left)
    assert told["ALIAS"] == "A1" and verified(told) and sim.aliases["A1"].card.number == VISA
    browser = Browser(sim).arrive(orderid="C", **values)
    assert browser.options()[0] == "alias" and "************1111" in browser.page
    assert returned(browser.click("pay", card="alias").left)["ALIAS"] == "A1"


def test_alias_of_a_refused_card(sim):
    visit = sim.open(form(ALIAS="A1", ALIASUSAGE="x"))
    for _attempt in range(3):
        target = sim.attempt(visit, "30051001", consent=True)
    assert returned(target)["ALIAS"] == "A1" and sim.aliases["A1"].state == "error"
    assert order(sim, "B", ALIAS="A1")["NCERROR"] == "50001111"
    visit = sim.open(form("C", ALIAS="A1", ALIASUSAGE="x"))
    assert sim.checkout.stored(visit) is None
    stored_alias(sim, VISA, "A2")
    visit = sim.open(form("D", ALIAS="A2", ALIASUSAGE="x"))
    for _attempt in range(3):  # a card that was good before stays good
        sim.attempt(visit, "30051001", card="alias")
    assert sim.aliases["A2"].state == "active"


def test_alias_manager_is_an_option(sim):
    sim.configure(alias_manager=False)
    values = {"ALIAS": "A1", "ALIASUSAGE": "x"}
    assert "ALIAS" not in returned(pay(sim, values=values, consent=True)) and not sim.aliases
    assert 'name="consent"' not in Browser(sim).arrive(orderid="B", **values).page
    assert order(sim, "C", ALIAS="A1")["NCERROR"] == "50001111"


def test_alias_that_the_platform_names(sim):
    told = returned(pay(sim, values={"ALIASOPERATION": "BYPSP", "ALIASUSAGE": "x"}, consent=True))
    assert re.fullmatch("[0-9A-F]{32}", told["ALIAS"]) and told["ALIAS"] in sim.aliases


def test_use_and_delete_an_alias(sim):
    stored_alias(sim)
    answer = order(sim, ALIAS="ODOO-ALIAS-1", ECI=9)
    assert (answer["STATUS"], answer["ALIAS"], answer["ECI"]) == ("9", "ODOO-ALIAS-1", "9")
    sim.delete_alias("ODOO-ALIAS-1")
    answer = order(sim, "B", ALIAS="ODOO-ALIAS-1")
    assert answer["NCERROR"] == "50001111" and answer["NCERRORPLUS"] == 'Alias "ODOO-ALIAS-1" not Found'
    assert order(sim, "C", ALIAS="new", CARDNO=VISA, ED="12/39")["ALIAS"] == "new"
    assert order(sim, "D", ALIAS=VISA, CARDNO=VISA, ED="1239")["NCERROR"] == "50001216"
    assert order(sim, "E", ALIAS="new", ALIASPERSISTEDAFTERUSE="N")["STATUS"] == "9" and not sim.aliases
    answer = order(sim, "F", ALIAS=stored_alias(sim, EXPIRES, "old"))
    assert (answer["STATUS"], answer["NCERROR"], answer["NCSTATUS"]) == ("2", "30331001", "3")


# --- feedback -------------------------------------------------------------------------------------


def test_feedback_by_post(sim, shop):
    target = pay(sim)
    ((method, path, raw),) = shop.calls
    (told,) = shop.told()
    assert (method, path) == ("POST", "/ok") and told == returned(target) and verified(told)
    assert list(told)[-1] == "SHASIGN" and "+" in raw or "%20" not in raw
    assert sim.notifications[0]["answers"] == [200] and sim.notifications[0]["state"] == "delivered"
    assert "orderID" in told and "STATUS" in told and "PAYIDSUB" not in told
    pay(sim, "cancel", "B")
    assert shop.calls[1][1] == "/no" and shop.told()[1]["STATUS"] == "1" and shop.told()[1]["CARDNO"] == ""


def test_feedback_by_get(sim, shop):
    sim.configure(method="GET", accepted_url=f"{shop.url}/ok?db=x")
    pay(sim, cn="Hélène d'Arc")
    method, _path, raw = shop.calls[0]
    assert method == "GET" and raw.startswith("db=x&orderID=") and "H%C3%A9l%C3%A8ne%20d%27Arc" in raw
    (told,) = shop.told()
    told.pop("db")
    assert verified(told)


def test_feedback_needs_its_address(sim):
    pay(sim)
    assert sim.notifications[0]["state"] == "stored" and sim.notifications[0]["answers"] == []
    sim.configure(feedback="none")
    pay(sim, orderid="B")
    assert len(sim.notifications) == 1


def test_addresses_of_the_back_office_count_when_it_is_sent(sim, shop):
    sim.configure(accepted_url="http://127.0.0.1:1/gone", declined_url="")
    pay(sim, values={"PARAMVAR": "shop7"})
    sim.configure(accepted_url=f"{shop.url}/<PARAMVAR>/now")
    sim.advance(minutes=10)
    assert [path for _method, path, _raw in shop.calls] == ["/shop7/now"]
    pay(sim, "cancel", "B")  # no second address: the first
    assert shop.statuses() == ["9", "1"]


def test_refusals_are_told_at_the_end(sim, shop):
    visit = sim.open(form())
    sim.attempt(visit, "30051001")
    assert not shop.calls
    sim.set(report_refusals=True)
    sim.attempt(visit, "30051001")
    sim.attempt(visit, "ok")
    assert shop.statuses() == ["2", "9"]


def test_online_then_deferred(sim, shop):
    shop.answers = [(500, "")] * 3
    target = pay(sim)
    assert target.startswith("http://shop.example/accept") and len(shop.calls) == 1
    sim.advance(minutes=9, seconds=59)
    assert len(shop.calls) == 1
    sim.advance(seconds=1)
    assert len(shop.calls) == 2
    sim.advance(days=1)
    assert len(shop.calls) == 4 and sim.notifications[0]["answers"] == [500, 500, 500, 200]
    assert len({raw for _method, _path, raw in shop.calls}) == 1


@pytest.mark.parametrize(("mode", "calls"), [("online", 1), ("deferred", 5), ("both", 5)])
def test_retries_end(sim, shop, mode, calls):
    sim.configure(feedback=mode)
    shop.answers = [(503, "")] * 9
    pay(sim)
    assert len(shop.calls) == (mode != "deferred")
    sim.advance(minutes=41)
    assert len(shop.calls) == calls
    sim.advance(days=2)
    assert len(shop.calls) == calls
    assert sim.notifications[0]["state"] == ("failed" if mode == "online" else "given up")


def test_deferred(sim, shop):
    sim.configure(feedback="deferred")
    pay(sim)
    sim.advance(seconds=59)
    assert not shop.calls
    sim.advance(seconds=1)
    assert shop.statuses() == ["9"]


def test_a_slow_shop(sim, shop):
    sim.set(timeout=0.2)
    shop.delay = 0.6
    started = time.monotonic()
    assert pay(sim).startswith("http://shop.example/accept")
    assert time.monotonic() - started < 0.55 and sim.notifications[0]["answers"] == ["TimeoutError"]
    shop.delay = 0
    sim.advance(minutes=10)
    assert sim.notifications[0]["state"] == "delivered"
    assert simulator.DEFAULTS["timeout"] == 5


def test_copies(sim, shop):
    sim.set(copies=3)
    pay(sim)
    assert len(shop.calls) == 3
    sim.set(copies=20, parallel=True)
    shop.delay = 0.05
    started = time.monotonic()
    pay(sim, orderid="B")
    assert len(shop.calls) == 23 and time.monotonic() - started < 0.9
    assert sim.notify(NUMBER) == 200 and len(shop.calls) == 24


def test_after_the_redirect(sim, shop):
    sim.set(when="after", after_seconds=0.2)
    assert pay(sim).startswith("http://shop.example/accept") and not shop.calls
    _wait(lambda: shop.calls)
    assert shop.statuses() == ["9"]


def _wait(condition, seconds=3):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def test_feedback_that_is_held(sim, shop):
    sim.set(deliver=False)
    target = pay(sim)
    assert not shop.calls and sim.notifications[0]["state"] == "stored"
    assert dict(parse_qsl(sim.notifications[0]["query"], True)) == returned(target)
    assert sim.notify(NUMBER) == 200 and len(shop.calls) == 1
    with pytest.raises(IndexError):
        sim.notify("nobody")


def test_the_answer_of_the_shop_is_shown(sim, shop):
    shop.answers = [(302, "/payment/status")]
    assert pay(sim, orderid="A") == "/payment/status"  # relative, on the platform's host: as it is
    shop.answers = [(200, "<html><body>Merci</body></html>")]
    browser = Browser(sim).arrive(orderid="B").click("pay", card=VISA)
    assert browser.page == "<html><body>Merci</body></html>" and browser.left is None
    shop.answers = [(200, "<b>OK")]
    browser = Browser(sim).arrive(orderid="C").click("pay", card=VISA)
    assert "<b>OK" in browser.page and "http://shop.example/accept" in browser.page and not browser.left
    sim.set(text_reply="redirect")
    shop.answers = [(200, "OK")]
    assert pay(sim, orderid="D").startswith("http://shop.example/accept")
    shop.answers = [(403, "<html>no</html>")]
    assert pay(sim, orderid="E").startswith("http://shop.example/accept")
    sim.configure(feedback="deferred")
    shop.answers = [(302, "/x")]
    assert pay(sim, orderid="F").startswith("http://shop.example/accept")


def test_redirect_without_parameters(sim, shop):
    sim.configure(redirect_parameters=False)
    assert pay(sim) == "http://shop.example/accept" and verified(shop.told()[0])
    sim.configure(redirect_parameters=True, sha_out="")
    assert pay(sim, orderid="B") == "http://shop.example/accept"
    assert "SHASIGN" not in shop.told()[1] and shop.told()[1]["STATUS"] == "9"
    sim.reset(account=True)
    assert "SHASIGN" in pay(sim)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ("minimal", {"orderID", "STATUS", "PAYID", "NCERROR", "SHASIGN"}),
        ("odoo", {*simulator.FIELDS["odoo"].split(), "orderID", "amount", "currency", "SHASIGN"}),
        (["STATUS", "PAYIDSUB", "orderid"], {"STATUS", "orderID", "SHASIGN"}),
        ("full", {"CVCCheck", "AAVCheck", "IPCTY", "ECI", "SUBBRAND", "SHASIGN"}),
    ],
)
def test_fields_that_the_merchant_picked(sim, fields, names):
    sim.configure(fields=fields)
    told = returned(pay(sim))
    assert (
        verified(told)
        and (fields == "full" or set(told) <= names)
        and names - {"ORDERID", "AMOUNT"} >= (set() if fields == "full" else set(told))
    )
    assert names <= set(told) | {"ALIAS", "ORDERID", "AMOUNT", "CURRENCY"}


@pytest.mark.parametrize("sign", ["wrong", "altered", "none", "stranger", "swapped"])
def test_bad_signatures(sim, sign):
    sim.set(sign=sign)
    told = returned(pay(sim))
    assert not verified(told) and ("SHASIGN" in told) is (sign != "none")
    assert verified(told, simulator.SHA_IN) is (sign == "swapped")
    assert told["STATUS"] == ("5" if sign == "altered" else "9")


def test_shapes_of_the_feedback(sim):
    sim.set(names="upper", place="first", mask="x", amounts="two", extra={"STATUS2": "9", "é": "ü"})
    told = returned(pay(sim, orderid="A", values={"COMPLUS": "c&d", "PARAMPLUS": "s=1&STATUX=0"}))
    assert verified(told) and list(told)[0] == "SHASIGN" and told["AMOUNT"] == "120.00"
    assert told["CARDNO"] == "xxxxxxxxxxxx1111" and told["COMPLUS"] == "c&d" and "PARAMPLUS" not in told
    assert (told["s"], told["STATUX"], told["STATUS2"], told["é"]) == ("1", "0", "9", "ü")
    sim.set(names="odd", place="middle")
    told = returned(pay(sim, orderid="B"))
    assert verified(told) and "OrDeRiD" in told and list(told).index("ShAsIgN") == len(told) - 4
    sim.set(names="lower", sign="lower", override={"AMOUNT": "1", "STATUS": "", "PAYID": None})
    told = returned(pay(sim, orderid="C"))
    assert told["amount"] == "1" and told["status"] == "" and "payid" not in told
    told["shasign"] = told["shasign"].upper()
    assert verified(told) and sim.captured("C") == 12000


def test_scoring_has_an_order_of_its_own(sim):
    sim.set(scoring={"SCORING": "12", "SCO_CATEGORY": "G"})
    told = returned(pay(sim, orderid="A"))
    assert told["SCORING"] == "12" and not verified(told)  # the published list, not the alphabet
    assert told["SHASIGN"] == simulator.OUT.sign(list(told.items()), simulator.SHA_OUT)
    sim.set(sha_order="ascii")
    told = returned(pay(sim, orderid="B"))
    text = simulator.OUT.text(list(told.items()), simulator.SHA_OUT, "ascii")
    assert told["SHASIGN"] == hashlib.sha512(text.encode()).hexdigest().upper()


def test_latin_feedback(sim):
    sim.configure(accepted_url="")
    target = sim.attempt(sim.open(form(charset="iso-8859-1"), "iso-8859-1"), "ok")
    assert "CN=H%E9l%E8ne" in target and verified(returned(target, "latin-1"), charset="latin-1")
    sim.set(charset="iso-8859-1")  # although the page was UTF-8
    target = pay(sim, orderid="B")
    assert "CN=H%E9l%E8ne" in target and verified(returned(target, "latin-1"), charset="latin-1")


def test_old_accounts_sign_otherwise(sim):
    sim.configure(composition="main")
    told = returned(pay(sim))
    assert not verified(told)
    assert told["SHASIGN"] == simulator.sign_legacy(list(told.items()), simulator.SHA_OUT, "sha512")


# --- DirectLink: who and what ---------------------------------------------------------------------


def test_a_sale(sim):
    answer = order(sim)
    expected = {"orderID": NUMBER, "NCSTATUS": "0", "NCERROR": "0", "NCERRORPLUS": "!", "STATUS": "9"}
    assert expected.items() <= answer.items() and answer["ACCEPTANCE"] == "test123"
    assert (answer["amount"], answer["currency"], answer["BRAND"]) == ("120", "EUR", "VISA")
    assert "SHASIGN" not in answer and "PAYIDSUB" not in answer and not sim.notifications
    assert answer["PAYID"] == sim.order(NUMBER).payid and sim.captured(NUMBER) == 12000


@pytest.mark.parametrize("page", ["orderdirect.asp", "OrderDirect_UTF8.asp"])
def test_pages_of_directlink(sim, page):
    answer = ask(
        sim,
        "order",
        page,
        raw=True,
        orderid="x",
        amount=500,
        currency="EUR",
        cardno=VISA,
        ed="1239",
        sign=None,
    )
    assert answer.headers["Content-Type"] == "text/xml" and "ISO-8859-1" in answer.text[:60]
    assert b'NCERROR="50001184"' in answer.content and not sim.orders
    assert requests.get(f"{sim.url}/ncol/test/{page}", timeout=5).status_code == 405
    assert requests.post(f"{sim.url}/ncol/test/other.asp", timeout=5).status_code == 404


@pytest.mark.parametrize(
    ("page", "charset"), [("orderdirect.asp", "latin-1"), ("orderdirect_utf8.asp", "utf-8")]
)
def test_charset_of_directlink(sim, page, charset):
    known = {"PSPID": simulator.PSPID, "USERID": simulator.USERID, "PSWD": simulator.PASSWORD, "CN": "Hélène"}
    known.update({"ORDERID": NUMBER, "AMOUNT": "1", "CURRENCY": "EUR", "CARDNO": VISA, "ED": "1239"})
    known["SHASIGN"] = digest(known, simulator.SHA_IN_DIRECTLINK, charset=charset)
    body, headers = urlencode(known, encoding=charset), {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{sim.url}/ncol/test/{page}", body, headers=headers, timeout=5)
    assert b'STATUS="5"' in answer.content and sim.orders[0].cn == "Hélène"


def test_who_asks(sim):
    wrong = {
        "50001118": {"PSPID": "nobody"},
        "50001119": {"PSWD": "wrong"},
        "50001184": {"sign": "wrong"},
        "50001111": {"USERID": None},
    }
    for number, values in wrong.items():
        answer = order(sim, **values)
        assert (answer["NCERROR"], answer["STATUS"], answer["PAYID"]) == (number, "0", "0")
        assert answer["NCSTATUS"] == "5"
    assert order(sim, sign=simulator.SHA_IN)["NCERROR"] == "50001184"  # the page's passphrase
    assert order(sim, USERID="nobody")["NCERROR"] == "50001119"
    assert not sim.orders and order(sim)["STATUS"] == "9"
    sim.configure(allowed_ips=["10.0.0.1"])
    assert query(sim)["NCERROR"] == "50001116"
    sim.configure(allowed_ips=["127.0.0.1"], sha_in_directlink=None)
    assert order(sim, "B", sign=simulator.SHA_IN)["STATUS"] == "9"
    assert order(sim, "C")["NCERROR"] == "50001184"
    sim.configure(directlink=False)
    assert query(sim)["NCERROR"] == "50001118"


def test_wrong_passwords_block(sim):
    for _round in range(2):
        for _time in range(simulator.MAX_PASSWORDS - 1):
            assert query(sim, ORDERID="x", PSWD="wrong")["NCERROR"] == "50001119"
        assert query(sim)["NCERROR"] == "50001130"  # the right one: counting begins anew
    for _time in range(simulator.MAX_PASSWORDS):
        query(sim, ORDERID="x", PSWD="wrong")
    assert query(sim)["NCERROR"] == "50001119" and order(sim)["NCERROR"] == "50001119"
    sim.unblock()
    assert order(sim)["STATUS"] == "9"


@pytest.mark.parametrize(
    ("values", "number", "text"),
    [
        ({"ORDERID": None}, "50001111", " no orderid"),
        ({"AMOUNT": None}, "50001111", " no amount"),
        ({"CARDNO": None}, "50001111", " no cardno"),
        ({"ORDERID": "x" * 41}, "50001111", "ORDERID too long"),
        ({"EMAIL": "x" * 51}, "50001111", "EMAIL too long"),
        ({"AMOUNT": "12.5"}, "50001006", ""),
        ({"CURRENCY": "XXQ"}, "50001120", ""),
        ({"CURRENCY": "BRL"}, "50001122", ""),
        ({"CURRENCY": "JPY", "AMOUNT": "101"}, "50001121", ""),
        ({"OPERATION": "SAS"}, "50001007", ""),
        ({"OPERATION": "RFD"}, "50001046", ""),
        ({"ED": "0120"}, "50001005", ""),
        ({"ED": "1339"}, "50001005", ""),
        ({"CARDNO": "4111111111111112"}, "50001054", ""),
        ({"ALIAS": "nobody", "CARDNO": None}, "50001111", 'Alias "nobody" not Found'),
        ({"ECI": "5"}, "50001111", "ECI"),
        ({"RTIMEOUT": "20"}, "50001111", "RTIMEOUT"),
        ({"FLAG3D": "Y"}, "50001111", " no http_accept"),
    ],
)
def test_orders_it_refuses(sim, values, number, text):
    answer = order(sim, **values)
    assert (answer["NCERROR"], answer["STATUS"]) == (number, "0") and answer["NCERRORPLUS"].startswith(text)
    assert not sim.orders and sim.errors[0]["ncerror"] == number


def test_what_the_bank_says(sim):
    answer = order(sim, "A", CARDNO=REFUSED)
    assert (answer["STATUS"], answer["NCSTATUS"], answer["NCERROR"]) == ("2", "3", "30511001")
    assert answer["PAYID"] != "0" and answer["ACCEPTANCE"] == ""
    assert order(sim, "B", CARDNO=UNCERTAIN)["STATUS"] == "92"
    assert order(sim, "C", CARDNO=UNCERTAIN, OPERATION="RES")["STATUS"] == "52"
    assert order(sim, "D", CARDNO="4242424242424242")["NCERROR"] == "30141001"
    assert order(sim, "E", CARDNO=SECURE)["NCERROR"] == "50001087"
    sim.script("order", "30591001")
    sim.script("order", "51")
    sim.script("order", "soft")
    assert order(sim, "F")["NCERROR"] == "30591001" and order(sim, "G")["STATUS"] == "51"
    assert order(sim, "H")["NCERROR"] == "50001087" and order(sim, "I")["STATUS"] == "9"
    assert sim.count_charges() == 1
    for bad in (("order", "nonsense"), ("page", "ok"), ("maintenance", "x"), ("query", "9")):
        with pytest.raises(ValueError):
            sim.script(*bad)


def test_duplicate_number(sim):
    first = order(sim)
    again = order(sim)
    assert (again["NCERROR"], again["STATUS"], again["PAYID"]) == ("50001113", "0", first["PAYID"])
    maintain(sim, "RFD", 100)
    assert order(sim)["NCERROR"] == "50001113" and sim.count_charges(NUMBER) == 1
    order(sim, "B", CARDNO=REFUSED)
    assert order(sim, "B")["STATUS"] == "9"  # was only refused
    sim.set(reuse="never")
    order(sim, "C", CARDNO=REFUSED)
    assert order(sim, "C")["NCERROR"] == "50001113"
    answers = []
    work = [threading.Thread(target=lambda: answers.append(order(sim, "D")["NCERROR"])) for _n in range(8)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert sorted(answers) == ["0"] + ["50001113"] * 7 and sim.count_charges("D") == 1


# --- DirectLink: identification -------------------------------------------------------------------

STEP_UP = {
    "FLAG3D": "Y",
    "HTTP_ACCEPT": "*/*",
    "HTTP_USER_AGENT": "Firefox",
    "WIN3DS": "MAINW",
    "LANGUAGE": "fr_FR",
    "ACCEPTURL": "http://shop.example/accept",
    "DECLINEURL": "http://shop.example/decline",
    "EXCEPTIONURL": "http://shop.example/exception",
}


def step_up(sim, **values):
    """(answer, browser on the page of the bank) of an order that needs identification."""
    known = {"ORDERID": NUMBER, "AMOUNT": 12000, "CURRENCY": "EUR", "OPERATION": "SAL", **STEP_UP, **values}
    root = etree.fromstring(ask(sim, "order", raw=True, **known).content)
    browser = Browser(sim)
    browser.page = base64.b64decode(root.findtext("HTML_ANSWER")).decode()
    return dict(root.attrib), browser


@pytest.mark.parametrize(
    ("action", "place", "status"), [("confirm", "accept", "9"), ("fail", "decline", "2")]
)
def test_identification(sim, shop, action, place, status):
    answer, browser = step_up(sim, ALIAS=stored_alias(sim, SECURE))
    assert (answer["STATUS"], answer["NCERROR"]) == ("46", "0") and "<script" not in browser.page
    assert query(sim)["STATUS"] == "46" and sim.count_charges(NUMBER) == 0
    shop.calls.clear()
    browser.click("")
    assert "Identification auprès de votre banque" in browser.page and "120,00 EUR" in browser.page
    browser.click(action)
    told = returned(browser.left)
    assert browser.left.startswith(f"http://shop.example/{place}?") and verified(told)
    assert told["STATUS"] == status and told["PAYID"] == answer["PAYID"] and shop.statuses() == [status]
    assert sim.count_charges(NUMBER) == (status == "9")
    assert query(sim)["NCERROR"] == ("0" if status == "9" else "40001134")


def test_identification_by_script(sim):
    sim.script("order", "3ds")
    sim.set(html_script=True)
    _answer, browser = step_up(sim, CARDNO=VISA, ED="1239")
    assert "<script>" in browser.page
    assert sim.identify(sim.identification(NUMBER)).startswith("http://shop.example/accept?")
    assert sim.count_charges(NUMBER) == 1
    assert order(sim)["NCERROR"] == "50001113"


def test_a_number_that_waits_for_identification(sim):
    sim.script("order", "3ds")
    step_up(sim, CARDNO=VISA, ED="1239")
    with pytest.raises(simulator.Refused):
        sim.open(form())
    sim.set(reuse="open")
    assert sim.attempt(sim.open(form()), "ok")
    assert sim.identify(sim.identification(NUMBER)) is None  # paid meanwhile
    assert sim.count_charges(NUMBER) == 1


# --- DirectLink: maintenance and query ------------------------------------------------------------


def reserved(sim, amount=12000):
    order(sim, OPERATION="RES", AMOUNT=amount)
    return sim.order(NUMBER)


def test_capture_in_parts(sim):
    found = reserved(sim)
    first, second = maintain(sim, "SAL", 5000), maintain(sim, "SAL", 3000)
    assert (first["STATUS"], first["PAYIDSUB"], first["amount"], first["ACCEPTANCE"]) == ("91", "1", "50", "")
    assert second["PAYIDSUB"] == "2" and sim.captured() == 0 and found.sums()["capturing"] == 8000
    over = maintain(sim, "SAL", 4001)
    assert (over["NCERROR"], over["STATUS"], over["PAYID"]) == ("50001126", "0", found.payid)
    sim.advance(minutes=59)
    assert query(sim)["STATUS"] == "91"
    sim.advance(minutes=1)
    assert query(sim)["STATUS"] == "9" and sim.captured(NUMBER) == 8000
    assert maintain(sim, "SAS", 1000)["STATUS"] == "91"  # the last: the rest is given up
    assert found.sums()["reserved"] == 0
    for operation in ("SAL", "SAS", "DEL", "DES", "REN"):
        assert maintain(sim, operation, 100)["NCERROR"] == "50001127"
    sim.settle(NUMBER)
    assert (sim.captured(NUMBER), sim.count_charges(NUMBER)) == (9000, 1)


def test_capture_of_all_without_amount(sim):
    found = reserved(sim)
    assert maintain(sim, "SAS")["amount"] == "120" and found.closed
    assert maintain(sim, "SAS", 12000)["NCERROR"] == "50001127"
    sim.settle(NUMBER, status="93")  # the capture fails: the authorisation is open again
    assert not found.closed and maintain(sim, "SAS")["STATUS"] == "91"


def test_void(sim):
    found = reserved(sim)
    assert maintain(sim, "DEL", 2000)["STATUS"] == "61"
    assert maintain(sim, "DEL", 10001)["NCERROR"] == "50001126"
    assert maintain(sim, "SAL", 10001)["NCERROR"] == "50001126"
    answer = maintain(sim, "DES", 500)
    assert (answer["STATUS"], answer["amount"]) == ("61", "100") and found.closed
    assert maintain(sim, "DES")["NCERROR"] == "50001127" and sim.voided() == 0
    sim.advance(hours=1)
    assert query(sim)["STATUS"] == "6" and sim.voided(NUMBER) == 12000
    assert order(sim)["NCERROR"] == "50001113"


def test_void_that_is_refused(sim):
    found = reserved(sim)
    maintain(sim, "DES")
    sim.set(settle={"61": "63"})
    sim.advance(hours=1)
    assert query(sim)["STATUS"] == "63" and not found.closed and found.sums()["reserved"] == 12000


def test_refund_in_parts(sim):
    order(sim)
    answer = maintain(sim, "RFD", 5000)
    assert (answer["STATUS"], answer["PAYIDSUB"], answer["amount"]) == ("81", "1", "50")
    assert sim.refunded() == 0 and maintain(sim, "RFD", 7001)["NCERROR"] == "50001129"
    assert maintain(sim, "RFD", 7000)["PAYIDSUB"] == "2"
    assert maintain(sim, "RFD", 1)["NCERROR"] == "50001129"
    sim.settle(NUMBER, payidsub=1)
    assert sim.refunded(NUMBER) == 5000
    assert query(sim, ORDERID=NUMBER, PAYIDSUB=1)["STATUS"] == "8" and query(sim)["STATUS"] == "81"
    assert query(sim, ORDERID=NUMBER, PAYIDSUB=0)["STATUS"] == "9"
    sim.settle(NUMBER, payidsub=2, status="83")
    assert maintain(sim, "RFD", 7000)["PAYIDSUB"] == "3"  # there is room again
    sim.settle(NUMBER, payidsub=1, status="84")  # the bank takes it back
    assert sim.refunded(NUMBER) == 0 and sim.captured(NUMBER) == 12000


def test_refund_between_captures(sim):
    reserved(sim)
    maintain(sim, "SAL", 5000)
    sim.settle(NUMBER)
    maintain(sim, "SAL", 5000)
    answer = maintain(sim, "RFD", 1000)
    assert answer["NCERROR"] == "50001127" and "status (91)" in answer["NCERRORPLUS"]
    sim.settle(NUMBER)
    assert maintain(sim, "RFD", 10000)["STATUS"] == "81"


def test_refund_that_closes(sim):
    order(sim)
    assert maintain(sim, "RFS", 100)["STATUS"] == "81"
    assert maintain(sim, "RFD", 100)["NCERROR"] == "50001127"


def test_refund_too_early(sim):
    sim.set(sale="91")
    order(sim)
    answer = maintain(sim, "RFD", 100)
    assert (answer["NCERROR"], answer["STATUS"]) == ("50001127", "0") and "status (91)" in answer[
        "NCERRORPLUS"
    ]
    sim.advance(hours=1)
    assert maintain(sim, "RFD", 100)["STATUS"] == "81"
    order(sim, "B", OPERATION="RES")
    assert maintain(sim, "RFD", 100, sim.order("B").payid)["NCERROR"] == "50001127"
    assert maintain(sim, "SAS", 100)["NCERROR"] == "50001127"  # a sale was captured


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        ("final", ("9", "8")),
        ("uncertain", ("92", "82")),
        ("refused", ("93", "83")),
        ("pending", ("91", "81")),
    ],
)
def test_outcomes_of_maintenance(sim, outcome, statuses):
    reserved(sim)
    sim.script("maintenance", outcome)
    assert maintain(sim, "SAL", 0)["NCERROR"] == "50001111"  # not carried out: the script waits
    assert maintain(sim, "SAL", 5000)["STATUS"] == statuses[0]
    sim.settle(NUMBER, status="9") if outcome in ("uncertain", "pending") else None
    if outcome == "refused":
        maintain(sim, "SAL", 5000)
        sim.settle(NUMBER)
    sim.script("maintenance", outcome)
    assert maintain(sim, "RFD", 100)["STATUS"] == statuses[1]
    sim.advance(days=3)
    assert sim.refunded() == (100 if outcome in ("final", "pending") else 0)


def test_maintenance_it_refuses(sim):
    reserved(sim)
    assert maintain(sim, "SAL", 100, "123")["NCERROR"] == "50001130"
    assert maintain(sim, "XXX", 100)["NCERROR"] == "50001007"
    assert maintain(sim, "SAL", "1.5")["NCERROR"] == "50001006"
    assert maintain(sim, "SAL", 100, CURRENCY="USD")["NCERROR"] == "50001120"
    assert maintain(sim, "SAL", 100, ORDERID="another")["NCERROR"] == "50001130"
    assert maintain(sim, None, 100)["NCERRORPLUS"] == " no operation"
    assert ask(sim, "maintenance", OPERATION="SAL", AMOUNT=1)["NCERRORPLUS"] == " no orderid"
    assert (
        ask(sim, "maintenance", OPERATION="SAL", AMOUNT=1, PAYID=sim.orders[0].payid, sign="x")["STATUS"]
        == "0"
    )
    assert len(sim.order(NUMBER).steps) == 1
    assert ask(sim, "maintenance", OPERATION="SAL", AMOUNT=1, ORDERID=NUMBER)["STATUS"] == "91"
    assert maintain(sim, "REN")["STATUS"] == "5"
    sim.open(form("open"))
    assert ask(sim, "maintenance", OPERATION="RFD", AMOUNT=1, ORDERID="open")["NCERROR"] == "50001127"


def test_query(sim):
    answer = query(sim)
    assert (answer["STATUS"], answer["NCERROR"], answer["PAYID"]) == ("88", "50001130", "0")
    payid = order(sim)["PAYID"]
    answer = query(sim, PAYID=payid)
    assert (answer["STATUS"], answer["orderID"], answer["CARDNO"]) == ("9", NUMBER, "XXXXXXXXXXXX1111")
    assert query(sim, PAYID=payid, PAYIDSUB=1)["NCERROR"] == "50001131"
    assert query(sim, ORDERID=NUMBER, PSWD="wrong")["STATUS"] == "0"
    assert ask(sim, "query", ORDERID=NUMBER, sign="wrong")["NCERROR"] == "50001184"
    assert ask(sim, "query", ORDERID=NUMBER, sign=None)["STATUS"] == "9"
    sim.configure(query_sha="required")
    assert ask(sim, "query", ORDERID=NUMBER, sign=None)["NCERROR"] == "50001184"
    sim.script("query", "88")
    assert query(sim)["STATUS"] == "88" and query(sim)["STATUS"] == "9"
    answer = ask(sim, "query", "../prod/querydirect.asp", ORDERID=NUMBER)
    assert answer["STATUS"] == "88"  # another environment


# --- delayed changes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "operation", "end"),
    [("91", "SAL", "9"), ("51", "RES", "5"), ("51", "SAL", "9"), ("41", "SAL", "9")],
)
def test_pending_payments_end(sim, shop, start, operation, end):
    sim.configure(status_url=f"{shop.url}/change", fields=["ORDERID", "STATUS", "PAYIDSUB", "AMOUNT"])
    pay(sim, start, values={"OPERATION": operation})
    sim.advance(minutes=59)
    assert shop.statuses() == [start]
    sim.advance(minutes=1)
    assert shop.statuses() == [start, end] and shop.calls[1][1] == "/change" and verified(shop.told()[1])
    assert sim.count_charges() == 1 and sim.captured() == (12000 if end == "9" else 0)


def test_pending_payments_end_badly(sim, shop):
    sim.configure(status_url=f"{shop.url}/change")
    sim.set(settle={"51": "2", "41": None})
    pay(sim, "51", "A")
    pay(sim, "41", "B")
    pay(sim, "52", "C", {"OPERATION": "RES"})
    sim.advance(days=30)
    assert [order.status for order in sim.orders] == ["2", "41", "52"] and shop.statuses()[-1] == "2"
    sim.settle("C", status="5")
    sim.settle("B", status="93")
    assert shop.statuses()[-2:] == ["5", "93"] and sim.count_charges() == 1
    with pytest.raises(ValueError):
        sim.settle("nobody")


def test_changes_of_maintenance_are_told(sim, shop):
    fields = ["ORDERID", "PAYID", "PAYIDSUB", "STATUS", "AMOUNT", "NCERROR"]
    sim.configure(status_url=f"{shop.url}/change", fields=fields)
    order(sim)
    maintain(sim, "RFD", 5000)
    maintain(sim, "RFD", 5000)
    assert not shop.calls
    sim.advance(hours=1)
    told = shop.told()
    assert [(each["STATUS"], each["PAYIDSUB"], each["amount"]) for each in told] == [
        ("8", "1", "50"),
        ("8", "2", "50"),
    ]
    assert all(map(verified, told))
    sim.set(report_changes=True)
    maintain(sim, "RFD", 100)
    assert shop.statuses()[-1] == "81"


def test_changes_are_retried(sim, shop):
    sim.configure(status_url=f"{shop.url}/change")
    shop.answers = [(500, "")] * 2
    order(sim)
    maintain(sim, "RFD", 5000)
    sim.advance(hours=1)
    assert len(shop.calls) == 1
    sim.advance(minutes=20)
    assert sim.notifications[0]["answers"] == [500, 500, 200]


def test_what_a_person_does_in_the_back_office(sim, shop):
    sim.configure(status_url=f"{shop.url}/change")
    order(sim)
    step = sim.maintain(NUMBER, "RFD", 500)
    assert step.origin == "back office" and shop.statuses() == ["81"]
    sim.settle()
    assert shop.statuses() == ["81", "8"] and sim.refunded(NUMBER) == 500
    with pytest.raises(simulator.Refused):
        sim.maintain(NUMBER, "RFD", 99999)


def test_a_shop_that_asks_while_it_is_told(sim, shop):
    """The books are not locked while feedback is under way: querydirect in the shop's handler is answered."""
    found = []

    class Asking(list):
        def append(self, call):
            super().append(call)
            found.append(query(sim)["STATUS"])

    shop.calls = Asking()
    sim.configure(status_url=f"{shop.url}/change")
    pay(sim, "91")
    sim.set(report_changes=True, report_refusals=True)
    sim.settle(NUMBER)
    maintain(sim, "RFD", 1)
    sim.maintain(NUMBER, "RFD", 1)
    assert found == ["91", "9", "81", "81"]


def test_the_clock(sim):
    with pytest.raises(ValueError):
        sim.advance(minutes=-1)
    done = []
    sim.clock.after(10, lambda: (done.append("late"), sim.clock.after(1, lambda: done.append("later"))))
    sim.clock.after(5, lambda: done.append("early"))
    before = sim.clock.now
    sim.advance(seconds=9)
    assert done == ["early"]
    sim.advance(seconds=2)
    assert done == ["early", "late", "later"] and (sim.clock.now - before).total_seconds() == 11
    with simulator.Simulator(speed=10_000) as fast:
        fast.set(sale="91")
        fast.attempt(fast.open(form()), "ok")
        _wait(lambda: fast.captured() == 12000)


# --- faults ---------------------------------------------------------------------------------------


def test_connection_lost(sim):
    sim.fault("order", "drop_after")
    with pytest.raises(requests.ConnectionError):
        order(sim)
    assert sim.count_charges(NUMBER) == 1 and query(sim)["STATUS"] == "9"
    assert order(sim)["NCERROR"] == "50001113"
    sim.fault("order", "drop_before", times=2)
    for _time in range(2):
        with pytest.raises(requests.ConnectionError):
            order(sim, "B")
    assert sim.count_charges("B") == 0 and order(sim, "B")["STATUS"] == "9"
    sim.fault("maintenance", "drop_after")
    with pytest.raises(requests.ConnectionError):
        maintain(sim, "RFD", 100)
    assert query(sim)["STATUS"] == "81"


@pytest.mark.parametrize("booked", [True, False])
def test_latency(sim, booked):
    sim.fault("order", "latency", seconds=0.5, booked=booked)
    with pytest.raises(requests.ReadTimeout):
        order(sim, timeout=0.2)
    assert sim.count_charges() == booked
    _wait(lambda: sim.count_charges() == 1)


@pytest.mark.parametrize("booked", [True, False])
@pytest.mark.parametrize("kind", ["html", "server_error", "garbage", "truncated"])
def test_answers_that_are_no_xml(sim, kind, booked):
    sim.fault("order", kind, booked=booked, status=502)
    answer = ask(
        sim,
        "order",
        raw=True,
        ORDERID=NUMBER,
        AMOUNT=1,
        CURRENCY="EUR",
        OPERATION="SAL",
        CARDNO=VISA,
        ED="1239",
    )
    assert answer.status_code == (502 if kind == "server_error" else 200)
    assert ("html" in answer.headers["Content-Type"]) is (kind in ("html", "server_error"))
    if kind in ("html", "server_error"):
        assert etree.fromstring(answer.content).tag == "html"
    else:
        with pytest.raises(etree.ParseError):
            etree.fromstring(answer.content)
    assert sim.count_charges() == booked


def test_odd_xml(sim):
    order(sim)
    sim.fault("query", "accents")
    answer = ask(sim, "query", raw=True, ORDERID=NUMBER)
    assert "é".encode("latin-1") in answer.content and "été" in etree.fromstring(answer.content).get(
        "NCERRORPLUS"
    )
    sim.fault("query", "minimal")
    assert set(query(sim)) == {"orderID", "PAYID", "NCERROR", "STATUS", "NCERRORPLUS"}
    sim.set(attributes="minimal")
    assert len(query(sim)) == 5
    sim.set(attributes="full")
    sim.fault("query", "blank_status")
    answer = query(sim)
    assert (answer["STATUS"], answer["PAYID"], answer["orderID"]) == ("", "", NUMBER)
    sim.fault("order", "format_check")
    answer = ask(sim, "order", raw=True, ORDERID="B", AMOUNT=1)
    assert etree.fromstring(answer.content).findtext("FORMAT_CHECK/FORMAT_CHECK_ERROR/NCERROR") == "50001111"
    sim.set(scoring={"SCORING": "1", "SCO_CATEGORY": "G"})
    assert query(sim)["SCO_CATEGORY"] == "G"


def test_too_much_and_too_slow(sim):
    order(sim)
    sim.fault("query", "oversize", size=3 << 20)
    answer = ask(sim, "query", raw=True, ORDERID=NUMBER)
    assert len(answer.content) > 3 << 20 and etree.fromstring(answer.content).get("STATUS") == "9"
    sim.fault("query", "drip", seconds=0.05)
    known = {"PSPID": simulator.PSPID, "ORDERID": NUMBER}
    started = time.monotonic()
    with requests.post(f"{sim.url}/ncol/test/querydirect.asp", known, timeout=1, stream=True) as answer:
        assert len(answer.raw.read(5)) == 5
    assert 0.15 < time.monotonic() - started < 1


def test_faults_of_the_page(sim):
    sim.fault("page", "server_error")
    assert post(sim, form()).status_code == 503
    sim.fault("page", "drop")
    with pytest.raises(requests.ConnectionError):
        post(sim, form())
    sim.fault("page", "latency", seconds=0.2)
    started = time.monotonic()
    assert post(sim, form()).status_code == 302 and time.monotonic() - started > 0.19
    for bad in (("page", "nonsense"), ("nowhere", "drop")):
        with pytest.raises(ValueError):
            sim.fault(*bad)


# --- books and control ----------------------------------------------------------------------------


def test_the_journal_hides_wrong_card_numbers(sim):
    assert order(sim, CARDNO="4111111111111112")["NCERROR"] == "50001054"
    assert sim.requests[0]["parameters"]["CARDNO"] == "************1112"


def test_steering_from_outside(sim, shop):
    def control(path, **values):
        return requests.post(f"{sim.url}/_simulator/{path}", json=values, timeout=5)

    def read(path):
        return requests.get(f"{sim.url}/_simulator/{path}", timeout=5).json()

    assert control("configure", status_url=f"{shop.url}/change").ok and control("set", sale="91").ok
    assert control("script", endpoint="query", outcome="88").ok
    pay(sim, values={"ALIAS": "A", "ALIASUSAGE": "x"}, consent=True)
    assert query(sim)["STATUS"] == "88"
    assert control("advance", minutes=60).ok and shop.statuses() == ["91", "9"]
    assert control("maintain", orderid=NUMBER, operation="RFD", amount=100).json()["result"]["status"] == "81"
    assert control("settle", orderid=NUMBER).json() == {"result": 1}
    assert control("notify", orderid=NUMBER, which=0, copies=2).json() == {"result": 200}
    assert control("fault", endpoint="query", kind="html").ok and control("unblock").ok
    books = read("books")
    (charge,) = books["charges"]
    sums = {"captured": 12000, "refunded": 100, "refunding": 0, "reserved": 0, "voided": 0, "charged": True}
    assert sums.items() <= charge.items() and charge["steps"][0]["history"] == ["0", "91"]
    assert books["aliases"][0]["card"] == "************1111" and books["redirects"][0]["orderid"] == NUMBER
    assert [note["status"] for note in books["notifications"]] == ["91", "9", "81", "8"]
    assert control("delete_alias", alias="A").ok and not read("books")["aliases"]
    assert read("state")["sha_out"] == simulator.SHA_OUT and read("state")["url"] == sim.url
    for path, values in (
        ("set", {"colour": 1}),
        ("configure", {"colour": 1}),
        ("settle", {"orderid": "x"}),
        ("maintain", {"orderid": NUMBER, "operation": "SAS"}),
        ("fault", {"endpoint": "x", "kind": "y"}),
        ("delete_alias", {"alias": "A"}),
        ("advance", {"minutes": "x"}),
    ):
        assert control(path, **values).status_code == 400, path
    assert requests.post(f"{sim.url}/_simulator/set", data="[", timeout=5).status_code == 400
    assert control("nothing").status_code == 404 and control("reset").ok
    assert read("books")["orders"] == [] and read("requests") == [] and read("errors") == []
    assert sim.account.status_url and sim.settings["sale"] == "9" and not sim.faults.due
    assert control("reset", account=True).ok and not sim.account.status_url


def test_page_for_people(sim):
    pay(sim, "91", "<b>")
    with pytest.raises(simulator.Refused):
        sim.open(form(sign="x"))
    text = requests.get(sim.url, timeout=5).text
    assert "&lt;b&gt;" in text and "<b>" not in text and "unknown order/1/s" in text and "120.00 EUR" in text
    assert requests.post(f"{sim.url}/hour", timeout=5).ok and sim.captured() == 12000


def test_settings_are_checked(sim):
    with pytest.raises(ValueError):
        sim.set(speed=3)
    with pytest.raises(ValueError):
        sim.configure(sha=3)
    with pytest.raises(ValueError):
        pay(sim, "nonsense")
    with pytest.raises(ValueError):
        pay(sim, card="1234", orderid="B")
    browser = Browser(sim).arrive(orderid="C")
    assert "erreur" in browser.click("pay", card="alias").page
    assert requests.post(f"{sim.url}/x", data=b"x" * (2 << 20), timeout=5).status_code in (404, 413)
    sim.set(settle={"91": None})
    assert sim.settings["settle"]["81"] == "8" and simulator.PENDING["91"] == "9"


# --- the program ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program(number):
    shop = Shop()
    options = (
        f"--port 0 --speed 0 --pspid me --sha-out another-Out-2026! --feedback-url {shop.url}/f --method GET"
    )
    command = [sys.executable, str(FILE), *options.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        facts, started = json.loads(process.stdout.readline()), process.stdout.readline()
        assert started.startswith("started") and facts["pspid"] == "me" and facts["url"] in started
        address = f"{facts['url']}/ncol/test/orderstandard_utf8.asp"
        with requests.Session() as session:
            page = session.post(address, dict(form(PSPID="me")), timeout=5)
            data = {"action": "pay", "card": VISA, "choice": "ok"}
            answer = session.post(page.url, data, allow_redirects=False, timeout=5)
        assert verified(returned(answer.headers["Location"]), "another-Out-2026!")
        assert shop.calls[0][:2] == ("GET", "/f") and verified(shop.told()[0], "another-Out-2026!")
        books = requests.get(f"{facts['url']}/_simulator/books", timeout=5).json()
        assert len(books["charges"]) == 1
        os.kill(process.pid, number)
        assert process.wait(timeout=5) == 0 and process.stderr.read() == ""
    shop.server.shutdown()
    shop.server.server_close()


@pytest.mark.parametrize("options", ["--host 0.0.0.0", "--feedback sometimes", "--port 99999"])
def test_the_program_refuses(capsys, options):
    with pytest.raises(SystemExit) as stopped:
        simulator.main(options.split())
    assert stopped.value.code == 2 and capsys.readouterr().err


def test_it_stands_alone():
    """It imports the standard library only: nothing of any addon, not the protocol room."""
    names = set(re.findall(r"^\s*(?:import|from) ([a-z_0-9]+)", FILE.read_text(), re.MULTILINE))
    assert names <= set(sys.stdlib_module_names), names
