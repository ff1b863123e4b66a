"""JSON templates with placeholders and nothing else: no expressions, no attribute access, no eval.

"{name}"   the value of a variable; a text that is exactly one placeholder takes the typed value
"{name?}"  optional: when the variable is empty, the key, list item or query pair is dropped
"{{" "}}"  literal braces
A value is empty when it is absent, None or ""; 0 is a value. Source: protocols/paypercloud.md, 6.
"""

import re
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import quote

from .errors import ProtocolError, shown

VARIABLES = (
    "pos_id",
    "terminal_pid",
    "amount",
    "currency",
    "reference",
    "idempotency_key",
    "operation_id",
    "original_operation_id",
    "period",
    "date",
    "date_from",
    "date_to",
)
MAX_DEPTH = 8
MAX_NODES = 200
MAX_TEXT = 500  # characters of one text in a template
MAX_VALUE = 500  # characters of one value: identifiers and references, never documents
_TOKEN = re.compile(r"\{\{|\}\}|\{(\w+)(\??)\}|[{}]", re.ASCII)
_DROP = object()


class _Slot(NamedTuple):
    name: str
    optional: bool


def variables(template):
    """{name: optional} of the placeholders in `template` (JSON-like), in order of appearance.

    A variable that is required anywhere is required. ProtocolError as the first of `problems`.
    """
    for problem in problems(template):
        raise problem
    pieces = [piece for _place, text in _texts(template) for piece in _pieces(text)]
    slots = [piece for piece in pieces if isinstance(piece, _Slot)]
    optional = {}
    for slot in slots:
        optional[slot.name] = optional.get(slot.name, True) and slot.optional
    return optional


def problems(template):
    """List of ProtocolError of everything that is wrong in `template`; `field` is the place inside it."""
    result = []
    for count, (place, node) in enumerate(_nodes(template)):
        if count >= MAX_NODES:
            return [ProtocolError(f"A template has at most {MAX_NODES} values.", code="too_large")]
        try:
            _check_node(place, node)
        except ProtocolError as error:
            result.append(error.at(place))
    return result


def render(template, values):
    """`template` (JSON-like) with its placeholders replaced from `values` (dict).

    A value is str, int, Decimal or float; the result is JSON-like. ProtocolError: a malformed template,
    code "missing_variable" for a required variable that is empty, code "value" for what no request may carry.
    """
    variables(template)
    if not isinstance(values, dict):
        raise ProtocolError("The values of a template are given by name.", code="value")
    result = _render(template, values)
    return None if result is _DROP else result


def render_path(text, values):
    """`text` (str) with every value percent-encoded, "/" included, so that no value can leave its segment.

    ProtocolError also for an empty value and when a value makes a segment "." or "..", which servers
    and proxies resolve to another place.
    """
    if not isinstance(text, str):
        raise ProtocolError("A path is a text.", "path", "type")
    names = variables(text)
    encoded = {name: quote(_path_value(name, values), safe="") for name in names}
    pieces = (encoded[piece.name] if isinstance(piece, _Slot) else piece for piece in _pieces(text))
    path = "".join(pieces)
    if names and {".", ".."} & set(path.split("/")):
        raise ProtocolError("A value may not make a path segment '.' or '..'.", "path", "path_value")
    return path


