# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Caisse-AP (Concert V3) payment terminals to test against: scripted people, real books, every fault.

    python simulator.py --host 127.0.0.1 --port 8888 --terminals 2 --script paid --delay 3

    with Simulator(terminals=2) as sim:                 # the same inside a test; free ports
        sim.terminals[0].script("declined")             # the next payment there
        sim.terminals[1].script("paid_then_lost")       # money moves, the answer never comes
        ...
        assert sim.terminals[1].count_debits(private="ORDER-7") == 1

What it imitates
----------------
The behaviour table of protocols/caisse_ap.md, section 8, over raw TCP: one request, one answer, no end mark.
A terminal is one port. Requests are checked strictly and refused at once (AE 01 with AF 09, 10, 12 or 13); a
good one then waits for its customer on a real clock. A till that hangs up stops nothing: the terminal goes
on, the money moves, and CD=3 finds it. It shares no code with ``caisse_ap/`` on purpose.

A request is over when it ends on a field, holds CD and nothing came for ``quiet`` seconds; an incomplete one
is refused (AF 09) after ``patience`` seconds; so is a till that pauses between CD and CB for longer than
``quiet``. CR/LF after it is swallowed. A terminal is *busy* from a good request until its outcome is
known, not while a connection is merely open; the answer leaves a free terminal.

What it does NOT imitate
------------------------
TLS, serial framing (STX, ETX, LRC), CD 7, B, P, T, R and C (AF 12), CH (taken, not used), CB2A itself,
telecollection, a printer, forced online authorisation, what survives a restart (all state is memory).
Our assumptions, written nowhere: busy answers AF 00; a second request on an open connection is served; a
request that waited for a busy terminal is served even when its till has gone; CD=2 reverses the last debit if
amount and currency are the same (else AF 07) and has an authorisation number of its own; a CD=3 that finds
nothing has no AF; CF comes back cut to 32 characters. Ingenico, Verifone and Nepting certainly differ.

Scripts: ``terminal.script(name, **options)`` for the next request, ``default(...)`` for all others
---------------------------------------------------------------------------------------------------
====================  ================================================================================
paid                  contact card, AE 10
contactless           CC 00B, CI 2
offline               paid without AC
cheque                CC 00C, AD, AG, AH; no card, no AC (any request with CC 00C is answered so too)
padded                CB with ``digits`` digits (12)
partial               CB lower: ``amount``, or half
paid_af01             AF 01 beside AE 10
receipts              ZT/AK as ``ck`` (120) even when the request has no CK
declined              AF 04; ``extended="51"``: AF of 29 characters with this CB2A code
unknown_reason        AF 00
referral              AF 02
forbidden             AF 05
abandon, red          AF 06, AF 11, both without CB (04 for a cheque)
not_completed         AF 07
timeout               AF 08 (after ``delay``)
format, app, action,  AF 09, AF 10, AF 12, AF 13, at once
currency
wait_customer         until ``press()``, or after ``after`` seconds as if ``button`` (green) was pressed
late                  paid after the usual delay, answered ``late`` (1) seconds after that
accepted_11           AE 11 at once (as with BA=1), the result is never sent; ``follows="later"``: sent on the
                      same connection, "together": in one packet with it
split                 cut at ``cuts`` (9, 14, -5), or "fields", or "bytes"; ``pause`` (0.05) seconds between
ae_third              AE is the third field
keep_open, close      after the answer
close_without_answer  ``charged``: after (True) or before (False, default) the money moved
paid_then_lost        the same with charged=True
reset                 RST instead of an answer; ``charged`` as above (False)
silence               no answer ever, connection open; ``charged`` as above (False)
garbage, truncated,   PAID, but the answer is no frame, stops inside AE and closes, is ``size`` bytes long
oversize              (200000), has tags nobody knows, has other bytes before CZ, has line feeds in values
unknown_tags, junk,
lf_in_values
other_till,           PAID as asked, but the answer has another CA, CE, CB (``amount``, or 10.00 more) or CF
other_currency,
other_amount,
other_private
odd_status, no_status PAID, but AE is 42, or missing
====================  ================================================================================

