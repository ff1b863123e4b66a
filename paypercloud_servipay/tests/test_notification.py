"""The inbox: stored once, applied once, what fails stays, what nobody vouches for changes nothing."""

import logging
import threading
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import servipay_notification
from ..models.message_turn import NotYet, Question
from .common import ApiCase, Catcher, CommittedCase

MODEL = "odoo.addons.paypercloud_servipay.models.servipay_notification.ServipayNotification"
APPLY = f"{MODEL}._test_apply_notification"


def applying(function):
    """Give the inbox a provider "test" whose handler is ``function``."""
    return patch(APPLY, function, create=True)


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestNotification(ApiCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.inbox = cls.env["servipay.notification"]

    def setUp(self):
        super().setUp()
        servipay_notification._unverified_at.clear()

    def receive(self, key="k1", verified=True, **values):
        number = self.inbox._receive("test", key, verified, company_id=self.company.id, **values)
        return self.inbox.browse(number)

    def test_received_then_applied_once(self):
        effects = []
        notification = self.receive(raw_body="a=1", event="paid")
        self.assertEqual(notification.state, "received")
        with applying(lambda self: effects.append(self.raw_body) or True):
            notification._apply_once()
            notification._apply_once()
        self.assertEqual(effects, ["a=1"])
        self.assertEqual(notification.state, "processed")

    def test_copies_have_one_row(self):
        first, second = self.receive(), self.receive()
        self.assertEqual(first, second)
        self.assertEqual(first.copies, 2)

    def test_nothing_new(self):
        notification = self.receive()
        with applying(lambda self: False):
            notification._apply_once()
        self.assertEqual(notification.state, "duplicate")

    def test_what_fails_stays_and_is_tried_again(self):
        notification = self.receive()

        def broken(self):
            self.env["res.partner"].create({"name": "half done"})
            raise ValueError("no such order, card 4111111111111111")

        with applying(broken), mute_logger("odoo.addons.paypercloud_servipay.models.message_turn"):
            notification._apply_once()
        self.assertEqual(notification.state, "failed")
        self.assertNotIn("4111111111111111", notification.error)
        self.assertFalse(self.env["res.partner"].search([("name", "=", "half done")]))
        self.assertTrue(notification.next_attempt_at)
        notification.next_attempt_at = "2020-01-01"
        with applying(lambda self: True):
            self.inbox._cron_apply()
        self.assertEqual((notification.state, notification.attempts), ("processed", 2))

    def test_one_that_breaks_everything_blocks_no_other(self):
        """Neither its handler, nor somebody's automation on what is told about it, nor a missing addon."""
        poison, other, orphan = (self.receive(key) for key in ("poison", "other", "orphan"))
        poison.write({"attempts": 4, "event": "poison"})
        orphan.provider = "uninstalled"
        (poison | other | orphan).next_attempt_at = "2020-01-01"

        def handler(self):
            if self.event == "poison":
                raise TypeError("no handler expects this")
            return True

        activities = self.env.registry["mail.activity"]
        automation = patch.object(activities, "create", side_effect=TypeError("an automation"))
        with applying(handler), automation, mute_logger("odoo.addons.paypercloud_servipay"):
            self.inbox._cron_apply()
        self.assertEqual((poison.state, poison.attempts, other.state), ("failed", 5, "processed"))
        self.assertTrue(self.env["servipay.alert"].search([("key", "=", f"message_waits:{poison.id}")]))
        self.assertEqual(orphan.state, "failed")
        self.assertIn("install it again", orphan.error)

    def test_what_cannot_be_stored_is_shown(self):
        """A NUL or half a character is no reason to lose a message."""
        notification = self.receive(raw_body="a\x00b\ud800c", path="/x\x00", event="\x00")
        self.assertEqual(notification.raw_body, "a\u2400b\\ud800c")

    def test_an_error_does_not_write_the_message_into_the_server_log(self):
        """Odoo logs the whole query of a failed statement: this one holds what the provider sent."""
        with self.assertNoLogs("odoo.sql_db"), self.assertRaises(psycopg2.Error), self.cr.savepoint():
            self.inbox._receive("test", "k", True, company_id=-1, raw_body="card 4111111111111111")

    def test_old_messages_are_removed(self):
        """(state, days old, whether it goes): rejected ones soon, settled ones late, the others never."""
        cases = (
            *(("rejected", 31, True), ("rejected", 29, False), ("processed", 401, True)),
            *(("duplicate", 401, True), ("processed", 399, False), ("failed", 4000, False)),
            ("received", 4000, False),
        )
        rows = []
        for number, (state, days, goes) in enumerate(cases):
            row = self.receive(key=f"old{number}")
            row.write({"state": state})
            self.env.flush_all()
            self.env.cr.execute(
                "UPDATE servipay_notification SET create_date = now() - %s * interval '1 day' WHERE id = %s",
                [days, row.id],
            )
            rows.append((row, goes))
        with patch.object(servipay_notification, "PURGE_BATCH", 2):
            self.assertEqual(self.inbox._gc_servipay_notifications(), (3, 0))
        self.env.invalidate_all()
        self.assertEqual([not row.exists() for row, _goes in rows], [goes for _row, goes in rows])

    def asking(self, answer):
        """Give the provider "test" a question, and a handler that gets ``answer`` and keeps it."""
        heard, asked = [], []

        def ask(env):
            asked.append(env)
            if isinstance(answer, Exception):
                raise answer
            return answer

        def conclude(_message, told):
            heard.append(told)
            if told is None:
                raise NotYet("nobody answered", silent=True)
            if told == "early":
                raise NotYet("it is not over")
            return True

        question = Question(("a",), ask)
        conclusion = patch(APPLY.replace("_apply_", "_conclude_"), conclude, create=True)
        return applying(lambda _message: question), conclusion, asked, heard

    def test_asked_first_then_applied_and_marked(self):
        handler, conclusion, asked, heard = self.asking("yes")
        notification = self.receive()
        with handler, conclusion:
            self.assertTrue(notification._apply_once())
            self.assertFalse(notification._apply_once())
        self.assertEqual((notification.state, heard, len(asked)), ("processed", ["yes"], 1))

    def test_unanswered_is_tried_again_until_somebody_is_told(self):
        """Not marked: not for an answer that did not come, nor for one that came too early."""
        operation = self.operations._open(self.values())
        for answer, state in ((None, "failed"), ("early", "received"), (ValueError("broken"), "failed")):
            handler, conclusion, _asked, _heard = self.asking(answer)
            notification = self.receive(key=str(answer), event="paid")
            notification.operation_id = operation
            waits = []
            with handler, conclusion, mute_logger("odoo.addons.paypercloud_servipay.models.message_turn"):
                for _turn in range(6):
                    notification._apply_once()
                    wait = notification.next_attempt_at - fields.Datetime.now()
                    waits.append(round(wait.total_seconds() / 60))
            self.assertEqual((notification.state, waits), (state, [1, 5, 15, 60, 360, 360]))
            alert = self.env["servipay.alert"].search([("key", "=", f"message_waits:{notification.id}")])
            self.assertEqual(alert.user_ids, self.manager)
            handler, conclusion, _asked, _heard = self.asking("yes")
            with handler, conclusion:
                notification._apply_once()
            self.assertEqual((notification.state, notification.error), ("processed", False))

    def test_replay(self):
        count = []
        notification = self.receive()
        with applying(lambda self: count.append(1) or True):
            notification.with_user(self.manager).action_replay()
            notification.with_user(self.manager).action_replay()
        self.assertEqual(len(count), 2)
        self.assertEqual(notification.state, "processed")
        with self.assertRaises(AccessError):
            notification.with_user(self.reader).action_replay()

    def test_unverified_changes_nothing(self):
        notification = self.receive(verified=False, raw_body="forged")
        self.assertEqual(notification.state, "rejected")
        with applying(lambda self: self.fail("applied")):
            notification._apply_once()
            notification.with_user(self.manager).action_replay()
            self.inbox._cron_apply()
        self.assertEqual(notification.state, "rejected")

    def test_forged_copy_does_not_take_the_place_of_the_real_one(self):
        forged, real = self.receive(verified=False), self.receive()
        self.assertNotEqual(forged, real)
        self.assertEqual(real.state, "received")

    def test_flood_of_forgeries_is_bounded(self):
        stored = [self.receive(key=str(n), verified=False) for n in range(50)]
        kept = sum(bool(notification.id) for notification in stored)
        self.assertEqual(kept, servipay_notification.UNVERIFIED_PER_MINUTE)


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestNotificationCommitted(CommittedCase):
    def test_eight_at_once_one_effect(self):
        """The same message on eight connections: one row, one effect."""
        effects, errors, barrier = [], [], threading.Barrier(8)

        def run():
            try:
                barrier.wait()
                with self.environment() as env:
                    inbox = env["servipay.notification"]
                    values = {"company_id": self.company.id, "raw_body": "what-it-says"}
                    number = inbox._receive("test", "eight", True, **values)
                    inbox.browse(number)._apply_once()
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        def handler(notification):
            effects.append(notification.env.cr)
            return True

        catcher = Catcher()
        with (
            applying(handler),
            patch.object(logging.getLogger("odoo.sql_db"), "handlers", [catcher]),
            patch.object(logging.getLogger("odoo.sql_db"), "propagate", False),
        ):
            threads = [threading.Thread(target=run, daemon=True) for _number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        self.assertFalse(errors)
        self.assertNotIn("what-it-says", "".join(catcher.lines))
        self.assertEqual(len(effects), 1)
        domain = [("dedupe_key", "=", "eight")]
        with self.environment() as env:
            notification = env["servipay.notification"].search(domain)
            self.assertEqual(
                (len(notification), notification.copies, notification.state), (1, 8, "processed")
            )

    def test_stored_by_the_commit_of_the_request(self):
        """One that is applied soon is stored by the request itself: gone with it, there with it."""
        found = [("dedupe_key", "=", "here")]
        values = {"at_once": False, "company_id": self.company.id}
        with self.environment() as env:  # rolled back, like a request that failed
            env["servipay.notification"]._receive("test", "here", True, **values)
        self.assertEqual(self.count("servipay.notification", found), 0)
        with self.registry.cursor() as cr:
            self.env_on(cr)["servipay.notification"]._receive("test", "here", True, **values)
            self.assertEqual(self.count("servipay.notification", found), 0)
        self.assertEqual(self.count("servipay.notification", found), 1)

    def test_copy_of_another_request_is_counted_not_an_error(self):
        """A copy was stored since this request began: Odoo would run all of the request again."""
        values = {"at_once": False, "company_id": self.company.id}
        with self.registry.cursor() as early:
            early.execute("SELECT 1")
            with self.registry.cursor() as cr:
                first = self.env_on(cr)["servipay.notification"]._receive("test", "both", True, **values)
            copy = self.env_on(early)["servipay.notification"]._receive("test", "both", True, **values)
        self.assertEqual(copy, first)
        with self.environment() as env:
            self.assertEqual(env["servipay.notification"].browse(first).copies, 2)
