"""What comes back: only what the platform signed is read, whatever stands beside it."""

import contextlib
import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ogone import feedback, lists, words
from ogone.errors import ProtocolError
from ogone.feedback import Feedback, claimed_order, conclude, read_feedback, why_refused
from ogone.signature import sign
from ogone.verdict import Asked, Verdict, check_asked, compare, judge

VECTORS = json.loads((Path(__file__).parent / "data" / "ogone.json").read_text())["vectors"]
KEY = "Mysecretsig1875!?"
PAID = {
    "orderID": "S00042-1",
    "amount": "120",
    "currency": "EUR",
    "PM": "CreditCard",
    "BRAND": "VISA",
    "CARDNO": "XXXXXXXXXXXX1111",
    "STATUS": "9",
    "PAYID": "32100123",
    "NCERROR": "0",
    "ACCEPTANCE": "test123",
}


def signed(params=PAID, encoding="utf-8", digest_encoding="utf-8", key=KEY, algorithm="sha512", unsigned=()):
    """A query as the platform would send it."""
    digest = sign(params, key, algorithm, "out", encoding=digest_encoding)
    pairs = [*params.items(), ("SHASIGN", digest), *unsigned]
    return "&".join(f"{name}={quote_plus(value, encoding=encoding)}" for name, value in pairs).encode()


@pytest.mark.parametrize(
    "vector", [one for one in VECTORS if one["kind"] == "SHA-OUT"], ids=lambda one: one["id"]
)
def test_vector_as_a_query(vector):
    raw = urlencode({**vector["params"], "SHASIGN": vector["expected"].lower()}).encode()
    found = read_feedback(raw, vector["passphrase"], vector["algorithm"])
    expected = {
        name.upper(): value
        for name, value in vector["params"].items()
        if value and name.upper() in lists.SHA_OUT
    }
    assert dict(found.values) == expected
    assert read_feedback(raw, vector["passphrase"] + "x", vector["algorithm"]) is None
    assert claimed_order(raw) == found.order


@pytest.mark.parametrize(
    "vector", [one for one in VECTORS if "legacy" in one["kind"]], ids=lambda one: one["id"]
)
def test_old_composition_is_refused_with_a_clear_reason(vector):
    raw = urlencode({**vector["params"], "SHASIGN": vector["expected"]}).encode()
    assert read_feedback(raw, vector["passphrase"], vector["algorithm"]) is None
    assert why_refused(raw, vector["passphrase"], vector["algorithm"]) == "old_composition"


def test_all_that_is_read():
    found = read_feedback(signed({**PAID, "ALIAS": "ODOO-1", "PAYIDSUB": "2"}), KEY)
    assert (found.order, found.payid, found.payidsub, found.status) == ("S00042-1", "32100123", "2", "9")
    assert (found.amount, found.currency, found.error) == (Decimal("120"), "EUR", "0")
    assert (found.method, found.brand, found.card_tail) == ("CreditCard", "VISA", "1111")
    assert (found.alias, found.acceptance, found.unreadable) == ("ODOO-1", "test123", False)
    assert found.key == "S00042-1|32100123|2|9|0|120|EUR"
    with pytest.raises(TypeError):
        found.values["STATUS"] = "5"
    with pytest.raises(AttributeError):
        found.status = "5"
    with pytest.raises(AttributeError):
        Verdict("pending").state = "approved"
    with pytest.raises(AttributeError):
        ASKED.amount = Decimal(1)
    assert "1111" in repr(found) and "XXXX" not in repr(found)


def test_minimal_account():
    found = read_feedback(signed({"orderID": "1", "STATUS": "", "PAYID": "3", "NCERROR": ""}), KEY)
    assert (found.order, found.status, found.amount, found.card_tail) == ("1", "", None, "")
    assert found.key == "1|3||||" + "|"


def test_space_plus_percent_and_lower_case_digits():
    params = {**PAID, "CN": "Jo Ann+Smith &=é%"}
    digest = sign(params, KEY, "sha512", "out")
    for text in (quote_plus(params["CN"]), quote(params["CN"])):
        rest = {name: value for name, value in params.items() if name != "CN"}
        raw = f"CN={text}&&" + urlencode({**rest, "shaSIGN": digest.lower()})
        assert read_feedback(raw.encode(), KEY).values["CN"] == params["CN"]


