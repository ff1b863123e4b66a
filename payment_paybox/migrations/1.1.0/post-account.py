"""Which merchant account a payment was made with has the same field for all providers now."""


def migrate(cr, version):
    """Keep the accounts: numbers of the platform are unique in each."""
    cr.execute(
        "SELECT 1 FROM information_schema.columns "
        "WHERE table_name = 'servipay_operation' AND column_name = 'paybox_contract'"
    )
    if cr.rowcount:
        cr.execute(
            "UPDATE servipay_operation SET merchant_account = paybox_contract "
            "WHERE paybox_contract IS NOT NULL"
        )
