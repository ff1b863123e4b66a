import threading
from types import SimpleNamespace

from psycopg2.pool import PoolError

from odoo.sql_db import db_connect
from odoo.tests import TransactionCase, tagged

from ..models import own_transaction
from ..models.own_transaction import Detached, in_own_transaction
from ..models.turns import Turns


class Busy(Detached):
    """An environment whose connection pool is full for the first few times."""

    def __init__(self, env, full):
        super().__init__(env)
        self.left, self.real = full, env.registry
        self.registry = SimpleNamespace(cursor=self.cursor)

    def cursor(self):
        """Return a cursor when the pool has one."""
        self.left -= 1
        if self.left >= 0:
            raise PoolError("The Connection Pool Is Full")
        return self.real.cursor()


@tagged("post_install", "-at_install")
class TestOwnTransaction(TransactionCase):
    def test_full_pool_is_waited_for(self):
        """Nothing was done yet when no connection is to be had: it is asked for again."""
        env = Busy(self.env, full=3)
        self.assertEqual(in_own_transaction(env, lambda own: own.cr.dbname), self.env.cr.dbname)
        self.assertEqual(env.left, -1)

    def test_full_pool_is_not_waited_for_for_ever(self):
        """A pool that stays full is an error in the end."""
        self.patch(own_transaction, "POOL_SECONDS", 0.3)
        with self.assertRaises(PoolError):
            in_own_transaction(Busy(self.env, full=1000), lambda own: None)

    def test_trouble_after_the_commit(self):
        """What is committed is neither done twice nor called failed when a hook after it cannot work."""
        runs = []

        def trouble():
            raise PoolError("The Connection Pool Is Full")

        def work(own):
            runs.append(own.cr)
            own.cr.postcommit.add(trouble)
            return 7

        env = Detached(self.env)
        env.registry = SimpleNamespace(cursor=db_connect(self.env.cr.dbname).cursor)
        with self.assertLogs(own_transaction.__name__, "ERROR"):
            self.assertEqual(in_own_transaction(env, work), 7)
        self.assertEqual(len(runs), 1)

    def test_turns(self):
        """No more than so many are open in a process, and one within another waits for nobody."""
        line, inside, most = Turns(4), 0, 0
        lock, gate = threading.Lock(), threading.Event()

        def hold():
            nonlocal inside, most
            with line.turn(), line.turn():
                with lock:
                    inside += 1
                    most = max(most, inside)
                gate.wait(5)
                with lock:
                    inside -= 1

        threads = [threading.Thread(target=hold) for _ in range(8)]
        for thread in threads:
            thread.start()
        while inside < 4:
            gate.wait(0.01)
        gate.wait(0.1)
        gate.set()
        for thread in threads:
            thread.join()
        self.assertEqual(most, 4)
        with line.turn():
            pass  # all were given back

    def test_what_somebody_waits_for_goes_first(self):
        """By urgency, and among equals by arrival."""
        line, order, gate = Turns(1), [], threading.Event()

        def want(urgency, name):
            with line.turn(urgency):
                order.append(name)

        with line.turn():
            threads = []
            for urgency, name in ((3, "log"), (2, "start"), (2, "second start"), (0, "answer"), (1, "step")):
                threads.append(threading.Thread(target=want, args=(urgency, name)))
                threads[-1].start()
                while len(line._waiting) < len(threads):
                    gate.wait(0.005)
        for thread in threads:
            thread.join()
        self.assertEqual(order, ["answer", "step", "start", "second start", "log"])
