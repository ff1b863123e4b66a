"""The command line: what is understood, passed on and refused; the reports people read."""

import io
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tools import cli, processes, report, rings

ROOT = Path(__file__).parents[2]


def dev(*arguments, **environment):
    """Run ./dev and return the finished process."""
    command = [sys.executable, ROOT / "dev", *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def test_defaults():
    options = cli.parse(["test"])
    assert (options.series, options.odoo, options.db_url) == ("19.0", None, None)
    assert (options.addons, options.ring, options.expression) == ([], None, None)


def test_test_options():
    options = cli.parse(
        ["test", "a", "b", "--ring", "unit", "--ring", "tours", "-k", "TestX", "--series", "17.0"]
    )
    assert (options.addons, options.ring, options.expression) == (["a", "b"], ["unit", "tours"], "TestX")
    assert options.series == "17.0"


def test_demo_options():
    options = cli.parse(["demo", "--port", "8070", "--detach"])
    assert (options.port, options.detach, options.fresh) == (8070, True, False)


@pytest.mark.parametrize(
    ("line", "series", "passed"),
    [
        (["psql", "-c", "select 1"], "19.0", ["-c", "select 1"]),
        (["psql", "--series", "18.0", "-c", "--series"], "18.0", ["-c", "--series"]),
        (["lint", "--series=17.0", "--fix", "x"], "17.0", ["--fix", "x"]),
        (["bench", "logs", "--rows", "5"], "19.0", ["logs", "--rows", "5"]),
        (["shell"], "19.0", []),
    ],
)
def test_arguments_are_passed_on(line, series, passed):
    options = cli.parse(line)
    assert (options.series, options.arguments) == (series, passed)


@pytest.mark.parametrize(
    "line", [[], ["nonsense"], ["test", "--ring", "nonsense"], ["demo", "--series", "16.0"]]
)
def test_nonsense_is_refused(line, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.parse(line)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_every_command_has_help(capsys):
    for command in ("demo", "test", "bench", "lint", "stop", "clean", "shell", "psql", "logs", "pot", "dist"):
        with pytest.raises(SystemExit) as stopped:
            cli.parse([command, "--help"])
        assert stopped.value.code == 0
        assert command in capsys.readouterr().out


def test_a_problem_is_one_sentence_without_a_traceback(tmp_path):
    done = dev("test", "no_such_addon", XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("dev: There is no addon no_such_addon in this tree")
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_path_makes_the_ring_fail_loudly(tmp_path):
    done = dev("test", "--ring", "addons", "--odoo", str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "THE RING ADDONS DID NOT RUN" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_no_home_is_one_sentence():
    done = dev("logs", HOME="relative")
    assert done.returncode == 1
    assert "set HOME or XDG_CACHE_HOME" in done.stderr


def test_stop_with_nothing_running(tmp_path):
    done = dev("stop", XDG_CACHE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "0 programs ended.\n"), done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.9, "9.9 s"), (33.4, "33 s"), (125, "2 min 05 s")]
)
def test_durations(seconds, text):
    assert report.duration(seconds) == text


def test_a_long_step_says_that_it_is_alive(monkeypatch):
    monkeypatch.setattr(report, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(report, "HEARTBEAT_SECONDS", 0.05)
    stream = io.StringIO()
    running = report.Step("working", stream)
    running.progress("module 3 of 4")
    time.sleep(0.4)
    running.finish()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "  working ..."
    assert "(module 3 of 4)" in lines[1]
    assert lines[-1].startswith("  working: 0.")


class Tree:
    """As much of a context as rings need that start nothing."""

    def __init__(self, state):
        self.state = state

    def addons(self):
        return []

    def exported(self):
        return {}


@pytest.fixture
def two_rings(monkeypatch):
    """Rings that only end when they run at the same time."""
    meeting = threading.Barrier(2, timeout=5)

    def ring(context, addons, expression):
        meeting.wait()
        return rings.Outcome(passed=1, failed=1, problems=["trouble"])

    for name in ("unit", "addons"):
        monkeypatch.setitem(rings.RINGS, name, ring)


def test_unit_ring_runs_beside_another(two_rings, tmp_path, capsys):
    assert rings.summary(rings.run(Tree(tmp_path), ["unit", "addons"])) == "2 passed, 2 failed, 0 skipped"
    told = capsys.readouterr().out
    assert told.count("    trouble\n  ") == 2
    assert "  unit: 1 passed, 1 failed, 0 skipped" in told


def test_unit_ring_ends_with_a_run_that_breaks_off(monkeypatch, tmp_path):
    def unit(context, addons, expression):
        code = "import time; time.sleep(60)"
        processes.run([sys.executable, "-c", code], tmp_path, tmp_path / "log", "unit")
        return rings.Outcome()

    def interrupted(context, addons, expression):
        deadline = time.monotonic() + 10
        while not processes.pid_files(tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        raise KeyboardInterrupt

    monkeypatch.setitem(rings.RINGS, "unit", unit)
    monkeypatch.setitem(rings.RINGS, "addons", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        rings.run(Tree(tmp_path), ["unit", "addons"])
    assert time.monotonic() - began < 30


def test_junit_report_is_counted(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text(
        "<testsuites><testsuite><testcase classname='a' name='one'/>"
        "<testcase classname='a' name='two'><failure message='m'>trace</failure></testcase>"
        "<testcase classname='a' name='three'><error message='m'>trace</error></testcase>"
        "<testcase classname='a' name='four'><skipped/></testcase></testsuite></testsuites>"
    )
    outcome = rings.read_junit(path, 1)
    assert rings.summary(outcome) == "1 passed, 2 failed, 1 skipped"
    assert outcome.problems == ["a.two\ntrace", "a.three\ntrace"]


def test_pytest_that_fails_without_a_failed_test_is_red(tmp_path):
    path = tmp_path / "report.xml"
    path.write_text("<testsuites><testsuite><testcase classname='a' name='one'/></testsuite></testsuites>")
    assert rings.read_junit(path, 3).failed == 1


def test_a_very_long_problem_keeps_its_beginning_and_end():
    lines = rings._indented("\n".join(str(number) for number in range(1000))).splitlines()
    assert len(lines) == rings.MOST_LINES + 1
    assert (lines[0], lines[-1]) == ("    0", "    999")
    assert "920 lines left out" in lines[rings.MOST_LINES // 2]
