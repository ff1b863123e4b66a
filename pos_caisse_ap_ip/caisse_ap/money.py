"""Amounts and currencies as the protocol writes them. Amounts are int minor units, never float.

Source: protocols/caisse_ap.md, 2 (CB, CE).
"""

import re

import pycountry

from .errors import ProtocolError

MAX_AMOUNT = 10**12 - 1  # CB has 12 digits
_DIGITS = re.compile(r"[0-9]{1,12}", re.ASCII)  # int() itself would take "1_0", " 1 " and Arabic digits


def currency_number(alpha):
    """ISO 4217 number ("978") of a currency code ("EUR"); ProtocolError code "currency"."""
    if isinstance(alpha, str) and re.fullmatch(r"[A-Z]{3}", alpha):
        found = pycountry.currencies.get(alpha_3=alpha)
        if found is not None:
            return found.numeric
    raise ProtocolError("The currency is no ISO 4217 code of three letters.", "currency", "currency")


def currency_alpha(number):
    """ISO 4217 code ("EUR") of a number ("978"); ProtocolError code "currency"."""
    if isinstance(number, str) and re.fullmatch(r"[0-9]{3}", number, re.ASCII):
        found = pycountry.currencies.get(numeric=number)
        if found is not None:
            return found.alpha_3
    raise ProtocolError("The currency is no ISO 4217 number of three digits.", "currency", "currency")


def check_amount(amount):
    """Refuse what is not an int from 1 to MAX_AMOUNT (minor units); ProtocolError code "amount"."""
    if type(amount) is not int or not 1 <= amount <= MAX_AMOUNT:
        raise ProtocolError(
            f"The amount is a whole number of minor units from 1 to {MAX_AMOUNT}.", "amount", "amount"
        )


def amount_text(amount):
    """CB of `amount` (int minor units): at least two digits, 5 is "05"; ProtocolError code "amount"."""
    check_amount(amount)
    return f"{amount:02d}"


def read_amount(text):
    """Minor units (int) of a CB as terminals write it, zero padded or not; None when it is no number."""
    return int(text) if _DIGITS.fullmatch(text) else None
