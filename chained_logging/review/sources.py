"""Where the entries of a log are, and how one is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from chained_logging.errors import ShipError
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.review.archive.fetched import read_also
from chained_logging.ship import Destination, open_destination, stored
from chained_logging.ship.check import origins
from chained_logging.sinks.sqlite import SqliteSink

_NEAR: Final = 500  # entries that are read and dropped rather than ask again


class Found(NamedTuple):
    """An entry as it was read, or the stub of one that was removed. Nothing in it is checked yet.

    :ivar place: where it is in its source.
    :ivar body: empty for a stub.
    :ivar stub: the ``seq`` of a stub; None for an entry, which says it itself.
    """

    place: int
    body: bytes
    hash: str
    stub: int | None = None

    @property
    def leaf(self) -> str:
        """The hash of what is here; of a stub, the one that it keeps."""
        return self.hash if self.stub is not None else leaf_hash(self.body)

    @classmethod
    def of(cls, item: Record | Stub) -> Found:
        """Return what a store holds that knows no places."""
        if isinstance(item, Stub):
            return cls(0, b"", item.hash, item.seq)
        return cls(0, item.body, item.hash)


class Source(Protocol):
    """A log whose entries are indexed.

    :ivar name: what messages call the log.
    :ivar local: whether a copy of this process can read it by itself.
    """

    name: str
    local: bool

    def size(self) -> int:
        """Return how many bytes the log has, about."""

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[Found]:
        """Yield entries in order, and the stubs of those that retention removed.

        :param seq: the first entry to yield, with its place. Without it, from the beginning.
        :raises OSError: if the log cannot be read; also LogError.
        :raises ValueError: at what is not an entry.
        """

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record | Stub | None]:
        """Yield entries in the order of `wanted`; None for one that is not where it should be.
        What is left of a removed one is its stub.

        :param wanted: ``seq`` and place of each.
        """

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """Yield the checkpoints that are kept with the log. Others may have added some."""

    def close(self) -> None:
        """Close what is open."""


def only(destination: Destination, origin: str | None) -> str:
    """Return the name of the one log of a store. The store is closed if there is not one.

    :param origin: the log's name, where the store holds several.
    :raises ShipError: if the store does not hold that log, or several; also DestinationError.
    """
    try:
        names = origins(destination, origin)
        if len(names) > 1:
            raise ShipError(
                f"{destination.name} holds several logs: choose one with --origin: "
                f"{', '.join(names)}"
            )
    except BaseException:
        destination.close()
        raise
    return names[0]


class SqliteSource:
    """A log in a database. Places mean nothing."""

    local = True

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._sink = SqliteSink(path)

    def size(self) -> int:
        return self._path.stat().st_size

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[Found]:
        return map(Found.of, self._sink.stored(seq))

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record | Stub | None]:
        seqs = [seq for seq, _ in wanted]
        found: dict[int, Record | Stub] = {one.seq: one for one in self._sink.picked(seqs)}
        if len(found) < len(seqs):
            found |= _near(self._sink.stored, sorted({*seqs} - {*found}))
        return (found.get(seq) for seq in seqs)

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        return (stored for _, stored in self._sink.checkpoints())

    def close(self) -> None:
        self._sink.close()


class StoreSource:
    """A log in a central store. Places mean nothing.

    :param url: of the store.
    :param origin: the log's name, where the store holds several.
    :param archive: where entries were moved from the store; None reads their stubs.
    :raises ShipError: if the store does not hold that log, or several; also DestinationError.
    """

    local = False  # both would use one connection

    def __init__(self, url: str, origin: str | None = None, archive: str | None = None) -> None:
        self._open = ExitStack()
        self._destination = open_destination(url)
        self._open.callback(self._destination.close)
        self._origin = only(self._destination, origin)
        self._open.enter_context(read_also(self._destination, self._origin, archive))
        self.name = f"{self._destination.name} {self._origin}"
        if archive is not None:
            self.name += f" and {archive}"

    def size(self) -> int:
        return 1 << 62  # nobody knows before it is read

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[Found]:
        return map(Found.of, self._stored(seq))

    def _stored(self, seq: int) -> Iterator[Record | Stub]:
        return stored(self._destination, self._origin, seq)

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record | Stub | None]:
        found = _near(self._stored, sorted(seq for seq, _ in wanted))
        return (found.get(seq) for seq, _ in wanted)

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        return self._destination.checkpoints(self._origin)

    def close(self) -> None:
        self._open.close()


def _near(
    stored: Callable[[int], Iterator[Record | Stub]], wanted: Sequence[int]
) -> dict[int, Record | Stub]:
    """Return what is stored by its ``seq``: those that are near each other are read in one go.

    :param stored: reads a log from a ``seq`` on.
    :param wanted: in order.
    """
    found: dict[int, Record | Stub] = {}
    items: Iterator[Record | Stub] = iter(())
    reached = -1
    for seq in wanted:
        if reached < 0 or seq > reached + _NEAR:
            items = stored(seq)
        for item in items:
            reached = item.seq
            if item.seq >= seq:
                found[item.seq] = item
                break
    return found
