import hmac
import secrets
from urllib.parse import urlencode, urljoin

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.api.masking import Masker
from odoo.addons.paypercloud_servipay.compat import check_access
from odoo.addons.paypercloud_servipay.models.http_client import Connection, HttpClient
from odoo.addons.paypercloud_servipay.models.own_transaction import in_own_transaction
from odoo.addons.paypercloud_servipay.models.servipay_secrets import is_set, sealed, secret
from odoo.addons.paypercloud_servipay.models.tested import told

from ..controllers.main import NOTIFICATION
from ..viva import devices, hosts
from ..viva import request as requests
from ..viva.errors import ProtocolError
from ..viva.verification import WebhookKey, read_webhook_key
from .viva_client import VivaClient

TERMINAL = "viva_wallet"
SECRETS = ("viva_wallet_api_key", "viva_wallet_client_secret")
NEEDED = {"use_payment_terminal", "viva_wallet_client_id", "viva_wallet_terminal_id"}
# whoever changes one of these is another merchant, or in another environment: with another key
OF_KEY = {
    "viva_wallet_merchant_id",
    "viva_wallet_api_key",
    "viva_wallet_test_mode",
    "viva_wallet_base_url",
}
# with another one of these nobody can be asked any more what became of a payment
OF_MERCHANT = (
    "viva_wallet_merchant_id",
    "viva_wallet_client_id",
    "viva_wallet_test_mode",
    "viva_wallet_base_url",
)
LONGEST_ID = 9  # digits of a company's id that the database can hold in any case
SYSTEM = {"groups": "base.group_system", "copy": False}


