"""Python for Odoo and the tests: which interpreter, and a private virtual environment per series."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import cache, debian, processes
from .report import Problem, say, step

REQUIREMENTS = Path(__file__).with_name("requirements")
ADDON_REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
# Wheels exist for these: one pin of Odoo's list does not resolve on 3.10, gevent 24.2.1 has none for 3.13.
VERSIONS = ("3.12", "3.11")
SOURCE_ONLY = "docopt,ofxparse"  # pure Python, published without a wheel; everything else must be one
PROBE = (
    "import json, sys, venv\n"
    "try:\n    import ensurepip\nexcept ImportError:\n    ensurepip = None\n"
    "program = getattr(sys, '_base_executable', None) or sys.executable\n"  # not the virtual environment's
    "print(json.dumps(['%d.%d' % sys.version_info[:2], sys.version.split()[0], program, bool(ensurepip)]))"
)
PIP_WHEELS = Path("/usr/share/python-wheels")


def probe(command):
    """Return [minor version, full version, real path, has pip's installer] of an interpreter, or None.

    It is run, because a command that exists may still be a shim for a version that does not.
    """
    try:
        done = subprocess.run(
            [command, "-I", "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=30,
            cwd="/",
            env=processes.clean_environment(),
            check=False,
        )
        return json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _candidates(version):
    """Return commands that may be a Python of a version ("3.12"), the likeliest first."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path("~/.pyenv").expanduser()) / "versions"
    found = [shutil.which(f"python{version}"), f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"]
    found += sorted((str(path) for path in pyenv.glob(f"{version}.*/bin/python")), reverse=True)
    return [path for path in dict.fromkeys(found) if path and os.path.exists(path)]


def choose_python(series, given=None):
    """Return (probe result, reason) of the interpreter for a series; given: a command that must be taken."""
    if given:
        facts = probe(given)
        if not facts or facts[0] not in VERSIONS:
            raise Problem(f"{given} is no Python {' or '.join(VERSIONS)} that runs.")
        return facts, "as given"
    running = probe(sys.executable)
    if running and running[0] in VERSIONS and (series == "19.0" or running[0] == VERSIONS[0]):
        return running, "it runs this command and suits"
    for version in VERSIONS:
        for command in _candidates(version):
            facts = probe(command)
            if facts and facts[0] == version:
                return facts, "the first that suits" + (
                    "" if version == VERSIONS[0] else f", no {VERSIONS[0]} here"
                )
    raise Problem(
        f"No suitable Python was found: Odoo needs {' or '.join(VERSIONS)} (install python3.11 or "
        "python3.12, or name one with --python)."
    )


def odoo_requirements(series):
    """Return the requirement files of a series' environment."""
    names = ["odoo.txt", "test.txt"] + (["odoo-before-19.txt"] if series != "19.0" else [])
    return [ADDON_REQUIREMENTS, *[REQUIREMENTS / name for name in names]]


def for_odoo(series, state, given=None):
    """Return the Python that runs Odoo and the tests of a series, its environment built if needed."""
    facts, reason = choose_python(series, given)
    say(f"Python {facts[1]}: {facts[2]} ({reason})")
    return build(f"odoo-{series}", odoo_requirements(series), facts, state)


def build(name, requirements, facts, state):
    """Return the Python of a cached environment called name, made from requirement files with an interpreter.

    facts: what probe() returned for the interpreter. The environment is keyed by all of it.
    """
    key = cache.key_of(cache.files_key(requirements), facts[1], facts[2], SOURCE_ONLY)
    path = cache.entry("python", name, key, lambda target: _make(name, target, requirements, facts, state))
    return path / "bin" / "python"


def _make(name, target, requirements, facts, state):
    cache.need_space(target, 1, "the Python environment")
    with step(f"installing the Python environment {name}"):
        _make_empty(target, facts, state)
        files = [argument for path in requirements for argument in ("-r", str(path))]
        pip_install(target / "bin" / "python", files, state)


def _make_empty(target, facts, state):
    """Make a virtual environment with pip, also where Debian's python3 came without its venv package."""
    log = Path(state) / "pip.log"
    command = [facts[2], "-I", "-m", "venv", *([] if facts[3] else ["--without-pip"]), target]
    problem = f"A virtual environment cannot be made with {facts[2]}."
    processes.check(command, state, log, "venv", problem)
    if not facts[3]:
        wheel = _pip_wheel(target, state)
        command = [target / "bin" / "python", wheel / "pip", "install", "--no-index", "--no-deps", wheel]
        processes.check(command, state, log, "pip", problem)


def _pip_wheel(target, state):
    """Return a wheel of pip: the machine's own, or the one in Debian's package python3-pip-whl."""
    found = sorted(PIP_WHEELS.glob("pip-*.whl"))
    if not found and debian.available():
        apt = debian.PrivateApt(target / "apt", state)
        with step("fetching pip from Debian"):
            apt.update()
            debian.unpack(apt.download([("python3-pip-whl", apt.release)])[0], target / "apt" / "root")
        found = sorted((target / "apt" / "root").glob("usr/share/python-wheels/pip-*.whl"))
    if not found:
        raise Problem("This Python comes without pip: install the package python3-venv.")
    return found[0]


def pip_install(python, arguments, state):
    """Install wheels with an environment's pip, which reads the machine's own pip configuration."""
    environment = processes.clean_environment({"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"})
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--only-binary",
        ":all:",
        "--no-binary",
        SOURCE_ONLY,
        *arguments,
    ]
    processes.check(
        command,
        state,
        Path(state) / "pip.log",
        "pip",
        "Python packages cannot be installed: is there a network?",
        environment=environment,
    )
