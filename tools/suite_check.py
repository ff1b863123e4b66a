#!/usr/bin/env python3
"""Static checks of the suite's own rules, about a second, standard library only.

    python3 tools/suite_check.py [ROOT]      one line a finding; exit code 1 if there is any

General linters know neither the three series nor the money rules. Each check below is one small function that
yields ``(line, text)`` pairs for one file; its name is the name of the finding. They look for what breaks a
series, loses money or opens a door; they are no proof.

A finding that is right as it stands is answered by a comment ``suite-check: ok <reason>`` on the same line,
or alone on the line above it. An answer without a reason answers nothing.
"""

import ast
import dataclasses
import functools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from xml.parsers import expat

Found = Iterator[tuple[int, str]]

LONGEST_FUNCTION = 60
SKIPPED_FOLDERS = {".git", ".cache", "node_modules", "__pycache__", ".venv", "venv", "dist", "build"}
PROTOCOL_ROOMS = {"api", "caisse_ap", "ogone", "paybox", "viva"}
HTTP_CLIENT = "paypercloud_servipay/models/http_client.py"
OWN_TRANSACTION = "paypercloud_servipay/models/own_transaction.py"
ANSWER = re.compile(r"suite-check: ok\b[\s:,-]*(?P<reason>[^\s*>-].*)?")

SECRET_NAME = re.compile(
    r"api_key|secret|password|passphrase|shakey|hmac_key|bearer|access_token|private_key"
)
AMOUNT_NAME = re.compile(r"(^|_)(amount|balance|price|residual|tip|total)s?(_|$)")
UNMASKED_NAME = re.compile(r"(^|_)(body|content|data|headers|payload|urls?)$")
LOG_METHODS = {"critical", "debug", "error", "exception", "info", "log", "warning"}
HTTP_LIBRARIES = {"aiohttp", "http.client", "httpx", "requests", "urllib.request", "urllib3"}
IMPURE_IMPORTS = {"asyncio", "odoo", "selectors", "socket", "ssl", "threading"} | HTTP_LIBRARIES
CLOCK_CALLS = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "time.time",
}
# POS paths that 17.0, 18.0 and 19.0 share
SHARED_POS = re.compile(
    r"@point_of_sale/(app/utils/utils|utils|app/screens/(payment_screen|receipt_screen|ticket_screen)/|app/pos_app)"
)
# method -> what a series says to it
SERIES_METHODS = {
    "check_access_rights": "deprecated since 18.0: record rules, or has_access behind a SERIES block",
    "check_access_rule": "deprecated since 18.0: record rules, or has_access behind a SERIES block",
    "name_get": "gone since 18.0: _compute_display_name",
    "read_group": "deprecated in 19.0: _read_group",
    "user_has_groups": "gone since 18.0: env.user.has_group",
}
GONE_XML_ATTRIBUTES = {"attrs": "gone since 17.0", "states": "gone since 17.0", "t-raw": "deprecated: t-out"}
GONE_XML_FIELDS = {
    "doall": "ir.cron field gone since 18.0",
    "groups_id": "renamed in 19.0: use the groups attribute",
    "numbercall": "ir.cron field gone since 18.0",
}
ANY_HOST = ("", "::", ".".join("0000"))
MOVED_GROUP_FIELDS = {"category_id", "privilege_id", "user_ids", "users"}


def _host(*labels: str) -> str:
    """Regular expression of a host name. The labels stand apart so that no host is spelt in this file."""
    return r"\b" + r"\.".join(labels) + r"\b"


REGISTRY_HOSTS = re.compile(
    "|".join(
        (
            _host("pypi", "org"),
            _host("pythonhosted", "org"),
            _host("npmjs", "(?:org|com)"),
            _host("yarnpkg", "com"),
            _host("(?:deb|ftp|ftp\\.[a-z]{2}|security|snapshot|httpredir)", "debian", "org"),
            _host("(?:archive|security|ports)", "ubuntu", "com"),
            _host("crates", "io"),
            _host("proxy", "golang", "org"),
        )
    )
)


