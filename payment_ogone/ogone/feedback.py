"""Feedback: what the platform reports by a browser's return, a server-to-server request or a status change.

Only what it signed leaves this module.
Source: protocols/ogone.md, 2 and 3; 1.2 for the two encodings.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from . import signature, text
from .errors import ProtocolError
from .money import read_amount, shown
from .verdict import Verdict, check_asked, compare, judge

MAX_BYTES = 16384  # an honest message has about a thousand
MAX_PARAMS = 256
# how the query is decoded, and in which encoding the platform may have computed its digest over that
_READINGS = (("utf-8", ("utf-8",)), ("latin-1", ("latin-1", "utf-8")))


@dataclass(frozen=True)
class Feedback:
    """One signed message. Texts are "" when absent: merchants choose what is reported.

    values  {upper-case name: str} of every signed parameter that is not empty; no whole card number in it
    amount  Decimal of major units, None when absent or unreadable; unreadable: it was there and could not be
            read as a number
    method, brand  PM and BRAND as reported: see methods.code_of
    """

    order: str = ""
    payid: str = ""
    payidsub: str = ""
    status: str = ""
    error: str = ""
    amount: object = None
    unreadable: bool = False
    currency: str = ""
    method: str = ""
    brand: str = ""
    card_tail: str = ""
    alias: str = ""
    acceptance: str = ""
    values: object = field(default_factory=dict, repr=False)

    @property
    def key(self):
        """Text that is the same for every repetition of one message, by whatever channel it comes."""
        parts = (self.order, self.payid, self.payidsub, self.status, self.error, self.amount, self.currency)
        return "|".join("" if part is None else str(part) for part in parts)


_TEXTS = {
    "order": "ORDERID",
    "payid": "PAYID",
    "payidsub": "PAYIDSUB",
    "status": "STATUS",
    "error": "NCERROR",
    "currency": "CURRENCY",
    "method": "PM",
    "brand": "BRAND",
    "alias": "ALIAS",
    "acceptance": "ACCEPTANCE",
}


def read_feedback(raw, passphrase, algorithm="sha512", extra_names=()):
    """The Feedback in a message, None when the platform did not sign it. Never raises.

    raw          bytes exactly as received: the query string of a GET (without "?"), the body of a POST. Never
                 both together: two sources are two messages.
    passphrase   SHA-OUT; without one nothing is accepted
    algorithm    as in signature.sign; extra_names: more names that this account signs (str)
    """
    for encoding, digests in _READINGS:
        try:
            params = _params(raw, encoding)
            signed = signature.signed_params(params, "out", extra_names)
            received = signature.received_digest(params)
        except ProtocolError:
            continue
        if signature.matching_encoding(signed, received, passphrase, algorithm, digests):
            return _feedback(signed)
    return None


def read_again(raw, extra_names=()):
    """The Feedback in a message that `read_feedback` accepted when it came; ProtocolError when there is none.

    For what was stored after it was verified: passphrases change, and what was signed stays signed.
    """
    for encoding, _digests in _READINGS:
        try:
            return _feedback(signature.signed_params(_params(raw, encoding), "out", extra_names))
        except ProtocolError:
            continue
    raise ProtocolError("The message cannot be read.", code="message")


def claimed_order(raw):
    """ORDERID that a message CLAIMS to be about (str), "" when it names none or two. Never raises.

    Nobody signed it: it only serves to find whose passphrase the message is to be checked with.
    """
    for encoding, _digests in _READINGS:
        try:
            found = [value for name, value in _params(raw, encoding) if _upper(name) == "ORDERID"]
        except ProtocolError:
            continue
        return found[0].replace("\x00", "")[:60] if len(found) == 1 else ""
    return ""


def why_refused(raw, passphrase, algorithm="sha512", extra_names=(), other_passphrases=()):
    """Slug (a key of words.SENTENCES) of why read_feedback gives None; "" when it gives something.

    For the person who configures the account; whoever sent the message is told nothing.
    other_passphrases  the account's other ones (str), which may have been put into the wrong box
    """
    if read_feedback(raw, passphrase, algorithm, extra_names) is not None:
        return ""
    if not isinstance(passphrase, str) or not passphrase:
        return "no_passphrase"
    try:
        params = _params(raw, "latin-1")
        received = signature.received_digest(params)
        signature.signed_params(params, "out", extra_names)
        name = signature.check_algorithm(algorithm)
    except ProtocolError as error:
        return {"twice": "signed_twice", "extra_names": "bad_names"}.get(error.code, "unreadable_message")
    if not received:
        return "unsigned"
    if len(received) != signature.ALGORITHMS[name]:
        return "other_algorithm"
    if signature.is_old_composition(params, passphrase, name):
        return "old_composition"
    return _other_cause(raw, algorithm, extra_names, other_passphrases)


def _other_cause(raw, algorithm, extra_names, others):
    try:
        swapped = any(read_feedback(raw, one, algorithm, extra_names) for one in tuple(others)[:10])
    except TypeError:
        swapped = False
    return "other_passphrase" if swapped else "bad_signature"


def conclude(asked, feedback, paid_at_91=False):
    """The Verdict of a Feedback about a payment, capture, void or refund.

    asked       verdict.Asked of that very operation; its payid is that of the attempt that was taken, ""
                while the customer may try again
    paid_at_91  as in status.state_of
    None as the state: the message says nothing about this kind of operation. Whether the state may follow the
    operation's own, status.next_state says. ProtocolError codes "asked", "kind", "amount", "currency".
    """
    check_asked(asked)
    if not isinstance(feedback, Feedback):
        raise ProtocolError("A Feedback is concluded from.", "feedback", "feedback")
    state, reason = judge(asked, feedback.status, feedback.error, feedback.method, paid_at_91)
    found = compare(asked, feedback)
    if feedback.unreadable:
        found += (("AMOUNT", shown(asked.amount), "?"),)
    if asked.order and not feedback.order:
        found += (("ORDERID", asked.order, ""),)
    if found and state not in (None, "declined", "cancelled", "failed"):
        return Verdict("unknown", "mismatch", found, feedback)
    if found:
        # a refusal of something else refuses nothing here
        return Verdict(None, "mismatch", found, feedback)
    return Verdict(state, reason, (), feedback)


def _params(raw, encoding):
    """[(name, value)] of a query string or a form body."""
    if not isinstance(raw, (bytes, bytearray)) or len(raw) > MAX_BYTES:
        raise ProtocolError("The message is too long or no bytes.", code="message")
    parts = [part for part in bytes(raw).split(b"&") if part]
    if len(parts) > MAX_PARAMS:
        raise ProtocolError("The message has too many parameters.", code="message")
    pairs = (part.partition(b"=") for part in parts)
    return [(_decoded(name, encoding), _decoded(value, encoding)) for name, _sign, value in pairs]


def _decoded(data, encoding):
    try:
        return unquote_to_bytes(data.replace(b"+", b" ")).decode(encoding)
    except UnicodeDecodeError:
        raise ProtocolError("The message is not in this encoding.", code="encoding") from None


def _upper(name):
    return name.upper() if name.isascii() else ""


def _feedback(signed):
    values = {name: value.replace("\x00", "") for name, value in signed.items()}
    for name in ("CARDNO", "CN"):
        if name in values:
            values[name] = text.hide_cards(values[name])
    texts = {member: values.get(name, "").strip() for member, name in _TEXTS.items()}
    amount = read_amount(values.get("AMOUNT", "").strip())
    return Feedback(
        **texts,
        amount=amount,
        unreadable="AMOUNT" in values and amount is None,
        card_tail=text.card_tail(values.get("CARDNO", "")),
        values=MappingProxyType(values),
    )
