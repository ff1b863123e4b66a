"""The link over real sockets: terminals that pause, hang up hard, stand behind several addresses."""

import contextlib
import importlib
import socket
import struct
import sys
import threading
import time
import types
from pathlib import Path

import pytest

if str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip") not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"))

from caisse_ap.compare import lacking, may_follow
from caisse_ap.frame import encode
from caisse_ap.request import build, credit, debit, identification

ADDON = Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"


def _without_odoo():
    """models/link.py needs no Odoo, but its package's own __init__ imports it: stand-ins take its place."""
    for name, folder in (("caisse_ap_addon", ADDON), ("caisse_ap_addon.models", ADDON / "models")):
        package = types.ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return importlib.import_module("caisse_ap_addon.models.link")


link = _without_odoo()
DEBIT = debit(1234, "EUR")
ANSWER = [("CZ", "0301"), ("CJ", "330538600404"), ("AE", "10"), ("CA", "01"), ("CB", "1234")]
ANSWER += [("CC", "001"), ("CD", "0"), ("CE", "978"), ("AC", "184117")]


class Terminal:
    """Accepts one connection, reads (``read``) and does what ``act(connection)`` does."""

    def __init__(self, act, read=True):
        self.act, self.read, self.request = act, read, b""
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            connection, _address = self.door.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self.read:
                    self.request = connection.recv(4096)
                self.act(connection)

    def close(self):
        self.door.close()
        self.thread.join(5)


@pytest.fixture
def terminal():
    made = []

    def make(act, **options):
        made.append(Terminal(act, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def ask(port, request=DEBIT, host="127.0.0.1", **options):
    """(Exchange, seconds) of a request."""
    options = {"answer_seconds": 5, "allow_local": True, **options}
    began = time.monotonic()
    exchange = link.Link(host, port, **options).exchange(
        encode(build(request)),
        lacking=lambda fields: lacking(request, fields),
        may_follow=lambda fields: may_follow(request, fields),
    )
    return exchange, time.monotonic() - began


def hang_up_hard(connection):
    """RST: nothing that is under way arrives any more, and the till's next look finds an error."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# -- a terminal that hangs up hard


def test_reset_after_a_whole_answer(terminal):
    def act(connection):
        connection.sendall(encode(ANSWER))
        time.sleep(0.1)  # read by the till, which now waits whether more comes
        hang_up_hard(connection)

    exchange, _seconds = ask(terminal(act).port)
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER)


def test_line_end_that_the_terminal_leaves_unread(terminal):
    """Closing with bytes unread makes a terminal's system send RST instead of FIN."""

    def act(connection):
        request = encode(build(DEBIT))
        assert connection.recv(len(request), socket.MSG_WAITALL) == request
        connection.sendall(encode(ANSWER))
        time.sleep(0.1)

    exchange, _seconds = ask(terminal(act, read=False).port, line_end=True)
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER)


def test_reset_within_the_answer_keeps_what_was_read(terminal):
    def act(connection):
        connection.sendall(encode(ANSWER[:2]) + b"AE0")
        time.sleep(0.1)
        hang_up_hard(connection)

    exchange, _seconds = ask(terminal(act).port)
    assert (exchange.sent, exchange.ended, exchange.fields) == (True, "broken", ANSWER[:2])


@pytest.mark.parametrize(
    ("tail", "ended"), [(b"", "closed"), (b"AE00", "closed"), (b"?????", "malformed"), (None, "silence")]
)
def test_what_was_read_is_kept_however_it_ends(terminal, tail, ended):
    def act(connection):
        connection.sendall(encode(ANSWER[:2]) + (tail or b""))
        if tail is None:
            connection.recv(1)

    exchange, _seconds = ask(terminal(act).port, answer_seconds=0.3)
    assert (exchange.ended, exchange.fields) == (ended, ANSWER[:2])


# -- pauses within an answer


def split(pause, *sizes):
    """Sends the answer in pieces of so many fields with a pause between, then keeps the line open."""

    def act(connection):
        rest = ANSWER
        for size in sizes:
            connection.sendall(encode(rest[:size]))
            rest = rest[size:]
            time.sleep(pause)
        connection.sendall(encode(rest))
        connection.recv(1)

    return act


@pytest.mark.parametrize("pause", [0.4, 1.0])
def test_pause_after_the_status(terminal, pause):
    """AE came third: what was paid comes after the pause."""
    exchange, _seconds = ask(terminal(split(pause, 3)).port)
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER)


