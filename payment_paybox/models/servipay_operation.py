from dataclasses import replace
from datetime import timedelta

from odoo import _, api, fields

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.outcome import Mismatch
from odoo.addons.paypercloud_servipay.models.conversation import Conversation, converse
from odoo.addons.paypercloud_servipay.models.online_operation import OnlineOperation
from odoo.addons.paypercloud_servipay.models.own_transaction import after_commit

from ..paybox import codes, direct

PAGE_MARGIN = 900  # seconds after the page has closed: a bank's answer may be late
INQUIRE_AFTER = timedelta(hours=6)  # a pending payment takes hours or days
PENDING_FOR = timedelta(days=30)
LONG_AGO = timedelta(hours=1)  # after that a request is not on its way any more
QUESTIONS = 3  # at most, in one step
CANDIDATES = 8  # further numbers that were reported for one payment, asked about in one inquiry
# A payment that a message reports is one when the platform says so to this merchant too:
CONFIRMING = "confirming"  # it is about to be asked
UNASKED = "unasked"  # it could not be asked yet
UNCONFIRMED = "unconfirmed"  # it said something else
CONFIRM_AFTER = timedelta(minutes=1)  # by the job, should this process die
CONFIRM_WITHIN = timedelta(days=1)  # then a person decides


class ServipayOperation(OnlineOperation):
    """The Paybox driver: payments on the page, and PPPS. The rules are in ``paybox``."""

    _inherit = "servipay.operation"

    provider = fields.Selection(selection_add=[("paybox", "Paybox")], ondelete={"paybox": "cascade"})
    paybox_call = fields.Char(
        "Call number", readonly=True, copy=False, help="NUMAPPEL: one per visit of the page."
    )
    paybox_guarantee = fields.Char(
        "Payment guarantee", readonly=True, copy=False, help="O: guaranteed by 3-D Secure."
    )
    paybox_reported = fields.Char(
        "Reported transaction",
        readonly=True,
        copy=False,
        help="Number of the transaction that a signed message reported as paid; the platform confirms it.",
    )
    paybox_late = fields.Boolean("Reported after it was given up", readonly=True, copy=False)

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
        if self.state in ("approved", "reversed"):
            return "paid_twice" if outcome == "accepted" and other else "nothing"
        reported = self.state in ("pending", "unknown") and self._paybox_is_reported()
        if outcome == "accepted":
            return "later" if reported and self.reason != UNCONFIRMED else "take"
        if reported:
            return "nothing"  # what was reported as paid is for the platform's answer to decide
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

    def _paybox_finding(self, answer):
        """Return the Finding of an answer, compared with what was asked."""
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
        elif state == "approved" and self._document().provider_id.sudo().paybox_confirm:
            state, reason = "pending", CONFIRMING
            facts["paybox_reported"] = answer.transaction
        return Finding(
            state,
            reason,
            answer.error if answer.outcome != "accepted" else "",
            {**facts, **_dates(state, reason)},
            differences,
            later_attempt=True,
        )

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
            found.append(Mismatch("amount", str(self._paybox_amount()), str(answer.amount)))
        if answer.outcome == "accepted" and not answer.authorisation:
            found.append(Mismatch("authorisation", "-", "none"))
        if not answer.can_be_asked_about:
            found.append(Mismatch("transaction", "-", answer.transaction or "none"))
        known = self._paybox_same_transaction(answer.transaction, ("approved", "reversed"))
        if known:
            found.append(Mismatch("transaction", "-", f"{answer.transaction} ({known.name})"))
        return tuple(found)

    def _paybox_same_transaction(self, number, among=("approved", "reversed", "pending", "unknown")):
        """Return another operation, in one of these states, that a transaction number was reported for.

        It pays nothing twice."""
        return self.search(
            [
                ("provider", "=", "paybox"),
                ("kind", "in", ("purchase", "authorisation")),
                ("company_id", "=", self.company_id.id),
                ("external_ref", "=", number),
                ("state", "in", among),
                ("id", "!=", self.id),
            ],
            limit=1,
        )

    def _paybox_twin(self, number):
        """Return the name of something else that a transaction number was reported for, "" for nothing.

        Second payments, and payments of what Odoo does not know, count too: a number pays one thing."""
        operation = self._paybox_same_transaction(number)
        if operation:
            return operation.name
        message = self.env["servipay.notification"].search(
            [
                ("provider", "=", "paybox"),
                ("paybox_transaction", "=", number),
                ("company_id", "in", (False, self.company_id.id)),
                ("operation_id", "!=", self.id),
            ],
            limit=1,
        )
        return (message.operation_id.name or _("another message")) if message else ""

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
        if self._paybox_is_reported():
            return {"first": 60, "slow": 3600}
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
        return self.external_ref, self.paybox_call, self.paybox_reported

    def _paybox_page_plan(self):
        if self.reason == "mismatch":
            # an inquiry states no authorisation, and an amount that differs is for a person to look into
            return Finding(None)
        if not (self.paybox_call and self.external_ref):
            # a page that nobody finished reports nothing, and there is no number to ask about
            over = self.deadline_at and self.deadline_at <= fields.Datetime.now()
            left = over and self.state == "pending" and self.reason in (False, "page_open")
            return Finding("cancelled", "page_left") if left else Finding(None)
        if self._paybox_is_reported():
            return self._paybox_report_plan()
        twin = self._paybox_twin(self.external_ref)
        if twin:
            return Finding(None, "", f"{self.external_ref}: {twin}")
        client, (asked,) = self._paybox_client(), self._paybox_questions(1)
        return lambda: _ask_about_payment(client, asked)

    def _paybox_report_plan(self):
        """Ask for what is reported as paid, and after a "no" for whatever else was reported for it."""
        current, asked = self.external_ref, []
        twin = self._paybox_twin(current)
        if not twin:
            (question,) = self._paybox_questions(1)
            asked.append((question, self.authorization_code or "", {}))
        if self.reason == UNCONFIRMED:
            asked += self._paybox_candidates()
        if not asked:
            # both were reported in the same moment, and neither saw the other
            return Finding(None, UNCONFIRMED, f"{current}: {twin}")
        client = self._paybox_client()
        return lambda: _ask_about_reports(client, asked)

    def _paybox_candidates(self):
        """Return [(question, authorisation, facts)] of what else was reported, each compared like the first.

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
            if not self._paybox_differences(answer) and not self._paybox_twin(answer.transaction):
                (question,) = self._paybox_questions(1)
                question = replace(question, call=answer.call, transaction=answer.transaction)
                facts = {**self._paybox_facts(answer), "paybox_reported": answer.transaction}
                found.append((question, answer.authorisation, facts))
        return found

    def _paybox_is_reported(self):
        """Tell whether a signed message, compared with what was asked, reported this number as paid."""
        return bool(self.paybox_reported) and self.paybox_reported == self.external_ref

    def _paybox_confirm_soon(self):
        """Ask the platform, in this merchant's name and outside any request, for what a message reports."""
        if self.reason == CONFIRMING:
            number = self.id
            after_commit(self.env, lambda env: converse(Conversation(env, number), "inquire"))

    def _note_no_news(self, finding):
        """Let the transaction wait, visibly, when a reported payment was not confirmed at once."""
        before = self.reason
        super()._note_no_news(finding)
        if self.provider != "paybox":
            return
        if self._paybox_is_reported() and self.reason != before:
            self._tell_document(self.state)
        if before == self.reason == UNCONFIRMED:
            # the second "no", a minute later: a platform may not find at once what it has just reported
            self._document()._servipay_alert("unconfirmed", detail=self.detail or "", key=self.external_ref)

    def _paybox_movement_inquiry(self):
        """Ask what became of the payment that was to be refunded, captured or cancelled."""
        client, (asked,) = self._paybox_client(), self._paybox_questions(1)
        kind, whole = self._paybox_kind(), self._paybox_is_whole()
        long_ago = self._is_long_ago(LONG_AGO)

        def run():
            reply = client.ask(asked)
            if reply.failure:
                return Finding(None, "", reply.failure.detail)
            verdict = direct.conclude_movement(client.merchant, asked, reply.answer, kind, whole, long_ago)
            return Finding(verdict.state, verdict.reason, _said(reply.answer), latency=reply.latency)

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
            finding = _cancel_instead(client, inquiry, first) if may_cancel else None
            return finding or _move(client, second)

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
                number=self._paybox_question_number(),
                date=date,
                call=call,
                transaction=paid.external_ref or "",
                amount=self._paybox_amount(),
                currency=self.currency_id.name,
                reference=(paid.original_id or paid).reference,
            )
            for one in kinds
        ]

    def _paybox_question_number(self):
        """Return a number that no other question of the day has (1 to 2147483647)."""
        number = self.env["ir.sequence"].sudo().next_by_code("payment_paybox.question")
        return int(number) % direct.MAX_QUESTION + 1

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

    # ------------------------------------------------------------------
    # Words
    # ------------------------------------------------------------------

    def _reason_sentences(self):
        return {
            **super()._reason_sentences(),
            **self._paybox_page_sentences(),
            **self._paybox_direct_sentences(),
        }

    def _paybox_page_sentences(self):
        return {
            "confirming": _("The platform reports a payment; it is being asked to confirm it."),
            "unasked": _(
                "The platform reports a payment, and could not be asked yet to confirm it. It is asked again."
            ),
            "unconfirmed": _(
                "A payment was reported, but the platform does not confirm it to this merchant ({detail})."
            ),
            "pb_waiting": _("The means of payment confirms later, in hours or days."),
            "pb_unclear": _("The platform's code {detail} is explained nowhere."),
            "pb_no_connection": _("the customer gave up, or the bank could not be reached ({detail})."),
            "pb_platform": _("the platform reported an error of its own ({detail})."),
            "pb_card_number": _("the card number or its security code is wrong ({detail})."),
            "pb_merchant": _(
                "the merchant's contract does not allow it: check site, rank and options ({detail})."
            ),
            "pb_expired": _("the card has expired ({detail})."),
            "pb_subscriber": _("the platform's fraud or subscriber rules refused it ({detail})."),
            "pb_currency": _("the contract does not allow this currency ({detail})."),
            "pb_amount": _("the amount was not accepted ({detail})."),
            "pb_already_paid": _("this reference was already paid ({detail})."),
            "pb_card_not_allowed": _("this card may not be used ({detail})."),
            "pb_other_card": _("another card than before was used ({detail})."),
            "pb_page_timeout": _("the customer did not pay in time ({detail})."),
            "pb_country": _("cards of this country are not accepted ({detail})."),
            "pb_no_3ds": _("the card could not be authenticated ({detail})."),
            "pb_call_bank": _("the bank wants to be called ({detail})."),
            "pb_keep_card": _("the bank withdraws the card ({detail})."),
            "pb_do_not_honour": _("the bank refuses without a reason ({detail})."),
            "pb_identify": _("the bank wants the holder identified ({detail})."),
            "pb_invalid": _("the bank calls the transaction invalid ({detail})."),
            "pb_bank_unknown": _("the card's bank is unknown ({detail})."),
            "pb_cancelled": _("the customer gave up ({detail})."),
            "pb_retry": _("the bank asks to try again later ({detail})."),
            "pb_fraud": _("the bank suspects fraud ({detail})."),
            "pb_pin_tries": _("too many wrong codes were entered ({detail})."),
            "pb_lost_or_stolen": _("the card was reported lost or stolen ({detail})."),
            "pb_funds": _("insufficient funds ({detail})."),
            "pb_pin": _("the code was wrong ({detail})."),
            "pb_limit": _("the card's limit is exceeded ({detail})."),
            "pb_security": _("the bank's security rules refuse it ({detail})."),
            "pb_stopped": _("the holder has stopped these payments ({detail})."),
            "pb_authentication": _("the customer's authentication failed ({detail})."),
            "pb_twice": _("the bank takes it for a repetition ({detail})."),
            "pb_soft_decline": _("the bank asks for the customer's authentication ({detail})."),
            "pb_bank_unreachable": _("the bank could not be reached ({detail})."),
            "pb_bank": _("the bank refused it ({detail})."),
            "pb_other": _("the platform refused it ({detail})."),
        }

    def _paybox_direct_sentences(self):
        direct_reasons = {*codes.DIRECT.values(), *codes.BANK.values(), "bank", "bank_unreachable", "other"}
        general = _("The platform refused the request ({detail}).")
        return {
            **{f"ppps_{reason}": general for reason in direct_reasons},
            "ppps_merchant": _("The platform does not let this merchant use PPPS ({detail})."),
            "ppps_amount": _("The platform refused the amount: more may be asked than is left ({detail})."),
            "ppps_not_found": _(
                "The platform does not find the payment, or it was moved already ({detail})."
            ),
            "ppps_question": _("The number of the request was used before ({detail})."),
            "ppps_no_connection": _("The platform could not reach the bank ({detail})."),
            "ppps_platform": _("The platform reported an error of its own ({detail})."),
            "ppps_no_news": _("The platform's answer does not tell whether it was carried out ({detail})."),
            "ppps_not_done": _("The platform shows the payment as it was before: nothing was carried out."),
            "ppps_refused": _("The platform calls the payment refused."),
            "ppps_cancelled": _("The platform calls the payment cancelled."),
            "ppps_refunded": _("The platform calls the payment refunded."),
            "ppps_moved": _("The payment was already refunded or cancelled outside Odoo ({detail})."),
        }


