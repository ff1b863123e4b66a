"""Who is told about what: activities for what matters, in words that name the payment."""

from odoo.tests import tagged

from ..api.finding import Finding
from .common import ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestPeople(ApiCase):
    def end(self, *finding, **values):
        """Return an operation on the terminal that ended with this Finding."""
        operation = self.operations._open(self.values(terminal_id=self.terminal.id, **values))
        operation._claim()
        operation._apply(Finding(*finding))
        self.env.flush_all()
        return operation

    def test_failure_that_took_nothing_asks_nobody(self):
        for reason in ("not_sent", "busy", "configuration"):
            operation = self.end("failed", reason)
            self.assertFalse(operation.activity_ids, reason)
            self.end("approved")  # the terminal works in between
        self.assertFalse(self.terminal.activity_ids)

    def test_title_names_amount_and_operation(self):
        operation = self.end("unknown", "no_answer", amount=60)
        self.assertEqual(operation.activity_ids.user_id, self.manager)
        self.assertIn("60.00", operation.activity_ids.summary)
        self.assertIn(operation.name, operation.activity_ids.summary)

    def test_contradiction_is_told_with_its_amount(self):
        operation = self.end("declined", amount=61)
        self.assertFalse(operation.activity_ids)
        with self.assertLogs("odoo.addons.paypercloud_servipay", "WARNING"):
            operation._apply(Finding("approved"))
        self.assertIn("61.00", operation.activity_ids.summary)
        self.assertIn("contradicts", operation.activity_ids.summary)

    def test_three_failures_in_a_row_are_told_once_on_the_terminal(self):
        for _turn in range(2):
            self.end("failed", "not_sent")
        self.assertFalse(self.terminal.activity_ids)
        last = self.operations._open(self.values(terminal_id=self.terminal.id))
        last._move("failed", reason="terminal_held")  # that it is busy says nothing about it
        self.assertFalse(self.terminal.activity_ids)
        for _turn in range(2):
            operation = self.end("failed", "not_sent")
            self.assertEqual(self.terminal.activity_ids.user_id, self.manager)
            self.assertFalse(operation.activity_ids)
        self.assertEqual(len(self.terminal.activity_ids), 1, "said once")
        self.assertIn("Counter", self.terminal.activity_ids.summary)

    def test_decided_by_hand_is_no_failure_of_the_terminal(self):
        for _turn in range(3):
            self.end("unknown", "no_answer")._resolve("failed", "red button")
        self.assertFalse(self.terminal.activity_ids)
