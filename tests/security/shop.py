"""The demo's shop in use: payments on every provider, tills open, another company beside it."""

import json
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

from people import MADE

from tools import odoo, shopfloor

SCRIPT = Path(__file__).parent / "scripts" / "open_shop.py"
TILL = "/websocket/servipay/pos/"
SEALED = (
    *("servipay_api_key_sealed", "viva_wallet_client_secret_sealed", "viva_wallet_api_key_sealed"),
    *("ogone_password_sealed", "ogone_shakey_in_sealed", "ogone_shakey_in_directlink_sealed"),
    *("ogone_shakey_out_sealed", "paybox_key_sealed", "paybox_key_test_sealed", "paybox_password_sealed"),
)


class Shop:
    """Attributes: facts (see scripts/open_shop.py), secrets (the values that nobody may read)."""

    def __init__(self, suite):
        self.suite = suite

    def open(self):
        """Make everything; returns itself."""
        addons = json.dumps(self.suite.context.addons())
        variables = {"SERVIPAY_URL": self.suite.url, "SERVIPAY_ADDONS": addons}
        variables["SERVIPAY_PEOPLE"] = json.dumps(MADE)
        text = odoo.shell(self.suite.context, self.suite.database, SCRIPT, "security-shop", **variables)
        line = next(line for line in text.splitlines() if line.startswith("facts: "))
        self.facts = json.loads(line.removeprefix("facts: "))
        self.secrets = self._secrets()
        hook = {"url": self.facts["webhook"], "events": [1796, 1802], "prove": False}
        self.simulator("pos_viva_wallet").call("register", **hook)
        for provider in self.facts["methods"]:
            self.sell(provider)
        self.pay_online()
        return self

    def _secrets(self):
        """Everything that stands in a column for secrets; nothing is encrypted here, so it is plain."""
        columns = self.suite.sql(
            "SELECT f.model, f.name FROM ir_model_fields f JOIN ir_model m ON m.id = f.model_id"
            f" WHERE f.store AND NOT m.transient AND f.name IN {SEALED} AND to_regclass(replace(f.model, '.',"
            " '_')) IS NOT NULL"
        )
        found = set(self.facts["secrets"].values())
        for model, name in columns:
            rows = self.suite.sql(f"SELECT {name} FROM {model.replace('.', '_')} WHERE {name} IS NOT NULL")
            found |= {value for (value,) in rows}
        return found

    # -- at the till

    def sell(self, provider, amount=12.34, wait=True):
        """Have a cashier take an amount on a provider's terminal; returns the operation's key."""
        key = str(uuid.uuid4())
        order = {"uid": f"order-{key}", "name": key[:8], "line_uid": f"line-{key}"}
        call = {"session_id": self.facts["session"], "method_id": self.facts["methods"][provider]}
        self.suite.user("cashier").json(TILL + "start", key=key, amount=amount, order=order, **call)
        if wait:
            self.suite.wait_until(lambda: self.state(key) not in ("draft", "sent", "pending"), 60, "its end")
        return key

    def state(self, key):
        """Return an operation's state as a till that polls hears it."""
        call = "pos.payment.method", "servipay_state", self.facts["session"], [key]
        return self.suite.user("cashier").call(*call)[0]["state"]

    def explained(self, key):
        """Return why an operation is what it is, for whoever reads a failure."""
        domain, names = [("idempotency_key", "=", key)], ["state", "reason", "detail"]
        return self.suite.user("admin").call("servipay.operation", "search_read", domain, names)

    # -- online

    def pay_online(self):
        """Let the customer pay on Paybox's page, and wait until that is booked."""
        page = self.post("payment_paybox", "/php/", self.facts["online"]["paybox"]["fields"])
        number = page.partition('action="/_page/')[2].partition('"')[0]
        self.post("payment_paybox", f"/_page/{number}", {"choice": "ok", "action": "pay"})
        number = self.facts["online"]["paybox"]["transaction"]
        query = f"SELECT state, is_post_processed FROM payment_transaction WHERE id = {number}"
        self.suite.wait_until(lambda: self.suite.sql(query) == [["done", "t"]], what="the payment by Paybox")

    def simulator(self, addon):
        """Return the control API of a provider's simulator."""
        return shopfloor.Control(f"{self.suite.simulators[addon]['url']}/_simulator")

    def post(self, addon, path, fields):
        """POST a form to a provider's page as a browser does, without going where it leads."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_arguments):
                return None

        pairs = fields.items() if isinstance(fields, dict) else [tuple(pair) for pair in fields]
        data = urllib.parse.urlencode([*pairs]).encode()
        request = urllib.request.Request(self.suite.simulators[addon]["url"] + path, data)
        try:
            return urllib.request.build_opener(Stay).open(request, timeout=60).read().decode()
        except urllib.error.HTTPError as error:
            return error.headers.get("Location", "")
