"""Templates: typed values, dropped keys, literal braces, and no way out of a value's place."""

from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import templates
from api.errors import ProtocolError

VALUES = {
    "amount": 1234,
    "reference": "R 1/2",
    "pos_id": "P",
    "date": "",
    "period": None,
    "operation_id": "op",
}


@pytest.mark.parametrize(
    "template, expected",
    [
        ("{amount}", 1234),
        ("x{amount}", "x1234"),
        ("{pos_id}-{amount}", "P-1234"),
        ("{{{amount}}}", "{1234}"),
        ("{{amount}}", "{amount}"),
        ("", ""),
        ({"a": "{amount}", "b": "{date?}", "c": "{period?}", "d": "{pos_id?}"}, {"a": 1234, "d": "P"}),
        (["{date?}", "{pos_id}", "a{date?}b"], ["P"]),
        ({"a": {"b": "{date?}"}}, {"a": {}}),
        ({"a": 1, "b": 1.5, "c": None, "d": True, "e": Decimal("1.50")}, None),
        ("{date?}", None),
        (7, 7),
    ],
)
def test_render(template, expected):
    rendered = templates.render(template, VALUES)
    if isinstance(template, dict) and expected is None:
        expected = template
    assert rendered == expected and repr(rendered) == repr(expected)


def test_zero_is_a_value():
    assert templates.render({"a": "{amount?}"}, {"amount": 0}) == {"a": 0}


def test_decimals_stay_plain_in_text():
    assert templates.render("x{amount}", {"amount": Decimal("1E+3")}) == "x1000"


@pytest.mark.parametrize("name", ["date", "period", "currency"])
def test_required_and_empty(name):
    with pytest.raises(ProtocolError) as caught:
        templates.render({"a": f"x{{{name}}}"}, VALUES)
    assert (caught.value.code, caught.value.field) == ("missing_variable", name)


@pytest.mark.parametrize(
    "text, code",
    [
        ("{secret}", "unknown_variable"),
        ("{__class__}", "unknown_variable"),
        ("{amount.real}", "placeholder"),
        ("{amount!r}", "placeholder"),
        ("{amount:>10}", "placeholder"),
        ("{amount[0]}", "placeholder"),
        ("{}", "placeholder"),
        ("{0}", "unknown_variable"),
        ("{amount??}", "placeholder"),
        ("{ amount }", "placeholder"),
        ("{", "placeholder"),
        ("}", "placeholder"),
        ("{{{amount}}", "placeholder"),
        ("x" * 501, "too_long"),
    ],
)
def test_malformed_text(text, code):
    for template in (text, {"a": [text]}):
        problems = templates.problems(template)
        assert [problem.code for problem in problems] == [code]
        assert problems[0].field == ("" if template is text else "a.0")
        for call, arguments in ((templates.render, (template, VALUES)), (templates.variables, (template,))):
            with pytest.raises(ProtocolError) as caught:
                call(*arguments)
            assert caught.value.code == code


def test_every_problem_is_found():
    problems = templates.problems({"a": "{x}", "b": ["ok", "{"], "c": {"d": "{y}"}})
    assert [(problem.field, problem.code) for problem in problems] == [
        ("a", "unknown_variable"),
        ("b.1", "placeholder"),
        ("c.d", "unknown_variable"),
    ]


def _nested(depth):
    return [_nested(depth - 1)] if depth else "x"


