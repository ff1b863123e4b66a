import base64
import json

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..api import presets
from ..api import profile as profiles
from ..api.errors import ProtocolError

STATES = [
    ("pending", "Pending"),
    ("approved", "Approved"),
    ("declined", "Declined"),
    ("cancelled", "Cancelled"),
    ("failed", "Failed"),
    ("unknown", "Unknown"),
    ("reversed", "Reversed"),
]


class ServipayApiProfile(models.Model):
    """How to speak a terminal API, as data.

    The document of ``api.profile`` is the one truth; records mirror it.
    """

    _name = "servipay.api.profile"
    _description = "API profile"
    _inherit = ["servipay.api.shared", "mail.thread", "mail.activity.mixin"]
    _order = "sequence, id"

    name = fields.Char(required=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", help="Leave empty to share the profile with all companies.")
    preset = fields.Char("Made from preset", readonly=True, copy=False)
    verified = fields.Boolean(
        "Verified with the vendor",
        tracking=True,
        copy=False,
        help="Tick it once the paths, fields and words were checked against the vendor's documentation "
        "or host.",
    )
    note = fields.Text()
    base_path = fields.Char(required=True, default="/api/v2")
    auth_scheme = fields.Selection(
        [("bearer", "Bearer token"), ("header", "Header"), ("basic", "Basic")],
        required=True,
        default="bearer",
    )
    auth_header = fields.Char("Authentication header", default="Authorization", required=True)
    headers = fields.Text("Static headers", default="{}", help="JSON object of header names and values.")
    amount_format = fields.Selection(
        [
            ("minor_int", "Integer in minor units (1234)"),
            ("minor_str", "Text in minor units (“1234”)"),
            ("decimal_num", "Decimal number (12.34)"),
            ("decimal_str", "Decimal text (“12.34”)"),
        ],
        required=True,
        default="minor_int",
    )
    currency_format = fields.Selection(
        [("alpha", "Letters (EUR)"), ("numeric", "Digits (978)"), ("none", "Not sent")],
        required=True,
        default="alpha",
    )
    pending_http_codes = fields.Char(
        "HTTP codes for “still running”", default="202", help="Of status and result, separated by commas."
    )
    busy_http_codes = fields.Char("HTTP codes for “busy”", default="409, 423, 429")
    idempotency_header = fields.Char(default="Idempotency-Key", help="Leave empty to send none.")
    honours_idempotency = fields.Boolean(
        "Idempotency is guaranteed",
        help="Tick only if the vendor guarantees that a repeated key is executed once: Odoo may then "
        "repeat a request "
        "that may have arrived.",
    )
    sync_response = fields.Boolean("The first answer is final")
    require_amount = fields.Boolean(
        "An approval must state its amount",
        default=True,
        help="Without it such an approval becomes “unknown”.",
    )
    partial_approval = fields.Boolean("Partial approvals are possible")
    poll_first = fields.Integer("First inquiries every (s)", default=2)
    poll_slow = fields.Integer("Later inquiries every (s)", default=5)
    poll_deadline = fields.Integer("Outcome expected within (s)", default=180)
    error_message_paths = fields.Text(
        help="Where error messages are found, one dotted path a line, first hit wins."
    )
    error_code_paths = fields.Text(
        help="Where error codes are found, one dotted path a line, first hit wins."
    )
    word_ids = fields.One2many("servipay.api.word", "profile_id", "Status words", copy=True)
    endpoint_ids = fields.One2many("servipay.api.endpoint", "profile_id", "Endpoints", copy=True)
    export_file = fields.Binary(compute="_compute_export_file", compute_sudo=False)

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    def _compute_export_file(self):
        for profile in self:
            text = json.dumps(profile._document(), indent=2, ensure_ascii=False)
            profile.export_file = base64.b64encode(text.encode())

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains(
        *("name", "base_path", "auth_scheme", "auth_header", "headers", "amount_format", "currency_format"),
        *("pending_http_codes", "busy_http_codes", "idempotency_header", "honours_idempotency", "poll_first"),
        *(
            "poll_slow",
            "poll_deadline",
            "error_message_paths",
            "error_code_paths",
            "word_ids",
            "endpoint_ids",
        ),
    )
    def _check_document(self):
        for profile in self:
            try:
                problems = profiles.validate(profile._raw_document())
            except ProtocolError as problem:
                problems = [problem]
            if problems:
                raise ValidationError(self._sentences_of(problems))

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_export(self):
        """Download the profile as a JSON file."""
        self.ensure_one()
        name = "".join(c if c.isalnum() else "_" for c in self.name)
        return {
            "type": "ir.actions.act_url",
            "url": f"/web/content/servipay.api.profile/{self.id}/export_file/{name}.json?download=true",
            "target": "self",
        }

    def action_reset(self):
        """Write the shipped preset over this profile."""
        self.ensure_one()
        if self.preset not in presets.preset_names():
            raise UserError(_("This profile was not made from a shipped preset."))
        self._replace(profiles.normalise(presets.load(self.preset)))
        return True

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    @api.model
    def _load_presets(self):
        """Create the shipped profiles that are not there yet; what an administrator changed is kept."""
        records = []
        for name in presets.preset_names():
            values = {**self._values_of(profiles.normalise(presets.load(name))), "preset": name}
            xml_id = f"paypercloud_servipay.profile_{name}"
            if not self.env.ref(xml_id, raise_if_not_found=False):
                records.append({"xml_id": xml_id, "values": values, "noupdate": True})
        self._load_records(records)

    @api.model
    def _import(self, text):
        """Create a profile from the JSON text of an export and return it.

        UserError naming each wrong field.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(_("This is not a JSON file: %s", error)) from error
        problems = profiles.validate(document)
        if problems:
            raise UserError(self._sentences_of(problems))
        # an import has not been checked here, whatever its file says
        return self.create({**self._values_of(profiles.normalise(document)), "verified": False})

    def _shared_profiles(self):
        return self

    def _sentences_of(self, problems):
        sentences = self.env["servipay.sentence"]
        return "\n".join(sentences._translate_problem(problem) for problem in problems)

    def _replace(self, document):
        self.ensure_one()
        self.word_ids.unlink()
        self.endpoint_ids.unlink()
        self.write(self._values_of(document))

    def _document(self):
        """Return the profile as the (normalised) document of ``api.profile``."""
        self.ensure_one()
        return profiles.normalise(self._raw_document())

    def _raw_document(self):
        """Return the document as the fields say, not validated.

        ProtocolError when a JSON field is not JSON.
        """
        return {
            "format": profiles.FORMAT,
            "name": self.name,
            "note": self.note or "",
            "verified_with_vendor": self.verified,
            "base_path": self.base_path,
            "auth": {"scheme": self.auth_scheme, "header": self.auth_header},
            "headers": load_json(self.headers, "headers"),
            "amount_format": self.amount_format,
            "currency_format": self.currency_format,
            "pending_http_codes": load_codes(self.pending_http_codes, "pending_http_codes"),
            "busy_http_codes": load_codes(self.busy_http_codes, "busy_http_codes"),
            "idempotency_header": self.idempotency_header or "",
            "honours_idempotency": self.honours_idempotency,
            "sync_response": self.sync_response,
            "require_amount": self.require_amount,
            "partial_approval": self.partial_approval,
            "poll": {"first": self.poll_first, "slow": self.poll_slow, "deadline": self.poll_deadline},
            "status_map": {word.word: word.state for word in self.word_ids},
            "error_message_paths": (self.error_message_paths or "").split(),
            "error_code_paths": (self.error_code_paths or "").split(),
            "endpoints": {endpoint.key: endpoint._document() for endpoint in self.endpoint_ids},
        }

    @api.model
    def _values_of(self, document):
        """Return field values for a (valid, normalised) document."""
        plain = (
            *("name", "note", "base_path", "amount_format", "currency_format", "idempotency_header"),
            *("honours_idempotency", "sync_response", "require_amount", "partial_approval"),
        )
        endpoints = self.env["servipay.api.endpoint"]
        return {
            **{name: document[name] for name in plain},
            "verified": document["verified_with_vendor"],
            "auth_scheme": document["auth"]["scheme"],
            "auth_header": document["auth"]["header"],
            "headers": dump_json(document["headers"]),
            "pending_http_codes": ", ".join(map(str, document["pending_http_codes"])),
            "busy_http_codes": ", ".join(map(str, document["busy_http_codes"])),
            "poll_first": document["poll"]["first"],
            "poll_slow": document["poll"]["slow"],
            "poll_deadline": document["poll"]["deadline"],
            "error_message_paths": "\n".join(document["error_message_paths"]),
            "error_code_paths": "\n".join(document["error_code_paths"]),
            "word_ids": [
                fields.Command.create({"word": word, "state": state})
                for word, state in document["status_map"].items()
            ],
            "endpoint_ids": [
                fields.Command.create(endpoints._values_of(key, endpoint))
                for key, endpoint in document["endpoints"].items()
            ],
        }


class ServipayApiWord(models.Model):
    _name = "servipay.api.word"
    _inherit = "servipay.api.shared"
    _description = "Status word of an API profile"
    _order = "state, word"
    _rec_name = "word"

    profile_id = fields.Many2one("servipay.api.profile", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="profile_id.company_id", store=True)
    word = fields.Char(required=True, help="Upper and lower case, spaces, - and _ make no difference.")
    # Odoo copies no field of this name unless it is told to
    state = fields.Selection(STATES, "Means", required=True, copy=True)

    @api.constrains("word", "state")
    def _check_document(self):
        # while a profile is being created its words come before its endpoints
        self.profile_id.filtered("endpoint_ids")._check_document()


class ServipayApiEndpoint(models.Model):
    _name = "servipay.api.endpoint"
    _inherit = "servipay.api.shared"
    _description = "API endpoint"
    _order = "profile_id, sequence, id"

    profile_id = fields.Many2one("servipay.api.profile", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="profile_id.company_id", store=True)
    sequence = fields.Integer(default=10)
    key = fields.Selection("_selection_key", required=True)
    name = fields.Char(required=True, translate=False)
    method = fields.Selection(
        [("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("DELETE", "DELETE")],
        required=True,
        default="POST",
    )
    path = fields.Char(required=True, help="Placeholders such as {operation_id} are percent-encoded.")
    query = fields.Text(default="{}", help="JSON object of query parameters.")
    body = fields.Text(
        help="JSON template. “{amount}” alone takes the typed value, “{reference?}” drops its key when empty."
    )
    success_codes = fields.Char(default="200", required=True)
    response = fields.Text(
        default="{}", help="JSON object: for each field the dotted paths under which it may stand."
    )
    retry_safe = fields.Boolean(help="A read that may be repeated after a lost answer although it is no GET.")
    help = fields.Text()

    @api.model
    def _selection_key(self):
        labels = {
            "purchase": _("Purchase"),
            "refund": _("Refund"),
            "void": _("Void"),
            "reconciliation": _("Reconciliation"),
            "operation_status": _("Operation status"),
            "operation_result": _("Operation result"),
            "operation_cancel": _("Operation cancel"),
            "operations_list": _("Operations list (daily/weekly)"),
            "last_reconciliation": _("Last reconciliation"),
        }
        return [(key, labels[key]) for key in profiles.ENDPOINT_KEYS]

    @api.depends("key", "name")
    @api.depends_context("lang")
    def _compute_display_name(self):
        labels = dict(self._selection_key())
        for endpoint in self:
            endpoint.display_name = labels.get(endpoint.key) or endpoint.name

    @api.model
    def _help_sentences(self):
        """Return what each endpoint is for, in the reader's language."""
        return {
            "purchase": _(
                "Start a payment on the terminal. The answer only says that it was accepted; ask for "
                "status and result."
            ),
            "refund": _("Give money back on the terminal."),
            "void": _("Undo an operation of the current batch, in full."),
            "reconciliation": _(
                "Close the terminal's batch. It runs like an operation; the totals are in its result."
            ),
            "operation_status": _("How far an operation is. Safe to ask at any time."),
            "operation_result": _("The final result: authorisation, card, receipts, totals."),
            "operation_cancel": _(
                "Ask the terminal to stop. It is a wish: the operation may still end approved."
            ),
            "operations_list": _("The operations of a day or a week."),
            "last_reconciliation": _("The totals of the last batch that was closed."),
        }

    @api.constrains(
        "key", "name", "method", "path", "query", "body", "success_codes", "response", "retry_safe"
    )
    def _check_document(self):
        self.profile_id._check_document()

    @api.constrains("key", "profile_id")
    def _check_key_once(self):
        for endpoint in self:
            if endpoint.profile_id.endpoint_ids.mapped("key").count(endpoint.key) > 1:
                raise ValidationError(_("A profile has each endpoint once: %s", endpoint.name))

    def _document(self):
        self.ensure_one()
        place = f"endpoints.{self.key}"
        document = {
            "name": self.name,
            "method": self.method,
            "path": self.path,
            "query": load_json(self.query, f"{place}.query"),
            "body": load_json(self.body, f"{place}.body") if self.body else None,
            "success_codes": load_codes(self.success_codes, f"{place}.success_codes"),
            "response": load_json(self.response, f"{place}.response"),
            "help": self.help or "",
        }
        return {**document, "retry_safe": True} if self.retry_safe else document

    @api.model
    def _values_of(self, key, document):
        return {
            "key": key,
            "sequence": profiles.ENDPOINT_KEYS.index(key),
            "name": document["name"],
            "method": document["method"],
            "path": document["path"],
            "query": dump_json(document["query"]),
            "body": dump_json(document["body"]) if document["body"] is not None else False,
            "success_codes": ", ".join(map(str, document["success_codes"])),
            "response": dump_json(document["response"]),
            "retry_safe": bool(document.get("retry_safe")),
            "help": document.get("help") or False,
        }


# ----------------------------------------------------------------------
# Helpers
# ----------------------------------------------------------------------


def dump_json(value):
    """Return JSON text as a person edits it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def load_json(text, place):
    """Return the value of a JSON field; ProtocolError that names ``place`` when it is not JSON."""
    try:
        return json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"This is not JSON: {error}", field=place, code="not_json") from error


def load_codes(text, place):
    """Return the list of integers of "202, 404"; ProtocolError that names ``place``."""
    try:
        return [int(part) for part in (text or "").replace(",", " ").split()]
    except ValueError as error:
        raise ProtocolError(
            f"This is not a list of HTTP codes: {text}", field=place, code="not_codes"
        ) from error
