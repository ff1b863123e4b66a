from dataclasses import replace
from datetime import timedelta

from odoo import _, api, fields
from odoo.http import request

from odoo.addons.paypercloud_servipay.api.finding import NOT_PAID, Finding
from odoo.addons.paypercloud_servipay.api.outcome import Mismatch
from odoo.addons.paypercloud_servipay.models.online_operation import OnlineOperation
from odoo.addons.paypercloud_servipay.models.online_report import CONFIRM_RHYTHM, UNASKED, UNCONFIRMED
from odoo.addons.paypercloud_servipay.models.servipay_gone import leave

from ..ogone import direct, status
from ..ogone import feedback as messages
from ..ogone.verdict import Asked

PAGE_SECONDS = 3600  # a page that nobody finished is looked up then; a late message counts all the same
INQUIRE_AFTER = timedelta(hours=6)  # the platform forbids systematic questions: it reports by itself
PENDING_FOR = timedelta(days=30)
CHARGE_RHYTHM = {"first": 60, "slow": 6 * 3600}  # a customer may be waiting
LONG_AGO = timedelta(hours=1)  # after that a request is not on its way any more
# what the platform says of a page that nobody finished
NOTHING_BEGUN = ("not_found", "incomplete", "identification")
DENIALS = ("not_found", "not_done")  # of an inquiry
OPEN = ("draft", "sent", "pending", "unknown")
PRESENT = "7"  # ECI of a payment whose customer is in the shop
# maintenance operations; a part leaves the rest open, and so does a refund: it may not be the last one
MAINTENANCE = {"refund": "RFD", "void": "DES"}


