"""Starts Odoo in a process that notes what it reads below some folders; see dist_check.py, which judges it.

A copy of this file is run, beside dist_witness.json: {"script": Odoo's, "folders": [...], "report": path}.
"""

import atexit
import json
import os
import runpy
import sys

READING = ("open", "os.listdir", "os.scandir")


def main():
    """Run Odoo's script as if it had been called itself."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "dist_witness.json")) as stream:
        facts = json.load(stream)
    seen = watch(facts["folders"])
    atexit.register(write, facts["report"], seen)
    sys.path[0] = os.path.dirname(facts["script"])
    runpy.run_path(facts["script"], run_name="__main__")


def watch(folders):
    """Return the set into which the paths go that this process reads below the folders, from now on."""
    seen, places = set(), tuple(os.path.join(folder, "") for folder in folders)

    def hook(event, arguments):
        if event in READING:
            note(arguments[0])
        elif event == "subprocess.Popen":
            executable, words, cwd, _environment = arguments
            for word in (executable, cwd, *([words] if isinstance(words, str) else words)):
                note(word)

    def note(path):
        if isinstance(path, (str, bytes, os.PathLike)):
            found = os.path.realpath(os.fsdecode(path))
            if os.path.join(found, "").startswith(places):
                seen.add(found)

    sys.addaudithook(hook)
    return seen


def write(report, seen):
    """Write what was read, and where modules come from."""
    modules = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    packages = getattr(sys.modules.get("odoo.addons"), "__path__", ())
    facts = {
        "seen": sorted(seen),
        "sys_path": [os.path.realpath(path) for path in sys.path],
        "addons_path": [os.path.realpath(path) for path in packages],
        "addons": {name: path for name, path in modules.items() if name.startswith("odoo.addons.")},
    }
    with open(report, "w") as stream:
        json.dump(facts, stream)


if __name__ == "__main__":
    main()
