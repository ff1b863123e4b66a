from collections import defaultdict

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import format_amount

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.compat import check_access
from odoo.addons.paypercloud_servipay.models.actions import open_operations
from odoo.addons.paypercloud_servipay.models.conversation import Conversation, converse
from odoo.addons.paypercloud_servipay.models.own_transaction import (
    Detached,
    give_back_connection,
    in_own_transaction,
)
from odoo.addons.paypercloud_servipay.models.turns import BEGINNING

from .servipay_operation import LINES, _is_manager

_logger = get_logger(__name__)

MOST_KEYS = 100  # of one call
KEY_LENGTH = 64
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
        """Return the session a till speaks for; AccessError when the user has no business there."""
        if not self.env.user.has_group("point_of_sale.group_pos_user"):
            raise AccessError(_("Only users of the point of sale may use its terminals. Nothing was sent."))
        session = self.browse(_ids([session_id])).exists()
        if not session:
            raise UserError(_("This session does not exist. Nothing was sent."))
        check_access(session, "read")
        return session

    def _servipay_start(self, method_id, key, amount, order):
        """Open the operation of a key, send it once and return its snapshot.

        The first call of a key decides about amount and method; the same call again is a resumption. The
        caller's cursor is closed afterwards.

        :param amount: signed, in major units of the session's currency; below zero it is a refund
        :param order: dict uid, name, line_uid, refunded_line_ids: where the till keeps the payment
        """
        order = _dict(order)
        values = self._servipay_intended(method_id, key, amount, order)
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

    def _servipay_intent(self, method_id, key, amount, order):
        """Return the operation of a key, opened when new; UserError when it stands for something else."""
        return (
            self.env["servipay.operation"]
            .sudo()
            ._open(self._servipay_intended(method_id, key, amount, order))
        )

    def _servipay_intended(self, method_id, key, amount, order):
        """Return the field values of the operation of a key; UserError when it stands for something else."""
        wanted = self._servipay_amount(amount)
        kind = "refund" if amount < 0 else "purchase"
        operation = self._servipay_find(key)
        if operation:
            # whatever has become of the session meanwhile, the till gets to know its operation
            self._servipay_check_same(operation, method_id, kind, wanted)
            return {
                "company_id": operation.company_id.id,
                "idempotency_key": key,
                "kind": kind,
                "amount": wanted,
            }
        values = self._servipay_values(self._servipay_method(method_id), key, kind, wanted, order)
        return self.env["servipay.operation"]._with_defaults(values)

    def _servipay_cancel(self, key, request=None):
        """Wish for a cancellation and return the snapshot.

        :param request: dict method_id, amount, order of a start whose answer the till never got: if it did
            not arrive yet, the key is spent here, so that it cannot be sent when it arrives later
        """
        request = _dict(request)
        if request and not self._servipay_find(key):
            order = _dict(request.get("order"))
            operation = self._servipay_intent(request.get("method_id"), key, request.get("amount"), order)
        else:
            operation = self._servipay_known(key)
        if operation._apart("_claim_cancel"):
            operation._converse("revoke", "follow")
        return self._servipay_snapshot(operation)

    def _servipay_inquire(self, key):
        """Ask what became of an operation and return the snapshot; the news come later."""
        operation = self._servipay_known(key)
        if operation._apart("_claim_inquiry"):
            operation._converse("ask", "follow")
        return self._servipay_snapshot(operation)

    def _servipay_resolve(self, key, outcome, reason):
        """Settle an unknown operation by the word of a manager."""
        operation = self._servipay_known(key)
        if not _is_manager(self.env.user):
            raise AccessError(_("Only managers may decide what became of a payment."))
        reason = (_text(reason, LONGEST_REASON) or "").strip()
        if outcome not in ("approved", "failed") or not reason:
            raise UserError(_("Say whether it was paid, and how you know. Nothing was changed."))
        operation._resolve(outcome, reason)
        return self._servipay_snapshot(operation)

    def _servipay_void(self, key):
        """Start the void of an approved payment that no order has recorded yet; returns its snapshot.

        Pressed twice it is one void; after one that certainly did not happen a new one is made.
        """
        operation = self._servipay_known(key)
        last = operation._pos_last_void()
        if not last or last.state in ("declined", "cancelled", "failed"):
            if not operation._pos_can_void():
                raise UserError(_("This payment cannot be voided here. Nothing was sent; refund it instead."))
            number = len(operation.child_ids.filtered(lambda child: child.kind == "void")) + 1
            operation._give_back(
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
        keys = [key for key in _list(keys) if _is_key(key)][:MOST_KEYS]
        known = _dict(known)
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
        """Return the snapshots of what is not settled, or was paid and is in no order yet."""
        paid = ["&", ("state", "=", "approved"), ("pos_payment_ids", "=", False)]
        unsettled = [("state", "in", tuple(states.UNSETTLED))]
        domain = [("pos_session_id", "=", self.id), ("kind", "in", LINES)]
        operations = self.env["servipay.operation"].sudo().search([*domain, "|", *unsettled, *paid])
        return [operation._pos_snapshot(self.env.user) for operation in operations]

    # ------------------------------------------------------------------
    # Business: closing
    # ------------------------------------------------------------------

    def get_closing_control_data(self):
        """Add operations against payments to what the closing screen shows."""
        data = super().get_closing_control_data()
        data["servipay"] = self._servipay_closing()
        return data

    def action_pos_session_close(self, *args, **kwargs):
        """Have the terminals' batches closed, after the session's closing was committed."""
        result = super().action_pos_session_close(*args, **kwargs)
        for session in self.filtered(lambda session: session.state == "closed"):
            if session.config_id.servipay_reconcile:
                self.env.cr.postcommit.add(session.sudo()._servipay_reconcile)
        return result

    def _servipay_reconcile(self):
        """Start one reconciliation for each PayperCloud terminal that the session used.

        Runs after the commit: nothing that goes wrong here may look like a closing that went wrong.
        """
        detached = Detached(self.env)
        for values in in_own_transaction(detached, self._servipay_terminals_used):
            try:
                self._servipay_reconcile_terminal(detached, values)
            except Exception:  # pylint: disable=broad-except
                _logger.exception("session %s: terminal %s is not reconciled", self.id, values["terminal_id"])

    def _servipay_reconcile_terminal(self, detached, values):
        """Open and send one reconciliation; a closing that is repeated tries again only what failed."""

        def work(env):
            session = env["pos.session"].browse(self.id)
            earlier = session.servipay_operation_ids.filtered(
                lambda op: op.kind == "reconciliation" and op.terminal_id.id == values["terminal_id"]
            )
            if earlier.filtered(lambda op: op.state not in ("declined", "cancelled", "failed")):
                return None
            key = f"closing-{self.id}-{values['terminal_id']}-{len(earlier) + 1}"
            return env["servipay.operation"]._open({**values, "idempotency_key": key}).id

        operation_id = in_own_transaction(detached, work)
        conversation = operation_id and Conversation(detached, operation_id)
        if conversation and conversation.apart("_claim"):
            converse(conversation, "send", "follow")

    def _servipay_terminals_used(self, env):
        """Return the values of the reconciliations to make."""
        session = env["pos.session"].browse(self.id)
        operations = session.servipay_operation_ids.filtered(lambda op: op.provider == "paypercloud")
        return [
            {
                "company_id": session.company_id.id,
                "provider": "paypercloud",
                "channel": "pos",
                "kind": "reconciliation",
                "terminal_id": terminal.id,
                "user_id": env.uid,
                "pos_session_id": session.id,
                "pos_config_id": session.config_id.id,
                "pos_payment_method_id": used.pos_payment_method_id[:1].id,
                "pos_ref": used[:1].pos_ref,
            }
            for terminal in operations.terminal_id
            for used in [operations.filtered(lambda op, terminal=terminal: op.terminal_id == terminal)]
        ]

    def _servipay_closing(self):
        """Return what the closing screen shows: operations against payments, differences first.

        {"unsettled": [text], "rows": [{"cells": [text], "style", "differs"}]}; a row per terminal and method
        below a heading. Texts are in the user's language: the till only lays them out.
        """
        session = self.sudo()
        unsettled = session.servipay_operation_ids.filtered(lambda operation: operation._pos_is_open())
        rows = [session._servipay_row(*pair) for pair in session._servipay_pairs()]
        rows.sort(key=lambda row: (not row["differs"], row["cells"]))
        head = [_("Terminal"), _("Method"), _("Operations"), _("Payments"), _("Difference")]
        heading = {"cells": head, "style": "fw-bolder", "differs": False}
        return {
            "unsettled": [operation._pos_line() for operation in unsettled],
            "rows": [heading, *rows] if rows else [],
        }

    def _servipay_pairs(self):
        """Return [((terminal name, method), operations, payments)] of the session."""
        operations = defaultdict(self.env["servipay.operation"].browse)
        payments = defaultdict(self.env["pos.payment"].browse)
        recorded = self._servipay_recorded()
        for operation in self._servipay_moved(recorded):
            pair = operation.terminal_id.display_name or "", operation.pos_payment_method_id
            operations[pair] |= operation
        for payment in recorded:
            terminal = payment.servipay_operation_id.terminal_id.display_name or ""
            payments[terminal, payment.payment_method_id] |= payment
        pairs = {**operations, **payments}
        return [((name, method), operations[name, method], payments[name, method]) for name, method in pairs]

    def _servipay_recorded(self):
        """Return the payments with our methods in the session's orders, but for reversed ones."""
        orders = self.order_ids.filtered(lambda order: order.state not in ("draft", "cancel"))
        return orders.payment_ids.filtered(
            lambda payment: (
                payment.payment_method_id.servipay_provider and not self.currency_id.is_zero(payment.amount)
            )
        )

    def _servipay_moved(self, recorded):
        """Return the operations that moved money for this session.

        An order that another till took over counts where it was recorded. A void is no movement of
        its own: it makes the payment "reversed", which then counts no more.
        """
        elsewhere = self.servipay_operation_ids.filtered(lambda op: op.pos_payment_ids.session_id - self)
        operations = self.servipay_operation_ids - elsewhere | recorded.servipay_operation_id
        return operations.filtered(lambda op: op.state == "approved" and op.kind in LINES)

    def _servipay_row(self, pair, operations, payments):
        moved = sum(op._settled_amount() * (-1 if op.kind == "refund" else 1) for op in operations)
        recorded = sum(payments.mapped("amount"))
        difference = self.currency_id.round(moved - recorded)

        def shown(amount):
            return format_amount(self.env, amount, self.currency_id)

        cells = [
            pair[0],
            pair[1].name,
            f"{len(operations)}: {shown(moved)}",
            f"{len(payments)}: {shown(recorded)}",
            shown(difference),
        ]
        differs = not self.currency_id.is_zero(difference) or len(operations) != len(payments)
        return {"cells": cells, "style": "text-danger" if differs else "", "differs": differs}

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    def _servipay_method(self, method_id):
        """Return the method of this session; AccessError when a till names one that is not its own."""
        session = self.sudo()
        if session.state != "opened":
            raise UserError(_("This session is not open. Nothing was sent."))
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
        values = {
            "company_id": session.company_id.id,
            "provider": method.servipay_provider,
            "channel": "pos",
            "kind": kind,
            "amount": amount,
            "currency_id": session.currency_id.id,
            "terminal_id": method._servipay_terminal(session.config_id).id,
            "idempotency_key": self._servipay_key(key),
            "user_id": self.env.uid,
            "pos_session_id": session.id,
            "pos_config_id": session.config_id.id,
            "pos_payment_method_id": method.id,
            "pos_order_uid": _text(order.get("uid")),
            "pos_order_name": _text(order.get("name")),
            "pos_line_uid": _text(order.get("line_uid")),
            **method._servipay_operation_values(session.config_id),
        }
        if kind == "refund":
            lines = self._servipay_refunded_lines(order)
            values["original_id"] = self._servipay_original(method, amount, lines).id
            values["pos_refunded_order_ids"] = [(6, 0, lines.sudo().order_id.ids)]
        return values

    def _servipay_refunded_lines(self, order):
        """Return the order lines that a till says it gives back; AccessError for those of another company."""
        lines = self.env["pos.order.line"].browse(_ids(_list(order.get("refunded_line_ids")))).exists()
        check_access(lines, "read")
        return lines

    def _servipay_original(self, method, amount, lines):
        """Return the payment that a refund gives back (empty for one that a manager makes without it)."""
        paid = self.env["servipay.operation"].sudo()._pos_paid_with(lines.sudo(), method)
        enough = paid.filtered(lambda op: self.currency_id.compare_amounts(amount, op.refundable_amount) <= 0)
        if enough:
            return enough[0]
        if paid:
            left = max(paid.mapped("refundable_amount"))
            raise UserError(
                _(
                    "%(wanted)s cannot be given back with %(method)s: of the payment made with it %(left)s "
                    "are left. Nothing was sent.",
                    wanted=format_amount(self.env, amount, self.currency_id),
                    method=method.name,
                    left=format_amount(self.env, left, self.currency_id),
                )
            )
        return self._servipay_unreferenced(lines, amount)

    def _servipay_unreferenced(self, lines, amount):
        """Let a manager give back what was paid in another way; all refunds together no more than that."""
        if not _is_manager(self.env.user):
            raise AccessError(
                _(
                    "What is given back was not paid with this method: only a manager may refund it on the "
                    "terminal. Nothing was sent."
                )
            )
        orders = lines.sudo().order_id
        if not orders:
            return self.env["servipay.operation"]
        refunds = self.env["servipay.operation"].sudo()._pos_refunds_of(orders)
        left = sum(orders.mapped("amount_paid")) - sum(refunds.mapped("amount"))
        if self.currency_id.compare_amounts(amount, left) > 0:
            raise UserError(_("More would be given back than was paid. Nothing was sent."))
        return self.env["servipay.operation"]

    def _servipay_key(self, key):
        if not _is_key(key):
            raise UserError(_("The till sent no usable operation key. Nothing was sent."))
        return key

    def _servipay_configs(self):
        """Return the points of sale that may have started a payment of an order opened here.

        Odoo lets points of sale that trust each other open each other's orders.
        """
        config = self.sudo().config_id
        return config | config.trusted_config_ids | config.search([("trusted_config_ids", "in", config.ids)])

    def _servipay_find(self, key):
        """Return the operation of a key (may be empty); AccessError when it belongs to somebody else."""
        domain = [("company_id", "=", self.company_id.id), ("idempotency_key", "=", self._servipay_key(key))]
        operation = self.env["servipay.operation"].sudo().search(domain)
        if operation and operation.pos_config_id not in self._servipay_configs():
            raise AccessError(_("This operation belongs to another point of sale."))
        return operation

    def _servipay_known(self, key):
        operation = self._servipay_find(key)
        if not operation:
            raise UserError(_("This operation is not known here: nothing was sent under this key."))
        return operation

    def _servipay_check_same(self, operation, method_id, kind, amount):
        operation._check_same_intent({"kind": kind, "amount": amount})
        if operation.pos_payment_method_id.id != method_id:
            raise UserError(_("This payment was already started with another method. Nothing was sent."))

    def _servipay_snapshot(self, operation):
        """Return the snapshot as the other transactions left it, in the user's language."""
        return operation._apart("_pos_snapshot", self.env.user)


# -- what a browser sends may be anything: only what it should be gets further


def _text(value, longest=128):
    """Return a text that can be stored, False for anything else."""
    if not isinstance(value, str):
        return False
    return value[:longest].replace("\0", "").encode("utf-8", "ignore").decode()


def _dict(value):
    return value if isinstance(value, dict) else {}


def _list(value):
    return value if isinstance(value, list | tuple) else []


def _ids(values):
    """Return those of the values that may be the id of a record."""
    return [value for value in values if type(value) is int and 0 < value < 2**31]


def _is_key(key):
    return isinstance(key, str) and 16 <= len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()
