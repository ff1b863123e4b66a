from odoo import _, models

from ..paybox import codes


class ServipayOperation(models.Model):
    """The sentences of Paybox's reasons."""

    _inherit = "servipay.operation"

    def _reason_sentences(self):
        return {
            **super()._reason_sentences(),
            **self._paybox_page_sentences(),
            **self._paybox_direct_sentences(),
        }

    def _paybox_page_sentences(self):
        return {
            "pb_returned": _(
                "The customer came back with a payment that the platform has not reported itself."
            ),
            "pb_waiting": _("The means of payment confirms later, in hours or days."),
            "pb_unclear": _("The platform's code {detail} is explained nowhere."),
            "pb_no_connection": _("the customer gave up, or the bank could not be reached ({detail})."),
            "pb_platform": _("the platform reported an error of its own ({detail})."),
            "pb_card_number": _("the card number or its security code is wrong ({detail})."),
            "pb_merchant": _(
                "the merchant's contract does not allow it: check site, rank and options ({detail})."
            ),
            "pb_expired": _("the card has expired ({detail})."),
            "pb_subscriber": _("the platform's fraud or subscriber rules refused it ({detail})."),
            "pb_currency": _("the contract does not allow this currency ({detail})."),
            "pb_amount": _("the amount was not accepted ({detail})."),
            "pb_already_paid": _("this reference was already paid ({detail})."),
            "pb_card_not_allowed": _("this card may not be used ({detail})."),
            "pb_other_card": _("another card than before was used ({detail})."),
            "pb_page_timeout": _("the customer did not pay in time ({detail})."),
            "pb_country": _("cards of this country are not accepted ({detail})."),
            "pb_no_3ds": _("the card could not be authenticated ({detail})."),
            "pb_call_bank": _("the bank wants to be called ({detail})."),
            "pb_keep_card": _("the bank withdraws the card ({detail})."),
            "pb_do_not_honour": _("the bank refuses without a reason ({detail})."),
            "pb_identify": _("the bank wants the holder identified ({detail})."),
            "pb_invalid": _("the bank calls the transaction invalid ({detail})."),
            "pb_bank_unknown": _("the card's bank is unknown ({detail})."),
            "pb_cancelled": _("the customer gave up ({detail})."),
            "pb_retry": _("the bank asks to try again later ({detail})."),
            "pb_fraud": _("the bank suspects fraud ({detail})."),
            "pb_pin_tries": _("too many wrong codes were entered ({detail})."),
            "pb_lost_or_stolen": _("the card was reported lost or stolen ({detail})."),
            "pb_funds": _("insufficient funds ({detail})."),
            "pb_pin": _("the code was wrong ({detail})."),
            "pb_limit": _("the card's limit is exceeded ({detail})."),
            "pb_security": _("the bank's security rules refuse it ({detail})."),
            "pb_stopped": _("the holder has stopped these payments ({detail})."),
            "pb_authentication": _("the customer's authentication failed ({detail})."),
            "pb_twice": _("the bank takes it for a repetition ({detail})."),
            "pb_soft_decline": _("the bank asks for the customer's authentication ({detail})."),
            "pb_bank_unreachable": _("the bank could not be reached ({detail})."),
            "pb_bank": _("the bank refused it ({detail})."),
            "pb_other": _("the platform refused it ({detail})."),
        }

    def _paybox_direct_sentences(self):
        direct_reasons = {*codes.DIRECT.values(), *codes.BANK.values(), "bank", "bank_unreachable", "other"}
        general = _("The platform refused the request ({detail}).")
        return {
            **{f"ppps_{reason}": general for reason in direct_reasons},
            "ppps_merchant": _("The platform does not let this merchant use PPPS ({detail})."),
            "ppps_amount": _("The platform refused the amount: more may be asked than is left ({detail})."),
            "ppps_not_found": _(
                "The platform does not find the payment, or it was moved already ({detail})."
            ),
            "ppps_question": _("The number of the request was used before ({detail})."),
            "ppps_no_connection": _("The platform could not reach the bank ({detail})."),
            "ppps_platform": _("The platform reported an error of its own ({detail})."),
            "ppps_no_news": _("The platform's answer does not tell whether it was carried out ({detail})."),
            "ppps_not_done": _("The platform shows the payment as it was before: nothing was carried out."),
            "ppps_refused": _("The platform calls the payment refused."),
            "ppps_cancelled": _("The platform calls the payment cancelled."),
            "ppps_refunded": _("The platform calls the payment refunded."),
            "ppps_moved": _("The payment was already refunded or cancelled outside Odoo ({detail})."),
        }
