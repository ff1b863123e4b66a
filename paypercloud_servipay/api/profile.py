"""A profile: how to speak a REST terminal API, as data. One JSON shape for records, export and presets.

`validate` finds every error, `normalise` fills the defaults. The shape is described in the addon's
readme; the reasons are in protocols/paypercloud.md, 4 and 6. What a profile may not say is as
important as what it may: no rule here can be edited so that an uncertain outcome reads as approved or failed.
"""

import copy

from . import checks, templates
from .amounts import FORMATS
from .errors import ProtocolError, shown

FORMAT = "servipay-api-profile/1"
ENDPOINT_NAMES = {
    "purchase": "Purchase",
    "refund": "Refund",
    "void": "Void",
    "reconciliation": "Reconciliation",
    "operation_status": "Operation status",
    "operation_result": "Operation result",
    "operation_cancel": "Operation cancel",
    "operations_list": "Operations list",
    "last_reconciliation": "Last reconciliation",
}
ENDPOINT_KEYS = tuple(ENDPOINT_NAMES)  # the published order
START_KEYS = frozenset({"purchase", "refund", "void", "reconciliation"})
INQUIRY_KEYS = frozenset({"operation_status", "operation_result"})

SCALAR_FIELDS = (
    "operation_id",
    "original_operation_id",
    "status",
    "approved_flag",
    "reference",
    "amount",
    "currency",
    "terminal_pid",
    "pos_id",
    "tip_amount",
    "authorization_code",
    "card_brand",
    "masked_pan",
    "entry_mode",
    "rrn",
    "stan",
    "merchant_id",
    "aid",
    "transaction_datetime",
    "merchant_receipt",
    "customer_receipt",
    "decline_code",
    "decline_message",
    "batch",
    "period_start",
    "period_end",
)
FIELDS = (*SCALAR_FIELDS, "rows", "totals")
ROW_FIELDS = (*SCALAR_FIELDS, "type")  # what response["row"] may map
TOTAL_FIELDS = ("type", "brand", "currency", "count", "amount")  # what response["total"] may map

# Source: protocols/paypercloud.md, 4. Words of uncertainty (timeout, offline, error, ...) are "unknown"
# here and not "failed": the card may have been charged before the line went silent.
_WORDS = {
    "pending": "pending new created accepted queued sent received waiting processing inprogress running"
    " started waitingforcard",
    "approved": "approved success successful succeeded completed done ok captured paid executed",
    "declined": "declined refused rejected denied notauthorized refusal",
    "cancelled": "cancelled canceled aborted voided abort usercancelled",
    "failed": "failed failure ko busy",
    "unknown": "timeout timedout expired unreachable offline error terminalerror unknown",
    "reversed": "reversed refunded",
}
DEFAULT_STATUS_MAP = {word: state for state, words in _WORDS.items() for word in words.split()}
MAP_STATES = ("pending", "approved", "declined", "cancelled", "failed", "unknown", "reversed")
# No profile may call these approved, whoever edits it.
_NEVER_APPROVED = frozenset(
    {word for word, state in DEFAULT_STATUS_MAP.items() if state != "approved" and word != "accepted"}
    | {"false", "no", "n", "none", "null", "notok", "nok", "unpaid", "notapproved", "unapproved"}
)
_NEVER_APPROVED_STEMS = (
    *("timeout", "timedout", "error", "fail", "declin", "refus", "reject", "cancel", "unknown"),
)

DEFAULTS = {
    "name": "",
    "note": "",
    "verified_with_vendor": False,
    "base_path": "",
    "auth": {"scheme": "bearer", "header": "Authorization"},
    "headers": {},
    "amount_format": "minor_int",
    "currency_format": "alpha",
    "pending_http_codes": [202, 404],
    "busy_http_codes": [409, 423, 429],
    "idempotency_header": "Idempotency-Key",
    "honours_idempotency": False,
    "sync_response": False,
    "require_amount": True,
    "partial_approval": False,
    "poll": {"first": 2, "slow": 5, "deadline": 180},
    "status_map": DEFAULT_STATUS_MAP,
    "error_message_paths": [
        "error.message",
        "error.description",
        "errors.0.message",
        "errors.detail",
        "detail",
        "title",
        "message",
        "userMessage",
        "errorMessage",
        "error_description",
        "resultDescription",
        "error",
    ],
    "error_code_paths": [
        "error.code",
        "errors.0.code",
        "errors.type",
        "code",
        "type",
        "error_code",
        "errorCode",
        "resultCode",
    ],
}
DEFAULT_SUCCESS_CODES = {
    **dict.fromkeys(ENDPOINT_KEYS, [200]),
    **dict.fromkeys(START_KEYS, [200, 201, 202]),
    "operation_cancel": [200, 202, 204],
}

