"""A provider that speaks with Ogone's simulator, whose calls the test makes (``deliver=False``)."""

from odoo.addons.paypercloud_servipay.tests.online import OnlineCase

from .simulator import PASSWORD, PSPID, SHA_IN, SHA_IN_DIRECTLINK, SHA_OUT, USERID, Simulator

RETURN = "/payment/ogone/return"


class OgoneCase(OnlineCase):
    code = "ogone"
    first_provider = "payment_ogone.payment_provider_ogone"

    @classmethod
    def setUpClass(cls):
        cls._start_simulator(Simulator())
        super().setUpClass()

    @classmethod
    def _provider_values(cls):
        return {
            "ogone_brand": "custom",
            "ogone_base_url": cls.simulator.url,
            "servipay_allow_private": True,
            "ogone_pspid": PSPID,
            "ogone_userid": USERID,
            "ogone_password": PASSWORD,
            "ogone_shakey_in": SHA_IN,
            "ogone_shakey_in_directlink": SHA_IN_DIRECTLINK,
            "ogone_shakey_out": SHA_OUT,
        }

    def setUp(self):
        super().setUp()
        self.simulator.reset(account=True)
        code = self.currency.name
        if code not in self.simulator.account.currencies:
            self.simulator.configure(currencies=[*self.simulator.account.currencies, code])
        self.simulator.configure(status_url="http://127.0.0.1:9/kept-back")
        self.simulator.set(deliver=False)

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
        return super().get(query, path)

    # -- what is looked at

    def inbox(self):
        """Return the stored messages."""
        return self.env["servipay.notification"].sudo().search([("provider", "=", "ogone")])
