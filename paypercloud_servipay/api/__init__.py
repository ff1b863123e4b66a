"""The protocol room: bytes and values in, bytes and values out.

No Odoo, no socket, no clock, no translation. Every public function, given JSON-like data or bytes,
answers with a value or raises `errors.ProtocolError`, and nothing else.
"""
