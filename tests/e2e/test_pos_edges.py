"""The edges of a till: what the terminal took, and the order that it was taken for, stay together."""

import re

import pytest
from chromium import close
from pos import PAID, POS, Till
from test_pos_viva import METHOD as VIVA
from test_pos_viva import TERMINAL, methods, viva  # noqa: F401  (fixtures)

CAKE = 18.5


def evaluate(till, body, argument=None):
    """Run a piece of JavaScript with `pos`, the store, and `argument`, in the till."""
    return till.page.evaluate(f"argument => {{ const pos = {POS}; {body} }}", argument)


def order_facts(till, operation):
    """Return what the server has of the order that an operation has paid: totals, tip, payments."""
    domain = [("servipay_operation_id", "=", operation["id"])]

    def read():
        found = till.admin.call("pos.payment", "search_read", domain, ["pos_order_id"])
        return found and found[0]["pos_order_id"][0]

    order = till.suite.wait_until(read, what="the order")
    names = ["amount_total", "amount_paid", "amount_return", "is_tipped", "tip_amount", "state"]
    till.suite.wait_until(
        lambda: till.admin.call("pos.order", "read", [order], ["state"])[0]["state"] != "draft",
        what="the recorded order",
    )
    [facts] = till.admin.call("pos.order", "read", [order], names)
    payments = till.admin.call("pos.payment", "search_read", [("pos_order_id", "=", order)], ["amount"])
    return facts, [payment["amount"] for payment in payments]


def total(till):
    """Return what the current order asks for."""
    return evaluate(
        till,
        "const order = (pos.getOrder || pos.get_order).call(pos);"
        "return 'totalDue' in order ? order.totalDue : order.get_total_with_tax();",
    )


def back_to_products(till):
    """Leave the payment screen."""
    evaluate(
        till,
        "pos.navigate ? pos.navigate('ProductScreen', {orderUuid: pos.getOrder().uuid})"
        " : pos.showScreen('ProductScreen')",
    )
    till.page.locator(".product-screen").wait_for()


@pytest.fixture
def slowly(suite):
    """The PayperCloud method waits for “Send”, so that an amount can be typed."""
    admin = suite.user("admin")
    domain = [("use_payment_terminal", "=", "paypercloud")]
    found = admin.call("pos.payment.method", "search", domain)
    admin.call("pos.payment.method", "write", found, {"servipay_fast_payment": False})
    yield
    admin.call("pos.payment.method", "write", found, {"servipay_fast_payment": True})


# ---------------------------------------------------------------- news and silence


def test_the_bus_tells_a_key_and_a_revision(till):
    """What anybody may listen to says nothing; the till reads the rest, once for several news."""
    reads = []
    till.page.on(
        "request", lambda request: reads.append(request) if "servipay_state" in request.url else None
    )
    evaluate(
        till,
        """const {listen, notifications} = odoo.loader.modules.get("@paypercloud_servipay_pos/compat/compat");
        window.told = [];
        const own = pos.models ? () => {} : notifications.SERVIPAY_OPERATION;  // 17.0 has one listener
        listen(pos, "SERVIPAY_OPERATION", (payload) => { window.told.push(payload); own(payload); });""",
    )
    till.simulator("script", outcome="approved", delay=4)
    till.sell()
    till.pay()
    till.receipt()
    told = till.page.evaluate("window.told")
    assert told
    assert {name for payload in told for name in payload} == {"key", "revision"}
    assert len(reads) < 12


def test_a_call_without_an_answer_stops_nothing(till):
    """One question falls into a black hole and the bus is silent: the till asks again."""
    swallowed = []

    def swallow(route):
        if swallowed:
            route.continue_()
        else:
            swallowed.append(route)

    till.simulator("script", outcome="approved", delay=5)
    till.sell()
    evaluate(till, "pos.env.services.bus_service.stop()")
    till.page.route("**/servipay_state", swallow)
    till.pay()
    till.page.locator(PAID).first.wait_for(timeout=60_000)
    assert swallowed
    assert len(till.charges()) == 1


