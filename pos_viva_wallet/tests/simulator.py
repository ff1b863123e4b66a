# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""A Viva.com Cloud Terminal service to test against: terminals to touch, webhooks, books, every fault.

    python simulator.py --host 127.0.0.1 --port 8790 --script approved --delay 3

    with Simulator() as sim:                                  # the same inside a test; a free port
        sim.script("declined", code="51")                     # the next card
        sim.fault("sale", "close_after", times=1)             # the next sale is taken, its answer never comes
        sim.register("http://127.0.0.1:8069/hook")            # verified by GET, as the portal does it
        ...
        assert sim.count_charges(session_id="S1") == 1

What it imitates
----------------
The behaviour of protocols/viva.md, section 7, with the facts of its sections 1 and 2 and the samples of
protocols/vectors/viva.json: three hosts of Viva behind one address, told apart by path.

* accounts: ``POST /connect/token``, client credentials in Basic or in the body, opaque tokens that expire;
* api: ``/ecr/v1/``: devices:search, transactions:sale (and preauth), :preauth-completion, :refund,
  :unreferenced-refund, :fast-refund, :rebate, sessions (GET one, GET by UTC day, DELETE = abort). Requests
  are checked field by field and refused in FastAPI's shape. A good one is answered 200 with an empty body,
  even for a terminal that will never hear of it; the dialogue then runs on a clock, one at a time on a
  terminal;
* www: ``/api/messages/config/token`` (the verification key), ``/api/transactions`` (list, refund without the
  terminal).

Webhooks 1796, 1797, 1798 (numbers, major units, no session id; a reversal's amount is negative, as in Viva's
own sample of 1797) and 1802, 1803 (copies of the session) are sent unsigned to registered addresses, again
every hour with the same MessageId until a 2xx comes. ``charges`` is the money that moved, whoever knows about
it: one debit at most for a session id. It shares no code with ``viva/`` on purpose.

What it does NOT imitate
------------------------
TLS, the ISV paths, ``/ecr/v1/actions``, the checkout API, JWT, AADE (its fields are taken and only checked
for their type), instalments, surcharges, loyalty, DCC, store and forward, rate limits by load, fees,
settlement, a terminal's own menus, Viva's texts, logos and design (none are theirs). Webhooks come from this
machine, never from Viva's addresses. All state is memory.

Our assumptions, written nowhere: X-Viva-EventId tells sale (1100, 1201), refund (1101, 1202, 1203) and
capture (1108, 1212, 1213) apart, 1205 is a GET and 1207 a DELETE of an unknown session, 401 and pending have
"0"; a wrong scope looks like a bad token; the request's amount includes its tipAmount, a tip given on the
terminal comes on top; nothing ends a QR screen but its customer; a referenced refund occupies the terminal;
refunding a pre-authorisation releases it; a declined payment has a transaction (1798), one that was
cancelled, aborted or timed out has none (1803 only); a reversed session still says success; every amount has
two decimals. What the notes leave open is a setting.

Magic amounts (minor units; sales without a queued script): 9900 to 9999 answer ISO code 00 to 99 (9951 is
1006 / 10051); 734 and 735 are IRIS, paid and refused; less than ``minimum`` (30) fails with 6000.

Scripts: ``script(outcome, times=1, default=False, **options)``
-----------------------------------------------------------------
==================  =================================================================================
approved            the card is read, money moves
declined            1006, ``code`` = ISO answer ("05"), transactionEventId 100xx
declined_terminal,  1004, 1007
declined_card
cancelled           1000, by the customer on the terminal
aborted             1016, though no till asked for it
timeout             1003, at the end of the window
error               ``event`` (1099)
disconnected,       3001, 4000 (the terminal lost its network)
network
wait                until a person acts: present(), or the window ends
never               never delivered: 202 for ever
==================  =================================================================================

Options: ``kind`` (sale, preauth, capture, refund, unreferenced, fast_refund, rebate; without it every session
that wants a card, so never capture and refund), ``terminal``, ``delay`` (until the card; None = the setting),
``tip``, ``amount`` (another one is taken), ``charged`` (True: money moves although it says failed), ``qr``,
``abort`` (see the settings), ``flip`` (seconds after a failure until it is paid after all), ``flip_as``
("same" session, or a "second" transaction that only webhooks and /api/transactions know), ``reversal``
(seconds after success until it is reversed by itself), ``reversal_shows`` ("success", or "failed": the
session changes).

Settings: constructor, :meth:`Simulator.set`, ``POST /_simulator/set``
----------------------------------------------------------------------
=====================  ==============================================================================
delay                  seconds until the card (0); delivery, saved (GET is 404 until then), processing
                       (card read, outcome not known), refund_seconds, window (60)
expires_in             of a token (3600); invalid_client 400 or 401; scope that is granted
validation_status      400 or 422; parent_status 409 or 400 (1204); finished_abort 409, 404 or 200;
                       error_key "detail" or "Message"; list_pending: the day's list has pending ones
strict_numbers         False: 1170.0 and "1170" are integers too, as pydantic sees it
minimum, minimum_as    30; "session" (6000) or "refused" (validation)
unknown_terminal       "asleep" or "refused" (validation)
missing                capabilities: moto, instalments, preauth, qr, cancel, tip, sale (5000 to 5006)
refunds                False: 1014; api_refunds: the same for /api/transactions
other_terminal_refunds False: 1008 on another terminal than the sale's
void_same_day          True: a whole refund on the sale's day has type 7 instead of 4
abort                  "honour", "lose" (the card is read just then), "ignore"; abort_seconds (0)
webhooks               "after" the outcome, "before" the answer to the POST (the dialogue is over then),
                       "hold" (see ``release``), "never"
webhook_delay          seconds, or {"1796": seconds, ...}; webhook_copies, webhook_parallel
webhook_timeout        real seconds for an answer (5); retries (23), retry_seconds (3600)
failed_reference       False: no MerchantTrns in 1798
=====================  ==============================================================================

Faults: :meth:`Simulator.fault`, by endpoint (token, key, devices, sale, capture, refund, unreferenced,
fast_refund, rebate, session, sessions, abort, transactions, or "*"): see FAULTS, each says what it does.
Twists of webhooks: :meth:`Simulator.twist`, see TWISTS.

Steering from outside (loopback only; JSON): ``GET /_simulator/books``, ``sessions``, ``requests``,
``webhooks``, ``state``; ``POST`` ``script``, ``fault``, ``clear_faults``, ``set``, ``terminal``, ``present``,
``cancel``, ``revoke``, ``register``, ``verify``, ``unregister``, ``twist``, ``fire``, ``release``, ``retry``,
``advance``, ``move_clock``, ``reset``: the methods of :class:`Simulator` with their arguments. ``GET /`` is a
page for people, in French or English.
"""

import argparse
import base64
import binascii
import collections
import contextlib
import copy
import dataclasses
import datetime
import heapq
import hmac
import html
import http.client
import ipaddress
import itertools
import json
import logging
import os
import random
import re
import secrets
import signal
import socket
import struct
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import parse_qs, unquote, urlsplit

_logger = logging.getLogger(__name__)

CLIENT_ID, CLIENT_SECRET = "simulator-pos-apis.viva.example", "Simulator-2026"
MERCHANT_ID, API_KEY = "bdf4c6b3-c26d-4046-b5df-5c443ec39d09", "Simulator-Api-2026"
WEBHOOK_KEY = "5IMUL470R0000000000000000000000000000001"
TERMINALS = ("16000010", "16000011")
ECR_SCOPE = "urn:viva:payments:ecr:api"
SCOPES = f"urn:viva:payments:core:api:posmanagement {ECR_SCOPE}"
MAX_BODY = 1 << 20  # bytes of a request that are read at all
KEPT_REQUESTS = 2000
LOCAL = datetime.timezone(datetime.timedelta(hours=2))  # of transactionDateTime and InsDate

# --- Vocabulary -----------------------------------------------------------------------------------

MESSAGES = {  # eventId of a session -> message
    0: "Transaction successful",
    1000: "Cancelled by the user",
    1003: "The terminal timed out",
    1004: "Declined by the terminal",
    1006: "Declined by the server",
    1007: "Declined by the card",
    1008: "The transaction cannot be reversed",
    1009: "Invalid amount for the reversal",
    1014: "Refunds are disabled for this merchant",
    1016: "The transaction was aborted",
    1017: "Invalid capture amount",
    1099: "Generic transaction error",
    1100: "There is already a request in progress",
    3000: "The terminal is not connected",
    3001: "Terminal connection error",
    4000: "Network error",
    6000: "Bad request parameters",
}
CAPABILITIES = ("moto", "instalments", "preauth", "qr", "cancel", "tip", "sale")  # 5000, 5001, ...
WITH_TRANSACTION = {0, 1004, 1006, 1007, 1099}  # the others end before the acquirer hears of them
SPOKEN = {"05": "do not honour", "20": "stolen card", "51": "insufficient funds", "54": "expired card"}
KINDS = ("sale", "preauth", "capture", "refund", "unreferenced", "fast_refund", "rebate")
WITHOUT_CARD = ("capture", "refund")
SIGNS = {  # money of the merchant
    "sale": 1,
    "capture": 1,
    "refund": -1,
    "unreferenced": -1,
    "fast_refund": -1,
    "rebate": -1,
    "reversal": -1,
    "api_refund": -1,
}
TYPES = {"sale": 5, "preauth": 1, "capture": 0, "refund": 4, "unreferenced": 4, "fast_refund": 4, "rebate": 4}
STATUS_IDS = {
    0: "WareHouse",
    1: "Live",
    2: "ReadyToShip",
    3: "InStock",
    4: "PendingKeyInjection",
    5: "Lost",
    6: "Broken",
    7: "Locked",
}
CONDITIONS = ("awake", "asleep", "disconnected")
METHODS = ("CardPresent", "MOTO", "QrDefault", "QrPayconic", "AliPay", "Paypal", "Klarna", "IRIS", "BLIK")
POSTED = {"created": 1100, "duplicate": 1201, "no_parent": None}
HEADER_IDS = {  # X-Viva-EventId of what starts a session
    "refund": {"created": 1101, "duplicate": 1202, "no_parent": 1203},
    "capture": {"created": 1108, "duplicate": 1212, "no_parent": 1213},
}


@dataclass(frozen=True)
class Card:
    """What a card tells. type_id: CardTypeId of webhooks; number: as in a session, webhooks write X."""

    label: str
    bank: str
    type_id: int
    number: str
    aid: str
    kind: str


CARDS = (  # public test numbers
    Card("MASTERCARD", "NET_MASTER", 1, "537489******1234", "A0000000041010", "Debit"),
    Card("VISA", "NET_VISA", 0, "411111******1111", "A0000000031010", "Credit"),
)
IRIS = Card("IRIS", "NET_IRIS", 16, "", "", "Debit")

# --- Scripts: what becomes of a session -----------------------------------------------------------

OUTCOMES = {  # outcome -> eventId of the session's end, None: it does not end by itself
    "approved": 0,
    "declined": 1006,
    "declined_terminal": 1004,
    "declined_card": 1007,
    "cancelled": 1000,
    "aborted": 1016,
    "timeout": 1003,
    "error": 1099,
    "disconnected": 3001,
    "network": 4000,
    "wait": None,
    "never": None,
}
ALIASES = {"approve": "approved", "paid": "approved", "decline": "declined", "cancel": "cancelled"}
ABORTS = ("honour", "lose", "ignore")


@dataclass(frozen=True)
class Script:
    """The course of one session; see the module for outcomes and options. Amounts are minor units."""

    outcome: str = "approved"
    kind: str | None = None
    terminal: str | None = None
    delay: float | None = None
    code: str = "05"
    event: int | None = None
    tip: int = 0
    amount: int | None = None
    charged: bool | None = None
    qr: bool = False
    abort: str | None = None
    flip: float | None = None
    flip_as: str = "same"
    reversal: float | None = None
    reversal_shows: str = "success"

    def __post_init__(self):
        object.__setattr__(self, "outcome", ALIASES.get(self.outcome, self.outcome))
        checks = {
            "outcome": self.outcome in OUTCOMES,
            "kind": self.kind in (None, *KINDS),
            "code": isinstance(self.code, str) and re.fullmatch(r"[0-9A-Z]{2}", self.code),
            "tip": _is_whole(self.tip, 0),
            "amount": self.amount is None or _is_whole(self.amount, 1),
            "abort": self.abort in (None, *ABORTS),
            "flip_as": self.flip_as in ("same", "second"),
            "reversal_shows": self.reversal_shows in ("success", "failed"),
            "delay": self.delay is None or self.delay >= 0,
        }
        for name, good in checks.items():
            if not good:
                raise ValueError(f"{name} cannot be {getattr(self, name)!r}")

    def fits(self, session):
        """Whether it is for this session."""
        kinds = {self.kind} if self.kind else set(KINDS) - set(WITHOUT_CARD)
        return session.kind in kinds and self.terminal in (None, session.terminal_id)

    @property
    def event_id(self):
        """eventId of the end."""
        return OUTCOMES[self.outcome] if self.event is None else self.event


def _is_whole(value, least):
    return type(value) is int and value >= least


def magic(kind, amount):
    """The (Script, Card or None) of a magic amount, or (None, None)."""
    if kind not in ("sale", "preauth"):
        return None, None
    if amount in (734, 735):
        return Script("approved" if amount == 734 else "declined"), IRIS
    if 9900 <= amount <= 9999:
        code = f"{amount % 100:02d}"
        return Script("approved") if code == "00" else Script("declined", code=code), None
    return None, None


# --- Settings -------------------------------------------------------------------------------------

DEFAULTS = {
    "delay": 0.0,
    "delivery": 0.0,
    "saved": 0.0,
    "processing": 0.0,
    "refund_seconds": 0.0,
    "window": 60.0,
    "expires_in": 3600,
    "invalid_client": 400,
    "scope": SCOPES,
    "validation_status": 400,
    "parent_status": 409,
    "finished_abort": 409,
    "error_key": "detail",
    "list_pending": False,
    "strict_numbers": True,
    "minimum": 30,
    "minimum_as": "session",
    "unknown_terminal": "asleep",
    "missing": (),
    "refunds": True,
    "api_refunds": True,
    "other_terminal_refunds": True,
    "void_same_day": False,
    "magic": True,
    "abort": "honour",
    "abort_seconds": 0.0,
    "webhooks": "after",
    "webhook_delay": 0.0,
    "webhook_copies": 1,
    "webhook_parallel": False,
    "webhook_timeout": 5.0,
    "retries": 23,
    "retry_seconds": 3600.0,
    "failed_reference": True,
}
CHOICES = {
    "invalid_client": (400, 401),
    "validation_status": (400, 422),
    "parent_status": (409, 400),
    "finished_abort": (409, 404, 200),
    "error_key": ("detail", "Message"),
    "minimum_as": ("session", "refused"),
    "unknown_terminal": ("asleep", "refused"),
    "abort": ABORTS,
    "webhooks": ("after", "before", "hold", "never"),
}


def check_settings(values):
    """The values, ready to use; ValueError names what is wrong."""
    checked = dict(values)
    for name, value in values.items():
        if name not in DEFAULTS:
            raise ValueError(f"unknown setting {name!r}; known: {', '.join(DEFAULTS)}")
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"{name} must be one of {CHOICES[name]}")
        if name == "missing" and (isinstance(value, str) or set(value) - set(CAPABILITIES)):
            raise ValueError(f"missing is a list of {', '.join(CAPABILITIES)}")
        if name == "webhook_delay" and isinstance(value, dict):
            checked[name] = {int(event): float(seconds) for event, seconds in value.items()}
        elif type(DEFAULTS[name]) in (int, float) and not _is_number(value):
            raise ValueError(f"{name} must be a number that is not negative")
        elif type(DEFAULTS[name]) is bool and type(value) is not bool:
            raise ValueError(f"{name} must be true or false")
    return checked


def _is_number(value):
    return type(value) in (int, float) and value >= 0


# --- The clock ------------------------------------------------------------------------------------


class Clock:
    """UTC seconds since 1970 that may run faster, stand still (speed 0) or jump, and an agenda.

    Its lock is the lock of everything: actions run under it, in order of time, and must not block.
    """

    def __init__(self, speed=1.0):
        if not _is_number(speed):
            raise ValueError("the speed must not be negative")
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.speed, self._numbers = float(speed), itertools.count()
        self.clear()

    def clear(self):
        """It is now, and nothing is due."""
        with self.lock:
            self._first, self._started, self._agenda = time.time(), time.monotonic(), []

    def now(self):
        """The moment."""
        return self._first + (time.monotonic() - self._started) * self.speed

    def after(self, seconds, action, *args):
        """Call an action later, or as soon as somebody looks."""
        with self.lock:
            due = self.now() + max(0.0, seconds)
            heapq.heappush(self._agenda, (due, next(self._numbers), action, args))
            self.changed.notify_all()

    def run_due(self):
        """Do what is due."""
        with self.lock:
            while self._agenda and self._agenda[0][0] <= self.now():
                self._run_first()

    def _run_first(self):
        _due, _number, action, args = heapq.heappop(self._agenda)
        action(*args)

    def advance(self, seconds):
        """Let time pass at once; whatever is due meanwhile happens at its own moment."""
        with self.lock:
            end = self.now() + seconds
            while self._agenda and self._agenda[0][0] <= end:
                self._first += max(0.0, self._agenda[0][0] - self.now())
                self._run_first()
            self._first += max(0.0, end - self.now())
            self.changed.notify_all()

    def move_to(self, moment):
        """Make it another moment; what is due stays as far away as it was."""
        with self.lock:
            by = moment - self.now()
            self._first += by
            self._agenda = [(due + by, *rest) for due, *rest in self._agenda]
            self.changed.notify_all()

    def run(self, ended):
        """Do what is due at its time, until the end."""
        with self.lock:
            while not ended.is_set():
                self.run_due()
                wait = 0.5
                if self._agenda and self.speed:
                    wait = min(wait, max(0.0, self._agenda[0][0] - self.now()) / self.speed)
                self.changed.wait(wait)


def utc(moment):
    """ISO 8601 in UTC with seven decimals, as in a webhook's envelope."""
    text = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return f"{text}0Z"


