"""`./dev bench install`: what it takes to install each addon, and what it adds to what a till loads.

Each run installs all of ours into a copy of the core template, and the peers into another one: OCA's
l10n_fr_pos_caisse_ap_ip, core's pos_viva_com and payment_worldline. Seconds and queries are Odoo's own count
for the module, French included. Bytes are those of scripts and templates in the till's bundle, minified as
Odoo serves them. Nothing has a bar: the base holds what every addon needs, and installs once.
"""

import argparse
import contextlib
import dataclasses
import json
import re
import statistics
import sys
from pathlib import Path

import _peers
from _tills import Figures

from tools import odoo
from tools.context import Context

CORE = ("pos_viva_com", "payment_worldline")
LOADED = re.compile(r"Module (\w+) loaded in ([\d.]+)s, (\d+) queries")
SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "scripts" / "bundle_bytes.py"
SAID = "bundle bytes: "


def main():
    """Run the benchmark and return the exit code, which is 0: nothing has a bar."""
    parser = argparse.ArgumentParser(prog="./dev bench install", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="of each installation (default 3)")
    options = parser.parse_args()
    context = Context.from_environment()
    with contextlib.closing(context):
        ours, peers = Installed(context.addons()), Installed(peers_of(context))
        for _ in range(options.runs):  # in turn, so that both see the same machine
            ours.measure(context, odoo.addons_path(context))
            peers.measure(context, _peers.addons_path(context))
    figures = Table()
    figures.head(f"Odoo {context.series}, {options.runs} installations; seconds: median, and each")
    for installed in (ours, peers):
        installed.tell(figures)
    return 0


def peers_of(context):
    """Return the modules that ours are measured beside in this series."""
    return [_peers.CAISSE_AP, *(name for name in CORE if odoo.core_addon(context, name))]


@dataclasses.dataclass
class Installed:
    """What the installation of modules came to, {module: ...}; bytes of a till: of the last run."""

    modules: list
    seconds: dict = dataclasses.field(default_factory=dict)
    queries: dict = dataclasses.field(default_factory=dict)
    sizes: dict = dataclasses.field(default_factory=dict)

    def measure(self, context, path):
        """Install the modules, found on an addons path, into a copy of the core template."""
        with _peers.database(context, "benchinstall", self.modules, path) as name:
            log = (context.logs / "benchinstall-install.log").read_text()
            for module, seconds, queries in LOADED.findall(log):
                self.seconds.setdefault(module, []).append(float(seconds))
                self.queries[module] = int(queries)
            text = odoo.shell(context, name, SCRIPT, "benchinstall-bytes", {"addons_path": path})
            line = next(line for line in text.splitlines() if line.startswith(SAID))
            self.sizes = json.loads(line.removeprefix(SAID))

    def tell(self, figures):
        """Print a line for each module."""
        for module in self.modules:
            seconds = self.seconds[module]
            each = ", ".join(f"{taken:.2f}" for taken in seconds)
            size = self.sizes.get(module, "-")
            figures.row(module, [f"{statistics.median(seconds):.2f}", self.queries[module], size, each])


class Table(Figures):
    """The table of this benchmark."""

    LINE = "{:<28} {:>8} {:>9} {:>12}  {} {}"
    COLUMNS = ("addon", "seconds", "queries", "till, bytes", "each run", "")


if __name__ == "__main__":
    sys.exit(main())
