"""What every command works with: this clone, the options, and (when asked for) Odoo, Python, PostgreSQL."""

import copy
import functools
import hashlib
import json
import os
import shutil
from pathlib import Path

from . import cache, database, environment, odoo_source, processes

ROOT = Path(__file__).resolve().parent.parent
VARIABLE = "SERVIPAY_DEV_CONTEXT"
NOT_IN_THE_SERVER = ("tests", "readme", "__pycache__")  # changes there need no new installation of the addon


class Context:
    """One run of the command.

    series: "19.0"; odoo, db_url, interpreter: what was given on the command line, or None.
    """

    def __init__(self, series="19.0", odoo=None, db_url=None, interpreter=None, root=ROOT):
        self.root = Path(root).resolve()
        self.series, self.odoo, self.db_url, self.interpreter = series, odoo, db_url, interpreter
        self._database = None

    @functools.cached_property
    def name(self):
        """A short name of this clone, part of its databases' names."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:6]

    @functools.cached_property
    def state(self):
        """The directory of this clone's pid files, logs and configuration files."""
        path = cache.make_directory(cache.root() / "state" / f"{self.root.name}-{self.name}", 0o700)
        cache.make_directory(path / "logs")
        return path

    @property
    def logs(self):
        """The directory of the log files."""
        return self.state / "logs"

    @functools.cached_property
    def source(self):
        """The Odoo of the series (fetched when missing)."""
        return odoo_source.find(self.series, self.odoo, self.state)

    @functools.cached_property
    def python(self):
        """The Python that runs Odoo and the tests (its environment built when missing)."""
        return environment.for_odoo(self.series, self.state, self.interpreter)

    @property
    def database(self):
        """The PostgreSQL server, started."""
        if not self._database:
            server = (
                database.External(self.db_url) if self.db_url else database.Embedded(self.python, self.state)
            )
            server.start()
            self._database = server
            self._drop_orphans()
        return self._database

    def at(self, folder):
        """Return this run with the addons of another folder; state, database and Odoo are shared."""
        self.state, self.database, self.source, self.python  # noqa: B018  (made once, for both)
        other = copy.copy(self)
        other.root = Path(folder).resolve()
        return other

    def use(self, server):
        """Take a database server that is started already."""
        self._database = server

    @property
    def data_dir(self):
        """Odoo's data directory (filestore) that goes with the PostgreSQL server."""
        return cache.make_directory(self.database.home / "odoo-data", 0o700)

    def addons(self):
        """Return the names of the suite's addons: the folders at the root that hold a manifest."""
        return sorted(path.parent.name for path in self.root.glob("*/__manifest__.py"))

    def addons_key(self):
        """Return a key of everything in the addons that an installed database depends on."""
        files = []
        for addon in self.addons():
            for path in sorted((self.root / addon).rglob("*")):
                inside = path.relative_to(self.root / addon).parts
                if path.is_file() and inside[0] not in NOT_IN_THE_SERVER and "__pycache__" not in inside:
                    files.append((str(path.relative_to(self.root)), cache.files_key([path])))
        return cache.key_of(files)

    def tool_python(self, name, requirements):
        """Return the Python of a separate environment for a tool (such as the linters).

        name: of the environment; requirements: pip requirement files with pins. Built when missing.
        """
        facts, _reason = environment.choose_python("19.0", self.interpreter)
        return environment.build(name, [Path(path) for path in requirements], facts, self.state)

    def export_pot(self, addon, path):
        """Write the translation template of an addon to path (see template.export_pot)."""
        from . import template

        template.export_pot(self, addon, path)

    def exported(self):
        """Return environment variables from which from_environment() makes the same context in a child."""
        facts = {
            "series": self.series,
            "odoo": self.source.path,
            "db_url": self.db_url,
            "root": str(self.root),
            "interpreter": self.interpreter,
            "python": str(self.python),
        }
        return {VARIABLE: json.dumps(facts)}

    @classmethod
    def from_environment(cls):
        """Return the context of the `dev` command that started this process (a pytest run)."""
        facts = json.loads(os.environ.get(VARIABLE, "{}"))
        python = facts.pop("python", None)
        context = cls(**facts)
        if python:
            context.python = Path(python)  # chosen by that command already
        return context

    def close(self):
        """Let go of the database server (the last user stops it) and say so when it was stopped."""
        if self._database:
            self._database.release()
            self._database = None

    def _drop_orphans(self):
        """Drop what killed runs left: databases noted with a process that does not live any more."""
        for name, facts in self._database.notes().items():
            owner = facts.get("owner")
            if owner and processes.start_time(owner[0]) != owner[1]:
                self.drop(name)

    def drop(self, name):
        """Drop a database with its filestore."""
        self.database.drop(name)
        shutil.rmtree(self.data_dir / "filestore" / name, ignore_errors=True)

    def clone(self, template, purpose, owned=True):
        """Return the name of a new database that is a copy of a template, filestore included (about 1 s).

        owned: it belongs to this process and is dropped by a later run if this one cannot do it.
        """
        name = f"{database.PREFIX}{self.name}_{purpose}" + (f"_{os.getpid()}" if owned else "")
        self.database.clone(template, name)
        self.copy_filestore(template, name)
        if owned:
            self.database.note(name, {"owner": [os.getpid(), processes.start_time(os.getpid())]})
        return name

    def copy_filestore(self, source, target):
        """Copy a database's filestore; its files never change, so hard links will do."""
        store = self.data_dir / "filestore"
        shutil.rmtree(store / target, ignore_errors=True)
        if (store / source).is_dir():
            shutil.copytree(store / source, store / target, copy_function=_link)


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
