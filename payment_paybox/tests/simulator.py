# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""A payment page and a PPPS server to test against: French pages a person can click, real books, every fault.

    python simulator.py --host 127.0.0.1 --port 8787

    with Simulator() as sim:                             # the same inside a test; free ports
        visit = sim.open(fields)                         # what a browser does with the form
        sim.attempt(visit, "51")                         # refused: insufficient funds
        sim.attempt(visit, "ok")
        ...
        assert sim.count_charges("INV/2026/00042-1") == 1

What it imitates
----------------
The behaviour of protocols/paybox.md, section 8.2. The form is checked as strictly as the platform does (HMAC
over the received order, formats, absolute addresses, XML) and a bad one gets a French error page. A visit has
up to three attempts; each sends a notification (GET, or POST if PBX_RUF1 says so) and, at its end, the
browser back, with the variables of PBX_RETOUR in their order, spaces as %20 and all else raw, signed with
RSA and SHA-1. The call number T stays, the transaction number S is new for each attempt; A is there only when
accepted (XXXXXX, or a number with ``--live``). PPPS checks HMAC or password, numbers and amounts, keeps
states and answers in Latin-1. ``/load.html`` on both hosts. It shares no code with ``paybox/`` on purpose.

What it does NOT imitate
------------------------
TLS, 3-D Secure pages, other means of payment, subscriptions and instalments, tokens, the back office, real
texts, logos and design (none are theirs). Our assumptions, written nowhere: a second visit with a reference
that was paid ends with 00015; a part of a refund leaves STATUS as it was; PPPS refunds what was not remitted
too; REMISE is a number once remitted. All state is memory.

Steering, by :meth:`Simulator.set` or from outside by ``POST /_simulator/set`` (JSON, loopback only)
----------------------------------------------------------------------------------------------------
==============  =====================================================================================
notify          "before" the browser goes back (default), "after", "never" (see ``/_simulator/notify``)
copies          how often each notification is sent (1); parallel: all at once
sign            "good", "wrong" (another text is signed), "altered" (Mt changed afterwards), "none",
                "second" (the second key: rotation), "stranger" (a key nobody knows)
amount          Mt that is reported instead of the true one
reference       Ref that is reported instead of the true one
authorisation   False: no A although accepted
available       {"main": "OK" | "KO" | "down", "backup": ...}
merchant        "other": the next payments are another merchant's, with our reference and amount
direct          fault of the next PPPS request: "close_before", "close_after" (carried out, answer lost),
                "garbage", "98" (00098, nothing done), "98_after" (00098, carried out), "other_amount",
                "used" (00005: somebody else has used the number)
means           what the next payments are made with ("VISA"): C of the message. PPPS wants those of
                :data:`ACQUIRERS` named (ACQUEREUR) with every movement, and refuses it else (00021)
existence       False: the contract does not know TYPE 00011 (existence by reference and amount)
inquiry_tells   True: TYPE 00017 answers with MONTANT and REFERENCE too
==============  =====================================================================================

``GET /_simulator/books`` (charges, notifications, warnings, questions), ``POST /_simulator/notify``
``{"reference", "which": -1}`` sends a stored notification (again), ``POST /_simulator/finish``
``{"reference", "code"}`` ends a pending one, ``POST /_simulator/remit`` marks payments as sent to the bank,
``POST /_simulator/reset``; ``GET /_simulator/key.pem`` and ``second.pem`` are the public keys.
"""

import argparse
import base64
import contextlib
import dataclasses
import datetime
import hashlib
import hmac
import html
import http.client
import json
import random
import re
import signal
import sys
import threading
import time
import xml.etree.ElementTree as etree
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

SITE, RANK, IDENTIFIER, PASSWORD = "1999888", "32", "110647233", "1999888I"
KEY = "0123456789ABCDEF" * 8
ATTEMPTS = 3
ACQUIRERS = ("PAYPAL", "CVCONNECT", "SODEXO", "UPCHEQUDEJ", "LIMOCB")
PAGES = ("/php/", "/cgi/MYchoix_pagepaiement.cgi", "/cgi/FramepagepaiementRWD.cgi")
LETTERS = set("MRTABCDEFGHIJKNPQSUVWYZ")
DEFAULTS = {
    "notify": "before",
    "copies": 1,
    "parallel": False,
    "sign": "good",
    "amount": None,
    "reference": None,
    "authorisation": True,
    "merchant": "own",
    "available": {"main": "OK", "backup": "OK"},
    "direct": None,
    "means": "VISA",
    "existence": True,
    "inquiry_tells": False,
}

# --- Keys: small, repeatable and worthless, so that a demo's database still knows them after a restart -----


def _is_prime(number):
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        value = pow(base, odd, number)
        if value in (1, number - 1):
            continue
        for _step in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


def _prime(numbers):
    while True:
        candidate = numbers.getrandbits(512) | (3 << 510) | 1
        if candidate % 65537 != 1 and _is_prime(candidate):
            return candidate


@dataclass(frozen=True)
class Key:
    """An RSA key of 1024 bits made from a word."""

    modulus: int
    secret: int

    def sign(self, text):
        """Base64 of the PKCS#1 v1.5 signature with SHA-1 over a text."""
        digest = (
            bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(text.encode("latin-1")).digest()
        )
        block = b"\x00\x01" + b"\xff" * (125 - len(digest)) + b"\x00" + digest
        number = pow(int.from_bytes(block, "big"), self.secret, self.modulus)
        return base64.b64encode(number.to_bytes(128, "big")).decode()

    @property
    def pem(self):
        """The public key."""
        numbers = _der(0x30, _der_number(self.modulus) + _der_number(65537))
        algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
        data = base64.b64encode(_der(0x30, algorithm + _der(0x03, b"\x00" + numbers))).decode()
        lines = "\n".join(data[at : at + 64] for at in range(0, len(data), 64))
        return f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"


