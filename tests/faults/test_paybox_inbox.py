"""Nothing is lost or done twice: the server dies between storing and applying, copies come at once.

A real prefork server with two workers, the platform's simulator, real commits."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools.context import Context
from tools.running import RunningSuite

SCRIPT = """
import json, os
company = env.ref("base.main_company")
partner = env["res.users"].search([("login", "=", "portal")]).partner_id
line = {"name": "Buffet", "price_unit": 120.0, "tax_ids": [(5, 0, 0)]}
invoice = env["account.move"].create({
    "move_type": "out_invoice", "partner_id": partner.id, "invoice_date": "2026-01-15",
    "invoice_line_ids": [(0, 0, line)]})
invoice.action_post()
provider = env["payment.provider"].search([("code", "=", "paybox"), ("company_id", "=", company.id)], limit=1)
transaction = env["payment.transaction"].create({
    "provider_id": provider.id, "payment_method_id": env.ref("payment.payment_method_card").id,
    "reference": invoice.name.replace("/", "-") + "-f", "amount": 120, "currency_id": invoice.currency_id.id,
    "partner_id": partner.id, "operation": "online_redirect", "invoice_ids": [(6, 0, invoice.ids)]})
env["ir.config_parameter"].set_param("web.base.url", os.environ["SERVIPAY_URL"])
values = transaction._get_specific_rendering_values({})
with open(os.environ["SERVIPAY_TARGET"], "w") as target:
    json.dump({"fields": values["fields"], "reference": transaction.reference, "invoice": invoice.id,
               "transaction": transaction.id}, target)
env.cr.commit()
print("done")
"""


@pytest.fixture(scope="module")
def context():
    """The context of the `dev` command that started the tests."""
    found = Context.from_environment()
    yield found
    found.close()


@pytest.fixture
def suite(context):
    """The suite on two workers, without scheduled jobs."""
    with RunningSuite(context, purpose="faultspb", workers=2, cron_threads=0) as running:
        yield running


class Payment:
    """A payment whose customer is on the platform's page."""

    def __init__(self, suite):
        self.suite, self.platform = suite, suite.simulators["payment_paybox"]["url"]
        from tools import odoo

        script = suite.context.state / "fault-payment.py"
        target = suite.context.state / "fault-payment.json"
        script.write_text(SCRIPT)
        url = f"http://127.0.0.1:{suite.server.http_port}"
        odoo.shell(suite.context, suite.database, script, "fault", SERVIPAY_TARGET=target, SERVIPAY_URL=url)
        self.facts = json.loads(target.read_text())

    def call(self, path, **body):
        """POST to the simulator's control API."""
        request = urllib.request.Request(f"{self.platform}/_simulator/{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def post(self, path, data):
        """POST a form to the page as a browser does, without following where it leads."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_arguments):
                return None

        request = urllib.request.Request(self.platform + path, urllib.parse.urlencode(data).encode())
        try:
            return urllib.request.build_opener(Stay).open(request, timeout=60).read().decode()
        except urllib.error.HTTPError as error:
            return error.headers.get("Location", "")

    def pay(self):
        """Pay on the page; the notification goes out."""
        page = self.post("/php/", [tuple(pair) for pair in self.facts["fields"]])
        number = page.partition('action="/_page/')[2].partition('"')[0]
        self.post(f"/_page/{number}", {"choice": "ok", "action": "pay"})

    def sql(self, query):
        """Return the first value of a query."""
        return self.suite.sql(query)[0][0]

    def state(self):
        """Return (state of the inbox row, of the transaction, number of payments)."""
        number = self.facts["transaction"]
        inbox = self.suite.sql("SELECT state FROM servipay_notification WHERE provider = 'paybox'")
        return (
            [row[0] for row in inbox],
            self.sql(f"SELECT state FROM payment_transaction WHERE id = {number}"),
            int(self.sql(f"SELECT count(*) FROM account_payment WHERE payment_transaction_id = {number}")),
        )


def hold(suite, number, seconds):
    """Hold the lock of a transaction's row, as a long accounting job would; returns the process."""
    database = suite.context.database
    lock = f"SELECT id FROM payment_transaction WHERE id = {number} FOR UPDATE"
    query = f"BEGIN; {lock}; SELECT pg_sleep({seconds});"
    command = [str(database.psql), "-X", *database.arguments(suite.database), "-c", query]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **database.secret})
    waiting = (
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{suite.database}' "
        f"AND query LIKE '%pg_sleep({seconds})%' AND pid <> pg_backend_pid()"
    )
    suite.wait_until(lambda: int(suite.sql(waiting)[0][0]) >= 1, what="the lock")
    return process


def test_killed_between_storing_and_applying(suite):
    """kill -9 of everything after the acknowledgement: the job applies the message, once."""
    payment = Payment(suite)
    holder = hold(suite, payment.facts["transaction"], 45)
    payment.pay()
    suite.wait_until(lambda: payment.state()[0] == ["received"], what="the stored message")
    os.killpg(suite.server.process.popen.pid, signal.SIGKILL)
    suite.server.process.popen.wait()
    holder.terminate()
    holder.wait()
    suite.server.stop()
    assert payment.state() == (["received"], "draft", 0)

    suite.server.configuration["max_cron_threads"] = 1
    suite.server.start(fresh_log=False)
    suite.wait_until(lambda: payment.state() == (["processed"], "done", 1), 240, "the job's work")
    payment.call("notify", reference=payment.facts["reference"])
    assert payment.state() == (["processed"], "done", 1)


def test_two_hundred_copies_at_once(suite):
    """200 copies of one notification in parallel: one row, one effect."""
    payment = Payment(suite)
    payment.call("set", notify="never")
    payment.pay()
    payment.call("notify", reference=payment.facts["reference"], copies=200, parallel=True)
    suite.wait_until(lambda: payment.state() == (["processed"], "done", 1), 60, "the one effect")
    copies = int(payment.sql("SELECT copies FROM servipay_notification WHERE provider = 'paybox'"))
    with urllib.request.urlopen(f"{payment.platform}/_simulator/books", timeout=10) as answer:
        (note,) = json.load(answer)["notifications"]
    # the kernel may turn some away when 200 come at once; whoever got through was acknowledged and counted
    acknowledged = note["answers"].count(200)
    assert len(note["answers"]) == 200 and acknowledged >= 100, note["answers"]
    assert not [answer for answer in note["answers"] if isinstance(answer, int) and answer != 200]
    assert copies == acknowledged
    assert payment.state() == (["processed"], "done", 1)
    residual = payment.sql(f"SELECT amount_residual FROM account_move WHERE id = {payment.facts['invoice']}")
    assert float(residual) == 0
