"""Removing entries from a database, in small transactions, and giving their space back.

``secure_delete`` makes SQLite overwrite what it frees. ``auto_vacuum`` lets it move pages from the
end of the file into the free ones. Until the write-ahead log is emptied, old pages are in it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final

from chained_logging.errors import Busy
from chained_logging.format.record import Record
from chained_logging.format.stub import Stub
from chained_logging.sinks.removal import MayGo, Named, NotNamed, Removal
from chained_logging.sinks.rows import as_record

ROWS: Final = 1000
"""Entries that one transaction removes: others wait some hundredths of a second for it."""
_PAGES: Final = 1000
_PATIENCE: Final = 5000  # milliseconds that readers of old pages are waited for

_NAMED: Final = (
    "SELECT seq, body, hash, signature FROM entries WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
)

_ROOM: Final = (
    "PRAGMA cache_size = -65536",  # KiB; entries that follow each other are far apart in an index
    "PRAGMA wal_autocheckpoint = 32000",  # a page that changes again is moved once
    "PRAGMA temp_store = MEMORY",  # no page of removed entries goes to a temporary file
)

Transaction = Callable[[], AbstractContextManager[sqlite3.Connection]]


def make_room(connection: sqlite3.Connection) -> None:
    """Give a connection the memory to remove entries, until it is closed."""
    for statement in _ROOM:
        connection.execute(statement)


def removals(named: Named, transaction: Transaction) -> Iterator[Removal]:
    """Yield what removes the named entries, piece by piece."""
    piece: list[tuple[int, int]] = []
    room = ROWS
    for first, last in named:
        while first <= last:
            end = min(last, first + room - 1)
            piece.append((first, end))
            room -= end - first + 1
            first = end + 1
            if not room:
                yield _Rows(piece, transaction)
                piece, room = [], ROWS
    if piece:
        yield _Rows(piece, transaction)


class _Rows:
    """Removes some rows in one transaction."""

    def __init__(self, named: list[tuple[int, int]], transaction: Transaction) -> None:
        self._named = named
        self._transaction = transaction

    def prepare(self, may_go: MayGo) -> None:
        """Nothing: a transaction sees what it removes."""

    def commit(self, may_go: MayGo) -> int:
        with self._transaction() as connection:
            gone = [record for record in self._records(connection) if may_go(record)]
            _replace(connection, gone)
        return len(gone)

    def _records(self, connection: sqlite3.Connection) -> Iterator[Record]:
        for first, last in self._named:
            for row in connection.execute(_NAMED, (first, last, ROWS)).fetchall():
                record = as_record(row)
                if record is not None:  # else it was changed: it stays, and the verifier names it
                    yield record


def _replace(connection: sqlite3.Connection, gone: list[Record]) -> None:
    """Leave a stub of each entry. The triggers let an entry go only when its stub is there."""
    stubs = [Stub(record.seq, record.hash, record.signature) for record in gone]
    try:
        connection.executemany("INSERT INTO stubs (seq, hash, signature) VALUES (?, ?, ?)", stubs)
    except sqlite3.IntegrityError as problem:
        raise NotNamed(str(problem)) from None
    named = [one for record in gone if b',"resources":[' in record.body for one in _named(record)]
    connection.executemany("DELETE FROM resources WHERE type = ? AND id = ? AND seq = ?", named)
    connection.executemany("DELETE FROM entries WHERE seq = ?", [(each.seq,) for each in stubs])


def _named(record: Record) -> Iterator[tuple[str, str, int]]:
    for each in json.loads(record.body).get("resources", ()):
        yield each["type"], each["id"], record.seq


def give_back(direct: Transaction) -> Iterator[Removal]:
    """Yield what gives the space of removed entries back to the file system.

    :param direct: gives the connection, outside a transaction.
    """
    with direct() as connection:
        is_plain = _number(connection, "auto_vacuum") == 0  # a copy that another program made
        pages = _number(connection, "freelist_count")
    if is_plain:
        yield from [_Statement(direct, "VACUUM")] * bool(pages)
    else:
        for _ in range(0, pages, _PAGES):
            yield _Statement(direct, f"PRAGMA incremental_vacuum({_PAGES})")
    yield _Emptying(direct)


class _Statement:
    """Runs one statement."""

    def __init__(self, direct: Transaction, statement: str) -> None:
        self._direct = direct
        self._statement = statement

    def prepare(self, may_go: MayGo) -> None:
        """Nothing."""

    def commit(self, may_go: MayGo) -> int:
        with self._direct() as connection:
            connection.executescript(self._statement)  # execute() would do a single step of it
        return 0


class _Emptying:
    """Empties the write-ahead log."""

    def __init__(self, direct: Transaction) -> None:
        self._direct = direct

    def prepare(self, may_go: MayGo) -> None:
        """Nothing."""

    def commit(self, may_go: MayGo) -> int:
        with self._direct() as connection:
            waits = _number(connection, "busy_timeout")
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            connection.execute(f"PRAGMA busy_timeout = {waits}")
        if busy:
            raise Busy(
                "a program still reads the log as it was: removed entries stay in its file -wal "
                "until that program ends. Then run the command again"
            )
        return 0


def _number(connection: sqlite3.Connection, name: str) -> int:
    row: tuple[Any, ...] = connection.execute(f"PRAGMA {name}").fetchone()
    return int(row[0])