@pytest.mark.parametrize(
    ("sent", "digested"), [("utf-8", "utf-8"), ("latin-1", "latin-1"), ("latin-1", "utf-8")]
)
def test_both_encodings(sent, digested):
    params = {**PAID, "CN": "Zoé Müller"}
    raw = signed(params, sent, digested)
    assert read_feedback(raw, KEY).values["CN"] == "Zoé Müller"
    assert claimed_order(raw) == "S00042-1"
    assert read_feedback(raw.replace(b"STATUS=9", b"STATUS=5"), KEY) is None


def test_unsigned_parameters_are_never_seen_and_break_nothing():
    noise = [
        ("shop", "1"),
        ("SHOP", "2"),
        ("shop", "3"),
        ("HTML_ANSWER", "x"),
        ("NCERRORPLUS", "!"),
        ("", "y"),
    ]
    found = read_feedback(signed(unsigned=noise), KEY)
    assert found == read_feedback(signed(), KEY)
    assert set(found.values) == {name.upper() for name in PAID}


@pytest.mark.parametrize("name", ["amount", "AMOUNT", "Amount", "shasign", "OrderID", "VC"])
def test_a_signed_name_twice_is_refused(name):
    twice = [(name, "1"), (name.swapcase(), "1")] if name == "VC" else [(name, "1")]
    raw = signed(unsigned=twice)
    assert read_feedback(raw, KEY) is None
    assert why_refused(raw, KEY) == "signed_twice"
    assert claimed_order(raw) == ("" if name == "OrderID" else "S00042-1")


def test_an_unsigned_empty_value_changes_nothing():
    found = read_feedback(signed(unsigned=[("VC", "")]), KEY)
    assert found is not None and "VC" not in found.values
    assert read_feedback(signed(unsigned=[("VC", "1")]), KEY) is None


def test_card_numbers_and_nul_do_not_come_out():
    found = read_feedback(
        signed({**PAID, "CARDNO": "4111111111111111", "CN": "A\x00B 4111 1111 1111 1111"}), KEY
    )
    assert found.values["CARDNO"] == "XXXXXXXXXXXX1111" and found.card_tail == "1111"
    assert found.values["CN"] == "AB XXXX XXXX XXXX 1111"


@pytest.mark.parametrize("amount", ["abc", "1,50", "-1", "1e3", " ", "1_0", "١"])
def test_amounts_that_are_none(amount):
    found = read_feedback(signed({**PAID, "amount": amount}), KEY)
    assert found.amount is None and found.unreadable
    verdict = conclude(Asked("purchase", "S00042-1", amount=Decimal(120)), found)
    assert (verdict.state, verdict.reason) == ("unknown", "mismatch")
    assert verdict.mismatches == (("AMOUNT", "120", "?"),)
    assert conclude(Asked("purchase", "S00042-1"), found).mismatches == (("AMOUNT", "", "?"),)
    assert not read_feedback(signed({"orderID": "1"}), KEY).unreadable


@pytest.mark.parametrize(
    ("raw", "passphrase", "extra", "why"),
    [
        (signed(), "", (), "no_passphrase"),
        (signed(), None, (), "no_passphrase"),
        (signed(key="5"), 5, (), "no_passphrase"),
        (urlencode(PAID).encode(), KEY, (), "unsigned"),
        (b"", KEY, (), "unsigned"),
        (signed(algorithm="sha1"), KEY, (), "other_algorithm"),
        (signed(key="other"), KEY, (), "bad_signature"),
        (signed({}), KEY, (), "bad_signature"),
        (signed(), KEY, "AB", "bad_names"),
        (signed(unsigned=[("long", "x" * 17000)]), KEY, (), "unreadable_message"),
        (signed(unsigned=[("a", "b")] * 300), KEY, (), "unreadable_message"),
        (None, KEY, (), "unreadable_message"),
        ("orderID=1", KEY, (), "unreadable_message"),
    ],
)
def test_why_a_message_is_refused(raw, passphrase, extra, why):
    assert read_feedback(raw, passphrase, extra_names=extra) is None
    assert why_refused(raw, passphrase, extra_names=extra) == why
    assert words.sentence(why)


def test_exchanged_passphrases_are_recognised():
    raw = signed(key="sha-in")
    assert why_refused(raw, KEY, other_passphrases=("x", "sha-in")) == "other_passphrase"
    assert why_refused(raw, KEY, other_passphrases=("x",)) == "bad_signature"
    assert why_refused(raw, KEY, other_passphrases=("x",) * 10 + ("sha-in",)) == "bad_signature"
    assert why_refused(raw, KEY, other_passphrases=None) == "bad_signature"
    assert why_refused(signed(), KEY) == "" and why_refused(signed(), KEY, "md5") == "unreadable_message"


