"""The form that takes a customer to the hosted page: checked, cut to what the platform takes, signed.

What is too long blocks a payment (50001111), so free texts are cut; what would mean something else when it is
cut (addresses, e-mail, telephone, names of means of payment) is left out or refused.
Source: protocols/ogone.md, 1.3 and 1.4.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlsplit

from .errors import ProtocolError
from .methods import Method
from .money import check_currency, hundredths
from .order import is_order
from .signature import NAME, check_algorithm, sign
from .text import clean

LANGUAGES = tuple(
    "en_US cs_CZ de_DE dk_DK el_GR es_ES fr_FR it_IT ja_JP nl_BE nl_NL no_NO pl_PL pt_PT ru_RU se_SE sk_SK"
    " tr_TR".split()
)
DEFAULT_LANGUAGE = "en_US"
_SHORT_LANGUAGES = {
    # the first one of a language counts; "se" and "dk" are countries here, and "se" is another language
    **{one[:2]: one for one in reversed(LANGUAGES) if one[:2] not in ("se", "dk")},
    **{"da": "dk_DK", "sv": "se_SE", "nb": "no_NO", "nn": "no_NO", "nl": "nl_NL"},
}
OPERATIONS = ("RES", "SAL")
LAYOUTS = ("0", "1", "2")
WINDOWS = ("MAINW", "POPUP", "POPIX")
DEVICES = ("computer", "tablet", "mobile")
MAX_URL = 200
LIMITS = {
    "CN": 35,
    "OWNERADDRESS": 35,
    "OWNERZIP": 10,
    "OWNERTOWN": 25,
    "COM": 100,
    "TITLE": 190,
    "FONTTYPE": 60,
    "ALIASUSAGE": 255,
}
MAX_NAME = 25  # PM, BRAND
MAX_EMAIL = 50
MAX_ECHO = 200  # COMPLUS, PARAMPLUS
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+\.[!-?A-~]+", re.ASCII)
# E.164, well within the 20 characters of OWNERTELNO
_PHONE = re.compile(r"\+[1-9][0-9]{3,14}", re.ASCII)
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,50}", re.ASCII)
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}|[A-Za-z]{1,20}", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True)
class Merchant:
    """Who is paid. passphrase: SHA-IN of "e-Commerce & Alias Gateway", never printed."""

    pspid: str
    passphrase: str = field(repr=False)
    algorithm: str = "sha512"


@dataclass(frozen=True)
class Addresses:
    """Absolute addresses that the customer is sent to; the ones after `cancelled` may be "".

    home and catalogue may be "NONE", which hides their buttons.
    """

    accepted: str
    declined: str
    uncertain: str
    cancelled: str
    back: str = ""
    home: str = ""
    catalogue: str = ""


@dataclass(frozen=True)
class Payment:
    """What is paid. amount: Decimal of major units; currency: "EUR"; order: ORDERID, see order.order_of."""

    amount: Decimal
    currency: str
    order: str
    description: str = ""


@dataclass(frozen=True)
class Customer:
    """Who pays, as it stands in the customer's record; anything may be empty.

    country  ISO 3166-1 alpha-2
    phone    one number, "+", calling code and national number: "+33612345678"
    """

    name: str = ""
    email: str = ""
    street: str = ""
    street2: str = ""
    zip_code: str = ""
    city: str = ""
    country: str = ""
    phone: str = ""


@dataclass(frozen=True)
class Alias:
    """The card is to be remembered, if the customer agrees to `consent` (text beside the box).

    name  1 to 50 letters, digits, - and _; "" lets the platform choose. kept: False deletes it after use
    """

    consent: str
    name: str = ""
    kept: bool = True


@dataclass(frozen=True)
class Look:
    """Static layout: colours as #RRGGBB or by name, logo an address or file name, template (TP) likewise."""

    title: str = ""
    background: str = ""
    text: str = ""
    table_background: str = ""
    table_text: str = ""
    button_background: str = ""
    button_text: str = ""
    font: str = ""
    logo: str = ""
    template: str = ""


