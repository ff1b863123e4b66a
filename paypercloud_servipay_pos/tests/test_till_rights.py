import uuid

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay_pos.models.till_rights import (
    ANY,
    NEW,
    OPEN,
    OWN,
    RIGHTS,
    ROLES,
    SHARED,
)

from .common import TillCase


@tagged("post_install", "-at_install")
class TestTillRights(TillCase):
    # ------------------------------------------------------------------
    # The table
    # ------------------------------------------------------------------

    def test_every_call_is_in_the_table(self):
        """A call of the browser without a line would have no rule; the words of the lines are known."""
        calls = {"start", "refund", "refund_unreferenced", "cancel", "inquire", "void", "resolve"}
        self.assertFalse(calls - {*RIGHTS})
        for call, right in RIGHTS.items():
            with self.subTest(call=call):
                self.assertIn(right.role, ROLES)
                self.assertIn(right.session, (OPEN, ANY))
                self.assertIn(right.operation, (OWN, SHARED, NEW))

    def close(self, session):
        """End a session as the database knows it: closing it for good wants accounts."""
        session.flush_recordset()
        self.env.cr.execute("UPDATE pos_session SET state = 'closed' WHERE id = %s", [session.id])
        session.invalidate_recordset()

    def test_closed_session_starts_nothing(self):
        """Neither a payment, nor a refund, nor a void; what is known may be asked about."""
        operation = self.paid(10)
        refund = self.make_refund(self.make_order(operation))
        other = self.paid(7)
        self.close(self.session)
        for amount, order in ((5, {}), (-10, {"id": refund.id})):
            with self.subTest(amount=amount), self.assertRaises(UserError):
                self.start(amount, **order)
        with self.assertRaises(UserError):
            self.till()._servipay_void(other.idempotency_key)
        self.assertEqual(self.till()._servipay_inquire(other.idempotency_key)["state"], "approved")
        self.assertEqual([charge.kind for charge in self.simulator.charges], ["purchase", "purchase"])

    # ------------------------------------------------------------------
    # Voids
    # ------------------------------------------------------------------

    def test_void_of_a_recorded_payment_is_refused(self):
        """Whoever took the goods would get the money back under an order that stays paid."""
        operation = self.paid(10)
        order = self.make_order(operation)
        self.assertFalse(self.till()._servipay_state([operation.idempotency_key])[0]["can_void"])
        with self.assertRaises(UserError):
            self.till()._servipay_void(operation.idempotency_key)
        self.assertEqual((operation.state, order.state), ("approved", "paid"))
        self.assertFalse(operation.child_ids)

    def test_void_of_another_session_is_refused(self):
        """Also of a closed one of the same till, and of a till that shares its orders."""
        operation = self.paid(10)
        self.config.trusted_config_ids = self.other_config
        with self.assertRaises(AccessError):
            self.till(session=self.other_session)._servipay_void(operation.idempotency_key)
        self.close(self.session)
        next_session = self.open_till(self.config)
        self.assertNotEqual(next_session, self.session)
        for till in (self.till(session=next_session), self.till()):
            with self.assertRaises(UserError):
                till._servipay_void(operation.idempotency_key)
        self.assertFalse(operation.child_ids)

    def test_void_leaves_a_trail(self):
        """The payment's chatter says who, and the shop's people are alerted, once."""
        operation = self.paid(10)
        for _time in range(2):
            self.till()._servipay_void(operation.idempotency_key)
        void = operation.child_ids
        self.assertEqual((len(void), void.pos_session_id), (1, self.session))
        self.assertIn(self.cashier.name, operation.message_ids.mapped("body")[0] + str(operation.message_ids))
        told = self.env["servipay.alert"].search([("kind", "=", "till_void")])
        self.assertEqual(told.mapped("reference"), [operation.name])
        self.assertIn(self.cashier.name, told.explanation)
        self.assertIn("10.00", told.explanation)

    # ------------------------------------------------------------------
    # Keys that are spent
    # ------------------------------------------------------------------

    def test_refund_that_did_not_arrive_is_spent_whatever_it_may(self):
        """A request on its way may hold a PIN, which its cancellation does not: both must not be refused."""
        key = uuid.uuid4().hex
        request = {"method_id": self.method.id, "amount": -5, "order": {"uid": "order-9"}}
        self.assertEqual(self.till()._servipay_cancel(key, request)["state"], "cancelled")
        refund = self.make_refund(self.make_order(self.paid(10)))
        self.assertEqual(self.start(-5, key=key, id=refund.id)["state"], "cancelled")
        self.assertEqual([charge.kind for charge in self.simulator.charges], ["purchase"])
