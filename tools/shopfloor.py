"""Many tills, each with a terminal of its own, on a running suite: for the faults ring and the benchmarks.

with RunningSuite(context, workers=2, simulator_arguments=shopfloor.terminals(50)) as suite:
    floor = ShopFloor(suite, 50)
    floor.tills[7].start(key, 12.5)
    floor.hall.terminal(8)["debits"]
"""

import dataclasses
import json
import urllib.request
from pathlib import Path

from . import odoo

ADDON = "pos_caisse_ap_ip"
SCRIPT = Path(__file__).parent / "scripts" / "tills.py"
ROUTE = "/websocket/servipay/pos/"
METHOD = {"use_payment_terminal": "caisse_ap_ip", "caisse_ap_allow_local": True}
SECONDS = 30  # that the simulator's control API may take


def terminals(count, delay=0.0):
    """Return RunningSuite's simulator_arguments for so many Caisse-AP terminals."""
    return {ADDON: ["--terminals", str(count), "--delay", str(delay), "--no-magic"]}


class Control:
    """The control API of a simulator, below an address."""

    def __init__(self, address):
        self.address = address

    def call(self, path, **body):
        """POST to the control API and return its answer."""
        return self.get(path, json.dumps(body).encode())

    def get(self, path, body=None):
        """GET from the control API (POST with a body) and return its answer."""
        headers = {"Content-Type": "application/json"} if body else {}
        request = urllib.request.Request(f"{self.address}/{path}", body, headers)  # noqa: S310  (our simulator)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310  (our simulator)
            return json.load(answer)


class Platform(Control):
    """Steers a provider's simulator, as the platform's people would. url: of the provider itself."""

    def __init__(self, suite, addon):
        self.url = suite.simulators[addon]["url"]
        super().__init__(f"{self.url}/_simulator")


class Hall(Control):
    """The Caisse-AP simulator's terminals, counted from 1, and what a person does at them."""

    def __init__(self, simulator):
        self.ports, self.control = simulator.announced["terminals"], simulator.announced["control"]
        super().__init__(f"http://{odoo.HOST}:{self.control}")

    def state(self):
        """Return what all terminals have in their books."""
        return self.get("state")["terminals"]

    def terminal(self, number):
        """Return what one terminal has in its books."""
        return self.state()[number - 1]


@dataclasses.dataclass
class Till:
    """One open till. user: a log-in of tools.running; number: of its terminal."""

    user: object
    number: int
    session_id: int
    method_id: int
    channel: str

    def start(self, key, amount):
        """Have an amount paid under a key; returns the operation's snapshot."""
        order = {"uid": f"order-{key}", "name": key[:8], "line_uid": f"line-{key}"}
        return self._route("start", method_id=self.method_id, key=key, amount=amount, order=order)

    def cancel(self, key):
        """Wish for a cancellation."""
        return self._route("cancel", key=key)

    def resolve(self, key, outcome, reason):
        """Say what became of a payment (managers)."""
        return self._route("resolve", key=key, outcome=outcome, reason=reason)

    def states(self, *keys, known=None):
        """Return the snapshots of keys, as a till without a bus asks for them; known: {key: revision}."""
        return self.user.call(
            "pos.payment.method", "servipay_state", self.session_id, list(keys), known or {}
        )

    def _route(self, name, **parameters):
        return self.user.json(ROUTE + name, session_id=self.session_id, **parameters)


class ShopFloor:
    """Tills 1 to count with one Caisse-AP method each, their sessions open, worked by one user."""

    def __init__(self, suite, count, login="manager"):
        self.hall = Hall(suite.simulator(ADDON))
        methods = [
            {**METHOD, "caisse_ap_host": odoo.HOST, "caisse_ap_port": port}
            for port in self.hall.ports[:count]
        ]
        self.tills = staffed(suite, methods, login)


def staffed(suite, methods, login="manager"):
    """Return a Till for each payment method (field values), its session open, all worked by one user."""
    user = suite.user(login)
    opened = open_tills(suite.context, suite.database, methods)
    return [Till(user, number, **facts) for number, facts in enumerate(opened, 1)]


def open_tills(context, database, methods, **configuration):
    """Make a till for each payment method (field values), open its session; returns their ids, in order."""
    text = odoo.shell(context, database, SCRIPT, "tills", configuration, SERVIPAY_METHODS=json.dumps(methods))
    line = next(line for line in text.splitlines() if line.startswith("tills: "))
    return json.loads(line.removeprefix("tills: "))
