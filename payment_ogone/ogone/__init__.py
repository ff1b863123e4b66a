"""The protocol room of Ogone: hosted page, feedback, DirectLink.

Values in, values out: no Odoo, no socket, no clock, no translation. Every public function answers with a
value or raises `errors.ProtocolError`, and nothing else, whatever the platform or a forger sends.
"""
