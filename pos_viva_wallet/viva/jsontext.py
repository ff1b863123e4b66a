"""JSON in which nothing is left to guess: what is ambiguous for money is refused.

Python's own parser takes NaN, keeps the last of two equal keys, and makes a binary float of 42.10.
Source: protocols/viva.md, 2.3 (amounts of webhooks are numbers of major units).
"""

import json
from decimal import Decimal

from .errors import ProtocolError

MAX_BYTES = 1024 * 1024  # the sessions of a busy day; one session has about a thousand bytes
MAX_DEPTH = 32
MAX_DIGITS = 40  # no number of theirs is longer, and int() is quadratic


def loads(data):
    """The dict, list, str, int, Decimal, bool or None that UTF-8 JSON (bytes, or str) says.

    ProtocolError code "unreadable" for what is no JSON, too long, too deep, or says one thing twice.
    """
    try:
        document = json.loads(
            _text(data),
            parse_float=_number(Decimal),
            parse_int=_number(int),
            parse_constant=_refuse,
            object_pairs_hook=_object,
        )
    except ProtocolError:
        raise
    except (ValueError, ArithmeticError, RecursionError):
        # from None: the parser's error carries the whole text
        raise _error("This is no JSON.") from None
    check_depth(document)
    return document


def exact(document):
    """`document` (parsed by somebody else) with Decimal for float; ProtocolError code "unreadable".

    Refused: NaN, numbers with more than MAX_DIGITS digits, more than MAX_DEPTH levels, keys that are no text
    and types that JSON does not have.
    """
    check_depth(document)
    return _exact(document)


def check_depth(document):
    """Refuse more than MAX_DEPTH levels; level by level, so that this cannot overflow the stack either."""
    level = [document]
    for _depth in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
        if len(level) > MAX_BYTES // 2:  # a list that holds itself twice doubles with each level
            break
    raise _error("The document is nested too deeply.")


def _children(node):
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _text(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if not isinstance(data, (bytes, bytearray)) or len(data) > MAX_BYTES:
        raise _error("The document is too long, or no text.")
    try:
        return bytes(data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _error("The document is not in UTF-8.") from None


def _number(kind):
    def read(literal):
        if len(literal) > MAX_DIGITS:
            raise _error("A number is too long.")
        return kind(literal)

    return read


def _object(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _error("A name stands twice in one object.")
    return found


def _exact(node):
    if isinstance(node, dict):
        if not all(isinstance(name, str) for name in node):
            raise _error("A name is no text.")
        return {name: _exact(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_exact(value) for value in node]
    return _scalar(node)


def _scalar(value):
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int) and abs(value) < 10**MAX_DIGITS:
        return int(value)
    if isinstance(value, float):
        value = Decimal(repr(float(value)))
    if isinstance(value, Decimal) and value.is_finite() and len(value.as_tuple().digits) <= MAX_DIGITS:
        return value
    raise _error("A value is none that JSON has.")


def _refuse(_literal):
    raise _error("The document holds a number that is none.")


def _error(sentence):
    return ProtocolError(sentence, code="unreadable")
