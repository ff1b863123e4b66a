from odoo import _, models


class ServipaySentence(models.AbstractModel):
    """What the link and the protocol room say in English, in the reader's language."""

    _inherit = "servipay.sentence"

    def _sentences(self):
        return {
            **super()._sentences(),
            "ap_timed_out": _("timed out"),
            "ap_closed": _("closed without a whole answer"),
            "ap_unended": _("the answer has begun and did not end"),
            "ap_no_terminal": _("this is no answer of a terminal"),
            "ap_unresolved": _("the name could not be resolved in time"),
            "ap_no_address": _("the name has no address"),
            "ap_local": _("%(address)s is this server itself or a local link"),
        }

    def _compared(self):
        return {**super()._compared(), "till": _("till"), "action": _("action")}
