from odoo import api, fields, models

from ..compat import SERIES


class ServipayOperationTotal(models.Model):
    _name = "servipay.operation.total"
    _inherit = "servipay.export"
    _description = "Total of a terminal reconciliation"
    _order = "id"

    operation_id = fields.Many2one("servipay.operation", required=True, index=True, ondelete="cascade")
    company_id = fields.Many2one(related="operation_id.company_id", store=True)
    kind = fields.Char(readonly=True)
    card_brand = fields.Char(readonly=True)
    currency_id = fields.Many2one("res.currency", readonly=True)
    count = fields.Integer(readonly=True)
    count_known = fields.Boolean(readonly=True, default=True)
    amount = fields.Monetary(readonly=True)
    amount_known = fields.Boolean(
        readonly=True,
        default=True,
        help="Not set when the provider's figure could not be read: it is not zero.",
    )

    if SERIES >= 19:
        _count_not_negative = models.Constraint("CHECK (count >= 0)", "A count cannot be negative.")
    else:
        _sql_constraints = [("count_not_negative", "CHECK (count >= 0)", "A count cannot be negative.")]

    @api.model
    def _keep(self, operation, totals):
        """Store the totals of a reconciliation.

        :param totals: list of dicts type, brand, currency (alpha-3), count, amount (Decimal, major units)
        """
        names = {total.get("currency") for total in totals}
        currencies = (
            self.env["res.currency"].with_context(active_test=False).search([("name", "in", list(names))])
        )
        ids = {currency.name: currency.id for currency in currencies}
        self.create(
            [
                {
                    "operation_id": operation.id,
                    "kind": total.get("type"),
                    "card_brand": total.get("brand"),
                    "currency_id": ids.get(total.get("currency"), operation.currency_id.id),
                    "count": total.get("count") or 0,
                    "count_known": total.get("count") is not None,
                    "amount_known": total.get("amount") is not None,
                    # suite-check: ok a Monetary field takes a float and rounds it to the currency
                    "amount": float(total.get("amount") or 0),
                }
                for total in totals
            ]
        )
