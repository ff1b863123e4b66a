"""kill -9 of the process that runs the dialogues, at every step of a payment.

Afterwards every operation is final, or unknown and on the manager's list; what the terminals have in their
books is what Odoo says; nothing is charged twice. A round starts a payment on every terminal: the first one
is brought to a chosen step before the kill, the others are wherever chance has brought them.
"""

import functools
import os
import random
import signal
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

from conftest import KILLS
from slots import until as wait_until

from tools import servers

STEPS = ("connecting", "asked", "working", "charged", "answered", "cancelling", "anywhere")
OUTCOMES = ("paid", "paid", "paid", "contactless", "declined", "abandon", "timeout", "paid_then_lost")
until = functools.partial(wait_until, seconds=30, pause=0.01)  # close to the moment that is watched
MOST_INQUIRIES = 4  # of one operation in one round: more would find nothing new at these terminals
FINAL = ("approved", "declined", "cancelled", "failed", "reversed")
SHOWN = (*FINAL[:4], "unknown")  # how operations stood before a person decided about the unknown ones
LINE = "  {:<12} {:>6} {:>11} {:>9} {:>9} {:>10} {:>7} {:>8} {:>6} {:>14} {:>15}"


@dataclass
class Round:
    """One kill and the payments it hit. chance: a random.Random of its own, so that it can be repeated."""

    suite: object
    floor: object
    chance: random.Random
    step: str
    keys: list = field(default_factory=list)

    def run(self):
        """Play the round; returns [(state when the dust had settled, debits, state in the end)]."""
        self.prepare()
        self.pay()
        self.reach()
        time.sleep(self.chance.choice((0, 0, 0.002, 0.01, 0.05)))
        kill_evented(self.suite.server)
        self.recover()
        operations = self.settle()
        pairs = zip(self.floor.tills, operations, strict=True)
        return [self.judge(till, operation) for till, operation in pairs]

    def prepare(self):
        """Say what the customers will do. The watched one pays, slowly enough to be caught."""
        hall = self.floor.hall
        hall.call("reset")
        if self.step in ("working", "cancelling"):
            hall.call("terminals/1/script", name="wait_customer", after=6)
        else:
            late = 1 if self.step == "charged" else 0
            hall.call("terminals/1/script", name="paid", delay=0.5, late=late)
        if self.step == "connecting":
            hall.call("terminals/1/unplug", how="sleep")
        for till in self.floor.tills[1:]:
            name = self.chance.choice(OUTCOMES)
            hall.call(f"terminals/{till.number}/script", name=name, delay=self.chance.uniform(0, 1.2))

    def pay(self):
        """Have every till ask for its payment, the watched one last."""
        until(lambda: servers.healthy(self.suite.server.gevent_port))
        self.keys = [str(uuid.UUID(int=self.chance.getrandbits(128))) for _till in self.floor.tills]
        for till, key in reversed([*zip(self.floor.tills, self.keys, strict=True)]):
            till.start(key, self.chance.randrange(100, 9000) / 100)
            time.sleep(self.chance.uniform(0, 0.05))

    def reach(self):
        """Wait until the first payment is where this round kills."""
        if self.step == "anywhere":
            time.sleep(self.chance.uniform(0, 1.5))
            return
        if self.step == "cancelling":
            until(lambda: self.state_of(0) == "pending")
            self.floor.tills[0].cancel(self.keys[0])
        until(getattr(self, f"is_{self.step}"))

    def is_connecting(self):
        """Claimed; the terminal does not take the connection."""
        return self.state_of(0) == "sent"

    def is_asked(self):
        """The terminal has the request."""
        return self.frames("in")

    def is_working(self):
        """The terminal has the request and Odoo has noted that."""
        return self.state_of(0) == "pending"

    def is_charged(self):
        """The money moved; the answer is still to come."""
        return self.floor.hall.terminal(1)["debits"]

    def is_answered(self):
        """The terminal has sent its answer."""
        return self.frames("out")

    def is_cancelling(self):
        """The wish is noted."""
        return self.state_of(0) == "cancelling"

    def frames(self, direction):
        """Return the frames of the first terminal in a direction."""
        return [frame for frame in self.floor.hall.terminal(1)["frames"] if frame["direction"] == direction]

    def state_of(self, index):
        """Return what the database says."""
        query = f"SELECT state FROM servipay_operation WHERE idempotency_key = '{self.keys[index]}'"
        return self.suite.sql(query)[0][0]

    def recover(self):
        """Let customers finish: the one who stands at the first terminal pays, or does not."""
        if self.step == "connecting":
            self.floor.hall.call("terminals/1/plug")
        self.floor.hall.call("terminals/1/press", button=self.chance.choice(("green", "green", "red")))
        until(lambda: not any(terminal["busy"] for terminal in self.floor.hall.state()))
        # a manager decides through the same process, which a busy machine starts slowly
        until(lambda: servers.healthy(self.suite.server.gevent_port))

    def settle(self):
        """Let the scheduled job work, its waiting times moved into the past; returns the operations."""
        before, operations = None, self.read()
        for _ in range(MOST_INQUIRIES):
            if before == operations:
                break
            self.pass_time()
            self.suite.user("admin").call("ir.cron", "method_direct_trigger", [self.cron])
            before, operations = operations, self.read()
        return operations

    @functools.cached_property
    def cron(self):
        """The id of the job that settles operations."""
        found = self.suite.sql(
            "SELECT res_id FROM ir_model_data WHERE module = 'paypercloud_servipay' AND name = 'cron_settle'"
        )
        return int(found[0][0])

    def pass_time(self):
        """Put the clock forward: deadlines and the times of the next inquiries are over."""
        keys = ", ".join(f"'{key}'" for key in self.keys)
        self.suite.sql(
            "UPDATE servipay_operation SET deadline_at = now() at time zone 'utc' - interval '1 second',"
            " next_inquiry_at = now() at time zone 'utc' - interval '1 second'"
            f" WHERE idempotency_key IN ({keys}) AND state IN ('sent', 'pending', 'cancelling', 'unknown')"
            " RETURNING id"
        )

    def read(self):
        """Return the operations of the round in the tills' order."""
        names = ["state", "reference", "idempotency_key", "reason"]
        domain = [("idempotency_key", "in", self.keys)]
        found = self.suite.user("admin").call("servipay.operation", "search_read", domain, names)
        return sorted(found, key=lambda operation: self.keys.index(operation["idempotency_key"]))

    def judge(self, till, operation):
        """Compare an operation with the terminal's books; a manager decides what is unknown."""
        terminal = self.floor.hall.terminal(till.number)
        debits = [charge for charge in terminal["debits"] if charge["private"] == operation["reference"][:32]]
        state = operation["state"]
        if state == "unknown":
            outcome = "approved" if debits else "failed"
            till.resolve(operation["idempotency_key"], outcome, "The terminal's journal says so")
        last = next(op for op in self.read() if op["id"] == operation["id"])["state"]
        return state, len(debits), last


