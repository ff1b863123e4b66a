"""Prepared databases: Odoo's modules installed once, the suite's addons on top, web bundles made in both.

Two levels, both kept in the database cluster and copied in a second (`createdb --template`, hard-linked
filestore):

* core: keyed by the Odoo it was made with and the modules; the addons' own tests install the addons into a
  copy;
* suite: core plus the addons of this clone, keyed by their files; tours, the browser ring, faults,
  benchmarks, the demo and the export of translations start from a copy.
"""

from pathlib import Path

from . import cache, database, odoo
from .report import say, step

# All that the suite's addons build on (architecture 1): online payment of invoices, and the point of sale.
MODULES = ("account_payment", "point_of_sale")
LANGUAGES = "fr_FR"
RECIPE = 1  # raise it when the same modules are prepared in another way
SCRIPTS = Path(__file__).with_name("scripts")
KEEP = 2  # templates of one level and series that are kept


def core(context):
    """Return the name of the core template database, made when missing."""
    key = cache.key_of(context.source.key, MODULES, LANGUAGES, RECIPE)
    return _template(context, "core", key, _make_core)


def suite(context):
    """Return the name of the template database with the suite's addons installed, made when missing."""
    base = core(context)
    key = cache.key_of(base, context.addons_key())
    return _template(context, "suite", key, lambda name, context: _make_suite(name, context, base))


def _template(context, level, key, make):
    """Return the template of a level and key; made under a lock, noted as ready only when it is whole."""
    series = context.series.replace(".0", "")
    family = f"{database.PREFIX}{level}{series}_"
    name = family + key
    server = context.database
    with cache.locked(server.home / f"{name}.lock"):
        ready = server.notes().get(name, {}).get("ready") and (context.data_dir / "filestore" / name).is_dir()
        if not ready:
            context.drop(name)
            make(name, context)
            server.note(name, {"ready": True})
            _drop_older(context, family, name)
    return name


def _drop_older(context, family, name):
    """Drop the templates of a family that are not among the newest (by age of their filestore)."""
    store = context.data_dir / "filestore"
    others = [other for other in context.database.notes() if other.startswith(family) and other != name]
    others.sort(
        key=lambda other: (store / other).stat().st_mtime if (store / other).exists() else 0, reverse=True
    )
    for other in others[KEEP - 1 :]:
        lock = cache.Lock(context.database.home / f"{other}.lock")
        if lock.try_exclusive():
            context.drop(other)
        lock.close()


def _make_core(name, context):
    cache.need_space(context.data_dir, 2, "the template database")
    context.database.sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
    with step(f"preparing a database of Odoo {context.series} ({', '.join(MODULES)})") as running:
        odoo.install(context, name, MODULES, "template", step=running)
    with step(f"loading the language {LANGUAGES}"):
        odoo.shell(context, name, SCRIPTS / "language.py", "language", SERVIPAY_LANGUAGES=LANGUAGES)
    _make_bundles(context, name)


def _make_suite(name, context, base):
    context.database.clone(base, name)
    context.copy_filestore(base, name)
    addons = context.addons()
    if not addons:
        say("  no addon in this tree yet: the database holds Odoo's own modules only")
        return
    with step(f"installing {', '.join(addons)}") as running:
        odoo.install(context, name, addons, "suite", step=running)
    _make_bundles(context, name)


def _make_bundles(context, name):
    with step("generating the web bundles"):
        odoo.shell(context, name, SCRIPTS / "bundles.py", "bundles")


def export_pot(context, addon, path):
    """Write the translation template of an addon to path, the same bytes for the same terms.

    The addon must be in the tree; it is installed in a copy of the suite's template. Dates and versions,
    which change without a term changing, are not part of the file.
    """
    name = context.clone(suite(context), "pot")
    try:
        odoo.shell(
            context,
            name,
            SCRIPTS / "pot.py",
            "pot",
            SERVIPAY_ADDON=addon,
            SERVIPAY_TARGET=Path(path).absolute(),
        )
    finally:
        context.drop(name)
