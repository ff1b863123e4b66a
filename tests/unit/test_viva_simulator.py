# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The Viva.com simulator over real sockets: what a till and its shop see, what its books say meanwhile."""

import base64
import datetime
import http.server
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

ROOT = pathlib.Path(__file__).parents[2]
FILE = ROOT / "pos_viva_wallet" / "tests" / "simulator.py"
# by path: the package's own __init__ imports Odoo
_spec = importlib.util.spec_from_file_location("viva_simulator", FILE)
simulator = importlib.util.module_from_spec(_spec)
sys.modules["viva_simulator"] = simulator
_spec.loader.exec_module(simulator)

VECTORS = {
    row["id"]: row["data"]
    for row in json.loads((pathlib.Path(__file__).parent / "data" / "viva.json").read_text())["samples"]
}
FIRST, SECOND = simulator.TERMINALS
AUTH = (simulator.CLIENT_ID, simulator.CLIENT_SECRET)
MERCHANT = (simulator.MERCHANT_ID, simulator.API_KEY)
SALE = {
    "sessionId": "S1",
    "terminalId": FIRST,
    "cashRegisterId": "REG-1",
    "amount": 1170,
    "currencyCode": "978",
    "merchantReference": "ORDER-1",
}
SESSION_NAMES = (
    "sessionId terminalId cashRegisterId amount currencyCode merchantReference customerTrns tipAmount aid"
    " showTransactionResult showReceipt skipSurcharge success eventId transactionEventId cardType"
    " authorizationId transactionId transactionTypeId retrievalReferenceNumber panEntryMode applicationLabel"
    " bankId primaryAccountNumberMasked transactionDateTime interappCallback abortOperation abortAckTime"
    " abortSuccess verificationMethod tid orderCode shortOrderCode installments message preauth"
    " referenceNumber loyaltyInfo dccDetails surchargeAmount fiscalisationDetails aadeTransactionId"
    " aadeResultCommand"
).split()


class Till:
    """A plain HTTP client that follows and hides nothing."""

    def __init__(self, sim, **token):
        self.sim = sim
        self.renew(**token)

    def renew(self, **changes):
        self.token = token(self.sim, **changes).json()["access_token"]

    def call(self, verb, path, body=None, timeout=3, bearer=None, **options):
        headers = {"Authorization": f"Bearer {bearer or self.token}"}
        url = f"{self.sim.url}/ecr/v1/{path}"
        options = {"json": body, "allow_redirects": False, **options}
        return requests.request(verb, url, headers=headers, timeout=timeout, **options)

    def post(self, what, body, **options):
        return self.call("POST", f"transactions:{what}", body, **options)

    def sale(self, session="S1", timeout=3, what="sale", **changes):
        """A start that must be taken."""
        answer = self.post(what, {**SALE, "sessionId": session, **changes}, timeout=timeout)
        assert (answer.status_code, answer.content) == (200, b""), answer.text
        return answer

    def refund(self, session, parent="S1", what="refund", **changes):
        return self.sale(session, what=what, parentSessionId=parent, **changes)

    def get(self, session="S1", **options):
        return self.call("GET", f"sessions/{session}", **options)

    def result(self, session="S1"):
        """The object of a session that has ended."""
        answer = self.get(session)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def event(self, session="S1"):
        """(success, eventId)"""
        document = self.result(session)
        return document["success"], document["eventId"]

    def pending(self, session="S1"):
        status = self.get(session).status_code
        assert status in (200, 202)
        return status == 202

    def later(self, **passed):
        """Let so much time pass that tokens expire, and get a new one."""
        self.sim.advance(**passed)
        self.renew()

    def abort(self, session="S1", register="REG-1"):
        return self.call("DELETE", f"sessions/{session}", params={"cashRegisterId": register})


def token(sim, auth=AUTH, grant="client_credentials", **more):
    values = {"grant_type": grant, **more}
    return requests.post(f"{sim.url}/connect/token", data=values, auth=auth, timeout=3)


def facts(answer):
    """(status, X-Viva-EventId)"""
    return answer.status_code, int(answer.headers["X-Viva-EventId"])


class Waiting(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class Shop:
    """Where webhooks go: keeps what comes, answers what the test says (200 and the key by default)."""

    def __init__(self):
        self.calls, self.answers, self.during, self.lock = [], [], None, threading.Lock()
        self.key, self.running, self.most = simulator.WEBHOOK_KEY, 0, 0
        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_arguments):
                pass

            def do_GET(self):
                self.reply(200, json.dumps({"Key": shop.key}).encode())

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with shop.lock:
                    shop.running += 1
                    shop.most = max(shop.most, shop.running)
                if shop.during:
                    shop.during()
                with shop.lock:
                    shop.running -= 1
                    shop.calls.append((self.path, dict(self.headers), raw))
                    status = shop.answers.pop(0) if shop.answers else 200
                self.reply(status, b"answered")

            def reply(self, status, body):
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = Waiting(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=t"

    def told(self):
        return [json.loads(raw) for _path, _headers, raw in list(self.calls)]

    def events(self):
        return [message["EventTypeId"] for message in self.told()]

    def data(self, event):
        return next(item["EventData"] for item in self.told() if item["EventTypeId"] == event)


@pytest.fixture
def sim():
    with simulator.Simulator() as running:
        yield running


@pytest.fixture
def till(sim):
    return Till(sim)


@pytest.fixture
def shop(sim):
    opened = Shop()
    sim.register(opened.url, simulator.EVENTS)
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def steer(sim, name, body=None, **options):
    """The control API."""
    url = f"{sim.url}/_simulator/{name}"
    if body is None and not options:
        return requests.get(url, timeout=3)
    return requests.post(url, json=body, timeout=3, **options)


def lost(call):
    """Whether a call ends without an answer that can be used."""
    try:
        call()
    except requests.RequestException:
        return True
    return False


# --- OAuth ----------------------------------------------------------------------------------------


def test_import_has_no_side_effect_and_needs_no_odoo():
    program = (
        "import sys, threading, runpy\n"
        f"runpy.run_path({str(FILE)!r}, run_name='simulator')\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "assert not roots & {'odoo', 'viva', 'pos_viva_wallet', 'requests', 'werkzeug'}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


def test_token_has_the_documented_shape(sim):
    answer = token(sim)
    document = answer.json()
    assert set(document) == set(VECTORS["token_response_isv_demo"])
    assert (document["expires_in"], document["token_type"]) == (3600, "Bearer")
    assert simulator.ECR_SCOPE in document["scope"].split()
    assert document["access_token"] != token(sim).json()["access_token"]


def test_token_with_credentials_in_the_body(sim):
    values = {"client_id": AUTH[0], "client_secret": AUTH[1], "scope": simulator.ECR_SCOPE}
    answer = token(sim, auth=None, **values)
    assert (answer.status_code, answer.json()["scope"]) == (200, simulator.ECR_SCOPE)


@pytest.mark.parametrize("auth", [(AUTH[0], "wrong"), ("wrong", AUTH[1]), ("é", "ü"), None])
def test_wrong_credentials(sim, auth):
    answer = token(sim, auth=auth)
    assert (answer.status_code, answer.json()) == (400, VECTORS["token_response_invalid_client"])
    sim.set(invalid_client=401)
    assert token(sim, auth=auth).status_code == 401


def test_wrong_grant_scope_and_form(sim):
    assert token(sim, grant="password").json() == {"error": "unsupported_grant_type"}
    assert token(sim, scope="urn:of:somebody:else").json() == {"error": "invalid_scope"}
    as_json = requests.post(f"{sim.url}/connect/token", json={}, auth=AUTH, timeout=3)
    assert (as_json.status_code, as_json.json()) == (400, {"error": "invalid_request"})


def test_every_terminal_call_needs_a_bearer(sim, till):
    calls = [(verb, path) for endpoint, verb, path in simulator.ROUTES if path.startswith("/ecr")]
    assert len(calls) == 10
    for verb, path in calls:
        short = path.removeprefix("/ecr/v1/").replace("{id}", "S1")
        answer = till.call(verb, short, SALE, bearer="unknown")
        assert (answer.status_code, answer.json()) == (401, VECTORS["unauthorized"]), path
    assert not sim.sessions


def test_token_expires_and_can_live_very_shortly(sim, till):
    sim.set(expires_in=2)
    till.renew()
    till.sale()
    sim.advance(seconds=2.1)
    assert till.get().status_code == 401
    till.renew()
    assert till.get().status_code == 200
    sim.set(expires_in=0)
    till.renew()
    assert till.get().status_code == 401


def test_revoked_in_the_middle(sim, till):
    till.sale()
    sim.revoke()
    assert till.get().json() == VECTORS["unauthorized"]
    till.renew()
    assert till.result()["success"]


def test_a_token_without_the_scope_opens_nothing(sim, till):
    sim.set(scope="urn:viva:payments:core:api:posmanagement")
    till.renew()
    assert till.post("sale", SALE).status_code == 401


def test_token_endpoint_down_and_behind_a_firewall(sim):
    sim.fault("token", "waf_403", times=1)
    answer = token(sim)
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (403, "text/html")
    sim.fault("token", "close_before", times=1)
    assert lost(lambda: token(sim))
    sim.fault("token", "http_503", times=2)
    assert [token(sim).status_code for _number in range(3)] == [503, 503, 200]


def test_webhook_key_needs_the_merchant(sim):
    url = f"{sim.url}/api/messages/config/token"
    assert requests.get(url, auth=MERCHANT, timeout=3).json() == {"Key": simulator.WEBHOOK_KEY}
    for auth in ((MERCHANT[0], "wrong"), AUTH, None):
        assert requests.get(url, auth=auth, timeout=3).status_code == 401


# --- headers, routes, validation ------------------------------------------------------------------


def test_all_terminal_answers_carry_vivas_headers(sim, till):
    till.sale()
    answers = [
        till.get(),
        till.get("unknown"),
        till.call("GET", "sessions"),
        till.call("POST", "devices:search", {}),
        till.abort(),
        till.post("sale", {}),
        till.post("refund", {**SALE, "sessionId": "R", "parentSessionId": "?"}),
        till.call("GET", "nowhere"),
        till.get(bearer="x"),
    ]
    expected = [1102, 1205, 1103, 1106, 1208, 1200, 1203, 0, 0]
    assert [facts(answer)[1] for answer in answers] == expected
    for answer in answers:
        assert answer.headers["server"] == "uvicorn"
        assert re.fullmatch(r"\d\d-\d{3}-[0-9A-F]{12}", answer.headers["x-viva-correlationid"])
        assert float(answer.headers["x-process-time"]) < 1


def test_unknown_paths_and_verbs(sim, till):
    assert till.call("GET", "actions").json() == {"detail": "Not Found"}
    answer = till.call("PUT", "sessions/S1")
    assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
    assert requests.get(f"{sim.url}/ecr/isv/v1/sessions", timeout=3).status_code == 404


def test_sale_is_200_with_an_empty_body(till):
    answer = till.sale()
    assert facts(answer) == (200, 1100)
    assert answer.headers["content-length"] == "0"
    assert "content-type" not in answer.headers


def test_a_missing_field_is_refused_as_in_the_sample(sim, till):
    sample = VECTORS["sale_validation_error_detail"]
    answer = till.post("sale", sample["detail"][0]["input"])
    assert (facts(answer), answer.json()) == ((400, 1200), sample)
    sim.set(validation_status=422)
    assert till.post("sale", {}).status_code == 422


@pytest.mark.parametrize("name", ["sessionId", "terminalId", "cashRegisterId", "amount", "currencyCode"])
@pytest.mark.parametrize("value", ["absent", None, "", [], {}, True, False])
def test_required_fields(sim, till, name, value):
    body = {**SALE, name: value}
    if value == "absent":
        del body[name]
    answer = till.post("sale", body)
    assert answer.status_code == 400
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", name]
    assert set(error) >= {"type", "loc", "msg", "input", "url"}
    assert not sim.sessions


@pytest.mark.parametrize("value", [0, -1, 11.7, 1170.0, "1170", "abc", 509.99999999999994, 10**20])
def test_the_amount_is_a_whole_number(till, value):
    answer = till.post("sale", {**SALE, "amount": value})
    assert answer.json()["detail"][0]["loc"] == ["body", "amount"]


def test_lax_numbers_as_pydantic_sees_them(sim, till):
    sim.set(strict_numbers=False)
    till.sale("A", amount=1170.0)
    till.sale("B", amount="1170")
    assert [charge.amount for charge in sim.charges] == [1170, 1170]
    for value in (11.7, True, "abc"):
        assert till.post("sale", {**SALE, "sessionId": "C", "amount": value}).status_code == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tipAmount", -1),
        ("tipAmount", 1.5),
        ("tipAmount", True),
        ("preauth", 1),
        ("preauth", "false"),
        ("showReceipt", 0),
        ("skipSurcharge", "no"),
        ("maxInstalments", "0"),
        ("merchantReference", 7),
        ("customerTrns", []),
        ("currencyCode", "EUR"),
        ("currencyCode", 9780),
        ("terminalId", 1.5),
        ("paymentMethod", "Cash"),
        ("saleToAcquirerData", "no base64"),
        ("fiscalisationData", "x"),
    ],
)
def test_wrong_types_are_refused(till, name, value):
    answer = till.post("sale", {**SALE, name: value})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (400, ["body", name])


