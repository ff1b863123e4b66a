from odoo import _, fields, models


class ServipayAlert(models.Model):
    """What terminals moved and orders record."""

    _inherit = "servipay.alert"

    kind = fields.Selection(
        selection_add=[
            ("no_order", "Moved, in no order"),
            ("not_backed", "Recorded, not taken"),
            ("closing_differs", "Session closed with a difference"),
        ],
        ondelete=dict.fromkeys(("no_order", "not_backed", "closing_differs"), "cascade"),
    )

    def _sentences(self):
        return {
            **super()._sentences(),
            "no_order": _(
                "{amount} were moved on the terminal for “{reference}” ({detail}), and no order records it; "
                "with a minus they were given back. Find the order at the till and finish it, or refund the "
                "payment; what was given back has to be booked by hand. Then press “Dealt with” on the "
                "operation."
            ),
            "not_backed": _(
                "Order “{reference}” records {amount}, but that is not what the terminal moved ({detail}). "
                "The goods may have gone without money. Look at the operation and the order, and take or "
                "book what is missing."
            ),
            "closing_differs": _(
                "Session “{reference}” was closed although terminals and orders differ by {amount}: "
                "{detail}. Its form lists each difference. Find out what became of the money, and book it."
            ),
        }