# ------------------------------------------------------------------------------
# Files
# ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One answerable remark: file relative to the root, 1-based line, name of the check, what is wrong."""

    path: str
    line: int
    check: str
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: [{self.check}] {self.text}"


@dataclasses.dataclass(frozen=True)
class Element:
    """One XML element as it stands in the file: ``inside`` are its ancestors, outermost first."""

    tag: str
    attributes: dict
    line: int
    inside: tuple


class Source:
    """One text file and the forms in which the checks read it, each made once."""

    def __init__(self, root: Path, path: Path, addons: list):
        self.path = path
        self.relative = PurePosixPath(path.relative_to(root).as_posix())
        self.addon = next((addon for addon in addons if addon in path.parents), None)
        self.text = path.read_bytes().decode("utf-8", "replace")
        self.lines = self.text.splitlines()

    @property
    def in_tests(self) -> bool:
        """Whether the file belongs to a test folder (simulators are test code too)."""
        return "tests" in self.relative.parts

    @property
    def in_product(self) -> bool:
        """Whether the file is what an integrator installs: inside an addon and no test."""
        return self.addon is not None and not self.in_tests

    @property
    def room(self) -> str:
        """Name of the folder directly inside the addon, "" for files at its top or outside any addon."""
        parts = self.path.relative_to(self.addon).parts if self.addon else ()
        return parts[0] if len(parts) > 1 else ""

    @functools.cached_property
    def nodes(self) -> list:
        """Every syntax node of a Python file; [] where it does not parse (another check says so)."""
        try:
            return list(ast.walk(ast.parse(self.text)))
        except (SyntaxError, ValueError):
            return []

    @property
    def calls(self) -> Iterator[ast.Call]:
        """Every call of a Python file."""
        return (node for node in self.nodes if isinstance(node, ast.Call))

    @functools.cached_property
    def elements(self) -> list:
        """Every :class:`Element` of an XML file, up to the first error (another check says so)."""
        try:
            return _elements(self.text)
        except expat.ExpatError:
            return []

    def answered(self, line: int) -> bool:
        """Whether a comment with a reason stands on the line, or alone on the line above."""
        own = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        above = self.lines[line - 2].strip() if 1 < line <= len(self.lines) + 1 else ""
        candidates = [own] + ([above] if above.startswith(("#", "//", "<!--", "/*")) else [])
        return any((match := ANSWER.search(text)) and match["reason"] for text in candidates)


def _elements(text: str) -> list:
    parser = expat.ParserCreate()
    found, inside = [], []

    def start(tag, attributes):
        found.append(Element(tag, attributes, parser.CurrentLineNumber, tuple(inside)))
        inside.append(found[-1])

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _tag: inside.pop()
    parser.Parse(text.encode(), True)
    return found


