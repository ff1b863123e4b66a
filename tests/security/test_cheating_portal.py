"""A portal customer with the browser's tools: each way to an invoice that is not paid is refused, or told."""

import contextlib
import uuid

import pytest
from cheating import at_once
from portal import RETURNS, Browser

from tools.running import RpcError

pytestmark = pytest.mark.usefixtures("true_books")
# what JSON can say instead of an amount above zero
NOTHING = (
    0,
    -5,
    -0.01,
    0.004,
    1e-300,
    float("nan"),
    float("inf"),
    float("-inf"),
    None,
    False,
    [],
    {},
    "",
    "-5",
)


@pytest.fixture(params=["paybox", "ogone"])
def code(request):
    """Each provider of online payments."""
    return request.param


def paid_after_all(market, browser, invoice, code, form=None):
    """After whatever was tried the customer pays honestly, and it is booked once."""
    browser.pay(form or browser.start(invoice, code))
    market.paid(invoice, 120)


# --- which provider


@pytest.mark.parametrize("wrong", ["unpublished", "disabled", "foreign"])
def test_provider_that_is_not_offered(market, customer, code, wrong):
    """A test account beside the real one, one that is switched off, another company's: by its number."""
    invoice, number = market.invoice(), market.providers[code][wrong]
    for browser in (customer, Browser(market, None), Browser(market, "mallory")):
        browser.refused(invoice, code, provider_id=number)
        for flow in ("direct", "token"):
            with contextlib.suppress(AssertionError, RpcError):
                browser.press_pay(invoice, code, provider_id=number, flow=flow)
    market.unpaid(invoice)
    paid_after_all(market, customer, invoice, code)


def test_cashier_with_the_test_account(market, code):
    """Somebody who works here has the link of an invoice too, and nothing to do with how it is paid."""
    invoice = market.invoice()
    Browser(market, "cashier").refused(invoice, code, provider_id=market.providers[code]["unpublished"])
    market.unpaid(invoice)


def test_provider_that_is_none(market, customer, code):
    """Numbers that are no provider's."""
    invoice = market.invoice()
    for number in (0, -1, 2**31 - 1, 2**63, None, "1 OR 1=1"):
        with pytest.raises(RpcError):
            customer.press_pay(invoice, code, provider_id=number)
    market.unpaid(invoice)


# --- how much


def test_amount_that_is_none(market, customer, code):
    """Zero, less, almost nothing, no number."""
    invoice = market.invoice()
    for amount in NOTHING:
        with pytest.raises(RpcError):
            customer.press_pay(invoice, code, amount=amount)
    with pytest.raises(RpcError):
        customer.press_pay(invoice, code, is_validation=True)  # Odoo lets the provider name the amount: zero
    assert market.references(invoice) == []
    paid_after_all(market, customer, invoice, code)


@pytest.mark.parametrize("amount", [1, 0.01, 119.99])
def test_amount_lowered(market, customer, code, amount):
    """A part is paid: the rest stays open."""
    invoice = market.invoice()
    customer.pay(customer.start(invoice, code, amount=amount))
    market.suite.wait_until(lambda: market.booked(invoice) == [amount], 40, "the part")
    assert round(market.left(invoice), 2) == round(120 - amount, 2)
    customer.pay(customer.start(invoice, code))
    market.suite.wait_until(lambda: market.left(invoice) == 0, 40, "the rest")


def test_amount_raised(market, customer, code):
    """More than is due: booked as it was taken, the rest is told."""
    invoice = market.invoice()
    customer.pay(customer.start(invoice, code, amount=500))
    market.suite.wait_until(lambda: market.booked(invoice) == [500], 40, "the payment")
    assert "not_reconciled" in market.told(invoice)


def test_amount_between_cents(market, customer, code):
    """A hundredth of a cent less is no discount."""
    invoice = market.invoice()
    customer.pay(customer.start(invoice, code, amount=119.996))
    market.paid(invoice, 120)


def test_values_that_are_not_the_customers(market, customer, code):
    """Currency, customer, reference, document and state are not chosen by the browser."""
    invoice, other = market.invoice(), market.invoice(5)
    yen = market.admin.call("res.currency", "search", [("name", "=", "JPY"), ("active", "in", (True, False))])
    for values in (
        {"currency_id": yen[0]},
        {"partner_id": market.partners["mallory"]},
        {"reference_prefix": "X"},
        {"payment_reference": "X"},
        {"custom_create_values": {"state": "done"}},
        {"invoice_ids": [other]},
        {"company_id": market.facts["other_company"]},
        {"operation": "online_token"},
    ):
        customer.refused(invoice, code, **values)
    market.unpaid(invoice)