def _der(tag, content):
    size = len(content)
    length = (
        bytes([size])
        if size < 128
        else bytes([0x81, size])
        if size < 256
        else b"\x82" + size.to_bytes(2, "big")
    )
    return bytes([tag]) + length + content


def _der_number(number):
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


@cache
def make_key(word):
    """The Key of a word, always the same."""
    numbers = random.Random(f"paybox simulator {word}")
    first, second = _prime(numbers), _prime(numbers)
    secret = pow(65537, -1, (first - 1) * (second - 1))
    return Key(first * second, secret)


# --- The form -------------------------------------------------------------------------------------


class Refused(Exception):
    """A form that the platform does not take; the text is what the customer would read."""


FORMATS = {
    "PBX_SITE": r"\d{7}",
    "PBX_RANG": r"\d{2,3}",
    "PBX_IDENTIFIANT": r"\d{1,9}",
    "PBX_TOTAL": r"\d{3,10}",
    "PBX_DEVISE": r"\d{3}",
    "PBX_CMD": r"[\x20-\x7e]{1,250}",
    "PBX_PORTEUR": r"(?=.{6,120}$)[^@\s]+@[^@\s]+\.[^@\s]+",
    "PBX_TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)",
    "PBX_RETOUR": r"([A-Za-z0-9]+:[A-Za-z];)*[A-Za-z0-9]+:K;?",
    "PBX_SHOPPINGCART": r"(?s).+",
    "PBX_BILLING": r"(?s).+",
}


def read_form(body, merchant):
    """Ordered [(name, value)] of a POST body (bytes) after every check; Refused."""
    pairs = [
        tuple(unquote_plus(part) for part in pair.partition("=")[::2])
        for pair in body.decode("ascii", "replace").split("&")
        if pair
    ]
    fields = dict(pairs)
    for name, pattern in FORMATS.items():
        if name not in fields:
            raise Refused(f"Le champ {name} est obligatoire.")
        if not re.fullmatch(pattern, fields[name], re.ASCII):
            raise Refused(f"Le format de {name} n'est pas accepté.")
    _check_hmac(pairs, "PBX_HMAC", fields.get("PBX_HASH", "SHA512"), merchant["key"])
    if [fields[f"PBX_{name}"] for name in ("SITE", "RANG", "IDENTIFIANT")] != [
        merchant[name] for name in ("site", "rank", "identifier")
    ]:
        raise Refused("Site, rang ou identifiant inconnu (00006).")
    for name in ("EFFECTUE", "REFUSE", "ANNULE", "ATTENTE", "REPONDRE_A"):
        address = fields.get(f"PBX_{name}", "")
        if address and (len(address) > 150 or not re.match(r"https?://[^/]+", address)):
            raise Refused(f"Le format de PBX_{name} n'est pas accepté.")
    _check_documents(fields)
    return pairs


def _check_hmac(pairs, name, algorithm, key):
    if pairs[-1][0] != name or algorithm not in ("SHA512", "SHA384", "SHA256", "SHA224"):
        raise Refused("Problème d'identification du commerce.")
    message = "&".join(f"{field}={value}" for field, value in pairs[:-1])
    wanted = hmac.new(bytes.fromhex(key), message.encode(), algorithm.lower()).hexdigest().upper()
    if not hmac.compare_digest(wanted, pairs[-1][1]):
        raise Refused("Problème d'identification du commerce (signature HMAC).")


