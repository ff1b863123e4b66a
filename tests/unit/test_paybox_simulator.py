"""The room and the simulator, written apart, understand each other; and the simulator is as strict."""

import importlib.util
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest

from paybox import direct
from paybox.answer import read
from paybox.buyer import Buyer
from paybox.page import SIGNATURE, Addresses, Merchant, Options, Payment, form
from paybox.platform import is_available
from paybox.signature import is_worthless, signed_part

ADDON = Path(__file__).resolve().parents[2] / "payment_paybox"
SPEC = importlib.util.spec_from_file_location("paybox_simulator", ADDON / "tests" / "simulator.py")
simulator = importlib.util.module_from_spec(SPEC)
sys.modules["paybox_simulator"] = simulator  # its dataclasses look there
SPEC.loader.exec_module(simulator)

MERCHANT = Merchant(simulator.SITE, simulator.RANK, simulator.IDENTIFIER, simulator.KEY)
ADDRESSES = Addresses(*(f"http://127.0.0.1:1/payment/paybox/{name}" for name in ("a", "b", "c", "d", "e")))
BUYER = Buyer("Hélène", "D'Arc & <fils>", "1 rue", "", "69001", "Lyon", ("FR",), ("0612345678",))


@pytest.fixture
def sim():
    with simulator.Simulator() as running:
        running.set(notify="never")
        yield running


def fields(options=None, **values):
    payment = {
        "amount": 12000,
        "currency": "EUR",
        "reference": "INV/2026/00042-1",
        "email": "a@b.fr",
        "time": "2026-11-21T10:15:30+01:00",
        "buyer": BUYER,
        **values,
    }
    return form(MERCHANT, Payment(**payment), ADDRESSES, options)


def answers(sim):
    """What the notifications say, oldest first."""
    key = [sim.keys["good"].pem.encode()]
    found = [signed_part(note["query"], key, SIGNATURE, leading=0) for note in sim.notifications]
    return [read(text) if text else None for text in found]


def ask(sim, kind, number=1, password="", **values):
    charge = sim.charges[-1]
    money = {} if kind == "inquiry" else {"amount": 12000, "currency": "EUR", "reference": "R-1"}
    question = direct.Question(
        kind=kind,
        number=number,
        date="21112026101530",
        call=str(charge.call),
        transaction=str(charge.transaction),
        **{**money, **values},
    )
    body = direct.build(MERCHANT, question, password)
    with urllib.request.urlopen(f"{sim.url}/PPPS.php", body, timeout=5) as answer:
        return question, direct.read(answer.read())


def test_refused_twice_then_paid(sim):
    visit = sim.open(fields())
    assert sim.attempt(visit, "51") is None and sim.attempt(visit, "59") is None
    back = sim.attempt(visit, "ok")
    assert back.startswith(ADDRESSES.accepted + "?")
    found = answers(sim)
    assert [answer.outcome for answer in found] == ["refused", "refused", "accepted"]
    assert [answer.authorisation for answer in found] == ["", "", "XXXXXX"]
    assert len({answer.call for answer in found}) == 1 and len({answer.transaction for answer in found}) == 3
    assert {answer.amount for answer in found} == {12000}
    assert sim.count_charges("INV/2026/00042-1") == 1
    returned = read(signed_part(back.partition("?")[2], [sim.keys["good"].pem.encode()], SIGNATURE))
    assert returned == found[-1] and returned.key == found[-1].key


def test_three_refusals_end_the_visit(sim):
    visit = sim.open(fields())
    targets = [sim.attempt(visit, "05") for _attempt in range(3)]
    assert targets[:2] == [None, None] and targets[2].startswith(ADDRESSES.refused)
    assert sim.attempt(visit, "ok").startswith(ADDRESSES.refused) and not sim.charges


@pytest.mark.parametrize(
    ("choice", "address", "outcome"),
    [
        ("cancel", ADDRESSES.cancelled, "cancelled"),
        ("pending", ADDRESSES.waiting, "pending"),
        ("timeout", ADDRESSES.refused, "cancelled"),
    ],
)
def test_other_ends(sim, choice, address, outcome):
    assert sim.attempt(sim.open(fields()), choice).startswith(address)
    assert [answer.outcome for answer in answers(sim)] == [outcome]
    assert not sim.charges


def test_pending_then_final(sim):
    sim.attempt(sim.open(fields()), "pending")
    sim.finish("INV/2026/00042-1")
    assert [answer.outcome for answer in answers(sim)] == ["pending", "accepted"]


