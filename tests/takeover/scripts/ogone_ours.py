# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell` where our payment_ogone is loaded: what only it can tell; nothing is changed."""

import json

from lxml import html

provider = env.ref("payment_ogone.payment_provider_ogone")
secrets = {name: provider._servipay_secret(name) for name in provider._servipay_secrets()}
shown = provider.read(list(secrets))[0]
form_view = env["payment.provider"].get_view(env.ref("payment.payment_provider_form").id, "form")["arch"]
draft = env["payment.transaction"].search([("reference", "like", "draft-")])
page = html.fromstring(str(draft._get_processing_values()["redirect_form_html"])).xpath("//form")[0]
provider.state = "disabled"
provider.state = "enabled"
facts = {
    "secrets": secrets,
    "shown": {name: shown[name] for name in secrets},
    "sealed_again": provider.state,
    "columns_in_view": "ogone_password_set" in form_view,
    "deprecated_words": "This provider is deprecated" in form_view,
    "address": page.get("action"),
    "fields": {one.get("name"): one.get("value") for one in page.xpath(".//input[@type='hidden']")},
}
env.cr.rollback()
print("facts: " + json.dumps(facts))
print("done")
