"""Fed to `odoo shell`: generates the web bundles, which the first page or browser test would wait for."""

env["ir.qweb"]._pregenerate_assets_bundles()  # noqa: F821
env.cr.commit()  # noqa: F821
print("done")
