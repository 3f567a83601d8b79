"""A log's index: an SQLite database derived from it, in which its entries are found.

The index is not believed. An entry is shown as the log has it, after its hash was computed again
and compared with the one that was noted. Where they differ, the index is thrown away.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import StoreError
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Record
from chained_logging.review.conditions import indexed
from chained_logging.review.filter import Filter
from chained_logging.review.index_build import VERSION, Alone, Batch, made, made_apart
from chained_logging.review.index_files import connect, replacing, schema
from chained_logging.review.query import Answer, Misfit
from chained_logging.review.sources import Found, Source

SMALL: Final = 4 << 20
"""Bytes of a log whose index is made in memory each time, within a tenth of a second."""
_BATCH: Final = 2000
_FIRST_AFTER: Final = (
    "SELECT seq, place, lower(hex(hash)) FROM entries WHERE seq > ?"
    " AND typeof(place) = 'integer' AND place >= 0 ORDER BY seq LIMIT 1"
)
_HASH: Final = 1 << 18  # bytes of words that FTS5 gathers: as many as a processor keeps at hand


class IndexedLog:
    """A log that is asked through its index: see :class:`chained_logging.review.query.Store`.

    :param source: the log.
    :param path: where its index is kept; None makes it in memory.
    :raises OSError: if the log cannot be read; also LogError.
    :raises ValueError: if what is in the log is not entries.
    """

    def __init__(self, source: Source, path: Path | None = None) -> None:
        self.name = source.name
        self._source = source
        self._path = path
        self._database: sqlite3.Connection | None = None
        try:
            self._open()
        except (Misfit, sqlite3.Error):
            self.rebuild()

    @property
    def fault(self) -> str | None:
        """The first fault of the chain that was found while it was read; None if all is well."""
        return _about(self._opened).get("fault")

    @property
    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise StoreError(f"the index of {self.name} is closed")
        return self._database

    def _open(self) -> None:
        if self._path is not None and not self._path.exists():
            raise Misfit("there is no index")
        if self._path is None:
            self.rebuild()
            return
        self._database = connect(self._path)
        self._check()
        self._catch_up()

    def _check(self) -> None:
        """Check that an index begins as its log does.

        :raises Misfit: if it does not.
        """
        made = self._opened.execute("SELECT sql FROM sqlite_master").fetchall()
        if not {(text,) for part in schema() for text in part} <= set(made):
            raise Misfit("the index has other tables")
        about = _about(self._opened)
        first = next(iter(self._source.entries()), None)
        begins = first.leaf if first else ""
        if (about.get("version"), about.get("begins", "")) != (VERSION, begins):
            raise Misfit("the index is of another log, or another version")

    def refresh(self) -> None:
        try:
            self._catch_up()
        except (Misfit, sqlite3.Error):
            self.rebuild()

    def rebuild(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()
        if self._path is None:
            self._database = connect(None)
            self._fill(self._database)
            return
        try:
            with replacing(self._path) as database:
                self._fill(database)
            self._database = connect(self._path)
        except sqlite3.Error as error:
            raise StoreError(f"the index {self._path} cannot be made: {error}") from error

    def _catch_up(self) -> None:
        """Take in what was appended to the log since, unless another process just does."""
        database = self._opened
        while True:
            about = _about(database)
            found = self._after(about)
            first = next(found, None)
            if first is None:
                return
            database.execute("BEGIN IMMEDIATE")
            try:
                if _about(database) == about:
                    _fill(database, made(itertools.chain([first], found), about))
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise

    def _fill(self, database: sqlite3.Connection) -> None:
        """Fill a database that is empty."""
        try:
            _make(database, made_apart(self._source))
        except Alone:
            database.execute("ROLLBACK")
            _make(database, made(self._source.entries(), {}))

    def _after(self, about: Mapping[str, str]) -> Iterator[Found]:
        """Return the entries after the last one that is indexed.

        :raises Misfit: if that is not where it was, or another one.
        """
        if not about:
            return self._source.entries()
        try:
            seq, place = int(about["seq"]), int(about["place"])
            found = self._source.entries(seq, max(0, place))
            last = next(found, None)
            noted = about["leaf"], about["hash"]
        except (KeyError, ValueError, OverflowError) as problem:
            raise Misfit("the index does not say where the log was read to") from problem
        if last is None or (leaf_hash(last.body), last.hash) != noted:
            raise Misfit(f"entry {seq} is not in the log any more")
        return found

    def table(
        self, sql: str, wanted: Filter, values: dict[str, Any], reads: Sequence[str] | None
    ) -> Answer:
        found = indexed(wanted, values)
        try:
            cursor = self._opened.execute(f"WITH found AS ({found}) {sql}", values)
            return Answer(tuple(column[0] for column in cursor.description), cursor.fetchall())
        except sqlite3.Error as error:
            raise StoreError(f"the index of {self.name}: {error}") from error

    def records(self, wanted: Sequence[int]) -> list[Record]:
        noted = self._noted(wanted)
        if len(noted) < len(wanted):
            raise Misfit("the index names entries that it does not have")
        records = []
        read = self._source.read([(seq, noted[seq][0]) for seq in wanted])
        for seq, record in zip(wanted, read, strict=True):
            if not isinstance(record, Record):
                raise Misfit(f"entry {seq} is not where it was")
            if (record.seq, leaf_hash(record.body)) != (seq, noted[seq][1]):
                raise Misfit(f"entry {seq} is not what it was")
            records.append(record)
        return records

    def stream(self, after: int) -> Iterator[tuple[bytes, str]]:
        try:
            noted = self._opened.execute(_FIRST_AFTER, (after,)).fetchone()
        except sqlite3.Error as error:
            raise Misfit(f"the index of {self.name}: {error}") from error
        if noted is None:
            return
        seq, place, leaf = noted
        entries = self._source.entries(seq, place)
        first = next(entries, None)
        if first is None or first.leaf != leaf:
            raise Misfit(f"entry {seq} is not where it was")
        for one in itertools.chain([first], entries):
            if one.stub is None:
                yield one.body, one.hash

    def _noted(self, wanted: Sequence[int]) -> dict[int, tuple[int, str]]:
        """Return place and hash of entries, by their ``seq``."""
        noted: dict[int, tuple[int, str]] = {}
        for at in range(0, len(wanted), _BATCH):
            part = wanted[at : at + _BATCH]
            marks = ",".join("?" * len(part))
            sql = (
                f"SELECT seq, place, lower(hex(hash)) FROM entries WHERE seq IN ({marks})"  # noqa: S608
                " AND typeof(place) = 'integer' AND place >= 0"
            )
            noted |= {seq: (place, hash) for seq, place, hash in self._opened.execute(sql, part)}
        return noted

    def close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()
        self._source.close()


def _make(database: sqlite3.Connection, batches: Iterable[Batch]) -> None:
    before, after = schema()
    database.execute("BEGIN")
    for statement in (*before, *_settings(automerge=0, crisismerge=400, hashsize=_HASH)):
        database.execute(statement)
    _fill(database, batches)
    for statement in (*after, *_settings(automerge=4, hashsize=1 << 20)):
        database.execute(statement)
    database.execute("COMMIT")


def _settings(**values: int) -> list[str]:
    """Return statements that say when FTS5 merges what it wrote. Late, that takes half the time."""
    return [f"INSERT INTO words (words, rank) VALUES ('{k}', {v})" for k, v in values.items()]  # noqa: S608


def _about(database: sqlite3.Connection) -> dict[str, str]:
    return dict(database.execute("SELECT name, value FROM about"))


def _fill(database: sqlite3.Connection, batches: Iterable[Batch]) -> None:
    """Insert entries, and what is known of the log then."""
    known: dict[str, str] = {}
    for entries, words, spans, shared, known in batches:  # noqa: B007 -- the last one counts
        database.executemany(_SHARED, shared)
        database.executemany(_ENTRY, entries)
        database.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", words)
        database.executemany(_SPAN, spans)
    database.executemany("INSERT OR REPLACE INTO about (name, value) VALUES (?, ?)", known.items())


_ENTRY: Final = "INSERT INTO entries VALUES (" + ",".join("?" * 12) + ")"  # noqa: S608 -- marks
_SHARED: Final = "INSERT INTO shared VALUES (" + ",".join("?" * 8) + ")"  # noqa: S608 -- marks
_SPAN: Final = """
    INSERT INTO spans (block, earliest, latest) VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE
    SET earliest = min(earliest, excluded.earliest), latest = max(latest, excluded.latest)
"""