def test_documented_requests_are_taken(sim, till):
    names = ("sale_request_doc_example", "sale_request_real_production", "sale_request_real_2")
    coded = base64.b64encode(b'{"applicationInfo": {}}').decode()
    optional = {**VECTORS["sale_optional_fields_seen"], "saleToAcquirerData": coded, "somethingNew": 1}
    bodies = [*(VECTORS[name] for name in names), {**SALE, **optional}]
    for body in bodies:
        assert till.post("sale", body).status_code == 200
    assert {session.terminal_id for session in sim.sessions.values()} >= {"16000010", "16217194"}
    assert sim.sessions[bodies[0]["sessionId"]].currency == "978"


def test_several_errors_at_once(till):
    errors = till.post("sale", {**SALE, "amount": "x", "cashRegisterId": ""}).json()["detail"]
    assert [error["loc"][1] for error in errors] == ["cashRegisterId", "amount"]
    assert errors[0]["ctx"] == {"min_length": 1}


@pytest.mark.parametrize(
    ("data", "kind", "error"),
    [
        (b"", "application/json", "missing"),
        (b"{", "application/json", "json_invalid"),
        (b"[1]", "application/json", "model_attributes_type"),
        (b'{"amount": NaN}', "application/json", "json_invalid"),
        (b'{"sessionId": "\\ud800"}', "application/json", "json_invalid"),
        (b"\xff\xfe", "application/json", "json_invalid"),
        (b"[" * 100_000, "application/json", "json_invalid"),
        (json.dumps(SALE).encode(), "application/x-www-form-urlencoded", "model_attributes_type"),
    ],
)
def test_bodies_that_are_no_object(sim, till, data, kind, error):
    headers = {"Authorization": f"Bearer {till.token}", "Content-Type": kind}
    url = f"{sim.url}/ecr/v1/transactions:sale"
    answer = requests.post(url, data=data, headers=headers, timeout=3)
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (400, error)


def test_a_body_that_is_too_large_is_not_read(sim, till):
    url, headers = f"{sim.url}/ecr/v1/transactions:sale", {"Authorization": f"Bearer {till.token}"}
    with socket.create_connection((sim.host, sim.port), timeout=3) as connection:
        head = f"POST /ecr/v1/transactions:sale HTTP/1.1\r\nContent-Length: {1 << 30}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert requests.post(url, data=iter([b"{}"]), headers=headers, timeout=3).status_code == 411


def test_the_session_id_is_the_idempotency_key(sim, till):
    till.sale()
    answer = till.post("sale", {**SALE, "amount": 1})
    assert facts(answer) == (409, 1201)
    assert "already exists" in answer.json()["detail"]
    sim.set(error_key="Message")
    assert "already exists" in till.post("sale", SALE).json()["Message"]
    assert sim.count_charges("S1") == 1


def test_odd_session_ids_find_their_way_through_a_path(till):
    identifier = "00001-001-0001 - é/ü?&#%41"
    till.sale(identifier)
    assert till.result(requests.utils.quote(identifier, safe=""))["sessionId"] == identifier


def test_an_unknown_terminal(sim, till):
    till.sale(terminalId="16999999")
    assert till.pending()
    sim.set(unknown_terminal="refused")
    answer = till.post("sale", {**SALE, "sessionId": "S2", "terminalId": "16999999"})
    assert answer.json()["detail"][0]["loc"] == ["body", "terminalId"]


# --- sessions -------------------------------------------------------------------------------------


def test_the_session_object_is_complete_and_typed_as_the_sample(till):
    till.sale(customerTrns="Table 4", interappCallback="finish")
    document, sample = till.result(), VECTORS["session_success_constructed"]
    assert set(SESSION_NAMES) == set(document)
    nullable = {"interappCallback"}
    for name, value in sample.items():
        if name not in nullable:
            assert type(document[name]) is type(value), name
    assert (document["success"], document["eventId"], document["amount"]) == (True, 0, 1170)
    assert (document["merchantReference"], document["customerTrns"]) == ("ORDER-1", "Table 4")
    assert re.fullmatch(r"\d{6}\*{6}\d{4}", document["primaryAccountNumberMasked"])
    assert document["orderCode"].startswith(document["shortOrderCode"])
    moment = datetime.datetime.fromisoformat(document["transactionDateTime"])
    assert moment.utcoffset() == datetime.timedelta(hours=2)
    assert abs(moment.timestamp() - time.time()) < 5


