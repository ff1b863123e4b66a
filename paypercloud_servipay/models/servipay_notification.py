import hashlib
import time
from collections import deque
from datetime import timedelta

import psycopg2
from psycopg2 import sql

from odoo import _, api, fields, models

from ..api.masking import get_logger
from ..compat import check_access
from .access import check_manager
from .inbox import apply_soon
from .message_turn import NotYet, Question, apply_notification
from .own_transaction import after_commit, in_own_transaction, purge

_logger = get_logger(__name__)

MAX_BODY = 256 * 1024  # bytes; larger messages are refused before they get here
# What nobody vouches for is kept for a look, but must not fill the disk: rows per minute and process.
UNVERIFIED_PER_MINUTE = 20
# Whoever stored a message applies it soon; the job is for what was left behind, not a second one beside it.
JOB_AFTER = timedelta(seconds=30)
LEASE = timedelta(minutes=2)  # that whoever asks what a message needs has for it, before the job asks too
WAITING = ("received", "failed")
RETRY_MINUTES = (1, 5, 15, 60, 360)
REJECTED_DAYS = 30  # what nobody vouched for is only there to be looked at
SETTLED_DAYS = 400  # a copy of a message that comes after a year is new, and finds its operation settled
PURGE_BATCH = 1000  # rows; one batch is one short statement
PURGE_BATCHES = 50  # per run of the vacuum
_unverified_at = deque(maxlen=UNVERIFIED_PER_MINUTE)
# (database, provider) -> hour in which this process last told about it; the alert itself has a key of its own
_forged_at = {}


