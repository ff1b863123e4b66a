"""A neutralized copy of a database speaks with no provider, whatever was left in it or entered since.

The scripts ``data/neutralize.sql`` take keys and addresses away; this is the lock that needs none of them: a
terminal in the shop's own network has no key, and whoever restores a copy may type an old address again.
"""

from odoo import _, api, models
from odoo.exceptions import UserError

from ..api.finding import Finding

FLAG = "database.is_neutralized"  # set by Odoo's own script, in all series


class ServipayOperation(models.Model):
    _inherit = "servipay.operation"

    @api.model
    def _is_neutralized(self):
        """Tell whether this database is a copy for tests."""
        return bool(self.env["ir.config_parameter"].sudo().get_param(FLAG))

    @api.model
    def _check_neutralized(self):
        """UserError in a neutralized copy; for what begins outside of an operation's steps."""
        if self._is_neutralized():
            raise UserError(self._neutralized_sentence())

    @api.model
    def _neutralized_sentence(self):
        return _(
            "This database is a neutralized copy: nothing was sent and no money was moved. To test with a "
            "simulator or a provider's test environment, an administrator enters its keys and addresses and "
            "deletes the system parameter “%s”.",
            FLAG,
        )

    def _claim(self):
        """Refuse what has not left yet: it takes no terminal and reserves nothing."""
        if not self._is_neutralized():
            return super()._claim()
        self._lock()
        if self.state == "draft":
            self._move("failed", reason="neutralized")
        return False

    def _claim_cancel(self):
        """Take back what has not left, and nothing else."""
        if self._is_neutralized() and self.state != "draft":
            return False
        return super()._claim_cancel()

    def _plan(self, step):
        """Ask and cancel nothing either: a question may print at a terminal, a cancellation moves money."""
        if self._is_neutralized():
            return Finding("failed" if step == "send" else None, "neutralized")
        return super()._plan(step)

    def _reason_sentences(self):
        return {**super()._reason_sentences(), "neutralized": self._neutralized_sentence()}
