"""Who can have any text signed by the platform: nothing that it did not take for an invoice pays it.

Paybox signs for all its merchants, and for everybody who plays in its test shop, with one key. Ogone: see
test_cheating_ogone.py.
"""

import pytest
from cheating import at_once
from portal import FOREIGN_OUT, IPN, RETURNS, Browser, call_of, paid_small, simulator_of

from tools.running import RpcError

pytestmark = pytest.mark.usefixtures("true_books")
WAYS = (IPN, RETURNS["paybox"])


# --- Paybox: payments that another merchant got, or nobody


@pytest.mark.parametrize("way", WAYS)
def test_payment_of_another_merchant(market, customer, forger, way):
    """Right reference, right amount, signed: the platform does not know it as ours."""
    invoice = market.invoice()
    form = customer.start(invoice, "paybox")
    call = call_of(customer.open(form))
    assert forger.send(forger.paybox(form.reference, 12000, forger.next_number(), call), way) < 400
    assert "unconfirmed" in market.told_at_last(invoice)
    market.unpaid(invoice)
    customer.pay(form)
    market.paid_at_last(invoice, 120)


@pytest.mark.parametrize("existence", [True, False])
def test_number_of_a_small_payment(market, customer, forger, behaves, existence):
    """1.00 was taken and booked; its number is presented for an invoice of 1000.00, spelled in every way."""
    behaves("paybox", existence=existence)
    large = market.invoice(1000)
    form = customer.start(large, "paybox")
    small, number, call = paid_small(market, Browser(market, "mallory"), "paybox")
    market.paid(small, 1)
    for spelled in (number, f"0{number}", f"{int(number):010d}", f"{number} ", f"+{number}", f"{number}.0"):
        for way in WAYS:
            forger.send(forger.paybox(form.reference, 100000, spelled, call), way)
            forger.send(forger.paybox(form.reference, 100, spelled, f"0{call}"), way)
    assert market.told_at_last(large)
    market.unpaid(large, 1000)


def test_number_of_another_company(market, customer, forger):
    """Two companies of one database have one contract: what one of them got pays nothing of the other."""
    large, mallory = market.invoice(1000), Browser(market, "mallory")
    form = customer.start(large, "paybox")
    foreign = mallory.start(
        market.foreign_invoice, "paybox", provider_id=market.providers["paybox"]["foreign"]
    )
    page = mallory.open(foreign)
    mallory.click(page)
    market.paid(market.foreign_invoice, 1)
    [number] = [number for name, _amount, number in market.charges("paybox") if name == foreign.reference]
    forger.send(forger.paybox(form.reference, 100000, number, call_of(page)))
    assert "mismatch" in market.told_at_last(large)
    market.unpaid(large, 1000)


def test_small_payment_whose_message_is_on_its_way(market, customer, forger, behaves):
    """The platform has taken 1.00 and has not told yet: its number is presented for 1000.00 meanwhile."""
    large = market.invoice(1000)
    form = customer.start(large, "paybox")
    behaves("paybox", notify="never")
    small, number, call = paid_small(market, Browser(market, "mallory"), "paybox")
    forger.send(forger.paybox(form.reference, 100000, number, call))
    market.quiet()
    market.platforms["paybox"].call("set", notify="before")
    market.platforms["paybox"].call("notify", reference=market.references(small)[-1])
    market.paid_at_last(small, 1)
    assert "unconfirmed" in market.told_at_last(large)
    market.unpaid(large, 1000)


def test_paid_in_another_currency(market, customer, forger):
    """12000 of a cheap currency are no 120.00 of the invoice's: the message names none."""
    yen = market.admin.call("res.currency", "search", [("name", "=", "JPY"), ("active", "in", (True, False))])
    market.admin.call("res.currency", "write", yen, {"active": True})
    invoice, mallory = market.invoice(), Browser(market, "mallory")
    form = customer.start(invoice, "paybox")
    cheap = market.invoice(12000, currency_id=yen[0])  # anybody who has the link pays it
    other = mallory.start(cheap, "paybox")
    page = mallory.open(other)
    number = forger.next_number()
    for guess in range(number, number + 12):
        forger.send(forger.paybox(form.reference, 12000, guess, call_of(page)))
    mallory.click(page)
    market.quiet()
    market.later()
    market.unpaid(invoice)
    customer.pay(form)
    market.paid_at_last(invoice, 120)
    market.paid_at_last(cheap, 12000)


# --- Paybox: numbers and pages that somebody else needs


def test_numbers_taken_before_they_are_given(market, customer, forger):
    """The next numbers are claimed for nothing, and for a page of one's own: the honest payment is booked."""
    own, invoice, mallory = market.invoice(5, "mallory"), market.invoice(), Browser(market, "mallory")
    page = mallory.start(own, "paybox")
    form = customer.start(invoice, "paybox")
    call = call_of(customer.open(form))
    for number in range(call + 1, call + 25):
        forger.send(forger.paybox("NOBODY", 12000, number, call))
        forger.send(forger.paybox(page.reference, 499, number, call + 1))
        forger.send(forger.paybox(page.reference, 500, number, call + 1))
    customer.pay(form)
    market.paid_at_last(invoice, 120)
    market.unpaid(own, 5)
    assert market.told_at_last(own)
    mallory.pay(page)
    market.paid_at_last(own, 5)


