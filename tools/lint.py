"""``./dev lint``: every linter, each as one step with its time and findings; exit code 1 if there is any.

All steps run even when one finds something or cannot run: what could not be checked is a finding, never
silence.
"""

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from . import cache, lint_environment, suite_check
from .context import Context
from .report import Problem, Step, say

MOST_SHOWN = 60  # findings of one step; all of them with --only
PRETTY_SUFFIXES = {".xml", ".js", ".mjs", ".css", ".scss"}
SCRIPT_SUFFIXES = {".js", ".mjs"}
NO_ADDON = ["no addon found: nothing was checked"]


@dataclasses.dataclass
class Lint:
    """One run: the tree that is read, and the tools that read it, each made when first needed."""

    context: Context
    fix: bool = False
    prepared: dict = dataclasses.field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Folder of the tree."""
        return self.context.root

    @functools.cached_property
    def files(self) -> list:
        """Files of the project, third-party libraries left out."""
        return [path for path in suite_check.project_files(self.root) if "lib" not in path.parts]

    @functools.cached_property
    def addons(self) -> list:
        """Names of the addons' folders at the root."""
        return self.context.addons()

    def prepare(self, kind: str) -> object:
        """What ``BUILDERS`` makes of one kind. A failure is remembered and not tried again."""
        if kind not in self.prepared:
            try:
                self.prepared[kind] = BUILDERS[kind](self.context)
            except Exception as problem:
                self.prepared[kind] = problem
        if isinstance(self.prepared[kind], Exception):
            raise self.prepared[kind]
        return self.prepared[kind]

    def files_with(self, suffixes: set) -> list:
        """Files with one of the suffixes, as text relative to the root."""
        return [str(path.relative_to(self.root)) for path in self.files if path.suffix in suffixes]

    def run(self, command: list, **extra: str) -> subprocess.CompletedProcess:
        """Run a linter in the root and return what it printed; its caches stay out of the tree."""
        environment = {
            **os.environ,
            "NO_COLOR": "1",
            "PYLINTHOME": str(cache.root() / "pylint"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RUFF_CACHE_DIR": str(cache.root() / "ruff"),
            **extra,
        }
        options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
        return subprocess.run(command, cwd=self.root, env=environment, **options)

    def python_tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run one of the Python linters."""
        return self.run([str(self.prepare("python") / name), *arguments])

    def node_tool(self, script: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run a script of the npm packages, e.g. "eslint/bin/eslint.js"."""
        node = self.prepare("node")
        return self.run([*node.command(script), *arguments], NODE_PATH=str(node.packages))


def findings_of(done: subprocess.CompletedProcess, lines: list, usual_codes: tuple = (0, 1)) -> list:
    """The findings read from a finished linter, plus one if it failed in a way they do not explain."""
    if done.returncode and (not lines or done.returncode not in usual_codes):
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        return [*lines, f"{Path(done.args[0]).name} ended with code {done.returncode}: {' / '.join(said)}"]
    return lines


def _lines(text: str) -> list:
    return [line for line in text.splitlines() if line.strip()]


# ------------------------------------------------------------------------------
# Python
# ------------------------------------------------------------------------------


def ruff(lint: Lint) -> list:
    """Ruff's rules (ruff.toml)."""
    fix = ["--fix"] if lint.fix else []
    done = lint.python_tool("ruff", "check", "--quiet", "--output-format=concise", *fix, ".")
    return findings_of(done, _lines(done.stdout))


def ruff_format(lint: Lint) -> list:
    """Ruff's layout of Python files."""
    mode = [] if lint.fix else ["--check", "--output-format=concise"]
    done = lint.python_tool("ruff", "format", *mode, ".")
    # the last line only counts
    return findings_of(done, [line for line in _lines(done.stdout) if ": " in line])


def pylint(lint: Lint) -> list:
    """pylint-odoo (.pylintrc)."""
    if not lint.addons:
        return NO_ADDON
    done = lint.python_tool("pylint", "--rcfile=.pylintrc", *lint.addons)
    lines = [line for line in _lines(done.stdout) if not line.startswith("*****")]
    # the code is a sum of the kinds of findings, and 32 is wrong usage
    return findings_of(done, lines, tuple(range(32)))


def oca(lint: Lint) -> list:
    """OCA's checks of modules and translations (.oca_hooks.cfg)."""
    found = [*NO_ADDON] if not lint.addons else []
    po_files = lint.files_with({".po", ".pot"})
    for name, subjects in (("oca-checks-odoo-module", lint.addons), ("oca-checks-po", po_files)):
        if subjects:
            done = lint.python_tool(name, "--config=.oca_hooks.cfg", *subjects)
            # a blank line ends a finding of several lines
            blocks = [" ".join(block.split()) for block in done.stdout.split("\n\n")]
            found += findings_of(done, [block for block in blocks if block])
    return found


# ------------------------------------------------------------------------------
# XML, JavaScript and CSS
# ------------------------------------------------------------------------------


def prettier(lint: Lint) -> list:
    """Prettier's layout (prettier.config.mjs)."""
    files = lint.files_with(PRETTY_SUFFIXES)
    mode = "--write" if lint.fix else "--list-different"
    done = lint.node_tool("prettier/bin/prettier.cjs", "--config=prettier.config.mjs", mode, *files)
    lines = [] if lint.fix else [f"{line}: layout" for line in _lines(done.stdout)]
    errors = [line.removeprefix("[error] ") for line in _lines(done.stderr) if line.startswith("[error] ")]
    return findings_of(done, lines + [line for line in errors if ": " in line], (0, 1, 2))


def eslint(lint: Lint) -> list:
    """eslint (eslint.config.mjs)."""
    files = lint.files_with(SCRIPT_SUFFIXES)
    fix = ["--fix"] if lint.fix else []
    options = ["--config=eslint.config.mjs", "--format=json", "--max-warnings=0", *fix]
    done = lint.node_tool("eslint/bin/eslint.js", *options, *files)
    try:
        reports = json.loads(done.stdout)
    except ValueError:
        return findings_of(done, [], ()) or ["eslint printed nothing that can be read"]
    lines = [
        f"{Path(report['filePath']).relative_to(lint.root)}:{message.get('line', 1)}: "
        f"[{message['ruleId'] or 'syntax'}] {message['message']}"
        for report in reports
        for message in report["messages"]
    ]
    return findings_of(done, lines)


# ------------------------------------------------------------------------------
# The suite's own
# ------------------------------------------------------------------------------


def suite(lint: Lint) -> list:
    """The suite's own rules, and whether `./dev readme` or `./dev changelog` would change anything."""
    found = [str(finding) for finding in suite_check.check_tree(lint.root)]
    changes = str(Path(__file__).with_name("changelog.py"))
    done = lint.python_tool("python", changes, str(lint.root), "--check")
    found += findings_of(done, _lines(done.stdout))
    try:
        script = str(Path(__file__).with_name("readme.py"))
        done = lint.python_tool("python", script, str(lint.root), "--check")
    except Exception as problem:
        return [*found, f"README files could not be compared: {_sentence(problem)}"]
    return found + findings_of(done, _lines(done.stdout))


def i18n(lint: Lint) -> list:
    """Translations complete, .pot files as Odoo would export them now."""
    if not lint.addons:
        return NO_ADDON
    found, arguments = [], []
    try:
        arguments = ["--exported", str(lint.prepare("terms"))]
    except Exception as problem:
        found = [f".pot files could not be compared: {_sentence(problem)}"]
    script = str(Path(__file__).with_name("lint_translations.py"))
    done = lint.python_tool("python", script, str(lint.root), *arguments)
    return found + findings_of(done, _lines(done.stdout))


def export_terms(context: Context) -> Path:
    """Folder with a freshly exported ``<addon>.pot`` of every addon."""
    folder = context.state / "terms"
    shutil.rmtree(folder, ignore_errors=True)
    cache.make_directory(folder)
    for addon in context.addons():
        context.export_pot(addon, folder / f"{addon}.pot")
    return folder


# ------------------------------------------------------------------------------
# The command
# ------------------------------------------------------------------------------

BUILDERS: dict[str, Callable[[Context], object]] = {
    "python": lint_environment.python_tools,
    "node": lint_environment.node_tools,
    "terms": export_terms,
}
# name -> (function, what it needs of BUILDERS)
STEPS: dict[str, tuple[Callable[[Lint], list], tuple]] = {
    "ruff": (ruff, ("python",)),
    "format": (ruff_format, ("python",)),
    "pylint": (pylint, ("python",)),
    "oca": (oca, ("python",)),
    "prettier": (prettier, ("node",)),
    "eslint": (eslint, ("node",)),
    "suite": (suite, ("python",)),
    "i18n": (i18n, ("python", "terms")),
}


def run_step(name: str, lint: Lint) -> list:
    """Run one step, print its line with time and count, and return its findings, one text each."""
    function, kinds = STEPS[name]
    for kind in kinds:  # before the step begins: what has to be made shows steps of its own
        with contextlib.suppress(Exception):  # suite-check: ok remembered, and raised again in the step
            lint.prepare(kind)
    running = Step(name)
    try:
        found = function(lint)
    except Exception as problem:  # a linter that cannot run is a finding, and the others still run
        found = [f"could not run: {_sentence(problem)}"]
    except BaseException:
        running.finish("stopped")
        raise
    running.finish(f"{len(found)} finding{'s' if len(found) != 1 else ''}" if found else "clean")
    return found


def _sentence(problem: Exception) -> str:
    return str(problem) if isinstance(problem, Problem) else f"{type(problem).__name__}: {problem}"


def _print_findings(found: list, most: int):
    for line in found[:most]:
        say(f"    {line}")
    if len(found) > most:
        say(f"    and {len(found) - most} more (--only NAME shows all)")


def parse(arguments: list) -> argparse.Namespace:
    """Options of the command: ``only`` (list of step names, None for all) and ``fix``."""
    parser = argparse.ArgumentParser(prog="./dev lint", description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(STEPS), help="one step (may be repeated)")
    parser.add_argument("--fix", action="store_true", help="let ruff, prettier and eslint mend what they can")
    return parser.parse_args(arguments)


def main(arguments: list, context: Context | None = None) -> int:
    """Run the linters over the tree; 0 if nothing was found, else 1."""
    options = parse(arguments)
    own = context or Context()
    try:
        return _run(options, Lint(own, options.fix))
    finally:
        if context is None:
            own.close()


def _run(options: argparse.Namespace, lint: Lint) -> int:
    names = options.only or list(STEPS)
    failed = 0
    for name in names:
        found = run_step(name, lint)
        _print_findings(found, len(found) if options.only else MOST_SHOWN)
        failed += bool(found)
    say(f"lint: {len(names) - failed} passed, {failed} failed")
    return int(failed > 0)
