from odoo import _, api, models


class ServipayPaymentForm(models.AbstractModel):
    """What the form of every provider needs: an amount that can be written, who pays, words for what cannot.

    Abstract, like the flow that it is a part of."""

    _name = "servipay.payment.form"
    _description = "What is sent to an online payment provider"

    @api.model_create_multi
    def create(self, vals_list):
        """Round an amount to what its platform can be asked for, when the payment begins.

        Odoo decided so for its own providers (odoo#262000): what is asked for, reported and booked is then
        one amount, also where a currency of the books is rounded finer than ISO 4217 counts it."""
        return super().create([self._servipay_payable(vals) for vals in vals_list])

    def _servipay_payable(self, vals):
        """Return the values of a new payment, its amount rounded when it is one of the suite's."""
        provider = self.env["payment.provider"].sudo().browse(vals.get("provider_id"))
        if provider.code not in self._servipay_codes() or not vals.get("amount"):
            return vals
        currency = self.env["res.currency"].browse(vals.get("currency_id"))
        return {**vals, "amount": currency._servipay_payable(vals["amount"])}

    def _servipay_phones(self):
        """Return [(number as it is written, (country, ...))] of who pays, the likeliest first.

        A number without a calling code is dialled in the customer's country; in the company's when nobody
        knows the customer's."""
        partner, company = self.partner_id, self.company_id.country_id.code
        country = self.partner_country_id.code or partner.country_id.code
        texts = [self.partner_phone, partner.phone]
        if "mobile" in partner._fields:  # until 18.0
            texts.append(partner.mobile)
        return [(text, tuple(filter(None, (country, company)))) for text in texts if text]

    def _servipay_why(self, error):
        """Return why a form cannot be made, in the reader's language.

        A customer reads it: what is wrong with the merchant's settings is only named.

        :param error: ``ProtocolError`` of a provider's room or of the base, whose sentence is English
        """
        amount = self.currency_id.format(self.amount)
        figure = _(
            "%s cannot be paid here: the amount is too small or too large, or it has more decimals than the "
            "platform takes.",
            amount,
        )
        reference = _("The platform does not take the reference %s.", self.reference)
        sentences = {
            "amount": figure,
            "decimals": figure,
            "currency": _("%s is no currency that can be paid here.", self.currency_id.name),
            "email": _("An e-mail address is missing, or the platform does not take it: please enter yours."),
            "reference": reference,
            "order": reference,
        }
        return sentences.get(error.code) or _(
            "The configuration of this means of payment is not complete (%s). Please choose another one, and "
            "tell the merchant.",
            error.field or error.code,
        )
