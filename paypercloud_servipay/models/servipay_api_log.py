import hashlib
import json
import shlex
import threading
from contextlib import contextmanager

from odoo import api, fields, models

from ..api.masking import LIMIT, Masker, clip, get_logger
from ..compat import AVERAGE, NO_SUM
from .own_transaction import in_own_transaction, purge
from .turns import RECORD

_logger = get_logger(__name__)

# Bodies above this are cut, before they are masked, and say so; size and checksum are of the whole.
MAX_BODY = LIMIT + 64  # bytes, with the words that say so
PURGE_BATCH = 1000  # rows; one batch is one short statement
PURGE_BATCHES = 50  # per run of the vacuum; it comes back tomorrow, or at once on 19.0

_mine = threading.local()  # rows: [(environment, values)] that this thread keeps back, or not there

OUTCOMES = [
    ("answered", "Answered"),
    ("refused", "Refused"),
    ("not_sent", "Not sent"),
    ("outcome_unknown", "No answer"),
    ("undecodable", "Unreadable"),
    ("configuration", "Configuration"),
    ("received", "Received"),
    ("rejected", "Rejected"),
]


class ServipayApiLog(models.Model):
    _name = "servipay.api.log"
    _inherit = "servipay.export"
    _description = "API log"
    _order = "id desc"
    _rec_name = "endpoint"
    _log_access = False

    create_date = fields.Datetime("Date", readonly=True, default=fields.Datetime.now)
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="cascade")
    user_id = fields.Many2one("res.users", readonly=True, ondelete="set null")
    operation_id = fields.Many2one(
        "servipay.operation", readonly=True, index="btree_not_null", ondelete="set null"
    )
    terminal_id = fields.Many2one(
        "servipay.terminal", readonly=True, index="btree_not_null", ondelete="set null"
    )
    provider = fields.Char(readonly=True)
    direction = fields.Selection([("out", "Outgoing"), ("in", "Incoming")], readonly=True, default="out")
    transport = fields.Selection([("http", "HTTP"), ("tcp", "TCP")], readonly=True, default="http")
    endpoint = fields.Char(readonly=True)
    method = fields.Char(readonly=True)
    url = fields.Char("URL", readonly=True)
    correlation_id = fields.Char("Correlation", readonly=True, index=True)
    attempt = fields.Integer(readonly=True, **NO_SUM)
    duration = fields.Float("Duration (ms)", readonly=True, digits=(10, 1), **AVERAGE)
    http_status = fields.Integer("HTTP status", readonly=True, **NO_SUM)
    outcome = fields.Selection(OUTCOMES, readonly=True)
    error_message = fields.Char("Error", readonly=True)
    request_size = fields.Integer("Request (bytes)", readonly=True)
    response_size = fields.Integer("Response (bytes)", readonly=True)
    request_sha256 = fields.Char("Request SHA-256", readonly=True)
    response_sha256 = fields.Char("Response SHA-256", readonly=True)
    request_headers = fields.Text(readonly=True, groups="paypercloud_servipay.group_manager")
    request_body = fields.Text(readonly=True, groups="paypercloud_servipay.group_manager")
    response_headers = fields.Text(readonly=True, groups="paypercloud_servipay.group_manager")
    response_body = fields.Text(readonly=True, groups="paypercloud_servipay.group_manager")
    endpoint_part = fields.Char(
        "Endpoint name", compute="_compute_endpoint_part", search="_search_endpoint_part"
    )
    curl = fields.Char("cURL", compute="_compute_curl", groups="paypercloud_servipay.group_manager")

    def init(self):
        """Indexes for the list, its usual filters and the purge: a million rows, newest first, under 50 ms.

        Each holds the company, as the record rule asks for it: without it the count of a filter reads 10,000
        rows. The figures are in docs/performance.md, `./dev bench logs`."""
        self.env.cr.execute(
            """
            CREATE INDEX IF NOT EXISTS servipay_api_log_by_date
                ON servipay_api_log (create_date, company_id);
            CREATE INDEX IF NOT EXISTS servipay_api_log_by_trouble
                ON servipay_api_log (id, outcome, company_id)
                WHERE outcome NOT IN ('answered', 'received');
            CREATE INDEX IF NOT EXISTS servipay_api_log_by_direction
                ON servipay_api_log (direction, id, company_id);
            CREATE INDEX IF NOT EXISTS servipay_api_log_by_endpoint
                ON servipay_api_log (endpoint, id, company_id);
            CREATE INDEX IF NOT EXISTS servipay_api_log_by_status
                ON servipay_api_log (http_status, id, company_id);
            CREATE INDEX IF NOT EXISTS servipay_api_log_by_company
                ON servipay_api_log (company_id, id);
            CREATE INDEX IF NOT EXISTS servipay_api_log_by_age
                ON servipay_api_log (company_id, create_date);
            """
        )

    @api.depends("method", "url", "request_headers", "request_body")
    def _compute_curl(self):
        for log in self:
            log.curl = curl_command(log.method, log.url, log.request_headers, log.request_body)

    @api.depends("endpoint")
    def _compute_endpoint_part(self):
        for log in self:
            log.endpoint_part = log.endpoint

    def _search_endpoint_part(self, operator, value):
        """Find by a part of the name: there are few names and many rows, so the names are looked up first."""
        self.env.cr.execute(
            """
            WITH RECURSIVE name AS (
                (SELECT endpoint FROM servipay_api_log ORDER BY endpoint LIMIT 1)
                UNION ALL
                SELECT (SELECT endpoint FROM servipay_api_log
                         WHERE endpoint > name.endpoint ORDER BY endpoint LIMIT 1)
                  FROM name WHERE name.endpoint IS NOT NULL)
            SELECT endpoint FROM name WHERE endpoint IS NOT NULL
            """
        )
        part = str(value or "").lower()
        return [("endpoint", "in", [name for (name,) in self.env.cr.fetchall() if part in name.lower()])]

    # ------------------------------------------------------------------
    # Business: the funnel
    # ------------------------------------------------------------------

    @api.model
    def _journal(self, masker=None, keep_bodies=True, **common):
        """Return the callable that writes one log row per exchange: ``journal(entry: dict) -> id or False``.

        It masks first, writes in a transaction of its own, so that the row survives a rollback, and never
        raises: a broken log must not break a payment. ``common`` are field values of every row (company_id,
        operation_id, ...).

        :param masker: an ``api.masking.Masker`` that knows the secrets in use
        :param keep_bodies: False stores size and checksum only
        """
        operation = self.env["servipay.operation"].sudo().browse(common.get("operation_id") or ())
        masker, env = (masker or Masker()).knowing(operation._made_by_us()), self.env

        def journal(entry):
            try:
                values = {**common, **_stored(entry, masker, keep_bodies)}
                values.setdefault("user_id", env.uid)
                held_back = getattr(_mine, "rows", None)
                if held_back is None:
                    return _write(env, [values])[0]
                held_back.append((env, values))
            except Exception as error:  # pylint: disable=broad-except
                _logger.error("an API log row could not be written: %s", masker.exception(error))
            return False

        return journal

    @api.autovacuum
    def _gc_servipay_api_logs(self):
        """Delete old rows in bounded batches; rows of operations that are not settled stay."""
        return purge(self.env, _purge_batch, PURGE_BATCH, PURGE_BATCHES)


