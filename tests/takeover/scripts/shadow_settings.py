# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: prints what the settings say about addons that another one stands before."""

import json

fields = {"servipay_shadowed": {}, "servipay_would_be_shadowed": {}, "company_id": {}}
# as the web client opens the form
shown = env["res.config.settings"].onchange({}, [], fields)["value"]
facts = {"running": shown["servipay_shadowed"] or "", "others": shown["servipay_would_be_shadowed"] or ""}
env.cr.rollback()
print("facts: " + json.dumps(facts))
print("done")
