"""Online payments as their customers, with the browser's tools, and forgers make them: all by HTTP.

The simulators' own books say what was taken; whatever Odoo books beyond that is money that never was.
"""

import html
import importlib.util
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from wire import Ask, send

from tools import odoo
from tools.running import RpcError, User
from tools.shopfloor import Platform

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "scripts" / "open_portal.py"
ADDONS = {"paybox": "payment_paybox", "ogone": "payment_ogone"}
REFUSED = ("UserError", "ValidationError", "AccessError", "BadRequest", "Forbidden", "NotFound", "404")
RETURNS = {"paybox": "/payment/paybox/return", "ogone": "/payment/ogone/return"}
IPN = "/payment/paybox/ipn"
OURS = "res_model = 'payment.transaction' AND original_id IS NULL"
FOREIGN_OUT = "Foreign-out.Back-2026"  # see scripts/open_portal.py
CARD = "4111111111111111"


def simulator_of(code):
    """Return the module of a provider's simulator: its signing is the platform's."""
    name = f"simulator_of_{code}"
    if name not in sys.modules:
        path = ROOT / ADDONS[code] / "tests" / "simulator.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


class Market:
    """The shop as its accountant sees it, and the platforms' books.

    Attributes: providers {code: {"honest", "unpublished", "disabled", "foreign": id}}, card (a method's id),
    partners {log-in: id}, foreign_invoice (an id; 1.00 by the other company).
    """

    def __init__(self, suite, shop):
        self.suite, self.facts, self.admin = suite, shop.facts, suite.user("admin")
        second = simulator_of("paybox").make_key("second").pem
        variables = {"SERVIPAY_COMPANY": str(self.facts["other_company"]), "SERVIPAY_KEY": second}
        text = odoo.shell(suite.context, suite.database, SCRIPT, "security-portal", **variables)
        line = next(line for line in text.splitlines() if line.startswith("facts: "))
        made = json.loads(line.removeprefix("facts: "))
        self.providers, self.card = made["providers"], made["card"]
        self.foreign_invoice = made["foreign_invoice"]
        [[customer]] = suite.sql("SELECT partner_id FROM res_users WHERE login = 'portal'")
        self.partners = {"portal": int(customer), **made["partners"]}
        self.platforms = {code: Platform(suite, addon) for code, addon in ADDONS.items()}
        address = f"{suite.url}{RETURNS['ogone']}"
        addresses = dict.fromkeys(("accepted_url", "declined_url", "status_url"), address)
        self.platforms["ogone"].call("configure", feedback="online", **addresses)

    # -- documents

    def invoice(self, amount=120.0, login="portal", **values):
        """Return the id of a new posted invoice of a customer."""
        line = {"name": "Buffet", "price_unit": amount, "tax_ids": [(5, 0, 0)]}
        content = {"move_type": "out_invoice", "partner_id": self.partners[login]}
        content |= {"invoice_date": "2026-01-15", "invoice_line_ids": [(0, 0, line)], **values}
        created = self.admin.call("account.move", "create", [content])
        number = created[0] if isinstance(created, list) else created
        self.admin.call("account.move", "action_post", [number])
        self.admin.call("account.move", "get_portal_url", [number])  # the link that is mailed
        return number

    def token_of(self, invoice):
        """Return what the mailed link of an invoice proves itself with."""
        return self.suite.sql(f"SELECT access_token FROM account_move WHERE id = {invoice}")[0][0]

    def left(self, invoice):
        """Return what is open of an invoice."""
        return float(self.suite.sql(f"SELECT amount_residual FROM account_move WHERE id = {invoice}")[0][0])

    def references(self, invoice):
        """Return what the platform calls an invoice's payments, oldest first."""
        rows = self.suite.sql(
            "SELECT o.reference FROM servipay_operation o JOIN account_invoice_transaction_rel r"
            f" ON r.transaction_id = o.res_id WHERE {OURS} AND r.invoice_id = {invoice} ORDER BY o.id"
        )
        return [reference for (reference,) in rows]

    def states(self, invoice):
        """Return the states of an invoice's payments, oldest first."""
        rows = self.suite.sql(
            "SELECT t.state FROM payment_transaction t JOIN account_invoice_transaction_rel r"
            f" ON r.transaction_id = t.id WHERE r.invoice_id = {invoice} ORDER BY t.id"
        )
        return [state for (state,) in rows]

    def booked(self, invoice):
        """Return the amounts of the posted payments behind an invoice's transactions."""
        rows = self.suite.sql(
            "SELECT p.amount FROM account_payment p JOIN account_move m ON m.id = p.move_id"
            " JOIN account_invoice_transaction_rel r ON r.transaction_id = p.payment_transaction_id"
            f" WHERE m.state = 'posted' AND r.invoice_id = {invoice} ORDER BY p.id"
        )
        return [float(amount) for (amount,) in rows]

    def told(self, *invoices, reference=None):
        """Return the kinds of alerts about invoices (or a reference) that named people were told."""
        domain = [("reference", "=", reference)]
        if not reference:
            domain = [("res_model", "=", "account.move"), ("res_id", "in", invoices)]
        alerts = self.admin.call("servipay.alert", "search_read", domain, ["kind", "user_ids"])
        assert all(alert["user_ids"] for alert in alerts), alerts
        return {alert["kind"] for alert in alerts} | self.activities(*invoices)

    def activities(self, *invoices):
        """Return {"activity"} when somebody is to look at an operation of these invoices."""
        found = self.suite.sql(
            "SELECT 1 FROM mail_activity a JOIN servipay_operation o ON o.id = a.res_id JOIN"
            " account_invoice_transaction_rel r ON r.transaction_id = o.res_id WHERE"
            " a.user_id IS NOT NULL AND a.res_model = 'servipay.operation'"
            f" AND r.invoice_id IN ({','.join(map(str, invoices or (0,)))})"
        )
        return {"activity"} if found else set()

    # -- what becomes of it

    def paid(self, invoice, amount=None):
        """Wait until an invoice is paid, by one payment of its whole amount."""
        self.suite.wait_until(lambda: self.left(invoice) == 0, 40, f"the paid invoice {self.seen(invoice)}")
        assert len(self.booked(invoice)) == 1, self.seen(invoice)
        assert amount is None or self.booked(invoice) == [amount]

    def paid_at_last(self, invoice, amount=None):
        """Wait until an invoice is paid by one payment, whatever else has to be asked and applied before."""
        for _time in range(12):
            self.quiet()
            if self.left(invoice) == 0:
                break
            self.later()
        self.paid(invoice, amount)

    def told_at_last(self, invoice):
        """Return what people were told about an invoice once the jobs have asked twice."""
        for _time in range(3):
            self.quiet()
            if self.told(invoice):
                break
            self.later()
        return self.told(invoice)

    def unpaid(self, invoice, amount=120.0):
        """Check that nothing of an invoice is paid."""
        assert (self.left(invoice), self.booked(invoice)) == (amount, []), self.seen(invoice)

    def seen(self, invoice):
        """Return what the accountant would look at, for a test's report."""
        fields = "reference, state, reason, detail, external_ref, amount"
        rows = self.suite.sql(
            f"SELECT {fields} FROM servipay_operation WHERE {OURS} AND reference IN"
            f" ('{chr(39).join(self.references(invoice)) or '-'}')"
        )
        return {"left": self.left(invoice), "told": self.told(invoice), "operations": rows}

    def quiet(self):
        """Wait until everything that came was applied and asked about, as far as it is done at once."""
        busy = (
            "SELECT count(*) FROM servipay_notification WHERE state = 'received'"
            " UNION ALL SELECT count(*) FROM servipay_operation WHERE reason = 'confirming'"
        )
        self.suite.wait_until(
            lambda: all(count == "0" for (count,) in self.suite.sql(busy)), 40, "the end of the questions"
        )

    def later(self, minutes=2):
        """Let time pass for online payments that wait, and run the jobs that Odoo runs each minute."""
        step = f"interval '{minutes} minutes'"
        self.suite.sql(
            f"UPDATE servipay_operation SET next_inquiry_at = next_inquiry_at - {step}, deadline_at ="
            f" deadline_at - {step} WHERE {OURS} AND state IN ('pending', 'unknown')"
        )
        self.suite.sql(
            "UPDATE servipay_notification SET next_attempt_at = now() AT TIME ZONE 'UTC'"
            " WHERE next_attempt_at IS NOT NULL AND state IN ('received', 'failed')"
        )
        for job in ("_cron_apply()", "_cron_settle()"):
            found = self.admin.call("ir.cron", "search", [("code", "=", f"model.{job}")])
            self.admin.call("ir.cron", "method_direct_trigger", found)

    # -- the platforms' books

    def charges(self, code):
        """Return [(reference, minor units, number)] of what a platform has taken for this merchant."""
        books = self.platforms[code].get("books")
        if code == "paybox":
            found = [one for one in books["charges"] if one["own"]]
            return [(one["reference"], one["amount"], str(one["transaction"])) for one in found]
        found = [one for one in books["charges"] if one["environment"] == "test"]  # as the provider is
        return [(one["orderid"], one["amount"], str(one["payid"])) for one in found]

    def taken(self, code, reference):
        """Return the amounts that a platform has taken for a reference."""
        return [amount for name, amount, _number in self.charges(code) if name == reference]

    def newest(self):
        """Return the id of the newest transaction."""
        return int(self.suite.sql("SELECT coalesce(max(id), 0) FROM payment_transaction")[0][0])

    def invented(self, after):
        """Return the payments made after a transaction's id that count as paid and were never taken."""
        rows = self.suite.sql(
            "SELECT o.provider, o.reference, round(t.amount / c.rounding), o.external_ref, t.id FROM"
            " payment_transaction t JOIN servipay_operation o ON o.res_id = t.id AND o.original_id IS NULL"
            " JOIN res_currency c ON c.id = t.currency_id"
            " LEFT JOIN account_payment p ON p.payment_transaction_id = t.id LEFT JOIN account_move m ON"
            " m.id = p.move_id WHERE o.res_model = 'payment.transaction' AND (t.state IN ('done',"
            f" 'authorized') OR m.state = 'posted') AND t.id > {after}"
        )
        left = {code: self.charges(code) for code in ADDONS}
        found = []
        for code, reference, amount, number, _id in rows:
            charge = (reference, int(amount), number)
            if charge in left[code]:
                left[code].remove(charge)  # it pays once
            else:
                found.append((code, *charge))
        return found


