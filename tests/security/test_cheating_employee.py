"""Employees who share one log-in (pos_hr): the role is the employee's, and a manager proves himself.

The log-in at the till is a manager's, as in most shops that work so.
"""

import time

import pytest
from cheating import Cheat, at_once, fresh
from test_cheating_till import methods_of, open_session

from tools.running import RpcError

PIN, LIMIT = "4711", 5


@pytest.fixture(scope="module")
def staff(neighbours):
    """{name: id of the employee} of a till whose people are employees; "session" and "methods" beside."""
    admin = neighbours.user("admin")
    [config] = admin.call("pos.config", "search_read", [("name", "=", "Comptoir")], ["name"])
    made = {
        name: employee(admin, name, pin)
        for name, pin in (("Cora", "1111"), ("Mona", PIN), ("Max", False), ("Otto", PIN), ("Mini", "2222"))
    }
    values = {"module_pos_hr": True, "basic_employee_ids": [(6, 0, [made["Cora"]])]}
    values["advanced_employee_ids"] = [(6, 0, [made["Mona"], made["Max"]])]
    if neighbours.context.series == "19.0":
        values["minimal_employee_ids"] = [(6, 0, [made["Mini"]])]
    admin.call("pos.config", "write", [config["id"]], values)
    session = open_session(neighbours, config["id"])
    return {**made, "session": session, "methods": methods_of(neighbours, config["id"])}


def employee(admin, name, pin):
    """Return the id of a new employee."""
    created = admin.call("hr.employee", "create", [{"name": name, "pin": pin}])
    return created[0] if isinstance(created, list) else created


@pytest.fixture
def at_till(neighbours, staff):
    """A function (name, pin, login) that returns who stands at the till."""

    def stand(name, pin=None, login="manager"):
        who = {"employee_id": staff[name], **({"pin": pin} if pin is not None else {})}
        return Cheat(neighbours, login, staff["session"], staff["methods"], who)

    return stand


@pytest.fixture
def unread_minute():
    """Begin early in a minute: what is counted is counted by the minute."""
    time.sleep(max(0, 61 - time.time() % 60) if time.time() % 60 > 30 else 0)


def unknown(who):
    """Return the key of a payment of which nobody knows what became; a terminal may be busy for a moment."""
    for _time in range(20):
        key = who.start("paypercloud", 900.1)
        if who.settled(key) != "failed":
            return key
        time.sleep(1)
    raise AssertionError("the terminal stays busy")


def test_name_is_kept(neighbours, at_till):
    """The employee is who started it, not the log-in."""
    key = at_till("Cora").paid("paypercloud", 12)
    query = f"SELECT pos_employee_name FROM servipay_operation WHERE idempotency_key = '{key}'"
    assert neighbours.sql(query) == [["Cora"]]


def test_employee_does_not_decide(at_till):
    """Neither as herself, nor as nobody, nor as a manager without his PIN, nor with her own one."""
    key = unknown(at_till("Cora"))
    decision = {"key": key, "outcome": "failed", "reason": "I think so"}
    for who in (at_till("Cora"), at_till("Cora", "1111"), at_till("Mona"), at_till("Mona", "1111")):
        who.refused("resolve", **decision)
    nobody = at_till("Cora")
    for employee_id in (None, 0, -1, 10**9, "1", [1]):
        nobody.employee = {"employee_id": employee_id, "pin": PIN}
        nobody.refused("resolve", **decision)
    nobody.employee = None
    nobody.refused("resolve", **decision)


def test_manager_without_a_pin(at_till):
    """An empty PIN is none."""
    key = unknown(at_till("Cora"))
    for pin in (None, "", False, "False", 0):
        at_till("Max", pin).refused("resolve", key=key, outcome="failed", reason="I think so")


def test_employee_of_elsewhere(at_till):
    """Who may not use this point of sale starts nothing and decides nothing."""
    otto = at_till("Otto", PIN)
    otto.refused("start", "paypercloud", 5)
    otto.refused("resolve", key="x" * 20, outcome="failed", reason="I think so")


