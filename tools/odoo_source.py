"""Where Odoo comes from: a path given, a cached copy, Debian's package, or a clone of the public repository.

Two layouts are known: a checkout (`odoo-bin`, `addons/`, `odoo/release.py`) and an unpacked package
(`odoo/` on a Python path, all addons in `odoo/addons`, perhaps a script `usr/bin/odoo` beside it).
"""

import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import cache, debian, processes
from .report import Problem, say, step

SERIES = ("17.0", "18.0", "19.0")
PACKAGED = {"19.0": "odoo-19"}
REPOSITORY = "https://github.com/odoo/odoo.git"
# What the package's links to fonts and scripts point at: from the machine's own release (unstable's Font
# Awesome 7 has other file names), and from unstable what older releases lack.
OWN_RELEASE_LINKS = (
    "fonts-font-awesome",
    "fonts-roboto-unhinted",
    "fonts-inconsolata",
    "fonts-ocr-b",
    "libjs-jquery",
    "libjs-underscore",
    "libjs-jquery-form",
)
UNSTABLE_LINKS = ("fonts-montserrat",)
# Debian leaves this script (blur of a call's background) out for its licence; without a file every back-end
# bundle complains.
LEFT_OUT_SCRIPT = "odoo/addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js"
TRANSLATIONS_KEPT = ("fr", "es")
LIBRARY = "usr/lib/python3/dist-packages"
# Configuration for a system service, documentation, and leftovers: all addons are in odoo/addons.
UNWANTED_PLACES = (
    "etc/",
    "lib/",
    "usr/share/doc/",
    f"{LIBRARY}/addons/",
    f"{LIBRARY}/doc/",
    f"{LIBRARY}/setup/",
)
RELEASE_PATTERN = re.compile(r"^version_info\s*=\s*\(\s*['\"]?(?:saas~)?(\d+)['\"]?\s*,\s*(\d+)", re.M)


@dataclasses.dataclass(frozen=True)
class OdooSource:
    """An Odoo that can be started: how, with which Python path and which core addons."""

    path: str
    series: str
    version: str
    script: str
    python_path: str
    addons_paths: tuple
    origin: str

    @property
    def key(self):
        """Changes whenever templates made with this Odoo should not be used any more."""
        return cache.key_of(self.series, self.version, self.origin)


def read_series(path):
    """Return the series ("19.0") in the release.py of the directory `odoo/` at path, or None."""
    try:
        found = RELEASE_PATTERN.search((Path(path) / "odoo" / "release.py").read_text(errors="replace"))
    except OSError:
        return None
    return f"{found.group(1)}.{found.group(2)}" if found else None


def open_source(path, series=None):
    """Return the OdooSource at path; a Problem when it is none, or not of the series wanted."""
    path = Path(path).expanduser().absolute()
    source = _checkout(path) or _package(path)
    if not source:
        raise Problem(f"{path} holds no Odoo: neither odoo-bin with odoo/release.py nor an unpacked package.")
    if series and source.series != series:
        raise Problem(
            f"{path} is Odoo {source.series}, not {series}: give --series {source.series} or another path."
        )
    if source.series not in SERIES:
        raise Problem(f"{path} is Odoo {source.series}; the suite runs on {', '.join(SERIES)}.")
    return source


def _checkout(path):
    series = read_series(path)
    if not series or not (path / "odoo-bin").exists() or not (path / "addons").is_dir():
        return None
    version = _git_version(path) or f"{series} at {path}"
    return OdooSource(
        str(path), series, version, str(path / "odoo-bin"), "", (str(path / "addons"),), "checkout"
    )


def _git_version(path):
    """Return the commit that is checked out (with the times of changed files), or None outside git."""
    head = _git(path, "rev-parse", "HEAD")
    return head and f"commit {head[:12]}" + (" with changes" if _git(path, "status", "-s", "-uno") else "")


