"""A provider that speaks with Paybox's simulator, whose calls the test makes (``notify="never"``)."""

from odoo.addons.paypercloud_servipay.tests.online import OnlineCase

from ..models import paybox_client
from .simulator import IDENTIFIER, KEY, PASSWORD, RANK, SITE, Simulator, make_key


class PayboxCase(OnlineCase):
    code = "paybox"
    first_provider = "payment_paybox.payment_provider_paybox"

    @classmethod
    def setUpClass(cls):
        cls._start_simulator(Simulator())
        # its usual keys are refused in production, where some tests go
        cls.simulator.keys["good"] = make_key("of these tests")
        super().setUpClass()

    @classmethod
    def _provider_values(cls):
        return {
            "paybox_brand": "custom",
            "paybox_host": cls.simulator.url,
            "paybox_backup_host": cls.simulator.backup_url,
            "paybox_direct_host": cls.simulator.url,
            "servipay_allow_private": True,
            "paybox_site": SITE,
            "paybox_rank": RANK,
            "paybox_identifier": IDENTIFIER,
            "paybox_key_test": KEY,
            "paybox_key": KEY,
            "paybox_password": PASSWORD,
            "paybox_public_keys": cls.simulator.keys["good"].pem,
            "paybox_email": "shop@example.com",
        }

    def setUp(self):
        super().setUp()
        self.simulator.reset()
        self.simulator.set(notify="never")
        paybox_client._available.clear()

    # -- what the platform does

    def tell(self, which=-1):
        """Send one of the platform's notifications, as it would; returns the response."""
        return self.send(self.simulator.notifications[which]["query"])

    def send(self, query, path="/payment/paybox/ipn"):
        """GET a route with a raw query string; returns the response."""
        return self.get(query, path)

    def paid(self, invoice=None, choice="ok", **values):
        """Return a transaction after a whole payment, told by notification."""
        transaction = self.transaction(invoice, **values)
        self.simulator.attempt(self.visit(transaction), choice)
        self.assertEqual(self.tell().status_code, 200)
        self.simulator.requests.clear()  # the confirmation; what a test does is asked afterwards
        return transaction