def project_files(root: Path) -> list:
    """Files below ``root``, sorted: what git tracks or would track, all where git cannot say."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()
        paths = {root / name for name in listed.split("\0") if name}
    except (OSError, subprocess.SubprocessError):
        paths = set(root.rglob("*"))
    return sorted(
        path for path in paths if path.is_file() and not SKIPPED_FOLDERS & set(path.relative_to(root).parts)
    )


def addon_folders(files: list) -> list:
    """Folders of the addons among ``files``."""
    return [path.parent for path in files if path.name == "__manifest__.py"]


def _is_text(path: Path) -> bool:
    with path.open("rb") as stream:
        return b"\0" not in stream.read(8192)


# ------------------------------------------------------------------------------
# Running
# ------------------------------------------------------------------------------

CHECKS: dict[str, list] = {"manifest": [], "xml": [], "javascript": [], "python": [], "text": []}
KIND_OF_SUFFIX = {".xml": "xml", ".js": "javascript", ".py": "python"}


def check(kind: str) -> Callable:
    """Register the decorated function for one kind of file (a key of ``CHECKS``)."""

    def register(function):
        CHECKS[kind].append(function)
        return function

    return register


def _kinds(source: Source) -> list:
    kinds = ["text"]
    if source.path.suffix in KIND_OF_SUFFIX:
        kinds.append(KIND_OF_SUFFIX[source.path.suffix])
    if source.path.name == "__manifest__.py":
        kinds.append("manifest")
    return kinds


def check_source(source: Source) -> list:
    """All findings of one file that no comment answers, as :class:`Finding` in the order of the lines."""
    found = [
        Finding(str(source.relative), line, function.__name__.replace("_", "-"), text)
        for kind in _kinds(source)
        for function in CHECKS[kind]
        for line, text in function(source)
        if not source.answered(line)
    ]
    return sorted(set(found))


def check_tree(root: Path) -> list:
    """All findings below ``root`` as :class:`Finding`."""
    root = root.resolve()
    files = project_files(root)
    addons = addon_folders(files)
    return [
        finding for path in files if _is_text(path) for finding in check_source(Source(root, path, addons))
    ]


def main(arguments: list) -> int:
    """Print the findings below the given folder (default: here); 1 if there are any."""
    root = Path(arguments[0] if arguments else ".")
    found = check_tree(root)
    for finding in found:
        print(finding)
    if not found:
        print("suite_check: nothing found")
    return int(bool(found))


# ------------------------------------------------------------------------------
# Manifests
# ------------------------------------------------------------------------------


def _manifest(source: Source) -> dict:
    try:
        manifest = ast.literal_eval(source.text)
    except (SyntaxError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


@check("manifest")
def manifest_version(source: Source) -> Found:
    """A version that starts with a series makes the creation of any database crash on the other series."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", str(_manifest(source).get("version", ""))):
        yield 1, "version must be x.y.z (a series prefix breaks the other series)"


@check("manifest")
def manifest_license(source: Source) -> Found:
    """The whole suite is under one licence, and every addon names its author."""
    manifest = _manifest(source)
    if manifest.get("license") != "LGPL-3":
        yield 1, "license must be LGPL-3"
    if not manifest.get("author"):
        yield 1, "author is missing"


@check("manifest")
def addon_files(source: Source) -> Found:
    """Translations, icon and README belong to every addon."""
    addon = source.path.parent
    for name in (f"i18n/{addon.name}.pot", "i18n/fr.po", "static/description/icon.png"):
        if not (addon / name).is_file():
            yield 1, f"missing {name}"
    if not any((addon / name).is_file() for name in ("README.rst", "README.md")):
        yield 1, "missing README.rst or README.md"


# ------------------------------------------------------------------------------
# XML: what one of the three series refuses
# ------------------------------------------------------------------------------


@check("xml")
def xml_syntax(source: Source) -> Found:
    """Every XML file must be well-formed."""
    try:
        _elements(source.text)
    except expat.ExpatError as error:
        yield error.lineno, f"not well-formed: {expat.errors.messages[error.code]}"


@check("xml")
def old_list_view(source: Source) -> Found:
    """18.0 and 19.0 know only lists; the compatibility module turns them into trees for 17.0."""
    for element in source.elements:
        if element.tag == "tree":
            yield element.line, "<tree>: write <list>"
        if element.tag == "div" and "oe_chatter" in element.attributes.get("class", "").split():
            yield element.line, "old chatter: write <chatter/>"
    for number, line in enumerate(source.lines, 1):
        if re.search(r"name=\"view_mode\"[^>]*>[^<]*\btree\b", line):
            yield number, "view_mode tree: write list"


@check("xml")
def gone_attribute(source: Source) -> Found:
    """Attributes that a series no longer reads, written directly or through an inherited view."""
    for element in source.elements:
        named = {element.attributes.get("name")} if element.tag == "attribute" else set()
        for name in GONE_XML_ATTRIBUTES.keys() & (element.attributes.keys() | named):
            yield element.line, f"{name}: {GONE_XML_ATTRIBUTES[name]}"


@check("xml")
def search_group(source: Source) -> Found:
    """19.0's schema refuses these two attributes on a group of a search view."""
    for element in source.elements:
        if element.tag == "group" and any(parent.tag == "search" for parent in element.inside):
            for name in {"expand", "string"} & element.attributes.keys():
                yield element.line, f"search <group {name}=> is refused by 19.0: write a bare <group>"