def _git(path, *arguments):
    if not (path / ".git").exists() or not shutil.which("git"):
        return None
    command = ["git", "-c", f"safe.directory={path}", "-C", str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _package(path):
    for below in (".", LIBRARY, "lib/python3/dist-packages"):
        base = path / below
        series = read_series(base)
        if series and (base / "odoo/addons/base").is_dir():
            facts = cache.facts(path)
            script = _package_script(path)
            return OdooSource(
                str(path),
                series,
                facts.get("version") or f"{series} at {path}",
                str(script),
                str(base.resolve()),
                (),
                facts.get("origin", "package"),
            )
    return None


def _package_script(path):
    """Return the script that starts a package's Odoo: its own, or ours where it was unpacked without one.

    Never `python -m odoo`: a prefork server starts its evented process again from sys.argv[0].
    """
    for name in ("usr/bin/odoo", "bin/odoo"):
        if (path / name).exists():
            return path / name
    return Path(__file__).with_name("odoo_launcher.py")


def find(series, given=None, state=None):
    """Return the OdooSource of a series: the path given, ODOO_SOURCE, or a cached copy."""
    given = given or os.environ.get("ODOO_SOURCE")
    if given:
        source = open_source(given, series)
        say(f"Odoo {source.series}: {source.path} ({source.version}, as given)")
        return source
    path = cache.entry(
        "odoo",
        series,
        cache.key_of(series, OWN_RELEASE_LINKS, UNSTABLE_LINKS, TRANSLATIONS_KEPT),
        lambda target: _fetch(series, target, state),
    )
    source = open_source(path, series)
    say(f"Odoo {source.series}: {source.version}, {source.origin}")
    return source


def _fetch(series, target, state):
    cache.need_space(target, 3, f"Odoo {series}")
    if series in PACKAGED and debian.available():
        return _from_debian(series, target, state)
    return _from_git(series, target, state)


def _from_debian(series, target, state):
    """Unpack Debian's own package of a series, with what its links need, into target."""
    package = PACKAGED[series]
    scratch = target / "apt"
    apt = debian.PrivateApt(scratch, state)
    with step("reading Debian's package index"):
        apt.update()
    wanted = [(package, debian.UNSTABLE)]
    version = apt.versions(wanted)[0]
    wanted += [(name, apt.release) for name in OWN_RELEASE_LINKS]
    wanted += [(name, debian.UNSTABLE) for name in UNSTABLE_LINKS]
    with step(f"downloading {package} {version} from Debian unstable"):
        debs = apt.download(wanted)
    with step(f"unpacking {package}"):
        for deb in debs:
            debian.unpack(deb, target, _wanted_file)
        _complete(target)
    shutil.rmtree(scratch)
    return {"version": f"{package} {version}", "origin": "Debian unstable"}


def _wanted_file(name):
    """Say whether a file of a package is unpacked: no documentation, few of 832 MB of translations."""
    if name.startswith(UNWANTED_PLACES):
        return False
    folder, _slash, file = name.rpartition("/")
    return not folder.endswith("/i18n") or file.startswith(TRANSLATIONS_KEPT)


def _complete(target):
    """Put the stub of the left-out script in its place and check that no link leads nowhere."""
    stub = target / LIBRARY / LEFT_OUT_SCRIPT
    if stub.parent.parent.is_dir() and not stub.exists():
        cache.make_directory(stub.parent)
        stub.write_text(
            "/* Not part of Debian's package; the blur of a call's background is not available. */\n"
        )
    dangling = [path for path in target.rglob("*") if path.is_symlink() and not path.exists()]
    if dangling:
        names = ", ".join(str(path.relative_to(target)) for path in dangling[:5])
        raise Problem(
            f"{len(dangling)} links of Debian's Odoo package lead nowhere ({names}): "
            "another package is needed, see tools/odoo_source.py."
        )


def _from_git(series, target, state):
    """Clone one commit of a series from Odoo's public repository into target."""
    if not shutil.which("git"):
        raise Problem(f"Odoo {series} is not here and git is missing: install git, or give --odoo PATH.")
    command = ["git", "clone", "--depth", "1", "--branch", series, "--single-branch", REPOSITORY, str(target)]
    environment = processes.clean_environment({"GIT_TERMINAL_PROMPT": "0"})
    with step(f"cloning Odoo {series} from its public repository"):
        processes.check(
            command,
            state,
            Path(state) / "git.log",
            "git",
            f"Odoo {series} cannot be cloned from its public repository: give a checkout with --odoo PATH.",
            environment=environment,
        )
    return {"origin": "Odoo's public repository"}
