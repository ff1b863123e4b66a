"""The nine endpoints over real HTTP: what succeeds, and what each fault makes of an operation."""

from datetime import datetime, timezone

from odoo.exceptions import UserError
from odoo.tests import tagged

from ..api.dialogue import Call
from ..api.finding import Finding
from .common import API_KEY, ApiCase
from .simulator import Api

# faults on the answer to a purchase after which nobody can know: fault of the simulator, parameters
UNCERTAIN = (
    ("close_after", {}),
    ("close_before", {}),
    ("reset", {}),
    ("garbage", {}),
    ("truncated_json", {}),
    ("garbage_body", {}),
    ("invalid_utf8", {}),
    ("duplicate_keys", {}),
    ("http_500", {}),
    ("html_502", {}),
    ("short_body", {}),
    ("oversize", {"mib": 2}),
    ("redirect_other", {}),
)
# faults that only make the way of a good answer harder
HARMLESS = (("split", {}), ("extra_fields", {}), ("wrong_content_type", {}))
WRONG_RESULTS = ("wrong_amount", "wrong_currency", "wrong_terminal", "wrong_reference")


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestEndpoints(ApiCase):
    # ------------------------------------------------------------------
    # Success
    # ------------------------------------------------------------------

    def test_purchase_status_result(self):
        operation = self.purchase(terminal_id=self.terminal.id)
        self.assertEqual(operation.state, "pending")
        self.assertTrue(operation.external_ref)
        operation._inquire()
        self.assertEqual(operation.state, "approved")
        self.assertEqual(operation.approved_amount, 12.34)
        self.assertRegex(operation.masked_pan, r"^\d{6}\*+\d{4}$")
        for field in (
            "authorization_code",
            "card_brand",
            "rrn",
            "stan",
            "customer_receipt",
            "merchant_receipt",
        ):
            self.assertTrue(operation[field], field)
        self.assertTrue(operation.settled_at)
        self.assertFalse(operation.next_inquiry_at)
        self.assertEqual(self.simulator.count_charges(operation.reference), 1)
        self.assertEqual(
            self.logs(operation).mapped("endpoint"), ["purchase", "operation_status", "operation_result"]
        )

    def test_refund_and_void(self):
        paid = self.paid()
        refund = paid._give_back("refund-1", 4.34)
        refund._inquire()
        self.assertEqual(refund.state, "approved")
        self.assertEqual(paid.refundable_amount, 8)
        self.assertEqual(paid.state, "approved")
        other = self.paid()
        void = other._give_back("void-1", 12.34, void=True)
        void._inquire()
        self.assertEqual(void.state, "approved")
        self.assertEqual(other.state, "reversed")
        self.assertEqual(self.simulator.net("EUR"), 800)

    def test_reconciliation(self):
        self.paid()
        self.paid(amount=10)
        operation = self.purchase(kind="reconciliation", amount=0, currency_id=False)
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertEqual(sum(operation.total_ids.mapped("count")), 2)
        self.assertAlmostEqual(sum(operation.total_ids.mapped("amount")), 22.34)
        self.assertTrue(operation.batch)
        last = self.company._paypercloud_api().call(Call("last_reconciliation"))
        self.assertEqual(last.outcome.fields["operation_id"], operation.external_ref)

    def test_operation_cancel(self):
        self.simulator.script("never_ends")
        operation = self.purchase()
        operation._cancel()
        self.assertIn(operation.state, ("cancelling", "cancelled"))
        operation._inquire()
        self.assertEqual(operation.state, "cancelled")
        self.assertEqual(self.simulator.count_charges(), 0)

    def test_cancel_loses_the_race(self):
        """A cancelled operation may still end approved, and then it is approved."""
        self.simulator.script("approved_after_cancel")
        operation = self.purchase()
        operation._cancel()
        operation._inquire()
        self.assertEqual(operation.state, "approved")
        self.assertEqual(self.simulator.count_charges(operation.reference), 1)

    def test_operations_list(self):
        first, second = self.paid(), self.paid(amount=5)
        for period in ("daily", "weekly"):
            values = {"period": period, "date": first.sent_at.date().isoformat()}
            reply = self.company._paypercloud_api().call(Call("operations_list", values))
            references = {row["reference"] for row in reply.outcome.rows}
            self.assertEqual(references, {first.reference, second.reference}, period)

    def test_presets(self):
        """The other two shipped profiles lead to the same result."""
        for name in ("flat_rpc", "path_scoped"):
            with self.subTest(name):
                self.simulator.reset()
                self.company.servipay_profile_id = self.env.ref(f"paypercloud_servipay.profile_{name}")
                paid = self.paid()
                refund = paid._give_back(f"refund-{name}", 2)
                refund._inquire()
                self.assertEqual(refund.state, "approved", refund.explanation)
                self.assertEqual(self.simulator.net("EUR"), 1034)

    def test_currencies(self):
        """Amounts travel in minor units of the currency's own digits."""
        for name, amount, minor in (("JPY", 1500, 1500), ("TND", 12.345, 12345), ("EUR", 0.29, 29)):
            currency = self.env["res.currency"].with_context(active_test=False).search([("name", "=", name)])
            currency.active = True
            currency.rounding = {"JPY": 1, "TND": 0.001, "EUR": 0.01}[name]
            operation = self.paid(amount=amount, currency_id=currency.id)
            self.assertEqual(self.simulator.charges[-1].amount, minor)
            self.assertEqual(operation.approved_amount, amount)

    # ------------------------------------------------------------------
    # Outcomes that are no success
    # ------------------------------------------------------------------

    def test_declined(self):
        self.simulator.script("declined", code="51", message="Insufficient funds")
        operation = self.purchase()
        operation._inquire()
        self.assertEqual(operation.state, "declined")
        self.assertEqual(operation.decline_code, "51")
        self.assertIn("(51)", operation.explanation)

    def test_uncertain_words_are_unknown(self):
        """The provider's own doubt stays doubt: in the assumed vocabulary "timeout" is not "failed"."""
        self.simulator.script("timeout", charged=True)
        operation = self.purchase()
        operation._inquire()
        self.assertEqual(operation.state, "pending")
        self.make_overdue(operation)
        operation._inquire()
        self.assertEqual(operation.state, "unknown")
        self.assertIn("may have been moved", operation.explanation)

    def test_unknown_word_never_settles(self):
        self.simulator.script("unknown_word")
        operation = self.purchase()
        operation._inquire()
        self.assertEqual(operation.state, "pending")
        self.assertIn("zz_unheard_of", operation.explanation)

    def test_busy_terminal(self):
        self.simulator.script("never_ends")
        self.purchase(terminal_id=False)
        second = self.purchase()
        self.assertEqual(second.state, "failed")
        self.assertEqual(second.reason, "busy")
        self.assertEqual(self.simulator.count_charges(), 0)

    def test_wrong_key(self):
        self.company.servipay_api_key = "another-key-altogether"
        operation = self.purchase()
        self.assertEqual((operation.state, operation.reason), ("failed", "authentication"))

    def test_partial_approval_is_a_mismatch_unless_allowed(self):
        self.simulator.script("partial", times=2)
        operation = self.purchase(amount=10)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
        self.env.ref("paypercloud_servipay.profile_default").partial_approval = True
        allowed = self.purchase(amount=10)
        allowed._inquire()
        self.assertEqual((allowed.state, allowed.approved_amount), ("approved", 5))

    # ------------------------------------------------------------------
    # Faults
    # ------------------------------------------------------------------

    def test_uncertain_answers_to_a_purchase(self):
        """Whatever happens to the answer: unknown, one charge at most, and an inquiry finds the truth."""
        for fault, params in UNCERTAIN:
            with self.subTest(fault):
                self.simulator.reset()
                self.simulator.fault("purchase", fault, times=1, **params)
                operation = self.purchase()
                self.assertEqual(operation.state, "unknown", f"{fault}: {operation.explanation}")
                operation._inquire()
                taken = self.simulator.count_charges(operation.reference)
                self.assertEqual(operation.state, "approved" if taken else "unknown", fault)
                self.assertLessEqual(len(self.simulator.charges), 1)

    def test_harmless_faults(self):
        for fault, params in HARMLESS:
            with self.subTest(fault):
                self.simulator.fault("*", fault, times=3, **params)
                self.paid()

    def test_timeout_after_the_purchase_was_received(self):
        self.company.servipay_timeout = 1
        self.simulator.fault("purchase", "timeout_after", times=1, seconds=4)
        operation = self.purchase()
        self.assertEqual((operation.state, operation.reason), ("unknown", "no_answer"))
        operation._inquire()
        self.assertEqual(operation.state, "approved")
        self.assertEqual(self.simulator.count_charges(operation.reference), 1)

    def test_slow_drip_is_cut(self):
        """Bytes that drip in keep a read time-out from ever firing; the whole exchange has a deadline."""
        self.company.servipay_timeout = 1
        self.simulator.fault("purchase", "drip_body", times=1, interval=0.5, step=1)
        operation = self.purchase()
        self.assertEqual(operation.state, "unknown")
        self.assertLess(self.logs(operation)[0].duration, 8000)

    def test_nothing_left_is_certain(self):
        self.simulator.stop()
        try:
            operation = self.purchase()
        finally:
            self.simulator.start()
        self.assertEqual((operation.state, operation.reason), ("failed", "not_sent"))
        self.assertEqual(len(self.logs(operation)), 3, "what did not leave is tried again")

    def test_faults_of_inquiries_settle_nothing(self):
        for endpoint in ("operation_status", "operation_result"):
            for fault in ("close_after", "http_500", "garbage_body", "html_503", "gzip_bomb"):
                with self.subTest(f"{endpoint} {fault}"):
                    self.simulator.reset()
                    operation = self.purchase()
                    self.simulator.fault(endpoint, fault, times=3)
                    operation._inquire()
                    self.assertEqual(operation.state, "pending")
                    self.simulator.clear_faults()
                    operation._inquire()
                    self.assertEqual(operation.state, "approved")

    def test_wrong_results_are_never_approved(self):
        for fault in WRONG_RESULTS:
            with self.subTest(fault):
                self.simulator.reset()
                operation = self.purchase(terminal_id=self.terminal.id)
                self.simulator.fault("operation_result", fault, times=1)
                operation._inquire()
                self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"), fault)
                operation._inquire()
                self.assertEqual(operation.state, "approved", "the right answer settles it")

    def test_answer_for_another_operation(self):
        self.paid(amount=99)
        operation = self.purchase()
        ours = operation.external_ref
        self.simulator.fault("operation_result", "other_operation", times=1)
        operation._inquire()
        self.assertNotEqual(operation.state, "approved")
        self.assertEqual(
            operation.external_ref, ours, "an answer about something else does not re-point this one"
        )

    def test_found_in_a_list_of_local_days(self):
        """Sunday 22:30 UTC is Monday in Brussels: a provider there has it in Monday's day and week."""
        self.patch(Api, "day_offset", 1)
        self.simulator.fault("purchase", "close_after", times=1)
        operation = self.purchase()
        then = datetime(2025, 11, 23, 23, 30)
        [known] = self.simulator.application.books.operations.values()
        known.created = then.replace(tzinfo=timezone.utc).timestamp()
        operation.write({"sent_at": then})
        self.env.flush_all()
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)

    def test_list_is_down_too(self):
        self.simulator.fault("purchase", "close_after", times=1)
        operation = self.purchase()
        self.simulator.fault("operations_list", "http_500", times=99)
        operation._inquire()
        self.assertEqual(operation.state, "unknown")
        self.simulator.clear_faults()
        operation._inquire()
        self.assertEqual(operation.state, "approved")

    def test_card_number_never_stored(self):
        self.simulator.fault("*", "full_pan")
        operation = self.paid()
        stored = str(operation.read()) + str(self.logs(operation).read())
        self.assertNotIn("4111111111111111", stored)
        self.assertNotIn(API_KEY, stored)

    def test_numbers_that_look_like_a_card_stay_what_they_are(self):
        """A provider's number may pass the check of card numbers; altered, it would be asked for in vain."""
        number = "4111111111111111"
        self.simulator.script("approved", id=number)
        operation = self.purchase()
        self.assertEqual(operation.external_ref, number)
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        refund = operation._give_back("r1", 1)
        refund._inquire()
        self.assertEqual(refund.state, "approved", refund.explanation)

    def test_card_number_in_the_place_of_a_number(self):
        """A profile that takes the card for the operation's number, or for the acquirer's reference."""
        for name in ("merchant_id", "rrn", "external_ref", "transaction_datetime"):
            with self.subTest(name):
                operation = self.operations._open(self.values())
                operation._move("sent")
                values = {name: "5555555555554444", "masked_pan": "555555******4444"}
                operation._apply(Finding("unknown", values=values))
                self.assertNotIn("5555555555554444", str(operation.read()))

    def test_no_address_no_key(self):
        self.company.servipay_base_url = False
        operation = self.purchase()
        self.assertEqual((operation.state, operation.reason), ("failed", "configuration"))
        with self.assertRaises(UserError):
            self.company._servipay_test_connection()
