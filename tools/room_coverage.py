"""How much of the protocol rooms (architecture 2) the unit ring goes through."""

import json
from pathlib import Path

from .report import say

ROOMS = ("api", "caisse_ap", "ogone", "paybox", "viva")  # the names of architecture 2
BAR = 98  # per cent of the branches


def rooms(root):
    """Return the protocol rooms of a tree, as paths relative to it."""
    found = (path.parent for name in ROOMS for path in Path(root).glob(f"*/{name}/__init__.py"))
    return sorted(path.relative_to(root) for path in found)


def arguments(paths, figures):
    """Return pytest's words that measure the branches of rooms and write them to the file figures."""
    figures.unlink(missing_ok=True)
    return [*(f"--cov={path}" for path in paths), "--cov-branch", f"--cov-report=json:{figures}"]


def report(paths, figures, root):
    """Print a line for each room and return what falls below the bar, a sentence each."""
    files = json.loads(figures.read_text())["files"]
    problems = []
    for room in paths:
        summaries = [facts["summary"] for name, facts in files.items() if _inside(name, room, root)]
        branches = sum(each["num_branches"] for each in summaries)
        taken = sum(each["covered_branches"] for each in summaries)
        share = 100 * taken / branches if branches else 0
        say(f"  branches of {room}: {taken} of {branches} ({share:.1f} %)")
        if share < BAR:
            problems.append(f"{room}: {share:.1f} % of the branches are tested; the bar is {BAR} %.")
    return problems


def _inside(name, room, root):
    path = Path(root) / name  # an absolute name stays as it is
    return (Path(root) / room) in path.parents
