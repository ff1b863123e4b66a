from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..api.masking import Masker, get_logger
from .actions import open_form

_logger = get_logger(__name__)
# What messages from outside can cause: whoever can make them must not fill mailboxes. Per kind, provider and
# company.
FROM_OUTSIDE = ("unknown_reference", "bad_signature", "mismatch", "unconfirmed", "paid_twice")
TOLD_PER_HOUR = 20


class ServipayAlert(models.Model):
    """Something about a payment that a person has to know: told once, by e-mail and activity.

    The key of an event is unique, so that a message that comes two hundred times, or a job that runs every
    minute, tells it once."""

    _name = "servipay.alert"
    _description = "Payment alert"
    _inherit = ["servipay.export", "mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _rec_name = "title"

    key = fields.Char(required=True, readonly=True)
    kind = fields.Selection(
        [
            ("unknown_reference", "Paid document not found"),
            ("bad_signature", "Forged message"),
            ("mismatch", "Differs from what was asked"),
            ("unconfirmed", "Not confirmed by the provider"),
            ("not_reconciled", "Not reconciled"),
            ("already_paid", "Already paid"),
            ("document_cancelled", "Document cancelled"),
            ("late_success", "Paid after a cancellation"),
            ("paid_twice", "Paid twice"),
            ("pending_long", "Pending for long"),
            ("moved_outside", "Moved outside Odoo"),
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

    def init(self):
        """An event has one row, whoever notices it at the same moment."""
        self.env.cr.execute("CREATE UNIQUE INDEX IF NOT EXISTS servipay_alert_once ON servipay_alert (key);")

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("kind", "reference", "amount", "currency_id", "detail")
    @api.depends_context("lang")
    def _compute_texts(self):
        sentences, titles = self._sentences(), dict(self._fields["kind"]._description_selection(self.env))
        for alert in self:
            alert.title = ": ".join(part for part in (titles.get(alert.kind), alert.reference) if part)
            amount = alert.currency_id.format(alert.amount) if alert.currency_id else "-"
            text = sentences.get(alert.kind, "")
            # plain replacement: what stands in a reference is somebody else's text and may hold braces
            for name, value in (("reference", alert.reference), ("amount", amount), ("detail", alert.detail)):
                text = text.replace("{%s}" % name, value or "-")
            alert.explanation = text

    def _sentences(self):
        """Return {kind: what happened, what it means for the money, what to do}."""
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
            "not_reconciled": _(
                "{amount} were paid for “{reference}”, but the payment could not be reconciled with its "
                "document ({detail}). The money was taken. Check the payments that were recorded and "
                "reconcile it by hand."
            ),
            "already_paid": _(
                "{amount} were paid for “{reference}”, which was already paid. The money was taken and is "
                "booked on the customer's account. Refund it, or use it for another invoice."
            ),
            "document_cancelled": _(
                "{amount} were paid for “{reference}”, which was cancelled meanwhile. The money was taken "
                "and is booked on the customer's account. Refund it, or use it for another invoice."
            ),
            "late_success": _(
                "{amount} were paid for “{reference}” after the payment had been given up. The payment "
                "counts and was booked; check that the customer has not paid another way too."
            ),
            "paid_twice": _(
                "The provider reports a second payment for “{reference}” ({detail}). Only the first one was "
                "booked. Refund the second one in the provider's back office."
            ),
            "pending_long": _(
                "The payment of {amount} for “{reference}” has been pending for long ({detail}). Nothing was "
                "booked. Look at the provider's back office."
            ),
            "moved_outside": _(
                "The provider reports about “{reference}” what nobody asked for in Odoo: {detail}. Money was "
                "moved and nothing was booked. Compare with the provider's back office and book it by hand."
            ),
            "too_many": _(
                "More than {number} alerts of one kind came within an hour ({detail}): somebody may be "
                "sending made-up messages. Further ones of this hour are not sent by e-mail. Look through "
                "the list of alerts, and compare what was really paid with the provider's back office."
            ).replace("{number}", str(TOLD_PER_HOUR)),
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
        values = {name: Masker().text(v) if isinstance(v, str) else v for name, v in values.items()}
        # the row is taken first: of two that notice it together one waits here, and then finds it taken
        self.env.cr.execute(
            "INSERT INTO servipay_alert (key, kind, create_date) VALUES (%s, %s, now() AT TIME ZONE 'UTC')"
            " ON CONFLICT (key) DO NOTHING RETURNING id",
            [key, kind],
        )
        row = self.env.cr.fetchone()
        if not row:
            return self.browse()
        alert = self.browse(row[0])
        users = users.filtered("active") or company._servipay_manager()
        target = {"res_model": document._name, "res_id": document.id} if document else {}
        alert.write({**values, **target, "company_id": company.id, "user_ids": [(6, 0, users.ids)]})
        if not alert._is_one_of_too_many():
            # who cannot be told must not keep the money from being recorded
            alert._quietly(lambda: alert._send(users, addresses))
            alert._schedule(users, document)
            return alert
        alert._tell_of_many(users, addresses)
        if document:
            alert._schedule(users, document)  # of what Odoo knows somebody is told in any case
        return alert

    def _tell_of_many(self, users, addresses):
        """Tell once an hour that there are more than are sent."""
        hour = fields.Datetime.now().strftime("%Y-%m-%d %H")
        told = self.with_context(lang=users[:1].lang)
        titles = dict(told._fields["kind"]._description_selection(told.env))
        self._raise_once(
            f"too_many:{self.kind}:{self.provider}:{self.company_id.id}:{hour}",
            "too_many",
            self.company_id,
            users,
            addresses,
            provider=self.provider,
            detail=titles[self.kind],
        )

    def _is_one_of_too_many(self):
        """Tell whether so many of this kind were raised within the hour that the list has to do."""
        if self.kind not in FROM_OUTSIDE:
            return False
        since = fields.Datetime.now() - timedelta(hours=1)
        domain = [(name, "=", self[name]) for name in ("kind", "provider")]
        domain += [("company_id", "=", self.company_id.id), ("create_date", ">", since)]
        many = self.search_count(domain) > TOLD_PER_HOUR
        if many:
            _logger.info("too many alerts of one kind: %s is not sent by e-mail", self.id)
        return many

    def _quietly(self, work):
        """Run ``work`` in a savepoint and tell whether it succeeded; what it raises is logged."""
        try:
            with self.env.cr.savepoint():
                work()
                self.env.flush_all()
            return True
        except (UserError, ValueError, KeyError, AttributeError):
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

    def _schedule(self, users, document):
        """Put an activity on the document, or on the alert when the document cannot have one.

        Nor can it when the person may not read it."""
        if not users:
            return
        if document and hasattr(document, "activity_schedule"):
            if self._quietly(lambda: self._put_activity(document, users[0])):
                return
        self._quietly(lambda: self._put_activity(self, users[0]))

    def _put_activity(self, target, user):
        told = self.with_context(lang=user.lang)
        target.sudo().activity_schedule(
            "paypercloud_servipay.activity_alert",
            summary=told.title,
            note=told.explanation,
            user_id=user.id,
        )

    def action_open_document(self):
        """Open the record that the alert is about."""
        self.ensure_one()
        return open_form(self.env[self.res_model].browse(self.res_id))
