import time
import uuid
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from ..api import states
from ..api.errors import ProtocolError
from ..api.finding import NOT_PAID, Finding
from ..api.masking import Masker, get_logger, masks_to
from ..compat import NO_SUM, check_access
from .actions import open_form, open_operations
from .conversation import Conversation, converse
from .lean import lean
from .own_transaction import Detached, in_own_transaction

_logger = get_logger(__name__)

# Only code of this file holds it, so no context that a browser sends can stand for it.
_BY_STATE_MACHINE = object()

# What was agreed when the operation was opened; a second call with other values is another operation.
INTENT_FIELDS = (
    "company_id",
    "provider",
    "kind",
    "amount",
    "currency_id",
    "terminal_id",
    "original_id",
    "idempotency_key",
)
# What can be given back: money that was taken, or reserved.
PAYMENTS = ("purchase", "capture", "authorisation")
REFRESH_SECONDS = 20  # of a button that was pressed on a list; then the job goes on
# What a provider calls things by is no free text: altered, it could not be asked about again.
IDENTIFIERS = frozenset(
    "external_ref merchant_id rrn stan aid authorization_code transaction_datetime batch"
    " period_start period_end".split()
)
CHECK = "paypercloud_servipay.activity_check_payment"
# reasons that say that no answer came; everything else comes with an answer or without any exchange
NO_ANSWER = ("not_sent", "no_answer")
# A request that was claimed but never concluded (the process died) becomes unknown after this, at the
# earliest.
MINIMUM_DEADLINE = 180  # seconds


