"""An hour's messages in seconds while their provider hangs, and the processes die in the middle of it.

Threads stay bounded, the server answers throughout, and every message is applied in the end, once: what only
a message knows (a second transaction that was paid) is not lost.
"""

import concurrent.futures
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest
from conftest import context_of_run
from slots import until

from tools import servers, shopfloor
from tools.running import RunningSuite

TERMINAL = "16000010"
MESSAGES, SECONDS = 300, 6
AT_ONCE = 12  # connections of the sender; more would fill the listening queue of two workers by themselves
OPERATIONS = 40  # that the messages are about
MOST_THREADS = 60  # of a process: its own, those that ask (16), a request's
DONE = ("processed", "duplicate")
COPY = """
INSERT INTO servipay_operation SELECT (jsonb_populate_record(o, jsonb_build_object(
    'id', nextval('servipay_operation_id_seq'), 'idempotency_key', gen_random_uuid(),
    'name', o.name || '-' || n, 'viva_session', gen_random_uuid(), 'external_ref', NULL))).*
FROM servipay_operation o, generate_series(2, {count}) n WHERE o.idempotency_key = '{key}'
"""


@pytest.fixture
def flooded():
    """The suite, prefork with two workers, and a Viva.com terminal's till."""
    context = context_of_run()
    with RunningSuite(context, "flood", workers=2) as running:
        yield running
    context.close()


class Probe(threading.Thread):
    """Asks for /web/health and counts threads, until it is stopped."""

    def __init__(self, suite):
        super().__init__(daemon=True)
        self.suite, self.over = suite, threading.Event()
        self.failures, self.probes, self.threads = [], 0, 0

    def run(self):
        """Ask five times a second."""
        while not self.over.wait(0.2):
            self.probes += 1
            try:
                with urllib.request.urlopen(f"{self.suite.url}/web/health", timeout=20) as answer:
                    answer.read()
            except OSError as error:
                self.failures.append(str(error))
            http, evented = self.suite.server.worker_pids()
            self.threads = max([self.threads, *(threads_of(pid) for pid in (*http, *evented))])


