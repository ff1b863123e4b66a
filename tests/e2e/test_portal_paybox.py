"""The portal customer's way: an invoice, the payment page, back again; and what the accountant finds.

No scheduled job runs here: what happens, happens through the page, the notification and the browser."""

import re

import pytest
from shop import PAGE, back, check_journal, choose, choose_provider, payer, told_nothing_was_paid

from tools.shopfloor import Platform


class Books(Platform):
    """Paybox's simulator."""

    def books(self, reference=None):
        """What was charged, for one reference."""
        charges = self.get("books")["charges"]
        return [charge for charge in charges if reference in (None, charge["reference"])]


@pytest.fixture
def platform(suite):
    """The platform, its books empty."""
    found = Books(suite, "payment_paybox")
    found.call("reset")
    yield found
    found.call("reset")


@pytest.fixture
def customer(page, shop, login):
    """A function that takes the portal customer from an invoice to the payment page; returns the page."""
    return payer(page, shop, login, "paybox")


def test_paid(customer, shop, suite, platform, screenshot):
    """Invoice, Paybox, page, back: paid, reconciled, told; the operation is approved."""
    invoice = shop.invoice()
    page = customer(invoice, submit=False)
    page.wait_for_timeout(2000)
    screenshot(page, "portal-paybox-fr")
    page.locator("#pay_with button[name=o_payment_submit_button]:visible").first.click()
    page.get_by_text(PAGE).wait_for()
    screenshot(page, "hosted-page-fr")
    choose(page, "ok")
    back(page, suite)
    page.wait_for_timeout(500)
    screenshot(page, "portal-paid-fr")
    assert shop.state(invoice) in (("paid", 0), ("in_payment", 0))
    (transaction,) = shop.transactions(invoice)
    assert (transaction["state"], transaction["is_post_processed"]) == ("done", True)
    (operation,) = shop.operations(transaction["reference"])
    assert (operation["state"], operation["kind"], operation["amount"]) == ("approved", "purchase", 120)
    (charge,) = platform.books(transaction["reference"])
    assert (charge["amount"], charge["currency"]) == (12000, "978")
    check_journal(shop, invoice, transaction["payment_id"][0])
    assert "Paiement en ligne accepté" in shop.chatter(invoice)
    assert shop.alerts(transaction["reference"]) == []


def test_in_english(customer, shop, suite, platform, page, speaks, screenshot):
    """A customer who reads English."""
    speaks("portal", "en")
    page.context.add_cookies([{"name": "frontend_lang", "value": "en_US", "url": suite.url}])
    invoice = shop.invoice()
    page = customer(invoice, submit=False)
    page.wait_for_timeout(2000)
    screenshot(page, "portal-paybox-en")
    page.locator("#pay_with button[name=o_payment_submit_button]:visible").first.click()
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    page.wait_for_timeout(500)
    screenshot(page, "portal-paid-en")


def test_refused_then_paid(customer, shop, suite, platform, screenshot):
    """A refusal is not final: the customer tries another card on the same page."""
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "51")
    page.get_by_text("Il vous reste 2 tentatives").wait_for()
    screenshot(page, "hosted-page-refused-fr")
    (transaction,) = shop.transactions(invoice)
    suite.wait_until(lambda: shop.transactions(invoice)[0]["state"] == "error", what="the refusal")
    assert "provision insuffisante" in shop.chatter(invoice)
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    assert shop.transactions(invoice)[0]["state"] == "done"
    (operation,) = shop.operations(transaction["reference"])
    assert (operation["state"], operation["contradicted"]) == ("approved", False)
    assert len(platform.books(transaction["reference"])) == 1


def test_cancelled(customer, shop, suite, platform, screenshot):
    """The customer gives up; the invoice stays open and says so; then pays after all."""
    invoice = shop.invoice()
    page = customer(invoice)
    page.get_by_role("button", name="Annuler").click()
    page.wait_for_url(re.compile(re.escape(suite.url)))
    suite.wait_until(lambda: shop.transactions(invoice)[0]["state"] == "cancel", what="the cancellation")
    if suite.context.series != "17.0":  # Odoo stays on its own page there, which says so
        told_nothing_was_paid(page, "annulé")
    screenshot(page, "portal-paybox-cancelled-fr")
    assert shop.state(invoice) == ("not_paid", 120)
    assert "annulé" in shop.chatter(invoice)
    page = customer(invoice)
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    assert [transaction["state"] for transaction in shop.transactions(invoice)] == ["cancel", "done"]


def test_window_closed(customer, shop, platform):
    """The customer pays and closes the window: the notification alone does it."""
    invoice = shop.invoice()
    page = customer(invoice)
    page.route(re.compile(r"/payment/paybox/return"), lambda route: route.abort())
    choose(page, "ok")
    shop.paid(invoice)
    assert shop.transactions(invoice)[0]["is_post_processed"]


