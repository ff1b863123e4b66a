"""What benchmarks of many tills share: paying at once, the bus, probes, the table."""

import contextlib
import dataclasses
import json
import math
import statistics
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import websocket

from tools.report import say

PROBE_SECONDS = 0.1
BUS_SECONDS = 60  # that may pass without a message
ENDED = ("approved", "declined", "cancelled", "failed", "unknown")  # states of an operation


class Socket:
    """A till's connection to the bus, listening to one channel."""

    def __init__(self, url, cookie, channel):
        address = url.replace("http", "ws", 1) + "/websocket"
        self.socket = websocket.create_connection(
            address, cookie=f"session_id={cookie}", origin=url, timeout=BUS_SECONDS
        )
        subscription = {"event_name": "subscribe", "data": {"channels": [channel], "last": 0}}
        self.socket.send(json.dumps(subscription))

    def payloads(self):
        """Wait for the next messages and return those that are objects."""
        payloads = [message["message"]["payload"] for message in json.loads(self.socket.recv() or "[]")]
        return [payload for payload in payloads if isinstance(payload, dict)]

    def close(self):
        """Hang up."""
        self.socket.close()


@dataclasses.dataclass
class Payment:
    """Times of one payment at the till, in seconds since 1970; None for what never came.

    requests: that the till made for it
    """

    asked: float
    answered: float | None
    known: float | None
    paid: bool
    requests: int = 0


@dataclasses.dataclass
class Run:
    """Payments of a run, terminal by terminal.

    health: milliseconds of each probe; seconds: it took; late: milliseconds from a terminal's last act to the
    till knowing; debits: of each terminal
    """

    payments: list
    health: list
    seconds: float
    late: list = dataclasses.field(default_factory=list)
    debits: list = dataclasses.field(default_factory=list)

    @property
    def right(self):
        """How many were debited once and known as paid by their till."""
        pairs = zip(self.payments, self.debits, strict=True)
        return sum(payment.paid and debits == 1 for payment, debits in pairs)

    @property
    def unheard(self):
        """How many were debited without their till ever knowing."""
        pairs = zip(self.payments, self.debits, strict=True)
        return sum(not payment.paid and debits > 0 for payment, debits in pairs)

    @property
    def twice(self):
        """How many terminals were debited more than once."""
        return sum(debits > 1 for debits in self.debits)


def measured(url, count, pay, kind=Run):
    """Have all pay at once, probing the server's health meanwhile; returns the Run (of a kind)."""
    enough, health = threading.Event(), []
    prober = threading.Thread(target=_probe, args=(url, enough, health))
    started = time.monotonic()
    prober.start()
    try:
        with ThreadPoolExecutor(count) as pool:
            payments = list(pool.map(pay, range(count)))
    finally:
        enough.set()
        prober.join()
    return kind(payments, health, time.monotonic() - started)


def _probe(url, enough, health):
    while not enough.wait(PROBE_SECONDS):
        started = time.perf_counter()
        with contextlib.suppress(OSError), urllib.request.urlopen(url + "/web/health", timeout=120) as page:
            page.read()
        health.append((time.perf_counter() - started) * 1000)


def p95(values):
    """Return the 95th percentile, None of nothing."""
    return sorted(values)[math.ceil(len(values) * 0.95) - 1] if values else None


def pair(values):
    """Return the median and the 95th percentile as text."""
    return f"{statistics.median(values):.0f} / {p95(values):.0f}" if values else "-"


class Figures:
    """A table, a line a run; a bar that is missed makes the exit code 1."""

    LINE, COLUMNS = "", ()

    def __init__(self):
        self.missed = []

    def head(self, text):
        """Print what follows."""
        say()
        say(text)
        say(self.LINE.format(*self.COLUMNS))

    def row(self, name, cells, bars=None):
        """Print a run; bars: {words: whether it is met}, empty for a peer."""
        bars = bars or {}
        self.missed += [f"{name}: {what}" for what, met in bars.items() if not met]
        verdict = ", ".join(f"{what} {'ok' if met else 'MISSED'}" for what, met in bars.items())
        say(self.LINE.format(name, *cells, verdict).rstrip())

    def close(self):
        """Print what came out and return the exit code."""
        say(f"{len(self.missed)} bar(s) missed: {'; '.join(self.missed)}" if self.missed else "All bars met.")
        return 1 if self.missed else 0
