"""Each check of tools/suite_check.py finds a small broken sample and leaves its good twin alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import suite_check  # noqa: E402

MANIFEST = (
    '{"name": "Demo", "version": "1.0.0", "license": "LGPL-3", "author": "The suite", "depends": ["base"]}'
)
MODEL = "demo/models/demo.py"
VIEW = "demo/views/demo.xml"
SCRIPT = "demo/static/src/demo.js"
HEADER = "/** @odoo-module */\n"
EVERYWHERE = ".".join("0000")
REGISTRY = "https://" + ".".join(("pypi", "org")) + "/simple"
CONFLICT = "<" * 7 + " HEAD"


def _function(lines):
    return "def long():\n" + "    pass\n" * (lines - 1)


# check, file, broken text, good text
SAMPLES = [
    ("manifest-version", "demo/__manifest__.py", MANIFEST.replace("1.0.0", "19.0.1.0.0"), MANIFEST),
    ("manifest-license", "demo/__manifest__.py", MANIFEST.replace("LGPL-3", "OPL-1"), MANIFEST),
    ("manifest-license", "demo/__manifest__.py", MANIFEST.replace("The suite", ""), MANIFEST),
    ("xml-syntax", VIEW, "<odoo><record></odoo>", "<odoo><record/></odoo>"),
    ("old-list-view", VIEW, "<odoo><tree/></odoo>", "<odoo><list/></odoo>"),
    ("old-list-view", VIEW, '<odoo><div class="oe_chatter"/></odoo>', "<odoo><chatter/></odoo>"),
    (
        "old-list-view",
        VIEW,
        '<odoo><field name="view_mode">tree,form</field></odoo>',
        '<odoo><field name="view_mode">list,form</field></odoo>',
    ),
    (
        "gone-attribute",
        VIEW,
        '<odoo><field name="a"\n attrs="{}"/></odoo>',
        '<odoo><field name="a"\n invisible="1"/></odoo>',
    ),
    (
        "gone-attribute",
        VIEW,
        '<odoo><attribute name="states">draft</attribute></odoo>',
        '<odoo><attribute name="invisible">1</attribute></odoo>',
    ),
    ("gone-attribute", VIEW, '<odoo><t t-raw="x"/></odoo>', '<odoo><t t-out="x"/></odoo>'),
    (
        "search-group",
        VIEW,
        '<odoo><search><group\n expand="0"/></search></odoo>',
        '<odoo><search><group/></search><form><group string="x"/></form></odoo>',
    ),
    (
        "gone-field",
        VIEW,
        '<odoo><record model="ir.cron"><field name="numbercall">1</field></record></odoo>',
        '<odoo><record model="ir.cron"><field name="interval_number">1</field></record></odoo>',
    ),
    (
        "gone-field",
        VIEW,
        '<odoo><record model="res.groups"><field name="category_id"/></record></odoo>',
        '<odoo><record model="res.partner"><field name="category_id"/></record></odoo>',
    ),
    (
        "new-data-tag",
        VIEW,
        '<odoo><asset id="a"/></odoo>',
        '<odoo><record id="a" model="ir.asset"/></odoo>',
    ),
    (
        "new-data-tag",
        VIEW,
        '<odoo><field name="target">inline</field></odoo>',
        '<odoo><field name="target">new</field></odoo>',
    ),
    (
        "moved-pos-import",
        SCRIPT,
        HEADER + 'import {\n    PosStore,\n} from "@point_of_sale/app/services/pos_store";',
        HEADER + 'import {PaymentScreen} from "@point_of_sale/app/screens/payment_screen/payment_screen";',
    ),
    ("module-header", SCRIPT, "export const a = 1;", HEADER + "export const a = 1;"),
    ("python-syntax", MODEL, "def x(:\n", "def x():\n    return 1\n"),
    ("long-function", MODEL, _function(61), _function(60)),
    (
        "swallowed-exception",
        MODEL,
        "try:\n    work()\nexcept ValueError:\n    pass\n",
        "try:\n    work()\nexcept ValueError:\n    tell()\n",
    ),
    (
        "swallowed-exception",
        MODEL,
        "with suppress(Exception):\n    work()\n",
        "with suppress(KeyError):\n    work()\n",
    ),
    ("evaluated-text", MODEL, "eval(text)", "literal_eval(text)"),
    ("evaluated-text", MODEL, "safe_eval(text, {})", "model.evaluate(text)"),
    ("format-on-variable", MODEL, "template.format(name=name)", "'{name}'.format(name=name)"),
    ("format-on-variable", MODEL, "self.TEMPLATE_name.format(x=1)", "TEMPLATE.format(x=1)"),
    ("format-on-variable", MODEL, "template.format_map(names)", "self.currency_id.format(amount)"),
    ("unverified-tls", MODEL, "session.get(url, verify=False)", "session.get(url, verify=bundle)"),
    ("unverified-tls", MODEL, "session.verify = False", "session.verify = True"),
    (
        "http-without-timeout",
        "tools/fetch.py",
        "requests.get(address)",
        "requests.get(address, timeout=(5, 10))",
    ),
    ("bind-everywhere", MODEL, "server.bind(('', 80))", "server.bind(('127.0.0.1', 80))"),
    (
        "bind-everywhere",
        "tests/unit/test_demo.py",
        f"server.bind(('{EVERYWHERE}', 0))",
        f"refused('--host {EVERYWHERE}')",
    ),
    (
        "bind-everywhere",
        "demo/tests/simulator.py",
        "ThreadingHTTPServer(('', 80), Handler)",
        "ThreadingHTTPServer(('localhost', 80), Handler)",
    ),
    (
        "open-secret-field",
        MODEL,
        "class A:\n    api_key = fields.Char()\n",
        "class A:\n    api_key = fields.Char(groups='base.group_system')\n    key_set = fields.Boolean()\n",
    ),
    (
        "open-route",
        MODEL,
        "class A:\n    @http.route('/x', csrf=False)\n    def x(self):\n        return 1\n",
        "class A:\n    @http.route('/x', csrf=False)\n    def x(self):\n        'Why.'\n        return 1\n",
    ),
    ("second-http-client", MODEL, "import requests", "from urllib.parse import quote"),
    ("second-http-client", MODEL, "from urllib import request", "from . import http_client"),
    ("commit-outside-helper", MODEL, "self.env.cr.commit()", "self.env.cr.execute('SELECT 1')"),
    ("commit-outside-helper", MODEL, "cr.rollback()", "transaction.commit()"),
    ("commit-outside-helper", "demo/tests/test_demo.py", "self.cr.commit()", "self.cr.rollback()"),
    ("inexact-minor-units", MODEL, "int(value * 100)", "int(seconds * 1000)"),
    ("inexact-minor-units", MODEL, "round(10**digits * value)", "int(value / 100)"),
    ("inexact-minor-units", MODEL, "int(line.amount * factor)", "to_minor(line.amount, digits)"),
    ("amount-as-float", MODEL, "float(answer['x'].amount)", "float(elapsed)"),
    ("printed", MODEL, "print(1)", "_logger.info('1')"),
    ("formatted-markup", MODEL, "Markup(f'<b>{name}</b>')", "Markup('<b>%s</b>') % name"),
    ("formatted-markup", MODEL, "Markup('<b>%s</b>' % name)", "Markup('<b>x</b>')"),
    ("formatted-markup", MODEL, "Markup('<b>{}</b>'.format(name))", "Markup('<b>{}</b>').format(name)"),
    ("unmasked-log", MODEL, "_logger.info('%s', response.headers)", "_logger.info('%s', status)"),
    ("unmasked-log", MODEL, "_logger.info('%s', body)", "_logger.info('%s', masker.body(body))"),
    ("unmasked-log", MODEL, "_logger.warning('%s', pformat(data))", "_logger.warning('%s', len(data))"),
    ("impure-protocol-room", "demo/api/frame.py", "import socket", "import struct"),
    ("impure-protocol-room", "demo/api/frame.py", "from odoo import models", "from .errors import A"),
    ("impure-protocol-room", "demo/api/frame.py", "datetime.datetime.now()", "datetime.datetime(2026, 1, 1)"),
    (
        "series-constraint",
        MODEL,
        "class A:\n    _sql_constraints = []\n",
        "class A:\n    if SERIES < 19:\n        _sql_constraints = []\n",
    ),
    (
        "series-constraint",
        MODEL,
        "class A:\n    _name_uniq = models.Constraint('unique(name)')\n",
        "if SERIES >= 19:\n    class A:\n        _name_uniq = models.Constraint('unique(name)')\n",
    ),
    ("series-call", MODEL, "self.env.user.user_has_groups('a.b')", "self.env.user.has_group('a.b')"),
    (
        "series-call",
        MODEL,
        "self.check_access_rule('read')",
        "self.check_access_rule('read') if hasattr(self, 'check_access_rule') else self.check_access('read')",
    ),
    ("series-call", MODEL, "self.env._('x')", "_('x')"),
    ("series-call", MODEL, "tx._set_done('x')", "tx._set_done(state_message='x')"),
    (
        "series-route",
        MODEL,
        "class A:\n    @http.route('/x', type='json')\n    def x(self):\n        return 1\n",
        "class A:\n    @http.route('/x', type=JSONRPC)\n    def x(self):\n        return 1\n",
    ),
    ("registry-host", "README.md", f"See {REGISTRY}.", "See https://www.odoo.com."),
    ("open-interface", "dev.sh", f"serve --host {EVERYWHERE}", "serve --host 127.0.0.1"),
    (
        "open-interface",
        MODEL,
        f"HOST = '{EVERYWHERE}'",
        f"REFUSED = ('{EVERYWHERE}/8', 'http://{EVERYWHERE}/')",
    ),
    ("conflict-marker", "README.md", f"a\n{CONFLICT}\n", "a\n=======\n"),
    ("empty-answer", MODEL, "x = 1  # suite-check: " + "ok", "x = 1  # suite-check: ok it is one"),
]


@pytest.fixture
def tree(tmp_path):
    """A function (relative path, text) -> findings of a tree with one complete addon and that file."""
    for name in ("i18n/demo.pot", "i18n/fr.po", "static/description/icon.png", "README.rst"):
        _write(tmp_path / "demo" / name, "")
    _write(tmp_path / "demo/__manifest__.py", MANIFEST)

    def findings(relative, text):
        _write(tmp_path / relative, text)
        return suite_check.check_tree(tmp_path)

    findings.root = tmp_path
    return findings


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _names(findings):
    return {finding.check for finding in findings}


@pytest.mark.parametrize("check, relative, broken, good", SAMPLES)
def test_sample(tree, check, relative, broken, good):
    found = tree(relative, broken)
    assert check in _names(found)
    assert {finding.path for finding in found} == {relative}
    assert tree(relative, good) == []


def test_every_check_has_a_sample():
    checks = {
        function.__name__.replace("_", "-") for kind in suite_check.CHECKS.values() for function in kind
    }
    assert checks - {"addon-files"} == {sample[0] for sample in SAMPLES}


@pytest.mark.parametrize("name", ["i18n/demo.pot", "i18n/fr.po", "static/description/icon.png", "README.rst"])
def test_missing_addon_file(tree, name):
    (tree.root / "demo" / name).unlink()
    (finding,) = suite_check.check_tree(tree.root)
    assert finding.check == "addon-files"
    assert name in finding.text


def test_line_and_text_of_a_finding(tree):
    (finding,) = tree(MODEL, "import os\n\nprint(os)\n")
    assert str(finding) == "demo/models/demo.py:3: [printed] print() in an addon: use the logger"


@pytest.mark.parametrize(
    "text",
    [
        "print(1)  # suite-check: ok the command of the addon",
        "# suite-check: ok the command of the addon\nprint(1)",
    ],
)
def test_answer_with_a_reason(tree, text):
    assert tree(MODEL, text) == []


def test_answer_in_xml(tree):
    assert tree(VIEW, "<odoo>\n<!-- suite-check: ok 17.0 only -->\n<tree/>\n</odoo>") == []


def test_answer_beside_the_pass(tree):
    text = "try:\n    work()\nexcept ValueError:\n    pass  # suite-check: ok told below\n"
    assert tree(MODEL, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "print(1)  # suite-check: " + "ok",
        "x = 1  # suite-check: ok one is right\nprint(1)",  # beside other code, not alone
        "# suite-check: ok too far away\n\nprint(1)",
    ],
)
def test_answer_that_answers_nothing(tree, text):
    assert "printed" in _names(tree(MODEL, text))


def test_the_two_helpers_may(tree):
    assert tree(suite_check.HTTP_CLIENT, "import requests") == []
    _write(tree.root / "paypercloud_servipay/__manifest__.py", MANIFEST)
    assert "second-http-client" not in _names(tree(suite_check.HTTP_CLIENT, "import requests"))
    assert "commit-outside-helper" not in _names(tree(suite_check.OWN_TRANSACTION, "cr.commit()"))


@pytest.mark.parametrize("text", ["import requests", "print(1)", "import socket", "eval(text)"])
def test_tests_and_tools_may(tree, text):
    assert tree("demo/tests/simulator.py", text) == []
    if text != "eval(text)":
        assert tree("tools/something.py", text) == []


def test_series_folder_may_import_moved_paths(tree):
    text = HEADER + 'import {PosBus} from "@point_of_sale/app/bus/pos_bus_service";'
    assert tree("demo/static/src/pos_series/17.0/pos.js", text) == []
    assert tree("demo/static/src/pos/compat.js", text) == []
    assert _names(tree("demo/static/src/incompatible.js", text)) == {"moved-pos-import"}


def test_what_is_not_read(tree):
    assert tree("node_modules/a/b.py", "print(") == []
    (tree.root / "demo/static/description/icon.png").write_bytes(b"\x89PNG\0" + EVERYWHERE.encode())
    assert suite_check.check_tree(tree.root) == []


def test_command(tree):
    command = [sys.executable, ROOT / "tools/suite_check.py", tree.root]
    good = subprocess.run(command, capture_output=True, text=True)
    assert (good.returncode, good.stdout) == (0, "suite_check: nothing found\n")
    _write(tree.root / MODEL, "print(1)")
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.returncode == 1
    assert bad.stdout.splitlines() == [f"{MODEL}:1: [printed] print() in an addon: use the logger"]
