from odoo import _, models
from odoo.exceptions import UserError


class ChargedPayment(models.Model):
    """A payment that somebody registers with a customer's saved card.

    Odoo charges the card while it posts the payment, and cancels the payment when that is not done at once.
    Here the card is charged after the request's commit, so that it is never charged twice: the payment stays
    a draft until the outcome is known (``servipay.payment.flow``), which posts or cancels it.
    Not a model of its own, as this addon does not depend on accounting: a payment addon puts this class on
    ``account.payment``."""

    _register = False

    def action_post(self):
        """Charge saved cards after the commit, and wait for the outcome: nobody else may post the payment."""
        if any(payment._servipay_is_charging() for payment in self):
            raise UserError(
                _(
                    "The saved card is being charged for this payment, and it is not known yet whether the "
                    "money is taken. Wait for the outcome: Odoo then posts or cancels the payment by itself."
                )
            )
        return super(ChargedPayment, self.with_context(servipay_charging=True)).action_post()

    def action_cancel(self):
        """Leave payments alone whose card is being charged."""
        waiting = self.filtered(lambda payment: payment._servipay_is_charging())
        if waiting and not self.env.context.get("servipay_charging"):
            raise UserError(
                _(
                    "The saved card is being charged for this payment, and it is not known yet whether the "
                    "money is taken. Wait for the outcome: Odoo then posts or cancels the payment by itself."
                )
            )
        return super(ChargedPayment, self - waiting).action_cancel()

    def _servipay_is_charging(self):
        transaction = self.sudo().payment_transaction_id
        undecided = transaction.state in ("draft", "pending", "authorized")
        return transaction._is_servipay() and transaction._servipay_is_charge() and undecided
