"""Whether Viva.com itself knows of a reversal that a message reports: no message is signed.

Source: protocols/viva.md, 1.9 (lookup), 2.2 and 2.3.
"""

from . import answer, money, paths
from .errors import ProtocolError
from .hosts import Call
from .text import identifier
from .webhook import Event

# answers that will not become another one by asking again: no such transaction, or no right to see it
_CERTAIN = frozenset({400, 401, 403, 404})


def read_transaction(event):
    """The Call that reads the transaction of an Event; ProtocolError code "path" when it states none."""
    return Call("GET", "www", paths.payment(event.transaction), "merchant")


def confirm(event, parent, http_status, headers, body):
    """Whether an answer to `read_transaction` bears an Event about a reversal out.

    parent  Viva.com's id (str) of the payment
    True: Viva.com gave back that amount of that payment. False: it does not say so. None: it did not answer.
    ProtocolError code "type" for no Event; nothing that is answered raises.
    """
    if not isinstance(event, Event):
        raise ProtocolError("This is no Event.", "event", "type")
    found = answer.read(http_status, headers, body)
    if found.status in _CERTAIN:
        return False
    rows = found.document.get("Transactions") if isinstance(found.document, dict) else None
    if found.status != 200 or not isinstance(rows, list):
        return None
    return any(_bears_out(event, parent, row) for row in rows if isinstance(row, dict))


def _bears_out(event, parent, row):
    told = {name: identifier(row.get(name)).lower() for name in ("TransactionId", "ParentId")}
    currency = money.read_currency(row.get("CurrencyCode"))
    amount = money.minor_of_major(row.get("Amount"), money.digits(currency)) if currency else None
    return (
        bool(parent)
        and told == {"TransactionId": event.transaction.lower(), "ParentId": parent.lower()}
        and row.get("StatusId") == "F"
        and currency == event.currency
        and None not in (amount, event.amount)
        and abs(amount) == abs(event.amount)
    )
