"""Reading Odoo's log: test counts, failures with their tracebacks, and what it warns of."""

import dataclasses
import re

LINE = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<pid>\d+) (?P<level>[A-Z]+) (?P<database>\S+) "
    r"(?P<logger>[\w.\-]+): (?P<text>.*)$"
)
RESULT = re.compile(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests")
TEST_LOGGER = re.compile(r"^odoo\.addons\.(\w+)\.tests\b")
SUITE_LOGGER = "odoo.tests.suite"  # reports a class whose setUpClass or tearDownClass failed
STARTING = re.compile(r"^Starting (\S+) \.\.\.")
SKIPPED = re.compile(r"^skipped (.+?) : (.*)", re.S)
FAILURE = re.compile(r"^(FAIL|ERROR): (?:Subtest )?(.+)$")
LOADING = re.compile(r"^Loading module (\w+) \((\d+)/(\d+)\)")
BAD_LEVELS = ("WARNING", "ERROR", "CRITICAL")
PRODUCT = r"servipay[._]"  # the models' and fields' names begin so; core's warnings name those, not the addon


@dataclasses.dataclass
class Record:
    """One entry of the log; text holds its further lines too (a traceback)."""

    level: str
    logger: str
    text: str


@dataclasses.dataclass
class Results:
    """What a run of tests said. Tests are (addon, "Class.method") pairs."""

    started: set = dataclasses.field(default_factory=set)
    skipped: dict = dataclasses.field(default_factory=dict)  # test: reason
    failures: dict = dataclasses.field(default_factory=dict)  # (addon, name): texts with tracebacks
    warnings: list = dataclasses.field(default_factory=list)  # Records of ours
    claimed: tuple = ()  # (failed + errors, tests) of Odoo's closing lines; empty: it never got there

    @property
    def failed(self):
        """How many tests failed; never fewer than Odoo itself says."""
        return max([len(self.failures), *self.claimed[:1]])

    @property
    def passed(self):
        """How many tests ran, did not fail and were not skipped."""
        return len(self.started - set(self.failures) - set(self.skipped))

    def of(self, addon):
        """Return how many tests of an addon were started."""
        return sum(1 for name, _test in self.started if name == addon)


def records(text):
    """Yield the Records of a log; lines that belong to no entry are entries of their own with level ""."""
    current = None
    for line in text.splitlines():
        found = LINE.match(line)
        if found:
            if current:
                yield current
            current = Record(found["level"], found["logger"], found["text"])
        elif current:
            current.text += "\n" + line
        else:
            yield Record("", "", line)
    if current:
        yield current


def read(text, addons):
    """Return the Results of a test run's log; addons: the names that count as ours."""
    results = Results()
    for record in records(text):
        if addon := _tested_addon(record):
            _read_test(record, addon, results)
        if counts := RESULT.search(record.text):
            failed, errors, tests = (int(number) for number in counts.groups())
            results.claimed = tuple(map(max, (failed + errors, tests), results.claimed or (0, 0)))
        if is_our_warning(record, addons):
            results.warnings.append(record)
    results.warnings = [record for record in results.warnings if not _told_by_failure(record, results)]
    return results


def _told_by_failure(record, results):
    """True for what the browser of a failed tour wrote: the failure itself quotes it."""
    found = re.match(r"^odoo\.addons\.(\w+)\.tests\..*?(\w+\.test_\w+)(\.browser)?$", record.logger)
    return bool(found) and (found.group(1), found.group(2)) in results.failures


def _tested_addon(record):
    """Return the addon whose test an entry is about, or None."""
    if record.logger == SUITE_LOGGER:
        found = re.search(r"\bodoo\.addons\.(\w+)\.tests\b", record.text.partition("\n")[0])
    else:
        found = TEST_LOGGER.match(record.logger)
    return found and found.group(1)


def _read_test(record, addon, results):
    if found := STARTING.match(record.text):
        results.started.add((addon, found.group(1)))
    elif found := SKIPPED.match(record.text):
        results.skipped[addon, found.group(1)] = found.group(2)
    elif found := FAILURE.match(record.text.partition("\n")[0]):
        name = (
            re.split(r"[\s(<]", found.group(2))[0]
            if not found.group(2).startswith("setUpClass")
            else found.group(2)
        )
        results.failures.setdefault((addon, name), []).append(record.text)


def is_our_warning(record, addons):
    """True for a warning or error that an addon of ours logged or that speaks of one of ours.

    A failed test's own report is no warning: it is counted as a failure.
    """
    if record.level not in BAD_LEVELS or RESULT.search(record.text):
        return False
    if _tested_addon(record) and FAILURE.match(record.text.partition("\n")[0]):
        return False
    names = "|".join(re.escape(name) for name in addons) or r"(?!)"
    if re.match(rf"^(odoo\.addons\.)?({names})(\.|$)", record.logger):
        return True
    return bool(re.search(rf"\b(?:{names})\b|\b{PRODUCT}", record.text))


def progress(text):
    """Return what Odoo is doing according to the newest line of a piece of log, or None."""
    for line in reversed(text.splitlines()):
        found = LINE.match(line)
        if found and (loading := LOADING.match(found["text"])):
            return f"module {loading[2]} of {loading[3]}, {loading[1]}"
        if found and (test := STARTING.match(found["text"])):
            return test.group(1)
    return None
