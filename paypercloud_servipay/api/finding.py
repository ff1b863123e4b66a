"""What a driver reports about an operation after it has spoken with a provider: plain values, no Odoo."""

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

NOT_PAID = ("declined", "cancelled", "failed")
_AMOUNT = "amount"  # what all drivers call an amount that differs, in any spelling


@dataclass(frozen=True)
class Finding:
    """One thing learned about an operation.

    :param state: a state of ``states.STATES``, or None when nothing was learned about the money
    :param reason: slug that says why, in a person's words elsewhere: "", "not_sent", "no_answer",
        "unreadable", ...
    :param detail: the provider's or the transport's own words, already masked
    :param values: facts for the operation's fields, e.g. ``{"external_ref": "42", "approved_amount":
        Decimal("12.00")}``
    :param mismatches: differences between what was asked and what the answer states; any of them bars
        "approved"
    :param latency: milliseconds of the last answer, None when there was none
    :param later_attempt: a signed message about a new attempt of the same customer, which overrules a refusal
    :param denied: the provider says that it knows nothing of this, or did nothing: once is not enough
    :param about: what was known when the provider was asked (any value); when the operation has learned
        something else meanwhile, this finding is about something else too
    """

    state: str | None
    reason: str = ""
    detail: str = ""
    values: dict = field(default_factory=dict)
    mismatches: tuple = ()
    latency: float | None = None
    later_attempt: bool = False
    denied: bool = False
    about: object = None

    @property
    def stated_amount(self):
        """The amount (Decimal, major units) that the answer states for this operation, None for none.

        An answer that differs in anything but the amount is about something else, and so is its amount.
        """
        others = [one for one in self.mismatches if one.field.lower() != _AMOUNT]
        if others:
            return None
        if not self.mismatches:
            return _decimal(self.values.get("approved_amount"))
        return _decimal(self.mismatches[-1].got)


def _decimal(value):
    """Return a Decimal above zero, or None for what is none ("-", "?", "")."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 else None
