"""Amounts and currencies as the platform writes them. Amounts are Decimal in major units, never float.

Requests hold hundredths in every currency, also of those that have none; answers hold a plain decimal.
Source: protocols/ogone.md, 1.3 (AMOUNT, CURRENCY), 2.1 and 3.3.
"""

import re
from decimal import Decimal
from fractions import Fraction

from .errors import ProtocolError

MAX_HUNDREDTHS = 10**15 - 1
# ISO 4217: currencies without decimals; the platform refuses a part of one (50001121)
WHOLE = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,13}(\.[0-9]{1,4})?", re.ASCII)


def check_currency(code):
    """Return `code` when it is three capital letters ("EUR"); ProtocolError code "currency"."""
    if not isinstance(code, str) or not _CURRENCY.fullmatch(code):
        raise ProtocolError("The currency is a code of three letters.", "currency", "currency")
    return code


def hundredths(amount, currency):
    """AMOUNT (int, 1 to MAX_HUNDREDTHS) of `amount` (Decimal of major units) in `currency` ("EUR").

    Nothing is rounded. ProtocolError codes "currency", "amount", and "decimals" for a fraction that the
    platform cannot be told: 100.50 JPY, 1.234 TND.
    """
    check_currency(currency)
    if not isinstance(amount, Decimal) or not amount.is_finite():
        raise _refused("The amount is a Decimal of major units.")
    # before any arithmetic: a number may have millions of digits
    if abs(amount.adjusted()) > 20 or len(amount.as_tuple().digits) > 40:
        raise _refused("The amount is out of range.")
    number = Fraction(amount) * (1 if currency in WHOLE else 100)
    if number.denominator != 1:
        raise ProtocolError("The amount has more decimals than the platform takes.", "amount", "decimals")
    number = number.numerator * (100 if currency in WHOLE else 1)
    if not 1 <= number <= MAX_HUNDREDTHS:
        raise _refused("The amount is out of range.")
    return number


def read_amount(text):
    """Decimal of major units of "15" or "1111.11" as an answer has it, None when it is none."""
    return Decimal(text) if isinstance(text, str) and _DECIMAL.fullmatch(text) else None


def shown(amount):
    """`amount` (Decimal) as plain digits, "" for what is none."""
    return f"{amount:f}" if isinstance(amount, Decimal) else ""


def _refused(sentence):
    return ProtocolError(sentence, "amount", "amount")
