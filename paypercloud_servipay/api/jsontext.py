"""Strict JSON: what is ambiguous for money is refused rather than guessed.

Python's own parser accepts NaN, keeps the last of two equal keys, and turns 12.10 into a binary float.
None of that is acceptable in an answer that says how much was taken.
"""

import json
from decimal import Decimal

from .errors import ProtocolError

MAX_BYTES = 1024 * 1024  # a thousand list rows of a kilobyte; nothing larger is a terminal's answer
MAX_DEPTH = 64  # deeper than any known answer, shallow enough for every recursive reader behind us
MAX_DIGITS = 100  # int() is quadratic; no identifier or amount is longer


def loads(data, limit=MAX_BYTES):
    """Parse UTF-8 JSON (bytes, or str) into dict/list/str/int/Decimal/bool/None.

    A byte order mark is tolerated (seen from Windows hosts). ProtocolError code "undecodable" for
    anything else: other encodings, NaN and Infinity, duplicate keys, too large, too deep, too long numbers.
    """
    text = _text(data, limit)
    try:
        document = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except ProtocolError:
        raise
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _refuse("The answer is not valid JSON.") from error
    _check_depth(document)
    return document


def _text(data, limit):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if not isinstance(data, (bytes, bytearray)):
        raise _refuse("The answer is not a sequence of bytes.")
    if len(data) > limit:
        raise _refuse(f"The answer is larger than {limit} bytes.")
    try:
        return bytes(data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refuse("The answer is not UTF-8 text.") from error


def _decimal(literal):
    if len(literal) > MAX_DIGITS:
        raise _refuse("A number in the answer is too long.")
    return Decimal(literal)


def _integer(literal):
    if len(literal) > MAX_DIGITS:
        raise _refuse("A number in the answer is too long.")
    return int(literal)


def _constant(literal):
    raise _refuse(f"The answer holds {literal}, which is not JSON.")


def _object(pairs):
    """dict of `pairs`; two equal keys are two truths, and picking one would be a guess."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _refuse("The answer holds the same key twice in one object.")
    return result


def _check_depth(document):
    """Walk level by level, so that this check itself cannot overflow the stack."""
    level = [document]
    for _depth in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise _refuse(f"The answer is nested deeper than {MAX_DEPTH} levels.")


def _children(node):
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _refuse(sentence):
    return ProtocolError(sentence, code="undecodable")