def _check_documents(fields):
    try:
        cart = etree.fromstring(fields["PBX_SHOPPINGCART"])
        billing = etree.fromstring(fields["PBX_BILLING"])
    except etree.ParseError:
        raise Refused("PBX_BILLING ou PBX_SHOPPINGCART n'est pas un XML valide.") from None
    quantity = cart.findtext("total/totalQuantity") or ""
    if not re.fullmatch(r"[1-9]\d?", quantity):
        raise Refused("PBX_SHOPPINGCART : quantité de 1 à 99.")
    limits = {"FirstName": 22, "LastName": 22, "Address1": 50, "Address2": 50, "ZipCode": 16, "City": 50}
    for name, limit in limits.items():
        text = billing.findtext(f"Address/{name}")
        if text is None and name == "Address2":
            continue
        # letters, digits and spaces are what all of the bank's modules send, and / - ' in names
        others = "/'-" if name in ("FirstName", "LastName") else ""
        if not 1 <= len(text or "") <= limit or not re.fullmatch(rf"[A-Za-z0-9 {others}]+", text, re.ASCII):
            raise Refused(f"PBX_BILLING : {name} incorrect.")
    if not re.fullmatch(r"(?!000)\d{3}", billing.findtext("Address/CountryCode") or ""):
        raise Refused("PBX_BILLING : CountryCode incorrect.")
    phone = billing.findtext("Address/MobilePhone")
    if phone is not None and not re.fullmatch(r"[0-9]{1,16}", phone):
        raise Refused("PBX_BILLING : MobilePhone incorrect.")


@dataclass
class Visit:
    """One call of the page."""

    call: int
    fields: dict
    attempts: int = 0
    over: bool = False
    last: dict = field(default_factory=dict)


@dataclass
class Charge:
    """Money taken (or reserved) from a customer; amounts in minor units."""

    reference: str
    amount: int
    currency: str
    call: int
    transaction: int
    state: str
    captured: int = 0
    remitted: bool = False
    authorisation: str = ""
    own: bool = True
    means: str = "VISA"
    refunds: list = field(default_factory=list)

    @property
    def refunded(self):
        """What was given back."""
        return sum(refund["amount"] for refund in self.refunds)

    @property
    def status(self):
        """The word of an inquiry."""
        if self.state == "captured" and self.refunded >= self.captured:
            return "Remboursé"
        return {"authorised": "Autorisé", "captured": "Capturé", "cancelled": "Annulé"}[self.state]


# --- The platform ---------------------------------------------------------------------------------


