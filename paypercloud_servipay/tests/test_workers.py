"""Threads are bounded, what is urgent goes first, and one answer serves all who asked for it meanwhile."""

import threading
import time

from odoo.tests import tagged
from odoo.tests.common import BaseCase
from odoo.tools import mute_logger

from ..models import workers
from ..models.workers import NEWS, SEND, STEP, SharedAnswers, Workers


@tagged("post_install", "-at_install", "paypercloud_servipay")
class TestWorkers(BaseCase):
    def setUp(self):
        super().setUp()
        self.hold, self.done = threading.Event(), []
        self.addCleanup(self.hold.set)

    def wait_for(self, condition):
        end = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not happen")
            time.sleep(0.01)

    def threads(self, name):
        return [thread for thread in threading.enumerate() if thread.name == name]

    def test_bounded_and_everything_is_done(self):
        pool = Workers(4, "bounded")
        most = []

        def work(number):
            most.append(len(self.threads("bounded")))
            self.hold.wait(20)
            self.done.append(number)

        for number in range(50):
            pool.submit(lambda number=number: work(number))
        self.wait_for(lambda: len(most) == 4)
        self.assertFalse(self.done)
        self.hold.set()
        self.wait_for(lambda: len(self.done) == 50)
        self.assertEqual((max(most), sorted(self.done)), (4, list(range(50))))

    def test_most_urgent_first_then_by_arrival(self):
        pool = Workers(1, "urgent")
        pool.submit(lambda: self.hold.wait(20))
        self.wait_for(lambda: self.threads("urgent"))
        for name, urgency in (("news", NEWS), ("step", STEP), ("late news", NEWS), ("send", SEND)):
            pool.submit(lambda name=name: self.done.append(name), urgency)
        self.hold.set()
        self.wait_for(lambda: len(self.done) == 4)
        self.assertEqual(self.done, ["send", "step", "news", "late news"])

    def test_what_waits_for_a_time_holds_no_thread(self):
        pool = Workers(1, "later")
        began = time.monotonic()
        for after in (0.4, 0.2):
            pool.submit(lambda after=after: self.done.append((after, time.monotonic() - began)), STEP, after)
        pool.submit(lambda: self.done.append((0, 0)))
        self.wait_for(lambda: len(self.done) == 3)
        self.assertEqual([after for after, _real in self.done], [0, 0.2, 0.4])
        self.assertFalse([after for after, real in self.done if real < after])

    def test_what_breaks_stops_nothing(self):
        pool = Workers(1, "broken")
        with mute_logger(workers.__name__):
            pool.submit(lambda: 1 / 0)
            pool.submit(lambda: self.done.append(1))
            self.wait_for(lambda: self.done)

    def test_threads_end_when_it_is_quiet(self):
        self.patch(workers, "IDLE_SECONDS", 0.1)
        pool = Workers(4, "quiet")
        for _round in range(2):
            pool.submit(lambda: self.done.append(1))
            self.wait_for(lambda: not self.threads("quiet"))
        self.assertEqual(len(self.done), 2)

    def test_one_question_at_a_time_and_a_new_one_for_what_came_meanwhile(self):
        shared, asked = SharedAnswers(Workers(8, "shared")), []

        def ask():
            asked.append(len(asked) + 1)
            self.assertTrue(self.hold.wait(20))
            return asked[-1]

        def request(name, key="a"):
            shared.request(key, ask, name, lambda answer: self.done.append((name, answer)))

        request("first")
        self.wait_for(lambda: asked)
        for name in ("second", "third", "second"):
            request(name)
        time.sleep(0.05)
        self.assertEqual(asked, [1])
        self.hold.set()
        self.wait_for(lambda: len(self.done) == 3)
        self.assertEqual(sorted(self.done), [("first", 1), ("second", 2), ("third", 2)])
        request("later")
        self.wait_for(lambda: ("later", 3) in self.done)
