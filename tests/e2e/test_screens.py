"""The forms in which an administrator configures terminals and providers, and a terminal's own: in both
languages, and without any secret in them. Their pictures stand in docs/en and docs/fr.
"""

import pytest
from backoffice import button, open_action, show_all

METHODS = {  # payment method of the demo -> name of its picture
    "Carte (PayperCloud)": "method-paypercloud",
    "Carte (Caisse-AP)": "method-caisse-ap",
    "Carte (Viva)": "method-viva",
}
HIGH = {"width": 1366, "height": 1250}  # the whole form
VIVA_SECRETS = ("Simulator-Api-2026", "Simulator-2026")
OGONE_SECRETS = ("Simulator-2026", "Sim-in.Page-2026!", "Sim-in.Direct-2026", "Sim-out.Back-2026")


def found(suite, model, *domain):
    """The id of a record."""
    return suite.user("admin").call(model, "search", list(domain), limit=1)[0]


def show_form(page, action, number, field):
    """Open a record and show the whole of its form."""
    page.set_viewport_size(HIGH)
    open_action(page, action, number)
    page.locator(f"div[name={field}]").wait_for()
    show_all(page)


@pytest.mark.parametrize("name", METHODS)
def test_payment_method(page, suite, login, screenshot, language, name):
    """What drives a terminal; keys are never shown."""
    number = found(suite, "pos.payment.method", ("name", "=", name))
    login(page, "admin")
    show_form(page, "point_of_sale.action_pos_payment_method_form", number, "servipay_fast_payment")
    screenshot(page, f"{METHODS[name]}-{language}")
    assert not [secret for secret in VIVA_SECRETS if secret in page.content()]


def test_terminal(page, suite, login, screenshot, language):
    """A terminal's form says how it is; its test says in words what came back."""
    admin = suite.user("admin")
    name = [("provider", "=", "paypercloud"), ("pid", "=", "T1")]
    if not admin.call("servipay.terminal", "search_count", name):
        admin.call("servipay.terminal", "create", {"provider": "paypercloud", "pid": "T1", "name": "T1"})
    number = found(suite, "servipay.terminal", *name)
    admin.call("servipay.terminal", "write", [number], {"name": "Comptoir", "note": "Pierre, 04 78 00 00 00"})
    login(page, "admin")
    open_action(page, "paypercloud_servipay.servipay_terminal_action", number)
    button(page, "action_test").click()
    page.locator(".o_notification").first.wait_for()
    page.mouse.move(700, 800)
    show_all(page)
    screenshot(page, f"terminal-{language}")


def test_ogone_provider(page, suite, login, screenshot, language):
    """The account at Ogone; no passphrase comes back to the browser."""
    number = found(suite, "payment.provider", ("code", "=", "ogone"))
    login(page, "admin")
    show_form(page, "payment.action_payment_provider", number, "ogone_pspid")
    screenshot(page, f"ogone-provider-{language}")
    assert not [secret for secret in OGONE_SECRETS if secret in page.content()]
    button(page, "action_ogone_check").click()
    page.locator(".o_notification").first.wait_for()


def test_terminal_settings(page, login, screenshot, language):
    """The block of the point of sale's settings that overrides the company's."""
    login(page, "admin")
    open_action(page, "point_of_sale.action_pos_configuration")
    setting = page.locator("div[name=pos_servipay_terminal_pid]")  # 17.0 gives blocks no id
    setting.wait_for()
    setting.scroll_into_view_if_needed()
    show_all(page)
    screenshot(page, f"pos-settings-{language}")