class Simulator:
    """The platform on two ports: the main host and its backup. ``port`` 0 is a free one."""

    def __init__(self, host="127.0.0.1", port=0, backup_port=0, live=False, key=KEY, password=PASSWORD):
        self.merchant = {
            "site": SITE,
            "rank": RANK,
            "identifier": IDENTIFIER,
            "key": key,
            "password": password,
        }
        self.live = live
        self.keys = {
            "good": make_key("first"),
            "second": make_key("second"),
            "stranger": make_key("stranger"),
        }
        self.lock = threading.RLock()
        self.numbers = random.Random()
        self.reset()
        self.servers = [
            _Server((host, number), self, name) for number, name in ((port, "main"), (backup_port, "backup"))
        ]
        self.threads = []

    # -- life

    @property
    def url(self):
        """Address of the main host."""
        return self._address(0)

    @property
    def backup_url(self):
        """Address of the other host."""
        return self._address(1)

    def _address(self, number):
        host, port = self.servers[number].server_address[:2]
        return f"http://{host}:{port}"

    def start(self):
        """Serve both hosts. Returns itself."""
        for server in self.servers:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            self.threads.append(thread)
        return self

    def stop(self):
        """End both."""
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()

    def reset(self):
        """As on the first day; numbers go on, as they do over there."""
        with self.lock:
            self.settings = json.loads(json.dumps(DEFAULTS))
            self.visits, self.charges, self.notifications, self.warnings = {}, [], [], []
            self.questions, self.requests = {}, []
            self.counter = getattr(self, "counter", self.numbers.randrange(10**6, 9 * 10**8))

    def set(self, **settings):
        """Change how it behaves; see the table above."""
        unknown = set(settings) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"unknown settings {sorted(unknown)}")
        with self.lock:
            self.settings.update(settings)

    def next_number(self):
        """A call or transaction number."""
        with self.lock:
            self.counter += self.numbers.randrange(1, 9)
            return self.counter

    # -- the page

    def open(self, fields):
        """A visit of the page with form fields ([(name, value)]), as a browser would post them; Refused."""
        body = "&".join(f"{quote(name)}={quote(value)}" for name, value in fields)
        return self.visit(body.encode())

    def visit(self, body):
        """The Visit that a POST body opens; Refused."""
        fields = dict(read_form(body, self.merchant))
        visit = Visit(self.next_number(), fields)
        with self.lock:
            self.visits[visit.call] = visit
            paid = any(charge.own and charge.reference == fields["PBX_CMD"] for charge in self.charges)
        if paid:
            self._end(visit, "00015", 0)
        elif fields.get("PBX_ERRORCODETEST", "00000") != "00000":
            self._end(visit, fields["PBX_ERRORCODETEST"], self.next_number())
        return visit

    def attempt(self, visit, choice):
        """Let the customer try: "ok", a bank's code ("51"), "pending", "timeout" or "cancel".

        Returns where the browser goes then, None while it stays on the page.
        """
        if visit.over:
            return self.way_back(visit)
        if choice == "cancel":
            return self._end(visit, "00001", 0)
        visit.attempts += 1
        transaction = self.next_number()
        if choice == "ok":
            self._charge(visit, transaction)
            return self._end(visit, "00000", transaction)
        if choice in ("pending", "timeout"):
            code, transaction = ("99999", transaction) if choice == "pending" else ("00030", 0)
            return self._end(visit, code, transaction)
        return self._refuse(visit, f"001{choice}", transaction)

    def _refuse(self, visit, code, transaction):
        visit.last = {"code": code, "transaction": transaction}
        if visit.attempts >= ATTEMPTS:
            return self._end(visit, code, transaction)
        self._notify(visit, code, transaction)
        return None

    def _charge(self, visit, transaction):
        fields = visit.fields
        reserved = fields.get("PBX_AUTOSEULE") == "O"
        amount = int(fields["PBX_TOTAL"])
        charge = Charge(
            fields["PBX_CMD"],
            amount,
            fields["PBX_DEVISE"],
            visit.call,
            transaction,
            "authorised" if reserved else "captured",
            0 if reserved else amount,
            authorisation=self._authorisation(transaction),
            own=self.settings["merchant"] == "own",
            means=self.settings["means"],
        )
        with self.lock:
            self.charges.append(charge)

    def _end(self, visit, code, transaction):
        visit.over, visit.last = True, {"code": code, "transaction": transaction}
        if self.settings["notify"] == "after":
            threading.Timer(1.0, self._notify, (visit, code, transaction)).start()
        else:
            self._notify(visit, code, transaction)
        return self.way_back(visit)

    def way_back(self, visit):
        """The address that the browser is sent to: signed as a whole, parameters of the shop included."""
        code = visit.last.get("code", "00001")
        kind = {"00000": "EFFECTUE", "99999": "ATTENTE"}.get(code, "REFUSE")
        if code == "00001" and not visit.last.get("transaction"):
            kind = "ANNULE"
        address, _mark, own = visit.fields.get(f"PBX_{kind}", "").partition("?")
        text = "&".join(filter(None, (own, self._variables(visit, code, visit.last.get("transaction", 0)))))
        return f"{address}?{self._signed(visit, text, text)}"

    def _authorisation(self, transaction):
        return f"{transaction % 10**6:06d}" if self.live else "XXXXXX"

    # -- what the shop is told

    def _variables(self, visit, code, transaction):
        fields, accepted = visit.fields, code == "00000"
        settings, now = self.settings, datetime.datetime.now()
        amount = settings["amount"] if settings["amount"] is not None else int(fields["PBX_TOTAL"])
        values = {
            "M": str(amount),
            "R": settings["reference"] or fields["PBX_CMD"],
            "A": self._authorisation(transaction) if accepted and settings["authorisation"] else None,
            "E": code,
            "T": str(visit.call),
            "S": str(transaction),
            "C": self.settings["means"] if transaction else None,
            "P": "CARTE" if transaction else None,
            "N": "111122" if transaction else None,
            "J": "44" if transaction else None,
            "D": "2912" if transaction else None,
            "Y": "FRA" if transaction else None,
            "G": "O" if accepted else None,
            "F": "Y" if accepted else None,
            "W": f"{now:%d%m%Y}",
            "Q": f"{now:%H:%M:%S}",
        }
        pairs = [part.split(":") for part in fields["PBX_RETOUR"].split(";") if part]
        wire = lambda text: text.replace("%", "%25").replace("&", "%26").replace(" ", "%20")  # noqa: E731
        return "&".join(
            f"{name}={wire(values[letter])}"
            for name, letter in pairs
            if letter != "K" and values.get(letter) is not None
        )

    def _signed(self, visit, text, shown):
        """`shown` with a signature over `text` behind it."""
        sign = self.settings["sign"]
        name = next(
            part.split(":")[0] for part in visit.fields["PBX_RETOUR"].split(";") if part.endswith(":K")
        )
        if sign == "none":
            return shown
        key = self.keys.get(sign, self.keys["good"])
        signature = key.sign(text + ("x" if sign == "wrong" else ""))
        if sign == "altered":
            shown = re.sub(r"\bMt=\d+", "Mt=1", shown)
        return f"{shown}&{name}={quote(signature, safe='')}"

    def _notify(self, visit, code, transaction):
        address, _mark, own = visit.fields.get("PBX_REPONDRE_A", "").partition("?")
        text = self._variables(visit, code, transaction)
        query = "&".join(filter(None, (own, self._signed(visit, text, text))))
        note = {
            "reference": visit.fields["PBX_CMD"],
            "code": code,
            "address": address,
            "query": query,
            "method": visit.fields.get("PBX_RUF1", "GET"),
            "answers": [],
        }
        with self.lock:
            self.notifications.append(note)
        if address and self.settings["notify"] != "never":
            self.send(note, self.settings["copies"], self.settings["parallel"])

    def send(self, note, copies=1, parallel=False):
        """Send a stored notification, ``copies`` times, at once when ``parallel``."""
        if not parallel:
            for _copy in range(copies):
                self._call(note)
            return
        threads = [threading.Thread(target=self._call, args=(note,)) for _copy in range(copies)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self, note):
        parts = urlsplit(note["address"])
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.netloc, timeout=20)
        try:
            with contextlib.closing(connection):
                if note["method"] == "POST":
                    headers = {"Content-Type": "application/x-www-form-urlencoded"}
                    connection.request("POST", parts.path or "/", note["query"], headers)
                else:
                    connection.request("GET", f"{parts.path or '/'}?{note['query']}")
                answer = connection.getresponse()
                answer.read()
                status = answer.status
        except (OSError, http.client.HTTPException) as error:
            status = f"{type(error).__name__}"
        with self.lock:
            note["answers"].append(status)
            if not isinstance(status, int) or not 200 <= status < 300:
                self.warnings.append(f"PAYBOX: WARNING!! {note['reference']} (HTTP-cURL) {status}")

    # -- by hand

    def finish(self, reference, code="00000"):
        """End a pending payment by a second notification."""
        visit = [visit for visit in self.visits.values() if visit.fields["PBX_CMD"] == reference][-1]
        transaction = visit.last["transaction"]
        if code == "00000":
            self._charge(visit, transaction)
        visit.last = {"code": code, "transaction": transaction}
        self._notify(visit, code, transaction)

    def notify_again(self, reference, which=-1, copies=1, parallel=False):
        """Send a stored notification of a reference again."""
        notes = [note for note in self.notifications if note["reference"] == reference]
        self.send(notes[which], copies, parallel)

    def remit(self, reference=None):
        """Send payments to the bank: from now on they can be refunded, not cancelled."""
        for charge in self.charges:
            if reference in (None, charge.reference) and charge.state == "captured":
                charge.remitted = True

    def count_charges(self, reference=None):
        """How often money was taken (or reserved) for a reference."""
        return sum(reference in (None, charge.reference) for charge in self.charges)

    def refunded(self, reference):
        """What was given back of a reference, minor units."""
        return sum(charge.refunded for charge in self.charges if charge.reference == reference)

    def books(self):
        """Everything, as plain data."""
        with self.lock:
            charges = [{**dataclasses.asdict(charge), "status": charge.status} for charge in self.charges]
            return {
                "charges": charges,
                "notifications": list(self.notifications),
                "warnings": list(self.warnings),
                "questions": list(self.requests),
            }

    # -- PPPS

    def direct(self, body):
        """Answer (bytes, or None: the connection is closed) to a PPPS request."""
        pairs = parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True)
        asked = dict(pairs)
        with self.lock:
            fault, self.settings["direct"] = self.settings["direct"], None
            self.requests.append(
                {name: value for name, value in asked.items() if name not in ("HMAC", "CLE")}
            )
            if fault == "close_before":
                return None
            faults = {"98": "00098", "used": "00005"}
            code, extra = (faults[fault], {}) if fault in faults else self._carry_out(pairs, asked)
        if fault == "close_after":
            return None
        if fault == "garbage":
            return b"<html><body>Service Unavailable</body></html>"
        if fault == "98_after":
            code, extra = "00098", {}
        if fault == "other_amount":
            extra["MONTANT"] = "0000000001"
        texts = {"00000": "Demande traitée avec succès", "00015": "PAYBOX : Transaction non trouvée"}
        answer = {
            "NUMTRANS": f"{int(asked.get('NUMTRANS') or 0):010d}",
            "NUMAPPEL": f"{int(asked.get('NUMAPPEL') or 0):010d}",
            "NUMQUESTION": asked.get("NUMQUESTION", ""),
            "SITE": asked.get("SITE", ""),
            "RANG": asked.get("RANG", ""),
            "AUTORISATION": "XXXXXX" if code == "00000" else "",
            "CODEREPONSE": code,
            "COMMENTAIRE": texts.get(code, "PAYBOX : Demande refusée"),
            "REFABONNE": "",
            "PORTEUR": "",
            **extra,
        }
        return "&".join(f"{name}={value}" for name, value in answer.items()).encode("latin-1")

    def _carry_out(self, pairs, asked):
        """(code, more fields) of a request."""
        code = self._check_question(pairs, asked)
        if code:
            return code, {}
        if asked["TYPE"] == "00011":
            return self._exists(asked)
        found = [
            charge
            for charge in self.charges
            if charge.own
            and (charge.call, charge.transaction) == (int(asked["NUMAPPEL"]), int(asked["NUMTRANS"]))
        ]
        if not found:
            return "00015", {}
        charge = found[0]
        if asked["TYPE"] == "00017":
            told = {"MONTANT": f"{charge.amount:010d}", "REFERENCE": charge.reference}
            return "00000", {
                "STATUS": charge.status,
                "REMISE": "509625890" if charge.remitted else "",
                "AUTORISATION": charge.authorisation,
                **(told if self.settings["inquiry_tells"] else {}),
            }
        if asked.get("DEVISE") != charge.currency:
            return "00010", {}
        if charge.means in ACQUIRERS and asked.get("ACQUEREUR") != charge.means:
            return "00021", {}
        amount = int(asked.get("MONTANT") or 0)
        work = {"00002": self._capture, "00005": self._cancel, "00014": self._refund}[asked["TYPE"]]
        return work(charge, amount)

    def _exists(self, asked):
        if not self.settings["existence"]:
            return "00009", {}
        wanted = (asked.get("REFERENCE"), int(asked.get("MONTANT") or 0), asked.get("DEVISE"))
        for charge in reversed(self.charges):
            if charge.own and (charge.reference, charge.amount, charge.currency) == wanted:
                numbers = {"NUMAPPEL": charge.call, "NUMTRANS": charge.transaction}
                return "00000", {name: f"{number:010d}" for name, number in numbers.items()}
        return "00018", {}

    def _check_question(self, pairs, asked):
        if asked.get("VERSION") not in ("00103", "00104"):
            return "00013"
        if asked.get("TYPE") not in ("00002", "00005", "00011", "00014", "00017"):
            return "00009"
        if [asked.get("SITE"), asked.get("RANG")] != [self.merchant["site"], self.merchant["rank"]]:
            return "00006"
        if "CLE" in asked:
            if asked["CLE"] != self.merchant["password"]:
                return "00006"
        else:
            try:
                _check_hmac(pairs, "HMAC", asked.get("HASH", ""), self.merchant["key"])
            except Refused:
                return "00006"
        if not re.fullmatch(r"[0-3]\d[01]\d20\d{2}([0-2]\d[0-5]\d[0-5]\d)?", asked.get("DATEQ", "")):
            return "00007"
        if any(
            not re.fullmatch(r"\d{10}", asked.get(name, ""))
            for name in ("NUMQUESTION", "NUMAPPEL", "NUMTRANS")
            if name == "NUMQUESTION" or asked["TYPE"] != "00011"
        ):
            return "00014"
        question = (asked["DATEQ"][:8], asked["NUMQUESTION"])
        if question in self.questions:
            return "00005"
        self.questions[question] = True
        return ""

    def _capture(self, charge, amount):
        if charge.state != "authorised" or not 0 < amount <= charge.amount:
            return "00011" if charge.state == "authorised" else "00015", {}
        charge.state, charge.captured = "captured", amount
        return "00000", {"NUMTRANS": f"{charge.transaction:010d}"}

    def _cancel(self, charge, amount):
        if charge.state == "cancelled" or charge.remitted or charge.refunds:
            return "00015", {}
        if amount != charge.amount:
            return "00011", {}
        charge.state = "cancelled"
        return "00000", {"NUMTRANS": f"{self.next_number():010d}"}

    def _refund(self, charge, amount):
        if charge.state != "captured":
            return "00015", {}
        if not 0 < amount <= charge.captured - charge.refunded:
            return "00011", {}
        transaction = self.next_number()
        charge.refunds.append({"amount": amount, "transaction": transaction})
        return "00000", {"NUMTRANS": f"{transaction:010d}"}


