"""The first buttons that an administrator presses, on a server that commits as a real one does.

Odoo's own tests share one transaction: what another one has just committed is visible there, and not here.
"""

import pytest

from tools.odoo import free_port


@pytest.fixture
def admin(suite):
    """The administrator, logged in anew: whatever language other tests have left is not his."""
    suite.forget("admin")
    return suite.user("admin")


@pytest.fixture
def copied(admin):
    """A function (name of a demo method, values) that returns the id of a copy for an address of its own."""
    made = []

    def copy(name, **values):
        domain = [("name", "=", name)]
        (number,) = admin.call("pos.payment.method", "search", domain, limit=1, order="id")
        copy = admin.call("pos.payment.method", "copy", [number])
        copy = copy if isinstance(copy, int) else copy[0]
        made.append(copy)
        if values:
            admin.call("pos.payment.method", "write", [copy], values)
        return copy

    yield copy
    admin.call("pos.payment.method", "write", made, {"active": False})


def pressed(admin, model, method, number):
    """Press a button and return (kind, sentence) of what it says."""
    answer = admin.call(model, method, [number])["params"]
    return answer["type"], answer["message"]


def terminals(admin, pid):
    """Return how many terminals have an identifier."""
    return admin.call("servipay.terminal", "search_count", [("pid", "=", pid)])


def test_first_press_of_test_terminal_at_caisse_ap(suite, admin, copied):
    """A new address: the first press says what is there; a wrong one leaves no terminal behind."""
    facts = suite.simulators["pos_caisse_ap_ip"]
    port = free_port()
    wrong = copied("Carte (Caisse-AP)", caisse_ap_port=port)
    kind, message = pressed(admin, "pos.payment.method", "action_caisse_ap_test", wrong)
    assert (kind, str(port) in message) == ("danger", True), message
    assert not terminals(admin, f"{facts['host']}:{port}")

    right = copied("Carte (Caisse-AP)", caisse_ap_host="localhost")  # for Odoo another terminal
    kind, message = pressed(admin, "pos.payment.method", "action_caisse_ap_test", right)
    assert kind == "success", message
    assert terminals(admin, f"localhost:{facts['port']}") == 1


def test_first_press_of_test_terminal_at_viva(suite, admin, copied):
    """The same for a terminal that Viva.com knows, and for one that it does not know."""
    address = {"viva_wallet_base_url": suite.simulators["pos_viva_wallet"]["url"]}
    address["viva_wallet_client_secret"] = "Simulator-2026"  # a copy has none; this is the simulator's
    wrong = copied("Carte (Viva)", viva_wallet_terminal_id="77777777", **address)
    kind, message = pressed(admin, "pos.payment.method", "action_viva_test", wrong)
    assert (kind, "16000010" in message) == ("danger", True), message
    assert not terminals(admin, "77777777")
    right = copied("Carte (Viva)", viva_wallet_terminal_id="16000011", **address)
    kind, message = pressed(admin, "pos.payment.method", "action_viva_test", right)
    assert kind == "success", message
    assert terminals(admin, "16000011") == 1


def test_first_call_for_a_new_terminal(admin):
    """The API Tester makes a terminal of the PID that was typed, and its operation carries it."""
    (endpoint,) = admin.call("servipay.api.endpoint", "search", [("key", "=", "purchase")], limit=1)
    values = {"endpoint_id": endpoint, "amount": 3.0, "terminal_pid": "T2"}
    tester = admin.call("servipay.api.tester", "create", [values])[0]
    admin.call("servipay.api.tester", "action_call", [tester])
    (read,) = admin.call("servipay.api.tester", "read", [tester], ["result_operation_id"])
    names = ["terminal_id", "explanation"]
    (operation,) = admin.call("servipay.operation", "read", [read["result_operation_id"][0]], names)
    assert operation["terminal_id"][1] == "T2", operation
    # the demo's simulator has one terminal only
    assert "does not know this terminal" in operation["explanation"]


@pytest.fixture
def base_url(admin):
    """A function that sets PayperCloud's address; as it was afterwards."""
    (company,) = admin.call("res.company", "search", [], limit=1)
    (before,) = admin.call("res.company", "read", [company], ["servipay_base_url"])
    yield lambda url: admin.call("res.company", "write", [company], {"servipay_base_url": url})
    admin.call("res.company", "write", [company], {"servipay_base_url": before["servipay_base_url"]})


def connection(admin):
    """Press *Test connection* and return (kind, sentence)."""
    settings = admin.call("res.config.settings", "create", [{}])
    answer = admin.call("res.config.settings", "action_servipay_test_connection", settings)["params"]
    return answer["type"], answer["message"]


def test_connection_to_odoo_itself_is_no_success(suite, admin, base_url):
    """Three outcomes: this API and the key; a server that is something else; nobody."""
    kind, message = connection(admin)
    assert (kind, "accepts the key" in message) == ("success", True), message
    for path in ("", "/web/login", "/web/health"):
        base_url(f"{suite.url}{path}")
        kind, message = connection(admin)
        assert (kind, "not as this API would" in message) == ("danger", True), message
    base_url(f"{suite.simulators['paypercloud_servipay']['url']}/v3")
    kind, message = connection(admin)
    assert (kind, "not as this API would" in message) == ("danger", True), message
    base_url(f"http://127.0.0.1:{free_port()}")
    kind, message = connection(admin)
    assert (kind, "could not be reached" in message) == ("danger", True), message
