"""Odoo 17.0's and 18.0's own pos_viva_wallet was at work; ours is put in its place under the same name."""

import urllib.error
import urllib.request

import pytest

from tools import servers

SECRETS = {
    name: {"viva_wallet_api_key": f"Api-key-{number}", "viva_wallet_client_secret": f"Client-secret-{number}"}
    for name, number in (("Card", "16002169"), ("Trial", "16002170"))
}
READABLE = (
    *("viva_wallet_api_key", "viva_wallet_client_secret", "viva_wallet_bearer_token"),
    "viva_wallet_latest_response",
)
KEY = "viva_wallet_test"  # what Odoo's addon takes for the webhook's key in tests


@pytest.fixture(scope="module")
def takeover(take_over):
    """Odoo's addon at work, then ours in its place."""
    return take_over("pos_viva_wallet", "viva")


def test_odoos_own_addon_made_what_ours_has_taken_over(takeover):
    takeover.check_loaded()
    assert takeover.seeded["order"] == "paid"
    assert set(takeover.before["methods"]) == {"Card", "Trial"}


def test_payment_methods_stay_in_their_tills_whose_session_is_open(takeover):
    assert takeover.after["methods"] == takeover.before["methods"]
    assert takeover.after["methods"]["Card"]["sessions"] == ["opened"]
    assert takeover.after["view"] == takeover.before["view"]
    assert takeover.ours["providers"] == ["viva", "viva"]


def test_what_was_paid_stays_as_it_was(takeover):
    assert takeover.after["payments"] == takeover.before["payments"]
    assert len(takeover.after["payments"]) == 1


def test_secrets_are_kept_and_nobody_reads_them_any_more(takeover):
    assert takeover.ours["secrets"] == SECRETS
    assert not any(values[name] for values in takeover.ours["shown"] for name in SECRETS["Card"])
    assert not takeover.still_readable("pos_payment_method", READABLE)


def test_a_till_is_told_neither_secrets_nor_addresses(takeover):
    assert '"Card"' in takeover.ours["till"], "the till was told nothing at all"
    for values in SECRETS.values():
        assert not [value for value in values.values() if value in takeover.ours["till"]]
    assert KEY not in takeover.ours["till"]


def test_the_address_that_viva_calls_still_works_and_new_ones_cannot_be_guessed(takeover):
    old, new = takeover.before["addresses"]["Card"], takeover.after["addresses"]["Card"]
    assert old.endswith(f"token={KEY}") and KEY not in new
    with servers.OdooServer(takeover.context, takeover.database.name, "takeviva") as server:
        for address in (old, new):
            status, body = ask(server.url + address)
            assert (status, KEY in body) == (200, True), address
        assert ask(server.url + old.replace(KEY, "guessed"))[0] == 403


def ask(address):
    """GET an address; return (status, text)."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
