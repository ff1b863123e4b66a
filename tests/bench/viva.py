"""`./dev bench viva`: many tills pay with Viva.com terminals at once on a prefork server with two workers.

Each till has a terminal of its own in the simulator, whose customer needs 10 seconds, and behaves as its
browser does: it listens to the bus and asks the server too. Ours with webhooks and with webhooks lost, then
core's pos_viva_com of 19.0 with and without them, on the same machine in the same run. Core's code runs as it
is, with Viva.com's hosts leading to the simulator (_viva_hosts.py). Viva.com answers each request after
--latency seconds, for both. Access tokens are there before it begins, for both.

Bars: all paid and charged once; /web/health p95 below 100 ms meanwhile. The peer is only reported.
"""

import argparse
import collections
import contextlib
import copy
import dataclasses
import datetime
import json
import os
import re
import sys
import time
from pathlib import Path

import _peers
import _tills
from _tills import measured, p95, pair
from _viva_tills import CoreAttempt, OurAttempt

from tools import servers, shopfloor
from tools.context import Context
from tools.report import Problem, say
from tools.running import RunningSuite, User

ADDON, PEER = "pos_viva_wallet", "pos_viva_com"
WORKERS = 2
HEALTH_BAR = 100  # milliseconds, p95
FIRST_TERMINAL = 16000010  # the demo's
SETTLED = 3  # seconds after the last payment until the books are read
MERCHANT = {  # what the simulator lets in
    "merchant_id": "bdf4c6b3-c26d-4046-b5df-5c443ec39d09",
    "api_key": "Simulator-Api-2026",
    "client_id": "simulator-pos-apis.viva.example",
    "client_secret": "Simulator-2026",
}
LAUNCHER = Path(__file__).with_name("_viva_hosts.py")
REQUEST = re.compile(r' (werkzeug|longpolling): .*"(?:GET|POST) (\S+) HTTP/[\d.]+" (\d+) (.*)$', re.M)


def main():
    """Run the benchmark and return the exit code: 1 when a bar is missed."""
    options = _options()
    context = Context.from_environment()
    if context.series != "19.0":
        raise Problem("Core has pos_viva_com from 19.0 on.")
    figures = Figures()
    try:
        figures.head(
            f"{options.tills} payments at once, {options.seconds:g} s each, {WORKERS} workers, Viva.com "
            f"answers after {options.latency:g} s, our till asks every {options.ask_every:g} s"
            f"{' and is impatient' * options.impatient}; "
            f"milliseconds: median / p95; load before: {_load()}"
        )
        _bench_ours(context, options, figures)
        if not options.without_peer:
            _bench_peer(context, options, figures)
    finally:
        context.close()
    return figures.close()


def _options():
    parser = argparse.ArgumentParser(prog="./dev bench viva", description=__doc__.partition("\n")[0])
    parser.add_argument("--tills", type=int, default=50, help="that pay at the same time (default 50)")
    parser.add_argument("--seconds", type=float, default=10, help="a customer needs (default 10)")
    parser.add_argument("--latency", type=float, default=0.2, help="of each answer of Viva.com (default 0.2)")
    parser.add_argument(
        "--ask-every",
        type=float,
        default=1,
        help="seconds, at least, of our till (default 1, as terminal.js)",
    )
    parser.add_argument(
        "--impatient", action="store_true", help="our till offers a start again while one is under way"
    )
    parser.add_argument("--without-peer", action="store_true", help="leave out core's pos_viva_com")
    return parser.parse_args()


def _load():
    return f"{os.getloadavg()[0]:.1f}"


def _terminals(options):
    return [str(FIRST_TERMINAL + number) for number in range(options.tills)]


def _arguments(options):
    words = [word for terminal in _terminals(options) for word in ("--terminal", terminal)]
    return [*words, "--delay", str(options.seconds)]


# --- ours ---


def _bench_ours(context, options, figures):
    arguments = {ADDON: _arguments(options)}
    with RunningSuite(context, "benchviva", workers=WORKERS, simulator_arguments=arguments) as suite:
        platform = Platform(suite.simulator(ADDON), _terminals(options), options.latency)
        tills = shopfloor.staffed(suite, [_our_method(platform, one) for one in platform.terminals])
        _register_ours(suite, platform, tills[0])
        _warm_ours(suite, platform, tills)
        for name, webhooks in (("ours, webhooks", "after"), ("ours, webhooks lost", "never")):
            run = observed(suite.server, platform, webhooks, lambda: _our_attempts(suite, tills, options))
            figures.add(name, run, bars=True)


