"""The cashier's way with a Viva.com terminal: webhooks and polling, aborts, refunds, and what went wrong."""

import pytest
from chromium import close
from pos import Till

from tools.shopfloor import Platform

METHOD = "Carte (Viva)"
OTHER = "Carte (Viva), marché"
CAKE = 18.5
TERMINAL = "16000010"


class Viva(Platform):
    """Viva.com's simulator, with a person at the terminal."""

    def script(self, outcome, **options):
        """What becomes of the next session."""
        self.call("script", outcome=outcome, **options)

    @property
    def charges(self):
        """What is in the books."""
        return self.get("books")["charges"]

    def counts(self, endpoint):
        """How many requests came to an endpoint."""
        return self.get("books")["counts"].get(endpoint, 0)


@pytest.fixture
def methods(suite):
    """The payment methods that speak with Viva.com."""
    admin = suite.user("admin")
    return admin.call("pos.payment.method", "search", [("use_payment_terminal", "=", "viva_wallet")])


@pytest.fixture
def viva(suite, methods):
    """Viva.com, its books empty; it calls the address that the payment method shows."""
    found = Viva(suite, "pos_viva_wallet")
    found.call("reset", everything=True)
    [method] = suite.user("admin").call(
        "pos.payment.method", "read", methods[:1], ["viva_wallet_webhook_endpoint"]
    )
    address = method["viva_wallet_webhook_endpoint"]
    found.call("register", url=suite.url + address[address.index("/pos_viva") :], events=[1796, 1797, 1798])
    yield found
    found.call("reset", everything=True)


def pay(till):
    """Sell a cake and send it to the terminal; the operation."""
    till.sell()
    till.pay(METHOD)


def paid_once(till, viva):
    """Sell a cake that ends paid, and charged once."""
    pay(till)
    till.receipt()
    assert till.until("approved")
    assert len(viva.charges) == 1


def messages(till):
    """The stored webhooks, newest first."""
    domain = [("provider", "=", "viva")]
    return till.admin.call("servipay.notification", "search_read", domain, ["event", "state", "operation_id"])


def test_paid_by_webhook(till, viva, screenshot):
    """One charge, one payment; the webhook is in the inbox and belongs to the operation."""
    viva.script("approved", delay=2)
    pay(till)
    status = till.status()
    till.page.wait_for_timeout(1000)
    assert "correlation" not in status.inner_text()
    screenshot(till.page, "pos-viva-waiting-fr")
    till.receipt()
    operation = till.until("approved")
    till.recorded(operation, CAKE)
    assert [charge["amount"] for charge in viva.charges] == [1850]
    till.suite.wait_until(
        lambda: [one for one in messages(till) if one["operation_id"][:1] == [operation["id"]]],
        what="a webhook",
    )


def test_paid_by_polling(till, viva):
    """Webhooks that never come delay nothing."""
    viva.call("set", webhooks="never")
    viva.script("approved", delay=1)
    paid_once(till, viva)


def test_webhook_before_the_answer(till, viva):
    """The webhook overtakes the answer to the request: one payment all the same."""
    viva.call("set", webhooks="before")
    viva.script("approved", delay=0)
    paid_once(till, viva)


@pytest.mark.parametrize(("outcome", "state"), [("declined", "declined"), ("cancelled", "cancelled")])
def test_not_paid(till, viva, outcome, state):
    """The bank or the customer says no: the line may be sent again, and is paid then."""
    viva.script(outcome, delay=1)
    pay(till)
    till.page.locator(".modal-dialog").wait_for()
    till.page.locator(".modal-footer button").first.click()
    assert till.until(state)
    viva.script("approved", delay=1)
    till.page.locator(".send_payment_request").first.click()
    till.receipt()
    assert len(viva.charges) == 1


def test_aborted(till, viva):
    """The till aborts with its own register's name; nothing was taken."""
    viva.script("wait")
    pay(till)
    till.until("pending")
    till.status(".send_payment_cancel").click()
    till.page.locator(".send_payment_request").first.wait_for()
    assert till.until("cancelled")
    assert not viva.charges


def test_abort_too_late(till, viva):
    """The card was faster than the abort: paid, once."""
    viva.call("set", abort="lose")
    viva.script("wait")
    pay(till)
    till.until("pending")
    till.status(".send_payment_cancel").click()
    viva.call("present", terminal=TERMINAL)
    till.receipt()
    till.recorded(till.until("approved"), CAKE)
    assert len(viva.charges) == 1


def test_reload_in_the_middle(till, viva):
    """A reload loses nothing: the payment lands on its order."""
    viva.script("wait")
    pay(till)
    operation = till.until("pending")
    till.page.reload()
    till.ready()
    viva.call("present", terminal=TERMINAL)
    till.until("approved")
    till.suite.wait_until(
        lambda: (till.line(operation["idempotency_key"]) or [""])[0] == "done", what="the paid line"
    )
    assert len(viva.charges) == 1


def test_token_revoked_in_the_middle(till, viva):
    """The cashier's till gets a new token by itself; nothing is written in the cashier's name."""
    viva.script("wait")
    pay(till)
    till.until("pending")
    viva.call("revoke")
    viva.call("present", terminal=TERMINAL)
    till.receipt()
    assert till.until("approved")
    assert viva.counts("token") >= 2


