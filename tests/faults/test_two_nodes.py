"""Two prefork servers on one database behind one address: what one began the other goes on with.

Requests go to either in turn, without sticky sessions. A node that is killed by kill -9 takes along the
conversations that it held: the other one is asked about them, cancels them, and its jobs settle them.
"""

import json
import os
import random
import signal
import threading

import pytest
import websocket
from conftest import KILLS, context_of_run
from matrix import PLACES, Matrix
from matrix_shop import Shop, simulator_arguments
from report import sums
from slots import FAILURES, until
from slots_pos import CaisseAp, PayperCloud, TillSlot, Viva
from troubles import TROUBLES, Killed, together

from tools.running import RunningSuite

NODE_KILLED = "node killed"
ROUNDS = max(1, KILLS // 100)
BUS_SECONDS = 60


@pytest.fixture(scope="module")
def suite():
    """Two nodes, two workers and an evented process each, no scheduled jobs of their own accord."""
    context = context_of_run()
    with RunningSuite(
        context, "twonodes", workers=2, nodes=2, simulator_arguments=simulator_arguments()
    ) as running:
        yield running
    context.close()


@pytest.fixture(scope="module")
def shop(suite):
    """The matrix' shop."""
    found = Shop(suite)
    try:
        yield found.open()
    finally:
        found.close()


@pytest.fixture
def nodes(suite, shop):
    """Both nodes, alive; afterwards everybody speaks with the address before both again."""
    revive(suite)
    yield suite.nodes
    shop.go_to(suite.url)
    revive(suite)


def revive(suite):
    """Start a node that is dead."""
    for node in suite.nodes:
        if node.process is None or not node.process.running:
            node.stop()
            node.start(fresh_log=False)


def slot_of(shop, kind, operation="cancel"):
    """Return a place of the matrix."""
    return next(slot for slot in shop.slots if isinstance(slot, kind) and slot.operation == operation)


class NodeKilled(Killed):
    """kill -9 of a whole node while it speaks with providers; everybody goes on at the other one."""

    name = "held"
    told = None  # a list of (place, state that the other node tells after the kill)

    def play(self):
        """Let everybody act at one of the two."""
        revive(self.suite)
        first, second = self.chance.sample(self.suite.nodes, 2)
        self.victim, self.survivor = first, second
        self.shop.go_to(first.url)
        super().play()

    def strike(self):
        """Kill the node, then ask and cancel at the other one."""
        self.missed = set(self.slots) - set(self.wait(self.is_there, 9))
        os.killpg(self.victim.process.popen.pid, signal.SIGKILL)
        self.victim.process.popen.wait()
        self.shop.go_to(self.survivor.url)
        for slot in self.slots:
            if isinstance(slot, TillSlot):
                [snapshot] = slot.insist(slot.till.states, slot.key)
                NodeKilled.told.append((str(slot), snapshot["state"]))
        together([slot for slot in self.slots if self.chance.random() < 0.7], self._cancel)

    def _cancel(self, slot):
        try:
            slot.wish_cancel()
        except (*FAILURES, KeyError) as error:
            self.errors.append((f"{slot}, cancel", f"{type(error).__name__}: {error}"))

    def settled_down(self):
        """Only the survivor is there to answer."""
        until(lambda: self.shop.admin.get("/web/health")[0] == 200, "the other node answers")


def test_node_is_killed(suite, shop, nodes, seed, report, keep, monkeypatch):
    """Nothing is lost, charged twice or called paid without a charge when a whole node is killed."""
    monkeypatch.setitem(TROUBLES, NODE_KILLED, NodeKilled)
    NodeKilled.told = []
    cells = [(NODE_KILLED, *place) for place in PLACES]
    matrix = Matrix(shop, seed, [set(cells)] * ROUNDS, keep, cells)
    results = [result for cell in cells for result in matrix.result(cell)]
    report(f"A node of two is killed (kill -9): seed {seed}, {len(results)} runs of {len(cells)} cells")
    for line in sums(results):
        report(line)
    assert NodeKilled.told and all(state for _slot, state in NodeKilled.told)
    assert not [result.words() for result in results if result.wrong]


@pytest.mark.parametrize("kind", [CaisseAp, PayperCloud, Viva])
def test_started_here_cancelled_there(shop, nodes, kind, seed):
    """A payment that one node speaks about is seen, cancelled and settled through the other."""
    slot, (here, there) = slot_of(shop, kind), nodes
    shop.new_customers()
    slot.begin(random.Random(f"{seed} {kind.provider}"))
    shop.go_to(here.url)
    slot.insist(slot.till.start, slot.key, slot.amount)
    until(lambda: slot.state == "pending", "the terminal is at work")
    shop.go_to(there.url)
    [snapshot] = slot.till.states(slot.key)
    assert (snapshot["state"], snapshot["key"]) == ("pending", slot.key)
    slot.till.cancel(slot.key)
    slot.recover()
    shop.settle([slot])
    [snapshot] = slot.till.states(slot.key)
    row = slot.row()
    assert snapshot["state"] == row["state"]
    assert row["state"] in ("approved", "cancelled", "declined")
    assert slot.moved(row) == (row["state"] == "approved")
    shop.tidy_up([slot])


def test_one_key_at_both_nodes_at_once(shop, nodes, seed):
    """The same start at both nodes in the same moment is one payment."""
    slot = slot_of(shop, CaisseAp, "sale")
    shop.new_customers()
    slot.begin(random.Random(f"{seed} twice"))
    tills = [(slot.till, node.url) for node in nodes]
    answers = []

    def start(till, url):
        user = type(till.user).__new__(type(till.user))
        user.__dict__.update(till.user.__dict__, url=url)
        call = {"session_id": till.session_id, "method_id": till.method_id, "key": slot.key}
        order = {"uid": "order", "name": "order", "line_uid": "line"}
        answers.append(user.json("/websocket/servipay/pos/start", amount=slot.amount, order=order, **call))

    threads = [threading.Thread(target=start, args=each) for each in tills * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(slot.is_over, "its end")
    assert len({answer["id"] for answer in answers}) == 1 and len(answers) == 6
    assert slot.moved(slot.row()) <= 1
    assert (slot.state == "approved") == (slot.moved(slot.row()) == 1)


def test_news_reach_a_till_at_the_other_node(suite, shop, nodes, seed):
    """A till whose websocket is at one node hears of a payment that the other node settles."""
    slot, (here, there) = slot_of(shop, CaisseAp, "sale"), nodes
    shop.new_customers()
    slot.begin(random.Random(f"{seed} bus"))
    cookie = f"session_id={slot.till.user.session_cookie}"
    address = there.url.replace("http", "ws", 1) + "/websocket"
    bus = websocket.create_connection(address, cookie=cookie, origin=there.url, timeout=BUS_SECONDS)
    try:
        subscription = {"channels": [slot.till.channel], "last": 0}
        bus.send(json.dumps({"event_name": "subscribe", "data": subscription}))
        shop.go_to(here.url)
        slot.insist(slot.till.start, slot.key, slot.amount)
        told = [0]
        while slot.state not in ("approved", "declined", "cancelled") or told[-1] < revision(suite, slot):
            news = [message["message"]["payload"] for message in json.loads(bus.recv())]
            told += [one["revision"] for one in news if isinstance(one, dict) and one.get("key") == slot.key]
    finally:
        bus.close()
    assert told == sorted(told)


def revision(suite, slot):
    """Return which news of a payment are the last."""
    query = f"SELECT revision FROM servipay_operation WHERE idempotency_key = '{slot.key}'"
    return int(suite.sql(query)[0][0])
