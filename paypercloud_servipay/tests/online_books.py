"""The invariant of online payments, seen from outside: the books equal the platform's, or it is told.

Random sequences (``sequences``) against a simulator, whose books share no code with Odoo's.
"""

from contextlib import contextmanager
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from odoo.exceptions import AccessError, UserError, ValidationError

from .sequences import play

RUNS = 25  # for each provider
STEPS = 14
PICK = st.integers(0, 10**6)  # which of the records there are
TRIES = st.sampled_from(["ok"] * 5 + ["refused", "cancel", "pending"])
ASKED = st.sampled_from(["", "", "", "silent", "lost"])  # what becomes of the questions of a step
QUIET = (
    "odoo.addons.paypercloud_servipay.models.http_client",
    "odoo.addons.paypercloud_servipay.models.message_turn",
    "odoo.addons.paypercloud_servipay.models.servipay_operation",
    "odoo.addons.paypercloud_servipay.models.servipay_operation_decision",
    "odoo.addons.paypercloud_servipay.models.servipay_payment_books",
    "odoo.addons.payment.models.payment_transaction",
    "odoo.http",
)


class OnlineMachine(RuleBasedStateMachine):
    """One shop: a customer with two tabs, messages that are lost, a forger, and an accountant who errs."""

    def __init__(self):
        super().__init__()
        self.rolled_back = self.case.rolled_back()
        self.rolled_back.__enter__()
        self.bills = [self.case.invoice(120.0)]
        self.pages = []  # (transaction, the platform's visit)

    def teardown(self):
        """Come to rest, compare, forget."""
        try:
            self.case.come_to_rest()
            for bill in self.bills:
                self.case.check(bill)
        finally:
            self.rolled_back.__exit__(None, None, None)

    # -- the customer

    @rule(
        amount=st.sampled_from([7.5, 120.0, 120.0, 0]),
        part=st.sampled_from([1, 1, 1, 0.5]),
        second=st.booleans(),
        how=st.sampled_from(["", "ok", "ok", "ok", "refused", "pending"]),
        told=st.booleans(),
        pick=PICK,
    )
    def open(self, amount, part, second, how, told, pick):
        """Open the payment page of a new invoice, or one more tab of a known one; perhaps pay, and tell."""
        if amount:
            self.bills.append(self.case.invoice(amount))
        bill = self.bills[-1 if amount else pick % len(self.bills)]
        opened = self.case.attempt(lambda: self.case.page(bill, part, second))
        if opened:
            self.pages.append(opened)
            if how:
                self.case.try_on(opened[1], how)
                self.case.tell() if told else None

    @precondition(lambda self: self.pages)
    @rule(pick=PICK, how=TRIES)
    def pay(self, pick, how):
        """Try on a page that is open; the platform's message is on its way."""
        self.case.try_on(self.pages[pick % len(self.pages)][1], how)

    # -- messages

    @precondition(lambda self: self.case.simulator.notifications)
    @rule(pick=PICK, asked=ASKED)
    def tell(self, pick, asked):
        """Deliver one of the platform's messages, in any order, however often."""
        with self.case.questions(asked):
            self.case.tell(pick % len(self.case.simulator.notifications))
        self.case.seen["told"] += 1

    @precondition(lambda self: self.pages)
    @rule(pick=PICK)
    def forge(self, pick):
        """Report a payment that was never made to this merchant, signed."""
        self.case.forge(*self.pages[pick % len(self.pages)])
        self.case.seen["forged"] += 1

    # -- the back office

    @rule(asked=ASKED, hours=st.sampled_from([0, 2, 26]))
    def jobs(self, asked, hours):
        """Let the jobs run, some hours later."""
        with self.case.questions(asked):
            self.case.later(hours)

    @precondition(lambda self: self.pages)
    @rule(pick=PICK, part=st.sampled_from([1, 0.5, 0.5]), asked=ASKED)
    def refund(self, pick, part, asked):
        """Give back, as a whole or in part."""
        transaction = self.pages[pick % len(self.pages)][0]
        with self.case.questions(asked):
            self.case.attempt(lambda: self.case.give_back(transaction, part))

    @precondition(lambda self: self.pages)
    @rule(pick=PICK)
    def cancel_invoice(self, pick):
        """Cancel an invoice, whatever is under way."""
        self.case.attempt(lambda: self.case.cancel(self.bills[pick % len(self.bills)]))

    @precondition(lambda self: self.pages)
    @rule(pick=PICK)
    def transfer(self, pick):
        """Register what a customer has paid by bank transfer."""
        self.case.attempt(lambda: self.case.transfer(self.bills[pick % len(self.bills)]))

    @rule(pick=PICK, outcome=st.sampled_from(["approved", "failed"]), part=st.sampled_from([None, 0.5]))
    def decide(self, pick, outcome, part):
        """Decide what became of an unknown payment, rightly or wrongly."""
        unknown = self.case.operations([("state", "=", "unknown")])
        if unknown:
            operation = unknown[pick % len(unknown)]
            amount = operation.amount * part if part and outcome == "approved" else None
            self.case.attempt(lambda: operation._resolve(outcome, "as I see it", amount))
            self.case.seen["decided"] += 1


