"""Frames: any pieces give what one piece gives, bad bytes give ProtocolError and nothing else."""

import contextlib
import string
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

if str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip") not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pos_caisse_ap_ip"))

from caisse_ap.errors import ProtocolError
from caisse_ap.frame import Decoder, decode, encode

HEAD = b"CZ0040300CA00201"
WHOLE = HEAD + b"AE00210"
RECEIPT = HEAD + b"AE00211"
TAGS = st.text(string.ascii_uppercase, min_size=2, max_size=2)
VALUES = st.text(st.characters(max_codepoint=255), min_size=1, max_size=40)
FIELDS = st.lists(st.tuples(TAGS, VALUES), max_size=12)
# near misses: bytes that are almost frames find more than random ones
PIECES = st.sampled_from(
    [b"CZ", b"C", b"Z0040300", b"AE00210", b"AE00211", b"000", b"999", b"\r\n", b"\n", b"AE", b"x", b"\xe9"]
)
NEARLY = st.lists(st.one_of(PIECES, st.binary(max_size=6)), max_size=25).map(b"".join)


def outcome(chunks, limit=65536):
    """Everything that can be seen of a decoder that took `chunks`."""
    decoder, error = Decoder(limit), None
    for chunk in chunks:
        try:
            decoder.receive(chunk)
        except ProtocolError as raised:
            error = (raised.message, raised.field, raised.code)
    return decoder.fields, decoder.complete, decoder.on_boundary, error


def moods(chunks, limit=65536):
    """Whether it only heard a receipt, and whether noise."""
    decoder = Decoder(limit)
    with contextlib.suppress(ProtocolError):
        for chunk in chunks:
            decoder.receive(chunk)
    return decoder.accepted, decoder.noise


def cut(data, places):
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in zip(places, places[1:], strict=False)]


# -- encode


def test_encode():
    assert encode([("CZ", "0300"), ["CF", "\xe9"]]) == b"CZ0040300CF001\xe9"
    assert encode(iter([("CB", "x" * 999)])) == b"CB999" + b"x" * 999
    assert encode([]) == b""


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ([("cz", "1")], "", "tag"),
        ([("CZA", "1")], "", "tag"),
        ([("C1", "1")], "", "tag"),
        ([("C\u00c9", "1")], "", "tag"),
        ([("CZ\n", "1")], "", "tag"),
        ([("CZ", "")], "CZ", "length"),
        ([("CZ", "x" * 1000)], "CZ", "length"),
        ([("CF", "\u20ac")], "CF", "charset"),
        ([("CF", 1)], "", "fields"),
        ([(None, "1")], "", "fields"),
        ([("CF", "1", "2")], "", "fields"),
        (["CZ"], "", "fields"),
        ({"CZ": "0300"}, "", "fields"),
        (None, "", "fields"),
    ],
)
def test_encode_refuses(fields, field, code):
    with pytest.raises(ProtocolError) as caught:
        encode(fields)
    assert (caught.value.field, caught.value.code) == (field, code)
    assert str(caught.value) == caught.value.message


def test_error_does_not_show_the_value():
    with pytest.raises(ProtocolError) as caught:
        encode([("AA", "4970101234567890\u20ac")])
    assert "4970" not in str(caught.value) and caught.value.__cause__ is None


@given(FIELDS)
def test_round_trip(fields):
    assert decode(encode(fields)) == fields
    framed = [("CZ", "0300"), *fields]
    assert outcome([encode(framed)])[0] == framed


# -- decode


def test_decode_ignores_line_ends_behind():
    assert decode(b"CK003100AK005abc\n\n\r\n") == [("CK", "100"), ("AK", "abc\n\n")]
    assert decode(b"") == []
    assert decode(bytearray(b"CB000")) == [("CB", "")], "an amount that is not told"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"CK00310", "truncated"),
        (b"CK0", "truncated"),
        (b"CK003100\nAK001x", "header"),
        (b"\n", "header"),
        (b"ck001x", "header"),
        (b"CK0x1x", "header"),
        ("CK001x", "type"),
        (None, "type"),
    ],
)
def test_decode_refuses(data, code):
    with pytest.raises(ProtocolError) as caught:
        decode(data)
    assert caught.value.code == code


@given(NEARLY)
def test_decode_raises_nothing_else(data):
    try:
        fields = decode(data)
    except ProtocolError:
        return
    assert all(len(tag) == 2 and len(value) < 1000 for tag, value in fields)


