import hashlib
from datetime import timedelta

import psycopg2

from odoo import _, api, fields, models

from ..api.masking import Masker, get_logger
from ..compat import check_access
from .actions import open_form
from .mail_queue import LATER, plan_activity, send_soon
from .milestones import is_milestone
from .own_transaction import purge

_logger = get_logger(__name__)
# What messages from outside can cause: whoever can make them must not fill mailboxes. Per kind, provider and
# company.
FROM_OUTSIDE = ("unknown_reference", "bad_signature", "mismatch", "unconfirmed", "paid_twice")
TOLD_PER_HOUR = 20
# Of these one row stands for all that concern one document while nobody has dealt with it: it counts them.
COUNTED = (
    *("mismatch", "unconfirmed", "paid_twice", "moved_outside", "late_success"),
    *("already_paid", "document_cancelled", "not_reconciled"),
)
DONE_DAYS = 90  # that an alert is kept when somebody has dealt with it
OUTSIDE_DAYS = 400  # that one about nothing that Odoo knows is kept
LONGEST_TEXT = 500  # characters of somebody else's text in an alert
LONGEST_NAME = 80  # and in its title, which is the subject of e-mails and activities
PURGE_BATCH = 1000  # rows
PURGE_BATCHES = 50  # per run of the vacuum


