"""SHASIGN: over what leaves (SHA-IN) and over what comes back (SHA-OUT).

Source: protocols/ogone.md, 2.
"""

import hashlib
import hmac

from . import lists
from .errors import ProtocolError

ALGORITHMS = {"sha1": 40, "sha256": 64, "sha512": 128}  # and the length of their digests in hexadecimal
NAME = "SHASIGN"
MAX_PARAMS = 1000
# the order before May 2010, "main parameters only"
_MAIN = ("ORDERID", "CURRENCY", "AMOUNT", "PM", "ACCEPTANCE", "STATUS", "CARDNO", "PAYID", "NCERROR", "BRAND")


def sign(params, passphrase, algorithm="sha512", direction="in", *, extra_names=(), encoding="utf-8"):
    """SHASIGN of parameters as upper-case hexadecimal (str).

    params       dict, or list of (name, value) pairs, of str; names in any letter case, values as they are
                 sent (not URL-encoded). Empty values and names outside the list take no part.
    passphrase   str
    algorithm    one of ALGORITHMS, any letter case
    direction    "in": what we send; "out": what the platform reports
    extra_names  more names of this account; encoding: "utf-8", or "latin-1" for the pages without _utf8
    ProtocolError codes "algorithm", "direction", "extra_names", "value", "passphrase", "twice".
    """
    name = check_algorithm(algorithm)
    signed = signed_params(params, direction, extra_names)
    if not isinstance(passphrase, str):
        raise ProtocolError("The passphrase is a text.", "passphrase", "passphrase")
    return _digest(signed, sorted(signed, key=lists.sort_key), passphrase, name, encoding)


def verify(params, passphrase, algorithm="sha512", *, extra_names=()):
    """Whether the platform signed parameters with the SHA-OUT passphrase. Never raises.

    params  as in sign, with SHASIGN among them, any letter case of names and digest. False without a
            passphrase, without SHASIGN, and when a signed name stands there twice.
    """
    try:
        signed, received = signed_params(params, "out", extra_names), received_digest(params)
        return bool(matching_encoding(signed, received, passphrase, algorithm))
    except ProtocolError:
        return False


def matching_encoding(signed, received, passphrase, algorithm="sha512", encodings=("utf-8", "latin-1")):
    """The encoding ("utf-8", "latin-1") in which a digest is the one over values; "" when it is in none.

    signed      {upper-case name: str} as of signed_params; received: the digest as of received_digest
    encodings   the ones to try, in this order
    Fails closed: "" without a passphrase, and for anything that is not as described. Never raises.
    """
    try:
        name = check_algorithm(algorithm)
        # the passphrase stands behind each value: without any value, everybody can sign
        if not isinstance(passphrase, str) or not passphrase or not signed:
            return ""
        return next((one for one in encodings if _matches(signed, received, passphrase, name, one)), "")
    except (AttributeError, TypeError, ValueError):
        return ""


def _matches(signed, received, passphrase, algorithm, encoding):
    # the list's order, and then the alphabet's: they differ for SCORING and SCO_CATEGORY only, and nobody
    # has seen which one the platform itself follows
    orders = dict.fromkeys((tuple(sorted(signed, key=lists.sort_key)), tuple(sorted(signed))))
    for order in orders:
        try:
            expected = _digest(signed, order, passphrase, algorithm, encoding)
        except ProtocolError:
            return False  # what cannot be written in this encoding was not signed in it
        if hmac.compare_digest(expected.encode(), received.encode()):
            return True
    return False


def is_old_composition(params, passphrase, algorithm="sha512"):
    """Whether the account signs in the way of before May 2010 ("main parameters only"). Never raises.

    Such a message is not accepted: its values run into each other. This is only to say what has to be
    changed in the back office (Global security parameters).
    """
    try:
        name = check_algorithm(algorithm)
        signed, received = signed_params(params, "out"), received_digest(params)
        values = "".join(signed.get(main, "") for main in _MAIN)
        if not isinstance(passphrase, str) or not passphrase:
            return False
        expected = _hash(values + passphrase, name, "utf-8")
    except ProtocolError:
        return False
    return hmac.compare_digest(expected.encode(), received.encode())


def check_algorithm(algorithm):
    """The name ("sha512") of an algorithm in any letter case; ProtocolError code "algorithm"."""
    name = algorithm.lower() if isinstance(algorithm, str) else ""
    if name not in ALGORITHMS:
        raise ProtocolError(f"The algorithm is one of {', '.join(ALGORITHMS)}.", "algorithm", "algorithm")
    return name


def signed_params(params, direction, extra_names=()):
    """{upper-case name: value} of the parameters that a signature covers; empty values are left out.

    ProtocolError code "twice" when one of these names stands there twice, in whatever letter case: whoever
    reads the other one reads another payment. Codes "value", "direction", "extra_names" as in sign.
    """
    found = {}
    for name, value in _pairs(params):
        if not lists.is_signed(name, direction, extra_names):
            continue
        if name.upper() in found:
            raise ProtocolError("A signed parameter stands there twice.", name.upper(), "twice")
        found[name.upper()] = value
    return {name: value for name, value in found.items() if value}


def received_digest(params):
    """The SHASIGN among parameters, upper case, "" when there is none; codes "value", "twice"."""
    found = [value for name, value in _pairs(params) if name.isascii() and name.upper() == NAME]
    if len(found) > 1:
        raise ProtocolError("The signature stands there twice.", NAME, "twice")
    digest = found[0] if found else ""
    return digest.upper() if digest.isascii() else ""


def _pairs(params):
    try:
        items = params.items() if isinstance(params, dict) else params
        pairs = [(name, value) for name, value in items]
    except (TypeError, ValueError):
        raise ProtocolError("Parameters are names and values.", code="value") from None
    if len(pairs) > MAX_PARAMS or not all(isinstance(part, str) for pair in pairs for part in pair):
        raise ProtocolError("Names and values of parameters are texts.", code="value")
    return pairs


def _digest(values, order, passphrase, algorithm, encoding):
    text = "".join(f"{name}={values[name]}{passphrase}" for name in order)
    return _hash(text, algorithm, encoding)


def _hash(text, algorithm, encoding):
    if encoding not in ("utf-8", "latin-1"):
        raise ProtocolError("The encoding is utf-8 or latin-1.", "encoding", "encoding")
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        raise ProtocolError("A value cannot be written in this encoding.", code="value") from None
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest().upper()