def local(moment, offset=True):
    """ISO 8601 in Viva's local time, milliseconds, with its offset or without."""
    text = datetime.datetime.fromtimestamp(moment, LOCAL).isoformat(timespec="milliseconds")
    return text if offset else text[:23]


def utc_day(moment):
    """YYYY-MM-DD."""
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%d")


# --- The books: terminals, sessions, transactions, money ------------------------------------------


@dataclass
class Terminal:
    """status_id: see STATUS_IDS; condition: see CONDITIONS; tip: what customers give there."""

    id: str
    source_code: str
    virtual_id: str
    status_id: int = 1
    condition: str = "awake"
    tip: int = 0

    @property
    def hears(self):
        """What is sent to it arrives."""
        return self.status_id == 1 and self.condition == "awake"


@dataclass(frozen=True)
class Charge:
    """Money that really moved. amount: minor units, always positive; SIGNS[kind] says in which direction."""

    kind: str
    session_id: str
    transaction_id: str
    amount: int
    currency: str
    terminal_id: str
    cash_register_id: str
    reference: str | None
    tip: int
    parent_session_id: str | None
    at: float


@dataclass
class Transaction:
    """One line of the acquirer. status: F finished, E error, R reversed; code: ISO answer."""

    id: str
    session_id: str
    kind: str
    type_id: int
    status: str
    amount: int
    tip: int
    currency: str
    terminal_id: str
    order_code: str
    stan: int
    rrn: int
    authorization: str | None
    code: str
    event_id: int
    card: Card
    reference: str | None
    customer: str | None
    parent_id: str | None
    at: float


@dataclass
class Session:
    """One dialogue. state: queued, shown, processing, final, or lost (it never reached the terminal)."""

    id: str
    kind: str
    request: dict
    script: Script
    card: Card
    created: float
    saved_at: float
    number: int
    state: str = "queued"
    success: bool = False
    event_id: int | None = None
    transaction_event_id: int = 0
    amount: int = 0
    tip: int = 0
    ended: float | None = None
    transaction: Transaction | None = None
    aborting: bool = False
    abort_ack: float | None = None
    abort_success: bool = False

    @property
    def terminal_id(self):
        """Its terminal, as text."""
        return str(self.request["terminalId"])

    @property
    def currency(self):
        """ISO 4217, three digits."""
        return f"{int(self.request['currencyCode']):03d}"

    @property
    def register(self):
        """cashRegisterId."""
        return self.request["cashRegisterId"]

    @property
    def final(self):
        """It has ended."""
        return self.state == "final"

    @property
    def busy(self):
        """It occupies its terminal."""
        return self.state in ("queued", "shown", "processing")

    @property
    def wants_card(self):
        """A person must do something."""
        return self.kind not in WITHOUT_CARD

    @property
    def on_qr(self):
        """The terminal shows a QR code instead of asking for a card."""
        return self.script.qr or str(self.request.get("paymentMethod") or "").startswith("Qr")


class Books:
    """Everything that is remembered about money."""

    def __init__(self, clock, seed=None):
        self.clock, self.chance = clock, random.Random(seed)
        self.clear()

    def clear(self):
        """As on the first day."""
        self.sessions, self.transactions, self.charges = {}, [], []
        self.reserved = {}  # session id of a pre-authorisation -> minor units that may be captured

    def session_on(self, terminal_id):
        """The session that occupies a terminal, or None."""
        for session in self.sessions.values():
            if session.terminal_id == terminal_id and session.busy:
                return session
        return None

    def book(self, session, transaction, kind=None):
        """Money moves: a debit once for a session id, whatever happens. Returns the Charge, or None."""
        kind = kind or transaction.kind
        debits = [charge for charge in self.charges if charge.session_id == session.id]
        if SIGNS[kind] > 0 and any(SIGNS[charge.kind] > 0 for charge in debits):
            return None
        charge = Charge(
            kind=kind,
            session_id=session.id,
            transaction_id=transaction.id,
            amount=transaction.amount,
            currency=transaction.currency,
            terminal_id=session.terminal_id,
            cash_register_id=session.register,
            reference=transaction.reference,
            tip=transaction.tip,
            parent_session_id=session.request.get("parentSessionId"),
            at=self.clock.now(),
        )
        self.charges.append(charge)
        return charge

    def record(self, session, event_id, **changes):
        """A new Transaction of a session."""
        number, chance = len(self.transactions) + 1, self.chance
        paid = event_id == 0
        values = {
            "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "session_id": session.id,
            "kind": session.kind,
            "type_id": 60 if session.card is IRIS else TYPES[session.kind],
            "status": "F" if paid else "E",
            "amount": session.amount,
            "tip": session.tip,
            "currency": session.currency,
            "terminal_id": session.terminal_id,
            "order_code": f"{chance.randrange(10**9, 10**10)}{session.terminal_id[-6:].zfill(6)}",
            "stan": 100_000 + number,
            "rrn": chance.randrange(10**11, 10**12),
            "authorization": f"{chance.randrange(10**6):06d}" if paid else None,
            "code": "00" if paid else session.script.code,
            "event_id": session.transaction_event_id,
            "card": session.card,
            "reference": session.request.get("merchantReference"),
            "customer": session.request.get("customerTrns"),
            "parent_id": None,
            "at": self.clock.now(),
        }
        transaction = Transaction(**{**values, **changes})
        self.transactions.append(transaction)
        return transaction

    def taken(self, session_id=None):
        """Minor units of debits, of all or of one session."""
        return self._sum(1, lambda charge: session_id in (None, charge.session_id))

    def returned(self, session_id=None):
        """Minor units that went back, of all or of what one session took."""
        return self._sum(-1, lambda charge: session_id in (None, _origin(charge)))

    def left(self, session_id):
        """Minor units of a session that nobody has given back."""
        return self.taken(session_id) - self.returned(session_id)

    def net(self):
        """{currency: minor units taken less given back}"""
        sums = collections.Counter()
        for charge in self.charges:
            sums[charge.currency] += SIGNS[charge.kind] * charge.amount
        return dict(sums)

    def _sum(self, sign, wanted):
        return sum(item.amount for item in self.charges if SIGNS[item.kind] == sign and wanted(item))


def _origin(charge):
    """The session whose money a charge gives back."""
    return charge.session_id if charge.kind in ("reversal", "api_refund") else charge.parent_session_id


# --- The dialogue on a terminal -------------------------------------------------------------------


