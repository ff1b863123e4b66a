"""Where Viva.com is: three hosts for three purposes, in production and in the demo environment.

Source: protocols/viva.md, 1.1; 7 for the simulator, which plays all three of them.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType

from . import paths
from .errors import ProtocolError

ROLES = ("accounts", "api", "www")
PRODUCTION = MappingProxyType(
    {
        "accounts": "https://accounts.vivapayments.com",
        "api": "https://api.vivapayments.com",
        "www": "https://www.vivapayments.com",
    }
)
DEMO = MappingProxyType(
    {
        "accounts": "https://demo-accounts.vivapayments.com",
        "api": "https://demo-api.vivapayments.com",
        "www": "https://demo.vivapayments.com",
    }
)
_BASE = re.compile(r"(https?)://[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """One HTTP request, without host and secrets.

    verb    GET, POST or DELETE
    role    one of ROLES: whose host
    path    str with its query, quoted
    access  "client" (Basic, client id and secret), "bearer", "merchant" (Basic, merchant id and API key)
    body    dict for a JSON body, None without one
    form    tuple of (name, value) for a form body, () without one
    """

    verb: str
    role: str
    path: str
    access: str
    body: dict | None = None
    form: tuple = ()


@dataclass(frozen=True)
class Site:
    """One environment. accounts, api, www: "https://host" without a slash at the end; test: the demo one."""

    accounts: str
    api: str
    www: str
    test: bool

    def address(self, call):
        """Address (str) that a Call goes to; ProtocolError code "role"."""
        if not isinstance(call, Call) or call.role not in ROLES:
            raise ProtocolError("There is no host for this.", "role", "role")
        return getattr(self, call.role) + call.path

    def receipt(self, transaction_id):
        """Address (str) of the receipt page of a transaction (str); ProtocolError code "path"."""
        return self.www + paths.receipt(transaction_id)


def site(test, base="", insecure=False):
    """The Site of the demo environment (`test` is True) or of production.

    base      address (str) of a simulator that plays all three hosts, "" for Viva.com's own
    insecure  True allows http there, which only a simulator on the same machine should be reached by
    ProtocolError codes "host", "https".
    """
    own = DEMO if test is True else PRODUCTION
    found = dict.fromkeys(ROLES, _base(base, insecure)) if base else own
    return Site(**found, test=test is True)


def _base(text, insecure):
    text = text.strip().rstrip("/") if isinstance(text, str) else ""
    match = _BASE.fullmatch(text)
    if not match or int((match[3] or ":1")[1:]) > 65535:
        raise ProtocolError("An address is written as https://name or https://name:port.", "base", "host")
    if match[1].lower() == "http" and insecure is not True:
        raise ProtocolError("Viva.com is only spoken to by https.", "base", "https")
    return text
