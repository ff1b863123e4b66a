"""Small checks of JSON-like values that collect every error instead of stopping at the first.

A check is a callable (found, place, value): it appends a ProtocolError for everything that is wrong with
`value` to the list `found`; `place` (str, dotted) is where the value stands in the document.
"""

import re

from . import paths, templates
from .errors import ProtocolError, shown

MAX_PATHS = 20
MAX_CODES = 40
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)  # RFC 7230, 3.2.6
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?", re.ASCII)
# RFC 3986 pchar and braces; no "%": a server may read "%2e%2e" as ".."
_PATH_CHARACTER = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/{}-]", re.ASCII)


def fail(found, place, code, sentence, **params):
    """Append one error. The sentence does not repeat the place: whoever shows it shows `field` before it."""
    found.append(ProtocolError(sentence[:1].upper() + sentence[1:], place, code, params))


def join(place, key):
    """The dotted place of `key` (str or int) below `place`."""
    return f"{place}.{shown(str(key))}" if place else shown(str(key))


def flag(found, place, value):
    """true or false."""
    if not isinstance(value, bool):
        fail(found, place, "type", "must be true or false.", expected="bool")


def text(limit, empty=True):
    """Check for printable text (line breaks allowed) of at most `limit` characters."""

    def check(found, place, value):
        if not isinstance(value, str):
            fail(found, place, "type", "must be text.", expected="text")
        elif len(value) > limit:
            fail(found, place, "too_long", f"has more than {limit} characters.", limit=limit)
        elif not value.strip() and not empty:
            fail(found, place, "empty", "may not be empty.")
        elif not all(char.isprintable() or char in "\n\r\t" for char in value):
            fail(found, place, "control_character", "holds a control character.")

    return check


def choice(*options):
    """Check for one of `options` (str)."""

    def check(found, place, value):
        if not isinstance(value, str) or value not in options:
            listed = ", ".join(options)
            fail(found, place, "choice", f"must be one of {listed}.", options=listed)

    return check


def whole(low, high):
    """Check for an int from `low` to `high`."""

    def check(found, place, value):
        if not _is_int(value):
            fail(found, place, "type", "must be a whole number.", expected="int")
        elif not low <= value <= high:
            fail(found, place, "range", f"must be between {low} and {high}.", low=low, high=high)

    return check


def codes(low=100, high=599, barred=(), empty=True):
    """Check for a list of distinct HTTP status codes from `low` to `high` without the `barred` ones."""

    def check(found, place, value):
        if not isinstance(value, list) or len(value) > MAX_CODES:
            fail(found, place, "type", f"must be a list of at most {MAX_CODES} codes.", expected="codes")
            return
        if not value and not empty:
            fail(found, place, "empty", "may not be empty.")
        for index, code in enumerate(value):
            if not _is_int(code) or not low <= code <= high or code in barred:
                sentence = f"is not a status code that may stand here ({low} to {high})."
                fail(found, join(place, index), "status_code", sentence, low=low, high=high)

    return check


def path_list(found, place, value):
    """A list of paths into an answer (see paths.py), best first."""
    if not isinstance(value, list) or len(value) > MAX_PATHS:
        fail(found, place, "type", f"must be a list of at most {MAX_PATHS} paths.", expected="paths")
        return
    for index, path in enumerate(value):
        try:
            paths.parse(path)
        except ProtocolError as error:
            found.append(error.at(join(place, index)))


def template(found, place, value):
    """A JSON-like template (see templates.py)."""
    found.extend(error.at(place) for error in templates.problems(value))


def mapping(table, required=()):
    """Check for an object with known keys: `table` is {key: check}; the `required` keys must be there."""

    def check(found, place, value):
        if not isinstance(value, dict):
            fail(found, place, "type", "must be an object.", expected="object")
            return
        for key in required:
            if key not in value:
                fail(found, join(place, key), "missing", "is missing.")
        for key, child in value.items():
            if key in table:
                table[key](found, join(place, key), child)
            else:
                fail(found, join(place, key), "unknown_key", "is not a known key.")

    return check


def pairs(check_key, check_value, limit):
    """Check for an object of at most `limit` free keys; both checks get the place of the pair."""

    def check(found, place, value):
        if not isinstance(value, dict) or len(value) > limit:
            fail(found, place, "type", f"must be an object of at most {limit} entries.", expected="object")
            return
        for key, child in value.items():
            check_key(found, join(place, key), key)
            check_value(found, join(place, key), child)

    return check


def header_name(barred=(), empty=False):
    """Check for a header name that is none of `barred` (lower-case names)."""

    def check(found, place, value):
        if empty and value == "":
            return
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            fail(found, place, "header_name", "is not a header name.")
        elif value.lower() in barred:
            fail(found, place, "header_barred", f"may not be the header {value}.", name=value)

    return check


def header_value(found, place, value):
    """Visible ASCII, blanks inside only: a line break would let a value write headers of its own."""
    if not is_header_value(value):
        fail(found, place, "header_value", "is not a header value (visible ASCII, at most 500 characters).")


def is_header_value(value):
    """Whether `value` may stand in a header: 1 to 500 characters, visible ASCII, blanks inside only."""
    return isinstance(value, str) and len(value) <= 500 and bool(_HEADER_VALUE.fullmatch(value))


def url_path(found, place, value):
    """A path that starts with "/" and cannot leave its place, with or without placeholders."""
    if not isinstance(value, str) or len(value) > 300:
        fail(found, place, "type", "must be text of at most 300 characters.", expected="text")
        return
    if not value.startswith("/"):
        fail(found, place, "path_start", "must start with '/'.")
    wrong = sorted({char for char in value if not _PATH_CHARACTER.fullmatch(char)})
    if wrong:
        sentence = f"holds a character that no path may have: {shown(''.join(wrong))}."
        fail(found, place, "path_character", sentence, characters=shown("".join(wrong)))
    if "//" in value or ".." in value or "/./" in f"{value}/":
        fail(found, place, "path_segment", "may not contain '//', '/./' or '..'.")


def base_path(found, place, value):
    """ "" or a path without placeholders and without a slash at its end."""
    if value == "":
        return
    url_path(found, place, value)
    if isinstance(value, str) and (value.endswith("/") or "{" in value or "}" in value):
        fail(found, place, "base_path", "may not end with '/' nor hold a placeholder.")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)