class Floor:
    """The shop floor: terminals, and people at them. All methods are called under the clock's lock."""

    def __init__(self, clock, books, settings, mailer, terminals):
        self.clock, self.books, self.settings, self.mailer = clock, books, settings, mailer
        self.known = tuple(terminals)
        self.clear(Script())

    def clear(self, default):
        """All terminals live and awake, nothing queued."""
        self.default, self.queue = default, []
        self.terminals = {
            identifier: Terminal(identifier, str(543679 + place), f"vt{place + 1}")
            for place, identifier in enumerate(self.known)
        }

    # the beginning

    def begin(self, kind, request):
        """A session starts; returns it."""
        now, number = self.clock.now(), len(self.books.sessions) + 1
        parts = {"script": self.default, "card": CARDS[number % len(CARDS)], "number": number}
        session = Session(request["sessionId"], kind, request, created=now, saved_at=now, **parts)
        session.saved_at += self.settings["saved"]
        session.amount, session.tip = request["amount"], request.get("tipAmount") or 0
        self._choose(session)
        occupied = self.books.session_on(session.terminal_id)
        self.books.sessions[session.id] = session
        refusal = 1100 if occupied else self._refusal(session)
        if refusal:
            self.clock.after(self.settings["saved"], self.finish, session, refusal)
        elif session.script.outcome == "never" or not self._reaches(session):
            session.state = "lost"
        else:
            self.clock.after(self.settings["delivery"], self._show, session)
        return session

    def _choose(self, session):
        """Give a session its script: queued, by magic amount, or the default."""
        for place, script in enumerate(self.queue):
            if script.fits(session):
                session.script = self.queue.pop(place)
                return
        script, card = magic(session.kind, session.amount) if self.settings["magic"] else (None, None)
        fitting = self.default if self.default.fits(session) else Script()
        session.script, session.card = script or fitting, card or session.card

    def _refusal(self, session):
        """eventId of a session that cannot even begin, or None."""
        request, missing = session.request, self.settings["missing"]
        terminal = self.terminals.get(session.terminal_id)
        if terminal and terminal.condition == "disconnected":
            return 3000
        wanted = {
            "moto": request.get("paymentMethod") == "MOTO",
            "instalments": bool(request.get("maxInstalments")),
            "preauth": session.kind == "preauth",
            "qr": session.on_qr,
            "cancel": session.kind == "refund",
            "tip": session.tip > 0,
            "sale": session.kind == "sale",
        }
        for place, name in enumerate(CAPABILITIES):
            if wanted[name] and name in missing:
                return 5000 + place
        too_small = session.kind in ("sale", "preauth") and session.amount < self.settings["minimum"]
        tipped = session.tip > 0 and (session.kind == "preauth" or session.tip >= session.amount)
        return 6000 if too_small or tipped else None

    def _reaches(self, session):
        terminal = self.terminals.get(session.terminal_id)
        return terminal is not None and terminal.hears

    # on the terminal

    def _show(self, session):
        if session.final:
            return
        if not self._reaches(session):
            session.state = "lost"
        elif not session.wants_card:
            session.state = "processing"
            self.clock.after(self.settings["refund_seconds"], self._settle, session)
        else:
            session.state = "shown"
            self._await_person(session)

    def _await_person(self, session):
        script = session.script
        delay = self.settings["delay"] if script.delay is None else script.delay
        if script.outcome not in ("wait", "timeout"):
            self.clock.after(delay, self._act, session, script)
        if not session.on_qr:
            self.clock.after(self.settings["window"], self._expire, session)

    def _expire(self, session):
        if session.state == "shown":
            self.finish(session, OUTCOMES["timeout"])

    def _act(self, session, script):
        """A person does what a script says, if the terminal still asks."""
        if session.state != "shown":
            return False
        session.script, session.state = script, "processing"
        self.clock.after(self.settings["processing"], self._settle, session)
        self.clock.run_due()
        return True

    def present(self, terminal_id, outcome, options):
        """A person acts now. False when nothing is asked on this terminal."""
        session = self.books.session_on(terminal_id)
        if session is None:
            return False
        return self._act(session, dataclasses.replace(session.script, outcome=outcome, **options))

    # the end

    def _settle(self, session):
        if session.final:
            return
        checks = {"refund": self._check_refund, "capture": self._check_capture}
        event_id = checks.get(session.kind, lambda _session: 0)(session) or session.script.event_id
        if session.kind in ("sale", "preauth"):
            self._take_tip(session)
        self.finish(session, event_id or 0)

    def _take_tip(self, session):
        terminal = self.terminals.get(session.terminal_id)
        tip = session.script.tip or (terminal.tip if terminal and session.kind == "sale" else 0)
        session.amount = (session.script.amount or session.amount) + tip
        session.tip += tip

    def _check_refund(self, session):
        """eventId of a refund that is not possible, else 0. Looked at when it happens, not when asked."""
        parent = self.books.sessions[session.request["parentSessionId"]]
        if not self.settings["refunds"]:
            return 1014
        elsewhere = parent.terminal_id != session.terminal_id
        if elsewhere and not self.settings["other_terminal_refunds"]:
            return 1008
        if not parent.success or parent.kind not in ("sale", "preauth", "capture"):
            return 1008
        if parent.currency != session.currency:
            return 6000
        if parent.kind == "preauth":
            return self._check_release(session, parent)
        left = self.books.left(parent.id)
        return 1008 if not left else 1009 if session.amount > left else 0

    def _check_release(self, session, parent):
        reserved = self.books.reserved.get(parent.id)
        return 1008 if not reserved else 0 if session.amount == reserved else 1009

    def _check_capture(self, session):
        parent = self.books.sessions[session.request["parentSessionId"]]
        reserved = self.books.reserved.get(parent.id, 0)
        good = parent.currency == session.currency and session.amount <= reserved
        return 0 if good else 1017

    def finish(self, session, event_id):
        """The end of a session, once."""
        if session.final:
            return
        session.state, session.event_id, session.ended = "final", event_id, self.clock.now()
        session.success = event_id == 0
        if event_id == OUTCOMES["declined"]:
            code = session.script.code
            session.transaction_event_id = 10_000 + (int(code) if code.isdigit() else 0)
        if event_id in WITH_TRANSACTION:
            session.transaction = self.books.record(session, event_id, **self._links(session))
        if session.success or session.script.charged:
            self._move(session, session.transaction or self.books.record(session, 0))
        self.mailer.tell(session)
        self._afterwards(session)

    def _links(self, session):
        """What makes the transaction of a refund or a capture one that follows another."""
        parent = self.books.sessions.get(session.request.get("parentSessionId"))
        if parent is None or parent.transaction is None:
            return {}
        same_day = utc_day(parent.created) == utc_day(session.created)
        whole = session.amount == parent.amount and same_day and self.settings["void_same_day"]
        released = session.kind == "refund" and parent.kind == "preauth"
        links = {"parent_id": parent.transaction.id, "card": parent.card}
        return {**links, "type_id": 7} if released or (whole and session.kind == "refund") else links

    def _move(self, session, transaction):
        parent = session.request.get("parentSessionId")
        if session.kind == "preauth":
            self.books.reserved[session.id] = session.amount
        elif session.kind == "refund" and parent in self.books.reserved:
            del self.books.reserved[parent]
        else:
            if session.kind == "capture":
                self.books.reserved.pop(parent, None)
            self.books.book(session, transaction)

    def _afterwards(self, session):
        """What comes after an end that was not quite final."""
        script = session.script
        if session.success and script.reversal is not None and session.kind in ("sale", "preauth"):
            self.clock.after(script.reversal, self._reverse, session)
        if not session.success and script.flip is not None:
            self.clock.after(script.flip, self._flip, session)

    def _flip(self, session):
        """A payment that was reported failed is paid after all."""
        session.transaction_event_id = 0
        transaction = self.books.record(session, 0, **self._links(session))
        self._move(session, transaction)
        if session.script.flip_as == "same":
            session.success, session.event_id, session.transaction = True, 0, transaction
            self.mailer.tell(session)
        else:
            self.mailer.tell_payment(transaction)

    def _reverse(self, session):
        """The terminal takes a payment back by itself, e.g. the card was pulled out too early."""
        original = session.transaction
        original.status, links = "R", {"parent_id": original.id, "card": original.card}
        reversal = self.books.record(session, 0, kind="reversal", type_id=7, **links)
        if session.kind == "preauth":
            self.books.reserved.pop(session.id, None)
        else:
            self.books.book(session, reversal)
        if session.script.reversal_shows == "failed":
            session.success, session.event_id = False, 1099
        self.mailer.tell_payment(reversal)

    # abort

    def abort(self, session):
        """A till asks for an abort that was accepted."""
        session.aborting = True
        self.clock.after(self.settings["abort_seconds"], self._carry_out_abort, session)

    def _carry_out_abort(self, session):
        mode = session.script.abort or self.settings["abort"]
        if session.final or session.state == "lost" or session.on_qr or mode == "ignore":
            return
        session.abort_ack = self.clock.now()
        if mode == "lose" and session.state == "shown":
            self._act(session, dataclasses.replace(session.script, outcome="approved", event=None))
        elif session.state in ("queued", "shown") and mode == "honour":
            session.abort_success = True
            self.finish(session, OUTCOMES["aborted"])


# --- Documents ------------------------------------------------------------------------------------


def session_document(session):
    """The session object of GET, complete (section 1.5)."""
    request, transaction = session.request, session.transaction
    document = {
        "sessionId": session.id,
        "terminalId": session.terminal_id,
        "cashRegisterId": session.register,
        "amount": session.amount,
        "currencyCode": session.currency,
        "merchantReference": request.get("merchantReference"),
        "customerTrns": request.get("customerTrns"),
        "tipAmount": session.tip,
        "showTransactionResult": request.get("showTransactionResult", True),
        "showReceipt": request.get("showReceipt", True),
        "skipSurcharge": request.get("skipSurcharge", False),
        "success": session.success,
        "eventId": session.event_id,
        "transactionEventId": session.transaction_event_id,
        "message": _message(session),
        "interappCallback": request.get("interappCallback"),
        "preauth": session.kind == "preauth",
        "installments": request.get("maxInstalments") or 0,
        "abortOperation": session.aborting,
        "abortAckTime": session.abort_ack and local(session.abort_ack),
        "abortSuccess": session.abort_success,
        "transactionTypeId": TYPES[session.kind],
        **dict.fromkeys(("loyaltyInfo", "dccDetails", "fiscalisationDetails", "aadeTransactionId")),
        "aadeResultCommand": None,
        "surchargeAmount": 0,
        **_card_fields(session, transaction),
    }
    return document


def _message(session):
    text = MESSAGES.get(session.event_id, "Error")
    if session.event_id == OUTCOMES["declined"]:
        return f"{text}: {SPOKEN.get(session.script.code, session.script.code)}"
    return text


def _card_fields(session, transaction):
    """What only a transaction has; nulls, and "0" for the order, without one."""
    if transaction is None:
        names = "aid cardType authorizationId transactionId retrievalReferenceNumber panEntryMode"
        names += " applicationLabel bankId primaryAccountNumberMasked verificationMethod tid shortOrderCode"
        at = {"transactionDateTime": local(session.ended) if session.ended else None}
        return {**dict.fromkeys((*names.split(), "referenceNumber")), "orderCode": "0", **at}
    card, paid = transaction.card, transaction.code == "00"
    return {
        "aid": card.aid or None,
        "cardType": card.kind,
        "authorizationId": transaction.authorization,
        "transactionId": transaction.id,
        "transactionTypeId": transaction.type_id,
        "retrievalReferenceNumber": transaction.rrn,
        "panEntryMode": "07" if session.wants_card else "00",
        "applicationLabel": card.label,
        "bankId": card.bank,
        "primaryAccountNumberMasked": card.number or None,
        "transactionDateTime": local(transaction.at),
        "verificationMethod": "CONTACTLESS - NO CVM" if session.wants_card else None,
        "tid": session.terminal_id,
        "orderCode": transaction.order_code if paid else "0",
        "shortOrderCode": transaction.order_code[:10] if paid else None,
        "referenceNumber": transaction.stan,
    }


def session_event_data(session, merchant_id):
    """EventData of 1802 and 1803: the session in PascalCase, minor units."""
    document = session_document(session)
    data = {name[0].upper() + name[1:]: value for name, value in document.items()}
    return {**data, "MerchantId": merchant_id}


def payment_event_data(transaction, merchant_id, with_reference=True):
    """EventData of 1796, 1797 and 1798: numbers, major units, no session id."""
    refund = SIGNS.get(transaction.kind, 1) < 0
    terminal = transaction.terminal_id
    data = {
        "Moto": False,
        "BinId": 42,
        "Ucaf": None,
        "BankId": transaction.card.bank,
        "Systemic": False,
        "Switching": False,
        "ParentId": transaction.parent_id,
        "Amount": (-transaction.amount if refund else transaction.amount) / 100,
        "ChannelId": "d84f93ff-8ad0-4d97-a7a3-f187dd667553",
        "TerminalId": int(terminal) if terminal.isdigit() else terminal,
        "MerchantId": merchant_id,
        "OrderCode": int(transaction.order_code) if transaction.order_code.isdigit() else 0,
        "StatusId": "F" if transaction.code == "00" else "E",
        "DualMessage": False,
        "InsDate": local(transaction.at, offset=False),
        "TotalFee": 0.0,
        "CardNumber": transaction.card.number.replace("*", "X") or None,
        "TipAmount": transaction.tip / 100,
        "SourceCode": "Default",
        "SourceName": "Default",
        "CompanyName": "Simulated shop",
        "TransactionId": transaction.id,
        "CompanyTitle": "Simulated shop",
        "PanEntryMode": "07",
        "ReferenceNumber": transaction.stan,
        "ResponseCode": transaction.code,
        "CurrencyCode": transaction.currency,
        "OrderCulture": "fr-FR",
        "MerchantTrns": transaction.reference,
        "CustomerTrns": transaction.customer,
        "IsManualRefund": transaction.kind in ("unreferenced", "fast_refund"),
        "AcquirerApproved": transaction.code == "00",
        "LoyaltyTriggered": False,
        "TransactionTypeId": transaction.type_id,
        "AuthorizationId": transaction.authorization,
        "TotalInstallments": 0,
        "CardCountryCode": "FR",
        "RedeemedAmount": 0.0,
        "CurrentInstallment": 0,
        "Tags": [],
        "RetrievalReferenceNumber": str(transaction.rrn),
        "AssignedMerchantUsers": [],
        "AssignedResellerUsers": [],
        "CardTypeId": transaction.card.type_id,
        "ResponseEventId": transaction.event_id or None,
        "ElectronicCommerceIndicator": "0",
        **dict.fromkeys(ALWAYS_NULL),
    }
    if not with_reference:
        del data["MerchantTrns"]
    return data


ALWAYS_NULL = (  # of a card that is present, in a webhook: among them the holder's name
    "Email Phone ProductId FullName ResellerId CardToken Latitude Longitude TargetPersonId TargetWalletId"
    " CardIssuingBank ClearanceDate BillId ConnectedAccountId ResellerSourceCode ResellerSourceName"
    " MerchantCategoryCode ResellerCompanyName CardUniqueReference ExternalTransactionId"
    " ResellerSourceAddress CardExpirationDate ServiceId OrderServiceId DigitalWalletId"
).split()


def correlation_id(moment):
    """As Viva writes it: year, day of the year, random hex."""
    day = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
    return f"{day:%y-%j}-{secrets.token_hex(6).upper()}"


# --- Webhooks -------------------------------------------------------------------------------------

PAYMENT, REVERSAL, FAILED, ECR_CREATED, ECR_FAILED = 1796, 1797, 1798, 1802, 1803
EVENTS = (PAYMENT, REVERSAL, FAILED, ECR_CREATED, ECR_FAILED)
USUAL = (PAYMENT, REVERSAL, FAILED)  # the other two must be switched on by Viva


@dataclass
class Hook:
    """A registered address: one row a type of event in the portal. verified: None = never looked."""

    url: str
    events: tuple
    verified: bool | None = None
    reason: str = ""


@dataclass(eq=False)
class Message:
    """One webhook to one address. attempts: [{"at", "retry_count", "status", "answer", "error"}]."""

    number: int
    url: str
    event: int
    envelope: dict
    session_id: str | None
    twist: str | None = None
    raw: bytes | None = None
    held: bool = False
    delivered: bool = False
    attempts: list = field(default_factory=list)
    previous: "Message | None" = None
    tried: threading.Event = field(default_factory=threading.Event)

    def body(self, retry_count, retry_seconds):
        """The bytes of one attempt."""
        if self.raw is not None:
            return self.raw
        later = {"RetryCount": retry_count, "RetryDelayInSeconds": retry_seconds if retry_count else None}
        return json.dumps({**self.envelope, **later}, ensure_ascii=False).encode()

    def data(self):
        """For reports."""
        names = ("number", "url", "event", "session_id", "twist", "held", "delivered")
        return {
            **{name: getattr(self, name) for name in names},
            "message_id": self.envelope.get("MessageId"),
            "envelope": self.envelope if self.raw is None else None,
            "attempts": [dict(attempt) for attempt in self.attempts],
        }


TWISTS = {}


def twist(function):
    """Register ``twist_<name>``: bends a Message before it is sent."""
    TWISTS[function.__name__.removeprefix("twist_")] = function
    return function


@twist
def twist_wrong_terminal(message):
    """Another terminal, one nobody has."""
    data = message.envelope["EventData"]
    number = isinstance(data.get("TerminalId"), int)
    data["TerminalId"] = 99999999 if number else "99999999"


