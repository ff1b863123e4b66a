{
    "name": "Payment: Paybox",
    "summary": "Online card payment of invoices through Paybox (Verifone) and Up2Pay e-Transactions",
    "version": "1.0.0",
    "category": "Accounting/Payment Providers",
    "license": "LGPL-3",
    "author": "Servipay payment suite developers",
    "development_status": "Beta",
    "depends": ["paypercloud_servipay", "account_payment"],
    "data": [],
}
