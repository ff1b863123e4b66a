# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: prints what a database holds of Ogone, by fields that Odoo's addon and ours have."""

import json

from odoo.addons import payment_ogone

KEPT = ("state", "amount", "operation", "provider_reference", "provider_code", "payment_method_code")
providers = env["payment.provider"].with_context(active_test=False).search([("code", "=", "ogone")])
transactions = env["payment.transaction"].search([("provider_id", "in", providers.ids)], order="id")
tokens = env["payment.token"].with_context(active_test=False).search([("provider_id", "in", providers.ids)])


def of_provider(provider):
    """Return what an administrator has set up."""
    return {
        "pspid": provider.ogone_pspid,
        "userid": provider.ogone_userid,
        "hash": provider.ogone_hash_function,
        "state": provider.state,
        "published": provider.is_published,
        "journal": provider.journal_id.id,
        "company": provider.company_id.id,
        "module": provider.module_id.name,
        "form": provider.redirect_form_view_id.xml_id,
        "methods": sorted(provider.payment_method_ids.mapped("code")),
        "cards_may_be_saved": provider.allow_tokenization,
    }


def of_transaction(transaction):
    """Return what became of a payment."""
    return {
        **{name: transaction[name] for name in KEPT},
        "state_message": str(transaction.state_message or ""),
        "token": transaction.token_id.id,
        "partner": transaction.partner_id.id,
        "changed": str(transaction.last_state_change),
        "payment": transaction.payment_id.name,
        "invoices": transaction.invoice_ids.mapped("payment_state"),
    }


def of_token(token):
    """Return a saved card."""
    found = token._get_available_tokens(token.provider_id.ids, token.partner_id.id)
    return {
        "alias": token.provider_ref,
        "details": token.payment_details,
        "active": token.active,
        "provider": token.provider_id.id,
        "partner": token.partner_id.id,
        "method": token.payment_method_id.code,
        "offered": token in found,
    }


named = env["ir.model.data"].search([("module", "=", "payment_ogone"), ("model", "!=", "ir.model.fields")])
facts = {
    "file": payment_ogone.__file__,
    "providers": {str(one.id): of_provider(one) for one in providers},
    "transactions": {one.reference.split("-")[0]: of_transaction(one) for one in transactions},
    "tokens": {str(one.id): of_token(one) for one in tokens},
    "names": {f"{one.name}": [one.model, one.res_id] for one in named},
}
print("facts: " + json.dumps(facts))
print("done")