def test_link_of_another_invoice(market, customer, code):
    """The link of a small invoice does not open a large one of somebody else, nor does a piece of it."""
    own, other = market.invoice(5, "mallory"), market.invoice()
    mallory, token = Browser(market, "mallory"), market.token_of(other)
    for wrong in (market.token_of(own), token[:-1], token.upper(), "", None, "%"):
        mallory.refused(other, code, access_token=wrong)
        Browser(market, None).refused(other, code, access_token=wrong)
    paid_after_all(market, customer, other, code)


# --- the signed form


FORMS = {
    "paybox": (
        *({"PBX_TOTAL": "100"}, {"PBX_DEVISE": "392"}, {"PBX_CMD": "INV/OTHER"}, {"PBX_SITE": "1999887"}),
        *({"PBX_HMAC": None}, {"PBX_REPONDRE_A": "http://127.0.0.1:9/"}, {"PBX_AUTOSEULE": "O"}),
        *({"PBX_RETOUR": "Mt:M;Ref:R;Sign:K"}, {"PBX_TOTAL": None}, {"PBX_ERRORCODETEST": "00000"}),
        *({"PBX_HASH": "SHA256"}, {"PBX_EFFECTUE": "http://127.0.0.1:9/"}),
    ),
    "ogone": (
        *({"AMOUNT": "100"}, {"CURRENCY": "JPY"}, {"ORDERID": "INV-OTHER"}, {"PSPID": "somebody"}),
        *({"SHASIGN": None}, {"ACCEPTURL": "http://127.0.0.1:9/"}, {"OPERATION": "RES"}, {"ALIAS": "X"}),
        *({"amount": "100"}, {"PARAMVAR": "x"}, {"AMOUNT": None}, {"COMPLUS": "x"}),
    ),
}


def test_form_changed(market, customer, code):
    """The platform refuses what was not signed; then the form as it was pays."""
    invoice = market.invoice()
    form = customer.start(invoice, code)
    for values in FORMS[code]:
        assert customer.open(form.changed(**values)) is None, values
    assert market.taken(code, form.reference) == []
    market.unpaid(invoice)
    paid_after_all(market, customer, invoice, code, form)


def test_form_of_another_invoice(market, customer, code):
    """Two forms of one customer, the signature of the small one under the large one."""
    small, large = market.invoice(1), market.invoice()
    forms = [customer.start(invoice, code) for invoice in (small, large)]
    for name, value in forms[0].pairs:
        if dict(forms[1].pairs).get(name) != value:
            assert customer.open(forms[1].changed(**{name: value})) is None, name
    customer.pay(forms[0])
    market.paid(small, 1)
    market.unpaid(large)


# --- the same payment twice


def test_stale_tab(market, code):
    """Paid in one tab; a moment later, and after it is booked, the other one presses Pay, at any provider."""
    invoice, one, other = market.invoice(), Browser(market), Browser(market)
    one.pay(one.start(invoice, code), back=False)
    market.suite.wait_until(lambda: market.states(invoice) != ["draft"], 20, "the message")
    for _time in range(3):
        for provider in RETURNS:
            other.refused(invoice, provider)
            Browser(market, None).refused(invoice, provider)
        one.user.json("/payment/status/poll") if market.left(invoice) else None
    market.paid(invoice, 120)
    other.refused(invoice, code, amount=120)
    assert len(market.booked(invoice)) == 1


def test_page_of_a_paid_invoice_offers_nothing(market, customer, code):
    """The customer does not come back from the bank: the portal stops offering Pay Now by itself, soon."""
    invoice = market.invoice()
    address = f"/my/invoices/{invoice}?access_token={market.token_of(invoice)}"
    assert "#pay_with" in customer.user.get(address)[1]
    customer.pay(customer.start(invoice, code), back=False)
    market.suite.wait_until(lambda: "#pay_with" not in customer.user.get(address)[1], 15, "the paid page")
    market.paid(invoice, 120)