def test_flood_around_the_honest_payment(market, customer, forger):
    """Thirty invented numbers before it and twenty after it, several at a time: it is booked, and once."""
    invoice = market.invoice()
    form = customer.start(invoice, "paybox")
    page = customer.open(form)
    call, first = call_of(page), forger.next_number() + 10**6

    def flood(begin, count):
        for at in range(begin, begin + count):
            forger.send(forger.paybox(form.reference, 12000, at, call), WAYS[at % 2])

    at_once(*[lambda part=part: flood(first + 10 * part, 10) for part in range(3)])
    customer.come_back(customer.click(page))
    at_once(*[lambda part=part: flood(first + 100 + 10 * part, 10) for part in range(2)])
    market.paid_at_last(invoice, 120)


def test_results_of_somebody_else(market, customer, forger):
    """Refused, cancelled, pending, unclear, said by a forger before and after: the payment is booked."""
    invoice = market.invoice()
    form = customer.start(invoice, "paybox")
    page = customer.open(form)
    errors = ("00105", "00117", "00001", "99999", "00030", "00016", "99998", "0000", "00000 ", "O0000")

    def forge():
        number = forger.next_number() + 5000
        for at, error in enumerate(errors):
            more = {"Erreur": error, "Auto": None if at % 2 else "XXXXXX"}
            forger.send(
                forger.paybox(form.reference, 12000, number + at, call_of(page), **more), WAYS[at % 2]
            )

    forge()
    market.quiet()
    market.unpaid(invoice)
    customer.come_back(customer.click(page))
    market.paid_at_last(invoice, 120)
    forge()
    market.quiet()
    market.later()
    market.paid(invoice, 120)
    assert market.states(invoice) == ["done"]


# --- Paybox: messages again, and messages that are not what they seem


def test_replayed(market, customer, forger):
    """The same message ten times, by every way, with more around it, and again for another reference."""
    invoice, other = market.invoice(), market.invoice()
    forms = [customer.start(one, "paybox") for one in (invoice, other)]
    customer.pay(forms[0])
    market.paid(invoice, 120)
    notes = market.platforms["paybox"].get("books")["notifications"]
    [honest] = [note["query"] for note in notes if note["reference"] == forms[0].reference]
    for way in WAYS:
        for query in (honest, f"x=1&{honest}", f"{honest}&x=1", f"{honest}&Ref={forms[1].reference}"):
            for _time in range(3):
                forger.send(query, way)
    signed = honest.rpartition("&Sign=")[0].replace(forms[0].reference, forms[1].reference)
    forger.send(forger.signed(signed))
    market.quiet()
    assert market.booked(invoice) == [120]
    assert "mismatch" in market.told_at_last(other)
    market.unpaid(other)


def test_message_that_was_refused_stays_refused(market, customer, forger):
    """Signed by a key that nobody knows: sent again and again, and applied again by a person."""
    invoice, stranger = market.invoice(), simulator_of("paybox").make_key("stranger")
    form = customer.start(invoice, "paybox")
    query = forger.paybox(form.reference, 12000, forger.next_number(), 5, key=stranger)
    other = forger.paybox(
        form.reference, 12000, forger.next_number(), 6, key=simulator_of("paybox").make_key("second")
    )
    for way in (*WAYS, *WAYS):
        forger.send(query, way)
        forger.send(other, way)  # what only another company's provider believes
    assert apply_again(market, [query, other])
    market.quiet()
    market.unpaid(invoice)
    assert market.states(invoice) == ["draft"]
    customer.pay(form)
    market.paid_at_last(invoice, 120)


def apply_again(market, queries):
    """Press the button on messages, in both companies, whatever it says; returns how many there are."""
    found = []
    for login in ("admin", "stranger"):
        user = market.suite.user(login)
        stored = user.call("servipay.notification", "search", [("raw_query", "in", queries)])
        found += stored
        for number in stored:
            try:
                user.call("servipay.notification", "action_replay", [number])
            except RpcError as error:
                assert "odoo.exceptions" in error.name, error.debug
    return len(found)


