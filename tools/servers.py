"""Servers that are kept running: Odoo (threaded, or prefork behind the proxy) and the addons' simulators."""

import contextlib
import http.client
import json
import secrets
import time
from pathlib import Path

from . import odoo, processes
from .report import Problem

START_SECONDS = 180
PROXY = Path(__file__).with_name("proxy.py")


def wait_until(check, seconds, what, process=None):
    """Call check() until it returns something true, which is returned; a Problem after so many seconds.

    With a process, its end ends the waiting too, and the Problem quotes its last words.
    """
    deadline = time.monotonic() + seconds
    while not (result := check()):
        if process and not process.running:
            raise Problem(f"{what} ended: {processes.last_words(process.output())} Its log is {process.log}.")
        if time.monotonic() > deadline:
            raise Problem(f"{what} does not answer after {seconds} s.")
        time.sleep(0.1)
    return result


def healthy(port):
    """True when an Odoo answers on a port of the loopback interface."""
    connection = http.client.HTTPConnection(odoo.HOST, port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/web/health")
        return connection.getresponse().status == 200
    return False


def _is_evented(pid):
    """True for a process that Odoo started as its evented one."""
    with contextlib.suppress(OSError):
        return b"gevent" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return False


class OdooServer:
    """A running Odoo on one database. workers=0: threaded, one port; else prefork behind the proxy.

    port is where people connect: Odoo's own port, or the proxy's. cron_threads: scheduled jobs run when it
    is not 0.
    """

    def __init__(self, context, database, name="odoo", port=None, workers=0, cron_threads=0, **configuration):
        self.context, self.database, self.name, self.workers = context, database, name, workers
        self.port = port or odoo.free_port()
        self.http_port = odoo.free_port() if workers else self.port
        self.gevent_port = odoo.free_port()
        self.configuration = {"workers": workers, "max_cron_threads": cron_threads, **configuration}
        self.process = self.proxy = None

    @property
    def url(self):
        """The address people use."""
        return f"http://{odoo.HOST}:{self.port}"

    @property
    def log(self):
        """The path of the log file."""
        return self.context.logs / f"{self.name}.log"

    def start(self, keep=(), fresh_log=True):
        """Start it and wait until it answers. keep: file descriptors that it holds open. Returns itself."""
        if self.workers:
            self.configuration["proxy_mode"] = True
        config = odoo.write_configuration(
            self.context, self.database, self.name, self.http_port, self.gevent_port, **self.configuration
        )
        if fresh_log:
            self.log.unlink(missing_ok=True)
        command = odoo.command(self.context, "-c", config, "-d", self.database)
        surroundings = odoo.environment(self.context)
        self.process = processes.Process(
            self.name, command, self.log, self.context.state, surroundings, self.context.state, keep
        )
        try:
            self._start_proxy()
            wait_until(self._answers, START_SECONDS, "Odoo", self.process)
        except BaseException:
            self.stop()
            raise
        return self

    def _answers(self):
        """True when it answers, a prefork one on its evented port too (which starts a little later)."""
        return healthy(self.port) and (not self.workers or healthy(self.gevent_port))

    def _start_proxy(self):
        if self.workers:
            command = [self.context.python, PROXY, self.port, self.http_port, self.gevent_port]
            log = self.context.logs / f"{self.name}-proxy.log"
            self.proxy = processes.Process(f"{self.name}-proxy", command, log, self.context.state)

    def worker_pids(self):
        """Return ([pids of the HTTP workers and jobs], [pid of the evented process]) of a prefork server."""
        master, http, evented = self.process.popen.pid, [], []
        for pid in processes.session_members(master):
            if pid != master:
                (evented if _is_evented(pid) else http).append(pid)
        return http, evented

    def stop(self):
        """End it with all its children."""
        for process in (self.process, self.proxy):
            if process:
                process.stop()
        self.process = self.proxy = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()


class Front:
    """One address before several prefork nodes, which get requests in turn: no sticky sessions."""

    def __init__(self, context, name, nodes):
        self.context, self.name, self.nodes = context, f"{name}-front", list(nodes)
        self.port, self.process = odoo.free_port(), None

    @property
    def url(self):
        """The address people use."""
        return f"http://{odoo.HOST}:{self.port}"

    def start(self):
        """Start it and wait until somebody behind it answers. Returns itself."""
        ports = [port for node in self.nodes for port in (node.http_port, node.gevent_port)]
        command = [self.context.python, PROXY, self.port, *ports]
        log = self.context.logs / f"{self.name}.log"
        self.process = processes.Process(self.name, command, log, self.context.state)
        try:
            wait_until(lambda: healthy(self.port), START_SECONDS, "The proxy", self.process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """End it."""
        if self.process:
            self.process.stop()
            self.process = None


class Simulator:
    """An addon's simulator (architecture 8), run as a program with the series' Python."""

    def __init__(self, context, addon, port=None, arguments=(), suffix=""):
        """suffix: of its name, where a second one of the addon runs at the same time."""
        self.context, self.addon = context, addon
        self.name = f"simulator-{addon}{suffix}"
        self.port = port or odoo.free_port()
        self.api_key = secrets.token_hex(16) if addon == "paypercloud_servipay" else ""
        self.arguments = list(arguments)
        self.process = None

    @property
    def facts(self):
        """What a database needs to know to speak to it."""
        return {
            "host": odoo.HOST,
            "port": self.port,
            "url": f"http://{odoo.HOST}:{self.port}",
            "api_key": self.api_key,
        }

    def start(self):
        """Start it and wait until it says that it is ready. Returns itself."""
        key = ["--api-key", self.api_key] if self.api_key else []
        script = program(self.context, self.addon)
        command = [
            self.context.python,
            script,
            "--host",
            odoo.HOST,
            "--port",
            self.port,
            *key,
            *self.arguments,
        ]
        log = self.context.logs / f"{self.name}.log"
        log.unlink(missing_ok=True)
        self.process = processes.Process(self.name, command, log, self.context.state)
        try:
            wait_until(self._ready, 30, f"The simulator of {self.addon}", self.process)
        except BaseException:
            self.stop()
            raise
        return self

    @property
    def where(self):
        """Where a person finds it, in words."""
        ports = self.announced.get("terminals")
        if not ports:
            return self.facts["url"]
        terminals = ", ".join(f"{odoo.HOST}:{port}" for port in ports)
        page = f"http://{odoo.HOST}:{self.announced['control']}"
        return f"{page} has the keys of its terminals, which are at {terminals}"

    @property
    def announced(self):
        """What its first line of output says, when that is JSON (all its ports); else {}."""
        with contextlib.suppress(ValueError):
            return json.loads(self.process.output().partition("\n")[0])
        return {}

    def _ready(self):
        """It has said something and its port is taken (no connection is made: it would count as a client)."""
        return "\n" in self.process.output() and not odoo.port_is_free(self.port)

    def stop(self):
        """End it."""
        if self.process:
            self.process.stop()
            self.process = None


def program(context, addon):
    """Return the path of an addon's simulator."""
    return context.root / addon / "tests" / "simulator.py"


def simulated(context):
    """Return the addons that have a simulator."""
    return [addon for addon in context.addons() if program(context, addon).exists()]
