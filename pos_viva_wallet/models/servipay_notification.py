import psycopg2

from odoo import api, fields, models

from odoo.addons.paypercloud_servipay.models.conversation import Conversation, converse
from odoo.addons.paypercloud_servipay.models.own_transaction import after_commit

from ..viva.errors import ProtocolError
from ..viva.webhook import parse_webhook

SEEN_SECONDS = 3600  # how exactly it is remembered when the last webhook came


class News(Conversation):
    """What a message leads to: its session is read, and only then compared with what the message says."""

    def __init__(self, env, operation_id, event):
        super().__init__(env, operation_id)
        self.event = event

    def look(self):
        """Ask at once, then hear what the session does not tell."""
        asked = super().look()
        self.apart("_viva_hear", self.event)
        return asked


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
                raw_body=method._viva_without_token(raw.decode("utf-8", "replace")),
            )
        )

    def _viva_note_seen(self, method):
        """Remember that webhooks arrive, at most once an hour: many at once must not wait for one row."""
        now, seen = fields.Datetime.now(), method.viva_wallet_webhook_seen_at
        if seen and (now - seen).total_seconds() < SEEN_SECONDS:
            return
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(
                    "UPDATE pos_payment_method SET viva_wallet_webhook_seen_at = %s WHERE id IN ("
                    "SELECT id FROM pos_payment_method WHERE id = %s FOR UPDATE SKIP LOCKED)",
                    [now, method.id],
                    log_exceptions=False,
                )
        except psycopg2.errors.SerializationFailure:
            return  # another one has just noted it: this request is not to be run again for that
        method.invalidate_recordset(["viva_wallet_webhook_seen_at"])

    def _viva_apply_notification(self):
        """Let the session be read; nothing that the message states is believed, but for a reversal."""
        event = self._viva_event()
        operation = self.env["servipay.operation"]._viva_of_event(event, self.company_id)
        if not operation:
            return False
        self.operation_id = operation
        reversal = event.kind == "reversal" and operation.kind == "purchase"
        if reversal and operation.external_ref:
            return operation._viva_hear(event)
        number = operation.id
        after_commit(self.env, lambda env: converse(News(env, number, event), "look"))
        # a reversal of what is not known to be paid yet is heard again when it is: `_viva_hear_again`
        return not reversal

    def _viva_event(self):
        """Return the message as a ``webhook.Event``."""
        return parse_webhook(self.raw_body, self.company_id.currency_id._servipay_digits())
