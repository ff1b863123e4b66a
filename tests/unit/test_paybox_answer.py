"""What comes back: attempts on the page, and the answers of PPPS."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paybox import answer, codes, direct
from paybox.direct import DirectAnswer, Question, Verdict
from paybox.errors import ProtocolError
from paybox.page import Merchant
from paybox.signature import sign_request

DATA = json.loads((Path(__file__).parent / "data" / "paybox.json").read_text())
SIGNED = {vector["id"]: vector["signed_data"] for vector in DATA["signatures"]}
SAMPLES = {sample["id"]: sample for sample in DATA["ppps_samples"]}
KEY = DATA["test_hmac_key"]
MERCHANT = Merchant("1999888", "32", "110647233", KEY)


# -- the page


@pytest.mark.parametrize(
    ("name", "outcome", "reason", "authorisation"),
    [
        ("sim-ipn-accepted", "accepted", "", "XXXXXX"),
        ("sim-ipn-refused-00151", "refused", "funds", ""),
        ("sim-return-cancelled", "cancelled", "no_connection", ""),
        ("sim-ipn-pending", "pending", "", ""),
        ("sim-ipn-own-params", "accepted", "", "XXXXXX"),
    ],
)
def test_recorded_answers(name, outcome, reason, authorisation):
    found = answer.read(SIGNED[name])
    assert (found.outcome, found.reason, found.authorisation) == (outcome, reason, authorisation)
    assert (found.reference, found.amount) == ("S00042-1", 12000)


def test_all_fields():
    found = answer.read(
        "Mt=12000&Ref=INV/2026/00042%20A&Auto=XX%20&Erreur=00000&Appel=0012&Trans=0034&Carte=VISA&Type=CARTE"
        "&Bin=111122&Fin=44&Exp=2812&Pays=FRA&Garantie=O&Auth3DS=Y"
    )
    assert found.reference == "INV/2026/00042 A" and found.card == "111122********44"
    assert (found.card_type, found.payment_type, found.expiry, found.country) == (
        "VISA",
        "CARTE",
        "2812",
        "FRA",
    )
    assert (found.guarantee, found.three_ds, found.authorisation) == ("O", "Y", "XX")
    assert found.key == "INV/2026/00042 A|0012|34|00000|12000|XX"
    assert replace(found, last_digits="").card == ""


def test_odd_values_raise_nothing():
    found = answer.read("Mt=12,5&Ref=A&Erreur=ZZZZZ&Bin=1111x2&Fin=%C2%B2&Carte=%E9t%E9+%00")
    assert found.amount is None and found.card == "" and found.outcome == "refused"
    assert found.reason == "other" and found.card_type == "été+"
    assert answer.read("Ref=A&Erreur=00001").key == "A|||00001||"


@pytest.mark.parametrize(
    ("error", "transaction", "outcome"),
    [
        ("00000", "1", "accepted"),
        ("99999", "1", "pending"),
        ("00001", "0", "cancelled"),
        ("00001", "", "cancelled"),
        ("00001", "17", "refused"),
        ("00030", "0", "cancelled"),
        ("00117", "17", "cancelled"),
        ("00200", "1", "unclear"),
        ("00151", "1", "refused"),
        ("00015", "0", "refused"),
    ],
)
def test_outcomes(error, transaction, outcome):
    assert answer.read(f"Ref=A&Erreur={error}&Trans={transaction}").outcome == outcome


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Ref=A",
        "Erreur=00000",
        "Ref=A&Ref=B&Erreur=00000",
        "Ref=\u20ac&Erreur=00000",
        "&".join(f"a{number}=1" for number in range(70)),
    ],
)
def test_answers_that_are_none(text):
    with pytest.raises(ProtocolError):
        answer.read(text)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["Ref=A", "Erreur=00000", "Mt=%", "Trans=0", "%00=é"])).map("&".join)
)
def test_reading_gives_an_answer_or_a_protocol_error(text):
    try:
        found = answer.read(text)
    except ProtocolError:
        return
    assert found.outcome in ("accepted", "pending", "unclear", "cancelled", "refused")


def test_code_lists():
    assert codes.bank_reason("00151") == "funds" and codes.bank_reason("00191") == "bank_unreachable"
    assert (
        codes.bank_reason("001ZZ") == "bank"
        and codes.bank_reason("00051") == ""
        and codes.bank_reason(None) == ""
    )
    assert codes.page_reason("00040") == "no_3ds" and codes.page_reason("whatever") == "other"
    assert codes.direct_reason("00105") == "do_not_honour" and codes.direct_reason("00018") == "not_found"
    assert codes.direct_reason("77777") == "other"


@pytest.mark.parametrize("sequence", DATA["ipn_sequences"], ids=lambda sequence: sequence["id"])
def test_sequences_end_accepted_and_no_step_before_is(sequence):
    outcomes = [
        answer.read(f"Ref=A&Erreur={step['E']}&Trans={number}").outcome
        for number, step in enumerate(sequence["steps"], 1)
    ]
    assert outcomes[-1] == "accepted" and "accepted" not in outcomes[:-1]


# -- PPPS


def question(kind="refund", **values):
    given_values = {
        "kind": kind,
        "number": 42,
        "date": "21112026101530",
        "call": "30310733",
        "transaction": "13957441",
    }
    if kind != "inquiry":
        given_values.update(amount=1000, currency="EUR", reference="S00042-1")
    return Question(**{**given_values, **values})


def fields_of(body):
    return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True))


@pytest.mark.parametrize("kind", direct.TYPES)
def test_question_with_hmac(kind):
    body = direct.build(MERCHANT, question(kind))
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    assert pairs[-1] == ("HMAC", sign_request(pairs[:-1], KEY)) and pairs[-2] == ("HASH", "SHA512")
    found = dict(pairs)
    assert (found["TYPE"], found["NUMQUESTION"]) == (direct.TYPES[kind], "0000000042")
    numbers = (found.get("NUMAPPEL"), found.get("NUMTRANS"))
    assert numbers == ((None, None) if kind == "existence" else ("0030310733", "0013957441"))
    assert ("MONTANT" in found) is (kind != "inquiry") and "CLE" not in found


@pytest.mark.parametrize("kind", direct.TYPES)
@pytest.mark.parametrize(("means", "named"), [("PAYPAL", "PAYPAL"), ("VISA", None), ("", None)])
def test_acquirer_is_named_with_every_movement_of_what_is_no_card(kind, means, named):
    found = fields_of(direct.build(MERCHANT, question(kind, means=means)))
    assert found.get("ACQUEREUR") == (named if kind in ("capture", "cancel", "refund") else None)


def test_question_as_recorded():
    recorded = SAMPLES["capture-cle"]["fields"]
    asked = fields_of(
        direct.build(
            Merchant("1234567", "001", "2", ""),
            question("capture", number=13957441, version="00103", reference=recorded["REFERENCE"]),
            "1999888I",
        )
    )
    assert set(recorded) - set(asked) == set()
    same = ("VERSION", "TYPE", "RANG", "DEVISE", "REFERENCE")
    assert {name: asked[name] for name in same} == {name: recorded[name] for name in same}
    assert int(asked["MONTANT"]) == int(recorded["MONTANT"]) and asked["CLE"] == "1999888I"
    assert "HMAC" not in asked
    inquiry = set(fields_of(direct.build(MERCHANT, question("inquiry"), "x")))
    assert {"MONTANT", "DEVISE", "REFERENCE"} & inquiry == set()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"kind": "steal"}, "kind"),
        ({"version": "00099"}, "kind"),
        ({"number": 0}, "number"),
        ({"number": 2147483648}, "number"),
        ({"number": "1"}, "number"),
        ({"date": "2026"}, "date"),
        ({"date": None}, "date"),
        ({"call": ""}, "numbers"),
        ({"call": "0000"}, "numbers"),
        ({"transaction": None}, "numbers"),
        ({"amount": 0}, "amount"),
        ({"amount": None}, "amount"),
        ({"currency": "X"}, "currency"),
        ({"reference": "é"}, "reference"),
    ],
)
def test_questions_that_are_none(values, code):
    with pytest.raises(ProtocolError) as caught:
        direct.build(MERCHANT, question(**values))
    assert caught.value.code == code


@pytest.mark.parametrize("password", ["12345678901", "é", "a b"])
def test_passwords_that_are_none(password):
    with pytest.raises(ProtocolError) as caught:
        direct.build(MERCHANT, question(), password)
    assert caught.value.code == "password" and password not in str(caught.value)


@pytest.mark.parametrize(
    "name", [name for name, sample in SAMPLES.items() if sample["direction"] == "response"]
)
def test_recorded_responses(name):
    found = direct.read(SAMPLES[name]["raw"].encode("latin-1"))
    assert found.code in ("00000", "00015", "00016") and found.text
    if found.code == "00000":
        assert found.text == "Demande traitée avec succès" and found.authorisation == "XXXXXX"


@pytest.mark.parametrize(
    "body",
    [
        None,
        "CODEREPONSE=00000",
        b"",
        b"CODEREPONSE=",
        b"CODEREPONSE=0",
        b"<html>",
        b"CODEREPONSE=00000&CODEREPONSE=00000",
        b"x" * 70000,
    ],
)
def test_responses_that_are_none(body):
    with pytest.raises(ProtocolError):
        direct.read(body)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"CODEREPONSE=00000&" + tail))
def test_reading_a_response_gives_one_or_a_protocol_error(body):
    try:
        direct.read(body)
    except ProtocolError:
        return


def reply(**values):
    base = {
        "code": "00000",
        "number": "0000000042",
        "site": "1999888",
        "rank": "32",
        "transaction": "0013957441",
    }
    return DirectAnswer(**{**base, **values})


@pytest.mark.parametrize(
    ("values", "state", "reason"),
    [
        ({}, "approved", ""),
        ({"rank": "032"}, "approved", ""),
        ({"amount": 1000}, "approved", ""),
        ({"amount": 999}, "unknown", "mismatch"),
        ({"site": "1999887"}, "unknown", "mismatch"),
        ({"site": ""}, "unknown", "mismatch"),
        ({"number": "43"}, "unknown", "mismatch"),
        ({"code": "00015", "site": "", "rank": "", "number": ""}, "declined", "ppps_not_found"),
        ({"code": "00105"}, "declined", "ppps_do_not_honour"),
        ({"code": "00006"}, "declined", "ppps_merchant"),
        ({"code": "00098"}, "unknown", "ppps_platform"),
        ({"code": "00097"}, "unknown", "ppps_no_connection"),
        ({"code": "00005"}, "unknown", "ppps_question"),
        ({"code": "00098", "number": "43"}, "unknown", "mismatch"),
    ],
)
def test_conclusions(values, state, reason):
    verdict = direct.conclude(MERCHANT, question(), reply(**values))
    assert (verdict.state, verdict.reason) == (state, reason)
    assert bool(verdict.mismatches) is (reason == "mismatch")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("Remboursé", "refunded"),
        ("ANNULÉ", "cancelled"),
        ("Autorisé", "authorised"),
        ("Capturé", "captured"),
        ("Crédit", "credited"),
        ("Refusé", "refused"),
        ("CapturÃ©", "captured"),
        ("Captur%C3%A9", "captured"),
        ("Captur&eacute;", "captured"),
        ("CAPTURE ", "captured"),
        ("Télécollecté", "captured"),
        ("TÃ©lÃ©collectÃ©", "captured"),
        ("CrÃ©dit", "credited"),
        ("Non capturé", ""),
        ("Capture refusée", ""),
        ("Autorisation expirée", ""),
        ("Autre", ""),
        ("", ""),
    ],
)
def test_status_words(status, word):
    assert direct.status_of(reply(status=status)) == word


def test_remitted_says_captured_where_no_word_says_otherwise():
    assert direct.status_of(reply(remittance="509625890")) == "captured"
    assert direct.status_of(reply(remittance="509625890", status="?")) == ""
    assert direct.status_of(reply(remittance="0000000000")) == ""


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"call": "0030310733"}, "found"),
        ({"call": "0000000000"}, ""),
        ({"call": "0030310733", "amount": 999}, ""),
        ({"call": "0030310733", "rank": "1"}, ""),
        ({"code": "00018", "transaction": ""}, "none"),
        ({"code": "00018", "site": "1999887"}, ""),
        ({"code": "00015"}, ""),
        ({"code": "00009"}, "unasked"),
        ({"code": "00098"}, ""),
        ({"code": "00006"}, ""),
    ],
)
def test_only_one_answer_says_that_nothing_was_paid(values, what):
    """Everything else, an error or an answer about something else, leaves the page open."""
    assert direct.conclude_existence(MERCHANT, question("existence"), reply(**values)) == what


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({}, "yes"),
        ({"call": "30310733", "transaction": "13957441"}, "yes"),
        ({"transaction": "0013957442"}, "other"),
        ({"call": "0000000000"}, "no"),
        ({"amount": 999}, "no"),
        ({"rank": "1"}, "no"),
        ({"code": "00018", "call": "", "transaction": ""}, "no"),
        ({"code": "00009"}, "unasked"),
        ({"code": "00006"}, "unasked"),
        ({"code": "00098"}, ""),
    ],
)
def test_numbers_of_our_reference_and_amount(values, what):
    """A payment of another amount is none of ours, whoever knows its numbers."""
    numbers = "0030310733", "0013957441"
    answer = reply(**{"call": numbers[0], "transaction": numbers[1], **values})
    assert direct.conclude_numbers(MERCHANT, question("existence"), answer, *numbers) == what


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ("Autorisé", Verdict("approved")),
        ("Capturé", Verdict("approved")),
        ("Refusé", Verdict("declined", "ppps_refused")),
        ("Annulé", Verdict(None, "ppps_cancelled")),
        ("Remboursé", Verdict(None, "ppps_refunded")),
        ("?", Verdict(None, "ppps_no_news")),
    ],
)
def test_inquiry_about_a_payment(status, verdict):
    asked = question("inquiry")
    assert direct.conclude_payment(MERCHANT, asked, reply(status=status)) == verdict
    no_news = Verdict(None, "ppps_no_news")
    not_found = Verdict(None, "ppps_not_found")
    assert direct.conclude_payment(MERCHANT, asked, reply(status=status, code="00018")) == not_found
    assert direct.conclude_payment(MERCHANT, asked, reply(status=status, transaction="7")) == no_news


@pytest.mark.parametrize(
    ("call", "transaction", "can"),
    [
        ("12", "34", True),
        ("", "34", False),
        ("12", "0", False),
        ("12", "none", False),
        ("1" * 11, "34", False),
    ],
)
def test_numbers_that_can_be_asked_about(call, transaction, can):
    found = answer.Answer("R", "00000", call=call, transaction=transaction)
    assert found.can_be_asked_about is can


@pytest.mark.parametrize(
    ("change", "confirmed"),
    [
        ({}, True),
        ({"status": "Autorisé"}, True),
        ({"authorisation": ""}, True),
        ({"authorisation": "654321"}, False),
        ({"code": "00015", "status": ""}, False),
        ({"code": "00006"}, False),
        ({"transaction": "7"}, False),
        ({"site": "7654321"}, False),
        ({"rank": "33"}, False),
        ({"number": "7"}, False),
        ({"status": "Annulé"}, False),
        ({"status": "Remboursé"}, False),
        ({"status": "Refusé"}, False),
        ({"status": ""}, False),
    ],
)
def test_reported_payment_counts_only_when_it_is_ours(change, confirmed):
    """Every other answer leaves it open: it is never called refused, and never booked."""
    said = reply(**{"status": "Capturé", "authorisation": "123456", **change})
    verdict = direct.conclude_reported(MERCHANT, question("inquiry"), said, "123456")
    assert verdict == (Verdict("approved") if confirmed else Verdict(None, "unconfirmed"))


@pytest.mark.parametrize(
    ("kind", "status", "whole", "long_ago", "state"),
    [
        ("refund", "Remboursé", True, False, "approved"),
        ("refund", "Crédit", True, False, "approved"),
        ("refund", "Crédit", False, False, None),
        ("refund", "Remboursé", False, True, None),
        ("refund", "Capturé", True, True, None),
        ("refund", "Capturé", True, False, None),
        ("refund", "Capturé", False, True, None),
        ("refund", "Annulé", True, False, "approved"),
        ("refund", "Refusé", True, True, None),
        ("refund", "Autorisé", True, True, None),
        ("cancel", "Annulé", True, False, "approved"),
        ("cancel", "Autorisé", True, True, "failed"),
        ("capture", "Capturé", True, False, "approved"),
        ("capture", "Autorisé", True, True, "failed"),
        ("capture", "", True, True, None),
    ],
)
def test_inquiry_about_a_movement_in_doubt(kind, status, whole, long_ago, state):
    asked = question("inquiry")
    verdict = direct.conclude_movement(MERCHANT, asked, reply(status=status), kind, whole, long_ago)
    assert verdict.state == state


def test_remittance():
    assert reply(remittance="123456").remitted
    assert not reply(remittance="").remitted and not reply(remittance="000000").remitted


@pytest.mark.parametrize(("code", "state"), [("00014", "declined"), ("00000", "unknown")])
def test_zeros_are_what_was_not_read(code, state):
    """A refusal before anything was read writes its numbers as zeros; a success that does so is none."""
    zeros = DirectAnswer(code=code, number="0000000000", call="0000000000", transaction="0000000000")
    own = replace(zeros, site=MERCHANT.site, rank=MERCHANT.rank)
    assert direct.conclude(MERCHANT, question("refund"), own).state == state
