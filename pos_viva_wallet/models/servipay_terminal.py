import time

from odoo import _, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.models.tested import Tested

from .pos_payment_method import TERMINAL


class ServipayTerminal(models.Model):
    _inherit = "servipay.terminal"

    def _viva_method(self):
        """Return a payment method that drives this terminal; UserError without one."""
        domain = [
            ("use_payment_terminal", "=", TERMINAL),
            ("viva_wallet_terminal_id", "=", self.pid),
            ("company_id", "=", self.company_id.id),
        ]
        method = self.env["pos.payment.method"].sudo().search(domain, limit=1)
        if not method:
            raise UserError(_("No payment method says how to speak with this terminal. Nothing was sent."))
        return method

    def _viva_test(self):
        """Look the terminal up among the merchant's: no money, and whether it is switched on is not told."""
        self.ensure_one()
        method, pid, began = self._viva_method(), self.pid, time.monotonic()
        found = method._viva_devices()
        latency = (time.monotonic() - began) * 1000
        if found.reason:
            return Tested("danger", self.env["servipay.operation"]._viva_words(found.reason, found.detail))
        device = next((one for one in found.devices if one.terminal == pid), None)
        if not device:
            known = ", ".join(one.terminal for one in found.devices) or "-"
            words = _("Viva.com knows no terminal %(pid)s of this merchant. It knows: %(known)s.")
            return Tested("danger", words % {"pid": pid, "known": known})
        if not device.is_live:
            words = _("Viva.com knows this terminal, but it is not live (%s).", device.status or "?")
            return Tested("warning", words, latency)
        words = _(
            "Viva.com knows this terminal, and it is live (%s ms). Whether it is switched on it does "
            "not tell.",
            round(latency),
        )
        return Tested("success", words, latency)
