from odoo import _, models

from ..api.refusals import meaning


class ServipayOperation(models.Model):
    """Why a PayperCloud payment was not made, by the provider's code and in the reader's language."""

    _inherit = "servipay.operation"

    def _paypercloud_code_sentence(self):
        """Return the sentence of the code, with the code for whoever asks the bank; "" for an unknown one."""
        found = meaning(self.decline_code)
        if not found:
            return ""
        code = self.decline_code if self.decline_code.isdigit() else ""
        text = self._refusal_sentences()[found]
        return f"{text.rstrip('.')} ({code})." if code else text

    def _refusal_sentences(self):
        """Return the sentence of each of ``refusals.MEANINGS``."""
        return {**self._bank_sentences(), **self._terminal_sentences()}

    def _bank_sentences(self):
        return {
            "call_bank": _("The bank asks for a telephone call."),
            "not_allowed": _("The bank does not allow this payment with this card or at this terminal."),
            "card_barred": _("The bank does not accept this card any more: ask for another one."),
            "no_reason": _("The bank refused and gives no reason."),
            "amount": _("The bank refused this amount."),
            "card_unknown": _("The bank does not know this card: ask for another one."),
            "expired": _("The card has expired."),
            "pin_tries": _("The PIN was wrong too often: ask for another card."),
            "funds": _("The balance of the card is not sufficient."),
            "pin": _("The PIN was wrong."),
            "too_often": _("The card was used too often."),
            "bank_away": _("The bank could not be reached: try it again later."),
        }

    def _terminal_sentences(self):
        return {
            "terminal_unknown": _(
                "The provider does not know this terminal: somebody has to check its PID in the settings."
            ),
            "terminal_busy": _("The terminal is busy with another payment."),
            "key_refused": _("The provider refused the API key: somebody has to check it in the settings."),
            "terminal_offline": _("The provider cannot reach the terminal: is it switched on and connected?"),
        }
