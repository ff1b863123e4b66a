"""`./dev readme`: what is made from the fragments, when it is out of date, and that ours is not."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import cli, readme  # noqa: E402

MANIFEST = '{"name": "Pay & go", "summary": "Short.", "license": "LGPL-3", "author": "Us"}'


def upper(text):
    """Stand for the conversion to HTML."""
    return f"<p>{text.upper()}</p>"


@pytest.fixture
def tree(tmp_path):
    """A tree with one addon that has the two required fragments."""
    (tmp_path / "demo/readme").mkdir(parents=True)
    (tmp_path / "demo/__manifest__.py").write_text(MANIFEST)
    (tmp_path / "demo/readme/DESCRIPTION.md").write_text("Pays.\n\n## More\n\n```sh\n# a comment\n```\n")
    (tmp_path / "demo/readme/ROADMAP.md").write_text("Nothing yet, été.\n")
    return tmp_path


def test_readme_has_title_headings_and_deeper_fragments(tree):
    assert readme.main([str(tree)], upper) == 0
    assert (tree / "demo/README.md").read_text(encoding="utf-8") == (
        f"{readme.NOTE}\n\n# Pay & go\n\nShort.\n\n## What it does\n\nPays.\n\n### More\n\n"
        "```sh\n# a comment\n```\n\n"
        "## What is not implemented\n\nNothing yet, été.\n\n## Licence\n\nLGPL-3. Maintained by: Us.\n"
    )


def test_page_is_converted_and_its_title_escaped(tree):
    readme.main([str(tree)], upper)
    page = (tree / "demo/static/description/index.html").read_text(encoding="utf-8")
    assert "<title>Pay &amp; go</title>" in page
    assert "NOTHING YET, ÉTÉ." in page
    assert readme.NOTE not in page


def test_fragments_come_in_their_order(tree):
    for name in ("USAGE", "INSTALL", "CONFIGURE"):
        (tree / f"demo/readme/{name}.md").write_text("Text.")
    _title, text = readme.compose(tree / "demo")
    found = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert found == [*readme.FRAGMENTS.values(), "Licence"]


@pytest.mark.parametrize("name", ["README.md", "static/description/index.html"])
def test_check_finds_what_is_out_of_date_and_writes_nothing(tree, capsys, name):
    readme.main([str(tree)], upper)
    assert readme.main([str(tree), "--check"], upper) == 0
    (tree / "demo" / name).write_text("changed by hand")
    capsys.readouterr()
    assert readme.main([str(tree), "--check"], upper) == 1
    assert capsys.readouterr().out == f"demo/{name}: out of date, run ./dev readme\n"
    assert (tree / "demo" / name).read_text() == "changed by hand"


def test_changed_fragment_is_found(tree, capsys):
    readme.main([str(tree)], upper)
    (tree / "demo/readme/ROADMAP.md").write_text("A lot.")
    capsys.readouterr()
    assert readme.main([str(tree), "--check"], upper) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_addon_without_a_required_fragment_is_found(tree, capsys):
    (tree / "demo/readme/ROADMAP.md").unlink()
    assert readme.main([str(tree), "--check"], upper) == 1
    assert capsys.readouterr().out == "demo/readme/ROADMAP.md: missing\n"


@pytest.mark.parametrize("addon", sorted(path.parent.name for path in ROOT.glob("*/__manifest__.py")))
def test_ours_is_up_to_date(addon):
    """The page is compared by ./dev lint, whose Python has `markdown`."""
    path = ROOT / addon / "README.md"
    assert path.read_text(encoding="utf-8") == readme.outputs(ROOT / addon, upper)[path]


def test_pages_load_nothing_from_elsewhere():
    pages = list(ROOT.glob("*/static/description/index.html"))
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not [word for word in ("src=", "<link", "<script", "@import", "url(") if word in text]


def test_relative_links_of_the_pages_lead_somewhere():
    """They were those of README.md, which lies two folders higher."""
    found = 0
    for page in ROOT.glob("*/static/description/index.html"):
        for link in re.findall(r'href="([^"#]*)', page.read_text(encoding="utf-8")):
            if link and "://" not in link and not link.startswith("mailto:"):
                found += 1
                assert (page.parent / link).exists(), (page, link)
    assert found > 20


def test_command():
    assert cli.parse(["readme", "--check"]).check is True
    assert cli.parse(["readme"]).run is cli.run_readme
