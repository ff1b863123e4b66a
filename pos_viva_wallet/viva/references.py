"""Names that we give: the session's id, and the reference by which a webhook leads back to it.

Source: protocols/viva.md, 1.3 (sessionId, merchantReference), 2.3 and 3.3; 3.5 (14) for other people's.
"""

import re
from typing import NamedTuple

from .errors import ProtocolError
from .text import clean

SHORTEST = 8  # whoever counts 1, 2, 3 meets the sessions of another system of the same merchant
LONGEST = 100
MAX_REFERENCE = 200
# core's are "<order> - <uuid>"; no slash: the reference is cut there, and no path is left by it
_SESSION = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z ._:-]*[0-9A-Za-z])?", re.ASCII)
_POS_SESSION = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


class Reference(NamedTuple):
    """What a merchantReference of ours says: sessionId (str) and the id (int) of Odoo's POS session."""

    session: str
    pos_session: int


def check_session(session_id, field="session"):
    """Return `session_id` when it may name a session; ProtocolError code "session".

    SHORTEST to LONGEST letters, digits, " ._:-" between a letter or digit at each end. A new one for every
    attempt, the same one for every repetition of an attempt: whoever calls sees to that.
    """
    if isinstance(session_id, str) and SHORTEST <= len(session_id) <= LONGEST:
        if _SESSION.fullmatch(session_id):
            return session_id
    raise ProtocolError(f"A session is named by {SHORTEST} to {LONGEST} plain characters.", field, "session")


def compose(session_id, pos_session):
    """merchantReference (str) of a session id and the id (int) of Odoo's POS session; ProtocolError."""
    check_session(session_id)
    if type(pos_session) is not int or not 1 <= pos_session < 10**10:
        raise ProtocolError("The POS session is a number.", "pos_session", "pos_session")
    return f"{session_id}/{pos_session}"


def parse(reference):
    """The Reference in a merchantReference, None when it is not in our form. Never raises.

    A web shop, another till or a sale typed on the terminal has its own form or none. That the form is ours
    does not make it ours: the session is looked for among our own.
    """
    head, _slash, tail = reference.rpartition("/") if isinstance(reference, str) else ("", "", "")
    if not _POS_SESSION.fullmatch(tail):
        return None
    try:
        return Reference(check_session(head), int(tail))
    except ProtocolError:
        return None


def shown(reference):
    """A reference (str) of anybody, as it may be stored: one line, at most MAX_REFERENCE characters."""
    return clean(reference, MAX_REFERENCE)
