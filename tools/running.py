"""A whole suite, running, for tests and benchmarks: database, demo data, simulators, server, ways to ask it.

with RunningSuite(context, workers=2) as suite:
    suite.user("admin").call("res.partner", "search_count", [])
    suite.sql("SELECT count(*) FROM servipay_operation")
"""

import http.cookiejar
import json
import time
import urllib.error
import urllib.request

from . import demo, servers, template

RPC_SECONDS = 120


class RpcError(Exception):
    """What a call raised on the server: name ("odoo.exceptions.AccessError"), message, debug (traceback)."""

    def __init__(self, error):
        data = error.get("data") or {}
        self.name, self.message, self.debug = data.get("name"), data.get("message"), data.get("debug", "")
        super().__init__(f"{self.name}: {self.message}")


class User:
    """A logged-in user, with a session of its own, calling as the web client does (all series)."""

    def __init__(self, url, database, login, password=None, seconds=RPC_SECONDS):
        """Log in; the demo's passwords are the log-ins. An RpcError when that is refused.

        seconds: that a call may take.
        """
        self.url, self.seconds = url, seconds
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )
        info = self.json("/web/session/authenticate", db=database, login=login, password=password or login)
        self.uid = info["uid"]
        self.context = info.get("user_context") or {}

    def json(self, path, **parameters):
        """Call a JSON-RPC route with parameters and return its result."""
        body = json.dumps({"jsonrpc": "2.0", "method": "call", "id": 1, "params": parameters}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310  (our own server)
        with self.opener.open(request, timeout=self.seconds) as answer:
            document = json.load(answer)
        if "error" in document:
            raise RpcError(document["error"])
        return document.get("result")

    def get(self, path):
        """Return (status, text) of a page."""
        try:
            with self.opener.open(self.url + path, timeout=self.seconds) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def call(self, model, method, *arguments, **keywords):
        """Call a model's method; arguments as the server takes them (a record's method: its ids first)."""
        path = f"/web/dataset/call_kw/{model}/{method}"
        return self.json(path, model=model, method=method, args=list(arguments), kwargs=keywords)

    @property
    def session_cookie(self):
        """The value of the session's cookie."""
        return next(cookie.value for cookie in self.cookies if cookie.name == "session_id")


class RunningSuite:
    """The suite on a copy of its template. Attributes: context, database (name), server, simulators, url.

    workers: 0 threaded, else prefork behind the proxy. cron_threads: scheduled jobs run when it is not 0.
    simulator_arguments: {addon: more words of its simulator's command line}. nodes: prefork servers on this
    one database and one data directory, behind one address; server is the first of them. neighbours: beside
    Odoo's modules that many shops have too (template.NEIGHBOURS).
    """

    def __init__(
        self,
        context,
        purpose="e2e",
        workers=0,
        cron_threads=0,
        simulator_arguments=None,
        nodes=1,
        neighbours=False,
        **configuration,
    ):
        self.context, self.purpose, self.simulator_arguments = context, purpose, simulator_arguments
        self.options = {"workers": workers, "cron_threads": cron_threads, **configuration}
        self.neighbours = neighbours
        self.database, self.server, self.front = None, None, None
        self.nodes, self._node_count = [], nodes
        self.simulators = {}
        self._started = []
        self._users = {}

    @property
    def url(self):
        """The address of the server; of the proxy before all nodes, when there are several."""
        return (self.front or self.server).url

    def start(self):
        """Make the database and start everything. Returns itself."""
        try:
            source = template.suite(self.context, neighbours=self.neighbours)
            self.database = self.context.clone(source, self.purpose)
            self.simulators = demo.start_simulators(
                self.context,
                self._started,
                arguments=self.simulator_arguments,
                suffix=f"-{self.purpose}",
            )
            demo.fill(self.context, self.database, self.simulators, f"demo-data-{self.purpose}")
            self._start_nodes()
        except BaseException:
            self.stop()
            raise
        return self

    def _start_nodes(self):
        for number in range(self._node_count):
            name = f"{self.purpose}-{number + 1}" if number else self.purpose
            node = servers.OdooServer(self.context, self.database, name, **self.options)
            self.nodes.append(node)
            node.start()
        self.server = self.nodes[0]
        if len(self.nodes) > 1:
            self.front = servers.Front(self.context, self.purpose, self.nodes).start()

    def stop(self):
        """End everything and drop the database."""
        for server in filter(None, (self.front, *self.nodes)):
            server.stop()
        for simulator in reversed(self._started):
            simulator.stop()
        if self.database:
            self.context.drop(self.database)
        self.server = self.database = self.front = None
        self._started, self.nodes = [], []

    def user(self, login):
        """Return the User with a log-in (logged in once)."""
        if login not in self._users:
            self._users[login] = User(self.url, self.database, login)
        return self._users[login]

    def forget(self, login):
        """Let a person log in anew next time: a session keeps the language of its last page."""
        self._users.pop(login, None)

    def simulator(self, addon):
        """Return the running servers.Simulator of an addon."""
        return next(found for found in self._started if found.addon == addon)

    def sql(self, query):
        """Run SQL on the suite's database; returns rows of text."""
        return self.context.database.sql(query, self.database, rows=True)

    @staticmethod
    def wait_until(check, seconds=30, what="what was waited for"):
        """Call check() until it returns something true and return it; AssertionError after seconds."""
        deadline = time.monotonic() + seconds
        while not (result := check()):
            assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
            time.sleep(0.1)
        return result

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()