def test_several_pauses(terminal):
    exchange, _seconds = ask(terminal(split(0.9, 3, 2, 2)).port)
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER)


def test_pause_at_the_end_of_the_time(terminal):
    """An answer that has begun in time is heard to its end."""
    exchange, seconds = ask(terminal(split(0.9, 3)).port, answer_seconds=0.3)
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER)
    assert seconds < 0.3 + link.LAST_SECONDS


def test_normal_answers_are_fast(terminal):
    _exchange, seconds = ask(terminal(split(0)).port)
    assert seconds < 0.5
    known = [("CZ", "0301"), ("CA", "01"), ("CD", "I"), ("AE", "10")]

    def act(connection):
        connection.sendall(encode(known))
        connection.recv(1)

    exchange, seconds = ask(terminal(act).port, identification())
    assert exchange.fields == known
    assert seconds < 0.5


def test_what_never_comes_is_not_waited_for_long(terminal):
    def act(connection):
        connection.sendall(encode(ANSWER[:3]))
        connection.recv(1)

    exchange, seconds = ask(terminal(act).port, credit(1234, "EUR"))
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER[:3])
    assert 1 < seconds < 3


def test_a_terminal_that_never_ends(terminal):
    """Pieces that keep coming end with the time of the answer and a little more."""

    def act(connection):
        connection.sendall(encode(ANSWER))
        while True:
            connection.sendall(encode([("ZZ", "x")]))
            time.sleep(0.05)

    exchange, seconds = ask(terminal(act).port, answer_seconds=0.5)
    assert exchange.ended == "complete"
    assert seconds < 0.5 + link.LAST_SECONDS + 0.5


# -- what an answer may hold and need not


def whole(fields):
    """Sends these fields at once and keeps the line open."""

    def act(connection):
        connection.sendall(encode(fields))
        connection.recv(1)

    return act


OFFLINE = [field for field in ANSWER if field[0] != "AC"]
CHEQUE = [(tag, "00C" if tag == "CC" else value) for tag, value in OFFLINE]


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (debit(1234, "EUR", application="00C"), CHEQUE),
        (DEBIT, CHEQUE),
        (DEBIT, OFFLINE),
        (debit(1234, "EUR", receipts="120"), ANSWER),
        (debit(1234, "EUR", receipts="120"), [*ANSWER, ("ZT", "CK003120AK004QUJD")]),
    ],
)
def test_what_may_be_absent_costs_no_pause(terminal, request_, fields):
    """A cheque has no authorisation, an offline card neither, and two slips may come as one."""
    exchange, seconds = ask(terminal(whole(fields)).port, request_)
    assert (exchange.ended, exchange.fields) == ("complete", fields)
    assert seconds < 1, "measured: 1.5 s at each cheque"


def test_a_slip_that_follows_at_once_is_heard(terminal):
    slip = [("ZT", "CK003100AK004QUJD")]

    def act(connection):
        connection.sendall(encode(ANSWER))
        time.sleep(0.15)
        connection.sendall(encode(slip))
        connection.recv(1)

    exchange, _seconds = ask(terminal(act).port, debit(1234, "EUR", receipts="100"))
    assert exchange.fields == ANSWER + slip


# -- "request taken into account" (AE=11), and the outcome after it

ACCEPTED = [("CZ", "0301"), ("CJ", "330538600404"), ("CA", "01"), ("CD", "0"), ("AE", "11")]


