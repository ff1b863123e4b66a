from datetime import timedelta

from odoo import _, api, fields, models

from .actions import open_form


class OnlineOperation(models.Model):
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

    @api.depends("res_model", "res_id")
    def _compute_payment_transaction(self):
        for operation in self:
            online = operation.res_model == "payment.transaction"
            transaction = self.env["payment.transaction"].browse(operation.res_id if online else ()).exists()
            source = transaction.source_transaction_id or transaction
            operation.payment_transaction_id = transaction
            operation.account_payment_id = transaction.payment_id
            operation.invoice_ids = source.invoice_ids
            operation.account_move_line_ids = transaction.payment_id.move_id.line_ids

    def _compute_can(self):
        result = super()._compute_can()
        codes = self.env["payment.transaction"]._servipay_codes()
        # a refund needs its own transaction and payment: it begins at the payment, not here
        for operation in self.filtered(lambda one: one.provider in codes):
            operation.can_refund = operation.can_void = False
        return result

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

    def _reason_sentences(self):
        pages = {
            "page_open": _("The customer is on the payment page."),
            "page_left": _("The customer left the payment page."),
        }
        return {**super()._reason_sentences(), **pages}

    def _online_words(self):
        """Return what is written into an invoice's history, in the operation's language."""
        money = self.currency_id.format(self.amount)
        if self.state == "approved":
            code, number = self.authorization_code or "-", self.external_ref or "-"
            return self._online_approvals()[self.kind] % {"money": money, "code": code, "number": number}
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
        if self.reason == "page_left" and self.state == "cancelled":
            return _(
                "No payment was reported. If the customer says that it was paid, look at the platform's back "
                "office: a message of the platform settles it whenever it comes."
            )
        return super()._explain_money()

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
        unsettled = [("provider", "=", provider), ("state", "in", ("pending", "unknown"))]
        for operation in self.search([*unsettled, *domain]):
            transaction = operation._document()
            days = transaction.provider_id.sudo().servipay_pending_days if transaction else 0
            if transaction and operation.create_date <= fields.Datetime.now() - timedelta(days=days):
                transaction._servipay_alert("pending_long", detail=operation._state_label(operation.state))
