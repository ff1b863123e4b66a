"""The cashier's way with the PayperCloud terminal, in a real browser against a real server.

The cashier works in French, the manager too: what is looked for on the screen is found by its class or by a
number.
"""

import pytest
from pos import POS, Till

CAKE, COFFEE = ("Tarte aux pommes", 18.5), ("Café", 2.0)


def test_paid(till, screenshot):
    """The amount goes to the terminal, the answer comes by itself, the order carries its operation."""
    till.simulator("script", outcome="approved", delay=3)
    till.sell()
    till.pay()
    till.status()
    till.page.wait_for_timeout(1500)
    screenshot(till.page, "pos-waiting-fr")
    till.receipt()
    screenshot(till.page, "pos-receipt-fr")
    till.recorded(till.until("approved"), CAKE[1])


def test_declined_then_paid(till, screenshot):
    """A refusal says why; the second attempt is a new operation and pays the same line."""
    till.simulator("script", outcome="declined", code="51")
    till.sell()
    till.pay()
    till.page.locator(".modal-dialog").wait_for()
    screenshot(till.page, "pos-declined-fr")
    till.dialog("(51)")
    assert till.newest("declined")
    till.page.locator(".send_payment_request").first.click()
    till.receipt()
    till.recorded(till.until("approved"), CAKE[1])


def test_cancelled(till):
    """The till's wish reaches the terminal; the line can be removed once the terminal has confirmed."""
    till.simulator("script", outcome="approved", delay=50)
    till.sell()
    till.pay()
    till.suite.wait_until(lambda: till.newest("pending"), what="the terminal at work")
    till.status(".send_payment_cancel").click()
    till.page.locator(".send_payment_request").first.wait_for()
    assert till.newest("cancelled")


def test_cancelled_while_the_customer_pays(till, screenshot):
    """The cancellation comes too late: the line ends paid, and money moved once."""
    till.sell("Café")
    till.simulator("script", outcome="approved", delay=4, cancel="lose")
    till.pay()
    till.suite.wait_until(lambda: till.newest("pending"), what="the terminal at work")
    till.status(".send_payment_cancel").click()
    till.receipt()
    till.recorded(till.until("approved"), COFFEE[1])
    assert len(till.charges()) == 1


def test_reload_in_the_middle(till):
    """A reload loses nothing: the answer finds its line, and nothing is sent again."""
    till.simulator("script", outcome="approved", delay=6)
    till.sell("Café")
    till.pay()
    till.status()
    till.until("pending")
    before = len(till.operations())
    till.page.reload()
    till.ready()
    operation = till.until("approved")
    till.page.wait_for_timeout(3000)
    assert len(till.operations()) == before
    assert till.line(operation["idempotency_key"]) == ["done", COFFEE[1]]


def test_partial_approval(till, screenshot):
    """The line is set to what was paid; the rest stays due."""
    till.takes_parts(True)
    till.simulator("script", outcome="partial", amount=1000)
    till.sell()
    till.pay()
    till.page.locator(".modal-dialog").wait_for()
    screenshot(till.page, "pos-partial-fr")
    till.page.locator(".modal-footer button").first.click()
    operation = till.until("approved")
    assert operation["approved_amount"] == 10
    assert "8,50" in till.page.locator(".payment-screen").inner_text()


def test_unknown_found_by_inquiry(till, screenshot):
    """The answer is lost after the charge: never a plain retry; asking finds it."""
    till.simulator("fault", endpoint="purchase", fault="close_after", times=1)
    till.sell()
    till.pay()
    till.status(".servipay_unknown")
    assert not till.page.locator(".send_payment_request:visible").count()
    screenshot(till.page, "pos-unknown-fr")
    ask = "document.querySelector('.servipay_ask:not([disabled])')?.click()"
    till.suite.wait_until(lambda: till.page.evaluate(ask) or till.newest("approved"), what="the approval")
    till.receipt()
    till.recorded(till.until("approved"), CAKE[1])


