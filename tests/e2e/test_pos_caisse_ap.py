"""The cashier's way with a Caisse-AP terminal over TCP, which no message can stop."""

import json
import urllib.request

import pytest
from pos import Till

METHOD = "Carte (Caisse-AP)"


class Terminal:
    """Steers the simulator's first terminal, as a person at it would."""

    def __init__(self, suite):
        log = suite.context.logs / "simulator-pos_caisse_ap_ip.log"
        self.control = json.loads(log.read_text().splitlines()[0])["control"]

    def call(self, path, **body):
        """POST to the control API and return its answer."""
        url = f"http://127.0.0.1:{self.control}/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def script(self, name, **options):
        """What becomes of the next payment."""
        self.call("terminals/1/script", name=name, **options)

    def state(self):
        """What the terminal has in its books."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.control}/state", timeout=10) as answer:
            return json.load(answer)["terminals"][0]


@pytest.fixture
def terminal(suite):
    """The terminal, plugged in, its books empty."""
    found = Terminal(suite)
    found.call("reset")
    yield found
    found.call("reset")


@pytest.fixture
def till(page, suite, login, terminal):
    """A till of the cashier, open."""
    login(page, "cashier")
    return Till(page, suite).open()


def test_paid(till, terminal):
    """One debit at the terminal, one payment in the order."""
    terminal.script("paid", delay=1)
    till.sell()
    till.pay(METHOD)
    till.receipt()
    assert till.until("approved")["amount"] == 18.5
    assert len(terminal.state()["debits"]) == 1


def test_red_button(till, terminal):
    """The red button ends it: nothing was taken, and the line may be sent again."""
    terminal.script("wait_customer")
    till.sell()
    till.pay(METHOD)
    till.until("pending")
    terminal.call("terminals/1/press", button="red")
    till.page.locator(".modal-dialog").wait_for()
    till.page.locator(".modal-footer button").first.click()
    till.page.locator(".send_payment_request").first.wait_for()
    assert till.until("cancelled")
    assert not terminal.state()["debits"]


def test_paid_after_the_till_cancelled(till, terminal, screenshot):
    """The cashier cancels, the customer pays all the same: the line ends paid, with one debit."""
    terminal.script("wait_customer")
    till.sell()
    till.pay(METHOD)
    till.until("pending")
    till.status(".send_payment_cancel").click()
    till.until("cancelling")
    till.page.wait_for_timeout(1500)
    screenshot(till.page, "pos-press-red-fr")
    terminal.call("terminals/1/press", button="green")
    till.receipt()
    assert till.until("approved")
    assert len(terminal.state()["debits"]) == 1


def test_unplugged(till, terminal, screenshot):
    """A terminal that is off is found in seconds; nothing was sent."""
    terminal.call("terminals/1/unplug")
    till.sell()
    till.pay(METHOD)
    till.page.locator(".modal-dialog").wait_for()
    screenshot(till.page, "pos-unplugged-fr")
    assert till.until("failed")
    terminal.call("terminals/1/plug")


def test_lost_link_found_by_inquiry(till, terminal):
    """Paid, then the link is lost: the till says that nobody knows, asks, and finds the payment."""
    terminal.script("paid_then_lost", delay=0)
    till.sell()
    till.pay(METHOD)
    till.receipt()  # the conversation asks by itself after ten seconds
    assert till.until("approved")
    assert len(terminal.state()["debits"]) == 1


def test_two_orders(till, terminal):
    """The answer comes while another order is on the screen: it lands on the first."""
    terminal.script("wait_customer")
    till.sell()
    till.pay(METHOD)
    operation = till.until("pending")
    till.page.evaluate(
        """() => {
            const pos = odoo.__WOWL_DEBUG__.root.env.services.pos;
            pos.addNewOrder ? pos.addNewOrder() : pos.add_new_order();
            pos.navigate ? pos.navigate("ProductScreen", { orderUuid: pos.getOrder().uuid })
                         : pos.showScreen("ProductScreen");
        }"""
    )
    till.page.locator(".product-screen").wait_for()
    terminal.call("terminals/1/press", button="green")
    till.until("approved")
    till.page.wait_for_timeout(1500)
    first, second = till.page.evaluate(
        """key => {
            const pos = odoo.__WOWL_DEBUG__.root.env.services.pos;
            const line = pos.servipay.lineOf(key);
            const order = pos.getOrder ? pos.getOrder() : pos.get_order();
            return [line.payment_status, (order.payment_ids || order.paymentlines).length];
        }""",
        operation["idempotency_key"],
    )
    assert (first, second) == ("done", 0)
    assert till.page.locator(".product-screen").is_visible()


def test_check(till, terminal, screenshot):
    """A check: the terminal reads it, and the till shows its line and the guarantee."""
    till.sell()
    till.pay("Chèque (Caisse-AP)")
    till.receipt()
    operation = till.until("approved")
    [known] = till.admin.call("servipay.operation", "read", [operation["id"]], ["cheque_cmc7"])
    assert known["cheque_cmc7"]
    notice = till.page.locator(".o_notification", has_text="CMC7")
    notice.wait_for()
    assert known["cheque_cmc7"] in notice.inner_text()
    screenshot(till.page, "pos-check-fr")
