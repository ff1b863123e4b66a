from odoo import _, models


class ServipayOperation(models.Model):
    """What Ogone's answers mean, in words: the sentences of ``ogone/words.py`` as translatable terms."""

    _inherit = "servipay.operation"

    def _reason_sentences(self):
        sentences = {f"og_{slug}": text for slug, text in self._ogone_sentences().items()}
        return {**super()._reason_sentences(), **sentences}

    def _refund_sentences(self):
        # the same slugs as of payments, of money that goes the other way
        sentences = {
            "refused": _("The bank refuses the refund without a reason."),
            "fraud_rules": _("The merchant's rules against fraud refuse the refund."),
            "card_not_allowed": _("This card may not be used for this refund."),
            "security": _("The bank's security rules refuse the refund."),
            "not_done": _("The platform shows the payment as it was before: nothing was given back."),
        }
        return {**super()._refund_sentences(), **{f"og_{slug}": text for slug, text in sentences.items()}}

    def _ogone_sentences(self):
        """Return {slug: sentence} for every slug of the room."""
        return {
            **self._ogone_sentences_of_bank(),
            **self._ogone_sentences_of_request(),
            **self._ogone_sentences_of_status(),
            **self._ogone_sentences_of_answer(),
        }

    def _ogone_sentences_of_bank(self):
        return {
            "refused": _("The bank refuses the payment without a reason."),
            "blocked": _("The card, name or address stands on a list of those that are not accepted."),
            "fraud_rules": _("The merchant's rules against fraud refuse the payment."),
            "card_not_allowed": _("This card may not be used for this payment."),
            "limit": _("The card's limit is exceeded."),
            "security_code": _("The security code of the card is missing or wrong."),
            "address": _("The bank does not confirm the customer's address."),
            "call_bank": _("The bank wants to be called before it agrees."),
            "keep_card": _("The bank withdraws the card."),
            "invalid": _("The bank calls the transaction invalid."),
            "amount": _("The amount was not accepted."),
            "card_number": _("The card number is wrong."),
            "bank_unknown": _("The card's bank is not known."),
            "cancelled": _("The customer gave up."),
            "page_timeout": _("The customer did not pay in time."),
            "expired": _("The card has expired, or its expiry date is wrong."),
            "fraud": _("The bank suspects fraud."),
            "lost_or_stolen": _("The card was reported lost or stolen."),
            "funds": _("There are not enough funds."),
            "pin": _("The secret code is missing or wrong."),
            "pin_tries": _("A wrong secret code was entered too often."),
            "security": _("The bank's security rules refuse the payment."),
            "disputed": _("The holder of the card disputes payments already."),
            "account": _("The bank account cannot be debited."),
            "mandate": _("The bank account's holder has not allowed this direct debit, or has blocked it."),
            "stopped": _("The direct debit was stopped."),
            "direct_debit": _("The direct debit was refused."),
            "authentication": _("The customer's authentication failed."),
            "authentication_unavailable": _("The bank's authentication service could not be reached."),
            "browser": _("The customer's browser could not show the bank's authentication page."),
            "soft_decline": _("The bank asks for the customer's authentication."),
        }

    def _ogone_sentences_of_request(self):
        return {
            "no_connection": _("The connection between the platform and the bank failed."),
            "uncertain": _("The platform has not learned what the bank decided."),
            "unverified": _("The platform could not check what the bank answered."),
            "technical": _("The platform reports a technical problem."),
            "unavailable": _("The bank or the platform is not available at the moment."),
            "twice": _("This was taken for a repetition of an earlier request."),
            "still_waiting": _("The request was still waiting when the platform answered."),
            "already_processed": _("The platform already knows a payment of this order."),
            "currency": _("The currency is not accepted for this merchant or card."),
            "decimals": _("The currency has no decimals, and the amount has."),
            "contract": _("The merchant's contract at the bank is not complete or not active."),
            "brand_not_active": _("This kind of card is not active in the merchant's account."),
            "not_allowed": _("The merchant's account may not do this."),
            "data": _("The platform does not take a value that was sent, or misses one."),
            "other_original": _("The request does not match the payment that it is about."),
            "wrong_status": _(
                "The payment's state does not allow this: it is still processed, or it was done."
            ),
            "too_old": _("The authorisation is too old."),
            "not_secure": _("The platform wants to be spoken to by https."),
            "address_refused": _("The platform does not accept requests from this server's IP address."),
            "merchant": _("The platform does not know the PSPID, or the account is not active."),
            "credentials": _("The API user or its password is wrong, or was blocked after wrong passwords."),
            "more_than_authorised": _("More would be captured than was authorised."),
            "more_than_paid": _("More would be refunded than was paid."),
            "not_found": _("The platform does not find the payment."),
            "signature": _("The SHA-IN passphrase or the hash algorithm differs from the back office."),
            "alias": _("The name under which the card is kept looks like a card number."),
            "other": _("The platform reports an error that is explained nowhere."),
        }

    def _ogone_sentences_of_status(self):
        return {
            "incomplete": _("The payment was begun and not completed."),
            "stored": _("The order is stored, and not paid yet."),
            "waiting_outside": _("The result comes from another system, in hours or days."),
            "waiting_customer": _("The customer still has to pay, by bank transfer or in the online bank."),
            "identification": _("The customer has to identify at the bank."),
            "authorised": _("The amount is reserved, and not captured yet."),
            "authorisation_waiting": _("The authorisation is processed later."),
            "authorisation_uncertain": _("It is not known whether the bank authorised the payment."),
            "standby": _("The payment stands by."),
            "scheduled": _("The payments are scheduled."),
            "scheduled_refused": _("The scheduled payments were refused."),
            "manual": _("The authorisation has to be asked for by hand."),
            "voided": _("The authorisation was cancelled."),
            "void_waiting": _("The cancellation of the authorisation is processed."),
            "void_uncertain": _("It is not known whether the authorisation was cancelled."),
            "void_refused": _("The cancellation of the authorisation was refused."),
            "deleted": _("The payment was deleted before the bank got it."),
            "deletion_waiting": _("The deletion of the payment is processed."),
            "deletion_uncertain": _("It is not known whether the payment was deleted."),
            "deletion_refused": _("The deletion of the payment was refused."),
            "refunded": _("The payment was refunded, as a whole or in part."),
            "refund_waiting": _("The refund is processed."),
            "refund_uncertain": _("It is not known whether the refund was made."),
            "refund_refused": _("The refund was refused."),
            "acquirer_declined": _("The acquirer declined the payment: its money goes back."),
            "refund_reversed": _("The refund was undone."),
            "paid": _("The payment was made."),
            "processing": _("The payment is processed."),
            "payment_uncertain": _("It is not known whether the payment was made."),
            "payment_refused": _("The bank refused the payment after it was authorised."),
            "no_status": _("The platform states no result."),
            "other_status": _("The platform states a result that is explained nowhere."),
        }

    def _ogone_sentences_of_answer(self):
        return {
            "contradiction": _("The platform reports a success and an error at once."),
            "mismatch": _("The answer is about something else than was asked."),
            "http": _("The platform's server reported an error."),
            "web_page": _("The platform answered with a web page: wrong address, or maintenance."),
            "unreadable": _("The platform's answer could not be read."),
            "refused_repeat": _("The repetition was refused; what became of the first request is not known."),
            "query_failed": _("The platform could not look the payment up."),
            "other_movement": _("The platform told of another movement of the payment."),
            "not_attributable": _("The platform's answer may be about another movement of the payment."),
            "no_news": _("The platform's answer does not tell whether it was carried out."),
            "not_done": _("The platform shows the payment as it was before: nothing was carried out."),
            "no_passphrase": _("There is no SHA-OUT passphrase: no message of the platform can be accepted."),
            "bad_names": _("The additional signed parameters cannot be read."),
            "unreadable_message": _("The message cannot be read."),
            "signed_twice": _("The message names a signed parameter twice."),
            "unsigned": _("The message has no signature: set a SHA-OUT passphrase in the back office."),
            "other_algorithm": _("The message is signed with another hash algorithm than is set here."),
            "old_composition": _(
                'The account signs the "main parameters only": choose "each parameter followed by the '
                'passphrase" in the back office.'
            ),
            "other_passphrase": _(
                "The message is signed with another passphrase of this account: SHA-IN and SHA-OUT are "
                "exchanged."
            ),
            "bad_signature": _("The message was not signed with the SHA-OUT passphrase that is set here."),
        }
