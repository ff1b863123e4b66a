"""SHASIGN both ways against every vector of data/ogone.json, and against whatever hypothesis can forge."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogone import lists, signature
from ogone.errors import ProtocolError
from ogone.signature import sign, verify

DATA = Path(__file__).parent / "data"
VECTORS = json.loads((DATA / "ogone.json").read_text())["vectors"]
LISTS = json.loads((DATA / "ogone_sha_lists.json").read_text())
OUT = [vector for vector in VECTORS if vector["kind"] == "SHA-OUT"]
IN = [vector for vector in VECTORS if vector["kind"].startswith("SHA-IN")]
LEGACY = [vector for vector in VECTORS if "legacy" in vector["kind"]]
KEY = "Mysecretsig1875!?"
PAID = {
    "orderID": "12",
    "amount": "15",
    "currency": "EUR",
    "STATUS": "9",
    "PAYID": "32100123",
    "NCERROR": "0",
}


def by_id(vector):
    return vector["id"]


def test_every_vector_is_here():
    assert len(VECTORS) == 19 == len(OUT) + len(IN) + len(LEGACY) + 1
    assert len(LEGACY) == 3 and len(IN) >= 7


@pytest.mark.parametrize("vector", IN, ids=by_id)
def test_sign_vector(vector):
    made = sign(vector["params"], vector["passphrase"], vector["algorithm"], "in")
    assert made == vector["expected"] == made.upper()


@pytest.mark.parametrize("vector", OUT, ids=by_id)
def test_verify_vector(vector):
    params, key, algorithm = vector["params"], vector["passphrase"], vector["algorithm"]
    assert sign(params, key, algorithm, direction="out") == vector["expected"]
    for name, digest in (("SHASIGN", vector["expected"]), ("shasign", vector["expected"].lower())):
        assert verify({**params, name: digest}, key, algorithm) is True
    assert verify({**params, "SHASIGN": vector["expected"]}, key + "x", algorithm) is False
    others = {"sha1", "sha256", "sha512"} - {algorithm}
    assert not any(verify({**params, "SHASIGN": vector["expected"]}, key, other) for other in others)


def test_composition_vector_is_over_names_that_are_in_no_list():
    (vector,) = [one for one in VECTORS if one["kind"] == "composition"]
    params, key = vector["params"], vector["passphrase"]
    assert sign(params, key, vector["algorithm"], extra_names=("a", "D")) == vector["expected"]
    assert sign(params, key, vector["algorithm"]) == sign({}, key, vector["algorithm"])


@pytest.mark.parametrize("vector", LEGACY, ids=by_id)
def test_old_composition_is_never_accepted_and_is_recognised(vector):
    params = {**vector["params"], "SHASIGN": vector["expected"]}
    key, algorithm = vector["passphrase"], vector["algorithm"]
    assert verify(params, key, algorithm) is False
    assert signature.is_old_composition(params, key, algorithm) is True
    assert signature.is_old_composition(params, key + "x", algorithm) is False
    assert signature.is_old_composition({**params, "STATUS": "9"}, key, algorithm) is False
    assert signature.is_old_composition(params, "", algorithm) is False
    assert signature.is_old_composition(None, key, algorithm) is False
    assert signature.is_old_composition(params, None, algorithm) is False
    for passphrase, digested in (("", ""), (5, "5")):
        digest = signature._hash("9" + digested, algorithm, "utf-8")
        assert not signature.is_old_composition({"STATUS": "9", "SHASIGN": digest}, passphrase, algorithm)


def test_lists_are_the_published_ones():
    assert list(lists.SHA_IN) == LISTS["sha_in_2019"] and len(lists.SHA_IN) == 378
    assert list(lists.SHA_OUT) == LISTS["sha_out_2019"] and len(lists.SHA_OUT) == 65
    assert sorted(lists.SHA_OUT, key=lists.sort_key) == LISTS["sha_out_2019"]
    # what no account of 2015 signed and one of 2019 does is known, and nothing was lost on the way
    assert set(LISTS["sha_out_2015"]) <= set(lists.SHA_OUT)


@pytest.mark.parametrize(
    ("name", "direction", "expected"),
    [
        ("AMOUNT", "in", True),
        ("amount", "out", True),
        ("PSPID", "out", False),
        ("PSWD", "in", True),
        ("ITEMID1", "in", True),
        ("itemid1234", "in", True),
        ("ITEMID12345", "in", False),
        ("ITEMID", "in", False),
        ("ITEMID*XX*", "in", False),
        ("ITEMIDX", "in", False),
        ("LINE_REF6", "in", True),
        ("MPI.TRANSACTIONTYPE", "in", True),
        ("MPIXTRANSACTIONTYPE", "in", False),
        ("PAYIDSUB", "in", False),
        ("PAYIDSUB", "out", True),
        ("OWNERADDRESS2", "in", False),
        ("SHASIGN", "in", False),
        ("SHASIGN", "out", False),
        ("HTML_ANSWER", "out", False),
        ("NCERRORPLUS", "out", False),
        ("STATUS ", "out", False),
        ("STATUS\n", "out", False),
        ("\u017fTATUS", "out", False),  # upper() makes S of it
        ("\uff33TATUS", "out", False),
        ("", "out", False),
        (None, "out", False),
    ],
)
def test_names_that_are_signed(name, direction, expected):
    assert lists.is_signed(name, direction) is expected


def test_more_names():
    assert lists.read_names(" newfield, OTHER*XX*\nA.B;C ") == ("NEWFIELD", "OTHER*XX*", "A.B", "C")
    assert lists.read_names("") == lists.read_names(" ,; ") == ()
    extra = ("newField", "OTHER*XX*")
    assert lists.is_signed("A", "out", ["B"] * 99 + ["A"])
    assert lists.is_signed("NewField", "out", extra) and lists.is_signed("OTHER12", "out", extra)
    assert not lists.is_signed("OTHER", "out", extra) and not lists.is_signed("NEWFIELD", "out")
    signed = sign({**PAID, "newfield": "1"}, KEY, "sha512", "out", extra_names=extra)
    assert verify({**PAID, "newfield": "1", "SHASIGN": signed}, KEY, extra_names=extra)
    assert not verify({**PAID, "newfield": "1", "SHASIGN": signed}, KEY)
    assert not verify({**PAID, "newfield": "2", "SHASIGN": signed}, KEY, extra_names=extra)


@pytest.mark.parametrize(
    "names", [None, 5, "ABC", b"ABC", [None], [""], ["A B"], ["É"], ["SHASIGN"], ["*XX*"], ["A"] * 101]
)
def test_more_names_that_are_none(names):
    with pytest.raises(ProtocolError) as caught:
        lists.is_signed("AMOUNT", "out", names)
    assert caught.value.code == "extra_names"
    assert verify({"SHASIGN": "A" * 128}, KEY, extra_names=names) is False


@pytest.mark.parametrize("text", [None, "A B*", "shasign", "é"])
def test_texts_of_names_that_are_none(text):
    with pytest.raises(ProtocolError):
        lists.read_names(text)


def test_numbers_are_in_natural_order():
    params = {f"ITEMNAME{number}": "x" for number in (10, 2, 1)}
    assert sorted(params, key=lists.sort_key) == ["ITEMNAME1", "ITEMNAME2", "ITEMNAME10"]
    ordered = "".join(f"ITEMNAME{number}=xk" for number in (1, 2, 10))
    assert sign(params, "k", "sha1") == signature._hash(ordered, "sha1", "utf-8")
    with pytest.raises(ProtocolError):
        lists.sort_key(None)


def test_both_orders_of_scoring_are_accepted_and_nothing_else():
    params = {**PAID, "SCO_CATEGORY": "G", "SCORING": "12"}
    head = "".join(f"{name.upper()}={params[name]}{KEY}" for name in sorted(PAID, key=str.upper))
    head, status = head.split("STATUS=")
    listed, ascii_order = "SCO_CATEGORY=G{0}SCORING=12{0}", "SCORING=12{0}SCO_CATEGORY=G{0}"
    for middle in (listed, ascii_order):
        text = head + middle.format(KEY) + "STATUS=" + status
        digest = signature._hash(text, "sha256", "utf-8")
        assert verify({**params, "SHASIGN": digest}, KEY, "sha256")
        assert not verify({**params, "SCORING": "13", "SHASIGN": digest}, KEY, "sha256")
    assert sign(params, KEY, "sha256", "out") == signature._hash(
        head + listed.format(KEY) + "STATUS=" + status, "sha256", "utf-8"
    )


def test_values_are_taken_as_they_are():
    base = sign(PAID, KEY, "sha1", "out")
    assert sign({**PAID, "amount": "15.00"}, KEY, "sha1", "out") != base
    assert sign({**PAID, "amount": " 15"}, KEY, "sha1", "out") != base
    assert sign({**PAID, "currency": "eur"}, KEY, "sha1", "out") != base
    assert sign({**PAID, "BRAND": ""}, KEY, "sha1", "out") == base
    assert sign({**PAID, "VC": "0"}, KEY, "sha1", "out") != base
    assert sign([*PAID.items(), *[("X", "b")] * (1000 - len(PAID))], KEY, "sha1", "out") == base
    assert sign(list(PAID.items())[::-1], KEY, "SHA1", "out") == base


def test_encodings():
    utf8 = sign({"CN": "Zoé"}, KEY, "sha256")
    latin = sign({"CN": "Zoé"}, KEY, "sha256", encoding="latin-1")
    assert utf8 != latin
    for encoding in ("utf-8", "latin-1"):
        signed = sign({"CN": "Zoé", **PAID}, KEY, "sha256", "out", encoding=encoding)
        assert verify({"CN": "Zoé", **PAID, "SHASIGN": signed}, KEY, "sha256")
    for value, encoding in (("\ud800", "utf-8"), ("€", "latin-1"), ("x", "ascii"), ("x", None)):
        with pytest.raises(ProtocolError):
            sign({"CN": value}, KEY, encoding=encoding)


@pytest.mark.parametrize(
    ("params", "passphrase", "algorithm", "direction", "code"),
    [
        (PAID, KEY, "md5", "in", "algorithm"),
        (PAID, KEY, None, "in", "algorithm"),
        (PAID, KEY, "sha512", "up", "direction"),
        (PAID, KEY, "sha512", None, "direction"),
        (PAID, KEY, "sha512", ["in"], "direction"),
        (PAID, None, "sha512", "in", "passphrase"),
        (PAID, b"k", "sha512", "in", "passphrase"),
        ({"AMOUNT": 15}, KEY, "sha512", "in", "value"),
        ({"AMOUNT": None}, KEY, "sha512", "in", "value"),
        ({1: "x"}, KEY, "sha512", "in", "value"),
        (None, KEY, "sha512", "in", "value"),
        ([("AMOUNT",)], KEY, "sha512", "in", "value"),
        ([("X", "b")] * 1001, KEY, "sha512", "in", "value"),
        ({"AMOUNT": "1", "amount": "1"}, KEY, "sha512", "in", "twice"),
        ({"AMOUNT": "1", "amount": ""}, KEY, "sha512", "in", "twice"),
    ],
)
def test_what_cannot_be_signed(params, passphrase, algorithm, direction, code):
    with pytest.raises(ProtocolError) as caught:
        sign(params, passphrase, algorithm, direction)
    assert caught.value.code == code and KEY not in str(caught.value)


SIGNED = {**PAID, "SHASIGN": sign(PAID, KEY, "sha512", "out")}


@pytest.mark.parametrize(
    ("change", "passphrase"),
    [
        ({}, ""),
        ({}, None),
        ({}, KEY.encode()),
        ({"SHASIGN": ""}, KEY),
        ({"SHASIGN": SIGNED["SHASIGN"][:-1]}, KEY),
        ({"SHASIGN": SIGNED["SHASIGN"] + " "}, KEY),
        ({"SHASIGN": "é" * 128}, KEY),
        ({"SHASIGN": "\ud800" * 128}, KEY),
        ({"SHASIGN": None}, KEY),
        ({"shasign": SIGNED["SHASIGN"]}, KEY),
        ({"STATUS": "5"}, KEY),
        ({"status": "9"}, KEY),
        ({"Status": ""}, KEY),
        ({"VC": "\ud800"}, KEY),
    ],
)
def test_fails_closed(change, passphrase):
    assert verify(SIGNED, KEY)
    # upper() makes SHASIGN of it, and it is none
    assert verify({**SIGNED, "\u017fhasign": "x"}, KEY)
    assert verify({**SIGNED, **change}, passphrase) is False


def test_no_passphrase_accepts_nothing_even_when_it_is_signed_with_none():
    signed = sign(PAID, "", "sha512", "out")
    assert verify({**PAID, "SHASIGN": signed}, "") is False
    assert verify({**PAID, "SHASIGN": sign(PAID, "5", "sha512", "out")}, 5) is False
    nothing = sign({}, KEY, "sha512", "out")  # everybody can make this one
    assert verify({"SHASIGN": nothing}, KEY) is False
    assert verify({"SHASIGN": nothing, "VC": "", "shop": "1"}, KEY) is False
    assert verify({}, KEY) is False and verify(None, KEY) is False and verify([], KEY) is False


def test_unsigned_names_may_be_repeated():
    pairs = [*SIGNED.items(), ("shop", "1"), ("SHOP", "2"), ("shop", "3")]
    assert verify(pairs, KEY) and not verify([*pairs, ("Amount", "15")], KEY)


def test_matching_encoding_never_raises():
    signed = signature.signed_params(SIGNED, "out")
    digest = SIGNED["SHASIGN"]
    assert signature.matching_encoding(signed, digest, KEY) == "utf-8"
    assert signature.matching_encoding(signed, digest, KEY, encodings=("latin-1",)) == "latin-1"
    for arguments in ((None, digest, KEY), (signed, None, KEY), (signed, digest, KEY, "md5")):
        assert signature.matching_encoding(*arguments) == ""
    assert signature.matching_encoding(signed, digest, KEY, "sha512", None) == ""
    assert signature.matching_encoding({1: "x", "A": "y"}, digest, KEY) == ""


def test_room_is_importable_alone():
    """What other tools rely on: the addon's folder on the path, no Odoo, nothing else of the suite."""
    folder = Path(signature.__file__).parents[1]
    program = "import sys; from ogone.signature import sign, verify; print('odoo' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


