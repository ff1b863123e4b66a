from decimal import Decimal

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.own_transaction import Detached, in_own_transaction

from ..caisse_ap import codes
from ..caisse_ap import request as requests
from ..caisse_ap.answer import read
from ..caisse_ap.compare import lacking
from ..caisse_ap.conclude import attribute_duplicate, conclude
from ..caisse_ap.errors import ProtocolError
from ..caisse_ap.frame import encode
from .pos_payment_method import APPLICATIONS

_logger = get_logger(__name__)

MARGIN = 15  # seconds for connecting and for the last pause of an answer
ACTIONS = {"purchase": requests.debit, "refund": requests.credit, "void": requests.reversal}


class ServipayOperation(models.Model):
    """The Caisse-AP driver: from a record to a conversation and back. The rules are in ``caisse_ap``."""

    _inherit = "servipay.operation"

    provider = fields.Selection(selection_add=[("caisse_ap", "Caisse-AP")], ondelete={"caisse_ap": "cascade"})
    cheque_cmc7 = fields.Char("Check line (CMC7)", readonly=True, copy=False)
    cheque_guarantee = fields.Char("Check guarantee", readonly=True, copy=False)

    # ------------------------------------------------------------------
    # Hooks of the base
    # ------------------------------------------------------------------

    def _caisse_ap_plan(self, step):
        """Return a callable that runs a step without a cursor and returns a Finding, or a Finding."""
        if step == "cancel":
            # no message of the protocol stops a payment: only the terminal's red button does
            return Finding(None, "ap_press_red")
        if step == "inquire":
            return self._caisse_ap_inquiry()
        return self._caisse_ap_sending()

    def _caisse_ap_seconds_allowed(self):
        """Return how long a payment may take, connecting included."""
        return self.pos_payment_method_id.caisse_ap_seconds + MARGIN

    def _caisse_ap_rhythm(self):
        """Return when to look after a payment whose conversation has died: not before its deadline."""
        seconds = self._caisse_ap_seconds_allowed()
        return {"first": seconds, "slow": seconds}

    def _caisse_ap_activity(self):
        return _("Waiting for the customer at the terminal")

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
            "ap_other_transaction": _("The terminal's last transaction is another one."),
            "ap_not_attributable": _("The terminal's last transaction may be this one or another one."),
        }

    # ------------------------------------------------------------------
    # Steps
    # ------------------------------------------------------------------

    def _caisse_ap_sending(self):
        request, asked, link, journal = self._caisse_ap_prepare(self._caisse_ap_request())
        tell, digits = self._caisse_ap_reporter(), self.currency_id.decimal_places

        def run():
            exchange = link.exchange(
                encode(asked),
                on_sent=lambda: tell(Finding("pending", "")),
                lacking=lambda fields: lacking(request, fields),
            )
            journal(request.action, asked, exchange)
            if not exchange.sent:
                return Finding("failed", "not_sent", exchange.text)
            if exchange.ended != "complete":
                return Finding("unknown", "no_answer", exchange.text, latency=exchange.latency)
            return _finding(request, exchange, digits, conclude)

        return run

    def _caisse_ap_inquiry(self):
        """Ask for the terminal's last transaction (CD=3), where that can say something about this one."""
        method = self.pos_payment_method_id
        if self.state != "unknown" or not method.caisse_ap_duplicate:
            return Finding(None)
        original = self._caisse_ap_request()
        request, asked, link, journal = self._caisse_ap_prepare(requests.duplicate_of(original))
        digits, known = self.currency_id.decimal_places, self._caisse_ap_known()

        def decide(_request, answer):
            return attribute_duplicate(original, answer, **known)

        def run():
            exchange = link.exchange(encode(asked), lacking=lambda fields: lacking(request, fields))
            journal(request.action, asked, exchange)
            if exchange.ended != "complete":
                return Finding(None, "", exchange.text)
            found = _finding(original, exchange, digits, decide)
            return Finding(None, found.reason, found.detail) if found.state == "unknown" else found

        return run

    def _caisse_ap_prepare(self, request):
        """Return (request, fields, link, journal); ProtocolError for what cannot be sent."""
        terminal, method = self.terminal_id, self.pos_payment_method_id
        link = terminal._caisse_ap_link(method, method.caisse_ap_seconds)
        journal = terminal._caisse_ap_journal(operation_id=self.id)
        return request, requests.build(request), link, journal

    def _caisse_ap_request(self):
        method = self.pos_payment_method_id
        if self.kind not in ACTIONS or (self.kind == "void" and not method.caisse_ap_reversal):
            raise UserError(_("This terminal cannot do this. Nothing was sent."))
        return ACTIONS[self.kind](
            int(self._decimal(self.amount).scaleb(self.currency_id.decimal_places)),
            self.currency_id.name,
            till=self.pos_config_id.caisse_ap_till or "01",
            version=method.caisse_ap_version,
            identifier=method.caisse_ap_identifier,
            application=APPLICATIONS.get(method.caisse_ap_mode, ""),
            private=self.reference[:32],
            receipts="120" if method.caisse_ap_receipts else "",
        )

    def _caisse_ap_known(self):
        """Return what is recorded about the terminal that tells this transaction from others."""
        others = self.search([("terminal_id", "=", self.terminal_id.id), ("id", "!=", self.id)])
        later = others.filtered(lambda other: other.sent_at and other.sent_at >= self.sent_at)
        ended = self.deadline_at and self.deadline_at <= fields.Datetime.now()
        return {
            "last_authorisations": tuple(code for code in others.mapped("authorization_code") if code),
            "other_references": tuple(text[:32] for text in others.mapped("reference") if text),
            # until its time is over, the customer may still stand in front of the terminal
            "ours_was_last": bool(ended and not later),
        }

    def _caisse_ap_reporter(self):
        """Return a callable that applies a Finding while the conversation goes on."""
        detached, number = Detached(self.env), self.id

        def tell(finding):
            try:
                in_own_transaction(
                    detached, lambda env: env["servipay.operation"].browse(number)._apply(finding, "send")
                )
            except Exception:  # pylint: disable=broad-except
                # whatever ails the database now, the terminal's answer must still be heard
                _logger.exception("the progress of operation %s could not be stored", number)

        return tell


