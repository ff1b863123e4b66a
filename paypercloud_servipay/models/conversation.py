"""A provider's dialogue outside any request: no cursor is open while it waits.

A card dialogue lasts up to three minutes. It runs in a thread (a greenlet in the process that serves
/websocket), takes a short transaction for each step and sleeps without one. Whatever kills it, the operation
is in the database, and its deadline makes it "unknown" (architecture 3.1 and 5).
"""

import threading
import time

import psycopg2
from psycopg2.pool import PoolError

from odoo.modules import module as odoo_module

from ..api import states
from ..api.masking import get_logger
from .own_transaction import in_own_transaction
from .servipay_api_log import rows_held_back
from .turns import DIALOGUE, OUTCOME

_logger = get_logger(__name__)

# How long a conversation stays with an operation whose answer was lost; the scheduled job goes on afterwards.
FOLLOW_UNKNOWN = 150  # seconds
LONGEST_NAP = 5  # seconds: news that came another way (a notification, another process) end the conversation
DATABASE_SECONDS = 120  # that an answer waits for a database that does not take it
SHORTEST_NAP = 0.2  # seconds: an inquiry that another process has taken does not make us spin
_followed = set()  # (database, operation id) of this process


class Conversation:
    """One operation's dialogue. ``env`` is an environment or a ``Detached``."""

    def __init__(self, env, operation_id):
        self.env, self.operation_id = env, operation_id

    @property
    def name(self):
        """Identify the conversation in this process."""
        return self.env.registry.db_name, self.operation_id

    def apart(self, method, *args, urgency=DIALOGUE):
        """Call a method of the operation in a transaction of its own."""
        return in_own_transaction(
            self.env,
            lambda env: getattr(env["servipay.operation"].browse(self.operation_id), method)(*args),
            urgency,
        )

    def perform(self, step):
        """Plan in the database, speak without a cursor, apply in the database."""
        plan = self.apart("_plan", step)
        with rows_held_back():
            self._keep(plan() if callable(plan) else plan, step)

    def _keep(self, finding, step):
        """Apply what was learned. It is in memory only: a database that restarts is waited for."""
        end = time.monotonic() + DATABASE_SECONDS
        while True:
            try:
                self.apart("_apply", finding, step, urgency=OUTCOME)
                return
            except (psycopg2.OperationalError, psycopg2.InterfaceError, PoolError):
                if time.monotonic() > end:
                    raise
                _logger.warning("an answer about operation %s waits for the database", self.operation_id)
                time.sleep(1)

    def send(self):
        """Send what was claimed; a cancellation that was wished for meanwhile follows."""
        self.perform("send")
        if self.apart("_claim_wished_cancel"):
            self.revoke()

    def revoke(self):
        """Pass on a wish for cancellation that was claimed."""
        self.perform("cancel")

    def ask(self):
        """Make an inquiry that was claimed."""
        self.perform("inquire")

    def inquire(self, also_settled=False):
        """Ask what became of it, if there is something to ask; return whether there was."""
        step = self.apart("_claim_step", also_settled)
        if step:
            self.perform(step)
        return bool(step)

    def look(self):
        """Ask at once, whatever is known: the provider has news."""
        return self.inquire(also_settled=True)

    def follow(self):
        """Ask at the provider's rhythm until the outcome is known or only the scheduled job goes on."""
        end = None
        while True:
            over = end and time.monotonic() > end
            state, wait, step = self.apart("_pulse_and_claim", not over)
            if step:
                self.perform(step)
            elif state not in states.UNSETTLED or (end and time.monotonic() + wait > end):
                return
            if state == "unknown" and end is None:
                end = time.monotonic() + FOLLOW_UNKNOWN
            time.sleep(min(max(wait, SHORTEST_NAP), LONGEST_NAP))


def converse(conversation, *steps):
    """Run the steps one after the other in the background; within a test, here and now.

    A conversation that this process already follows is not followed twice.
    """
    if odoo_module.current_test:
        for step in steps:
            if step != "follow":
                getattr(conversation, step)()
        return
    thread = threading.Thread(target=_run, args=(conversation, steps), name="servipay", daemon=True)
    thread.dbname = conversation.env.registry.db_name  # for the server log
    thread.start()


def _run(conversation, steps):
    for step in steps:
        follows = step == "follow"
        if follows and conversation.name in _followed:
            return
        try:
            if follows:
                _followed.add(conversation.name)
            getattr(conversation, step)()
        except Exception:  # pylint: disable=broad-except
            # the operation is stored: its deadline and the scheduled job take over
            _logger.exception("the conversation about operation %s broke off", conversation.operation_id)
        finally:
            if follows:
                _followed.discard(conversation.name)
