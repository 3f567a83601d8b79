"""A backup in a folder, read as a central store is."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from chained_logging.errors import LogError, NotALog, Refused, ShipError
from chained_logging.event.entry import AuditEntry
from chained_logging.files.own import open_regular
from chained_logging.format.line import MAX_BODY
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub
from chained_logging.ship.fault import Fault
from chained_logging.sinks import JSONL_SUFFIXES, SQLITE_SUFFIXES, Sink, open_sink
from chained_logging.sinks.lines import parsed
from chained_logging.sinks.segments import segment_paths

_TAIL: Final = 2 * MAX_BODY
_SEALED: Final = re.compile(r"\.[0-9]{20}(\.[a-z]+)\Z", re.ASCII)


class FolderBackup:
    """See :class:`chained_logging.ship.Destination`; this one is for reading.

    :param folder: of the backup. It may hold several logs.
    :raises FileNotFoundError: if it does not exist, or is something else.
    """

    batch_entries, batch_bytes, batch_seconds = 0, 0, 0.0

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder} is not a folder: is the disk mounted?")
        self.folder = folder
        self.name = str(folder)

    def head(self, origin: str) -> Head:
        """Return the last entry of a log's backup."""
        path = self._logs().get(origin)
        return EMPTY if path is None else head_of(path)

    def origins(self) -> list[str]:
        """Return the logs that are here."""
        return sorted(self._logs())

    def records(self, origin: str, start: int = 0) -> Iterator[Record]:
        """Yield entries from `start` on, in order, exactly as stored and not verified."""
        return self._sink(origin).records(start)

    def stored(self, origin: str, start: int = 0) -> Iterator[Record | Stub]:
        """As :meth:`records`, and the stubs between them."""
        return self._sink(origin).stored(start)

    def checkpoints(self, origin: str) -> Iterator[StoredCheckpoint]:
        """Yield all checkpoints, by size."""
        stored = (one for _, one in self._sink(origin).checkpoints())
        return iter(sorted(stored, key=lambda one: one.size))

    def path(self, origin: str) -> Path:
        """Return the file of a log's backup.

        :raises ShipError: if it does not exist.
        """
        path = self._logs().get(origin)
        if path is None:
            raise ShipError(f"{self.name} does not hold the log {origin!r}")
        return path

    def inspect(self, origin: str) -> list[Fault]:
        """Nothing: a folder is its files, which the verifier reads."""
        return []

    def write(
        self,
        origin: str,
        records: Sequence[Record | Stub],
        checkpoints: Sequence[StoredCheckpoint],
    ) -> None:
        """Refuse: a backup is copied as a whole.

        :raises Refused: always.
        """
        raise Refused(f"{self.name} is a backup: chained-logging backup writes it")

    def tend(self, origin: str) -> None:
        """Nothing is due by the clock."""

    def close(self) -> None:
        """Nothing is open."""

    def _sink(self, origin: str) -> Sink:
        return open_sink(self.path(origin))

    def _logs(self) -> dict[str, Path]:
        """Return the logs in the folder, by origin. What is not a log is left out.

        A log that was exported or renamed has two files: the one that is further counts.
        """
        paths = {
            path.with_name(_SEALED.sub(r"\1", path.name))
            for path in self.folder.iterdir()
            if path.suffix in JSONL_SUFFIXES | SQLITE_SUFFIXES and path.is_file()
        }
        found: dict[str, list[Path]] = {}
        for path in sorted(paths):
            with contextlib.suppress(OSError, LogError, ValueError, KeyError):
                found.setdefault(_origin(path), []).append(path)
        return {name: max(those, key=_reach) for name, those in found.items()}


def _reach(log: Path) -> int:
    """Return the last entry of a log; below all others if its end is damaged."""
    try:
        return head_of(log).seq
    except (OSError, LogError, ValueError):
        return -2


def head_of(log: Path) -> Head:
    """Return the last entry of a log that nobody writes to. Nothing is verified.

    :raises NotALog: if its end is not an entry.
    """
    if log.suffix in SQLITE_SUFFIXES:
        return _last_row(log)
    for path in [log, *reversed(segment_paths(log))]:
        if path.exists() and path.stat().st_size:
            return _last_line(path)
    return EMPTY


def _last_row(log: Path) -> Head:
    query = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1"
    try:
        uri = f"{log.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            row = connection.execute(query).fetchone()
    except sqlite3.Error as error:
        raise NotALog(f"{log} cannot be read: {error}") from None
    return EMPTY if row is None else Head(int(row[0]), str(row[1]))


def _last_line(path: Path) -> Head:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        tail = os.pread(file.fileno(), _TAIL, max(0, size - _TAIL))
    line = tail[: tail.rfind(b"\n") + 1].removesuffix(b"\n").rpartition(b"\n")[2]
    try:
        last = parsed(line)
        return Head(last.seq, last.hash)
    except ValueError as error:
        raise NotALog(f"{path} does not end with an entry: {error}") from None


def _origin(path: Path) -> str:
    """Return the name of the log in a file."""
    first = next(open_sink(path).records(), None)
    if first is None:
        raise NotALog(f"{path} has no entry")
    entry = AuditEntry(first.body, first.hash)
    if entry.action != "log.open":
        raise NotALog(f"{path} does not begin with a log's first entry")
    return str(entry.context["origin"])
