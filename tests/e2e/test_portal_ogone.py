"""The portal customer's way through Ogone: an invoice, the payment page, back; refused, lost, twice, late.

No scheduled job runs here: what happens, happens through the page, the feedback and the browser."""

import json
import urllib.request

import pytest
from shop import back, check_journal

PAGE = "Valider le paiement"


class Platform:
    """Steers the simulator, as the platform's people would."""

    def __init__(self, suite):
        self.url = suite.simulators["payment_ogone"]["url"]

    def call(self, path, **body):
        """POST to the control API."""
        request = urllib.request.Request(f"{self.url}/_simulator/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def orders(self, reference):
        """What was charged for one reference."""
        with urllib.request.urlopen(f"{self.url}/_simulator/books", timeout=10) as answer:
            orders = json.load(answer)["orders"]
        return [order for order in orders if order["orderid"] == reference]


@pytest.fixture
def platform(suite):
    """The platform, its books empty; it calls the shop at once, as the back office says."""
    found = Platform(suite)
    found.call("reset", account=True)
    address = f"{suite.url}/payment/ogone/return"
    found.call("configure", accepted_url=address, declined_url=address, status_url=address, feedback="online")
    yield found
    found.call("reset", account=True)


@pytest.fixture
def customer(page, shop, login):
    """A function that takes the portal customer from an invoice to the payment page; returns the page."""
    login(page, "portal")

    def to_the_page(invoice, submit=True):
        shop.pay(page, invoice, "ogone", submit)
        if submit:
            page.get_by_text(PAGE).wait_for()
        return page

    return to_the_page


def choose(page, choice):
    """Let the bank answer: "ok", an error's number, a status."""
    page.select_option("#choice", choice)
    page.get_by_text(PAGE).click()


def operation_of(shop, invoice):
    """The operation of an invoice's only payment."""
    (transaction,) = shop.transactions(invoice)
    (operation,) = shop.operations(transaction["reference"])
    return operation


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
    assert len(platform.orders(transaction["reference"])) == 1
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


def test_cancelled(customer, shop, suite, platform):
    """The customer gives up: nothing is paid, and the invoice can be paid again."""
    invoice = shop.invoice()
    page = customer(invoice)
    page.locator("button[name=action][value=cancel]").click()
    page.wait_for_url(f"{suite.url}/**")
    shop_waits(suite, shop, invoice, "cancel")
    assert shop.state(invoice) == ("not_paid", 120)
    choose(customer(invoice), "ok")
    shop.paid(invoice)


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


def shop_waits(suite, shop, invoice, state):
    """Wait until an invoice's newest transaction has a state."""
    suite.wait_until(lambda: shop.transactions(invoice)[-1]["state"] == state, what=f"the state {state}")
