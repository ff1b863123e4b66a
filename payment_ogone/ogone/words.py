"""What happened, what it means for the money, and what to do: English sentences for people, by slug.

Plain data. The models repeat every sentence as a translatable term; a test of theirs compares the two.
Source: own words; protocols/ogone.md, 4 and 5.6 for what they say.
"""

from types import MappingProxyType

from . import codes
from .errors import ProtocolError

SENTENCES = MappingProxyType(
    {
        # -- the bank, or a rule in front of it, said no
        "refused": "The bank refuses the payment without a reason.",
        "blocked": "The card, name or address stands on a list of those that are not accepted.",
        "fraud_rules": "The merchant's rules against fraud refuse the payment.",
        "card_not_allowed": "This card may not be used for this payment.",
        "limit": "The card's limit is exceeded.",
        "security_code": "The security code of the card is missing or wrong.",
        "address": "The bank does not confirm the customer's address.",
        "call_bank": "The bank wants to be called before it agrees.",
        "keep_card": "The bank withdraws the card.",
        "invalid": "The bank calls the transaction invalid.",
        "amount": "The amount was not accepted.",
        "card_number": "The card number is wrong.",
        "bank_unknown": "The card's bank is not known.",
        "cancelled": "The customer gave up.",
        "page_timeout": "The customer did not pay in time.",
        "expired": "The card has expired, or its expiry date is wrong.",
        "fraud": "The bank suspects fraud.",
        "lost_or_stolen": "The card was reported lost or stolen.",
        "funds": "There are not enough funds.",
        "pin": "The secret code is missing or wrong.",
        "pin_tries": "A wrong secret code was entered too often.",
        "security": "The bank's security rules refuse the payment.",
        "disputed": "The holder of the card disputes payments already.",
        "account": "The bank account cannot be debited.",
        "mandate": "The bank account's holder has not allowed this direct debit, or has blocked it.",
        "stopped": "The direct debit was stopped.",
        "direct_debit": "The direct debit was refused.",
        # -- the customer's authentication
        "authentication": "The customer's authentication failed.",
        "authentication_unavailable": "The bank's authentication service could not be reached.",
        "browser": "The customer's browser could not show the bank's authentication page.",
        "soft_decline": "The bank asks for the customer's authentication.",
        # -- nobody knows
        "no_connection": "The connection between the platform and the bank failed.",
        "uncertain": "The platform has not learned what the bank decided.",
        "unverified": "The platform could not check what the bank answered.",
        "technical": "The platform reports a technical problem.",
        "unavailable": "The bank or the platform is not available at the moment.",
        "twice": "This was taken for a repetition of an earlier request.",
        "still_waiting": "The request was still waiting when the platform answered.",
        "already_processed": "The platform already knows a payment of this order.",
        # -- what was asked
        "currency": "The currency is not accepted for this merchant or card.",
        "decimals": "The currency has no decimals, and the amount has.",
        "contract": "The merchant's contract at the bank is not complete or not active.",
        "brand_not_active": "This kind of card is not active in the merchant's account.",
        "not_allowed": "The merchant's account may not do this.",
        "data": "The platform does not take a value that was sent, or misses one.",
        "other_original": "The request does not match the payment that it is about.",
        "wrong_status": "The payment's state does not allow this: it is still processed, or it was done.",
        "too_old": "The authorisation is too old.",
        "not_secure": "The platform wants to be spoken to by https.",
        "address_refused": "The platform does not accept requests from this server's IP address.",
        "merchant": "The platform does not know the PSPID, or the account is not active.",
        "credentials": "The API user or its password is wrong, or was blocked after wrong passwords.",
        "more_than_authorised": "More would be captured than was authorised.",
        "more_than_paid": "More would be refunded than was paid.",
        "not_found": "The platform does not find the payment.",
        "signature": "The SHA-IN passphrase or the hash algorithm differs from the back office.",
        "alias": "The name under which the card is kept looks like a card number.",
        "other": "The platform reports an error that is explained nowhere.",
        # -- STATUS
        "incomplete": "The payment was begun and not completed.",
        "stored": "The order is stored, and not paid yet.",
        "waiting_outside": "The result comes from another system, in hours or days.",
        "waiting_customer": "The customer still has to pay, by bank transfer or in the online bank.",
        "identification": "The customer has to identify at the bank.",
        "authorised": "The amount is reserved, and not captured yet.",
        "authorisation_waiting": "The authorisation is processed later.",
        "authorisation_uncertain": "It is not known whether the bank authorised the payment.",
        "standby": "The payment stands by.",
        "scheduled": "The payments are scheduled.",
        "scheduled_refused": "The scheduled payments were refused.",
        "manual": "The authorisation has to be asked for by hand.",
        "voided": "The authorisation was cancelled.",
        "void_waiting": "The cancellation of the authorisation is processed.",
        "void_uncertain": "It is not known whether the authorisation was cancelled.",
        "void_refused": "The cancellation of the authorisation was refused.",
        "deleted": "The payment was deleted before the bank got it.",
        "deletion_waiting": "The deletion of the payment is processed.",
        "deletion_uncertain": "It is not known whether the payment was deleted.",
        "deletion_refused": "The deletion of the payment was refused.",
        "refunded": "The payment was refunded, as a whole or in part.",
        "refund_waiting": "The refund is processed.",
        "refund_uncertain": "It is not known whether the refund was made.",
        "refund_refused": "The refund was refused.",
        "acquirer_declined": "The acquirer declined the payment: its money goes back.",
        "refund_reversed": "The refund was undone.",
        "paid": "The payment was made.",
        "processing": "The payment is processed.",
        "payment_uncertain": "It is not known whether the payment was made.",
        "payment_refused": "The bank refused the payment after it was authorised.",
        "no_status": "The platform states no result.",
        "other_status": "The platform states a result that is explained nowhere.",
        # -- answers and inquiries
        "contradiction": "The platform reports a success and an error at once.",
        "mismatch": "The answer is about something else than was asked.",
        "http": "The platform's server reported an error.",
        "web_page": "The platform answered with a web page: wrong address, or maintenance.",
        "unreadable": "The platform's answer could not be read.",
        "refused_repeat": "The repetition was refused; what became of the first request is not known.",
        "query_failed": "The platform could not look the payment up.",
        "other_movement": "The platform told of another movement of the payment.",
        "not_attributable": "The platform's answer may be about another movement of the payment.",
        "no_news": "The platform's answer does not tell whether it was carried out.",
        "not_done": "The platform shows the payment as it was before: nothing was carried out.",
        # -- messages that are not accepted
        "no_passphrase": "There is no SHA-OUT passphrase: no message of the platform can be accepted.",
        "bad_names": "The additional signed parameters cannot be read.",
        "unreadable_message": "The message cannot be read.",
        "signed_twice": "The message names a signed parameter twice.",
        "unsigned": "The message has no signature: set a SHA-OUT passphrase in the back office.",
        "other_algorithm": "The message is signed with another hash algorithm than is set here.",
        "old_composition": 'The account signs the "main parameters only": choose "each parameter followed'
        ' by the passphrase" in the back office.',
        "other_passphrase": "The message is signed with another passphrase of this account: SHA-IN and"
        " SHA-OUT are exchanged.",
        "bad_signature": "The message was not signed with the SHA-OUT passphrase that is set here.",
    }
)

