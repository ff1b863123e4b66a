# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell` where our pos_viva_wallet is loaded: what only it can tell; nothing is changed."""

import json

methods = env["pos.payment.method"].search([("use_payment_terminal", "=", "viva_wallet")], order="id")
names = ("viva_wallet_api_key", "viva_wallet_client_secret")
cashier = env["res.users"].create(
    {"name": "Cashier", "login": "takeover-cashier", "company_id": methods.company_id.id}
)
env.ref("point_of_sale.group_pos_user").write({"users": [(4, cashier.id)]})
session = methods.open_session_ids
loaded = session.with_user(cashier)
if hasattr(loaded, "load_data"):  # 18.0 and later
    till = loaded.load_data(["pos.config", "pos.payment.method"])["pos.payment.method"]
else:
    till = loaded._get_pos_ui_pos_payment_method(loaded._loader_params_pos_payment_method())
facts = {
    "secrets": {method.name: {name: method._servipay_secret(name) for name in names} for method in methods},
    "shown": [method.read(list(names))[0] for method in methods],
    "till": json.dumps(till, default=str),
    "providers": methods.mapped("servipay_provider"),
}
env.cr.rollback()
print("facts: " + json.dumps(facts))
print("done")
