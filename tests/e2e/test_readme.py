"""README.md, "What to try", walked exactly as it is written: each log-in, each step, each magic amount.

A newcomer begins there. What is looked for is read from README.md, so that neither can change alone.
"""

import re

import pytest
from backoffice import button, show_all
from chromium import close
from pos import Till
from shop import PAGE, back, choose, choose_provider
from test_tester import last_operation, refreshed, settle

import readme
from tools import shopfloor

APPS = {  # as README names them -> their menu
    "PayperCloud / Servipay": "paypercloud_servipay.menu_root",
    "Point of Sale": "point_of_sale.menu_point_root",
    "Invoicing": "account.menu_finance",
}
MENUS = {
    "API Tester": "paypercloud_servipay.menu_tester",
    "Customers": "account.menu_finance_receivables",
    "Paybox operations": "payment_paybox.menu_operations",
}
ROOT, POS, INVOICING = APPS.values()


def enter(page, suite, name):
    """Log in by the form; the password is the log-in, as README says."""
    assert "The password is the log-in." in readme.README
    page.goto(f"{suite.url}/web/login")
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(name)
    page.locator("form.oe_login_form button[type=submit], button:has-text('Log in')").first.click()
    page.wait_for_url(lambda url: "/web/login" not in url)


def apps(page):
    """Open the menu of apps and return the XML ids of those that are offered."""
    page.locator(".o_navbar_apps_menu button").first.click()
    page.locator(".o_app").first.wait_for()
    return {item.get_attribute("data-menu-xmlid") for item in page.locator(".o_app").all()}


def open_app(page, xmlid):
    """Open an app by its menu."""
    assert xmlid in apps(page), xmlid
    page.locator(f".o_app[data-menu-xmlid='{xmlid}']").click()
    page.locator(f".o_menu_brand[data-menu-xmlid='{xmlid}'], .o_menu_brand").first.wait_for()
    page.locator(".o_view_controller, .o_action").first.wait_for()


def open_menu(page, *path):
    """Go through the menus of an open app; no access error comes up on the way."""
    for xmlid in path:
        page.locator(f".o_menu_sections [data-menu-xmlid='{xmlid}']:visible, .o-dropdown--menu "
                     f"[data-menu-xmlid='{xmlid}']:visible").first.click()  # fmt: skip
    page.locator(".o_view_controller, .o_action").first.wait_for()
    assert not page.locator(".o_error_dialog").count()


def sections(page):
    """Return the XML ids of the open app's menus."""
    return {
        item.get_attribute("data-menu-xmlid")
        for item in page.locator(".o_menu_sections [data-menu-xmlid]").all()
    }


def test_every_login_is_tried():
    """The table of log-ins and this module know the same people."""
    assert set(readme.logins()) == {"admin", "manager", "accountant", "cashier", "portal"}


@pytest.mark.parametrize("name", [name for name in readme.logins() if name != "portal"])
def test_login_sees_what_the_readme_says(page, suite, name):
    """Who has the payments' app, and how much of it."""
    _who, sees = readme.logins()[name]
    enter(page, suite, name)
    page.locator(".o_navbar_apps_menu button").first.wait_for()
    offered = apps(page)
    page.keyboard.press("Escape")
    assert (ROOT in offered) == (name != "cashier")
    assert (POS in offered) == (name != "accountant")
    if name == "cashier":
        return
    open_app(page, ROOT)
    show_all(page)
    configures = "paypercloud_servipay.menu_configuration" in sections(page)
    assert configures == ("everything" in sees)
    admin = suite.user(name)
    assert admin.call("servipay.operation", "search_count", []) >= 0
    if "headers" in sees:
        fields = admin.call("servipay.api.log", "fields_get", [], ["type"])
        assert not {"request_body", "response_body", "request_headers"} & set(fields)


