# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: people, a second company, open tills, and payments whose customers are on the page.

SERVIPAY_URL: of the server; SERVIPAY_ADDONS: the suite's; SERVIPAY_PEOPLE: {log-in: [groups]}, those of
STRANGERS work in the other company.
"""

import json
import os
import threading

threading.current_thread().dbname = env.cr.dbname  # where 18.0 looks for it when it makes an address

STRANGERS = ("stranger", "foreign_cashier")
OURS = json.loads(os.environ["SERVIPAY_ADDONS"])
GROUPS = "group_ids" if "group_ids" in env["res.users"]._fields else "groups_id"
company = env.ref("base.main_company")
env["ir.config_parameter"].set_param("web.base.url", os.environ["SERVIPAY_URL"])


def make_company():
    """Return another company with accounts of its own."""
    other = env["res.company"].create({"name": "Autre maison", "currency_id": env.ref("base.EUR").id})
    env["account.chart.template"].try_loading("generic_coa", company=other, install_demo=False)
    if not env["stock.warehouse"].search_count([("company_id", "=", other.id)]):  # 18.0 makes none here
        env["stock.warehouse"].create({"name": other.name, "code": "AM", "company_id": other.id})
    return other


def make_person(login, groups, home):
    """Make a user of one company, whose password is the log-in."""
    values = {"login": login, "name": login, "password": login, "email": f"{login}@example.com"}
    values |= {"company_id": home.id, "company_ids": [(6, 0, home.ids)]}
    env["res.users"].create({**values, GROUPS: [(6, 0, [env.ref(group).id for group in groups])]})


def open_till(config):
    """Return the id of a till's open session."""
    session = env["pos.session"].create({"config_id": config.id, "user_id": env.uid})
    if session.state == "opening_control":
        opening = "set_opening_control" if hasattr(session, "set_opening_control") else "set_cashbox_pos"
        getattr(session, opening)(0, "")
    return session.id


def make_foreign_till(other):
    """Return the other company's (session, method)."""
    foreign = env(context={**env.context, "allowed_company_ids": other.ids})
    journal = foreign["account.journal"].search(
        [("type", "=", "bank"), ("company_id", "=", other.id)], limit=1
    )
    kind = {"payment_method_type": "terminal"}
    kind = kind if "payment_method_type" in foreign["pos.payment.method"]._fields else {}
    method = foreign["pos.payment.method"].create(
        {"name": "Foreign card", "journal_id": journal.id, "company_id": other.id, **kind}
        | {"use_payment_terminal": "paypercloud", "servipay_terminal_pid": "T2"}
    )
    config = foreign["pos.config"].create(
        {"name": "Foreign till", "company_id": other.id, "payment_method_ids": [(6, 0, method.ids)]}
    )
    return open_till(config), method.id


def start_online(code):
    """Return what the customer's browser sends to a provider's page, and the ids behind it."""
    partner = env["res.users"].search([("login", "=", "portal")]).partner_id
    line = {"name": "Buffet", "price_unit": 120.0, "tax_ids": [(5, 0, 0)]}
    invoice = env["account.move"].create(
        {"move_type": "out_invoice", "partner_id": partner.id, "invoice_date": "2026-01-15"}
        | {"invoice_line_ids": [(0, 0, line)]}
    )
    invoice.action_post()
    domain = [("code", "=", code), ("company_id", "=", company.id)]
    provider = env["payment.provider"].search(domain, limit=1)
    transaction = env["payment.transaction"].create(
        {"provider_id": provider.id, "payment_method_id": env.ref("payment.payment_method_card").id}
        | {"reference": f"{invoice.name.replace('/', '-')}-{code}", "amount": 120}
        | {"currency_id": invoice.currency_id.id, "partner_id": partner.id}
        | {"operation": "online_redirect", "invoice_ids": [(6, 0, invoice.ids)]}
    )
    values = transaction._get_specific_rendering_values({})
    return {
        "fields": values["fields"],
        "url": values["api_url"],
        "reference": transaction.reference,
        "transaction": transaction.id,
        "invoice": invoice.id,
    }


def hide_more_secrets():
    """Fill the places of secrets that the demo leaves empty; returns the values."""
    values = {}
    used = env["pos.payment.method"].search([("use_payment_terminal", "=", "paypercloud")], limit=1)
    terrace = env["pos.config"].create({"name": "Terrasse", "payment_method_ids": [(6, 0, used.copy().ids)]})
    # a till of its own: the simulator knows one key only
    for record in (terrace.payment_method_ids, terrace):
        values[record._name] = f"Key-of-{record._table}-2026"
        record.servipay_api_key = values[record._name]
    provider = env["payment.provider"].search(
        [("code", "=", "paybox"), ("company_id", "=", company.id)], limit=1
    )
    values["paybox_password"] = provider.paybox_password = "Ppps-2026x"
    values["paybox_key"] = provider.paybox_key = "FEDCBA9876543210" * 8
    viva.viva_wallet_webhook_legacy_token = values["legacy"] = "Legacy-token-of-core-2026"
    values["token"] = viva.viva_wallet_webhook_token
    values["verification"] = viva.viva_wallet_webhook_verification_key
    return values


def our_routes():
    """Return {path: methods} of the routes whose code is one of the suite's addons'."""
    found = {}
    for rule in env["ir.http"].routing_map().iter_rules():
        endpoint = getattr(rule.endpoint, "func", rule.endpoint)
        if getattr(endpoint, "__module__", "").split(".")[2:3] in [[addon] for addon in OURS]:
            found[rule.rule] = sorted(rule.methods or ())
    return found


def our_public_methods():
    """Return [(model, method)] of what a browser may call by name and the suite has written."""
    found = set()
    for name, model in env.registry.items():
        for parent in type(env[name]).__mro__:
            if parent.__module__.split(".")[2:3] in [[addon] for addon in OURS] and not model._abstract:
                found |= {(name, each) for each, value in vars(parent).items() if is_public(each, value)}
    return sorted(found)


def is_public(name, value):
    return callable(value) and not name.startswith("_") and not isinstance(value, type)


# messages of Ogone are made by the tests themselves, and the simulator knows nothing of them
env["payment.provider"].search([("code", "=", "ogone")]).ogone_confirm = False
viva = env["pos.payment.method"].search([("use_payment_terminal", "=", "viva_wallet")], limit=1)
viva._viva_verification_key()  # fetched in a transaction of its own
env.cr.commit()
other = make_company()
for login, groups in json.loads(os.environ["SERVIPAY_PEOPLE"]).items():
    make_person(login, groups, other if login in STRANGERS else company)
comptoir = env["pos.config"].search([("name", "=", "Comptoir")], limit=1)
methods = comptoir.payment_method_ids
facts = {
    "other_company": other.id,
    "company": company.id,
    "routes": our_routes(),
    "methods_by_name": our_public_methods(),
    "webhook": viva.viva_wallet_webhook_endpoint,
    "session": open_till(comptoir),
    "methods": {method.servipay_provider: method.id for method in methods[::-1] if method.servipay_provider},
    "secrets": hide_more_secrets(),
    "online": {code: start_online(code) for code in ("paybox", "ogone")},
}
facts["foreign_session"], facts["foreign_method"] = make_foreign_till(other)
env.cr.commit()
print("facts: " + json.dumps(facts))
print("done")
