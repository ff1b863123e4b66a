import socket
import time
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay_pos.tests.common import TillCase

from ..caisse_ap.card import is_cheque_line
from ..caisse_ap.frame import encode
from ..models.link import Link
from . import simulator
from .simulator import Simulator

MODELS = "odoo.addons.pos_caisse_ap_ip.models"
HEAD = [("CZ", "0300"), ("CJ", "012345678901"), ("CA", "01")]


@tagged("post_install", "-at_install")
class TestCaisseAp(TillCase):
    """The whole way from the till's call to the terminal's books, over a real socket."""

    @classmethod
    def setUpClass(cls):
        cls.terminals = Simulator(terminals=2).start()
        cls.addClassCleanup(cls.terminals.stop)
        super().setUpClass()

    @classmethod
    def make_config(cls, name, methods):
        cls.ap = cls.make_caisse_ap(f"Caisse-AP {name}")
        return super().make_config(name, methods + cls.ap)

    @classmethod
    def make_caisse_ap(cls, name, terminal=0, **values):
        """Return a method that drives one of the simulator's terminals."""
        return cls.make_method(
            name,
            use_payment_terminal="caisse_ap_ip",
            caisse_ap_host="127.0.0.1",
            caisse_ap_port=cls.terminals.terminals[terminal].port,
            caisse_ap_allow_local=True,
            **values,
        )

    def setUp(self):
        super().setUp()
        self.terminals.reset()
        self.terminal = self.terminals.terminals[0]
        self.ap = self.config.payment_method_ids.filtered(lambda m: m.servipay_provider == "caisse_ap")
        self.terminal.default("paid", delay=0)

    def pay(self, amount=12.34, **order):
        """Return the operation of a payment, and its snapshot."""
        snapshot = self.start(amount, method=self.ap, **order)
        return self.operation(snapshot["key"]), snapshot

    def test_neutralized_copy_reaches_no_terminal(self):
        """It needs no key: a copy in the shop's network would debit real cards."""
        self.check_neutralized(self.ap, self.terminal.count_debits)
        self.assertFalse(self.ap.caisse_ap_host)

    # ------------------------------------------------------------------
    # Payments
    # ------------------------------------------------------------------

    def test_paid(self):
        """Paid once, with the facts of the answer; the frame is logged without the card's number."""
        operation, snapshot = self.pay()
        self.assertEqual((operation.state, operation.approved_amount), ("approved", 12.34), snapshot["text"])
        self.assertEqual([charge.amount for charge in self.terminal.debits], [1234])
        self.assertTrue(operation.authorization_code)
        self.assertIn("*", operation.masked_pan)
        log = operation.log_ids
        self.assertEqual((log.transport, log.outcome, log.endpoint), ("tcp", "answered", "debit"))
        self.assertIn("CB", log.request_body)

    def test_not_paid(self):
        """A refusal, the red button and a late customer are certain: nothing was taken, and it says why."""
        for script, state in (("declined", "declined"), ("red", "cancelled"), ("timeout", "failed")):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, snapshot = self.pay()
                self.assertEqual(operation.state, state)
                self.assertTrue(snapshot["text"])
        self.assertFalse(self.terminal.debits)

    def test_partial(self):
        """Less was approved than asked: approved, with the amount that was paid."""
        self.terminal.script("partial", delay=0, amount=1000)
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.approved_amount), ("approved", 10))

    def test_more_than_asked_is_no_approval(self):
        """An answer about another amount, till or currency proves nothing."""
        for script in ("other_amount", "other_till", "other_currency"):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, _snapshot = self.pay()
                self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
                operation._resolve("failed", "test")

    def test_unreachable(self):
        """A terminal that is off got nothing: a certain failure, found in seconds."""
        self.terminal.unplug()
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.reason), ("failed", "not_sent"))
        self.assertEqual(operation.log_ids.outcome, "not_sent")
        self.terminal.plug()

    def test_lost_answer_is_found_by_inquiry(self):
        """Paid, then the link is lost: unknown, and the terminal's last transaction settles it, once."""
        self.terminal.script("paid_then_lost", delay=0)
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.reason), ("unknown", "no_answer"))
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertEqual(len(self.terminal.debits), 1)

    def test_inquiry_does_not_take_a_strangers_payment(self):
        """Nothing was taken, and the terminal's last success is an older one: it stays unknown."""
        paid, _snapshot = self.pay()
        self.assertEqual(paid.state, "approved")
        self.terminal.script("close_without_answer", delay=0)
        operation, _snapshot = self.pay()
        self.assertEqual(operation.state, "unknown")
        operation._inquire()
        self.assertEqual(operation.state, "unknown")
        self.make_overdue(operation)
        operation._inquire()
        self.assertNotEqual(operation.state, "approved")

    def lose(self, script="close_without_answer", amount=2, **options):
        """Return the operation of a payment whose answer was lost; its time is over."""
        self.terminal.script(script, delay=0, **options)
        operation, _snapshot = self.pay(amount)
        self.assertEqual(operation.state, "unknown")
        self.make_overdue(operation)
        return operation

    def by_hand(self, amount, currency="978"):
        """Pay at the terminal without a till of Odoo (amount in minor units, number of the currency)."""
        with socket.create_connection(("127.0.0.1", self.terminal.port), 5) as till:
            till.sendall(encode([*HEAD, ("CB", amount), ("CD", "0"), ("CE", currency)]))
            self.assertIn(b"AE00210", till.recv(4096))

    def inquire(self, operation):
        """Ask a terminal that does not give back our reference; return (state, reason)."""
        self.terminal.script("other_private", actions="3")
        operation._inquire()
        return operation.state, operation.reason

    def test_inquiry_without_our_reference(self):
        """Ours was last, amount and currency agree, and the authorisation is new: it is ours."""
        operation = self.lose("paid_then_lost")
        self.assertEqual(self.inquire(operation)[0], "approved")

    def test_sale_typed_by_hand_is_not_taken_for_a_lost_one(self):
        """Case A13: this terminal gives back our references, and its last transaction bears none."""
        paid, _snapshot = self.pay()
        minute = timedelta(minutes=1)
        paid.write({"sent_at": paid.sent_at - minute, "settled_at": paid.settled_at - minute})
        operation = self.lose()
        self.by_hand("200", "840")
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "ap_not_attributable"))

    def test_a_terminal_that_repeats_the_question(self):
        """It told our own amount and currency of the payment before, whose number nobody here knows."""
        self.terminal.configure(echoes=True)
        self.by_hand("500")  # and refused unseen: no money of ours
        operation = self.lose("format", ending="close")
        with patch(f"{MODELS}.servipay_operation.history.ours_was_last", return_value=True):
            self.assertEqual(self.inquire(operation), ("unknown", "ap_not_attributable"))
        asked = [frame["raw"] for frame in self.terminal.frames if b"CD0013" in frame["raw"]]
        self.assertFalse([frame for frame in asked if b"CB" in frame or b"CE003" in frame])

    def test_money_of_an_earlier_open_payment(self):
        """The customer of an earlier unknown payment paid after ours was sent: it is not our money."""
        earlier = self.lose()
        operation = self.lose("paid_then_lost")  # in the books it could be either's
        self.assertEqual(self.inquire(operation), ("unknown", "ap_not_attributable"))
        earlier._resolve("failed", "test")
        self.assertEqual(self.inquire(operation), ("unknown", "ap_not_attributable"))
        self.assertEqual(self.inquire(earlier)[1], "person")

    def test_a_payment_that_begins_during_the_inquiry(self):
        """A terminal that serves it first tells of its money."""
        operation = self.lose("paid_then_lost")
        values = self.till()._servipay_values(self.ap, "k" * 32, "purchase", 2, {})
        exchange = Link.exchange

        def overtaken(link, *args, **kwargs):
            self.assertTrue(self.env["servipay.operation"]._open(values)._apart("_claim"))
            return exchange(link, *args, **kwargs)

        with patch.object(Link, "exchange", overtaken):
            self.assertEqual(self.inquire(operation), ("unknown", "ap_not_attributable"))

    def test_money_that_a_person_vouched_for(self):
        """No authorisation is known of it, so the terminal's looks new: it still is not ours."""
        earlier = self.lose("paid_then_lost")
        earlier._resolve("approved", "test")
        self.env.cr.execute(
            "UPDATE servipay_operation SET sent_at = sent_at - interval '1 h',"
            " settled_at = settled_at - interval '1 h' WHERE id = %s",
            [earlier.id],
        )
        earlier.invalidate_recordset()
        # refused unseen: the terminal still remembers the one before
        operation = self.lose("format", ending="close")
        self.assertEqual(self.inquire(operation), ("unknown", "ap_not_attributable"))

    def test_decision_is_asked_about_while_the_terminal_can_tell(self):
        """Decided “not paid” of what was paid: the terminal's last transaction says the contrary."""
        operation = self.lose("paid_then_lost")
        operation._resolve("failed", "the customer says so")
        self.assertTrue(operation.next_inquiry_at)
        with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"):
            self.inquire(operation)
        self.assertEqual((operation.state, operation.contradiction), ("failed", "approved"))
        operation._resolve("approved", "slip seen")
        self.assertEqual(operation.moved_amount, 2)

    def test_decision_is_not_asked_about_after_another_transaction(self):
        operation = self.lose()
        operation._resolve("failed", "red button")
        self.terminal.script("approved", delay=0)
        self.assertEqual(self.pay()[0].state, "approved")
        asked = len(operation.log_ids)
        operation._inquire()
        self.assertEqual((operation.state, operation.decided), ("failed", True))
        self.assertEqual(len(operation.log_ids), asked, "it would print and tell nothing")

    def test_an_inquiry_does_not_wait_for_a_customer(self):
        """It ends in seconds, however long the method gives a payment."""
        operation = self.lose()
        self.terminal.script("silence", actions="3")
        began = time.monotonic()
        with patch(f"{MODELS}.servipay_operation.INQUIRY_SECONDS", 1):
            operation._inquire()
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(operation.state, "unknown")

    def asks_after(self, operation):
        """Return the seconds between the deadline of an operation and the next inquiry about it."""
        return (operation.next_inquiry_at - operation.deadline_at).total_seconds()

    def test_no_inquiry_before_the_deadline_and_one_at_it(self):
        """The link is lost while the customer may still pay: the terminal is left alone until then."""
        self.terminal.script("close_without_answer", delay=0)
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, self.asks_after(operation)), ("unknown", 0))
        self.make_overdue(operation)
        operation._inquire()
        wait = (operation.next_inquiry_at - fields.Datetime.now()).total_seconds()
        self.assertAlmostEqual(wait, 30, delta=2)  # then with growing pauses

    def test_a_dead_process_is_asked_about_at_the_deadline(self):
        """The question of that moment is the inquiry itself, not one that only finds the time over."""
        operation = self.lose("paid_then_lost")
        self.env.cr.execute("UPDATE servipay_operation SET state = 'pending' WHERE id = %s", [operation.id])
        operation.invalidate_recordset()
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)

    def test_a_pending_payment_is_asked_about_at_its_deadline(self):
        values = self.till()._servipay_values(self.ap, "k" * 32, "purchase", 2, {})
        operation = self.env["servipay.operation"]._open(values)
        operation._apart("_claim")
        operation._apply(Finding("pending"), "send")
        self.assertEqual(self.asks_after(operation), 0)

    def test_a_terminal_that_repeats_references_is_asked_early(self):
        """What it tells can be taken for ours at any time."""
        self.terminal.script("paid_then_lost", delay=0)
        operation, _snapshot = self.pay()
        operation._inquire()
        self.assertTrue(operation.caisse_ap_echoed)
        self.terminal.script("paid_then_lost", delay=0)
        other, _snapshot = self.pay(9)
        self.assertLess(self.asks_after(other), -60)

    def test_overdue_payment_of_another_company_gives_way(self):
        """The terminal that two companies share is not blocked by what one of them left behind."""
        company = self.env["res.company"].create({"name": "Next door"})
        ours = self.ap._caisse_ap_pos_terminal()
        theirs = ours._find_or_new(company, "caisse_ap", ours.pid)._stored_id()
        values = {"kind": "purchase", "amount": 7, "currency_id": self.company.currency_id.id}
        values.update(company_id=company.id, provider="caisse_ap", terminal_id=theirs)
        holder = self.env["servipay.operation"]._open(values)
        self.assertTrue(holder._apart("_claim"))
        self.make_overdue(holder)
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, holder.state), ("approved", "unknown"))

    def test_busy_terminal_is_not_disturbed(self):
        """While a payment holds the terminal, no inquiry and no test is sent, and both say who holds it."""
        operation = self.lose()
        values = self.till()._servipay_values(self.ap, "k" * 32, "purchase", 5, {})
        holder = self.env["servipay.operation"]._open(values)
        self.assertTrue(holder._apart("_claim"))
        frames = len(self.terminal.frames)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "ap_busy"))
        self.assertIn(holder.name, operation.explanation)
        told = self.ap.action_caisse_ap_test()["params"]
        self.assertEqual(told["type"], "warning")
        self.assertIn(holder.name, told["message"])
        self.assertEqual(len(self.terminal.frames), frames)

    def test_another_companys_payment_holds_the_terminal(self):
        """A terminal that two companies share is one terminal; whose payment it is stays theirs."""
        company = self.env["res.company"].create({"name": "Next door"})
        ours = self.ap._caisse_ap_pos_terminal()
        theirs = ours._find_or_new(company, "caisse_ap", ours.pid)._stored_id()
        values = {"kind": "purchase", "amount": 7, "currency_id": self.company.currency_id.id}
        values.update(company_id=company.id, provider="caisse_ap", terminal_id=theirs)
        holder = self.env["servipay.operation"]._open(values)
        self.assertTrue(holder._apart("_claim"))
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.reason), ("failed", "terminal_held"))
        self.assertNotIn(holder.name, operation.explanation)
        self.assertFalse(self.terminal.frames)

    def test_what_the_last_transaction_differs_in(self):
        """An inquiry that finds another one says so, with what differs, not with the first answer's words."""
        operation = self.lose()
        with patch(f"{MODELS}.servipay_operation.history.ours_was_last", return_value=True):
            self.terminal.script("other_currency", actions="3")
            self.terminal.script("paid_then_lost", delay=0)
            other, _snapshot = self.pay(9)
            self.assertEqual(other.state, "unknown")
            operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "ap_other_transaction"))
        self.assertIn("2.00 / 9.00", operation.detail)
        self.assertIn("currency", operation.detail)
        self.assertIn("2.00 / 9.00", operation.explanation)
        self.env["res.lang"]._activate_lang("fr_FR")
        self.assertIn("montant: 2.00 / 9.00", operation.with_context(lang="fr_FR").explanation)

    def test_words_in_french(self):
        """What the link says is read in the reader's language too."""
        self.env["res.lang"]._activate_lang("fr_FR")
        operation = self.lose()
        self.assertEqual(operation.detail, "closed without a whole answer")
        self.assertIn("fermée sans réponse complète", operation.with_context(lang="fr_FR").explanation)

    def test_health_is_not_the_customers_time(self):
        """What the terminal's page calls its latency is how long it took to take the connection."""
        self.terminal.script("paid", delay=0.5)
        operation, _snapshot = self.pay()
        terminal = operation.terminal_id
        self.assertTrue(terminal.last_contact_at)
        self.assertLess(terminal.last_latency, 400)
        self.assertGreaterEqual(operation.log_ids.duration, 500)

    def make_overdue(self, operation):
        """Let the time of an operation pass."""
        self.env.cr.execute(
            "UPDATE servipay_operation SET deadline_at = create_date - interval '1 s' WHERE id = %s",
            [operation.id],
        )
        operation.invalidate_recordset()

    def test_garbage(self):
        """What cannot be read leaves the outcome open."""
        self.ap.caisse_ap_seconds = 10
        for script in ("garbage", "oversize"):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, _snapshot = self.pay()
                self.assertEqual(operation.state, "unknown")
                operation._resolve("failed", "test")

    def test_nothing_that_can_be_read_does_not_hold_the_till(self):
        """An answer without its status, or noise, and a line that stays open: given up, and unknown."""
        self.ap.caisse_ap_seconds = 60
        for script in ("no_status", "garbage", "odd_status"):
            with self.subTest(script=script), patch(f"{MODELS}.link.STALLED_SECONDS", 0.5):
                self.terminal.script(script, delay=0)
                began = time.monotonic()
                operation, _snapshot = self.pay()
                self.assertEqual(operation.state, "unknown")
                self.assertLess(time.monotonic() - began, 20)
                operation._resolve("failed", "test")

    def test_outcome_behind_a_receipt(self):
        """AE=11 only takes the request into account: how it ended follows on the same connection."""
        for follows, delay in (("later", 1), ("together", 0)):
            with self.subTest(follows=follows):
                self.terminal.script("accepted_11", delay=delay, follows=follows)
                operation, snapshot = self.pay()
                self.assertEqual(operation.state, "approved", snapshot["text"])
                self.assertTrue(operation.authorization_code)

    def test_receipt_without_an_outcome(self):
        """Nothing follows until the time is over: unknown, and the terminal's last transaction settles it."""
        self.ap.sudo().caisse_ap_seconds = 10
        self.terminal.script("accepted_11", delay=0, follows="never")
        exchange = Link.exchange

        def short(link, *args, **kwargs):
            return exchange(replace(link, answer_seconds=1), *args, **kwargs)

        with patch.object(Link, "exchange", short):
            operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.reason), ("unknown", "ap_accepted"))
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)

    def test_split_and_odd_answers(self):
        """Pieces, unknown tags, junk in front and line feeds in values change nothing."""
        for script in ("split", "unknown_tags", "junk", "lf_in_values", "padded"):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, snapshot = self.pay()
                self.assertEqual(operation.state, "approved", snapshot["text"])

    def test_pauses_and_resets(self):
        """AE third and a long pause behind it, or a hard end behind the answer: still all of the answer."""
        self.terminal.script("ae_third", delay=0, cuts=(40,), pause=0.6)
        operation, snapshot = self.pay()
        self.assertEqual((operation.state, operation.approved_amount), ("approved", 12.34), snapshot["text"])
        self.terminal.script("ae_third", delay=0, cuts=(40,), pause=1, actions="1")
        refund, snapshot = self.pay(-12.34, id=self.make_refund(self.make_order(operation)).id)
        self.assertEqual((refund.state, refund.approved_amount), ("approved", 12.34), snapshot["text"])

    def test_refund(self):
        """A refund is a credit of the terminal, referenced and bounded on our side."""
        operation, _snapshot = self.pay(10)
        order = self.make_refund(self.make_order(operation), amount=4)
        refund, _snapshot = self.pay(-4, id=order.id)
        self.assertEqual((refund.state, refund.original_id), ("approved", operation))
        self.assertEqual([charge.amount for charge in self.terminal.credits], [400])

    def test_check(self):
        """A check shows its line and the guarantee's answer."""
        self.ap.sudo().write({"caisse_ap_mode": "check"})
        self.terminal.script("cheque", delay=0)
        operation, _snapshot = self.pay()
        self.assertEqual(operation.state, "approved")
        facts = [("Check line (CMC7)", simulator.CHEQUE[0][1]), ("Check file (FNCI)", "0935")]
        self.assertEqual(operation._caisse_ap_pos_facts(), [*facts, ("Check guarantee", "123456")])
        self.assertEqual((operation.cheque_fnci, operation.cheque_guarantee), ("0935", "123456"))
        self.assertNotIn(operation.cheque_cmc7, operation.log_ids.response_body)
        self.assertFalse(operation.authorization_code, "a check has none")
        self.assertLess(operation.log_ids.duration, 1000, "and the cashier does not wait for one")

    def test_check_line_is_exact(self):
        """Digits of a check's line may look like a card's number; altered, the line is of no use."""
        self.ap.sudo().write({"caisse_ap_mode": "check"})
        line = "0416926 411111111111 111100000000"
        self.assertTrue(is_cheque_line(line))
        with patch.object(simulator, "CHEQUE", [("AD", line)]):
            operation, _snapshot = self.pay()
        self.assertEqual(operation.cheque_cmc7, line)
        with patch.object(simulator, "CHEQUE", [("AD", "4111111111111111")]):
            operation, _snapshot = self.pay()
        self.assertEqual(operation.cheque_cmc7, "411111******1111", "this one is a card's number")

    def test_slips(self):
        """A slip in HTML, for both, or that does not say whose it is, is kept as text."""
        self.ap.sudo().caisse_ap_receipts = True
        for ck in ("120", "121", "100"):
            with self.subTest(ck=ck):
                self.terminal.script("receipts", ck=ck, delay=0)
                operation, _snapshot = self.pay()
                self.assertIn("TICKET CLIENT", operation.customer_receipt)
                self.assertNotIn("<p>", operation.customer_receipt)
                if ck != "100":
                    self.assertIn("TICKET COMMERÇANT", operation.merchant_receipt)

    def test_currencies(self):
        """0 and 3 decimals go out and come back as the terminal counts them, whatever the books round to."""
        self.terminal.configure(currencies=("978", "953", "788"))
        for name, amount, minor in (("XPF", 1500, 1500), ("TND", 1.234, 1234)):
            currency = self.env["res.currency"].with_context(active_test=False).search([("name", "=", name)])
            currency.active = True
            with self.subTest(currency=name):
                operation = self.send(currency_id=currency.id, amount=amount)
                self.assertEqual((operation.state, operation.approved_amount), ("approved", amount))
                self.assertEqual(self.terminal.debits[-1].amount, minor)
        rounded = self.env["res.currency"].search([("name", "=", "XPF")])
        rounded.rounding = 0.01
        self.env.flush_all()  # the operation is opened in another transaction
        operation = self.send(currency_id=rounded.id, amount=1.5)
        self.assertEqual((operation.state, operation.reason), ("failed", "configuration"))
        self.assertEqual(len(self.terminal.debits), 2)

    def test_unknown_currency(self):
        """What cannot be written is a certain failure, in words."""
        currency = self.env["res.currency"].create({"name": "ZZZ", "symbol": "Z"})
        operation = self.send(currency_id=currency.id)
        self.assertEqual((operation.state, operation.reason), ("failed", "configuration"))
        self.assertFalse(self.terminal.frames)

    def send(self, **values):
        """Return an operation that was sent, with other values than a till would choose."""
        values = {**self.till()._servipay_values(self.ap, "s" * 32, "purchase", 12.34, {}), **values}
        values.pop("idempotency_key")
        operation = self.env["servipay.operation"]._open(values)
        operation._start()
        return operation

    # ------------------------------------------------------------------
    # Voids
    # ------------------------------------------------------------------

    def void(self, original, **values):
        """Return the void of a payment, as the back office and the POS layer make it."""
        return self.send(
            kind="void",
            channel="backend",
            original_id=original.id,
            amount=original.approved_amount,
            pos_session_id=False,
            **values,
        )

    def test_void(self):
        """The terminal reverses its last payment (CD=2), which is then reversed here too."""
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        void = self.void(operation)
        self.assertEqual((void.state, operation.state), ("approved", "reversed"), void.explanation)
        self.assertEqual([charge.amount for charge in self.terminal.reversals], [1234])
        self.assertEqual(set(self.terminal.books.values()), {0})

    def test_void_at_the_till_and_in_the_back_office(self):
        """Both buttons reach the terminal, where the method allows it."""
        operation, snapshot = self.pay()
        self.assertFalse(snapshot["can_void"])
        self.ap.sudo().caisse_ap_reversal = True
        self.assertTrue(operation._pos_snapshot()["can_void"])
        self.till()._servipay_void(operation.idempotency_key)
        self.assertEqual(operation.state, "reversed", operation.child_ids.explanation)
        operation, _snapshot = self.pay()
        void = operation._give_back("b" * 32, operation.approved_amount, void=True)
        self.assertEqual((void.state, operation.state), ("approved", "reversed"), void.explanation)
        self.assertEqual(len(self.terminal.reversals), 2)

    def test_asking_helps_only_where_the_terminal_knows(self):
        """A till offers to ask the terminal only where the method says that it knows its last transaction."""
        operation = self.lose()
        self.assertTrue(operation._pos_snapshot()["can_inquire"])
        self.ap.sudo().caisse_ap_duplicate = False
        self.assertFalse(operation._pos_snapshot()["can_inquire"])

    def test_void_without_a_method_of_its_own(self):
        """The original's method and till will do."""
        self.ap.sudo().caisse_ap_reversal = True
        self.config.caisse_ap_till = "07"
        operation, _snapshot = self.pay()
        void = self.void(operation, pos_payment_method_id=False, pos_config_id=False)
        self.assertEqual(void.state, "approved", void.explanation)
        self.assertEqual(self.terminal.reversals[0].till, "07")

    def test_void_refused(self):
        """AF 07: the terminal did not reverse it; the payment stands."""
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        self.terminal.script("not_completed", delay=0)
        void = self.void(operation)
        self.assertEqual((void.state, void.reason), ("failed", "ap_not_completed"))
        self.assertEqual(operation.state, "approved")
        again = self.void(operation)  # the terminal tells of that failure now, and not what was before it
        self.assertEqual(
            (again.state, again.reason, operation.state), ("failed", "ap_other_last", "approved")
        )

    def test_void_of_an_earlier_transaction(self):
        """CD=2 names no transaction: what is not the last one is refused here, before anything is sent."""
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        later, _snapshot = self.pay()
        frames = len(self.terminal.frames)
        void = self.void(operation)
        self.assertEqual((void.state, void.reason), ("failed", "configuration"))
        self.assertIn(later.name, void.explanation)
        self.assertEqual(len(self.terminal.frames), frames)
        self.assertEqual(self.void(later).state, "approved")
        self.assertEqual(operation.state, "approved")

    def test_void_while_another_outcome_is_open(self):
        """Nobody knows which one the terminal's last transaction is then."""
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        unknown = self.lose()
        void = self.void(operation)
        self.assertEqual((void.state, void.reason), ("failed", "configuration"))
        self.assertIn(unknown.name, void.explanation)

    def test_void_after_a_refused_card(self):
        """Where the terminal cannot tell, what it refused was no transaction: the payment is the last."""
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        self.terminal.script("declined", delay=0)
        self.pay()
        self.assertEqual(self.void(operation).reason, "ap_other_last")  # it tells of the refusal
        self.ap.sudo().caisse_ap_duplicate = False
        self.assertEqual(self.void(operation).state, "approved")

    def test_void_not_allowed(self):
        """A terminal that does not know CD=2 is not asked."""
        operation, _snapshot = self.pay()
        void = self.void(operation)
        self.assertEqual((void.state, void.reason), ("failed", "configuration"))
        self.assertIn("refund", void.explanation)

    def test_lost_void(self):
        """Without an answer it is unknown; the terminal's last transaction tells it from the payment."""
        self.ap.sudo().caisse_ap_reversal = True
        for script, state in (("close_without_answer", "unknown"), ("paid_then_lost", "approved")):
            with self.subTest(script=script):
                self.terminals.reset()
                operation, _snapshot = self.pay()
                self.terminal.script(script, delay=0)
                void = self.void(operation)
                self.assertEqual((void.state, operation.state), ("unknown", "approved"))
                self.make_overdue(void)
                void._inquire()
                self.assertEqual(void.state, state, void.explanation)
                if state == "unknown":
                    void._resolve("failed", "test")

    def test_void_does_not_take_back_what_was_typed_by_hand(self):
        """Case A12: the terminal reverses its last transaction, a stranger's of the same amount."""
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        self.by_hand("1234", "840")
        void = self.void(operation)
        self.assertEqual((void.state, void.reason), ("failed", "ap_other_last"), void.explanation)
        self.assertEqual((operation.state, self.terminal.reversals), ("approved", []))

    def test_void_is_not_sent_when_the_terminal_does_not_tell(self):
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        self.terminal.script("close_without_answer", delay=0, actions="3")
        void = self.void(operation)
        self.assertEqual((void.state, void.reason), ("failed", "ap_last_unknown"))
        self.assertEqual((operation.state, self.terminal.reversals), ("approved", []))

    def test_void_after_another_till_used_the_terminal(self):
        """A reversal that the terminal tells of another amount is not believed."""
        self.ap.sudo().caisse_ap_reversal = True
        operation, _snapshot = self.pay()
        self.terminal.script("other_amount", amount=1000, delay=0, actions="2")
        void = self.void(operation)
        self.assertEqual((void.state, void.reason), ("unknown", "mismatch"))
        self.assertEqual(operation.state, "approved")
        self.assertIn("12.34 / 10.00", void.detail)

    # ------------------------------------------------------------------
    # Terminal and settings
    # ------------------------------------------------------------------

    def test_test_button(self):
        """Reachable: protocol and latency; off: why not. No money either way."""
        told = self.ap.action_caisse_ap_test()["params"]
        self.assertEqual(told["type"], "success", told["message"])
        self.assertIn("0301", told["message"])
        self.terminal.unplug()
        told = self.ap.action_caisse_ap_test()["params"]
        self.assertEqual(told["type"], "danger")
        self.terminal.plug()
        self.assertFalse(self.terminal.debits)

    def test_test_button_where_the_terminal_does_not_identify_itself(self):
        """It speaks the protocol, whatever it says of the question."""
        for reason in ({"af": "09"}, {"reason": "12"}):
            self.terminal.script("paid", actions="I", **reason)
            told = self.ap.action_caisse_ap_test()["params"]
            self.assertEqual(told["type"], "success", told["message"])

    def test_addresses(self):
        """No port in the name, no local address without an administrator, digits where digits belong."""
        values = {
            "caisse_ap_host": ("", "10.0.0.1:8888", "http://tpe", "a b", "-x"),
            "caisse_ap_port": (0, 70000),
            "caisse_ap_version": ("3.0", ""),
            "caisse_ap_identifier": ("123",),
            "caisse_ap_seconds": (0, 3600),
        }
        method = self.make_caisse_ap("Later", 1)
        for name, wrong in values.items():
            for value in wrong:
                with self.subTest(name=name, value=value), self.assertRaises(ValidationError):
                    method.write({name: value})
        for host in ("127.0.0.1", "localhost", "169.254.1.1", "::1"):
            with self.subTest(host=host), self.assertRaises(ValidationError):
                method.write({"caisse_ap_allow_local": False, "caisse_ap_host": host})
        for host in ("10.0.0.1", "tpe.shop.local", "fd00::5"):
            method.write({"caisse_ap_allow_local": False, "caisse_ap_host": host})
        for host in ("10.1", "0x0a.1", "1234", "010.0.0.1"):
            with self.subTest(host=host), self.assertRaises(ValidationError):
                method.write({"caisse_ap_host": host})

    def test_one_spelling_of_an_address(self):
        """Two spellings are one terminal: what holds it must hold it for both."""
        spellings = {
            "TPE.Shop.Local.": "tpe.shop.local",
            " tpe.shop.local ": "tpe.shop.local",
            "FD00:0:0::5": "fd00::5",
            "::ffff:10.0.0.9": "10.0.0.9",
        }
        for written, kept in spellings.items():
            with self.subTest(written=written):
                method = self.make_caisse_ap(f"M {written}", 1)
                method.caisse_ap_host = written
                self.assertEqual(method.caisse_ap_host, kept)
        first, second = (self.make_caisse_ap(f"T {n}", 1) for n in (1, 2))
        first.caisse_ap_host = "tpe-2.shop.local"
        # as a row that was written before addresses were kept in one spelling
        self.env.cr.execute(
            "UPDATE pos_payment_method SET caisse_ap_host = 'TPE-2.shop.local.' WHERE id = %s", [second.id]
        )
        second.invalidate_recordset()
        number = first._caisse_ap_pos_terminal()._stored_id()
        terminal = second._caisse_ap_pos_terminal()
        self.assertEqual((terminal.id, first._caisse_ap_pos_terminal()), (number, terminal))
        first.caisse_ap_port = 1
        self.assertEqual(terminal._caisse_ap_method(), second)

    def test_a_terminal_that_no_method_drives(self):
        """The test says what is missing."""
        for pid in ("10.9.9.9:8888", "10.9.9.9", ":", "10.9.9.9:x"):
            terminal = self.env["servipay.terminal"].create(
                {"name": pid, "pid": pid, "provider": "caisse_ap", "company_id": self.company.id}
            )
            with self.subTest(pid=pid), self.assertRaises(UserError):
                terminal.action_test()
