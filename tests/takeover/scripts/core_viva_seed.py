# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell` where Odoo's own pos_viva_wallet is loaded: a shop that takes cards with it.

Written with that addon's fields: a till whose session is open, and an order that was paid at the terminal.
Prints which file the addon is.
"""

import json

from odoo import tools

from odoo.addons import pos_viva_wallet

# that addon would ask Viva.com for the webhook's key; in tests it takes a fixed one
tools.config["test_enable"] = True
company = env.ref("base.main_company")
if not company.chart_template:
    env["account.chart.template"].try_loading("generic_coa", company=company, install_demo=False)
bank = env["account.journal"].search([("type", "=", "bank"), ("company_id", "=", company.id)], limit=1)


def method(name, number, **values):
    """Return a payment method of a terminal as an administrator entered it."""
    made = {
        "name": name,
        "journal_id": bank.id,
        "use_payment_terminal": "viva_wallet",
        "viva_wallet_merchant_id": "1f0d1c0e-0f4e-4c39-9e0a-4a5b6c7d8e9f",
        "viva_wallet_api_key": f"Api-key-{number}",
        "viva_wallet_client_id": "client-1.apps.vivapayments.com",
        "viva_wallet_client_secret": f"Client-secret-{number}",
        "viva_wallet_terminal_id": number,
        **values,
    }
    return env["pos.payment.method"].create([made])


card = method("Card", "16002169")
trial = method("Trial", "16002170", viva_wallet_test_mode=True)
card.viva_wallet_bearer_token = "Bearer-in-the-clear"
config = env["pos.config"].create({"name": "Shop", "payment_method_ids": [(6, 0, (card + trial).ids)]})
session = env["pos.session"].create({"config_id": config.id, "user_id": env.uid})
session.action_pos_session_open()
if session.state == "opening_control":  # 18.0
    session.set_opening_control(0, "")
product = env["product.product"].create({"name": "Chair", "list_price": 12.0, "available_in_pos": True})
line = {"product_id": product.id, "name": "Chair", "qty": 1, "price_unit": 12.0}
amounts = {"price_subtotal": 12.0, "price_subtotal_incl": 12.0, "tax_ids": [(5, 0, 0)]}
order = env["pos.order"].create(
    {
        "session_id": session.id,
        "company_id": company.id,
        "lines": [(0, 0, {**line, **amounts})],
        "amount_total": 12.0,
        "amount_tax": 0.0,
        "amount_paid": 0.0,
        "amount_return": 0.0,
    }
)
told = {"transaction_id": "0e7a3b52-2a0f-4f4c-8a2e-1d6a7d1f0a11", "payment_status": "done"}
order.add_payment({"pos_order_id": order.id, "amount": 12.0, "payment_method_id": card.id, **told})
order.action_pos_order_paid()
env.cr.commit()
print("facts: " + json.dumps({"file": pos_viva_wallet.__file__, "order": order.state}))
print("done")
