"""What a log says about what may be removed from it: one look at each of its entries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from chained_logging.errors import BrokenLog
from chained_logging.event.entry import AuditEntry
from chained_logging.format.line import check_next
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.retention.applied import Applies, Ranges
from chained_logging.ship.holds import Holds

_OURS: Final = re.compile(
    rb'\{"action":"(?:log\.open|(?:key|hold|retention|backup)\.[^"]*)","actor_id":"chained_logging",'
)
_BACKUP: Final = re.compile(
    rb'\{"action":"backup\.make","actor_id":"chained_logging","actor_type":"system",'
)


class Stored(Protocol):
    """What has entries and stubs: a log, a sink."""

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        """Yield them in order."""


class MadeBackup(NamedTuple):
    """A backup, as the log's entry about it says.

    :ivar hash: of the last entry in it, as is `seq`.
    """

    destination: str
    seq: int
    hash: str


@dataclass
class Survey:
    """What a log says, as far as it was read.

    :ivar next: the first entry that was not read yet.
    :ivar last_hash: the hash of the entry before; None if that was not read.
    :ivar backups: the last one in each place that is apart from the log.
    :ivar elsewhere: what a store moved to an archive: no hold is among it.
    """

    holds: Holds = field(default_factory=Holds)
    applies: Applies = field(default_factory=Applies)
    backups: dict[str, MadeBackup] = field(default_factory=dict)
    next: int = 0
    last_hash: str | None = None
    elsewhere: Ranges = field(default_factory=Ranges)
    _stubs: Ranges = field(default_factory=Ranges)  # that no decision was found for yet

    def read(self, log: Stored) -> None:
        """Read on to the log's end.

        :raises BrokenLog: where the chain is broken, and at a stub that no decision of the log
            names: an entry that is gone may have been a hold.
        :raises OSError: if it cannot be read; also LogError.
        :raises ValueError: at what is neither an entry nor a stub.
        """
        self._read_on(log)
        if self._unnamed() is not None:  # the log may have been sealed while it was read
            self._read_on(log)
        unnamed = self._unnamed()
        if unnamed is not None:
            raise BrokenLog(
                f"entry {unnamed} was removed, and no decision of the log lets it go: it may have "
                "been a hold, so nothing is removed. See chained-logging verify"
            )
        self._stubs = Ranges()

    def _unnamed(self) -> int | None:
        """Return the first stub that no decision names."""
        if not self._stubs:
            return None
        named = Ranges.merged([self.elsewhere, *(each.ranges for each in self.applies.valid)])
        for first, last in self._stubs:
            around = named.around(first)
            if around is None or around[1] < last:
                return first if around is None else around[1] + 1
        return None

    def _read_on(self, log: Stored) -> None:
        for item in log.stored(self.next):
            if isinstance(item, Record):
                self._check(item)
                if _OURS.match(item.body) is not None:
                    self._look(item)
            elif item.seq != self.next:
                raise _broken(self.next)
            else:
                self._stubs.add(item.seq)
            self.next, self.last_hash = item.seq + 1, item.hash

    def _check(self, record: Record) -> None:
        try:
            check_next(record.body, record.hash, self.next, self.last_hash)
        except ValueError:
            raise _broken(self.next) from None

    def decisions(self) -> tuple[int, int, int]:
        """Return numbers that change when an entry decides what may be removed."""
        return len(self.applies.seqs), len(self.holds.active), len(self.holds.released)

    def _look(self, record: Record) -> None:
        self.holds.look(record)
        self.applies.look(record)
        if _BACKUP.match(record.body) is not None:
            made = _backup(AuditEntry(record.body, record.hash))
            if made is not None:
                self.backups[made.destination] = made


def _broken(seq: int) -> BrokenLog:
    return BrokenLog(
        f"the chain is broken at entry {seq}, and nothing is removed from a log that is not "
        "intact: see chained-logging verify. (If its front was moved to an archive: apply "
        "retention before that.)"
    )


def _backup(entry: AuditEntry) -> MadeBackup | None:
    try:
        said: dict[str, Any] = entry.context
        made = [said.get(name) for name in ("destination", "head_seq", "head_hash")]
    except (ValueError, AttributeError):  # no log wrote that
        return None
    if [type(value) for value in made] != [str, int, str] or said.get("same_place"):
        return None  # what is lost together with the log does not count
    return MadeBackup(*made)  # type: ignore[arg-type]  # just compared
