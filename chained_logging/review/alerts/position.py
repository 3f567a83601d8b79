"""How far each detector has looked: ``audit.jsonl.alerts``, a file that may be lost.

Without it, detectors look at the whole log again. What they find there was raised already, and the
log says so, so that nothing is raised twice. It is one JSON object, replaced as a whole.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol

from chained_logging.errors import Busy, Unsupported
from chained_logging.files.durable import replace_file
from chained_logging.files.own import open_own, open_regular, require_own
from chained_logging.format.canonical import MAX_SAFE_INTEGER
from chained_logging.format.record import EMPTY, Head

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # tested for before each use

_SIZE_LIMIT: Final = 1 << 20


class Positions(Protocol):
    """Remembers how far each detector has looked."""

    def read(self) -> dict[str, Head]:
        """Return the last entry that each detector has looked at, by its name."""

    def write(self, positions: dict[str, Head]) -> None:
        """Keep that.

        :raises FAILURES: if that fails.
        """

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keep other processes from raising alerts of this log meanwhile.

        :raises Busy: if another one is at it.
        """


class PositionFile:
    """Positions in a file beside a log.

    :param log: the path of the log.
    """

    def __init__(self, log: Path) -> None:
        self._path = log.with_name(f"{log.name}.alerts")
        self._lock = log.with_name(f"{log.name}.alerts.lock")

    def read(self) -> dict[str, Head]:
        """See :class:`Positions`. A file that is missing or malformed says nothing."""
        if not require_own(self._path):
            return {}
        with open_regular(self._path) as file:
            data = file.read(_SIZE_LIMIT)
        try:
            return {str(name): _head(found) for name, found in json.loads(data).items()}
        except (AttributeError, TypeError, ValueError, RecursionError):
            return {}

    def write(self, positions: dict[str, Head]) -> None:
        """See :class:`Positions`."""
        replace_file(self._path, json.dumps(positions).encode())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See :class:`Positions`. The kernel drops the lock when its holder dies."""
        if fcntl is None:
            raise Unsupported("alerts need file locks, which this system lacks")
        fd = open_own(self._lock, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Busy("another process is raising alerts of this log") from None
        finally:
            os.close(fd)


class PositionsInMemory:
    """Positions that end with the process: for a log beside which nothing can be written."""

    def __init__(self) -> None:
        self._positions: dict[str, Head] = {}

    def read(self) -> dict[str, Head]:
        """See :class:`Positions`."""
        return dict(self._positions)

    def write(self, positions: dict[str, Head]) -> None:
        """See :class:`Positions`."""
        self._positions = dict(positions)

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """See :class:`Positions`."""
        return contextlib.nullcontext()


def _head(found: object) -> Head:
    match found:
        case [int(seq), str(hash)] if EMPTY.seq <= seq <= MAX_SAFE_INTEGER:
            return Head(seq, hash)
    raise ValueError("must be a position and a hash")
