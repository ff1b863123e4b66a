"""Paths into an answer: total on every document."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import paths
from api.errors import ProtocolError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "0", "1", "$"]), inner)
    ),
    max_leaves=20,
)
DOCUMENT = {"a": {"b": [10, {"c": None}, False]}, "0": "zero", "e": "", "n": None}


@pytest.mark.parametrize(
    "path, parts",
    [
        ("$", ()),
        ("a", ("a",)),
        ("a.0.b", ("a", 0, "b")),
        ("$.a", ("a",)),
        ("a-b.c_d", ("a-b", "c_d")),
        ("-1", ("-1",)),
        ("²", ("²",)),
        ("1234567", ("1234567",)),
    ],
)
def test_parse(path, parts):
    assert paths.parse(path) == parts


@pytest.mark.parametrize(
    "path",
    ["", ".", "a.", ".a", "a..b", None, 1, [], {}, "a" * 201, ".".join("a" * 17)],
    ids=lambda p: repr(p)[:20],
)
def test_malformed(path):
    with pytest.raises(ProtocolError) as caught:
        paths.parse(path)
    assert caught.value.code == "path"


@pytest.mark.parametrize(
    "path, value",
    [
        ("a.b.0", 10),
        ("a.b.2", False),
        ("0", "zero"),
        ("e", ""),
        ("$", DOCUMENT),
        ("a.b.3", "default"),
        ("a.b.-1", "default"),
        ("a.b.x", "default"),
        ("a.b.0.0", "default"),
        ("n", "default"),
        ("a.b.1.c", "default"),
        ("e.0", "default"),
        ("zz", "default"),
    ],
)
def test_first(path, value):
    assert paths.first(DOCUMENT, [path], "default") == value


def test_first_takes_the_first_that_is_not_null():
    assert paths.first(DOCUMENT, ["n", "zz", "0", "e"]) == "zero"
    assert paths.first(DOCUMENT, []) is None
    assert paths.first([5], ["$.0"]) == 5


def test_found_tells_null_from_absent():
    assert paths.found(DOCUMENT, ["zz", "n", "a.b.0"]) == [None, 10]


@pytest.mark.parametrize("places", [None, "a", 5, [None], ["a..b"]])
def test_paths_are_a_list_of_paths(places):
    with pytest.raises(ProtocolError):
        paths.first(DOCUMENT, places)


@given(
    JSON,
    st.lists(
        st.lists(st.sampled_from(["a", "b", "0", "1", "$", "999999"]), min_size=1, max_size=4), max_size=4
    ),
)
def test_no_document_fails(document, places):
    paths.first(document, [".".join(place) for place in places])


@given(st.text(max_size=30))
def test_any_text_is_a_path_or_refused(text):
    try:
        parts = paths.parse(text)
    except ProtocolError:
        return
    paths.first({"a": [1]}, [text])
    segments = text.split(".")[1:] if text.split(".")[0] == "$" else text.split(".")
    assert len(parts) == len(segments)
    assert all(part == segment or part == int(segment) for part, segment in zip(parts, segments, strict=True))
