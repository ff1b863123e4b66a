"""Places of the matrix online: Paybox, Ogone. A customer of the portal pays invoices."""

import contextlib
import html.parser
import urllib.error
import urllib.parse
import urllib.request

from slots import FAILURES, Slot, until

AMOUNT = 120.0


class Form(html.parser.HTMLParser):
    """The fields of a form, in their order."""

    def __init__(self, text):
        super().__init__()
        self.fields = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Keep the inputs."""
        names = dict(attributes)
        if tag == "input" and names.get("name"):
            self.fields.append((names["name"], names.get("value") or ""))


class Stay(urllib.request.HTTPRedirectHandler):
    """Does not go where an answer leads."""

    def redirect_request(self, *_arguments):
        """Stay."""


def post(address, fields):
    """POST a form as a browser does; returns (text of the page, where it leads or "")."""
    data = urllib.parse.urlencode(fields).encode()
    try:
        with urllib.request.build_opener(Stay).open(address, data, timeout=120) as answer:
            return answer.read().decode(), ""
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode(), error.headers.get("Location", "")


class OnlineSlot(Slot):
    """A payment of an invoice, or what is done with one afterwards.

    provider_id: of the provider's record whose address leads to this slot's own wire
    """

    code = method = ""
    paid_first = ("refund", "inquiry")
    movement = {"refund": "refund", "inquiry": "refund", "cancel": "void"}

    def __init__(self, shop, operation, provider_id):
        super().__init__(shop, operation)
        self.provider_id = provider_id
        self.transaction, self.reference, self.way_back = 0, "", ""

    @property
    def blocking(self):
        """What is sent to the platform is sent within the request that asks for it."""
        return self.operation in ("refund", "cancel", "inquiry")

    def begin(self, chance, fault=""):
        """Begin a run."""
        super().begin(chance, fault)
        self.transaction, self.reference, self.way_back = 0, "", ""
        self.before = self._newest()[0]

    def _newest(self):
        """Return (id, reference) of the newest payment with this provider's record."""
        found = self.shop.ledger.rows(
            "SELECT id, reference FROM payment_transaction WHERE provider_id = %s AND source_transaction_id"
            " IS NULL ORDER BY id DESC LIMIT 1",
            self.provider_id,
        )
        return found[0] if found else (0, "")

    # -- a payment

    def order(self, flow="redirect", **more):
        """Choose to pay a new invoice; returns what the portal answers."""
        invoice, access = self.shop.invoice(AMOUNT)
        values = {
            "provider_id": self.provider_id,
            "payment_method_id": self.shop.methods["card"],
            "token_id": None,
            "amount": AMOUNT,
            "flow": flow,
            "tokenization_requested": False,
            "landing_route": f"/my/invoices/{invoice}",
            "access_token": access,
            **more,
        }
        answer = self.shop.portal.json(f"/invoice/transaction/{invoice}", **values)
        self._know()
        return answer

    def _know(self):
        """Learn which transaction this is, whether or not its answer has come."""
        number, reference = self._newest()
        if number > self.before:
            self.transaction, self.reference = number, reference

    def open_page(self):
        """Go to the platform's page."""
        answer = self.order()
        return Form(answer["redirect_form_html"]).fields

    def pay(self):
        """Pay on the platform's page; the platform tells Odoo meanwhile."""
        raise NotImplementedError

    def come_back(self):
        """Let the browser come back to the shop, if it has not been lost."""
        if self.way_back:
            parts = urllib.parse.urlsplit(self.way_back)
            with contextlib.suppress(*FAILURES):
                self.shop.portal.get(f"{parts.path}?{parts.query}")

    def transaction_state(self):
        """Return the state of the payment's transaction."""
        query = "SELECT state FROM payment_transaction WHERE id = %s"
        return self.shop.ledger.rows(query, self.transaction)[0][0]

    # -- the parts of a run

    def prepare(self):
        """Have something paid or reserved, where that is to be given back."""
        if self.operation in self.movement:
            self.have_paid()
            wanted = "done" if self.operation in self.paid_first else "authorized"
            until(lambda: self.transaction_state() == wanted, f"{self} before: {wanted}")
        if self.operation == "inquiry":
            self.lose_refund()

    def have_paid(self):
        """Pay, without any fault."""
        self.fields = self.open_page()
        self.pay()

    def lose_refund(self):
        """Have a refund whose answer never came: it is unknown, and left alone."""
        fault = self.wire.break_by("lost", self.chance)
        try:
            self.act_refund()
        finally:
            self.wire.mend(fault)
        until(lambda: self.state == "unknown", f"{self} before: unknown")
        self.freeze()

    def act(self):
        """Press the button."""
        getattr(self, f"act_{self.operation}")()

    def act_refund(self):
        """Refund in the back office: the whole, or a part."""
        part = [round(AMOUNT * 0.4, 2)] if self.chance.random() < 0.5 and self.may_refund_part() else []
        self.shop.admin.call("payment.transaction", "action_refund", [self.transaction], *part)

    def may_refund_part(self):
        """Tell whether a part may be refunded under this fault."""
        return True

    def act_cancel(self):
        """Give back what was reserved."""
        self.shop.admin.call("payment.transaction", "action_void", [self.transaction])

    def act_inquiry(self):
        """Press Refresh on the operation."""
        self.shop.admin.call("servipay.operation", "action_refresh", [self.row()["id"]])

    def act_notification(self):
        """Pay: it is the platform's message that is hit."""
        self.pay()

    def recover(self):
        """The platform sends again what was not taken; the browser comes back."""
        if self.operation not in self.movement:
            with contextlib.suppress(*FAILURES):
                self.tell_again()
            self.come_back()

    def tell_again(self):
        """Have the platform send its last message again."""
        raise NotImplementedError

    # -- what is known

    def find(self):
        """Return the id of the payment's operation, or of the movement's."""
        kind = self.movement.get(self.operation)
        kinds = (kind,) if kind else ("purchase", "authorisation")
        self._know()
        found = self.shop.ledger.rows(
            "SELECT id FROM servipay_operation WHERE res_model = 'payment.transaction' AND kind IN %s"
            " AND res_id IN (SELECT id FROM payment_transaction WHERE %s IN (id, source_transaction_id))",
            kinds,
            self.transaction,
        )
        return found[0][0] if found else None

    @property
    def nothing(self):
        """What stands for an operation that was never begun."""
        return {**super().nothing, "kind": self.movement.get(self.operation, "purchase")}

    @property
    def place(self):
        """A message comes on the hook, about its reference."""
        if self.operation == "notification":
            # the end of the reference: what is before it is encoded in ways of their own
            return self.hook, self.reference.rpartition("/")[2].encode()
        return super().place

    def wish_cancel(self):
        """A payment on a page ends when its time is over."""
        if self.operation != "notification":
            return super().wish_cancel()
        self.shop.ledger.make_due([self.row()["id"]])
        return self.shop.admin.call("servipay.operation", "action_refresh", [self.number])

    def is_over(self):
        """An inquiry may find nothing: then the operation stays as it was."""
        return self.operation != "inquiry" and super().is_over()


