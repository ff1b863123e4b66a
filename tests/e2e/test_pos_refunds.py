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
    till.refunded(refund)
    read = ["original_id", "amount"]
    [known] = till.admin.call("servipay.operation", "read", [refund["id"]], read)
    assert (known["original_id"][0], known["amount"]) == (paid["id"], 18.5)
    assert sorted(charge["kind"] for charge in till.charges()) == ["purchase", "refund"]


def test_void(till, screenshot):
    """Reverse takes the whole payment back at the provider; the line counts for nothing."""
    till.takes_parts(True)
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


def test_cashier_chooses_the_card_that_gets_it_back(till, screenshot):
    """Two cards have paid, what goes back is the rest of neither: the cashier is asked, and obeyed."""
    profiles = till.admin.call("servipay.api.profile", "search", [])
    till.admin.call("servipay.api.profile", "write", profiles, {"partial_approval": True})
    till.simulator("script", outcome="partial", amount=1000)
    till.page.locator("article.product .product-name", has_text="Café").first.click()
    till.sell()
    till.pay()
    till.page.locator(".modal-footer button").first.click()
    till.until("approved")
    till.forget()
    till.pay()
    till.receipt()
    second = till.until("approved")
    till.recorded(second, 10.5)
    till.next_order()
    till.refund("20,50")  # the coffee of it
    choices = till.page.locator(".servipay_choice")
    choices.nth(1).wait_for()
    screenshot(till.page, "pos-refund-choice-fr")
    assert ["10,00" in choices.nth(0).inner_text(), "10,50" in choices.nth(1).inner_text()] == [True, True]
    choices.nth(1).click()
    refund = till.until("approved", kind="refund")
    till.refunded(refund)
    [known] = till.admin.call("servipay.operation", "read", [refund["id"]], ["original_id", "amount"])
    assert (known["original_id"][0], known["amount"]) == (second["id"], 2)
