"""What the codes of the protocol mean, as plain data: slugs for programs, product names, no sentences.

Source: protocols/caisse_ap.md, 2, 2.1, 3 and 4.
"""

import re
from types import MappingProxyType
from typing import NamedTuple

# CD. Only SENDABLE ones may be asked for: the others are vendor specific, or act on more than one payment.
ACTIONS = MappingProxyType(
    {
        "0": "debit",
        "1": "credit",
        "2": "reversal",
        "3": "duplicate",
        "7": "deferred_debit",
        "B": "telecollection",
        "C": "management_status",
        "I": "identification",
        "P": "print",
        "R": "reboot",
        "T": "transaction_status",
    }
)
ACTION_CODES = MappingProxyType({slug: code for code, slug in ACTIONS.items()})
MONEY_ACTIONS = frozenset({"debit", "credit", "reversal"})
SENDABLE = MONEY_ACTIONS | {"duplicate", "identification"}

# AE. Any other value says nothing: the result is unknown.
STATUSES = MappingProxyType({"10": "performed", "01": "not_performed", "11": "accepted"})

# CI
READ_MODES = MappingProxyType(
    {"0": "any", "1": "contact", "2": "contactless", "3": "magstripe", "4": "manual"}
)


class ReasonCode(NamedTuple):
    """What an AF code is called and how the till reads it (one of READINGS)."""

    slug: str
    reading: str


READINGS = (
    "approved",
    "declined",
    "cancelled",
    "failed",
    "timeout",
    "configuration",
    "unsupported",
    "unclear",
)

# AF, first two characters. 06 and 11 are read alike: terminals do not agree which button is whose.
REASONS = MappingProxyType(
    {
        "00": ReasonCode("unknown", "failed"),
        "01": ReasonCode("authorised", "approved"),
        "02": ReasonCode("call_bank", "failed"),
        "03": ReasonCode("forced", "approved"),
        "04": ReasonCode("refused", "declined"),
        "05": ReasonCode("forbidden", "declined"),
        "06": ReasonCode("cardholder_abandon", "cancelled"),
        "07": ReasonCode("not_completed", "failed"),
        "08": ReasonCode("input_timeout", "timeout"),
        "09": ReasonCode("bad_format", "configuration"),
        "10": ReasonCode("bad_application", "configuration"),
        "11": ReasonCode("operator_abandon", "cancelled"),
        "12": ReasonCode("unsupported_action", "unsupported"),
        "13": ReasonCode("unsupported_currency", "configuration"),
    }
)
OTHER_REASON = ReasonCode("other", "unclear")


class Application(NamedTuple):
    """A payment application: a slug, and the name under which the product is sold (not translated)."""

    slug: str
    name: str


# CC. 00E is CONECS for the vendors and "CMCIC-Pay TPE" for one integrator: the vendors' word counts, and a
# user interface shows the raw code beside the name.
APPLICATIONS = MappingProxyType(
    {
        "000": Application("any", ""),
        "001": Application("card_contact", "CB/Visa/Mastercard"),
        "00B": Application("card_contactless", "CB/Visa/Mastercard"),
        "002": Application("amex_contact", "American Express"),
        "00D": Application("amex_contactless", "American Express"),
        "003": Application("cb_enseigne", "CB Enseigne"),
        "004": Application("cetelem", "Cetelem"),
        "005": Application("cofinoga", "Cofinoga"),
        "006": Application("diners", "Diners Club"),
        "007": Application("pass", "Pass"),
        "008": Application("franfinance", "Franfinance"),
        "009": Application("jcb", "JCB"),
        "00A": Application("banque_accord", "Banque Accord"),
        "00C": Application("cheque", ""),
        "00E": Application("conecs_contact", "CONECS"),
        "10E": Application("conecs_contactless", "CONECS"),
        "00F": Application("dcc", "DCC"),
        "30F": Application("plbs_dcc_gb", "PLBS-DCC-GB"),
        "00G": Application("quickpass", "QuickPass"),
        "00I": Application("cpei_emv", "CPEI-EMV"),
        "00S": Application("sofinco", "Sofinco"),
        "00U": Application("upi", "UnionPay"),
        "00V": Application("ancv", "ANCV"),
        "101": Application("cb_vad", "CB VAD"),
        "201": Application("quasi_cash", ""),
        "301": Application("plbs", "PLBS"),
        "401": Application("optalion_401", "Optalion"),
        "501": Application("cash_agence", ""),
        "601": Application("pnf", "PNF"),
        "602": Application("p3f", "P3F"),
        "603": Application("optalion_603", "Optalion"),
        "604": Application("preauto_cm", "Preauto-CM"),
        "605": Application("prcme", "PRCME"),
        "607": Application("qr_payment", ""),
        "608": Application("top3_3xcb", "TOP3-3XCB"),
        "609": Application("pnf_hps", "PNF-HPS"),
        "701": Application("ppfca", "PPFCA"),
    }
)


