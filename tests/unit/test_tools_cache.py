"""What is kept between runs: keyed, built once, whole or not at all."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import cache
from tools.report import Problem

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Give every test a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_root_is_below_xdg_cache_home(tmp_path):
    assert cache.root() == tmp_path / "cache" / "paypercloud-servipay"


def test_root_is_below_home_without_xdg_cache_home(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.root() == tmp_path / ".cache" / "paypercloud-servipay"


def test_keys_follow_their_parts(tmp_path):
    assert cache.key_of("a", ["b"]) == cache.key_of("a", ["b"])
    assert len({cache.key_of("a", "b"), cache.key_of("ab"), cache.key_of("b", "a")}) == 3


def test_files_key_follows_contents_not_places(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("x")
    two.write_text("x")
    assert cache.files_key([one]) == cache.files_key([two])
    two.write_text("y")
    assert cache.files_key([one]) != cache.files_key([two])


def test_entry_is_built_once_and_remembers_facts():
    calls = []

    def build(path):
        calls.append(path)
        (path / "file").write_text("content")
        return {"version": "1"}

    first = cache.entry("kind", "19.0", "k", build)
    assert cache.entry("kind", "19.0", "k", build) == first
    assert len(calls) == 1
    assert (first / "file").read_text() == "content"
    assert cache.facts(first) == {"version": "1"}


def test_interrupted_build_leaves_nothing_behind():
    def build(path):
        (path / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("kind", "19.0", "k", build)
    assert not (cache.root() / "kind" / "19.0-k").exists()


def test_killed_build_is_thrown_away():
    left = cache.root() / "kind" / "19.0-k"
    left.mkdir(parents=True)
    (left / "half").write_text("")
    path = cache.entry("kind", "19.0", "k", lambda target: None)
    assert [found.name for found in path.iterdir()] == ["ready.json"]


def test_stale_entries_go_but_not_those_in_use():
    script = (
        "import sys; from tools import cache; "
        "cache.entry('kind', '19.0', 'used', lambda path: None); print('ok', flush=True); sys.stdin.read()"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert user.stdout.readline() == b"ok\n"
    base = cache.root() / "kind"
    for number, name in enumerate(("old", "newer"), 1):
        path = base / f"19.0-{name}"
        path.mkdir()
        (path / "ready.json").write_text("{}")
        os.utime(path, (number, number))
    (base / "18.0-other").mkdir()
    os.utime(base / "19.0-used", (0, 0))
    try:
        cache.entry("kind", "19.0", "new", lambda path: None)
    finally:
        user.communicate(b"")
    left = {path.name for path in base.iterdir() if path.is_dir()}
    assert left == {"19.0-new", "19.0-newer", "19.0-used", "18.0-other"}


def test_two_runs_build_the_same_entry_once(tmp_path):
    script = (
        "import time; from tools import cache\n"
        "def build(path):\n    open('%s', 'a').write('x'); time.sleep(0.5)\n"
        "cache.entry('kind', '19.0', 'k', build)" % (tmp_path / "calls")
    )
    runs = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _number in range(2)]
    assert [run.wait(20) for run in runs] == [0, 0]
    assert (tmp_path / "calls").read_text() == "x"


def test_lock_is_held_by_a_child_that_inherited_it(tmp_path):
    held = cache.Lock(tmp_path / "lock").shared()
    child = subprocess.Popen(["sleep", "30"], pass_fds=(held.descriptor,))
    held.close()
    other = cache.Lock(tmp_path / "lock")
    try:
        assert not other.try_exclusive()
    finally:
        child.kill()
        child.wait()
    deadline = time.monotonic() + 5
    while not other.try_exclusive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_space_is_one_sentence(tmp_path):
    with pytest.raises(
        Problem, match=r"Not enough disk space for all of it: .* GB free, 1000000 GB are needed\.$"
    ):
        cache.need_space(tmp_path, 1000000, "all of it")


def test_a_file_in_the_way_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot be made"):
        cache.make_directory(tmp_path / "file" / "below")
