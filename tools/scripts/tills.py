# ruff: noqa: F821  (`env` is the shell's)
"""Fed to `odoo shell`: a till with an open session for each payment method of SERVIPAY_METHODS."""

import json
import os

company = env.ref("base.main_company")
if not company.chart_template:
    env["account.chart.template"].try_loading("generic_coa", company=company, install_demo=False)
journal = env["account.journal"].search([("type", "=", "bank"), ("company_id", "=", company.id)], limit=1)
Methods, Configs, Sessions = env["pos.payment.method"], env["pos.config"], env["pos.session"]
KIND = {"payment_method_type": "terminal"} if "payment_method_type" in Methods._fields else {}


def open_till(number, values):
    """Return the ids that a till with this payment method is spoken to by."""
    method = Methods.create({"name": f"Card {number}", "journal_id": journal.id, **KIND, **values})
    config = Configs.create({"name": f"Till {number}", "payment_method_ids": [(6, 0, method.ids)]})
    session = Sessions.create({"config_id": config.id, "user_id": env.uid})
    opening = "set_opening_control" if hasattr(session, "set_opening_control") else "set_cashbox_pos"
    if session.state == "opening_control":
        getattr(session, opening)(0, "")
    if "access_token" in config._fields:
        channel = config.access_token
    else:
        channel = session._get_bus_channel_name()
    return {"session_id": session.id, "method_id": method.id, "channel": channel}


methods = json.loads(os.environ["SERVIPAY_METHODS"])
tills = [open_till(number, values) for number, values in enumerate(methods, 1)]
env.cr.commit()
print("tills: " + json.dumps(tills))
print("done")
