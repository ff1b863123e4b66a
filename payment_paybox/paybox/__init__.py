"""The protocol room of Paybox System (hosted page, return, notification) and Paybox Direct (PPPS).

Values in, values out: no Odoo, no socket, no clock, no translation. Every public function answers with a
value or raises `errors.ProtocolError`, and nothing else, whatever the platform or a forger sends.
"""
