"""The form that takes a customer to the payment page: ordered, checked, signed.

Source: protocols/paybox.md, 1.3; the order of the fields is free, but it is the order of the signature.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .buyer import Buyer, billing, shopping_cart
from .errors import ProtocolError
from .money import amount_text, currency_number
from .signature import ALGORITHMS, sign_request

# what the page and the notification tell us, and what they call it; the signature (K) has to be the last
RETURNED = (
    ("Mt", "M"),
    ("Ref", "R"),
    ("Auto", "A"),
    ("Erreur", "E"),
    ("Appel", "T"),
    ("Trans", "S"),
    ("Carte", "C"),
    ("Type", "P"),
    ("Bin", "N"),
    ("Fin", "J"),
    ("Exp", "D"),
    ("Pays", "Y"),
    ("Garantie", "G"),
    ("Auth3DS", "F"),
    ("Sign", "K"),
)
SIGNATURE = "Sign"
LANGUAGES = ("FRA", "GBR", "ESP", "ITA", "DEU", "NLD", "SWE", "PRT")
AUTHENTICATIONS = ("01", "02", "03", "04")
CAPTURES = ("immediate", "deferred", "manual")
MAX_CAPTURE_DAYS = 7  # a bank gives an authorisation back after that
MAX_URL = 150
_PATTERNS = {
    "site": re.compile(r"[0-9]{7}", re.ASCII),
    "rank": re.compile(r"[0-9]{2,3}", re.ASCII),
    "identifier": re.compile(r"[0-9]{1,9}", re.ASCII),
    # what came back unchanged from the platform in every sample; the rest is encoded by some and not by
    # others
    "reference": re.compile(r"[A-Za-z0-9._/-]{1,250}", re.ASCII),
    "email": re.compile(r"(?=.{6,120}$)[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+", re.ASCII),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)", re.ASCII),
}
_SENTENCES = {
    "site": "The site number has seven digits.",
    "rank": "The rank has two or three digits.",
    "identifier": "The identifier has one to nine digits.",
    "reference": "The reference has 1 to 250 letters, digits and . _ / - without accents.",
    "email": "The customer's e-mail address has 6 to 120 characters, an @ and a dot.",
    "time": "The time is written as in 2026-11-21T10:15:30+01:00.",
}


@dataclass(frozen=True)
class Merchant:
    """Who is paid. The key is hexadecimal and never printed."""

    site: str
    rank: str
    identifier: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Addresses:
    """Absolute addresses without parameters of their own: the browser's four, and the notification's."""

    accepted: str
    refused: str
    cancelled: str
    waiting: str
    notification: str


@dataclass(frozen=True)
class Payment:
    """What is paid. amount: int minor units; currency: ISO 4217 letters; time: ISO 8601 with offset."""

    amount: int
    currency: str
    reference: str
    email: str
    time: str
    buyer: Buyer = Buyer()
    quantity: int = 1


@dataclass(frozen=True)
class Options:
    """How it is paid. days: of a deferred capture; seconds: how long the page stays open."""

    language: str = "FRA"
    authentication: str = "01"
    capture: str = "immediate"
    days: int = 0
    seconds: int = 900
    responsive: bool = False
    algorithm: str = "SHA512"


def check(name, value):
    """Return `value` (str) when it is a good "site", "rank", "identifier", ...; ProtocolError code = name."""
    if not isinstance(value, str) or not _PATTERNS[name].fullmatch(value):
        raise ProtocolError(_SENTENCES[name], name, name)
    return value


def is_reference(text):
    """Whether a text may be the reference of a payment as it is."""
    return isinstance(text, str) and bool(_PATTERNS["reference"].fullmatch(text))


def is_email(text):
    """Whether the platform takes a text as the customer's e-mail address."""
    return isinstance(text, str) and bool(_PATTERNS["email"].fullmatch(text))


def form(merchant, payment, addresses, options=None):
    """The form as an ordered list of (name, value) str pairs, PBX_HMAC last; ProtocolError names the field.

    Values are as they are signed: whoever writes them into HTML escapes them there.
    """
    options = options or Options()
    fields = [
        ("PBX_SITE", check("site", merchant.site)),
        ("PBX_RANG", check("rank", merchant.rank)),
        ("PBX_IDENTIFIANT", check("identifier", merchant.identifier)),
        ("PBX_TOTAL", amount_text(payment.amount)),
        ("PBX_DEVISE", currency_number(payment.currency)),
        ("PBX_CMD", check("reference", payment.reference)),
        ("PBX_PORTEUR", check("email", payment.email)),
        ("PBX_RETOUR", ";".join(f"{name}:{letter}" for name, letter in RETURNED)),
        ("PBX_HASH", _one_of(options.algorithm, ALGORITHMS, "algorithm")),
        ("PBX_TIME", check("time", payment.time)),
        ("PBX_LANGUE", _one_of(options.language, LANGUAGES, "language")),
        *_addresses(addresses),
        ("PBX_DISPLAY", _seconds(options.seconds)),
        ("PBX_SHOPPINGCART", shopping_cart(payment.quantity)),
        ("PBX_BILLING", billing(payment.buyer)),
        ("PBX_SOUHAITAUTHENT", _one_of(options.authentication, AUTHENTICATIONS, "authentication")),
        *_capture(options),
        *([("PBX_SOURCE", "RWD")] if options.responsive else []),
    ]
    return [*fields, ("PBX_HMAC", sign_request(fields, merchant.key, options.algorithm))]


def _addresses(addresses):
    return [
        ("PBX_EFFECTUE", _url("accepted", addresses.accepted)),
        ("PBX_REFUSE", _url("refused", addresses.refused)),
        ("PBX_ANNULE", _url("cancelled", addresses.cancelled)),
        ("PBX_ATTENTE", _url("waiting", addresses.waiting)),
        ("PBX_REPONDRE_A", _url("notification", addresses.notification)),
        # the query of a GET is still there when an Odoo controller runs; a POST's raw body is not
        ("PBX_RUF1", "GET"),
    ]


def _url(name, address):
    text = address if isinstance(address, str) else ""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment)
    except ValueError:
        good = False
    if not good or len(text) > MAX_URL or not re.fullmatch(r"[!-~]+", text, re.ASCII):
        raise ProtocolError(
            f"The {name} address is absolute, at most {MAX_URL} characters long and has no parameters.",
            name,
            "url",
        )
    return text


def _one_of(value, choices, name):
    if value not in choices:
        raise ProtocolError(f"The {name} is one of {', '.join(choices)}.", name, name)
    return value


def _seconds(seconds):
    if type(seconds) is not int or not 60 <= seconds <= 86400:
        raise ProtocolError("The page stays open for 60 to 86400 seconds.", "seconds", "seconds")
    return f"{seconds:03d}"


def _capture(options):
    if options.capture == "manual":
        return [("PBX_AUTOSEULE", "O")]
    _one_of(options.capture, CAPTURES, "capture")
    if options.capture == "immediate":
        return []
    if type(options.days) is not int or not 1 <= options.days <= MAX_CAPTURE_DAYS:
        raise ProtocolError(f"A capture is deferred by 1 to {MAX_CAPTURE_DAYS} days.", "days", "days")
    return [("PBX_DIFF", f"{options.days:02d}")]
