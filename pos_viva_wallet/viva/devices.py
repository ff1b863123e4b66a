"""The merchant's terminals, for whoever has to choose one. It is not told whether they are switched on.

Source: protocols/viva.md, 1.3 (devices:search).
"""

from dataclasses import dataclass
from types import MappingProxyType

from . import answer
from .text import identifier

MAX_DEVICES = 2000
STATUSES = MappingProxyType(
    {
        **{0: "warehouse", 1: "live", 2: "ready_to_ship", 3: "in_stock", 4: "key_injection"},
        **{5: "lost", 6: "broken", 7: "locked"},
    }
)


@dataclass(frozen=True)
class Device:
    """One terminal. Texts are "" when not told.

    terminal  its id; status: one of STATUSES
    source    code of the payment source; virtual: id of a virtual terminal
    merchant  told to ISV credentials only
    """

    terminal: str
    status: str = ""
    source: str = ""
    virtual: str = ""
    merchant: str = ""

    @property
    def is_live(self):
        """Whether payments may be sent to it; it may be switched off all the same."""
        return self.status == "live"


@dataclass(frozen=True)
class Devices:
    """devices: tuple of Device; unreadable: how many more there were; reason: slug, "" when it was read."""

    devices: tuple = ()
    unreadable: int = 0
    reason: str = ""
    detail: str = ""


_REASONS = {401: "access_refused", 403: "access_denied", 429: "service_busy", 503: "service_busy"}


def read_devices(http_status, headers, body):
    """The Devices in an answer (int, mapping of str, bytes) to `request.search_devices`. Never raises."""
    found = answer.read(http_status, headers, body)
    if found.status != 200:
        other = "service_error" if found.status else "no_answer"
        return Devices(reason=_REASONS.get(found.status, other), detail=found.detail)
    if not isinstance(found.document, list):
        return Devices(reason="unreadable")
    devices = [_device(row) for row in found.document[:MAX_DEVICES] if isinstance(row, dict)]
    devices = tuple({one.terminal: one for one in devices if one.terminal}.values())
    return Devices(devices, len(found.document) - len(devices))


def _device(row):
    number = row.get("statusId")
    return Device(
        terminal=identifier(row.get("terminalId")),
        status=STATUSES.get(number, "") if type(number) is int else "",
        source=identifier(row.get("sourceCode")),
        virtual=identifier(row.get("virtualTerminalId")),
        merchant=identifier(row.get("merchantId")),
    )
