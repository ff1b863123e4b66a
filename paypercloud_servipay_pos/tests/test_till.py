import json
import uuid

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import TillCase


@tagged("post_install", "-at_install")
class TestTill(TillCase):
    # ------------------------------------------------------------------
    # What a cashier does
    # ------------------------------------------------------------------

    def test_paid(self):
        """The server fills in terminal, currency and place; the till learns the outcome."""
        snapshot = self.settled(self.start())
        self.assertEqual((snapshot["state"], snapshot["amount"]), ("approved", 12.34))
        operation = self.operation(snapshot["key"])
        self.assertEqual(operation.terminal_id.pid, "T1")
        self.assertEqual(operation.currency_id, self.session.currency_id)
        self.assertEqual((operation.channel, operation.pos_config_id), ("pos", self.config))
        self.assertEqual(operation.user_id, self.cashier)
        self.assertEqual(self.simulator.count_charges(), 1)

    def test_same_key_is_sent_once(self):
        """A resumption gives the operation's state and sends nothing."""
        first = self.start()
        again = self.start(key=first["key"])
        self.assertEqual(again["id"], first["id"])
        self.settled(first)
        self.start(key=first["key"])
        self.assertEqual(self.simulator.count_charges(), 1)

    def test_amount_of_a_key_is_fixed(self):
        """Neither amount, sign nor method of a key can change."""
        key = self.start()["key"]
        for arguments in ({"amount": 12.35}, {"amount": -12.34}, {"method": self.second_method}):
            with self.subTest(**arguments), self.assertRaises(UserError):
                self.start(**{"key": key, **arguments})
        self.assertEqual(self.operation(key).amount, 12.34)

    def test_resumed_after_the_session_was_closed(self):
        """A till that lost the answer gets to know its operation whatever the session's state is."""
        key = self.start()["key"]
        self.env.cr.execute(
            "UPDATE pos_session SET state = 'closing_control' WHERE id = %s", [self.session.id]
        )
        self.session.invalidate_recordset()
        self.assertEqual(self.start(key=key)["key"], key)
        with self.assertRaises(UserError):
            self.start()

    def test_busy(self):
        """The second till hears who holds the terminal; its operation is certainly not sent."""
        self.simulator.script("approved", delay=60)
        self.start(20)
        other = self.till(session=self.other_session)
        snapshot = self.start(till=other)
        self.assertEqual(snapshot["state"], "failed")
        self.assertEqual(snapshot["busy"]["till"], "Counter")
        self.assertIn("20.00", snapshot["busy"]["amount"])
        self.assertEqual(self.simulator.count_charges(), 0)

    def test_cancelled_key_is_spent(self):
        """Cancelling what never arrived makes sure that it is not sent when it arrives later."""
        key = uuid.uuid4().hex
        order = {"uid": "order-1"}
        request = {"method_id": self.method.id, "amount": 12.34, "order": order}
        snapshot = self.till()._servipay_cancel(key, request)
        self.assertEqual(snapshot["state"], "cancelled")
        self.assertEqual(self.start(key=key)["state"], "cancelled")
        self.assertEqual(self.simulator.count_charges(), 0)
        with self.assertRaises(UserError):
            self.till()._servipay_cancel(uuid.uuid4().hex)

    def test_nothing_to_pay(self):
        """What is no amount is refused before an operation exists."""
        for amount in (0, 0.001, float("nan"), float("inf"), True, "12", None):
            with self.subTest(amount=amount), self.assertRaises(UserError):
                self.till()._servipay_intent(self.method.id, uuid.uuid4().hex, amount, {})

    # ------------------------------------------------------------------
    # What a manager decides
    # ------------------------------------------------------------------

    def test_resolve(self):
        """A manager settles what is unknown, with a reason; a cashier does not."""
        self.simulator.fault("purchase", "close_after", times=1)
        snapshot = self.start()
        self.assertEqual(snapshot["state"], "unknown")
        self.assertFalse(snapshot["can_resolve"])
        key = snapshot["key"]
        with self.assertRaises(AccessError):
            self.till()._servipay_resolve(key, "failed", "I think so")
        manager = self.till(self.pos_manager)
        self.assertTrue(manager._servipay_state([key])[0]["can_resolve"])
        for outcome, reason in (("approved", " "), ("reversed", "slip"), ("declined", "slip")):
            with self.subTest(outcome=outcome), self.assertRaises(UserError):
                manager._servipay_resolve(key, outcome, reason)
        self.assertEqual(manager._servipay_resolve(key, "approved", "slip seen")["state"], "approved")
        self.assertEqual(self.operation(key).resolved_by_id, self.pos_manager)

    # ------------------------------------------------------------------
    # Who may do what
    # ------------------------------------------------------------------

    def test_others_may_not(self):
        """Nobody without the till's group; no other company's session; no method of another session."""
        clerk = self.make_user("servipay_clerk", "base.group_user")
        with self.assertRaises(AccessError):
            self.till(clerk)
        stranger_company = self.env["res.company"].create({"name": "Elsewhere"})
        stranger = self.make_user(
            "servipay_stranger", "base.group_user,point_of_sale.group_pos_manager", stranger_company
        )
        with self.assertRaises(AccessError), mute_logger("odoo.addons.base.models.ir_rule"):
            self.till(stranger)
        foreign = self.make_method("Foreign")
        with self.assertRaises(AccessError):
            self.start(method=foreign)
        self.assertFalse(self.simulator.count_charges())

    def test_operations_of_another_till(self):
        """A key of another point of sale is neither told nor touched."""
        key = self.start()["key"]
        other = self.till(session=self.other_session)
        self.assertFalse(other._servipay_state([key]))
        self.assertFalse(other._servipay_open())
        for call in (other._servipay_cancel, other._servipay_inquire):
            with self.assertRaises(AccessError):
                call(key)

    def test_accountant_reads_operations(self):
        """Who may read payments opens a till's operation without being a user of the point of sale."""
        operation = self.paid()
        accountant = self.make_user("servipay_accountant", "paypercloud_servipay.group_user")
        known = operation.with_user(accountant).read()[0]
        self.assertIn("Counter", known["pos_config_id"][1])
        self.assertNotIn("pos_payment_ids", known)

    def test_no_secret_reaches_a_till(self):
        """Neither the snapshot nor what the till loads nor what a cashier reads holds a key."""
        secret = "sk-method-1d7c9b"
        snapshot = self.start()
        self.method.servipay_api_key = secret
        self.config.servipay_api_key = secret
        method = self.method.with_user(self.cashier)
        known = json.dumps([snapshot, method.read(), self.config.with_user(self.cashier).read()], default=str)
        self.assertNotIn(secret, known)
        self.assertNotIn("api_key_sealed", known)
        with self.assertRaises(AccessError):
            method.read(["servipay_api_key"])
        with self.assertRaises(AccessError):
            self.env["servipay.operation"].with_user(self.cashier).search([])

    # ------------------------------------------------------------------
    # Credentials
    # ------------------------------------------------------------------

    def test_credentials_of_method_and_till(self):
        """The payment method overrides the point of sale, which overrides the company, part by part."""
        self.config.write({"servipay_pos_id": "POS-TILL", "servipay_api_key": "key-of-the-till"})
        self.method.servipay_api_key = "key-of-the-method"
        values = self.session._servipay_values(self.method, uuid.uuid4().hex, "purchase", 1, {})
        operation = self.env["servipay.operation"].create(values)
        credentials = self.company._paypercloud_get_credentials(operation)
        self.assertEqual(credentials.api_key, "key-of-the-method")
        self.assertEqual(credentials.pos_id, "POS-TILL")
        self.assertEqual(credentials.terminal_pid, "T1")
        self.assertEqual(self.company._paypercloud_get_credentials().pos_id, "POS1")

    # ------------------------------------------------------------------
    # Payments and refunds
    # ------------------------------------------------------------------

    def test_payment_is_linked(self):
        """The payment finds its operation by the key and takes its facts from there."""
        operation = self.paid()
        payment = self.make_order(operation).payment_ids
        self.assertEqual(payment.servipay_operation_id, operation)
        self.assertEqual(payment.transaction_id, operation.external_ref)
        self.assertEqual(payment.card_type, operation.card_brand)
        payment.write({"servipay_operation_id": False})
        self.assertEqual(payment.servipay_operation_id, operation, "a till cannot say what paid")
        self.assertFalse(self.till()._servipay_open())

    def test_paid_without_order_is_found(self):
        """What was paid and stands in no order is told to whoever opens the till."""
        operation = self.paid()
        self.assertEqual([op["key"] for op in self.till()._servipay_open()], [operation.idempotency_key])

    def test_refund_is_referenced_and_bounded(self):
        """A refund finds the original payment by the order's lines, and cannot exceed what is left of it."""
        operation = self.paid(10)
        lines = self.make_order(operation).lines.ids
        snapshot = self.settled(self.start(-6, refunded_line_ids=lines))
        refund = self.operation(snapshot["key"])
        self.assertEqual((refund.state, refund.original_id), ("approved", operation))
        with self.assertRaises(UserError):
            self.start(-4.01, refunded_line_ids=lines)
        self.settled(self.start(-4, refunded_line_ids=lines))
        with self.assertRaises(UserError):
            self.start(-0.01, refunded_line_ids=lines)

    def test_unreferenced_refund_is_for_managers(self):
        """Without a payment to give back only a manager may, and a cashier may not."""
        with self.assertRaises(AccessError):
            self.start(-5)
        self.assertTrue(self.start(-5, till=self.till(self.pos_manager))["key"])

    # ------------------------------------------------------------------
    # Closing
    # ------------------------------------------------------------------

    def test_closing_shows_differences_first(self):
        """Operations against payments: what no order carries is a difference."""
        self.make_order(self.paid(10))
        self.paid(7)
        rows = self.session.with_user(self.pos_manager).get_closing_control_data()["servipay"]["rows"]
        self.assertEqual(len(rows), 1 if rows[0]["differs"] else 0, rows)
        self.assertIn("17.00", rows[0]["operations_amount"])
        self.assertIn("7.00", rows[0]["difference"])

    def test_closing_shows_what_is_unsettled(self):
        """An operation whose outcome is unknown is named when the session is closed."""
        self.simulator.fault("purchase", "close_after", times=1)
        key = self.start()["key"]
        data = self.session.with_user(self.pos_manager).get_closing_control_data()["servipay"]
        self.assertEqual([op["key"] for op in data["unsettled"]], [key])
        self.assertEqual(self.session.servipay_unsettled_count, 1)

    def test_reconciliation_after_closing(self):
        """The terminals used get one reconciliation, however often it is asked for."""
        self.paid()
        for _time in range(2):
            self.session._servipay_reconcile()
        reconciliations = self.session.servipay_operation_ids.filtered(lambda op: op.kind == "reconciliation")
        self.assertEqual(len(reconciliations), 1)
        self.assertEqual(reconciliations.terminal_id.pid, "T1")

    # ------------------------------------------------------------------
    # News
    # ------------------------------------------------------------------

    def test_tills_hear_of_changes(self):
        """Each change is sent over the bus with a growing revision."""
        before = self.env["bus.bus"].search_count([])
        snapshot = self.start()
        later = self.settled(snapshot)
        self.assertGreater(later["revision"], snapshot["revision"])
        messages = self.env["bus.bus"].search([], order="id")[before:].mapped("message")
        told = [json.loads(message) for message in messages if "SERVIPAY_OPERATION" in message]
        self.assertEqual(told[-1]["payload"]["state"], "approved")
        self.assertEqual(told[-1]["payload"]["revision"], later["revision"])
