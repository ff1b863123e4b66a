from datetime import timedelta

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
        """Reach the terminal's provider without moving anything and say what came back."""
        self.ensure_one()
        check_manager(self)
        test = getattr(self, f"_{self.provider}_test", None)
        if test is None:
            raise UserError(_("This kind of terminal cannot be tested."))
        return test()

    def action_open_operations(self):
        """Open the operations of this terminal."""
        return open_operations(self.env, [("terminal_id", "in", self.ids)])

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    def _paypercloud_test(self):
        return self.company_id._servipay_test_connection(self)

    @api.model
    def _find_or_create(self, company, provider, pid):
        """Return the terminal of ``company`` with this identifier, committed; created at its first use."""
        if not pid:
            return self.browse()
        values = {"company_id": company.id, "provider": provider, "pid": pid}

        def find(env):
            terminals = env["servipay.terminal"].with_context(active_test=False)
            return terminals.search([(name, "=", value) for name, value in values.items()], limit=1)

        def work(env):
            quiet = {"tracking_disable": True, "mail_create_nolog": True, "mail_create_nosubscribe": True}
            terminals = env["servipay.terminal"].with_context(**quiet)
            return (find(env) or terminals.create({**values, "name": pid})).id

        known = find(self.sudo().env).id
        return self.browse(known or in_own_transaction(self.env, work))

    def _note_contact(self, latency=None, error=""):
        """Remember how the last exchange went: ``latency`` in ms when there was an answer, else why not."""
        self.ensure_one()
        now = fields.Datetime.now()
        if latency is not None:
            values = {"last_contact_at": now, "last_latency": latency}
        else:
            values = {"last_error_at": now, "last_error": error}
        self.write(values)
