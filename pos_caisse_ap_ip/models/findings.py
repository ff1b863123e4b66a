"""From what a terminal answered to what an operation keeps: plain values, no Odoo."""

from dataclasses import replace

from odoo.addons.paypercloud_servipay.api import amounts
from odoo.addons.paypercloud_servipay.api.finding import Finding

from ..caisse_ap import codes
from ..caisse_ap.answer import read
from ..caisse_ap.conclude import same_code
from ..caisse_ap.errors import ProtocolError


def finding(request, exchange, decide):
    """Return the Finding of a whole answer. ``decide(request, answer)`` gives the Verdict.

    Its latency is the time that connecting took: how long the customer needed is not the terminal's health.
    """
    try:
        answer = read(exchange.fields)
        verdict = decide(request, answer)
    except ProtocolError as error:
        return Finding("unknown", "undecodable", str(error), latency=exchange.connected)
    return Finding(
        verdict.state,
        "mismatch" if verdict.mismatches else f"ap_{verdict.reason}" if verdict.reason else "",
        _detail(answer, verdict.state),
        _values(answer, request.currency) if verdict.state in ("approved", "declined") else {},
        tuple(_readable(mismatch, request.currency) for mismatch in verdict.mismatches),
        exchange.connected,
    )


def news(found):
    """Return the Finding of an inquiry that settled nothing, with words for what it found out.

    What the last transaction differs in is told: the operation's own detail is about its first answer.
    """
    detail, reason = found.detail, found.reason
    if found.mismatches:
        reason = "ap_other_transaction"
        detail = "; ".join(f"{one.field}: {one.asked} / {one.got}" for one in found.mismatches)
    return Finding(None, reason, detail, mismatches=found.mismatches, latency=found.latency)


def other_last(exchange, code, amount):
    """Return the Finding that a terminal's last transaction is not the one to be reversed, None when it is.

    :param code: AC of the payment, "" for none; amount: int, minor units
    """
    try:
        answer = read(exchange.fields)
    except ProtocolError as error:
        return Finding("failed", "ap_last_unknown", str(error))
    if (
        answer.status == "performed"
        and answer.amount == amount
        and same_code(answer.authorization_code, code)
    ):
        return None
    told = answer.status or answer.authorization_code
    reason = "ap_other_last" if told else "ap_last_unknown"
    return Finding("failed", reason, f"AC {code or '-'} / {answer.authorization_code or '-'}")


def _major(minor, currency):
    return amounts.from_minor(minor, amounts.decimals(currency))


def _readable(mismatch, currency):
    """Amounts as people write them."""
    if mismatch.field != "amount":
        return mismatch
    texts = [
        str(_major(amount, currency)) if amount != "" else "-" for amount in (mismatch.asked, mismatch.got)
    ]
    return replace(mismatch, asked=texts[0], got=texts[1])


def _detail(answer, state):
    parts = []
    if answer.reason is not None:
        parts += [answer.reason.code, answer.reason.cb2a_code, answer.reason.text]
    if state == "unknown" and answer.authorization_code:
        # a person finds that transaction by it in the terminal's journal
        parts.append(f"AC {answer.authorization_code}")
    return " ".join(part for part in parts if part)


def _values(answer, currency):
    """Return the facts of an answer for the operation's fields."""
    amount = answer.amount if answer.status == "performed" else None
    return {
        "approved_amount": _major(amount, currency) if amount else None,
        "authorization_code": answer.authorization_code,
        "card_brand": codes.application_name(answer.application) if answer.application else "",
        "masked_pan": answer.masked_pan,
        "entry_mode": answer.read_mode,
        "aid": answer.aid,
        "merchant_id": answer.contract,
        "decline_code": answer.reason.code if answer.reason and answer.status != "performed" else "",
        "customer_receipt": answer.slip("customer"),
        "merchant_receipt": answer.slip("merchant"),
        "cheque_cmc7": answer.cheque_cmc7,
        "cheque_fnci": answer.cheque_fnci,
        "cheque_guarantee": answer.cheque_guarantee,
    }
