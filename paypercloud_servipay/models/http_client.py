"""The one HTTP client of the suite: a driver on ``requests`` that never guesses what a broken connection
means.

It knows, byte by byte, whether a request began to leave. That is the whole difference between "nothing was
taken, try again" and "the payment may have been made". It opens no cursor and may be used from any thread.
"""

import ipaddress
import random
import socket
import ssl
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import connection as urllib3_connection
from urllib3 import connectionpool
from urllib3.util.ssl_ import create_urllib3_context

from ..api.masking import get_logger
from .http_body import UnreadableBody, read_body
from .network_words import network_words

_logger = get_logger(__name__)

CONNECT_TIMEOUT = 5  # seconds; a server that is there answers a handshake well within it
MAX_RESPONSE = 1024 * 1024  # bytes; the largest honest answer (a week of operations) is some hundred KiB
MAX_TRIES = 3
SHORTEST_TRY = 0.5  # seconds; less is no try
MAX_RETRY_AFTER = 5  # seconds; longer waits belong to the scheduled job, not to a worker
RETRY_STATUS = {429, 502, 503, 504}


class ApiError(Exception):
    """A request that brought no usable HTTP answer.

    ``sent`` is the fact that matters for money: False means that not one byte of the request left this
    server. ``error_class`` is one of configuration, not_sent, outcome_unknown, undecodable. ``log_id`` is the
    log row."""

    def __init__(self, error_class, message, sent, log_id=False):
        super().__init__(message)
        self.error_class = error_class
        self.sent = sent
        self.log_id = log_id


@dataclass(frozen=True)
class Connection:
    """How to reach a server.

    Times in seconds; ``ca_bundle`` is PEM text that is trusted besides the usual roots.
    """

    base_url: str
    read_timeout: float = 30
    connect_timeout: float = CONNECT_TIMEOUT
    verify: bool = True
    ca_bundle: str = ""
    allow_private: bool = False


@dataclass(frozen=True)
class Response:
    """An HTTP answer, whatever its status. ``duration`` in milliseconds, of the last attempt.

    ``repeated`` tells that an earlier try of the same request may have arrived: a refusal then says nothing
    about it."""

    status: int
    headers: dict
    body: bytes
    duration: float
    attempt: int
    log_id: int | bool = False
    repeated: bool = False


@dataclass
class _Attempt:
    """What is known of one try while it runs."""

    sent: bool = False
    sockets: list = field(default_factory=list)
    expired: bool = False


class ForbiddenTarget(Exception):
    """The name leads to an address that this company may not call."""


def check_address(address, allow_private):
    """Refuse addresses inside the network unless the administrator allows them (``address``:

    IPv4 or IPv6 text).
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_multicast or ip.is_unspecified or not (ip.is_global or allow_private):
        raise ForbiddenTarget(address)


def check_base_url(url, allow_private=False):
    """Return a list of slugs that say what is wrong with a base URL (empty: nothing).

    https only, except to an address of this machine when private targets are allowed; no user, query or
    fragment."""
    problems = []
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return ["malformed"]
    if parts.scheme not in ("https", "http") or not host:
        problems.append("malformed")
    elif parts.scheme == "http" and not allow_private:
        problems.append("not_https")
    if parts.username or parts.password:
        problems.append("has_user")
    if parts.query or parts.fragment:
        problems.append("has_query")
    if any(character.isspace() or not character.isprintable() for character in url):
        problems.append("has_space")
    return problems


def load_ca_bundle(pem, context=None):
    """Add the PEM certificates to an SSL context and return it; ValueError when they cannot be read."""
    context = context or create_urllib3_context()
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError as error:
        raise ValueError(str(error)) from error
    return context


def _guarded(base, attempt, connection):
    """Return a urllib3 connection class that watches when bytes leave and whom they reach."""

    class Guarded(base):
        def connect(self):  # pylint: disable=missing-return
            """Connect, and refuse a forbidden address before a byte is sent."""
            super().connect()
            attempt.sockets.append(self.sock)
            # checked on the open socket: a name may change its address between a look-up and its use
            check_address(self.sock.getpeername()[0], connection.allow_private)

        def send(self, data):
            """Send, and remember that something left."""
            if self.sock is None:
                self.connect()
            attempt.sent = True
            return super().send(data)

    return Guarded


class _Adapter(HTTPAdapter):
    """Transport for one attempt: guarded connections, own trust anchors, no retries of urllib3's own."""

    def __init__(self, attempt, connection):
        self._attempt, self._connection = attempt, connection
        super().__init__(max_retries=0)

    def send(self, request, **kwargs):
        """Send with the connection's own time-outs."""
        # here and not in the call: no caller can forget it
        kwargs["timeout"] = (self._connection.connect_timeout, self._connection.read_timeout)
        return super().send(request, **kwargs)

    def init_poolmanager(self, *args, **kwargs):  # pylint: disable=missing-return
        """Make the pools of guarded connections."""
        super().init_poolmanager(*args, ssl_context=self._ssl_context(), **kwargs)
        pools = {}
        for scheme, pool, link in (
            ("http", connectionpool.HTTPConnectionPool, urllib3_connection.HTTPConnection),
            ("https", connectionpool.HTTPSConnectionPool, urllib3_connection.HTTPSConnection),
        ):
            guarded = _guarded(link, self._attempt, self._connection)
            pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": guarded})
        self.poolmanager.pool_classes_by_scheme = pools

    def _ssl_context(self):
        context = create_urllib3_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self._connection.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self._connection.ca_bundle:
            load_ca_bundle(self._connection.ca_bundle, context)
        return context


