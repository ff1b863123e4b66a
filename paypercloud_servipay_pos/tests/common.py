"""What the tests of points of sale share: a shop with two tills that speaks with a simulator."""

import uuid
from contextlib import suppress

from odoo import SUPERUSER_ID
from odoo.exceptions import UserError
from odoo.tests import HttpCase, new_test_user

from odoo.addons.paypercloud_servipay.compat import SERIES
from odoo.addons.paypercloud_servipay.models.servipay_neutralized import FLAG
from odoo.addons.paypercloud_servipay.tests.common import WithSimulator, settings_for
from odoo.addons.paypercloud_servipay.tests.neutralized import neutralize
from odoo.addons.point_of_sale.tests.common import TestPoSCommon


class TillCase(WithSimulator, TestPoSCommon, HttpCase):
    """Two points of sale of one company, each with an open session, and the people around them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._start_simulator()
        company = cls.env.company
        cls.env = cls.env(user=SUPERUSER_ID, context={"allowed_company_ids": company.ids})
        cls.company = cls.env["res.company"].browse(company.id)
        cls.company.write(settings_for(cls.simulator))
        cls.method = cls.make_method("Card")
        cls.second_method = cls.make_method("Second card")
        cls.config = cls.make_config("Counter", cls.method + cls.second_method)
        cls.other_config = cls.make_config("Terrace", cls.method)
        cls.session, cls.other_session = (cls.open_till(c) for c in (cls.config, cls.other_config))
        cls.cashier = cls.make_user("servipay_cashier", "base.group_user,point_of_sale.group_pos_user")
        cls.pos_manager = cls.make_user(
            "servipay_pos_manager", "base.group_user,point_of_sale.group_pos_manager"
        )

    @classmethod
    def make_user(cls, login, groups, company=None):
        """Return a user of one company."""
        company = company or cls.company
        return new_test_user(
            cls.env, login, groups=groups, company_id=company.id, company_ids=[(6, 0, company.ids)]
        )

    @classmethod
    def make_method(cls, name, **values):
        """Return a payment method that drives the PayperCloud terminal T1."""
        kind = {"payment_method_type": "terminal"} if SERIES >= 18 else {}
        journal = cls.env["account.journal"].create(
            {
                "name": name,
                "code": f"T{uuid.uuid4().hex[:4]}",
                "type": "bank",
                "company_id": cls.company.id,
            }
        )
        return cls.env["pos.payment.method"].create(
            {
                "name": name,
                "journal_id": journal.id,
                "use_payment_terminal": "paypercloud",
                "servipay_terminal_pid": "T1",
                **kind,
                **values,
            }
        )

    @classmethod
    def make_config(cls, name, methods):
        """Return a point of sale with these payment methods."""
        return cls.env["pos.config"].create(
            {"name": name, "company_id": cls.company.id, "payment_method_ids": [(6, 0, methods.ids)]}
        )

    @classmethod
    def open_till(cls, config):
        """Open a session and return it."""
        config.open_ui()
        session = config.current_session_id
        if session.state == "opening_control":
            opening = session.set_opening_control if SERIES >= 18 else session.set_cashbox_pos
            opening(0, "")
        return session

    def till(self, user=None, session=None):
        """Return the session as a user's till speaks for it."""
        session = session or self.session
        return self.env["pos.session"].with_user(user or self.cashier)._servipay_till(session.id)

    def start(self, amount=12.34, key=None, till=None, method=None, original_key=None, cashier=None, **order):
        """Start a payment and return its snapshot."""
        till = till or self.till()
        order = {"uid": "order-1", "name": "Order 1", "line_uid": "line-1", **order}
        key = key or uuid.uuid4().hex
        snapshot = till._servipay_start((method or self.method).id, key, amount, order, original_key, cashier)
        self.assertEqual(snapshot["key"], key)
        return till._servipay_state([key])[0]  # in a test the dialogue has run meanwhile

    def operation(self, key):
        """Return the operation of a key."""
        return self.env["servipay.operation"].search([("idempotency_key", "=", key)])

    def settled(self, snapshot):
        """Ask until the terminal has answered; returns the newest snapshot."""
        self.operation(snapshot["key"])._inquire()
        return self.till()._servipay_state([snapshot["key"]])[0]

    def paid(self, amount=12.34, method=None, **order):
        """Return the operation of an approved payment."""
        snapshot = self.settled(self.start(amount, method=method, **order))
        self.assertEqual(snapshot["state"], "approved", snapshot["text"])
        return self.operation(snapshot["key"])

    def check_neutralized(self, method, reached):
        """Assert that a copy's till moves nothing: by Odoo's mark alone, and by the scripts alone.

        :param reached: function that counts what the provider heard
        """
        before = reached()
        self.env["ir.config_parameter"].sudo().set_param(FLAG, "true")
        snapshot = self.start(method=method)
        self.assertEqual(snapshot["state"], "failed")
        self.assertIn("neutralized copy", snapshot["text"])
        neutralize(self, flag=False)
        with suppress(UserError):
            self.assertEqual(self.start(method=method)["state"], "failed")
        self.assertEqual(reached(), before)

    def make_order(self, operation, session=None):
        """Return the order that an operation paid, with one line, as a till would have sent it.

        :param session: of the till that recorded it, when that is another one
        """
        order = self.env["pos.order"].create(
            {
                "session_id": (session or operation.pos_session_id).id,
                "company_id": self.company.id,
                "amount_tax": 0,
                "amount_total": operation.amount,
                "amount_paid": 0,
                "amount_return": 0,
                "lines": [
                    (
                        0,
                        0,
                        {
                            "product_id": self.env["product.product"].create({"name": "Cake"}).id,
                            "qty": 1,
                            "price_unit": operation.amount,
                            "price_subtotal": operation.amount,
                            "price_subtotal_incl": operation.amount,
                        },
                    )
                ],
            }
        )
        order.add_payment(
            {
                "pos_order_id": order.id,
                "amount": operation.amount,
                "payment_method_id": operation.pos_payment_method_id.id,
                "servipay_key": operation.idempotency_key,
            }
        )
        order.state = "paid"
        return order

    def pay_cash(self, order, amount):
        """Put cash on an order; the point of sale has a drawer as if it had been there from the beginning."""
        config, cash = order.config_id, self.env["pos.payment.method"].search([("name", "=", "Drawer")])
        if not cash:
            values = {"name": "Drawer", "code": "DRWX", "type": "cash", "company_id": self.company.id}
            journal = self.env["account.journal"].create(values)
            cash = self.env["pos.payment.method"].create({"name": "Drawer", "journal_id": journal.id})
            self.env.flush_all()
            insert = "INSERT INTO pos_config_pos_payment_method_rel VALUES (%s, %s)"
            self.env.cr.execute(insert, [config.id, cash.id])
            self.env.invalidate_all()
        order.add_payment({"pos_order_id": order.id, "amount": amount, "payment_method_id": cash.id})

    def make_cash_order(self, amount):
        """Return a recorded order that was paid in cash."""
        line = {"product_id": self.env["product.product"].create({"name": "Tea"}).id, "qty": 1}
        line |= dict.fromkeys(("price_unit", "price_subtotal", "price_subtotal_incl"), amount)
        order = self.env["pos.order"].create(
            {
                "session_id": self.session.id,
                "company_id": self.company.id,
                "amount_tax": 0,
                "amount_total": amount,
                "amount_paid": 0,
                "amount_return": 0,
                "lines": [(0, 0, line)],
            }
        )
        self.pay_cash(order, amount)
        order.state = "paid"
        return order

    def make_refund(self, *orders, amount=None, session=None, **values):
        """Return the draft order that gives orders back, as a till saves it before it asks for money.

        :param amount: above zero; all of the orders without one
        """
        total = sum(orders_total(orders)) if amount is None else amount
        shares = [share * total / sum(orders_total(orders)) for share in orders_total(orders)]
        return self.env["pos.order"].create(
            {
                "session_id": (session or orders[0].session_id).id,
                "company_id": self.company.id,
                "amount_tax": 0,
                "amount_total": -total,
                "amount_paid": 0,
                "amount_return": 0,
                "lines": [
                    (0, 0, self.refund_line(order.lines[0], share))
                    for order, share in zip(orders, shares, strict=True)
                ],
                **values,
            }
        )

    @staticmethod
    def refund_line(line, amount):
        """Return the values of a line that gives an amount of another one back."""
        return {
            "product_id": line.product_id.id,
            "qty": -amount / line.price_unit,
            "price_unit": line.price_unit,
            "price_subtotal": -amount,
            "price_subtotal_incl": -amount,
            "refunded_orderline_id": line.id,
        }

    def refunded(self, amount, refund, **how):
        """Return the operation of a refund of a saved order, asked until the terminal has answered."""
        return self.operation(self.settled(self.start(-amount, id=refund.id, **how))["key"])


def orders_total(orders):
    """Return the totals of orders."""
    return [order.amount_total for order in orders]
