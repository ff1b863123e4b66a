from odoo import _, fields, models
from odoo.tools import format_amount

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.compat import NO_SUM, SERIES
from odoo.addons.paypercloud_servipay.models.lean import lean

from .till_person import is_manager

# A change of one of these is news for the till.
NEWS = frozenset({"state", "reason", "raw_state", "detail", "contradicted", "approved_amount", "resolution"})
MESSAGE = "SERVIPAY_OPERATION"
# what an operation is asked with, and belongs to, outlives it
KEPT = {"readonly": True, "index": "btree_not_null", "ondelete": "restrict"}
NOT_MOVED = ("draft", "declined", "cancelled", "failed")  # states in which certainly nothing was moved
LINES = ("purchase", "refund")  # kinds of operations that have a payment line at a till


class ServipayOperation(models.Model):
    _inherit = "servipay.operation"

    pos_session_id = fields.Many2one("pos.session", "POS session", **KEPT)
    pos_config_id = fields.Many2one("pos.config", "Point of sale", **KEPT)
    pos_payment_method_id = fields.Many2one("pos.payment.method", "Payment method", **KEPT)
    pos_order_uid = fields.Char("Order key", readonly=True, index="btree_not_null", copy=False)
    pos_order_name = fields.Char("Order at the till", readonly=True, copy=False)
    pos_line_uid = fields.Char("Payment line key", readonly=True, copy=False)
    # an accountant without a till may read operations, but not the till's orders and payments
    pos_refunded_order_ids = fields.Many2many(
        "pos.order",
        string="Refunded orders",
        readonly=True,
        copy=False,
        groups="point_of_sale.group_pos_user",
    )
    pos_payment_ids = fields.One2many(
        "pos.payment",
        "servipay_operation_id",
        "Payments",
        readonly=True,
        groups="point_of_sale.group_pos_user",
    )
    revision = fields.Integer(
        readonly=True, copy=False, help="Grows with every change that tills hear of.", **NO_SUM
    )

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    def write(self, vals):
        """Tell the tills once per transaction when something they show has changed."""
        result = super().write(vals)
        if NEWS & vals.keys() and vals.get("state") != "sent":  # who sends it gets the answer of the call
            # a void has no line of its own: the till follows it on the payment
            voided = self.filtered(lambda operation: operation.kind == "void").original_id
            for operation in (self | voided).filtered(lambda op: op.pos_session_id and op.kind in LINES):
                operation._pos_tell_later()
        return result

    def _pos_tell_later(self):
        waiting = self.env.cr.precommit.data.setdefault("servipay_pos_told", set())
        if self.id not in waiting:
            waiting.add(self.id)
            self.env.cr.precommit.add(self._pos_tell)

    # ------------------------------------------------------------------
    # Business: who is told
    # ------------------------------------------------------------------

    def _servipay_recipients(self):
        """Tell the people of the point of sale: a shop's payments are no matter of the administrator."""
        users, addresses = super()._servipay_recipients()
        config = self.sudo().pos_config_id
        return config._servipay_notified_users() if config else users, addresses

    def _about(self):
        return self.pos_order_name or super()._about()

    # ------------------------------------------------------------------
    # Business: news for the till
    # ------------------------------------------------------------------

    def _pos_tell(self):
        """Tell the tills of the point of sale that there are news, with the commit that makes them true.

        The channel's name is public: self-ordering prints it in QR codes. So nothing goes over it but the key
        and its revision; a till that knows the key reads the rest as its user.
        """
        self.env.cr.precommit.data.get("servipay_pos_told", set()).discard(self.id)
        operation = self.sudo()
        operation.revision += 1
        operation.flush_recordset()
        payload = {"key": operation.idempotency_key, "revision": operation.revision}
        if SERIES >= 18:
            lean(operation.pos_config_id)._notify(MESSAGE, payload)
        else:
            channel = lean(operation.pos_session_id)._get_bus_channel_name()
            self.env["bus.bus"]._sendone(channel, MESSAGE, payload)

    def _pos_snapshot(self, user=None):
        """Return what a till may know about the operation: a dict of plain values, no secret in it.

        :param user: the one who asked; adds what that user may do
        """
        self.ensure_one()
        void = self._pos_last_void()
        voiding = void.state in states.UNSETTLED
        snapshot = {
            **{name: self[name] or "" for name in ("name", "state", "kind")},
            **self._pos_place(),
            **self._pos_clock(),
            "key": self.idempotency_key,
            "id": self.id,
            "revision": self.revision,
            "amount": self.amount,
            "answered": round(self.answered_amount, self.currency_id.decimal_places or 0),
            "open": self._pos_is_open() or voiding,
            "title": self._pos_title(),
            "text": self._pos_text(),
            "orphan": self._pos_orphan_text(),
            "activity": self._pos_activity(),
            "can_inquire": self.state in states.UNSETTLED and self._pos_hook("can_inquire", True),
            "contradicted": self.contradicted,
            "busy": self._pos_busy(),
            "can_void": self._pos_can_void(),
            "void": void._pos_void() if voiding else None,
            "void_text": void._pos_text() if void and not voiding and self.state == "approved" else "",
            **(self._pos_payment() if self.state == "approved" else {}),
        }
        if user is not None:
            # with employees a manager comes to the till and types his PIN, whoever is logged in
            may_ask = lean(self.pos_config_id)._servipay_has_employees() or is_manager(user)
            snapshot["can_resolve"] = self.can_resolve and may_ask
        return snapshot

    def _pos_is_open(self):
        return self.state in states.UNSETTLED or self.contradicted

    def _pos_payment(self):
        """Return what an approved operation puts on its payment line."""
        facts = self._pos_hook("pos_facts", [])
        return {
            "paid": self._settled_amount() * (-1 if self.kind == "refund" else 1),
            "tip": self._pos_tip(),
            "line": self.env["pos.payment"]._servipay_facts(self),
            "card": self._pos_card(),
            "receipt": self.customer_receipt or "",
            "facts": "; ".join(f"{label}: {value}" for label, value in facts),
        }

    def _pos_tip(self):
        """Return what the customer added to the asked amount as a tip; 0 when it is a part of that amount."""
        if self.kind != "purchase":
            return 0.0
        more = self.currency_id.round(self._settled_amount() - self.amount)
        return max(min(self.tip_amount, more), 0.0)

    def _pos_place(self):
        return {
            "order_uid": self.pos_order_uid or "",
            "order_name": self.pos_order_name or "",
            "line_uid": self.pos_line_uid or "",
            "method_id": self.pos_payment_method_id.id,
            "session_id": self.pos_session_id.id,
            "till": lean(self.pos_config_id).name or "",
            "user": self._pos_user(),
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
        own = self._pos_hook("activity", "") if self.state == "pending" else ""
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

    def _pos_line(self):
        """Return one line about an operation for the closing screen."""
        return f"{self._pos_title()}. {self._pos_text()}"

    def _pos_title(self):
        amount = self.currency_id and format_amount(self.env, self.amount, self.currency_id)
        parts = self.name, amount, self.pos_order_name, self._pos_user()
        return ", ".join(part for part in parts if part)

    def _pos_text(self):
        """Return the explanation in a till's words; who holds the terminal when it was busy."""
        busy = self._pos_busy()
        if (
            self.state == "approved"
            and self.currency_id.compare_amounts(self._settled_amount(), self.amount) < 0
        ):
            return _(
                "%(paid)s of %(asked)s were paid. Take the rest in another way.",
                paid=format_amount(self.env, self._settled_amount(), self.currency_id),
                asked=format_amount(self.env, self.amount, self.currency_id),
            )
        if not busy:
            return self.with_context(servipay_till=True)._explain()
        return _(
            "The terminal is busy: %(amount)s of %(till)s (%(user)s) is being paid on it for %(since)s s. "
            "Nothing was sent for this order. Wait until it has ended, then send again.",
            **busy,
        )

    def _pos_orphan_text(self):
        """Return what a till says when no order there carries this payment."""
        if self.state != "approved":
            return ""
        return _(
            "%(amount)s were paid on the terminal for %(order)s (%(name)s), but no order here carries this "
            "payment. Do not take the money again: find the order or ask a manager to refund it.",
            amount=format_amount(self.env, self._settled_amount(), self.currency_id),
            order=self.pos_order_name or "?",
            name=self.name,
        )

    def _explain_next(self):
        """Say what can be done at a till, where there is no button “Resolve”."""
        if self.env.context.get("servipay_till") and (self.state == "unknown" or self.contradicted):
            return _(
                "Do not take the money again. Ask the terminal, or call a manager, who can say what became "
                "of it."
            )
        return super()._explain_next()

    def _pos_hook(self, name, default):
        """Return what ``_<provider>_<name>()`` says, the default where there is no such method."""
        hook = getattr(self, f"_{self.provider}_{name}", None)
        return hook() if hook else default

    def _pos_can_void(self):
        """Whether the whole payment can be taken back now, and its method lets the till do that."""
        if self.state != "approved" or not lean(self.pos_payment_method_id).servipay_can_void:
            return False
        recorded = self._pos_recorded_orders()
        return self.can_void and not recorded and lean(self.pos_session_id).state == "opened"

    def _pos_user(self):
        return self.pos_employee_name or lean(lean(self.user_id).partner_id).name or ""

    def _pos_last_void(self):
        if self.state not in ("approved", "reversed"):
            return self.browse()
        return self.child_ids.filtered(lambda child: child.kind == "void").sorted("id")[-1:]

    def _pos_void(self):
        """Return the short snapshot of a void under way."""
        return {
            **self._pos_clock(),
            "key": self.idempotency_key,
            "state": self.state,
            "text": self._pos_text(),
            "activity": self._pos_activity(),
            "can_inquire": self._pos_hook("can_inquire", True),
        }

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
            "user": holder._pos_user(),
            "amount": format_amount(self.env, holder.amount, holder.currency_id),
            "since": holder._pos_clock()["elapsed"],
        }

    # ------------------------------------------------------------------
    # Business: refunds
    # ------------------------------------------------------------------

    def _give_back_values(self):
        """Let a refund or void from the back office use the terminal and the keys of the payment's till."""
        session = self.pos_session_id.filtered(lambda session: session.state != "closed")
        return {
            **super()._give_back_values(),
            "pos_session_id": session.id,
            "pos_config_id": self.pos_config_id.id,
            "pos_payment_method_id": self.pos_payment_method_id.id,
            "pos_order_name": self.pos_order_name,
        }
