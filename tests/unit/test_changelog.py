"""`./dev changelog`: what is made of the files in changes/, what is refused, and that ours is up to date."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import changelog, cli  # noqa: E402


@pytest.fixture
def tree(tmp_path):
    """A tree with two changes that are not released yet and one that is."""
    for name, text in {
        "unreleased/till.added.md": "A till.\n",
        "unreleased/clock.fixed.md": "The clock\nwent backwards.\n",
        "1.2/base.added.md": "The base.",
    }.items():
        path = tmp_path / "changes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def made(tree):
    """Run the command and return CHANGELOG.md."""
    assert changelog.main([str(tree)]) == 0
    return (tree / "CHANGELOG.md").read_text(encoding="utf-8")


def test_what_is_made(tree):
    assert made(tree) == (
        f"{changelog.HEAD}\n## Unreleased\n\n### Added\n\n- A till.\n\n### Fixed\n\n"
        "- The clock\n  went backwards.\n\n## 1.2\n\n### Added\n\n- The base.\n"
    )


def test_releases_by_number_the_newest_first(tree):
    for name in ("1.10", "1.9"):
        (tree / "changes" / name).mkdir()
        (tree / "changes" / name / "x.fixed.md").write_text("X.")
    headings = [line[3:] for line in made(tree).splitlines() if line.startswith("## ")]
    assert headings == ["Unreleased", "1.10", "1.9", "1.2"]


def test_release(tree):
    assert changelog.main([str(tree), "--release", "1.3"]) == 0
    text = (tree / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "Unreleased" not in text and "## 1.3\n\n### Added\n\n- A till." in text
    assert changelog.main([str(tree), "--release", "1.4"]) == 1  # nothing has changed


@pytest.mark.parametrize("name", ["1.2", "unreleased", "../up", ""])
def test_no_name_for_a_release(tree, name):
    with pytest.raises(ValueError, match="name"):
        changelog.release(tree, name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.md", "X."),
        ("x.new.md", "X."),
        ("X.fixed.md", "X."),
        ("x.fixed.txt", "X."),
        ("x.fixed.md", " \n"),
        ("x.fixed.md", "- X."),
        ("x.fixed.md", "# X"),
        ("x.fixed.md", "X.\n\nY."),
    ],
)
def test_what_is_refused(tree, capsys, name, text):
    (tree / "changes/unreleased" / name).write_text(text)
    assert changelog.main([str(tree)]) == 1
    assert capsys.readouterr().out.startswith(f"changes/unreleased/{name}: ")
    assert not (tree / "CHANGELOG.md").exists()


def test_check_writes_nothing(tree, capsys):
    assert changelog.main([str(tree), "--check"]) == 1
    assert capsys.readouterr().out == "CHANGELOG.md: out of date, run ./dev changelog\n"
    assert not (tree / "CHANGELOG.md").exists()
    made(tree)
    assert changelog.main([str(tree), "--check"]) == 0


def test_ours():
    assert changelog.problems(ROOT) == []
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8") == changelog.compose(ROOT)


def test_command():
    assert cli.parse(["changelog", "--check"]).check is True
    assert cli.parse(["changelog", "--release", "2"]).release == "2"
    assert cli.parse(["changelog"]).run is cli.run_changelog
