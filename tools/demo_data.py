# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell` on a demo database: a small French shop, its people, and the simulators' addresses.

May be run again: what exists is found by its name or log-in and brought up to date. It writes only fields
and uses only groups that exist, so it serves every series and every set of addons.
"""

import json
import os
import urllib.request

from odoo import fields

SIMULATORS = json.loads(os.environ.get("SERVIPAY_SIMULATORS", "{}"))
GROUPS = "group_ids" if "group_ids" in env["res.users"]._fields else "groups_id"
company = env.ref("base.main_company")
# what the simulator of Viva.com lets in
VIVA = {
    "viva_wallet_merchant_id": "bdf4c6b3-c26d-4046-b5df-5c443ec39d09",
    "viva_wallet_api_key": "Simulator-Api-2026",
    "viva_wallet_client_id": "simulator-pos-apis.viva.example",
    "viva_wallet_client_secret": "Simulator-2026",
}
french = {"lang": "fr_FR", "tz": "Europe/Paris"}


def existing_fields(record, values):
    """Return the values whose fields the model has."""
    return {name: value for name, value in values.items() if name in record._fields}


def one(model, key, values):
    """Return the record whose field (key: name, value) matches, made when missing, with values written."""
    found = env[model].with_context(active_test=False).search([(key[0], "=", key[1])], limit=1)
    values = existing_fields(env[model], values)
    if found:
        found.write(values)
        return found
    return env[model].create({key[0]: key[1], **values})


def groups(*names):
    """Return the groups with these XML ids that exist."""
    found = [env.ref(name, raise_if_not_found=False) for name in names]
    return [(6, 0, [group.id for group in found if group])]


def person(login, name, *group_names):
    """Return the user with a log-in, which is the password too."""
    values = {
        "name": name,
        "login": login,
        "email": f"{login}@example.com",
        **french,
        GROUPS: groups(*group_names),
    }
    return one("res.users", ("login", login), {**values, "password": login})


def make_company():
    """Make the company French, in euro, with a chart of accounts."""
    euro = env.ref("base.EUR")
    euro.active = True
    address = {
        "street": "12 rue des Moulins",
        "zip": "69001",
        "city": "Lyon",
        "country_id": env.ref("base.fr").id,
    }
    company.write({"name": "Boulangerie des Moulins", "email": "bonjour@example.com", **address})
    entries = env["account.move"].search_count([("company_id", "=", company.id)])
    if not entries:
        company.currency_id = euro
    if not company.chart_template:
        env["account.chart.template"].try_loading("generic_coa", company=company, install_demo=False)
        company.currency_id = euro
    env.ref("base.user_admin").write({"tz": "Europe/Paris", "email": "admin@example.com"})


def make_people():
    """Make the people who log in; returns the portal customer's user."""
    person(
        "manager",
        "Manon Girard",
        "base.group_user",
        "point_of_sale.group_pos_manager",
        "account.group_account_manager",
        "paypercloud_servipay.group_manager",
    )
    person("cashier", "Camille Petit", "base.group_user", "point_of_sale.group_pos_user")
    person(
        "accountant",
        "Alain Moreau",
        "base.group_user",
        "account.group_account_user",
        "account.group_account_invoice",
        "paypercloud_servipay.group_user",
    )
    return person("portal", "Claire Dubois", "base.group_portal")


def make_shop():
    """Make products and a till with cash and bank."""
    for name, price in (("Baguette", 1.2), ("Croissant", 1.3), ("Tarte aux pommes", 18.5), ("Café", 2.0)):
        values = {"list_price": price, "available_in_pos": True, "taxes_id": [(5, 0, 0)]}
        one("product.template", ("name", name), values)
    configs = env["pos.config"]
    config = configs.search([("name", "=", "Comptoir")], limit=1)
    config = config or configs.create({"name": "Comptoir", "company_id": company.id})
    add_terminal(config, "Carte (PayperCloud)", "paypercloud", servipay_terminal_pid="T1")
    if "pos_caisse_ap_ip" in SIMULATORS:
        facts = SIMULATORS["pos_caisse_ap_ip"]
        address = {"caisse_ap_host": facts["host"], "caisse_ap_port": facts["port"]}
        add_terminal(config, "Carte (Caisse-AP)", "caisse_ap_ip", caisse_ap_allow_local=True, **address)
        check = {**address, "caisse_ap_allow_local": True, "caisse_ap_mode": "check"}
        add_terminal(config, "Chèque (Caisse-AP)", "caisse_ap_ip", **check)

    if "pos_viva_wallet" in SIMULATORS:
        add_terminal(
            config,
            "Carte (Viva)",
            "viva_wallet",
            viva_wallet_test_mode=True,
            viva_wallet_base_url=SIMULATORS["pos_viva_wallet"]["url"],
            viva_wallet_terminal_id="16000010",
            **VIVA,
        )


