"""What happens after the request: once it is committed, outside of it, and never for one that failed."""

import queue
import threading
import time
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..api.finding import Finding
from ..models import inbox, own_transaction
from ..models.own_transaction import Detached, after_commit
from .common import ApiCase, CommittedCase

NO_TEST = type("module", (), {"current_test": None})


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestAfterwards(CommittedCase):
    def setUp(self):
        super().setUp()
        # as in a server: here no test says that it is running
        for module in (inbox, own_transaction):
            patcher = patch.object(module, "odoo_module", NO_TEST)
            patcher.start()
            self.addCleanup(patcher.stop)

    def test_after_the_commit(self):
        seen = []
        with self.registry.cursor() as cr:
            after_commit(self.env_on(cr), seen.append)
            self.assertFalse(seen)
        self.assertEqual(len(seen), 1)
        self.assertIsInstance(seen[0], Detached)

    def test_not_after_a_rollback(self):
        seen = []
        with self.environment() as env:
            after_commit(env, seen.append)
        self.assertFalse(seen)

    def test_what_breaks_afterwards_does_not_break_the_request(self):
        def broken(_env):
            raise RuntimeError("broken")

        with (
            mute_logger("odoo.addons.paypercloud_servipay.models.own_transaction"),
            self.registry.cursor() as cr,
        ):
            after_commit(self.env_on(cr), broken)

    def test_job_does_not_wait_for_one_that_hangs(self):
        """The lanes of the others are worked down meanwhile, and the job ends in time."""
        hold, done = threading.Event(), []
        self.addCleanup(hold.set)

        def work(env, lane, _end):
            self.assertIsInstance(env, Detached)
            if lane == [1]:
                hold.wait(20)
            done.append(lane)

        job = "odoo.addons.paypercloud_servipay.models.servipay_operation_inquiries"
        with (
            self.environment() as env,
            patch(f"{job}.odoo_module", NO_TEST),
            patch(f"{job}.CRON_SECONDS", 1),
            patch(f"{job}._work_down", work),
            patch(f"{job}.ServipayOperation._due_lanes", lambda _self, _limit: [[1], [2], [3]]),
        ):
            began = time.monotonic()
            env["servipay.operation"]._cron_settle()
            self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(sorted(done), [[2], [3]])

    def test_inbox_works_through_its_queue_in_one_thread(self):
        done, everything = [], threading.Event()

        def apply(env, number):
            done.append((number, threading.current_thread().name, type(env)))
            if number == 13:
                raise RuntimeError("broken")
            if number == 49:
                everything.set()

        with self.environment() as env, patch.object(inbox, "_logger") as logger:
            for number in range(50):
                inbox.apply_soon(env, number, apply)
            self.assertTrue(everything.wait(60))
        logger.exception.assert_called_once()
        self.assertEqual([number for number, _name, _kind in done], list(range(50)))
        self.assertEqual({name for _number, name, _kind in done}, {"servipay-inbox"})
        self.assertEqual({kind for _number, _name, kind in done}, {Detached})

    def test_inbox_waits_for_a_quiet_moment_and_not_for_ever(self):
        done = queue.Queue()
        quiet = patch.multiple(inbox, QUIET_SECONDS=0.3, LONGEST_WAIT=1.0)
        with self.environment() as env, quiet:
            began = time.monotonic()
            while time.monotonic() - began < 0.8:
                inbox.apply_soon(env, 1, lambda _env, _number: done.put(time.monotonic() - began))
                time.sleep(0.1)
            self.assertTrue(done.empty())  # they were still coming in
            while time.monotonic() - began < 1.6:
                inbox.apply_soon(env, 2, lambda _env, _number: None)
                time.sleep(0.1)
            self.assertGreaterEqual(done.get(timeout=5), 0.99)

    def test_inbox_that_is_full_leaves_it_to_the_job(self):
        hold, seen = threading.Event(), []

        def apply(_env, number):
            seen.append(number)
            hold.wait(10)

        logger = "odoo.addons.paypercloud_servipay.models.inbox"
        with self.environment() as env, patch.object(inbox, "_waiting", inbox.queue.Queue(1)):
            inbox._thread = None
            with self.assertLogs(logger, "WARNING"):
                for number in range(4):
                    inbox.apply_soon(env, number, apply)
            hold.set()
        inbox._thread = None


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestReserved(ApiCase):
    """An authorisation: captured up to its amount, or voided, and not both."""

    def setUp(self):
        super().setUp()
        self.reserved = self.operations.create(self.values(kind="authorisation", amount=50))
        self.reserved._claim()
        self.reserved._move("approved")

    def child(self, kind, amount):
        """Return the values of a movement."""
        return self.values(kind=kind, amount=amount, original_id=self.reserved.id)

    def test_capture_up_to_what_was_reserved(self):
        self.operations._check_refundable(self.child("capture", 50))
        with self.assertRaises(UserError):
            self.operations._check_refundable(self.child("capture", 50.01))

    def test_no_void_after_a_capture(self):
        self.assertTrue(self.reserved.can_void)
        self.assertFalse(self.reserved.can_refund)
        capture = self.operations.create(self.child("capture", 20))
        capture._claim()
        capture._move("approved")
        self.env.invalidate_all()
        self.assertFalse(self.reserved.can_void)
        with self.assertRaises(UserError):
            self.operations._check_refundable(self.child("void", 50))
        self.assertTrue(capture.can_refund)

    def test_later_attempt_overrules_a_refusal(self):
        operation = self.operations.create(self.values(amount=5))
        operation._claim()
        operation._apply(Finding("declined", ""))
        operation._apply(Finding("approved", "", later_attempt=True))
        self.assertEqual((operation.state, operation.contradicted), ("approved", False))
        with mute_logger("odoo.addons.paypercloud_servipay.models"):
            operation._apply(Finding("declined", "", later_attempt=True))
        self.assertEqual((operation.state, operation.contradicted), ("approved", True))

    def test_document_follows(self):
        seen = []
        operation = self.operations.create(
            self.values(res_model="res.partner", res_id=self.env.user.partner_id.id)
        )
        partner_class = type(self.env["res.partner"])
        follow = lambda record, found, state: seen.append((record.id, found.id, state))  # noqa: E731
        with patch.object(partner_class, "_servipay_follow", follow, create=True):
            operation._claim()
        self.assertEqual(seen, [(self.env.user.partner_id.id, operation.id, "sent")])
