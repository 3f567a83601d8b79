"""JSON Lines: one stored line an entry, in a file that is only ever appended to.

With `max_bytes` or `max_age` the file becomes a sealed segment when it is due, and
the chain runs on in a new one; see :mod:`chained_logging.sinks.segments`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from chained_logging import chain
from chained_logging.files import open_file, open_own, require_own
from chained_logging.sinks import (
    EMPTY,
    Head,
    Notice,
    Record,
    StoredCheckpoint,
    is_mount,
    sync_directory,
    sync_file,
    sync_if_open,
)
from chained_logging.sinks.checkpoint_file import (
    append_checkpoint,
    read_checkpoints,
    recent_checkpoints,
)
from chained_logging.sinks.segments import (
    Segment,
    complete_manifest,
    listed_name,
    segment_path,
    segment_paths,
)

# The longest stored line: a body, its hash, a signature, the line feed.
_MAX_LINE = chain.MAX_BODY + 256
_BLOCK = 4 * _MAX_LINE
_FIRST_READ = 4096
_FIRST_BYTES = b'{"action":"'  # of every stored line


class JsonlSink:
    """See :class:`chained_logging.sinks.Sink`."""

    needs_closing = False

    def __init__(
        self, path: Path, *, max_bytes: int | None = None, max_age: float | None = None
    ) -> None:
        self._path = path
        self._name = str(path)  # which os.stat takes in 0.15 µs less
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._fd = -1
        self._file: tuple[int, int] | None = None  # device and inode of the file we hold
        self._size = 0  # bytes in it when we last looked
        self._began = 0.0  # when its first entry was made
        self._head = EMPTY
        self._sealed: Head | None = None
        self._manifest_due = False
        self.notices: list[Notice] = []
        self.patience = 0.0  # nobody else locks a file of this kind

    def head(self) -> Head:
        try:
            found = os.stat(self._name)
        except FileNotFoundError:
            return self._reopen()
        # Nobody else wrote, and it is the file we know: the usual case, one system call.
        if found.st_size == self._size and (found.st_dev, found.st_ino) == self._file:
            return self._head
        if (found.st_dev, found.st_ino) != self._file:
            return self._reopen()
        if found.st_size < self._size:
            self._truncated(found.st_size)
            return self._head
        return self._catch_up()

    def resume(self, head: Head) -> None:
        self._head = head

    def write(self, records: Sequence[Record]) -> None:
        data = b"".join(
            [
                chain.stored_line(body, hash, signature) + b"\n"
                for _, body, hash, signature in records
            ]
        )
        size = len(data)
        if self._max_bytes is not None and self._size + size > self._max_bytes:
            self._seal()
        try:
            written = os.write(self._fd, data)
            while written < size:  # the disk is full, or a size limit: the next call says so
                written += os.write(self._fd, data[written:])
        except OSError:  # all of it or nothing
            _cut(self._fd, self._size)
            raise
        seq, _, hash, _ = records[-1]
        head = Head._make((seq, hash))  # half of Head(…)
        # Both or neither: a signal handler that raises does so after a call, and never between
        # these two. With one of them alone the next entry would take a position twice.
        self._size += size
        self._head = head

    def sync(self) -> None:
        sync_if_open(self._fd)

    def sealed(self) -> Head | None:
        return self._sealed

    def recheck(self, synced: int) -> None:
        """After a power failure: move aside what stands behind the first line that is none.

        The kernel writes pages in any order, so that a line may be damaged before others that
        are whole. Only lines after `synced` can be: one before it was damaged by somebody, and
        stays where it is.
        """
        try:
            fd, _ = self._open(os.O_RDWR)
        except FileNotFoundError:
            return
        with open_file(fd, "rb") as file:
            at, last = 0, self._sealed_head().seq
            while line := file.readline(_MAX_LINE):
                try:
                    body, hash, _ = chain.split_line(line[:-1])
                    if not line.endswith(b"\n") or chain.leaf_hash(body) != hash:
                        raise ValueError
                    last = chain.position(body)[0]
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

    def records(self, start: int = 0) -> Iterator[Record]:
        return self._read(start, _records)

    def readable(self, start: int = 0) -> Iterator[Record]:
        return self._read(start, _readable)

    def _read(
        self, start: int, reader: Callable[[BinaryIO, int], Iterator[Record]]
    ) -> Iterator[Record]:
        # The file first: should another process seal it meanwhile, it is still what it was, and
        # its new name, and those after it, are left out.
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
                # A segment ends where the next begins: what lies before `start` is not read.
                if number == len(sealed) or sealed[number] > segment_path(self._path, start):
                    with open_file(path, "rb") as file:
                        yield from reader(file, start)
            if log is not None:
                yield from reader(log, start)

    def _open_to_read(self) -> BinaryIO | None:
        """Open the log; None if a crash left its segments alone."""
        for _ in range(20):
            try:
                return open_file(self._path, "rb")
            except FileNotFoundError:
                if not segment_paths(self._path):
                    raise
                time.sleep(0.005)  # another process may be between a seal and the next file
        return None

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

    # --- What is not the usual case.

    def _reopen(self) -> Head:
        """Open the file that stands at the path, or a new one."""
        known, before = self._fd >= 0, self._head
        if known:
            before = self._catch_up()  # others may have written to the old file after we last did
            sync_file(self._fd)
        old = self._fd, self._file, self._size, self._head
        fd, found = self._open()
        self._fd, self._file, self._size = fd, (found.st_dev, found.st_ino), 0
        try:
            # What was sealed stands before what is in the file, which may be new and empty.
            self._head = self._sealed_head()
            if found.st_size == 0:
                sync_directory(self._path)
            self._catch_up()
        except BaseException:  # as it was: the next append tries again
            os.close(fd)
            self._fd, self._file, self._size, self._head = old
            raise
        if known:
            os.close(old[0])
        if known and self._head.seq < before.seq:
            # Moved away or deleted under us. The chain goes on where it was: never a second
            # genesis. If another process was here first, its entries already go on.
            self._head = before
            self.notices.append(
                Notice("log.reopen", {"cause": "the file was moved, deleted or replaced"})
            )
        return self._head

    def _sealed_head(self) -> Head:
        """Return the last place in sealed segments, and list those that are not yet."""
        paths = segment_paths(self._path)
        for path in paths:
            require_own(path)
        listed: list[Segment] = []
        try:
            listed = complete_manifest(self._path)
        except OSError:
            # It is a catalogue, which no entry need wait for: `tend` tries again, and says why not.
            self._manifest_due = True
        if paths:
            self._sealed = _head_of(paths[-1])
        here = {listed_name(path) for path in paths}
        if listed and listed[-1].file not in here:  # moved away since, as archives are
            last = Head(listed[-1].last_seq, listed[-1].last_hash)
            self._sealed = max(self._sealed or EMPTY, last)
        return self._sealed or EMPTY

    def _open(
        self, flags: int = os.O_RDWR | os.O_APPEND | os.O_CREAT
    ) -> tuple[int, os.stat_result]:
        # Under a second name it would have another lock, and so a second chain.
        fd = open_own(self._path, flags)
        if is_mount(self._path):
            os.close(fd)
            raise OSError(
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
        """Read the last entry that others wrote, and move what a crash left behind out of the way.

        :raises OSError: if this is no log, or cannot be read; the file is then as it was.
        """
        size = os.fstat(self._fd).st_size
        if self._size and size > self._size and not self._goes_on():
            # Cut by somebody, and grown past its size again by another writer of ours.
            self._truncated(0)
            return self._head
        start, tail, end = self._last_lines(size)
        found = _last_entry(tail[:end])
        if found is not None:
            head, whole = found
            if head.seq > self._head.seq or self._size == 0:
                self._head = head
            if not whole:
                cause = "after the last entry stood lines that are none"
                self.notices.append(Notice("log.recover", {"cause": cause}))
        elif end and self._head == EMPTY:
            raise OSError(f"{self._path} does not end in an entry: it is not a log")
        if end < len(tail) or start + len(tail) < size:
            torn = tail[end:]
            if self._head == EMPTY and torn[: len(_FIRST_BYTES)] != _FIRST_BYTES[: len(torn)]:
                raise OSError(f"{self._path} does not begin with an entry: it is not a log")
            self._set_aside(start + end, size)
            size = start + end
        if self._size == 0 and self._max_age is not None:
            self._began = self._first_time(size)
        self._size = size
        return self._head

    def _goes_on(self) -> bool:
        """Whether what was written since begins at our last entry's end, and follows it."""
        block = os.pread(self._fd, _FIRST_READ, self._size - 1)
        line, feed, _ = block[1:].partition(b"\n")
        if not feed and len(block) == _FIRST_READ:
            block = os.pread(self._fd, _MAX_LINE, self._size - 1)
            line, feed, _ = block[1:].partition(b"\n")
        if block[:1] != b"\n":
            return False
        try:
            # A torn line follows too; one after a gap that was recorded is no cut either.
            seq, prev = chain.position(chain.split_line(line).body) if feed else (0, "")
            return not feed or prev == self._head.hash or seq > self._head.seq + 1
        except ValueError:
            return True

    def _last_lines(self, size: int) -> tuple[int, bytes, int]:
        """Return where the last block with a line feed starts, it, and the end of its last line."""
        stop = size
        while True:
            start = max(self._size, stop - _BLOCK)
            tail = os.pread(self._fd, stop - start, start)
            end = tail.rfind(b"\n") + 1
            if end or start == self._size:
                # Whole lines may begin before the block; with one more they do not.
                if start > self._size and tail.count(b"\n") < 2:
                    start = max(self._size, start - _BLOCK)
                    tail = os.pread(self._fd, stop - start, start)
                    end = tail.rfind(b"\n") + 1
                return start, tail, end
            stop = start

    def _set_aside(self, at: int, size: int, log: int = -1, cause: str = "a torn line") -> None:
        """Keep the start of a line whose writer died, in a file of its own, and cut it off."""
        log = self._fd if log < 0 else log
        name = f"{self._path.name}.torn-{at}-{time.time_ns()}"
        aside = self._path.with_name(name)
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open_file(fd, "wb") as file:
            for offset in range(at, size, _BLOCK):
                file.write(os.pread(log, min(_BLOCK, size - offset), offset))
            file.flush()
            os.fsync(fd)
        sync_directory(aside)
        _cut(log, at)
        self.notices.append(
            Notice("log.recover", {"cause": cause, "bytes": size - at, "kept_in": name})
        )

    # --- Rotation.

    def _seal(self) -> None:
        """Make the file a sealed segment, and go on in a new one.

        The order is what a crash in between is mended from: the data is on the disk, then the
        name, then the manifest's line (which `complete_manifest` adds if it is not there).
        """
        if self._size == 0:
            return
        sync_file(self._fd)
        target = segment_path(self._path, _first_seq(self._fd))
        if target.exists():
            raise OSError(f"{target} stands where a segment is to be sealed")
        os.rename(self._path, target)
        self._reopen()

    def _first_time(self, size: int) -> float:
        """Return when the first entry was made, by its UUIDv7; now, if there is none yet."""
        line = os.pread(self._fd, min(size, _MAX_LINE), 0).partition(b"\n")[0]
        try:
            return chain.recorded_at(line)
        except ValueError:
            return time.time()


