"""The protocol room of Caisse-AP (Concert V3) over IP: bytes and values in, bytes and values out.

No Odoo, no socket, no clock, no translation. Every public function answers with a value or raises
`errors.ProtocolError`, and nothing else, whatever the terminal says.
"""
