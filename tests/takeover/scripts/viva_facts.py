# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: what a database holds of Viva.com, by fields that both addons have."""

import json
from urllib.parse import urlsplit

from odoo.addons import pos_viva_wallet

KEPT = ("merchant_id", "client_id", "terminal_id", "test_mode", "webhook_verification_key")
methods = env["pos.payment.method"].search([("use_payment_terminal", "=", "viva_wallet")], order="id")


def of_method(method):
    """Return what an administrator has set up, and where it is used."""
    return {
        **{name: method[f"viva_wallet_{name}"] for name in KEPT},
        "journal": method.journal_id.id,
        "configs": method.config_ids.mapped("name"),
        "sessions": method.open_session_ids.mapped("state"),
    }


def address(method):
    """Return what an administrator copies to Viva.com, from its path on; Odoo's addon knows one at a time."""
    whole = env[method._name].browse(method.id).viva_wallet_webhook_endpoint
    return urlsplit(whole)._replace(scheme="", netloc="").geturl()


def of_payment(payment):
    """Return what was paid at a terminal."""
    return {
        "amount": payment.amount,
        "transaction": payment.transaction_id,
        "status": payment.payment_status,
        "order": payment.pos_order_id.state,
    }


payments = env["pos.payment"].search([("payment_method_id", "in", methods.ids)])
view = env.ref("pos_viva_wallet.pos_payment_method_view_form_inherit_pos_viva_wallet")
facts = {
    "file": pos_viva_wallet.__file__,
    "methods": {method.name: of_method(method) for method in methods},
    "payments": [of_payment(payment) for payment in payments],
    "view": view.id,
    "addresses": {method.name: address(method) for method in methods},
}
print("facts: " + json.dumps(facts))
print("done")
