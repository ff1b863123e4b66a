"""`./dev dist`: what goes into an archive, under which name, and that a test of it can fail."""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tools import cli, dist, dist_check, odoo_source
from tools.report import Problem

ROOT = Path(__file__).parents[2]
NAME, OTHER = "payment_ogone", "pos_demo"
MANIFEST = """{
    "name": "Demo",
    # above another one's 2.0
    "version": "3.0.1",
    "depends": ["base"],
    "external_dependencies": {"python": ["lxml"]},
}
"""
FILES = {
    f"{NAME}/__manifest__.py": MANIFEST,
    f"{NAME}/__init__.py": f"from odoo.addons.{NAME} import models\n",
    f"{NAME}/data/data.xml": f'<field ref="base.module_{NAME}" name="{NAME}_recovery" file="{NAME}/a.png"/>',
    f"{NAME}/i18n/{NAME}.pot": f"#. module: {NAME}\n",
    f"{NAME}/i18n/fr.po": f"#. module: {NAME}\n#: code:addons/{NAME}/models/été.py:0\n",
    f"{NAME}/README.md": f"Odoo's `{NAME}` in odoo/addons/{NAME}/. `python {NAME}/tests/simulator.py`",
    f"{NAME}/static/description/index.html": f"-u {NAME}",
    f"{NAME}/static/description/icon.png": b"\x89PNG \xff " + NAME.encode(),
    f"{NAME}/tests/simulator.py": "#!/usr/bin/env python3\n",
    f"{OTHER}/__manifest__.py": MANIFEST.replace('["base"]', f'["{NAME}", "pos_viva_wallet"]'),
    f"{OTHER}/models/main.py": 'A = "/pos_viva_wallet/notification"\nX = "/pos_viva_wallet/static/x.js"\n',
    "tests/unit/test_x.py": "",
    "LICENSE": "the licence\r\n",
    "requirements.txt": "# what is needed\nlxml>=5\n",
    ".gitignore": "dist/\n__pycache__/\n",
}


@pytest.fixture
def tree(tmp_path):
    """A tree of two addons with one commit."""
    for name, text in FILES.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "tree" / NAME / "tests/simulator.py").chmod(0o755)
    git(tmp_path / "tree", "init", "-q")
    commit(tmp_path / "tree")
    return tmp_path / "tree"