@twist
def twist_foreign_reference(message):
    """A payment of the merchant's web shop: its reference, nothing of ours."""
    data = message.envelope["EventData"]
    data.update(MerchantTrns="Web shop order 1000", CustomerTrns="A basket", TransactionId=str(uuid.uuid4()))
    data.pop("SessionId", None)


@twist
def twist_no_reference(message):
    """No MerchantTrns at all."""
    message.envelope["EventData"].pop("MerchantTrns", None)


@twist
def twist_forged(message):
    """Somebody else wrote it: paid in full, whatever happened, in another transaction."""
    data = message.envelope["EventData"]
    wanted = ECR_CREATED if message.event in (ECR_CREATED, ECR_FAILED) else PAYMENT
    message.event = message.envelope["EventTypeId"] = wanted
    if wanted == PAYMENT:
        data.update(StatusId="F", ResponseCode="00", ResponseEventId=None)
    else:
        data.update(Success=True, EventId=0, Message=MESSAGES[0])
    data.update(TransactionId=str(uuid.uuid4()), Amount=abs(data.get("Amount") or 1))


@twist
def twist_wrong_amount(message):
    """Ten times as much."""
    data = message.envelope["EventData"]
    data["Amount"] = (data.get("Amount") or 1) * 10


@twist
def twist_no_event_data(message):
    """Without EventData."""
    del message.envelope["EventData"]


@twist
def twist_null_event_data(message):
    """EventData is null."""
    message.envelope["EventData"] = None


@twist
def twist_list_event_data(message):
    """EventData is a list."""
    message.envelope["EventData"] = [message.envelope["EventData"]]


@twist
def twist_no_message_id(message):
    """Nothing to recognise it by."""
    del message.envelope["MessageId"]


@twist
def twist_text_numbers(message):
    """Numbers as texts."""
    data = message.envelope["EventData"]
    for name in ("Amount", "TerminalId", "OrderCode", "TipAmount"):
        data[name] = str(data.get(name))
    message.envelope["EventTypeId"] = str(message.event)


@twist
def twist_foreign_event(message):
    """Another type of event: an account's."""
    message.event = message.envelope["EventTypeId"] = 2054


@twist
def twist_not_json(message):
    """Not JSON."""
    message.raw = b"EventTypeId=1796&this=is+no+JSON"


@twist
def twist_not_utf8(message):
    """Bytes that are no text."""
    message.raw = b'{"EventTypeId": 1796, "EventData": {"MerchantTrns": "\xff\xfe"}}'


@twist
def twist_array(message):
    """JSON, but a list."""
    message.raw = b"[1796]"


@twist
def twist_huge(message):
    """Two MiB and a half."""
    message.envelope["EventData"]["Tags"] = ["x" * 1000] * 2500


@twist
def twist_deep(message):
    """Nested deeper than most parsers like."""
    message.raw = b'{"EventTypeId": 1796, "EventData": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


class Mailer:
    """Makes webhooks and sends them, each attempt in a thread of its own."""

    def __init__(self, clock, settings, account, ended):
        self.clock, self.settings, self.account, self.ended = clock, settings, account, ended
        self.hooks, self._open, self._threads = [], set(), []
        self.clear()

    def clear(self):
        """Forget messages; addresses stay."""
        self.messages, self.twists = [], []
        self._numbers = itertools.count(1)

    # making

    def tell(self, session):
        """A session has ended."""
        if session.transaction:
            self.tell_payment(session.transaction)
        event = ECR_CREATED if session.success else ECR_FAILED
        self._write(event, session_event_data(session, self.account.merchant_id), session.id)

    def tell_payment(self, transaction):
        """The acquirer has news."""
        paid = transaction.code == "00"
        event = (REVERSAL if SIGNS.get(transaction.kind, 1) < 0 else PAYMENT) if paid else FAILED
        with_reference = event != FAILED or self.settings["failed_reference"]
        data = payment_event_data(transaction, self.account.merchant_id, with_reference)
        self._write(event, data, transaction.session_id)

    def _write(self, event, data, session_id):
        if self.settings["webhooks"] == "never":
            return
        for hook in self.hooks:
            if event in hook.events:
                name = self.twists.pop(0) if self.twists else None
                message = self.make(hook.url, event, copy.deepcopy(data), session_id, name)
                self._dispatch(message)

    def make(self, url, event, data, session_id=None, name=None):
        """A Message, in the books but not sent."""
        envelope = {
            "Url": url,
            "EventData": data,
            "Created": utc(self.clock.now()),
            "CorrelationId": correlation_id(self.clock.now()),
            "EventTypeId": event,
            "Delay": None,
            "RetryCount": 0,
            "RetryDelayInSeconds": None,
            "MessageId": str(uuid.uuid4()),
            "RecipientId": self.account.merchant_id,
            "MessageTypeId": 512,
        }
        message = Message(next(self._numbers), url, event, envelope, session_id, name)
        if name:
            TWISTS[name](message)
        earlier = [other for other in self.messages if (other.url, other.session_id) == (url, session_id)]
        message.previous = earlier[-1] if earlier and session_id else None
        self.messages.append(message)
        return message

    def _dispatch(self, message):
        """Send it when the settings say so."""
        message.held = self.settings["webhooks"] == "hold"
        if message.held:
            return
        delay = self.settings["webhook_delay"]
        late = isinstance(delay, dict) or delay > 0
        seconds = delay.get(message.event, 0) if isinstance(delay, dict) else delay
        if late:
            message.previous = None  # a delay is there to change the order
        self.clock.after(seconds, self.send, message)

    # sending

    def send(self, message, retry_count=0):
        """One attempt, or as many at once as there are copies."""
        message.held = False
        count = max(1, int(self.settings["webhook_copies"]))
        if self.settings["webhook_parallel"]:
            together = threading.Barrier(count)
            for number in range(count):
                self._spawn(self._attempt, message, retry_count, together, number == 0)
        else:
            self._spawn(self._one_by_one, message, retry_count, count)

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True, name="viva-webhook")
        with self.clock.lock:
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            thread.start()

    def _one_by_one(self, message, retry_count, count):
        for number in range(1, count + 1):
            self._attempt(message, retry_count, None, number == count)

    def send_in_order(self, messages):
        """One attempt of each, one after the other."""
        self._spawn(lambda: [self._attempt(message, 0) for message in messages])

    def once_more(self, message):
        """One attempt more, now."""
        self._spawn(self._attempt, message, len(message.attempts), None, False)

    def _attempt(self, message, retry_count, together=None, again=True):
        seconds = self.settings["webhook_timeout"]
        if (
            message.previous and not message.previous.held
        ):  # news of one session arrive in their order, unless somebody wants it otherwise
            message.previous.tried.wait(seconds)
        if together:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(seconds)
        if self.ended.is_set():
            return
        body = message.body(retry_count, int(self.settings["retry_seconds"]))
        status, answer, error = self._call("POST", message.url, body)
        with self.clock.lock:
            note = {"status": status, "answer": answer[:500].decode("utf-8", "replace"), "error": error}
            message.attempts.append({"at": utc(self.clock.now()), "retry_count": retry_count, **note})
            if status is not None and 200 <= status < 300:
                message.delivered = True
            elif message in self.messages and again:
                self._try_later(message, retry_count)
            message.tried.set()

    def _try_later(self, message, retry_count):
        if retry_count < self.settings["retries"] and not message.delivered:
            self.clock.after(self.settings["retry_seconds"], self._again, message, retry_count + 1)

    def _again(self, message, retry_count):
        if not message.delivered and message in self.messages:
            self._spawn(self._attempt, message, retry_count)

    def _call(self, method, url, body=None):
        """(status, first bytes of the answer, error) of one request; follows no redirect."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        seconds = self.settings["webhook_timeout"]
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=max(0.01, seconds))
        self._open.add(connection)
        try:
            headers = {"Content-Type": "application/json; charset=utf-8"} if body is not None else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(65536), ""
        except (OSError, http.client.HTTPException) as error:
            return None, b"", f"{type(error).__name__}: {error}"
        finally:
            self._open.discard(connection)
            connection.close()

    def close(self):
        """Cut what is under way and wait for its threads, a second at most."""
        with self.clock.lock:
            threads = list(self._threads)
            for message in self.messages:
                message.tried.set()  # wakes what waits for its turn
        for connection in tuple(self._open):
            with contextlib.suppress(OSError, AttributeError):  # it may have ended, or not begun
                connection.sock.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 1
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def wait(self, messages):
        """Wait until each was tried once; the clock's lock must not be held."""
        deadline = time.monotonic() + self.settings["webhook_timeout"] + 1
        for message in messages:
            message.tried.wait(max(0.0, deadline - time.monotonic()))

    # the portal

    def register(self, url, events, prove):
        """A new row in the portal; ValueError when the address does not prove itself."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("only http addresses: TLS is not imitated")
        chosen = tuple(int(event) for event in events)
        hook = Hook(url, chosen)
        if prove and not self.verify(hook):
            raise ValueError(f"the URL could not be verified: {hook.reason}")
        self.hooks = [other for other in self.hooks if other.url != url] + [hook]
        return hook

    def verify(self, hook):
        """GET the address: it must answer 200 with our key."""
        status, answer, error = self._call("GET", hook.url)
        hook.reason = self._fault_of(status, answer, error)
        hook.verified = not hook.reason
        return hook.verified

    def _fault_of(self, status, answer, error):
        if status != 200:
            return error or f"HTTP {status}"
        try:
            document = json.loads(answer)
        except ValueError:
            return "no JSON"
        key = document.get("Key") if isinstance(document, dict) else None
        return "" if key == self.account.webhook_key else "another key"


# --- Who asks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """The merchant's credentials."""

    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    merchant_id: str = MERCHANT_ID
    api_key: str = API_KEY
    webhook_key: str = WEBHOOK_KEY

    def secrets(self):
        """What no log may show."""
        return (self.client_secret, self.api_key, self.webhook_key)


class Refused(Exception):
    """A request is answered with an error and changes nothing."""

    def __init__(self, status, document, event_id=0, headers=()):
        super().__init__(f"HTTP {status}")
        self.status, self.document = status, document
        self.event_id, self.headers = event_id, tuple(headers)


def basic_credentials(asked):
    """(user, password) of a Basic header, or None."""
    scheme, _space, coded = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def same(given, known):
    """Whether two pairs of credentials are the same."""
    return given is not None and all(
        hmac.compare_digest(one.encode(), other.encode()) for one, other in zip(given, known, strict=True)
    )


class Door:
    """Tokens: given out, looked at, revoked."""

    def __init__(self, clock, settings, account):
        self.clock, self.settings, self.account = clock, settings, account
        self.tokens = {}  # token -> (moment it expires, scope)

    def revoke(self):
        """No token is good any more."""
        self.tokens.clear()

    def give(self, asked):
        """The answer to a token request; Refused."""
        if asked.media_type != "application/x-www-form-urlencoded":
            raise Refused(400, {"error": "invalid_request"})
        form = parse_qs(asked.body.decode("utf-8", "replace"), keep_blank_values=True)
        values = {name: given[0] for name, given in form.items()}
        in_body = (values.get("client_id", ""), values.get("client_secret", ""))
        given = basic_credentials(asked) or in_body
        if not same(given, (self.account.client_id, self.account.client_secret)):
            raise Refused(self.settings["invalid_client"], {"error": "invalid_client"})
        if values.get("grant_type") != "client_credentials":
            raise Refused(400, {"error": "unsupported_grant_type"})
        return self._token(values.get("scope", "").split())

    def _token(self, wanted):
        owned = self.settings["scope"].split()
        if set(wanted) - set(owned):
            raise Refused(400, {"error": "invalid_scope"})
        token, scope = secrets.token_urlsafe(48), " ".join(wanted or owned)
        seconds = self.settings["expires_in"]
        self.tokens[token] = (self.clock.now() + seconds, scope)
        return {"access_token": token, "expires_in": seconds, "token_type": "Bearer", "scope": scope}

    def check(self, asked):
        """Refused 401 unless the bearer is known, has not expired and may use the terminals."""
        scheme, _space, token = asked.headers.get("authorization", "").partition(" ")
        expires, scope = self.tokens.get(token, (0, ""))
        if scheme.lower() != "bearer" or expires <= self.clock.now() or ECR_SCOPE not in scope.split():
            document = {"detail": "Could not validate credentials"}
            raise Refused(401, document, headers=[("WWW-Authenticate", "Bearer")])

    def check_merchant(self, asked):
        """Refused 401 unless merchant and API key are right."""
        if not same(basic_credentials(asked), (self.account.merchant_id, self.account.api_key)):
            raise Refused(401, {"Message": "Authorization has been denied for this request."})


# --- Reading a request, strictly ------------------------------------------------------------------

_COMMON = {  # field -> (kind, required, least)
    "sessionId": ("text", True, 1),
    "terminalId": ("identifier", True, 1),
    "cashRegisterId": ("text", True, 1),
    "amount": ("whole", True, 1),
    "currencyCode": ("currency", True, 0),
    "merchantReference": ("text", False, 0),
    "customerTrns": ("text", False, 0),
    "showTransactionResult": ("flag", False, 0),
    "showReceipt": ("flag", False, 0),
    "interappCallback": ("text", False, 0),
    "aadeProviderId": ("identifier", False, 1),
    "aadeProviderSignatureData": ("text", False, 0),
    "aadeProviderSignature": ("text", False, 0),
    "fiscalisationData": ("object", False, 0),
    "maxInstalments": ("whole", False, 0),
}
_SALE = {
    **_COMMON,
    "tipAmount": ("whole", False, 0),
    "preauth": ("flag", False, 0),
    "paymentMethod": ("method", False, 0),
    "skipSurcharge": ("flag", False, 0),
    "saleToAcquirerData": ("coded", False, 0),
    "aadePreloaded": ("flag", False, 0),
    "aadePreloadedDuration": ("whole", False, 0),
}
_REFERENCED = {**_COMMON, "parentSessionId": ("text", True, 1)}
FIELDS = {
    "sale": _SALE,
    "capture": _REFERENCED,
    "refund": _REFERENCED,
    "unreferenced": _COMMON,
    "fast_refund": _COMMON,
    "rebate": _COMMON,
    "devices": {"statusId": ("whole", False, 0), "sourceCode": ("identifier", False, 0)},
}