More options for all: ``delay`` (seconds until the customer is done; None = the terminal's), ``reason`` (AF),
``card``, ``charged`` (overrules whether money moves), ``close`` (after the answer), ``late``, ``cuts``,
``pause``, ``twist`` (any of the wrong answers above) and ``actions`` (the CDs it is for: "012"; "3" or "I" to
break inquiry or identification). They may be combined: ``script("declined", cuts="fields", ae_third=True)``.

Magic amounts (minor units; debits and credits without a queued script)
-----------------------------------------------------------------------
======  ==========================================
90001   declined
90002   red button
90003   no card presented (AF 08)
90004   partial approval: half of it
90005   paid, then the link is lost
90006   silence, nothing taken
======  ==========================================

The program
-----------
Terminal 1 listens on ``--port`` (0 = a free one), the others on free ports (``--consecutive``: on the next
ports). The control API is always on, on ``--control-port`` or a free port. The first line of output says that
all are ready: ``{"terminals": [8888, 40001, 40002], "control": 40003}``.

Control API on 127.0.0.1, terminals counted from 1, bodies are JSON objects:
``POST /terminals/<n>/script`` and ``/default`` ``{"name": ..., options}``, ``/press`` ``{"button": "red"}``,
``/unplug`` ``{"how": "refuse"}``, ``/plug``, ``/configure`` ``{settings}``; ``POST /reset``; ``GET /state``.
``GET /`` is a page with the keys of each terminal, for a person (English or French, ``?lang=``).
"""

import argparse
import base64
import contextlib
import dataclasses
import html
import ipaddress
import json
import logging
import random
import re
import signal
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import parse_qs, urlsplit

_logger = logging.getLogger(__name__)

VERSION = "0301"  # Ingenico's answer to any CZ
IDENTIFIER = "330538600404"  # Ingenico's own CJ
CONTRACT = "1234567"
MAX_REQUEST = 8192  # bytes of a request that are read at all
MAX_PRIVATE = 32  # characters of CF that come back
KEPT_FRAMES = 10_000
OTHER_PRIVATE = "1010000000"

# --- Frames ---------------------------------------------------------------------------------------


def encode(fields):
    """Bytes of [(tag, value), ...], in order; values are Latin-1 text."""
    return b"".join(f"{tag}{len(value):03d}{value}".encode("latin-1") for tag, value in fields)


def parse(data):
    """([(tag, value), ...], state) of a request's bytes; state: "whole", "partial" or "bad".

    "whole" only means that it ends where a field ends. A request is read by a machine that knows no mercy: an
    empty value, a tag that is not two capitals or anything but CZ in front is bad.
    """
    text, fields, at = data.decode("latin-1"), [], 0
    while text[at:].strip("\r\n"):
        header = re.match(r"([A-Z]{2})(\d{3})", text[at : at + 5], re.ASCII)
        if not header:
            state = "partial" if _starts_a_header(text[at : at + 5]) else "bad"
            return fields, state
        tag, length = header[1], int(header[2])
        if not length or not (fields or tag == "CZ"):
            return fields, "bad"
        value = text[at + 5 : at + 5 + length]
        if len(value) < length:
            return fields, "partial"
        fields.append((tag, value))
        at += 5 + length
    return fields, "whole"


def _starts_a_header(text):
    return bool(re.fullmatch(r"[A-Z]{0,2}|[A-Z]{2}\d{0,2}", text, re.ASCII))


# --- Requests -------------------------------------------------------------------------------------

FORMATS = {  # every tag that a till may send; BF is missing on purpose: newer terminals refuse it
    "CZ": r"03\d\d",
    "CJ": r"\d{12}",
    "CA": r"\d{1,2}",
    "CB": r"\d{2,12}",
    "CC": r"[0-9A-Z]{3}",
    "CD": r"[0-9A-Z]",
    "CE": r"\d{3}",
    "CF": r"[ -~]+",
    "CH": r"[ -~]{1,99}",
    "CK": r"[01][012][01]",
    "BA": r"[01]",
    "BB": r"[01]",
    "BH": r"\+?\d{8,20}",
    "BI": r"[ -~]{6,256}",
    "IM": r"[ -~]+",
    "OD": r"[ -~]{1,900}",
}
APPLICATIONS = frozenset(
    "000 001 00B 002 00D 003 004 005 006 007 008 009 00A 00C 00E 10E 00F 30F 00G 00I 00S 00U 00V 101 201 301"
    " 401 501 601 602 603 604 605 607 608 609 701".split()
)
MONEY = "012"  # debit, credit, reversal
KINDS = {"0": "debit", "1": "credit", "2": "reversal"}


@dataclass(frozen=True)
class Request:
    """What a till asked. fields: {tag: value}; refusal: AF when the terminal does not even begin."""

    fields: dict
    refusal: str | None = None

    def get(self, tag, default=None):
        """The value of a tag."""
        return self.fields.get(tag, default)

    @property
    def action(self):
        """CD."""
        return self.get("CD", "")

    @property
    def amount(self):
        """CB in minor units."""
        return int(self.get("CB", "0"))

    @property
    def is_cheque(self):
        """A cheque is asked for."""
        return self.get("CC") == "00C"


def examine(data, settings):
    """The Request in some bytes, with its refusal."""
    fields, state = parse(data)
    values = dict(fields)
    wrong = state != "whole" or len(values) != len(fields) or not _well_formed(values, settings)
    return Request(values, "09" if wrong else _refusal(values, settings))


def _well_formed(values, settings):
    for tag, value in values.items():
        pattern = FORMATS.get(tag)
        if pattern and not re.fullmatch(pattern, value, re.ASCII):
            return False
        if not pattern and (settings.strict_tags or tag == "BF"):
            return False
    return {"CZ", "CJ", "CA", "CD"} <= values.keys()


def _refusal(values, settings):
    """AF of a well-formed request that cannot be done, or None."""
    action = values["CD"]
    if action not in settings.actions:
        return "12"
    if action not in MONEY:
        return None
    if "CE" not in values or not int(values.get("CB", "0")):
        return "09"
    if values["CE"] not in settings.currencies:
        return "13"
    return "10" if values.get("CC", "000") not in APPLICATIONS else None


# --- Settings and scripts -------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """How a terminal is, whatever its scripts say.

    delay: seconds a customer needs; busy: "answer" (AE 01 at once), "refuse" (the connection) or "silent"
    (accepted, no answer until free, then served); busy_reason: AF of the first; close: hang up after an
    answer; duplicate_supported, reversal_supported: CD=3, CD=2 known (else AF 12); echoes: what CD=3 answers
    for CB, CD and CE is what the question said (PayXpert, akretion); currencies: CE codes;
    magic: heed magic amounts; strict_tags: AF 09 for a tag nobody knows; quiet, patience: seconds, see the
    module.
    """

    delay: float = 0.0
    busy: str = "answer"
    busy_reason: str = "00"
    close: bool = False
    duplicate_supported: bool = True
    reversal_supported: bool = True
    echoes: bool = False
    currencies: tuple = ("978", "840", "756", "953")
    magic: bool = True
    strict_tags: bool = True
    quiet: float = 0.02
    patience: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "currencies", tuple(self.currencies))
        if self.busy not in ("answer", "refuse", "silent"):
            raise ValueError("busy must be 'answer', 'refuse' or 'silent'")
        if min(self.delay, self.quiet, self.patience) < 0:
            raise ValueError("seconds must not be negative")

    @property
    def actions(self):
        """The CDs it knows."""
        return "01I" + "2" * self.reversal_supported + "3" * self.duplicate_supported


@dataclass(frozen=True)
class Script:
    """The course of one request; see the module for names and options. Amounts are minor units."""

    name: str = "paid"
    actions: str = MONEY
    delay: float | None = None
    wait: bool = False
    after: float | None = None
    button: str = "green"
    late: float = 0.0
    reason: str | None = None
    af: str | None = None
    extended: str | None = None
    card: str = "contact"
    amount: int | None = None
    partial: bool = False
    digits: int = 0
    ck: str | None = None
    charged: bool | None = None
    accepted: bool = False
    follows: str = "never"
    ending: str = "answer"
    ae_third: bool = False
    twist: str | None = None
    size: int = 200_000
    cuts: tuple | str = ()
    pause: float = 0.05
    close: bool | None = None

    def __post_init__(self):
        if isinstance(self.cuts, list):
            object.__setattr__(self, "cuts", tuple(self.cuts))
        checks = {
            "card": self.card in CARD_FIELDS,
            "button": self.button in BUTTONS,
            "follows": self.follows in ("never", "later", "together"),
            "ending": self.ending in ("answer", "silence", "close", "reset"),
            "twist": self.twist in (None, *FIELD_TWISTS, *BYTE_TWISTS),
            "reason": self.reason is None or re.fullmatch(r"\d\d", self.reason),
            "cuts": self.cuts in ("fields", "bytes") or all(isinstance(cut, int) for cut in self.cuts),
            "amount": self.amount is None or (isinstance(self.amount, int) and self.amount > 0),
            "ck": self.ck is None or re.fullmatch(FORMATS["CK"], self.ck),
            "extended": self.extended is None or isinstance(self.extended, str),
            "actions": set(self.actions) <= {*MONEY, "3", "I"},
            "seconds": min(self.delay or 0, self.after or 0, self.late, self.pause) >= 0,
        }
        for what, good in checks.items():
            if not good:
                raise ValueError(f"script {self.name}: bad {what}")


BUTTONS = ("red", "green")
AT_ONCE = ("09", "10", "12", "13")  # nothing was begun: no customer, no last transaction
_REASONS = {
    "unknown_reason": "00",
    "referral": "02",
    "declined": "04",
    "forbidden": "05",
    "abandon": "06",
    "not_completed": "07",
    "timeout": "08",
    "format": "09",
    "app": "10",
    "red": "11",
    "action": "12",
    "currency": "13",
}
PRESETS = {
    "paid": {},
    "contactless": {"card": "contactless"},
    "offline": {"card": "offline"},
    "cheque": {"card": "cheque"},
    "padded": {"digits": 12},
    "partial": {"partial": True},
    "paid_af01": {"af": "01"},
    "receipts": {"ck": "120"},
    **{name: {"reason": reason} for name, reason in _REASONS.items()},
    "wait_customer": {"wait": True},
    "late": {"late": 1.0},
    "accepted_11": {"accepted": True},
    "split": {"cuts": (9, 14, -5)},
    "ae_third": {"ae_third": True},
    "keep_open": {"close": False},
    "close": {"close": True},
    "close_without_answer": {"ending": "close", "charged": False},
    "paid_then_lost": {"ending": "close", "charged": True},
    "reset": {"ending": "reset", "charged": False},
    "silence": {"ending": "silence", "charged": False},
    "truncated": {"twist": "truncated", "close": True},
    "lf_in_values": {"twist": "lf_in_values", "ck": "100"},
    **{name: {"twist": name} for name in ("garbage", "oversize", "unknown_tags", "junk")},
    **{f"other_{what}": {"twist": f"other_{what}"} for what in ("till", "currency", "amount", "private")},
    **{name: {"twist": name} for name in ("odd_status", "no_status")},
}
ALIASES = {"approved": "paid", "approve": "paid", "decline": "declined", "contact": "paid"}


def make_script(name, **options):
    """A Script by its name; ValueError for a name or an option that does not exist."""
    name = ALIASES.get(name, name)
    if name not in PRESETS:
        raise ValueError(f"unknown script {name!r}; known: {', '.join(PRESETS)}")
    try:
        return Script(name=name, **{**PRESETS[name], **options})
    except TypeError as error:
        raise ValueError(f"script {name}: {error}") from error


# --- Answers --------------------------------------------------------------------------------------

CARDS = (  # masked number, application id; numbers are public test numbers
    ("497010######1234", "A0000000421010"),
    ("411111######1111", "A0000000031010"),
    ("555555######4444", "A0000000041010"),
)
CHEQUE = [("AD", "D0416926D031017807908F011519431044B"), ("AG", "0935"), ("AH", "123456")]


@dataclass(frozen=True)
class Charge:
    """Money that moved. kind: debit, credit or reversal; amount: minor units, positive; time: epoch seconds.

    currency: CE; till: CA; private: CF; authorisation: AC, None when offline or a cheque; application: CC.
    """

    number: int
    kind: str
    amount: int
    currency: str
    till: str
    private: str | None
    authorisation: str | None
    card: str
    application: str
    time: float


def _card_fields(read_mode):
    def fields(charge):
        number, application_id = CARDS[charge.number % len(CARDS)]
        return [("CI", read_mode), ("AA", number), ("AL", "1"), ("AB", "3112"), ("AI", application_id)]

    return fields


CARD_FIELDS = {  # kind of card -> function of a Charge
    "contact": _card_fields("1"),
    "contactless": _card_fields("2"),
    "offline": _card_fields("1"),
    "cheque": lambda _charge: CHEQUE,
}
USUAL_APPLICATION = {"contact": "001", "contactless": "00B", "offline": "001", "cheque": "00C"}


def _present(pairs):
    return [(tag, value) for tag, value in pairs if value]


def _head(request):
    return [("CZ", VERSION), ("CJ", IDENTIFIER), *_present([("CA", request.get("CA"))])]


def paid_answer(request, charge, script):
    """AE 10 for a charge; request may be another one than the charge's (CD=3)."""
    private = (charge.private or "")[:MAX_PRIVATE]
    fields = [
        *_head(request),
        ("CB", str(charge.amount).zfill(max(2, script.digits))),
        ("CC", charge.application),
        ("CD", request.action),
        ("CE", charge.currency),
        *CARD_FIELDS[charge.card](charge),
        *_present([("AC", charge.authorisation), ("CF", private)]),
        ("CG", CONTRACT),
        ("AE", "10"),
        *_present([("AF", script.af)]),
    ]
    return fields + receipts(script.ck or request.get("CK", "000"), charge)


def refused_answer(request, reason, script=None):
    """AE 01 with AF (None: without), and what can be read of the request."""
    # An abandoned payment has no amount any more: seen on Ingenico, and a trap for tills.
    echoed = ("CA", "CD", "CE") if reason in ("06", "11") else ("CA", "CB", "CD", "CE")
    fields = [("CZ", VERSION), ("CJ", IDENTIFIER), ("AE", "01")]
    if reason:
        code = script.extended if script else None
        fields.append(("AF", extended_reason(reason, code) if code else reason))
    return fields + _present([(tag, request.get(tag)) for tag in echoed])


def extended_reason(reason, code):
    """AF of 29 characters: reason, field 39, field 44-BC, two fields that are unknown."""
    return f"{reason}{code:<2.2}{'8HOLDER INVALID':<21}{'':4}"


def echoed_answer(request, fields):
    """The answer to CD=3 of a terminal that takes the decisive fields from the question."""
    told = [field for field in fields if field[0] not in ("CB", "CD", "CE")]
    repeated = _present([(tag, request.get(tag)) for tag in ("CB", "CD", "CE")])
    return [*told[:3], *repeated, *told[3:]]


def identity_answer(request, reason=None):
    """The answer to CD=I, byte for byte what an Ingenico said; reason: AF beside it (akretion: 09)."""
    return [*_head(request), ("CD", "I"), ("AE", "10"), *_present([("AF", reason)])]


def accepted_answer(request):
    """AE 11: taken into account."""
    echoed = [(tag, request.get(tag)) for tag in ("CE", "BA", "CD", "CB")]
    return [*_head(request), *_present(echoed), ("AE", "11")]


def receipts(ck, charge):
    """ZT fields for a CK: none, one, or two (customer, merchant)."""
    if ck[0] != "1":
        return []
    copies = {"0": "0", "1": "1", "2": "01"}[ck[1]]
    return [("ZT", _receipt(f"1{copy}{ck[2]}", charge)) for copy in copies]


def _receipt(ck, charge):
    copy = "TICKET CLIENT" if ck[1] == "0" else "TICKET COMMERÇANT"
    authorisation = charge.authorisation or "-"
    lines = ["CARTE BANCAIRE", charge.kind.upper(), f"CONTRAT {CONTRACT}", f"AUTORISATION {authorisation}"]
    lines += [f"MONTANT RÉEL {charge.amount} ({charge.currency})", copy, "A CONSERVER"]
    lines += ["BOULANGERIE DU MARCHÉ", "12 RUE DE LA RÉPUBLIQUE", "69001 LYON", "SIRET 000 000 000 00000"]
    lines += [f"NO {charge.number:06d}  C @ 005 001 000010", "MERCI ET À BIENTÔT !"]
    text = "".join(f"<p>{line}</p>" for line in lines) if ck[2] == "1" else "\n".join(lines) + "\n"
    # encodebytes: a line feed after 76 characters and at the end, as Android terminals do.
    encoded = base64.encodebytes(text.encode("latin-1")).decode("ascii")
    return encode([("CK", ck), ("AK", encoded)]).decode("latin-1")


# --- Wrong answers --------------------------------------------------------------------------------


def _replace(tag, value):
    def change(fields, script):
        new = value(dict(fields).get(tag, ""), script) if callable(value) else value
        return [(name, new if name == tag else old) for name, old in fields]

    return change


def _higher(old, script):
    return str(int(old or 0) + 1000 if script.amount is None else script.amount)


def _other_private(fields, _script):
    return [*(field for field in fields if field[0] != "CF"), ("CF", OTHER_PRIVATE)]


def _unknown_tags(fields, _script):
    return [*fields[:2], ("ZZ", "who knows"), *fields[2:-1], ("XQ", "CZ0040300AE00201"), fields[-1]]


def _line_feeds(fields, _script):
    return [(tag, value + "\n" if tag in ("CG", "AI", "CF") else value) for tag, value in fields]


def _filled(fields, script):
    filler = [("ZZ", "x" * 999)] * -(-script.size // 1004)
    return [*fields[:2], *filler, *fields[2:]]


FIELD_TWISTS = {  # name -> function(fields, script)
    "other_till": _replace("CA", lambda old, _script: "98" if old.zfill(2) == "99" else "99"),
    "other_currency": _replace("CE", lambda old, _script: "978" if old == "840" else "840"),
    "other_amount": _replace("CB", _higher),
    "other_private": _other_private,
    "unknown_tags": _unknown_tags,
    "lf_in_values": _line_feeds,
    "oversize": _filled,
    "odd_status": _replace("AE", "42"),
    "no_status": lambda fields, _script: [field for field in fields if field[0] != "AE"],
}
BYTE_TWISTS = {  # name -> function(bytes of the answer)
    "garbage": lambda _data: b"HTTP/1.1 400 Bad Request\r\n\r\n\xff\x00\x02",
    "truncated": lambda data: data[: data.rindex(b"AE002") + 6],
    "junk": lambda data: b"\x06\r\nC " + data,
}


def wire(fields, script):
    """The pieces of an answer, in the order they are sent."""
    if script.ae_third:
        status = [field for field in fields if field[0] == "AE"]
        others = [field for field in fields if field[0] != "AE"]
        fields = [*others[:2], *status, *others[2:]]
    fields = FIELD_TWISTS.get(script.twist, lambda same, _script: same)(fields, script)
    data = BYTE_TWISTS.get(script.twist, lambda same: same)(encode(fields))
    return _pieces(data, _cuts(script.cuts, fields, len(data)))


def _cuts(cuts, fields, size):
    if cuts == "bytes":
        return range(1, size)
    if cuts == "fields":
        return [len(encode(fields[:count])) for count in range(1, len(fields))]
    return sorted(cut % size for cut in cuts)


def _pieces(data, cuts):
    edges = [0, *cuts, len(data)]
    return [data[start:end] for start, end in zip(edges, edges[1:], strict=False) if start < end]


# --- A connection ---------------------------------------------------------------------------------


class Hangup(Exception):
    """The simulator stops or is reset: whatever happens on a terminal ends here."""


class Connection:
    """A till's socket. muted: the cable is out, nothing passes in either direction."""

    def __init__(self, sock, number):
        self.sock, self.number, self.muted, self._torn = sock, number, False, False
        # Pieces of a split answer must travel alone.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, settings):
        """The bytes of the next request, b"" when the till has hung up without one."""
        data = b""
        while len(data) <= MAX_REQUEST:
            try:
                self.sock.settimeout(_patience(data, settings))
                chunk = self.sock.recv(4096)
            except OSError:
                break  # enough (TimeoutError), or reset by the till: what has come counts all the same
            if not chunk:
                break
            data += chunk
        return data

    def send(self, data):
        """Send it; False when nobody is there."""
        if self.muted:
            return False
        try:
            self.sock.settimeout(5)
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def close(self):
        """Hang up: FIN, unless it is being reset."""
        if not self._torn:
            self.wake()
        self.sock.close()

    def reset(self):
        """Hang up: RST. Any thread may call it: a reader wakes up."""
        self._torn = True  # first: the reader that wakes up would send a FIN before our RST
        with contextlib.suppress(OSError):  # gone already
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.shutdown(socket.SHUT_RD)
        self.sock.close()

    def wake(self):
        """End the reading of another thread, which then closes."""
        with contextlib.suppress(OSError):  # gone already
            self.sock.shutdown(socket.SHUT_RDWR)


def _patience(data, settings):
    """Seconds to wait for more, None = for ever."""
    if not data:
        return None
    fields, state = parse(data)
    unfinished = state == "partial" or (state == "whole" and "CD" not in dict(fields))
    return settings.patience if unfinished else settings.quiet


# --- The door of a terminal: its port -------------------------------------------------------------


class Door:
    """The listening socket of a terminal, which can be opened and shut without losing its port."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self._keeper = self._listener = None
        self._fillers = []

    def claim(self):
        """Take the port for good; OSError when another program has it."""
        listener = socket.create_server((self.host, self.port), backlog=128)
        self.port = listener.getsockname()[1]
        listener.close()
        # Bound but not listening: connections are refused, yet nobody else is given this port.
        self._keeper = self._bound()

    def _bound(self):
        sock = socket.socket()
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.host, self.port))
        except OSError:
            sock.close()
            raise
        return sock

    @property
    def is_open(self):
        """Somebody listens (awake or asleep)."""
        return self._listener is not None

    def listens_with(self, listener):
        """True while this is the listening socket."""
        return self._listener is listener

    def open(self):
        """Listen. Returns the socket to accept from."""
        self._listener = self._bound()
        self._listener.listen(128)
        self._listener.settimeout(0.25)  # where shutting does not wake a waiting accept, this does
        return self._listener

    def sleep(self):
        """Let every new connection wait for ever: a queue of one, which is full."""
        self._listener = self._bound()
        self._listener.listen(0)
        for _attempt in range(8):
            filler = socket.socket()
            filler.settimeout(0.1)
            self._fillers.append(filler)
            try:
                filler.connect((self.host, self.port))
            except OSError:
                return

    def shut(self):
        """Refuse connections, at once: those that wait in the queue are reset."""
        for sock in (self._listener, *self._fillers):
            if sock:
                with contextlib.suppress(OSError):  # some systems cannot shut a listening socket down
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
        self._listener, self._fillers = None, []

    def leave(self):
        """Give the port back."""
        self.shut()
        if self._keeper:
            self._keeper.close()
            self._keeper = None


# --- Books ----------------------------------------------------------------------------------------


class Books:
    """What moved on one terminal, and its last transaction. The terminal's lock is held by the caller."""

    def __init__(self, chance):
        self.first = chance.randrange(100_000, 900_000)
        self.count = 0  # survives a reset: an authorisation number never comes twice
        self.clear()

    def clear(self):
        """Forget all."""
        self.charges = []
        self.last = None  # Charge, or None when there is none or it failed
        self.reversed = set()

    def charge(self, request, script, amount):
        """A Charge for a request, not yet booked."""
        card = "cheque" if request.is_cheque else script.card
        asked = request.get("CC", "000")
        self.count += 1
        return Charge(
            number=self.count,
            kind=KINDS[request.action],
            amount=amount,
            currency=request.get("CE"),
            till=request.get("CA"),
            private=request.get("CF"),
            authorisation=None
            if card in ("offline", "cheque")
            else f"{(self.first + self.count) % 1_000_000:06d}",
            card=card,
            application=USUAL_APPLICATION[card] if asked == "000" else asked,
            time=time.time(),
        )

    def to_reverse(self, request):
        """The last debit that is not reversed, if it is the one that CD=2 means; else None."""
        debits = [item for item in self.charges if item.kind == "debit" and item.number not in self.reversed]
        if debits and (debits[-1].amount, debits[-1].currency) == (request.amount, request.get("CE")):
            return debits[-1]
        return None

    def book(self, charge, original=None):
        """Money moves."""
        self.charges.append(charge)
        if original:
            self.reversed.add(original.number)

    def net(self):
        """{currency: minor units taken less given back}"""
        totals = {}
        for charge in self.charges:
            signed = charge.amount if charge.kind == "debit" else -charge.amount
            totals[charge.currency] = totals.get(charge.currency, 0) + signed
        return totals


MAGIC = {  # minor amount -> (script, what people read)
    90001: (make_script("declined"), "declined"),
    90002: (make_script("red"), "red button"),
    90003: (make_script("timeout"), "no card presented (AF 08)"),
    90004: (make_script("partial"), "partial approval: half of it"),
    90005: (make_script("paid_then_lost"), "paid, then the link is lost"),
    90006: (make_script("silence"), "silence, nothing taken"),
}


# --- A terminal -----------------------------------------------------------------------------------


class Terminal:
    """One payment terminal: a port, a customer, books. Thread-safe; made by Simulator.

    port: known once started; frames: [{"direction": "in" or "out", "raw": bytes, "time": monotonic seconds,
    "epoch": seconds, "connection": number, "sent": bool}], the last 10000 (an answer that is split is one
    frame); waiting: a customer is asked for a card.
    """

    def __init__(self, number, host, port, settings, default, chance):
        self.number, self._door = number, Door(host, port)
        self._initial = (settings, default)
        self._changed = threading.Condition(threading.RLock())
        self._books = Books(chance)
        self._connections, self._threads = set(), []
        self._opened, self._generation = 0, 0
        self._running = False
        self._forget()

    def _forget(self):
        self.settings, self._default = self._initial
        self._queue = []
        self._books.clear()
        self._frames, self._answers = [], []
        self._plugged, self._pressed = "in", None
        self.waiting = self._busy = False

    # life

    def start(self):
        """Listen; OSError when the port is taken."""
        with self._changed:
            self._door.claim()
            self._running, self._busy = True, False
            self._listen()

    def stop(self):
        """Hang up everywhere; ``join`` waits for the end."""
        with self._changed:
            self._running = False
            self._door.leave()
            self._cut()

    def join(self):
        """Wait for the threads of a stopped terminal."""
        for thread in self._threads:
            thread.join(2)
        self._threads = []

    def reset(self):
        """As on the first day: no books, scripts, frames, connections; plugged in, settings as made."""
        with self._changed:
            self._cut()
            self._door.shut()
            self._forget()
            self._listen()

    def _cut(self):
        self._generation += 1
        for connection in self._connections:
            connection.wake()
        self._changed.notify_all()

    def _listen(self):
        """Open the door if it should be open; the lock is held."""
        if self._running and self._plugged == "in" and not self._door.is_open:
            self._spawn(self._accept, self._door.open())

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True, name=f"caisse-ap-{self.number}")
        self._threads = [*(other for other in self._threads if other.is_alive()), thread]
        thread.start()

    def _accept(self, listener):
        while self._door.listens_with(listener):
            try:
                sock, _address = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # the door was shut
            self._welcome(sock, listener)

    def _welcome(self, sock, listener):
        with self._changed:
            self._opened += 1
            connection = Connection(sock, self._opened)
            if not self._door.listens_with(listener):  # shut between accept and here
                connection.reset()
                return
            self._connections.add(connection)
            self._spawn(self._serve, connection, self._generation)

    # steering

    @property
    def port(self):
        """The TCP port."""
        return self._door.port

    @property
    def busy(self):
        """A request is being carried out."""
        return self._busy

    @property
    def frames(self):
        """What came and went, see the class."""
        with self._changed:
            return [dict(frame) for frame in self._frames]

    @property
    def answered_at(self):
        """Epoch seconds of the last byte of each answer that somebody was there to take."""
        with self._changed:
            return [frame["epoch"] for frame in self._answers if frame["sent"]]

    def script(self, name, **options):
        """Queue what becomes of the next request of its ``actions``."""
        script = make_script(name, **options)
        with self._changed:
            self._queue.append(script)

    def default(self, name, **options):
        """What becomes of requests without a queued script or a magic amount."""
        script = make_script(name, **options)
        with self._changed:
            self._default = script

    def configure(self, **changes):
        """Change Settings; ValueError for one that does not exist."""
        with self._changed:
            try:
                self.settings = dataclasses.replace(self.settings, **changes)
            except TypeError as error:
                raise ValueError(str(error)) from error

    def press(self, button):
        """A person presses "red" or "green". False when nobody is asked for a card: then it does nothing."""
        if button not in BUTTONS:
            raise ValueError("button must be 'red' or 'green'")
        with self._changed:
            if not self.waiting:
                return False
            self._pressed = button
            self._changed.notify_all()
            return True

    def unplug(self, how="refuse"):
        """Lose the network; the payment under way goes on, its answer is lost.

        how: "refuse" = connections are reset and refused; "sleep" = connections stay silent and new ones are
        not even answered (the till's connect times out).
        """
        if how not in ("refuse", "sleep"):
            raise ValueError("how must be 'refuse' or 'sleep'")
        with self._changed:
            self._plugged = how
            self._door.shut()
            for connection in tuple(self._connections):
                connection.muted = True
                if how == "refuse":
                    connection.reset()
            if how == "sleep" and self._running:
                self._door.sleep()

    def plug(self):
        """The network is back; connections of before are reset."""
        with self._changed:
            self._plugged = "in"
            for connection in tuple(self._connections):
                if connection.muted:
                    connection.reset()
            self._door.shut()
            if not (self._busy and self.settings.busy == "refuse"):
                self._listen()

    # books

    def _of_kind(self, kind):
        with self._changed:
            return [charge for charge in self._books.charges if charge.kind == kind]

    @property
    def debits(self):
        """All debits that happened, as Charge."""
        return self._of_kind("debit")

    @property
    def credits(self):
        """All credits that happened, as Charge."""
        return self._of_kind("credit")

    @property
    def reversals(self):
        """All reversals of debits that happened, as Charge."""
        return self._of_kind("reversal")

    @property
    def last(self):
        """The last transaction as Charge, None when there is none or it failed."""
        return self._books.last

    @property
    def books(self):
        """{currency (CE): minor units taken less given back}"""
        with self._changed:
            return self._books.net()

    def count_debits(self, private=None):
        """How many debits, of any or of one CF."""
        return sum(private in (None, charge.private) for charge in self.debits)

    def state(self):
        """All of it as a JSON document; frames as Latin-1 text."""
        with self._changed:
            kinds = {"debits": self.debits, "credits": self.credits, "reversals": self.reversals}
            return {
                "number": self.number,
                "port": self.port,
                "busy": self._busy,
                "waiting": self.waiting,
                "plugged": self._plugged == "in",
                "last": self.last and dataclasses.asdict(self.last),
                **{name: [dataclasses.asdict(charge) for charge in kinds[name]] for name in kinds},
                "books": self.books,
                "queue": [script.name for script in self._queue],
                "frames": [{**frame, "raw": frame["raw"].decode("latin-1")} for frame in self._frames],
                "answered_at": self.answered_at,
            }

    # one connection

    def _serve(self, connection, generation):
        """Requests of one till, one after the other, in a thread of its own."""
        try:
            while data := connection.read(self.settings):
                if connection.muted:
                    continue
                self._note(connection, "in", data)
                if not self._handle(connection, data, generation):
                    break
        except Hangup:
            _logger.debug("terminal %s: dialogue ended by stop or reset", self.number)
        finally:
            connection.close()
            with self._changed:
                self._connections.discard(connection)

    def _note(self, connection, direction, data):
        # a test's log is one of Odoo's, and a terminal may send a whole card number
        _logger.debug("terminal %s #%s %s %r", self.number, connection.number, direction, data[:2000])
        frame = {"direction": direction, "raw": data, "connection": connection.number, "sent": True}
        frame.update(time=time.monotonic(), epoch=time.time())
        with self._changed:
            self._frames.append(frame)
            del self._frames[:-KEPT_FRAMES]
        return frame

    def _handle(self, connection, data, generation):
        """Answer one request. True when the connection stays open."""
        request = examine(data, self.settings)
        if request.refusal:
            return self._answer(connection, refused_answer(request, request.refusal))
        mode = self.settings.busy
        if not self._take(mode, generation):
            if mode == "refuse":
                connection.reset()  # it came in before the door was shut
                return False
            return self._answer(connection, refused_answer(request, self.settings.busy_reason))
        try:
            script = self._choose(request)
            accepted = script.accepted or (request.get("BA") == "1" and request.action in MONEY)
            first = accepted_answer(request) if accepted else []
            if accepted and script.follows != "together":
                stays, first = self._answer(connection, first, script), []
                if not stays:
                    connection.close()
            fields = self._carry_out(request, script, generation)
        finally:
            self._release(generation)
        if accepted and script.follows == "never":
            return stays
        return self._answer(connection, first + fields, script)

    def _take(self, mode, generation):
        """Begin a dialogue; False when another one is under way."""
        with self._changed:
            if mode == "silent":
                self._changed.wait_for(lambda: not self._busy or self._is_over(generation))
            if self._is_over(generation):
                raise Hangup
            if self._busy:
                return False
            if mode == "refuse" and self._plugged == "in":
                self._door.shut()
            self._busy = True
            return True

    def _release(self, generation):
        with self._changed:
            if self._is_over(generation):
                return  # what is busy now is not ours
            self._busy = False
            self._listen()
            self._changed.notify_all()

    def _is_over(self, generation):
        return not self._running or generation != self._generation

    def _choose(self, request):
        with self._changed:
            for position, script in enumerate(self._queue):
                if request.action in script.actions:
                    return self._queue.pop(position)
            if self.settings.magic and request.action in "01" and request.amount in MAGIC:
                return MAGIC[request.amount][0]
            return self._default if request.action in self._default.actions else Script()

    # one request

    def _carry_out(self, request, script, generation):
        """Do what a good request asks. Returns the fields of the answer."""
        if request.action in MONEY:
            pressed = self._ask_customer(script, generation)
            reason = self._reason(request, script, pressed)
            fields = self._settle(request, script, reason, generation)
        else:
            self._pause(script.delay or 0, generation)
            fields = self._tell(request, script)
        self._pause(script.late, generation)
        return fields

    def _ask_customer(self, script, generation):
        """Wait for the card. Returns the button that was pressed, or None."""
        usual = self.settings.delay if script.delay is None else script.delay
        seconds = script.after if script.wait else usual
        if script.reason in AT_ONCE:
            return None
        with self._changed:
            self._pressed, self.waiting = None, True
            try:
                self._changed.wait_for(lambda: self._pressed or self._is_over(generation), seconds)
            finally:
                self.waiting = False
            if self._is_over(generation):
                raise Hangup
            return self._pressed or (script.button if script.wait else None)

    @staticmethod
    def _reason(request, script, pressed):
        reason = "11" if pressed == "red" else script.reason
        # Ingenico says 04 whatever goes wrong with a cheque.
        return "04" if request.is_cheque and reason in ("06", "11") else reason

    def _pause(self, seconds, generation):
        with self._changed:
            if self._changed.wait_for(lambda: self._is_over(generation), seconds):
                raise Hangup

    def _settle(self, request, script, reason, generation):
        """Move the money or not, remember the transaction, return the answer."""
        with self._changed:
            if self._is_over(generation):
                raise Hangup
            original = self._books.to_reverse(request) if request.action == "2" else None
            if request.action == "2" and reason is None and original is None:
                reason = "07"
            if reason in AT_ONCE:
                return refused_answer(request, reason, script)
            charge = self._books.charge(request, script, self._authorised(request, script))
            moves = self._moves(request, script, reason, original)
            if moves:
                self._books.book(charge, original)
            self._books.last = charge if moves else None
        if reason is None:
            return paid_answer(request, charge, script)
        slip = receipts(script.ck or request.get("CK", "000"), charge) if reason == "04" else []
        return refused_answer(request, reason, script) + slip

    @staticmethod
    def _moves(request, script, reason, original):
        if request.action == "2" and original is None:
            return False
        # A red button is stronger than a script that takes the money.
        if script.charged is None or reason != script.reason:
            return reason is None
        return script.charged

    @staticmethod
    def _authorised(request, script):
        if not script.partial or request.action == "2":
            return request.amount
        return request.amount // 2 if script.amount is None else script.amount

    def _tell(self, request, script):
        """The answer to CD=I and CD=3."""
        if script.reason:
            return refused_answer(request, script.reason, script)
        if request.action == "I":
            return identity_answer(request, script.af)
        last = self._books.last
        if not last:
            return refused_answer(request, None)
        fields = paid_answer(request, last, script)
        return echoed_answer(request, fields) if self.settings.echoes else fields

    def _answer(self, connection, fields, script=None):
        """Send an answer the way its script says. True when the connection stays open."""
        script = script or Script()
        if script.ending == "silence":
            return True
        if script.ending == "reset":
            connection.reset()
        if script.ending != "answer":
            return False
        self._send(connection, wire(fields, script), script.pause)
        return not (self.settings.close if script.close is None else script.close)

    def _send(self, connection, pieces, pause):
        generation, sent = self._generation, True
        for piece in pieces[:-1]:
            sent = connection.send(piece) and sent
            self._pause(pause, generation)
        # Noted before the last byte, corrected after it: whoever has the answer finds it in the log.
        frame = self._note(connection, "out", b"".join(pieces))
        with self._changed:
            self._answers.append(frame)
            del self._answers[:-KEPT_FRAMES]
        sent = connection.send(pieces[-1]) and sent
        with self._changed:
            frame.update(time=time.monotonic(), epoch=time.time(), sent=sent)


# --- All terminals --------------------------------------------------------------------------------


class Simulator:
    """Some terminals: start and stop them (or ``with``), script them, read their books.

    terminals: how many; port: of the first, 0 = a free one (the others have free ports, or the next ones with
    ``consecutive``); control_port: of the control API, None = no API, 0 = a free port; seed: makes
    authorisation numbers repeatable; script: the default script; settings: see Settings. Stopping keeps books
    and ports, so that a later ``start`` is the same terminals coming back.
    """

    def __init__(
        self,
        terminals=1,
        host="127.0.0.1",
        port=0,
        *,
        consecutive=False,
        control_port=None,
        seed=None,
        script="paid",
        **settings,
    ):
        if terminals < 1:
            raise ValueError("a terminal is needed")
        host, chance = loopback(host), random.Random(seed)
        try:
            known = Settings(**settings)
        except TypeError as error:
            raise ValueError(str(error)) from error
        ports = [port + index if consecutive and port else 0 for index in range(terminals)]
        ports[0] = port
        default = script if isinstance(script, Script) else make_script(script)
        self.host = host
        self.terminals = [
            Terminal(number, host, wanted, known, default, chance) for number, wanted in enumerate(ports, 1)
        ]
        self.control_port, self._control, self._started = control_port, None, False

    def start(self):
        """Listen on all ports; OSError when one is taken. Returns itself."""
        if self._started:
            raise RuntimeError("the simulator runs already")
        self._started = True
        try:
            for terminal in self.terminals:
                terminal.start()
            if self.control_port is not None:
                self._control = Control(self)
                self.control_port = self._control.port
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """Hang up, end all threads, give the ports back: under a second. Twice is fine."""
        if self._control:
            self._control.stop()
            self._control = None
        for terminal in self.terminals:
            terminal.stop()
        for terminal in self.terminals:
            terminal.join()
        self._started = False

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()

    def reset(self):
        """Reset all terminals."""
        for terminal in self.terminals:
            terminal.reset()

    def state(self):
        """``{"terminals": [...]}``, see Terminal.state."""
        return {"terminals": [terminal.state() for terminal in self.terminals]}


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


# --- The control API ------------------------------------------------------------------------------

MAX_BODY = 65536
STEPS = ("script", "default", "press", "unplug", "plug", "configure")  # methods of Terminal


class Control:
    """The HTTP server of the control API, in threads of its own."""

    def __init__(self, simulator):
        self._server = _ControlServer(("127.0.0.1", simulator.control_port), _ControlHandler)
        self._server.simulator, self._server.connections = simulator, set()
        self.port = self._server.server_address[1]
        serve = {"target": self._server.serve_forever, "kwargs": {"poll_interval": 0.05}}
        self._thread = threading.Thread(**serve, daemon=True, name="caisse-ap-control")
        self._thread.start()

    def stop(self):
        """Stop serving and wait for the threads."""
        self._server.shutdown()
        for connection in tuple(self._server.connections):
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()


class _ControlServer(ThreadingHTTPServer):
    daemon_threads = False  # server_close then waits for them

    def server_bind(self):
        # HTTPServer's own asks DNS for a name that nobody needs.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class _ControlHandler(BaseHTTPRequestHandler):
    timeout = 5

    def setup(self):
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self):
        try:
            super().finish()
        finally:
            self.server.connections.discard(self.connection)

    def do_GET(self):
        """State."""
        where = urlsplit(self.path)
        if where.path == "/":
            page = Page(self.server.simulator, self._is_french(where.query)).document()
            self._send(200, page.encode(), "text/html; charset=utf-8")
        elif self.path == "/state":
            self._reply(200, self.server.simulator.state())
        else:
            self._reply(404, {"error": "not found"})

    def do_POST(self):
        """Steering."""
        where = urlsplit(self.path)
        try:
            if where.path == "/":
                self._press(where.query)
            else:
                self._reply(200, self._steer(self._body()))
        except LookupError:
            self._reply(404, {"error": "not found"})
        except (TypeError, ValueError) as error:
            self._reply(400, {"error": str(error)})

    def _is_french(self, query):
        asked = parse_qs(query).get("lang", [""])[0] or self.headers.get("Accept-Language", "")
        return asked.lower().startswith("fr")

    def _press(self, query):
        """What a button of the page does; browsers say where a form comes from."""
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != self.headers.get("Host"):
            raise ValueError("this form is not ours")
        form = parse_qs(self._read().decode("utf-8", "replace"))
        Page(self.server.simulator).press(form.get("action", [""])[0], int(form.get("terminal", ["0"])[0]))
        self.send_response(303)
        self.send_header("Location", f"/?lang={'fr' if self._is_french(query) else 'en'}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _read(self):
        size = int(self.headers.get("Content-Length") or 0)
        if size > MAX_BODY:
            raise ValueError("the body is too long")
        return self.rfile.read(size)

    def _body(self):
        values = json.loads(self._read() or b"{}")
        if not isinstance(values, dict):
            raise ValueError("the body is not a JSON object")
        return values

    def _steer(self, values):
        simulator = self.server.simulator
        if self.path == "/reset":
            simulator.reset()
            return {"done": True}
        match = re.fullmatch(r"/terminals/([1-9]\d{0,3})/(\w+)", self.path, re.ASCII)
        if not match or match[2] not in STEPS:
            raise LookupError(self.path)
        result = getattr(simulator.terminals[int(match[1]) - 1], match[2])(**values)
        return {"done": result is not False}

    def _reply(self, status, document):
        self._send(status, json.dumps(document).encode(), "application/json")

    def _send(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, template, *args):
        _logger.debug(template, *args)


# --- The page -------------------------------------------------------------------------------------

STYLE = (
    "body{font:16px/1.5 sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "section{border:1px solid #999;border-radius:8px;margin:1rem 0;padding:0 1rem 1rem}"
    "form{display:inline-block;margin:.25rem .5rem .25rem 0}button{font:inherit;padding:.4rem .8rem}"
    "table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2rem .6rem;text-align:left}"
    ".red{background:#b00020;color:#fff}.green{background:#0b6b2e;color:#fff}"
)
WORDS = {  # English, French
    "title": ("Caisse-AP terminals (simulator)", "Terminaux Caisse-AP (simulateur)"),
    "small": (
        "For tests and demonstrations: no money moves.",
        "Pour les essais et les démonstrations : rien n'est encaissé.",
    ),
    "terminal": ("Terminal", "Terminal"),
    "idle": ("Nothing is asked.", "Aucune demande."),
    "asks": ("Asks for a card.", "Attend une carte."),
    "works": ("Working.", "Traitement en cours."),
    "off": ("Without network.", "Sans réseau."),
    "green": ("Present a card", "Présenter une carte"),
    "red": ("Red key", "Touche rouge"),
    "declined": ("The next card is refused", "Carte suivante : refusée"),
    "timeout": ("Next time nobody presents a card", "Prochaine fois : personne ne présente de carte"),
    "lost": ("The next payment is taken, its answer lost", "Paiement suivant : encaissé, réponse perdue"),
    "person": ("Cards only by these buttons", "Cartes présentées par ces boutons seulement"),
    "itself": ("Cards by themselves", "Cartes présentées d'elles-mêmes"),
    "unplug": ("Pull the network cable", "Débrancher le réseau"),
    "plug": ("Plug the network in", "Rebrancher le réseau"),
    "reset": ("Forget everything", "Tout oublier"),
    "next": ("What happens next", "Ce qui se passera"),
    "queued": ("waiting for the next request", "en attente de la prochaine demande"),
    "charges": ("Money that moved", "Mouvements d'argent"),
    "kind": ("Kind", "Nature"),
    "amount": ("Amount", "Montant"),
    "private": ("Reference", "Référence"),
    "other": ("Français", "English"),
}
KEYS = {  # button -> what it does at a terminal
    "green": lambda terminal: terminal.press("green"),
    "red": lambda terminal: terminal.press("red"),
    "declined": lambda terminal: terminal.script("declined"),
    "timeout": lambda terminal: terminal.script("timeout"),
    "lost": lambda terminal: terminal.script("paid_then_lost"),
    "person": lambda terminal: terminal.default("wait_customer"),
    "itself": lambda terminal: terminal.default("paid"),
    "unplug": lambda terminal: terminal.unplug(),
    "plug": lambda terminal: terminal.plug(),
}


class Page:
    """One page with the keys of each terminal, in English or French: plain forms and no script."""

    def __init__(self, simulator, french=False):
        self.simulator, self.french = simulator, french

    def press(self, action, number):
        """Do what a button says; LookupError for one that does not exist."""
        if action == "reset":
            self.simulator.reset()
        elif number < 1:
            raise LookupError(number)
        else:
            KEYS[action](self.simulator.terminals[number - 1])

    def document(self):
        """The whole page."""
        title, language = self._word("title"), "fr" if self.french else "en"
        terminals = "".join(self._terminal(each) for each in self.simulator.state()["terminals"])
        return (
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="2">'
            f"<style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{self._word('small')} "
            f'<a href="/?lang={"en" if self.french else "fr"}">{self._word("other")}</a></p>'
            f"{terminals}{self._button('reset', 0)}</main></body></html>"
        )

    def _terminal(self, state):
        number = state["number"]
        mood = "off" if not state["plugged"] else "asks" if state["waiting"] else "idle"
        mood = "works" if mood == "idle" and state["busy"] else mood
        keys = ("green", "red") if state["waiting"] else ()
        switches = ("declined", "timeout", "lost", "person", "itself")
        cable = "unplug" if state["plugged"] else "plug"
        queued = ", ".join(html.escape(name) for name in state["queue"])
        queued = f"<p>{queued}: {self._word('queued')}</p>" if queued else ""
        return (
            f'<section id="terminal-{number}"><h2>{self._word("terminal")} {number} ({state["port"]})</h2>'
            f'<p role="status"><strong>{self._word(mood)}</strong></p>'
            f"{''.join(self._button(key, number) for key in keys)}"
            f"<h3>{self._word('next')}</h3>"
            f"{''.join(self._button(name, number) for name in (*switches, cable))}"
            f"{queued}{self._charges(state)}</section>"
        )

    def _charges(self, state):
        rows = [charge for kind in ("debits", "credits", "reversals") for charge in state[kind]]
        heads = "".join(f"<th>{self._word(name)}</th>" for name in ("kind", "amount", "private"))
        lines = "".join(
            f"<tr><td>{html.escape(row['kind'])}</td><td>{row['amount'] / 100:.2f}</td>"
            f"<td>{html.escape(row['private'] or '')}</td></tr>"
            for row in rows[-20:]
        )
        return f"<h3>{self._word('charges')}</h3><table><tr>{heads}</tr>{lines}</table>" if rows else ""

    def _button(self, action, number):
        language = "fr" if self.french else "en"
        return (
            f'<form method="post" action="/?lang={language}"><input type="hidden" name="terminal" '
            f'value="{number}"><button id="{action}-{number}" class="{action}" name="action" '
            f'value="{action}">{self._word(action)}</button></form>'
        )

    def _word(self, name):
        return html.escape(WORDS[name][self.french])


# --- The program ----------------------------------------------------------------------------------


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description="Simulator of Caisse-AP terminals, loopback only.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="a loopback address (default %(default)s)")
    add("--port", type=int, default=8888, help="of terminal 1, 0 = a free one (default %(default)s)")
    add("--consecutive", action="store_true", help="the others on the next ports, not on free ones")
    add("--terminals", type=int, default=3, help="how many (default %(default)s)")
    add("--script", default="paid", help="what becomes of payments (default %(default)s)")
    add("--delay", type=float, default=3.0, help="seconds a customer needs (default %(default)s)")
    add("--control-port", type=int, default=0, help="of the control API (default: a free one)")
    add("--busy", default="answer", choices=("answer", "refuse", "silent"), help="see Settings")
    add("--seed", type=int, help="repeatable authorisation numbers")
    add("--no-magic", action="store_true", help="no magic amounts")
    add("--log", action="store_true", help="all frames on the error output")
    return parser


def prepare(options):
    """A Simulator for parsed options, not started; ValueError for a bad one."""
    return Simulator(
        options.terminals,
        options.host,
        options.port,
        consecutive=options.consecutive,
        control_port=options.control_port,
        seed=options.seed,
        script=options.script,
        delay=options.delay,
        busy=options.busy,
        magic=not options.no_magic,
    )


def main(argv=None):
    """Run until SIGTERM or Ctrl-C; exit code 0, or 2 when it cannot start."""
    parser = build_parser()
    options = parser.parse_args(argv)
    if options.log:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        _logger.setLevel(logging.DEBUG)
    enough = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: enough.set())
    try:
        simulator = prepare(options).start()
    except (OSError, OverflowError, ValueError) as error:
        parser.error(str(error))
    ports = {"terminals": [item.port for item in simulator.terminals], "control": simulator.control_port}
    sys.stdout.write(json.dumps(ports) + "\n")
    for amount, (_script, text) in MAGIC.items():
        sys.stdout.write(f"magic amount {amount // 100}.{amount % 100:02d}  {text}\n")
    sys.stdout.flush()
    enough.wait()
    simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
