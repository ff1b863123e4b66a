"""Webhooks: what leads back to a session of ours, what does not, and that neither can do any harm."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viva import verdict, webhook, words
from viva.errors import ProtocolError
from viva.verdict import Asked, Mismatch, Verdict
from viva.webhook import Event, dump, load, parse_webhook

ID = "8a94263e-397a-4fed-801b-81c0fb1fb3d7"
PAYMENT = "9e30ea9c-b478-4a04-8e2b-a49a40172dac"
DATA = {
    **{"Amount": 12.34, "TipAmount": 0.0, "CurrencyCode": "978", "TerminalId": 16008507, "ParentId": None},
    **{"MerchantTrns": f"{ID}/7", "TransactionId": PAYMENT, "OrderCode": 4304117763008507, "StatusId": "F"},
    **{"MerchantId": "df60929f", "CardNumber": "414746XXXXXX0133", "FullName": None},
}
SESSION = {
    **{"SessionId": ID, "TerminalId": "16008507", "Amount": 1234, "TipAmount": 34, "CurrencyCode": "978"},
    **{"Success": False, "EventId": 1006, "TransactionId": PAYMENT, "MerchantId": "df60929f"},
    **{"OrderCode": "0", "MerchantReference": f"{ID}/7", "PrimaryAccountNumberMasked": "414746******0133"},
}
ENVELOPE = {
    **{"Url": "https://x", "Created": "2026-05-12T07:39:28.8496795Z", "CorrelationId": "21-245-DB33F8C9"},
    **{
        "EventTypeId": 1796,
        "Delay": None,
        "RetryCount": 2,
        "RetryDelayInSeconds": 3600,
        "MessageTypeId": 512,
    },
    **{"MessageId": "e8b09fc2-d4a4-43fc-8251-acd87ad04d96", "RecipientId": "bdf4c6b3"},
}


def message(event_type=1796, data=DATA, without=(), **changes):
    found = {**ENVELOPE, "EventTypeId": event_type, "EventData": data, **changes}
    return {name: value for name, value in found.items() if name not in without}


def raw(document):
    return json.dumps(document).encode()


def parsed(event_type=1796, **changes):
    """The Event of a transaction's message with other members."""
    return parse_webhook(raw(message(event_type, {**DATA, **changes})))


# -- transactions


def test_payment():
    found = parse_webhook(raw(message()))
    assert found == Event(
        **{"kind": "payment", "type_id": 1796, "key": "1796:e8b09fc2-d4a4-43fc-8251-acd87ad04d96"},
        **{"session": ID, "pos_session": 7, "reference": f"{ID}/7", "transaction": PAYMENT},
        **{"terminal": "16008507", "merchant": "df60929f", "order_code": "4304117763008507"},
        **{"amount": 1234, "tip": 0, "currency": "978", "status": "F", "masked_pan": "414746******0133"},
        **{"created": "2026-05-12T07:39:28.8496795Z", "correlation": "21-245-DB33F8C9", "retries": 2},
    )
    assert found.is_foreign is False
    for same in (json.dumps(message()), message(), bytearray(raw(message()))):
        assert parse_webhook(same) == found


@pytest.mark.parametrize(("number", "kind"), [(1796, "payment"), (1797, "reversal"), (1798, "failed")])
def test_kinds(number, kind):
    found = parsed(number, ParentId=PAYMENT)
    assert (found.kind, found.type_id, found.parent, found.amount) == (kind, number, PAYMENT, 1234)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [(42.0, "978", 4200), (10, "978", 1000), (0.29, "978", 29), (1.1, "978", 110), (19.99, "978", 1999)]
    + [(500, "392", 500), (500.0, "392", 500), (1.234, "048", 1234), (-9, "826", -900), (1e2, "978", 10000)]
    + [(4.2, 978, 420), (0, "978", 0)],
)
def test_major_units(amount, currency, minor):
    found = parsed(Amount=amount, TipAmount=amount, CurrencyCode=currency)
    assert (found.amount, found.tip, found.doubtful) == (minor, minor, ())


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"Amount": 12.345}, ("Amount",)),
        ({"Amount": "12.34"}, ("Amount",)),
        ({"Amount": True}, ("Amount",)),
        ({"Amount": [1]}, ("Amount",)),
        ({"Amount": 1e15}, ("Amount",)),
        ({"TipAmount": "0"}, ("TipAmount",)),
        ({"CurrencyCode": "EUR"}, ("Amount", "TipAmount", "CurrencyCode")),
        ({"CurrencyCode": None}, ("Amount", "TipAmount")),
        ({"CurrencyCode": [], "Amount": None, "TipAmount": None}, ("CurrencyCode",)),
        ({"Amount": None, "TipAmount": None}, ()),
    ],
    ids=repr,
)
def test_amounts_that_cannot_be_read(changes, lost):
    found = parsed(**changes)
    assert found.doubtful == lost
    assert (found.amount is None) is ("Amount" in lost or changes.get("Amount", 1) is None)
    assert found.session == ID, "it is looked up all the same"


