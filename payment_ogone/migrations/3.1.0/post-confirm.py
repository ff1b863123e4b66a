"""What is reported is confirmed by DirectLink, where an account can ask it."""


def migrate(cr, version):
    """Let an account without the password of its API user go on as before."""
    cr.execute(
        "UPDATE payment_provider SET ogone_confirm = false "
        "WHERE code = 'ogone' AND ogone_password_sealed IS NULL"
    )
