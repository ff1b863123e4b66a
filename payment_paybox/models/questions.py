"""What is asked of PPPS, and what the answers mean for an operation. Needs no cursor."""

from dataclasses import dataclass, replace

from odoo import fields

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.outcome import Mismatch
from odoo.addons.paypercloud_servipay.models.online_report import PAID_TWICE, UNASKED, UNCONFIRMED

from ..paybox import codes, direct
from .question_number import question_number


def same(number, other):
    """Tell whether two numbers of the platform are one, with zeros before it or without."""
    return (number or "").lstrip("0") == (other or "").lstrip("0")


def said(answer):
    """Return an answer's own words."""
    return " ".join(part for part in (answer.code, answer.text, answer.status) if part)


@dataclass(frozen=True)
class Claim:
    """That a payment of ours is a transaction of the platform; what is asked to find out.

    user   name of the payment that the number was confirmed for, "" for none
    rival  what else claims it and is not confirmed, "" for nothing
    facts  field values that come true with it
    """

    question: object
    authorisation: str
    facts: dict
    user: str = ""
    rival: str = ""

    def check(self, client, reason):
        """Ask whether our reference and amount have these numbers; None when they do, a Finding else.

        What an inquiry by numbers answers states no amount: it says yes to whoever knows the numbers of any
        payment to this merchant. Where the contract does not know this question, the first claim counts.

        :param reason: of the Finding of a claim that is not ours
        """
        reply = client.ask(replace(self.question, kind="existence", number=question_number()))
        if reply.failure:
            return Finding(None, UNASKED, reply.failure.detail)
        numbers = self.question.call, self.question.transaction
        verdict = direct.conclude_numbers(client.merchant, reply.asked, reply.answer, *numbers)
        if verdict == "yes" or (verdict == "unasked" and not self.rival):
            return None
        if verdict == "other" and (found := self._ask_about_other(client, reply.answer)):
            return found
        words = f"{self.question.transaction}: {self.rival or said(reply.answer)}"
        return Finding(None, reason if verdict else UNASKED, words)

    def _ask_about_other(self, client, named):
        """Return the Finding of the payment that the platform names for our reference, None if it is none.

        The page was paid twice then, or what was reported is another payment's: people are told."""
        numbers = {"call": named.call, "transaction": named.transaction}
        reply = client.ask(replace(self.question, number=question_number(), **numbers))
        if reply.failure:
            return Finding(None, UNASKED, reply.failure.detail)
        if direct.conclude_payment(client.merchant, reply.asked, reply.answer).state != "approved":
            return None
        number = named.transaction
        values = {"external_ref": number, "reported_ref": number, "paybox_call": named.call}
        values["authorization_code"] = reply.answer.authorisation
        return Finding("approved", PAID_TWICE, self.question.transaction, values, latency=reply.latency)


def ask_about_page(client, asked, left):
    """Ask whether a page that nobody reported was paid; its numbers are then asked about like any others.

    :param left: the Finding of a page of whose payment the platform knows nothing
    """
    reply = client.ask(asked)
    if reply.failure:
        return Finding(None, "", reply.failure.detail)
    verdict = direct.conclude_existence(client.merchant, reply.asked, reply.answer)
    if verdict == "none":
        return replace(left, detail=said(reply.answer), latency=reply.latency)
    if verdict == "unasked":
        return Finding(None, "page_unasked", said(reply.answer), latency=reply.latency)
    numbers = {"external_ref": reply.answer.transaction, "paybox_call": reply.answer.call}
    values = {**numbers, "next_inquiry_at": fields.Datetime.now()} if verdict == "found" else {}
    return Finding(None, "", said(reply.answer), values, latency=reply.latency)


def ask_about_payment(client, claim, again=False):
    """Ask what became of a payment that was reported as pending or unclear, or found.

    :param again: a page that counted as left: its payment is a later attempt
    """
    reply = client.ask(claim.question)
    if reply.failure:
        return Finding(None, "", reply.failure.detail)
    verdict = direct.conclude_payment(client.merchant, reply.asked, reply.answer)
    if verdict.reason == "ppps_not_found":
        # whoever said that it waits for a bank: the platform knows nothing of it
        return Finding("unknown", UNCONFIRMED, said(reply.answer), latency=reply.latency, denied=True)
    words = said(reply.answer)
    found = Finding(verdict.state, verdict.reason, words, latency=reply.latency, later_attempt=again)
    return (claim.check(client, "") if found.state == "approved" else None) or found


def ask_about_reports(client, claims):
    """Ask for each ``Claim`` until one is confirmed; the first answer else."""
    first = None
    for claim in claims:
        finding = _ask_about_report(client, claim)
        if finding.state == "approved":
            return replace(finding, values={**claim.facts, **finding.values})
        first = first or finding
        if finding.reason == UNASKED:
            break
    return first


def _ask_about_report(client, claim):
    """Ask for what was reported as paid: the answer is yes, or it stays open."""
    reply = client.ask(claim.question)
    if reply.failure:
        return Finding(None, UNASKED, reply.failure.detail)
    if reply.answer.code in codes.DIRECT_UNCERTAIN:
        return Finding(None, UNASKED, said(reply.answer))  # an error of the platform is no "no"
    verdict = direct.conclude_reported(client.merchant, reply.asked, reply.answer, claim.authorisation)
    found = Finding(verdict.state, verdict.reason, said(reply.answer), latency=reply.latency)
    return (claim.check(client, UNCONFIRMED) if found.state == "approved" else None) or found


def cancel_instead(client, inquiry, cancel):
    """Cancel a payment that was not remitted yet; None when it has to be refunded, or nobody knows."""
    reply = client.ask(inquiry)
    if reply.failure or direct.compare(client.merchant, reply.asked, reply.answer):
        return None
    status = direct.status_of(reply.answer)
    if status in ("refunded", "cancelled", "credited"):
        return Finding("declined", "ppps_moved", said(reply.answer), latency=reply.latency)
    if (
        reply.answer.code != codes.ACCEPTED
        or reply.answer.remitted
        or status not in ("authorised", "captured")
    ):
        return None
    finding = move(client, cancel)
    # what was refused for certain may still be refunded
    return None if finding.state == "declined" else finding


def move(client, asked):
    """Ask for a movement and return its Finding."""
    reply = client.ask(asked)
    if reply.failure:
        return reply.failure
    verdict = direct.conclude(client.merchant, reply.asked, reply.answer)
    accepted = verdict.state == "approved"
    values = {"raw_state": reply.answer.code}
    if accepted:
        values.update(external_ref=reply.answer.transaction, authorization_code=reply.answer.authorisation)
    differences = tuple(Mismatch(*difference) for difference in verdict.mismatches)
    return Finding(verdict.state, verdict.reason, said(reply.answer), values, differences, reply.latency)
