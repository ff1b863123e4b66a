"""The inbox: stored once, applied once, what fails stays, what nobody vouches for changes nothing."""

import threading
from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import servipay_notification
from .common import ApiCase, CommittedCase

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

        with applying(broken), mute_logger("odoo.addons.paypercloud_servipay.models.servipay_notification"):
            notification._apply_once()
        self.assertEqual(notification.state, "failed")
        self.assertNotIn("4111111111111111", notification.error)
        self.assertFalse(self.env["res.partner"].search([("name", "=", "half done")]))
        self.assertTrue(notification.next_attempt_at)
        notification.next_attempt_at = "2020-01-01"
        with applying(lambda self: True):
            self.inbox._cron_apply()
        self.assertEqual((notification.state, notification.attempts), ("processed", 2))

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
                    number = inbox._receive("test", "eight", True, company_id=self.company.id)
                    inbox.browse(number)._apply_once()
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        def handler(notification):
            effects.append(notification.env.cr)
            return True

        with applying(handler), mute_logger("odoo.sql_db"):
            threads = [threading.Thread(target=run, daemon=True) for _number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        self.assertFalse(errors)
        self.assertEqual(len(effects), 1)
        domain = [("dedupe_key", "=", "eight")]
        with self.environment() as env:
            notification = env["servipay.notification"].search(domain)
            self.assertEqual(
                (len(notification), notification.copies, notification.state), (1, 8, "processed")
            )
