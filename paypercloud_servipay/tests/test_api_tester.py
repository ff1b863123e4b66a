"""The API Tester: fields of the chosen endpoint, a preview without secrets, one call per dialog."""

import json
from urllib.parse import urlsplit

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from ..api.profile import ENDPOINT_KEYS, START_KEYS
from .common import API_KEY, ApiCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestApiTester(ApiCase):
    def make(self, key, **values):
        profile = self.env.ref("paypercloud_servipay.profile_default")
        endpoint = profile.endpoint_ids.filtered(lambda endpoint: endpoint.key == key)
        values = {"endpoint_id": endpoint.id, "company_id": self.company.id, "amount": 12.34, **values}
        return self.env["servipay.api.tester"].with_user(self.manager).create(values)

    def test_form_shows_the_fields_of_the_endpoint(self):
        form = Form(self.env["servipay.api.tester"].with_user(self.manager).with_company(self.company))
        uses = {}
        for endpoint in self.env.ref("paypercloud_servipay.profile_default").endpoint_ids:
            form.endpoint_id = endpoint
            uses[endpoint.key] = set(form.uses.strip(",").split(","))
            self.assertEqual(form.moves_money, endpoint.key in START_KEYS)
        self.assertEqual(tuple(uses), ENDPOINT_KEYS)
        self.assertEqual(uses["purchase"], {"pos_id", "terminal_pid", "amount", "currency_id", "reference"})
        self.assertIn("external_ref", uses["operation_status"])
        self.assertNotIn("amount", uses["operation_status"])
        self.assertIn("period", uses["operations_list"])

    def test_preview(self):
        tester = self.make("purchase", reference="R-1")
        self.assertIn("POST", tester.preview)
        self.assertIn('"amount": 1234', tester.preview)
        self.assertIn("R-1", tester.preview)
        self.assertNotIn(API_KEY, tester.preview)
        self.assertIn(self.simulator.url, tester.preview)
        self.assertFalse(self.simulator.requests, "a preview sends nothing")

    def test_preview_says_what_is_missing(self):
        self.assertIn("operation_id", self.make("operation_status").preview)
        self.assertIn("above zero", self.make("purchase", amount=0).preview)

    def test_purchase_then_refund_half(self):
        tester = self.make("purchase", amount=20)
        tester.action_call()
        self.assertEqual((tester.result_state, tester.http_status), ("pending", 202))
        self.assertEqual(tester.result_operation_id.channel, "tester")
        self.assertEqual(tester.log_id.operation_id, tester.result_operation_id)
        self.assertGreater(tester.duration, 0)
        self.assertEqual(json.loads(tester.answer)["operationId"], tester.result_operation_id.external_ref)
        self.assertIn("curl", tester.curl)
        self.assertNotIn(API_KEY, tester.curl)
        tester.action_refresh()
        self.assertEqual(tester.result_state, "approved")
        refund = self.make("refund", operation_id=tester.result_operation_id.id, amount=10)
        refund.action_call()
        refund.action_refresh()
        self.assertEqual(refund.result_state, "approved", refund.result_message)
        self.assertEqual(self.simulator.net("EUR"), 1000)

    def test_called_twice_is_one_payment(self):
        tester = self.make("purchase")
        tester.action_call()
        tester.action_call()
        self.assertEqual(self.simulator.count_charges(), 1)
        again = self.env["servipay.api.tester"].browse(tester.action_again()["res_id"])
        self.assertNotEqual(again.intent_key, tester.intent_key)
        self.assertFalse(again.called)
        tester.result_operation_id.sudo()._inquire()
        again.with_user(self.manager).action_call()
        self.assertEqual(self.simulator.count_charges(), 2, "a person's new attempt is a new payment")

    def test_reference_of_another_operation_is_refused(self):
        """A lost answer is looked up by its reference: the other one's charge would be taken for it."""
        for earlier in (self.paid(), self.purchase()):
            before = self.simulator.count_charges()
            with self.assertRaisesRegex(UserError, earlier.name):
                self.make("purchase", reference=earlier.reference).action_call()
            self.assertEqual(self.simulator.count_charges(), before, "nothing was sent")

    def test_next_attempt_makes_a_reference_of_its_own(self):
        tester = self.make("purchase", reference="R-1")
        tester.action_call()
        self.assertFalse(self.env["servipay.api.tester"].browse(tester.action_again()["res_id"]).reference)

    def test_reads(self):
        paid = self.paid()
        for key in ("operations_list", "last_reconciliation"):
            tester = self.make(key)
            tester.action_call()
            self.assertTrue(tester.called)
            self.assertTrue(tester.log_id)
            self.assertFalse(tester.result_operation_id)
        listed = self.make("operations_list")
        listed.action_call()
        self.assertIn(paid.reference, listed.answer)

    def test_status_of_an_operation_is_applied(self):
        operation = self.purchase()
        tester = self.make("operation_status", operation_id=operation.id)
        self.assertEqual(tester.external_ref, operation.external_ref)
        tester.action_call()
        self.assertEqual(operation.state, "approved")
        self.assertEqual(tester.result_state, "approved")

    def test_preview_is_the_request(self):
        """What is shown before the call is what the simulator gets, for each way to call."""
        paid = self.paid()
        self.check_preview("purchase", 1, terminal_pid="T2")
        self.check_preview("refund", 1, operation_id=paid.id, amount=2, external_ref="edited")
        self.check_preview("operations_list", 1, period="weekly")
        self.check_preview("last_reconciliation", 1)
        self.simulator.script("never_ends")
        running = self.purchase(terminal_id=self.terminal.id).id
        self.check_preview("operation_status", 1, operation_id=running, terminal_pid="T2", pos_id="X")
        self.check_preview("operation_cancel", 3, operation_id=running, external_ref="edited")

    def test_preview_of_the_form_is_what_is_sent(self):
        """Key and reference too: they survive the form's saving."""
        tester = self.env["servipay.api.tester"].with_user(self.manager).with_company(self.company)
        form = Form(tester)
        form.amount = 24.5
        preview = form.preview
        record = form.save()
        record.action_call()
        (request,) = self.simulator.requests
        shown = json.loads(preview.partition("\n\n")[2])
        self.assertEqual(shown, json.loads(request["body"]))
        self.assertIn(f"Idempotency-Key: {record.intent_key}", preview)

    def test_question_names_amount_and_terminal(self):
        tester = self.make("purchase", terminal_pid="T2")
        self.assertIn("12.34", tester.question)
        self.assertIn("T2", tester.question)
        self.assertEqual(tester.action_ask()["target"], "new")
        self.assertFalse(self.simulator.requests)
        for tester in (self.make("refund"), self.make("purchase", amount=0)):
            with self.assertRaisesRegex(UserError, "Nothing was sent"):
                tester.action_ask()

    def check_preview(self, key, number, **values):
        tester, before = self.make(key, **values), len(self.simulator.requests)
        preview = tester.preview
        tester.action_call()
        sent = self.simulator.requests[before:]
        self.assertEqual(len(sent), number, key)
        shown = [line.split(" ", 1) for line in preview.splitlines() if line.startswith(("GET h", "POST h"))]
        for request, (method, url) in zip(sent, shown, strict=False):
            self.assertEqual((request["method"], request["path"]), (method, urlsplit(url).path), key)
        self.assertGreaterEqual(len(shown), number)
        for operation in tester.result_operation_id.sudo():
            operation._inquire()

    def test_a_void_previews_its_amount(self):
        paid = self.paid()
        tester = self.make("void", operation_id=paid.id, amount=1)
        self.assertIn(paid.external_ref, tester.preview)
        self.assertNotIn('"amount": 100', tester.preview)

    def test_an_old_answer_is_not_shown_as_new(self):
        """Asked again about a settled operation; and where nothing can be sent, that is said."""
        paid = self.paid()
        tester, before = self.make("operation_result", operation_id=paid.id), len(self.simulator.requests)
        tester.action_call()
        self.assertEqual(len(self.simulator.requests), before + 2)
        self.assertTrue(tester.log_id)
        cancel, before = self.make("operation_cancel", operation_id=paid.id), len(self.simulator.requests)
        cancel.action_call()
        self.assertEqual(len(self.simulator.requests), before)
        self.assertIn("Nothing was sent", cancel.result_message)
        self.assertFalse(cancel.log_id or cancel.answer or cancel.http_status)

    def test_status_of_a_foreign_operation_is_only_shown(self):
        operation = self.purchase()
        tester = self.make("operation_status", external_ref=operation.external_ref)
        tester.action_call()
        self.assertEqual(tester.http_status, 200)
        self.assertEqual(operation.state, "pending")

    def test_cancel(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        tester = self.make("operation_cancel", operation_id=operation.id)
        tester.action_call()
        tester.action_refresh()
        self.assertEqual(operation.state, "cancelled")

    def test_refund_needs_its_operation(self):
        with self.assertRaises(UserError):
            self.make("refund").action_call()

    def test_failure_is_explained(self):
        self.company.servipay_api_key = "a-wrong-key-for-sure"
        tester = self.make("purchase")
        tester.action_call()
        self.assertEqual((tester.result_state, tester.result_kind), ("failed", "danger"))
        self.assertIn("No money was moved", tester.result_message)

    def test_open(self):
        tester = self.make("purchase")
        tester.action_call()
        self.assertEqual(tester.action_open_operation()["res_id"], tester.result_operation_id.id)
        self.assertEqual(tester.action_open_log()["res_id"], tester.log_id.id)

    def test_warnings(self):
        self.assertIn("assumption", self.make("purchase").warnings)
        self.company.write({"servipay_environment": "production", "servipay_verify_ssl": False})
        warnings = self.make("purchase").warnings
        self.assertIn("real money", warnings)
        self.assertIn("not verified", warnings)

    def test_only_managers(self):
        with self.assertRaises(AccessError):
            self.env["servipay.api.tester"].with_user(self.reader).create({"company_id": self.company.id})
