"""Which of the entries that are shipped a hold of the log covers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.ship.holds import Holds
from chained_logging.ship.source import Source
from chained_logging.sinks.lines import line_of, parsed

_TOLD: Final = re.compile(
    rb'\{"action":"(?:log\.open|key\.[^"]*|hold\.[^"]*)","actor_id":"chained_logging",'
)
_LARGEST: Final = 1 << 19  # characters


class Holding:
    """The holds of a log, up to the last entry that was shipped.

    :param memory: an earlier :attr:`memory`, which spares reading the log from its beginning. Where
        it is of no use, the log is read.
    :ivar holds: as far as the log was read.
    """

    def __init__(self, log: Source, memory: Mapping[str, Any]) -> None:
        self.holds = Holds()
        self._log = log
        self._seen = -1
        self._lines: list[str] = []
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            seen, items = int(memory["seq"]), [parsed(one.encode()) for one in memory["entries"]]
            self._look(items)
            self._seen = seen

    @property
    def memory(self) -> dict[str, Any]:
        """The entries about holds and keys, and up to where there are no others, as JSON types."""
        if sum(map(len, self._lines)) > _LARGEST:
            return {}
        return {"seq": self._seen, "entries": list(self._lines)}

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

    def _look(self, items: Iterable[Record | Stub]) -> None:
        for item in items:
            if isinstance(item, Record):
                self.holds.look(item)
                if _TOLD.match(item.body):
                    self._lines.append(line_of(item).decode())
            self._seen = item.seq

    def _between(self, first: int, end: int) -> Iterator[Record | Stub]:
        for item in self._log.stored(first):
            if item.seq >= end:
                return
            yield item