class ServipayNotification(models.Model):
    """The inbox. A provider's message is verified, stored, acknowledged, and only then applied, once."""

    _name = "servipay.notification"
    _inherit = "servipay.export"
    _description = "Payment notification"
    _order = "id desc"
    _rec_name = "dedupe_key"

    company_id = fields.Many2one("res.company", readonly=True, index=True)
    provider = fields.Char(readonly=True, required=True)
    dedupe_key = fields.Char(
        readonly=True, required=True, help="The same message, however often it comes, has the same key."
    )
    event = fields.Char(readonly=True)
    verified = fields.Boolean(readonly=True)
    state = fields.Selection(
        [
            ("received", "Received"),
            ("processed", "Processed"),
            ("duplicate", "Nothing new"),
            ("failed", "Failed"),
            ("rejected", "Rejected"),
        ],
        required=True,
        readonly=True,
        default="received",
    )
    method = fields.Char(readonly=True)
    path = fields.Char(readonly=True)
    raw_query = fields.Text(readonly=True, groups="paypercloud_servipay.group_manager")
    raw_body = fields.Text(
        readonly=True,
        groups="paypercloud_servipay.group_manager",
        help="As received: a signature covers every byte.",
    )
    source = fields.Char("Sent from", readonly=True)
    copies = fields.Integer(readonly=True, default=1, help="How often this message came.")
    attempts = fields.Integer(readonly=True)
    error = fields.Char(readonly=True)
    refusal = fields.Char("Not accepted because", compute="_compute_refusal", compute_sudo=True)
    next_attempt_at = fields.Datetime(readonly=True)
    processed_at = fields.Datetime(readonly=True)
    operation_id = fields.Many2one(
        "servipay.operation", readonly=True, index="btree_not_null", ondelete="set null"
    )

    def init(self):
        """A message has one row, whoever receives it at the same moment."""
        self.env.cr.execute(
            """
            CREATE UNIQUE INDEX IF NOT EXISTS servipay_notification_once
                ON servipay_notification (provider, dedupe_key);
            CREATE INDEX IF NOT EXISTS servipay_notification_to_apply
                ON servipay_notification (next_attempt_at) WHERE state IN ('received', 'failed');
            CREATE INDEX IF NOT EXISTS servipay_notification_to_purge
                ON servipay_notification (state, create_date)
                WHERE state IN ('processed', 'duplicate', 'rejected');
            """
        )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    def _compute_refusal(self):
        """Say why a message was not accepted, with today's keys: ``_<provider>_why_refused`` where it is."""
        for notification in self:
            hook = getattr(notification, f"_{notification.provider}_why_refused", None)
            notification.refusal = hook() if hook and notification.state == "rejected" else False

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_replay(self):
        """Apply the selected messages again; what was applied once has no second effect.

        A message that nobody vouched for is verified anew: its key may have been entered since.
        """
        check_manager(self)
        check_access(self, "read")
        for notification in self.sudo():
            if notification.verified or notification._verify_later():
                notification._apply_once(replay=True)
        return True

    # ------------------------------------------------------------------
    # Business: receive, then apply
    # ------------------------------------------------------------------

    @api.model
    def _receive(self, provider, dedupe_key, verified, at_once=True, **values):
        """Store a message before it is acknowledged and return its id (False when it is not kept).

        :param provider: short name; ``_<provider>_apply_notification`` will be called to apply it
        :param dedupe_key: text that is the same for copies of the same message, and for nothing else
        :param verified: whether the provider's signature or secret was checked on the raw bytes
        :param at_once: stored for good when this returns; else by the commit of the caller's request, which
            Odoo makes before it answers: one connection and one commit less, for ``_apply_soon`` only
        :param values: company_id, event, method, path, raw_query, raw_body (text as received), source
        """
        if not verified:
            if not _room_for_unverified():
                return False
            dedupe_key = f"rejected:{time.time_ns()}:{hashlib.sha256(dedupe_key.encode()).hexdigest()[:16]}"
        values = {name: _fit(value) for name, value in values.items()}
        values.update(
            provider=provider,
            dedupe_key=dedupe_key,
            verified=verified,
            state="received" if verified else "rejected",
            next_attempt_at=fields.Datetime.now() + JOB_AFTER if verified else False,
        )
        known = False if at_once or not verified else self._insert_here(values)
        return known or in_own_transaction(self.env, lambda env: env[self._name]._insert_once(values))

    def _reject(self, provider, text, transaction, **values):
        """Keep a message that nobody vouches for, and tell people when it is about one of our payments.

        :param text: the message; transaction: the ``payment.transaction`` that it claims to be about, or none
        :param values: see :meth:`_receive`
        """
        kept = self._receive(provider, text, False, company_id=transaction.company_id.id, **values)
        if kept and transaction and _first_of_the_hour(self.env.cr.dbname, transaction.provider_id.id):
            model, number = transaction._name, transaction.id
            in_own_transaction(self.env, lambda env: env[model].browse(number)._servipay_tell_forged())

    def _insert_here(self, values):
        """Insert the row in the caller's transaction and return its id; False when another one is at it."""
        try:
            with self.env.cr.savepoint(flush=False):
                return self._insert_once(values)
        except psycopg2.errors.SerializationFailure:
            return False  # a copy was stored since this request began: Odoo would run all of it again

    def _insert_once(self, values):
        """Insert the row, or count one more copy of it; never an error between two that come at once."""
        columns = [name for name, value in values.items() if value is not False]
        # suite-check: ok psycopg2's own composition of names and placeholders
        query = sql.SQL(
            """
            INSERT INTO servipay_notification ({columns}, copies, attempts, create_date)
            VALUES ({values}, 1, 0, now() AT TIME ZONE 'UTC')
            ON CONFLICT (provider, dedupe_key) DO UPDATE SET copies = servipay_notification.copies + 1
            RETURNING id
            """
        ).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            values=sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        )
        # a lost race is tried again, and the server's log must not show what the message says
        self.env.cr.execute(query, [values[name] for name in columns], log_exceptions=False)
        return self.env.cr.fetchone()[0]

    def _apply_once(self, replay=False):
        """Give one message its turn now; what fails stays in the inbox for the job and the button.

        What has to be asked first is asked in the background: no request waits for a provider."""
        self.ensure_one()
        return apply_notification(self.env, self.id, replay)

    def _verify_later(self):
        """Verify a rejected message with today's keys, and tell whether it may be applied."""
        self.ensure_one()
        number = self.id
        return in_own_transaction(
            self.env, lambda env: env["servipay.notification"].browse(number)._verify_again()
        )

    def _verify_again(self):
        """Give a message its true key, which ``_<provider>_verify_again`` returns when it is genuine."""
        hook = getattr(self, f"_{self.provider}_verify_again", None)
        key = hook() if hook else ""
        if not key or self.search_count([("provider", "=", self.provider), ("dedupe_key", "=", key)]):
            return False  # not genuine, or it came again and was taken then
        due = fields.Datetime.now() + JOB_AFTER  # should this process die before it is applied
        self.write(
            {
                "verified": True,
                "dedupe_key": key,
                "state": "received",
                "next_attempt_at": due,
                "error": False,
            }
        )
        return True

    def _apply_soon(self):
        """Apply one message in the background, once the caller's transaction is committed."""
        self.ensure_one()
        number = self.id
        after_commit(self.env, lambda env: apply_soon(env, number, apply_notification))

    def _apply_locked(self, replay):
        """Apply the message; returns True, a ``Question`` that comes first, or False: it is not its turn.

        ``_<provider>_apply_notification()`` tells whether it changed anything, or returns the question."""
        if not self._lock_turn(replay):
            return False
        apply = getattr(self, f"_{self.provider}_apply_notification", None)
        if not apply:
            raise NotYet(_("The provider's addon was uninstalled: install it again."), silent=True)
        found = apply()
        if isinstance(found, Question):
            # should this process die, the job asks
            self.next_attempt_at = fields.Datetime.now() + LEASE
            return found
        return self._mark(found)

    def _conclude_locked(self, answer, replay):
        """Apply the message with the answer to its question; see ``_apply_locked``.

        ``_<provider>_conclude_notification(answer)`` tells whether it changed anything; it raises ``NotYet``
        for an answer that decides nothing."""
        if not self._lock_turn(replay):
            return False
        if isinstance(answer, Exception):
            raise answer
        return self._mark(getattr(self, f"_{self.provider}_conclude_notification")(answer))

    def _lock_turn(self, replay):
        self.env.cr.execute(
            "SELECT state FROM servipay_notification WHERE id = %s FOR UPDATE",
            [self.id],
            log_exceptions=False,
        )
        row = self.env.cr.fetchone()
        self.invalidate_recordset()
        return bool(row) and row[0] in (*WAITING, *(("processed", "duplicate") if replay else ()))

    def _mark(self, changed):
        self.write(
            {
                "state": "processed" if changed or self.state == "processed" else "duplicate",
                "attempts": self.attempts + 1,
                "processed_at": fields.Datetime.now(),
                "next_attempt_at": False,
                "error": False,
            }
        )
        return True

    def _follow_up(self):
        """Do what may follow an applied message: ``_<provider>_follow_notification``, where there is one.

        In a transaction of its own: whether accounting goes well does not decide what became of the money.
        """
        hook = getattr(self, f"_{self.provider}_follow_notification", None)
        if hook and self.state == "processed":
            hook()

    def _note_waiting(self, text, failed):
        """Let the message wait for its next turn, which is made until it was applied.

        :param text: why it was not; failed: whether that is a failure, or only too early
        """
        if not self._lock_turn(False):
            return  # applied meanwhile, or applied before this replay: done is done
        minutes = RETRY_MINUTES[min(self.attempts, len(RETRY_MINUTES) - 1)]
        values = {"attempts": self.attempts + 1, "error": text[:500]}
        values["next_attempt_at"] = fields.Datetime.now() + timedelta(minutes=minutes)
        if failed:
            values["state"] = "failed"
        self.write(values)
        if self.attempts == len(RETRY_MINUTES):
            self._tell_stuck()

    def _tell_stuck(self):
        """Tell people once that a message waits for hours: what it reports is not applied."""
        users, addresses = self.env["res.users"], []
        if self.operation_id:
            users, addresses = self.operation_id._servipay_recipients()
        self.env["servipay.alert"]._raise_once(
            f"message_waits:{self.id}",
            "message_waits",
            self.company_id or self.env.company,
            users,
            addresses,
            document=self.operation_id or None,
            provider=self.provider,
            reference=self.operation_id.name or self.dedupe_key,
            detail=self.error or "",
        )

    @api.model
    def _cron_apply(self, limit=200):
        """Apply what was stored but not applied: the process died, or the handler failed."""
        due = [("state", "in", WAITING), ("next_attempt_at", "<=", fields.Datetime.now())]
        for notification in self.search(due, order="id", limit=limit):
            try:
                notification._apply_once()
            except Exception:  # pylint: disable=broad-except
                # whatever is wrong with one message, the others are applied all the same
                _logger.exception("notification %s stays in the inbox", notification.id)

    @api.autovacuum
    def _gc_servipay_notifications(self):
        """Delete old rejected and settled messages in bounded batches; what has to be applied stays."""
        return purge(self.env, _purge_batch, PURGE_BATCH, PURGE_BATCHES)


