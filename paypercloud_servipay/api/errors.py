"""The one error of the protocol room."""


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
    """`value` as a short text (str, at most `limit` characters) that is safe inside a sentence."""
    text = value if isinstance(value, str) else type(value).__name__
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    text = text.encode("ascii", "backslashreplace").decode("ascii")
    text = "".join(char if char.isprintable() else "?" for char in text)
    return text if len(text) <= limit else text[: limit - 3] + "..."
