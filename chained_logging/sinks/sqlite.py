"""SQLite: the exact body text and its hash, and columns that the database derives from the text.

The derived columns cannot be written, so a query cannot disagree with what was
hashed. Triggers refuse UPDATE, DELETE and a second row for a ``seq``. Somebody who
edits the file itself gets around them, but the verifier finds the change.

In WAL mode with ``synchronous=NORMAL`` the kernel has a committed transaction, but
SQLite does not sync the WAL. :meth:`SqliteSink.sync` does, so that callers who wait
at the same moment share one sync. When SQLite moves pages from the WAL to the
database, it syncs the WAL before and the database after.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from chained_logging.errors import BrokenLog, Busy, LogError, NotALog, NotAnEntry, StoreError
from chained_logging.files.durable import is_mount, sync_directory, sync_if_open
from chained_logging.files.own import open_own, require_own
from chained_logging.format.record import EMPTY, NO_CHECKPOINT, Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.sinks import removal_rows
from chained_logging.sinks.removal import Named, Removal
from chained_logging.sinks.rows import as_checkpoint, as_record, as_stub, is_text, text
from chained_logging.sinks.sink import RECENT, Notice

APPLICATION_ID: Final = 0x636C6F67
"""``clog``: what tells a log from any other database (``PRAGMA application_id``)."""


def schema_statements() -> tuple[str, ...]:
    """Return the statements of ``schema.sql``."""
    text = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    return tuple(part.strip().rstrip(";") for part in text.split("\n\n")[1:])


# Each commit rewrites the last page of the table and of every index. Pages of 2 KiB save 2 to 4 µs
# over those of 4 KiB, and cost a tenth in file size; an entry does not fit into 1 KiB. As the same
# pages are written again and again, SQLite moves them to the database only after 16 MiB: that takes
# two syncs, and one call in 170 would have to wait for them.
_PAGE: Final = 2048
_WAL_PAGES: Final = 8000

_BATCH: Final = 500
_ENTRIES: Final = (
    "SELECT seq, body, hash, signature FROM entries WHERE seq >= ? ORDER BY seq LIMIT ?"
)
_STORED: Final = (  # SQLite merges the two, and reads no more than what is asked for
    "SELECT seq, body, hash, signature, 1 FROM entries WHERE seq >= ?1"
    " UNION ALL SELECT seq, NULL, hash, signature, 0 FROM stubs WHERE seq >= ?1"
    " ORDER BY 1 LIMIT ?2"
)
_LAST: Final = (
    "SELECT * FROM (SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1)"
    " UNION ALL SELECT * FROM (SELECT seq, hash FROM stubs ORDER BY seq DESC LIMIT 1)"
    " ORDER BY 1 DESC LIMIT 1"
)
_INSERT: Final = "INSERT INTO entries (seq, body, hash, signature) VALUES (?, ?, ?, ?)"
_LARGEST: Final = (1 << 63) - 1
_PATIENCE: Final = 30.0  # until somebody says how long

# Connections that a forked child inherited. To close one, or to let it be collected, would
# meddle with the parent's locks (https://www.sqlite.org/howtocorrupt.html, 2.6).
_inherited: list[sqlite3.Connection] = []


class SqliteSink:
    """See :class:`chained_logging.sinks.Sink`."""

    needs_closing = True  # else its newest entries are in a file beside it

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name = str(path)  # os.stat is 0.15 µs faster with a str
        self._connection: sqlite3.Connection | None = None
        self._wal = -1
        self._file: tuple[int, int] | None = None  # device and inode of the file we knew last
        self._size = 0
        self._version = -1
        self._head = EMPTY
        self._foreign = False
        self._reading = threading.Lock()
        self._waits = -1.0  # the `patience` that the connection has
        self.patience = _PATIENCE
        self.notices: list[Notice] = []

    def head(self) -> Head:
        if self._foreign:
            raise StoreError(
                f"{self._path} was open when C code forked this process, and SQLite cannot be "
                "used over such a fork: open the log after it (uWSGI: lazy-apps = true)"
            )
        try:
            found = os.stat(self._name)
            same = (found.st_dev, found.st_ino) == self._file
            if same and found.st_size < self._size and not _is_whole(self._path):
                raise BrokenLog(
                    f"{self._path} was cut from {self._size} to {found.st_size} bytes; once it is "
                    "moved away, the log goes on in a new file"
                )
            self._size = found.st_size
        except FileNotFoundError:
            same = False
        try:
            if self._connection is None or not same:
                return self._reopen()
            if self._waits != self.patience:
                self._be_patient(self._connection)
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version != self._version:  # another connection committed since
                self._version = version
                self._catch_up(self._connection)
        except sqlite3.Error as error:
            raise _failure(self._path, error) from error
        return self._head

    def sealed(self) -> Head | None:
        """Nothing: a database is one file."""
        return None

    def recheck(self, synced: int) -> None:
        """Nothing: SQLite's own log has checksums."""

    def tend(self) -> None:
        """Nothing is due by the clock here."""

    def reread(self) -> Head:
        return self.head()

    def resume(self, head: Head) -> None:
        self._head = head

    def write(self, records: Sequence[Record]) -> None:
        connection = self._connection
        if connection is None:
            raise StoreError(f"{self._path} is closed")
        rows = [(seq, body.decode(), hash, sign) for seq, body, hash, sign in records]
        # Unset until the write is known to have worked: after an error or an interrupt (Control-C)
        # the next call looks for itself.
        version, self._version = self._version, -1
        try:
            if len(rows) == 1:
                connection.execute(_INSERT, rows[0])  # a statement alone is a transaction
            else:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(_INSERT, rows)
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise _failure(self._path, error) from error
        self._head = Head(records[-1][0], records[-1][2])
        self._version = version

    def take(self, items: Sequence[Record | Stub]) -> None:
        stubs = [item for item in items if isinstance(item, Stub)]
        entries = [(i[0], i[1].decode(), *i[2:]) for i in items if isinstance(i, Record)]
        self._version = -1  # the next call looks for itself
        with self.transaction() as connection:
            # The stubs first: no trigger then asks for a purge that names them.
            insert = "INSERT INTO stubs (seq, hash, signature) VALUES (?, ?, ?)"
            connection.executemany(insert, stubs)
            connection.executemany(_INSERT, entries)
        self._head = Head(items[-1].seq, items[-1].hash)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Change the database as a whole, or not at all.

        :raises Busy: if another program holds the database.
        :raises StoreError: if the store fails.
        """
        with self._direct() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def sync(self) -> None:
        sync_if_open(self._wal)

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        for row in self._rows(start, _STORED):
            item = as_record(row[:4]) if row[4] else as_stub(row)
            if item is None:
                raise self._not_text(f"entry {row[0]}")
            yield item

    def records(self, start: int = 0) -> Iterator[Record]:
        return self._legible(self._rows(start))

    def readable(self, start: int = 0) -> Iterator[Record]:
        return (record for row in self._rows(start) if (record := as_record(row)) is not None)

    def picked(self, wanted: Sequence[int]) -> list[Record]:
        """Return the entries with these numbers, as far as they are there and can be read."""
        found = []
        for at in range(0, len(wanted), _BATCH):
            part = tuple(wanted[at : at + _BATCH])
            marks = ",".join("?" * len(part))
            query = f"SELECT seq, body, hash, signature FROM entries WHERE seq IN ({marks})"  # noqa: S608
            found += [record for row in self._read(query, part) if (record := as_record(row))]
        return found

    def _legible(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Record]:
        for row in rows:
            record = as_record(row)
            if record is None:
                raise self._not_text(f"entry {row[0]}")
            yield record

    def _rows(self, start: int, query: str = _ENTRIES) -> Iterator[tuple[Any, ...]]:
        while rows := self._read(query, (start, _BATCH)):
            yield from rows
            start = rows[-1][0] + 1

    def removable(self) -> int:
        return _LARGEST

    def removals(self, named: Named) -> Iterator[Removal]:
        with self._direct() as connection:
            removal_rows.make_room(connection)
        return removal_rows.removals(named, self.transaction)

    def give_back(self) -> Iterator[Removal]:
        return removal_rows.give_back(self._direct)

    def files(self) -> list[Path]:
        beside = (self._path.with_name(self._path.name + end) for end in ("", "-wal"))
        return [path for path in beside if path.exists()]

    @contextlib.contextmanager
    def _direct(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise StoreError(f"{self._path} is closed")
        try:
            yield self._connection
        except sqlite3.Error as error:
            raise _failure(self._path, error) from error

    def checkpoints(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        columns = "SELECT note, size, state, timestamp, id FROM checkpoints"
        while rows := self._read(f"{columns} WHERE id > ? ORDER BY id LIMIT ?", (mark, _BATCH)):
            for row in rows:
                stored = as_checkpoint(row[:4])
                if stored is not NO_CHECKPOINT:
                    yield row[4], stored
            mark = rows[-1][4]

    def recent_checkpoints(self) -> list[StoredCheckpoint]:
        columns = "SELECT note, size, state, timestamp FROM checkpoints"
        largest = "WHERE typeof(size) = 'integer' ORDER BY size DESC, id DESC LIMIT ?"
        rows = self._read(f"{columns} {largest}", (RECENT,))
        # SQLite sorts whatever is not a number above all numbers.
        rows += self._read(f"{columns} WHERE size > ? LIMIT 1", (_LARGEST,))
        return [as_checkpoint(row) for row in rows]

    def _not_text(self, what: str) -> NotAnEntry:
        return NotAnEntry(
            f"{self._path}: {what} is not stored as text, so it was changed by another program; "
            "chained-logging verify names every change"
        )

    def _read(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Read through a separate connection, which is never open during a fork."""
        with self._reading:
            try:
                with contextlib.closing(open_read_only(self._path)) as connection:
                    if "FROM checkpoints" in query and not _has_checkpoints(connection):
                        return []
                    return _fetch(connection, query, values)
            except (sqlite3.Error, UnicodeError) as error:
                raise StoreError(f"{self._path}: {error}") from error

    def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        with self.transaction() as connection:
            if not _has_checkpoints(connection):
                for statement in schema_statements():  # a log without a key lacks this table
                    if " checkpoints" in statement:
                        connection.execute(statement)
            connection.execute(
                # Give the id: the trigger runs before SQLite would choose one.
                "INSERT INTO checkpoints (note, size, state, timestamp, id) SELECT ?, ?, ?, ?,"
                " coalesce(max(id), 0) + 1 FROM checkpoints",
                checkpoint,
            )
        self.sync()

    def close(self) -> None:
        wal, self._wal = self._wal, -1
        if wal >= 0:
            os.close(wal)
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def before_fork(self) -> None:
        # A child would take its parent's locks for its own, and write into a journal that its
        # parent removes (https://www.sqlite.org/howtocorrupt.html, 2.6). So both reopen it.
        self._reading.acquire()
        if not self._foreign:
            try:
                self.sync()
            finally:
                self.close()

    def after_fork(self) -> None:
        self._reading.release()

    def forked(self) -> None:
        self._reading = threading.Lock()
        if self._connection is not None:
            _inherited.append(self._connection)
            self._connection = None
            self._foreign = True

    # --- The slow path.

    def _reopen(self) -> Head:
        known = self._file is not None
        if self._connection is not None:
            self._catch_up(self._connection)  # others may have written to the old file since
            self.sync()
        before = self._head
        self.close()
        self._open()
        if known and self._head.seq < before.seq:
            # See JsonlSink: never a second genesis.
            self._head = before
            self.notices.append(
                Notice("log.reopen", {"cause": "the file was moved, deleted or replaced"})
            )
        return self._head

    def _open(self) -> None:
        if not self._path.exists():  # create it ourselves, so that others cannot read it
            os.close(open_own(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        for name in ("", "-wal", "-shm", "-journal"):  # SQLite believes what is in these
            require_own(self._path.with_name(self._path.name + name))
        found = os.lstat(self._path)
        if is_mount(self._path):
            raise LogError(
                f"{self._path} is mounted by itself: mount its directory, which holds its lock too"
            )
        connection = sqlite3.connect(
            _uri(self._path, "rw"),
            uri=True,
            timeout=self.patience,
            isolation_level=None,
            check_same_thread=False,  # the log's own lock is what keeps threads apart
        )
        try:
            new = not _has_entries(connection, self._path)  # before a foreign one is changed
            # This runs under the log's lock: processes that do it at the same moment on a new file
            # get "database is locked" at once, whatever the timeout.
            if new:
                connection.execute(f"PRAGMA page_size = {_PAGE}")
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA secure_delete = ON")  # what is freed holds no entry
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
            if new:
                _create(connection)
            self._head = EMPTY
            (self._version,) = connection.execute("PRAGMA data_version").fetchone()
            self._catch_up(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._waits = -1.0
        self._file, self._size = (found.st_dev, found.st_ino), found.st_size
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._wal = os.open(f"{self._path}-wal", flags, 0o600)
        sync_directory(self._path)

    def _be_patient(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA busy_timeout = {round(self.patience * 1000)}")
        self._waits = self.patience

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        row: tuple[Any, ...] | None = connection.execute(_LAST).fetchone()
        if row is not None and row[0] > self._head.seq:  # a resumed head may be ahead of the rows
            if not is_text(row[1]):
                raise self._not_text(f"entry {row[0]}")
            self._head = Head(*row)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that reads a log, which may be in use.

    :raises sqlite3.Error: if it cannot be read.
    """
    connection = sqlite3.connect(_uri(path, "ro"), uri=True, isolation_level=None)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists():
            raise
        # SQLite would make files beside it, and cannot. Nobody has it open, so it needs none.
        uri = _uri(path, "ro") + "&immutable=1"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    return connection


def _fetch(
    connection: sqlite3.Connection, query: str, values: tuple[Any, ...]
) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.OperationalError:  # a text is not UTF-8: one such row would hide all others
        connection.text_factory = text  # reading takes longer with it
        return connection.execute(query, values).fetchall()


def _is_whole(path: Path) -> bool:
    """Whether a database that became shorter gave space back after a purge, and was not cut.

    SQLite refuses one with fewer pages than its header says. Without SQLite the file must not be
    read: to close it would end the locks that this process has on it.
    """
    with contextlib.closing(sqlite3.connect(f"{_uri(path, 'ro')}&immutable=1", uri=True)) as alone:
        try:
            return bool(alone.execute("SELECT 1 FROM sqlite_master").fetchone())
        except sqlite3.Error:
            return False


def _failure(path: Path, error: Exception) -> LogError:
    """Return the error to raise for one of SQLite's."""
    code = getattr(error, "sqlite_errorcode", None)  # the sqlite3 module's own errors lack it
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"another program holds {path}: {error}")
    return StoreError(f"{path}: {error}")


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def _has_checkpoints(connection: sqlite3.Connection) -> bool:
    return _has_table(connection, "checkpoints")


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
    )
    return bool(found.fetchone()[0])


def _has_entries(connection: sqlite3.Connection, path: Path) -> bool:
    """Tell a log from an empty database.

    :raises NotALog: if it is another program's database.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == APPLICATION_ID and objects:
        if not all(_has_table(connection, name) for name in ("resources", "stubs")):
            raise NotALog(
                f"{path} was made by a version before 0.1.0, with other tables: leave it as it is, "
                "and begin a new log at another path"
            )
        return True
    if objects:
        raise NotALog(f"{path} is a database of something else: it has tables, but no log's mark")
    return False


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in schema_statements():
            if " checkpoints" not in statement:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
