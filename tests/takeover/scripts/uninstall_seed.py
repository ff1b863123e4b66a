# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: payments of each provider, settled and not, and who is told when addons go."""

import json
import os
import uuid

from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.api.finding import Finding
from odoo.addons.paypercloud_servipay.compat import SERIES

company = env.ref("base.main_company")
kind = {"payment_method_type": "terminal"} if SERIES >= 18 else {}
journal = env["account.journal"].search([("type", "=", "bank"), ("company_id", "=", company.id)], limit=1)
if not journal:
    journal = env["account.journal"].create({"name": "Bank", "code": "SVPB", "type": "bank"})
settings = {
    "paypercloud": {"use_payment_terminal": "paypercloud"},
    "caisse_ap": {"use_payment_terminal": "caisse_ap_ip", "caisse_ap_host": "10.0.0.9"},
    "viva": {
        **{"use_payment_terminal": "viva_wallet", "viva_wallet_client_id": "shop"},
        **{"viva_wallet_client_secret": "a-secret", "viva_wallet_terminal_id": "16000001"},
    },
}
operations = env["servipay.operation"]
for provider, values in settings.items():
    method = env["pos.payment.method"].create(
        {"name": f"Card {provider}", "journal_id": journal.id, **kind, **values}
    )
    terminal = env["servipay.terminal"].create(
        {"name": provider, "provider": provider, "pid": "SAME", "company_id": company.id}
    )
    for state in ("approved", "unknown"):
        operation = operations.create(
            {
                "company_id": company.id,
                "provider": provider,
                "channel": "pos",
                "kind": "purchase",
                "amount": 44,
                "currency_id": company.currency_id.id,
                "terminal_id": terminal.id,
                "pos_payment_method_id": method.id,
                "idempotency_key": str(uuid.uuid4()),
            }
        )
        operation._move("sent")
        operation._apply(Finding(state, "", "", {"external_ref": f"{provider}-1"}))
        env.flush_all()
        env["servipay.api.log"].create(
            {
                "company_id": company.id,
                "operation_id": operation.id,
                "endpoint": "purchase",
                "provider": provider,
            }
        )
facts = {"refused": {}}
for addon in os.environ["ADDONS"].split(","):
    try:
        env["ir.module.module"].search([("name", "=", addon)]).button_uninstall()
    except UserError as error:
        facts["refused"][addon] = str(error)
for operation in operations.search([("state", "=", "unknown")]):
    operation._move("failed", by="person", reason="person")
env.cr.commit()
print("facts: " + json.dumps(facts))
print("done")
