"""What a provider writes is shown, never run: in a spreadsheet, in a history, on a customer's page."""

import io
import json
import re
import urllib.parse
import zipfile

import pytest
from hostile import Hostile
from test_routes import ogone_message
from watch import settle
from wire import Ask, send

FORMULAS = ("=HYPERLINK(0)", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1")
HTML = "<img src=x onerror=alert(4971)><script>alert(4971)</script>{{4971}}"
RUNS = re.compile(r"<(img|script)[^>]*4971|<script>alert", re.IGNORECASE)
FIELDS = ("cardBrand", "authorizationCode", "entryMode", "rrn", "stan", "merchantId", "aid", "declineMessage")


def speaking(texts):
    """Return a function that answers as PayperCloud does, the texts in its fields."""
    facts = {name: texts[place % len(texts)] for place, name in enumerate(FIELDS)}

    def answer(path):
        ended = path.partition("?")[0].endswith(("/status", "/result"))
        state = {"operationId": "4971", "status": "declined" if ended else "pending"}
        return json.dumps({**state, **(facts if ended else {})}).encode()

    return answer


@pytest.fixture(scope="module")
def written(suite, shop):
    """{"formula", "html": id of an operation of which a provider has written so}."""
    admin, company = suite.user("admin"), [shop.facts["company"]]
    was = admin.call("res.company", "read", company, ["servipay_base_url"])[0]["servipay_base_url"]
    found = {}
    with Hostile() as provider:
        admin.call("res.company", "write", company, {"servipay_base_url": provider.url})
        provider.kind = "application/json"
        for name, texts in (("formula", FORMULAS), ("html", (HTML,))):
            provider.answer = speaking(texts)
            key = shop.sell("paypercloud")
            assert shop.state(key) == "declined"
            query = f"SELECT id FROM servipay_operation WHERE idempotency_key = '{key}'"
            found[name] = int(suite.sql(query)[0][0])
        admin.call("res.company", "write", company, {"servipay_base_url": was})
    return found


@pytest.fixture(scope="module")
def told(suite, shop):
    """The transaction of an online payment that the platform has refused in such words."""
    online = shop.facts["online"]["ogone"]
    for payid, brand in (("271828", HTML), ("271829", FORMULAS[0])):
        more = {"STATUS": "2", "PAYID": payid, "NCERROR": "30001001", "BRAND": brand, "ACCEPTANCE": ""}
        body = ogone_message(online["reference"], "Sim-out.Back-2026", CN=HTML, **more)
        assert send(suite, Ask("POST", "/payment/ogone/return", body=body))[0] == 200
    settle(suite)
    return online


def exported(suite, model, number, names, kind):
    """Return the bytes of a file that Odoo's own export makes."""
    user = suite.user("admin")
    fields = [{"name": name, "label": name, "type": "char", "store": True} for name in names]
    data = {"model": model, "fields": fields, "ids": [number], "domain": [], "import_compat": False}
    form = {"data": json.dumps({**data, "groupby": [], "context": {}})}
    page = user.get("/odoo" if suite.context.series != "17.0" else "/web")[1]
    form["csrf_token"] = re.search(r'csrf_token: "(\w+)"', page)[1]
    body = urllib.parse.urlencode(form).encode()
    ask = Ask("POST", f"/web/export/{kind}", body=body, cookie=user.session_cookie)
    status, _headers, content = send(suite, ask)
    assert status == 200, content[:500]
    return content


TEXTS = [
    "card_brand",
    "authorization_code",
    "entry_mode",
    "rrn",
    "stan",
    "merchant_id",
    "aid",
    "decline_message",
]


def test_spreadsheets(suite, written):
    """Neither file holds a formula, and both hold the text."""
    book = exported(suite, "servipay.operation", written["formula"], TEXTS, "xlsx")
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
        strings = parts.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet
    assert "'=HYPERLINK(0)" in strings and "'@SUM(1)" in strings and "'-2+3" in strings
    text = exported(suite, "servipay.operation", written["formula"], TEXTS, "csv").decode("utf-8-sig")
    cells = re.findall(r'"((?:[^"]|"")*)"', text)
    assert "'=HYPERLINK(0)" in cells and not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_histories(suite, shop, written, told):
    """Messages in the histories of operations, payments and invoices."""
    number = {"transaction": "payment.transaction", "invoice": "account.move"}
    pairs = [("servipay.operation", each) for each in written.values()]
    pairs += [(model, told[name]) for name, model in number.items()]
    bodies = []
    for model, row in pairs:
        domain = [("model", "=", model), ("res_id", "=", row)]
        found = suite.user("admin").call("mail.message", "search_read", domain, ["body"])
        bodies += [message["body"] for message in found]
    assert len(bodies) >= 3
    assert not [body for body in bodies if RUNS.search(body)]


def test_pages_of_customers(suite, shop, told):
    """The invoice and the state of the payment, as the portal shows them."""
    admin, customer = suite.user("admin"), suite.user("portal")
    address = admin.call("account.move", "get_portal_url", [told["invoice"]])
    pages = [customer.get(path) for path in (address, "/my/invoices", "/payment/status")]
    assert [status for status, _text in pages] == [200, 200, 200]
    assert not [text for _status, text in pages if RUNS.search(text)]


def test_alerts_by_mail(suite, shop, told):
    """An order that nobody knows, in words that would run in a mail."""
    order = "<img src=x4971>"
    body = ogone_message(order, "Sim-out.Back-2026", PAYID="4971")
    assert send(suite, Ask("POST", "/payment/ogone/return", body=body))[0] == 200
    count = "SELECT count(*) FROM servipay_alert WHERE reference LIKE '%x4971%'"
    suite.wait_until(lambda: suite.sql(count) != [["0"]], what="the alert")
    found = suite.sql("SELECT body_html FROM mail_mail WHERE body_html LIKE '%x4971%'")
    assert found and not [body for (body,) in found if "<img src=x4971" in body]
