"""Real processes: started, recognised, ended with their children; pids of others are left alone."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tools import cache, processes
from tools.report import Problem

FAMILY = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "print('up', flush=True); time.sleep(60)"
)
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(60)"
)


def start(tmp_path, code, name="program"):
    """Start a Python program that says "up"."""
    process = processes.Process(name, [sys.executable, "-c", code], tmp_path / "log", tmp_path)
    deadline = time.monotonic() + 10
    while "up" not in process.output():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_stop_ends_the_children_too(tmp_path):
    process = start(tmp_path, FAMILY)
    members = processes.session_members(process.popen.pid)
    assert len(members) == 2
    process.stop()
    assert [pid for pid in members if processes.start_time(pid) is not None] == []
    assert processes.pid_files(tmp_path) == []


def test_stop_kills_what_does_not_listen(tmp_path):
    process = start(tmp_path, STUBBORN)
    process.stop(grace=0.3)
    assert process.popen.returncode == -signal.SIGKILL


def test_stop_all_finds_what_an_earlier_run_started(tmp_path):
    process = start(tmp_path, FAMILY)
    members = processes.session_members(process.popen.pid)
    # Another run of dev is no parent of it and does not reap it; here this process has to.
    assert processes.stop_all(tmp_path) == 1
    process.popen.wait()
    assert [pid for pid in members if processes.start_time(pid) is not None] == []


def test_stop_named_leaves_the_others(tmp_path):
    process, other = start(tmp_path, FAMILY, "unit"), start(tmp_path, FAMILY, "unity")
    processes.stop_named(tmp_path, "unit")
    assert (process.running, other.running) == (False, True)
    other.stop()


def test_stop_all_finds_orphans_by_their_mark(tmp_path):
    process = start(tmp_path, FAMILY)
    _leader, child = sorted(processes.session_members(process.popen.pid))
    os.kill(process.popen.pid, signal.SIGKILL)
    process.wait()
    assert processes.start_time(child) is not None
    assert processes.stop_all(tmp_path) == 0
    assert processes.start_time(child) is None


def test_a_recycled_pid_is_left_alone(tmp_path):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = processes.PidFile.write(tmp_path, "odoo", stranger.pid)
        assert pid_file.pid == stranger.pid
        noted = cache.read_json(pid_file.path)
        cache.write_json(pid_file.path, {**noted, "start": noted["start"] - 1})
        assert pid_file.pid is None
        assert processes.stop_all(tmp_path) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_another_clones_programs_are_left_alone(tmp_path):
    process = start(tmp_path / "other" if (tmp_path / "other").mkdir() else tmp_path / "other", FAMILY)
    (tmp_path / "mine").mkdir()
    try:
        assert processes.stop_all(tmp_path / "mine") == 0
        assert process.running
    finally:
        process.stop()


def test_run_gives_code_and_output(tmp_path):
    seen = []
    script = tmp_path / "script"
    script.write_text("hello")
    command = [
        sys.executable,
        "-c",
        "import sys, time; print(sys.stdin.read()); sys.stdout.flush(); time.sleep(0.6); sys.exit(3)",
    ]
    code, output = processes.run(command, tmp_path, tmp_path / "log", "x", script=script, watch=seen.append)
    assert (code, output, "".join(seen)) == (3, "hello\n", "hello\n")


def test_check_tells_the_last_words(tmp_path):
    command = [sys.executable, "-c", "print('first'); raise SystemExit('no network')"]
    with pytest.raises(Problem, match=r"It failed\. It said: no network \(all of it is in .*/log\)$"):
        processes.check(command, tmp_path, tmp_path / "log", "x", "It failed.")


def test_programs_do_not_see_variables_that_change_odoo(monkeypatch):
    for name in ("PGHOST", "ODOO_RC", "PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PIP_INDEX_URL", "kept")
    environment = processes.clean_environment({"EXTRA": "1"})
    assert not {"PGHOST", "ODOO_RC", "PYTHONPATH", "VIRTUAL_ENV"} & set(environment)
    assert (environment["PIP_INDEX_URL"], environment["EXTRA"]) == ("kept", "1")