def _dates(state, reason):
    """Return how long what is pending may take, and when it is asked about: not what its page was given."""
    if state != "pending":
        return {}
    now = fields.Datetime.now()
    if reason == CONFIRMING:
        return {"deadline_at": now + CONFIRM_WITHIN, "next_inquiry_at": now + CONFIRM_AFTER}
    return {"deadline_at": now + PENDING_FOR, "next_inquiry_at": now + INQUIRE_AFTER}


def _said(answer):
    return " ".join(part for part in (answer.code, answer.text, answer.status) if part)


def _ask_about_payment(client, asked):
    reply = client.ask(asked)
    if reply.failure:
        return Finding(None, "", reply.failure.detail)
    verdict = direct.conclude_payment(client.merchant, asked, reply.answer)
    return Finding(verdict.state, verdict.reason, _said(reply.answer), latency=reply.latency)


def _ask_about_reports(client, asked):
    """Ask for each of [(question, authorisation, facts)] until one is confirmed; the first answer else."""
    first = None
    for question, authorisation, facts in asked:
        finding = _ask_about_report(client, question, authorisation)
        if finding.state == "approved":
            return replace(finding, values=facts)
        first = first or finding
        if finding.reason == UNASKED:
            break
    return first


def _ask_about_report(client, asked, authorisation):
    """Ask for what was reported as paid: the answer is yes, or it stays open."""
    reply = client.ask(asked)
    if reply.failure:
        return Finding(None, UNASKED, reply.failure.detail)
    if reply.answer.code in codes.DIRECT_UNCERTAIN:
        return Finding(None, UNASKED, _said(reply.answer))  # an error of the platform is no "no"
    verdict = direct.conclude_reported(client.merchant, asked, reply.answer, authorisation)
    return Finding(verdict.state, verdict.reason, _said(reply.answer), latency=reply.latency)


def _cancel_instead(client, inquiry, cancel):
    """Cancel a payment that was not remitted yet; None when it has to be refunded, or nobody knows."""
    reply = client.ask(inquiry)
    if reply.failure or direct.compare(client.merchant, inquiry, reply.answer):
        return None
    status = direct.status_of(reply.answer)
    if status in ("refunded", "cancelled", "credited"):
        return Finding("declined", "ppps_moved", _said(reply.answer), latency=reply.latency)
    if (
        reply.answer.code != codes.ACCEPTED
        or reply.answer.remitted
        or status not in ("authorised", "captured")
    ):
        return None
    finding = _move(client, cancel)
    # what was refused for certain may still be refunded
    return None if finding.state == "declined" else finding


def _move(client, asked):
    reply = client.ask(asked)
    if reply.failure:
        return reply.failure
    verdict = direct.conclude(client.merchant, asked, reply.answer)
    accepted = verdict.state == "approved"
    values = {"raw_state": reply.answer.code}
    if accepted:
        values.update(external_ref=reply.answer.transaction, authorization_code=reply.answer.authorisation)
    differences = tuple(Mismatch(*difference) for difference in verdict.mismatches)
    return Finding(verdict.state, verdict.reason, _said(reply.answer), values, differences, reply.latency)
