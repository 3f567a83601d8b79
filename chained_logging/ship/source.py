"""What a shipper reads: a log that is open in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub


class Source(Protocol):
    """A log, as a shipper sees it: :class:`chained_logging.AuditLog` is one."""

    @property
    def path(self) -> Path:
        """The log's file. Beside it the shipper remembers how far each destination is."""

    @property
    def origin(self) -> str:
        """The log's name, the same in every destination."""

    def durable_head(self) -> Head:
        """Sync the log to this machine's disk, and return its last entry."""

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        """Read entries from `start` on, in order, and the stubs of those that retention removed.

        :raises ValueError: at the first item that is neither.
        """

    def records(self, start: int = 0) -> Iterator[Record]:
        """As :meth:`stored`, but only the entries."""

    def checkpoints_after(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        """Read checkpoints in the order they were stored, each with a mark to continue from."""
