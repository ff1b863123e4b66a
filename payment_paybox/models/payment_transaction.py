import re

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.paypercloud_servipay.api.errors import ProtocolError as AmountError
from odoo.addons.paypercloud_servipay.api.phones import first_phone

from ..paybox import buyer
from ..paybox import page as pages
from ..paybox.errors import ProtocolError

OWN = re.compile(
    r"TX-(\d{1,9})(-.*)?", re.ASCII | re.IGNORECASE | re.DOTALL
)  # what we make of unsafe references


class PaymentTransaction(models.Model):
    _name = "payment.transaction"
    _inherit = ["servipay.payment.flow", "payment.transaction"]

    # ------------------------------------------------------------------
    # Hooks of the shared flow
    # ------------------------------------------------------------------

    def _servipay_codes(self):
        return super()._servipay_codes() | {"paybox"}

    # ------------------------------------------------------------------
    # To the page
    # ------------------------------------------------------------------

    def _get_specific_rendering_values(self, processing_values):
        """Return the page's address and the signed form, whose order counts."""
        values = super()._get_specific_rendering_values(processing_values)
        if self.provider_code != "paybox":
            return values
        provider = self.provider_id.sudo()
        reference = self._paybox_reference()
        operation = self._servipay_begin_page(reference, authorisation=provider.capture_manually)
        try:
            form = pages.form(
                provider._paybox_merchant(),
                self._paybox_payment(operation, reference),
                provider._paybox_routes(),
                provider._paybox_options(self._paybox_company_amount(), self.partner_lang),
            )
        except (ProtocolError, AmountError) as error:
            why = self._servipay_why(error)
            raise ValidationError(
                _("The payment cannot be started, nothing was paid: %(why)s", why=why)
            ) from error
        return {**values, "api_url": provider._paybox_client().page_address(), "fields": form}

    def _paybox_reference(self):
        """Return what the platform calls this payment: our reference, or a safe one where ours is not.

        One that looks like a safe one is rewritten too: Odoo lets the browser choose references, and two
        payments must never have the same one."""
        if pages.is_reference(self.reference) and not OWN.fullmatch(self.reference):
            return self.reference
        safe = re.sub(r"[^A-Za-z0-9._/-]+", "-", buyer.plain(self.reference, 60, "._/-"))
        return f"TX-{self.id}-{safe}".strip("-")

    def _paybox_payment(self, operation, reference):
        provider, partner = self.provider_id.sudo(), self.partner_id
        moment, _direct = provider._paybox_time()
        email = next(
            (
                text
                for text in (self.partner_email, partner.email, provider.paybox_email)
                if pages.is_email(text)
            ),
            "",
        )
        return pages.Payment(
            amount=operation._paybox_amount(),
            currency=self.currency_id.name,
            reference=reference,
            email=email or self.company_id.email or "",
            time=moment,
            buyer=self._paybox_buyer(),
            quantity=self._paybox_quantity(),
        )

    def _paybox_buyer(self):
        partner, company = self.partner_id, self.company_id
        words = (self.partner_name or partner.name or "").split()
        first, last = (
            (words[0], " ".join(words[1:]))
            if len(words) > 1 and not partner.is_company
            else ("", " ".join(words))
        )
        country = company.country_id.code
        # a number of the shop's own is dialled where the shop is
        own = [(text, (country or "FR",)) for text in (self.provider_id.sudo().paybox_phone, company.phone)]
        calling_code, phone = first_phone([*self._servipay_phones(), *own])
        return buyer.Buyer(
            first_name=first,
            last_name=last,
            street=self.partner_address or partner.street or "",
            street2=partner.street2 or "",
            zip_code=self.partner_zip or "",
            city=self.partner_city or "",
            countries=tuple(filter(None, (self.partner_country_id.code, country))),
            calling_code=calling_code,
            phone=phone,
        )

    def _paybox_quantity(self):
        """Return how many articles are paid, as far as the documents tell."""
        return round(sum(_articles(record) for record in self._servipay_records())) or 1

    def _paybox_company_amount(self):
        company = self.company_id
        return self.currency_id._convert(
            self.amount, company.currency_id, company, fields.Date.context_today(self)
        )

    # ------------------------------------------------------------------
    # From the page: 19.0's hooks, on all series
    # ------------------------------------------------------------------

    @api.model
    def _paybox_find(self, reference):
        """Return the transaction that a platform's reference stands for (empty when there is none)."""
        # references are unique: the provider is looked at afterwards, without a join
        names = ["reference", "provider_id", "company_id"]
        found = self.search_fetch([("reference", "=", reference)], names, limit=1)
        # found by what was sent, not by what looks like it
        found = found.filtered(lambda one: one.provider_code == "paybox" and not OWN.fullmatch(one.reference))
        number = OWN.fullmatch(reference)
        if found or not number:
            return found
        safe = self.browse(int(number[1])).exists()
        return safe if safe.provider_code == "paybox" and safe._paybox_reference() == reference else found

    @api.model
    def _extract_reference(self, provider_code, payment_data):
        if provider_code != "paybox":
            return super()._extract_reference(provider_code, payment_data)
        return payment_data["reference"]

    def _extract_amount_data(self, payment_data):
        """Return what was paid; None while nothing was, as other messages may come without an amount."""
        if self.provider_code != "paybox":
            return super()._extract_amount_data(payment_data)
        answer = payment_data["answer"]
        if answer.outcome != "accepted":
            return None
        # the platform reports no currency: the amount is in the one that was signed into the form
        currency = payment_data["operation"].currency_id
        amount = currency._servipay_major(answer.amount or 0)
        # suite-check: ok the framework compares floats, by the currency's rounding
        return {"amount": float(amount), "currency_code": currency.name}

    def _apply_updates(self, payment_data):
        """Hand what was learned to the operation; this transaction follows it.

        The amount counts here again: 19.0's own check is passed over once a transaction is in error."""
        if self.provider_code != "paybox":
            return super()._apply_updates(payment_data)
        answer = payment_data["answer"]
        if answer.transaction.strip("0"):
            self.provider_reference = answer.transaction
        return payment_data["operation"]._apply(payment_data["finding"])

    def _paybox_learn(self, answer, hearsay=False):
        """Apply one signed answer; the row is locked. Tells whether it changed anything.

        :param hearsay: it waits for the platform's own message, see ``_paybox_is_hearsay``

        A success is never downgraded and a refusal never final: the customer has three attempts on the
        page."""
        operation = self._servipay_operation()
        if not operation:
            # the form was made before this addon kept operations, or by hand
            operation = self._servipay_open_page(
                self._paybox_reference(), self.provider_id.sudo().capture_manually
            )
        operation._lock()
        verdict = operation._paybox_weigh(answer)
        if verdict == "nothing":
            return False
        if verdict == "later":
            operation._refuse_meanwhile()
        if verdict in ("mismatch", "paid_twice"):
            self._servipay_alert(verdict, detail=operation._paybox_detail(answer), key=answer.transaction)
            return True
        if verdict == "repeated":
            operation._paybox_note_attempt(answer)
            self._servipay_follow_page(operation, operation.state)
            return True
        if answer.outcome == "accepted":
            operation._note_late()
        return self._paybox_take(operation, answer, hearsay)

    def _paybox_take(self, operation, answer, hearsay):
        finding = operation._paybox_finding(answer, hearsay)
        if operation.decided and operation.state == "approved":
            operation._apply(finding)  # the framework's check would compare with the amount that was decided
            return True
        data = {"reference": self.reference, "answer": answer, "operation": operation, "finding": finding}
        self._process("paybox", data)
        if finding.mismatches and operation.state != "unknown":
            # the framework's check ended it before the operation heard of it
            operation._apply(finding)
        operation._paybox_after(answer)
        if operation.state == "pending" and self.state != "pending":
            # it was pending before, while the customer was on the page: no move that could be followed
            self._servipay_follow_page(operation, "pending")
        return True

    def _servipay_follow_page(self, operation, state):
        """Know the payment by the number that counts."""
        if state == "approved" and self.provider_code == "paybox" and operation.external_ref:
            self.provider_reference = operation.external_ref
        return super()._servipay_follow_page(operation, state)


def _articles(record):
    """Return how many articles an invoice or an order has."""
    if record._name == "account.move":
        lines = record.invoice_line_ids.filtered(lambda line: line.display_type == "product")
        return sum(lines.mapped("quantity"))
    if record._name == "sale.order":
        return sum(record.order_line.filtered(lambda line: not line.display_type).mapped("product_uom_qty"))
    return sum(record.lines.mapped("qty"))
