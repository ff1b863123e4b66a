# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The Caisse-AP simulator over real sockets: what a till sees, what the terminal's books say meanwhile."""

import base64
import contextlib
import http.client
import importlib.util
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

FILE = pathlib.Path(__file__).parents[2] / "pos_caisse_ap_ip" / "tests" / "simulator.py"
# by path: the package's own __init__ imports Odoo
_spec = importlib.util.spec_from_file_location("caisse_ap_simulator", FILE)
simulator = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulator)

IDENTIFY = "CZ0040300CJ012012345678901CA00201CD001I"
DUPLICATE = "CZ0040300CJ012012345678901CA00201CD0013"
QUIET = 0.05  # seconds after which a till takes an answer for complete


def ask(cb="1234", cd="0", ce="978", tail="", ca="01"):
    """A request as a till sends it."""
    amount = f"CB{len(cb):03d}{cb}" if cb else ""
    return f"CZ0040300CJ012012345678901CA{len(ca):03d}{ca}CE003{ce}CD001{cd}{amount}{tail}"


def fields_of(data):
    """[(tag, value)] of an answer, strictly."""
    text, fields = data.decode("latin-1"), []
    while text:
        assert re.match(r"[A-Z]{2}\d{3}", text), text[:40]
        length = int(text[2:5])
        assert 0 < length <= len(text) - 5, text[:40]
        fields.append((text[:2], text[5 : 5 + length]))
        text = text[5 + length :]
    return fields


class Till:
    """One connection of a till, that hides nothing."""

    def __init__(self, terminal, request=None, timeout=3.0):
        self.sock = socket.create_connection(("127.0.0.1", terminal.port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closed, self.pieces, self.timeout = False, [], timeout
        if request:
            self.send(request)

    def send(self, request):
        self.sock.sendall(request.encode("latin-1"))
        return self

    def receive(self, timeout=None, quiet=QUIET):
        """Bytes until the end, or until it is quiet after something came."""
        self.sock.settimeout(timeout or self.timeout)
        self.pieces = []
        with contextlib.suppress(TimeoutError):
            while piece := self.sock.recv(65536):
                self.pieces.append(piece)
                self.sock.settimeout(quiet)
            self.closed = True
        return b"".join(self.pieces)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.sock.close()


def raw(terminal, request, timeout=3.0, **options):
    with Till(terminal, request, timeout) as till:
        return till.receive(**options)


def talk(terminal, request, **options):
    """{tag: value} of the answer."""
    return dict(fields_of(raw(terminal, request, **options)))


def until(condition, seconds=3.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)


def verdict(answer):
    return answer.get("AE"), answer.get("AF")


@pytest.fixture
def sim():
    with simulator.Simulator(terminals=2) as running:
        yield running


@pytest.fixture
def one(sim):
    return sim.terminals[0]


def test_import_has_no_side_effect_and_needs_nothing():
    program = (
        "import sys, threading, runpy\n"
        f"runpy.run_path({str(FILE)!r}, run_name='simulator')\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "assert not roots & {'odoo', 'caisse_ap', 'pos_caisse_ap_ip', 'requests', 'werkzeug'}\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)


# --- identification and plain payments ------------------------------------------------------------


def test_identification_is_what_an_ingenico_said(one):
    assert raw(one, IDENTIFY) == b"CZ0040301CJ012330538600404CA00201CD001IAE00210"
    assert not one.debits


def test_paid_echoes_and_moves_money_once(one):
    answer = fields_of(raw(one, ask("11245", tail="CF005ORD-7")))
    assert [tag for tag, _value in answer] == "CZ CJ CA CB CC CD CE CI AA AL AB AI AC CF CG AE".split()
    values = dict(answer)
    assert values["CZ"] == "0301" and values["CJ"] == "330538600404"
    assert (values["CA"], values["CB"], values["CD"], values["CE"]) == ("01", "11245", "0", "978")
    assert (values["CC"], values["CI"], values["CF"], values["AE"]) == ("001", "1", "ORD-7", "10")
    assert re.fullmatch(r"\d{6}######\d{4}", values["AA"]) and re.fullmatch(r"\d{6}", values["AC"])
    (debit,) = one.debits
    assert (debit.amount, debit.currency, debit.till, debit.private) == (11245, "978", "01", "ORD-7")
    assert debit.authorisation == values["AC"] and abs(debit.time - time.time()) < 5
    assert one.count_debits() == one.count_debits("ORD-7") == 1 and not one.count_debits("ORD-8")
    assert one.books == {"978": 11245} and one.last == debit


def test_terminals_do_not_share_books(sim):
    talk(sim.terminals[1], ask())
    assert not sim.terminals[0].debits and len(sim.terminals[1].debits) == 1
    assert sim.terminals[0].last is None


def test_authorisation_numbers_differ_and_survive_a_reset(one):
    numbers = [talk(one, ask())["AC"] for _ in range(3)]
    one.reset()
    numbers.append(talk(one, ask())["AC"])
    assert len(set(numbers)) == 4 and len(one.debits) == 1


def test_seed_repeats_authorisation_numbers():
    numbers = []
    for _ in range(2):
        with simulator.Simulator(seed=7) as sim:
            numbers.append(talk(sim.terminals[0], ask())["AC"])
    assert numbers[0] == numbers[1]


def test_short_till_number_and_long_private_data(one):
    answer = talk(one, ask(ca="1", tail="CF183" + "x" * 183))
    assert answer["CA"] == "1" and answer["CF"] == "x" * 32
    assert one.debits[0].private == "x" * 183


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("contactless", {}, {"CC": "00B", "CI": "2", "AE": "10"}),
        ("padded", {}, {"CB": "000000001234", "AE": "10"}),
        ("padded", {"digits": 7}, {"CB": "0001234", "AE": "10"}),
        ("paid_af01", {}, {"AE": "10", "AF": "01"}),
        ("other_till", {}, {"CA": "99", "AE": "10"}),
        ("other_currency", {}, {"CE": "840", "AE": "10"}),
        ("other_amount", {}, {"CB": "2234", "AE": "10"}),
        ("other_amount", {"amount": 9999}, {"CB": "9999", "AE": "10"}),
        ("other_private", {}, {"CF": "1010000000", "AE": "10"}),
        ("odd_status", {}, {"AE": "42"}),
        ("lf_in_values", {}, {"CG": "1234567\n", "AE": "10"}),
    ],
)
def test_paid_in_many_dresses(one, name, options, expected):
    one.script(name, **options)
    answer = talk(one, ask())
    assert {tag: answer.get(tag) for tag in expected} == expected
    assert [debit.amount for debit in one.debits] == [1234]


