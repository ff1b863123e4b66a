"""Reading Odoo's log: counts, failures by name, and the warnings that are ours."""

import pytest

from tools import odoo_log, rings

ADDONS = ("paypercloud_servipay", "payment_ogone")
PREFIX = "2026-11-22 01:49:00,920 24965"


def line(level, logger, text):
    """Return a line as Odoo writes it."""
    return f"{PREFIX} {level} svpdev_x {logger}: {text}"


TESTS = "odoo.addons.paypercloud_servipay.tests.test_x"
PASSED = line("INFO", f"{TESTS}", "Starting TestX.test_one ...")
FAILED = "\n".join(
    [
        line("INFO", TESTS, "Starting TestX.test_two ..."),
        line("INFO", TESTS, "=" * 70),
        line("ERROR", TESTS, "FAIL: TestX.test_two"),
        "Traceback (most recent call last):",
        '  File "x.py", line 1, in test_two',
        "AssertionError: 1 != 2",
        " ",
    ]
)
SKIPPED = "\n".join(
    [
        line("INFO", TESTS, "Starting TestX.test_three ..."),
        line("INFO", TESTS, "skipped TestX.test_three : no terminal"),
    ]
)


def result(failed, errors, tests):
    """Return Odoo's closing line."""
    level = "ERROR" if failed or errors else "INFO"
    text = f"{failed} failed, {errors} error(s) of {tests} tests when loading database 'svpdev_x'"
    return line(level, "odoo.tests.result", text)


def read(*lines):
    """Return the Results of a log of these lines."""
    return odoo_log.read("\n".join(lines), ADDONS)


def test_counts():
    results = read(PASSED, FAILED, SKIPPED, result(1, 0, 3))
    assert (results.passed, results.failed, len(results.skipped)) == (1, 1, 1)
    assert results.claimed == (1, 3)
    assert results.of("paypercloud_servipay") == 3
    assert results.of("payment_ogone") == 0


def test_failure_has_its_name_and_traceback():
    results = read(FAILED, result(1, 0, 1))
    ((name, texts),) = results.failures.items()
    assert name == ("paypercloud_servipay", "TestX.test_two")
    assert "AssertionError: 1 != 2" in texts[0]


def test_failed_test_is_not_reported_a_second_time_as_a_warning():
    assert read(FAILED, result(1, 0, 1)).warnings == []


def test_failed_tour_is_not_reported_a_second_time_by_its_browser():
    browser = line("ERROR", f"{TESTS}.TestX.test_two.browser", "FAILED: [7/9] Tour")
    assert read(FAILED, browser, result(1, 0, 1)).warnings == []
    assert len(read(PASSED, browser, result(0, 0, 1)).warnings) == 1


def test_error_while_a_class_is_set_up_counts():
    text = line("ERROR", "odoo.tests.suite", f"ERROR: setUpClass ({TESTS}.TestX)") + "\nTraceback"
    results = read(text, result(0, 1, 0))
    assert results.failed == 1
    assert list(results.failures) == [("paypercloud_servipay", f"setUpClass ({TESTS}.TestX)")]
    assert results.warnings == []


def test_failed_subtest_belongs_to_its_test():
    results = read(PASSED, line("ERROR", TESTS, "FAIL: Subtest TestX.test_one (amount=3)"), result(1, 0, 1))
    assert results.passed == 0
    assert list(results.failures) == [("paypercloud_servipay", "TestX.test_one")]


def test_odoo_may_know_of_more_failures():
    assert read(PASSED, result(2, 0, 3)).failed == 2


def test_without_a_closing_line_there_is_no_claim():
    assert read(PASSED).claimed == ()


@pytest.mark.parametrize(
    ("level", "logger", "text", "ours"),
    [
        ("WARNING", "odoo.addons.paypercloud_servipay.models.x", "anything", True),
        ("ERROR", "odoo.addons.payment_ogone", "anything", True),
        ("INFO", "odoo.addons.payment_ogone", "anything", False),
        ("WARNING", "odoo.addons.payment", "anything", False),
        ("WARNING", "odoo.addons.payment_ogone_more", "anything", False),
        ("WARNING", "odoo.modules.loading", "The models ['servipay.operation'] have no access rules", True),
        ("WARNING", "py.warnings", "/x/paypercloud_servipay/models/a.py:3: DeprecationWarning: old", True),
        ("WARNING", "odoo.fields", "res.company.servipay_base_url: unknown parameter 'x'", True),
        ("WARNING", "odoo.addons.base.models.ir_mail_server", "no mail server", False),
        ("CRITICAL", "odoo.modules.module", "Couldn't load module payment_ogone", True),
    ],
)
def test_which_warnings_are_ours(level, logger, text, ours):
    (record,) = odoo_log.records(line(level, logger, text))
    assert odoo_log.is_our_warning(record, ADDONS) is ours


def test_warnings_of_the_suite_need_no_addon():
    (record,) = odoo_log.records(line("WARNING", "odoo.addons.mail", "anything"))
    assert odoo_log.is_our_warning(record, ()) is False


def test_further_lines_belong_to_their_entry():
    first, second = odoo_log.records(
        "\n".join([line("ERROR", "a", "one"), "two", line("INFO", "b", "three")])
    )
    assert (first.text, second.text) == ("one\ntwo", "three")


def test_progress_tells_the_newest_module_or_test():
    loading = line("INFO", "odoo.modules.loading", "Loading module mail (16/30)")
    assert odoo_log.progress(loading) == "module 16 of 30, mail"
    assert odoo_log.progress(loading + "\n" + PASSED) == "TestX.test_one"
    assert odoo_log.progress("nothing") is None


class Clone:
    """As much of a context as a ring's verdict looks at."""

    @staticmethod
    def addons():
        return list(ADDONS)


def verdict(log, code=0, must_run=("paypercloud_servipay",), expression=None):
    """Return the Outcome of the addons ring for a log."""
    return rings._odoo_outcome(Clone, log, code, "addons.log", must_run, expression)


def test_green():
    outcome = verdict("\n".join([PASSED, SKIPPED, result(0, 0, 2)]))
    assert (outcome.passed, outcome.failed, outcome.skipped, outcome.problems) == (1, 0, 1, [])


@pytest.mark.parametrize(
    "case",
    [
        {"log": "\n".join([PASSED, FAILED, result(1, 0, 2)])},
        {"log": PASSED, "code": 255},  # crashed
        {"log": PASSED},  # never came to its end
        {"log": "\n".join([PASSED, result(0, 0, 1)]), "code": 1},
        {"log": "\n".join([PASSED, result(0, 0, 1)]), "must_run": ADDONS},  # an addon without a test
        {"log": "\n".join([PASSED, line("WARNING", "odoo.addons.payment_ogone", "w"), result(0, 0, 1)])},
        {"log": result(0, 0, 0), "must_run": ()},
    ],
)
def test_red(case):
    outcome = verdict(**case)
    assert outcome.failed
    assert outcome.problems


def test_an_expression_may_match_nothing_in_one_ring():
    assert verdict(result(0, 0, 0), expression="TestY").failed == 0


@pytest.mark.parametrize(
    ("expression", "tags"),
    [
        (None, "/a,/b"),
        ("TestX", "/a:TestX,/b:TestX"),
        ("test_one", "/a.test_one,/b.test_one"),
        ("TestX.test_one", "/a:TestX.test_one,/b:TestX.test_one"),
    ],
)
def test_tags(expression, tags):
    assert rings._tags(["a", "b"], expression) == tags
