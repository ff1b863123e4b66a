"""Places of the matrix at the point of sale: Caisse-AP, PayperCloud, Viva.com."""

import uuid

from slots import Slot, until


class TillSlot(Slot):
    """A till with a terminal of its own. till: a shopfloor.Till; terminal: what the provider calls it."""

    def __init__(self, shop, operation, till, terminal):
        super().__init__(shop, operation)
        self.till, self.terminal = till, terminal
        self.key = ""

    def begin(self, chance, fault=""):
        """Begin a run: a new key, a new amount."""
        super().begin(chance, fault)
        self.key, self.dialog = str(uuid.UUID(int=chance.getrandbits(128))), None
        self.amount = chance.randrange(100, 80000) / 100
        self.customer(self.operation)

    def customer(self, operation):
        """Say what the customer at the terminal will do."""
        raise NotImplementedError

    def prepare(self):
        """Have a payment made, or waiting for its customer."""
        if self.operation == "sale":
            return
        self.insist(self.till.start, self.key, self.amount)
        wanted = "approved" if self.operation == "refund" else self.waiting_state
        until(lambda: self.sold()["state"] == wanted, f"{self} before: {wanted}")
        getattr(self, f"prepare_{self.operation}")()

    waiting_state = "pending"

    def prepare_refund(self):
        """Open the dialog that asks how much to give back; its key makes it one refund."""
        values = {"operation_id": self.sold()["id"]}
        if self.chance.random() < 0.5:
            values["amount"] = round(self.amount * 0.4, 2)
        self.dialog = self.shop.manager.call("servipay.operation.refund", "create", [values])[0]

    def prepare_cancel(self):
        """Nothing more."""

    prepare_inquiry = prepare_notification = prepare_cancel

    def act(self):
        """Press the button."""
        getattr(self, f"act_{self.operation}")()

    def act_sale(self):
        """Send the payment to the terminal."""
        self.insist(self.till.start, self.key, self.amount)

    def act_refund(self):
        """Confirm the refund in the back office."""
        self.insist(self.shop.manager.call, "servipay.operation.refund", "action_confirm", self.dialog)

    def act_cancel(self):
        """Press Cancel at the till."""
        self.insist(self.till.cancel, self.key)

    def act_inquiry(self):
        """Press Ask at the till."""
        self.insist(self.till._route, "inquire", key=self.key)

    def sold(self):
        """Return the columns of the sale's operation, {"state": ""} before there is one."""
        found = self.shop.ledger.rows(
            "SELECT to_jsonb(o) FROM servipay_operation o WHERE idempotency_key = %s", self.key
        )
        return found[0][0] if found else {"state": "", "id": 0}

    def find(self):
        """Return the id of the sale, or of the refund."""
        sold = self.sold()
        if self.operation != "refund":
            return sold["id"] or None
        query = "SELECT id FROM servipay_operation WHERE kind = 'refund' AND original_id = %s"
        found = self.shop.ledger.rows(query, sold["id"])
        return found[0][0] if found else None

    def wish_cancel(self):
        """Press Cancel at the till; a refund of the back office is cancelled there."""
        if self.operation == "refund":
            return super().wish_cancel()
        return self.insist(self.till.cancel, self.key)


class CaisseAp(TillSlot):
    """A Caisse-AP terminal. No message of the protocol cancels: the red button does."""

    provider = "Caisse-AP"

    def customer(self, operation):
        """Pay at once, wait for a button, or pay and lose the line."""
        call, path = self.shop.hall.call, f"terminals/{self.terminal}/"
        self.shop.hall.call(path + "plug")
        delay = self.chance.uniform(0.2, 0.8)
        if operation == "cancel":
            call(path + "script", name="wait_customer", after=60)
        elif operation == "inquiry":
            call(path + "script", name=self.chance.choice(("paid_then_lost", "close_without_answer")))
        elif operation == "sale":
            outcomes = ("paid", "paid", "paid", "contactless", "declined", "abandon")
            call(path + "script", name=self.chance.choice(outcomes), delay=delay)
        else:
            call(path + "script", name="paid", delay=0)

    @property
    def waiting_state(self):
        """An answer that is lost makes the payment unknown."""
        return "unknown" if self.operation == "inquiry" else "pending"

    def prepare_inquiry(self):
        """Leave it to the till to ask."""
        self.freeze()

    def is_over(self):
        """An inquiry may find nothing: then the operation stays as it was."""
        return self.operation != "inquiry" and super().is_over()

    def is_mine(self, request):
        """An inquiry asks for the last transaction (CD=3)."""
        return self.operation != "inquiry" or b"CD0013" in request

    def is_met(self, fault):
        """A cancellation sends nothing, and the payment that it is about was sent before."""
        return self.acted if self.operation == "cancel" else super().is_met(fault)

    def recover(self):
        """The customer presses a button, if asked; the terminal gets free."""
        self.shop.hall.call(f"terminals/{self.terminal}/press", button=self.chance.choice(("green", "red")))
        until(lambda: not self.shop.hall.terminal(self.terminal)["busy"], f"{self}: the terminal is free")

    def moved(self, row):
        """Count the terminal's own entries under the private data that was sent."""
        entries = self.shop.hall.terminal(self.terminal)["credits" if row["kind"] == "refund" else "debits"]
        return sum(entry["private"] == row["reference"][:32] for entry in entries)