# -- properties

NAMES = st.sampled_from(sorted(lists.SHA_OUT))
VALUES = st.text(st.characters(codec="utf-8"), max_size=30)
PARAMS = st.dictionaries(NAMES, VALUES, max_size=12)
SIGNED_PARAMS = PARAMS.filter(lambda params: any(params.values()))
CASES = st.sampled_from([str.upper, str.lower, str.title, str.swapcase])


@settings(max_examples=200, deadline=None)
@given(SIGNED_PARAMS, st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.randoms(), CASES)
def test_any_order_and_letter_case_verifies(params, passphrase, random, case):
    for algorithm in signature.ALGORITHMS:
        signed = sign(params, passphrase, algorithm, "out")
        pairs = [(case(name), value) for name, value in params.items()]
        pairs.append((case("SHASIGN"), case(signed)))
        random.shuffle(pairs)
        assert verify(pairs, passphrase, algorithm)
        assert not verify(pairs, passphrase + "x", algorithm)


@settings(max_examples=200, deadline=None)
@given(PARAMS.filter(bool), st.data())
def test_a_changed_signed_value_fails(params, data):
    signed = sign(params, KEY, "sha256", "out")
    name = data.draw(st.sampled_from(sorted(params)))
    other = data.draw(VALUES.filter(lambda value: value != params[name]))
    assert not verify({**params, name: other, "SHASIGN": signed}, KEY, "sha256")
    missing = {key: value for key, value in params.items() if key != name}
    still = params[name] == "" and any(params.values())
    assert verify({**missing, "SHASIGN": signed}, KEY, "sha256") is still


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(), lambda inner: st.lists(inner), max_leaves=8
    )
    | st.dictionaries(st.text() | st.integers(), st.text() | st.none())
    | st.lists(st.tuples(st.text(), st.text())),
    st.text() | st.none(),
    st.sampled_from(["sha1", "SHA512", "x", None, 5]),
)
def test_anything_verifies_to_false_and_signs_or_refuses(params, passphrase, algorithm):
    assert verify(params, passphrase, algorithm) is False
    try:
        assert sign(params, passphrase, algorithm).isupper()
    except ProtocolError:
        return
