"""Where entries are kept. One small protocol, one file each.

A sink stores what it is given and finds the last of it again. It knows nothing
of events. Every call of :meth:`Sink.head` and :meth:`Sink.write` is made by the
one holder of the log's lock.
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
    """The last entry's place: what the next one is chained to."""

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
        """Return the fields that there are, as they are stored in JSON."""
        return {name: value for name, value in self._asdict().items() if value is not None}


NO_CHECKPOINT = StoredCheckpoint("", -1, "")
"""Stands for what is kept where checkpoints are, and is none. Nobody signed it."""

RECENT = 16


class NotAnEntry(OSError, ValueError):
    """What stands at an entry's place is none: another program put it there, or changed it."""


class Notice(NamedTuple):
    """Something that happened to the log, which the log shall record about itself."""

    action: str
    context: dict[str, Any]


class Sink(Protocol):
    """A place for entries.

    :ivar notices: what :meth:`head` came across; whoever calls it takes them out.
    :ivar needs_closing: whether the store is one file only once it is closed.
    :ivar patience: seconds that a call may wait for another program that holds the store.
    """

    notices: list[Notice]
    patience: float
    needs_closing: bool

    def sealed(self) -> Head | None:
        """Return the last entry's place in sealed segments, if there are any."""

    def head(self) -> Head:
        """Return the last stored entry's place, and mend what a crash left behind.

        :raises Busy: if another program holds the store.
        :raises OSError: if the store cannot be read.
        """

    def resume(self, head: Head) -> None:
        """Go on after `head`, whatever the store holds itself."""

    def write(self, records: Sequence[Record]) -> None:
        """Store entries, all or none. They are in the kernel's hands on return.

        :raises Busy: if another program holds the store.
        :raises OSError: if that fails; nothing of them is left behind.
        """

    def recheck(self, synced: int) -> None:
        """After a power failure: mend what was damaged after entry `synced`."""

    def tend(self) -> None:
        """Do what is due by the clock, such as sealing a segment that is old enough."""

    def sync(self) -> None:
        """Bring what was written onto the disk. May run while another thread writes."""

    def records(self, start: int = 0) -> Iterator[Record]:
        """Read entries from `start` on, in order.

        :raises ValueError: at what is no entry.
        """

    def readable(self, start: int = 0) -> Iterator[Record]:
        """As :meth:`records`, and leave out what is no entry."""

    def checkpoints(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        """Read checkpoints as they were kept, each with a mark from which reading can go on. One
        that others signed since (a witness, a timestamp authority) is there twice, the second time
        perhaps after newer ones. What is no checkpoint is left out; whose the others are, only
        their signatures tell."""

    def recent_checkpoints(self) -> list[StoredCheckpoint]:
        """Return those of the largest sizes, or those that were kept last, the largest first; of
        two of one size, first the one that was kept last. At most :data:`RECENT`.

        What is no checkpoint is among them, as :data:`NO_CHECKPOINT`.
        """

    def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        """Keep a checkpoint, on the disk.

        :raises OSError: if that fails.
        """

    def close(self) -> None:
        """Release files. The log can be opened again."""

    def before_fork(self) -> None:
        """Let go of what a forked child could not share with its parent."""

    def after_fork(self) -> None:
        """In the parent: the fork is over."""

    def forked(self) -> None:
        """In a forked child whose parent could not do that (a fork by C code)."""


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
    """Bring a file's whole content onto the disk. Whoever reads it sees all of it, or the one
    before.

    :raises OSError: if that fails, or either is not the log's own; the one before is left then.
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
    """As :func:`sync_file`, for a file that its owner may close meanwhile, after a sync of its own.

    :param fd: below 0 if it is closed already.
    """
    try:
        if fd >= 0:
            sync_file(fd)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise


def sync_file(fd: int) -> None:
    """Bring a file's data onto the disk itself (``F_FULLFSYNC`` on macOS, where fsync does not)."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        fcntl.fcntl(fd, full)
    else:
        os.fdatasync(fd)  # with the size, without the times
