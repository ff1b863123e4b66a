"""A hostile corpus: secrets in every carrier and encoding that a payment addon meets. Plain Python, no Odoo,
no pytest.

Each probe is ``(name, payload, content_type, hidden, options)``: after masking none of the texts in
``hidden`` may be left. Card numbers are the public test numbers of the schemes."""

import base64
import html
import json
from urllib.parse import quote, quote_plus, urlencode

API_KEY = "sk-live-Zq7+w/9a2c41=é"  # characters that every encoding treats differently
CARDS = (
    "4111111111111111",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "4222222222222",
    "6304000000000000",
    "501800000009",  # Maestro has 12 digits and more
    "30569309025904",
)
# names under which the providers of this suite send secrets (protocols/*.md), in the spellings of the field
NAMES = (
    *(
        "api_key",
        "apiKey",
        "X-Api-Key",
        "API KEY",
        "client_secret",
        "clientSecret",
        "password",
        "Passphrase",
        "PSWD",
    ),
    *(
        "SHASIGN",
        "shaSign",
        "SHA-IN",
        "sha_out",
        "hmac",
        "PBX_HMAC",
        "CLE",
        "token",
        "access_token",
        "refreshToken",
    ),
    *(
        "CVC",
        "cvv",
        "CVV2",
        "pin",
        "pinBlock",
        "track2",
        "trackData",
        "DATEVAL",
        "private_key",
        "signature",
        "secret",
    ),
)
BENIGN = (
    # moments, telephones, amounts and numbers of ours, in whatever company
    *(
        "1764532800123",
        "1764532800123456",
        "20261130104214",
        "2026-11-30 10:42:14.123456",
        "30/11/2026 10:42",
    ),
    *("+33 6 12 34 56 78", "0033612345678", "06 12 34 56 78 / 01 23 45 67 89", "12.34  56.78  90.12  34.56"),
    *("SP000001-12345678", "SP000042-00000000 SP000043-11111118", "2024, 2025, 2026, 2027"),
    *(
        "7d444840-9dc0-41d1-b245-511111111111",
        "24444840-9000-4111-8245-511111111111",
        "[1, 20, 300, 4000, 50000]",
    ),
    *("status: approved", "operationId=42&status=pending", '{"reference": "SP000017-1f2e", "amount": 1234}'),
    *(
        "Idempotency-Key: 7d444840-9dc0-11d1-b245-5ffdce74fad2",
        "shipping: yes",
        "keyboard: qwerty",
        "panic: no",
    ),
    *(
        "authorization_code: A1B2C3",
        "authorizationCode=123456",
        "track_id: 7",
        "spinner=on",
        "company: Pan Ltd",
    ),
    *(
        "2026-11-22T01:53:59.653670Z",
        "+352 2020 2327",
        "amount 1234567.89 EUR",
        "RRN 632401234567",
        "STAN 000123",
    ),
    *(
        '{"maskedPan": "411111******1111"}',
        "card 411111******1111 approved",
        "4111 11** **** 1111",
        "last 4: 1111",
    ),
    *(
        "GET /api/v2/operations/42/status?pos_pid=POS1&tpe_pid=T1",
        "HTTP 202 in 12.5 ms",
        "tokens are great",
        "<status>ok</status>",
    ),
    *(
        "1234567890123",
        "4111111111111112",
        "20261122015359",
        "123e4567-e89b-12d3-a456-426614174000",
        "A0000000031010",
    ),
    *(
        '[{"a": 1.10, "b": null, "c": [true, false]}]',
        '{"totals": [{"type": "purchase", "count": 2, "amount": 2234}]}',
    ),
    *(
        "Basic information about the till",
        "the bearer of this note",
        "C:\\keys\\readme.txt",
        "https://api.example.com/v2?x=1",
    ),
    *(
        "secretary: Anne",
        "tokenless",
        "passwordless login",
        "pins and needles",
        "a=b",
        "",
        "0",
        "é",
        "💳",
        "null",
        "[]",
        "{}",
    ),
    *(
        "x-request-id: 0001",
        "Content-Type: application/json",
        "posId: POS1",
        "pid: T1",
        "batch 000042",
        "EUR 978",
        "TVA 20,0 %",
    ),
    *(
        "DE89 3704 0044 0532 0130 01",
        "FR76 is the start of an IBAN",
        "Visa ending 1111",
        "Ticket 0042 de 10:31",
        "AID A0000000031010",
    ),
    *(
        "merchant 123456789012",
        "contract 1999888",
        "rank 32",
        "site 1999888",
        "-----BEGIN CERTIFICATE-----",
        "key: value",
        "Retry-After: 5",
    ),
)


def _marker(number):
    return f"Mk{number:05d}vqXz"


def _by_name():
    """Each name in each carrier with a value of its own."""
    number = 0
    for name in NAMES:
        for carrier, make in CARRIERS.items():
            number += 1
            value = _marker(number)
            payload, content_type = make(name, value)
            yield f"{carrier} {name}", payload, content_type, (value,), {}


