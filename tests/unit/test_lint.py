"""``./dev lint``: how findings are read, counted and turned into the exit code; comparing terms."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import lint as lint_module  # noqa: E402
from tools import lint_environment, lint_translations  # noqa: E402
from tools.report import Problem  # noqa: E402


def _done(code=0, stdout="", stderr=""):
    return subprocess.CompletedProcess(["/x/tool"], code, stdout, stderr)


class FakeContext:
    """The part of tools.context.Context that the linters use."""

    def __init__(self, root):
        self.root = self.state = self.logs = root

    def addons(self):
        return sorted(path.parent.name for path in self.root.glob("*/__manifest__.py"))

    def export_pot(self, addon, path):
        raise Problem("There is no Odoo here.")


class FakeLint(lint_module.Lint):
    """A run whose tools answer what the test says, by the name of the tool."""

    def prepare(self, kind):
        if kind == "terms":
            raise Problem("There is no Odoo here.")
        return lint_environment.Node("node", self.root)

    def python_tool(self, name, *arguments):
        self.context.asked = (name, *arguments)
        return self.context.answers[name]

    node_tool = python_tool


@pytest.fixture
def tree(tmp_path):
    """A tree with one addon; ``answers`` of its context maps tool to finished process."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/__manifest__.py").write_text("{}")
    context = FakeContext(tmp_path)
    context.answers = {}
    return FakeLint(context)


# ------------------------------------------------------------------------------
# Reading what a linter printed
# ------------------------------------------------------------------------------


def test_clean_linter():
    assert lint_module.findings_of(_done(), []) == []


def test_findings_explain_the_exit_code():
    assert lint_module.findings_of(_done(1), ["a.py:1: x"]) == ["a.py:1: x"]


@pytest.mark.parametrize("code, lines", [(1, []), (2, []), (2, ["a.py:1: x"]), (-9, [])])
def test_failure_that_findings_do_not_explain_is_one(code, lines):
    found = lint_module.findings_of(_done(code, stderr="cannot read\nno such option"), lines)
    assert found == [*lines, f"tool ended with code {code}: cannot read / no such option"]


def test_ruff(tree):
    tree.context.answers["ruff"] = _done(1, "a.py:1:2: F401 unused\n\n")
    assert lint_module.ruff(tree) == ["a.py:1:2: F401 unused"]
    assert "--fix" not in tree.context.asked
    tree.fix = True
    lint_module.ruff(tree)
    assert "--fix" in tree.context.asked


def test_ruff_format(tree):
    tree.context.answers["ruff"] = _done(1, "a.py:1:1: unformatted: x\n1 file would be reformatted\n")
    assert lint_module.ruff_format(tree) == ["a.py:1:1: unformatted: x"]
    assert "--check" in tree.context.asked
    tree.fix = True
    lint_module.ruff_format(tree)
    assert "--check" not in tree.context.asked


@pytest.mark.parametrize("code, count", [(16, 1), (4 + 8, 1), (1, 1), (32, 2)])
def test_pylint_code_is_a_sum(tree, code, count):
    tree.context.answers["pylint"] = _done(code, "***** Module demo\ndemo/a.py:1: [x] y\n", "usage")
    assert len(lint_module.pylint(tree)) == count


def test_oca_findings_of_several_lines(tree):
    tree.context.answers["oca-checks-odoo-module"] = _done(1, "a.xml:1: one\nmore\n\nb.xml:2: two\n\n")
    assert lint_module.oca(tree) == ["a.xml:1: one more", "b.xml:2: two"]


def test_prettier(tree):
    (tree.root / "a.xml").write_text("<a/>")
    answers = {
        "prettier/bin/prettier.cjs": _done(2, "a.xml\n", "[error] b.js: SyntaxError: x\n[error] | code\n")
    }
    tree.context.answers = answers
    assert lint_module.prettier(tree) == ["a.xml: layout", "b.js: SyntaxError: x"]
    assert tree.context.asked[-1] == "a.xml"


def test_eslint(tree):
    messages = [{"ruleId": "no-var", "line": 3, "message": "No."}, {"ruleId": None, "message": "Broken."}]
    report = [{"filePath": str(tree.root / "a.js"), "messages": messages}]
    tree.context.answers["eslint/bin/eslint.js"] = _done(1, json.dumps(report))
    assert lint_module.eslint(tree) == ["a.js:3: [no-var] No.", "a.js:1: [syntax] Broken."]


