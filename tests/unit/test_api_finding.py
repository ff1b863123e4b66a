"""The amount that an answer states: what a person who decides finds filled in."""

from decimal import Decimal

import pytest

from api.finding import Finding
from api.outcome import Mismatch

AMOUNT = Mismatch("amount", "900.05", "450.02")
TERMINAL = Mismatch("terminal", "T1", "T2")


@pytest.mark.parametrize(
    ("values", "mismatches", "stated"),
    [
        ({"approved_amount": Decimal("12.00")}, (), Decimal("12.00")),
        ({}, (), None),
        ({"approved_amount": Decimal("900.05")}, (AMOUNT,), Decimal("450.02")),
        ({}, (TERMINAL,), None),
        ({}, (AMOUNT, TERMINAL), None),
        ({}, (Mismatch("amount", "900.05", "?"),), None),
        ({}, (Mismatch("Amount", "900.05", "-"),), None),
        ({"approved_amount": Decimal(0)}, (), None),
    ],
)
def test_amount_is_stated_only_where_nothing_else_differs(values, mismatches, stated):
    """An answer about another terminal says nothing about this payment's amount."""
    assert Finding("unknown", values=values, mismatches=mismatches).stated_amount == stated
