from datetime import timedelta

from odoo import api, fields, models

from .own_transaction import purge

ORPHANS_PER_HOUR = 100  # of one provider that are stored one by one; further ones are counted in one row
ORPHAN_DAYS = 90
PURGE_BATCH = 1000  # rows
PURGE_BATCHES = 50  # per run of the vacuum


class ServipayNotification(models.Model):
    """Signed messages about what Odoo does not know: who can have a text signed must not fill the disk."""

    _inherit = "servipay.notification"

    def init(self):
        """Counting them must not cost what storing them does."""
        result = super().init()
        self.env.cr.execute(
            "CREATE INDEX IF NOT EXISTS servipay_notification_orphans"
            " ON servipay_notification (provider, create_date) WHERE operation_id IS NULL AND verified"
        )
        return result

    @api.model
    def _receive_orphan(self, provider, dedupe_key, at_once=True, **values):
        """Store a verified message about nothing that Odoo knows, as ``_receive`` does, and return its id.

        Beyond ``ORPHANS_PER_HOUR`` one row of that hour stands for all, and counts them as copies of itself.
        """
        now = fields.Datetime.now()
        domain = [
            *(("provider", "=", provider), ("operation_id", "=", False), ("verified", "=", True)),
            ("create_date", ">", now - timedelta(hours=1)),
        ]
        if self.search_count(domain, limit=ORPHANS_PER_HOUR) >= ORPHANS_PER_HOUR:
            dedupe_key = f"orphans:{now:%Y-%m-%d %H}"
        return self._receive(provider, dedupe_key, True, at_once, **values)

    @api.autovacuum
    def _gc_servipay_orphans(self):
        """Delete old messages about nothing that Odoo knows, in bounded batches."""
        return purge(self.env, _purge_batch, PURGE_BATCH, PURGE_BATCHES)


def _purge_batch(env):
    """Delete one batch and return its size."""
    env.cr.execute(
        """
        DELETE FROM servipay_notification WHERE id IN (
            SELECT id FROM servipay_notification
             WHERE operation_id IS NULL AND verified AND state IN ('processed', 'duplicate')
               AND create_date < now() AT TIME ZONE 'UTC' - %s * interval '1 day'
             LIMIT %s)
        """,
        [ORPHAN_DAYS, PURGE_BATCH],
    )
    return env.cr.rowcount
