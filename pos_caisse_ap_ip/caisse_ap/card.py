"""Card numbers never leave this room: at most the first six and the last four characters do.

Source: protocols/caisse_ap.md, 2 (AA, AD), 7.1.
"""

import re

_SEPARATORS = re.compile(r"[\s.-]+")
_NUMBER = re.compile(r"[0-9]{12,19}", re.ASCII)
_LEADING_DIGITS = re.compile(r"[0-9]{12,}", re.ASCII)
# Below 15 digits French slips are full of numbers with a right check digit: a SIRET has 14.
_CARD = re.compile(
    r"(?<![0-9])(?:[0-9]{15,19}"
    r"|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{3,7}"
    r"|[0-9]{4}([ -])[0-9]{6}\2[0-9]{5})(?![0-9])",
    re.ASCII,
)
_CHEQUE_LINE = re.compile(r"[A-Z ]?[0-9]{7}[A-Z ]?[0-9]{12}[A-Z ]?[0-9]{12}[A-Z ]?", re.ASCII)
_WIDEST = 64
_AA_READ = 4


def is_cheque_line(text):
    """Whether `text` is a CMC7 line: 7, 12 and 12 digits with at most a mark around each.

    Such a line holds no card number, so nothing in it is masked, whatever its check digits look like.
    """
    return bool(_CHEQUE_LINE.fullmatch(text))


def mask_pan(text):
    """`text` of AA (a card number, a partial one or a token) with first 6 and last 4 characters at most.

    Ten characters or fewer keep their last four. After a full number comes, on a magnetic stripe, its expiry
    date: nothing behind the number is shown, and of a run too long for a card number only its head.
    """
    compact = _SEPARATORS.sub("", text)
    leading = _LEADING_DIGITS.match(compact)
    if leading:
        compact = leading[0]
    hidden = len(compact) - 10
    if hidden <= 0:
        shown = "*" * (len(compact) - 4) + compact[-4:]
    elif leading and len(compact) > 19:
        shown = compact[:6] + "*" * 10
    else:
        shown = compact[:6] + "*" * min(hidden, _WIDEST - 10) + compact[-4:]
    return re.sub(r"[^0-9A-Za-z]", "*", shown)


def numbers_in(pairs):
    """The full card numbers that the AA fields of `pairs` tell, as a set of digit strings.

    Only the first few AA are looked at: one is normal, and a flood of them must not cost quadratic time.
    """
    texts = [_SEPARATORS.sub("", value) for tag, value in pairs if tag == "AA"][:_AA_READ]
    return {number for text in texts for number in _NUMBER.findall(text)}


def hide_numbers(text, numbers):
    """`text` in which each of `numbers` (digit strings) is masked, written in groups or not."""
    for number in sorted(numbers, key=len, reverse=True):
        text = re.sub("[ .-]?".join(number), mask_pan(number), text)
    return text


def hide_cards(text):
    """`text` in which whatever looks like a full card number, by its check digit, is masked."""
    return _CARD.sub(_hidden, text)


def _hidden(match):
    return mask_pan(match[0]) if _has_check_digit(_SEPARATORS.sub("", match[0])) else match[0]


def _has_check_digit(digits):
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(value - 9 * (value > 9) for value in doubled)) % 10 == 0
