"""`./dev bench terminals`: many tills pay at the same time on a prefork server with two workers.

Each till has a Caisse-AP terminal of its own (the simulator, over TCP), whose customer needs 20 seconds.
Three runs on the same machine, one after the other: our tills listening to the bus, our tills without a bus
(asking every second, as the browser does then), and the peer: OCA's l10n_fr_pos_caisse_ap_ip, from the
package index, unpacked into the cache, whose browser waits 180 seconds for its request.

Bars (issue 3): every payment right; /web/health p95 below 100 ms meanwhile; from the terminal's last byte to
the till knowing p95 below 300 ms with the bus and below 1200 ms without. The peer is only reported.
"""

import argparse
import contextlib
import dataclasses
import sys
import time
import uuid

import _peers
import _tills
from _tills import ENDED, Payment, Socket, measured, p95, pair

from tools import odoo, servers, shopfloor
from tools.context import Context
from tools.running import RpcError, RunningSuite, User

WORKERS = 2
AMOUNT = 12.5
HEALTH_BAR, BUS_BAR, POLL_BAR = 100, 300, 1200  # milliseconds, p95
POLL_SECONDS = 1.0  # terminal.js, pause(): of a payment that is younger than 30 s
PEER_PATIENCE = 180  # seconds; its browser's own time-out


def main():
    """Run the benchmark and return the exit code: 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="./dev bench terminals", description=__doc__.partition("\n")[0])
    parser.add_argument("--tills", type=int, default=50, help="that pay at the same time (default 50)")
    parser.add_argument("--seconds", type=float, default=20, help="a customer needs (default 20)")
    parser.add_argument("--without-peer", action="store_true", help="leave out OCA's module")
    options = parser.parse_args()
    context = Context.from_environment()
    figures = Figures()
    try:
        with _our_suite(context, options) as suite:
            floor = shopfloor.ShopFloor(suite, options.tills)
            figures.head(
                f"{options.tills} payments at once, {options.seconds:g} s each, {WORKERS} workers; "
                "milliseconds: median / p95"
            )
            figures.add("ours, bus", run_ours(suite, floor, Bus), BUS_BAR)
            figures.add("ours, no bus", run_ours(suite, floor, Polling), POLL_BAR)
        if not options.without_peer:
            figures.add("OCA", run_peer(context, options))
    finally:
        context.close()
    return figures.close()


def _our_suite(context, options):
    return RunningSuite(
        context,
        "benchterminals",
        workers=WORKERS,
        simulator_arguments=shopfloor.terminals(options.tills, options.seconds),
    )


# --- ours ---


class Bus(Socket):
    """A till that hears of its payment by the bus."""

    def __init__(self, suite, till):
        super().__init__(suite.url, till.user.session_cookie, till.channel)

    def wait(self, key, deadline):
        """Return when the operation was known to have ended, and its state."""
        while time.time() < deadline:
            for payload in self.payloads():
                if payload.get("key") == key and payload["state"] in ENDED:
                    return time.time(), payload["state"]
        return None, "never heard of"


class Polling:
    """A till whose bus is silent: it asks our server, as often as the browser does."""

    def __init__(self, suite, till):
        self.till = till

    def wait(self, key, deadline):
        """Return when the operation was known to have ended, and its state."""
        known = {}
        while time.time() < deadline:
            time.sleep(POLL_SECONDS)
            for snapshot in self.till.states(key, known=known):
                known[key] = snapshot["revision"]
                if snapshot["state"] in ENDED:
                    return time.time(), snapshot["state"]
        return None, "never heard of"

    def close(self):
        """There is nothing to close."""


def run_ours(suite, floor, Listener):
    """Have every till pay once and return the Run."""
    floor.tills[0].states("warm")  # what a server loads for its first till is not what is measured
    floor.hall.call("reset")
    count = len(floor.tills)
    listeners = [Listener(suite, till) for till in floor.tills]
    keys = [str(uuid.uuid4()) for _till in floor.tills]

    def pay(index):
        till, key = floor.tills[index], keys[index]
        asked = time.time()
        till.start(key, AMOUNT)
        answered = time.time()
        known, state = listeners[index].wait(key, asked + 120)
        return Payment(asked, answered, known, state == "approved")

    run = measured(suite.url, count, pay, Run)
    for listener in listeners:
        listener.close()
    run.read_terminals(floor.hall.state())
    return run


# --- the peer ---


def run_peer(context, options):
    """Have every till of OCA's module pay once and return the Run."""
    simulator = servers.Simulator(
        context,
        shopfloor.ADDON,
        arguments=shopfloor.terminals(options.tills, options.seconds)[shopfloor.ADDON],
    )
    path = _peers.addons_path(context)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(_peers.database(context, "benchpeer", [_peers.CAISSE_AP], path))
        simulator.start()
        stack.callback(simulator.stop)
        hall = shopfloor.Hall(simulator)
        methods = [
            {
                "use_payment_terminal": "fr-caisse_ap_ip",
                "fr_caisse_ap_ip_address": odoo.HOST,
                "fr_caisse_ap_ip_port": port,
            }
            for port in hall.ports
        ]
        tills = shopfloor.open_tills(context, database, methods, addons_path=path)
        server = servers.OdooServer(context, database, "benchpeer", workers=WORKERS, addons_path=path)
        stack.enter_context(server)
        return _run_peer(server, database, tills, hall)


