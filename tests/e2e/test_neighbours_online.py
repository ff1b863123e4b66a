"""Quotations, carts and tills' orders that are paid online, beside Odoo's sales and QR payment. Real HTTP."""

import re
import shutil
import urllib.parse
import urllib.request

import pytest
from lxml import html

from tools.running import RpcError
from tools.shopfloor import Platform


class Counter:
    """Orders, and customers who pay them on Paybox's page in as many tabs as they like."""

    def __init__(self, suite):
        self.suite, self.admin = suite, suite.user("admin")
        self.platform = Platform(suite, "payment_paybox")
        self.platform.call("reset")
        domain = [("code", "=", "paybox"), ("state", "!=", "disabled")]
        self.provider = self.admin.call("payment.provider", "search", domain)[0]
        self.method = self.admin.call("payment.method", "search", [("code", "=", "card")])[0]
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)

    def order(self, amount):
        """Return the id of a quotation."""
        domain = [("login", "=", "portal")]
        partner = self.admin.call("res.users", "search_read", domain, ["partner_id"])[0]["partner_id"][0]
        product = self.admin.call("product.product", "create", [{"name": "Buffet", "list_price": amount}])
        taxes = "tax_ids" if self.suite.context.series == "19.0" else "tax_id"
        line = {"product_id": product[0], "product_uom_qty": 1, "price_unit": amount, taxes: [(5, 0, 0)]}
        values = {"partner_id": partner, "order_line": [(0, 0, line)], "require_payment": True}
        return self.admin.call("sale.order", "create", [values])[0]

    def form(self, route, token, amount):
        """Begin a payment; returns (address, fields) of the form that leads to the platform."""
        answer = self.admin.json(
            route,
            access_token=token,
            provider_id=self.provider,
            payment_method_id=self.method,
            token_id=None,
            amount=amount,
            flow="redirect",
            tokenization_requested=False,
            landing_route="/my",
        )
        found = html.fromstring(answer["redirect_form_html"]).xpath("//form")[0]
        fields = [(one.get("name"), one.get("value")) for one in found.xpath(".//input[@type='hidden']")]
        return answer["reference"], (found.get("action"), fields)

    def begin(self, order, amount):
        """Begin to pay a quotation in a tab; returns (reference, form)."""
        self.admin.call("sale.order", "get_portal_url", [order])
        token = self.read("sale.order", order, "access_token")["access_token"]
        return self.form(f"/my/orders/{order}/transaction", token, amount)

    def attach_pdfs(self, wanted):
        """Let mails about orders have their PDF, which this machine may have no program for."""
        domain = [("report_name", "=", "sale.report_saleorder")]
        reports = self.admin.call("ir.actions.report", "search", domain)
        templates = self.admin.call("mail.template", "search", [("model", "=", "sale.order")])
        values = {"report_template_ids": [(6, 0, reports if wanted else [])]}
        self.admin.call("mail.template", "write", templates, values)

    def pay(self, begun, wait=True):
        """Pay on the platform's page, and wait until the payment is booked."""
        reference, (address, fields) = begun
        page = self.opener.open(address, urllib.parse.urlencode(fields).encode(), timeout=60)
        found = html.fromstring(page.read().decode()).xpath("//form")[0]
        data = {one.get("name"): one.get("value") for one in found.xpath(".//input") if one.get("name")}
        data.update(choice="ok", action="pay")
        target = urllib.parse.urljoin(page.url, found.get("action"))
        self.opener.open(target, urllib.parse.urlencode(data).encode(), timeout=60)
        if wait:
            self.suite.wait_until(lambda: self.booked(reference), what=f"the booking of {reference}")

    def booked(self, reference):
        """Tell whether a payment is done and booked."""
        domain = [("reference", "=", reference)]
        found = self.admin.call("payment.transaction", "search_read", domain, ["state", "is_post_processed"])
        return [(one["state"], one["is_post_processed"]) for one in found] == [("done", True)]

    def read(self, model, number, *names):
        """Return field values."""
        return self.admin.call(model, "read", [number], list(names))[0]

    def alerts(self, model, number):
        """Return the kinds of alerts about a document."""
        domain = [("res_model", "=", model), ("res_id", "=", number)]
        found = self.admin.call("servipay.alert", "search_read", domain, ["kind", "detail", "count"])
        return [(one["kind"], one["count"]) for one in found]

    def activities(self, model, number):
        """Return the titles of the activities on a document."""
        domain = [("res_model", "=", model), ("res_id", "=", number)]
        found = self.admin.call("mail.activity", "search_read", domain, ["summary"])
        return [one["summary"] for one in found]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The way back is the customer's browser's."""

    def http_error_302(self, request, response, code, message, headers):
        """Return the answer itself."""
        return response

    http_error_303 = http_error_302


@pytest.fixture
def counter(neighbours):
    """Orders and their customers."""
    found = Counter(neighbours)
    found.attach_pdfs(False)
    return found


def test_quotation_that_is_paid_in_two_tabs_is_told(counter):
    order = counter.order(185)
    first, second = counter.begin(order, 185), counter.begin(order, 185)
    counter.pay(first)
    assert counter.read("sale.order", order, "state")["state"] == "sale"
    assert counter.alerts("sale.order", order) == []
    counter.pay(second)
    assert counter.alerts("sale.order", order) == [("already_paid", 1)]
    assert len(counter.activities("sale.order", order)) == 1


def test_quotation_that_is_paid_in_parts_is_not_told(counter):
    order = counter.order(185)
    stale = counter.begin(order, 10)
    for amount in (100, 85):
        counter.pay(counter.begin(order, amount))
    assert counter.alerts("sale.order", order) == []
    with pytest.raises(RpcError, match="already paid"):
        counter.begin(order, 10)
    counter.pay(stale)
    assert counter.alerts("sale.order", order) == [("already_paid", 1)]


def test_order_that_was_cancelled_while_its_customer_paid_is_told(counter):
    order = counter.order(37)
    begun = counter.begin(order, 37)
    counter.admin.call("sale.order", "write", [order], {"state": "cancel"})
    counter.pay(begun)
    assert counter.read("sale.order", order, "state")["state"] == "cancel"
    assert counter.alerts("sale.order", order) == [("document_cancelled", 1)]


def test_history_of_the_order_says_what_was_paid(counter):
    order = counter.order(40)
    counter.pay(counter.begin(order, 40))
    domain = [("model", "=", "sale.order"), ("res_id", "=", order)]
    bodies = [one["body"] for one in counter.admin.call("mail.message", "search_read", domain, ["body"])]
    assert any(re.search(r"Paiement en ligne accepté|Online payment accepted", body) for body in bodies)


@pytest.mark.skipif(bool(shutil.which("wkhtmltopdf")), reason="this machine can make PDFs")
def test_confirmation_that_another_addon_stops_is_told_and_made_later(counter):
    """No means to make the confirmation's PDF: sale raises above our own code, and books nothing."""
    counter.attach_pdfs(True)
    order = counter.order(50)
    reference, form = counter.begin(order, 50)
    counter.pay((reference, form), wait=False)
    counter.suite.wait_until(lambda: counter.alerts("sale.order", order), what="the alert")
    assert counter.alerts("sale.order", order) == [("not_booked", 1)]
    assert counter.read("sale.order", order, "state")["state"] == "draft"
    counter.attach_pdfs(False)
    jobs = counter.admin.call("ir.cron", "search", [("cron_name", "like", "Paybox: tell about")])
    values = {"last_state_change": "2020-01-01 00:00:00", "servipay_book_again_at": False}
    found = counter.admin.call("payment.transaction", "search", [("reference", "=", reference)])
    counter.admin.call("payment.transaction", "write", found, values)
    counter.admin.call("ir.cron", "method_direct_trigger", jobs)
    assert counter.booked(reference)
    assert counter.read("sale.order", order, "state")["state"] == "sale"


