import contextlib
import queue
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial

from odoo import api, fields, models
from odoo.modules import module as odoo_module

from ..api import states
from ..api.masking import get_logger
from .conversation import Conversation
from .own_transaction import Detached
from .workers import NEWS, news

_logger = get_logger(__name__)

# How long a lost answer is looked for automatically; afterwards only a person or a notification can settle
# it.
GIVE_UP_AFTER = timedelta(days=7)
DENIALS = 2  # that end an operation, a pause apart: a platform may not find at once what it has just taken
DENIAL_PAUSE = timedelta(minutes=10)
QUESTIONS_BEFORE = 2  # before it counts that the provider knows nothing of a request
CRON_SECONDS = 45
# What was sent "in the future" was sent before the clock stepped back: its deadline is as wrong as that.
CLOCK_STEP = timedelta(minutes=5)


class ServipayOperation(models.Model):
    """When a provider is asked what became of an operation, and when its time is over."""

    _inherit = "servipay.operation"

    denied_count = fields.Integer(
        "Unknown to the provider",
        readonly=True,
        copy=False,
        help="How often the provider has said that it knows nothing of this. Once is not enough to end it.",
    )
    denied_at = fields.Datetime("Unknown to the provider at", readonly=True, copy=False)

    # ------------------------------------------------------------------
    # Claims. Each runs in its own transaction and says whether the caller may go on.
    # ------------------------------------------------------------------

    def _claim_inquiry(self, also_settled=False):
        self._lock()
        if also_settled and self.state in states.FINAL and not self.decided and self._can_ask_settled():
            return True
        if self.state == "sent":
            self._end_overdue()
        if self.state == "sent" or not self._is_asked_about():
            return False
        self._schedule_inquiry()
        return True

    def _can_ask_settled(self):
        """Tell whether the provider can name what has ended: ``_<provider>_can_ask_settled`` where it is."""
        hook = getattr(self, f"_{self.provider}_can_ask_settled", None)
        return hook() if hook else bool(self.external_ref)

    def _claim_step(self, also_settled=False):
        """Claim what is to be done now; returns a step of ``_plan`` or None."""
        if self._claim_wished_cancel():
            return "cancel"
        return "inquire" if self._claim_inquiry(also_settled) else None

    def _pulse(self):
        """Return (state, seconds until the next inquiry): what a conversation needs to know, in a read."""
        due = self.next_inquiry_at or fields.Datetime.now() + timedelta(days=1)
        return self.state, max((due - fields.Datetime.now()).total_seconds(), 0)

    def _pulse_and_claim(self, claim):
        """Return what ``_pulse`` does and the step that was claimed, if one was due and is wanted.

        In one transaction: fifty dialogues do this every other second."""
        state, wait = self._pulse()
        due = claim and state in states.UNSETTLED and wait <= 0
        return state, wait, self._claim_step() if due else None

    # ------------------------------------------------------------------
    # When
    # ------------------------------------------------------------------

    def _inquiry_at(self, attempt, state):
        """Return when to ask next: by the provider's rhythm, and never while asking could disturb.

        ``_<provider>_quiet_until`` returns until when that is, where it exists (None: it does not disturb).
        """
        hook = getattr(self, f"_{self.provider}_quiet_until", None)
        now, until = fields.Datetime.now(), hook() if hook else None
        quiet = (until - now).total_seconds() if until else 0
        return now + timedelta(seconds=states.next_inquiry(attempt, state, self._rhythm(), quiet))

    def _schedule_inquiry(self):
        # this inquiry is made now: the next one is one further
        count, pace = self.inquiry_count + 1, self._pace()
        values = {"inquiry_count": count, "next_inquiry_at": self._inquiry_at(count + 1, pace)}
        long_ago = self.sent_at and fields.Datetime.now() - self.sent_at > GIVE_UP_AFTER
        if pace == "unknown" and long_ago:
            values["next_inquiry_at"] = False
        self.write(values)

    def _pace(self):
        """Return the state (str) in whose rhythm this is asked about."""
        return "unknown" if self.decided else self.state

    def _rhythm(self):
        """Return {"first", "slow"}: seconds between inquiries; ``_<provider>_rhythm`` where it exists."""
        hook = getattr(self, f"_{self.provider}_rhythm", None)
        return hook() if hook else None

    def _is_long_ago(self, span):
        """Tell whether what was sent is not on its way any more: ``span`` ago, and asked about twice since.

        The clock alone proves nothing: one that jumps ahead makes a request of this moment look old. The
        third question comes minutes after the first, when no request waits for its answer any more.
        """
        age = fields.Datetime.now() - self.sent_at if self.sent_at else timedelta(0)
        return age > span and self.inquiry_count > QUESTIONS_BEFORE

    def _weigh_denial(self, finding):
        """Return a Finding that ends this only when the provider has denied it often enough.

        Silence is no answer, and an answer may come too early: only the provider's own "no such payment" ends
        anything, and that more than once.
        """
        if not finding.denied or self.state not in states.UNSETTLED:
            return finding
        now = fields.Datetime.now()
        if not self.denied_at or abs(now - self.denied_at) >= DENIAL_PAUSE:
            self.write({"denied_count": self.denied_count + 1, "denied_at": now})
        if self.denied_count >= DENIALS:
            return finding
        self.write({"next_inquiry_at": now + DENIAL_PAUSE})
        return replace(finding, state=None, reason="")

    def _is_overdue(self):
        """Tell whether the time of an operation is over, as far as this server's clock can tell."""
        now = fields.Datetime.now()
        over = bool(self.deadline_at) and self.deadline_at <= now
        return over or (bool(self.sent_at) and self.sent_at > now + CLOCK_STEP)

    def _end_overdue(self):
        """A dialogue that did not end in time is unknown: somebody may have paid without us hearing of it."""
        if self.state in states.IN_FLIGHT and self._is_overdue():
            self._move("unknown", reason="no_conclusion" if self.state == "sent" else "overdue")

    def _give_way(self):
        """End an operation whose time is over, as its terminal is wanted; tell whether it holds it no more.

        Whoever followed it has died, or the job would have ended it: no shop waits for either."""
        self._lock()
        self._end_overdue()
        # two operations change in this transaction: the index must not see the second one first
        self.env.flush_all()
        self.terminal_id.invalidate_recordset(["holder_id"])
        return self.state not in states.IN_FLIGHT

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    @api.model
    def _cron_settle(self, limit=100):
        """Work down what is not settled yet, oldest inquiry first, each in transactions of its own.

        Each provider, and where each terminal answers for itself each of them, has a lane of its own: one
        that hangs delays nobody else. It ends after CRON_SECONDS, whatever is left.
        """
        end, lanes = time.monotonic() + CRON_SECONDS, self._due_lanes(limit)
        if odoo_module.current_test:
            for lane in lanes:
                _work_down(self.env, lane, end)
            return
        detached, done = Detached(self.env), queue.SimpleQueue()

        def work(lane):
            try:
                _work_down(detached, lane, end)
            finally:
                done.put(True)

        for lane in lanes:
            news.submit(partial(work, lane), NEWS)
        with contextlib.suppress(queue.Empty):
            for _lane in lanes:
                done.get(timeout=max(end - time.monotonic(), 0))

    def _due_lanes(self, limit):
        """Return [[id, ...]]: what is to be asked about now, by who answers; at most ``limit`` a provider."""
        now = fields.Datetime.now()
        # what was sent "in the future" was sent before the clock stepped back
        stepped = ["&", ("sent_at", ">", now + CLOCK_STEP), ("state", "in", tuple(states.IN_FLIGHT))]
        asked = ["|", ("state", "in", tuple(states.UNSETTLED)), *self._asked_though_settled()]
        due = ["|", ("next_inquiry_at", "<=", now), *stepped, *asked]
        lanes = {}
        for (provider,) in self._read_group(due, ["provider"]):
            mine = [*due, ("provider", "=", provider)]
            for operation in self.search(mine, order="next_inquiry_at", limit=limit):
                lanes.setdefault((provider, operation._lane()), []).append(operation.id)
        return list(lanes.values())

    @api.model
    def _asked_though_settled(self):
        """Return the domain of what is asked about although it has ended."""
        return [("decided", "=", True)]

    def _lane(self):
        """Return what tells who answers for an operation from others: ``_<provider>_lane`` where it is."""
        hook = getattr(self, f"_{self.provider}_lane", None)
        return hook() if hook else self.company_id.id


def _work_down(env, operation_ids, end):
    """Ask about operations, one after the other, until ``time.monotonic()`` reaches ``end``."""
    for number in operation_ids:
        if time.monotonic() > end:
            return
        try:
            Conversation(env, number).inquire()
        except Exception:  # pylint: disable=broad-except
            # whatever is wrong with one operation, the others are asked about all the same
            _logger.exception("operation %s could not be inquired", number)