@pytest.mark.parametrize(
    ("decimals", "amount"), [(2, 1234), (3, 12340), (1, None), (5, None), (True, None), ("2", None)]
)
def test_decimals_of_the_caller(decimals, amount):
    told = {**DATA, "CurrencyCode": None}
    assert parse_webhook(message(data=told), decimals).amount == amount
    assert parse_webhook(message(data={**told, "CurrencyCode": ""}), decimals).amount == amount
    assert parse_webhook(message(data={**told, "CurrencyCode": "EUR"}), decimals).amount is None
    assert parse_webhook(message(), decimals).amount == 1234, "the message knows better"


@pytest.mark.parametrize("decimals", range(5))
def test_all_decimals_that_currencies_have(decimals):
    told = {**DATA, "CurrencyCode": None, "Amount": 12}
    assert parse_webhook(message(data=told), decimals).amount == 12 * 10**decimals


@pytest.mark.parametrize(
    "reference",
    [
        "Order 4711",
        "4/11929730/1K Live Emisys",
        "S00042/7",
        None,
        "",
        5,
        [],
        {"a": 1},
        "/",
        "x" * 5000,
        "\ud800",
    ],
)
def test_payments_of_others(reference):
    found = parsed(MerchantTrns=reference)
    assert (found.kind, found.session, found.pos_session, found.is_foreign) == ("payment", "", None, True)
    assert len(found.reference) <= 200


def test_ids_of_any_type():
    found = parsed(TerminalId="16008507", OrderCode="4304", TransactionId=5, MerchantId=None, StatusId=5)
    assert (found.terminal, found.order_code, found.transaction, found.merchant) == (
        "16008507",
        "4304",
        "5",
        "",
    )
    assert found.status == ""
    assert parsed(TerminalId=1.5, CardNumber="4111111111111111").masked_pan == ""
    assert "41111111" not in repr(parsed(CardNumber="4111111111111111"))


# -- sessions


@pytest.mark.parametrize(("number", "kind"), [(1802, "session_ok"), (1803, "session_failed")])
def test_sessions(number, kind):
    found = parse_webhook(raw(message(number, SESSION)))
    assert (found.kind, found.session, found.pos_session, found.is_foreign) == (kind, ID, None, False)
    assert (found.amount, found.tip, found.currency) == (1234, 34, "978"), "minor units"
    assert (found.success, found.event_id, found.transaction) == (False, 1006, PAYMENT)
    assert (found.terminal, found.merchant, found.order_code) == ("16008507", "df60929f", "")
    assert (found.reference, found.masked_pan, found.doubtful) == (f"{ID}/7", "414746******0133", ())


def test_sessions_that_say_little():
    found = parse_webhook(raw(message(1803, {"Amount": 12.5, "": 1, "Success": "no"})))
    assert (found.session, found.is_foreign, found.amount, found.success) == ("", True, None, None)
    assert set(found.doubtful) == {"amount", "success"}


# -- everything else


@pytest.mark.parametrize(
    "number", [768, 1799, 2054, 4865, 8448, 0, -1, None, "1796", 1796.0, True, 10**9, [], {}]
)
def test_other_types(number):
    found = parse_webhook(raw(message(number)))
    assert (found.kind, found.session, found.amount, found.transaction) == ("ignorable", "", None, "")
    assert found.type_id == (number if type(number) is int and 0 <= number < 10**9 else None)
    assert found.created and found.key.endswith(ENVELOPE["MessageId"])


@pytest.mark.parametrize("data", [None, [], "x", 5, True, [DATA]])
@pytest.mark.parametrize("number", [1796, 1802])
def test_without_data(number, data):
    assert parse_webhook(raw(message(number, data))).kind == "ignorable"
    assert parse_webhook(raw(message(number, without=["EventData"]))).kind == "ignorable"


def test_empty():
    found = parse_webhook(b"{}")
    assert (found.kind, found.type_id, found.retries, found.created) == ("ignorable", None, 0, "")
    assert found.key.startswith("0:sha256-")
    assert parse_webhook(message(data={})).kind == "payment"


