import uuid

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.api.phones import first_phone
from odoo.addons.paypercloud_servipay.models.online_report import CONFIRMING

from ..ogone import direct, status
from ..ogone import order as orders
from ..ogone import page as pages
from ..ogone.errors import ProtocolError
from ..ogone.text import clean

ALIAS = "ODOO-ALIAS-"  # and 32 digits: as Odoo's own addon named them


class PaymentTransaction(models.Model):
    _name = "payment.transaction"
    _inherit = ["servipay.payment.flow", "payment.transaction"]

    # ------------------------------------------------------------------
    # Hooks of the shared flow
    # ------------------------------------------------------------------

    def _servipay_codes(self):
        return super()._servipay_codes() | {"ogone"}

    # ------------------------------------------------------------------
    # To the page
    # ------------------------------------------------------------------

    def _get_specific_rendering_values(self, processing_values):
        """Return the page's address and the signed form."""
        values = super()._get_specific_rendering_values(processing_values)
        if self.provider_code != "ogone":
            return values
        provider = self.provider_id.sudo()
        operation = self._servipay_begin_page(self._ogone_order(), authorisation=provider.capture_manually)
        try:
            form = pages.form(
                provider._ogone_merchant(),
                self._ogone_payment(),
                provider._ogone_addresses(),
                self._ogone_customer(),
                provider._ogone_options(
                    self.payment_method_id, self.partner_lang, self._ogone_alias(operation)
                ),
            )
            address = provider._ogone_platform().address("page")
        except ProtocolError as error:
            why = self._servipay_why(error)
            raise ValidationError(
                _("The payment cannot be started, nothing was paid: %(why)s", why=why)
            ) from error
        return {**values, "api_url": address, "fields": form}

    def _ogone_order(self):
        """Return ORDERID: our reference where the platform takes it, else a safe one with our number."""
        return orders.order_of(self.reference, self.id)

    def _ogone_payment(self):
        return pages.Payment(
            amount=self.currency_id._servipay_decimal(self.amount),
            currency=self.currency_id.name,
            order=self._ogone_order(),
            description=self.reference,
        )

    def _ogone_customer(self):
        partner = self.partner_id
        calling_code, number = first_phone(self._servipay_phones())
        return pages.Customer(
            name=self.partner_name or partner.name or "",
            email=self.partner_email or partner.email or "",
            street=self.partner_address or partner.street or "",
            zip_code=self.partner_zip or "",
            city=self.partner_city or "",
            country=self.partner_country_id.code or "",
            phone=f"+{calling_code}{number}" if number else "",
        )

    # ------------------------------------------------------------------
    # A card that is kept, and charged later
    # ------------------------------------------------------------------

    def _ogone_alias(self, operation):
        """Return the ``Alias`` under which the platform is to keep the card, None when it is not to."""
        if not self.tokenize:
            return None
        if not operation.ogone_alias:
            operation.ogone_alias = f"{ALIAS}{uuid.uuid4().hex.upper()}"
        own = self.with_context(lang=self.partner_lang)
        return pages.Alias(own._ogone_consent(), operation.ogone_alias)

    def _ogone_consent(self):
        """Return what stands beside the box that the customer ticks on the platform's page."""
        return _("I agree that my card is kept for my next payments to %s.", self.company_id.name)

    def _extract_token_values(self, payment_data):
        """Return what a token is made of, {} unless the platform says that it keeps the card as was asked."""
        if self.provider_code != "ogone":
            return super()._extract_token_values(payment_data)
        operation = self._servipay_operation()
        if not operation.ogone_alias or operation.ogone_alias_kept != operation.ogone_alias:
            return {}
        return {"provider_ref": operation.ogone_alias, "payment_details": operation.masked_pan[-4:]}

    def _ogone_keep_card(self, operation, feedback):
        """Keep the card of a payment that was known before the platform said that it keeps it."""
        if not self.tokenize or not feedback.alias or operation.external_ref != feedback.payid:
            return False
        operation.ogone_alias_kept = feedback.alias
        self._ogone_tokenize(operation)
        return bool(self.token_id)

    def _ogone_tokenize(self, operation):
        if self.tokenize and operation.state == "approved":
            self._tokenize({})

    def _send_payment_request(self):
        """Charge a saved card; the answer is waited for after the commit, never in the asking request."""
        result = super()._send_payment_request()
        if self.provider_code == "ogone":
            self._servipay_charge(self._ogone_order(), self.provider_id.capture_manually)
        return result

    def _ogone_authentication(self, http_request):
        """Return what 3-D Secure is told about the browser of the customer who pays (``Authentication``)."""
        headers = http_request.headers
        accept, agent = headers.get("Accept", "*/*"), headers.get("User-Agent", "")
        told = [
            ("BROWSERACCEPTHEADER", accept),
            ("BROWSERLANGUAGE", http_request.accept_languages.best or ""),
            ("BROWSERUSERAGENT", agent),
        ]
        return direct.Authentication(
            accept=accept,
            user_agent=agent,
            addresses=self.provider_id._ogone_addresses(),
            language=self.partner_lang or "",
            details=tuple((name, clean(value, 200)) for name, value in told if value),
        )

    # ------------------------------------------------------------------
    # From the platform: 19.0's hooks, on all series
    # ------------------------------------------------------------------

    @api.model
    def _ogone_find(self, order):
        """Return the transaction that an ORDERID stands for (empty when there is none)."""
        if not order:
            return self.browse()
        names = ["reference", "provider_id", "company_id"]
        found = self.search_fetch([("reference", "=", order)], names, limit=1)
        # found by what was sent, not by what looks like it
        found = found.filtered(lambda one: one.provider_code == "ogone" and one._ogone_order() == order)
        number = orders.number_of(order)
        if found or not number or number >= 2**31:
            return found
        own = self.browse(number).exists()
        return own if own.provider_code == "ogone" and own._ogone_order() == order else found

    @api.model
    def _extract_reference(self, provider_code, payment_data):
        if provider_code != "ogone":
            return super()._extract_reference(provider_code, payment_data)
        return payment_data["reference"]

    def _extract_amount_data(self, payment_data):
        """Return what was paid; None while nothing was, or when this account does not report amounts.

        The amount stands in the form that was signed, so that a customer cannot pay another one."""
        if self.provider_code != "ogone":
            return super()._extract_amount_data(payment_data)
        feedback, finding = payment_data["feedback"], payment_data["finding"]
        if finding.state != "approved" or feedback.amount is None:
            return None
        currency = feedback.currency or self.currency_id.name
        # suite-check: ok the framework compares floats, by the currency's rounding
        return {"amount": float(feedback.amount), "currency_code": currency}

    def _apply_updates(self, payment_data):
        """Hand what was learned to the operation; this transaction follows it."""
        if self.provider_code != "ogone":
            return super()._apply_updates(payment_data)
        if payment_data["feedback"].payid:
            self.provider_reference = payment_data["feedback"].payid
        return payment_data["operation"]._apply(payment_data["finding"])

    def _ogone_learn(self, feedback):
        """Apply one signed message; the row is locked. Returns (whether it changed anything, operation)."""
        operation = self._servipay_operation()
        if not operation:
            # the form was made before this addon kept operations
            operation = self._servipay_open_page(
                self._ogone_order(), self.provider_id.sudo().capture_manually
            )
            operation._lock()
        movement = operation._ogone_movement_of(feedback)
        if len(movement) > 1:
            # which of them, the platform tells by its number
            movement.write({"next_inquiry_at": fields.Datetime.now()})
            return True, operation
        if movement:
            movement._lock()
            settled, heard = movement.state in states.FINAL, movement._ogone_hear(feedback)
            # what neither proves nor denies a refund that has its end is about the payment
            if heard or not settled or not status.gives_back(feedback.status):
                return heard, movement
        if movement or operation._ogone_is_about_movement(feedback):
            self._servipay_alert("moved_outside", detail=operation._ogone_detail(feedback), key=feedback.key)
            return True, movement or operation
        return self._ogone_learn_payment(operation, feedback), operation

    def _ogone_learn_payment(self, operation, feedback):
        verdict, finding = operation._ogone_weigh(feedback)
        if verdict == "nothing":
            return self._ogone_keep_card(operation, feedback)
        if verdict == "later":
            operation._refuse_meanwhile()
        if verdict in ("paid_twice", "moved_outside"):
            self._servipay_alert(verdict, detail=operation._ogone_detail(feedback), key=feedback.key)
            return True
        if operation.decided and operation.state == "approved":
            operation._apply(finding)  # the framework's check would compare with the amount that was decided
            return True
        data = {"reference": self.reference, "feedback": feedback, "operation": operation, "finding": finding}
        if finding.state == "approved" or finding.reason == CONFIRMING:
            operation._note_late()
        self._process("ogone", data)
        if finding.mismatches and operation.state != "unknown":
            # the framework's check ended it before the operation heard of it
            operation._apply(finding)
        if operation.state == "pending" and self.state != "pending":
            # it was pending before, while the customer was on the page: no move that could be followed
            self._servipay_follow_page(operation, "pending")
        return True

    def _servipay_follow_page(self, operation, state):
        """Know the payment by the number that counts."""
        if self.provider_code == "ogone" and operation.external_ref:
            self.provider_reference = operation.external_ref
        result = super()._servipay_follow_page(operation, state)
        if self.provider_code == "ogone":
            self._ogone_tokenize(operation)
            if state not in ("sent", "pending"):
                operation.ogone_identification = False
        return result