def fault_of(kind, value, least, strict):
    """(pydantic type, message, context) of what is wrong with a value, or None."""
    checks = {
        "text": _text_fault,
        "identifier": lambda given, short: None if _is_whole(given, 0) else _text_fault(given, short),
        "whole": _whole_fault if strict else _lax_whole_fault,
        "currency": _currency_fault,
        "flag": lambda given, _least: None if type(given) is bool else _fault("bool_type", "boolean"),
        "object": lambda given, _least: (
            None if isinstance(given, dict) else _fault("dict_type", "dictionary")
        ),
        "method": _method_fault,
        "coded": _coded_fault,
    }
    return checks[kind](value, least)


def _fault(name, what, **context):
    return name, f"Input should be a valid {what}", context


def _text_fault(value, least):
    if not isinstance(value, str):
        return _fault("string_type", "string")
    if len(value) < least:
        return "string_too_short", f"String should have at least {least} character", {"min_length": least}
    return None


def _whole_fault(value, least):
    if isinstance(value, float):
        return "int_from_float", "Input should be a valid integer, got a number with a fractional part", {}
    if type(value) is not int:
        return _fault("int_type", "integer")
    if value >= 2**63:
        return "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size", {}
    if value < least:
        return "greater_than_equal", f"Input should be greater than or equal to {least}", {"ge": least}
    return None


def _lax_whole_fault(value, least):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,15}", value, re.ASCII):
        value = int(value)
    return _whole_fault(value, least)


def _currency_fault(value, _least):
    if _is_whole(value, 1) and value < 1000:
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{3}", value, re.ASCII):
        return None
    return "value_error", "Value error, not an ISO 4217 numeric code", {}


def _method_fault(value, _least):
    if value in METHODS:
        return None
    return "enum", f"Input should be {', '.join(METHODS)}", {"expected": list(METHODS)}


def _coded_fault(value, _least):
    try:
        good = isinstance(json.loads(base64.b64decode(value, validate=True)), dict)
    except (TypeError, ValueError):
        good = False
    return None if good else ("value_error", "Value error, not base64 of a JSON object", {})


def detail(name, place, message, given, context=None):
    """One error in FastAPI's and pydantic's shape."""
    error = {"type": name, "loc": list(place), "msg": message, "input": given}
    if context:
        error["ctx"] = context
    return {**error, "url": f"https://errors.pydantic.dev/2.6/v/{name}"}


