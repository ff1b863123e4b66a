"""The transport: availability of the page, questions to PPPS. No cursor; may be used from any thread.

What is asked and what an answer means is decided in the room ``paybox/``.
"""

import re
import time
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from odoo import _

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.api.request import Request
from odoo.addons.paypercloud_servipay.models.http_client import ApiError

from ..paybox import direct
from ..paybox.errors import ProtocolError
from ..paybox.platform import AVAILABILITY, DIRECT, PAGES, is_available
from .question_number import question_number

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
AVAILABILITY_SECONDS = 2  # a customer waits meanwhile
DIRECT_SECONDS = 20
REMEMBER_SECONDS = 60
_available = {}  # base address -> (whether it takes payments, until when we believe it)


@dataclass(frozen=True)
class Reply:
    """What became of a question: an answer to ``asked``, or the Finding that stands for its absence."""

    asked: direct.Question | None = None
    answer: direct.DirectAnswer | None = None
    failure: Finding | None = None
    latency: float | None = None


@dataclass
class PayboxClient:
    """Speak with one platform for one merchant.

    :param http: function (base address, seconds) -> ``HttpClient``
    :param confirms: whether payments are booked only after an inquiry
    :param test_form: function -> form of a payment that nobody will make; date: function -> DATEQ of now
    :param env: for the language of sentences only
    """

    merchant: object
    platform: object
    page: str
    http: object = field(repr=False)
    password: str = field(repr=False)
    version: str
    test_form: object = field(repr=False)
    date: object = field(repr=False)
    confirms: bool
    env: object = field(repr=False)

    # -- the page

    def page_address(self):
        """Return the address of the page on a server that takes payments, or on the first one."""
        bases = self.platform.pages
        chosen = bases[0]
        if len(bases) > 1:
            chosen = next((base for base in bases if self._is_available(base)), bases[0])
        return chosen + PAGES[self.page]

    def _is_available(self, base):
        known, until = _available.get(base, (None, 0))
        if time.monotonic() < until:
            return known
        answer = self._get(base)
        _available[base] = (answer, time.monotonic() + REMEMBER_SECONDS)
        return answer

    def _get(self, base):
        request = Request("GET", AVAILABILITY, [], {}, None, "never")
        try:
            response = self.http(base, AVAILABILITY_SECONDS).send(request, "availability")
        except ApiError:
            return False
        return response.status == 200 and is_available(response.body)

    # -- PPPS

    def ask(self, question):
        """Put a ``direct.Question`` and return a ``Reply``; never raises for what the network does.

        The back-up host is asked only when provably nothing reached the first one. A number that somebody
        else has used (another database or shop of this contract) is refused unread: asked once more with a
        new one.
        """
        reply = self._ask(question)
        if reply.answer and direct.is_used_number(self.merchant, reply.asked, reply.answer):
            return self._ask(replace(question, number=question_number()))
        return reply

    def _ask(self, question):
        try:
            body = direct.build(self.merchant, replace(question, version=self.version), self.password)
        except ProtocolError as error:
            return Reply(failure=Finding("failed", "configuration", str(error)))
        request = Request("POST", DIRECT, [], FORM, body, "never")
        for base in self.platform.direct:
            try:
                response = self.http(base, DIRECT_SECONDS).send(request, f"PPPS {question.kind}")
            except ApiError as error:
                failure = error
                if error.sent:
                    return Reply(failure=Finding("unknown", "no_answer", str(error)))
                continue
            return self._read(response, question)
        return Reply(failure=Finding("failed", "not_sent", str(failure)))

    def _read(self, response, question):
        if response.status != 200:
            text = f"HTTP {response.status}"
            return Reply(failure=Finding("unknown", "http_uncertain", text, latency=response.duration))
        try:
            return Reply(question, direct.read(response.body), latency=response.duration)
        except ProtocolError as error:
            return Reply(failure=Finding("unknown", "undecodable", str(error), latency=response.duration))

    # -- check of the configuration

    def check(self):
        """Return [(kind, sentence)]: what the platform says to requests that move nothing."""
        findings, there = [], []
        for base in self.platform.pages:
            up = self._get(base)
            there += [base] if up else []
            text = _("%s takes payments.") if up else _("%s does not answer that it takes payments.")
            findings.append(("success" if up else "danger", text % base))
        # what somebody else's server says to a form, if only with a log-in page, says nothing about it
        findings += [self._check_form(base) for base in there[:1]]
        return [*findings, self._check_direct()]

    def _check_form(self, base):
        try:
            body = urlencode(self.test_form()).encode()
        except ProtocolError as error:
            return "danger", _("The form cannot be made: %s", error)
        request = Request("POST", PAGES[self.page], [], FORM, body, "never")
        try:
            response = self.http(base, DIRECT_SECONDS).send(request, "check of the form")
        except ApiError as error:
            return "danger", _("The payment page could not be opened: %s", error)
        # words in styles and scripts say nothing
        text = re.sub(r"(?is)<(style|script)\b.*?</\1>", "", response.body.decode("latin-1"))
        if response.status >= 400 or re.search(r"(?i)erreur|identification du commerce|access refused", text):
            return "danger", _(
                "The payment page refuses the form: check site, rank, identifier and HMAC key, and whether "
                "the key was activated by the link in the platform's e-mail."
            )
        return "success", _("The payment page accepts the signed form.")

    def _check_direct(self):
        """Inquire about a payment that does not exist: to be told so is to be let in."""
        reply = self.ask(direct.Question("inquiry", question_number(), self.date(), "1", "1"))
        if reply.failure:
            if self.confirms:
                words = _("PPPS could not be asked: no payment can be confirmed, none will be booked (%s).")
                return "danger", words % reply.failure.detail
            return "warning", _("PPPS (refunds, captures) could not be asked: %s", reply.failure.detail)
        if reply.answer.code in ("00015", "00018", "00000"):
            return "success", _("PPPS (refunds, captures) lets this merchant in.")
        said = {"code": reply.answer.code, "text": reply.answer.text}
        if self.confirms:
            return "danger", _(
                "PPPS answers %(code)s %(text)s: no payment can be confirmed, none will be booked. Correct "
                "the credentials, or switch “Confirm payments by inquiry” off if your contract has no PPPS.",
                **said,
            )
        return "warning", _(
            "PPPS (refunds, captures) answers %(code)s %(text)s: without it payments work, refunds from Odoo "
            "do not.",
            **said,
        )
