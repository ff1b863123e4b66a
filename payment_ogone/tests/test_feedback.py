"""What the platform says, and what pretends to be it."""

from unittest.mock import patch

from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.models import servipay_notification

from ..ogone import words
from ..ogone.feedback import Feedback
from .common import OgoneCase

LEARN = "odoo.addons.payment_ogone.models.payment_transaction.PaymentTransaction._ogone_learn"
INBOX = "odoo.addons.paypercloud_servipay.models.message_turn"


@tagged("post_install", "-at_install", "payment_ogone")
class TestFeedback(OgoneCase):
    def setUp(self):
        super().setUp()
        servipay_notification._unverified_at.clear()
        servipay_notification._forged_at.clear()
        self.bill = self.invoice()
        self.tx = self.transaction(self.bill)

    def untouched(self):
        """Assert that nothing happened."""
        self.assertEqual((self.tx.state, self.operation(self.tx).state), ("draft", "pending"))
        self.assertEqual(self.bill.amount_residual, 120)

    def test_stored_acknowledged_applied(self):
        self.attempt(self.tx)
        message = self.inbox()
        self.assertEqual((message.state, message.verified, message.event), ("processed", True, "9"))
        self.assertEqual((message.method, message.company_id), ("POST", self.company))
        self.assertEqual(message.operation_id, self.operation(self.tx))

    def test_answer_is_empty_text(self):
        """A redirection or a page would be shown to the customer instead of ours."""
        self.simulator.attempt(self.visit(self.tx), "ok")
        response = self.tell()
        self.assertEqual((response.status_code, response.text), (200, ""))
        self.assertTrue(response.headers["Content-Type"].startswith("text/plain"))

    def test_twice_by_both_ways_is_once(self):
        self.attempt(self.tx)
        query = self.simulator.notifications[-1]["query"]
        self.get(query)
        self.get(query, "/payment/ogone/accept")
        self.assertEqual((len(self.inbox()), self.inbox().copies), (1, 3))
        self.assertEqual(
            self.env["account.payment"].search_count([("payment_transaction_id", "=", self.tx.id)]), 1
        )

    def test_forged_messages_change_nothing(self):
        for sign in ("wrong", "altered", "none", "stranger", "swapped"):
            self.simulator.reset()
            self.simulator.set(deliver=False, sign=sign)
            self.simulator.attempt(self.visit(self.tx), "ok")
            self.assertEqual(self.tell().status_code, 403, sign)
            page = self.get(self.simulator.notifications[-1]["query"])
            self.assertEqual(page.status_code, 403, sign)
            self.assertIn("Please do not pay a second time", page.text)
            self.untouched()
        self.assertEqual(self.alerts().mapped("kind"), ["bad_signature"])
        self.assertFalse(self.inbox().filtered("verified"))

    def test_without_passphrase_nothing_is_believed(self):
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.env.cr.execute(
            "UPDATE payment_provider SET ogone_shakey_out_sealed = NULL WHERE id = %s", [self.provider.id]
        )
        self.env.invalidate_all()
        self.assertEqual(self.tell().status_code, 403)
        self.untouched()

    def test_parameters_that_are_not_signed(self):
        self.simulator.set(extra={"STATUSX": "9", "MYFIELD": "1"})
        self.attempt(self.tx, "51")
        self.assertEqual(self.operation(self.tx).state, "pending")
        self.assertEqual(self.tx.state, "pending")

    def test_name_twice(self):
        self.simulator.attempt(self.visit(self.tx), "ok")
        query = self.simulator.notifications[-1]["query"]
        self.assertEqual(self.post(f"{query}&status=9").status_code, 403)
        self.untouched()

    def test_letter_cases_and_latin1(self):
        for settings in ({"names": "odd"}, {"names": "upper", "place": "first"}, {"charset": "latin-1"}):
            self.simulator.reset()
            self.simulator.set(deliver=False, **settings)
            tx = self.transaction(self.invoice())
            self.attempt(tx)
            self.assertEqual(tx.state, "done", settings)

    def test_minimal_fields(self):
        """Some accounts report neither amount nor card."""
        self.simulator.configure(fields="minimal")
        self.attempt(self.tx)
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("done", 0))

    def test_wrong_amount_and_currency(self):
        for override in ({"AMOUNT": "1.00"}, {"CURRENCY": "GBP"}):
            self.simulator.reset()
            self.simulator.set(deliver=False, override=override)
            bill = self.invoice()
            tx = self.transaction(bill)
            with mute_logger("odoo.addons.payment.models.payment_transaction"):
                operation = self.attempt(tx)
            self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"), override)
            self.assertEqual((tx.state, bill.amount_residual), ("pending", 120), override)
            operation._inquire()
            self.assertEqual(operation.state, "unknown")
        self.assertEqual(set(self.alerts().mapped("kind")), {"mismatch"})

    def test_unknown_order_is_told_once(self):
        self.simulator.set(override={"ORDERID": "INV/DELETED/1"})
        self.form(self.tx)
        for _copy in range(2):
            self.simulator.attempt(self.visit(self.tx), "ok") if not self.simulator.notifications else None
            self.assertEqual(self.tell().status_code, 200)
        self.untouched()
        self.assertEqual(
            (self.alerts().kind, self.alerts().reference), ("unknown_reference", "INV/DELETED/1")
        )

    def test_statuses_of_a_payment(self):
        """(choice, operation, transaction): nothing is done by accident, and doubt stays doubt."""
        cases = (
            *(("51", "pending", "pending"), ("52", "unknown", "pending"), ("92", "unknown", "pending")),
            *(("91", "pending", "pending"), ("41", "pending", "pending"), ("cancel", "cancelled", "cancel")),
        )
        for choice, state, tx_state in cases:
            self.simulator.reset()
            self.simulator.set(deliver=False)
            tx = self.transaction(self.invoice())
            operation = self.attempt(tx, choice)
            self.assertEqual((operation.state, tx.state), (state, tx_state), choice)

    def test_authorised_only_is_not_paid(self):
        """Core called it paid: 5 takes no money."""
        self.simulator.set(override={"STATUS": "5"})
        self.attempt(self.tx)
        self.assertEqual((self.operation(self.tx).state, self.tx.state), ("pending", "pending"))
        self.assertEqual(self.bill.amount_residual, 120)

    def test_processing_then_paid(self):
        operation = self.attempt(self.tx, "91")
        self.assertEqual(operation.state, "pending")
        self.simulator.settle(self.tx.reference, status="9")
        self.assertEqual(self.tell().status_code, 200)
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))

    def test_success_is_never_downgraded(self):
        operation = self.attempt(self.tx)
        for override in (
            {"STATUS": "2"},
            {"STATUS": "1"},
            {"STATUS": "93"},
            {"STATUS": "51"},
            {"STATUS": "0"},
        ):
            self.simulator.set(override=override)
            self.simulator.notify(self.tx.reference)
            self.tell()
            self.assertEqual((operation.state, self.tx.state), ("approved", "done"), override)
        self.assertEqual(self.bill.amount_residual, 0)

    def test_what_fails_is_applied_later_once(self):
        self.simulator.attempt(self.visit(self.tx), "ok")
        with patch(LEARN, side_effect=RuntimeError("broken")), mute_logger(INBOX):
            self.assertEqual(self.tell().status_code, 200)
        message = self.inbox()
        self.assertEqual((message.state, self.tx.state), ("failed", "draft"))
        message.next_attempt_at = "2020-01-01"
        self.env.flush_all()
        self.env["servipay.notification"]._cron_apply()
        self.assertEqual((message.state, self.tx.state, self.bill.amount_residual), ("processed", "done", 0))

    def test_refused_message_is_verified_again(self):
        right = self.provider._servipay_secret("ogone_shakey_out")
        self.provider.ogone_shakey_out = "Another-passphrase-1"
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.assertEqual(self.tell().status_code, 403)
        self.provider.ogone_shakey_out = right
        message = self.inbox()
        self.env.flush_all()
        message.action_replay()
        self.assertEqual((message.verified, message.state, message.error), (True, "processed", False))
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("done", 0))

    def test_refused_message_says_why(self):
        manager = new_test_user(self.env, "why", groups="paypercloud_servipay.group_manager", email="w@x.com")
        for sign, word in (("swapped", "exchanged"), ("none", "no signature"), ("stranger", "SHA-OUT")):
            self.simulator.set(sign=sign)
            self.attempt_unheard()
            self.assertIn(word, self.inbox()[:1].with_user(manager).refusal, sign)

    def attempt_unheard(self):
        """Let the customer pay, and the platform report it in a way that is refused."""
        self.simulator.attempt(self.visit(self.transaction(self.bill)), "ok")
        self.assertEqual(self.tell().status_code, 403)

    def test_oversized(self):
        self.assertEqual(self.post("a" * 20000).status_code, 403)
        self.assertEqual(self.get("orderID=%FF&SHASIGN=%00").status_code, 403)

    def test_every_word_of_the_room_is_translatable(self):
        self.assertEqual(self.env["servipay.operation"]._ogone_sentences(), dict(words.SENTENCES))

    def test_message_holds_no_card_number(self):
        self.attempt(self.tx)
        texts = str(self.inbox().read()) + str(self.operation(self.tx).read())
        self.assertNotIn("4111111111111111", texts)
        self.assertTrue(Feedback().key)

    def test_message_signed_by_another_account_pays_nothing(self):
        """It came before its order was known here, and is applied again once it is."""
        self.simulator.attempt(self.visit(self.tx), "ok")
        reference, self.tx.reference = self.tx.reference, "not yet"
        self.assertEqual(self.tell().status_code, 200)
        self.tx.reference = reference
        self.provider.ogone_shakey_out = "Another-passphrase-1"  # who signed is somebody else now
        self.env.flush_all()
        with mute_logger(INBOX):
            self.inbox().action_replay()
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("draft", 120))
