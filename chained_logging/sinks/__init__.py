"""Where entries are kept: one small protocol, with one module for each kind of store.

A sink stores entries and finds the last one again. It knows nothing about events.
Only the holder of the log's lock calls :meth:`Sink.head` and :meth:`Sink.write`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from chained_logging.chain import GENESIS
from chained_logging.files import open_own, require_own

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # asked for attributes only

SQLITE_SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3"})
JSONL_SUFFIXES = frozenset({".jsonl", ".ndjson"})


class Head(NamedTuple):
    """The last entry's ``seq`` and hash: what the next one is chained to."""

    seq: int
    hash: str


EMPTY = Head(-1, GENESIS)


class Record(NamedTuple):
    """An entry as a sink takes it."""

    seq: int
    body: bytes
    hash: str
    signature: str | None = None


class StoredCheckpoint(NamedTuple):
    """A signed checkpoint as a sink keeps it."""

    note: str
    size: int
    state: str
    """The Merkle tree's frontier at that size, in base64."""
    timestamp: str | None = None
    """An RFC 3161 response over the bytes of the note, in base64."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set, as they are stored in JSON."""
        return {name: value for name, value in self._asdict().items() if value is not None}


NO_CHECKPOINT = StoredCheckpoint("", -1, "")
"""Stands for a stored item that is not a checkpoint. Nobody signed it."""

RECENT = 16


class NotAnEntry(OSError, ValueError):
    """What is stored instead of an entry is not one: another program wrote or changed it."""


class Notice(NamedTuple):
    """Something that happened to the log, for the log to record about itself."""

    action: str
    context: dict[str, Any]


class Sink(Protocol):
    """A store of entries.

    :ivar notices: what :meth:`head` came across; its caller removes them.
    :ivar needs_closing: whether the store becomes a single file only when it is closed.
    :ivar patience: seconds that a call may wait while another program holds the store.
    """

    notices: list[Notice]
    patience: float
    needs_closing: bool

    def sealed(self) -> Head | None:
        """Return the head of the last sealed segment, if there is one."""

    def head(self) -> Head:
        """Return the last stored entry's ``seq`` and hash, and mend what a crash left behind.

        :raises Busy: if another program holds the store.
        :raises OSError: if the store cannot be read.
        """

    def resume(self, head: Head) -> None:
        """Continue after `head`, whatever the store itself holds."""

    def write(self, records: Sequence[Record]) -> None:
        """Store entries, all or none. On return the kernel has them.

        :raises Busy: if another program holds the store.
        :raises OSError: if the write fails; it then leaves nothing behind.
        """

    def recheck(self, synced: int) -> None:
        """After a power failure: mend what was damaged after entry `synced`."""

    def tend(self) -> None:
        """Do what is due by the clock, such as sealing a segment that is old enough."""

    def sync(self) -> None:
        """Sync what was written to the disk. May run while another thread writes."""

    def records(self, start: int = 0) -> Iterator[Record]:
        """Read entries from `start` on, in order.

        :raises ValueError: at the first item that is not an entry.
        """

    def readable(self, start: int = 0) -> Iterator[Record]:
        """As :meth:`records`, but skip what is not an entry."""

    def checkpoints(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        """Read checkpoints in the order they were stored, each with a mark to continue from. One
        that others signed later (a witness, a timestamp authority) appears twice, the second time
        perhaps after newer ones. What is not a checkpoint is skipped; only the signatures tell
        whose the others are."""

    def recent_checkpoints(self) -> list[StoredCheckpoint]:
        """Return at most :data:`RECENT` checkpoints, those with the largest sizes or those stored
        last, the largest first. Of two with one size, the one stored last comes first.

        What is not a checkpoint is among them, as :data:`NO_CHECKPOINT`.
        """

    def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Store a checkpoint on the disk.

        :raises OSError: if that fails.
        """

    def close(self) -> None:
        """Release files. The log can be opened again."""

    def before_fork(self) -> None:
        """Let go of what a forked child could not share with its parent."""

    def after_fork(self) -> None:
        """Resume in the parent, after the fork."""

    def forked(self) -> None:
        """Resume in a forked child, also if :meth:`before_fork` was not called (C code forked)."""


def open_sink(path: Path, *, max_bytes: int | None = None, max_age: float | None = None) -> Sink:
    """Return the sink for a path, by its suffix: ``.jsonl`` or ``.ndjson``, ``.db`` or ``.sqlite``.

    :param max_bytes: the size at which a JSON Lines file becomes a sealed segment.
    :param max_age: the age in seconds at which it does.
    :raises ValueError: for any other suffix, or for rotation of a database.
    """
    if path.suffix in JSONL_SUFFIXES:
        from chained_logging.sinks.jsonl import JsonlSink

        return JsonlSink(path, max_bytes=max_bytes, max_age=max_age)
    if path.suffix in SQLITE_SUFFIXES:
        if max_bytes is not None or max_age is not None:
            raise ValueError("max_bytes and max_age are for JSON Lines: a database is one file")
        from chained_logging.sinks.sqlite import SqliteSink

        return SqliteSink(path)
    raise ValueError(
        f"cannot tell the kind of log from {path.name!r}: use .jsonl or .ndjson for JSON Lines, "
        ".db, .sqlite or .sqlite3 for SQLite"
    )


def is_mount(path: Path) -> bool:
    """Whether a file is mounted by itself, as into a container: its lock would stay outside."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:  # no Linux
        return False
    # Field 5 is the mount point, with blanks as octal escapes (proc(5)).
    name = os.fsencode(path).replace(b"\\", b"\\134").replace(b" ", b"\\040")
    return any(line.split(b" ", 5)[4] == name for line in lines)


def sync_directory(path: Path) -> None:
    """Make a new, renamed or removed name in the directory of `path` durable."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file's content, on the disk. A reader sees all of the new content, or the old.

    :raises OSError: if that fails, or if the file or its draft (``.new``) is not the log's own;
        the old content is then left.
    """
    require_own(path)
    draft = path.with_name(f"{path.name}.new")
    with open(open_own(draft, os.O_WRONLY | os.O_CREAT), "wb") as file:
        file.truncate(0)
        file.write(data)
        file.flush()
        sync_file(file.fileno())
    os.rename(draft, path)
    sync_directory(path)


def sync_if_open(fd: int) -> None:
    """As :func:`sync_file`, for a file that its owner may sync and close meanwhile.

    :param fd: below 0 if the file is closed already.
    """
    try:
        if fd >= 0:
            sync_file(fd)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise


def sync_file(fd: int) -> None:
    """Sync a file's data to the disk itself (``F_FULLFSYNC`` on macOS, where fsync does less)."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(fd, full)
    else:
        os.fdatasync(fd)  # with the size, without the times
