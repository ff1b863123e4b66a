"""The addons that ours are measured beside: where they come from, and a database with them."""

import contextlib
import subprocess
import zipfile

from tools import cache, odoo, template
from tools.report import step

CAISSE_AP, PACKAGE = "l10n_fr_pos_caisse_ap_ip", "odoo-addon-l10n-fr-pos-caisse-ap-ip"


def addons_path(context):
    """Return an addons path that holds OCA's module and Odoo's own, none of ours."""
    key = cache.key_of(PACKAGE, context.series)
    unpacked = cache.entry("peers", context.series, key, lambda path: _unpack(context, path))
    return ",".join([str(unpacked / "odoo" / "addons"), *map(str, context.source.addons_paths)])


def _unpack(context, path):
    """Take the newest release of the series from the package index; nothing of it is kept in the project."""
    wanted = f"{PACKAGE}=={context.series.partition('.')[0]}.*"
    pip = [context.python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", path, wanted]
    subprocess.run(pip, check=True)
    wheel = next(path.glob("*.whl"))
    zipfile.ZipFile(wheel).extractall(path)
    return {"version": wheel.name.split("-")[1]}


@contextlib.contextmanager
def database(context, purpose, modules, path):
    """Yield the name of a database with peers' modules (list), found on an addons path."""
    name = context.clone(template.core(context), purpose)
    try:
        with step(f"installing {', '.join(modules)}") as running:
            odoo.install(context, name, modules, f"{purpose}-install", running, addons_path=path)
        yield name
    finally:
        context.drop(name)
