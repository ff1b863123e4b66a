"""To the page and back: the form, attempts, cancel, return, and what the portal and the invoice say."""

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.compat import SERIES

from ..ogone import page as pages
from ..ogone.errors import ProtocolError
from .common import OgoneCase


@tagged("post_install", "-at_install", "payment_ogone")
class TestPage(OgoneCase):
    def test_form_is_taken_by_the_platform(self):
        tx = self.transaction(self.invoice(120.5))
        address, pairs = self.form(tx)
        fields = dict(pairs)
        self.assertEqual(address, f"{self.simulator.url}/ncol/test/orderstandard_utf8.asp")
        self.assertEqual((fields["AMOUNT"], fields["ORDERID"]), ("12050", tx.reference))
        self.assertEqual((fields["OPERATION"], fields["CN"]), ("SAL", "Hélène dŒuvre"))
        self.assertTrue(fields["ACCEPTURL"].endswith("/payment/ogone/return"))
        self.assertNotIn("USERID", fields)
        self.assertFalse(self.simulator.open(pairs).ending)

    def test_page_looks_as_the_merchant_wants(self):
        self.provider.write({"ogone_title": "Chez nous", "ogone_button_background": "#714B67"})
        fields = dict(self.form(self.transaction(self.invoice()))[1])
        self.assertEqual((fields["TITLE"], fields["BUTTONBGCOLOR"]), ("Chez nous", "#714B67"))

    def test_operation_is_there_before_the_customer_leaves(self):
        tx = self.transaction(self.invoice())
        self.form(tx)
        operation = self.operation(tx)
        self.assertEqual(
            (operation.state, operation.kind, operation.channel), ("pending", "purchase", "online")
        )
        self.form(tx)  # the page is rendered again
        self.assertEqual(tx.servipay_operation_count, 1)

    def test_paid(self):
        bill = self.invoice()
        tx = self.transaction(bill)
        operation = self.attempt(tx)
        self.assertEqual((operation.state, tx.state, bill.amount_residual), ("approved", "done", 0))
        order = self.simulator.order(tx.reference)
        self.assertEqual((operation.external_ref, tx.provider_reference), (order.payid, order.payid))
        self.assertEqual((operation.masked_pan[-4:], operation.card_brand), ("1111", "VISA"))
        self.assertIn("accepted", self.chatter(bill))

    def test_customer_reads_nothing_of_the_back_office(self):
        tx = self.transaction(self.invoice())
        operation = self.attempt(tx, "92")
        self.assertEqual((operation.state, tx.state), ("unknown", "pending"))
        self.assertIn("do not pay a second time", tx.state_message)
        self.assertNotIn("Resolve", tx.state_message)
        self.assertIn("Resolve", operation.explanation)

    def test_reference_that_the_platform_would_not_take(self):
        tx = self.transaction(self.invoice(), reference="Facture n° 7 & 8")
        self.assertRegex(dict(self.form(tx)[1])["ORDERID"], r"^TX-\d+-Facture-n-7-8$")
        self.attempt(tx)
        self.assertEqual(tx.state, "done")

    def test_currencies(self):
        """AMOUNT is a hundred times the value in every currency; what cannot be said so is not asked."""
        for code, amount, total in (("JPY", 500, "50000"), ("EUR", 0.25, "25")):
            currency = self.env["res.currency"].with_context(active_test=False).search([("name", "=", code)])
            currency.active = True
            currency.rounding = {"JPY": 1}.get(code, 0.01)
            self.simulator.configure(currencies=[code])
            tx = self.transaction(self.invoice(amount, currency))
            self.assertEqual(dict(self.form(tx)[1])["AMOUNT"], total)
            self.attempt(tx)
            self.assertEqual(tx.state, "done", code)
        dinar = self.env["res.currency"].with_context(active_test=False).search([("name", "=", "TND")])
        dinar.active, dinar.rounding = True, 0.001
        with self.assertRaisesRegex(ValidationError, "1.234.* cannot be paid here"):
            self.form(self.transaction(amount=1.234, currency_id=dinar.id))

    def test_third_decimal_is_not_offered(self):
        """AMOUNT holds hundredths of every currency: 12.345 TND cannot be written."""
        currencies = self.env["res.currency"].with_context(active_test=False)
        dinar = currencies.search([("name", "=", "TND")])
        dinar.active, dinar.rounding = True, 0.001
        for amount, currency, offered in (
            (12.345, dinar, False),
            (12.34, dinar, True),
            (12.34, self.currency, True),
            (12.34, currencies, True),  # no currency is given
        ):
            args = (self.company.id, self.customer.id, amount)
            found = self.env["payment.provider"]._get_compatible_providers(*args, currency_id=currency.id)
            self.assertEqual(self.provider in found, offered, amount)
        values = {"company_id": self.company.id, "partner_id": self.customer.id, "currency_id": dinar.id}
        found = self.env["payment.provider"]._get_compatible_providers(**values, amount=12.345)
        self.assertNotIn(self.provider, found)
        if SERIES >= 18:
            report = {}
            self.env["payment.provider"]._get_compatible_providers(**values, amount=12.345, report=report)
            self.assertFalse(report["providers"][self.provider]["available"])
            self.assertIn("cannot be asked", report["providers"][self.provider]["reason"])

    def test_currency_that_is_rounded_finer_than_it_can_be_paid(self):
        self.currency.rounding = 0.001
        bill = self.invoice(200.765)
        args = (self.company.id, self.customer.id, bill.amount_residual)
        found = self.env["payment.provider"]._get_compatible_providers(*args, currency_id=self.currency.id)
        self.assertIn(self.provider, found)
        tx = self.transaction(bill)
        self.assertEqual(dict(self.form(tx)[1])["AMOUNT"], "20077")
        self.attempt(tx)
        self.assertEqual((tx.state, tx.amount, bill.amount_residual), ("done", 200.77, 0))
        self.assertFalse(self.alerts())

    def test_what_the_room_refuses_is_told_by_its_code(self):
        tx = self.transaction(self.invoice())
        self.assertNotIn("Room", tx._servipay_why(ProtocolError("Room's English", "order", "order")))
        with patch.object(pages, "check_order", side_effect=ProtocolError("Room", "ORDERID", "pspid")):
            with self.assertRaisesRegex(ValidationError, "configuration of this means of payment .*ORDERID"):
                self.form(tx)

    def test_phones_as_people_write_them(self):
        france, japan = self.env.ref("base.fr").id, self.env.ref("base.jp").id
        for phone, country, found in (
            ("06 12 34 56 78 / 01 23 45 67 89", france, "+33612345678"),
            ("01 23 45 67 89 poste 12", france, "+33123456789"),
            ("03-1234-5678", japan, "+81312345678"),
            ("01 23 45 67 89 01 23 45", france, None),
        ):
            self.customer.write({"phone": phone, "country_id": country})
            fields = dict(self.form(self.transaction(self.invoice()))[1])
            self.assertEqual(fields.get("OWNERTELNO"), found)

    def test_refused_then_paid(self):
        bill = self.invoice()
        tx = self.transaction(bill)
        visit = self.visit(tx)
        self.simulator.set(report_refusals=True)
        self.simulator.attempt(visit, "30511001")
        self.tell()
        operation = self.operation(tx)
        self.assertEqual((operation.state, operation.reason, tx.state), ("declined", "og_funds", "error"))
        self.assertIn("not enough funds", self.chatter(bill))
        self.simulator.attempt(visit, "ok")  # on the same page
        self.tell()
        self.assertEqual((operation.state, tx.state, bill.amount_residual), ("approved", "done", 0))

    def test_cancelled(self):
        tx = self.transaction(self.invoice())
        operation = self.attempt(tx, "cancel")
        self.assertEqual((operation.state, tx.state), ("cancelled", "cancel"))

    def test_browser_only(self):
        """The account calls no address: what the browser brings is signed too."""
        bill = self.invoice()
        tx = self.transaction(bill)
        target = self.simulator.attempt(self.visit(tx), "ok")
        path, _mark, query = target.partition("?")
        response = self.get(query, path[path.index("/payment") :])
        self.assertEqual(response.status_code, 303)
        self.assertTrue(response.headers["Location"].startswith("http"))
        self.assertTrue(response.headers["Location"].endswith("/payment/status"))
        self.assertEqual((tx.state, bill.amount_residual), ("done", 0))

    def test_back_without_parameters(self):
        """An account without SHA-OUT passphrase sends the customer back with nothing to believe."""
        tx = self.transaction(self.invoice())
        self.form(tx)
        self.assertEqual(self.get("").status_code, 303)
        self.assertEqual((tx.state, self.operation(tx).state), ("draft", "pending"))

    def test_page_that_nobody_finished(self):
        tx = self.transaction(self.invoice())
        self.form(tx)
        operation = self.operation(tx)
        operation.deadline_at = "2020-01-01"
        operation._inquire()
        self.assertEqual(operation.state, "pending")  # once is not enough
        operation.denied_at -= timedelta(minutes=11)
        operation._inquire()
        self.assertEqual((operation.state, operation.reason, tx.state), ("cancelled", "page_left", "draft"))
        self.attempt(tx)  # and a late message counts
        self.assertEqual((operation.state, tx.state), ("approved", "done"))
        self.assertEqual(self.alerts().mapped("kind"), ["late_success"])

    def lost_message(self):
        """Return (transaction, operation) of a paid page, its message lost, its time over."""
        tx = self.transaction(self.invoice())
        self.simulator.attempt(self.visit(tx), "ok")
        operation = self.operation(tx)
        operation.deadline_at = "2020-01-01"
        return tx, operation

    def test_message_that_was_lost_is_found_by_inquiry(self):
        tx, operation = self.lost_message()
        operation._inquire()
        self.assertEqual((operation.state, tx.invoice_ids.amount_residual), ("approved", 0))
        self.assertEqual(self.alerts().mapped("kind"), ["not_reported"])

    def test_silence_is_no_answer(self):
        """Whatever loses the message makes the question fail too: the page stays open."""
        tx, operation = self.lost_message()
        for fault in ("drop_before", "drop_after", "server_error", "html", "garbage"):
            with self.subTest(fault):
                self.simulator.fault("query", fault)
                operation._inquire()
                self.assertEqual((operation.state, tx.state), ("pending", "draft"))
                self.assertGreater(operation.next_inquiry_at, fields.Datetime.now())
        operation._inquire()
        self.assertEqual((operation.state, tx.state), ("approved", "done"))

    def test_long_silence_is_told(self):
        tx, operation = self.lost_message()
        operation.inquiry_count = 8
        self.env.flush_all()
        self.simulator.fault("query", "server_error")
        operation._inquire()
        self.assertEqual((operation.state, tx.state), ("unknown", "pending"))
        self.assertTrue(operation.activity_ids)

    def test_page_that_was_left_is_looked_at_once_more(self):
        tx = self.transaction(self.invoice())
        self.form(tx)
        operation = self.operation(tx)
        operation.write({"deadline_at": "2020-01-01", "denied_count": 1, "denied_at": "2020-01-01"})
        operation._inquire()
        self.assertEqual((operation.state, operation.reason), ("cancelled", "page_left"))
        self.simulator.attempt(self.visit(tx), "ok")  # and its message is lost
        operation.next_inquiry_at = "2020-01-01"
        self.env.flush_all()
        self.env["servipay.operation"]._cron_settle()
        self.assertEqual((operation.state, tx.state), ("approved", "done"))
        self.assertEqual(set(self.alerts().mapped("kind")), {"late_success", "not_reported"})
