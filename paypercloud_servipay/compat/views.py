"""17.0 only: views are written for 19.0 and translated while they are loaded."""

import re
from functools import cache

from odoo import api, models
from odoo.modules.module import get_manifest

from . import SERIES

BASE = __name__.split(".")[2]
_LIST = re.compile(r"<(/?)list\b")
_CHATTER = re.compile(r"<chatter\s*/>")
_CHATTER_17 = (
    '<div class="oe_chatter"><field name="message_follower_ids"/>'
    '<field name="activity_ids"/><field name="message_ids"/></div>'
)


@cache
def _is_ours(module):
    """Tell whether ``module`` is this addon or builds on it; other people's records are never touched."""
    return module == BASE or any(name.startswith(BASE) for name in get_manifest(module).get("depends", ()))


def _translate(data_list, field, translate):
    for data in data_list:
        text = data["values"].get(field)
        if text and _is_ours(data.get("xml_id", "").partition(".")[0]):
            data["values"][field] = translate(text)
    return data_list


def _arch_17(arch):
    return _CHATTER.sub(_CHATTER_17, _LIST.sub(r"<\1tree", arch))


def _modes_17(modes):
    return re.sub(r"\blist\b", "tree", modes)


if SERIES < 18:

    class IrUiView(models.Model):
        _inherit = "ir.ui.view"

        @api.model
        def _load_records(self, data_list, update=False):
            return super()._load_records(_translate(data_list, "arch", _arch_17), update)

    class IrActWindow(models.Model):
        _inherit = "ir.actions.act_window"

        @api.model
        def _load_records(self, data_list, update=False):
            return super()._load_records(_translate(data_list, "view_mode", _modes_17), update)
