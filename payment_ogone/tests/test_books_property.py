"""Random sequences of a shop that is paid through Ogone."""

from contextlib import contextmanager, suppress

from odoo.tests import tagged

from odoo.addons.paypercloud_servipay.tests.online_books import OnlineBooks

from .common import OgoneCase
from .simulator import Refused

CHOICES = {"refused": "30511001", "pending": "51"}
FAULTS = {"silent": "server_error", "lost": "drop_after"}


@tagged("post_install", "-at_install", "payment_ogone")
class TestOgoneBooks(OnlineBooks, OgoneCase):
    def test_books_equal_the_platform_or_a_named_person_was_told(self):
        self.play()

    def reset_platform(self):
        """Begin anew."""
        self.simulator.reset()
        self.simulator.set(deliver=False)

    def try_on(self, visit, how):
        """Try on the page."""
        self.simulator.attempt(visit, CHOICES.get(how, how))

    @contextmanager
    def questions(self, fault):
        """Let the next questions of DirectLink go wrong."""
        if fault:
            self.simulator.fault("query", FAULTS[fault], times=5)
            self.simulator.fault("maintenance", FAULTS[fault])
        yield
        self.simulator.faults.clear()

    def forge(self, transaction, visit):
        """Pay on the other side, whose messages are signed with the same passphrase."""
        try:
            page = self.simulator.open(list(visit.order.fields.items()), environment="prod")
        except Refused:
            return
        self.simulator.attempt(page, "ok")
        self.tell()

    def carry_out(self):
        """Let the platform do what is waiting, and report it."""
        before = len(self.simulator.notifications)
        with suppress(ValueError):  # there is nothing
            self.simulator.settle()
        for number in range(before, len(self.simulator.notifications)):
            self.tell(number)

    def taken(self, reference):
        """Return what the platform took for an order (float), what was given back deducted."""
        mine = [
            one for one in self.simulator.orders if one.orderid == reference and one.environment == "test"
        ]
        return sum(one.sums()["captured"] - one.sums()["refunded"] for one in mine) / 100