def threads_of(pid):
    """Return how many threads a process has; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(status.partition("Threads:")[2].split()[0])


class Flood:
    """A declined payment and many like it, and messages about them."""

    def __init__(self, suite):
        self.suite = suite
        self.viva = shopfloor.Platform(suite, "pos_viva_wallet")
        [method] = suite.sql(
            "SELECT id, viva_wallet_webhook_token, company_id FROM pos_payment_method"
            " WHERE use_payment_terminal = 'viva_wallet' ORDER BY id LIMIT 1"
        )
        self.method, token, company = method
        self.address = "/pos_viva_wallet/notification?" + urllib.parse.urlencode(
            {"company_id": company, "token": token}
        )

    def decline(self):
        """Let one payment be declined; returns the sessions of it and of its copies."""
        user, config = self.suite.user("manager"), self.config()
        user.call("pos.config", "open_ui", [config])
        query = f"SELECT id, state FROM pos_session WHERE config_id = {config} AND state != 'closed'"
        session, state = self.suite.sql(query)[0]
        if state == "opening_control":
            user.call("pos.session", "set_opening_control", [int(session)], 0, "")
        key = str(uuid.uuid4())
        till = shopfloor.Till(user, 1, int(session), int(self.method), "")
        self.viva.call("script", outcome="declined", terminal=TERMINAL)
        till.start(key, 12.5)
        until(lambda: self.operation(key)[0] == "declined", "the refusal")
        self.suite.sql(COPY.format(count=OPERATIONS, key=key))
        rows = self.suite.sql("SELECT viva_session FROM servipay_operation WHERE viva_session IS NOT NULL")
        own = self.operation(key)[1]
        return own, [row[0] for row in rows]

    def config(self):
        """Return the id of a till that has the method."""
        table = "pos_config_pos_payment_method_rel"
        query = f"SELECT pos_config_id FROM {table} WHERE pos_payment_method_id = {self.method}"
        return int(self.suite.sql(query)[0][0])

    def operation(self, key):
        """Return (state, session)."""
        query = f"SELECT state, viva_session FROM servipay_operation WHERE idempotency_key = '{key}'"
        return (self.suite.sql(query) or [("", "")])[0]

    def push(self, number, session):
        """POST one message about a transaction that its session does not know; returns the status."""
        told = {"MerchantTrns": f"{session}/1", "TransactionId": str(uuid.uuid4()), "Amount": 12.5}
        told.update(CurrencyCode="978", StatusId="F", TerminalId=int(TERMINAL), Email="anna@example.com")
        body = {"EventTypeId": 1796, "MessageId": f"flood-{number}", "EventData": told}
        request = urllib.request.Request(
            self.suite.url + self.address, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        for _try in range(5):  # as Viva.com does, until it is acknowledged
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return answer.status
            except OSError:
                time.sleep(0.5)
        return 0

    def pour(self, sessions):
        """POST the messages in SECONDS; returns how many were acknowledged."""
        began, statuses = time.monotonic(), []
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for number in range(MESSAGES):
                time.sleep(max(0, began + number * SECONDS / MESSAGES - time.monotonic()))
                statuses.append(pool.submit(self.push, number, sessions[number % len(sessions)]))
        return [status.result() for status in statuses].count(200)

    def states(self):
        """Return {state: number} of the inbox."""
        query = "SELECT state, count(*) FROM servipay_notification WHERE provider = 'viva' GROUP BY state"
        return {state: int(count) for state, count in self.suite.sql(query)}

    def apply(self):
        """Put the clock forward and run the job; tells whether every message is done."""
        self.suite.sql(
            "UPDATE servipay_notification SET next_attempt_at = now() AT TIME ZONE 'UTC'"
            " WHERE state IN ('received', 'failed')"
        )
        [[cron]] = self.suite.sql(
            "SELECT res_id FROM ir_model_data WHERE name = 'cron_notifications'"
            " AND module = 'paypercloud_servipay'"
        )
        self.suite.user("admin").call("ir.cron", "method_direct_trigger", [int(cron)])
        time.sleep(3)
        return set(self.states()) <= set(DONE)


def test_flood_of_messages_while_the_provider_hangs(flooded, report):
    """300 in six seconds; then kill -9 of everything that was asking; then Viva.com is back."""
    flood = Flood(flooded)
    own, sessions = flood.decline()
    flood.viva.call("fault", endpoint="session", name="silence", times=5000)
    probe = Probe(flooded)
    probe.start()
    acknowledged = flood.pour(sessions)
    time.sleep(SECONDS)
    states = flood.states()
    probe.over.set()
    probe.join(20)
    report(
        f"{MESSAGES} messages in {SECONDS} s while Viva.com hangs: at most {probe.threads} threads a process,"
        f" {len(probe.failures)} of {probe.probes} health probes refused, afterwards {states}"
    )
    assert acknowledged == MESSAGES and sum(states.values()) == MESSAGES
    assert not probe.failures, probe.failures[:3]
    assert probe.threads <= MOST_THREADS
    assert not set(states) & set(DONE), "nobody has answered yet"

    for pid in (one for pids in flooded.server.worker_pids() for one in pids):
        os.kill(pid, signal.SIGKILL)
    flood.viva.call("clear_faults")
    until(lambda: servers.healthy(flooded.server.http_port), "the server answers again", 60)
    until(flood.apply, "every message is applied", 120)
    assert sum(flood.states().values()) == MESSAGES
    [[contradicted]] = flooded.sql(
        f"SELECT contradicted FROM servipay_operation WHERE viva_session = '{own}'"
    )
    assert contradicted == "t"
    [[leaks]] = flooded.sql("SELECT count(*) FROM servipay_notification WHERE raw_body LIKE '%anna%'")
    assert leaks == "0"