# --- HTTP -----------------------------------------------------------------------------------------

STYLE = """body{font:16px/1.5 sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.3rem}table{width:100%;margin:1rem 0}td{padding:.2rem 0}td+td{text-align:right}
label{display:block;margin:.8rem 0 .2rem}
input,select{font:inherit;width:100%;padding:.5rem;box-sizing:border-box}
button{font:inherit;padding:.7rem 1rem;margin:1rem .5rem 0 0;border:1px solid #345;border-radius:.3rem}
button.main{background:#345;color:#fff}.note{background:#fff3cd;padding:.5rem .8rem;border-radius:.3rem}
.error{background:#f8d7da}small{color:#666}"""
CHOICES = (
    ("ok", "Paiement accepté"),
    ("51", "Refus 51 : provision insuffisante"),
    ("05", "Refus 05 : ne pas honorer"),
    ("54", "Refus 54 : carte expirée"),
    ("59", "Refus 59 : suspicion de fraude"),
    ("A1", "Refus A1 : authentification forte demandée"),
    ("91", "Refus 91 : banque injoignable"),
    ("pending", "Paiement en attente"),
    ("timeout", "Page expirée"),
)


CURRENCIES = {
    "978": ("EUR", 2),
    "840": ("USD", 2),
    "826": ("GBP", 2),
    "756": ("CHF", 2),
    "392": ("JPY", 0),
    "788": ("TND", 3),
}


