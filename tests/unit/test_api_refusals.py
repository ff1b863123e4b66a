"""Codes of banks and of the API become meanings; what is not known has none."""

import pytest

from api import refusals


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("05", "no_reason"),
        ("5", "no_reason"),
        ("051", "funds"),
        ("54", "expired"),
        ("55", "pin"),
        ("151", ""),
        ("99", ""),
        ("terminal_busy", "terminal_busy"),
        ("UNKNOWN-TERMINAL", "terminal_unknown"),
        ("unauthorized", "key_refused"),
        ("something", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_meaning(code, meaning):
    """Zeros in front, cases and separators make no difference."""
    assert refusals.meaning(code) == meaning


def test_meanings_are_listed_once():
    """Each meaning needs a sentence, so the list is whole."""
    assert len(refusals.MEANINGS) == len(set(refusals.MEANINGS))
    assert {"funds", "terminal_busy"} <= set(refusals.MEANINGS)
