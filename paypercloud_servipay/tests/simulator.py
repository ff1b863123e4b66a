# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""A PayperCloud terminal service to test against: scripted outcomes, real books, every fault.

    python simulator.py --port 8899 --api-key demo-key --pos-id POS1 --terminal T1 --default-delay 3

    with Simulator(api_key="k") as sim:                 # the same inside a test; port 0 = a free one
        sim.script("declined", code="51")               # the next operation
        sim.fault("purchase", "close_after", times=1)   # the next purchase is done, its answer never comes
        ...
        assert sim.count_charges(reference="ORDER-7") == 1

What it imitates
----------------
THE REAL PAYPERCLOUD API v2 IS NOT PUBLIC. This is our assumption of it (protocols/paypercloud.md, section 4),
nothing that the vendor wrote or confirmed. Three spellings of the same nine endpoints are served side by side
below ``/api/v2``:

* default: ``POST /operations/purchase``, ``GET /operations/{id}/status`` ...; camelCase, ids in the query;
* flat RPC: ``POST /purchase``, ``POST /operation-status`` ...; snake_case, everything in the body;
* path-scoped: ``/pos/{pos_id}/terminals/{terminal_pid}/operations/...``; ids in the path.

A start (purchase, refund, void, reconciliation) is checked strictly and answered 202 "accepted"; the dialogue
then runs on a real clock (``waiting_for_card``, ``processing``, the end), one at a time on a terminal. Nobody
needs to poll for the money to move: ``charges`` is what moved, whoever knows about it. It shares no code with
``api/`` on purpose.

What it does NOT imitate
------------------------
TLS and client certificates, webhooks, rate limits by load, paging of lists, tips, pre-authorisation,
instalments, the vendor's real words, codes, receipts and time zone (everything here is UTC), a refusal to
void after a reconciliation, several acquirers, what survives a restart (all state is memory). A week is the
ISO week (Monday to Sunday) of the date. ``Api.day_offset`` makes lists count the days of another clock than
UTC.

Magic amounts (minor units of any currency; purchases and refunds without a queued script)
-----------------------------------------------------------------------------------------
==========  =============================================================================
90001       declined, 05 do not honour
90002       cancelled by the customer on the terminal
90003       failed: terminal error, nothing taken
90004       timeout: the terminal was lost, nothing taken
90005       partial approval: half of it
90006       approved although it was cancelled: waits for the cancel (a minute at most)
90007       never ends, until it is cancelled
90008       ends with a status word nobody knows
90009       approved after 20 seconds
90010       approved, but the answer to the start is lost (connection closed)
90011       refused: terminal busy (409)
90051       declined, 51 insufficient funds
90054       declined, 54 expired card
90055       declined, 55 wrong PIN
==========  =============================================================================

