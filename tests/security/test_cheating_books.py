"""A cashier who makes the books say what terminals did not do: refused, or told when the session ends."""

import uuid

import pytest
from cheating import ORDER, PAYMENT, REFUSED, Cheat
from test_cheating_till import methods_of, open_session

from tools.running import RpcError

COUNT = "SELECT count(*) FROM {} WHERE {}"


@pytest.fixture
def till(suite, shop):
    """A cashier at a till of his own, which he may close."""
    admin, terminals = suite.user("admin"), list(shop.facts["methods"].values())
    values = {"name": f"Stand {uuid.uuid4().hex[:6]}", "payment_method_ids": [(6, 0, terminals)]}
    created = admin.call("pos.config", "create", [values])
    config = created[0] if isinstance(created, list) else created
    return Cheat(suite, "cashier", open_session(suite, config), methods_of(suite, config))


def denied(work, *arguments):
    """Check that Odoo refuses in words."""
    with pytest.raises(RpcError) as caught:
        work(*arguments)
    assert caught.value.name in REFUSED, caught.value


def test_card_payment_by_hand(till):
    """Without an operation, with another amount, and one operation for two orders."""
    denied(till.sell, 52, ("paypercloud", 52, ""))
    key = till.paid("paypercloud", 1)
    denied(till.sell, 63, ("paypercloud", 63, key))
    key = till.paid("paypercloud", 1)  # the other one stands in the draft that was refused
    till.sell(1, ("paypercloud", 1, key))
    denied(till.sell, 1, ("paypercloud", 1, key))


def test_edited_payment(till):
    """Odoo 19's own form: amount, method, deletion of what a card paid; cash in its place."""
    key = till.paid("paypercloud", 18.5)
    order = till.sell(18.5, ("paypercloud", 18.5, key))
    [payment] = till.user.call(PAYMENT, "search", [("pos_order_id", "=", order)])
    denied(till.user.call, PAYMENT, "unlink", [payment])
    for values in ({"amount": 25}, {"payment_method_id": till.methods["viva"]}, {"pos_order_id": 1}):
        denied(till.user.call, PAYMENT, "write", [payment], values)


def test_draft_with_a_paid_card(till):
    """What a card has paid is not thrown away with its order."""
    key = till.paid("paypercloud", 18.5)
    order = till.order(18.5)
    till.pay(order, "paypercloud", 18.5, key)
    denied(till.user.call, ORDER, "unlink", [order])
    denied(till.user.call, ORDER, "action_pos_order_cancel", [order])


def test_closing_tells(suite, till):
    """Charged and in no order: the session closes, and the shop's people hear of it."""
    till.paid("paypercloud", 41)
    till.user.call("pos.session", "close_session_from_ui", [till.session])
    where = f"kind = 'closing_differs' AND res_model = 'pos.session' AND res_id = {till.session}"
    assert suite.sql(f"SELECT state FROM pos_session WHERE id = {till.session}") == [["closed"]]
    assert suite.sql(COUNT.format("servipay_alert", where)) == [["1"]]


def test_closing_waits_for_the_terminal(suite, shop, till):
    """A customer at the terminal: the session stays open, whoever closes it."""
    shop.simulator("pos_viva_wallet").call("script", outcome="wait")
    key = till.start("viva", 18.5)
    try:
        till.user.call("pos.session", "close_session_from_ui", [till.session])
    except RpcError as error:
        assert error.name in REFUSED, error
    assert suite.sql(f"SELECT state FROM pos_session WHERE id = {till.session}") != [["closed"]]
    till.call("cancel", key=key)
    till.settled(key)