def test_query_that_is_not_signed(market, customer, forger):
    """An honest message of a small payment, changed by hand: every field, every place, every doubling."""
    invoice, mallory = market.invoice(), Browser(market, "mallory")
    form = customer.start(invoice, "paybox")
    small, number, _call = paid_small(market, mallory, "paybox")
    market.paid(small, 1)
    notes = market.platforms["paybox"].get("books")["notifications"]
    honest = next(note["query"] for note in notes if note["reference"] == market.references(small)[-1])
    text, _sign, signature = honest.rpartition("&Sign=")
    wanted = f"Mt=12000&Ref={form.reference}&Auto=XXXXXX&Erreur=00000&Appel=9&Trans={int(number) + 1}"
    for query in (
        *(
            wanted,
            f"{wanted}&Sign=",
            f"{wanted}&Sign={signature}",
            f"{wanted}&{honest}",
            f"{honest}&{wanted}",
        ),
        *(f"{wanted}&Sign={signature}&{honest}", f"{honest}&{wanted}&Sign={signature}"),
        *(text.replace("Mt=100", "Mt=12000") + f"&Sign={signature}", f"{text}%26{wanted}&Sign={signature}"),
        *(f"Sign={signature}&{wanted}", f"{wanted}&sign={signature}", f"{wanted}&Sign=%00&Sign={signature}"),
    ):
        for way in WAYS:
            forger.send(query, way)
    market.quiet()
    market.unpaid(invoice)
    assert market.states(invoice) == ["draft"]


def test_signed_and_ambiguous(market, customer, forger):
    """Texts that two readers read in two ways, and amounts and references that only look right."""
    invoice, own, mallory = market.invoice(), market.invoice(1, "mallory"), Browser(market, "mallory")
    name, mine = customer.start(invoice, "paybox").reference, mallory.start(own, "paybox").reference
    number = forger.next_number() + 9000
    rest = f"Auto=XXXXXX&Erreur=00000&Appel=77&Trans={number}"
    for text in (
        *(f"Mt=100&Ref={mine}&{rest}&Mt=12000&Ref={name}", f"Mt=12000&Ref={name}&Ref={mine}&{rest}"),
        *(f"Mt=12000&%52ef={name}&{rest}", f"Mt=12000&ref={name}&{rest}", f"Mt=12000&Ref={name}%00&{rest}"),
        *(f"Mt=012000.0&Ref={name}&{rest}", f"Mt=%2B12000&Ref={name}&{rest}", f"Mt=1.2e4&Ref={name}&{rest}"),
        *(f"Mt=120.00&Ref={name}&{rest}", f"Mt=&Ref={name}&{rest}", f"Ref={name}&{rest}"),
        *(f"Mt=-12000&Ref={name}&{rest}", f"Mt=12000&Ref={name}&{rest}&Erreur=00105"),
        *(f"Mt=12000&Ref={name}%20&{rest}", f"Mt=12000&Ref=%20{name}&{rest}", f"Mt=12000;Ref={name}&{rest}"),
    ):
        for way in WAYS:
            forger.send(forger.signed(text), way)
    market.quiet()
    market.later()
    market.unpaid(invoice)
    market.unpaid(own, 1)


# --- Paybox: where nobody can be asked


def test_without_inquiries_a_browser_brings_nothing(market, customer, forger, setting):
    """Confirm payments by inquiry is off: what a browser brings waits, and is told after half an hour."""
    setting("paybox", paybox_confirm=False)
    invoice = market.invoice()
    form = customer.start(invoice, "paybox")
    query = forger.paybox(form.reference, 12000, forger.next_number(), 5)
    for _time in range(3):
        forger.send(query, RETURNS["paybox"])
        market.quiet()
        market.unpaid(invoice)
        market.later(40)
    assert market.told(invoice)
    customer.pay(form)
    market.paid_at_last(invoice, 120)


def test_without_inquiries_the_platforms_address_counts(market, customer, forger, setting):
    """Expected IP addresses are set: the forger's notification is refused, by both ways."""
    setting("paybox", paybox_confirm=False, paybox_addresses="203.0.113.7")
    invoice = market.invoice()
    form = customer.start(invoice, "paybox")
    query = forger.paybox(form.reference, 12000, forger.next_number(), 5)
    assert forger.send(query) == 403
    forger.send(query, RETURNS["paybox"])
    forger.send(query)
    market.quiet()
    market.unpaid(invoice)
    setting("paybox", paybox_addresses="127.0.0.1")
    customer.pay(form)
    market.paid_at_last(invoice, 120)


# --- both: an order that is not there yet


@pytest.mark.parametrize("code", ["paybox", "ogone"])
def test_message_before_its_order(market, customer, forger, code):
    """The next reference is easily told: the message comes first, then the page, then Apply again."""
    invoice = market.invoice()
    name = market.suite.sql(f"SELECT name FROM account_move WHERE id = {invoice}")[0][0]
    queries = {
        "paybox": [forger.paybox(name, 12000, forger.next_number(), 5)],
        "ogone": [forger.ogone(name, passphrase=FOREIGN_OUT), forger.ogone(name, payid="27182818")],
    }[code]
    for query in queries:
        forger.send(query, RETURNS[code] if code == "ogone" else IPN)
    form = customer.start(invoice, code)
    assert form.reference == name
    assert apply_again(market, queries) == len(queries)
    market.quiet()
    market.later()
    market.unpaid(invoice)
    customer.pay(form)
    market.paid_at_last(invoice, 120)
