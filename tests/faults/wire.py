"""A line between two programs that breaks on demand: Odoo and a provider, or a provider and Odoo.

    with Wire(8888) as wire:                       # what connects to wire.port reaches port 8888
        fault = wire.break_by("split", random.Random(7))
        ...
        assert fault.met                           # the requests that it has hit
        wire.mend()

A connection carries one exchange: a request, read to its end, and an answer, read to its end. Whose bytes a
fault spoils is the wire's choice: the "answer" on the way from Odoo to a provider and back, the "request"
where the provider speaks to Odoo, as there the request is what Odoo reads. Loopback only.
"""

import contextlib
import random
import re
import select
import socket
import struct
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

HOST = "127.0.0.1"
CHUNK = 64 * 1024
QUIET = 0.12  # seconds without a byte after which a message that does not say its length is whole
LONGEST = 90  # seconds that anything is waited for
SILENCE = (7, 26)  # seconds that a silent line stays open, by chance: some clients have given up by then
DRIPPING = 12  # seconds after which the rest of a dripping message comes at once
HUGE = 5_000_000  # bytes
PAGE = b"<html><head><title>Service unavailable</title></head><body><h1>Oops</h1></body></html>"


@dataclass
class Fault:
    """One fault of a wire. marker: only requests that hold these bytes meet it; picks: a function that says
    it of a request.

    first_only: of a request that arrived twice, the first answer comes back
    met: the requests that met it, so far; gate: what is held goes on once it is set; misses: times that it
    could not be played, as there was nothing to play it with
    """

    name: str
    chance: random.Random
    marker: bytes = b""
    picks: object = None
    first_only: bool = False
    met: list = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    misses: int = 0


def kind_of(request):
    """Return what kind of request this is (bytes), so that answers can be told apart: no ids, no amounts."""
    first = request.partition(b"\r\n")[0]
    if not first.endswith((b"HTTP/1.1", b"HTTP/1.0")):
        found = re.search(rb"CD001(.)", request)
        return b"CD" + (found[1] if found else b"")
    path = re.sub(rb"(?<=/)[^/? ]*\d[^/? ]*", b"*", first.partition(b"?")[0].removesuffix(b" HTTP/1.1"))
    what = re.search(rb"\b(TYPE|OPERATION)=(\w+)", request)
    return path + (b" " + what[2] if what else b"")


class Wire:
    """See the module. target: the port that is reached; spoils: "answer" or "request".

    memory: {kind: [(request, message)]} of what was spoiled, shared by the wires of one provider: "other"
    plays another exchange's message from it.
    """

    def __init__(self, target, spoils="answer", memory=None):
        self.target, self.spoils = target, spoils
        self.memory = {} if memory is None else memory
        self._faults, self._lock, self._crowd = [], threading.Lock(), []
        self._listener, self.port = None, 0
        self._open()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    # -- steering

    def break_by(self, name, chance, marker=b"", picks=None):
        """Have a fault hit every exchange from now on (those that it is for); returns the Fault."""
        fault = Fault(name, chance, marker, picks)
        with self._lock:
            self._faults.append(fault)
        # who has read nothing yet cannot be chosen by a marker: then the exchange is cut off instead
        if not marker and name == "refuse":
            self._shut()
        if not marker and name == "asleep":
            self._sleep()
        return fault

    def mend(self, fault=None):
        """End a fault, or all; what is held goes on."""
        with self._lock:
            ended = [one for one in self._faults if fault in (None, one)]
            self._faults = [one for one in self._faults if one not in ended]
        for one in ended:
            one.gate.set()
        if any(one.name in ("refuse", "asleep") and not one.marker for one in ended):
            self._shut()
            self._open()

    def close(self):
        """End it."""
        self.mend()
        self._shut()

    # -- the door

    def _open(self):
        end = time.monotonic() + 10
        while True:
            try:
                self._listener = socket.create_server((HOST, self.port), backlog=64)
                break
            except OSError:  # of an earlier connection something is left
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _shut(self):
        for one in (*self._crowd, self._listener):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._crowd, self._listener = [], None

    def _sleep(self):
        """Take no connection, and refuse none: the queue is full, so a client's connect hangs."""
        self._shut()
        self._listener = socket.create_server((HOST, self.port), backlog=0)
        for _number in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex((HOST, self.port))
            self._crowd.append(one)

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        # a wire that was shut meanwhile, a client or a server that left: both ends see it end
        with connection, contextlib.suppress(OSError):
            request = read_message(connection)
            if request:
                Exchange(self, connection, request).run(self._fault_for(request))

    def _fault_for(self, request):
        with self._lock:
            plain = urllib.parse.unquote_to_bytes(request)
            for fault in self._faults:
                if fault.marker in plain and (fault.picks is None or fault.picks(request)):
                    fault.met.append(request)
                    return fault
        return None

    # -- what was heard before

    def remember(self, request, message):
        """Keep what a fault may play again for another operation."""
        with self._lock:
            self.memory.setdefault(kind_of(request), []).append((request, message))
            del self.memory[kind_of(request)][:-20]

    def recall(self, request, message, chance):
        """Return the message of another exchange of this kind, None when there was none."""
        with self._lock:
            heard = self.memory.get(kind_of(request), [])
        others = [kept for asked, kept in heard if asked != request and kept != message]
        return chance.choice(others) if others else None


