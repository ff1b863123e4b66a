"""One request and one answer over a raw TCP socket. The terminal is the server; a link is used once.

Who closes is not established, an answer may come in pieces, and a piece may end where a field ends: so an
answer is whole when it parses and holds its status, and nothing more comes for a moment, or the terminal
closes.
Source: protocols/caisse_ap.md, 1 and 8.
"""

import ipaddress
import socket
import time
from dataclasses import dataclass, field

from ..caisse_ap.errors import ProtocolError
from ..caisse_ap.frame import Decoder

CONNECT_SECONDS = 5  # a terminal that is off must not hold the till
QUIET_SECONDS = 0.25  # longest pause seen inside an answer is under 0.2 s
# NAT routers forget a silent connection after a minute or two, and a customer may look for a card longer
KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


@dataclass
class Exchange:
    """What became of one exchange.

    sent     False when it is certain that the terminal got nothing
    ended    "complete", "refused", "silence", "closed", "broken" or "malformed"
    text     the transport's own words
    fields   what was read, [(tag, value)]; only to be believed when ``ended`` is "complete"
    latency  milliseconds from the request to the last byte
    """

    sent: bool = False
    ended: str = "refused"
    text: str = ""
    fields: list = field(default_factory=list)
    latency: float | None = None


@dataclass(frozen=True)
class Link:
    """Where a terminal listens and how long it may take, in seconds."""

    host: str
    port: int
    answer_seconds: float = 180
    connect_seconds: float = CONNECT_SECONDS
    quiet_seconds: float = QUIET_SECONDS
    allow_local: bool = False
    line_end: bool = False

    def exchange(self, frame, on_sent=lambda: None):
        """Send ``frame`` (bytes) and read the answer. Never raises for what the network does.

        ``on_sent`` is called once the request has left.
        """
        began, result = time.monotonic(), Exchange()
        try:
            with self._connect() as connection:
                # from here on the terminal may have got a part of it
                result.sent = True
                connection.sendall(frame + (b"\r\n" if self.line_end else b""))
                on_sent()
                self._listen(connection, result)
        except (OSError, UnicodeError) as error:
            result.ended = "broken" if result.sent else "refused"
            result.text = _words(error)
        if result.fields:
            result.latency = (time.monotonic() - began) * 1000
        return result

    def _connect(self):
        addresses = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        address = addresses[0][4][0]
        if not self.allow_local and is_local(address):
            raise OSError(f"{address} is this server itself or a local link")
        connection = socket.create_connection((address, self.port), timeout=self.connect_seconds)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        return connection

    def _listen(self, connection, result):
        decoder, end = Decoder(), time.monotonic() + self.answer_seconds
        while True:
            left = end - time.monotonic()
            wait = min(left, self.quiet_seconds) if decoder.complete else left
            data = _receive(connection, wait) if wait > 0 else None
            if data:
                try:
                    decoder.receive(data)
                except ProtocolError as error:
                    result.ended, result.text, result.fields = "malformed", str(error), decoder.fields
                    return
                continue
            result.fields = decoder.fields
            if decoder.complete:
                result.ended = "complete"
            else:
                result.ended = "silence" if data is None else "closed"
                result.text = "no answer in time" if data is None else "closed without a whole answer"
            return


def is_local(address):
    """Whether an address (text) can only be this machine or its own link."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.rstrip(".").lower() == "localhost"
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast


def _receive(connection, seconds):
    """Return what came; b"" when the other side closed, None when nothing came in time."""
    connection.settimeout(seconds)
    try:
        return connection.recv(4096)
    except TimeoutError:
        return None


def _words(error):
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
