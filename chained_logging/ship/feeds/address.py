"""The URL of a feed: where it is, and our own options after the ``#``, which no receiver sees."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from chained_logging.formats.table import FORMATS
from chained_logging.keys.owner_file import read_private
from chained_logging.net.urls import checked, shown

LINE: Final = "line"
"""The format of a feed that sends the stored line as it is."""

_FORMATS: Final = (LINE, *(name for name in FORMATS if name != "csv"))


class Address(NamedTuple):
    """A feed's URL, taken apart.

    :ivar url: without the options.
    :ivar name: for messages: without parameters too.
    """

    url: str
    name: str
    host: str
    port: int
    options: Mapping[str, str]

    @property
    def format(self) -> str:
        """The format of the entries: a name in
        :data:`~chained_logging.formats.table.FORMATS`, or :data:`LINE`."""
        return self.options.get("format", LINE)


def parsed(url: str, allowed: Iterable[str], port: int) -> Address:
    """Take a URL apart.

    :param allowed: the names of the options.
    :param port: where the URL names none.
    :raises ValueError: if it is malformed, has a password in it, or an option that is not known.
    """
    parts = urlsplit(checked(url))
    name = shown(url)
    if "@" in parts.netloc:
        raise ValueError(f"{name}: the URL must not hold a user or a password: name a file instead")
    if not parts.hostname:
        raise ValueError(f"{name}: the URL must name a host")
    options = dict(parse_qsl(parts.fragment, keep_blank_values=True))
    known = {*allowed, "format"}
    if unknown := sorted(options.keys() - known):
        raise ValueError(
            f"{name}: unknown option {', '.join(unknown)}; the options after # are "
            f"{', '.join(sorted(known))}"
        )
    found = Address(url.partition("#")[0], name, parts.hostname, parts.port or port, options)
    if found.format not in _FORMATS:
        raise ValueError(f"{name}: format must be one of {', '.join(_FORMATS)}")
    return found


def require_secure(address: Address) -> None:
    """Check that entries do not travel in the clear, unless they stay on this machine.

    :raises ValueError: if they would.
    """
    scheme = address.url.partition("://")[0].lower()
    if scheme.endswith("http") and not is_loopback(address.host):
        raise ValueError(
            f"{address.name}: use {scheme}s, since entries must not be read on the way"
        )


def is_loopback(host: str) -> bool:
    """Whether what is sent to a host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def secret(address: Address, option: str, variable: str) -> str | None:
    """Return a secret from the file that an option names, or from the environment.

    :raises OSError: if the file cannot be read.
    :raises ForeignFile: if others can read it.
    :raises ValueError: if it is empty, or not one line of ASCII text.
    """
    file = address.options.get(option)
    found = os.environ.get(variable) if file is None else None
    if file is not None:
        found = os.fsdecode(read_private(Path(file))).partition("\n")[0].rstrip("\r")
    if found is None:
        return None
    if not found or not found.isascii() or not found.isprintable():
        raise ValueError(f"{file or variable} must hold one line of ASCII text")
    return found