def test_notification_after_the_return(customer, shop, suite, platform):
    """The browser is faster: the customer sees the paid invoice, the notification adds nothing."""
    platform.call("set", notify="after")
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    page.wait_for_timeout(2500)
    (transaction,) = shop.transactions(invoice)
    payments = shop.admin.call(
        "account.payment", "search_count", [("payment_transaction_id", "=", transaction["id"])]
    )
    assert payments == 1


def test_notification_many_times_at_once(customer, shop, suite, platform):
    """Twice in parallel, then twenty times: one payment."""
    platform.call("set", copies=2, parallel=True)
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    (transaction,) = shop.transactions(invoice)
    platform.call("notify", reference=transaction["reference"], copies=20, parallel=True)
    payments = shop.admin.call(
        "account.payment", "search_count", [("payment_transaction_id", "=", transaction["id"])]
    )
    assert payments == 1 and shop.alerts(transaction["reference"]) == []
    stored = shop.admin.call(
        "servipay.notification", "search_read", [("provider", "=", "paybox")], ["copies", "state"], limit=1
    )[0]
    assert stored["state"] == "processed" and stored["copies"] >= 22


def test_partial_payment(customer, shop, suite, platform):
    """A part of the invoice: a payment link of 50."""
    invoice = shop.invoice()
    currency = shop.read("account.move", invoice, "currency_id")["currency_id"][0]
    names = {"res_id": invoice, "res_model": "account.move", "amount": 50}
    wizard = shop.admin.json(
        "/web/dataset/call_kw/payment.link.wizard/create",
        model="payment.link.wizard",
        method="create",
        args=[{**names, "partner_id": shop.partner, "currency_id": currency, "amount_max": 120}],
        kwargs={},  # an active record would ask 18.0 for instalments that this invoice has not
    )
    wizard = wizard[0] if isinstance(wizard, list) else wizard
    link = shop.read("payment.link.wizard", wizard, "link")["link"]
    page = customer(invoice, submit=False)
    page.goto("/" + re.sub(r"^https?://[^/]+/*", "", link))
    choose_provider(page, "paybox")
    page.locator("button[name=o_payment_submit_button]:visible").first.click()
    page.get_by_text(PAGE).wait_for()
    choose(page, "ok")
    suite.wait_until(lambda: shop.state(invoice)[0] == "partial", what="the partly paid invoice")
    assert shop.state(invoice) == ("partial", 70)
    assert platform.books()[0]["amount"] == 5000


def test_paid_meanwhile(customer, shop, suite, platform):
    """Somebody records a payment while the customer is on the page: the money is booked, and told."""
    invoice = shop.invoice()
    page = customer(invoice)
    context = {"active_model": "account.move", "active_ids": [invoice]}
    wizard = shop.admin.call("account.payment.register", "create", {}, context=context)
    wizard = wizard[0] if isinstance(wizard, list) else wizard
    shop.admin.call("account.payment.register", "action_create_payments", [wizard], context=context)
    assert shop.state(invoice)[1] == 0
    choose(page, "ok")
    suite.wait_until(
        lambda: shop.transactions(invoice) and shop.alerts(shop.transactions(invoice)[0]["reference"]),
        what="the alert",
    )
    (transaction,) = shop.transactions(invoice)
    assert shop.alerts(transaction["reference"]) == ["already_paid"]
    assert transaction["payment_id"]


def test_unknown_reference(customer, shop, suite, platform):
    """The platform reports a payment of something else: nothing is booked, the accountant is told."""
    platform.call("set", reference="INV/GONE/77")
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    suite.wait_until(lambda: shop.alerts("INV/GONE/77"), what="the alert")
    assert shop.state(invoice) == ("not_paid", 120)
    assert shop.transactions(invoice)[0]["state"] == "draft"
    mails = shop.admin.call(
        "mail.mail", "search_read", [("model", "=", "servipay.alert")], ["subject", "email_to"]
    )
    assert any(
        "INV/GONE/77" in mail["subject"] and "Document payé introuvable" in mail["subject"] for mail in mails
    )


def test_wrong_amount(customer, shop, suite, platform):
    """The platform reports another amount: uncertain, told, and never booked."""
    platform.call("set", amount=1)
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    suite.wait_until(
        lambda: shop.alerts(shop.transactions(invoice)[0]["reference"]) == ["mismatch"], what="the alert"
    )
    (transaction,) = shop.transactions(invoice)
    assert shop.state(invoice) == ("not_paid", 120)
    assert shop.operations(transaction["reference"])[0]["state"] == "unknown"


