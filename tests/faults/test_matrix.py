"""Every provider, operation and fault: nothing is lost, charged twice, or called paid without a charge.

A real prefork server with two workers and an evented process behind its proxy, the providers' simulators, and
wires between them that break. The three sums are made of the providers' books against Odoo's operations.
Cells of one fault are played at once; `-k "caisse_ap and garbage"` plays some of them.
"""

import itertools
import random

import pytest
from conftest import context_of_run
from matrix import NO_CELL, NO_PLACE, PLACES, Matrix, Result, cells, identify
from matrix_shop import Shop, simulator_arguments
from report import lines

from tools.running import RunningSuite

CELLS = cells()


def chosen(request):
    """Return the cells of this run's tests."""
    wanted = {item.callspec.params["cell"] for item in request.session.items if "cell" in _params(item)}
    return [cell for cell in CELLS if cell in wanted]


def _params(item):
    return item.callspec.params if hasattr(item, "callspec") else {}


def planned(wanted, runs, seed):
    """Return a list of rounds, each a set of cells: all once, again and again; the last round by chance."""
    rounds = [set(wanted)] * (runs // len(wanted)) if runs else [set(wanted)]
    rest = runs % len(wanted) if runs else 0
    more = random.Random(f"{seed} plan").sample(wanted, rest)
    return [*rounds, *([set(more)] if more else [])]


@pytest.fixture(scope="module")
def matrix(request, seed, runs, report, keep):
    """The matrix on a running suite; its table is told when it ends."""
    wanted = chosen(request)
    plan = planned(wanted, runs, seed)
    context = context_of_run()
    with RunningSuite(context, "matrix", workers=2, simulator_arguments=simulator_arguments()) as suite:
        shop = Shop(suite)
        try:
            found = Matrix(shop.open(), seed, plan, keep)
            yield found
        finally:
            shop.close()
        report(f"The matrix: seed {seed}, {sum(map(len, plan))} runs of {len(wanted)} cells")
        for line in lines(found.results):
            report(line)
    context.close()


@pytest.mark.parametrize("cell", CELLS, ids=map(identify, CELLS))
def test_cell(matrix, cell):
    """One fault, one provider, one operation: it ends settled or on the manager's list, as the books say."""
    results = matrix.result(cell)
    wrong = [result.words() for result in results if result.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("state", "moved", "wrong"),
    [
        *(
            ("approved", 1, ""),
            ("unknown", 0, ""),
            ("unknown", 1, ""),
            ("failed", 0, ""),
            ("not begun", 0, ""),
        ),
        *(("failed", 1, "lost"), ("cancelled", 1, "lost"), ("declined", 1, "lost"), ("not begun", 1, "lost")),
        *(("sent", 0, "lost"), ("pending", 0, "lost"), ("cancelling", 1, "lost"), ("draft", 0, "lost")),
        *(("approved", 2, "twice"), ("unknown", 2, "twice"), ("approved", 0, "invented")),
    ],
)
def test_what_is_wrong(state, moved, wrong):
    """The three sums are made of these."""
    result = Result(CELLS[0], state, moved, {})
    assert [name for name in ("lost", "twice", "invented") if getattr(result, name)] == [wrong] * bool(wrong)
    assert result.wrong == bool(wrong)


def test_every_provider_has_every_operation_or_a_reason():
    """A cell that is missing is missing for a reason."""
    providers = {provider for provider, _operation in PLACES}
    operations = {operation for _provider, operation in PLACES}
    missing = set(itertools.product(providers, operations)) - set(PLACES)
    assert missing == set(NO_PLACE)
    assert all(reason.strip() for reason in (*NO_PLACE.values(), *NO_CELL.values()))
