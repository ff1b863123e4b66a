"""The base's mini backport: written on 19.0's names, and amounts checked on every series."""

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import PayboxCase

FRAMEWORK = "odoo.addons.payment.models.payment_transaction"


@tagged("post_install", "-at_install", "payment_paybox")
class TestCompatPayment(PayboxCase):
    def data(self, tx, **change):
        """Return payment data as the addon's own handler makes them."""
        from ..paybox.answer import Answer

        operation = tx._servipay_operation()
        answer = Answer(
            **{
                "reference": tx.reference,
                "error": "00000",
                "amount": operation._paybox_amount(),
                "authorisation": "XXXXXX",
                "call": "11",
                "transaction": "22",
                **change,
            }
        )
        finding = operation._paybox_finding(answer)
        return {"reference": answer.reference, "answer": answer, "operation": operation, "finding": finding}

    def opened(self):
        self.provider.paybox_confirm = False  # the framework's hooks alone
        transaction = self.transaction(self.invoice())
        self.form(transaction)
        return transaction

    def test_process_finds_checks_and_applies(self):
        transaction = self.opened()
        found = self.env["payment.transaction"]._process("paybox", self.data(transaction))
        self.assertEqual(found, transaction)
        self.assertEqual((transaction.state, transaction.provider_reference), ("done", "22"))

    @mute_logger(FRAMEWORK)
    def test_unknown_reference_is_nobody(self):
        transaction = self.opened()
        data = {**self.data(transaction), "reference": "nobody"}
        self.assertFalse(self.env["payment.transaction"]._process("paybox", data))
        self.assertEqual(transaction.state, "draft")

    def test_wrong_amount_is_no_payment(self):
        transaction = self.opened()
        transaction._process("paybox", self.data(transaction, amount=1))
        self.assertEqual(transaction.state, "error")

    def test_missing_amount_is_no_payment(self):
        transaction = self.opened()
        transaction._process("paybox", self.data(transaction, amount=None))
        self.assertEqual(transaction.state, "error")

    def test_wrong_amount_after_a_refusal_is_no_payment(self):
        """19.0 checks only until a transaction is in error: we check again."""
        transaction = self.opened()
        transaction._process("paybox", self.data(transaction, error="00151", authorisation="", amount=None))
        self.assertEqual(transaction.state, "error")
        transaction._process("paybox", self.data(transaction, amount=1))
        self.assertNotIn(transaction.state, ("done", "authorized"))
        self.assertEqual(self.operation(transaction).state, "unknown")

    def test_right_amount_after_a_refusal_or_cancel_is_one(self):
        for error, number in (("00151", "31"), ("00117", "32")):
            transaction = self.opened()
            transaction._process("paybox", self.data(transaction, error=error, authorisation="", amount=None))
            transaction._process("paybox", self.data(transaction, transaction=number))
            self.assertEqual(transaction.state, "done", error)

    def test_other_providers_are_left_alone(self):
        transaction = self.transaction(self.invoice())
        other = self.env["payment.provider"].create({"name": "Other", "code": "none", "state": "test"})
        transaction.provider_id = other
        self.assertFalse(transaction._is_servipay())
        self.assertIn("paybox", transaction._servipay_codes())