def test_limits_are_where_they_are_said_to_be():
    most = signed(unsigned=[("a", "b")] * (feedback.MAX_PARAMS - len(PAID) - 1))
    assert read_feedback(most, KEY) and read_feedback(most + b"&a=b", KEY) is None
    assert (feedback.MAX_BYTES, feedback.MAX_PARAMS) == (16384, 256)
    longest = signed() + b"&a="
    longest += b"x" * (feedback.MAX_BYTES - len(longest))
    assert read_feedback(longest, KEY) and read_feedback(longest + b"x", KEY) is None


def test_claimed_order_claims_little():
    assert claimed_order(b"orderid=A%2F1&x=1") == "A/1"
    assert claimed_order(b"x=1") == claimed_order(None) == claimed_order(b"orderID=1&ORDERID=2") == ""
    assert len(claimed_order(b"orderID=" + b"9" * 500)) == 60
    assert claimed_order(b"orderID=A%00B") == "AB"
    assert claimed_order("orderıd=1".encode()) == ""  # upper() makes ORDERID of it


# -- what it means

ASKED = Asked("purchase", "S00042-1", "32100123", "", Decimal("120.00"), "EUR")


def told(**values):
    base = {"order": "S00042-1", "payid": "32100123", "status": "9", "error": "0"}
    return Feedback(**{**base, "amount": Decimal("120"), "currency": "EUR", **values})


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({}, "approved", ""),
        ({"error": ""}, "approved", ""),
        ({"amount": None, "currency": "", "payid": ""}, "approved", ""),
        ({"status": "95"}, "approved", ""),
        ({"status": "5"}, "pending", "authorised"),
        ({"status": "5", "method": "TWINT"}, "approved", ""),
        ({"status": "5", "method": "twint", "error": "50001111"}, "unknown", "contradiction"),
        ({"status": "91"}, "pending", "processing"),
        ({"status": "46"}, "pending", "identification"),
        ({"status": "92", "error": "20001001"}, "unknown", "uncertain"),
        ({"status": "52"}, "unknown", "authorisation_uncertain"),
        ({"status": "46", "error": "50001087"}, "pending", "identification"),
        ({"status": "2", "error": "30511001"}, "declined", "funds"),
        ({"status": "2"}, "declined", "refused"),
        ({"status": "2", "error": "20001001"}, "unknown", "uncertain"),
        ({"status": "2", "error": "10001001"}, "unknown", "no_connection"),
        ({"status": "1"}, "cancelled", "cancelled"),
        ({"status": "0"}, None, "incomplete"),
        ({"status": "", "error": ""}, None, "no_status"),
        ({"status": "0", "error": "50001111"}, "failed", "data"),
        ({"status": "0", "error": "50001087"}, "declined", "soft_decline"),
        ({"status": "0", "error": "30051001"}, "declined", "refused"),
        ({"status": "0", "error": "50001113"}, "unknown", "already_processed"),
        ({"status": "0", "error": "10001001"}, "unknown", "no_connection"),
        ({"status": "0", "error": "99999999"}, "unknown", "other"),
        ({"status": "9", "error": "30511001"}, "unknown", "contradiction"),
        ({"status": "88", "error": "50001111"}, None, "data"),
        ({"status": "8"}, None, "refunded"),
        ({"status": "77"}, "unknown", "other_status"),
        ({"status": "9x"}, "unknown", "other_status"),
        ({"amount": Decimal("119.99")}, "unknown", "mismatch"),
        ({"currency": "USD"}, "unknown", "mismatch"),
        ({"order": "S00043"}, "unknown", "mismatch"),
        ({"order": ""}, "unknown", "mismatch"),
        ({"payid": "7"}, "unknown", "mismatch"),
        ({"status": "5", "amount": Decimal(1)}, "unknown", "mismatch"),
        ({"status": "2", "payid": "7"}, None, "mismatch"),
        ({"status": "8", "payid": "7"}, None, "mismatch"),
    ],
)
def test_conclusions_about_a_purchase(change, state, reason):
    verdict = conclude(ASKED, told(**change))
    assert (verdict.state, verdict.reason) == (state, reason)
    assert bool(verdict.mismatches) is (reason == "mismatch")
    assert verdict.nothing_booked is (state in ("declined", "cancelled", "failed"))
    if reason:
        assert words.sentence(reason)


