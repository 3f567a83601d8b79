"""Lines from a socket."""

from __future__ import annotations

import socket
import time
from typing import Final

from chained_logging.event.input import MAX_LINE, TOO_LONG

BATCH: Final = 256
"""Number of events that are appended in one write."""
CHUNK: Final = 1 << 16
"""Bytes that are read at once."""


class LineReader:
    """Reads lines, each bounded in its length and in the time that it takes.

    :param connection: the socket. Its timeout is changed.
    :param timeout: seconds from the first byte of a line to its end.
    """

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._buffer = bytearray()
        self._ready: list[bytes | str] = []
        self._skipping = False
        self._ended = False
        self._begun: float | None = None

    def lines(self) -> list[bytes | str]:
        """Wait for a line, and return it with those that arrived with it; nothing at the end.

        :returns: at most :data:`BATCH` lines. A text replaces a refused line, and says why.
        """
        while not self._ready and not self._ended:
            self._receive()
        batch, self._ready = self._ready[:BATCH], self._ready[BATCH:]
        return batch

    def _receive(self) -> None:
        left = None
        if self._begun is not None:
            left = self._begun + self._timeout - time.monotonic()
        try:
            if left is not None and left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            data = self._connection.recv(CHUNK)
        except TimeoutError:
            self._end(f"a line must end within {self._timeout:g} seconds")
            return
        except ConnectionError:
            data = b""
        if not data:
            self._end("a line must end with a line feed: without one it may have been cut off")
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._finish(bytes(self._buffer) + line)
            self._buffer.clear()
        self._buffer += rest
        if lines or self._begun is None:
            self._begun = time.monotonic() if rest or self._skipping else None
        if len(self._buffer) > MAX_LINE:
            self._skipping = True
            self._buffer.clear()

    def _finish(self, line: bytes) -> None:
        if self._skipping or len(line) > MAX_LINE:
            self._skipping = False
            self._ready.append(TOO_LONG)
        elif line.strip():
            self._ready.append(line)

    def _end(self, reason: str) -> None:
        if self._buffer or self._skipping:
            self._ready.append(reason)
        self._ended = True
