"""Access: the bearer token of the terminal API, and the Basic pairs of those who ask for it.

Source: protocols/viva.md, 1.1.
"""

import base64
from dataclasses import dataclass, field
from urllib.parse import urlencode

from . import answer, paths
from .errors import ProtocolError
from .hosts import Call
from .text import clean

SCOPE = "urn:viva:payments:ecr:api"  # without it a token opens nothing at the terminals
MAX_SECONDS = 30 * 24 * 3600
EARLY = 60  # seconds before its end in which a token is not used any more
_WRONG = frozenset({"invalid_client", "unauthorized_client"})


@dataclass(frozen=True)
class Token:
    """A bearer token.

    value       str for the header, not in its repr: it drives every terminal of the merchant
    expires_in  seconds (int) from when it was given
    scopes      tuple of str, () when not told
    """

    value: str = field(repr=False)
    expires_in: int
    scopes: tuple = ()

    @property
    def opens_terminals(self):
        """True, False, or None when the scopes are not told."""
        return SCOPE in self.scopes if self.scopes else None

    @property
    def usable_for(self):
        """Seconds (int) after which a new one is asked for: short ones are used for half their time."""
        return max(self.expires_in - EARLY, self.expires_in // 2)


@dataclass(frozen=True)
class Access:
    """What became of the wish for a token.

    token   Token, None without one
    reason  slug, a key of words.SENTENCES; "" for a token that opens the terminals
    wrong   True when the credentials are not taken: to ask again with the same ones is of no use.
            False otherwise, also when Viva.com could not be reached or said nothing that can be read
    detail  what Viva.com says, "" for nothing
    """

    token: Token | None = None
    reason: str = ""
    wrong: bool = False
    detail: str = ""


def token_call():
    """The Call for a token. No scope is asked for: the credentials' own ones are given then."""
    form = (("grant_type", "client_credentials"),)
    return Call("POST", "accounts", paths.TOKEN, "client", form=form)


def form_body(call):
    """The body (bytes) of a Call with a form; ProtocolError code "form"."""
    if not isinstance(call, Call) or not call.form:
        raise ProtocolError("This request has no form.", "form", "form")
    return urlencode(call.form).encode("ascii")


def basic(name, secret):
    """Value (str) of the Authorization header for a client id and secret, or a merchant id and API key.

    ProtocolError codes "name", "secret": empty, longer than 200, not plain ASCII, or a colon in the name.
    """
    for field_name, part in (("name", name), ("secret", secret)):
        if not isinstance(part, str) or not 1 <= len(part) <= 200 or not _plain(part):
            raise ProtocolError("The credentials are not complete.", field_name, field_name)
    if ":" in name:
        raise ProtocolError("There is a colon in the name.", "name", "name")
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode("ascii")).decode("ascii")


def bearer(token):
    """Value (str) of the Authorization header for a Token; ProtocolError code "token"."""
    if not isinstance(token, Token) or not _is_value(token.value):
        raise ProtocolError("This is no token.", "token", "token")
    return f"Bearer {token.value}"


def read_token(http_status, headers, body):
    """The Access that an answer (int, mapping, bytes) to `token_call` gives. Never raises."""
    found = answer.read(http_status, headers, body)
    if found.status == 200:
        return _given(found)
    error = found.document.get("error") if isinstance(found.document, dict) else None
    if found.status == 401 or (found.status == 400 and error in tuple(_WRONG)):
        return Access(None, "credentials", True, found.detail)
    if found.status == 400:
        return Access(None, "token_refused", True, found.detail)
    # a firewall in front of the token server says 403: nothing is said about the credentials then
    return Access(None, "access_blocked" if found.status == 403 else "token_unavailable", False, found.detail)


def _given(found):
    token = _token(found.document if isinstance(found.document, dict) else {})
    if token is None:
        return Access(None, "token_unreadable")
    return Access(token, "no_terminal_scope" if token.opens_terminals is False else "")


def _token(document):
    value, kind, seconds = (document.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not _is_value(value) or not isinstance(kind, str) or kind.lower() != "bearer":
        return None
    if type(seconds) is not int or not 1 <= seconds <= MAX_SECONDS:
        return None
    return Token(value, seconds, _scopes(document.get("scope")))


def _scopes(told):
    """RFC 6749 writes scopes as one text with blanks; the token itself has a list of them."""
    words = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
    return tuple(clean(word, 100) for word in words[:100] if isinstance(word, str))


def _is_value(value):
    return isinstance(value, str) and 1 <= len(value) <= 8192 and _plain(value) and " " not in value


def _plain(text):
    """Whether `text` may stand in a header: a line break would let it write headers of its own."""
    return text.isascii() and text.isprintable()
