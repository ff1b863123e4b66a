"""A telephone number as people write it: the calling code and the national number, or nothing.

Payment platforms want the two apart, and half a number is somebody else's. This module is only loaded by
addons that name `phonenumbers` among their dependencies.
Source: `phonenumbers` (numbering plans of ITU-T E.164); protocols/paybox.md, 1.4 and 10.
"""

import re
import unicodedata

import phonenumbers

MAX_TEXT = 250  # characters of a field that are looked at
# letters ("ou", "poste", "ext."), commas, lines and the "+" of the next number end a number
_NUMBERS = re.compile(r"\+?[0-9][0-9 ().\[\]/~‐-―−-]*")
# a stroke, a dash between spaces or a wide space may stand inside a number as well as between two
_PARTS = re.compile(r"/| [‐-―−-] |  +")
_NOT_A_TRUNK_ZERO = re.compile(r"\( *0 *\)")


def first_phone(candidates):
    """Return (calling code, national number) as digits (str) of the first usable number, ("", "") of none.

    :param candidates: pairs (text, regions): regions are ISO 3166-1 alpha-2 codes, the first one is where a
        number is dialled that is written without a calling code
    """
    for text, regions in candidates:
        found = _of_text(text[:MAX_TEXT], _known(regions)) if isinstance(text, str) else None
        if found:
            return found
    return "", ""


def _known(regions):
    codes = [code.upper() for code in regions if isinstance(code, str)]
    return [code for code in codes if code in phonenumbers.SUPPORTED_REGIONS]


def _of_text(text, regions):
    """Return the first number of a text that may hold several, None when it holds none."""
    # "０３", "٠٦", spaces that do not break
    text = unicodedata.normalize("NFKC", text)
    text = "".join(str(unicodedata.decimal(char, char)) for char in text)
    text = re.sub(r"\+\s+", "+", text)
    for chunk in _NUMBERS.findall(text):
        found = _of_chunk(chunk, regions)
        if found:
            return found
    # "06,12,34,56,78"
    return None if re.search(r"[^\W\d_]", text) else _read(text.replace(",", " "), regions)


def _of_chunk(chunk, regions):
    """Return the number of a text without letters: as a whole, unless two of its parts are numbers."""
    parts = _PARTS.split(chunk)
    if len(parts) == 1:
        return _read(chunk, regions) or _of_two(chunk, regions) or _read_international(chunk)
    found = list(filter(None, (_read(part, regions) for part in parts)))
    whole = _read(chunk, regions) if len(found) < 2 else None
    return whole or next(iter(found), None)


def _of_two(chunk, regions):
    """Return the first of two numbers with nothing but a space between them, None when they are not two."""
    words = chunk.split()
    for size in range(1, len(words)):
        found = _read(" ".join(words[size:]), regions) and _read(" ".join(words[:size]), regions)
        if found:
            return found
    return None


def _read(text, regions):
    """Return (calling code, national number) of a text that is one number, None when it is none."""
    digits = re.sub("[^0-9]", "", text)
    if not 4 <= len(digits) <= 20:
        return None
    for written, region in _readings(text.strip(), digits, regions):
        number = _parsed(written, region)
        if number and phonenumbers.is_valid_number(number):
            return _pair(number)
    return None


def _read_international(text):
    """Return the number of a text that names its country: the right length is enough, as plans change."""
    text = re.sub("^00", "+", text.strip())
    number = _parsed(text, None) if text.startswith("+") else None
    return _pair(number) if number and phonenumbers.is_possible_number(number) else None


def _parsed(text, region):
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _pair(number):
    return str(number.country_code), phonenumbers.national_significant_number(number)


def _readings(text, digits, regions):
    """Yield (text, region) of each way to read a number, the likeliest first."""
    without = _NOT_A_TRUNK_ZERO.sub("", text)
    if text.startswith("+"):
        yield text, None
        yield without, None
        return
    if digits.startswith("00"):
        yield f"+{digits[2:]}", None
    for region in regions[:1]:
        yield text, region
        yield without, region
    for region in regions:
        # the calling code without its "+"
        if digits.startswith(str(phonenumbers.country_code_for_region(region))):
            yield f"+{digits}", None
