"""Every route gets what it should not: no error of the server, nothing changes, nothing is logged.

The cases are by the path of the server's routing map: a new route without one fails."""

import hashlib
import json
import random
import urllib.parse
from dataclasses import replace

import pytest
from people import RpcError
from shop import TILL
from watch import Log, money, settle
from wire import JUNK, Ask, send, spoiled, variants

CANARY = "canary-4971"  # stands in every message that is tried
FUZZ = 60  # spoiled messages for each address
METHODS = ("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
PROVIDERS = {
    "/payment/paybox/ipn": "paybox",
    "/payment/paybox/return": "paybox",
    "/payment/ogone/return": "ogone",
    "/pos_viva_wallet/notification": "viva",
}
VIVA = "/pos_viva_wallet/notification"
PAGES = {"/payment/ogone/identify", "/payment/status"}
TILL_ROUTES = {TILL + name for name in ("start", "cancel", "void", "inquire", "resolve")}


@pytest.fixture(scope="module")
def messages(suite, shop):
    """{provider: Ask} of messages that were honest once: signed, and applied before the tests begin."""
    note = shop.simulator("payment_paybox").get("books")["notifications"][0]
    hook = urllib.parse.urlsplit(shop.facts["webhook"])
    pushed = json.dumps(shop.simulator("pos_viva_wallet").get("webhooks")[0]["envelope"])
    ogone = ogone_message(shop.facts["online"]["ogone"]["reference"], "Sim-out.Back-2026")
    found = {
        "paybox": Ask("GET", "/payment/paybox/ipn", note["query"].encode()),
        "ogone": Ask("POST", "/payment/ogone/return", body=ogone),
        "viva": Ask("POST", hook.path, hook.query.encode(), pushed.encode(), "application/json"),
    }
    assert [send(suite, ask)[0] for ask in found.values()] == [200, 200, 200]
    transaction = shop.facts["online"]["ogone"]["transaction"]
    query = f"SELECT state, is_post_processed FROM payment_transaction WHERE id = {transaction}"
    suite.wait_until(lambda: suite.sql(query) == [["done", "t"]], what="the payment by Ogone")
    settle(suite)
    return found


def ogone_message(order, passphrase, **more):
    """Return signed feedback about a payment of 120 EUR (bytes)."""
    values = {"ORDERID": order, "AMOUNT": "120", "CURRENCY": "EUR", "STATUS": "9", "PAYID": "31415926"}
    values |= {"ACCEPTANCE": "test123", "BRAND": "VISA", "PM": "CreditCard", "NCERROR": "0", **more}
    values = {name: value for name, value in values.items() if value}  # empty ones are not signed
    text = "".join(f"{name}={value}{passphrase}" for name, value in sorted(values.items()))
    digest = hashlib.sha512(text.encode()).hexdigest().upper()
    return urllib.parse.urlencode({**values, "SHASIGN": digest}).encode()


def legacy(path):
    """Whether it is one of the addresses that merchants of Odoo's own addon have entered at Ogone."""
    return path.startswith("/payment/ogone/") and path not in PROVIDERS and path not in PAGES


def asks(shop, messages):
    """Yield an honest Ask for every address of a provider, and by every method that it takes."""
    for path, methods in shop.facts["routes"].items():
        name = "ogone" if legacy(path) else PROVIDERS.get(path)
        if not name:
            continue
        honest = messages[name]
        for method in {"GET", "POST"} & {*methods}:
            moved = replace(honest, method=method, path=path)
            text = honest.body or honest.query
            yield variants(moved, text) if name != "viva" else moved


def test_every_route_has_a_case(shop):
    """The routing map of the server against this file."""
    known = {*PROVIDERS, *PAGES, *TILL_ROUTES}
    routes = shop.facts["routes"]
    assert {path for path in routes if not legacy(path)} == known
    assert len([path for path in routes if legacy(path)]) == 11


@pytest.fixture
def unharmed(suite, shop, messages):
    """Around a test: the money stays, no error is logged, nothing of what was sent either."""
    log, before = Log(suite), money(suite)
    yield
    assert money(suite) == before
    assert log.complaints() == []
    text = log.text()
    assert CANARY not in text
    assert [secret for secret in shop.secrets if secret in text] == []


def check(suite, ask):
    """Send it; no error of the server, and nothing of it comes back as it is."""
    status, headers, body = send(suite, ask)
    assert status < 500, (ask, status, body[:300])
    assert b"'\"<script>" not in body and "X-Injected" not in headers, ask
    return status


def marked(message):
    """A message that holds the canary too."""
    return message + b"&x=" + CANARY.encode()


def test_missing(suite, shop, messages, unharmed):
    """Nothing at all, and every method that is none of the route's."""
    for ask in asks(shop, messages):
        check(suite, replace(ask, query=b"", body=b""))
        for method in METHODS:
            check(suite, replace(ask, method=method, query=marked(ask.query)))


def test_wrong(suite, shop, messages, unharmed):
    """One letter differs from what was signed; Viva.com's address is another one."""
    for ask in asks(shop, messages):
        for message in (ask.body, ask.query):
            for old, new in ((b"12000", b"13000"), (b"=120&", b"=130&"), (b"token=", b"token=x")):
                if old in message:
                    if message is ask.body and ask.path == VIVA:
                        continue  # its body is not signed: it only says which session is to be read
                    changed = message.replace(old, new)
                    wrong = replace(ask, body=changed) if message is ask.body else replace(ask, query=changed)
                    assert check(suite, wrong) in (303, 403, 405), wrong


def test_replayed(suite, shop, messages, unharmed):
    """What was applied already comes again, by every address that takes it, several times."""
    for ask in asks(shop, messages):
        for _copy in range(2):
            assert check(suite, ask) in (200, 303, 403, 405), ask


def test_signed_by_somebody_else(suite, shop, unharmed):
    """Stale passphrases, the ones of the other direction, none; orders of nobody."""
    order = shop.facts["online"]["ogone"]["reference"]
    for passphrase in ("", "Sim-in.Page-2026!", "Sim-in.Direct-2026", "Sim-out.Back-2025"):
        for name in (order, f"{CANARY}-1"):
            body = marked(ogone_message(name, passphrase, STATUS="0", CARDNO="4111111111111111"))
            for ask in (
                Ask("POST", "/payment/ogone/return", body=body),
                Ask("GET", "/payment/ogone/return", body),
            ):
                assert check(suite, ask) == 403


def test_oversize(suite, shop, messages, unharmed):
    """More than an honest message has, in the address and in the body, and in a head."""
    for ask in asks(shop, messages):
        for size in (20_000, 60_000):
            check(suite, replace(ask, query=marked(ask.query) + b"a" * size))
        check(suite, replace(ask, method="POST", body=marked(ask.body) + b"a" * 3_000_000))
        check(suite, replace(ask, headers={"X-Long": "a" * 30_000}))


def test_other_kinds_of_body(suite, shop, messages, unharmed):
    """A body that says that it is something else."""
    part = (
        f'--b\r\nContent-Disposition: form-data; name="x"; filename="{CANARY}"\r\n\r\n1\r\n--b--\r\n'.encode()
    )
    for ask in asks(shop, messages):
        posted = replace(ask, method="POST")
        check(suite, replace(posted, kind="multipart/form-data; boundary=b", body=part))
        check(suite, replace(posted, kind="multipart/form-data", body=part))
        for kind in ("application/json", "text/xml", "", "application/x-www-form-urlencoded; charset=utf-7"):
            check(suite, replace(posted, kind=kind, body=b"[" * 5000 + CANARY.encode()))


def test_other_company(suite, shop, messages, unharmed):
    """A secret address with another company in it is nobody's."""
    ask = messages["viva"]
    other = ask.query.replace(
        b"company_id=%d&" % shop.facts["company"], b"company_id=%d&" % shop.facts["other_company"]
    )
    assert other != ask.query
    assert check(suite, replace(ask, query=other)) == 403


def test_fuzz(suite, shop, messages, seed, report, unharmed):
    """Seeded chance: what was spoiled is refused, or means what it meant before."""
    chance, count = random.Random(seed), 0
    for ask in asks(shop, messages):
        if legacy(ask.path):
            continue  # the same code as the address of today
        text = ask.body if ask.method == "POST" and ask.body else ask.query
        for message in spoiled(marked(text), chance, FUZZ):
            check(suite, variants(ask, message))
            count += 1
    report(f"routes: {count} spoiled messages, seed {seed}")


# --- pages of customers


def test_pages_for_others(suite, people, shop, unharmed):
    """The bank's page is its customer's alone, and asks for nothing that could be guessed."""
    for login in ("public", "portal", "stranger"):
        cookie = "" if login == "public" else people[login].session_cookie
        for path in PAGES:
            for query in (b"", b"id=1&operation=1&reference=1"):
                assert check(suite, Ask("GET", path, query, cookie=cookie)) in (200, 303)


# --- the till


def call(user, name, **parameters):
    """Return (answer, None) of a till's route, or (None, what was raised)."""
    try:
        return user.json(TILL + name, **parameters), None
    except RpcError as error:
        return None, error.name


@pytest.fixture(scope="module")
def honest(shop):
    """{route: parameters} that a cashier of the shop could send, about a payment that is over."""
    key = shop.sell("paypercloud")
    at = {"session_id": shop.facts["session"], "key": key}
    return {
        "start": {**at, "method_id": shop.facts["methods"]["paypercloud"], "amount": 12.34, "order": {}},
        "cancel": at,
        "void": at,
        "inquire": at,
        "resolve": {**at, "outcome": "approved", "reason": CANARY},
    }


def test_till_for_others(people, honest, unharmed):
    """Nobody without a till, and nobody of another company."""
    refusals = ("odoo.exceptions.", "odoo.http.SessionExpiredException", "werkzeug.")
    for login in ("public", "portal", "bookkeeper", "payments_manager", "stranger", "foreign_cashier"):
        for name, parameters in honest.items():
            answer, error = call(people[login], name, **parameters)
            assert error and error.startswith(refusals), (login, name, answer, error)


def test_till_of_another_company(people, shop, honest, unharmed):
    """Their own session with our key or method, and our cashier at their till."""
    theirs = {"session_id": shop.facts["foreign_session"]}
    for name, parameters in honest.items():
        _answer, error = call(people["cashier"], name, **{**parameters, **theirs})
        assert error == "odoo.exceptions.AccessError", name
        _answer, error = call(people["foreign_cashier"], name, **{**parameters, **theirs})
        assert error and error.startswith("odoo.exceptions."), name


JUNK_VALUES = (
    *(
        None,
        True,
        -1,
        0,
        2**31,
        2**63,
        10**400,
        1e308,
        float("nan"),
        float("inf"),
        "",
        " ",
        "1",
        "x" * 100_000,
    ),
    *("\0", "\ud800", "'; DROP TABLE", [], [1], {}, {"a": {"b": []}}, [[]] * 50),
    *(junk.decode("latin-1") for junk in JUNK),
)


def test_till_junk(people, honest, unharmed):
    """One value of each request is junk, or is not there: refused in words, nothing is started."""
    cashier = people["cashier"]
    for name, parameters in honest.items():
        for spoiled_name in [*parameters, None]:
            if spoiled_name == "order" or (name, spoiled_name) == ("resolve", "reason"):
                continue
            for value in JUNK_VALUES:
                _answer, error = call(cashier, name, **spoil(parameters, spoiled_name, value))
                assert error and error.startswith("odoo.exceptions."), (name, spoiled_name, value, error)


def spoil(parameters, name, value):
    """Return parameters of which one is another value, or (for no name) of which all but that are missing."""
    return {**parameters, name: value} if name else {"session_id": value}


def test_till_junk_beside_it(suite, people, shop, honest):
    """What is said of the order may be anything: no error of the server, and no second payment."""
    log = Log(suite)
    for value in JUNK_VALUES:
        for order in (value, {"uid": value, "name": value, "refunded_line_ids": value}):
            _answer, error = call(people["cashier"], "start", **{**honest["start"], "order": order})
            assert not error or error.startswith("odoo.exceptions."), (order, error)
        _answer, error = call(people["cashier"], "cancel", **honest["cancel"], request=value)
        assert not error or error.startswith("odoo.exceptions."), (value, error)
        known = ("pos.payment.method", "servipay_state", shop.facts["session"])
        for arguments in (([value],), (value,), ([honest["void"]["key"]], value)):
            try:
                people["cashier"].call(*known, *arguments)
            except RpcError as refusal:
                assert refusal.name.startswith("odoo.exceptions."), (arguments, refusal.name)
    assert log.complaints() == []


def test_body_that_is_no_call(suite, people, unharmed):
    """Bytes at a route that wants JSON."""
    cookie = people["cashier"].session_cookie
    # of what Odoo itself takes for a call; what it stumbles over never reaches us
    bodies = (
        b"{}",
        b'{"params": {}}',
        b'{"params": {"x": "%s"}}' % CANARY.encode(),
        b'{"method": 1, "id": []}',
    )
    for path in TILL_ROUTES:
        for body in bodies:
            ask = Ask("POST", path, body=body, kind="application/json", cookie=cookie)
            assert check(suite, ask) in (200, 400, 415), ask
