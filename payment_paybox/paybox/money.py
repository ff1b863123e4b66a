"""Amounts and currencies as the platform writes them. Amounts are int minor units, never float.

Source: protocols/paybox.md, 1.3 and 5.
"""

import re

import pycountry

from .errors import ProtocolError

MAX_AMOUNT = 10**10 - 1  # PBX_TOTAL and MONTANT have ten digits
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)  # int() itself would take "1_0", " 1 " and Arabic digits


def currency_number(alpha):
    """ISO 4217 number ("978") of a currency code ("EUR"); ProtocolError code "currency"."""
    if isinstance(alpha, str) and re.fullmatch(r"[A-Z]{3}", alpha, re.ASCII):
        found = pycountry.currencies.get(alpha_3=alpha)
        if found is not None:
            return found.numeric
    raise ProtocolError("The currency is no ISO 4217 code of three letters.", "currency", "currency")


def check_amount(amount):
    """Refuse what is not an int from 1 to MAX_AMOUNT (minor units); ProtocolError code "amount"."""
    if type(amount) is not int or not 1 <= amount <= MAX_AMOUNT:
        raise ProtocolError(
            f"The amount is a whole number of minor units from 1 to {MAX_AMOUNT}.", "amount", "amount"
        )


def amount_text(amount):
    """PBX_TOTAL of `amount` (int minor units): at least three digits, 25 is "025"; code "amount"."""
    check_amount(amount)
    return f"{amount:03d}"


def read_amount(text):
    """Minor units (int) of a number as the platform writes it, None when it is none."""
    return int(text) if isinstance(text, str) and _DIGITS.fullmatch(text) else None
