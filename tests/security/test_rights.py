"""Who reads, writes and calls what, over JSON-RPC, against the table in rights.py."""

import pytest
from people import ACCESS, PUBLIC, outcome
from rights import FIELDS, RIGHTS, STAFF
from watch import HAS_TABLE, money, settle

EVERYBODY = (*STAFF, "portal", PUBLIC)
EXPIRED = "odoo.http.SessionExpiredException"
# those who may change nothing; what a cashier may do is in test_routes.py
POWERLESS = (PUBLIC, "portal", "payments_user", "stranger", "foreign_cashier")


@pytest.fixture(scope="module")
def fields(suite):
    """{model: [names]} of the suite's fields, but for those that every model has."""
    addons = (*suite.context.addons(),)
    rows = suite.sql(
        "SELECT DISTINCT f.model, f.name FROM ir_model_fields f JOIN ir_model m ON m.id = f.model_id"
        " JOIN ir_model_data d ON d.model = 'ir.model.fields' AND d.res_id = f.id"
        f" WHERE d.module IN {addons} AND {HAS_TABLE} AND f.name NOT IN ('id', 'display_name', 'code')"
    )
    found = {}
    for model, name in rows:
        found.setdefault(model, []).append(name)
    return found


def test_every_model_is_in_the_table(suite, fields):
    """A new model, or a field on another of Odoo's models, has to be decided upon."""
    transient = {model for (model,) in suite.sql("SELECT model FROM ir_model WHERE transient")}
    ours = {model for model in fields if model.startswith(("servipay.", "viva.")) or model in RIGHTS}
    assert ours == {*RIGHTS}
    assert {*fields} - ours - transient == {*FIELDS}


@pytest.mark.parametrize("login", EVERYBODY)
def test_rights(suite, people, login):
    """What is allowed is allowed, and what is not is really tried."""
    user = people[login]
    for model, table in RIGHTS.items():
        may = table.get(login, "")
        assert (outcome(user, model, "search_read", [], ["id"], 0, 1)[1] is None) == ("r" in may), (
            model,
            may,
        )
        row = first_row(suite, model)
        calls = {"w": ("write", [row], {"display_name": "x"}), "c": ("create", [{}]), "u": ("unlink", [row])}
        for right, call in calls.items():
            if right in may:
                assert allowed(suite, user, model, call[0]), (model, right)
            else:
                assert outcome(user, model, *call)[1] in (ACCESS, EXPIRED), (model, right)


def first_row(suite, model):
    """Return the id of a row, 1 where there is none."""
    rows = suite.sql(f"SELECT id FROM {model.replace('.', '_')} ORDER BY id LIMIT 1")
    return int(rows[0][0]) if rows else 1


def allowed(suite, user, model, operation):
    """Ask Odoo whether a right is there, without using it."""
    if suite.context.series == "17.0":
        return user.call(model, "check_access_rights", operation, False)
    return user.call(model, "has_access", [], operation)


@pytest.mark.parametrize("login", EVERYBODY)
def test_fields_on_other_models(people, fields, login):
    """Each of our fields on Odoo's own models."""
    for model, table in FIELDS.items():
        for name in fields[model]:
            may = login in table.get(name, table["*"])
            _result, error = outcome(people[login], model, "search_read", [], [name], 0, 1)
            assert (error is None) == may, (model, name, error)


def test_nothing_of_another_company(suite, people, shop):
    """Neither found nor read by its id, written, deleted, counted or exported."""
    user, company = people["stranger"], shop.facts["company"]
    for model in [name for name, table in RIGHTS.items() if table and "company_id" in columns(suite, name)]:
        table = model.replace(".", "_")
        rows = suite.sql(f"SELECT id FROM {table} WHERE company_id = {company} ORDER BY id LIMIT 1")
        assert outcome(user, model, "search_count", [("company_id", "=", company)]) == (0, None), model
        for row in rows:
            number = int(row[0])
            calls = (
                ("read", ["display_name"]),
                ("export_data", ["display_name"]),
                ("write", {"display_name": "x"}),
                ("unlink",),
            )
            for method, *arguments in calls:
                assert outcome(user, model, method, [number], *arguments)[1] == ACCESS, (model, method)
    shared = ("servipay.operation", "servipay.api.log", "servipay.terminal", "servipay.notification")
    assert all(
        suite.sql(f"SELECT 1 FROM {name.replace('.', '_')} WHERE company_id = {company}") for name in shared
    )


def columns(suite, model):
    """Return the names of a table's columns."""
    query = "SELECT column_name FROM information_schema.columns WHERE table_name = '%s'"
    return {name for (name,) in suite.sql(query % model.replace(".", "_"))}


def test_methods_by_name(suite, people, shop, report):
    """Whatever can be called by its name, called by those who may change nothing."""
    settle(suite)
    before, count = money(suite), 0
    for model, method in shop.facts["methods_by_name"]:
        row = first_row(suite, model)
        for login in POWERLESS:
            for arguments in ([row],), ([row], {}), ([row], [row]), ():
                outcome(people[login], model, method, *arguments)
                count += 1
    settle(suite)
    assert money(suite) == before
    report(f"methods by name: {count} calls of {len(shop.facts['methods_by_name'])} methods")
    assert len(shop.facts["methods_by_name"]) > 60
