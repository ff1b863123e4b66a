from odoo import api, models

FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ServipayExport(models.AbstractModel):
    """Exports of what providers wrote: a spreadsheet must show it, not run it.

    Odoo itself takes care of its CSV files, not of its XLSX ones."""

    _name = "servipay.export"
    _description = "Export of texts that came from outside"

    def export_data(self, fields_to_export):
        """Put an apostrophe before a text that a spreadsheet would take for a formula."""
        exported = super().export_data(fields_to_export)
        rows = exported.get("datas", [])
        return {**exported, "datas": [[self._servipay_cell(value) for value in row] for row in rows]}

    @api.model
    def _servipay_cell(self, value):
        return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