def test_processing_may_be_taken_for_paid():
    assert conclude(ASKED, told(status="91"), paid_at_91=True).state == "approved"
    authorisation = Asked("authorisation", "S00042-1")
    assert conclude(authorisation, told(status="91"), paid_at_91=True).state == "pending"
    assert conclude(authorisation, told(status="5")).state == "approved"


def test_part_of_a_payment_may_state_the_whole():
    part = Asked("refund", "S00042-1", "32100123", "", Decimal(20), "EUR", total=Decimal(120))
    assert conclude(part, told(status="8")) == Verdict("approved", "", (), told(status="8"))
    assert conclude(part, told(status="8", amount=Decimal(20))).state == "approved"
    wrong = conclude(part, told(status="8", amount=Decimal(21)))
    assert wrong.mismatches == (("AMOUNT", "20", "21"),) and wrong.state == "unknown"


@pytest.mark.parametrize(
    "asked",
    [
        None,
        Asked("steal"),
        Asked(None),
        Asked(["refund"]),
        Asked("refund", 5),
        Asked("refund", payid=None),
        Asked("refund", amount=1.5),
        Asked("refund", amount=Decimal("NaN")),
        Asked("refund", total=1),
        Asked("refund", currency="euro"),
    ],
)
def test_what_cannot_be_compared(asked):
    for call in (lambda: check_asked(asked), lambda: conclude(asked, told()), lambda: compare(asked, told())):
        with pytest.raises(ProtocolError):
            call()
    with pytest.raises(ProtocolError):
        judge(asked, "9", "0")


def test_only_an_answer_is_concluded_from():
    with pytest.raises(ProtocolError):
        conclude(ASKED, None)
    for answer in (None, told(order=None), told(amount=1.5), told(amount=Decimal("sNaN")), told(currency=[])):
        with pytest.raises(ProtocolError) as caught:
            compare(ASKED, answer)
        assert caught.value.code == "answer"
    assert conclude(Asked("purchase"), told(order="")).state == "approved"


# -- properties


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from([b"orderID=1", b"STATUS=9", b"SHASIGN=" + b"A" * 128, b"%", b"=", b"%ff=%00"])
    ).map(b"&".join)
    | st.none()
    | st.text()
)
def test_any_bytes_give_nothing_and_raise_nothing(raw):
    assert read_feedback(raw, KEY) is None
    assert isinstance(claimed_order(raw), str)
    assert why_refused(raw, KEY) in words.SENTENCES


SIGNED_NAMES = st.sampled_from(sorted(lists.SHA_OUT))
VALUES = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(SIGNED_NAMES, VALUES, max_size=8).filter(lambda params: any(params.values())),
    st.lists(st.tuples(st.text(max_size=12), VALUES), max_size=6),
)
def test_only_signed_values_come_out(params, noise):
    noise = [(name, value) for name, value in noise if not lists.is_signed(name, "out")]
    noise = [(name, value) for name, value in noise if name.upper() != "SHASIGN"]
    digest = sign(params, KEY, "sha256", "out")
    raw = urlencode([*noise, *params.items(), ("SHASIGN", digest), *noise]).encode()
    found = read_feedback(raw, KEY, "sha256")
    assert set(found.values) == {name for name, value in params.items() if value}
    for name in set(found.values) - {"CARDNO", "CN"}:
        assert found.values[name] == params[name].replace("\x00", "")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(PAID)), VALUES)
def test_a_changed_value_is_refused(name, value):
    raw = (
        signed().decode().replace(f"{name}={quote_plus(PAID[name])}", f"{name}={quote_plus(value)}").encode()
    )
    assert (read_feedback(raw, KEY) is None) is (value != PAID[name])


@given(st.binary(max_size=300))
def test_read_again_is_total(raw):
    with contextlib.suppress(ProtocolError):
        assert isinstance(feedback.read_again(raw), Feedback)


def test_read_again_gives_what_was_verified():
    for encoding in ("utf-8", "latin-1"):
        raw = signed({**PAID, "CN": "Hélène"}, encoding, encoding, unsigned=[("MYOWN", "x")])
        first, again = read_feedback(raw, KEY), feedback.read_again(raw)
        assert first is not None
        assert (again.key, dict(again.values)) == (first.key, dict(first.values))
