"""Whatever is done at tills and in the back office: orders equal terminals, or a named person was told.

Random sequences (``paypercloud_servipay.tests.sequences``) against the simulator, whose books share no code
with Odoo's.
"""

import random
from contextlib import ExitStack, contextmanager, suppress

import psycopg2
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.tests.sequences import play

from .books_case import BooksCase

RUNS = 50
STEPS = 12
ENDED = ("approved", "declined", "cancelled", "failed", "timeout", "reversed")
QUIET = ("odoo.sql_db", "odoo.addons.paypercloud_servipay", "odoo.addons.paypercloud_servipay_pos")
AMOUNTS = st.sampled_from([1, 2, 7.5, 10, 18.5, 99.99])
# what the terminal does: the simulator's script, or a fault on its answer
OUTCOMES = st.sampled_from(
    ["approved"] * 4 + ["declined", "partial", "waits", "lost", "lost and taken", "cancelled"]
)
PICK = st.integers(0, 10**6)  # which of the records there are


class TillMachine(RuleBasedStateMachine):
    """One shop: a cashier who works, errs and cheats, a manager who decides, a browser that dies."""

    def __init__(self):
        super().__init__()
        self.stack = ExitStack()
        self.stack.enter_context(self.case.rolled_back())
        self.orders = []  # drafts and recorded ones that a browser knows
        self.unsaved = []  # operations whose order is in a browser only

    def teardown(self):
        """Come to rest, compare, forget."""
        try:
            self.case.come_to_rest()
            self.case.check_told()
        finally:
            self.stack.close()

    # -- what a till does

    @rule(amount=AMOUNTS, outcome=OUTCOMES, saved=st.sampled_from(["paid", "paid", "draft", ""]))
    def sell(self, amount, outcome, saved):
        """Take a payment; its order is saved, or stays in the browser."""
        operation = self.case.attempt(lambda: self.case.pay(amount, outcome))
        if operation:
            self.unsaved.append(operation)
            if saved:
                self.save(-1, saved == "draft", 0)

    @precondition(lambda self: self.unsaved)
    @rule(pick=PICK, draft=st.booleans(), cash=st.sampled_from([0, 0, 0, 3]))
    def save(self, pick, draft, cash):
        """Save the order of a payment (-1: the last one), as a draft or as paid."""
        operation = self.unsaved.pop(pick % len(self.unsaved))
        lines = [self.case.card(operation), *([self.case.cash_line(cash)] if cash else [])]
        total = sum(line["amount"] for line in lines)
        uid = operation.pos_order_uid
        order = self.case.attempt(lambda: self.case.save(total, *lines, draft=draft, uid=uid))
        if order:
            self.orders.append(order)

    @precondition(lambda self: self.unsaved)
    @rule(pick=PICK)
    def crash(self, pick):
        """Lose a browser with its order."""
        self.unsaved.pop(pick % len(self.unsaved))

    @precondition(lambda self: self.unsaved)
    @rule(pick=PICK, by=st.sampled_from([-1, 5, 100]))
    def cheat_amount(self, pick, by):
        """Save an order that records another amount than the card's."""
        operation = self.unsaved[pick % len(self.unsaved)]
        total = self.case.card(operation)["amount"] + by
        self._saved(lambda: self.case.save(total, self.case.card(operation, total)))

    @rule(amount=AMOUNTS)
    def cheat_without_card(self, amount):
        """Save an order "paid by card" for which no card was ever asked."""
        line = {"amount": amount, "payment_method_id": self.case.method.id}
        self._saved(lambda: self.case.save(amount, line))

    @precondition(lambda self: self.orders)
    @rule(pick=PICK)
    def cheat_second_order(self, pick):
        """Save a second order with the card of another one."""
        payment = self._order(pick).payment_ids.filtered("servipay_operation_id")[:1]
        operation = payment.servipay_operation_id
        if operation:
            self._saved(lambda: self.case.save(payment.amount, self.case.card(operation)))

    @precondition(lambda self: self.orders)
    @rule(pick=PICK, how=st.sampled_from(["amount", "cash", "delete", "card", "key", "more"]))
    def edit(self, pick, how):
        """Edit a recorded payment, as "Edit payment" or a console does."""
        payments = self._order(pick).payment_ids
        if payments:
            payment = payments[pick % len(payments)].with_user(self.case.cashier)
            self.case.attempt(lambda: getattr(self.case, f"edit_{how}")(payment))

    @precondition(lambda self: self.orders)
    @rule(pick=PICK, how=st.sampled_from(["cancel", "remove", "unlink", "empty"]))
    def discard(self, pick, how):
        """Cancel, delete or empty an order."""
        order = self._order(pick).with_user(self.case.pos_manager)
        self.case.attempt(lambda: getattr(self.case, f"order_{how}")(order))
        self._forget_deleted()

    @precondition(lambda self: len(self.orders) > 1)
    @rule(pick=PICK, other=PICK)
    def merge(self, pick, other):
        """Move an order's lines and payments to another one, and drop it."""
        source, target = self._order(pick), self._order(other)
        if source != target:
            self.case.attempt(lambda: self.case.merge(source, target))
            self._forget_deleted()

    # -- money that goes back

    @precondition(lambda self: self.orders)
    @rule(pick=PICK, part=st.sampled_from([1, 1, 0.5, 2]), saved=st.integers(0, 3), outcome=OUTCOMES)
    def refund(self, pick, part, saved, outcome):
        """Give an order back at the till, with or without a saved refund order."""
        order = self._order(pick)
        amount = -order.currency_id.round(order.amount_total * part)
        if amount >= 0 or order.state == "draft":
            return
        draft = saved and self.case.attempt(lambda: self.case.save_refund(order, amount))
        place = {"id": draft.id, "uid": draft[self.case.uid_field]} if draft else {"uid": "no-such-order"}
        operation = self.case.attempt(lambda: self.case.pay(amount, outcome, **place))
        if operation and draft:
            refund = self.case.attempt(
                lambda: self.case.save(amount, self.case.card(operation), order=draft, refunded=order)
            )
            self.orders += [refund] if refund else []

    @rule(pick=PICK, void=st.booleans(), part=st.sampled_from([1, 0.5]))
    def give_back_in_the_back_office(self, pick, void, part):
        """Refund or void an operation from its form."""
        operation = self.case.any_operation(pick, [("state", "=", "approved"), ("kind", "=", "purchase")])
        if operation:
            part = 1 if void else part
            amount = operation.currency_id.round(operation._settled_amount() * part)
            self.case.attempt(lambda: operation._give_back(f"back-office-{pick}-key", amount, void=void))

    @rule(pick=PICK)
    def void_at_the_till(self, pick):
        """Reverse a payment at the till."""
        operation = self.case.any_operation(pick, [("kind", "=", "purchase")])
        if operation:
            self.case.attempt(lambda: self.case.till()._servipay_void(operation.idempotency_key))

    # -- people and jobs

    @rule(pick=PICK, outcome=st.sampled_from(["approved", "failed"]), part=st.sampled_from([None, 0.5]))
    def decide(self, pick, outcome, part):
        """Decide what became of an unknown payment, rightly or wrongly."""
        operation = self.case.any_operation(pick, [("state", "=", "unknown")])
        if operation:
            more = {} if part is None or outcome == "failed" else {"amount": operation.amount * part}
            till, key = self.case.till(self.case.pos_manager), operation.idempotency_key
            self.case.attempt(lambda: till._servipay_resolve(key, outcome, "as I see it", **more))

    @rule(pick=PICK)
    def inquire(self, pick):
        """Ask about an operation."""
        operation = self.case.any_operation(pick, [])
        if operation:
            self.case.attempt(lambda: operation._inquire(also_settled=True))

    @rule()
    def close(self):
        """Close the session and open the next one."""
        self.case.close_and_reopen()

    @rule()
    def job(self):
        """Let the jobs run a quarter of an hour later."""
        self.case.later()

    def _order(self, pick):
        return self.orders[pick % len(self.orders)]

    def _forget_deleted(self):
        self.orders = [order for order in self.orders if order.exists()]

    def _saved(self, save):
        order = self.case.attempt(save)
        if order:
            self.orders.append(order)