def _run_peer(server, database, tills, hall):
    user = User(server.url, database, "admin", seconds=PEER_PATIENCE)
    currency = user.call("res.users", "read", [user.uid], ["currency_id"])[0]["currency_id"][0]

    def pay(index):
        data = {
            "amount": AMOUNT,
            "currency_id": currency,
            "payment_method_id": tills[index]["method_id"],
            "payment_id": str(uuid.uuid4()),
            "timeout": PEER_PATIENCE * 1000,
        }
        asked = time.time()
        try:
            answer = user.call("pos.payment.method", "fr_caisse_ap_ip_send_payment", data)
        except (OSError, RpcError):
            return Payment(asked, None, None, False)
        known = time.time()
        return Payment(asked, known, known, (answer or {}).get("payment_status") == "success")

    run = measured(server.url, len(tills), pay, Run)
    run.read_terminals(hall.state())
    return run


# --- the table ---


@dataclasses.dataclass
class Run(_tills.Run):
    """lit: milliseconds from the click to the terminal having the request"""

    lit: list = dataclasses.field(default_factory=list)

    def read_terminals(self, terminals):
        """Take times and debits from the terminals' own books."""
        for payment, terminal in zip(self.payments, terminals, strict=True):
            self.debits.append(len(terminal["debits"]))
            heard = [frame["epoch"] for frame in terminal["frames"] if frame["direction"] == "in"]
            if heard:
                self.lit.append((heard[0] - payment.asked) * 1000)
            if terminal["answered_at"] and payment.known:
                self.late.append((payment.known - terminal["answered_at"][-1]) * 1000)


class Figures(_tills.Figures):
    """The table of this benchmark."""

    LINE = "{:<14} {:>7} {:>8} {:>9} {:>15} {:>15} {:>15} {:>7}  {}"
    COLUMNS = (
        "run",
        "right",
        "unheard",
        "charged 2x",
        "lit up",
        "byte to till",
        "/web/health",
        "took s",
        "bars",
    )

    def add(self, name, run, bar=None):
        """Print a run; bar: of the time from the terminal's last byte to the till, None for a peer."""
        bars = bar and {
            "all right": run.right == len(run.payments),
            f"till <{bar}": bool(run.late) and p95(run.late) < bar,
            f"health <{HEALTH_BAR}": bool(run.health) and p95(run.health) < HEALTH_BAR,
        }
        counts = f"{run.right}/{len(run.payments)}", run.unheard, run.twice
        self.row(name, [*counts, pair(run.lit), pair(run.late), pair(run.health), f"{run.seconds:.0f}"], bars)


if __name__ == "__main__":
    sys.exit(main())