def test_lost_answer_is_charged_once(till, viva):
    """The sale's answer is lost after it was taken: the same session is sent again and known."""
    viva.call("fault", endpoint="sale", name="close_after", times=1)
    viva.script("approved", delay=1)
    paid_once(till, viva)
    assert len(viva.get("sessions")) == 1


def test_asleep_until_the_deadline(page, suite, login, viva, screenshot):
    """A terminal that sleeps: unknown when its time is over, its abortion asked for, settled by a manager."""
    login(page, "manager")
    till = Till(page, suite).open()
    viva.call("terminal", terminal=TERMINAL, condition="asleep")
    pay(till)
    waiting = till.until("pending")
    # the clock goes on faster than the method's 90 seconds
    soon = "now() at time zone 'utc' + interval '3 seconds'"
    suite.sql(f"UPDATE servipay_operation SET deadline_at = {soon} WHERE id = {waiting['id']} RETURNING id")
    till.suite.wait_until(lambda: till.newest("unknown"), seconds=60, what="the doubt")
    till.status(".servipay_unknown")
    screenshot(page, "pos-viva-unknown-fr")
    till.suite.wait_until(lambda: viva.counts("abort"), seconds=60, what="the wish to abort")
    page.locator(".servipay_not_paid").click()
    page.locator("#servipay_reason").fill("Le terminal dormait, le portail Viva ne montre rien")
    page.locator(".modal-footer .btn-primary").click()
    page.locator(".send_payment_request").first.wait_for()
    assert till.newest("failed")
    assert not viva.charges


def test_refund(till, viva):
    """The whole payment goes back without a card, from the refund screen."""
    viva.script("approved", delay=0)
    pay(till)
    till.receipt()
    paid = till.until("approved")
    till.recorded(paid, CAKE)
    till.next_order()
    till.refund("18,50", METHOD)
    refund = till.until("approved", kind="refund")
    till.refunded(refund)
    [known] = till.admin.call("servipay.operation", "read", [refund["id"]], ["original_id", "amount"])
    assert (known["original_id"][0], known["amount"]) == (paid["id"], CAKE)
    assert sorted(charge["kind"] for charge in viva.charges) == ["refund", "sale"]
    assert till.operations(kind="purchase")[0]["state"] == "approved"


def test_partial_refund(till, viva):
    """Half of it goes back, from the back office."""
    viva.script("approved", delay=0)
    pay(till)
    till.receipt()
    paid = till.until("approved")
    till.recorded(paid, CAKE)
    values = {"operation_id": paid["id"], "amount": 8.5}
    dialog = till.admin.call("servipay.operation.refund", "create", values)
    till.admin.call(
        "servipay.operation.refund", "action_confirm", dialog if isinstance(dialog, list) else [dialog]
    )
    till.suite.wait_until(lambda: till.newest("approved", kind="refund"), what="the refund")
    assert sorted(charge["amount"] for charge in viva.charges) == [850, 1850]


def test_reversed_after_success(till, viva):
    """Viva.com takes a payment back by itself: the operation says so, and somebody is asked to look."""
    viva.script("approved", delay=0, reversal=3)
    pay(till)
    till.receipt()
    operation = till.until("approved")
    till.until("reversed")
    domain = [("res_model", "=", "servipay.operation"), ("res_id", "=", operation["id"])]
    assert till.admin.call("mail.activity", "search_count", domain) == 1


def second_method(admin, first):
    """Return a method that drives the other terminal."""
    names = ["journal_id", "viva_wallet_client_id", "viva_wallet_test_mode", "viva_wallet_base_url"]
    [known] = admin.call("pos.payment.method", "read", [first], names)
    known.pop("id")
    kind = admin.call("pos.payment.method", "fields_get", ["payment_method_type"])
    values = {
        **known,
        "name": OTHER,
        "journal_id": known["journal_id"][0],
        "use_payment_terminal": "viva_wallet",
        "viva_wallet_client_secret": "Simulator-2026",
        "viva_wallet_terminal_id": "16000011",
        **({"payment_method_type": "terminal"} if kind else {}),
    }
    made = admin.call("pos.payment.method", "create", values)
    return made[0] if isinstance(made, list) else made


def test_two_tills_at_once(till, viva, browser, suite, login, methods):
    """Two tills, two terminals: each answer lands on its own order."""
    admin = suite.user("admin")
    second = second_method(admin, methods[0])
    both = [second, methods[0]]  # of a single one core adds the line by itself
    admin.call("pos.config", "create", {"name": "Marché", "payment_method_ids": [(6, 0, both)]})
    surroundings = browser.new_context(base_url=suite.url, viewport={"width": 1366, "height": 900})
    page = surroundings.new_page()
    login(page, "manager")
    other = Till(page, suite, "Marché").open()
    viva.script("wait", times=2)
    pay(till)
    till.until("pending")
    other.sell("Café")
    other.pay(OTHER)
    other.until("pending")
    viva.call("present", terminal="16000011")
    other.receipt()
    viva.call("present", terminal=TERMINAL)
    till.receipt()
    assert (till.until("approved")["amount"], other.until("approved")["amount"]) == (CAKE, 2.0)
    close(surroundings)
