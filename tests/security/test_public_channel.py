"""The channel of a till is public, as self-ordering prints its name: what it tells without a log-in."""

import json

import pytest
import websocket
from cheating import Cheat

SECONDS = 30


@pytest.fixture
def stranger(suite, shop):
    """A websocket without a cookie that listens to the till's channel."""
    query = "SELECT access_token FROM pos_config WHERE id = (SELECT config_id FROM pos_session WHERE id = {})"
    [[token]] = suite.sql(query.format(shop.facts["session"]))
    address = suite.url.replace("http", "ws", 1) + "/websocket"
    bus = websocket.create_connection(address, origin=suite.url, timeout=SECONDS)
    bus.send(json.dumps({"event_name": "subscribe", "data": {"channels": [token], "last": 0}}))
    yield bus
    bus.close()


def heard(bus, key, revision):
    """Return what came for a payment until the bus told of a revision."""
    messages = []
    while not any(one["payload"]["revision"] >= revision for one in messages):
        news = [one["message"] for one in json.loads(bus.recv())]
        messages += [one for one in news if key in json.dumps(one)]
    return messages


@pytest.mark.parametrize("provider", ["paypercloud", "caisse_ap", "viva"])
def test_who_is_not_logged_in_hears_a_key_and_a_number(suite, shop, stranger, provider):
    """No amount, card, order or person: the rest is read with the key, by who is logged in."""
    cashier = Cheat(suite, "cashier", shop.facts["session"], shop.facts["methods"])
    key = cashier.paid(provider, 41.37)
    query = f"SELECT revision FROM servipay_operation WHERE idempotency_key = '{key}'"
    messages = heard(stranger, key, int(suite.sql(query)[0][0]))
    assert messages
    for message in messages:
        assert message["type"].endswith("SERVIPAY_OPERATION"), message
        assert message["payload"] == {"key": key, "revision": message["payload"]["revision"]}, message