class Paybox(OnlineSlot):
    """Payments on the page, confirmed by an inquiry; refunds and cancellations by PPPS."""

    provider, code = "Paybox", "paybox"

    def prepare(self):
        """Be on the page, where it is paid under the fault."""
        super().prepare()
        if self.operation not in self.movement:
            self.fields = self.open_page()

    @property
    def ends_by_itself(self):
        """What is paid waits for the inquiry that confirms it."""
        return super().ends_by_itself and self.operation != "sale"

    def act_sale(self):
        """Pay: the inquiry that confirms it is hit."""
        self.pay()

    def pay(self):
        """Pay on the page."""
        url = self.shop.paybox.url
        page, self.way_back = post(f"{url}/php/", self.fields)
        number = page.partition('action="/_page/')[2].partition('"')[0]
        _page, self.way_back = post(f"{url}/_page/{number}", {"choice": "ok", "action": "pay"})

    def tell_again(self):
        """Have the platform send its last message again."""
        self.shop.paybox.call("notify", reference=self.reference)

    def moved(self, row):
        """Count what the platform has: charges, refunds (a cancellation is one of the whole)."""
        charges = [
            one for one in self.shop.paybox.get("books")["charges"] if one["reference"] == self.reference
        ]
        if row["kind"] in ("purchase", "authorisation"):
            return len(charges)
        return sum(len(one["refunds"]) + (one["state"] == "cancelled") for one in charges)


class Ogone(OnlineSlot):
    """Payments by a saved card and on the page; refunds and voids by DirectLink."""

    provider, code = "Ogone", "ogone"

    @property
    def blocking(self):
        """A saved card is charged within the request, too."""
        return self.operation != "notification"

    def prepare(self):
        """Be on the page, where it is paid under the fault; choose an invoice."""
        super().prepare()
        if self.operation == "notification":
            self.fields = self.open_page()

    def have_paid(self):
        """Pay by the saved card, without any fault."""
        self.act_sale()

    def act_sale(self):
        """Pay by the saved card."""
        self.order("token", token_id=self.shop.tokens[self.operation])

    def pay(self, **choice):
        """Pay on the page."""
        url = self.shop.ogone.url
        _page, address = post(f"{url}/ncol/test/orderstandard_utf8.asp", self.fields)
        how = {"action": "pay", "choice": "ok", "card": "4111111111111111", "cn": "Claire Dubois", **choice}
        _page, self.way_back = post(address, how)

    @property
    def ends_by_itself(self):
        """The platform carries out a refund or void later."""
        return self.operation == "sale"

    @property
    def keyed(self):
        """Only a payment has a number; a refund or void that comes twice is refused as one too many."""
        return self.operation == "sale"

    def may_refund_part(self):
        """DirectLink has no key: a doubled request of a part is two refunds there, whatever Odoo does."""
        return self.fault != "duplicate"

    def recover(self):
        """An hour passes at the platform: what was processed is done, and told."""
        self.shop.ogone.call("advance", minutes=61)
        super().recover()

    def tell_again(self):
        """Have the platform send its last message again."""
        if self.operation == "notification":
            self.shop.ogone.call("notify", orderid=self.reference)

    def moved(self, row):
        """Count what the platform has: orders that were taken, refunds, voids."""
        orders = [one for one in self.shop.ogone.get("books")["orders"] if one["orderid"] == self.reference]
        if row["kind"] in ("purchase", "authorisation"):
            return sum(one["charged"] for one in orders)
        kind, done = ("void", ("6", "61")) if row["kind"] == "void" else ("refund", ("8", "81", "85"))
        return sum(step["kind"] == kind and step["status"] in done for one in orders for step in one["steps"])