CARRIERS = {
    "json": lambda n, v: (json.dumps({"a": 1, n: v}), "application/json"),
    "nested json": lambda n, v: (json.dumps({"data": [{"x": {n: v}}]}), "application/json"),
    "json object under the name": lambda n, v: (json.dumps({n: {"value": v}}), "application/json"),
    "json in json": lambda n, v: (json.dumps({"raw": json.dumps({n: v})}), "application/json"),
    "json bytes with BOM": lambda n, v: (b"\xef\xbb\xbf" + json.dumps({n: v}).encode(), "application/json"),
    "broken json": lambda n, v: (
        '{"a": [1, {"' + n.replace(" ", "_") + '": "' + v + '", ',
        "application/json",
    ),
    "twins": lambda n, v: (
        '{"%s": "%s", "%s": "x"}' % (n.replace(" ", "_"), v, n.replace(" ", "_")),
        "application/json",
    ),
    "form": lambda n, v: (urlencode({"a": "1", n.replace(" ", "_"): v}), "application/x-www-form-urlencoded"),
    "form without a type": lambda n, v: (urlencode({"a": "1", n.replace(" ", "_"): v}).encode(), ""),
    "encoded form name": lambda n, v: ("a=1&" + "".join(f"%{b:02X}" for b in n.encode()) + "=" + v, ""),
    "xml element": lambda n, v: (f"<r><{_tag(n)}>{v}</{_tag(n)}></r>", "text/xml"),
    "xml with namespace": lambda n, v: (f'<p:{_tag(n)} a="1">{v}</p:{_tag(n)}>', "application/xml"),
    "xml cdata": lambda n, v: (f"<{_tag(n)}><![CDATA[{v}]]></{_tag(n)}>", "text/xml"),
    "xml attribute": lambda n, v: (f'<order {_tag(n)}="{v}" x="1"/>', "text/xml"),
    "broken xml": lambda n, v: (f"<r><{_tag(n)}>{v}", "text/xml"),
    "multipart": lambda n, v: (_multipart(n, v), "multipart/form-data; boundary=b"),
    "text line": lambda n, v: (f"sent {n.replace(' ', '_')}: {v}\nnext", "text/plain"),
    "text assignment": lambda n, v: (f"{n.replace(' ', '_')} = '{v}'", "text/plain"),
    "python repr": lambda n, v: (repr({n.replace(" ", "_"): v}), "text/plain"),
    "escaped json in text": lambda n, v: (
        'body={\\"%s\\": \\"%s\\"}' % (n.replace(" ", "_"), v),
        "text/plain",
    ),
    "exception text": lambda n, v: (_url_error(n, v), "text/plain"),
}


def _tag(name):
    return name.replace(" ", "_")


def _multipart(name, value):
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: text/plain\r\n\r\n'
    return f"{head}{value}\r\n--b--\r\n"


def _url_error(name, value):
    url = f"/p?a=1&{quote(name)}={value}"
    return f"HTTPSConnectionPool(host='h', port=443): Max retries exceeded with url: {url} (Caused by X)"


def _by_value():
    """A literal secret in every encoding, under names that say nothing."""
    raw = API_KEY.encode()
    forms = {
        "plain": API_KEY,
        "percent": quote(API_KEY, safe=""),
        "plus": quote_plus(API_KEY),
        "html": html.escape(API_KEY),
        "json": json.dumps(API_KEY)[1:-1],
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "unicode escapes": "".join(f"\\u{ord(c):04x}" for c in API_KEY),
        **{f"base64 after {n}": base64.b64encode(b"u" * n + b":" + raw).decode() for n in range(4)},
        "urlsafe base64": base64.urlsafe_b64encode(raw).decode(),
    }
    frames = ("{}", "x={}&y=1", '{{"note": "{}"}}', "<a>{}</a>", "failed for {} today", "['{}']")
    for name, form in forms.items():
        hidden = (API_KEY, form if "base64" not in name else form[4:-6])
        for frame in frames:
            yield f"value {name} in {frame}", frame.format(form), "", hidden, {"values": (API_KEY,)}


