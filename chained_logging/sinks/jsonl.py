"""JSON Lines: one line for each entry, in an append-only file.

With `max_bytes` or `max_age` the file becomes a sealed segment in time, and the chain
continues in a new file; see :mod:`chained_logging.sinks.segments`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import starmap
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from chained_logging.errors import FAILURES, LogError, NotALog
from chained_logging.files.durable import is_mount, sync_directory, sync_file, sync_if_open
from chained_logging.files.own import open_file, open_own, require_own
from chained_logging.format.line import (
    position,
    recorded_at,
    split_line,
    stored_line,
)
from chained_logging.format.record import EMPTY, Head, Record, StoredCheckpoint
from chained_logging.format.stub import Stub, holds
from chained_logging.sinks import lines, removal_segments
from chained_logging.sinks.checkpoint_file import (
    append_checkpoint,
    read_checkpoints,
    recent_checkpoints,
)
from chained_logging.sinks.lines import BLOCK, MAX_LINE
from chained_logging.sinks.removal import Named, Removal
from chained_logging.sinks.segments import (
    Segment,
    complete_manifest,
    listed_name,
    segment_path,
    segment_paths,
)
from chained_logging.sinks.sink import Notice

_FIRST_READ = 4096
_PARTS = itemgetter(1, 2, 3)  # of a record: body, hash, signature
_new_head = tuple.__new__
_FIRST_BYTES = b'{"action":"'  # of every stored line


class JsonlSink:
    """See :class:`chained_logging.sinks.Sink`."""

    needs_closing = False

    def __init__(
        self, path: Path, *, max_bytes: int | None = None, max_age: float | None = None
    ) -> None:
        self._path = path
        self._name = str(path)  # os.stat is 0.15 µs faster with a str
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._fd = -1
        self._file: tuple[int, int] | None = None  # device and inode of the file we hold
        self._size = 0  # bytes in it when we last looked
        self._began = 0.0  # the time of its first entry
        self._head = EMPTY
        self._sealed: Head | None = None
        self._manifest_due = False
        self.notices: list[Notice] = []
        self.patience = 0.0  # no other program locks a JSON Lines file

    def head(self) -> Head:
        try:
            found = os.stat(self._name)
        except FileNotFoundError:
            return self._reopen()
        # The fast path, with one system call: nobody else wrote, and it is the file we know.
        if found.st_size == self._size and (found.st_dev, found.st_ino) == self._file:
            return self._head
        if (found.st_dev, found.st_ino) != self._file:
            return self._reopen()
        if found.st_size < self._size:
            self._truncated(found.st_size)
            return self._head
        return self._catch_up()

    def reread(self) -> Head:
        self._size = 0
        return self._catch_up()

    def resume(self, head: Head) -> None:
        self._head = head

    def write(self, records: Sequence[Record]) -> None:
        data = b"\n".join(starmap(stored_line, map(_PARTS, records))) + b"\n"
        seq, _, hash, _ = records[-1]
        self._write(data, _new_head(Head, (seq, hash)))  # a third of the time of Head(…)

    def take(self, items: Sequence[Record | Stub]) -> None:
        data = b"\n".join(map(lines.line_of, items)) + b"\n"
        self._write(data, Head(items[-1].seq, items[-1].hash))

    def _write(self, data: bytes, head: Head) -> None:
        size = len(data)
        if self._max_bytes is not None and self._size + size > self._max_bytes:
            self._seal()
        try:
            written = os.write(self._fd, data)
            while written < size:  # the disk is full, or a limit reached: the next call raises
                written += os.write(self._fd, data[written:])
        except OSError:  # all of it or nothing
            _cut(self._fd, self._size)
            raise
        # Set both or neither: a signal handler can raise only after a call, never between these
        # two. With only one of them set, the next entry would use a seq twice.
        self._size += size
        self._head = head

    def sync(self) -> None:
        sync_if_open(self._fd)

    def sealed(self) -> Head | None:
        return self._sealed

    def recheck(self, synced: int) -> None:
        """After a power failure: move aside everything from the first damaged line on.

        The kernel writes pages in any order, so a damaged line may come before intact ones. A
        power failure can only damage lines after `synced`. An earlier damaged line is somebody's
        doing, and is left as evidence.
        """
        try:
            fd, _ = self._open(os.O_RDWR)
        except FileNotFoundError:
            return
        with open_file(fd, "rb") as file:
            at, last = 0, self._sealed_head().seq
            while line := file.readline(MAX_LINE):
                try:
                    item = lines.parsed(line[:-1])
                    if not line.endswith(b"\n") or not holds(item):
                        raise ValueError
                    last = item.seq
                except ValueError:
                    break
                at += len(line)
            size = os.fstat(fd).st_size
            if at < size and last >= synced:
                self._set_aside(at, size, fd, "lines damaged by a power failure")

    def tend(self) -> None:
        if self._max_age is not None and self._size and time.time() - self._began > self._max_age:
            self._seal()
        if self._manifest_due:
            complete_manifest(self._path)
            self._manifest_due = False

    def stored(self, start: int = 0) -> Iterator[Record | Stub]:
        return self._read(start, lines.stored)

    def records(self, start: int = 0) -> Iterator[Record]:
        return (item for item in self.stored(start) if isinstance(item, Record))

    def readable(self, start: int = 0) -> Iterator[Record]:
        found = self._read(start, lines.readable)
        return (item for item in found if isinstance(item, Record))

    def _read(
        self, start: int, reader: Callable[[BinaryIO, int], Iterator[Record | Stub]]
    ) -> Iterator[Record | Stub]:
        # Open the log first. If another process seals it meanwhile, we still read that file, and
        # skip its new name and later segments.
        with contextlib.ExitStack() as stack:
            log = self._open_to_read()
            if log is not None:
                stack.enter_context(log)
            sealed = []
            for path in segment_paths(self._path):
                if log is not None and os.path.samestat(os.stat(path), os.fstat(log.fileno())):
                    break
                sealed.append(path)
            for number, path in enumerate(sealed, 1):
                # A segment ends where the next begins: skip those that end before `start`.
                if number == len(sealed) or sealed[number] > segment_path(self._path, start):
                    with open_file(path, "rb") as file:
                        yield from reader(file, start)
            if log is not None:
                yield from reader(log, start)

    def _open_to_read(self) -> BinaryIO | None:
        """Open the log; None if a crash left only its segments."""
        for _ in range(20):
            try:
                return open_file(self._path, "rb")
            except FileNotFoundError:
                if not segment_paths(self._path):
                    raise
                time.sleep(0.005)  # another process may just be sealing it
        return None

    def removable(self) -> int:
        paths = segment_paths(self._path)  # the file that is written to is never rewritten
        return lines.head_of(paths[-1]).seq if paths else -1

    def removals(self, named: Named) -> Iterator[Removal]:
        return removal_segments.removals(self._path, named)

    def give_back(self) -> Iterator[Removal]:
        return removal_segments.give_back(self._path)

    def files(self) -> list[Path]:
        return [path for path in (*segment_paths(self._path), self._path) if path.exists()]

    def checkpoints(self, mark: int = 0) -> Iterator[tuple[int, StoredCheckpoint]]:
        return read_checkpoints(self._path, mark)

    def recent_checkpoints(self) -> list[StoredCheckpoint]:
        return recent_checkpoints(self._path)

    def add_checkpoint(self, checkpoint: StoredCheckpoint) -> None:
        append_checkpoint(self._path, checkpoint)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._file, self._size = -1, None, 0

    def before_fork(self) -> None:
        pass

    def after_fork(self) -> None:
        pass

    def forked(self) -> None:
        pass  # one open file with O_APPEND, written under a lock, can be shared

    # --- The slow path.

    def _reopen(self) -> Head:
        """Open the file at the path, or create it."""
        known, before = self._fd >= 0, self._head
        if known:
            before = self._catch_up()  # others may have written to the old file after we last did
            sync_file(self._fd)
        old = self._fd, self._file, self._size, self._head
        fd, found = self._open()
        self._fd, self._file, self._size = fd, (found.st_dev, found.st_ino), 0
        try:
            # Sealed entries come before those in the file, which may be new and empty.
            self._head = self._sealed_head()
            if found.st_size == 0:
                sync_directory(self._path)
            self._catch_up()
        except BaseException:  # restore the old state: the next append tries again
            os.close(fd)
            self._fd, self._file, self._size, self._head = old
            raise
        if known:
            os.close(old[0])
        if known and self._head.seq < before.seq:
            # The file was moved away or deleted. The chain continues where it was: there must
            # never be a second genesis. Another process may have continued it already.
            self._head = before
            self.notices.append(
                Notice("log.reopen", {"cause": "the file was moved, deleted or replaced"})
            )
        return self._head

    def _sealed_head(self) -> Head:
        """Return the head of the last sealed segment, and list new ones in the manifest."""
        paths = segment_paths(self._path)
        for path in paths:
            require_own(path)
        listed: list[Segment] = []
        try:
            listed = complete_manifest(self._path)
        except FAILURES:
            # The manifest is a catalogue, and no entry waits for it. `tend` tries again, and
            # reports the error.
            self._manifest_due = True
        if paths:
            self._sealed = lines.head_of(paths[-1])
        here = {listed_name(path) for path in paths}
        if listed and listed[-1].file not in here:  # moved to an archive
            last = Head(listed[-1].last_seq, listed[-1].last_hash)
            self._sealed = max(self._sealed or EMPTY, last)
        return self._sealed or EMPTY

    def _open(
        self, flags: int = os.O_RDWR | os.O_APPEND | os.O_CREAT
    ) -> tuple[int, os.stat_result]:
        # A file with a second name would have a second lock, and so a second chain.
        fd = open_own(self._path, flags)
        if is_mount(self._path):
            os.close(fd)
            raise LogError(
                f"{self._path} is mounted by itself: mount its directory, which holds its lock too"
            )
        return fd, os.fstat(fd)

    def _truncated(self, size: int) -> None:
        self.notices.append(
            Notice("log.reopen", {"cause": f"the file was cut from {self._size} to {size} bytes"})
        )
        before = self._head
        self._size = 0
        self._catch_up()
        if self._head.seq < before.seq:
            self._head = before

    def _catch_up(self) -> Head:
        """Read the last entry that others wrote, and move aside what a crash left behind.

        :raises NotALog: if this is not a log; the file is then left unchanged.
        """
        size = os.fstat(self._fd).st_size
        if self._size and size > self._size and not self._goes_on():
            # Somebody cut it, and another of our writers made it longer than before.
            self._truncated(0)
            return self._head
        start, tail, end = self._last_lines(size)
        found = lines.last_entry(tail[:end])
        if found is not None:
            head, whole = found
            if head.seq > self._head.seq or self._size == 0:
                self._head = head
            if not whole:
                cause = "the last entry was followed by lines that are not entries"
                self.notices.append(Notice("log.recover", {"cause": cause}))
        elif end and self._head == EMPTY:
            raise NotALog(f"{self._path} does not end in an entry: it is not a log")
        if end < len(tail) or start + len(tail) < size:
            torn = tail[end:]
            if self._head == EMPTY and torn[: len(_FIRST_BYTES)] != _FIRST_BYTES[: len(torn)]:
                raise NotALog(f"{self._path} does not begin with an entry: it is not a log")
            self._set_aside(start + end, size)
            size = start + end
        if self._size == 0 and self._max_age is not None:
            self._began = self._first_time(size)
        self._size = size
        return self._head

    def _goes_on(self) -> bool:
        """Whether the new data starts where our last entry ends, and is chained to it."""
        block = os.pread(self._fd, _FIRST_READ, self._size - 1)
        line, feed, _ = block[1:].partition(b"\n")
        if not feed and len(block) == _FIRST_READ:
            block = os.pread(self._fd, MAX_LINE, self._size - 1)
            line, feed, _ = block[1:].partition(b"\n")
        if block[:1] != b"\n":
            return False
        try:
            # A torn line counts as chained, and so does an entry after a recorded gap.
            seq, prev = position(split_line(line).body) if feed else (0, "")
            return not feed or prev == self._head.hash or seq > self._head.seq + 1
        except ValueError:
            return True

    def _last_lines(self, size: int) -> tuple[int, bytes, int]:
        """Return the offset of the last block with a line feed, the block, and the end of its
        last line."""
        stop = size
        while True:
            start = max(self._size, stop - BLOCK)
            tail = os.pread(self._fd, stop - start, start)
            end = tail.rfind(b"\n") + 1
            if end or start == self._size:
                # The last line may begin before the block, but not before the previous one.
                if start > self._size and tail.count(b"\n") < 2:
                    start = max(self._size, start - BLOCK)
                    tail = os.pread(self._fd, stop - start, start)
                    end = tail.rfind(b"\n") + 1
                return start, tail, end
            stop = start

    def _set_aside(self, at: int, size: int, log: int = -1, cause: str = "a torn line") -> None:
        """Move the end of the log, such as a torn line, to a separate file."""
        log = self._fd if log < 0 else log
        name = f"{self._path.name}.torn-{at}-{time.time_ns()}"
        aside = self._path.with_name(name)
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open_file(fd, "wb") as file:
            for offset in range(at, size, BLOCK):
                file.write(os.pread(log, min(BLOCK, size - offset), offset))
            file.flush()
            os.fsync(fd)
        sync_directory(aside)
        _cut(log, at)
        self.notices.append(
            Notice("log.recover", {"cause": cause, "bytes": size - at, "kept_in": name})
        )

    # --- Rotation.

    def _seal(self) -> None:
        """Seal the file as a segment, and continue in a new file.

        The order makes a crash repairable: first the data is on the disk, then the file is
        renamed, then it is listed in the manifest (`complete_manifest` adds a missing line).
        """
        if self._size == 0:
            return
        sync_file(self._fd)
        target = segment_path(self._path, lines.first_seq(self._fd))
        if target.exists():
            raise LogError(f"the log cannot be sealed as {target}, which exists: move that away")
        os.rename(self._path, target)
        self._reopen()

    def _first_time(self, size: int) -> float:
        """Return the time of the first entry, from its UUIDv7; the present, if the log is empty."""
        line = os.pread(self._fd, min(size, MAX_LINE), 0).partition(b"\n")[0]
        try:
            return recorded_at(line)
        except ValueError:
            return time.time()


def _cut(fd: int, size: int) -> None:
    """Cut a file to a size. If it is shorter, because somebody cut it, it must not grow."""
    if os.fstat(fd).st_size > size:
        os.ftruncate(fd, size)
