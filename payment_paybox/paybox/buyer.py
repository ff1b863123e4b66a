"""Who pays, as 3-D Secure 2 wants to know it: two XML documents that the platform always accepts.

It refuses accents, line ends, empty elements, country 000 and quantities outside 1 to 99 without saying so.
Source: protocols/paybox.md, 1.4.
"""

import re
import unicodedata
from dataclasses import dataclass
from xml.sax.saxutils import escape

import pycountry

HEAD = '<?xml version="1.0" encoding="utf-8"?>'
UNKNOWN = "Unknown"  # an element must not be empty
DEFAULT_COUNTRY = "250"
MAX_QUANTITY = 99
_LETTERS = str.maketrans(
    {
        **{"Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "ß": "ss", "Ø": "O", "ø": "o", "Đ": "D", "đ": "d"},
        **{"Ł": "L", "ł": "l", "Þ": "Th", "þ": "th", "’": "'", "‘": "'", "–": "-", "—": "-", "\u00a0": " "},
    }
)
# how people abroad reach a country whose numbers are written without it; "" keeps the number as it is
CALLING_CODES = {
    **{"FR": "33", "MC": "377", "BE": "32", "LU": "352", "CH": "41", "DE": "49", "ES": "34", "IT": "39"},
    **{"PT": "351", "NL": "31", "GB": "44", "IE": "353", "AT": "43", "DK": "45", "SE": "46", "NO": "47"},
    **{"GP": "590", "MQ": "596", "GF": "594", "RE": "262", "YT": "262", "PM": "508", "BL": "590"},
    **{"MF": "590", "PF": "689", "NC": "687", "WF": "681", "MA": "212", "DZ": "213", "TN": "216"},
    **{"SN": "221", "CI": "225", "CM": "237", "US": "1", "CA": "1", "PL": "48", "RO": "40", "GR": "30"},
}
# E.164: these prefixes have one or two digits, all others three
_SHORT_CODES = re.compile(r"(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])", re.ASCII)


@dataclass(frozen=True)
class Buyer:
    """Name and address as they stand in the customer's record; any text may be empty.

    countries  ISO 3166-1 alpha-2 codes, the first usable one counts (customer, then company)
    phones     numbers as people write them, the first usable one counts
    """

    first_name: str = ""
    last_name: str = ""
    street: str = ""
    street2: str = ""
    zip_code: str = ""
    city: str = ""
    countries: tuple = ()
    phones: tuple = ()


def shopping_cart(quantity):
    """PBX_SHOPPINGCART (str) for a number of articles; anything outside 1 to 99 is brought inside."""
    number = quantity if isinstance(quantity, int) else 1
    number = min(max(number, 1), MAX_QUANTITY)
    total = f"<total><totalQuantity>{number:d}</totalQuantity></total>"
    return f"{HEAD}<shoppingcart>{total}</shoppingcart>"


def billing(buyer):
    """PBX_BILLING (str) of a Buyer: always well-formed, ASCII, within the limits."""
    first, last = _names(buyer)
    elements = [
        ("FirstName", plain(first, 22) or UNKNOWN),
        ("LastName", plain(last, 22) or UNKNOWN),
        ("Address1", plain(buyer.street, 50) or plain(buyer.street2, 50) or UNKNOWN),
        ("Address2", plain(buyer.street2, 50) if plain(buyer.street, 50) else ""),
        ("ZipCode", plain(buyer.zip_code, 10) or "00000"),
        ("City", plain(buyer.city, 50) or UNKNOWN),
        ("CountryCode", country_number(buyer.countries)),
        *_phone_elements(buyer),
    ]
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements if text)
    return f"{HEAD}<Billing><Address>{inside}</Address></Billing>"


def plain(text, limit):
    """`text` in printable ASCII, without accents and line ends, at most `limit` characters (before XML)."""
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS)) if isinstance(text, str) else ""
    text = "".join(char if " " <= char <= "~" else " " if char.isspace() else "" for char in text)
    return " ".join(text.split())[:limit].strip()


def _names(buyer):
    """A company has one name: it stands for both."""
    first, last = buyer.first_name, buyer.last_name
    return (first if plain(first, 22) else last), (last if plain(last, 22) else first)


def country_number(countries):
    """ISO 3166-1 number ("250") of the first code (alpha-2) that has one, France's when none has."""
    for code in countries:
        if isinstance(code, str) and re.fullmatch(r"[A-Za-z]{2}", code, re.ASCII):
            found = pycountry.countries.get(alpha_2=code.upper())
            if found is not None:
                return found.numeric
    return DEFAULT_COUNTRY


def _phone_elements(buyer):
    for number in buyer.phones:
        prefix, digits = split_phone(number, buyer.countries)
        if digits:
            return [("CountryCodeMobilePhone", f"+{prefix}"), ("MobilePhone", digits)]
    return []


def split_phone(number, countries=()):
    """(calling code, national number) as digits (str), ("", "") when no usable number can be read.

    "06 12 34 56 78" of a French customer and "+33 (0)6 12 34 56 78" both give ("33", "612345678").
    """
    text = number.replace("(0)", "") if isinstance(number, str) else ""
    international = text.strip().startswith(("+", "00"))
    digits = "".join(char for char in text if char in "0123456789")
    if international:
        digits = digits.removeprefix("00") if not text.strip().startswith("+") else digits
        prefix = _calling_code(digits)
        digits = digits[len(prefix) :]
    else:
        known = [CALLING_CODES[code] for code in countries if code in CALLING_CODES]
        prefix = known[0] if known else "33"
    digits = digits.lstrip("0")
    return (prefix, digits) if prefix and 4 <= len(digits) <= 10 else ("", "")


def _calling_code(digits):
    short = _SHORT_CODES.match(digits)
    return short[0] if short else digits[:3]
