"""Applies stored notifications soon after they were acknowledged, one after the other, outside any request.

One thread per process, however many messages come at once: a provider that sends two hundred copies costs
one queue, not two hundred threads. Acknowledging comes first: while messages are still coming in, the ones
that are here already wait for a quiet moment. Whatever ends the process, the messages are stored and the
scheduled job applies them.
"""

import queue
import threading
import time

from odoo.modules import module as odoo_module

from ..api.masking import get_logger
from .own_transaction import Detached

_logger = get_logger(__name__)

MOST_WAITING = 1000  # beyond that the scheduled job takes over
IDLE_SECONDS = 30  # a quiet process keeps no thread
QUIET_SECONDS = 0.2  # without a new message: the worker's time belongs to those that wait for their answer
LONGEST_WAIT = 15  # seconds that a message waits for such a moment
_waiting = queue.Queue(MOST_WAITING)
_last_arrival = 0.0
_guard = threading.Lock()
_thread = None


def apply_soon(env, notification_id, apply):
    """Call ``apply(env, notification_id)`` in the background; within a test, here and now.

    :param env: the caller's environment, whose transaction is over before the work begins
    :param apply: function of (environment or ``Detached``, id)
    """
    if odoo_module.current_test:
        apply(env, notification_id)
        return
    global _last_arrival
    _last_arrival = time.monotonic()
    try:
        _waiting.put_nowait((_last_arrival, Detached(env), notification_id, apply))
    except queue.Full:
        _logger.warning("the inbox is busy: notification %s waits for the scheduled job", notification_id)
        return
    _wake()


def _wake():
    global _thread
    with _guard:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_work, name="servipay-inbox", daemon=True)
            _thread.start()


def _work():
    while True:
        try:
            arrived, detached, number, apply = _waiting.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            with _guard:
                if _waiting.empty():
                    global _thread
                    _thread = None
                    return
            continue
        _wait_for_quiet(arrived)
        threading.current_thread().dbname = detached.registry.db_name  # for the server log
        try:
            apply(detached, number)
        except Exception:  # pylint: disable=broad-except
            # the message is stored: the scheduled job tries it again
            _logger.exception("notification %s could not be applied", number)


def _wait_for_quiet(arrived):
    while True:
        now = time.monotonic()
        wait = min(_last_arrival + QUIET_SECONDS, arrived + LONGEST_WAIT) - now
        if wait <= 0:
            return
        time.sleep(wait)