class PosPaymentMethod(models.Model):
    """Viva.com terminals. Names of fields and the route are those of Odoo's own addon: it is taken over."""

    _inherit = "pos.payment.method"

    # 19.0's own addon has fields of the plain labels: side by side an import would show each twice
    viva_wallet_merchant_id = fields.Char(
        "Viva.com merchant ID",
        help="Viva portal > Settings > API Access: used for the webhook's verification.",
    )
    viva_wallet_api_key = secret(
        "Viva.com API Key", help="The second half of the same pair. It can be replaced here, never read."
    )
    viva_wallet_api_key_sealed, viva_wallet_api_key_set = sealed(), is_set()
    viva_wallet_client_id = fields.Char(
        "Viva.com client ID",
        help="Viva portal > Settings > API Access > POS APIs credentials: neither the Smart Checkout nor the "
        "ISV ones.",
    )
    viva_wallet_client_secret = secret(
        "Viva.com client secret", help="Shown once in the Viva portal. It can be replaced here, never read."
    )
    viva_wallet_client_secret_sealed, viva_wallet_client_secret_set = sealed(), is_set()
    viva_wallet_terminal_id = fields.Char(
        "Viva.com terminal ID",
        help="In the terminal's app: More > About > Source Terminal ID; or “Find terminals”.",
    )
    viva_wallet_test_mode = fields.Boolean("Viva.com test mode", help="Use Viva.com's demo environment.")
    viva_wallet_webhook_endpoint = fields.Char(
        "Webhook endpoint", compute="_compute_viva_wallet_webhook_endpoint", groups="base.group_system"
    )
    viva_wallet_webhook_token = fields.Char("Secret part of the address", readonly=True, **SYSTEM)
    viva_wallet_webhook_legacy_token = fields.Char(
        readonly=True, help="Of the address that Odoo's own addon gave to Viva.com.", **SYSTEM
    )
    viva_wallet_webhook_verification_key = fields.Char("Verification key", readonly=True, **SYSTEM)
    viva_wallet_webhook_seen_at = fields.Datetime("Last webhook", readonly=True, copy=False)
    viva_wallet_seconds = fields.Integer(
        "Wait for the terminal (seconds)",
        default=90,
        help="Viva.com itself waits about 60 seconds for a card. A terminal that is asleep never "
        "answers: after this time the payment is unknown, Odoo asks for its abortion and goes on looking.",
    )
    viva_wallet_unreferenced = fields.Boolean(
        "Refund without the payment",
        help="Lets managers give back on a presented card what was not paid with this method.",
    )
    viva_wallet_show_receipt = fields.Boolean("Receipt on the terminal", default=True)
    viva_wallet_base_url = fields.Char("Simulator address", help="Instead of Viva.com.", **SYSTEM)

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("company_id", "viva_wallet_webhook_token")
    def _compute_viva_wallet_webhook_endpoint(self):
        for method in self:
            token = method.company_id and method.sudo().viva_wallet_webhook_token
            method.viva_wallet_webhook_endpoint = method._viva_address(token) if token else False

    def _viva_address(self, token):
        asked = urlencode({"company_id": self.company_id.id, "token": token})
        return urljoin(self.get_base_url(), f"{NOTIFICATION}?{asked}")

    @api.model
    def _servipay_secrets(self):
        return (*super()._servipay_secrets(), *SECRETS)

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("viva_wallet_seconds")
    def _check_viva_wallet_seconds(self):
        if any(not 60 <= method.viva_wallet_seconds <= 600 for method in self):
            raise ValidationError(_("A terminal gets between 60 and 600 seconds for a payment."))

    @api.constrains("viva_wallet_base_url", "viva_wallet_test_mode")
    def _check_viva_wallet_base_url(self):
        for method in self.sudo().filtered("viva_wallet_base_url"):
            try:
                method._viva_site()
            except ProtocolError as error:
                raise ValidationError(
                    _("Write the simulator's address as http://host:port, for test mode only.")
                ) from error
            if not method.viva_wallet_test_mode:
                raise ValidationError(_("Only a method in test mode may speak with a simulator."))

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """Give each Viva.com terminal an address of its own that nobody can guess."""
        methods = super().create(vals_list)
        methods._viva_check_credentials()
        methods._viva_complete_address()
        return methods

    def write(self, vals):
        """Give each Viva.com terminal an address of its own that nobody can guess."""
        self._viva_check_nothing_open(vals)
        result = super().write(vals)
        if "use_payment_terminal" in vals:
            self._viva_complete_address()
        if NEEDED & vals.keys():
            self._viva_check_credentials()
        if OF_KEY & vals.keys():
            self._viva_forget_key()
        return result

    def copy(self, default=None):
        """Leave the secrets behind: keys are never copied, for another company or environment even less.

        Until somebody has typed them for the copy, a payment with it fails and sends nothing."""
        copies = super(PosPaymentMethod, self.with_context(viva_copying=True)).copy(default)
        return copies.with_context(viva_copying=False)

    def _viva_check_nothing_open(self, vals):
        """Refuse another merchant or environment while it is not known what became of payments."""
        names = [name for name in OF_MERCHANT if name in vals]
        changed = self.sudo().filtered(
            lambda one: any((one[name] or False) != (vals[name] or False) for name in names)
        )
        if not names or not changed:
            return
        domain = [("pos_payment_method_id", "in", changed.ids), ("state", "in", tuple(states.UNSETTLED))]
        number = self.env["servipay.operation"].sudo().search_count([*domain, ("provider", "=", "viva")])
        if number:
            raise UserError(
                _(
                    "Payments of this method whose outcome is not known yet: %s. With another merchant or "
                    "environment Viva.com could not be asked any more whether money moved. Wait until they "
                    "are settled, or decide about them in PayperCloud / Servipay > Operations. For another "
                    "merchant make another payment method.",
                    number,
                )
            )

    def _viva_check_credentials(self):
        # no constraint: Odoo checks them while a new record's secrets are not stored yet
        if self.env.context.get("viva_copying"):
            return
        for method in self.sudo().filtered(lambda one: one.use_payment_terminal == TERMINAL):
            sealed_secret = method.viva_wallet_client_secret_sealed
            if not (method.viva_wallet_client_id and method.viva_wallet_terminal_id and sealed_secret):
                raise ValidationError(
                    _(
                        "A Viva.com terminal needs a client ID, a client secret and a terminal ID. Merchant "
                        "ID and API key are needed for webhooks."
                    )
                )

    def _viva_forget_key(self):
        """Have the verification key fetched anew; what is not written stays the same."""
        self.sudo().filtered("viva_wallet_webhook_verification_key").write(
            {"viva_wallet_webhook_verification_key": False}
        )

    def _viva_complete_address(self):
        for method in self.sudo().filtered(lambda one: one.use_payment_terminal == TERMINAL):
            if not method.viva_wallet_webhook_token:
                method.viva_wallet_webhook_token = secrets.token_urlsafe(24)

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_viva_test(self):
        """Say whether the terminal is one of this merchant's and in use; it moves nothing."""
        self.ensure_one()
        check_access(self, "read")
        terminal = self._viva_pos_terminal()
        if not terminal:
            raise UserError(_("Enter the terminal ID first. Nothing was sent."))
        return terminal.action_test()

    def action_viva_credentials(self):
        """Try both pairs of credentials and say which is wrong; fetches the webhook's verification key."""
        self._viva_only_for("base.group_system")
        given, known = self.sudo()._viva_client().token(fresh=True), self.sudo()._viva_fetch_key()
        findings = (
            (_kind(given), _("Client ID and secret: %s", self._viva_judgement(given))),
            (_kind(known), _("Merchant ID and API key: %s", self._viva_judgement(known))),
        )
        return told(findings)

    def _viva_judgement(self, found):
        """Return what is wrong with credentials, in words."""
        words = self.env["servipay.operation"]._viva_words
        return words(found.reason, found.detail) if found.reason else _("right.")

    def action_viva_find(self):
        """List the merchant's terminals to choose one."""
        self._viva_only_for("point_of_sale.group_pos_manager")
        found = self._viva_devices()
        if found.reason:
            raise UserError(self.env["servipay.operation"]._viva_words(found.reason, found.detail))
        wizard = self.env["viva.wallet.devices"].create(
            {
                "method_id": self.id,
                "line_ids": [
                    (0, 0, {"terminal": one.terminal, "status": one.status, "source": one.source})
                    for one in found.devices
                ],
            }
        )
        return {
            "type": "ir.actions.act_window",
            "name": _("Terminals of this merchant"),
            "res_model": wizard._name,
            "res_id": wizard.id,
            "views": [(False, "form")],
            "target": "new",
        }

    def _viva_only_for(self, group):
        """AccessError for others than a group, and for methods that the user may not see."""
        self.ensure_one()
        if not self.env.user.has_group(group):
            raise AccessError(_("Only administrators of the point of sale may do this. Nothing was sent."))
        check_access(self, "read")

    # ------------------------------------------------------------------
    # Hooks of the point of sale
    # ------------------------------------------------------------------

    def _get_payment_terminal_selection(self):
        return super()._get_payment_terminal_selection() + [(TERMINAL, _("Viva Wallet"))]

    @api.model
    def _servipay_providers(self):
        return {**super()._servipay_providers(), TERMINAL: "viva"}

    @api.model
    def _servipay_corrected_any_time(self):
        own = {name for name in self._fields if name.startswith("viva_wallet_")}
        return super()._servipay_corrected_any_time() | own

    def _viva_pos_terminal(self, config=None):
        return self.env["servipay.terminal"]._find_or_new(
            self.company_id, "viva", (self.viva_wallet_terminal_id or "").strip()
        )

    # ------------------------------------------------------------------
    # Business: webhooks
    # ------------------------------------------------------------------

    @api.model
    def _viva_of_address(self, company, token):
        """Return the method whose address has this token (empty for none), in time that tells nothing.

        Odoo's own addon put the verification key there, and merchants have pasted that address. One that was
        archived meanwhile still hears of what it has taken."""
        plain = company.isascii() and company.isdigit() and len(company) <= LONGEST_ID
        if not token or not plain:
            return self.browse()
        domain = [("company_id", "=", int(company)), ("use_payment_terminal", "=", TERMINAL)]
        found = self.browse()
        for method in self.with_context(active_test=False).search(domain):
            known = (method.viva_wallet_webhook_token, method.viva_wallet_webhook_legacy_token)
            for secret_part in filter(None, known):
                if hmac.compare_digest(secret_part.encode(), token.encode()):
                    found = found or method
        return found

    def _viva_verification_key(self):
        """Return the key that proves to Viva.com whose address this is; fetched when there is none yet."""
        return self.viva_wallet_webhook_verification_key or self._viva_fetch_key().key

    def _viva_fetch_key(self):
        """Return the ``WebhookKey`` that Viva.com gives, and keep it."""
        reply = self._viva_client().ask(requests.webhook_key(), "webhook key")
        if reply.failure:
            return WebhookKey("", reply.why, False, reply.failure.detail)
        known = read_webhook_key(reply.status, reply.headers, reply.body)
        if known.key and known.key != self.viva_wallet_webhook_verification_key:
            number = self.id
            in_own_transaction(
                self.env,
                lambda env: (
                    env["pos.payment.method"]
                    .browse(number)
                    .write({"viva_wallet_webhook_verification_key": known.key})
                ),
            )
        return known

    # ------------------------------------------------------------------
    # Business: speaking with Viva.com
    # ------------------------------------------------------------------

    def _viva_site(self):
        """Return the ``hosts.Site``; ProtocolError when the simulator's address is not right."""
        own = self.sudo()
        base = own.viva_wallet_base_url or ""
        return hosts.site(own.viva_wallet_test_mode, base, insecure=bool(base))

    def _viva_client(self, **common):
        """Return a ``VivaClient`` that can be used without a cursor.

        :param common: field values of its log rows (operation_id, ...)
        """
        own, company = self.sudo(), self.company_id.sudo()
        client = own.viva_wallet_client_id or "", own._servipay_secret("viva_wallet_client_secret")
        merchant = own.viva_wallet_merchant_id or "", own._servipay_secret("viva_wallet_api_key")
        journal = own.env["servipay.api.log"]._journal(
            # "Key": what proves to Viva.com whose address this is
            Masker(("Key",), tuple(filter(None, (client[1], merchant[1])))),
            company.servipay_log_bodies,
            **{"company_id": company.id, "provider": "viva", **common},
        )
        private = bool(own.viva_wallet_base_url)

        def http(base, seconds):
            connection = Connection(
                base, read_timeout=seconds, connect_timeout=min(seconds, 5), allow_private=private
            )
            return HttpClient(connection, journal)

        return VivaClient(own._viva_site(), client, merchant, http)

    def _viva_devices(self):
        """Return the ``devices.Devices`` of the merchant."""
        reply = self._viva_client().ask(requests.search_devices(), "devices")
        if reply.failure:
            return devices.Devices(reason=reply.why, detail=reply.failure.detail)
        return devices.read_devices(reply.status, reply.headers, reply.body)


def _kind(found):
    return "danger" if found.reason else "success"
