"""A provider that has been taken over: an HTTP server that answers anything, and notes who came."""

import contextlib
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hostile:
    """with Hostile() as server: server.answer = b"..."; server.asked: paths of the requests that came.

    reached: how many connections came, whatever they brought. status, kind and headers belong to the answer;
    drip: seconds between its bytes.
    """

    def __init__(self):
        self.answer, self.status, self.kind, self.headers, self.drip = b"", 200, "text/xml", {}, 0
        self.asked, self.reached = [], 0

    def __enter__(self):
        hostile = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                hostile.serve(self)

            do_GET = do_DELETE = do_POST

            def log_message(self, *_arguments):
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def verify_request(self, *_arguments):
                hostile.reached += 1  # whether or not it is HTTP that comes
                return True

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_exception):
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        """Answer one request."""
        self.asked.append(handler.path)
        body = self.answer(handler.path) if callable(self.answer) else self.answer
        with contextlib.suppress(OSError):
            handler.send_response(self.status)
            for name, value in {"Content-Type": self.kind, **self.headers}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            for byte in [bytes([one]) for one in body] if self.drip else [body]:
                handler.wfile.write(byte)
                time.sleep(self.drip)


class HostileTerminal:
    """The same for a terminal on a raw socket: every connection gets the answer, then silence or the end."""

    def __init__(self):
        self.answer, self.asked = b"", []

    def __enter__(self):
        hostile = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                hostile.asked.append(self.request.recv(4096))
                with contextlib.suppress(OSError):
                    self.request.sendall(hostile.answer)

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]
        return self

    def __exit__(self, *_exception):
        self.server.shutdown()
        self.server.server_close()