def _purge_batch(env):
    """Delete one batch and return its size."""
    env.cr.execute(
        """
        DELETE FROM servipay_notification WHERE id IN (
            SELECT id FROM servipay_notification
             WHERE (state = 'rejected'
                    AND create_date < now() AT TIME ZONE 'UTC' - %(rejected)s * interval '1 day')
                OR (state IN ('processed', 'duplicate')
                    AND create_date < now() AT TIME ZONE 'UTC' - %(settled)s * interval '1 day')
             LIMIT %(batch)s)
        """,
        {"rejected": REJECTED_DAYS, "settled": SETTLED_DAYS, "batch": PURGE_BATCH},
    )
    return env.cr.rowcount


def _room_for_unverified():
    now = time.monotonic()
    if len(_unverified_at) == UNVERIFIED_PER_MINUTE and now - _unverified_at[0] < 60:
        return False
    _unverified_at.append(now)
    return True


def _first_of_the_hour(*key):
    """Tell whether this process has yet to tell about forged messages in this hour: a flood costs nothing."""
    hour = int(time.time() // 3600)
    if _forged_at.get(key) == hour:
        return False
    _forged_at[key] = hour
    return True


def _fit(value):
    """A text as PostgreSQL can store it: bounded, NUL shown as its symbol, no lone surrogates."""
    if not isinstance(value, str):
        return value
    return value[:MAX_BODY].replace("\x00", "\u2400").encode("utf-8", "backslashreplace").decode()
