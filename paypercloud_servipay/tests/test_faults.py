"""Each fault of the simulator on each of the nine endpoints: the state it ends in, and what was charged."""

from unittest.mock import patch

from odoo.tests import tagged

from ..models.http_client import HttpClient
from .common import ApiCase
from .simulator import ENDPOINTS, FAULTS, START

# fault -> (parameters, what it means): "harmless", a good answer on a hard way; "lost", carried out and no
# readable answer; "never", not carried out and no readable answer; "refused", not carried out, and said so
MEANING = {
    "timeout_before": ({"seconds": 2}, "never"),
    "close_before": ({}, "never"),
    "reset_before": ({}, "never"),
    "redirect_same": ({}, "never"),
    "redirect_other": ({}, "never"),
    "timeout_after": ({"seconds": 2}, "lost"),
    "close_after": ({}, "lost"),
    "reset": ({}, "lost"),
    "http_500": ({}, "lost"),
    "html_502": ({}, "lost"),
    "html_503": ({"retry_after": 0}, "lost"),
    "truncated_json": ({}, "lost"),
    "garbage_body": ({}, "lost"),
    "invalid_utf8": ({}, "lost"),
    "duplicate_keys": ({}, "lost"),
    "gzip_bomb": ({"mib": 2}, "lost"),
    "garbage": ({}, "lost"),
    "short_body": ({}, "lost"),
    "oversize": ({"mib": 2}, "lost"),
    "busy": ({}, "refused"),
    "rate_limited": ({"retry_after": 0}, "refused"),
    "wrong_content_type": ({}, "harmless"),
    "gzip": ({}, "harmless"),
    "extra_fields": ({}, "harmless"),
    "split": ({"pause": 0}, "harmless"),
    "drip_headers": ({"interval": 0.001, "step": 5}, "harmless"),
    "drip_body": ({"interval": 0.001, "step": 5}, "harmless"),
    "sync": ({}, "harmless"),
    "pending_404": ({}, "harmless"),
    "unknown_status": ({}, "word"),
}
# what is told is about something else: test_endpoints.py
ABOUT_SOMETHING_ELSE = {
    *("wrong_amount", "wrong_currency", "wrong_terminal", "wrong_reference", "other_operation", "full_pan"),
}
# meaning -> (state after a start, how often it was carried out)
AFTER_START = {
    "harmless": ("pending", 1),
    "word": ("pending", 1),  # an accepted start is only accepted, whatever its word
    "lost": ("unknown", 1),
    "never": ("unknown", 0),
    "refused": ("failed", 0),
}
ALWAYS = 50  # more calls than an inquiry with all its tries makes


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestFaults(ApiCase):
    def setUp(self):
        super().setUp()
        self.company.servipay_timeout = 1
        # the tries are real, the pauses between them would add up to minutes
        pauses = patch.object(HttpClient, "_pause", lambda client, number, retry_after=None: 0)
        pauses.start()
        self.addCleanup(pauses.stop)

    def each(self, endpoint):
        """Yield (label, switch the fault on, its meaning) for each fault, on a simulator's first day."""
        for name, (params, meaning) in MEANING.items():
            self.simulator.reset()

            def switch(times, name=name, params=params):
                self.simulator.fault(endpoint, name, times=times, **params)

            yield f"{endpoint} {name}", switch, meaning

    def carried_out(self, kind):
        if kind == "reconciliation":
            return len([row for row in self.simulator.operations if row["type"] == kind])
        return self.simulator.count_charges(kind=kind)

    def test_nothing_is_left_out(self):
        self.assertEqual({*MEANING} | ABOUT_SOMETHING_ELSE, {*FAULTS})
        self.assertEqual(len(ENDPOINTS), 9)

    # ------------------------------------------------------------------
    # What moves money: purchase, refund, void, reconciliation
    # ------------------------------------------------------------------

    def start(self, kind):
        if kind in ("refund", "void"):
            paid = self.paid()
            return paid._give_back(f"{kind}-{paid.id}", 12.34, void=kind == "void")
        return self.purchase(
            **({} if kind == "purchase" else {"kind": kind, "amount": 0, "currency_id": False})
        )

    def check_starts(self, kind):
        for label, switch, meaning in self.each(kind):
            with self.subTest(label):
                switch(1)
                operation = self.start(kind)
                state, number = AFTER_START[meaning]
                self.assertEqual(operation.state, state, f"{label}: {operation.explanation}")
                self.simulator.clear_faults()
                operation._inquire()
                settled = "approved" if number else state
                self.assertEqual(operation.state, settled, f"{label}: {operation.explanation}")
                self.assertEqual(self.carried_out(kind), number, label)
                operation._start()
                self.assertEqual(self.simulator.count_requests(kind), 1, f"{label}: sent once")

    def test_purchase(self):
        self.check_starts("purchase")

    def test_refund(self):
        self.check_starts("refund")

    def test_void(self):
        self.check_starts("void")

    def test_reconciliation(self):
        self.check_starts("reconciliation")

    # ------------------------------------------------------------------
    # What asks: status, result, list, last reconciliation
    # ------------------------------------------------------------------

    def check_inquiry(self, endpoint):
        for label, switch, meaning in self.each(endpoint):
            with self.subTest(label):
                operation = self.purchase()
                switch(ALWAYS)
                operation._inquire()
                state = "approved" if meaning == "harmless" else "pending"
                self.assertEqual(operation.state, state, f"{label}: {operation.explanation}")
                self.simulator.clear_faults()
                operation._inquire()
                self.assertEqual((operation.state, len(self.simulator.charges)), ("approved", 1), label)

    def test_operation_status(self):
        self.check_inquiry("operation_status")

    def test_operation_result(self):
        self.check_inquiry("operation_result")

    def test_operations_list(self):
        """The way to a purchase whose first answer was lost."""
        for label, switch, meaning in self.each("operations_list"):
            with self.subTest(label):
                self.simulator.fault("purchase", "close_after", times=1)
                operation = self.purchase()
                switch(ALWAYS)
                operation._inquire()
                # a list has no status of its own that could stand there twice
                good = meaning in ("harmless", "word") or label.endswith("duplicate_keys")
                state = "approved" if good else "unknown"
                self.assertEqual(operation.state, state, f"{label}: {operation.explanation}")
                self.simulator.clear_faults()
                operation._inquire()
                self.assertEqual((operation.state, len(self.simulator.charges)), ("approved", 1), label)

    def test_last_reconciliation(self):
        for label, switch, meaning in self.each("last_reconciliation"):
            with self.subTest(label):
                # there is something to be told
                self.purchase(kind="reconciliation", amount=0, currency_id=False)._inquire()
                switch(ALWAYS)
                answer = self.company._servipay_test_connection()["params"]
                good = answer["type"] == "success"
                self.assertEqual(good, meaning in ("harmless", "word"), f"{label}: {answer}")
                self.assertFalse(self.simulator.charges)

    # ------------------------------------------------------------------
    # A wish
    # ------------------------------------------------------------------

    def test_operation_cancel(self):
        """What counts is what the inquiry finds afterwards, never the answer to the wish."""
        states = {"never": "cancelling", "refused": "pending"}
        for label, switch, meaning in self.each("operation_cancel"):
            with self.subTest(label):
                self.simulator.script("never_ends")
                operation = self.purchase()
                switch(ALWAYS)
                operation._cancel()
                state = states.get(meaning, "cancelled")
                self.assertEqual(operation.state, state, f"{label}: {operation.explanation}")
                self.assertFalse(self.simulator.charges, label)

    def test_all_endpoints_are_there(self):
        names = {name.removeprefix("test_") for name in dir(self) if name.startswith("test_")}
        self.assertLessEqual({*ENDPOINTS}, names)
        self.assertEqual(len(START), 4)