def test_steps_1_to_3(page, suite, screenshot):
    """As admin: a purchase of 24.50 in the API Tester, its operation and logs, half of it back."""
    first = readme.step(1)
    assert "a purchase of 24.50" in first
    assert {"Call API", "Refresh"} <= set(readme.emphasised(first))
    enter(page, suite, "admin")
    open_app(page, APPS["PayperCloud / Servipay"])
    open_menu(page, MENUS["API Tester"])
    page.locator("div[name=amount] input").fill("24.50")
    page.locator("div[name=amount] input").press("Tab")
    page.locator("div[name=preview]", has_text="2450").wait_for()
    assert button(page, "action_ask").inner_text() == "Call API"
    button(page, "action_ask").click()
    page.locator(".modal", has_text="24.50").locator("button[name=action_call]").click()
    button(page, "action_again").wait_for()
    suite.wait_until(lambda: settle(page), what="the approval")

    assert readme.emphasised(readme.step(2)) == ["Open operation"]
    button(page, "action_open_operation").click()
    page.locator("button[name=action_open_logs]").click()
    page.locator(".o_data_row td[name=endpoint]").last.click()
    page.locator("div[name=request_body]").wait_for()
    assert suite.simulators["paypercloud_servipay"]["api_key"] not in page.content()
    page.go_back()
    page.locator(".o_data_row").first.wait_for()
    page.go_back()

    assert readme.step(3).startswith("*Refund* half of it")
    assert button(page, "action_refund").inner_text() == "Refund"
    button(page, "action_refund").click()
    page.locator(".modal div[name=amount] input").fill("12.25")
    page.locator(".modal div[name=amount] input").press("Tab")
    page.locator(".modal button[name=action_confirm]:visible").click()
    page.locator(".modal").wait_for(state="detached")
    suite.wait_until(lambda: refreshed(page, suite), what="the refund's approval")
    assert last_operation(suite, "refund")["amount"] == 12.25


def open_register(page, suite, name):
    """Go from the dashboard to the till, as the README says; returns the Till."""
    enter(page, suite, name)
    open_app(page, POS)
    card = page.locator(".o_kanban_record", has_text="Comptoir").first
    card.wait_for()
    assert not page.locator(".o_error_dialog").count()
    card.locator("button[name=open_ui]:visible").first.click()
    till = Till(page, suite)
    page.locator(".product-screen, .payment-screen, .opening-cash-control, .modal").first.wait_for(
        timeout=60_000
    )
    opening = page.locator(
        ".opening-cash-control, .modal", has=page.locator(".opening-cash-section, .cash-input-sub-section")
    )
    if opening.count():
        page.locator(".modal-footer .btn-primary, .footer .button.confirm").first.click()
    till.ready()
    domain = [("config_id", "=", till.config_id), ("state", "=", "opened")]
    suite.wait_until(
        lambda: suite.user("admin").call("pos.session", "search", domain), what="the open session"
    )
    till.session_id = suite.user("admin").call("pos.session", "search", domain)[0]
    till.forget()
    return till


@pytest.mark.parametrize(
    "method", [name for name in readme.emphasised(readme.step(4)) if name.startswith("Carte")]
)
def test_step_4_pays_with_each_card(page, suite, method):
    """As cashier, from the dashboard: a cake, paid with each of the three cards."""
    assert "sell a *Tarte aux pommes*" in readme.step(4)
    till = open_register(page, suite, "cashier")
    till.sell()
    till.pay(method)
    till.receipt()
    till.recorded(till.until("approved"), 18.5)


def test_step_4_another_browser_reload_and_cancel(page, suite, browser):
    """The manager, elsewhere, is told who holds the terminal; a reload loses nothing; cancel reaches it."""
    assert "in another browser" in readme.step(4)
    till = open_register(page, suite, "cashier")
    till.simulator("reset")
    till.simulator("script", outcome="approved", delay=150)
    till.sell("Café")
    till.pay()
    operation = till.until("pending")
    other = browser.new_context(base_url=suite.url, viewport={"width": 1366, "height": 768})
    other.set_default_timeout(30_000)
    second = open_register(other.new_page(), suite, "manager")
    # told at once, before anything is sold: a payment of the same till runs elsewhere
    second.page.locator(".servipay_orphan", has_text=operation["name"]).wait_for()
    second.page.locator(".modal .btn-close, .modal .modal-footer button").first.click()
    second.page.locator(".modal").wait_for(state="detached")
    second.sell()
    second.pay()
    second.page.locator(".modal-dialog", has_text="Camille Petit").wait_for()
    close(other)
    page.reload()
    till.ready()
    if suite.context.series != "19.0":  # they open the order, not its payments
        page.locator(".product-screen .pay-order-button:visible, .product-screen .pay:visible").first.click()
    till.status(".send_payment_cancel").click()
    till.until("cancelled", idempotency_key=operation["idempotency_key"])
    assert not till.charges()


OUTCOMES = {  # what README says of an amount -> the states in which it ends, one after the other
    "declined": ["declined"],
    "cancelled by the customer": ["cancelled"],
    "the terminal fails": ["failed"],
    "only half is approved": ["unknown"],
    "never ends": ["cancelled"],
    "approved after 20 seconds": ["approved"],
    "charged, but the answer is lost": ["unknown", "approved"],
    "terminal busy": ["failed"],
}