# ---------------------------------------------------------------- no order


def test_lost_orders_are_told_at_once_in_one_dialog(browser, suite, login, till, screenshot):
    """Two tablets die at their payments: whoever opens the till next reads of both, in one dialog."""
    operations = []
    for product in ("Tarte aux pommes", "Café"):
        surroundings = browser.new_context(base_url=suite.url, viewport={"width": 1366, "height": 768})
        page = surroundings.new_page()
        login(page, "cashier")
        lost = Till(page, suite).open(orphans=True)
        orphans = lost.page.locator(".servipay_orphan")
        lost.page.wait_for_timeout(1500)
        if orphans.count():
            lost.page.locator(".modal-footer .btn-primary").first.click()
        lost.forget()
        lost.simulator("script", outcome="approved", delay=3)
        lost.sell(product)
        lost.pay()
        lost.until("pending")
        close(surroundings)
        operations.append(lost.until("approved"))
    surroundings = browser.new_context(base_url=suite.url, viewport={"width": 1366, "height": 768})
    page = surroundings.new_page()
    login(page, "cashier")
    again = Till(page, suite).open(orphans=True)
    rows = page.locator(".modal-dialog:visible .servipay_orphan")
    rows.nth(1).wait_for(timeout=20_000)
    assert page.locator(".modal-dialog:visible").count() == 1
    for operation in operations:
        text = rows.filter(has_text=operation["name"]).inner_text()
        assert operation["pos_order_name"] in text
        assert "••••" in text
    screenshot(page, "pos-no-order-fr")
    # the way out: the money goes back
    rows.filter(has_text=operations[0]["name"]).locator(".servipay_reverse").click()
    domain = [("id", "=", operations[0]["id"]), ("state", "=", "reversed")]
    suite.wait_until(
        lambda: again.admin.call("servipay.operation", "search_count", domain), what="the reversal"
    )
    close(surroundings)


# ---------------------------------------------------------------- tips


@pytest.mark.parametrize("product", ["the shop's", "Odoo's"])
def test_tip_on_the_terminal_is_sold(page, suite, login, viva, product, screenshot):  # noqa: F811
    """What the customer adds is a tip of the order, whoever's product it is; no cash is given back."""
    admin = suite.user("admin")
    config = admin.call("pos.config", "search", [("name", "=", "Comptoir")])
    usual = admin.call("pos.config", "read", config, ["servipay_tip_product_id"])[0][
        "servipay_tip_product_id"
    ]
    values = {"iface_tipproduct": True, "tip_product_id": usual[0]}
    if product == "Odoo's":
        values = {"iface_tipproduct": False, "tip_product_id": False}
    suite.sql(
        f"UPDATE pos_config SET iface_tipproduct = {values['iface_tipproduct']}, "
        f"tip_product_id = {values['tip_product_id'] or 'NULL'} WHERE id = {config[0]} RETURNING id"
    )
    login(page, "cashier")
    till = Till(page, suite).open()
    till.forget()
    viva.script("approved", delay=1, tip=150)
    till.sell()
    till.pay(VIVA)
    till.receipt()
    screenshot(page, "pos-tip-fr")
    operation = till.until("approved")
    facts, payments = order_facts(till, operation)
    assert (facts["amount_total"], facts["amount_paid"], payments) == (20.0, 20.0, [20.0])
    assert (facts["is_tipped"], facts["tip_amount"], facts["amount_return"]) == (True, 1.5, 0)


# ---------------------------------------------------------------- the order stands still


