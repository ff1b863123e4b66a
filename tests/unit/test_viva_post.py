"""The answer to a request, and to the wish to abort it: certain only where Viva.com has refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viva import words
from viva.post import KINDS, classify_abort, classify_post

HTML = b"<html><body>Bad gateway</body></html>"
QUEUED = ("pending", "queued", "queued")
KNOWN = ("pending", "known", "already_known")
CONFLICT = ("pending", "known", "conflict")
INVALID = ("failed", "refused", "invalid_request")
UNSERVED = ("failed", "refused", "not_served")
DOUBT = ("unknown", "uncertain", "service_error")
BUSY = ("unknown", "busy", "service_busy")


def post(status, body=b"", event=None, repeated=False):
    headers = {} if event is None else {"X-Viva-EventId": str(event)}
    found = classify_post(status, headers, body, repeated)
    return found.state, found.kind, found.reason


def refused_parent(reason):
    return "failed", "refused", reason


@pytest.mark.parametrize(
    ("status", "body", "event", "expected"),
    [
        # taken: whatever stands in the body, it is not "paid"
        *(
            (200, b"", None, QUEUED),
            (200, b"", 1100, QUEUED),
            (200, b"", 1204, QUEUED),
            (202, b"", None, QUEUED),
        ),
        *((200, b'{"success": true}', 1101, QUEUED), (200, b"null", None, QUEUED), (204, b"", None, QUEUED)),
        *((200, HTML, None, ("unknown", "uncertain", "unreadable")),),
        *((200, b"OK", None, ("unknown", "uncertain", "unreadable")),),
        # it is there already
        *(
            (409, b"", 1201, KNOWN),
            (409, b"", 1202, KNOWN),
            (409, HTML, 1212, KNOWN),
            (400, b"", 1201, KNOWN),
        ),
        *((422, b"", 1212, KNOWN), (409, b"", None, CONFLICT), (409, b"{}", 1200, CONFLICT)),
        # refused
        *((400, b"", 1200, INVALID), (400, b"", None, INVALID), (422, b"{}", None, INVALID)),
        *((422, b"", 1200, INVALID), (400, HTML, None, INVALID)),
        *(
            (404, b"", 1203, refused_parent("parent_not_found")),
            (404, b"", 1213, refused_parent("parent_not_found")),
        ),
        *(
            (400, b"", 1203, refused_parent("parent_not_found")),
            (409, b"", 1204, refused_parent("parent_unfinished")),
        ),
        *(
            (400, b"", 1204, refused_parent("parent_unfinished")),
            (422, b"", 1204, refused_parent("parent_unfinished")),
        ),
        *(
            (404, b"", None, UNSERVED),
            (404, HTML, 1201, UNSERVED),
            (405, b"", None, UNSERVED),
            (410, b"", None, UNSERVED),
        ),
        *((status, b"", None, ("failed", "refused", "request_refused")) for status in (406, 413, 415)),
        *(
            (401, b"", None, ("failed", "access", "access_refused")),
            (401, b"", 1201, ("failed", "access", "access_refused")),
        ),
        *((403, HTML, None, ("failed", "access", "access_denied")),),
        # nobody knows
        *((503, b"", 1400, BUSY), (503, HTML, None, BUSY), (429, b"", None, BUSY), (500, b"", 1300, DOUBT)),
        *(
            (500, b"", 1201, DOUBT),
            (500, b"", 1203, DOUBT),
            (502, HTML, None, DOUBT),
            (504, b"", None, DOUBT),
        ),
        *((408, b"", None, DOUBT), (402, b"", None, DOUBT), (425, b"", None, DOUBT), (302, b"", None, DOUBT)),
        *((100, b"", None, DOUBT), (418, b"", 1204, DOUBT), (199, b"", None, DOUBT), (300, b"", None, DOUBT)),
        *(
            (status, b"", 1200, ("unknown", "uncertain", "no_answer"))
            for status in (0, None, "200", True, 200.0)
        ),
    ],
)
def test_post(status, body, event, expected):
    assert post(status, body, event) == expected
    again = ("unknown", "refused_repeat", "refused_repeat") if expected[0] == "failed" else expected
    assert post(status, body, event, repeated=True) == again, (
        "a refused repetition says nothing about the first"
    )
    assert post(status, body, event, repeated="yes") == expected


@pytest.mark.parametrize(
    ("status", "event", "repeated", "repeatable"),
    [
        *(
            (401, None, False, True),
            (403, None, False, True),
            (503, 1400, False, True),
            (500, None, True, True),
        ),
        *(
            (None, None, False, True),
            (200, None, False, False),
            (409, 1201, True, False),
            (400, 1200, False, False),
        ),
        *((401, None, True, False), (400, None, True, False), (404, 1203, False, False)),
    ],
)
def test_what_may_be_sent_again(status, event, repeated, repeatable):
    headers = {"X-Viva-EventId": str(event)} if event else {}
    assert classify_post(status, headers, b"", repeated).repeatable is repeatable


def test_words_and_correlation_are_kept():
    body = json.dumps({"detail": [{"type": "int_type", "loc": ["body", "amount"], "msg": "no int"}]}).encode()
    found = classify_post(422, {"x-viva-correlationid": "23-1", "X-Viva-EventId": "1200"}, body)
    assert (found.answer.detail, found.answer.correlation, found.answer.event) == (
        "amount: no int",
        "23-1",
        1200,
    )
    assert words.sentence(found.reason, found.answer.detail) == (
        "Viva.com did not accept the request (amount: no int). Nothing was begun."
    )
    assert "no int" not in repr(found)


@given(st.integers() | st.none() | st.text(), st.none() | st.text(), st.binary() | st.text(), st.booleans())
def test_any_answer_to_a_post(status, event, body, repeated):
    for number in (status, 200, 409, 422):
        found = classify_post(number, {"X-Viva-EventId": event}, body, repeated)
        assert found.state in ("pending", "failed", "unknown") and found.kind in KINDS
        assert found.reason in words.SENTENCES
        assert found.state != "failed" or found.answer.status in (
            400,
            401,
            403,
            404,
            405,
            406,
            409,
            410,
            413,
            415,
            422,
        )


# -- abort

HEARD = ("cancelling", "abort_accepted")
STARTED = ("cancelling", "abort_started")


@pytest.mark.parametrize(
    ("status", "body", "event", "expected", "repeatable"),
    [
        *((200, b"", 1104, HEARD, False), (202, b"{}", None, HEARD, False), (204, b"", None, HEARD, False)),
        *(
            (409, b"", None, STARTED, False),
            (409, b"", 1208, STARTED, False),
            (400, b"", 1208, STARTED, False),
        ),
        *(
            (403, b"", 1206, (None, "other_register"), False),
            (403, b"", None, (None, "other_register"), False),
        ),
        *(
            (404, b"", 1205, (None, "abort_not_found"), False),
            (401, b"", None, (None, "access_refused"), True),
        ),
        *((503, b"", None, (None, "service_busy"), True), (429, b"", None, (None, "service_busy"), True)),
        *((500, b"", None, (None, "service_error"), True), (400, b"", None, (None, "service_error"), True)),
        *((200, HTML, None, (None, "service_error"), True), (302, b"", None, (None, "service_error"), True)),
        *((None, b"", None, (None, "no_answer"), True), ("200", b"", None, (None, "no_answer"), True)),
    ],
)
def test_abort(status, body, event, expected, repeatable):
    found = classify_abort(status, {"X-Viva-EventId": str(event)}, body)
    assert (found.state, found.reason) == expected
    assert found.repeatable is repeatable


@given(st.integers() | st.none(), st.none() | st.text(), st.binary() | st.text())
def test_an_abort_is_a_wish(status, event, body):
    for number in (status, 200, 409):
        found = classify_abort(number, {"X-Viva-EventId": event}, body)
        assert found.state in ("cancelling", None) and found.reason in words.SENTENCES
