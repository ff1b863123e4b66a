from dataclasses import replace
from datetime import timedelta

from odoo import _, api, fields, models

from ..api.finding import Finding

# Reasons of a page of which nothing was heard yet. "page_unasked": its platform cannot be asked about it.
SILENT = (False, "page_open", "page_left", "page_unasked")
TOLD = ("cancel_refused", "overdue", "no_conclusion")
ASKED_QUIETLY = 8  # times, about an hour: then a silent platform is told to people
WATCHED = timedelta(days=1)
UNREPORTED = (
    3  # pages of a day that nobody reported, and that nobody can be asked about: then people are told
)
LAST_LOOK = timedelta(days=1)  # after a page was left; a button asks whenever somebody wants to know


class OnlinePage(models.Model):
    """A payment page that nobody reported: what its silence means.

    That no message came says nothing, as the message may have been lost, and neither does a platform that
    cannot be reached. The page was left when the platform says so, more than once; until then it is open, and
    after an hour of silence unknown. Not a model of its own, see ``OnlineOperation``."""

    _register = False

    def _is_page(self):
        """Tell whether this is a payment on a page (or at the bank) of an online provider."""
        online = self.provider in self.env["payment.transaction"]._servipay_codes()
        return online and self.res_model == "payment.transaction" and not self.original_id

    def _page_reasons(self):
        """Return the reasons of a page of which nothing was heard yet; providers know more of them."""
        return SILENT

    def _is_page_over(self):
        """Tell whether the time of a page is over of which nothing was heard."""
        over = self.deadline_at and self.deadline_at <= fields.Datetime.now()
        waits = self.state == "pending" and self.reason in self._page_reasons()
        # somebody wished to cancel it, or its silence was told: it is asked about like any other
        told = self.state in ("pending", "unknown") and self.reason in TOLD and not self.external_ref
        if not (over and (waits or told) and self._is_page()):
            return self._is_page_left()
        return waits or not self._document()._servipay_is_charge()  # a charge may still be on its way

    def _is_page_left(self):
        return self.state == "cancelled" and self.reason == "page_left"

    def _page_left(self):
        """Return the Finding that the platform knows of no payment of this page."""
        return Finding("cancelled", "page_left", denied=True)

    # ------------------------------------------------------------------
    # When it is asked about
    # ------------------------------------------------------------------

    def _pace(self):
        return "unknown" if self._is_page_over() else super()._pace()

    def _end_overdue(self):
        """Ask a silent platform for a while before anybody is told."""
        quiet = self.inquiry_count <= ASKED_QUIETLY or self.reason == "page_unasked"
        return None if quiet and self._is_page_over() else super()._end_overdue()

    def _is_asked_about(self):
        return super()._is_asked_about() or bool(self._is_page_left() and self.next_inquiry_at)

    @api.model
    def _asked_though_settled(self):
        return ["|", ("reason", "=", "page_left"), *super()._asked_though_settled()]

    def _schedule_inquiry(self):
        result = super()._schedule_inquiry()
        if self._is_page_left() or self.reason == "page_unasked":
            self.next_inquiry_at = False  # this was the last look
        return result

    def _can_ask_settled(self):
        return self._is_page_left() or super()._can_ask_settled()

    # ------------------------------------------------------------------
    # What is learned
    # ------------------------------------------------------------------

    def _apply(self, finding, step="inquire"):
        before, left = self.state, self._is_page_left()
        result = super()._apply(finding, step)
        if finding.about is not None and self.state == "approved" != before and self._is_page():
            self._tell_unreported()
            if left:
                self._document()._servipay_alert("late_success")
        return result

    def _note_no_news(self, finding):
        """Keep that this is a page of which nothing was heard: why nobody answered is a detail."""
        if self._is_page_over() and finding.reason not in ("page_unasked", "mismatch"):
            finding = replace(finding, reason="")
        return super()._note_no_news(finding)

    def _after_move(self, old, state, by):
        result = super()._after_move(old, state, by)
        if self._is_page_left():
            self.next_inquiry_at = fields.Datetime.now() + LAST_LOOK
        return result

    def _tell_unreported(self):
        """Tell once a day that a payment was found which its platform should have reported, and did not."""
        transaction = self._document()
        heard = self.env["servipay.notification"].search_count([("operation_id", "=", self.id)], limit=1)
        if heard or transaction._servipay_is_charge():
            return
        provider, today = transaction.provider_id.sudo(), fields.Date.today()
        provider._servipay_alert(
            f"not_reported:{provider.id}:{today}",
            provider.company_id,
            kind="not_reported",
            reference=self.reference,
            amount=self.amount,
            currency_id=self.currency_id.id,
        )

    @api.model
    def _tell_silent_pages(self, provider):
        """Tell once a day when pages were opened, nothing was reported, and nobody can be asked.

        Each page alone was left, as far as anybody knows; all of them together may be an address that the
        platform does not reach."""
        begin, today = fields.Datetime.now() - WATCHED, fields.Date.today()
        pages = self.search(
            [("reason", "=", "page_unasked"), ("provider", "=", provider), ("create_date", ">", begin)]
        )
        for company in pages.company_id:
            mine = pages.filtered(lambda one, company=company: one.company_id == company)
            messages = [
                ("provider", "=", provider),
                ("company_id", "=", company.id),
                ("create_date", ">", begin),
            ]
            if len(mine) < UNREPORTED or self.env["servipay.notification"].search_count(messages, limit=1):
                continue
            mine[0]._document().provider_id.sudo()._servipay_alert(
                f"none_reported:{provider}:{company.id}:{today}",
                company,
                kind="none_reported",
                detail=str(len(mine)),
            )

    def _page_sentences(self):
        return {
            "page_open": _("The customer is on the payment page."),
            "page_left": _("The customer left the payment page."),
            "page_unasked": _("The time of the payment page is over, and its platform cannot be asked."),
        }

    def _explain_page(self):
        """Return what a page without a report means for the money and what to do, "" for any other."""
        if self._is_page_left():
            return _(
                "The platform knows of no payment. If the customer says that it was paid, press “Refresh”, "
                "or look at the platform's back office: a message of the platform settles it whenever it "
                "comes."
            )
        if self.reason == "page_unasked":
            return _(
                "No payment was reported, and nobody knows whether one was made. If the customer says that "
                "it was paid, look at the platform's back office: a message of the platform settles it "
                "whenever it comes."
            )
        return ""
