"""Random sequences of what people, tills and platforms do; at every rest a machine checks what has to hold.

SERVIPAY_BOOKS_RUNS says how many, SERVIPAY_BOOKS_SEED which ("random": any); without it the same code gives
the same result.
"""

import logging
import os
import random
from collections import Counter

import hypothesis
from hypothesis import HealthCheck
from hypothesis.stateful import run_state_machine_as_test

from odoo.tools import mute_logger

_logger = logging.getLogger(__name__)


def play(case, machine, steps, runs, quiet, shown):
    """Play sequences of a hypothesis state machine, which finds the test at ``case`` and counts in ``seen``.

    :param steps: of one sequence at most
    :param runs: how many sequences, unless the surroundings say so
    :param quiet: loggers that complain about what is done on purpose
    :param shown: what has to be in ``seen`` at last: without it nothing was shown
    """
    wanted = os.environ.get("SERVIPAY_BOOKS_SEED") or "191919"
    number = random.SystemRandom().randrange(10**6) if wanted == "random" else int(wanted)
    runs = int(os.environ.get("SERVIPAY_BOOKS_RUNS") or runs)
    settings = hypothesis.settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    case.seen = Counter()
    with case.subTest(seed=number), mute_logger(*quiet):  # what fails is told when all may speak again
        seeded = hypothesis.seed(number)(type("Machine", (machine,), {"case": case}))
        run_state_machine_as_test(seeded, settings=settings)
    _logger.info("seed %s, %s sequences: %s", number, runs, dict(case.seen))
    for what in shown:
        case.assertTrue(case.seen[what], f"{what}: never, so nothing was shown")
