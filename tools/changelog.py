"""`./dev changelog`: CHANGELOG.md, made from the folder changes/.

    python tools/changelog.py ROOT [--check] [--release NAME]

One small file for each change, so that two branches never meet in one line:

    changes/unreleased/<what>.<kind>.md    <kind> is a key of KINDS; the text is one paragraph without "- "
    changes/<release>/<what>.<kind>.md     what a release contained; --release NAME makes the folder

--check writes nothing and prints what is out of date, or is no such file. Standard library only.
"""

import argparse
import re
import sys
from pathlib import Path

KINDS = {
    "security": "Security",
    "added": "Added",
    "changed": "Changed",
    "fixed": "Fixed",
    "removed": "Removed",
}
FOLDER, UNRELEASED = "changes", "unreleased"
HEAD = """\
<!-- Made by ./dev changelog from the files in changes/: add one there. -->

# Changes

The newest first. Addon versions are those of their manifests; Odoo puts the series in front (19.0.1.0.0).
"""


def releases(root: Path) -> list[Path]:
    """Return the folders below changes/: what is not released yet, then releases, the newest first."""
    folders = [path for path in (root / FOLDER).iterdir() if path.is_dir()]
    return sorted(folders, key=lambda path: (path.name == UNRELEASED, _numbers(path.name)), reverse=True)


def _numbers(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


def problems(root: Path) -> list[str]:
    """Return a sentence for each file below changes/ that would not be understood."""
    found = []
    for folder in releases(root):
        for path in sorted(folder.iterdir()):
            if why := _why_not(path):
                found.append(f"{path.relative_to(root)}: {why}")
    return found


def _why_not(path: Path) -> str:
    if not re.fullmatch(rf"[a-z0-9_-]+\.({'|'.join(KINDS)})\.md", path.name):
        return f"call it <what>.<kind>.md, in small letters; kinds: {', '.join(KINDS)}"
    text = path.read_text(encoding="utf-8").strip()
    if not text:
        return "empty"
    return "one paragraph, no list and no heading" if text[0] in "-*#" or "\n\n" in text else ""


def section(folder: Path) -> str:
    """Return the part of one folder: its heading, then the changes by kind and by the names of the files."""
    title = "Unreleased" if folder.name == UNRELEASED else folder.name
    parts = [f"## {title}"]
    for kind, heading in KINDS.items():
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"*.{kind}.md"))]
        if texts:
            parts += [f"### {heading}", "\n".join(map(_item, texts))]
    return "\n\n".join(parts)


def _item(text: str) -> str:
    return "- " + "\n  ".join(line.strip() for line in text.strip().splitlines())


def compose(root: Path) -> str:
    """Return the text of CHANGELOG.md."""
    filled = [folder for folder in releases(root) if any(folder.iterdir())]
    return "\n\n".join([HEAD.rstrip(), *map(section, filled)]) + "\n"


def release(root: Path, name: str) -> None:
    """Make a release of what is in changes/unreleased; ValueError when that cannot be."""
    source, target = root / FOLDER / UNRELEASED, root / FOLDER / name
    if not re.fullmatch(r"\d[\w.-]*", name) or target.exists():
        raise ValueError(f"{name} is no name for a new release: it begins with a number and is not there yet")
    if not source.is_dir() or not any(source.iterdir()):
        raise ValueError("nothing has changed since the last release")
    source.rename(target)


def main(arguments: list) -> int:
    """Write CHANGELOG.md, or with --check print what is out of date; 1 when there is something to say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--release", metavar="NAME")
    options = parser.parse_args(arguments)
    if found := problems(options.root):
        print("\n".join(found))
        return 1
    if options.release and not options.check:
        try:
            release(options.root, options.release)
        except ValueError as error:
            print(error)
            return 1
    return _write(options.root / "CHANGELOG.md", compose(options.root), options.check)


def _write(path: Path, text: str, check: bool) -> int:
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{path.name}: out of date, run ./dev changelog" if check else f"  {path.name}")
    if not check:
        path.write_text(text, encoding="utf-8")
    return int(check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
