"""What the tests of online payment addons share: a shop, its customer, invoices, and real HTTP both ways.

A simulator keeps its own calls back: Odoo's test server answers the test's requests only, so the test sends
what the simulator would have sent. Only for addons that depend on ``account_payment``."""

from lxml import html

from odoo.exceptions import UserError
from odoo.tests import HttpCase, new_test_user
from odoo.tools import config

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

from .neutralized import neutralize

CUSTOMER = {
    "name": "Hélène d'Œuvre",
    "email": "helene@example.com",
    "street": "3 place Bellecour",
    "zip": "69002",
    "city": "Lyon",
    "phone": "06 12 34 56 78",
    "lang": "en_US",
}


class OnlineCase(AccountTestInvoicingCommon, HttpCase):
    """Set ``code`` (the provider's) and ``first_provider`` (xml id), and return ``_provider_values``."""

    code = ""
    first_provider = ""

    @classmethod
    def _provider_values(cls):
        """Return the values of a provider that speaks with the simulator."""
        raise NotImplementedError

    def check_neutralized(self):
        """Assert that a neutralized copy of the database has no secret of the provider any more."""
        names = self.provider._servipay_secrets()
        self.assertTrue([name for name in names if self.provider._servipay_secret(name)])
        neutralize(self)
        self.assertFalse([name for name in names if self.provider._servipay_secret(name)])
        with self.assertRaisesRegex(UserError, "neutralized copy"):
            self.form(self.transaction(self.invoice()))

    @classmethod
    def _start_simulator(cls, simulator):
        """Start the simulator for this class; it is asked for by ``_provider_values``."""
        cls.simulator = simulator.start()
        cls.addClassCleanup(cls.simulator.stop)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.currency = cls.company.currency_id
        cls.accountant = new_test_user(
            cls.env,
            f"{cls.code}_accountant",
            groups="account.group_account_user,account.group_account_invoice,paypercloud_servipay.group_user",
            company_id=cls.company.id,
            company_ids=[(6, 0, cls.company.ids)],
            lang="en_US",
            email="accountant@example.com",
        )
        country = {"country_id": cls.env.ref("base.fr").id}
        cls.customer = cls.env["res.partner"].create({**CUSTOMER, **country})
        cls.provider = cls._make_provider()
        cls.method = cls.env.ref("payment.payment_method_card")
        cls.method.active = True

    @classmethod
    def _make_provider(cls, company=None):
        company = company or cls.company
        provider = cls.env["payment.provider"].search(
            [("code", "=", cls.code), ("company_id", "=", company.id)], limit=1
        )
        if not provider:  # 17.0 and 18.0 make none for a new company
            first = cls.env.ref(cls.first_provider).sudo()
            provider = provider.browse(first.copy({"company_id": company.id}).id)
        provider.write(
            {
                **cls._provider_values(),
                "servipay_alert_user_ids": [(6, 0, cls.accountant.ids)],
                "state": "test",
                "is_published": True,
            }
        )
        if company == cls.company:
            provider.journal_id = cls.company_data["default_journal_bank"]
        return provider

    def setUp(self):
        super().setUp()
        # no jobs run in a test: what they would do is done at once
        self.have_jobs(0)

    def have_jobs(self, threads):
        """Let this server say that it runs scheduled jobs, until the end of the test."""
        self.addCleanup(config.__setitem__, "max_cron_threads", config["max_cron_threads"])
        config["max_cron_threads"] = threads

    # -- what happens before a payment

    def invoice(self, amount=120.0, currency=None, post=True, **values):
        """Return an invoice of the customer."""
        invoice = self.env["account.move"].create(
            {
                "move_type": "out_invoice",
                "partner_id": self.customer.id,
                "invoice_date": "2026-01-15",
                "currency_id": (currency or self.currency).id,
                "invoice_line_ids": [
                    (0, 0, {"name": "Buffet", "price_unit": amount, "tax_ids": [(5, 0, 0)]})
                ],
                **values,
            }
        )
        if post:
            invoice.action_post()
        return invoice

    def transaction(self, invoice=None, amount=None, **values):
        """Return a transaction that pays an invoice, as the portal makes it."""
        transactions = self.env["payment.transaction"].sudo()
        documents = {"invoice_ids": [(6, 0, invoice.ids)]} if invoice else {}
        prefix = invoice.name if invoice else "free"
        return transactions.create(
            {
                "provider_id": self.provider.id,
                "payment_method_id": self.method.id,
                "reference": transactions._compute_reference(self.code, prefix=prefix),
                "amount": amount if amount is not None else invoice.amount_residual,
                "currency_id": (invoice.currency_id if invoice else self.currency).id,
                "partner_id": self.customer.id,
                "operation": "online_redirect",
                **documents,
                **values,
            }
        )

    def form(self, transaction):
        """Return (address, [(name, value)]) of the form that the browser would send."""
        text = transaction._get_processing_values()["redirect_form_html"]
        form = html.fromstring(str(text)).xpath("//form")[0]
        pairs = [(field.get("name"), field.get("value")) for field in form.xpath(".//input[@type='hidden']")]
        self.env.flush_all()
        return form.get("action"), pairs

    def visit(self, transaction):
        """Return the simulator's visit of the page."""
        return self.simulator.open(self.form(transaction)[1])

    def get(self, query, path):
        """GET a route with a raw query string; returns the response."""
        self.env.flush_all()
        response = self.url_open(f"{path}?{query}" if query else path, allow_redirects=False)
        self.env.invalidate_all()
        return response

    # -- what is looked at

    def operation(self, transaction, movement=False):
        """Return the operation behind a transaction."""
        return transaction._servipay_operation(movement=movement)

    def chatter(self, record):
        """Return the texts of a record's history."""
        return " | ".join(record.message_ids.mapped(lambda message: str(message.body)))

    def alerts(self, kind=None):
        """Return the alerts, of one kind."""
        return self.env["servipay.alert"].sudo().search([("kind", "=", kind)] if kind else [])

    def mails(self, address="accountant@example.com"):
        """Return the queued e-mails about alerts to an address."""
        domain = [("model", "=", "servipay.alert"), ("email_to", "=", address)]
        return self.env["mail.mail"].sudo().search(domain)
