"""Which Odoo is where: layouts, series, and clear refusals."""

import subprocess

import pytest

from tools import odoo_source
from tools.report import Problem

RELEASE = (
    "version_info = ({major}, {minor}, 0, FINAL, 0, '')\nseries = '.'.join(map(str, version_info[:2]))\n"
)


def make_checkout(path, major=18, minor=0):
    """Make what a checkout of Odoo looks like."""
    for name in ("addons", "odoo/addons/base"):
        (path / name).mkdir(parents=True)
    (path / "odoo-bin").write_text("")
    (path / "odoo/release.py").write_text("# comment\n" + RELEASE.format(major=major, minor=minor))
    return path


def make_package(path, major=19):
    """Make what Debian's package of Odoo looks like, unpacked."""
    library = path / "usr/lib/python3/dist-packages/odoo"
    (library / "addons/base").mkdir(parents=True)
    (library / "release.py").write_text(RELEASE.format(major=major, minor=0))
    (path / "usr/bin").mkdir(parents=True)
    (path / "usr/bin/odoo").write_text("")
    return path


@pytest.mark.parametrize(
    ("text", "series"),
    [
        ("version_info = (17, 0, 0, FINAL, 0, '')", "17.0"),
        ("version_info = ('saas~18', 2, 0, FINAL, 0, '')", "18.2"),
        ("import x\nversion_info=(19,0,0,FINAL,0,'')", "19.0"),
        ("nothing of the kind", None),
    ],
)
def test_series_is_read_from_release(tmp_path, text, series):
    (tmp_path / "odoo").mkdir()
    (tmp_path / "odoo/release.py").write_text(text)
    assert odoo_source.read_series(tmp_path) == series


def test_checkout(tmp_path):
    source = odoo_source.open_source(make_checkout(tmp_path), "18.0")
    assert (source.series, source.script) == ("18.0", str(tmp_path / "odoo-bin"))
    assert source.addons_paths == (str(tmp_path / "addons"),)
    assert source.python_path == ""


def test_checkout_in_git_is_keyed_by_its_commit(tmp_path):
    make_checkout(tmp_path)
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]

    def commit(message):
        subprocess.run(["git", "-C", tmp_path, "add", "-A"], check=True)
        subprocess.run(["git", "-C", tmp_path, *identity, "commit", "-qm", message], check=True)

    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    commit("one")
    first = odoo_source.open_source(tmp_path).key
    assert odoo_source.open_source(tmp_path).key == first
    (tmp_path / "addons/new").write_text("")
    commit("two")
    assert odoo_source.open_source(tmp_path).key != first


def test_package_starts_through_its_own_script(tmp_path):
    source = odoo_source.open_source(make_package(tmp_path), "19.0")
    assert source.script == str(tmp_path / "usr/bin/odoo")
    assert source.python_path == str(tmp_path / "usr/lib/python3/dist-packages")
    assert source.addons_paths == ()


def test_package_without_a_script_starts_through_ours(tmp_path):
    make_package(tmp_path)
    source = odoo_source.open_source(tmp_path / "usr/lib/python3/dist-packages")
    assert source.script.endswith("odoo_launcher.py")
    assert source.python_path == str(tmp_path / "usr/lib/python3/dist-packages")


def test_wrong_series_is_one_sentence(tmp_path):
    with pytest.raises(Problem, match=r"is Odoo 18\.0, not 19\.0: give --series 18\.0 or another path\.$"):
        odoo_source.open_source(make_checkout(tmp_path), "19.0")


def test_unknown_series_is_one_sentence(tmp_path):
    with pytest.raises(Problem, match=r"is Odoo 16\.0; the suite runs on 17\.0, 18\.0, 19\.0\.$"):
        odoo_source.open_source(make_checkout(tmp_path, major=16))


def test_no_odoo_is_one_sentence(tmp_path):
    with pytest.raises(Problem, match="holds no Odoo"):
        odoo_source.open_source(tmp_path / "nowhere")


def test_odoo_source_variable_and_option(tmp_path, monkeypatch):
    first, second = make_checkout(tmp_path / "a"), make_checkout(tmp_path / "b")
    monkeypatch.setenv("ODOO_SOURCE", str(first))
    assert odoo_source.find("18.0").path == str(first)
    assert odoo_source.find("18.0", str(second)).path == str(second)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("usr/bin/odoo", True),
        ("usr/lib/python3/dist-packages/odoo/addons/base/i18n/fr.po", True),
        ("usr/lib/python3/dist-packages/odoo/addons/base/i18n/fr_BE.po", True),
        ("usr/lib/python3/dist-packages/odoo/addons/base/i18n/de.po", False),
        ("usr/lib/python3/dist-packages/odoo/addons/base/i18n/base.pot", False),
        ("usr/lib/python3/dist-packages/odoo/addons/base/models/res_lang.py", True),
        ("usr/lib/python3/dist-packages/addons/leftover.py", False),
        ("usr/share/doc/odoo/copyright", False),
        ("etc/odoo/odoo.conf", False),
    ],
)
def test_what_is_unpacked(name, kept):
    assert odoo_source._wanted_file(name) is kept