def test_retries():
    assert [parse_webhook(message(RetryCount=count)).retries for count in (0, 1, 23)] == [0, 1, 23]


@pytest.mark.parametrize("count", [-1, True, "2", None, 10**6, 1.5])
def test_retries_that_are_none(count):
    assert parse_webhook(message(RetryCount=count)).retries == 0


# -- the same message once


def test_key_is_that_of_the_message():
    first = parse_webhook(raw(message()))
    again = parse_webhook(raw(message(RetryCount=3, Delay=1, Created="later", data={**DATA, "Amount": 1})))
    assert first.key == again.key
    assert parse_webhook(raw(message(1797))).key != first.key, "no type stands in another one's way"
    assert parse_webhook(raw(message(MessageId="other"))).key == "1796:other"
    assert parse_webhook(raw(message("x"))).key == "0:" + ENVELOPE["MessageId"]


@pytest.mark.parametrize("number", [None, "", "x" * 65, "a\nb", [], 1.5, True])
def test_key_without_number(number):
    told = message(MessageId=number)
    found = parse_webhook(raw(told))
    assert found.key.startswith("1796:sha256-") and len(found.key) == 5 + 7 + 64
    again = {name: told[name] for name in reversed(told)}
    assert (
        parse_webhook(raw({**again, "RetryCount": 9, "Delay": 5, "RetryDelayInSeconds": 1})).key == found.key
    )
    assert parse_webhook(told).key == found.key, "parsed by whomever"
    for change in ({"Created": "later"}, {"EventData": {**DATA, "Amount": 12.35}}):
        assert parse_webhook(raw({**told, **change})).key != found.key


# -- what is refused

NO_MESSAGE = [
    *(b"", b"[]", b"5", b"null", b"{", b'"x"', b"<html>", b"\xff", b'{"a": NaN}', b'{"a": 1, "a": 2}'),
    *(b'{"a": ' + b"9" * 41 + b"}", b'{"a":' * 33 + b"1" + b"}" * 33, b"[" * 60000, None, 5, [], (ENVELOPE,)),
    *(b'{"a": "' + b"x" * webhook.MAX_BYTES + b'"}', {"a": float("nan")}, {5: 1}, {"a": 10**40}, {"a": {1}}),
    b'{"a": 1e99999999999999999999}',
]


@pytest.mark.parametrize("payload", NO_MESSAGE, ids=lambda payload: repr(payload)[:20])
def test_no_message(payload):
    with pytest.raises(ProtocolError) as caught:
        parse_webhook(payload)
    assert caught.value.code == "unreadable"


def test_longest_message():
    padding = b" " * (webhook.MAX_BYTES - len(raw(message())))
    assert parse_webhook(raw(message()) + padding).session == ID
    with pytest.raises(ProtocolError):
        parse_webhook(raw(message()) + padding + b" ")


@pytest.mark.parametrize("literal", ["1e999999999", "-1e999999999", "1e-999999999", "0e999999", "1.0E+30"])
def test_numbers_without_end(literal):
    """They are JSON, so they are read; nobody multiplies them out."""
    for member in ("Amount", "TipAmount", "OrderCode", "TerminalId", "CurrencyCode"):
        text = json.dumps(message(MessageId=None, data={**DATA, member: "HERE"})).replace('"HERE"', literal)
        found = parse_webhook(text)
        assert found.kind == "payment" and found.key


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
NAMES = st.sampled_from(sorted({*DATA, *SESSION}))
TYPES = st.sampled_from([1796, 1797, 1798, 1802, 1803, 1799]) | ANYTHING


@settings(max_examples=150)
@given(TYPES, ANYTHING | st.dictionaries(NAMES, ANYTHING, max_size=8), ANYTHING)
def test_any_json_is_an_event_or_refused(number, data, identity):
    document = {
        **message(number, data),
        "MessageId": identity,
        "Created": identity,
        "CorrelationId": identity,
    }
    for payload in (document, json.dumps(document), json.dumps(data)):
        try:
            found = parse_webhook(payload)
        except ProtocolError as error:
            assert error.code == "unreadable"
            continue
        assert found.kind in (*webhook.KINDS.values(), "ignorable") and 0 < len(found.key) <= 100
        assert found.amount is None or type(found.amount) is int
        assert found.key.isprintable() and found.session.isprintable() and found.terminal.isprintable()


@given(st.binary())
def test_any_bytes(data):
    try:
        kind = parse_webhook(data).kind
    except ProtocolError:
        kind = "ignorable"
    assert kind == "ignorable"


# -- reversals

OURS = Asked("sale", ID, "16008507", "POS-1", 1234, "978")