class _Session(requests.Session):
    """One that knows of no redirect: to find one, ``requests`` reads and unpacks the whole body first."""

    def get_redirect_target(self, resp):
        """Return None, whatever the answer says."""
        return None


class _Budget:
    """The time that all tries of one request have: one time-out to connect and one to answer."""

    def __init__(self, connection, read_timeout=None):
        read = min(connection.read_timeout, read_timeout or connection.read_timeout)
        self.connection = replace(connection, read_timeout=read)
        self.began, self.total = time.monotonic(), connection.connect_timeout + read

    def left(self):
        """Return (a Connection whose time-outs fit into what is left, seconds that are left)."""
        left = max(self.total - (time.monotonic() - self.began), SHORTEST_TRY)
        connect, read = (
            min(seconds, left) for seconds in (self.connection.connect_timeout, self.connection.read_timeout)
        )
        return replace(self.connection, connect_timeout=connect, read_timeout=read), left

    def allows(self, number, pause):
        """Tell whether a next try may begin ``pause`` seconds from now: not once a time-out has passed."""
        passed = time.monotonic() - self.began
        shortest = min(self.connection.connect_timeout, self.connection.read_timeout)
        return number < MAX_TRIES and passed < shortest and passed + pause + SHORTEST_TRY < self.total


@contextmanager
def _deadline(attempt, seconds):
    """Cut the attempt's sockets after ``seconds``:

    a read time-out starts anew with each byte that drips in.
    """

    def cut():
        attempt.expired = True
        for sock in attempt.sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                _logger.debug("socket was closed before its deadline")

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class HttpClient:
    """Send requests of one provider to one server; every attempt is written to the API log.

    :param connection: a Connection
    :param journal: callable(entry: dict) -> id of the log row; it masks what it stores and never raises
    """

    def __init__(self, connection, journal):
        self.connection = connection
        self.journal = journal

    def send(self, request, label="", read_timeout=None):
        """Send an ``api.request.Request`` and return a Response; raise ApiError when there is none.

        What provably did not leave is tried again; what may have arrived only when ``request.retry`` is
        "always". All tries together take no longer than one that connects and answers at the last moment.

        :param read_timeout: seconds, at most those of the connection: for a read that others wait for
        """
        correlation_id, repeated, number = uuid.uuid4().hex, False, 1
        budget = _Budget(self.connection, read_timeout)
        while True:
            try:
                response = self._attempt(request, label, correlation_id, number, budget)
                pause = self._pause(number, response.headers.get("Retry-After"))
                if not budget.allows(number, pause) or not self._worth_repeating(request, response):
                    return replace(response, repeated=repeated)
                repeated = True
            except ApiError as error:
                pause = self._pause(number)
                if not budget.allows(number, pause) or not self._may_repeat(request, error):
                    error.sent = error.sent or repeated
                    raise
                repeated = repeated or error.sent
            time.sleep(pause)
            number += 1

    def _worth_repeating(self, request, response):
        return request.retry == "always" and response.status in RETRY_STATUS

    def _may_repeat(self, request, error):
        if request.retry == "never" or error.error_class in ("configuration", "undecodable"):
            return False
        return not error.sent or request.retry == "always"

    def _pause(self, number, retry_after=None):
        if retry_after and retry_after.strip().isascii() and retry_after.strip().isdigit():
            return min(int(retry_after), MAX_RETRY_AFTER)
        return 0.2 * 2**number + random.uniform(0, 0.2)  # noqa: S311  (jitter)

    def _attempt(self, request, label, correlation_id, number, budget):
        entry = {
            "endpoint": label,
            "method": request.method,
            "url": self.url(request),
            "request_headers": request.headers,
            "request_body": request.body or b"",
            "correlation_id": correlation_id,
            "attempt": number,
        }
        attempt, began = _Attempt(), time.monotonic()
        try:
            status, headers, body = self._exchange(request, entry["url"], attempt, budget)
        except Exception as error:  # pylint: disable=broad-except
            failure = self._classify(error, attempt)
            entry.update(
                duration=(time.monotonic() - began) * 1000,
                outcome=failure.error_class,
                error_message=str(failure),
            )
            failure.log_id = self.journal(entry)
            raise failure from error
        duration = (time.monotonic() - began) * 1000
        entry.update(duration=duration, http_status=status, response_headers=headers, response_body=body)
        entry["outcome"] = "answered" if status < 400 else "refused"
        return Response(status, headers, body, duration, number, self.journal(entry))

    def url(self, request):
        """Return the whole address (str) of an ``api.request.Request`` at this server."""
        url = self.connection.base_url.rstrip("/") + request.path
        return f"{url}?{urlencode(request.query)}" if request.query else url

    def _exchange(self, request, url, attempt, budget):
        connection, seconds = budget.left()
        self._check_target(url)
        with _Session() as session:
            # no proxies, no .netrc: a key that somebody left there would replace ours
            session.trust_env = False
            session.mount("https://", _Adapter(attempt, connection))
            session.mount("http://", _Adapter(attempt, connection))
            with _deadline(attempt, seconds):
                answer = session.request(
                    request.method,
                    url,
                    headers={"Accept-Encoding": "identity", **request.headers},
                    data=request.body,
                    allow_redirects=False,
                    verify=connection.verify,
                    stream=True,
                )
                with answer:
                    body = read_body(answer, MAX_RESPONSE)
                    if attempt.expired:
                        raise TimeoutError("the answer took too long")
                    return answer.status_code, dict(answer.headers), body

    def _check_target(self, url):
        """Refuse a forbidden address with a clear message before a connection is tried."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        for info in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM):
            check_address(info[4][0], self.connection.allow_private)

    def _classify(self, error, attempt):
        """Turn any exception into an ApiError; only ``attempt.sent`` decides what it means for the money."""
        forbidden = _cause(error, ForbiddenTarget)
        if forbidden:
            message = f"{forbidden} is an address inside the network, which this company may not call"
            return ApiError("configuration", message, attempt.sent)
        if isinstance(error, UnreadableBody):
            return ApiError("undecodable", str(error), attempt.sent)
        ours = requests.exceptions.InvalidURL | requests.exceptions.InvalidHeader
        if isinstance(error, ours) and not attempt.sent:  # else it is the answer's header
            return ApiError("configuration", str(error), False)
        if attempt.sent:
            return ApiError("outcome_unknown", self._describe(error, attempt), True)
        return ApiError("not_sent", self._describe(error, attempt), False)

    def _describe(self, error, attempt):
        if attempt.expired or isinstance(error, requests.exceptions.Timeout):
            return "no answer in time" if attempt.sent else "the server could not be reached in time"
        if _cause(error, ssl.SSLError):
            return f"the secure connection failed: {_cause(error, ssl.SSLError)}"
        root = error
        while root.__context__ is not None or root.__cause__ is not None:
            root = root.__cause__ or root.__context__
        if isinstance(root, OSError):
            return network_words(root)
        text = f"{type(root).__name__}: {root}"
        return "".join(char for char in text if char.isprintable())[:500]


def _cause(error, wanted):
    """Return the first exception of class ``wanted`` in the chain of ``error`` (some are in args)."""
    seen, queue = set(), [error]
    while queue:
        current = queue.pop()
        if current is None or id(current) in seen or not isinstance(current, BaseException):
            continue
        if isinstance(current, wanted):
            return current
        seen.add(id(current))
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    return None