Steering from outside (loopback is the only protection; POST bodies are JSON): ``GET /_simulator/books``,
``POST /_simulator/script`` ``{"outcome", "delay", ...}``, ``POST /_simulator/fault`` ``{"endpoint", "fault",
"times", ...}``, ``POST /_simulator/finish`` ``{"operation_id", "outcome"}``, ``POST /_simulator/reset``;
``GET /`` is a page for people.
"""

import argparse
import collections
import contextlib
import dataclasses
import datetime
import gzip
import hmac
import html
import ipaddress
import json
import logging
import os
import re
import secrets
import signal
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

_logger = logging.getLogger(__name__)

MAX_BODY = 1 << 20  # bytes of a request that are read at all
MAX_AMOUNT = 999_999_999_999  # twelve digits, as in ISO 8583 field 4
MAX_TEXT = 100  # characters of an id or a reference
KEPT_REQUESTS = 1000
PATIENCE = 60  # seconds "approved_after_cancel" waits for its cancel

# --- Vocabulary -----------------------------------------------------------------------------------

_DIGITS = {  # digits after the point -> currencies
    0: "CLP ISK JPY KRW XAF XOF XPF",
    2: "AUD BRL CAD CHF CZK DKK EUR GBP HUF MAD NOK NZD PLN RON SEK SGD TRY USD ZAR",
    3: "BHD JOD KWD OMR TND",
}
CURRENCIES = {code: digits for digits, codes in _DIGITS.items() for code in codes.split()}
CARDS = (  # brand, masked number, application id; numbers are public test numbers
    ("VISA", "411111******1111", "A0000000031010"),
    ("MASTERCARD", "555555******4444", "A0000000041010"),
    ("AMEX", "378282*****0005", "A00000002501"),
)
START = ("purchase", "refund", "void", "reconciliation")
OF_OPERATION = ("operation_status", "operation_result", "operation_cancel")
ENDPOINTS = (*START, *OF_OPERATION, "operations_list", "last_reconciliation")


@dataclass(frozen=True)
class Ending:
    """How an outcome shows: status word, ``approved`` flag (None = not told) and whether money moves."""

    word: str
    approved: bool | None
    moves: bool


OUTCOMES = {
    "approved": Ending("approved", True, True),
    "partial": Ending("approved", True, True),
    "approved_after_cancel": Ending("approved", True, True),
    "declined": Ending("declined", False, False),
    "cancelled": Ending("cancelled", False, False),
    "failed": Ending("failed", False, False),
    "timeout": Ending("timeout", None, False),
    "unknown_word": Ending("zz_unheard_of", None, False),
    "never_ends": Ending("waiting_for_card", None, False),
}
ALIASES = {
    "approve": "approved",
    "decline": "declined",
    "cancel": "cancelled",
    "fail": "failed",
    "partial_approval": "partial",
}


# --- Scripts: what becomes of the next operation --------------------------------------------------


@dataclass(frozen=True)
class Script:
    """The course of one operation.

    outcome: a key of OUTCOMES or ALIASES; delay: seconds until it (None = the simulator's default);
    steps: [(status word, seconds), ...] instead of the usual two halves of the delay;
    kind: only for this kind of operation; code, message: of a decline;
    amount: of a partial approval, in minor units; word: of "unknown_word";
    charged: True or False overrules whether money moves ("timeout", but the card was charged);
    cancel: "honour" (while the card is awaited) or "lose"; fault: one fault on the answer to the start;
    id: the operation's id, instead of one of the simulator's own making.
    """

    outcome: str = "approved"
    delay: float | None = None
    steps: tuple = ()
    kind: str | None = None
    code: str = "05"
    message: str = "Do not honour"
    amount: int | None = None
    word: str = OUTCOMES["unknown_word"].word
    charged: bool | None = None
    cancel: str = "honour"
    fault: str | None = None
    id: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "outcome", ALIASES.get(self.outcome, self.outcome))
        object.__setattr__(self, "steps", tuple((word, float(seconds)) for word, seconds in self.steps))
        if self.outcome not in OUTCOMES:
            raise ValueError(f"unknown outcome {self.outcome!r}; known: {', '.join(OUTCOMES)}")
        if self.kind not in (None, *START):
            raise ValueError(f"unknown kind {self.kind!r}; known: {', '.join(START)}")
        if self.cancel not in ("honour", "lose"):
            raise ValueError("cancel must be 'honour' or 'lose'")
        if self.delay is not None and self.delay < 0:
            raise ValueError("delay must not be negative")

    def timeline(self, default_delay):
        """The steps [(word, seconds)] before the end."""
        delay = default_delay if self.delay is None else self.delay
        return self.steps or (("waiting_for_card", delay / 2), ("processing", delay / 2))


MAGIC = {  # minor amount -> (script, what people read)
    90001: (Script("declined"), "declined, 05 do not honour"),
    90002: (Script("cancelled"), "cancelled by the customer on the terminal"),
    90003: (Script("failed"), "failed: terminal error, nothing taken"),
    90004: (Script("timeout"), "timeout: the terminal was lost, nothing taken"),
    90005: (Script("partial"), "partial approval: half of it"),
    90006: (Script("approved_after_cancel"), "approved although it was cancelled: waits for the cancel"),
    90007: (Script("never_ends"), "never ends, until it is cancelled"),
    90008: (Script("unknown_word"), "ends with a status word nobody knows"),
    90009: (Script("approved", delay=20), "approved after 20 seconds"),
    90010: (Script("approved", fault="close_after"), "approved, but the answer to the start is lost"),
    90011: (Script("approved", fault="busy"), "refused: terminal busy (409)"),
    90051: (Script("declined", code="51", message="Insufficient funds"), "declined, 51 insufficient funds"),
    90054: (Script("declined", code="54", message="Expired card"), "declined, 54 expired card"),
    90055: (Script("declined", code="55", message="Wrong PIN"), "declined, 55 wrong PIN"),
}


class Scripts:
    """The queue of scripts; the caller holds the books' lock."""

    def __init__(self, default, magic):
        self.default = default
        self.magic = magic
        self.queue = []

    def choose(self, kind, amount):
        """The script of an operation about to start: queued for its kind, by magic amount, or the default."""
        for script in self.queue:
            if script.kind in (None, kind):
                return script
        if self.magic and kind in ("purchase", "refund") and amount in MAGIC:
            return MAGIC[amount][0]
        return self.default

    def used(self, script):
        """Take a script that was chosen out of the queue (by identity: equal scripts are queued often)."""
        self.queue = [other for other in self.queue if other is not script]


# --- The books: operations and the money that moved -----------------------------------------------


class Refused(Exception):
    """A request is answered with an error and changes nothing."""

    def __init__(self, status, code, message, headers=(), **details):
        super().__init__(message)
        self.status, self.code, self.headers, self.details = status, code, tuple(headers), details

    def document(self):
        """``{"error": {"code", "message", ...}}``"""
        return {"error": {"code": self.code, "message": str(self), **self.details}}


@dataclass(frozen=True)
class Charge:
    """Money that really moved. amount: minor units, always positive; ``kind`` says in which direction."""

    operation_id: str
    kind: str
    amount: int
    currency: str
    pos_id: str
    terminal_pid: str
    reference: str | None
    idempotency_key: str | None
    brand: str
    at: float


@dataclass
class Operation:
    """One dialogue on a terminal. started, ends_at: monotonic clock; created: seconds since 1970, UTC."""

    id: str
    number: int
    kind: str
    pos_id: str
    terminal_pid: str
    amount: int | None
    currency: str | None
    reference: str | None
    idempotency_key: str | None
    original_id: str | None
    script: Script
    started: float
    created: float
    outcome: str
    steps: tuple
    ends_at: float | None
    settled: bool = False
    cancel_asked: bool = False
    moved: int = 0
    reversed: bool = False
    reconciliation: dict = field(default_factory=dict)

    @property
    def card(self):
        """(brand, masked number, application id) of the card that is presented."""
        return CARDS[self.number % len(CARDS)]

    @property
    def approved(self):
        """Approved, and not reversed since."""
        return self.settled and OUTCOMES[self.outcome].approved is True and not self.reversed

    def word(self, now):
        """The status word at a moment."""
        if self.settled:
            return self._last_word()
        if self.cancel_asked and self.outcome == "approved_after_cancel":
            return "processing"
        if self.outcome in ("never_ends", "approved_after_cancel") and not self.script.steps:
            return "waiting_for_card"
        passed = self.started
        for word, seconds in self.steps:
            passed += seconds
            if now < passed:
                return word
        return self.steps[-1][0]

    def _last_word(self):
        if self.reversed:
            return "reversed"
        if self.outcome == "unknown_word":
            return self.script.word
        if self.kind == "reconciliation" and OUTCOMES[self.outcome].moves:
            return "completed"
        return OUTCOMES[self.outcome].word


class Books:
    """All state of the service, behind one lock. Time passes when somebody looks: see ``advance``."""

    def __init__(self, settings):
        self.settings = settings
        self.lock = threading.RLock()
        self.clear(Script(settings.default, delay=settings.delay))

    def clear(self, default):
        """Forget everything, as on the first day."""
        with self.lock:
            self.opened = time.time()
            self.operations = {}
            self.charges = []
            self.keys = {}
            self.reconciled = {}  # (POS, terminal) -> list of finished reconciliations
            self.scripts = Scripts(default, self.settings.magic)

    def advance(self):
        """Let every operation end whose time has come, in the order of their ends. Returns the moment."""
        now = time.monotonic()
        due = [op for op in self.operations.values() if not op.settled and (op.ends_at or now + 1) <= now]
        for operation in sorted(due, key=lambda op: op.ends_at):
            self._settle(operation)
        return now

    def start(self, kind, values, script, key):
        """Begin an operation of already checked values; returns it."""
        steps = script.timeline(self.settings.delay)
        now = self.advance()
        number = len(self.operations) + 1
        operation = Operation(
            id=script.id or f"op-{number:06d}-{secrets.token_hex(4)}",
            number=number,
            kind=kind,
            pos_id=values["pos_id"],
            terminal_pid=values["terminal_pid"],
            amount=values.get("amount"),
            currency=values.get("currency"),
            reference=values.get("reference"),
            idempotency_key=key,
            original_id=values.get("original_operation_id"),
            script=script,
            started=now,
            created=time.time(),
            outcome=script.outcome,
            steps=steps,
            ends_at=self._end(script, now, steps),
        )
        self.operations[operation.id] = operation
        return operation

    @staticmethod
    def _end(script, now, steps):
        if script.outcome == "never_ends":
            return None
        patience = PATIENCE if script.outcome == "approved_after_cancel" else 0
        return now + patience + sum(seconds for _word, seconds in steps)

    def cancel(self, operation):
        """Ask for a cancel: it works while the card is awaited, unless the script says that it loses."""
        now = self.advance()
        if operation.settled:
            return
        if operation.outcome == "approved_after_cancel":
            if not operation.cancel_asked:
                operation.ends_at = now + sum(seconds for _word, seconds in operation.steps)
        elif operation.script.cancel == "honour" and operation.word(now) != "processing":
            self.finish(operation, "cancelled")
        operation.cancel_asked = True

    def finish(self, operation, outcome):
        """End an operation now, with an outcome of its own."""
        operation.outcome, operation.ends_at = outcome, time.monotonic()
        self.advance()

    def _settle(self, operation):
        operation.settled = True
        ending, script = OUTCOMES[operation.outcome], operation.script
        as_scripted = operation.outcome == script.outcome and script.charged is not None
        moves = script.charged if as_scripted else ending.moves
        if operation.kind == "reconciliation":
            if ending.moves:
                self._close_batch(operation)
        elif moves:
            self._move(operation)

    def _move(self, operation):
        partial = operation.outcome == "partial" and operation.kind != "void"
        half = operation.script.amount or max(1, (operation.amount or 0) // 2)
        operation.moved = half if partial else operation.amount
        if operation.kind == "void":
            self.operations[operation.original_id].reversed = True
        names = ("kind", "currency", "pos_id", "terminal_pid", "reference", "idempotency_key")
        self.charges.append(
            Charge(
                operation_id=operation.id,
                amount=operation.moved,
                brand=operation.card[0],
                at=operation.created + operation.ends_at - operation.started,
                **{name: getattr(operation, name) for name in names},
            )
        )

    def _close_batch(self, operation):
        place = (operation.pos_id, operation.terminal_pid)
        earlier = self.reconciled.setdefault(place, [])
        done = {identifier for other in earlier for identifier in other.reconciliation["operations"]}
        batch = [
            charge
            for charge in self.charges
            if (charge.pos_id, charge.terminal_pid) == place and charge.operation_id not in done
        ]
        operation.reconciliation = {
            "batch": f"{len(earlier) + 1:06d}",
            "start": earlier[-1].reconciliation["end"] if earlier else self.opened,
            "end": operation.created + operation.ends_at - operation.started,
            "totals": totals(batch),
            "operations": [charge.operation_id for charge in batch],
        }
        earlier.append(operation)

    def running_on(self, pos_id, terminal_pid):
        """The operation in flight on a terminal, or None."""
        for operation in self.operations.values():
            if not operation.settled and (operation.pos_id, operation.terminal_pid) == (pos_id, terminal_pid):
                return operation
        return None

    def followers(self, original, kind):
        """Operations of a kind on an original that took effect or may still."""
        return [
            op
            for op in self.operations.values()
            if op.original_id == original.id and op.kind == kind and (op.moved or not op.settled)
        ]

    def left(self, original):
        """Minor units of a purchase that nobody has given back, or is giving back now."""
        if original.reversed or self.followers(original, "void"):
            return 0
        return original.moved - sum(op.moved or op.amount for op in self.followers(original, "refund"))

    def net(self, currency):
        """Minor units taken from customers less what they got back."""
        sign = {"purchase": 1, "refund": -1, "void": -1}
        return sum(sign[item.kind] * item.amount for item in self.charges if item.currency == currency)


def totals(charges):
    """Count and sum of charges by kind, brand and currency, in the API's shape."""
    sums = collections.defaultdict(lambda: [0, 0])
    for charge in charges:
        line = sums[charge.kind, charge.brand, charge.currency]
        line[0] += 1
        line[1] += charge.amount
    return [
        {"type": kind, "brand": brand, "currency": currency, "count": count, "amount": amount}
        for (kind, brand, currency), (count, amount) in sorted(sums.items())
    ]


# --- Documents: what is told about an operation (canonical camelCase) -----------------------------


def utc(seconds):
    """ISO 8601, UTC, whole seconds."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def accepted(operation):
    """The answer to a start and to a cancel."""
    return {"operationId": operation.id, "status": "accepted", "reference": operation.reference}


def status_of(operation, now):
    """The answer to operation_status."""
    return {**accepted(operation), "status": operation.word(now)}


def row_of(operation, now):
    """One line of operations_list."""
    return {
        "operationId": operation.id,
        "type": operation.kind,
        "status": operation.word(now),
        "reference": operation.reference,
        "amount": operation.moved or operation.amount,
        "currency": operation.currency,
        "pid": operation.terminal_pid,
        "posId": operation.pos_id,
        "createdAt": utc(operation.created),
    }


def reconciliation_of(operation, now):
    """The result of a reconciliation; without totals when it did not come to its end."""
    told = operation.reconciliation
    return {
        "operationId": operation.id,
        "status": operation.word(now),
        "batch": told.get("batch"),
        "periodStart": utc(told["start"]) if told else None,
        "periodEnd": utc(told["end"]) if told else None,
        "totals": told.get("totals", []),
    }


def result_of(operation, now):
    """The answer to operation_result once the operation has ended."""
    if operation.kind == "reconciliation":
        return reconciliation_of(operation, now)
    declined = operation.outcome == "declined"
    ending = OUTCOMES[operation.outcome]
    original = {"originalOperationId": operation.original_id} if operation.original_id else {}
    return {
        **status_of(operation, now),
        **original,
        "approved": False if operation.reversed else ending.approved,
        "amount": operation.moved or operation.amount,
        "currency": operation.currency,
        "posId": operation.pos_id,
        "pid": operation.terminal_pid,
        **_card_fields(operation, seen=ending.moves or declined),
        "transactionDate": utc(operation.created + operation.ends_at - operation.started),
        "merchantReceipt": receipt(operation, now, "MERCHANT COPY"),
        "customerReceipt": receipt(operation, now, "CUSTOMER COPY"),
        "declineCode": operation.script.code if declined else None,
        "declineMessage": operation.script.message if declined else None,
    }


def _card_fields(operation, seen):
    brand, number, application = operation.card
    told = {
        "authorizationCode": f"A{operation.number:05d}" if OUTCOMES[operation.outcome].moves else None,
        "cardBrand": brand,
        "maskedPan": number,
        "entryMode": "contactless",
        "rrn": f"{operation.number:012d}",
        "stan": f"{operation.number % 1000000:06d}",
        "merchantId": "SIM000000000001",
        "aid": application,
    }
    return told if seen else dict.fromkeys(told)


def receipt(operation, now, title):
    """A receipt of a few lines; nobody can take it for a real one."""
    amount = money(operation.moved or operation.amount, operation.currency)
    lines = (
        "*** SIMULATOR - NO VALUE ***",
        title,
        f"{operation.kind.upper()} {amount}",
        f"{operation.card[0]} {operation.card[1]}",
        f"TERMINAL {operation.terminal_pid}  N° {operation.number:06d}",
        operation.word(now).upper(),
    )
    return "\n".join(lines)


def money(minor, currency):
    """For people: ``12.34 EUR``."""
    if minor is None:
        return ""
    digits = CURRENCIES.get(currency, 2)
    text = f"{minor:0{digits + 1}d}"
    return f"{text[:-digits]}.{text[-digits:]} {currency}" if digits else f"{text} {currency}"


# --- Dialects: three spellings of the same nine endpoints -----------------------------------------


@dataclass(frozen=True)
class Dialect:
    """How a profile spells names: wire name -> ours, in bodies and queries; snake: answers in snake_case."""

    name: str
    body: dict
    query: dict
    snake: bool = False

    def spell(self, document):
        """A canonical document in this dialect's letters."""
        return _snake(document) if self.snake else document


_COMMON = {"amount": "amount", "currency": "currency", "reference": "reference"}
_LIST = {"period": "period", "date": "date"}
_PIDS = {"pos_pid": "pos_id", "tpe_pid": "terminal_pid"}
_CAMEL = {
    "posId": "pos_id",
    "pid": "terminal_pid",
    "operationId": "operation_id",
    "originalOperationId": "original_operation_id",
    "idempotencyKey": "idempotency_key",
    **_COMMON,
}
_FLAT = {name: name for name in ("operation_id", "original_operation_id", "idempotency_key")}
DIALECTS = {
    "default": Dialect("default", _CAMEL, {**_PIDS, **_LIST}),
    "flat": Dialect("flat", {**_FLAT, **_PIDS, **_COMMON, **_LIST}, {}, snake=True),
    "scoped": Dialect("scoped", _CAMEL, {**_PIDS, **_LIST}),
}
_SCOPE = "/pos/{pos_id}/terminals/{terminal_pid}"
ROUTES = (  # dialect, endpoint, verb, path below the prefix
    ("default", "purchase", "POST", "/operations/purchase"),
    ("default", "refund", "POST", "/operations/refund"),
    ("default", "void", "POST", "/operations/void"),
    ("default", "reconciliation", "POST", "/operations/reconciliation"),
    ("default", "operation_status", "GET", "/operations/{operation_id}/status"),
    ("default", "operation_result", "GET", "/operations/{operation_id}/result"),
    ("default", "operation_cancel", "POST", "/operations/{operation_id}/cancel"),
    ("default", "operations_list", "GET", "/operations"),
    ("default", "operations_list", "GET", "/operations/{period}"),
    ("default", "last_reconciliation", "GET", "/reconciliations/last"),
    ("flat", "purchase", "POST", "/purchase"),
    ("flat", "refund", "POST", "/refund"),
    ("flat", "void", "POST", "/void"),
    ("flat", "reconciliation", "POST", "/reconciliation"),
    ("flat", "operation_status", "POST", "/operation-status"),
    ("flat", "operation_result", "POST", "/operation-result"),
    ("flat", "operation_cancel", "POST", "/operation-cancel"),
    ("flat", "operations_list", "POST", "/operations-list"),
    ("flat", "last_reconciliation", "POST", "/last-reconciliation"),
    ("scoped", "purchase", "POST", _SCOPE + "/operations/purchase"),
    ("scoped", "refund", "POST", _SCOPE + "/operations/refund"),
    ("scoped", "void", "POST", _SCOPE + "/operations/void"),
    ("scoped", "reconciliation", "POST", _SCOPE + "/operations/reconciliation"),
    ("scoped", "operation_status", "GET", _SCOPE + "/operations/{operation_id}/status"),
    ("scoped", "operation_result", "GET", _SCOPE + "/operations/{operation_id}/result"),
    ("scoped", "operation_cancel", "POST", _SCOPE + "/operations/{operation_id}/cancel"),
    ("scoped", "operations_list", "GET", _SCOPE + "/operations"),
    ("scoped", "last_reconciliation", "GET", _SCOPE + "/reconciliations/last"),
)
FIELDS = {  # endpoint -> (required, optional), our names
    "purchase": ({"pos_id", "terminal_pid", "amount", "currency", "reference"}, {"idempotency_key"}),
    "refund": (
        {"pos_id", "terminal_pid", "amount", "currency", "reference"},
        {"idempotency_key", "original_operation_id"},
    ),
    "void": (
        {"pos_id", "terminal_pid", "original_operation_id"},
        {"idempotency_key", "reference", "amount", "currency"},
    ),
    "reconciliation": ({"pos_id", "terminal_pid"}, {"idempotency_key", "reference"}),
    "operation_status": ({"pos_id", "operation_id"}, {"terminal_pid"}),
    "operation_result": ({"pos_id", "operation_id"}, {"terminal_pid"}),
    "operation_cancel": ({"pos_id", "operation_id"}, {"terminal_pid"}),
    "operations_list": ({"pos_id"}, {"terminal_pid", "period", "date"}),
    "last_reconciliation": ({"pos_id"}, {"terminal_pid"}),
}


def _snake_name(name):
    special = {"pid": "tpe_pid", "posId": "pos_pid"}
    return special.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _snake(value):
    if isinstance(value, dict):
        return {_snake_name(name): _snake(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_snake(item) for item in value]
    return value


def _pattern(path):
    special = {"{period}": "(?P<period>daily|weekly)"}
    parts = [special.get(part) or re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", part) for part in path.split("/")]
    return re.compile("/".join(parts))


@dataclass(frozen=True)
class Route:
    """A line of ROUTES, ready to match."""

    dialect: Dialect
    endpoint: str
    verb: str
    pattern: re.Pattern


_COMPILED = tuple(Route(DIALECTS[d], endpoint, verb, _pattern(path)) for d, endpoint, verb, path in ROUTES)


def find_route(verb, path):
    """(Route, values in the path) for a verb and a path below the prefix; Refused 404 or 405."""
    allowed = []
    for route in _COMPILED:
        match = route.pattern.fullmatch(path)
        if match and route.verb == verb:
            return route, match.groupdict()
        if match:
            allowed.append(route.verb)
    if allowed:
        raise Refused(
            405, "method_not_allowed", "wrong verb", headers=[("Allow", ", ".join(sorted(set(allowed))))]
        )
    raise Refused(404, "unknown_endpoint", "there is no such endpoint")


# --- Reading a request, strictly ------------------------------------------------------------------


def read_document(request):
    """The JSON object in a request body, {} for no body; Refused 400, 413 or 415."""
    if request.headers.get("Transfer-Encoding"):
        raise Refused(411, "length_required", "a body must be sent with its length")
    if (request.content_length or 0) > MAX_BODY:
        raise Refused(413, "too_large", "the body is too large")
    data = body_of(request)
    if not data:
        return {}
    if request.mimetype != "application/json":
        raise Refused(415, "content_type", "Content-Type must be application/json")
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=_no_doubles, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Refused(400, "invalid_json", "the body is not JSON") from error
    if not isinstance(document, dict):
        raise Refused(400, "not_an_object", "the body must be a JSON object")
    return document


def body_of(request):
    """The body's bytes, kept for later readers; none of one that is refused for its size."""
    bounded = not request.headers.get("Transfer-Encoding") and (request.content_length or 0) <= MAX_BODY
    return request.get_data(cache=True) if bounded else b""


def _no_doubles(pairs):
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def translate(pairs, names, strict, into):
    """Add wire values under our names to ``into``; Refused for unknown (strict) or contradicting ones."""
    for name, value in pairs:
        ours = names.get(name)
        if ours is None:
            if strict:
                raise Refused(422, "unknown_field", f"{name} is not expected here", field=name)
        elif ours in into and into[ours] != value:
            raise Refused(422, "contradiction", f"{name} contradicts another place", field=name)
        else:
            into[ours] = value


def check_fields(endpoint, values, strict, currencies):
    """Refused 422 unless the values are those the endpoint takes, each of its type."""
    required, optional = FIELDS[endpoint]
    for name in sorted(required - set(values)):
        raise Refused(422, "missing_field", f"{name} is missing", field=name)
    for name in sorted(set(values) - required - optional):
        if strict:
            raise Refused(422, "unknown_field", f"{name} is not expected here", field=name)
        del values[name]
    for name, value in values.items():
        if name == "amount":
            check_amount(value)
        elif not is_text(value):
            raise Refused(422, "invalid_field", f"{name} must be a text of 1 to {MAX_TEXT}", field=name)
    if "currency" in values and values["currency"] not in currencies:
        raise Refused(422, "unknown_currency", "the currency must be a known ISO 4217 alphabetic code")
    if "period" in values and values["period"] not in ("daily", "weekly"):
        raise Refused(422, "invalid_field", "period must be daily or weekly", field="period")


def is_text(value):
    """A printable text of 1 to MAX_TEXT characters."""
    return (
        isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable() and not value.isspace()
    )


def check_amount(value):
    """Refused 422 unless an integer of minor units above 0. JSON's true, 12.0 and "12" are none."""
    if type(value) is not int or not 0 < value <= MAX_AMOUNT:
        raise Refused(
            422, "invalid_amount", "amount must be an integer of minor units, above 0", field="amount"
        )


def read_date(text):
    """A date from YYYY-MM-DD, today (UTC) without one; Refused 422."""
    if text is None:
        return datetime.datetime.now(datetime.timezone.utc).date()
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError(text)
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise Refused(422, "invalid_date", "date must be YYYY-MM-DD", field="date") from error


# --- The API --------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What is answered before any fault bends it."""

    status: int
    document: dict
    headers: list = field(default_factory=list)
    operation_id: str | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Call:
    """A request that was understood: the endpoint, checked values under our names, modes that are on."""

    endpoint: str
    values: dict
    key: str | None
    modes: frozenset


class Api:
    """The nine endpoints on the books. ``handle`` is the only entrance."""

    day_offset = 0  # hours that the clock of the lists is ahead of UTC

    def __init__(self, settings, books, sleep):
        self.settings, self.books, self.sleep = settings, books, sleep

    def handle(self, route, in_path, request, modes):
        """Check a request and do it; Answer, or Refused."""
        token = self._authenticate(request)
        call = self._read(route, in_path, request, modes)
        self._check_place(call.values, in_path, token)
        if call.endpoint in START:
            answer = self._start(call)
            return self._wait(answer) if "sync" in modes and not answer.fault else answer
        return getattr(self, f"_{call.endpoint}")(call)

    def _authenticate(self, request):
        scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
        known = any(_same(token, key) for key in self.settings.all_keys())
        if scheme.lower() != "bearer" or not known:
            raise Refused(401, "unauthorized", "unknown API key", headers=[("WWW-Authenticate", "Bearer")])
        return token

    def _read(self, route, in_path, request, modes):
        strict = self.settings.strict
        values = dict(in_path)
        for name in set(request.args):
            if len(request.args.getlist(name)) > 1:
                raise Refused(422, "contradiction", f"{name} occurs twice", field=name)
        translate(request.args.items(), route.dialect.query, strict, values)
        document = read_document(request)
        translate(document.items(), route.dialect.body if route.verb == "POST" else {}, strict, values)
        check_fields(route.endpoint, values, strict, self.settings.currencies)
        return Call(route.endpoint, values, self._idempotency_key(request, values), frozenset(modes))

    @staticmethod
    def _idempotency_key(request, values):
        header, body = request.headers.get("Idempotency-Key"), values.pop("idempotency_key", None)
        if header is not None and not is_text(header):
            raise Refused(422, "invalid_field", "Idempotency-Key must be a short text")
        if header and body and header != body:
            raise Refused(422, "contradiction", "two different idempotency keys", field="idempotency_key")
        return header or body

    def _check_place(self, values, in_path, token):
        """Known POS, known terminal, and the key of that POS: 404 for what stands in the path, else 422."""
        pos_id, terminal = values["pos_id"], values.get("terminal_pid")
        if pos_id not in self.settings.terminals:
            raise Refused(404 if "pos_id" in in_path else 422, "unknown_pos", "unknown POS", field="pos_id")
        if not _same(token, self.settings.key_of(pos_id)):
            raise Refused(403, "forbidden", "this key is not the one of this POS")
        if terminal is not None and terminal not in self.settings.terminals[pos_id]:
            status = 404 if "terminal_pid" in in_path else 422
            raise Refused(status, "unknown_terminal", "unknown terminal", field="terminal_pid")

    # starts

    def _start(self, call):
        with self.books.lock:
            self.books.advance()
            return self._replay(call) or self._begin(call)

    def _replay(self, call):
        """The first answer again when the key is known and the request the same; None for a new key."""
        known = self.books.keys.get((call.values["pos_id"], call.key))
        if not call.key or not known or not self.settings.idempotency:
            return None
        fingerprint, operation = known
        if fingerprint != (call.endpoint, call.values):
            raise Refused(422, "idempotency_key_reused", "this key was used for another request")
        return Answer(202, accepted(operation), [("Idempotent-Replay", "true")], operation.id)

    def _begin(self, call):
        values = dict(call.values)
        getattr(self, f"_check_{call.endpoint}", lambda _values: None)(values)
        script = self.books.scripts.choose(call.endpoint, values.get("amount"))
        running = self.books.running_on(values["pos_id"], values["terminal_pid"])
        if running:
            raise busy(running.id)
        self.books.scripts.used(script)
        if script.fault == "busy":
            raise busy(None)
        operation = self.books.start(call.endpoint, values, script, call.key)
        if call.key:
            self.books.keys[values["pos_id"], call.key] = ((call.endpoint, call.values), operation)
        return Answer(202, accepted(operation), [], operation.id, script.fault)

    def _check_refund(self, values):
        if "original_operation_id" not in values:
            return
        original = self._original(values)
        if original.currency != values["currency"]:
            raise Refused(422, "currency_mismatch", "a refund is made in the currency of the original")
        left = self.books.left(original)
        if values["amount"] > left:
            raise Refused(422, "refund_exceeds", f"only {left} of the original is left", left=left)

    def _check_void(self, values):
        original = self._original(values)
        if self.books.followers(original, "void"):
            raise Refused(422, "already_voided", "the original is voided already, or about to be")
        if self.books.followers(original, "refund"):
            raise Refused(422, "already_refunded", "the original is refunded, at least in part")
        full = {"amount": original.moved, "currency": original.currency}
        if any(values.get(name, told) != told for name, told in full.items()):
            raise Refused(422, "not_the_full_amount", "a void takes back the whole purchase")
        values.update(full)

    def _original(self, values):
        """The purchase that a refund or a void names; Refused 404 or 422."""
        original = self._find(values["original_operation_id"], values["pos_id"])
        if original.kind != "purchase":
            raise Refused(422, "not_a_purchase", "the original is not a purchase")
        if original.reversed:
            raise Refused(422, "already_voided", "the original is voided already")
        if not original.approved:
            raise Refused(422, "original_not_approved", "the original is not approved")
        return original

    def _wait(self, answer):
        """Synchronous mode: hold the request until the operation has ended; 200 and its result."""
        while True:
            with self.books.lock:
                now = self.books.advance()
                operation = self.books.operations.get(answer.operation_id)
                if operation is None:  # somebody pressed reset
                    raise Hangup("the operation was forgotten")
                if operation.settled:
                    return Answer(200, result_of(operation, now), answer.headers, operation.id)
            self.sleep(0.01)

    # inquiries

    def _find(self, operation_id, pos_id, terminal_pid=None):
        operation = self.books.operations.get(operation_id)
        elsewhere = operation and (
            operation.pos_id != pos_id or terminal_pid not in (None, operation.terminal_pid)
        )
        if operation is None or elsewhere:
            raise Refused(404, "operation_not_found", "there is no such operation")
        return operation

    def _inquire(self, call):
        """(operation, moment) for an inquiry; Refused 404 while it runs, when that mode is on."""
        values = call.values
        now = self.books.advance()
        operation = self._find(values["operation_id"], values["pos_id"], values.get("terminal_pid"))
        if "pending_404" in call.modes and not operation.settled:
            raise Refused(404, "not_ready", "nothing is known yet")
        return operation, now

    def _operation_status(self, call):
        with self.books.lock:
            operation, now = self._inquire(call)
            return Answer(200, status_of(operation, now), [], operation.id)

    def _operation_result(self, call):
        with self.books.lock:
            operation, now = self._inquire(call)
            if not operation.settled:
                return Answer(202, {"status": "pending"}, [], operation.id)
            return Answer(200, result_of(operation, now), [], operation.id)

    def _operation_cancel(self, call):
        values = call.values
        with self.books.lock:
            operation = self._find(values["operation_id"], values["pos_id"], values.get("terminal_pid"))
            self.books.cancel(operation)
            return Answer(202, accepted(operation), [], operation.id)

    def _operations_list(self, call):
        values, period = call.values, call.values.get("period", "daily")
        day = read_date(values.get("date"))
        first = day - datetime.timedelta(days=day.weekday()) if period == "weekly" else day
        last = first + datetime.timedelta(days=6) if period == "weekly" else day
        with self.books.lock:
            now = self.books.advance()
            rows = [
                row_of(op, now)
                for op in self.books.operations.values()
                if op.pos_id == values["pos_id"]
                and values.get("terminal_pid") in (None, op.terminal_pid)
                and str(first) <= utc(op.created + 3600 * self.day_offset)[:10] <= str(last)
            ]
        return Answer(200, {"operations": rows, "period": period, "date": str(day)})

    def _last_reconciliation(self, call):
        pos_id, terminal = call.values["pos_id"], call.values.get("terminal_pid")
        with self.books.lock:
            now = self.books.advance()
            found = [
                operation
                for (pos, place), done in self.books.reconciled.items()
                for operation in done
                if pos == pos_id and terminal in (None, place)
            ]
            if not found:
                raise Refused(404, "no_reconciliation", "nothing has been reconciled yet")
            last = max(found, key=lambda operation: operation.ends_at)
            return Answer(200, reconciliation_of(last, now), [], last.id)


def busy(operation_id):
    """The refusal of a terminal that has something else to do."""
    return Refused(409, "terminal_busy", "the terminal is busy", operationId=operation_id)


def _same(token, key):
    return hmac.compare_digest(token.encode(), key.encode())


# --- Faults ---------------------------------------------------------------------------------------


class Hangup(ConnectionAbortedError):
    """End the connection without (another) byte. Werkzeug takes a ConnectionError for a client that left."""


class Line:
    """The raw connection of one request."""

    def __init__(self, connection, stopping):
        self.connection, self.stopping = connection, stopping

    def send(self, data):
        """Put bytes on the wire at once, in a segment of their own where TCP lets us."""
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(data)

    def sleep(self, seconds):
        """Wait, but no longer than the simulator lives."""
        if self.stopping.wait(seconds):
            raise Hangup("the simulator stops")

    def reset(self):
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())  # at once: closing the object would wait for its reader


@dataclass
class Wire:
    """An answer as it would go out."""

    status: int
    headers: list
    body: bytes

    def head(self, length=None):
        """Status line and headers; length None = that of the body, False = not declared."""
        headers = [*self.headers, ("Connection", "close")]
        if length is not False:
            headers.append(("Content-Length", str(len(self.body) if length is None else length)))
        lines = [f"HTTP/1.1 {self.status} Simulated", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def set_header(self, name, value):
        """Replace a header."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != name.lower()] + [(name, value)]


@dataclass(frozen=True)
class Fault:
    """A kind of fault: at which stage it bites, what it does, its parameters with their defaults."""

    stage: str
    apply: object
    defaults: dict


FAULTS = {
    "sync": Fault("mode", None, {}),  # a start holds its request and answers with the final result
    "pending_404": Fault("mode", None, {}),  # status and result answer 404 while the operation runs
}


def fault(stage, **defaults):
    """Register ``fault_<name>`` as the fault <name>.

    Stages, and what their functions get: "before" (line): the request is never processed; "canned" (origin,
    path): a Wire instead of the answer, with a parameter ``processed``; "document" (document, books) and
    "body" (wire): bends it in place; "send" (line, wire): sends it, or returns and it is sent as usual.
    """

    def register(function):
        FAULTS[function.__name__.removeprefix("fault_")] = Fault(stage, function, defaults)
        return function

    return register


# before: the request arrives and nothing happens


@fault("before", seconds=30)
def fault_timeout_before(line, seconds):
    """Silence, then the end; never processed."""
    line.sleep(seconds)
    raise Hangup


@fault("before")
def fault_close_before(line):
    """Closed without an answer; never processed."""
    raise Hangup


@fault("before")
def fault_reset_before(line):
    """RST; never processed."""
    line.reset()
    raise Hangup


# canned: somebody else answers; the mean default of a broken proxy is that the request went through


def _page(status, title, headers=()):
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Wire(status, [("Content-Type", "text/html; charset=utf-8"), *headers], text.encode())


def _error(status, code, headers=()):
    document = Refused(status, code, code.replace("_", " ")).document()
    return Wire(status, [("Content-Type", "application/json"), *headers], json.dumps(document).encode())


@fault("canned", processed=True)
def fault_http_500(origin, path):
    """500 with the API's own error envelope."""
    return _error(500, "internal_error")


@fault("canned", processed=True)
def fault_html_502(origin, path):
    """A proxy's HTML page."""
    return _page(502, "502 Bad Gateway")


@fault("canned", processed=True, retry_after=1)
def fault_html_503(origin, path, retry_after):
    """A proxy's HTML page with Retry-After (seconds)."""
    return _page(503, "503 Service Unavailable", [("Retry-After", str(retry_after))])


@fault("canned", processed=False)
def fault_busy(origin, path):
    """409 terminal_busy, whatever the terminal does."""
    return _error(409, "terminal_busy")


@fault("canned", processed=False, retry_after=1)
def fault_rate_limited(origin, path, retry_after):
    """429 with Retry-After (seconds)."""
    return _error(429, "rate_limited", [("Retry-After", str(retry_after))])


@fault("canned", processed=False, status=307, location="")
def fault_redirect_same(origin, path, status, location):
    """A redirect on this host; whoever follows it is served, and marked in ``requests``."""
    return Wire(status, [("Location", location or f"{origin}/_redirected{path}")], b"")


@fault("canned", processed=False, status=307, location="")
def fault_redirect_other(origin, path, status, location):
    """A redirect to another host name (ours again, so that a leaked key is seen in ``requests``)."""
    port = origin.rpartition(":")[2]
    return Wire(status, [("Location", location or f"http://localhost:{port}/_redirected{path}")], b"")


# document: well-formed, but not what was asked


def _bend(document, name, change):
    """Change a field wherever it stands: in the answer itself or in its rows."""
    for place in (document, *document.get("operations", [])):
        if place.get(name) is not None:
            place[name] = change(place[name])


@fault("document", by=1)
def fault_wrong_amount(document, books, by):
    """Another amount."""
    _bend(document, "amount", lambda amount: amount + by)


@fault("document")
def fault_wrong_currency(document, books):
    """Another currency."""
    _bend(document, "currency", lambda currency: "USD" if currency == "EUR" else "EUR")


@fault("document")
def fault_wrong_terminal(document, books):
    """Another terminal."""
    _bend(document, "pid", lambda pid: f"{pid}-OTHER")


@fault("document")
def fault_wrong_reference(document, books):
    """Another reference."""
    _bend(document, "reference", lambda reference: f"{reference}-OTHER")


@fault("document", word="zz_unheard_of")
def fault_unknown_status(document, books, word):
    """A status word nobody knows."""
    _bend(document, "status", lambda _status: word)


@fault("document")
def fault_other_operation(document, books):
    """What is told is about another operation: one from the books, else an invented one."""
    mine = document.get("operationId")
    with books.lock:
        others = [operation for operation in books.operations.values() if operation.id != mine]
    told = {"operationId": "op-999999-deadbeef", "reference": "SOMEBODY-ELSE"}
    if others:
        told = {"operationId": others[-1].id, "reference": others[-1].reference, "amount": others[-1].amount}
    document.update({name: value for name, value in told.items() if name in document})


@fault("document")
def fault_extra_fields(document, books):
    """Fields of a later version of the API."""
    document.update({"x_new": {"nested": [1, None, {"deep": "é"}]}, "links": [], "apiVersion": 2.1})


@fault("document")
def fault_full_pan(document, books):
    """A card number in clear (a public test number), where a masked one is due."""
    document["maskedPan"] = "4111111111111111"
    document["merchantReceipt"] = "CARD 4111 1111 1111 1111"


# body: not well-formed


@fault("body")
def fault_truncated_json(wire):
    """Half of the document, honestly declared."""
    wire.body = wire.body[: len(wire.body) // 2]


@fault("body")
def fault_garbage_body(wire):
    """Bytes that are no text at all, declared as JSON."""
    wire.body = bytes(range(256)) * 4


@fault("body")
def fault_invalid_utf8(wire):
    """A string of the document is not UTF-8."""
    wire.body = wire.body.rstrip()[:-1] + b', "note": "\xff\xfe\xc3\x28"}'


@fault("body")
def fault_duplicate_keys(wire):
    """The status stands there twice; a careless parser takes the second, which says approved."""
    wire.body = wire.body.rstrip()[:-1] + b', "status": "approved"}'


@fault("body", content_type="text/html; charset=utf-8")
def fault_wrong_content_type(wire, content_type):
    """JSON under a false name."""
    wire.set_header("Content-Type", content_type)


@fault("body")
def fault_gzip(wire):
    """Compressed, whether it was asked for or not."""
    wire.set_header("Content-Encoding", "gzip")
    wire.body = gzip.compress(wire.body)


@fault("body", mib=32)
def fault_gzip_bomb(wire, mib):
    """A small body that unpacks to many MiB."""
    wire.set_header("Content-Encoding", "gzip")
    wire.body = gzip.compress(wire.body + b" " * (mib << 20), compresslevel=1)


# send: processed, and the answer has a bad journey


@fault("send", seconds=30)
def fault_timeout_after(line, wire, seconds):
    """Processed; the answer comes late."""
    line.sleep(seconds)


@fault("send")
def fault_close_after(line, wire):
    """Processed; closed without an answer."""
    raise Hangup


@fault("send")
def fault_reset(line, wire):
    """Processed; RST."""
    line.reset()
    raise Hangup


def _drip(line, data, interval, step):
    for start in range(0, len(data), step):
        line.send(data[start : start + step])
        line.sleep(interval)


@fault("send", interval=0.05, step=1)
def fault_drip_headers(line, wire, interval, step):
    """Headers, a few bytes at a time: no single read times out."""
    _drip(line, wire.head(), interval, step)
    line.send(wire.body)
    raise Hangup


@fault("send", interval=0.05, step=1)
def fault_drip_body(line, wire, interval, step):
    """The body, a few bytes at a time."""
    line.send(wire.head())
    _drip(line, wire.body, interval, step)
    raise Hangup


@fault("send", pieces=5, pause=0.02)
def fault_split(line, wire, pieces, pause):
    """The whole answer in several segments, cut anywhere."""
    data = wire.head() + wire.body
    _drip(line, data, pause, max(1, -(-len(data) // pieces)))
    raise Hangup


@fault("send")
def fault_garbage(line, wire):
    """Bytes that are not HTTP."""
    line.send(b"\x16\x03\x01\x00\xff" + bytes(reversed(range(256))))
    raise Hangup


@fault("send")
def fault_short_body(line, wire):
    """Closed in the middle of the declared body."""
    line.send(wire.head() + wire.body[: len(wire.body) // 2])
    raise Hangup


@fault("send", mib=16, declared=False)
def fault_oversize(line, wire, mib, declared):
    """A JSON text of many MiB (with or without Content-Length) until the client has had enough."""
    start, chunk, end = b'{"status": "', b"x" * (1 << 16), b'"}'
    count = mib << 4
    length = len(start) + count * len(chunk) + len(end)
    line.send(wire.head(length if declared else False) + start)
    for _number in range(count):
        line.send(chunk)
        line.sleep(0)
    line.send(end)
    raise Hangup


@dataclass
class Switch:
    """A fault that is on; times None = until it is cleared."""

    endpoint: str
    name: str
    times: int | None
    params: dict

    @property
    def kind(self):
        """The Fault it switches on."""
        return FAULTS[self.name]

    def apply(self, *args):
        """Call the fault's function."""
        params = {name: value for name, value in self.params.items() if name != "processed"}
        return self.kind.apply(*args, **params)


class Faults:
    """The switches. A call takes every mode that is on, and the first other fault."""

    def __init__(self):
        self.lock = threading.Lock()
        self.switches = []

    def add(self, endpoint, name, times=None, **params):
        """Switch a fault on for an endpoint ("*" = all) and its next ``times`` calls (None = always)."""
        switch = make_switch(endpoint, name, times, **params)
        with self.lock:
            self.switches.append(switch)

    def clear(self):
        """Switch everything off."""
        with self.lock:
            self.switches = []

    def take(self, endpoint):
        """The switches that bite this call, counted down."""
        taken = []
        with self.lock:
            for switch in self.switches:
                mine = switch.endpoint in ("*", endpoint)
                single = switch.kind.stage != "mode"
                if mine and not (single and any(other.kind.stage != "mode" for other in taken)):
                    taken.append(switch)
                    switch.times = None if switch.times is None else switch.times - 1
            self.switches = [switch for switch in self.switches if switch.times != 0]
        return taken


def make_switch(endpoint, name, times=None, **params):
    """A checked Switch; ValueError names what is wrong."""
    if endpoint not in ("*", *ENDPOINTS):
        raise ValueError(f"unknown endpoint {endpoint!r}; known: *, {', '.join(ENDPOINTS)}")
    if name not in FAULTS:
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(sorted(FAULTS))}")
    if times is not None and (type(times) is not int or times < 1):
        raise ValueError("times must be a whole number above 0")
    unknown = set(params) - set(FAULTS[name].defaults)
    if unknown:
        raise ValueError(f"fault {name} has no parameter {', '.join(sorted(unknown))}")
    return Switch(endpoint, name, times, {**FAULTS[name].defaults, **params})


# --- The web application --------------------------------------------------------------------------


class Application:
    """WSGI: the API with its faults, the admin endpoints, the page for people, and the request log."""

    def __init__(self, settings):
        self.settings = settings
        self.stopping = threading.Event()
        self.books = Books(settings)
        self.faults = Faults()
        self.api = Api(settings, self.books, lambda seconds: Line(None, self.stopping).sleep(seconds))
        self.requests = collections.deque(maxlen=KEPT_REQUESTS)
        self.connections = set()

    def __call__(self, environ, start_response):
        if self.stopping.is_set():
            raise Hangup
        request = Request(environ)
        try:
            response = self._respond(request, Line(environ["simulator.connection"], self.stopping))
        except ConnectionError:
            raise  # a fault, or a client that left: werkzeug closes
        except Exception:
            _logger.exception("a bug in the simulator")
            response = _response(_error(500, "simulator_bug"))
        return response(environ, start_response)

    def _respond(self, request, line):
        path, redirected = request.path, request.path.startswith("/_redirected/")
        path = path.removeprefix("/_redirected")
        if path == "/" and request.method == "GET":
            return Response(page(self), content_type="text/html; charset=utf-8")
        if path.startswith("/_simulator/"):
            return _response(self._admin(request, path.removeprefix("/_simulator/")))
        return self._serve(request, path, line, redirected)

    # the API with its faults

    def _serve(self, request, path, line, redirected):
        entry = self._note(request, path, redirected)
        dialect, taken = DIALECTS["default"], []
        try:
            if not path.startswith(self.settings.prefix + "/"):
                raise Refused(404, "unknown_endpoint", "there is no such endpoint")
            route, in_path = find_route(request.method, path.removeprefix(self.settings.prefix))
            dialect, entry["endpoint"] = route.dialect, route.endpoint
            taken = self.faults.take(route.endpoint)
            entry["faults"] = [switch.name for switch in taken]
            modes = [switch.name for switch in _stage(taken, "mode")]
            answer = self._before(taken, line, request, path)
            answer = answer or self.api.handle(route, in_path, request, modes)
        except Refused as refusal:
            answer = Answer(refusal.status, refusal.document(), list(refusal.headers))
        if isinstance(answer, Answer):
            entry["operation_id"] = answer.operation_id
            if answer.fault:
                taken = [*taken, make_switch("*", answer.fault)]
        wire = self._bend(answer, taken, dialect, request, path)
        for switch in _stage(taken, "send"):
            switch.apply(line, wire)
        entry["status"] = wire.status
        return _response(wire)

    def _before(self, taken, line, request, path):
        """Faults that keep a request from being processed; a Wire if one of them answers it."""
        for switch in _stage(taken, "before"):
            switch.apply(line)
        for switch in _stage(taken, "canned"):
            if not switch.params["processed"]:
                return self._canned(switch, request, path)
        return None

    def _canned(self, switch, request, path):
        query = request.query_string.decode("latin-1")
        origin = f"http://{request.host}"
        return switch.apply(origin, f"{path}?{query}" if query else path)

    def _bend(self, answer, taken, dialect, request, path):
        """The Wire of an answer after the faults of documents and bodies."""
        if isinstance(answer, Wire):
            return answer
        for switch in _stage(taken, "canned"):
            return self._canned(switch, request, path)
        for switch in _stage(taken, "document"):
            switch.apply(answer.document, self.books)
        body = json.dumps(dialect.spell(answer.document), ensure_ascii=False).encode()
        wire = Wire(answer.status, [("Content-Type", "application/json"), *answer.headers], body)
        for switch in _stage(taken, "body"):
            switch.apply(wire)
        return wire

    def _note(self, request, path, redirected):
        """Log a request, secrets replaced; status stays None when it is never answered."""
        entry = {
            "at": utc(time.time()),
            "method": request.method,
            "path": self._mask(path),
            "query": self._mask(request.query_string.decode("latin-1")),
            "headers": {name: self._mask_header(name, value) for name, value in request.headers.items()},
            # read now in any case: unread bytes would turn a close into a reset
            "body": self._mask(body_of(request)[:4096].decode("utf-8", "replace")),
            "endpoint": None,
            "redirected": redirected,
            "faults": [],
            "operation_id": None,
            "status": None,
        }
        with self.books.lock:
            self.requests.append(entry)
        return entry

    def _mask_header(self, name, value):
        return f"{value.partition(' ')[0]} ***" if name.lower() == "authorization" else self._mask(value)

    def _mask(self, text):
        for key in self.settings.all_keys():
            text = text.replace(key, "***")
        return text

    # steering

    def _admin(self, request, name):
        """The admin endpoints as a Wire. JSON only, so that no foreign web page can post here by a form."""
        actions = {"script": self._admin_script, "fault": self._admin_fault, "finish": self._admin_finish}
        try:
            if (request.method, name) == ("GET", "books"):
                return _json(200, self.report())
            if request.method == "POST" and request.mimetype != "application/json":
                raise Refused(415, "content_type", "Content-Type must be application/json")
            if (request.method, name) == ("POST", "reset"):
                self.reset()
            elif request.method == "POST" and name in actions:
                actions[name](read_document(request))
            else:
                raise Refused(404, "unknown_endpoint", "books (GET), script, fault, finish, reset (POST)")
        except Refused as refusal:
            return _json(refusal.status, refusal.document())
        except (TypeError, ValueError, KeyError) as error:
            return _json(422, Refused(422, "invalid", str(error)).document())
        return _json(200, {"ok": True})

    def _admin_script(self, document):
        self.script(**document)

    def _admin_fault(self, document):
        params = {name: value for name, value in document.items() if name not in ("endpoint", "fault")}
        self.faults.add(document["endpoint"], document["fault"], **params)

    def _admin_finish(self, document):
        self.finish(document["operation_id"], document.get("outcome", "approved"))

    def script(self, outcome, times=1, default=False, **options):
        """Queue a script ``times`` times, or make it the default; options: see Script."""
        script = Script(outcome, **options)
        if script.fault:
            make_switch("*", script.fault)  # only to check the name
        with self.books.lock:
            if default:
                self.books.scripts.default = script
            else:
                self.books.scripts.queue += [dataclasses.replace(script) for _number in range(times)]

    def finish(self, operation_id, outcome):
        """End a running operation now; KeyError: unknown id; ValueError: bad outcome, or it has ended."""
        outcome = Script(outcome).outcome
        with self.books.lock:
            self.books.advance()
            operation = self.books.operations[operation_id]
            if operation.settled or outcome == "never_ends":
                raise ValueError(f"{operation_id} has ended already, or cannot end so")
            self.books.finish(operation, outcome)

    def reset(self):
        """Forget operations, charges, keys, queued scripts, faults, requests; keep the default script."""
        self.faults.clear()
        with self.books.lock:
            self.books.clear(self.books.scripts.default)
            self.requests.clear()

    def report(self):
        """Everything a test or a person may want to know, as JSON-like values."""
        with self.books.lock, self.faults.lock:
            now = self.books.advance()
            currencies = sorted({charge.currency for charge in self.books.charges})
            return {
                "operations": [row_of(op, now) for op in self.books.operations.values()],
                "charges": [dataclasses.asdict(charge) for charge in self.books.charges],
                "net": {currency: self.books.net(currency) for currency in currencies},
                "requests": [dict(entry) for entry in self.requests],
                "scripts": [dataclasses.asdict(script) for script in self.books.scripts.queue],
                "default": dataclasses.asdict(self.books.scripts.default),
                "faults": [dataclasses.asdict(switch) for switch in self.faults.switches],
            }


def _stage(taken, stage):
    return [switch for switch in taken if switch.kind.stage == stage]


def _response(wire):
    return Response(wire.body, status=wire.status, headers=wire.headers)


def _json(status, document):
    return Wire(status, [("Content-Type", "application/json")], json.dumps(document).encode())


# --- The page for people --------------------------------------------------------------------------

_STYLE = "body{font:15px sans-serif;margin:2em;max-width:70em}td,th{padding:.2em .8em;text-align:left}"


def page(application):
    """The HTML page at ``/``: books, last 50 operations, magic amounts, what is switched on."""
    report = application.report()
    net = [(currency, money(amount, currency)) for currency, amount in report["net"].items()]
    names = ("createdAt", "operationId", "type", "status", "reference", "pid")
    heads = ("Created", "Operation", "Type", "Status", "Reference", "Terminal", "Amount")
    operations = [
        (*(row[name] for name in names), money(row["amount"], row["currency"]))
        for row in reversed(report["operations"][-50:])
    ]
    switched = [(row["endpoint"], row["name"], row["times"] or "always") for row in report["faults"]]
    queued = [(row["outcome"], row["kind"] or "any") for row in report["scripts"]]
    magic = [(money(amount, "EUR"), amount, text) for amount, (_script, text) in MAGIC.items()]
    parts = (
        _table("Books (taken less given back)", ("Currency", "Net"), net),
        _table("Last operations", heads, operations),
        _table("Faults switched on", ("Endpoint", "Fault", "Times"), switched),
        _table("Scripts queued", ("Outcome", "Kind"), queued),
        _table("Magic amounts", ("In EUR", "Minor units", "Outcome"), magic),
    )
    title = "Terminal API simulator"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        "<p>For tests and demonstrations: no money moves. The real API is not public; we assume this.</p>"
        f"{''.join(parts)}</body></html>"
    )


def _table(title, heads, rows):
    lines = [_cells("th", heads), *(_cells("td", row) for row in rows)]
    return f"<h2>{html.escape(title)}</h2><table>{''.join(lines)}</table>"


def _cells(tag, row):
    texts = (html.escape("" if cell is None else str(cell)) for cell in row)
    return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"


# --- The server -----------------------------------------------------------------------------------


class _Handler(WSGIRequestHandler):
    """One request a connection; hands its socket to the application and writes no access log to stderr."""

    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds for a client to send its request

    def setup(self):
        super().setup()
        self.server.app.connections.add(self.connection)

    def finish(self):
        try:
            super().finish()
        finally:
            self.server.app.connections.discard(self.connection)

    def run_wsgi(self):
        super().run_wsgi()
        self.close_connection = True  # after a hang-up too, which werkzeug would take for keep-alive

    def make_environ(self):
        return {**super().make_environ(), "simulator.connection": self.connection}

    def log(self, type, message, *args):  # werkzeug's names
        _logger.debug(message, *args)


@dataclass(frozen=True)
class Settings:
    """What the service knows. terminals: POS id -> terminals; pos_keys: POS id -> its own key."""

    api_key: str
    terminals: dict
    pos_keys: dict
    prefix: str
    delay: float
    default: str
    strict: bool
    magic: bool
    idempotency: bool
    currencies: frozenset

    def all_keys(self):
        """All keys that open something."""
        return (self.api_key, *self.pos_keys.values())

    def key_of(self, pos_id):
        """The key that opens this POS."""
        return self.pos_keys.get(pos_id, self.api_key)


class Simulator:
    """The service as an object: start and stop it (or ``with``), script it, break it, read its books.

    api_key: Bearer key; pos_ids, terminals: what is known (terminals may be a dict POS id -> terminals);
    pos_keys: {POS id: key} where a POS has its own; port 0 = a free one; delay: seconds an operation takes;
    default: outcome without a script; strict: refuse unknown fields; magic: heed magic amounts;
    idempotency: heed idempotency keys. Thread-safe. Stopping keeps books and port, so that a later ``start``
    is the same service coming back.
    """

    def __init__(
        self,
        api_key="test-key",
        pos_ids=("POS1",),
        terminals=("T1", "T2"),
        *,
        pos_keys=None,
        host="127.0.0.1",
        port=0,
        prefix="/api/v2",
        delay=0.0,
        default="approved",
        strict=True,
        magic=True,
        idempotency=True,
        currencies=CURRENCIES,
    ):
        if not api_key or not pos_ids or not terminals:
            raise ValueError("a key, a POS and a terminal are needed")
        self.host, self.port = loopback(host), port
        known = terminals if isinstance(terminals, dict) else dict.fromkeys(pos_ids, tuple(terminals))
        flags = {"strict": strict, "magic": magic, "idempotency": idempotency}
        self.settings = Settings(
            api_key,
            known,
            dict(pos_keys or {}),
            prefix,
            delay,
            default,
            currencies=frozenset(currencies),
            **flags,
        )
        self.application = Application(self.settings)
        self._books, self._server, self._thread = self.application.books, None, None

    # life

    def start(self):
        """Listen and serve in a thread; OSError when the port is taken. Returns itself."""
        if self._server:
            raise RuntimeError("the simulator runs already")
        # A socket of our own: werkzeug would end the whole process when the port is taken.
        with socket.create_server((self.host, self.port), backlog=128) as listener:
            self.port = listener.getsockname()[1]
            self._server = make_server(
                self.host,
                self.port,
                self.application,
                threaded=True,
                request_handler=_Handler,
                fd=listener.fileno(),
            )
        self.application.stopping.clear()
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def stop(self):
        """Stop serving, cut open connections, wake sleeping faults: under a second. Twice is fine."""
        if not self._server:
            return
        self.application.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        connections = self.application.connections
        for connection in tuple(connections):
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 0.5
        while connections and time.monotonic() < deadline:
            time.sleep(0.005)
        self._server = self._thread = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()

    @property
    def url(self):
        """``http://127.0.0.1:PORT``, without the prefix."""
        return f"http://{self.host}:{self.port}"

    # steering

    def script(self, outcome, times=1, default=False, **options):
        """What becomes of the next operation(s), or of all with ``default``; options: see Script."""
        self.application.script(outcome, times, default, **options)

    def fault(self, endpoint, name, times=None, **params):
        """Switch a fault of FAULTS on: endpoint ("*" = all), its next ``times`` calls (None = always)."""
        self.application.faults.add(endpoint, name, times, **params)

    def clear_faults(self):
        """Switch all faults off."""
        self.application.faults.clear()

    def finish(self, operation_id, outcome="approved"):
        """End a running operation now."""
        self.application.finish(operation_id, outcome)

    def reset(self):
        """Back to the first day: no operations, charges, scripts, faults, requests."""
        self.application.reset()

    # books

    @property
    def charges(self):
        """All money that moved so far, as Charge, in order."""
        with self._books.lock:
            self._books.advance()
            return list(self._books.charges)

    def count_charges(self, reference=None, kind=None):
        """How many charges there are, of any or of one reference and kind."""
        return sum(reference in (None, item.reference) and kind in (None, item.kind) for item in self.charges)

    def net(self, currency):
        """Minor units taken less given back."""
        with self._books.lock:
            self._books.advance()
            return self._books.net(currency)

    @property
    def operations(self):
        """All operations as rows of the list endpoint, in order."""
        return self.application.report()["operations"]

    @property
    def requests(self):
        """The last requests (1000 at most), secrets masked; see Application._note for the fields."""
        return self.application.report()["requests"]

    def count_requests(self, endpoint=None):
        """How many requests came, of any or of one endpoint."""
        return sum(endpoint in (None, entry["endpoint"]) for entry in self.requests)


def loopback(host):
    """An IPv4 loopback address for a host; ValueError for anything else. This never listens to the world."""
    host = "127.0.0.1" if host == "localhost" else host
    try:
        allowed = ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        allowed = False
    if not allowed:
        raise ValueError(f"{host} is not a loopback address: the simulator listens on 127.0.0.1 only")
    return host


# --- The program ----------------------------------------------------------------------------------


def parse_script(text):
    """``outcome[:delay]`` -> Script."""
    outcome, _colon, delay = text.partition(":")
    return Script(outcome, delay=float(delay) if delay else None)


def parse_fault(text):
    """``endpoint=fault[:times][:name=value...]`` -> Switch."""
    endpoint, equals, rest = text.partition("=")
    name, *options = rest.split(":")
    if not equals or not name:
        raise ValueError(f"{text!r} is not endpoint=fault[:times][:name=value]")
    times, params = None, {}
    for option in options:
        key, equals, value = option.partition("=")
        if equals:
            params[key] = _literal(value)
        else:
            times = int(option)
    return make_switch(endpoint, name, times, **params)


def _literal(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def _option(parse):
    """A parser for argparse, whose users read the reason of a ValueError."""

    def convert(text):
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Simulator of the assumed PayperCloud API v2, loopback only."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="a loopback address (default %(default)s)")
    add("--port", type=int, default=8899, help="0 = a free one (default %(default)s)")
    add("--api-key", default="demo-key", help="the Bearer key (default %(default)s)")
    add("--pos-id", action="append", help="a known POS id, repeatable (default POS1)")
    add("--terminal", action="append", help="a known terminal, repeatable (default T1)")
    add("--default-delay", type=float, default=3.0, help="seconds an operation takes (default %(default)s)")
    add("--script", type=_option(parse_script), help="outcome[:delay] of every operation, e.g. decline")
    many = {"action": "append", "default": []}
    add("--next", type=_option(parse_script), help="outcome[:delay] of the next one, repeatable", **many)
    example = "repeatable, e.g. purchase=close_after:1"
    add("--fault", type=_option(parse_fault), help=f"endpoint=fault[:times][:name=value], {example}", **many)
    add("--lenient", action="store_true", help="take unknown fields")
    add("--no-magic", action="store_true", help="no magic amounts")
    return parser


def prepare(options):
    """A Simulator for parsed options, not started; ValueError for a bad one."""
    simulator = Simulator(
        options.api_key,
        options.pos_id or ["POS1"],
        options.terminal or ["T1"],
        host=options.host,
        port=options.port,
        delay=options.default_delay,
        strict=not options.lenient,
        magic=not options.no_magic,
    )
    scripts = simulator.application.books.scripts
    scripts.default = options.script or scripts.default
    scripts.queue += options.next
    simulator.application.faults.switches += options.fault
    return simulator


def main(argv=None):
    """Run until SIGTERM or Ctrl-C; exit code 0, or 2 when it cannot start."""
    parser = build_parser()
    options = parser.parse_args(argv)
    enough = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: enough.set())
    try:
        simulator = prepare(options).start()
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for amount, (_script, text) in MAGIC.items():
        sys.stdout.write(f"magic amount {money(amount, 'EUR'):>12}  {text}\n")
    known = (f"{pos_id}: {', '.join(names)}" for pos_id, names in simulator.settings.terminals.items())
    sys.stdout.write(f"ready: PayperCloud simulator on {simulator.url} ({'; '.join(known)})\n")
    sys.stdout.flush()
    enough.wait()
    simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
