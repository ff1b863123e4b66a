"""The faults of the matrix: what happens while an operation is under way, and how long.

A trouble plays with a few slots at once. `play` begins when they are prepared and ends when everything works
again; customers and platforms finish afterwards.
"""

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from slots import FAILURES, PATIENCE, until

from tools import servers

LONGEST = 40  # seconds at most that a fault is on; it ends as soon as it has had its effect
STEP = 9  # seconds in which all of them should reach a step: a lock is waited for that long (LOCK_TIMEOUT)
JUMPS = (-72, -26, -1, 1, 3, 26, 72, 24 * 9)  # hours


def together(slots, work):
    """Do something with all slots at once; what goes wrong is raised here."""
    with ThreadPoolExecutor(max(len(slots), 1)) as pool:
        return list(pool.map(work, slots))


class Trouble:
    """No fault: the row that shows that the others' failures are their own. chance: of this wave."""

    at_once = (
        None  # requests that hold a worker: as many at once; what is to be asked meanwhile needs one, too
    )

    def __init__(self, shop, slots, chance):
        self.shop, self.slots, self.chance = shop, slots, chance
        self.suite, self.faults = shop.suite, {}
        self.missed, self.errors = set(), []

    def play(self):
        """Act, and see the trouble through."""
        try:
            with self.acting():
                self.strike()
        finally:
            self.mend()
            self.settled_down()

    def strike(self):
        """Wait until it has had its effect, or its time is over."""
        self.wait(lambda slot: slot.acted and (slot.is_over() or not slot.ends_by_itself), LONGEST)

    # -- parts

    @contextlib.contextmanager
    def acting(self):
        """Have all slots act at once, each in a thread of its own; the block goes on meanwhile.

        Those that hold a worker begin last: the others' requests would wait behind them.
        """
        threads = [threading.Thread(target=self._act, args=(slot,), daemon=True) for slot in self.slots]
        ordered = sorted(zip(self.slots, threads, strict=True), key=lambda pair: pair[0].blocking)
        for number, (slot, thread) in enumerate(ordered):
            if slot.blocking and number and not ordered[number - 1][0].blocking:
                time.sleep(0.5)
            thread.start()
        yield
        self.mend()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "somebody got no answer"

    def _act(self, slot):
        try:
            slot.act()
        except FAILURES as error:  # a browser that gets no answer: what counts is what becomes of the money
            self.errors.append((str(slot), f"{type(error).__name__}: {error}"))
        slot.acted = True

    def wait(self, check, seconds):
        """Wait until a check holds for every slot, at most so long; returns the slots for which it holds."""
        end, open_ones = time.monotonic() + seconds, list(self.slots)
        while open_ones and time.monotonic() < end:
            open_ones = [slot for slot in open_ones if not check(slot)]
            time.sleep(0.1)
        return [slot for slot in self.slots if slot not in open_ones]

    def break_wires(self, name):
        """Have a fault on the wire of every slot."""
        for slot in self.slots:
            wire, marker = slot.place
            shared = [fault for other, fault in self.faults.values() if other is wire and not marker]
            fault = shared[0] if shared else wire.break_by(name, slot.luck, marker)
            fault.first_only = fault.first_only or not slot.keyed
            self.faults[slot] = (wire, fault)

    def met(self, slot):
        """Tell whether the fault has hit this slot."""
        return slot.is_met(self.faults[slot][1])

    def mend(self):
        """End the faults; what is held goes on."""
        for wire, fault in self.faults.values():
            wire.mend(fault)

    def settled_down(self):
        """Wait until Odoo answers on both ports."""
        server = self.suite.server
        for port in (server.port, server.gevent_port):
            until(lambda port=port: servers.healthy(port), f"port {port} answers")

    # -- processes

    def kill(self):
        """kill -9 everything but the master, which starts it anew."""
        http, evented = self.suite.server.worker_pids()
        for pid in (*http, *evented):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class OnTheWire(Trouble):
    """A fault of the wire, ended as soon as every slot has met it and got over it."""

    name = ""

    def play(self):
        """Break the wires first."""
        self.break_wires(self.name)
        super().play()

    def strike(self):
        """Wait until it was met and has had its effect."""
        self.missed = set(self.slots) - set(self.wait(self.is_through, LONGEST))
        self.missed -= {slot for slot in self.missed if self.met(slot)}
        time.sleep(self.chance.uniform(0, 1))

    def is_through(self, slot):
        """Tell whether this slot has met the fault, and got over it where it can while the fault is on."""
        met = self.met(slot) or self.name == "refuse"  # nothing can be read of who was refused
        return slot.acted and met and (slot.is_over() or not slot.ends_by_itself)


class Silent(OnTheWire):
    """A fault that takes its time."""

    at_once = 2


class Other(OnTheWire):
    """The answer for another operation: one of an exchange before, so there has to be one."""

    def play(self):
        """Play all of it without a fault first, unless that was done."""
        done = self.shop.warm
        fresh = [slot for slot in self.slots if slot not in done]
        if fresh:
            Trouble(self.shop, fresh, self.chance).play()
            together(fresh, lambda slot: slot.recover())
            done.update(fresh)
            self.shop.settle(fresh)
            together(fresh, lambda slot: slot.begin(slot.chance, slot.fault))
            together(fresh, lambda slot: slot.prepare())
        super().play()
        unplayed = [slot for slot, (_wire, fault) in self.faults.items() if fault.misses >= len(fault.met)]
        self.missed |= set(unplayed)


