"""The ring's own browser: one that stands still neither holds the ring nor fails the next test."""

import signal

import playwright.sync_api
import psutil
import pytest
from chromium import close, ended_after


@pytest.fixture
def still(browser):
    """A page whose Chromium stands still."""
    opened = browser.new_context().new_page()
    for process in psutil.Process().children(recursive=True):
        if process.name().startswith("chrom"):
            process.send_signal(signal.SIGSTOP)
    return opened


def test_what_does_not_close_is_ended_and_told(browser, still):
    """As on 1 December 2026: the page of a test that had passed did not close for an hour."""
    with pytest.warns(UserWarning, match="did not close"):
        close(still.context, seconds=2)
    assert browser.new_context().new_page().evaluate("1 + 1") == 2


def test_what_does_not_answer_fails(browser, still):
    """A call without a limit of its own fails when the test's time is over."""
    with pytest.raises(playwright.sync_api.Error), ended_after(2):
        still.evaluate("1 + 1")
    assert browser.new_context().new_page().evaluate("1 + 1") == 2
