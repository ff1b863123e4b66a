"""Every sample of data/viva.json: asked for by us, read, concluded from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from viva import access, answer, devices, post, receipt, request, session, verdict, verification, webhook
from viva.errors import ProtocolError
from viva.hosts import site
from viva.request import Request

SAMPLES = json.loads((Path(__file__).parent / "data" / "viva.json").read_text())["samples"]
BY_ID = {sample["id"]: sample for sample in SAMPLES}
DEMO = site(True)


def data(name):
    return BY_ID[name]["data"]


def raw(value):
    return json.dumps(value).encode()


def test_every_sample_is_used_below():
    assert len(SAMPLES) == len(BY_ID) == 31
    text = Path(__file__).read_text()
    assert [name for name in BY_ID if f'"{name}"' not in text] == []


# -- access


def test_token_request():
    sample, call = data("token_request"), access.token_call()
    assert (call.verb, DEMO.address(call), access.form_body(call).decode()) == (
        *(sample["method"], sample["url"]),
        sample["body"],
    )
    assert sample["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    # credentials go into the header, and no scope is asked for: all that they own is given then
    assert "client_secret" in data("token_request_body_credentials")["body"]
    assert dict(call.form) == {"grant_type": "client_credentials"}


def test_token_response():
    found = access.read_token(200, {}, raw({**data("token_response_isv_demo"), "access_token": "ey.J"}))
    assert (found.reason, found.wrong, found.token.value) == ("", False, "ey.J")
    assert (found.token.expires_in, len(found.token.scopes)) == (3600, 3)
    assert found.token.opens_terminals is True


def test_scopes_of_pos_credentials():
    claims = data("token_jwt_claims_pos_credentials")
    told = {"access_token": "x", "token_type": "Bearer", "expires_in": claims["exp"] - claims["nbf"]}
    found = access.read_token(200, {}, raw({**told, "scope": claims["scope"]}))
    assert found.token == access.Token("x", 3600, tuple(claims["scope"]))
    assert found.token.opens_terminals is True


def test_invalid_client():
    found = access.read_token(400, {}, raw(data("token_response_invalid_client")))
    assert found == access.Access(None, "credentials", True, "invalid_client")


def test_unauthorized():
    body = raw(data("unauthorized"))
    assert post.classify_post(401, {}, body).reason == "access_refused"
    assert session.classify_session(401, body).reason == "access_refused"
    assert post.classify_post(401, {}, body).answer.detail == data("unauthorized")["detail"]


# -- requests

ATTRIBUTES = {
    **{"sessionId": "session", "terminalId": "terminal", "cashRegisterId": "register", "amount": "amount"},
    **{"currencyCode": "currency", "merchantReference": "reference", "parentSessionId": "parent"},
    **{"customerTrns": "customer_text", "tipAmount": "tip", "maxInstalments": "instalments"},
    **{"showTransactionResult": "show_result", "showReceipt": "show_receipt"},
}


def asked(action, theirs, **changes):
    """The Request that says what a recorded one says."""
    values = {name: theirs[key] for key, name in ATTRIBUTES.items() if theirs.get(key) is not None}
    values |= {name: str(values[name]) for name in ("terminal", "currency")}
    return Request(action, **{**values, **changes})


@pytest.mark.parametrize(
    "name", ["sale_request_doc_example", "sale_request_real_production", "sale_request_real_2"]
)
def test_sales(name):
    theirs = data(name)
    call = request.build(asked("sale", theirs))
    assert (call.verb, call.path, call.access) == ("POST", "/ecr/v1/transactions:sale", "bearer")
    ours = {**theirs, "terminalId": str(theirs["terminalId"]), "currencyCode": str(theirs["currencyCode"])}
    assert call.body == {"preauth": False, "maxInstalments": 0, **ours}


def test_sale_of_another_addon():
    theirs = data("sale_request_odoo17")
    named = {"session": "00001-001-0001 - 0b7c7fd0-2c5a-4d63-8a52-06f3d1a4c2b1", "register": "Marie"}
    with pytest.raises(ProtocolError) as caught:
        request.build(asked("sale", theirs, **named))
    assert caught.value.code == "amount"
    whole = asked("sale", theirs, **named, amount=1999, customer_text="")
    assert request.build(whole).body["amount"] == 1999


def test_optional_fields():
    theirs = data("sale_optional_fields_seen")
    fiscal = tuple((name, theirs[name]) for name in sorted(request.FISCAL))
    wishes = {"show_result": True, "show_receipt": True, "first_method": "CardPresent", "callback": "finish"}
    ours = asked("sale", data("sale_request_real_production"), **wishes, skip_surcharge=False, fiscal=fiscal)
    body = request.build(replace(ours, application=("Odoo", "19.0", "Servipay"))).body
    # fiscalisationData and preloaded payments are not sent
    others = {"fiscalisationData", "aadePreloaded", "aadePreloadedDuration", "saleToAcquirerData"}
    assert {name: body[name] for name in theirs if name not in others} == {
        name: value for name, value in theirs.items() if name not in others
    }
    assert set(theirs) - set(body) == others - {"saleToAcquirerData"}


def test_isv_is_not_spoken():
    theirs = data("sale_isv_request")
    assert "isvDetails" in theirs and "isvDetails" not in request.build(asked("sale", theirs)).body


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("refund_request", {"reference": "refund"}),
        (
            "refund_request_greek",
            {"session": "new-session", "terminal": "16000010", "parent": "old-session", "instalments": 0},
        ),
    ],
)
def test_refunds(name, changes):
    theirs = data(name)
    ours = asked("refund", theirs, **changes)
    call = request.build(ours)
    assert call.path == "/ecr/v1/transactions:refund"
    expected = {key: getattr(ours, name) for key, name in ATTRIBUTES.items() if key in theirs}
    expected.pop("maxInstalments", None)  # not of a refund
    assert call.body == {**expected, "merchantReference": ours.reference}


# -- answers to requests


def test_empty_200_is_queued_and_not_paid():
    sample = data("sale_response_headers_empty_body")
    found = post.classify_post(sample["status"], sample["headers"], sample["body"])
    assert (found.state, found.kind, found.reason) == ("pending", "queued", "queued")
    assert found.answer.correlation == "23-112-DAE62C014221"
    assert session.classify_session(sample["status"], sample["body"]).state is None


def test_validation():
    found = post.classify_post(422, {}, raw(data("sale_validation_error_detail")))
    assert (found.state, found.kind, found.reason) == ("failed", "refused", "invalid_request")
    assert found.answer.problems == (answer.Problem("terminalId", "missing", "Field required"),)
    assert found.answer.detail == "terminalId: Field required"
    assert "Mitchell" not in repr(found)


def test_conflicts():
    theirs = data("conflict_messages_from_a_client_test")
    sale = post.classify_post(409, {"X-Viva-EventId": "1201"}, raw(theirs["sale_409"]))
    assert (sale.state, sale.kind) == ("pending", "known")
    refund = post.classify_post(404, {"X-Viva-EventId": "1203"}, raw(theirs["refund_404"]))
    assert (refund.state, refund.reason) == ("failed", "parent_not_found")
    assert refund.answer.detail == theirs["refund_404"]["Message"]
    busy = post.classify_post(503, {}, raw(theirs["503"]))
    assert (busy.state, busy.kind, busy.answer.detail) == ("unknown", "busy", "temporary overload")
    assert post.classify_abort(403, {}, raw(theirs["abort_403"])).reason == "other_register"
    assert post.classify_abort(409, {}, raw(theirs["abort_409"])).state == "cancelling"
    assert session.classify_session(404, raw(theirs["session_404"])).reason == "session_not_found"
    assert set(theirs) == {"sale_409", "abort_403", "abort_409", "session_404", "refund_404", "503"}


# -- sessions


def test_session_pending():
    assert session.classify_session(202, raw(data("session_pending"))).state == "pending"
    assert session.classify_session(200, raw(data("session_pending"))).state == "pending"


def test_session_success():
    told = data("session_success_constructed")
    ours = verdict.Asked("sale", told["sessionId"], told["terminalId"], "POS-1", 200, "978")
    found = verdict.conclude(ours, 200, raw(told))
    assert (found.state, found.reason, found.mismatches) == ("approved", "", ())
    kept = receipt.values(found.session)
    assert kept == {
        **{"external_ref": told["transactionId"], "approved_minor": 200, "tip_minor": None},
        **{"surcharge_minor": None, "authorization_code": "123456", "card_brand": "MASTERCARD"},
        **{"card_type": "Debit", "masked_pan": "537489******1234", "entry_mode": "contactless"},
        **{"verification": "CONTACTLESS - NO CVM", "rrn": "123456789012", "stan": "123456"},
        **{"aid": "A0000000041010", "tid": "16008507", "order_code": "4304117763008507"},
        **{"short_order_code": "4304117763", "transaction_datetime": "2024-01-01T10:00:00.000+02:00"},
        **{"decline_code": "", "decline_message": ""},
    }


@pytest.mark.parametrize(
    "name",
    [
        "retrieve_transaction_isv",
        "legacy_transactions_by_ordercode_empty",
        "legacy_refund_failed",
        "legacy_refund_disabled",
    ],
)
def test_answers_of_other_apis_are_no_result(name):
    """Their Success is another word, and none of them is a session."""
    found = session.classify_session(200, raw(data(name)))
    assert (found.state, found.reason) == ("pending", "no_result")
    told = data("session_success_constructed")
    ours = verdict.Asked("sale", told["sessionId"], told["terminalId"], "POS-1", 229, "978")
    assert verdict.conclude(ours, 200, raw(data(name))).state != "approved"


def test_header_of_another_api():
    found = answer.read(200, data("retrieve_transaction_headers"), b"")
    assert (found.event, found.correlation) == (0, "23-087-D2FC71D8")


# -- devices and webhooks


def test_devices():
    found = devices.read_devices(200, {}, raw(data("devices_search_response_isv")))
    assert found.reason == "" and found.unreadable == 0
    assert found.devices == (
        devices.Device("16000010", "live", "543679", "vt1", "m1"),
        devices.Device("16000011", "warehouse", "543680", "vt2", "m1"),
    )
    assert [device.is_live for device in found.devices] == [True, False]


def test_webhook_key():
    sample, call = data("webhook_key_request"), request.webhook_key()
    assert (call.verb, DEMO.address(call)) == (sample["method"], sample["url"])
    assert call.access == "merchant"
    key = verification.read_webhook_key(200, {}, raw({"Key": "B3248222FDCD7885AEAFE51CC1B5607F00903F6D"})).key
    assert list(sample["response"]) == ["Key"]
    assert json.loads(verification.verification_body(key)) == {
        **data("webhook_verification_response"),
        "Key": key,
    }


def test_envelope():
    theirs = data("webhook_envelope")
    found = webhook.parse_webhook(raw(theirs))
    assert (found.kind, found.type_id, found.key) == ("payment", 1796, f"1796:{theirs['MessageId']}")
    assert (found.created, found.correlation, found.retries) == (
        theirs["Created"],
        theirs["CorrelationId"],
        0,
    )
    assert found.is_foreign and found.amount is None


def test_payment_of_the_web_shop():
    found = webhook.parse_webhook({**data("webhook_envelope"), **data("webhook_1796_doc_example")})
    assert (found.kind, found.is_foreign, found.session) == ("payment", True, "")
    assert (found.amount, found.tip, found.currency, found.terminal) == (1000, 0, "978", "90000000")
    assert (found.order_code, found.masked_pan, found.status) == ("2271655739472609", "414746******0133", "F")
    assert found.reference.startswith("Short description")


def test_all_members_of_a_transaction_at_once():
    """None of them makes the parser stumble, whatever type it has."""
    for value in (None, "x", 5, 1.5, True, [], {}):
        told = dict.fromkeys(data("webhook_1796_eventdata_fields"), value)
        found = webhook.parse_webhook({**data("webhook_envelope"), "EventData": told})
        assert (found.kind, found.is_foreign) == ("payment", True)


def test_session_by_webhook():
    theirs = data("webhook_1802_doc_example")
    found = webhook.parse_webhook(raw(theirs))
    assert (found.kind, found.session) == ("session_ok", "8a94263e-397a-4fed-801b-81c0fb1fb3d7")
    assert (found.amount, found.tip, found.currency, found.terminal) == (200, 0, "978", "16008507")
    assert (found.success, found.event_id, found.order_code) == (True, 0, "4304117763008507")
    assert found.transaction == "9e30ea9c-b478-4a04-8e2b-a49a40172dac"
    assert found.merchant == "df60929f-2da7-4ef6-a524-06086da89899"
    assert found.key.startswith("1802:sha256-") and found.doubtful == ()
