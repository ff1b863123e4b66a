"""Provider addons that are uninstalled for good, in a database of its own: their payments stay."""

import pytest
from conftest import complaints

ADDONS = ["pos_caisse_ap_ip", "pos_viva_wallet", "paypercloud_servipay_pos"]


@pytest.fixture(scope="module")
def database(make_database):
    """A database with payments, from which Caisse-AP and Viva.com were uninstalled."""
    made = make_database("uninstall")
    made.install(*ADDONS)
    made.seeded = made.shell("uninstall_seed", ADDONS=",".join(ADDONS))
    made.shell("uninstall_do", ADDONS="pos_caisse_ap_ip,pos_viva_wallet")
    made.left = made.shell("uninstall_facts")
    return made


def test_refused_while_a_payment_is_not_settled(database):
    """Each by a sentence that names the payment; the layer below them too."""
    assert set(database.seeded["refused"]) == set(ADDONS)
    assert all(
        "SP0" in sentence and "Nothing was" in sentence for sentence in database.seeded["refused"].values()
    )


def test_payments_stay_and_can_be_read(database):
    left = database.left
    assert left["operations"] == [
        ["paypercloud", "", "approved", "paypercloud-1"],
        ["paypercloud", "", "failed", "paypercloud-1"],
        ["gone", "Caisse-AP", "approved", "caisse_ap-1"],
        ["gone", "Caisse-AP", "failed", "caisse_ap-1"],
        ["gone", "Viva.com", "approved", "viva-1"],
        ["gone", "Viva.com", "failed", "viva-1"],
    ]
    assert left["explained"] and not left["offered"] and left["exported"] == 4
    assert left["logs"] == 6


def test_terminals_stay_archived(database):
    assert database.left["terminals"] == [
        ["paypercloud", True, "SAME"],
        ["gone", False, "SAME (Caisse-AP)"],
        ["gone", False, "SAME (Viva.com)"],
    ]


def test_payment_methods_name_no_terminal_any_more(database):
    """Odoo's till would take a line for paid whose terminal nobody drives."""
    assert database.left["methods"] == [
        ["Card paypercloud", True, "paypercloud"],
        ["Card caisse_ap (terminal removed)", False, ""],
        ["Card viva (terminal removed)", False, ""],
    ]


def test_the_layer_goes_too_and_the_database_still_loads(database):
    database.shell("uninstall_do", ADDONS="paypercloud_servipay_pos")
    assert not complaints(database.load())
    states = database.sql("SELECT provider, count(*) FROM servipay_operation GROUP BY 1 ORDER BY 1")
    assert states == [["gone", "4"], ["paypercloud", "2"]]
    query = "SELECT count(*) FROM pos_payment_method WHERE use_payment_terminal IS NOT NULL"
    assert database.sql(query) == [["0"]]
