from datetime import timedelta

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_amount

from odoo.addons.paypercloud_servipay.api import states
from odoo.addons.paypercloud_servipay.api.masking import get_logger
from odoo.addons.paypercloud_servipay.models.own_transaction import after_commit, in_own_transaction

from .books import differences
from .servipay_operation import LINES

_logger = get_logger(__name__)

ALERT = "paypercloud_servipay.activity_alert"
OUTSIDE = ("draft", "cancel")  # orders in these states record nothing
MINUTES = "paypercloud_servipay_pos.minutes_without_order"  # system parameter
DEFAULT_MINUTES = 15  # between the answer and the order: a till saves at once, or once it is online
DRAFT_HOURS = 24  # that a restaurant's table may stay open with a part of it paid
LOOK_BACK = timedelta(days=7)  # of the job; what is older was told, or is from before this addon
TELL_TILLS = timedelta(days=30)


class ServipayOperation(models.Model):
    """What orders record of an operation, and who is told when that is not what was moved."""

    _inherit = "servipay.operation"

    pos_recorded_amount = fields.Monetary(
        "Recorded in orders",
        compute="_compute_pos_recorded",
        store=True,
        help="What validated orders of the point of sale record of this operation.",
    )
    pos_difference = fields.Monetary(
        "Moved, not recorded",
        compute="_compute_pos_recorded",
        store=True,
        help="Money moved less what orders record. With a minus: recorded, and not moved.",
    )
    pos_recorded_in = fields.Char(
        "Recorded in", compute="_compute_pos_recorded", store=True, help="Orders, with their session."
    )
    pos_dealt_with_id = fields.Many2one("res.users", "Dealt with by", readonly=True, copy=False)

    def init(self):
        """What differs is little, and looked for often."""
        result = super().init()
        self.env.cr.execute(
            "CREATE INDEX IF NOT EXISTS servipay_operation_differs ON servipay_operation (settled_at)"
            " WHERE pos_difference <> 0"
        )
        return result

    # ------------------------------------------------------------------
    # Compute
    # ------------------------------------------------------------------

    @api.depends(
        *("moved_amount", "pos_config_id", "kind"),
        *(f"pos_payment_ids.{name}" for name in ("amount", "pos_order_id.state", "pos_order_id.name")),
    )
    def _compute_pos_recorded(self):
        for operation in self:
            payments = operation._pos_recorded_payments()
            recorded = sum(payments.mapped("amount"))
            operation.pos_recorded_amount = recorded
            counts = operation.pos_config_id and operation.kind in LINES
            difference = operation.moved_amount - recorded if counts else 0.0
            operation.pos_difference = operation.currency_id.round(difference) if counts else 0.0
            operation.pos_recorded_in = operation._pos_names_of(payments)

    def _pos_recorded_payments(self):
        return self.sudo().pos_payment_ids.filtered(lambda payment: payment.pos_order_id.state not in OUTSIDE)

    def _pos_names_of(self, payments):
        names = [f"{order.name} ({order.session_id.name or '-'})" for order in payments.pos_order_id]
        return ", ".join(names) or False

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_pos_dealt_with(self):
        """Record that a person knows of the difference and has booked or cleared it: tills stop saying it."""
        shop, user = "point_of_sale.group_pos_manager", self.env.user
        self._check_group(shop if user.has_group(shop) else "paypercloud_servipay.group_manager")
        for operation in self.sudo().filtered("pos_difference"):
            amount = format_amount(self.env, operation.pos_difference, operation.currency_id)
            operation.pos_dealt_with_id = user
            body = _("%(user)s has dealt with the difference of %(amount)s.", user=user.name, amount=amount)
            operation.message_post(body=body, author_id=user.partner_id.id)
            operation._pos_alerts().activity_unlink([ALERT])
            operation.activity_unlink([ALERT])
        return True

    # ------------------------------------------------------------------
    # Business: what a till may not change
    # ------------------------------------------------------------------

    def _pos_signed_amount(self):
        """Return what was taken or, with a minus, given back, whatever has become of it since."""
        self.ensure_one()
        return self._settled_amount() * (-1 if self.kind == "refund" else 1)

    def _pos_still_stands(self):
        """Tell whether this may have moved money that neither an order records nor a refund took back."""
        self.ensure_one()
        if self.state in states.UNSETTLED:
            return True
        if self.state != "approved" or self._pos_recorded_payments():
            return False
        left = self.refundable_amount if self.kind == "purchase" else self.amount
        return not self.currency_id.is_zero(left)

    def _pos_unrecorded_family(self):
        """Return this, what it was made of and what was made of it, as far as it moved money in no order."""
        root = self.original_id or self
        return (root | root.child_ids).filtered(
            lambda operation: operation.moved_amount and not operation._pos_recorded_payments()
        )

    def _pos_refuse_loss(self, order):
        """Return why the payment of this operation must stay as it is."""
        return _(
            "%(amount)s of order %(order)s were taken on the terminal (%(name)s): the payment stays as it "
            "is, and nothing was saved. To give the money back make a refund; the order follows from it.",
            amount=format_amount(self.env, self._pos_signed_amount(), self.currency_id),
            order=order.pos_reference or order.name or self.pos_order_name or "?",
            name=self.name,
        )

    def _pos_stand_still(self, before, gone, handed, worth):
        """Refuse what a call did to an order for which these operations may have taken money.

        An order whose payment is unknown may be given up, as a shop cannot wait for days: that is noted on
        the operation, which tells its people when it turns out that money was taken.

        :param before: ``Before`` of the order; gone: cancelled or deleted; handed: to another customer
        :param worth: what the order comes to now
        """
        unknown = self.filtered(lambda operation: operation.state == "unknown")
        if gone:
            for operation in unknown:
                operation._pos_note_given_up(before)
        blocking = self - unknown if gone else self
        asked = abs(sum(operation._pos_asked() for operation in blocking))
        smallest = self.currency_id[:1].rounding or 0.01
        if not blocking or not (gone or handed or abs(worth) < asked - smallest):
            return
        amount = format_amount(self.env, asked, blocking[0].currency_id)
        facts = {"order": before.name, "amount": amount, "names": ", ".join(blocking.mapped("name"))}
        if handed or not gone:
            raise UserError(
                _(
                    "Order %(order)s cannot be changed like this: a card pays %(amount)s of it (%(names)s). "
                    "Nothing was saved. Wait until the payment is recorded, or cancel it first.",
                    **facts,
                )
            )
        raise UserError(
            _(
                "Order %(order)s cannot be cancelled: a card pays or has paid %(amount)s of it (%(names)s). "
                "Validate the order, or give the money back first.",
                **facts,
            )
        )

    def _pos_asked(self):
        sign = -1 if self.kind == "refund" else 1
        if self.state != "approved":
            return sign * self.amount
        return sign * (self.refundable_amount if self.kind == "purchase" else self._settled_amount())

    def _pos_note_given_up(self, before):
        user = self.env.user
        self._for_chatter().message_post(
            body=_(
                "%(user)s has given up order %(order)s while it is not known whether this payment was made.",
                user=user.name,
                order=before.name or self.pos_order_name or "?",
            )
        )

    # ------------------------------------------------------------------
    # Business: what follows from an end
    # ------------------------------------------------------------------

    def _after_move(self, old, state, by):
        """Let the books follow, and tell at once what no till will put right."""
        result = super()._after_move(old, state, by)
        if state in states.FINAL and self.pos_config_id and self.kind in LINES and self._pos_concerns(state):
            self._pos_follow_later()
        return result

    def write(self, vals):
        """Let the books follow when an approval turns out to be one of another amount."""
        amounts = "approved_amount" in vals and "state" not in vals
        before = {op: op.moved_amount for op in self if amounts and op.state == "approved"}
        result = super().write(vals)
        for operation, moved in before.items():
            differs = operation.currency_id.compare_amounts(operation.moved_amount, moved)
            if differs and operation.sudo().pos_payment_ids:
                operation._pos_follow_later()
        return result

    def _pos_follow_later(self):
        operation_id = self.id
        after_commit(
            self.env,
            lambda env: in_own_transaction(
                env, lambda own: own["servipay.operation"].browse(operation_id)._pos_follow_books()
            ),
        )

    def _pos_concerns(self, state):
        """Tell whether this end is of interest to anybody but the till that waits for it."""
        if self.sudo().pos_payment_ids:
            return True
        over = not self.pos_session_id or self.pos_session_id.state == "closed"
        return state == "approved" and (self.channel != "pos" or over)

    def _pos_follow_books(self):
        """Count again what drafts have been paid, and tell of what differs."""
        payments = self.sudo().pos_payment_ids
        payments.pos_order_id._servipay_count_paid()
        family = self._pos_unrecorded_family()
        if len(family) > 1 and self.currency_id.is_zero(sum(family.mapped("moved_amount"))):
            # taken, never recorded and given back: whoever gave it back has dealt with it
            family.pos_dealt_with_id = self.user_id
        for difference in differences(self, self._pos_recorded_payments()):
            if difference.kind == "not_backed" or not payments:
                self._pos_alert_difference(difference)

    # ------------------------------------------------------------------
    # Business: who is told
    # ------------------------------------------------------------------

    @api.model
    def _pos_difference_text(self, difference):
        """Return one sentence about a ``Difference``."""
        operation, payment = difference.operation, difference.payment
        order = payment.pos_order_id
        currency = operation.currency_id or payment.currency_id
        facts = {
            "name": operation.name or "-",
            "order": order.pos_reference or order.name or operation.pos_order_name or "?",
            "moved": format_amount(self.env, difference.moved, currency),
            "recorded": format_amount(self.env, difference.recorded, currency),
        }
        if difference.kind == "no_order":
            return _("%(moved)s were moved for %(order)s (%(name)s), and no order records it.", **facts)
        return _("%(order)s records %(recorded)s, the terminal moved %(moved)s (%(name)s).", **facts)

    @api.model
    def _pos_alert_difference(self, difference):
        """Tell the people of the shop of one difference, once."""
        operation, payment = difference.operation.sudo(), difference.payment.sudo()
        config = operation.pos_config_id or payment.session_id.config_id
        document = operation or payment.pos_order_id
        about = operation if difference.kind == "no_order" or operation else payment
        order = payment.pos_order_id
        name = order.pos_reference or order.name or operation.pos_order_name or operation.name
        currency = operation.currency_id or payment.currency_id
        amount = difference.moved if difference.kind == "no_order" else difference.recorded
        detail = ", ".join(
            filter(None, (operation.name, config.name, format_amount(self.env, difference.moved, currency)))
        )
        return config._servipay_alert(
            difference.kind,
            f"{about._name}:{about.id}",
            document,
            provider=operation.provider,
            reference=name,
            amount=amount,
            currency_id=currency.id,
            detail=detail,
        )

    def _pos_alerts(self, *kinds):
        """Return the alerts of these kinds, without any of all, about these operations."""
        kinds = kinds or ("no_order", "not_backed")
        keys = [f"{kind}:{self._name}:{operation_id}" for kind in kinds for operation_id in self.ids]
        return self.env["servipay.alert"].sudo().search([("key", "in", keys)])

    def _pos_found_its_order(self):
        """End the activities about money in no order: an order records it after all."""
        waited = self._pos_waited(fields.Datetime.now())
        late = self.filtered(lambda op: op.settled_at and op.settled_at < waited)
        for alert in late and late._pos_alerts("no_order"):
            alert.activity_unlink([ALERT])
            self.browse(alert.res_id).activity_unlink([ALERT])

    @api.model
    def _pos_left_behind(self, session):
        """Return the payments of earlier sessions of this point of sale that are in no order, last first."""
        found = self.search(
            [
                ("pos_config_id", "=", session.config_id.id),
                ("pos_session_id", "!=", session.id),
                ("channel", "=", "pos"),
                ("kind", "in", LINES),
                ("pos_difference", "!=", 0),
                ("pos_recorded_amount", "=", 0),
                ("pos_dealt_with_id", "=", False),
                ("settled_at", ">", fields.Datetime.now() - TELL_TILLS),
            ]
        )
        return found.filtered(lambda op: not op.pos_payment_ids and op._pos_still_stands())

    # ------------------------------------------------------------------
    # Business: the job
    # ------------------------------------------------------------------

    @api.model
    def _cron_pos_books(self):
        """Tell of what terminals took and no order records, and of what is recorded and was not taken."""
        now = fields.Datetime.now()
        operations = self._pos_differing(now)
        payments = operations._pos_recorded_payments() | self._pos_unbacked_payments(now)
        for difference in differences(operations, payments):
            try:
                with self.env.cr.savepoint():
                    self._pos_alert_difference(difference)
            except Exception:  # pylint: disable=broad-except
                # whatever is wrong with one, people are told of the others all the same
                _logger.exception("a difference between a terminal and an order could not be told")

    def _pos_differing(self, now):
        """Return the operations that differ from what orders record, for longer than a till may need."""
        domain = [("settled_at", ">", now - LOOK_BACK), ("pos_dealt_with_id", "=", False)]
        waited = self._pos_waited(now)
        operations = self.search([("pos_difference", "!=", 0), *domain, ("settled_at", "<", waited)])
        recent = now - timedelta(hours=DRAFT_HOURS)
        # a part of an open table: Odoo knows it, and its till shows it
        return operations.filtered(
            lambda op: (
                op.settled_at < recent
                or not op.pos_payment_ids.filtered(lambda p: p.pos_order_id.state == "draft")
            )
        )

    def _pos_unbacked_payments(self, now):
        """Return recorded payments with our methods without any operation, since the methods are ours."""
        Method, Payment = self.env["pos.payment.method"], self.env["pos.payment"]
        methods = Method.search([("use_payment_terminal", "!=", False)]).filtered("servipay_provider")
        first = self._read_group(
            [("pos_payment_method_id", "in", methods.ids)],
            ["pos_payment_method_id"],
            ["create_date:min"],
        )
        found = Payment.browse()
        for method, since in first:
            found |= Payment.search(
                [
                    ("payment_method_id", "=", method.id),
                    ("servipay_operation_id", "=", False),
                    ("amount", "!=", 0),
                    ("create_date", ">=", max(since, now - LOOK_BACK)),
                    ("pos_order_id.state", "not in", OUTSIDE),
                ]
            )
        return found

    @api.model
    def _pos_waited(self, now):
        text = self.env["ir.config_parameter"].sudo().get_param(MINUTES) or ""
        return now - timedelta(minutes=int(text) if text.isdecimal() else DEFAULT_MINUTES)
