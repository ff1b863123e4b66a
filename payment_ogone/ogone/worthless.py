"""Passphrases that everybody can read: those of the simulator in this repository.

Whoever knows the SHA-OUT passphrase of a merchant can report payments that nobody made.
"""

import hashlib

# SHA-256 in hexadecimal
_KNOWN = frozenset(
    (
        "73d6ac2ef96b9e22c8204ecd06b93929cece2212b306c9550bec3fd7f6ce974c",
        "997764e24cb8cc5d1f3fb0f27e163d20aea1ec25b580c175aecae80833b2db8d",
        "2b0961cc979447a17bedd34b9ac880c151b35ca78a0ae48a9e030d1de96bedca",
    )
)


def is_worthless(passphrase):
    """Whether a passphrase (str) is the simulator's."""
    return hashlib.sha256(passphrase.encode()).hexdigest() in _KNOWN
