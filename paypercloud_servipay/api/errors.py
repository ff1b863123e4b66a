"""The one error of the protocol room."""

from decimal import Decimal

MAX_FIGURES = 11  # digits of a number that is shown: what has more may be a card's


class ProtocolError(ValueError):
    """Something in a profile, a request or an answer cannot be used.

    field   dotted place of what is wrong ("endpoints.purchase.body.amount"), "" when there is none
    code    short slug; with `params` it lets a user interface translate the sentence
    params  dict of plain values that the sentence names
    str()   a plain English sentence; it never holds a credential
    """

    def __init__(self, message, field="", code="invalid", params=None):
        super().__init__(message)
        self.field = field
        self.code = code
        self.params = dict(params or {})

    def at(self, place):
        """The same error seen from further out: `place` (str, dotted, may be "") goes before its field."""
        field = ".".join(part for part in (place, self.field) if part)
        return ProtocolError(str(self), field, self.code, self.params)


def shown(value, limit=60):
    """`value` as a short text (str, at most `limit` characters) that is safe inside a sentence.

    A text as it is, a number in plain figures, anything else by what JSON calls it.
    """
    text = value if isinstance(value, str) else _figures(value) or _kind(value)
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    text = text.encode("ascii", "backslashreplace").decode("ascii")
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _figures(value):
    """A number in plain figures, "" for what is none or is too long to be read."""
    if type(value) is float:
        value = Decimal(repr(value))
    elif type(value) is int and abs(value) < 10**MAX_FIGURES:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        return ""
    # before it is written: an exponent may stand for millions of zeros
    _sign, digits, exponent = value.as_tuple()
    if len(digits) > MAX_FIGURES or not -MAX_FIGURES <= exponent <= MAX_FIGURES - len(digits):
        return ""
    return f"{value:f}"


def _kind(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    kinds = ((dict, "{...}"), ((list, tuple), "[...]"), ((int, float, Decimal), "(a number)"))
    return next((word for kind, word in kinds if isinstance(value, kind)), "(no text)")
