{
    "name": "POS: Caisse-AP terminals over IP",
    "summary": "Payment terminals that speak Caisse-AP (Concert V3) over a raw TCP socket, as in France",
    "version": "1.0.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "Servipay payment suite developers",
    "development_status": "Beta",
    "depends": ["paypercloud_servipay_pos"],
    "data": [
        "views/pos_payment_method_views.xml",
        "views/res_config_settings_views.xml",
        "views/servipay_operation_views.xml",
    ],
    "uninstall_hook": "uninstall_hook",
}
