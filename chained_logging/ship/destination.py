"""The protocol of a central store.

A destination is one module here and one class, :class:`Destination`. It keeps the logs of many
hosts apart by their origin, and stores each entry's exact bytes. It finds out by itself what it
holds, so neither a second delivery nor a crash at any moment does harm. It does not know where
entries come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.format.vkey import VerifierKey
from chained_logging.ship.fault import Fault
from chained_logging.ship.holds import Holds


class Destination(Protocol):
    """A central store, opened by :func:`open_destination`. Used by one thread.

    :ivar name: its URL without the secrets, to be shown.
    :ivar batch_entries: how many entries one :meth:`write` should hold at most.
    :ivar batch_bytes: how many bytes of them.
    :ivar batch_seconds: how long the shipper may wait for more before it calls :meth:`write`.
    """

    name: str
    batch_entries: int
    batch_bytes: int
    batch_seconds: float

    def head(self, origin: str) -> Head:
        """Return the last entry that the destination holds, or
        :data:`~chained_logging.format.record.EMPTY`.

        :raises DestinationError: if it cannot be reached now.
        :raises Refused: if what it holds is not a log.
        """

    def write(
        self, origin: str, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
    ) -> None:
        """Store entries that follow :meth:`head`, and checkpoints, all or none, durably.

        :param records: in order, without a gap; the first follows the last stored entry.
        :param checkpoints: those that cover no entry beyond the last of `records`; one that is
            stored already is skipped.
        :raises DestinationError: if it is not known whether they were stored: ask :meth:`head`.
        :raises Refused: if they do not continue what is stored.
        """

    def tend(self, origin: str) -> None:
        """Do what is due by the clock, such as an hourly digest. Called every few seconds.

        :raises: as :meth:`write`.
        """

    def origins(self) -> list[str]:
        """Return the logs that are here."""

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """Yield entries from `start` on, in order, exactly as stored and not verified."""

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        """Yield all checkpoints, by size."""

    def inspect(self, origin: str) -> list[Fault]:
        """Return what is wrong with the store itself, beyond the entries that it returns:
        a trigger that is gone, an object that was deleted, replaced or added."""

    def close(self) -> None:
        """Close its connections."""


@runtime_checkable
class SharedDestination(Destination, Protocol):
    """A destination where some faults concern all logs at once."""

    def inspect_store(self) -> list[Fault]:
        """Return the faults that concern every log."""

    def inspect_log(self, origin: str) -> list[Fault]:
        """Return the faults of one log."""


class Ours(Protocol):
    """A log's knowledge of what a destination holds under its name."""

    def size(self) -> int:
        """Return how many entries the log has."""

    def reached(self) -> Head:
        """Return the last entry that the destination is remembered to hold."""

    def holds(self, head: Head) -> bool:
        """Whether the log has this entry, or had it as far as is remembered."""

    def has_key(self) -> bool:
        """Whether the log has a key. Without one, nobody can tell which entries are the log's."""

    def keys(self) -> list[VerifierKey]:
        """Return the keys of the log that are not revoked."""

    def signed(self, stored: StoredCheckpoint) -> bool:
        """Whether a key of the log signed a checkpoint."""

    def agrees(self, stored: StoredCheckpoint) -> bool:
        """Whether a checkpoint covers the log's own first entries."""


@runtime_checkable
class OpenDestination(Destination, Protocol):
    """A destination where others may be able to add entries under the log's name."""

    def find_end(self, origin: str, ours: Ours) -> Head:
        """Like :meth:`head`, but entries that no key of the log vouches for are skipped.

        :raises Refused: if the log's key vouches for entries that the log does not have.
        """


@runtime_checkable
class JudgingDestination(Destination, Protocol):
    """A destination where others may be able to add entries, for a caller without the log."""

    def end_for(self, origin: str, before: Head, records: Sequence[Record]) -> Head:
        """Like :meth:`head`, for entries that are to be stored.

        Stored entries that contradict them, and that no key vouches for, are skipped.

        :param before: the entry before them; the last one, if there are none.
        """


@runtime_checkable
class RememberingDestination(Destination, Protocol):
    """A destination that is told later what it made, so that it notices what is gone."""

    @property
    def memory(self) -> Mapping[str, Any]:
        """What to remember, by origin, as JSON types."""

    def remember(self, origin: str, memory: Mapping[str, Any]) -> None:
        """Restore an earlier :attr:`memory`, for one origin.

        :raises ValueError: if it is malformed.
        """


@runtime_checkable
class PinnableDestination(Destination, Protocol):
    """A destination that takes several logs under one name, each with a key of its own."""

    def pin(self, public_key: bytes) -> None:
        """Prefer the log with this first key.

        :param public_key: 32 bytes.
        """


@runtime_checkable
class StubDestination(Destination, Protocol):
    """A destination that also takes the stubs of entries that retention removed from the log."""

    def write(
        self,
        origin: str,
        records: Sequence[Record | Stub],
        checkpoints: Sequence[StoredCheckpoint],
    ) -> None:
        """See :meth:`Destination.write`."""

    def stored(self, origin: str, start: int = 0) -> Iterator[Record | Stub]:
        """As :meth:`Destination.records`, and the stubs between them."""