def _cut(fd: int, size: int) -> None:
    """Cut a file, if it is longer: somebody may have cut it meanwhile, and it must not grow."""
    if os.fstat(fd).st_size > size:
        os.ftruncate(fd, size)


def _first_seq(fd: int) -> int:
    """Return the ``seq`` of a file's first entry."""
    line = os.pread(fd, _MAX_LINE, 0).partition(b"\n")[0]
    return chain.position(chain.split_line(line).body)[0]


def _place_before(fd: int, start: int) -> int:
    """Return where a line starts that stands before entry `start`, not far from it; or 0."""
    low, high = 0, os.fstat(fd).st_size
    while high - low > _BLOCK:  # entries stand in order, so halving finds one in 20 reads
        middle = (low + high) // 2
        block = os.pread(fd, 2 * _MAX_LINE, middle)
        begin = block.find(b"\n") + 1
        end = block.find(b"\n", begin)
        try:
            if end < 0 or chain.position(chain.split_line(block[begin:end]).body)[0] >= start:
                high = middle
            else:
                low = middle + begin
        except ValueError:
            return low
    return low


def _head_of(segment: Path) -> Head:
    """Return a sealed segment's last entry.

    :raises OSError: if it cannot be read, or does not end with an entry.
    """
    with open_file(segment, "rb") as file:
        start = max(0, os.fstat(file.fileno()).st_size - _MAX_LINE - 1)
        found = _last_entry(os.pread(file.fileno(), _MAX_LINE + 1, start))
    if found is None or not found[1]:
        raise OSError(f"{segment} is no segment: it does not end with an entry")
    return found[0]