class ServipayOperation(OnlineOperation):
    """The Ogone driver: payments on the page, and DirectLink. The rules are in ``ogone``."""

    _inherit = "servipay.operation"

    provider = fields.Selection(selection_add=[("ogone", "Ogone")], ondelete={"ogone": leave("ogone")})
    ogone_payidsub = fields.Char(
        "Movement number",
        readonly=True,
        copy=False,
        help="PAYIDSUB: tells refunds and captures of one payment apart.",
    )
    ogone_alias = fields.Char("Card to be kept as", groups="base.group_system", readonly=True, copy=False)
    ogone_alias_kept = fields.Char("Card kept as", groups="base.group_system", readonly=True, copy=False)
    ogone_identification = fields.Text(
        "Page of the bank",
        groups="base.group_system",
        readonly=True,
        copy=False,
        help="Where the customer identifies (3-D Secure), while that is waited for.",
    )

    # ------------------------------------------------------------------
    # What a message means for this payment
    # ------------------------------------------------------------------

    def _ogone_asked(self):
        """Return what was asked (``verdict.Asked``), for a comparison with what is answered."""
        paid = self._ogone_payment_operation()
        decimal = self.currency_id._servipay_decimal
        return Asked(
            kind=self.kind,
            order=paid.reference,
            payid=self._ogone_payid() if self.original_id else "",
            payidsub=self.ogone_payidsub or "",
            amount=decimal(self.amount),
            currency=self.currency_id.name,
            total=decimal(paid.amount),
        )

    def _ogone_payment_operation(self):
        """Return the payment that this moves, or itself."""
        paid = self
        while paid.original_id:
            paid = paid.original_id
        return paid

    def _ogone_movements(self):
        """Return everything that moves this payment: what was captured may be refunded."""
        return self.child_ids | self.child_ids.child_ids

    def _ogone_payid(self):
        return self._ogone_payment_operation().external_ref or ""

    def _ogone_conclude(self, feedback):
        paid_at_91 = self._document().provider_id.sudo().ogone_paid_at_91
        return messages.conclude(self._ogone_asked(), feedback, paid_at_91)

    def _ogone_is_about_movement(self, feedback):
        """Tell whether a message is about a refund, capture or void, and not about the payment itself."""
        means = status.meaning(feedback.status)
        if self.kind == "authorisation" and self.state in ("approved", "reversed"):
            return bool(means.capture or means.void or means.refund) and means.code != "5"
        return bool(means.refund or means.void) and getattr(means, self.kind) is None

    def _ogone_movement_of(self, feedback):
        """Return the refund, capture or void that a message is about: none when it is not one of ours.

        Several when any of them could be meant, as not every account reports PAYIDSUB."""
        means = status.meaning(feedback.status)
        kinds = [kind for kind in ("capture", "void", "refund") if getattr(means, kind)]
        own = self._ogone_movements().filtered(lambda one: one.kind in kinds)
        if feedback.payidsub:
            named = own.filtered(lambda one: one.ogone_payidsub == feedback.payidsub)
            if named:
                return named[:1]
        waiting = own.filtered(
            lambda one: one.state in OPEN and not (feedback.payidsub and one.ogone_payidsub)
        )
        if not waiting and means.refund:
            waiting = own.filtered(lambda one: one._ogone_is_undone_by(feedback))
        if feedback.amount is not None:
            amounts = {feedback.amount}
            waiting = waiting.filtered(lambda one: one.currency_id._servipay_decimal(one.amount) in amounts)
        return waiting

    def _ogone_is_undone_by(self, feedback):
        """Tell whether a message that names no movement may say that the bank rejected this refund later."""
        named = bool(feedback.payidsub and self.ogone_payidsub)
        undone = status.next_state(self.state, self.kind, "declined", feedback.status)
        return self.state == "approved" and not named and undone == "reversed"

    def _ogone_hear(self, feedback):
        """Apply a message about this movement; tells whether it changed anything."""
        before = self.state, self.contradicted, self.decided
        verdict = self._ogone_conclude(feedback)
        news = status.next_state(self.state, self.kind, verdict.state, feedback.status)
        if news is None and not self.decided:
            return False
        self._apply(finding_of(verdict, feedback, movement=True))
        return (self.state, self.contradicted, self.decided) != before

    def _ogone_weigh(self, feedback):
        """Return (what to do with a message about this payment, its Finding).

        "take", "nothing", "paid_twice", "moved_outside", or "later": when it is known what another one is
        worth. Messages come late, twice and in any order, about several attempts."""
        verdict = self._ogone_conclude(feedback)
        other = bool(self.external_ref and feedback.payid and self.external_ref != feedback.payid)
        if self.decided and not other and verdict.state:
            # it says something about what a person decided
            return "take", self._to_be_confirmed(finding_of(verdict, feedback))
        if self.state in ("approved", "reversed"):
            if other:
                return ("paid_twice" if verdict.state in ("approved", "unknown") else "nothing"), None
            undone = status.next_state(self.state, self.kind, verdict.state, feedback.status)
            refused = verdict.state in NOT_PAID and status.may_replace(self.raw_state or "", feedback.status)
            if refused and not undone:
                return "take", finding_of(verdict, feedback)  # it was taken for paid while it was processed
            return ("moved_outside" if undone else "nothing"), None
        if verdict.state is None:
            return "nothing", None
        beside = self._weigh_beside_report(other and verdict.state in ("approved", "unknown"))
        if beside:
            return beside, None
        refused = self.state in ("declined", "cancelled", "failed")
        if other and not refused and verdict.state in ("declined", "cancelled", "failed", "pending"):
            return "nothing", None  # another attempt's end says nothing about one that is still open
        if not other and not status.may_replace(self.raw_state or "", feedback.status):
            return "nothing", None
        return "take", self._to_be_confirmed(finding_of(verdict, feedback))

    def _ogone_detail(self, feedback):
        amount = "?" if feedback.amount is None else f"{feedback.amount} {feedback.currency}".strip()
        return f"{amount}, PAYID {feedback.payid or '-'}, {_said(feedback)}"

    # ------------------------------------------------------------------
    # Hooks of the base
    # ------------------------------------------------------------------

    def _ogone_seconds_allowed(self):
        """Return how long a payment may take; DirectLink: the base's minimum."""
        return 0 if self.original_id or self._ogone_is_charge() else PAGE_SECONDS

    def _ogone_rhythm(self):
        """Return when to ask about what is in flight: rarely, as the platform reports by itself."""
        if self._is_reported():
            return CONFIRM_RHYTHM
        if self._ogone_is_charge():
            return CHARGE_RHYTHM
        first = PAGE_SECONDS + 60 if not self.original_id else int(LONG_AGO.total_seconds())
        return {"first": first, "slow": int(INQUIRE_AFTER.total_seconds())}

    def _ogone_plan(self, step):
        """Return a callable that runs a step without a cursor and returns a Finding, or a Finding."""
        if step == "cancel":
            return Finding(
                None, "cancel_refused", _("a payment on the page ends when its customer leaves it")
            )
        if step == "send":
            return self._ogone_sending() if self.original_id else self._ogone_charging()
        return self._ogone_inquiry()

    def _ogone_can_void_rest(self):
        """Tell that what was not captured can be given free (DES)."""
        return True

    def _identifiers(self):
        return super()._identifiers() | {"ogone_alias_kept", "ogone_identification"}

    def _ogone_subject(self):
        """Return what an inquiry is about: a message that comes meanwhile makes its answer worthless."""
        return self.external_ref, self.raw_state, self.reported_ref

    # ------------------------------------------------------------------
    # Inquiries
    # ------------------------------------------------------------------

    def _ogone_inquiry(self):
        if self.reason == "mismatch":
            return Finding(None)  # what differs is for a person to look into
        client, asked = self._ogone_client(), self._ogone_asked()
        about, reported = self._ogone_subject(), self._is_reported()
        # a number that the platform does not know is not the one of our order, which may be paid all the same
        payid = "" if reported and self.reason == UNCONFIRMED else self._ogone_payid()
        left, movement = self._is_page_over() and self._page_left(), bool(self.original_id)
        options = {
            "sole": self._ogone_is_sole(),
            "long_ago": not reported and self._is_long_ago(LONG_AGO),
            "paid_at_91": self._document().provider_id.sudo().ogone_paid_at_91,
        }

        def run():
            reply = client.ask(
                "query",
                lambda account: direct.query(account, payid, "" if payid else asked.order, asked.payidsub),
            )
            if reply.failure:
                return Finding(None, UNASKED if reported else "", reply.failure.detail, about=about)
            verdict = direct.conclude_query(asked, reply.status, reply.body, **options)
            if left and verdict.reason in NOTHING_BEGUN:
                return replace(left, detail=_said(verdict.answer), latency=reply.latency, about=about)
            if reported and verdict.state in (None, "pending", "unknown"):
                return replace(_no_confirmation(verdict), latency=reply.latency, about=about)
            return finding_of(verdict, verdict.answer, movement, reply.latency, about)

        return run

    def _page_reasons(self):
        return (*super()._page_reasons(), "og_identification")

    def _ogone_is_sole(self):
        """Tell whether nothing else moved this payment, so that its last state is that of this movement."""
        others = self._ogone_payment_operation()._ogone_movements() - self
        return not others.filtered(lambda one: one.state not in ("draft", "declined", "cancelled", "failed"))

    # ------------------------------------------------------------------
    # DirectLink: a saved card
    # ------------------------------------------------------------------

    def _ogone_is_charge(self):
        return not self.original_id and self._document()._servipay_is_charge()

    def _ogone_charging(self):
        """Return a callable that charges a saved card; ORDERID makes sure that it is charged once."""
        if not self._ogone_is_charge():
            return Finding(None)
        client, asked, charge = self._ogone_client(), self._ogone_asked(), self._ogone_charge()

        def run():
            reply = client.ask("order", lambda account: direct.charge(account, charge))
            if reply.failure:
                return reply.failure
            verdict = direct.conclude(asked, reply.status, reply.body)
            return finding_of(verdict, verdict.answer, latency=reply.latency)

        return run

    def _ogone_charge(self):
        """Return the ``Charge``; who is there can identify at the bank, and who is not cannot."""
        transaction = self._document()
        http = request.httprequest if request and transaction.operation == "online_token" else None
        return direct.Charge(
            order=self.reference,
            alias=transaction.token_id.sudo().provider_ref,
            amount=self.currency_id._servipay_decimal(self.amount),
            currency=self.currency_id.name,
            operation="RES" if self.kind == "authorisation" else "SAL",
            description=transaction.reference,
            eci=PRESENT if http else direct.RECURRING,
            address=(http and http.remote_addr) or "",
            customer=transaction._ogone_customer(),
            authentication=transaction._ogone_authentication(http) if http else None,
        )

    def _is_waiting_for_customer(self):
        return super()._is_waiting_for_customer() or self._ogone_is_identifying()

    def _ogone_is_identifying(self):
        """Tell whether the bank waits for the customer, on a page that is there."""
        return self.state == "pending" and bool(self.ogone_identification)

    # ------------------------------------------------------------------
    # DirectLink: refund, capture, void
    # ------------------------------------------------------------------

    def _ogone_sending(self):
        """Return a callable that moves money; the platform carries it out later, and reports the end."""
        client, asked = self._ogone_client(), self._ogone_asked()
        moved = direct.Movement(self._ogone_maintenance(), asked.amount, asked.currency, asked.payid)

        def run():
            reply = client.ask("maintenance", lambda account: direct.movement(account, moved))
            if reply.failure:
                return reply.failure
            verdict = direct.conclude(asked, reply.status, reply.body)
            return finding_of(verdict, verdict.answer, True, reply.latency)

        return run

    def _ogone_maintenance(self):
        """Return the platform's word for this movement: a capture of all that is left closes the payment."""
        if self.kind != "capture":
            return MAINTENANCE[self.kind]
        # what is left once this one, which is on its way already, has taken its part
        left = self._ogone_payment_operation().refundable_amount
        return "SAS" if self.currency_id.is_zero(left) and self._ogone_is_sole() else "SAL"

    def _ogone_client(self):
        return self._document().provider_id.sudo()._ogone_client(operation_id=self.id)

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    @api.model
    def _ogone_cron_pending(self):
        """Tell once about payments that are pending for too long, and end what was never sent."""
        self._servipay_cron_online("ogone", [("external_ref", "!=", False)])


