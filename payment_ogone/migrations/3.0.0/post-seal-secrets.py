from odoo import SUPERUSER_ID, api

COLUMNS = ("ogone_password", "ogone_shakey_in", "ogone_shakey_out")


def migrate(cr, version):
    """Seal what Odoo's own addon kept in readable columns, and empty them."""
    cr.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'payment_provider' "
        "AND column_name = ANY(%s)",
        [list(COLUMNS)],
    )
    env = api.Environment(cr, SUPERUSER_ID, {"active_test": False})
    for (name,) in cr.fetchall():
        seal_column(env, name)


def seal_column(env, name):
    """Move the values of one column into its sealed field."""
    # suite-check: ok the name is one of COLUMNS
    env.cr.execute(f'SELECT id, "{name}" FROM payment_provider WHERE "{name}" IS NOT NULL')  # noqa: S608
    for number, value in env.cr.fetchall():
        env["payment.provider"].browse(number)[f"{name}_sealed"] = env["servipay.secret.box"]._seal(value)
    env.flush_all()
    env.cr.execute(f'UPDATE payment_provider SET "{name}" = NULL')  # noqa: S608
