"""Who may do what to our models: the expectation that test_rights.py compares the server with.

r read, w write, c create, u unlink. Who is not named may nothing. Rights add up: manager (of the demo) is
POS manager, accounting manager and payments manager."""

READERS = ("payments_user", "accountant", "pos_manager")
CONFIGURATION = {**dict.fromkeys(READERS, "r"), "payments_manager": "rwcu", "manager": "rwcu"}
RECORD = {**dict.fromkeys(READERS, "r"), "payments_manager": "r", "manager": "r"}
DIALOG = {"payments_manager": "rwcu", "manager": "rwcu"}
RIGHTS = {
    "servipay.operation": RECORD,
    "servipay.operation.total": RECORD,
    "servipay.api.log": RECORD,
    "servipay.notification": RECORD,
    "servipay.alert": RECORD,
    "servipay.pin.attempt": {},
    "servipay.terminal": CONFIGURATION,
    "servipay.api.profile": CONFIGURATION,
    "servipay.api.word": CONFIGURATION,
    "servipay.api.endpoint": CONFIGURATION,
    "servipay.api.tester": DIALOG,
    "servipay.operation.refund": DIALOG,
    "servipay.operation.resolve": DIALOG,
    "servipay.profile.import": DIALOG,
    "payment.ogone.recovery": {},
    "viva.wallet.devices": {"pos_manager": "rwcu", "manager": "rwcu"},
    "viva.wallet.device": {"pos_manager": "rwcu", "manager": "rwcu"},
}
TILL = ("cashier", "pos_manager", "manager")
PAYMENTS = ("payments_manager", "manager")
NOBODY = ()
# who reads our fields on Odoo's own models; "*" are those that are not named
FIELDS = {
    "payment.provider": {"*": NOBODY},
    "payment.transaction": {"*": ("accountant", "bookkeeper", "manager")},
    "pos.config": {"*": TILL, "servipay_api_key": NOBODY, "servipay_api_key_sealed": NOBODY},
    "pos.order": {"*": ("manager", "pos_manager")},
    "pos.payment": {"*": TILL},
    "pos.session": {"*": TILL, "servipay_operation_ids": ("manager", "pos_manager")},
    "pos.payment.method": {
        "*": TILL,
        **dict.fromkeys(
            (
                *("caisse_ap_allow_local", "servipay_api_key", "servipay_api_key_sealed"),
                *("viva_wallet_api_key", "viva_wallet_api_key_sealed", "viva_wallet_base_url"),
                *("viva_wallet_client_secret", "viva_wallet_client_secret_sealed"),
                *("viva_wallet_webhook_endpoint", "viva_wallet_webhook_legacy_token"),
                *("viva_wallet_webhook_token", "viva_wallet_webhook_verification_key"),
            ),
            NOBODY,
        ),
    },
    "res.company": {"*": PAYMENTS, "servipay_api_key": NOBODY, "servipay_api_key_sealed": NOBODY},
}
STAFF = ("cashier", "accountant", "manager", "pos_manager", "bookkeeper", "payments_user", "payments_manager")
