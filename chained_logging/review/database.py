"""A log in an SQLite database, asked as it is: see :class:`chained_logging.review.query.Store`.

Its columns and indexes answer nearly everything. For words, and for parameters of requests, all
bodies are searched. :meth:`DatabaseLog._found` says how each filter is answered, and where an index
is derived after all: see :mod:`.index`.

The database is not believed. Its schema must be the known one, whose columns SQLite computes from
the bodies. Entries are hashed before they are shown, and compared with the filter. If one does not
fit, the database's own indexes are wrong, and an index is derived from its entries alone.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from chained_logging.errors import ChainedLoggingError
from chained_logging.event.entry import AuditEntry
from chained_logging.event.legible import require_legible
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.review.database_sql import (
    conditions,
    covered,
    drivers,
    is_searched,
    selected,
    span,
    traces,
)
from chained_logging.review.filter import Filter
from chained_logging.review.index import IndexedLog
from chained_logging.review.neighbours import first_fault, with_neighbours
from chained_logging.review.query import Answer, Misfit
from chained_logging.sinks.sqlite import SqliteSink, open_read_only, schema_statements

FEW: Final = 50_000
"""So many entries are read one by one within half a second."""
_REMEMBERED: Final = 16  # searches, plans and periods
_NEAR: Final = 1000  # entries around the place where an id should be


class _Elsewhere(ChainedLoggingError):
    """The database cannot answer this, or not soon: an index can."""


class _Seen(NamedTuple):
    """What a search found, from `first` up to and without `end`."""

    first: int
    end: int
    seqs: list[int]


class DatabaseLog:
    """A log in a database.

    :param path: of the database.
    :param index: opens an index of the log, which may have to be made.
    :param is_kept: whether there is an index already.
    :raises OSError: if the log cannot be read; also LogError.
    """

    def __init__(
        self, path: Path, index: Callable[[], IndexedLog], is_kept: Callable[[], bool]
    ) -> None:
        self.name = str(path)
        self._path = path
        self._sink = SqliteSink(path)
        self._open_index = index
        self._is_kept = is_kept
        self._index: IndexedLog | None = None
        self._fault: str | None = None
        self._seen: dict[Filter, _Seen] = {}
        self._plans: dict[tuple[Filter, int], int] = {}  # by the last entry, too
        self._spans: dict[tuple[Filter, int], tuple[int | None, int | None]] = {}
        self._is_known = self._check()
        if not self._is_known:
            self._derived()

    def _check(self) -> bool:
        with contextlib.suppress(_Elsewhere, sqlite3.Error), self._connected():
            return True
        return False

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one state of the log. None is kept: see SqliteSink."""
        with contextlib.closing(open_read_only(self._path)) as database:
            database.execute("BEGIN")
            made = set(database.execute(_CATALOGUE))
            if made not in _known():
                raise _Elsewhere("the database has other tables")
            yield database

    @property
    def fault(self) -> str | None:
        """The first fault in what was read; None if there was none."""
        return self._fault or (self._index.fault if self._index is not None else None)

    def table(
        self, sql: str, wanted: Filter, values: dict[str, Any], reads: Sequence[str] | None
    ) -> Answer:
        if self._is_known:
            with contextlib.suppress(_Elsewhere, sqlite3.Error, UnicodeError):
                return self._asked(sql, wanted, dict(values), reads)
        return self._derived().table(sql, wanted, values, reads)

    def _asked(
        self, sql: str, wanted: Filter, values: dict[str, Any], reads: Sequence[str] | None
    ) -> Answer:
        with self._connected() as database:
            found = self._found(database, wanted, values, reads)
            cursor = database.execute(f"WITH found AS ({found}) {sql}", values)
            return Answer(tuple(column[0] for column in cursor.description), cursor.fetchall())

    def _found(
        self,
        database: sqlite3.Connection,
        wanted: Filter,
        values: dict[str, Any],
        reads: Sequence[str] | None,
    ) -> str:
        """Return the query of the entries that a filter finds.

        :raises _Elsewhere: if an index is there that answers sooner, or has to be made.
        """
        where = list(conditions(wanted, values))
        whole = covered(wanted, reads)
        if whole is not None:  # an index of the database holds the whole answer
            return whole
        searched = is_searched(wanted)
        by = None if searched else self._driver(database, wanted, values)
        if by is not None:  # few entries may fit, and an index of the database names them
            return selected([f"seq IN ({by})", *where])
        if self._index is not None or self._is_kept():
            raise _Elsewhere
        if searched:
            values["seqs"] = json.dumps(self._search(database, wanted))
            return selected(["seq IN (SELECT value FROM json_each(:seqs))", *where])
        return selected([*self._span(database, wanted, values), *where])

    def _driver(
        self, database: sqlite3.Connection, wanted: Filter, values: dict[str, Any]
    ) -> str | None:
        """Return the query of the fewest entries that may fit; None if all find too many."""
        found = [*_by_id(database, wanted), *drivers(wanted, values)]
        key = (wanted, _top(database))
        if key not in self._plans:
            counted = [(FEW + 1, -1)]
            for number, by in enumerate(found):
                sql = f"SELECT count(*) FROM (SELECT 1 FROM ({by}) LIMIT {FEW + 1})"  # noqa: S608
                counted.append((*database.execute(sql, values).fetchone(), number))
            _remember(self._plans, key, min(counted)[1])
        chosen = self._plans[key]
        return found[chosen] if chosen >= 0 else None

    def _span(
        self, database: sqlite3.Connection, wanted: Filter, values: dict[str, Any]
    ) -> Iterator[str]:
        """Yield what narrows a period to the entries from its first to its last."""
        query = span(wanted)
        if query is None:
            return
        key = (wanted, _top(database))
        if key not in self._spans:
            _remember(self._spans, key, database.execute(query, values).fetchone())
        values["span_first"], values["span_last"] = self._spans[key]
        yield "seq BETWEEN :span_first AND :span_last"

    def _search(self, database: sqlite3.Connection, wanted: Filter) -> list[int]:
        """Return the entries that a filter finds, by looking at all that may fit.

        What was found is remembered. Later, only what was appended since is searched.
        """
        first, last = wanted.first_seq or 0, wanted.last_seq
        end = min(_top(database) if last is None else last, _top(database)) + 1
        key = wanted.narrowed(first_seq=None, last_seq=None)
        seen = self._seen.get(key)
        if seen is None or seen.first > first:
            seen = _Seen(first, first, [])
        if seen.end < end:
            part = wanted.narrowed(first_seq=seen.end, last_seq=end - 1)
            seqs = seen.seqs + list(self._searched(database, part))
            seen = _Seen(seen.first, end, seqs)
        _remember(self._seen, key, seen)
        return seen.seqs

    def _searched(self, database: sqlite3.Connection, wanted: Filter) -> Iterator[int]:
        values: dict[str, Any] = {}
        where = [*traces(wanted, values), *conditions(wanted, values)]
        by = self._driver(database, wanted, values)
        if by is not None:
            where.insert(0, f"seq IN ({by})")
        rows = database.execute(selected(where, columns=("seq", "body", "hash")), values)
        for looked, (seq, body, hash) in enumerate(rows):
            if looked >= FEW:
                raise _Elsewhere("too many entries may fit")
            entry = AuditEntry(body.encode(), hash)
            require_legible(entry)
            if wanted.matches(entry):
                yield seq

    def records(self, wanted: Sequence[int]) -> list[Record]:
        if not self._is_known:
            return self._derived().records(wanted)
        around = with_neighbours(wanted)
        with self._connected() as database:
            ends = database.execute(_ENDS).fetchone()
            stubs = [Stub(*row) for row in database.execute(_STUBS, (json.dumps(around),))]
        found = {one.seq: one for one in self._sink.picked(around)}
        for seq in wanted:
            if seq not in found:
                raise Misfit(f"entry {seq} cannot be read")
            entry = AuditEntry(found[seq].body, found[seq].hash)
            require_legible(entry)
            if entry.fields["seq"] != seq:
                raise Misfit(f"entry {seq} says that it is another one")
        there: dict[int, Record | Stub] = {stub.seq: stub for stub in stubs}
        there.update(found)
        self._fault = self._fault or first_fault(wanted, there, *ends)
        return [found[seq] for seq in wanted]

    def stream(self, after: int) -> Iterator[tuple[bytes, str]]:
        if not self._is_known:
            return self._derived().stream(after)
        return ((record.body, record.hash) for record in self._sink.records(after + 1))

    def refresh(self) -> None:
        if self._index is not None:
            self._index.refresh()

    def rebuild(self) -> None:
        self._is_known = False
        if self._index is not None:
            self._index.rebuild()

    def _derived(self) -> IndexedLog:
        if self._index is None:
            self._index = self._open_index()
        return self._index

    def close(self) -> None:
        index, self._index = self._index, None
        if index is not None:
            index.close()


