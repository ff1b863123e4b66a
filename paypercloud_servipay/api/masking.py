"""Nothing that a thief could use may reach a log row, the server log, the chatter or an export.

Everything written there passes through a :class:`Masker` first. It hides secrets by the name they stand
under, by their own value in every usual encoding, and card numbers by their check digit (first six and last
four stay). What support needs stays readable: references, status words, amounts, identifiers, the last four
digits.

It never raises, keeps JSON valid, gives the same text when it is applied twice, and takes linear time.
Source: design/conventions.md, 2.6; the names are those of the providers' protocols (protocols/*.md).
"""

import base64
import codecs
import copy
import hashlib
import html
import json
import logging
import re
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote_plus

from .card_numbers import HIDDEN, OVERLAP, mask_pan, masks_to

__all__ = ["HIDDEN", "LogFilter", "Masker", "clip", "get_logger", "is_secret_name", "mask_pan", "masks_to"]

MIN_VALUE = 6  # a shorter literal secret is hidden where it stands alone: inside words it is none
MIN_ALONE = 3
MAX_DEPTH = 30
LIMIT = 64 * 1024  # characters or bytes that are looked at; more is cut first, and says so
MAX_HEADER = 4096  # characters of one header
MAX_NAME = 200  # and of its name
PLAIN = 12  # characters; a shorter text of letters and digits is neither a card number nor an account

# A name is split into words ("x-api-key", "xApiKey" -> x api key). It is secret when some of its words,
# joined, stand here...
SECRET_PARTS = frozenset(
    """
    apikey apisecret accesskey secretkey privatekey clientsecret sharedsecret secret token bearer jwt
    password passwd pwd pswd passphrase sha shasign shain shaout hmac signature
    cardnumber cardno pan primaryaccountnumber cvv cvv2 cvc cvc2 cvx cvn track1 track2 track3
    trackdata pin pinblock iban cookie setcookie porteur dateval credentials htmlanswer pareq
    """.split()
)
# ... or when all of them, joined, stand here: as a part these words are harmless (authorization_code,
# track_id)
SECRET_NAMES = frozenset(
    "authorization proxyauthorization auth track cle cookie2 sessionid csrftoken".split()
)
CARD_PARTS = frozenset("cardnumber cardno pan primaryaccountnumber porteur".split())

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_PEM = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.S
)
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")
_SCHEME = re.compile(r"\b(Bearer|Basic|Digest|Token)([ \t]+)(?=\S*[\d=_.]|\S{20})[\w.~+/=:-]{6,}", re.I)
_USERINFO = re.compile(r"(://)[^/\s:@'\"]{1,256}:[^/\s@'\"]{1,256}@")
_CURL_USER = re.compile(r"(\s(?:-u|--user|--proxy-user)[ =]+['\"]?)[^\s'\":]{1,256}:[^\s'\"]{1,256}")
_NAME = re.compile(
    r"(?<![\w.%-])(?P<name>[A-Za-z_%][\w.%-]*(?: [A-Za-z_][\w.-]*){0,2})"
    r"\\?[\"']?\s{0,3}(?:=>|[=:](?!//))\s{0,3}"
)
_VALUE = re.compile(
    r"[{\[][^{}\[\]]{0,2000}[}\]]|\\\"[^\"\\]*\\\"|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
    r"|[^\s,;&\"'<>{}\[\]\\()]*"
)
# their value goes on to the end of the line or of the quotation
_LINE = re.compile(
    r"(?<![\w-])((?:proxy-)?authorization|(?:set-)?cookie2?)([\"']?\s{0,3}[:=]\s{0,3})[^\r\n'\"]+", re.I
)
_SPOKEN = re.compile(
    r"\b((?:api|secret|private|access|client)[ _-](?:key|secret|token))"
    r"(\s{0,3}(?:[:=]|is)\s{0,3}[\"']?)[^\s\"',;&]+",
    re.I,
)
_ELEMENT = re.compile(r"<([\w:.-]{1,100})(?=[\s/>])([^<>]*)>(<!\[CDATA\[[^\]]{0,2000}\]\]>|[^<]+)")
_PART = re.compile(
    r"(form-data;[^\r\n]{0,200}?name=\"([^\"\r\n]{1,100})\"[^\r\n]{0,300}"
    r"(?:\r?\n[^\r\n]{1,300}){0,5}\r?\n\r?\n)"
    r"(.*?)(?=\r?\n--|\Z)",
    re.S,
)
_NO_FORM = re.compile(r"[\s<>{}\"'\[\]]")
_FORM_PAIR = re.compile(r"[A-Za-z_%][\w.%+-]{0,100}=")
# a UUID of ours, or a number of a sequence with the beginning of one; a card number is neither
_OWN = re.compile(
    r"(?=.*[a-z])[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}"
    r"|[A-Za-z]{1,6}[\w/]{0,10}[0-9]{1,9}-[0-9a-f]{8}",
    re.I,
)
_CHARSET = re.compile(r"charset=[\"']?([\w.-]{1,40})", re.I)