class PayperCloud(TillSlot):
    """A PayperCloud terminal; all of them share one wire, as a company has one address."""

    provider = "PayperCloud"

    def customer(self, operation):
        """Choose the amount whose magic does what this operation needs."""
        if operation == "cancel":
            self.amount = self.chance.choice((900.06, 900.07))  # the card is faster; the cancel is heeded
        elif operation == "inquiry":
            self.amount = 900.07
        elif operation == "sale" and self.chance.random() < 0.3:
            self.amount = self.chance.choice((900.01, 900.02, 900.03, 900.51))

    def act_inquiry(self):
        """The customer pays: the status that Odoo asks for all the time becomes another one."""
        self._finish("approved")

    def recover(self):
        """Whatever is still open at this terminal ends."""
        self._finish(self.chance.choice(("approved", "declined", "cancelled")))

    def _finish(self, outcome):
        rows = self.shop.paypercloud.get("books")["operations"]
        for row in rows:
            if row["pid"] == self.terminal and row["status"] in ("waiting_for_card", "processing"):
                self.shop.paypercloud.call("finish", operation_id=row["operationId"], outcome=outcome)

    def moved(self, row):
        """Count charges under the reference that was sent."""
        kind = "refund" if row["kind"] == "refund" else "purchase"
        charges = self.shop.paypercloud.get("books")["charges"]
        return sum((one["reference"], one["kind"]) == (row["reference"], kind) for one in charges)

    def is_mine(self, request):
        """All terminals share the wire."""
        words = {"sale": b"/purchase", "refund": b"/refund", "cancel": b"/cancel", "inquiry": b"/status"}
        return self.terminal.encode() in request and words[self.operation] in request


class Viva(TillSlot):
    """A Viva.com terminal."""

    provider = "Viva"

    def customer(self, operation):
        """Pay at once, or wait until somebody acts."""
        waits = operation in ("cancel", "inquiry", "notification")
        outcome = "wait" if waits else "approved"
        if operation == "sale" and self.chance.random() < 0.3:
            outcome = self.chance.choice(("declined", "cancelled"))
        options = {} if waits else {"delay": self.chance.uniform(0.2, 0.8)}
        if operation == "cancel":
            options["abort"] = self.chance.choice(("honour", "lose", "ignore"))
        self.shop.viva.call("script", outcome=outcome, terminal=self.terminal, **options)

    def prepare_notification(self):
        """Leave it to the message: no inquiry is due by itself."""
        self.freeze()

    def act_inquiry(self):
        """The customer pays: the session that Odoo reads all the time becomes another one."""
        self.insist(self.shop.viva.call, "present", terminal=self.terminal, outcome="approved")

    act_notification = act_inquiry

    def is_mine(self, request):
        """Access tokens are on the wire, too, and sessions are read all the time."""
        words = {"sale": b":sale ", "refund": b":refund ", "cancel": b"DELETE ", "inquiry": b"GET "}
        return words.get(self.operation, b"") in request

    @property
    def place(self):
        """A message comes on the hook, about its terminal."""
        if self.operation == "notification":
            return self.hook, self.terminal.encode()
        return super().place

    def recover(self):
        """Whoever still stands there acts; the platform sends again what was not taken."""
        outcome = self.chance.choice(("approved", "cancelled"))
        self.shop.viva.call("present", terminal=self.terminal, outcome=outcome)
        if self.operation == "notification":
            self.shop.viva.call("retry")

    def moved(self, row):
        """Count charges of the session that Odoo began."""
        charges, refund = self.shop.viva.get("books")["charges"], row["kind"] == "refund"
        own = [one for one in charges if row["viva_session"] and one["session_id"] == row["viva_session"]]
        kinds = ("refund", "unreferenced", "fast_refund") if refund else ("sale",)
        return sum(one["kind"] in kinds for one in own)