def test_a_failed_session_has_the_same_names(sim, till):
    for number, outcome in enumerate(("declined", "cancelled", "network")):
        sim.script(outcome)
        till.sale(f"F{number}")
        document = till.result(f"F{number}")
        assert set(SESSION_NAMES) == set(document)
        assert (document["orderCode"], document["shortOrderCode"]) == ("0", None)
        assert (document["tid"] is None) == (outcome != "declined")


@pytest.mark.parametrize(
    ("outcome", "options", "event"),
    [
        ("approved", {}, 0),
        ("declined", {"code": "51"}, 1006),
        ("declined_terminal", {}, 1004),
        ("declined_card", {}, 1007),
        ("cancelled", {}, 1000),
        ("aborted", {}, 1016),
        ("error", {}, 1099),
        ("error", {"event": 1110}, 1110),
        ("disconnected", {}, 3001),
        ("network", {}, 4000),
    ],
)
def test_outcomes(sim, till, outcome, options, event):
    sim.script(outcome, **options)
    till.sale()
    document = till.result()
    assert (document["success"], document["eventId"]) == (event == 0, event)
    assert document["transactionEventId"] == (10051 if event == 1006 else 0)
    assert document["message"]
    assert sim.count_charges() == (event == 0)


def test_pending_until_the_card_and_404_until_it_is_saved(sim, till):
    sim.set(saved=100, delay=200, delivery=10, window=1000)
    answer = till.sale() and till.get()
    assert (facts(answer), answer.json()["detail"]) == ((404, 1205), "Session id was not found.")
    assert till.abort().status_code == 404
    assert till.post("sale", SALE).status_code == 409
    sim.advance(seconds=101)
    answer = till.get()
    assert (answer.status_code, answer.json()) == (202, VECTORS["session_pending"])
    sim.advance(seconds=110)
    assert till.event() == (True, 0)


def test_the_steps_of_a_dialogue(sim, till):
    sim.set(delivery=10, delay=20, processing=5)
    till.sale()
    seen = []
    for seconds in (1, 10, 20, 5):
        sim.advance(seconds=seconds)
        seen.append(sim.sessions["S1"].state)
    assert seen == ["queued", "shown", "processing", "final"]
    assert sim.sessions["S1"].ended - sim.sessions["S1"].created == pytest.approx(35, abs=0.5)


def test_a_real_clock_ends_it_without_anybody_looking(sim, till):
    sim.script("approved", delay=0.2)
    till.sale()
    assert till.pending()
    sim.wait(lambda: sim.floor.books.charges)  # without Simulator.books, which lets time pass


def test_the_window_is_a_minute(sim, till):
    sim.script("wait")
    till.sale()
    sim.advance(seconds=59)
    assert till.pending()
    sim.advance(seconds=2)
    assert till.event() == (False, 1003)
    assert not sim.present(FIRST)


def test_timeout_by_script(sim, till):
    sim.script("timeout")
    sim.set(window=0.1)
    till.sale()
    sim.wait(lambda: not till.pending())
    assert till.event() == (False, 1003)


def test_a_person_at_the_terminal(sim, till):
    sim.script("wait", default=True)
    assert not sim.present(FIRST)
    till.sale("A")
    assert till.pending("A")
    assert sim.present(FIRST, tip=100)
    till.sale("B")
    assert sim.present(outcome="declined", code="54")
    till.sale("C")
    assert sim.cancel(FIRST)
    assert [till.event(name) for name in "ABC"] == [(True, 0), (False, 1006), (False, 1000)]
    assert (till.result("A")["amount"], till.result("A")["tipAmount"]) == (1270, 100)
    assert sim.taken() == 1270


def test_202_for_ever(sim, till):
    sim.script("never")
    till.sale()
    till.later(days=3)
    assert till.pending()
    till.sale("NEXT")
    assert till.event("NEXT") == (True, 0)


@pytest.mark.parametrize("change", [{"condition": "asleep"}, {"status_id": 5}, {"status_id": 2}])
def test_a_terminal_that_does_not_hear(sim, till, change):
    sim.terminal(FIRST, **change)
    till.sale()
    till.later(hours=2)
    assert till.pending()
    sim.terminal(FIRST, condition="awake", status_id=1)
    till.later(hours=2)
    assert till.pending()
    till.sale("AWAKE")
    assert till.event("AWAKE") == (True, 0)


def test_a_disconnected_terminal(sim, till):
    sim.terminal(FIRST, "disconnected")
    till.sale()
    assert till.event() == (False, 3000)


def test_one_session_on_a_terminal(sim, till):
    sim.script("wait", default=True)
    till.sale("A")
    till.sale("B")
    till.sale("C", terminalId=SECOND)
    assert till.event("B") == (False, 1100)
    assert till.result("B")["message"] == "There is already a request in progress"
    assert till.pending("A") and till.pending("C")
    sim.present(FIRST)
    sim.present(SECOND)
    assert sim.count_charges() == 2


