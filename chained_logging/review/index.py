"""A log's index: an SQLite database derived from it, in which its entries are found.

The index is not believed. An entry is shown as the log has it, after its hash was computed again
and compared with the one that was noted; see :class:`IndexedLog`.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Final

from chained_logging.errors import StoreError
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import EMPTY, Head, Record
from chained_logging.review.conditions import indexed
from chained_logging.review.filter import Filter
from chained_logging.review.index_rows import RowMaker, Rows
from chained_logging.review.sources import Source

_BATCH: Final = 2000


class Misfit(Exception):
    """The index does not fit the log."""


class IndexedLog:
    """A log that is asked through its index: a store as :class:`chained_logging.review.query.Store`
    describes it.

    :param source: the log.
    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: if what is in the log is not entries.
    """

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._database = _made()
        self.refresh()

    @property
    def fault(self) -> str | None:
        """The first fault of the chain that was found while it was read; None if all is well."""
        return self._about().get("fault")

    def refresh(self) -> None:
        """Take in what was appended to the log since."""
        about = self._about()
        head = Head(int(about["seq"]), about["hash"]) if about else EMPTY
        maker = RowMaker(head, about.get("fault"))
        found = self._new(head, int(about.get("place", 0)))
        while batch := list(itertools.islice(found, _BATCH)):
            rows = maker.rows(batch)
            with self._database as transaction:
                _insert(transaction, rows)
                noted = {"seq": maker.head.seq, "hash": maker.head.hash, "place": batch[-1][0]}
                if maker.fault is not None:
                    noted["fault"] = maker.fault
                transaction.executemany(
                    "INSERT OR REPLACE INTO about (name, value) VALUES (?, ?)", noted.items()
                )

    def rows(self, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"the index of {self.name}: {error}") from error

    def found(self, wanted: Filter, values: dict[str, Any]) -> str:
        return indexed(wanted, values)

    def records(self, wanted: Sequence[int]) -> list[Record]:
        marks = ",".join("?" * len(wanted))
        rows = self._database.execute(
            f"SELECT seq, place, hash FROM entries WHERE seq IN ({marks})",  # noqa: S608 -- marks
            wanted,
        )
        noted = {seq: (place, hash) for seq, place, hash in rows}
        read = self._source.read([(seq, noted[seq][0]) for seq in wanted])
        records = []
        for seq, record in itertools.zip_longest(wanted, read):
            if record is None or record.seq != seq or record.hash != noted[seq][1].hex():
                raise Misfit(seq)
            records.append(record)
        return records

    def close(self) -> None:
        self._database.close()

    def _about(self) -> dict[str, str]:
        return dict(self._database.execute("SELECT name, value FROM about"))

    def _new(self, head: Head, place: int) -> Iterator[tuple[int, Record]]:
        """Yield the entries after the last one that is indexed.

        :raises Misfit: if that is not where it was, or another one.
        """
        if head == EMPTY:
            yield from self._source.entries()
            return
        found = self._source.entries(head.seq, place)
        _, last = next(found, (0, None))
        if last is None or Head(last.seq, leaf_hash(last.body)) != head != Head(
            last.seq, last.hash
        ):
            raise Misfit(head.seq)
        yield from found


def _made() -> sqlite3.Connection:
    """Return a new index in memory."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    text = resources.files(__package__).joinpath("index.sql").read_text(encoding="utf-8")
    for statement in text.split("\n\n")[1:]:
        database.execute(statement)
    return database


def _insert(database: sqlite3.Connection, rows: Rows) -> None:
    database.executemany(_ENTRY, rows.entries)
    database.executemany("INSERT INTO words (rowid, text, exact) VALUES (?, ?, ?)", rows.words)
    database.executemany(_SPAN, ((block, *span) for block, span in rows.spans.items()))


_ENTRY: Final = "INSERT OR REPLACE INTO entries VALUES (" + ",".join("?" * 17) + ")"  # noqa: S608
_SPAN: Final = """
    INSERT INTO spans (block, earliest, latest) VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE
    SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)
"""
