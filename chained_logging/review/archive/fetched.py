"""Entries that were moved from a central store to an archive, read there for their stubs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import Final

from chained_logging.errors import ShipError
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.archive.names import span_of
from chained_logging.review.archive.stores import Archive, open_archive
from chained_logging.ship import ArchivedDestination, Destination
from chained_logging.ship.s3.objects import unpack
from chained_logging.sinks.lines import parsed

_KEPT: Final = 2  # files that are kept in memory


class Fetched:
    """The entries of one log in an archive."""

    def __init__(self, archive: Archive, origin: str) -> None:
        self._archive = archive
        spans = [(span_of(name, origin), name) for name in archive.names()]
        self._files = sorted((*span, name) for span, name in spans if span is not None)
        self._read: dict[str, dict[int, Record]] = {}
        self._last: list[tuple[int, int, str]] = []  # where an entry was found last

    def fetch(self, stub: Stub) -> Record | None:
        """Return the entry with the hash of a stub; None if the archive has not got it.

        :raises OSError: if the archive cannot be read; also DestinationError.
        """
        for file in chain(self._last, self._files):
            if file[0] <= stub.seq <= file[1]:
                found = self._entries(file[2]).get(stub.seq)
                if found is not None and found.hash == stub.hash == leaf_hash(found.body):
                    self._last = [file]
                    return found
        return None

    def _entries(self, name: str) -> dict[int, Record]:
        if name not in self._read:
            while len(self._read) >= _KEPT:
                del self._read[next(iter(self._read))]
            self._read[name] = dict(_parsed(self._archive.get(name) or b""))
        return self._read[name]


def _parsed(packed: bytes) -> Iterator[tuple[int, Record]]:
    for line in unpack(packed)[0].split(b"\n"):
        try:
            item = parsed(line)
        except ValueError:
            continue  # others may write there
        if isinstance(item, Record):
            yield item.seq, item


@contextmanager
def read_also(store: Destination, origin: str, where: str | None) -> Iterator[None]:
    """Have a store read what was moved to an archive there, while the block runs.

    :param where: the archive: a folder, or ``s3://bucket/prefix``; None does nothing.
    :raises ShipError: if nothing is ever moved from a store of this kind.
    :raises OSError: if the archive cannot be opened; also DestinationError.
    """
    if where is None:
        yield
        return
    if not isinstance(store, ArchivedDestination):
        raise ShipError(f"nothing is moved from {store.name} to an archive")
    with closing(open_archive(where)) as archive:
        store.read_also(Fetched(archive, origin).fetch)
        yield


def moved_from(store: ArchivedDestination, origin: str) -> dict[str, int]:
    """Return up to which number entries were moved from a store, by archive."""
    return {one.archive: one.last for one in store.archived(origin)}


def require_archive(store: Destination, origin: str, where: str | None) -> None:
    """Check that an archive is given if entries of a log were moved from a store to one.

    :raises ShipError: if it is not.
    """
    moved = moved_from(store, origin) if isinstance(store, ArchivedDestination) else {}
    if moved and where is None:
        raise ShipError(
            f"entries of {origin} up to {max(moved.values()):,} were moved from {store.name} to "
            f"the archive {', '.join(moved)}: give it with --archive"
        )
