"""How long nobody answers when Odoo recycles its processes, as it does at its limits of memory and requests.

The evented process dies at once and takes its port along: until the master has started another one, the proxy
answers 502. A till offers its cancellation again and again meanwhile, and it is heard in the end.
"""

import os
import random
import signal
import statistics
import time
import uuid

from conftest import KILLS
from slots import FAILURES, until

from tools import servers

RECYCLED = max(4, KILLS // 10)
LONGEST = 90  # seconds; Odoo starts within five on a machine that has nothing else to do


def test_a_cancel_is_answered_while_processes_are_recycled(suite, floor, seed, report):
    """The wish for a cancellation gets through, however the process ends that would have taken it."""
    chance, took, refused = random.Random(f"{seed} recycling"), [], 0
    for _number in range(RECYCLED):
        floor.hall.call("reset")
        floor.hall.call("terminals/1/script", name="wait_customer", after=120)
        key = str(uuid.UUID(int=chance.getrandbits(128)))
        floor.tills[0].start(key, 12.5)
        until(lambda key=key: state(suite, key) == "pending", "the terminal is at work")
        recycle(suite, chance)
        time.sleep(chance.choice((0, 0.05, 0.5)))
        seconds, failures = cancel(floor.tills[0], key)
        took.append(seconds)
        refused += failures
        floor.hall.call("terminals/1/press", button="red")
        until(lambda: servers.healthy(suite.server.gevent_port), "the evented process answers")
        end(suite, floor.tills[0], key)
    report(
        f"The evented process is recycled: seed {seed}, {RECYCLED} times; a cancel was answered after"
        f" {statistics.median(took):.1f} s (median), {max(took):.1f} s (longest),"
        f" {refused} tries got no answer"
    )
    assert max(took) < LONGEST


def state(suite, key):
    """Return the state of an operation."""
    return suite.sql(f"SELECT state FROM servipay_operation WHERE idempotency_key = '{key}'")[0][0]


def recycle(suite, chance):
    """Send the processes the signals that Odoo sends them itself, the evented one always."""
    http, evented = suite.server.worker_pids()
    for pid in evented:
        os.kill(pid, signal.SIGTERM)
    if chance.random() < 0.5:
        for pid in http:
            os.kill(pid, signal.SIGINT)


def cancel(till, key):
    """Offer a cancellation until it is answered; returns (seconds, tries without an answer)."""
    began, failures = time.monotonic(), 0
    while True:
        try:
            till.cancel(key)
        except FAILURES:
            failures += 1
            assert time.monotonic() - began < LONGEST, "nobody answers"
            time.sleep(0.2)
            continue
        return time.monotonic() - began, failures


def end(suite, till, key):
    """Let the deadline pass, and a manager decide what nobody could be asked about any more."""
    # Odoo's clock knows whole seconds
    suite.sql(
        "UPDATE servipay_operation SET deadline_at = now() at time zone 'utc' - interval '2 seconds'"
        f" WHERE idempotency_key = '{key}' RETURNING id"
    )
    until(lambda: settled(suite, key), "the end of the payment")
    if state(suite, key) == "unknown":
        till.resolve(key, "failed", "The red button was pressed")


def settled(suite, key):
    """Ask what became of a payment; tells whether it is not in flight any more."""
    suite.user("admin").call("servipay.operation", "action_refresh", [number(suite, key)])
    return state(suite, key) not in ("sent", "pending", "cancelling")


def number(suite, key):
    """Return the id of an operation."""
    return int(suite.sql(f"SELECT id FROM servipay_operation WHERE idempotency_key = '{key}'")[0][0])
