"""Addons of this suite whose name Odoo uses too: which copy does Odoo load?

No addon is named here: all that stand beside the base and build on it are compared with what Odoo finds.
"""

import ast
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from odoo.modules.module import get_module_path

HERE = Path(__file__).parents[1]
MANIFEST = "__manifest__.py"


@dataclass(frozen=True)
class Shadowed:
    """An addon of ours (its folder) in whose place Odoo loads the one in another folder."""

    name: str
    folder: str
    loaded: str


def shadowed(base=HERE):
    """Return the list of ``Shadowed`` addons among those that build on the base, by name.

    A stranger is told by what it builds on: the same folder may have two paths, and a copy is still ours.

    :param base: the folder of the base, as Odoo found it
    """
    built = _built_on(base)
    found = [(name, found_at(name)) for name in sorted(built - {base.name})]
    return [
        Shadowed(name, str(base.parent / name), loaded)
        for name, loaded in found
        if loaded and not built & set(_depends(Path(loaded)))
    ]


def found_at(name):
    """Return the folder that Odoo has loaded an addon from, else would load it from; None for none."""
    module = sys.modules.get(f"odoo.addons.{name}")
    if module and module.__file__:
        return os.path.dirname(module.__file__)
    return get_module_path(name, display_warning=False) or None


def _built_on(base):
    """Return the names (set) of the base and of what stands beside it and depends on it, however far."""
    beside = {path.parent.name: set(_depends(path.parent)) for path in base.parent.glob(f"*/{MANIFEST}")}
    built, more = set(), {base.name}
    while more:
        built |= more
        more = {name for name, depends in beside.items() if depends & built} - built
    return built


def _depends(folder):
    """Return the names that a folder's manifest depends on; none where there is no manifest to be read."""
    try:
        return ast.literal_eval((folder / MANIFEST).read_text()).get("depends", [])
    except (OSError, ValueError, SyntaxError, AttributeError):
        return []
