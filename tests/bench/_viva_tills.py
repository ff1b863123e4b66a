"""Tills that pay with Viva.com as their browsers do: ours (terminal.js), core's (payment_viva_com.js)."""

import contextlib
import queue
import threading
import time
import uuid

import websocket
from _tills import ENDED, Payment, Socket

from tools.running import RpcError

AMOUNT = 12.5
PATIENCE = 180  # seconds after which the benchmark gives up; neither browser does
CORE_POLL = 5.0  # payment_viva_com.js, POLLING_INTERVAL_MS
FAILURES = (OSError, RpcError)


def our_pause(age, least=1.0):
    """Return the seconds until our till asks again (terminal.js, pause, whose least is 1)."""
    return min(max(age / 30, least), 60)


class Attempt:
    """One payment at one till. The first news of its end count, from the bus or from asking.

    url: of the server; user: a log-in; reason: in words, when it was not paid
    """

    def __init__(self, url, user, channel):
        self.user = user
        self.news, self.over, self.requests = queue.SimpleQueue(), threading.Event(), []
        self.reason = ""
        self.socket = Socket(url, user.session_cookie, channel)

    def pay(self):
        """Click, wait for the end and return the Payment."""
        self.asked, self.answered = time.time(), None
        self.aside(self._listen)
        self.begin()
        try:
            known, paid, self.reason = self.news.get(timeout=PATIENCE)
        except queue.Empty:
            known, paid, self.reason = None, False, "never heard of"
        self.over.set()
        self.socket.close()
        return Payment(self.asked, self.answered, known if paid else None, paid, len(self.requests))

    def begin(self):
        """Send what begins the payment, and see to it that the server is asked again."""
        raise NotImplementedError

    def hear(self, payload):
        """Take a message of the bus."""
        raise NotImplementedError

    def ended(self, paid, reason=""):
        """Note the end."""
        self.news.put((time.time(), paid, "" if paid else str(reason)))

    def call(self, function, *arguments, **keywords):
        """Make a request, counted."""
        self.requests.append(time.time())
        return function(*arguments, **keywords)

    @staticmethod
    def aside(work):
        """Do something beside what goes on."""
        threading.Thread(target=work, daemon=True).start()

    def _listen(self):
        while not self.over.is_set():
            with contextlib.suppress(OSError, websocket.WebSocketException):
                for payload in self.socket.payloads():
                    self.hear(payload)


class OurAttempt(Attempt):
    """Our till: the bus, and a question every second at first. A start without an answer is offered again.

    For trying out what another till would do: least, seconds between two questions; patient, no start is
    offered again while one is under way (terminal.js does that).
    """

    def __init__(self, url, till, least=1.0, patient=False):
        super().__init__(url, till.user, till.channel)
        self.least, self.patient, self.starting = least, patient, False
        self.till, self.key, self.known = till, str(uuid.uuid4()), {}

    def begin(self):
        """Start the operation."""
        self.aside(self._keep_asking)
        with contextlib.suppress(*FAILURES):  # offered again below
            self._start()

    def _start(self):
        self.starting = True
        try:
            self.call(self.till.start, self.key, AMOUNT)
            self.answered = self.answered or time.time()
        finally:
            self.starting = False

    def _keep_asking(self):
        while not self.over.wait(our_pause(time.time() - self.asked, self.least)):
            with contextlib.suppress(*FAILURES):
                if not self.answered and not (self.patient and self.starting):
                    self._start()
                for snapshot in self.call(self.till.states, self.key, known=self.known):
                    self.known[self.key] = snapshot["revision"]
                    self.hear(snapshot)

    def hear(self, payload):
        """Take a snapshot of the operation."""
        if payload.get("key") == self.key and payload["state"] in ENDED:
            self.ended(payload["state"] == "approved", payload["state"])


class CoreAttempt(Attempt):
    """Core's till: the bus, and a question every five seconds, whether the last was answered or not.

    A request that fails ends the waiting (the line says Retry): what the bus brings later is not heard.
    """

    def __init__(self, url, user, facts, currency):
        super().__init__(url, user, facts["channel"])
        self.facts, self.currency = facts, currency
        self.session = f"{uuid.uuid4()} - {uuid.uuid4()}"

    def begin(self):
        """Send the request that the browser composes."""
        try:
            answer = self._ask("viva_com_send_payment_request", self._request())
        except FAILURES as error:
            return self.ended(False, error)
        self.answered = time.time()
        if answer.get("error"):
            return self.ended(False, answer["error"])
        return self.aside(self._keep_asking)

    def _request(self):
        return {
            "sessionId": self.session,
            "terminalId": self.facts["terminal"],
            "cashRegisterId": "Mitchell Admin",
            "amount": round(AMOUNT * 100),
            "currencyCode": self.currency,
            "merchantReference": f"{self.session}/{self.facts['session_id']}",
            "customerTrns": " ",
            "preauth": False,
            "maxInstalments": 0,
            "tipAmount": 0,
        }

    def _ask(self, method, data):
        return self.call(self.user.call, "pos.payment.method", method, [self.facts["method_id"]], data)

    def _keep_asking(self):
        while not self.over.wait(CORE_POLL):
            self.aside(self._ask_once)

    def _ask_once(self):
        try:
            result = self._ask("viva_com_get_payment_status", self.session)
        except FAILURES as error:
            return self.ended(False, error)
        return "success" in result and self.ended(bool(result["success"]), result)

    def hear(self, payload):
        """Take what the webhook led to."""
        if payload.get("session_id") == self.session:
            self.ended(bool(payload.get("success")), payload)
