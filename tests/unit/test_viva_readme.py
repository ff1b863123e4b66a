"""The table of defects in the addon's README names tests that exist, at least one for each of them."""

import ast
import re
from pathlib import Path

ADDON = Path(__file__).parents[2] / "pos_viva_wallet"
DEFECTS = 27  # protocols/viva.md, 3.5


def rows():
    """{number of a defect: names of its tests}"""
    text = (ADDON / "readme" / "USAGE.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (\d+) \|[^|]*\|(.*)\|$", text, re.MULTILINE)
    return {int(number): re.findall(r"`(\w+\.\w+)`", cell) for number, cell in found}


def known():
    """All tests of the addon, as "Class.test"."""
    names = set()
    for path in (ADDON / "tests").glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                names |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return names


def test_each_defect_has_a_test():
    table = rows()
    assert list(table) == list(range(1, DEFECTS + 1))
    assert all(table.values())
    assert not {name for names in table.values() for name in names} - known()


def test_each_file_is_loaded():
    loaded = (ADDON / "tests" / "__init__.py").read_text(encoding="utf-8")
    for path in (ADDON / "tests").glob("test_*.py"):
        assert f"from . import {path.stem}\n" in loaded