def test_yen(customer, shop, suite, platform):
    """A currency without decimals."""
    invoice = shop.invoice(1500, "JPY")
    page = customer(invoice)
    choose(page, "ok")
    back(page, suite)
    shop.paid(invoice)
    (charge,) = platform.books()
    assert (charge["amount"], charge["currency"]) == (1500, "392")


def test_forged(customer, shop, suite, platform):
    """A notification that somebody else signed changes nothing."""
    platform.call("set", sign="stranger")
    invoice = shop.invoice()
    page = customer(invoice)
    choose(page, "ok")
    page.wait_for_url(re.compile(re.escape(suite.url)))
    assert shop.transactions(invoice)[0]["state"] == "draft"
    assert shop.state(invoice) == ("not_paid", 120)


def test_accountant(customer, shop, suite, platform, page, login, speaks, screenshot):
    """The list by day, the links, and half of an invoice refunded with its credit note."""
    invoice = shop.invoice()
    choose(customer(invoice), "ok")
    back(page, suite)
    shop.paid(invoice)
    platform.call("remit")
    (transaction,) = shop.transactions(invoice)
    note = credit_note(shop, invoice, 60)
    accountant = suite.user("accountant")
    refund(suite, accountant, transaction["payment_id"][0], 60)
    suite.wait_until(lambda: platform.books(transaction["reference"])[0]["refunds"], what="the refund")
    (charge,) = platform.books(transaction["reference"])
    assert [part["amount"] for part in charge["refunds"]] == [6000]
    suite.wait_until(
        lambda: shop.state(note) in (("paid", 0), ("in_payment", 0)), what="the reconciled credit note"
    )

    login(page, "accountant")
    for language in ("en", "fr"):
        speaks("accountant", language)
        page.goto("/web#action=payment_paybox.servipay_operation_action")
        page.reload()
        page.locator(".o_group_header").first.click()
        page.locator(".o_data_row").first.wait_for()
        page.wait_for_timeout(800)
        screenshot(page, f"paybox-operations-{language}")
    header = page.locator(".o_group_header").first.inner_text()
    assert re.search(r"\d", header)
    page.locator(".o_data_row td[name=reference]", has_text=transaction["reference"]).first.click()
    page.locator("button[name=action_open_account_payment]").wait_for()
    page.locator("button[name=action_open_invoices]").wait_for()
    page.locator("button[name=action_open_journal_items]").wait_for()
    page.wait_for_timeout(800)
    screenshot(page, "paybox-operation-fr")


def credit_note(shop, invoice, amount):
    """Return the id of a posted credit note of an invoice."""
    journal = shop.read("account.move", invoice, "journal_id")["journal_id"][0]
    context = {"active_model": "account.move", "active_ids": [invoice]}
    wizard = shop.admin.call(
        "account.move.reversal", "create", {"reason": "half", "journal_id": journal}, context=context
    )
    wizard = wizard[0] if isinstance(wizard, list) else wizard
    action = shop.admin.call("account.move.reversal", "refund_moves", [wizard], context=context)
    note = action["res_id"]
    lines = shop.read("account.move", note, "invoice_line_ids")["invoice_line_ids"]
    shop.admin.call(
        "account.move", "write", [note], {"invoice_line_ids": [(1, lines[0], {"price_unit": amount})]}
    )
    shop.admin.call("account.move", "action_post", [note])
    return note


def refund(suite, user, payment, amount):
    """Refund a payment as the wizard on it does."""
    context = {"active_id": payment, "active_ids": [payment], "active_model": "account.payment"}
    wizard = user.call(
        "payment.refund.wizard",
        "create",
        {"payment_id": payment, "amount_to_refund": amount},
        context=context,
    )
    wizard = wizard[0] if isinstance(wizard, list) else wizard
    user.call("payment.refund.wizard", "action_refund", [wizard], context=context)


def test_provider_form(page, suite, login, language, screenshot):
    """The administrator's form in English and French; no key comes back to the browser."""
    number = suite.user("admin").call("payment.provider", "search", [("code", "=", "paybox")], limit=1)[0]
    login(page, "admin")
    page.goto(f"/web#id={number}&action=payment.action_payment_provider&view_type=form")
    page.reload()
    page.locator("div[name=paybox_site]").wait_for()
    page.wait_for_timeout(800)
    screenshot(page, f"paybox-provider-{language}")
    assert "0123456789ABCDEF" not in page.content()
    page.locator("button[name=action_paybox_check]").click()
    page.locator(".o_notification").first.wait_for()
    page.mouse.move(400, 700)
    page.wait_for_timeout(500)
    screenshot(page, f"paybox-check-{language}")
