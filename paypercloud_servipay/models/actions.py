"""Where the buttons of the suite lead."""


def open_form(record):
    """Return the action that shows one record (its model and id count)."""
    return {
        "type": "ir.actions.act_window",
        "res_model": record._name,
        "res_id": record.id,
        "views": [(False, "form")],
    }


def open_operations(env, domain):
    """Return the action that lists operations."""
    action = env["ir.actions.act_window"]._for_xml_id("paypercloud_servipay.servipay_operation_action")
    return {**action, "domain": domain, "context": {}}
