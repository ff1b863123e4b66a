"""To the page and back: the form, the server that is chosen, three attempts, cancel, return."""

from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import paybox_client
from .common import PayboxCase
from .simulator import Refused

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"


@tagged("post_install", "-at_install", "payment_paybox")
class TestPage(PayboxCase):
    def test_form_is_taken_by_the_platform(self):
        transaction = self.transaction(self.invoice(120.5))
        address, pairs = self.form(transaction)
        fields = dict(pairs)
        self.assertEqual(address, f"{self.simulator.url}/php/")
        self.assertEqual((fields["PBX_TOTAL"], fields["PBX_CMD"]), ("12050", transaction.reference))
        self.assertTrue(fields["PBX_REPONDRE_A"].endswith("/payment/paybox/ipn"))
        self.assertIn("<FirstName>Helene</FirstName><LastName>d'OEuvre</LastName>", fields["PBX_BILLING"])
        visit = self.simulator.open(pairs)
        self.assertFalse(visit.over)
        with self.assertRaises(Refused):
            self.simulator.open(pairs[::-1])

    def test_operation_is_there_before_the_customer_leaves(self):
        transaction = self.transaction(self.invoice())
        self.form(transaction)
        operation = self.operation(transaction)
        self.assertEqual(
            (operation.state, operation.kind, operation.channel), ("pending", "purchase", "online")
        )
        self.assertEqual((operation.amount, operation.reference), (120.0, transaction.reference))
        self.form(transaction)  # the page is rendered again
        self.assertEqual(self.env["servipay.operation"].search_count(transaction._servipay_operations()), 1)

    def test_currencies_have_their_own_digits(self):
        for code, amount, total, number in (
            ("JPY", 500, "500", "392"),
            ("TND", 12.34, "12340", "788"),
            ("EUR", 0.25, "025", "978"),
        ):
            currency = self.env["res.currency"].with_context(active_test=False).search([("name", "=", code)])
            currency.active = True
            currency.rounding = {"JPY": 1, "TND": 0.001}.get(code, 0.01)
            transaction = self.transaction(self.invoice(amount, currency))
            fields = dict(self.form(transaction)[1])
            self.assertEqual((fields["PBX_TOTAL"], fields["PBX_DEVISE"]), (total, number))
            self.simulator.attempt(self.simulator.open(self.form(transaction)[1]), "ok")
            self.tell()
            self.assertEqual(transaction.state, "done", code)
            self.assertEqual(self.operation(transaction).approved_amount, amount)

    def test_options_of_the_provider(self):
        self.provider.write(
            {"paybox_authentication": "04", "paybox_exemption_ceiling": 30, "paybox_capture_days": 3}
        )
        fields = dict(self.form(self.transaction(self.invoice(120)))[1])
        self.assertEqual((fields["PBX_SOUHAITAUTHENT"], fields["PBX_DIFF"]), ("04", "03"))
        fields = dict(self.form(self.transaction(self.invoice(30)))[1])
        self.assertEqual(fields["PBX_SOUHAITAUTHENT"], "02")
        self.provider.paybox_page = "responsive"
        address, pairs = self.form(self.transaction(self.invoice(40)))
        self.assertEqual(dict(pairs)["PBX_SOURCE"], "RWD")
        self.assertTrue(address.endswith("/cgi/FramepagepaiementRWD.cgi"))

    def test_reference_that_the_platform_would_not_take(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice, reference="Facture n° 7 & 8")
        fields = dict(self.form(transaction)[1])
        self.assertRegex(fields["PBX_CMD"], r"^TX-\d+-Facture-n-7-8$")
        self.simulator.attempt(self.visit(transaction), "ok")
        self.tell()
        self.assertEqual(transaction.state, "done")

    def test_customer_without_address(self):
        self.customer.write({"email": False, "phone": False, "street": False, "zip": False, "city": False})
        fields = dict(self.form(self.transaction(self.invoice()))[1])
        self.assertEqual(fields["PBX_PORTEUR"], "shop@example.com")
        self.simulator.open(self.form(self.transaction(self.invoice()))[1])
        self.provider.paybox_email = False
        self.company.email = False
        with self.assertRaises(ValidationError):
            self.form(self.transaction(self.invoice()))

    def test_backup_when_the_first_server_is_down(self):
        self.simulator.set(available={"main": "KO", "backup": "OK"})
        address, _pairs = self.form(self.transaction(self.invoice()))
        self.assertEqual(address, f"{self.simulator.backup_url}/php/")
        self.simulator.set(available={"main": "OK", "backup": "OK"})
        address, _pairs = self.form(self.transaction(self.invoice()))
        self.assertEqual(address, f"{self.simulator.backup_url}/php/")  # remembered for a minute
        paybox_client._available.clear()
        with mute_logger(CLIENT):
            self.simulator.set(available={"main": "down", "backup": "down"})
            address, _pairs = self.form(self.transaction(self.invoice()))
        self.assertEqual(address, f"{self.simulator.url}/php/")  # nobody answers: the first one

    def test_refused_twice_then_paid(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        visit = self.visit(transaction)
        self.simulator.attempt(visit, "51")
        self.tell()
        operation = self.operation(transaction)
        self.assertEqual(
            (transaction.state, operation.state, operation.reason), ("error", "declined", "pb_funds")
        )
        self.assertIn("insufficient funds (00151)", self.chatter(invoice))
        self.simulator.attempt(visit, "59")
        self.tell()
        self.assertEqual((operation.state, operation.reason), ("declined", "pb_fraud"))
        self.assertIn("suspects fraud (00159)", self.chatter(invoice))
        self.simulator.attempt(visit, "ok")
        self.tell()
        self.assertEqual(
            (transaction.state, operation.state, operation.reason or ""), ("done", "approved", "")
        )
        self.assertFalse(operation.contradicted)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertIn("Online payment accepted", self.chatter(invoice))
        self.assertFalse(self.alerts())

    def test_cancelled_then_paid_after_all(self):
        invoice = self.invoice()
        transaction = self.paid(invoice, "cancel")
        self.assertEqual((transaction.state, self.operation(transaction).state), ("cancel", "cancelled"))
        self.assertIn("the customer gave up", self.chatter(invoice))
        self.simulator.attempt(self.visit(transaction), "ok")
        self.tell()
        self.assertEqual((transaction.state, self.operation(transaction).state), ("done", "approved"))
        self.assertEqual(self.alerts().mapped("kind"), ["late_success"])

    def test_pending_stays_pending_until_told(self):
        invoice = self.invoice()
        transaction = self.paid(invoice, "pending")
        operation = self.operation(transaction)
        self.assertEqual((transaction.state, operation.state), ("pending", "pending"))
        self.assertGreater((operation.deadline_at - operation.create_date).days, 20)
        self.tell()  # a copy
        self.assertEqual(transaction.state, "pending")
        self.simulator.finish(transaction.reference)
        self.tell()
        self.assertEqual(
            (transaction.state, operation.state, invoice.amount_residual), ("done", "approved", 0)
        )

    def test_success_is_never_downgraded(self):
        transaction = self.transaction(self.invoice())
        visit = self.visit(transaction)
        self.simulator.attempt(visit, "51")
        self.simulator.attempt(visit, "ok")
        self.tell(1)  # the success comes first
        self.assertEqual(transaction.state, "done")
        self.tell(0)  # then the refusal of the attempt before
        operation = self.operation(transaction)
        self.assertEqual(
            (transaction.state, operation.state, operation.contradicted), ("done", "approved", False)
        )

    def test_browser_is_back_before_the_notification(self):
        invoice = self.invoice()
        transaction = self.transaction(invoice)
        target = self.simulator.attempt(self.visit(transaction), "ok")
        response = self.send(target.partition("?")[2], "/payment/paybox/return")
        self.assertEqual(response.status_code, 303)
        self.assertTrue(response.headers["Location"].endswith("/payment/status"))
        self.assertEqual((transaction.state, invoice.amount_residual), ("done", 0))
        self.tell()
        stored = self.env["servipay.notification"].search([("provider", "=", "paybox")])
        self.assertEqual((len(stored), stored.copies, stored.state), (1, 2, "processed"))

    def test_return_without_signature_decides_nothing(self):
        transaction = self.transaction(self.invoice())
        self.form(transaction)
        for query in ("", f"Mt=12000&Ref={transaction.reference}&Auto=XXXXXX&Erreur=00000"):
            response = self.send(query, "/payment/paybox/return")
            self.assertEqual(response.status_code, 303)
        self.assertEqual(transaction.state, "draft")

    def test_page_that_was_left(self):
        transaction = self.transaction(self.invoice())
        self.form(transaction)
        operation = self.operation(transaction)
        operation._inquire()
        self.assertEqual(operation.state, "pending")
        operation.write({"deadline_at": "2020-01-01", "next_inquiry_at": "2020-01-01"})
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.assertEqual(operation.state, "pending")  # that the platform knows nothing once is not enough
        operation.write({"denied_at": "2020-01-01", "next_inquiry_at": "2020-01-01"})
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.assertEqual((operation.state, operation.reason), ("cancelled", "page_left"))
        self.assertEqual(transaction.state, "draft")
        self.assertFalse(operation.activity_ids)
        self.assertNotIn("No money was moved", operation.explanation)
        self.simulator.attempt(self.visit(transaction), "ok")  # he comes back and pays
        self.tell()
        self.assertEqual((transaction.state, operation.state), ("done", "approved"))
        self.assertEqual(self.alerts().mapped("kind"), ["late_success"])

    def test_payment_whose_message_was_lost_is_found(self):
        """By our reference and amount, as no number is known; silence before that ends nothing."""
        transaction = self.transaction(self.invoice())
        self.simulator.attempt(self.visit(transaction), "ok")
        operation = self.operation(transaction)
        operation._cancel()  # no answer either
        operation.deadline_at = "2020-01-01"
        for fault in ("close_before", "close_after", "garbage", "98"):
            self.simulator.set(direct=fault)
            operation._inquire()
            self.assertEqual(operation.state, "pending", fault)
        operation.inquiry_count = 8
        self.env.flush_all()
        self.simulator.set(direct="garbage")
        operation._inquire()
        self.assertEqual(operation.state, "unknown")  # an hour of silence is told
        operation._inquire()  # names its numbers
        operation._inquire()  # says what became of them
        self.assertEqual((operation.state, transaction.state), ("approved", "done"))
        self.assertEqual(transaction.invoice_ids.amount_residual, 0)
        self.assertEqual(self.alerts().mapped("kind"), ["not_reported"])

    def test_page_that_cannot_be_asked_about_is_not_called_left(self):
        for settings, values in (({"existence": False}, {}), ({}, {"paybox_confirm": False})):
            with self.subTest(**settings, **values):
                self.simulator.set(**settings)
                self.provider.write(values)
                transaction = self.transaction(self.invoice())
                self.form(transaction)
                operation = self.operation(transaction)
                operation.deadline_at = "2020-01-01"
                operation._inquire()
                self.assertEqual((operation.state, operation.reason), ("pending", "page_unasked"))
                self.assertNotIn("No money was moved", operation.explanation)
                self.assertFalse(operation.activity_ids)

    def test_pages_of_a_day_that_nobody_reported_are_told(self):
        """Case B5: the platform does not reach Odoo, and this contract cannot be asked."""
        self.provider.paybox_confirm = False
        for count in range(1, 4):
            transaction = self.transaction(self.invoice())
            self.form(transaction)
            operation = self.operation(transaction)
            operation.deadline_at = "2020-01-01"
            operation._inquire()
            operation._paybox_cron_pending()
            self.assertEqual(self.alerts().mapped("kind"), ["none_reported"] if count == 3 else [])
        operation._paybox_cron_pending()
        self.assertEqual((len(self.alerts()), self.alerts().detail), (1, "3"))

    def test_a_message_of_the_day_says_that_the_platform_reaches_us(self):
        self.paid(self.invoice())
        self.provider.paybox_confirm = False
        for _page in range(3):
            transaction = self.transaction(self.invoice())
            self.form(transaction)
            self.operation(transaction).deadline_at = "2020-01-01"
            self.operation(transaction)._inquire()
        self.env["servipay.operation"]._paybox_cron_pending()
        self.assertFalse(self.alerts())

    def test_manual_capture_only_reserves(self):
        self.provider.capture_manually = True
        transaction = self.transaction(self.invoice())
        self.assertEqual(dict(self.form(transaction)[1])["PBX_AUTOSEULE"], "O")
        self.simulator.attempt(self.visit(transaction), "ok")
        self.tell()
        self.assertEqual(
            (transaction.state, self.operation(transaction).kind), ("authorized", "authorisation")
        )
