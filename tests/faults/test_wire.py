"""The wire breaks as it says: what the matrix finds is worth no more than its faults are real."""

import contextlib
import random
import socket
import socketserver
import threading
import time

import pytest
from wire import HUGE, Wire

BODY = b'{"answer": "%d"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
ASKED = b"POST /pay/7 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
FRAME = b"CZ0040300CD0010"


class Provider(socketserver.ThreadingTCPServer):
    """Answers HTTP with a number, a frame with a frame; keeps what it was asked."""

    daemon_threads, allow_reuse_address = True, True

    def __init__(self):
        self.asked = []
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Handler(socketserver.BaseRequestHandler):
        """One answer."""

        def handle(self):
            """Read what comes at once, answer."""
            data = self.request.recv(1 << 20)
            while data and b"Content-Length: 5" in data and not data.endswith(b"hello"):
                data += self.request.recv(1 << 20)
            if not data:
                return
            self.server.asked.append(data)
            body = BODY % len(self.server.asked)
            http = data.startswith(b"POST")
            with contextlib.suppress(OSError):
                self.request.sendall(HEAD % len(body) + body if http else b"AE00210")


@pytest.fixture
def provider():
    """A provider."""
    with Provider() as found:
        yield found
        found.shutdown()


@pytest.fixture
def wire(provider):
    """A wire to it."""
    with Wire(provider.server_address[1]) as found:
        yield found


def ask(wire, request=ASKED, seconds=10):
    """Return what comes back, and how it ended: "closed", "reset", "refused" or "silence"."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", wire.port), timeout=seconds) as connection:
            connection.sendall(request)
            while more := connection.recv(1 << 20):
                answer += more
                if answer.endswith(b"AE00210"):
                    break
    except ConnectionRefusedError:
        return answer, "refused"
    except ConnectionError:
        return answer, "reset"
    except TimeoutError:
        return answer, "silence"
    return answer, "closed"


def chance():
    """The same chance each time."""
    return random.Random(7)


def test_without_a_fault_everything_passes(wire, provider):
    assert ask(wire)[0].endswith(BODY % 1)
    assert ask(wire, FRAME)[0] == b"AE00210"
    assert provider.asked == [ASKED, FRAME]


def test_refused_and_taken_again(wire, provider):
    fault = wire.break_by("refuse", chance())
    assert ask(wire) == (b"", "refused")
    wire.mend(fault)
    assert ask(wire)[0].endswith(BODY % 1)


def test_a_door_that_does_not_open(wire, provider):
    fault = wire.break_by("asleep", chance())
    assert ask(wire, seconds=0.5) == (b"", "silence")
    wire.mend(fault)
    assert ask(wire)[1] == "closed"
    assert ASKED in provider.asked


def test_split_and_drip_bring_everything_late(wire):
    for name in ("split", "drip"):
        fault = wire.break_by(name, chance())
        began = time.monotonic()
        answer, end = ask(wire, seconds=30)
        assert end == "closed" and answer.startswith(b"HTTP") and answer.endswith(b"}")
        assert time.monotonic() - began > 0.04
        wire.mend(fault)


def test_reset_in_the_middle(wire, provider):
    wire.break_by("reset", chance())
    answer, end = ask(wire)
    assert end == "reset" and not answer.endswith(b"}")
    assert len(provider.asked) == 1


def test_garbage_and_oversize(wire):
    fault = wire.break_by("garbage", chance())
    assert BODY % 1 not in ask(wire)[0]
    wire.mend(fault)
    wire.break_by("oversize", chance())
    assert len(ask(wire)[0]) > HUGE


def test_silence_may_have_arrived(wire, provider):
    wire.break_by("silence", chance())
    assert ask(wire, seconds=0.5) == (b"", "silence")


def test_lost_has_arrived(wire, provider):
    wire.break_by("lost", chance())
    assert ask(wire)[0] == b""
    assert len(provider.asked) == 1


def test_a_duplicate_arrives_twice(wire, provider):
    wire.break_by("duplicate", chance())
    assert ask(wire)[0].startswith(b"HTTP")
    assert provider.asked == [ASKED, ASKED]
    assert ask(wire, FRAME)[0] == b"AE00210" * 2
    assert provider.asked == [ASKED, ASKED, FRAME]


def test_held_until_it_is_mended(wire, provider):
    fault = wire.break_by("held", chance())
    threading.Timer(0.5, wire.mend, [fault]).start()
    began = time.monotonic()
    assert ask(wire)[0].endswith(BODY % 1)
    assert time.monotonic() - began > 0.4


def test_delayed_until_it_is_mended(wire, provider):
    fault = wire.break_by("delayed", chance())
    assert ask(wire, seconds=0.3) == (b"", "silence")
    assert not provider.asked
    wire.mend(fault)
    time.sleep(0.3)
    assert provider.asked == [ASKED]


def test_the_answer_for_another(wire):
    first = ask(wire, ASKED)[0]
    fault = wire.break_by("other", chance())
    other = ASKED.replace(b"/7", b"/8")
    assert ask(wire, other)[0] == first
    assert not fault.misses
    assert ask(wire, ASKED.replace(b"/pay", b"/give"))[0] != first
    assert fault.misses == 1


def test_only_what_is_marked_or_picked(wire):
    wire.break_by("lost", chance(), b"/pay/8")
    wire.break_by("lost", chance(), picks=lambda request: b"/pay/9" in request)
    assert ask(wire)[0]
    assert not ask(wire, ASKED.replace(b"/7", b"/8"))[0]
    assert not ask(wire, ASKED.replace(b"/7", b"%2F8"))[0]
    assert not ask(wire, ASKED.replace(b"/7", b"/9"))[0]


def test_a_wire_that_spoils_requests(provider):
    with Wire(provider.server_address[1], "request") as wire:
        wire.break_by("garbage", random.Random(1))
        ask(wire)
        assert provider.asked and ASKED not in provider.asked
