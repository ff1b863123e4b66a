{
    "name": "Payment: Ogone",
    "summary": "Online payment of invoices through Ogone (Ingenico ePayments, Worldline's legacy platform)",
    # above core's own 2.0, so that a database of 17.0 is migrated
    "version": "3.0.0",
    "category": "Accounting/Payment Providers",
    "license": "LGPL-3",
    "author": "Servipay payment suite developers",
    "development_status": "Beta",
    "depends": ["paypercloud_servipay", "account_payment"],
    "external_dependencies": {"python": ["lxml"]},
    "data": [
        "security/ir.model.access.csv",
        "wizards/payment_ogone_recovery_views.xml",
        "views/payment_templates.xml",
        "views/payment_provider_views.xml",
        "views/payment_transaction_views.xml",
        "views/servipay_operation_views.xml",
        "data/payment_provider.xml",
        "data/ir_cron.xml",
    ],
    "post_init_hook": "post_init_hook",
    "uninstall_hook": "uninstall_hook",
}
