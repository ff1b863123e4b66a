"""What the platform's codes mean, as plain data: slugs for programs, no sentences.

Source: protocols/paybox.md, 4. Lists in the field differ: a code that stands nowhere is a refusal without a
known reason, never an error of ours.
"""

from types import MappingProxyType

ACCEPTED = "00000"
PENDING = "99999"
# some merchants' modules take these as success (private cards), the manual does not list them
UNCLEAR = frozenset({"00200", "00201", "00300", "00301", "00302", "00303"})

# Means of payment (letter C of the page) that PPPS wants named with every movement, by the same word.
ACQUIRERS = frozenset({"CVCONNECT", "LIMOCB", "PAYPAL", "SODEXO", "UPCHEQUDEJ"})

# letter E of the hosted page
PAGE = MappingProxyType(
    {
        "00001": "no_connection",
        "00003": "platform",
        "00004": "card_number",
        "00006": "merchant",
        "00008": "expired",
        "00009": "subscriber",
        "00010": "currency",
        "00011": "amount",
        "00015": "already_paid",
        "00016": "subscriber",
        "00021": "card_not_allowed",
        "00029": "other_card",
        "00030": "page_timeout",
        "00033": "country",
        "00040": "no_3ds",
    }
)

# the bank's part of 001xx
BANK = MappingProxyType(
    {
        **dict.fromkeys(("01", "02"), "call_bank"),
        "03": "merchant",
        **dict.fromkeys(("04", "07"), "keep_card"),
        "05": "do_not_honour",
        "08": "identify",
        "12": "invalid",
        "13": "amount",
        **dict.fromkeys(("14", "56"), "card_number"),
        **dict.fromkeys(("15", "31"), "bank_unknown"),
        "17": "cancelled",
        "19": "retry",
        **dict.fromkeys(("33", "54"), "expired"),
        **dict.fromkeys(("34", "59"), "fraud"),
        **dict.fromkeys(("38", "75"), "pin_tries"),
        **dict.fromkeys(("41", "43"), "lost_or_stolen"),
        "51": "funds",
        "55": "pin",
        **dict.fromkeys(("57", "58"), "card_not_allowed"),
        "61": "limit",
        "63": "security",
        "76": "stopped",
        "89": "authentication",
        "94": "twice",
        "A1": "soft_decline",
        "A4": "soft_decline",
        **dict.fromkeys(("R1", "R3"), "stopped"),
    }
)
BANK_UNREACHABLE = frozenset({"20", "30", "60", "68", "90", "91", "96", "97", "98", "99"})

# CODEREPONSE of PPPS
DIRECT = MappingProxyType(
    {
        "00001": "no_connection",
        "00002": "format",
        "00003": "platform",
        "00004": "card_number",
        "00005": "question",
        "00006": "merchant",
        "00007": "format",
        "00008": "expired",
        "00009": "format",
        "00010": "currency",
        "00011": "amount",
        "00012": "reference",
        "00013": "format",
        "00014": "format",
        "00015": "not_found",
        "00016": "subscriber",
        "00017": "subscriber",
        "00018": "not_found",
        "00020": "card_number",
        "00021": "card_not_allowed",
        "00022": "limit",
        "00024": "country",
        "00039": "question",
        "00097": "no_connection",
        "00098": "platform",
        "00099": "platform",
    }
)
UNKNOWN_TYPE = "00009"
NOT_FOUND = "00018"  # 00015 says it too, and means other things as well
NUMBER_USED = "00005"  # the number of the request was used before: this request was not carried out
# after these nobody knows whether the request was carried out; a number that was used before says that an
# earlier request with it may have been
DIRECT_UNCERTAIN = frozenset({"00001", "00003", "00005", "00039", "00097", "00098", "00099"})


def bank_reason(code):
    """Slug of a 001xx code (str), "" when it is none."""
    if not isinstance(code, str) or len(code) != 5 or not code.startswith("001"):
        return ""
    return "bank_unreachable" if code[3:] in BANK_UNREACHABLE else BANK.get(code[3:], "bank")


def page_reason(code):
    """Slug for a code of the hosted page (str), "other" for one that stands nowhere."""
    return bank_reason(code) or PAGE.get(code, "other")


def direct_reason(code):
    """Slug for a code of PPPS (str), "other" for one that stands nowhere."""
    return bank_reason(code) or DIRECT.get(code, "other")
