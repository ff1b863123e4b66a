import time
import uuid
from dataclasses import replace
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.api import amounts, states
from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.api.outcome import Mismatch
from odoo.addons.paypercloud_servipay.models.message_turn import NotYet
from odoo.addons.paypercloud_servipay.models.servipay_gone import leave
from odoo.addons.paypercloud_servipay.models.servipay_notification import WAITING

from ..viva import post, receipt, references, reversal, verdict
from ..viva import request as requests
from ..viva.errors import ProtocolError

_logger = get_logger(__name__)

FRESH = timedelta(seconds=15)  # a session may not be found so soon after its request
RHYTHM = {"first": 2, "slow": 4}  # seconds: a cashier waits, and webhooks may never come
LOOK_AGAIN = (timedelta(minutes=2), timedelta(hours=1))  # at a refusal that was followed by a success before
CRON_SECONDS = 45
NOT_PAID = ("declined", "cancelled", "failed")
TOLD_AT_MOST = 20  # messages of one kind about an operation that its chatter tells of


class ServipayOperation(models.Model):
    """The Viva.com driver: from a record to a conversation and back. The rules are in ``viva``."""

    _inherit = "servipay.operation"

    provider = fields.Selection(selection_add=[("viva", "Viva.com")], ondelete={"viva": leave("viva")})
    viva_session = fields.Char("Viva.com session", readonly=True, copy=False, index="btree_not_null")
    viva_register = fields.Char("Register", readonly=True, copy=False, help="Only it may abort the session.")
    viva_may_change = fields.Boolean(readonly=True, copy=False)

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    def _compute_can(self):
        result = super()._compute_can()
        # there is no void on a terminal: a referenced refund of the same day is one
        self.filtered(lambda one: one.provider == "viva").can_void = False
        return result

    # ------------------------------------------------------------------
    # Hooks of the base
    # ------------------------------------------------------------------

    def _viva_plan(self, step):
        """Return a callable that runs a step without a cursor and returns a Finding, or a Finding."""
        try:
            if step == "send":
                return self._viva_sending()
            return self._viva_abort() if step == "cancel" else self._viva_inquiry()
        except ProtocolError as error:
            raise UserError(_("The request cannot be written (%s). Nothing was sent.", error)) from error

    def _viva_seconds_allowed(self):
        return self._viva_method().viva_wallet_seconds

    def _viva_rhythm(self):
        return RHYTHM

    def _viva_activity(self):
        return _("Waiting for the customer at the terminal")

    def _viva_can_ask_settled(self):
        """Tell whether a session can be read again after it ended.

        That of a payment that Viva.com reversed may say “success” for ever: it would be no news."""
        return bool(self.viva_session) and self.state != "reversed"

    def _identifiers(self):
        return super()._identifiers() | {"viva_session", "viva_register"}

    def _after_move(self, old, state, by):
        result = super()._after_move(old, state, by)
        if self.provider == "viva" and state in states.FINAL and state != "reversed":
            self._viva_hear_again()
        return result

    # ------------------------------------------------------------------
    # Steps
    # ------------------------------------------------------------------

    def _viva_sending(self):
        """Return a callable that begins the session; its end is read afterwards."""
        client, deadline = self._viva_client(), self._viva_deadline()
        call = requests.build(self._viva_request())

        def run():
            posted, reply = client.start(call, call.path.rpartition(":")[2])
            if posted is None:
                values = {"deadline_at": deadline} if reply.failure.state == "unknown" else {}
                return replace(reply.failure, values=values)
            reason = "" if posted.state == "pending" else f"vv_{posted.reason}"
            # whatever is still open then is asked to be aborted
            values = {"deadline_at": deadline} if posted.state in ("pending", "unknown") else {}
            # x-viva-correlationid, which Viva.com's support asks for, is kept in the API log
            return Finding(posted.state, reason, posted.answer.detail, values, latency=reply.latency)

        return run

    def _viva_deadline(self):
        return fields.Datetime.now() + timedelta(seconds=self._viva_method().viva_wallet_seconds)

    def _viva_abort(self):
        """Return a callable that asks for the abort and then looks: a card that was faster has paid."""
        client, read = self._viva_client(), self._viva_reader()
        call = requests.abort(self.viva_session, self.viva_register)

        def run():
            reply = client.ask(call, "abort")
            if reply.failure:
                return Finding(None, "cancel_refused", reply.failure.detail)
            aborted = post.classify_abort(reply.status, reply.headers, reply.body)
            found = read(client)
            if found.state in (None, "pending") and aborted.state is None:
                return Finding(None, "cancel_refused", aborted.answer.detail or aborted.reason)
            return found

        return run

    def _viva_inquiry(self):
        """Return a callable that reads the session; one whose time is over is asked to be aborted first.

        A terminal that slept would otherwise wake up later and take the money for an order that is gone."""
        if not self.viva_session:
            return Finding(None)
        client, read = self._viva_client(), self._viva_reader()
        abort = requests.abort(self.viva_session, self.viva_register) if self._viva_is_over() else None

        def run():
            found = read(client)
            if abort and found.reason == "vv_processing":
                client.ask(abort, "abort")
                found = read(client)
            return found

        return run

    def _viva_is_over(self):
        return bool(self.deadline_at) and self.deadline_at <= fields.Datetime.now()

    def _viva_reader(self):
        """Return a function of the client that reads the session and returns the Finding."""
        asked, call = self._viva_asked(), requests.read_session(self.viva_session)
        fresh = bool(self.sent_at) and fields.Datetime.now() - self.sent_at < FRESH
        digits = self.currency_id._servipay_digits()

        def read(client):
            reply = client.ask(call, "session")
            if reply.failure:
                # without access it is said why; that nobody answered stands with the terminal
                told = "" if reply.why == "no_answer" else reply.failure.reason
                return Finding(None, told, reply.failure.detail)
            found = verdict.conclude(asked, reply.status, reply.body, reply.headers, fresh)
            return finding_of(found, digits, reply.latency)

        return read

    # ------------------------------------------------------------------
    # What is asked
    # ------------------------------------------------------------------

    def _viva_request(self):
        """Return the ``Request``; the session's id and register are stored with it, before it leaves."""
        method = self._viva_method()
        if not self.viva_session:
            self.viva_session = str(uuid.uuid4())
            self.viva_register = f"odoo-{self.pos_config_id.id or 0}-{method.id}"
        action = self._viva_action()
        if action == "unreferenced_refund" and not method.viva_wallet_unreferenced:
            raise UserError(
                _(
                    "This payment method gives back only what was paid with it. An administrator may allow "
                    "more. Nothing was sent."
                )
            )
        # a number of ours ends it in the form that Odoo's own addon gave it
        number = (self.pos_session_id or self.original_id.pos_session_id).id or self.id
        return requests.Request(
            action=action,
            session=self.viva_session,
            terminal=self.terminal_id.pid or "",
            register=self.viva_register,
            amount=self.currency_id._servipay_minor(self.amount),
            currency=amounts.currency_numeric(self.currency_id.name),
            reference=references.compose(self.viva_session, number),
            parent=self.original_id.viva_session if action == "refund" else "",
            show_receipt=method.viva_wallet_show_receipt,
        )

    def _viva_action(self):
        """Return one of ``request.ACTIONS``; a refund without a payment gives back on a presented card."""
        if self.kind == "purchase":
            return "sale"
        if self.kind != "refund" or (self.original_id and not self.original_id.viva_session):
            raise UserError(_("This terminal cannot do this. Nothing was sent."))
        return "refund" if self.original_id else "unreferenced_refund"

    def _viva_asked(self):
        """Return what our own record says was asked (``verdict.Asked``)."""
        return verdict.Asked(
            action=self._viva_action(),
            session=self.viva_session,
            terminal=self.terminal_id.pid or "",
            register=self.viva_register,
            amount=self.currency_id._servipay_minor(self.amount),
            currency=amounts.currency_numeric(self.currency_id.name),
        )

    def _viva_method(self):
        """Return the payment method whose credentials count; UserError without one."""
        # of a refund the original's will do
        method = self.pos_payment_method_id or self.original_id.pos_payment_method_id
        if not method:
            raise UserError(_("No payment method says how to speak with this terminal. Nothing was sent."))
        return method.sudo()

    def _viva_client(self):
        common = {"operation_id": self.id, "terminal_id": self.terminal_id.id}
        return self._viva_method()._viva_client(**common)

    # ------------------------------------------------------------------
    # Webhooks
    # ------------------------------------------------------------------

    @api.model
    def _viva_of_event(self, event, company):
        """Return the operation that a message leads to (empty: it is about somebody else's payment)."""
        domain = [("provider", "=", "viva"), ("company_id", "=", company.id)]
        own = event.session and self.search([*domain, ("viva_session", "=", event.session)], limit=1)
        if own:
            return own
        if event.kind != "reversal" or not event.parent:
            return self.browse()
        paid = [("external_ref", "=", event.parent), ("kind", "=", "purchase")]
        return self.search([*domain, *paid], limit=1)

    def _viva_reversal_check(self, event):
        """Return a callable that asks whether Viva.com knows of a reversal; see ``reversal.confirm``.

        None when there is nothing to ask: it is about another payment, or is our own refund."""
        if self._viva_reversal(event).state != "reversed":
            return None
        try:
            call = reversal.read_transaction(event)
        except ProtocolError:
            return lambda: False  # it states no transaction
        client, parent = self._viva_client(), self.external_ref or ""

        def run():
            reply = client.ask(call, "reversal")
            if reply.failure:
                return False if reply.why == "credentials_incomplete" else None
            return reversal.confirm(event, parent, reply.status, reply.headers, reply.body)

        return run

    def _viva_hear(self, event, confirmed=None):
        """Take what a message says and the session does not; tells whether that had an effect.

        :param confirmed: whether Viva.com bears a reversal out when it is asked; None: it did not answer
        """
        if event.kind == "reversal" and self.kind == "purchase":
            return self._viva_hear_reversal(event, confirmed)
        if event.kind == "payment" and self.kind == "purchase":
            return self._viva_hear_payment(event)
        return False

    def _viva_hear_again(self):
        """Give reversals another turn that came before it was known what they are about.

        That is this payment, or a refund of it."""
        payment = self.original_id if self.kind == "refund" else self
        came = [("provider", "=", "viva"), ("event", "=", "1797"), ("state", "in", WAITING)]
        # one that has its first turn now need not be told
        came += [("operation_id", "=", payment.id), ("attempts", ">", 0)]
        messages = self.env["servipay.notification"].search(came) if payment else ()
        for message in messages:
            message.next_attempt_at = fields.Datetime.now()
            message._apply_soon()

    def _viva_reversal(self, event):
        """Return the ``Verdict`` that a message about a reversal would have if it were signed.

        Our own refunds are reported in the same way. So is what somebody gives back in Viva.com's portal."""
        refunds = self.child_ids.filtered(lambda child: child.kind == "refund")
        return verdict.conclude_reversal(
            self._viva_asked(),
            self.external_ref or "",
            event,
            own_refunds=refunds.mapped(lambda child: child.external_ref or ""),
            refund_open=any(child.state in states.UNSETTLED for child in refunds),
        )

    def _viva_hear_reversal(self, event, confirmed):
        """Take back a payment that Viva.com reversed by itself, and tell people; tells if it did.

        Whoever knows the address can write such a message: it counts when Viva.com says the same."""
        found = self._viva_reversal(event)
        if found.reason == "reversal_unclear":
            raise NotYet(_("A refund of the payment is not over yet."))
        if found.reason == "reversal_partial":
            digits = self.currency_id._servipay_digits()
            return self._viva_tell("vv_reversal_partial", _differences(found.mismatches, digits), event)
        if found.state != "reversed":
            return False
        told_by_session = self.contradicted and self.contradiction in NOT_PAID
        if not confirmed and not told_by_session:
            if confirmed is None:
                raise NotYet(_("Viva.com was asked about the reversal and did not answer."), silent=True)
            return self._viva_tell("vv_reversal_unconfirmed", event.transaction, event)
        if told_by_session:
            self.write({"contradicted": False, "contradiction": False})
        self._apply(Finding("reversed", "vv_reversed"))
        if self.state == "reversed":
            self._ask_manager()
        return True

    def _viva_hear_payment(self, event):
        """Tell people of a transaction that the session does not know: the customer may have paid (twice).

        Source: protocols/viva.md, 2.2: failed first, then paid."""
        if event.status not in ("", "F") or event.transaction in ("", self.external_ref):
            return False
        if self.state in NOT_PAID:
            self._apply(Finding("approved", "vv_second_transaction", event.transaction))
            return True
        known = self.state in ("approved", "reversed") and self.external_ref
        return bool(known) and self._viva_tell("vv_second_transaction", event.transaction, event)

    def _viva_tell(self, reason, detail, event):
        """Tell people that money may have moved which this operation does not show; True.

        So many times, and no more: no message is signed, and its sender must not fill the chatter."""
        same = [("operation_id", "=", self.id), ("event", "=", str(event.type_id))]
        if self.env["servipay.notification"].search_count(same, limit=TOLD_AT_MOST + 1) > TOLD_AT_MOST:
            _logger.warning("operation %s: not told any more: %s %s", self.name, reason, detail)
            return True
        own = self._for_chatter()
        text = own._reason_sentences()[reason].replace("{detail}", detail)
        own.message_post(body=text)
        self._ask_manager()
        return True

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    @api.model
    def _viva_cron_look_again(self, limit=50):
        """Read sessions once more that ended without payment: some were paid after all, minutes later."""
        end, now = time.monotonic() + CRON_SECONDS, fields.Datetime.now()
        domain = [("provider", "=", "viva"), ("viva_may_change", "=", True)]
        settled = [("settled_at", "<=", now - LOOK_AGAIN[0]), ("settled_at", ">", now - LOOK_AGAIN[1])]
        for operation in self.search([*domain, *settled], order="settled_at", limit=limit):
            if time.monotonic() > end:
                break
            try:
                operation._inquire(also_settled=True)
                operation._apart("_viva_looked")  # afterwards: the answer sets it again
            except Exception:  # pylint: disable=broad-except
                # whatever is wrong with one operation, the others are asked about all the same
                _logger.exception("operation %s could not be read once more", operation.id)

    def _viva_looked(self):
        self.viva_may_change = False