@check("xml")
def gone_field(source: Source) -> Found:
    """Records that set a field which one of the series does not have."""
    for element in source.elements:
        name = element.attributes.get("name")
        if element.tag != "field" or not element.inside:
            continue
        parent = element.inside[-1]
        if parent.tag == "record" and name in GONE_XML_FIELDS:
            yield element.line, f"{name}: {GONE_XML_FIELDS[name]}"
        if parent.attributes.get("model") == "res.groups" and name in MOVED_GROUP_FIELDS:
            yield element.line, f"{name} on res.groups differs between series: set it through a <function>"


@check("xml")
def new_data_tag(source: Source) -> Found:
    """Data that only 19.0 accepts, or that 19.0 no longer does."""
    for element in source.elements:
        if element.tag == "asset" and element.inside and element.inside[-1].tag in ("odoo", "data"):
            yield element.line, "<asset> is known to 19.0 only: write <record model='ir.asset'>"
    for number, line in enumerate(source.lines, 1):
        if re.search(r"name=\"target\"[^>]*>\s*inline\b", line):
            yield number, "target inline is gone in 19.0: leave it out"


# ------------------------------------------------------------------------------
# JavaScript: what kills the point of sale of one series
# ------------------------------------------------------------------------------


def _odoo_script(source: Source) -> bool:
    return (
        source.addon is not None and "static" in source.relative.parts and "lib" not in source.relative.parts
    )


@check("javascript")
def moved_pos_import(source: Source) -> Found:
    """A static import of a path that a series lacks empties the whole page there."""
    parts = source.relative.with_suffix("").parts
    if not _odoo_script(source) or any(part == "compat" or part.startswith("pos_series") for part in parts):
        return
    for number, line in enumerate(source.lines, 1):
        match = re.search(r"(?:\bfrom|^\s*import)\s+[\"'](@point_of_sale/[^\"']+)[\"']", line)
        if match and not SHARED_POS.match(match[1]):
            yield number, f"static import of {match[1]} kills the POS where it moved: use the compat module"


@check("javascript")
def module_header(source: Source) -> Found:
    """17.0 treats a script without the header as plain text, and its exports are missing."""
    if _odoo_script(source) and "@odoo-module" not in source.text[:400]:
        yield 1, "17.0 needs the /** @odoo-module */ header"


# ------------------------------------------------------------------------------
# Python: helpers
# ------------------------------------------------------------------------------


def _dotted(node: ast.AST) -> str:
    """``self.env.cr`` for such a node; a part that is no name becomes "()"."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return "()"


def _last(node: ast.AST) -> str:
    return _dotted(node).rpartition(".")[2]


def _names(node: ast.AST) -> set:
    """Every identifier below the node: names and attribute names."""
    return {_last(part) for part in ast.walk(node) if isinstance(part, ast.Name | ast.Attribute)}


def _keywords(call: ast.Call) -> dict:
    return {keyword.arg: keyword.value for keyword in call.keywords}


def _constant(node: ast.AST | None):
    return node.value if isinstance(node, ast.Constant) else None


def _functions(source: Source) -> Iterator:
    return (node for node in source.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _imports(source: Source) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every absolute import."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _belongs(module: str, libraries: set) -> bool:
    return any(module == library or module.startswith(library + ".") for library in libraries)


# ------------------------------------------------------------------------------
# Python: any file
# ------------------------------------------------------------------------------


@check("python")
def python_syntax(source: Source) -> Found:
    """Every Python file must parse."""
    try:
        ast.parse(source.text)
    except SyntaxError as error:
        yield error.lineno or 1, f"does not parse: {error.msg}"
    except ValueError as error:
        yield 1, f"does not parse: {error}"


@check("python")
def long_function(source: Source) -> Found:
    """A function is read at one glance; its docstring counts, its decorators do not."""
    for function in _functions(source):
        length = function.end_lineno - function.lineno + 1
        if length > LONGEST_FUNCTION:
            yield function.lineno, f"{function.name} has {length} lines, {LONGEST_FUNCTION} at most"


@check("python")
def swallowed_exception(source: Source) -> Found:
    """An exception that vanishes is how money gets lost unseen."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler) and len(node.body) == 1 and _does_nothing(node.body[0]):
            if not source.answered(node.body[0].lineno):  # the reason may stand beside the pass
                yield node.lineno, "swallowed exception"
        elif isinstance(node, ast.Call) and _last(node.func) == "suppress":
            if {_last(argument) for argument in node.args} & {"Exception", "BaseException"}:
                yield node.lineno, "swallowed exception (suppress)"


