"""What all feeds have: the protocol of a destination, without anything that asks the receiver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

from chained_logging.errors import Refused
from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.formats.table import FORMATS
from chained_logging.ship.destination import Ours
from chained_logging.ship.fault import Fault
from chained_logging.ship.feeds.address import LINE, Address


class Feed:
    """See :class:`chained_logging.ship.destination.OpenDestination`, and `StubDestination` there.

    Checkpoints and stubs are not sent: no receiver of this kind knows what to do with them.
    """

    batch_entries = 1_000
    batch_bytes = 1_000_000
    batch_seconds = 1.0

    def __init__(self, address: Address) -> None:
        self.address = address
        self.name = address.name

    def send(self, origin: str, entries: Sequence[AuditEntry]) -> None:
        """Send entries, and wait until the receiver has acknowledged all of them.

        :raises DestinationError: if it did not. It may have some of them.
        :raises Refused: if it will not take them, however often they are sent.
        """
        raise NotImplementedError

    def payload(self, entry: AuditEntry, origin: str) -> bytes:
        """Return an entry in the format that the URL names, without its line end.

        :raises ValueError: if it cannot be converted.
        """
        if self.address.format == LINE:
            return entry.line
        return FORMATS[self.address.format].encode(entry, origin).rstrip(b"\r\n")

    def find_end(self, origin: str, ours: Ours) -> Head:
        """Return what was acknowledged, as our progress has it."""
        return ours.reached()

    def write(
        self,
        origin: str,
        records: Sequence[Record | Stub],
        checkpoints: Sequence[StoredCheckpoint],
    ) -> None:
        """See :meth:`chained_logging.ship.destination.Destination.write`.

        Unlike there, a failure may leave entries at the receiver, which come again.
        """
        entries = [AuditEntry(*one[1:]) for one in records if isinstance(one, Record)]
        if not entries:
            return
        try:
            self.send(origin, entries)
        except ValueError as error:  # the chain holds, but this is not an entry as a log writes it
            raise Refused(f"{self.name}: {error}") from None

    def tend(self, origin: str) -> None:
        """Do nothing: nothing is due by the clock."""

    def head(self, origin: str) -> Head:
        """Refuse: the receiver cannot be asked."""
        self._refuse()

    def origins(self) -> list[str]:
        """As :meth:`head`."""
        self._refuse()

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """As :meth:`head`."""
        self._refuse()

    def stored(self, origin: str, start: int = 0) -> Iterator[Record | Stub]:
        """As :meth:`head`."""
        self._refuse()

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        """As :meth:`head`."""
        self._refuse()

    def inspect(self, origin: str) -> list[Fault]:
        """As :meth:`head`."""
        self._refuse()

    def close(self) -> None:
        """Close its connections."""

    def _refuse(self) -> NoReturn:
        raise Refused(
            f"{self.name} is a feed and cannot be read back: use postgresql://, s3:// or nats://"
        )
