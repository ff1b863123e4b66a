"""Why a payment was not made, by the code that the answer states: one word for each meaning.

A bank's answer has two digits; an API's own refusal has a word. What is not known here has no meaning: then
the provider's own text is shown as it is.
Source: ISO 8583, field 39 (response code); the words are those of the shipped profiles' error examples.
"""

from .profile import status_key

_BANK = {
    **dict.fromkeys(("01", "02"), "call_bank"),
    **dict.fromkeys(("03", "12", "30", "57", "58"), "not_allowed"),
    # lost, stolen, to be kept: nobody at a till should have to say so
    **dict.fromkeys(("04", "07", "41", "43", "59", "62", "63"), "card_barred"),
    **dict.fromkeys(("05", "00"), "no_reason"),
    **dict.fromkeys(("13", "61"), "amount"),
    **dict.fromkeys(("14", "15", "56"), "card_unknown"),
    **dict.fromkeys(("33", "54"), "expired"),
    **dict.fromkeys(("38", "75"), "pin_tries"),
    "51": "funds",
    "55": "pin",
    "65": "too_often",
    **dict.fromkeys(("68", "90", "91", "92", "96"), "bank_away"),
}
_API = {
    **dict.fromkeys(("unknownterminal", "terminalnotfound", "terminalunknown"), "terminal_unknown"),
    **dict.fromkeys(("terminalbusy", "busy", "operationinprogress"), "terminal_busy"),
    **dict.fromkeys(("unauthorized", "invalidapikey", "unknownapikey", "invalidtoken"), "key_refused"),
    **dict.fromkeys(("terminaloffline", "terminalunreachable"), "terminal_offline"),
}
MEANINGS = tuple(dict.fromkeys([*_BANK.values(), *_API.values()]))


def meaning(code):
    """One of MEANINGS for a provider's code (str), or "" for one that is not known."""
    key = status_key(code or "")
    if key.isdigit() and len(key) <= 3:
        return _BANK.get(key.zfill(2)[-2:] if len(key.lstrip("0")) <= 2 else key, "")
    return _API.get(key, "")
