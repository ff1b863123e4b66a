"""Where a value stands in an answer: "data.items.0.id", "$" for the whole document.

A segment of digits is a list index (and also the key "0" of an object). There are no wildcards, no
filters and no negative indexes: a path says one place. Source: protocols/paypercloud.md, 6.
"""

from functools import lru_cache

from .errors import ProtocolError, shown

MAX_LENGTH = 200
MAX_SEGMENTS = 16


def parse(path):
    """Tuple of str keys and int indexes of the dotted `path` (str); () for "$".

    ProtocolError code "path" when it is not text, empty, too long, or has an empty segment.
    """
    if not isinstance(path, str) or not 0 < len(path) <= MAX_LENGTH:
        raise _refuse(path)
    return _parse(path)


def found(document, paths):
    """Every value (null included) that stands at one of `paths` (list of str), in the order of `paths`.

    Never fails on a document, whatever its shape; ProtocolError for a malformed path.
    """
    if not isinstance(paths, (list, tuple)):
        raise _refuse(paths)
    places = (_walk(document, parse(path)) for path in paths)
    return [value for present, value in places if present]


def first(document, paths, default=None):
    """The first value that stands at one of `paths` and is not null, else `default`."""
    return next((value for value in found(document, paths) if value is not None), default)


@lru_cache(maxsize=2048)
def _parse(path):
    segments = path.split(".")
    if segments[0] == "$":
        segments = segments[1:]
    if len(segments) > MAX_SEGMENTS or not all(segments):
        raise _refuse(path)
    return tuple(_segment(segment) for segment in segments)


def _segment(text):
    # isascii: "²" is a digit for Python and no number for int()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else text


def _walk(node, segments):
    """(present, value) of what stands at `segments` below `node`."""
    for segment in segments:
        if isinstance(node, dict) and str(segment) in node:
            node = node[str(segment)]
        elif isinstance(node, list) and isinstance(segment, int) and segment < len(node):
            node = node[segment]
        else:
            return False, None
    return True, node


def _refuse(path):
    return ProtocolError(f"{shown(path)} is not a path.", code="path", params={"value": shown(path)})
