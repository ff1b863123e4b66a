"""Where the platform is: hosts of its brands, and the addresses of its pages.

Source: protocols/ogone.md, 0, 1.1 and 5.1. Worldline has announced the end of these hosts; which of them
still answer is not known here.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from .errors import ProtocolError

# the pages without _utf8 speak ISO-8859-1, and nothing but the page's name tells them apart
ENDPOINTS = MappingProxyType(
    {
        "page": "orderstandard_utf8.asp",
        "order": "orderdirect_utf8.asp",
        "maintenance": "maintenancedirect_utf8.asp",
        "query": "querydirect_utf8.asp",
    }
)
# brand -> (production, test)
BRANDS = MappingProxyType(
    {
        "ogone": ("https://secure.ogone.com", "https://ogone.test.v-psp.com"),
        "epdq": ("https://payments.epdq.co.uk", "https://mdepayments.epdq.co.uk"),
        "postfinance": ("https://e-payment.postfinance.ch", "https://postfinance.test.v-psp.com"),
        "kbc": ("https://secure.paypage.be",) * 2,
        "concardis": ("https://secure.payengine.de",) * 2,
        "viveum": ("https://viveum.v-psp.com",) * 2,
        "payglobe": ("https://securepay.eupayglobe.com",) * 2,
        "santander": ("https://secure.tpvecommerce.es",) * 2,
    }
)
# what was announced: ISO date of the last day
ANNOUNCED_END = MappingProxyType({"ogone": "2025-12-31", "epdq": "2026-03-31"})
NOTIFIABLE_PORTS = frozenset({80, 443})
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Platform:
    """base: "https://host" without a slash at the end; test: whether its test environment is meant."""

    base: str
    test: bool

    def address(self, endpoint):
        """Address (str) of one of ENDPOINTS; ProtocolError code "endpoint"."""
        if not isinstance(endpoint, str) or endpoint not in ENDPOINTS:
            raise ProtocolError("This page is not known.", "endpoint", "endpoint")
        return f"{self.base}/ncol/{'test' if self.test else 'prod'}/{ENDPOINTS[endpoint]}"


def platform(brand, test, base="", insecure=False):
    """The Platform of a brand (one of BRANDS), or of an address of one's own (brand "custom").

    test      True for the test environment
    base      address of one's own (str), as `base_address` takes it; only read for "custom"
    insecure  True allows http there, which only a simulator on the same machine should be reached by
    ProtocolError codes "brand", "host", "https".
    """
    if brand == "custom":
        return Platform(base_address(base, insecure), test is True)
    if not isinstance(brand, str) or brand not in BRANDS:
        raise ProtocolError("The platform is not known.", "brand", "brand")
    return Platform(BRANDS[brand][1 if test is True else 0], test is True)


def base_address(host, insecure=False):
    """ "https://host:port" of an address as people type it: "host", "host:port", or any page's address.

    ProtocolError codes "host", and "https" for http where `insecure` is not True.
    """
    text = host.strip() if isinstance(host, str) else ""
    scheme, mark, rest = text.partition("://")
    rest, scheme = (rest, scheme.lower()) if mark else (scheme, "https")
    # who copies the address of a page means its host
    rest = re.split(r"/ncol(?:/|$)", rest, maxsplit=1)[0].rstrip("/")
    if (
        scheme not in ("https", "http")
        or not _HOST.fullmatch(rest)
        or int(rest.partition(":")[2] or 1) > 65535
    ):
        raise ProtocolError("A host is written as name, name:port or https://name:port.", "host", "host")
    if scheme == "http" and insecure is not True:
        raise ProtocolError("The platform is only spoken to by https.", "host", "https")
    return f"{scheme}://{rest}"


def can_be_notified(address):
    """Whether the platform calls an address (str): absolute, and on port 80 or 443."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except (ValueError, AttributeError, TypeError):
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    return (port or {"http": 80, "https": 443}[parts.scheme]) in NOTIFIABLE_PORTS
