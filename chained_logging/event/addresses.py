"""From what frameworks hand out as a client's address to an address: one rule for every way in."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address
from typing import Any, Final
from urllib.parse import unquote

from chained_logging.event.identifiers import text
from chained_logging.event.proxies import unwrapped

Address = IPv4Address | IPv6Address

# [2001:db8::1]:4711 and 192.0.2.1:4711. Proxies may write a name for the port (RFC 7239, 6).
_PORT: Final = re.compile(r"\[([^\[\]]*)\](?::\w{1,5})?|([\d.]+):\w{1,5}", re.ASCII)


# The longest address has 45 characters; a zone, a port and brackets come to that.
MAX_TEXT: Final = 128


def parse(given: str) -> Address | None:
    """Return the address in a text; None if there is not exactly one.

    Surrounding blanks, brackets, a port and an IPv6 zone (RFC 4007) are dropped, and so is the
    scheme that gRPC's ``peer()`` adds. An IPv4-mapped address (RFC 4291, 2.5.5.2) becomes IPv4.
    """
    return _parse(given) if len(given) <= MAX_TEXT else None


@lru_cache(maxsize=4096)  # parsing takes 2 µs, and the same addresses come again and again
def _parse(given: str) -> Address | None:
    bare = given.strip()
    if bare.startswith(("ipv4:", "ipv6:")):
        bare = unquote(bare[5:])
    match = _PORT.fullmatch(bare)
    if match:
        bare = match[1] or match[2] or ""
    host, zone, _ = bare.partition("%")
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return None if zone else address


def address_text(value: Any) -> str:
    """Return the text of what a program has as an address: ``(host, port)``, bytes, an object.

    Whether that is an address is for :func:`parse` to say.

    :raises ValueError: if it is nothing of the kind.
    """
    value = unwrapped(value)
    if isinstance(value, IPv4Interface | IPv6Interface):
        value = value.ip
    if isinstance(value, tuple | list) and 2 <= len(value) <= 4:  # of a socket, or asyncio's
        value = value[0]
    if isinstance(value, bytes):
        return _of_bytes(value)
    if isinstance(value, int):
        raise ValueError("is not an IPv4 or IPv6 address")
    return text(value)


def _of_bytes(data: bytes) -> str:
    """Return the text in bytes, or the address that they are in network order."""
    written = data.decode("ascii", "replace")
    if parse(written) is None and len(data) in (4, 16):
        return str(ip_address(data))
    return written
