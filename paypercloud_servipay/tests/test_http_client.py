"""The HTTP client: what left, whom it may reach, how long it may take, what it accepts."""

import errno
import gzip
import ipaddress
import socket
import ssl
import tempfile
import threading
import time
import tracemalloc
import zlib
from contextlib import suppress
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from ..api.request import Request
from ..models import http_client
from ..models.http_client import ApiError, Connection, HttpClient
from ..models.network_words import network_words


class Listener:
    """A TCP server on 127.0.0.1 that answers each connection with fixed bytes, after reading a request."""

    def __init__(self, *answers):
        self.answers, self.received = list(answers), []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _peer = self.socket.accept()
            except OSError:
                return
            with connection:
                self.received.append(connection.recv(65536))
                connection.sendall(self.answers.pop(0) if self.answers else b"")
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65536)  # closing over unread bytes would be a reset

    def close(self):
        """Stop listening."""
        self.socket.close()


class TlsListener(Listener):
    """The same behind TLS, with a self-signed certificate for 127.0.0.1 that is made anew."""

    def __init__(self):
        self.context, self.pem = _self_signed()
        super().__init__(*[OK] * 10)
        self.url = self.url.replace("http://", "https://")

    def _serve(self):
        while True:
            try:
                plain, _peer = self.socket.accept()
            except OSError:
                return
            with plain, suppress(OSError), self.context.wrap_socket(plain, server_side=True) as connection:
                data = connection.recv(65536)
                while data and not data.endswith(b"{}"):  # closing over an unread body would be a reset
                    data += connection.recv(65536) or b"{}"
                self.received.append(data)
                connection.sendall(self.answers.pop(0))