def _our_attempts(suite, tills, options):
    return [OurAttempt(suite.url, till, options.ask_every, not options.impatient) for till in tills]


def _our_method(platform, terminal):
    own = {f"viva_wallet_{name}": value for name, value in MERCHANT.items()}
    return {
        "use_payment_terminal": "viva_wallet",
        "viva_wallet_terminal_id": terminal,
        "viva_wallet_test_mode": True,
        "viva_wallet_base_url": platform.url,
        **own,
    }


def _register_ours(suite, platform, till):
    """A merchant has one address, whatever terminal a message is about."""
    field = "viva_wallet_webhook_endpoint"
    [method] = suite.user("admin").call("pos.payment.method", "read", [till.method_id], [field])
    address = method[field]
    platform.call(
        "register", url=suite.url + address[address.index("/pos_viva") :], events=[1796, 1797, 1798]
    )


def _warm_ours(suite, platform, tills):
    """Let every process have loaded what it needs, and a token."""
    for till in tills[: WORKERS * 2]:
        platform.call("script", outcome="approved", delay=0)
        OurAttempt(suite.url, till).pay()


# --- core's ---


def _bench_peer(context, options, figures):
    """Run core's addon, as it is, with Viva.com's hosts leading to the simulator (see _viva_hosts.py)."""
    led = copy.copy(context)
    led.source = dataclasses.replace(context.source, script=str(LAUNCHER))
    simulator = servers.Simulator(context, ADDON, arguments=_arguments(options))
    path = ",".join(map(str, context.source.addons_paths))
    with _peers.database(context, "benchvivapeer", [PEER], path) as database, contextlib.ExitStack() as stack:
        simulator.start()
        stack.callback(simulator.stop)
        platform = Platform(simulator, _terminals(options), options.latency)
        own = {"addons_path": path, "viva_simulator": platform.url}
        methods = [_core_method(terminal) for terminal in platform.terminals]
        opened = shopfloor.open_tills(led, database, methods, **own)
        tills = [{**facts, "terminal": one} for facts, one in zip(opened, platform.terminals, strict=True)]
        server = servers.OdooServer(led, database, "benchvivapeer", workers=WORKERS, **own)
        stack.enter_context(server)
        _run_peer(server, database, platform, tills, figures)


def _core_method(terminal):
    own = {f"viva_com_{name}": value for name, value in MERCHANT.items()}
    return {
        "use_payment_terminal": "viva_com",
        "viva_com_terminal_id": terminal,
        "viva_com_test_mode": True,
        **own,
    }


def _run_peer(server, database, platform, tills, figures):
    user = User(server.url, database, "admin", seconds=_tills.BUS_SECONDS * 3)
    currency = _currency(user)
    _register_core(server, user, platform, tills)
    for till in tills:  # its token: core keeps one for each payment method
        user.call("pos.payment.method", "viva_com_get_payment_status", [till["method_id"]], "no such session")
    for name, webhooks in (("core, webhooks", "after"), ("core, webhooks lost", "never")):
        run = observed(
            server,
            platform,
            webhooks,
            lambda: [CoreAttempt(server.url, user, till, currency) for till in tills],
        )
        figures.add(name, run)


def _currency(user):
    """Return the till's currency as its browser writes it."""
    [company] = user.call("res.users", "read", [user.uid], ["currency_id"])
    [currency] = user.call("res.currency", "read", [company["currency_id"][0]], ["iso_numeric"])
    return str(currency["iso_numeric"])


def _register_core(server, user, platform, tills):
    """Only 1796: core logs every other event as unknown."""
    field = "viva_com_webhook_endpoint"
    [method] = user.call("pos.payment.method", "read", [tills[0]["method_id"]], [field])
    address = method[field]
    platform.call("register", url=server.url + address[address.index("/pos_viva") :], events=[1796])


# --- measuring ---


class Platform(shopfloor.Control):
    """Viva.com's simulator. terminals: their ids; latency: seconds before each answer."""

    def __init__(self, simulator, terminals, latency):
        self.url, self.terminals, self.latency = simulator.facts["url"], terminals, latency
        super().__init__(self.url + "/_simulator")

    def prepare(self, webhooks):
        """Empty the books and say what becomes of webhooks; tokens and addresses stay."""
        self.call("reset")
        self.call("set", webhooks=webhooks)
        if self.latency:
            self.call("fault", endpoint="*", name="late_answer", seconds=self.latency)