class OnlineBooks:
    """What a provider's ``OnlineCase`` needs beside: ``try_on``, ``forge``, ``fault`` and ``taken``."""

    def play(self):
        """At every rest the difference is 0.00, or somebody was told of that very payment or document."""
        self.other = self.provider.copy(self._provider_values())
        self.other.write({"state": "test", "is_published": True})
        self.other.journal_id = self.company_data["default_journal_bank"].copy()
        self.provider.servipay_pending_days = 1
        play(self, OnlineMachine, STEPS, RUNS, QUIET, ("booked", "told", "refused", "forged"))

    # -- one sequence

    @contextmanager
    def rolled_back(self):
        """Forget at the end what was done meanwhile, here and at the simulator."""
        self.reset_platform()
        self.env.flush_all()
        # not cr.savepoint: what is inside commits and rolls back by itself
        self.env.cr.execute("SAVEPOINT sequence")
        try:
            yield
        finally:
            self.env.clear()
            self.env.cr.execute("ROLLBACK TO SAVEPOINT sequence")
            self.env.invalidate_all()

    def attempt(self, work):
        """Return what ``work`` returns, None where it is refused in words for people."""
        try:
            with self.env.cr.savepoint():
                result = work()
                self.env.flush_all()
            return result
        except (UserError, AccessError, ValidationError):
            self.seen["refused"] += 1
            return None
        finally:
            self.env.invalidate_all()

    def operations(self, domain=()):
        """Return this sequence's operations, oldest first."""
        mine = [("provider", "=", self.code), ("company_id", "=", self.company.id), *domain]
        return self.env["servipay.operation"].sudo().search(mine, order="id")

    # -- steps

    def page(self, bill, part, second):
        """Return (transaction, visit) of a payment page of an invoice."""
        amount = self.currency.round((bill.amount_residual or bill.amount_total) * part)
        provider = self.other if second else self.provider
        transaction = self.transaction(bill, amount, provider_id=provider.id)
        return transaction, self.visit(transaction)

    def give_back(self, transaction, part):
        """Refund a part of a payment."""
        if transaction.state == "done":
            transaction.action_refund(amount_to_refund=self.currency.round(transaction.amount * part))

    def cancel(self, bill):
        """Cancel an invoice."""
        bill.button_draft()
        bill.button_cancel()

    def transfer(self, bill):
        """Pay an invoice by bank transfer."""
        if bill.state == "posted" and bill.amount_residual:
            wizard = self.env["account.payment.register"].with_context(
                active_model="account.move", active_ids=bill.ids
            )
            wizard.create({"journal_id": self.company_data["default_journal_cash"].id})._create_payments()

    def later(self, hours):
        """Let all jobs run once, as if some hours had passed."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            UPDATE servipay_operation SET create_date = create_date - %(time)s, sent_at = sent_at - %(time)s,
                deadline_at = deadline_at - %(time)s, denied_at = denied_at - %(time)s,
                next_inquiry_at = next_inquiry_at - %(time)s WHERE provider = %(code)s;
            UPDATE servipay_notification SET next_attempt_at = next_attempt_at - %(time)s;
            UPDATE payment_transaction SET last_state_change = last_state_change - %(time)s,
                create_date = create_date - %(time)s,
                servipay_book_again_at = servipay_book_again_at - %(time)s
            """,
            {"time": timedelta(hours=hours), "code": self.code},
        )
        self.env.invalidate_all()
        self.env["servipay.notification"].sudo()._cron_apply()
        self.env["servipay.operation"].sudo()._cron_settle()
        getattr(self.env["servipay.operation"].sudo(), f"_{self.code}_cron_pending")()
        self.env.invalidate_all()

    def come_to_rest(self):
        """Let the network be well, and two days pass."""
        for _round in range(6):
            self.carry_out()
            self.later(8)

    def carry_out(self):
        """Let the platform do what it does by itself."""

    # -- what came of it

    def check(self, bill):
        """Assert that what was booked for an invoice was taken for it, or that a named person knows."""
        payments = self.env["payment.transaction"].sudo().search([("invoice_ids", "in", bill.ids)])
        payments |= payments.child_transaction_ids
        operations = self.operations([("res_model", "=", payments._name), ("res_id", "in", payments.ids)])
        references = {one.reference for one in operations if not one.original_id}
        taken = sum(self.taken(reference) for reference in references)
        booked = self.booked(payments)
        self.seen["booked"] += bool(booked)
        self.seen["given back"] += bool(
            operations.filtered(lambda one: one.original_id and one.state == "approved")
        )
        if self.currency.is_zero(taken - booked):
            return
        self.seen["differed and told"] += 1
        self.assertTrue(
            self.is_told(bill, payments, operations),
            f"{bill.name}: {taken} taken, {booked} booked, and nobody knows: "
            + ", ".join(f"{one.name} {one.kind} {one.amount} {one.state} {one.reason}" for one in operations),
        )

    def booked(self, transactions):
        """Return the sum (float) of the payments of transactions, what was given back deducted."""
        gone = ("draft", "cancel", "canceled", "rejected")
        made = self.env["account.payment"].search([("payment_transaction_id", "in", transactions.ids)])
        signs = {"inbound": 1, "outbound": -1}
        return sum(signs[one.payment_type] * one.amount for one in made if one.state not in gone)

    def is_told(self, bill, transactions, operations):
        """Return whether an alert or an activity leads to this payment, or a named person decided it."""
        documents = [("account.move", bill.ids), ("payment.transaction", transactions.ids)]
        documents.append(("servipay.operation", operations.ids))
        for model, numbers in documents:
            domain = [("res_model", "=", model), ("res_id", "in", numbers)]
            if self.env["servipay.alert"].sudo().search_count(domain):
                return True
        return bool(operations.activity_ids or operations.filtered("resolved_by_id"))
