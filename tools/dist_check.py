"""`./dev dist --test`: the addons' tests on what was unpacked from the archives, and on nothing else.

That the tests pass proves little while the source tree is near: a path that leads back to it would make every
archive look whole. So Odoo runs under a witness (dist_witness.py) that notes each file the process reads.
"""

import dataclasses
import shutil
import zipfile
from pathlib import Path

from . import cache, dist, odoo, rings
from .report import say

WITNESS = Path(__file__).with_name("dist_witness.py")


def run(context, archives, expression=None):
    """Unpack the archives into an empty folder, run the addons ring there and return its Outcome."""
    folder = unpack(archives, context.state / "dist" / context.series / "addons")
    here = context.at(folder)
    sources = sources_of(context.root)
    report = prepare_witness(here, [str(folder), *sources])
    outcome = rings.run(here, ["addons"], (), expression)
    problems = taken(here)
    problems += judge(cache.read_json(report), str(folder), here.addons(), str(context.root), sources)
    say("\n".join(f"    {problem}" for problem in problems) or f"  nothing was read below {context.root}")
    outcome.add(rings.Outcome(failed=len(problems), problems=problems))
    return outcome


def unpack(archives, folder):
    """Unpack archives into an empty folder and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    cache.make_directory(folder)
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
    return folder.resolve()


def sources_of(root):
    """Return the files and folders at the root of the source tree, which no test of an archive may read.

    Not the root: somebody's Python or Odoo may lie in it, outside git.
    """
    tops = {path.partition("/")[0] for path in dist.committed(root)}
    return [str(Path(root) / top) for top in sorted(tops)]


def prepare_witness(here, folders):
    """Let the context start Odoo under the witness; returns the path of its report."""
    place = here.root.parent
    script = Path(here.source.script)
    if script.parent == WITNESS.parent:  # ours, for a package without one: it may not come from the tree
        script = Path(shutil.copy(script, place))
    report = place / "read.json"
    report.unlink(missing_ok=True)
    facts = {"script": str(script), "folders": folders, "report": str(report)}
    cache.write_json(place / "dist_witness.json", facts)
    here.source = dataclasses.replace(here.source, script=shutil.copy(WITNESS, place))
    return report


def taken(here):
    """Return what is wrong with the names: Odoo's own addon of a name would stand before the archive's."""
    names = [name for name in here.addons() if odoo.core_addon(here, name)]
    return [f"{name}: Odoo {here.series} HAS AN ADDON OF THAT NAME" for name in names]


def judge(report, folder, addons, root, sources):
    """Return what is wrong according to the witness.

    report: what it wrote, or None; folder: of the unpacked addons; root, sources: the tree and what is in it.
    """
    if not report:
        return ["THE WITNESS LEFT NO REPORT: nothing is known about what was read."]
    searched = [*report["sys_path"], *report["addons_path"]]
    problems = [f"THE SOURCE TREE IS SEARCHED: {path}" for path in searched if path in (root, *sources)]
    read = [path for path in report["seen"] if _below(path, sources)]
    problems += [f"READ FROM THE SOURCE TREE: {path}" for path in read]
    for addon in addons:
        own = f"{folder}/{addon}"
        if report["addons"].get(f"odoo.addons.{addon}") != f"{own}/__init__.py":
            problems.append(f"{addon}: NOT LOADED FROM ITS ARCHIVE")
        elif not any(_below(path, [f"{own}/tests"]) for path in report["seen"]):
            problems.append(f"{addon}: THE WITNESS SAW NO TEST OF IT BEING READ")
    return problems


def _below(path, folders):
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)
