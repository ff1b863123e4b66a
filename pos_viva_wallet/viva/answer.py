"""An HTTP answer of Viva.com, whatever stands in it: code, number in the header, document, words.

Source: protocols/viva.md, 1.1 (headers), 1.4 and 1.7 (bodies); 2.1: the number in the header and the eventId
in a session are two different spaces.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from . import jsontext
from .errors import ProtocolError
from .text import clean, identifier, said

MAX_PROBLEMS = 10
_EVENT = re.compile(r"[0-9]{1,6}", re.ASCII)
_WORDS = ("detail", "Message", "message", "error_description", "error")


class Problem(NamedTuple):
    """One thing that a validation complains of: name of the field, kind ("missing"), sentence (str)."""

    field: str
    kind: str
    message: str


@dataclass(frozen=True)
class Answer:
    """An answer, read as far as it goes.

    status       HTTP status (int), 0 when there is none
    event        number in X-Viva-EventId (int), None when absent or no number
    correlation  x-viva-correlationid, which Viva.com's support asks for; "" when absent
    form         "empty", "json", "html" or "other"
    document     parsed JSON (dict, list, ...), None without; as received, so not to be stored
    detail       what it says to people, long numbers hidden; "" for nothing
    problems     tuple of Problem
    """

    status: int = 0
    event: int | None = None
    correlation: str = ""
    form: str = "empty"
    document: object = field(default=None, repr=False)
    detail: str = ""
    problems: tuple = ()

    @property
    def accepted(self):
        """Whether the status is one of 200 to 299."""
        return 200 <= self.status < 300


def read(http_status, headers, body):
    """The Answer of an HTTP status (int), headers (mapping of str, or None) and a body (bytes or str).

    Never raises: the worst answer is one without status, number and document.
    """
    form, document = _body(body)
    problems = _problems(document)
    return Answer(
        status=http_status if type(http_status) is int else 0,
        event=_event(_header(headers, "x-viva-eventid")),
        correlation=identifier(_header(headers, "x-viva-correlationid")),
        form=form,
        document=document,
        detail=_detail(document) or "; ".join(f"{one.field}: {one.message}" for one in problems),
        problems=problems,
    )


def _header(headers, name):
    """The one value (str) of a header in any letter case; "" when there is none, or two."""
    try:
        pairs = list(headers.items())
    except (AttributeError, TypeError):
        return ""
    found = [value for key, value in pairs if isinstance(key, str) and key.lower() == name]
    return found[0] if len(found) == 1 and isinstance(found[0], str) else ""


def _event(text):
    return int(text.strip()) if _EVENT.fullmatch(text.strip()) else None


def _body(body):
    if isinstance(body, bytearray):
        body = bytes(body)
    if body is None or (isinstance(body, (bytes, str)) and not body.strip()):
        return "empty", None
    try:
        return "json", jsontext.loads(body)
    except ProtocolError:
        start = body[:200].lstrip()[:1] if isinstance(body, (bytes, str)) else b""
        return "html" if start in (b"<", "<") else "other", None


def _detail(document):
    """The first of what errors are written in, by Viva.com, its token server and those in front of them."""
    if not isinstance(document, dict):
        return ""
    return next((text for text in (said(document.get(name)) for name in _WORDS) if text), "")


def _problems(document):
    """What a validation complains of. Its "input" repeats what we sent and is left out."""
    rows = document.get("detail") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        return ()
    return tuple(_problem(row) for row in rows[:MAX_PROBLEMS] if isinstance(row, dict))


def _problem(row):
    place = row.get("loc")
    parts = [part for part in place if part != "body"] if isinstance(place, list) else []
    name = ".".join(clean(str(part), 40) for part in parts[:4] if isinstance(part, (str, int)))
    return Problem(name, clean(row.get("type"), 40), said(row.get("msg")))