def read_message(source, other=None):
    """Return one message: to the length that HTTP states, else until there is silence or an end.

    other: a socket whose end ends the waiting too.
    """
    data, end = b"", time.monotonic() + LONGEST
    while not is_whole(data) and time.monotonic() < end:
        known = data and b"HTTP/1." not in data.partition(b"\r\n")[0]
        watched = [source] if other is None else [source, other]
        ready = select.select(watched, [], [], QUIET if known else 1)[0]
        if not ready and known:
            break
        if other in ready and not other.recv(CHUNK, socket.MSG_PEEK):
            break
        if source in ready:
            more = source.recv(CHUNK)
            data += more
            if not more:
                break
        elif ready:
            time.sleep(0.01)  # the other one says something that nobody asked for
    return data


def is_whole(data):
    """Tell whether an HTTP message has come to the length that it states (False where it states none)."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank or b"HTTP/1." not in head.partition(b"\r\n")[0]:
        return False
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length:
        return len(body) >= int(length[1])
    return head.startswith((b"GET ", b"DELETE ", b"HEAD "))


def reset(connection):
    """Hang up hard (RST)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Exchange:
    """One exchange, and what a fault makes of it."""

    def __init__(self, wire, client, request):
        self.wire, self.client, self.request = wire, client, request
        self.server = None

    def run(self, fault):
        """Play it."""
        name = fault.name if fault else "pass"
        try:
            getattr(self, f"_{name}", self._spoil)(fault)
        finally:
            if self.server:
                self.server.close()

    # -- parts

    def _ask(self):
        """Pass the request on and return the answer."""
        self._connect()
        self.server.sendall(self.request)
        return self._hear()

    def _hear(self):
        return read_message(self.server, self.client)

    def _connect(self):
        self.server = socket.create_connection((HOST, self.wire.target), timeout=LONGEST)

    def _spoil(self, fault):
        """Pass one message on as it is, and let the fault write the other one."""
        write = getattr(self, f"_write_{fault.name}")
        if self.wire.spoils == "request":
            self._connect()
            write(fault, self.server, self.request)
            self.client.sendall(self._hear())
        else:
            write(fault, self.client, self._ask())

    # -- faults of a whole exchange

    def _pass(self, _fault):
        answer = self._ask()
        self.wire.remember(self.request, self.request if self.wire.spoils == "request" else answer)
        self.client.sendall(answer)
        # an answer without a length may have been a part; what follows is passed on until both have left
        while answer and not is_whole(answer):
            more = self._hear()
            if not more:
                return
            self.client.sendall(more)

    def _refuse(self, _fault):
        reset(self.client)

    _asleep = _refuse

    def _lost(self, _fault):
        """The request arrives, its answer never does."""
        self._ask()

    def _silence(self, fault):
        if fault.chance.random() < 0.5:
            self._connect()
            self.server.sendall(self.request)
        self.client.settimeout(fault.chance.uniform(*SILENCE))
        with contextlib.suppress(TimeoutError):
            while self.client.recv(CHUNK):
                pass

    def _duplicate(self, fault):
        """Something between repeats an HTTP request, and either answer comes back.

        Nothing repeats the bytes of a raw connection: there the answer comes twice.
        """
        if b"HTTP/1." not in self.request.partition(b"\r\n")[0]:
            return self.client.sendall(self._ask() * 2)
        if fault.first_only:
            answer = self._ask()
            self._repeated(0)
            return self.client.sendall(answer)
        with ThreadPoolExecutor(1) as pool:
            again = pool.submit(self._repeated, fault.chance.choice((0, 0.01, 0.5)))
            answers = self._ask(), again.result()
        return self.client.sendall(fault.chance.choice(answers))

    def _repeated(self, pause):
        """Send the same request on a second line; returns its answer."""
        time.sleep(pause)
        with socket.create_connection((HOST, self.wire.target), timeout=LONGEST) as twin:
            twin.sendall(self.request)
            return read_message(twin, self.client)

    def _held(self, fault):
        """The request arrives; its answer waits for the gate."""
        answer = self._ask()
        fault.gate.wait(LONGEST)
        self.client.sendall(answer)

    def _delayed(self, fault):
        """The request waits for the gate before it arrives."""
        fault.gate.wait(LONGEST)
        self.client.sendall(self._ask())

    def _late(self, fault):
        return self._held(fault) if self.wire.spoils == "answer" else self._delayed(fault)

    # -- faults of one message

    @staticmethod
    def _write_drip(fault, target, data):
        pace, end = fault.chance.choice((0.005, 0.05, 0.4)), time.monotonic() + DRIPPING
        for number in range(len(data)):
            target.sendall(data[number : number + 1])
            time.sleep(pace)
            if time.monotonic() > end:
                target.sendall(data[number + 1 :])
                return

    @staticmethod
    def _write_split(fault, target, data):
        target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        many = min(fault.chance.randint(1, 4), max(len(data) - 1, 0))
        cuts = sorted(fault.chance.sample(range(1, len(data)), many)) if many else []
        for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
            target.sendall(data[start:stop])
            time.sleep(fault.chance.uniform(0.02, 0.7))

    @staticmethod
    def _write_reset(fault, target, data):
        target.sendall(data[: fault.chance.randrange(1, max(len(data), 2))])
        time.sleep(0.02)
        reset(target)

    def _write_garbage(self, fault, target, data):
        noise = fault.chance.randbytes(fault.chance.randint(1, 400))
        head, blank, _body = data.partition(b"\r\n\r\n")
        if not blank or fault.chance.random() < 0.3:
            target.sendall(noise + b"\r\n\r\n" if blank else noise)
        else:
            target.sendall(with_body(head, fault.chance.choice((noise, PAGE))))

    def _write_oversize(self, _fault, target, data):
        head, blank, body = data.partition(b"\r\n\r\n")
        if blank and head.startswith(b"GET "):
            first, end, rest = data.partition(b" HTTP/1.1")
            target.sendall(first + b"&x=" + b"9" * 60_000 + end + rest)
        else:
            target.sendall(with_body(head, body + b" " * HUGE) if blank else data + b"0" * HUGE)

    def _write_other(self, fault, target, data):
        other = self.wire.recall(self.request, data, fault.chance)
        if other is None:
            fault.misses += 1
        target.sendall(data if other is None else other)


def with_body(head, body):
    """Return an HTTP message with this body, its length stated."""
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*kept, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n" + body
