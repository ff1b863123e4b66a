"""Debian packages without root: a private apt that reads the machine's mirror, downloads and unpacks.

The system's own sources and package lists are never touched. The mirror's address and whatever else the
administrator configured (a proxy, certificates) come from the machine's apt configuration.
"""

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from . import processes
from .cache import make_directory
from .report import Problem

UNSTABLE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def available():
    """True on a machine whose apt has a Debian mirror to read."""
    tools = all(shutil.which(tool) for tool in ("apt-get", "apt-cache", "dpkg-deb", "tar"))
    return tools and KEYRING.exists() and bool(_mirrors())


def _mirrors():
    """Return (address, release codename) of the machine's Debian archives, the base release first."""
    command = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(ORIGIN)",
        "Created-By: Packages",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=processes.clean_environment(), check=False
    )
    rows = [line.split(" ") for line in done.stdout.splitlines()]
    found = [(row[0], row[1] or _own_codename()) for row in rows if _is_base(row)]
    return list(dict.fromkeys(found))


def _is_base(row):
    """True for the archive that also holds unstable: not security, updates or another vendor."""
    address, codename = row[0].rstrip("/"), row[1]
    return address.endswith("/debian") and "-" not in codename


def _own_codename():
    text = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=\"?(\w+)", text, re.M)
    return found.group(1) if found else "stable"


class PrivateApt:
    """An apt of our own in a directory; sources: the machine's mirror, its own release and unstable."""

    def __init__(self, home, state):
        self.home, self.state = make_directory(Path(home)), state
        self.log = Path(state) / "apt.log"
        mirrors = _mirrors()
        if not mirrors:
            raise Problem("No Debian mirror stands in this machine's apt configuration.")
        self.address, self.release = mirrors[0]
        for name in ("lists/partial", "archives/partial", "etc"):
            make_directory(self.home / name)
        lines = [f"deb [signed-by={KEYRING}] {self.address} {suite} main" for suite in self.suites]
        (self.home / "etc/sources.list").write_text("\n".join(lines) + "\n")

    @property
    def suites(self):
        """The machine's own release and unstable (once when they are the same)."""
        return list(dict.fromkeys([self.release, UNSTABLE]))

    def _command(self, program, *arguments):
        options = {
            "Dir::Etc::SourceList": self.home / "etc/sources.list",
            "Dir::Etc::SourceParts": "-",
            "Dir::State::Lists": self.home / "lists",
            "Dir::Cache": self.home,
            "Dir::Cache::Archives": self.home / "archives",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        return [program, "-q", *[f"-o{name}={value}" for name, value in options.items()], *arguments]

    def update(self):
        """Fetch the package index of both releases."""
        command = self._command("apt-get", "update", "--error-on=any")
        self._check(command, "The Debian package index cannot be fetched: is there a network?")

    def versions(self, wanted):
        """Return the newest version of each (package, suite) of a list; a Problem when a suite lacks one."""
        done = subprocess.run(
            self._command("apt-cache", "madison", *dict(wanted)),
            capture_output=True,
            text=True,
            check=False,
            env=processes.clean_environment(),
        )
        rows = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
        known = {}
        for package, version, place in (row for row in rows if len(row) == 3 and row[2].endswith("Packages")):
            known.setdefault((package, place.split(" ")[1].partition("/")[0]), version)
        if missing := [f"{package} ({suite})" for package, suite in wanted if (package, suite) not in known]:
            raise Problem(f"This machine's Debian mirror has no {', '.join(missing)}.")
        return [known[pair] for pair in wanted]

    def download(self, wanted):
        """Download packages, wanted: list of (package, suite); returns their files in the same order."""
        names = [
            f"{package}={version}"
            for (package, _suite), version in zip(wanted, self.versions(wanted), strict=True)
        ]
        target = make_directory(self.home / "debs")
        problem = "The Debian packages cannot be downloaded: is there a network?"
        self._check(self._command("apt-get", "download", *names), problem, cwd=target)
        return [_deb_file(target, name) for name in names]

    def _check(self, command, problem, cwd=None):
        environment = processes.clean_environment({"DEBIAN_FRONTEND": "noninteractive"})
        processes.check(command, self.state, self.log, "apt", problem, environment=environment, cwd=cwd)


def _deb_file(target, name):
    package, _equals, version = name.partition("=")
    found = list(target.glob(f"{package}_{version.replace(':', '%3a')}_*.deb"))
    if not found:
        raise Problem(f"apt said it had downloaded {name}, but {target} does not hold it.")
    return found[0]


def unpack(deb, target, keep=lambda name: True):
    """Unpack a package's files into target; keep(name) says which ("usr/bin/odoo": no leading dot)."""
    reader = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
    try:
        with tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
            for member in archive:
                if not member.isdir() and keep(member.name.removeprefix("./")):
                    archive.extract(member, target, set_attrs=False)
                    _restore_mode(member, Path(target))
    except (tarfile.TarError, OSError) as error:
        raise Problem(f"{Path(deb).name} cannot be unpacked: {error}.") from error
    finally:
        reader.stdout.close()
        reader.wait()


def _restore_mode(member, target):
    if member.isfile():
        (target / member.name).chmod(0o755 if member.mode & 0o100 else 0o644)


def install(packages, state, why):
    """Install packages into the system with apt; only root can. A Problem says what went wrong."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Problem(f"{why} Install it with your system's packages: {' '.join(packages)}.")
    environment = processes.clean_environment({"DEBIAN_FRONTEND": "noninteractive"})
    log = Path(state) / "apt.log"
    install_command = ["apt-get", "-q", "install", "-y", "--no-install-recommends", *packages]
    for command in (["apt-get", "-q", "update"], install_command):
        processes.check(
            command, state, log, "apt", f"{why} apt could not install it.", environment=environment
        )
