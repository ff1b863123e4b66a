"""Test of the configuration: an inquiry about an order that does not exist. To be told so is to be let in.

Source: protocols/ogone.md, 4 (NCERROR) and 8.2. Nothing is moved, and no customer sees it.
"""

from dataclasses import dataclass

from . import codes, direct
from .errors import ProtocolError
from .order import order_of

# slug -> what is to be corrected: "" when nothing is
_TO_CORRECT = {
    "not_found": "",
    "merchant": "pspid",
    "credentials": "password",
    "address_refused": "ip",
    "signature": "passphrase",
    "not_secure": "host",
    "not_allowed": "contract",
    "contract": "contract",
}


@dataclass(frozen=True)
class Check:
    """What the platform says to a request that moves nothing.

    works    True: everything that DirectLink needs is right; False: something is wrong; None: not known
    correct  what to correct: "pspid", "password", "ip", "passphrase", "host", "contract", "" when unknown
    reason   slug, a key of words.SENTENCES; answer: direct.DirectAnswer or None
    """

    works: bool | None
    correct: str = ""
    reason: str = ""
    answer: object = None


def question(account, number):
    """Ordered (name, value) pairs for the "query" endpoint; number: int that makes the order's name new.

    ProtocolError as direct.query, code "number".
    """
    return direct.query(account, order=order_of("servipay-check", number, attempt=1))


def meaning(http_status, data):
    """The Check of the answer to `question`: http_status int, data bytes. Never raises."""
    if http_status != 200:
        return Check(False if http_status == 404 else None, "host" if http_status == 404 else "", "http")
    try:
        answer = direct.read(data)
    except ProtocolError as error:
        return Check(False, "host", "web_page" if error.code == "html" else "unreadable")
    reason = codes.reason(answer.error)
    if not reason and answer.status not in ("", "88"):
        return Check(True, answer=answer)  # it knows the order: we are let in all the more
    if reason in _TO_CORRECT:
        correct = _TO_CORRECT[reason]
        return Check(not correct, correct, reason, answer)
    return Check(None, "", reason or "query_failed", answer)