MONEY = MappingProxyType(
    {
        "not_taken": "No money was moved.",
        "not_known": "It is not certain whether money was moved.",
    }
)

ADVICE = MappingProxyType(
    {
        "other_means": "The customer can pay with another card or in another way.",
        "bank": "The customer should ask the bank, or pay in another way.",
        "again": "The customer can try again.",
        "later": "Try again later.",
        "authenticate": "The customer has to pay on the payment page, where the bank can ask for it.",
        "configuration": "Correct the configuration, here or in the back office of the platform.",
        "request": "Correct what was asked for; nothing has to be undone.",
        "look_up": "Do not ask for it again: look the payment up first.",
        "wait": "Wait: the platform reports how it ends.",
    }
)

_ADVISED = {
    "other_means": (
        "refused blocked fraud_rules card_not_allowed limit keep_card invalid bank_unknown expired"
        " lost_or_stolen funds pin_tries account mandate stopped direct_debit"
    ),
    "bank": "call_bank fraud security disputed address",
    "again": (
        "security_code card_number pin cancelled page_timeout authentication authentication_unavailable"
        " browser"
    ),
    "authenticate": "soft_decline",
    "configuration": (
        "currency contract brand_not_active not_allowed not_secure address_refused merchant credentials"
        " signature"
    ),
    "request": (
        "amount decimals data other_original too_old more_than_authorised more_than_paid not_found alias"
    ),
    "wait": "wrong_status",
    "look_up": (
        "no_connection uncertain unverified technical unavailable twice still_waiting already_processed other"
    ),
}
_ADVICE_OF = {slug: advice for advice, slugs in _ADVISED.items() for slug in slugs.split()}


def sentence(slug):
    """English sentence (str) for a slug of this room; ProtocolError code "slug"."""
    if not isinstance(slug, str) or slug not in SENTENCES:
        raise ProtocolError("There is no sentence for this.", "slug", "slug")
    return SENTENCES[slug]


def explain(code, booked=None):
    """(what happened, what it means for the money, what to do): three sentences (str) for an NCERROR (str).

    booked  False: it is proved that nothing was moved (Verdict.nothing_booked); None: the code alone decides
    ("", "", "") when the code reports no error.
    """
    slug = codes.reason(code)
    if not slug:
        return "", "", ""
    safe = booked is False or (booked is None and codes.refuses(code))
    advice = _ADVICE_OF[slug]
    if not safe:
        advice = "look_up"
    elif advice == "look_up":
        advice = "later"
    return SENTENCES[slug], MONEY["not_taken" if safe else "not_known"], ADVICE[advice]