def kill_evented(server):
    """kill -9 the process that serves /websocket; the master starts another one."""
    [victim] = server.worker_pids()[1]
    os.kill(victim, signal.SIGKILL)


class Books:
    """What all rounds came to."""

    def __init__(self):
        self.rows = {step: Counter() for step in STEPS}

    def enter(self, step, results):
        """Take the results of a round."""
        row = self.rows[step]
        row["kills"] += 1
        for state, debits, last in results:
            row["operations"] += 1
            row[state] += 1
            row["lost"] += state not in FINAL and state != "unknown"
            row["lost"] += debits > 0 and last != "approved"
            row["twice"] += debits > 1
            row["invented"] += last == "approved" and not debits

    def total(self, name):
        """Return a sum over all steps."""
        return sum(row[name] for row in self.rows.values())

    def table(self):
        """Return the lines of the report."""
        yield LINE.format(
            "killed when", "kills", "operations", *SHOWN, "lost", "charged twice", "without charge"
        )
        for step, row in self.rows.items():
            counts = [row[name] for name in SHOWN]
            failures = row["lost"], row["twice"], row["invented"]
            yield LINE.format(step, row["kills"], row["operations"], *counts, *failures)


def test_kill_at_every_step(suite, floor, seed, report):
    """Nothing is lost, charged twice, or called paid without a charge."""
    books = Books()
    report(
        f"kill -9 of the evented process, Caisse-AP: seed {seed}, {KILLS} kills, {len(floor.tills)} terminals"
    )
    try:
        for number in range(KILLS):
            step = STEPS[number % len(STEPS)]
            chance = random.Random(f"{seed} {number}")
            books.enter(step, Round(suite, floor, chance, step).run())
    finally:
        for line in books.table():
            report(line)
    assert books.total("kills") == KILLS
    assert (books.total("lost"), books.total("twice"), books.total("invented")) == (0, 0, 0)