def test_order_stands_still_while_the_card_runs(till, viva, screenshot):  # noqa: F811
    """Nothing of what is being paid can be changed, by no button; it says why."""
    viva.script("wait")
    till.sell()
    till.pay(VIVA)
    till.until("pending")
    back_to_products(till)
    till.page.locator("article.product .product-name", has_text="Café").first.click()
    till.page.locator(".modal-dialog").wait_for()
    screenshot(till.page, "pos-stands-still-fr")
    till.page.locator(".modal-footer button").first.click()
    evaluate(
        till,
        """const order = (pos.getOrder || pos.get_order).call(pos);
        const line = [...(order.lines || order.orderlines)][0];
        const call = (object, ...names) => object[names.find((name) => object[name])].bind(object);
        call(line, "setQuantity", "set_quantity")(3);
        call(line, "setUnitPrice", "set_unit_price")(1);
        call(line, "setDiscount", "set_discount")(50);
        order.removeOrderline(line);""",
    )
    assert total(till) == CAKE
    till.page.locator(".modal-footer button").first.click()
    viva.call("present", terminal=TERMINAL)
    operation = till.until("approved")
    till.suite.wait_until(
        lambda: (till.line(operation["idempotency_key"]) or ["done"])[0] == "done", what="the paid line"
    )
    assert len(viva.charges) == 1


def test_paid_order_is_not_thrown_away(till, screenshot):
    """A part is paid by card: neither the order nor its line can go before the payment is reversed."""
    till.takes_parts(True)
    till.simulator("script", outcome="partial", amount=1000)
    till.sell()
    till.pay()
    till.page.locator(".modal-footer button").first.click()
    operation = till.until("approved")
    key = operation["idempotency_key"]
    till.suite.wait_until(lambda: till.line(key) == ["done", 10], what="the paid line")
    evaluate(
        till,
        """const order = (pos.getOrder || pos.get_order).call(pos);
        pos.onDeleteOrder ? pos.onDeleteOrder(order) : null;""",
    )
    if till.suite.context.series == "17.0":  # core itself offers no way to throw it away
        till.orders()
        assert not till.page.locator(".ticket-screen .order-row [name=delete]").count()
        return
    first = till.page.locator(".modal-footer .btn-primary, .popup .button.confirm").first
    first.wait_for()
    if not till.page.locator(".modal-dialog", has_text="reverse the payment").count():
        first.click()  # core asks first whether the order is to be deleted
    dialog = till.page.locator(".modal-dialog", has_text="10,00")
    dialog.wait_for()
    screenshot(till.page, "pos-paid-order-fr")
    assert till.line(key) == ["done", 10]
    dialog.locator(".modal-footer .btn-secondary").click()  # reverse
    till.until("reversed", kind="purchase")
    till.suite.wait_until(lambda: till.line(key) == ["reversed", 0], what="the reversed line")


def test_overpaid_order_is_not_validated_by_itself(till, viva, screenshot):  # noqa: F811
    """The order was changed all the same (as another device may): nobody gives change unawares."""
    viva.script("wait")
    till.sell()
    till.pay(VIVA)
    till.until("pending")
    evaluate(
        till,
        """const order = (pos.getOrder || pos.get_order).call(pos);
        const line = [...(order.lines || order.orderlines)][0];
        const change = () => (line.setUnitPrice || line.set_unit_price).call(line, 10);
        return pos.servipay.unlocked(order, change);""",
    )
    assert total(till) == 10
    viva.call("present", terminal=TERMINAL)
    operation = till.until("approved")
    dialog = till.page.locator(".modal-dialog", has_text="8,50")
    if till.suite.context.series != "19.0":  # 19.0 would validate it by itself
        till.suite.wait_until(
            lambda: till.line(operation["idempotency_key"]) == ["done", CAKE], what="the paid line"
        )
        till.page.locator(".payment-screen .validation-button, .payment-screen .button.next").first.click()
    dialog.wait_for()
    screenshot(till.page, "pos-overpaid-fr")
    dialog.locator(".modal-footer .btn-primary").click()
    till.page.wait_for_timeout(1500)
    assert not till.page.locator(PAID).count()
    assert till.line(operation["idempotency_key"]) == ["done", CAKE]
    # what is missing may be put on it
    back_to_products(till)
    till.page.locator("article.product .product-name", has_text="Café").first.click()
    till.suite.wait_until(lambda: total(till) == 12, what="the added product")


# ---------------------------------------------------------------- refunds


