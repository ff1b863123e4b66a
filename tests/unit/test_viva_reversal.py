"""A message about a reversal counts when Viva.com says the same of that transaction, and only then."""

import json
from dataclasses import replace

import pytest

from viva import reversal
from viva.errors import ProtocolError
from viva.webhook import Event

PAYMENT = "0c1a2b3d-1111-2222-3333-444455556666"
MADE = "7F3A0000-aaaa-bbbb-cccc-444455556666"
EVENT = Event("reversal", 1797, "1797:m", transaction=MADE, parent=PAYMENT, amount=-1234, currency="978")
ROW = {
    "TransactionId": MADE.lower(),
    "ParentId": PAYMENT.upper(),
    "Amount": 12.34,
    "CurrencyCode": "978",
    "StatusId": "F",
}


def answered(*rows, status=200, event=EVENT):
    body = json.dumps({"Transactions": list(rows), "ErrorCode": 0}).encode()
    return reversal.confirm(event, PAYMENT, status, {}, body)


def test_the_transaction_is_read_by_its_id_with_the_merchants_own_key():
    call = reversal.read_transaction(EVENT)
    assert (call.verb, call.role, call.access) == ("GET", "www", "merchant")
    assert call.path == f"/api/transactions/{MADE}"
    with pytest.raises(ProtocolError):
        reversal.read_transaction(replace(EVENT, transaction=""))


def test_borne_out():
    assert answered(ROW) is True
    assert answered("x", {}, {**ROW, "Amount": -12.34, "CurrencyCode": 978}) is True


@pytest.mark.parametrize(
    "change",
    [
        {"TransactionId": PAYMENT},
        {"ParentId": MADE},
        {"ParentId": None},
        {"Amount": 12.33},
        {"Amount": None},
        {"Amount": "12.34"},
        {"CurrencyCode": "840"},
        {"CurrencyCode": None},
        {"StatusId": "E"},
    ],
)
def test_another_transaction_does_not_bear_it_out(change):
    assert answered({**ROW, **change}) is False


def test_no_such_transaction_or_no_right_to_see_it():
    assert answered() is False
    assert [answered(ROW, status=status) for status in (400, 401, 403, 404)] == [False] * 4
    assert reversal.confirm(EVENT, "", 200, {}, json.dumps({"Transactions": [ROW]})) is False
    assert answered(ROW, event=replace(EVENT, amount=None)) is False


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (503, b"{}"),
        (0, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"Transactions": 1}'),
    ],
)
def test_no_answer_is_no_no(status, body):
    assert reversal.confirm(EVENT, PAYMENT, status, {}, body) is None


def test_no_event():
    with pytest.raises(ProtocolError):
        reversal.confirm({}, PAYMENT, 200, {}, b"")