def test_two_tills_at_the_same_moment(sim, till):
    sim.script("wait", default=True)
    names = [f"P{number}" for number in range(8)]
    threads = [threading.Thread(target=till.sale, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sum(till.pending(name) for name in names) == 1


def test_the_same_session_id_at_the_same_moment(sim, till):
    found, lock = [], threading.Lock()

    def ask():
        answer = till.post("sale", SALE)
        with lock:
            found.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sorted(found) == [200] + [409] * 7
    assert sim.count_charges("S1") == 1


@pytest.mark.parametrize(
    ("amount", "event", "code"), [(9951, 1006, 10051), (9905, 1006, 10005), (9900, 0, 0), (9999, 1006, 10099)]
)
def test_magic_amounts(till, amount, event, code):
    till.sale(amount=amount)
    document = till.result()
    assert (document["eventId"], document["transactionEventId"]) == (event, code)


def test_iris(sim, till):
    till.sale("A", amount=734)
    till.sale("B", amount=735)
    document = till.result("A")
    told = (document["success"], document["transactionTypeId"], document["bankId"])
    assert told == (True, 60, "NET_IRIS")
    assert till.event("B") == (False, 1006)
    sim.set(magic=False)
    till.sale("C", amount=735)
    assert till.result("C")["transactionTypeId"] == 5


def test_a_script_is_stronger_than_magic(sim, till):
    sim.script("approved")
    till.sale(amount=9951)
    assert till.event() == (True, 0)


def test_the_minimum(sim, till):
    till.sale("A", amount=29)
    till.sale("B", amount=30)
    assert (till.event("A"), till.event("B")) == ((False, 6000), (True, 0))
    sim.set(minimum_as="refused")
    answer = till.post("sale", {**SALE, "sessionId": "C", "amount": 29})
    assert answer.json()["detail"][0]["loc"] == ["body", "amount"]
    sim.set(minimum=0)
    till.sale("C", amount=29)


def test_tips(sim, till):
    till.sale("A", tipAmount=170)
    assert (till.result("A")["amount"], till.result("A")["tipAmount"]) == (1170, 170)
    sim.script("approved", tip=50)
    till.sale("B", tipAmount=170)
    assert (till.result("B")["amount"], till.result("B")["tipAmount"]) == (1220, 220)
    sim.terminal(FIRST, tip=30)
    till.sale("C")
    assert (till.result("C")["amount"], till.result("C")["tipAmount"]) == (1200, 30)
    till.sale("D", tipAmount=1170)
    till.sale("E", tipAmount=1, preauth=True)
    assert till.event("D") == till.event("E") == (False, 6000)
    assert [charge.tip for charge in sim.charges] == [170, 220, 30]


@pytest.mark.parametrize(
    ("name", "values", "event"),
    [
        ("moto", {"paymentMethod": "MOTO"}, 5000),
        ("instalments", {"maxInstalments": 3}, 5001),
        ("preauth", {"preauth": True}, 5002),
        ("qr", {"paymentMethod": "QrDefault"}, 5003),
        ("tip", {"tipAmount": 1}, 5005),
        ("sale", {}, 5006),
    ],
)
def test_missing_capabilities(sim, till, name, values, event):
    sim.set(missing=[name])
    till.sale(**values)
    assert till.event() == (False, event)


def test_list_of_a_utc_day(sim, till):
    sim.move_clock("2026-03-01T23:59:30Z")
    till.renew()
    till.sale("BEFORE")
    sim.advance(seconds=31)
    till.sale("AFTER")
    sim.script("never")
    till.sale("PENDING")

    def listed(**query):
        return [row["sessionId"] for row in till.call("GET", "sessions", params=query).json()]

    assert listed(date="2026-03-01") == ["BEFORE"]
    assert listed() == listed(date="2026-03-02") == ["AFTER"]
    assert listed(date="2026-03-03") == listed(AadeAutonomouslyOnly="true") == []
    assert till.result("BEFORE")["transactionDateTime"].startswith("2026-03-02T01:59:30")
    sim.set(list_pending=True)
    assert listed() == ["AFTER", "PENDING"]
    for wrong in ("2026-02-30", "20260301", "x"):
        answer = till.call("GET", "sessions", params={"date": wrong})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (400, ["query", "date"])


def test_devices(sim, till):
    sim.terminal(SECOND, status_id=0)
    rows = till.call("POST", "devices:search", {}).json()
    sample = dict(VECTORS["devices_search_response_isv"][0])
    sample.pop("merchantId")
    assert rows[0] == sample
    assert [row["terminalId"] for row in rows] == [FIRST, SECOND]
    alive = till.call("POST", "devices:search", {"statusId": 1}).json()
    source = till.call("POST", "devices:search", {"sourceCode": "543680"}).json()
    assert (alive, source) == (rows[:1], rows[1:])
    assert till.call("POST", "devices:search", {"statusId": "1"}).status_code == 400


# --- abort ----------------------------------------------------------------------------------------


def test_abort(sim, till):
    sim.script("wait")
    till.sale()
    answer = till.abort()
    assert (facts(answer), answer.content) == ((200, 1104), b"")
    document = till.result()
    assert (document["success"], document["eventId"]) == (False, 1016)
    assert document["abortOperation"] and document["abortSuccess"] and document["abortAckTime"]
    till.sale("NEXT")
    assert till.event("NEXT") == (True, 0)


def test_abort_is_refused(sim, till):
    sim.script("wait")
    sim.set(abort_seconds=30)
    till.sale()
    assert facts(till.abort("unknown")) == (404, 1207)
    other = till.abort(register="REG-2")
    assert facts(other) == (403, 1206)
    assert "Only cash register" in other.json()["detail"]
    missing = till.call("DELETE", "sessions/S1")
    assert missing.json()["detail"][0]["loc"] == ["query", "cashRegisterId"]
    assert till.abort().status_code == 200
    again = till.abort()
    assert facts(again) == (409, 1208)
    assert "already started" in again.json()["detail"]


@pytest.mark.parametrize("status", [409, 404, 200])
def test_abort_of_a_finished_session(sim, till, status):
    sim.set(finished_abort=status)
    till.sale()
    assert till.abort().status_code == status
    assert till.event() == (True, 0)


def test_slow_abort(sim, till):
    sim.script("wait")
    sim.set(abort_seconds=20)
    till.sale()
    till.abort()
    assert till.pending()
    sim.advance(seconds=21)
    assert till.event() == (False, 1016)


def test_a_card_before_a_slow_abort_wins(sim, till):
    sim.script("wait")
    sim.set(abort_seconds=20)
    till.sale()
    till.abort()
    sim.present(FIRST)
    sim.advance(seconds=21)
    document = till.result()
    assert (document["success"], document["abortOperation"], document["abortSuccess"]) == (True, True, False)
    assert sim.count_charges("S1") == 1


@pytest.mark.parametrize("by", ["script", "setting"])
def test_an_abort_that_loses_the_race(sim, till, by):
    sim.script("wait", **({"abort": "lose"} if by == "script" else {}))
    if by == "setting":
        sim.set(abort="lose")
    till.sale()
    assert till.abort().status_code == 200
    assert till.event() == (True, 0)
    assert sim.count_charges("S1") == 1


def test_an_abort_while_the_card_is_read_is_too_late(sim, till):
    sim.set(processing=30)
    till.sale()
    assert till.abort().status_code == 200
    assert till.pending()
    sim.advance(seconds=31)
    assert till.event() == (True, 0)


def test_an_abort_without_effect(sim, till):
    sim.set(abort="ignore")
    sim.script("wait")
    till.sale()
    till.abort()
    assert till.pending()
    sim.advance(seconds=61)
    assert till.event() == (False, 1003)


@pytest.mark.parametrize("how", ["paymentMethod", "script", "asleep"])
def test_nothing_aborts_a_qr_screen_or_a_session_that_never_arrived(sim, till, how):
    sim.script("wait", qr=how == "script")
    if how == "asleep":
        sim.terminal(FIRST, "asleep")
    till.sale(**({"paymentMethod": "QrDefault"} if how == "paymentMethod" else {}))
    assert till.abort().status_code == 200
    till.later(hours=1)
    assert till.pending()
    assert sim.present(FIRST) == (how != "asleep")


# --- refunds and pre-authorisations ---------------------------------------------------------------


def test_a_full_refund_needs_no_card(sim, till):
    sim.script("wait", default=True)
    till.sale()
    sim.present(FIRST)
    answer = till.refund("R1")
    assert facts(answer) == (200, 1101)
    document = till.result("R1")
    assert (document["success"], document["transactionTypeId"], document["panEntryMode"]) == (True, 4, "00")
    assert document["transactionId"] != till.result()["transactionId"]
    assert (sim.taken(), sim.returned("S1"), sim.net()) == (1170, 1170, 0)
    till.refund("R2")
    assert till.event("R2") == (False, 1008)


def test_partial_refunds_and_what_remains(sim, till):
    till.sale()
    till.refund("R1", amount=1000)
    till.refund("R2", amount=171)
    till.refund("R3", amount=170)
    assert [till.event(name)[1] for name in ("R1", "R2", "R3")] == [0, 1009, 0]
    assert (sim.returned("S1"), sim.net(), sim.count_charges(kind="refund")) == (1170, 0, 2)


def test_refund_from_another_terminal_and_register(sim, till):
    till.sale()
    till.refund("R1", terminalId=SECOND, cashRegisterId="REG-9", amount=100)
    sim.set(other_terminal_refunds=False)
    till.refund("R2", terminalId=SECOND, amount=100)
    assert [till.event(name)[1] for name in ("R1", "R2")] == [0, 1008]


def test_refund_takes_its_time_and_occupies_the_terminal(sim, till):
    till.sale()
    sim.set(refund_seconds=10)
    till.refund("R1")
    till.sale("S2")
    assert till.event("S2") == (False, 1100)
    assert till.pending("R1") and till.abort("R1").status_code == 200
    sim.advance(seconds=11)
    assert till.event("R1") == (True, 0)


def test_refunds_that_cannot_be(sim, till):
    refused = till.post("refund", {**SALE, "sessionId": "R0", "parentSessionId": "unknown"})
    assert (facts(refused), refused.json()["detail"]) == ((404, 1203), "Parent session not found.")
    assert till.post("refund", {**SALE, "sessionId": "R0"}).status_code == 400
    sim.script("declined")
    till.sale("DECLINED")
    till.refund("R1", "DECLINED")
    assert till.event("R1") == (False, 1008)
    sim.script("wait")
    till.sale("ABORTED")
    pending = {**SALE, "sessionId": "R2", "parentSessionId": "ABORTED"}
    assert facts(till.post("refund", pending)) == (409, 1204)
    sim.set(parent_status=400)
    assert facts(till.post("refund", pending)) == (400, 1204)
    till.abort("ABORTED")
    assert facts(till.post("refund", pending)) == (404, 1203)
    till.sale("PAID")
    till.refund("R3", "PAID", currencyCode="826")
    till.refund("R4", "PAID")
    till.refund("R5", "R4")
    assert [till.event(name)[1] for name in ("R3", "R4", "R5")] == [6000, 0, 1008]
    assert facts(till.post("refund", {**pending, "sessionId": "R4", "parentSessionId": "PAID"})) == (
        409,
        1202,
    )


def test_refunds_switched_off(sim, till):
    till.sale()
    sim.set(refunds=False)
    till.refund("R1")
    sim.set(refunds=True, missing=["cancel"])
    till.refund("R2")
    assert [till.event(name)[1] for name in ("R1", "R2")] == [1014, 5004]
    assert sim.returned() == 0


def test_a_refund_that_is_declined_by_script(sim, till):
    till.sale()
    sim.script("declined", kind="refund")
    till.sale("S2")
    till.refund("R1")
    assert [till.event(name)[1] for name in ("S2", "R1")] == [0, 1006]


def test_void_on_the_same_day(sim, till):
    sim.set(void_same_day=True)
    sim.move_clock("2026-03-01T12:00:00Z")
    till.renew()
    till.sale("A")
    till.sale("B")
    till.refund("RA", "A")
    till.refund("RB", "B", amount=1)
    till.later(days=1)
    till.sale("C")
    till.later(days=1)
    till.refund("RC", "C")
    assert [till.result(name)["transactionTypeId"] for name in ("RA", "RB", "RC")] == [7, 4, 4]


@pytest.mark.parametrize("what", ["unreferenced-refund", "fast-refund", "rebate"])
def test_money_back_to_a_card_that_is_presented(sim, till, what):
    sim.script("wait")
    till.sale("U", what=what)
    assert till.pending("U")
    sim.present(FIRST)
    document = till.result("U")
    assert (document["success"], document["panEntryMode"]) == (True, "07")
    assert (sim.taken(), sim.returned(), sim.net()) == (0, 1170, -1170)


def test_a_pre_authorisation_and_its_capture(sim, till):
    till.sale("P", preauth=True)
    document = till.result("P")
    assert (document["preauth"], document["transactionTypeId"]) == (True, 1)
    assert (sim.count_charges(), sim.report()["reserved"]) == (0, {"P": 1170})
    assert facts(till.refund("C1", "P", "preauth-completion", amount=1171)) == (200, 1108)
    till.refund("C0", "P", "preauth-completion", currencyCode="826")
    assert till.event("C0") == (False, 1017)
    till.refund("C2", "P", "preauth-completion", amount=900)
    till.refund("C3", "P", "preauth-completion", amount=100)
    assert [till.event(name)[1] for name in ("C1", "C2", "C3")] == [1017, 0, 1017]
    assert till.result("C2")["transactionTypeId"] == 0
    assert (sim.taken("C2"), sim.taken(), sim.count_charges()) == (900, 900, 1)
    till.refund("R", "C2", amount=900)
    assert (till.event("R"), sim.net()) == ((True, 0), 0)
    unknown = {**SALE, "sessionId": "C4", "parentSessionId": "unknown"}
    assert facts(till.post("preauth-completion", unknown)) == (404, 1213)
    again = {**SALE, "sessionId": "C2", "parentSessionId": "P"}
    assert facts(till.post("preauth-completion", again)) == (409, 1212)


def test_a_pre_authorisation_is_released(sim, till):
    till.sale("P", preauth=True)
    till.refund("R1", "P", amount=1)
    till.refund("R2", "P")
    till.refund("C", "P", "preauth-completion")
    assert [till.event(name)[1] for name in ("R1", "R2", "C")] == [1009, 0, 1017]
    assert (sim.report()["reserved"], sim.charges) == ({}, [])


def test_a_sale_cannot_be_captured(till):
    till.sale()
    till.refund("C", "S1", "preauth-completion")
    assert till.event("C") == (False, 1017)


def test_the_legacy_api_lists_and_refunds(sim, till):
    till.sale()
    identifier = till.result()["transactionId"]
    url = f"{sim.url}/api/transactions"

    def ask(verb, path, auth=MERCHANT):
        return requests.request(verb, f"{url}{path}", auth=auth, timeout=3)

    listed = ask("GET", f"/?ordercode={till.result()['orderCode']}").json()
    assert set(listed) == set(VECTORS["legacy_transactions_by_ordercode_empty"])
    assert [(row["TransactionId"], row["Amount"]) for row in listed["Transactions"]] == [(identifier, 11.7)]
    assert ask("GET", "/?ordercode=1").json()["Transactions"] == []
    refund = ask("DELETE", f"/{identifier}?amount=1000").json()
    assert (refund["Success"], refund["Amount"], sim.returned("S1")) == (True, -10.0, 1000)
    assert set(refund) | {"ThreeDSecureStatusId"} == set(VECTORS["legacy_refund_failed"])
    assert ask("DELETE", f"/{identifier}?amount=171").json()["ErrorCode"] == 502
    sim.set(api_refunds=False)
    assert ask("DELETE", f"/{identifier}?amount=1").json()["ErrorCode"] == 403
    assert ask("GET", "", auth=None).status_code == 401
    till.refund("R", amount=171)
    assert till.event("R") == (False, 1009)


# --- final is not quite final ---------------------------------------------------------------------


def test_declined_then_approved_in_the_same_session(sim, till, shop):
    sim.script("declined", flip=10)
    till.sale()
    assert (till.event(), sim.count_charges("S1")) == ((False, 1006), 0)
    sim.advance(seconds=11)
    assert (till.event(), sim.count_charges("S1")) == ((True, 0), 1)
    sim.wait(lambda: len(shop.calls) == 4)
    assert shop.events() == [1798, 1803, 1796, 1802]


def test_declined_then_approved_in_a_second_transaction(sim, till, shop):
    sim.script("declined", flip=10, flip_as="second")
    till.sale()
    first = till.result()["transactionId"]
    sim.advance(seconds=11)
    assert (till.event(), sim.count_charges("S1")) == ((False, 1006), 1)
    sim.wait(lambda: len(shop.calls) == 3)
    paid = shop.data(1796)
    assert (paid["MerchantTrns"], paid["StatusId"]) == ("ORDER-1", "F")
    assert paid["TransactionId"] != first
    url = f"{sim.url}/api/transactions?date={datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"
    rows = requests.get(url, auth=MERCHANT, timeout=3).json()["Transactions"]
    assert [row["StatusId"] for row in rows] == ["E", "F"]


def test_money_moves_although_the_session_failed(sim, till):
    sim.script("network", charged=True)
    till.sale()
    assert (till.event(), sim.count_charges("S1")) == ((False, 4000), 1)


@pytest.mark.parametrize("shows", ["success", "failed"])
def test_approved_then_reversed(sim, till, shop, shows):
    sim.script("approved", reversal=3, reversal_shows=shows)
    till.sale()
    assert (till.event(), sim.net()) == ((True, 0), 1170)
    sim.advance(seconds=4)
    sim.wait(lambda: len(shop.calls) == 3)
    assert shop.events() == [1796, 1802, 1797]
    back = shop.data(1797)
    assert (back["ParentId"], back["Amount"]) == (shop.data(1796)["TransactionId"], -11.7)
    assert (sim.net(), sim.count_charges("S1"), sim.returned("S1")) == (0, 1, 1170)
    assert till.event()[0] == (shows == "success")


def test_another_amount_is_taken(sim, till):
    sim.script("approved", amount=1000)
    till.sale()
    assert (till.result()["amount"], sim.taken()) == (1000, 1000)


def test_a_debit_is_counted_once_for_a_session(sim, till):
    sim.script("declined", flip=1, charged=True)
    till.sale()
    sim.advance(seconds=2)
    assert (till.event(), sim.count_charges("S1")) == ((True, 0), 1)


# --- faults ---------------------------------------------------------------------------------------

AFTER = ["close_after", "reset_after"]
BEFORE = ["close_before", "reset_before"]


@pytest.mark.parametrize("name", AFTER + BEFORE)
def test_the_answer_to_a_sale_is_lost(sim, till, name):
    sim.fault("sale", name, times=1)
    assert lost(till.sale)
    taken = name in AFTER
    assert sim.count_charges("S1") == taken
    assert till.post("sale", SALE).status_code == (409 if taken else 200)
    assert sim.count_charges("S1") == 1
    first = next(entry for entry in sim.requests if entry["endpoint"] == "sale")
    assert (first["status"], first["fault"]) == (None, name)


def test_a_sale_answers_later_than_the_till_waits(sim, till):
    sim.fault("sale", "late_answer", times=1, seconds=30)
    assert lost(lambda: till.sale(timeout=0.3))
    assert till.event() == (True, 0)


def test_silence(sim, till):
    sim.fault("session", "silence", times=1, seconds=30)
    till.sale()
    assert lost(lambda: till.get(timeout=0.2))
    assert till.event() == (True, 0)


@pytest.mark.parametrize(
    ("name", "status", "event", "processed"),
    [
        ("http_500", 500, "1300", True),
        ("http_503", 503, "1400", False),
        ("html_502", 502, None, True),
        ("html_503", 503, None, False),
        ("html_200", 200, None, True),
        ("empty_200", 200, None, True),
        ("waf_403", 403, None, False),
        ("unauthorized", 401, "0", False),
        ("rate_limited", 429, None, False),
        ("not_found", 404, "1205", False),
        ("redirect", 307, None, False),
    ],
)
def test_bursts_of_somebody_elses_answers(sim, till, name, status, event, processed):
    sim.fault("sale", name, times=1)
    answer = till.post("sale", SALE)
    assert (answer.status_code, answer.headers.get("X-Viva-EventId")) == (status, event)
    assert sim.count_charges("S1") == processed
    sim.fault("session", name, times=2)
    till.sale("S2", terminalId=SECOND)
    assert [till.get("S2").status_code for _number in range(3)] == [status, status, 200]


def test_who_is_answered_by_a_proxy_may_have_been_heard_or_not(sim, till):
    sim.fault("sale", "http_503", times=1, processed=True)
    assert (till.post("sale", SALE).status_code, sim.count_charges("S1")) == (503, 1)


def test_empty_200_on_a_get(sim, till):
    till.sale()
    sim.fault("session", "empty_200", times=1)
    answer = till.get()
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "name", ["truncated_json", "garbage_body", "invalid_utf8", "deep_json", "array", "duplicate_keys"]
)
def test_bodies_that_are_not_well_formed(sim, till, name):
    sim.script("declined")
    till.sale()
    sim.fault("session", name, times=1)
    content = till.get().content
    if name == "duplicate_keys":
        assert json.loads(content)["success"] is True
    elif name == "array":
        assert json.loads(content)[0]["success"] is False
    else:
        with pytest.raises((ValueError, RecursionError)):
            json.loads(content.decode())
    assert till.event() == (False, 1006)


@pytest.mark.parametrize("name", ["reset_midway", "short_body", "garbage"])
def test_answers_that_break_off(sim, till, name):
    till.sale()
    sim.fault("session", name, times=1)
    assert lost(till.get)
    assert till.event() == (True, 0)


@pytest.mark.parametrize("name", ["drip_headers", "drip_body"])
def test_a_drip_never_times_out_but_takes_long(sim, till, name):
    till.sale()
    sim.fault("session", name, times=1, interval=0.01, step=50)
    start = time.monotonic()
    assert till.get(timeout=0.2).json()["success"]
    assert time.monotonic() - start > 0.04


@pytest.mark.parametrize("declared", [True, False])
def test_oversize(sim, till, declared):
    till.sale()
    sim.fault("session", "oversize", times=1, mib=2, declared=declared)
    answer = till.get()
    assert len(answer.content) > 2 << 20
    assert ("Content-Length" in answer.headers) == declared


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("wrong_amount", "amount", 1171),
        ("wrong_currency", "currencyCode", "826"),
        ("wrong_type", "transactionTypeId", 79),
        ("wrong_terminal", "terminalId", "99999999"),
        ("wrong_reference", "merchantReference", "SOMEBODY-ELSE"),
        ("no_success", "success", "absent"),
        ("null_success", "success", None),
        ("text_success", "success", "True"),
        ("unknown_event", "eventId", 9999),
        ("contradiction", "eventId", 1006),
        ("extra_fields", "apiVersion", 2.1),
        ("full_pan", "primaryAccountNumberMasked", "4111111111111111"),
    ],
)
def test_documents_that_say_something_else(sim, till, name, field, value):
    till.sale()
    sim.fault("session", name, times=1)
    assert till.get().json().get(field, "absent") == value
    assert till.get().json() == sim.session_rows()[0]["document"]


