from collections import namedtuple

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..api.request import Credentials
from . import http_client
from .access import MANAGERS
from .servipay_secrets import is_set, sealed, secret

Problem = namedtuple("Problem", "code text")


class ResCompany(models.Model):
    _name = "res.company"
    _inherit = ["servipay.secrets", "res.company"]

    # Odoo lets everybody read a company, customers of the portal included: every field has its group
    servipay_environment = fields.Selection(
        [("demo", "Demonstration"), ("production", "Production")],
        string="PayperCloud environment",
        default="production",
        required=True,
        help="Anything that is not declared a demonstration counts as production: calls can move money.",
        groups=MANAGERS,
    )
    servipay_base_url = fields.Char(
        "PayperCloud Base URL", help="Demo or production endpoint.", groups=MANAGERS
    )
    servipay_pos_id = fields.Char("POS ID", help="Default POS identifier (posId / pos_pid).", groups=MANAGERS)
    servipay_api_key = secret(
        "POS API Key", help="Global API key, used as Bearer token. It can be replaced, never read."
    )
    servipay_api_key_sealed = sealed()
    servipay_api_key_set = is_set("POS API Key is set", groups=MANAGERS)
    servipay_terminal_pid = fields.Char(
        "Default Terminal PID", help="Default terminal identifier (pid / tpe_pid).", groups=MANAGERS
    )
    servipay_timeout = fields.Integer(
        "HTTP Timeout (seconds)",
        default=30,
        help="How long to wait for an answer, once the connection is there.",
        groups=MANAGERS,
    )
    servipay_verify_ssl = fields.Boolean(
        "Verify SSL Certificates", default=True, help="Keep enabled in production.", groups=MANAGERS
    )
    servipay_ca_bundle = fields.Text(
        "Additional CA certificates",
        help="PEM certificates to trust besides the usual ones, for a server with a private authority.",
        groups=MANAGERS,
    )
    servipay_log_bodies = fields.Boolean(
        "Log Request/Response Bodies",
        default=True,
        help="Disable only if payload content should not be stored in logs; size and checksum always are.",
        groups=MANAGERS,
    )
    servipay_log_days = fields.Integer(
        "Keep API logs (days)",
        default=90,
        help="0 keeps them for ever. Logs of unsettled operations are kept.",
        groups=MANAGERS,
    )
    servipay_allow_private = fields.Boolean(
        "Allow addresses inside the network",
        help="Let PayperCloud calls go to private, loopback and link-local addresses, and without https. "
        "Meant for a simulator or a gateway in your own network.",
        groups=MANAGERS,
    )
    servipay_profile_id = fields.Many2one(
        "servipay.api.profile",
        "API profile",
        help="Paths, fields and words of the API.",
        ondelete="restrict",
        groups=MANAGERS,
    )
    servipay_responsible_id = fields.Many2one(
        "res.users",
        "Payments to check are assigned to",
        domain="[('share', '=', False), ('company_ids', 'in', id)]",
        help="Gets an activity for every operation that is unknown or failed. Without one: the first "
        "manager.",
        groups=MANAGERS,
    )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.model
    def _servipay_secrets(self):
        return (*super()._servipay_secrets(), "servipay_api_key")

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("servipay_base_url", "servipay_allow_private")
    def _check_servipay_base_url(self):
        for company in self.sudo().filtered("servipay_base_url"):
            problems = http_client.check_base_url(company.servipay_base_url, company.servipay_allow_private)
            if problems:
                raise ValidationError(self._servipay_url_sentences()[problems[0]])

    @api.constrains("servipay_timeout", "servipay_log_days")
    def _check_servipay_numbers(self):
        for company in self.sudo():
            if not 1 <= company.servipay_timeout <= 110:
                raise ValidationError(
                    _("The HTTP timeout must be between 1 and 110 seconds: Odoo ends a request after 120.")
                )
            if company.servipay_log_days < 0:
                raise ValidationError(_("API logs are kept for 0 (for ever) or more days."))

    @api.constrains("servipay_ca_bundle")
    def _check_servipay_ca_bundle(self):
        for company in self.sudo().filtered("servipay_ca_bundle"):
            try:
                http_client.load_ca_bundle(company.servipay_ca_bundle)
            except ValueError as error:
                raise ValidationError(
                    _("The additional CA certificates are not readable PEM certificates.")
                ) from error

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    def _paypercloud_get_credentials(self, record=None):
        """Return the ``Credentials`` for a call made for ``record`` (an operation, a terminal, or nothing).

        The one place that decides which key is used: an addon that knows a more specific key (of a point of
        sale, of a payment method) overrides this method. Missing parts are empty strings."""
        self.ensure_one()
        company = self.sudo()
        return Credentials(
            api_key=self._servipay_secret("servipay_api_key"),
            pos_id=company.servipay_pos_id or "",
            terminal_pid=company.servipay_terminal_pid or "",
        )

    def _servipay_connection(self):
        """Return the ``http_client.Connection`` of the PayperCloud API.

        UserError when there is no address.
        """
        self.ensure_one()
        if not self.servipay_base_url:
            raise UserError(
                _("No PayperCloud Base URL is set for %(company)s. Nothing was sent.", company=self.name)
            )
        return http_client.Connection(
            base_url=self.servipay_base_url,
            read_timeout=self.servipay_timeout,
            verify=self.servipay_verify_ssl,
            ca_bundle=self.servipay_ca_bundle or "",
            allow_private=self.servipay_allow_private,
        )

    def _servipay_profile(self, required=True):
        """Return the API profile in use; empty, or UserError, when none is chosen and the default is gone."""
        self.ensure_one()
        default = self.env.ref("paypercloud_servipay.profile_default", raise_if_not_found=False)
        profile = self.sudo().servipay_profile_id or default or self.env["servipay.api.profile"]
        if required and not profile:
            raise UserError(
                _("No API profile is chosen for %(company)s. Nothing was sent.", company=self.name)
            )
        return profile

    def _servipay_seal_again(self):
        """Encrypt stored secrets with the first key of the configuration file."""
        for name in self.env.registry.descendants(["servipay.secrets"], "_inherit"):
            model = self.env[name].sudo().with_context(active_test=False)
            if "company_id" in model._fields and not model._abstract and not model._transient:
                model.search([("company_id", "in", self.ids)])._servipay_seal_again()
        return super()._servipay_seal_again()

    def _servipay_warnings(self):
        """Return the list of ``Problem(code, text)`` that a person should see before calling the API."""
        self.ensure_one()
        company, warnings = self.sudo(), []
        if company.servipay_environment == "production":
            warnings.append(Problem("production", _("This is a production address: calls move real money.")))
        profile = company._servipay_profile(required=False)
        if profile and not profile.verified:
            warnings.append(
                Problem(
                    "unverified",
                    _(
                        "The API profile “%(profile)s” is an assumption: nobody has checked it against the "
                        "real PayperCloud API yet.",
                        profile=profile.name,
                    ),
                )
            )
        if not company.servipay_verify_ssl:
            warnings.append(
                Problem(
                    "ssl_off", _("SSL certificates are not verified: anybody in between can read the key.")
                )
            )
        return warnings

    def _servipay_manager(self):
        """Return the user who gets the activities about uncertain payments (may be empty)."""
        self.ensure_one()
        responsible = self.sudo().servipay_responsible_id
        if responsible.active:
            return responsible
        domain = [("share", "=", False), ("company_ids", "in", self.id)]
        users = self.env["res.users"].search(domain, order="id")
        return users.filtered(lambda user: user.has_group(MANAGERS))[:1]

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    def _servipay_url_sentences(self):
        return {
            "malformed": _("The Base URL must look like https://host/path."),
            "not_https": _(
                "The Base URL must begin with https:// (http:// is accepted when addresses inside the "
                "network "
                "are allowed)."
            ),
            "has_user": _("The Base URL must not contain a user or a password."),
            "has_query": _("The Base URL must end before any ? or #."),
            "has_space": _("The Base URL contains a space or an invisible character."),
        }
