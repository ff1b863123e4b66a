from odoo import _, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.servipay_secrets import is_set, sealed, secret

_logger = get_logger(__name__)
ALIAS = "ODOO-ALIAS-"  # how the aliases begin that Odoo asked Ogone for
SHA_KEYS = ("shakey_in", "shakey_in_directlink", "shakey_out")


class PaymentOgoneRecovery(models.TransientModel):
    """Copy an account, and move saved cards, from the provider that Odoo's upgrade made of Ogone's.

    The upgrade renames Odoo's addon to ``payment_worldline``: PSPID, API user and password stand in
    other fields afterwards, the SHA keys are gone. Source: protocols/ogone.md, 6.4.
    """

    _name = "payment.ogone.recovery"
    _inherit = "servipay.secrets"
    _description = "Recover an Ogone account from Worldline's provider"

    provider_id = fields.Many2one("payment.provider", "Ogone provider", required=True, ondelete="cascade")
    source_id = fields.Many2one(
        "payment.provider",
        "Worldline provider",
        compute="_compute_source_id",
        store=True,
        readonly=False,
        precompute=True,
        ondelete="cascade",
        domain="[('id', 'in', source_ids)]",
    )
    source_ids = fields.Many2many("payment.provider", compute="_compute_source_ids")
    in_use = fields.Boolean(compute="_compute_in_use")
    source_in_use = fields.Boolean(compute="_compute_in_use")
    keys_known = fields.Boolean(compute="_compute_in_use")
    pspid = fields.Char("PSPID", compute="_compute_found")
    userid = fields.Char("API User ID", compute="_compute_found")
    password_found = fields.Boolean(compute="_compute_found")
    token_count = fields.Integer("Saved cards of Ogone", compute="_compute_found")
    other_token_count = fields.Integer("Other saved cards", compute="_compute_found")
    move_tokens = fields.Boolean(
        "Move the saved cards",
        help="To the Ogone provider. Only those whose reference begins with ODOO-ALIAS-, as Odoo asked Ogone "
        "for it.",
    )
    all_tokens = fields.Boolean(
        "Also cards with other references",
        help="References that were imported, or that Worldline has given since. Ogone knows the former only.",
    )
    shakey_in = secret("SHA Key IN")
    shakey_in_sealed, shakey_in_set = sealed(), is_set()
    shakey_in_directlink = secret("SHA Key IN (DirectLink)")
    shakey_in_directlink_sealed, shakey_in_directlink_set = sealed(), is_set()
    shakey_out = secret("SHA Key OUT")
    shakey_out_sealed, shakey_out_set = sealed(), is_set()
    hash_function = fields.Selection(
        [("sha1", "SHA1"), ("sha256", "SHA256"), ("sha512", "SHA512")],
        "Hash function",
        required=True,
        default="sha512",
        help="The upgrade has lost it too: Configuration > Technical information > Global security "
        "parameters.",
    )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.model
    def _servipay_secrets(self):
        return (*super()._servipay_secrets(), *SHA_KEYS)

    @api.depends("provider_id")
    def _compute_source_ids(self):
        for dialog in self:
            dialog.source_ids = dialog.provider_id._ogone_recovery_sources().ids

    @api.depends("provider_id")
    def _compute_source_id(self):
        for dialog in self:
            dialog.source_id = dialog.provider_id._ogone_recovery_sources()[:1].id

    @api.depends("provider_id.state", "source_id.state")
    def _compute_in_use(self):
        for dialog in self:
            dialog.in_use = dialog.provider_id.state != "disabled"
            dialog.source_in_use = bool(dialog.source_id) and dialog.source_id.state != "disabled"
            provider = dialog.provider_id
            dialog.keys_known = provider.ogone_shakey_in_set and provider.ogone_shakey_out_set

    @api.depends("source_id")
    def _compute_found(self):
        for dialog in self:
            found = dialog._found()
            dialog.pspid, dialog.userid = found["ogone_pspid"], found["ogone_userid"]
            dialog.password_found = bool(found["ogone_password"])
            dialog.token_count = len(dialog._tokens(every=False))
            dialog.other_token_count = len(dialog._tokens(every=True)) - dialog.token_count

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_recover(self):
        """Copy and move what was chosen, and say what comes next. Pressed twice, nothing changes."""
        self.ensure_one()
        self._check_possible()
        told = [] if self.in_use else [self._copy_account()]
        if self.move_tokens:
            told.append(self._move_tokens())
        self.sudo().write({f"{name}_sealed": False for name in SHA_KEYS})
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "title": _("Ogone"),
                "message": " ".join([*told, self._next_step()]),
                "sticky": True,
                "next": {"type": "ir.actions.act_window_close"},
            },
        }

    # ------------------------------------------------------------------
    # Business
    # ------------------------------------------------------------------

    def _check_possible(self):
        """Raise a UserError that says what is missing."""
        if not self.env.user.has_group("base.group_system"):
            raise UserError(_("Only administrators may recover an account."))
        if self.source_id not in self.provider_id._ogone_recovery_sources():
            raise UserError(
                _("There is nothing to recover: no Worldline provider of this company holds a PSPID.")
            )
        if self.in_use and not self.move_tokens:
            raise UserError(
                _(
                    "The Ogone provider is in use: its account is not replaced. Disable it first, or move "
                    "saved cards only."
                )
            )
        if not self.in_use and not self._has_keys():
            raise UserError(
                _(
                    "Enter SHA Key IN and SHA Key OUT: the upgrade has lost them. They stand at Ogone under "
                    "Configuration > Technical information, where new ones can be set too."
                )
            )

    def _has_keys(self):
        provider = self.provider_id
        needed = ("shakey_in", "shakey_out")
        return all(self[f"{name}_set"] or provider[f"ogone_{name}_set"] for name in needed)

    def _found(self):
        """Return {field of the Ogone provider: value of the Worldline provider, "" for none}."""
        source = self.source_id.sudo()
        names = {
            "ogone_pspid": "worldline_pspid",
            "ogone_userid": "worldline_api_key",
            "ogone_password": "worldline_api_secret",
        }
        return {ours: source._fields.get(theirs) and source[theirs] or "" for ours, theirs in names.items()}

    def _copy_account(self):
        """Give the account to the Ogone provider; returns a sentence. What is empty replaces nothing."""
        found = self._found()
        keys = {f"ogone_{name}": self._servipay_secret(name) for name in SHA_KEYS}
        values = {name: value for name, value in {**found, **keys}.items() if value}
        self.provider_id.write({**values, "ogone_hash_function": self.hash_function})
        _logger.info(
            "Ogone provider %s: account of Worldline provider %s copied by user %s",
            self.provider_id.id,
            self.source_id.id,
            self.env.uid,
        )
        if not found["ogone_userid"] or not found["ogone_password"]:
            return _(
                "PSPID %(pspid)s is copied. API user or password were not there: enter them.",
                pspid=found["ogone_pspid"],
            )
        return _(
            "PSPID %(pspid)s, API user %(user)s and its password are copied.",
            pspid=found["ogone_pspid"],
            user=found["ogone_userid"],
        )

    def _tokens(self, every):
        """Return the saved cards (sudo) of the Worldline provider, archived ones too.

        :param every: with any reference, not only with Ogone's aliases
        """
        tokens = self.env["payment.token"].sudo().with_context(active_test=False)
        domain = [("provider_id", "=", self.source_id.id)]
        return tokens.search(domain if every else [*domain, ("provider_ref", "=like", f"{ALIAS}%")])

    def _move_tokens(self):
        """Attach saved cards to the Ogone provider; returns a sentence."""
        tokens = self._tokens(self.all_tokens)
        if not tokens:
            return _("There is no saved card to move.")
        tokens.provider_id = self.provider_id
        _logger.info(
            "Ogone provider %s: %s saved cards of Worldline provider %s moved by user %s",
            self.provider_id.id,
            len(tokens),
            self.source_id.id,
            self.env.uid,
        )
        archived = len(tokens) - len(tokens.filtered("active"))
        if archived:
            return _(
                "Saved cards moved: %(count)s, of which %(archived)s were archived before and stay so.",
                count=len(tokens),
                archived=archived,
            )
        return _("Saved cards moved: %s.", len(tokens))

    def _next_step(self):
        if self.in_use:
            return _("Have a look at the saved cards, and let a customer pay with one.")
        return _(
            "Next: enable the provider, not published yet, press Test connection and try a payment. Until it "
            "is enabled the platform's test side is asked, which has credentials of its own. Odoo archives "
            "the saved cards of a provider that leaves Test Mode or is disabled."
        )
