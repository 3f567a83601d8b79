"""How the writers of a log sign it: all of them the same way, while any of them has it open.

``<log>.writers`` says how, in one line. Each writer holds a shared ``flock`` on that file while it
has the log open, and the kernel drops the lock when the writer dies. The line counts only while
somebody holds the file, so editing it while the log is closed keeps nobody out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from chained_logging.errors import Busy, ChainedLoggingError
from chained_logging.files.own import open_own

try:
    import fcntl
except ImportError:  # Windows, where no log is written
    fcntl = None  # type: ignore[assignment]  # its lock is refused before this is reached

NO_KEY: Final = "no key"
CHECKPOINT: Final = "checkpoint"
EACH: Final = "each"

_TOGETHER: Final = {
    (NO_KEY, NO_KEY): NO_KEY,
    (NO_KEY, CHECKPOINT): CHECKPOINT,  # the checkpoints cover what the others write
    (CHECKPOINT, CHECKPOINT): CHECKPOINT,
    (EACH, EACH): EACH,
}
"""The resulting way, by the way of the present writers and that of the one who joins."""

_REFUSALS: Final = {
    (EACH, NO_KEY): "is signed: open it with its key and sign='each'",
    (CHECKPOINT, NO_KEY): "is signed: open it with its key",
    (EACH, CHECKPOINT): "is signed entry by entry: open it with sign='each'",
    (CHECKPOINT, EACH): "is not signed entry by entry: open it with sign='checkpoint'",
    (NO_KEY, EACH): "is not signed entry by entry: open it without a key",
}
"""Why a writer may not join, by the way of the present writers and its own."""


class SignsOtherwise(ChainedLoggingError, ValueError):
    """Others have the log open, and sign it another way."""


class Writers:
    """A writer's part in the agreement. The holder of the log's lock alone calls its methods,
    except :meth:`leave`.

    A forked child keeps its parent's part: the two share one open file.

    :ivar way: how this writer signs; None if it takes no part.
    """

    def __init__(self, log: Path) -> None:
        self._log: Final = log
        self.path: Final = log.with_name(f"{log.name}.writers")
        self.way: str | None = None
        self._fd = -1

    def join(self, way: str) -> None:
        """Take part, until :meth:`leave`.

        :param way: :data:`NO_KEY`, :data:`CHECKPOINT` or :data:`EACH`.
        :raises SignsOtherwise: if others have the log open, and sign it another way.
        :raises Busy: if somebody who is not a writer holds the file.
        :raises FAILURES: if the file cannot be opened, or is not the log's own.
        """
        fd = self._open()
        try:
            others = self._others(fd)
            agreed = _TOGETHER.get((others, way)) if others is not None else way
            if agreed is None:
                raise SignsOtherwise(
                    f"the log {self._log} {_REFUSALS[others or way, way]}, like the writers that "
                    "have it open now, or close those first"
                )
            if agreed != others:
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"{agreed}\n".encode(), 0)
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"another program holds {self.path}") from None
        except BaseException:
            os.close(fd)
            raise
        self.leave()
        self._fd, self.way = fd, way

    def running(self) -> str | None:
        """Return how the writers sign that have the log open; None if nobody has it open.

        :raises FAILURES: as :meth:`join`.
        """
        if self.way is not None:
            return self.way
        fd = self._open()
        try:
            return self._others(fd)
        finally:
            os.close(fd)

    def stay(self) -> bool:
        """Join again if the file was deleted or replaced, and return whether it was.

        :raises SignsOtherwise: as :meth:`join`, if others joined meanwhile.
        :raises FAILURES: as :meth:`join`.
        """
        if self.way is None:
            return False
        try:
            if os.path.samestat(os.stat(self.path), os.fstat(self._fd)):
                return False
        except FileNotFoundError:
            pass
        self.join(self.way)
        return True

    def leave(self) -> None:
        """Stop taking part."""
        fd, self._fd, self.way = self._fd, -1, None
        if fd >= 0:
            os.close(fd)

    def _open(self) -> int:
        return open_own(self.path, os.O_RDWR | os.O_CREAT)

    def _others(self, fd: int) -> str | None:
        """Return how others sign; None if there are no other writers."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(fd, 64, 0).decode("ascii", "replace").strip()
            return (
                said if said in (NO_KEY, CHECKPOINT, EACH) else None
            )  # edited: what it said is not known
        return None
