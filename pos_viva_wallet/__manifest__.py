{
    "name": "POS Viva Wallet",
    "summary": "Payment terminals of Viva.com (Viva Wallet) through its Cloud Terminal API",
    "version": "3.0.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "Servipay payment suite developers",
    "development_status": "Beta",
    "depends": ["paypercloud_servipay_pos"],
    "external_dependencies": {"python": ["pycountry"]},
    "data": [],
    "installable": True,
}
