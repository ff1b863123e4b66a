"""The security ring: a real prefork server with the demo data, and people who want more than they may.

Started by `./dev test --ring security`. SERVIPAY_SECURITY_SEED repeats a run's chance.
"""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from people import People
from portal import Browser, Forger, Market, simulator_of
from shop import Shop

from tools.context import Context
from tools.running import RunningSuite


@pytest.fixture(scope="session")
def seed():
    """The seed of all chance in this run."""
    return int(os.environ.get("SERVIPAY_SECURITY_SEED") or random.SystemRandom().randrange(10**6))


@pytest.fixture(scope="session")
def suite():
    """The suite, prefork with two workers and an evented process, no scheduled jobs of its own accord."""
    context = Context.from_environment()
    with RunningSuite(context, "intruders", workers=2) as running:
        yield running
    context.close()


@pytest.fixture(scope="session")
def neighbours():
    """A suite of its own beside Odoo's restaurant, employees, QR payment, ...: only for who asks for it."""
    context = Context.from_environment()
    with RunningSuite(context, "intruders-neighbours", workers=2, neighbours=True) as running:
        yield running
    context.close()


@pytest.fixture(scope="session")
def shop(suite):
    """The demo's shop with payments on every provider, so that there is something to steal."""
    return Shop(suite).open()


@pytest.fixture(scope="session")
def market(suite, shop):
    """The same shop's online payments: see portal.py."""
    return Market(suite, shop)


@pytest.fixture
def true_books(request, market):
    """Around a test: no payment counts as paid that the platforms have not taken for it.

    Ogone is asked, as every new provider does; the ring's other tests have no order over there."""
    provider, newest = [market.providers["ogone"]["honest"]], market.newest()
    [before] = market.admin.call("payment.provider", "read", provider, ["ogone_confirm"])
    market.admin.call("payment.provider", "write", provider, {"ogone_confirm": True})
    yield
    market.quiet()
    market.admin.call("payment.provider", "write", provider, {"ogone_confirm": before["ogone_confirm"]})
    assert request.node.get_closest_marker("xfail") or market.invented(newest) == []


@pytest.fixture
def forger(market):
    """Somebody else who is a merchant of the platform."""
    return Forger(market)


@pytest.fixture
def customer(market):
    """The customer of most invoices."""
    return Browser(market)


@pytest.fixture
def setting(market):
    """A function (code, values) that changes the shop's provider; as it was afterwards."""
    changed = []

    def write(code, **values):
        number = market.providers[code]["honest"]
        [before] = market.admin.call("payment.provider", "read", [number], list(values))
        changed.append((number, {name: before[name] for name in values}))
        market.admin.call("payment.provider", "write", [number], values)

    yield write
    for number, values in changed[::-1]:
        market.admin.call("payment.provider", "write", [number], values)


@pytest.fixture
def behaves(market):
    """A function (code, settings) that changes a platform's behaviour; as it was afterwards."""
    defaults = []

    def change(code, **settings):
        defaults.append((code, {name: simulator_of(code).DEFAULTS[name] for name in settings}))
        market.platforms[code].call("set", **settings)

    yield change
    for code, settings in defaults:
        market.platforms[code].call("set", **settings)


@pytest.fixture(scope="session")
def people(suite, shop):
    """Who tries: see people.py."""
    return People(suite)


@pytest.fixture(scope="session")
def report(suite):
    """A function that adds a line to what `./dev test` prints of this ring."""
    path = suite.context.state / "security-report.txt"

    def add(line):
        with open(path, "a") as stream:
            stream.write(line + "\n")

    return add
