"""The system's Chromium: ended when it stands still, and started again for the next page.

Opening and closing a page have no limit of time in Playwright. A Chromium that does not answer then would
hold the ring until whoever started it gives up, and nobody would learn which test it was.
"""

import threading
import warnings
from contextlib import contextmanager

import playwright.sync_api
import psutil

from tools.browser import ARGUMENTS

NAME = "chrom"  # how the process is called: chromium, chrome


class Chromium:
    """A headless Chromium that is there again for the next page when it was ended."""

    def __init__(self, playwright, path):
        self._launch = lambda: playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        self._running = None

    def new_context(self, **options):
        """Return a Playwright context: its pages share cookies with nobody."""
        if not (self._running and self._running.is_connected()):
            self._running = self._launch()
        return self._running.new_context(**options)

    def close(self):
        """End it."""
        if self._running:
            close(self._running)


@contextmanager
def ended_after(seconds):
    """End Chromium when what is done within takes longer; what waits for it fails then. Yields the timer."""
    timer = threading.Timer(seconds, _end)
    timer.daemon = True
    timer.start()
    try:
        yield timer
    finally:
        timer.cancel()


def close(what, seconds=30):
    """Close a page, a context or a browser; what does not close is ended, and told as a warning."""
    with ended_after(seconds) as timer:
        try:
            what.close()
        except playwright.sync_api.Error:
            if not timer.finished.is_set():
                raise
            warnings.warn(f"Chromium did not close {what} within {seconds} s and was ended", stacklevel=2)


def _end():
    for process in psutil.Process().children(recursive=True):
        if process.name().startswith(NAME):
            process.kill()
