"""No secret is read, guessed or found anywhere: by every role, every way, and in the whole database.

Nothing is encrypted in this database, so whatever gets at a column has the secret itself."""

import json

import pytest
from people import PUBLIC, outcome
from reading import DOORS, ONLY_19, hinting, telling, through
from watch import HAS_TABLE

# rights add up, and the exporter has every group that works with payments
EVERYBODY = ("cashier", "exporter", "stranger", "portal", PUBLIC)
# what an administrator must see: the address that is to be entered at Viva.com, and what it is made of
SHOWN_TO_ADMIN = {
    "viva_wallet_webhook_token",
    "viva_wallet_webhook_legacy_token",
    "viva_wallet_webhook_verification_key",
}
START = "S"  # some secrets begin with it


@pytest.fixture(scope="module")
def places(suite, shop):
    """[(model, id of a row that holds a secret, field)] of every column in which secrets are stored."""
    columns = suite.sql(
        "SELECT f.model, f.name FROM ir_model_fields f JOIN ir_model m ON m.id = f.model_id"
        f" WHERE f.store AND NOT m.transient AND {HAS_TABLE}"
        f" AND (f.name LIKE '%\\_sealed' OR f.name IN {(*SHOWN_TO_ADMIN,)})"
    )
    found = []
    for model, field in columns:
        table = model.replace(".", "_")
        rows = suite.sql(f"SELECT id FROM {table} WHERE {field} IS NOT NULL ORDER BY id LIMIT 1")
        found += [(model, int(row), field) for (row,) in rows]
    assert {model for model, _row, _field in found} == {*DOORS} and len(found) >= 13
    return found


def tell(user, calls, model):
    """Yield (name, result, error) of calls."""
    for name, (method, *arguments) in calls.items():
        yield name, *outcome(user, model, method, *arguments)


def secrets_in(answer, shop):
    """Return the secrets that an answer holds."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return [secret for secret in shop.secrets if secret in text]


@pytest.mark.parametrize("login", [*EVERYBODY, "admin"])
def test_no_way_tells_a_secret(people, shop, places, login):
    """Reading, exporting, copying, what an onchange answers."""
    for model, row, field in places:
        if login == "admin" and field in SHOWN_TO_ADMIN:
            continue
        for name, result, _error in tell(people[login], telling(row, field), model):
            assert not secrets_in(result, shop), (login, model, field, name)


@pytest.mark.parametrize("login", [*EVERYBODY, "admin"])
def test_no_way_hints_at_a_secret(people, places, login):
    """Searching for a beginning, sorting and grouping tell a secret letter by letter."""
    for model, _row, field in places:
        if login == "admin" and field in SHOWN_TO_ADMIN:
            continue
        for name, result, error in tell(people[login], hinting(field, START), model):
            assert error, (login, model, field, name, result)


@pytest.mark.parametrize("login", [*EVERYBODY, "admin"])
def test_no_other_record_leads_to_a_secret(people, places, login):
    """By a path through another model."""
    for model, _row, field in places:
        if login == "admin" and field in SHOWN_TO_ADMIN:
            continue
        for name, result, error in tell(people[login], through(model, field, START), DOORS[model][0]):
            assert error, (login, model, field, name, result)


def test_these_ways_are_ways(suite, people, places):
    """With a harmless field they all work, but for those that a series does not have."""
    absent = set() if suite.context.series == "19.0" else ONLY_19
    rows = {model: row for model, row, _field in places}
    for model, row in rows.items():
        calls = {**telling(row, "name"), **hinting("name", START)}
        results = [*tell(people["admin"], calls, model)]
        results += tell(people["admin"], through(model, "name", START), DOORS[model][0])
        broken = {(name, error) for name, _result, error in results if error and name not in absent}
        assert not broken, (model, broken)
