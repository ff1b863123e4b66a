"""Cards that Ogone keeps: kept with consent, charged on the portal and in the back office, deleted."""

import ogone_shop
import pytest
from ogone_shop import operation_of, orders, shop_waits
from shop import back, choose

customer, platform = ogone_shop.customer, ogone_shop.platform


@pytest.fixture
def by_card(suite):
    """Cards are paid by Ogone here; in the demo they are Paybox's."""
    admin = suite.user("admin")

    def providers(code):
        domain = [("code", "=", code), ("state", "!=", "disabled")]
        return admin.call("payment.provider", "search", domain)

    (card,) = admin.call("payment.method", "search", [("code", "=", "card")])
    admin.call("payment.provider", "write", providers("paybox"), {"is_published": False})
    ogone = providers("ogone")
    admin.call(
        "payment.provider",
        "write",
        ogone,
        {"payment_method_ids": [(4, card)], "allow_tokenization": True},
    )
    yield
    tokens = admin.call("payment.token", "search", [("provider_id", "in", ogone)])
    admin.call("payment.token", "write", tokens, {"active": False})
    admin.call("payment.provider", "write", ogone, {"payment_method_ids": [(3, card)]})
    admin.call("payment.provider", "write", providers("paybox"), {"is_published": True})


def card_option(page):
    """Choose the payment method "Card" in the dialogue."""
    radio = page.locator("input[name=o_payment_radio][data-payment-method-code=card]").first
    radio.wait_for(state="attached")
    page.locator("button[name=o_payment_submit_button]:visible").first.wait_for()
    radio.check(force=True)


@pytest.fixture
def kept(customer, shop, suite, platform, by_card):
    """A function that pays an invoice and lets the card be kept; returns the page."""

    def pay():
        invoice = shop.invoice()
        page = customer(invoice, submit=False)
        card_option(page)
        page.locator("input[name=o_payment_tokenize_checkbox]:visible").first.check()
        shop.submit(page)
        page.locator("#consent").check()
        choose(page, "ok")
        back(page, suite)
        shop.paid(invoice)
        return page

    return pay


def pay_again(page, shop, invoice):
    """Pay an invoice with the saved card."""
    shop.pay(page, invoice, "ogone", kind="token")


def test_saved_card_pays_again(kept, shop, suite, platform, screenshot):
    """The card that was kept pays the next invoice without any page, once."""
    page = kept()
    invoice = shop.invoice(80.0)
    shop.pay(page, invoice, "ogone", submit=False, kind="token")
    screenshot(page, "ogone-saved-card")
    shop.submit(page)
    back(page, suite)
    shop.paid(invoice)
    (transaction,) = shop.transactions(invoice)
    assert len(orders(platform, transaction["reference"])) == 1
    assert operation_of(shop, invoice)["state"] == "approved"


def test_bank_wants_to_see_the_customer(kept, shop, suite, platform, screenshot):
    """3-D Secure: the customer is led to the bank, identifies, and comes back to a paid invoice."""
    page = kept()
    platform.call("script", endpoint="order", outcome="3ds")
    invoice = shop.invoice(80.0)
    pay_again(page, shop, invoice)
    page.get_by_text("Continue").click()
    page.locator("button[value=confirm]").wait_for()
    screenshot(page, "ogone-3ds")
    assert shop.transactions(invoice)[0]["state"] == "pending"
    page.locator("button[value=confirm]").click()
    back(page, suite)
    shop.paid(invoice)
    assert len(orders(platform, shop.transactions(invoice)[0]["reference"])) == 1


def test_customer_fails_to_identify(kept, shop, suite, platform):
    """Who is not recognised has paid nothing, and may pay in another way."""
    page = kept()
    platform.call("script", endpoint="order", outcome="3ds")
    invoice = shop.invoice(80.0)
    pay_again(page, shop, invoice)
    page.get_by_text("Continue").click()
    page.locator("button[value=fail]").click()
    shop_waits(suite, shop, invoice, "error")
    assert shop.state(invoice) == ("not_paid", 80)


