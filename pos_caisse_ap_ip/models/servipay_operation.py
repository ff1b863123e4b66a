from dataclasses import replace

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.api.errors import ProtocolError as AmountError
from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.own_transaction import Detached, in_own_transaction
from odoo.addons.paypercloud_servipay.models.servipay_gone import leave

from ..caisse_ap import card, history
from ..caisse_ap import request as requests
from ..caisse_ap.compare import lacking, may_follow
from ..caisse_ap.conclude import attribute_duplicate, conclude
from ..caisse_ap.errors import ProtocolError
from ..caisse_ap.frame import encode
from .findings import finding, news, other_last
from .pos_payment_method import APPLICATIONS

_logger = get_logger(__name__)

MARGIN = 15  # seconds for connecting and for the last pause of an answer
INQUIRY_SECONDS = 15  # no customer is needed for it
REMEMBERED = 100  # operations of a terminal that an inquiry looks at
ACTIONS = {"purchase": requests.debit, "refund": requests.credit, "void": requests.reversal}


class ServipayOperation(models.Model):
    """The Caisse-AP driver: from a record to a conversation and back. The rules are in ``caisse_ap``."""

    _inherit = "servipay.operation"

    provider = fields.Selection(
        selection_add=[("caisse_ap", "Caisse-AP")], ondelete={"caisse_ap": leave("caisse_ap")}
    )
    cheque_cmc7 = fields.Char("Check line (CMC7)", readonly=True, copy=False)
    cheque_fnci = fields.Char("Check file (FNCI)", readonly=True, copy=False)
    cheque_guarantee = fields.Char("Check guarantee", readonly=True, copy=False)
    caisse_ap_echoed = fields.Boolean(
        "Reference repeated",
        readonly=True,
        copy=False,
        help="Asked for its last transaction, the terminal gave back the reference that it was sent.",
    )

    caisse_ap_answered = fields.Boolean(
        "Reference in the answer",
        readonly=True,
        copy=False,
        help="The terminal's answer to a payment gave back the reference that it was sent.",
    )

    # ------------------------------------------------------------------
    # Hooks of the base
    # ------------------------------------------------------------------

    def _caisse_ap_plan(self, step):
        """Return a callable that runs a step without a cursor and returns a Finding, or a Finding."""
        if step == "cancel":
            # no message of the protocol stops a payment: only the terminal's red button does
            return Finding(None, "ap_press_red")
        try:
            return self._caisse_ap_inquiry() if step == "inquire" else self._caisse_ap_sending()
        except ProtocolError as error:
            raise UserError(_("The request cannot be written (%s). Nothing was sent.", error)) from error

    def _caisse_ap_seconds_allowed(self):
        """Return how long a payment may take, connecting included."""
        return (self._caisse_ap_own_method().caisse_ap_seconds or 0) + MARGIN

    def _caisse_ap_quiet_until(self):
        """Return the deadline: while a customer may stand at the terminal, an inquiry could print a slip.

        What it told could not be taken for this payment before, either (``history.ours_was_last``), but on a
        terminal that is known to give back the reference of its last transaction."""
        return None if self._caisse_ap_echoes() else self.deadline_at or None

    def _caisse_ap_lane(self):
        return self.terminal_id.pid  # each terminal answers for itself

    def _caisse_ap_echoes(self, *places):
        """Return whether this terminal has given back a reference: of its last transaction, or elsewhere."""
        terminals = self.terminal_id._caisse_ap_same()
        told = [(name, "=", True) for name in ("caisse_ap_echoed", *places)]
        domain = [("terminal_id", "in", terminals.ids), *["|"] * len(places), *told]
        return bool(self.sudo().search(domain, limit=1))

    def _caisse_ap_activity(self):
        return _("Waiting for the customer at the terminal")

    def _caisse_ap_can_inquire(self):
        """Say whether asking the terminal can help: only where it knows its last transaction (CD=3)."""
        return bool(self._caisse_ap_own_method().caisse_ap_duplicate)

    def _caisse_ap_pos_facts(self):
        """Return [(label, value)] of what a till shows besides a card's facts, in the reader's language."""
        facts = [
            (_("Check line (CMC7)"), self.cheque_cmc7),
            (_("Check file (FNCI)"), self.cheque_fnci),
            (_("Check guarantee"), self.cheque_guarantee),
        ]
        return [(label, value) for label, value in facts if value]

    def _plain_value(self, field, value):
        # a check's line is exact or of no use; a card's number passes for none
        if field.name == "cheque_cmc7" and card.is_cheque_line(value):
            return value
        return super()._plain_value(field, value)

    def _shown_detail(self):
        if self.reason == "ap_other_transaction":
            return self.env["servipay.sentence"]._translate_differences(self.detail)
        return super()._shown_detail()

    def _reason_sentences(self):
        return {
            **super()._reason_sentences(),
            "ap_press_red": _(
                "Press the red button on the terminal: only that stops it. The till keeps listening."
            ),
            "ap_call_bank": _("The bank asks for a telephone call ({detail})."),
            "ap_refused": _("The bank refused ({detail})."),
            "ap_forbidden": _("The card is forbidden ({detail})."),
            "ap_cardholder_abandon": _("The customer gave up at the terminal."),
            "ap_operator_abandon": _("The red button was pressed on the terminal."),
            "ap_not_completed": _("The terminal did not complete the payment ({detail})."),
            "ap_input_timeout": _("No card was presented in time."),
            "ap_bad_format": _(
                "The terminal did not understand the request: check its protocol version ({detail})."
            ),
            "ap_bad_application": _("The terminal does not have the payment mode of this method ({detail})."),
            "ap_unsupported_action": _("The terminal cannot do this ({detail})."),
            "ap_unsupported_currency": _("The terminal does not accept this currency ({detail})."),
            "ap_unknown": _("The terminal gave no reason, or was busy ({detail})."),
            "ap_accepted": _("The terminal took the request and will not say how it ended."),
            "ap_no_status": _("The terminal's answer states no outcome."),
            "ap_contradiction": _("The terminal's answer contradicts itself."),
            "ap_inquiry_refused": _("The terminal was asked for its last transaction and refused to tell."),
            "ap_other_transaction": _(
                "The terminal's last transaction is another one (asked / last: {detail})."
            ),
            "ap_busy": _("The terminal is busy with another payment ({detail}): it is asked afterwards."),
            "ap_last_unknown": _(
                "The terminal did not tell which transaction was its last ({detail}): it may be another one. "
                "Refund the payment instead."
            ),
            "ap_other_last": _(
                "The terminal's last transaction is not this payment ({detail}): a reversal would take back "
                "somebody else's. Refund the payment instead."
            ),
            "ap_not_attributable": _("The terminal's last transaction may be this one or another one."),
        }

    def _refund_sentences(self):
        return {
            **super()._refund_sentences(),
            "ap_not_completed": _("The terminal did not complete the refund ({detail})."),
        }

    # ------------------------------------------------------------------
    # Steps
    # ------------------------------------------------------------------

    def _caisse_ap_sending(self):
        for other in self.terminal_id._caisse_ap_same().holder_id - self:
            other._give_way()  # that of another company, too
        holder = self.terminal_id._caisse_ap_holder(self)
        if holder:
            return Finding("failed", "terminal_held", holder)
        if self.kind == "void":
            self._caisse_ap_check_last()
        request, asked, link, journal = self._caisse_ap_prepare(self._caisse_ap_request())
        tell, why_not = self._caisse_ap_reporter(), self._caisse_ap_last_one()

        def run():
            refused = why_not()
            if refused:
                return refused
            exchange = link.exchange(
                encode(asked),
                on_sent=lambda: tell(Finding("pending", "")),
                lacking=lambda fields: lacking(request, fields),
                may_follow=lambda fields: may_follow(request, fields),
            )
            journal(request.action, asked, exchange)
            return read(exchange)

        def read(exchange):
            if not exchange.sent:
                return Finding("failed", "not_sent", exchange.text)
            if exchange.ended != "complete":
                return Finding("unknown", "no_answer", exchange.text)
            found = finding(request, exchange, conclude)
            return replace(found, values={**found.values, "caisse_ap_answered": _names_ours(exchange)})

        return run

    def _caisse_ap_last_one(self):
        """Return a callable that says why a reversal must not be sent (a Finding), None when it may be.

        CD=2 names no transaction, and somebody may have typed one at the terminal since: where it can tell
        of its last one, it is asked."""
        if self.kind != "void" or not self._caisse_ap_method().caisse_ap_duplicate:
            return lambda: None
        question = requests.duplicate_of(self._caisse_ap_request())
        request, asked, link, journal = self._caisse_ap_prepare(question, INQUIRY_SECONDS)
        code, amount = self.original_id.authorization_code or "", self._caisse_ap_request().amount

        def look():
            exchange = link.exchange(encode(asked), lacking=lambda fields: lacking(request, fields))
            journal(request.action, asked, exchange)
            if exchange.ended != "complete":
                return Finding("failed", "ap_last_unknown", exchange.text)
            return other_last(exchange, code, amount)

        return look

    def _caisse_ap_inquiry(self):
        """Ask for the terminal's last transaction (CD=3), where that can say something about this one."""
        if not self._caisse_ap_can_tell() or not self._caisse_ap_method().caisse_ap_duplicate:
            return Finding(None)
        holder = self.terminal_id._caisse_ap_holder(self)
        if holder:
            # the inquiry would disturb that payment, and tell nothing of this one
            return Finding(None, "ap_busy", holder)
        original, known = self._caisse_ap_request(), self._caisse_ap_reader()
        request, asked, link, journal = self._caisse_ap_prepare(
            requests.duplicate_of(original), INQUIRY_SECONDS
        )

        def decide(_request, answer):
            return attribute_duplicate(original, answer, **known())

        def run():
            exchange = link.exchange(encode(asked), lacking=lambda fields: lacking(request, fields))
            journal(request.action, asked, exchange)
            if exchange.ended != "complete":
                return Finding(None, "", exchange.text)
            found = finding(original, exchange, decide)
            found = news(found) if found.state == "unknown" else found
            # the question held no reference: what came back is the terminal's memory
            return replace(found, values={**found.values, "caisse_ap_echoed": _names_ours(exchange)})

        return run

    def _caisse_ap_can_tell(self):
        """Return whether the terminal's last transaction may be this one, and its answer be of use.

        Of what a person has decided a terminal is not asked any more that has made another transaction since:
        it would print and tell nothing."""
        if not self.decided:
            return self.state == "unknown" or self._is_overdue()
        ours = self.sent_at, self.id
        return not self._caisse_ap_others().filtered(lambda other: (other.sent_at, other.id) > ours)

    def _caisse_ap_prepare(self, request, seconds=None):
        """Return (request, fields, link, journal); ProtocolError for what cannot be sent."""
        terminal, method = self.terminal_id, self._caisse_ap_method()
        link = terminal._caisse_ap_link(method, seconds or method.caisse_ap_seconds)
        journal = terminal._caisse_ap_journal(operation_id=self.id)
        return request, requests.build(request), link, journal

    def _caisse_ap_request(self):
        method, currency = self._caisse_ap_method(), self.currency_id.name
        if self.kind not in ACTIONS:
            raise UserError(_("This terminal cannot do this. Nothing was sent."))
        if self.kind == "void" and not method.caisse_ap_reversal:
            raise UserError(
                _(
                    "The payment method does not allow reversals: refund the payment instead. "
                    "Nothing was sent."
                )
            )
        return ACTIONS[self.kind](
            self.currency_id._servipay_minor(self.amount),
            currency,
            till=self._caisse_ap_config().caisse_ap_till or "01",
            version=method.caisse_ap_version,
            identifier=method.caisse_ap_identifier,
            application=APPLICATIONS.get(method.caisse_ap_mode, ""),
            private=self.reference[:32],
            receipts="120" if method.caisse_ap_receipts else "",
        )

    def _caisse_ap_method(self):
        """Return the payment method whose settings count; UserError without one."""
        method = self._caisse_ap_own_method()
        if not method:
            raise UserError(_("No payment method says how to speak with this terminal. Nothing was sent."))
        return method

    def _caisse_ap_own_method(self):
        # of a void or refund the original's will do
        return self.pos_payment_method_id or self.original_id.pos_payment_method_id

    def _caisse_ap_config(self):
        return self.pos_config_id or self.original_id.pos_config_id

    def _caisse_ap_check_last(self):
        """Refuse a reversal of anything but the terminal's last transaction: CD=2 names no other.

        What the terminal itself called refused or given up after it was no transaction.
        """
        original = self.original_id
        if not original or not original.sent_at or original.terminal_id.pid != self.terminal_id.pid:
            raise UserError(
                _("Only a payment that this terminal made can be reversed on it. Nothing was sent.")
            )
        for other in self._caisse_ap_others() - original:
            undone = other.state in ("declined", "cancelled", "failed") and not other.resolved_by_id
            over = other.settled_at and other.settled_at <= original.sent_at
            # times are whole seconds: within one the number tells
            begun = (other.sent_at, other.id) < (original.sent_at, original.id)
            if not undone and not (over and begun):
                raise UserError(
                    _(
                        "Only the last transaction of a terminal can be reversed, and %(other)s may have "
                        "come after %(payment)s. Refund the payment instead. Nothing was sent.",
                        other=other.name,
                        payment=original.name,
                    )
                )

    def _caisse_ap_others(self):
        """Return the most recent other operations that were sent to this terminal, by any company.

        Older ones cannot have been its last transaction, and their six-digit authorisations would collide.
        """
        terminals = self.terminal_id._caisse_ap_same()
        domain = [("terminal_id", "in", terminals.ids), ("id", "!=", self.id), ("sent_at", "!=", False)]
        return self.sudo().search(domain, order="sent_at desc, id desc", limit=REMEMBERED)

    def _caisse_ap_known(self):
        """Return what is recorded about the terminal that tells this transaction from others."""
        others = [other._caisse_ap_past() for other in self._caisse_ap_others()]
        known = history.known(self._caisse_ap_past(), others, fields.Datetime.now())
        return {**known, "echoes": self._caisse_ap_echoes("caisse_ap_answered")}

    def _caisse_ap_reader(self):
        """Return a callable that tells what is known now, for when the terminal has answered.

        A payment may begin while the inquiry is under way. It is committed before it leaves, so whatever the
        terminal can tell of is seen by whoever looks after its answer, not before.
        """
        detached, number = Detached(self.env), self.id
        return lambda: in_own_transaction(
            detached, lambda env: env["servipay.operation"].browse(number)._caisse_ap_known()
        )

    def _caisse_ap_past(self):
        currency = self.currency_id.name or ""
        try:
            amount = self.currency_id._servipay_minor(self._settled_amount())
        except AmountError:
            amount = 0  # it cannot have been sent
        return history.Past(
            sent=self.sent_at,
            state=self.state,
            deadline=self.deadline_at or None,
            settled=self.settled_at or None,
            by_person=bool(self.resolved_by_id),
            amount=amount,
            currency=currency,
            authorisation=self.authorization_code or "",
            reference=(self.reference or "")[:32],
        )

    def _caisse_ap_reporter(self):
        """Return a callable that applies a Finding while the conversation goes on."""
        detached, number = Detached(self.env), self.id

        def tell(progress):
            try:
                in_own_transaction(
                    detached, lambda env: env["servipay.operation"].browse(number)._apply(progress, "send")
                )
            except Exception:  # pylint: disable=broad-except
                # whatever ails the database now, the terminal's answer must still be heard
                _logger.exception("the progress of operation %s could not be stored", number)

        return tell


def _names_ours(exchange):
    """Return whether an answer bears a reference (CF)."""
    return any(name == "CF" and value.strip() for name, value in exchange.fields)