# -- Decoder


def test_complete_needs_a_boundary_and_ae():
    decoder = Decoder()
    assert (decoder.fields, decoder.complete, decoder.on_boundary) == ([], False, False)
    seen = []
    for position in range(len(WHOLE)):
        decoder.receive(WHOLE[position : position + 1])
        seen.append((decoder.on_boundary, decoder.complete))
    assert [place + 1 for place, (boundary, _) in enumerate(seen) if boundary] == [9, 16, 23]
    assert [place + 1 for place, (_, complete) in enumerate(seen) if complete] == [23]


def test_complete_is_taken_back_when_more_comes():
    decoder = Decoder()
    decoder.receive(WHOLE + b"AC0")
    assert not decoder.complete and not decoder.on_boundary
    decoder.receive(b"06123456")
    assert decoder.complete and decoder.fields[-1] == ("AC", "123456")


def test_junk_in_front_is_skipped():
    for junk in (b"", b"\x02", b"\r\n", b"CCxC", b"AE00210", b"\xff" * 50):
        assert outcome([junk + WHOLE])[:3] == outcome([WHOLE])[:3]
    assert outcome([b"C", b"C", b"Z0040300"]) == ([("CZ", "0300")], False, True, None)
    assert outcome([b"no frame at all"]) == ([], False, False, None)


def test_values_are_counted_and_kept():
    data = HEAD + b"AK009ab\ncd\r\nCZ" + b"ZZ003\xe9\x00\xff" + b"AA0011AA0012" + b"AE00201"
    fields = outcome([data])[0]
    assert fields[2:] == [
        ("AK", "ab\ncd\r\nCZ"),
        ("ZZ", "\xe9\x00\xff"),
        ("AA", "1"),
        ("AA", "2"),
        ("AE", "01"),
    ]


def test_empty_value_is_read():
    """Refusing it would turn "not performed, no amount" into an unknown."""
    assert outcome([HEAD + b"CB000AE00201"])[0][-2:] == [("CB", ""), ("AE", "01")]


@pytest.mark.parametrize("tail", [b"\r\n", b"\n", b"\r\n\r\n"])
def test_line_ends_behind_are_ignored(tail):
    assert outcome([WHOLE + tail]) == outcome([WHOLE])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (WHOLE + b"\nCC003001", "trailing"),
        (WHOLE + b"\nx", "trailing"),
        (HEAD + b"\r\nAE00210", "header"),
        (HEAD + b"ae00210", "header"),
        (HEAD + b"AE0x210", "header"),
        (HEAD + b"AE 0210", "header"),
        (b"CZx040300", "header"),
        (WHOLE + b"\x03", "header"),
    ],
)
def test_malformed(data, code):
    fields, complete, boundary, error = outcome([data])
    assert error[2] == code and not complete and not boundary
    assert fields[:2] == ([("CZ", "0300"), ("CA", "01")] if data.startswith(HEAD) else [])


def test_broken_stays_broken():
    decoder = Decoder()
    with pytest.raises(ProtocolError) as first:
        decoder.receive(WHOLE + b"?")
    for more in (b"", WHOLE, b"\r\n"):
        with pytest.raises(ProtocolError) as again:
            decoder.receive(more)
        assert str(again.value) == str(first.value) and again.value.code == "header"
    assert not decoder.complete and len(decoder.fields) == 3


@pytest.mark.parametrize("data", ["CZ", None, 5, [67]])
def test_receives_bytes_only(data):
    with pytest.raises(ProtocolError) as caught:
        Decoder().receive(data)
    assert caught.value.code == "type"


def test_limit():
    assert outcome([WHOLE], limit=len(WHOLE))[1:] == (True, True, None)
    fields, complete, _, error = outcome([WHOLE], limit=len(WHOLE) - 1)
    assert (len(fields), complete, error[2]) == (2, False, "limit")
    assert outcome([b"x" * 70000])[3][2] == "limit", "what is skipped counts as well"
    assert outcome([WHOLE], limit=-1)[3][2] == "limit"


def test_fields_is_a_copy():
    decoder = Decoder()
    decoder.receive(WHOLE)
    decoder.fields.clear()
    assert len(decoder.fields) == 3


