"""Programs that this command starts: run to their end, or kept in the background and stopped again.

Every program gets a session of its own, so that Ctrl-C reaches only `dev`, which then ends them in order, and
carries MARK in its environment, so that `./dev stop` recognises what was started here and nothing else.
"""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from . import cache
from .report import Problem

MARK = "SERVIPAY_DEV_STATE"
GRACE_SECONDS = 12  # Odoo ends its workers within three


def start_time(pid):
    """Return when a process started (kernel clock ticks since boot), or None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    values = text.rpartition(")")[2].split()
    return None if values[0] in "ZX" else int(values[19])


def clean_environment(extra=None):
    """Return this process's environment without what would change how Odoo or PostgreSQL behave."""
    unwanted = ("PG", "ODOO_", "PYTHON", "PYTEST_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted) and k != "VIRTUAL_ENV"}
    kept.update(LANG="C.UTF-8", LC_ALL="C.UTF-8", PYTHONUNBUFFERED="1", PYTHONNOUSERSITE="1")
    kept.update(extra or {})
    return kept


class Process:
    """A program started in the background, with its pid file."""

    def __init__(self, name, command, log, state, environment=None, cwd=None, keep=(), stdin=None):
        """Start command (list) writing to the file log. keep: file descriptors that it inherits."""
        environment = dict(environment or clean_environment())
        environment[MARK] = str(state)
        self.name, self.log = name, Path(log)
        with open(log, "ab") as stream:
            self.start_offset = stream.tell()
            self.popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=stdin or subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=cwd,
                start_new_session=True,
                pass_fds=keep,
            )
        self.pid_file = PidFile.write(state, name, self.popen.pid)

    @property
    def running(self):
        """True until the program has ended."""
        return self.popen.poll() is None

    def wait(self, timeout=None):
        """Wait for its end and return its exit code; its pid file goes."""
        code = self.popen.wait(timeout)
        self.pid_file.remove()
        return code

    def stop(self, grace=GRACE_SECONDS):
        """End it and all of its children: asked first, killed when that does not help."""
        end_session(self.popen.pid, grace, reap=self.popen.poll)
        self.wait()

    def output(self):
        """Return what it has written since it started."""
        with open(self.log, "rb") as stream:
            stream.seek(self.start_offset)
            return stream.read().decode(errors="replace")


class PidFile:
    """Who runs: pid and start time, so that a pid the system has given to another program is left alone."""

    def __init__(self, path):
        self.path = Path(path)

    @classmethod
    def write(cls, state, name, pid):
        """Note a running process under a name unique to it; returns the PidFile."""
        path = cache.make_directory(Path(state) / "pids") / f"{name}-{pid}.json"
        cache.write_json(path, {"name": name, "pid": pid, "start": start_time(pid)})
        return cls(path)

    @property
    def pid(self):
        """The pid when that very process still runs, else None."""
        noted = cache.read_json(self.path)
        if not noted or noted["start"] is None or start_time(noted["pid"]) != noted["start"]:
            return None
        return noted["pid"]

    def remove(self):
        """Forget the process."""
        self.path.unlink(missing_ok=True)


def pid_files(state):
    """Return the pid files of a state directory, oldest first."""
    found = (Path(state) / "pids").glob("*.json")
    return [PidFile(path) for path in sorted(found, key=lambda path: path.stat().st_mtime)]


def session_members(session):
    """Return the pids of all living processes of a session."""
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and start_time(entry) is not None:
            with contextlib.suppress(OSError):
                if os.getsid(int(entry)) == session:
                    members.append(int(entry))
    return members


def end_session(session, grace=GRACE_SECONDS, reap=lambda: None):
    """End a session leader and every process of its session; reap is called while waiting for them."""
    _send([session], signal.SIGTERM)
    deadline = time.monotonic() + grace
    asked_all = False
    while members := session_members(session):
        reap()
        late = time.monotonic() > deadline
        if late or (session not in members and not asked_all):
            _send(members, signal.SIGKILL if late else signal.SIGTERM)
            asked_all = True
        time.sleep(0.05)


def _send(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def marked_processes(state):
    """Return the pids of this user's processes that were started for a state directory."""
    wanted = f"{MARK}={state}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
    return found


def stop_named(state, name):
    """End the programs of that name which were started for a state directory."""
    for pid_file in pid_files(state):
        if pid_file.path.name.startswith(f"{name}-") and (pid := pid_file.pid):
            end_session(pid)


def stop_all(state):
    """End everything that was started for a state directory; returns how many programs were running."""
    running = 0
    for pid_file in pid_files(state):
        if pid := pid_file.pid:
            running += 1
            end_session(pid)
        pid_file.remove()
    left = marked_processes(state)
    _send(left, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while left := [pid for pid in left if start_time(pid) is not None]:
        if time.monotonic() > deadline:
            _send(left, signal.SIGKILL)
        time.sleep(0.05)
    return running


def run(command, state, log, name, environment=None, cwd=None, script=None, watch=None, keep=()):
    """Run a program to its end and return (exit code, what it wrote).

    script: a file fed to its standard input. watch(text) is called a few times per second with what is new.
    """
    stdin = open(script, "rb") if script else None
    process = Process(name, command, log, state, environment, cwd, keep=keep, stdin=stdin)
    try:
        _follow(process, watch)
        return process.wait(), process.output()
    except BaseException:
        process.stop()
        raise
    finally:
        if stdin:
            stdin.close()


def _follow(process, watch):
    with open(process.log, "rb") as stream:
        stream.seek(process.start_offset)
        while process.running:
            if watch and (new := stream.read()):
                watch(new.decode(errors="replace"))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(0.25)


def check(command, state, log, name, problem, **options):
    """Run a program that must succeed and return what it wrote; else a Problem with its last words."""
    code, output = run(command, state, log, name, **options)
    if code:
        raise Problem(f"{problem} It said: {last_words(output, 1)[:200]} (all of it is in {log})")
    return output


def last_words(output, lines=4):
    """Return the last non-empty lines of a program's output as one line."""
    kept = [line.strip() for line in output.splitlines() if line.strip()][-lines:]
    return " | ".join(kept)[-900:]
