"""The protocol room of Viva.com's Cloud Terminal API: requests, sessions, webhooks.

Values in, values out: no Odoo, no socket, no clock, no randomness, no translation. Every public function
answers with a value or raises `errors.ProtocolError`, and nothing else, whatever Viva.com or a forger sends.
Not here: the ISV variant of the API (`/ecr/isv/v1`), fast refunds and rebates, device actions, preloaded
payments, and the Payment API of web shops.
"""