def outcome_of(happens):
    """Return the states that the README promises with a sentence."""
    found = [states for words, states in OUTCOMES.items() if happens.startswith(words)]
    assert found, f"README promises something new: {happens}"
    return found[0]


@pytest.mark.parametrize("amount", readme.amounts())
def test_step_5_magic_amounts(suite, amount):
    """Each amount of the table does what the table says, and the operation says why."""
    happens, admin = readme.amounts()[amount], suite.user("admin")
    shopfloor.Control(f"{suite.simulators['paypercloud_servipay']['url']}/_simulator").call("reset")
    (endpoint,) = admin.call("servipay.api.endpoint", "search", [("key", "=", "purchase")], limit=1)
    tester = admin.call(
        "servipay.api.tester", "create", [{"endpoint_id": endpoint, "amount": float(amount)}]
    )[0]
    admin.call("servipay.api.tester", "action_call", [tester])
    (called,) = admin.call("servipay.api.tester", "read", [tester], ["result_operation_id"])
    number = called["result_operation_id"][0]

    def read(*names):
        return admin.call("servipay.operation", "read", [number], list(names))[0]

    def state():
        return read("state")["state"]

    if "*Cancel*" in happens:
        suite.wait_until(lambda: state() == "pending", what="the terminal at work")
        admin.call("servipay.operation", "action_cancel", [number])
    for wanted in outcome_of(happens):

        def reached(wanted=wanted):
            if state() != wanted:
                admin.call("servipay.operation", "action_refresh", [number])
            return state() == wanted

        try:
            suite.wait_until(reached, 45, f"{amount} {wanted}")
        except AssertionError as error:
            error.add_note(str(read("state", "reason", "explanation", "detail")))
            raise
    explanation = read("explanation")["explanation"]
    assert explanation not in ("No money was moved.", "The money may have been moved, or not."), explanation


def test_step_6(page, suite, shop, browser):
    """As portal: the open invoice, a refusal, then paid; as accountant: history, payment, half of it back."""
    text = readme.step(6)
    assert {"Pay Now", "Card", "Paiement accepté", "Paybox operations", "Refund"} <= set(
        readme.emphasised(text)
    )
    enter(page, suite, "portal")
    page.goto("/my/invoices")
    # other tests' invoices, paid or being paid, stand in the same list
    page.locator(f"table a[href*='/my/invoices/{shop.open_invoice()}']").first.click()
    page.locator("a[data-bs-target='#pay_with'], a[data-target='#pay_with']").first.click()
    choose_provider(page, "paybox")
    shop.submit(page)
    page.get_by_text(PAGE).wait_for()
    choose(page, "51")
    page.get_by_text("Il vous reste 2 tentatives").wait_for()
    assert "Paiement accepté" in page.locator("#choice").inner_text()
    choose(page, "ok")
    back(page, suite)
    invoice = int(re.search(r"/my/invoices/(\d+)", page.url)[1])
    shop.paid(invoice)

    books = browser.new_context(base_url=suite.url, viewport={"width": 1366, "height": 768})
    books.set_default_timeout(30_000)
    accountant = books.new_page()
    enter(accountant, suite, "accountant")
    assert "Paiement en ligne accepté" in shop.chatter(invoice)
    open_app(accountant, APPS["Invoicing"])
    open_menu(accountant, MENUS["Customers"], MENUS["Paybox operations"])
    accountant.locator(".o_group_header").first.click()  # today's
    accountant.locator(".o_data_row", has_text="120,00").first.wait_for()
    refund_half(accountant, shop, suite, invoice)
    close(books)


def refund_half(page, shop, suite, invoice):
    """From the payment, with Odoo's own button."""
    (transaction,) = [one for one in shop.transactions(invoice) if one["state"] == "done"]
    page.goto(f"/web#id={transaction['payment_id'][0]}&model=account.payment&view_type=form")
    page.reload()
    button(page, "action_refund_wizard").click()
    amount = page.locator(".modal div[name=amount_to_refund] input")
    amount.fill("60,00")
    amount.press("Tab")
    page.locator(".modal button[name=action_refund]").click()
    page.locator(".modal").wait_for(state="detached")

    def given_back():
        domain = [("kind", "=", "refund"), ("provider", "=", "paybox"), ("amount", "=", 60)]
        found = shop.admin.call("servipay.operation", "search_read", domain, ["state"])
        return found and found[0]["state"] == "approved"

    suite.wait_until(given_back, what="the refund")
