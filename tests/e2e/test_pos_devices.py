"""More than one till: a shared terminal, a device that takes over, a closed tab; and one at rest."""

import re

import pytest
from chromium import close
from pos import Till

MOVING = re.compile("mouvement|moving")


@pytest.fixture
def device(browser, suite, login):
    """A function that returns a page on another device, logged in as somebody."""
    opened = []

    def another(name):
        surroundings = browser.new_context(base_url=suite.url, viewport={"width": 1366, "height": 900})
        surroundings.set_default_timeout(30_000)
        opened.append(surroundings)
        page = surroundings.new_page()
        login(page, name)
        return page

    yield another
    for surroundings in opened:
        close(surroundings)


@pytest.fixture(scope="session")
def terrace(suite):
    """The name of a second point of sale with the same payment method, so with the same terminal."""
    admin = suite.user("admin")
    # two methods: of a single one core adds the line by itself
    methods = admin.call("pos.payment.method", "search", [("name", "like", "Carte (")])
    admin.call("pos.config", "create", {"name": "Terrasse", "payment_method_ids": [(6, 0, methods)]})
    return "Terrasse"


def test_two_tills_one_terminal(till, device, suite, terrace, screenshot):
    """The second till hears who is being paid, how much and since when; nothing is sent for it."""
    other = Till(device("manager"), suite, terrace).open()
    other.sell("Café")
    till.simulator("script", outcome="approved", delay=60)
    till.sell()
    till.pay()
    holder = till.until("pending")
    other.pay()
    dialog = other.page.locator(".modal-dialog", has_text="Comptoir")
    dialog.wait_for()
    assert "18,50" in dialog.inner_text()
    assert "Camille Petit" in dialog.inner_text()
    screenshot(other.page, "pos-busy-fr")
    assert other.until("failed")
    other.page.locator(".modal-footer button").first.click()
    other.page.locator(".send_payment_request").first.wait_for()
    assert till.newest()["name"] == holder["name"]
    till.status(".send_payment_cancel").click()
    till.until("cancelled")
    assert not till.charges()


def test_another_device_takes_over(till, device, suite, screenshot):
    """A tablet dies while its customer pays: the next one shows the payment, and what became of it."""
    till.simulator("script", outcome="approved", delay=12)
    till.sell()
    till.pay()
    operation = till.until("pending")
    till.page.close()
    other = Till(device("cashier"), suite).open()
    row = other.page.locator(".servipay_orphan", has_text=operation["name"])
    row.wait_for()
    assert "18,50" in row.inner_text()
    other.page.wait_for_timeout(600)
    screenshot(other.page, "pos-taken-over-fr")
    other.until("approved")
    row.locator(".servipay_status").wait_for(state="detached")
    assert operation["name"] in row.inner_text()
    assert len(other.charges()) == 1


def test_closed_tab(till, suite):
    """The tab is closed and opened again: the order is still there, and the answer lands on its line."""
    till.simulator("script", outcome="approved", delay=8)
    till.sell("Café")
    till.pay()
    key = till.until("pending")["idempotency_key"]
    surroundings = till.page.context
    till.page.close()
    again = Till(surroundings.new_page(), suite).open()
    again.until("approved")
    suite.wait_until(lambda: again.line(key) == ["done", 2.0], what="the payment on its line")
    assert len(again.charges()) == 1


def test_neither_line_nor_order_can_be_removed(till):
    """While money may be moving, nothing takes the line away, not even the deletion of its order."""
    till.simulator("script", outcome="approved", delay=40)
    till.sell()
    till.pay()
    key = till.until("pending")["idempotency_key"]
    till.orders()
    row = till.page.locator(".ticket-screen .order-row", has_text="18,50").last
    delete = "button.text-danger" if till.suite.context.series == "19.0" else "[name=delete]"
    row.locator(delete).first.click()
    warning = till.page.locator(".modal-dialog", has_text="terminal")
    confirm = till.page.locator(".modal-footer .btn-primary, .popup .button.confirm").first
    confirm.wait_for()
    if not warning.locator(".modal-body", has_text=MOVING).count():
        confirm.click()  # core asks first whether the order is to be deleted
    till.page.locator(".modal-dialog", has_text=MOVING).wait_for()
    assert till.line(key) == ["waitingCard", 18.5]
    till.page.locator(".modal-footer button").first.click()
    till.simulator("finish", operation_id=operation_id(till, key), outcome="declined")
    till.until("declined")


def operation_id(till, key):
    """Return what the provider calls an operation."""
    domain = [("idempotency_key", "=", key)]
    return till.admin.call("servipay.operation", "search_read", domain, ["external_ref"])[0]["external_ref"]


def test_idle_till_asks_nothing(till):
    """A till at rest does not call the server for our sake."""
    asked = []
    till.page.on("request", lambda request: asked.append((request.url, request.post_data or "")))
    till.page.wait_for_timeout(15_000)
    assert not [url for url, body in asked if "servipay" in url or "servipay" in body]
