"""The protocol of a store of entries.

A sink stores entries and finds the last one again. It knows nothing about events.
Only the holder of the log's lock calls :meth:`Sink.head` and :meth:`Sink.write`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.sinks.removal import Named, Removal

RECENT = 16


class Notice(NamedTuple):
    """Something that happened to the log, for the log to record about itself."""

    action: str
    context: dict[str, Any]


class Sink(Protocol):
    """A store of entries.

    :ivar notices: what :meth:`head` came across; its caller removes them.
    :ivar needs_closing: whether the store becomes a single file only when it is closed.
    :ivar patience: seconds that a call may wait while another program holds the store.
    """

    notices: list[Notice]
    patience: float
    needs_closing: bool

    def sealed(self) -> Head | None:
        """Return the head of the last sealed segment, if there is one."""

    def head(self) -> Head:
        """Return the last stored entry's ``seq`` and hash, and mend what a crash left behind.

        :raises Busy: if another program holds the store.
        :raises FAILURES: if the store cannot be read.
        """

    def reread(self) -> Head:
        """As :meth:`head`, but rely on nothing that was read before."""

    def resume(self, head: Head) -> None:
        """Continue after `head`, whatever the store itself holds."""

    def write(self, records: Sequence[Record]) -> None:
        """Store entries, all or none. On return the kernel has them.

        :raises Busy: if another program holds the store.
        :raises FAILURES: if the write fails; it then leaves nothing behind.
        """

    def take(self, items: Sequence[Record | Stub]) -> None:
        """Store what stands in another store, stubs too, all or none: for a copy of a log.

        :raises FAILURES: as :meth:`write`.
        """

    def recheck(self, synced: int) -> None:
        """After a power failure: mend what was damaged after entry `synced`."""

    def tend(self) -> None:
        """Do what is due by the clock, such as sealing a segment that is old enough."""

    def sync(self) -> None:
        """Sync what was written to the disk. May run while another thread writes."""

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        """Read all that the log holds from `start` on, in order: entries, and the stubs of those
        that retention removed. A Merkle tree needs all of these.

        :raises ValueError: at the first item that is neither.
        """

    def records(self, start: int = 0) -> Iterator[Record]:
        """As :meth:`stored`, but only the entries.

        :raises ValueError: at the first item that is not an entry.
        """

    def readable(self, start: int = 0) -> Iterator[Record]:
        """As :meth:`records`, but skip what is not an entry."""

    def removable(self) -> int:
        """Return the last ``seq`` that may be removed now; -1 if none may."""

    def removals(self, named: Named) -> Iterator[Removal]:
        """Yield what removes the named entries, piece by piece, and leaves their stubs."""

    def give_back(self) -> Iterator[Removal]:
        """Yield what gives the space of removed entries back, and leaves nothing of them."""

    def files(self) -> list[Path]:
        """Return the files that hold the log's entries."""

    def checkpoints(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        """Read checkpoints in the order they were stored, each with a mark to continue from. One
        that others signed later (a witness, a timestamp authority) appears twice, the second time
        perhaps after newer ones. What is not a checkpoint is skipped; only the signatures tell
        whose the others are."""

    def recent_checkpoints(self) -> list[StoredCheckpoint]:
        """Return at most :data:`RECENT` checkpoints, those with the largest sizes or those stored
        last, the largest first. Of two with one size, the one stored last comes first.

        What is not a checkpoint is among them, as
        :data:`~chained_logging.format.record.NO_CHECKPOINT`.
        """

    def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Store a checkpoint on the disk.

        :raises FAILURES: if that fails.
        """

    def close(self) -> None:
        """Release files. The log can be opened again."""

    def before_fork(self) -> None:
        """Release what a forked child could not share with its parent."""

    def after_fork(self) -> None:
        """Resume in the parent, after the fork."""

    def forked(self) -> None:
        """Resume in a forked child, also if :meth:`before_fork` was not called (C code forked)."""
