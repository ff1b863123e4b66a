"""What a provider answers when somebody else has taken its place: nothing is fetched, run, or called paid."""

import gzip
import time

import pytest
from hostile import Hostile, HostileTerminal
from people import outcome
from watch import Log, money, settle

LAUGHS = (
    b'<!DOCTYPE r [<!ENTITY a "'
    + b"ha" * 50
    + b'">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9))
    + b']><ncresponse STATUS="9" NCERROR="0">&j;</ncresponse>'
)
FILE = (
    b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<ncresponse PAYID="0" STATUS="0" NCERROR="50001111"><NCERRORPLUS>&x;</NCERRORPLUS></ncresponse>'
)


def answers(url):
    """{name: (body, headers)}: url is where an outside entity would be fetched from."""
    outside = f'<!DOCTYPE r SYSTEM "{url}/evil.dtd"><ncresponse STATUS="9" NCERROR="0"/>'.encode()
    xinclude = "http://www.w3.org/2001/XInclude"
    include = f'<ncresponse xmlns:xi="{xinclude}"><xi:include href="{url}/evil.xml"/></ncresponse>'
    style = f'<?xml-stylesheet href="{url}/evil.xsl"?><ncresponse STATUS="9"/>'
    return {
        "billion laughs": (LAUGHS, {}),
        "file": (FILE, {}),
        "utf-16": (FILE.decode().encode("utf-16"), {}),
        "outside": (outside, {}),
        "include": (include.encode(), {}),
        "stylesheet": (style.encode(), {}),
        "nested xml": (b"<ncresponse>" * 100_000, {}),
        "nested json": (b"[" * 100_000, {"Content-Type": "application/json"}),
        "long number": (b'{"amount": ' + b"9" * 100_000 + b"}", {"Content-Type": "application/json"}),
        "large": (b"<ncresponse " + b"a" * 20_000_000, {}),
        "bomb": (gzip.compress(bytes(50_000_000)), {"Content-Encoding": "gzip"}),
        "broken gzip": (b"\x1f\x8b\x08\0", {"Content-Encoding": "gzip"}),
        "bytes": (bytes(range(256)) * 10, {"Content-Type": "text/plain; charset=utf-7"}),
        "charset": (b"<html>", {"Content-Type": 'text/html; charset="\'no such"'}),
        "nothing": (b"", {}),
        "redirect": (b"", {"Location": f"{url}/evil"}),
    }


@pytest.fixture(scope="module")
def hostile():
    """The server."""
    with Hostile() as server:
        yield server


@pytest.fixture(scope="module")
def terminal():
    """The terminal."""
    with HostileTerminal() as server:
        yield server


@pytest.fixture(scope="module")
def clients(suite, shop, hostile, terminal):
    """{name: function that makes harmless calls}, all leading to the hostile server."""
    admin, company = suite.user("admin"), shop.facts["company"]
    providers = {code: demo_provider(suite, shop, code) for code in ("ogone", "paybox")}
    viva, caisse = [shop.facts["methods"]["viva"]], [shop.facts["methods"]["caisse_ap"]]
    writes = (
        ("payment.provider", providers["ogone"], {"ogone_brand": "custom", "ogone_base_url": hostile.url}),
        (
            "payment.provider",
            providers["paybox"],
            {"paybox_host": hostile.url, "paybox_direct_host": hostile.url},
        ),
        ("res.company", [company], {"servipay_base_url": hostile.url}),
        ("pos.payment.method", viva, {"viva_wallet_base_url": hostile.url}),
        ("pos.payment.method", caisse, {"caisse_ap_port": terminal.port}),
    )
    before = [admin.call(model, "read", ids, [*values])[0] for model, ids, values in writes]
    for model, ids, values in writes:
        admin.call(model, "write", ids, values)
    settings = "res.config.settings"
    yield {
        "ogone": lambda: admin.call("payment.provider", "action_ogone_check", providers["ogone"]),
        "paybox": lambda: admin.call("payment.provider", "action_paybox_check", providers["paybox"]),
        "paypercloud": lambda: admin.call(
            settings, "action_servipay_test_connection", admin.call(settings, "create", [{}])
        ),
        "viva": lambda: admin.call("pos.payment.method", "action_viva_credentials", viva),
        "viva devices": lambda: outcome(admin, "pos.payment.method", "action_viva_find", viva),
    }
    for (model, ids, _values), was in zip(writes, before, strict=True):
        was.pop("id")
        admin.call(model, "write", ids, was)


@pytest.mark.parametrize("name", answers(""))
def test_answers(suite, clients, hostile, name):
    """Every client that speaks HTTP gets every answer; what it says is a sentence."""
    settle(suite)
    log, before = Log(suite), money(suite)
    hostile.answer, hostile.headers = answers(hostile.url)[name]
    hostile.status = 302 if name == "redirect" else 200
    for client, ask in clients.items():
        hostile.asked.clear()
        began = time.monotonic()
        told = str(ask())
        assert hostile.asked, client
        assert not [path for path in hostile.asked if "evil" in path], client
        assert "root:" not in told and "Error(" not in told and "Traceback" not in told, (client, told)
        assert time.monotonic() - began < 30, client
    assert money(suite) == before
    assert log.complaints() == []


