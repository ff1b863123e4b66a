from odoo import api, fields, models

from odoo.addons.paypercloud_servipay.models.conversation import Conversation, converse
from odoo.addons.paypercloud_servipay.models.own_transaction import after_commit

from ..viva.errors import ProtocolError
from ..viva.webhook import parse_webhook


class ServipayNotification(models.Model):
    """What Viva.com pushes. It is not signed: it only says which session is to be read now."""

    _inherit = "servipay.notification"

    @api.model
    def _viva_receive(self, method, raw, http_request):
        """Return the stored message, an empty record when it is about nothing of ours.

        :param method: whose secret address was called; raw: bytes as received
        """
        self._viva_note_seen(method)
        try:
            event = parse_webhook(raw, method.company_id.currency_id._servipay_digits())
        except ProtocolError:
            return self.browse()
        operations = self.env["servipay.operation"]
        if event.kind == "ignorable" or not operations._viva_of_event(event, method.company_id):
            return self.browse()  # a web shop's payment, or one that was typed on the terminal
        return self.browse(
            self._receive(
                "viva",
                f"{method.company_id.id}:{event.key}",
                True,
                at_once=False,
                company_id=method.company_id.id,
                event=str(event.type_id),
                method=http_request.method,
                path=http_request.path,
                source=http_request.remote_addr,
                raw_body=raw.decode("utf-8", "replace"),
            )
        )

    def _viva_note_seen(self, method):
        """Remember that webhooks arrive, at most once an hour: many at once must not wait for one row."""
        now, seen = fields.Datetime.now(), method.viva_wallet_webhook_seen_at
        if seen and (now - seen).total_seconds() < 3600:
            return
        self.env.cr.execute(
            "UPDATE pos_payment_method SET viva_wallet_webhook_seen_at = %s WHERE id IN ("
            "SELECT id FROM pos_payment_method WHERE id = %s FOR UPDATE SKIP LOCKED)",
            [now, method.id],
        )

    def _viva_apply_notification(self):
        """Let the session be read; nothing that the message states is believed, but for a reversal."""
        event = parse_webhook(self.raw_body, self.company_id.currency_id._servipay_digits())
        operation = self.env["servipay.operation"]._viva_of_event(event, self.company_id)
        if not operation:
            return False
        self.operation_id = operation
        if event.kind == "reversal":
            operation._lock()
            return operation._viva_hear_reversal(event)
        number = operation.id
        after_commit(self.env, lambda env: converse(Conversation(env, number), "look"))
        return True