def test_offline_has_no_authorisation(one):
    one.script("offline")
    answer = talk(one, ask())
    assert answer["AE"] == "10" and "AC" not in answer and one.debits[0].authorisation is None


@pytest.mark.parametrize("how", ["request", "script"])
def test_cheque(one, how):
    if how == "script":
        one.script("cheque")
    answer = talk(one, ask(tail="CC00300C" if how == "request" else ""))
    assert answer["CC"] == "00C" and answer["AE"] == "10"
    assert {"AD", "AG", "AH"} <= answer.keys() and not {"CI", "AA", "AB"} & answer.keys()


def test_forced_application_is_echoed(one):
    assert talk(one, ask(tail="CC00300V"))["CC"] == "00V"


def test_partial_takes_less(one):
    one.script("partial")
    one.script("partial", amount=300)
    assert talk(one, ask("1001"))["CB"] == "500"
    assert talk(one, ask("1001"))["CB"] == "300"
    assert [debit.amount for debit in one.debits] == [500, 300]


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason", "has_amount"),
    [
        ("declined", "04", True),
        ("forbidden", "05", True),
        ("abandon", "06", False),
        ("red", "11", False),
        ("timeout", "08", True),
        ("format", "09", True),
        ("app", "10", True),
        ("action", "12", True),
        ("currency", "13", True),
        ("unknown_reason", "00", True),
        ("referral", "02", True),
        ("not_completed", "07", True),
    ],
)
def test_refused_takes_nothing(one, name, reason, has_amount):
    one.script(name)
    answer = talk(one, ask())
    assert verdict(answer) == ("01", reason) and ("CB" in answer) == has_amount
    assert not one.debits and not one.books
    assert talk(one, ask())["AE"] == "10"  # the script was for one request


def test_extended_reason_has_29_characters(one):
    one.script("declined", extended="51")
    assert re.fullmatch(r"04518HOLDER INVALID {10}", talk(one, ask())["AF"])


def test_cheque_upside_down_is_always_04(one):
    one.script("red")
    assert verdict(talk(one, ask(tail="CC00300C"))) == ("01", "04")


def test_refusal_may_have_a_slip(one):
    one.script("declined")
    assert "ZT" in talk(one, ask(tail="CK003100"))


def test_default_script_stays(one):
    one.default("declined")
    assert {verdict(talk(one, ask())) for _ in range(2)} == {("01", "04")}
    one.default("paid")
    assert talk(one, ask())["AE"] == "10"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nonsense", {}),
        ("paid", {"colour": "blue"}),
        ("paid", {"delay": -1}),
        ("paid", {"delay": "x"}),
        ("paid", {"card": "gold"}),
        ("paid", {"cuts": ["a"]}),
        ("paid", {"twist": "again"}),
        ("paid", {"reason": "4"}),
        ("paid", {"ck": "999"}),
        ("partial", {"amount": 1.5}),
        ("wait_customer", {"button": "blue"}),
    ],
)
def test_bad_scripts_are_errors(one, name, options):
    with pytest.raises(ValueError):
        one.script(name, **options)


# --- strict validation ----------------------------------------------------------------------------