@pytest.mark.parametrize("codes", [("paybox", "paybox"), ("ogone", "ogone"), ("paybox", "ogone")])
def test_two_tabs_at_once(market, codes):
    """Both pages are open and both are paid: both are booked, and people are told of the second."""
    invoice, browsers = market.invoice(), [Browser(market) for _code in codes]
    works = [
        lambda one=one, code=code: one.start(invoice, code) for one, code in zip(browsers, codes, strict=True)
    ]
    forms = [found for found in at_once(*works) if not isinstance(found, RpcError)]
    assert forms
    pages = [browsers[0].open(form) for form in forms]
    at_once(*[lambda page=page: browsers[0].come_back(browsers[0].click(page)) for page in pages])
    market.suite.wait_until(lambda: len(market.booked(invoice)) == len(forms), 40, "both payments")
    assert market.left(invoice) == 0
    assert ("already_paid" in market.told(invoice)) == (len(forms) > 1)


def test_page_paid_twice(market, customer, code):
    """One form in two windows of the platform: it takes the money once, and so does the shop."""
    invoice = market.invoice()
    form = customer.start(invoice, code)
    pages = [customer.open(form) for _time in range(2)]
    at_once(*[lambda page=page: customer.click(page) for page in pages])
    market.suite.wait_until(lambda: market.left(invoice) == 0, 40, "the paid invoice")
    market.quiet()
    market.later()  # the second message waited for what the first one is worth
    taken = market.taken(code, form.reference)
    assert len(market.booked(invoice)) == 1
    assert len(taken) == 1 or "paid_twice" in market.told(invoice)


# --- what belongs to somebody else


def test_status_of_somebody_else(market, customer, code):
    """A session sees its own payment: no parameter, no number makes it another's."""
    invoice, mallory = market.invoice(), Browser(market, "mallory")
    form = customer.start(invoice, code)
    number = market.newest()
    for values in (
        {"tx_id": number},
        {"monitored_tx_id": number},
        {"id": number, "reference": form.reference},
    ):
        with contextlib.suppress(RpcError):
            assert not mallory.user.json("/payment/status/poll", **values)["landing_route"]
    own = market.invoice(7, "mallory")
    mallory.start(own, code)
    seen = mallory.user.json("/payment/status/poll", tx_id=number, reference=form.reference)
    assert f"/{own}?" in seen["landing_route"]
    token = market.token_of(own)
    for query in (f"tx_id={number}", f"tx_id={number}&access_token={token}", f"monitored_tx_id={number}"):
        for page in ("/payment/status", "/payment/confirmation"):
            _status, text = mallory.user.get(f"{page}?{query}")
            assert form.reference not in text and market.token_of(invoice) not in text
    market.unpaid(invoice)
    paid_after_all(market, customer, invoice, code, form)


@pytest.mark.parametrize("way", ["start_overdue", "start_anything"])
def test_reference_like_somebody_elses(market, customer, code, way):
    """An invoice whose number is no platform's: another customer picks the name that it will be given."""
    name = f"FAC 2026 {market.newest():05d}"
    invoice = market.invoice(name=name, journal_id=journal_of_its_own(market))
    due = market.invoice(login="eve", invoice_date_due="2026-01-20")
    begin = chooser(Browser(market, "eve"), code, way)
    if not begin("where am I?"):
        pytest.skip("this series has no such route")
    safe = name.replace(" ", "-")
    chosen = [name, safe, f"{name} ", name.lower(), name.replace(" ", "\u00a0")]
    first = market.newest() + len(chosen)
    chosen += [f"{mark}-{first + at}-{safe}" for at in range(1, 9) for mark in ("TX", "tx")]
    forms = [begin(reference) for reference in chosen]
    form = customer.start(invoice, code)
    forms += [
        begin(reference) for reference in (form.reference, f"{form.reference} ", form.reference.lower())
    ]
    names = [one.reference.casefold() for one in (form, *filter(None, forms))]
    assert len(set(names)) == len(names)
    paid_after_all(market, customer, invoice, code, form)
    assert market.left(due) == 120


def journal_of_its_own(market):
    """Return the id of a journal whose numbers other invoices do not follow."""
    values = {"name": "Factures", "code": f"F{uuid.uuid4().hex[:4].upper()}", "type": "sale"}
    created = market.admin.call("account.journal", "create", [values])
    return created[0] if isinstance(created, list) else created


def chooser(browser, code, way):
    """Return a function that begins a payment under a reference; the Form, or None when that is refused."""

    def begin(reference):
        try:
            return getattr(browser, way)(code, reference, 120.0)
        except (RpcError, OSError):
            return None

    return begin