@pytest.mark.parametrize(
    "template, code",
    [
        ({"{amount}": 1}, "key"),
        ({"a}": 1}, "key"),
        ({"": 1}, "key"),
        ({1: 1}, "key"),
        ({"x" * 501: 1}, "key"),
        ([float("nan")], "type"),
        ([float("inf")], "type"),
        ([b"x"], "type"),
        ([{1, 2}], "type"),
        (_nested(9), "too_deep"),
        (_nested(500), "too_deep"),
        (["x"] * 300, "too_large"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_malformed_structure(template, code):
    assert [problem.code for problem in templates.problems(template)] == [code]
    with pytest.raises(ProtocolError):
        templates.render(template, VALUES)


def test_the_deepest_and_the_largest_template():
    assert templates.problems(_nested(8)) == []
    assert templates.problems(["x"] * 199) == []


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        [],
        {"$ne": 1},
        b"x",
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("1E+99"),
        10**18,
        -(10**18),
        "a\nb",
        "a\x00",
        "\ud800",
        "x" * 501,
    ],
    ids=repr,
)
def test_values_that_no_request_carries(value):
    for call in (
        lambda: templates.render({"a": "{reference}"}, {"reference": value}),
        lambda: templates.render({"a": "{reference?}"}, {"reference": value}),
        lambda: templates.render_path("/{reference}", {"reference": value}),
    ):
        with pytest.raises(ProtocolError) as caught:
            call()
        assert caught.value.code == "value"


@pytest.mark.parametrize("values", [None, [], "x", 5])
def test_values_come_by_name(values):
    for call in (lambda: templates.render("x", values), lambda: templates.render_path("/{pos_id}", values)):
        with pytest.raises(ProtocolError):
            call()


def test_variables():
    template = {"a": "{amount}{date?}", "b": ["{amount?}", "{{pos_id}}"], "c": "{period?}{period?}", "d": 1}
    assert templates.variables(template) == {"amount": False, "date": True, "period": True}
    assert list(templates.variables(["{date}", "{amount}"])) == ["date", "amount"]


@pytest.mark.parametrize(
    "text, values, expected",
    [
        ("/a/{operation_id}/b", {"operation_id": "x/../y?z#%2e"}, "/a/x%2F..%2Fy%3Fz%23%252e/b"),
        ("/a/{operation_id}", {"operation_id": "é "}, "/a/%C3%A9%20"),
        ("/a/{operation_id}", {"operation_id": 12}, "/a/12"),
        ("/a/{operation_id}", {"operation_id": Decimal("1E+2")}, "/a/100"),
        ("/a/v{operation_id}.json", {"operation_id": "."}, "/a/v..json"),
        ("/a/{{x}}", {}, "/a/{x}"),
        ("/plain", {}, "/plain"),
    ],
)
def test_render_path(text, values, expected):
    assert templates.render_path(text, values) == expected


@pytest.mark.parametrize(
    "text, values",
    [
        ("/a/{operation_id}", {"operation_id": ""}),
        ("/a/{operation_id?}", {"operation_id": ""}),
        ("/a/{operation_id}", {}),
        ("/a/{operation_id}/b", {"operation_id": "."}),
        ("/a/{operation_id}/b", {"operation_id": ".."}),
        ("/a/.{operation_id}", {"operation_id": "."}),
        ("/a/{operation_id}{pos_id}/b", {"operation_id": ".", "pos_id": "."}),
        ("/a/{foo}", {"foo": "x"}),
        (None, {}),
        (["/a"], {}),
    ],
)
def test_render_path_refuses(text, values):
    with pytest.raises(ProtocolError):
        templates.render_path(text, values)


@given(st.text(min_size=1, max_size=40))
def test_a_value_never_leaves_its_segment(value):
    try:
        path = templates.render_path("/a/{operation_id}/b", {"operation_id": value})
    except ProtocolError:
        return
    assert path.count("/") == 3 and not set("?#\\ \r\n") & set(path) and path.isascii()
    assert unquote(path.split("/")[2]) == value


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["{amount}", "{date?}", "{pos_id}x", "{{", "{", "{x}", "{amount?}{date?}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.dictionaries(st.sampled_from(templates.VARIABLES), JSON, max_size=4))
def test_any_template_with_any_values(template, values):
    for call in (templates.variables, templates.problems):
        try:
            call(template)
        except ProtocolError:
            continue
    for call in (templates.render, templates.render_path):
        try:
            call(template, values)
        except ProtocolError:
            continue


@given(st.text(max_size=20))
def test_text_without_braces_is_itself(text):
    plain = text.replace("{", "").replace("}", "")
    assert templates.render(plain, {}) == plain
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert templates.render(doubled, {}) == text
