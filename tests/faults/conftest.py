"""The faults ring: a real prefork server behind its proxy, real terminals, and somebody who kills processes.

Started by `./dev test --ring faults`. SERVIPAY_FAULT_SEED repeats a run, SERVIPAY_FAULT_RUNS says how many
kills it makes.
"""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools import shopfloor
from tools.context import Context
from tools.running import RunningSuite

TERMINALS = 4
RUNS = int(os.environ.get("SERVIPAY_FAULT_RUNS", "100"))


@pytest.fixture(scope="session")
def seed():
    """The seed of all chance in this run."""
    return int(os.environ.get("SERVIPAY_FAULT_SEED") or random.SystemRandom().randrange(10**6))


@pytest.fixture(scope="session")
def suite():
    """The suite, prefork with two workers and an evented process, no scheduled jobs of its own accord."""
    context = Context.from_environment()
    arguments = shopfloor.terminals(TERMINALS)
    with RunningSuite(context, "faults", workers=2, simulator_arguments=arguments) as running:
        yield running
    context.close()


@pytest.fixture(scope="session")
def floor(suite):
    """Tills with a terminal each."""
    return shopfloor.ShopFloor(suite, TERMINALS)


@pytest.fixture(scope="session")
def report(suite):
    """A function that adds a line to what `./dev test` prints of this ring."""
    path = suite.context.state / "faults-report.txt"

    def add(line):
        with open(path, "a") as stream:
            stream.write(line + "\n")

    return add