_REQUIRED_VARIABLES = {
    "purchase": ("amount",),
    "void": ("original_operation_id",),
    "operation_status": ("operation_id",),
    "operation_result": ("operation_id",),
    "operation_cancel": ("operation_id",),
}
_REQUIRED_FIELDS = {"operation_status": "status", "operation_result": "status", "operations_list": "rows"}
_FRAMING = {"host", "content-length", "cookie", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
_STATIC_BARRED = _FRAMING | {"authorization", "proxy-authorization", "content-encoding", "expect"}


def status_key(word):
    """`word` (str) as it stands in a status map: lower case, without "_", "-" and " "."""
    return word.strip().lower().replace("_", "").replace("-", "").replace(" ", "")


def moves_money(key):
    """Whether calling the endpoint `key` (str) moves, un-moves or settles money.

    Such a call asks a confirmation and is never repeated by itself. A reconciliation counts: it closes the
    terminal's batch for good.
    """
    return isinstance(key, str) and key in START_KEYS


def validate(document):
    """List of every ProtocolError in a profile (JSON-like); [] when it is usable.

    Keys that have a default may be absent. Each error has the `field` (dotted place), a `code` and `params`.
    """
    found = []
    _PROFILE(found, "", document)
    if isinstance(document, dict):
        _check_words(found, document.get("status_map"))
        _check_poll(found, document.get("poll"))
        _check_header_clashes(found, document)
        _check_endpoints(found, document)
    return found


def normalise(document):
    """A deep copy of a profile: defaults filled in, status words as `status_key`, endpoints in order.

    ProtocolError: the first error of `validate`.
    """
    for error in validate(document):
        raise error
    result = copy.deepcopy({"format": FORMAT, **DEFAULTS, **document})
    result["auth"] = {**DEFAULTS["auth"], **result["auth"]}
    result["poll"] = {**DEFAULTS["poll"], **result["poll"]}
    result["status_map"] = {status_key(word): state for word, state in result["status_map"].items()}
    endpoints = result["endpoints"]
    result["endpoints"] = {key: _filled(key, endpoints[key]) for key in ENDPOINT_KEYS if key in endpoints}
    return result


def endpoint(document, key):
    """The endpoint `key` (str) of a normalised profile; ProtocolError code "missing" when it has none."""
    endpoints = document.get("endpoints") if isinstance(document, dict) else None
    found = endpoints.get(key) if isinstance(endpoints, dict) and isinstance(key, str) else None
    if not isinstance(found, dict):
        name = shown(key)
        raise ProtocolError(
            f"The profile has no endpoint {name}.", f"endpoints.{name}", "missing", {"key": name}
        )
    return found


def endpoint_variables(document, key):
    """{name: optional} of the variables in path, query and body of an endpoint, in the order of VARIABLES.

    Works on a profile that is not valid elsewhere (it feeds a form while it is edited); ProtocolError for
    an absent endpoint or a malformed template, with its place.
    """
    chosen = endpoint(document, key)
    optional = {}
    for part in ("path", "query", "body"):
        try:
            names = templates.variables(chosen.get(part))
        except ProtocolError as error:
            raise error.at(f"endpoints.{key}.{part}") from None
        for name, is_optional in names.items():
            optional[name] = optional.get(name, True) and is_optional
    return {name: optional[name] for name in templates.VARIABLES if name in optional}


# -- shape


def _is_format(found, place, value):
    if value != FORMAT:
        checks.fail(found, place, "format", f"must be {FORMAT}.", expected=FORMAT)


def _body(found, place, value):
    if value is None:
        return
    if not isinstance(value, dict):
        checks.fail(found, place, "type", "must be an object or null.", expected="object")
    else:
        checks.template(found, place, value)


def _query_value(found, place, value):
    if not isinstance(value, str):
        checks.fail(found, place, "type", "must be text.", expected="text")
    else:
        checks.template(found, place, value)


def _path(found, place, value):
    checks.url_path(found, place, value)
    checks.template(found, place, value)


def _row_map(fields):
    return checks.mapping(dict.fromkeys(fields, checks.path_list))


_RESPONSE = checks.mapping(
    {
        **dict.fromkeys(FIELDS, checks.path_list),
        "row": _row_map(ROW_FIELDS),
        "total": _row_map(TOTAL_FIELDS),
    }
)
_ENDPOINT = checks.mapping(
    {
        "name": checks.text(100),
        "method": checks.choice("GET", "POST", "PUT", "DELETE"),
        "path": _path,
        "query": checks.pairs(checks.text(100, empty=False), _query_value, 30),
        "body": _body,
        # only 2xx: a refusal or a gateway's error that counted as success would hide a lost payment
        "success_codes": checks.codes(200, 299, empty=False),
        "response": _RESPONSE,
        "retry_safe": checks.flag,
        "help": checks.text(2000),
    },
    required=("method", "path"),
)
_PROFILE = checks.mapping(
    {
        "format": _is_format,
        "name": checks.text(100),
        "note": checks.text(5000),
        "verified_with_vendor": checks.flag,
        "base_path": checks.base_path,
        "auth": checks.mapping(
            {"scheme": checks.choice("bearer", "header", "basic"), "header": checks.header_name(_FRAMING)}
        ),
        "headers": checks.pairs(checks.header_name(_STATIC_BARRED), checks.header_value, 20),
        "amount_format": checks.choice(*FORMATS),
        "currency_format": checks.choice("alpha", "numeric", "none"),
        "pending_http_codes": checks.codes(),
        # 4xx without the two that leave the outcome open: busy means "refused, nothing was done"
        "busy_http_codes": checks.codes(400, 499, barred=(408, 425)),
        "idempotency_header": checks.header_name(_STATIC_BARRED, empty=True),
        "honours_idempotency": checks.flag,
        "sync_response": checks.flag,
        "require_amount": checks.flag,
        "partial_approval": checks.flag,
        "poll": checks.mapping(
            {"first": checks.whole(1, 60), "slow": checks.whole(1, 3600), "deadline": checks.whole(10, 3600)}
        ),
        "status_map": checks.pairs(checks.text(64, empty=False), checks.choice(*MAP_STATES), 200),
        "error_message_paths": checks.path_list,
        "error_code_paths": checks.path_list,
        "endpoints": checks.mapping(dict.fromkeys(ENDPOINT_KEYS, _ENDPOINT)),
    },
    required=("format", "endpoints"),
)


# -- rules across keys


def _check_words(found, status_map):
    """No word twice with two meanings, and no word of refusal or doubt among the approved ones."""
    seen = {}
    for word, state in status_map.items() if isinstance(status_map, dict) else ():
        place, key = checks.join("status_map", word), status_key(word) if isinstance(word, str) else ""
        if not key:
            checks.fail(found, place, "empty", "is no word.")
        elif seen.setdefault(key, state) != state:
            checks.fail(found, place, "ambiguous", "stands twice with different states.", word=shown(word))
        if state == "approved" and _is_refusal_word(key):
            checks.fail(found, place, "never_approved", "may not mean approved.", word=shown(word))


def _is_refusal_word(key):
    return key in _NEVER_APPROVED or any(stem in key for stem in _NEVER_APPROVED_STEMS)


def _check_poll(found, poll):
    poll = {**DEFAULTS["poll"], **poll} if isinstance(poll, dict) else DEFAULTS["poll"]
    first, slow = poll["first"], poll["slow"]
    if isinstance(first, int) and isinstance(slow, int) and slow < first:
        checks.fail(found, "poll.slow", "range", "may not be shorter than poll.first.", low=first, high=3600)


def _check_header_clashes(found, document):
    """Every header is written once: static, authentication and idempotency headers have different names."""
    auth, headers = document.get("auth"), document.get("headers")
    named = {"idempotency_header": document.get("idempotency_header", DEFAULTS["idempotency_header"])}
    named["auth.header"] = (auth if isinstance(auth, dict) else {}).get("header", "Authorization")
    taken = {}
    for place, name in [*named.items(), *((checks.join("headers", name), name) for name in _keys(headers))]:
        if not isinstance(name, str) or not name:
            continue
        if taken.setdefault(name.lower(), place) != place:
            checks.fail(
                found, place, "header_twice", f"names the header {shown(name)} again.", name=shown(name)
            )


def _keys(value):
    return list(value) if isinstance(value, dict) else []


def _check_endpoints(found, document):
    endpoints = document.get("endpoints")
    if not isinstance(endpoints, dict):
        return
    if not endpoints:
        checks.fail(found, "endpoints", "empty", "may not be empty.")
    for key, chosen in endpoints.items():
        place = f"endpoints.{key}"
        broken = any(error.field == place or error.field.startswith(place + ".") for error in found)
        if key in ENDPOINT_NAMES and isinstance(chosen, dict) and not broken:
            _check_method(found, place, key, chosen)
            _check_variables(found, place, key, chosen, document)
            _check_response(found, place, key, chosen, document)
    if (
        START_KEYS & set(endpoints)
        and not INQUIRY_KEYS & set(endpoints)
        and not document.get("sync_response")
    ):
        sentence = "Nothing can tell the outcome of a start: add operation_status or operation_result."
        checks.fail(found, "endpoints", "no_inquiry", sentence)
    _check_verdict(found, document, endpoints)


def _check_verdict(found, document, endpoints):
    """Where an approval has to state its amount, the answer that decides must have a place for it."""
    key = next((key for key in ("operation_result", "operation_status") if key in endpoints), None)
    response = endpoints[key].get("response") if key and isinstance(endpoints[key], dict) else None
    needed = document.get("require_amount", True) is True and {"purchase", "refund"} & set(endpoints)
    if needed and isinstance(response, dict) and response and not response.get("amount"):
        sentence = "is missing: no payment could be approved while require_amount is set."
        checks.fail(found, f"endpoints.{key}.response.amount", "amount_place", sentence)


def _check_method(found, place, key, chosen):
    if chosen["method"] == "GET" and chosen.get("body") is not None:
        checks.fail(found, f"{place}.body", "get_body", "must be null: a GET has no body.")
    if moves_money(key) and chosen["method"] == "GET":
        checks.fail(found, f"{place}.method", "money_get", "may not be GET: a GET is repeated by itself.")
    if moves_money(key) and chosen.get("retry_safe"):
        checks.fail(found, f"{place}.retry_safe", "money_retry", "may not be set: this call moves money.")


def _check_variables(found, place, key, chosen, document):
    optional = endpoint_variables({"endpoints": {key: chosen}}, key)
    for name in _REQUIRED_VARIABLES.get(key, ()):
        if optional.get(name, True):
            sentence = f"must use {{{name}}} (not optional) in its path, query or body."
            checks.fail(found, place, "missing_variable", sentence, name=name)
    header = document.get("idempotency_header", DEFAULTS["idempotency_header"])
    if key in ("purchase", "refund") and not header and not {"reference", "idempotency_key"} & set(optional):
        sentence = "carries neither {reference} nor {idempotency_key}: nothing could find it again."
        checks.fail(found, place, "unfindable", sentence)
    if document.get("currency_format") == "none" and optional.get("currency") is False:
        sentence = "requires {currency}, but currency_format is none: write {currency?}."
        checks.fail(found, place, "currency_none", sentence)


def _check_response(found, place, key, chosen, document):
    response = chosen.get("response", {})
    needed = _REQUIRED_FIELDS.get(key)
    if key in START_KEYS:
        needed = "status" if document.get("sync_response") else "operation_id"
    if needed and not response.get(needed):
        place = f"{place}.response.{needed}"
        checks.fail(found, place, "missing", "is missing: nothing could be learned.", name=needed)


def _filled(key, chosen):
    """One endpoint with its defaults."""
    defaults = {
        "name": ENDPOINT_NAMES[key],
        "query": {},
        "body": None,
        "success_codes": list(DEFAULT_SUCCESS_CODES[key]),
        "response": {},
        "retry_safe": False,
        "help": "",
    }
    return {**defaults, **chosen}