_ENDS: Final = "SELECT (SELECT min(seq) FROM entries), (SELECT max(seq) FROM entries)"
_STUBS: Final = (
    "SELECT seq, hash, signature FROM stubs WHERE seq IN (SELECT value FROM json_each(?))"
)
_CATALOGUE: Final = (
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"
)


@functools.cache
def _known() -> tuple[set[tuple[str, ...]], ...]:
    """Return the catalogue of a log with a key, and that of one without: it has no checkpoints."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        for statement in schema_statements():
            database.execute(statement)
        made = set(database.execute(_CATALOGUE))
    return made, {row for row in made if row[2] != "checkpoints"}


def _top(database: sqlite3.Connection) -> int:
    """Return the last ``seq``; -1 without any."""
    (top,) = database.execute("SELECT coalesce(max(seq), -1) FROM entries").fetchone()
    return int(top)


def _by_id(database: sqlite3.Connection, wanted: Filter) -> list[str]:
    """Return a query of the entries with some ids, where all are found by halving the log.

    Ids rise with time, and so nearly with ``seq``.
    """
    found = [_near(database, id) for id in wanted.id]
    if not found or None in found:
        return []
    return [" UNION ALL ".join(f"SELECT {seq} AS seq" for seq in found)]


def _near(database: sqlite3.Connection, id: str) -> int | None:
    low, high = 0, _top(database) + 1
    while low < high:
        middle = (low + high) // 2
        row = database.execute(
            "SELECT seq, id FROM entries WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)
        ).fetchone()
        if row is None or not isinstance(row[1], str) or row[1] >= id:
            high = middle
        else:
            low = row[0] + 1
    row = database.execute(
        "SELECT seq FROM entries NOT INDEXED WHERE seq BETWEEN ? AND ? AND id = ?",
        (low - _NEAR, low + _NEAR, id),
    ).fetchone()
    return None if row is None else int(row[0])


def _remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > _REMEMBERED:
        del memory[next(iter(memory))]
