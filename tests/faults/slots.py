"""What every place of the matrix can do: one operation of one provider, played again and again.

A slot prepares what comes before, acts (the fault is on then), recovers (customers finish, a platform says it
again), and tells what Odoo has and what the provider's own books say.
"""

import http.client
import random
import time

from tools.running import RpcError

PATIENCE = 150  # seconds for anything on a machine that is busy
FAILURES = (OSError, http.client.HTTPException, RpcError)
IN_FLIGHT = ("draft", "sent", "pending", "cancelling")


def until(check, what="what was waited for", seconds=PATIENCE, pause=0.05):
    """Wait for something true and return it, looking every pause (s); AssertionError after seconds."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(pause)
    return found


class Slot:
    """One provider's operation. Attributes:

    provider, operation: its place in the table; shop: what all slots share; wire: between Odoo and the
    provider; hook: the wire on which the provider speaks to Odoo, None where it does not
    ends_by_itself: its end does not depend on what comes after the fault
    keyed: the provider knows a request that it has had, and says so
    blocking: the request that acts waits for the provider, and holds one of the two HTTP workers
    chance, luck: of the run, for what people do and for what a fault does; number: id of the operation that
    is judged; unheard: seconds without any answer; acted: the call that acts was answered
    """

    provider = ""
    blocking = False
    keyed = True

    def __init__(self, shop, operation):
        self.shop, self.operation = shop, operation
        self.wire = self.hook = self.chance = self.luck = self.number = None
        self.unheard, self.acted, self.fault = 0, False, ""

    def __str__(self):
        return f"{self.provider} {self.operation}"

    # -- the parts of a run

    def begin(self, chance, fault=""):
        """Begin a run, in the row of a fault."""
        self.fault, self.chance = fault, chance
        self.number, self.unheard, self.acted = None, 0, False
        self.luck = random.Random(chance.getrandbits(64))

    def prepare(self):
        """Bring things to where the fault begins."""

    def act(self):
        """Do what the fault hits; may raise one of FAILURES, as a browser's request may fail."""

    def recover(self):
        """Let everybody finish after the fault."""

    # -- what is known

    def row(self):
        """Return the judged operation's columns as a dict, {} while there is none."""
        self.number = self.number or self.find()
        if not self.number:
            return {}
        return self.shop.operation(self.number)

    def find(self):
        """Return the id of the operation that is judged, None while there is none."""
        raise NotImplementedError

    def moved(self, row):
        """Return how often money moved for this operation, by the provider's own books."""
        raise NotImplementedError

    @property
    def nothing(self):
        """What stands for the columns of an operation that was never begun, to look into the books with."""
        return {"kind": self.operation, "reference": "-", "viva_session": ""}

    @property
    def state(self):
        """The state of the judged operation, "" while there is none."""
        return self.row().get("state", "")

    @property
    def place(self):
        """(wire, marker) where this slot's fault is made."""
        return self.wire, b""

    def is_over(self):
        """Tell whether the fault has had its effect, so that nothing more is to be waited for."""
        return self.state not in ("", *IN_FLIGHT)

    @property
    def ends_by_itself(self):
        """An inquiry may find nothing, a message is sent again, who cancels waits for the customer."""
        return self.operation not in ("inquiry", "notification", "cancel")

    def is_mine(self, request):
        """Tell whether a request on the wire (bytes) is the one that the fault is to hit."""
        return True

    def is_met(self, fault):
        """Tell whether a fault has hit this operation."""
        return any(self.is_mine(request) for request in fault.met)

    def wish_cancel(self):
        """Press Cancel in the back office."""
        self.shop.admin.call("servipay.operation", "action_cancel", [self.row()["id"]])

    # -- helpers

    def insist(self, call, *arguments, **keywords):
        """Make a call as a till does: offered again with the same key until it is answered."""
        began, pause = time.monotonic(), 0.2
        while True:
            try:
                return call(*arguments, **keywords)
            except FAILURES as error:
                self.unheard = max(self.unheard, time.monotonic() - began)
                if self.unheard > PATIENCE:
                    raise AssertionError(f"{self}: no answer for {PATIENCE} s: {error}") from error
            time.sleep(pause)
            pause = min(pause * 1.5, 2)

    def freeze(self):
        """Let no inquiry be due by itself."""
        query = "UPDATE servipay_operation SET next_inquiry_at = now() + interval '1 day' WHERE id = %s"
        self.shop.ledger.rows(query, self.row()["id"])
