"""`./dev readme`: README.md and the description page of every addon, made from its readme/*.md fragments.

    python tools/readme.py ROOT [--check]    --check writes nothing and prints what is out of date

Run by the Python of the linters, which has `markdown` (tools/lint_config/requirements.txt). Odoo shows
static/description/index.html in its list of apps, GitHub and people read README.md.
"""

import argparse
import ast
import html
import sys
from collections.abc import Callable
from pathlib import Path

# fragment -> its heading; the names are OCA's
FRAGMENTS = {
    "DESCRIPTION": "What it does",
    "INSTALL": "Installation",
    "CONFIGURE": "Configuration",
    "USAGE": "Usage",
    "ROADMAP": "What is not implemented",
}
REQUIRED = ("DESCRIPTION", "ROADMAP")
NOTE = "<!-- Made by ./dev readme from the fragments in readme/: change those. -->"
# Odoo drops the style sheet and has its own; the class of the tables is Odoo's
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; line-height: 1.5; max-width: 60em; margin: 2em auto; padding: 0 1em; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #ccc; padding: 0.3em 0.6em; text-align: left; vertical-align: top; }}
pre {{ background: #f5f5f5; padding: 0.6em; overflow-x: auto; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def to_html(text: str) -> str:
    """Return Markdown (with tables and fenced code) as HTML."""
    import markdown

    page = markdown.markdown(text, extensions=["tables", "fenced_code", "sane_lists"], output_format="html")
    return page.replace("<table>", '<table class="table table-sm">')


def deeper(text: str) -> str:
    """Return a fragment with every heading one level down, as it stands below a heading of its own."""
    lines, in_code = [], False
    for line in text.strip().splitlines():
        in_code ^= line.startswith("```")
        lines.append(f"#{line}" if line.startswith("#") and not in_code else line)
    return "\n".join(lines)


def compose(addon: Path) -> tuple[str, str]:
    """Return (title, Markdown) of an addon's folder; FileNotFoundError names a required fragment."""
    manifest = ast.literal_eval((addon / "__manifest__.py").read_text(encoding="utf-8"))
    parts = [f"# {manifest['name']}", manifest.get("summary", "")]
    for name, heading in FRAGMENTS.items():
        path = addon / "readme" / f"{name}.md"
        if path.is_file() or name in REQUIRED:
            parts += [f"## {heading}", deeper(path.read_text(encoding="utf-8"))]
    parts += ["## Licence", f"{manifest['license']}. Maintained by: {manifest['author']}."]
    return manifest["name"], "\n\n".join(part for part in parts if part) + "\n"


def outputs(addon: Path, convert: Callable[[str], str] = to_html) -> dict[Path, str]:
    """Return {path: text} of what is made for an addon; convert turns Markdown into HTML."""
    title, text = compose(addon)
    # the page lies two folders deeper than README.md
    body = convert(text).replace('href="../', 'href="../../../')
    page = PAGE.format(title=html.escape(title), body=body)
    return {addon / "README.md": f"{NOTE}\n\n{text}", addon / "static/description/index.html": page}


def outdated(root: Path, convert: Callable[[str], str] = to_html) -> dict[Path, str]:
    """Return {path: text} of the files of all addons below root that differ from what would be made now."""
    wanted = {}
    for manifest in sorted(root.glob("*/__manifest__.py")):
        wanted |= outputs(manifest.parent, convert)
    return {path: text for path, text in wanted.items() if _read(path) != text}


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: list, convert: Callable[[str], str] = to_html) -> int:
    """Write the files, or with --check print those that are out of date; 1 if there are any, or no source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    try:
        changed = outdated(options.root, convert)
    except FileNotFoundError as error:
        print(f"{Path(error.filename).relative_to(options.root)}: missing")
        return 1
    for path, text in changed.items():
        name = path.relative_to(options.root)
        print(f"{name}: out of date, run ./dev readme" if options.check else f"  {name}")
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
