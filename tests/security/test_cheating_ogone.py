"""Ogone: what another account's passphrase signs, or the same one on the other side, pays nothing."""

import urllib.parse

import pytest
from portal import FOREIGN_OUT, RETURNS, Browser, paid_small

pytestmark = pytest.mark.usefixtures("true_books")


def test_form_posted_to_the_other_side(market, customer):
    """Nothing signed tells test from production: paid on the other side, asked on this one, told."""
    invoice = market.invoice()
    form = customer.start(invoice, "ogone")
    assert "/ncol/test/" in form.action
    customer.pay(form, address=form.action.replace("/test/", "/prod/"))
    assert "unconfirmed" in market.told_at_last(invoice)
    market.unpaid(invoice)
    customer.pay(form)
    market.paid_at_last(invoice, 120)


@pytest.mark.parametrize("status", ["9", "95", "91", "5", "41", "52", "92"])
def test_order_that_was_never_paid(market, customer, forger, status):
    """Signed with the right passphrase, of an order that this side does not know: in every state."""
    invoice = market.invoice()
    form = customer.start(invoice, "ogone")
    message = forger.ogone(form.reference, payid=str(10**8 + invoice), STATUS=status)
    for method in ("GET", "POST"):
        forger.send(message, RETURNS["ogone"], method)
        forger.send(message, "/payment/ogone/accept", method)
    market.quiet()
    market.later()
    market.unpaid(invoice)
    assert market.states(invoice) != ["done"]
    customer.pay(form)
    market.paid_at_last(invoice, 120)


@pytest.mark.parametrize("told", [True, False])
def test_payid_of_a_small_payment(market, customer, forger, behaves, told):
    """The number of 1.00 for an invoice of 1000.00: with the amount, without it, in another currency."""
    large = market.invoice(1000)
    form = customer.start(large, "ogone")
    behaves("ogone", deliver=told)
    small, payid, _none = paid_small(market, Browser(market, "mallory"), "ogone")
    if told:
        market.paid(small, 1)
    for values in (
        *({"amount": "1000"}, {"amount": None}, {"amount": "1"}, {"amount": None, "currency": None}),
        *(
            {"amount": "1000", "currency": "JPY"},
            {"amount": "1000.00"},
            {"amount": "1,000"},
            {"amount": "1e3"},
        ),
        *({"amount": "1000", "payid": f"0{payid}"}, {"amount": "1000", "payid": f"{payid} "}),
    ):
        message = forger.ogone(form.reference, **{"payid": payid, **values})
        forger.send(message, RETURNS["ogone"])
        forger.send(message, RETURNS["ogone"], "POST")
        market.quiet()
    assert market.told_at_last(large)
    market.unpaid(large, 1000)


def test_passphrase_of_another_account(market, customer, forger):
    """What the other company's account signs says nothing about an order of this one."""
    invoice = market.invoice()
    form = customer.start(invoice, "ogone")
    names = "XXXXXXXXXXXX1111", "Sim-in.Page-2026!", "Sim-in.Direct-2026", "Somebody-else-2026!", "x", " "
    for passphrase in (FOREIGN_OUT, *names):
        for method in ("GET", "POST"):
            message = forger.ogone(form.reference, passphrase=passphrase)
            assert forger.send(message, RETURNS["ogone"], method) == 403
    market.unpaid(invoice)
    assert market.states(invoice) == ["draft"]
    customer.pay(form)
    market.paid_at_last(invoice, 120)


def test_order_named_twice(market, customer, forger):
    """Two orders in one message, and names in other letters: signed, and about nobody's invoice."""
    invoice, own = market.invoice(), market.invoice(1, "mallory")
    name, mine = (
        customer.start(invoice, "ogone").reference,
        Browser(market, "mallory").start(own, "ogone").reference,
    )
    for more in ({"ORDERID": mine}, {"orderid": name}, {"ORDERID": ""}, {"AMOUNT": "1"}):
        for first in (name, mine):
            message = forger.ogone(first, **more)
            for method in ("GET", "POST"):
                forger.send(message, RETURNS["ogone"], method)
    for changed in (f"{name}\x00", f" {name}", f"{name}\u200b", name.lower(), f"{name}%00"):
        forger.send(forger.ogone(changed), RETURNS["ogone"])
    market.quiet()
    market.later()
    market.unpaid(invoice)
    market.unpaid(own, 1)


def test_refused_after_it_was_paid(market, customer, forger):
    """Paid, then the platform says that the bank refused: the books stay, and people are told."""
    invoice = market.invoice()
    form = customer.start(invoice, "ogone")
    customer.pay(form)
    market.paid(invoice, 120)
    [number] = [number for name, _amount, number in market.charges("ogone") if name == form.reference]
    forger.send(forger.ogone(form.reference, payid=number, STATUS="93", NCERROR="30051001"), RETURNS["ogone"])
    market.quiet()
    assert market.told(invoice)


def test_query_of_the_browser_changed(market, customer, forger):
    """What the platform gave the browser to bring, changed by hand on its way."""
    invoice = market.invoice(120)
    form = customer.start(invoice, "ogone")
    location = customer.pay(form, choice="30511001", back=False) or ""
    for _time in range(3):
        location = location or customer.pay(form, choice="93", back=False)
    query = urllib.parse.urlsplit(location).query
    assert "STATUS=93" in query
    for changed in (
        *(
            query.replace("STATUS=93", "STATUS=9"),
            f"STATUS=9&{query}",
            f"{query}&STATUS=9",
            f"{query}&status=9",
        ),
        *(
            query.replace("SHASIGN", "shasign").replace("STATUS=93", "STATUS=9"),
            query.partition("&SHASIGN")[0],
        ),
    ):
        for method in ("GET", "POST"):
            forger.send(changed, RETURNS["ogone"], method)
    market.quiet()
    market.unpaid(invoice)
