from decimal import ROUND_HALF_UP, Decimal

from odoo import models

from ..api import amounts
from ..api.errors import ProtocolError


class ResCurrency(models.Model):
    """Amounts as providers count them: in ISO 4217's minor units, whatever the books round to."""

    _inherit = "res.currency"

    def _servipay_digits(self):
        """Return the decimals (int) of the minor unit, 2 without a currency; ProtocolError if unknown."""
        return amounts.decimals(self.name) if self else 2

    def _servipay_decimal(self, amount):
        """Return a Monetary value exactly: its float has more digits than the currency has."""
        return Decimal(f"{self.round(amount):.{self.decimal_places}f}")

    def _servipay_unit(self):
        """Return the least amount (Decimal) that can be paid, zero in a currency that is none of ISO 4217."""
        try:
            return Decimal(1).scaleb(-self._servipay_digits())
        except ProtocolError:
            return Decimal(0)

    def _servipay_payable(self, amount):
        """Return a Monetary value (float) in whole units, halves up; what is less than one stays as it is."""
        unit = self._servipay_unit()
        try:
            rounded = self._servipay_decimal(amount).quantize(unit, ROUND_HALF_UP) if unit else None
        except ArithmeticError:  # a browser may ask for any number; the gate and the room refuse it
            return amount
        # suite-check: ok a Monetary field holds a float
        return float(rounded) if rounded else amount

    def _servipay_is_crumb(self, amount):
        """Tell whether a Monetary value is a rest that nobody can pay, as the books round finer."""
        return abs(self._servipay_decimal(amount)) < self._servipay_unit()

    def _servipay_minor(self, amount):
        """Return a Monetary value in minor units (int); ProtocolError "amount" for a fraction of one."""
        return amounts.to_minor(self._servipay_decimal(amount), self._servipay_digits())

    def _servipay_major(self, minor):
        """Return minor units (int) as an exact Decimal."""
        return amounts.from_minor(minor, self._servipay_digits())