@lru_cache(maxsize=4096)
def is_secret_name(name, extra=frozenset()):
    """Whether a value under ``name`` (str) is hidden; ``extra`` holds more joined lower-case words."""
    parts = [part.lower() for part in _WORDS.findall(name)]
    if "".join(parts) in SECRET_NAMES:
        return True
    return any(run in SECRET_PARTS or run in extra for run in _runs(parts))


def _runs(parts):
    """The words of a name alone and joined with up to two that follow."""
    for start in range(len(parts)):
        for end in range(start + 1, min(start + 3, len(parts)) + 1):
            yield "".join(parts[start:end])


@lru_cache(maxsize=1024)
def _is_card_name(name):
    return any(run in CARD_PARTS for run in _runs([part.lower() for part in _WORDS.findall(name)]))


def _mask_iban(match):
    compact = match.group().replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return match.group()
    number = int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4]))
    return f"{compact[:4]}{HIDDEN}{compact[-4:]}" if number % 97 == 1 else match.group()


# -- everything else


class Masker:
    """Hides secrets in texts, URLs, headers, bodies and values.

    :param extra_keys: more names under which secrets stand ("PBX_HMAC"), compared without case and separators
    :param values: literal secrets in use; hidden wherever they occur, whatever the name, plain or encoded
    :param known: keys and references that we have made: they stay readable though they look like card numbers
    """

    def __init__(self, extra_keys=(), values=(), known=()):
        self._extra = frozenset("".join(_WORDS.findall(key)).lower() for key in extra_keys)
        self._values = _literals([value for value in values if value])
        self._known = _identifiers(known)

    def knowing(self, known):
        """A Masker that also leaves these identifiers readable."""
        other = copy.copy(self)
        other._known = _identifiers(known)
        return other

    def text(self, text):
        """Free text: log messages, exception texts, XML, header lines, commands; LIMIT characters of it."""
        text = str(text)
        return self._text(text) if len(text) <= LIMIT else self._clipped(text, self._text, LIMIT)

    def _clipped(self, whole, mask, limit):
        """Mask no more than is kept of ``whole`` (str or bytes); what is cut is cut before it takes time.

        Something secret may lie across the cut: a little more is masked, and dropped afterwards."""
        masked = mask(whole[: limit + OVERLAP])
        kept = masked[:-OVERLAP].encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
        return f"{kept}…[truncated {len(whole) - limit} bytes]"

    def _text(self, text):
        if self._values:
            text = self._values.sub(HIDDEN, text)
        if len(text) < PLAIN and (text.isalnum() or not text):
            return text
        text = _PEM.sub(HIDDEN, text)
        text = _PART.sub(self._mask_part, text)
        text = _ELEMENT.sub(self._mask_element, text)
        text = _LINE.sub(rf"\1\2{HIDDEN}", text)
        text = _SPOKEN.sub(rf"\1\2{HIDDEN}", text)
        text = self._pairs(text)
        text = _SCHEME.sub(rf"\1\2{HIDDEN}", text)
        text = _JWT.sub(HIDDEN, text)
        text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
        text = _CURL_USER.sub(rf"\1{HIDDEN}", text)
        return _IBAN.sub(_mask_iban, mask_pan(text, self._known))

    def url(self, url):
        """A URL; its query is read pair by pair, percent-encoded names included."""
        base, mark, query = str(url).partition("?")
        return self.text(base) + mark + (self._form(query) if mark else "")

    def headers(self, headers):
        """``{name: value}`` of a mapping or of pairs.

        An authentication scheme stays, what follows it goes.
        """
        pairs = headers.items() if hasattr(headers, "items") else headers
        return {self.text(name)[:MAX_NAME]: self._header(str(name), str(value)) for name, value in pairs}

    def body(self, body, content_type=""):
        """A request's or answer's body (bytes or str) as text: LIMIT bytes of it.

        What is no text becomes its size and SHA-256.
        """
        if len(body) <= LIMIT:
            return self._body(body, content_type)
        if _decode(body[:LIMIT], content_type) is None:
            return _binary(body)
        return self._clipped(body, lambda part: self._body(_whole(part), content_type), LIMIT)

    def _body(self, body, content_type):
        text = _decode(body, content_type)
        if text is None:
            return _binary(body)
        if text[:1] in ("{", "[", '"') or "json" in content_type:
            return self._json(text)
        return self._plain(text)

    def value(self, value, depth=0):
        """A JSON-like value of the same shape; texts that hold JSON are masked inside."""
        if depth > MAX_DEPTH:
            return HIDDEN
        if isinstance(value, dict):
            return {self.text(key): self._named(str(key), item, depth) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item, depth + 1) for item in value]
        if isinstance(value, (bytes, bytearray)):
            return self.body(bytes(value))
        if isinstance(value, str):
            return self._json(value, depth) if value[:1] in ("{", "[") else self._plain(value)
        return self._number(value)

    def exception(self, error):
        """An exception as one line, without what its text may quote."""
        return self.text(f"{type(error).__name__}: {error}")

    # -- helpers

    def _secret(self, name):
        return is_secret_name(name, self._extra)

    def _hide(self, name, value):
        """What is shown of a secret: of a card number its ends, of everything else nothing."""
        if _is_card_name(name):
            digits = [char for char in value if char.isdecimal()]
            if set("*xX•") & set(value) and len(digits) <= 10:
                return value
            if 13 <= len(digits) <= 19:
                return f"{''.join(digits[:6])}{'*' * (len(digits) - 10)}{''.join(digits[-4:])}"
        return HIDDEN if value else value

    def _named(self, name, value, depth):
        if not self._secret(name) or value is None or isinstance(value, bool):
            return self.value(value, depth + 1)
        if isinstance(value, (dict, list, tuple)):
            return HIDDEN
        return self._hide(name, str(value))

    def _number(self, value):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return value if value is None or isinstance(value, bool) else self._plain(str(value))
        masked = self._plain(repr(value))
        return value if masked == repr(value) else masked

    def _plain(self, text):
        return self._form(text) if _is_form(text) else self._text(text)

    def _header(self, name, value):
        if not self._secret(name):
            long = len(value) > MAX_HEADER
            return self._clipped(value, self._text, MAX_HEADER) if long else self._text(value)
        scheme, space, rest = value.partition(" ")
        known = scheme.lower() in ("bearer", "basic", "digest", "token")
        return f"{scheme} {HIDDEN}" if space and rest and known else self._hide(name, value)

    def _form(self, text):
        if self._values:
            text = self._values.sub(HIDDEN, text)
        return "&".join(self._form_pair(pair) for pair in text.split("&"))

    def _form_pair(self, pair):
        name, equals, value = pair.partition("=")
        encoded = "%" in pair or "+" in pair
        known, plain = (unquote_plus(name), unquote_plus(value)) if encoded else (name, value)
        masked = self._hide(known, plain) if self._secret(known) else self._text(plain)
        name = name if self._text(known) == known else HIDDEN
        return name + equals + (value if masked == plain else quote_plus(masked, safe="*"))

    def _json(self, text, depth=0):
        """JSON text; what does not change stays byte for byte, what is no JSON is masked as text."""
        try:
            document = json.loads(text, object_pairs_hook=_no_twins)
            masked = self.value(document, depth + 1)
            if masked != document:
                text = json.dumps(masked, ensure_ascii=False)
        except (ValueError, RecursionError):
            return self._text(text)
        # the document is clean; what is left are escapes (\\u0041) that only the text shows
        return self._values.sub(HIDDEN, text) if self._values else text

    def _pairs(self, text):
        """``name=value``, ``"name":

        "value"`` and the like inside any text, values nested in values included.
        """
        done, position = [], 0
        for match in _NAME.finditer(text):
            name = unquote_plus(match["name"])
            if match.start() < position or not (self._secret(name) or self._secret(name.rpartition(" ")[2])):
                continue
            value = _VALUE.match(text, match.end())
            done += [text[position : match.end()], self._quoted(name, value.group())]
            position = value.end()
        return "".join(done) + text[position:] if done else text

    def _quoted(self, name, value):
        for mark in ('\\"', '"', "'"):
            if value.startswith(mark) and value.endswith(mark) and len(value) >= 2 * len(mark):
                return mark + self._hide(name, value[len(mark) : -len(mark)]) + mark
        return self._hide(name, value)

    def _mask_element(self, match):
        name = match[1].rpartition(":")[2]
        shown = self._hide(name, match[3]) if self._secret(name) else match[3]
        return f"<{match[1]}{match[2]}>{shown}"

    def _mask_part(self, match):
        return match[1] + (self._hide(match[2], match[3]) if self._secret(match[2]) else match[3])