class Brought(NamedTuple):
    """How a store's own holds agree with those of a log, after they were brought into line."""

    held: int
    """The parts of the store in which a hold of the log covers an entry."""
    set: int
    """Those of them that were not held before."""
    lifted: int
    """Those that no hold of the log covers any more, and that were held."""


@runtime_checkable
class HoldingDestination(StubDestination, Protocol):
    """A destination that can itself keep what a hold of the log covers, from everybody."""

    def write(
        self,
        origin: str,
        records: Sequence[Record | Stub],
        checkpoints: Sequence[StoredCheckpoint],
        *,
        held: bool = False,
    ) -> None:
        """See :meth:`Destination.write`.

        :param held: whether a hold covers one of `records`.
        """

    def bring_holds(
        self, origin: str, holds: Holds, items: Iterable[Record | Stub], *, lift: bool = False
    ) -> Brought:
        """Hold what is stored of the entries that the log's holds cover. A call that was killed is
        finished by the next one.

        :param holds: of the log, up to its last entry.
        :param items: the log, from its first entry on.
        :param lift: also end what was held for holds that are all released.
        """

    def unheld(self, origin: str, holds: Holds, items: Iterable[Record | Stub]) -> list[str]:
        """Return the parts with an entry under a hold of the log that anybody may still delete."""


class Archived(NamedTuple):
    """Entries of one month that were moved to a file in an archive, as a store says."""

    first: int
    last: int
    """The last number in the file. Not every entry from `first` to here was moved."""
    archive: str
    """Its folder, or its URL without secrets."""
    file: str
    sha256: str
    """Of the file."""
    login: str
    """Who moved them."""


class Month(NamedTuple):
    """A month of a log, in UTC."""

    year: int
    month: int

    @property
    def begins(self) -> str:
        """The first moment of it, in the form of an entry's ``timestamp``."""
        return f"{self.year:04}-{self.month:02}-01T00:00:00.000000Z"

    @property
    def next(self) -> Month:
        """The month after it."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)


@runtime_checkable
class ArchivedDestination(StubDestination, Protocol):
    """A destination from which months are moved to an archive, of which stubs stay."""

    def archived(self, origin: str) -> list[Archived]:
        """Return what was moved, by number."""

    def read_also(self, fetch: Callable[[Stub], Record | None]) -> None:
        """Read entries for their stubs from elsewhere.

        :param fetch: returns the entry with the hash of a stub; None if it has not got it.
        """

    def months(self, origin: str, before: Month) -> Iterator[Month]:
        """Yield the months before one of which entries are there, in order."""

    def of_month(self, origin: str, month: Month) -> Iterator[int]:
        """Yield the numbers of a month's entries, in order."""

    def let_go(
        self, origin: str, month: Month, first: int, last: int, where: tuple[str, str, str]
    ) -> int:
        """Remove the entries of a month from `first` to `last`, but for what a hold covers and
        what is about the log, and return how many went.

        :param where: the archive, the file in it that holds them, and its SHA-256.
        :raises Refused: if this login may not, or the month has not ended.
        """

    def give_back(self) -> Iterator[tuple[str, bool]]:
        """See :meth:`PurgingDestination.give_back`."""


@runtime_checkable
class PurgingDestination(StubDestination, Protocol):
    """A destination that removes what the log's own decisions name, and leaves stubs.

    It checks what it can itself. Whether a decision is the log's own word is the caller's concern.
    """

    def any_of(self, origin: str, ranges: Iterable[tuple[int, int]]) -> bool:
        """Whether any entry of some ranges, each with its last one, is still there."""

    def approve(self, origin: str, seq: int) -> None:
        """Make the decision in an entry count here.

        :raises Refused: if this login may not, or the decision does not hold.
        """

    def purge(
        self,
        origin: str,
        seq: int,
        ranges: Iterable[tuple[int, int]],
        goes: Callable[[Record], bool],
    ) -> Iterator[int]:
        """Remove what an approved decision names, but for what a hold covers, and yield after each
        batch how many went. A call that was killed is finished by the next one.

        :param ranges: what the decision names, each range with its last entry.
        :param goes: whether the decision's policy covers an entry and no hold does. A store that
            can tell by itself need not ask.
        :raises Refused: as :meth:`approve`.
        """

    def give_back(self) -> Iterator[tuple[str, bool]]:
        """Give the space of removed entries back, part by part: its name, and whether nothing
        removed is left in it."""


def stored(destination: Destination, origin: str, start: int = 0) -> Iterator[Record | Stub]:
    """Yield all that a destination holds of a log from `start` on, in order: entries and stubs."""
    if isinstance(destination, StubDestination):
        return destination.stored(origin, start)
    return destination.records(origin, start)


def pin(destination: Destination, public_key: bytes) -> None:
    """Have a destination prefer the log with this first key, of several under one name.

    Only S3 takes several: elsewhere the second one is refused.

    :param public_key: 32 bytes.
    """
    if isinstance(destination, PinnableDestination):
        destination.pin(public_key)
