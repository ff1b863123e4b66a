"""The books of a till: approved operations = terminal payments.

`differences` is the invariant, for whoever compares: the order that is saved, the closing of a session, the
job, a test. `books` collects what one call does to orders and payments, as tills delete and make anew what
they save (17.0 every payment of a draft), and has it looked at once, when the outermost call ends."""

from collections import namedtuple
from contextlib import contextmanager

KEY = "servipay_books"

# kind "no_order": the operation moved money that no order records; "not_backed": the payment records what its
# operation (may be empty) did not move. moved and recorded: signed, major units of the till's currency.
Difference = namedtuple("Difference", "kind operation payment moved recorded")
# an order; state None: there was none; uid: what the till calls it by
Before = namedtuple("Before", "state partner_id worth uid company_id name session_id")


def differences(operations, payments):
    """Return [Difference] between what terminals moved and what orders record.

    :param operations: ``servipay.operation``s that should be recorded; refunds and voids of an operation that
        no order knows either are added up with it
    :param payments: ``pos.payment``s of terminal methods in orders that are validated
    """
    found = [
        Difference("not_backed", payment.servipay_operation_id, payment, moved, payment.amount)
        for payment in payments
        for moved in [payment._servipay_taken()]
        if payment.currency_id.compare_amounts(moved, payment.amount)
    ]
    seen = payments.servipay_operation_id
    for operation in operations - seen:
        family = operation._pos_unrecorded_family() - seen
        moved = sum(family.mapped("moved_amount"))
        if operation in family and not operation.currency_id.is_zero(moved):
            found.append(Difference("no_order", family[0], payments.browse(), moved, 0.0))
        seen |= family
    return found


class Books:
    """What was there before one call changed it: only what is needed to say what the call did."""

    def __init__(self):
        self.orders = {}  # {id: Before}
        self.payments = {}  # {id of a payment with an approved operation: (operation id, order id)}
        self.changed = set()  # ids of orders whose payments were made, changed or deleted
        self.linked = set()  # ids of payments that got an operation

    def note_orders(self, orders):
        """Keep the orders as they are now, unless an earlier step of this call did."""
        for order in orders:
            if order.id not in self.orders:
                self.orders[order.id] = order._servipay_before()

    def note_new(self, orders):
        """Keep that these orders were not there before."""
        for order in orders:
            self.orders[order.id] = Before(None, False, 0.0, False, False, False, False)

    def note_payments(self, payments):
        """Keep what the payments record, before they are changed or deleted, and that they were."""
        for payment in payments:
            operation = payment.servipay_operation_id
            if operation.state == "approved" and payment.id not in self.payments:
                self.payments[payment.id] = (operation.id, payment.pos_order_id.id)
        self.changed.update(payments.pos_order_id.ids)


@contextmanager
def books(env):
    """Give the ``Books`` of this transaction's outermost call; when it ends, what it did is checked.

    UserError of ``pos.order._servipay_check_books`` when the books would not be right afterwards."""
    kept = env.cr.cache.get(KEY)
    if kept is not None:
        yield kept
        return
    kept = env.cr.cache[KEY] = Books()
    try:
        yield kept
        env["pos.order"].sudo()._servipay_check_books(kept)
    finally:
        env.cr.cache.pop(KEY, None)
