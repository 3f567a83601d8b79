"""Which of the entries that are shipped a hold of the log covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.ship.holds import Holds
from chained_logging.ship.source import Source


class Holding:
    """The holds of a log, up to the last entry that was shipped.

    :ivar holds: as far as the log was read.
    """

    def __init__(self, log: Source) -> None:
        self.holds = Holds()
        self._log = log
        self._seen = -1

    def covers(self, batch: Sequence[Record | Stub]) -> bool:
        """Whether a hold covers an entry of the next batch. Holds in the batch itself count."""
        if batch[0].seq > self._seen + 1:
            self._look(self._between(self._seen + 1, batch[0].seq))
        self._look(one for one in batch if one.seq > self._seen)
        return any(
            isinstance(one, Record) and self.holds.keeps(AuditEntry(one.body, one.hash)) is not None
            for one in batch
        )

    def began_in(self, batch: Sequence[Record | Stub]) -> bool:
        """Whether a hold that is in force began in a batch: it covers what was shipped before."""
        return any(hold.seq >= batch[0].seq for hold in self.holds.active)

    def _look(self, items: Iterator[Record | Stub]) -> None:
        for item in items:
            if isinstance(item, Record):
                self.holds.look(item)
            self._seen = item.seq

    def _between(self, first: int, end: int) -> Iterator[Record | Stub]:
        for item in self._log.stored(first):
            if item.seq >= end:
                return
            yield item
