from collections import defaultdict

from markupsafe import Markup

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.conversation import Conversation, converse
from odoo.addons.paypercloud_servipay.models.own_transaction import Detached, in_own_transaction

from .books import differences
from .servipay_operation import LINES

_logger = get_logger(__name__)
MOST_DETAIL = 2000  # characters in an alert; the session's form has all


class PosSession(models.Model):
    """What a session's terminals moved, against what its orders record."""

    _inherit = "pos.session"

    # what the closing came to, as it was at that moment
    servipay_moved = fields.Monetary("Moved on terminals", readonly=True, copy=False)
    servipay_recorded = fields.Monetary("Recorded of terminals", readonly=True, copy=False)
    servipay_difference = fields.Monetary(
        "Terminals less orders",
        readonly=True,
        copy=False,
        help="What terminals moved less what orders record, when the session was closed.",
    )
    servipay_closing_text = fields.Text("Differences at closing", readonly=True, copy=False)

    # ------------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------------

    def write(self, vals):
        """Whatever way a session closes: not while a card is at work, and what differs is kept and told."""
        closes = vals.get("state") == "closed"
        closing = self.filtered(lambda session: closes and session.state != "closed")
        closing._servipay_check_idle()
        result = super().write(vals)
        for session in closing.sudo():
            session._servipay_keep_closing()
        return result

    # ------------------------------------------------------------------
    # Business: closing
    # ------------------------------------------------------------------

    def get_closing_control_data(self):
        """Add operations against payments to what the closing screen shows."""
        data = super().get_closing_control_data()
        data["servipay"] = self._servipay_closing()
        return data

    def _cannot_close_session(self, *args, **kwargs):
        """Let the till say that a card is at work, in a dialog and not as an error."""
        problem = self._servipay_at_work()
        if problem:
            return {"successful": False, "message": problem, "redirect": False}
        return super()._cannot_close_session(*args, **kwargs)

    def action_pos_session_closing_control(self, *args, **kwargs):
        """Refuse to begin to close while a card is at work."""
        self._servipay_check_idle()
        return super().action_pos_session_closing_control(*args, **kwargs)

    def action_pos_session_close(self, *args, **kwargs):
        """Refuse it while a card is at work, before anything is done; have the terminals' batches closed."""
        self._servipay_check_idle()
        result = super().action_pos_session_close(*args, **kwargs)
        for session in self.filtered(lambda session: session.state == "closed"):
            if session.config_id.servipay_reconcile:
                self.env.cr.postcommit.add(session.sudo()._servipay_reconcile)
        return result

    def _servipay_check_idle(self):
        problem = "\n".join(filter(None, (session._servipay_at_work() for session in self)))
        if problem:
            raise UserError(problem)

    def _servipay_at_work(self):
        """Return who is paying on which terminal at this moment, "" when nobody is.

        What is overdue ends as unknown first: somebody has to look at it, and the shop may close."""
        flying = self.sudo().servipay_operation_ids.filtered(lambda op: op.state in states.IN_FLIGHT)
        flying -= flying.filtered(lambda op: op._apart("_give_way"))
        if not flying:
            return ""
        return _(
            "The session cannot be closed: a card is at work.\n%(list)s\nWait for the outcome or cancel it, "
            "then close.",
            list="\n".join(f"{op._pos_title()}, {op.terminal_id.display_name or '-'}" for op in flying),
        )

    def _servipay_keep_closing(self):
        """Store what terminals moved and orders record, say it in the chatter, tell people if it differs."""
        recorded = self._servipay_recorded()
        found = differences(self._servipay_expected(recorded), recorded)
        unknown = self.servipay_operation_ids.filtered(lambda op: op._pos_is_open())
        if not recorded and not found and not unknown:
            return
        shop = self._servipay_in_language()
        total, lines = sum(recorded.mapped("amount")), shop._servipay_lines(found, unknown)
        difference = self.currency_id.round(sum(one.moved - one.recorded for one in found))
        self.write(
            {
                "servipay_moved": self.currency_id.round(total + difference),
                "servipay_recorded": total,
                "servipay_difference": difference,
                "servipay_closing_text": "\n".join(lines) or False,
            }
        )
        shop.message_post(body=shop._servipay_closing_note(lines))
        if lines:
            shop._servipay_tell_closing(lines)

    def _servipay_expected(self, recorded):
        """Return the operations that this session's orders should record."""
        elsewhere = self.servipay_operation_ids.filtered(lambda op: op.pos_payment_ids.session_id - self)
        operations = self.servipay_operation_ids - elsewhere | recorded.servipay_operation_id
        return operations.filtered(lambda op: op.kind in LINES)

    def _servipay_lines(self, found, unknown):
        """Return one text per difference, and per operation whose outcome is not known."""
        operations = self.env["servipay.operation"]
        return [
            *(operations._pos_difference_text(one) for one in found),
            *(operation._pos_line() for operation in unknown.with_env(self.env)),
        ]

    def _servipay_closing_note(self, lines):
        body = _(
            "Terminals moved %(moved)s, orders record %(recorded)s.",
            moved=format_amount(self.env, self.servipay_moved, self.currency_id),
            recorded=format_amount(self.env, self.servipay_recorded, self.currency_id),
        )
        items = Markup().join(Markup("<li>%s</li>") % line for line in lines)
        return Markup("<p>%s</p>") % body + (Markup("<ul>%s</ul>") % items if lines else Markup())

    def _servipay_tell_closing(self, lines):
        self.config_id._servipay_alert(
            "closing_differs",
            str(self.id),
            self,
            reference=self.name,
            amount=self.servipay_difference,
            currency_id=self.currency_id.id,
            detail="; ".join(lines)[:MOST_DETAIL],
        )

    def _servipay_in_language(self):
        lang = self.company_id.partner_id.lang
        known = dict(self.env["res.lang"].get_installed())
        return self.with_context(lang=lang) if lang in known else self

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
        return self.order_ids._servipay_recorded()

    def _servipay_moved(self, recorded):
        """Return the operations that moved money for this session.

        An order that another till took over counts where it was recorded. A void is no movement of
        its own: it makes the payment "reversed", which then counts no more.
        """
        return self._servipay_expected(recorded).filtered(lambda op: op.state == "approved")

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