def read_object(asked):
    """(JSON object, errors) of a body."""
    if not asked.body:
        return {}, [detail("missing", ["body"], "Field required", None)]
    if asked.media_type != "application/json":
        text = asked.body.decode("utf-8", "replace")
        message = "Input should be a valid dictionary or object to extract fields from"
        return {}, [detail("model_attributes_type", ["body"], message, text)]
    try:
        document = json.loads(asked.body.decode("utf-8"), parse_constant=_no_constant)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        context = {"error": getattr(error, "msg", "Expecting value")}
        place = ["body", getattr(error, "pos", 0)]
        return {}, [detail("json_invalid", place, "JSON decode error", {}, context)]
    if not isinstance(document, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        return {}, [detail("model_attributes_type", ["body"], message, document)]
    return document, []


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def check_object(document, fields, strict):
    """All errors of a JSON object's fields; unknown ones are taken."""
    errors = []
    for name, (kind, required, least) in fields.items():
        if name not in document and required:
            errors.append(detail("missing", ["body", name], "Field required", document))
        value = document.get(name)
        if name not in document or (value is None and not required):
            continue
        fault = fault_of(kind, value, least, strict)
        if fault:
            errors.append(detail(fault[0], ["body", name], fault[1], value, fault[2]))
    return errors


def as_whole(document, fields):
    """The object with lax integers as integers."""
    return {
        name: int(value) if fields.get(name, ("",))[0] == "whole" and value is not None else value
        for name, value in document.items()
    }


# --- The three hosts ------------------------------------------------------------------------------

_ECR = "/ecr/v1"
ROUTES = (  # endpoint, verb, path
    ("token", "POST", "/connect/token"),
    ("devices", "POST", f"{_ECR}/devices:search"),
    ("sale", "POST", f"{_ECR}/transactions:sale"),
    ("capture", "POST", f"{_ECR}/transactions:preauth-completion"),
    ("refund", "POST", f"{_ECR}/transactions:refund"),
    ("unreferenced", "POST", f"{_ECR}/transactions:unreferenced-refund"),
    ("fast_refund", "POST", f"{_ECR}/transactions:fast-refund"),
    ("rebate", "POST", f"{_ECR}/transactions:rebate"),
    ("sessions", "GET", f"{_ECR}/sessions"),
    ("session", "GET", _ECR + "/sessions/{id}"),
    ("abort", "DELETE", _ECR + "/sessions/{id}"),
    ("key", "GET", "/api/messages/config/token"),
    ("transactions", "GET", "/api/transactions"),
    ("transactions", "GET", "/api/transactions/"),
    ("transactions", "GET", "/api/transactions/{id}"),
    ("transactions", "DELETE", "/api/transactions/{id}"),
)
ENDPOINTS = tuple(dict.fromkeys(endpoint for endpoint, _verb, _path in ROUTES))
STARTS = ("sale", "capture", "refund", "unreferenced", "fast_refund", "rebate")
_COMPILED = tuple(
    (endpoint, verb, re.compile(path.replace("{id}", "(?P<id>[^/]+)"))) for endpoint, verb, path in ROUTES
)


def find_route(verb, path):
    """(endpoint, id in the path or None) of a request; Refused 404 or 405 as FastAPI says it."""
    path, allowed = re.sub("%3A", ":", path, flags=re.IGNORECASE), []
    for endpoint, expected, pattern in _COMPILED:
        match = pattern.fullmatch(path)
        if match and verb == expected:
            return endpoint, unquote(match.groupdict().get("id") or "") or None
        if match:
            allowed.append(expected)
    if allowed:
        raise Refused(405, {"detail": "Method Not Allowed"}, headers=[("Allow", ", ".join(allowed))])
    raise Refused(404, {"detail": "Not Found"})


@dataclass
class Answer:
    """What is answered before any fault bends it. document None: an empty body."""

    status: int
    document: object = None
    event_id: int = 0
    session_id: str | None = None
    headers: tuple = ()


class Api:
    """The endpoints on the books. ``handle`` is the only entrance."""

    def __init__(self, clock, settings, floor, door, mailer):
        self.clock, self.settings, self.floor = clock, settings, floor
        self.books, self.door, self.mailer = floor.books, door, mailer

    def handle(self, endpoint, identifier, asked):
        """Check a request and do it; Answer, or Refused."""
        with self.clock.lock:
            self.clock.run_due()
            self._let_in(endpoint, asked)
            if endpoint in STARTS:
                answer = self._start(endpoint, asked)
            else:
                answer = getattr(self, f"_{endpoint}")(asked, identifier)
            self.clock.run_due()
            messages = list(self.mailer.messages)
        if endpoint in STARTS and self.settings["webhooks"] == "before":
            self.mailer.wait([item for item in messages if item.session_id == answer.session_id])
        return answer

    def _let_in(self, endpoint, asked):
        if endpoint in ("key", "transactions"):
            self.door.check_merchant(asked)
        elif endpoint != "token":
            self.door.check(asked)

    def _invalid(self, errors):
        return Refused(self.settings["validation_status"], {"detail": errors}, 1200)

    def _error(self, status, text, event_id):
        return Refused(status, {self.settings["error_key"]: text}, event_id)

    def _token(self, asked, _identifier):
        return Answer(200, self.door.give(asked), 1107, headers=(("Cache-Control", "no-store"),))

    def _key(self, _asked, _identifier):
        return Answer(200, {"Key": self.door.account.webhook_key})

    # starts

    def _start(self, endpoint, asked):
        document = self._read(endpoint, asked)
        kind = "preauth" if endpoint == "sale" and document.get("preauth") else endpoint
        ids = HEADER_IDS.get(endpoint, POSTED)
        if document["sessionId"] in self.books.sessions:
            raise self._error(409, "Session with this ID already exists in database.", ids["duplicate"])
        self._check_parent(document, ids)
        with self._at_once():
            session = self.floor.begin(kind, document)
            self.clock.run_due()
        return Answer(200, None, ids["created"], session.id)

    @contextlib.contextmanager
    def _at_once(self):
        """With webhooks before the answer, the whole dialogue is over before it."""
        names = ("delay", "delivery", "saved", "processing", "refund_seconds")
        before = {name: self.settings[name] for name in names}
        if self.settings["webhooks"] == "before":
            self.settings.update(dict.fromkeys(names, 0.0))
        try:
            yield
        finally:
            self.settings.update(before)

    def _read(self, endpoint, asked):
        document, errors = read_object(asked)
        fields = FIELDS[endpoint]
        errors = errors or check_object(document, fields, self.settings["strict_numbers"])
        if not errors:
            document = as_whole(document, fields)
            errors = self._check_merchant_rules(endpoint, document)
        if errors:
            raise self._invalid(errors)
        return document

    def _check_merchant_rules(self, endpoint, document):
        """Errors that depend on the settings."""
        errors, amount, least = [], document.get("amount"), self.settings["minimum"]
        if endpoint == "sale" and self.settings["minimum_as"] == "refused" and amount < least:
            fault = f"Input should be greater than or equal to {least}"
            errors.append(detail("greater_than_equal", ["body", "amount"], fault, amount, {"ge": least}))
        terminal = document.get("terminalId")
        if self.settings["unknown_terminal"] == "refused" and terminal is not None:
            if str(terminal) not in self.floor.terminals:
                text = "Value error, unknown terminal"
                errors.append(detail("value_error", ["body", "terminalId"], text, terminal))
        return errors

    def _check_parent(self, document, ids):
        if not ids["no_parent"]:
            return
        parent = self.books.sessions.get(document["parentSessionId"])
        if parent is None or parent.abort_success:
            raise self._error(404, "Parent session not found.", ids["no_parent"])
        if not parent.final:
            raise self._error(self.settings["parent_status"], "Parent session is being processed.", 1204)

    # inquiries

    def _find(self, identifier, event_id):
        session = self.books.sessions.get(identifier)
        if session is None or session.saved_at > self.clock.now():
            raise self._error(404, "Session id was not found.", event_id)
        return session

    def _session(self, _asked, identifier):
        session = self._find(identifier, 1205)
        if not session.final:
            return Answer(202, {"detail": "The session is being processed"}, 0, session.id)
        return Answer(200, session_document(session), 1102, session.id)

    def _sessions(self, asked, _identifier):
        text = asked.query.get("date", utc_day(self.clock.now()))
        try:
            if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
                raise ValueError(text)
            day = datetime.date.fromisoformat(text).isoformat()
        except ValueError:
            message = "Input should be a valid date or datetime"
            raise self._invalid([detail("date_parsing", ["query", "date"], message, text)]) from None
        rows = [
            session_document(session)
            for session in self.books.sessions.values()
            if utc_day(session.created) == day and (session.final or self.settings["list_pending"])
        ]
        autonomous = asked.query.get("AadeAutonomouslyOnly", "").lower() in ("true", "1")
        return Answer(200, [] if autonomous else rows, 1103)

    def _abort(self, asked, identifier):
        register = asked.query.get("cashRegisterId")
        if not register:
            place, given = ["query", "cashRegisterId"], register
            raise self._invalid([detail("missing", place, "Field required", given)])
        session = self._find(identifier, 1207)
        if session.register != register:
            text = "Only cash register that created the transaction can abort it."
            raise self._error(403, text, 1206)
        if session.aborting:
            raise self._error(409, "Abort process already started.", 1208)
        if session.final:
            return self._abort_finished(session)
        self.floor.abort(session)
        return Answer(200, None, 1104, session.id)

    def _abort_finished(self, session):
        status = self.settings["finished_abort"]
        if status == 404:
            raise self._error(404, "Session id was not found.", 1207)
        if status == 409:
            raise self._error(409, "Abort process already started.", 1208)
        return Answer(200, None, 1104, session.id)

    def _devices(self, asked, _identifier):
        document, errors = read_object(asked)
        errors = errors or check_object(document, FIELDS["devices"], self.settings["strict_numbers"])
        if errors:
            raise self._invalid(errors)
        status, source = document.get("statusId"), document.get("sourceCode")
        rows = [
            {
                "terminalId": terminal.id,
                "statusId": terminal.status_id,
                "sourceCode": terminal.source_code,
                "virtualTerminalId": terminal.virtual_id,
            }
            for terminal in self.floor.terminals.values()
            if status in (None, terminal.status_id) and str(source or "") in ("", terminal.source_code)
        ]
        return Answer(200, rows, 1106)

    # www: transactions

    def _transactions(self, asked, identifier):
        if asked.method == "DELETE":
            return self._refund_without_terminal(asked, identifier)
        day, order = asked.query.get("date"), asked.query.get("ordercode")
        wanted = [
            item
            for item in self.books.transactions
            if identifier in (None, item.id)
            and day in (None, utc_day(item.at))
            and order in (None, item.order_code)
        ]
        envelope = {"ErrorCode": 0, "ErrorText": None, "TimeStamp": local(self.clock.now())}
        envelope.update(CorrelationId=None, EventId=0, Success=True)
        return Answer(200, {"Transactions": [_legacy(item) for item in wanted], **envelope})

    def _refund_without_terminal(self, asked, identifier):
        transaction = next((item for item in self.books.transactions if item.id == identifier), None)
        amount = asked.query.get("amount", "")
        code, text = self._legacy_fault(transaction, amount)
        if code:
            return Answer(200, _legacy_answer(self.clock.now(), code, text))
        session = self.books.sessions[transaction.session_id]
        links = {"amount": int(amount), "tip": 0, "type_id": 4, "card": transaction.card}
        refund = self.books.record(session, 0, kind="api_refund", parent_id=transaction.id, **links)
        self.books.book(session, refund)
        self.mailer.tell_payment(refund)
        return Answer(200, _legacy_answer(self.clock.now(), 0, None, refund))

    def _legacy_fault(self, transaction, amount):
        if not self.settings["api_refunds"]:
            merchant = self.door.account.merchant_id
            return 403, f"The specified api action is disabled for the merchant {merchant}"
        if transaction is None or transaction.kind not in ("sale", "capture"):
            return 404, "Transaction not found"
        if not re.fullmatch(r"[1-9]\d{0,11}", amount, re.ASCII):
            return 400, "Invalid amount"
        left = self.books.left(transaction.session_id)
        return (0, None) if int(amount) <= left else (502, "Transaction failed")


def _legacy(transaction):
    return {
        "TransactionId": transaction.id,
        "Amount": transaction.amount / 100,
        "StatusId": transaction.status,
        "CurrencyCode": transaction.currency,
        "MerchantTrns": transaction.reference,
        "CustomerTrns": transaction.customer,
        "InsDate": local(transaction.at),
        "TransactionType": {"TransactionTypeId": transaction.type_id},
        "TerminalId": transaction.terminal_id,
        "Order": {"OrderCode": int(transaction.order_code)},
        "ParentId": transaction.parent_id,
    }


def _legacy_answer(now, code, text, refund=None):
    return {
        "Emv": None,
        "Amount": -refund.amount / 100 if refund else None,
        "StatusId": "F" if refund else "E",
        "CurrencyCode": refund.currency if refund else None,
        "TransactionId": refund.id if refund else None,
        "ReferenceNumber": refund.stan if refund else None,
        "AuthorizationId": refund.authorization if refund else None,
        "RetrievalReferenceNumber": refund.rrn if refund else None,
        "ErrorCode": code,
        "ErrorText": text,
        "TimeStamp": local(now),
        "CorrelationId": None,
        "EventId": 0,
        "Success": refund is not None,
    }


# --- Faults ---------------------------------------------------------------------------------------


class Hangup(ConnectionAbortedError):
    """End the connection without (another) byte."""


class Line:
    """The raw connection of one request."""

    def __init__(self, connection, ended):
        self.connection, self.ended = connection, ended

    def send(self, data):
        """Put bytes on the wire at once, in a segment of their own where TCP lets us."""
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(data)

    def sleep(self, seconds):
        """Wait, but no longer than the simulator lives."""
        if self.ended.wait(seconds):
            raise Hangup("the simulator stops")

    def reset(self):
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())  # at once: closing the object would wait for its reader
        raise Hangup


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
        reason = http.client.responses.get(self.status, "Simulated")
        lines = [f"HTTP/1.1 {self.status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass(frozen=True)
class Fault:
    """A kind of fault: at which stage it bites, what it does, its parameters with their defaults."""

    stage: str
    apply: object
    defaults: dict


FAULTS = {}


def fault(stage, **defaults):
    """Register ``fault_<name>`` as the fault <name>.

    Stages, and what their functions get: "before" (line): the request is never processed; "canned" (): a Wire
    instead of the answer, with a parameter ``processed``; "document" (document, books): bends a 200 in place;
    "body" (wire): bends the bytes; "send" (line, wire): sends it, or returns and it is sent as usual.
    """

    def register(function):
        FAULTS[function.__name__.removeprefix("fault_")] = Fault(stage, function, defaults)
        return function

    return register


# before: the request arrives and nothing happens


@fault("before", seconds=30)
def fault_silence(line, seconds):
    """No answer, then the end; never processed."""
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


# canned: somebody else answers; ``processed`` says whether the request went through all the same


def _page(status, title, headers=()):
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Wire(status, [("Content-Type", "text/html; charset=utf-8"), *headers], text.encode())


def _json(status, document, headers=()):
    return Wire(status, [("Content-Type", "application/json"), *headers], json.dumps(document).encode())


@fault("canned", processed=True)
def fault_http_500():
    """500, error while saving (1300)."""
    return _json(500, {"detail": "Internal server error"}, [("X-Viva-EventId", "1300")])


@fault("canned", processed=False)
def fault_http_503():
    """503, busy (1400)."""
    return _json(503, {"detail": "temporary overload"}, [("X-Viva-EventId", "1400")])


@fault("canned", processed=True)
def fault_html_502():
    """A proxy's HTML page."""
    return _page(502, "502 Bad Gateway")


@fault("canned", processed=False, retry_after=1)
def fault_html_503(retry_after):
    """A proxy's HTML page with Retry-After (seconds)."""
    return _page(503, "503 Service Unavailable", [("Retry-After", str(retry_after))])


@fault("canned", processed=True)
def fault_html_200():
    """HTML where JSON is due, and it says 200."""
    return _page(200, "Welcome")


@fault("canned", processed=False)
def fault_waf_403():
    """A firewall in front of it does not like us."""
    return _page(403, "Request blocked")


@fault("canned", processed=False)
def fault_unauthorized():
    """401, whatever the token is."""
    return _json(401, {"detail": "Could not validate credentials"}, [("X-Viva-EventId", "0")])


@fault("canned", processed=False, retry_after=1)
def fault_rate_limited(retry_after):
    """429 with Retry-After (seconds)."""
    return _json(429, {"detail": "Too many requests"}, [("Retry-After", str(retry_after))])


@fault("canned", processed=False)
def fault_not_found():
    """404, though the session exists."""
    return _json(404, {"detail": "Session id was not found."}, [("X-Viva-EventId", "1205")])


@fault("canned", processed=True)
def fault_empty_200():
    """200 and nothing: right for a POST, a trap for a GET."""
    return Wire(200, [], b"")


@fault("canned", processed=False, status=307, location="http://localhost:1/elsewhere")
def fault_redirect(status, location):
    """A redirect to another host."""
    return Wire(status, [("Location", location)], b"")


# document: well-formed, but not what was asked


@fault("document", by=1)
def fault_wrong_amount(document, books, by):
    """Another amount."""
    document["amount"] += by


@fault("document", currency="826")
def fault_wrong_currency(document, books, currency):
    """Another currency."""
    document["currencyCode"] = currency


@fault("document", type_id=79)
def fault_wrong_type(document, books, type_id):
    """A transaction of another kind: a refund (79), a reservation (80) or one that nobody knows."""
    document["transactionTypeId"] = type_id


@fault("document", terminal="99999999")
def fault_wrong_terminal(document, books, terminal):
    """Another terminal."""
    document["terminalId"] = document["tid"] = terminal


@fault("document")
def fault_wrong_reference(document, books):
    """Another merchant reference."""
    document["merchantReference"] = "SOMEBODY-ELSE"


@fault("document")
def fault_other_session(document, books):
    """Another session, best one of another terminal; an invented one when there is none."""
    others = [other for other in books.sessions.values() if other.id != document["sessionId"] and other.final]
    others.sort(key=lambda other: other.terminal_id != document["terminalId"])
    invented = {"sessionId": "somebody-else", "terminalId": "99999999", "success": True, "eventId": 0}
    document.update(session_document(others[-1]) if others else invented)


@fault("document")
def fault_no_success(document, books):
    """200 without ``success``: nobody knows."""
    del document["success"]


@fault("document")
def fault_null_success(document, books):
    """``success`` is null."""
    document["success"] = None


@fault("document")
def fault_text_success(document, books):
    """``success`` is a text; "False" is true for many a program."""
    document["success"] = str(document["success"])


@fault("document", event=9999)
def fault_unknown_event(document, books, event):
    """An eventId nobody knows, of a failure."""
    document.update(success=False, eventId=event, message="Something new")


@fault("document")
def fault_contradiction(document, books):
    """success is true, eventId says that it was declined."""
    document.update(success=True, eventId=1006)


@fault("document")
def fault_extra_fields(document, books):
    """Fields of a later version of the API."""
    document.update({"xNew": {"nested": [1, None, {"deep": "é"}]}, "apiVersion": 2.1})


@fault("document")
def fault_full_pan(document, books):
    """A card number in clear (a public test number), where a masked one is due."""
    document["primaryAccountNumberMasked"] = "4111111111111111"


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
    """success stands there twice; a careless parser takes the second, which is true."""
    wire.body = wire.body.rstrip()[:-1] + b', "success": true}'


@fault("body")
def fault_deep_json(wire):
    """Nested deeper than most parsers like."""
    wire.body = b"[" * 100_000 + b"]" * 100_000


@fault("body")
def fault_array(wire):
    """A list around it."""
    wire.body = b"[" + wire.body + b"]"


# send: processed, and the answer has a bad journey


@fault("send", seconds=30)
def fault_late_answer(line, wire, seconds):
    """Processed; the answer comes later than the client waits."""
    line.sleep(seconds)


@fault("send")
def fault_close_after(line, wire):
    """Processed; closed without an answer."""
    raise Hangup


@fault("send")
def fault_reset_after(line, wire):
    """Processed; RST."""
    line.reset()


@fault("send")
def fault_reset_midway(line, wire):
    """Processed; RST in the middle of the answer, after its headers."""
    line.send(wire.head(len(wire.body) + 100) + wire.body[: len(wire.body) // 2])
    line.sleep(0.02)  # let the first half arrive: a reset overtakes what is still on its way
    line.reset()


@fault("send")
def fault_short_body(line, wire):
    """Closed in the middle of the declared body."""
    line.send(wire.head(len(wire.body) + 100) + wire.body)
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


@fault("send")
def fault_garbage(line, wire):
    """Bytes that are not HTTP."""
    line.send(b"\x16\x03\x01\x00\xff" + bytes(reversed(range(256))))
    raise Hangup


@fault("send", mib=16, declared=False)
def fault_oversize(line, wire, mib, declared):
    """A JSON text of many MiB (with or without Content-Length) until the client has had enough."""
    start, chunk, end = b'{"message": "', b"x" * (1 << 16), b'"}'
    count = mib << 4
    line.send(wire.head(len(start) + count * len(chunk) + len(end) if declared else False) + start)
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
    def stage(self):
        """Where it bites."""
        return FAULTS[self.name].stage

    def apply(self, *args):
        """Call the fault's function."""
        params = {name: value for name, value in self.params.items() if name != "processed"}
        return FAULTS[self.name].apply(*args, **params)


def make_switch(endpoint, name, times=None, **params):
    """A checked Switch; ValueError names what is wrong."""
    if endpoint not in ("*", *ENDPOINTS):
        raise ValueError(f"unknown endpoint {endpoint!r}; known: *, {', '.join(ENDPOINTS)}")
    if name not in FAULTS:
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(sorted(FAULTS))}")
    if times is not None and not _is_whole(times, 1):
        raise ValueError("times must be a whole number above 0")
    unknown = set(params) - set(FAULTS[name].defaults)
    if unknown:
        raise ValueError(f"fault {name} has no parameter {', '.join(sorted(unknown))}")
    return Switch(endpoint, name, times, {**FAULTS[name].defaults, **params})


class Faults:
    """The switches. A call takes the first one that is for it."""

    def __init__(self):
        self.lock, self.switches = threading.Lock(), []

    def add(self, switch):
        """One more."""
        with self.lock:
            self.switches.append(switch)

    def clear(self):
        """None any more."""
        with self.lock:
            self.switches = []

    def take(self, endpoint):
        """The switch that bites this call, counted down, or None."""
        with self.lock:
            for switch in self.switches:
                if switch.endpoint in ("*", endpoint):
                    switch.times = None if switch.times is None else switch.times - 1
                    if switch.times == 0:
                        self.switches.remove(switch)
                    return switch
        return None


# --- The simulator --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A request as it came. headers: names in small letters; query: {name: first value}."""

    method: str
    path: str
    query: dict
    headers: dict
    body: bytes
    excess: int | None = None  # status when its body was not read

    @property
    def media_type(self):
        """Without parameters, in small letters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Simulator:
    """The service as an object: start and stop it (or ``with``), script it, break it, read its books.

    port 0 = a free one; terminals: ids; script: outcome (or Script) without another; speed: of the clock, 0 =
    it only moves by advance(); seed: repeatable ids; account: the merchant's credentials (fields of Account);
    settings: see the module. Thread-safe. Stopping keeps books and port: a later ``start`` is the same
    service coming back.
    """

    def __init__(
        self,
        host="127.0.0.1",
        port=0,
        *,
        terminals=TERMINALS,
        script="approved",
        speed=1.0,
        seed=None,
        account=None,
        **settings,
    ):
        if not terminals:
            raise ValueError("a terminal is needed")
        self.host, self.port = loopback(host), port
        self.account = Account(**(account or {}))
        self.first_settings = check_settings(settings)
        self.first_script = script if isinstance(script, Script) else Script(script)
        self.settings = {**DEFAULTS, **self.first_settings}
        self.ended = threading.Event()
        self.clock, self.faults = Clock(speed), Faults()
        self.mailer = Mailer(self.clock, self.settings, self.account, self.ended)
        books = Books(self.clock, seed)
        self.floor = Floor(self.clock, books, self.settings, self.mailer, [str(each) for each in terminals])
        self.floor.default = self.first_script
        self.door = Door(self.clock, self.settings, self.account)
        self.api = Api(self.clock, self.settings, self.floor, self.door, self.mailer)
        self.journal = collections.deque(maxlen=KEPT_REQUESTS)
        self._server, self._threads = None, []

    # life

    def start(self):
        """Listen and serve in threads; OSError when the port is taken. Returns itself."""
        if self._server:
            raise RuntimeError("the simulator runs already")
        self._server = _Server((self.host, self.port), self)
        self.port = self._server.server_address[1]
        self.ended.clear()
        for target, args in ((self._server.serve_forever, (0.02,)), (self.clock.run, (self.ended,))):
            thread = threading.Thread(target=target, args=args, daemon=True, name="viva-simulator")
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self):
        """Stop serving, cut connections, wake sleeping faults: about a second at most. Twice is fine."""
        if not self._server:
            return
        self.ended.set()
        with self.clock.lock:
            self.clock.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self.mailer.close()
        self._server.cut()
        for thread in self._threads:
            thread.join(2)
        self._server, self._threads = None, []

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()

    @property
    def url(self):
        """``http://127.0.0.1:PORT``: the base of all three hosts."""
        return f"http://{self.host}:{self.port}"

    def reset(self, everything=False):
        """As on the first day; tokens and webhook addresses stay, unless ``everything``."""
        self.faults.clear()
        with self.clock.lock:
            self.settings.clear()
            self.settings.update({**DEFAULTS, **self.first_settings})
            self.clock.clear()
            self.floor.books.clear()
            self.floor.clear(self.first_script)
            self.mailer.clear()
            self.journal.clear()
            if everything:
                self.mailer.hooks = []
                self.door.revoke()

    # steering: behaviour

    def set(self, **settings):
        """Change settings; see the module."""
        checked = check_settings(settings)
        with self.clock.lock:
            self.settings.update(checked)

    def script(self, outcome="approved", times=1, default=False, **options):
        """What becomes of the next session(s), or of all with ``default``; options: see the module."""
        script = make_script(outcome, options)
        with self.clock.lock:
            if default:
                self.floor.default = script
            else:
                self.floor.queue += [dataclasses.replace(script) for _number in range(times)]

    def fault(self, endpoint, name, times=None, **params):
        """Switch a fault of FAULTS on: endpoint ("*" = all), its next ``times`` calls (None = always)."""
        self.faults.add(make_switch(endpoint, name, times, **params))

    def clear_faults(self):
        """Switch all faults off."""
        self.faults.clear()

    def revoke(self):
        """All tokens are worthless from now on."""
        with self.clock.lock:
            self.door.revoke()

    # steering: terminals and people

    def terminal(self, terminal, condition=None, status_id=None, tip=None):
        """Change a terminal: "awake", "asleep", "disconnected"; statusId; what customers tip there."""
        if condition not in (None, *CONDITIONS):
            raise ValueError(f"condition must be one of {', '.join(CONDITIONS)}")
        if status_id not in (None, *STATUS_IDS) or not (tip is None or _is_whole(tip, 0)):
            raise ValueError("status_id is 0 to 7, tip a whole number")
        changes = {"condition": condition, "status_id": status_id, "tip": tip}
        with self.clock.lock:
            found = self.floor.terminals[str(terminal)]
            for name, value in changes.items():
                setattr(found, name, getattr(found, name) if value is None else value)

    def present(self, terminal=None, outcome="approved", **options):
        """Somebody acts at a terminal (None = the first that asks); False when nothing is asked there."""
        script = make_script(outcome, options)
        with self.clock.lock:
            self.clock.run_due()
            asking = [each for each in self.floor.terminals if self._asks(each)]
            chosen = str(terminal) if terminal is not None else asking[0] if asking else ""
            return self.floor.present(chosen, script.outcome, options)

    def _asks(self, terminal_id):
        session = self.floor.books.session_on(terminal_id)
        return session is not None and session.state == "shown"

    def cancel(self, terminal=None):
        """The customer presses cancel on a terminal; False when nothing is asked there."""
        return self.present(terminal, "cancelled")

    # steering: time

    def advance(self, seconds=0, minutes=0, hours=0, days=0):
        """Let time pass at once."""
        self.clock.advance(seconds + 60 * (minutes + 60 * (hours + 24 * days)))

    def move_clock(self, moment):
        """Make it another moment (ISO 8601, UTC without an offset); what is due stays as far away."""
        given = datetime.datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
        known = given if given.tzinfo else given.replace(tzinfo=datetime.timezone.utc)
        self.clock.move_to(known.timestamp())

    # steering: webhooks

    def register(self, url, events=USUAL, prove=True):
        """Register an address, verified by GET unless ``prove`` is False; ValueError when it is not ours."""
        return dataclasses.asdict(self.mailer.register(url, events, prove))

    def verify(self):
        """Look at all addresses again; {url: whether it still answers the key}."""
        return {hook.url: self.mailer.verify(hook) for hook in list(self.mailer.hooks)}

    def unregister(self, url=None):
        """Forget an address, or all."""
        with self.clock.lock:
            self.mailer.hooks = [hook for hook in self.mailer.hooks if url not in (None, hook.url)]

    def twist(self, name, times=1):
        """Bend the next webhooks; see TWISTS."""
        if name not in TWISTS:
            raise ValueError(f"unknown twist {name!r}; known: {', '.join(TWISTS)}")
        with self.clock.lock:
            self.mailer.twists += [name] * times

    def fire(self, event, url=None, session_id=None, data=None, twist=None):
        """Send a webhook by hand, to one address or all; returns the numbers of the messages."""
        if twist not in (None, *TWISTS):
            raise ValueError(f"unknown twist {twist!r}")
        with self.clock.lock:
            targets = [url] if url else [hook.url for hook in self.mailer.hooks]
            content = {**self._event_data(event, session_id), **(data or {})}
            made = [
                self.mailer.make(target, event, copy.deepcopy(content), session_id, twist)
                for target in targets
            ]
            for message in made:
                message.previous = None
                self.mailer.send(message)
        return [message.number for message in made]

    def _event_data(self, event, session_id):
        if session_id is None:
            return {}
        session, merchant = self.floor.books.sessions[session_id], self.account.merchant_id
        if event in (ECR_CREATED, ECR_FAILED):
            return session_event_data(session, merchant)
        return payment_event_data(session.transaction, merchant) if session.transaction else {}

    def release(self, order="made"):
        """Send the held webhooks one after the other: as "made", or "reversed"."""
        if order not in ("made", "reversed"):
            raise ValueError("order must be 'made' or 'reversed'")
        with self.clock.lock:
            held = [message for message in self.mailer.messages if message.held]
            for message in held:
                message.held, message.previous = False, None
        self.mailer.send_in_order(held[::-1] if order == "reversed" else held)

    def retry(self, number=None):
        """Send webhooks once more at once: one by its number, or all that were not taken."""
        with self.clock.lock:
            chosen = [
                message
                for message in self.mailer.messages
                if message.number == number or (number is None and message.attempts and not message.delivered)
            ]
        for message in chosen:
            self.mailer.once_more(message)
        return [message.number for message in chosen]

    # books

    @property
    def books(self):
        """The Books; time that has passed is in them."""
        self.clock.run_due()
        return self.floor.books

    @property
    def charges(self):
        """All money that moved so far, as Charge, in order."""
        with self.clock.lock:
            return list(self.books.charges)

    def count_charges(self, session_id=None, reference=None, kind=None):
        """How many debits (or charges of a ``kind``) there are, of any or of one session or reference."""
        return sum(
            session_id in (None, item.session_id)
            and reference in (None, item.reference)
            and (item.kind == kind if kind else SIGNS[item.kind] > 0)
            for item in self.charges
        )

    def taken(self, session_id=None):
        """Minor units that were taken."""
        with self.clock.lock:
            return self.books.taken(session_id)

    def returned(self, session_id=None):
        """Minor units that went back."""
        with self.clock.lock:
            return self.books.returned(session_id)

    def net(self, currency="978"):
        """Minor units taken less given back."""
        with self.clock.lock:
            return self.books.net().get(currency, 0)

    @property
    def sessions(self):
        """{session id: Session}"""
        with self.clock.lock:
            return dict(self.books.sessions)

    @property
    def transactions(self):
        """Lines of the acquirer, as Transaction."""
        with self.clock.lock:
            return list(self.books.transactions)

    @property
    def requests(self):
        """The last requests, secrets masked; see _note for the fields."""
        with self.clock.lock:
            return [dict(entry) for entry in self.journal]

    def count_requests(self, endpoint=None):
        """How many requests came, of any or of one endpoint."""
        return sum(endpoint in (None, entry["endpoint"]) for entry in self.requests)

    @property
    def webhooks(self):
        """All webhooks, with each attempt and its answer; see Message.data."""
        with self.clock.lock:
            self.clock.run_due()
            return [message.data() for message in self.mailer.messages]

    def wait(self, condition, seconds=5.0):
        """Wait until something is true; AssertionError when it never is."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("it never came true")
            time.sleep(0.005)

    def report(self):
        """The books as JSON-like values."""
        with self.clock.lock:
            books = self.books
            counts = collections.Counter(entry["endpoint"] for entry in self.journal if entry["endpoint"])
            return {
                "charges": [dataclasses.asdict(charge) for charge in books.charges],
                "net": books.net(),
                "taken": books.taken(),
                "returned": books.returned(),
                "reserved": dict(books.reserved),
                "sessions": self.session_rows(),
                "counts": dict(counts),
            }

    def session_rows(self):
        """Each session in a few words."""
        with self.clock.lock:
            return [
                {
                    "sessionId": session.id,
                    "kind": session.kind,
                    "state": session.state,
                    "terminalId": session.terminal_id,
                    "document": session_document(session),
                }
                for session in self.books.sessions.values()
            ]

    def state(self):
        """Settings, terminals, switches, credentials for a demo, time."""
        with self.clock.lock:
            self.clock.run_due()
            return {
                "url": self.url,
                "port": self.port,
                "page": f"{self.url}/",
                "now": utc(self.clock.now()),
                "devices": [dataclasses.asdict(each) for each in self.floor.terminals.values()],
                "account": dataclasses.asdict(self.account),
                "settings": {**self.settings, "missing": list(self.settings["missing"])},
                "default": dataclasses.asdict(self.floor.default),
                "queue": [dataclasses.asdict(script) for script in self.floor.queue],
                "faults": [dataclasses.asdict(switch) for switch in self.faults.switches],
                "hooks": [dataclasses.asdict(hook) for hook in self.mailer.hooks],
            }

    # one request

    def answer(self, asked, line):
        """The Wire of a request; Hangup when there is none."""
        control = asked.path.startswith("/_simulator/")
        if asked.path == "/" or control:
            return self._steer(asked) if control else Pages(self).answer(asked)
        entry, endpoint, identifier = self._note(asked), None, None
        try:
            endpoint, identifier = find_route(asked.method, asked.path)
            entry["endpoint"] = endpoint
        except Refused as refusal:
            return self._wire(refusal, Answer(refusal.status, refusal.document, headers=refusal.headers))
        switch = self.faults.take(endpoint)
        entry["fault"] = switch and switch.name
        if switch and switch.stage == "before":
            switch.apply(line)
        if switch and switch.stage == "canned" and not switch.params["processed"]:
            return self._tell(entry, switch.apply())
        answer = self._process(endpoint, identifier, asked)
        entry["session_id"] = answer.session_id
        return self._bend(entry, endpoint, answer, switch, line)

    def _process(self, endpoint, identifier, asked):
        if asked.excess:
            return Answer(asked.excess, {"detail": "the body is not acceptable"})
        try:
            return self.api.handle(endpoint, identifier, asked)
        except Refused as refusal:
            return Answer(refusal.status, refusal.document, refusal.event_id, headers=refusal.headers)

    def _bend(self, entry, endpoint, answer, switch, line):
        if switch and switch.stage == "canned":
            return self._tell(entry, switch.apply())
        if switch and switch.stage == "document" and answer.status == 200:
            rows = answer.document if isinstance(answer.document, list) else [answer.document]
            with self.clock.lock:
                for row in rows:
                    if isinstance(row, dict) and "sessionId" in row:
                        switch.apply(row, self.books)
        wire = self._wire(endpoint, answer)
        if switch and switch.stage == "body":
            switch.apply(wire)
        entry["event_id"] = answer.event_id
        if switch and switch.stage == "send":
            switch.apply(line, wire)
        return self._tell(entry, wire)

    def _wire(self, endpoint, answer):
        """Bytes and headers: those of the terminal API have Viva's own."""
        body = b"" if answer.document is None else json.dumps(answer.document, ensure_ascii=False).encode()
        headers = [("Content-Type", "application/json")] if body else []
        headers += answer.headers
        if endpoint not in ("token", "key", "transactions"):
            headers += [("server", "uvicorn"), ("x-process-time", f"{random.uniform(0.01, 0.9):.16f}")]
        headers += [("x-viva-correlationid", correlation_id(self.clock.now()))]
        return Wire(answer.status, [*headers, ("X-Viva-EventId", str(answer.event_id))], body)

    @staticmethod
    def _tell(entry, wire):
        entry["status"] = wire.status
        return wire

    def _note(self, asked):
        """Log a request, secrets replaced; status stays None when it is never answered."""
        headers = {
            name: f"{value.partition(' ')[0]} ***" if name == "authorization" else self._mask(value)
            for name, value in asked.headers.items()
        }
        entry = {
            "at": utc(self.clock.now()),
            "method": asked.method,
            "path": self._mask(asked.path),
            "query": {name: self._mask(value) for name, value in asked.query.items()},
            "headers": headers,
            "body": self._mask(asked.body[:65536].decode("utf-8", "replace")),
            "endpoint": None,
            "fault": None,
            "session_id": None,
            "event_id": None,
            "status": None,
        }
        with self.clock.lock:
            self.journal.append(entry)
        return entry

    def _mask(self, text):
        for secret in self.account.secrets():
            text = text.replace(secret, "***")
        return text

    # the control API

    def _steer(self, asked):
        """JSON only, so that no foreign web page can post here by a form."""
        name = asked.path.removeprefix("/_simulator/")
        try:
            if asked.method == "GET" and name in SHOWN:
                return _json(200, SHOWN[name](self))
            if asked.method != "POST" or name not in VERBS:
                return _json(404, {"error": f"GET {', '.join(SHOWN)}; POST {', '.join(VERBS)}"})
            if asked.media_type != "application/json" and asked.body:
                return _json(415, {"error": "Content-Type must be application/json"})
            values = json.loads(asked.body or b"{}")
            if not isinstance(values, dict):
                raise ValueError("the body is not a JSON object")
            return _json(200, {"result": getattr(self, name)(**values)})
        except LookupError as error:
            return _json(404, {"error": f"unknown: {error}"})
        except (TypeError, ValueError) as error:
            return _json(400, {"error": str(error)})


SHOWN = {  # GET
    "books": Simulator.report,
    "sessions": Simulator.session_rows,
    "requests": lambda simulator: simulator.requests,
    "webhooks": lambda simulator: simulator.webhooks,
    "state": Simulator.state,
}
VERBS = (  # POST: methods of Simulator
    "script",
    "fault",
    "clear_faults",
    "set",
    "terminal",
    "present",
    "cancel",
    "revoke",
    "register",
    "verify",
    "unregister",
    "twist",
    "fire",
    "release",
    "retry",
    "advance",
    "move_clock",
    "reset",
)


def make_script(outcome, options):
    """A Script; ValueError for an option that does not exist."""
    try:
        return Script(outcome, **options)
    except TypeError as error:
        raise ValueError(str(error)) from error


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


# --- The page for people --------------------------------------------------------------------------

STYLE = (
    "body{font:16px sans-serif;margin:2em auto;max-width:64em;padding:0 1em}"
    "td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top}"
    "section{border:1px solid #bbb;border-radius:.4em;padding:0 1em 1em;margin:1em 0}"
    "button{margin:.2em .3em .2em 0;padding:.4em .8em}form{display:inline}"
)
WORDS = {  # name: (English, French)
    "title": ("Simulated payment terminals", "Terminaux de paiement simulés"),
    "small": (
        "For tests and demonstrations: no money moves, nothing here is Viva's.",
        "Pour les essais et les démonstrations : rien n'est encaissé, rien ici n'est de Viva.",
    ),
    "terminal": ("Terminal", "Terminal"),
    "idle": ("Nothing is asked.", "Aucune demande."),
    "asks": ("Asks for a card", "Attend une carte"),
    "works": ("Working", "Traitement en cours"),
    "paid": ("Present a card", "Présenter une carte"),
    "tip": ("Present a card, tip of 1.00", "Présenter une carte, pourboire de 1,00"),
    "declined": ("Card without funds", "Carte refusée (provision)"),
    "cancelled": ("Press cancel", "Appuyer sur Annuler"),
    "awake": ("awake", "actif"),
    "asleep": ("asleep", "en veille"),
    "disconnected": ("disconnected", "déconnecté"),
    "switches": ("What happens next", "Ce qui se passera"),
    "lost": ("The next sale is taken, its answer lost", "Vente suivante : encaissée, réponse perdue"),
    "slow": ("The next sale answers after 20 s", "Vente suivante : réponse après 20 s"),
    "flip": ("The next sale fails, then is paid", "Vente suivante : refusée puis payée"),
    "reversal": (
        "The next sale is paid, then reversed",
        "Vente suivante : payée puis annulée d'office",
    ),
    "person": ("Cards only by these buttons", "Cartes présentées par ces boutons seulement"),
    "script": ("Cards by themselves", "Cartes présentées d'elles-mêmes"),
    "ignore": ("Aborts have no effect", "Les annulations restent sans effet"),
    "honour": ("Aborts work", "Les annulations fonctionnent"),
    "no_hooks": ("No webhooks", "Aucune notification"),
    "hooks": ("Webhooks", "Notifications"),
    "revoke": ("Revoke all tokens", "Révoquer les jetons"),
    "hour": ("Let an hour pass", "Laisser passer une heure"),
    "reset": ("Forget everything", "Tout oublier"),
    "charges": ("Money that moved", "Mouvements d'argent"),
    "sent": ("Webhooks sent", "Notifications envoyées"),
    "kind": ("Kind", "Nature"),
    "amount": ("Amount", "Montant"),
    "reference": ("Reference", "Référence"),
    "event": ("Event", "Événement"),
    "answer": ("Answers", "Réponses"),
    "other": ("Français", "English"),
}
ACTIONS = {  # button -> what it does; terminal buttons get the terminal's id
    "paid": lambda sim, terminal: sim.present(terminal),
    "tip": lambda sim, terminal: sim.present(terminal, tip=100),
    "declined": lambda sim, terminal: sim.present(terminal, "declined", code="51"),
    "cancelled": lambda sim, terminal: sim.cancel(terminal),
    "awake": lambda sim, terminal: sim.terminal(terminal, "awake"),
    "asleep": lambda sim, terminal: sim.terminal(terminal, "asleep"),
    "disconnected": lambda sim, terminal: sim.terminal(terminal, "disconnected"),
    "lost": lambda sim, _terminal: sim.fault("sale", "close_after", times=1),
    "slow": lambda sim, _terminal: sim.fault("sale", "late_answer", times=1, seconds=20),
    "flip": lambda sim, _terminal: sim.script("declined", flip=5),
    "reversal": lambda sim, _terminal: sim.script("approved", reversal=5),
    "person": lambda sim, _terminal: sim.script("wait", default=True),
    "script": lambda sim, _terminal: sim.script("approved", default=True),
    "ignore": lambda sim, _terminal: sim.set(abort="ignore"),
    "honour": lambda sim, _terminal: sim.set(abort="honour"),
    "no_hooks": lambda sim, _terminal: sim.set(webhooks="never"),
    "hooks": lambda sim, _terminal: sim.set(webhooks="after"),
    "revoke": lambda sim, _terminal: sim.revoke(),
    "hour": lambda sim, _terminal: sim.advance(hours=1),
    "reset": lambda sim, _terminal: sim.reset(),
}
AT_TERMINAL = ("paid", "tip", "declined", "cancelled")


class Pages:
    """One page, in English or French, with plain forms and no script."""

    def __init__(self, simulator):
        self.simulator, self.french = simulator, False

    def answer(self, asked):
        """The page, or what one of its buttons does."""
        language = asked.query.get("lang") or asked.headers.get("accept-language", "")
        self.french = language.lower().startswith("fr")
        if asked.method == "GET":
            return Wire(200, [("Content-Type", "text/html; charset=utf-8")], self.document().encode())
        if asked.method != "POST" or not self._is_ours(asked):
            return _page(403, "Forbidden")
        form = parse_qs(asked.body.decode("utf-8", "replace"))
        with contextlib.suppress(LookupError, ValueError):  # a page that was older than the simulator
            ACTIONS[form["action"][0]](self.simulator, form.get("terminal", [None])[0])
        return Wire(303, [("Location", f"/?lang={self._language}")], b"")

    @staticmethod
    def _is_ours(asked):
        """A form of our own page: browsers say where a form comes from."""
        origin = asked.headers.get("origin")
        return origin is None or urlsplit(origin).netloc == asked.headers.get("host")

    @property
    def _language(self):
        return "fr" if self.french else "en"

    def _word(self, name):
        return html.escape(WORDS[name][self.french])

    def document(self):
        """The whole page."""
        title, other = self._word("title"), "en" if self.french else "fr"
        with self.simulator.clock.lock:
            terminals = "".join(self._terminal(each) for each in self.simulator.floor.terminals.values())
            inside = terminals + self._switches() + self._charges() + self._webhooks()
        return (
            f'<!doctype html><html lang="{self._language}"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="3">'
            f"<style>{STYLE}</style></head><body><h1>{title}</h1><p>{self._word('small')} "
            f'<a href="/?lang={other}">{self._word("other")}</a></p>{inside}</body></html>'
        )

    def _button(self, action, terminal=""):
        hidden = f'<input type="hidden" name="terminal" value="{html.escape(terminal)}">' if terminal else ""
        name = f"{action}-{html.escape(terminal)}" if terminal else action
        return (
            f'<form method="post" action="/?lang={self._language}">{hidden}<button id="{name}" name="action"'
            f' value="{action}">{self._word(action)}</button></form>'
        )

    def _terminal(self, terminal):
        session = self.simulator.books.session_on(terminal.id)
        told = f"<p>{self._word('idle')}</p>"
        if session:
            word = self._word("asks" if session.state == "shown" else "works")
            reference = html.escape(session.request.get("merchantReference") or session.id)
            told = (
                f"<p><strong>{word}: {self._money(session.amount, session.currency)}</strong> {reference}</p>"
            )
            told += "".join(self._button(action, terminal.id) for action in AT_TERMINAL)
        conditions = "".join(
            self._button(name, terminal.id) for name in CONDITIONS if name != terminal.condition
        )
        heading = f"{self._word('terminal')} {html.escape(terminal.id)} ({self._word(terminal.condition)})"
        inside = f"<h2>{heading}</h2>{told}<div>{conditions}</div>"
        return f'<section id="terminal-{html.escape(terminal.id)}">{inside}</section>'

    def _switches(self):
        buttons = "".join(self._button(name) for name in list(ACTIONS)[len(AT_TERMINAL) + len(CONDITIONS) :])
        return f"<section><h2>{self._word('switches')}</h2>{buttons}</section>"

    def _money(self, minor, currency):
        text = f"{minor // 100}.{minor % 100:02d}"
        sign = {"978": "€", "826": "£"}.get(currency, currency)
        return f"{text.replace('.', ',') if self.french else text} {html.escape(sign)}"

    def _charges(self):
        rows = [
            (charge.kind, self._money(charge.amount, charge.currency), charge.terminal_id, charge.reference)
            for charge in reversed(self.simulator.charges[-50:])
        ]
        return self._table("charges", ("kind", "amount", "terminal", "reference"), rows)

    def _webhooks(self):
        rows = []
        for message in reversed(self.simulator.mailer.messages[-50:]):
            answers = ", ".join(str(each["status"] or each["error"]) for each in message.attempts)
            reference = (message.envelope.get("EventData") or {}) if message.raw is None else {}
            told = reference.get("MerchantTrns") if isinstance(reference, dict) else ""
            rows.append((message.event, told or message.session_id, answers))
        return self._table("sent", ("event", "reference", "answer"), rows)

    def _table(self, title, heads, rows):
        head = "".join(f"<th>{self._word(name)}</th>" for name in heads)
        lines = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(cell or ''))}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        return f'<h2>{self._word(title)}</h2><table id="{title}"><tr>{head}</tr>{lines}</table>'


