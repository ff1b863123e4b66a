"""The platform's public key: the same for Paybox, Up2Pay e-Transactions and pre-production since 2014.

Source: protocols/vectors/paybox.json, keys.paybox_production; protocols/paybox.md, 3.1.
"""

PLATFORM = (
    b"-----BEGIN PUBLIC KEY-----\n"
    b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDe+hkicNP7ROHUssGNtHwiT2Ew\n"
    b"HFrSk/qwrcq8v5metRtTTFPE/nmzSkRnTs3GMpi57rBdxBBJW5W9cpNyGUh0jNXc\n"
    b"VrOSClpD5Ri2hER/GcNrxVRP7RlWOqB1C03q4QYmwjHZ+zlM4OUhCCAtSWflB4wC\n"
    b"Ka1g88CjFwRw/PB9kwIDAQAB\n"
    b"-----END PUBLIC KEY-----\n"
)
