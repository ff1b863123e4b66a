"""Ports, the reverse proxy with real sockets, and where PostgreSQL may be."""

import os
import socket
import socketserver
import threading

import pytest

from tools import database, environment, odoo, proxy
from tools.report import Problem


@pytest.fixture
def taken():
    """A port somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_free():
    assert odoo.port_is_free(odoo.free_port())


def test_a_taken_port_is_refused_and_another_proposed(taken):
    assert not odoo.port_is_free(taken)
    with pytest.raises(Problem, match=rf"Port {taken} is in use: --port (\d+) is free") as refused:
        odoo.require_port(taken)
    assert odoo.port_is_free(int(str(refused.value).split("--port ")[1].split()[0]))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_no_port_is_refused(port):
    with pytest.raises(Problem, match="is no port"):
        odoo.require_port(port)


class Answer(socketserver.StreamRequestHandler):
    """Answers with the server's name and the head it got; echoes after an upgrade."""

    def handle(self):
        head = b""
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            head += line
        if b"upgrade" in head.lower():
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            while data := self.rfile.readline():
                self.wfile.write(data.upper())
            return
        length = next(
            (int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-l")),
            0,
        )
        body = self.server.name + b"\n" + head + self.rfile.read(length)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def serve(name):
    """Start a server that answers with its name; returns it."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    server.name = name
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def through():
    """A Proxy before a server named http and one named evented."""
    plain, evented = serve(b"http"), serve(b"evented")
    running = proxy.Proxy(0, plain.server_address[1], evented.server_address[1])
    threading.Thread(target=running.serve, daemon=True).start()
    yield running
    running.close()
    for server in (plain, evented):
        server.shutdown()
        server.server_close()


def ask(port, request):
    """Send raw bytes and return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"/web", b"http"),
        (b"/", b"http"),
        (b"/websocket", b"evented"),
        (b"/websocket/servipay/pay?x=1", b"evented"),
        (b"/web/websocket", b"http"),
    ],
)
def test_paths_are_routed(through, path, name):
    answer = ask(through.port, b"GET " + path + b" HTTP/1.1\r\nHost: shop:1\r\n\r\n")
    assert answer.partition(b"\r\n\r\n")[2].split(b"\n")[0] == name


def test_bodies_and_headers_pass(through):
    body = b"x" * 300_000
    forged = b"Host: shop:1\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: keep-alive\r\n"
    head = b"POST /a HTTP/1.1\r\n" + forged + b"Content-Length: %d\r\n\r\n"
    answer = ask(through.port, head % len(body) + body)
    assert answer.endswith(body)
    assert b"X-Forwarded-Host: shop:1" in answer
    assert b"X-Forwarded-For: 127.0.0.1" in answer
    assert b"9.9.9.9" not in answer
    assert b"Connection: close" in answer
    assert b"keep-alive" not in answer


def test_an_upgraded_connection_stays_open_both_ways(through):
    with socket.create_connection(("127.0.0.1", through.port), timeout=10) as connection:
        connection.sendall(
            b"GET /websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        stream = connection.makefile("rb")
        assert stream.readline().startswith(b"HTTP/1.1 101")
        assert stream.readline() == b"\r\n"
        for word in (b"one\n", b"two\n"):
            connection.sendall(word)
            assert stream.readline() == word.upper()


def test_a_server_that_is_down_is_a_bad_gateway():
    running = proxy.Proxy(0, odoo.free_port(), odoo.free_port())
    threading.Thread(target=running.serve, daemon=True).start()
    try:
        assert ask(running.port, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 502 ")
    finally:
        running.close()


def test_nodes_take_turns_and_a_dead_one_is_passed_over():
    alive = [serve(name) for name in (b"first", b"second")]
    ports = [server.server_address[1] for server in alive]
    running = proxy.Proxy(0, ports[0], odoo.free_port(), ports[1], odoo.free_port())
    threading.Thread(target=running.serve, daemon=True).start()

    def names(count):
        answers = [ask(running.port, b"GET / HTTP/1.1\r\n\r\n") for _number in range(count)]
        return {answer.partition(b"\r\n\r\n")[2].split(b"\n")[0] for answer in answers}

    try:
        assert names(4) == {b"first", b"second"}
        alive[0].shutdown()
        alive[0].server_close()
        assert names(4) == {b"second"}
    finally:
        running.close()
        alive[1].shutdown()
        alive[1].server_close()


def test_an_endless_head_is_cut_off(through):
    assert ask(through.port, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000) == b""


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("", True),
        ("/run/postgresql", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("example.com", False),
        ("0.0.0.0", False),
    ],
)
def test_only_local_databases(host, local):
    assert database._is_local(host) is local


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://localhost/", "wants postgresql://"),
        ("postgresql://me@example.com/", "only a server on this machine"),
        ("postgresql://postgres@localhost/", "Odoo refuses the database user postgres"),
    ],
)
def test_database_addresses_that_are_refused(url, sentence):
    with pytest.raises(Problem, match=sentence):
        database.External(url)


def test_a_directory_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(Problem, match="belongs to somebody else"):
        database.own_directory(tmp_path / "link")
    assert database.own_directory(tmp_path / "new", 0o700).stat().st_mode & 0o777 == 0o700


def test_a_socket_path_fits_the_kernel(tmp_path):
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    found = database.own_directory(database._socket_directory(deep), 0o700)
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(found / ".s.PGSQL.5432"))
        (found / ".s.PGSQL.5432").unlink()
    finally:
        os.rmdir(found)


def test_a_shim_that_does_not_run_is_no_python(tmp_path):
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    assert environment.probe(str(shim)) is None
    assert environment.probe(str(tmp_path / "missing")) is None


def test_a_given_python_must_run(tmp_path):
    with pytest.raises(Problem, match=r"is no Python 3\.12 or 3\.11 that runs"):
        environment.choose_python("19.0", str(tmp_path / "missing"))
