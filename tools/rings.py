"""The rings of tests (architecture 9): each runs what exists for it and tells what came out."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import subprocess
import xml.etree.ElementTree

from . import browser, odoo, odoo_log, processes, room_coverage, template
from .report import Problem, say, step

DEFAULT = ("unit", "addons", "takeover", "tours", "browser")
FOR_ADDONS = ("unit", "addons", "tours")
ALL = (*DEFAULT, "security", "faults")
BESIDE = "unit"  # needs neither a database nor a browser, and shares a machine with a ring that does
TOUR_TAG = "servipay_tour"
TILL_ADDON = "paypercloud_servipay_pos"
# Odoo's own unit tests of its till: since 19.0 the till's bundle, ours in it, is part of theirs
ODOO_TILL_TESTS = "WebSuite.test_unit_desktop"
ODOO_TILL_SERIES = ("19.0",)
PYTEST_NOTHING_COLLECTED = 5
MOST_LINES = 80  # of one problem on the screen


@dataclasses.dataclass
class Outcome:
    """What a ring came to. problems: sentences or reports, each of which makes the run fail."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    problems: list = dataclasses.field(default_factory=list)

    def add(self, other):
        """Add another outcome to this one."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.problems += other.problems


def run(context, rings, addons=(), expression=None):
    """Run rings by name and return their Outcome; addons: only these; expression: chooses tests (-k)."""
    unknown = set(addons) - set(context.addons())
    if unknown:
        raise Problem(
            f"There is no addon {', '.join(sorted(unknown))} in this tree; there are: "
            f"{', '.join(context.addons()) or 'none'}."
        )
    one = functools.partial(_one, context=context, addons=addons, expression=expression)
    beside = [name for name in rings if name == BESIDE and len(rings) > 1]
    total = Outcome()
    with _in_the_background(context, one, beside) as outcomes:
        for name in rings:
            if name not in beside:
                total.add(one(name))
    for outcome in outcomes:
        total.add(outcome.result())
    return total


@contextlib.contextmanager
def _in_the_background(context, one, names):
    """Run rings, or parts of one, beside the block's; yields futures of their outcomes.

    They are there when the block ends. names: also of the processes, which end when the block fails.
    """
    if names:  # made once, and not by two at the same time
        context.exported()
    with concurrent.futures.ThreadPoolExecutor(max(len(names), 1)) as executor:
        try:
            yield [executor.submit(one, name) for name in names]
        except BaseException:
            for name in names:  # nobody waits for them any more
                processes.stop_named(context.state, name)
            raise


def _one(name, context, addons, expression):
    """Run a ring, tell what came out and return it."""
    say(f"Ring {name}")
    try:
        outcome = RINGS[name](context, list(addons), expression)
    except Problem as problem:
        outcome = Outcome(failed=1, problems=[f"THE RING {name.upper()} DID NOT RUN: {problem}"])
    # in one piece: another ring may be telling something too
    say("\n".join([*map(_indented, outcome.problems), f"  {name}: {summary(outcome)}"]))
    return outcome


def summary(outcome):
    """Return the line that a CI understands."""
    return f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped"


def _indented(text):
    """Return a problem's lines, indented, the middle of a very long one left out (its log has it)."""
    lines = str(text).rstrip().splitlines()
    if len(lines) > MOST_LINES:
        kept = MOST_LINES // 2
        lines[kept:-kept] = [f"... ({len(lines) - 2 * kept} lines left out, see the log)"]
    return "\n".join("    " + line for line in lines)


# --- rings run by Odoo ---


def addons_ring(context, addons, expression):
    """Install the addons into copies of the core template and run their tests, but for the tours.

    In two halves at once: what a test waits for, mostly the database, keeps one core busy at a time.
    """
    chosen = addons or context.addons()
    if not chosen:
        return _nothing("there is no addon in this tree yet")
    template.core(context)
    halves = {f"addons-{number}": chosen[number - 1 :: 2] for number in (1, 2)[: len(chosen)]}
    total = Outcome()

    def one(name):
        return _test_addons(context, name, chosen, halves[name], expression)

    with _in_the_background(context, one, halves) as outcomes:
        for outcome in outcomes:
            total.add(outcome.result())
    return total


def _test_addons(context, name, installed, tested, expression):
    """Run the tests of some of the addons with all of them installed; the Outcome."""
    database = context.clone(template.core(context), name)
    flags = ["--skip-auto-install"] if context.series == "19.0" else ["--without-demo=all"]
    tags = _tags(tested, expression) + f",-{TOUR_TAG}"
    words = ["-i", ",".join(installed), *flags, "--test-tags", tags, "--stop-after-init"]
    try:
        with step(f"installing all and testing {', '.join(tested)}") as running:
            code, log = odoo.run(context, database, name, *words, step=running)
    finally:
        context.drop(database)
    return _odoo_outcome(context, log, code, context.logs / f"{name}.log", tested, expression)