def finding_of(found, digits, latency=None):
    """Return the Finding of a ``verdict.Verdict``; needs no cursor.

    :param digits: of the currency, for the differences that people read
    """
    reason = f"vv_{found.reason}" if found.reason and not found.mismatches else found.reason
    mismatches = tuple(_readable(one, digits) for one in found.mismatches)
    # of somebody else's session nothing is kept, not even its name
    foreign = any(one.field in ("session", "terminal", "register") for one in found.mismatches)
    values = _values(found, digits) if found.session and not foreign else {}
    return Finding(found.state, reason, found.detail, values, mismatches, latency)


def _differences(mismatches, digits):
    """Return what people read of differences."""
    told = (_readable(one, digits) for one in mismatches)
    return "; ".join(f"{one.field}: {one.asked} / {one.got}" for one in told)


def _readable(one, digits):
    def text(value):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return str(amounts.from_minor(value, digits)) if whole else str(value or "-")

    return Mismatch(one.field, text(one.asked), text(one.got))


def _values(found, digits):
    values = receipt.values(found.session)
    if found.state == "pending":
        return {}
    paid, tip = values.pop("approved_minor"), values.pop("tip_minor")
    return {
        **values,
        "approved_amount": amounts.from_minor(paid, digits) if paid else None,
        "tip_amount": amounts.from_minor(tip, digits) if tip else None,
        "viva_may_change": found.may_change,
    }