def finding_of(verdict, answer, movement=False, latency=None, about=None):
    """Return the Finding of a ``verdict.Verdict``; needs no cursor.

    :param answer: the Feedback or DirectAnswer that it was concluded from, None when nothing could be read
    :param movement: about a refund, capture or void
    """
    state, reason = verdict.state, verdict.reason
    differences = tuple(Mismatch(*one) for one in verdict.mismatches) if state == "unknown" else ()
    if reason and not differences:
        reason = f"og_{reason}"
    facts = _facts(verdict, answer, movement) if answer else {}
    values = {**facts, **_dates(state, reason)}
    denied = state == "failed" and verdict.reason in DENIALS
    return Finding(state, reason, _said(answer), values, differences, latency, not movement, denied, about)


def _no_confirmation(verdict):
    """Return the Finding of an answer that does not call paid what a message reported as paid."""
    said = "; ".join(f"{name}: {asked} / {got}" for name, asked, got in verdict.mismatches)
    heard = verdict.mismatches or verdict.state or verdict.reason in NOTHING_BEGUN
    return Finding(None, UNCONFIRMED if heard else UNASKED, said or _said(verdict.answer))


def _facts(verdict, answer, movement):
    approved, number = verdict.state == "approved", answer.payid
    if movement:
        number = f"{answer.payid}/{answer.payidsub}" if answer.payidsub else ""
    return {
        "external_ref": number,
        "ogone_payidsub": answer.payidsub if movement else "",
        "raw_state": answer.status,
        "approved_amount": answer.amount if approved else None,
        "authorization_code": answer.acceptance,
        "card_brand": answer.brand or answer.method,
        "masked_pan": f"************{answer.card_tail}" if answer.card_tail else "",
        "decline_code": "" if approved else answer.error,
        **({} if movement else _kept(verdict, answer)),
    }


def _kept(verdict, answer):
    """Return the name of a card that is kept, and the page of a bank that wants to see the customer."""
    page = getattr(answer, "html", "") if verdict.reason == "identification" else ""
    return {"ogone_alias_kept": answer.alias, "ogone_identification": page}


def _dates(state, reason):
    """Return how long what the platform calls pending may take, and when it is asked about."""
    if state != "pending":
        return {}
    now = fields.Datetime.now()
    if reason == "og_identification":
        end = now + timedelta(seconds=PAGE_SECONDS)
        return {"deadline_at": end, "next_inquiry_at": end}
    return {"deadline_at": now + PENDING_FOR, "next_inquiry_at": now + INQUIRE_AFTER}


def _said(answer):
    """Return the platform's own words about what is no success."""
    if not answer:
        return ""
    error = answer.error if answer.error != "0" else ""
    return " ".join(
        filter(
            None, (f"STATUS {answer.status}" if answer.status else "", error, getattr(answer, "message", ""))
        )
    )
