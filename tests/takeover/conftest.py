"""The takeover ring: databases that Odoo's own addons filled; ours come after.

Started by `./dev test --ring takeover`. Each test says which addon of Odoo it needs and is skipped with a
sentence where this Odoo does not ship it.
"""

import ast
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tools import odoo, odoo_log, template
from tools.context import Context

SCRIPTS = Path(__file__).with_name("scripts")
FACTS = "facts: "


class Database:
    """A copy of the core template. path: an addons_path instead of the usual one, ours first."""

    def __init__(self, context, purpose):
        self.context, self.purpose = context, purpose
        self.name = context.clone(template.core(context), purpose)

    def install(self, *modules, path=None):
        """Install modules and return the log."""
        name = f"{self.purpose}-install"
        return odoo.install(self.context, self.name, list(modules), name, **where(path))

    def update(self, *modules, path=None):
        """Update modules and return (exit code, log)."""
        arguments = ["-u", ",".join(modules), "--stop-after-init"]
        return odoo.run(self.context, self.name, f"{self.purpose}-update", *arguments, **where(path))

    def load(self, path=None):
        """Start Odoo on it, stop it again, and return the log."""
        name = f"{self.purpose}-load"
        return odoo.run(self.context, self.name, name, "--stop-after-init", **where(path))[1]

    def shell(self, script, path=None, **variables):
        """Feed a script to `odoo shell` and return what it printed with FACTS before it."""
        name = f"{self.purpose}-{script}"
        text = odoo.shell(
            self.context, self.name, SCRIPTS / f"{script}.py", name, configuration=where(path), **variables
        )
        lines = [line for line in text.splitlines() if line.startswith(FACTS)]
        return json.loads(lines[-1].removeprefix(FACTS)) if lines else {}

    def sql(self, query):
        """Run SQL and return rows of text."""
        return self.context.database.sql(query, self.name, rows=True)

    def drop(self):
        """Throw it away."""
        self.context.drop(self.name)


class Takeover:
    """A database as it was under Odoo's addon and as it is under ours.

    :param name: of the scripts: core_<name>_seed, <name>_facts, <name>_ours
    """

    def __init__(self, context, database, addon, name, core_path):
        self.context, self.database, self.addon = context, database, addon
        database.install(addon, path=core_path)
        self.seeded = database.shell(f"core_{name}_seed", path=core_path)
        self.before = database.shell(f"{name}_facts", path=core_path)
        self.code, self.log = database.update(addon)
        self.after = database.shell(f"{name}_facts")
        self.ours = database.shell(f"{name}_ours")

    def check_loaded(self):
        """Assert that Odoo's addon made what ours has then taken over, and that nothing is alarming."""
        theirs = odoo.core_addon(self.context, self.addon)
        assert self.seeded["file"] == str(theirs / "__init__.py") == self.before["file"]
        assert self.code == 0, self.log[-3000:]
        assert self.after["file"] == str(self.context.root / self.addon / "__init__.py")
        assert not complaints(self.log)
        query = "SELECT name, latest_version FROM ir_module_module WHERE state = 'installed'"
        installed = dict(self.database.sql(query))
        manifest = ast.literal_eval((self.context.root / self.addon / "__manifest__.py").read_text())
        assert installed[self.addon] == f"{self.context.series}.{manifest['version']}"
        assert "paypercloud_servipay" in installed

    def still_readable(self, table, columns):
        """Return what stands in those of the columns that are still there."""
        found = self.database.sql(
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
        )
        left = [name for name in columns if [name] in found]
        rows = self.database.sql(f"SELECT {', '.join(left) or 'NULL'} FROM {table}")
        return [value for row in rows for value in row if value]


def where(path):
    """Return the configuration values that name an addons path."""
    return {"addons_path": path} if path else {}


def complaints(log):
    """Return the lines of a log that warn or worse."""
    return [record.text for record in odoo_log.records(log) if record.level in odoo_log.BAD_LEVELS]


@pytest.fixture(scope="session")
def dev_context():
    """The context of the `dev` command that started the tests."""
    context = Context.from_environment()
    yield context
    context.close()


@pytest.fixture(scope="session")
def core_path(dev_context):
    """The addons path of an Odoo without this suite."""
    return ",".join(dev_context.source.addons_paths)


@pytest.fixture(scope="session")
def needs(dev_context):
    """A function (addon) that skips a test where Odoo does not ship that addon."""

    def need(addon):
        if not odoo.core_addon(dev_context, addon):
            pytest.skip(f"Odoo {dev_context.series} at {dev_context.source.path} has no addon {addon}.")

    return need


@pytest.fixture(scope="module")
def take_over(needs, dev_context, make_database, core_path):
    """A function (addon, name of its scripts): Odoo's addon at work, then ours in its place."""

    def make(addon, name):
        needs(addon)
        return Takeover(dev_context, make_database(f"take{name}"), addon, name, core_path)

    return make


@pytest.fixture(scope="module")
def make_database(dev_context):
    """A function (purpose) that makes a Database, thrown away at the end of the module."""
    made = []

    def make(purpose):
        made.append(Database(dev_context, purpose))
        return made[-1]

    yield make
    for database in made:
        database.drop()