def _does_nothing(statement: ast.AST) -> bool:
    ellipsis = isinstance(statement, ast.Expr) and _constant(statement.value) is ...
    return ellipsis or isinstance(statement, ast.Pass)


@check("python")
def evaluated_text(source: Source) -> Found:
    """No text becomes code: profiles and templates are data."""
    if source.in_tests:
        return
    for call in source.calls:
        if _dotted(call.func) in ("eval", "exec") or _last(call.func) == "safe_eval":
            yield call.lineno, f"{_last(call.func)}() turns data into code"


@check("python")
def format_on_variable(source: Source) -> Found:
    """``str.format`` on a text that is not a literal reads attributes of whatever it is given."""
    if source.in_tests:
        return
    for call in source.calls:
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("format", "format_map"):
            continue
        text = call.func.value
        # res.currency has a method of that name, and Markup's escapes
        other = "currency" in _last(text) or (isinstance(text, ast.Call) and _last(text.func) == "Markup")
        written_here = isinstance(text, ast.Constant | ast.JoinedStr) or _last(text).isupper()
        if not other and not written_here:
            yield call.lineno, "str.format on a text that is not a literal"


@check("python")
def unverified_tls(source: Source) -> Found:
    """Certificates are checked; an administrator's own authority is a CA bundle."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and _constant(_keywords(node).get("verify")) is False:
            yield node.lineno, "verify=False"
        elif isinstance(node, ast.Assign) and _constant(node.value) is False:
            if any(isinstance(target, ast.Attribute) and target.attr == "verify" for target in node.targets):
                yield node.lineno, "verify = False"


@check("python")
def http_without_timeout(source: Source) -> Found:
    """A call without a time-out waits for ever."""
    for call in source.calls:
        verb = re.fullmatch(r"requests\.(delete|get|head|patch|post|put|request)", _dotted(call.func))
        if verb and "timeout" not in _keywords(call):
            yield call.lineno, "HTTP call without a timeout"


@check("python")
def bind_everywhere(source: Source) -> Found:
    """The empty host and the unspecified address mean every interface."""
    for call in source.calls:
        address = call.args[0] if call.args else None
        if isinstance(address, ast.Tuple) and address.elts and _constant(address.elts[0]) in ANY_HOST:
            if _last(call.func) in ("bind", "create_server") or _last(call.func).endswith("Server"):
                yield call.lineno, "binds to every interface: use 127.0.0.1"


# ------------------------------------------------------------------------------
# Python: what an integrator installs
# ------------------------------------------------------------------------------


@check("python")
def open_secret_field(source: Source) -> Found:
    """A secret of a record is for a group; every other reader of the record would get it by RPC."""
    if not source.in_product or "wizard" in str(source.relative):
        return
    for node in source.nodes:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        name, kind = _last(node.targets[0]), _dotted(node.value.func)
        if kind in ("fields.Char", "fields.Text", "fields.Binary") and SECRET_NAME.search(name):
            if not {"groups", "related"} & _keywords(node.value).keys():
                yield node.lineno, f"secret field {name} has no groups="


@check("python")
def open_route(source: Source) -> Found:
    """A route without the CSRF check says why that is safe."""
    for function in _functions(source):
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and _last(decorator.func) == "route":
                unchecked = _constant(_keywords(decorator).get("csrf")) is False
                if unchecked and not ast.get_docstring(function):
                    yield function.lineno, f"csrf=False route {function.name} does not say why that is safe"


@check("python")
def second_http_client(source: Source) -> Found:
    """One client knows the time-outs, the refused targets, the log and the masks."""
    if not source.in_product or str(source.relative) == HTTP_CLIENT:
        return
    for line, module in _imports(source):
        if _belongs(module, HTTP_LIBRARIES):
            yield line, f"{module} outside the one HTTP client ({HTTP_CLIENT})"


@check("python")
def commit_outside_helper(source: Source) -> Found:
    """A commit in the middle of a request cannot be undone; what must survive has its own cursor."""
    if source.addon is None or str(source.relative) == OWN_TRANSACTION:
        return
    # a test may roll back: it proves what survives
    methods = ("commit",) if source.in_tests else ("commit", "rollback")
    for call in source.calls:
        owner, _, method = _dotted(call.func).rpartition(".")
        if method in methods and re.search(r"(^|\.|_)(cr|cursor)$", owner):
            yield call.lineno, f"cr.{method}() outside {OWN_TRANSACTION}"


@check("python")
def inexact_minor_units(source: Source) -> Found:
    """``int(19.99 * 100)`` is 1998: use api/amounts.py."""
    if source.addon is None:
        return
    for call in source.calls:
        product = call.args[0] if call.args and _dotted(call.func) in ("int", "round") else None
        if not isinstance(product, ast.BinOp) or not isinstance(product.op, ast.Mult):
            continue
        factors = (product.left, product.right)
        is_amount = any(AMOUNT_NAME.search(name) for name in _names(product))
        if is_amount or any(_is_power_of_ten(factor) for factor in factors):
            yield call.lineno, f"{_dotted(call.func)}(x * 100) on an amount: use api/amounts.py"


def _is_power_of_ten(node: ast.AST) -> bool:
    power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and _constant(node.left) == 10
    return power or _constant(node) == 100


@check("python")
def amount_as_float(source: Source) -> Found:
    """Amounts are Decimal or integers in minor units."""
    if not source.in_product:
        return
    for call in source.calls:
        if _dotted(call.func) == "float" and call.args:
            if any(AMOUNT_NAME.search(name) for name in _names(call.args[0])):
                yield call.lineno, "float() of an amount"


@check("python")
def printed(source: Source) -> Found:
    """An addon speaks through its logger."""
    if source.in_product:
        for call in source.calls:
            if _dotted(call.func) == "print":
                yield call.lineno, "print() in an addon: use the logger"


@check("python")
def formatted_markup(source: Source) -> Found:
    """``Markup`` escapes what is put in after it, never what is put in before."""
    for call in source.calls:
        if _last(call.func) != "Markup" or not call.args:
            continue
        text = call.args[0]
        formatted = isinstance(text, ast.Call) and _last(text.func) == "format"
        if formatted or isinstance(text, ast.JoinedStr | ast.BinOp):
            yield call.lineno, "Markup() of a formatted text: Markup('...%s') % value escapes the value"


@check("python")
def unmasked_log(source: Source) -> Found:
    """Addresses, headers and bodies carry secrets and card numbers: the server log gets them masked."""
    if not source.in_product:
        return
    for call in source.calls:
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in LOG_METHODS:
            continue
        if "log" in _last(call.func.value).lower():
            values = call.args[1:] + [keyword.value for keyword in call.keywords]
            for name in sorted({name for value in values for name in _unmasked(value)}):
                yield call.lineno, f"{name} goes to the server log unmasked"


def _unmasked(node: ast.AST) -> Iterator[str]:
    """Suspicious names below the node, except inside a masking or a measuring call."""
    if isinstance(node, ast.Call) and re.search(r"mask|^(len|type)$", ast.unparse(node.func).lower()):
        return
    name = _last(node) if isinstance(node, ast.Name | ast.Attribute) else ""
    if UNMASKED_NAME.search(name):
        yield name
    for child in ast.iter_child_nodes(node):
        yield from _unmasked(child)


@check("python")
def impure_protocol_room(source: Source) -> Found:
    """Protocol rooms turn bytes and values into bytes and values: no Odoo, no socket, no clock."""
    if not source.in_product or source.room not in PROTOCOL_ROOMS:
        return
    for line, module in _imports(source):
        if _belongs(module, IMPURE_IMPORTS):
            yield line, f"a protocol room imports {module}"
    for call in source.calls:
        if any(_dotted(call.func) in (name, f"datetime.{name}") for name in CLOCK_CALLS):
            yield call.lineno, f"a protocol room reads the clock ({_dotted(call.func)})"


# ------------------------------------------------------------------------------
# Python: what one of the three series refuses
# ------------------------------------------------------------------------------


@check("python")
def series_constraint(source: Source) -> Found:
    """17.0 and 18.0 know only ``_sql_constraints``, 19.0 only ``models.Constraint``."""
    guarded = _behind_series(source)
    for owner in source.nodes:
        if not isinstance(owner, ast.ClassDef) or source.addon is None:
            continue
        for statement in owner.body:
            if id(statement) not in guarded and _is_constraint(statement):
                yield statement.lineno, "constraint of one series: put it behind `if SERIES`"


def _is_constraint(statement: ast.AST) -> bool:
    if not isinstance(statement, ast.Assign):
        return False
    call = statement.value.func if isinstance(statement.value, ast.Call) else None
    declared = call is not None and re.fullmatch(r"models\.(Constraint|(Unique)?Index)", _dotted(call))
    return bool(declared) or _last(statement.targets[0]) == "_sql_constraints"


def _behind_series(source: Source) -> set:
    """Ids of the nodes inside an ``if`` that asks for the series, or whether the method is there."""
    choices = (node for node in source.nodes if isinstance(node, ast.If | ast.IfExp))
    blocks = (node for node in choices if {"SERIES", "hasattr"} & _names(node.test))
    return {id(node) for block in blocks for node in ast.walk(block)}


@check("python")
def series_call(source: Source) -> Found:
    """Calls that one series lacks or warns about."""
    if source.addon is None:
        return
    guarded = _behind_series(source)
    for call in source.calls:
        name = _last(call.func)
        if id(call) in guarded or not isinstance(call.func, ast.Attribute):
            continue
        if name in SERIES_METHODS:
            yield call.lineno, f"{name}: {SERIES_METHODS[name]}"
        if _dotted(call.func).endswith("env._"):
            yield call.lineno, "env._ is unknown to 17.0: from odoo import _"
        if name in ("_set_authorized", "_set_done", "_set_pending") and call.args:
            yield call.lineno, f"19.0 takes the message of {name} by keyword only: state_message="


@check("python")
def series_route(source: Source) -> Found:
    """The type of a JSON route has two names; the compatibility module has the right one."""
    for call in source.calls:
        if _last(call.func) == "route" and _constant(_keywords(call).get("type")) in ("json", "jsonrpc"):
            yield call.lineno, "type of a JSON route differs between series: use compat.JSONRPC"


# ------------------------------------------------------------------------------
# Any text
# ------------------------------------------------------------------------------


@check("text")
def registry_host(source: Source) -> Found:
    """Package clients know their registries; a host written down here is wrong on the next machine."""
    for number, line in enumerate(source.lines, 1):
        if match := REGISTRY_HOSTS.search(line):
            yield number, f"hard-coded package registry {match[0]}"


@check("text")
def open_interface(source: Source) -> Found:
    """Everything binds to 127.0.0.1. An address inside a URL or a network (``/8``) is no bind.

    Tests may name the address, to see it refused; a bind to it in their code is found by bind_everywhere.
    """
    if source.path.name.startswith("test_"):
        return
    for number, line in enumerate(source.lines, 1):
        if re.search(r"(?<![/\d.@])0\.0\.0\.0(?!/?\d)", line):
            yield number, "an address that binds to every interface"


@check("text")
def conflict_marker(source: Source) -> Found:
    """What a merge left behind."""
    for number, line in enumerate(source.lines, 1):
        if re.match(r"(<{7}|>{7}) ", line):
            yield number, "merge conflict marker"


@check("text")
def empty_answer(source: Source) -> Found:
    """An answer to a finding gives its reason."""
    for number, line in enumerate(source.lines, 1):
        match = ANSWER.search(line)
        if match and not match["reason"]:
            yield number, "suite-check: ok without a reason"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
