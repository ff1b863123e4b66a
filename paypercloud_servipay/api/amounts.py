"""Amounts and currencies: exact, in minor units, never through binary arithmetic.

`digits` is the number of decimals of the currency (EUR 2, JPY 0, BHD 3; 4 exists, CLF and UYW).
Formats (`fmt`): minor_int 1234, minor_str "1234", decimal_num 12.34, decimal_str "12.34".
Source: protocols/paypercloud.md, 3 (lesson 6); architecture.md, money rule 9.
"""

import re
from decimal import Decimal

import pycountry

from .errors import ProtocolError, shown

FORMATS = ("minor_int", "minor_str", "decimal_num", "decimal_str")
MAX_DIGITS = 4
# Decimals by ISO 4217; all others have two. Terminals and platforms know no other rule, whatever a currency's
# rounding in the books is.
_DECIMALS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
MAX_MINOR = 10**15 - 1  # 15 digits: what a JSON number read as a double still holds exactly
# ASCII only and no exponent: Decimal() itself would take "1_000", " 12 ", "1e3" and Arabic digits
_PLAIN = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,20}", re.ASCII)


def to_minor(amount, digits):
    """Minor units (int) of `amount` in major units (Decimal, str, int, or float read by its repr).

    ProtocolError code "amount" when it is not a finite number, negative, above MAX_MINOR, or not a
    whole number of minor units: nothing is ever rounded here.
    """
    number = _number(amount)
    _check_digits(digits)
    sign, figures, exponent = number.as_tuple()
    if len(figures) > 60:  # int() is quadratic, and refuses thousands of digits
        raise _refuse("is out of range", amount)
    coefficient = int("".join(map(str, figures)))
    if sign and coefficient:
        raise _refuse("is negative", amount)
    if not coefficient:
        return 0
    if abs(number.adjusted()) > 20:
        raise _refuse("is out of range", amount)
    # integer arithmetic on purpose: Decimal operations round to the ambient context's precision
    shift = exponent + digits
    minor, rest = (coefficient * 10**shift, 0) if shift >= 0 else divmod(coefficient, 10**-shift)
    if rest:
        raise _refuse("has a fraction of a minor unit", amount)
    return _checked_minor(minor)


def from_minor(minor, digits):
    """Decimal of major units, with exactly `digits` decimals, of `minor` (int, 0 to MAX_MINOR)."""
    _check_digits(digits)
    return Decimal((0, tuple(map(int, str(_checked_minor(minor)))), -digits))


def encode(amount, digits, fmt):
    """What a request carries for `amount` (Decimal of major units): int, str or float after `fmt`.

    A float is only made for decimal_num, where its shortest form writes the same digits (15 at most).
    """
    minor = to_minor(amount, digits)
    exact = from_minor(minor, digits)
    if fmt == "minor_int":
        return minor
    if fmt == "minor_str":
        return str(minor)
    if fmt == "decimal_num":
        return float(exact) if digits else minor
    if fmt == "decimal_str":
        return format(exact, "f")
    raise _unknown_format(fmt)


def decode(value, digits, fmt):
    """Decimal of major units of an answer's `value` (str, int, Decimal or float) written in `fmt`.

    A number where text was announced, or the reverse, is accepted when its digits are plain; what is
    ambiguous is not: 12.0 in minor units, "12,34", " 12", bool, NaN, signs, exponents in text.
    """
    _check_digits(digits)
    if fmt in ("minor_int", "minor_str"):
        return from_minor(_whole(value), digits)
    if fmt in ("decimal_num", "decimal_str"):
        return from_minor(to_minor(value, digits), digits)
    raise _unknown_format(fmt)


def decimals(code):
    """Number of decimals of the minor unit of "EUR" (or "978", 978): 2. ProtocolError code "currency"."""
    return _DECIMALS.get(_currency(code).alpha_3, 2)


def currency_alpha(code):
    """ "EUR" of "EUR", "eur", "978" or 978. ProtocolError code "currency" for anything else."""
    return _currency(code).alpha_3


def currency_numeric(code):
    """ "978" of "EUR", "eur", "978" or 978. ProtocolError code "currency" for anything else."""
    return _currency(code).numeric


def _currency(code):
    if isinstance(code, int) and not isinstance(code, bool) and 0 < code < 1000:
        code = f"{code:03d}"
    found = None
    if isinstance(code, str) and re.fullmatch(r"[A-Za-z]{3}", code):
        found = pycountry.currencies.get(alpha_3=code.upper())
    elif isinstance(code, str) and re.fullmatch(r"[0-9]{3}", code):
        found = pycountry.currencies.get(numeric=code)
    if found is None:
        raise ProtocolError(
            f"{shown(code)} is not an ISO 4217 currency.", "currency", "currency", {"value": shown(code)}
        )
    return found


def _number(amount):
    """A finite Decimal of `amount`, exactly as written."""
    if isinstance(amount, float):
        amount = Decimal(repr(amount))
    elif isinstance(amount, str) and _PLAIN.fullmatch(amount):
        amount = Decimal(amount)
    elif isinstance(amount, int) and not isinstance(amount, bool) and abs(amount) <= MAX_MINOR:
        amount = Decimal(amount)
    if not isinstance(amount, Decimal) or not amount.is_finite():
        raise _refuse("is not a plain number", amount)
    return amount


def _whole(value):
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, int):
        return value  # from_minor refuses a bool and what is out of range
    raise _refuse("is not a whole number of minor units", value)


def _checked_minor(minor):
    if not isinstance(minor, int) or isinstance(minor, bool) or not 0 <= minor <= MAX_MINOR:
        raise _refuse("is out of range", minor)
    return minor


def _check_digits(digits):
    if not isinstance(digits, int) or isinstance(digits, bool) or not 0 <= digits <= MAX_DIGITS:
        raise ProtocolError(f"A currency has 0 to {MAX_DIGITS} decimals.", "digits", "digits")


def _unknown_format(fmt):
    return ProtocolError(f"{shown(fmt)} is not an amount format.", "amount_format", "choice")


def _refuse(why, value):
    return ProtocolError(f"The amount {shown(value)} {why}.", "amount", "amount", {"why": why})
