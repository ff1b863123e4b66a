"""What README files and docs/ point at is there: files, headings, pictures, commands; and both languages."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import cli  # noqa: E402

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# paths in the text itself: `tests/e2e/pos.py`, `payment_paybox/tests/simulator.py --port 8787`
FOLDERS = "|".join(path.parent.name for path in ROOT.glob("*/__manifest__.py"))
NAMED = re.compile(rf"(?<![\w/.<])((?:tools|tests|docs|changes|{FOLDERS})/[\w./-]*\w)(?![\w*<-])")
EXAMPLES = {"tests/bench/NAME.py"}


def text_of(page):
    """A page's text."""
    return page.read_text(encoding="utf-8")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain}


def name(page):
    """A page's path, for messages."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    missing = []
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.suffix == ".md" and target.exists()
        if not target.exists() or (anchor and inside and anchor not in anchors(target)):
            missing.append(link)
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_files_are_there(page):
    found = NAMED.findall(re.sub(r"\]\([^)]*\)", "]", text_of(page)))
    # "tests/simulator.py" is that of the page's addon, or of each of them
    assert (
        not {path for path in found if not any(ROOT.glob(path)) and not any(ROOT.glob(f"*/{path}"))}
        - EXAMPLES
    )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page):
    known = re.findall(r"^ {4}(\w+)", cli.build_parser().format_help(), re.MULTILINE)
    assert not set(re.findall(r"\./dev ([a-z]+)", text_of(page))) - set(known)


def test_each_page_in_both_languages():
    english, french = (
        {page.name: page for page in (ROOT / "docs" / code).glob("*.md")} for code in ("en", "fr")
    )
    assert english and english.keys() == french.keys()
    for title, page in english.items():
        other = text_of(french[title])
        assert f"(../fr/{title})" in text_of(page) and f"(../en/{title})" in other
        # the same chapters, the same number of rows and steps, so that neither falls behind
        assert len(re.findall(r"^## ", text_of(page), re.MULTILINE)) == len(
            re.findall(r"^## ", other, re.MULTILINE)
        )


def test_each_picture_is_shown_and_small():
    everything = "".join(map(text_of, PAGES))
    pictures = sorted((ROOT / "docs/images").glob("*.png"))
    assert pictures
    assert not [picture.name for picture in pictures if picture.name not in everything]
    assert not [picture.name for picture in pictures if picture.stat().st_size > 300_000]
