"""JSON Lines: one stored line an entry, in one file that is only ever appended to."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from chained_logging import chain
from chained_logging.sinks import EMPTY, Head, Notice, Record, sync_directory, sync_file

# The longest stored line: a body, its hash, a signature, the line feed.
_MAX_LINE = chain.MAX_BODY + 256


class JsonlSink:
    """See :class:`chained_logging.sinks.Sink`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._file: tuple[int, int] | None = None  # device and inode of the file we hold
        self._size = 0  # bytes in it when we last looked
        self._head = EMPTY
        self.notices: list[Notice] = []

    def head(self) -> Head:
        try:
            found = os.stat(self._path)
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
        if len(records) == 1:  # 0.2 µs less than joining one line
            _, body, hash, signature = records[0]
            data = chain.stored_line(body, hash, signature) + b"\n"
        else:
            data = b"".join(
                chain.stored_line(body, hash, signature) + b"\n"
                for _, body, hash, signature in records
            )
        self._write(data)
        self._size += len(data)
        self._head = Head(records[-1][0], records[-1][2])

    def _write(self, data: bytes) -> None:
        """Append all of `data`, or nothing: a part of it is cut off again."""
        try:
            written = os.write(self._fd, data)
            while written < len(data):  # the disk is full, or a size limit: the next call says so
                written += os.write(self._fd, data[written:])
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise

    def sync(self) -> None:
        try:
            sync_file(self._fd)
        except OSError as error:
            if error.errno != errno.EBADF:  # closed meanwhile, by _reopen(), which syncs first
                raise

    def records(self, start: int = 0) -> Iterator[Record]:
        with open(self._path, "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    body, hash, signature = chain.split_line(line[:-1])
                    seq, _ = chain.position(body)
                    if seq >= start:
                        yield Record(seq, body, hash, signature)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._file, self._size = -1, None, 0

    def forked(self) -> None:
        self.close()  # O_APPEND makes sharing harmless; our idea of size and head is what must go
        self._head = EMPTY

    # --- What is not the usual case.

    def _reopen(self) -> Head:
        """Open the file that stands at the path, or a new one."""
        known = self._fd >= 0
        if known:
            self._catch_up()  # others may have written to the old file after we last did
            sync_file(self._fd)
        before = self._head
        self.close()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(self._path, flags, 0o600)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{self._path} is not a regular file")
            if found.st_nlink > 1:
                # Under its other name it would have another lock, and so a second chain.
                raise OSError(f"{self._path} has more than one name (hard links)")
        except OSError:
            os.close(fd)
            raise
        if found.st_size == 0:
            sync_directory(self._path)
        self._fd, self._file, self._size = fd, (found.st_dev, found.st_ino), 0
        self._head = EMPTY
        self._catch_up()
        if known and self._head.seq < before.seq:
            # Moved away or deleted under us. The chain goes on where it was: never a second
            # genesis. If another process was here first, its entries already go on.
            self._head = before
            self.notices.append(
                Notice("log.reopen", {"cause": "the file was moved, deleted or replaced"})
            )
        return self._head

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
        """Read the last line, and move a torn one out of the way first."""
        size = os.fstat(self._fd).st_size
        start = max(self._size, size - 2 * _MAX_LINE)
        tail = os.pread(self._fd, size - start, start)
        end = tail.rfind(b"\n") + 1
        if end < len(tail):
            if end == 0 and start > self._size:
                raise OSError(f"{self._path} does not end in a line: it is not a log of ours")
            self._set_aside(tail[end:], start + end)
            size = start + end
        if end:
            line = tail[tail.rfind(b"\n", 0, end - 1) + 1 : end - 1]
            try:
                body, hash, _ = chain.split_line(line)
                self._head = Head(chain.position(body)[0], hash)
            except ValueError as reason:
                raise OSError(f"{self._path} does not end in an entry: {reason}") from None
        self._size = size
        return self._head

    def _set_aside(self, torn: bytes, at: int) -> None:
        """Keep the start of a line whose writer died, in a file of its own, and cut it off."""
        name = f"{self._path.name}.torn-{at}-{time.time_ns()}"
        aside = self._path.with_name(name)
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, torn)
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_directory(aside)
        os.ftruncate(self._fd, at)
        self.notices.append(
            Notice("log.recover", {"cause": "a torn line", "bytes": len(torn), "kept_in": name})
        )
