from datetime import timedelta

import psycopg2
from psycopg2 import sql

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..api import states
from ..compat import SERIES
from .access import check_manager
from .actions import open_operations
from .own_transaction import in_own_transaction

HEALTH_DAYS = 30


class ServipayTerminal(models.Model):
    _name = "servipay.terminal"
    _description = "Payment terminal"
    _inherit = ["servipay.export", "mail.thread", "mail.activity.mixin"]
    _order = "name, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    provider = fields.Selection(
        lambda self: self.env["servipay.operation"]._fields["provider"]._description_selection(self.env),
        required=True,
        default="paypercloud",
    )
    pid = fields.Char(
        "Terminal PID",
        required=True,
        help="How the provider calls this terminal (pid / tpe_pid, address, TID).",
    )
    note = fields.Text()
    holder_id = fields.Many2one(
        "servipay.operation",
        "Held by",
        compute="_compute_holder",
        help="The operation in progress on this terminal.",
    )
    last_contact_at = fields.Datetime("Last contact", readonly=True, copy=False)
    last_latency = fields.Float("Last answer after (ms)", readonly=True, copy=False, digits=(10, 0))
    last_error = fields.Char(readonly=True, copy=False)
    last_error_at = fields.Datetime("Last error at", readonly=True, copy=False)
    operation_count = fields.Integer("Operations (30 days)", compute="_compute_health")
    success_rate = fields.Float(
        "Certain outcomes (30 days)",
        compute="_compute_health",
        help="Share of operations with a certain outcome (a refusal by the bank is one), not failed or "
        "unknown.",
    )

    if SERIES >= 19:
        _pid_once = models.Constraint(
            "UNIQUE (company_id, provider, pid)", "This terminal is already there for this company."
        )
    else:
        _sql_constraints = [
            (
                "pid_once",
                "UNIQUE (company_id, provider, pid)",
                "This terminal is already there for this company.",
            )
        ]

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    def _compute_holder(self):
        domain = [("terminal_id", "in", self.ids), ("state", "in", tuple(states.IN_FLIGHT))]
        held = {
            operation.terminal_id.id: operation for operation in self.env["servipay.operation"].search(domain)
        }
        for terminal in self:
            terminal.holder_id = held.get(terminal.id, False)

    def _compute_health(self):
        since = fields.Datetime.now() - timedelta(days=HEALTH_DAYS)
        groups = self.env["servipay.operation"]._read_group(
            [
                ("terminal_id", "in", self.ids),
                ("create_date", ">=", since),
                ("state", "not in", ("draft", "sent")),
            ],
            ["terminal_id", "state"],
            ["__count"],
        )
        totals, certain = {}, {}
        for terminal, state, count in groups:
            totals[terminal.id] = totals.get(terminal.id, 0) + count
            if state in states.FINAL and state != "failed":
                certain[terminal.id] = certain.get(terminal.id, 0) + count
        for terminal in self:
            terminal.operation_count = totals.get(terminal.id, 0)
            share = certain.get(terminal.id, 0) / terminal.operation_count if terminal.operation_count else 0
            terminal.success_rate = share

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_test(self):
        """Reach the terminal's provider without moving anything and say what came back.

        Calls ``_<provider>_test()``, which returns a ``Tested``. This may be an address in memory only, and
        Odoo forgets what is in memory with the first transaction of its own (a log row's): the hook reads
        what it needs of ``self`` first, then it speaks.
        """
        self.ensure_one()
        check_manager(self)
        test = getattr(self, f"_{self.provider}_test", None)
        if test is None:
            raise UserError(_("This kind of terminal cannot be tested."))
        key, number = self._key(), self.id
        tested = test()
        if number or tested.latency is not None:
            self._note_tested(key, tested)
        return tested.notification()

    def action_open_operations(self):
        """Open the operations of this terminal."""
        return open_operations(self.env, [("terminal_id", "in", self.ids)])

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    def _paypercloud_test(self):
        return self.company_id._servipay_test(self)

    @api.model
    def _find_or_new(self, company, provider, pid):
        """Return the terminal of ``company`` with this identifier, in memory only when it is not there yet.

        An address that was only typed, perhaps wrongly, is no terminal: it becomes one at its first payment
        (:meth:`_stored_id`) or at its first successful test.
        """
        if not pid:
            return self.browse()
        key = {"company_id": company.id, "provider": provider, "pid": pid}
        known = self.sudo()._with_key(key)
        return self.browse(known.id) if known else self.new({**key, "name": pid})

    def _stored_id(self):
        """Return the id (False without a terminal) for a record that refers to it; commits a new terminal.

        An id, no record: the caller's transaction does not see the row before it ends (REPEATABLE READ).
        """
        if not self or self.id:
            return self.id
        key = self._key()
        return in_own_transaction(self.env, lambda env: env["servipay.terminal"]._with_key(key, make=True).id)

    def _key(self):
        return {"company_id": self.company_id.id, "provider": self.provider, "pid": self.pid}

    def _with_key(self, key, make=False):
        domain = [(name, "=", value) for name, value in key.items()]
        quiet = {"tracking_disable": True, "mail_create_nolog": True, "mail_create_nosubscribe": True}
        terminals = self.with_context(active_test=False, **quiet)
        found = terminals.search(domain, limit=1)
        return terminals.create({**key, "name": key["pid"]}) if make and not found else found

    def _note_tested(self, key, tested):
        """Remember how a test went; one that succeeded makes a terminal of an address that was none."""

        def work(env):
            env["servipay.terminal"]._with_key(key, make=True)._note_contact(tested.latency, tested.message)

        in_own_transaction(self.env, work)

    def _note_contact(self, latency=None, error=""):
        """Remember how the last exchange went: ``latency`` in ms when there was an answer, else why not."""
        self.ensure_one()
        now = fields.Datetime.now()
        if latency is not None:
            names, values = ("last_contact_at", "last_latency"), (now, round(latency))
        else:
            text = (error or "").replace("\x00", "\ufffd")  # PostgreSQL stores no NUL
            names, values = ("last_error_at", "last_error"), (now, text or None)
        try:
            with self.env.cr.savepoint(flush=False):
                self._update_at_once(names, values)
        except psycopg2.errors.SerializationFailure:
            return  # another exchange has just noted its own: no answer is kept waiting or tried again for it
        self.invalidate_recordset(names)

    def _update_at_once(self, names, values):
        """Write columns without waiting for anybody who writes this row, too."""
        # suite-check: ok psycopg2's own composition of names
        query = sql.SQL(
            "UPDATE servipay_terminal SET ({names}) = ROW(%s, %s) WHERE id IN"
            " (SELECT id FROM servipay_terminal WHERE id = %s FOR UPDATE SKIP LOCKED)"
        ).format(names=sql.SQL(", ").join(map(sql.Identifier, names)))
        self.env.cr.execute(query, [*values, self.id], log_exceptions=False)
