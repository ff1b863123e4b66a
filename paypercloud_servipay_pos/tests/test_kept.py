"""Payment methods, points of sale and sessions outlive the payments that hang on them."""

from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import TillCase


@tagged("post_install", "-at_install")
class TestKept(TillCase):
    def refused(self, change, operation):
        """Assert that a change is refused with a sentence that names the payment."""
        with self.assertRaisesRegex(UserError, operation.name), self.env.cr.savepoint():
            change()

    def open_payment(self):
        """Return the pending operation of a method whose session is closed: Odoo would let it go."""
        operation = self.operation(self.start()["key"])
        self.assertEqual(operation.state, "pending")
        self.env.cr.execute("UPDATE pos_session SET state = 'closed'")
        self.env.invalidate_all()
        return operation

    def test_method_of_an_open_payment(self):
        operation = self.open_payment()
        self.refused(self.method.unlink, operation)
        self.refused(lambda: self.method.write({"active": False}), operation)
        self.refused(lambda: self.method.write({"use_payment_terminal": False}), operation)
        self.refused(lambda: self.config.write({"active": False}), operation)
        self.method.name = "Whatever else is written"
        operation._inquire()
        self.assertEqual(operation.state, "approved", "it was still asked about")
        self.method.active = self.config.active = False

    def test_method_and_session_with_a_history(self):
        """The operation keeps its method, its session and its terminal."""
        operation = self.paid()
        self.env.cr.execute("UPDATE pos_session SET state = 'closed'")
        self.env.invalidate_all()
        for record in (operation.pos_payment_method_id, operation.pos_session_id, operation.terminal_id):
            self.refused(record.unlink, operation)
        self.assertTrue(self.second_method.unlink(), "what was never used may go")

    def test_copy_of_a_method_has_no_key(self):
        self.method.servipay_api_key = self.config.servipay_api_key = "a-key-of-the-till"
        copies = self.method.copy(), self.config.copy({"name": "Another"})
        self.assertFalse(any(copy.servipay_api_key_set for copy in copies))
