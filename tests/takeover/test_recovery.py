"""Odoo's upgrade moved an Ogone account to payment_worldline; the wizard of our payment_ogone brings it back.

The tests are the addon's own (payment_ogone/tests/test_recovery.py): here Odoo's addon is installed as well.
"""

import pytest

from tools import odoo, odoo_log


@pytest.fixture(scope="module")
def results(needs, make_database, dev_context):
    """What Odoo's test runner says on a database with both addons."""
    needs("payment_worldline")
    database = make_database("recovery")
    database.install("payment_worldline")
    arguments = ["-i", "payment_ogone", "--test-tags", "/payment_ogone:TestRecovery", "--stop-after-init"]
    code, log = odoo.run(dev_context, database.name, "recovery", *arguments)
    found = odoo_log.read(log, dev_context.addons())
    found.code = code
    return found


def test_the_account_comes_back(results):
    assert results.of("payment_ogone") > 10, "the tests did not run"
    assert not results.skipped
    assert not results.failures, "\n".join(text for texts in results.failures.values() for text in texts)
    assert not results.warnings and not results.code
