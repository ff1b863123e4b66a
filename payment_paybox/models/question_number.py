"""Numbers of questions to PPPS: unique per day and site, 1 to 2147483647.

By the clock: a counter would begin at 1 in each database, and a contract may have several, or one that was
restored from a backup of the same day."""

import threading
from datetime import datetime
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
PER_SECOND = 24000  # of 86400 seconds: below 2**31
_guard = threading.Lock()
_last = 0


def question_number():
    """Return a number that no other question of the day has: its moment, in steps of 42 microseconds."""
    global _last
    now = datetime.now(PARIS)
    seconds = now.hour * 3600 + now.minute * 60 + now.second + now.microsecond / 1e6
    number = int(seconds * PER_SECOND) + 1
    with _guard:  # two of one process within a step
        _last = _last + 1 if _last - PER_SECOND < number <= _last else number
        return _last