class ServipayAlert(models.Model):
    """Something about a payment that a person has to know: told once, by e-mail and activity.

    The key of an event is unique, so that a message that comes two hundred times, or a job that runs every
    minute, tells it once. Rows, activities and e-mails are bounded, whoever makes messages up: a document has
    one row of a kind that is to be dealt with, and what is about no document is only counted beyond
    ``TOLD_PER_HOUR``."""

    _name = "servipay.alert"
    _description = "Payment alert"
    _inherit = ["servipay.export", "mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _rec_name = "title"

    key = fields.Char(required=True, readonly=True)
    last_key = fields.Char(readonly=True, help="Of the last event that this alert has counted.")
    state = fields.Selection(
        [("open", "To do"), ("done", "Done")], required=True, readonly=True, default="open", tracking=True
    )
    count = fields.Integer("Times", required=True, readonly=True, default=1)
    kind = fields.Selection(
        [
            ("unknown_reference", "Paid document not found"),
            ("bad_signature", "Forged message"),
            ("mismatch", "Differs from what was asked"),
            ("unconfirmed", "Not confirmed by the provider"),
            ("not_reconciled", "Not reconciled"),
            ("not_booked", "Paid, not booked"),
            ("already_paid", "Already paid"),
            ("document_cancelled", "Document cancelled"),
            ("late_success", "Paid after a cancellation"),
            ("paid_twice", "Paid twice"),
            ("pending_long", "Pending for long"),
            ("not_reported", "Payments are not reported"),
            ("none_reported", "Nothing is reported"),
            ("capture_soon", "To be captured soon"),
            ("authorisation_gone", "Not captured in time"),
            ("moved_outside", "Moved outside Odoo"),
            ("message_waits", "Message not applied"),
            ("too_many", "Many alerts"),
        ],
        required=True,
        readonly=True,
    )
    title = fields.Char(compute="_compute_texts")
    explanation = fields.Text(compute="_compute_texts")
    company_id = fields.Many2one("res.company", readonly=True, index=True)
    provider = fields.Char(readonly=True)
    reference = fields.Char(readonly=True)
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    detail = fields.Char(readonly=True)
    res_model = fields.Char("Document model", readonly=True)
    res_id = fields.Many2oneReference("Document", model_field="res_model", readonly=True)
    user_ids = fields.Many2many("res.users", string="Told to", readonly=True)
    told_activity_id = fields.Many2one("mail.activity", readonly=True, ondelete="set null", copy=False)

    def init(self):
        """An event has one row, whoever notices it at the same moment."""
        self.env.cr.execute(
            """
            CREATE UNIQUE INDEX IF NOT EXISTS servipay_alert_once ON servipay_alert (key);
            CREATE INDEX IF NOT EXISTS servipay_alert_of_document
                ON servipay_alert (res_model, res_id, kind) WHERE state = 'open';
            """
        )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("kind", "reference", "amount", "currency_id", "detail", "count")
    @api.depends_context("lang")
    def _compute_texts(self):
        sentences, titles = self._sentences(), dict(self._fields["kind"]._description_selection(self.env))
        for alert in self:
            title = ": ".join(part for part in (titles.get(alert.kind), _cut(alert.reference)) if part)
            alert.title = f"{title} ({alert.count})" if alert.count > 1 else title
            amount = alert.currency_id.format(alert.amount) if alert.currency_id else "-"
            text = sentences.get(alert.kind, "")
            # plain replacement: what stands in a reference is somebody else's text and may hold braces
            for name, value in (("reference", alert.reference), ("amount", amount), ("detail", alert.detail)):
                text = text.replace("{%s}" % name, value or "-")
            alert.explanation = text

    def _sentences(self):
        """Return {kind: what happened, what it means for the money, what to do}."""
        return {
            **self._sentences_of_messages(),
            **self._sentences_of_waiting(),
            **self._sentences_of_bookings(),
        }

    def _sentences_of_messages(self):
        return {
            "unknown_reference": _(
                "The provider reports a payment of {detail} for “{reference}”, which Odoo does not know. The "
                "money was taken. Check that the document was not deleted and that no other system uses this "
                "merchant account; then book or refund it by hand."
            ),
            "bad_signature": _(
                "A message about “{reference}” came with a signature that is not the provider's. It changed "
                "nothing. If real payments stay open, the provider may have changed its key: add the new one."
            ),
            "mismatch": _(
                "The provider's answer about “{reference}” ({amount}) is not what was asked: {detail}. Money "
                "may have been taken; nothing was booked. Compare with the provider's back office, then "
                "decide with “Resolve” on the operation."
            ),
            "unconfirmed": _(
                "A payment of {amount} for “{reference}” was reported, but the provider does not confirm it: "
                "{detail}. Nothing was booked, and it is asked again for a day. If the payment stands in the "
                "provider's back office, check the credentials here; if not, somebody has tried to deceive "
                "you, and no money was taken."
            ),
            "late_success": _(
                "{amount} were paid for “{reference}” after the payment had been given up. The payment "
                "counts and was booked; check that the customer has not paid another way too."
            ),
            "paid_twice": _(
                "The provider reports a second payment for “{reference}” ({detail}). Only the first one was "
                "booked. Refund the second one in the provider's back office."
            ),
            "too_many": _(
                "More than {number} alerts of one kind came within an hour ({detail}): somebody may be "
                "sending made-up messages. Further ones of this hour are not sent by e-mail, and those about "
                "nothing that Odoo knows are only counted here. Look through the list of alerts, and compare "
                "what was really paid with the provider's back office."
            ).replace("{number}", str(TOLD_PER_HOUR)),
        }

    def _sentences_of_waiting(self):
        return {
            "pending_long": _(
                "The payment of {amount} for “{reference}” has been pending for long ({detail}). Nothing was "
                "booked. Look at the provider's back office."
            ),
            "not_reported": _(
                "The payment of {amount} for “{reference}” was found by asking: no message of the provider "
                "had come. It is booked, but such payments are seen an hour late. Check that the provider "
                "reaches the public address of this server (system parameter web.base.url, fixed by "
                "web.base.url.freeze) and press “Check configuration” on the provider."
            ),
            "none_reported": _(
                "Since yesterday {detail} customers were sent to the payment page, and the provider has "
                "reported nothing. Payments may have been taken that Odoo does not know. Look at the "
                "provider's back office, check that it reaches the public address of this server (system "
                "parameter web.base.url, fixed by web.base.url.freeze), and press “Check configuration”."
            ),
            "capture_soon": _(
                "Of {amount} that were reserved for “{reference}”, {detail} are not captured yet. The bank "
                "gives the money back after about seven days. Capture it now, or void it."
            ),
            "authorisation_gone": _(
                "Of {amount} that were reserved for “{reference}”, {detail} were not captured, and the bank "
                "has probably given them back: nothing was paid. Try to capture; if that is refused, void "
                "the authorisation, so that the customer can pay anew."
            ),
            "moved_outside": _(
                "The provider reports about “{reference}” what nobody asked for in Odoo: {detail}. Money was "
                "moved and nothing was booked. Compare with the provider's back office and book it by hand."
            ),
            "message_waits": _(
                "A message of the provider about “{reference}” could not be applied for an hour: {detail}. "
                "Money may have moved that Odoo does not show. It is tried again every six hours; compare "
                "with the provider's back office, then press “Apply again” on the message."
            ),
        }

    def _sentences_of_bookings(self):
        return {
            "not_reconciled": _(
                "{amount} were paid for “{reference}”, but the payment could not be reconciled with its "
                "document ({detail}). The money was taken. Check the payments that were recorded and "
                "reconcile it by hand."
            ),
            "not_booked": _(
                "{amount} were paid for “{reference}”, and Odoo could not record it: {detail}. The money "
                "was taken. Odoo tries again by itself, at growing intervals. Mend what stands in the way; "
                "nobody has to pay again."
            ),
            "already_paid": _(
                "{amount} were paid for “{reference}”, which was already paid ({detail}). The money was "
                "taken and is booked on the customer's account. Refund it, or use it for another invoice."
            ),
            "document_cancelled": _(
                "{amount} were paid for “{reference}”, which was cancelled meanwhile ({detail}). The money "
                "was taken and is booked on the customer's account. Refund it, or use it for another invoice."
            ),
        }

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    @api.model
    def _raise_once(self, key, kind, company, users, addresses=(), document=None, **values):
        """Tell people about an event and return the alert; empty when it was told before.

        :param key: text that is the same for the same event, and for nothing else
        :param users: who is told; without anybody the company's person for payments
        :param addresses: e-mail addresses of people without a user
        :param document: record that gets the activity, if it can have one
        :param values: provider, reference, amount, currency_id, detail
        """
        key = _short_key(key)
        if self.search_count(["|", ("key", "=", key), ("last_key", "=", key)], limit=1):
            return self.browse()
        values = {name: _one_line(v) if isinstance(v, str) else v for name, v in values.items()}
        # a list may have been filled for another company: its people may not read what this is about
        users = users.filtered(lambda one: one.active and (not company or company in one.company_ids))
        users = users or company._servipay_manager()
        same = self._same_to_do(kind, document)
        if same:
            return same._count_event(key, users, addresses, document, values)
        many = self._are_too_many(kind, values.get("provider"), company)
        if many and not document:
            return self._count_of_many(kind, company, users, addresses, values.get("provider"))
        alert = self._insert_once(key, kind)
        if alert:
            target = {"res_model": document._name, "res_id": document.id} if document else {}
            alert.write({**values, **target, "company_id": company.id, "user_ids": [(6, 0, users.ids)]})
            alert._tell(users, addresses, document, many)
        return alert

    def _tell(self, users, addresses, document, many):
        """Send the e-mails and plan the activity; of ``many`` of a kind only the activity."""
        if many:
            self._count_of_many(self.kind, self.company_id, users, addresses, self.provider)
        else:
            # who cannot be told must not keep the money from being recorded
            self._quietly(lambda: self._send(users, addresses))
        self._schedule(users, document)

    def _insert_once(self, key, kind):
        """Take the row of an event; empty when somebody else has it.

        Of two that notice it together one waits here, and then finds it taken."""
        self.env.cr.execute(
            "INSERT INTO servipay_alert (key, kind, state, count, create_date)"
            " VALUES (%s, %s, 'open', 1, now() AT TIME ZONE 'UTC')"
            " ON CONFLICT (key) DO NOTHING RETURNING id",
            [key, kind],
        )
        row = self.env.cr.fetchone()
        return self.browse(row[0] if row else ())

    def _same_to_do(self, kind, document):
        """Return the alert of this kind about a document that nobody has dealt with yet, locked."""
        if kind not in COUNTED or not document:
            return self.browse()
        self.flush_model(["kind", "res_model", "res_id", "state"])
        self.env.cr.execute(
            "SELECT id FROM servipay_alert"
            " WHERE res_model = %s AND res_id = %s AND kind = %s AND state = 'open'"
            " ORDER BY id DESC LIMIT 1 FOR UPDATE",
            [document._name, document.id, kind],
            log_exceptions=False,
        )
        row = self.env.cr.fetchone()
        return self.browse(row[0] if row else ())

    def _count_event(self, key, users, addresses, document, values):
        """Count one more event of this alert: its activity says so, e-mails come at 2, 5, 10, 20 ..."""
        self.invalidate_recordset(["count"])
        people = [(4, user.id) for user in users]
        self.write({**values, "count": self.count + 1, "last_key": key, "user_ids": people})
        if is_milestone(self.count):
            self._quietly(lambda: self._send(users, addresses))
        self._schedule(users, document)
        return self

    @api.model
    def _count_of_many(self, kind, company, users, addresses, provider):
        """Count what is not told any more in the row of this hour, which is told; return it."""
        hour = fields.Datetime.now().strftime("%Y-%m-%d %H")
        key = f"too_many:{kind}:{provider}:{company.id}:{hour}"
        told = self.with_context(lang=users[:1].lang)
        titles = dict(told._fields["kind"]._description_selection(told.env))
        first = self._raise_once(
            key, "too_many", company, users, addresses, provider=provider, detail=titles[kind]
        )
        if first:
            return first
        # without reading first: thousands come in a row
        self.env.cr.execute("UPDATE servipay_alert SET count = count + 1 WHERE key = %s RETURNING id", [key])
        alert = self.browse(self.env.cr.fetchone()[0])
        alert.invalidate_recordset(["count", "title"])
        return alert

    @api.model
    def _are_too_many(self, kind, provider, company):
        """Tell whether so many of this kind were raised within the hour that the list has to do."""
        if kind not in FROM_OUTSIDE:
            return False
        since = fields.Datetime.now() - timedelta(hours=1)
        domain = [("kind", "=", kind), ("provider", "=", provider), ("company_id", "=", company.id)]
        return self.search_count([*domain, ("create_date", ">", since)], limit=TOLD_PER_HOUR) >= TOLD_PER_HOUR

    def _quietly(self, work):
        """Run ``work`` in a savepoint and tell whether it succeeded; what it raises is logged."""
        try:
            with self.env.cr.savepoint():
                work()
                self.env.flush_all()
            return True
        except psycopg2.OperationalError:
            raise  # it collided with another transaction: the caller's is run again
        except Exception:  # pylint: disable=broad-except
            # a template or an automation of somebody else's may raise anything
            _logger.exception("an alert could not be told the usual way")
            return False

    def _send(self, users, addresses):
        """Queue one e-mail per person, in the person's language."""
        template = self.env.ref("paypercloud_servipay.mail_template_alert", raise_if_not_found=False)
        if not template:
            return
        to = [(user.email, user.lang) for user in users if user.email]
        to += [(address, self.company_id.partner_id.lang) for address in addresses]
        for address, lang in to:
            one = template.with_context(lang=lang or "en_US")
            one.send_mail(self.id, force_send=False, email_values={"email_to": address, "recipient_ids": []})
        send_soon(self.env)

    def _schedule(self, users, document):
        """Put an activity on the document, or on the alert when the document cannot have one.

        Nor can it when the person may not read it. One that is there already says how often it happened."""
        if not users:
            return
        activity = self.told_activity_id.sudo().exists().filtered("active")
        if activity:
            self._quietly(lambda: self._renew_activity(activity))
            return
        if document and hasattr(document, "activity_schedule"):
            if self._quietly(lambda: self._put_activity(document, users[0])):
                return
        self._quietly(lambda: self._put_activity(self, users[0]))

    def _put_activity(self, target, user):
        told = self.with_context(lang=user.lang)
        self.told_activity_id = plan_activity(
            target.sudo(),
            "paypercloud_servipay.activity_alert",
            summary=told.title,
            note=told.explanation,
            user_id=user.id,
        )

    def _renew_activity(self, activity):
        told = self.with_context(lang=activity.user_id.lang)
        activity.with_context(**LATER).write({"summary": told.title, "note": told.explanation})

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_done(self):
        """Say that somebody has dealt with these alerts; their activities end."""
        return self._set_state("open", "done")

    def action_reopen(self):
        """Put these alerts back among what is to be dealt with."""
        return self._set_state("done", "open")

    def _set_state(self, before, after):
        check_access(self, "read")  # whoever is told may say that it is done
        alerts = self.sudo().filtered(lambda alert: alert.state == before)
        alerts.write({"state": after})
        if after == "done":
            (alerts.told_activity_id.filtered("active") | alerts.activity_ids).action_feedback()
        return True

    def action_open_document(self):
        """Open the record that the alert is about."""
        self.ensure_one()
        return open_form(self.env[self.res_model].browse(self.res_id))

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    @api.autovacuum
    def _gc_servipay_alerts(self):
        """Delete what was dealt with long ago, and old alerts about nothing that Odoo knows."""
        return purge(self.env, _purge_batch, PURGE_BATCH, PURGE_BATCHES)


def _one_line(text):
    """A text of somebody else's as it may stand in a sentence: one line, no control characters, not endless.

    Those that turn the direction of writing are among them: they would show another reference."""
    text = "".join(char if char.isprintable() else " " for char in text[: 4 * LONGEST_TEXT])
    return _cut(Masker().text(" ".join(text.split())), LONGEST_TEXT)


def _cut(text, limit=LONGEST_NAME):
    """A text (str or False) of at most ``limit`` characters, with a sign where something is missing."""
    return text if not text or len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _short_key(key):
    """A key that a unique index can hold: anything else stands there by its digest."""
    if len(key) <= LONGEST_TEXT and key.isprintable():
        return key
    digest = hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{_one_line(key[:100])}:{digest}"


def _purge_batch(env):
    """Delete one batch, with messages and activities, and return its size."""
    now = fields.Datetime.now()
    domain = [
        *("|", "&", ("state", "=", "done"), ("write_date", "<", now - timedelta(days=DONE_DAYS))),
        *("&", ("res_id", "in", (False, 0)), ("create_date", "<", now - timedelta(days=OUTSIDE_DAYS))),
    ]
    old = env["servipay.alert"].search(domain, limit=PURGE_BATCH)
    size = len(old)
    old.unlink()
    return size