def _finding(request, exchange, digits, decide):
    """Return the Finding of a whole answer. ``decide(request, answer)`` gives the Verdict."""
    try:
        answer = read(exchange.fields)
        verdict = decide(request, answer)
    except ProtocolError as error:
        return Finding("unknown", "undecodable", str(error), latency=exchange.latency)
    return Finding(
        verdict.state,
        "mismatch" if verdict.mismatches else f"ap_{verdict.reason}" if verdict.reason else "",
        _detail(answer),
        _values(answer, digits) if verdict.state in ("approved", "declined") else {},
        verdict.mismatches,
        exchange.latency,
    )


def _detail(answer):
    if answer.reason is None:
        return ""
    parts = answer.reason.code, answer.reason.cb2a_code, answer.reason.text
    return " ".join(part for part in parts if part)


def _values(answer, digits):
    """Return the facts of an answer for the operation's fields."""
    slips = {receipt.kind: receipt.text for receipt in answer.receipts if receipt.format == "text"}
    amount = answer.amount if answer.status == "performed" else None
    return {
        "approved_amount": Decimal(amount).scaleb(-digits) if amount else None,
        "authorization_code": answer.authorization_code,
        "card_brand": codes.application_name(answer.application) if answer.application else "",
        "masked_pan": answer.masked_pan,
        "entry_mode": answer.read_mode,
        "aid": answer.aid,
        "merchant_id": answer.contract,
        "decline_code": answer.reason.code if answer.reason and answer.status != "performed" else "",
        "customer_receipt": slips.get("customer", ""),
        "merchant_receipt": slips.get("merchant", ""),
        "cheque_cmc7": answer.cheque_cmc7,
        "cheque_guarantee": answer.cheque_guarantee,
    }