def test_the_session_of_another_terminal(sim, till):
    till.sale()
    sim.fault("session", "other_session", times=1)
    assert till.result()["sessionId"] == "somebody-else"
    till.sale("S2", terminalId=SECOND, amount=5)
    till.sale("S3")
    sim.fault("session", "other_session", times=1)
    document = till.result()
    assert (document["sessionId"], document["terminalId"]) == ("S2", SECOND)


def test_faults_are_checked_and_cleared(sim, till):
    wrong = [("nowhere", "html_502", {}), ("sale", "unheard_of", {}), ("sale", "html_502", {"times": 0})]
    for endpoint, name, options in [*wrong, ("sale", "html_502", {"colour": "red"})]:
        with pytest.raises(ValueError):
            sim.fault(endpoint, name, **options)
    sim.fault("*", "html_502")
    assert till.get().status_code == till.post("sale", SALE).status_code == 502
    sim.clear_faults()
    assert till.get().status_code == 200


# --- webhooks -------------------------------------------------------------------------------------


def test_registration_looks_for_the_key(sim):
    shop = Shop()
    shop.key = "another"
    with pytest.raises(ValueError, match="another key"):
        sim.register(shop.url)
    shop.key = simulator.WEBHOOK_KEY
    assert sim.register(shop.url)["verified"] is True
    shop.key = "another"
    assert sim.verify() == {shop.url: False}
    shop.server.shutdown()
    shop.server.server_close()
    with pytest.raises(ValueError, match="could not be verified"):
        sim.register(shop.url)
    assert sim.register(shop.url, prove=False)["verified"] is None
    with pytest.raises(ValueError, match="http"):
        sim.register("https://example.com")


