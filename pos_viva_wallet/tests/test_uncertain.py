import time
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from ..models import viva_client
from .common import VivaCase


@tagged("post_install", "-at_install")
class TestUncertain(VivaCase):
    """What may have arrived is repeated with the same session id, and charged once."""

    def assert_once(self, operation):
        """The request went out more than once, always the same one, and money moved once."""
        asked = self.asked("sale")
        self.assertGreater(len(asked), 1)
        self.assertEqual({one["sessionId"] for one in asked}, {operation.viva_session})
        self.assertTrue(all(one == asked[0] for one in asked))
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertEqual(self.viva.count_charges(), 1)

    def test_repeated_with_the_same_id(self):
        """The answer is lost, a proxy's or the server's error comes instead: repeated, charged once."""
        for fault in ("close_after", "reset_after", "http_500", "html_502", "html_200", "short_body"):
            with self.subTest(fault=fault), self.quiet():
                self.viva.reset()
                self.viva.fault("sale", fault, times=1)
                self.assert_once(self.pay())

    def test_never_arrived(self):
        """The same faults, but nothing was processed: the repetition is the first one that arrives."""
        for fault in ("close_before", "reset_before", "http_503", "html_503", "rate_limited"):
            with self.subTest(fault=fault), self.quiet():
                self.viva.reset()
                self.viva.fault("sale", fault, times=1)
                self.assert_once(self.pay())

    def test_slow_answer(self):
        """It was processed, and its answer comes later than we wait."""
        self.viva.fault("sale", "late_answer", times=1, seconds=5)
        with patch.object(viva_client, "POST_SECONDS", 1), self.quiet():
            began = time.monotonic()
            operation = self.pay()
        self.assert_once(operation)
        self.assertLess(time.monotonic() - began, 5)

    def test_a_busy_server_is_given_time(self):
        """503 several times: still within the cashier's patience, and still one payment."""
        self.viva.fault("sale", "http_503", times=3)
        with self.quiet():
            self.assert_once(self.pay())

    def test_conflict_is_no_error(self):
        """409: it had arrived; the session is read."""
        self.viva.fault("sale", "close_after", times=1)
        with self.quiet():
            operation = self.pay(ask=False)
        self.assertEqual(operation.state, "pending", operation.explanation)
        answers = [entry["status"] for entry in self.viva.requests if entry["endpoint"] == "sale"]
        self.assertEqual(answers, [None, 409])

    def test_nobody_answers(self):
        """Every answer is lost: unknown, never failed; the session tells, and it was charged once."""
        self.viva.fault("sale", "http_500")
        with self.quiet():
            operation = self.pay(ask=False)
            self.assertEqual((operation.state, operation.reason), ("unknown", "vv_service_error"))
            operation._inquire()
        self.assertEqual((operation.state, self.viva.count_charges()), ("approved", 1))
        self.viva.reset()
        self.viva.fault("sale", "close_before")
        with self.quiet():
            operation = self.pay(ask=False)
            self.assertEqual((operation.state, operation.reason), ("unknown", "no_answer"))
            operation.write({"sent_at": fields.Datetime.now() - timedelta(seconds=30)})
            operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "vv_session_not_found"))
        self.assertTrue(self.told(operation)[0])
        snapshot = self.till()._servipay_state([operation.idempotency_key])[0]
        self.assertIn("Do not take the money again", snapshot["text"])

    def test_refused(self):
        """A request that is refused has begun nothing, and says what is wrong with it."""
        for status in (400, 422):
            self.viva.set(minimum=5000, minimum_as="refused", validation_status=status)
            operation = self.pay()
            self.assertEqual((operation.state, operation.reason), ("failed", "vv_invalid_request"))
            self.assertIn("amount", operation.explanation)
            self.assertEqual(self.viva.count_requests("session"), 0)

    def test_refused_repetition(self):
        """That the repetition is refused says nothing about the first request."""
        self.viva.fault("sale", "close_after", times=1)
        self.viva.fault("sale", "waf_403")
        with self.quiet():
            operation = self.pay(ask=False)
        self.assertEqual((operation.state, operation.reason), ("unknown", "vv_refused_repeat"))
        operation._inquire()
        self.assertEqual((operation.state, self.viva.count_charges()), ("approved", 1))

    def test_nothing_left(self):
        """Nobody listens: a certain failure."""
        self.vw.sudo().viva_wallet_base_url = "http://127.0.0.1:9"
        with self.quiet():
            operation = self.pay()
        self.assertEqual(operation.state, "failed", operation.explanation)
        self.assertIn("No money was moved", operation.explanation)

    def test_reads_that_fail(self):
        """While reading fails the payment stays what it is, and a later read settles it."""
        for fault in ("http_500", "html_502", "http_503", "waf_403", "close_before", "rate_limited"):
            with self.subTest(fault=fault), self.quiet():
                self.viva.reset()
                self.viva.fault("session", fault)
                operation = self.pay()
                self.assertEqual(operation.state, "pending", operation.explanation)
                self.viva.clear_faults()
                operation._inquire()
                self.assertEqual(operation.state, "approved")

    def test_new_attempt_new_session(self):
        """What a person tries again after a refusal is another session."""
        self.viva.script("declined")
        first, second = self.pay(), self.pay()
        self.assertEqual((first.state, second.state), ("declined", "approved"))
        self.assertNotEqual(first.viva_session, second.viva_session)

    # -- access

    def cashiers(self):
        """Return a till of a cashier, who may write no payment method."""
        self.assertFalse(
            self.env["pos.payment.method"].with_user(self.cashier).has_access("write")
            if hasattr(self.vw, "has_access")
            else False
        )
        return self.till(self.cashier)

    def test_token_revoked_in_mid_session(self):
        """A cashier pays, the token dies, the next read fetches another one: nobody writes anything."""
        till, before = self.cashiers(), self.vw.write_date
        operation = self.pay(ask=False, till=till)
        self.viva.revoke()
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.viva.revoke()
        operation = self.pay(till=till)
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertEqual(self.viva.count_charges(), 2)
        self.assertEqual(self.viva.count_requests("token"), 3)
        self.vw.invalidate_recordset()
        self.assertEqual(self.vw.write_date, before)

    def test_token_expires(self):
        """A short token is replaced before it ends."""
        self.viva.set(expires_in=2)
        self.pay(ask=False)
        with patch.object(viva_client.time, "monotonic", lambda now=time.monotonic: now() + 1.5):
            operation = self.operation(
                self.start(5, method=self.other_vw, till=self.till(session=self.other_session))["key"]
            )
            operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertGreaterEqual(self.viva.count_requests("token"), 2)
        answers = [
            entry["status"] for entry in self.viva.requests if entry["endpoint"] in ("sale", "session")
        ]
        self.assertNotIn(401, answers)

    def test_one_token_for_all(self):
        """Ten payments, one token."""
        for _number in range(3):
            self.pay(1)
        self.assertEqual(self.viva.count_requests("token"), 1)

    def test_wrong_credentials(self):
        """Nothing was sent, and it says which pair is wrong."""
        for status in (400, 401):
            self.viva.set(invalid_client=status)
            self.vw.viva_wallet_client_secret = "wrong"
            operation = self.pay()
            self.assertEqual((operation.state, operation.reason), ("failed", "vv_credentials"))
            self.assertIn("client ID or the client secret", operation.explanation)
            self.assertEqual(self.viva.count_requests("sale"), 0)

    def test_credentials_without_terminals(self):
        """Those of the web shop open no terminal."""
        self.viva.set(scope="urn:viva:payments:core:api:redirectcheckout")
        operation = self.pay()
        self.assertEqual(operation.state, "failed", operation.explanation)
        self.assertFalse(self.viva.charges)

    def test_log_in_is_down(self):
        """No token, nothing sent; in mid-session the payment stays open and says why."""
        for fault in ("http_500", "html_502", "garbage_body", "close_before", "waf_403", "empty_200"):
            with self.subTest(fault=fault), self.quiet():
                viva_client._tokens.clear()
                self.viva.reset()
                self.viva.fault("token", fault)
                operation = self.pay()
                self.assertEqual(operation.state, "failed", operation.explanation)
                self.assertEqual(self.viva.count_requests("sale"), 0)
        self.viva.reset()
        operation = self.pay(ask=False)
        self.viva.revoke()
        self.viva.fault("token", "waf_403")
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("pending", "vv_access_blocked"))

    def test_unusable_credentials(self):
        """What cannot stand in a header is no traceback."""
        self.vw.viva_wallet_client_id = "a:b"
        operation = self.pay()
        self.assertEqual((operation.state, operation.reason), ("failed", "vv_credentials_incomplete"))
