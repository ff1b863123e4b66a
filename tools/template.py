"""Prepared databases: Odoo's modules installed once, the suite's addons on top, web bundles made in both.

Two levels, both kept in the database cluster and copied in a second (`createdb --template`, hard-linked
filestore):

* core: keyed by the Odoo it was made with and the modules; the addons' own tests install the addons into a
  copy;
* suite: core plus the addons of this clone, keyed by their files; tours, the browser ring, faults,
  benchmarks, the demo and the export of translations start from a copy.

Both exist a second time with Odoo's modules that a shop often has beside ours (`neighbours`), made only when
a test asks for them: `RunningSuite(context, neighbours=True)`.
"""

from pathlib import Path

from . import cache, database, odoo
from .report import say, step

# All that the suite's addons build on (architecture 1): online payment of invoices, and the point of sale.
# `base_install_request` is installed by itself wherever Odoo may do so; it lets people who are no
# administrators read the list of modules, without which the point of sale's dashboard does not open.
MODULES = ("account_payment", "point_of_sale", "base_install_request")
# What a shop often has beside the suite and what the suite has to live with; bridges between these are
# named too, as 19.0 is told to install nothing by itself. A series without one of them does without.
NEIGHBOURS = (
    *("sale", "sale_stock", "pos_sale", "pos_loyalty", "pos_discount"),
    *("pos_restaurant", "pos_hr", "pos_hr_restaurant"),
    *("pos_online_payment", "pos_self_order", "pos_online_payment_self_order", "pos_self_order_sale"),
)
LANGUAGES = "fr_FR"
RECIPE = 1  # raise it when the same modules are prepared in another way
SCRIPTS = Path(__file__).with_name("scripts")
KEEP = 2  # templates of one level and series that are kept


def core(context, neighbours=False):
    """Return the name of the core template database, made when missing.

    neighbours: True for the one that holds NEIGHBOURS too.
    """
    modules = MODULES + (_neighbours(context) if neighbours else ())
    key = cache.key_of(context.source.key, modules, LANGUAGES, RECIPE)
    level = "core_neighbours" if neighbours else "core"
    return _template(context, level, key, lambda name, context: _make_core(name, context, modules))


def suite(context, neighbours=False):
    """Return the name of the template database with the suite's addons installed, made when missing.

    neighbours: True for the one in which NEIGHBOURS were installed before them.
    """
    base = core(context, neighbours)
    key = cache.key_of(base, context.addons_key())
    level = "suite_neighbours" if neighbours else "suite"
    return _template(context, level, key, lambda name, context: _make_suite(name, context, base))


def _neighbours(context):
    """Return those of NEIGHBOURS that Odoo's source of the series has."""
    return tuple(name for name in NEIGHBOURS if odoo.core_addon(context, name))


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


def _make_core(name, context, modules):
    cache.need_space(context.data_dir, 2, "the template database")
    context.database.sql(f'CREATE DATABASE "{name}" TEMPLATE template0')
    with step(f"preparing a database of Odoo {context.series} ({', '.join(modules)})") as running:
        odoo.install(context, name, modules, "template", step=running)
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
