from odoo import _, models

from ..api.finding import NOT_PAID


class ServipayOperation(models.Model):
    """What people read: what happened, what it means for the money, what to do."""

    _inherit = "servipay.operation"

    def _explain(self):
        """Return the explanation of the operation's state in the reader's language (several sentences)."""
        self.ensure_one()
        parts = [self._explain_reason(), self._explain_money(), self._explain_next()]
        return " ".join(part for part in parts if part)

    def _tester_message(self, asked):
        """Return what the tester shows: the explanation, after the news that nothing was sent, if so."""
        if asked:
            return self._explain()
        nothing = _("Nothing was sent: there is nothing to ask or cancel now.")
        return f"{nothing} {self._explain()}"

    def _explain_reason(self):
        """Return what happened. ``reason`` is the slug that a driver or the state machine left."""
        known = self._explain_code()
        if known:
            return known
        slug = self.reason or ""
        refund = self._refund_sentences() if self.kind == "refund" else {}
        text = refund.get(slug) or self._reason_sentences().get(slug, "")
        # plain replacement: the detail is somebody else's text and may hold braces
        if text:
            return text.replace("{detail}", self._shown_detail() or "-")
        return self._explain_detail() or self._explain_silence()

    def _explain_code(self):
        """Return what the provider's code means, where a certain refusal states one that is known."""
        hook = getattr(self, f"_{self.provider}_code_sentence", None)
        by_provider = (self.reason or "") in ("", "authentication", "validation", "not_found", "busy")
        return hook() if hook and by_provider and self.state in NOT_PAID else ""

    def _explain_silence(self):
        """Return what can be said of a refusal that comes without a reason."""
        if self.kind == "reconciliation" or self.state not in NOT_PAID:
            return ""
        at_terminal = {
            "declined": _("The bank or the terminal refused, without a reason."),
            "cancelled": _("It was cancelled, on the terminal or as it was asked to."),
            "failed": _("The terminal or the provider reported a failure, without a reason."),
        }
        return at_terminal[self.state] if self.terminal_id or self.terminal_pid else ""

    def _shown_detail(self):
        """Return the detail in the reader's language, as far as it is one of our own sentences."""
        sentences = self.env["servipay.sentence"]
        if self.reason == "mismatch":
            return sentences._translate_differences(self.detail)
        return sentences._translate(self.detail)

    def _explain_detail(self):
        if self.decline_message:
            return _("The provider said: %s.", self.decline_message.rstrip("."))
        if self.env["servipay.sentence"]._knows(self.detail):
            return _("The last inquiry brought no answer: %s.", self._shown_detail().rstrip("."))
        return _("The provider said: %s.", self.detail.rstrip(".")) if self.detail else ""

    def _explain_money(self):
        """Return what the state means for the money."""
        if self.contradicted and self.contradiction == self.state:
            return _(
                "This operation was settled as “%(state)s”, but the provider's answer now differs.",
                state=self._state_label(self.state),
            )
        if self.contradicted:
            return _(
                "This operation was settled as “%(state)s”, but the provider now reports “%(other)s”.",
                state=self._state_label(self.state),
                other=self._state_label(self.contradiction),
            )
        if self.state == "sent" and self.cancel_wished:
            return _(
                "The request is on its way; the cancellation is passed on as soon as the provider has "
                "answered. Money may be moving all the same."
            )
        return self._money_sentences().get(self.state, "")

    def _explain_next(self):
        """Return what to do."""
        if self.contradicted:
            return _("Check the terminal's journal or the provider's portal, then decide with “Resolve”.")
        if self.reason == "person":
            return self._explain_decision()
        if self.state == "unknown" and self.next_inquiry_at:
            return _(
                "Do not repeat it: Odoo keeps asking the provider. If you know the outcome, enter it with "
                "“Resolve”."
            )
        if self.state == "unknown":
            return _(
                "Do not repeat it. Odoo has stopped asking: look at the terminal's journal or the provider's "
                "portal, then enter the outcome with “Resolve”."
            )
        if self.state == "failed":
            return _("Correct the cause, then start a new operation.")
        return ""

    def _explain_decision(self):
        """Return what the provider says to a person's decision, and whether it is still asked."""
        if not self.decided:
            return ""
        if self.next_inquiry_at:
            return _("Odoo keeps asking the provider, and tells you should it say the contrary.")
        return _("The provider has not confirmed it.")

    def _money_sentences(self):
        if self.kind == "reconciliation":
            return {
                "unknown": _("The terminal may have closed its batch, or not."),
                "failed": _("The batch was not closed."),
            }
        return {
            "draft": _("Nothing was sent yet."),
            "sent": _("The request is on its way; money may be moving."),
            "pending": _("The provider is working on it; money may be moving."),
            "cancelling": _("A cancellation was asked for; the operation may still end approved."),
            "approved": self._explain_moved(),
            "declined": _("No money was moved."),
            "cancelled": _("No money was moved."),
            "failed": _("No money was moved."),
            "unknown": _("The money may have been moved, or not."),
            "reversed": _("The money was given back by a void."),
        }

    def _explain_moved(self):
        if not self.currency_id or not self.currency_id.compare_amounts(self._settled_amount(), self.amount):
            return _("The money was moved.")
        return _("%(moved)s of %(asked)s were moved.", **self._moved_and_asked())

    def _moved_and_asked(self):
        return {
            "moved": self._money_text(self._settled_amount()),
            "asked": self._money_text(self.amount),
        }

    def _reason_sentences(self):
        """Return the sentence of each reason slug.

        ``{detail}`` is the provider's or the transport's own text.
        """
        return {
            "withdrawn": _("It was withdrawn before anything was sent."),
            "nothing_left": _("It was not sent: meanwhile less is left of the payment ({detail})."),
            "not_sent": _("The request could not leave ({detail})."),
            "no_answer": _("The request left, but no answer came back ({detail})."),
            "configuration": _("The request was not made: {detail}"),
            "authentication": _("The provider refused the API key ({detail})."),
            "validation": _("The provider refused the request ({detail})."),
            "not_found": _("The provider does not know what was asked for ({detail})."),
            "busy": _("The terminal or the provider was busy ({detail})."),
            "remote": _("The provider reported an error of its own ({detail})."),
            "terminal_held": _("The terminal was busy with {detail}."),
            "http_uncertain": _("The answer leaves open whether the request was carried out ({detail})."),
            "refused_repeat": _(
                "A repetition was refused, which says nothing about the first request ({detail})."
            ),
            "refusal_contradicted": _("The provider refused the request but calls it approved ({detail})."),
            "undecodable": _("The answer could not be read ({detail})."),
            "no_operation_id": _("The provider accepted the request without giving it a number."),
            "status_missing": _("The provider's answer states no status."),
            "unknown_word": _("The provider's status word is not in the API profile ({detail})."),
            "status_conflict": _("The provider's answer states several different statuses ({detail})."),
            "status_uncertain": _("The provider itself does not know the outcome ({detail})."),
            "flag_denied": _("The provider says “approved”, but its approval flag says no."),
            "flag_unclear": _("The provider says “approved”, but its approval flag cannot be read."),
            "flag_contradicts": _("The provider refuses, but its approval flag says yes."),
            "contradictory": _("The provider's status and its result contradict each other ({detail})."),
            "void_ambiguous": _(
                "The provider's word may mean that this void succeeded, or that there was one before."
            ),
            "mismatch": _("The answer does not match what was asked for (asked / answered: {detail})."),
            "amount_missing": _("The provider approved without stating the amount."),
            "amount_unreadable": _("The provider approved an amount that cannot be read."),
            "totals_unreadable": _("Some of the totals could not be read: look at the API log."),
            "ambiguous": _("The provider lists several operations with this reference."),
            "reversed_unseen": _(
                "The provider approved the payment and gave it back before Odoo heard of it."
            ),
            "no_conclusion": _("Odoo was interrupted while it waited for the answer."),
            "overdue": _("The provider did not report an outcome in time."),
            "cancel_refused": _("The provider refused to cancel ({detail})."),
            "voided": _("Voided by {detail}."),
            "void_undone": _("Its void {detail} was called undone: the payment stands."),
            "person": _("Decided by %(who)s: %(why)s.", who=self.resolved_by_id.name, why=self.resolution),
        }

    def _refund_sentences(self):
        """Return {slug: sentence} of those that would call a refund a payment; addons add theirs."""
        return {}

    def _state_label(self, state):
        return dict(self._fields["state"]._description_selection(self.env)).get(state, state)