@dataclasses.dataclass
class Run(_tills.Run):
    """click: milliseconds from the click to Viva.com having the request; load: of the machine, before it

    asked: requests to Viva.com, by endpoint; served: requests in Odoo's log, by kind; held: seconds that they
    occupied HTTP workers; reasons: of tills that were not paid
    """

    click: list = dataclasses.field(default_factory=list)
    asked: dict = dataclasses.field(default_factory=dict)
    served: dict = dataclasses.field(default_factory=dict)
    held: float = 0
    load: str = ""
    reasons: list = dataclasses.field(default_factory=list)

    def read_books(self, platform):
        """Take charges and requests from the simulator's books."""
        books, requests = platform.get("books"), platform.get("requests")
        self.asked = books["counts"]
        taken = collections.defaultdict(list)
        for charge in books["charges"]:
            taken[charge["terminal_id"]].append(charge["at"])
        first = _first_sales(requests)
        for payment, terminal in zip(self.payments, platform.terminals, strict=True):
            self.debits.append(len(taken[terminal]))
            if payment.known and taken[terminal]:
                self.late.append((payment.known - taken[terminal][0]) * 1000)
            if terminal in first:
                self.click.append((first[terminal] - payment.asked) * 1000)

    def read_log(self, text):
        """Take what Odoo served from its log."""
        served = collections.Counter()
        for logger, path, status, figures in REQUEST.findall(text):
            kind = _kind(path)
            served[kind] += 1
            served["answered 5xx"] += status.startswith("5")
            if kind != "other" and logger == "werkzeug":  # queries, seconds in SQL, seconds else
                self.held += sum(float(figure) for figure in figures.split()[-2:])
        self.served = dict(served)

    def each(self, number):
        """Return a number per payment, as text."""
        return f"{number / len(self.payments):.1f}"


def _first_sales(requests):
    """Return {terminal: when its first sale arrived}."""
    first = {}
    for entry in requests:
        if entry["endpoint"] == "sale":
            moment = datetime.datetime.fromisoformat(entry["at"][:26] + "+00:00").timestamp()
            first.setdefault(str(json.loads(entry["body"])["terminalId"]), moment)
    return first


def _kind(path):
    if "/notification?" in path:
        return "webhook"
    own = path.startswith(("/websocket/", "/web/dataset/"))
    return "till" if own else "other"


def observed(server, platform, webhooks, open_attempts):
    """Have all tills pay and return the Run with what both sides' books say."""
    platform.prepare(webhooks)
    attempts = open_attempts()
    load, start = _load(), server.log.stat().st_size
    run = measured(server.url, len(attempts), lambda index: attempts[index].pay(), Run)
    run.load, run.reasons = load, [attempt.reason for attempt in attempts if attempt.reason]
    time.sleep(SETTLED)
    run.read_books(platform)
    run.read_log(server.log.read_bytes()[start:].decode(errors="replace"))
    return run


class Figures(_tills.Figures):
    """The table of this benchmark."""

    LINE = "{:<20} {:>6} {:>8} {:>8} {:>11} {:>14} {:>6} {:>14} {:>14} {:>13} {:>6} {:>6} {:>5}  {}"
    COLUMNS = (
        "run",
        "paid",
        "unheard",
        "twice",
        "till req",
        "log till+hook",
        "held s",
        "click to Viva",
        "act to done",
        "/web/health",
        "Viva",
        "took s",
        "load",
        "bars",
    )

    def head(self, text):
        """Print what follows, and what the columns mean."""
        super().head(text)
        say("  per payment: till req, log (Odoo's access log), held (an HTTP worker), Viva (requests to it)")

    def add(self, name, run, bars=False):
        """Print a run; bars: whether it has any."""
        met = bars and {
            "all right": run.right == len(run.payments),
            f"health <{HEALTH_BAR}": bool(run.health) and p95(run.health) < HEALTH_BAR,
        }
        self.row(name, _cells(run), met)
        say(f"  asked of Viva.com: {_counts(run.asked)}; in Odoo's log: {_counts(run.served)}")
        for reason, count in collections.Counter(run.reasons).items():
            say(f"  not paid, {count}: {reason[:300]}")


def _cells(run):
    paid = sum(payment.paid for payment in run.payments)
    requests = sum(payment.requests for payment in run.payments)
    return [
        f"{paid}/{len(run.payments)}",
        run.unheard,
        run.twice,
        run.each(requests),
        f"{run.each(run.served.get('till', 0))}+{run.each(run.served.get('webhook', 0))}",
        f"{run.held / len(run.payments):.2f}",
        pair(run.click),
        pair(run.late),
        pair(run.health),
        run.each(sum(run.asked.values())),
        f"{run.seconds:.0f}",
        run.load,
    ]


def _counts(counts):
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "nothing"


if __name__ == "__main__":
    sys.exit(main())
