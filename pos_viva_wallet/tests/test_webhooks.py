import contextlib
import importlib.util
import json
import re
import uuid
from unittest.mock import patch

from odoo.modules.module import get_module_path
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.models.message_turn import Turn

from ..viva.webhook import MAX_BYTES
from .common import INBOX, OPERATION, VivaCase
from .simulator import EVENTS, MERCHANT_ID, TERMINALS, TWISTS, WEBHOOK_KEY

PAID, REVERSED, FAILED, SESSION_PAID, SESSION_FAILED = EVENTS


@tagged("post_install", "-at_install")
class TestWebhooks(VivaCase):
    """What Viva.com pushes says which session is to be read; the session is believed."""

    def pending(self, outcome="approved", **options):
        """Return a payment whose end the till has not heard of."""
        self.viva.script(outcome, **options)
        operation = self.pay(ask=False)
        self.assertEqual(operation.state, "pending", operation.explanation)
        return operation

    # -- what is ours

    def test_paid_by_webhook(self):
        """1796: the session is read and the payment is paid, without a poll."""
        operation = self.pending()
        self.push_all(PAID)
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertEqual(self.viva.count_requests("session"), 1)
        [message] = self.inbox()
        self.assertEqual(
            (message.state, message.operation_id, message.event), ("processed", operation, "1796")
        )

    def test_not_paid_by_webhook(self):
        """1798 and 1803: a refusal reaches the till too."""
        for types in ((FAILED,), (SESSION_FAILED,)):
            with self.subTest(types=types):
                self.viva.mailer.clear()
                operation = self.pending("declined", code="51")
                self.push_all(*types)
                self.assertEqual((operation.state, operation.reason), ("declined", "vv_funds"))

    def test_session_events(self):
        """1802 names the session itself."""
        operation = self.pending()
        self.push_all(SESSION_PAID)
        self.assertEqual(operation.state, "approved")

    def test_failed_without_reference(self):
        """1798 may come without our reference: nothing of ours, and no error."""
        self.viva.set(failed_reference=False)
        operation = self.pending("declined")
        self.push_all(FAILED)
        self.assertEqual((operation.state, len(self.inbox())), ("pending", 0))

    def test_before_the_answer(self):
        """The webhook overtakes the sale's own answer: nothing is lost, nothing is paid twice."""
        self.viva.set(webhooks="before")
        pushed = []
        self.while_sending(lambda: pushed.extend(self.hand_in(body) for body in self.messages(PAID)))
        operation = self.pay(ask=False)
        self.assertTrue(pushed)
        self.assertEqual(operation.state, "pending", operation.explanation)
        operation._inquire()
        self.assertEqual((operation.state, self.viva.count_charges()), ("approved", 1))

    def hand_in(self, body):
        """Receive and apply a message without HTTP; returns it."""
        inbox = self.env["servipay.notification"].sudo()
        asked = type("Asked", (), {"method": "POST", "path": "/x", "remote_addr": "127.0.0.1"})()
        message = inbox._viva_receive(self.vw, body, asked)
        if message:
            message._apply_soon()
        return message

    def test_duplicates(self):
        """The same message eight times, and the retries of a day: one row, one effect."""
        operation = self.pending()
        message = self.viva.mailer.messages[0]
        for count in range(8):
            self.assertEqual(self.push(message.body(count, 3600)).status_code, 200)
        [stored] = self.inbox()
        self.assertEqual((operation.state, stored.copies), ("approved", 8))
        self.assertEqual(self.viva.count_requests("session"), 1)

    def test_without_message_id(self):
        """Nothing to recognise it by: by its content then."""
        operation = self.pending()
        body = self.bend("no_message_id", 0)
        for _number in range(3):
            self.assertEqual(self.push(body).status_code, 200)
        self.assertEqual((operation.state, len(self.inbox())), ("approved", 1))

    def test_out_of_order(self):
        """All messages of a day, the last one first, after the till knows: nothing changes."""
        operation = self.pending()
        operation._inquire()
        for body in self.messages()[::-1]:
            self.assertEqual(self.push(body).status_code, 200)
        self.assertEqual((operation.state, operation.contradicted), ("approved", False))

    def test_forged(self):
        """Somebody who knows the address says “paid”: the session says no, and it is not paid."""
        for twist in ("forged", "wrong_amount", "wrong_terminal"):
            with self.subTest(twist=twist):
                self.viva.mailer.clear()
                operation = self.pending("declined")
                body = self.bend(twist, 0)
                with mute_logger(OPERATION):
                    self.assertEqual(self.push(body).status_code, 200)
                self.assertNotIn(operation.state, ("approved", "pending"))
                self.assertFalse(operation.approved_amount)
        self.assertFalse(self.viva.charges)

    def test_still_going_on(self):
        """A message that comes too early is answered at once, with one read: nobody waits for the end."""
        operation = self.pending("wait")
        body = self.webhook(operation)
        self.assertEqual(self.push(body).status_code, 200)
        self.assertEqual((operation.state, self.viva.count_requests("session")), ("pending", 1))

    def webhook(self, operation=None, type_id=PAID, **data):
        """Return an envelope as Viva.com writes it."""
        told = {
            "MerchantTrns": f"{operation.viva_session}/7" if operation else "Order 17",
            "TransactionId": str(uuid.uuid4()),
            "TerminalId": int(TERMINALS[0]),
            "Amount": 12.34,
            "CurrencyCode": "978",
            "StatusId": "F",
            **data,
        }
        return {"EventTypeId": type_id, "MessageId": str(uuid.uuid4()), "EventData": told}

    # -- what is not

    def test_foreign_payments(self):
        """Web shop, typed on the terminal, another till's form: 200, nothing stored, nothing asked."""
        operation = self.pending("wait")
        references = (
            "Order 17",
            "",
            None,
            "a/b/c",
            "S1/S2/S3",
            str(uuid.uuid4()),
            f"{uuid.uuid4()}/7",
            17,
            [],
        )
        for reference in references:
            with self.subTest(reference=reference):
                self.assertEqual(self.push(self.webhook(MerchantTrns=reference)).status_code, 200)
        body = self.webhook()
        del body["EventData"]["MerchantTrns"]
        self.assertEqual(self.push(body).status_code, 200)
        self.assertEqual((len(self.inbox()), self.viva.count_requests("session")), (0, 0))
        self.assertEqual(operation.state, "pending")

    def test_unknown_terminal(self):
        """A terminal that nobody set up: 200; the operation is found by its session, not by the terminal."""
        self.assertEqual(self.push(self.webhook(TerminalId=99999999)).status_code, 200)
        operation = self.pending()
        self.push(self.bend("wrong_terminal", 0))
        self.assertEqual(operation.state, "approved")

    def test_strange_messages(self):
        """Whatever stands in it: no 500, no change of a payment that is going on."""
        for twist in sorted(TWISTS):
            with self.subTest(twist=twist):
                self.viva.mailer.clear()
                operation = self.pending("timeout")
                self.viva.advance(seconds=61)
                message = self.viva.mailer.messages[0]
                TWISTS[twist](message)
                body = message.body(0, 3600)
                with mute_logger(OPERATION):
                    status = self.push(body).status_code
                self.assertEqual(status, 413 if len(body) > MAX_BYTES else 200)
                self.assertIn(operation.state, ("pending", "failed"))
                operation._inquire()
                self.assertEqual(operation.state, "failed")
        for payload in (
            b"",
            b"null",
            b"0",
            b'"x"',
            b"{}",
            b'{"EventTypeId": 1796}',
            b"\xff\xfe",
            b"[" * 5000,
        ):
            with self.subTest(payload=payload[:10]):
                self.assertEqual(self.push(payload).status_code, 200)
        self.assertLess(len(self.inbox()), len(TWISTS))

    def test_huge_body(self):
        """What is longer than any honest message is not even read."""
        operation = self.pending()
        body = json.dumps({**json.loads(self.messages(PAID)[0]), "Filling": "x" * MAX_BYTES})
        self.assertEqual(self.push(body).status_code, 413)
        self.assertEqual((operation.state, len(self.inbox())), ("pending", 0))

    def test_form_instead_of_json(self):
        """A form is no message, and no error."""
        response = self.url_open(self.address(), data={"EventTypeId": "1796"})
        self.assertEqual((response.status_code, len(self.inbox())), (200, 0))

    def test_wrong_address(self):
        """Without the secret part nothing is read, stored or asked."""
        operation = self.pending()
        [body] = self.messages(PAID)
        good = self.address()
        token = re.search("token=([^&]+)", good)[1]
        other = self.env["res.company"].create({"name": "Next door"})
        bad = (
            good.replace(token, "wrong"),
            good.replace(token, ""),
            good.replace(token, token[:-1]),
            good.replace(token, token + "%00"),
            good.replace(token, "%ff%fe"),
            good.replace(token, WEBHOOK_KEY),
            good.replace(f"company_id={self.company.id}", f"company_id={other.id}"),
            good.replace(f"company_id={self.company.id}", "company_id=" + "9" * 40),
            good.replace(f"company_id={self.company.id}", "company_id=abc"),
            good.replace(f"company_id={self.company.id}", "company_id=%C2%B2"),
            good.split("?")[0],
        )
        for address in bad:
            with self.subTest(address=address):
                self.assertEqual(self.push(body, address).status_code, 403)
                self.assertEqual(self.url_open(address).status_code, 403)
        self.assertEqual((operation.state, len(self.inbox())), ("pending", 0))

    def test_methods_without_token(self):
        """A method that has no token yet opens nothing, and closes nothing for the others."""
        self.env.cr.execute(
            "UPDATE pos_payment_method SET viva_wallet_webhook_token = NULL WHERE id = %s", [self.other_vw.id]
        )
        self.env.invalidate_all()
        operation = self.pending()
        self.push_all(PAID)
        self.assertEqual(operation.state, "approved")
        self.assertFalse(self.env["pos.payment.method"]._viva_of_address(str(self.company.id), ""))

    def test_any_address_of_the_company(self):
        """A merchant registers one address: it serves all terminals of the company, archived ones too."""
        operation = self.pending()
        address = self.address(self.other_vw)
        self.env.cr.execute("UPDATE pos_payment_method SET active = false WHERE id = %s", [self.other_vw.id])
        self.env.invalidate_all()
        self.push_all(PAID, address=address)
        self.assertEqual(operation.state, "approved")

    def test_companies_are_separate(self):
        """A message at another company's address leads to nothing here, with the same merchant too."""
        other = self.env["res.company"].create({"name": "Next door"})
        values = {**self.viva_values(), "company_id": other.id, "name": "Viva next door", "journal_id": False}
        theirs = self.env["pos.payment.method"].with_company(other).create(values)
        operation = self.pending()
        self.push_all(PAID, address=self.address(theirs))
        self.assertEqual((operation.state, len(self.inbox())), ("pending", 0))

    # -- how it is received

    def test_not_done_is_not_marked(self):
        """B1: Viva.com hangs, and only this message knows that it was paid: it is tried until it is heard."""
        self.viva.script("declined", flip=60, flip_as="second")
        operation = self.pay()
        self.viva.advance(seconds=61)
        self.viva.fault("session", "close_before", times=None)
        with self.quiet():
            self.push_all(PAID)
        [message] = self.inbox()
        self.assertEqual((operation.contradicted, message.state), (False, "failed"))
        self.assertTrue(message.next_attempt_at)
        self.viva.clear_faults()
        message.next_attempt_at = "2000-01-01"
        with mute_logger(OPERATION):
            self.env["servipay.notification"]._cron_apply()
        self.assertEqual((operation.contradicted, message.state), (True, "processed"))

    def test_killed_while_viva_is_asked(self):
        """What a process was asking when it died is asked again by the job, though it did not fail."""
        operation = self.pending()
        # no assertRaises: it would roll back what was committed
        with patch.object(Turn, "ask", side_effect=SystemExit), contextlib.suppress(SystemExit):
            self.hand_in(self.messages(PAID)[0])
        [message] = self.inbox()
        self.assertEqual((operation.state, message.state), ("pending", "received"))
        self.assertTrue(message.next_attempt_at)
        message.next_attempt_at = "2000-01-01"
        self.env["servipay.notification"]._cron_apply()
        self.assertEqual((operation.state, message.state), ("approved", "processed"))

    def test_acknowledged_before_it_is_applied(self):
        """What cannot be applied now is kept and applied by the job: Viva.com need not come back."""
        operation = self.pending()
        broken = patch.object(
            type(self.env["servipay.operation"]), "_viva_of_event", side_effect=[operation, RuntimeError("x")]
        )
        with broken, mute_logger(INBOX):
            self.push_all(PAID)
        [message] = self.inbox()
        self.assertEqual((operation.state, message.state), ("pending", "failed"))
        message.next_attempt_at = "2000-01-01"
        self.env["servipay.notification"]._cron_apply()
        self.assertEqual((operation.state, message.state), ("approved", "processed"))

    def test_replay(self):
        """Applied again by hand: no second effect."""
        operation = self.pending()
        self.push_all(PAID)
        self.inbox().action_replay()
        self.assertEqual(
            (operation.state, operation.contradicted, self.viva.count_charges()), ("approved", False, 1)
        )

    def test_methods_are_not_written(self):
        """Many webhooks write the payment method once an hour at most, and wait for nobody's lock."""
        self.assertFalse(self.vw.viva_wallet_webhook_seen_at)
        self.push(self.webhook())
        seen = self.vw.viva_wallet_webhook_seen_at
        self.assertTrue(seen)
        self.env.cr.execute("SELECT xmin FROM pos_payment_method WHERE id = %s", [self.vw.id])
        before = self.env.cr.fetchone()
        executed = []
        cursor = type(self.env.cr)
        with patch.object(
            cursor,
            "execute",
            autospec=True,
            side_effect=lambda cr, query, *args, original=cursor.execute, **kw: (
                executed.append(str(query)),
                original(cr, query, *args, **kw),
            )[1],
        ):
            self.hand_in(json.dumps(self.webhook()).encode())
        self.assertFalse([one for one in executed if one.startswith("UPDATE pos_payment_method")])
        self.env.cr.execute("SELECT xmin FROM pos_payment_method WHERE id = %s", [self.vw.id])
        self.assertEqual(self.env.cr.fetchone(), before)

    def test_nothing_secret_is_stored(self):
        """The address' secret part is not in the inbox."""
        self.pending()
        self.push_all(PAID)
        token = self.vw.sudo().viva_wallet_webhook_token
        self.assertNotIn(token, str(self.inbox().read()))

    def test_nothing_personal_is_stored(self):
        """What is kept is what was read of the message; it can be applied again all the same."""
        operation = self.pending()
        [body] = self.messages(PAID)
        personal = {
            "Email": "anna@example.com",
            "Phone": "+3221234567",
            "FullName": "Anna Customer",
            "CardToken": "B5A1F8E0C7",
            "CardNumber": "4111111111111111",
            "CustomerTrns": "for Anna",
            "Cvv": "cvv-987",
        }
        envelope = json.loads(body)
        envelope["EventData"].update(personal)
        self.push(envelope)
        [message] = self.inbox()
        stored = str(message.read())
        for value in personal.values():
            self.assertNotIn(value, stored)
        self.assertEqual((operation.state, message.state), ("approved", "processed"))
        message.action_replay()
        self.assertEqual((operation.state, message.state), ("approved", "processed"))

    def test_what_was_stored_before_is_reduced(self):
        """The migration rewrites old messages; what cannot be read is emptied."""
        operation = self.pending()
        [body] = self.messages(PAID)
        envelope = json.loads(body)
        envelope["EventData"]["Email"] = "anna@example.com"
        inbox = self.env["servipay.notification"].sudo()
        common = {"company_id": self.company.id}
        old = inbox.browse(inbox._receive("viva", "old", True, raw_body=json.dumps(envelope), **common))
        junk = inbox.browse(inbox._receive("viva", "junk", True, raw_body="Anna", **common))
        path = f"{get_module_path('pos_viva_wallet')}/migrations/3.1.0/post-reduce-messages.py"
        spec = importlib.util.spec_from_file_location("reduce_messages", path)
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        for _again in range(2):
            self.env.flush_all()
            script.migrate(self.env.cr, "19.0.3.0.0")
            self.env.invalidate_all()
            self.assertNotIn("anna", old.raw_body)
            self.assertFalse(junk.raw_body)
        old._apply_once()
        self.assertEqual((operation.state, old.state), ("approved", "processed"))

    def test_the_address_in_a_message_is_not_stored(self):
        """Viva.com's envelope repeats the address that it calls."""
        self.pending()
        [body] = self.messages(PAID)
        envelope = {**json.loads(body), "Url": self.vw.sudo().viva_wallet_webhook_endpoint}
        self.assertEqual(self.push(json.dumps(envelope).encode()).status_code, 200)
        [message] = self.inbox()
        self.assertEqual(message.state, "processed")
        self.assertNotIn(self.vw.sudo().viva_wallet_webhook_token, message.raw_body)

    # -- whose address it is

    def test_verification(self):
        """GET: the key that Viva.com gave this merchant, fetched once."""
        for _number in range(2):
            response = self.url_open(self.address())
            self.assertEqual((response.status_code, response.json()), (200, {"Key": WEBHOOK_KEY}))
        self.assertEqual(self.viva.count_requests("key"), 1)
        self.assertNotIn(WEBHOOK_KEY, self.address())

    def test_verification_without_credentials(self):
        """No key, no proof: 503, and no traceback, whatever is wrong with the merchant's pair."""
        for values in ({"viva_wallet_merchant_id": False}, {"viva_wallet_merchant_id": "wrong"}):
            self.vw.write(values)
            self.assertEqual(self.url_open(self.address()).status_code, 503)
        self.vw.viva_wallet_merchant_id = MERCHANT_ID
        for fault in ("http_500", "html_200", "empty_200", "close_before"):
            self.viva.clear_faults()
            self.viva.fault("key", fault)
            with self.quiet():
                self.assertEqual(self.url_open(self.address()).status_code, 503)

    def test_old_address(self):
        """The address that Odoo's own addon gave: its token was the key. It proves itself and works."""
        self.vw.sudo().viva_wallet_webhook_legacy_token = WEBHOOK_KEY
        address = f"/pos_viva_wallet/notification?company_id={self.company.id}&token={WEBHOOK_KEY}"
        self.assertEqual(self.url_open(address).json(), {"Key": WEBHOOK_KEY})
        operation = self.pending()
        self.push_all(PAID, address=address)
        self.assertEqual(operation.state, "approved")

    def test_key_of_another_merchant(self):
        """New merchant, API key or environment: the key is fetched anew, the address stays."""
        address = self.address()
        for change in (
            {"viva_wallet_merchant_id": MERCHANT_ID},
            {"viva_wallet_api_key": self.viva.account.api_key},
            {"viva_wallet_test_mode": True},
        ):
            self.vw.sudo().viva_wallet_webhook_verification_key = "an-old-merchants-key"
            self.vw.write(change)
            self.assertEqual(self.url_open(address).json(), {"Key": WEBHOOK_KEY}, change)
