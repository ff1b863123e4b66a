"""Where the platform is: brands, hosts, pages, and what its availability page says.

Source: protocols/paybox.md, 1.1 and 1.2.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from .errors import ProtocolError

PAGES = MappingProxyType(
    {
        "current": "/php/",
        "responsive": "/cgi/FramepagepaiementRWD.cgi",
        "classic": "/cgi/MYchoix_pagepaiement.cgi",
    }
)
DIRECT = "/PPPS.php"
AVAILABILITY = "/load.html"
# the platform calls the merchant on these ports only
NOTIFIABLE_PORTS = frozenset({80, 443, *range(8080, 8086)})
_STATUS = re.compile(rb"\bid\s*=\s*[\"']?server_status[\"']?[^<>]{0,200}>\s{0,20}OK\s{0,20}<")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Platform:
    """Base addresses (str) without a slash at the end: pages in order of preference, PPPS likewise."""

    pages: tuple
    direct: tuple


def _platform(domain, test_page):
    return {
        "test": Platform((f"https://{test_page}.{domain}",), (f"https://preprod-ppps.{domain}",)),
        "production": Platform(
            (f"https://tpeweb.{domain}", f"https://tpeweb1.{domain}"),
            (f"https://ppps.{domain}", f"https://ppps1.{domain}"),
        ),
    }


BRANDS = MappingProxyType(
    {
        "paybox": _platform("paybox.com", "preprod-tpeweb"),
        "etransactions": _platform("e-transactions.fr", "recette-tpeweb"),
    }
)


def platform(brand, test, page="", backup="", direct=""):
    """The Platform of a brand ("paybox", "etransactions") or of hosts of one's own (brand "custom").

    test   True for the pre-production platform, which has no second host
    page, backup, direct  hosts of one's own (str): "host", "host:port" or "https://host:port"
    ProtocolError codes "brand", "host".
    """
    if brand in BRANDS:
        return BRANDS[brand]["test" if test else "production"]
    if brand != "custom":
        raise ProtocolError("The platform is not known.", "brand", "brand")
    pages = tuple(base_address(host, "host") for host in (page, backup) if host)
    if not pages:
        raise ProtocolError("A platform of one's own needs a host.", "host", "host")
    return Platform(pages, (base_address(direct, "direct") if direct else pages[0],))


def base_address(host, field="host"):
    """ "https://host:port" of a host as people type it; ProtocolError code "host"."""
    text = host.strip().rstrip("/") if isinstance(host, str) else ""
    scheme, mark, rest = text.partition("://")
    rest, scheme = (rest, scheme) if mark else (scheme, "https")
    port = rest.partition(":")[2]
    if scheme not in ("https", "http") or not _HOST.fullmatch(rest) or int(port or 1) > 65535:
        raise ProtocolError("A host is written as name, name:port or https://name:port.", field, "host")
    return f"{scheme}://{rest}"


def is_available(page):
    """Whether an availability page (bytes) says that the server takes payments."""
    return isinstance(page, bytes) and _STATUS.search(page) is not None


def can_be_notified(address):
    """Whether the platform calls an address (str): absolute, and on one of its ports."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except (ValueError, AttributeError, TypeError):
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    return (port or {"http": 80, "https": 443}[parts.scheme]) in NOTIFIABLE_PORTS
