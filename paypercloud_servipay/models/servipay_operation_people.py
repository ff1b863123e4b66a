from datetime import timedelta

from odoo import _, fields, models

from .mail_queue import plan_activity
from .servipay_operation import CHECK

ALERT = "paypercloud_servipay.activity_alert"
# So many failures in a row on one terminal, within so long, are the terminal's and not a customer's
REPEATED = 3
REPEATED_WITHIN = timedelta(minutes=10)
# They say nothing about the terminal: it was busy with another payment, or less was left to give back
NOT_THE_TERMINALS = ("terminal_held", "nothing_left", "withdrawn")


class ServipayOperation(models.Model):
    """Who is told about an operation that a person has to look at, and in which words."""

    _inherit = "servipay.operation"

    def _servipay_recipients(self):
        """Return (users, list of e-mail addresses) of those who are told about this operation.

        Activities and alerts alike ask here. Layers extend it: a till's people, an online provider's
        "Alerts to". The last resort is the company's person for payments.
        """
        self.ensure_one()
        return self.company_id._servipay_manager(), []

    def _about(self):
        """Return what this operation is about in a person's words (str): its order or document."""
        return self.name

    def _ask_manager(self):
        """Ask people to check this operation, once each and in their own language."""
        users, _addresses = self._servipay_recipients()
        asked = self.activity_search([CHECK]).user_id
        for user in users - asked:
            operation = self._in_language(user.lang)
            summary, note = operation._check_summary(), operation._explain()
            plan_activity(operation, CHECK, summary=summary, note=note, user_id=user.id)

    def _check_summary(self):
        values = {"amount": self._money_text(self.amount), "about": self._about()}
        if self.contradicted:
            return _("The provider contradicts itself: check %(amount)s, %(about)s", **values)
        return _("Check this payment: %(amount)s, %(about)s", **values)

    def _money_text(self, amount):
        return self.currency_id.format(amount) if self.currency_id else ""

    def _tell_repeated_failure(self):
        """Tell people, on the terminal, when nothing works on it any more.

        One payment that failed without taking anything is the till's business alone: it says so at once.
        """
        if not self.terminal_id or self.reason in NOT_THE_TERMINALS:
            return
        domain = [
            ("terminal_id", "=", self.terminal_id.id),
            ("create_date", ">", fields.Datetime.now() - REPEATED_WITHIN),
            ("state", "!=", "draft"),
            "|",
            ("state", "!=", "failed"),
            ("reason", "not in", NOT_THE_TERMINALS),
        ]
        last = self.search(domain, order="id desc", limit=REPEATED)
        if len(last) == REPEATED and set(last.mapped("state")) == {"failed"}:
            self._ask_to_look_at_terminal()

    def _ask_to_look_at_terminal(self):
        terminal = self.terminal_id
        users, _addresses = self._servipay_recipients()
        asked = terminal.activity_search([ALERT]).user_id
        for user in users - asked:
            operation = self._in_language(user.lang)
            summary = operation._terminal_summary()
            plan_activity(terminal, ALERT, summary=summary, note=operation._explain(), user_id=user.id)

    def _terminal_summary(self):
        return _(
            "%(count)s payments in a row failed on %(terminal)s, nothing was taken",
            count=REPEATED,
            terminal=self.terminal_id.display_name,
        )
