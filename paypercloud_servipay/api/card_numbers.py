"""Card numbers in any text, found by their check digit and reduced to first six and last four digits.

They are found as they stand, with separators, percent- or HTML-encoded, in hexadecimal and in base64.
Rather a number too many is hidden than one too few; but a number counts only if it begins as issuers' numbers
of its length do: timestamps, amounts and our own references stay readable. All of it takes linear time.

Source: ISO/IEC 7812-1 (12 to 19 digits, check digit); the ranges are those that the schemes publish.
"""

import base64
import html
import re
import unicodedata
from itertools import accumulate
from urllib.parse import unquote

HIDDEN = "***"
MAX_RUN = 200  # digits; no identifier is that long
OVERLAP = 1024  # characters; the longest spelling of a card number: in base64, or in HTML with its separators

# how the numbers of each length begin; what begins with 0 or 1 is a counter or a moment
_BEGINS = {
    12: re.compile(r"5018|5020|5038|5893|6304|6759|676[1-3]"),
    13: re.compile(r"4|5[06-9]|6"),
    14: re.compile(r"3[0689]|5[06-9]|6"),
    15: re.compile(r"3[47]|2131|1800|5[06-9]|6"),
    16: re.compile(r"2[2-7]|[3-9]"),
    17: re.compile(r"[56]"),
    18: re.compile(r"[56]"),
    19: re.compile(r"[3-689]"),
}
_BEGINS_INSIDE = {16: re.compile(r"2(?:2[2-9]|[3-6]|7[01]|720)|[3-6]"), 15: re.compile(r"3[47]")}
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_VALUE = bytes.maketrans(b"0123456789", bytes(range(10)))

_ANY = re.compile(r"\d(?:\D{0,40}?\d){11}|[A-Za-z0-9+/_-]{16}")
# of track 1 what follows the name, too
_TRACK_1 = re.compile(r"(?<!\d)(\d{12,19}\^[^^\r\n]{0,40}\^)[\d ?]{4,}")
_TRACK = re.compile(r"(?<!\d)(\d{12,19})([=D^])[\d=?]{4,}")
# between any two digits one of the usual separators, between groups up to three signs of any kind
_UNSEEN = "\u00ad\u200b-\u200f\u2060-\u2064\ufeff"  # a reader does not see them
_RUN = re.compile(rf"(?<!\d)\d(?:[ \u00a0\u202f{_UNSEEN}.-]?\d){{11,}}")
_GAP = r"(?:[^\w*]|_){1,3}"
_LATER = rf"{_GAP}\d{{4,12}}(?!\d)"
_GROUPS = re.compile(rf"(?<!\d)(?=(\d{{4,}}(?!\d)(?:{_LATER}){{1,3}}(?:{_GAP}\d{{1,3}}(?!\d))?))")
_NO_DIGIT = re.compile(r"\D+")
_DIGITS = re.compile(r"\d+")
_SHAPES = [[4, 6, 5], [4, 6, 4]]
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*")
_HEX = re.compile(r"[0-9A-Fa-f]{24,}|(?:[0-9A-Fa-f]{2}[ :-]){11,}[0-9A-Fa-f]{2}")
_IN_BYTES = re.compile(rb"[0-9](?:[^0-9A-Za-z]{0,3}[0-9]){11}")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([nrt]))")
# what a key of ours looks like; one that has no letter may be something else
_UUID = re.compile(
    r"(?<![0-9A-Za-z-])[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![0-9A-Za-z-])",
    re.I,
)


def is_card_number(digits):
    """Whether ASCII digits (str) have a right check digit and begin as numbers of this length do."""
    begins = _BEGINS.get(len(digits))
    return bool(begins and begins.match(digits) and _has_check_digit(digits))


def _has_check_digit(digits):
    data = digits.encode()
    total = sum(data[-1::-2].translate(_VALUE)) + sum(data[-2::-2].translate(_DOUBLED))
    return total % 10 == 0 and total > 0


def _check_sums(digits):
    """Sums of a run from its start on, doubled at even and at odd places: any part's check digit at once."""
    data = digits.encode()
    single, doubled = data.translate(_VALUE), data.translate(_DOUBLED)
    sums = []
    for place in (0, 1):
        mixed = bytearray(single)
        mixed[place::2] = doubled[place::2]
        sums.append(list(accumulate(mixed, initial=0)))
    return sums


def _part_has_check_digit(sums, start, end):
    of_part = sums[end % 2]  # the last digit counts once, the one before it is doubled
    total = of_part[end] - of_part[start]
    return total % 10 == 0 and total > 0


def mask_pan(text, known=None):
    """``text`` with every card number reduced to its first six and last four digits.

    :param known: pattern of identifiers that stay as they are, whatever they look like
    """
    if not _ANY.search(text):
        return text
    if known:
        parts = known.split(text)
        if len(parts) > 1:
            found = known.findall(text)
            parts = [mask_pan(part) for part in parts]
            return parts[0] + "".join(one + part for one, part in zip(found, parts[1:], strict=True))
    return _without_keys(text)


def _without_keys(text):
    """Mask what stands between keys of ours: their groups of digits are joined by signs, too."""
    done, position = [], 0
    for match in _UUID.finditer(text):
        if not match.group().replace("-", "").isdigit():
            done += [_mask_all(text[position : match.start()]), match.group()]
            position = match.end()
    return "".join(done) + _mask_all(text[position:])


