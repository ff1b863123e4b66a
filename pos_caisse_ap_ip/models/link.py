"""One request and one answer over a raw TCP socket. The terminal is the server; a link is used once.

Who closes is not established, an answer may come in pieces, and a piece may end where a field ends: so an
answer is whole when it parses and holds its status, and nothing more comes for a while, or the terminal
closes, softly or not. The while is short once everything has come that an answer to this request should hold.
A customer may need minutes before an answer begins, and none after it: its rest is not waited for long.
Source: protocols/caisse_ap.md, 1 and 8.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..caisse_ap.errors import ProtocolError
from ..caisse_ap.frame import Decoder

CONNECT_SECONDS = 5  # a terminal that is off must not hold the till
QUIET_SECONDS = 0.08  # after an answer that holds what it should: a cashier waits for it
OPTIONAL_SECONDS = 0.25  # after one that proves its outcome, for what may follow: other tills wait as long
PAUSE_SECONDS = 1.5  # after one that proves nothing yet: pauses of up to a second are known within an answer
# After one that has no status, ends within a field, or is noise: an answer is sent when the outcome is known,
# in one go. The longest that any public till waits for the rest is 3 s; to give up early costs a doubt.
STALLED_SECONDS = 5
BEGUN_SECONDS = 30  # an answer that does not end for so long never will: even byte by byte it takes less
LAST_SECONDS = 3  # an answer that was begun in time is heard for so long after the time is over
# NAT routers forget a silent connection after a minute or two, and a customer may look for a card longer
KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
UNRESOLVED = "the name could not be resolved in time"
# A dead name occupies a thread of the resolver for half a minute, and the evented process has ten of them for
# everybody: so one look-up per name, and so many at once.
MOST_LOOKUPS = 6
_free_lookups, _lookups, _guard = threading.BoundedSemaphore(MOST_LOOKUPS), {}, threading.Lock()


@dataclass
class Exchange:
    """What became of one exchange.

    sent     False when it is certain that the terminal got nothing
    ended    "complete", "refused", "silence", "closed", "broken" or "malformed"
    text     the transport's own words
    fields   what was read however it ended, [(tag, value)]; only to be believed when it is "complete"
    connected  milliseconds until the terminal took the connection, name resolution included
    latency  milliseconds until the last byte: connecting, the customer, the bank
    """

    sent: bool = False
    ended: str = "refused"
    text: str = ""
    fields: list = field(default_factory=list)
    connected: float | None = None
    latency: float | None = None


@dataclass(frozen=True)
class Link:
    """Where a terminal listens and how long it may take, in seconds.

    ``connect_seconds`` are for all of it: resolving the name and trying its addresses one after the other.
    ``words`` says to people what an error of the network means.
    """

    host: str
    port: int
    answer_seconds: float = 180
    connect_seconds: float = CONNECT_SECONDS
    quiet_seconds: float = QUIET_SECONDS
    allow_local: bool = False
    line_end: bool = False
    words: Callable = str

    def exchange(self, frame, on_sent=lambda: None, lacking=lambda fields: (), may_follow=lambda fields: ()):
        """Send ``frame`` (bytes) and read the answer. Never raises for what the network does.

        ``on_sent`` is called once the request has left. ``lacking`` says of the fields read so far what is
        missing to a whole answer, ``may_follow`` what else it may bring: while that is something, pauses are
        given more time.
        """

        def pause(fields):
            if lacking(fields):
                return PAUSE_SECONDS
            return OPTIONAL_SECONDS if may_follow(fields) else self.quiet_seconds

        began, result = time.monotonic(), Exchange()
        try:
            with self._connect() as connection:
                result.connected = (time.monotonic() - began) * 1000
                # from here on the terminal may have got a part of it
                result.sent = True
                connection.sendall(frame + (b"\r\n" if self.line_end else b""))
                on_sent()
                self._listen(connection, result, pause)
        except (OSError, UnicodeError) as error:
            result.ended = "broken" if result.sent else "refused"
            result.text = self.words(error)
        if result.fields:
            result.latency = (time.monotonic() - began) * 1000
        return result

    def _connect(self):
        """Return a connection to the first address that takes one; OSError of the last when none does.

        The address that is checked is the one connected to: a name is resolved once.
        """
        end = time.monotonic() + self.connect_seconds
        found = _resolved(self.host, self.port, self.connect_seconds)
        problem = OSError("the name has no address")
        for tried, info in enumerate(found):
            # a name may have an IPv6 address at which an IPv4 terminal does not listen: each gets its share
            seconds = (end - time.monotonic()) / (len(found) - tried)
            if seconds <= 0:
                raise TimeoutError("timed out")
            try:
                self._check(info[4][0])
                return _connected(info, seconds)
            except OSError as error:
                problem = error
        raise problem

    def _check(self, address):
        if not self.allow_local and is_local(address):
            raise OSError(f"{address} is this server itself or a local link")

    def _listen(self, connection, result, pause):
        """Read into ``result`` until the answer is whole, cannot become whole, or its time is over."""
        decoder = Decoder()
        try:
            result.ended, result.text = self._read(connection, decoder, pause)
        except ProtocolError as error:
            result.ended, result.text = "malformed", str(error)
        except OSError as error:
            # a terminal that hangs up hard (RST) after its whole answer has answered
            result.ended = "complete" if decoder.complete else "broken"
            result.text = self.words(error)
        result.fields = decoder.fields

    def _read(self, connection, decoder, pause):
        """Return (ended, text)."""
        end, begun = time.monotonic() + self.answer_seconds, None
        while True:
            now = time.monotonic()
            wait = _patience(decoder, pause, end - now, now - (begun or now))
            data = _receive(connection, wait) if wait > 0 else None
            if data:
                decoder.receive(data)
                begun = (begun or time.monotonic()) if _has_begun(decoder) else None
            elif decoder.complete:
                return "complete", ""
            elif data is None:
                return _given_up(decoder)
            else:
                return "closed", "closed without a whole answer"


def _has_begun(decoder):
    """Whether an answer has begun, or something that will not become one.

    A receipt (AE=11) and signs of life come while the customer is still at the terminal.
    """
    return not decoder.accepted if decoder.fields else decoder.noise


def _patience(decoder, pause, left, since):
    """Return how many seconds to wait for more.

    :param pause: a callable that says how long a pause within an answer of these fields may be
    :param left: what is left of the time for an answer; since: seconds since it has begun
    """
    if not _has_begun(decoder):
        return left
    # a till that stopped in the middle of an answer would never know what was paid
    left = min(left + LAST_SECONDS, BEGUN_SECONDS - since)
    return min(left, pause(decoder.fields) if decoder.complete else STALLED_SECONDS)


def _given_up(decoder):
    """Return (ended, text) of an answer that did not come, or not to its end: nobody knows what was paid."""
    if decoder.fields:
        return "silence", "the answer has begun and did not end"
    return (
        ("malformed", "this is no answer of a terminal")
        if decoder.noise
        else ("silence", "no answer in time")
    )


def is_address(host):
    """Whether a host (text) is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def normal_host(host):
    """Return one spelling (text) of a host: lower case, no last dot, an address in its canonical form."""
    host = (host or "").strip().lower()
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".")
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def is_local(address):
    """Whether an address (text) can only be this machine or its own link."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.rstrip(".").lower() == "localhost"
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast


def _resolved(host, port, seconds):
    """Return the addresses of a host as ``getaddrinfo`` gives them, each once; OSError, UnicodeError.

    The system's resolver may take half a minute and cannot be told to be quicker, so it gets a thread that
    may be left behind.
    """
    if is_address(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    end = time.monotonic() + seconds
    lookup = _lookup(host, port, end)
    if not lookup.done.wait(max(end - time.monotonic(), 0)):
        raise TimeoutError(UNRESOLVED)
    if isinstance(lookup.found, Exception):
        raise lookup.found
    return list(dict.fromkeys(lookup.found))


@dataclass
class _Lookup:
    """One look-up of a name: ``found`` has its addresses, or the exception, when it is done."""

    done: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    found: object = None


def _lookup(host, port, end):
    """Return the look-up of a name that is under way, or begin one; TimeoutError when none may begin."""
    key = (host, port)
    if known := _lookups.get(key):
        return known
    if not _free_lookups.acquire(timeout=max(end - time.monotonic(), 0)):
        raise TimeoutError(UNRESOLVED)
    with _guard:
        lookup = _lookups.setdefault(key, _Lookup())
        begins, lookup.begun = not lookup.begun, True

    if not begins:
        _free_lookups.release()  # somebody else was quicker
        return lookup
    try:
        threading.Thread(
            target=_resolve, args=(lookup, host, port), name="caisse-ap-resolve", daemon=True
        ).start()
    except RuntimeError as error:  # no more threads can be started
        _end_lookup(lookup, host, port, OSError(str(error)))
    return lookup


def _resolve(lookup, host, port):
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        found = error
    _end_lookup(lookup, host, port, found)


def _end_lookup(lookup, host, port, found):
    lookup.found = found
    with _guard:
        _lookups.pop((host, port), None)
    _free_lookups.release()
    lookup.done.set()


def _connected(info, seconds):
    """Return a socket connected to one result of ``getaddrinfo``; OSError."""
    family, kind, protocol, _name, address = info
    connection = socket.socket(family, kind, protocol)
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        connection.settimeout(seconds)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _receive(connection, seconds):
    """Return what came; b"" when the other side closed, None when nothing came in time."""
    connection.settimeout(seconds)
    try:
        return connection.recv(4096)
    except TimeoutError:
        return None
