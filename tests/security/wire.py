"""Requests as bytes: what no browser would send, and what came back."""

import contextlib
import http.client
import random
from dataclasses import dataclass, field, replace
from urllib.parse import quote

FORM = "application/x-www-form-urlencoded"
JUNK = (
    *(b"\0", b"%00", b"\xff\xfe", b"%ff%fe", b"%", b"%zz", b"\r\nX-Injected: 1", b"'\"<script>", b"&&==&"),
    *(
        b"[]=1",
        b"9" * 400,
        b"-1",
        b"1e999",
        b"NaN",
        "€漢".encode(),
        b"../etc/passwd",
        b"{{7*7}}",
        b"%(x)s",
    ),
)


@dataclass(frozen=True)
class Ask:
    """One request. query and body: bytes as sent; cookie: of a session."""

    method: str
    path: str
    query: bytes = b""
    body: bytes = b""
    kind: str = FORM
    cookie: str = ""
    headers: dict = field(default_factory=dict)

    def target(self):
        """What stands in the request line: a space or a line end there would make it another request."""
        query = quote(self.query, safe=bytes(range(0x21, 0x7F)).decode())
        return f"{self.path}?{query}" if self.query else self.path


def send(suite, ask, seconds=60):
    """Return (status, headers, body) of an answer; status 0 when the connection was closed without one."""
    connection = http.client.HTTPConnection("127.0.0.1", suite.server.port, timeout=seconds)
    headers = {"Content-Type": ask.kind, **ask.headers}
    if ask.cookie:
        headers["Cookie"] = f"session_id={ask.cookie}"
    with contextlib.closing(connection):
        try:
            connection.request(ask.method, ask.target(), ask.body or None, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        except (ConnectionError, http.client.HTTPException):
            return 0, {}, b""


def spoiled(message, chance, count):
    """Yield a message (bytes) in so many ways that were not meant: cut, doubled, swapped, with junk in it."""
    pairs = message.split(b"&")
    for _number in range(count):
        kept = [*pairs]
        for _change in range(chance.randint(1, 3)):
            kept = chance.choice((_without, _twice, _swapped, _junk, _bit))(kept, chance)
        yield b"&".join(kept)


def _without(pairs, chance):
    place = chance.randrange(len(pairs))
    return pairs[:place] + pairs[place + 1 :] or [b""]


def _twice(pairs, chance):
    pair = chance.choice(pairs)
    return [*pairs, pair.partition(b"=")[0].swapcase() + b"=" + chance.choice(JUNK), pair]


def _swapped(pairs, chance):
    return random.Random(chance.random()).sample(pairs, len(pairs))


def _junk(pairs, chance):
    place = chance.randrange(len(pairs))
    name = pairs[place].partition(b"=")[0]
    return [*pairs[:place], name + b"=" + chance.choice(JUNK), *pairs[place + 1 :]]


def _bit(pairs, chance):
    place = chance.randrange(len(pairs))
    text = bytearray(pairs[place] or b"x")
    text[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
    return [*pairs[:place], bytes(text), *pairs[place + 1 :]]


def variants(ask, message):
    """Return an Ask with another message where its own is: in the body of a POST, else behind the "?"."""
    return replace(ask, body=message) if ask.method == "POST" else replace(ask, query=message)
