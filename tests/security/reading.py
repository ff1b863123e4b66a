"""Every way in which a browser can get at a field's value, or at one bit of it at a time."""

# 17.0 and 18.0 do not have them, or want other arguments
ONLY_19 = {"formatted_read_group", "aggregate", "group by path", "web_read_group"}
# model with secrets: (a model that leads there, by which field)
DOORS = {
    "res.company": ("res.users", "company_id"),
    "pos.payment.method": ("servipay.operation", "pos_payment_method_id"),
    "pos.config": ("pos.session", "config_id"),
    "payment.provider": ("payment.transaction", "provider_id"),
}


def telling(number, field):
    """{name: (method, *arguments)}: ways that answer with the value. An answer without it is none."""
    mine = [("id", "=", number)]
    return {
        "read": ("read", [number], [field]),
        "search_read": ("search_read", mine, [field]),
        "web_read": ("web_read", [number], {field: {}}),
        "web_search_read": ("web_search_read", mine, {field: {}}),
        "export_data": ("export_data", [number], [field]),
        "onchange": ("onchange", [number], {}, [], {"id": {}, field: {}}),
        "copy_data": ("copy_data", [number]),
        "name_get": ("read", [number], ["display_name"]),
    }


def hinting(field, start):
    """The same for ways that tell something about the value without telling it: they have to be refused."""
    guess = [(field, "=like", f"{start}%")]
    return {
        "search": ("search", guess),
        "search_count": ("search_count", guess),
        "search_read": ("search_read", guess, ["id"]),
        "name_search": ("name_search", "", guess),
        "sort": ("search", [], 0, None, field),
        "web_search_read": ("web_search_read", guess, {"id": {}}),
        **_grouping([], field),
    }


def _grouping(domain, field):
    return {
        "read_group": ("read_group", domain, ["id"], [field]),
        "formatted_read_group": ("formatted_read_group", domain, [field], ["__count"]),
        "web_read_group": ("web_read_group", domain, [field]),
        "aggregate": ("formatted_read_group", domain, [], [f"{field}:count_distinct"]),
    }


def through(model, field, start):
    """{name: (method, *arguments)} on the model that leads to ``model``: hints and values by another door."""
    _door, link = DOORS[model]
    path = f"{link}.{field}"
    return {
        "search by path": ("search", [(path, "=like", f"{start}%")]),
        "any": ("search_count", [(link, "any", [(field, "=like", f"{start}%")])]),
        "not any": ("search_count", [(link, "not any", [(field, "=like", f"{start}%")])]),
        "group by path": ("formatted_read_group", [], [path], ["__count"]),
    }