# --- The customer ---------------------------------------------------------------------------------


@dataclass
class Form:
    """What the browser is to post to a platform. pairs: [(name, value)], in the signed order."""

    action: str
    pairs: list

    @property
    def reference(self):
        """What the platform calls the payment."""
        values = dict(self.pairs)
        return values.get("PBX_CMD") or values["ORDERID"]

    def changed(self, **values):
        """Return it as devtools leave it: some values changed; None takes a field away."""
        pairs = [(name, values.get(name, value)) for name, value in self.pairs]
        more = [pair for pair in values.items() if pair[0] not in dict(self.pairs)]
        return Form(self.action, [pair for pair in (*pairs, *more) if pair[1] is not None])


def form_of(text):
    """Return the Form in a page's text."""
    action = html.unescape(re.search(r'<form[^>]*\saction="([^"]*)"', text)[1])
    inputs = re.findall(r"<input[^>]*>", text)
    named = [
        [re.search(rf'\s{name}="([^"]*)"', tag, re.DOTALL) for name in ("name", "value")] for tag in inputs
    ]
    pairs = [[html.unescape(found[1]) if found else "" for found in pair] for pair in named]
    return Form(action, [tuple(pair) for pair in pairs if pair[0]])


def post(address, pairs):
    """POST a form to a platform; returns (where it leads, text)."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_arguments):
            return None

    request = urllib.request.Request(address, urllib.parse.urlencode(pairs).encode())
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=60) as answer:
            return "", answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.headers.get("Location", ""), ""


@dataclass
class Browser:
    """One browser of a customer: with a session of its own, and its tools. login None: not logged in."""

    market: Market
    login: str | None = "portal"
    user: User = field(init=False)

    def __post_init__(self):
        suite = self.market.suite
        self.user = User(suite.url, suite.database, self.login or "portal")
        if not self.login:
            self.user.cookies.clear()

    def asked(self, invoice, code, **changes):
        """Return what the portal's page sends when Pay is pressed, as devtools change it."""
        token = self.market.token_of(invoice)
        landing = f"/my/invoices/{invoice}?access_token={token}"
        values = {"access_token": token, "amount": self.market.left(invoice), "landing_route": landing}
        return {**self.chosen(code), **values, **changes}

    def chosen(self, code):
        """Return what the portal's page sends of a means of payment."""
        values = {"provider_id": self.market.providers[code]["honest"], "payment_method_id": self.market.card}
        return {**values, "token_id": None, "flow": "redirect", "tokenization_requested": False}

    def press_pay(self, invoice, code, **changes):
        """Press Pay; returns the values that the server gives. RpcError when it refuses."""
        return self.user.json(f"/invoice/transaction/{invoice}", **self.asked(invoice, code, **changes))

    def start(self, invoice, code, **changes):
        """Press Pay; returns the Form that leads to the platform."""
        return form_of(self.press_pay(invoice, code, **changes)["redirect_form_html"])

    def start_overdue(self, code, reference, amount):
        """Pay everything that is overdue, under a reference of one's own choice; returns the Form."""
        values = {**self.chosen(code), "amount": amount, "landing_route": "/my/invoices"}
        answer = self.user.json("/invoice/transaction/overdue", payment_reference=reference, **values)
        return form_of(answer["redirect_form_html"])

    def start_anything(self, code, reference, amount):
        """Pay without any document, under a reference of one's own choice; returns the Form."""
        _status, text = self.user.get(f"/payment/pay?amount={amount}")
        shown = dict(re.findall(r'\sdata-([a-z-]+)="([^"]*)"', text))
        values = {**self.chosen(code), "amount": amount, "access_token": shown["access-token"]}
        values |= {"currency_id": int(shown["currency-id"]), "partner_id": int(shown["partner-id"])}
        values |= {"landing_route": "/payment/confirmation", "reference_prefix": reference}
        return form_of(self.user.json("/payment/transaction", **values)["redirect_form_html"])

    def refused(self, invoice, code, **changes):
        """Check that no payment begins, in words and without a trace; returns the words."""
        before = self.market.references(invoice)
        try:
            values = self.press_pay(invoice, code, **changes)
        except RpcError as error:
            assert error.name.endswith(REFUSED), error.debug
            assert self.market.references(invoice) == before
            return error.message
        except urllib.error.HTTPError as error:
            assert error.code < 500, error
            return str(error)
        raise AssertionError(f"{changes} was let through: {values}")

    def open(self, form, address=None):
        """Post a form to the platform; returns the page's address, None when the platform refuses it."""
        action = address or form.action
        location, text = post(action, form.pairs)
        page = re.search(r'action="(/_page/\d+)"', text)
        return location or (page and urllib.parse.urljoin(action, page[1])) or None

    def click(self, page, choice="ok", **more):
        """Press the button of the platform's page; returns where the browser is sent."""
        values = {"card": CARD, "choice": choice, "action": "pay", **more}
        return post(page, list(values.items()))[0]

    def come_back(self, location):
        """Go where the platform sends the browser; returns (status, text)."""
        parts = urllib.parse.urlsplit(location)
        return self.user.get(f"{parts.path}?{parts.query}")

    def pay(self, form, choice="ok", address=None, back=True, **more):
        """Pay on the platform's page and come back, or not; returns where the browser is sent."""
        page = self.open(form, address)
        assert page, "the platform refuses the form"
        location = self.click(page, choice, **more)
        if back:
            self.come_back(location)
        return location