def test_a_payment_is_told(sim, till, shop):
    till.sale(customerTrns="Table 4", tipAmount=170)
    sim.wait(lambda: len(shop.calls) == 2)
    path, headers, _raw = shop.calls[0]
    assert (path, headers["Content-Type"][:16]) == ("/hook?token=t", "application/json")
    assert not [name for name in headers if "sign" in name.lower() or name.lower() == "authorization"]
    first = shop.told()[0]
    sample = VECTORS["webhook_envelope"]
    assert set(first) == set(sample)
    for name in ("Delay", "RetryCount", "RetryDelayInSeconds", "MessageTypeId", "EventTypeId"):
        assert first[name] == sample[name], name
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", first["Created"])
    assert (first["Url"], first["RecipientId"]) == (shop.url, simulator.MERCHANT_ID)


def test_1796_has_numbers_and_major_units_and_no_session(sim, till, shop):
    till.sale(amount=4200, tipAmount=170, customerTrns="Table 4")
    sim.wait(lambda: len(shop.calls) == 2)
    data, session = shop.data(1796), till.result()
    sample = VECTORS["webhook_1796_doc_example"]["EventData"]
    assert set(data) == set(VECTORS["webhook_1796_eventdata_fields"])
    assert "SessionId" not in data
    assert (data["Amount"], data["TipAmount"], data["MerchantTrns"]) == (42.0, 1.7, "ORDER-1")
    assert (data["TerminalId"], data["OrderCode"]) == (int(FIRST), int(session["orderCode"]))
    assert (data["StatusId"], data["ResponseCode"], data["TransactionTypeId"]) == ("F", "00", 5)
    assert (data["TransactionId"], data["FullName"]) == (session["transactionId"], None)
    for name in ("Moto", "TerminalId", "OrderCode", "StatusId", "ReferenceNumber", "CurrencyCode"):
        assert type(data[name]) is type(sample[name]), name
    assert re.fullmatch(r"\d{6}X{6}\d{4}", data["CardNumber"])


def test_1802_is_the_session_in_minor_units(sim, till, shop):
    till.sale()
    sim.wait(lambda: len(shop.calls) == 2)
    data, sample = shop.data(1802), VECTORS["webhook_1802_doc_example"]["EventData"]
    assert set(data) >= set(sample)
    for name, value in sample.items():
        assert type(data[name]) is type(value), name
    assert (data["SessionId"], data["Amount"], data["Success"]) == ("S1", 1170, True)


def test_1798_and_1803(sim, till, shop):
    sim.script("declined", code="51")
    till.sale()
    sim.wait(lambda: len(shop.calls) == 2)
    failed, session = shop.data(1798), shop.data(1803)
    told = (failed["StatusId"], failed["ResponseCode"], failed["ResponseEventId"])
    assert (told, failed["MerchantTrns"]) == (("E", "51", 10051), "ORDER-1")
    assert (session["Success"], session["EventId"], session["SessionId"]) == (False, 1006, "S1")
    sim.set(failed_reference=False)
    sim.script("declined")
    till.sale("S2")
    sim.wait(lambda: len(shop.calls) == 4)
    assert "MerchantTrns" not in shop.told()[2]["EventData"]


def test_a_cancel_is_only_told_by_1803(sim, till, shop):
    sim.script("cancelled")
    till.sale()
    till.sale("S2")
    sim.wait(lambda: len(shop.calls) == 3)
    assert sorted(shop.events()) == [1796, 1802, 1803]


def test_a_refund_is_told_by_1797(sim, till, shop):
    till.sale()
    till.refund("R1", amount=170)
    sim.wait(lambda: len(shop.calls) == 4)
    data = shop.data(1797)
    assert (data["Amount"], data["ParentId"]) == (-1.7, till.result()["transactionId"])
    assert data["TransactionTypeId"] == 4


def test_only_registered_events_are_sent(sim, till, shop):
    sim.register(shop.url)  # anew: without 1802 and 1803
    till.sale()
    sim.wait(lambda: shop.calls)
    assert [message["event"] for message in sim.webhooks] == [1796]
    sim.unregister(shop.url)
    till.sale("S2")
    assert len(sim.webhooks) == 1


def test_retries_keep_the_message_id(sim, till, shop):
    sim.register(shop.url)
    shop.answers = [500, 404, 302]
    till.sale()
    for number in range(1, 4):
        sim.wait(lambda number=number: len(sim.webhooks[0]["attempts"]) == number)
        assert not sim.webhooks[0]["delivered"]
        sim.advance(minutes=59)
        assert len(sim.webhooks[0]["attempts"]) == number
        sim.advance(minutes=1.1)
    sim.wait(lambda: sim.webhooks[0]["delivered"])
    told = shop.told()
    assert [message["RetryCount"] for message in told] == [0, 1, 2, 3]
    assert [message["RetryDelayInSeconds"] for message in told] == [None, 3600, 3600, 3600]
    assert len({message["MessageId"] for message in told}) == 1
    attempts = sim.webhooks[0]["attempts"]
    assert [attempt["status"] for attempt in attempts] == [500, 404, 302, 200]
    assert attempts[0]["answer"] == "answered"
    assert not [path for path, _headers, _raw in shop.calls if path == "/elsewhere"]
    sim.advance(days=2)
    assert len(shop.calls) == 4


def test_retries_end(sim, till, shop):
    sim.register(shop.url)
    sim.set(retries=2, retry_seconds=0.01)
    shop.answers = [500] * 10
    till.sale()
    sim.wait(lambda: len(sim.webhooks[0]["attempts"]) == 3)
    sim.advance(days=9)
    assert [len(message["attempts"]) for message in sim.webhooks] == [3]
    assert sim.retry() == [1]
    sim.wait(lambda: len(shop.calls) == 4)
    assert shop.told()[3]["RetryCount"] == 3


