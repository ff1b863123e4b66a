"""Who may open a transaction of its own next, when many want to in the same moment.

Fifty tills that pay in the same second would empty Odoo's pool of 64 connections, which ends requests and
conversations, and an answer that a cashier waits for would stand in line behind everything that was asked for
before it. So few are open at once in a process, and what somebody waits for goes first.
"""

import contextlib
import heapq
import itertools
import threading

# urgency: the smaller, the sooner
OUTCOME = 0  # an answer that is in memory only
DIALOGUE = 1  # the steps of what was begun
BEGINNING = 2  # what is asked for now
RECORD = 3  # what nobody waits for

MOST_AT_ONCE = 4


class Turns:
    """Hands out at most ``most`` turns at a time, by urgency and then by arrival."""

    def __init__(self, most):
        self._free, self._waiting = most, []
        self._arrival, self._guard = itertools.count(), threading.Lock()
        self._mine = threading.local()

    @contextlib.contextmanager
    def turn(self, urgency=DIALOGUE):
        """Wait for a turn and have it for a block; within a turn there is nothing to wait for."""
        if getattr(self._mine, "turn", False):
            yield
            return
        self._take(urgency)
        self._mine.turn = True
        try:
            yield
        finally:
            self._mine.turn = False
            self._give()

    def _take(self, urgency):
        with self._guard:
            if self._free:
                self._free -= 1
                return
            called = threading.Event()
            heapq.heappush(self._waiting, (urgency, next(self._arrival), called))
        called.wait()

    def _give(self):
        with self._guard:
            if self._waiting:
                heapq.heappop(self._waiting)[-1].set()  # handed over: nobody comes in between
            else:
                self._free += 1


turns = Turns(MOST_AT_ONCE)
