from odoo import _, api, fields, models

from ..api import states
from ..api.masking import Masker
from .http_client import Connection, HttpClient


class ServipayPaymentProvider(models.AbstractModel):
    """What the suite's online providers share; a payment addon puts it in front of ``payment.provider``."""

    _name = "servipay.payment.provider"
    _inherit = ["servipay.secrets", "servipay.kept"]
    _description = "Online payment provider"

    servipay_allow_private = fields.Boolean(
        "Allow addresses inside the network",
        groups="base.group_system",
        copy=False,
        help="For a simulator: private and loopback addresses, and http. Never needed for the real platform.",
    )
    servipay_alert_user_ids = fields.Many2many(
        "res.users",
        "servipay_alert_user_rel",
        string="Alerts to",
        domain=[("share", "=", False)],
        copy=False,  # Odoo copies providers into each new company: its people are others
    )
    servipay_alert_emails = fields.Char(
        "Alerts also to", help="E-mail addresses, separated by commas.", copy=False
    )
    servipay_pending_days = fields.Integer("Alert for pending payments after (days)", default=3)

    # ------------------------------------------------------------------
    # What payments hang on
    # ------------------------------------------------------------------

    def _servipay_hanging(self):
        transactions = self.env["payment.transaction"].sudo()._search([("provider_id", "in", self.ids)])
        return [("res_model", "=", "payment.transaction"), ("res_id", "in", transactions)]

    def _servipay_loses(self, vals):
        """The other side knows nothing of these payments; a disabled provider is still asked and told."""
        state = vals.get("state", "disabled")
        other = state != "disabled" and (state == "test") != (self.state == "test")
        return other or super()._servipay_loses(vals)

    def _servipay_needing(self):
        """Another account's payments lose nothing by a change: it may be what gives them back their own."""
        own = ("merchant_account", "in", (False, self._servipay_merchant()))
        return [*super()._servipay_needing(), own]

    def _servipay_merchant(self):
        """Return side and number of the account that payments are made with: its numbers are its own."""
        self.ensure_one()
        return f"{'test' if self.state == 'test' else 'live'}:{self._servipay_merchant_number() or ''}"

    def _servipay_merchant_number(self):
        """Return the number or name under which the provider knows this merchant."""
        raise NotImplementedError

    @api.onchange("state")
    def _onchange_servipay_state(self):
        """Say what is still open, to whoever disables a provider."""
        if self.state != "disabled" or not self._origin:
            return None
        domain = [*self._origin._servipay_hanging(), ("state", "in", tuple(states.UNSETTLED))]
        found = self.env["servipay.operation"].sudo().search(domain)
        if not found:
            return None
        names = ", ".join(found[:5].mapped("name"))
        message = _(
            "Payments whose outcome is not known yet: %(count)s (%(names)s). No new payment begins while "
            "this provider is disabled; the open ones are still followed, and booked when they turn out "
            "paid.",
            count=len(found),
            names=names,
        )
        return {"warning": {"title": _("Open payments"), "message": message}}

    # ------------------------------------------------------------------
    # Who is told
    # ------------------------------------------------------------------

    def _servipay_recipients(self):
        """Return (users, e-mail addresses) that alerts go to."""
        texts = ",".join(provider.servipay_alert_emails or "" for provider in self)
        addresses = [part.strip() for part in texts.split(",") if "@" in part]
        return self.servipay_alert_user_ids, list(dict.fromkeys(addresses))

    def _servipay_alert(self, key, company, **values):
        """Tell this company's recipients once; see ``servipay.alert``."""
        users, addresses = self._servipay_recipients()
        return self.env["servipay.alert"]._raise_once(
            key, company=company, users=users, addresses=addresses, **{"provider": self[:1].code, **values}
        )

    @api.model
    def _servipay_tell_orphan(self, code, key, reference, detail):
        """Tell every company that uses a provider about a payment that Odoo does not know; tells if any.

        Nothing is booked. No company is told by the message, so all of them are.

        :param code: the provider's; key: the message's; detail: the amount as the provider writes it
        """
        providers = self.env["payment.provider"].search([("code", "=", code), ("state", "!=", "disabled")])
        told = self.env["servipay.alert"]
        for company in providers.company_id or self.env.company:
            own = providers.filtered(lambda provider, company=company: provider.company_id == company)
            values = {"kind": "unknown_reference", "reference": reference, "detail": detail}
            values["provider"] = code  # also where no company uses it any more
            told |= own._servipay_alert(f"unknown_reference:{code}:{company.id}:{key}", company, **values)
        return bool(told)

    def _servipay_check_address(self):
        """Return [(kind, sentence)] about an address of ours that may change under the payments."""
        if self.env["ir.config_parameter"].sudo().get_param("web.base.url.freeze"):
            return []
        words = _(
            "Payments are reported to %s, and this address follows the name under which an administrator "
            "logs in. Fix it: set the system parameter web.base.url.freeze to True."
        )
        return [("warning", words % self.get_base_url())]

    def _servipay_http(self, secrets, **common):
        """Return a function (base address, seconds) -> ``HttpClient`` that needs no cursor.

        :param secrets: what must not stand in the log, as texts
        :param common: field values of its log rows (operation_id, ...)
        """
        self.ensure_one()
        journal = self.env["servipay.api.log"]._journal(
            Masker(values=tuple(filter(None, secrets))),
            self.company_id.servipay_log_bodies,
            **{"company_id": self.company_id.id, "provider": self.code, **common},
        )
        private = self.sudo().servipay_allow_private

        def http(base, seconds):
            connection = Connection(
                base, read_timeout=seconds, connect_timeout=min(seconds, 5), allow_private=private
            )
            return HttpClient(connection, journal)

        return http
