"""Random sequences of a shop that is paid through Paybox."""

from contextlib import contextmanager

from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.tests.online_books import OnlineBooks

from .common import PayboxCase

CHOICES = {"refused": "51", "silent": "garbage", "lost": "close_after"}


@tagged("post_install", "-at_install", "payment_paybox")
class TestPayboxBooks(OnlineBooks, PayboxCase):
    def test_books_equal_the_platform_or_a_named_person_was_told(self):
        self.play()

    def reset_platform(self):
        """Begin anew."""
        self.simulator.reset()
        self.simulator.set(notify="never")

    def try_on(self, visit, how):
        """Try on the page."""
        self.simulator.attempt(visit, CHOICES.get(how, how))

    @contextmanager
    def questions(self, fault):
        """Let the next question of PPPS go wrong."""
        self.simulator.set(direct=CHOICES.get(fault))
        yield
        self.simulator.set(direct=None)

    def forge(self, transaction, visit):
        """Have a payment signed that nobody made, by a merchant of the same platform."""
        number = self.simulator.charges[0].transaction if self.simulator.charges else 4711
        amount, reference = visit.fields["PBX_TOTAL"], visit.fields["PBX_CMD"]
        text = f"Mt={amount}&Ref={reference}&Auto=XXXXXX&Erreur=00000&Appel={visit.call}&Trans={number}"
        self.send(self.simulator._signed(visit, text, text))

    def carry_out(self):
        """Let what waited at a bank be paid, and everything be remitted."""
        self.simulator.remit()

    def taken(self, reference):
        """Return what the platform took for a reference (float), what was given back deducted."""
        mine = [
            one for one in self.simulator.charges if one.reference == reference and one.state == "captured"
        ]
        return sum(one.captured - one.refunded for one in mine) / 100
