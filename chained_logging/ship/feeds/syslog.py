"""Syslog over TLS: RFC 5424 messages, counted by octets as RFC 5425 says.

Syslog has no acknowledgement. What it has is the end of a connection: the sender says
``close_notify``, and the receiver, once it has read everything before that, must say it too
(RFC 5425, 4.4). A receiver that was killed does not. So each batch has a connection of its own, and
counts once the receiver has closed it in order. Otherwise all of the batch is sent again.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Final

from chained_logging.errors import DestinationError
from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.ship.feeds.address import parsed
from chained_logging.ship.feeds.feed import Feed

PORT: Final = 6514
_FACILITY: Final = 13  # log audit
_SEVERITY: Final = {"success": 6, "failure": 4, "denied": 4}  # informational, warning
_NOTICE: Final = 5
_SD_ID: Final = f"{OURSELVES}@32473"
"""The id of our structured data. RFC 5612 keeps the number 32473 for those without one."""
_OUTSIDE_HEADER: Final = re.compile(r"[^\x21-\x7e]")
_ESCAPED: Final = re.compile(r'["\\\]]')
_TIMEOUT: Final = 30.0  # seconds for a batch


class SyslogFeed(Feed):
    """See :class:`~chained_logging.ship.feeds.feed.Feed`.

    :param url: ``syslog+tls://host:6514``, with the options ``format``, ``ca`` (a file with the
        authorities to trust), ``certificate`` and ``key`` (files of ours), and ``confirm=no`` for a
        receiver that does not close connections in order.
    :raises ValueError: if it is no such URL.
    :raises OSError: if a file cannot be read.
    """

    batch_entries = 5_000
    batch_bytes = 4_000_000

    def __init__(self, url: str) -> None:
        super().__init__(parsed(url, ("ca", "certificate", "key", "confirm"), PORT))
        options = self.address.options
        if options.get("confirm", "yes") not in ("yes", "no"):
            raise ValueError(f"{self.name}: confirm must be yes or no")
        self._confirm = options.get("confirm") != "no"
        self._hostname = _OUTSIDE_HEADER.sub("", socket.gethostname())[:255] or "-"
        self._tls = ssl.create_default_context(cafile=options.get("ca"))
        if "certificate" in options:
            # Without a password here, OpenSSL would ask for one on the terminal.
            self._tls.load_cert_chain(options["certificate"], options.get("key"), password="")

    def send(self, origin: str, entries: Sequence[AuditEntry]) -> None:
        data = b"".join(
            frame(message(entry, origin, self._hostname, self.payload(entry, origin)))
            for entry in entries
        )
        deadline = time.monotonic() + _TIMEOUT
        try:
            with self._connected() as connection:
                _send(connection, data, deadline)
                self._close_in_order(connection, deadline)
        except OSError as error:
            raise DestinationError(f"{self.name}: {error}") from error

    def _connected(self) -> ssl.SSLSocket:
        host, port = self.address.host, self.address.port
        raw = socket.create_connection((host, port), timeout=_TIMEOUT)
        try:
            return self._tls.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def _close_in_order(self, connection: ssl.SSLSocket, deadline: float) -> None:
        """Say that nothing more comes, and wait until the receiver has read what came before.

        :raises OSError: if the receiver does not answer that in order.
        """
        connection.settimeout(_left(deadline))
        try:
            connection.unwrap().close()
        except (ssl.SSLEOFError, ssl.SSLSyscallError, ValueError) as error:
            if self._confirm:
                raise ConnectionError(
                    "the receiver ended the connection without close_notify (RFC 5425, 4.4), so "
                    "nobody knows what it has read. If it always does, add the option confirm=no"
                ) from error


def _send(connection: ssl.SSLSocket, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        connection.settimeout(_left(deadline))
        view = view[connection.send(view[:65_536]) :]


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the receiver takes the entries too slowly")
    return seconds


# --- Messages.


def message(entry: AuditEntry, origin: str, hostname: str, content: bytes) -> bytes:
    """Return an RFC 5424 message.

    :param hostname: the machine that sends it.
    :param content: what it says.
    :raises ValueError: if the entry has no id or time.
    """
    fields = entry.fields
    id, timestamp = fields.get("id"), fields.get("timestamp")
    if not isinstance(id, str) or not isinstance(timestamp, str):
        raise ValueError(f"entry {fields.get('seq')} was not written by a log (id, timestamp)")
    result = fields.get("result")
    severity = _SEVERITY.get(result, _NOTICE) if isinstance(result, str) else _NOTICE
    header = " ".join(
        (
            f"<{_FACILITY * 8 + severity}>1",
            _OUTSIDE_HEADER.sub("", timestamp) or "-",
            hostname,
            OURSELVES,
            "-",
            _OUTSIDE_HEADER.sub("", id).replace("-", "")[:32] or "-",
        )
    )
    data = {"id": id, "seq": str(fields.get("seq")), "hash": str(entry.hash), "origin": origin}
    said = " ".join(f'{name}="{_parameter(value)}"' for name, value in data.items())
    return f"{header} [{_SD_ID} {said}] ".encode() + content


def _parameter(value: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\{found[0]}", value)


def frame(message: bytes) -> bytes:
    """Return a message with its length before it, as RFC 5425 counts octets."""
    return b"%d %b" % (len(message), message)
