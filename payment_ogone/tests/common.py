"""What the tests share: a provider that speaks with a simulator, invoices, and real HTTP both ways.

The simulator keeps its own calls back (``deliver=False``): Odoo's test server answers the test's requests
only, so the test sends what the simulator would have sent."""

from lxml import html

from odoo.tests import HttpCase, new_test_user
from odoo.tools import config

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

from .simulator import PASSWORD, PSPID, SHA_IN, SHA_IN_DIRECTLINK, SHA_OUT, USERID, Simulator

RETURN = "/payment/ogone/return"


def provider_values(simulator):
    """Return the values of a provider that speaks with a simulator."""
    return {
        "ogone_brand": "custom",
        "ogone_base_url": simulator.url,
        "servipay_allow_private": True,
        "ogone_pspid": PSPID,
        "ogone_userid": USERID,
        "ogone_password": PASSWORD,
        "ogone_shakey_in": SHA_IN,
        "ogone_shakey_in_directlink": SHA_IN_DIRECTLINK,
        "ogone_shakey_out": SHA_OUT,
    }


class OgoneCase(AccountTestInvoicingCommon, HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.simulator = Simulator().start()
        cls.addClassCleanup(cls.simulator.stop)
        cls.company = cls.env.company
        cls.currency = cls.company.currency_id
        cls.accountant = new_test_user(
            cls.env,
            "ogone_accountant",
            groups="account.group_account_user,account.group_account_invoice,paypercloud_servipay.group_user",
            company_id=cls.company.id,
            company_ids=[(6, 0, cls.company.ids)],
            lang="en_US",
            email="accountant@example.com",
        )
        cls.customer = cls.env["res.partner"].create(
            {
                "name": "Hélène d'Œuvre",
                "email": "helene@example.com",
                "street": "3 place Bellecour",
                "zip": "69002",
                "city": "Lyon",
                "phone": "06 12 34 56 78",
                "country_id": cls.env.ref("base.fr").id,
                "lang": "en_US",
            }
        )
        cls.provider = cls.env["payment.provider"].search(
            [("code", "=", "ogone"), ("company_id", "=", cls.company.id)], limit=1
        )
        if not cls.provider:  # 17.0 and 18.0 make none for a new company
            first = cls.env.ref("payment_ogone.payment_provider_ogone").sudo()
            cls.provider = first.browse(first.copy({"company_id": cls.company.id}).id)
        cls.provider.write(
            {
                **provider_values(cls.simulator),
                "servipay_alert_user_ids": [(6, 0, cls.accountant.ids)],
                "state": "test",
                "is_published": True,
            }
        )
        cls.provider.journal_id = cls.company_data["default_journal_bank"]
        cls.method = cls.env.ref("payment.payment_method_card")
        cls.method.active = True

    def setUp(self):
        super().setUp()
        # no jobs run in a test: what they would do is done at once
        self.addCleanup(config.__setitem__, "max_cron_threads", config["max_cron_threads"])
        config["max_cron_threads"] = 0
        self.simulator.reset(account=True)
        code = self.currency.name
        if code not in self.simulator.account.currencies:
            self.simulator.configure(currencies=[*self.simulator.account.currencies, code])
        self.simulator.configure(status_url="http://127.0.0.1:9/kept-back")
        self.simulator.set(deliver=False)

    # -- what happens before a payment

    def invoice(self, amount=120.0, currency=None, post=True):
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
                "reference": transactions._compute_reference("ogone", prefix=prefix),
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

    # -- what the platform does

    def attempt(self, transaction, choice="ok", **how):
        """Let the customer try on the page and the platform tell of it; the operation."""
        self.simulator.attempt(self.visit(transaction), choice, **how)
        self.assertEqual(self.tell().status_code, 200)
        return self.operation(transaction)

    def tell(self, which=-1, path=RETURN):
        """POST one of the platform's messages, as it would; returns the response."""
        return self.post(self.simulator.notifications[which]["query"], path)

    def post(self, body, path=RETURN):
        """POST a raw body; returns the response."""
        self.env.flush_all()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        response = self.url_open(path, data=body, headers=headers, allow_redirects=False)
        self.env.invalidate_all()
        return response

    def get(self, query, path=RETURN):
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

    def inbox(self):
        """Return the stored messages."""
        return self.env["servipay.notification"].sudo().search([("provider", "=", "ogone")])
