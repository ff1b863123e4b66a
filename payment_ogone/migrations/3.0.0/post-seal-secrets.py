from odoo import SUPERUSER_ID, api

COLUMNS = ("ogone_password", "ogone_shakey_in", "ogone_shakey_out")


def migrate(cr, version):
    """Seal what Odoo's own addon kept in readable columns, and empty them."""
    cr.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'payment_provider' "
        "AND column_name = ANY(%s)",
        [list(COLUMNS)],
    )
    if len(cr.fetchall()) < len(COLUMNS):
        return  # never was core's
    names = ", ".join(COLUMNS)
    cr.execute(f"SELECT id, {names} FROM payment_provider WHERE code = 'ogone'")  # noqa: S608
    seal(api.Environment(cr, SUPERUSER_ID, {"active_test": False}), cr.fetchall())
    cr.execute("UPDATE payment_provider SET " + ", ".join(f"{name} = NULL" for name in COLUMNS))  # noqa: S608


def seal(env, rows):
    """Store the values of [(id, *COLUMNS)], all of a provider at once: one that is in use needs both keys."""
    box = env["servipay.secret.box"]
    for number, *values in rows:
        found = {
            f"{name}_sealed": box._seal(value) for name, value in zip(COLUMNS, values, strict=True) if value
        }
        if found:
            found["ogone_confirm"] = "ogone_password_sealed" in found  # without it nothing can be asked
            env["payment.provider"].browse(number).write(found)
    env.flush_all()
