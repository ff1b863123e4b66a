"""Paybox Direct (PPPS): capture, cancel, refund and inquiry about a payment made on the page.

Source: protocols/paybox.md, 5.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlencode

from . import codes
from .errors import ProtocolError
from .money import check_amount, currency_number, read_amount
from .page import check
from .signature import sign_request

TYPES = {
    "capture": "00002",
    "cancel": "00005",
    "existence": "00011",
    "refund": "00014",
    "inquiry": "00017",
}
VERSIONS = ("00103", "00104")
MAX_QUESTION = 2147483647
MAX_ANSWER = 65536  # bytes
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)

# The words of an inquiry's STATUS, by their ASCII letters only and without a last "e": nobody knows for sure
# in which encoding the platform writes the accents. The whole word counts: "Capture refusée" is no capture.
STATUSES = {
    "rembours": "refunded",
    "annul": "cancelled",
    "autoris": "authorised",
    "captur": "captured",
    "telecollect": "captured",
    "tlcollect": "captured",
    "credit": "credited",
    "crdit": "credited",
    "refus": "refused",
}


@dataclass(frozen=True)
class Question:
    """What is asked. Numbers as the platform gave them; amount (int minor units) and currency of a movement.

    kind      "capture", "cancel", "refund", "inquiry" (by the platform's numbers), or "existence" (by our
              reference and amount: the answer names the numbers)
    number    int, unique per day and site, 1 to 2147483647
    date      local time in Paris, ddmmYYYYHHMMSS
    means     what was paid with (letter C of the page's message); some are named with every movement
    """

    kind: str
    number: int
    date: str
    call: str
    transaction: str
    amount: int | None = None
    currency: str = ""
    reference: str = ""
    means: str = ""
    version: str = "00104"


@dataclass(frozen=True)
class DirectAnswer:
    """The platform's answer; texts are "" when absent. text: its own words. remitted: sent to the bank."""

    code: str
    text: str = ""
    number: str = ""
    site: str = ""
    rank: str = ""
    call: str = ""
    transaction: str = ""
    authorisation: str = ""
    status: str = ""
    remittance: str = ""
    amount: int | None = None
    reference: str = ""

    @property
    def remitted(self):
        """Whether the payment was already sent to the bank: it can only be refunded then."""
        return bool(self.remittance.strip(" 0"))


@dataclass(frozen=True)
class Verdict:
    """What an answer says: state of an operation (str) or None for no news, slug, differences."""

    state: str | None
    reason: str = ""
    mismatches: tuple = field(default=())


def build(merchant, question, password=""):
    """Form body (bytes) of a question, with HMAC, or with the password (CLE) when one is given.

    merchant  page.Merchant; ProtocolError names what is wrong. Nothing is in it that PPPS does not ask for.
    """
    if question.kind not in TYPES or question.version not in VERSIONS:
        raise ProtocolError("This request is not known.", "kind", "kind")
    fields = [
        ("VERSION", question.version),
        ("TYPE", TYPES[question.kind]),
        ("SITE", check("site", merchant.site)),
        ("RANG", check("rank", merchant.rank)),
        ("IDENTIFIANT", check("identifier", merchant.identifier)),
        ("NUMQUESTION", _question_number(question.number)),
        ("DATEQ", _date(question.date)),
        *_movement(question),
        *_payment(question),
        *_acquirer(question),
    ]
    return urlencode([*fields, *_authentication(merchant, fields, password)]).encode("ascii")


def _authentication(merchant, fields, password):
    if password:
        if not re.fullmatch(r"[!-~]{1,10}", password, re.ASCII):
            raise ProtocolError("The PPPS password (CLE) has at most ten characters.", "password", "password")
        return [("CLE", password)]
    hashed = [("HASH", "SHA512")]
    return [*hashed, ("HMAC", sign_request([*fields, *hashed], merchant.key))]


def _movement(question):
    if question.kind == "inquiry":
        return []
    check_amount(question.amount)
    return [
        ("MONTANT", f"{question.amount:010d}"),
        ("DEVISE", currency_number(question.currency)),
        ("REFERENCE", check("reference", question.reference)),
    ]


def _payment(question):
    if question.kind == "existence":
        return []
    return [
        ("NUMAPPEL", _number("call", question.call)),
        ("NUMTRANS", _number("transaction", question.transaction)),
    ]


def _acquirer(question):
    """The one that PayPal, meal and holiday vouchers go to; cards have none."""
    moves = question.kind in ("capture", "cancel", "refund")
    return [("ACQUEREUR", question.means)] if moves and question.means in codes.ACQUIRERS else []


def _question_number(number):
    if type(number) is not int or not 1 <= number <= MAX_QUESTION:
        raise ProtocolError("The number of a question is out of range.", "number", "number")
    return f"{number:010d}"


def _date(date):
    if not isinstance(date, str) or not re.fullmatch(r"[0-9]{14}", date, re.ASCII):
        raise ProtocolError("The date is written ddmmYYYYHHMMSS.", "date", "date")
    return date


def _number(name, text):
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or not text.strip("0"):
        raise ProtocolError(
            "The platform's numbers of the payment (call and transaction) are not known.", name, "numbers"
        )
    return f"{int(text):010d}"


def read(body):
    """The DirectAnswer in a response body (bytes, Latin-1); ProtocolError code "answer"."""
    if not isinstance(body, bytes) or len(body) > MAX_ANSWER:
        raise ProtocolError("The answer is too long or no text.", code="answer")
    values = {}
    for part in body.decode("latin-1").strip().split("&"):
        name, _sign, value = part.partition("=")
        if name in values:
            raise ProtocolError("The answer names a field twice.", code="answer")
        values[name] = unquote_to_bytes(value.encode("latin-1")).decode("latin-1").replace("\x00", "")
    if not re.fullmatch(r"[0-9A-Z]{5}", values.get("CODEREPONSE", ""), re.ASCII):
        raise ProtocolError("The answer states no result.", code="answer")
    return DirectAnswer(
        code=values["CODEREPONSE"],
        text=values.get("COMMENTAIRE", ""),
        number=values.get("NUMQUESTION", ""),
        site=values.get("SITE", ""),
        rank=values.get("RANG", ""),
        call=values.get("NUMAPPEL", ""),
        transaction=values.get("NUMTRANS", ""),
        authorisation=values.get("AUTORISATION", ""),
        status=values.get("STATUS", ""),
        remittance=values.get("REMISE", ""),
        amount=read_amount(values.get("MONTANT", "")),
        reference=values.get("REFERENCE", ""),
    )


def compare(merchant, question, answer):
    """Tuple of (name, asked, answered) where an answer is about something else than the question."""
    pairs = [
        ("SITE", merchant.site, answer.site),
        ("RANG", merchant.rank, answer.rank),
        ("NUMQUESTION", f"{question.number:d}", answer.number),
    ]
    if question.kind != "inquiry" and answer.amount is not None:
        pairs.append(("MONTANT", f"{question.amount:d}", f"{answer.amount:d}"))
    if question.kind == "inquiry":
        pairs.append(("NUMTRANS", question.transaction, answer.transaction))
    accepted = answer.code == codes.ACCEPTED
    # a refusal may leave out (or write as zeros) what it did not read; an acceptance that does so is none
    return tuple(
        (name, asked, got)
        for name, asked, got in pairs
        if asked.lstrip("0") != got.lstrip("0") and (got.strip("0") or accepted)
    )


def conclude(merchant, question, answer):
    """Verdict about a movement (capture, cancel, refund)."""
    different = compare(merchant, question, answer)
    if different:
        return Verdict("unknown", "mismatch", different)
    if answer.code == codes.ACCEPTED:
        return Verdict("approved")
    if answer.code in codes.DIRECT_UNCERTAIN:
        return Verdict("unknown", f"ppps_{codes.direct_reason(answer.code)}")
    return Verdict("declined", f"ppps_{codes.direct_reason(answer.code)}")


def status_of(answer):
    """What an inquiry's answer says of the payment: a value of STATUSES, "" when it cannot be read."""
    if not answer.status.strip():
        return "captured" if answer.remitted else ""
    plain = answer.status.translate(str.maketrans("éèêÉÈÊ", "eeeEEE"))
    letters = re.sub(r"&[a-z]+;|%[0-9A-F]{2}|[^a-z]", "", plain, flags=re.I | re.ASCII).lower()
    return STATUSES.get(letters.removesuffix("e"), "")


def conclude_payment(merchant, question, answer):
    """Verdict of an inquiry about a payment itself, made on the page."""
    if codes.direct_reason(answer.code) == "not_found" and not compare(merchant, question, answer):
        return Verdict(None, "ppps_not_found")
    status = _inquired(merchant, question, answer)
    if not _tells_of(question, answer):
        return Verdict(None, "ppps_no_news")
    return {
        "authorised": Verdict("approved"),
        "captured": Verdict("approved"),
        "refused": Verdict("declined", "ppps_refused"),
        "cancelled": Verdict(None, "ppps_cancelled"),
        "refunded": Verdict(None, "ppps_refunded"),
    }.get(status, Verdict(None, "ppps_no_news"))


def conclude_reported(merchant, question, answer, authorisation):
    """Verdict of an inquiry about a payment that a signed message reported as accepted.

    The platform signs for all its merchants with one key: only what it says to this merchant about this site
    is a payment to this merchant. Anything but a clear yes is none.

    authorisation  A of the message, compared when the answer states one
    """
    paid = _inquired(merchant, question, answer) in ("authorised", "captured")
    if paid and _tells_of(question, answer) and answer.authorisation.strip() in ("", authorisation):
        return Verdict("approved")
    return Verdict(None, "unconfirmed")


def _tells_of(question, answer):
    """Whether what an inquiry says of amount and reference, where it does, is about this payment."""
    return answer.amount in (None, question.amount) and answer.reference in ("", question.reference)


def conclude_numbers(merchant, question, answer, call, transaction):
    """Whether the payment of our reference and amount has these numbers, from the answer about its existence.

    "yes", "other" (it has those that the answer names), "no" (there is none), "unasked" (this contract does
    not answer the question) or "" (nobody knows).
    """
    if answer.code in codes.DIRECT_UNCERTAIN:
        return ""
    if answer.code not in (codes.ACCEPTED, codes.NOT_FOUND):
        return "unasked"
    if conclude_existence(merchant, question, answer) != "found":
        return "no"
    asked, found = (call, transaction), (answer.call, answer.transaction)
    return "yes" if [one.lstrip("0") for one in asked] == [one.lstrip("0") for one in found] else "other"


def conclude_existence(merchant, question, answer):
    """What the answer says about a payment of our reference and amount.

    "found" (it names its numbers), "none" (the platform knows of no such payment), "unasked" (this contract
    does not know the question) or "" (nobody knows).
    """
    if compare(merchant, question, answer):
        return ""
    if answer.code == codes.ACCEPTED:
        return "found" if answer.call.strip("0") and answer.transaction.strip("0") else ""
    return {codes.NOT_FOUND: "none", codes.UNKNOWN_TYPE: "unasked"}.get(answer.code, "")


def is_used_number(merchant, question, answer):
    """Whether the request was refused, unread, because its number had been used by somebody else."""
    return answer.code == codes.NUMBER_USED and not compare(merchant, question, answer)


def conclude_movement(merchant, question, answer, kind, whole, long_ago):
    """Verdict about a movement in doubt, from an inquiry about the payment that it was made of.

    kind      "capture", "cancel" or "refund": what is in doubt, and nothing else moved this payment
    whole     True when it concerns the payment's whole amount: what a part leaves in the status is not known,
              so a part is left to a person
    long_ago  True when the request cannot be on its way any more
    """
    status = _inquired(merchant, question, answer) if whole else ""
    # a whole refund of what the bank had not got yet is made by a cancel
    done = {
        "capture": ("captured",),
        "cancel": ("cancelled",),
        "refund": ("refunded", "credited", "cancelled"),
    }
    if status in done[kind]:
        return Verdict("approved")
    untouched = {
        "capture": ("authorised",),
        "cancel": ("authorised", "captured"),
    }
    # no public source says that a refund, which has a number of its own, changes the status of its payment
    if long_ago and status in untouched.get(kind, ()):
        return Verdict("failed", "ppps_not_done")
    return Verdict(None, "ppps_no_news")


def _inquired(merchant, question, answer):
    if answer.code != codes.ACCEPTED or compare(merchant, question, answer):
        return ""
    return status_of(answer)
