import re

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from .link import is_address, is_local, normal_host

TERMINAL = "caisse_ap_ip"
# CC that each mode asks the terminal for; a card payment leaves the choice to it. Source: caisse_ap.md, 2.1
APPLICATIONS = {"card": "", "check": "00C", "ancv": "00V", "conecs": "00E"}
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    caisse_ap_host = fields.Char(
        "Terminal IP address or name",
        help="Give the terminal a fixed address, or reserve one for it. Write it the same way in every "
        "payment method: a name here and an address there are two terminals for Odoo.",
    )
    caisse_ap_port = fields.Integer(
        "Terminal port", default=8888, help="8888 on most terminals, 20002 on Nepting."
    )
    caisse_ap_mode = fields.Selection(
        [
            ("card", "Card"),
            ("check", "Check"),
            ("ancv", "Holiday vouchers (ANCV)"),
            ("conecs", "Meal vouchers (Conecs)"),
        ],
        "Payment mode",
        default="card",
    )
    caisse_ap_family = fields.Selection(
        [("ingenico", "Ingenico"), ("verifone", "Verifone"), ("nepting", "Nepting"), ("other", "Other")],
        "Terminal family",
        default="other",
    )
    caisse_ap_hint = fields.Char("In the terminal's menu", compute="_compute_caisse_ap_hint")
    caisse_ap_version = fields.Char(
        "Protocol version", default="0300", help="0300, or 0320 where asked for (CZ)."
    )
    caisse_ap_identifier = fields.Char(
        "Protocol identifier",
        default="012345678901",
        help="Twelve digits (CJ). Terminals accept the default; enter your own if you were given one.",
    )
    caisse_ap_seconds = fields.Integer("Wait for the customer (seconds)", default=180)
    caisse_ap_receipts = fields.Boolean(
        "Card slip on the receipt", help="Ask the terminal for both card slips instead of printing them."
    )
    caisse_ap_duplicate = fields.Boolean(
        "Ask for a lost answer",
        default=True,
        help="After a lost connection, ask the terminal for its last transaction (duplicate, CD=3). Some "
        "terminals print a duplicate slip then. Switch it off when the terminal does not know it.",
    )
    caisse_ap_reversal = fields.Boolean(
        "Reversal allowed", help="The terminal can reverse its last payment (CD=2): used for voids."
    )
    caisse_ap_line_end = fields.Boolean("Send CR/LF", help="Only for a terminal that does not react without.")
    caisse_ap_allow_local = fields.Boolean(
        "Allow this server's own addresses",
        groups="base.group_system",
        help="For a simulator or a bridge on the Odoo server itself.",
    )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("caisse_ap_family")
    @api.depends_context("lang")
    def _compute_caisse_ap_hint(self):
        hints = {
            "ingenico": _("Start the application CONCERT V3, choose IP; the maintainer usually does it."),
            "verifone": _("Till connection: Concert, version 3, IP; the maintainer usually does it."),
            "nepting": _(
                "Functional parameters > Till > Protocol: Concert, Version 3, link IP; note the listening "
                "port. The configuration slip must print “PROTOCOL: ConcertV3 IP”."
            ),
            "other": _("Till protocol: Concert (Caisse-AP) version 3 over IP. The terminal must not sleep."),
        }
        for method in self:
            method.caisse_ap_hint = hints.get(method.caisse_ap_family, "")

    @api.depends("caisse_ap_reversal")
    def _compute_servipay_can_void(self):
        return super()._compute_servipay_can_void()

    # ------------------------------------------------------------------
    # Constraints
    # ------------------------------------------------------------------

    @api.constrains("use_payment_terminal", "caisse_ap_host", "caisse_ap_port", "caisse_ap_allow_local")
    def _check_caisse_ap_address(self):
        for method in self.filtered(lambda method: method.use_payment_terminal == TERMINAL):
            host = method.caisse_ap_host or ""
            # "10.1" and "0x7f.1" are addresses in disguise: one terminal would have two spellings
            is_name = _NAME.fullmatch(host) and not _NUMBER.fullmatch(host.rpartition(".")[2])
            if not (is_name or is_address(host)):
                raise ValidationError(_("Enter the terminal's IP address or name, without a port."))
            if not 1 <= method.caisse_ap_port <= 65535:
                raise ValidationError(_("The terminal's port is a number from 1 to 65535."))
            if is_local(host) and not method.sudo().caisse_ap_allow_local:
                raise ValidationError(
                    _(
                        "%s is the Odoo server itself or a local link: only an administrator may allow that.",
                        host,
                    )
                )

    @api.constrains("caisse_ap_version", "caisse_ap_identifier", "caisse_ap_seconds")
    def _check_caisse_ap_protocol(self):
        for method in self.filtered(lambda method: method.use_payment_terminal == TERMINAL):
            if not re.fullmatch(r"[0-9]{4}", method.caisse_ap_version or ""):
                raise ValidationError(_("The protocol version has four digits, such as 0300."))
            if not re.fullmatch(r"[0-9]{12}", method.caisse_ap_identifier or ""):
                raise ValidationError(_("The protocol identifier has twelve digits."))
            if not 10 <= method.caisse_ap_seconds <= 600:
                raise ValidationError(_("A terminal gets between 10 and 600 seconds for a payment."))

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        """Keep one spelling of a terminal's address: it is what the terminal is locked by."""
        return super().create([self._caisse_ap_normal(vals) for vals in vals_list])

    def write(self, vals):
        """Keep one spelling of a terminal's address."""
        return super().write(self._caisse_ap_normal(vals))

    @api.model
    def _caisse_ap_normal(self, vals):
        if not vals.get("caisse_ap_host"):
            return vals
        return {**vals, "caisse_ap_host": normal_host(vals["caisse_ap_host"])}

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_caisse_ap_test(self):
        """Say whether the terminal answers, which version it speaks and how fast; it moves nothing."""
        self.ensure_one()
        if not self.caisse_ap_host:
            raise UserError(_("Enter the terminal's address first."))
        return self._caisse_ap_pos_terminal().action_test()

    # ------------------------------------------------------------------
    # Hooks of the point of sale
    # ------------------------------------------------------------------

    def _get_payment_terminal_selection(self):
        return super()._get_payment_terminal_selection() + [(TERMINAL, _("Caisse-AP over IP"))]

    @api.model
    def _servipay_providers(self):
        return {**super()._servipay_providers(), TERMINAL: "caisse_ap"}

    @api.model
    def _servipay_corrected_any_time(self):
        own = {name for name in self._fields if name.startswith("caisse_ap_")}
        return super()._servipay_corrected_any_time() | own

    def _caisse_ap_pos_can_void(self):
        """Say whether a till may take back a payment before its order is recorded: by a reversal (CD=2)."""
        return self.caisse_ap_reversal

    def _caisse_ap_pos_terminal(self, config=None):
        if not self.caisse_ap_host:  # a neutralized copy: no terminal is made of an empty address
            return self.env["servipay.terminal"]
        pid = f"{normal_host(self.caisse_ap_host)}:{self.caisse_ap_port}"
        return self.env["servipay.terminal"]._find_or_new(self.company_id, "caisse_ap", pid)