def call_of(page):
    """Return the call number that Paybox shows on its page."""
    return int(page.rpartition("/")[2])


def paid_small(market, browser, code, amount=1.0, **changes):
    """Pay an own small invoice; returns (its id, the platform's number, and its call number)."""
    invoice = market.invoice(amount, browser.login)
    form = browser.start(invoice, code, **changes)
    page = browser.open(form)
    browser.click(page)
    [number] = [number for name, _amount, number in market.charges(code) if name == form.reference]
    return invoice, number, call_of(page) if code == "paybox" else ""


# --- The forger -----------------------------------------------------------------------------------


class Forger:
    """Somebody who can have any text signed: a merchant of the platform, or a player of its test shop."""

    def __init__(self, market):
        self.market, self.suite = market, market.suite
        self.key = simulator_of("paybox").make_key("first")
        self.out = simulator_of("ogone").OUT

    # -- Paybox: one key signs for all merchants

    def paybox(self, reference, amount, transaction, call, key=None, **more):
        """Return a signed query; more: other fields by their names in the query, None leaves one out."""
        values = {"Mt": amount, "Ref": reference, "Auto": "XXXXXX", "Erreur": "00000", "Appel": call}
        values |= {"Trans": transaction, "Carte": "VISA", "Type": "CARTE", **more}
        wire = {
            name: urllib.parse.quote(str(value), safe="/")
            for name, value in values.items()
            if value is not None
        }
        return self.signed("&".join(f"{name}={value}" for name, value in wire.items()), key)

    def signed(self, text, key=None):
        """Return a text with the platform's signature."""
        signature = (key or self.key).sign(text)
        return f"{text}&Sign={urllib.parse.quote(signature, safe='')}"

    def next_number(self):
        """Return a number like the platform's next ones."""
        numbers = [int(number) for _reference, _amount, number in self.market.charges("paybox")]
        return max(numbers, default=10**6) + 1

    # -- Ogone: whoever has the account's passphrase, or one of another account

    def ogone(self, order, amount="120", payid="31415926", passphrase=None, **more):
        """Return signed feedback as the platform writes it."""
        values = {"orderID": order, "currency": "EUR", "amount": amount, "PM": "CreditCard", "STATUS": "9"}
        values |= {"ACCEPTANCE": "test123", "CARDNO": "XXXXXXXXXXXX1111", "PAYID": payid, "NCERROR": "0"}
        values |= {"BRAND": "VISA", **more}
        pairs = [(name, value) for name, value in values.items() if value is not None]
        secret = passphrase or simulator_of("ogone").SHA_OUT
        return urllib.parse.urlencode([*pairs, ("SHASIGN", self.out.sign(pairs, secret))])

    # -- to the shop

    def send(self, query, path=IPN, method="GET"):
        """Send a message to the shop as if the platform or a browser did; returns the answer's status."""
        place = {"body": query.encode()} if method == "POST" else {"query": query.encode()}
        status, _headers, body = send(self.suite, Ask(method, path, **place))
        assert status < 500, body[:500]
        return status