def plain_text(value):
    """The text of one scalar as it stands inside a longer text, a path or a query pair."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


# -- templates


def _nodes(template):
    """(place, node) of every node, outer first; nothing below MAX_DEPTH is visited."""
    queue = [("", template, 0)]
    while queue:
        place, node, depth = queue.pop(0)
        yield place, (_DROP if depth > MAX_DEPTH else node)
        if depth <= MAX_DEPTH:
            queue[:0] = [(_join(place, key), child, depth + 1) for key, child in _children(node)]


def _children(node):
    if isinstance(node, dict):
        return list(node.items())
    return list(enumerate(node)) if isinstance(node, list) else []


def _join(place, key):
    return f"{place}.{shown(str(key))}" if place else shown(str(key))


def _texts(template):
    return [(place, node) for place, node in _nodes(template) if isinstance(node, str)]


def _check_node(place, node):
    if node is _DROP:
        raise ProtocolError(f"A template is nested at most {MAX_DEPTH} levels deep.", code="too_deep")
    if isinstance(node, str):
        _pieces(node)
    elif isinstance(node, dict):
        _check_keys(node)
    elif isinstance(node, float) and not Decimal(repr(node)).is_finite():
        raise ProtocolError("NaN and Infinity are not JSON.", code="type")
    elif not isinstance(node, (list, int, float, Decimal, type(None))):
        raise ProtocolError(f"{type(node).__name__} is not JSON.", code="type")


def _check_keys(node):
    for key in node:
        if not isinstance(key, str) or not 0 < len(key) <= MAX_TEXT or "{" in key or "}" in key:
            raise ProtocolError(
                f"The key {shown(key)} is not a plain text; placeholders stand in values only.", code="key"
            )


def _pieces(text):
    """[str | _Slot] of one text. ProtocolError code "placeholder" or "unknown_variable"."""
    if len(text) > MAX_TEXT:
        raise ProtocolError(f"A text in a template has at most {MAX_TEXT} characters.", code="too_long")
    pieces, end = [], 0
    for match in _TOKEN.finditer(text):
        pieces += [text[end : match.start()], _piece(match)]
        end = match.end()
    return [piece for piece in [*pieces, text[end:]] if piece != ""]


def _piece(match):
    token, name = match.group(0), match.group(1)
    if token in ("{{", "}}"):
        return token[0]
    if name is None:
        raise ProtocolError(
            "A brace stands alone: write {name}, {name?}, or {{ and }} for braces.", code="placeholder"
        )
    if name not in VARIABLES:
        name = shown(name)
        raise ProtocolError(f"{name} is not a variable.", code="unknown_variable", params={"name": name})
    return _Slot(name, bool(match.group(2)))


# -- values


def _render(node, values):
    if isinstance(node, dict):
        pairs = [(key, _render(child, values)) for key, child in node.items()]
        return {key: child for key, child in pairs if child is not _DROP}
    if isinstance(node, list):
        return [child for child in (_render(child, values) for child in node) if child is not _DROP]
    return _render_text(node, values) if isinstance(node, str) else node


def _render_text(text, values):
    pieces = _pieces(text)
    filled = [_fill(piece, values) if isinstance(piece, _Slot) else piece for piece in pieces]
    if any(piece is _DROP for piece in filled):
        return _DROP
    if len(pieces) == 1 and isinstance(pieces[0], _Slot):
        return filled[0]
    return "".join(plain_text(piece) for piece in filled)


def _fill(slot, values):
    value = checked_value(slot.name, values.get(slot.name))
    if value is not None:
        return value
    if slot.optional:
        return _DROP
    raise ProtocolError(
        f"The variable {slot.name} is required.", slot.name, "missing_variable", {"name": slot.name}
    )


def _path_value(name, values):
    value = values.get(name) if isinstance(values, dict) else None
    return plain_text(_fill(_Slot(name, False), {name: value}))


def checked_value(name, value):
    """`value` when a request may carry it, None when it is empty. ProtocolError code "value".

    Allowed: printable text of at most MAX_VALUE characters, finite numbers below 10**18. Objects and
    lists would let a value rewrite the request's structure; a bool is no value of any variable.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) <= MAX_VALUE and value.isprintable():
        return value
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and _is_small(value):
        return value
    raise ProtocolError(f"The value of {name} cannot be sent.", name, "value", {"name": name})


def _is_small(number):
    exact = Decimal(repr(number)) if isinstance(number, float) else number
    if isinstance(exact, Decimal):
        return exact.is_finite() and len(exact.as_tuple().digits) <= 30 and abs(exact.adjusted()) <= 18
    return abs(exact) < 10**18
