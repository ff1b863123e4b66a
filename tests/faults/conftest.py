"""The faults ring: real prefork servers behind their proxy, real terminals, and somebody who breaks things.

Started by `./dev test --ring faults`. SERVIPAY_FAULT_SEED repeats a run; SERVIPAY_FAULT_RUNS says how many
runs of cells the matrix makes (each cell once without it), SERVIPAY_FAULT_KILLS how many kills the kill test
makes; with two nodes each cell is played once for a hundred of them.
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
KILLS = int(os.environ.get("SERVIPAY_FAULT_KILLS", "100"))


def context_of_run():
    """Return the context of the `dev` command that started the tests; to be closed."""
    return Context.from_environment()


@pytest.fixture(scope="session")
def seed():
    """The seed of all chance in this run."""
    return int(os.environ.get("SERVIPAY_FAULT_SEED") or random.SystemRandom().randrange(10**6))


@pytest.fixture(scope="session")
def runs():
    """How many runs of cells the matrix makes; 0: each of them once."""
    return int(os.environ.get("SERVIPAY_FAULT_RUNS") or 0)


@pytest.fixture(scope="module")
def suite():
    """The suite, prefork with two workers and an evented process, no scheduled jobs of its own accord."""
    context = context_of_run()
    arguments = shopfloor.terminals(TERMINALS)
    with RunningSuite(context, "faults", workers=2, simulator_arguments=arguments) as running:
        yield running
    context.close()


@pytest.fixture(scope="module")
def floor(suite):
    """Tills with a terminal each."""
    return shopfloor.ShopFloor(suite, TERMINALS)


def _writer(name):
    path = context_of_run().state / name

    def add(line):
        with open(path, "a") as stream:
            stream.write(line + "\n")

    return add


@pytest.fixture(scope="session")
def report():
    """A function that adds a line to what `./dev test` prints of this ring."""
    return _writer("faults-report.txt")


@pytest.fixture(scope="session")
def keep():
    """A function that adds a line to a log beside it: what was played when, and what went wrong at once."""
    (context_of_run().state / "logs/faults-matrix.log").unlink(missing_ok=True)
    return _writer("logs/faults-matrix.log")
