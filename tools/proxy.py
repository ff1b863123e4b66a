"""A small reverse proxy for a prefork Odoo: `/websocket...` to its evented port, all else to its HTTP port.

It is what an integrator's nginx does (architecture 5), for the faults ring and the benchmarks on this
machine only. Every connection carries one request (it adds `Connection: close`), but for a websocket, whose
bytes are passed on both ways for as long as both sides like. Several nodes get requests in turn, whoever
asks; one that takes no connection is passed over.

    python tools/proxy.py PORT HTTP_PORT EVENTED_PORT [HTTP_PORT EVENTED_PORT ...]
"""

import contextlib
import itertools
import socket
import sys
import threading

HOST = "127.0.0.1"
HEAD_LIMIT = 64 * 1024  # bytes of a request's head; Odoo's own server takes less
CHUNK = 64 * 1024
CONNECT_SECONDS = 10
HEAD_SECONDS = 60


def read_head(connection):
    """Return (head, what was read beyond it); head is b"" when the client went away or sent too much."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(CHUNK)
        data += more
        if not more or (len(data) > HEAD_LIMIT and b"\r\n\r\n" not in data):
            return b"", b""
    head, _blank, rest = data.partition(b"\r\n\r\n")
    return head, rest


def is_evented(head):
    """True for a request that the evented process answers."""
    path = head.split(b" ", 2)[1] if head.count(b" ") >= 2 else b""
    return path.startswith(b"/websocket")


def rewrite(head, client, port):
    """Return the head as sent on: with the headers of a proxy, and closing unless it asks for an upgrade."""
    first, *headers = head.split(b"\r\n")
    names = {line.partition(b":")[0].strip().lower(): line.partition(b":")[2].strip() for line in headers}
    forwarded = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")
    upgrade = b"upgrade" in names
    dropped = forwarded if upgrade else (*forwarded, b"connection", b"keep-alive")
    kept = [line for line in headers if line.partition(b":")[0].strip().lower() not in dropped]
    host = names.get(b"host", f"{HOST}:{port}".encode())
    kept += [
        b"X-Forwarded-For: " + client.encode(),
        b"X-Real-IP: " + client.encode(),
        b"X-Forwarded-Host: " + host,
        b"X-Forwarded-Proto: http",
    ]
    if not upgrade:
        kept.append(b"Connection: close")
    return b"\r\n".join([first, *kept]) + b"\r\n\r\n"


def pump(source, target):
    """Pass bytes on until the source ends, then tell the target that no more will come."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Proxy:
    """Listens on port and passes on to the nodes' HTTP and evented ports, all of the loopback interface.

    ports: of one node after the other, first HTTP, then evented.
    """

    def __init__(self, port, *ports):
        self.nodes = [*zip(ports[::2], ports[1::2], strict=True)]
        self._turns = itertools.count()
        self.listener = socket.create_server((HOST, port), backlog=512)
        self.port = self.listener.getsockname()[1]

    def serve(self):
        """Accept connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection, address = self.listener.accept()
                threading.Thread(target=self._handle, args=(connection, address[0]), daemon=True).start()

    def close(self):
        """Stop listening; connections that are open go on."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _handle(self, connection, client):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(HEAD_SECONDS)
            head, rest = read_head(connection)
            if not head:
                return
            server = self._reach(is_evented(head))
            if server is None:
                connection.sendall(
                    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                return
            self._splice(connection, server, rewrite(head, client, self.port) + rest)

    def _reach(self, evented):
        """Return a connection to the node whose turn it is, or to the next that takes one; None without."""
        first = next(self._turns)
        for number in range(len(self.nodes)):
            port = self.nodes[(first + number) % len(self.nodes)][evented]
            with contextlib.suppress(OSError):
                return socket.create_connection((HOST, port), timeout=CONNECT_SECONDS)
        return None

    @staticmethod
    def _splice(connection, server, first):
        with server:
            connection.settimeout(None)
            server.settimeout(None)
            server.sendall(first)
            upward = threading.Thread(target=pump, args=(connection, server), daemon=True)
            upward.start()
            pump(server, connection)
            # the answer is whole; a client that keeps its side open must not keep this thread
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            upward.join()


if __name__ == "__main__":
    Proxy(*map(int, sys.argv[1:])).serve()
