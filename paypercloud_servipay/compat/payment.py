"""Payment providers are written on the method names of 19.0's ``payment``; here 17.0 and 18.0 learn them.

This module does not import ``payment`` and the base does not depend on it: it is an abstract model that a
payment addon puts in front of ``payment.transaction``::

    class PaymentTransaction(models.Model):
        _name = "payment.transaction"
        _inherit = ["servipay.payment.compat", "payment.transaction"]

        def _servipay_codes(self):
            return super()._servipay_codes() | {"paybox"}

What an addon then writes, the same for all series:

``_extract_reference``, ``_extract_amount_data``, ``_apply_updates``
    as in 19.0. On 17.0 and 18.0 :meth:`_process` calls them in the same order and checks amount and currency
    as 19.0 does; those series check nothing themselves.
``_servipay_request(kind)``
    ask the provider for a "refund", "capture" or "void". It is called on the transaction whose state the
    answer decides: a child transaction, or on 17.0 and 18.0 for a whole capture or void the payment itself
    (where ``source_transaction_id`` is empty), because those series make no child then.

Sources: 19.0 ``payment/models/payment_transaction.py``, ``_process`` and after it; protocols/ogone.md, 7.
"""

from odoo import _, api, models

from . import SERIES


class ServipayPaymentCompat(models.AbstractModel):
    _name = "servipay.payment.compat"
    _description = "Payment transactions on the method names of 19.0"

    @api.model
    def _servipay_codes(self):
        """Return the codes (set of str) of the providers that work this way; each addon adds its own."""
        return set()

    def _is_servipay(self):
        """Tell whether this transaction belongs to one of those providers."""
        return self.provider_code in self._servipay_codes()

    def _servipay_request(self, kind):
        """Ask the provider for a "refund", "capture" or "void" of this transaction; see the module."""
        raise NotImplementedError(kind)

    if SERIES >= 19:

        def _send_refund_request(self):
            return self._servipay_ask("refund", super()._send_refund_request)

        def _send_capture_request(self):
            return self._servipay_ask("capture", super()._send_capture_request)

        def _send_void_request(self):
            return self._servipay_ask("void", super()._send_void_request)

        def _servipay_ask(self, kind, other):
            return self._servipay_request(kind) if self._is_servipay() else other()

    else:

        def _send_refund_request(self, amount_to_refund=None):
            child = super()._send_refund_request(amount_to_refund=amount_to_refund)
            return self._servipay_ask("refund", child)

        def _send_capture_request(self, amount_to_capture=None):
            child = super()._send_capture_request(amount_to_capture=amount_to_capture)
            return self._servipay_ask("capture", child)

        def _send_void_request(self, amount_to_void=None):
            child = super()._send_void_request(amount_to_void=amount_to_void)
            return self._servipay_ask("void", child)

        def _servipay_ask(self, kind, child):
            if self._is_servipay():
                (child or self)._servipay_request(kind)
            return child

        # -- 19.0's way of processing what a provider reports

        def _process(self, provider_code, payment_data):
            """Find the transaction, check amount and currency, apply; returns it (empty when unknown)."""
            transaction = self or self._search_by_reference(provider_code, payment_data)
            if transaction:
                transaction.ensure_one()
                before = transaction.state
                transaction._validate_amount(payment_data)
                if transaction.state == "error" and before != "error":
                    return transaction
                transaction._apply_updates(payment_data)
            return transaction

        @api.model
        def _search_by_reference(self, provider_code, payment_data):
            reference = self._extract_reference(provider_code, payment_data)
            if not reference:
                return self.browse()
            return self.search([("reference", "=", reference), ("provider_code", "=", provider_code)])

        @api.model
        def _extract_reference(self, provider_code, payment_data):
            return payment_data.get("reference")

        def _extract_amount_data(self, payment_data):
            """Return {"amount", "currency_code"}, None to skip the check; providers override it."""
            return {}

        def _apply_updates(self, payment_data):
            """Do nothing; providers override it."""

        def _validate_amount(self, payment_data):
            """Put the transaction into error when amount or currency are missing or differ."""
            self.ensure_one()
            data = None if self.operation == "validation" else self._extract_amount_data(payment_data)
            if data is None:
                return
            amount, currency = data.get("amount"), data.get("currency_code")
            if not amount or not currency:
                self._set_error(_("The amount or currency is missing from the payment data."))
                return
            # a refund is negative here, and positive in every provider's words
            amount = -amount if self.operation == "refund" else amount
            if self.currency_id.compare_amounts(amount, self.amount) != 0:
                self._set_error(_("The amount of the payment is not the amount that was asked for."))
            elif currency != self.currency_id.name:
                self._set_error(_("The currency of the payment is not the currency that was asked for."))

        def _tokenize(self, payment_data):
            """Keep what was paid with, when the provider says that it does."""
            self.ensure_one()
            values = self._extract_token_values(payment_data)
            if not values:
                return
            common = {
                "provider_id": self.provider_id.id,
                "payment_method_id": self.payment_method_id.id,
                "partner_id": self.partner_id.id,
            }
            self.write({"token_id": self.env["payment.token"].create({**common, **values}).id})
            self.tokenize = False

        def _extract_token_values(self, payment_data):
            """Return the values of a token, {} for none; providers override it."""
            return {}

        # -- the old entry points lead into the new ones

        def _get_tx_from_notification_data(self, provider_code, notification_data):
            found = super()._get_tx_from_notification_data(provider_code, notification_data)
            if provider_code not in self._servipay_codes() or len(found) == 1:
                return found
            return self._search_by_reference(provider_code, notification_data)

        def _process_notification_data(self, notification_data):
            result = super()._process_notification_data(notification_data)
            if self._is_servipay():
                self._process(self.provider_code, notification_data)
            return result
