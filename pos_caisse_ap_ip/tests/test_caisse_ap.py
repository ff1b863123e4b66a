from odoo.exceptions import ValidationError
from odoo.tests import tagged

from odoo.addons.paypercloud_servipay_pos.tests.common import TillCase

from .simulator import Simulator


@tagged("post_install", "-at_install")
class TestCaisseAp(TillCase):
    """The whole way from the till's call to the terminal's books, over a real socket."""

    @classmethod
    def setUpClass(cls):
        cls.terminals = Simulator(terminals=2).start()
        cls.addClassCleanup(cls.terminals.stop)
        super().setUpClass()

    @classmethod
    def make_config(cls, name, methods):
        cls.ap = cls.make_caisse_ap(f"Caisse-AP {name}")
        return super().make_config(name, methods + cls.ap)

    @classmethod
    def make_caisse_ap(cls, name, terminal=0, **values):
        """Return a method that drives one of the simulator's terminals."""
        return cls.make_method(
            name,
            use_payment_terminal="caisse_ap_ip",
            caisse_ap_host="127.0.0.1",
            caisse_ap_port=cls.terminals.terminals[terminal].port,
            caisse_ap_allow_local=True,
            **values,
        )

    def setUp(self):
        super().setUp()
        self.terminals.reset()
        self.terminal = self.terminals.terminals[0]
        self.ap = self.config.payment_method_ids.filtered(lambda m: m.servipay_provider == "caisse_ap")
        self.terminal.default("paid", delay=0)

    def pay(self, amount=12.34, **order):
        """Return the operation of a payment, and its snapshot."""
        snapshot = self.start(amount, method=self.ap, **order)
        return self.operation(snapshot["key"]), snapshot

    # ------------------------------------------------------------------
    # Payments
    # ------------------------------------------------------------------

    def test_paid(self):
        """Paid once, with the facts of the answer; the frame is logged without the card's number."""
        operation, snapshot = self.pay()
        self.assertEqual((operation.state, operation.approved_amount), ("approved", 12.34), snapshot["text"])
        self.assertEqual([charge.amount for charge in self.terminal.debits], [1234])
        self.assertTrue(operation.authorization_code)
        self.assertIn("*", operation.masked_pan)
        log = operation.log_ids
        self.assertEqual((log.transport, log.outcome, log.endpoint), ("tcp", "answered", "debit"))
        self.assertIn("CB", log.request_body)

    def test_not_paid(self):
        """A refusal, the red button and a late customer are certain: nothing was taken, and it says why."""
        for script, state in (("declined", "declined"), ("red", "cancelled"), ("timeout", "failed")):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, snapshot = self.pay()
                self.assertEqual(operation.state, state)
                self.assertTrue(snapshot["text"])
        self.assertFalse(self.terminal.debits)

    def test_partial(self):
        """Less was approved than asked: approved, with the amount that was paid."""
        self.terminal.script("partial", delay=0, amount=1000)
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.approved_amount), ("approved", 10))

    def test_more_than_asked_is_no_approval(self):
        """An answer about another amount, till or currency proves nothing."""
        for script in ("other_amount", "other_till", "other_currency"):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, _snapshot = self.pay()
                self.assertEqual((operation.state, operation.reason), ("unknown", "mismatch"))
                operation._resolve("failed", "test")

    def test_unreachable(self):
        """A terminal that is off got nothing: a certain failure, found in seconds."""
        self.terminal.unplug()
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.reason), ("failed", "not_sent"))
        self.assertEqual(operation.log_ids.outcome, "not_sent")
        self.terminal.plug()

    def test_lost_answer_is_found_by_inquiry(self):
        """Paid, then the link is lost: unknown, and the terminal's last transaction settles it, once."""
        self.terminal.script("paid_then_lost", delay=0)
        operation, _snapshot = self.pay()
        self.assertEqual((operation.state, operation.reason), ("unknown", "no_answer"))
        operation._inquire()
        self.assertEqual(operation.state, "approved", operation.explanation)
        self.assertEqual(len(self.terminal.debits), 1)

    def test_inquiry_does_not_take_a_strangers_payment(self):
        """Nothing was taken, and the terminal's last success is an older one: it stays unknown."""
        paid, _snapshot = self.pay()
        self.assertEqual(paid.state, "approved")
        self.terminal.script("close_without_answer", delay=0)
        operation, _snapshot = self.pay()
        self.assertEqual(operation.state, "unknown")
        operation._inquire()
        self.assertEqual(operation.state, "unknown")
        self.make_overdue(operation)
        operation._inquire()
        self.assertNotEqual(operation.state, "approved")

    def make_overdue(self, operation):
        """Let the time of an operation pass."""
        self.env.cr.execute(
            "UPDATE servipay_operation SET deadline_at = create_date - interval '1 s' WHERE id = %s",
            [operation.id],
        )
        operation.invalidate_recordset()

    def test_garbage(self):
        """What cannot be read leaves the outcome open."""
        self.ap.caisse_ap_seconds = 10
        for script in ("garbage", "oversize"):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, _snapshot = self.pay()
                self.assertEqual(operation.state, "unknown")
                operation._resolve("failed", "test")

    def test_split_and_odd_answers(self):
        """Pieces, unknown tags, junk in front and line feeds in values change nothing."""
        for script in ("split", "unknown_tags", "junk", "lf_in_values", "padded"):
            with self.subTest(script=script):
                self.terminal.script(script, delay=0)
                operation, snapshot = self.pay()
                self.assertEqual(operation.state, "approved", snapshot["text"])

    def test_pauses_and_resets(self):
        """AE third and a long pause behind it, or a hard end behind the answer: still all of the answer."""
        self.terminal.script("ae_third", delay=0, cuts=(40,), pause=0.6)
        operation, snapshot = self.pay()
        self.assertEqual((operation.state, operation.approved_amount), ("approved", 12.34), snapshot["text"])
        self.terminal.script("ae_third", delay=0, cuts=(40,), pause=1, actions="1")
        refund, snapshot = self.pay(-12.34, refunded_line_ids=self.make_order(operation).lines.ids)
        self.assertEqual((refund.state, refund.approved_amount), ("approved", 12.34), snapshot["text"])

    def test_refund(self):
        """A refund is a credit of the terminal, referenced and bounded on our side."""
        operation, _snapshot = self.pay(10)
        lines = self.make_order(operation).lines.ids
        refund, _snapshot = self.pay(-4, refunded_line_ids=lines)
        self.assertEqual((refund.state, refund.original_id), ("approved", operation))
        self.assertEqual([charge.amount for charge in self.terminal.credits], [400])

    def test_check(self):
        """A check shows its line and the guarantee's answer."""
        self.ap.sudo().write({"caisse_ap_mode": "check"})
        self.terminal.script("cheque", delay=0)
        operation, _snapshot = self.pay()
        self.assertEqual(operation.state, "approved")
        self.assertTrue(operation.cheque_cmc7)
        self.assertTrue(operation.cheque_guarantee)

    # ------------------------------------------------------------------
    # Terminal and settings
    # ------------------------------------------------------------------

    def test_test_button(self):
        """Reachable: protocol and latency; off: why not. No money either way."""
        told = self.ap.action_caisse_ap_test()["params"]
        self.assertEqual(told["type"], "success", told["message"])
        self.assertIn("0301", told["message"])
        self.terminal.unplug()
        told = self.ap.action_caisse_ap_test()["params"]
        self.assertEqual(told["type"], "danger")
        self.terminal.plug()
        self.assertFalse(self.terminal.debits)

    def test_addresses(self):
        """No port in the name, no local address without an administrator, digits where digits belong."""
        values = {
            "caisse_ap_host": ("", "10.0.0.1:8888", "http://tpe", "a b", "-x"),
            "caisse_ap_port": (0, 70000),
            "caisse_ap_version": ("3.0", ""),
            "caisse_ap_identifier": ("123",),
            "caisse_ap_seconds": (0, 3600),
        }
        method = self.make_caisse_ap("Later", 1)
        for name, wrong in values.items():
            for value in wrong:
                with self.subTest(name=name, value=value), self.assertRaises(ValidationError):
                    method.write({name: value})
        for host in ("127.0.0.1", "localhost", "169.254.1.1", "::1"):
            with self.subTest(host=host), self.assertRaises(ValidationError):
                method.write({"caisse_ap_allow_local": False, "caisse_ap_host": host})
        for host in ("10.0.0.1", "tpe.shop.local", "fd00::5"):
            method.write({"caisse_ap_allow_local": False, "caisse_ap_host": host})
