"""What the tests of this addon share: a shop whose tills drive the simulator's terminals, over real HTTP.

Webhooks are kept back by the simulator and pushed by the tests, the same bytes: Odoo's test server answers
the test's own requests only.
"""

import json
from datetime import timedelta
from urllib.parse import urlsplit

from odoo import fields
from odoo.tools import mute_logger

from odoo.addons.paypercloud_servipay.models.http_client import HttpClient
from odoo.addons.paypercloud_servipay_pos.tests.common import TillCase

from ..models import viva_client
from .simulator import API_KEY, CLIENT_ID, CLIENT_SECRET, EVENTS, MERCHANT_ID, TERMINALS, Simulator

CLIENT = "odoo.addons.paypercloud_servipay.models.http_client"
INBOX = "odoo.addons.paypercloud_servipay.models.message_turn"
OPERATION = "odoo.addons.paypercloud_servipay.models"  # of it and what continues it
NOT_PAID = ("declined", "cancelled", "failed")


class VivaCase(TillCase):
    """The counter has the first terminal, the terrace the second one."""

    @classmethod
    def setUpClass(cls):
        cls.viva = Simulator(webhooks="hold").start()
        cls.addClassCleanup(cls.viva.stop)
        super().setUpClass()
        cls.company.servipay_responsible_id = cls.make_user(
            "viva_responsible", "paypercloud_servipay.group_manager,point_of_sale.group_pos_manager"
        )

    @classmethod
    def make_config(cls, name, methods):
        terminal = TERMINALS[1 if name == "Terrace" else 0]
        return super().make_config(name, methods + cls.make_viva(f"Viva {name}", terminal))

    @classmethod
    def viva_values(cls, terminal=TERMINALS[0], **values):
        """Return the values of a method that drives one of the simulator's terminals."""
        return {
            "use_payment_terminal": "viva_wallet",
            "viva_wallet_merchant_id": MERCHANT_ID,
            "viva_wallet_api_key": API_KEY,
            "viva_wallet_client_id": CLIENT_ID,
            "viva_wallet_client_secret": CLIENT_SECRET,
            "viva_wallet_terminal_id": terminal,
            "viva_wallet_test_mode": True,
            "viva_wallet_base_url": cls.viva.url,
            **values,
        }

    @classmethod
    def make_viva(cls, name, terminal=TERMINALS[0], **values):
        """Return such a method."""
        return cls.make_method(name, **cls.viva_values(terminal, **values))

    def setUp(self):
        super().setUp()
        viva_client._tokens.clear()
        self.viva.reset(everything=True)
        self.viva.register("http://127.0.0.1:1/never-called", EVENTS, prove=False)
        # what fails is asked again until this time is over: nobody waits for it here
        self.patch(viva_client, "READ_SECONDS", 3)
        self.patch(viva_client, "PAUSES", (0, 0, 0))
        self.vw = self.config.payment_method_ids.filtered(lambda m: m.servipay_provider == "viva")
        self.other_vw = self.other_config.payment_method_ids.filtered(lambda m: m.servipay_provider == "viva")

    # -- what happens at the till

    def pay(self, amount=12.34, ask=True, method=None, till=None, **order):
        """Return the operation of a payment, after one look at its session unless not ``ask``."""
        snapshot = self.start(amount, method=method or self.vw, till=till, **order)
        operation = self.operation(snapshot["key"])
        if ask and operation.state in ("pending", "unknown"):
            operation._inquire()
        return operation

    def paid_order(self, amount=12.34, **how):
        """Return (operation, order) of a payment that was recorded."""
        operation = self.pay(amount, **how)
        self.assertEqual(operation.state, "approved", operation.explanation)
        return operation, self.make_order(operation)

    def give_back(self, order, amount, user=None, till=None, method=None, ask=True):
        """Return the operation of a refund at a till."""
        till = till or self.till(user or self.cashier)
        refund = self.make_refund(order, session=till)
        return self.pay(-amount, ask, method, till, id=refund.id)

    def overdue(self, *operations):
        """Let the time of operations be over, here and at Viva.com."""
        for operation in operations:
            operation.write({"deadline_at": fields.Datetime.now() - timedelta(seconds=1)})
        self.env.flush_all()

    def asked(self, endpoint):
        """Return the bodies of the requests to an endpoint of the simulator, oldest first."""
        requests = [entry for entry in self.viva.requests if entry["endpoint"] == endpoint]
        return [json.loads(entry["body"] or "null") for entry in requests]

    def quiet(self, *names):
        """Mute what a test provokes."""
        return mute_logger(CLIENT, *names)

    def told(self, operation):
        """Return what was asked of the manager, and what stands in the chatter."""
        activities = operation.activity_ids.filtered(
            lambda one: one.user_id == self.company.servipay_responsible_id
        )
        return activities, " ".join(operation.message_ids.mapped("body"))

    def while_sending(self, work):
        """Call ``work`` once a sale has arrived, before its answer is known here."""

        def send(client, request, *args, original=HttpClient.send, **kwargs):
            answer = original(client, request, *args, **kwargs)
            if request.path.endswith(":sale"):
                work()
            return answer

        self.patch(HttpClient, "send", send)

    # -- what Viva.com pushes

    def address(self, method=None):
        """Return path and query of a method's webhook."""
        parts = urlsplit((method or self.vw).viva_wallet_webhook_endpoint)
        return f"{parts.path}?{parts.query}"

    def messages(self, *types):
        """Return the bodies (bytes) of the webhooks of some types that the simulator has made."""
        with self.viva.clock.lock:
            self.viva.clock.run_due()
            made = list(self.viva.mailer.messages)
        return [one.body(0, 3600) for one in made if not types or one.event in types]

    def bend(self, name, number=-1):
        """Return the body of a webhook with one of the simulator's twists."""
        from .simulator import TWISTS

        message = self.viva.mailer.messages[number]
        TWISTS[name](message)
        return message.body(0, 3600)

    def push(self, payload, address=None):
        """POST a webhook; returns the response."""
        self.env.flush_all()
        data = payload if isinstance(payload, str | bytes) else json.dumps(payload)
        response = self.url_open(
            address or self.address(), data=data, headers={"Content-Type": "application/json"}
        )
        self.env.invalidate_all()
        return response

    def push_all(self, *types, address=None):
        """POST the webhooks of some types; each has to be taken."""
        for body in self.messages(*types):
            self.assertEqual(self.push(body, address).status_code, 200)

    def inbox(self):
        """Return the stored messages."""
        return self.env["servipay.notification"].sudo().search([("provider", "=", "viva")])
