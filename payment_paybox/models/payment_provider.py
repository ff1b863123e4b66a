import re
from datetime import datetime
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.servipay_secrets import is_set, sealed, secret
from odoo.addons.paypercloud_servipay.models.tested import told

from ..controllers.main import NOTIFICATION, RETURN
from ..paybox import keys
from ..paybox import page as pages
from ..paybox.errors import ProtocolError
from ..paybox.platform import can_be_notified, platform
from ..paybox.signature import is_worthless, read_key, split_keys
from .paybox_client import PayboxClient

_logger = get_logger(__name__)

SECRETS = ("paybox_key_test", "paybox_key", "paybox_password")
PARIS = ZoneInfo("Europe/Paris")
READ_SECONDS = 20  # PPPS answers within some seconds; a worker waits meanwhile
# the page's languages by the first two letters of ours
LANGUAGES = {
    **{"fr": "FRA", "en": "GBR", "es": "ESP", "it": "ITA", "de": "DEU", "nl": "NLD", "sv": "SWE", "pt": "PRT"}
}
# credentials of the public test shop are no secret, and still nothing to copy to another company
OWN = {"copy": False}


class PaymentProvider(models.Model):
    _name = "payment.provider"
    _inherit = ["servipay.payment.provider", "payment.provider"]

    code = fields.Selection(selection_add=[("paybox", "Paybox")], ondelete={"paybox": "set default"})
    paybox_brand = fields.Selection(
        [
            ("paybox", "Paybox (Verifone)"),
            ("etransactions", "Up2Pay e-Transactions (Crédit Agricole)"),
            ("custom", "Other host"),
        ],
        "Platform",
        default="paybox",
        required_if_provider="paybox",
    )
    paybox_host = fields.Char("Page host", groups="base.group_system", **OWN)
    paybox_backup_host = fields.Char("Backup host", groups="base.group_system", **OWN)
    paybox_direct_host = fields.Char("PPPS host", groups="base.group_system", **OWN)
    paybox_site = fields.Char("Site", required_if_provider="paybox", help="Seven digits (PBX_SITE).", **OWN)
    paybox_rank = fields.Char(
        "Rank", required_if_provider="paybox", help="Two or three digits (PBX_RANG).", **OWN
    )
    paybox_identifier = fields.Char(
        "Identifier", required_if_provider="paybox", help="One to nine digits (PBX_IDENTIFIANT).", **OWN
    )
    paybox_key_test = secret(
        "HMAC key (test)",
        help="Made in the back office of the pre-production platform. It can be replaced, never read.",
    )
    paybox_key_test_sealed, paybox_key_test_set = sealed(), is_set()
    paybox_key = secret(
        "HMAC key (production)",
        help="Made in the back office of the production platform. It can be replaced, never read.",
    )
    paybox_key_sealed, paybox_key_set = sealed(), is_set()
    paybox_password = secret(
        "PPPS password (CLE)",
        help="Only for contracts whose PPPS requests are authenticated by a password.",
    )
    paybox_password_sealed, paybox_password_set = sealed(), is_set()
    paybox_page = fields.Selection(
        [
            ("current", "Current page"),
            ("responsive", "Responsive page (RWD)"),
            ("classic", "Classic page"),
        ],
        "Page style",
        default="current",
    )
    paybox_language = fields.Selection(
        [
            ("FRA", "French"),
            ("GBR", "English"),
            ("ESP", "Spanish"),
            ("ITA", "Italian"),
            ("DEU", "German"),
            ("NLD", "Dutch"),
            ("SWE", "Swedish"),
            ("PRT", "Portuguese"),
        ],
        "Other languages see",
        default="FRA",
        help="The page speaks the customer's language where it can, else this one.",
    )
    paybox_authentication = fields.Selection(
        [
            ("01", "No preference"),
            ("03", "Authenticate if possible"),
            ("04", "Always authenticate"),
        ],
        "3-D Secure",
        default="01",
        help="What the bank is asked for (PBX_SOUHAITAUTHENT); the bank decides.",
    )
    paybox_exemption_ceiling = fields.Monetary(
        "Ask for no authentication up to",
        currency_field="main_currency_id",
        help="Payments up to this amount (30 EUR at most) ask for an exemption; you then bear the risk of "
        "fraud. 0: never.",
    )
    paybox_capture_days = fields.Integer(
        "Capture after (days)", help="0: at once; 1 to 7 days later. Manual capture is set beside it."
    )
    paybox_page_seconds = fields.Integer("Page stays open (seconds)", default=900)
    paybox_email = fields.Char(
        "Fallback e-mail", help="For customers without an e-mail address: it is mandatory."
    )
    paybox_phone = fields.Char(
        "Fallback phone", help="For customers without a phone number: banks ask for one."
    )
    paybox_public_keys = fields.Text(
        "Additional public keys",
        groups="base.group_system",
        help="PEM. The platform's own key is known; add one here before it changes, or a simulator's.",
        **OWN,
    )
    paybox_direct_auth = fields.Selection(
        [("hmac", "HMAC key"), ("password", "Password (CLE)")], "PPPS authentication", default="hmac"
    )
    paybox_direct_version = fields.Selection(
        [("00104", "Direct Plus (00104)"), ("00103", "Direct (00103)")], "PPPS contract", default="00104"
    )
    paybox_confirm = fields.Boolean(
        "Confirm payments by inquiry",
        default=True,
        help="Before a reported payment is booked, the platform is asked for it in the name of this site "
        "(PPPS): it signs the messages of all its merchants, and of its test platform, with one key. Only "
        "switch it off when your contract has no PPPS.",
    )
    paybox_addresses = fields.Char(
        "Expected IP addresses",
        help="Of the platform's notifications, separated by commas. Messages from elsewhere are noted in the "
        "server log, and refused where payments are not confirmed by inquiry: then nothing else tells the "
        "platform's messages from those of other merchants.",
    )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.model
    def _servipay_secrets(self):
        return (*super()._servipay_secrets(), *SECRETS)

    @api.model
    def _servipay_lasting(self):
        return (*super()._servipay_lasting(), "paybox_site", "paybox_rank", "paybox_identifier")

    def _servipay_merchant_number(self):
        return self.paybox_site if self.code == "paybox" else super()._servipay_merchant_number()

    def _servipay_check_secret(self, name, value):
        if name in ("paybox_key_test", "paybox_key"):
            return self._paybox_checked_key(value)
        return self._paybox_checked_password(value) if name == "paybox_password" else value

    def _paybox_checked_key(self, key):
        try:
            read_key(key)
        except ProtocolError as error:
            raise ValidationError(
                _(
                    "The HMAC key is written in hexadecimal: an even number of the characters 0-9 and A-F. "
                    "Copy the whole key from the back office."
                )
            ) from error
        return key.upper()

    def _paybox_checked_password(self, password):
        if not re.fullmatch(r"[!-~]{1,10}", password):
            raise ValidationError(_("The PPPS password (CLE) has at most ten characters without spaces."))
        return password

    def _compute_feature_support_fields(self):
        result = super()._compute_feature_support_fields()
        self.filtered(lambda provider: provider.code == "paybox").update(
            {
                "support_refund": "partial",
                "support_manual_capture": "full_only",
                "support_tokenization": False,
            }
        )
        return result

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("code", "state", "paybox_key_sealed", "paybox_key_test_sealed")
    def _check_paybox_keys(self):
        for provider in self.filtered(lambda one: one.code == "paybox" and one.state != "disabled").sudo():
            key = provider.paybox_key_test_sealed if provider.state == "test" else provider.paybox_key_sealed
            if not key:
                raise ValidationError(
                    _("Enter the HMAC key of this platform first: without it no payment can be asked for.")
                )

    @api.constrains("paybox_site", "paybox_rank", "paybox_identifier", "paybox_email")
    def _check_paybox_numbers(self):
        sentences = {
            "site": _("The Paybox site number has seven digits."),
            "rank": _("The Paybox rank has two or three digits."),
            "identifier": _("The Paybox identifier has one to nine digits."),
            "email": _(
                "The fallback e-mail must be an e-mail address of 6 to 120 characters without accents."
            ),
        }
        for provider in self:
            for name, sentence in sentences.items():
                value = provider[f"paybox_{name}"]
                try:
                    if value:
                        pages.check(name, value)
                except ProtocolError as error:
                    raise ValidationError(sentence) from error

    @api.constrains("paybox_public_keys", "state")
    def _check_paybox_public_keys(self):
        for provider in self.sudo().filtered("paybox_public_keys"):
            try:
                known = split_keys(provider.paybox_public_keys)
            except ProtocolError as error:
                raise ValidationError(
                    _(
                        "The additional public keys must be RSA keys of 1024 bits or more in PEM form "
                        "(-----BEGIN PUBLIC KEY-----), and nothing else."
                    )
                ) from error
            if provider.state == "enabled" and any(map(is_worthless, known)):
                raise ValidationError(
                    _(
                        "One of the additional public keys is the simulator's. Everybody can sign with it: "
                        "payments that nobody made would be booked as paid. Remove it before the provider is "
                        "enabled."
                    )
                )

    @api.constrains(
        *("state", "paybox_brand", "paybox_host", "paybox_backup_host", "paybox_direct_host"),
        "servipay_allow_private",
    )
    def _check_paybox_hosts(self):
        for provider in self.filtered(lambda one: one.code == "paybox" and one.state != "disabled"):
            if not provider._paybox_hosts_are_right():
                raise ValidationError(
                    _("Write the hosts of the platform as name, name:port or https://name:port.")
                )

    def _paybox_hosts_are_right(self):
        """Whether they can be read, and whatever is sent there is encrypted (but for a simulator)."""
        try:
            known = self._paybox_platform()
        except ProtocolError:
            return False
        plain = [base for base in (*known.pages, *known.direct) if not base.startswith("https://")]
        return not plain or self.sudo().servipay_allow_private

    @api.constrains(
        "paybox_capture_days", "paybox_page_seconds", "paybox_exemption_ceiling", "servipay_pending_days"
    )
    def _check_paybox_ranges(self):
        for provider in self:
            if not 0 <= provider.paybox_capture_days <= pages.MAX_CAPTURE_DAYS:
                raise ValidationError(_("A capture is deferred by 7 days at most: authorisations expire."))
            if not 60 <= provider.paybox_page_seconds <= 86400:
                raise ValidationError(_("The payment page stays open for 60 to 86400 seconds."))
            if not 0 <= provider.paybox_exemption_ceiling <= 30:
                raise ValidationError(_("An exemption can be asked for up to 30: banks grant none above."))
            if provider.servipay_pending_days < 1:
                raise ValidationError(
                    _("An alert for a pending payment comes after one day at the earliest.")
                )

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_paybox_check(self):
        """Check page and PPPS with signed requests that move nothing; show what came out."""
        self.ensure_one()
        if not self.env.user.has_group("base.group_system"):
            raise UserError(_("Only administrators may check the configuration."))
        provider = self.sudo()
        findings = [*provider._paybox_check_routes(), *provider._paybox_client().check()]
        return told(findings, _("Paybox"))

    def _paybox_check_routes(self):
        """Return [(kind, sentence)] about our own address as the platform sees it."""
        address = self._paybox_routes().notification
        # a simulator or a gateway of one's own calls whatever it likes
        if self.paybox_brand == "custom":
            return []
        if can_be_notified(address):
            return self._servipay_check_address()
        words = _(
            "The platform calls ports 80, 443 and 8080 to 8085 only: %(address)s would never be told about a "
            "payment. Correct the system parameter web.base.url.",
            address=address,
        )
        return [("warning", words)]

    # ------------------------------------------------------------------
    # Business: what the form is made of
    # ------------------------------------------------------------------

    def _paybox_merchant(self):
        """Return the ``Merchant`` of the platform in use."""
        key = self._servipay_secret("paybox_key_test" if self.state == "test" else "paybox_key")
        return pages.Merchant(
            self.paybox_site or "", self.paybox_rank or "", self.paybox_identifier or "", key
        )

    def _paybox_platform(self):
        """Return the ``Platform`` in use; ProtocolError when its hosts are not right."""
        own = self.sudo()
        return platform(
            self.paybox_brand or "",
            self.state == "test",
            own.paybox_host or "",
            own.paybox_backup_host or "",
            own.paybox_direct_host or "",
        )

    def _paybox_routes(self):
        """Return the ``Addresses`` of our routes: constant, without parameters of their own."""
        base = self.get_base_url()
        back = urljoin(base, RETURN)
        return pages.Addresses(back, back, back, back, urljoin(base, NOTIFICATION))

    def _paybox_options(self, amount, lang):
        """Return the ``Options`` of a payment.

        :param amount: in the company's currency, for the exemption
        :param lang: the customer's language (fr_FR)
        """
        manual, days = self.capture_manually, self.paybox_capture_days
        exempt = self.paybox_exemption_ceiling and amount <= self.paybox_exemption_ceiling
        return pages.Options(
            language=LANGUAGES.get((lang or "")[:2], self.paybox_language or "FRA"),
            authentication="02" if exempt else self.paybox_authentication or "01",
            capture="manual" if manual else "deferred" if days else "immediate",
            days=days,
            seconds=self.paybox_page_seconds,
            responsive=self.paybox_page == "responsive",
        )

    def _paybox_time(self):
        """Return (ISO 8601 for the page, ddmmYYYYHHMMSS for PPPS): the time in Paris."""
        now = datetime.now(PARIS)
        return now.isoformat(timespec="seconds"), now.strftime("%d%m%Y%H%M%S")

    def _paybox_public_keys(self):
        """Return the PEM keys whose signature counts: for no provider those of all that are in use."""
        providers = self.sudo()
        if not self:
            providers = providers.search([("code", "=", "paybox"), ("state", "!=", "disabled")])
        own = [
            key
            for provider in providers
            for key in split_keys(provider.paybox_public_keys or "")
            # one that was left there before it was refused must not count either
            if provider.state == "test" or not is_worthless(key)
        ]
        return [keys.PLATFORM, *own]

    def _paybox_expects(self, address):
        """Return whether messages are expected from this address; another one is noted in the server log."""
        expected = [part.strip() for part in (self.paybox_addresses or "").split(",") if part.strip()]
        if not expected or address in expected:
            return True
        _logger.warning("a message of Paybox came from another address than expected (%s)", address)
        return False

    # ------------------------------------------------------------------
    # Business: speaking with the platform
    # ------------------------------------------------------------------

    def _paybox_client(self, **common):
        """Return a ``PayboxClient`` that can be used without a cursor.

        :param common: field values of its log rows (operation_id, ...)
        """
        provider, merchant = self.sudo(), self._paybox_merchant()
        password = (
            provider._servipay_secret("paybox_password") if provider.paybox_direct_auth == "password" else ""
        )
        return PayboxClient(
            merchant=merchant,
            platform=self._paybox_platform(),
            page=self.paybox_page or "current",
            http=self._servipay_http((merchant.key, password), **common),
            password=password,
            version=self.paybox_direct_version or "00104",
            test_form=self._paybox_test_form,
            date=lambda: self._paybox_time()[1],
            confirms=provider.paybox_confirm,
            env=self.env,
        )

    def _paybox_test_form(self):
        """Return a signed form of one unit of money that nobody will pay."""
        moment, _direct = self._paybox_time()
        payment = pages.Payment(
            amount=100,
            currency=self.main_currency_id.name or "EUR",
            reference=f"CHECK-{moment[:19].replace(':', '')}",
            email=self.paybox_email or "check@example.com",
            time=moment,
        )
        return pages.form(
            self._paybox_merchant(), payment, self._paybox_routes(), self._paybox_options(1, "fr")
        )

    def _get_default_payment_method_codes(self):
        """Cards; 17.0 wants a list and only asks whether a code is in it."""
        if self.code != "paybox":
            return super()._get_default_payment_method_codes()
        return {"card", "visa", "mastercard", "amex", "maestro"}

    def _get_reset_values(self):
        """19.0: what a reset of the credentials forgets."""
        values = super()._get_reset_values()
        if self.code == "paybox":
            names = (
                "site",
                "rank",
                "identifier",
                "key_test_sealed",
                "key_sealed",
                "password_sealed",
                "public_keys",
            )
            values.update({f"paybox_{name}": None for name in names})
        return values
