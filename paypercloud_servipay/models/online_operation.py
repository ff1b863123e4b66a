from datetime import timedelta

from odoo import _, api, fields

from ..api.finding import Finding
from .actions import open_form
from .online_page import OnlinePage
from .online_report import OnlineReport

# A bank keeps a reservation for about seven days.
CAPTURE_WITHIN = timedelta(days=5)
GONE_AFTER = timedelta(days=8)
FORGOTTEN_AFTER = timedelta(days=60)


class OnlineOperation(OnlinePage, OnlineReport):
    """What leads from an operation of an online provider to transaction, payment, invoice and journal items.

    Not a model of its own but a class that the ``servipay.operation`` of each payment addon is built on: this
    addon does not depend on accounting, and could not have fields that lead there."""

    _register = False

    payment_transaction_id = fields.Many2one(
        "payment.transaction",
        "Payment transaction",
        compute="_compute_payment_transaction",
        compute_sudo=True,
    )
    account_payment_id = fields.Many2one(
        "account.payment", "Payment", compute="_compute_payment_transaction", compute_sudo=True
    )
    invoice_ids = fields.Many2many(
        "account.move", string="Invoices", compute="_compute_payment_transaction", compute_sudo=True
    )
    account_move_line_ids = fields.Many2many(
        "account.move.line", string="Journal items", compute="_compute_payment_transaction", compute_sudo=True
    )

    # side (test or live) and number of the merchant at the provider, as they were when this was sent
    merchant_account = fields.Char("Merchant account", readonly=True, copy=False)

    @api.depends("res_model", "res_id")
    def _compute_payment_transaction(self):
        for operation in self:
            online = operation.res_model == "payment.transaction"
            transaction = self.env["payment.transaction"].browse(operation.res_id if online else ()).exists()
            records = transaction._servipay_records() if transaction else []
            invoices = [record.id for record in records if record._name == "account.move"]
            operation.payment_transaction_id = transaction
            operation.account_payment_id = transaction.payment_id
            operation.invoice_ids = self.env["account.move"].browse(invoices)
            operation.account_move_line_ids = transaction.payment_id.move_id.line_ids

    def _compute_can(self):
        result = super()._compute_can()
        codes = self.env["payment.transaction"]._servipay_codes()
        # a refund needs its own transaction and payment: it begins at the payment, not here
        for operation in self.filtered(lambda one: one.provider in codes):
            operation.can_refund = operation.can_void = False
        return result

    def _is_in_doubt(self):
        """Tell whether this may take money, or may have: a page that is only open has not."""
        if self.contradicted or self.state in ("draft", "sent", "cancelling", "unknown"):
            return True
        return self.state == "pending" and not self._is_waiting_for_customer()

    def _is_waiting_for_customer(self):
        """Tell whether nothing has happened yet but that a page was opened; providers know more of them."""
        return self.reason in self._page_reasons() and not self._document()._servipay_is_charge()

    def _address(self):
        provider = self._online_provider()
        account = {"merchant_account": provider._servipay_merchant()} if provider else {}
        return {**super()._address(), **account}

    def _online_provider(self):
        """Return the payment provider of an online operation; no record for a terminal's."""
        if self.provider in self.env["payment.transaction"]._servipay_codes():
            return self._document().provider_id.sudo()
        return self.env["payment.provider"]

    def _plan(self, step):
        """Speak with no other account, and not with its other side: their numbers are not these."""
        paid_to = self.original_id.merchant_account or self.merchant_account
        provider = paid_to and self._online_provider()
        if provider and provider._servipay_merchant() != paid_to:
            return Finding("failed" if step == "send" else None, "other_merchant", paid_to)
        return super()._plan(step)

    def _adopt(self, number):
        """Know what was settled before the suite kept operations: nothing is sent, and nothing follows it."""
        self._move("sent", sent_at=fields.Datetime.now(), **self._address())
        self._move("approved", reason="adopted", external_ref=number, approved_amount=self.amount)

    def action_open_account_payment(self):
        """Open the payment in accounting."""
        self.ensure_one()
        return open_form(self.account_payment_id)

    def action_open_journal_items(self):
        """Open the journal items of the payment."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Journal items"),
            "res_model": "account.move.line",
            "views": [(False, "list"), (False, "form")],
            "domain": [("id", "in", self.account_move_line_ids.ids)],
        }

    def action_open_invoices(self):
        """Open what is paid."""
        self.ensure_one()
        action = {"type": "ir.actions.act_window", "name": _("Invoices"), "res_model": "account.move"}
        if len(self.invoice_ids) == 1:
            return {**action, "res_id": self.invoice_ids.id, "views": [(False, "form")]}
        return {
            **action,
            "views": [(False, "list"), (False, "form")],
            "domain": [("id", "in", self.invoice_ids.ids)],
        }

    def _servipay_recipients(self):
        """Tell those whom the provider names ("Alerts to")."""
        users, addresses = super()._servipay_recipients()
        transaction = self.payment_transaction_id
        if not transaction:
            return users, addresses
        own, addresses = transaction._servipay_recipients()
        return own.filtered("active") or users, addresses

    def _about(self):
        transaction = self.payment_transaction_id
        documents = transaction._servipay_records() if transaction else ()
        names = [document.display_name for document in documents]
        return ", ".join(names) or transaction.reference or super()._about()

    def _reason_sentences(self):
        sentences = {**super()._reason_sentences(), **self._page_sentences(), **self._report_sentences()}
        return {
            **sentences,
            "adopted": _("This was before the suite kept operations."),
            "other_merchant": _(
                "The provider is set for another merchant account, or for the other of its test and live "
                "sides, than this payment was made with ({detail}): nothing was sent to it."
            ),
        }

    def _online_words(self):
        """Return what is written into an invoice's history, in the operation's language."""
        money = self.currency_id.format(self.amount)
        if self.contradicted:
            kind = dict(self._fields["kind"]._description_selection(self.env))[self.kind]
            return _("%(kind)s of %(money)s: %(why)s", kind=kind, money=money, why=self._explain())
        if self.state == "approved":
            return self._online_approval_words()
        if self.original_id:
            return _(
                "Refund, capture or cancellation of %(money)s: %(why)s", money=money, why=self._explain()
            )
        texts = {
            "declined": _("Online payment of %(money)s refused: %(why)s"),
            "cancelled": _("Online payment of %(money)s cancelled: %(why)s"),
            "pending": _("Online payment of %(money)s pending: %(why)s"),
            "reversed": _("Online payment of %(money)s taken back: %(why)s"),
            "failed": _("Online payment of %(money)s failed, nothing was taken: %(why)s"),
        }
        text = texts.get(self.state, _("Online payment of %(money)s uncertain: %(why)s"))
        reason = self._explain_reason() if self.state in texts else self._explain()
        return text % {"money": money, "why": reason}

    def _online_approval_words(self):
        values = {
            "money": self.currency_id.format(self._settled_amount()),
            "code": self.authorization_code or "-",
            "number": self.external_ref or "-",
        }
        words = self._online_approvals()[self.kind] % values
        return f"{words} {self._explain_reason()}" if self.reason == "person" else words

    def _online_approvals(self):
        return {
            "purchase": _(
                "Online payment accepted: %(money)s, authorisation %(code)s, transaction %(number)s."
            ),
            "authorisation": _(
                "Online payment authorised, to be captured: %(money)s, authorisation %(code)s, transaction "
                "%(number)s."
            ),
            "refund": _("Refund accepted: %(money)s, transaction %(number)s."),
            "capture": _("Capture accepted: %(money)s."),
            "void": _("The authorisation of %(money)s was cancelled."),
        }

    def _explain_money(self):
        return self._explain_page() or super()._explain_money()

    def _explain_next(self):
        """Say what a customer can do, who reads this on the portal and has no button “Resolve”."""
        if self.env.context.get("servipay_customer") and self.state == "unknown":
            return _("Please do not pay a second time. The result appears here as soon as it is known.")
        return super()._explain_next()

    @api.model
    def _servipay_cron_online(self, provider, domain):
        """End movements that were never sent, and tell once about payments that are pending for too long.

        :param domain: which of the provider's unsettled operations are more than a page that nobody finished
        """
        self.env["payment.transaction"]._servipay_cron_unsent()
        self.env["payment.transaction"]._servipay_cron_unbooked()
        unsettled = [("provider", "=", provider), ("state", "in", ("pending", "unknown"))]
        for operation in self.search([*unsettled, *domain]):
            transaction = operation._document()
            days = transaction.provider_id.sudo().servipay_pending_days if transaction else 0
            if transaction and operation.create_date <= fields.Datetime.now() - timedelta(days=days):
                transaction._servipay_alert("pending_long", detail=operation._state_label(operation.state))
        self._servipay_tell_reserved(provider)
        self._tell_silent_pages(provider)

    @api.model
    def _servipay_tell_reserved(self, provider):
        """Tell once that what was reserved has to be captured soon, and once that it is probably gone."""
        now = fields.Datetime.now()
        domain = [
            *(("provider", "=", provider), ("kind", "=", "authorisation"), ("state", "=", "approved")),
            *(("settled_at", "<=", now - CAPTURE_WITHIN), ("settled_at", ">", now - FORGOTTEN_AFTER)),
        ]
        for operation in self.search(domain):
            transaction = operation._document()
            if not transaction or operation.currency_id.is_zero(operation.refundable_amount):
                continue
            gone = operation.settled_at <= now - GONE_AFTER
            left = operation.currency_id.format(operation.refundable_amount)
            transaction._servipay_alert("authorisation_gone" if gone else "capture_soon", detail=left)
