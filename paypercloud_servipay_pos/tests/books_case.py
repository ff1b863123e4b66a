"""What the tests of a till's books share."""

import uuid
from contextlib import contextmanager

from odoo import fields
from odoo.exceptions import UserError

from odoo.addons.paypercloud_servipay.compat import SERIES

from .common import TillCase

LOGGER = "odoo.addons.paypercloud_servipay_pos.models.pos_payment"


class BooksCase(TillCase):
    """A till that saves orders with the calls that the browser makes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cake = cls.env["product.product"].create(
            {"name": "Cake", "available_in_pos": True, "taxes_id": False, "list_price": 1}
        )
        cls.cash = cls.config.payment_method_ids.filtered("is_cash_count")[:1] or cls.make_cash()

    @classmethod
    def make_cash(cls):
        """Return a cash method of both tills."""
        journal = cls.env["account.journal"].create(
            {"name": "Drawer", "code": "DRW", "type": "cash", "company_id": cls.company.id}
        )
        cash = cls.env["pos.payment.method"].create({"name": "Drawer", "journal_id": journal.id})
        cls.env.cr.execute(
            "INSERT INTO pos_config_pos_payment_method_rel (pos_config_id, pos_payment_method_id)"
            " VALUES (%s, %s)",
            [cls.config.id, cash.id],
        )
        cls.env.invalidate_all()
        return cash

    def card(self, operation, amount=None, method=None):
        """Return a payment line of the till for an operation (empty: none), with another amount if given."""
        sign = -1 if operation.kind == "refund" else 1
        return {
            "amount": sign * operation._settled_amount() if amount is None else amount,
            "payment_method_id": (method or operation.pos_payment_method_id or self.method).id,
            "servipay_key": operation.idempotency_key,
        }

    def cash_line(self, amount):
        """Return a payment line in cash."""
        return {"amount": amount, "payment_method_id": self.cash.id}

    def save(self, total, *lines, draft=False, uid=None, session=None, order=None, sold=None, **values):
        """Save an order as a till does and return it.

        :param total: what its one product line comes to; sold: the order line that it gives back
        :param lines: payment lines; order: a draft that is saved again
        """
        uid = uid or (order and order[self.uid_field]) or str(uuid.uuid4())
        session = session or self.session
        line = {
            "product_id": self.cake.id,
            "qty": 1,
            "price_unit": total,
            "price_subtotal": total,
            "price_subtotal_incl": total,
            "discount": 0,
            "tax_ids": [(6, 0, [])],
        }
        if sold:
            line.update(refunded_orderline_id=sold.id, qty=-1, price_unit=-total)
        data = {
            "lines": [(0, 0, {**line, "uuid": str(uuid.uuid4())})],
            "amount_total": total,
            "amount_tax": 0,
            "amount_paid": sum(one["amount"] for one in lines),
            "amount_return": 0,
            "partner_id": False,
            "user_id": self.cashier.id,
            "fiscal_position_id": False,
            "pricelist_id": self.config.pricelist_id.id,
            "sequence_number": 1,
            **values,
        }
        if SERIES < 18:
            return self.save_17(data, lines, draft, uid, session, order)
        return self.save_18(data, lines, draft, uid, session, order)

    @property
    def uid_field(self):
        return self.env["pos.order"]._servipay_uid_field()

    def save_17(self, data, lines, draft, uid, session, order):
        now = fields.Datetime.to_string(fields.Datetime.now())
        data.update(
            name=uid,
            uid=uid,
            pos_session_id=session.id,
            date_order=now,
            creation_date=now,
            statement_ids=[(0, 0, {"name": now, **one}) for one in lines],
            server_id=order.id if order else False,
        )
        one = {"id": uid, "data": data, "to_invoice": False}
        result = self.env["pos.order"].with_user(self.cashier).create_from_ui([one], draft)
        return self.env["pos.order"].browse(result[0]["id"]) if result else order

    def save_18(self, data, lines, draft, uid, session, order):
        known = {} if not order else {p.servipay_key or p.payment_method_id.id: p for p in order.payment_ids}
        payments = []
        for one in lines:
            payment = known.pop(one.get("servipay_key") or one["payment_method_id"], None)
            vals = {"name": fields.Datetime.to_string(fields.Datetime.now()), **one}
            payments.append((1, payment.id, vals) if payment else (0, 0, {"uuid": str(uuid.uuid4()), **vals}))
        payments += [(2, payment.id) for payment in known.values()]
        if order:
            data["id"] = order.id
            data["lines"] = [(2, line.id) for line in order.lines] + data["lines"]
        data.update(
            uuid=uid,
            name="/",
            session_id=session.id,
            company_id=self.company.id,
            payment_ids=payments,
            state="draft" if draft else "paid",
            access_token=str(uuid.uuid4()),
            date_order=fields.Datetime.to_string(fields.Datetime.now()),
            last_order_preparation_change="{}",
            to_invoice=False,
        )
        result = self.env["pos.order"].with_user(self.cashier).sync_from_ui([data])
        self.env.invalidate_all()
        found = self.env["pos.order"].search([("uuid", "=", uid)])
        self.assertTrue(found or not result["pos.order"])
        return found

    @contextmanager
    def refused(self, says):
        """Expect a sentence for people, and nothing saved."""
        with self.assertRaises(UserError) as caught:
            yield
        self.assertRegex(str(caught.exception), says)

    def alerts(self, kind=None):
        """Return the alerts about tills."""
        kinds = [kind] if kind else ["no_order", "not_backed", "closing_differs"]
        return self.env["servipay.alert"].search([("kind", "in", kinds)])

    def unknown(self, amount, **order):
        """Return an operation whose outcome nobody knows."""
        self.simulator.fault("purchase", "close_after", times=1)
        operation = self.operation(self.start(amount, **order)["key"])
        self.assertEqual(operation.state, "unknown")
        return operation

    def at_work(self, amount, **order):
        """Return an operation whose customer has not shown a card yet."""
        self.simulator.script("approved", delay=60)
        return self.operation(self.start(amount, **order)["key"])
