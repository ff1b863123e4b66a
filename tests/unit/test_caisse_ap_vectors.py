"""Every recorded frame of data/caisse_ap.json: read, written again, asked for by us, concluded from."""

import json
import sys
from pathlib import Path

import pytest

if str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip") not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"))

from caisse_ap import codes, money
from caisse_ap.answer import read
from caisse_ap.conclude import Verdict, conclude
from caisse_ap.errors import ProtocolError
from caisse_ap.frame import Decoder, decode, encode
from caisse_ap.request import Request, build, debit, identification

VECTORS = json.loads((Path(__file__).parent / "data" / "caisse_ap.json").read_text())["vectors"]
BY_ID = {vector["id"]: vector for vector in VECTORS}
REQUESTS = [vector["id"] for vector in VECTORS if vector["direction"] == "till->terminal"]
ANSWERS = [vector["id"] for vector in VECTORS if vector["direction"] == "terminal->till"]
every_vector = pytest.mark.parametrize("name", BY_ID)


def pairs(name):
    return [tuple(pair) for pair in BY_ID[name]["fields"]]


def test_each_vector_is_a_request_or_an_answer():
    assert len(VECTORS) == len(BY_ID) == len(REQUESTS) + len(ANSWERS) == 32


@every_vector
def test_decoder_reads_it(name):
    vector = BY_ID[name]
    decoder = Decoder()
    decoder.receive(vector["raw"].encode("latin-1"))
    assert decoder.fields == pairs(name)
    assert decoder.on_boundary is vector["whole"]
    assert decoder.complete is (vector["whole"] and "AE" in dict(pairs(name)))


@every_vector
def test_written_again_it_is_the_same(name):
    vector = BY_ID[name]
    raw = vector["raw"].encode("latin-1")
    if vector["whole"]:
        assert encode(pairs(name)) == raw
        assert decode(raw) == pairs(name)
    else:
        assert raw.startswith(encode(pairs(name)))
        with pytest.raises(ProtocolError) as caught:
            decode(raw)
        assert caught.value.code == "truncated"


# -- requests

ATTRIBUTES = {
    "CZ": "version",
    "CJ": "identifier",
    "CA": "till",
    "CC": "application",
    "CF": "private",
    "CK": "receipts",
    "BH": "phone",
    "BI": "email",
}
# what others send and we refuse to: attribute, code
REFUSED = {"viva_debit_isv": ("private", "private"), "oca_old_BF": ("extra", "extra_tag")}
# what others send and we send otherwise: fields of theirs, fields of ours
CHANGED = {
    "oca_BUG_debit_0_05": ({("CB", "5")}, {("CB", "05")}),
    "fidecoin_credit_request": ({("CB", "0300")}, {("CB", "300")}),
    "rust_without_cj": (
        {("CB", "000000002500")},
        {("CB", "2500"), ("CJ", "012345678901")},
    ),
}


def asked(name):
    """The Request that says what a recorded request says."""
    fields = dict(pairs(name))
    given = {ATTRIBUTES[tag]: value for tag, value in fields.items() if tag in ATTRIBUTES}
    extra = tuple((tag, value) for tag, value in fields.items() if tag in ("BA", "BF", "TI"))
    return Request(
        codes.ACTIONS[fields["CD"]],
        amount=int(fields["CB"]) if "CB" in fields else None,
        currency=money.currency_alpha(fields["CE"]) if "CE" in fields else "",
        extra=extra,
        **given,
    )


@pytest.mark.parametrize("name", REQUESTS)
def test_build_says_the_same(name):
    if name in REFUSED:
        with pytest.raises(ProtocolError) as caught:
            build(asked(name))
        assert (caught.value.field, caught.value.code) == REFUSED[name]
        return
    theirs, ours = CHANGED.get(name, (set(), set()))
    built = build(asked(name))
    assert built[0][0] == "CZ"
    assert len(set(dict(built))) == len(built)
    assert set(built) == (set(pairs(name)) - theirs) | ours


@pytest.mark.parametrize(
    "name",
    ["hipay_debit_request_min", "payxpert_debit_request", "payxpert_duplicate_request", "python_probe"]
    + ["ident_request_inferred", "node_caisseap_debit", "node_nepting_debit_cf"],
)
def test_build_gives_the_same_bytes(name):
    assert encode(build(asked(name))) == BY_ID[name]["raw"].encode()


# -- answers

EUR = {"currency": "EUR", "currency_number": "978", "till": "01"}
DEBIT = {**EUR, "action": "debit", "action_code": "0"}
EXPECTED = {
    "ingenico_ident_answer": (
        identification(),
        {"version": "0301", "identifier": "330538600404", "action": "identification", "status": "performed"},
        Verdict("approved"),
    ),
    "hipay_debit_success_receipt": (
        debit(12345, "EUR"),
        {
            **DEBIT,
            "status": "performed",
            "amount": 12345,
            "application": "00B",
            "authorization_code": "184117",
            "private": "2023-05-04-010|custom data",
            "contract": "1234567",
            "unknown": (),
            "doubtful": (),
        },
        Verdict("approved"),
    ),
    "hipay_bad_format_answer": (
        debit(12345, "EUR"),
        {**DEBIT, "status": "not_performed", "amount": 12345},
        Verdict("failed", "bad_format"),
    ),
    "fidecoin_debit_success_head": (
        debit(2500, "EUR"),
        {
            **DEBIT,
            "status": "performed",
            "amount": 2500,
            "application": "001",
            "read_mode": "1",
            "aid": "A0000000421010",
        },
        Verdict("approved"),
    ),
    "cheque_cmc7_fields": (
        debit(1000, "EUR", application="00C"),
        {
            **DEBIT,
            "status": "performed",
            "application": "00C",
            "cheque_cmc7": "D0416926D031017807908F011519431044B",
            "cheque_fnci": "0935",
            "cheque_guarantee": "123456",
        },
        Verdict("approved"),
    ),
    "ae11_ack": (
        debit(1000, "EUR"),
        {**DEBIT, "status": "accepted", "amount": 1000, "unknown": ()},
        Verdict("unknown", "accepted"),
    ),
    "completeness_0": (identification(), {"version": "0300", "status": "performed"}, Verdict("approved")),
    "completeness_2": (debit(1, "EUR"), {"status": "unreadable"}, Verdict("unknown", "no_status")),
    "completeness_4": (debit(1, "EUR"), {"status": "unreadable"}, Verdict("unknown", "no_status")),
    "completeness_6": (
        debit(1, "EUR"),
        {"version": "", "status": "unreadable"},
        Verdict("unknown", "no_status"),
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_read_and_concluded_from(name):
    request, expected, verdict = EXPECTED[name]
    answer = read(pairs(name))
    assert {key: getattr(answer, key) for key in expected} == expected
    assert conclude(request, answer) == verdict


def test_receipt_of_the_vendor():
    (receipt,) = read(pairs("hipay_debit_success_receipt")).receipts
    lines = receipt.text.splitlines()
    assert (receipt.kind, receipt.format) == ("customer", "text")
    assert lines[0] == "  CARTE BANCAIRE"
    assert "MasterCard" in lines and "NUM AUTO : 184117" in lines and "         123,45 EUR" in lines
    assert "1234567 39033422500096 30004" in lines, "a SIRET is no card number"
