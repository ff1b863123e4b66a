"""The browser ring: a real Chromium against the suite running on a database of its own.

Started by `./dev test --ring browser`. Fixtures: `suite` (alias `server`, one for all tests: see
tools/running.py), `browser` and `page` (Playwright for Python), `login` (logs a page in), `screenshot`
(saves a page's picture).
"""

import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from chromium import Chromium, close, ended_after
from playwright.sync_api import sync_playwright
from pos import Till
from shop import Shop

from tools.browser import find
from tools.context import Context
from tools.running import RunningSuite

SIZE = {"width": 1366, "height": 900}
LANGUAGES = {"en": "en_US", "fr": "fr_FR"}
PATIENCE = 30_000  # ms that Playwright waits for an element: a cold web client is slow on two cores
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")  # several processes share the ring: each has a suite
STANDSTILL = 300  # s that a test may take; the longest takes about 40


def pytest_addoption(parser):
    """Take --screenshots DIR."""
    parser.addoption(
        "--screenshots", default=os.environ.get("SERVIPAY_SCREENSHOTS"), help="directory for pictures"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """A test whose browser stands still fails, and the next one gets another browser."""
    with ended_after(STANDSTILL):
        return (yield)


@pytest.fixture(scope="session")
def dev_context():
    """The context of the `dev` command that started the tests."""
    context = Context.from_environment()
    yield context
    context.close()


@pytest.fixture(scope="session")
def suite(dev_context):
    """The suite, running on a database of its own with demo data, threaded, no scheduled jobs."""
    with RunningSuite(dev_context, f"e2e{WORKER}") as running:
        yield running


@pytest.fixture(scope="session")
def neighbours(dev_context):
    """A suite of its own beside Odoo's restaurant, employees, QR payment, ...: only for who asks for it."""
    with RunningSuite(dev_context, f"e2e{WORKER}-neighbours", neighbours=True) as running:
        yield running


@pytest.fixture(scope="session")
def server(suite):
    """The same as suite."""
    return suite


@pytest.fixture(scope="session")
def odoo_rpc(suite):
    """A function (login) that returns a logged-in user to call the server with: see tools.running.User."""
    return suite.user


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, the system's."""
    path = os.environ.get("SERVIPAY_CHROMIUM") or find()
    with sync_playwright() as playwright:
        chromium = Chromium(playwright, path)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, suite, request, dev_context):
    """A fresh page (no cookies); relative addresses are the suite's; what failed is kept."""
    with ended_after(STANDSTILL):
        surroundings = browser.new_context(base_url=suite.url, viewport=SIZE, locale="en-US")
        surroundings.set_default_timeout(PATIENCE)
        opened = surroundings.new_page()
    said = []
    opened.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    failed_before = request.session.testsfailed
    yield opened
    if request.session.testsfailed > failed_before:
        folder = dev_context.state / "screenshots"
        folder.mkdir(exist_ok=True)
        name = re.sub(r"[^a-zA-Z0-9_]+", "-", request.node.name)
        (folder / f"{name}.txt").write_text("\n".join(said))
        opened.screenshot(path=folder / f"{name}.png")
    close(surroundings)


@pytest.fixture
def login(suite):
    """A function (page, login) that logs a page in without the form (and so without its rate limit)."""

    def log_in(page, name):
        cookie = {"name": "session_id", "value": suite.user(name).session_cookie, "url": suite.url}
        page.context.add_cookies([cookie])

    return log_in


@pytest.fixture
def speaks(suite):
    """A function (login, "en" or "fr") that sets a person's language; all as they were afterwards."""
    before = {}

    def speak(name, language):
        admin = suite.user("admin")
        (user,) = admin.call("res.users", "search_read", [("login", "=", name)], ["lang"])
        before.setdefault(name, (user["id"], user["lang"]))
        admin.call("res.users", "write", [user["id"]], {"lang": LANGUAGES[language]})

    yield speak
    for name, (number, lang) in before.items():
        suite.user("admin").call("res.users", "write", [number], {"lang": lang})
        suite.forget(name)


@pytest.fixture(params=LANGUAGES)
def language(request, speaks):
    """The administrator's language; English again afterwards."""
    speaks("admin", request.param)
    return request.param


@pytest.fixture
def shop(suite):
    """The shop whose customers pay online."""
    return Shop(suite)


@pytest.fixture
def till(page, suite, login):
    """A till of the cashier, open, the PayperCloud simulator as on its first day."""
    login(page, "cashier")
    opened = Till(page, suite).open()
    opened.simulator("reset")
    opened.forget()
    yield opened
    # what a test left must neither hold the terminal for the next one, nor be told to its till
    opened.simulator("reset")
    opened.takes_parts(False)
    opened.deal_with_orphans()
    opened.disown(("approved", "unknown"))


@pytest.fixture
def screenshot(request, dev_context):
    """A function (page, name) that saves a picture in --screenshots (else in the state directory)."""
    folder = Path(request.config.getoption("--screenshots") or dev_context.state / "screenshots")

    def save(page, name):
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png")
        return folder / f"{name}.png"

    return save