class ServipayOperation(models.Model):
    _name = "servipay.operation"
    _description = "Payment operation"
    _inherit = ["servipay.export", "mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _check_company_auto = True
    # whoever may read an operation may say something about it
    _mail_post_access = "read"

    # ------------------------------------------------------------------
    # What was asked
    # ------------------------------------------------------------------

    name = fields.Char("Number", required=True, readonly=True, default="/", copy=False, index=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    provider = fields.Selection([("paypercloud", "PayperCloud")], required=True, readonly=True)
    channel = fields.Selection(
        [
            ("tester", "API Tester"),
            ("pos", "Point of Sale"),
            ("online", "Online"),
            ("backend", "Back office"),
        ],
        required=True,
        readonly=True,
        default="backend",
    )
    kind = fields.Selection(
        [
            ("purchase", "Purchase"),
            ("refund", "Refund"),
            ("void", "Void"),
            ("reconciliation", "Reconciliation"),
            ("authorisation", "Authorisation"),
            ("capture", "Capture"),
        ],
        required=True,
        readonly=True,
    )
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True, ondelete="restrict")
    terminal_id = fields.Many2one(
        "servipay.terminal", readonly=True, check_company=True, index="btree_not_null", ondelete="restrict"
    )
    original_id = fields.Many2one(
        "servipay.operation",
        "Original operation",
        readonly=True,
        check_company=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    child_ids = fields.One2many("servipay.operation", "original_id", "Refunds and voids", readonly=True)
    reference = fields.Char(readonly=True, copy=False, help="What the provider knows this operation by.")
    pos_ref = fields.Char(
        "POS ID", readonly=True, help="Point of sale as the provider knows it, if not the default."
    )
    terminal_pid = fields.Char(
        "Terminal PID", readonly=True, copy=False, help="As it was when the request left."
    )
    idempotency_key = fields.Char(readonly=True, required=True, copy=False)
    user_id = fields.Many2one("res.users", "Started by", readonly=True)
    res_model = fields.Char("Document model", readonly=True)
    res_id = fields.Many2oneReference("Document", model_field="res_model", readonly=True)

    # ------------------------------------------------------------------
    # What became of it
    # ------------------------------------------------------------------

    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("sent", "Sent"),
            ("pending", "Pending"),
            ("cancelling", "Cancelling"),
            ("approved", "Approved"),
            ("declined", "Declined"),
            ("cancelled", "Cancelled"),
            ("failed", "Failed"),
            ("unknown", "Unknown"),
            ("reversed", "Reversed"),
        ],
        required=True,
        readonly=True,
        default="draft",
        copy=False,
    )
    reason = fields.Char("Reason code", readonly=True, copy=False)
    detail = fields.Char("Reported by the provider", readonly=True, copy=False)
    explanation = fields.Text(compute="_compute_explanation")
    contradicted = fields.Boolean(
        readonly=True,
        copy=False,
        help="After this operation was settled the provider reported the contrary. A manager has to decide.",
    )
    contradiction = fields.Char(readonly=True, copy=False)
    external_ref = fields.Char("Provider's reference", readonly=True, copy=False, index="btree_not_null")
    raw_state = fields.Char("Provider's status word", readonly=True, copy=False)
    approved_amount = fields.Monetary(readonly=True, copy=False)
    moved_amount = fields.Monetary(
        "Money moved",
        compute="_compute_moved_amount",
        store=True,
        help="What was taken, or with a minus given back; nothing while it is not certain.",
    )
    tip_amount = fields.Monetary("Tip", readonly=True, copy=False)
    refunded_amount = fields.Monetary(compute="_compute_refunded_amount", compute_sudo=True)
    refundable_amount = fields.Monetary(
        "Left to refund", compute="_compute_refunded_amount", compute_sudo=True
    )
    authorization_code = fields.Char("Authorisation", readonly=True, copy=False)
    card_brand = fields.Char(readonly=True, copy=False)
    masked_pan = fields.Char("Card", readonly=True, copy=False)
    entry_mode = fields.Char(readonly=True, copy=False)
    rrn = fields.Char("RRN", readonly=True, copy=False, help="Retrieval reference number of the acquirer.")
    stan = fields.Char("STAN", readonly=True, copy=False, help="System trace audit number of the terminal.")
    merchant_id = fields.Char("Merchant", readonly=True, copy=False)
    aid = fields.Char("AID", readonly=True, copy=False, help="Application of the card that was used.")
    transaction_datetime = fields.Char("Time at the provider", readonly=True, copy=False)
    decline_code = fields.Char(readonly=True, copy=False)
    decline_message = fields.Char(readonly=True, copy=False)
    merchant_receipt = fields.Text(readonly=True, copy=False)
    customer_receipt = fields.Text(readonly=True, copy=False)
    batch = fields.Char(readonly=True, copy=False)
    period_start = fields.Char(readonly=True, copy=False)
    period_end = fields.Char(readonly=True, copy=False)
    total_ids = fields.One2many("servipay.operation.total", "operation_id", "Totals", readonly=True)

    # ------------------------------------------------------------------
    # When
    # ------------------------------------------------------------------

    sent_at = fields.Datetime(readonly=True, copy=False)
    deadline_at = fields.Datetime("Expected until", readonly=True, copy=False)
    settled_at = fields.Datetime(readonly=True, copy=False)
    next_inquiry_at = fields.Datetime("Next inquiry", readonly=True, copy=False)
    cancel_wished = fields.Boolean("Cancellation wished", readonly=True, copy=False)
    inquiry_count = fields.Integer("Inquiries", readonly=True, copy=False, **NO_SUM)
    resolved_by_id = fields.Many2one(
        "res.users", "Decided by", readonly=True, copy=False, ondelete="restrict"
    )
    resolution = fields.Char("Reason of the decision", readonly=True, copy=False)
    log_ids = fields.One2many("servipay.api.log", "operation_id", "API logs", readonly=True)
    log_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    child_count = fields.Integer(compute="_compute_counts", compute_sudo=True)
    can_refund = fields.Boolean(compute="_compute_can", compute_sudo=True)
    can_void = fields.Boolean(compute="_compute_can", compute_sudo=True)
    can_resolve = fields.Boolean(compute="_compute_can", compute_sudo=True)

    def init(self):
        """One operation in flight per terminal and one per key, whatever Python believes."""
        self.env.cr.execute(
            """
            CREATE UNIQUE INDEX IF NOT EXISTS servipay_operation_one_in_flight
                ON servipay_operation (terminal_id) WHERE state IN ('sent', 'pending', 'cancelling');
            CREATE UNIQUE INDEX IF NOT EXISTS servipay_operation_one_per_key
                ON servipay_operation (company_id, idempotency_key);
            CREATE INDEX IF NOT EXISTS servipay_operation_of_document
                ON servipay_operation (res_model, res_id) WHERE res_id IS NOT NULL;
            CREATE INDEX IF NOT EXISTS servipay_operation_to_inquire
                ON servipay_operation (next_inquiry_at) WHERE next_inquiry_at IS NOT NULL;
            """
        )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("child_ids.state", "child_ids.amount", "amount", "approved_amount", "state")
    def _compute_refunded_amount(self):
        for operation in self:
            # what may have been given back counts as given back, until the contrary is certain; what was
            # captured of an authorisation is not left of it either
            using = ("void", "capture") if operation.kind == "authorisation" else ("refund", "void")
            taken = operation.child_ids.filtered(
                lambda child, using=using: (
                    child.kind in using and child.state not in ("draft", "declined", "cancelled", "failed")
                )
            )
            operation.refunded_amount = sum(
                child.approved_amount if child.state == "approved" and child.approved_amount else child.amount
                for child in taken
            )
            paid = operation.kind in PAYMENTS and operation.state == "approved"
            left = operation._settled_amount() - operation.refunded_amount if paid else 0
            operation.refundable_amount = max(left, 0)

    @api.depends("state", "kind", "amount", "approved_amount")
    def _compute_moved_amount(self):
        signs = {"purchase": 1, "capture": 1, "refund": -1}
        for operation in self:
            sign = signs.get(operation.kind, 0) if operation.state == "approved" else 0
            operation.moved_amount = sign * operation._settled_amount()

    def _compute_counts(self):
        logs = self.env["servipay.api.log"]._read_group(
            [("operation_id", "in", self.ids)], ["operation_id"], ["__count"]
        )
        counts = {operation.id: count for operation, count in logs}
        for operation in self:
            operation.log_count = counts.get(operation.id, 0)
            operation.child_count = len(operation.child_ids)

    @api.depends("state", "kind", "contradicted", "refundable_amount", "refunded_amount")
    def _compute_can(self):
        for operation in self:
            has_currency = bool(operation.currency_id)
            left = has_currency and not operation.currency_id.is_zero(operation.refundable_amount)
            operation.can_refund = operation.kind in ("purchase", "capture") and left
            operation.can_void = operation._is_whole()
            operation.can_resolve = operation.state == "unknown" or operation.contradicted

    @api.depends(
        *("state", "reason", "detail", "contradicted", "contradiction", "next_inquiry_at", "cancel_wished"),
        *("decided", "resolution", "approved_amount"),
    )
    @api.depends_context("lang")
    def _compute_explanation(self):
        for operation in self:
            operation.explanation = operation._explain()

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("amount", "currency_id", "kind")
    def _check_amount(self):
        for operation in self.filtered(lambda operation: operation.kind not in ("reconciliation", "void")):
            if not operation.currency_id or operation.currency_id.compare_amounts(operation.amount, 0) <= 0:
                raise ValidationError(_("An amount above zero and a currency are needed. Nothing was sent."))

    @api.constrains("original_id", "kind", "amount", "currency_id")
    def _check_original(self):
        for operation in self.filtered("original_id"):
            original = operation.original_id
            if operation.currency_id != original.currency_id or operation.provider != original.provider:
                raise ValidationError(
                    _("A refund or void must be in the currency and with the provider of the original.")
                )

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """Number the drafts and give each a key and a reference."""
        for vals in vals_list:
            if vals.get("state", "draft") != "draft":
                raise UserError(_("An operation begins as a draft."))
            if vals.get("name", "/") == "/":
                vals["name"] = self.env["ir.sequence"].next_by_code("servipay.operation") or "/"
            vals.setdefault("idempotency_key", str(uuid.uuid4()))
            # a copy of the database counts from the same number: the key's beginning keeps references apart
            vals.setdefault("reference", f"{vals['name']}-{vals['idempotency_key'][:8]}")
        return super().create(vals_list)

    def write(self, vals):
        """Refuse what only the state machine may change, and what was agreed when the operation was sent."""
        if self.env.context.get("servipay_state_machine") is not _BY_STATE_MACHINE:
            if "state" in vals:
                raise UserError(_("The state of an operation follows from what the provider reports."))
            if any(name in vals for name in INTENT_FIELDS) and any(op.state != "draft" for op in self):
                raise UserError(_("What was asked of the provider cannot be changed afterwards."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_only_drafts(self):
        if any(operation.state != "draft" for operation in self):
            raise UserError(_("An operation that was sent to a provider cannot be deleted."))

    # ------------------------------------------------------------------
    # Actions (buttons)
    # ------------------------------------------------------------------

    def action_refresh(self):
        """Ask the provider what became of the selected operations; a read, it moves nothing."""
        self._check_group("paypercloud_servipay.group_user")
        end, operations = time.monotonic() + REFRESH_SECONDS, self.sudo()
        for number, operation in enumerate(operations, 1):
            operation._inquire(also_settled=True)
            if time.monotonic() > end and number < len(operations):
                return operations[number:]._ask_soon()
        return True  # the browser reads again in a new request, which sees what was written apart

    def _ask_soon(self):
        """Leave the inquiries to the scheduled job, at once; return a notification that says so."""
        for operation in self.filtered(lambda operation: operation._is_asked_about()):
            operation._apart("write", {"next_inquiry_at": fields.Datetime.now()})
        self.env.ref("paypercloud_servipay.cron_settle").sudo()._trigger()
        message = _("%s operations are left: Odoo asks about them in the background.", len(self))
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"type": "info", "message": message, "next": {"type": "ir.actions.act_window_close"}},
        }

    def action_cancel(self):
        """Wish for a cancellation; the operation may still end approved."""
        self._check_group("paypercloud_servipay.group_manager")
        for operation in self.sudo():
            operation._cancel()
        return True

    def action_refund(self):
        """Open the dialog that asks how much to give back."""
        return self._open_dialog("servipay.operation.refund", _("Refund"))

    def action_void(self):
        """Open the dialog that confirms the void of the whole amount."""
        return self._open_dialog("servipay.operation.refund", _("Void"), default_void=True)

    def action_resolve(self):
        """Open the dialog in which a manager states what became of the money."""
        return self._open_dialog("servipay.operation.resolve", _("What became of the money?"))

    def action_open_logs(self):
        """Open the requests and answers of this operation."""
        action = self.env["ir.actions.act_window"]._for_xml_id("paypercloud_servipay.servipay_api_log_action")
        return {**action, "domain": [("operation_id", "in", self.ids)], "context": {}}

    def action_open_children(self):
        """Open the refunds and voids of this operation."""
        return open_operations(self.env, [("original_id", "in", self.ids)])

    def action_open_document(self):
        """Open the document that this operation pays for."""
        self.ensure_one()
        return open_form(self.env[self.res_model].browse(self.res_id))

    # ------------------------------------------------------------------
    # Business: open, send, inquire, cancel
    # ------------------------------------------------------------------

    @api.model
    def _open(self, values):
        """Commit an operation before anything is sent, and return it; the same key gives the same operation.

        ``values`` are field values with a ``company_id``; without an ``idempotency_key`` a new one is made.
        UserError when the key stands for another intent, or when more would be refunded than is left."""
        values = self._with_defaults(values)
        return self.browse(
            in_own_transaction(self.env, lambda env: env["servipay.operation"]._find_or_open(values).id)
        )

    @api.model
    def _with_defaults(self, values):
        return {"idempotency_key": str(uuid.uuid4()), "user_id": self.env.uid, **values}

    @api.model
    def _find_or_open(self, values):
        """Return the operation of a key, created when new; runs within a transaction of its own."""
        operations = self.with_company(values["company_id"])
        key = [(name, "=", values[name]) for name in ("company_id", "idempotency_key")]
        operation = operations.search(key)
        if operation:
            operation._check_same_intent(values)
            return operation
        operations._check_refundable(values)
        # no note in the chatter that says what the record says: many tills start payments in the same second
        quiet = {"tracking_disable": True, "mail_create_nolog": True, "mail_create_nosubscribe": True}
        return self.browse(operations.with_context(**quiet).create(values).id)

    def _start(self):
        """Send the operation once, however often this is called, and apply what came back.

        The caller's transaction must not have changed the operation.
        """
        self.ensure_one()
        if self._apart("_claim"):
            Conversation(self.env, self.id).send()

    def _inquire(self, also_settled=False):
        """Ask the provider what became of the operation and apply the answer; return whether it was asked.

        :param also_settled: ask about a settled operation too, for facts that its first answer lacked
        """
        self.ensure_one()
        return Conversation(self.env, self.id).inquire(also_settled)

    def _cancel(self):
        """Ask the provider to cancel and return whether it was asked; what counts is what it reports later.

        A wish that comes too early is remembered (``cancel_wished``).
        """
        self.ensure_one()
        claimed = self._apart("_claim_cancel")
        if claimed:
            self._perform("cancel")
        return claimed

    def _perform(self, step):
        """Run one step of the provider's driver, within this request."""
        Conversation(self.env, self.id).perform(step)

    def _converse(self, *steps):
        """Run steps ("send", "ask", "revoke", "follow") in the background and return at once.

        What they do was claimed before (``_apart("_claim")`` and its sisters), so that each is done once.
        """
        self.ensure_one()
        converse(Conversation(Detached(self.env), self.id), *steps)
        self.env.invalidate_all()  # what was written meanwhile, by this process or in place in a test

    def _give_back(self, key, amount, void=False, channel="backend"):
        """Refund (or void) ``amount`` of this operation once per ``key`` and return the new operation.

        The terminal is spoken with in the background: it may take minutes.
        """
        self.ensure_one()
        operation = self._open(
            {
                **self._give_back_values(),
                "company_id": self.company_id.id,
                "provider": self.provider,
                "channel": channel,
                "kind": "void" if void else "refund",
                "amount": amount,
                "currency_id": self.currency_id.id,
                "terminal_id": self.terminal_id.id,
                "pos_ref": self.pos_ref,
                "original_id": self.id,
                "idempotency_key": key,
                "res_model": self.res_model,
                "res_id": self.res_id,
            }
        )
        if operation._apart("_claim"):
            operation._converse("send", "follow")
        return operation

    def _give_back_values(self):
        """Return more field values of a refund or void of this operation; addons extend it.

        What a channel needs to find its terminal and credentials again (a payment method, a till).
        """
        return {}

    def _plan(self, step):
        """Return a callable that speaks with the provider and returns a ``Finding``; or a Finding when it
        cannot.

        Calls ``_<provider>_plan(step)`` with step "send", "inquire" or "cancel". The callable gets no cursor
        and may not use one: it is run after this transaction was committed."""
        self.ensure_one()
        if step == "send" and self.cancel_wished:
            return Finding("cancelled", "withdrawn")
        if step == "send" and (self.state != "sent" or self._is_overdue()):
            return Finding("failed", "not_sent", _("its time was over before its turn came"))
        try:
            # what stands in the way is stored: in the company's language, whoever acts
            return getattr(self._for_chatter(), f"_{self.provider}_plan")(step)
        except (UserError, ProtocolError) as error:
            # nothing has left yet: a missing address or key is a certain failure of a send, and no news
            # otherwise
            return Finding("failed" if step == "send" else None, "configuration", str(error))

    # ------------------------------------------------------------------
    # Business: claims. Each runs in its own transaction and says whether the caller may go on.
    # ------------------------------------------------------------------

    def _claim(self):
        self._lock()
        if self.state != "draft" or not self._claim_original():
            return False
        holder = self.terminal_id and self.search(
            [("terminal_id", "=", self.terminal_id.id), ("state", "in", tuple(states.IN_FLIGHT))], limit=1
        )
        if holder and not holder._give_way():
            self._move("failed", reason="terminal_held", detail=holder._summary())
            return False
        now = fields.Datetime.now()
        deadline = now + timedelta(seconds=max(self._seconds_allowed(), MINIMUM_DEADLINE))
        dates = {"sent_at": now, "deadline_at": deadline, "next_inquiry_at": deadline}
        self._move("sent", **dates, **self._address(), reason=False)
        # the unique index speaks here, not at the commit, so that a collision is tried again from the start
        self.env.flush_all()
        return True

    def _claim_original(self):
        """Tell whether what is given back is still there: a draft reserves nothing while it waits."""
        if self.kind not in ("refund", "void", "capture") or not self.original_id:
            return True
        original = self.original_id
        problem = original._lock_to_give_back(self.kind, self.amount)
        if problem:
            left = original.currency_id.format(original.refundable_amount)
            self._move("failed", reason="nothing_left", detail=f"{original.name}: {left}")
        return not problem

    def _address(self):
        """Return the field values that say whom the request goes to, whatever the settings say later.

        ``_<provider>_address`` where it exists.
        """
        hook = getattr(self, f"_{self.provider}_address", None)
        return hook() if hook else {"terminal_pid": self.terminal_id.pid}

    def _claim_cancel(self):
        self._lock()
        if self.state == "draft":
            self._move("cancelled", by="person", reason="withdrawn")
        if self.state == "sent":
            self.write({"cancel_wished": True})
        if self.state != "pending":
            return False
        self.write({"cancel_wished": False})
        self._move("cancelling", reason=False)
        return True

    def _claim_wished_cancel(self):
        """Claim the cancellation that was wished for before the provider's first answer."""
        return self.cancel_wished and self._claim_cancel()

    # ------------------------------------------------------------------
    # Business: apply what was learned
    # ------------------------------------------------------------------

    def _apply(self, finding, step="inquire"):
        """Apply a ``Finding`` under a row lock. The only way from a provider's words to a state.

        Runs in a transaction of its own (``_apart("_apply", finding)``); applying the same finding twice
        changes nothing."""
        self._lock()
        if finding.about not in (None, self._subject()):
            self._ask_anew()
            return
        finding = self._weigh_denial(finding)
        state, reason = finding.state, finding.reason
        by = "attempt" if finding.later_attempt else "provider"
        if state == "approved" and finding.mismatches:
            state, reason = "unknown", "mismatch"
        self._keep_answered(finding)
        if self._hear_about_decision(finding):
            self._note_contact(finding)
            return
        self._keep_facts(finding)
        if state == "reversed" and self.state in states.IN_FLIGHT:
            # it was approved and given back before we heard of either
            self._move("unknown", reason="reversed_unseen")
        if step == "cancel" and state is None and self.state == "cancelling" and reason == "cancel_refused":
            self._move("pending", reason=reason, detail=finding.detail)
        elif state is None or state == self.state or self._is_only_going_on(state, by):
            self._note_no_news(finding)
        elif state in NOT_PAID and self.state in NOT_PAID:
            self._note_no_news(finding)  # another word for the same: nothing was taken
        elif states.allowed(self.state, state, by=by):
            self._move(state, by=by, reason=reason, detail=self._detail_of(finding))
        elif finding.state != "unknown":
            self._flag_contradiction(finding)
        self._end_overdue()
        self._note_contact(finding)

    def _subject(self):
        """Return what the provider is asked about now: ``_<provider>_subject`` where it exists."""
        hook = getattr(self, f"_{self.provider}_subject", None)
        return hook() if hook else None

    def _ask_anew(self):
        """Drop an answer about something else than what is known now."""
        _logger.info("operation %s: an answer was overtaken by news and is asked for again", self.name)
        if self._is_asked_about():
            self.write({"next_inquiry_at": fields.Datetime.now()})

    def _note_contact(self, finding):
        """Keep the terminal's health; a finding without an exchange says nothing about it."""
        silent = finding.reason in NO_ANSWER or (finding.state is None and not finding.reason)
        if self.terminal_id and (finding.latency is not None or (silent and finding.detail)):
            self.terminal_id._note_contact(finding.latency, self._detail_of(finding))

    def _is_only_going_on(self, state, by):
        """Tell whether "pending" is no news: it begins a dialogue or a new attempt, and ends nothing."""
        begins = self.state == "sent" or (by == "attempt" and self.state in states.FINAL)
        return state == "pending" and not begins

    def _keep_facts(self, finding):
        """Write the facts of an answer that this operation has a field for; never replace one by nothing."""
        known = {}
        for name, value in finding.values.items():
            field = self._fields.get(name)
            if field is None or name in INTENT_FIELDS or value in (None, "", False):
                continue
            if finding.mismatches and name not in ("raw_state", "external_ref"):
                continue  # facts about something else
            if self.decided and name == "approved_amount":
                continue  # how much it was is what the person said, until a person says something else
            if name in self._identifiers() and masks_to(
                value, finding.values.get("masked_pan") or self.masked_pan
            ):
                continue  # no identifier: the card's number in the place of one
            known[name] = self._plain_value(field, value)
        if known:
            self.write(known)
        totals = finding.values.get("totals")
        if totals and not self.total_ids:
            self.env["servipay.operation.total"]._keep(self, totals)

    def _plain_value(self, field, value):
        if field.type == "monetary":
            return float(value)
        if not isinstance(value, str):
            return value
        value = value.replace("\x00", "\ufffd")  # PostgreSQL stores no NUL
        # whatever a provider writes into its texts must not bring a card number into the chatter or an export
        return value if field.name in self._identifiers() else self._masker().text(value)

    def _masker(self):
        """Return what hides secrets in a provider's words and leaves our own references readable."""
        return Masker(known=self._made_by_us())

    def _made_by_us(self):
        """Return keys and references that we have made: one in 300 looks like a card number."""
        related = self | self.original_id
        keys = [key for key in related.mapped("idempotency_key") if key]
        own = [op.reference for op in related if op.reference == f"{op.name}-{op.idempotency_key[:8]}"]
        return [*keys, *own]

    def _identifiers(self):
        """Return the names of fields whose text is sent back as it is, and may look like something secret."""
        return IDENTIFIERS

    def _note_no_news(self, finding):
        values = {}
        if finding.detail and finding.detail != self.detail and self.state in states.UNSETTLED:
            values["detail"] = self._detail_of(finding)
        if finding.reason and self.state in states.UNSETTLED:
            values["reason"] = finding.reason
        if values:
            self.write(values)

    def _move(self, state, by="provider", **values):
        """Change the state, here and nowhere else. Refuses and logs what the state machine does not allow."""
        self.ensure_one()
        if not states.allowed(self.state, state, by=by, contradicted=self.contradicted):
            _logger.warning("operation %s: illegal change %s -> %s refused", self.name, self.state, state)
            raise UserError(
                _(
                    "An operation that is “%(old)s” cannot become “%(new)s”.",
                    old=self._state_label(self.state),
                    new=self._state_label(state),
                )
            )
        values = {"decided": False, **values, "state": state}
        if state in states.FINAL:
            values.update(settled_at=fields.Datetime.now(), next_inquiry_at=False, cancel_wished=False)
        elif state == "pending" and self.state == "sent":
            values["next_inquiry_at"] = self._inquiry_at(1, state)
        elif state == "unknown":
            values.update(inquiry_count=0, next_inquiry_at=self._inquiry_at(1, state))
        old = self.state
        self.with_context(servipay_state_machine=_BY_STATE_MACHINE).write(values)
        self._after_move(old, state, by)

    def _after_move(self, old, state, by):
        """Tell people, and carry the effect to the original operation.

        The chatter tells what a person should read, not the steps of a payment that goes well.
        """
        if state == "unknown":
            self._ask_manager()
        elif state == "failed" and old in states.IN_FLIGHT:
            self._tell_repeated_failure()
        elif state in states.FINAL and (old == "unknown" or self.contradicted):
            self.activity_unlink([CHECK])
        if by != "person" and (old == "unknown" or state in ("unknown", "failed", "declined", "reversed")):
            self._post_explanation()
        kept = self.original_id.child_ids.filtered(
            lambda one: (one.kind, one.state) == ("capture", "approved")
        )
        # of an authorisation that was captured in part only the rest is given free: the payment stands
        if state == "approved" and self.kind == "void" and self.original_id and not kept:
            self.original_id._lock()
            self.original_id._apply(Finding("reversed", "voided", self.name))
        if (old, state, self.kind) == ("approved", "failed", "void") and self.original_id:
            self._undo_void()
        self._tell_document(state)

    def _tell_document(self, state):
        """Let the document that this operation is about follow it, in the same transaction."""
        document = self._document()
        if hasattr(document, "_servipay_follow"):
            document._servipay_follow(self, state)

    def _document(self):
        """Return the record that this operation is about (None without one)."""
        if not self.res_model or self.res_model not in self.env or not self.res_id:
            return None
        return self.env[self.res_model].browse(self.res_id).exists()

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    def _apart(self, method, *args):
        """Call a method of this operation in a transaction of its own."""
        return in_own_transaction(
            self.env, lambda env: getattr(env["servipay.operation"].browse(self.id), method)(*args)
        )

    def _lock(self):
        """Lock the row until the end of the transaction and read it anew."""
        self.ensure_one()
        # a lost race is tried again by in_own_transaction and no error to report
        self.env.cr.execute(
            "SELECT id FROM servipay_operation WHERE id = %s FOR UPDATE", [self.id], log_exceptions=False
        )
        if not self.env.cr.rowcount:
            raise UserError(_("This operation is not saved yet. Nothing was sent."))
        self.invalidate_recordset()

    def _check_group(self, group):
        if not self.env.su and not self.env.user.has_group(group):
            raise AccessError(_("Only payment managers may do this."))
        check_access(self, "read")  # record rules: other companies' operations are refused here

    def _check_same_intent(self, values):
        """Refuse a key that is used again for something else (architecture 4.2)."""
        for name in INTENT_FIELDS:
            if name not in values:
                continue
            asked, field = values[name], self._fields[name]
            if field.type == "monetary":
                same = self.currency_id.compare_amounts(self[name], asked or 0) == 0
            else:
                same = field.convert_to_write(self[name], self) == asked
            if not same:
                what = field._description_string(self.env)
                raise UserError(
                    _("This payment was already started with another %(what)s. Nothing was sent.", what=what)
                )

    def _check_refundable(self, values):
        """Lock the original and refuse to give back more than is left of it."""
        original = self.browse(values.get("original_id") or ())
        if not original or values.get("kind") not in ("refund", "void", "capture"):
            return
        wanted = values.get("amount") or 0
        problem = original._lock_to_give_back(values["kind"], wanted)
        if problem == "void":
            raise UserError(_("Only an approved payment of which nothing was refunded can be voided."))
        if problem and values["kind"] == "capture":
            raise UserError(_("More would be captured than is left of the authorisation. Nothing was sent."))
        if problem:
            raise UserError(
                _(
                    "%(wanted)s cannot be refunded: %(left)s are left of %(name)s. Nothing was sent.",
                    wanted=original.currency_id.format(wanted),
                    left=original.currency_id.format(original.refundable_amount),
                    name=original.name,
                )
            )

    def _lock_to_give_back(self, kind, amount):
        """Lock this payment and say why ``amount`` of it cannot be given back: "", "void" or "amount"."""
        self._lock()
        # a refund changes no column of the original: without this a second one that waited for the lock would
        # still see the snapshot in which nothing was refunded; now it collides and is tried again
        self.env.cr.execute("UPDATE servipay_operation SET write_date = write_date WHERE id = %s", [self.id])
        if kind == "void" and not self._is_whole() and not self._is_rest(amount):
            return "void"
        return "amount" if self.currency_id.compare_amounts(amount, self.refundable_amount) > 0 else ""

    def _is_whole(self):
        """Tell whether money was taken or reserved and nothing given back: only then it can be voided."""
        self.ensure_one()
        currency = self.currency_id
        left = currency and not currency.is_zero(self.refundable_amount)
        return self.kind in PAYMENTS and bool(left) and currency.is_zero(self.refunded_amount)

    def _is_rest(self, amount):
        """Tell whether ``amount`` is all that was reserved and not captured, where that can be given free.

        ``_<provider>_can_void_rest`` says whether its provider knows that."""
        can = getattr(self, f"_{self.provider}_can_void_rest", None)
        reserved = self.kind == "authorisation" and self.state == "approved"
        left = self.refundable_amount
        return bool(can and can() and reserved and left) and not self.currency_id.compare_amounts(
            amount, left
        )

    def _settled_amount(self):
        """Return what was really paid: a terminal may approve less than was asked."""
        self.ensure_one()
        return self.approved_amount or self.amount

    def _seconds_allowed(self):
        """Return how long the provider may take, in seconds.

        ``_<provider>_seconds_allowed`` where it exists.
        """
        hook = getattr(self, f"_{self.provider}_seconds_allowed", None)
        return hook() if hook else MINIMUM_DEADLINE

    def _summary(self):
        amount = self.currency_id.format(self.amount) if self.currency_id else ""
        return " ".join(part for part in (self.name, amount, self.user_id.name or "") if part)

    def _detail_of(self, finding):
        if not finding.mismatches:
            return self._masker().text(finding.detail) if finding.detail else False
        return self._masker().text("; ".join(f"{m.field}: {m.asked} / {m.got}" for m in finding.mismatches))

    def _post_explanation(self):
        operation = self._for_chatter()
        operation.message_post(body=operation._explain())

    def _for_chatter(self):
        """Return self in the language of the company, whoever acts (a job, a cashier)."""
        return self._in_language(lean(lean(self.company_id).partner_id).lang)

    def _in_language(self, lang):
        known = dict(self.env["res.lang"].get_installed())
        return self.with_context(lang=lang) if lang in known else self

    def _open_dialog(self, model, title, **context):
        self.ensure_one()
        self._check_group("paypercloud_servipay.group_manager")
        return {
            "type": "ir.actions.act_window",
            "name": title,
            "res_model": model,
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_operation_id": self.id, **context},
        }
