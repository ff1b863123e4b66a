"""Does an answer speak of what was asked?

Source: protocols/caisse_ap.md, 2 (CA, CB, CD, CE), 5 (weakness 5); architecture.md, money rule 6.
"""

from dataclasses import dataclass

from . import codes, money
from .request import check

# AE -> what an answer about money tells besides AE and CD
_TOLD = {"10": ("CA", "CB", "CE"), "01": ("CA", "CE", "AF")}
_CHEQUE = "00C"


@dataclass(frozen=True)
class Mismatch:
    """One difference.

    field       till, action, currency or amount
    asked, got  str; int minor units for an amount; "" when not told
    """

    field: str
    asked: object
    got: object


def mismatches(request, answer):
    """The differences between `request` and `answer` that forbid to believe it, as a tuple of Mismatch.

    What an answer leaves out differs from nothing, except that money which moved is told with its amount,
    action and currency (CB, CD, CE): an answer that was cut proves nothing. CZ and CJ are never an echo and
    CF is a hint only, so they are not compared. ProtocolError when the request could not have been sent.
    """
    check(request)
    found = [_till(request, answer), _action(request, answer)]
    if request.action in codes.MONEY_ACTIONS:
        found += [_currency(request, answer), _amount(request, answer)]
    return tuple(mismatch for mismatch in found if mismatch)


def _till(request, answer):
    # PayXpert writes one digit, the dictionary two
    if answer.till and answer.till.zfill(2) != request.till.zfill(2):
        return Mismatch("till", request.till, answer.till)
    return None


def _action(request, answer):
    if not answer.action_code and _moved(request, answer):
        return Mismatch("action", request.action, "")
    # a duplicate may come back under the action that it repeats: attribute_duplicate looks at that
    if request.action == "duplicate" or answer.action_code in ("", codes.ACTION_CODES[request.action]):
        return None
    return Mismatch("action", request.action, answer.action or answer.action_code)


def _moved(request, answer):
    return request.action in codes.MONEY_ACTIONS and answer.status == "performed"


def _currency(request, answer):
    if not answer.currency_number and _moved(request, answer):
        return Mismatch("currency", request.currency, "")
    if answer.currency_number in ("", money.currency_number(request.currency)):
        return None
    return Mismatch("currency", request.currency, answer.currency or answer.currency_number)


def _amount(request, answer):
    """Less than asked is a partial approval; more, or nothing on success, is not what was asked.

    A reversal undoes a payment as it was: less is no reversal.
    On failure Ingenico leaves the amount out, and nothing was taken anyway.
    """
    if answer.amount is None:
        return Mismatch("amount", request.amount, "") if _moved(request, answer) else None
    lowest = request.amount if request.action == "reversal" else 1
    too_low = answer.status == "performed" and answer.amount < lowest
    if answer.amount > request.amount or too_low:
        return Mismatch("amount", request.amount, answer.amount)
    return None


def lacking(request, fields):
    """The tags that prove something and that `fields`, [(tag, value)], do not hold yet: a tuple.

    Something may be lacking for good: a failure has no CB. It is only a reason to wait a little longer, in
    case the answer is merely interrupted.
    """
    tags = [tag for tag, _value in fields]
    wanted = ["AE", "CD"]
    if request.action in codes.MONEY_ACTIONS | {"duplicate"}:
        wanted += _TOLD.get(_status(fields), ())
    if request.action == "duplicate" and _may_have_authorisation(request, fields):
        wanted.append("AC")  # by it the terminal's last transaction is known for ours, and nobody waits here
    return tuple(tag for tag in wanted if tag not in tags)


def may_follow(request, fields):
    """The tags that an answer whose outcome is told may still bring and need not: a tuple.

    An offline payment has no AC and does not say that it is one; a cheque never has one; whether two slips
    come in two blocks is not established. So they are worth a moment, and no pause that a cashier notices.
    """
    if _status(fields) != "10":
        return ()
    tags = [tag for tag, _value in fields]
    money = request.action in codes.MONEY_ACTIONS
    missing = ["AC"] if money and "AC" not in tags and _may_have_authorisation(request, fields) else []
    copies = {"0": 1, "1": 1, "2": 2}[request.receipts[1]] if request.receipts[:1] == "1" else 0
    return tuple(missing + ["ZT"] * (tags.count("ZT") + tags.count("AK") < copies))


def _status(fields):
    return next((value for tag, value in fields if tag == "AE"), "")


def _may_have_authorisation(request, fields):
    return _status(fields) == "10" and request.application != _CHEQUE and ("CC", _CHEQUE) not in fields
