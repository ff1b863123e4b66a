"""What the tests of this addon share:

a company that speaks with a simulator over real HTTP, and two kinds of cases.
"""

import logging
import uuid
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from unittest.mock import patch

from odoo import SUPERUSER_ID, api, fields
from odoo.modules.registry import Registry
from odoo.tests import HttpCase, new_test_user
from odoo.tests.common import BaseCase, get_db_name
from odoo.tools import mute_logger

from .simulator import Simulator

API_KEY = "sk-test-5f0e7b9a2c41"


def settings_for(simulator, **values):
    """Return company values that make a company speak with ``simulator``."""
    return {
        "servipay_environment": "demo",
        "servipay_allow_private": True,
        "servipay_base_url": simulator.url,
        "servipay_pos_id": "POS1",
        "servipay_api_key": API_KEY,
        "servipay_terminal_pid": "T1",
        "servipay_timeout": 30,
        **values,
    }


class Catcher(logging.Handler):
    """Keeps what a handler at the end of the logging chain would write."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        """Keep one line, as it would be written."""
        self.lines.append(self.format(record))


class WithSimulator:
    """Mixin: one simulator per class, as it was on its first day for every test."""

    @classmethod
    def _start_simulator(cls, **options):
        cls.simulator = Simulator(api_key=API_KEY, **options).start()
        cls.addClassCleanup(cls.simulator.stop)

    def setUp(self):
        super().setUp()
        self.simulator.reset()

    def values(self, **values):
        """Return the values of a purchase of 12.34 EUR with a new key."""
        return {
            "company_id": self.company.id,
            "provider": "paypercloud",
            "channel": "tester",
            "kind": "purchase",
            "amount": 12.34,
            "currency_id": self.eur.id,
            "idempotency_key": uuid.uuid4().hex,
            **values,
        }


class ApiCase(WithSimulator, HttpCase):
    """Inside Odoo's test transaction.

    HttpCase, as it makes new cursors part of that transaction in all series.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._start_simulator()
        cls.eur = cls.env.ref("base.EUR")
        cls.eur.active = True
        cls.company = cls.env["res.company"].create({"name": "Card shop", "currency_id": cls.eur.id})
        cls.company.write(settings_for(cls.simulator))
        cls.env.user.company_ids += cls.company
        cls.env = cls.env(context={**cls.env.context, "allowed_company_ids": [cls.company.id]})
        cls.manager = cls._user("servipay_manager", "paypercloud_servipay.group_manager")
        cls.reader = cls._user("servipay_reader", "paypercloud_servipay.group_user")
        cls.company.servipay_responsible_id = cls.manager
        cls.operations = cls.env["servipay.operation"]
        cls.terminal = cls.env["servipay.terminal"].create(
            {"name": "Counter", "company_id": cls.company.id, "pid": "T1"}
        )

    @classmethod
    def _user(cls, login, groups):
        return new_test_user(
            cls.env, login, groups=groups, company_id=cls.company.id, company_ids=[(6, 0, cls.company.ids)]
        )

    def purchase(self, **values):
        """Open and send a purchase and return it."""
        operation = self.operations._open(self.values(**values))
        operation._start()
        return operation

    def paid(self, **values):
        """Return an approved purchase."""
        operation = self.purchase(**values)
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        return operation

    def logs(self, operation):
        """Return the log rows of an operation, oldest first."""
        return self.env["servipay.api.log"].search([("operation_id", "=", operation.id)], order="id")

    def make_overdue(self, operation):
        """Let the deadline of an operation pass."""
        operation.write({"deadline_at": fields.Datetime.now() - timedelta(seconds=1)})
        self.env.flush_all()


class CommittedCase(WithSimulator, BaseCase):
    """Outside any test transaction: real commits, real rollbacks, real collisions. Cleans up what it made."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._start_simulator(terminals=("T1", "T2", "R1", "R2", "R3", "R4"))
        cls.registry = Registry(get_db_name())
        # Odoo holds this lock while it runs tests; a thread that makes an environment would wait for it for
        # ever
        locked = patch.object(Registry, "_lock", nullcontext())
        locked.start()
        cls.addClassCleanup(locked.stop)
        with cls.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            eur = env.ref("base.EUR")
            eur.active = True
            company = env["res.company"].create(
                {"name": f"Committed shop {uuid.uuid4().hex[:8]}", "currency_id": eur.id}
            )
            company.write(settings_for(cls.simulator))
            cls.company, cls.eur = _Id(company.id), _Id(eur.id)
        cls.addClassCleanup(cls._clean)

    @classmethod
    def _clean(cls):
        with cls.registry.cursor() as cr:
            for table in ("api_log", "notification"):
                cr.execute(f"DELETE FROM servipay_{table} WHERE company_id = %s", [cls.company.id])
            cr.execute("SELECT id FROM servipay_operation WHERE company_id = %s", [cls.company.id])
            ids = [row[0] for row in cr.fetchall()]
            cr.execute(
                "DELETE FROM mail_message WHERE model = 'servipay.operation' AND res_id = ANY(%s)", [ids]
            )
            cr.execute(
                "DELETE FROM mail_activity WHERE res_model = 'servipay.operation' AND res_id = ANY(%s)", [ids]
            )
            cr.execute(
                "DELETE FROM mail_followers WHERE res_model = 'servipay.operation' AND res_id = ANY(%s)",
                [ids],
            )
            cr.execute("DELETE FROM servipay_operation WHERE company_id = %s", [cls.company.id])
            cr.execute("DELETE FROM servipay_terminal WHERE company_id = %s", [cls.company.id])
            env = api.Environment(cr, SUPERUSER_ID, {})
            company = env["res.company"].browse(cls.company.id)
            try:
                with cr.savepoint(), mute_logger("odoo.sql_db"):
                    company.unlink()
            except Exception:  # pylint: disable=broad-except
                company.active = False  # other addons gave it records of their own

    @contextmanager
    def environment(self, uid=SUPERUSER_ID):
        """Yield an environment on a real cursor; rolled back at the end like a request that failed."""
        with self.registry.cursor() as cr:
            yield self.env_on(cr, uid)
            cr.rollback()

    def env_on(self, cr, uid=SUPERUSER_ID):
        """Return an environment of the test's company on a cursor."""
        return api.Environment(cr, uid, {"allowed_company_ids": [self.company.id]})

    def stored(self, operation_id, *names):
        """Return field values as another, later request sees them."""
        with self.environment() as env:
            return env["servipay.operation"].browse(operation_id).read(list(names))[0]

    def count(self, model, domain):
        """Return a count as another, later request sees it."""
        with self.environment() as env:
            return env[model].search_count(domain)


class _Id:
    """An id that outlives the cursor it was read with."""

    def __init__(self, number):
        self.id = number