def tours_ring(context, addons, expression):
    """Run the addons' own browser tours, and Odoo's unit tests of its till with ours installed."""
    chosen = addons or context.addons()
    outcome = Outcome()
    if expression != ODOO_TILL_TESTS:
        outcome.add(_own_tours(context, chosen, expression))
    if TILL_ADDON in chosen and expression in (None, ODOO_TILL_TESTS) and context.series in ODOO_TILL_SERIES:
        outcome.add(_odoo_till_tests(context))
    return outcome


def _own_tours(context, chosen, expression):
    if not _mentioned(context, chosen, TOUR_TAG):
        return _nothing(f"no test is tagged {TOUR_TAG}")
    tags = ",".join(f"{TOUR_TAG}/{tag.removeprefix('/')}" for tag in _tags(chosen, expression).split(","))
    with step(f"running the tours of {', '.join(chosen)}") as running:
        code, log = _in_browser(context, "tours", tags, running)
    return _odoo_outcome(context, log, code, context.logs / "tours.log", [], expression)


def _odoo_till_tests(context):
    """Run the unit tests that Odoo has for its own till with ours installed: who installs ours keeps them."""
    with step("running Odoo's own unit tests of the point of sale, ours installed") as running:
        code, log = _in_browser(context, "odoo-till", f"/web:{ODOO_TILL_TESTS}[@point_of_sale]", running)
    return _odoo_outcome(context, log, code, context.logs / "odoo-till.log", ["web"], None)


def _in_browser(context, name, tags, running):
    """Run tests that open a browser on a copy of the suite's template; returns (exit code, log)."""
    browser.ensure(context.state)
    database = context.clone(template.suite(context), name)
    try:
        return odoo.run(context, database, name, "--test-tags", tags, "--stop-after-init", step=running)
    finally:
        context.drop(database)


def _tags(addons, expression):
    """Return Odoo test tags: "/addon", or with -k ":Class", ".method" or "Class.method" behind it."""
    suffix = ""
    if expression:
        first, dot, method = expression.partition(".")
        is_method = first.startswith("test_") and not dot
        suffix = f".{first}" if is_method else f":{first}" + (f".{method}" if method else "")
    return ",".join(f"/{addon}{suffix}" for addon in addons)


def _mentioned(context, addons, tag):
    files = (path for addon in addons for path in (context.root / addon / "tests").rglob("*.py"))
    return any(tag in path.read_text(errors="replace") for path in files)


def _odoo_outcome(context, log, code, log_file, must_run, expression):
    """Return the Outcome of an Odoo test run. must_run: addons of which at least one test has to have run."""
    results = odoo_log.read(log, context.addons())
    problems = [
        f"{addon} {name}\n{text}"
        for (addon, name), texts in sorted(results.failures.items())
        for text in texts
    ]
    failed = results.failed + len(results.warnings)
    problems += [f"LOG {record.level} {record.logger}: {record.text}" for record in results.warnings]
    silent = [] if expression else [addon for addon in must_run if not results.of(addon)]
    problems += [f"{addon}: NO TEST RAN" for addon in silent]
    failed += len(silent)
    if (code and not failed) or not results.claimed:
        failed += 1
        problems.append(f"Odoo ended with exit code {code}: {processes.last_words(log)}")
    if not results.started and not failed and not expression:
        failed = 1
        problems.append("NO TEST RAN: nothing matched.")
    if problems:
        problems.append(f"The whole log is in {log_file}.")
    return Outcome(results.passed, failed, len(results.skipped), problems)


def _nothing(reason):
    say(f"  nothing to run: {reason}")
    return Outcome()


# --- rings run by pytest ---


def unit_ring(context, addons, expression):
    """Run what needs Python only; a whole run says how much of the protocol rooms it went through."""
    if addons or expression:
        return _pytest(context, "unit", expression)
    figures = context.state / "coverage.json"
    rooms = room_coverage.rooms(context.root)
    data = str(figures.with_suffix(".data"))
    outcome = _pytest(context, "unit", None, room_coverage.arguments(rooms, figures), COVERAGE_FILE=data)
    if not outcome.failed:
        problems = room_coverage.report(rooms, figures, context.root)
        outcome.failed, outcome.problems = len(problems), outcome.problems + problems
    return outcome


