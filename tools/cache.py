"""What is kept between runs: directories keyed by what they were made from, with locks.

An entry `<cache>/<kind>/<key>/` counts only when its `ready.json` exists, which is written last: a build that
was interrupted is thrown away by the next run. Builders hold `<key>.lock` exclusively, users hold it shared,
so that two runs never build the same thing twice and nothing in use is ever thrown away.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from .report import Problem

NAME = "paypercloud-servipay"
KEEP = 2  # entries of one kind and family that are kept when a new one is made


def root():
    """Return the user's cache directory of the suite (made when missing)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(_home(), ".cache")
    return make_directory(Path(base).absolute() / NAME)


def _home():
    home = os.environ.get("HOME") or os.path.expanduser("~")
    if not home or home == "~" or not os.path.isabs(home):
        raise Problem("No home directory is known: set HOME or XDG_CACHE_HOME.")
    return home


def make_directory(path, mode=0o755):
    """Create path with its parents; a Problem says why when the system refuses."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"The directory {path} cannot be made: {error.strerror}.") from error
    return path


def need_space(path, gigabytes, what):
    """Raise a Problem unless the file system of path has so many gigabytes free."""
    free = shutil.disk_usage(path).free / 1e9
    if free < gigabytes:
        raise Problem(
            f"Not enough disk space for {what}: {path} has {free:.1f} GB free, {gigabytes} GB are needed."
        )


def key_of(*parts):
    """Return a short stable key (12 hex digits) of any JSON-like values."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def files_key(paths):
    """Return a key of the contents of files (not of their places)."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(Path(path).read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class Lock:
    """A file lock (flock) that a process and the children given its descriptor hold until they end."""

    def __init__(self, path):
        self.path = Path(path)
        make_directory(self.path.parent)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def shared(self):
        """Wait until nobody holds it exclusively, then hold it together with others."""
        fcntl.flock(self.descriptor, fcntl.LOCK_SH)
        return self

    def exclusive(self):
        """Wait until nobody else holds it, then hold it alone."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        return self

    def try_exclusive(self):
        """Return True and hold it alone, or False at once when somebody else holds it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self):
        """Let go of this descriptor's hold; children that inherited it keep theirs."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


@contextlib.contextmanager
def locked(path):
    """Hold the lock file at path alone for the time of a block."""
    lock = Lock(path).exclusive()
    try:
        yield lock
    finally:
        lock.close()


def write_json(path, document):
    """Write a JSON file whole or not at all, readable by its owner only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w") as stream:
        json.dump(document, stream, indent=1)
    os.replace(name, path)


def read_json(path):
    """Return the JSON document at path, or None when there is none that can be read."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return None


_held = []  # shared locks on the entries this run uses; the end of the process lets go of them


def entry(kind, family, key, build):
    """Return the cached directory of (kind, key), built first when it is missing.

    build(path) fills an empty directory and may return facts (a dict) kept in its ready.json. A family groups
    what replaces each other ("19.0"): all but the newest KEEP of it are thrown away after a build.
    """
    base = make_directory(root() / kind)
    path = base / f"{family}-{key}"
    while True:
        lock = Lock(base / f"{path.name}.lock").shared()
        if (path / "ready.json").exists():
            os.utime(path / "ready.json")
            _held.append(lock)
            return path
        lock.close()
        with locked(base / f"{path.name}.lock"):
            if not (path / "ready.json").exists():
                _build(path, build)
        prune(base, family, keep=path.name)


def _build(path, build):
    shutil.rmtree(path, ignore_errors=True)
    make_directory(path)
    try:
        facts = build(path)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    write_json(path / "ready.json", facts or {})


def facts(path):
    """Return the facts that an entry's builder left."""
    return read_json(Path(path) / "ready.json") or {}


def prune(base, family, keep):
    """Throw away entries of a family beyond the newest KEEP, except those in use."""
    entries = [p for p in base.glob(f"{family}-*") if p.is_dir() and p.name != keep]
    entries.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for path in entries[KEEP - 1 :]:
        lock = Lock(base / f"{path.name}.lock")
        if lock.try_exclusive():
            shutil.rmtree(path, ignore_errors=True)
        lock.close()
