# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell` where Odoo's own payment_ogone is loaded: what a shop has after some years with it.

Written with that addon's fields and made by its code: messages as Ogone sends them, on payments of which one
left a saved card. Prints which file the addon is.
"""

import json

from odoo.addons import payment_ogone

CREDENTIALS = {
    "ogone_pspid": "shop",
    "ogone_userid": "api",
    "ogone_password": "Secret-pass-1",
    "ogone_shakey_in": "In-passphrase-01",
    "ogone_shakey_out": "Out-passphrase-1",
    "ogone_hash_function": "sha256",
}
company = env.ref("base.main_company")
if not company.chart_template:
    env["account.chart.template"].try_loading("generic_coa", company=company, install_demo=False)
provider = env.ref("payment_ogone.payment_provider_ogone")
provider.write({**CREDENTIALS, "state": "enabled", "is_published": True})
card = env.ref("payment.payment_method_card")
customer = env["res.partner"].create({"name": "Jeanne Valier", "email": "jeanne@example.com"})
Transactions = env["payment.transaction"]


def transaction(prefix, **values):
    """Return a transaction as the payment form makes it, its redirect form made too."""
    made = Transactions.create(
        {
            "provider_id": provider.id,
            "payment_method_id": card.id,
            "reference": Transactions._compute_reference("ogone", prefix=prefix),
            "amount": 120.0,
            "currency_id": company.currency_id.id,
            "partner_id": customer.id,
            "operation": "online_redirect",
            **values,
        }
    )
    if made.operation == "online_redirect":
        made._get_processing_values()
    return made


def hear(made, payid, status, **more):
    """Let a payment hear what Ogone reports of it."""
    data = {"ORDERID": made.reference, "PAYID": payid, "STATUS": status, "BRAND": "VISA", **more}
    made._handle_notification_data("ogone", data)
    return made


def invoice():
    """Return a posted invoice of the customer."""
    made = env["account.move"].create(
        {
            "move_type": "out_invoice",
            "partner_id": customer.id,
            "invoice_date": "2026-01-15",
            "invoice_line_ids": [(0, 0, {"name": "Buffet", "price_unit": 120.0, "tax_ids": [(5, 0, 0)]})],
        }
    )
    made.action_post()
    return made


transaction("draft")
hear(transaction("pending"), "3001", "51")
hear(transaction("cancelled"), "3002", "1")
hear(transaction("refused"), "3003", "2", NCERROR="30001001", NCERRORPLUS="Insufficient funds")
alias = {"ALIAS": "ODOO-ALIAS-0f3c5ad2c1d84c2a9be1a1a9f4a7c001", "CARDNO": "XXXXXXXXXXXX1111"}
saving = hear(transaction("saving", tokenize=True), "3004", "9", **alias)
by_card = transaction("bycard", operation="online_token", token_id=saving.token_id.id)
answer = {"ORDERID": by_card.reference, "PAYID": "3005", "STATUS": "9", "BRAND": "VISA"}
by_card._handle_notification_data("ogone", {"ORDERID": by_card.reference, "tree": answer})
paid = hear(transaction("paid", invoice_ids=[(6, 0, invoice().ids)]), "3006", "5")
paid._finalize_post_processing()
env.cr.commit()
print("facts: " + json.dumps({"file": payment_ogone.__file__, "paid": paid.invoice_ids.payment_state}))
print("done")