class LogFilter(logging.Filter):
    """Masks a log record before any handler sees it: message, arguments and traceback."""

    def __init__(self, masker=None):
        super().__init__()
        self.masker = masker or Masker()

    def filter(self, record):
        """Replace the record's text; always True."""
        record.msg, record.args = self.masker.text(record.getMessage()), None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self.masker.text(record.exc_text)
        return True


def get_logger(name):
    """The logger of a module that handles what comes from outside, with a :class:`LogFilter` on it."""
    logger = logging.getLogger(name)
    if not any(isinstance(known, LogFilter) for known in logger.filters):
        logger.addFilter(LogFilter())
    return logger


def clip(text, limit):
    """``(text, truncated)``: at most ``limit`` bytes of UTF-8, and a mark that says how many were cut."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text, False
    return data[:limit].decode("utf-8", "ignore") + f"…[truncated {len(data) - limit} bytes]", True


def _binary(body):
    return f"[binary {len(body)} bytes sha256 {hashlib.sha256(body).hexdigest()}]"


def _whole(part):
    """A part of a body (str or bytes) without the half of a character that was cut in two."""
    if isinstance(part, str):
        return part
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(part).encode()
    except UnicodeDecodeError:
        return part


def _identifiers(known):
    """The pattern of identifiers that we have made, or None; what looks like anything else is left out."""
    own = sorted({one for one in known if one and _OWN.fullmatch(one)}, key=len, reverse=True)
    return re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in own), re.I) if own else None


def _decode(body, content_type):
    """The text of a body, or None when it is none."""
    if isinstance(body, str):
        return body
    named = _CHARSET.search(content_type)
    for charset in ([named[1]] if named else []) + ["utf-8-sig", "cp1252"]:
        try:
            text = body.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
        control = sum(char < " " and char not in "\t\r\n" for char in text)
        return None if control > len(text) // 100 else text
    return None


def _is_form(text):
    """Whether a text is ``name=value&name=value``."""
    return "=" in text and not _NO_FORM.search(text) and all(map(_FORM_PAIR.match, text.split("&")))


def _no_twins(pairs):
    """A dict; ValueError for a key that stands twice, as one value would be lost from sight."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _literals(values):
    """The pattern of all ways to write the literal secrets, longest first, or None."""
    forms = {form for value in values if len(value) >= MIN_VALUE for form in _forms(value)}
    patterns = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
    short = [value for value in values if MIN_ALONE <= len(value) < MIN_VALUE]
    patterns += [rf"(?<!\w){re.escape(value)}(?!\w)" for value in short]
    return re.compile("|".join(patterns), re.I) if patterns else None


def _forms(value):
    """The ways in which a literal secret may be written (base64 at each of its three alignments)."""
    data = value.encode()
    escaped = "".join(f"\\u{ord(char):04x}" for char in value)
    yield from (
        value,
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        html.escape(value),
        data.hex(),
        escaped,
    )
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode()
        # the first and last characters mix with neighbours: what lies between is the secret's alone
        core = encoded[(0, 2, 3)[shift] : len(encoded) - 4 if len(data) + shift > 3 else None].rstrip("=")
        if len(core) >= MIN_VALUE:
            yield core
            yield core.replace("+", "-").replace("/", "_")