def _mask_all(text):
    text = _HEX.sub(_mask_hex, _BASE64.sub(_mask_base64, text))
    if "%" in text or "&" in text or "\\" in text:
        if "%B" in text:
            text = _mask_digits(text)  # first: "%B4" of a card's track is no encoding
        decoded = _decoded(text)
        masked = _mask_digits(decoded)
        if masked != decoded:
            return masked  # written plainly: what was encoded can be looked at only so
    return _mask_digits(text)


def _decoded(text):
    """The text as its reader would see it: percent-encoding, HTML and escapes undone, once."""
    text = html.unescape(unquote(text)) if "%" in text or "&" in text else text
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match):
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else " "


def _mask_digits(text):
    text, before = _TRACK.sub(_mask_track, _TRACK_1.sub(rf"\1{HIDDEN}", text)), None
    while text != before:  # what one number leaves of a long run may be another one; digits only get fewer
        text, before = _RUN.sub(_mask_run, _mask_groups(text)), text
    return text


# -- digits in a run


def _mask_run(match):
    text = match.group()
    places = [index for index, char in enumerate(text) if char.isdecimal()]
    if len(places) > MAX_RUN:
        return HIDDEN  # looking at each of thousands of windows would take seconds
    digits = _ascii(text)
    if is_card_number(digits):
        return _starred(text, places)
    start, sums = 0, _check_sums(digits)
    while start + 15 <= len(digits):
        size = next(
            (
                size
                for size, begins in _BEGINS_INSIDE.items()
                if start + size <= len(digits)
                and begins.match(digits, start)
                and _part_has_check_digit(sums, start, start + size)
            ),
            0,
        )
        if size:
            text = _starred(text, places[start : start + size])
        start += size or 1
    return text


def _ascii(text):
    """The digits of a text, whatever script they are in, as ASCII."""
    if text.isascii():
        return text if text.isdecimal() else _NO_DIGIT.sub("", text)
    return "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())


def _starred(text, places):
    chars = list(text)
    for index in places[6:-4]:
        chars[index] = "*"
    return "".join(chars)


def _mask_track(match):
    number = match.group(1)
    shown = f"{number[:6]}{'*' * (len(number) - 10)}{number[-4:]}"
    return f"{shown}{match.group(2)}{HIDDEN}"


# -- digits in groups


def _mask_groups(text):
    """Hide numbers in groups that are further apart: of four digits, or few and long."""
    hidden = set()
    for match in _GROUPS.finditer(text):
        spans = [group.span() for group in _DIGITS.finditer(match[1])]
        places = _card_in_groups(match[1], spans)
        begin, end = spans[0]
        if not places and end - begin > 4:  # something may stand right before the number
            places = _card_in_groups(match[1], [(end - 4, end), *spans[1:]])
        hidden.update(match.start() + place for place in places[6:-4])
    if not hidden:
        return text
    return "".join("*" if index in hidden else char for index, char in enumerate(text))


def _card_in_groups(text, spans):
    """The places of the digits of a card number that begins with the first group; [] when none does."""
    sizes = [end - start for start, end in spans]
    digits = _ascii(text)[spans[0][0] :]
    for count in range(len(spans), 1, -1):
        if is_card_number(digits[: sum(sizes[:count])]) and _is_shape(sizes[:count]):
            return [place for span in spans[:count] for place in range(*span)]
    return []


def _is_shape(sizes):
    """Whether card numbers are written in groups of these sizes."""
    fours = all(size == 4 for size in sizes[:-1]) and sizes[-1] <= 4
    return fours or sizes in _SHAPES or (sum(sizes) in (15, 16) and min(sizes) >= 4)


# -- digits in something that has to be decoded first


def _mask_base64(match):
    token = match.group()
    compact = "".join(token.split()).replace("-", "+").replace("_", "/")
    for start in range(4):  # a path's "/" is one of its characters: it may begin before the data does
        part = compact[start:]
        part = part[:-1] if len(part) % 4 == 1 else part
        found = _masked_bytes(base64.b64decode(part + "=" * (-len(part) % 4)))
        if found:
            return compact[:start] + base64.b64encode(found).decode().rstrip("=")
    return token


def _mask_hex(match):
    token = match.group()
    compact = re.sub(r"[ :-]", "", token)
    for start in range(2):
        part = compact[start:]
        part = part[: len(part) // 2 * 2]
        found = _masked_bytes(bytes.fromhex(part))
        if found:
            return compact[:start] + found.hex() + compact[start + len(part) :]
    return token


def _masked_bytes(data):
    """Bytes without card numbers, None when there was none in them."""
    if not _IN_BYTES.search(data):
        return None
    text = data.decode("latin-1")
    masked = _mask_digits(text)
    return masked.encode("latin-1") if masked != text else None


def masks_to(text, masked):
    """Whether ``text`` holds the card number of which ``masked`` ("411111******1111") shows the ends."""
    shown = re.fullmatch(r"(\d{0,6})[*xX•]+(\d{4})", (masked or "").replace(" ", ""))
    if not shown or not isinstance(text, str):
        return False
    runs = (_ascii(run.group())[:MAX_RUN] for run in _RUN.finditer(text))
    windows = (
        run[start : start + size]
        for run in runs
        for size in range(12, 20)
        for start in range(len(run) - size + 1)
    )
    return any(
        number.startswith(shown[1]) and number.endswith(shown[2]) and _has_check_digit(number)
        for number in windows
    )