def test_a_shop_that_does_not_answer(sim, till, shop):
    sim.register(shop.url)
    sim.set(webhook_timeout=0.1, retries=0)
    shop.during = lambda: time.sleep(0.5)
    till.sale()
    sim.wait(lambda: sim.webhooks[0]["attempts"])
    attempt = sim.webhooks[0]["attempts"][0]
    assert (attempt["status"], attempt["error"][:12]) == (None, "TimeoutError")


def test_before_the_answer_to_the_sale(sim, till, shop):
    sim.set(webhooks="before", delay=100, delivery=100, saved=100)
    seen, answered = [], threading.Event()

    def look():
        seen.append((answered.is_set(), till.get().status_code))

    shop.during = look
    till.sale()
    answered.set()
    assert seen == [(False, 200)] * 2
    assert sim.settings["delay"] == 100


def test_no_webhooks(sim, till, shop):
    sim.set(webhooks="never")
    till.sale()
    assert till.event() == (True, 0)
    assert (sim.webhooks, shop.calls) == ([], [])


def test_late_webhooks(sim, till, shop):
    sim.set(webhook_delay=600)
    till.sale()
    assert (till.event(), shop.calls) == ((True, 0), [])
    sim.advance(seconds=601)
    sim.wait(lambda: len(shop.calls) == 2)


@pytest.mark.parametrize("parallel", [True, False])
def test_duplicates(sim, till, shop, parallel):
    sim.register(shop.url)
    sim.set(webhook_copies=6, webhook_parallel=parallel)
    together = threading.Barrier(6)
    shop.during = (lambda: together.wait(5)) if parallel else None
    till.sale()
    sim.wait(lambda: len(shop.calls) == 6)
    assert len({message["MessageId"] for message in shop.told()}) == 1
    assert shop.most == (6 if parallel else 1)


def test_out_of_order_by_delay(sim, till, shop):
    sim.set(webhook_delay={1796: 30, "1797": 0})
    sim.script("approved", reversal=3)
    till.sale()
    sim.advance(seconds=10)
    sim.wait(lambda: len(shop.calls) == 2)
    sim.advance(seconds=30)
    sim.wait(lambda: len(shop.calls) == 3)
    assert shop.events()[-1] == 1796


def test_held_and_released_in_reverse(sim, till, shop):
    sim.set(webhooks="hold")
    sim.script("declined", flip=1)
    till.sale()
    sim.advance(seconds=2)
    assert [message["held"] for message in sim.webhooks] == [True] * 4
    assert not shop.calls
    sim.release(order="reversed")
    sim.wait(lambda: len(shop.calls) == 4)
    assert shop.events() == [1802, 1796, 1803, 1798]


def test_webhooks_of_one_session_keep_their_order(sim, till, shop):
    shop.during = lambda: time.sleep(0.02)
    sim.script("declined", flip=0)
    till.sale()
    sim.wait(lambda: len(shop.calls) == 4)
    assert shop.events() == [1798, 1803, 1796, 1802]


def _twisted(sim, till, shop, name):
    sim.register(shop.url)
    sim.twist(name)
    till.sale()
    till.sale("S2", terminalId=SECOND)
    sim.wait(lambda: len(shop.calls) == 2)
    raws = [raw for _path, _headers, raw in shop.calls]
    straight = next(raw for raw in raws if b'"TransactionId"' in raw and b'"TerminalId": 16000011' in raw)
    assert json.loads(straight)["EventData"]["MerchantTrns"] == "ORDER-1"  # only the first was bent
    return next(raw for raw in raws if raw is not straight)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("wrong_terminal", "TerminalId", 99999999),
        ("foreign_reference", "MerchantTrns", "Web shop order 1000"),
        ("no_reference", "MerchantTrns", "absent"),
        ("wrong_amount", "Amount", 117.0),
        ("text_numbers", "Amount", "11.7"),
    ],
)
def test_twisted_event_data(sim, till, shop, name, field, value):
    data = json.loads(_twisted(sim, till, shop, name))["EventData"]
    assert data.get(field, "absent") == value


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("no_event_data", lambda envelope: "EventData" not in envelope),
        ("null_event_data", lambda envelope: envelope["EventData"] is None),
        ("list_event_data", lambda envelope: isinstance(envelope["EventData"], list)),
        ("no_message_id", lambda envelope: "MessageId" not in envelope),
        ("foreign_event", lambda envelope: envelope["EventTypeId"] == 2054),
        ("array", lambda envelope: envelope == [1796]),
    ],
)
def test_twisted_envelopes(sim, till, shop, name, wrong):
    assert wrong(json.loads(_twisted(sim, till, shop, name)))


@pytest.mark.parametrize("name", ["not_json", "not_utf8", "deep"])
def test_webhooks_that_are_not_json(sim, till, shop, name):
    with pytest.raises((ValueError, RecursionError)):
        json.loads(_twisted(sim, till, shop, name).decode())


def test_a_huge_webhook(sim, till, shop):
    assert len(_twisted(sim, till, shop, "huge")) > 2 << 20


def test_every_twist_has_been_tried():
    source = pathlib.Path(__file__).read_text()
    assert not [name for name in simulator.TWISTS if f'"{name}"' not in source]
    assert not [name for name in simulator.FAULTS if f'"{name}"' not in source]


def test_forged_content(sim, till, shop):
    sim.twist("forged", times=2)
    sim.script("declined")
    till.sale()
    sim.wait(lambda: len(shop.calls) == 2)
    assert (shop.data(1796)["StatusId"], shop.data(1802)["Success"]) == ("F", True)
    assert (till.event(), sim.count_charges()) == ((False, 1006), 0)


def test_fired_by_hand(sim, till, shop):
    till.sale()
    sim.wait(lambda: len(shop.calls) == 2)
    sim.fire(768, data={"Amount": 5})
    sim.fire(1796, session_id="S1", data={"Amount": 1.0}, url=shop.url)
    sim.fire(1803, session_id="S1", twist="not_json")
    sim.wait(lambda: len(shop.calls) == 5)
    told = {raw for _path, _headers, raw in shop.calls[2:]}
    by_hand = [json.loads(raw) for raw in told if raw.startswith(b"{")]
    data = {message["EventTypeId"]: message["EventData"] for message in by_hand}
    assert (data[768], data[1796]["Amount"]) == ({"Amount": 5}, 1.0)
    assert data[1796]["TransactionId"] == till.result()["transactionId"]
    with pytest.raises(KeyError):
        sim.fire(1796, session_id="unknown")


# --- books, control API, page, program ------------------------------------------------------------


def test_requests_are_logged_without_secrets(sim, till):
    till.sale()
    token(sim, auth=None, client_id=AUTH[0], client_secret=AUTH[1])
    requests.get(f"{sim.url}/api/messages/config/token", auth=MERCHANT, timeout=3)
    entry = next(item for item in sim.requests if item["endpoint"] == "sale")
    assert (entry["method"], entry["path"]) == ("POST", "/ecr/v1/transactions:sale")
    assert json.loads(entry["body"]) == SALE
    assert (entry["status"], entry["event_id"], entry["session_id"]) == (200, 1100, "S1")
    assert entry["headers"]["authorization"] == "Bearer ***"
    everything = json.dumps(sim.requests)
    coded = base64.b64encode(":".join(MERCHANT).encode()).decode()
    for secret in (AUTH[1], MERCHANT[1], till.token, coded):
        assert secret not in everything
    assert (sim.count_requests(), sim.count_requests("sale"), sim.count_requests("token")) == (4, 1, 2)


def test_the_books_by_http(sim, till):
    till.sale()
    till.refund("R", amount=170)
    books = steer(sim, "books").json()
    assert [(row["kind"], row["amount"]) for row in books["charges"]] == [("sale", 1170), ("refund", 170)]
    assert (books["net"], books["taken"], books["returned"]) == ({"978": 1000}, 1170, 170)
    assert (books["counts"]["sale"], books["counts"]["refund"]) == (1, 1)
    assert [row["sessionId"] for row in steer(sim, "sessions").json()] == ["S1", "R"]
    assert len(steer(sim, "requests").json()) == 3
    assert steer(sim, "webhooks").json() == []
    assert sim.count_charges(reference="ORDER-1") == 1
    assert sim.count_charges(reference="ORDER-2") == 0