@dataclass(frozen=True)
class Options:
    """How it is paid.

    operation  "SAL" takes the money at once, "RES" only reserves it
    language   a language of Odoo ("fr_BE") or of the platform
    method     methods.Method; pm_list and excluded: tuples of PM (str) to show, or not to show
    layout     one of LAYOUTS: how the means of payment are listed; window: of 3-D Secure, of WINDOWS
    device     one of DEVICES
    echo       comes back signed (COMPLUS); unsigned_echo: a query string that comes back unsigned (PARAMPLUS)
    variable   replaces <PARAMVAR> in the feedback address of the back office
    credit_debit  "C" or "D": only credit or only debit cards
    """

    operation: str = "SAL"
    language: str = DEFAULT_LANGUAGE
    method: Method = Method()
    pm_list: tuple = ()
    excluded: tuple = ()
    layout: str = ""
    window: str = ""
    device: str = ""
    credit_debit: str = ""
    echo: str = ""
    unsigned_echo: str = ""
    variable: str = ""
    alias: Alias | None = None
    look: Look = Look()


def form(merchant, payment, addresses, customer=None, options=None):
    """The form as an ordered list of (name, value) str pairs, SHASIGN last; no value is empty.

    For `orderstandard_utf8.asp`. Values are as they are signed: whoever writes them into HTML escapes them.
    The name of an API user is not among them: a browser would show it. ProtocolError names the field; its
    codes are "pspid", "passphrase", "algorithm", "amount", "decimals", "currency", "order", "url", "method",
    "alias", "consent", "choice", "colour", "text" and "type".
    """
    customer, options = customer or Customer(), options or Options()
    _check_types(merchant, payment, addresses, customer, options)
    fields = [
        ("PSPID", check_pspid(merchant.pspid)),
        ("ORDERID", check_order(payment.order)),
        ("AMOUNT", str(hundredths(payment.amount, payment.currency))),
        ("CURRENCY", check_currency(payment.currency)),
        ("LANGUAGE", language(options.language)),
        # the account's own default would hold otherwise
        ("OPERATION", one_of("operation", options.operation, OPERATIONS)),
        ("COM", cut("COM", payment.description)),
        *customer_fields(customer),
        *_address_fields(addresses),
        *_method_fields(options),
        *_option_fields(options),
        *_alias_fields(options.alias),
        *_look_fields(options.look),
    ]
    return signed(fields, merchant.passphrase, merchant.algorithm)


def signed(fields, passphrase, algorithm):
    """Fields without the empty ones, and SHASIGN; ProtocolError codes "passphrase", "algorithm", "value"."""
    check_algorithm(algorithm)
    if not isinstance(passphrase, str) or not passphrase:
        raise ProtocolError("There is no SHA-IN passphrase.", "passphrase", "passphrase")
    try:
        fields = [(name, value) for name, value in fields if value]
    except (TypeError, ValueError):
        raise ProtocolError("The form is a list of (name, value).", code="value") from None
    return [*fields, (NAME, sign(fields, passphrase, algorithm))]


def language(code):
    """LANGUAGE (str) for a language of Odoo: its own, its language's, or DEFAULT_LANGUAGE."""
    if not isinstance(code, str):
        return DEFAULT_LANGUAGE
    code = code.replace("-", "_")
    found = next((one for one in LANGUAGES if one.lower() == code.lower()), "")
    short = re.split("[_@]", code.lower(), maxsplit=1)[0]
    return found or _SHORT_LANGUAGES.get(short, DEFAULT_LANGUAGE)


