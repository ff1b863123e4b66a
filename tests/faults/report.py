"""The matrix as a table: a line for each fault, a column for each provider, a letter for each operation."""

from collections import Counter

from matrix import NO_CELL, PLACES, TROUBLES

OPERATIONS = ("sale", "refund", "cancel", "inquiry", "notification")
LETTERS = {
    "approved": "A",
    "declined": "D",
    "cancelled": "C",
    "failed": "F",
    "reversed": "R",
    "unknown": "U",
    "not begun": "N",
}
LEGEND = (
    "A approved, D declined, C cancelled, F failed, R reversed, N not begun,"
    " U unknown, which is on the manager's list"
)


def lines(results):
    """Yield the lines of the table of {(fault, provider, operation): [Result]}."""
    providers = list(dict.fromkeys(provider for provider, _operation in PLACES))
    yield f"  {LEGEND};"
    yield f"  in each column: {', '.join(OPERATIONS)}; - there is no such cell, . it was not played, ! wrong"
    yield "  " + f"{'fault':<22}" + "".join(f"{provider:<18}" for provider in providers) + "runs"
    for fault in TROUBLES:
        cells = [_cells(results, fault, provider) for provider in providers]
        runs = sum(len(found) for cell, found in results.items() if cell[0] == fault)
        if runs:
            yield "  " + f"{fault:<22}" + "".join(f"{cell:<18}" for cell in cells) + f"{runs:>4}"
    every = [result for found in results.values() for result in found]
    yield from sums(every)


def _cells(results, fault, provider):
    return " ".join(_cell(results, fault, provider, name) for name in OPERATIONS)


def _cell(results, fault, provider, operation):
    if (provider, operation) not in PLACES or (provider, operation, fault) in NO_CELL:
        return "-"
    found = results.get((fault, provider, operation))
    if not found:
        return "."
    letters = Counter(LETTERS.get(result.state, "?") for result in found)
    wrong = "!" if any(result.wrong for result in found) else ""
    return "".join(letter for letter, _count in letters.most_common()) + wrong


def sums(every):
    """Yield the sums: how operations ended, and the three that must be nothing."""
    states = Counter(result.state for result in every)
    flagged = sum(bool(result.row.get("contradicted")) for result in every)
    ended = ", ".join(f"{count} {state}" for state, count in states.most_common())
    yield f"  ended: {ended}; {flagged} of the unknown ones because the provider contradicted itself"
    yield (
        f"  lost {sum(result.lost for result in every)},"
        f" charged twice {sum(result.twice for result in every)},"
        f" approved without a charge {sum(result.invented for result in every)}"
        f" of {len(every)} runs"
    )
    broken = sum(bool(result.broken) for result in every)
    if broken:
        yield f"  {broken} runs could not be played"
    missed = sum(result.missed for result in every)
    longest = max((result.unheard for result in every), default=0)
    yield f"  {missed} runs did not meet their fault; a till got no answer for {longest:.0f} s at most"
