from odoo import SUPERUSER_ID, api

from odoo.addons.pos_viva_wallet.viva.errors import ProtocolError
from odoo.addons.pos_viva_wallet.viva.webhook import dump, load, parse_webhook

BATCH = 1000  # rows


def migrate(cr, version):
    """Reduce stored messages of Viva.com to what is read of them.

    They held the customer's name, e-mail address and telephone number, and the card's token."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    last = 0
    while True:
        cr.execute(
            "SELECT id, company_id, raw_body FROM servipay_notification"
            " WHERE provider = 'viva' AND raw_body IS NOT NULL AND id > %s ORDER BY id LIMIT %s",
            [last, BATCH],
        )
        rows = cr.fetchall()
        for number, company, text in rows:
            digits = env["res.company"].browse(company).currency_id._servipay_digits() if company else None
            cr.execute(
                "UPDATE servipay_notification SET raw_body = %s WHERE id = %s",
                [reduced(text, digits), number],
            )
        if len(rows) < BATCH:
            return
        last = rows[-1][0]


def reduced(text, digits):
    """Return what is kept of a message (text), None when it cannot be read."""
    for read in (load, lambda body: parse_webhook(body, digits)):
        try:
            return dump(read(text))
        except ProtocolError:
            continue
    return None
