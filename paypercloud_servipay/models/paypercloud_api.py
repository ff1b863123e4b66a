"""The PayperCloud API as plain Python:

a profile document, credentials and an HTTP client. Opens no cursor.
"""

from dataclasses import dataclass, field

from odoo.release import series

from ..api import dialogue, outcome, request
from ..api.errors import ProtocolError
from ..api.profile import START_KEYS
from .http_client import ApiError

# seconds: an inquiry can be made again, and up to four of them follow one another while somebody waits
INQUIRY_TIMEOUT = 10
AGENT = f"Odoo/{series} paypercloud_servipay"


@dataclass
class PaypercloudApi:
    """Make calls of one profile with one set of credentials.

    :param document: the (normalised) document of ``api.profile``
    :param digits: decimals of the currency in use, for the amounts in answers
    """

    document: dict
    credentials: request.Credentials
    client: object
    digits: int = 2
    last: object = field(default=None, init=False)  # http_client.Response of the last call, for the tester

    def build(self, endpoint, values):
        """Return the ``api.request.Request`` for a call.

        ProtocolError when a variable is missing or malformed.
        """
        return request.build(self.document, endpoint, values, self.credentials, user_agent=AGENT)

    def call(self, call):
        """Make one ``dialogue.Call`` and return its ``dialogue.Reply``.

        Never raises for what the network does.
        """
        self.last = None
        try:
            prepared = self.build(call.endpoint, call.values)
            shorter = None if call.endpoint in START_KEYS else INQUIRY_TIMEOUT
            response = self.client.send(prepared, call.endpoint, read_timeout=shorter)
        except ProtocolError as error:
            return dialogue.Reply(error_class="configuration", sent=False, text=str(error))
        except ApiError as error:
            self.last = error
            return dialogue.Reply(error_class=error.error_class, sent=error.sent, text=str(error))
        self.last = response
        answer = outcome.read(
            self.document,
            call.endpoint,
            response.status,
            response.body,
            digits=self.digits,
            started=call.started,
            repeated=response.repeated,
        )
        return dialogue.Reply(answer, latency=response.duration)

    def run(self, steps):
        """Drive a generator of ``api.dialogue`` to its end and return its ``Finding``."""
        reply = None
        while True:
            try:
                call = steps.send(reply)
            except StopIteration as end:
                return end.value
            reply = self.call(call)
