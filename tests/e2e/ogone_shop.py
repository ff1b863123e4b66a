"""What the browser tests of Ogone share: the platform, and its customer on the page."""

import pytest
from shop import payer

from tools.shopfloor import Platform


@pytest.fixture
def platform(suite):
    """The platform, its books empty; it calls the shop at once, as the back office says."""
    found = Platform(suite, "payment_ogone")
    found.call("reset", account=True)
    address = f"{suite.url}/payment/ogone/return"
    found.call("configure", accepted_url=address, declined_url=address, status_url=address, feedback="online")
    yield found
    found.call("reset", account=True)


@pytest.fixture
def customer(page, shop, login):
    """A function that takes the portal customer from an invoice to the payment page; returns the page."""
    return payer(page, shop, login, "ogone")


def orders(platform, reference):
    """What the platform has under one reference."""
    return [order for order in platform.get("books")["orders"] if order["orderid"] == reference]


def operation_of(shop, invoice):
    """The operation of an invoice's only payment."""
    (transaction,) = shop.transactions(invoice)
    (operation,) = shop.operations(transaction["reference"])
    return operation


def shop_waits(suite, shop, invoice, state):
    """Wait until an invoice's newest transaction has a state."""
    suite.wait_until(lambda: shop.transactions(invoice)[-1]["state"] == state, what=f"the state {state}")
