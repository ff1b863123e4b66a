"""Odoo's addons directory comes first: its addons are installed under our names, and the suite says so."""

import pytest
from conftest import complaints

from tools import odoo


@pytest.fixture(scope="module")
def names(dev_context):
    """The names that addons of ours and of this Odoo have in common."""
    shared = [name for name in dev_context.addons() if odoo.core_addon(dev_context, name)]
    if not shared or not dev_context.source.addons_paths:
        pytest.skip(f"Odoo {dev_context.series} at {dev_context.source.path} has no addon of a name of ours.")
    return shared


@pytest.fixture(scope="module")
def theirs_first(dev_context, core_path):
    """The addons path that README files warn of."""
    return f"{core_path},{dev_context.root}"


@pytest.fixture(scope="module")
def database(names, make_database, theirs_first):
    """A database with the base, and nothing else of the suite."""
    made = make_database("shadowed")
    made.installed = made.install("paypercloud_servipay", path=theirs_first)
    made.before = made.shell("shadow_settings", path=theirs_first)
    made.later = made.install(*names, path=theirs_first)
    return made


def lines(log, name, context):
    """Return the complaints of a log about an addon whose place Odoo's own one has taken."""
    folder = str(odoo.core_addon(context, name))
    return [text for text in complaints(log) if text.startswith(f"{name} is not") and folder in text]


def test_who_does_not_use_it_is_not_alarmed(database, names, dev_context):
    assert not complaints(database.installed)
    assert not database.before["running"]
    for name in names:
        assert f"Installing {name} " in database.before["others"]


def test_one_line_for_each_that_was_installed(database, names, dev_context, theirs_first):
    for log in (database.later, database.load(path=theirs_first)):
        for name in names:
            (line,) = lines(log, name, dev_context)
            assert str(dev_context.root / name) in line and "README" in line


def test_the_settings_say_it(database, names, theirs_first):
    after = database.shell("shadow_settings", path=theirs_first)
    for name in names:
        assert f"{name} is not this suite's addon" in after["running"]
    assert not after["others"]


def test_the_usual_path_is_right(database, names, dev_context):
    shown = database.shell("shadow_settings")
    assert shown == {"running": "", "others": ""}
