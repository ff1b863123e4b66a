from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.compat import check_access
from odoo.addons.paypercloud_servipay.models.actions import open_operations
from odoo.addons.paypercloud_servipay.models.conversation import Conversation, converse
from odoo.addons.paypercloud_servipay.models.own_transaction import (
    Detached,
    give_back_connection,
    in_own_transaction,
)
from odoo.addons.paypercloud_servipay.models.turns import BEGINNING

from .servipay_operation import LINES
from .servipay_operation_rights import AtTill
from .till_input import KEY_LENGTH, as_dict, as_list, is_key, record_ids, text

MOST_KEYS = 100  # of one call
LONGEST_REASON = 2000
MOST_MONEY = 1e12  # more than any terminal takes, in any currency; less than what rounds


class PosSession(models.Model):
    """The till's side of an operation. The browser names a key; everything else is looked up here."""

    _inherit = "pos.session"

    servipay_operation_ids = fields.One2many("servipay.operation", "pos_session_id", readonly=True)
    servipay_operation_count = fields.Integer(compute="_compute_servipay_counts", compute_sudo=True)
    servipay_unsettled_count = fields.Integer(compute="_compute_servipay_counts", compute_sudo=True)

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends("servipay_operation_ids.state")
    def _compute_servipay_counts(self):
        for session in self:
            operations = session.servipay_operation_ids
            session.servipay_operation_count = len(operations)
            session.servipay_unsettled_count = len(operations.filtered(lambda op: op._pos_is_open()))

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_servipay_operations(self):
        """Open the terminal operations of this session."""
        return open_operations(self.env, [("pos_session_id", "in", self.ids)])

    # ------------------------------------------------------------------
    # Business: calls of the browser
    # ------------------------------------------------------------------

    @api.model
    def _servipay_till(self, session_id):
        """Return the session a till speaks for; AccessError when the user has no business there.

        What he may ask for is in till_rights.py.
        """
        if not self.env.user.has_group("point_of_sale.group_pos_user"):
            raise AccessError(_("Only users of the point of sale may use its terminals. Nothing was sent."))
        session = self.browse(record_ids([session_id])).exists()
        if not session:
            raise UserError(_("This session does not exist. Nothing was sent."))
        check_access(session, "read")
        check_access(session.config_id, "read")
        return session

    def _servipay_start(self, method_id, key, amount, order, original_key=None, cashier=None):
        """Open the operation of a key, send it once and return its snapshot.

        The first call of a key decides about amount and method; the same call again is a resumption. The
        caller's cursor is closed afterwards.

        :param amount: signed, in major units of the session's currency; below zero it is a refund
        :param order: dict uid, name, line_uid, refunded_line_ids: where the till keeps the payment; id of
            the saved order, which a refund needs
        :param original_key: of the payment that a refund gives back, when the cashier chose its card
        :param cashier: dict employee_id, pin: see ``_servipay_person``
        """
        values = self._servipay_intended(method_id, key, amount, as_dict(order), original_key, cashier)
        give_back_connection(self.env)
        detached = Detached(self.env)

        def work(env):
            # one transaction: many tills may start in the same second
            operation = env["servipay.operation"]._find_or_open(values)
            claimed = operation._claim()
            return operation.id, claimed, operation._pos_snapshot(env.user)

        operation_id, claimed, snapshot = in_own_transaction(detached, work, BEGINNING)
        converse(Conversation(detached, operation_id), *(("send", "follow") if claimed else ("follow",)))
        return snapshot

    def _servipay_intended(self, method_id, key, amount, order, original_key=None, cashier=None):
        """Return the field values of the operation of a key; UserError when it stands for something else."""
        wanted = self._servipay_amount(amount)
        kind = "refund" if amount < 0 else "purchase"
        operation = self._servipay_find(key)
        if operation:
            # whatever has become of the session meanwhile, the till gets to know its operation
            self._servipay_admit("resume", cashier, operation)
            self._servipay_check_same(operation, method_id, kind, wanted)
            return {
                "company_id": operation.company_id.id,
                "idempotency_key": key,
                "kind": kind,
                "amount": wanted,
            }
        saved = self._servipay_saved_order(order, kind)
        self._servipay_check_direction(kind, saved)
        name = self._servipay_admit("refund" if kind == "refund" else "start", cashier, order=saved)
        method = self._servipay_method(method_id)
        values = {**self._servipay_values(method, key, kind, wanted, order), "pos_employee_name": name}
        if kind == "refund":
            values |= self._servipay_refund_values(method, wanted, saved, original_key, cashier)
        return self.env["servipay.operation"]._with_defaults(values)

    def _servipay_cancel(self, key, request=None, cashier=None):
        """Wish for a cancellation and return the snapshot.

        :param request: dict method_id, amount, order of a start whose answer the till never got: if it did
            not arrive yet, the key is spent here, so that it cannot be sent when it arrives later
        """
        request = as_dict(request)
        if request and not self._servipay_find(key):
            return self._servipay_spend(key, request, cashier)
        operation = self._servipay_known("cancel", key, cashier)
        if operation._apart("_claim_cancel"):
            operation._converse("revoke", "follow")
        return self._servipay_snapshot(operation)

    def _servipay_spend(self, key, request, cashier=None):
        """Open the operation of a key and end it at once, in one transaction: nothing can send it between.

        What it would have given back is not looked at: a request that is still on its way may be allowed what
        this one is not (a PIN is sent once), so no refusal here could promise that it will be refused.
        """
        amount, order = request.get("amount"), as_dict(request.get("order"))
        wanted = self._servipay_amount(amount)
        name = self._servipay_admit("spend", cashier)
        method = self._servipay_method(request.get("method_id"))
        kind = "refund" if amount < 0 else "purchase"
        values = {**self._servipay_values(method, key, kind, wanted, order), "pos_employee_name": name}
        values = self.env["servipay.operation"]._with_defaults(values)

        def work(env):
            operation = env["servipay.operation"]._find_or_open(values)
            return operation.id, operation._claim_cancel()

        number, claimed = in_own_transaction(self.env, work)
        operation = self.env["servipay.operation"].sudo().browse(number)
        if claimed:  # it had arrived meanwhile, and is with the terminal
            operation._converse("revoke", "follow")
        return self._servipay_snapshot(operation)

    def _servipay_inquire(self, key, cashier=None):
        """Ask what became of an operation and return the snapshot; the news come later."""
        operation = self._servipay_known("inquire", key, cashier)
        if operation._apart("_claim_inquiry"):
            operation._converse("ask", "follow")
        return self._servipay_snapshot(operation)

    def _servipay_resolve(self, key, outcome, reason, amount=None, cashier=None):
        """Settle an unknown operation by the word of a manager.

        :param amount: what really was paid, in major units; None for all that was asked
        """
        reason = (text(reason, LONGEST_REASON) or "").strip()
        if outcome not in ("approved", "failed") or not reason:
            raise UserError(_("Say whether it was paid, and how you know. Nothing was changed."))
        amounts = {} if amount is None else {"amount": self._servipay_amount(amount)}
        operation, name = self._servipay_known_by("resolve", key, cashier)
        operation._resolve(outcome, reason, **amounts)
        if name:
            operation._apart("_pos_note_decision", name)
        return self._servipay_snapshot(operation)

    def _servipay_void(self, key, cashier=None):
        """Start the void of an approved payment that no order has recorded yet; returns its snapshot.

        Pressed twice it is one void; after one that certainly did not happen a new one is made.
        """
        operation, name = self._servipay_known_by("void", key, cashier)
        last = operation._pos_last_void()
        if not last or last.state in ("declined", "cancelled", "failed"):
            if not operation._pos_can_void():
                raise UserError(_("This payment cannot be voided here. Nothing was sent; refund it instead."))
            number = len(operation.child_ids.filtered(lambda child: child.kind == "void")) + 1
            operation.with_context(servipay_at_till=AtTill(name))._give_back(
                f"void-{number}-{operation.idempotency_key}"[:KEY_LENGTH],
                operation._settled_amount(),
                void=True,
                channel="pos",
            )
        return self._servipay_snapshot(operation)

    def _servipay_state(self, keys, known=None):
        """Return the snapshots of the operations with these keys, but for those whose revision is known.

        ``{"key", "elsewhere"}`` of one that belongs to a till with which no orders are shared.
        """
        self._servipay_admit("state")
        keys = [key for key in as_list(keys) if is_key(key)][:MOST_KEYS]
        known = as_dict(known)
        domain = [("company_id", "=", self.company_id.id), ("idempotency_key", "in", keys)]
        operations = self.env["servipay.operation"].sudo().search(domain)
        # the bus does not say who may decide: where somebody has to, the answer is never left out
        operations = operations.filtered(
            lambda op: op.can_resolve or known.get(op.idempotency_key) != op.revision
        )
        shared = self._servipay_configs() if operations else None
        return [
            operation._pos_snapshot(self.env.user)
            if operation.pos_config_id in shared
            else {"key": operation.idempotency_key, "elsewhere": operation.pos_config_id.name or ""}
            for operation in operations
        ]

    def _servipay_open(self):
        """Return the snapshots of what is not settled, or was paid and is in no order yet.

        What an earlier session of this point of sale left in no order is still somebody's money."""
        self._servipay_admit("open")
        operations = self.env["servipay.operation"].sudo()
        unknown_to_people = [("pos_difference", "!=", 0), ("pos_dealt_with_id", "=", False)]
        taken = ["&", "&", ("state", "=", "approved"), *unknown_to_people]
        unsettled = [("state", "in", tuple(states.UNSETTLED))]
        domain = [("pos_session_id", "=", self.id), ("kind", "in", LINES)]
        found = operations.search([*domain, "|", *unsettled, *taken])
        found = found.filtered(lambda op: op.state in states.UNSETTLED or not op.pos_payment_ids)
        return [op._pos_snapshot(self.env.user) for op in found | operations._pos_left_behind(self)]

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    def _servipay_method(self, method_id):
        """Return the method of this session; AccessError when a till names one that is not its own."""
        session = self.sudo()
        method = session.payment_method_ids.filtered(lambda method: method.id == method_id)
        if not method or not method.servipay_provider or method.company_id != session.company_id:
            raise AccessError(_("This payment method does not belong to this session. Nothing was sent."))
        return method

    def _servipay_amount(self, amount):
        """Return the amount above zero; UserError for anything that is none."""
        number = isinstance(amount, (int, float)) and not isinstance(amount, bool)
        if not number or not abs(amount) < MOST_MONEY:
            raise UserError(_("This amount cannot be read. Nothing was sent."))
        wanted = self.currency_id.round(abs(amount))
        if self.currency_id.is_zero(wanted):
            raise UserError(_("There is nothing to pay. Nothing was sent."))
        return wanted

    def _servipay_values(self, method, key, kind, amount, order):
        session = self.sudo()
        return {
            "company_id": session.company_id.id,
            "provider": method.servipay_provider,
            "channel": "pos",
            "kind": kind,
            "amount": amount,
            "currency_id": session.currency_id.id,
            "terminal_id": method._servipay_terminal(session.config_id)._stored_id(),
            "idempotency_key": self._servipay_key(key),
            "user_id": self.env.uid,
            "pos_session_id": session.id,
            "pos_config_id": session.config_id.id,
            "pos_payment_method_id": method.id,
            "pos_order_uid": text(order.get("uid")),
            "pos_order_name": text(order.get("name")),
            "pos_line_uid": text(order.get("line_uid")),
            **method._servipay_operation_values(session.config_id),
        }

    def _servipay_key(self, key):
        if not is_key(key):
            raise UserError(_("The till sent no usable operation key. Nothing was sent."))
        return key

    def _servipay_configs(self):
        """Return the points of sale that may have started a payment of an order opened here.

        Odoo lets points of sale that trust each other open each other's orders.
        """
        config = self.sudo().config_id
        return config | config.trusted_config_ids | config.search([("trusted_config_ids", "in", config.ids)])

    def _servipay_find(self, key):
        """Return the operation of a key in this company (may be empty)."""
        domain = [("company_id", "=", self.company_id.id), ("idempotency_key", "=", self._servipay_key(key))]
        return self.env["servipay.operation"].sudo().search(domain)

    def _servipay_known(self, call, key, cashier=None):
        """Return the operation of a key for a call of till_rights.py; UserError where there is none."""
        return self._servipay_known_by(call, key, cashier)[0]

    def _servipay_known_by(self, call, key, cashier=None):
        """Return (operation, name of the employee) of a call that is about an operation."""
        operation = self._servipay_find(key)
        if not operation:
            raise UserError(_("This operation is not known here: nothing was sent under this key."))
        return operation, self._servipay_admit(call, cashier, operation)

    def _servipay_check_same(self, operation, method_id, kind, amount):
        operation._check_same_intent({"kind": kind, "amount": amount})
        if operation.pos_payment_method_id.id != method_id:
            raise UserError(_("This payment was already started with another method. Nothing was sent."))

    def _servipay_snapshot(self, operation):
        """Return the snapshot as the other transactions left it, in the user's language."""
        return operation._apart("_pos_snapshot", self.env.user)
