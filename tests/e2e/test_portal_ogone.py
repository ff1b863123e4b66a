"""The portal customer's way through Ogone: an invoice, the payment page, back; refused, lost, twice, late.

No scheduled job runs here: what happens, happens through the page, the feedback and the browser."""

import ogone_shop
from ogone_shop import operation_of, orders, shop_waits
from shop import PAGE, back, check_journal, choose, told_nothing_was_paid

customer, platform = ogone_shop.customer, ogone_shop.platform


def test_paid(customer, shop, suite, platform, screenshot):
    """Invoice, Ogone, page, back: paid, reconciled, told; the operation is approved."""
    invoice = shop.invoice()
    page = customer(invoice)
    screenshot(page, "ogone-page-fr")
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    (transaction,) = shop.transactions(invoice)
    assert (transaction["state"], transaction["is_post_processed"]) == ("done", True)
    assert operation_of(shop, invoice)["state"] == "approved"
    assert len(orders(platform, transaction["reference"])) == 1
    check_journal(shop, invoice, transaction["payment_id"][0])
    assert "Paiement en ligne accepté" in shop.chatter(invoice)
    assert shop.alerts(transaction["reference"]) == []


def test_browser_only(customer, shop, suite, platform):
    """The account calls no address: the browser brings what the platform signed."""
    platform.call("configure", feedback="none")
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)


def test_server_to_server_only(customer, shop, suite, platform):
    """The customer closes the window after paying: the platform's own request does it."""
    platform.call("configure", redirect_parameters=False)
    invoice = shop.invoice()
    page = customer(invoice)
    page.route(f"{suite.url}/**", lambda route: route.abort())
    page.select_option("#choice", "ok")
    page.get_by_text(PAGE).click()
    shop_waits(suite, shop, invoice, "done")
    assert operation_of(shop, invoice)["state"] == "approved"


def test_refused_then_paid(customer, shop, suite, platform):
    """A refusal is not final: the customer tries again on the same page."""
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "30511001")
    page.get_by_text("Essais restants").wait_for()
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    assert operation_of(shop, invoice)["state"] == "approved"


def test_cancelled(customer, shop, suite, platform, screenshot):
    """The customer gives up: nothing is paid, and the invoice can be paid again."""
    invoice = shop.invoice()
    page = customer(invoice)
    page.locator("button[name=action][value=cancel]").click()
    page.wait_for_url(f"{suite.url}/**")
    shop_waits(suite, shop, invoice, "cancel")
    if suite.context.series != "17.0":  # Odoo stays on its own page there, which says so
        told_nothing_was_paid(page, "annulé")
    screenshot(page, "portal-ogone-cancelled-fr")
    assert shop.state(invoice) == ("not_paid", 120)
    choose(customer(invoice), "ok")
    shop.paid(invoice)


def test_refused_for_good(customer, shop, suite, platform, screenshot):
    """The bank refuses, and the page has no second try: the customer reads so beside the button that pays."""
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "93")
    if suite.context.series != "17.0":  # Odoo stays on its own page there, which says so
        told_nothing_was_paid(page, "refus")
    screenshot(page, "portal-ogone-refused-fr")
    assert shop.state(invoice) == ("not_paid", 120)


def test_feedback_four_times_at_once(customer, shop, suite, platform):
    """One effect, whatever comes in parallel."""
    platform.call("set", copies=4, parallel=True)
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    (transaction,) = shop.transactions(invoice)
    domain = [("payment_transaction_id", "in", [transaction["id"]])]
    assert len(shop.admin.call("account.payment", "search", domain)) == 1
    assert shop.alerts(transaction["reference"]) == []


def test_processing_then_paid(customer, shop, suite, platform):
    """91 is not paid; the platform says 9 later, by its status change."""
    platform.call("set", sale="91")
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    page.wait_for_url(f"{suite.url}/**")
    shop_waits(suite, shop, invoice, "pending")
    assert shop.state(invoice) == ("not_paid", 120)
    (transaction,) = shop.transactions(invoice)
    platform.call("settle", orderid=transaction["reference"], status="9")
    shop_waits(suite, shop, invoice, "done")


def test_wrong_amount(customer, shop, suite, platform):
    """What differs from what was asked is for a person."""
    platform.call("set", override={"AMOUNT": "1.00"})
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    suite.wait_until(lambda: operation_of(shop, invoice)["state"] == "unknown", what="the doubt")
    (transaction,) = shop.transactions(invoice)
    assert shop.state(invoice) == ("not_paid", 120)
    assert shop.alerts(transaction["reference"]) == ["mismatch"]


def test_accented_customer(customer, shop, suite, platform):
    """Whatever stands in the customer's record is signed as the platform computes it."""
    before = shop.read("res.partner", shop.partner, "name", "street", "city")
    names = {
        "name": "Zoë d'Œuvrard-Łęcka",
        "street": "7 allée des Érables — bât. « Été »",
        "city": "Besançon",
    }
    shop.admin.call("res.partner", "write", [shop.partner], names)
    try:
        invoice = shop.invoice()
        page = customer(invoice)
        choose(page, "ok")
        back(page, suite)
        shop.paid(invoice)
    finally:
        shop.admin.call("res.partner", "write", [shop.partner], {name: before[name] for name in names})
    (order,) = orders(platform, shop.transactions(invoice)[0]["reference"])
    assert order["cn"] == "Zoë dŒuvrard-Łęcka"


def test_uncertain_then_paid(customer, shop, suite, platform, screenshot):
    """The bank's answer is lost: nobody is told that it failed, and the platform's later word settles it."""
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "92")
    page.wait_for_url(f"{suite.url}/**")
    shop_waits(suite, shop, invoice, "pending")
    assert operation_of(shop, invoice)["state"] == "unknown"
    assert shop.state(invoice) == ("not_paid", 120)
    screenshot(page, "ogone-uncertain")
    (transaction,) = shop.transactions(invoice)
    platform.call("settle", orderid=transaction["reference"], status="9")
    shop_waits(suite, shop, invoice, "done")
    assert operation_of(shop, invoice)["state"] == "approved"