PAID = [("CZ", "0300"), ("CA", "01"), ("AE", "10")]


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\x06", b"AFx", b"C", RECEIPT, b"\r\nxx\n" + RECEIPT])
def test_outcome_behind_a_receipt(between):
    """AE=11 takes the request into account; the frame that says how it ended is the answer."""
    assert outcome([RECEIPT + between + WHOLE + b"\n"]) == (PAID, True, True, None)
    assert moods([RECEIPT + between + WHOLE])[0] is False


def test_receipt_alone():
    accepted = [*PAID[:2], ("AE", "11")]
    for tail in (b"", b"\r\n", b"\x06", b"\x06x"):
        assert outcome([RECEIPT + tail]) == (accepted, True, True, None)
        assert moods([RECEIPT + tail]) == (True, False)
    assert outcome([RECEIPT + b"CZ004"])[:3] == (accepted, False, False)
    assert outcome([RECEIPT + b"CZ0040301CB00"])[:3] == ([("CZ", "0301")], False, False)
    assert moods([RECEIPT + b"CZ0040301"]) == (False, False)


@pytest.mark.parametrize(
    "data", [RECEIPT + b"AE00210", HEAD + b"AE00210AE00211" + WHOLE, WHOLE + WHOLE, WHOLE + RECEIPT]
)
def test_two_statuses_of_one_frame_stay_two(data):
    """Only a receipt is replaced: whatever else is said twice is for `answer.read` to doubt."""
    values = {value for tag, value in outcome([data])[0] if tag == "AE"}
    assert values == ({"10"} if b"11" not in data else {"10", "11"})


def test_an_error_behind_a_receipt_and_a_frame():
    fields, complete, _boundary, error = outcome([RECEIPT + HEAD + b"x"])
    assert (fields, complete, error[2]) == (PAID[:2], False, "header")
    assert outcome([RECEIPT + b"CZx"])[3][2] == "header"


@pytest.mark.parametrize(
    ("data", "noise"),
    [
        (b"", False),
        (b"\x05\x06\r\n \x00\x7f", False),
        (WHOLE, False),
        (b"\x06" + WHOLE, False),
        (b"C", False),
        (b"x", True),
        (b"\xff", True),
        (b"Cx", True),
        (b"HTTP/1.1 " + WHOLE, True),
    ],
)
def test_noise(data, noise):
    assert moods([data]) == (False, noise)


@settings(max_examples=300)
@given(NEARLY, st.lists(st.integers(0, 500), max_size=12), st.sampled_from([7, 20, 65536]))
@example(b"C" + WHOLE + b"\r\nx", [1, 2, 24, 25], 65536)
@example(WHOLE + b"\n" * 9, list(range(40)), 30)
@example(RECEIPT + b"\r\n\x06" + WHOLE, [27, 33, 34, 35, 36], 65536)
@example(RECEIPT + b"xC" + RECEIPT + b"CZx", [27, 33, 34], 65536)
def test_any_pieces_give_what_one_piece_gives(data, places, limit):
    for see in (outcome, moods):
        whole = see([data], limit)
        assert see(cut(data, places), limit) == whole
        assert see([data[at : at + 1] for at in range(len(data))], limit) == whole


@given(FIELDS, st.lists(st.integers(0, 500), max_size=12), st.binary(max_size=10))
def test_any_pieces_of_a_frame(fields, places, junk):
    fields = [("CZ", "0320"), *fields, ("AE", "10")]
    data = junk.replace(b"C", b"") + encode(fields) + b"\r\n"
    assert outcome(cut(data, places)) == (fields, True, True, None)


def test_linear_time():
    """Byte by byte, the worst contents: fields without a value, junk, one long wait for a value.

    Four times the bytes cost about four times the processor's time, not sixteen times.
    """
    for data in (
        b"CZ000" * 13000,
        b"C" * 65000,
        (b"CZ999" + b"x" * 999) * 64,
        WHOLE + b"\n" * 65000,
        RECEIPT * 2500,
    ):
        assert outcome([data[at : at + 1] for at in range(len(data))])[3] is None
        whole, quarter = processor_time(data), processor_time(data[: len(data) // 4])
        assert whole < 9 * max(quarter, 0.02)


def processor_time(data):
    """Seconds of the processor that it takes to decode byte by byte, the best of two runs."""
    pieces, times = [data[at : at + 1] for at in range(len(data))], []
    for _run in range(2):
        started = time.process_time()
        outcome(pieces)
        times.append(time.process_time() - started)
    return min(times)