@pytest.mark.parametrize("sign", ["wrong", "altered", "none", "second", "stranger"])
def test_bad_signatures_do_not_verify(sim, sign):
    sim.set(sign=sign)
    sim.attempt(sim.open(fields()), "ok")
    assert answers(sim) == [None]
    query = sim.notifications[0]["query"]
    second = [sim.keys["second"].pem.encode()]
    assert (signed_part(query, second, SIGNATURE) is not None) is (sign == "second")


def test_paid_reference_is_not_paid_twice(sim):
    sim.attempt(sim.open(fields()), "ok")
    visit = sim.open(fields())
    assert visit.over and sim.count_charges() == 1
    assert answers(sim)[-1].reason == "already_paid"


@pytest.mark.parametrize("name", ["PBX_SITE", "PBX_TOTAL", "PBX_BILLING", "PBX_TIME", "PBX_CMD", "PBX_HMAC"])
def test_forms_it_refuses(sim, name):
    good = fields()
    changed = [(field, value + "x" if field == name else value) for field, value in good]
    for bad in (changed, [pair for pair in good if pair[0] != name], good[::-1]):
        with pytest.raises(simulator.Refused):
            sim.open(bad)


def test_every_option_is_accepted(sim):
    for options in (
        Options(capture="manual"),
        Options(capture="deferred", days=2),
        Options(responsive=True),
        Options(algorithm="SHA256"),
        Options(language="GBR", authentication="04"),
    ):
        assert not sim.open(fields(options, reference=f"R{id(options)}")).over


def test_page_of_a_person(sim):
    body = urlencode(fields()).encode()
    with urllib.request.urlopen(f"{sim.url}/php/", body, timeout=5) as answer:
        text = answer.read().decode()
    assert "Valider le paiement" in text and "INV/2026/00042-1" in text
    with urllib.request.urlopen(f"{sim.url}/php/", b"PBX_SITE=1", timeout=5) as answer:
        assert "Erreur de paramètre" in answer.read().decode()


def test_availability(sim):
    def page(address):
        with urllib.request.urlopen(f"{address}/load.html", timeout=5) as answer:
            return answer.read()

    assert is_available(page(sim.url)) and is_available(page(sim.backup_url))
    sim.set(available={"main": "KO", "backup": "OK"})
    assert not is_available(page(sim.url)) and is_available(page(sim.backup_url))
    sim.set(available={"main": "down", "backup": "OK"})
    with pytest.raises(OSError):
        page(sim.url)


def test_refunds(sim):
    sim.attempt(sim.open(fields()), "ok")
    question, answer = ask(sim, "refund", amount=5000)
    assert direct.conclude(MERCHANT, question, answer).state == "approved"
    assert answer.transaction.lstrip("0") != question.transaction
    _question, answer = ask(sim, "refund", 2, amount=7001)
    assert answer.code == "00011"
    _question, answer = ask(sim, "refund", 2, amount=7000)
    assert answer.code == "00005"  # the number was used
    _question, answer = ask(sim, "refund", 3, amount=7000)
    assert answer.code == "00000" and sim.refunded("INV/2026/00042-1") == 12000
    question, answer = ask(sim, "inquiry", 4)
    assert direct.status_of(answer) == "refunded"
    assert direct.compare(MERCHANT, question, answer) == ()


def test_capture_and_cancel(sim):
    sim.attempt(sim.open(fields(Options(capture="manual"))), "ok")
    assert direct.status_of(ask(sim, "inquiry", 1)[1]) == "authorised"
    assert ask(sim, "capture", 2, simulator.PASSWORD)[1].code == "00000"
    assert not ask(sim, "inquiry", 3)[1].remitted
    sim.remit()
    assert ask(sim, "inquiry", 4)[1].remitted
    assert ask(sim, "cancel", 5)[1].code == "00015"
    assert ask(sim, "cancel", 6, "wrong")[1].code == "00006"


def test_faults_of_ppps(sim):
    sim.attempt(sim.open(fields()), "ok")
    sim.set(direct="close_after")
    with pytest.raises((OSError, urllib.error.URLError)):
        ask(sim, "refund", 1)
    assert sim.refunded("INV/2026/00042-1") == 12000
    sim.set(direct="98")
    assert ask(sim, "inquiry", 2)[1].code == "00098"
    sim.set(direct="garbage")
    with pytest.raises(direct.ProtocolError):
        ask(sim, "inquiry", 3)


def test_settings_are_checked(sim):
    with pytest.raises(ValueError):
        sim.set(speed=3)


def test_its_keys_are_known_as_worthless(sim):
    """The provider refuses them in production; a key of one's own is none of them."""
    assert all(is_worthless(key.pem.encode()) for key in sim.keys.values())
    assert not is_worthless(simulator.make_key("another word").pem.encode())
    assert not is_worthless(b"no key")
