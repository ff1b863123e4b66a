"""Chromium: found on the PATH, or installed with apt when this is root."""

import shutil
from pathlib import Path

from . import debian
from .report import Problem, step

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-liberation")
# Without these it looks for servers of its maker at every start, which a closed network refuses one by one.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def find():
    """Return the path of a Chromium on the PATH, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def ensure(state):
    """Return the path of Chromium, installed when it is missing; a Problem says why there is none."""
    found = find()
    if not found:
        with step("installing Chromium"):
            debian.install(PACKAGES, Path(state), "No Chromium is on the PATH.")
        found = find()
    if not found:
        raise Problem("Chromium was installed, but no program of it is on the PATH.")
    return found