def _last_entry(lines: bytes) -> tuple[Head, bool] | None:
    """Return the last entry's place, and whether it is the last line."""
    end = len(lines)
    while end:
        begin = lines.rfind(b"\n", 0, end - 1) + 1
        try:
            body, hash, _ = chain.split_line(lines[begin : end - 1])
            return Head(chain.position(body)[0], hash), end == len(lines)
        except ValueError:
            end = begin
    return None


def _records(file: BinaryIO, start: int) -> Iterator[Record]:
    seq = -1
    for line in _lines(file, start):
        try:
            record = _record(line)
        except ValueError:
            if seq + 1 < start:  # it stands before what is asked for
                continue
            raise
        seq = record.seq
        if seq >= start:
            yield record


def _readable(file: BinaryIO, start: int) -> Iterator[Record]:
    for line in _lines(file, start):
        with contextlib.suppress(ValueError):
            record = _record(line)
            if record.seq >= start:
                yield record


def _lines(file: BinaryIO, start: int) -> Iterator[bytes]:
    """Yield lines, and pieces of what is too long for one; a torn last line is left out."""
    if start:
        file.seek(_place_before(file.fileno(), start))
    inside = False  # a line that is too long, of which pieces come
    while line := file.readline(_MAX_LINE):
        whole = line.endswith(b"\n")
        if whole or len(line) == _MAX_LINE:
            yield line[:-1] if whole and not inside else b""
        inside = not whole


def _record(line: bytes) -> Record:
    """Return the entry in a line.

    :raises ValueError: if it is none.
    """
    body, hash, signature = chain.split_line(line)
    return Record(chain.position(body)[0], body, hash, signature)
