"""Reading answers: what is said comes out, what nobody may keep does not."""

import base64
import re
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip") not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"))

from caisse_ap import card, codes
from caisse_ap.answer import Answer, Reason, Receipt, read
from caisse_ap.describe import shown
from caisse_ap.errors import ProtocolError
from caisse_ap.frame import encode
from caisse_ap.slip import text_of

PAID = [("CZ", "0301"), ("CA", "01"), ("CB", "0001234"), ("CD", "0"), ("CE", "978"), ("AE", "10")]
TAGS = st.one_of(st.sampled_from([*codes.TAGS, "ZZ"]), st.text("ABCZ", min_size=2, max_size=2))
# values that mean something somewhere, and any others
VALUES = st.one_of(
    st.sampled_from(
        ["10", "01", "11", "978", "0", "1", "3", "04", "00", "1234", "", "CK003100AK004QUJD", "AK004=A=="]
    ),
    st.text(max_size=40),
)
FIELDS = st.lists(st.tuples(TAGS, VALUES), max_size=15)


def luhn(digits):
    """`digits` with its check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


NUMBERS = st.text("0123456789", min_size=11, max_size=18).map(luhn)


def slip(text, handling="100", tag="ZT"):
    encoded = base64.encodebytes(text.encode("latin-1")).decode()
    nested = ([("CK", handling)] if handling else []) + [("AK", encoded)]
    return [(tag, encode(nested).decode("latin-1"))] if tag == "ZT" else nested


# -- single values


def test_nothing():
    assert read([]) == Answer()
    assert (Answer().status, Answer().amount, Answer().reason) == ("unreadable", None, None)


def test_paid():
    answer = read(PAID)
    assert (answer.status, answer.amount, answer.currency, answer.currency_number) == (
        "performed",
        1234,
        "EUR",
        "978",
    )
    assert (answer.version, answer.till, answer.action, answer.action_code) == ("0301", "01", "debit", "0")


def test_every_text():
    fields = {"CZ": "version", "CJ": "identifier", "CA": "till", "CC": "application", "CI": "read_mode"}
    fields |= {"AC": "authorization_code", "CG": "contract", "CH": "reference", "CF": "private", "AI": "aid"}
    fields |= {"AD": "cheque_cmc7", "AG": "cheque_fnci", "AH": "cheque_guarantee", "AQ": "serial"}
    answer = read([(tag, f" {tag}\x00\n") for tag in fields])
    assert {name: getattr(answer, name) for name in fields.values()} == {
        name: tag for tag, name in fields.items()
    }


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (["10"], "performed"),
        (["01"], "not_performed"),
        (["11"], "accepted"),
        (["10", "10"], "performed"),
        (["10", "01"], "unreadable"),
        (["01", "10"], "unreadable"),
        (["11", "10"], "unreadable"),
        (["10", "??"], "unreadable"),
        (["00"], "unreadable"),
        (["1"], "unreadable"),
        ([""], "unreadable"),
        (["10 "], "unreadable"),
        ([], "unreadable"),
    ],
)
def test_status(values, status):
    assert read([("AE", value) for value in values]).status == status


def test_first_of_repeated_tags_wins():
    answer = read([*PAID, ("CB", "9999"), ("AC", "1"), ("AC", "2"), ("CE", "978")])
    assert (answer.amount, answer.authorization_code) == (1234, "1")
    assert answer.doubtful == ("CB",), "but the amount is open then"


def test_doubtful():
    assert read(PAID * 2).doubtful == ()
    assert read([("CB", "12,34")]).doubtful == ("CB",)
    assert read([("CB", "12,34"), ("CB", "1234")]).doubtful == ("CB",)
    assert read([("CB", "")]).doubtful == ()
    twice = [(tag, value) for tag in ("CA", "CB", "CD", "CE", "AF") for value in ("01", "02")]
    assert read(twice).doubtful == ("CA", "CB", "CD", "CE", "AF")


def test_unknown_codes():
    answer = read([("CD", "9"), ("CE", "000"), ("CC", "777")])
    assert (answer.action, answer.action_code) == ("", "9")
    assert (answer.currency, answer.currency_number, answer.application) == ("", "000", "777")


def test_unknown_tags():
    assert read([*PAID, ("ZZ", "1"), ("AB", "2712"), ("QX", "2"), ("ZZ", "3")]).unknown == ("ZZ", "QX")


@pytest.mark.parametrize("fields", [None, 5, "AE", [("AE", 10)], [("AE",)], [b"AE"], {"AE": "10"}])
def test_read_refuses(fields):
    for function in (read, shown):
        with pytest.raises(ProtocolError) as caught:
            function(fields)
        assert caught.value.code == "fields"


@settings(max_examples=400)
@given(FIELDS)
def test_read_raises_nothing_else(fields):
    answer = read(fields)
    assert answer.status in (*codes.STATUSES.values(), "unreadable")
    assert answer.amount is None or 0 <= answer.amount < 10**12
    assert "\n" not in shown(fields)


# -- reasons


def test_reason_short():
    assert read([("AF", "04")]).reason == Reason("04", "refused", "declined", raw="04")
    assert read([("AF", "11BOUTON ROUGE ")]).reason == Reason(
        "11", "operator_abandon", "cancelled", text="BOUTON ROUGE", raw="11BOUTON ROUGE "
    )


def test_reason_extended():
    raw = "04" + "14" + "8HOLDER INVALID".ljust(21) + "05" + "  "
    assert len(raw) == 29
    assert read([("AF", raw)]).reason == Reason(
        "04", "refused", "declined", "14", "8HOLDER INVALID", "05", "", raw
    )
    assert read([("AF", "02" + " " * 25 + "99")]).reason == Reason(
        "02", "call_bank", "failed", "", "", "", "99", "02" + " " * 25 + "99"
    )


@pytest.mark.parametrize("raw", ["", "4", "99", "xx", "\xe9\xe9"])
def test_reason_other(raw):
    reason = read([("AF", raw)]).reason
    assert (reason.code, reason.slug, reason.reading) == (raw, "other", "unclear")


def test_reason_holds_no_card():
    number = luhn("497010123456789")
    reason = read([("AF", "04" + "14" + ("NO " + number).ljust(21) + "    ")]).reason
    assert number not in repr(reason) and reason.text == "NO 497010******" + number[-4:]
    assert "\x00" not in read([("AF", "04\x00\n")]).reason.raw


# -- receipts


def test_receipt():
    text = "CARTE BANCAIRE\n\tMONTANT : 12,34 \xe9\r\nMERCI " * 9
    (receipt,) = read([*PAID, *slip(text)]).receipts
    assert receipt == Receipt("customer", "text", text, text)


@pytest.mark.parametrize(
    ("handling", "kind", "kept"),
    [
        ("100", "customer", "text"),
        ("110", "merchant", "text"),
        ("120", "both", "text"),
        ("101", "customer", "html"),
        ("121", "both", "html"),
        ("190", "", "text"),
        ("1", "", "text"),
        ("", "", "text"),
    ],
)
def test_receipt_kind(handling, kind, kept):
    for tag in ("ZT", "AK"):
        (receipt,) = read(slip("slip", handling, tag)).receipts
        assert (receipt.kind, receipt.format) == (kind, kept)


def test_several_receipts():
    both = encode([("CK", "100"), ("AK", "QQ=="), ("CK", "110"), ("AK", "Qg==")]).decode()
    fields = [("CK", "121"), ("ZT", both), ("AK", "Qw=="), *slip("D", ""), ("ZT", both)]
    seen = [(one.kind, one.format, one.text) for one in read(fields).receipts]
    inner = [("customer", "text", "A"), ("merchant", "text", "B")]
    assert seen == [*inner, ("both", "html", "C"), ("both", "html", "D"), *inner]


@pytest.mark.parametrize(
    "value", ["====", "QQ", "QQ!==", "Q?==", "\xe9\xe9\xe9\xe9", "", "\n", "IA==", "\u20ac"]
)
def test_broken_receipt_is_no_error(value):
    answer = read([*PAID, ("AK", value), ("AK", "Qg==")])
    assert [receipt.text for receipt in answer.receipts] == ["B"]
    assert answer.status == "performed"


@pytest.mark.parametrize("value", ["CK003100AK999short", "nonsense", "\u20ac", "", "CK003100"])
def test_broken_nested_value_is_no_error(value):
    answer = read([*PAID, ("ZT", value)])
    assert (answer.receipts, answer.status) == ((), "performed")


def test_receipt_text_can_be_stored_and_printed():
    (receipt,) = read(slip("a\x00\x1b@b\tc\r\n\x7f")).receipts
    assert receipt.text == "a@b\tc\r\n"


# -- what nobody may keep


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4970101234567890", "497010******7890"),
        ("4970 1012 3456 7890", "497010******7890"),
        ("4970-1012.3456-7890", "497010******7890"),
        ("497010######1234", "497010******1234"),
        ("************0674", "************0674"),
        ("4970101234567890=27122010000", "497010******7890"),
        ("4970101234567890D2712", "497010******7890"),
        ("4970101234567890271220100000", "497010**********"),
        ("4970101234567890123", "497010*********0123"),
        ("49701012345678902712", "497010**********"),
        ("123456789012", "123456**9012"),
        ("12345678901", "123456*8901"),
        ("1234567890", "******7890"),
        ("0674", "0674"),
        ("", ""),
        ("tok-\xe9x" * 30, "tok*xt" + "*" * 54 + "ok*x"),
    ],
)
def test_mask_pan(text, masked):
    assert card.mask_pan(text) == masked
    assert card.mask_pan(masked) == masked or len(text) <= 10
    assert read([("AA", text)]).masked_pan == masked


def everywhere(number):
    """An answer that tells `number` in every place that is not a number of its own."""
    grouped = re.sub("(....)", r"\1 ", number).strip()
    fields = [("AA", number), ("AB", "2712"), ("AF", "04" + number), ("CF", "x" + number), ("CH", grouped)]
    fields += [("AD", number), ("ZZ", number), ("AI", number), ("AQ", grouped)]
    return PAID + fields + slip(f"CARTE {number}\n{grouped}.") + slip(number, "110", "AK")


@given(NUMBERS)
def test_card_number_never_leaves(number):
    fields = everywhere(number)
    answer = read(fields)
    seen = [repr(answer), shown(fields), answer.cheque_cmc7, *(one.text for one in answer.receipts)]
    assert len(answer.receipts) == 2
    for text in seen:
        assert number not in re.sub("[ .-]", "", text), text
    assert number[:6] in answer.masked_pan and answer.masked_pan.endswith(number[-4:])


@given(NUMBERS.filter(lambda number: len(number) > 14))
def test_card_number_in_a_slip_only(number):
    (receipt,) = read(slip(f"CARTE {number} \n")).receipts
    assert number not in receipt.text
    assert number not in shown([("CF", number)])


@pytest.mark.parametrize("number", ["4970 1012 3456 7893", "3782 822463 10005", "4970-1012-3456-7893"])
def test_grouped_card_number_in_a_slip_only(number):
    digits = re.sub("[ -]", "", number)
    assert luhn(digits[:-1]) == digits, "the test's own number must be right"
    (receipt,) = read(slip(f"CARTE {number} \n")).receipts
    assert receipt.text == f"CARTE {card.mask_pan(digits)} \n"


@pytest.mark.parametrize(
    "text",
    ["1234567 39033422500096 30004", "4970101234567890", "NO 123456789012345678901234567890", "0625698925"],
)
def test_other_numbers_of_a_slip_stay(text):
    """A SIRET, a wrong check digit, a long reference: a slip without them is no slip."""
    assert read(slip(text)).receipts[0].text == text


def test_our_reference_is_not_masked():
    reference = luhn("20240101123456")
    assert read([("CF", reference), ("CH", reference)]).private == reference


@given(st.integers(1000, 9999).map(str))
def test_expiry_and_contacts_do_not_leave(expiry):
    fields = [("AB", expiry), ("AM", "0625698925"), ("AN", "a@b.fr"), ("BH", "0606060606"), ("BI", "c@d.fr")]
    for text in (repr(read(fields)), shown(fields)):
        assert not [value for _, value in fields if value in text]
    assert shown(fields) == "AB=*** AM=*** AN=*** BH=*** BI=***"


def test_slips_and_cheque_lines_stay_out_of_repr():
    answer = read([*slip("private things"), ("AD", "D0416926D031017807908F011519431044B")])
    assert "private things" not in repr(answer) and "D0416926" not in repr(answer)


# -- the line for logs


def test_shown():
    fields = [
        *PAID,
        ("AA", "4970101234567890"),
        ("AD", "D0416926D031017"),
        ("ZT", "x" * 374),
        ("AK", "y" * 9),
    ]
    assert shown(fields) == (
        "CZ=0301 CA=01 CB=0001234 CD=0 CE=978 AE=10 AA=497010******7890 AD=D04169*****1017 ZT=<374> AK=<9>"
    )
    assert shown([]) == ""


def test_shown_is_one_short_line():
    assert shown([("CF", "a\nERROR \x1b\xe9\u2028")]) == "CF=a\\x0aERROR \\x1b\xe9\\x2028"
    assert shown([("CF", "x" * 61)]) == "CF=" + "x" * 57 + "..."
    assert shown([("CF", "x" * 60)]) == "CF=" + "x" * 60
    assert shown([("\n\n", "x")]) == "\\x0a\\x0a=x"


def test_linear_time():
    """As much as a decoder lets through, in the worst shapes."""
    floods = [
        [("AA", str(4970101234567890 + at)) for at in range(3000)] + [("CF", "4" * 999)] * 10,
        [("AE", "10")] * 13000,
        [("AK", "QQ==")] * 7000,
        [("AF", "4" * 999)] * 64,
        slip("4970 1012 3456 789 " * 30) * 64,
        [("ZT", "CK000" * 199)] * 64,
    ]
    for fields in floods:
        started = time.process_time()
        read(fields), shown(fields)
        assert time.process_time() - started < 2


# -- slips for people


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>A</p><p>B &amp; C</p>", "A\nB & C"),
        ("a<br/>b<br>c<br><br>d", "a\nb\nc\n\nd"),
        ("<pre>  a   b\n   c  </pre>d", "  a   b\n   c\nd"),
        ("<div>\n  <p> a\n b </p>\n</div>", "a b"),
        ("<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<head><title>t</title><style>p {}</style></head><script>x()</script><p>seen</p>", "seen"),
        ("</style></pre>seen", "seen"),
        ("<b>x</b>&lt;script&gt;", "x<script>"),
        ("<![foo bar]>x", "x"),
        ("<", "<"),
        ("<!-- hidden -->x", "x"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("", ""),
    ],
)
def test_text_of(html, text):
    assert text_of(html) == text


def test_text_of_a_declaration_that_the_library_refuses(monkeypatch):
    def refuse(self, data):
        self.rawdata = data
        raise AssertionError("unknown status keyword")

    monkeypatch.setattr("html.parser.HTMLParser.feed", refuse)
    assert text_of("<p>a</p><![x[>b") == "a\n\nb"


@given(st.text(max_size=300) | st.text("<>!/[]-&#;brpe a", max_size=300))
def test_text_of_anything(html):
    assert isinstance(text_of(html), str)


def test_html_slip_is_masked_as_people_read_it():
    """Marks within a number, or characters written as references, hide it from the first look."""
    for written in ("4970<b>10</b>0000000014", "&#52;970100000000014", "4970 1000<wbr> 0000 0014"):
        text = f"<p>CARTE {written}</p><p>AUTO 1</p>"
        (receipt,) = read([*PAID, *slip(text, "101")]).receipts
        assert (receipt.format, receipt.kind) == ("html", "customer")
        assert re.search(r"497010\*+0014", receipt.plain), receipt.plain
    (receipt,) = read([*PAID, ("AA", "1234567890123"), *slip("<p>12345<i>678</i>90123", "101")]).receipts
    assert "1234567890123" not in receipt.plain


def slips(*receipts):
    pairs = [pair for text, handling in receipts for pair in slip(text, handling)]
    answer = read([*PAID, *pairs])
    return answer.slip("customer"), answer.slip("merchant")


def test_no_slip_is_lost():
    """The terminal was told not to print, so whatever it gives is kept for somebody."""
    assert slips(("C", "100"), ("M", "110")) == ("C", "M")
    assert slips(("B", "120")) == ("B", "B")
    assert slips(("C", "100"), ("B", "120")) == ("C", "B")
    assert slips(("X", "")) == ("X", "X")
    assert slips(("X", ""), ("Y", "")) == ("X\n\nY", "X\n\nY")
    assert slips(("C", "100"), ("X", "")) == ("C", "X")
    assert slips(("C", "100"), ("C", "100"), ("D", "100")) == ("C\n\nD", "")
    assert slips(("<p>C</p>", "101"), ("M", "110")) == ("C", "M")
    assert slips(("<p></p>", "101"), ("B", "120")) == ("B", "B")
    assert slips() == ("", "")


# -- cheques

LINE = "D0416926D031017807908F011519431044B"


@pytest.mark.parametrize("line", [LINE, re.sub("[A-Z]", "", LINE), re.sub("[A-Z]", " ", LINE)])
def test_a_cheque_line(line):
    assert card.is_cheque_line(line)
    assert read([*PAID, ("AD", line)]).cheque_cmc7 == line.strip()


@pytest.mark.parametrize(
    "line", ["", "4970100000000014", LINE + "1", "4970100000000014=3112" + "0" * 10, "x" + LINE]
)
def test_no_cheque_line(line):
    assert not card.is_cheque_line(line)