def takeover_ring(context, addons, expression):
    """Let the addons take over databases that Odoo's own ones filled, on copies of the core template."""
    if not _has_tests(context, "takeover"):
        return _nothing("tests/takeover has no test yet")
    template.core(context)
    return _pytest(context, "takeover", expression)


def browser_ring(context, addons, expression):
    """Drive a real browser against a running server on a copy of the suite's template."""
    if not _has_tests(context, "e2e"):
        return _nothing("tests/e2e has no test yet")
    chromium = browser.ensure(context.state)
    template.suite(context)
    # a browser mostly waits: three at a time, each file's tests in their order beside a suite of their own
    together = ["-n", "3", "--dist", "loadfile"]
    return _pytest(context, "e2e", expression, together, SERVIPAY_CHROMIUM=chromium)


def faults_ring(context, addons, expression):
    """Break things around a prefork server; commits are real there, so the cluster is made durable."""
    if not _has_tests(context, "faults"):
        return _nothing("tests/faults has no test yet")
    template.suite(context)
    with context.database.durable():
        return _pytest(context, "faults", expression, SERVIPAY_CHROMIUM=browser.find() or "")


def security_ring(context, addons, expression):
    """Try on a prefork server what nobody may do."""
    if not _has_tests(context, "security"):
        return _nothing("tests/security has no test yet")
    template.suite(context)
    return _pytest(context, "security", expression)


def _has_tests(context, folder):
    return any((context.root / "tests" / folder).rglob("test_*.py"))


def _pytest(context, folder, expression, more=(), **variables):
    """Run the tests below tests/<folder> with the series' Python and return their Outcome.

    more: words of pytest's command line; variables: of its environment.
    """
    if not _has_tests(context, folder):
        return _nothing(f"tests/{folder} has no test yet")
    report = context.state / f"{folder}.xml"
    report.unlink(missing_ok=True)
    arguments = [
        "-m",
        "pytest",
        f"tests/{folder}",
        "-q",
        "-rfE",
        "--color=no",
        "-p",
        "no:cacheprovider",
        f"--junit-xml={report}",
        *more,
        *(["-k", expression] if expression else []),
    ]
    surroundings = processes.clean_environment(
        {**context.exported(), **variables, "PYTHONDONTWRITEBYTECODE": "1"}
    )
    log, told = context.logs / f"{folder}.log", context.state / f"{folder}-report.txt"
    for path in (log, told):
        path.unlink(missing_ok=True)
    with step(f"running tests/{folder}"):
        code, text = processes.run(
            [context.python, *arguments], context.state, log, folder, surroundings, cwd=context.root
        )
    if told.exists():  # figures that the tests want seen
        say(told.read_text().rstrip())
    if code == PYTEST_NOTHING_COLLECTED:
        return _nothing("no test matches")
    if not report.exists():
        return Outcome(
            failed=1, problems=[f"pytest ended with exit code {code}: {processes.last_words(text, 12)}"]
        )
    return read_junit(report, code)


def bench(context, name, arguments):
    """Run tests/bench/<name>.py with the series' Python on a durable cluster; returns its exit code."""
    folder = context.root / "tests" / "bench"
    known = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    if name not in known:
        raise Problem(
            f"There is no benchmark {name or ''}; there are: {', '.join(known) or 'none yet'}.".replace(
                "  ", " "
            )
        )
    template.suite(context)
    python_path = {"PYTHONPATH": str(context.root)}
    surroundings = processes.clean_environment(
        {**context.exported(), **python_path, "PYTHONDONTWRITEBYTECODE": "1"}
    )
    surroundings[processes.MARK] = str(context.state)
    with context.database.durable():
        return subprocess.call(
            [context.python, folder / f"{name}.py", *arguments], env=surroundings, cwd=context.root
        )


def read_junit(path, code=0):
    """Return the Outcome that pytest's report file tells; code: pytest's exit code."""
    outcome = Outcome()
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):  # noqa: S314  (our own pytest's)
        name = f"{case.get('classname')}.{case.get('name')}"
        broken = [child for child in case if child.tag in ("failure", "error")]
        if broken:
            outcome.failed += 1
            outcome.problems += [f"{name}\n{child.text or child.get('message')}" for child in broken]
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    if code and not outcome.failed:
        outcome.failed = 1
        outcome.problems.append(f"pytest ended with exit code {code}.")
    return outcome


RINGS = {
    "unit": unit_ring,
    "addons": addons_ring,
    "takeover": takeover_ring,
    "tours": tours_ring,
    "browser": browser_ring,
    "security": security_ring,
    "faults": faults_ring,
}
