"""The cashier's way with a Caisse-AP terminal over TCP, which no message can stop."""

import pytest

from tools import shopfloor

METHOD = "Carte (Caisse-AP)"


class Terminal(shopfloor.Hall):
    """The simulator's first terminal, and a person at it."""

    def script(self, name, **options):
        """What becomes of the next payment."""
        self.call("terminals/1/script", name=name, **options)

    @property
    def books(self):
        """What the terminal has in its books."""
        return self.terminal(1)


@pytest.fixture
def terminal(suite):
    """The terminal, plugged in, its books empty."""
    found = Terminal(suite.simulator(shopfloor.ADDON))
    found.call("reset")
    yield found
    found.call("reset")


def test_paid(till, terminal):
    """One debit at the terminal, one payment in the order."""
    terminal.script("paid", delay=1)
    till.sell()
    till.pay(METHOD)
    till.receipt()
    assert till.until("approved")["amount"] == 18.5
    assert len(terminal.books["debits"]) == 1


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
    assert not terminal.books["debits"]


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
    assert len(terminal.books["debits"]) == 1


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
    """Paid, then the link is lost: the till says that nobody knows, is told to ask, and finds the payment."""
    terminal.script("paid_then_lost", delay=0)
    till.sell()
    till.pay(METHOD)
    # by itself Odoo asks when no customer can stand at the terminal any more: a question may print a slip
    till.status(".servipay_ask").click()
    till.receipt()
    assert till.until("approved")
    assert len(terminal.books["debits"]) == 1


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
