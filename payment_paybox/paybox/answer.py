"""What the platform reports about an attempt on the page, read from the signed part of its query.

Source: protocols/paybox.md, 3.2 and 3.3.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from . import codes
from .errors import ProtocolError
from .money import read_amount
from .page import RETURNED

NAMES = {letter: name for name, letter in RETURNED if letter != "K"}
MAX_FIELDS = 64


@dataclass(frozen=True)
class Answer:
    """One attempt. Texts are "" when absent; amount (int minor units) is None then.

    call         T, one per visit of the page
    transaction  S without leading zeros, one per attempt ("0" when there was none)
    authorisation  A, absent when refused, "XXXXXX" on the test platform
    """

    reference: str
    error: str
    amount: int | None = None
    authorisation: str = ""
    call: str = ""
    transaction: str = ""
    card_type: str = ""
    payment_type: str = ""
    first_digits: str = ""
    last_digits: str = ""
    expiry: str = ""
    country: str = ""
    guarantee: str = ""
    three_ds: str = ""

    @property
    def outcome(self):
        """ "accepted", "pending", "cancelled", "refused", or "unclear" for what no list explains as either.

        Only "accepted" may mean money, and only after amount and authorisation were compared.
        """
        if self.error == codes.ACCEPTED:
            return "accepted"
        if self.error == codes.PENDING:
            return "pending"
        if self.error in codes.UNCLEAR:
            return "unclear"
        return "cancelled" if self.is_cancel else "refused"

    @property
    def is_cancel(self):
        """Whether the customer gave up: the bank's code 17, or 00001 without any attempt."""
        no_attempt = not self.transaction.strip("0")
        return self.error == "00117" or (self.error in ("00001", "00004", "00030") and no_attempt)

    @property
    def can_be_asked_about(self):
        """Whether its numbers T and S are such as an inquiry needs."""
        return all(
            re.fullmatch(r"[0-9]{1,10}", number, re.ASCII) and number.strip("0")
            for number in (self.call, self.transaction)
        )

    @property
    def reason(self):
        """Slug of a refusal (`codes`), "" when it is none."""
        return codes.page_reason(self.error) if self.outcome in ("refused", "cancelled") else ""

    @property
    def card(self):
        """Card number as far as it may be shown, "" when the platform tells nothing of it."""
        if len(self.first_digits) == 6 and len(self.last_digits) == 2:
            return f"{self.first_digits}********{self.last_digits}"
        return ""

    @property
    def key(self):
        """Text that is the same for the notification and the browser's return of one attempt."""
        parts = (self.reference, self.call, self.transaction, self.error, self.amount, self.authorisation)
        return "|".join("" if part is None else str(part) for part in parts)


def read(signed_text):
    """The Answer in the signed part of a query (str); ProtocolError codes "answer", "twice", "missing"."""
    values = _values(signed_text)
    known = {letter: values.get(name, "") for letter, name in NAMES.items()}
    if not known["R"] or not known["E"]:
        raise ProtocolError("The answer names no reference or no result.", code="missing")
    return Answer(
        reference=known["R"],
        error=known["E"],
        amount=read_amount(known["M"]),
        authorisation=known["A"].strip(),
        call=known["T"],
        transaction=known["S"].lstrip("0") or known["S"][:1],
        card_type=known["C"],
        payment_type=known["P"],
        first_digits=_digits(known["N"]),
        last_digits=_digits(known["J"]),
        expiry=known["D"],
        country=known["Y"],
        guarantee=known["G"],
        three_ds=known["F"],
    )


def _digits(text):
    return text if text.isascii() and text.isdigit() else ""


def _values(text):
    if not isinstance(text, str):
        raise ProtocolError("The answer is no text.", code="answer")
    parts = text.split("&")
    if len(parts) > MAX_FIELDS:
        raise ProtocolError("The answer has too many fields.", code="answer")
    values = {}
    for part in parts:
        name, _sign, value = part.partition("=")
        # two values under one name: whoever reads the other one reads another payment
        if name in values:
            raise ProtocolError("The answer names a field twice.", code="twice")
        values[name] = decode(value)
    return values


def decode(value):
    """A percent-encoded value as text. "+" stays: only %20 is a space here. Old servers speak Latin-1."""
    try:
        data = unquote_to_bytes(value.encode("latin-1"))
    except UnicodeEncodeError:
        raise ProtocolError("The answer holds a character that no query has.", code="answer") from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\x00", "")
