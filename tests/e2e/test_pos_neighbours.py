"""A till beside Odoo's restaurant and its employees: tables, and managers who prove themselves by a PIN."""

import pytest
from chromium import close
from pos import POS, Till
from test_pos_viva import METHOD, TERMINAL, Viva

CAKE, PIN = 18.5, "4711"


@pytest.fixture
def beside(neighbours, browser):
    """A function (values, login) that opens a new point of sale, as far as its first screen."""
    admin, opened = neighbours.user("admin"), []

    def open_till(values, login):
        methods = admin.call("pos.payment.method", "search", [("name", "like", "Carte (")])
        admin.call("pos.config", "create", {**values, "payment_method_ids": [(6, 0, methods)]})
        opened.append(browser.new_context(base_url=neighbours.url, viewport={"width": 1366, "height": 768}))
        cookie = {"name": "session_id", "value": neighbours.user(login).session_cookie, "url": neighbours.url}
        opened[-1].add_cookies([cookie])
        till = Till(opened[-1].new_page(), neighbours, values["name"])
        till.ready = lambda: till.page.locator(".floor-screen, .screen-login").first.wait_for(timeout=60_000)
        return till.open()

    yield open_till
    for surroundings in opened:
        close(surroundings)


def sit(till, table, product):
    """Sell a product at a table, from the room."""
    till.page.locator(".floor-screen .table", has_text=table).click()
    till.page.locator("article.product .product-name", has_text=product).first.click()
    till.page.locator(".orderline").first.wait_for()


def room(till):
    """Go back to the room."""
    till.page.locator(".table-button, .pos-topheader .back-button").first.click()


def press(till, icon):
    """Press one of the order's actions."""
    till.page.locator(".product-screen .more-btn").click()
    till.page.locator(f".modal-dialog button:has({icon})").first.click()


def refused(till, words):
    """Wait for the dialog that says why, and close it by the button that changes nothing."""
    dialog = till.page.locator(".modal-dialog", has_text=words)
    dialog.wait_for()
    dialog.locator(".modal-footer .btn-primary").click()
    dialog.wait_for(state="detached")


def sold(till):
    """What is sold at each table: {table: [quantity]}."""
    return till.page.evaluate(
        f"""() => Object.fromEntries({POS}.models["pos.order"].filter((order) => order.table_id)
            .map((order) => [order.table_id.table_number, order.lines.map((line) => line.qty)]))"""
    )


def test_table_stays_with_its_card(neighbours, beside, screenshot):
    """What a card pays, or has paid, at a table is neither merged into another one nor thrown away."""
    if neighbours.context.series != "19.0":
        pytest.skip("17.0 merges no orders, and 18.0 has its actions elsewhere")
    tables = [(0, 0, {"table_number": number, "seats": 2}) for number in (51, 52)]
    tables[1][2]["position_h"] = 300
    floor = {"name": "Salle", "table_ids": tables}
    values = {"name": "Restaurant", "module_pos_restaurant": True, "floor_ids": [(0, 0, floor)]}
    till = beside(values, "manager")
    viva = Viva(neighbours, "pos_viva_wallet")
    viva.call("reset", everything=True)
    viva.script("wait")
    sit(till, "52", "Café")
    room(till)
    sit(till, "51", "Tarte aux pommes")
    before = sold(till)
    assert before == {"51": [1], "52": [1]}
    till.page.locator(".pay-order-button:visible").first.click()
    till.page.locator(".payment-screen .paymentmethods").wait_for()
    till.pay(METHOD)
    operation = till.until("pending")
    for words in ("terminal", "18,50"):  # at work, and then paid
        till.page.locator(".payment-screen .back-button, .payment-screen .back").first.click()
        press(till, ".fa-trash")
        till.page.locator(".modal-footer .btn-primary").click()  # core's own question
        refused(till, words)
        press(till, ".oi-arrow-right")
        till.page.locator(".floor-screen .table", has_text="52").click()
        till.page.locator(".modal-dialog", has_text=words).wait_for()
        assert "51" in till.page.locator(".modal-body").inner_text()  # not of the table on the screen
        screenshot(till.page, f"pos-merge-refused-{words.replace(',', '')}-fr")
        refused(till, words)
        assert sold(till) == before
        viva.call("present", terminal=TERMINAL)
        till.suite.wait_until(
            lambda: till.line(operation["idempotency_key"])[0] == "done", what="the paid line"
        )
        room(till)
        till.page.locator(".floor-screen .table", has_text="51").click()
        till.page.locator(".payment-screen").wait_for()
    till.page.locator(".payment-screen .validation-button, .payment-screen .button.next").first.click()
    till.recorded(operation, CAKE)
    assert [charge["amount"] for charge in viva.charges] == [1850]


def test_manager_proves_himself_at_the_employees_till(neighbours, beside, screenshot):
    """The log-in is a manager's, who works there is not: a manager's PIN decides, and both names stay."""
    admin = neighbours.user("admin")
    cora, mona = (
        admin.call("hr.employee", "create", [{"name": name, "pin": pin}])[0]
        for name, pin in (("Cora Caisse", False), ("Mona Chef", PIN))
    )
    values = {"name": "Bar", "module_pos_hr": True, "basic_employee_ids": [(6, 0, [cora])]}
    till = beside({**values, "advanced_employee_ids": [(6, 0, [mona])]}, "manager")
    page = till.page
    if neighbours.context.series != "17.0":
        page.locator(".open-register-btn").first.click()
    page.locator(".select-cashier").first.click()
    page.get_by_text("Cora Caisse").first.click()
    if neighbours.context.series == "17.0":  # whose floors are for all tills
        page.locator(".floor-map .table").first.click()
    till.simulator("reset")
    till.simulator("fault", endpoint="purchase", fault="close_before", times=1)
    till.sell()
    till.pay()
    till.status(".servipay_unknown")
    for pin in ("0000", PIN):
        page.locator(".servipay_paid").click()
        page.locator("#servipay_reason").fill("Le client a son ticket")
        page.locator("#servipay_manager").select_option(label="Mona Chef")
        page.locator("#servipay_pin").fill(pin)
        screenshot(page, "pos-manager-pin-fr")
        page.locator(".modal-footer .btn-primary").click()
        if pin != PIN:
            refused(till, "PIN")
            assert till.newest("unknown")
    operation = till.until("approved")
    till.recorded(operation, CAKE)
    names = ["pos_employee_name", "pos_decided_by"]
    [known] = admin.call("servipay.operation", "read", [operation["id"]], names)
    assert (known["pos_employee_name"], known["pos_decided_by"]) == ("Cora Caisse", "Mona Chef")
