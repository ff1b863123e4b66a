"""Money that goes back: refunds from the refund screen, and a payment voided before its order is recorded."""


def test_refund(till):
    """The original payment is found on the server; the money goes back to the card that paid."""
    till.sell()
    till.pay()
    till.receipt()
    paid = till.until("approved")
    till.recorded(paid, 18.5)
    till.next_order()
    till.refund("18,50")
    refund = till.until("approved", kind="refund")
    read = ["original_id", "amount"]
    [known] = till.admin.call("servipay.operation", "read", [refund["id"]], read)
    assert (known["original_id"][0], known["amount"]) == (paid["id"], 18.5)
    assert sorted(charge["kind"] for charge in till.charges()) == ["purchase", "refund"]


def test_void(till, screenshot):
    """Reverse takes the whole payment back at the provider; the line counts for nothing."""
    profiles = till.admin.call("servipay.api.profile", "search", [])
    till.admin.call("servipay.api.profile", "write", profiles, {"partial_approval": True})
    till.simulator("script", outcome="partial", amount=1000)  # so that the order is not validated at once
    till.sell()
    till.pay()
    till.page.locator(".modal-footer button").first.click()
    key = till.until("approved")["idempotency_key"]
    assert till.line(key) == ["done", 10]
    reverse = till.page.locator(".send_payment_reversal").first
    reverse.wait_for()
    screenshot(till.page, "pos-void-fr")
    reverse.click()
    till.until("reversed", kind="purchase")
    till.suite.wait_until(lambda: till.line(key) == ["reversed", 0], what="the reversed line")
    assert sorted(charge["kind"] for charge in till.charges()) == ["purchase", "void"]
    assert till.newest(kind="void")["amount"] == 10
    assert "18,50" in till.page.locator(".payment-screen").inner_text()
