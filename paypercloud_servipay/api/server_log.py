"""The server's own log names the address of every request. What some addresses carry behind the "?" is a
provider's whole message, or a secret: it is left out there. A card number is hidden in any address."""

import logging
import re

from .card_numbers import HIDDEN, mask_pan

LONGEST = 64 * 1024  # characters of one record's text; a server takes no address of that length
# of the HTTP servers: worker or thread, evented process
LOGGERS = ("werkzeug", "longpolling")


class QueryFilter(logging.Filter):
    """Hides what follows the "?" of chosen paths, in a record's text and in its arguments."""

    def __init__(self):
        super().__init__()
        self._paths, self._pattern = set(), None

    def add(self, paths):
        """Choose more paths (text, "/" first)."""
        self._paths |= set(paths)
        longest_first = sorted(map(re.escape, self._paths), key=len, reverse=True)
        self._pattern = re.compile(rf"({'|'.join(longest_first)})(/?\?).*?(?= HTTP/\d|$)", re.S)

    def filter(self, record):
        """Change the record; always True."""
        record.msg = self._hide(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(map(self._hide, record.args))
        return True

    def _hide(self, value):
        if not isinstance(value, str):
            return value
        if self._pattern and "?" in value:
            value = self._pattern.sub(rf"\1\2{HIDDEN}", value)
        return mask_pan(value[:LONGEST])


_filter = QueryFilter()


def hide_query(*paths):
    """Have the server log name these paths without what follows their "?"."""
    _filter.add(paths)
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_filter)  # once, however often it is added