def test_eslint_that_breaks(tree):
    tree.context.answers["eslint/bin/eslint.js"] = _done(2, "Oops", "no configuration")
    assert lint_module.eslint(tree) == ["tool ended with code 2: no configuration"]
    tree.context.answers["eslint/bin/eslint.js"] = _done(0, "")
    assert lint_module.eslint(tree) == ["eslint printed nothing that can be read"]


def test_i18n_says_that_nothing_could_be_compared(tree):
    tree.context.answers["python"] = _done(1, "demo/i18n/fr.po: missing\n")
    assert lint_module.i18n(tree) == [
        ".pot files could not be compared: There is no Odoo here.",
        "demo/i18n/fr.po: missing",
    ]


@pytest.mark.parametrize("step", [lint_module.pylint, lint_module.i18n, lint_module.oca])
def test_no_addon_is_a_finding(tree, step):
    (tree.root / "demo/__manifest__.py").unlink()
    assert step(tree) == lint_module.NO_ADDON


def test_libraries_of_others_are_left_alone(tree):
    for name in ("demo/static/lib/a.js", "demo/static/src/b.js"):
        (tree.root / name).parent.mkdir(parents=True)
        (tree.root / name).write_text("")
    assert tree.files_with({".js"}) == ["demo/static/src/b.js"]


def test_a_failed_installation_is_tried_once(tmp_path, monkeypatch):
    tried = []

    def fail(context):
        tried.append(context)
        raise Problem("No network.")

    monkeypatch.setitem(lint_module.BUILDERS, "python", fail)
    run = lint_module.Lint(FakeContext(tmp_path))
    for _attempt in range(2):
        with pytest.raises(Problem, match="No network"):
            run.prepare("python")
    assert len(tried) == 1


# ------------------------------------------------------------------------------
# The command
# ------------------------------------------------------------------------------


def _raise(error):
    raise error


@pytest.fixture
def steps(monkeypatch, tmp_path):
    """Two steps under the names of real ones; returns a function (first, second) that runs the command."""

    def run(*functions, arguments=()):
        named = dict(zip(("ruff", "suite"), ((function, ()) for function in functions), strict=True))
        monkeypatch.setattr(lint_module, "STEPS", named)
        return lint_module.main(list(arguments), FakeContext(tmp_path))

    return run


def test_clean_run(steps, capsys):
    assert steps(lambda lint: [], lambda lint: []) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "lint: 2 passed, 0 failed"


def test_every_step_runs_when_one_fails(steps, capsys):
    assert steps(lambda lint: ["a.py:1: x"], lambda lint: []) == 1
    out = capsys.readouterr().out
    assert "    a.py:1: x\n" in out
    assert out.splitlines()[-1] == "lint: 1 passed, 1 failed"


@pytest.mark.parametrize(
    "error, text", [(Problem("No Node here."), "No Node here."), (KeyError("x"), "KeyError: 'x'")]
)
def test_step_that_cannot_run_fails_the_run(steps, capsys, error, text):
    assert steps(lambda lint: _raise(error), lambda lint: []) == 1
    assert f"could not run: {text}" in capsys.readouterr().out


def test_interrupt_ends_the_run(steps):
    with pytest.raises(KeyboardInterrupt):
        steps(lambda lint: _raise(KeyboardInterrupt()), lambda lint: [])


