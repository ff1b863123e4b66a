{
    "name": "POS: Viva.com terminals",
    "summary": "Payment terminals of Viva.com (Viva Wallet) by its Cloud Terminal API, with webhooks",
    "version": "3.0.0",
    "category": "Sales/Point of Sale",
    "license": "LGPL-3",
    "author": "Servipay payment suite developers",
    "development_status": "Beta",
    "depends": ["paypercloud_servipay_pos"],
    "data": [],
}
