"""Saved cards: another customer's, another provider's, a second click, and a charge in doubt."""

import pytest
from cheating import at_once
from portal import Browser

from tools.running import RpcError

pytestmark = pytest.mark.usefixtures("true_books")
CLICKS = 4


@pytest.fixture
def saved(market, customer):
    """What Pay sends with the customer's saved card."""
    kept = "SELECT max(id) FROM payment_token WHERE active AND partner_id = {} AND provider_id = {}"
    owned = kept.format(market.partners["portal"], market.providers["ogone"]["honest"])
    if market.suite.sql(owned) == [[""]]:
        invoice = market.invoice(3)
        form = customer.start(invoice, "ogone", tokenization_requested=True)
        assert dict(form.pairs)["ALIAS"]
        customer.pay(form, consent="1")
        market.paid(invoice, 3)
    [[token]] = market.suite.sql(owned)
    return {"token_id": int(token), "flow": "token"}


def orders(market, invoice):
    """Return how often the platform has taken money for an invoice."""
    return sum(len(market.taken("ogone", reference)) for reference in market.references(invoice))


def charged(market, invoice, amount):
    """Check that a saved card was charged once for an invoice."""
    market.paid_at_last(invoice, amount)
    assert orders(market, invoice) == 1


def test_card_of_somebody_else(market, customer, saved):
    """Another customer, and nobody, with their own and the owner's invoices, name its number."""
    own, other = market.invoice(9, "mallory"), market.invoice(9)
    mallory = Browser(market, "mallory")
    for invoice in (own, other):
        mallory.refused(invoice, "ogone", **saved)
        mallory.refused(invoice, "paybox", **saved)
    Browser(market, None).refused(own, "ogone", **saved)
    for wrong in (None, 0, -1, saved["token_id"] + 10**6):
        with pytest.raises(RpcError):
            customer.press_pay(other, "ogone", **{**saved, "token_id": wrong})
    assert (orders(market, own), orders(market, other)) == (0, 0)
    market.unpaid(own, 9)
    customer.press_pay(other, "ogone", **saved)
    charged(market, other, 9)


@pytest.mark.parametrize("wrong", ["unpublished", "disabled", "foreign"])
def test_card_with_another_provider(market, customer, saved, wrong):
    """One's own card, charged by an account that is not offered."""
    invoice = market.invoice(9)
    customer.refused(invoice, "ogone", provider_id=market.providers["ogone"][wrong], **saved)
    market.unpaid(invoice, 9)
    assert orders(market, invoice) == 0


def test_card_with_a_provider_that_keeps_none(market, customer, saved):
    """Ogone's card named to Paybox: nothing is charged, nothing counts as paid."""
    invoice = market.invoice(9)
    try:
        customer.press_pay(invoice, "paybox", **saved)
    except RpcError as error:
        assert "odoo.exceptions" in error.name, error.debug
    market.unpaid(invoice, 9)
    assert (orders(market, invoice), "done" in market.states(invoice)) == (0, False)


def test_less_than_nothing_by_card(market, customer, saved):
    """A negative amount, zero, no number: neither charged nor paid out."""
    invoice = market.invoice(30)
    for amount in (-30, 0, 0.001, float("nan"), float("-inf"), None):
        with pytest.raises(RpcError):
            customer.press_pay(invoice, "ogone", amount=amount, **saved)
    market.unpaid(invoice, 30)
    assert orders(market, invoice) == 0
    customer.press_pay(invoice, "ogone", **saved)
    charged(market, invoice, 30)


def test_second_click(market, customer, saved):
    """Pressed again a moment later, and again, until it is booked and after: charged once."""
    invoice = market.invoice(81)
    customer.press_pay(invoice, "ogone", **saved)
    for _time in range(CLICKS):
        customer.refused(invoice, "ogone", **{**saved, "amount": 81})
    charged(market, invoice, 81)
    customer.refused(invoice, "ogone", **{**saved, "amount": 81})


def test_clicks_at_once(market, saved):
    """The same button in several browsers in one moment."""
    invoice, browsers = market.invoice(80), [Browser(market) for _time in range(CLICKS)]
    found = at_once(*[lambda one=one: one.press_pay(invoice, "ogone", **saved) for one in browsers])
    assert len([one for one in found if not isinstance(one, RpcError)]) == 1
    charged(market, invoice, 80)


def test_page_beside_the_card(market, customer, saved):
    """While the card's charge is under way no page opens, of whichever provider."""
    invoice = market.invoice(82)
    market.platforms["ogone"].call("fault", endpoint="order", kind="drop_after")
    customer.press_pay(invoice, "ogone", **saved)
    for code in ("paybox", "ogone"):
        customer.refused(invoice, code)
        Browser(market, None).refused(invoice, code)
    customer.refused(invoice, "ogone", **saved)
    charged(market, invoice, 82)


def register(market, saved, invoice):
    """Register a payment with the saved card in the back office."""
    line = market.admin.call(
        "account.payment.method.line",
        "search_read",
        [("payment_provider_id", "=", market.providers["ogone"]["honest"])],
        ["journal_id"],
    )[0]
    values = {"journal_id": line["journal_id"][0], "payment_method_line_id": line["id"]}
    about = {"active_model": "account.move", "active_ids": [invoice]}
    wizard = market.admin.call(
        "account.payment.register",
        "create",
        {**values, "payment_token_id": saved["token_id"]},
        context=about,
    )
    wizard = wizard if isinstance(wizard, list) else [wizard]
    market.admin.call("account.payment.register", "action_create_payments", wizard, context=about)


def test_back_office_while_a_charge_is_unknown(market, customer, saved):
    """The answer is lost after the platform has charged: neither an accountant nor the customer can again."""
    invoice = market.invoice(83)
    market.platforms["ogone"].call("fault", endpoint="order", kind="drop_after")
    register(market, saved, invoice)
    for _time in range(2):
        with pytest.raises(RpcError) as caught:
            register(market, saved, invoice)
        assert "odoo.exceptions" in caught.value.name, caught.value.debug
        customer.refused(invoice, "ogone", **{**saved, "amount": 83})
        customer.refused(invoice, "paybox", amount=83)
    charged(market, invoice, 83)


def test_deleted_card(market, customer, saved):
    """Nobody else deletes it; once its owner has, it is not charged any more."""
    mallory, token = Browser(market, "mallory"), saved["token_id"]
    active = f"SELECT active FROM payment_token WHERE id = {token}"
    mallory.user.json("/payment/archive_token", token_id=token)
    assert market.suite.sql(active) == [["t"]]
    customer.user.json("/payment/archive_token", token_id=token)
    assert market.suite.sql(active) == [["f"]]
    invoice = market.invoice(84)
    with pytest.raises(RpcError):
        customer.press_pay(invoice, "ogone", **saved)
    market.unpaid(invoice, 84)
    assert orders(market, invoice) == 0
