"""What the buttons that test an address, a key or a terminal say."""

from typing import NamedTuple

MARKS = {"danger": "✗", "warning": "!", "success": "✓"}  # the worst first


def told(findings, title=""):
    """Return the notification of several checks, [(kind, sentence)]: a line each, the worst kind decides.

    It stays on the screen, as there is more to read than a moment allows.
    """
    kinds = {kind for kind, _text in findings}
    return {
        "type": "ir.actions.client",
        "tag": "display_notification",
        "params": {
            "type": next((kind for kind in MARKS if kind in kinds), "success"),
            "title": title,
            "message": "\n".join(f"{MARKS[kind]} {text}" for kind, text in findings),
            "className": "text-prewrap",  # the web client joins the lines otherwise
            "sticky": True,
        },
    }


class Tested(NamedTuple):
    """What a test of a terminal found.

    kind: of the notification ("success", "warning", "danger"); message: a sentence for the person who tests.
    latency: milliseconds of an answer that proves that the terminal is there, None without one.
    """

    kind: str
    message: str
    latency: float | None = None

    def notification(self):
        """Return the action that shows it; what is not well stays on the screen."""
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {"type": self.kind, "message": self.message, "sticky": self.kind != "success"},
        }
