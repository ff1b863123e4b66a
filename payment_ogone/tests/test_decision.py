"""What a person decides about an online payment: with an amount, for refunds too, and the books follow."""

import hashlib
from urllib.parse import quote_plus

from odoo.tests import tagged

from .simulator import SHA_OUT
from .test_directlink import DirectCase

DECISION = "odoo.addons.paypercloud_servipay.models.servipay_operation_decision"


class DecidedCase(DirectCase):
    def report(self, transaction, **values):
        """Post a message that the platform signed; returns the payment's operation."""
        values = {"orderID": transaction.reference, "currency": self.currency.name, "NCERROR": "0", **values}
        pairs = sorted(values.items(), key=lambda pair: pair[0].upper())
        text = "".join(f"{name.upper()}={value}{SHA_OUT}" for name, value in pairs)
        digest = hashlib.new("sha512", text.encode()).hexdigest().upper()
        query = "&".join(f"{name}={quote_plus(value)}" for name, value in (*pairs, ("SHASIGN", digest)))
        self.assertEqual(self.post(query).status_code, 200)
        return self.operation(transaction)

    def decide(self, operation, *decision):
        """Decide as a person, and let Odoo's job book what follows."""
        self.env.flush_all()
        operation._resolve(*decision)
        self.env.invalidate_all()
        operation._document()._servipay_post_process()
        self.env.invalidate_all()

    def payment(self, transaction):
        """Return the payment in accounting."""
        return self.env["account.payment"].search([("payment_transaction_id", "=", transaction.id)])

    def is_cancelled(self, payment):
        return payment.state in ("cancel", "canceled")


@tagged("post_install", "-at_install", "payment_ogone")
class TestDecidedPayment(DecidedCase):
    def part(self):
        """Return the operation of a payment of 120 of which 60 are reported."""
        self.form(self.tx)
        operation = self.report(self.tx, amount="60", STATUS="9", PAYID="4711")
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        self.assertEqual(operation.answered_amount, 60)
        return operation

    def test_part_is_booked_and_the_rest_stays_open(self):
        """Case D1: 120 were booked although 60 came."""
        operation = self.part()
        self.decide(operation, "approved", "it stands in the back office", 60)
        self.assertEqual((self.tx.state, self.tx.amount), ("done", 60))
        self.assertEqual(self.payment(self.tx).amount, 60)
        self.assertEqual(self.bill.amount_residual, 60)
        self.assertIn("60.00", self.chatter(self.bill))
        self.assertIn("Decided by", self.chatter(self.bill))

    def test_not_paid_after_it_was_booked_is_taken_out_of_the_books(self):
        self.attempt(self.tx)
        operation, payment = self.operation(self.tx), self.payment(self.tx)
        self.assertEqual(self.bill.amount_residual, 0)
        operation.write({"contradicted": True, "contradiction": "declined"})
        self.decide(operation, "failed", "the bank took it back")
        self.assertEqual((operation.state, self.tx.state), ("failed", "error"))
        self.assertTrue(self.is_cancelled(payment))
        self.assertEqual(self.bill.amount_residual, 120)

    def test_paid_after_it_was_called_unpaid_is_booked_once(self):
        operation = self.part()
        self.decide(operation, "failed", "nothing in the back office")
        self.assertEqual(self.tx.state, "error")
        self.provider.ogone_confirm = False  # the platform knows nothing of what is reported here
        operation = self.report(self.tx, amount="120", STATUS="9", PAYID="4711")
        self.tx._servipay_post_process()
        self.assertEqual((operation.state, operation.decided, self.tx.state), ("approved", False, "done"))
        self.assertEqual((len(self.payment(self.tx)), self.bill.amount_residual), (1, 0))

    def test_other_amount_decided_later_is_booked_anew(self):
        operation = self.part()
        self.decide(operation, "approved", "slip", 120)
        self.assertEqual(self.bill.amount_residual, 0)
        with self.assertLogs(DECISION, "WARNING"):
            self.report(self.tx, amount="60", STATUS="95", PAYID="4711", BRAND="VISA")
        self.assertTrue(operation.contradicted)
        self.decide(operation, "approved", "looked again", 60)
        self.assertEqual((self.tx.amount, self.payment(self.tx).amount), (60, 60))
        self.assertEqual((len(self.payment(self.tx)), self.bill.amount_residual), (1, 60))

    def test_message_confirms_what_was_decided(self):
        operation = self.part()
        self.decide(operation, "approved", "slip", 60)
        self.report(self.tx, amount="60", STATUS="95", PAYID="4711", BRAND="VISA")
        self.assertEqual((operation.decided, operation.contradicted), (False, False))
        self.assertEqual(operation.card_brand, "VISA")
        self.assertFalse(self.alerts("paid_twice"))
        self.assertEqual(self.bill.amount_residual, 60)

    def test_refusal_of_what_was_taken_for_paid_is_told_and_decided(self):
        """A merchant takes "being processed" (91) for paid at his own risk; then the bank refuses (93)."""
        self.provider.ogone_paid_at_91 = True
        self.simulator.set(sale="91")
        self.attempt(self.tx)
        operation = self.operation(self.tx)
        self.assertEqual((operation.state, self.bill.amount_residual), ("approved", 0))
        with self.assertLogs(DECISION, "WARNING"):
            self.report(self.tx, amount="120", STATUS="93", PAYID=operation.external_ref)
        self.assertEqual((operation.state, operation.contradicted), ("approved", True))
        self.assertEqual(self.alerts().mapped("kind"), ["contradicted"])
        self.decide(operation, "failed", "the back office says refused")
        self.assertEqual((self.tx.state, self.bill.amount_residual), ("error", 120))

    def test_refusal_of_what_was_paid_is_told(self):
        """A direct debit is paid (9), then the bank refuses it (93): silence is not what people accept."""
        self.attempt(self.tx)
        operation = self.operation(self.tx)
        self.assertEqual((operation.state, operation.raw_state), ("approved", "9"))
        with self.assertLogs(DECISION, "WARNING"):
            self.report(self.tx, amount="120", STATUS="93", PAYID=operation.external_ref)
        self.assertEqual((operation.state, operation.contradicted), ("approved", True))
        self.assertEqual(self.alerts().mapped("kind"), ["contradicted"])
        # the same again, and the page's refusal that follows, say nothing new
        self.report(self.tx, amount="120.00", STATUS="93", PAYID=operation.external_ref)
        self.report(self.tx, amount="120", STATUS="2", PAYID=operation.external_ref)
        self.assertEqual(len(self.alerts()), 1)

    def test_refusal_of_what_was_captured_is_told(self):
        self.provider.capture_manually = True
        self.simulator.configure(fields="full")
        self.attempt(self.tx)
        self.capture()
        self.settle()
        capture = self.movement()
        self.assertEqual((capture.kind, capture.state), ("capture", "approved"))
        with self.assertLogs(DECISION, "WARNING"):
            self.settle("93")
        self.assertEqual((capture.state, capture.contradicted), ("approved", True))
        self.assertEqual(self.alerts().mapped("kind"), ["contradicted"])

    def test_declined_by_the_acquirer_keeps_the_payment(self):
        """STATUS 84 of a payment: it stays approved, and people are told that its money goes back."""
        self.attempt(self.tx)
        operation = self.operation(self.tx)
        self.report(self.tx, amount="120", STATUS="84", PAYID=operation.external_ref)
        self.assertEqual(
            (operation.state, operation.contradicted, self.tx.state), ("approved", False, "done")
        )
        self.assertEqual(self.alerts().mapped("kind"), ["moved_outside"])
        self.assertIn("STATUS 84", self.alerts().detail)


