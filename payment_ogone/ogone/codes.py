"""What NCERROR says, as plain data: slugs for programs. The sentences are in `words`.

Source: protocols/ogone.md, 4; protocols/vectors/ogone_ncerror.json. A code that stands nowhere is neutral: it
neither proves a refusal nor a payment.
"""

import re
from types import MappingProxyType

OK = ("", "0")  # both are written for "no error"
_CODE = re.compile(r"[0-9]{1,10}", re.ASCII)

_GROUPS = {
    # 1 and 2: nobody knows what became of the money
    "no_connection": "10001001-10001005",
    "uncertain": "20001001-20001010 20001101 20001105 20001111 20002005",
    "unverified": "20002001-20002004",
    # 3: refused by the bank, or by rules in front of it
    "refused": "30001001 30001060 30001110 30001997 30002001 30051001 31081001 34011001",
    "twice": "30001002 30941001 50001019 50001133 60000014",
    "technical": (
        "30001010 30001011 30001051 30001054 30001070-30001073 30001998 30201001 30301001 30381001 30401001"
        " 30811001 30971001 30981001 31071001 32001004 39991001 40001001-40001011 40001013 40001016 40001018"
        " 40001019 40001020 40001050 50001009 50001012-50001014 50001018 50001021-50001023 50001026 50001027"
        " 50001029 50001030 50001035 50001043 50001047-50001053 50001055-50001062 50001068 50001070"
    ),
    "unavailable": (
        "30001015 30001057 30001058 30001999 30191001 30681001 30821001 30831001 30901001 30911001 30961001"
        " 40001012 40001998"
    ),
    "blocked": "30001012 30001120 30001130 30001140-30001143 30001161",
    "fraud_rules": (
        "30001100-30001105 30001144 30001145 30001154-30001160 30001162 30001180 50001150-50001152 50001170"
        " 50001171"
    ),
    "card_not_allowed": (
        "30001131 30001149-30001151 30001153 30571001 30581001 30621001 30921001 31041001 50001037 50001038"
    ),
    "limit": "30001152 30611001 31101001 31111001 31121001 31131001 50001084",
    "security_code": "30001090 50001066 50001090 50001179 50001180",
    "address": "30001091 30001092 50001091 50001092",
    "call_bank": "30021001 30022001 30521001 30601001",
    "contract": (
        "30031001 31051001 31141001 31151001 50001003 50001004 50001031 50001039 50001040 50001044 50001045"
    ),
    "keep_card": "30041001 30071001",
    "invalid": "30121001 31011001 31031001",
    "amount": "30131001 30131002 30641001 50001006 50001042 50001076-50001078",
    "card_number": "30141001 30561001 50001002 50001036 50001054 50001069 50001176-50001178",
    "bank_unknown": "30151001 30311001",
    "cancelled": "30171001",
    "page_timeout": "30171002",
    "expired": "30331001 30541001 31061001 50001005 50001181-50001183",
    "fraud": "30341001-30341004 30591001",
    "lost_or_stolen": "30411001 30431001",
    "funds": "30511001",
    "pin": "30551001 30771001 31091001",
    "pin_tries": "30751001",
    "security": "30631001",
    "disputed": "30761001",
    "currency": "31021001 50001015 50001032 50001097 50001120 50001122",
    "account": (
        "31161001 60000001 60000005 60000007 60000009 60000011 60001002 60001007 60001008 60001012"
        " 60001034-60001037 60001039 60001153"
    ),
    # 4 and 5: the customer's authentication
    "authentication": "40001133 40001134 50001075 50001079-50001082 50001134",
    "authentication_unavailable": "40001135 40001137 50001135 50001137",
    "browser": "40001136 50001136",
    "soft_decline": "50001087",
    # 5: what was asked
    "brand_not_active": "50001001 50001011 50001123",
    "not_allowed": "50001007 50001034 50001046 50001067",
    "data": (
        "50001008 50001010 50001017 50001020 50001041 50001063 50001064 50001071-50001073 50001095 50001096"
        " 50001111 50001114 50001124 50001125 50001132 50001172 50001174 50001175 50001205-50001215"
    ),
    "still_waiting": "50001016",
    "other_original": "50001024 50001025 50001033",
    "wrong_status": "50001028 50001127 50001128 50001153",
    "too_old": "50001074",
    "already_processed": "50001113",
    "not_secure": "50001115",
    "address_refused": "50001116 50001117",
    "merchant": "50001118",
    "credentials": "50001119",
    "decimals": "50001121",
    "more_than_authorised": "50001126",
    "more_than_paid": "50001129",
    "not_found": "50001130 50001131",
    "signature": "50001184",
    "alias": "50001216",
    # 6
    "mandate": "60000008 60000012 60000013 60001052 60001054",
    "stopped": "60001090-60001092",
}


def _codes(text):
    for part in text.split():
        first, _dash, last = part.partition("-")
        yield from map(str, range(int(first), int(last or first) + 1))


_SLUGS = MappingProxyType({code: slug for slug, text in _GROUPS.items() for code in _codes(text)})
_FAMILIES = {"1": "no_connection", "2": "uncertain", "3": "refused", "6": "direct_debit"}
# After these nobody knows: the request, or an earlier one like it, may have been carried out.
_UNCERTAIN = frozenset({"technical", "unavailable", "twice", "still_waiting", "already_processed"})


def is_error(code):
    """Whether an NCERROR (str) reports anything; "" and "0" report nothing."""
    return not isinstance(code, str) or code.strip() not in OK


def reason(code):
    """Slug of an NCERROR (str): "" for no error, "other" for one that stands nowhere."""
    if not is_error(code):
        return ""
    text = code.strip() if isinstance(code, str) else ""
    if not _CODE.fullmatch(text):
        return "other"
    return _SLUGS.get(text) or (_FAMILIES.get(text[0], "other") if len(text) == 8 else "other")


def refuses(code):
    """Whether an NCERROR proves by itself, without a STATUS, that what was asked was not carried out."""
    text = code.strip() if isinstance(code, str) else ""
    return text in _SLUGS and text[0] in "345" and _SLUGS[text] not in _UNCERTAIN


def doubts(code):
    """Whether an NCERROR says that nobody knows, whatever STATUS says: a broken line, a silent bank."""
    text = code.strip() if isinstance(code, str) else ""
    return len(text) == 8 and text[0] in "12" and bool(_CODE.fullmatch(text))


def slugs():
    """Every slug that `reason` can give, as a sorted tuple."""
    return tuple(sorted({*_GROUPS, *_FAMILIES.values(), "other"}))
