# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: prints what the settings say about addons that another one stands before."""

import json

settings = env["res.config.settings"].create({})
facts = {"running": settings.servipay_shadowed or "", "others": settings.servipay_would_be_shadowed or ""}
env.cr.rollback()
print("facts: " + json.dumps(facts))
print("done")
