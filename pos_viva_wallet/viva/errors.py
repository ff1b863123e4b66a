"""What this room raises, and all that it raises."""


class ProtocolError(ValueError):
    """A request that must not be sent, or an answer that cannot be read.

    message  plain English sentence (str); it never repeats a secret or what Viva.com sent
    field    name of what is wrong ("amount", "terminal", ...); "" when there is none
    code     short slug (str), so that a user interface can choose its own sentence
    """

    def __init__(self, message, field="", code="invalid"):
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code
