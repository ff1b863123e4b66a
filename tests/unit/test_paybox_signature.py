"""Both signatures against every vector of data/paybox.json, and against whatever hypothesis can forge."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from paybox import keys
from paybox.errors import ProtocolError
from paybox.signature import (
    ALGORITHMS,
    read_key,
    sign_request,
    signed_part,
    split_keys,
    verify_response,
)

DATA = json.loads((Path(__file__).parent / "data" / "paybox.json").read_text())
HMAC = {vector["id"]: vector for vector in DATA["hmac"]}
SIGNED = {vector["id"]: vector for vector in DATA["signatures"]}
PEMS = {name: key["pem"].encode() for name, key in DATA["keys"].items()}
OWN = rsa.generate_private_key(public_exponent=65537, key_size=1024)
OWN_PEM = OWN.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
KEY = DATA["test_hmac_key"]


def signature_of(data, key=OWN):
    """Base64 of the signature that the platform would make over a text, by another implementation."""
    return base64.b64encode(key.sign(data.encode("latin-1"), padding.PKCS1v15(), hashes.SHA1())).decode()


def query(data, signature, name="Sign"):
    return f"{data}&{name}={quote(signature, safe='')}"


def name_of(vector):
    """What a vector's query calls its signature: its last parameter's name."""
    raw = vector.get("raw_query")
    return raw.rpartition("&")[2].partition("=")[0] if raw else "K"


def test_every_vector_is_here():
    assert len(DATA["hmac"]) == len(HMAC) == 12
    assert len(DATA["signatures"]) == len(SIGNED)
    assert sum(not vector["expect_valid"] for vector in SIGNED.values()) >= 3


@pytest.mark.parametrize("name", HMAC)
def test_hmac_vector(name):
    vector = HMAC[name]
    fields = [tuple(pair) for pair in vector["fields"]]
    assert sign_request(fields, vector["key_hex"], vector["algorithm"]) == vector["expected"]


def test_hmac_is_over_the_order_and_passes_itself_over():
    fields = [("PBX_A", "1"), ("PBX_B", "à&="), ("PBX_HMAC", "x")]
    signed = sign_request(fields, KEY)
    assert signed == sign_request(fields[:2], KEY)
    assert signed != sign_request(fields[1::-1], KEY)
    assert sign_request(fields, KEY, "sha512") == signed
    assert len({sign_request(fields, KEY, algorithm) for algorithm in ALGORITHMS}) == len(ALGORITHMS)


@pytest.mark.parametrize("key", ["", "0", "ABC", "0G", " 00", "00\n", None, b"00", "００"])
def test_hmac_key_that_is_none(key):
    with pytest.raises(ProtocolError) as caught:
        read_key(key)
    assert caught.value.code == "key"


@pytest.mark.parametrize(
    ("fields", "algorithm", "code"),
    [
        ([("a", "b")], "MD5", "algorithm"),
        ([("a", "b")], None, "algorithm"),
        ([("a", 1)], "SHA512", "value"),
        ([("a", "\ud800")], "SHA512", "value"),
        (None, "SHA512", "value"),
        ([("a",)], "SHA512", "value"),
    ],
)
def test_hmac_of_what_is_no_form(fields, algorithm, code):
    with pytest.raises(ProtocolError) as caught:
        sign_request(fields, KEY, algorithm)
    assert caught.value.code == code


@pytest.mark.parametrize("name", SIGNED)
def test_signature_vector(name):
    vector = SIGNED[name]
    raw = vector.get("raw_query") or query(vector["signed_data"], vector["signature_b64"], "K")
    key = PEMS[vector["key"]]
    assert verify_response(raw, [key], name_of(vector)) is vector["expect_valid"]
    if vector["expect_valid"]:
        assert signed_part(raw, [key], name_of(vector)) == vector["signed_data"]
        others = [pem for known, pem in PEMS.items() if known != vector["key"]]
        assert not verify_response(raw, others, name_of(vector))
        assert verify_response(raw, [*others, key], name_of(vector))


def test_bundled_key_is_the_platforms():
    assert split_keys(keys.PLATFORM.decode()) == split_keys(PEMS["paybox_production"].decode())


def test_space_plus_and_double_encoding():
    data = "Mt=1&Ref=A%20B&Erreur=00000"
    signed = signature_of(data)
    for text in (signed, signed.replace("+", " "), quote(signed, safe="")):
        assert verify_response(query(data, text), [OWN_PEM], "Sign"), text


def test_only_the_signed_part_is_read():
    data = "Mt=12000&Ref=S1&Erreur=00000"
    raw = query(data, signature_of(data))
    assert signed_part(f"Mt=1&{raw}", [OWN_PEM], "Sign") == data
    assert signed_part(f"{raw}&Mt=1", [OWN_PEM], "Sign") == data
    assert signed_part(f"a=1&b=2&{raw}", [OWN_PEM], "Sign") == data
    assert signed_part(f"a=1&b=2&c=3&{raw}", [OWN_PEM], "Sign") is None
    assert signed_part(f"a=1&{raw}", [OWN_PEM], "Sign", leading=0) is None


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "Sign=",
        "&Sign=",
        "a=1&Sign=",
        "a=1&Sign=%",
        "a=1&Sign=AAAA",
        "a=1&Sign=é",
        "é=1&Sign=AAAA",
        "\u20ac=1&Sign=AAAA",
        "a=1&Sign=\u20ac",
        "a=1&sign=AAAA",
        "a" * 9000 + "&Sign=AAAA",
        None,
        b"a=1&Sign=AAAA",
    ],
)
def test_query_without_a_signature(raw):
    assert verify_response(raw, [OWN_PEM], "Sign") is False
    assert verify_response(raw, [OWN_PEM], "") is False


def test_keys_that_are_none_match_nothing():
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = curve.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    raw = query("a=1", signature_of("a=1", small))
    assert not verify_response(raw, [b"", b"nonsense", pem], "Sign")
    assert not verify_response(raw, [], "Sign")


def test_short_key_is_refused():
    data = (
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFL"
        "fRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ=="
    )
    short = f"-----BEGIN PUBLIC KEY-----\n{data}\n-----END PUBLIC KEY-----"
    with pytest.raises(ProtocolError) as caught:
        split_keys(short)
    assert caught.value.code == "public_key"


def test_several_keys_in_one_text():
    text = f"\n{PEMS['simulator'].decode()}\n\n{OWN_PEM.decode()}"
    assert len(split_keys(text)) == 2
    assert split_keys("  ") == ()
    for bad in (text + "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", None):
        with pytest.raises(ProtocolError):
            split_keys(bad)


GOOD = "Mt=12000&Ref=S00042-1&Auto=XXXXXX&Erreur=00000&Appel=12&Trans=34"
GOOD_RAW = query(GOOD, signature_of(GOOD))
TEXTS = st.text(st.characters(codec="latin-1"), max_size=300)


@settings(max_examples=300, deadline=None)
@given(TEXTS | st.text(max_size=80), TEXTS)
def test_no_text_is_taken_for_a_signed_query(before, after):
    assert verify_response(before, [OWN_PEM], "Sign") is False
    raw = f"{before}&Sign={after}"
    assert verify_response(raw, [OWN_PEM], "Sign") is False


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.characters(codec="latin-1"))
def test_one_changed_character_breaks_it(place, character):
    data = GOOD[:place] + character + GOOD[place + 1 :]
    raw = f"{data}&{GOOD_RAW.rpartition('&')[2]}"
    found = signed_part(raw, [OWN_PEM], "Sign", leading=0)
    assert (found == GOOD) if data == GOOD else (found is None)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 171), st.sampled_from("ABCXYZabcxyz0189+/="))
def test_one_changed_character_of_the_signature_breaks_it(place, character):
    signed = signature_of(GOOD)
    changed = signed[:place] + character + signed[place + 1 :]
    good = base64.b64decode(signed)
    try:
        same = base64.b64decode(changed, validate=True) == good
    except ValueError:
        same = False
    assert verify_response(query(GOOD, changed), [OWN_PEM], "Sign") is same


@settings(max_examples=100, deadline=None)
@given(TEXTS.filter(lambda text: "&" not in text and text))
def test_whatever_is_signed_is_accepted(data):
    raw = query(data, signature_of(data))
    assert signed_part(raw, [OWN_PEM], "Sign") == data


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=128, max_size=128))
def test_random_signatures_of_the_right_length(signature):
    raw = query(GOOD, base64.b64encode(signature).decode())
    assert verify_response(raw, [OWN_PEM], "Sign") is (base64.b64decode(signature_of(GOOD)) == signature)
