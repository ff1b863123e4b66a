from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import VivaCase
from .simulator import TERMINALS


@tagged("post_install", "-at_install")
class TestRefunds(VivaCase):
    """What is given back names the payment, and is never more than is left of it."""

    def test_full(self):
        """The whole payment, without its card; named by its session."""
        paid, order = self.paid_order()
        refund = self.give_back(order, 12.34)
        self.assertEqual((refund.state, refund.approved_amount), ("approved", 12.34), refund.explanation)
        self.assertEqual(refund.original_id, paid)
        [asked] = self.asked("refund")
        self.assertEqual((asked["parentSessionId"], asked["amount"]), (paid.viva_session, 1234))
        self.assertNotEqual(asked["sessionId"], paid.viva_session)
        self.assertEqual(self.viva.net("840") or self.viva.taken() - self.viva.returned(), 0)
        snapshot = self.till()._servipay_state([refund.idempotency_key])[0]
        self.assertEqual(snapshot["paid"], -12.34)
        self.assertEqual(paid.refundable_amount, 0)

    def test_partial(self):
        """In parts, until nothing is left; more is refused before anything is sent."""
        paid, order = self.paid_order(10)
        for part in (4, 5):
            self.assertEqual(self.give_back(order, part).state, "approved")
        with self.assertRaises(UserError):
            self.give_back(order, 2)
        self.assertEqual(self.give_back(order, 1).state, "approved")
        with self.assertRaises(UserError):
            self.give_back(order, 0.01)
        self.assertEqual((self.viva.returned(), self.viva.count_requests("refund")), (1000, 3))
        self.assertEqual(paid.refundable_amount, 0)

    def test_amount_differs_from_the_payment(self):
        """An order of two lines, another amount than was paid: still found."""
        _paid, order = self.paid_order(20)
        refund = self.give_back(order, 7.5)
        self.assertEqual((refund.state, self.asked("refund")[0]["amount"]), ("approved", 750))

    def test_refused_refund_leaves_it_all(self):
        """What Viva.com refuses has given nothing back, and says why."""
        paid, order = self.paid_order()
        self.viva.set(refunds=False)
        refund = self.give_back(order, 12.34)
        self.assertIn(refund.state, ("declined", "failed"))
        self.assertEqual(refund.reason, "vv_refunds_disabled")
        self.assertEqual(paid.refundable_amount, 12.34)

    def test_refused_refund_is_called_a_refund(self):
        """The bank that refuses to give back has refused no payment."""
        paid, order = self.paid_order()
        self.viva.set(refunds=False)
        refund = self.give_back(order, 12.34)
        for operation, word in ((refund, "refund"), (paid, "payment")):
            operation.write({"reason": "vv_refused"})
            self.assertIn(f"refused the {word}", operation._explain_reason())
        self.assertLessEqual(refund._refund_sentences().keys(), refund._reason_sentences().keys())

    def test_uncertain_refund_counts(self):
        """A refund that may have been made is not made again."""
        paid, order = self.paid_order()
        self.viva.fault("refund", "http_500")
        with self.quiet():
            refund = self.give_back(order, 12.34, ask=False)
        self.assertEqual(refund.state, "unknown")
        with self.assertRaises(UserError):
            self.give_back(order, 12.34)
        self.viva.clear_faults()
        refund._inquire()
        self.assertEqual((refund.state, self.viva.returned(), paid.refundable_amount), ("approved", 1234, 0))

    def test_lost_answer(self):
        """The request of a refund is repeated with the same session id as well."""
        _paid, order = self.paid_order()
        self.viva.fault("refund", "close_after", times=1)
        with self.quiet():
            refund = self.give_back(order, 12.34)
        self.assertEqual((refund.state, self.viva.returned()), ("approved", 1234))
        self.assertEqual({one["sessionId"] for one in self.asked("refund")}, {refund.viva_session})

    def test_parent_unknown(self):
        """Viva.com does not know the payment (any more): nothing was begun."""
        _paid, order = self.paid_order()
        with self.viva.clock.lock:
            self.viva.floor.books.sessions.clear()
        refund = self.give_back(order, 12.34)
        self.assertEqual((refund.state, refund.reason), ("failed", "vv_parent_not_found"))

    def test_from_another_till(self):
        """With the other till's method and terminal; the payment is found on the server."""
        self.config.write({"trusted_config_ids": [(4, self.other_config.id)]})
        paid, order = self.paid_order()
        till = self.till(session=self.other_session)
        refund = self.give_back(order, 12.34, till=till, method=self.other_vw)
        self.assertEqual((refund.state, refund.original_id), ("approved", paid), refund.explanation)
        [asked] = self.asked("refund")
        self.assertEqual((asked["terminalId"], asked["parentSessionId"]), (TERMINALS[1], paid.viva_session))

    def test_another_terminal_may_be_refused(self):
        """Where Viva.com wants the same terminal: refused in words, nothing given back, later possible."""
        paid, order = self.paid_order()
        self.viva.set(other_terminal_refunds=False)
        till = self.till(session=self.other_session)
        refund = self.give_back(order, 12.34, till=till, method=self.other_vw)
        self.assertEqual((refund.state, refund.reason), ("declined", "vv_not_reversible"))
        self.assertEqual((self.give_back(order, 12.34).state, paid.refundable_amount), ("approved", 0))

    def test_in_a_later_session(self):
        """After the till was closed and opened again, and the page reloaded."""
        paid, order = self.paid_order()
        self.session.write({"state": "closed"})
        self.config.invalidate_recordset()
        session = self.open_till(self.config)
        self.assertNotEqual(session, self.session)
        refund = self.give_back(order, 12.34, till=self.till(session=session))
        self.assertEqual((refund.state, refund.original_id), ("approved", paid))

    def test_back_office(self):
        """Without any till: by the operation, to its own terminal."""
        paid, _order = self.paid_order()
        paid.pos_session_id.write({"state": "closed"})
        refund = paid._give_back("back-office-key-1", 5)
        refund._inquire()
        self.assertEqual((refund.state, refund.channel), ("approved", "backend"), refund.explanation)
        self.assertFalse(refund.pos_session_id)
        [asked] = self.asked("refund")
        self.assertEqual((asked["amount"], asked["terminalId"]), (500, TERMINALS[0]))
        again = paid._give_back("back-office-key-1", 5)
        self.assertEqual((again, self.viva.count_requests("refund")), (refund, 1))

    def test_archived_method(self):
        """Of a method that is not used any more the credentials still count."""
        paid, _order = self.paid_order()
        self.env.cr.execute("UPDATE pos_payment_method SET active = false WHERE id = %s", [self.vw.id])
        self.env.invalidate_all()
        refund = paid._give_back("back-office-key-2", 5)
        refund._inquire()
        self.assertEqual(refund.state, "approved", refund.explanation)

    def test_terminal_was_replaced(self):
        """The method drives another terminal now: refunds at the till go to that one."""
        _paid, order = self.paid_order()
        self.vw.viva_wallet_terminal_id = TERMINALS[1]
        refund = self.give_back(order, 12.34)
        self.assertEqual(refund.state, "approved", refund.explanation)
        self.assertEqual(self.asked("refund")[0]["terminalId"], TERMINALS[1])

    def test_no_void(self):
        """There is no void on a terminal; a refund of the same day is one at Viva.com."""
        self.viva.set(void_same_day=True)
        paid, order = self.paid_order()
        self.assertFalse(paid.can_void)
        self.assertEqual(self.give_back(order, 12.34).state, "approved")

    # -- without a payment

    def test_unreferenced(self):
        """On a presented card: by managers, where an administrator allowed it, and no more than was paid."""
        cash = self.make_cash_order(10)
        manager = self.till(self.pos_manager)
        with self.assertRaises(AccessError):
            self.give_back(cash, 5)
        refund = self.give_back(cash, 5, till=manager)
        self.assertEqual((refund.state, refund.reason), ("failed", "configuration"))
        self.assertIn("only what was paid with it", refund.explanation)
        self.assertFalse(self.viva.count_requests("unreferenced"))
        self.vw.viva_wallet_unreferenced = True
        refund = self.give_back(cash, 5, till=manager)
        self.assertEqual((refund.state, self.viva.returned()), ("approved", 500), refund.explanation)
        [asked] = self.asked("unreferenced")
        self.assertNotIn("parentSessionId", asked)
        with self.assertRaises(UserError):
            self.give_back(cash, 6, till=manager)
        with self.assertRaises(AccessError):
            self.give_back(cash, 1)

    def test_unreferenced_waits_for_a_card(self):
        """It needs a card, as a payment does, and can be cancelled like one."""
        self.vw.viva_wallet_unreferenced = True
        self.viva.script("wait", kind="unreferenced")
        refund = self.give_back(self.make_cash_order(10), 5, till=self.till(self.pos_manager))
        self.assertEqual(refund.state, "pending", refund.explanation)
        refund._cancel()
        self.assertEqual(refund.state, "cancelled")

    def test_refund_of_the_wrong_answer(self):
        """A refund that is answered with another amount is not believed."""
        _paid, order = self.paid_order()
        self.viva.fault("session", "wrong_amount", times=1)
        refund = self.give_back(order, 12.34)
        self.assertEqual((refund.state, refund.reason), ("unknown", "mismatch"))
