"""The lock of a log: a file beside it, which also remembers the chain's head.

The file is never renamed or removed. It is locked with ``flock``, which the
kernel drops when the holder dies, so a lock is never stale.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from chained_logging.errors import Busy, Unsupported
from chained_logging.files.durable import sync_directory
from chained_logging.files.own import open_own
from chained_logging.format.canonical import MAX_SAFE_INTEGER
from chained_logging.format.line import GENESIS
from chained_logging.format.record import Head

try:
    import fcntl

    _AT_ONCE: Final = fcntl.LOCK_EX | fcntl.LOCK_NB  # take the lock now, or raise BlockingIOError
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # tested for before each use


_HASH = re.compile("[0-9a-f]{64}")

_NOTE: Final = 85
"""Bytes of a noted head: 20 digits, a space, a hash."""

PATIENCE: Final = 0.02
"""Seconds to wait for other writers. They normally hold a lock for microseconds."""


class Memory(NamedTuple):
    """What the lock file remembers."""

    head: Head
    synced: int
    """The ``seq`` up to which entries were on the disk; later ones may be too."""
    boot: str
    origin: str


class FileLock:
    """An exclusive lock between processes, and between two logs in one process.

    Threads of one log need a lock of their own: they share this one's file
    description, and so hold it together.

    :ivar patience: seconds to wait for the lock; None waits without limit.
    :ivar others_wrote: whether the head noted is another's, as of :meth:`acquire`.
    """

    def __init__(self, path: Path, patience: float | None = None) -> None:
        if fcntl is None:
            raise Unsupported(
                "a log cannot be written on this system: it has no flock, so nothing would keep "
                "two processes from forking the chain"
            )
        self.path = path
        self.patience = patience
        self._boot = _boot_id()
        self._fd = -1
        self._noted = b""
        self.held = False
        self.others_wrote = True

    def acquire(self) -> None:
        """Take the lock, or wait for it.

        :raises Busy: if somebody else still has it after :attr:`patience`.
        :raises OSError: if the lock file cannot be opened.
        :raises ForeignFile: if it is a link.
        """
        while True:
            fd = self._fd
            if fd < 0:
                fd = self._open()
            try:
                fcntl.flock(fd, _AT_ONCE)
            except BlockingIOError:
                if self.patience is None:
                    fcntl.flock(fd, fcntl.LOCK_EX)
                else:
                    lock_file(fd, f"another process holds {self.path}", self.patience)
            # A lock file that somebody deleted keeps nobody out any more: take the new one.
            if os.fstat(fd).st_nlink:
                self.others_wrote = os.pread(fd, _NOTE, 0) != self._noted
                self.held = True
                return
            self.close()

    def try_acquire(self) -> bool:
        """Take the lock if nobody has it, and say whether.

        :raises OSError: as :meth:`acquire`.
        """
        fd = self._fd if self._fd >= 0 else self._open()
        try:
            fcntl.flock(fd, _AT_ONCE)
        except BlockingIOError:
            return False
        self.held = True
        return True

    def release(self) -> None:
        """Release the lock, if it is held."""
        self.held = False
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file. In a forked child this leaves the parent's lock as it is."""
        self.held = False
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def moved(self) -> bool:
        """Whether the file was renamed or replaced.

        Deletion is noticed at every :meth:`acquire`; this, which costs twice as
        much, is asked once an interval.
        """
        try:
            return not os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except FileNotFoundError:
            return True

    def introduce(self, head: Head, synced: int, origin: str) -> None:
        """Note the chain's head and the log's origin."""
        text = f"{head.seq:020d} {head.hash:>64}\n{synced:020d}\n{self._boot}\n{origin}\n"
        os.pwrite(self._fd, text.encode(), 0)

    def note(self, seq: int, hash: str) -> None:
        """Note the head after an entry, with each append. Takes 0.6 µs.

        After a kill this note shows whether the file was moved or cut meanwhile.
        """
        noted = f"{seq:020d} {hash}".encode()
        os.pwrite(self._fd, noted, 0)
        self._noted = noted

    def note_synced(self, seq: int) -> None:
        """Note the last ``seq`` on the disk. May run while another thread appends."""
        if self._fd >= 0:
            os.pwrite(self._fd, b"%020d" % seq, 86)

    def sync(self) -> None:
        """Sync the lock file itself, once in a log's life."""
        os.fsync(self._fd)
        sync_directory(self.path)

    def recall(self) -> Memory | None:
        """Return what was noted, or None if this is a new file."""
        try:
            position, synced, boot, origin = os.pread(self._fd, 8192, 0).decode().split("\n")[:4]
            seq, hash = position.split()
            memory = Memory(Head(int(seq), hash), int(synced), boot, origin)
        except ValueError:
            return None
        # Ignore what no log writes, because the next entry would be chained to it.
        known = hash == GENESIS if memory.head.seq == -1 else _HASH.fullmatch(hash)
        sane = -1 <= memory.head.seq < MAX_SAFE_INTEGER and memory.synced >= -1
        return memory if known and sane else None

    def restarted(self, memory: Memory) -> bool:
        """Whether the machine was restarted since: it tells a power failure from tampering.

        Where that cannot be told, it may have been.
        """
        return memory.boot != self._boot or memory.boot == UNKNOWN_BOOT

    def may_have_lost(self, memory: Memory, found: int) -> bool:
        """Whether a power failure can explain that entries end at `found`."""
        if memory.boot == self._boot == UNKNOWN_BOOT:
            return found >= memory.synced
        return self.restarted(memory)

    def _open(self) -> int:
        self._fd = open_own(self.path, os.O_RDWR | os.O_CREAT)
        return self._fd


def lock_file(fd: int, refusal: str, patience: float = PATIENCE) -> None:
    """Lock an open file against all others, with ``flock``.

    It polls, because a blocking call has no time limit: a process that is stopped while it has
    the lock would stop all others.

    :raises Busy: with `refusal`, if somebody else still has it after `patience` seconds.
    """
    deadline = None
    while True:
        try:
            fcntl.flock(fd, _AT_ONCE)
            return
        except BlockingIOError:
            now = time.monotonic()
            if deadline is None:
                deadline = now + patience
            elif now >= deadline:
                raise Busy(refusal) from None
        time.sleep(_PAUSE)


_PAUSE: Final = 0.00005


UNKNOWN_BOOT = "unknown"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        pass
    if sys.platform != "darwin":
        return UNKNOWN_BOOT
    try:
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)  # noqa: S603  # nothing in it is given
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN_BOOT
    return done.stdout.strip() or UNKNOWN_BOOT
