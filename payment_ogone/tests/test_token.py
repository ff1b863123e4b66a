"""Saved cards: kept with the customer's consent, charged once, identified at the bank, deleted."""

from datetime import timedelta
from urllib.parse import urlsplit

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.payment.tests.common import PaymentCommon

from .common import OgoneCase

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"
ALIAS = "ODOO-ALIAS-" + "0" * 32


class TokenCase(OgoneCase):
    def kept(self, choice="ok", consent=True, **values):
        """Pay an invoice and ask for the card to be kept; the transaction."""
        tx = self.transaction(self.invoice(), tokenize=True, **values)
        self.attempt(tx, choice, consent=consent)
        return tx

    def charge(self, token, amount=80.0, operation="online_token", method="_send_payment_request", **values):
        """Charge a saved card as the portal does; the transaction."""
        tx = self.transaction(self.invoice(amount), token_id=token.id, operation=operation, **values)
        getattr(tx, method)()
        self.env.invalidate_all()
        return tx

    def pay_in_portal(self, token, amount=80.0):
        """Let the customer charge a saved card on the portal, by the route that the browser calls."""
        values = (self.customer.id, amount, self.currency.id)
        self.env.flush_all()
        self.make_jsonrpc_request(
            "/payment/transaction",
            {
                "partner_id": self.customer.id,
                "amount": amount,
                "currency_id": self.currency.id,
                "access_token": PaymentCommon._generate_test_access_token(self, *values),
                "provider_id": self.provider.id,
                "payment_method_id": self.method.id,
                "token_id": token.id,
                "flow": "token",
                "tokenization_requested": False,
                "landing_route": "/my/payment_method",
                "reference_prefix": "portal",
            },
        )
        self.env.invalidate_all()
        return self.env["payment.transaction"].search([("token_id", "=", token.id)], limit=1, order="id desc")

    def orders(self, tx):
        return [order for order in self.simulator.orders if order.orderid == tx.reference]


@tagged("post_install", "-at_install", "payment_ogone")
class TestKeep(TokenCase):
    def test_consent_makes_a_token_once(self):
        tx = self.kept()
        token = tx.token_id
        self.assertEqual((tx.state, tx.tokenize), ("done", False))
        self.assertEqual((token.payment_details, token.partner_id), ("1111", self.customer))
        self.assertRegex(token.provider_ref, r"^ODOO-ALIAS-[0-9A-F]{32}$")
        self.assertIn(token.provider_ref, self.simulator.aliases)
        self.tell()
        self.assertEqual(self.env["payment.token"].search_count([("partner_id", "=", self.customer.id)]), 1)

    def test_name_that_looks_like_an_account_number_is_kept(self):
        tx = self.transaction(self.invoice(), tokenize=True)
        self.form(tx)
        self.operation(tx).ogone_alias = "ODOO-ALIAS-FR7630006000011234567890189ABCDE"
        self.attempt(tx, consent=True)
        self.assertEqual(tx.token_id.provider_ref, self.operation(tx).ogone_alias)

    def test_form_says_what_the_card_is_kept_for(self):
        tx = self.transaction(self.invoice(), tokenize=True)
        form = dict(self.form(tx)[1])
        self.assertIn(self.company.name, form["ALIASUSAGE"])
        self.assertEqual(dict(self.form(tx)[1])["ALIAS"], form["ALIAS"], "the same form again")
        self.assertNotIn("ALIAS", dict(self.form(self.transaction(self.invoice()))[1]))

    def test_no_consent_no_token(self):
        tx = self.kept(consent=False)
        self.assertEqual((tx.state, tx.token_id.id), ("done", False))

    def test_no_alias_manager_no_token(self):
        self.simulator.configure(alias_manager=False)
        tx = self.kept()
        self.assertEqual((tx.state, tx.token_id.id), ("done", False))

    def test_refused_payment_keeps_nothing(self):
        self.simulator.set(report_refusals=True)
        tx = self.kept("30511001")
        self.assertEqual((tx.state, tx.token_id.id), ("error", False))

    def test_another_alias_than_was_asked_for_is_not_kept(self):
        tx = self.transaction(self.invoice(), tokenize=True)
        visit = self.visit(tx)
        self.operation(tx).ogone_alias = ALIAS
        self.simulator.attempt(visit, "ok", consent=True)
        self.tell()
        self.assertEqual((tx.state, tx.token_id.id), ("done", False))

    def test_message_after_an_inquiry_brings_the_card(self):
        tx = self.transaction(self.invoice(), tokenize=True)
        self.simulator.attempt(self.visit(tx), "ok", consent=True)
        operation = self.operation(tx)
        operation.write({"sent_at": fields.Datetime.now() - timedelta(hours=2)})
        operation._inquire()
        self.env.invalidate_all()
        self.assertEqual(operation.state, "approved")
        self.tell()
        self.assertEqual(tx.token_id.payment_details, "1111")

    def test_not_offered_without_a_payment(self):
        providers = self.env["payment.provider"].sudo()
        found = providers._get_compatible_providers(
            self.company.id, self.customer.id, 0.0, currency_id=self.currency.id, is_validation=True
        )
        self.assertNotIn("ogone", found.mapped("code"))

    def test_deleted_card_is_archived(self):
        token = self.kept().token_id
        token.active = False
        available = self.env["payment.token"]._get_available_tokens(self.provider.ids, self.customer.id)
        self.assertFalse(available)


