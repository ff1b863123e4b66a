from odoo import _, fields, models


class ServipayAlert(models.Model):
    _inherit = "servipay.alert"

    kind = fields.Selection(
        selection_add=[
            ("till_void", "Taken back at a till"),
            ("other_card", "Refunded to another card"),
            ("cash_back", "Card money given out in cash"),
        ],
        ondelete=dict.fromkeys(("till_void", "other_card", "cash_back"), "cascade"),
    )

    def _sentences(self):
        return {
            **super()._sentences(),
            "till_void": _(
                "The payment “{reference}” of {amount} was taken back at a till before its order was "
                "recorded: {detail}. The customer got the money back, or gets it. Check that the goods "
                "stayed in the shop or were paid in another way."
            ),
            "other_card": _(
                "Money of “{reference}” ({amount}) went back to another card than the one that paid: "
                "{detail}. The money was moved. Ask who was at the till whose card it was."
            ),
            "cash_back": _(
                "A card paid {amount} more than order “{reference}” comes to, and the till gave that out in "
                "cash ({detail}). The drawer agrees with the books, so counting it shows nothing. Ask who "
                "was at the till whether the customer got the money; a tip belongs on the order."
            ),
        }
