from odoo import _, fields, models
from odoo.tools import format_amount

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.compat import SERIES

# A change of one of these is news for the till.
NEWS = frozenset({"state", "reason", "raw_state", "detail", "contradicted", "approved_amount", "resolution"})
MESSAGE = "SERVIPAY_OPERATION"


class ServipayOperation(models.Model):
    _inherit = "servipay.operation"

    pos_session_id = fields.Many2one("pos.session", "POS session", readonly=True, index="btree_not_null")
    pos_config_id = fields.Many2one("pos.config", "Point of sale", readonly=True, index="btree_not_null")
    pos_payment_method_id = fields.Many2one("pos.payment.method", "Payment method", readonly=True)
    pos_order_uid = fields.Char("Order key", readonly=True, index="btree_not_null", copy=False)
    pos_order_name = fields.Char("Order at the till", readonly=True, copy=False)
    pos_line_uid = fields.Char("Payment line key", readonly=True, copy=False)
    # an accountant without a till may read operations, but not the till's payments
    pos_payment_ids = fields.One2many(
        "pos.payment",
        "servipay_operation_id",
        "Payments",
        readonly=True,
        groups="point_of_sale.group_pos_user",
    )
    revision = fields.Integer(readonly=True, copy=False, help="Grows with every change that tills hear of.")

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    def write(self, vals):
        """Tell the tills once per transaction when something they show has changed."""
        result = super().write(vals)
        if NEWS & vals.keys():
            for operation in self.filtered("pos_session_id"):
                operation._pos_tell_later()
        return result

    def _pos_tell_later(self):
        waiting = self.env.cr.precommit.data.setdefault("servipay_pos_told", set())
        if self.id not in waiting:
            waiting.add(self.id)
            self.env.cr.precommit.add(self._pos_tell)

    # ------------------------------------------------------------------
    # Business: news for the till
    # ------------------------------------------------------------------

    def _pos_tell(self):
        """Send the snapshot to the tills of the point of sale, with the commit that makes it true."""
        self.env.cr.precommit.data.get("servipay_pos_told", set()).discard(self.id)
        operation = self.sudo().with_context(lang=self.user_id.lang)
        operation.revision += 1
        operation.flush_recordset()
        payload = operation._pos_snapshot()
        if SERIES >= 18:
            operation.pos_config_id._notify(MESSAGE, payload)
        else:
            channel = operation.pos_session_id._get_bus_channel_name()
            self.env["bus.bus"]._sendone(channel, MESSAGE, payload)

    def _pos_snapshot(self, user=None):
        """Return what a till may know about the operation: a dict of plain values, no secret in it.

        :param user: the one who asked; adds what that user may do
        """
        self.ensure_one()
        snapshot = {
            **{name: self[name] or "" for name in ("name", "state", "kind", "card_brand", "masked_pan")},
            **{name: self[name] or "" for name in ("authorization_code", "external_ref", "entry_mode")},
            **self._pos_place(),
            **self._pos_clock(),
            "key": self.idempotency_key,
            "id": self.id,
            "revision": self.revision,
            "amount": self.amount,
            "approved_amount": self.approved_amount,
            "currency": self.currency_id.name,
            "text": self.explanation or "",
            "activity": self._pos_activity(),
            "receipt": self.customer_receipt or "",
            "can_inquire": self.state in states.UNSETTLED,
            "contradicted": self.contradicted,
            "busy": self._pos_busy(),
        }
        if user is not None:
            snapshot["can_resolve"] = self.can_resolve and _is_manager(user)
        return snapshot

    def _pos_place(self):
        return {
            "order_uid": self.pos_order_uid or "",
            "order_name": self.pos_order_name or "",
            "line_uid": self.pos_line_uid or "",
            "method_id": self.pos_payment_method_id.id,
            "session_id": self.pos_session_id.id,
            "till": self.pos_config_id.name or "",
            "user": self.user_id.name or "",
        }

    def _pos_clock(self):
        now, settled = fields.Datetime.now(), self.state not in states.IN_FLIGHT
        elapsed = (now - self.sent_at).total_seconds() if self.sent_at else 0
        left = 0 if settled or not self.deadline_at else (self.deadline_at - now).total_seconds()
        return {"elapsed": round(elapsed), "left": max(round(left), 0)}

    def _pos_activity(self):
        """Return what the terminal is doing, "" when nobody knows.

        Calls ``_<provider>_activity()`` where it exists: that provider's own words about a pending operation.
        """
        hook = getattr(self, f"_{self.provider}_activity", None)
        own = hook() if hook and self.state == "pending" else ""
        words = {
            "draft": _("Preparing the payment"),
            "sent": _("Calling the terminal"),
            "pending": _("The terminal is at work"),
            "cancelling": _("Cancelling: waiting for the terminal's answer"),
        }
        return own or words.get(self.state, "")

    def _paypercloud_activity(self):
        words = {
            "waitingforcard": _("Waiting for the card"),
            "processing": _("The bank is being asked"),
        }
        plain = (self.raw_state or "").lower()
        return words.get("".join(char for char in plain if char.isalnum()), "")

    def _pos_busy(self):
        """Return who holds the terminal that refused this operation, or None."""
        if self.reason != "terminal_held":
            return None
        domain = [("terminal_id", "=", self.terminal_id.id), ("state", "in", tuple(states.IN_FLIGHT))]
        holder = self.search(domain, limit=1)
        if not holder:
            return None
        return {
            "name": holder.name,
            "till": holder.pos_config_id.name or "",
            "user": holder.user_id.name or "",
            "amount": format_amount(self.env, holder.amount, holder.currency_id),
            "since": holder._pos_clock()["elapsed"],
        }

    # ------------------------------------------------------------------
    # Business: refunds
    # ------------------------------------------------------------------

    def _pos_paid_with(self, lines, method):
        """Return the approved payments, on this method's provider, of the orders that lines belong to."""
        payments = lines.order_id.payment_ids.sudo()
        operations = payments.servipay_operation_id
        return operations.filtered(
            lambda operation: (
                operation.provider == method.servipay_provider
                and operation.kind == "purchase"
                and operation.state == "approved"
                and operation.company_id == method.company_id
            )
        )


def _is_manager(user):
    groups = ("point_of_sale.group_pos_manager", "paypercloud_servipay.group_manager")
    return any(user.has_group(group) for group in groups)
