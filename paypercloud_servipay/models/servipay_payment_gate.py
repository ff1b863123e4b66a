from psycopg2 import sql

from odoo import _, models
from odoo.exceptions import UserError


class ServipayPaymentGate(models.AbstractModel):
    """Whether a payment may begin: the one gate before every form, and before every charge of a saved card.

    Odoo lets the browser choose provider, amount and document of a payment, and asks nobody whether another
    payment of the same document is under way. Money is taken twice before it is told, if nobody asks here."""

    _name = "servipay.payment.gate"
    _description = "Whether an online payment may begin"

    def _servipay_check_begin(self):
        """Refuse a payment that must not begin.

        :raise UserError: with what is in the way, what it means for the money, and what to do
        """
        self.ensure_one()
        if self.currency_id.compare_amounts(self.amount, 0) <= 0:
            raise UserError(_("Only an amount above zero can be paid. Nothing was taken."))
        records = self._servipay_records()
        self._servipay_check_provider(records)
        if records:
            self._servipay_take_turn(records)
            self._servipay_check_left(records)

    def _servipay_check_provider(self, records):
        """Refuse a provider that is not offered: a test account beside the real one pays nothing.

        Who may book payments by hand may use one that is not published: that is how it is tried. Others who
        work here may have an invoice's link too, and a test card."""
        provider = self.provider_id.sudo()
        offered = provider.is_published or self._servipay_may_try()
        of_company = all(provider.company_id in record.company_id.sudo().parent_ids for record in records)
        if provider.state == "disabled" or not offered or not of_company:
            raise UserError(
                _("This means of payment is not offered here. Nothing was taken: choose another one.")
            )

    def _servipay_may_try(self):
        user = self.env.user
        books = user.has_group("account.group_account_invoice") or user.has_group("base.group_system")
        return user._is_superuser() or (user._is_internal() and books)

    def _servipay_take_turn(self, records):
        """Let one payment of a document begin at a time; Odoo runs the second again, which sees the first."""
        for record in records:
            # suite-check: ok psycopg2's own composition of names
            query = sql.SQL("UPDATE {} SET write_date = write_date WHERE id = %s").format(
                sql.Identifier(record._table)
            )
            # a lost race is run again by Odoo, and no error to report
            self.env.cr.execute(query, [record.id], log_exceptions=False)

    def _servipay_check_left(self, records):
        """Refuse when nothing is left to pay, or when what is under way may pay it."""
        documents = self._servipay_documents()
        names = ", ".join(record.display_name or "" for record in records)
        if all(document.cancelled for document in documents):
            raise UserError(_("%s was cancelled. Nothing was taken.", names))
        left = sum(self._servipay_here(document.rest, document.currency) for document in documents)
        if self.currency_id.compare_amounts(left, 0) <= 0:
            raise UserError(_("%s is already paid. Nothing was taken: please do not pay again.", names))
        others = self._servipay_under_way(records)
        promised = sum(self._servipay_here(other.amount, other.currency_id) for other in others)
        if others and self.currency_id.compare_amounts(self.amount, left - promised) > 0:
            raise UserError(self._servipay_why_not(others[:1], names))

    def _servipay_here(self, amount, currency):
        """Return an amount in the currency of this payment."""
        return currency._convert(amount, self.currency_id, self.company_id, self._servipay_day())

    def _servipay_under_way(self, records):
        """Return other payments of these documents that may have taken money that is not booked."""
        others = self.sudo().browse()
        for record in records:
            others |= self._servipay_payments_of(record)
        others = others.filtered(lambda one: not one.source_transaction_id) - self
        return others.filtered(lambda one: one._servipay_is_promise())

    def _servipay_payments_of(self, record):
        """Return all payments of a document."""
        names = {"account.move": "invoice_ids", "sale.order": "sale_order_ids", "pos.order": "pos_order_id"}
        return self.sudo().search([(names[record._name], "=", record.id)])

    def _servipay_is_promise(self):
        """Tell whether this has taken or reserved money that its document does not know, or may have."""
        if self.state == "authorized":
            return True
        if self.state == "done":
            # orders count what was taken, booked or not
            return not self.is_post_processed and bool(self.invoice_ids)
        operation = self._servipay_operation() if self._is_servipay() else None
        return bool(operation) and operation._is_in_doubt()

    def _servipay_why_not(self, other, names):
        operation = other._servipay_operation() if other._is_servipay() else other.browse()
        amount = other.currency_id.format(other.amount)
        if not self.env.user._is_internal():
            return _(
                "A payment of %(amount)s for %(document)s is under way, and its result is not known yet. "
                "Nothing was taken now. Please do not pay a second time: the result appears here as soon as "
                "it is known.",
                amount=amount,
                document=names,
            )
        return _(
            "A payment of %(amount)s for %(document)s is under way or not booked yet: %(payment)s. To take "
            "the money again could take it twice, so nothing was taken. Wait for its result; where nobody "
            "can tell, a payments manager decides with “Resolve” on that operation.",
            amount=amount,
            document=names,
            payment=operation.name if operation else other.reference,
        )