def test_refund_is_saved_first_and_knows_its_direction(slowly, till):
    """An amount without a minus charges nobody in an order that gives money back; that order is saved."""
    if till.suite.context.series == "18.0":
        pytest.skip("18.0 sends a refund at once: no other amount can be typed")
    till.sell()
    till.pay()
    if till.suite.context.series != "17.0":  # there it is pressed already
        till.page.locator(".send_payment_request").first.click()
    till.receipt()
    till.recorded(till.until("approved"), CAKE)
    till.next_order()
    started = []
    till.page.on(
        "request", lambda request: started.append(request) if request.url.endswith("pos/start") else None
    )
    to_refund(till)
    till.page.locator(".paymentmethods .paymentmethod", has_text="Carte (PayperCloud)").first.click()
    evaluate(
        till,
        """const order = (pos.getOrder || pos.get_order).call(pos);
        const line = [...(order.payment_ids || order.paymentlines)][0];
        (line.setAmount || line.set_amount).call(line, 10);""",
    )
    send(till)
    dialog = till.page.locator(".modal-dialog", has_text="-10,00")
    dialog.wait_for()
    dialog.locator(".modal-footer button").first.click()
    assert not started
    evaluate(
        till,
        """const order = (pos.getOrder || pos.get_order).call(pos);
        const line = [...(order.payment_ids || order.paymentlines)][0];
        (line.setAmount || line.set_amount).call(line, -18.5);""",
    )
    send(till)
    till.refunded(till.until("approved", kind="refund"))
    order = started[0].post_data_json["params"]["order"]
    assert till.admin.call("pos.order", "read", [order["id"]], ["amount_total"])[0]["amount_total"] == -CAKE
    assert sorted(charge["kind"] for charge in till.charges()) == ["purchase", "refund"]


def to_refund(till):
    """Open the payment of an order that gives the newest cake back."""
    till.orders(paid=True)
    screen = till.page.locator(".ticket-screen")
    screen.locator(".order-row", has_text="18,50").first.click()
    screen.locator(".orderline").first.click()
    screen.locator(".numpad button", has_text=re.compile(r"^\s*1\s*$")).first.click()
    screen.locator(".pay-order-button").first.click()
    till.page.locator(".payment-screen, .product-screen").first.wait_for()
    if till.page.locator(".product-screen").is_visible():
        till.page.locator(".product-screen .pay-order-button:visible").first.click()
    till.page.locator(".payment-screen .paymentmethods").wait_for()


def send(till):
    """Press the button that sends a refund."""
    till.page.locator(".send_refund_request:visible, .send_payment_request:visible").first.click()


# ---------------------------------------------------------------- words


def test_the_reason_stays_on_the_line(till, screenshot):
    """Not “Transaction cancelled” for whatever it was."""
    till.simulator("script", outcome="declined", delay=0)
    till.sell()
    till.pay()
    dialog = till.page.locator(".modal-dialog")
    dialog.wait_for()
    text = dialog.locator(".modal-body").inner_text()
    dialog.locator(".modal-footer button").first.click()
    reason = till.page.locator(".servipay_reason")
    assert reason.inner_text() == text
    screenshot(till.page, "pos-reason-fr")


def test_small_screen_keeps_clock_and_button(till, viva, screenshot):  # noqa: F811
    """On 1024 by 768 the clock, the amount and the button stay on the screen."""
    till.page.set_viewport_size({"width": 1024, "height": 768})
    viva.script("wait")
    till.sell()
    till.pay(VIVA)
    till.until("pending")
    button = till.status(".send_payment_cancel")
    screenshot(till.page, "pos-small-fr")
    for box in (
        button.bounding_box(),
        till.page.locator(".paymentline .payment-amount").first.bounding_box(),
    ):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 1024
    button.click()
    till.until("cancelled")


def test_asking_in_vain_says_so(till):
    """“Ask the terminal” without news says when it was asked."""
    till.simulator("fault", endpoint="purchase", fault="close_after", times=1)
    till.simulator("fault", endpoint="*", fault="http_500", times=20)
    till.sell()
    till.pay()
    till.status(".servipay_unknown")
    till.status(".servipay_ask").click()
    till.page.locator(".servipay_asked").wait_for()
