from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..viva import words
from .common import VivaCase
from .simulator import TERMINALS


@tagged("post_install", "-at_install")
class TestPayments(VivaCase):
    """From the till's call to Viva.com's books."""

    def test_paid_by_poll(self):
        """Without any webhook: paid once, with the facts of the session."""
        operation = self.pay(ask=False)
        self.assertEqual(operation.state, "pending", operation.explanation)
        operation._inquire()
        self.assertEqual(
            (operation.state, operation.approved_amount), ("approved", 12.34), operation.explanation
        )
        self.assertEqual(self.viva.count_charges(operation.viva_session), 1)
        self.assertEqual(self.viva.taken(operation.viva_session), 1234)
        session = self.viva.sessions[operation.viva_session]
        self.assertEqual(operation.external_ref, session.transaction.id)
        self.assertEqual(operation.authorization_code, session.transaction.authorization)
        self.assertTrue(operation.masked_pan and operation.card_brand and operation.rrn)
        line = self.till()._servipay_state([operation.idempotency_key])[0]["line"]
        self.assertEqual(line["transaction_id"], session.transaction.id)

    def test_what_is_asked(self):
        """Whole minor units, the server's terminal and register, a new session; no name of a person."""
        self.pay(19.99)
        [asked] = self.asked("sale")
        self.assertEqual((asked["amount"], type(asked["amount"])), (1999, int))
        self.assertEqual(asked["terminalId"], TERMINALS[0])
        number = self.company.currency_id.name == "USD" and "840"
        self.assertEqual(asked["currencyCode"], number or asked["currencyCode"])
        self.assertEqual(asked["cashRegisterId"], f"odoo-{self.config.id}-{self.vw.id}")
        self.assertNotIn(self.cashier.name, str(asked))
        self.assertEqual(asked["merchantReference"], f"{asked['sessionId']}/{self.session.id}")
        self.assertEqual(self.asked("sale")[0]["tipAmount"], 0)

    def test_odd_amounts(self):
        """No float reaches Viva.com, whatever its amount times 100 is."""
        for amount, minor in ((5.1, 510), (0.57, 57), (1.15, 115), (4.35, 435), (10.12, 1012)):
            operation = self.pay(amount)
            self.assertEqual(operation.state, "approved", operation.explanation)
            self.assertEqual(self.viva.taken(operation.viva_session), minor)

    def test_stored_before_it_is_asked(self):
        """Whatever becomes of till and server: the session's id is known before the request leaves."""
        seen, operations = [], self.env["servipay.operation"]
        self.while_sending(
            lambda: seen.extend(operations.search([("state", "=", "sent")]).mapped("viva_session"))
        )
        operation = self.pay()
        self.assertEqual(seen, [operation.viva_session])

    def test_not_paid_in_words(self):
        """A refusal is certain, and it says why."""
        cases = (
            ("declined", {"code": "51"}, "declined", "funds"),
            ("declined_card", {}, "declined", "refused the payment"),
            ("declined_terminal", {}, "declined", "terminal refused"),
            ("cancelled", {}, "cancelled", "cancelled at the terminal"),
            ("error", {"event": 1099}, "failed", "without a reason"),
            ("disconnected", {"event": 3000}, "failed", "not connected"),
        )
        for outcome, options, state, text in cases:
            with self.subTest(outcome=outcome):
                self.viva.script(outcome, **options)
                operation = self.pay()
                self.assertEqual(operation.state, state, operation.explanation)
                snapshot = self.till()._servipay_state([operation.idempotency_key])[0]
                self.assertIn(text, snapshot["text"])
                self.assertIn("No money was moved", snapshot["text"])
                self.assertNotIn("correlation", snapshot["text"])
        self.assertFalse(self.viva.charges)

    def test_timeout(self):
        """Nobody presented a card within Viva.com's minute."""
        self.viva.script("timeout")
        operation = self.pay()
        self.assertEqual(operation.state, "pending")
        self.viva.advance(seconds=61)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("failed", "vv_card_timeout"))

    def test_network_of_the_terminal(self):
        """A card may have been read: unknown, never failed."""
        self.viva.script("network", charged=True)
        operation = self.pay()
        self.assertEqual((operation.state, operation.reason), ("unknown", "vv_network"))

    def test_terminal_busy_elsewhere(self):
        """1100 of a session: another system holds the terminal, this payment did not start."""
        self.viva.script("wait")
        first = self.pay()
        self.env.cr.execute(
            "UPDATE servipay_operation SET state = 'unknown' WHERE id = %s", [first.id]
        )  # a till that forgot it
        first.invalidate_recordset()
        second = self.pay(5)
        self.assertEqual((second.state, second.reason), ("failed", "vv_terminal_busy"))
        self.assertIn("did not start", second.explanation)
        self.viva.present(TERMINALS[0])
        first._inquire()
        self.assertEqual(first.state, "approved")

    def test_one_payment_at_a_time(self):
        """A second till on the same terminal is told who holds it; nothing is sent."""
        self.viva.script("wait")
        self.pay()
        second = self.pay(5)
        self.assertEqual((second.state, second.reason), ("failed", "terminal_held"))
        self.assertEqual(self.viva.count_requests("sale"), 1)

    def test_two_tills_at_once(self):
        """Each till's payment ends with its own card, whichever is first; the same for two orders."""
        self.viva.script("wait", times=2)
        first = self.pay(10, uid="order-1")
        second = self.pay(20, method=self.other_vw, till=self.till(session=self.other_session), uid="order-2")
        self.viva.present(TERMINALS[1])
        for operation in first + second:
            operation._inquire()
        self.assertEqual((first.state, second.state), ("pending", "approved"))
        self.viva.present(TERMINALS[0], "declined")
        first._inquire()
        self.assertEqual((first.state, second.state), ("declined", "approved"))
        self.assertEqual((second.pos_order_uid, second.approved_amount), ("order-2", 20))

    def test_tip_on_the_terminal(self):
        """A tip that the session states is paid on top: the till gets the whole amount, and the tip."""
        self.viva.script("approved", tip=150)
        operation = self.pay(10)
        self.assertEqual(
            (operation.state, operation.approved_amount, operation.tip_amount), ("approved", 11.5, 1.5)
        )
        snapshot = self.till()._servipay_state([operation.idempotency_key])[0]
        self.assertEqual(snapshot["paid"], 11.5)

    def test_something_else_than_was_asked(self):
        """Amount, currency, terminal and session of an answer are compared with what was asked."""
        other = self.pay(3, method=self.other_vw, till=self.till(session=self.other_session))
        self.assertEqual(other.state, "approved")
        for fault in ("wrong_amount", "wrong_currency", "wrong_terminal", "other_session"):
            with self.subTest(fault=fault):
                self.viva.fault("session", fault, times=1)
                operation = self.pay()
                self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
                self.assertFalse(operation.approved_amount or operation.external_ref == other.external_ref)
                operation._resolve("failed", "test")

    def test_a_success_of_another_kind(self):
        """A refund, a reservation or what nobody knows is no sale that was paid: a person looks."""
        for type_id in (79, 18, 80, 99):
            with self.subTest(type_id=type_id):
                self.viva.fault("session", "wrong_type", times=1, type_id=type_id)
                operation = self.pay()
                self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
                self.assertFalse(operation.approved_amount)
                operation._resolve("failed", "test")

    def test_less_than_was_asked(self):
        """Less is no partial approval that was agreed: unknown, a person looks."""
        self.viva.script("approved", amount=1000)
        operation = self.pay()
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        self.assertTrue(self.told(operation)[0])

    def test_answers_that_prove_nothing(self):
        """Empty, half, contradictory or typeless answers to a read never make a payment paid or failed."""
        faults = ("empty_200", "html_200", "truncated_json", "array", "duplicate_keys", "no_success")
        faults += (
            "null_success",
            "text_success",
            "contradiction",
            "garbage_body",
            "invalid_utf8",
            "deep_json",
        )
        for fault in faults:
            with self.subTest(fault=fault), self.quiet():
                self.viva.script("declined" if fault in ("duplicate_keys", "text_success") else "approved")
                self.viva.fault("session", fault, times=1)
                operation = self.pay()
                self.assertIn(operation.state, ("pending", "unknown"), operation.explanation)
                operation._inquire()
                self.assertIn(operation.state, ("approved", "declined"), operation.explanation)

    def test_unknown_reason(self):
        """A number nobody has explained is no refusal."""
        self.viva.fault("session", "unknown_event", times=1)
        operation = self.pay()
        self.assertEqual((operation.state, operation.reason), ("unknown", "vv_other_event"))
        operation._inquire()
        self.assertEqual(operation.state, "approved")

    def test_not_found_yet(self):
        """Right after its request a session may not be found: the dialogue goes on."""
        self.viva.set(saved=5)
        operation = self.pay()
        self.assertEqual((operation.state, operation.reason), ("pending", "vv_not_yet_found"))
        self.viva.advance(seconds=6)
        operation._inquire()
        self.assertEqual(operation.state, "approved")

    def test_no_card_number(self):
        """A number in clear is not stored, wherever it stands."""
        self.viva.fault("session", "full_pan")
        operation = self.pay()
        self.assertEqual(operation.state, "approved")
        self.assertFalse(operation.masked_pan)
        self.assertNotIn("4111111111111111", str(operation.log_ids.read()))

    def test_resumed(self):
        """A reloaded till, or another one that shares orders, finds the payment by its key; sent once."""
        operation = self.pay(ask=False)
        key, order = operation.idempotency_key, {"uid": "order-1", "name": "Order 1", "line_uid": "line-1"}
        again = self.till()._servipay_start(self.vw.id, key, 12.34, order)
        self.assertEqual(again["id"], operation.id)
        self.assertIn(key, [one["key"] for one in self.till()._servipay_open()])
        operation._inquire()
        self.assertEqual(self.viva.count_requests("sale"), 1)
        self.assertIn(key, [one["key"] for one in self.till()._servipay_open()])  # in no order yet

    def test_a_till_decides_about_nothing(self):
        """The browser names method, key and amount: no terminal, session, register or currency of its own."""
        forged = {"terminalId": "99999999", "sessionId": "forged-session", "cashRegisterId": "x"}
        forged.update(currencyCode="392", viva_session="forged-session", preauth=True, tipAmount=500)
        operation = self.pay(12.34, **forged)
        [asked] = self.asked("sale")
        self.assertEqual(operation.state, "approved")
        self.assertEqual((asked["terminalId"], asked["amount"]), (TERMINALS[0], 1234))
        self.assertFalse({"forged-session", "99999999", "392"} & {str(value) for value in asked.values()})
        self.assertFalse(asked["preauth"])
        with self.assertRaises(AccessError):  # a method of another till
            self.till()._servipay_start(self.other_vw.id, "k" * 32, 5, {})
        for amount in ("12", float("nan"), True, 0):
            with self.assertRaises(UserError):
                self.till()._servipay_start(self.vw.id, "k" * 32, amount, {})
        for name in ("viva_wallet_send_payment_request", "viva_wallet_send_payment_cancel"):
            self.assertFalse(hasattr(self.vw, name))

    def test_ids_are_quoted(self):
        """Whatever a register is called, it stays within its place of the address."""
        operation = self.pay(ask=False)
        operation.write({"viva_register": "a&b=c #d/../é?"})
        self.viva.script("wait")
        operation._cancel()
        [entry] = [entry for entry in self.viva.requests if entry["endpoint"] == "abort"]
        self.assertEqual(entry["query"], {"cashRegisterId": "a&b=c #d/../é?"})
        self.assertTrue(entry["path"].endswith(operation.viva_session))

    def test_exchange_is_logged_without_secrets(self):
        """Each request is in the log of the operation; no secret or token is."""
        operation = self.pay()
        logs = operation.log_ids
        self.assertEqual(set(logs.mapped("provider")), {"viva"})
        self.assertGreaterEqual(len(logs), 3)  # token, sale, session
        text = str(logs.read())
        for secret in (*self.viva.account.secrets(), *self.viva.door.tokens):
            self.assertNotIn(secret, text)

    def test_every_word_of_the_room_is_translatable(self):
        self.assertEqual(self.env["servipay.operation"]._viva_sentences(), dict(words.SENTENCES))
