"""The spill file: where events wait that the log could not take, until it can.

``<log>.spill`` holds one body a line, as it would be at ``seq`` 0. It is locked while it is written
to, and while its events are chained: that is another lock than the log's, which may be what cannot
be had. Before its events are chained, the next ``seq`` is noted in it, so that a crash between
chaining them and removing the file repeats none: those whose ``id`` is in the log from there on are
there already.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from chained_logging import chain
from chained_logging.entry import Draft
from chained_logging.lock import PATIENCE, Busy, lock_file
from chained_logging.sinks import sync_directory, sync_file


class Spilled(NamedTuple):
    """What a spill file holds."""

    drafts: list[Draft]
    start: int | None
    """From which ``seq`` on some of them may be in the log."""
    unreadable: list[bytes]


# The first is kept when the machine restarts; the last is memory. Nothing in them is trusted that
# is not in a folder of our own.
FOLDERS = tuple(dict.fromkeys(("/var/tmp", tempfile.gettempdir(), "/dev/shm")))  # noqa: S108


def spills_of(log: Path) -> list[Spill]:
    """Return where the events of a log may wait: beside it, or where the disk is not full too.

    Those elsewhere are in a folder that is ours alone, as anybody may write to the one around it.
    """
    name = f"{sha256(os.fsencode(log)).hexdigest()[:16]}-{log.name}.spill"
    private = [Path(folder) / f"chained_logging-{os.geteuid()}" for folder in FOLDERS]
    return [Spill(Path(f"{log}.spill")), *(_SpillElsewhere(folder / name) for folder in private)]


class Spill:
    """See the module."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._fd = -1  # while it is held

    def exists(self) -> bool:
        """Whether events wait here."""
        return self.path.exists()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep others out, until what is in here is chained.

        :raises Busy: if somebody else does.
        :raises OSError: if the file cannot be opened.
        """
        self._fd = self._open(0)
        try:
            yield
        finally:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def add(
        self, drafts: Sequence[Draft], *, sync: bool = True, patience: float = PATIENCE
    ) -> None:
        """Keep events, on the disk or, without `sync`, in the kernel's hands.

        :raises Busy: if others use the file for longer than `patience` seconds.
        :raises OSError: if that fails; a part may have been written, and is not counted.
        """
        if self._fd >= 0:  # a signal handler, in the middle of their being chained
            raise Busy(f"the events in {self.path} are being chained")
        fd = self._open(os.O_CREAT, patience)
        try:
            self._append(fd, [draft.body(0, chain.GENESIS) for draft in drafts], sync=sync)
        finally:
            os.close(fd)

    def mark(self, seq: int, *, sync: bool) -> None:
        """Note from where on the events will be chained, while they are held."""
        self._append(self._fd, [b"%d" % seq], sync=sync)

    def read(self) -> Spilled:
        """Return what waits.

        :raises OSError: if the file cannot be read.
        """
        found = Spilled([], None, [])
        start = None
        with open(self.path, "rb") as file:
            for line in file:
                item = _parse(line)
                if item is None:
                    if line.strip():
                        found.unreadable.append(line)
                elif isinstance(item, Draft):
                    found.drafts.append(item)
                else:  # the lowest: a power failure may take the log back to before a mark
                    start = item if start is None else min(start, item)
        return found._replace(start=start)

    def set_aside(self, lines: Sequence[bytes]) -> str:
        """Keep lines that are no events in a file of their own, and return its name."""
        aside = self.path.with_name(f"{self.path.name}.torn-{time.time_ns()}")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(fd)
        return aside.name

    def remove(self, *, sync: bool) -> None:
        """Remove the file: all of it is in the log."""
        self.path.unlink(missing_ok=True)
        if sync:
            sync_directory(self.path)

    def _append(self, fd: int, lines: Sequence[bytes], *, sync: bool) -> None:
        size = os.fstat(fd).st_size
        # A line feed first: a torn line before it spoils no other.
        data = b"".join(b"\n%b\n" % line for line in lines)
        try:
            while data:
                data = data[os.write(fd, data) :]
            if sync:
                sync_file(fd)
        except OSError:
            os.ftruncate(fd, size)
            raise
        if size == 0 and sync:
            sync_directory(self.path)

    def _open(self, create: int, patience: float = PATIENCE) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | create
        while True:
            fd = os.open(self.path, flags, 0o600)
            try:
                lock_file(fd, f"another process holds {self.path}", patience)
                if os.fstat(fd).st_nlink:  # else whoever had it before has chained and removed it
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)


class _SpillElsewhere(Spill):
    """A spill file in a folder of this user's alone, in one that all may write to."""

    def exists(self) -> bool:
        return self._private() and super().exists()

    def _private(self) -> bool:
        """Whether the folder is there, and nobody else's."""
        try:
            found = os.lstat(self.path.parent)
        except OSError:
            return False
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return ours and not stat.S_IMODE(found.st_mode) & 0o077

    def _open(self, create: int, patience: float = PATIENCE) -> int:
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.path.parent, 0o700)
        if not self._private():
            raise OSError(f"{self.path.parent} must be a folder of this user's alone")
        return super()._open(create, patience)


def _parse(line: bytes) -> Draft | int | None:
    """Return an event, a mark, or None for what is neither: the file may have been edited."""
    text = line.strip()
    try:
        return int(text) if text.isdigit() and len(text) < 20 else Draft.from_body(text)
    except ValueError:
        return None
