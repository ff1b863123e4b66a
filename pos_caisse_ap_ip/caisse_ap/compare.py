"""Does an answer speak of what was asked?

Source: protocols/caisse_ap.md, 2 (CA, CB, CD, CE), 5 (weakness 5); architecture.md, money rule 6.
"""

from dataclasses import dataclass

from . import codes, money
from .request import check


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

    What an answer leaves out differs from nothing, except the amount of a debit. CZ and CJ are never an echo
    and CF is a hint only, so they are not compared. ProtocolError when the request could not have been sent.
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
    # a duplicate may come back under the action that it repeats: attribute_duplicate looks at that
    if request.action == "duplicate" or answer.action_code in ("", codes.ACTION_CODES[request.action]):
        return None
    return Mismatch("action", request.action, answer.action or answer.action_code)


def _currency(request, answer):
    if answer.currency_number in ("", money.currency_number(request.currency)):
        return None
    return Mismatch("currency", request.currency, answer.currency or answer.currency_number)


def _amount(request, answer):
    """Less than asked is a partial approval; more, or nothing on success, is not what was asked.

    A debit may be approved in part, so success without an amount leaves open how much was taken. Credits and
    reversals are done whole or not at all: there the status alone says it.
    On failure Ingenico leaves the amount out, and nothing was taken anyway.
    """
    if answer.amount is None:
        missing = answer.status == "performed" and request.action == "debit"
        return Mismatch("amount", request.amount, "") if missing else None
    too_low = answer.amount == 0 and answer.status == "performed"
    if answer.amount > request.amount or too_low:
        return Mismatch("amount", request.amount, answer.amount)
    return None
