"""What the server log says of an address: the path, and nothing of what some addresses carry."""

import logging

import pytest

from api.server_log import QueryFilter


def said(message, *arguments, paths=("/payment/x", "/payment/x/ipn")):
    """Return the text of a record after the filter."""
    record = logging.LogRecord("werkzeug", logging.INFO, "", 1, message, arguments, None)
    hidden = QueryFilter()
    hidden.add(paths)
    assert hidden.filter(record)
    return record.getMessage()


@pytest.mark.parametrize("path", ["/payment/x", "/payment/x/ipn", "/fr/payment/x", "/payment/x/"])
def test_hidden(path):
    """As werkzeug says it, in colour too; after a language and before a slash."""
    line = f"\x1b[1mGET {path}?token=abc&Ref=a b?c HTTP/1.1\x1b[0m"
    text = said('1.2.3.4 - - [now] "%s" %s %s', line, "200", "-")
    assert text == f'1.2.3.4 - - [now] "\x1b[1mGET {path}?*** HTTP/1.1\x1b[0m" 200 -'


def test_hidden_in_the_text_itself():
    """As gevent says it, and a request that is none."""
    assert (
        said('1.2.3.4 "GET /payment/x?a=b HTTP/1.0" 200 5') == '1.2.3.4 "GET /payment/x?*** HTTP/1.0" 200 5'
    )
    assert said('"%s"', "GET /payment/x?a=b\nc") == '"GET /payment/x?***"'


@pytest.mark.parametrize("text", ["GET /payment/other?a=b HTTP/1.1", "GET /payment/x HTTP/1.1", "100 %"])
def test_all_else_stays(text):
    """Other addresses keep their query: it is what a log is read for."""
    assert said("%s", text) == text


def test_arguments_that_are_no_text():
    """Odoo puts times and counts there."""
    assert said("%s %d %.3f", "/payment/x?a", 3, 0.5) == "/payment/x?*** 3 0.500"


def test_card_number_in_an_address():
    """Whatever address it is, encoded or not."""
    assert said("GET %s HTTP/1.1", "/web?card=4111111111111111") == "GET /web?card=411111******1111 HTTP/1.1"
    assert "4111%2011" not in said("%s", "/shop?q=4111%201111%201111%201111")
