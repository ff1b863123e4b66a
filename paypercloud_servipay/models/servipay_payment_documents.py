from dataclasses import dataclass

from odoo import fields, models

from .milestones import is_milestone

NOTES = 5  # about one payment in the history of its documents; of further ones only some, which say how many


@dataclass(frozen=True)
class Document:
    """What a payment is for: an invoice or an order.

    total  float, what it costs in its own ``currency``; rest: what is left to pay of it, below zero when more
           was paid than it costs. What is only reserved counts as not paid.
    """

    record: object
    currency: object
    total: float
    rest: float
    cancelled: bool

    @property
    def is_invoice(self):
        """Whether accounting knows what was paid of it."""
        return self.record._name == "account.move"

    @property
    def paid(self):
        """What was paid of it."""
        return self.total - self.rest


class ServipayPaymentDocuments(models.AbstractModel):
    """Which documents a payment is for, and what is written into their history.

    Captures, refunds and cancellations have no documents of their own: theirs are those of the payment that
    they come from. Nothing else may read ``invoice_ids``, ``sale_order_ids`` or ``pos_order_id``."""

    _name = "servipay.payment.documents"
    _description = "Documents of online payments"

    servipay_note_count = fields.Integer("Reports in the history", readonly=True, copy=False)

    # ------------------------------------------------------------------
    # Which
    # ------------------------------------------------------------------

    def _servipay_root(self):
        """Return the payment that this captures, gives back or cancels, or itself."""
        self.ensure_one()
        root = self
        while root.source_transaction_id:
            root = root.source_transaction_id
        return root

    def _servipay_records(self):
        """Return what this pays for as a list of records: invoices, quotations and orders, tills' orders."""
        root = self._servipay_root()
        names = [name for name in ("sale_order_ids", "pos_order_id") if name in self._fields]
        return [*root.invoice_ids, *(record for name in names for record in root[name])]

    def _servipay_documents(self):
        """Return what this pays for as a list of ``Document``, with what is left to pay of each."""
        return [self._servipay_document(record) for record in self._servipay_records()]

    def _servipay_document(self, record):
        if record._name == "account.move":
            rest = record.amount_residual if record.state == "posted" else record.amount_total
        else:
            rest = record.amount_total - self._servipay_paid_of(record)
        cancelled = record.state == "cancel"
        return Document(record, record.currency_id, record.amount_total, rest, cancelled)

    def _servipay_paid_of(self, order):
        """Return what all payments of an order have taken so far, in the order's currency.

        By what was taken, booked or not: the payment that is being booked counts."""
        others = 0.0
        if order._name == "pos.order":
            transactions = self.env["payment.transaction"].sudo().search([("pos_order_id", "=", order.id)])
            by_till = order.payment_ids.filtered(lambda payment: not payment.online_account_payment_id)
            others = sum(by_till.mapped("amount"))
        else:
            transactions = order.sudo().transaction_ids
        roots = transactions.filtered(lambda one: not one.source_transaction_id)
        return others + sum(root._servipay_share_of(order) for root in roots)

    def _servipay_share_of(self, order):
        """Return what this payment has taken for one of its orders, in the order's currency."""
        taken = self._servipay_taken()
        orders = [record for record in self._servipay_records() if record._name == order._name]
        total = sum(record.amount_total for record in orders)
        share = order.amount_total / total if len(orders) > 1 and total else 1
        today = fields.Date.context_today(self)
        return self.currency_id._convert(taken * share, order.currency_id, self.company_id, today)

    def _servipay_taken(self):
        """Return what this payment has really taken: what was captured, less what was given back."""
        done = self.child_transaction_ids.filtered(lambda child: child.state == "done")
        refunds = done.filtered(lambda child: child.operation == "refund")
        captures = done - refunds
        taken = sum(capture._servipay_taken() for capture in captures)
        if not captures and self.state == "done":
            taken = self.amount
        return taken + sum(refunds.mapped("amount"))  # which are below zero

    def _servipay_drafts(self):
        """Return the payment that somebody registered with a saved card, and that waits for the charge."""
        return self.payment_id.filtered(is_draft)

    # ------------------------------------------------------------------
    # Their history
    # ------------------------------------------------------------------

    def _servipay_note(self, operation):
        """Write into the history of what is paid what the provider reported.

        Whoever can make messages up must not fill it: repeated refusals are only told now and then."""
        root = self._servipay_root()
        root.servipay_note_count += 1
        count = root.servipay_note_count
        news = operation.state in ("approved", "unknown", "reversed") or self != root
        if not news and count > NOTES and not is_milestone(count):
            return
        words = root._servipay_words(operation.with_context(lang=root._servipay_language()))
        if count > NOTES and not news:
            words = f"{words} ({count})"
        for record in root._servipay_records() or root._servipay_drafts():
            if hasattr(record, "message_post"):  # an order of a till has no history in 17.0
                record.message_post(body=words)

    def _servipay_language(self):
        """Return the language of who looks after payments, else of who looks after the document."""
        users, _addresses = self._servipay_recipients()
        document = next(iter(self._servipay_records()), self)
        name = next((name for name in ("invoice_user_id", "user_id") if name in document._fields), None)
        responsible = document[name] if name else users.browse()
        people = users | responsible | self.company_id._servipay_manager()
        return people[:1].lang or self.company_id.partner_id.lang or "en_US"


def is_draft(payment):
    """Tell whether a payment is not posted yet.

    19.0 calls it "in process" as soon as it has an entry, which may be a draft."""
    return (payment.move_id or payment).state == "draft"
