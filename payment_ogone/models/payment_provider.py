from urllib.parse import urljoin

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.payment import utils as payment_utils
from odoo.addons.paypercloud_servipay.models.servipay_secrets import is_set, sealed, secret
from odoo.addons.paypercloud_servipay.models.tested import told

from ..controllers.main import RETURN
from ..ogone import check, direct, methods
from ..ogone import page as pages
from ..ogone.errors import ProtocolError
from ..ogone.lists import read_names
from ..ogone.money import hundredths
from ..ogone.platform import can_be_notified, platform
from ..ogone.worthless import is_worthless
from .ogone_client import OgoneClient

SECRETS = ("ogone_password", "ogone_shakey_in", "ogone_shakey_in_directlink", "ogone_shakey_out")
OWN = {"copy": False}
COLOUR = "As #RRGGBB or by its English name. A template of your own ignores it."
# what a merchant may set, as members of page.Look
LOOK = (
    *("title", "logo", "font", "template", "background", "text"),
    *("table_background", "table_text", "button_background", "button_text"),
)


class PaymentProvider(models.Model):
    """Ogone. Names of fields and routes are those of Odoo's own addon, whose databases are taken over."""

    _name = "payment.provider"
    _inherit = ["servipay.payment.provider", "payment.provider"]

    code = fields.Selection(selection_add=[("ogone", "Ogone")], ondelete={"ogone": "set default"})
    ogone_brand = fields.Selection(
        [
            ("ogone", "Ogone / Ingenico ePayments"),
            ("epdq", "Barclaycard ePDQ"),
            ("postfinance", "PostFinance"),
            ("kbc", "KBC Paypage"),
            ("concardis", "Concardis Payengine"),
            ("viveum", "Viveum"),
            ("payglobe", "Payglobe"),
            ("santander", "Santander"),
            ("custom", "Other address"),
        ],
        "Ogone platform",
        default="ogone",
        help="All of them are the same platform under different names. Its operator has announced the end of "
        "most of them; ask yours whether your account is still served.",
    )
    ogone_base_url = fields.Char(
        "Platform address", groups="base.group_system", help="https://host of the platform.", **OWN
    )
    ogone_pspid = fields.Char(
        "PSPID",
        required_if_provider="ogone",
        help="The name of your account at Ogone, which you chose when you opened it.",
        **OWN,
    )
    ogone_userid = fields.Char(
        "API User ID",
        required_if_provider="ogone",
        help="Configuration > Users > New User at Ogone: a user for the API, without access to the back "
        "office. Refunds, captures and saved cards need it.",
        **OWN,
    )
    ogone_password = secret(
        "API User Password",
        help="Shown once when the API user is saved; a new one is made by Configuration > Users > change "
        "password. It can be replaced here, never read.",
    )
    ogone_password_sealed, ogone_password_set = sealed(), is_set()
    ogone_shakey_in = secret(
        "SHA Key IN",
        help="Configuration > Technical information > Data and origin verification > Checks for e-Commerce & "
        "Alias Gateway: the SHA-IN passphrase.",
    )
    ogone_shakey_in_sealed, ogone_shakey_in_set = sealed(), is_set()
    ogone_shakey_in_directlink = secret(
        "SHA Key IN (DirectLink)",
        help="The second box of the same page, Checks for DirectLink and Batch. Leave it empty here "
        "when both boxes hold the same passphrase.",
    )
    ogone_shakey_in_directlink_sealed, ogone_shakey_in_directlink_set = sealed(), is_set()
    ogone_shakey_out = secret(
        "SHA Key OUT",
        help="Configuration > Technical information > Transaction feedback > All transaction submission "
        "modes: the SHA-OUT passphrase. Some guides call it API key or client key there; the passphrase is "
        "meant. Without it Ogone reports nothing that Odoo may believe.",
    )
    ogone_shakey_out_sealed, ogone_shakey_out_set = sealed(), is_set()
    ogone_hash_function = fields.Selection(
        [("sha1", "SHA1"), ("sha256", "SHA256"), ("sha512", "SHA512")],
        "Hash function",
        default="sha512",
        required_if_provider="ogone",
        help="Configuration > Technical information > Global security parameters: the hash algorithm.",
    )
    ogone_extra_names = fields.Char(
        "More signed parameters",
        groups="base.group_system",
        help="Names of further feedback parameters that your account signs, separated by spaces. Needed only "
        "when messages of the platform are refused although the SHA-OUT passphrase is right.",
    )
    ogone_paid_at_91 = fields.Boolean(
        "Processing counts as paid",
        help="The platform reports some payments as being processed (91) before it reports them as paid (9). "
        "At your own risk: a payment that is refused later was then booked.",
    )
    ogone_confirm = fields.Boolean(
        "Confirm payments by DirectLink",
        default=True,
        help="Before a reported payment is booked, DirectLink is asked for it on the side, test or "
        "production, that is set here: a signature does not tell the two apart when both have the same "
        "passphrase. Only switch it off when your account has no DirectLink.",
    )
    ogone_layout = fields.Selection(
        [("0", "Grouped"), ("1", "Grouped, without names"), ("2", "One list")], "List of means of payment"
    )
    ogone_template = fields.Char("Template (TP)", help="Address or file name of a page of your own.")
    ogone_title = fields.Char("Title", help="Stands above the payment page.")
    ogone_logo = fields.Char("Logo", help="Name of a file that you uploaded at Ogone, or an https address.")
    ogone_font = fields.Char("Font")
    ogone_background = fields.Char("Background", help=COLOUR)
    ogone_text = fields.Char("Text", help=COLOUR)
    ogone_table_background = fields.Char("Background of the table", help=COLOUR)
    ogone_table_text = fields.Char("Text in the table", help=COLOUR)
    ogone_button_background = fields.Char("Background of the buttons", help=COLOUR)
    ogone_button_text = fields.Char("Text on the buttons", help=COLOUR)
    ogone_feedback_url = fields.Char("Feedback address", compute="_compute_ogone_feedback_url")

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    def _compute_ogone_feedback_url(self):
        for provider in self:
            provider.ogone_feedback_url = urljoin(provider.get_base_url(), RETURN)

    @api.model
    def _servipay_lasting(self):
        return (*super()._servipay_lasting(), "ogone_pspid")

    def _servipay_merchant_number(self):
        return self.ogone_pspid if self.code == "ogone" else super()._servipay_merchant_number()

    @api.model
    def _servipay_secrets(self):
        return (*super()._servipay_secrets(), *SECRETS)

    def _compute_feature_support_fields(self):
        result = super()._compute_feature_support_fields()
        self.filtered(lambda provider: provider.code == "ogone").update(
            {"support_refund": "partial", "support_manual_capture": "partial", "support_tokenization": True}
        )
        return result

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("code", "state", *(f"{name}_sealed" for name in SECRETS))
    def _check_ogone_keys(self):
        for provider in self.filtered(lambda one: one.code == "ogone" and one.state != "disabled").sudo():
            if not provider.ogone_shakey_in_sealed or not provider.ogone_shakey_out_sealed:
                raise ValidationError(
                    _(
                        "Enter SHA Key IN and SHA Key OUT first: without them no payment can be asked "
                        "for, and "
                        "none that the platform reports may be believed."
                    )
                )
            own = (provider._servipay_secret(name) for name in SECRETS if name != "ogone_password")
            if provider.state == "enabled" and any(map(is_worthless, own)):
                raise ValidationError(
                    _(
                        "One of the SHA passphrases is the simulator's. Everybody can sign with it: payments "
                        "that nobody made would be booked as paid. Enter your own before the provider is "
                        "enabled."
                    )
                )

    @api.constrains("code", "state", "ogone_confirm", "ogone_password_sealed")
    def _check_ogone_confirm(self):
        for provider in self.filtered(lambda one: one.code == "ogone" and one.state != "disabled"):
            if provider.ogone_confirm and not provider.sudo().ogone_password_sealed:
                raise ValidationError(
                    _(
                        "Enter the password of the API user: without it no reported payment can be "
                        "confirmed. An account without DirectLink needs “Confirm payments by DirectLink” "
                        "switched off."
                    )
                )

    @api.constrains("ogone_pspid")
    def _check_ogone_pspid(self):
        for provider in self.filtered("ogone_pspid"):
            try:
                pages.check_pspid(provider.ogone_pspid)
            except ProtocolError as error:
                raise ValidationError(_("The PSPID has 1 to 30 letters and digits.")) from error

    @api.constrains("ogone_extra_names")
    def _check_ogone_extra_names(self):
        for provider in self.sudo().filtered("ogone_extra_names"):
            try:
                read_names(provider.ogone_extra_names)
            except ProtocolError as error:
                raise ValidationError(
                    _(
                        "Write the names of the signed parameters in letters, digits and _, separated "
                        "by spaces."
                    )
                ) from error

    @api.constrains("state", "ogone_brand", "ogone_base_url", "servipay_allow_private")
    def _check_ogone_platform(self):
        for provider in self.filtered(lambda one: one.code == "ogone" and one.state != "disabled"):
            try:
                provider._ogone_platform()
            except ProtocolError as error:
                raise ValidationError(
                    _("Write the platform's address as https://host or https://host:port.")
                ) from error

    @api.constrains(*(f"ogone_{name}" for name in LOOK))
    def _check_ogone_look(self):
        for provider in self:
            try:
                pages.check_look(provider._ogone_look())
            except ProtocolError as error:
                raise ValidationError(
                    _(
                        "Write colours as #RRGGBB or by their English name, logo and template as the "
                        "name of a file or an https address."
                    )
                ) from error

    @api.constrains("servipay_pending_days")
    def _check_ogone_pending_days(self):
        if any(provider.servipay_pending_days < 1 for provider in self):
            raise ValidationError(_("An alert for a pending payment comes after one day at the earliest."))

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_ogone_check(self):
        """Ask about an order that does not exist: which credential is wrong, if one is."""
        self.ensure_one()
        if not self.env.user.has_group("base.group_system"):
            raise UserError(_("Only administrators may check the configuration."))
        findings = [*self._ogone_check_routes(), self.sudo()._ogone_check_account()]
        return told(findings, _("Ogone"))

    def _ogone_check_routes(self):
        """Return [(kind, sentence)] about our own address as the platform sees it."""
        # a simulator or a gateway of one's own calls whatever it likes
        if self.ogone_brand == "custom":
            return []
        if can_be_notified(self.ogone_feedback_url):
            return self._servipay_check_address()
        words = _(
            "The platform calls ports 80 and 443 only: %s would never be told about a payment. Correct the "
            "system parameter web.base.url."
        )
        return [("warning", words % self.ogone_feedback_url)]

    def _ogone_check_account(self):
        number = int(fields.Datetime.now().timestamp())
        reply = self._ogone_client().ask("query", lambda account: check.question(account, number))
        if reply.failure:
            return "danger", _("DirectLink could not be asked: %s", reply.failure.detail)
        found = check.meaning(reply.status, reply.body)
        if found.works:
            return "success", _(
                "The platform lets this API user in, and the SHA-IN passphrase of DirectLink is right. The "
                "passphrase of the payment page is checked by the first payment."
            )
        kind = "warning" if found.works is None else "danger"
        return kind, self._ogone_corrections().get(
            found.correct, _("The platform gives no clear answer (%s).", found.reason)
        )

    def _ogone_corrections(self):
        return {
            "pspid": _("The platform does not know this PSPID, or the account is not active there."),
            "password": _(
                "API User ID or password is wrong. Correct it before you check again: the platform "
                "blocks the "
                "user after some wrong passwords."
            ),
            "ip": _("The platform does not take requests from this server's IP address: allow it there."),
            "passphrase": _(
                "The SHA-IN passphrase of DirectLink or the hash function differs. The platform has two "
                "boxes "
                "for SHA-IN: both need the passphrase, or enter the second one here."
            ),
            "host": _("This is not the address of the platform: it answers with something else."),
            "contract": _("DirectLink is not active in this account: ask for it at the platform."),
        }

    # ------------------------------------------------------------------
    # Business: what the form is made of
    # ------------------------------------------------------------------

    def _ogone_platform(self):
        """Return the ``Platform`` in use; ProtocolError when its address is not right."""
        own = self.sudo()
        return platform(
            self.ogone_brand or "ogone",
            self.state != "enabled",
            own.ogone_base_url or "",
            own.servipay_allow_private,
        )

    def _ogone_merchant(self):
        """Return the ``Merchant`` of the payment page."""
        return pages.Merchant(
            self.ogone_pspid or "", self._servipay_secret("ogone_shakey_in"), self.ogone_hash_function
        )

    def _ogone_account(self):
        """Return the ``Account`` of DirectLink."""
        passphrase = self._servipay_secret("ogone_shakey_in_directlink") or self._servipay_secret(
            "ogone_shakey_in"
        )
        return direct.Account(
            self.ogone_pspid or "",
            self.ogone_userid or "",
            self._servipay_secret("ogone_password"),
            passphrase,
            self.ogone_hash_function,
        )

    def _ogone_addresses(self):
        """Return the ``Addresses`` that the customer comes back to."""
        return pages.Addresses(*[self.ogone_feedback_url] * 4)

    def _ogone_options(self, method, lang, alias=None):
        """Return the ``Options`` of a payment by a ``payment.method``, in the customer's language (fr_FR).

        :param alias: ``Alias`` under which the card is to be kept
        """
        return pages.Options(
            operation="RES" if self.capture_manually else "SAL",
            language=lang or "",
            method=methods.request_of(method.code),
            layout=self.ogone_layout or "",
            look=self._ogone_look(),
            alias=alias,
        )

    def _ogone_look(self):
        return pages.Look(**{name: self[f"ogone_{name}"] or "" for name in LOOK})

    def _ogone_read(self, reader, raw):
        """Call ``reader(raw, passphrase, algorithm, names)`` of the room with this account's SHA-OUT."""
        names = read_names(self.sudo().ogone_extra_names or "")
        return reader(raw, self._servipay_secret("ogone_shakey_out"), self.ogone_hash_function, names)

    # ------------------------------------------------------------------
    # Business: speaking with the platform
    # ------------------------------------------------------------------

    def _ogone_client(self, **common):
        """Return an ``OgoneClient`` that can be used without a cursor.

        :param common: field values of its log rows (operation_id, ...)
        """
        account = self._ogone_account()
        http = self._servipay_http((account.password, account.passphrase), **common)
        return OgoneClient(account, self._ogone_platform(), http)

    @api.model
    def _get_compatible_providers(
        self, company_id, partner_id, amount, currency_id=None, is_validation=False, **kwargs
    ):
        """Leave Ogone out where nothing can be paid with it.

        A card is kept while something is paid with it: the platform has no payment of nothing. And it is
        asked for hundredths of any currency: the third decimal of a dinar or rial cannot be written."""
        kwargs.update(currency_id=currency_id, is_validation=is_validation)
        providers = super()._get_compatible_providers(company_id, partner_id, amount, **kwargs)
        currency = self.env["res.currency"].browse(currency_id).exists()
        if not is_validation and self._ogone_can_write(amount, currency):
            return providers
        left_out = providers.filtered(lambda one: one.code == "ogone")
        if kwargs.get("report") is not None:  # since 18.0, for whoever looks why a provider is missing
            why = _("The platform cannot be asked for this amount.")
            payment_utils.add_to_report(kwargs["report"], left_out, available=False, reason=why)
        return providers - left_out

    @api.model
    def _ogone_can_write(self, amount, currency):
        """Tell whether the platform can be asked for a Monetary value, as far as its currency is known."""
        if not currency or not amount:
            return True
        try:
            hundredths(currency._servipay_decimal(currency._servipay_payable(amount)), currency.name)
        except ProtocolError as error:
            return error.code != "decimals"
        return True

    def _get_default_payment_method_codes(self):
        """Cards; 17.0 wants a list and only asks whether a code is in it."""
        if self.code != "ogone":
            return super()._get_default_payment_method_codes()
        return {"card", "visa", "mastercard", "amex", "discover"}

    def _get_reset_values(self):
        """19.0: what a reset of the credentials forgets."""
        values = super()._get_reset_values()
        if self.code == "ogone":
            values.update({"ogone_pspid": None, "ogone_userid": None})
            values.update({f"{name}_sealed": None for name in SECRETS})
        return values
