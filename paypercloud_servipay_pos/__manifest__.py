{
    "name": "PayperCloud / Servipay - Point of Sale",
    "summary": "Card terminals at the point of sale, the PayperCloud terminal first: no answer is lost",
    "version": "1.0.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "Servipay payment suite developers",
    "development_status": "Beta",
    "depends": ["paypercloud_servipay", "point_of_sale"],
    "data": [
        "security/ir.model.access.csv",
        "security/servipay_groups.xml",
        "data/ir_asset.xml",
        "data/ir_cron.xml",
        "views/pos_payment_method_views.xml",
        "views/pos_config_views.xml",
        "views/pos_session_views.xml",
        "views/pos_order_views.xml",
        "views/servipay_operation_views.xml",
    ],
    "assets": {
        "point_of_sale._assets_pos": [
            "paypercloud_servipay_pos/static/src/**/*",
            ("remove", "paypercloud_servipay_pos/static/src/compat/*.0/**/*"),
        ],
    },
    "uninstall_hook": "uninstall_hook",
}
