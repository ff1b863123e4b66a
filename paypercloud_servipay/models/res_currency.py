from decimal import Decimal

from odoo import models

from ..api import amounts


class ResCurrency(models.Model):
    """Amounts as providers count them: in ISO 4217's minor units, whatever the books round to."""

    _inherit = "res.currency"

    def _servipay_digits(self):
        """Return the decimals (int) of the minor unit, 2 without a currency; ProtocolError if unknown."""
        return amounts.decimals(self.name) if self else 2

    def _servipay_decimal(self, amount):
        """Return a Monetary value exactly: its float has more digits than the currency has."""
        return Decimal(f"{self.round(amount):.{self.decimal_places}f}")

    def _servipay_minor(self, amount):
        """Return a Monetary value in minor units (int); ProtocolError "amount" for a fraction of one."""
        return amounts.to_minor(self._servipay_decimal(amount), self._servipay_digits())

    def _servipay_major(self, minor):
        """Return minor units (int) as an exact Decimal."""
        return amounts.from_minor(minor, self._servipay_digits())
