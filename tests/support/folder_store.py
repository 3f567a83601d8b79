"""A destination in a file, for tests of what brings entries to one: SQLite, and no server.

It is as strict as a real one: what does not follow is refused, all or none is stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from chained_logging.errors import DestinationError, Refused
from chained_logging.format.line import position
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.verify import Fault


class FolderStore:
    batch_entries = 500
    batch_bytes = 1 << 20
    batch_seconds = 0.1

    def __init__(self, path: Path) -> None:
        self.name = f"folder://{path}"
        self.writes = 0
        self._db = sqlite3.connect(path, isolation_level=None, timeout=20)
        self._db.executescript(
            """
            PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS entries (origin, seq, body, hash, signature,
                                                PRIMARY KEY (origin, seq));
            CREATE TABLE IF NOT EXISTS checkpoints (origin, note, size, state, timestamp,
                                                    UNIQUE (origin, note));
            """
        )

    def head(self, origin: str) -> Head:
        query = "SELECT seq, hash FROM entries WHERE origin = ? ORDER BY seq DESC LIMIT 1"
        row = self._db.execute(query, (origin,)).fetchone()
        return Head(*row) if row else EMPTY

    def write(
        self, origin: str, records: Sequence[Record], checkpoints: Sequence[StoredCheckpoint]
    ) -> None:
        self.writes += 1
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise DestinationError(f"{self.name}: {error}") from None
        try:
            seq, prev = self.head(origin)
            for record in records:
                if record.seq <= seq:
                    raise DestinationError("it stands there already")
                if (record.seq, position(record.body)[1]) != (seq + 1, prev):
                    raise Refused(f"entry {record.seq} does not follow {seq}")
                if b"REFUSE-ME" in record.body:
                    raise Refused(f"a constraint does not let entry {record.seq} in")
                seq, prev = record.seq, record.hash
                row = (origin, *record)
                self._db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
            for one in checkpoints:
                assert one.size <= seq + 1
                row = (origin, *one)
                self._db.execute("INSERT OR IGNORE INTO checkpoints VALUES (?, ?, ?, ?, ?)", row)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def tend(self, origin: str) -> None:
        pass

    def origins(self) -> list[str]:
        rows = self._db.execute("SELECT DISTINCT origin FROM entries ORDER BY origin").fetchall()
        return [origin for (origin,) in rows]

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        query = (
            "SELECT seq, body, hash, signature FROM entries WHERE origin = ? AND seq >= ? "
            "ORDER BY seq"
        )
        for row in self._db.execute(query, (origin, start)):
            yield Record(*row)

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        query = (
            "SELECT note, size, state, timestamp FROM checkpoints WHERE origin = ? ORDER BY size"
        )
        for row in self._db.execute(query, (origin,)):
            yield StoredCheckpoint(*row)

    def inspect(self, origin: str) -> list[Fault]:
        return []

    def close(self) -> None:
        self._db.close()
