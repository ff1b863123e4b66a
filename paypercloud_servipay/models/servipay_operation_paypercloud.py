from dataclasses import replace
from datetime import timedelta

from odoo import fields, models
from odoo.exceptions import UserError

from ..api import dialogue
from ..api.masking import Masker
from .http_client import HttpClient
from .paypercloud_api import PaypercloudApi

# A provider that counts local days has what was sent around midnight in another day's list than UTC says.
NEIGHBOURS = (timedelta(hours=-3), timedelta(hours=3))


class ServipayOperation(models.Model):
    """PayperCloud's driver: from a record to a conversation and back. The rules are in ``api.dialogue``."""

    _inherit = "servipay.operation"

    def _paypercloud_plan(self, step):
        """Return a callable that runs ``step`` ("send", "inquire", "cancel") without a cursor: a Finding."""
        api = self._paypercloud_api()
        steps = getattr(dialogue, step)(api.document, self._paypercloud_intent(api.credentials))
        return lambda: api.run(steps)

    def _paypercloud_api(self):
        return self.company_id._paypercloud_api(
            self,
            digits=self.currency_id._servipay_digits(),
            pos_id=self.pos_ref,
            terminal_pid=self.terminal_pid or self.terminal_id.pid,
            provider=self.provider,
            operation_id=self.id,
            terminal_id=self.terminal_id.id,
        )

    def _paypercloud_address(self):
        """Return the POS ID and terminal PID that the request goes to."""
        try:
            credentials = self.company_id._paypercloud_get_credentials(self)
        except UserError:
            return {}  # nothing will leave, and the plan says why
        return {
            "pos_ref": self.pos_ref or credentials.pos_id or False,
            "terminal_pid": self.terminal_id.pid or credentials.terminal_pid or False,
        }

    def _paypercloud_intent(self, credentials):
        digits, days = self.currency_id._servipay_digits(), self._paypercloud_days()
        return dialogue.Intent(
            kind=self.kind,
            reference=self.reference,
            idempotency_key=self.idempotency_key,
            amount=self.currency_id._servipay_decimal(self.amount) if self.currency_id else None,
            digits=digits,
            currency=self.currency_id.name or "",
            terminal_pid=credentials.terminal_pid,
            pos_id=credentials.pos_id,
            external_ref=self.external_ref or "",
            original_ref=self.original_id.external_ref or "",
            sent_on=days[0],
            or_on=days[1:],
        )

    def _paypercloud_days(self):
        """Return the days (YYYY-MM-DD) of the request: first in UTC, then as local clocks may have it."""
        sent = self.sent_at or fields.Datetime.now()
        local = fields.Datetime.context_timestamp(self.with_context(tz=self.company_id.partner_id.tz), sent)
        moments = (sent, local, *(sent + shift for shift in NEIGHBOURS))
        return tuple(dict.fromkeys(fields.Date.to_string(moment.date()) for moment in moments))

    def _paypercloud_calls(self, api, endpoint):
        """Return the list of ``dialogue.Call`` that an inquiry or a cancellation makes, as far as is certain.

        A cancellation is followed by an inquiry, and a status by a result when it is final.
        """
        intent = self._paypercloud_intent(api.credentials)
        inquiry = next(dialogue.inquire(api.document, intent))
        calls = [inquiry]
        if endpoint == "operation_cancel":
            calls.insert(0, next(dialogue.cancel(api.document, intent)))
        if inquiry.endpoint == "operation_status" and "operation_result" in api.document["endpoints"]:
            calls.append(replace(inquiry, endpoint="operation_result"))
        return calls

    def _paypercloud_seconds_allowed(self):
        """Return how long an operation may take: the profile's deadline, never less than one request."""
        company = self.company_id
        return max(company._servipay_profile().poll_deadline, 2 * company.servipay_timeout + 30)

    def _paypercloud_rhythm(self):
        """Return the profile's seconds between inquiries."""
        return self.company_id._servipay_profile()._document()["poll"]


class ResCompany(models.Model):
    _inherit = "res.company"

    def _paypercloud_api(self, record=None, digits=2, pos_id="", terminal_pid="", **common):
        """Return a ``PaypercloudApi`` that can be used without a cursor.

        :param record: what the call is made for; decides about the credentials
        :param pos_id: instead of the one of the credentials, likewise ``terminal_pid``
        :param common: field values of the log rows (operation_id, terminal_id, ...)
        """
        company = self.sudo()
        credentials = company._paypercloud_get_credentials(record)
        credentials = replace(
            credentials,
            pos_id=pos_id or credentials.pos_id,
            terminal_pid=terminal_pid or credentials.terminal_pid,
        )
        masker = Masker(values=(credentials.api_key,) if credentials.api_key else ())
        journal = self.env["servipay.api.log"]._journal(
            masker,
            company.servipay_log_bodies,
            **{"company_id": company.id, "provider": "paypercloud", **common},
        )
        client = HttpClient(company._servipay_connection(), journal)
        return PaypercloudApi(company._servipay_profile()._document(), credentials, client, digits)