def test_only(steps, capsys):
    assert steps(lambda lint: ["x"], lambda lint: [], arguments=["--only", "suite"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "lint: 1 passed, 0 failed"


def test_many_findings_are_cut_unless_asked_for(steps, capsys):
    many = [f"finding {number}" for number in range(100)]
    steps(lambda lint: many, lambda lint: [])
    out = capsys.readouterr().out
    assert "finding 99" not in out and "and 40 more" in out
    steps(lambda lint: many, lambda lint: [], arguments=["--only", "ruff"])
    assert "finding 99" in capsys.readouterr().out


def test_pre_commit_calls_every_step():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert {line.split()[-1] for line in text.splitlines() if "entry:" in line} == set(lint_module.STEPS)


def test_lock_file_names_no_registry():
    lock = json.loads((lint_environment.CONFIG / "package-lock.json").read_text())
    assert lock["packages"]
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_old_node_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho $NODE_SAYS\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("NODE_SAYS", "v18.19.0")
    assert lint_environment._machine_node() is None
    monkeypatch.setenv("NODE_SAYS", "v22.1.0")
    assert lint_environment._machine_node() == (str(tmp_path / "node"), [str(tmp_path / "npm")])
    (tmp_path / "npm").unlink()
    assert lint_environment._machine_node() is None


# ------------------------------------------------------------------------------
# Translations
# ------------------------------------------------------------------------------

HEADER = 'msgid ""\nmsgstr ""\n"POT-Creation-Date: {date}\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
AMOUNT = '\n#. module: demo\n#: code:addons/demo/models/a.py:{line}\nmsgid "Amount"\nmsgstr "{amount}"\n'
PLACE = "model:ir.model.fields,field_description:demo.field_x"
STATE = f'\n#. module: demo\n#: {PLACE}\nmsgid "State"\nmsgstr "{{state}}"\n'


def _po(path, *entries, date="2026-01-01", line=0, amount="", state=""):
    text = "".join((HEADER, *entries)).format(date=date, line=line, amount=amount, state=state)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def pot(tmp_path):
    """A template with two terms."""
    return _po(tmp_path / "demo.pot", AMOUNT, STATE)


def _fr(pot, *entries, **values):
    return list(lint_translations.po_findings(_po(pot.with_name("fr.po"), *entries, **values), pot))


def test_complete_translation(pot):
    assert _fr(pot, AMOUNT, STATE, amount="Montant", state="État") == []


def test_untranslated_term(pot):
    assert _fr(pot, AMOUNT, STATE, amount="Montant") == ["untranslated: State"]


def test_missing_term(pot):
    assert _fr(pot, AMOUNT, amount="Montant") == ["missing: State"]


def test_fuzzy_term(pot):
    fuzzy = STATE.replace("#:", "#, fuzzy\n#:")
    assert _fr(pot, AMOUNT, fuzzy, amount="Montant", state="État") == ["fuzzy: State"]


def test_term_that_the_source_lost(pot):
    more = '\nmsgid "Gone"\nmsgstr "Parti"\n'
    assert _fr(pot, AMOUNT, STATE, more, amount="Montant", state="État") == ["not in the .pot file: Gone"]
    obsolete = '\n#~ msgid "Gone"\n#~ msgstr "Parti"\n'
    assert _fr(pot, AMOUNT, STATE, obsolete, amount="Montant", state="État") == ["obsolete: Gone"]


def test_missing_or_broken_translation(pot):
    assert list(lint_translations.po_findings(pot.with_name("fr.po"), pot)) == ["missing"]
    pot.with_name("fr.po").write_text('msgid "a\nmsgstr')
    (found,) = lint_translations.po_findings(pot.with_name("fr.po"), pot)
    assert found.startswith("cannot be read")


def _compared(pot, *entries, **values):
    exported = _po(pot.with_name("exported.pot"), *entries, **values)
    return list(lint_translations.pot_findings(pot, exported))


def test_order_date_and_line_number_do_not_count(pot):
    assert _compared(pot, STATE, AMOUNT, date="2030-12-31", line=17) == []


def test_new_and_gone_terms(pot):
    assert _compared(pot, AMOUNT) == ["gone term: State"]
    assert _compared(pot, AMOUNT, STATE, '\nmsgid "Tip"\nmsgstr ""\n') == ["new term: Tip"]


def test_term_that_moved(pot):
    (found,) = _compared(pot, AMOUNT.replace("a.py", "b.py"), STATE)
    assert found.startswith("other places (code:addons/demo/models/a.py, code:addons/demo/models/b.py)")
    (found,) = _compared(pot, AMOUNT.replace("module: demo", "module: demo\n#. odoo-python"), STATE)
    assert found == "other places (odoo-python): Amount"


def test_missing_template(pot):
    (found,) = lint_translations.pot_findings(pot, pot.with_name("no.pot"))
    assert found.startswith("missing: ")


def test_translations_of_a_tree(tmp_path, capsys):
    folder = tmp_path / "demo/i18n"
    _po(folder / "demo.pot", AMOUNT)
    _po(folder / "fr.po", AMOUNT, amount="Montant")
    (tmp_path / "demo/__manifest__.py").write_text("{}")
    exported = _po(tmp_path / "exported/demo.pot", AMOUNT).parent
    assert lint_translations.main([str(tmp_path), "--exported", str(exported)]) == 0
    assert capsys.readouterr().out == ""
    _po(folder / "es.po", AMOUNT)
    _po(exported / "demo.pot", AMOUNT, STATE)
    assert lint_translations.main([str(tmp_path), "--exported", str(exported)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "demo/i18n/es.po: untranslated: Amount",
        "demo/i18n/demo.pot: new term: State",
    ]
