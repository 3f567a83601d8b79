"""Where the entries of a local log are, and how one is read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from chained_logging.format.record import Record
from chained_logging.sinks import Sink, open_sink


class Source(Protocol):
    """A log whose entries are indexed.

    :ivar name: how the log is called in messages.
    """

    name: str

    def size(self) -> int:
        """Return how many bytes the log has, about."""

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[tuple[int, Record]]:
        """Yield entries in order, each with its place.

        :param seq: the first entry to yield, with its place. Without it, from the beginning.
        :raises OSError: if the log cannot be read; also LogError.
        :raises ValueError: at what is not an entry.
        """

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record]:
        """Yield entries in the order of `wanted`, as far as they are where they should be.

        :param wanted: ``seq`` and place of each.
        """


class SinkSource:
    """A log that its sink reads by ``seq``: places mean nothing."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._sink: Sink = open_sink(path)

    def size(self) -> int:
        return self._path.stat().st_size

    def entries(self, seq: int = 0, place: int = 0) -> Iterator[tuple[int, Record]]:
        return ((0, record) for record in self._sink.records(seq))

    def read(self, wanted: Sequence[tuple[int, int]]) -> Iterator[Record]:
        for seq, _ in wanted:
            record = next(self._sink.records(seq), None)
            if record is not None:
                yield record
