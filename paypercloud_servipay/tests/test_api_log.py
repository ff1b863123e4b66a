"""The funnel of the API log:

what it keeps, what it cuts, what it deletes, and that it never breaks a payment.
"""

import hashlib
from contextlib import suppress
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..api.masking import Masker
from ..models.conversation import Conversation
from ..models.servipay_api_log import MAX_BODY, _purge_batch, rows_held_back
from .common import API_KEY, ApiCase


class Watched(Conversation):
    """A conversation that looks how many rows the log has of it when an answer is about to be applied."""

    def _keep(self, finding, step):
        self.rows = self.env["servipay.api.log"].search_count([("operation_id", "=", self.operation_id)])
        return super()._keep(finding, step)


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestApiLog(ApiCase):
    def record(self, keep_bodies=True, common=None, **entry):
        journal = self.env["servipay.api.log"]._journal(
            Masker(values=(API_KEY,)), keep_bodies, **{"company_id": self.company.id, **(common or {})}
        )
        return self.env["servipay.api.log"].browse(journal(entry))

    def test_what_an_exchange_leaves(self):
        operation = self.purchase(terminal_id=self.terminal.id)
        log = self.logs(operation)
        self.assertEqual(
            (log.endpoint, log.method, log.http_status, log.attempt), ("purchase", "POST", 202, 1)
        )
        self.assertEqual((log.direction, log.transport, log.outcome), ("out", "http", "answered"))
        self.assertEqual(log.provider, "paypercloud")
        self.assertEqual(log.terminal_id, self.terminal)
        self.assertEqual(log.company_id, self.company)
        self.assertEqual(log.user_id, self.env.user)
        self.assertGreater(log.duration, 0)
        self.assertTrue(log.correlation_id)
        self.assertIn(operation.reference, log.request_body)
        self.assertIn(operation.external_ref, log.response_body)
        self.assertEqual(log.request_size, len(log.request_body.encode()))
        self.assertNotIn(API_KEY, str(log.read()))
        self.assertIn("Authorization", log.request_headers)
        self.assertIn("curl -X POST", log.curl)

    def test_attempts_share_their_correlation(self):
        self.simulator.fault("operation_status", "html_503", times=1)
        operation = self.purchase()
        operation._inquire()
        logs = self.logs(operation).filtered(lambda log: log.endpoint == "operation_status")
        self.assertEqual(logs.mapped("attempt"), [1, 2])
        self.assertEqual(logs.mapped("http_status"), [503, 200])
        self.assertEqual(len(set(logs.mapped("correlation_id"))), 1)

    def test_bodies_off_keeps_size_and_hash(self):
        log = self.record(False, request_body=b'{"reference": "R1"}')
        self.assertFalse(log.request_body)
        self.assertEqual(log.request_size, 19)
        self.assertEqual(log.request_sha256, hashlib.sha256(b'{"reference": "R1"}').hexdigest())
        self.company.servipay_log_bodies = False
        operation = self.purchase()
        self.assertFalse(any(self.logs(operation).mapped("request_body")))
        self.assertTrue(all(self.logs(operation).mapped("request_sha256")))

    def test_long_bodies_are_cut_and_say_so(self):
        log = self.record(
            response_body=b"x" * (MAX_BODY + 1000), response_headers={"Content-Type": "text/plain"}
        )
        self.assertIn("truncated", log.response_body)
        self.assertLess(len(log.response_body), MAX_BODY + 100)
        self.assertEqual(log.response_size, MAX_BODY + 1000)

    def test_hostile_bodies_are_stored(self):
        for body in (b"\x00\xff\xfe", b"\x00" * 10, "é\u0000".encode(), b"\xed\xa0\x80", b""):
            self.assertTrue(self.record(response_body=body, response_headers={"Content-Type": "text/plain"}))

    def test_a_broken_log_does_not_break_a_payment(self):
        journal = self.env["servipay.api.log"]._journal(company_id=-1)
        with self.assertLogs("odoo.addons.paypercloud_servipay", "ERROR") as logs, mute_logger("odoo.sql_db"):
            self.assertFalse(journal({"endpoint": "purchase", "url": f"https://x/?api_key={API_KEY}"}))
        self.assertNotIn(API_KEY, str(logs.output))

    def test_rows_that_are_held_back(self):
        logs = self.env["servipay.api.log"]
        journal = logs._journal(company_id=self.company.id)
        before = logs.search_count([])
        with suppress(KeyError), rows_held_back():  # assertRaises would undo the rows
            self.assertFalse(journal({"endpoint": "outer"}))
            with rows_held_back():
                journal({"endpoint": "inner"})
            self.assertEqual(logs.search_count([]), before + 1)
            journal({"endpoint": "outer"})
            raise KeyError
        self.assertEqual(logs.search([], limit=3).mapped("endpoint"), ["outer", "outer", "inner"])
        self.assertTrue(journal({"endpoint": "after"}))

    def test_held_back_rows_that_cannot_be_written(self):
        journal = self.env["servipay.api.log"]._journal(company_id=-1)
        with self.assertLogs("odoo.addons.paypercloud_servipay", "ERROR"), mute_logger("odoo.sql_db"):
            with rows_held_back():
                journal({"endpoint": "purchase"})

    def test_an_answer_is_applied_before_it_is_logged(self):
        operation = self.purchase()
        asked = len(self.logs(operation))
        watched = Watched(self.env, operation.id)
        self.assertTrue(watched.inquire())
        self.assertEqual(watched.rows, asked)
        self.assertGreater(len(self.logs(operation)), asked)

    def test_search_by_a_part_of_the_endpoint(self):
        logs = self.env["servipay.api.log"]
        rows = {name: self.record(endpoint=name) for name in ("operation_status", "operation_result", "void")}
        for part, found in (
            ("STATUS", {"operation_status"}),
            ("operation", {"operation_status", "operation_result"}),
        ):
            domain = [("endpoint_part", "ilike", part), ("company_id", "=", self.company.id)]
            self.assertEqual(set(logs.search(domain).mapped("endpoint")), found)
        self.assertFalse(logs.search([("endpoint_part", "ilike", "nonsense")]) & sum(rows.values(), logs))

    def test_purge(self):
        self.company.servipay_log_days = 30
        settled, unsettled = self.paid(), self.operations._open(self.values())
        unsettled._move("sent")
        old = fields.Datetime.now() - timedelta(days=31)
        rows = {
            "old": self.record(common={"operation_id": settled.id}),
            "old, unsettled": self.record(common={"operation_id": unsettled.id}),
            "old, no operation": self.record(),
            "new": self.record(),
        }
        for name, row in rows.items():
            if name.startswith("old"):
                row.create_date = old
        self.env.flush_all()
        self.env["servipay.api.log"]._gc_servipay_api_logs()
        kept = {name for name, row in rows.items() if row.exists()}
        self.assertEqual(kept, {"old, unsettled", "new"})

    def test_zero_days_keeps_for_ever(self):
        self.company.servipay_log_days = 0
        log = self.record()
        log.create_date = fields.Datetime.now() - timedelta(days=4000)
        self.env.flush_all()
        self.env["servipay.api.log"]._gc_servipay_api_logs()
        self.assertTrue(log.exists())

    def test_purge_in_batches(self):
        self.env.cr.execute(
            "INSERT INTO servipay_api_log (company_id, create_date) "
            "SELECT %s, now() - interval '400 days' FROM generate_series(1, 2500)",
            [self.company.id],
        )
        self.assertEqual([_purge_batch(self.env) for _turn in range(4)], [1000, 1000, 500, 0])