def test_steering_by_http(sim, till, shop):
    verbs = [
        ("script", {"outcome": "wait"}),
        ("fault", {"endpoint": "session", "name": "html_502", "times": 1}),
        ("set", {"window": 30, "webhook_delay": {"1796": 0}}),
        ("terminal", {"terminal": SECOND, "condition": "asleep"}),
        ("twist", {"name": "huge"}),
        ("verify", {}),
        ("unregister", {}),
        ("register", {"url": shop.url}),
        ("fire", {"event": 768}),
        ("release", {}),
        ("retry", {}),
        ("clear_faults", {}),
        ("advance", {"seconds": 1}),
        ("move_clock", {"moment": "2026-03-01T00:00:00Z"}),
        ("cancel", {}),
    ]
    for name, body in verbs:
        answer = steer(sim, name, body)
        assert answer.status_code == 200, answer.text
    till.renew()
    till.sale()
    assert steer(sim, "present", {"terminal": FIRST, "outcome": "declined", "code": "51"}).json()["result"]
    assert till.event() == (False, 1006)
    assert steer(sim, "revoke", {}).status_code == 200
    assert till.get().status_code == 401
    assert steer(sim, "state").json()["now"].startswith("2026-03-01T00:00")
    assert steer(sim, "reset", {"everything": True}).status_code == 200
    assert {name for name, _body in verbs} | {"present", "revoke", "reset"} == set(simulator.VERBS)


def test_steering_refuses_what_makes_no_sense(sim):
    wrong = [
        ("script", {"outcome": "explode"}),
        ("script", {"outcome": "approved", "colour": "red"}),
        ("script", {"outcome": "approved", "tip": -1}),
        ("script", {"outcome": "approved", "kind": "coffee"}),
        ("set", {"unheard_of": 1}),
        ("set", {"window": -1}),
        ("set", {"refunds": 1}),
        ("set", {"abort": "maybe"}),
        ("set", {"missing": ["legs"]}),
        ("twist", {"name": "unheard_of"}),
        ("terminal", {"terminal": FIRST, "condition": "dancing"}),
        ("release", {"order": "random"}),
        ("move_clock", {"moment": "tomorrow"}),
        ("present", {"terminal": FIRST, "colour": "red"}),
        ("register", {}),
    ]
    for name, body in wrong:
        assert steer(sim, name, body).status_code == 400, (name, body)
    assert steer(sim, "terminal", {"terminal": "unknown"}).status_code == 404
    assert steer(sim, "stop", {}).status_code == 404
    headers = {"Content-Type": "text/plain"}
    url = f"{sim.url}/_simulator/revoke"
    assert requests.post(url, data="{}", headers=headers, timeout=3).status_code == 415


def test_reset_keeps_tokens_and_addresses(sim, till, shop):
    sim.set(window=5)
    sim.fault("*", "html_502")
    sim.script("declined", default=True)
    sim.terminal(FIRST, "asleep")
    sim.reset()
    till.sale()
    assert (till.event(), sim.count_requests("sale")) == ((True, 0), 1)
    sim.wait(lambda: len(shop.calls) == 2)
    sim.reset(everything=True)
    assert (sim.charges, sim.sessions, sim.webhooks, sim.requests) == ([], {}, [], [])
    assert (till.get().status_code, sim.mailer.hooks) == (401, [])


def test_settings_of_the_constructor_survive_a_reset():
    sim = simulator.Simulator(script="wait", terminals=[7], delay=1, minimum=0, seed=4)
    sim.set(minimum=50, delay=3)
    sim.reset()
    assert (sim.settings["minimum"], sim.settings["delay"]) == (0, 1)
    assert (sim.floor.default.outcome, list(sim.floor.terminals)) == ("wait", ["7"])
    with pytest.raises(ValueError):
        simulator.Simulator(colour="red")
    with pytest.raises(ValueError):
        simulator.Simulator(host="192.0.2.1")


def test_a_seed_makes_ids_repeatable():
    found = []
    for _number in range(2):
        with simulator.Simulator(seed=4) as sim:
            Till(sim).sale()
            found.append(sim.transactions[0].id)
    assert found[0] == found[1]


def test_a_clock_that_stands_still():
    with simulator.Simulator(speed=0, delay=5) as sim:
        till = Till(sim)
        till.sale()
        assert till.pending()
        sim.advance(seconds=5)
        assert till.event() == (True, 0)


def test_the_page_in_two_languages(sim, till):
    sim.script("wait", default=True)
    till.sale(merchantReference="<b>ORDER</b>")
    english = requests.get(f"{sim.url}/", timeout=3, headers={"Accept-Language": "en"}).text
    french = requests.get(f"{sim.url}/", timeout=3, headers={"Accept-Language": "fr-FR"}).text
    assert "Present a card" in english and "11.70 €" in english
    assert "Présenter une carte" in french and "11,70 €" in french
    assert "<b>ORDER" not in english


def _press(sim, action, terminal=None, **headers):
    form = {"action": action, **({"terminal": terminal} if terminal else {})}
    return requests.post(f"{sim.url}/?lang=en", data=form, timeout=3, headers=headers)


def test_the_buttons_of_the_page(sim, till, shop):
    assert "Cards only" in _press(sim, "person").text
    till.sale("A")
    _press(sim, "tip", FIRST)
    till.sale("B")
    _press(sim, "declined", FIRST)
    till.sale("C")
    _press(sim, "cancelled", FIRST)
    till.sale("D")
    page = _press(sim, "paid", FIRST).text
    assert [till.event(name)[1] for name in "ABCD"] == [0, 1006, 1000, 0]
    assert till.result("A")["amount"] == 1270
    assert "12.70 €" in page and "ORDER-1" in page
    sim.wait(lambda: len(shop.calls) == 7)
    page = requests.get(f"{sim.url}/?lang=en", timeout=3).text
    assert page.count("<td>1796</td>") == 2
    assert _press(sim, "lost").ok and lost(lambda: till.sale("E"))
    assert _press(sim, "asleep", SECOND).text.count("asleep)") == 1
    assert _press(sim, "reset").ok and not sim.charges


def test_every_button_works_and_no_foreign_page_may_press_one(sim):
    for action in simulator.ACTIONS:
        assert _press(sim, action, FIRST).status_code == 200, action
    assert _press(sim, "unheard_of").status_code == 200
    assert _press(sim, "hour", Origin="http://evil.example").status_code == 403
    assert _press(sim, "hour", Origin=sim.url).status_code == 200


def test_stop_ends_threads_and_frees_the_port():
    before = set(threading.enumerate())
    sim = simulator.Simulator(delay=50).start()
    till = Till(sim)
    till.sale()
    sim.fault("session", "silence", seconds=60)
    asking = threading.Thread(target=lambda: lost(lambda: till.get(timeout=20)), daemon=True)
    asking.start()
    sim.wait(lambda: sim.count_requests("session") == 1)
    start = time.monotonic()
    sim.stop()
    sim.stop()
    asking.join(2)
    assert time.monotonic() - start < 2
    sim.wait(lambda: set(threading.enumerate()) <= before, 2)
    with socket.create_server((sim.host, sim.port)):
        with pytest.raises(OSError):
            sim.start()
    sim.clear_faults()
    with sim:
        assert till.pending()


def test_stop_ends_webhooks_under_way():
    shop, enough = Shop(), threading.Event()
    shop.during = lambda: enough.wait(20)
    sim = simulator.Simulator().start()
    sim.register(shop.url, simulator.EVENTS)
    Till(sim).sale()
    sim.wait(lambda: shop.running)
    start = time.monotonic()
    sim.stop()
    assert time.monotonic() - start < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "viva-webhook"]
    enough.set()
    shop.server.shutdown()
    shop.server.server_close()


def test_start_twice_is_an_error(sim):
    with pytest.raises(RuntimeError):
        sim.start()


class Program:
    """The simulator as a program, and the lines it says."""

    def __init__(self, *words):
        command = [sys.executable, str(FILE), "--port", "0", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.facts = json.loads(self.process.stdout.readline())
        self.said = self.process.stdout.readline()
        self.url = self.facts["url"]

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=10)
        return self.process.returncode


def test_the_program():
    words = [
        "--script",
        "decline:0",
        "--terminal",
        "42",
        "--fault",
        "session=http_503:1",
        "--set",
        "minimum=5",
    ]
    program = Program(*words, "--client-secret", "other")
    try:
        device = program.facts["devices"][0]["id"]
        assert (device, "terminals" in program.facts, program.url in program.said) == ("42", False, True)
        values = {"grant_type": "client_credentials"}
        auth = (program.facts["account"]["client_id"], "other")
        granted = requests.post(f"{program.url}/connect/token", data=values, auth=auth, timeout=3).json()
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        body = {**SALE, "terminalId": "42", "amount": 5}
        url = f"{program.url}/ecr/v1"
        assert requests.post(f"{url}/transactions:sale", json=body, headers=headers, timeout=3).ok
        answers = [requests.get(f"{url}/sessions/S1", headers=headers, timeout=3) for _number in range(2)]
        assert [answer.status_code for answer in answers] == [503, 200]
        assert answers[1].json()["eventId"] == 1006
    finally:
        assert program.end() == 0


@pytest.mark.parametrize(
    "words", [["--script", "explode"], ["--fault", "x"], ["--set", "window=-1"], ["--host", "0.0.0.0"]]
)
def test_the_program_refuses_a_bad_command_line(words):
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    command = [sys.executable, str(FILE), "--port", "0", *words]
    done = subprocess.run(command, capture_output=True, timeout=20, env=environment, text=True)
    assert (done.returncode, "usage:" in done.stderr) == (2, True)
