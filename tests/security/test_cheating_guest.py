"""A guest with the QR code of a table (self-ordering): its token opens the public channel, and no payment."""

import json
import urllib.request
import uuid

import pytest
from cheating import Cheat
from test_cheating_till import methods_of, open_session


@pytest.fixture
def table(neighbours):
    """A point of sale whose guests order by telephone: dict config, token, session, methods."""
    if neighbours.context.series != "19.0":
        pytest.skip("the call is another one")
    admin = neighbours.user("admin")
    [config] = admin.call("pos.config", "search", [("name", "=", "Comptoir")])
    mode = {"self_ordering_mode": "mobile", "self_ordering_service_mode": "counter"}
    admin.call("pos.config", "write", [config], {**mode, "self_ordering_pay_after": "each"})
    session = open_session(neighbours, config)
    [found] = admin.call("pos.config", "read", [config], ["access_token"])
    return {
        "config": config,
        "token": found["access_token"],
        "session": session,
        "methods": methods_of(neighbours, config),
    }


def test_guest_takes_no_payment_of_others(neighbours, table):
    """The channel says an operation's key: a guest's order must not be paid with it."""
    cashier = Cheat(neighbours, "cashier", table["session"], table["methods"])
    key = cashier.paid("paypercloud", 18.5)
    line = {"product_id": cashier.product(), "qty": 1, "price_unit": 18.5, "price_subtotal": 18.5}
    line |= {"price_subtotal_incl": 18.5, "uuid": str(uuid.uuid4())}
    payment = {"amount": 18.5, "payment_method_id": table["methods"]["paypercloud"], "servipay_key": key}
    payment |= {"uuid": str(uuid.uuid4()), "name": "card"}
    order = {
        "uuid": str(uuid.uuid4()),
        "access_token": str(uuid.uuid4()),
        "session_id": table["session"],
        "lines": [(0, 0, line)],
        "payment_ids": [(0, 0, payment)],
        "state": "draft",
        "preset_id": False,
        **{"amount_total": 18.5, "amount_tax": 0, "amount_paid": 18.5, "amount_return": 0},
    }
    answer = post(neighbours, order, table["token"])
    carried = neighbours.sql(
        "SELECT o.source FROM servipay_operation op JOIN pos_payment p ON p.servipay_operation_id = op.id"
        f" JOIN pos_order o ON o.id = p.pos_order_id WHERE op.idempotency_key = '{key}'"
    )
    assert carried == [], answer
    cashier.sell(18.5, ("paypercloud", 18.5, key))


def post(suite, order, token):
    """Send an order as a guest's telephone does, without a log-in; returns the answer."""
    params = {"order": order, "access_token": token, "table_identifier": None}
    body = json.dumps({"jsonrpc": "2.0", "method": "call", "id": 1, "params": params}).encode()
    address = f"{suite.url}/pos-self-order/process-order/mobile/"
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
