import json
import uuid
from decimal import Decimal

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from ..api import profile as profiles
from ..api.dialogue import Call
from ..api.errors import ProtocolError
from ..api.masking import Masker
from ..compat import check_access
from ..models.access import check_manager
from ..models.own_transaction import in_own_transaction

# variable of a profile -> field of this dialog
INPUTS = {
    "pos_id": "pos_id",
    "terminal_pid": "terminal_pid",
    "amount": "amount",
    "currency": "currency_id",
    "reference": "reference",
    "operation_id": "external_ref",
    "original_operation_id": "external_ref",
    "period": "period",
    "date": "date",
    "date_from": "date_from",
    "date_to": "date_to",
}
INQUIRIES = ("operation_status", "operation_result")


class ServipayApiTester(models.TransientModel):
    """Call any endpoint by hand. What moves money becomes an operation first, with this dialog's key."""

    _name = "servipay.api.tester"
    _description = "API Tester"
    _rec_name = "endpoint_id"

    company_id = fields.Many2one("res.company", required=True, default=lambda self: self.env.company)
    profile_id = fields.Many2one("servipay.api.profile", compute="_compute_profile_id", compute_sudo=True)
    endpoint_id = fields.Many2one(
        "servipay.api.endpoint",
        "Endpoint",
        required=True,
        ondelete="cascade",
        domain="[('profile_id', '=', profile_id)]",
        compute="_compute_endpoint_id",
        store=True,
        readonly=False,
    )
    endpoint_key = fields.Selection(related="endpoint_id.key")
    endpoint_help = fields.Text(compute="_compute_uses")
    moves_money = fields.Boolean(compute="_compute_uses")
    uses = fields.Char(compute="_compute_uses", help="Names of the fields that the endpoint takes.")
    warnings = fields.Text(compute="_compute_warnings", compute_sudo=True)

    operation_id = fields.Many2one(
        "servipay.operation",
        "Operation",
        ondelete="set null",
        domain="[('company_id', '=', company_id), ('provider', '=', 'paypercloud')]",
    )
    external_ref = fields.Char(
        "Provider's operation ID", compute="_compute_external_ref", store=True, readonly=False
    )
    amount = fields.Monetary()
    currency_id = fields.Many2one("res.currency", default=lambda self: self.env.company.currency_id)
    pos_id = fields.Char("POS ID", compute="_compute_defaults", store=True, readonly=False)
    terminal_pid = fields.Char("Terminal PID", compute="_compute_defaults", store=True, readonly=False)
    reference = fields.Char(help="Leave empty to let Odoo make one.")
    period = fields.Selection([("daily", "Daily"), ("weekly", "Weekly")], default="daily")
    date = fields.Date(default=fields.Date.context_today)
    date_from = fields.Date(default=fields.Date.context_today)
    date_to = fields.Date(default=fields.Date.context_today)

    preview = fields.Text(compute="_compute_preview")
    question = fields.Text(compute="_compute_question", help="What is asked before money can move.")
    # one dialog is one intent: pressing "Call API" twice, or Odoo running the request again, is one payment
    intent_key = fields.Char(default=lambda self: str(uuid.uuid4()), readonly=True)
    called = fields.Boolean(readonly=True)
    result_state = fields.Selection(
        lambda self: self.env["servipay.operation"]._fields["state"]._description_selection(self.env),
        "Outcome",
        readonly=True,
    )
    result_kind = fields.Selection(
        [("success", "Success"), ("warning", "Warning"), ("danger", "Danger"), ("info", "Info")],
        readonly=True,
    )
    result_message = fields.Text(readonly=True)
    http_status = fields.Integer("HTTP status", readonly=True)
    duration = fields.Float("Duration (ms)", readonly=True, digits=(10, 0))
    answer = fields.Text(readonly=True)
    curl = fields.Char("cURL", compute="_compute_curl")
    log_id = fields.Many2one(
        "servipay.api.log", "API log", readonly=True, ondelete="set null", index="btree_not_null"
    )
    result_operation_id = fields.Many2one("servipay.operation", "Created operation", readonly=True)

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("company_id")
    def _compute_profile_id(self):
        for tester in self:
            tester.profile_id = tester.company_id and tester.company_id._servipay_profile(required=False)

    @api.depends("profile_id")
    def _compute_endpoint_id(self):
        for tester in self:
            if tester.endpoint_id.profile_id != tester.profile_id:
                tester.endpoint_id = tester.profile_id.endpoint_ids[:1]

    @api.depends("company_id")
    def _compute_defaults(self):
        for tester in self:
            tester.pos_id = tester.company_id.servipay_pos_id
            tester.terminal_pid = tester.company_id.servipay_terminal_pid

    @api.depends("operation_id")
    def _compute_external_ref(self):
        for tester in self:
            tester.external_ref = tester.operation_id.external_ref

    @api.depends("endpoint_id")
    def _compute_uses(self):
        sentences = self.env["servipay.api.endpoint"]._help_sentences()
        for tester in self:
            names = tester._variables()
            # between commas, so that the view can look for ",amount,"
            tester.uses = f",{','.join(sorted({INPUTS[name] for name in names if name in INPUTS}))},"
            tester.endpoint_help = sentences.get(tester.endpoint_id.key)
            tester.moves_money = tester.endpoint_id.key in profiles.START_KEYS

    @api.depends("company_id", "profile_id")
    def _compute_warnings(self):
        for tester in self:
            tester.warnings = "\n".join(text for _code, text in tester.company_id._servipay_warnings())

    @api.depends(
        *(
            "endpoint_id",
            "amount",
            "currency_id",
            "pos_id",
            "terminal_pid",
            "reference",
            "external_ref",
            "period",
        ),
        *("date", "date_from", "date_to", "company_id"),
    )
    def _compute_preview(self):
        for tester in self:
            try:
                tester.preview = tester._preview() if tester.endpoint_id else ""
            except UserError as error:
                tester.preview = str(error)
            except ProtocolError as error:
                tester.preview = tester._problem_sentence(error)

    @api.depends("endpoint_id", "amount", "currency_id", "terminal_pid", "operation_id", "company_id")
    def _compute_question(self):
        for tester in self:
            tester.question = tester._question() if tester.moves_money else ""

    @api.depends("endpoint_id")
    def _compute_display_name(self):
        for tester in self:
            tester.display_name = _("API Tester: %s", tester.endpoint_id.name or "-")

    @api.depends("log_id")
    def _compute_curl(self):
        for tester in self:
            tester.curl = tester.log_id.curl

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_call(self):
        """Call the endpoint, once per dialog, and show what came back."""
        self.ensure_one()
        self._check_manager()
        if self.called:
            return True
        if self.moves_money:
            self._call_start()
        elif self.operation_id and self.endpoint_key in (*INQUIRIES, "operation_cancel"):
            self._call_operation()
        else:
            self._call_plain()
        # the browser reads the dialog again in a new request, which sees what was written apart
        return {"type": "ir.actions.act_window_close"}

    def action_ask(self):
        """Ask, with amount and terminal, before money can move; "Send" there is :meth:`action_call`."""
        self.ensure_one()
        self._check_manager()
        try:
            self._preview()
        except ProtocolError as error:  # what is missing is told before the question
            raise UserError(_("%s Nothing was sent.", self._problem_sentence(error))) from error
        view = self.env.ref("paypercloud_servipay.servipay_api_tester_view_ask")
        return {**self._show(), "views": [(view.id, "form")], "target": "new"}

    def action_again(self):
        """Open a new dialog with the same values: a person's new attempt is a new intent, with a new key."""
        self.ensure_one()
        self._check_manager()
        fresh = self.copy(
            {
                "intent_key": str(uuid.uuid4()),
                **dict.fromkeys(("called", "result_state", "result_kind", "result_message", "answer"), False),
                **dict.fromkeys(("http_status", "duration"), 0),
                # a reference names one operation
                **dict.fromkeys(("log_id", "result_operation_id", "reference"), False),
            }
        )
        return fresh._show()

    def action_refresh(self):
        """Ask what became of the created operation and show it."""
        self.ensure_one()
        self._check_manager()
        operation = self.result_operation_id.sudo()
        self._keep_operation(operation, operation._inquire(also_settled=True))
        return True

    def action_open_operation(self):
        """Open the operation that the call created or asked about."""
        return self._open("servipay.operation", self.result_operation_id)

    def action_open_log(self):
        """Open the request and its answer."""
        return self._open("servipay.api.log", self.log_id)

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    def _call_start(self):
        """Purchase, refund, void, reconciliation: an operation is committed before anything leaves."""
        operations = self.env["servipay.operation"].sudo()
        terminals = self.env["servipay.terminal"].sudo()
        terminal = terminals._find_or_new(self.company_id, "paypercloud", self.terminal_pid)
        values = {
            "company_id": self.company_id.id,
            "provider": "paypercloud",
            "channel": "tester",
            "kind": self.endpoint_key,
            "idempotency_key": self.intent_key,
            "terminal_id": terminal._stored_id(),
            "pos_ref": self.pos_id,
            "reference": self._reference(),
            **self._intent_amount(),
        }
        self._check_reference(operations, values["reference"])
        operation = operations._open(values)
        operation._start()
        self._keep_operation(operation)

    def _check_reference(self, operations, reference):
        """Refuse the reference of another operation: a lost answer is looked up by it."""
        domain = [("company_id", "=", self.company_id.id), ("provider", "=", "paypercloud")]
        key = ("idempotency_key", "!=", self.intent_key)
        other = operations.search([*domain, key, ("reference", "=", reference)], limit=1)
        if other:
            raise UserError(
                _(
                    "“%(reference)s” is the reference of %(name)s: the provider's answer about one could be "
                    "taken for the other's. Nothing was sent. Leave the field empty, or choose another one.",
                    reference=reference,
                    name=other.name,
                )
            )

    def _intent_amount(self):
        if self.endpoint_key == "reconciliation":
            return {}
        original = self.operation_id
        if self.endpoint_key == "purchase":
            return {"amount": self.amount, "currency_id": self.currency_id.id}
        if not original:
            raise UserError(
                _(
                    "Choose the operation to refund or void: Odoo must know how much of it is left. "
                    "Nothing was sent."
                )
            )
        # of a void not what is left: that is nothing when the request is run again
        amount = original._settled_amount() if self.endpoint_key == "void" else self.amount
        return {"amount": amount, "currency_id": original.currency_id.id, "original_id": original.id}

    def _call_operation(self):
        """Status, result or cancel of a known operation: what is learned is applied to it."""
        operation = self.operation_id.sudo()
        cancel = self.endpoint_key == "operation_cancel"
        self._keep_operation(
            operation, operation._cancel() if cancel else operation._inquire(also_settled=True)
        )

    def _call_plain(self):
        """A read, or a call about an operation that Odoo does not know.

        It is shown and logged, nothing is applied.
        """
        api_client = self._api()
        reply = api_client.call(Call(self.endpoint_key, self._values()))
        status, outcome = getattr(api_client.last, "status", 0) or 0, reply.outcome
        kind, message = self.company_id._servipay_describe_reply(self.endpoint_key, reply, status)
        self._keep(
            {
                "result_kind": "info" if kind == "success" else kind,
                "result_state": (outcome and outcome.state) or False,
                "result_message": _("Done.") if kind == "success" else message,
                "http_status": status,
                "duration": getattr(api_client.last, "duration", 0),
                "log_id": getattr(api_client.last, "log_id", False),
            }
        )

    def _keep_operation(self, operation, asked=True):
        """Show the operation's state as it is in the database now, not as this transaction remembers it.

        :param asked: whether anything was sent; an older answer must not look like today's
        """
        tester_id = self.id

        def work(env):
            fresh = env["servipay.operation"].browse(operation.id)
            log = env["servipay.api.log"]
            if asked:
                log = log.search([("operation_id", "=", fresh.id)], limit=1)
            kinds = {"approved": "success", "unknown": "danger", "failed": "danger", "declined": "warning"}
            env["servipay.api.tester"].browse(tester_id)._write_result(
                {
                    "result_operation_id": fresh.id,
                    "result_state": fresh.state,
                    "result_kind": kinds.get(fresh.state, "info"),
                    "result_message": fresh._tester_message(asked),
                    "http_status": log.http_status,
                    "duration": log.duration,
                    "log_id": log.id,
                }
            )

        in_own_transaction(self.env, work)

    def _keep(self, values):
        tester_id = self.id
        in_own_transaction(
            self.env, lambda env: env["servipay.api.tester"].browse(tester_id)._write_result(values)
        )

    def _write_result(self, values):
        log = self.env["servipay.api.log"].browse(values.get("log_id") or ())
        self.write({**values, "called": True, "answer": _pretty(log.response_body)})

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    def _check_manager(self):
        check_manager(self)
        # a record's id can be written by RPC whatever the form offers: rules of other companies hold here too
        check_access(self.operation_id | self.result_operation_id, "read")

    def _api(self):
        digits = self.currency_id._servipay_digits()
        return self.company_id._paypercloud_api(
            self, digits=digits, pos_id=self.pos_id, terminal_pid=self.terminal_pid
        )

    def _variables(self):
        """Return the names of the variables that the chosen endpoint takes."""
        if not self.endpoint_id:
            return {}
        return profiles.endpoint_variables(self.sudo().profile_id._document(), self.endpoint_id.key)

    def _values(self):
        """Return the variables for a call that is not an operation."""
        currency = self.currency_id
        return {
            "amount": currency._servipay_decimal(self.amount) if currency else Decimal(0),
            "digits": currency._servipay_digits(),
            "currency": self.currency_id.name or "",
            "reference": self.reference or "",
            "idempotency_key": self.intent_key,
            "operation_id": self.external_ref or "",
            "original_operation_id": self.external_ref or "",
            "period": self.period or "",
            **{name: fields.Date.to_string(self[name]) or "" for name in ("date", "date_from", "date_to")},
        }

    def _problem_sentence(self, error):
        """Return what is still missing for the call, in the reader's language."""
        name = error.params.get("name", error.field)
        sentences = {
            "amount": _("Enter an amount above zero."),
            "missing_variable": _("“%s” is needed for this call.", name),
            "header_value": _("No API key is set: no call can be made."),
        }
        return sentences.get(error.code) or self.env["servipay.sentence"]._translate(str(error))

    def _preview(self):
        """Return what leaves when "Call API" is pressed, the secret masked."""
        api_client, calls = self._calls()
        return "\n\n".join(self._request_text(api_client, call) for call in calls)

    def _calls(self):
        """Return (PaypercloudApi, [Call]): the requests that :meth:`action_call` makes, in their order."""
        if self.moves_money:
            return self._api(), [Call(self.endpoint_key, self._start_values())]
        if self.operation_id and self.endpoint_key in (*INQUIRIES, "operation_cancel"):
            operation = self.operation_id.sudo()
            api_client = operation._paypercloud_api()
            return api_client, operation._paypercloud_calls(api_client, self.endpoint_key)
        return self._api(), [Call(self.endpoint_key, self._values())]

    def _start_values(self):
        """Return the variables of a start, as ``api.dialogue`` makes them of the operation to be opened."""
        wanted, currency = self._intent_amount(), self.env["res.currency"]
        values = {
            "reference": self._reference(),
            "idempotency_key": self.intent_key,
        }
        if wanted:
            currency = currency.browse(wanted["currency_id"])
            amount, digits = currency._servipay_decimal(wanted["amount"]), currency._servipay_digits()
            values.update(amount=amount, digits=digits, currency=currency.name or "")
        if wanted.get("original_id"):
            values["original_operation_id"] = self.operation_id.external_ref or ""
        return values

    def _reference(self):
        """Return the reference that is sent: made here, so that the preview shows the very same."""
        return self.reference or f"SP-{(self.intent_key or '').replace('-', '')[:12]}"

    def _question(self):
        """Return what is about to be sent where, in the reader's language."""
        company = self.company_id.sudo()
        address = company.servipay_base_url or "-"
        where = _("Terminal %(pid)s, %(url)s.", pid=self.terminal_pid or "-", url=address)
        if company.servipay_environment == "production":
            risk = _("This is a production address: the call moves real money.")
        else:
            risk = _("This address is declared a demonstration.")
        return "\n".join((self._intent_text(), where, risk))

    def _intent_text(self):
        name, amount, currency = self.endpoint_id.name or "", self.amount, self.currency_id
        if self.endpoint_key == "reconciliation":
            return name
        if self.endpoint_key == "void":
            amount, currency = self.operation_id._settled_amount(), self.operation_id.currency_id
        text = format_amount(self.env, amount, currency) if currency else f"{amount:.2f}"
        if self.endpoint_key == "purchase":
            return f"{name}: {text}"
        of = self.operation_id.name
        return _("%(what)s: %(amount)s of %(operation)s", what=name, amount=text, operation=of)

    def _request_text(self, api_client, call):
        request = api_client.build(call.endpoint, call.values)
        secrets = (api_client.credentials.api_key,) if api_client.credentials.api_key else ()
        masker = Masker(values=secrets, known=_made_by_us(call.values))
        lines = [f"{request.method} {masker.url(api_client.client.url(request))}"]
        lines += [f"{name}: {value}" for name, value in masker.headers(request.headers).items()]
        if request.body:
            lines += ["", _pretty(masker.body(request.body, "application/json"))]
        return "\n".join(lines)

    def _show(self):
        return {
            "type": "ir.actions.act_window",
            "name": _("API Tester"),
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "current",
        }

    def _open(self, model, record):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": model,
            "res_id": record.id,
            "views": [(False, "form")],
        }


def _made_by_us(values):
    """Return the key of a request and the reference that was made of it; what a person typed is none."""
    key, reference = values.get("idempotency_key") or "", values.get("reference") or ""
    return [key, *([reference] if key and reference.endswith(f"-{key[:8]}") else [])]


def _pretty(text):
    """Return JSON text indented, anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text else ""
    except ValueError:
        return text
