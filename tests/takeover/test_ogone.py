"""Odoo 17.0's own payment_ogone was at work in a database; ours is put in its place under the same name."""

import hashlib
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import complaints

from tools import odoo, servers

OUR_FOLDER = "payment_ogone"
SECRETS = {
    "ogone_password": "Secret-pass-1",
    "ogone_shakey_in": "In-passphrase-01",
    "ogone_shakey_in_directlink": "",
    "ogone_shakey_out": "Out-passphrase-1",
}
COLUMNS = ("ogone_password", "ogone_shakey_in", "ogone_shakey_out")
STATES = {
    "draft": "draft",
    "pending": "pending",
    "cancelled": "cancel",
    "refused": "error",
    "saving": "done",
    "bycard": "done",
    "paid": "done",
}


def signature(fields, passphrase):
    """Return SHASIGN (SHA-256) of fields, by the platform's rule; written here a second time on purpose."""
    text = "".join(f"{name}={value}{passphrase}" for name, value in sorted(fields.items()) if value)
    return hashlib.sha256(text.encode()).hexdigest().upper()


class Takeover:
    """A database as it was under Odoo's addon and as it is under ours."""

    def __init__(self, context, database, core_path):
        self.context, self.database = context, database
        database.install("payment_ogone", path=core_path)
        self.seeded = database.shell("core_ogone_seed", path=core_path)
        self.before = database.shell("ogone_facts", path=core_path)
        self.code, self.log = database.update("payment_ogone")
        self.after = database.shell("ogone_facts")
        self.ours = database.shell("ogone_ours")


@pytest.fixture(scope="module")
def takeover(needs, dev_context, make_database, core_path):
    """Odoo's addon at work, then ours in its place."""
    needs("payment_ogone")
    return Takeover(dev_context, make_database("takeover"), core_path)


def test_odoos_own_addon_made_what_is_taken_over(takeover):
    theirs = odoo.core_addon(takeover.context, "payment_ogone")
    assert takeover.seeded["file"] == str(theirs / "__init__.py") == takeover.before["file"]
    assert {key: one["state"] for key, one in takeover.before["transactions"].items()} == STATES
    assert takeover.seeded["paid"] in ("paid", "in_payment")
    assert len(takeover.before["tokens"]) == 1


def test_ours_is_loaded_and_says_nothing_alarming(takeover):
    assert takeover.code == 0, takeover.log[-3000:]
    assert takeover.after["file"] == str(takeover.context.root / OUR_FOLDER / "__init__.py")
    assert not complaints(takeover.log)
    query = "SELECT name, state, latest_version FROM ir_module_module WHERE name IN ('payment_ogone', "
    rows = {row[0]: row[1:] for row in takeover.database.sql(query + "'paypercloud_servipay')")}
    assert rows["payment_ogone"] == ["installed", "17.0.3.0.0"]
    assert rows["paypercloud_servipay"][0] == "installed"


def test_credentials_are_kept_and_cannot_be_read_any_more(takeover):
    assert takeover.after["providers"] == takeover.before["providers"]
    assert takeover.ours["secrets"] == SECRETS
    assert not any(takeover.ours["shown"].values())
    found = takeover.database.sql(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'payment_provider'"
    )
    left = [name for name in COLUMNS if [name] in found]
    rows = takeover.database.sql(f"SELECT {', '.join(left) or 'NULL'} FROM payment_provider")
    assert not any(value for row in rows for value in row)


def test_payments_are_kept_as_they_were(takeover):
    assert takeover.after["transactions"] == takeover.before["transactions"]


def test_saved_cards_stay_and_can_be_used(takeover):
    assert takeover.after["tokens"] == takeover.before["tokens"]
    (card,) = takeover.after["tokens"].values()
    assert card["active"] and card["offered"]
    assert card["alias"].startswith("ODOO-ALIAS-")
    assert takeover.after["transactions"]["bycard"]["token"] == int(next(iter(takeover.after["tokens"])))


def test_records_keep_their_names(takeover):
    for name in ("payment_provider_ogone", "redirect_form", "payment_provider_form"):
        assert takeover.after["names"][name] == takeover.before["names"][name]
    assert takeover.ours["columns_in_view"] and not takeover.ours["deprecated_words"]


def test_it_can_be_disabled_and_enabled(takeover):
    assert takeover.ours["sealed_again"] == "enabled"


def test_the_form_of_a_payment_is_ours_signed_with_their_key(takeover):
    fields = dict(takeover.ours["fields"])
    assert takeover.ours["address"].endswith("/ncol/prod/orderstandard_utf8.asp")
    assert fields.pop("SHASIGN") == signature(fields, SECRETS["ogone_shakey_in"])
    assert fields["PSPID"] == "shop"
    assert "USERID" not in fields


def test_a_payment_that_began_with_odoos_addon_ends_with_ours(takeover):
    """The platform confirms what was pending before the takeover, at the address that it always called."""
    row = "SELECT reference FROM payment_transaction WHERE reference LIKE 'pending-%'"
    ((reference,),) = takeover.database.sql(row)
    fields = {
        "ORDERID": reference,
        "PAYID": "3001",
        "STATUS": "9",
        "AMOUNT": "120",
        "CURRENCY": currency(takeover),
        "PM": "CreditCard",
        "BRAND": "VISA",
        "NCERROR": "0",
    }
    fields["SHASIGN"] = signature(fields, SECRETS["ogone_shakey_out"])
    with servers.OdooServer(takeover.context, takeover.database.name, "takeover") as server:
        assert send(f"{server.url}/payment/ogone/accept", {**fields, "AMOUNT": "1"}) == 403
        assert send(f"{server.url}/payment/ogone/accept", fields) == 200
        state = row.replace("reference FROM", "state FROM")
        done = lambda: takeover.database.sql(state) == [["done"]]  # noqa: E731
        servers.wait_until(done, 30, "The payment")


def currency(takeover):
    """Return the currency of the seeded payments."""
    query = "SELECT c.name FROM res_currency c JOIN payment_transaction t ON t.currency_id = c.id LIMIT 1"
    return takeover.database.sql(query)[0][0]


def send(address, fields):
    """POST a form and return the status of the answer."""
    body = urllib.parse.urlencode(fields).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body), timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