@contextmanager
def rows_held_back():
    """Have the log rows of this block written when it ends: an answer goes first, nobody waits for a log."""
    outer, rows = getattr(_mine, "rows", None), []
    _mine.rows = rows
    try:
        yield
    finally:
        _mine.rows = outer
        if rows:
            _write_late(rows)


def _write_late(rows):
    try:
        _write(rows[0][0], [values for _env, values in rows])
    except Exception as error:  # pylint: disable=broad-except
        _logger.error("API log rows could not be written: %s", Masker().exception(error))


def _write(env, rows):
    return in_own_transaction(env, lambda own: own["servipay.api.log"].create(rows).ids, RECORD)


def _purge_batch(env):
    """Delete one batch and return its size.

    Each company is asked for its own old rows, so that an index bounds the work also when there is nothing to
    do."""
    env.cr.execute(
        """
        DELETE FROM servipay_api_log WHERE id IN (
            SELECT old.id
              FROM res_company company
             CROSS JOIN LATERAL (
                SELECT log.id FROM servipay_api_log log
                 WHERE log.company_id = company.id
                   AND log.create_date < (now() AT TIME ZONE 'UTC')
                                         - company.servipay_log_days * interval '1 day'
                   AND NOT EXISTS (
                       SELECT FROM servipay_operation operation
                        WHERE operation.id = log.operation_id
                          AND operation.state IN ('sent', 'pending', 'cancelling', 'unknown'))
                 ORDER BY log.create_date LIMIT %(batch)s) AS old
             WHERE company.servipay_log_days > 0
             LIMIT %(batch)s)
        """,
        {"batch": PURGE_BATCH},
    )
    return env.cr.rowcount


def _stored(entry, masker, keep_bodies):
    """Turn a raw entry into field values: masked, cut, with size and checksum of what was really sent."""
    values = {
        name: entry[name]
        for name in (
            *("endpoint", "method", "correlation_id", "attempt", "duration", "http_status", "outcome"),
            *("direction", "transport", "provider", "operation_id", "terminal_id"),
        )
        if name in entry
    }
    values["url"] = _storable(masker.url(entry.get("url") or ""))
    values["error_message"] = _storable(masker.text(entry.get("error_message") or "")) or False
    for side in ("request", "response"):
        body = entry.get(f"{side}_body") or b""
        body = body.encode() if isinstance(body, str) else body
        headers = entry.get(f"{side}_headers") or {}
        values[f"{side}_size"] = len(body)
        values[f"{side}_sha256"] = hashlib.sha256(body).hexdigest() if body else False
        values[f"{side}_headers"] = _storable(
            json.dumps(masker.headers(headers), indent=1, ensure_ascii=False)
        )
        if keep_bodies and body:
            content_type = {name.lower(): value for name, value in dict(headers).items()}.get(
                "content-type", ""
            )
            values[f"{side}_body"] = clip(_storable(masker.body(body, content_type)), MAX_BODY)[0]
    return values


def _storable(text):
    """PostgreSQL stores neither NUL nor lone surrogates in a text."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def curl_command(method, url, headers, body):
    """Return a shell command that repeats a (masked) request.

    ``headers`` is JSON text. All parts may be empty.
    """
    if not url or not method:
        return ""
    parts = ["curl", "-X", method, shlex.quote(url)]
    for name, value in (json.loads(headers or "{}") or {}).items():
        parts += ["-H", shlex.quote(f"{name}: {value}")]
    if body:
        parts += ["--data-binary", shlex.quote(body)]
    return " ".join(parts)
