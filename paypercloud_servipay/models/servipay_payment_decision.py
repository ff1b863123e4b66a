from odoo import _, fields, models
from odoo.exceptions import UserError

# of a payment (``account.payment``) that stands in no books, on any series
NOT_BOOKED = ("draft", "cancel", "canceled", "rejected")
# a movement of money that was reserved: undone, the money is reserved again
OF_RESERVED = ("capture", "void")


class ServipayPaymentFlow(models.AbstractModel):
    """What a person's decision about an online payment corrects: its transaction, its payment, its invoice.

    Runs in the operation's transaction. Whatever accounting does not allow (a closed period, a payment that a
    bank statement knows) is told and keeps no decision from being taken.
    """

    _inherit = "servipay.payment.flow"

    def _servipay_follow(self, operation, state):
        """Follow a decision with its amount, and take back what the contrary outcome has booked before."""
        if operation.reason == "person":
            self.ensure_one()
            self._servipay_lock()
            if state == "approved":
                self._servipay_take_amount(operation)
            else:
                self._servipay_take_back(operation)
        return super()._servipay_follow(operation, state)

    def _servipay_take_amount(self, operation):
        """Let this transaction be about what was really moved; what was booked otherwise is booked anew."""
        amount = operation._settled_amount()
        if operation.kind == "void" or not self.currency_id.compare_amounts(abs(self.amount), amount):
            return
        self._servipay_unbook(amount)
        self.write({"amount": amount if self.amount > 0 else -amount, "is_post_processed": False})

    def _servipay_take_back(self, operation):
        """Leave no state and no payment behind that says that the money was moved."""
        if self.state not in ("done", "authorized", "cancel"):
            return
        words = self._servipay_words(operation)
        reserved = operation.kind in OF_RESERVED
        if self.state == "cancel" and operation.kind != "void":
            return
        if reserved and not self.source_transaction_id:
            self._set_authorized(extra_allowed_states=("done", "cancel"))
        else:
            self._set_error(words, extra_allowed_states=("done", "cancel", "authorized"))
        if reserved and self.source_transaction_id.state in ("done", "cancel"):
            self.source_transaction_id._set_authorized(extra_allowed_states=("done", "cancel"))
        self._servipay_unbook()

    def _servipay_unbook(self, amount=None):
        """Cancel the payment that was made of money which did not move (so).

        :param amount: what it is about when it is booked anew, None for nothing
        """
        payment = self.payment_id
        if not payment or (payment.state in NOT_BOOKED and amount is None):
            return
        if payment.reconciled_statement_line_ids:
            self._servipay_tell_still_booked(_("the payment is matched with a bank statement"))
            return
        try:
            with self.env.cr.savepoint():
                payment.action_draft()
                if amount is not None:
                    payment.amount = amount
                payment.action_cancel()
                self.env.flush_all()
        except UserError as error:
            self._servipay_tell_still_booked(str(error))

    def _servipay_tell_still_booked(self, why):
        self._servipay_alert("still_booked", detail=why, document=self._servipay_told_document())

    def _servipay_contradicted(self, operation):
        """Tell people, and the documents' history, that the provider contradicts what was settled."""
        self.ensure_one()
        self._servipay_lock()
        self._servipay_note(operation)
        labels = operation._state_label(operation.state), operation._state_label(operation.contradiction)
        self._servipay_alert(
            "contradicted",
            detail=" / ".join(labels),
            key=f"{operation.id}:{operation.contradiction}",
            document=self._servipay_told_document(),
        )

    def _servipay_told_document(self):
        """Return the invoice whose money this moves, None without one."""
        return (self.source_transaction_id or self).invoice_ids[:1] or None


class ServipayAlert(models.Model):
    _inherit = "servipay.alert"

    kind = fields.Selection(
        selection_add=[
            ("contradicted", "Settled, then contradicted"),
            ("still_booked", "Decided, but still booked"),
        ],
        ondelete={"contradicted": "cascade", "still_booked": "cascade"},
    )

    def _sentences(self):
        return {
            **super()._sentences(),
            "contradicted": _(
                "“{reference}” ({amount}) was settled, and the provider now says the contrary ({detail}). "
                "The books say what was settled first. Look at the provider's back office, then decide with "
                "“Resolve” on the operation: transaction and payment follow your decision."
            ),
            "still_booked": _(
                "It was decided that the {amount} of “{reference}” were not moved as they are booked, but "
                "the payment could not be corrected: {detail}. Correct it by hand: the books and the money "
                "differ."
            ),
        }
