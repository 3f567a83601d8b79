"""Where the entries of a log are, and how one is read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from chained_logging.format.record import Record
from chained_logging.sinks import open_sink


class Found(NamedTuple):
    """An entry as it was read. Nothing in it is checked yet.

    :ivar place: where it is in its source.
    """

    place: int
    body: bytes
    hash: str


class Source(Protocol):
    """A log whose entries are indexed.

    :ivar name: how the log is called in messages.
    """

    name: str

    def size(self) -> int:
        """Return how many bytes the log has, about."""

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[Found]:
        """Yield entries in order.

        :param seq: the first entry to yield, with its place. Without it, from the beginning.
        :raises OSError: if the log cannot be read; also LogError.
        :raises ValueError: at what is not an entry.
        """

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record | None]:
        """Yield entries in the order of `wanted`; None for one that is not where it should be.

        :param wanted: ``seq`` and place of each.
        """


class SinkSource:
    """A log that its sink reads by ``seq``: a database. Places mean nothing."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._sink = open_sink(path)

    def size(self) -> int:
        return self._path.stat().st_size

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[Found]:
        return (Found(0, record.body, record.hash) for record in self._sink.records(seq))

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record | None]:
        return (next(self._sink.records(seq), None) for seq, _ in wanted)