def check_pspid(text):
    """Return `text` when it may be a PSPID: 1 to 30 letters, digits and . _ -; ProtocolError code "pspid"."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,30}", text, re.ASCII):
        raise ProtocolError("The PSPID has 1 to 30 letters and digits.", "pspid", "pspid")
    return text


def check_order(text):
    """Return `text` when it may be an ORDERID; ProtocolError code "order"."""
    if not is_order(text):
        raise ProtocolError("The order number has 1 to 40 letters, digits and _ / -.", "order", "order")
    return text


def check_alias(text):
    """Return `text` when it may be an ALIAS: 1 to 50 letters, digits, _ and -; ProtocolError code "alias".

    What may be a card number is refused: the platform does not take it (50001216), and nobody may keep it.
    """
    if not isinstance(text, str) or not _ALIAS.fullmatch(text) or _may_be_card(text):
        raise ProtocolError("The alias has 1 to 50 letters, digits, _ and -.", "alias", "alias")
    return text


def _may_be_card(text):
    digits = text.replace("-", "")
    if not re.fullmatch(r"[0-9]{12,19}", digits, re.ASCII):
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[::-2]))) % 10 == 0


def one_of(name, value, choices):
    """Return `value` when it is one of `choices`, all str; ProtocolError code "choice"."""
    if not isinstance(value, str) or not isinstance(choices, (tuple, list)) or value not in choices:
        raise ProtocolError("This is none of the possible values.", _field(name), "choice")
    return value


def _field(name):
    return name if isinstance(name, str) else ""


def cut(name, text):
    """A free text (str) within what the platform takes for a field of LIMITS; ProtocolError code "text"."""
    if not isinstance(name, str) or name not in LIMITS:
        raise ProtocolError("This field has no free text.", code="text")
    return clean(text, LIMITS[name])


def customer_fields(customer):
    """[(name, value)] of a Customer, empty ones among them; whatever stands in a record is made to fit."""
    if not isinstance(customer, Customer):
        raise ProtocolError("The customer is a Customer.", "customer", "type")
    streets = [part for part in (clean(customer.street, 200), clean(customer.street2, 200)) if part]
    country = clean(customer.country, 3).upper()
    return [
        ("CN", _card_holder(customer.name)),
        ("EMAIL", _email(customer.email)),
        ("OWNERADDRESS", cut("OWNERADDRESS", ", ".join(streets))),
        ("OWNERZIP", cut("OWNERZIP", customer.zip_code)),
        ("OWNERTOWN", cut("OWNERTOWN", customer.city)),
        ("OWNERCTY", country if re.fullmatch(r"[A-Z]{2}", country, re.ASCII) else ""),
        ("OWNERTELNO", _phone(customer.phone)),
    ]


def _check_types(merchant, payment, addresses, customer, options):
    for name, value, kind in (
        ("merchant", merchant, Merchant),
        ("payment", payment, Payment),
        ("addresses", addresses, Addresses),
        ("customer", customer, Customer),
        ("options", options, Options),
        ("method", options.method if isinstance(options, Options) else None, Method),
        ("look", options.look if isinstance(options, Options) else None, Look),
    ):
        if not isinstance(value, kind):
            raise ProtocolError(f"This is no {kind.__name__}.", name, "type")


def _card_holder(name):
    # the platform refuses quotation marks here
    return cut("CN", re.sub("['\"]", "", name)) if isinstance(name, str) else ""


def _email(email):
    # half an address is somebody else's
    text = email.strip() if isinstance(email, str) else ""
    return text if len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text) else ""


def _phone(phone):
    # half a number is somebody else's, and so are two in a row
    return phone if isinstance(phone, str) and _PHONE.fullmatch(phone) else ""


def _address_fields(addresses):
    fields = [
        ("ACCEPTURL", url("accepted", addresses.accepted)),
        ("DECLINEURL", url("declined", addresses.declined)),
        ("EXCEPTIONURL", url("uncertain", addresses.uncertain)),
        ("CANCELURL", url("cancelled", addresses.cancelled)),
    ]
    more = [("BACKURL", "back"), ("HOMEURL", "home"), ("CATALOGURL", "catalogue")]
    for name, member in more:
        value = getattr(addresses, member)
        hidden = value == "NONE" and name != "BACKURL"
        fields.append((name, value if hidden or value == "" else url(member, value)))
    return fields


def url(name, address):
    """Return `address` (str) when the platform takes it: absolute, plain ASCII, MAX_URL long; code "url"."""
    text = address if isinstance(address, str) else ""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.fragment
    except ValueError:
        good = False
    if not good or len(text) > MAX_URL or not _PRINTABLE.fullmatch(text):
        raise ProtocolError(
            f"An address is absolute and at most {MAX_URL} characters long.",
            _field(name),
            "url",
        )
    return text


def _method_fields(options):
    method = options.method
    shown = (*_names(method.pm_list), *_names(options.pm_list))
    return [
        ("PM", _name(method.pm)),
        ("BRAND", _name(method.brand)),
        # one that is preselected is the only one
        ("PMLIST", "" if method.pm else ";".join(dict.fromkeys(shown))),
        ("EXCLPMLIST", ";".join(dict.fromkeys(_names(options.excluded)))),
    ]


def _names(names):
    if not isinstance(names, (tuple, list)) or len(names) > 50:
        raise ProtocolError("The means of payment are a list of names.", "method", "method")
    return [_name(name, required=True) for name in names]


def _name(text, required=False):
    if not isinstance(text, str) or (required and not text) or len(text) > MAX_NAME or ";" in text:
        raise ProtocolError(f"A means of payment has at most {MAX_NAME} characters.", "method", "method")
    if text != clean(text, MAX_NAME):
        raise ProtocolError("A means of payment is written on one line.", "method", "method")
    return text


def _option_fields(options):
    return [
        ("PMLISTTYPE", one_of("layout", options.layout, ("", *LAYOUTS))),
        ("WIN3DS", one_of("window", options.window, ("", *WINDOWS))),
        ("DEVICE", one_of("device", options.device, ("", *DEVICES))),
        ("CREDITDEBIT", one_of("credit_debit", options.credit_debit, ("", "C", "D"))),
        ("COMPLUS", _echo("echo", options.echo)),
        ("PARAMPLUS", _echo("unsigned_echo", options.unsigned_echo)),
        ("PARAMVAR", _variable(options.variable)),
    ]


def _echo(name, text):
    if text and (not isinstance(text, str) or len(text) > MAX_ECHO or not _PRINTABLE.fullmatch(text)):
        raise ProtocolError(f"What comes back has at most {MAX_ECHO} plain characters.", name, "text")
    return text


def _variable(text):
    if text and (not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9]{2,50}", text, re.ASCII)):
        raise ProtocolError("The variable has 2 to 50 letters and digits.", "variable", "text")
    return text


def _alias_fields(alias):
    if alias is None:
        return []
    if not isinstance(alias, Alias):
        raise ProtocolError("This is no Alias.", "alias", "type")
    consent = cut("ALIASUSAGE", alias.consent)
    if not consent:
        raise ProtocolError("The customer has to read what the card is kept for.", "consent", "consent")
    named = [("ALIAS", check_alias(alias.name))] if alias.name else [("ALIASOPERATION", "BYPSP")]
    return [*named, ("ALIASUSAGE", consent), ("ALIASPERSISTEDAFTERUSE", "N" if alias.kept is False else "Y")]


def check_look(look):
    """Return a Look when the platform takes it; ProtocolError codes "colour", "url"."""
    _look_fields(look)
    return look


def _look_fields(look):
    return [
        ("TITLE", cut("TITLE", look.title)),
        ("BGCOLOR", _colour("background", look.background)),
        ("TXTCOLOR", _colour("text", look.text)),
        ("TBLBGCOLOR", _colour("table_background", look.table_background)),
        ("TBLTXTCOLOR", _colour("table_text", look.table_text)),
        ("BUTTONBGCOLOR", _colour("button_background", look.button_background)),
        ("BUTTONTXTCOLOR", _colour("button_text", look.button_text)),
        ("FONTTYPE", cut("FONTTYPE", look.font)),
        ("LOGO", _file("logo", look.logo)),
        ("TP", _file("template", look.template)),
    ]


def _colour(name, text):
    if text and (not isinstance(text, str) or not _COLOUR.fullmatch(text)):
        raise ProtocolError("A colour is written as #RRGGBB or by its name.", name, "colour")
    return text


def _file(name, text):
    if not text:
        return ""
    if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9._-]{1,100}", text, re.ASCII):
        return text
    return url(name, text)
