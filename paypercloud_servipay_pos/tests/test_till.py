import json
import uuid

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.compat import SERIES

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

    def test_neutralized_copy_reaches_no_terminal(self):
        self.method.servipay_api_key = self.config.servipay_api_key = "a-key-of-the-till"
        self.check_neutralized(self.method, self.simulator.count_requests)
        self.assertFalse(self.method.servipay_api_key_set or self.config.servipay_api_key_set)

    def test_same_key_is_sent_once(self):
        """A resumption gives the operation's state and sends nothing."""
        first = self.start()
        again = self.start(key=first["key"])
        self.assertEqual(again["id"], first["id"])
        self.settled(first)
        self.start(key=first["key"])
        self.assertEqual(self.simulator.count_charges(), 1)

    def test_nothing_is_said_of_what_is_known(self):
        """A till that asks every second gets an answer only when there is one."""
        self.simulator.script("approved", delay=60)
        snapshot = self.start()
        key, known = snapshot["key"], {snapshot["key"]: snapshot["revision"]}
        self.assertFalse(self.till()._servipay_state([key], known))
        self.operation(key)._cancel()
        self.operation(key)._inquire()
        [news] = self.till()._servipay_state([key], known)
        self.assertEqual(news["state"], "cancelled")

    def test_manager_is_always_told_that_he_may_decide(self):
        """The bus tells every till the same: what this user may do comes with the answer to a question."""
        self.simulator.fault("purchase", "close_after", times=1)
        operation = self.operation(self.start()["key"])
        self.assertEqual(operation.state, "unknown")
        known = {operation.idempotency_key: operation.revision}
        [answer] = self.till(self.pos_manager)._servipay_state(list(known), known)
        self.assertTrue(answer["can_resolve"])

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
                self.till()._servipay_intended(self.method.id, uuid.uuid4().hex, amount, {})

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
        """Of another till's key is only told that it is being paid there, so that nobody pays it again."""
        key = self.start()["key"]
        other = self.till(session=self.other_session)
        self.assertEqual(other._servipay_state([key]), [{"key": key, "elsewhere": "Counter"}])
        self.assertFalse(other._servipay_open())
        for call in (other._servipay_cancel, other._servipay_inquire):
            with self.assertRaises(AccessError):
                call(key)

    def test_till_that_shares_orders_takes_over(self):
        """Odoo lets tills that trust each other open each other's orders: the payment goes on there."""
        self.config.trusted_config_ids = self.other_config
        key = self.start()["key"]
        other = self.till(session=self.other_session)
        self.assertEqual(other._servipay_state([key])[0]["till"], "Counter")
        self.assertEqual(self.start(key=key, till=other)["key"], key)
        operation = self.operation(self.settled({"key": key})["key"])
        order = self.make_order(operation, self.other_session)
        self.assertEqual(order.payment_ids.servipay_operation_id, operation)
        self.assertEqual(self.simulator.count_charges(), 1)
        [_heading, row] = self.closing(self.other_session)["rows"]
        self.assertFalse(row["differs"], row)
        self.assertFalse(self.closing(self.session)["rows"], "it counts where it was recorded")

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
        self.method.servipay_api_key = secret
        self.config.servipay_api_key = secret
        method, config = self.method.with_user(self.cashier), self.config.with_user(self.cashier)
        seen = [self.start(), method.read(), config.read(), self.loaded_by_till()]
        known = json.dumps(seen, default=str)
        self.assertIn("servipay_fast_payment", known)
        self.assertNotIn(secret, known)
        self.assertNotIn(self.method.sudo().servipay_api_key_sealed, known)
        # 18.0 tells the browser which fields there are ({"name", "type"}), not what is in them
        self.assertNotRegex(known, r'api_key_sealed": (?!\{)')
        with self.assertRaises(AccessError):
            method.read(["servipay_api_key"])
        with self.assertRaises(AccessError):
            self.env["servipay.operation"].with_user(self.cashier).search([])

    def loaded_by_till(self):
        """Return what the browser of a cashier loads about payment methods and the point of sale."""
        session = self.session.with_user(self.cashier)
        if SERIES < 18:
            return session.load_pos_data()
        return session.load_data(["pos.config", "pos.payment.method"])

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

    # ------------------------------------------------------------------
    # Closing
    # ------------------------------------------------------------------

    def closing(self, session=None):
        """Return what the closing screen of a session gets."""
        session = session or self.session
        return session.with_user(self.pos_manager).get_closing_control_data()["servipay"]

    def test_closing_shows_differences_first(self):
        """Operations against payments: what no order carries is a difference, and stands on top."""
        self.make_order(self.paid(10, method=self.second_method))
        self.make_order(self.paid(10))
        self.assertEqual([row["differs"] for row in self.closing()["rows"]], [False, False, False])
        self.paid(7, method=self.second_method)
        _heading, first, second = self.closing()["rows"]
        self.assertEqual((first["differs"], second["differs"]), (True, False))
        self.assertEqual(first["cells"][1], self.second_method.name)
        self.assertIn("17.00", first["cells"][2])
        self.assertIn("7.00", first["cells"][4])

    def test_closing_shows_what_is_unsettled(self):
        """An operation whose outcome is unknown is named when the session is closed."""
        self.simulator.fault("purchase", "close_after", times=1)
        snapshot = self.start()
        [line] = self.closing()["unsettled"]
        self.assertIn(snapshot["name"], line)
        self.assertEqual(self.session.servipay_unsettled_count, 1)

    def test_neither_void_nor_reconciliation_is_a_difference(self):
        """A voided payment counts for nothing on both sides; the batch's totals are no payment."""
        self.void(self.paid(10))
        self.session._servipay_reconcile()
        self.assertFalse(self.closing()["rows"])

    def test_reconciliation_after_closing(self):
        """The terminals used get one reconciliation, however often it is asked for."""
        self.paid()
        for _time in range(2):
            self.session._servipay_reconcile()
        self.assertEqual(self.reconciliations().terminal_id.pid, "T1")
        self.assertEqual(len(self.reconciliations()), 1)
        self.reconciliations()._inquire()
        self.assertEqual(self.reconciliations().state, "approved", self.reconciliations().explanation)
        self.assertTrue(self.reconciliations().total_ids)

    def test_failed_reconciliation_is_tried_again(self):
        """A terminal that was busy when the session closed is reconciled by the next closing."""
        self.paid()
        self.simulator.script("approved", delay=60)
        holder = self.start(till=self.till(session=self.other_session))
        self.session._servipay_reconcile()
        self.assertEqual(self.reconciliations().mapped("state"), ["failed"])
        self.operation(holder["key"])._cancel()
        self.session._servipay_reconcile()
        self.assertEqual(len(self.reconciliations()), 2)

    def test_reconciliation_that_breaks_harms_nothing(self):
        """It runs after a closing was committed: an error is logged, the next terminal has its turn."""
        self.paid()
        values = self.session._servipay_terminals_used(self.env)
        self.patch(type(self.session), "_servipay_terminals_used", lambda *_: [{"terminal_id": 0}, *values])
        with self.assertLogs("odoo.addons.paypercloud_servipay_pos.models.pos_session_closing", "ERROR"):
            self.session._servipay_reconcile()
        self.assertEqual(len(self.reconciliations()), 1)

    def reconciliations(self):
        """Return the session's reconciliations."""
        self.session.invalidate_recordset()
        return self.session.servipay_operation_ids.filtered(lambda op: op.kind == "reconciliation")

    # ------------------------------------------------------------------
    # Voids
    # ------------------------------------------------------------------

    def void(self, operation):
        """Void a payment at the till and return the newest snapshot."""
        self.till()._servipay_void(operation.idempotency_key)
        operation.child_ids.filtered(lambda child: child.state == "pending")._inquire()
        return self.till()._servipay_state([operation.idempotency_key])[0]

    def test_void_before_the_order_is_recorded(self):
        """The payment is reversed at the provider, once, however often the button is pressed."""
        operation = self.paid(10)
        self.assertTrue(self.till()._servipay_state([operation.idempotency_key])[0]["can_void"])
        snapshot = self.void(operation)
        self.assertEqual((snapshot["state"], snapshot["open"]), ("reversed", False))
        self.till()._servipay_void(operation.idempotency_key)
        self.assertEqual(len(operation.child_ids), 1)
        self.assertEqual(operation.child_ids.pos_payment_method_id, self.method)

    def test_void_under_way_keeps_the_payment_open(self):
        """Until the provider has answered, the line is neither paid nor reversed."""
        operation = self.paid(10)
        self.simulator.fault("void", "close_after", times=1)
        snapshot = self.till()._servipay_void(operation.idempotency_key)
        self.assertTrue(snapshot["open"])
        self.assertEqual((snapshot["state"], snapshot["void"]["state"]), ("approved", "unknown"))

    def test_void_of_what_is_not_paid(self):
        """There is nothing to take back."""
        self.simulator.script("declined")
        declined = self.settled(self.start())
        with self.assertRaises(UserError):
            self.till()._servipay_void(declined["key"])

    # ------------------------------------------------------------------
    # News
    # ------------------------------------------------------------------

    def test_tills_hear_of_changes(self):
        """The bus tells of each change with a growing revision, and nothing else: its channel is public."""
        before = self.env["bus.bus"].search_count([])
        snapshot = self.start()
        later = self.settled(snapshot)
        self.assertGreater(later["revision"], snapshot["revision"])
        messages = self.env["bus.bus"].search([], order="id")[before:].mapped("message")
        told = [json.loads(message) for message in messages if "SERVIPAY_OPERATION" in message]
        self.assertEqual(told[-1]["payload"], {"key": snapshot["key"], "revision": later["revision"]})
        self.assertEqual({name for message in told for name in message["payload"]}, {"key", "revision"})
