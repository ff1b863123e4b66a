"""Who may make which call of a till: the one table, and the one place that reads it.

A call of the browser names what it wants; the table says who has to want it, for which session, about which
operation, in which state of its order. `_servipay_admit` compares, before anything is opened or sent.
"""

from dataclasses import dataclass

from odoo import _, models
from odoo.exceptions import AccessError, UserError

# Roles, each of which may do what those before it may. With Odoo's module for employees (pos_hr) in use at a
# point of sale it is the employee's role, and a manager proves himself by his PIN; without it, the user's.
MINIMAL, CASHIER, MANAGER = "minimal", "cashier", "manager"
ROLES = (MINIMAL, CASHIER, MANAGER)

# Sessions: one in which sales are made, or any that the user may read.
OPEN, ANY = "open", "any"

# Operations: of this very session; of a point of sale that shares its orders with this one (itself included,
# so that a till goes on with what an earlier session or another till has begun); none, as it is made now.
OWN, SHARED, NEW = "own", "shared", "new"

# Orders: none asked for; not recorded yet; one that is saved, not recorded, and gives money back.
NO_ORDER, UNRECORDED, SAVED_REFUND = "", "unrecorded", "saved refund"


@dataclass(frozen=True)
class Right:
    """One line of the table: role at least, session, operation and order as above."""

    role: str
    session: str
    operation: str
    order: str = NO_ORDER


RIGHTS = {
    # call                        who      session operation order
    "start": Right(MINIMAL, OPEN, NEW),
    "refund": Right(CASHIER, OPEN, NEW, SAVED_REFUND),
    "refund_unreferenced": Right(MANAGER, OPEN, NEW, SAVED_REFUND),
    "choices": Right(MINIMAL, OPEN, NEW),
    # the same key again sends nothing: whatever has become of the session, the till hears of its payment
    "resume": Right(MINIMAL, ANY, SHARED),
    "cancel": Right(MINIMAL, ANY, SHARED),
    "spend": Right(MINIMAL, ANY, NEW),
    "inquire": Right(MINIMAL, ANY, SHARED),
    "void": Right(CASHIER, OPEN, OWN, UNRECORDED),
    "resolve": Right(MANAGER, ANY, SHARED),
    "state": Right(MINIMAL, ANY, SHARED),
    "open": Right(MINIMAL, ANY, OWN),
}


class PosSession(models.Model):
    """What a till may ask for."""

    _inherit = "pos.session"

    def _servipay_admit(self, call, cashier=None, operation=None, order=None):
        """Return the name of the employee who makes a call ("" without employees), or refuse it.

        :param call: key of RIGHTS
        :param cashier: dict employee_id, pin, as the browser sent it
        :param operation: the ``servipay.operation`` that the call is about, when there is one
        :param order: the ``pos.order`` found for it (may be empty), where the table asks for one
        :raise AccessError, UserError: what the table does not allow, in words for a cashier
        """
        right = RIGHTS[call]
        self._servipay_check_session(right)
        if operation:
            self._servipay_check_operation(right, operation)
        if right.order == UNRECORDED:
            operation._pos_check_unrecorded()
        if right.order == SAVED_REFUND:
            self._servipay_check_refund_order(order)
        return self._servipay_person(right.role, cashier)

    def _servipay_check_session(self, right):
        if right.session == OPEN and self.sudo().state != "opened":
            raise UserError(_("This session is not open. Nothing was sent."))

    def _servipay_check_operation(self, right, operation):
        if operation.company_id != self.sudo().company_id:
            raise AccessError(_("This operation belongs to another company."))
        if right.operation == SHARED and operation.pos_config_id not in self._servipay_configs():
            raise AccessError(_("This operation belongs to another point of sale."))
        if right.operation == OWN and operation.pos_session_id != self:
            raise AccessError(
                _("This payment is of another session and cannot be taken back here. Refund it.")
            )

    def _servipay_check_refund_order(self, order):
        """Refuse to give back without an order that says what comes back."""
        if not order:
            raise UserError(
                _("The order that gives the money back is not saved yet. Nothing was sent; try again.")
            )
        if order.state != "draft":
            raise UserError(_("This order is already recorded. Nothing was sent."))
        if not order._servipay_sold_orders():
            raise UserError(
                _(
                    "This order gives back nothing that was sold. Nothing was sent; choose what comes back "
                    "in the list of orders."
                )
            )
