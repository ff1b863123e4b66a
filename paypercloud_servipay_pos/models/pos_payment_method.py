from odoo import api, fields, models

from odoo.addons.paypercloud_servipay.compat import SERIES

LOADED = ("servipay_provider", "servipay_fast_payment", "servipay_can_void")

CORRECTED_ANY_TIME = {
    "servipay_api_key",
    "servipay_api_key_sealed",
    "servipay_pos_id",
    "servipay_terminal_pid",
    "servipay_fast_payment",
}


class PosPaymentMethod(models.Model):
    _name = "pos.payment.method"
    _inherit = ["pos.payment.method", "servipay.pos.credentials"]

    servipay_provider = fields.Char(compute="_compute_servipay_provider")
    servipay_can_void = fields.Boolean(compute="_compute_servipay_can_void")
    servipay_fast_payment = fields.Boolean(
        "Send the amount at once",
        default=True,
        help="The amount goes to the terminal as soon as this method is chosen. Switch it off to split a "
        "payment over several cards: the cashier then changes the amount and presses “Send”. On 17.0 the "
        "cashier always presses “Send”.",
    )

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("use_payment_terminal")
    def _compute_servipay_provider(self):
        providers = self._servipay_providers()
        for method in self:
            method.servipay_provider = providers.get(method.use_payment_terminal, "")

    @api.depends("use_payment_terminal")
    def _compute_servipay_can_void(self):
        for method in self:
            hook = getattr(method, f"_{method.servipay_provider}_pos_can_void", None)
            method.servipay_can_void = bool(hook and hook())

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    def _is_write_forbidden(self, fields):
        # a wrong key or terminal is found while the shop is open, and corrected then
        return super()._is_write_forbidden(set(fields) - self._servipay_corrected_any_time())

    # ------------------------------------------------------------------
    # Hooks
    # ------------------------------------------------------------------

    @api.model
    def _servipay_corrected_any_time(self):
        """Return the fields that may be changed while a session is open; addons add their own."""
        return CORRECTED_ANY_TIME

    @api.model
    def _servipay_providers(self):
        """Return {value of use_payment_terminal: provider of the operation}; each addon adds its own."""
        return {"paypercloud": "paypercloud"}

    def _get_payment_terminal_selection(self):
        return super()._get_payment_terminal_selection() + [("paypercloud", "PayperCloud")]

    def _servipay_terminal(self, config):
        """Return the ``servipay.terminal`` that this method drives at a point of sale.

        May be empty, or in memory only before its first use.

        Calls ``_<provider>_pos_terminal(config)``."""
        self.ensure_one()
        return getattr(self, f"_{self.servipay_provider}_pos_terminal")(config)

    def _servipay_operation_values(self, config):
        """Return more values of a new operation; addons extend it."""
        return {"pos_ref": self.servipay_pos_id or config.servipay_pos_id or False}

    def _paypercloud_pos_can_void(self):
        """Say whether a till may take back a payment before its order is recorded."""
        return True

    def _paypercloud_pos_terminal(self, config):
        company = self.company_id
        pid = self.servipay_terminal_pid or config.servipay_terminal_pid or company.servipay_terminal_pid
        return self.env["servipay.terminal"]._find_or_new(company, "paypercloud", pid)

    # ------------------------------------------------------------------
    # Calls of the browser that only read
    # ------------------------------------------------------------------

    @api.model
    def servipay_state(self, session_id, keys, known=None):
        """Return the snapshots of these keys' operations; what the till asks when the bus is silent.

        :param known: {key: revision that the till has}; without news nothing is said of it
        """
        return self.env["pos.session"]._servipay_till(session_id)._servipay_state(keys, known)

    @api.model
    def servipay_open(self, session_id):
        """Return the snapshots of what is not settled, or paid and in no order yet."""
        return self.env["pos.session"]._servipay_till(session_id)._servipay_open()

    @api.model
    def servipay_refund_choices(self, session_id, method_id, amount, order):
        """Return [{"key", "text", "rest"}] of the payments whose card can take an amount, exact fit first.

        :param order: dict id or uid of the saved refund order
        """
        return self.env["pos.session"]._servipay_till(session_id)._servipay_choices(method_id, amount, order)

    # ------------------------------------------------------------------
    # Loading
    # ------------------------------------------------------------------

    @api.model
    def _load_pos_data_fields(self, config):
        # 18.0 passes an id, 19.0 a record; 17.0 never calls this
        return [*super()._load_pos_data_fields(config), *LOADED]


if SERIES < 18:

    class PosSession(models.Model):
        _inherit = "pos.session"

        def _loader_params_pos_payment_method(self):
            params = super()._loader_params_pos_payment_method()
            params["search_params"]["fields"].extend(LOADED)
            return params