def test_minimal_access(neighbours, at_till):
    """Odoo 19 lets such an employee sell, not give back."""
    if neighbours.context.series != "19.0":
        pytest.skip("there is no such access")
    cora, mini = at_till("Cora"), at_till("Mini")
    key = mini.paid("paypercloud", 10)
    mini.refused("void", key=key)
    sold = cora.sell(10, ("paypercloud", 10, key))
    for who in (mini, nobody(mini)):
        who.refused("start", "paypercloud", -10, order={"id": cora.refund(sold, 10)})


def nobody(who):
    """Return somebody who does not say who he is."""
    return Cheat(who.suite, "manager", who.session, who.methods)


def test_cashier_makes_nobody_a_manager(neighbours, staff, at_till):
    """Odoo lets whoever sells write the point of sale: who its managers are is not his to say."""
    cora = at_till("Cora", login="cashier")
    [config] = neighbours.user("admin").call("pos.config", "search", [("name", "=", "Comptoir")])
    for values in (
        {"module_pos_hr": False},
        {"advanced_employee_ids": [(4, staff["Cora"])]},
        {"basic_employee_ids": [(4, staff["Otto"])]},
        {"servipay_user_ids": [(6, 0, [1])]},
    ):
        with pytest.raises(RpcError, match="Only a manager|Seul un responsable"):
            cora.user.call("pos.config", "write", [config], values)


def test_refund_without_a_payment_wants_a_manager(at_till, unread_minute):
    """What was paid in cash goes to a card when a manager types his PIN."""
    cora = at_till("Cora")
    sold = cora.sell(20, ("cash", 20, ""))
    order = {"id": cora.refund(sold, 20)}
    cora.refused("start", "paypercloud", -20, order=order)
    at_till("Mona", "0000").refused("start", "paypercloud", -20, order=order)
    mona = at_till("Mona", PIN)
    assert mona.settled(mona.start("paypercloud", -20, order=order)) == "approved"


def test_manager_decides_at_the_cashiers_till(neighbours, at_till, unread_minute):
    """The log-in may be a cashier's: the buttons are there, the PIN decides, and his name stays."""
    cora = at_till("Cora", login="cashier")
    key = unknown(cora)
    [snapshot] = cora.user.call("pos.payment.method", "servipay_state", cora.session, [key])
    assert snapshot["can_resolve"]
    mona = at_till("Mona", PIN, login="cashier")
    assert mona.call("resolve", key=key, outcome="approved", reason="slip")["state"] == "approved"
    query = (
        f"SELECT pos_employee_name, pos_decided_by FROM servipay_operation WHERE idempotency_key = '{key}'"
    )
    assert neighbours.sql(query) == [["Cora", "Mona"]]


def test_pins_are_not_tried_through(neighbours, staff, at_till, unread_minute):
    """Five of a minute, in however many requests at once; then the right one is refused too."""
    key = unknown(at_till("Cora"))

    def guess(number):
        one = at_till("Mona", f"{number:04}")
        one.user = fresh(neighbours, "manager")
        return lambda: one.call("resolve", key=key, outcome="failed", reason="I think so")

    neighbours.sql("DELETE FROM servipay_pin_attempt")
    answers = at_once(*[guess(number) for number in range(12)])
    assert {answer.name for answer in answers} <= {
        "odoo.exceptions.AccessError",
        "odoo.exceptions.UserError",
    }
    assert sum("not the PIN" in answer.message for answer in answers) <= LIMIT
    [(tries,)] = neighbours.sql("SELECT count(*) FROM servipay_pin_attempt")
    assert int(tries) == LIMIT
    at_till("Mona", PIN).refused("resolve", key=key, outcome="failed", reason="I think so")
    neighbours.sql("DELETE FROM servipay_pin_attempt")
    key = unknown(at_till("Cora"))
    assert at_till("Mona", PIN).call("resolve", key=key, outcome="failed", reason="slip")["state"] == "failed"