@tagged("post_install", "-at_install", "payment_ogone")
class TestCharge(TokenCase):
    def setUp(self):
        super().setUp()
        self.token = self.kept().token_id

    def test_charged_once_and_booked(self):
        tx = self.charge(self.token)
        self.assertEqual((tx.state, self.operation(tx).state), ("done", "approved"))
        self.assertEqual(tx.invoice_ids.amount_residual, 0)
        tx._send_payment_request()
        self.assertEqual(self.simulator.count_requests("order"), 1)
        self.assertEqual(len(self.orders(tx)), 1)

    def test_what_is_sent(self):
        tx = self.charge(self.token, operation="offline")
        fields_sent = self.orders(tx)[0].fields
        self.assertEqual(
            (fields_sent["ALIAS"], fields_sent["AMOUNT"], fields_sent["ECI"], fields_sent["OPERATION"]),
            (self.token.provider_ref, "8000", "9", "SAL"),
        )
        self.assertNotIn("FLAG3D", fields_sent, "nobody is there who could identify")

    def test_refused(self):
        self.simulator.script("order", "30511001")
        tx = self.charge(self.token)
        self.assertEqual((tx.state, self.operation(tx).state), ("error", "declined"))
        self.assertTrue(tx.state_message)

    def test_lost_answer_is_pending_and_settled_by_inquiry(self):
        self.simulator.fault("order", "drop_after")
        with mute_logger(CLIENT):
            tx = self.charge(self.token)
        self.assertEqual((tx.state, self.operation(tx).state), ("pending", "unknown"))
        self.operation(tx)._inquire()
        self.env.invalidate_all()
        self.assertEqual((tx.state, self.operation(tx).state), ("done", "approved"))
        self.assertEqual(self.simulator.count_requests("order"), 1)

    # -- twice

    def register(self, invoice):
        """Register a payment with the saved card, as the accountant's wizard does."""
        lines = self.provider.journal_id.inbound_payment_method_line_ids
        line = lines.filtered(lambda one: one.payment_provider_id == self.provider)
        context = {"active_model": "account.move", "active_ids": invoice.ids}
        values = {
            "journal_id": self.provider.journal_id.id,
            "payment_method_line_id": line.id,
            "payment_token_id": self.token.id,
        }
        wizard = self.env["account.payment.register"].with_context(**context).create(values)
        payments = wizard._create_payments()
        self.env.flush_all()
        self.env.invalidate_all()
        return payments

    def test_charge_that_may_be_on_its_way_is_no_page_that_was_left(self):
        """Its process died after sending: that the platform does not find it within minutes ends nothing."""
        self.simulator.fault("order", "drop_before")
        with mute_logger(CLIENT):
            tx = self.charge(self.token)
        operation = self.operation(tx)
        operation.write({"reason": "no_conclusion", "deadline_at": "2020-01-01"})
        self.env.flush_all()
        for _denial in range(2):
            operation._inquire()
            self.env.invalidate_all()
            self.assertEqual(operation.state, "unknown")
            operation.denied_at = "2020-01-01"
            self.env.flush_all()

    def test_second_charge_is_refused_while_the_first_is_unknown(self):
        invoice = self.invoice(80)
        self.simulator.fault("order", "drop_after")
        with mute_logger(CLIENT):
            payment = self.register(invoice)
        first = payment.payment_transaction_id
        self.assertEqual(self.operation(first).state, "unknown")
        with self.assertRaisesRegex(UserError, self.operation(first).name), self.env.cr.savepoint():
            self.register(invoice)
        stale = self.transaction(invoice, token_id=self.token.id, operation="online_token")
        with self.assertRaises(UserError), self.env.cr.savepoint():
            stale._send_payment_request()
        self.assertEqual(self.simulator.count_requests("order"), 1)

    def test_payment_that_waits_for_its_charge_cannot_be_confirmed(self):
        self.simulator.fault("order", "drop_after")
        with mute_logger(CLIENT):
            payment = self.register(self.invoice(80))
        with self.assertRaisesRegex(UserError, "being charged"):
            payment.action_post()
        operation = self.operation(payment.payment_transaction_id)
        operation._resolve("failed", "not in the back office")
        self.env.invalidate_all()
        self.assertIn(payment.state, ("cancel", "canceled"))

    def test_uncertain_answers_are_unknown(self):
        for fault in ("html", "server_error", "garbage", "blank_status"):
            self.simulator.fault("order", fault)
            tx = self.charge(self.token, amount=3)
            self.assertEqual((self.operation(tx).state, tx.state), ("unknown", "pending"), fault)

    def test_order_that_the_platform_knows_is_asked_about(self):
        """50001113: an earlier request of ours arrived after all."""
        tx = self.transaction(self.invoice(80), token_id=self.token.id, operation="offline")
        other = self.transaction(self.invoice(80), token_id=self.token.id, operation="offline")
        other.reference = "other"
        self.operation_of(other, tx.reference)
        tx._send_payment_request()
        self.env.invalidate_all()
        self.assertEqual((self.operation(tx).state, tx.state), ("unknown", "pending"))
        self.operation(tx)._inquire()
        self.env.invalidate_all()
        self.assertEqual((self.operation(tx).state, tx.state), ("approved", "done"))
        self.assertEqual(len(self.orders(tx)), 1)

    def operation_of(self, tx, reference):
        """Charge a card under another reference than the transaction's."""
        tx._servipay_charge(reference)
        self.env.flush_all()

    def test_unknown_alias_is_failed_in_words(self):
        self.simulator.delete_alias(self.token.provider_ref)
        tx = self.charge(self.token)
        self.assertEqual((tx.state, self.operation(tx).state), ("error", "failed"))
        self.assertIn("not Found", self.operation(tx).detail)
        self.assertIn("nothing was taken", tx.state_message)

    def test_authorised_only(self):
        self.provider.capture_manually = True
        tx = self.charge(self.token)
        self.assertEqual((tx.state, self.operation(tx).kind), ("authorized", "authorisation"))

    def test_wrong_amount_is_never_paid(self):
        self.simulator.fault("order", "drop_after")
        with mute_logger(CLIENT):
            tx = self.charge(self.token)
        self.orders(tx)[0].first.amount = 7900
        self.operation(tx)._inquire()
        self.env.invalidate_all()
        self.assertEqual((self.operation(tx).state, tx.state), ("unknown", "pending"))

    def test_request_that_was_never_sent_is_ended(self):
        tx = self.transaction(self.invoice(80), token_id=self.token.id, operation="offline")
        operation = tx._servipay_open(tx.reference, False)
        self.env.cr.execute(
            "UPDATE payment_transaction SET create_date = create_date - interval '1 hour' WHERE id = %s",
            [tx.id],
        )
        self.env.invalidate_all()
        self.env["servipay.operation"]._ogone_cron_pending()
        self.assertEqual((operation.state, tx.state), ("cancelled", "cancel"))
        self.assertEqual(self.simulator.count_requests("order"), 0)

    def test_log_hides_the_banks_page(self):
        tx = self.identification()
        log = self.env["servipay.api.log"].search([("operation_id", "=", self.operation(tx).id)])
        self.assertIn("HTML_ANSWER", log[-1].response_body)
        self.assertNotIn("PGh0bWw", log[-1].response_body)

    def identification(self):
        """Charge a card whose bank wants to see the customer."""
        self.simulator.script("order", "3ds")
        return self.pay_in_portal(self.token)

    def test_bank_wants_to_see_the_customer(self):
        tx = self.identification()
        operation = self.operation(tx)
        self.assertEqual(
            (tx.state, operation.state, operation.reason), ("pending", "pending", "og_identification")
        )
        self.assertIn("<form", operation.ogone_identification)
        self.assertNotIn("ogone_identification", operation.with_user(self.accountant).fields_get())
        self.assertLess(operation.deadline_at, fields.Datetime.now() + timedelta(hours=2))

    def test_customer_is_led_to_the_bank_once(self):
        tx = self.identification()
        led = self.url_open("/payment/status", allow_redirects=False)
        self.assertEqual(urlsplit(led.headers["Location"]).path, "/payment/ogone/identify")
        page = self.url_open("/payment/ogone/identify")
        self.assertEqual(page.text, self.operation(tx).ogone_identification)
        self.assertIn("sandbox", page.headers["Content-Security-Policy"])
        self.assertNotIn("allow-same-origin", page.headers["Content-Security-Policy"])
        self.assertEqual(self.url_open("/payment/status", allow_redirects=False).status_code, 200)
        self.assertEqual(self.orders(tx)[0].fields["ECI"], "7")

    def test_nobody_else_is_led_to_the_bank(self):
        self.identification()
        self.opener.cookies.clear()
        other = self.url_open("/payment/ogone/identify", allow_redirects=False)
        self.assertEqual(urlsplit(other.headers["Location"]).path, "/payment/status")

    def test_customer_identified(self):
        tx = self.identification()
        self.simulator.identify(self.simulator.identification(tx.reference))
        self.tell()
        self.assertEqual((tx.state, self.operation(tx).state), ("done", "approved"))
        self.assertFalse(self.operation(tx).ogone_identification)

    def test_customer_did_not_identify(self):
        tx = self.identification()
        operation = self.operation(tx)
        operation.write({"deadline_at": fields.Datetime.now() - timedelta(seconds=1)})
        for _denial in range(2):
            operation._inquire()
            operation.denied_at -= timedelta(minutes=11)
        self.env.invalidate_all()
        self.assertEqual((tx.state, operation.state, operation.reason), ("cancel", "cancelled", "page_left"))

    def test_nobody_there_is_a_refusal_in_words(self):
        self.simulator.script("order", "soft")
        tx = self.charge(self.token, operation="offline")
        self.assertEqual((tx.state, self.operation(tx).state), ("error", "declined"))
