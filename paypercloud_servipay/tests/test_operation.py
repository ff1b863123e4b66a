"""The record and its state machine, the guards around money, the job for what is not settled."""

from datetime import timedelta
from decimal import Decimal
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged

from ..api import states
from ..api.finding import Finding
from ..api.outcome import Mismatch
from ..models.conversation import Conversation
from .common import ApiCase
from .simulator import ENDPOINTS


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestOperation(ApiCase):
    def operation_in(self, state, **values):
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
        operation = self.operations._open(self.values(**values))
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

    def test_late_approval_of_another_amount_is_flagged(self):
        """An approval that does not match is no approval, but on a settled operation no silence either."""
        other = (Mismatch("amount", Decimal("12.34"), Decimal("99.00")),)
        for state in ("declined", "cancelled", "failed", "approved"):
            operation = self.operation_in(state)
            with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"):
                operation._apply(Finding("approved", mismatches=other))
            self.assertEqual(operation.state, state)
            self.assertTrue(operation.contradicted, state)
            self.assertIn("99.00", operation.explanation)
            self.env.flush_all()
            self.assertIn(self.manager, operation.activity_ids.user_id)
            messages = operation.message_ids
            operation._apply(Finding("approved", mismatches=other))
            self.assertEqual(operation.message_ids, messages, "said once")

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

    def test_drafts_are_checked_again_when_they_are_sent(self):
        """Two drafts that both fit when they were opened: the second to leave finds nothing left."""
        paid = self.paid()
        first, second = (self.draft_of(paid, 10) for _turn in range(2))
        first._start()
        second._start()
        self.assertEqual(first.state, "pending")
        self.assertEqual((second.state, second.reason), ("failed", "nothing_left"))
        self.assertIn("No money was moved", second.explanation)
        self.assertFalse(self.logs(second), "nothing was sent")
        first._inquire()
        self.assertEqual(self.simulator.net("EUR"), 234)

    def test_two_captures_of_one_authorisation(self):
        """Both fit when they were asked for; the second to leave finds that the first has what it wants."""
        reserved = self.operations._open(self.values(kind="authorisation"))
        reserved._apart("_claim")
        reserved._apart("_apply", Finding("approved", ""))
        first, second = (self.draft_of(reserved, 10, kind="capture") for _turn in range(2))
        self.assertTrue(first._apart("_claim"))
        self.assertFalse(second._apart("_claim"))
        self.assertEqual((second.state, second.reason), ("failed", "nothing_left"))

    def test_draft_left_by_a_crash_is_checked_again(self):
        paid = self.paid()
        left, void = self.draft_of(paid, 1), self.draft_of(paid, 12.34, kind="void")
        paid._give_back("whole", 12.34)._inquire()
        for draft in (left, void):
            draft._start()
            self.assertEqual((draft.state, draft.reason), ("failed", "nothing_left"))
            self.assertFalse(self.logs(draft))
        self.assertEqual(self.simulator.net("EUR"), 0)

    def draft_of(self, paid, amount, kind="refund"):
        return self.operations._open(self.values(kind=kind, amount=amount, original_id=paid.id))

    def test_void_confirmed_twice_is_one_void(self):
        for settle in (False, True):
            paid = self.paid()
            dialogs = self.env["servipay.operation.refund"].with_user(self.manager)
            dialog = dialogs.create({"operation_id": paid.id, "void": True})
            first = dialog.action_confirm()
            if settle:
                self.operations.browse(first["res_id"])._inquire()
            self.assertEqual(dialog.action_confirm()["res_id"], first["res_id"], "pressed twice, one void")
            self.assertEqual(len(paid.child_ids), 1)

    def test_refund_uses_more_values_of_an_addon(self):
        """What paypercloud_servipay_pos will do: its own columns go with the refund, before it is sent."""
        paid = self.paid()
        values = (
            "odoo.addons.paypercloud_servipay.models.servipay_operation.ServipayOperation._give_back_values"
        )
        with patch(values, lambda operation: {"entry_mode": "chip", "amount": 5}):
            refund = paid._give_back("r1", 1)
        self.assertEqual((refund.entry_mode, refund.amount), ("chip", 1), "more values, never another intent")
        self.assertEqual(refund.state, "pending")

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

    def test_no_payment_waits_for_a_mail_server(self):
        """One that does not answer would hold the turn in which people are told for a minute."""
        self.manager.email = "manager@example.com"
        operation = self.operation_in("pending")
        operation.message_subscribe(self.manager.partner_id.ids)
        triggers = self.env["ir.cron.trigger"].search_count([])
        with patch.object(self.env.registry["mail.mail"], "send") as sent:
            operation._apart("_move", "unknown")
            self.env["servipay.alert"]._raise_once("k", "mismatch", self.company, self.manager)
        self.assertFalse(sent.called)
        self.assertGreater(self.env["ir.cron.trigger"].search_count([]), triggers, "nor does it wait an hour")

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

    def test_overdue_holder_of_a_terminal_gives_way_to_the_next_payment(self):
        """A process that died holds no terminal beyond its deadline, with or without the job; it is told."""
        for state in ("sent", "pending", "cancelling"):
            holder = self.operation_in(state, terminal_id=self.terminal.id)
            refused = self.operations._open(self.values(terminal_id=self.terminal.id))
            self.assertFalse(refused._apart("_claim"))
            self.assertEqual((refused.state, refused.reason), ("failed", "terminal_held"))
            self.make_overdue(holder)
            waiting = self.operations._open(self.values(terminal_id=self.terminal.id))
            self.assertTrue(waiting._apart("_claim"), state)
            self.assertEqual((waiting.state, holder.state), ("sent", "unknown"))
            self.assertEqual(holder.activity_ids.user_id, self.manager)
            waiting._move("failed")

    def test_clock_that_stepped_back_blocks_no_terminal_and_no_person(self):
        """What was sent in the future is overdue: a person's question and the next payment end it."""
        for release in (lambda one: one._inquire(), lambda one: one._give_way()):
            holder = self.operation_in("sent", terminal_id=self.terminal.id)
            ahead = fields.Datetime.now() + timedelta(hours=1)
            later = ahead + timedelta(minutes=3)
            holder.write({"sent_at": ahead, "deadline_at": later, "next_inquiry_at": later})
            self.env.flush_all()
            release(holder)
            self.assertEqual(holder.state, "unknown")

    def test_job_has_a_lane_for_each_company_and_finds_what_a_stepped_clock_left(self):
        """Whoever has a hundred that are due keeps nobody else from being asked about."""
        past = fields.Datetime.now() - timedelta(seconds=1)
        other = self.env["res.company"].create({"name": "Next door", "currency_id": self.eur.id})
        mine = [self.operation_in("unknown") for _number in range(3)]
        theirs = self.operation_in("unknown", company_id=other.id)
        for number, operation in enumerate([*mine, theirs]):
            operation.next_inquiry_at = past - timedelta(minutes=9 - number)
        ahead = self.operation_in("pending")
        later = fields.Datetime.now() + timedelta(hours=1)
        ahead.write({"sent_at": later, "deadline_at": later, "next_inquiry_at": later})
        self.env.flush_all()
        lanes = self.operations._due_lanes(100)
        self.assertIn([*(one.id for one in mine), ahead.id], lanes)
        self.assertIn([theirs.id], lanes)

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

    def test_unreadable_totals_are_not_zero(self):
        operation = self.operation_in("sent")
        totals = [
            {"type": "purchase", "currency": "EUR", "amount": Decimal(0), "count": 0},
            {"type": "refund"},
        ]
        operation._apply(Finding("approved", values={"totals": totals}))
        known = operation.total_ids.mapped(lambda total: (total.amount_known, total.count_known))
        self.assertEqual(known, [(True, True), (False, False)])

    # ------------------------------------------------------------------
    # Cancellation
    # ------------------------------------------------------------------

    def test_draft_that_is_cancelled(self):
        operation = self.operation_in("draft")
        operation._cancel()
        self.assertEqual((operation.state, operation.reason), ("cancelled", "withdrawn"))
        self.assertNotIn("could not", operation.explanation)
        operation._start()
        self.assertFalse(self.simulator.requests)

    def test_wish_while_the_request_is_on_its_way(self):
        """A wish that comes before the provider's first answer is remembered and passed on after it."""
        self.simulator.script("never_ends")
        operation = self.operations._open(self.values())
        operation._claim()
        operation._cancel()
        self.assertEqual((operation.state, operation.cancel_wished), ("sent", True))
        self.assertIn("cancellation", operation.explanation)
        self.assertFalse(self.simulator.requests, "nothing to cancel yet")
        Conversation(self.env, operation.id).send()
        self.assertFalse(operation.cancel_wished)
        self.assertIn(operation.state, ("cancelling", "cancelled"))
        operation._inquire()
        self.assertEqual(operation.state, "cancelled")
        self.assertEqual(self.simulator.count_charges(), 0)

    def test_wish_that_a_dead_process_left_is_passed_on_by_the_job(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        operation.write({"cancel_wished": True, "next_inquiry_at": fields.Datetime.now()})
        self.env.flush_all()
        self.operations._cron_settle()
        self.assertEqual(operation.state, "cancelled")

    # ------------------------------------------------------------------
    # A dialogue that goes on
    # ------------------------------------------------------------------

    def follow(self, operation, seconds=None):
        """Follow an operation; sleeping moves its times into the past. Returns the naps."""
        naps = []

        def nap(wait):
            naps.append(wait)
            self.assertLess(len(naps), 50, "it goes on for ever")
            if seconds:
                clock.monotonic.return_value += seconds
            operation.next_inquiry_at = fields.Datetime.now()
            self.env.flush_all()

        with patch("odoo.addons.paypercloud_servipay.models.conversation.time") as clock:
            clock.monotonic.return_value = 1000
            for wait in Conversation(self.env, operation.id).follow():
                nap(wait)
        return naps

    def test_following_asks_when_it_is_due_and_ends_with_the_outcome(self):
        operation = self.purchase()
        self.assertEqual(operation.state, "pending")
        naps = self.follow(operation)
        self.assertEqual(operation.state, "approved")
        self.assertEqual(self.simulator.count_requests("operation_status"), operation.inquiry_count)
        self.assertLessEqual(operation.inquiry_count, len(naps))

    def test_what_is_not_due_is_not_claimed(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        operation.next_inquiry_at = fields.Datetime.now() + timedelta(hours=1)
        state, wait, step = operation._pulse_and_claim(True)
        self.assertEqual((state, step, operation.inquiry_count), ("pending", None, 0))
        self.assertTrue(3500 < wait <= 3600)

    def test_following_passes_on_a_wish(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        operation.write({"cancel_wished": True, "next_inquiry_at": fields.Datetime.now()})
        self.env.flush_all()
        self.follow(operation)
        self.assertEqual(operation.state, "cancelled")
        self.assertEqual(self.simulator.count_requests("operation_cancel"), 1)

    def test_following_leaves_what_stays_unknown_to_the_job(self):
        operation = self.operation_in("unknown")
        for endpoint in ENDPOINTS:
            self.simulator.fault(endpoint, "close_before", times=99)
        naps = self.follow(operation, seconds=40)
        self.assertEqual(operation.state, "unknown")
        self.assertEqual(len(naps), 4, "150 seconds")
        operation.next_inquiry_at = fields.Datetime.now()
        self.env.flush_all()
        asked = operation.inquiry_count
        self.assertTrue(asked)
        self.assertEqual(operation._pulse_and_claim(False), ("unknown", 0, None))
        self.assertEqual(operation.inquiry_count, asked, "not claimed by who does not go on")

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

    def test_refresh_of_many_ends_in_time(self):
        """Pressed on a whole list, the button asks as long as time allows and leaves the rest to the job."""
        self.simulator.script("approved", times=2)
        first, second = self.purchase(), self.purchase()
        second.write({"next_inquiry_at": fields.Datetime.now() + timedelta(hours=1)})
        self.env.flush_all()
        with patch("odoo.addons.paypercloud_servipay.models.servipay_operation.REFRESH_SECONDS", -1):
            action = (first + second).with_user(self.reader).action_refresh()
        self.assertEqual((first.state, second.state), ("approved", "pending"), "one is always asked about")
        self.assertIn("1", action["params"]["message"])
        self.assertLessEqual(second.next_inquiry_at, fields.Datetime.now())
        self.operations._cron_settle()
        self.assertEqual(second.state, "approved")

    def test_notes_by_whoever_may_read(self):
        operation = self.operation_in("approved")
        operation.with_user(self.reader).message_post(body="the slip is in the drawer")
        self.assertIn("in the drawer", str(operation.message_ids.mapped("body")))

    def test_fetch_result_of_an_approved_operation(self):
        """The button asks again and adds facts; the state stays."""
        operation = self.paid()
        operation.write({"rrn": False})
        operation.with_user(self.reader).action_refresh()
        self.assertEqual(operation.state, "approved")
        self.assertTrue(operation.rrn)

    def test_settings_changed_on_the_way(self):
        """What was sent under one POS ID and terminal is asked about under the same ones."""
        operation = self.purchase(terminal_id=self.terminal.id)
        self.company.write({"servipay_pos_id": "POS-NEW", "servipay_terminal_pid": "T9"})
        self.terminal.pid = "T9"
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertEqual((operation.pos_ref, operation.terminal_pid), ("POS1", "T1"))

    def test_terminal_hears_of_exchanges_only(self):
        """A step without an exchange is neither a contact nor an error of the terminal."""
        operation = self.operations._open(self.values(terminal_id=self.terminal.id))
        operation._claim()
        for finding, error, contact in (
            (Finding("pending", ""), False, False),
            (Finding(None, "overdue"), False, False),
            (Finding(None, "", "no answer in time"), True, False),
            (Finding("approved", latency=3), False, True),
            (Finding("reversed", "voided", "SP1"), False, False),
        ):
            self.terminal.write({"last_error_at": False, "last_error": False, "last_contact_at": False})
            operation._apply(finding)
            seen = bool(self.terminal.last_error_at), bool(self.terminal.last_contact_at)
            self.assertEqual(seen, (error, contact), finding)

    def test_terminal_health(self):
        self.purchase(terminal_id=self.terminal.id)._inquire()
        self.assertTrue(self.terminal.last_contact_at)
        self.assertGreater(self.terminal.last_latency, 0)

    # ------------------------------------------------------------------
    # Languages
    # ------------------------------------------------------------------

    def test_everybody_reads_in_an_own_language(self):
        """The activity is in the assignee's language and the chatter in the company's, whoever acts."""
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.module.module"]._load_module_terms(["paypercloud_servipay"], ["fr_FR"])
        french, english = "peut-être été transféré", "money may have been moved"
        for assignee, company in (("fr_FR", "en_US"), ("en_US", "fr_FR")):
            self.manager.lang, self.company.partner_id.lang = assignee, company
            operation = self.operation_in("sent").with_context(lang=assignee)
            operation._apply(Finding("unknown", "no_answer", "no answer in time"))
            self.env.flush_all()
            note, chatter = str(operation.activity_ids.note), str(operation.message_ids.mapped("body"))
            self.assertEqual((french in note, english in note), (assignee == "fr_FR", assignee == "en_US"))
            self.assertEqual(
                (french in chatter, english in chatter), (company == "fr_FR", company == "en_US")
            )
            operation._resolve("approved", "slip 7")
            words = str(operation.message_ids.mapped("body"))
            self.assertIn("it was paid" if company == "en_US" else "le paiement a eu lieu", words)
