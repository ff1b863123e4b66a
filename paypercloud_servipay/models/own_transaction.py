"""A transaction of its own: the one place where this suite commits.

Odoo runs a request up to five times when its transaction collides with another one, and throws away what it
wrote when it fails. What must not be repeated or forgotten (an operation, a log row, an answer) is therefore
written in a short transaction of its own, which commits before anything leaves the server and again as soon
as an answer is there."""

import random
import time

import psycopg2
from psycopg2 import errorcodes
from psycopg2.pool import PoolError

from odoo import api
from odoo.modules import module as odoo_module

from ..api.masking import get_logger
from .mail_queue import LATER
from .turns import DIALOGUE, turns

_logger = get_logger(__name__)

TRIES = 6
# A caller that has changed the same row in its own, still open transaction would wait for itself for ever.
LOCK_TIMEOUT = "10s"
POOL_SECONDS = 20  # that a full pool is waited for: nothing was done yet, and requests end soon
_RETRY = {errorcodes.SERIALIZATION_FAILURE, errorcodes.DEADLOCK_DETECTED, errorcodes.UNIQUE_VIOLATION}


def in_own_transaction(env, work, urgency=DIALOGUE):
    """Run ``work(env2)`` as superuser in a transaction of its own, commit it and return what it returned.

    ``work`` only touches the database, as it is run again when the transaction collides with another one: no
    request, no e-mail, no sleep in it. It returns plain values or ids, never records, because their cursor is
    closed afterwards. The caller's own transaction does not see what was written until it ends (REPEATABLE
    READ), and must not hold a lock on the rows that ``work`` changes.

    :param urgency: of ``turns``, for when many want to at once
    """
    for attempt in range(1, TRIES + 1):
        try:
            with turns.turn(urgency):
                result = _once(env, work)
            break
        except psycopg2.Error as error:
            if error.pgcode not in _RETRY or attempt == TRIES:
                raise
            _logger.info("transaction of its own collided (%s), try %s", error.pgcode, attempt + 1)
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  (jitter)
    # in tests both cursors share one connection, and an integrator may read on in the same request
    env.invalidate_all()
    return result


def _once(env, work):
    committed = []
    try:
        with _connected(env) as cr:
            cr.postcommit.add(lambda: committed.append(True))  # the first of the hooks: the commit is made
            cr.execute("SET LOCAL lock_timeout = %s", [LOCK_TIMEOUT])
            # held until the commit: 17.0 and 18.0 forget what is not flushed with the last environment
            own = env(cr=cr, su=True)
            # no e-mail is sent on the way out, while others wait for this turn
            own = own(context={**own.context, **LATER})
            result = work(own)
            own.flush_all()
    except Exception:
        if not committed:
            raise
        # done is done: to do it again, or to call it failed, because a notification of it could not be sent
        # would be the mistake
        _logger.exception("a transaction of its own was committed, but what follows a commit failed")
    return result


def _connected(env):
    """Return a cursor; a pool that is full is waited for, as nothing was done yet."""
    end = time.monotonic() + POOL_SECONDS
    while True:
        try:
            return env.registry.cursor()
        except PoolError:
            if time.monotonic() > end:
                raise
            time.sleep(random.uniform(0.05, 0.2))  # noqa: S311  (jitter)


def give_back_connection(env):
    """End the caller's transaction, which has changed nothing, and give its connection back to the pool.

    For a request that may have to wait for its turn: fifty that wait with a connection each would leave none
    for the answers. Nothing can be read with ``env`` afterwards, so go on with a ``Detached``, and say
    ``save_session=False`` on the route, as a session is saved with the help of the database. Within a test,
    where all share one connection, it stays open."""
    if odoo_module.current_test:
        env.invalidate_all()  # the test reads on in this environment what is written next
    else:
        env.cr.close()


def purge(env, batch, size, most):
    """Delete old rows in bounded batches, each in a transaction of its own; what ``@api.autovacuum`` returns.

    :param batch: function of an environment that deletes at most ``size`` rows and returns how many
    :param most: batches of one run; 19.0 comes back at once while something remains, the others tomorrow
    """
    removed = 0
    for _batch in range(most):
        count = in_own_transaction(env, batch)
        removed += count
        if count < size:
            break
    return removed, size if removed == size * most else 0


def after_commit(env, work):
    """Call ``work(env2)`` once the caller's transaction is committed, never when it is rolled back.

    For what must not happen before the records that ask for it are there for good. ``env2`` is a
    ``Detached``; within a test, which never commits, it is the caller's environment, here and now. What
    ``work`` raises is logged: the request that asked has succeeded."""
    if odoo_module.current_test:
        env.flush_all()
        work(env)
        return
    detached = Detached(env)

    def run():
        try:
            work(detached)
        except Exception:  # pylint: disable=broad-except
            # what was to be done is in the database, and the scheduled jobs look there
            _logger.exception("what was to follow a commit broke off")

    env.cr.postcommit.add(run)


class Detached:
    """What is left of an environment when its request is over: enough for ``in_own_transaction``.

    A dialogue that lasts for minutes gets this instead of an environment, so that it cannot hold a cursor.
    """

    def __init__(self, env):
        self.registry, self.uid, self.context = env.registry, env.uid, dict(env.context)

    def __call__(self, cr, su=False):
        """Return an environment on a cursor, as ``env(cr=cr, su=su)`` does."""
        return api.Environment(cr, self.uid, self.context, su)

    def invalidate_all(self):
        """Nothing is cached here."""
