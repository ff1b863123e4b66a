# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: transactions that wait for their notification, of Paybox and of core's Worldline.

SERVIPAY_COUNT: how many of each; SERVIPAY_TARGET: the file that gets their references as JSON;
SERVIPAY_KEY: the public key of the messages' signature.
"""

import json
import os

count, company = int(os.environ["SERVIPAY_COUNT"]), env.ref("base.main_company")
euro = env.ref("base.EUR")
euro.active = True
if not company.chart_template:
    env["account.chart.template"].try_loading("generic_coa", company=company, install_demo=False)
method = env.ref("payment.payment_method_card")
partner = env["res.partner"].create({"name": "Claire Dubois", "email": "claire@example.com"})


def provider(code, values):
    """Return the company's provider of a code, in test mode."""
    found = env["payment.provider"].search([("code", "=", code), ("company_id", "=", company.id)], limit=1)
    found.write({**values, "state": "test"})
    return found


def transactions(owner, prefix):
    """Make transactions and return their references."""
    made = env["payment.transaction"].create(
        [
            {
                "provider_id": owner.id,
                "payment_method_id": method.id,
                "reference": f"{prefix}-{number}",
                "amount": 120,
                "currency_id": euro.id,
                "partner_id": partner.id,
                "operation": "online_redirect",
            }
            for number in range(count)
        ]
    )
    for one in made if prefix == "PB" else ():
        one._servipay_open_page(one.reference)
    env.cr.commit()
    return made.mapped("reference")


paybox = provider(
    "paybox",
    {
        "paybox_site": "1999888",
        "paybox_rank": "32",
        "paybox_identifier": "110647233",
        "paybox_key_test": "0123456789ABCDEF" * 8,
        "paybox_public_keys": os.environ["SERVIPAY_KEY"].replace("|", "\n"),
        # asking the platform follows the acknowledgement, and there is no platform here
        "paybox_confirm": False,
    },
)
references = {"paybox": transactions(paybox, "PB")}
if "worldline" in dict(env["payment.provider"]._fields["code"].selection):
    names = ("pspid", "api_key", "api_secret", "webhook_key", "webhook_secret")
    references["worldline"] = transactions(
        provider("worldline", {f"worldline_{name}": "dummy" for name in names}), "WL"
    )
with open(os.environ["SERVIPAY_TARGET"], "w") as target:
    json.dump(references, target)
# booking is the same job of Odoo for both, and would run into the next measurement
env.ref("payment.cron_post_process_payment_tx").active = False
env.cr.commit()
print("done")