def document(title, inside):
    """A whole page."""
    return (
        f'<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1>{inside}<p><small>Simulateur : aucune banque n'est appelée, aucun argent ne "
        "bouge.</small></p></body></html>"
    )


def money(total, number):
    """An amount in minor units as a French customer reads it."""
    name, digits = CURRENCIES.get(number, (number, 2))
    whole, cents = divmod(int(total), 10**digits)
    return f"{whole},{cents:0{digits}d} {name}" if digits else f"{whole} {name}"


def payment_page(visit):
    """The page on which a customer pays."""
    fields = visit.fields
    left = ATTEMPTS - visit.attempts
    note = ""
    if visit.attempts:
        code = html.escape(visit.last["code"])
        plural = "s" if left > 1 else ""
        note = f'<p class="note error">Paiement refusé ({code}). Il vous reste {left} tentative{plural}.</p>'
    choices = "".join(f'<option value="{value}">{label}</option>' for value, label in CHOICES)
    total = money(fields["PBX_TOTAL"], fields["PBX_DEVISE"])
    rows = "".join(
        f"<tr><td>{label}</td><td>{value}</td></tr>"
        for label, value in (
            ("Commerçant", "***TEST***"),
            ("Référence", html.escape(fields["PBX_CMD"])),
            ("Montant", total),
            ("Numéro d'appel", visit.call),
        )
    )
    return document(
        "Paiement par carte",
        f'{note}<table>{rows}</table><form method="post" action="/_page/{visit.call}">'
        '<label for="card">Numéro de carte</label>'
        '<input id="card" name="card" value="1111 2222 3333 4444" inputmode="numeric">'
        '<label for="choice">Réponse de la banque</label>'
        f'<select id="choice" name="choice">{choices}</select>'
        '<button class="main" name="action" value="pay">Valider le paiement</button>'
        '<button name="action" value="cancel">Annuler</button></form>',
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address, simulator, name):
        self.simulator, self.name = simulator, name
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_arguments):
        """Say nothing."""

    @property
    def simulator(self):
        """The platform."""
        return self.server.simulator

    def _down(self):
        return self.simulator.settings["available"].get(self.server.name) == "down"

    def do_GET(self):
        """Availability, the control API, a page for people."""
        path = urlsplit(self.path).path
        if path.startswith("/_simulator/"):
            return self._control_get(path.removeprefix("/_simulator/"))
        if self._down():
            return self.close_connection
        if path in ("/load.html", "/load.htm"):
            word = self.simulator.settings["available"][self.server.name]
            page = (
                f'<html><body><div id="server_status" style="text-align:center;">{word}</div></body></html>'
            )
            return self._answer(200, page)
        if path == "/":
            return self._answer(200, self._home())
        return self._answer(404, document("Page inconnue", ""))

    def do_POST(self):
        """The payment page, PPPS, the control API."""
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path.startswith("/_simulator/"):
            return self._control_post(path.removeprefix("/_simulator/"), json.loads(body or b"{}"))
        if self._down():
            return self.close_connection
        if path in PAGES:
            return self._open(body)
        if path.startswith("/_page/"):
            return self._click(path.removeprefix("/_page/"), dict(parse_qsl(body.decode())))
        if path == "/PPPS.php":
            answer = self.simulator.direct(body)
            return self.close_connection if answer is None else self._answer(200, answer, "text/plain")
        return self._answer(404, document("Page inconnue", ""))

    def _open(self, body):
        try:
            visit = self.simulator.visit(body)
        except Refused as error:
            note = f'<p class="note error">{html.escape(str(error))}</p>'
            return self._answer(200, document("Erreur de paramètre", note))
        if visit.over:
            return self._go(self.simulator.way_back(visit))
        return self._answer(200, payment_page(visit))

    def _click(self, number, values):
        visit = self.simulator.visits.get(int(number) if number.isdigit() else 0)
        if visit is None:
            return self._answer(404, document("Page expirée", ""))
        choice = "cancel" if values.get("action") == "cancel" else values.get("choice", "ok")
        target = self.simulator.attempt(visit, choice)
        return self._go(target) if target else self._answer(200, payment_page(visit))

    def _home(self):
        rows = "".join(
            f"<tr><td>{html.escape(charge.reference)}</td><td>{charge.amount} {charge.status}, "
            f"remboursé {charge.refunded}</td></tr>"
            for charge in self.simulator.charges
        )
        return document("Paiements", f"<table>{rows}</table>" if rows else "<p>Aucun paiement.</p>")

    def _control_get(self, name):
        if name == "books":
            return self._answer(200, json.dumps(self.simulator.books()), "application/json")
        if name in ("key.pem", "second.pem"):
            key = self.simulator.keys["good" if name == "key.pem" else "second"]
            return self._answer(200, key.pem, "text/plain")
        if name == "state":
            state = {"url": self.simulator.url, "backup": self.simulator.backup_url}
            return self._answer(200, json.dumps(state), "application/json")
        return self._answer(404, "")

    def _control_post(self, name, values):
        simulator = self.simulator
        work = {
            "set": simulator.set,
            "reset": simulator.reset,
            "notify": simulator.notify_again,
            "finish": simulator.finish,
            "remit": simulator.remit,
        }.get(name)
        if work is None:
            return self._answer(404, "")
        try:
            work(**values)
        except (TypeError, ValueError, IndexError) as error:
            return self._answer(400, json.dumps({"error": str(error)}), "application/json")
        return self._answer(200, "{}", "application/json")

    def _go(self, address):
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status, content, kind="text/html; charset=utf-8"):
        data = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Simulator of a hosted payment page and PPPS, loopback only."
    )
    add = parser.add_argument
    add(
        "--host", default="127.0.0.1", choices=("127.0.0.1", "::1", "localhost"), help="(default %(default)s)"
    )
    add("--port", type=int, default=8787, help="of the main host, 0 = a free one (default %(default)s)")
    add("--backup-port", type=int, default=0, help="of the backup host (default: a free one)")
    add("--live", action="store_true", help="authorisation numbers as in production, not XXXXXX")
    return parser


def main(argv=None):
    """Run until SIGTERM or Ctrl-C; exit code 0, or 2 when it cannot start."""
    parser = build_parser()
    options = parser.parse_args(argv)
    enough = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_args: enough.set())
    try:
        simulator = Simulator(options.host, options.port, options.backup_port, options.live).start()
    except (OSError, OverflowError) as error:
        parser.error(str(error))
    facts = {"url": simulator.url, "backup": simulator.backup_url, "site": SITE, "rank": RANK}
    sys.stdout.write(json.dumps({**facts, "identifier": IDENTIFIER, "key": KEY, "password": PASSWORD}) + "\n")
    sys.stdout.write(f"started {time.strftime('%H:%M:%S')}; {simulator.url}/ shows what was paid\n")
    sys.stdout.flush()
    enough.wait()
    simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
