from dataclasses import replace
from datetime import timedelta

from odoo import _, fields, models
from odoo.exceptions import UserError

from .conversation import Conversation, ask_soon
from .own_transaction import after_commit

# What a message reports as paid is paid once the provider says so to this merchant too:
CONFIRMING = "confirming"  # it is about to be asked
UNASKED = "unasked"  # it could not be asked yet
UNCONFIRMED = "unconfirmed"  # it said something else
PAID_TWICE = "paid_twice"  # it knows this document's payment by another number than was reported
CONFIRM_AFTER = timedelta(minutes=1)  # by the job, should this process die
CONFIRM_WITHIN = timedelta(days=1)  # then a person decides
CONFIRM_RHYTHM = {"first": 60, "slow": 3600}


class OnlineReport(models.Model):
    """A payment that a signed message reports, and that its provider is asked to confirm before it counts.

    A signature says who wrote a message. It does not say which merchant was paid (Paybox signs for all with
    one key), nor on which side, test or production (Ogone may sign both with one passphrase): the provider's
    answer to a question in this merchant's name, on this side, does. Whether it is asked says the payment
    provider's ``<provider>_confirm``. Not a model of its own, see ``OnlineOperation``."""

    _register = False

    reported_ref = fields.Char(
        "Reported transaction",
        readonly=True,
        copy=False,
        help="Number of the transaction that a signed message reported as paid; the platform confirms it.",
    )
    reported_late = fields.Boolean("Reported after it was given up", readonly=True, copy=False)

    def _confirms_reports(self):
        """Return whether what a message reports as paid has to be confirmed."""
        return self._document().provider_id.sudo()[f"{self.provider}_confirm"]

    def _is_reported(self):
        """Return whether a signed message, compared with what was asked, reported this number as paid."""
        return bool(self.reported_ref) and self.reported_ref == self.external_ref

    def _to_be_confirmed(self, finding):
        """Return the Finding of a message's success, which waits for the provider where that is asked."""
        if finding.state != "approved" or finding.mismatches or not self._confirms_reports():
            return finding
        now = fields.Datetime.now()
        values = {**finding.values, "reported_ref": finding.values["external_ref"]}
        if self.decided and self.state == "approved":
            # a person has said so; the provider's own answer ends the questions, and not a message
            return replace(finding, state=None, values={**values, "next_inquiry_at": now})
        values.update(deadline_at=now + CONFIRM_WITHIN, next_inquiry_at=now + CONFIRM_AFTER)
        return replace(finding, state="pending", reason=CONFIRMING, values=values)

    def _confirm_soon(self):
        """Ask the provider, in this merchant's name and outside any request, for what a message reports."""
        if self.reason == CONFIRMING or (self.decided and self._is_reported()):
            number = self.id
            after_commit(self.env, lambda env: ask_soon(Conversation(env, number)))

    def _weigh_beside_report(self, claims):
        """Return what becomes of a message while an earlier report is being confirmed; None: it counts.

        :param claims: whether it reports a payment by another number
        """
        if self.state not in ("pending", "unknown") or not self._is_reported():
            return None
        if not claims:
            return "nothing"  # what was reported as paid is for the platform's answer to decide
        return None if self.reason == UNCONFIRMED else "later"

    def _refuse_meanwhile(self):
        """Keep a message in the inbox until it is known what the one before it is worth.

        :raise UserError: always; it is tried again
        """
        raise UserError(_("Another message about this payment is being confirmed first."))

    def _note_late(self):
        """Keep that this is reported after it was given up: people are told once it counts."""
        if self._document().state == "cancel" or self.reason == "page_left":
            self.reported_late = True

    def _after_move(self, old, state, by):
        result = super()._after_move(old, state, by)
        if state == "approved" and self.reported_late:
            self._document()._servipay_alert("late_success")
        if state == "approved" and self.reason == PAID_TWICE:
            self._document()._servipay_alert("paid_twice", detail=self.detail, key=self.detail)
        return result

    def _note_no_news(self, finding):
        """Let the transaction wait, visibly, when a reported payment was not confirmed at once."""
        before = self.reason
        result = super()._note_no_news(finding)
        if not self._is_reported():
            return result
        if self.reason != before:
            self._tell_document(self.state)
        if before == self.reason == UNCONFIRMED:
            # the second "no", a minute later: a platform may not find at once what it has just reported
            self._document()._servipay_alert("unconfirmed", detail=self.detail or "", key=self.external_ref)
        return result

    def _report_sentences(self):
        return {
            CONFIRMING: _("The platform reports a payment; it is being asked to confirm it."),
            UNASKED: _(
                "The platform reports a payment, and could not be asked yet to confirm it. It is asked again."
            ),
            PAID_TWICE: _("The platform knows it by another number than was reported ({detail})."),
            UNCONFIRMED: _(
                "A payment was reported, but the platform does not confirm it to this merchant ({detail})."
            ),
        }
