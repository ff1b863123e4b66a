"""Who pays, as 3-D Secure 2 wants to know it: two XML documents that the platform always accepts.

It refuses accents, line ends, empty elements, country 000 and quantities outside 1 to 99 without saying so,
and some banks whatever is no letter, digit or space. Which number of a national plan is too long is not
established: one is never cut.
Source: protocols/paybox.md, 1.4 and 10.
"""

import re
import unicodedata
from dataclasses import dataclass
from xml.sax.saxutils import escape

import pycountry
from anyascii import anyascii

HEAD = '<?xml version="1.0" encoding="utf-8"?>'
UNKNOWN = "Unknown"  # an element must not be empty
DEFAULT_COUNTRY = "250"
MAX_QUANTITY = 99
MAX_NAME, MAX_STREET, MAX_ZIP, MAX_CITY = 22, 50, 10, 50
IN_NAMES = "/-'"  # Jean-Pierre, d'Angelo: what the platform's own service has confirmed for names only
_APOSTROPHES = "'’‘ʼʻ`´"
_CALLING_CODE = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_NATIONAL_NUMBER = re.compile(r"[0-9]{4,15}", re.ASCII)


@dataclass(frozen=True)
class Buyer:
    """Name and address as they stand in the customer's record; any text may be empty.

    street     may hold street2 too, as an Odoo payment's address does
    countries  ISO 3166-1 alpha-2 codes, the first usable one counts (customer, then company)
    calling_code, phone  digits of one number: "33" and "612345678"
    """

    first_name: str = ""
    last_name: str = ""
    street: str = ""
    street2: str = ""
    zip_code: str = ""
    city: str = ""
    countries: tuple = ()
    calling_code: str = ""
    phone: str = ""


def shopping_cart(quantity):
    """PBX_SHOPPINGCART (str) for a number of articles; anything outside 1 to 99 is brought inside."""
    number = quantity if isinstance(quantity, int) else 1
    number = min(max(number, 1), MAX_QUANTITY)
    total = f"<total><totalQuantity>{number:d}</totalQuantity></total>"
    return f"{HEAD}<shoppingcart>{total}</shoppingcart>"


def billing(buyer):
    """PBX_BILLING (str) of a Buyer: always well-formed, of letters, digits and spaces, within the limits."""
    first, last = _names(buyer)
    street, more = address_lines(buyer.street, buyer.street2)
    elements = [
        ("FirstName", first or UNKNOWN),
        ("LastName", last or UNKNOWN),
        ("Address1", street or UNKNOWN),
        ("Address2", more),
        ("ZipCode", plain(buyer.zip_code, MAX_ZIP) or "00000"),
        ("City", plain(buyer.city, MAX_CITY) or UNKNOWN),
        ("CountryCode", country_number(buyer.countries)),
        *_phone_elements(buyer),
    ]
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements if text)
    return f"{HEAD}<Billing><Address>{inside}</Address></Billing>"


def plain(text, limit, others=""):
    """`text` in the Latin letters, digits and single spaces that every bank takes, at most `limit` of them.

    Letters of all alphabets are transliterated; any other character becomes a space.

    :param others: characters that stay as well; a dash or an apostrophe of any kind is one of them
    """
    text = unicodedata.normalize("NFKC", text[: 10 * limit]) if isinstance(text, str) else ""
    text = "".join(_plain_character(char, others) for char in text)
    # a sign that stands alone says nothing
    words = (word for word in text.split() if word.strip(others))
    return " ".join(words)[:limit].strip()


def _plain_character(char, others):
    if char in others:
        return char
    kind = unicodedata.category(char)
    if kind[0] in "LNM":
        found = "".join(one for one in anyascii(char) if one.isalnum())
        return found or ("'" if "'" in others and char in _APOSTROPHES else "")
    if kind == "Pd" and "-" in others:
        return "-"
    return "'" if "'" in others and char in _APOSTROPHES else " "


def address_lines(street, street2, width=MAX_STREET):
    """(Address1, Address2) of the lines of an address: nothing is repeated, nothing is cut that has room.

    A line that is too long goes on in the second, from a word's beginning.
    """
    first, second = plain(street, 10 * width), plain(street2, 10 * width)
    if second and f" {first}".lower().endswith(f" {second}".lower()):
        first = first[: -len(second)].strip()
    if not first:
        first, second = second, ""
    line = _line(first, width)
    return line, _line(f"{first[len(line) :]} {second}".strip(), width)


def _line(text, width):
    """As many whole words as `width` characters hold, at least a part of the first."""
    if len(text) <= width:
        return text
    return text[: width + 1].rpartition(" ")[0] or text[:width]


def _names(buyer):
    """(first name, last name): a company has one name, which stands for both."""
    first, last = (plain(name, MAX_NAME, IN_NAMES) for name in (buyer.first_name, buyer.last_name))
    return first or last, last or first


def country_number(countries):
    """ISO 3166-1 number ("250") of the first code (alpha-2) that has one, France's when none has."""
    for code in countries:
        if isinstance(code, str) and re.fullmatch(r"[A-Za-z]{2}", code, re.ASCII):
            found = pycountry.countries.get(alpha_2=code.upper())
            if found is not None:
                return found.numeric
    return DEFAULT_COUNTRY


def _phone_elements(buyer):
    code, number = buyer.calling_code, buyer.phone
    known = isinstance(code, str) and isinstance(number, str)
    if known and _CALLING_CODE.fullmatch(code) and _NATIONAL_NUMBER.fullmatch(number):
        return [("CountryCodeMobilePhone", f"+{code}"), ("MobilePhone", number)]
    return []