def _card_numbers(few):
    separators = (
        *(
            "",
            " ",
            "-",
            ".",
            "\u00a0",
            "  ",
            "\t",
            "\n",
            "\r\n",
            "\u2013",
            "/",
            ",",
            "+",
            "\u2009",
            " - ",
            " / ",
        ),
        *("_", ":", "|", "%20", "%2D", "%C2%A0", "%20%20", "&nbsp;", "&#160;", "&#x2009;", "&thinsp;", "\\t"),
        *("\\n", "\\u00a0", "   ", ", ", "\t\t", "\u202f", "\u3000", " \u00b7 ", "%0A", "&nbsp;&nbsp;"),
    )
    frames = ("{}", "card {} refused", '{{"note": "{}"}}', "a={}&b=1", "<x>{}</x>", "PAN={}", "({})", "x{}x")
    frames = frames[:3] if few else frames
    for card in CARDS[-2:] if few else CARDS:
        spellings = [sep.join(card[i : i + 4] for i in range(0, len(card), 4)) for sep in separators]
        spellings += [
            "".join(chr(0x0660 + int(d)) for d in card),
            "".join(chr(0xFF10 + int(d)) for d in card),
        ]
        for spelling in spellings:
            for frame in frames:
                yield f"card {spelling} in {frame}", frame.format(spelling), "", (spelling, card), {}
        for name, spelling in _encoded(card).items():
            for frame in frames[:1] if few else frames[:5]:
                yield f"card {card} {name} in {frame}", frame.format(spelling), "", (spelling, card), {}
        yield f"card {card} as a number", json.dumps({"n": int(card)}), "application/json", (card,), {}
        yield f"card {card} as a key", json.dumps({card: 1}), "application/json", (card,), {}
        yield f"card {card} track 2", f";{card}=25121010000012300000?", "", (card, "2512101"), {}
        track = f"%B{card}^DOE/JOHN^25121010000012300000?"
        yield f"card {card} track 1", track, "", ("2512101", card[1:], card), {}
        more = "".join(f"%{ord(char):02X}" for char in "4111111111111111")
        yield f"card {card} track 1, more encoded", f"{track} {more}", "", (card[1:], card), {}
        yield f"card {card} unseen between", "\u200b".join(card), "", ("\u200b".join(card), card), {}
        yield f"card {card} in a path", f"https://h/cards/{card}/pay?x=1", "", (card,), {}


def _encoded(card):
    """A card number inside something that has to be decoded first."""
    slip = f"CARTE BANCAIRE\n{card[:4]} {card[4:8]} {card[8:12]} {card[12:]}\nMONTANT 12,34".encode()
    raw = card.encode()
    return {
        "base64": base64.b64encode(raw).decode(),
        "base64 without its end": base64.b64encode(raw).decode().rstrip("="),
        "a slip in base64": base64.b64encode(slip).decode(),
        "a slip in lines of base64": base64.encodebytes(slip * 2).decode().strip(),
        "base64 of JSON": base64.urlsafe_b64encode(b'{"n": "%s"}' % raw).decode(),
        "base64 behind a path": "/b/" + base64.b64encode(b"no. " + raw).decode(),
        "hex": raw.hex(),
        "HEX of a slip": slip.hex().upper(),
        "hex with spaces": raw.hex(" "),
        "percent": "".join(f"%{ord(char):02X}" for char in card),
        "html": "".join(f"&#{ord(char)};" for char in card),
        "html hex": "".join(f"&#x{ord(char):x};" for char in card),
        "half percent": card[:8] + "".join(f"%{ord(char):02X}" for char in card[8:]),
        "json escapes": "".join(f"\\u{ord(char):04x}" for char in card),
    }


def _free_text():
    token = "Tk9vdC1hLXJlYWwtdG9rZW4tMDE="
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
    pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7x\nabc\n-----END RSA PRIVATE KEY-----"
    lines = {
        "bearer": (f"Authorization: Bearer {token}", token),
        "basic": (f"authorization: basic {token}", token),
        "bearer in a sentence": (f"the header Bearer {token} was refused", token),
        "proxy": (f"Proxy-Authorization: Digest {token}", token),
        "cookie": ("Cookie: session_id=abc123def; other=zzz999", "abc123def"),
        "set-cookie": ("Set-Cookie: sid=abc123def; Path=/; HttpOnly", "abc123def"),
        "jwt": (f"got {jwt} back", jwt),
        "pem": (f"key:\n{pem}\n", "MIIEowIBAAKCAQEA7x"),
        "pem without an end": (pem[:60], "MIIEowIBAAKCAQEA7x"),
        "userinfo": ("https://shop:s3cretpw@host/path", "s3cretpw"),
        "curl user": ("curl -u shop:s3cretpw https://h", "s3cretpw"),
        "curl header": (f"curl -H 'Authorization: Bearer {token}' https://h", token),
        "spoken": ("my API key is qwertz-99-x", "qwertz-99-x"),
        "iban": ("pay to FR7630006000011234567890189 now", "30006000011234567890"),
        "iban in groups": ("DE89 3704 0044 0532 0130 00", "3704 0044 0532"),
        "length before the number": ("16" + CARDS[0], CARDS[0]),
    }
    for name, (payload, hidden) in lines.items():
        yield f"text {name}", payload, "", (hidden,), {}
        yield f"text {name} in json", json.dumps({"message": payload}), "application/json", (hidden,), {}


def probes(few=False):
    """Yield every probe; ``few``: two card numbers in fewer frames, where each probe takes a transaction."""
    yield from _by_name()
    yield from _by_value()
    yield from _card_numbers(few)
    yield from _free_text()
