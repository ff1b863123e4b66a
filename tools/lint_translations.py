"""Translations: every .po complete, every .pot as Odoo would export it today.

Runs with the linters' Python, because it needs polib:

    python tools/lint_translations.py ROOT [--exported FOLDER]

``FOLDER`` holds a freshly exported ``<addon>.pot`` for each addon; without it no .pot file is compared.
Prints one finding a line, and exits with 1 if there is any.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import polib


def po_findings(po_path: Path, pot_path: Path) -> Iterator[str]:
    """What is wrong with one translation: gaps, fuzzy terms, terms the source no longer has."""
    if not po_path.is_file():
        yield "missing"
        return
    try:
        entries = polib.pofile(str(po_path))
        wanted = {_key(entry): entry for entry in polib.pofile(str(pot_path))} if pot_path.is_file() else {}
    except OSError as error:
        yield f"cannot be read: {error}"
        return
    present = {_key(entry) for entry in entries if not entry.obsolete}
    for entry in entries:
        if problem := _entry_problem(entry, wanted):
            yield f"{problem}: {_short(entry)}"
    yield from (f"missing: {_short(entry)}" for key, entry in wanted.items() if key not in present)


def _entry_problem(entry: polib.POEntry, wanted: dict) -> str:
    if entry.obsolete:
        return "obsolete"
    if entry.fuzzy:
        return "fuzzy"
    if not entry.translated():
        return "untranslated"
    return "not in the .pot file" if wanted and _key(entry) not in wanted else ""


def pot_findings(committed_path: Path, exported_path: Path) -> Iterator[str]:
    """How a committed .pot differs from a fresh export, whatever its order, header and line numbers."""
    for path in (committed_path, exported_path):
        if not path.is_file():
            yield f"missing: {path}"
            return
    committed, exported = (_terms(path) for path in (committed_path, exported_path))
    for key in sorted(exported.keys() - committed.keys(), key=str):
        yield f"new term: {_cut(key[1])}"
    for key in sorted(committed.keys() - exported.keys(), key=str):
        yield f"gone term: {_cut(key[1])}"
    for key in sorted(committed.keys() & exported.keys(), key=str):
        if changed := committed[key] ^ exported[key]:
            yield f"other places ({', '.join(sorted(changed)[:3])}): {_cut(key[1])}"


def _terms(path: Path) -> dict:
    """Term -> where it is used and its extracted comments, as a set of texts."""
    return {
        _key(entry): {place for place, _line in entry.occurrences} | set(entry.comment.splitlines())
        for entry in polib.pofile(str(path))
        if not entry.obsolete
    }


def _key(entry: polib.POEntry) -> tuple:
    return entry.msgctxt or "", entry.msgid, entry.msgid_plural or ""


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 70 else text[:69] + "…"


def _short(entry: polib.POEntry) -> str:
    return _cut(entry.msgid)


def tree_findings(root: Path, exported: Path | None) -> Iterator[str]:
    """Findings of every addon below ``root``, each with its file."""
    for manifest in sorted(root.glob("*/__manifest__.py")):
        folder, name = manifest.parent / "i18n", manifest.parent.name
        pot_path = folder / f"{name}.pot"
        for po_path in sorted({folder / "fr.po", *folder.glob("*.po")}):
            yield from (f"{po_path.relative_to(root)}: {text}" for text in po_findings(po_path, pot_path))
        if exported:
            found = pot_findings(pot_path, exported / f"{name}.pot")
            yield from (f"{pot_path.relative_to(root)}: {text}" for text in found)


def main(arguments: list) -> int:
    """Print the findings; 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--exported", type=Path)
    options = parser.parse_args(arguments)
    found = list(tree_findings(options.root, options.exported))
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
