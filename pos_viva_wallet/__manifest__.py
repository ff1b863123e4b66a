{
    "name": "POS: Viva.com terminals",
    "summary": "Payment terminals of Viva.com (Viva Wallet) by its Cloud Terminal API, with webhooks",
    # above core's own 1.0, so that a database of 17.0 or 18.0 is migrated
    "version": "3.1.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "Servipay payment suite developers",
    "development_status": "Beta",
    "depends": ["paypercloud_servipay_pos"],
    "external_dependencies": {"python": ["pycountry"]},
    "data": [
        "security/ir.model.access.csv",
        "views/viva_wallet_devices_views.xml",
        "views/pos_payment_method_views.xml",
        "views/servipay_operation_views.xml",
        "views/res_config_settings_views.xml",
        "data/ir_cron.xml",
    ],
    "uninstall_hook": "uninstall_hook",
}