def add_terminal(config, name, terminal, **values):
    """Give a till a card payment method that drives a terminal, when an addon offers that kind."""
    methods = env["pos.payment.method"]
    if terminal not in dict(methods._fields["use_payment_terminal"]._description_selection(env)):
        return
    method = methods.search([("name", "=", name)], limit=1)
    if method:
        method.write(values)  # a simulator may have another port now
        return
    journal = env["account.journal"].search([("type", "=", "bank"), ("company_id", "=", company.id)], limit=1)
    kind = {"payment_method_type": "terminal"} if "payment_method_type" in methods._fields else {}
    method = methods.create(
        {"name": name, "journal_id": journal.id, "use_payment_terminal": terminal, **kind, **values}
    )
    config.payment_method_ids += method


def make_invoice(customer):
    """Give the portal customer an open invoice."""
    partner = customer.partner_id
    partner.write(
        {"street": "3 place Bellecour", "zip": "69002", "city": "Lyon", "country_id": env.ref("base.fr").id}
    )
    if env["account.move"].search_count([("partner_id", "=", partner.id)]):
        return
    line = {"name": "Buffet d'anniversaire", "quantity": 1, "price_unit": 120.0, "tax_ids": [(5, 0, 0)]}
    invoice = env["account.move"].create(
        {
            "move_type": "out_invoice",
            "partner_id": partner.id,
            "invoice_date": fields.Date.today(),
            "invoice_line_ids": [(0, 0, line)],
        }
    )
    invoice.action_post()


def configure_paypercloud(facts):
    """Point the company at the PayperCloud simulator."""
    company.write(
        existing_fields(
            company,
            {
                "servipay_environment": "demo",
                "servipay_base_url": facts["url"],
                "servipay_api_key": facts["api_key"],
                "servipay_pos_id": "POS1",
                "servipay_terminal_pid": "T1",
                "servipay_allow_private": True,
            },
        )
    )


def fetch(url):
    """Return what a simulator's control address answers, as text."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  (loopback)
        return answer.read().decode()


def configure_paybox(facts, accountant):
    """Let the portal's customers pay their invoices on the Paybox simulator's page."""
    env["ir.config_parameter"].set_param("account_payment.enable_portal_payment", True)
    provider = env["payment.provider"].search(
        [("code", "=", "paybox"), ("company_id", "=", company.id)], limit=1
    )
    state = json.loads(fetch(f"{facts['url']}/_simulator/state"))
    provider.write(
        {
            "paybox_brand": "custom",
            "paybox_host": facts["url"],
            "paybox_backup_host": state["backup"],
            "paybox_direct_host": facts["url"],
            "servipay_allow_private": True,
            "paybox_site": "1999888",
            "paybox_rank": "32",
            "paybox_identifier": "110647233",
            "paybox_key_test": "0123456789ABCDEF" * 8,
            "paybox_public_keys": fetch(f"{facts['url']}/_simulator/key.pem"),
            "paybox_email": "bonjour@example.com",
            "servipay_alert_user_ids": [(6, 0, accountant.ids)],
            "state": "test",
            "is_published": True,
        }
    )
    journals = env["account.journal"].search(
        [("type", "=", "bank"), ("company_id", "=", company.id)], limit=1
    )
    provider.journal_id = journals
    env.ref("payment.payment_method_card").active = True


def configure_ogone(facts, accountant):
    """Let them pay by PayPal on the Ogone simulator's page: cards are Paybox's here."""
    provider = env["payment.provider"].search(
        [("code", "=", "ogone"), ("company_id", "=", company.id)], limit=1
    )
    method = env.ref("payment.payment_method_paypal")
    provider.write(
        {
            "ogone_brand": "custom",
            "ogone_base_url": facts["url"],
            "servipay_allow_private": True,
            "ogone_pspid": "servipay",
            "ogone_userid": "servipay-api",
            "ogone_password": "Simulator-2026",
            "ogone_shakey_in": "Sim-in.Page-2026!",
            "ogone_shakey_in_directlink": "Sim-in.Direct-2026",
            "ogone_shakey_out": "Sim-out.Back-2026",
            "servipay_alert_user_ids": [(6, 0, accountant.ids)],
            "payment_method_ids": [(6, 0, method.ids)],
            "state": "test",
            "is_published": True,
        }
    )
    provider.journal_id = env["account.journal"].search(
        [("type", "=", "bank"), ("company_id", "=", company.id)], limit=1
    )
    method.active = True


make_company()
customer = make_people()
make_shop()
make_invoice(customer)
if "paypercloud_servipay" in SIMULATORS:
    configure_paypercloud(SIMULATORS["paypercloud_servipay"])
if "payment_paybox" in SIMULATORS:
    accountant = env["res.users"].search([("login", "=", "accountant")])
    configure_paybox(SIMULATORS["payment_paybox"], accountant)
if "payment_ogone" in SIMULATORS:
    accountant = env["res.users"].search([("login", "=", "accountant")])
    configure_ogone(SIMULATORS["payment_ogone"], accountant)
env.cr.commit()
print("done")
