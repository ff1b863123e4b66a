"""`./dev dist`: one archive per addon, as the addons path of one series takes it, and one of the pages.

What goes in is the last commit, never the working tree: the same commit gives the same bytes, everywhere.
"""

import ast
import dataclasses
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

from .report import Problem, say

# Names that Odoo itself uses in a series (`--test` compares this with the Odoo it runs).
TAKEN = {"17.0": ("payment_ogone", "pos_viva_wallet"), "18.0": ("pos_viva_wallet",), "19.0": ()}
# Addresses that merchants have pasted into a provider's portal: they outlive the name of the addon.
KEPT = ("/pos_viva_wallet/notification",)
PAGES = "docs.zip"  # what the addons' pages link to, when it is unpacked beside them
MANIFEST, LICENSE, REQUIREMENTS, SUMS = "__manifest__.py", "LICENSE", "requirements.txt", "SHA256SUMS"
FIRST_YEAR = 1980  # of a zip


@dataclasses.dataclass(frozen=True)
class File:
    """One file of a commit."""

    data: bytes
    executable: bool = False


def build(root, series):
    """Write <root>/dist/<series> anew and return the paths of the addons' archives (list, sorted)."""
    files, moment = committed(root), commit_time(root)
    target = Path(root) / "dist" / series
    fresh = target.with_name(f"{series}.new")  # an archive that is there is always whole
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for addon in addons(files):
        name, content = packed(addon, files, series)
        write_zip(fresh / name, content, moment)
    if pages := documentation(files):
        write_zip(fresh / PAGES, pages, moment)
    (fresh / REQUIREMENTS).write_bytes(requirements(files))
    _write_sums(fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return sorted(path for path in target.glob("*.zip") if path.name != PAGES)


def documentation(files):
    """Return {path inside: File} of the suite's own pages and pictures, as they stand in the tree."""
    return {path: file for path, file in files.items() if re.match(r"docs/|[A-Z]+\.md$", path)}


def _write_sums(folder):
    """Write what `sha256sum -c` reads."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())
    ]
    (folder / SUMS).write_text("".join(lines))


# --- the commit ---


def committed(root):
    """Return {path: File} of the last commit; a Problem outside git."""
    # line ends as they are in the commit, whatever this machine prefers
    packed_tree = _git(root, "-c", "core.autocrlf=false", "-c", "core.eol=lf", "archive", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(packed_tree)) as tree:
        members = tree.getmembers()
        if links := [member.name for member in members if member.issym() or member.islnk()]:
            raise Problem(f"{links[0]} is a link: archives hold files only.")
        return {
            member.name: File(tree.extractfile(member).read(), bool(member.mode & 0o100))
            for member in members
            if member.isfile()
        }


def commit_time(root):
    """Return the time of the last commit (UTC) as a zip notes it."""
    seconds = int(_git(root, "log", "-1", "--format=%ct"))
    return max(time.gmtime(seconds)[:6], (FIRST_YEAR, 1, 1, 0, 0, 0))


def uncommitted(root, names):
    """Return the paths below these names that are not what the last commit says."""
    changed = _git(root, "status", "--porcelain", "-z", "--no-renames", "--", *names).decode()
    return [line[3:] for line in changed.split("\0") if line]


def _git(root, *arguments):
    if not shutil.which("git"):
        raise Problem("Archives are made of a commit: install git.")
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Problem(f"Archives are made of a commit, and git said: {done.stderr.decode().strip()[:300]}")
    return done.stdout


def addons(files):
    """Return the names of the addons among the files of a commit."""
    tops = sorted(path.partition("/")[0] for path in files if path.endswith(f"/{MANIFEST}"))
    found = [top for top in tops if f"{top}/{MANIFEST}" in files]
    if not found:
        raise Problem("There is no addon in the last commit.")
    return found


# --- one addon ---


def shipped_name(addon, series):
    """Return the name that an addon has in the archives of a series."""
    return f"servipay_{addon}" if addon in TAKEN[series] else addon


def packed(addon, files, series):
    """Return (name of the archive, {path inside: File}) of an addon."""
    name = shipped_name(addon, series)
    content = {}
    for path, file in files.items():
        if path.startswith(f"{addon}/"):
            inside = _path(path.removeprefix(f"{addon}/"), addon, name)
            content[f"{name}/{inside}"] = dataclasses.replace(file, data=adapted(inside, file.data, series))
    manifest = f"{name}/{MANIFEST}"
    text, version = stamped(content[manifest].data.decode(), series, addon)
    content[manifest] = File(text.encode())
    content[f"{name}/{LICENSE}"] = files[LICENSE]
    return f"{name}-{version}.zip", content


def _path(inside, addon, name):
    """Return the path of a file in its addon: a translation template has the addon's name."""
    return f"i18n/{name}.pot" if inside == f"i18n/{addon}.pot" else inside


def stamped(text, series, addon):
    """Return (the manifest's text for a series, its version).

    An addon with another name may not stand beside the one of Odoo: both have the same fields and addresses.
    """
    manifest = ast.literal_eval(text)
    version = manifest.get("version", "")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise Problem(f"The version of {addon} is {version or 'missing'}, not x.y.z.")
    wanted = {"version": f"{series}.{version}"}
    if addon in TAKEN[series]:
        wanted["excludes"] = [addon]
    lines = ",\n    ".join(f'"{key}": {value!r}'.replace("'", '"') for key, value in wanted.items())
    changed = re.sub(rf'"version":\s*"{re.escape(version)}"', lines, text)
    if ast.literal_eval(changed) != {**manifest, **wanted}:
        raise Problem(f"The version in the manifest of {addon} cannot be replaced.")
    return changed, wanted["version"]


def adapted(inside, data, series):
    """Return the bytes of a file with the names that a series takes replaced."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data  # a picture
    page = inside.endswith(".md") or inside.startswith("static/description/")
    for name in TAKEN[series]:
        text = (_renamed_in_page if page else _renamed_in_code)(text, name)
    return text.encode()


def _renamed_in_code(text, name):
    """Replace a name wherever it is a word, and in the XML id that Odoo gives to each module."""
    kept = "|".join(re.escape(address) for address in KEPT)
    pattern = rf"({kept})|(?<!\w)(module_)?{name}(?!\w)"
    return re.sub(pattern, lambda found: found[1] or f"{found[2] or ''}servipay_{name}", text)


def _renamed_in_page(text, name):
    """Replace a name in the paths of this addon only: the sentences are about Odoo's addon as well."""
    return re.sub(rf"(?<![\w/]){name}/", f"servipay_{name}/", text)


def requirements(files):
    """Return the tree's requirements.txt; a Problem when an addon needs what it does not name."""
    data = files[REQUIREMENTS].data
    named = {re.split(r"[\s<>=!~;\[]", line)[0] for line in data.decode().splitlines()}
    for addon in addons(files):
        manifest = ast.literal_eval(files[f"{addon}/{MANIFEST}"].data.decode())
        if missing := set(manifest.get("external_dependencies", {}).get("python", ())) - named:
            raise Problem(f"{REQUIREMENTS} does not name what {addon} needs: {', '.join(sorted(missing))}.")
    return data


# --- the archive ---


def write_zip(path, content, moment):
    """Write {path inside: File} with nothing in it that depends on the machine.

    Stored, not compressed: two builds of zlib do not make the same bytes.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_STORED
            entry.external_attr = (0o100755 if content[name].executable else 0o100644) << 16
            archive.writestr(entry, content[name].data)


def run(context):
    """Write the archives of the context's series, tell where, and return their paths."""
    made = build(context.root, context.series)
    for path in made:
        say(f"  {path.relative_to(context.root)}")
    if left := uncommitted(context.root, context.addons()):
        say(f"NOT IN THE ARCHIVES: {len(left)} files that are not committed ({', '.join(left[:3])}).")
    return made