def test_deleted_card_is_not_offered(kept, shop, suite, platform, screenshot):
    """The customer deletes the card on the portal."""
    page = kept()
    page.goto("/my/payment_method")
    page.locator("button[name=o_payment_delete_token]:visible").first.wait_for()
    screenshot(page, "ogone-cards-of-the-customer")
    page.locator("button[name=o_payment_delete_token]:visible").first.click()
    page.locator(".modal-footer .btn-primary").first.click()
    page.locator("button[name=o_payment_delete_token]").first.wait_for(state="detached")
    page.goto(shop.admin.call("account.move", "get_portal_url", [shop.invoice()]))
    assert page.locator("input[data-payment-option-type=token]").count() == 0


def register(shop, invoice):
    """Register a payment of an invoice with the customer's saved card, as an accountant does."""
    (token,) = shop.admin.call(
        "payment.token", "search", [("partner_id", "=", shop.partner), ("provider_code", "=", "ogone")]
    )
    (provider,) = shop.admin.call("payment.token", "read", [token], ["provider_id"])
    line = shop.admin.call(
        "account.payment.method.line",
        "search_read",
        [("payment_provider_id", "=", provider["provider_id"][0])],
        ["journal_id"],
    )[0]
    about = {"active_model": "account.move", "active_ids": [invoice]}
    values = {
        "journal_id": line["journal_id"][0],
        "payment_method_line_id": line["id"],
        "payment_token_id": token,
    }
    wizard = shop.admin.call("account.payment.register", "create", values, context=about)
    wizard = wizard if isinstance(wizard, list) else [wizard]
    shop.admin.call("account.payment.register", "action_create_payments", wizard, context=about)


def payment_of(shop, invoice):
    """ "posted", "cancelled" or "waiting": the accounting payment behind an invoice's newest transaction."""
    (number, _name) = shop.transactions(invoice)[-1]["payment_id"]
    payment = shop.read("account.payment", number, "state", "move_id")
    if payment["state"] in ("cancel", "canceled"):
        return "cancelled"
    entry = payment["move_id"] and shop.read("account.move", payment["move_id"][0], "state")["state"]
    return "posted" if entry == "posted" else "waiting"


def test_accountant_charges_a_saved_card(kept, shop, suite, platform):
    """The payment waits for the charge, which is made after the commit; then it is posted and reconciled."""
    kept()
    invoice = shop.invoice(80.0)
    register(shop, invoice)
    shop.paid(invoice)
    (transaction,) = shop.transactions(invoice)
    assert transaction["state"] == "done"
    assert payment_of(shop, invoice) == "posted"
    assert len(orders(platform, transaction["reference"])) == 1


def test_refused_charge_cancels_the_payment(kept, shop, suite, platform):
    """A refusal leaves no open payment behind."""
    kept()
    platform.call("script", endpoint="order", outcome="30511001")
    invoice = shop.invoice(80.0)
    register(shop, invoice)
    shop_waits(suite, shop, invoice, "error")
    assert payment_of(shop, invoice) == "cancelled"
    assert shop.state(invoice) == ("not_paid", 80)


def test_charge_in_doubt_keeps_the_payment_waiting(kept, shop, suite, platform):
    """The answer is lost after the platform booked: the payment stays a draft until an inquiry tells."""
    kept()
    platform.call("fault", endpoint="order", kind="drop_after")
    invoice = shop.invoice(80.0)
    register(shop, invoice)
    shop_waits(suite, shop, invoice, "pending")
    assert payment_of(shop, invoice) == "waiting"
    (transaction,) = shop.transactions(invoice)
    domain = [("reference", "=", transaction["reference"])]
    shop.admin.call(
        "servipay.operation", "action_refresh", shop.admin.call("servipay.operation", "search", domain)
    )
    shop.paid(invoice)
    assert payment_of(shop, invoice) == "posted"
    assert len(orders(platform, transaction["reference"])) == 1
