"""Money that goes back: refunds from the refund screen, and a payment voided before its order is recorded."""

import pytest
from pos import POS, Till


@pytest.fixture
def till(page, suite, login):
    """A till of the cashier, open."""
    login(page, "cashier")
    opened = Till(page, suite).open()
    opened.simulator("reset")
    yield opened
    opened.simulator("reset")


def test_refund(till, screenshot):
    """The original payment is found on the server; the money goes back to the card that paid."""
    till.sell()
    till.pay()
    till.receipt()
    paid = till.until("approved")
    till.recorded(paid, 18.5)
    till.next_order()
    till.refund("18,50")
    refund = till.until("approved", kind="refund")
    screenshot(till.page, "pos-refund-fr")
    read = ["original_id", "amount"]
    [known] = till.admin.call("servipay.operation", "read", [refund["id"]], read)
    assert (known["original_id"][0], known["amount"]) == (paid["id"], 18.5)
    assert sorted(charge["kind"] for charge in till.charges()) == ["purchase", "refund"]


def test_void(till, screenshot):
    """Reverse takes the whole payment back at the provider; the line counts for nothing."""
    configs = [till.config_id]
    till.admin.call("pos.config", "write", configs, {"auto_validate_terminal_payment": False})
    try:
        till.page.reload()
        till.ready()
        till.sell("Café")
        till.pay()
        paid = till.until("approved")
        till.page.locator(".send_payment_reversal").first.wait_for()
        screenshot(till.page, "pos-void-fr")
        till.page.locator(".send_payment_reversal").first.click()
        till.until("reversed", kind="purchase")
        key = paid["idempotency_key"]
        till.suite.wait_until(lambda: till.line(key) == ["reversed", 0], what="the reversed line")
        assert sorted(charge["kind"] for charge in till.charges()) == ["purchase", "void"]
        due = till.page.evaluate(
            f"""() => {{
                const pos = {POS};
                const order = pos.getOrder ? pos.getOrder() : pos.get_order();
                return order.remainingDue ?? order.getDue?.() ?? order.get_due();
            }}"""
        )
        assert due == pytest.approx(2.0)
    finally:
        till.admin.call("pos.config", "write", configs, {"auto_validate_terminal_payment": True})
