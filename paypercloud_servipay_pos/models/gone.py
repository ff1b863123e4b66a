"""A terminal's addon that is uninstalled: its tills and payment methods.

Odoo's till takes a line for paid whose payment method names a terminal that nobody drives.
"""

from odoo import _, api, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.compat import SERIES

ADDON = __name__.split(".")[2]


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    @api.model
    def _servipay_retire(self, terminal):
        """Archive the methods of a terminal (value of use_payment_terminal), and say why in their names."""
        methods = self.sudo().with_context(active_test=False)
        methods = methods.search([("use_payment_terminal", "=", terminal)])
        for lang, _label in self.env["res.lang"].get_installed():
            for method in methods.with_context(lang=lang):
                method.name = method._servipay_retired_name()
        kind = {"payment_method_type": "none"} if SERIES >= 18 else {}
        methods.write({"use_payment_terminal": False, "active": False, **kind})

    def _servipay_retired_name(self):
        return _("%s (terminal removed)", self.name)


class ServipayOperation(models.Model):
    _inherit = "servipay.operation"

    @api.model
    def _lost_with(self, names):
        domain = super()._lost_with(names)
        return ["|", ("channel", "=", "pos"), *domain] if ADDON in names else domain

    @api.model
    def _check_uninstall(self, names):
        """A till that is open has the addon's code in its browser."""
        result = super()._check_uninstall(names)
        going = self._providers_of(names)
        values = self.env["pos.payment.method"]._servipay_providers().items()
        terminals = [terminal for terminal, provider in values if ADDON in names or provider in going]
        domain = [("use_payment_terminal", "in", terminals)]
        methods = self.env["pos.payment.method"].sudo().search(domain)
        session = methods.open_session_ids[:1]
        if session:
            raise UserError(
                _(
                    "Session %(session)s is open at a till that uses this addon's terminals. Nothing was "
                    "uninstalled. Close it first.",
                    session=session.name,
                )
            )
        return result
