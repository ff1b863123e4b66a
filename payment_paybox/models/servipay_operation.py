from dataclasses import replace
from datetime import timedelta

from odoo import _, api, fields

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.outcome import Mismatch
from odoo.addons.paypercloud_servipay.models.online_operation import OnlineOperation
from odoo.addons.paypercloud_servipay.models.online_report import CONFIRM_RHYTHM, UNCONFIRMED
from odoo.addons.paypercloud_servipay.models.servipay_gone import leave

from ..paybox import direct
from .question_number import question_number
from .questions import (
    Claim,
    ask_about_page,
    ask_about_payment,
    ask_about_reports,
    cancel_instead,
    move,
    said,
    same,
)

PAGE_MARGIN = 900  # seconds after the page has closed: a bank's answer may be late
INQUIRE_AFTER = timedelta(hours=6)  # a pending payment takes hours or days
PENDING_FOR = timedelta(days=30)
REPORT_WITHIN = timedelta(minutes=30)  # that the platform has for a message which a browser has brought
LONG_AGO = timedelta(hours=1)  # after that a request is not on its way any more
QUESTIONS = 3  # at most, in one step
CANDIDATES = 8  # further numbers that were reported for one payment, asked about in one inquiry


class ServipayOperation(OnlineOperation):
    """The Paybox driver: payments on the page, and PPPS. The rules are in ``paybox``."""

    _inherit = "servipay.operation"

    provider = fields.Selection(selection_add=[("paybox", "Paybox")], ondelete={"paybox": leave("paybox")})
    paybox_call = fields.Char(
        "Call number", readonly=True, copy=False, help="NUMAPPEL: one per visit of the page."
    )
    paybox_guarantee = fields.Char(
        "Payment guarantee", readonly=True, copy=False, help="O: guaranteed by 3-D Secure."
    )

    # ------------------------------------------------------------------
    # The page: what an answer means for this payment
    # ------------------------------------------------------------------

    def _paybox_weigh(self, answer):
        """Return what to do with a signed answer.

        "take", "repeated", "nothing", "mismatch", "paid_twice", or "later": when it is known what another one
        is worth. Messages come late, twice and in any order, about several attempts."""
        outcome, other = answer.outcome, self._paybox_is_other(answer)
        if outcome == "accepted" and self._paybox_is_test_in_production(answer):
            return "mismatch"
        if self.state == "approved" and self.decided and not self.external_ref and outcome == "accepted":
            return "take"  # it is what a person said before the platform did
        if self.state in ("approved", "reversed"):
            return "paid_twice" if outcome == "accepted" and other else "nothing"
        beside = self._weigh_beside_report(outcome == "accepted")
        if beside or outcome == "accepted":
            return beside or "take"
        if self.state in ("pending", "unknown") and self.external_ref and other:
            return "nothing"  # a refusal of one attempt says nothing about another that is still open
        if self.state in ("declined", "cancelled", "failed") and outcome in ("refused", "cancelled"):
            return "repeated" if other or outcome == "cancelled" and self.state != "cancelled" else "nothing"
        return "take"

    def _paybox_is_other(self, answer):
        return (self.external_ref or "").lstrip("0") != answer.transaction.lstrip("0")

    def _paybox_is_test_in_production(self, answer):
        """The test platform signs with the same key: its "XXXXXX" must not pay anything in production."""
        live = self._document().provider_id.sudo().state != "test"  # nor for one that was switched off
        return live and not answer.authorisation.strip("Xx") and bool(answer.authorisation)

    def _paybox_finding(self, answer, hearsay=False):
        """Return the Finding of an answer, compared with what was asked; hearsay waits to be reported."""
        states = {
            "accepted": "approved",
            "pending": "pending",
            "cancelled": "cancelled",
            "refused": "declined",
            "unclear": "unknown",
        }
        reason = answer.reason or {"pending": "waiting", "unclear": "unclear"}.get(answer.outcome, "")
        state, reason = states[answer.outcome], f"pb_{reason}" if reason else ""
        differences = self._paybox_differences(answer)
        facts = self._paybox_facts(answer)
        if differences:
            state, reason = "unknown", "mismatch"
        if hearsay and state == "approved":
            state, reason = "pending", "pb_returned"
        detail = answer.error if answer.outcome != "accepted" else ""
        values = {**facts, **_dates(state, reason)}
        return self._to_be_confirmed(Finding(state, reason, detail, values, differences, later_attempt=True))

    def _paybox_facts(self, answer):
        accepted = answer.outcome == "accepted"
        paid = self.currency_id._servipay_major(answer.amount) if accepted and answer.amount else None
        return {
            "external_ref": answer.transaction if answer.transaction.strip("0") else "",
            "paybox_call": answer.call,
            "raw_state": answer.error,
            "approved_amount": paid,
            "authorization_code": answer.authorisation,
            "card_brand": answer.card_type,
            "masked_pan": answer.card,
            "paybox_guarantee": answer.guarantee,
            "decline_code": "" if accepted else answer.error,
        }

    def _paybox_differences(self, answer):
        """Return Mismatches; any of them bars the approval, now or by an inquiry later."""
        if answer.outcome not in ("accepted", "pending", "unclear"):
            return ()
        found = []
        if answer.amount != self._paybox_amount():
            major = self.currency_id._servipay_major
            got = str(major(answer.amount)) if answer.amount else "-"
            found.append(Mismatch("amount", str(major(self._paybox_amount())), got))
        if answer.outcome == "accepted" and not answer.authorisation:
            found.append(Mismatch("authorisation", "-", "none"))
        if not answer.can_be_asked_about:
            found.append(Mismatch("transaction", "-", answer.transaction or "none"))
        known = self._paybox_user_of(answer.transaction)
        if known:
            found.append(Mismatch("transaction", "-", f"{answer.transaction} ({known.name})"))
        return tuple(found)

    def _paybox_same_number(self, number, states):
        """Return something else of this contract, in one of these states, with a transaction number.

        A payment, or what followed another one: captures and refunds have numbers of their own."""
        others = ["&", ("id", "!=", self.id), ("original_id", "!=", self.id)]
        found = [*self._paybox_of_contract(), *others, ("external_ref", "in", _spellings(number))]
        return self.search([*found, ("state", "in", states)], limit=1)

    def _paybox_of_contract(self):
        """Return the domain of what has numbers of one kind with this payment's."""
        # before accounts were kept: those of the company
        company = ["&", ("merchant_account", "=", False), ("company_id", "=", self.company_id.id)]
        return [
            ("provider", "=", "paybox"),
            *("|", ("merchant_account", "=", self.merchant_account or "-"), *company),
        ]

    def _paybox_user_of(self, number):
        """Return the payment that a transaction number was confirmed for: it pays nothing twice.

        Only what the platform has confirmed uses a number up. Whoever can have a text signed could else take
        the next numbers away from the customers to whom they will be given."""
        return self._paybox_same_number(number, ("approved", "reversed"))

    def _paybox_rival(self, number, call):
        """Return the name of something else that both numbers may belong to, unconfirmed; "" for nothing.

        Who paid knows them: for a small payment, another one, or one that Odoo does not know. An inquiry
        would say yes to each of them, so that only reference and amount can decide. A guessed number without
        its call number is no rival: the platform does not know that pair."""
        operation = self._paybox_same_number(number, ("pending", "unknown"))
        if operation and same(operation.paybox_call, call):
            return operation.name
        messages = self.env["servipay.notification"].search(
            [
                ("provider", "=", "paybox"),
                ("paybox_transaction", "in", _spellings(number)),
                ("paybox_call", "in", (False, call.lstrip("0"))),
                ("operation_id", "!=", self.id),
            ],
            limit=1,
        )
        if messages:
            return messages.operation_id.name or _("another message")
        return _("a payment before this page was opened") if self._paybox_is_older(number) else ""

    def _paybox_is_older(self, number):
        """Return whether a number was given before this page was opened: the platform's numbers only grow."""
        before = self.search(
            [
                *self._paybox_of_contract(),
                ("state", "in", ("approved", "reversed")),
                ("settled_at", "<=", self.create_date),
                ("external_ref", "!=", False),
            ],
            limit=1,
        )
        known = (before.external_ref or "").strip()
        return known.isdecimal() and number.isdecimal() and int(number) <= int(known)

    def _paybox_note_attempt(self, answer):
        """Keep what a further refused attempt said; the state stays."""
        self._keep_facts(self._paybox_finding(answer))
        self.write({"reason": f"pb_{answer.reason}", "detail": answer.error})

    def _paybox_after(self, answer):
        """Forget a refusal that a success has overruled."""
        if answer.outcome == "accepted":
            self.write({"decline_code": False})

    def _paybox_detail(self, answer):
        # suite-check: ok only shown, and Odoo's formatter adds a float
        amount = self.currency_id.format(float(self.currency_id._servipay_major(answer.amount or 0)))
        return f"{amount}, {answer.authorisation or '-'}, {answer.transaction}"

    def _paybox_amount(self):
        """Return what was asked in minor units of the currency (int)."""
        return self.currency_id._servipay_minor(self.amount)

    # ------------------------------------------------------------------
    # Hooks of the base
    # ------------------------------------------------------------------

    def _paybox_seconds_allowed(self):
        """Return how long a payment may take: the page stays open, and a bank's answer may be late."""
        if self.original_id:
            return 0  # PPPS: the base's minimum
        provider = self._document().provider_id.sudo()
        return provider.paybox_page_seconds + PAGE_MARGIN

    def _paybox_rhythm(self):
        """Return when to ask about what is in flight: not before the page has closed, then rarely."""
        if self._is_reported():
            return CONFIRM_RHYTHM
        seconds = self._paybox_seconds_allowed() + 60
        return {"first": seconds, "slow": int(INQUIRE_AFTER.total_seconds())}

    def _paybox_plan(self, step):
        """Return a callable that runs a step without a cursor and returns a Finding, or a Finding."""
        if step == "cancel":
            return Finding(
                None, "cancel_refused", _("a payment on the page ends when its customer leaves it")
            )
        if step == "inquire":
            return self._paybox_movement_inquiry() if self.original_id else self._paybox_page_inquiry()
        return self._paybox_sending() if self.original_id else Finding(None)

    # ------------------------------------------------------------------
    # Inquiries
    # ------------------------------------------------------------------

    def _paybox_page_inquiry(self):
        """Ask about what is known now: a message that comes meanwhile makes the answer worthless."""
        about, plan = self._paybox_subject(), self._paybox_page_plan()
        return (lambda: replace(plan(), about=about)) if callable(plan) else replace(plan, about=about)

    def _paybox_subject(self):
        return self.external_ref, self.paybox_call, self.reported_ref

    def _paybox_page_plan(self):
        if self.reason == "mismatch":
            # an inquiry states no authorisation, and an amount that differs is for a person to look into
            return Finding(None)
        if not (self.paybox_call and self.external_ref):
            return self._paybox_existence_plan() if self._is_page_over() else Finding(None)
        if self._is_reported():
            return self._paybox_report_plan()
        return self._paybox_report_plan(reported=False)

    def _paybox_existence_plan(self):
        """Ask whether our reference was paid, as no message said so: one may have been lost."""
        if not self._confirms_reports():
            return Finding(None, "page_unasked")  # the contract has no PPPS
        client, (asked,) = self._paybox_client(), self._paybox_questions(1)
        left, asked = self._page_left(), replace(asked, kind="existence")
        return lambda: ask_about_page(client, asked, left)

    def _paybox_report_plan(self, reported=True):
        """Ask for what is reported as paid, and after a "no" for whatever else was reported for it."""
        claims = [self._paybox_claim(self.external_ref, self.paybox_call, self.authorization_code or "")]
        if self.reason == UNCONFIRMED:
            claims += self._paybox_candidates()
        asked = [claim for claim in claims if not claim.user]
        if not asked:
            return Finding(None, UNCONFIRMED if reported else "", f"{self.external_ref}: {claims[0].user}")
        client = self._paybox_client()
        if not reported:
            left = self._is_page_left()
            # no message has stated an amount: the platform has to
            claim = replace(asked[0], rival=asked[0].rival or _("amount not stated"))
            return lambda: ask_about_payment(client, claim, left)
        return lambda: ask_about_reports(client, asked)

    def _paybox_claim(self, transaction, call, authorisation, facts=None):
        """Return a ``Claim``: that this was paid by a transaction of the platform."""
        (question,) = self._paybox_questions(1)
        return Claim(
            question=replace(question, call=call, transaction=transaction),
            authorisation=authorisation,
            facts=facts or {},
            user=self._paybox_user_of(transaction).name or "",
            rival=self._paybox_rival(transaction, call),
        )

    def _paybox_candidates(self):
        """Return ``Claim``s of what else was reported, each compared with what was asked like the first.

        A message that came after the platform's "no" has taken the place of the one before, and either may be
        the customer's own."""
        messages = self.env["servipay.notification"].search(
            [("operation_id", "=", self.id), ("paybox_transaction", "not in", (False, self.external_ref))],
            order="id",
        )
        others = list({message.paybox_transaction: message for message in messages}.values())
        if len(others) > CANDIDATES:
            # whoever sends many must not push the true one out of sight: the oldest and the newest
            others = others[: CANDIDATES // 2] + others[-CANDIDATES // 2 :]
        found = []
        for answer in (message._paybox_answer() for message in others):
            if not self._paybox_differences(answer):
                facts = {**self._paybox_facts(answer), "reported_ref": answer.transaction}
                found.append(self._paybox_claim(answer.transaction, answer.call, answer.authorisation, facts))
        return found

    def _paybox_movement_inquiry(self):
        """Ask what became of the payment that was to be refunded, captured or cancelled."""
        client, (asked,) = self._paybox_client(), self._paybox_questions(1)
        kind, whole = self._paybox_kind(), self._paybox_is_whole()
        long_ago = self._is_long_ago(LONG_AGO)

        def run():
            reply = client.ask(asked)
            if reply.failure:
                return Finding(None, "", reply.failure.detail)
            verdict = direct.conclude_movement(
                client.merchant, reply.asked, reply.answer, kind, whole, long_ago
            )
            denied = verdict.reason == "ppps_not_done"
            return Finding(
                verdict.state, verdict.reason, said(reply.answer), latency=reply.latency, denied=denied
            )

        return run

    def _paybox_kind(self):
        return {"void": "cancel"}.get(self.kind, self.kind)

    def _paybox_is_whole(self):
        """Tell whether this moves the payment's whole amount, and nothing else moved any of it."""
        original = self.original_id
        others = (original.child_ids - self).filtered(
            lambda child: child.state not in ("draft", "declined", "cancelled", "failed")
        )
        return not others and self.currency_id.compare_amounts(self.amount, original._settled_amount()) == 0

    # ------------------------------------------------------------------
    # PPPS: refund, capture, cancel
    # ------------------------------------------------------------------

    def _paybox_sending(self):
        """Return a callable that moves money; a whole payment that the bank has not got yet is cancelled."""
        client, kind = self._paybox_client(), self._paybox_kind()
        inquiry, first, second = self._paybox_questions(QUESTIONS, kind)
        may_cancel = kind == "refund" and self._paybox_is_whole()

        def run():
            finding = cancel_instead(client, inquiry, first) if may_cancel else None
            return finding or move(client, second)

        return run

    def _paybox_questions(self, count, kind=None):
        """Return questions about the original (or this) payment: an inquiry, then a cancel, then ``kind``."""
        paid = self.original_id or self
        # a capture has a transaction number of its own, and the call number of what it captured
        call = paid.paybox_call or paid.original_id.paybox_call or ""
        date = self._document().provider_id._paybox_time()[1]
        kinds = ["inquiry", "cancel", kind][:count]
        return [
            direct.Question(
                kind=one,
                number=question_number(),
                date=date,
                call=call,
                transaction=paid.external_ref or "",
                amount=self._paybox_amount(),
                currency=self.currency_id.name,
                reference=(paid.original_id or paid).reference,
                means=paid.card_brand or paid.original_id.card_brand or "",
            )
            for one in kinds
        ]

    def _paybox_client(self):
        return self._document().provider_id.sudo()._paybox_client(operation_id=self.id)

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    @api.model
    def _paybox_cron_pending(self):
        """Tell once about each payment that has been pending for longer than its provider allows.

        And end what was never sent."""
        self._servipay_cron_online(
            "paybox", ["|", ("external_ref", "!=", False), ("reason", "=", "pb_waiting")]
        )


def _spellings(number):
    """Return how a number of the platform may be stored: PPPS writes it with zeros, its page without."""
    plain = (number or "").lstrip("0")
    return [number, plain, plain.zfill(10)]


def _dates(state, reason):
    """Return how long what is pending may take, and when it is asked about: not what its page was given."""
    if state != "pending":
        return {}
    now = fields.Datetime.now()
    if reason == "pb_returned":
        return {"deadline_at": now + REPORT_WITHIN, "next_inquiry_at": now + REPORT_WITHIN}
    return {"deadline_at": now + PENDING_FOR, "next_inquiry_at": now + INQUIRE_AFTER}
