"""The matrix: which cells there are, how a run of some of them goes, what the books say, the table.

Chance comes from a seed: a cell's own is made of seed, round and name, so it is the same whichever other
cells are played with it.
"""

import random
import time
from collections import defaultdict

from matrix_shop import ONLINE, POS
from slots import FAILURES
from troubles import TROUBLES, together

PLACES = [(kind.provider, name) for kind, names in {**POS, **ONLINE}.items() for name in names]
FINAL = ("approved", "declined", "cancelled", "failed", "reversed")
NO_MONEY = ("draft", "declined", "cancelled", "failed", "not begun")
NOT_BEGUN = "not begun"
ENDS = (*FINAL, "unknown", NOT_BEGUN)
# (provider, operation) that no provider has, and why
NO_PLACE = {
    ("Caisse-AP", "notification"): "a terminal says nothing by itself: it answers the till that connects",
    ("PayperCloud", "notification"): "the API that is assumed has no messages: Odoo asks for the status",
}
# (provider, operation, fault) that means nothing, and why
_PRESS_RED = "no message of the protocol cancels: only the terminal's red button does, nothing is on the wire"
NO_CELL = {
    ("Caisse-AP", "cancel", fault): _PRESS_RED
    for fault in (
        *("refused", "silence", "slow drip", "split", "reset", "garbage", "oversize", "duplicate"),
        *("other answer", "killed before send"),
    )
}


def cells():
    """Return [(fault, provider, operation)] of all cells that mean something, in the table's order."""
    found = []
    for fault in TROUBLES:
        found += [(fault, *place) for place in PLACES if (*place, fault) not in NO_CELL]
    return found


def identify(cell):
    """Return a cell's name for `-k`: caisse_ap-garbage-sale."""
    fault, provider, operation = cell
    return "-".join(text.lower().replace(" ", "_").replace("-", "_") for text in (provider, fault, operation))


class Result:
    """How one run of a cell ended. state: of the operation; moved: by the provider's books.

    missed: the fault was not met; unheard: seconds without an answer; broken: why it could not be played
    """

    def __init__(self, cell, state, moved, row, missed=False, unheard=0, broken=""):
        self.cell, self.state, self.moved, self.row = cell, state, moved, row
        self.missed, self.unheard, self.broken = missed, unheard, broken

    @property
    def lost(self):
        """Neither settled nor on the manager's list, or money that moved and is called not moved."""
        return self.state not in ENDS or (self.moved > 0 and self.state in NO_MONEY)

    @property
    def twice(self):
        """More than one movement under one key."""
        return self.moved > 1

    @property
    def invented(self):
        """Called approved, and nothing moved."""
        return self.state == "approved" and not self.moved

    @property
    def wrong(self):
        """Any of the three, or not played at all."""
        return bool(self.lost or self.twice or self.invented or self.broken)

    def words(self):
        """Say what was wrong."""
        kinds = [name for name in ("lost", "twice", "invented", "broken") if getattr(self, name)]
        names = ("name", "state", "reason", "detail", "contradicted")
        facts = ", ".join(f"{name} {self.row[name]}" for name in names if self.row.get(name))
        return f"{identify(self.cell)}: {', '.join(kinds)}; moved {self.moved} times; {facts} {self.broken}"


class Matrix:
    """Plays cells on a shop. results: {cell: [Result]}; log: a function that keeps a line.

    plan: a list of sets of cells, a round each; order: in which cells are played
    """

    def __init__(self, shop, seed, plan, log, order=None):
        self.shop, self.seed, self.plan, self.log = shop, seed, plan, log
        self.order = order or cells()
        self.slots = {(slot.provider, slot.operation): slot for slot in shop.slots}
        self.results = defaultdict(list)

    def result(self, cell):
        """Return the results of a cell; all planned runs of its fault are played when it is asked first."""
        if cell not in self.results:
            fault = cell[0]
            for number, chosen in enumerate(self.plan):
                places = [each[1:] for each in self.order if each in chosen and each[0] == fault]
                for wave, slots in enumerate(self._waves(fault, places)):
                    self._play(fault, f"{number} {wave}", slots)
        return self.results[cell]

    def _waves(self, fault, places):
        """Split places so that requests which hold a worker are no more at once than there are workers."""
        slots = [self.slots[place] for place in places]
        blocking = [slot for slot in slots if slot.blocking]
        others = [slot for slot in slots if not slot.blocking]
        step = TROUBLES[fault].at_once
        if not step:
            return [slots] if slots else []
        waves = [blocking[start : start + step] for start in range(0, len(blocking), step)] or [[]]
        waves[0] = others + waves[0]
        return [wave for wave in waves if wave]

    def _play(self, fault, number, slots):
        began = time.monotonic()
        cells = {slot: (fault, slot.provider, slot.operation) for slot in slots}
        names = ", ".join(str(slot) for slot in slots)
        self.shop.new_customers()
        # a cell's chance is its own, whichever wave it is in
        own = number.partition(" ")[0]
        together(slots, lambda slot: slot.begin(self._chance(own, cells[slot]), fault))
        ready = self._prepared(slots, cells)
        trouble = TROUBLES[fault](self.shop, ready, self._chance(number, fault))
        broken = self._see_through(trouble)
        self.shop.settle(ready)
        for slot in ready:
            self._judge(cells[slot], slot, slot in trouble.missed, broken)
        self.shop.tidy_up(slots)
        if fault == "no fault":
            self.shop.warm.update(ready)
        took = time.monotonic() - began
        self.log(f"{took:5.0f} s  {fault}, round and wave {number}: {names}; {trouble.errors or 'no error'}")
        if trouble.missed:
            self.log(f"         not met: {', '.join(sorted(map(str, trouble.missed)))}")

    @staticmethod
    def _see_through(trouble):
        """Play a trouble and let everybody recover; returns what did not go as it should, "" for nothing."""
        try:
            trouble.play()
            together(trouble.slots, lambda slot: slot.recover())
        except AssertionError as error:
            return f"under the fault: {error}"
        return ""

    def _chance(self, number, what):
        return random.Random(f"{self.seed} {number} {what}")

    def _prepared(self, slots, cells):
        """Prepare all; who cannot be is judged at once, and left out."""
        reasons = dict(zip(slots, together(slots, _reason_against), strict=True))
        for slot, reason in reasons.items():
            if reason:
                self._judge(cells[slot], slot, True, reason)
        return [slot for slot in slots if not reasons[slot]]

    def _judge(self, cell, slot, missed, broken=""):
        row = slot.row()
        state = row.get("state", NOT_BEGUN)
        if row.get("contradicted"):
            state = "unknown"  # on the manager's list, whatever its state was before
        moved = slot.moved(row or slot.nothing)
        result = Result(cell, state, moved, row, missed, slot.unheard, broken)
        self.results[cell].append(result)
        if result.wrong:
            self.log(f"WRONG {result.words()}")


def _reason_against(slot):
    """Prepare a slot; returns why that was not possible, "" when it was."""
    try:
        slot.prepare()
    except (AssertionError, *FAILURES) as error:
        return f"before the fault: {type(error).__name__}: {error}"
    return ""
