"""To the page and back: the form, the server that is chosen, three attempts, cancel, return."""

import re

from odoo.exceptions import ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..models import paybox_client
from ..paybox.errors import ProtocolError
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
        self.assertIn("<FirstName>Helene</FirstName><LastName>d'Oeuvre</LastName>", fields["PBX_BILLING"])
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

    def test_currency_that_is_rounded_finer_than_it_can_be_paid(self):
        """As Odoo decided (odoo#262000): in the platform's unit from the beginning, on both sides."""
        self.currency.rounding = 0.001
        self.env.ref("product.decimal_price").digits = 3  # 17.0 rounds prices to two by itself
        bill = self.invoice(200.765)
        self.assertAlmostEqual(bill.amount_residual, 200.765)
        tx = self.transaction(bill)
        self.assertEqual(tx.amount, 200.77)
        fields = dict(self.form(tx)[1])
        self.assertEqual(fields["PBX_TOTAL"], "20077")
        self.simulator.attempt(self.visit(tx), "ok")
        self.tell()
        self.assertEqual((tx.state, bill.amount_residual), ("done", 0))
        self.assertFalse(self.alerts())

    def test_amount_that_cannot_be_paid_is_told_in_the_reader_s_language(self):
        self.currency.rounding = 0.001
        tx = self.transaction(amount=0.004)
        with self.assertRaisesRegex(ValidationError, "0[.]004.* cannot be paid here"):
            self.form(tx)

    def test_what_the_room_refuses_is_told_by_its_code(self):
        tx = self.transaction(self.invoice())
        for code in ("amount", "decimals", "currency", "email", "reference"):
            told = tx._servipay_why(ProtocolError("Room's English", "field", code))
            self.assertNotIn("Room", told)
            self.assertNotIn("configuration", told)
        self.assertIn("configuration", tx._servipay_why(ProtocolError("Room's English", "site", "site")))
        self.customer.email = self.provider.paybox_email = self.company.email = False
        with self.assertRaisesRegex(ValidationError, "nothing was paid: .*e-mail address"):
            self.form(self.transaction(self.invoice()))

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

    def billing(self, **values):
        """Return {element: text} of PBX_BILLING of a customer with these values."""
        self.customer.write(values)
        text = dict(self.form(self.transaction(self.invoice()))[1])["PBX_BILLING"]
        self.simulator.open(self.form(self.transaction(self.invoice()))[1])
        return dict(re.findall(r"<(\w+)>([^<]+)</", text))

    def test_phones_as_people_write_them(self):
        france, japan = self.env.ref("base.fr").id, self.env.ref("base.jp").id
        italy, germany = self.env.ref("base.it").id, self.env.ref("base.de").id
        self.company.write({"country_id": france, "phone": "01 42 00 00 00"})
        for phone, country, found in (
            ("06 12 34 56 78 / 01 23 45 67 89", france, ("+33", "612345678")),
            ("33 6 12 34 56 78", france, ("+33", "612345678")),
            ("01 23 45 67 89 poste 12", france, ("+33", "123456789")),
            ("03-1234-5678", japan, ("+81", "312345678")),
            ("+39 06 6982 1234", italy, ("+39", "0669821234")),
            ("0151 12345678", germany, ("+49", "15112345678")),
            ("ask reception", japan, ("+33", "142000000")),  # the company's own, in its country
        ):
            with self.subTest(phone):
                values = self.billing(phone=phone, country_id=country)
                self.assertEqual((values["CountryCodeMobilePhone"], values["MobilePhone"]), found)

    def test_mobile_of_17_and_18_when_there_is_no_phone(self):
        if "mobile" in self.customer._fields:
            values = self.billing(phone=False, mobile="06 12 34 56 78")
            self.assertEqual(values["MobilePhone"], "612345678")

    def test_names_of_all_alphabets(self):
        for name, first, last in (
            ("Guðrún Sigurðardóttir", "Gudrun", "Sigurdardottir"),
            ("Yıldız Çağlar", "Yildiz", "Caglar"),
            ("山田太郎", "ShanTianTaiLang", "ShanTianTaiLang"),
            ("Dupont & Fils (SARL)", "Dupont", "Fils SARL"),
        ):
            values = self.billing(name=name)
            self.assertEqual((values["FirstName"], values["LastName"]), (first, last))

    def test_address_is_said_once_and_goes_on(self):
        values = self.billing(street2="Bât. B")
        self.assertEqual((values["Address1"], values["Address2"]), ("3 place Bellecour", "Bat B"))
        street = "Résidence des Tilleuls argentés, 12 bis avenue du Général de Gaulle"
        values = self.billing(street=street)
        self.assertEqual(values["Address1"], "Residence des Tilleuls argentes 12 bis avenue du")
        self.assertEqual(values["Address2"], "General de Gaulle Bat B")

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
