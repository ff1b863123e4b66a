"""The masking room alone: the hostile corpus, what must stay readable, and what no input may do."""

import html
import json
import logging
import random
import re
import string
import sys
import time
import unicodedata
import uuid
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api import card_numbers, masking
from api.masking import LogFilter, Masker, clip, is_secret_name, mask_pan, masks_to

# the corpus lives with the addon's own tests, which push it through log rows, chatter and exports
sys.path.append(str(Path(masking.__file__).parents[1] / "tests"))
from masking_corpus import BENIGN, CARDS, NAMES, probes

PROBES = list(probes())


def test_corpus():
    """No probe leaks, masking twice is masking once, JSON stays JSON."""
    leaks, changed, broken = [], [], []
    for name, payload, content_type, hidden, options in PROBES:
        masker = Masker(**options)
        masked = masker.body(payload, content_type)
        leaks += [(name, text, masked) for text in hidden if text in masked]
        if name.startswith("card"):
            # however it is spelled: its digits in a row, and nothing else, must not be there
            leaks += [(name, card, masked) for card in hidden[-1:] if card in digits_of(masked)]
        if masker.body(masked, content_type) != masked:
            changed.append((name, masked, masker.body(masked, content_type)))
        if payload[:1] in ("{", "[", b"{", b"[") and _is_json(payload) and not _is_json(masked):
            broken.append((name, masked))
    print(f"\nmasking: {len(PROBES)} probes")
    assert len(PROBES) > 3500
    assert not leaks, leaks[:5]
    assert not changed, changed[:5]
    assert not broken, broken[:5]


def digits_of(text):
    """The digits of a text as a reader would get them."""
    return "".join(
        str(unicodedata.decimal(char)) for char in html.unescape(unquote(text)) if char.isdecimal()
    )


def _is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("text", BENIGN)
def test_benign(text):
    """What support needs comes through untouched."""
    assert Masker().body(text) == text
    assert Masker().text(text) == text


def test_benign_corpus_is_large_enough():
    assert len(set(BENIGN)) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "shipping",
        "spinner",
        "company",
        "keyboard",
        "key",
        "status",
        "reference",
        "authorization_code",
        "posId",
        "amount",
    ],
)
def test_harmless_names(name):
    assert not is_secret_name(name)


def test_extra_names():
    assert Masker(extra_keys=["merchant-code"]).value({"merchantCode": "x1", "code": "c"}) == {
        "merchantCode": "***",
        "code": "c",
    }


def test_headers():
    headers = Masker(values=("another-secret",)).headers(
        [
            ("Authorization", "Bearer abc"),
            ("X-Api-Key", "k"),
            ("X-Note", "has another-secret"),
            ("Idempotency-Key", "i1"),
        ]
    )
    assert headers == {
        "Authorization": "Bearer ***",
        "X-Api-Key": "***",
        "X-Note": "has ***",
        "Idempotency-Key": "i1",
    }


def test_name_of_a_header():
    """A server may answer with a hundred names of 64 KiB each, and with anything in them."""
    (name,) = Masker().headers({"X-4111111111111111-" + "x" * 9999: "1"})
    assert len(name) == 200 and "4111111111111111" not in name


def test_url():
    url = "https://u:pw@h/p/4111111111111111?api%5Fkey=abc&ref=a%20b&token=x#f"
    assert Masker().url(url) == "https://***@h/p/411111******1111?api%5Fkey=***&ref=a%20b&token=***"


@pytest.mark.parametrize("card", CARDS)
def test_ends_of_a_card_stay(card):
    masked = mask_pan(f"card {card}.")
    assert masked == f"card {card[:6]}{'*' * (len(card) - 10)}{card[-4:]}."


def test_card_under_its_name():
    """Under the name of a card number the check digit does not matter; what is masked already stays."""
    masker = Masker()
    assert masker.value({"pan": "4111111111111112"}) == {"pan": "411111******1112"}
    assert masker.value({"maskedPan": "411111******1111"}) == {"maskedPan": "411111******1111"}
    assert masker.value({"cardNumber": "tok_123"}) == {"cardNumber": "***"}


def test_values_keep_their_types():
    document = {"a": 1, "b": 1.5, "c": None, "d": True, "e": [1, "x"], "f": b"bytes", "g": {"cvv": None}}
    assert Masker().value(document) == {**document, "f": "bytes"}


def test_depth():
    nested = value = []
    for _level in range(100):
        value.append([])
        value = value[0]
    assert "***" in json.dumps(Masker().value(nested))
    assert Masker().body("[" * 60000) == "[" * 60000


