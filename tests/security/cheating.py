"""What a dishonest cashier can do from the browser's console, with his own log-in and nothing else."""

import concurrent.futures
import threading
import time
import uuid

from shop import TILL

from tools.running import RpcError, User

ORDER, PAYMENT = "pos.order", "pos.payment"
REFUSED = ("odoo.exceptions.UserError", "odoo.exceptions.AccessError", "odoo.exceptions.ValidationError")
OVER = ("approved", "declined", "cancelled", "failed", "unknown", "reversed")


class Cheat:
    """One person at one session of a running suite.

    :param methods: {provider: id of the payment method}; "cash" for the drawer's
    :param employee: dict employee_id, pin, sent with each call
    """

    def __init__(self, suite, login, session, methods, employee=None):
        self.suite, self.session, self.methods, self.employee = suite, session, methods, employee
        self.user = suite.user(login)

    # -- the till's calls

    def call(self, name, **parameters):
        """Call a till's route and return the answer; RpcError when it is refused."""
        more = {"cashier": self.employee} if self.employee else {}
        return self.user.json(TILL + name, session_id=self.session, **{**more, **parameters})

    def start(self, provider, amount, key=None, **more):
        """Start a payment or refund and return its key."""
        key = key or str(uuid.uuid4())
        order = {"uid": f"order-{key}", "name": key[:8], "line_uid": f"line-{key}", **more.pop("order", {})}
        self.call("start", method_id=self.methods[provider], key=key, amount=amount, order=order, **more)
        return key

    def settled(self, key):
        """Wait until an operation is over; returns its state."""
        return self.suite.wait_until(lambda: self.over(key), 90, f"the end of {key}")

    def over(self, key):
        """Return an operation's state when it is over."""
        rows = self.suite.sql(f"SELECT state FROM servipay_operation WHERE idempotency_key = '{key}'")
        return rows and rows[0][0] in OVER and rows[0][0]

    def paid(self, provider, amount):
        """Return the key of an approved payment; a lost one keeps its terminal busy for a moment more."""
        self.suite.wait_until(self.resting, 90, "the terminals' rest")
        for _time in range(30):
            key = self.start(provider, amount)
            if self.settled(key) == "approved":
                return key
            assert self.reason(key) == "busy", (provider, amount, self.reason(key))
            time.sleep(1)
        raise AssertionError(f"the terminal of {provider} stays busy")

    def reason(self, key):
        """Return why an operation ended as it did."""
        return self.suite.sql(f"SELECT reason FROM servipay_operation WHERE idempotency_key = '{key}'")[0][0]

    def resting(self):
        """Return whether no terminal is at work: what an earlier step has begun holds its terminal."""
        busy = (
            "SELECT count(*) FROM servipay_operation"
            " WHERE terminal_id IS NOT NULL AND state IN ('sent', 'pending', 'cancelling')"
        )
        return self.suite.sql(busy) == [["0"]]

    def refused(self, name, *arguments, **parameters):
        """Check that a call is refused in words and moves nothing; returns the words."""
        before = self.moved()
        try:
            result = (self.start if name == "start" else self.call)(*(arguments or (name,)), **parameters)
        except RpcError as error:
            assert error.name in REFUSED, error
            assert self.moved() == before
            return error.message
        raise AssertionError(f"{name} {parameters} was let through: {result}")

    def moved(self):
        """Return the number and sum of operations that moved money, or may have."""
        return self.suite.sql(
            "SELECT count(*), sum(amount) FROM servipay_operation"
            " WHERE state NOT IN ('draft', 'declined', 'cancelled', 'failed')"
        )

    # -- what Odoo itself lets a cashier write

    def sell(self, amount, *payments, **values):
        """Return the id of a recorded order. payments: (method, amount, operation's key or "")."""
        order = self.order(amount, **values)
        for method, part, key in payments:
            self.pay(order, method, part, key)
        self.record(order, amount)
        return order

    def record(self, order, paid):
        """Make a draft a recorded order of which so much was paid, as a till's synchronisation would."""
        self.user.call(ORDER, "write", [order], {"amount_paid": paid})
        self.user.call(ORDER, "action_pos_order_paid", [order])

    def order(self, total, lines=None, **values):
        """Return the id of a draft order with one line, or with lines of field values."""
        line = {"product_id": self.product(), "qty": 1, "price_unit": total}
        line |= {"price_subtotal": total, "price_subtotal_incl": total}
        content = {"session_id": self.session, "amount_tax": 0, "amount_total": total, "amount_return": 0}
        content |= {"amount_paid": 0, "lines": [(0, 0, one) for one in lines or [line]], **values}
        created = self.user.call(ORDER, "create", [content])
        return created[0] if isinstance(created, list) else created

    def product(self):
        """Return the id of something that is sold."""
        return self.user.call("product.product", "search", [("available_in_pos", "=", True)], limit=1)[0]

    def pay(self, order, method, amount, key=""):
        """Put a payment on an order, as a till's synchronisation would."""
        values = {"pos_order_id": order, "amount": amount, "payment_method_id": self.methods[method]}
        return self.user.call(PAYMENT, "create", [{**values, "servipay_key": key}])

    def refund(self, sold, amount, **values):
        """Return the id of the draft order that gives an amount of a sold order back."""
        domain = [("order_id", "=", sold), ("price_unit", ">", 0)]
        [line] = self.user.call(
            "pos.order.line", "search_read", domain, ["product_id", "price_unit"], limit=1
        )
        back = {"product_id": line["product_id"][0], "qty": -amount / line["price_unit"]}
        back |= {"price_unit": line["price_unit"], "refunded_orderline_id": line["id"]}
        back |= {"price_subtotal": -amount, "price_subtotal_incl": -amount}
        return self.order(-amount, [back], **values)

    def pay_out(self, refund, method, amount):
        """Record a refund order as paid out."""
        self.pay(refund, method, -amount)
        self.record(refund, -amount)


def at_once(*works):
    """Call functions in the same moment; returns [result or RpcError]."""
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait()
        try:
            return work()
        except RpcError as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(len(works)) as executor:
        return list(executor.map(run, works))


def fresh(suite, login):
    """Return a user with a session of its own, so that two calls do not wait for each other."""
    return User(suite.url, suite.database, login)
