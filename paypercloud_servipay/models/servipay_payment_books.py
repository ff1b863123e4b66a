from datetime import date, timedelta

import psycopg2

from odoo import api, fields, models

from ..api.masking import Masker, get_logger
from ..compat import SERIES
from .inbox import apply_soon
from .own_transaction import after_commit, in_own_transaction
from .servipay_payment_documents import is_draft

_logger = get_logger(__name__)

UNDECIDED = ("draft", "pending", "authorized")
# 17.0 would make a payment of whatever it is given
BOOKABLE = ("done", "authorized") if SERIES >= 18 else ("done",)
BOOK_AFTER = timedelta(seconds=5)  # by Odoo's own job, should this process die
UNBOOKED_AFTER = timedelta(minutes=15)  # somebody has to know then
RETRY_HOURS = (0.25, 1, 6, 24)  # between tries that fail; Odoo gives up after four days
TOLD_AFTER_DAYS = (0, 1, 7, 30)
AT_ONCE = 50  # transactions that one run of the job books


class PaidOn(date):
    """The day on which a payment was made, in a context: of a type that no browser can send."""


class ServipayPaymentBooks(models.AbstractModel):
    """Payments in accounting: made, reconciled, compared with what they are for, and tried until they are.

    Whatever stops it, in whosever code, is told once with its text, and again after a day."""

    _name = "servipay.payment.books"
    _description = "Online payments in accounting"

    servipay_book_tries = fields.Integer("Tries to book it", readonly=True, copy=False)
    servipay_book_again_at = fields.Datetime("Booked again at", readonly=True, copy=False)

    # ------------------------------------------------------------------
    # Who is told
    # ------------------------------------------------------------------

    def _servipay_alert(self, kind, detail="", key="", document=None, event=""):
        """Tell people once about an event of this transaction; see ``servipay.alert``.

        :param key: tells events of one kind of this transaction apart
        :param event: text that stands for the event, where it is not this transaction's alone
        """
        users, addresses = self._servipay_recipients()
        document = document or next(iter(self._servipay_records()), self)
        self.env["servipay.alert"].sudo()._raise_once(
            event or f"{kind}:{self._name}:{self.id}:{key}",
            kind=kind,
            company=self.company_id,
            users=users,
            addresses=addresses,
            document=document,
            provider=self.provider_code,
            reference=self.reference,
            amount=abs(self.amount),
            currency_id=self.currency_id.id,
            detail=detail,
        )

    def _servipay_tell_forged(self):
        """Tell once an hour that somebody sends messages about this that the provider did not sign."""
        hour = fields.Datetime.now().strftime("%Y-%m-%d %H")
        self.provider_id._servipay_alert(
            f"bad_signature:{self.provider_id.id}:{hour}",
            self.provider_id.company_id,
            kind="bad_signature",
            reference=self.reference,
        )

    # ------------------------------------------------------------------
    # When: soon after the outcome, and again until it is done
    # ------------------------------------------------------------------

    def _servipay_book_soon(self):
        """Make the payment in the background once the outcome is committed: the portal then shows it as paid.

        Odoo's own job does it should this process die meanwhile."""
        job = self.env.ref("payment.cron_post_process_payment_tx").sudo()
        job._trigger(fields.Datetime.now() + BOOK_AFTER)
        number, model = self.id, self._name
        after_commit(self.env, lambda env: apply_soon(env, number, lambda own, one: book(own, model, one)))

    def _servipay_post_process(self):
        """Make the payment and reconcile it now, unless that was done."""
        self.ensure_one()
        self._servipay_lock()
        if self.is_post_processed or self.state not in BOOKABLE:
            return
        self._post_process() if SERIES >= 18 else self._finalize_post_processing()
        self.env.flush_all()  # what the database refuses belongs to this try
        self.write({"servipay_book_tries": 0, "servipay_book_again_at": False})

    def _servipay_note_unbooked(self, text):
        """Plan the next try, and tell people with the text of what stood in the way."""
        self._servipay_lock()
        if self.is_post_processed:
            return
        hours = RETRY_HOURS[min(self.servipay_book_tries, len(RETRY_HOURS) - 1)]
        again = fields.Datetime.now() + timedelta(hours=hours)
        self.write({"servipay_book_tries": self.servipay_book_tries + 1, "servipay_book_again_at": again})
        self._servipay_tell_unbooked(text)

    def _servipay_tell_unbooked(self, text):
        age = fields.Datetime.now() - (self.last_state_change or self.create_date)
        days = max(limit for limit in TOLD_AFTER_DAYS if limit <= max(age.days, 0))
        self._servipay_alert("not_booked", detail=text, key=f"{self.state}:{days}")

    @api.model
    def _servipay_cron_unbooked(self):
        """Book what was taken some time ago and is not booked, whatever stood in the way.

        Only what an operation of ours has taken: older payments may have been booked by hand."""
        now = fields.Datetime.now()
        domain = [
            ("provider_code", "in", list(self._servipay_codes())),
            ("state", "in", BOOKABLE),
            ("is_post_processed", "=", False),
            ("last_state_change", "<", now - UNBOOKED_AFTER),
            *("|", ("servipay_book_again_at", "=", False), ("servipay_book_again_at", "<=", now)),
        ]
        for transaction in self.search(domain, order="servipay_book_again_at, id", limit=AT_ONCE):
            if transaction._servipay_operation(movement=bool(transaction.source_transaction_id)):
                book(self.env, self._name, transaction.id)

    def _servipay_booking(self, work):
        """Call ``work``; a failure is told once, in a transaction that it does not take along."""
        try:
            with self.env.cr.savepoint():
                result = work()
                for transaction in self.filtered(lambda one: one._is_servipay() and one.state == "done"):
                    transaction._servipay_post_draft()
                    transaction._servipay_check_orders()
                return result
        except psycopg2.OperationalError:
            raise  # two did it at once: Odoo runs it again
        except Exception as error:
            for transaction in self.filtered(lambda one: one._is_servipay()):
                transaction._servipay_tell_failure(text_of(error))
            raise

    def _servipay_tell_failure(self, text):
        number, model = self.id, self._name
        in_own_transaction(self.env, lambda env: env[model].browse(number)._servipay_tell_unbooked(text))

    # ------------------------------------------------------------------
    # How
    # ------------------------------------------------------------------

    if SERIES >= 18:

        def _post_process(self):
            return self._servipay_booking(super()._post_process)

    else:

        def _finalize_post_processing(self):
            # it would take them for processed, and never look at them again
            ready = self.filtered(lambda one: not one._is_servipay() or one.state not in UNDECIDED)
            return ready._servipay_booking(super(ServipayPaymentBooks, ready)._finalize_post_processing)

    def _create_payment(self, **extra_create_values):
        """Make the payment, as of the day it was made, for the documents of the payment it comes from.

        On all series with the document's own account and without cancelled invoices."""
        if not self._is_servipay():
            return super()._create_payment(**extra_create_values)
        root, notes = self._servipay_root(), self._servipay_credit_notes()
        invoices = root.invoice_ids if self.operation != "refund" else notes.browse()
        gone = invoices.filtered(lambda invoice: invoice.state == "cancel")
        paid_before = invoices.filtered(_is_paid)
        lines = _receivable(notes or invoices - gone)
        if lines:
            extra_create_values.setdefault("destination_account_id", lines[0].account_id.id)
        extra_create_values.setdefault("date", self._servipay_day())
        own = {one: one.invoice_ids for one in (root, self)}
        for one in own if invoices else ():
            one.invoice_ids = invoices - gone  # 17.0 and 18.0 fail on those that are gone
        booked = self.with_context(servipay_paid_on=root._servipay_day())
        payment = super(ServipayPaymentBooks, booked)._create_payment(**extra_create_values)
        payment = payment.with_env(self.env)
        for one, before in own.items() if invoices else ():
            one.invoice_ids = before
        if notes:
            self._servipay_reconcile(payment, notes)
        self._servipay_check_booked(payment, gone, paid_before)
        return payment

    def _servipay_day(self):
        """Return the day on which this was paid, captured or given back: it may be booked much later."""
        operation = self._servipay_operation(movement=bool(self.source_transaction_id))
        zone = self.with_context(tz=self.company_id.partner_id.tz or self.env.user.tz or "UTC")
        moment = operation.sent_at or fields.Datetime.now()
        return PaidOn.fromordinal(fields.Datetime.context_timestamp(zone, moment).toordinal())

    def _servipay_post_draft(self):
        """Post the payment that waited for the charge of a saved card, and reconcile it."""
        payment = self.payment_id.filtered(lambda one: is_draft(one) or one.state in ("cancel", "canceled"))
        if not payment:
            return
        if not is_draft(payment):  # it was given up, and the money came all the same
            payment.action_draft()
        own = self._servipay_root().invoice_ids
        gone = own.filtered(lambda invoice: invoice.state == "cancel")
        invoices = own - gone
        paid_before = invoices.filtered(_is_paid)
        lines = _receivable(invoices)
        if lines and payment.destination_account_id != lines[0].account_id:
            payment.destination_account_id = lines[0].account_id
        payment.action_post()
        self._servipay_reconcile(payment, invoices)
        self._servipay_check_booked(payment, gone, paid_before)

    def _servipay_credit_notes(self):
        """Return the open credit notes of the invoices whose payment this transaction gives back.

        One of exactly that amount is the one that it is for."""
        moves = self.env["account.move"]
        if self.operation != "refund":
            return moves
        domain = [
            ("reversed_entry_id", "in", self._servipay_root().invoice_ids.ids),
            ("move_type", "=", "out_refund"),
            ("state", "=", "posted"),
            ("payment_state", "in", ("not_paid", "partial")),
        ]
        notes = moves.search(domain, order="id")
        same = notes.filtered(
            lambda note: not self.currency_id.compare_amounts(note.amount_residual, abs(self.amount))
        )
        return same[:1] or notes

    def _servipay_reconcile(self, payment, documents):
        lines = payment.move_id.line_ids + _receivable(documents)
        account = payment.destination_account_id
        lines.filtered(lambda line: line.account_id == account and not line.reconciled).reconcile()

    # ------------------------------------------------------------------
    # Compared with what it is for
    # ------------------------------------------------------------------

    def _servipay_check_booked(self, payment, gone, paid_before):
        """Tell when the money of a payment is not where the customer thinks it is: invoices."""
        if self.operation == "refund" or not self._servipay_root().invoice_ids:
            return
        open_lines = payment.move_id.line_ids.filtered(
            lambda line: line.account_id == payment.destination_account_id and not line.reconciled
        )
        left = sum(open_lines.mapped("amount_residual_currency"))
        if open_lines and payment.currency_id._servipay_is_crumb(left):
            return
        rest = payment.currency_id.format(abs(left))
        if gone:
            self._servipay_alert("document_cancelled", detail=gone[0].name or "-", document=gone[0])
        elif paid_before and open_lines:
            self._servipay_alert("already_paid", detail=paid_before[0].name, document=paid_before[0])
        elif open_lines:
            self._servipay_alert("not_reconciled", detail=rest)

    def _servipay_check_orders(self):
        """Tell when an order was paid twice, or although it was cancelled."""
        if self.operation == "refund":
            return
        for document in self._servipay_documents():
            if document.is_invoice:
                continue
            record, currency = document.record, document.currency
            paid, total = currency.format(document.paid), currency.format(document.total)
            if document.cancelled:
                self._servipay_alert("document_cancelled", detail=record.display_name, document=record)
            elif _is_overpaid(document) and not currency._servipay_is_crumb(document.rest):
                # whichever of its payments is booked first sees them all: one event
                event = f"already_paid:{record._name}:{record.id}:{paid}"
                detail = f"{record.display_name}: {paid} / {total}"
                self._servipay_alert("already_paid", detail=detail, document=record, event=event)