def application_slug(code):
    """Slug of a CC of three characters, "" when the table does not know it."""
    return APPLICATIONS[code].slug if code in APPLICATIONS else ""


def application_name(code):
    """Product name of a CC of three characters, "" when it has none (a slug may) or is unknown."""
    return APPLICATIONS[code].name if code in APPLICATIONS else ""


class Tag(NamedTuple):
    """How long a value of a tag is, in characters, and its format (a key of FORMATS)."""

    shortest: int
    longest: int
    format: str


FORMATS = MappingProxyType(
    {
        "n": re.compile(r"[0-9]*", re.ASCII),  # digits
        "an": re.compile(r"[0-9A-Za-z]*", re.ASCII),  # digits and letters
        "ans": re.compile(r"[ -~]*", re.ASCII),  # printable ASCII
        "raw": re.compile(r".*", re.DOTALL),  # nested fields, base64 with line feeds, terminals' own words
    }
)

TAGS = MappingProxyType(
    {
        "AA": Tag(1, 64, "ans"),
        "AB": Tag(4, 4, "n"),
        "AC": Tag(1, 10, "ans"),
        "AD": Tag(1, 99, "ans"),
        "AE": Tag(2, 2, "n"),
        "AF": Tag(2, 50, "raw"),
        "AG": Tag(4, 4, "ans"),
        "AH": Tag(6, 6, "ans"),
        "AI": Tag(1, 32, "an"),
        "AK": Tag(1, 900, "raw"),
        "AL": Tag(1, 1, "n"),
        "AM": Tag(1, 20, "ans"),
        "AN": Tag(1, 256, "raw"),
        "AP": Tag(13, 13, "ans"),
        "AQ": Tag(2, 20, "ans"),
        "BA": Tag(1, 1, "n"),
        "BB": Tag(1, 1, "n"),
        "BF": Tag(1, 1, "n"),
        "BH": Tag(8, 20, "ans"),
        "BI": Tag(6, 256, "ans"),
        "CA": Tag(1, 2, "n"),  # two by the dictionary, one in PayXpert's samples
        "CB": Tag(2, 12, "n"),
        "CC": Tag(3, 3, "an"),
        "CD": Tag(1, 1, "an"),
        "CE": Tag(3, 3, "n"),
        "CF": Tag(1, 99, "ans"),  # Viva's till sends 183, HiPay's terminals return 32
        "CG": Tag(1, 10, "ans"),
        "CH": Tag(1, 99, "ans"),
        "CI": Tag(1, 1, "n"),
        "CJ": Tag(12, 12, "an"),
        "CK": Tag(3, 3, "n"),
        "CZ": Tag(4, 4, "n"),
        "ID": Tag(1, 999, "ans"),
        "IM": Tag(1, 999, "ans"),
        "OD": Tag(1, 900, "ans"),
        "ZT": Tag(1, 999, "raw"),
    }
)


def fits(tag, value):
    """Whether `value` (str) has a length and a format that TAGS allows for `tag`; any for an unknown tag."""
    if tag not in TAGS:
        return True
    known = TAGS[tag]
    return known.shortest <= len(value) <= known.longest and bool(FORMATS[known.format].fullmatch(value))