def test_binary():
    assert Masker().body(b"\x00\x01\x02\xff" * 9).startswith("[binary 36 bytes sha256 ")
    assert Masker().body("caf\u00e9".encode("cp1252")) == "caf\u00e9"
    assert Masker().body("é".encode("latin-1"), "text/plain; charset=nonsense") == "é"


def test_clip():
    assert clip("abc", 3) == ("abc", False)
    assert clip("abcdef", 3) == ("abc…[truncated 3 bytes]", True)
    assert clip("ééé", 3) == ("é…[truncated 3 bytes]", True)


def test_log_filter():
    try:
        raise ValueError("password=hunter2222")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "f", 1, "token=%s", ("abc123",), sys.exc_info())
    assert LogFilter().filter(record)
    text = logging.Formatter().format(record)
    assert "abc123" not in text and "hunter2222" not in text and "ValueError" in text
    logger = masking.get_logger("servipay.test")
    assert masking.get_logger("servipay.test") is logger and len(logger.filters) == 1


def test_exception():
    assert Masker().exception(ValueError("token=abc123")) == "ValueError: token=***"


@pytest.mark.parametrize(
    "piece",
    [
        "4",
        "{",
        "=",
        "[",
        "<",
        "a",
        '"',
        "\\",
        "a=",
        'name="',
        "<a>",
        "<a",
        ": ",
        "A1",
        "D=",
        "eyJ",
        "eyJaaaaa.",
        "://a:",
        "4 ",
        "' ",
        "FR76 ",
        'form-data; name="a"\r\n',
        "<![CDATA[",
        "<a><![CDATA[",
        "-----BEGIN PRIVATE KEY-----",
        "Bearer ",
        "cookie:",
        "api key is ",
        "&a",
        "=&",
        '\\"',
        "x='",
        'x="\\',
    ],
)
def test_time_is_linear(piece):
    """Four times the text takes about four times as long, whatever it is made of."""

    def seconds(size):
        text, best = (piece * (size // len(piece) + 1))[:size], 9
        for _turn in range(2):
            began = time.thread_time()  # other programs of a busy machine do not count
            Masker(values=("a-secret-value",)).body(text)
            best = min(best, time.thread_time() - began)
        return best

    small, large = seconds(1 << 15), seconds(1 << 17)
    assert large < max(9 * small, 0.25), (small, large)


texts = st.one_of(st.text(), st.text(string.printable), st.text('{}[]"=&:<>\\ 4,pan'))


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(texts, st.binary()),
    st.sampled_from(["", "application/json", "text/xml", "text/plain; charset=utf-16"]),
)
@example('{"pan": {"a": 1}, "pan": "4111111111111111"}', "application/json")
@example("pan=%FF", "")
def test_never_raises_and_is_idempotent(body, content_type):
    masker = Masker()
    masked = masker.body(body, content_type)
    assert masker.body(masked) == masker.body(masker.body(masked))
    masker.url(str(body))
    masker.headers({"a": str(body)})


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789 -.x", min_size=10, max_size=60))
@example("00011112222333344464448")
def test_no_card_number_survives(text):
    """No run of 12 to 19 digits with single separators is left that could be a card number."""
    for run in re.findall(r"(?<!\d)\d(?:[ .-]?\d){11,18}(?![ .-]?\d)", mask_pan(text)):
        assert not card_numbers.is_card_number("".join(filter(str.isdigit, run)))


GAPS = st.text(" \t\n-/,.;:_+|\u2009\u2013", min_size=1, max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(CARDS), st.lists(GAPS, min_size=4, max_size=4), st.sampled_from(["", "12", "No. ", "0"])
)
def test_no_separator_hides_a_card_number(card, gaps, before):
    """Groups of four with up to three signs between them, whatever stands in front."""
    groups = [card[start : start + 4] for start in range(0, len(card), 4)]
    spelled = groups[0] + "".join(gap + group for gap, group in zip(gaps, groups[1:], strict=False))
    for lead in (before, before + "  "):
        masked = mask_pan(f"{lead}{spelled}  end")
        assert card not in digits_of(masked), masked
        assert card[-4:] in digits_of(masked)


def test_keys_of_ours_stay():
    """Of 20,000 payments no key and no reference is altered; 60 were."""
    rng, altered, strange = random.Random(8), [], 0
    for number in range(20_000):
        key = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        reference = f"SP{1 + number * 47:06d}-{key[:8]}"
        texts = [key, uuid.UUID(key).hex, reference, f"void-1-{key}", f'{{"reference": "{reference}"}}']
        masker = Masker(known=(key, uuid.UUID(key).hex, reference))
        altered += [text for text in texts if masker.body(text) != text]
        strange += Masker().text(reference) != reference
    assert not altered, altered[:5]
    assert strange < 60  # without being known as ours a few look like card numbers


def test_known_is_only_what_we_have_made():
    """A card number in the place of a reference is hidden, and so is one beside a key."""
    for known in (*CARDS, "4111-1111-1111-1111", "4111/1111/1111/1111"):
        assert Masker(known=(known,)).text(known) != known
    key = "7d444840-9dc0-41d1-b245-511111111111"
    assert Masker(known=(key,)).text(f"{key} 4111111111111111 {key}") == f"{key} 411111******1111 {key}"
    other = Masker(values=("a-secret-value",)).knowing((key,))
    assert other.text(f"{key} a-secret-value") == f"{key} ***"


HOSTILE = (
    *("4", "4 ", "4444  ", "4444 / ", "4111  1111  1111  1111  ", "4" * 200 + "x", "5018 0000 0000  ", "%34"),
    *(
        "4111%201111%20",
        "&#52;",
        "\\u0034",
        "34 ",
        "34",
        "QUJD",
        "a-b_",
        "QUJDREVGR0hJSktM\n",
        "a=&",
        "a1=4&",
    ),
    *("pin=1&", "[", '{"a": "4111111111111111"},', "&nbsp;", "FR76 ", "eyJaaaaa.", "4111111111111111&"),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_masking_a_hostile_answer_takes_no_time(piece):
    """1 MiB took 7.7 s, a hundred times a million steps of Python; it is cut before it is masked."""
    enough = 10 * min(pace() for _try in range(3))
    text = (piece * (1 + (1 << 20) // len(piece)))[: 1 << 20]
    for body in (text, text.encode(), json.dumps([text])):
        assert min(cpu_seconds(body, enough)) < enough
        assert len(Masker().body(body).encode()) < masking.LIMIT + 100


def pace():
    """CPU seconds of a million steps: what is fast on this machine, at this moment."""
    began, total = time.thread_time(), 0
    for number in range(1_000_000):
        total += number * number % 7
    return time.thread_time() - began


def cpu_seconds(body, enough):
    """Yield how long masking takes, ten tries at most: other programs slow a shared core down."""
    for _try in range(10):
        began = time.thread_time()
        Masker(values=("a-secret-value",)).body(body)
        yield time.thread_time() - began
        if time.thread_time() - began < enough:
            return


@pytest.mark.parametrize(
    "spelling", ["4111111111111111", "4111  1111  1111  1111", "NDExMTExMTExMTExMTExMQ=="]
)
@pytest.mark.parametrize("filler", ["é", "pin=1&", "4111111111111111 "])
def test_nothing_leaks_where_a_long_text_is_cut(spelling, filler):
    """Neither at the cut that is shown nor at the one before the masking, whatever became shorter between."""
    for edge in (masking.LIMIT, masking.LIMIT + card_numbers.OVERLAP):
        for step in (0, 6, 15, 21, 40):
            text = (filler * (edge // len(filler) + 1))[: edge - step] + spelling + "!" * 5000
            for body in (text, text.encode()):
                tail = Masker().body(body).partition("…[truncated")[0][-60:]
                assert not re.search(r"\d{11}|(?:\d{4}  ){2}\d|NDExMTExMTEx", tail), (edge, step, tail)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value(value):
    masked = Masker().value(value)
    assert Masker().value(masked) == Masker().value(Masker().value(masked))


def test_short_secrets_are_hidden_where_they_stand_alone():
    masker = Masker(values=("k7X", "ab"))
    text = "the key k7X was refused (K7X), k7Xtra and ab stay"
    assert masker.text(text) == "the key *** was refused (***), k7Xtra and ab stay"
    assert masker.url("https://x/?a=k7X&b=k7X1") == "https://x/?a=***&b=k7X1"
    assert masker.body(b'{"note": "k7X"}', "application/json") == '{"note": "***"}'


@pytest.mark.parametrize(
    "text, masked, expected",
    [
        ("4111111111111111", "411111******1111", True),
        ("4111 1111 1111 1111", "**** **** **** 1111", True),
        ("tx-4111111111111111-1", "411111xxxxxx1111", True),
        ("5555555555554444", "411111******1111", False),
        ("4111111111111112", "411111******1112", False),  # no check digit: no card number
        ("4111111111111111", "", False),
        ("4111111111111111", None, False),
        ("4111111111111111", "paid by card 1111", False),
        (4111111111111111, "411111******1111", False),
        ("op-000001-1111", "411111******1111", False),
    ],
)
def test_masks_to(text, masked, expected):
    assert masks_to(text, masked) is expected