class PaidOnTime(models.Model):
    """A discount for early payment counts by the day of the payment, not by the day on which it is booked.

    Not a model of its own, as this addon does not depend on accounting: a payment addon puts this class on
    ``account.move``."""

    _register = False

    def _is_eligible_for_early_payment_discount(self, currency, reference_date):
        paid_on = self.env.context.get("servipay_paid_on")
        if reference_date and isinstance(paid_on, PaidOn):
            reference_date = min(reference_date, paid_on)
        return super()._is_eligible_for_early_payment_discount(currency, reference_date)


def book(env, model, number):
    """Book a payment in a transaction of its own; what stops it is told, and tried again by the job.

    :param env: an environment or a ``Detached``; ``number`` is the transaction's id
    """
    try:
        in_own_transaction(env, lambda own: own[model].browse(number)._servipay_post_process())
    except Exception as error:  # pylint: disable=broad-except
        # whosever code it was
        _logger.warning("transaction %s could not be booked", number, exc_info=True)
        text = text_of(error)
        in_own_transaction(env, lambda own: own[model].browse(number)._servipay_note_unbooked(text))


def text_of(error):
    """Return what an exception says to a person, masked; a person's errors come without their type."""
    said = str(error.args[0]) if error.args and isinstance(error.args[0], str) else ""
    is_for_people = type(error).__module__.startswith("odoo.exceptions")
    return Masker().text(said if said and is_for_people else f"{type(error).__name__}: {error}")[:500]


def _is_overpaid(document):
    return document.currency.compare_amounts(document.rest, 0) < 0


def _is_paid(invoice):
    return invoice.state == "posted" and invoice.currency_id.is_zero(invoice.amount_residual)


def _receivable(documents):
    """Return the lines of invoices or credit notes that a payment is reconciled with."""
    return documents.line_ids.filtered(lambda line: line.display_type == "payment_term")