@tagged("post_install", "-at_install", "payment_ogone")
class TestRejectedRefund(DecidedCase):
    def rejected(self, **values):
        """Return the refund of 60 that the bank rejects after it was booked."""
        self.attempt(self.tx)
        self.simulator.configure(fields="full")
        child = self.refund(60)
        self.simulator.settle(self.tx.reference, payidsub="1")
        self.tell()
        operation = self.operation(child, movement=True)
        self.assertEqual((operation.state, child.state, len(self.payment(child))), ("approved", "done", 1))
        payid = self.operation(self.tx).external_ref
        with self.assertLogs(DECISION, "WARNING"):
            self.report(self.tx, amount="60", STATUS="94", PAYID=payid, **values)
        return operation, child

    def test_it_is_told_everywhere_and_can_be_made_again(self):
        """Case D3: only a flag on the operation said so, and no decision was possible."""
        operation, child = self.rejected(PAYIDSUB="1")
        self.assertTrue(operation.contradicted)
        self.assertEqual(self.alerts().mapped("kind"), ["contradicted"])
        self.assertTrue(self.mails())
        self.assertIn(self.accountant, operation.activity_ids.user_id)
        self.assertIn("now reports", self.chatter(self.bill))
        payment = self.payment(child)
        self.decide(operation, "failed", "the bank rejected it")
        self.assertEqual((operation.state, child.state), ("failed", "error"))
        self.assertTrue(self.is_cancelled(payment))
        self.assertEqual(self.operation(self.tx).refundable_amount, 120)
        again = self.refund(60)
        self.assertEqual(self.operation(again, movement=True).state, "pending")

    def test_message_without_the_number_of_the_refund(self):
        operation, _child = self.rejected()
        self.assertTrue(operation.contradicted)
        self.assertFalse(self.alerts("moved_outside"))

    def test_given_back_after_all_stays_as_it_is(self):
        operation, child = self.rejected(PAYIDSUB="1")
        self.decide(operation, "approved", "the customer has it")
        self.assertEqual((operation.state, operation.contradicted, child.state), ("approved", False, "done"))
        self.assertFalse(self.is_cancelled(self.payment(child)))

    def test_payment_that_a_bank_statement_knows_is_left_and_told(self):
        operation, child = self.rejected(PAYIDSUB="1")
        payment = self.payment(child)
        line = self.env["account.bank.statement.line"].create(
            {"journal_id": payment.journal_id.id, "amount": -60, "payment_ref": "R", "date": "2026-01-20"}
        )
        _liquidity, suspense, _other = line._seek_for_lines()
        outstanding = payment._seek_for_lines()[0]
        suspense.account_id = outstanding.account_id
        (suspense + outstanding).reconcile()
        self.assertTrue(payment.reconciled_statement_line_ids)
        self.decide(operation, "failed", "the bank rejected it")
        self.assertEqual((operation.state, child.state), ("failed", "error"))
        self.assertFalse(self.is_cancelled(payment))
        self.assertEqual(sorted(self.alerts().mapped("kind")), ["contradicted", "still_booked"])