def test_till_order_that_is_paid_by_two_phones_is_told(counter):
    """A guest's order at the table, paid by QR code on two phones."""
    order = draft_order(counter, 55.5)
    token = counter.read("pos.order", order, "access_token")["access_token"]
    first = counter.form(f"/pos/pay/transaction/{order}", token, 55.5)
    second = counter.form(f"/pos/pay/transaction/{order}", token, 55.5)
    counter.pay(first)
    assert counter.alerts("pos.order", order) == []
    counter.pay(second)
    assert counter.alerts("pos.order", order) == [("already_paid", 1)]


def draft_order(counter, amount):
    """Return a till's open order whose guest may pay by QR code."""
    call = counter.admin.call
    method = call("pos.payment.method", "search", [("is_online_payment", "=", True)])
    if not method:
        method = call("pos.payment.method", "create", [{"name": "QR", "is_online_payment": True}])
    values = {"name": "Terrace", "payment_method_ids": [(6, 0, method[:1])]}
    config = call("pos.config", "create", [values])[0]
    call("pos.config", "open_ui", [config])
    session = counter.read("pos.config", config, "current_session_id")["current_session_id"][0]
    begin = "set_cashbox_pos" if counter.suite.context.series == "17.0" else "set_opening_control"
    call("pos.session", begin, [session], 0, "")
    product = call("product.product", "create", [{"name": "Menu", "type": "service"}])[0]
    line = {
        **{"product_id": product, "qty": 1, "price_unit": amount, "tax_ids": [(5, 0, 0)], "name": "x"},
        **{"price_subtotal": amount, "price_subtotal_incl": amount},
    }
    money = {"amount_total": amount, "amount_tax": 0, "amount_paid": 0, "amount_return": 0}
    return call("pos.order", "create", [{"session_id": session, "lines": [(0, 0, line)], **money}])[0]
