from dataclasses import dataclass

import psycopg2

from odoo import _, api, fields, models

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.conversation import Conversation
from odoo.addons.paypercloud_servipay.models.message_turn import NotYet, Question

from ..viva.errors import ProtocolError
from ..viva.webhook import dump, load, parse_webhook

_logger = get_logger(__name__)

SEEN_SECONDS = 3600  # how exactly it is remembered when the last webhook came
# Of one operation. It has about four; whoever knows the address must not fill the disk with made-up ones.
MOST_MESSAGES = 200


@dataclass(frozen=True)
class Heard:
    """What Viva.com told in our own name about a message.

    :param session: the ``Finding`` of the operation's session, None when there was nothing to ask
    :param confirmed: whether Viva.com bears a reversal out, None when it did not answer or was not asked
    """

    session: Finding | None
    confirmed: bool | None = None


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
        operation = event.kind != "ignorable" and operations._viva_of_event(event, method.company_id)
        if not operation or self._viva_is_flood(operation):
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
                operation_id=operation.id,
                raw_body=dump(event),
            )
        )

    def _viva_is_flood(self, operation):
        """Tell whether an operation has had so many messages that no more are kept."""
        many = self.search_count([("operation_id", "=", operation.id)], limit=MOST_MESSAGES) >= MOST_MESSAGES
        if many:
            _logger.warning("operation %s: so many messages of Viva.com that one is dropped", operation.id)
        return many

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
        """Let the session be read; nothing that the message states is believed."""
        event = self._viva_event()
        operation = self.env["servipay.operation"]._viva_of_event(event, self.company_id)
        if not operation:
            return False
        self.operation_id = operation
        number = operation.id
        reversal = event.kind == "reversal" and operation.kind == "purchase"

        def ask(env):
            conversation = Conversation(env, number)
            session = conversation.look()
            check = conversation.apart("_viva_reversal_check", event) if reversal else None
            return Heard(session, check() if check else None)

        key = Conversation(self.env, number).key
        return Question((*key, event.transaction) if reversal else key, ask)

    def _viva_conclude_notification(self, heard):
        """Hear what the session did not tell; a message about what is not over is heard again."""
        operation, event = self.operation_id, self._viva_event()
        operation._lock()
        if heard.session and heard.session.state is None:
            raise NotYet(heard.session.detail or _("Viva.com did not answer."), silent=True)
        if operation.state in states.IN_FLIGHT and event.kind in ("payment", "reversal"):
            raise NotYet(_("The payment that it is about is not over yet."))
        changed = operation._viva_hear(event, heard.confirmed)
        return changed or event.kind != "reversal"

    def _viva_event(self):
        """Return the message as a ``webhook.Event``."""
        return load(self.raw_body or "")
