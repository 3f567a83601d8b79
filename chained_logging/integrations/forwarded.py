"""The client's address behind proxies: which proxies are believed, and how headers are read.

A header is only as trustworthy as its writer. Each trusted proxy adds, at the right end, the
address that it was called from; everything to the left of that came with the request. So the list
is read from the right, and ends at the first address that is not a trusted proxy: nothing that a
client wrote is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal, NamedTuple

from chained_logging.event import addresses
from chained_logging.event.addresses import Address

ProxyHeader = Literal["x-forwarded-for", "forwarded"]
HEADERS: Final = ("x-forwarded-for", "forwarded")
UNIX: Final = "unix"
"""In the list of trusted proxies: every client that connects through a Unix socket."""

_MAX_NOTE: Final = 200


class Client(NamedTuple):
    """Where a request came from.

    :ivar address: the address, or None where the server knows none (a Unix socket).
    :ivar note: what a trusted proxy sent in place of an address, such as ``unknown`` or
        ``_hidden``; only its right end. The address is then the proxy's.
    """

    address: str | None
    note: str | None = None


class TrustedProxies:
    """The proxies that are believed, and the one header that they write.

    :param networks: addresses or networks, such as ``10.0.0.0/8``; ``unix`` for a proxy that
        connects through a Unix socket.
    :param header: ``x-forwarded-for`` or ``forwarded`` (RFC 7239). The other one is never read:
        a proxy that writes one passes the other on, as the client wrote it.
    :raises ValueError: for what is neither a network nor a header of these.
    """

    def __init__(self, networks: Iterable[str], header: ProxyHeader = "x-forwarded-for") -> None:
        if isinstance(networks, str):
            raise ValueError(f"trusted_proxies must be a list of networks, such as [{networks!r}]")
        if header not in HEADERS:
            raise ValueError(f"proxy_header must be one of {', '.join(HEADERS)}, not {header!r}")
        names = list(networks)
        self.header: Final = header
        self._unix = UNIX in names
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(name) for name in names if name != UNIX
        ]

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def client(self, peer: str | None, header: str | None) -> Client:
        """Return where a request came from.

        :param peer: the address that opened the connection; None or empty for a Unix socket.
        :param header: the header's value; several headers are joined by commas.
        """
        peer = peer.partition("%")[0] if peer else None
        if not self:
            return Client(peer)
        nearest = _address(peer) if peer else None
        text = str(nearest) if nearest is not None else None
        if not header or not self._trusts(nearest, peer):
            return Client(text)
        hops = _elements(header) if self.header == "forwarded" else header.split(",")
        if hops is None:
            return Client(text, _note(header))
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:  # an unknown hop vouches for everything to the left
                return Client(text, _note(hop.strip()))
            text = str(address)
            if not self._trusts(address, text):
                break
        return Client(text)

    def _trusts(self, address: Address | None, given: str | None) -> bool:
        if address is None:
            return self._unix and not given
        return any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """Return the address in a text. One with a zone is one of the proxy's own network."""
    return None if "%" in text else addresses.parse(text)


def _note(text: str) -> str:
    return text[-_MAX_NOTE:]


# RFC 7239, section 4: pairs of a token and a token or a quoted string. Addresses need quotes
# there when they hold colons; what some proxies write without them is taken as well.
_PAIR = re.compile(
    r"[ \t]*(?:([\w!#$%&'*+.^`|~-]+)="
    r"([\w!#$%&'*+.^`|~:\[\]-]+"
    r'|"(?:[^"\\]|\\.)*"))?'
    r"[ \t]*([;,]|$)",
    re.ASCII,
)


def _elements(header: str) -> Sequence[str] | None:
    """Return the ``for`` of each element, or None if the header is not well formed.

    The whole header is then refused: otherwise an open quote that a client sends would swallow what
    the proxy wrote after it.
    """
    found: list[str] = []
    current, position = "", 0
    while True:
        match = _PAIR.match(header, position)
        if match is None:
            return None
        name, value, end = match.groups()
        if name and name.lower() == "for":
            if current:
                return None
            current = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        if end != ";":
            found.append(current or "unknown")
            current = ""
        if not end:
            return found
        position = match.end()