@pytest.mark.parametrize("tail", [b"", b"\r\n", b"\x06"])
@pytest.mark.parametrize("pause", [0, 1])
def test_the_outcome_after_the_receipt_is_heard(terminal, pause, tail):
    """One public client and its simulator send both on one connection, also in one packet."""

    def act(connection):
        connection.sendall(encode(ACCEPTED) + tail + (b"" if pause else encode(ANSWER)))
        time.sleep(pause)
        connection.sendall(encode(ANSWER) if pause else b"")
        connection.recv(1)

    exchange, seconds = ask(terminal(act).port)
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER)
    assert seconds < pause + 1


def test_the_outcome_after_the_receipt_never_comes(terminal):
    exchange, seconds = ask(terminal(whole(ACCEPTED)).port, answer_seconds=0.5)
    assert (exchange.ended, exchange.fields) == ("complete", ACCEPTED)
    assert 0.4 < seconds < 1.5, "listened to until the deadline, and no longer"


def test_the_terminal_hangs_up_after_the_receipt(terminal):
    exchange, seconds = ask(terminal(lambda connection: connection.sendall(encode(ACCEPTED))).port)
    assert (exchange.ended, exchange.fields) == ("complete", ACCEPTED)
    assert seconds < 1


def test_an_outcome_that_is_cut_is_none(terminal):
    def act(connection):
        connection.sendall(encode(ACCEPTED) + encode(ANSWER)[:38])

    exchange, _seconds = ask(terminal(act).port)
    assert (exchange.ended, exchange.sent) == ("closed", True)


# -- what holds a till although nobody will pay by it


def without_status(connection):
    connection.sendall(encode([field for field in ANSWER if field[0] != "AE"]))
    connection.recv(1)


def cut_in_a_field(connection):
    connection.sendall(encode(ANSWER)[:-3])
    connection.recv(1)


