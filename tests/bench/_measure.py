"""What benchmarks share: Odoo in this process on a copy of the suite's template, timing, and the table."""

import contextlib
import os
import statistics
import sys
import time

from tools import odoo as odoo_commands
from tools import template
from tools.context import Context
from tools.report import say, step


@contextlib.contextmanager
def odoo_registry(purpose):
    """Yield Odoo's registry of a new copy of the suite's template, which is dropped afterwards.

    purpose: [a-z0-9]+, part of the database's name. Runs below `./dev bench`, which made the cluster durable.
    """
    context = Context.from_environment()
    try:
        if {context.database.sql(f"SHOW {name}") for name in ("fsync", "synchronous_commit")} != {"on"}:
            raise RuntimeError("The cluster does not wait for the disk: figures of commits would be lies.")
        with step("copying the suite's template"):
            name = context.clone(template.suite(context), purpose)
        try:
            registry = _start_odoo(context, name)
            yield registry
        finally:
            _end_connections()
            context.drop(name)
    finally:
        context.close()


def _start_odoo(context, database):
    """Load Odoo in this process, as a server would, without its web server and jobs."""
    ports = odoo_commands.free_port(), odoo_commands.free_port()
    path = odoo_commands.write_configuration(context, database, "bench", *ports, log_level="warn")
    os.environ["TZ"] = "UTC"
    sys.path.insert(0, context.source.python_path or context.source.path)
    with step(f"loading Odoo {context.series}"):
        import odoo.tools

        arguments = ["-c", str(path), "-d", database]
        if context.series == "17.0":
            odoo.tools.config.parse_config(arguments)
        else:
            odoo.tools.config.parse_config(arguments, setup_logging=True)
        import odoo.modules.registry

        return odoo.modules.registry.Registry(database)


def _end_connections():
    if "odoo.sql_db" in sys.modules:
        sys.modules["odoo.sql_db"].close_all()


def timed(work):
    """Call work() and return (milliseconds it took, what it returned)."""
    started = time.perf_counter()
    result = work()
    return (time.perf_counter() - started) * 1000, result


def repeated(work, runs, warm=3):
    """Call work() a few times to warm up, then runs times; returns (list of milliseconds, last result)."""
    for _ in range(warm):
        work()
    measured = [timed(work) for _ in range(runs)]
    return [took for took, _result in measured], measured[-1][1]


class Table:
    """The figures, printed as they come in. A figure without a bar is only reported."""

    LINE = "{:<62} {:>8} {:>5} {:>10} {:>9} {:>7}  {}"

    def __init__(self):
        self.missed = []

    def head(self):
        """Print the heading."""
        say()
        say(self.LINE.format("what", "found", "runs", "median ms", "worst ms", "bar", "ok"))

    def add(self, what, times, found="", bar=None, every=False):
        """Print one figure; returns True when its bar is met (or when there is none).

        times: milliseconds of each run; bar: milliseconds that the median has to stay below, or with every
        each single run.
        """
        median, worst = statistics.median(times), max(times)
        kept = bar is None or (worst if every else median) < bar
        if not kept:
            self.missed.append(what)
        limit = "" if bar is None else f"{'all' if every else ''}<{bar}"
        verdict = "" if bar is None else "ok" if kept else "MISSED"
        figures = (f"{median:.1f}", f"{worst:.1f}")
        say(self.LINE.format(what, found, len(times), *figures, limit, verdict).rstrip())
        if every and not kept:
            say(f"    {sum(took >= bar for took in times)} of {len(times)} were not below {bar} ms")
        return kept

    def close(self):
        """Print what came out and return the exit code."""
        say()
        if self.missed:
            say(f"{len(self.missed)} bar(s) missed: {'; '.join(self.missed)}")
        else:
            say("All bars met.")
        return 1 if self.missed else 0