@tagged("post_install", "-at_install")
class TestBooksProperty(BooksCase):
    """The invariant of books.py, from outside."""

    def test_books_equal_terminals_or_a_named_person_was_told(self):
        """At every rest the difference is 0.00, or somebody was told of that very operation or payment."""
        shown = ("recorded", "given back", "refused", "differed and told")
        play(self, TillMachine, STEPS, RUNS, QUIET, shown)

    # -- one sequence

    @contextmanager
    def rolled_back(self):
        """Forget at the end what was done meanwhile, here and at the simulator."""
        self.simulator.reset()
        self.simulator.script("approved", default=True, delay=0)
        self.config.servipay_user_ids = self.pos_manager
        session = self.session
        self.env.flush_all()
        # not cr.savepoint: what is inside commits and rolls back by itself
        self.env.cr.execute("SAVEPOINT sequence")
        try:
            yield
        finally:
            self.env.clear()
            self.env.cr.execute("ROLLBACK TO SAVEPOINT sequence")
            self.env.invalidate_all()
            type(self).session = session

    def attempt(self, work):
        """Return what ``work`` returns, None where it is refused: for people, or by a key of the database."""
        try:
            return work()
        except (UserError, AccessError, ValidationError, psycopg2.IntegrityError):
            self.seen["refused"] += 1
            self.env.invalidate_all()
            return None

    def saving(self, work):
        """Run ``work`` as one request: what it wrote is gone when it is refused."""
        with self.env.cr.savepoint():
            result = work()
            self.env.flush_all()
        return result

    def any_operation(self, pick, domain):
        """Return one of this company's operations of tills (may be empty)."""
        found = self.env["servipay.operation"].search(
            [("company_id", "=", self.company.id), ("pos_config_id", "=", self.config.id), *domain],
            order="id",
        )
        return found[pick % len(found)] if found else found

    # -- steps

    def pay(self, amount, outcome, **order):
        """Return the operation of a payment or refund after the terminal did what ``outcome`` says."""
        kind = "refund" if amount < 0 else "purchase"
        if outcome == "waits":
            self.simulator.script("approved", delay=600, kind=kind)
        elif outcome == "partial":
            self.simulator.script("partial", delay=0, kind=kind, amount=50)
        elif outcome == "lost":
            self.simulator.script("timeout", delay=0, kind=kind)
        elif outcome == "lost and taken":
            self.simulator.fault(kind, "close_after", times=1)
        else:
            self.simulator.script(outcome, delay=0, kind=kind)
        try:
            snapshot = self.start(amount, **{"uid": self.new_uid(), **order})
        finally:
            self.simulator.clear_faults()
            self.simulator.application.books.scripts.queue.clear()
        operation = self.operation(snapshot["key"])
        operation._inquire()
        return operation

    def new_uid(self):
        """Return what a till may call an order by."""
        return str(random.SystemRandom().getrandbits(64))

    def save(self, total, *lines, refunded=None, **how):
        """Save an order in one request."""
        return self.saving(lambda: super(TestBooksProperty, self).save(total, *lines, **how))

    def save_refund(self, order, amount):
        """Save a draft that gives an order back."""
        draft = self.save(amount, draft=True)
        draft.lines.refunded_orderline_id = order.lines[:1]
        return draft

    def edit_amount(self, payment):
        """Record half of it."""
        self.saving(lambda: payment.write({"amount": payment.amount / 2}))

    def edit_more(self, payment):
        """Record twice as much."""
        self.saving(lambda: payment.write({"amount": payment.amount * 2}))

    def edit_cash(self, payment):
        """Make it a payment in cash."""
        self.saving(lambda: payment.write({"payment_method_id": self.cash.id}))

    def edit_card(self, payment):
        """Make it a payment by card."""
        self.saving(lambda: payment.write({"payment_method_id": self.method.id}))

    def edit_delete(self, payment):
        """Delete it."""
        self.saving(lambda: payment.sudo().unlink())

    def edit_key(self, payment):
        """Give it the key of another operation."""
        other = self.any_operation(payment.id, [])
        self.saving(lambda: payment.write({"servipay_key": other.idempotency_key}))

    def order_cancel(self, order):
        """Cancel it."""
        cancel = getattr(order, "action_pos_order_cancel", None)
        self.saving(cancel or (lambda: order.write({"state": "cancel"})))

    def order_remove(self, order):
        """Remove it as a till does."""
        self.saving(lambda: order.remove_from_ui(order.ids))

    def order_unlink(self, order):
        """Delete it."""
        self.saving(order.unlink)

    def order_empty(self, order):
        """Take its lines out."""
        self.saving(lambda: order.lines.unlink())

    def merge(self, source, target):
        """Move everything to another order and cancel what is left."""

        def work():
            source.lines.write({"order_id": target.id})
            source.payment_ids.write({"pos_order_id": target.id})
            source.write({"amount_total": 0, "state": "cancel"})

        self.saving(work)

    def close_and_reopen(self):
        """Close the session as a till does; the next one is opened where that worked."""
        session = self.session.with_user(self.cashier)
        self.attempt(lambda: self.saving(session.close_session_from_ui))
        if self.session.state == "closed":
            type(self).session = self.open_till(self.config)

    def later(self, minutes=20):
        """Let the jobs run as if everything were older."""
        self.env.cr.execute(
            "UPDATE servipay_operation SET create_date = create_date - make_interval(mins => %s),"
            " settled_at = settled_at - make_interval(mins => %s),"
            " sent_at = sent_at - make_interval(mins => %s),"
            " deadline_at = deadline_at - make_interval(mins => %s),"
            " next_inquiry_at = next_inquiry_at - make_interval(mins => %s)",
            [minutes] * 5,
        )
        self.env.cr.execute(
            "UPDATE pos_payment SET create_date = create_date - make_interval(mins => %s),"
            " payment_date = payment_date - make_interval(mins => %s)",
            [minutes] * 2,
        )
        self.env.invalidate_all()
        self.env["servipay.operation"]._cron_settle()
        self.env["servipay.operation"]._cron_pos_books()

    # -- what is compared

    def come_to_rest(self):
        """Let every card be shown, every answer arrive and every job run."""
        for row in self.simulator.operations:
            if row["status"] not in ENDED:
                with suppress(ValueError):  # it has ended meanwhile
                    self.simulator.finish(row["operationId"], "approved")
        for _turn in range(4):
            self.later()
        self.close_and_reopen()
        self.later()

    def check_told(self):
        """Compare each payment's family at the simulator with what orders record of it."""
        operations = self.env["servipay.operation"].search(
            [("company_id", "=", self.company.id), ("kind", "!=", "reconciliation")]
        )
        charges = self.simulator.charges
        self.assertLessEqual({c.reference for c in charges}, set(operations.mapped("reference")))
        for root in operations.filtered(lambda op: not op.original_id):
            family = root | root.child_ids
            moved = sum(
                (1 if charge.kind == "purchase" else -1) * charge.amount
                for charge in charges
                if charge.reference in family.mapped("reference")
            )
            payments = self.recorded(family)
            recorded = sum(payments.mapped("amount"))
            self.seen["recorded"] += len(payments)
            self.seen["given back"] += any(charge.kind != "purchase" for charge in charges)
            if round(moved - recorded * 100):
                self.seen["differed and told"] += 1
                self.assertTrue(
                    self.told(family),
                    f"{family.mapped(lambda op: (op.name, op.kind, op.state, op.amount, op.moved_amount))}:"
                    f" {moved / 100} moved, {recorded} recorded, nobody was told",
                )
        for payment in self.unbacked():
            alerts = self.env["servipay.alert"].search(
                [("res_model", "in", ("pos.order", "pos.payment")), ("user_ids", "!=", False)]
            )
            self.assertIn(payment.pos_order_id.id, alerts.mapped("res_id"), payment.amount)

    def recorded(self, operations):
        """Return what orders record of operations; an open table that is paid in part is there to be seen."""
        return self.env["pos.payment"].search(
            [
                ("servipay_operation_id", "in", operations.ids),
                ("pos_order_id.state", "!=", "cancel"),
                "|",
                ("pos_order_id.state", "!=", "draft"),
                ("servipay_operation_id.state", "=", "approved"),
            ]
        )

    def unbacked(self):
        """Return the payments of orders that no operation stands behind."""
        return self.env["pos.payment"].search(
            [
                ("payment_method_id", "in", (self.method | self.second_method).ids),
                ("servipay_operation_id", "=", False),
                ("pos_order_id.state", "not in", ("draft", "cancel")),
                ("amount", "!=", 0),
            ]
        )

    def told(self, family):
        """Return what tells a named person of one of these operations: alerts, activities, his own decision.

        The last only as long as the provider says neither yes nor no: "Decided, not confirmed" is a list."""
        orders = self.recorded(family).pos_order_id
        about = {("servipay.operation", op.id) for op in family} | {("pos.order", o.id) for o in orders}
        alerts = self.env["servipay.alert"].search([("user_ids", "!=", False)])
        named = alerts.filtered(
            lambda alert: (
                (alert.res_model, alert.res_id) in about
                or any(op.name in (alert.detail or "") for op in family)
            )
        )
        activities = self.env["mail.activity"].search(
            [("res_model", "=", "servipay.operation"), ("res_id", "in", family.ids), ("user_id", "!=", False)]
        )
        return named or activities or family.filtered(lambda op: op.decided and op.resolved_by_id)
