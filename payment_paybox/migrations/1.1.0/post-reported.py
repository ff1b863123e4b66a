"""What a message reported has the same fields for all providers now."""


def migrate(cr, version):
    """Keep the reports that wait for their confirmation."""
    cr.execute(
        "SELECT 1 FROM information_schema.columns "
        "WHERE table_name = 'servipay_operation' AND column_name = 'paybox_reported'"
    )
    if cr.rowcount:
        cr.execute(
            "UPDATE servipay_operation SET reported_ref = paybox_reported, reported_late = paybox_late "
            "WHERE paybox_reported IS NOT NULL"
        )
