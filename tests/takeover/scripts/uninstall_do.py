# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: uninstall addons as the button does."""

import os

addons = os.environ["ADDONS"].split(",")
env["ir.module.module"].search([("name", "in", addons)]).button_immediate_uninstall()
print("done")
