# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The PayperCloud simulator over real sockets: what a client sees, and what its books say meanwhile."""

import collections
import datetime
import gzip
import http.client
import importlib.util
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILE = pathlib.Path(__file__).parents[2] / "paypercloud_servipay" / "tests" / "simulator.py"
# by path: the package's own __init__ imports Odoo
_spec = importlib.util.spec_from_file_location("paypercloud_simulator", FILE)
simulator = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulator)

KEY = "sekret-key-4711"
BASIC = {"posId": "POS1", "pid": "T1"}
SALE = {**BASIC, "amount": 1234, "currency": "EUR", "reference": "R1"}
QUERY = "?pos_pid=POS1&tpe_pid=T1"


class Client:
    """A plain HTTP client that follows and hides nothing."""

    def __init__(self, sim, key=KEY):
        self.sim, self.headers = sim, {"Authorization": f"Bearer {key}"}
        self.base = f"{sim.url}/api/v2"

    def call(self, verb, path, body=None, timeout=3, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return requests.request(
            verb,
            self.base + path,
            json=body,
            headers={**self.headers, **names},
            timeout=timeout,
            allow_redirects=False,
        )

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body, **options):
        return self.call("POST", path, body, **options)

    def sale(self, timeout=3, **changes):
        """A purchase; the parsed answer of a successful one."""
        answer = self.post("/operations/purchase", {**SALE, **changes}, timeout=timeout)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def start(self, kind, **values):
        return self.post(f"/operations/{kind}", {**BASIC, **values})

    def status(self, identifier):
        return self.get(f"/operations/{identifier}/status{QUERY}").json()["status"]

    def result(self, identifier):
        return self.get(f"/operations/{identifier}/result{QUERY}")

    def cancel(self, identifier):
        return self.post(f"/operations/{identifier}/cancel", BASIC)

    def outcome(self, amount=1234, **changes):
        """The result of a new purchase that is over at once."""
        return self.result(self.sale(amount=amount, **changes)["operationId"]).json()

    def raw(self, path="/operations/purchase", body=SALE, timeout=3.0):
        """Send one POST; the open socket, nothing read yet."""
        data = json.dumps(body).encode()
        head = (
            f"POST /api/v2{path} HTTP/1.1\r\nHost: {self.sim.host}:{self.sim.port}\r\n"
            f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        connection = socket.create_connection((self.sim.host, self.sim.port), timeout=timeout)
        connection.sendall(head.encode() + data)
        return connection


def read_all(connection):
    """All chunks until the end, as the network delivers them."""
    with connection:
        chunks = iter(lambda: connection.recv(65536), b"")
        return list(chunks)


def ended(connection):
    """Whether a connection is over without an answer; the kernel resets one that was never accepted."""
    try:
        return read_all(connection) == []
    except ConnectionResetError:
        return True


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def until(condition, seconds=2.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


@pytest.fixture
def sim():
    with simulator.Simulator(KEY, ("POS1", "POS2")) as running:
        yield running


@pytest.fixture
def api(sim):
    return Client(sim)


# --- nine endpoints, three spellings --------------------------------------------------------------


def test_import_has_no_side_effect_and_needs_no_odoo():
    program = (
        "import sys, threading, runpy\n"
        f"runpy.run_path({str(FILE)!r}, run_name='simulator')\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "assert not roots & {'odoo', 'api', 'paypercloud_servipay'}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


def test_default_purchase_from_start_to_result(sim, api):
    started = api.post("/operations/purchase", SALE)
    identifier = started.json()["operationId"]
    assert started.status_code == 202
    assert started.json() == {"operationId": identifier, "status": "accepted", "reference": "R1"}
    status = api.get(f"/operations/{identifier}/status{QUERY}").json()
    assert status == {"operationId": identifier, "status": "approved", "reference": "R1"}
    result = api.result(identifier).json()
    expected = {"approved": True, "amount": 1234, "currency": "EUR", "posId": "POS1", "pid": "T1"}
    assert {name: result[name] for name in expected} == expected
    names = (
        "operationId status approved amount currency reference posId pid authorizationCode cardBrand"
        " maskedPan entryMode rrn stan merchantId aid transactionDate merchantReceipt customerReceipt"
        " declineCode declineMessage"
    )
    assert set(result) == set(names.split())
    moment = datetime.datetime.strptime(result["transactionDate"], "%Y-%m-%dT%H:%M:%SZ")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs((moment - now).total_seconds()) < 5
    assert re.fullmatch(r"\d{6}\*+\d{4}", result["maskedPan"])
    assert [charge.amount for charge in sim.charges] == [1234]


def test_default_list_by_day_and_week(api):
    first = api.sale()["operationId"]
    second = api.sale(pid="T2", reference="R2")["operationId"]
    today = datetime.datetime.now(datetime.timezone.utc).date()

    def listed(period, date=None, terminal="", path="/operations"):
        asked = {"period": period, "date": date}
        query = "".join(f"&{name}={value}" for name, value in asked.items() if value)
        answer = api.get(f"{path}?pos_pid=POS1{terminal}{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    document = listed("daily")
    assert (document["period"], document["date"]) == ("daily", str(today))
    row = document["operations"][0]
    assert row.pop("createdAt")[:10] == str(today)
    assert row == {
        "operationId": first,
        "type": "purchase",
        "status": "approved",
        "reference": "R1",
        "amount": 1234,
        "currency": "EUR",
        "pid": "T1",
        "posId": "POS1",
    }
    monday = today - datetime.timedelta(days=today.weekday())
    day = datetime.timedelta(days=1)

    def ids(*args, **options):
        return [row["operationId"] for row in listed(*args, **options)["operations"]]

    assert ids("daily", today, "&tpe_pid=T2") == [second]
    assert listed(None)["period"] == "daily" and ids(None) == [first, second]
    assert ids("daily", today - day) == ids("daily", today + day) == []
    assert ids("weekly", monday) == ids("weekly", monday + 6 * day) == [first, second]
    assert ids("weekly", monday - day) == ids("weekly", monday + 7 * day) == []
    assert ids(None, path="/operations/weekly") == [first, second]


def test_reconciliation_adds_up_what_moved_since_the_last_one(sim, api):
    last = f"/reconciliations/last{QUERY}"
    assert code(api.get(last)) == (404, "no_reconciliation")
    sold = [api.sale(amount=amount, reference=str(amount)) for amount in (1000, 2000, 3000, 500)]
    api.sale(pid="T2", amount=70000)  # another terminal's batch
    sim.script("declined", kind="purchase")
    api.sale(amount=999)
    back = {"amount": 300, "currency": "EUR", "reference": "back"}
    api.start("refund", originalOperationId=sold[1]["operationId"], **back)
    api.start("void", originalOperationId=sold[2]["operationId"])
    before = sim.charges
    started = api.start("reconciliation")
    assert started.status_code == 202
    document = api.result(started.json()["operationId"]).json()
    expected = {}
    for charge in before:
        if charge.terminal_pid == "T1":
            count, amount = expected.get((charge.kind, charge.brand), (0, 0))
            expected[charge.kind, charge.brand] = (count + 1, amount + charge.amount)
    got = {(line["type"], line["brand"]): (line["count"], line["amount"]) for line in document["totals"]}
    assert got == expected
    sums = collections.Counter()
    for (kind, _brand), (_count, amount) in got.items():
        sums[kind] += amount
    assert sums == {"purchase": 6500, "refund": 300, "void": 3000}
    assert {line["currency"] for line in document["totals"]} == {"EUR"}
    assert (document["status"], document["batch"]) == ("completed", "000001")
    assert api.get(last).json() == document
    api.sale(amount=50)
    second = api.result(api.start("reconciliation").json()["operationId"]).json()
    assert [(line["type"], line["amount"]) for line in second["totals"]] == [("purchase", 50)]
    assert second["periodStart"] == document["periodEnd"]
    assert api.get(last).json() == second
    assert sim.net("EUR") == 6500 - 300 - 3000 + 70000 + 50


def test_failed_reconciliation_closes_nothing(sim, api):
    api.sale()
    sim.script("failed", kind="reconciliation")
    failed = api.result(api.start("reconciliation").json()["operationId"]).json()
    assert (failed["status"], failed["totals"], failed["batch"]) == ("failed", [], None)
    good = api.result(api.start("reconciliation").json()["operationId"]).json()
    assert [line["amount"] for line in good["totals"]] == [1234]


def test_flat_dialect_speaks_snake_case_for_all_nine(sim, api):
    place = {"pos_pid": "POS1", "tpe_pid": "T1"}
    money = {**place, "amount": 1000, "currency": "EUR", "reference": "F1", "idempotency_key": "k1"}
    sale = api.post("/purchase", money).json()
    assert sale == {"operation_id": sale["operation_id"], "status": "accepted", "reference": "F1"}
    one = {**place, "operation_id": sale["operation_id"]}
    assert api.post("/operation-status", one).json()["status"] == "approved"
    result = api.post("/operation-result", one).json()
    assert (result["tpe_pid"], result["pos_pid"], result["amount"]) == ("T1", "POS1", 1000)
    assert {"authorization_code", "masked_pan", "merchant_receipt", "transaction_date"} <= set(result)
    assert api.post("/operation-cancel", one).status_code == 202
    original = {"original_operation_id": sale["operation_id"]}
    back = {**money, **original, "amount": 1000, "reference": "F2", "idempotency_key": "k2"}
    assert api.post("/refund", back).status_code == 202
    other = api.post("/purchase", {**money, "idempotency_key": "k3"}).json()["operation_id"]
    void = api.post("/void", {**place, "original_operation_id": other})
    assert api.post("/operation-status", {**place, "operation_id": other}).json()["status"] == "reversed"
    assert void.status_code == 202
    rows = api.post("/operations-list", {**place, "period": "daily"}).json()["operations"]
    assert [(row["type"], row["tpe_pid"]) for row in rows] == [
        ("purchase", "T1"),
        ("refund", "T1"),
        ("purchase", "T1"),
        ("void", "T1"),
    ]
    assert "created_at" in rows[0]
    assert api.post("/reconciliation", place).status_code == 202
    last = api.post("/last-reconciliation", place).json()
    assert "period_start" in last and sum(line["count"] for line in last["totals"]) == 4
    busy = {**one, "operation_id": "nobody"}
    assert code(api.post("/operation-status", busy)) == (404, "operation_not_found")
    assert len(sim.charges) == 4


def test_path_scoped_dialect_for_all_nine(sim, api):
    scope = "/pos/POS1/terminals/T1"
    money = {"amount": 1000, "currency": "EUR", "reference": "P1"}
    sale = api.post(f"{scope}/operations/purchase", money).json()["operationId"]
    assert api.get(f"{scope}/operations/{sale}/status").json()["status"] == "approved"
    assert api.get(f"{scope}/operations/{sale}/result").json()["pid"] == "T1"
    assert api.call("POST", f"{scope}/operations/{sale}/cancel").status_code == 202
    back = {**money, "originalOperationId": sale, "amount": 400, "reference": "P2"}
    assert api.post(f"{scope}/operations/refund", back).status_code == 202
    other = api.post(f"{scope}/operations/purchase", money).json()["operationId"]
    assert api.post(f"{scope}/operations/void", {"originalOperationId": other}).status_code == 202
    assert len(api.get(f"{scope}/operations?period=daily").json()["operations"]) == 4
    assert api.call("POST", f"{scope}/operations/reconciliation").status_code == 202
    assert len(api.get(f"{scope}/reconciliations/last").json()["totals"]) >= 3
    assert sim.net("EUR") == 600
    status = f"operations/{sale}/status"
    assert code(api.get(f"/pos/NOBODY/terminals/T1/{status}")) == (404, "unknown_pos")
    assert code(api.get(f"/pos/POS1/terminals/T9/{status}")) == (404, "unknown_terminal")
    assert code(api.get(f"/pos/POS1/terminals/T2/{status}")) == (404, "operation_not_found")
    contradiction = api.post(f"{scope}/operations/purchase", {**money, "pid": "T2"})
    assert code(contradiction) == (422, "contradiction")


# --- strictness -----------------------------------------------------------------------------------


def test_keys_are_checked(sim):
    for value in ("", "Bearer wrong", "Bearer ", f"Basic {KEY}", KEY):
        headers = {"Authorization": value} if value else {}
        answer = requests.post(f"{sim.url}/api/v2/operations/purchase", json=SALE, headers=headers, timeout=3)
        assert code(answer) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert sim.count_charges() == 0


def test_a_pos_with_its_own_key():
    with simulator.Simulator(KEY, ("POS1", "POS2"), pos_keys={"POS2": "own-key"}) as sim:
        with_global, with_own = Client(sim), Client(sim, "own-key")
        elsewhere = {**SALE, "posId": "POS2"}
        assert code(with_global.post("/operations/purchase", elsewhere)) == (403, "forbidden")
        assert code(with_own.post("/operations/purchase", SALE)) == (403, "forbidden")
        assert with_own.post("/operations/purchase", elsewhere).status_code == 202
        assert with_global.post("/operations/purchase", SALE).status_code == 202


REFUSALS = {
    "amount_zero": ({"amount": 0}, "invalid_amount"),
    "amount_negative": ({"amount": -1}, "invalid_amount"),
    "amount_true": ({"amount": True}, "invalid_amount"),
    "amount_text": ({"amount": "1234"}, "invalid_amount"),
    "amount_float": ({"amount": 12.0}, "invalid_amount"),
    "amount_huge": ({"amount": 10**12}, "invalid_amount"),
    "amount_null": ({"amount": None}, "invalid_amount"),
    "currency_unknown": ({"currency": "EUX"}, "unknown_currency"),
    "currency_small": ({"currency": "eur"}, "unknown_currency"),
    "currency_numeric": ({"currency": "978"}, "unknown_currency"),
    "reference_empty": ({"reference": ""}, "invalid_field"),
    "reference_long": ({"reference": "x" * 101}, "invalid_field"),
    "reference_number": ({"reference": 7}, "invalid_field"),
    "reference_newline": ({"reference": "a\nb"}, "invalid_field"),
    "extra_key": ({"tip": 5}, "unknown_field"),
    "field_of_another_endpoint": ({"originalOperationId": "x"}, "unknown_field"),
    "pos_unknown": ({"posId": "POS9"}, "unknown_pos"),
    "terminal_unknown": ({"pid": "T9"}, "unknown_terminal"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_purchase_is_refused(sim, api, case):
    changes, slug = REFUSALS[case]
    assert code(api.post("/operations/purchase", {**SALE, **changes})) == (422, slug)
    assert not sim.operations


@pytest.mark.parametrize("name", list(SALE))
def test_every_field_is_required(sim, api, name):
    body = {key: value for key, value in SALE.items() if key != name}
    assert code(api.post("/operations/purchase", body)) == (422, "missing_field")
    assert not sim.operations


def test_lenient_mode_takes_extra_keys():
    with simulator.Simulator(KEY, strict=False) as sim:
        body = {**SALE, "tip": 5, "originalOperationId": "x"}
        assert Client(sim).post("/operations/purchase", body).status_code == 202


def test_bodies_that_are_no_json_object(sim):
    def send(data, kind="application/json", **headers):
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": kind, **headers}
        answer = requests.post(f"{sim.url}/api/v2/operations/purchase", data=data, headers=headers, timeout=3)
        return code(answer)

    good = json.dumps(SALE)
    assert send(good, "text/plain") == (415, "content_type")
    assert send("[1]") == (400, "not_an_object")
    twice = good[:-1] + ', "amount": 1}'
    for bad in ("{", "nonsense", "{'a': 1}", b'{"a": "\xff"}', twice, '{"amount": NaN}', "[" * 9999):
        assert send(bad) == (400, "invalid_json"), bad
    assert send(b" " * (simulator.MAX_BODY + 1)) == (413, "too_large")
    assert send(iter([good.encode()])) == (411, "length_required")
    assert not sim.operations


def test_unknown_paths_and_verbs(sim, api):
    assert code(api.get("/nothing")) == (404, "unknown_endpoint")
    answer = api.get("/operations/purchase")
    assert code(answer) == (405, "method_not_allowed") and answer.headers["Allow"] == "POST"
    outside = requests.get(f"{sim.url}/api/v1/operations", headers=api.headers, timeout=3)
    assert code(outside) == (404, "unknown_endpoint")


def test_inquiries_are_checked(api):
    identifier = api.sale()["operationId"]
    assert code(api.get("/operations/nobody/status" + QUERY)) == (404, "operation_not_found")
    path = f"/operations/{identifier}/status"
    assert code(api.get(path + "?pos_pid=POS2")) == (404, "operation_not_found")
    assert code(api.get(path + "?pos_pid=POS1&tpe_pid=T2")) == (404, "operation_not_found")
    assert code(api.get(path)) == (422, "missing_field")
    assert code(api.get(path + "?pos_pid=POS1&pos_pid=POS2")) == (422, "contradiction")
    assert code(api.get(path + "?pos_pid=POS1&colour=red")) == (422, "unknown_field")
    for query in ("period=monthly", "period=daily&date=2026-13-01", "period=daily&date=20260101"):
        assert api.get(f"/operations?pos_pid=POS1&{query}").status_code == 422


def test_refund_never_above_what_is_left(sim, api):
    sold = api.sale(amount=1000)["operationId"]

    def refund(amount, **changes):
        values = {
            "amount": amount,
            "currency": "EUR",
            "reference": "b",
            "originalOperationId": sold,
            **changes,
        }
        return api.start("refund", **values)

    assert code(refund(1001)) == (422, "refund_exceeds")
    assert refund(600).status_code == 202
    answer = refund(401)
    assert code(answer) == (422, "refund_exceeds") and answer.json()["error"]["left"] == 400
    sim.script("never_ends", kind="refund")
    running = refund(300, pid="T2").json()["operationId"]  # not decided yet, but it may still be given back
    assert code(refund(101)) == (422, "refund_exceeds")
    sim.finish(running, "declined")
    last = refund(400)
    assert last.status_code == 202
    identifier = last.json()["operationId"]
    assert api.result(identifier).json()["originalOperationId"] == sold
    assert code(refund(1)) == (422, "refund_exceeds")
    assert sim.net("EUR") == 0
    assert api.start("refund", amount=5, currency="EUR", reference="free").status_code == 202


def test_refund_only_of_an_approved_purchase_in_its_currency(sim, api):
    sold = api.sale()["operationId"]
    sim.script("declined")
    declined = api.sale()["operationId"]
    values = {"amount": 1, "currency": "EUR", "reference": "b"}
    assert code(api.start("refund", originalOperationId=declined, **values)) == (422, "original_not_approved")
    other = {**values, "currency": "USD"}
    assert code(api.start("refund", originalOperationId=sold, **other)) == (422, "currency_mismatch")
    assert code(api.start("refund", originalOperationId="nobody", **values)) == (404, "operation_not_found")
    foreign = api.start("refund", originalOperationId=sold, **{**values, "posId": "POS2"})
    assert code(foreign) == (404, "operation_not_found")
    refund = api.start("refund", originalOperationId=sold, **values).json()["operationId"]
    assert code(api.start("refund", originalOperationId=refund, **values)) == (422, "not_a_purchase")


def test_void_once_and_only_of_an_approved_unrefunded_purchase(sim, api):
    sold, refunded = api.sale()["operationId"], api.sale()["operationId"]
    sim.script("cancelled")
    cancelled = api.sale()["operationId"]
    api.start("refund", amount=1, currency="EUR", reference="b", originalOperationId=refunded)
    assert code(api.start("void", originalOperationId=refunded)) == (422, "already_refunded")
    assert code(api.start("void", originalOperationId=cancelled)) == (422, "original_not_approved")
    partly = api.start("void", originalOperationId=sold, amount=1, currency="EUR")
    assert code(partly) == (422, "not_the_full_amount")
    sim.script("declined", kind="void")
    api.start("void", originalOperationId=sold)
    assert api.status(sold) == "approved"  # a declined void voids nothing, and may be tried again
    sim.script("never_ends", kind="void")
    running = api.start("void", originalOperationId=sold).json()["operationId"]
    assert code(api.start("void", originalOperationId=sold, pid="T2")) == (422, "already_voided")
    sim.finish(running)
    assert code(api.start("void", originalOperationId=sold)) == (422, "already_voided")
    assert api.status(sold) == "reversed" and api.result(sold).json()["approved"] is False
    back = api.start("refund", amount=1, currency="EUR", reference="b", originalOperationId=sold)
    assert code(back) == (422, "already_voided")
    assert sim.count_charges(kind="void") == 1


def test_one_operation_at_a_time_on_a_terminal(sim, api):
    sim.script("never_ends")
    running = api.sale()["operationId"]
    for kind, values in (("purchase", SALE), ("reconciliation", {})):
        answer = api.start(kind, **values)
        assert code(answer) == (409, "terminal_busy")
        assert answer.json()["error"]["operationId"] == running
    flat = api.post("/reconciliation", {"pos_pid": "POS1", "tpe_pid": "T1"}).json()
    assert flat["error"]["operation_id"] == running
    api.sale(pid="T2")
    api.sale(posId="POS2")  # the same terminal name at another POS is another terminal
    sim.finish(running, "declined")
    api.sale()


def test_same_key_same_payload_is_one_charge(sim, api):
    first = api.post("/operations/purchase", SALE, Idempotency_Key="k1")
    again = api.post("/operations/purchase", SALE, Idempotency_Key="k1")
    in_body = api.post("/operations/purchase", {**SALE, "idempotencyKey": "k1"})
    assert first.json() == again.json() == in_body.json()
    assert "Idempotent-Replay" not in first.headers
    assert again.headers["Idempotent-Replay"] == in_body.headers["Idempotent-Replay"] == "true"
    assert sim.count_charges() == 1 and sim.charges[0].idempotency_key == "k1"
    other = api.post("/operations/purchase", {**SALE, "amount": 1}, Idempotency_Key="k1")
    assert code(other) == (422, "idempotency_key_reused")
    two = api.post("/operations/purchase", {**SALE, "idempotencyKey": "k2"}, Idempotency_Key="k1")
    assert code(two) == (422, "contradiction")
    api.sale()
    assert sim.count_charges() == 2  # without a key nothing protects


def test_a_refused_start_does_not_burn_its_key(sim, api):
    sim.script("never_ends")
    running = api.sale()["operationId"]
    assert api.post("/operations/purchase", SALE, Idempotency_Key="k").status_code == 409
    sim.finish(running, "failed")
    assert "Idempotent-Replay" not in api.post("/operations/purchase", SALE, Idempotency_Key="k").headers
    assert sim.count_charges() == 1


def test_a_service_without_idempotency_charges_twice():
    with simulator.Simulator(KEY, idempotency=False) as sim:
        for _number in range(2):
            Client(sim).post("/operations/purchase", SALE, Idempotency_Key="k")
        assert sim.count_charges() == 2


def test_forty_parallel_starts_with_one_key_are_one_charge(sim, api):
    def start():
        answers.append(api.post("/operations/purchase", SALE, timeout=10, Idempotency_Key="k").json())

    answers = []
    threads = [threading.Thread(target=start) for _number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 40 and len({answer["operationId"] for answer in answers}) == 1
    assert sim.count_charges() == 1 and sim.count_requests("purchase") == 40


# --- the course of an operation -------------------------------------------------------------------


def test_steps_run_on_a_real_clock_without_anybody_asking(sim, api):
    sim.script("approved", steps=[("waiting_for_card", 0.3), ("processing", 0.3)])
    begun = time.monotonic()
    identifier = api.sale()["operationId"]
    assert api.status(identifier) == "waiting_for_card"
    pending = api.result(identifier)
    assert (pending.status_code, pending.json()) == (202, {"status": "pending"})
    assert sim.count_charges() == 0
    until(lambda: api.status(identifier) == "processing")
    assert time.monotonic() - begun >= 0.3
    asked = sim.count_requests()
    until(lambda: sim.count_charges("R1") == 1)
    assert time.monotonic() - begun >= 0.6 and sim.count_requests() == asked
    assert api.status(identifier) == "approved"


def test_the_default_delay_and_default_outcome():
    with simulator.Simulator(KEY, delay=0.2, default="decline") as sim:
        api = Client(sim)
        identifier = api.sale()["operationId"]
        assert api.status(identifier) in ("waiting_for_card", "processing")
        until(lambda: api.status(identifier) == "declined")
        sim.script("approved", default=True, delay=0)
        assert api.outcome()["status"] == "approved"


OUTCOMES = {  # script -> status, approved, amount told, money moved
    "approved": ("approved", True, 1234, 1234),
    "declined": ("declined", False, 1234, 0),
    "cancelled": ("cancelled", False, 1234, 0),
    "failed": ("failed", False, 1234, 0),
    "timeout": ("timeout", None, 1234, 0),
    "partial": ("approved", True, 617, 617),
    "unknown_word": ("zz_unheard_of", None, 1234, 0),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_outcomes(sim, api, outcome):
    sim.script(outcome)
    result = api.outcome()
    told = (result["status"], result["approved"], result["amount"], sim.net("EUR"))
    assert told == OUTCOMES[outcome]
    seen = outcome in ("approved", "declined", "partial")
    assert bool(result["maskedPan"]) == seen
    assert bool(result["authorizationCode"]) == (outcome in ("approved", "partial"))
    assert (result["declineCode"] is not None) == (outcome == "declined")
    assert api.outcome()["status"] == "approved"  # a script counts once


def test_script_details(sim, api):
    sim.script("declined", code="51", message="Insufficient funds")
    sim.script("partial", amount=100)
    sim.script("timeout", charged=True)
    sim.script("unknown_word", word="MAYBE")
    declined = api.outcome()
    assert (declined["declineCode"], declined["declineMessage"]) == ("51", "Insufficient funds")
    assert api.outcome()["amount"] == 100
    assert (api.outcome()["status"], sim.net("EUR")) == ("timeout", 1334)
    assert api.outcome()["status"] == "MAYBE"
    sim.script("declined", times=2, kind="refund")
    assert api.outcome()["status"] == "approved"
    refund = {"amount": 1, "currency": "EUR", "reference": "b"}
    ends = [api.status(api.start("refund", **refund).json()["operationId"]) for _number in range(3)]
    assert ends == ["declined", "declined", "approved"]
    with pytest.raises(ValueError):
        sim.script("nonsense")
    for bad in ({"kind": "sale"}, {"fault": "x"}, {"delay": -1}, {"cancel": "maybe"}):
        with pytest.raises(ValueError):
            sim.script("approved", **bad)


def test_cancel_works_while_the_card_is_awaited(sim, api):
    sim.script("approved", steps=[("waiting_for_card", 60)])
    identifier = api.sale()["operationId"]
    answer = api.cancel(identifier)
    assert (answer.status_code, answer.json()["operationId"]) == (202, identifier)
    assert api.status(identifier) == "cancelled"
    sim.script("never_ends")
    endless = api.sale()["operationId"]
    assert api.status(endless) == "waiting_for_card"
    api.cancel(endless)
    assert api.status(endless) == "cancelled" and sim.count_charges() == 0
    assert code(api.cancel("nobody")) == (404, "operation_not_found")


@pytest.mark.parametrize(
    "script",
    [{"steps": [("processing", 0.1)]}, {"steps": [("waiting_for_card", 0.1)], "cancel": "lose"}],
    ids=["card_taken", "scripted"],
)
def test_cancel_loses_the_race(sim, api, script):
    sim.script("approved", **script)
    identifier = api.sale()["operationId"]
    assert api.cancel(identifier).status_code == 202
    until(lambda: api.status(identifier) == "approved")
    assert api.cancel(identifier).status_code == 202
    assert api.status(identifier) == "approved" and sim.count_charges("R1") == 1


def test_approved_after_cancel_comes_late(sim, api):
    sim.script("approved_after_cancel", delay=0.2)
    identifier = api.sale()["operationId"]
    time.sleep(0.3)
    assert api.status(identifier) == "waiting_for_card"
    begun = time.monotonic()
    api.cancel(identifier)
    assert api.status(identifier) == "processing" and sim.count_charges() == 0
    until(lambda: api.status(identifier) == "approved")
    assert time.monotonic() - begun >= 0.2
    assert api.result(identifier).json()["approved"] is True and sim.count_charges("R1") == 1


@pytest.mark.parametrize("amount", list(simulator.MAGIC))
def test_magic_amounts(sim, api, amount):
    script = simulator.MAGIC[amount][0]
    assert re.search(rf"^{amount}\s+\S", simulator.__doc__, re.M), "the header must list it"
    if script.fault == "busy":
        assert code(api.post("/operations/purchase", {**SALE, "amount": amount})) == (409, "terminal_busy")
        assert not sim.operations
    elif script.fault:
        with pytest.raises(requests.ConnectionError):
            api.sale(amount=amount)
        assert sim.count_charges("R1") == 1
    else:
        identifier = api.sale(amount=amount)["operationId"]
        assert sim.application.books.operations[identifier].outcome == script.outcome
        sim.script("approved")  # a queued script goes before a magic amount
        assert api.sale(amount=amount, pid="T2")
        assert sim.operations[-1]["status"] == "approved"


def test_magic_amounts_can_be_switched_off():
    with simulator.Simulator(KEY, magic=False) as sim:
        assert Client(sim).outcome(amount=90001)["status"] == "approved"


# --- faults, as a raw client sees them ------------------------------------------------------------


def test_close_after_and_close_before(sim, api):
    sim.fault("purchase", "close_before", times=1)
    sim.fault("purchase", "close_after", times=1)
    assert read_all(api.raw()) == [] and sim.count_charges() == 0
    assert read_all(api.raw()) == [] and sim.count_charges() == 1
    api.sale()
    assert [entry["status"] for entry in sim.requests] == [None, None, 202]


def test_reset_is_a_reset_and_not_an_end(sim, api):
    for name, charges in (("reset_before", 0), ("reset", 1)):
        sim.fault("purchase", name, times=1)
        with pytest.raises(ConnectionResetError):
            read_all(api.raw())
        assert sim.count_charges() == charges


def test_timeout_after_processing(sim, api):
    sim.fault("purchase", "timeout_after", times=1, seconds=0.6)
    with pytest.raises(requests.ReadTimeout):
        api.sale(timeout=0.2)
    assert sim.count_charges("R1") == 1
    sim.fault("purchase", "timeout_after", times=1, seconds=0.2)
    begun = time.monotonic()
    assert api.sale()["status"] == "accepted" and time.monotonic() - begun >= 0.2


def test_timeout_before_processing(sim, api):
    sim.fault("purchase", "timeout_before", times=1, seconds=0.3)
    begun = time.monotonic()
    assert read_all(api.raw()) == []
    assert time.monotonic() - begun >= 0.3 and not sim.operations


def test_drips_are_slow_and_whole(sim, api):
    for name, in_head in (("drip_headers", True), ("drip_body", False)):
        sim.fault("purchase", name, times=1, interval=0.005, step=1)
        chunks = read_all(api.raw())
        head, body = b"".join(chunks).split(b"\r\n\r\n")
        assert json.loads(body)["status"] == "accepted" and head.startswith(b"HTTP/1.1 202")
        slow, at_once = (head, body) if in_head else (body, head)
        assert len(chunks) > len(slow) * 0.5
        assert max(map(len, chunks)) >= len(at_once) * 0.9


def test_split_answer_is_whole(sim, api):
    sim.fault("purchase", "split", times=1, pieces=4, pause=0.05)
    chunks = read_all(api.raw())
    assert 2 <= len(chunks) <= 4
    assert json.loads(b"".join(chunks).split(b"\r\n\r\n")[1])["status"] == "accepted"


def test_garbage_is_no_http(sim, api):
    sim.fault("purchase", "garbage", times=1)
    data = b"".join(read_all(api.raw()))
    assert data and not data.startswith(b"HTTP") and sim.count_charges() == 1


def test_short_body(sim, api):
    sim.fault("purchase", "short_body", times=1)
    head, body = b"".join(read_all(api.raw())).split(b"\r\n\r\n")
    declared = int(re.search(rb"Content-Length: (\d+)", head).group(1))
    assert 0 < len(body) < declared


BODIES = {  # fault -> what is wrong with the bytes
    "truncated_json": lambda body: body.startswith(b'{"operationId"') and not body.endswith(b"}"),
    "garbage_body": lambda body: bytes(range(256)) in body,
    "invalid_utf8": lambda body: b"\xff" in body and json.loads(body.decode("latin-1")),
    "duplicate_keys": lambda body: body.count(b'"status"') == 2 and json.loads(body)["status"] == "approved",
}


@pytest.mark.parametrize("name", BODIES)
def test_bad_bodies_in_good_http(sim, api, name):
    sim.fault("purchase", name, times=1)
    answer = api.post("/operations/purchase", SALE)
    assert answer.status_code == 202 and answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert BODIES[name](answer.content) and sim.count_charges() == 1


def test_wrong_content_type(sim, api):
    sim.fault("purchase", "wrong_content_type", times=1)
    answer = api.post("/operations/purchase", SALE)
    assert answer.headers["Content-Type"].startswith("text/html") and answer.json()["status"] == "accepted"


def test_gzip_and_its_bomb(sim, api):
    sim.fault("purchase", "gzip", times=1)
    sim.fault("purchase", "gzip_bomb", times=1, mib=4)
    for size in (0, 4 << 20):
        head, body = b"".join(read_all(api.raw())).split(b"\r\n\r\n", 1)
        assert b"Content-Encoding: gzip" in head and len(body) < 100_000
        plain = gzip.decompress(body)
        assert json.loads(plain)["status"] == "accepted" and size <= len(plain) < size + 1000


@pytest.mark.parametrize("declared", [False, True])
def test_oversize_body(sim, api, declared):
    sim.fault("purchase", "oversize", times=1, mib=2, declared=declared)
    head, body = b"".join(read_all(api.raw())).split(b"\r\n\r\n", 1)
    assert len(body) > 2 << 20 and json.loads(body)
    stated = re.search(rb"Content-Length: (\d+)", head)
    assert (int(stated.group(1)) == len(body)) if declared else stated is None


def test_oversize_ends_when_the_client_leaves(sim, api):
    sim.fault("purchase", "oversize", times=1, mib=100_000)
    connection = api.raw()
    connection.recv(1000)
    connection.close()
    until(lambda: not sim.application.connections)


CANNED = {  # fault -> status, content type, header that matters, is it processed
    "http_500": (500, "application/json", None, True),
    "html_502": (502, "text/html", None, True),
    "html_503": (503, "text/html", "Retry-After", True),
    "busy": (409, "application/json", None, False),
    "rate_limited": (429, "application/json", "Retry-After", False),
    "redirect_same": (307, None, "Location", False),
    "redirect_other": (307, None, "Location", False),
}


@pytest.mark.parametrize("name", CANNED)
def test_canned_answers(sim, api, name):
    status, kind, header, processed = CANNED[name]
    sim.fault("purchase", name, times=1)
    answer = api.post("/operations/purchase", SALE)
    assert answer.status_code == status and sim.count_charges() == int(processed)
    assert kind is None or answer.headers["Content-Type"].startswith(kind)
    assert header is None or answer.headers[header]
    sim.fault("purchase", name, times=1, processed=not processed)
    assert api.post("/operations/purchase", SALE).status_code == status
    assert sim.count_charges() == 1


def test_who_follows_a_redirect_is_seen(sim, api):
    for name, host in (("redirect_same", sim.host), ("redirect_other", "localhost")):
        sim.fault("operation_status", name, times=1)
        location = api.get("/operations/x/status" + QUERY).headers["Location"]
        assert location == f"http://{host}:{sim.port}/_redirected/api/v2/operations/x/status{QUERY}"
        assert not sim.requests[-1]["redirected"]
        assert requests.get(location, headers=api.headers, timeout=3).status_code == 404
        assert sim.requests[-1]["redirected"] and sim.requests[-1]["endpoint"] == "operation_status"


DOCUMENTS = {  # fault -> field that is wrong in the result, the wrong value
    "wrong_amount": ("amount", 1235),
    "wrong_currency": ("currency", "USD"),
    "wrong_terminal": ("pid", "T1-OTHER"),
    "wrong_reference": ("reference", "R1-OTHER"),
    "unknown_status": ("status", "zz_unheard_of"),
    "full_pan": ("maskedPan", "4111111111111111"),
    "extra_fields": ("apiVersion", 2.1),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_results_that_tell_something_else(sim, api, name):
    field, value = DOCUMENTS[name]
    identifier = api.sale()["operationId"]
    good = api.result(identifier).json()
    sim.fault("operation_result", name, times=1)
    bad = api.result(identifier).json()
    assert bad[field] == value and good.get(field) != value
    touched = {key for key in bad if bad[key] != good.get(key)}
    also = {"full_pan": {"merchantReceipt"}, "extra_fields": {"x_new", "links"}}.get(name, set())
    assert touched == {field} | also
    assert api.result(identifier).json() == good


def test_wrong_rows_in_a_list(sim, api):
    api.sale()
    sim.fault("operations_list", "wrong_amount", times=1, by=5)
    rows = api.get("/operations?pos_pid=POS1&period=daily").json()["operations"]
    assert [row["amount"] for row in rows] == [1239]


def test_an_answer_for_another_operation(sim, api):
    first = api.sale(reference="A")["operationId"]
    sim.fault("operation_result", "other_operation")
    assert api.result(first).json()["operationId"] not in (first, None)
    second = api.sale(reference="B", amount=1)["operationId"]
    result = api.result(first).json()
    assert (result["operationId"], result["reference"], result["amount"]) == (second, "B", 1)


def test_pending_404_mode(sim, api):
    sim.fault("operation_status", "pending_404")
    sim.fault("operation_result", "pending_404")
    sim.script("never_ends")
    identifier = api.sale()["operationId"]
    for what in ("status", "result"):
        assert code(api.get(f"/operations/{identifier}/{what}{QUERY}")) == (404, "not_ready")
    sim.finish(identifier)
    assert api.status(identifier) == "approved" and api.result(identifier).status_code == 200


def test_sync_mode_answers_with_the_result(sim, api):
    sim.fault("purchase", "sync")
    sim.script("declined", delay=0.2)
    begun = time.monotonic()
    answer = api.post("/operations/purchase", SALE)
    assert answer.status_code == 200 and time.monotonic() - begun >= 0.2
    assert answer.json()["status"] == "declined" and "declineCode" in answer.json()
    sim.fault("purchase", "close_after", times=1)  # a mode goes together with another fault
    assert read_all(api.raw()) == [] and sim.count_charges() == 1


def test_sync_mode_lets_a_cancel_in(sim, api):
    sim.fault("purchase", "sync")
    sim.script("never_ends")
    connection = api.raw()
    until(lambda: sim.operations)
    api.cancel(sim.operations[0]["operationId"])
    assert b'"status": "cancelled"' in b"".join(read_all(connection))


def test_faults_count_are_for_one_endpoint_and_can_be_cleared(sim, api):
    sim.fault("refund", "http_500")
    sim.fault("purchase", "http_500", times=2)
    answers = [api.post("/operations/purchase", SALE).status_code for _number in range(3)]
    assert answers == [500, 500, 202]
    sim.fault("*", "html_502")
    assert api.get("/operations?pos_pid=POS1&period=daily").status_code == 502
    sim.clear_faults()
    assert api.sale() and api.start("refund", amount=1, currency="EUR", reference="b").status_code == 202
    bad_ones = (("purchase", "nonsense"), ("sale", "reset"))
    for bad in bad_ones:
        with pytest.raises(ValueError):
            sim.fault(*bad)
    for options in ({"times": 0}, {"times": 1.5}, {"colour": "red"}):
        with pytest.raises(ValueError):
            sim.fault("purchase", "reset", **options)


def test_every_fault_leaves_the_service_alive(sim, api):
    quick = {"seconds": 0.01, "interval": 0, "pause": 0, "mib": 1}
    for name, kind in simulator.FAULTS.items():
        params = {key: value for key, value in quick.items() if key in kind.defaults}
        sim.fault("purchase", name, times=1, **params)
        try:
            read_all(api.raw())
        except ConnectionResetError:
            assert name.startswith("reset")
        assert api.sale(), name
        assert sim.application.faults.switches == []
    assert len(simulator.FAULTS) >= 30


# --- life, books, steering ------------------------------------------------------------------------


def test_stop_is_quick_with_sleeping_handlers(sim, api):
    sim.fault("purchase", "timeout_after", times=1)
    sim.fault("purchase", "timeout_before", times=1)
    sim.fault("purchase", "sync")
    sim.script("never_ends", kind="refund")
    connections = [api.raw(), api.raw(), socket.create_connection((sim.host, sim.port))]
    until(lambda: sim.count_requests("purchase") == 2)
    begun = time.monotonic()
    sim.stop()
    assert time.monotonic() - begun < 1
    assert all(ended(connection) for connection in connections)
    assert not sim.application.connections
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((sim.host, sim.port))
    sim.stop()


def test_a_restart_keeps_port_and_books(sim, api):
    identifier, url = api.sale()["operationId"], sim.url
    sim.stop()
    with pytest.raises(requests.ConnectionError):
        api.sale()
    sim.start()
    assert sim.url == url and api.status(identifier) == "approved" and sim.count_charges() == 1


def test_loopback_only_and_a_taken_port(sim):
    for host in ("0.0.0.0", "192.168.1.1", "example.com", "::", ""):
        with pytest.raises(ValueError):
            simulator.Simulator(KEY, host=host)
    assert simulator.Simulator(KEY, host="localhost").host == "127.0.0.1"
    with pytest.raises(OSError):
        simulator.Simulator(KEY, port=sim.port).start()


def test_the_request_log_is_bounded_and_holds_no_key(sim, api):
    api.post("/operations/purchase", {**SALE, "reference": f"x{KEY}x"}, X_Extra=KEY)
    api.get(f"/operations/x/status?pos_pid={KEY}")
    requests.get(f"{sim.url}/api/v2/{KEY}", headers=api.headers, timeout=3)
    assert len(sim.requests) == 3 and KEY not in json.dumps(sim.requests)
    first = sim.requests[0]
    assert first["headers"]["Authorization"] == "Bearer ***" and '"amount": 1234' in first["body"]
    assert (first["endpoint"], first["status"]) == ("purchase", 202) and first["operation_id"]
    assert sim.application.requests.maxlen == 1000


def test_charges_by_reference_and_kind(sim, api):
    sold = api.sale(amount=1000, reference="A")["operationId"]
    api.sale(amount=50, reference="B", currency="JPY")
    api.start("refund", amount=300, currency="EUR", reference="A", originalOperationId=sold)
    assert (sim.count_charges(), sim.count_charges("A"), sim.count_charges("A", "refund")) == (3, 2, 1)
    assert (sim.net("EUR"), sim.net("JPY"), sim.net("USD")) == (700, 50, 0)
    charge = sim.charges[0]
    expected = (sold, "purchase", 1000, "EUR", "T1", "A", None)
    names = ("operation_id", "kind", "amount", "currency", "terminal_pid", "reference", "idempotency_key")
    assert tuple(getattr(charge, name) for name in names) == expected


def test_steering_over_http(sim, api):
    def admin(name, document):
        return requests.post(f"{sim.url}/_simulator/{name}", json=document, timeout=3)

    assert admin("script", {"outcome": "declined", "code": "51"}).status_code == 200
    assert api.outcome()["declineCode"] == "51"
    fault = {"endpoint": "purchase", "fault": "timeout_after", "times": 1, "seconds": 0.2}
    assert admin("fault", fault).status_code == 200
    begun = time.monotonic()
    api.sale()
    assert time.monotonic() - begun >= 0.2
    admin("script", {"outcome": "never_ends"})
    running = api.sale(reference="steered")["operationId"]
    assert admin("finish", {"operation_id": running, "outcome": "approved"}).status_code == 200
    books = requests.get(f"{sim.url}/_simulator/books", timeout=3).json()
    assert [row["status"] for row in books["operations"]] == ["declined", "approved", "approved"]
    assert books["net"] == {"EUR": 2468} and books["charges"][-1]["reference"] == "steered"
    for name in ("script", "fault", "finish"):
        for bad in ({}, {"outcome": "x"}, {"colour": 1}, {"operation_id": "x"}):
            assert code(admin(name, bad)) == (422, "invalid")
    form = requests.post(f"{sim.url}/_simulator/reset", data={"a": "b"}, timeout=3)  # as a foreign page could
    assert code(form) == (415, "content_type") and sim.operations
    assert admin("reset", {}).status_code == 200
    assert (sim.operations, sim.charges, sim.requests) == ([], [], [])
    assert code(admin("nothing", {})) == (404, "unknown_endpoint")


def test_the_page_for_people(sim, api):
    for number in range(51):
        api.sale(reference=f"<b>ref{number:02d}")
    answer = requests.get(sim.url + "/", timeout=3)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "&lt;b&gt;ref50" in answer.text and "<b>" not in answer.text
    assert "ref01" in answer.text and "ref00" not in answer.text  # the last fifty
    assert "629.34 EUR" in answer.text and "900.51 EUR" in answer.text and KEY not in answer.text


def test_money_for_people():
    texts = {(5, "EUR"): "0.05 EUR", (5, "JPY"): "5 JPY", (1234, "KWD"): "1.234 KWD", (None, None): ""}
    assert {asked: simulator.money(*asked) for asked in texts} == texts


# --- the program ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program(number):
    options = "--port 0 --api-key k --pos-id P --terminal A --terminal B --default-delay 0 --script decline"
    options += " --next approve:0 --fault purchase=close_after:1 --fault refund=html_503:retry_after=7"
    command = [sys.executable, str(FILE), *options.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("ready"):
                break
        assert len([line for line in lines if line.startswith("magic amount")]) == len(simulator.MAGIC)
        url = re.search(r"http://127\.0\.0\.1:\d+", lines[-1]).group()
        sale = {"posId": "P", "pid": "B", "amount": 1, "currency": "EUR", "reference": "R"}
        headers = {"Authorization": "Bearer k"}
        with pytest.raises(requests.ConnectionError):
            requests.post(f"{url}/api/v2/operations/purchase", json=sale, headers=headers, timeout=3)
        assert requests.post(f"{url}/api/v2/operations/purchase", json=sale, headers=headers, timeout=3).ok
        refund = requests.post(f"{url}/api/v2/operations/refund", json=sale, headers=headers, timeout=3)
        assert refund.headers["Retry-After"] == "7"
        rows = requests.get(f"{url}/_simulator/books", timeout=3).json()["operations"]
        assert [row["status"] for row in rows][:2] == ["approved", "declined"]
        os.kill(process.pid, number)
        assert process.wait(timeout=3) == 0
        assert process.stdout.read() == "" and process.stderr.read() == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--host 0.0.0.0", "loopback"),
        ("--script nonsense", "unknown outcome"),
        ("--fault purchase=nonsense", "unknown fault"),
        ("--fault nonsense", "endpoint=fault"),
    ],
)
def test_the_program_refuses(capsys, options, reason):
    with pytest.raises(SystemExit) as stopped:
        simulator.main(["--port", "0", *options.split()])
    assert stopped.value.code == 2 and reason in capsys.readouterr().err


# --- anything at all ------------------------------------------------------------------------------

_TEXT = st.text("aR1 é\n\x00\ud800", max_size=5)  # a small alphabet: the full one takes seconds to load
_SIMPLE = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXT)
_VALUES = st.one_of(_SIMPLE, st.lists(_SIMPLE, max_size=2))
_GOOD = {**SALE, "idempotencyKey": "k"}
_NAMES = st.sampled_from([*_GOOD, "other"])


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(_NAMES, _VALUES, max_size=2), st.sets(_NAMES, max_size=1))
def test_no_document_breaks_it_and_only_an_accepted_one_moves_money(shared, changes, dropped):
    body = {key: value for key, value in {**_GOOD, **changes}.items() if key not in dropped}
    shared.reset()
    connection = http.client.HTTPConnection(shared.host, shared.port, timeout=3)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request("POST", "/api/v2/operations/purchase", json.dumps(body), headers)
    status = connection.getresponse().status
    connection.close()
    assert status in (202, 400, 422)
    assert shared.count_charges() == (status == 202)
    if not set(SALE) <= set(body) or type(body["amount"]) is not int:
        assert status != 202


@pytest.fixture(scope="module")
def shared():
    with simulator.Simulator(KEY) as running:
        yield running
