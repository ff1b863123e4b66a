"""What a signed message reports is paid once DirectLink says so, on the side where Odoo takes payments."""

from datetime import timedelta

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.api.finding import Finding

from .common import OgoneCase

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"


@tagged("post_install", "-at_install", "payment_ogone")
class TestReport(OgoneCase):
    def setUp(self):
        super().setUp()
        self.bill = self.invoice()
        self.tx = self.transaction(self.bill)

    def on_the_other_side(self, transaction):
        """Pay on the production side, signed with the same passphrase; returns the payment's operation."""
        visit = self.simulator.open(self.form(transaction)[1], environment="prod")
        self.simulator.attempt(visit, "ok")
        self.tell()
        return self.operation(transaction)

    def ask(self, operation):
        """Let the job ask about it once more."""
        operation.next_inquiry_at = fields.Datetime.now() - timedelta(seconds=1)
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.env.invalidate_all()

    def test_confirmed_at_once(self):
        operation = self.attempt(self.tx)
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))
        self.assertEqual(self.simulator.count_requests("query"), 1)
        self.assertFalse(self.alerts())

    def test_paid_on_the_other_side_pays_nothing_and_is_told(self):
        """Case A2: the customer posts the very form that was signed to the address of the other side."""
        operation = self.on_the_other_side(self.tx)
        for _question in range(2):
            self.assertEqual((operation.state, operation.reason), ("pending", "unconfirmed"))
            self.assertEqual((self.tx.state, self.bill.amount_residual), ("pending", 120))
            self.ask(operation)
        self.assertEqual(self.alerts().kind, "unconfirmed")
        operation.deadline_at = fields.Datetime.now()
        self.ask(operation)
        self.assertEqual((operation.state, self.bill.amount_residual), ("unknown", 120))

    def test_paid_on_both_sides_is_paid(self):
        operation = self.on_the_other_side(self.tx)
        self.attempt(self.tx)
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))
        self.assertEqual(self.tx.provider_reference, operation.external_ref)

    def test_order_is_asked_about_when_its_number_is_not_known(self):
        """The message of the payment itself was lost, and only the one of the other side came."""
        operation = self.on_the_other_side(self.tx)
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.ask(operation)
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))

    def test_other_message_waits_for_the_first(self):
        self.simulator.fault("query", "server_error")
        with mute_logger(CLIENT):
            operation = self.on_the_other_side(self.tx)
        self.assertEqual(
            (operation.state, operation.reason, self.tx.state), ("pending", "unasked", "pending")
        )
        with mute_logger("odoo.addons.paypercloud_servipay.models.message_turn"):
            self.attempt(self.tx)
        self.assertEqual((self.inbox()[:1].state, operation.state), ("failed", "pending"))
        self.ask(operation)
        self.inbox().filtered(lambda one: one.state == "failed").action_replay()
        self.assertEqual((operation.state, self.bill.amount_residual), ("approved", 0))

    def test_platform_that_cannot_be_asked(self):
        for fault in ("drop_after", "server_error", "html", "garbage"):
            self.simulator.reset()
            self.simulator.set(deliver=False)
            self.simulator.fault("query", fault)
            bill = self.invoice()
            tx = self.transaction(bill)
            with mute_logger(CLIENT):
                operation = self.attempt(tx)
            self.assertEqual(
                (operation.state, operation.reason, tx.state), ("pending", "unasked", "pending"), fault
            )
            self.assertEqual(bill.amount_residual, 120)
            self.ask(operation)
            self.assertEqual((operation.state, bill.amount_residual), ("approved", 0), fault)
        self.assertFalse(self.alerts())

    def test_platform_says_another_amount(self):
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.simulator.books.find("test", orderid=self.tx.reference).first.amount = 100
        self.tell()
        operation = self.operation(self.tx)
        self.assertEqual((operation.state, operation.reason), ("pending", "unconfirmed"))
        self.assertIn("AMOUNT: 120", operation.detail)
        self.assertEqual(self.bill.amount_residual, 120)

    def test_refused_meanwhile(self):
        self.simulator.attempt(self.visit(self.tx), "ok")
        self.simulator.settle(self.tx.reference, status="93")
        self.tell(0)
        self.assertEqual((self.operation(self.tx).state, self.tx.state), ("declined", "error"))

    def test_paid_after_a_cancellation_is_told(self):
        self.attempt(self.tx, "cancel")
        self.attempt(self.tx)
        self.assertEqual((self.tx.state, self.alerts().kind), ("done", "late_success"))

    def test_decided_as_paid_is_confirmed_by_directlink_only(self):
        for other_side, decided in ((True, True), (False, False)):
            bill = self.invoice()
            tx = self.transaction(bill)
            operation = self.unknown(tx)
            operation._resolve("approved", "it stands in the back office")
            if other_side:
                self.on_the_other_side(tx)
            else:
                self.attempt(tx)
            self.assertEqual(
                (operation.state, operation.decided, operation.contradicted), ("approved", decided, False)
            )

    def test_decided_as_not_paid_is_asked_about_when_it_is_reported(self):
        operation = self.unknown(self.tx)
        operation._resolve("failed", "nothing in the back office")
        self.on_the_other_side(self.tx)
        self.assertEqual((operation.state, operation.reason), ("pending", "unconfirmed"))
        self.attempt(self.tx)
        self.assertEqual((operation.state, self.tx.state, self.bill.amount_residual), ("approved", "done", 0))

    def unknown(self, transaction):
        """Return the operation of a page whose outcome nobody knows."""
        self.form(transaction)
        operation = self.operation(transaction)
        operation._apply(Finding("unknown", "no_answer"))
        return operation

    def test_without_directlink_the_message_decides(self):
        self.provider.ogone_confirm = False
        self.attempt(self.tx)
        self.assertEqual((self.tx.state, self.simulator.count_requests("query")), ("done", 0))

    def test_confirmation_needs_the_password(self):
        with self.assertRaisesRegex(ValidationError, "password of the API user"):
            self.provider.sudo().write({"ogone_password_sealed": False})