# --- The server -----------------------------------------------------------------------------------


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, simulator):
        self.simulator, self.connections = simulator, set()
        super().__init__(address, _Handler)

    def server_bind(self):
        # HTTPServer's own asks DNS for a name that nobody needs.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        """A client that left is no error."""
        _logger.debug("connection of %s ended", client_address)

    def cut(self):
        """End open connections; their threads end with them."""
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 0.5
        while self.connections and time.monotonic() < deadline:
            time.sleep(0.005)


class _Handler(BaseHTTPRequestHandler):
    """One request a connection."""

    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds for a client to send its request

    def setup(self):
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self):
        try:
            super().finish()
        finally:
            self.server.connections.discard(self.connection)

    def log_message(self, template, *args):
        _logger.info(template, *args)

    def serve(self):
        """Any verb."""
        simulator, self.close_connection = self.server.simulator, True
        line = Line(self.connection, simulator.ended)
        try:
            wire = simulator.answer(self._asked(), line)
        except (ConnectionError, TimeoutError):  # a fault, or a client that left
            return
        except Exception:
            _logger.exception("a bug in the simulator")
            wire = _json(500, {"detail": "a bug in the simulator"})
        _logger.info("%s %s -> %s", self.command, self.path, wire.status)
        with contextlib.suppress(OSError):  # who did not wait
            line.send(wire.head() + wire.body)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = serve

    def _asked(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        length, excess = headers.get("content-length", "0"), None
        if "transfer-encoding" in headers:
            excess = 411
        elif not length.isdigit() or int(length) > MAX_BODY:
            excess = 413
        body = b"" if excess else self.rfile.read(int(length))
        return Asked(self.command, parts.path, query, headers, body, excess)


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


def parse_setting(text):
    """``name=value`` -> (name, value)."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not name=value")
    check_settings({name: _literal(value)})
    return name, _literal(value)


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
    parser = argparse.ArgumentParser(description="Simulator of the Viva.com Cloud Terminal, loopback only.")
    add, many = parser.add_argument, {"action": "append", "default": []}
    add("--host", default="127.0.0.1", help="a loopback address (default %(default)s)")
    add("--port", type=int, default=8790, help="0 = a free one (default %(default)s)")
    add("--terminal", action="append", help="a terminal id, repeatable (default 16000010, 16000011)")
    add("--script", type=_option(parse_script), default=Script(), help="outcome[:delay], e.g. decline")
    add("--delay", type=float, default=3.0, help="seconds until the card (default %(default)s)")
    add("--speed", type=float, default=1.0, help="of the clock (default %(default)s)")
    add("--seed", type=int, help="repeatable ids")
    for item in dataclasses.fields(Account):
        add(f"--{item.name.replace('_', '-')}", default=item.default, help="(default %(default)s)")
    add("--webhook", help="an address for all events, not verified; repeatable", **many)
    example = "repeatable, e.g. sale=close_after:1"
    add("--fault", type=_option(parse_fault), help=f"endpoint=fault[:times][:name=value], {example}", **many)
    add("--set", type=_option(parse_setting), help="name=value of a setting, repeatable", **many)
    add("--log", action="store_true", help="all requests on the error output")
    return parser


def prepare(options):
    """A Simulator for parsed options, not started; ValueError for a bad one."""
    account = {item.name: getattr(options, item.name) for item in dataclasses.fields(Account)}
    simulator = Simulator(
        options.host,
        options.port,
        terminals=options.terminal or TERMINALS,
        script=options.script,
        speed=options.speed,
        seed=options.seed,
        account=account,
        **{"delay": options.delay, **dict(options.set)},
    )
    for url in options.webhook:
        simulator.register(url, EVENTS, prove=False)
    for switch in options.fault:
        simulator.faults.add(switch)
    return simulator


def main(argv=None):
    """Run until SIGTERM or Ctrl-C; exit code 0, or 2 when it cannot start."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if options.log:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    enough = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: enough.set())
    try:
        simulator = prepare(options).start()
    except (OSError, OverflowError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write(json.dumps(simulator.state()) + "\n")
    sys.stdout.write(f"started {time.strftime('%H:%M:%S')}; people play the terminals on {simulator.url}/\n")
    sys.stdout.flush()
    enough.wait()
    simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
