"""A till in a browser: the steps that every series shares."""

import json
import re
import urllib.request

PRODUCTS = {"Tarte aux pommes": 18.5, "Café": 2.0}
POS = "odoo.__WOWL_DEBUG__.root.env.services.pos"
PAID = ".receipt-screen, .feedback-screen"


class Till:
    """One browser page with the point of sale open.

    :param suite: the RunningSuite
    :param login: who works there; the page must be logged in as that user
    """

    def __init__(self, page, suite, config="Comptoir"):
        self.page, self.suite = page, suite
        self.admin = suite.user("admin")
        self.config_id = self.admin.call("pos.config", "search", [("name", "=", config)])[0]
        self.since = 0  # id of the newest operation that is not looked at

    def open(self, orphans=False):
        """Open the session when it is closed, and the till.

        orphans: let it speak of what earlier tests have paid in no order.
        """
        url = self.admin.call("pos.config", "open_ui", [self.config_id])["url"]
        session = self.admin.call(
            "pos.session",
            "search_read",
            [("config_id", "=", self.config_id), ("state", "!=", "closed")],
            ["state"],
        )[0]
        if session["state"] == "opening_control":
            opening = "set_opening_control" if self.suite.context.series != "17.0" else "set_cashbox_pos"
            self.admin.call("pos.session", opening, [session["id"]], 0, "")
        self.session_id = session["id"]
        if not orphans:
            self.disown()
        self.page.goto(url)
        self.ready()
        return self

    def disown(self, states=("approved",)):
        """Take what was paid in no order out of the session: tests share it, and a till speaks of it.

        :param states: of those operations; "unknown" too when the test that made them is over
        """
        listed = ", ".join(f"'{state}'" for state in states)
        recorded = "SELECT servipay_operation_id FROM pos_payment WHERE servipay_operation_id IS NOT NULL"
        self.suite.sql(
            "UPDATE servipay_operation SET pos_session_id = NULL, pos_config_id = NULL "
            f"WHERE pos_config_id = {self.config_id} AND state IN ({listed}) "
            f"AND id NOT IN ({recorded}) RETURNING id"
        )

    def forget(self):
        """Look only at operations that begin from now on: tests share a session."""
        newest = self.admin.call("servipay.operation", "search", [], limit=1, order="id desc")
        self.since = max(newest, default=0)

    def ready(self):
        """Wait until the till can sell."""
        self.page.locator(".product-screen, .payment-screen").first.wait_for(timeout=40_000)

    def sell(self, product="Tarte aux pommes"):
        """Put a product into the order and go to the payment screen."""
        self.page.locator("article.product .product-name", has_text=product).first.click()
        self.page.locator(".product-screen .pay-order-button:visible").first.click()
        self.page.locator(".payment-screen .paymentmethods").wait_for()

    def pay(self, method="Carte (PayperCloud)"):
        """Choose a method; the amount goes to the terminal."""
        self.page.locator(".paymentmethods .paymentmethod", has_text=method).first.click()
        send = self.page.locator(".send_payment_request:visible")
        if self.suite.context.series == "17.0":
            send.first.click()

    def receipt(self):
        """Wait for the receipt: the order is paid and recorded."""
        self.page.locator(PAID).first.wait_for()

    def next_order(self):
        """Leave the receipt."""
        self.page.locator(".button.next, .validation-button, .feedback-screen").first.click()
        self.page.locator(".product-screen").wait_for()

    def operations(self, **fields):
        """Return this session's operations since ``forget``, newest first."""
        names = ["name", "state", "kind", "amount", "approved_amount", "pos_order_name", "idempotency_key"]
        domain = [("pos_session_id", "=", self.session_id), ("id", ">", self.since)]
        domain += [(name, "=", value) for name, value in fields.items()]
        return self.admin.call("servipay.operation", "search_read", domain, names)

    def deal_with_orphans(self):
        """Let a manager deal with what is in no order, so that the next till does not begin with a dialog."""
        orphans = self.admin.call("servipay.operation", "search", [("pos_difference", "!=", 0)])
        if orphans:
            self.admin.call("servipay.operation", "action_pos_dealt_with", orphans)

    def newest(self, state=None, **fields):
        """Return the newest operation, None when it is not in a state."""
        newest = self.operations(**fields)[:1]
        return newest[0] if newest and state in (None, newest[0]["state"]) else None

    def until(self, state, **fields):
        """Wait until the newest operation is in a state and return it."""
        return self.suite.wait_until(
            lambda: self.newest(state, **fields), what=f"an operation that is {state}"
        )

    def recorded(self, operation, amount):
        """Wait until a payment of an amount carries an operation."""
        domain = [("servipay_operation_id", "=", operation["id"]), ("amount", "=", amount)]
        self.suite.wait_until(
            lambda: self.admin.call("pos.payment", "search_count", domain), what="the record"
        )

    def line(self, key):
        """Return [status, amount] of the payment line that bears a key, None when there is none."""
        return self.page.evaluate(
            f"""key => {{
                const line = {POS}.servipay.lineOf(key);
                return line && [line.payment_status, line.amount];
            }}""",
            key,
        )

    def orders(self, paid=False):
        """Open the orders screen."""
        self.page.evaluate(
            f"""filter => {{
                const pos = {POS};
                const props = pos.models ? {{stateOverride: {{filter}}}} : {{ui: {{filter}}}};
                pos.navigate ? pos.navigate("TicketScreen", props) : pos.showScreen("TicketScreen", props);
            }}""",
            "SYNCED" if paid else "ACTIVE_ORDERS",
        )
        self.page.locator(".ticket-screen").wait_for()

    def refund(self, price, method="Carte (PayperCloud)"):
        """Give the newest order with a price back, as a cashier does, with a method."""
        self.orders(paid=True)
        screen = self.page.locator(".ticket-screen")
        screen.locator(".order-row", has_text=price).first.click()
        screen.locator(".orderline").first.click()
        screen.locator(".numpad button", has_text=re.compile(r"^\s*1\s*$")).first.click()
        screen.locator(".pay-order-button").first.click()
        self.page.locator(".payment-screen, .product-screen").first.wait_for()
        if self.page.locator(".product-screen").is_visible():
            self.page.locator(".product-screen .pay-order-button:visible").first.click()
        self.page.locator(".payment-screen .paymentmethods").wait_for()
        self.page.locator(".paymentmethods .paymentmethod", has_text=method).first.click()
        send = self.page.locator(".send_refund_request:visible, .send_payment_request:visible")
        if self.suite.context.series != "18.0":
            send.first.click()

    def refunded(self, operation):
        """Wait until a refund's order is recorded: it is saved before, and else is the next till's order."""
        if self.suite.context.series == "18.0":
            key = operation["idempotency_key"]
            self.suite.wait_until(lambda: (self.line(key) or [""])[0] == "done", what="the paid line")
            button = ".payment-screen .validation-button:not([disabled]), .payment-screen .button.next"
            self.page.locator(button).first.click()
        self.receipt()

    def closing(self):
        """Open the closing screen and return our part of it."""
        if self.suite.context.series == "17.0":
            self.page.locator(".menu-button").first.click()
            self.page.locator(".close-button").first.click()
        else:
            self.page.evaluate(f"{POS}.closeSession()")
        found = self.page.locator(".servipay_closing")
        found.wait_for()
        return found

    def takes_parts(self, yes):
        """Set whether an approval of a part counts: with the configuration of the API, for all tests."""
        profiles = self.admin.call("servipay.api.profile", "search", [])
        self.admin.call("servipay.api.profile", "write", profiles, {"partial_approval": yes})

    def simulator(self, path, **body):
        """Steer the PayperCloud simulator."""
        url = f"{self.suite.simulators['paypercloud_servipay']['url']}/_simulator/{path}"
        data = json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def charges(self):
        """Return the charges in the PayperCloud simulator's books."""
        url = f"{self.suite.simulators['paypercloud_servipay']['url']}/_simulator/books"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["charges"]

    def dialog(self, text):
        """Wait for a dialog with a text and close it."""
        dialog = self.page.locator(".modal-dialog", has_text=text)
        dialog.wait_for()
        dialog.locator(".modal-footer .btn-primary, .modal-footer button").first.click()
        dialog.wait_for(state="detached")

    def status(self, css=".servipay_status"):
        """Wait for our part of the payment line, or something in it, and return it."""
        found = self.page.locator(css).first
        found.wait_for()
        return found