class Held(OnTheWire):
    """A fault of the very request that a slot is about, once: whatever else is on the wire passes."""

    at_once = 2

    def break_wires(self, name):
        """Hold what is each slot's own."""
        super().break_wires(name)
        for _wire, fault in self.faults.values():
            sharing = [slot for slot, (_other, own) in self.faults.items() if own is fault]
            fault.picks = lambda request, fault=fault, sharing=sharing: any(
                slot.is_mine(request) and not slot.is_met(fault) for slot in sharing
            )


class Late(Held):
    """The answer is held, somebody cancels, the answer comes."""

    at_once = 1

    def strike(self):
        """Cancel when the request is under way."""
        self.missed = set(self.slots) - set(self.wait(self.met, STEP))
        together(self.slots, self._cancel)
        time.sleep(self.chance.uniform(0.2, 2))

    def _cancel(self, slot):
        try:
            slot.wish_cancel()
        except (*FAILURES, KeyError, AssertionError) as error:
            self.errors.append((f"{slot}, cancel", f"{type(error).__name__}: {error}"))


class Killed(Held):
    """kill -9 of both workers and the evented process, when all slots are at a step."""

    def strike(self):
        """Kill."""
        self.missed = set(self.slots) - set(self.wait(self.is_there, STEP))
        time.sleep(self.chance.choice((0, 0.01, 0.1)))
        self.kill()

    def is_there(self, slot):
        """The provider has the request; its answer is held."""
        return self.met(slot)


class KilledBeforeSend(Killed):
    """The provider's door does not open: the request was claimed and cannot leave."""

    def is_there(self, slot):
        """Claimed: nothing was read on the wire, so Odoo's own word is taken."""
        return slot.state in ("sent", "pending", "cancelling", "unknown")

    def strike(self):
        """Let the connections be tried before the kill."""
        self.missed = set(self.slots) - set(self.wait(self.is_there, STEP))
        time.sleep(self.chance.uniform(0.3, 1))
        self.kill()


class KilledBeforeCommit(Killed):
    """The answer has come, and what it says is not committed: somebody holds the rows it is written to."""

    def strike(self):
        """Hold the rows, let the answers come, kill who waits for the rows."""
        there = self.wait(self.is_there, STEP)
        numbers = [row["id"] for row in (slot.row() for slot in self.slots) if row]
        lock = "SELECT id FROM servipay_operation WHERE id IN %s FOR UPDATE", [tuple(numbers or [0])]
        with self.shop.ledger.held(lock):
            self.mend()
            wanted, end = len(there), time.monotonic() + STEP / 2
            while self.shop.ledger.waiting() < wanted and time.monotonic() < end:
                time.sleep(0.05)
            self.missed = set(self.slots) - set(there)
            self.kill()
            time.sleep(0.2)


class DatabaseRestart(Killed):
    """The database goes away while requests are under way, and comes back; answers come meanwhile."""

    def strike(self):
        """Be away for some seconds."""
        self.missed = set(self.slots) - set(self.wait(self.met, STEP))
        with self.shop.ledger.away():
            time.sleep(0.3)
            self.mend()
            time.sleep(self.chance.uniform(0.5, 5))


class Recycled(Killed):
    """Workers end as they do at a limit of requests or memory: a signal of Odoo's own to each of them."""

    def strike(self):
        """Give each worker the signal that Odoo gives it itself, then let the answers come."""
        self.missed = set(self.slots) - set(self.wait(self.met, STEP))
        http, evented = self.suite.server.worker_pids()
        for pid in http:  # at limit_request or limit_memory_soft a worker finishes what it does
            os.kill(pid, signal.SIGINT)
        for pid in evented:  # at limit_memory_soft_gevent it sends itself this, and finishes nothing
            os.kill(pid, signal.SIGTERM)
        time.sleep(self.chance.uniform(0.1, 1))


class ClockJump(Killed):
    """The clock is set while requests are under way, and jobs run before the answers come.

    By chance requests have not arrived yet: then the provider knows of nothing when it is asked.
    """

    at_once = 1

    def play(self):
        """Choose what is on its way while the clock jumps: a request, or its answer."""
        self.name = self.chance.choice(("held", "delayed"))
        super().play()

    def strike(self):
        """Set the clock and let the jobs of that time run."""
        self.missed = set(self.slots) - set(self.wait(self.met, STEP))
        hours = self.chance.choice(JUMPS)
        self.shop.ledger.shift(hours)
        if self.chance.random() < 0.7:
            with contextlib.suppress(*FAILURES):
                self.shop.run_jobs()


def wired(name, kind=OnTheWire):
    """Return a Trouble that is a fault of the wire."""
    return type(f"Wire{name.title()}", (kind,), {"name": name, "__doc__": kind.__doc__})


TROUBLES = {  # in the table's order
    "no fault": Trouble,
    "refused": wired("refuse"),
    "silence": wired("silence", Silent),
    "slow drip": wired("drip", Silent),
    "split": wired("split"),
    "reset": wired("reset"),
    "garbage": wired("garbage"),
    "oversize": wired("oversize"),
    "duplicate": wired("duplicate"),
    "late answer": wired("late", Late),
    "other answer": wired("other", Other),
    "database restart": wired("held", DatabaseRestart),
    "killed before send": wired("asleep", KilledBeforeSend),
    "killed after send": wired("held", Killed),
    "killed before commit": wired("held", KilledBeforeCommit),
    "worker recycled": wired("held", Recycled),
    "clock jump": wired("held", ClockJump),
}
