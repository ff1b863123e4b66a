from odoo import _, models


class ServipayOperation(models.Model):
    """What Viva.com's answers mean, in words: the sentences of ``viva/words.py`` as translatable terms."""

    _inherit = "servipay.operation"

    def _reason_sentences(self):
        sentences = {f"vv_{slug}": text for slug, text in self._viva_sentences().items()}
        return {**super()._reason_sentences(), **sentences, **self._viva_sentences_of_odoo()}

    def _refund_sentences(self):
        # the same slugs as of payments, of money that goes the other way
        sentences = {
            "customer_cancelled": _("The refund was cancelled at the terminal."),
            "aborted": _("The refund was aborted."),
            "terminal_declined": _("The terminal refused the refund."),
            "refused": _("The bank refused the refund without a reason."),
            "card_declined": _("The card refused the refund."),
            "enter_again": _("The bank wants the refund to be entered again."),
            "not_for_holder": _("The card's holder may not get this refund."),
            "not_at_terminal": _("This refund may not be made at this terminal."),
            "law": _("The law forbids this refund."),
            "duplicate": _("The bank takes this for a repetition of an earlier refund."),
            "session_expired": _("The refund expired before it was made."),
            "terminal_link": _("The connection to the terminal failed during the refund."),
            "network": _("The network failed during the refund."),
            "broker_error": _("Viva.com reports an error of its own during the refund."),
            "transaction_error": _("Viva.com reports that the refund failed, without a reason."),
            "no_event": _("Viva.com reports that it was not given back, and does not say why."),
            "processing": _("The refund is going on."),
            "not_yet_found": _("Viva.com does not show the refund yet."),
            "session_not_found": _("Viva.com does not find the refund."),
            "conflict": _("Viva.com reports a conflict; the refund is looked up."),
        }
        return {**super()._refund_sentences(), **{f"vv_{slug}": text for slug, text in sentences.items()}}

    def _viva_words(self, slug, detail=""):
        """Return the sentence of a slug with Viva.com's own words after it; "" for none."""
        known = {**self._viva_sentences(), "credentials_incomplete": self._viva_incomplete()}
        text = known.get(slug, slug).replace(" ({detail})", "")
        return " ".join(part for part in (text, detail) if part)

    def _viva_incomplete(self):
        return _("The credentials are not complete, or hold characters that cannot be sent.")

    def _viva_sentences_of_odoo(self):
        # what the protocol does not know
        return {
            "vv_credentials_incomplete": self._viva_incomplete(),
            "vv_reversal_unconfirmed": _(
                "A message says that Viva.com gave this payment back ({detail}), and Viva.com does not "
                "confirm it when asked. Nothing was changed here. Look in Viva.com's portal: if it was "
                "given back, the customer has to pay again; if not, somebody sends made-up messages."
            ),
            "vv_second_transaction": _("Viva.com reports another payment for the same request ({detail})."),
        }

    def _viva_sentences(self):
        """Return {slug: sentence} for every slug of the room."""
        return {
            **self._viva_sentences_of_customer(),
            **self._viva_sentences_of_giving_back(),
            **self._viva_sentences_of_terminal(),
            **self._viva_sentences_of_set_up(),
            **self._viva_sentences_of_way(),
            **self._viva_sentences_of_session(),
            **self._viva_sentences_of_abort(),
            **self._viva_sentences_of_reversal(),
            **self._viva_sentences_of_credentials(),
        }

    def _viva_sentences_of_customer(self):
        # the customer, the card or the bank said no
        return {
            "customer_cancelled": _("The payment was cancelled at the terminal."),
            "aborted": _("The payment was aborted."),
            "terminal_declined": _("The terminal refused the payment."),
            "refused": _("The bank refused the payment without a reason."),
            "card_declined": _("The card refused the payment."),
            "card_invalid": _("The card is not valid."),
            "other_card": _("Another card is asked for."),
            "funds": _("There are not enough funds."),
            "transaction_invalid": _("The bank calls the transaction invalid."),
            "no_action": _("The bank did nothing."),
            "enter_again": _("The bank wants the payment to be entered again."),
            "format": _("The bank could not read the request."),
            "no_credit_account": _("The card has no credit account."),
            "no_current_account": _("The card has no current account."),
            "no_savings_account": _("The card has no savings account."),
            "lost": _("The card was reported lost."),
            "stolen": _("The card was reported stolen."),
            "account_closed": _("The card's account is closed."),
            "expired": _("The card has expired."),
            "pin": _("The PIN is missing or wrong."),
            "pin_tries": _("A wrong PIN was entered too often."),
            "not_for_holder": _("The card's holder may not make this payment."),
            "not_at_terminal": _("This payment may not be made at this terminal."),
            "limit": _("A limit of the card is exceeded."),
            "restricted": _("The card may not be used for this."),
            "blocked": _("The card is blocked."),
            "security": _("The bank's security rules refuse the payment."),
            "security_code": _("The security code of the card is wrong."),
            "fraud": _("The bank suspects fraud."),
            "keep_card": _("The bank withdraws the card."),
            "call_bank": _("The bank wants to be called before it agrees."),
            "cryptogram": _("The card could not be checked."),
            "law": _("The law forbids this payment."),
            "amount": _("The bank does not accept the amount."),
            "bank_unknown": _("The card's bank could not be found."),
            "bank_unavailable": _("The card's bank cannot be reached."),
            "bank_malfunction": _("The bank's system failed."),
            "duplicate": _("The bank takes this for a repetition of an earlier payment."),
            "merchant_invalid": _("The bank does not know the merchant."),
            "insert_card": _("The card has to be inserted, or presented once more."),
        }

    def _viva_sentences_of_giving_back(self):
        # refunds and captures
        return {
            "not_reversible": _("This payment cannot be refunded any more, or not in this way."),
            "reversal_amount": _("The amount of the refund is not accepted."),
            "no_transaction": _("Viva.com does not find the payment that is to be refunded."),
            "capture_amount": _("The amount to capture is not accepted."),
            "parent_unknown": _("Viva.com does not find what it needs to know of the original payment."),
            "parent_not_found": _("Viva.com does not know the original payment. Nothing was begun."),
            "parent_unfinished": _("The original payment is not finished yet. Nothing was begun."),
            "refunds_disabled": _("Refunds are not enabled for this merchant at Viva.com."),
        }

    def _viva_sentences_of_terminal(self):
        # the terminal
        return {
            "card_timeout": _("No card was presented in time."),
            "session_expired": _("The payment expired before it was made."),
            "terminal_app_busy": _("The terminal's app is busy."),
            "terminal_busy": _("The terminal is busy with another payment. This one did not start."),
            "stored_first": _("Payments that the terminal has stored have to be sent first."),
            "terminal_offline": _("The terminal is not connected."),
            "terminal_link": _("The connection to the terminal failed during the payment."),
            "terminal_silent": _("The terminal did not answer in time."),
            "terminal_trouble": _("The terminal reports trouble with its connection."),
            "network": _("The network failed during the payment."),
            "broker_error": _("Viva.com reports an error of its own during the payment."),
            "transaction_error": _("Viva.com reports that the payment failed, without a reason."),
            "store_forward": _("The terminal is offline, and may not store this payment."),
        }

    def _viva_sentences_of_set_up(self):
        # what Viva.com has set up, or not
        return {
            "merchant_unknown": _("Viva.com has no parameters for this merchant."),
            "location_off": _("The location services of the terminal are switched off."),
            "no_moto": _("The terminal may not take payments by letter or telephone."),
            "no_instalments": _("The terminal may not take payments in instalments."),
            "no_preauth": _("The terminal may not reserve amounts."),
            "no_qr": _("The terminal may not show QR codes."),
            "no_cancel": _("The terminal may not cancel payments."),
            "no_tip": _("The terminal may not take tips."),
            "no_sale": _("The terminal may not take payments."),
            "parameters": _("Viva.com calls a value of the request wrong."),
            "isv_role": _("Viva.com misses the role of an independent software vendor."),
            "isv_parameters": _("Viva.com cannot begin the payment for this software vendor."),
            "fiscal": _("The fiscal data caused an error."),
            "fiscal_amount": _("The fiscal data have another amount."),
            "fiscal_signature": _("The signature of the fiscal data is wrong."),
            "fiscal_details": _("The fiscal data do not match."),
            "fiscal_expired": _("The fiscal receipt has expired."),
            "fiscal_disabled": _("Fiscal data were sent to a terminal that does not take them."),
            "fiscal_only": _("The terminal only takes payments with fiscal data."),
            "fiscal_missing": _("Fiscal data are missing."),
        }

    def _viva_sentences_of_way(self):
        # the way to the terminal
        return {
            "queued": _("Viva.com has taken the request for the terminal."),
            "already_known": _("Viva.com had this request already."),
            "conflict": _("Viva.com reports a conflict; the payment is looked up."),
            "processing": _("The payment is going on."),
            "no_result": _("Viva.com does not state a result yet."),
            "not_yet_found": _("Viva.com does not show the payment yet."),
            "invalid_request": _("Viva.com did not accept the request ({detail}). Nothing was begun."),
            "request_refused": _("Viva.com did not accept the request."),
            "refused_repeat": _("The repetition was refused; what became of the first request is not known."),
            "not_served": _("There is no such service at this address."),
            "service_busy": _("Viva.com is busy."),
            "service_error": _("Viva.com's server reported an error."),
            "no_answer": _("Viva.com did not answer."),
            "unreadable": _("Viva.com's answer could not be read."),
            "empty_answer": _("Viva.com's answer is empty."),
        }

    def _viva_sentences_of_session(self):
        # the session
        return {
            "session_not_found": _("Viva.com does not find the payment."),
            "contradiction": _("Viva.com's answer contradicts itself."),
            "result_unclear": _("Viva.com states a result that cannot be read."),
            "no_event": _("Viva.com reports that it was not paid, and does not say why."),
            "other_event": _("Viva.com gives a reason that is explained nowhere ({detail})."),
            "mismatch": _("The answer is about something else than was asked ({detail})."),
        }

    def _viva_sentences_of_abort(self):
        # the wish to abort
        return {
            "abort_accepted": _("Viva.com has taken the wish to abort. The payment may still be made."),
            "abort_started": _("Viva.com is aborting the payment already, or it has ended."),
            "other_register": _("Only the register that began the payment can abort it."),
            "abort_not_found": _("Viva.com has no such payment to abort."),
        }

    def _viva_sentences_of_reversal(self):
        # reversals
        return {
            "reversed": _("Viva.com gave the payment back by itself."),
            "own_refund": _("The message is about a refund of ours."),
            "other_transaction": _("The message is about another transaction."),
            "reversal_unclear": _("A reversal was reported while a refund is under way."),
            "reversal_partial": _("A reversal was reported that differs from the payment ({detail})."),
        }

    def _viva_sentences_of_credentials(self):
        # credentials
        return {
            "credentials": _("Viva.com does not accept the client ID or the client secret."),
            "token_refused": _("Viva.com does not give access with these credentials."),
            "access_blocked": _("Something in front of Viva.com refuses requests from this server."),
            "token_unavailable": _("Viva.com's log-in could not be used."),
            "token_unreadable": _("Viva.com's log-in answered something that cannot be read."),
            "no_terminal_scope": _("These credentials do not open terminals: the POS APIs credentials do."),
            "access_refused": _("Viva.com does not accept the access that was given, or it has expired."),
            "access_denied": _("Viva.com denies access."),
            "merchant_credentials": _("Viva.com does not accept the merchant ID or the API key."),
        }
