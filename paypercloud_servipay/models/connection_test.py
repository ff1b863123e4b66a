"""Whether the PayperCloud API is reached with the right key: what a harmless answer says, and says for sure.

"A server answered" proves little: a proxy, Odoo itself or another API answers too. Only an answer of the
profile's shape to a question with our key counts.
"""

from odoo import _, fields, models

from ..api.dialogue import Call
from .tested import Tested

# what nobody minds being asked; the list comes first, as it exists also before anything was paid
QUESTIONS = ("operations_list", "last_reconciliation")
REFUSALS = {"authentication": "key", "not_found": "nothing", "remote": "trouble"}


def read_reply(endpoint, reply):
    """Return what a ``dialogue.Reply`` to a harmless call of an endpoint (key) proves, as one word.

    "accepted"  an answer of the profile's shape: this API, and it takes the key
    "nothing"   an error of the profile's shape that says "not found": no record yet, or no such path
    "key"       likewise: the key is refused
    "refused"   likewise: the question is refused (an unknown terminal, a busy one)
    "trouble"   likewise: an error of its own
    "foreign"   somebody answers, but not as this API would
    "silent"    nobody answers, or the call was not made
    """
    answer = reply.outcome
    if answer is None:
        return "foreign" if reply.error_class == "undecodable" else "silent"
    if answer.error_class is None:
        empty = endpoint == "last_reconciliation" and not (answer.fields or answer.totals)
        return "foreign" if empty else "accepted"
    if not isinstance(answer.document, dict) or not (answer.error_code or answer.error_message):
        return "foreign"
    if answer.error_class in ("undecodable", "configuration"):
        return "foreign"
    return REFUSALS.get(answer.error_class, "refused")


class ResCompany(models.Model):
    _inherit = "res.company"

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    def _servipay_test_connection(self):
        """Ask for what moves nothing; return a notification that says what was proved."""
        return self._servipay_test().notification()

    def _servipay_test(self, terminal=None):
        """Ask for what moves nothing, about a terminal or the default one; return a ``Tested``."""
        self.ensure_one()
        common = {"terminal_id": terminal.id or False} if terminal else {}
        api_client = self._paypercloud_api(terminal, terminal_pid=terminal.pid if terminal else "", **common)
        answers = self._servipay_ask_all(api_client)
        kind, message = self._servipay_judge(answers)
        return Tested(kind, message, answers[-1][1].latency if kind == "success" else None)

    def _servipay_ask_all(self, api_client):
        """Return [(endpoint, Reply, HTTP status)] of the harmless questions, until one is not understood."""
        values = {"period": "daily", "date": fields.Date.to_string(fields.Date.context_today(self))}
        answers = []
        for endpoint in QUESTIONS:
            if endpoint not in api_client.document["endpoints"]:
                continue
            reply = api_client.call(Call(endpoint, values))
            answers.append((endpoint, reply, getattr(api_client.last, "status", 0) or 0))
            if read_reply(endpoint, reply) not in ("accepted", "nothing"):
                break
        return answers

    def _servipay_judge(self, answers):
        """Return (notification type, sentence) for the answers to all harmless questions."""
        if not answers:
            return "warning", _("The API profile has no call that moves nothing: nothing was sent.")
        read = [read_reply(endpoint, reply) for endpoint, reply, _status in answers]
        endpoint, reply, status = answers[-1]
        if "accepted" in read and read[-1] in ("accepted", "nothing"):
            return "success", _("The API answers and accepts the key (%s ms).", round(reply.latency or 0))
        if "accepted" in read and read[-1] == "foreign":
            return "warning", _(
                "The API answers and accepts the key, but not at the path of “%(endpoint)s” (HTTP "
                "%(status)s): check this path in the API profile.",
                endpoint=self._servipay_endpoint_name(endpoint),
                status=status,
            )
        if set(read) == {"nothing"} and len(read) > 1:
            return self._servipay_foreign(status)
        return self._servipay_describe_reply(endpoint, reply, status)

    def _servipay_describe_reply(self, endpoint, reply, status):
        """Return (notification type, sentence) for the answer (HTTP status: int) to one call."""
        said = read_reply(endpoint, reply)
        if said == "silent":
            return "danger", self._servipay_silent(reply)
        if said == "foreign":
            return self._servipay_foreign(status)
        answer = reply.outcome
        text = answer.error_message or answer.error_code or "-"
        milliseconds = round(reply.latency or 0)
        sentences = {
            "accepted": ("success", _("The API answers and accepts the key (%s ms).", milliseconds)),
            "nothing": ("warning", _("The API answers that there is nothing of this kind: %s", text)),
            "key": ("danger", _("The API answers but refuses the key: %s", text)),
            "refused": ("warning", _("The API answers, but refuses what it was asked: %s", text)),
            "trouble": ("warning", _("The API answers, but reports an error of its own: %s", text)),
        }
        return sentences[said]

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    def _servipay_silent(self, reply):
        sentences = {
            "configuration": _("The call was not made: %s"),
            "not_sent": _("The server could not be reached: %s"),
            "outcome_unknown": _("The server was reached but gave no answer: %s"),
        }
        return sentences[reply.error_class] % self.env["servipay.sentence"]._translate(reply.text)

    def _servipay_foreign(self, status):
        return "danger", _(
            "A server answers at this address (HTTP %(status)s), but not as this API would: whether the key "
            "is right nobody knows. Check the Base URL and the API profile.",
            status=status or "?",
        )

    def _servipay_endpoint_name(self, key):
        return dict(self.env["servipay.api.endpoint"]._fields["key"]._description_selection(self.env))[key]
