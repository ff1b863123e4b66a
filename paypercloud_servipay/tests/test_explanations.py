"""Whatever happened, people read what it means for the money, in their language."""

from odoo.tests import tagged

from ..api import outcome, refusals, states
from ..models.servipay_operation_explanation import ServipayOperation as Explaining
from .common import ApiCase

# reasons that api.dialogue and the state machine make besides those of api.outcome
OWN_REASONS = (
    *(
        "not_sent",
        "no_answer",
        "configuration",
        "authentication",
        "validation",
        "not_found",
        "busy",
        "remote",
    ),
    *(
        "terminal_held",
        "mismatch",
        "contradictory",
        "ambiguous",
        "no_conclusion",
        "overdue",
        "cancel_refused",
    ),
    *("reversed_unseen", "voided", "void_undone", "person", "withdrawn", "nothing_left"),
)
# about lists and totals: they never reach an operation
NOT_SHOWN = {"http_pending", "rows_missing", "rows_unreadable", "rows_truncated"}


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestExplanations(ApiCase):
    def test_every_reason_has_its_sentence(self):
        # this addon's own: others add the sentences of their providers
        sentences = Explaining._reason_sentences(self.operations.new())
        self.assertEqual(set(sentences), (set(outcome.REASONS) - NOT_SHOWN) | set(OWN_REASONS))

    def test_every_state_says_what_it_means_for_the_money(self):
        for kind in ("purchase", "reconciliation"):
            for state in states.STATES:
                operation = self.operations.new({"state": state, "kind": kind})
                if kind == "purchase" or state in ("unknown", "failed"):
                    self.assertTrue(operation._explain_money(), (kind, state))

    def test_never_failed_and_never_a_plain_retry_in_doubt(self):
        for reason in (*outcome.REASONS, *OWN_REASONS):
            for contradicted in (False, True):
                text = self.operations.new(
                    {"state": "unknown", "kind": "purchase", "reason": reason, "contradicted": contradicted}
                )._explain()
                for word in ("try again", "retry", "No money was moved", "start a new"):
                    self.assertNotIn(word, text, reason)

    def test_every_meaning_of_a_code_has_its_sentence(self):
        self.assertEqual(set(self.operations.new()._refusal_sentences()), set(refusals.MEANINGS))

    def test_refusals_say_why(self):
        """By the code, so that everybody reads it in an own language; without one, what is known."""
        cases = {
            ("declined", "05"): "gives no reason (05)",
            ("declined", "51"): "not sufficient (51)",
            ("declined", "54"): "expired (54)",
            ("declined", "55"): "PIN was wrong (55)",
            ("cancelled", None): "cancelled, on the terminal",
            ("failed", None): "reported a failure",
        }
        for (outcome_name, code), expected in cases.items():
            with self.subTest(outcome_name, code=code):
                self.simulator.script(outcome_name, **({"code": code} if code else {}))
                operation = self.purchase(terminal_id=self.terminal.id)
                operation._inquire()
                self.assertEqual(operation.state, outcome_name)
                self.assertIn(expected, operation.explanation)
                self.assertIn("No money was moved", operation.explanation)

    def test_refused_starts_say_why(self):
        self.simulator.fault("purchase", "busy", times=1)
        self.assertIn("busy with another payment", self.purchase().explanation)
        unknown = self.env["servipay.terminal"].create(
            {"name": "T9", "pid": "T9", "company_id": self.company.id}
        )
        self.assertIn("does not know this terminal", self.purchase(terminal_id=unknown.id).explanation)
        self.company.servipay_api_key = "a-wrong-key-for-sure"
        self.assertIn("refused the API key", self.purchase().explanation)

    def test_details_with_braces(self):
        operation = self.operations.new({"state": "failed", "reason": "validation", "detail": "{0} {x} %s"})
        self.assertIn("{0} {x} %s", operation._explain())

    def test_languages(self):
        operation = self.paid()
        for lang, money, approved in (
            ("fr_FR", "argent", "Accepté"),
            ("es_ES", "El dinero se movió", "Aprobada"),
        ):
            self.env["res.lang"]._activate_lang(lang)
            self.env["ir.module.module"]._load_module_terms(["paypercloud_servipay"], [lang])
            reader = operation.with_context(lang=lang)
            self.assertIn(money, reader.explanation)
            labels = dict(operation._fields["state"]._description_selection(reader.env))
            self.assertEqual(labels["approved"], approved)

    def test_our_own_texts_are_read_in_the_readers_language(self):
        """What is stored (a broken connection, what differs) is translated when it is read."""
        self.env["res.lang"]._activate_lang("es_ES")
        self.env["ir.module.module"]._load_module_terms(["paypercloud_servipay"], ["es_ES"])
        cases = (
            ("no_answer", "no answer in time", "sin respuesta a tiempo"),
            ("", "the server could not be reached in time", "no se pudo contactar"),
            ("mismatch", "amount: 12.34 / 99.00", "importe: 12.34 / 99.00"),
            ("", "what the provider said", "El proveedor dijo: what the provider said"),
            ("configuration", "api_key is empty or cannot stand in a header.", "api_key está vacío"),
        )
        for reason, detail, expected in cases:
            values = {"state": "unknown", "kind": "purchase", "reason": reason, "detail": detail}
            operation = self.operations.with_context(lang="es_ES").new(values)
            self.assertIn(expected, operation._explain())

    def test_amount_that_cannot_be_written_is_told_with_its_figure(self):
        """A currency rounded finer than ISO 4217 counts it: no type's name, and a sentence that is known."""
        self.eur.rounding = 0.001
        self.env.flush_all()
        operation = self.purchase(amount=3.333)
        self.assertEqual((operation.state, operation.reason), ("failed", "configuration"))
        self.assertIn("The amount 3.333 has", operation.explanation)
        self.assertTrue(self.env["servipay.sentence"]._knows(operation.detail))

    def test_what_can_be_paid_of_a_currency_that_is_rounded_finer(self):
        currency = self.company.currency_id
        currency.rounding = 0.001
        for amount, payable in (
            (200.765, 200.77),
            (-200.765, -200.77),
            (12.3, 12.3),
            (0.004, 0.004),
            (0, 0),
            (1e300, 1e300),
        ):
            self.assertEqual(currency._servipay_payable(amount), payable)
        self.assertEqual(
            [currency._servipay_is_crumb(rest) for rest in (0.009, -0.009, 0.01)], [True, True, False]
        )
        strange = currency.copy({"name": "ZZQ"})
        self.assertEqual(
            (strange._servipay_payable(1.234), strange._servipay_is_crumb(0.001)), (1.234, False)
        )
