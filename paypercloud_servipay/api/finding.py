"""What a driver reports about an operation after it has spoken with a provider: plain values, no Odoo."""

from dataclasses import dataclass, field


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
    about: object = None
