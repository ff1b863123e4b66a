# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: more customers, and payment providers that nobody should be able to pay with.

SERVIPAY_COMPANY: id of the other company; SERVIPAY_KEY: a public key that only its Paybox provider believes.
"""

import json
import os
import threading

threading.current_thread().dbname = env.cr.dbname  # where 18.0 looks for it when it makes an address

GROUPS = "group_ids" if "group_ids" in env["res.users"]._fields else "groups_id"
FOREIGN_OUT = "Foreign-out.Back-2026"  # what the other company's Ogone account signs with
# the simulators' own, as nobody can read what stands in the honest providers
SECRETS = {
    "paybox": {"paybox_key_test": "0123456789ABCDEF" * 8},
    "ogone": {
        "ogone_password": "Simulator-2026",
        "ogone_shakey_in": "Sim-in.Page-2026!",
        "ogone_shakey_in_directlink": "Sim-in.Direct-2026",
        "ogone_shakey_out": "Sim-out.Back-2026",
    },
}
COPIED = {  # what Odoo does not copy
    "paybox": "paybox_brand paybox_host paybox_backup_host paybox_direct_host paybox_public_keys paybox_site"
    " paybox_rank paybox_identifier paybox_email",
    "ogone": "ogone_brand ogone_base_url ogone_pspid ogone_userid",
}
company, other = env.ref("base.main_company"), env["res.company"].browse(int(os.environ["SERVIPAY_COMPANY"]))
card = env.ref("payment.payment_method_card")


def make_customer(login):
    """Make another customer with a log-in; returns the partner's id."""
    values = {"name": f"{login.title()} Second", "login": login, "password": login}
    values |= {"email": f"{login}@example.com", GROUPS: [(6, 0, env.ref("base.group_portal").ids)]}
    return env["res.users"].create(values).partner_id.id


def provider_of(code, home):
    return env["payment.provider"].search([("code", "=", code), ("company_id", "=", home.id)], limit=1)


def copy_of(honest, name, home=company, **values):
    """Return the id of a provider that works like an honest one, but for some values."""
    copied = {name: honest[name] for name in COPIED[honest.code].split()}
    own = honest.copy({"name": f"{honest.code} {name}", "company_id": home.id, "state": "disabled"})
    own.write({**copied, **SECRETS[honest.code], "servipay_allow_private": True})
    own.write({"state": "test", "is_published": True})
    bank = [("type", "=", "bank"), ("company_id", "=", home.id)]
    own.with_context(allowed_company_ids=home.ids).journal_id = env["account.journal"].search(bank, limit=1)
    own.write(values)
    return own.id


def providers(code):
    """Return {what is wrong with it: id} of a code's providers; "honest" is the shop's."""
    honest = provider_of(code, company)
    honest.payment_method_ids |= card
    own = {
        "paybox": {"paybox_public_keys": f"{honest.sudo().paybox_public_keys}\n{os.environ['SERVIPAY_KEY']}"}
    }
    own["ogone"] = {"ogone_shakey_out": FOREIGN_OUT}
    return {
        "honest": honest.id,
        "unpublished": copy_of(honest, "unpublished", is_published=False),
        "disabled": copy_of(honest, "disabled", state="disabled"),
        "foreign": copy_of(honest, "foreign", other, **own[code]),
    }


def foreign_invoice(partner):
    """Return the id of an invoice of 1.00 by the other company."""
    line = {"name": "Buffet", "price_unit": 1.0, "tax_ids": [(5, 0, 0)]}
    foreign = env(context={**env.context, "allowed_company_ids": other.ids})
    invoice = foreign["account.move"].create(
        {"move_type": "out_invoice", "partner_id": partner, "invoice_date": "2026-01-15"}
        | {"currency_id": env.ref("base.EUR").id, "invoice_line_ids": [(0, 0, line)]}
    )
    invoice.action_post()
    invoice._portal_ensure_token()
    return invoice.id


facts = {"card": card.id, "partners": {login: make_customer(login) for login in ("mallory", "eve")}}
facts["foreign_invoice"] = foreign_invoice(facts["partners"]["mallory"])
facts["providers"] = {code: providers(code) for code in ("paybox", "ogone")}
env["payment.provider"].browse(facts["providers"]["ogone"]["honest"]).allow_tokenization = True
env.cr.commit()
print("facts: " + json.dumps(facts))
print("done")
