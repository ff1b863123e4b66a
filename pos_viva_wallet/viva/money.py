"""Amounts and currencies. Amounts are int minor units; only some webhooks tell major units.

Source: protocols/viva.md, 1.3 (amount, currencyCode), 1.8 and 2.3.
"""

from decimal import Decimal

import pycountry

from .errors import ProtocolError

MAX_AMOUNT = 10**12 - 1
# ISO 4217 numbers of the currencies that do not have two decimals
_DECIMALS = {
    # BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    **dict.fromkeys("108 152 262 324 352 392 174 410 600 646 800 940 704 548 950 952 953".split(), 0),
    **dict.fromkeys("048 368 400 414 434 512 788".split(), 3),  # BHD IQD JOD KWD LYD OMR TND
    **dict.fromkeys("990 927".split(), 4),  # CLF UYW
}


def check_amount(amount, lowest=1, field="amount"):
    """Return `amount` when it is an int from `lowest` to MAX_AMOUNT; ProtocolError code "amount".

    A bool, a float and a Decimal are refused, also when they are whole: Viva.com refuses 510.0 too.
    """
    if type(amount) is not int or not lowest <= amount <= MAX_AMOUNT:
        sentence = f"The amount is a whole number of minor units from {lowest} to {MAX_AMOUNT}."
        raise ProtocolError(sentence, field, "amount")
    return amount


def check_currency(number):
    """Return `number` when it is an ISO 4217 number ("978", three digits); ProtocolError code "currency"."""
    if isinstance(number, str) and pycountry.currencies.get(numeric=number) is not None:
        return number
    raise ProtocolError("The currency is no ISO 4217 number of three digits.", "currency", "currency")


def digits(number):
    """Decimals (int) of a currency ("978": 2, "392": 0); ProtocolError code "currency"."""
    return _DECIMALS.get(check_currency(number), 2)


def read_currency(value):
    """The ISO 4217 number ("978") of what was told as text or number, "" when it is none that exists."""
    if type(value) is int and 0 <= value < 1000:
        value = f"{value:03d}"
    try:
        return check_currency(value)
    except ProtocolError:
        return ""


def read_minor(value):
    """Minor units of a session (int, also below zero), None when it is no whole number.

    A whole Decimal counts: a server that writes 200.0 for 200 means the same.
    """
    if isinstance(value, Decimal):
        return _whole(value, 0)
    return value if type(value) is int and abs(value) <= MAX_AMOUNT else None


def minor_of_major(value, decimals):
    """Minor units (int) of major units as a webhook tells them (int or Decimal); None when it is no such.

    decimals  of the currency, int. Nothing is rounded: 42.0 is 4200, and 42.005 of two decimals is nothing.
    """
    if type(value) is int:
        value = Decimal(value)
    return _whole(value, decimals) if isinstance(value, Decimal) else None


def _whole(value, decimals):
    sign, figures, exponent = value.as_tuple()
    # before any arithmetic: 1e999999 has a million digits
    if not value.is_finite() or len(figures) > 40 or abs(exponent) > 40:
        return None
    coefficient, shift = int("".join(map(str, figures))), exponent + decimals
    minor, rest = (coefficient * 10**shift, 0) if shift >= 0 else divmod(coefficient, 10**-shift)
    if rest or minor > MAX_AMOUNT:
        return None
    return -minor if sign else minor
