"""What happened, what it means for the money, and what to do: English sentences for people, by slug.

Plain data. The models repeat every sentence as a translatable term; a test of theirs compares the two.
"{detail}" stands where Viva.com's own words, or the differences, belong.
Source: own words; protocols/viva.md, 1.6, 1.7, 2.1 and 2.2 for what they say.
"""

from types import MappingProxyType

from .errors import ProtocolError

SENTENCES = MappingProxyType(
    {
        # -- the customer, the card or the bank said no
        "customer_cancelled": "The payment was cancelled at the terminal.",
        "aborted": "The payment was aborted.",
        "terminal_declined": "The terminal refused the payment.",
        "refused": "The bank refused the payment without a reason.",
        "card_declined": "The card refused the payment.",
        "card_invalid": "The card is not valid.",
        "other_card": "Another card is asked for.",
        "funds": "There are not enough funds.",
        "transaction_invalid": "The bank calls the transaction invalid.",
        "no_action": "The bank did nothing.",
        "enter_again": "The bank wants the payment to be entered again.",
        "format": "The bank could not read the request.",
        "no_credit_account": "The card has no credit account.",
        "no_current_account": "The card has no current account.",
        "no_savings_account": "The card has no savings account.",
        "lost": "The card was reported lost.",
        "stolen": "The card was reported stolen.",
        "account_closed": "The card's account is closed.",
        "expired": "The card has expired.",
        "pin": "The PIN is missing or wrong.",
        "pin_tries": "A wrong PIN was entered too often.",
        "not_for_holder": "The card's holder may not make this payment.",
        "not_at_terminal": "This payment may not be made at this terminal.",
        "limit": "A limit of the card is exceeded.",
        "restricted": "The card may not be used for this.",
        "blocked": "The card is blocked.",
        "security": "The bank's security rules refuse the payment.",
        "security_code": "The security code of the card is wrong.",
        "fraud": "The bank suspects fraud.",
        "keep_card": "The bank withdraws the card.",
        "call_bank": "The bank wants to be called before it agrees.",
        "cryptogram": "The card could not be checked.",
        "law": "The law forbids this payment.",
        "amount": "The bank does not accept the amount.",
        "bank_unknown": "The card's bank could not be found.",
        "bank_unavailable": "The card's bank cannot be reached.",
        "bank_malfunction": "The bank's system failed.",
        "duplicate": "The bank takes this for a repetition of an earlier payment.",
        "merchant_invalid": "The bank does not know the merchant.",
        "insert_card": "The card has to be inserted, or presented once more.",
        # -- refunds and captures
        "not_reversible": "This payment cannot be refunded any more, or not in this way.",
        "reversal_amount": "The amount of the refund is not accepted.",
        "no_transaction": "Viva.com does not find the payment that is to be refunded.",
        "capture_amount": "The amount to capture is not accepted.",
        "parent_unknown": "Viva.com does not find what it needs to know of the original payment.",
        "parent_not_found": "Viva.com does not know the original payment. Nothing was begun.",
        "parent_unfinished": "The original payment is not finished yet. Nothing was begun.",
        "refunds_disabled": "Refunds are not enabled for this merchant at Viva.com.",
        # -- the terminal
        "card_timeout": "No card was presented in time.",
        "session_expired": "The payment expired before it was made.",
        "terminal_app_busy": "The terminal's app is busy.",
        "terminal_busy": "The terminal is busy with another payment. This one did not start.",
        "stored_first": "Payments that the terminal has stored have to be sent first.",
        "terminal_offline": "The terminal is not connected.",
        "terminal_link": "The connection to the terminal failed during the payment.",
        "terminal_silent": "The terminal did not answer in time.",
        "terminal_trouble": "The terminal reports trouble with its connection.",
        "network": "The network failed during the payment.",
        "broker_error": "Viva.com reports an error of its own during the payment.",
        "transaction_error": "Viva.com reports that the payment failed, without a reason.",
        "store_forward": "The terminal is offline, and may not store this payment.",
        # -- what Viva.com has set up, or not
        "merchant_unknown": "Viva.com has no parameters for this merchant.",
        "location_off": "The location services of the terminal are switched off.",
        "no_moto": "The terminal may not take payments by letter or telephone.",
        "no_instalments": "The terminal may not take payments in instalments.",
        "no_preauth": "The terminal may not reserve amounts.",
        "no_qr": "The terminal may not show QR codes.",
        "no_cancel": "The terminal may not cancel payments.",
        "no_tip": "The terminal may not take tips.",
        "no_sale": "The terminal may not take payments.",
        "parameters": "Viva.com calls a value of the request wrong.",
        "isv_role": "Viva.com misses the role of an independent software vendor.",
        "isv_parameters": "Viva.com cannot begin the payment for this software vendor.",
        "fiscal": "The fiscal data caused an error.",
        "fiscal_amount": "The fiscal data have another amount.",
        "fiscal_signature": "The signature of the fiscal data is wrong.",
        "fiscal_details": "The fiscal data do not match.",
        "fiscal_expired": "The fiscal receipt has expired.",
        "fiscal_disabled": "Fiscal data were sent to a terminal that does not take them.",
        "fiscal_only": "The terminal only takes payments with fiscal data.",
        "fiscal_missing": "Fiscal data are missing.",
        # -- the way to the terminal
        "queued": "Viva.com has taken the request for the terminal.",
        "already_known": "Viva.com had this request already.",
        "conflict": "Viva.com reports a conflict; the payment is looked up.",
        "processing": "The payment is going on.",
        "no_result": "Viva.com does not state a result yet.",
        "not_yet_found": "Viva.com does not show the payment yet.",
        "invalid_request": "Viva.com did not accept the request ({detail}). Nothing was begun.",
        "request_refused": "Viva.com did not accept the request.",
        "refused_repeat": "The repetition was refused; what became of the first request is not known.",
        "not_served": "There is no such service at this address.",
        "service_busy": "Viva.com is busy.",
        "service_error": "Viva.com's server reported an error.",
        "no_answer": "Viva.com did not answer.",
        "unreadable": "Viva.com's answer could not be read.",
        "empty_answer": "Viva.com's answer is empty.",
        # -- the session
        "session_not_found": "Viva.com does not find the payment.",
        "contradiction": "Viva.com's answer contradicts itself.",
        "result_unclear": "Viva.com states a result that cannot be read.",
        "no_event": "Viva.com reports that it was not paid, and does not say why.",
        "other_event": "Viva.com gives a reason that is explained nowhere ({detail}).",
        "mismatch": "The answer is about something else than was asked ({detail}).",
        # -- the wish to abort
        "abort_accepted": "Viva.com has taken the wish to abort. The payment may still be made.",
        "abort_started": "Viva.com is aborting the payment already, or it has ended.",
        "other_register": "Only the register that began the payment can abort it.",
        "abort_not_found": "Viva.com has no such payment to abort.",
        # -- reversals
        "reversed": "Viva.com gave the payment back by itself.",
        "own_refund": "The message is about a refund of ours.",
        "other_transaction": "The message is about another transaction.",
        "reversal_unclear": "A reversal was reported while a refund is under way.",
        "reversal_partial": "A reversal was reported that differs from the payment ({detail}).",
        # -- credentials
        "credentials": "Viva.com does not accept the client ID or the client secret.",
        "token_refused": "Viva.com does not give access with these credentials.",
        "access_blocked": "Something in front of Viva.com refuses requests from this server.",
        "token_unavailable": "Viva.com's log-in could not be used.",
        "token_unreadable": "Viva.com's log-in answered something that cannot be read.",
        "no_terminal_scope": "These credentials do not open terminals: the POS APIs credentials do.",
        "access_refused": "Viva.com does not accept the access that was given, or it has expired.",
        "access_denied": "Viva.com denies access.",
        "merchant_credentials": "Viva.com does not accept the merchant ID or the API key.",
    }
)

