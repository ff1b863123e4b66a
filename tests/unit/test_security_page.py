"""docs/security.md names code and tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
ROW = re.compile(r"^\| (?!Promise|---)(.+?) \| (.+?) \| (.+?) \|$", re.M)
NAMED = re.compile(r"`([\w./-]+/[\w./-]+?)(?:::(\w+))?`")


def functions(path):
    """Return the names of the functions and methods of a file."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_everything_named_exists():
    """Files, and tests in them."""
    named = NAMED.findall(PAGE.read_text())
    assert len(named) > 60
    for name, function in named:
        path = (PAGE.parent / name if name.startswith("..") else ROOT / name).resolve()
        assert path.exists(), name
        assert not function or function in functions(path), (name, function)


def test_every_promise_has_a_test():
    """Each row names one."""
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) >= 20
    for promise, _code, tests in rows:
        assert any(function for _name, function in NAMED.findall(tests)), promise
