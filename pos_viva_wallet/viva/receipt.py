"""What of a session an operation keeps and a receipt shows: plain texts, no whole card number.

There is no cardholder's name in a session. Source: protocols/viva.md, 1.5.
"""

from types import MappingProxyType

from . import events
from .errors import ProtocolError
from .session import Session

# panEntryMode, as in ISO 8583; others are shown as they are
ENTRY_MODES = MappingProxyType(
    {
        **{"01": "manual", "02": "magstripe", "90": "magstripe", "05": "contact", "95": "contact"},
        **{"07": "contactless", "91": "contactless"},
    }
)


def values(session):
    """{field: value} of a Session for an operation: texts, "" when not told, and int minor units or None.

    approved_minor, tip_minor, surcharge_minor  None unless the session succeeded; a refund's above zero
    decline_code  the bank's own ("51"), else the eventId; "" after a success
    external_ref  Viva.com's id of the transaction: refunds through the Payment API and receipt pages name it
    ProtocolError code "type" when it is no Session.
    """
    if not isinstance(session, Session):
        raise ProtocolError("This is no Session.", "session", "type")
    return {
        "external_ref": session.transaction,
        "approved_minor": _amount(session, session.amount),
        "tip_minor": _amount(session, session.tip),
        "surcharge_minor": _amount(session, session.surcharge),
        "authorization_code": session.authorization_code,
        "card_brand": session.brand or session.bank.removeprefix("NET_"),
        "card_type": session.card_type,
        "masked_pan": session.masked_pan,
        "entry_mode": ENTRY_MODES.get(session.entry_mode, session.entry_mode),
        "verification": session.verification,
        "rrn": session.rrn,
        "stan": session.stan,
        "aid": session.aid,
        "tid": session.tid,
        "order_code": session.order_code,
        "short_order_code": session.short_order_code,
        "transaction_datetime": session.time,
        **_refusal(session),
    }


def _amount(session, amount):
    return abs(amount) if session.success and amount else None


def _refusal(session):
    if session.success is not False:
        return {"decline_code": "", "decline_message": ""}
    code = events.iso_code(session.transaction_event) or str(session.event or "")
    return {"decline_code": code, "decline_message": session.message}
