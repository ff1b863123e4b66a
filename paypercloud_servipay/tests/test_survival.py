"""What must outlive the request: with real commits, real rollbacks and real collisions, against real HTTP."""

import threading
from unittest.mock import patch

import psycopg2

from odoo.exceptions import UserError
from odoo.service.model import MAX_TRIES_ON_CONCURRENCY_FAILURE, retrying
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import CommittedCase


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestSurvival(CommittedCase):
    def test_rollback_leaves_operation_and_log(self):
        values = self.values()
        with self.environment() as env:
            operation = env["servipay.operation"]._open(values)
            operation._start()
            operation_id = operation.id
            env["res.partner"].create({"name": "forgotten"})
        self.assertEqual(self.stored(operation_id, "state")["state"], "pending")
        self.assertEqual(self.count("servipay.api.log", [("operation_id", "=", operation_id)]), 1)
        self.assertEqual(self.count("res.partner", [("name", "=", "forgotten")]), 0)
        self.assertEqual(self.simulator.count_charges(), 1)

    def test_five_tries_one_charge(self):
        """Odoo runs the request again after each collision, until its fifth and last try.

        Money moves once.
        """
        tester_id = self.make_tester()
        tries = []

        def request():
            tries.append(1)
            env = self.request_env
            env["servipay.api.tester"].browse(tester_id).action_call()
            if len(tries) < MAX_TRIES_ON_CONCURRENCY_FAILURE:
                self.collide(env)

        with self.environment() as env:
            self.request_env = env
            # the clock: Odoo waits up to 30 s between its tries
            with patch("odoo.service.model.time.sleep"), mute_logger("odoo.sql_db", "odoo.service.model"):
                retrying(request, env)
        self.assertEqual(len(tries), MAX_TRIES_ON_CONCURRENCY_FAILURE)
        self.assertEqual(self.simulator.count_charges(), 1)
        with self.environment() as env:
            key = env["servipay.api.tester"].browse(tester_id).intent_key
            operation = env["servipay.operation"].search([("idempotency_key", "=", key)])
            self.assertEqual(operation.mapped("state"), ["pending"])
        self.settle(operation.id)

    def test_request_that_fails_for_good_still_has_its_operation(self):
        tester_id = self.make_tester()

        def request():
            self.request_env["servipay.api.tester"].browse(tester_id).action_call()
            self.collide(self.request_env)

        with self.environment() as env:
            self.request_env = env
            with patch("odoo.service.model.time.sleep"), mute_logger("odoo.sql_db", "odoo.service.model"):
                with self.assertRaises(psycopg2.OperationalError):
                    retrying(request, env)
        self.assertEqual(self.simulator.count_charges(), 1)
        with self.environment() as env:
            tester = env["servipay.api.tester"].browse(tester_id)
            self.assertEqual(tester.result_state, "pending")
            self.assertTrue(tester.result_operation_id.external_ref)
            operation_id = tester.result_operation_id.id
        self.settle(operation_id)

    def test_eight_starts_at_once_one_charge(self):
        """The same intent from eight threads: one row, one request, one charge."""
        values = self.values()
        found = self.in_threads(8, lambda env: self.start(env, values))
        self.assertEqual(len(set(found)), 1)
        self.settle(found[0])
        self.assertEqual(self.simulator.count_charges(), 1)
        self.assertEqual(len([r for r in self.simulator.requests if r["endpoint"] == "purchase"]), 1)

    def test_one_terminal_eight_intents(self):
        """Eight intents on one terminal at once:

        one is sent, seven are told that it is held, none is in doubt.
        """
        with self.environment() as env:
            company = env["res.company"].browse(self.company.id)
            terminal_id = env["servipay.terminal"]._find_or_new(company, "paypercloud", "T2")._stored_id()
        self.simulator.script("never_ends", default=True)
        self.addCleanup(self.simulator.script, "approved", default=True)
        found = self.in_threads(8, lambda env: self.start(env, self.values(terminal_id=terminal_id)))
        states = sorted(self.stored(operation_id, "state")["state"] for operation_id in found)
        self.assertEqual(states, ["failed"] * 7 + ["pending"])

    def test_health_of_a_terminal_makes_no_answer_collide(self):
        """Many answers about one terminal at once: each is applied at its first try; one notes the health."""
        [terminal_id] = self.make_terminals("T1")
        with self.environment() as early:
            terminal = early["servipay.terminal"].browse(terminal_id)
            self.assertFalse(terminal.last_error)  # the snapshot is taken
            before = terminal.last_latency
            with self.registry.cursor() as cr:
                self.env_on(cr)["servipay.terminal"].browse(terminal_id)._note_contact(None, "no answer")
            terminal._note_contact(12.3)
            early.cr.execute("SELECT 1")  # the transaction goes on
        with self.environment() as env:
            terminal = env["servipay.terminal"].browse(terminal_id)
            self.assertEqual((terminal.last_error, terminal.last_latency), ("no answer", before))

    def test_parallel_refunds_never_exceed_the_payment(self):
        with self.environment() as env:
            paid = env["servipay.operation"]._open(self.values())
            paid._start()
            paid_id = paid.id
        self.settle(paid_id)

        # each on a terminal of its own: the simulator would refuse a second one on the same
        terminals = self.make_terminals("R1", "R2", "R3", "R4")
        values = {"kind": "refund", "amount": 10, "original_id": paid_id}
        wanted = [self.values(**values, terminal_id=terminal_id) for terminal_id in terminals]
        found = self.in_threads(4, lambda env: self.refund_or_refusal(env, wanted))
        self.assertFalse(self.errors)
        opened = [number for number in found if number != "refused"]
        states = [self.stored(number, "state")["state"] for number in opened]
        self.assertEqual([state for state in states if state != "failed"], ["pending"], states)
        self.assertEqual(self.requests("refund"), 1, "the others were refused here, not by the provider")
        self.assertEqual(self.simulator.net("EUR"), 234)

    def test_parallel_drafts_never_exceed_the_payment(self):
        """Four refunds that were opened and not sent, and are sent at the same moment: one leaves."""
        with self.environment() as env:
            paid = env["servipay.operation"]._open(self.values())
            paid._start()
            paid_id = paid.id
        self.settle(paid_id)
        values = {"kind": "refund", "amount": 10, "original_id": paid_id}
        with self.environment() as env:
            drafts = [
                env["servipay.operation"]._open(self.values(**values, terminal_id=terminal_id)).id
                for terminal_id in self.make_terminals("R1", "R2", "R3", "R4")
            ]
        waiting = list(drafts)
        self.in_threads(4, lambda env: env["servipay.operation"].browse(waiting.pop())._start())
        self.assertFalse(self.errors)
        found = sorted(self.stored(number, "state")["state"] for number in drafts)
        self.assertEqual(found, ["failed", "failed", "failed", "pending"])
        self.assertEqual(self.requests("refund"), 1)
        self.assertEqual(self.simulator.net("EUR"), 234)

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    def start(self, env, values):
        operation = env["servipay.operation"]._open(values)
        operation._start()
        return operation.id

    def refund_or_refusal(self, env, wanted):
        try:
            return self.start(env, wanted.pop())
        except UserError:
            return "refused"

    def requests(self, endpoint):
        return len([request for request in self.simulator.requests if request["endpoint"] == endpoint])

    def make_terminals(self, *pids):
        with self.environment() as env:
            company = env["res.company"].browse(self.company.id)
            terminals = env["servipay.terminal"]
            return [terminals._find_or_new(company, "paypercloud", pid)._stored_id() for pid in pids]

    def settle(self, operation_id):
        with self.environment() as env:
            env["servipay.operation"].browse(operation_id)._inquire()
        self.assertEqual(self.stored(operation_id, "state")["state"], "approved")

    def make_tester(self):
        with self.registry.cursor() as cr:
            env = self.env_on(cr)
            endpoint = env.ref("paypercloud_servipay.profile_default").endpoint_ids.filtered(
                lambda endpoint: endpoint.key == "purchase"
            )
            return (
                env["servipay.api.tester"]
                .create(
                    {
                        "company_id": self.company.id,
                        "endpoint_id": endpoint.id,
                        "amount": 7,
                        "currency_id": self.eur.id,
                    }
                )
                .id
            )

    def collide(self, env):
        """Make PostgreSQL refuse the request's transaction for real:

        another one has changed the row meanwhile.
        """
        env.cr.execute("SELECT name FROM res_company WHERE id = %s", [self.company.id])
        with self.registry.cursor() as cr:
            cr.execute("UPDATE res_company SET name = name WHERE id = %s", [self.company.id])
        env.cr.execute("UPDATE res_company SET name = name WHERE id = %s", [self.company.id])

    def in_threads(self, number, work):
        """Run ``work(env)`` in ``number`` threads at once, each with its own cursor; return the results."""
        barrier, results = threading.Barrier(number), [None] * number

        def run(index):
            threading.current_thread().dbname = self.registry.db_name
            barrier.wait()
            try:
                with self.environment() as env:
                    results[index] = work(env)
            except Exception as error:  # pylint: disable=broad-except
                errors.append(error)

        errors = self.errors = []
        with mute_logger("odoo.sql_db"):
            threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(number)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        self.assertFalse([thread for thread in threads if thread.is_alive()], "a thread hangs")
        return [result for result in results if result]
