from odoo import SUPERUSER_ID, api

SECRETS = ("viva_wallet_api_key", "viva_wallet_client_secret")
# what Odoo's own addon kept besides: a bearer token, and the last answer
OTHERS = ("viva_wallet_bearer_token", "viva_wallet_latest_response")


def migrate(cr, version):
    """Seal what Odoo's own addon kept in readable columns, and empty them."""
    columns = found(cr)
    if not set(SECRETS) <= columns:
        return  # never was core's
    names = ", ".join(SECRETS)
    cr.execute(f"SELECT id, {names} FROM pos_payment_method WHERE use_payment_terminal = 'viva_wallet'")  # noqa: S608
    env = api.Environment(cr, SUPERUSER_ID, {"active_test": False})
    seal(env, cr.fetchall())
    keep_addresses(cr)
    emptied = [name for name in (*SECRETS, *OTHERS) if name in columns]
    cr.execute("UPDATE pos_payment_method SET " + ", ".join(f"{name} = NULL" for name in emptied))  # noqa: S608


def keep_addresses(cr):
    """Let the addresses that merchants have pasted at Viva.com work on: their token was the key."""
    cr.execute(
        "UPDATE pos_payment_method "
        "SET viva_wallet_webhook_legacy_token = viva_wallet_webhook_verification_key "
        "WHERE use_payment_terminal = 'viva_wallet' AND viva_wallet_webhook_verification_key IS NOT NULL"
    )


def found(cr):
    """Return the names of the columns of core's that are there (set of str)."""
    cr.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'pos_payment_method' "
        "AND column_name = ANY(%s)",
        [[*SECRETS, *OTHERS]],
    )
    return {row[0] for row in cr.fetchall()}


def seal(env, rows):
    """Store the secrets of [(id, *SECRETS)], and give each method its address."""
    box, methods = env["servipay.secret.box"], env["pos.payment.method"]
    for number, *values in rows:
        known = {
            f"{name}_sealed": box._seal(value) for name, value in zip(SECRETS, values, strict=True) if value
        }
        methods.browse(number).write(known)
    methods.browse([row[0] for row in rows])._viva_complete_address()
    env.flush_all()
