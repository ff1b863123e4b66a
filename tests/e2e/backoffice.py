"""The web client of the back office: what the tests of its screens share."""


def open_action(page, name, record=None):
    """Open an action by its XML id, or the form of one of its records."""
    form = f"id={record}&view_type=form&" if record else ""
    page.goto(f"/web#{form}action={name}")
    page.reload()  # the address may differ in its fragment only
    page.locator(".o_view_controller, .o_action").first.wait_for()


def button(page, name):
    """The visible button that calls a method."""
    return page.locator(f"button[name={name}]:visible").first


def show_all(page):
    """Wait until nothing is loading and let the page's transitions end before a picture is taken.

    Not "networkidle": the web client may poll for messages as long as it is open, and never becomes idle.
    """
    page.wait_for_function(
        "document.fonts.status === 'loaded' && [...document.images].every(i => i.complete)"
    )
    page.wait_for_timeout(600)
    page.locator(".o_loading_indicator").wait_for(state="hidden")
