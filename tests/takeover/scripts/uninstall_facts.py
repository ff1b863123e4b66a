# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell` after addons of the suite were uninstalled: prints what is left of their payments."""

import json

operations = env["servipay.operation"].search([], order="id")
methods = (
    env["pos.payment.method"].with_context(active_test=False).search([("name", "like", "Card ")], order="id")
)
gone = operations.filtered(lambda one: one.provider == "gone")
gone.action_refresh()
view = env["servipay.operation"].get_view(
    env.ref("paypercloud_servipay.servipay_operation_view_form").id, "form"
)
facts = {
    "operations": [
        (one.provider, one.provider_gone or "", one.state, one.external_ref) for one in operations
    ],
    "explained": all(operations.mapped("explanation")) and bool(view["arch"]),
    "offered": [one.name for one in gone if one.can_refund or one.can_void],
    "logs": len(operations.log_ids),
    "terminals": [
        (one.provider, one.active, one.pid)
        for one in env["servipay.terminal"].with_context(active_test=False).search([], order="id")
    ],
    "methods": [(one.name, one.active, one.use_payment_terminal or "") for one in methods],
    "exported": len(gone.export_data(["name", "provider", "provider_gone", "terminal_id"])["datas"]),
}
env.cr.rollback()
print("facts: " + json.dumps(facts))
print("done")