def reversal(**changes):
    return replace(parsed(1797, ParentId=PAYMENT, TransactionId="reversal-1"), **changes)


def concluded(event, **more):
    found = verdict.conclude_reversal(OURS, PAYMENT, event, **more)
    assert not found.reason or found.reason in words.SENTENCES
    return found


def test_card_was_pulled_out_too_early():
    assert concluded(reversal()) == Verdict("reversed", "reversed")
    assert concluded(reversal(amount=-1234)).state == "reversed"
    assert concluded(reversal(session="", pos_session=None)).state == "reversed"
    assert concluded(reversal(amount=1300)).state == "reversed", "the tip with it"
    assert concluded(reversal(terminal="")).state == "reversed"
    assert concluded(reversal(terminal="016008507")).state == "reversed"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (parsed(1796, ParentId=PAYMENT), "other_transaction"),
        (parsed(1798, ParentId=PAYMENT), "other_transaction"),
        (reversal(parent="other"), "other_transaction"),
        (reversal(parent=""), "other_transaction"),
        (reversal(session="another-session-1"), "own_refund"),
        (reversal(transaction="refund-1"), "own_refund"),
        (reversal(amount=1233), "reversal_partial"),
        (reversal(amount=None), "reversal_partial"),
        (reversal(currency="840"), "reversal_partial"),
        (reversal(currency=""), "reversal_partial"),
        (reversal(terminal="1"), "reversal_partial"),
    ],
)
def test_not_reversed(event, reason):
    found = concluded(event, own_refunds=["refund-0", "refund-1"])
    assert (found.state, found.reason) == (None, reason)
    assert bool(found.mismatches) is (reason == "reversal_partial")


def test_differences_of_a_reversal():
    found = concluded(reversal(amount=None, currency="", terminal="1")).mismatches
    assert found == (
        Mismatch("terminal", "16008507", "1"),
        Mismatch("currency", "978", ""),
        Mismatch("amount", 1234, ""),
    )
    assert concluded(reversal(amount=-1)).mismatches == (Mismatch("amount", 1234, 1),)


def test_while_a_refund_is_under_way_nobody_knows_whose_it_is():
    assert concluded(reversal(), refund_open=True) == Verdict(None, "reversal_unclear")
    assert (
        concluded(reversal(transaction="refund-1"), own_refunds=("refund-1",), refund_open=True).reason
        == "own_refund"
    )
    assert concluded(reversal(transaction=""), own_refunds=("",)).state == "reversed"


def test_without_a_transaction_nothing_is_reversed():
    for transaction in ("", None):
        found = verdict.conclude_reversal(OURS, transaction, reversal(parent=transaction or ""))
        assert (found.state, found.reason) == (None, "other_transaction")


@pytest.mark.parametrize(("asked", "event"), [(None, reversal()), (OURS, None), (OURS, DATA)])
def test_reversals_that_are_none(asked, event):
    with pytest.raises(ProtocolError):
        verdict.conclude_reversal(asked, PAYMENT, event)


def test_amount_is_exact():
    assert (
        parse_webhook(b'{"EventTypeId":1796,"EventData":{"Amount":0.1e1,"CurrencyCode":"978"}}').amount == 100
    )
    assert (
        parse_webhook(
            {"EventTypeId": 1796, "EventData": {"Amount": Decimal("8.70"), "CurrencyCode": "978"}}
        ).amount
        == 870
    )


# -- what is kept of a message


@pytest.mark.parametrize("kind", [1796, 1797, 1798, 1802, 1803])
def test_what_is_kept_reads_the_same_and_names_nobody(kind):
    data = {
        "MerchantTrns": "anna@example.com",
        "TransactionId": "t-1",
        "ParentId": "t-0",
        "Amount": "much",
        "CurrencyCode": "978",
        "SessionId": "S1",
        "Success": True,
        "Email": "anna@example.com",
        "FullName": "Anna",
        "CardToken": "token-1",
        "CardNumber": "4111111111111111",
        "PrimaryAccountNumberMasked": "411111******1111",
    }
    event = parse_webhook({"EventTypeId": kind, "MessageId": "m", "EventData": data})
    kept = dump(event)
    for personal in ("anna", "Anna", "token-1", "4111"):
        assert personal not in kept
    assert load(kept) == replace(event, reference="", masked_pan="")


def test_what_is_kept_of_nothing():
    event = parse_webhook({})
    assert load(dump(event)) == event


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"kind": "payment"}', '{"kind": "", "key": "", "other": 1}']
)
def test_no_event_that_was_kept(text):
    with pytest.raises(ProtocolError):
        load(text)
