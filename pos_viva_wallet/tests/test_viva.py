"""From the till's call to Viva.com's books, over real HTTP; webhooks as they would come."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

from odoo import fields
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay_pos.tests.common import TillCase

from ..models import viva_client
from ..viva import words
from .simulator import API_KEY, CLIENT_ID, CLIENT_SECRET, MERCHANT_ID, TERMINALS, Simulator

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"


class VivaCase(TillCase):
    @classmethod
    def setUpClass(cls):
        # webhooks are kept back: Odoo's test server answers the test's requests only
        cls.viva = Simulator(webhooks="hold").start()
        cls.addClassCleanup(cls.viva.stop)
        super().setUpClass()

    @classmethod
    def make_config(cls, name, methods):
        terminal = TERMINALS[1 if name == "Terrace" else 0]
        return super().make_config(name, methods + cls.make_viva(f"Viva {name}", terminal))

    @classmethod
    def make_viva(cls, name, terminal=TERMINALS[0], **values):
        """Return a method that drives one of the simulator's terminals."""
        return cls.make_method(
            name,
            **{
                "use_payment_terminal": "viva_wallet",
                "viva_wallet_merchant_id": MERCHANT_ID,
                "viva_wallet_api_key": API_KEY,
                "viva_wallet_client_id": CLIENT_ID,
                "viva_wallet_client_secret": CLIENT_SECRET,
                "viva_wallet_terminal_id": terminal,
                "viva_wallet_test_mode": True,
                "viva_wallet_base_url": cls.viva.url,
                **values,
            },
        )

    def setUp(self):
        super().setUp()
        viva_client._tokens.clear()
        self.viva.reset(everything=True)
        self.vw = self.config.payment_method_ids.filtered(lambda m: m.servipay_provider == "viva")

    # -- what happens at the till

    def pay(self, amount=12.34, ask=True, **order):
        """Return the operation of a payment, after one look at its session."""
        snapshot = self.start(amount, method=self.vw, **order)
        operation = self.operation(snapshot["key"])
        if ask and operation.state in ("pending", "unknown"):
            operation._inquire()
        return operation

    def later(self, operation, **ago):
        """Let an operation be as old, and its time be over."""
        then = fields.Datetime.now() - timedelta(**ago)
        operation.write({"sent_at": then, "deadline_at": then + timedelta(seconds=90)})

    def give_back(self, operation, amount, method=None):
        """Refund from the back office; the refund's operation."""
        refund = operation._refund(amount)
        return refund

    # -- what Viva.com does

    def address(self, method=None):
        """Return path and query of a method's webhook."""
        parts = urlsplit((method or self.vw).viva_wallet_webhook_endpoint)
        return f"{parts.path}?{parts.query}"

    def push(self, payload, address=None):
        """POST a webhook; returns the response."""
        self.env.flush_all()
        data = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        headers = {"Content-Type": "application/json"}
        response = self.url_open(address or self.address(), data=data, headers=headers)
        self.env.invalidate_all()
        return response

    def event(self, operation, type_id=1796, **data):
        """Return an envelope about an operation's session, as Viva.com writes it."""
        session = self.viva.sessions.get(operation.viva_session)
        amount = float(operation.amount)
        return {
            "EventTypeId": type_id,
            "MessageId": f"m-{type_id}-{operation.id}",
            "EventData": {
                "MerchantTrns": f"{operation.viva_session}/7",
                "TransactionId": getattr(session, "transaction_id", None) or "t",
                "TerminalId": int(operation.terminal_id.pid),
                "Amount": amount,
                "CurrencyCode": "840",
                "StatusId": "F",
                **data,
            },
        }

    def inbox(self):
        return self.env["servipay.notification"].sudo().search([("provider", "=", "viva")])


@tagged("post_install", "-at_install")
class TestPayments(VivaCase):
    def test_paid(self):
        operation = self.pay()
        self.assertEqual(
            (operation.state, operation.approved_amount), ("approved", 12.34), operation.explanation
        )
        self.assertEqual(self.viva.count_charges(operation.viva_session), 1)
        self.assertEqual(self.viva.taken(operation.viva_session), 1234)
        self.assertTrue(operation.authorization_code and operation.masked_pan and operation.external_ref)
        self.assertNotIn(self.cashier.name, operation.viva_register)

    def test_not_paid(self):
        for outcome, state in (("declined", "declined"), ("cancelled", "cancelled"), ("timeout", "failed")):
            self.viva.script(outcome)
            operation = self.pay()
            self.assertEqual(operation.state, state, outcome)
            self.assertTrue(operation.explanation)
        self.assertFalse(self.viva.charges)

    def test_every_word_of_the_room_is_translatable(self):
        self.assertEqual(self.env["servipay.operation"]._viva_sentences(), dict(words.SENTENCES))
