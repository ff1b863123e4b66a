"""Fed to `odoo shell`: tells how many bytes each addon adds to what a till loads, as served."""

import collections
import json

bundle = env["ir.qweb"]._get_asset_bundle(  # noqa: F821
    "point_of_sale.assets_prod",
    css=False,
    js=True,
    assets_params=env["ir.asset"]._get_asset_params(),  # noqa: F821
)
sizes = collections.Counter()
for asset in (*bundle.javascripts, *bundle.templates):
    sizes[asset.url.split("/")[1]] += len(asset.minify().encode())
print("bundle bytes: " + json.dumps(sizes))
print("done")
