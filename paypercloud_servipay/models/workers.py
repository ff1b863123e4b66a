"""A bounded number of threads for what goes on outside requests; what is most urgent goes first.

A thread for each dialogue or message ends a server when many come at once: after an outage a provider sends
an hour's messages in seconds, and each of them asks a provider that may still hang. What waits here is in
the database too, so whatever ends the process loses nothing.
"""

import heapq
import itertools
import threading
import time

from ..api.masking import get_logger

_logger = get_logger(__name__)

# urgency: the smaller, the sooner
SEND = 0  # somebody waits at a terminal for it to begin
STEP = 1  # what was begun goes on
NEWS = 2  # what nobody waits for

IDLE_SECONDS = 30  # a quiet process keeps no thread


class Workers:
    """Runs pieces of work in at most ``most`` threads, by urgency and then by arrival.

    What waits for a time (``after``) holds no thread meanwhile.
    """

    def __init__(self, most, name):
        self._most, self._name = most, name
        self._ready, self._later = [], []  # heaps of (urgency, arrival, work), (time, urgency, arrival, work)
        self._arrival = itertools.count()
        self._threads = self._idle = 0
        self._watched = False  # whether a thread waits for what is due later
        guard = threading.Lock()
        self._changed, self._tick = threading.Condition(guard), threading.Condition(guard)

    def submit(self, work, urgency=STEP, after=0):
        """Call ``work()`` in one of the threads, in ``after`` seconds at the earliest; returns at once."""
        with self._changed:
            entry = (urgency, next(self._arrival), work)
            if after <= 0:
                self._make_ready(entry)
                return
            heapq.heappush(self._later, (time.monotonic() + after, *entry))
            self._tick.notify()
            if not self._watched:
                self._watched = True
                self._start(self._watch, "clock")

    def _make_ready(self, entry):
        heapq.heappush(self._ready, entry)
        self._changed.notify()
        # an idle thread that was woken still counts as idle until it has taken something
        if len(self._ready) > self._idle and self._threads < self._most:
            self._threads += 1
            self._start(self._work)

    def _start(self, target, suffix=""):
        name = f"{self._name}-{suffix}" if suffix else self._name
        threading.Thread(target=target, name=name, daemon=True).start()

    def _watch(self):
        """Make ready what is due, until nothing waits for a time any more."""
        with self._tick:
            while self._later:
                wait = self._later[0][0] - time.monotonic()
                if wait > 0:
                    self._tick.wait(wait)
                else:
                    self._make_ready(heapq.heappop(self._later)[1:])
            self._watched = False

    def _work(self):
        while work := self._next():
            try:
                work()
            except Exception:  # pylint: disable=broad-except
                _logger.exception("a piece of work in the background broke off")

    def _next(self):
        """Wait for a piece of work and return it; None when there was none for long."""
        end = time.monotonic() + IDLE_SECONDS
        with self._changed:
            while not self._ready:
                left = end - time.monotonic()
                if left <= 0:
                    self._threads -= 1
                    return None
                self._idle += 1
                self._changed.wait(left)
                self._idle -= 1
            return heapq.heappop(self._ready)[-1]


class SharedAnswers:
    """One question per key at a time: who needs an answer meanwhile shares the next one with the others.

    An answer that was asked for before a message came may be older than the message.
    """

    def __init__(self, workers):
        self._workers = workers
        self._guard = threading.Lock()
        self._asking, self._waiting = set(), {}  # keys; {key: {name: tell}}

    def request(self, key, ask, name, tell):
        """Call ``tell(ask())`` in the background, once for each ``name`` that waits for it."""
        with self._guard:
            known = key in self._asking or key in self._waiting
            self._waiting.setdefault(key, {})[name] = tell
        if not known:
            self._workers.submit(lambda: self._ask(key, ask), NEWS)

    def _ask(self, key, ask):
        with self._guard:
            self._asking.add(key)
            waiting = self._waiting.pop(key)
        try:
            answer = ask()
            for tell in waiting.values():
                tell(answer)
        finally:
            with self._guard:
                self._asking.discard(key)
                again = key in self._waiting
            if again:
                self._workers.submit(lambda: self._ask(key, ask), NEWS)


# Fifty tills that pay at once on terminals that hold a connection each, and some more.
dialogues = Workers(64, "servipay")
# Beside them, so that a provider that hangs delays no payment. Also what the scheduled jobs ask.
news = Workers(16, "servipay-news")
answers = SharedAnswers(news)
