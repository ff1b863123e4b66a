"""A shop whose portal customers pay invoices online: what the browser tests of all providers share."""

import re

PAGE = "Valider le paiement"  # the button of the simulators' payment pages


class Shop:
    """Invoices of the portal's customer, through the API of the administrator."""

    def __init__(self, suite):
        self.suite, self.admin = suite, suite.user("admin")
        self.partner = self.admin.call(
            "res.users", "search_read", [("login", "=", "portal")], ["partner_id"]
        )[0]["partner_id"][0]

    def invoice(self, amount=120.0, currency=None):
        """Return the id of a new posted invoice."""
        values = {
            "move_type": "out_invoice",
            "partner_id": self.partner,
            "invoice_date": "2026-01-15",
            "invoice_line_ids": [(0, 0, {"name": "Buffet", "price_unit": amount, "tax_ids": [(5, 0, 0)]})],
        }
        if currency:
            found = self.admin.call(
                "res.currency", "search", [("name", "=", currency), ("active", "in", (True, False))]
            )
            self.admin.call("res.currency", "write", found, {"active": True})
            values["currency_id"] = found[0]
        number = self.admin.call("account.move", "create", [values])[0]
        self.admin.call("account.move", "action_post", [number])
        return number

    def open_invoice(self):
        """Return the id of an invoice of 120.00 that nobody has begun to pay; the demo's own is oldest."""
        domain = [
            ("partner_id", "=", self.partner),
            ("state", "=", "posted"),
            ("payment_state", "=", "not_paid"),
            ("amount_residual", "=", 120),
            ("transaction_ids", "=", False),
        ]
        return self.admin.call("account.move", "search", domain, order="id", limit=1)[0]

    def read(self, model, number, *names):
        """Return field values."""
        return self.admin.call(model, "read", [number], list(names))[0]

    def state(self, invoice):
        """Return (payment_state, what is open)."""
        found = self.read("account.move", invoice, "payment_state", "amount_residual")
        return found["payment_state"], found["amount_residual"]

    def transactions(self, invoice):
        """Return the transactions of an invoice, oldest first."""
        names = ["reference", "state", "amount", "payment_id", "is_post_processed"]
        return self.admin.call(
            "payment.transaction", "search_read", [("invoice_ids", "in", invoice)], names, order="id"
        )

    def operations(self, reference):
        """Return the operations of a payment."""
        names = ["state", "kind", "reason", "amount", "contradicted"]
        return self.admin.call("servipay.operation", "search_read", [("reference", "=", reference)], names)

    def chatter(self, invoice):
        """Return the texts of an invoice's history."""
        domain = [("model", "=", "account.move"), ("res_id", "=", invoice)]
        return " | ".join(
            message["body"] for message in self.admin.call("mail.message", "search_read", domain, ["body"])
        )

    def alerts(self, reference):
        """Return the kinds of alerts about a payment."""
        found = self.admin.call("servipay.alert", "search_read", [("reference", "=", reference)], ["kind"])
        return [alert["kind"] for alert in found]

    def paid(self, invoice):
        """Wait until an invoice is paid."""
        self.suite.wait_until(
            lambda: self.state(invoice)[0] in ("paid", "in_payment"), what="the paid invoice"
        )

    def pay(self, page, invoice, code, submit=True, kind="payment_method"):
        """Take the portal customer, who is logged in, from an invoice to the payment page of a provider."""
        # as the list on the portal and the e-mail link to it: with the invoice's token
        page.goto(self.admin.call("account.move", "get_portal_url", [invoice]))
        page.locator("a[data-bs-target='#pay_with'], a[data-target='#pay_with']").first.click()
        choose_provider(page, code, kind)
        if submit:
            self.submit(page)
        return page

    def submit(self, page):
        """Press the button of the payment dialogue."""
        page.locator("#pay_with button[name=o_payment_submit_button]:visible").first.click()


def choose_provider(page, code, kind="payment_method"):
    """Choose a provider's means of payment; kind: "token" for a saved card."""
    radio = f"input[name=o_payment_radio][data-payment-option-type={kind}]"
    option = page.locator(f"{radio}[data-provider-code={code}]").first
    option.wait_for(state="attached")
    page.locator("button[name=o_payment_submit_button]:visible").first.wait_for()
    # the dialogue fades in: a click on a busy machine may hit where the button was
    for _click in range(10):
        option.click(force=True)
        if option.is_checked():
            return
        page.wait_for_timeout(300)
    raise AssertionError(f"{code} cannot be chosen")


def payer(page, shop, login, code):
    """Return a function that takes the portal's customer from an invoice to the page of a provider."""
    login(page, "portal")

    def to_the_page(invoice, submit=True):
        shop.pay(page, invoice, code, submit)
        if submit:
            page.get_by_text(PAGE).wait_for()
        return page

    return to_the_page


def choose(page, choice):
    """Let the bank answer: "ok", "pending", "timeout", a code of the platform."""
    page.select_option("#choice", choice)
    page.get_by_text(PAGE).click()


def back(page, suite):
    """Wait until the browser is in the shop again, on the invoice."""
    page.wait_for_url(re.compile(re.escape(suite.url) + r"/(\w\w/)?my/invoices/"), timeout=40_000)


def told_nothing_was_paid(page, why):
    """Wait until a telephone's customer reads on the invoice why, and sees it without scrolling."""
    page.set_viewport_size({"width": 390, "height": 844})
    told = page.locator(".servipay_took_nothing", has_text=why)
    told.wait_for()
    box = told.bounding_box()
    assert box["y"] + box["height"] < 844
    assert box["x"] + box["width"] <= 390


def check_journal(shop, invoice, payment):
    """The payment is booked in the bank journal and reconciled with the invoice."""
    found = shop.read("account.payment", payment, "journal_id", "move_id", "is_reconciled", "amount")
    assert shop.read("account.journal", found["journal_id"][0], "type")["type"] == "bank"
    assert found["amount"] == 120 and found["move_id"]
    lines = shop.admin.call(
        "account.move.line",
        "search_read",
        [("move_id", "in", (found["move_id"][0], invoice)), ("account_type", "=", "asset_receivable")],
        ["reconciled", "full_reconcile_id"],
    )
    assert len(lines) == 2 and all(line["reconciled"] for line in lines)
    assert len({line["full_reconcile_id"][0] for line in lines}) == 1