MONEY = MappingProxyType(
    {
        "not_moved": "No money was moved.",
        "not_known": "It is not certain whether money was moved.",
    }
)

ADVICE = MappingProxyType(
    {
        "other_means": "The customer can pay with another card or in another way.",
        "again": "The customer can try again.",
        "later": "Wait a little, then send it again.",
        "terminal": "Look at the terminal: switched on, unlocked, online, the app in front.",
        "configuration": "Correct the configuration, here or at Viva.com.",
        "original": "Look at the original payment; refund it in another way if need be.",
        "look_up": "Do not ask for it again: it is looked up first.",
        "wait": "Wait: how it ends is being asked.",
    }
)

_ADVISED = {
    "other_means": (
        "terminal_declined refused card_declined card_invalid other_card funds transaction_invalid no_action"
        " no_credit_account no_current_account no_savings_account lost stolen account_closed expired"
        " pin_tries not_for_holder not_at_terminal limit restricted blocked security fraud keep_card"
        " call_bank law amount bank_unknown"
    ),
    "again": (
        "customer_cancelled aborted enter_again format pin security_code cryptogram bank_unavailable"
        " bank_malfunction duplicate insert_card card_timeout session_expired transaction_error"
    ),
    "later": "terminal_app_busy terminal_busy parent_unfinished access_refused",
    "terminal": "stored_first terminal_offline store_forward location_off",
    "configuration": (
        "merchant_invalid refunds_disabled merchant_unknown no_moto no_instalments no_preauth no_qr no_cancel"
        " no_tip no_sale parameters isv_role isv_parameters fiscal fiscal_amount fiscal_signature"
        " fiscal_details fiscal_expired fiscal_disabled fiscal_only fiscal_missing invalid_request"
        " request_refused not_served credentials token_refused access_blocked no_terminal_scope access_denied"
        " merchant_credentials other_register"
    ),
    "original": (
        "not_reversible reversal_amount no_transaction capture_amount parent_unknown parent_not_found"
    ),
    "wait": (
        "queued already_known conflict processing no_result not_yet_found abort_accepted abort_started"
        " service_busy"
    ),
}
_ADVICE_OF = {slug: advice for advice, slugs in _ADVISED.items() for slug in slugs.split()}


def sentence(slug, detail=""):
    """English sentence (str) for a slug of this room; ProtocolError code "slug".

    detail  str that takes the place of "{detail}"; without it the place, and its brackets, are left out
    """
    if not isinstance(slug, str) or slug not in SENTENCES:
        raise ProtocolError("There is no sentence for this.", "slug", "slug")
    text = SENTENCES[slug]
    if not isinstance(detail, str) or not detail:
        return text.replace(" ({detail})", "")
    return text.replace("{detail}", detail)


def explain(slug, state, detail=""):
    """(what happened, what it means for the money, what to do): sentences (str) for a slug and a state.

    state  as a Verdict, Reading or Posted has it. Only a settled refusal means that nothing was moved: an
           unknown is looked up first, whatever its reason would advise. "" where there is nothing to say.
    ProtocolError code "slug".
    """
    text = sentence(slug, detail)
    if state in ("declined", "cancelled", "failed"):
        return text, MONEY["not_moved"], ADVICE.get(_ADVICE_OF.get(slug), "")
    if state == "unknown":
        return text, MONEY["not_known"], ADVICE["look_up"]
    if state in ("pending", "cancelling"):
        return text, "", ADVICE["wait"]
    return text, "", ADVICE.get(_ADVICE_OF.get(slug), "")
