"""The command line of `./dev`."""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import cache, database, demo, dist, dist_check, odoo_source, processes, rings, template
from .context import Context
from .report import Problem, duration, say

DESCRIPTION = (
    "Runs, tests and checks the suite. Everything it needs is fetched on first use and kept in the cache."
)


COMMON = ("--series", "--odoo", "--db-url", "--python")
PASSING = ("shell", "psql", "bench", "lint")  # commands that pass arguments on as they are


def build_parser():
    """Return the parser; options.run is a function of (context, options) that returns the exit code."""
    parser = argparse.ArgumentParser(prog="./dev", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    common = _common_options()
    _add_running(commands, common)
    _add_testing(commands, common)
    _add_tidying(commands, common)
    return parser


def _common_options():
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--series", default="19.0", choices=odoo_source.SERIES, help="of Odoo (default 19.0)")
    common.add_argument(
        "--odoo", metavar="PATH", help="an Odoo checkout or unpacked package (else ODOO_SOURCE)"
    )
    common.add_argument(
        "--db-url", metavar="URL", help="your own PostgreSQL on this machine: postgresql://me@localhost/"
    )
    common.add_argument("--python", metavar="PROGRAM", help="the Python that Odoo's environment is made with")
    return common


def _add(commands, common, name, run, text, passed_to=None):
    """Add a command. passed_to: who gets what follows the common options."""
    usage = f"./dev {name} [common options] [arguments for {passed_to}]" if passed_to else None
    command = commands.add_parser(name, parents=[common], help=text, description=text, usage=usage)
    command.set_defaults(run=run)
    return command


def parse(arguments):
    """Return the options of a command line; options.arguments holds what a command passes on."""
    parser = build_parser()
    passed = []
    if arguments and arguments[0] in PASSING:
        end = 1
        while end < len(arguments) and arguments[end].partition("=")[0] in (*COMMON, "-h", "--help"):
            end += 1 if "=" in arguments[end] or arguments[end] in ("-h", "--help") else 2
        arguments, passed = arguments[:end], arguments[end:]
    options = parser.parse_args(arguments)
    options.arguments = passed
    return options


def _add_running(commands, common):
    command = _add(
        commands, common, "demo", run_demo, "run Odoo with the suite, its simulators and demo data"
    )
    command.add_argument(
        "--port", type=int, default=demo.PORT, help=f"of the web server (default {demo.PORT})"
    )
    command.add_argument("--detach", action="store_true", help="leave it running until ./dev stop")
    command.add_argument("--fresh", action="store_true", help="throw the demo database away and make it anew")
    _add(commands, common, "stop", run_stop, "end everything that was started here")
    _add(
        commands, common, "shell", run_shell, "open Odoo's Python shell on the demo database", "`odoo shell`"
    )
    _add(commands, common, "psql", run_psql, "open PostgreSQL's client on the demo database", "psql")
    command = _add(
        commands, common, "logs", run_logs, "show the log of the demo, or of another program by name"
    )
    command.add_argument(
        "name", nargs="?", default=demo.NAME, help="demo, addons, tours, template, suite, ..."
    )
    command.add_argument("-f", "--follow", action="store_true", help="go on as it grows")


def _add_testing(commands, common):
    command = _add(commands, common, "test", run_test, "run the tests")
    command.add_argument("addons", nargs="*", help="only these addons (their rings: unit, addons, tours)")
    command.add_argument(
        "--ring",
        action="append",
        choices=rings.ALL,
        help="may be repeated (default: all but security and faults)",
    )
    command.add_argument(
        "-k",
        dest="expression",
        metavar="EXPR",
        help="Class, test_method or Class.test_method; for pytest's rings any of its expressions",
    )
    _add(
        commands,
        common,
        "bench",
        run_bench,
        "run tests/bench/NAME.py and print its figures",
        "NAME: the benchmark",
    )
    _add(
        commands,
        common,
        "lint",
        run_lint,
        "check style, manifests, translations, the suite's rules",
        "the linters",
    )
    command = _add(commands, common, "dist", run_dist, "write one archive per addon into dist/<series>")
    command.add_argument("--test", action="store_true", help="then test what is unpacked from them")
    command.add_argument("-k", dest="expression", metavar="EXPR", help="with --test: as of ./dev test")
    command = _add(commands, common, "pot", run_pot, "write the translation templates i18n/<addon>.pot")
    command.add_argument("addons", nargs="*", help="only these addons")
    command = _add(
        commands, common, "readme", run_readme, "write README.md and description page from readme/*.md"
    )
    command.add_argument("--check", action="store_true", help="write nothing, say what is out of date")
    command = _add(commands, common, "changelog", run_changelog, "write CHANGELOG.md from changes/")
    command.add_argument("--check", action="store_true", help="write nothing, say what is out of date")
    command.add_argument("--release", metavar="NAME", help="make a release of what is unreleased")


def _add_tidying(commands, common):
    command = _add(commands, common, "clean", run_clean, "throw away this clone's databases and logs")
    command.add_argument(
        "--all", action="store_true", help="the whole cache too: Odoo, environments, PostgreSQL"
    )


def run_demo(context, options):
    """Run the demo in the foreground, or leave it running."""
    return demo.run(context, options.port, options.detach, options.fresh)


def run_test(context, options):
    """Run rings of tests; the last line counts them."""
    chosen = options.ring or (rings.FOR_ADDONS if options.addons else rings.DEFAULT)
    started = time.monotonic()
    total = rings.run(
        context, [name for name in rings.ALL if name in chosen], options.addons, options.expression
    )
    context.close()
    return _told(total, started)


def _told(total, started):
    """Say what tests came to and return the exit code."""
    nothing = not (total.passed or total.failed)
    if nothing:
        say("NO TEST RAN: nothing matched.")
    say(f"Time: {duration(time.monotonic() - started)}")
    say(rings.summary(total))
    return 1 if total.failed or nothing else 0


def run_dist(context, options):
    """Write the archives of a series; with --test run their tests as well."""
    started = time.monotonic()
    archives = dist.run(context)
    if not options.test:
        return 0
    total = dist_check.run(context, archives, options.expression)
    context.close()
    return _told(total, started)


def run_bench(context, options):
    """Run a benchmark with the series' Python on a durable cluster."""
    return rings.bench(context, (options.arguments or [""])[0], options.arguments[1:])


def run_lint(context, options):
    """Run the linters (tools/lint.py)."""
    from . import lint

    return lint.main(options.arguments, context)


def run_pot(context, options):
    """Write the translation templates."""
    for addon in options.addons or context.addons():
        path = context.root / addon / "i18n" / f"{addon}.pot"
        cache.make_directory(path.parent)
        template.export_pot(context, addon, path)
        say(f"  {path.relative_to(context.root)}")
    return 0


def run_readme(context, options):
    """Write, or with --check compare, what is made from the addons' readme/ fragments (tools/readme.py)."""
    from . import lint_environment

    python = lint_environment.python_tools(context) / "python"
    script = Path(__file__).with_name("readme.py")
    return subprocess.call([python, script, context.root, *(["--check"] if options.check else [])])


def run_changelog(context, options):
    """Write, or with --check compare, CHANGELOG.md (tools/changelog.py)."""
    from . import changelog

    more = ["--check"] if options.check else []
    more += ["--release", options.release] if options.release else []
    return changelog.main([str(context.root), *more])


def run_stop(context, options):
    """End what was started for this clone, then the database cluster unless another clone uses it."""
    running = processes.stop_all(context.state)
    server = database.existing(context.state)
    stopped = server.release_unused() if server else None
    say(f"{running} program{'s' if running != 1 else ''} ended.")
    if stopped is False:
        say("The database cluster stays up: another run of yours uses it.")
    elif stopped:
        say("The database cluster is stopped.")
    return 0


def run_shell(context, options):
    """Replace this process by Odoo's shell on the demo database."""
    return demo.shell(context, options.arguments)


def run_psql(context, options):
    """Run psql on the demo database."""
    name = demo.existing(context)
    command = [str(context.database.psql), *context.database.arguments(name), *options.arguments]
    return subprocess.call(command, env=processes.clean_environment(context.database.secret))


def run_logs(context, options):
    """Show a log file."""
    path = context.logs / f"{options.name}.log"
    if not path.exists():
        names = ", ".join(sorted(found.stem for found in context.logs.glob("*.log"))) or "none"
        raise Problem(f"There is no log {options.name} yet; there are: {names}.")
    return subprocess.call(
        ["tail", "-n", "200" if options.follow else "+1", *(["-f"] if options.follow else []), path]
    )


def run_clean(context, options):
    """Throw away what this clone made; with --all everything in the cache."""
    run_stop(context, options)
    server = database.existing(context.state)
    if options.all:
        if server and server.running:
            raise Problem("Another run of yours uses the database cluster: stop it first.")
        if server:
            shutil.rmtree(server.home, ignore_errors=True)
            shutil.rmtree(server.socket, ignore_errors=True)
        shutil.rmtree(cache.root(), ignore_errors=True)
        say("The cache is empty.")
        return 0
    if server:
        server.start()
        context.use(server)
        for name in server.notes():
            if name.startswith(f"{database.PREFIX}{context.name}_"):
                context.drop(name)
        context.close()
    shutil.rmtree(context.state, ignore_errors=True)
    say("This clone's databases and logs are gone; Odoo, environments, templates stay in the cache (--all).")
    return 0


def _interrupted(number, frame):
    raise KeyboardInterrupt


def main(arguments):
    """Run the command line and return the exit code. Only bugs show a traceback."""
    options = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    context = None
    try:
        context = Context(options.series, options.odoo, options.db_url, options.python)
        return options.run(context, options)
    except Problem as problem:
        sys.stdout.flush()
        print(f"dev: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; everything that was started is ended.")
        return 130
    except OSError as error:
        if error.errno == 28:
            print("dev: There is no space left on the disk.", file=sys.stderr)
            return 1
        raise
    finally:
        if context:
            context.close()