GOOD = ask()
BAD = {
    "no CZ": (GOOD.removeprefix("CZ0040300"), "09"),
    "CZ is second": ("CA00201" + GOOD.replace("CA00201", ""), "09"),
    "strange version": (GOOD.replace("CZ0040300", "CZ0049900"), "09"),
    "no CJ": (GOOD.replace("CJ012012345678901", ""), "09"),
    "short CJ": (GOOD.replace("CJ012012345678901", "CJ01101234567890"), "09"),
    "no CA": (GOOD.replace("CA00201", ""), "09"),
    "CA is no number": (GOOD.replace("CA00201", "CA0020A"), "09"),
    "no CB": (ask(cb=""), "09"),
    "short CB": (ask("5"), "09"),
    "long CB": (ask("1" * 13), "09"),
    "zero": (ask("00"), "09"),
    "negative": (ask("-5"), "09"),
    "decimal point": (ask("12.34"), "09"),
    "no CE": (GOOD.replace("CE003978", ""), "09"),
    "CE is a word": (ask(ce="EUR"), "09"),
    "no CD": (GOOD.replace("CD0010", ""), "09"),
    "no CB for a credit": (ask(cb="", cd="1"), "09"),
    "no CB for a reversal": (ask(cb="", cd="2"), "09"),
    "BF": (GOOD + "BF0010", "09"),
    "unknown tag": (GOOD + "TI006123456", "09"),
    "tag twice": (GOOD + "CB0041234", "09"),
    "two requests": (GOOD + GOOD, "09"),
    "empty tag": (GOOD + "CF000", "09"),
    "bad CK": (GOOD + "CK003999", "09"),
    "length is no number": (GOOD + "CF0x3abc", "09"),
    "tag is no tag": (GOOD + "c1003abc", "09"),
    "STX": ("\x02" + GOOD + "\x03", "09"),
    "HTTP": ("GET / HTTP/1.1\r\n\r\n", "09"),
    "cut short": (GOOD[:-2], "09"),
    "unknown CD": (ask(cd="Z"), "12"),
    "unknown CD without CB": (ask(cb="", cd="B"), "12"),
    "unknown currency": (ask(ce="392"), "13"),
    "unknown application": (GOOD + "CC003ZZZ", "10"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests_are_refused_and_never_charge(one, what):
    request, reason = BAD[what]
    slow = what in ("no CD", "cut short")  # the only ones that might go on
    one.configure(patience=0.2 if slow else 2)
    one.script("paid")
    started = time.monotonic()
    answer = fields_of(raw(one, request))
    waited = time.monotonic() - started
    assert [tag for tag, _value in answer[:4]] == ["CZ", "CJ", "AE", "AF"]
    assert verdict(dict(answer)) == ("01", reason)
    assert not one.debits and one.last is None and not one.busy
    assert waited < 1
    assert one.state()["queue"] == ["paid"]


def test_what_could_be_read_is_echoed(one):
    answer = raw(one, ask(tail="BF0010"))
    assert answer == b"CZ0040301CJ012330538600404AE00201AF00209CA00201CB0041234CD0010CE003978"


@pytest.mark.parametrize("code", ["978", "840", "756", "953"])
def test_known_currencies(one, code):
    assert talk(one, ask(ce=code))["CE"] == code
    assert one.books == {code: 1234}


def test_known_currencies_can_be_set(one):
    one.configure(currencies=["392"])
    assert verdict(talk(one, ask())) == ("01", "13")
    assert talk(one, ask(ce="392"))["AE"] == "10"


def test_unknown_tags_can_be_let_through_but_never_bf(one):
    one.configure(strict_tags=False)
    assert talk(one, ask(tail="TI003abc"))["AE"] == "10"
    assert verdict(talk(one, ask(tail="BF0011"))) == ("01", "09")
    assert verdict(talk(one, ask(tail="TI000"))) == ("01", "09")


def test_optional_tags_and_line_ends_are_taken(one):
    tail = "CC00300BBA0010BB0011CH003abcCK003000BH01118295910399BI020your.email@gmail.com"
    assert talk(one, ask(tail=tail + "\r\n"))["AE"] == "10"


def test_request_in_pieces_is_one_request(one):
    one.configure(quiet=0.3)
    with Till(one) as till:
        for piece in (GOOD[:3], GOOD[3:9], GOOD[9:50], GOOD[50:]):
            till.send(piece)
            time.sleep(0.02)
        assert dict(fields_of(till.receive()))["CB"] == "1234"
    assert len(one.debits) == 1


def test_patience_with_a_field_that_comes_slowly(one):
    with Till(one, GOOD[:7]) as till:  # inside CZ
        time.sleep(0.2)
        assert dict(fields_of(till.send(GOOD[7:]).receive()))["AE"] == "10"


def test_oversize_request_is_refused(one):
    assert verdict(talk(one, ask() + "OD900" + "x" * 900 + "y" * 9000)) == ("01", "09")


# --- last transaction, reversal, credit -----------------------------------------------------------


def test_duplicate_tells_the_last_success(one):
    paid = talk(one, ask("500", tail="CF003one"))
    answer = talk(one, DUPLICATE)
    for tag in ("CB", "AC", "CF", "CE", "CC", "AA"):
        assert answer[tag] == paid[tag]
    assert (answer["CD"], answer["AE"]) == ("3", "10")
    assert len(one.debits) == 1  # telling is not taking


def test_duplicate_without_or_after_a_failure(one):
    with_amount = ask("777", cd="3")
    answer = talk(one, with_amount)
    assert (answer["AE"], answer["CB"]) == ("01", "777")
    talk(one, ask())
    one.script("declined")
    talk(one, ask())
    assert talk(one, with_amount)["AE"] == "01" and len(one.debits) == 1


def test_a_refused_request_does_not_hide_the_last_transaction(one):
    talk(one, ask("500"))
    talk(one, ask(tail="BF0010"))
    one.script("app")
    talk(one, ask("600"))
    assert talk(one, DUPLICATE)["CB"] == "500"


def test_duplicate_after_a_partial_tells_what_was_taken(one):
    one.script("partial")
    talk(one, ask("1000"))
    assert talk(one, DUPLICATE)["CB"] == "500"


def test_duplicate_may_repeat_the_question(one):
    """PayXpert and akretion: CA, CB, CD and CE of the answer are those of the question, AC is not."""
    one.configure(echoes=True)
    paid = talk(one, ask("500"))
    answer = talk(one, ask("777", cd="3", ce="840"))
    assert [answer[tag] for tag in ("CB", "CD", "CE", "AC", "AE")] == ["777", "3", "840", paid["AC"], "10"]
    answer = talk(one, DUPLICATE)
    assert {"CB", "CE"}.isdisjoint(answer) and answer["AC"] == paid["AC"]


def test_identification_with_a_reason(one):
    one.script("paid", actions="I", af="09")
    assert raw(one, IDENTIFY).endswith(b"AE00210AF00209")


def test_a_cheque_has_no_authorisation(one):
    answer = talk(one, ask(tail="CC00300C"))
    assert (answer["CC"], answer["AE"]) == ("00C", "10") and "AC" not in answer


def test_duplicate_and_reversal_may_be_unknown(one):
    talk(one, ask())
    one.configure(duplicate_supported=False, reversal_supported=False)
    assert verdict(talk(one, DUPLICATE)) == ("01", "12")
    assert verdict(talk(one, ask(cd="2"))) == ("01", "12")
    assert not one.reversals


def test_reversal_gives_the_last_debit_back_once(one):
    paid = talk(one, ask("500"))
    wrong = talk(one, ask("499", cd="2"))
    assert verdict(wrong) == ("01", "07") and not one.reversals
    done = talk(one, ask("500", cd="2"))
    assert (done["AE"], done["CB"], done["CD"]) == ("10", "500", "2") and done["AC"] != paid["AC"]
    assert [item.amount for item in one.reversals] == [500] and one.books == {"978": 0}
    assert verdict(talk(one, ask("500", cd="2"))) == ("01", "07") and len(one.reversals) == 1


def test_reversal_without_a_debit(one):
    assert verdict(talk(one, ask(cd="2"))) == ("01", "07")
    one.script("paid_then_lost")
    raw(one, ask(cd="2"))
    assert not one.reversals


def test_credit_is_money_the_other_way(one):
    answer = talk(one, ask("300", cd="1", tail="CF003ref"))
    assert (answer["AE"], answer["CD"], answer["CB"]) == ("10", "1", "300")
    assert [item.private for item in one.credits] == ["ref"]
    assert not one.debits and one.books == {"978": -300}


# --- receipts -------------------------------------------------------------------------------------


def slips(answer):
    """[(CK, text)] of the receipts of an answer."""
    found = []
    for value in (value for tag, value in answer if tag == "ZT"):
        inner = dict(fields_of(value.encode("latin-1")))
        assert len(value) <= 999 and len(inner["AK"]) <= 900
        lines = inner["AK"].split("\n")
        assert lines[-1] == "" and {len(line) for line in lines[:-2]} == {76}
        found.append((inner["CK"], base64.b64decode(inner["AK"]).decode("latin-1")))
    return found


@pytest.mark.parametrize(
    ("ck", "expected"), [("000", []), ("100", ["100"]), ("110", ["110"]), ("120", ["100", "110"])]
)
def test_receipts(one, ck, expected):
    got = slips(fields_of(raw(one, ask(tail=f"CK003{ck}"))))
    assert [kind for kind, _text in got] == expected
    assert all("RÉEL 1234" in text and "\n" in text for _kind, text in got)


def test_html_receipts_and_two_exceed_a_kilobyte(one):
    answer = raw(one, ask(tail="CK003121"))
    (customer, first), (merchant, second) = slips(fields_of(answer))
    assert (customer, merchant) == ("101", "111") and first.startswith("<p>") and "COMMERÇANT" in second
    assert len(answer) > 1024


def test_receipts_without_being_asked_and_on_duplicate(one):
    one.script("receipts")
    assert len(slips(fields_of(raw(one, ask())))) == 2
    assert len(slips(fields_of(raw(one, DUPLICATE + "CK003100")))) == 1


# --- people ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("button", "expected"), [("green", ("10", None)), ("red", ("01", "11"))])
def test_wait_customer_until_a_button(one, button, expected):
    one.script("wait_customer")
    with Till(one, ask()) as till:
        until(lambda: one.waiting)
        assert one.busy and not one.debits and one.press(button)
        assert verdict(dict(fields_of(till.receive()))) == expected
    assert len(one.debits) == (button == "green") and not one.busy


@pytest.mark.parametrize(("button", "expected"), [("green", ("10", None)), ("red", ("01", "11"))])
def test_wait_customer_for_some_seconds(one, button, expected):
    one.script("wait_customer", after=0.1, button=button)
    assert verdict(talk(one, ask())) == expected


def test_a_button_nobody_waits_for_does_nothing(one):
    assert not one.press("red")
    assert talk(one, ask())["AE"] == "10"
    with pytest.raises(ValueError):
        one.press("blue")


def test_red_beats_any_payment_that_waits(one):
    one.script("paid_then_lost", delay=5)
    with Till(one, ask()) as till:
        until(lambda: one.waiting)
        one.press("red")
        assert till.receive() == b""  # the script says so
    assert not one.debits


def test_delay_is_a_real_clock(one):
    one.script("paid", delay=0.3)
    started = time.monotonic()
    raw(one, ask(), quiet=0.01)
    assert 0.3 <= time.monotonic() - started < 0.6


def test_late_answer_after_the_money_moved(one):
    one.script("late", late=0.4)
    with Till(one, ask()) as till:
        until(lambda: one.debits)
        assert one.busy and till.receive(timeout=0.1) == b""
        assert dict(fields_of(till.receive()))["AE"] == "10"


def test_answered_at_is_the_epoch_of_the_last_byte(one):
    one.script("split", cuts=[9], pause=0.2)
    raw(one, ask(), quiet=0.5)
    (moment,) = one.answered_at
    assert abs(moment - time.time()) < 1.0
    first, second = one.frames
    assert second["time"] - first["time"] > 0.2


# --- how answers travel ---------------------------------------------------------------------------


@pytest.mark.parametrize(("cuts", "first"), [([9], 9), ([9, 14, -5], 9), ([3], 3)])
def test_split_answers(one, cuts, first):
    one.script("split", cuts=cuts, pause=0.15)
    with Till(one, ask()) as till:
        whole = till.receive(quiet=0.5)
        assert len(till.pieces[0]) == first and len(till.pieces) == len(cuts) + 1
    assert dict(fields_of(whole))["AE"] == "10" and len(one.debits) == 1


def test_split_on_every_boundary(one):
    one.script("split", cuts="fields", pause=0.03)
    with Till(one, ask()) as till:
        fields = fields_of(till.receive(quiet=0.5))
        assert fields[-1] == ("AE", "10")
        assert len(till.pieces) > 3 and all(fields_of(piece) for piece in till.pieces)


def test_split_into_bytes(one):
    one.script("split", cuts="bytes", pause=0)
    assert talk(one, ask())["AE"] == "10"


def test_status_may_come_early(one):
    one.script("ae_third", cuts="fields", pause=0.01)
    with Till(one, ask()) as till:
        answer = fields_of(till.receive(quiet=0.4))
    assert answer[2] == ("AE", "10") and len(answer) > 10


@pytest.mark.parametrize(("name", "closed"), [("keep_open", False), ("close", True)])
def test_who_closes(one, name, closed):
    one.script(name)
    with Till(one, ask()) as till:
        assert dict(fields_of(till.receive()))["AE"] == "10"
        assert till.closed == closed


def test_second_request_on_an_open_connection(one):
    with Till(one, ask()) as till:
        first = till.receive()
        assert till.send(DUPLICATE).receive() and first
    assert len(one.debits) == 1


def test_close_can_be_the_habit(one):
    one.configure(close=True)
    with Till(one, IDENTIFY) as till:
        assert till.receive() and till.closed


@pytest.mark.parametrize(
    ("name", "options", "charged"),
    [
        ("close_without_answer", {}, False),
        ("close_without_answer", {"charged": False}, False),
        ("close_without_answer", {"charged": True}, True),
        ("paid_then_lost", {}, True),
    ],
)
def test_close_without_answer(one, name, options, charged):
    one.script(name, **options)
    with Till(one, ask("555")) as till:
        assert till.receive() == b"" and till.closed
    assert len(one.debits) == charged
    answer = talk(one, DUPLICATE)
    assert (answer["AE"], answer.get("CB")) == (("10", "555") if charged else ("01", None))


@pytest.mark.parametrize("charged", [False, True])
def test_reset_is_rst(one, charged):
    one.script("reset", charged=charged)
    with Till(one, ask()) as till, pytest.raises(ConnectionResetError):
        till.receive()
    assert len(one.debits) == charged and (talk(one, DUPLICATE)["AE"] == "10") == charged


@pytest.mark.parametrize("charged", [False, True])
def test_silence_keeps_the_line(one, charged):
    one.script("silence", charged=charged)
    with Till(one, ask()) as till:
        assert till.receive(timeout=0.2) == b"" and not till.closed
        assert not one.busy and (talk(one, DUPLICATE)["AE"] == "10") == charged
    assert len(one.debits) == charged


def test_garbage(one):
    one.script("garbage")
    assert raw(one, ask()).startswith(b"HTTP/1.1 400") and len(one.debits) == 1
    assert talk(one, DUPLICATE)["AE"] == "10"


def test_truncated_inside_the_status(one):
    one.script("truncated")
    with Till(one, ask()) as till:
        assert till.receive().endswith(b"AE0021") and till.closed
    assert len(one.debits) == 1


def test_oversize(one):
    one.script("oversize")
    answer = raw(one, ask())
    assert 200_000 < len(answer) < 202_000 and answer.endswith(b"AE00210")
    assert dict(fields_of(answer))["CB"] == "1234"


def test_unknown_tags(one):
    one.script("unknown_tags")
    answer = talk(one, ask())
    assert {"ZZ", "XQ"} <= answer.keys() and answer["AE"] == "10"


def test_junk_before_the_frame(one):
    one.script("junk")
    answer = raw(one, ask())
    assert not answer.startswith(b"CZ") and fields_of(answer[answer.index(b"CZ004") :])


def test_no_status(one):
    one.script("no_status")
    assert "AE" not in talk(one, ask()) and len(one.debits) == 1


def test_accepted_11(one):
    one.script("accepted_11", delay=0.2)
    with Till(one, ask()) as till:
        assert dict(fields_of(till.receive(quiet=0.05)))["AE"] == "11"
        assert one.busy and not one.debits
        until(lambda: one.debits)
        assert till.receive(timeout=0.1) == b""
    assert talk(one, DUPLICATE)["AE"] == "10"


@pytest.mark.parametrize("follows", ["later", "together"])
def test_the_result_after_accepted_11(one, follows):
    one.script("accepted_11", delay=0.2, follows=follows)
    with Till(one, ask()) as till:
        heard = fields_of(till.receive(quiet=0.6))
        assert [value for tag, value in heard if tag == "AE"] == ["11", "10"]
        assert len(till.pieces) == (1 if follows == "together" else 2)
    with pytest.raises(ValueError):
        one.script("accepted_11", follows="perhaps")


def test_immediate_answer_is_what_ba_asks_for(one):
    answer = talk(one, ask(tail="BA0011"))
    assert (answer["AE"], answer["BA"]) == ("11", "1") and "AF" not in answer
    until(lambda: one.debits)


def test_scripts_of_payments_leave_inquiries_alone(one):
    one.script("silence")
    one.script("declined", actions="3")
    assert raw(one, IDENTIFY).endswith(b"AE00210")
    assert verdict(talk(one, DUPLICATE)) == ("01", "04")
    assert raw(one, ask(), timeout=0.15) == b""


def test_inquiry_and_identification_can_break_too(one):
    one.script("silence", actions="3")
    one.script("split", actions="I", cuts="fields", pause=0)
    one.script("close_without_answer", actions="I", delay=0.1)
    assert raw(one, DUPLICATE, timeout=0.15) == b""
    assert raw(one, IDENTIFY).endswith(b"AE00210")
    assert raw(one, IDENTIFY) == b""


# --- a till that goes away ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_that_closes_in_mid_payment_is_charged_all_the_same(one, how):
    one.script("paid", delay=0.3)
    till = Till(one, ask("4242", tail="CF003gon"))
    until(lambda: one.waiting)
    if how == "reset":
        till.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    till.sock.close()
    assert one.busy and not one.debits
    assert talk(one, DUPLICATE)["AE"] == "01"  # busy: it cannot know yet
    until(lambda: not one.busy)
    assert one.count_debits("gon") == 1
    answer = talk(one, DUPLICATE)
    assert (answer["AE"], answer["CB"], answer["CF"]) == ("10", "4242", "gon")


def test_a_client_that_closes_at_once_is_served(one):
    Till(one, ask()).sock.close()
    until(lambda: one.debits)


def test_a_connection_without_request_is_nothing(one):
    with Till(one):
        assert talk(one, ask())["AE"] == "10"
    assert len(one.frames) == 2


# --- busy -----------------------------------------------------------------------------------------


def test_busy_answers_at_once(one):
    one.script("wait_customer")
    with Till(one, ask(tail="CF001a")) as first:
        until(lambda: one.waiting)
        for request in (ask("99"), IDENTIFY, DUPLICATE):
            assert verdict(talk(one, request)) == ("01", "00")
        one.configure(busy_reason="10")
        assert verdict(talk(one, ask("99"))) == ("01", "10")
        one.press("green")
        assert dict(fields_of(first.receive()))["CF"] == "a"
    assert [debit.amount for debit in one.debits] == [1234]


def test_busy_refuses_connections(one):
    one.configure(busy="refuse")
    one.script("wait_customer")
    with Till(one, ask()) as first:
        until(lambda: one.waiting)
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                Till(one)
        one.press("green")
        assert first.receive()
    assert talk(one, ask())["AE"] == "10" and len(one.debits) == 2


def test_busy_resets_a_connection_that_was_open_before(one):
    one.configure(busy="refuse")
    one.script("wait_customer")
    with Till(one) as early, Till(one, ask()):
        until(lambda: one.waiting)
        with pytest.raises(ConnectionResetError):
            early.send(ask("99")).receive()
        one.press("red")
    assert not one.debits


def test_busy_and_silent_serves_afterwards(one):
    one.configure(busy="silent")
    one.script("wait_customer")
    with Till(one, ask("10")) as first, Till(one) as second:
        until(lambda: one.waiting)
        second.send(ask("20"))
        assert second.receive(timeout=0.2) == b"" and not second.closed
        one.press("green")
        assert dict(fields_of(first.receive()))["CB"] == "10"
        assert dict(fields_of(second.receive()))["CB"] == "20"
    assert [debit.amount for debit in one.debits] == [10, 20]


def test_bad_settings_are_errors(one):
    for bad in ({"busy": "bee"}, {"delay": -1}, {"colour": 1}):
        with pytest.raises(ValueError):
            one.configure(**bad)
        with pytest.raises(ValueError):
            simulator.Simulator(**bad)


# --- the network ----------------------------------------------------------------------------------


def test_unplugged_refuses_until_plugged(one):
    one.unplug()
    with pytest.raises(ConnectionRefusedError):
        Till(one)
    one.plug()
    assert talk(one, ask())["AE"] == "10"


def test_asleep_does_not_even_connect(one):
    one.unplug("sleep")
    with pytest.raises(TimeoutError):
        Till(one, timeout=0.3)
    one.plug()
    assert talk(one, ask())["AE"] == "10"
    with pytest.raises(ValueError):
        one.unplug("angrily")


@pytest.mark.parametrize("how", ["refuse", "sleep"])
def test_unplugged_in_mid_payment_takes_the_money_and_loses_the_answer(one, how):
    one.script("wait_customer")
    with Till(one, ask()) as till:
        until(lambda: one.waiting)
        one.unplug(how)
        one.press("green")
        until(lambda: one.debits)
        if how == "sleep":
            assert till.receive(timeout=0.1) == b"" and not till.closed
        until(lambda: not one.busy)
        one.plug()
        with pytest.raises(ConnectionResetError):
            till.receive()
    assert talk(one, DUPLICATE)["AE"] == "10"
    assert [frame["sent"] for frame in one.frames if frame["direction"] == "out"] == [False, True]
    assert len(one.answered_at) == 1


# --- magic amounts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "expected", "taken"),
    [
        ("90001", ("01", "04"), []),
        ("90002", ("01", "11"), []),
        ("90003", ("01", "08"), []),
        ("90004", ("10", None), [45002]),
        ("90005", None, [90005]),
        ("90006", None, []),
        ("90000", ("10", None), [90000]),
    ],
)
def test_magic_amounts(one, amount, expected, taken):
    got = raw(one, ask(amount), timeout=0.4)
    assert (verdict(dict(fields_of(got))) if got else None) == expected
    assert [debit.amount for debit in one.debits] == taken


def test_magic_yields_to_scripts_and_can_be_switched_off(one):
    one.script("paid")
    assert talk(one, ask("90001"))["AE"] == "10"
    one.configure(magic=False)
    assert talk(one, ask("90001"))["AE"] == "10"


def test_the_table_of_magic_amounts_is_the_documented_one():
    documented = re.findall(r"^(9\d{4}) +(.+)$", simulator.__doc__, re.MULTILINE)
    assert documented == [(str(amount), text) for amount, (_script, text) in simulator.MAGIC.items()]


def test_all_scripts_are_documented():
    for name in simulator.PRESETS:
        assert re.search(rf"\b{name}\b", simulator.__doc__), name


# --- life -----------------------------------------------------------------------------------------


def sockets():
    """How many open sockets this process has."""
    count = 0
    for item in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing itself was one of them
            count += os.readlink(f"/proc/self/fd/{item}").startswith("socket:")
    return count


def test_stop_leaves_no_thread_and_no_socket():
    threads, before = threading.active_count(), sockets()
    sim = simulator.Simulator(terminals=3, control_port=0, delay=60).start()
    first, second, third = sim.terminals
    second.script("late", delay=0, late=60)
    third.configure(busy="silent")
    tills = [Till(first, ask()), Till(second, ask()), Till(third, ask()), Till(first)]
    until(lambda: first.waiting and second.busy and third.waiting)
    tills.append(Till(third, ask()))
    third.unplug("sleep")
    idle = socket.create_connection(("127.0.0.1", sim.control_port))
    started = time.monotonic()
    sim.stop()
    assert time.monotonic() - started < 1.0
    assert threading.active_count() == threads, threading.enumerate()
    for sock in (idle, *(till.sock for till in tills)):
        sock.close()
    assert sockets() == before
    assert not first.debits and not third.debits
    sim.stop()


def test_stop_and_start_is_the_same_terminal():
    sim = simulator.Simulator()
    with sim:
        port = sim.terminals[0].port
        talk(sim.terminals[0], ask())
        with pytest.raises(RuntimeError):
            sim.start()
    with pytest.raises(ConnectionRefusedError):
        Till(sim.terminals[0])
    with sim:
        assert sim.terminals[0].port == port
        assert talk(sim.terminals[0], DUPLICATE)["AE"] == "10"


def test_a_taken_port_is_an_error_and_leaves_nothing():
    threads = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(OSError):
            simulator.Simulator(2, port=other.getsockname()[1], control_port=0).start()
    assert threading.active_count() == threads


def test_reset_is_the_first_day(sim, one):
    talk(one, ask())
    one.configure(delay=60, busy="refuse")
    one.default("declined")
    one.script("paid", delay=0.3)
    with Till(one, ask()) as till:
        until(lambda: one.waiting)
        sim.reset()
        assert till.receive() == b"" and till.closed
        assert not one.busy and not one.debits and not one.frames and not one.answered_at
        assert talk(one, ask())["AE"] == "10"
    time.sleep(0.4)  # the customer of before the reset would have paid by now
    assert len(one.debits) == 1 and len(one.frames) == 2


def test_it_listens_on_loopback_only():
    for host in ("0.0.0.0", "192.168.1.4", "example.org"):
        with pytest.raises(ValueError):
            simulator.Simulator(host=host)
    with pytest.raises(ValueError):
        simulator.Simulator(terminals=0)


def test_sixty_terminals_at_once():
    with simulator.Simulator(terminals=60, delay=0.5) as sim:
        tills = [Till(item, ask(tail=f"CF002{item.number:02d}")) for item in sim.terminals]
        until(lambda: all(item.busy or item.debits for item in sim.terminals))
        answers = [dict(fields_of(till.receive(quiet=0.02))) for till in tills]
        for till in tills:
            till.sock.close()
        assert [answer["CF"] for answer in answers] == [f"{number:02d}" for number in range(1, 61)]
        assert all(len(item.debits) == 1 and len(item.answered_at) == 1 for item in sim.terminals)


# --- the control API and the program --------------------------------------------------------------


def control(port, path, document=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        body = None if document is None else json.dumps(document)
        connection.request("GET" if document is None else "POST", path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


@pytest.fixture
def steered():
    with simulator.Simulator(terminals=2, control_port=0) as running:
        yield running


def test_control_scripts_and_tells(steered):
    second, port = steered.terminals[1], steered.control_port
    assert control(port, "/terminals/2/script", {"name": "partial", "amount": 5}) == (200, {"done": True})
    assert control(port, "/terminals/2/default", {"name": "declined"})[0] == 200
    assert talk(second, ask(tail="CF003abc"))["CB"] == "05"
    assert verdict(talk(second, ask())) == ("01", "04")
    status, document = control(port, "/state")
    first, state = document["terminals"]
    assert status == 200 and first["frames"] == [] and state["port"] == second.port
    assert [item["amount"] for item in state["debits"]] == [5] and state["debits"][0]["private"] == "abc"
    assert state["credits"] == state["reversals"] == [] and not state["busy"] and state["last"] is None
    assert state["books"] == {"978": 5} and len(state["answered_at"]) == 2
    assert [item["direction"] for item in state["frames"]] == ["in", "out", "in", "out"]
    assert state["frames"][2]["raw"] == ask()


def test_control_plays_the_customer_and_the_network(steered):
    first, port = steered.terminals[0], steered.control_port
    assert control(port, "/terminals/1/press", {"button": "red"}) == (200, {"done": False})
    control(port, "/terminals/1/script", {"name": "wait_customer"})
    with Till(first, ask()) as till:
        until(lambda: control(port, "/state")[1]["terminals"][0]["waiting"])
        assert control(port, "/terminals/1/press", {"button": "red"}) == (200, {"done": True})
        assert verdict(dict(fields_of(till.receive()))) == ("01", "11")
    control(port, "/terminals/1/unplug", {})
    assert not control(port, "/state")[1]["terminals"][0]["plugged"]
    with pytest.raises(ConnectionRefusedError):
        Till(first)
    control(port, "/terminals/1/plug", {})
    control(port, "/terminals/1/configure", {"close": True})
    assert talk(first, ask())["AE"] == "10"
    assert control(port, "/reset", {}) == (200, {"done": True})
    assert not first.debits


def test_page_has_the_keys_of_a_person(steered):
    """A person reads what the terminal wants and presses its keys; a form of another site does nothing."""
    base, first = f"http://127.0.0.1:{steered.control_port}/", steered.terminals[0]
    french = urllib.request.Request(base, headers={"Accept-Language": "fr-FR"})
    with urllib.request.urlopen(french, timeout=5) as answer:
        page = answer.read().decode()
    assert "Aucune demande" in page and page.count("<section") == 2 and 'id="red-1"' not in page

    def press(action, **headers):
        form = urllib.request.Request(base, f"terminal=1&action={action}".encode(), headers)
        with urllib.request.urlopen(form, timeout=5) as answer:
            return answer.read().decode()

    assert "Forget everything" in press("person")
    with Till(first, ask()) as till:
        until(lambda: first.waiting)
        page = press("declined")  # of the next one
        assert "Asks for a card" in page and 'id="red-1"' in page
        press("red")
        assert verdict(dict(fields_of(till.receive()))) == ("01", "11")
    assert verdict(talk(first, ask())) == ("01", "04")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        press("unplug", Origin="http://elsewhere.example")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        press("explode")
    assert first.state()["plugged"]


@pytest.mark.parametrize(
    ("path", "document", "status"),
    [
        ("/terminals/1/script", {"name": "nonsense"}, 400),
        ("/terminals/1/script", {"name": "paid", "colour": 1}, 400),
        ("/terminals/1/script", {}, 400),
        ("/terminals/1/script", [], 400),
        ("/terminals/1/press", {"button": "blue"}, 400),
        ("/terminals/1/configure", {"busy": "bee"}, 400),
        ("/terminals/9/script", {"name": "paid"}, 404),
        ("/terminals/0/script", {"name": "paid"}, 404),
        ("/terminals/1/stop", {}, 404),
        ("/elsewhere", {}, 404),
        ("/elsewhere", None, 404),
    ],
)
def test_control_says_what_is_wrong(steered, path, document, status):
    got, answer = control(steered.control_port, path, document)
    assert got == status and answer["error"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def program(*arguments):
    """A running program and its first line."""
    command = [sys.executable, FILE, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()


class Port:
    """A terminal of another process."""

    def __init__(self, port):
        self.port = port


def test_program_as_the_tools_start_it():
    port = free_port()
    with program("--host", "127.0.0.1", "--port", port) as (process, ready):
        assert ready["terminals"][0] == port and len(set(ready["terminals"])) == 3
        assert raw(Port(ready["terminals"][2]), IDENTIFY).endswith(b"AE00210")
        control(ready["control"], "/terminals/3/configure", {"delay": 0})
        assert talk(Port(ready["terminals"][2]), ask())["AE"] == "10"
        assert len(control(ready["control"], "/state")[1]["terminals"][2]["debits"]) == 1
        with Till(Port(port), ask()) as till:  # the default delay is 3 s: still waiting when it ends
            assert till.receive(timeout=0.2) == b""
            process.send_signal(signal.SIGTERM)
            assert process.wait(3) == 0


def test_program_with_its_options():
    port = free_port()
    options = ("--script", "declined", "--delay", 0, "--terminals", 2, "--control-port", port)
    with program("--port", 0, *options, "--log", "--seed", 1, "--busy", "silent") as (process, ready):
        assert len(ready["terminals"]) == 2 and ready["control"] == port
        assert verdict(talk(Port(ready["terminals"][1]), ask())) == ("01", "04")
        process.send_signal(signal.SIGINT)
        _output, log = process.communicate(timeout=3)
        assert process.returncode == 0 and "CB0041234" in log


@pytest.mark.parametrize(
    "bad", [("--script", "nonsense"), ("--host", "0.0.0.0"), ("--terminals", "0"), ("--port", "99999")]
)
def test_program_refuses_bad_options(bad):
    done = subprocess.run([sys.executable, FILE, *bad], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_consecutive_ports():
    first = free_port()
    sim = simulator.Simulator(2, port=first, consecutive=True)
    with contextlib.suppress(OSError), sim:  # the next port may be taken by somebody
        assert [item.port for item in sim.terminals] == [first, first + 1]
