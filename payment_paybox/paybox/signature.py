"""Both signatures: HMAC over the form that leaves, RSA over the query that comes back.

Source: protocols/paybox.md, 2 and 3.1.
"""

import base64
import binascii
import hashlib
import hmac
import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .errors import ProtocolError

ALGORITHMS = ("SHA512", "SHA384", "SHA256", "SHA224")
UNSIGNED = ("PBX_HMAC", "HMAC")  # the signature itself
MAX_QUERY = 8192  # characters; an honest one has some hundred
MIN_KEY_BITS = 1024  # the platform's own key
# SHA-256 of the modulus, in decimal, of each key that the simulator in this repository signs with
WORTHLESS = frozenset(
    (
        "b70a6f2df06dd54c7ebcb3eb573db3998bf602fc74060c8dab41c0ef5c75bf70",
        "9e764c82bb1ea7383bff603bdf3d51a29f77970a186d461758e7568da9829534",
        "8a35e3c184867d59d57c0eb948f5df5ca0595c5b35a60458949ea12169044c39",
    )
)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+", re.ASCII)
# DER of "this is a SHA-1 digest", which PKCS#1 v1.5 puts in front of the digest
_SHA1_PREFIX = bytes.fromhex("3021300906052b0e03021a05000414")


def read_key(key_hex):
    """Bytes of an HMAC key typed as hexadecimal (str); ProtocolError code "key"."""
    if not isinstance(key_hex, str) or not _HEX.fullmatch(key_hex):
        raise ProtocolError(
            "The HMAC key is written in hexadecimal: an even number of 0-9 and A-F.", "key", "key"
        )
    return bytes.fromhex(key_hex)


def sign_request(fields, key_hex, algorithm="SHA512"):
    """HMAC of a form as upper-case hexadecimal (str).

    fields     list of (name, value) pairs of str, in form order; the signature itself is passed over
    key_hex    the merchant's key (str)
    algorithm  one of ALGORITHMS, any letter case
    ProtocolError codes "key", "algorithm", "value". Values are signed as they are, not URL-encoded.
    """
    key = read_key(key_hex)
    name = algorithm.upper() if isinstance(algorithm, str) else ""
    if name not in ALGORITHMS:
        raise ProtocolError(f"The HMAC algorithm is one of {', '.join(ALGORITHMS)}.", "hash", "algorithm")
    message = "&".join(f"{field}={value}" for field, value in _pairs(fields) if field not in UNSIGNED)
    try:
        data = message.encode("utf-8")
    except UnicodeEncodeError:
        raise ProtocolError("A value of the form cannot be written as UTF-8.", code="value") from None
    return hmac.new(key, data, getattr(hashlib, name.lower())).hexdigest().upper()


def _pairs(fields):
    try:
        pairs = [(name, value) for name, value in fields]
    except (TypeError, ValueError):
        raise ProtocolError("The form is a list of (name, value).", code="value") from None
    if not all(isinstance(name, str) and isinstance(value, str) for name, value in pairs):
        raise ProtocolError("Names and values of the form are texts.", code="value")
    return pairs


def verify_response(raw_query, public_keys, signature_name="K"):
    """Whether the platform signed a query string. Never raises.

    raw_query       str, exactly as received, without the "?"
    public_keys     list of PEM bytes; any of them may match, so that the platform may change its key
    signature_name  what PBX_RETOUR calls the letter K
    """
    return signed_part(raw_query, public_keys, signature_name) is not None


def signed_part(raw_query, public_keys, signature_name="K", leading=2):
    """The part of a query string that the platform signed (str), None when it signed none. Never raises.

    Only this part may be read: what stands before or behind it is anybody's. ``leading`` is how many
    parameters of our own may stand in front; the browser's addresses sign them too, the notification does
    not.
    """
    data, signature = _cut(raw_query, signature_name)
    if data is None:
        return None
    for _own in range(leading + 1):
        digest = hashlib.sha1(data.encode("latin-1"), usedforsecurity=False).digest()
        if any(_matches(key, digest, text) for key in public_keys for text in signature):
            return data
        _first, separator, data = data.partition("&")
        if not separator:
            break
    return None


def _cut(raw_query, name):
    """(signed text, tuple of signatures as bytes) of a query, (None, ()) when it cannot be one."""
    if not isinstance(raw_query, str) or not name or len(raw_query) > MAX_QUERY:
        return None, ()
    data, mark, rest = raw_query.rpartition(f"&{name}=")
    try:
        data.encode("latin-1")
        sent = unquote_to_bytes(rest.partition("&")[0].encode("latin-1"))
    except UnicodeEncodeError:
        return None, ()
    # one platform in the wild encodes the signature twice
    signatures = tuple(filter(None, (_unpack(sent), _unpack(unquote_to_bytes(sent)))))
    return (data, signatures) if mark and signatures else (None, ())


def _unpack(text):
    # a space was a plus sign before somebody decoded the query once too often
    try:
        return base64.b64decode(text.replace(b" ", b"+"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _matches(pem, digest, signature):
    """PKCS#1 v1.5 by hand: OpenSSL refuses SHA-1 where a system's policy says so, and it is five lines."""
    numbers = _numbers(pem)
    if numbers is None or len(signature) != numbers[2]:
        return False
    modulus, exponent, size = numbers
    encoded = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
    padding = b"\xff" * (size - len(_SHA1_PREFIX) - len(digest) - 3)
    return encoded == b"\x00\x01" + padding + b"\x00" + _SHA1_PREFIX + digest


@lru_cache(maxsize=64)
def _numbers(pem):
    """(modulus, exponent, size in bytes) of a PEM key, None when it is no usable RSA key."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        return None
    numbers = key.public_numbers()
    return numbers.n, numbers.e, (key.key_size + 7) // 8


def is_worthless(pem):
    """Whether a PEM key (bytes) is one whose private half everybody can read: the simulator's."""
    numbers = _numbers(pem)
    return bool(numbers) and hashlib.sha256(str(numbers[0]).encode()).hexdigest() in WORTHLESS


def split_keys(text):
    """Tuple of PEM bytes in a text that holds any number of public keys; ProtocolError code "public_key"."""
    if not isinstance(text, str):
        raise ProtocolError("The public keys are a text.", "public_keys", "public_key")
    found = re.findall(r"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----", text, re.ASCII)
    keys = tuple(pem.encode("ascii") for pem in found)
    rest = text
    for pem in found:
        rest = rest.replace(pem, "", 1)
    if rest.strip() or not all(_numbers(pem) for pem in keys):
        raise ProtocolError(
            "A public key is an RSA key of 1024 bits or more in PEM form.", "public_keys", "public_key"
        )
    return keys
