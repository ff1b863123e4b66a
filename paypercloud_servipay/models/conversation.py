"""A provider's dialogue outside any request: no cursor is open while it waits.

A card dialogue lasts up to three minutes. It runs in one of a bounded number of threads (greenlets in the
process that serves /websocket), takes a short transaction for each step and holds neither while it waits.
Whatever kills it, the operation is in the database, and its deadline makes it "unknown" (architecture 3.1
and 5).
"""

import threading
import time
from functools import partial

import psycopg2
from psycopg2.pool import PoolError

from odoo.modules import module as odoo_module

from ..api import states
from ..api.masking import get_logger
from .own_transaction import in_own_transaction
from .servipay_api_log import rows_held_back
from .turns import DIALOGUE, OUTCOME
from .workers import SEND, STEP, answers, dialogues

_logger = get_logger(__name__)

# How long a conversation stays with an operation whose answer was lost; the scheduled job goes on afterwards.
FOLLOW_UNKNOWN = 150  # seconds
FOLLOW_AFTER = 60  # seconds that it stays after the first inquiry
LONGEST_NAP = 5  # seconds: news that came another way (a notification, another process) end the conversation
DATABASE_SECONDS = 120  # that an answer waits for a database that does not take it
SHORTEST_NAP = 0.2  # seconds: an inquiry that another process has taken does not make us spin
_followed = set()  # (database, operation id) of this process
_asked = set()  # likewise: a person who asks again and again waits for the answer that is on its way


class Conversation:
    """One operation's dialogue. ``env`` is an environment or a ``Detached``."""

    def __init__(self, env, operation_id):
        self.env, self.operation_id = env, operation_id
        self.finding = None  # the last one

    @property
    def name(self):
        """Identify the conversation in this process."""
        return self.env.registry.db_name, self.operation_id

    @property
    def key(self):
        """Identify what a look at it answers, for ``answers``."""
        return (self.name[0], "servipay.operation", self.operation_id)

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
            self.finding = plan() if callable(plan) else plan
            self._keep(self.finding, step)

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
        """Ask at once, whatever is known: there is news. Return the Finding (None: nothing to ask)."""
        return self.finding if self.inquire(also_settled=True) else None

    def follow(self):
        """Ask at the provider's rhythm until the outcome is known or only the scheduled job goes on.

        Yields the seconds to wait before the next round: no thread is held meanwhile.
        """
        end = None
        while True:
            over = end and time.monotonic() > end
            state, wait, step = self.apart("_pulse_and_claim", not over)
            if step:
                self.perform(step)
            elif state not in states.UNSETTLED or (end and time.monotonic() + wait > end):
                return
            if state == "unknown" and end is None:
                # where asking would disturb, the first inquiry is made at the deadline, and not after it
                end = time.monotonic() + max(FOLLOW_UNKNOWN, wait + FOLLOW_AFTER)
            yield min(max(wait, SHORTEST_NAP), LONGEST_NAP)


def converse(conversation, *steps):
    """Run the steps one after the other in the background; within a test, here and now.

    A conversation that this process already follows is not followed twice.
    """
    if odoo_module.current_test:
        for step in steps:
            if step != "follow":
                getattr(conversation, step)()
        return
    urgency = SEND if "send" in steps else STEP
    dialogues.submit(partial(_go_on, conversation, _rounds(conversation, steps)), urgency)


def ask_soon(conversation):
    """Ask what became of it in the background, beside the dialogues that somebody waits for."""
    if odoo_module.current_test:
        conversation.inquire()
        return
    answers.request(conversation.key, conversation.inquire, None, lambda _answer: None)


def _go_on(conversation, rounds):
    """Run a dialogue until it waits; it comes back when that time is over."""
    threading.current_thread().dbname = conversation.env.registry.db_name  # for the server log
    wait = next(rounds, None)
    if wait is not None:
        dialogues.submit(partial(_go_on, conversation, rounds), STEP, wait)


def _rounds(conversation, steps):
    for step in steps:
        once = {"follow": _followed, "ask": _asked}.get(step, set())
        if conversation.name in once:
            continue
        once.add(conversation.name)
        try:
            if step == "follow":
                yield from conversation.follow()
            else:
                getattr(conversation, step)()
        except Exception:  # pylint: disable=broad-except
            # the operation is stored: its deadline and the scheduled job take over
            _logger.exception("the conversation about operation %s broke off", conversation.operation_id)
        finally:
            once.discard(conversation.name)