def git(tree, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
    subprocess.run(["git", *identity, "-C", tree, *arguments], check=True, capture_output=True)


def commit(tree):
    git(tree, "add", "-A")
    git(tree, "commit", "-qm", "m")


def read(path):
    """Return {path inside: bytes} of an archive."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def built(tree, series):
    """Return {name of an archive: its content} of a series."""
    return {path.name: read(path) for path in dist.build(tree, series)}


# --- names and versions ---


@pytest.mark.parametrize(
    ("series", "name"),
    [("17.0", f"servipay_{NAME}"), ("18.0", NAME), ("19.0", NAME)],
)
def test_an_addon_is_renamed_where_odoo_has_its_name(tree, series, name):
    made = built(tree, series)
    assert set(made) == {f"{name}-{series}.3.0.1.zip", f"{OTHER}-{series}.3.0.1.zip"}
    content = made[f"{name}-{series}.3.0.1.zip"]
    assert {path.partition("/")[0] for path in content} == {name}
    manifest = ast.literal_eval(content[f"{name}/__manifest__.py"].decode())
    assert manifest["version"] == f"{series}.3.0.1"
    assert manifest["external_dependencies"] == {"python": ["lxml"]}
    assert manifest.get("excludes") == ([NAME] if series == "17.0" else None)


def test_the_other_name_stands_wherever_odoo_reads_it(tree):
    content = built(tree, "17.0")[f"servipay_{NAME}-17.0.3.0.1.zip"]
    new = f"servipay_{NAME}"
    assert content[f"{new}/__init__.py"].decode() == f"from odoo.addons.{new} import models\n"
    assert content[f"{new}/data/data.xml"].decode() == (
        f'<field ref="base.module_{new}" name="{NAME}_recovery" file="{new}/a.png"/>'
    )
    assert content[f"{new}/i18n/{new}.pot"].decode() == f"#. module: {new}\n"
    assert content[f"{new}/i18n/fr.po"].decode() == (
        f"#. module: {new}\n#: code:addons/{new}/models/été.py:0\n"
    )


def test_sentences_about_odoo_s_own_addon_stay_true(tree):
    content = built(tree, "17.0")[f"servipay_{NAME}-17.0.3.0.1.zip"]
    assert content[f"servipay_{NAME}/README.md"].decode() == (
        f"Odoo's `{NAME}` in odoo/addons/{NAME}/. `python servipay_{NAME}/tests/simulator.py`"
    )
    assert content[f"servipay_{NAME}/static/description/index.html"].decode() == f"-u {NAME}"


def test_other_addons_know_the_other_name(tree):
    content = built(tree, "17.0")[f"{OTHER}-17.0.3.0.1.zip"]
    manifest = ast.literal_eval(content[f"{OTHER}/__manifest__.py"].decode())
    assert manifest["depends"] == [f"servipay_{NAME}", "servipay_pos_viva_wallet"]
    content = built(tree, "18.0")[f"{OTHER}-18.0.3.0.1.zip"]
    manifest = ast.literal_eval(content[f"{OTHER}/__manifest__.py"].decode())
    assert manifest["depends"] == [NAME, "servipay_pos_viva_wallet"]


def test_an_address_that_merchants_pasted_stays(tree):
    text = built(tree, "17.0")[f"{OTHER}-17.0.3.0.1.zip"][f"{OTHER}/models/main.py"].decode()
    assert text == 'A = "/pos_viva_wallet/notification"\nX = "/servipay_pos_viva_wallet/static/x.js"\n'


@pytest.mark.parametrize("series", ["18.0", "19.0"])
def test_bytes_are_those_of_the_commit_where_no_name_is_taken(tree, series):
    content = built(tree, series)[f"{NAME}-{series}.3.0.1.zip"]
    for name, text in FILES.items():
        if name.startswith(f"{NAME}/") and not name.endswith("__manifest__.py"):
            assert content[name] == (text if isinstance(text, bytes) else text.encode()), name


# --- what is in it ---


def test_licence_pictures_tests_and_translations_are_in_it(tree):
    content = built(tree, "17.0")[f"servipay_{NAME}-17.0.3.0.1.zip"]
    new = f"servipay_{NAME}"
    assert content[f"{new}/LICENSE"] == b"the licence\r\n"
    assert content[f"{new}/static/description/icon.png"] == FILES[f"{NAME}/static/description/icon.png"]
    assert f"{new}/tests/simulator.py" in content
    assert len(content) == sum(name.startswith(f"{NAME}/") for name in FILES) + 1


def test_only_the_commit_is_in_it(tree, capsys):
    before = built(tree, "18.0")
    (tree / NAME / "__pycache__").mkdir()
    (tree / NAME / "__pycache__/x.pyc").write_bytes(b"x")
    (tree / NAME / "__init__.py").write_text("changed")
    (tree / NAME / "new.py").write_text("new")
    assert built(tree, "18.0") == before
    assert sorted(dist.uncommitted(tree, [NAME, OTHER])) == [f"{NAME}/__init__.py", f"{NAME}/new.py"]
    assert dist.uncommitted(tree, [OTHER]) == []


def test_requirements_and_sums_lie_beside(tree):
    paths = dist.build(tree, "17.0")
    folder = paths[0].parent
    assert (folder / "requirements.txt").read_bytes() == FILES["requirements.txt"].encode()
    sums = dict(reversed(line.split()) for line in (folder / dist.SUMS).read_text().splitlines())
    assert set(sums) == {*(path.name for path in paths), "requirements.txt"}
    for path in paths:
        assert sums[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_pages_that_addons_link_to_lie_beside(tree):
    (tree / "docs/en").mkdir(parents=True)
    (tree / "docs/en/cashier.md").write_text("what to do")
    (tree / "README.md").write_text("the suite")
    commit(tree)
    paths = dist.build(tree, "17.0")
    assert dist.PAGES not in [path.name for path in paths]
    assert read(paths[0].with_name(dist.PAGES)) == {
        "README.md": b"the suite",
        "docs/en/cashier.md": b"what to do",
    }
    assert dist.PAGES in (paths[0].parent / dist.SUMS).read_text()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
def test_no_link_of_an_addon_is_dead_in_the_archives():
    files = dist.committed(ROOT)
    pages = dist.documentation(files)
    for addon in dist.addons(files):
        linked = re.findall(r"\]\(\.\./([^)#]+)", files[f"{addon}/README.md"].data.decode())
        beside = [path for path in linked if path.partition("/")[0] not in dist.addons(files)]
        assert beside, addon
        assert not [path for path in beside if path not in pages]


def test_what_an_older_build_left_is_gone(tree):
    folder = dist.build(tree, "17.0")[0].parent
    (folder / "old-17.0.1.0.0.zip").write_text("")
    dist.build(tree, "17.0")
    assert not (folder / "old-17.0.1.0.0.zip").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["17.0"]


# --- the same bytes ---


def test_the_same_commit_gives_the_same_bytes(tree, monkeypatch):
    """Another day, another zone, another umask, another clone, another habit of line ends."""
    first = {path.name: path.read_bytes() for path in dist.build(tree, "17.0")}
    copy = tree.with_name("copy")
    git(tree, "clone", "-q", "-c", "core.autocrlf=true", "-c", "tar.umask=0077", tree, copy)
    for path in copy.rglob("*.py"):
        os.utime(path, (10**9, 10**9))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    previous = os.umask(0o077)
    try:
        second = {path.name: path.read_bytes() for path in dist.build(copy, "17.0")}
    finally:
        os.umask(previous)
        monkeypatch.undo()
        time.tzset()
    assert second == first


def test_entries_are_sorted_dated_by_the_commit_and_stored(tree):
    moment = "2031-02-03T04:05:06+0900"
    (tree / "LICENSE").write_text("changed")
    git(tree, "add", "-A")
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=n@example.com", "-C", tree, "commit", "-qm", "m"],
        check=True,
        env={**os.environ, "GIT_COMMITTER_DATE": moment},
    )
    with zipfile.ZipFile(dist.build(tree, "18.0")[0]) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(2031, 2, 2, 19, 5, 6)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    rights = {entry.filename: entry.external_attr >> 16 for entry in entries}
    assert rights.pop(f"{NAME}/tests/simulator.py") == 0o100755
    assert set(rights.values()) == {0o100644}


# --- what is refused ---


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (f"{NAME}/__manifest__.py", '{"version": "17.0.1.0.0"}', "payment_ogone is 17.0.1.0.0, not"),
        (f"{NAME}/__manifest__.py", '{"name": "x"}', "version of payment_ogone is missing"),
        (f"{NAME}/__manifest__.py", "{'version': '1.0.0'}", "payment_ogone cannot be replaced"),
        ("requirements.txt", "requests\n", "does not name what payment_ogone needs: lxml"),
    ],
)
def test_a_tree_that_cannot_be_shipped(tree, name, text, said):
    good = [path.read_bytes() for path in dist.build(tree, "17.0")]
    (tree / name).write_text(text)
    commit(tree)
    with pytest.raises(Problem, match=said):
        dist.build(tree, "17.0")
    assert [path.read_bytes() for path in sorted((tree / "dist/17.0").glob("*.zip"))] == good


def test_links_are_refused(tree):
    (tree / NAME / "link").symlink_to("../LICENSE")
    commit(tree)
    with pytest.raises(Problem, match=f"{NAME}/link is a link"):
        dist.build(tree, "17.0")


def test_no_commit_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(Problem, match="Archives are made of a commit, and git said"):
        dist.build(tmp_path, "17.0")


def test_every_series_is_known():
    assert set(dist.TAKEN) == set(odoo_source.SERIES)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone")
@pytest.mark.parametrize("series", odoo_source.SERIES)
def test_this_tree(series):
    """No name that Odoo has is left where Odoo reads one; what is tracked is in an archive."""
    files = dist.committed(ROOT)
    forms = ("odoo.addons.{}.", "addons/{}/", '"{}.', '"{}/', "module: {}\n", ".module_{}", '"{}"', ":{}.")
    for addon in dist.addons(files):
        _name, content = dist.packed(addon, files, series)
        assert len(content) == 1 + sum(path.startswith(f"{addon}/") for path in files)
        for path in content:
            if path.endswith((".py", ".xml", ".csv", ".js", ".po", ".pot")):
                lines = content[path].data.decode().splitlines(True)
                text = "".join(line for line in lines if '"excludes"' not in line)
                wanted = [form.format(name) for name in dist.TAKEN[series] for form in forms]
                assert not [form for form in wanted if form in text], path


# --- the tests of what was unpacked ---


def test_options():
    options = cli.parse(["dist", "--series", "17.0", "--test", "-k", "TestX"])
    assert (options.series, options.test, options.expression) == ("17.0", True, "TestX")
    assert cli.parse(["dist"]).test is False


def test_unpacked_into_an_empty_folder(tree, tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / "left").write_text("")
    assert dist_check.unpack(dist.build(tree, "17.0"), folder) == folder
    assert sorted(path.name for path in folder.iterdir()) == [OTHER, f"servipay_{NAME}"]


def test_what_may_not_be_read(tree):
    (tree / ".venv").mkdir()
    names = (".gitignore", "LICENSE", NAME, OTHER, "requirements.txt", "tests")
    assert dist_check.sources_of(tree) == [str(tree / name) for name in names]


class Run:
    """A process under the witness that stands for Odoo, with one addon."""

    def __init__(self, place, script="", more=""):
        self.root, self.unpacked = place / "tree", place / "unpacked/addons"
        for folder in (self.root, self.unpacked):
            (folder / "pay/tests").mkdir(parents=True)
            (folder / "pay/__init__.py").write_text("")
            (folder / "pay/tests/__init__.py").write_text("")
        (place / "odoo/odoo/addons").mkdir(parents=True)
        self.script = place / "odoo/odoo-bin"
        self.script.write_text(
            "import sys, odoo.addons\n"
            f"odoo.addons.__path__.append({str(self.unpacked)!r})\n{more}\n"
            f"import odoo.addons.pay.tests\n{script}\n"
        )
        self.here = Here(self.unpacked, self.script)
        self.sources = [str(self.root / "pay"), str(self.root / "LICENSE")]

    def judged(self, **environment):
        """Run it and return what is wrong with it."""
        report = dist_check.prepare_witness(self.here, [str(self.unpacked), *self.sources])
        command = [sys.executable, "-B", self.here.source.script, "--stop-after-init"]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        facts = json.loads(report.read_text())
        return dist_check.judge(facts, str(self.unpacked), ["pay"], str(self.root), self.sources)


class Here:
    """What prepare_witness needs of a context."""

    def __init__(self, root, script):
        self.root = root
        self.source = odoo_source.OdooSource("", "17.0", "", str(script), "", (), "")


def test_nothing_is_wrong(tmp_path):
    run = Run(tmp_path, "assert sys.argv == [__file__, '--stop-after-init'], sys.argv")
    assert run.judged() == []


READS = {
    "open": "open({path!r}).close()",
    "os.open": "import os; os.open({path!r}, os.O_RDONLY)",
    "pathlib": "import pathlib; pathlib.Path({path!r}).read_text()",
    "by way of ..": "import os; open(os.path.relpath({path!r})).close()",
    "a program": "import subprocess; subprocess.run([sys.executable, {path!r}], check=True)",
    "by its import": "sys.path.insert(0, {path!r}.rpartition('/')[0]); import witnessed; sys.path.pop(0)",
}


@pytest.mark.parametrize("how", READS)
def test_reading_the_tree_is_seen(tmp_path, how):
    path = tmp_path / "tree/pay/witnessed.py"
    run = Run(tmp_path, READS[how].format(path=str(path)))
    path.write_text("")
    assert f"READ FROM THE SOURCE TREE: {path}" in run.judged()


def test_reading_a_file_at_the_root_is_seen(tmp_path):
    path = tmp_path / "tree/LICENSE"
    run = Run(tmp_path, f"open({str(path)!r}).close()")
    path.write_text("")
    assert run.judged() == [f"READ FROM THE SOURCE TREE: {path}"]


@pytest.mark.parametrize("call", ["os.listdir", "os.scandir"])
def test_listing_the_tree_is_seen(tmp_path, call):
    path = tmp_path / "tree/pay"
    run = Run(tmp_path, f"import os; {call}({str(path)!r})")
    assert run.judged() == [f"READ FROM THE SOURCE TREE: {path}"]


def test_a_link_to_the_tree_is_seen(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    run = Run(tmp_path, f"open({str(tmp_path / 'link/pay/__init__.py')!r}).close()")
    assert run.judged() == [f"READ FROM THE SOURCE TREE: {tmp_path / 'tree/pay/__init__.py'}"]


def test_the_tree_on_the_python_path_is_seen(tmp_path):
    run = Run(tmp_path)
    assert run.judged(PYTHONPATH=str(run.root)) == [f"THE SOURCE TREE IS SEARCHED: {run.root}"]


def test_the_tree_on_the_addons_path_is_seen(tmp_path):
    run = Run(tmp_path, f"odoo.addons.__path__.append({str(tmp_path / 'tree')!r})")
    assert run.judged() == [f"THE SOURCE TREE IS SEARCHED: {run.root}"]


def test_an_addon_from_the_tree_is_seen(tmp_path):
    run = Run(tmp_path, more=f"odoo.addons.__path__ = [{str(tmp_path / 'tree')!r}]")
    assert "pay: NOT LOADED FROM ITS ARCHIVE" in run.judged()


def test_a_witness_that_sees_nothing_is_no_witness(tmp_path):
    run = Run(tmp_path)
    report = {"seen": [], "sys_path": [], "addons_path": [], "addons": {}}
    report["addons"]["odoo.addons.pay"] = f"{run.unpacked}/pay/__init__.py"
    wrong = dist_check.judge(report, str(run.unpacked), ["pay"], str(run.root), run.sources)
    assert wrong == ["pay: THE WITNESS SAW NO TEST OF IT BEING READ"]
    assert "NO REPORT" in dist_check.judge(None, "", [], "", [])[0]


def test_an_older_report_does_not_count(tmp_path):
    run = Run(tmp_path)
    assert run.judged() == []
    report = dist_check.prepare_witness(run.here, [])
    assert not report.exists()


def test_a_script_of_the_tree_is_not_run_from_there(tmp_path):
    here = Here(tmp_path / "unpacked/addons", ROOT / "tools/odoo_launcher.py")
    here.root.mkdir(parents=True)
    dist_check.prepare_witness(here, [])
    facts = json.loads((tmp_path / "unpacked/dist_witness.json").read_text())
    assert facts["script"] == str(tmp_path / "unpacked/odoo_launcher.py")
    assert Path(facts["script"]).exists()


def test_a_name_that_odoo_has_is_told(tmp_path):
    here = Here(tmp_path, "")
    here.series, here.addons = "18.0", lambda: ["pay", "free"]
    addons = tmp_path / "odoo"
    (addons / "pay").mkdir(parents=True)
    (addons / "pay/__manifest__.py").write_text("{}")
    here.source = odoo_source.OdooSource(str(tmp_path), "18.0", "", "", "", (str(addons),), "")
    assert dist_check.taken(here) == ["pay: Odoo 18.0 HAS AN ADDON OF THAT NAME"]
