"""What the numbers of a session mean, as plain data: slugs and classes, no sentences (see words.py).

Only the eventId within a session: 1100 there is "the terminal is busy", in the header it is "created".
Source: protocols/viva.md, 2.1; 1.8 (demo amounts) for transactionEventId, which is 10000 + ISO 8583 code.
"""

from types import MappingProxyType
from typing import NamedTuple

# class -> state of the operation. Uncertain is what happened between Viva.com and the terminal or the bank
# while a card may have been read: a session that says so may still turn out to be paid.
CLASSES = MappingProxyType(
    {
        "success": "approved",
        "cancelled": "cancelled",
        "declined": "declined",
        "refused": "declined",  # a refund or capture that is not made
        "timeout": "failed",
        "busy": "failed",
        "configuration": "failed",
        "error": "failed",
        "uncertain": "unknown",
    }
)
# refusals after which nothing can have reached a card: no second look is needed
_SETTLED = frozenset({"busy", "configuration", "success"})


class Event(NamedTuple):
    """An eventId: slug (a key of words.SENTENCES, "" for the success) and one of CLASSES."""

    slug: str
    kind: str

    @property
    def state(self):
        """State (str) of an operation whose session ended so."""
        return CLASSES[self.kind]

    @property
    def may_change(self):
        """Whether the session is worth another look later: some that failed were paid (2.2)."""
        return self.kind not in _SETTLED


_BY_CLASS = {
    "success": {0: ""},
    "cancelled": {1000: "customer_cancelled", 1016: "aborted"},
    "declined": {
        **{1004: "terminal_declined", 1006: "refused", 1007: "card_declined", 1010: "card_invalid"},
        **{1019: "other_card", 1020: "funds", 1047: "merchant_invalid", 1048: "refused"},
        **{1049: "transaction_invalid", 1050: "no_action", 1051: "enter_again", 1052: "format"},
        **{1053: "no_credit_account", 1054: "lost", 1055: "stolen", 1056: "account_closed", 1057: "funds"},
        **{1058: "no_current_account", 1059: "no_savings_account", 1060: "expired", 1061: "pin"},
        **{1062: "not_for_holder", 1063: "not_at_terminal", 1064: "limit", 1065: "restricted"},
        **{1066: "pin_tries", 1067: "blocked", 1068: "pin", 1069: "cryptogram", 1070: "bank_unavailable"},
        **{1071: "law", 1072: "bank_malfunction", 1301: "insert_card", 1302: "insert_card"},
        1303: "insert_card",
    },
    "refused": {
        **{1008: "not_reversible", 1009: "reversal_amount", 1011: "no_transaction", 1012: "no_transaction"},
        **{1017: "capture_amount", 1021: "not_reversible", 1101: "parent_unknown"},
    },
    "timeout": {1003: "card_timeout", 1102: "session_expired"},
    "busy": {1001: "terminal_app_busy", 1100: "terminal_busy"},
    "configuration": {
        **{1014: "refunds_disabled", 1018: "merchant_unknown", 1074: "fiscal_amount"},
        **{1075: "fiscal_signature", 1076: "fiscal_signature", 1077: "fiscal_details"},
        **{1079: "fiscal_expired", 1080: "fiscal", 1081: "fiscal_disabled", 1082: "fiscal_only"},
        **{1083: "fiscal_missing", 2000: "location_off", 5000: "no_moto", 5001: "no_instalments"},
        **{5002: "no_preauth", 5003: "no_qr", 5004: "no_cancel", 5005: "no_tip", 5006: "no_sale"},
        **{6000: "parameters", 6102: "isv_role"},
    },
    "error": {
        **{1002: "stored_first", 1013: "isv_parameters", 1099: "transaction_error"},
        **{3000: "terminal_offline", 6201: "store_forward"},
        **dict.fromkeys(range(7001, 7006), "store_forward"),
    },
    "uncertain": {
        **{1110: "broker_error", 3001: "terminal_link", 3002: "terminal_silent", 3099: "terminal_trouble"},
        4000: "network",
    },
}
EVENTS = MappingProxyType(
    {number: Event(slug, kind) for kind, slugs in _BY_CLASS.items() for number, slug in slugs.items()}
)
# reasons that say no more than "no": the bank's own code says it better
VAGUE = frozenset({"refused", "terminal_declined", "card_declined"})

# ISO 8583 response codes by which banks refuse
ISO = MappingProxyType(
    {
        **{"01": "call_bank", "02": "call_bank", "03": "merchant_invalid", "04": "keep_card"},
        **{"05": "refused", "07": "keep_card", "12": "transaction_invalid", "13": "amount"},
        **{"14": "card_invalid", "15": "bank_unknown", "17": "customer_cancelled", "19": "enter_again"},
        **{"30": "format", "33": "expired", "34": "fraud", "36": "restricted", "38": "pin_tries"},
        **{"39": "no_credit_account", "41": "lost", "43": "stolen", "46": "account_closed", "51": "funds"},
        **{"52": "no_current_account", "53": "no_savings_account", "54": "expired", "55": "pin"},
        **{"57": "not_for_holder", "58": "not_at_terminal", "59": "fraud", "61": "limit"},
        **{"62": "restricted", "63": "security", "65": "limit", "70": "pin", "75": "pin_tries"},
        **{"78": "blocked", "82": "security_code", "88": "cryptogram", "91": "bank_unavailable"},
        **{"92": "bank_unknown", "93": "law", "94": "duplicate", "96": "bank_malfunction"},
    }
)
_ISO_BASE = 10000


def event(number):
    """The Event of an eventId (int), None when the table does not have it."""
    return EVENTS.get(number) if type(number) is int else None


def iso_code(number):
    """ISO 8583 response code ("51") of a transactionEventId (10051), "" when it is none of them."""
    if type(number) is not int or not _ISO_BASE <= number < _ISO_BASE + 100:
        return ""
    return f"{number - _ISO_BASE:02d}"


def iso_reason(number):
    """Slug ("funds") of a transactionEventId (10051), "" when its code is no refusal that is known."""
    return ISO.get(iso_code(number), "")