def test_unknown_settled_by_a_manager(page, suite, login, screenshot):
    """A manager decides, with a reason; a line whose outcome is unknown cannot be removed meanwhile."""
    login(page, "manager")
    till = Till(page, suite).open()
    till.simulator("reset")
    till.simulator("fault", endpoint="purchase", fault="close_before", times=1)
    till.sell()
    till.pay()
    till.status(".servipay_unknown")
    key = till.until("unknown")["idempotency_key"]
    assert not page.locator(".delete-button:visible").count()
    assert till.line(key)[0] == "waitingCard"
    page.locator(".servipay_not_paid").click()
    page.locator("#servipay_reason").fill("Le journal du terminal ne montre rien")
    screenshot(page, "pos-resolve-fr")
    page.locator(".modal-footer .btn-primary").click()
    page.locator(".send_payment_request").first.wait_for()
    assert till.newest("failed")


def test_manager_says_how_much_was_paid(page, suite, login, screenshot):
    """What the terminal answered is proposed; what the manager types is paid, and the rest stays due."""
    login(page, "manager")
    till = Till(page, suite).open()
    till.simulator("reset")
    profiles = till.admin.call("servipay.api.profile", "search", [])
    till.admin.call("servipay.api.profile", "write", profiles, {"partial_approval": False})
    page.locator("article.product .product-name", has_text=CAKE[0]).first.click()
    page.evaluate(
        f"""() => {{
            const order = ({POS}.getOrder || {POS}.get_order).call({POS});
            const line = [...(order.lines || order.orderlines)].at(-1);
            (line.setUnitPrice || line.set_unit_price).call(line, 900.05);
        }}"""
    )
    page.locator(".product-screen .pay-order-button:visible").first.click()
    till.pay()
    till.status(".servipay_unknown")
    page.locator(".servipay_paid").click()
    amount, confirm = page.locator("#servipay_amount"), page.locator(".modal-footer .btn-primary")
    disabled = page.locator(".modal-footer .btn-primary[disabled]")
    assert amount.input_value() == "450,02"
    page.locator("#servipay_reason").fill("Le ticket du client dit 400,50")
    for unclear in ("", "1,450.02", "1,450", "-5", "tout"):
        amount.fill(unclear)
        disabled.wait_for()
        amount.fill("400,50")
        disabled.wait_for(state="detached")
    screenshot(page, "pos-how-much-fr")
    confirm.click()
    operation = till.until("approved")
    assert operation["approved_amount"] == 400.5
    till.dialog("400,50")
    assert till.line(operation["idempotency_key"]) == ["done", 400.5]
    assert "499,55" in page.locator(".payment-screen").inner_text()


@pytest.fixture(params=["en", "fr"])
def spoken(request, speaks, page, suite, login):
    """(language, till of a cashier who works in it), a till that nobody else uses."""
    admin, name = suite.user("admin"), f"Kiosque {request.param}"
    # two methods: of a single one core adds the line by itself
    methods = admin.call("pos.payment.method", "search", [("name", "like", "Carte (")])
    admin.call("pos.config", "create", {"name": name, "payment_method_ids": [(6, 0, methods)]})
    speaks("cashier", request.param)
    login(page, "cashier")
    till = Till(page, suite, name).open()
    till.simulator("reset")
    yield request.param, till
    till.simulator("reset")


def test_unsettled_at_closing(spoken, screenshot):
    """The closing screen sets operations against payments, and warns while an outcome is open."""
    language, till = spoken
    till.simulator("script", outcome="approved", delay=3)
    till.sell()
    till.pay()
    till.status()
    till.page.wait_for_timeout(1500)
    screenshot(till.page, f"pos-waiting-{language}")
    till.receipt()
    till.recorded(till.until("approved"), CAKE[1])
    till.next_order()
    till.simulator("fault", endpoint="purchase", fault="close_after", times=1)
    till.sell()
    till.pay()
    till.status(".servipay_unknown")
    screenshot(till.page, f"pos-unknown-{language}")
    closing = till.closing()
    closing.locator(".alert-warning").wait_for()
    row = closing.locator("tr", has_text="PayperCloud").first.inner_text().split("\t")
    assert row[2] == row[3] and row[4].startswith("0")
    till.page.wait_for_timeout(600)
    screenshot(till.page, f"pos-closing-{language}")
    till.page.keyboard.press("Escape")
    ask = "document.querySelector('.servipay_ask:not([disabled])')?.click()"
    till.suite.wait_until(lambda: till.page.evaluate(ask) or till.newest("approved"), what="the approval")