def test_an_answer_that_drips(suite, clients, hostile):
    """A byte now and then keeps nobody longer than the time-out."""
    log = Log(suite)
    suite.user("admin").call("res.company", "write", [1], {"servipay_timeout": 3})
    hostile.answer, hostile.headers, hostile.status, hostile.drip = b"x" * 1000, {}, 200, 0.5
    began = time.monotonic()
    try:
        assert "danger" in str(clients["paypercloud"]())
    finally:
        hostile.drip = 0
        suite.user("admin").call("res.company", "write", [1], {"servipay_timeout": 30})
    assert time.monotonic() - began < 15
    assert log.complaints() == []


@pytest.mark.parametrize("provider", ["paypercloud", "viva"])
@pytest.mark.parametrize("name", ["file", "nested json", "bomb", "bytes"])
def test_payment_to_nobody(suite, shop, clients, hostile, provider, name):
    """A payment that such a server answers is never called paid, and nobody is told that it was not."""
    hostile.answer, hostile.headers = answers(hostile.url)[name]
    hostile.status = 200
    unpaid(suite, shop, provider, {"unknown"} if provider == "paypercloud" else {"unknown", "failed"})


@pytest.mark.parametrize(
    "answer", [b"\0" * 4096, b"CZ9990300" * 500, b"AE0010" * 300, b"CB012" + b"9" * 12 + b"AE9991", b"\xff"]
)
def test_terminal_that_is_none(suite, shop, clients, terminal, answer):
    """The same for a terminal on a raw socket."""
    terminal.answer = answer
    unpaid(suite, shop, "caisse_ap", {"unknown"})
    assert terminal.asked


def unpaid(suite, shop, provider, expected):
    """Sell, see what it comes to, and have a manager settle it so that the terminal is free again."""
    log = Log(suite)
    key = shop.sell(provider, wait=False)
    suite.wait_until(lambda: shop.state(key) in ("unknown", "failed", "approved", "declined"), 60, "its end")
    assert shop.state(key) in expected, shop.explained(key)
    if shop.state(key) == "unknown":
        call = {
            "session_id": shop.facts["session"],
            "key": key,
            "outcome": "failed",
            "reason": "nobody there",
        }
        suite.user("manager").json("/websocket/servipay/pos/resolve", **call)
    assert log.complaints() == []


# --- addresses

LOCAL = (
    *(
        "127.0.0.1",
        "localhost",
        "[::1]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::]",
    ),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254", "[fe80::1]", "10.0.0.1", "192.168.0.1"),
    *("127.0.0.1.", "LOCALHOST", "127.0.0.1%00", "user@127.0.0.1", "127.0.0.1#@example.com", "１２７.0.0.1"),
)


@pytest.mark.parametrize("client", ["ogone", "paybox", "paypercloud"])
def test_addresses_inside(suite, shop, clients, hostile, client):
    """Unless it is allowed no spelling of an address of this machine or network is called."""
    admin = suite.user("admin")
    model, ids, names = fields_of(suite, shop, client)
    was = admin.call(model, "read", ids, [*names, "servipay_allow_private"])[0]
    was.pop("id")
    hostile.reached = tried = 0
    for host in LOCAL:
        for scheme in ("https", "http"):
            values = dict.fromkeys(names, f"{scheme}://{host}:{hostile.port}")
            _result, error = outcome(admin, model, "write", ids, {**values, "servipay_allow_private": False})
            assert error in (None, "odoo.exceptions.ValidationError"), (host, error)
            assert error or scheme == "https", host
            if not error:
                told = str(clients[client]())
                assert "danger" in told, (host, told)
                tried += 1
    admin.call(model, "write", ids, was)
    assert hostile.reached == 0 and tried


def fields_of(suite, shop, client):
    """Return (model, ids, names of the fields with addresses) of a client."""
    if client == "paypercloud":
        return "res.company", [shop.facts["company"]], ["servipay_base_url"]
    names = ["paybox_host", "paybox_backup_host", "paybox_direct_host"]
    ids = demo_provider(suite, shop, client)
    return "payment.provider", ids, names if client == "paybox" else ["ogone_base_url"]


def demo_provider(suite, shop, code):
    """Return [id] of the demo's provider: other tests leave copies of it behind."""
    domain = [("code", "=", code), ("company_id", "=", shop.facts["company"])]
    return suite.user("admin").call("payment.provider", "search", domain, order="id", limit=1)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "127.1", "2130706433", "::ffff:127.0.0.1"]
)
def test_terminals_inside(suite, shop, terminal, host):
    """A shop's terminal is in its network, but never this server itself unless an administrator says so."""
    admin, caisse = suite.user("admin"), [shop.facts["methods"]["caisse_ap"]]
    names = ["caisse_ap_host", "caisse_ap_port", "caisse_ap_allow_local"]
    was = admin.call("pos.payment.method", "read", caisse, names)[0]
    was.pop("id")
    terminal.asked.clear()
    values = {"caisse_ap_host": host, "caisse_ap_port": terminal.port, "caisse_ap_allow_local": False}
    _result, error = outcome(admin, "pos.payment.method", "write", caisse, values)
    if not error:
        outcome(admin, "pos.payment.method", "action_caisse_ap_test", caisse)
    admin.call("pos.payment.method", "write", caisse, was)
    assert terminal.asked == []
