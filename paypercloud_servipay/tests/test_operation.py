"""The record and its state machine, the guards around money, the job for what is not settled."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from ..api import states
from ..api.finding import Finding
from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestOperation(ApiCase):
    def operation_in(self, state):
        """Return an operation brought to ``state`` by legal moves."""
        way = {
            "draft": (),
            "sent": ("sent",),
            "pending": ("sent", "pending"),
            "cancelling": ("sent", "pending", "cancelling"),
            "unknown": ("sent", "unknown"),
            "approved": ("sent", "approved"),
            "reversed": ("sent", "approved", "reversed"),
            "declined": ("sent", "declined"),
            "cancelled": ("sent", "cancelled"),
            "failed": ("sent", "failed"),
        }[state]
        operation = self.operations._open(self.values())
        for step in way:
            operation._move(step)
        self.env.flush_all()
        return operation

    # ------------------------------------------------------------------
    # State machine
    # ------------------------------------------------------------------

    def test_every_change(self):
        """Of the hundred changes exactly those of the design are possible.

        The others are refused and logged.
        """
        for old in states.STATES:
            for new in states.STATES:
                operation = self.operation_in(old)
                if states.allowed(old, new):
                    operation._move(new)
                    self.assertEqual(operation.state, new)
                    continue
                with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"):
                    with self.assertRaises(UserError):
                        operation._move(new)
                self.assertEqual(operation.state, old, f"{old} -> {new}")

    def test_state_and_intent_cannot_be_written(self):
        operation = self.operation_in("pending")
        for values in (
            {"state": "approved"},
            {"amount": 1},
            {"idempotency_key": "x"},
            {"terminal_id": False},
        ):
            with self.assertRaises(UserError):
                operation.write(values)
            with self.assertRaises(UserError):
                operation.with_context(servipay_state_machine=True).write(values)
        with self.assertRaises(UserError):
            self.operations.create(self.values(state="approved"))
        with self.assertRaises(UserError):
            operation.unlink()

    def test_approved_is_never_downgraded(self):
        for state in ("declined", "cancelled", "failed"):
            operation = self.operation_in("approved")
            with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"):
                operation._apply(Finding(state))
            self.assertEqual(operation.state, "approved")
            self.assertTrue(operation.contradicted)

    def test_late_approval_is_flagged_and_decided_by_a_person(self):
        """Money that moved after all must not be lost because a refusal was recorded first."""
        operation = self.operation_in("declined")
        with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"):
            operation._apply(Finding("approved"))
        self.assertEqual(operation.state, "declined")
        self.assertTrue(operation.contradicted)
        self.assertTrue(operation.can_resolve)
        self.env.flush_all()
        self.assertIn(self.manager, operation.activity_ids.user_id)
        operation._resolve("approved", "slip 17")
        self.assertEqual(operation.state, "approved")
        self.assertFalse(operation.contradicted)

    def test_same_finding_twice_changes_nothing(self):
        operation = self.operation_in("pending")
        finding = Finding("approved", values={"authorization_code": "A1"})
        operation._apply(finding)
        messages = operation.message_ids
        operation._apply(finding)
        self.assertEqual(operation.message_ids, messages)

    def test_unknown_is_not_made_pending_again(self):
        operation = self.operation_in("unknown")
        operation._apply(Finding("pending"))
        self.assertEqual(operation.state, "unknown")

    def test_reversed_before_we_heard_of_it(self):
        operation = self.operation_in("pending")
        operation._apply(Finding("reversed"))
        self.assertEqual(operation.state, "reversed")

    # ------------------------------------------------------------------
    # Intent
    # ------------------------------------------------------------------

    def test_same_key_same_operation(self):
        values = self.values()
        first = self.operations._open(values)
        self.assertEqual(self.operations._open(values), first)
        first._start()
        first._start()
        self.assertEqual(self.operations._open(values), first)
        self.operations._open(values)._start()
        first._inquire()
        self.assertEqual(self.simulator.count_charges(), 1)

    def test_same_key_other_intent(self):
        values = self.values()
        self.operations._open(values)
        usd = self.env.ref("base.USD").id
        for change in (
            {"amount": 13},
            {"currency_id": usd},
            {"kind": "refund"},
            {"terminal_id": self.terminal.id},
        ):
            with self.assertRaises(UserError):
                self.operations._open({**values, **change})

    def test_amount_needed(self):
        for values in ({"amount": 0}, {"amount": -1}, {"currency_id": False}):
            with self.assertRaises(ValidationError):
                self.operations._open(self.values(**values))

    def test_one_in_flight_per_terminal(self):
        self.simulator.script("never_ends")
        first = self.purchase(terminal_id=self.terminal.id)
        self.assertEqual(self.terminal.holder_id, first)
        second = self.purchase(terminal_id=self.terminal.id)
        self.assertEqual((second.state, second.reason), ("failed", "terminal_held"))
        self.assertIn(first.name, second.explanation)
        self.assertFalse(self.logs(second), "nothing was sent")

    # ------------------------------------------------------------------
    # Refunds
    # ------------------------------------------------------------------

    def test_never_more_than_is_left(self):
        paid = self.paid()
        with self.assertRaises(UserError):
            paid._give_back("r0", 12.35)
        paid._give_back("r1", 10)._inquire()
        with self.assertRaises(UserError):
            paid._give_back("r2", 2.35)
        with self.assertRaises(UserError):
            paid._give_back("r3", 2.34, void=True)
        paid._give_back("r4", 2.34)._inquire()
        self.assertEqual(paid.refundable_amount, 0)
        self.assertFalse(paid.can_refund)
        self.assertEqual(self.simulator.net("EUR"), 0)

    def test_uncertain_refund_counts_as_given_back(self):
        paid = self.paid()
        self.simulator.fault("refund", "close_after", times=1)
        refund = paid._give_back("r1", 10)
        self.assertEqual(refund.state, "unknown")
        self.assertAlmostEqual(paid.refundable_amount, 2.34)
        with self.assertRaises(UserError):
            paid._give_back("r2", 10)
        refund._inquire()
        self.assertEqual(refund.state, "approved")

    def test_refused_refund_does_not_count(self):
        paid = self.paid()
        self.simulator.script("declined", kind="refund")
        refund = paid._give_back("r1", 10)
        refund._inquire()
        self.assertEqual(refund.state, "declined")
        self.assertAlmostEqual(paid.refundable_amount, 12.34)

    def test_only_approved_can_be_refunded(self):
        for state in ("pending", "unknown", "declined", "failed", "cancelled", "reversed"):
            operation = self.operation_in(state)
            with self.assertRaises(UserError):
                operation._give_back(f"r-{state}", 1)

    def test_dialogs(self):
        paid = self.paid()
        dialog = (
            self.env["servipay.operation.refund"].with_user(self.manager).create({"operation_id": paid.id})
        )
        self.assertAlmostEqual(dialog.amount, 12.34)
        dialog.amount = 2
        first, second = dialog.action_confirm(), dialog.action_confirm()
        self.assertEqual(first["res_id"], second["res_id"], "pressed twice, one refund")
        self.assertEqual(len(paid.child_ids), 1)
        with self.assertRaises(AccessError):
            paid.with_user(self.reader).action_refund()

    # ------------------------------------------------------------------
    # Deadlines, inquiries, the job
    # ------------------------------------------------------------------

    def test_overdue_becomes_unknown_with_an_activity(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        operation._inquire()
        self.assertEqual(operation.state, "pending")
        self.make_overdue(operation)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "overdue"))
        self.assertEqual(operation.activity_ids.user_id, self.manager)
        self.simulator.finish(operation.external_ref, "approved")
        operation._inquire()
        self.assertEqual(operation.state, "approved")
        self.assertFalse(operation.activity_ids, "the activity goes with the doubt")

    def test_interrupted_process(self):
        """A process that died while it waited leaves "sent"; the job makes it unknown and finds the truth."""
        operation = self.operations._open(self.values())
        operation._claim()
        plan = operation._plan("send")
        plan()  # the request arrives, the answer is forgotten
        self.operations._cron_settle()
        self.assertEqual(operation.state, "sent", "it may still be waiting")
        past = fields.Datetime.now() - timedelta(seconds=1)
        operation.write({"deadline_at": past, "next_inquiry_at": past})
        self.operations._cron_settle()
        self.assertEqual(operation.state, "approved")
        self.assertEqual(self.simulator.count_charges(), 1)

    def test_job_backs_off_and_gives_up(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        self.make_overdue(operation)
        waits = []
        for _turn in range(10):
            operation.write({"next_inquiry_at": fields.Datetime.now()})
            self.operations._cron_settle()
            waits.append((operation.next_inquiry_at - fields.Datetime.now()).total_seconds())
        self.assertEqual(operation.state, "unknown")
        self.assertGreater(waits[-1], waits[1])
        operation.write(
            {"sent_at": fields.Datetime.now() - timedelta(days=8), "next_inquiry_at": fields.Datetime.now()}
        )
        self.operations._cron_settle()
        self.assertFalse(operation.next_inquiry_at)
        self.assertIn("stopped asking", operation.explanation)

    def test_job_leaves_what_is_not_due(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        count = len(self.simulator.requests)
        operation.write({"next_inquiry_at": fields.Datetime.now() + timedelta(minutes=1)})
        self.operations._cron_settle()
        self.assertEqual(len(self.simulator.requests), count)

    # ------------------------------------------------------------------
    # A person's decision
    # ------------------------------------------------------------------

    def test_resolve(self):
        for outcome in ("approved", "failed"):
            operation = self.operation_in("unknown")
            dialog = self.env["servipay.operation.resolve"].with_user(self.manager)
            dialog.create(
                {"operation_id": operation.id, "outcome": outcome, "reason": "terminal journal"}
            ).action_confirm()
            self.assertEqual(operation.state, outcome)
            self.assertEqual(operation.resolved_by_id, self.manager)
            message = operation.message_ids.filtered(lambda m: m.author_id == self.manager.partner_id)
            self.assertIn("terminal journal", str(message.mapped("body")))
            self.assertIn("terminal journal", operation.explanation)

    def test_resolve_needs_doubt_a_reason_and_a_manager(self):
        unknown, pending = self.operation_in("unknown"), self.operation_in("pending")
        dialogs = self.env["servipay.operation.resolve"]
        values = {"operation_id": unknown.id, "outcome": "approved", "reason": "  "}
        with self.assertRaises(UserError):
            dialogs.with_user(self.manager).create(values).action_confirm()
        with self.assertRaises(AccessError):
            dialogs.with_user(self.reader).create({**values, "reason": "x"})
        with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"), self.assertRaises(UserError):
            pending.with_user(self.manager).sudo()._resolve("approved", "x")

    def test_person_cannot_undo_an_approval(self):
        operation = self.operation_in("approved")
        with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"), self.assertRaises(UserError):
            operation._resolve("failed", "x")

    # ------------------------------------------------------------------
    # Buttons
    # ------------------------------------------------------------------

    def test_buttons_by_role(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        operation.with_user(self.reader).action_refresh()
        for button in ("action_cancel", "action_refund", "action_void", "action_resolve"):
            with self.assertRaises(AccessError):
                getattr(operation.with_user(self.reader), button)()
        operation.with_user(self.manager).action_cancel()
        self.assertIn(operation.state, ("cancelling", "cancelled"))

    def test_fetch_result_of_an_approved_operation(self):
        """The button asks again and adds facts; the state stays."""
        operation = self.paid()
        operation.write({"rrn": False})
        operation.with_user(self.reader).action_refresh()
        self.assertEqual(operation.state, "approved")
        self.assertTrue(operation.rrn)

    def test_terminal_health(self):
        self.purchase(terminal_id=self.terminal.id)._inquire()
        self.assertTrue(self.terminal.last_contact_at)
        self.assertGreater(self.terminal.last_latency, 0)