def noise(connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\xff\x00\x02")
    connection.recv(1)


@pytest.mark.parametrize(
    ("act", "ended"), [(without_status, "silence"), (cut_in_a_field, "silence"), (noise, "malformed")]
)
def test_what_was_begun_and_does_not_go_on_is_given_up(terminal, monkeypatch, act, ended):
    """The customer is done when an answer begins: what pauses for longer than any terminal does is over."""
    monkeypatch.setattr(link, "STALLED_SECONDS", 0.5)
    exchange, seconds = ask(terminal(act).port, answer_seconds=20)
    assert (exchange.sent, exchange.ended) == (True, ended), "nobody knows what was paid"
    assert seconds < 3


@pytest.mark.parametrize("piece", [b"x", encode([("ZZ", "x")])])
def test_what_never_ends_is_given_up(terminal, monkeypatch, piece):
    monkeypatch.setattr(link, "BEGUN_SECONDS", 1)

    def act(connection):
        connection.sendall(b"" if piece == b"x" else encode(ANSWER[:1]))
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    exchange, seconds = ask(terminal(act).port, answer_seconds=20)
    assert exchange.sent and exchange.ended in ("silence", "malformed")
    assert seconds < 4


@pytest.mark.parametrize("sign", [b"\x06", b"\x05\r\n", b"\r\n"])
def test_a_sign_of_life_is_no_answer(terminal, monkeypatch, sign):
    """A terminal that acknowledges the request still waits for its customer."""
    monkeypatch.setattr(link, "STALLED_SECONDS", 0.3)

    def act(connection):
        connection.sendall(sign)
        time.sleep(1)
        connection.sendall(encode(ANSWER))
        connection.recv(1)

    exchange, _seconds = ask(terminal(act).port)
    assert (exchange.ended, exchange.fields) == ("complete", ANSWER)


def test_the_bounds_are_longer_than_any_known_pause():
    """A second is known of terminals, and three seconds is the longest that a public till waits."""
    assert link.STALLED_SECONDS > 3 > link.PAUSE_SECONDS > 1
    assert link.BEGUN_SECONDS > 2 * link.STALLED_SECONDS
    assert link.QUIET_SECONDS < link.OPTIONAL_SECONDS < 0.5


# -- addresses


def resolve(monkeypatch, *addresses, seconds=0):
    """Names have these addresses from now on."""

    def getaddrinfo(_host, port, **_options):
        time.sleep(seconds)
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (families[":" in address], socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(link.socket, "getaddrinfo", getaddrinfo)


def answering(connection):
    connection.sendall(encode(ANSWER))
    connection.recv(1)


def test_the_next_address_is_tried(terminal, monkeypatch):
    """A name may have an IPv6 address that the terminal does not listen at."""
    port = terminal(answering).port
    resolve(monkeypatch, "::1", "127.0.0.1")
    exchange, _seconds = ask(port, host="tpe.example")
    assert exchange.ended == "complete", exchange.text


def test_each_address_is_checked(terminal, monkeypatch):
    port = terminal(answering).port
    resolve(monkeypatch, "192.0.2.1", "127.0.0.1")
    exchange, seconds = ask(port, host="tpe.example", allow_local=False, connect_seconds=0.5)
    assert (exchange.ended, exchange.sent) == ("refused", False)
    assert seconds < 1
    resolve(monkeypatch, "127.0.0.1", "::ffff:127.0.0.1", "fe80::1")
    exchange, _seconds = ask(port, host="tpe.example", allow_local=False)
    assert exchange.ended == "refused"
    assert "is this server itself" in exchange.text


def test_the_budget_is_shared_by_the_addresses(terminal, monkeypatch):
    """A silent first address leaves time for the second one."""
    port = terminal(answering).port
    resolve(monkeypatch, "silent", "127.0.0.1")
    connect = link._connected

    def slow(info, seconds):
        if info[4][0] == "silent":
            time.sleep(seconds)
            raise TimeoutError("timed out")
        return connect(info, seconds)

    monkeypatch.setattr(link, "_connected", slow)
    monkeypatch.setattr(link, "is_local", lambda _address: False)
    exchange, seconds = ask(port, host="tpe.example", connect_seconds=1)
    assert exchange.ended == "complete", exchange.text
    assert seconds < 1.2


def test_a_name_server_that_does_not_answer(monkeypatch):
    resolve(monkeypatch, "127.0.0.1", seconds=2)
    exchange, seconds = ask(9, host="tpe.example", connect_seconds=0.3)
    assert (exchange.ended, exchange.sent) == ("refused", False)
    assert seconds < 1


def test_dead_names_hold_few_threads_and_each_is_looked_up_once(monkeypatch):
    """A resolver that hangs: whoever asks gives up in time, and few threads wait for it."""
    release, asked = threading.Event(), []

    def getaddrinfo(host, port, **_options):
        asked.append(host)
        release.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(link.socket, "getaddrinfo", getaddrinfo)
    names = [f"dead-{number % 9}" for number in range(27)]

    def look(name):
        with pytest.raises(TimeoutError):
            link._resolved(name, 1, 0.3)

    threads = [threading.Thread(target=look, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert 0 < len(asked) == len(set(asked)) <= link.MOST_LOOKUPS
    release.set()
    assert link._resolved("alive", 1, 5)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300])
def test_a_name_that_cannot_be_resolved(host):
    exchange, _seconds = ask(9, host=host, connect_seconds=0.5)
    assert (exchange.ended, exchange.sent) == ("refused", False)
    assert exchange.text


def test_a_name_without_addresses(monkeypatch):
    resolve(monkeypatch)
    exchange, _seconds = ask(9, host="tpe.example")
    assert (exchange.ended, exchange.sent) == ("refused", False)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.1.1", "0.0.0.0"])
def test_an_address_is_checked_without_a_name_server(monkeypatch, address):
    monkeypatch.setattr(link.threading, "Thread", None)
    exchange, _seconds = ask(9, host=address, allow_local=False)
    assert exchange.ended == "refused"
    assert "is this server itself" in exchange.text


# -- times


def test_the_customers_time_is_not_the_connections(terminal):
    def act(connection):
        time.sleep(0.4)
        connection.sendall(encode(ANSWER))
        connection.recv(1)

    exchange, _seconds = ask(terminal(act).port)
    assert exchange.latency >= 400
    assert exchange.connected < 300