def _self_signed():
    """Return (an SSL context of a server, its certificate as PEM text)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's own authority")])
    now = datetime.now(timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem + secret)
        file.flush()
        context.load_cert_chain(file.name)
    return context, pem.decode()


def packed(body, encoding, status="200 OK"):
    """Return the bytes of an answer whose body is compressed, or says so."""
    head = f"HTTP/1.1 {status}\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestHttpClient(TransactionCase):
    def test_words_about_the_network_name_no_class(self):
        unknown, closed = "that host name is unknown", "the connection was closed before an answer came"
        for error, words in (
            (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "nobody listens at that address and port"),
            (ConnectionResetError(errno.ECONNRESET, "x"), closed),
            (BrokenPipeError(errno.EPIPE, "x"), closed),
            (OSError(errno.EHOSTUNREACH, "x"), "no way leads to that address from this server"),
            (socket.gaierror(socket.EAI_NONAME, "x"), unknown),
            (UnicodeError("label too long"), unknown),
        ):
            self.assertEqual(network_words(error), words)
            self.assertTrue(self.env["servipay.sentence"]._knows(words), "it has a translation")
        text = "Too many open files"  # the system's own words
        self.assertEqual(network_words(OSError(errno.EMFILE, text)), text)

    def client(self, url, **options):
        self.entries = []
        options = {"allow_private": True, "read_timeout": 2, "connect_timeout": 2, **options}
        return HttpClient(
            Connection(url, **options), lambda entry: self.entries.append(entry) or len(self.entries)
        )

    def listen(self, *answers):
        listener = Listener(*answers)
        self.addCleanup(listener.close)
        return listener

    def request(self, method="POST", retry="not_sent", **values):
        values = {"path": "/p", "query": [("a", "b c")], "headers": {"X-Test": "1"}, "body": b"{}", **values}
        return Request(method=method, retry=retry, **values)

    def fails(self, url, retry="not_sent", **options):
        with self.assertRaises(ApiError) as caught:
            self.client(url, **options).send(self.request(retry=retry))
        return caught.exception

    def test_request_on_the_wire(self):
        listener = self.listen(OK)
        response = self.client(listener.url).send(self.request(), "purchase")
        self.assertEqual((response.status, response.body, response.attempt), (200, b"{}", 1))
        head = listener.received[0].decode()
        self.assertTrue(head.startswith("POST /p?a=b+c HTTP/1.1\r\n"), head)
        self.assertIn("X-Test: 1", head)
        self.assertIn("Accept-Encoding: identity", head)
        self.assertEqual(self.entries[0]["endpoint"], "purchase")

    def test_refused_connection_did_not_leave(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = self.fails(url)
        self.assertEqual((error.error_class, error.sent), ("not_sent", False))
        self.assertEqual(len(self.entries), 3)

    def test_unknown_name_did_not_leave(self):
        error = self.fails("http://no-such-host.invalid")
        self.assertEqual((error.error_class, error.sent), ("not_sent", False))

    def test_closed_without_an_answer_is_uncertain_and_not_repeated(self):
        listener = self.listen(b"", OK)
        error = self.fails(listener.url)
        self.assertEqual((error.error_class, error.sent), ("outcome_unknown", True))
        self.assertEqual(len(listener.received), 1)

    def test_reads_are_repeated(self):
        listener = self.listen(b"", b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", OK)
        response = self.client(listener.url).send(self.request("GET", "always", body=None))
        self.assertEqual((response.status, response.attempt, response.repeated), (200, 3, True))
        self.assertEqual(len({entry["correlation_id"] for entry in self.entries}), 1)

    def test_no_new_try_once_a_time_out_has_passed(self):
        """A server that is there and silent costs one time-out, not three."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            began = time.monotonic()
            error = self.fails(url, retry="always", read_timeout=1)
        self.assertEqual((error.error_class, len(self.entries)), ("outcome_unknown", 1))
        self.assertLess(time.monotonic() - began, 2.5)

    def test_all_tries_together_have_one_budget(self):
        """Tries that each end just in time do not add up: Odoo ends a request after two minutes."""
        slow = b"HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
        listener, began = self.listen(slow, slow, slow), time.monotonic()
        options = {"read_timeout": 2, "connect_timeout": 1}
        response = self.client(listener.url, **options).send(self.request("GET", "always", body=None))
        self.assertEqual((response.status, response.attempt), (503, 1), "the pause alone is too long")
        self.assertLess(time.monotonic() - began, 3)

    def test_shorter_time_out_of_a_read(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client, began = self.client(f"http://127.0.0.1:{silent.getsockname()[1]}", read_timeout=60), None
            began = time.monotonic()
            with self.assertRaises(ApiError):
                client.send(self.request("GET", "always", body=None), read_timeout=1)
        self.assertLess(time.monotonic() - began, 5)

    def test_posts_are_not_repeated_after_an_answer(self):
        listener = self.listen(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", OK)
        response = self.client(listener.url).send(self.request())
        self.assertEqual((response.status, len(listener.received)), (503, 1))

    def test_no_redirect_is_followed(self):
        other = self.listen(OK)
        answer = f"HTTP/1.1 307 Go\r\nLocation: {other.url}/p\r\nContent-Length: 0\r\n\r\n".encode()
        response = self.client(self.listen(answer).url).send(self.request())
        self.assertEqual(response.status, 307)
        self.assertFalse(other.received)

    def test_private_targets(self):
        listener = self.listen(OK)
        for host in ("127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433"):
            port = listener.url.rpartition(":")[2]
            error = self.fails(f"http://{host}:{port}", allow_private=False)
            self.assertFalse(error.sent, host)
        self.assertFalse(listener.received, "not one byte reached it")

    def test_forbidden_addresses(self):
        for address in (
            "10.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "::1",
            "fe80::1%eth0",
            "::ffff:10.0.0.1",
            "0.0.0.0",
        ):
            with self.assertRaises(http_client.ForbiddenTarget):
                http_client.check_address(address, allow_private=False)
        for address in (
            "0.0.0.0",
            "::",
            "224.0.0.1",
        ):  # suite-check: ok addresses to refuse, nothing is bound to them
            with self.assertRaises(http_client.ForbiddenTarget):
                http_client.check_address(address, allow_private=True)
        http_client.check_address("93.184.216.34", allow_private=False)
        http_client.check_address("127.0.0.1", allow_private=True)

    def test_address_is_checked_on_the_open_socket(self):
        """A name that resolves to a public address first and to a private one at its use reaches nobody."""
        listener = self.listen(OK)
        client = self.client(listener.url, allow_private=False)
        client._check_target = lambda url: None  # the first look-up was satisfied
        with self.assertRaises(ApiError) as caught:
            client.send(self.request())
        self.assertEqual(caught.exception.error_class, "configuration")
        self.assertFalse(caught.exception.sent)
        self.assertFalse([data for data in listener.received if data])

    def test_large_answer(self):
        size = http_client.MAX_RESPONSE + 1
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
        error = self.fails(self.listen(head + b"x" * size).url)
        self.assertEqual((error.error_class, error.sent), ("undecodable", True))

    def test_compressed_answer_is_bounded_before_it_is_unpacked(self):
        """Two kilobytes that are a gigabyte: neither memory nor time, whatever the layers are called."""
        layer = gzip.compress(gzip.compress(bytes(10_000_000)) * 100)
        self.assertLess(len(layer), 20_000)
        bombs = {"gzip, gzip": layer, "gzip": gzip.compress(bytes(100_000_000)), "br": layer, "zstd": layer}
        bombs |= {"deflate": zlib.compress(bytes(100_000_000)), "gzip, deflate, gzip": layer}
        for encoding, body in bombs.items():
            for status in ("200 OK", "307 Go\r\nLocation: /elsewhere", "503 Busy"):
                error, seconds, peak = self.measured(packed(body, encoding, status))
                self.assertEqual((error.error_class, error.sent), ("undecodable", True), encoding)
                self.assertLess(peak, 8 * http_client.MAX_RESPONSE, encoding)
                self.assertLess(seconds, 0.5, encoding)

    def measured(self, answer):
        """Return (the ApiError of an answer, seconds of this thread, bytes of memory at the peak)."""
        url = self.listen(answer).url
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        tracemalloc.reset_peak()
        before, began = tracemalloc.get_traced_memory()[0], time.thread_time()
        error = self.fails(url)
        return error, time.thread_time() - began, tracemalloc.get_traced_memory()[1] - before

    def test_endless_redirect_is_not_read(self):
        """``requests`` would read the body of a redirect without a limit to find out where it leads."""
        size = 40 * http_client.MAX_RESPONSE
        head = f"HTTP/1.1 307 Go\r\nLocation: /x\r\nContent-Length: {size}\r\n\r\n".encode()
        error, _seconds, peak = self.measured(head + bytes(size))
        self.assertEqual((error.error_class, error.sent), ("undecodable", True))
        self.assertLess(peak, 8 * http_client.MAX_RESPONSE)

    def test_one_layer_that_nobody_asked_for_is_read(self):
        """A proxy that compresses whatever is asked for must not make a payment uncertain."""
        for encoding, body in {
            "gzip": gzip.compress(b'{"a": 1}'),
            "GZIP, identity": gzip.compress(b'{"a": 1}'),
            "deflate": zlib.compress(b'{"a": 1}'),
            " deflate ": zlib.compress(b'{"a": 1}')[2:-4],
            "identity": b'{"a": 1}',
        }.items():
            response = self.client(self.listen(packed(body, encoding)).url).send(self.request())
            self.assertEqual(response.body, b'{"a": 1}', encoding)
        empty = self.client(self.listen(packed(b"", "gzip", "204 Fine")).url).send(self.request())
        self.assertEqual((empty.status, empty.body), (204, b""))

    def test_two_lengths_are_an_answer_that_nobody_can_read(self):
        """Not a mistake in the settings: the request was sent."""
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}"
        error = self.fails(self.listen(answer, answer, answer).url, retry="always")
        self.assertEqual((error.error_class, error.sent), ("outcome_unknown", True))

    def test_what_cannot_be_unpacked_is_uncertain(self):
        whole = gzip.compress(b'{"a": 1}')
        for body in (whole[:-3], whole + whole, b"{}", b"\x1f\x8b\x08"):
            error = self.fails(self.listen(packed(body, "gzip")).url)
            self.assertEqual((error.error_class, error.sent), ("undecodable", True), body)

    def test_plain_bytes_instead_of_a_handshake(self):
        """Refused, and nothing of the request was sent."""
        listener = self.listen(OK, OK, OK)
        error = self.fails(listener.url.replace("http://", "https://"))
        self.assertFalse(error.sent)
        self.assertNotIn(b"X-Test", b"".join(listener.received))

    def test_certificate_is_verified(self):
        """A certificate of nobody's: refused without its authority, accepted with it or if so configured."""
        listener = TlsListener()
        self.addCleanup(listener.close)
        error = self.fails(listener.url)
        self.assertEqual((error.error_class, error.sent), ("not_sent", False))
        self.assertIn("certificate", str(error))
        self.assertFalse(listener.received, "not one byte of the request left")
        for options in ({"ca_bundle": listener.pem}, {"verify": False}):
            with mute_logger("py.warnings"):  # urllib3's, about the verification that is off
                response = self.client(listener.url, **options).send(self.request())
            self.assertEqual((response.status, response.body), (200, b"{}"), options)
        self.assertEqual(len(listener.received), 2)
        other = TlsListener()
        self.addCleanup(other.close)
        self.assertFalse(self.fails(listener.url, ca_bundle=other.pem).sent, "another authority's bundle")
        wrong_name = listener.url.replace("127.0.0.1", "127.0.0.2")
        self.assertFalse(self.fails(wrong_name, ca_bundle=listener.pem).sent, "issued for another host")

    def test_base_urls(self):
        cases = {
            "https://api.example.com": [],
            "https://api.example.com:8443/base": [],
            "http://api.example.com": ["not_https"],
            "ftp://api.example.com": ["malformed"],
            "https://": ["malformed"],
            "https://user:secret@api.example.com": ["has_user"],
            "https://api.example.com/?a=b": ["has_query"],
            "https://api.example.com/#x": ["has_query"],
            "https://api.example.com/a b": ["has_space"],
            "https://[api": ["malformed"],
        }
        for url, problems in cases.items():
            self.assertEqual(http_client.check_base_url(url), problems, url)
        self.assertEqual(http_client.check_base_url("http://127.0.0.1:8899", allow_private=True), [])
